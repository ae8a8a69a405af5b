"""Gauss-Legendre panels between breakpoints, with the Bernstein-ellipse error bound.

With ``m >= 2`` nodes on a panel of half-length ``L``, for ``F`` analytic and bounded by ``M`` in the
ellipse with foci at its ends and parameter ``e > 1`` (semi-axes ``L (e +- 1/e) / 2``),

    |error| <= L * (64/15) M e^(-2m) / (1 - e^(-2))        (Trefethen 2008, Theorem 4.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from flint import acb, arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.coefficients import goal_of, mehler_bound, until_precise
from analytic_ntk.gaussian.quadrature.fixed import hermite_sums, skips
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Growth, Scaled, interval, real, up, upper
from analytic_ntk.gaussian.quadrature.segments import clear_radius, cut_bound, cuts_of, segments_of
from analytic_ntk.gaussian.quadrature.strip import Function
from analytic_ntk.gaussian.quadrature.trapezoid import GUARD_BITS

Sizes = Callable[[acb], list[arb]]
Crude = Callable[[arb, arb], list[arb]]
ELLIPSES = (1.35, 1.6, 2.0, 2.5, 3.2, 4.2, 5.6, 7.6, 10.5)
MIDDLE = 3
"""Where the search among the ellipses starts."""
MAX_NODES = 400
MAX_PANELS = 1200


@lru_cache(maxsize=512)
def _legendre(count: int, bits: int) -> tuple[tuple[arb, arb], ...]:
    with working_precision(bits):
        right = [arb.legendre_p_root(count, k, weight=True) for k in range((count + 1) // 2)]
        left = [(-node, weight) for node, weight in right[: count // 2]]
        return (*left, *reversed(right))


def legendre_rule(count: int) -> tuple[tuple[arb, arb], ...]:
    """The nodes (increasing) and weights on ``[-1, 1]`` at the precision in force."""
    return _legendre(count, int(ctx.prec))


@lru_cache(maxsize=64)
def ellipse_tiles(parameter: float) -> tuple[tuple[float, float, float, float], ...]:
    """Rectangles that cover the upper half of the ellipse with foci at ``+-1``."""
    wide = 0.5 * (parameter + 1 / parameter) * (1 + 1e-12)
    tall = 0.5 * (parameter - 1 / parameter) * (1 + 1e-12)
    columns, rows = 12, 3
    tiles = []
    for i in range(columns):
        left, right = wide * (2 * i / columns - 1), wide * (2 * (i + 1) / columns - 1)
        near = 0.0 if left <= 1e-12 and right >= -1e-12 else min(abs(left), abs(right)) * (1 - 1e-12)
        for j in range(rows):
            bottom, top = tall * j / rows, tall * (j + 1) / rows
            if (near / wide) ** 2 + (bottom / tall) ** 2 <= 1:
                tiles.append((left, right, bottom, top * (1 + 1e-12)))
    return tuple(tiles)


def ellipse_maximum(sizes: Sizes, centre: arb, half: arb, parameter: float) -> list[arb]:
    """Upper bounds over the ellipse of every function behind ``sizes`` (infinite if not found)."""
    best: list[arb] = []
    stack = [(tile, 2) for tile in ellipse_tiles(parameter)]
    while stack:
        (left, right, bottom, top), depth = stack.pop()
        found = sizes(acb(centre + half * interval(left, right), half * interval(bottom, top)))
        if not all(v.is_finite() for v in found):
            if depth == 0:
                return found
            x, y = 0.5 * (left + right), 0.5 * (bottom + top)
            for a, b in ((left, x), (x, right)):
                stack += [((a, b, bottom, y), depth - 1), ((a, b, y, top), depth - 1)]
            continue
        best = found if not best else [a.max(b) for a, b in zip(best, found, strict=True)]
    return best


def gauss_bound(maximum: arb, parameter: float, count: int, half: arb) -> arb:
    """The error of the ``count``-point rule on a panel of half-length ``half``."""
    e = arb(parameter)
    return (half * arb(64) / 15 * maximum * e ** (-2 * count) / (1 - e**-2)).upper()


@dataclass(frozen=True)
class Panel:
    """``[low, high]`` (exact ends), ``count`` nodes, and per function an error bound."""

    low: arb
    high: arb
    count: int
    errors: tuple[arb, ...]

    def rule(self) -> list[tuple[arb, arb]]:
        centre, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return [(centre + half * node, half * weight) for node, weight in legendre_rule(self.count)]


def _best_rule(sizes: Sizes, low: arb, high: arb, targets: Sequence[arb]) -> Panel | None:
    """The fewest nodes that meet the targets on one panel, over the ellipses tried from the middle one on."""
    with working_precision(BOUND_BITS):
        centre, half = (low + high) / 2, ((high - low) / 2).upper()

        def attempt(index: int) -> tuple[int, float, list[arb]] | None:
            parameter = ELLIPSES[index]
            found = ellipse_maximum(sizes, centre, half, parameter)
            if not all(v.is_finite() for v in found):
                return None
            count = 2
            for maximum, target in zip(found, targets, strict=True):
                ratio = gauss_bound(maximum, parameter, 0, half) / target
                if ratio > 1:
                    count = max(count, math.ceil(float(ratio.log().upper()) / (2 * math.log(parameter))))
            return count, parameter, found

        first = best = attempt(MIDDLE)
        for index in range(MIDDLE + 1, len(ELLIPSES)):
            wider = attempt(index) if best else None
            if wider is None or best is None or wider[0] > best[0]:
                break
            best = wider
        for index in reversed(range(MIDDLE)) if best is first else ():
            narrower = attempt(index)
            if narrower is not None and best is not None and narrower[0] > best[0]:
                break
            best = narrower or best
        if best is None or best[0] > MAX_NODES:
            return None
        count = best[0] + (-best[0]) % (3 if best[0] < 30 else 6)
        return Panel(low, high, count, tuple(gauss_bound(m, best[1], count, half) for m in best[2]))


def partition(sizes: Sizes, low: arb, high: arb, targets: Sequence[arb], crude: Crude) -> list[Panel]:
    """Panels on ``[low, high]`` by bisection, as long as that saves nodes.

    ``crude(a, b)`` bounds the integrals over ``[a, b]`` without analyticity: tiny panels at a singular end
    point are left out at that price. Raises :class:`PrecisionError` where that does not suffice.
    """
    done: list[Panel] = []
    whole = _best_rule(sizes, low, high, targets)
    stack: list[tuple[arb, arb, Panel | None, int]] = [(low, high, whole, 0)]
    while stack:
        a, b, panel, depth = stack.pop()
        if panel is not None and panel.count <= 12:
            done.append(panel)
            continue
        if panel is None and depth > 8:
            left_out = crude(a, b)
            if all(bound <= target for bound, target in zip(left_out, targets, strict=True)):
                done.append(Panel(a, b, 0, tuple(left_out)))
                continue
        if len(done) > MAX_PANELS:
            raise PrecisionError(
                f"more than {MAX_PANELS} panels", "a function that oscillates less", "reduce the variance"
            )
        if depth > 60 + 2 * int(ctx.prec):
            raise PrecisionError(
                f"a singularity near {a.str(6)} on the scale of the standard normal",
                "parts analytic between their breakpoints and bounded at them",
                "split the function there, or smooth it",
            )
        middle = ((a + b) / 2).mid()
        left, right = _best_rule(sizes, a, middle, targets), _best_rule(sizes, middle, b, targets)
        if panel is not None and (left is None or right is None or left.count + right.count >= panel.count):
            done.append(panel)
            continue
        stack += [(a, middle, left, depth + 1), (middle, b, right, depth + 1)]
    return done


def crude_bound(growth: Growth, low: arb, high: arb) -> arb:
    """``int_low^high |F|`` from the growth of ``F``."""
    farthest = up(abs(low).max(abs(high)))
    return ((high - low) * tails.at_radius(growth, farthest)).upper()


def gaussian_size(z: acb) -> arb:
    """An upper bound of ``|gamma(z)|`` on a box."""
    x, y = z.real, z.imag
    return (((y.abs_upper() ** 2 - x.abs_lower() ** 2) / 2).exp() / arb(2.5)).upper()


def _line_panels(
    functions: list[Scaled], growth: Growth, weight: Callable[[acb], arb], target: arb, half: bool = False
) -> tuple[list[tuple[Panel, tuple[int, ...]]], arb]:
    """Panels for ``int prod f(x) k(x) gamma(x) dx`` with ``|k| <= weight``; the bound of what is left out.

    ``half``: panels of the right half line, the bound of twice what they leave out (an even integrand).
    """
    with working_precision(BOUND_BITS):
        radius = tails.window(lambda r: tails.tail_bound(growth, r), target / 8)
    cuts = cuts_of(functions)
    radius = clear_radius(cuts, radius)
    found: list[tuple[Panel, tuple[int, ...]]] = []
    for segment in segments_of(functions, cuts, arb(0 if half else -radius), arb(radius)):
        parts = [f.part(i) for f, i in zip(functions, segment.parts, strict=True)]
        if any(f.is_zero(i) for f, i in zip(functions, segment.parts, strict=True)):
            continue

        def sizes(z: acb, parts: list[Function] = parts) -> list[arb]:
            size = gaussian_size(z) * weight(z)
            for part in parts:
                size *= upper(acb(part(z)))
            return [size]

        pieces = partition(
            sizes, segment.low, segment.high, [target / 64], lambda a, b: [crude_bound(growth, a, b)]
        )
        found += [(panel, segment.parts) for panel in pieces]
    with working_precision(BOUND_BITS):
        error = tails.tail_bound(growth, radius) + cut_bound(growth, cuts, radius)
        for panel, _ in found:
            error += (2 if half else 1) * panel.errors[0]
        return found, tails.require_finite(error, "the panels")


def single_panels(f: Scaled, g: Scaled, goal_bits: int, even: bool = False) -> arb:
    """``E f(Z) g(Z)`` for piecewise analytic functions; ``even`` (the product is): from the right half."""
    target = tails.goal_radius(f, g, goal_bits)
    if target == 0:
        return arb(0)
    with working_precision(max(int(ctx.prec), goal_bits + GUARD_BITS)):
        growth = tails.product(f.growth(), g.growth())
        found, error = _line_panels([f, g], growth, lambda z: arb(1), target, even)
        total = arb(0)
        for panel, (i, j) in found:
            one, other = f.part(i), g.part(j)
            for node, weight in panel.rule():
                total += weight * real(one(node)) * real(other(node)) * (-node * node / 2).exp()
        return (2 if even else 1) * total / (2 * arb.pi()).sqrt() + arb(0, error)


def hermite_panels(f: Scaled, order: int, goal_bits: int, parity: str | None = None) -> list[arb]:
    """``a_0, ..., a_order`` for a piecewise analytic function; with a parity from the right half only."""
    goal = goal_of(f, goal_bits)
    if goal.scale == 0:
        return [arb(0)] * (order + 1)

    def weight(z: acb) -> arb:
        return mehler_bound(order, up(abs(z.real)), up(abs(z.imag)))

    base = max(int(ctx.prec), goal_bits + GUARD_BITS)
    half = parity is not None
    with working_precision(base):
        found, error = _line_panels([f], goal.growth, weight, goal.target, half)
    values = until_precise(lambda: _hermite_sums(f, found, order, goal.target / 4, parity), goal.target, base)
    return [v if skips(n, parity) else v + arb(0, error) for n, v in enumerate(values)]


def _hermite_sums(
    f: Scaled, found: list[tuple[Panel, tuple[int, ...]]], order: int, target: arb, parity: str | None
) -> list[arb]:
    points, weights = [], []
    factor = (1 if parity is None else 2) / (2 * arb.pi()).sqrt()
    for panel, (index,) in found:
        part = f.part(index)
        for node, weight in panel.rule():
            points.append(node)
            weights.append(factor * weight * real(part(node)) * (-node * node / 2).exp())
    return hermite_sums(points, weights, order, target, parity)
