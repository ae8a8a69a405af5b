"""Hermite coefficients ``a_n = E f(Z) h_n(Z)`` of all orders at once, over shared nodes.

``h_n = He_n / sqrt(n!)``. Off the real line the trapezoidal error rests on ``E |h_n(Z + i a)|^2 =
L_n(-a^2)`` (Laguerre), on the short sides on Mehler's formula at ``z, conj(z)``: for every ``0 < r < 1``

    |h_n(x + i y)|^2 <= r^(-n) (1 - r^2)^(-1/2) exp(r x^2/(1 + r) + r y^2/(1 - r)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from flint import arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Scaled
from analytic_ntk.gaussian.quadrature.trapezoid import GUARD_BITS, LineRule, grows, line_rule


def laguerre_at_minus(order: int, square: arb) -> arb:
    """``L_order(-square) = sum_k C(order, k) square^k / k!``, increasing in ``order``."""
    total = term = arb(1)
    for k in range(1, order + 1):
        term = term * square * (order - k + 1) / (k * k)
        total += term
    return total


def mehler_bound(order: int, real_part: float, imaginary: float) -> arb:
    """``|h_n(x + i y)|`` for every ``n <= order``, ``|x| <= real_part``, ``|y| <= imaginary``."""
    root = math.sqrt(order) + 1
    gap = arb(min(0.5, (imaginary + 1 / root) / root))
    r = 1 - gap
    x, y = arb(real_part), arb(imaginary)
    exponent = r * x * x / (1 + r) + r * y * y / gap - order * r.log()
    return ((exponent / 2).exp() / (gap * (1 + r)).sqrt().sqrt()).upper()


def recurrence_bits(order: int, radius: float) -> int:
    """Bits that the three-term recurrence loses in balls: about ``exp(x sqrt(n) - x^2/2)``."""
    root = math.sqrt(order)
    at = min(root, radius)
    return int((at * root - at * at / 2) / math.log(2)) + 2 * order.bit_length()


def hermite_sums(points: Sequence[arb], even: Sequence[arb], odd: Sequence[arb], order: int) -> list[arb]:
    """``sum_j c_j h_n(x_j)`` for ``n <= order``; ``c`` is ``even`` for even ``n``, ``odd`` for odd ``n``."""
    roots = [arb(k).sqrt() for k in range(order + 2)]
    inverse = [arb(0)] + [1 / root for root in roots[1:]]
    sums = [arb(0)] * (order + 1)
    for point, c_even, c_odd in zip(points, even, odd, strict=True):
        before, now = arb(1), point
        sums[0] += c_even
        if order:
            sums[1] += c_odd * point
        scaled = [point * v for v in inverse]
        for k in range(1, order):
            before, now = now, scaled[k + 1] * now - roots[k] * inverse[k + 1] * before
            sums[k + 1] += (c_even if k % 2 else c_odd) * now
    return sums


def until_precise(
    compute: Callable[[], list[arb]], target: arb, base_bits: int, extra_bits: int
) -> list[arb]:
    """Run ``compute`` at rising precision until its balls are thinner than ``target`` or stop shrinking."""
    width = arb("inf")
    values: list[arb] = []
    for attempt in range(4):
        with working_precision(base_bits + extra_bits * (2**attempt)):
            values = compute()
        before, width = width, max((v.rad() for v in values), default=arb(0))
        if width < target or not width < before / 2:
            break
    return values


def hermite_trapezoid(f: Scaled, order: int, goal_bits: int) -> list[arb]:
    """``a_0, ..., a_order`` for ``f`` of one analytic part."""
    with working_precision(BOUND_BITS):
        scale = tails.magnitude(f)
        target = (scale * arb(2) ** -goal_bits).mid()
        growth = tails.product(f.growth(), tails.hermite_growth())
    if scale == 0:
        return [arb(0)] * (order + 1)
    gain = grows(arb(1))

    def off_line(a: float) -> arb:
        return gain(a) * laguerre_at_minus(order, arb(a) ** 2).sqrt()

    rule = line_rule([f], growth, off_line, lambda r, y: mehler_bound(order, r, y), 2, target, scale)
    base = max(int(ctx.prec), goal_bits + GUARD_BITS)
    extra = recurrence_bits(order, rule.grid.radius)
    values = until_precise(lambda: _sums(f, rule, order), target, base, extra)
    return [value + arb(0, rule.error) for value in values]


def _sums(f: Scaled, rule: LineRule, order: int) -> list[arb]:
    """The rule's sums at the precision in force; nodes ``x`` and ``-x`` are taken together."""
    nodes = rule.grid.nodes()
    values = f.values(nodes)
    middle = rule.grid.count
    factor = arb(rule.grid.step) / (2 * arb.pi()).sqrt()
    points, even, odd = [arb(0)], [factor * values[middle]], [arb(0)]
    for j in range(1, middle + 1):
        point = nodes[middle + j]
        weight = factor * (-point * point / 2).exp()
        points.append(point)
        even.append(weight * (values[middle + j] + values[middle - j]))
        odd.append(weight * (values[middle + j] - values[middle - j]))
    return hermite_sums(points, even, odd, order)
