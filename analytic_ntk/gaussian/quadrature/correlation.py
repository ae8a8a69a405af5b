"""Two analytic functions of a correlated pair: a double sum that is one polynomial product.

For a standard pair of correlation ``rho`` (``s^2 = 1 - rho^2``) the density factors as

    p(x, y) = exp(-x^2/(2(1+rho))) exp(-y^2/(2(1+rho))) exp(-rho (x - y)^2/(2 s^2)) / (2 pi s),

so on a common grid ``x_a = a h, y_b = b h`` the double sum needs only the cross-correlation of the two
weighted node vectors. The error is bounded direction by direction: shifted to ``Im x = a`` the density
gains ``exp(a^2 / (2 s^2))``, and Cauchy-Schwarz under ``p`` leaves one-dimensional integrals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from flint import arb, arb_poly, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.quadrature import tails, trapezoid
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Scaled, same_function, upper
from analytic_ntk.gaussian.quadrature.strip import gaussian, line_integral, side_integral
from analytic_ntk.gaussian.quadrature.trapezoid import Grid

Pair = tuple[Scaled, Scaled]


@dataclass(frozen=True)
class Correlated:
    """A standard pair: ``rho`` in ``(-1, 1)``, ``variance = 1 - rho^2``, ``sigma`` its root."""

    rho: arb
    variance: arb
    sigma: arb


def outside_bound(f: Scaled, g: Scaled, pair: Correlated, radius: float) -> arb:
    """``E |f(x) g(y)|`` outside the square ``[-radius, radius]^2``."""
    total = arb(0)
    for one, other in ((f, g), (g, f)):
        inner = tails.conditional(other.growth(), pair.rho, pair.variance)
        total += tails.tail_bound(tails.product(one.growth(), inner), radius)
    return total.upper()


@dataclass(frozen=True)
class Direction:
    """One direction of the rule for ``f``: a height, the widest step there, the bound behind it."""

    at: float
    step: float
    line: arb


def direction(
    f: Scaled, pair: Correlated, reach: float, other_norm: arb, target: arb, scale: arb
) -> Direction:
    """Choose the height for ``f``; ``line`` bounds ``sqrt(int |f(x + i a)|^2 gamma) exp(a^2 / (2 s^2))``."""
    curvature = 1 / pair.variance
    top = trapezoid.top_height([f], reach, trapezoid.cap_height(target, scale, curvature))
    function = f.part(0)
    gain = trapezoid.grows(curvature)

    def size(a: float) -> arb:
        return (line_integral(function, reach, a, 2).sqrt() * gain(a) * other_norm).upper()

    at, step, bound = trapezoid.choose_step(size, top, target)
    return Direction(at, step, (bound / other_norm).upper())


def edge_bound(f: Scaled, pair: Correlated, grid: Grid, at: float, other: arb, target: arb) -> arb:
    """Both halves of both short sides for ``f``, times ``other``, a bound of the other variable's mean."""
    gain = trapezoid.grows(1 / pair.variance)
    function = f.part(0)
    small = target / (256 * gaussian(grid.radius) * other)
    sides = [side_integral(function, x, at, grid.step, gain, small) for x in (-grid.radius, grid.radius)]
    return (2 * (sides[0] + sides[1]) * gaussian(grid.radius) * other).upper()


def node_mean(values: Sequence[arb], nodes: Sequence[arb], pair: Correlated, grid: Grid) -> arb:
    """``h sum_a |f(x_a)| p(x_a | y = +-R)``, the larger of the two."""
    best = arb(0)
    for end in (-grid.radius, grid.radius):
        total = arb(0)
        for node, value in zip(nodes, values, strict=True):
            offset = node - pair.rho * arb(end)
            total += abs(value) * (-offset * offset / (2 * pair.variance)).exp()
        best = best.max((total * arb(grid.step) / (pair.sigma * (2 * arb.pi()).sqrt())).upper())
    return best


def trimmed(values: list[arb]) -> tuple[list[arb], arb, arb]:
    """``values`` without what is below rounding, a bound of the sum dropped, and of the sum of all."""
    with working_precision(BOUND_BITS):
        sizes = [v.abs_upper() for v in values]
        total = sum(sizes, arb(0)).upper()
    floor = total * arb(2) ** (-int(ctx.prec) - 8)
    kept, dropped = list(values), arb(0)
    for i, size in enumerate(sizes):
        if size < floor:
            kept[i] = arb(0)
            dropped += size
    return kept, dropped.upper(), total


def correlation_sum(one: list[arb], other: list[arb], pair: Correlated, grid: Grid) -> arb:
    """``h^2 / (2 pi s) sum_{a,b} F_a G_b exp(-rho (a - b)^2 h^2 / (2 s^2))``."""
    left, left_dropped, left_mass = trimmed(one)
    right, right_dropped, right_mass = trimmed(other)
    product = (arb_poly(left) * arb_poly(right[::-1])).coeffs()
    middle = 2 * grid.count
    product += [arb(0)] * (2 * middle + 1 - len(product))
    rate = -pair.rho * arb(grid.step) ** 2 / (2 * pair.variance)
    tiny = arb(2) ** (-int(ctx.prec))
    largest = arb(1) if rate <= 0 else (abs(rate) * middle * middle).exp()
    dropped = largest * (left_dropped * right_mass + left_mass * right_dropped)
    total = product[middle] + arb(0, dropped.upper())
    for k in range(1, middle + 1):
        kernel = (rate * (k * k)).exp()
        if kernel < tiny and rate < 0:
            total += arb(0, (left_mass * right_mass * kernel).upper())
            break
        total += kernel * (product[middle + k] + product[middle - k])
    return total * arb(grid.step) ** 2 / (2 * arb.pi() * pair.sigma)


def discretisation_error(
    f: Scaled, g: Scaled, ways: tuple[Direction, Direction], pair: Correlated, grid: Grid,
    f_values: list[arb], g_norm: arb, target: arb,
) -> arb:  # fmt: skip
    """The proved difference of the double sum and the integral over the square."""
    h, r = arb(grid.step), grid.radius
    nodes = grid.nodes()
    over_x = trapezoid.discretisation_bound(ways[0].line * g_norm, ways[0].at, grid.step)
    mean = tails.conditional(g.growth(), pair.rho, pair.variance)
    over_x += edge_bound(f, pair, grid, ways[0].at, tails.at_radius(mean, r), target)
    squares = sum((upper(v) ** 2 * (-n * n / 2).exp() for v, n in zip(f_values, nodes, strict=True)), arb(0))
    f_norm = (squares * h / (2 * arb.pi()).sqrt()).sqrt()
    crowding = (1 + h / (pair.sigma * (2 * arb.pi()).sqrt())).sqrt()
    over_y = trapezoid.discretisation_bound(ways[1].line * f_norm * crowding, ways[1].at, grid.step)
    over_y += edge_bound(g, pair, grid, ways[1].at, node_mean(f_values, nodes, pair, grid), target)
    return (over_x + over_y).upper()


@dataclass(frozen=True)
class Plan:
    """What was chosen for a list of pairs: one grid for all, two directions for each."""

    grid: Grid
    ways: tuple[tuple[Direction, Direction], ...]
    norms: tuple[arb, ...]


def plan(pairs: Sequence[Pair], pair: Correlated, targets: Sequence[arb], goal_bits: int) -> Plan:
    """The widest common step and the smallest common window that meet every target (before rounding)."""
    with working_precision(BOUND_BITS):
        radius = 1.0
        for (f, g), target in zip(pairs, targets, strict=True):
            radius = tails.window(partial(outside_bound, f, g, pair), target / 8, radius)
        reach = 1.03 * radius + 1.0
        step, ways, norms = 1.0, [], []
        for (f, g), target in zip(pairs, targets, strict=True):
            norm_f, norm_g = (line_integral(k.part(0), reach, 0.0, 2).sqrt().upper() for k in (f, g))
            scale = target * arb(2) ** goal_bits
            crowded = norm_f * (1 + 1 / pair.sigma).sqrt()
            way_f = direction(f, pair, reach, norm_g, target / 8, scale)
            way_g = direction(g, pair, reach, crowded, target / 8, scale)
            ways.append((way_f, way_g))
            norms.append(norm_g)
            step = min(step, way_f.step, way_g.step)
        return Plan(Grid.covering(1.03 * radius, step), tuple(ways), tuple(norms))


def correlation_form(
    pairs: Sequence[Pair], pair: Correlated, targets: Sequence[arb], found: Plan
) -> list[arb]:
    """``E f(x) g(y)`` for each pair of one-part functions, on the grid of the plan."""
    grid = found.grid
    nodes = grid.nodes()
    decay = [(-n * n / (2 * (1 + pair.rho))).exp() for n in nodes]
    memory: list[tuple[Scaled, list[arb]]] = []

    def values(function: Scaled) -> list[arb]:
        for known, raw in memory:
            if same_function(known, function):
                return raw
            if same_function(known, function.mirrored()):
                return raw[::-1]
        memory.append((function, function.values(nodes)))
        return memory[-1][1]

    results = []
    for (f, g), ways, norm, target in zip(pairs, found.ways, found.norms, targets, strict=True):
        raw = values(f)
        one = [v * w for v, w in zip(raw, decay, strict=True)]
        other = [v * w for v, w in zip(values(g), decay, strict=True)]
        total = correlation_sum(one, other, pair, grid)
        with working_precision(BOUND_BITS):
            error = outside_bound(f, g, pair, grid.radius)
            error += discretisation_error(f, g, ways, pair, grid, raw, norm, target)
            error = tails.require_finite(error, "the double trapezoidal rule")
        results.append(total + arb(0, error))
    return results
