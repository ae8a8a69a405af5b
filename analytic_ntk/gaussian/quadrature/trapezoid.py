"""The trapezoidal rule for analytic integrands on a finite window, with a proved error.

For ``F`` analytic on the rectangle ``|Re z| <= R, |Im z| <= a`` with ``R = (J + 1/2) h``,

    h sum_{|j| <= J} F(j h) - int_{-R}^{R} F = contour integrals of F times a kernel

that is at most ``1/(exp(2 pi a/h) - 1)`` on the two long sides and ``1/(1 + exp(2 pi |y|/h))`` on the two
short ones, which run midway between nodes. The rest of the line is bounded by the growth of ``F``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from flint import arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Ball, Growth, Scaled, same_function
from analytic_ntk.gaussian.quadrature.strip import Function, gaussian, height, line_integral, side_integral

GUARD_BITS = 40
SHARES = tuple(0.8**k for k in range(28))
MAX_COUNT = 200_000
MANY = 4000
"""Where more nodes than this are expected, the strip is narrow and panels do with fewer."""


@dataclass(frozen=True)
class Grid:
    """The nodes ``j * step``, ``|j| <= count``; ``step`` is a float, so nodes are exact."""

    step: float
    count: int

    @classmethod
    def covering(cls, radius: float, step: float) -> Grid:
        mantissa, exponent = math.frexp(step)
        step = math.ldexp(math.floor(mantissa * 2**16), exponent - 16)  # few bits: j * step is exact
        return cls(step, max(1, math.ceil(radius / step - 0.5)))

    @property
    def radius(self) -> float:
        return (self.count + 0.5) * self.step

    def nodes(self) -> list[arb]:
        return [arb(j * self.step) for j in range(-self.count, self.count + 1)]


def discretisation_bound(size: arb, at_height: float, step: float) -> arb:
    """Both long sides: ``2 size / (exp(2 pi a / h) - 1)``, ``size`` bounding ``int |F(x + i a)| dx``."""
    return (2 * size / ((2 * arb.pi() * arb(at_height) / arb(step)).exp() - 1)).upper()


def choose_step(size: Callable[[float], arb], top: float, target: arb) -> tuple[float, float, arb]:
    """The height ``a <= top`` that allows the widest step, that step, and ``size(a)``."""
    best = (0.0, 0.0, arb("inf"))
    for share in SHARES:
        bound = size(share * top)
        if not bound.is_finite():
            continue
        need = float((1 + 2 * bound / target).log().upper())
        step = 2 * math.pi * share * top / need
        if step > best[1]:
            best = (share * top, step, bound)
        elif best[1]:
            break
    if not best[1]:
        raise PrecisionError(
            "a function without a finite bound by ball evaluation",
            "an analytic function, bounded on boxes around the real line",
            "write it with fewer cancellations",
        )
    return best


def cap_height(target: arb, scale: arb, curvature: arb) -> float:
    """The height beyond which a Gaussian weight of this curvature makes every entire function worse."""
    bits = float((scale / target).log().upper()) if scale > 0 else 0.0
    return math.sqrt(2 * (max(bits, 1.0) + 5) / float(curvature.lower()))


def top_height(factors: list[Scaled], radius: float, cap: float) -> float:
    top = cap
    for f in factors:
        top = height(f, radius, top)
    if not top > 0:
        raise PrecisionError(
            "a function with no strip of analyticity found around the real line",
            "an analytic function, or breakpoints where it is not",
            "write it as a Piecewise with its breakpoints",
        )
    return top


def multiply(factors: list[Scaled]) -> Function:
    functions = [f.part(0) for f in factors]
    if len(factors) == 2 and same_function(*factors):
        return lambda z: _square(functions[0](z))

    def run(z: Ball) -> Ball:
        value = functions[0](z)
        for function in functions[1:]:
            value = value * function(z)
        return value

    return run


def _square(value: Ball) -> Ball:
    return value * value


def grows(curvature: arb) -> Callable[[float], arb]:
    """``exp(curvature y^2 / 2)``: how a Gaussian weight grows off the real line."""

    def run(y: float) -> arb:
        return (curvature * arb(y) ** 2 / 2).exp()

    return run


@dataclass(frozen=True)
class LineRule:
    """A grid and a proved bound of ``|h sum F gamma - int_{-oo}^{oo} F gamma|``."""

    grid: Grid
    error: arb


def line_rule(
    factors: list[Scaled],
    growth: Growth,
    off_line: Callable[[float], arb],
    on_side: Callable[[float, float], arb],
    power: int,
    target: arb,
    scale: arb,
) -> LineRule:
    """The rule for ``E prod f(Z) * k(Z)``.

    ``growth`` bounds the whole integrand without its weight on the real line; ``off_line(a)`` bounds what
    the weight and ``k`` gain at height ``a`` (for ``power = 2`` after Cauchy-Schwarz); ``on_side(R, y)``
    bounds ``|k(+-R + i y)|``, increasing in ``y``.
    """
    with working_precision(BOUND_BITS):
        product = multiply(factors)
        radius = tails.window(lambda r: tails.tail_bound(growth, r), target / 8)
        finer = 1.0
        for attempt in range(10):
            reach = radius + 1.0
            cap = cap_height(target, scale, arb(1))
            top = top_height(factors, reach, cap)

            def size(a: float, reach: float = reach) -> arb:
                line = line_integral(product, reach, a, power)
                return ((line.sqrt() if power == 2 else line) * off_line(a)).upper()

            at, step, bound = choose_step(size, top, target / 4)
            grid = Grid.covering(radius, min(step * finer, 1.0))
            r = grid.radius
            error = discretisation_bound(bound, at, grid.step) + tails.tail_bound(growth, r)
            small = target / (64 * gaussian(r))
            gain = grows(arb(1))

            def weight(y: float, r: float = r, gain: Callable[[float], arb] = gain) -> arb:
                return gain(y) * on_side(r, y)

            for side in (-r, r):
                edge = side_integral(product, side, at, grid.step, weight, small)
                error += 2 * edge * gaussian(r)
            if error < target:
                break
            radius *= 1.06
            if attempt:  # a function that grows along the sides faster than the kernel falls
                finer *= 0.7
        if not error < scale:
            raise PrecisionError("the trapezoidal rule: no bound", "an error below the values")
        if grid.count > MAX_COUNT:
            raise PrecisionError(
                f"{2 * grid.count} nodes", f"at most {2 * MAX_COUNT}", "reduce the variance or the digits"
            )
        return LineRule(grid, tails.require_finite(error, "the trapezoidal rule"))


def expected_count(factors: list[Scaled], growth: Growth, target: arb, scale: arb, order: int = 0) -> float:
    """About how many nodes the rule needs, for polynomials up to ``order``; nothing rests on it."""
    with working_precision(BOUND_BITS):
        radius = tails.window(lambda r: tails.tail_bound(growth, r), target / 8)
        top = top_height(factors, radius + 1.0, cap_height(target, scale, arb(1)))
        digits = float((scale / target).log().upper())
        return 2 * radius * (digits / top + math.sqrt(order)) / (2 * math.pi)


def is_narrow(f: Scaled, g: Scaled, goal_bits: int) -> bool:
    """Whether :func:`single_trapezoid` is expected to need many nodes."""
    target = tails.goal_radius(f, g, goal_bits)
    if target == 0:
        return False
    with working_precision(BOUND_BITS):
        growth = tails.product(f.growth(), g.growth())
        scale = target * arb(2) ** goal_bits
    try:
        return expected_count([f, g], growth, target, scale) > MANY
    except PrecisionError:
        return True


def single_trapezoid(f: Scaled, g: Scaled, goal_bits: int, even: bool = False) -> arb:
    """``E f(Z) g(Z)`` for ``f``, ``g`` of one analytic part each; ``even``: their product is."""
    target = tails.goal_radius(f, g, goal_bits)
    if target == 0:
        return arb(0)
    with working_precision(BOUND_BITS):
        growth = tails.product(f.growth(), g.growth())
    rule = line_rule(
        [f, g], growth, grows(arb(1)), lambda r, y: arb(1), 1, target, target * arb(2) ** goal_bits
    )
    with working_precision(max(int(ctx.prec), goal_bits + GUARD_BITS)):
        nodes = rule.grid.nodes()
        if even:
            nodes = nodes[rule.grid.count :]
        one = f.values(nodes)
        other = one if same_function(f, g) else g.values(nodes)
        total = arb(0)
        for node, a, b in zip(nodes, one, other, strict=True):
            total += a * b * (-node * node / 2).exp()
        if even:
            total = 2 * total - one[0] * other[0]
        return total * arb(rule.grid.step) / (2 * arb.pi()).sqrt() + arb(0, rule.error)
