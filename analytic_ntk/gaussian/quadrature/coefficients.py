"""Hermite coefficients ``a_n = E f(Z) h_n(Z)`` of all orders at once, over shared nodes.

``h_n = He_n / sqrt(n!)``. Off the real line the trapezoidal error rests on ``E |h_n(Z + i a)|^2 =
L_n(-a^2)`` (Laguerre), on the short sides on Mehler's formula at ``z, conj(z)``: for every ``0 < r < 1``

    |h_n(x + i y)|^2 <= r^(-n) (1 - r^2)^(-1/2) exp(r x^2/(1 + r) + r y^2/(1 - r)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from flint import arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.fixed import hermite_sums, skips
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Growth, Scaled
from analytic_ntk.gaussian.quadrature.trapezoid import (
    GUARD_BITS,
    MANY,
    LineRule,
    expected_count,
    grows,
    line_rule,
)


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


def until_precise(compute: Callable[[], list[arb]], target: arb, base_bits: int) -> list[arb]:
    """Run ``compute`` at rising precision until its balls are thinner than ``target`` or stop shrinking."""
    width = arb("inf")
    values: list[arb] = []
    for attempt in range(4):
        with working_precision(base_bits * 2**attempt):
            values = compute()
        before, width = width, max((v.rad() for v in values), default=arb(0))
        if width < target or not width < before / 2:
            break
    return values


@dataclass(frozen=True)
class Goal:
    """The radius asked for, the size it refers to, and the growth of ``f h_n``."""

    target: arb
    scale: arb
    growth: Growth


def goal_of(f: Scaled, goal_bits: int) -> Goal:
    with working_precision(BOUND_BITS):
        scale = tails.magnitude(f)
        growth = tails.product(f.growth(), tails.hermite_growth())
        return Goal((scale * arb(2) ** -goal_bits).mid(), scale, growth)


def is_narrow(f: Scaled, order: int, goal_bits: int) -> bool:
    """Whether :func:`hermite_trapezoid` is expected to need many nodes."""
    goal = goal_of(f, goal_bits)
    try:
        return goal.scale > 0 and expected_count([f], goal.growth, goal.target, goal.scale, order) > MANY
    except PrecisionError:
        return True


def hermite_trapezoid(f: Scaled, order: int, goal_bits: int, parity: str | None = None) -> list[arb]:
    """``a_0, ..., a_order`` for ``f`` of one analytic part."""
    goal = goal_of(f, goal_bits)
    target = goal.target
    if goal.scale == 0:
        return [arb(0)] * (order + 1)
    gain = grows(arb(1))

    def off_line(a: float) -> arb:
        return gain(a) * laguerre_at_minus(order, arb(a) ** 2).sqrt()

    rule = line_rule(
        [f], goal.growth, off_line, lambda r, y: mehler_bound(order, r, y), 2, target, goal.scale
    )
    base = max(int(ctx.prec), goal_bits + GUARD_BITS)
    values = until_precise(lambda: _sums(f, rule, order, target / 4, parity), target, base)
    return [v if skips(n, parity) else v + arb(0, rule.error) for n, v in enumerate(values)]


def _sums(f: Scaled, rule: LineRule, order: int, target: arb, parity: str | None) -> list[arb]:
    """The rule's sums at the precision in force; with a parity the nodes ``x`` and ``-x`` are one."""
    nodes = rule.grid.nodes()
    factor = arb(rule.grid.step) / (2 * arb.pi()).sqrt()
    if parity is not None:
        nodes = nodes[rule.grid.count :]
    weights = [factor * v * (-x * x / 2).exp() for x, v in zip(nodes, f.values(nodes), strict=True)]
    if parity is not None:
        weights = weights[:1] + [2 * w for w in weights[1:]]
    return hermite_sums(nodes, weights, order, target, parity)
