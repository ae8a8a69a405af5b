"""The windows of a two-dimensional problem, what lies outside them, and where breakpoints matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from flint import arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.correlation import Correlated, Pair
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Growth, Scaled
from analytic_ntk.gaussian.quadrature.segments import Cut, clear_radius, cuts_of

ROOM = 2.5
"""The windows in ``t`` may grow by this much beyond the common one."""

SLACK = ROOM + 1.5
"""Zones are wider than the common window by this many ``s``: room for the ellipses of their neighbours."""


@dataclass
class Account:
    """The running value and error bound of each pair."""

    values: list[arb]
    errors: list[arb]

    @classmethod
    def of(cls, count: int) -> Account:
        return cls([arb(0)] * count, [arb(0)] * count)

    def add(self, index: int, value: arb) -> None:
        self.values[index] += value

    def add_error(self, index: int, bound: arb) -> None:
        with working_precision(BOUND_BITS):
            self.errors[index] = (self.errors[index] + bound).upper()


@dataclass(frozen=True)
class Problem:
    """The pairs, their law, what is asked, and the windows in ``x`` and ``t``."""

    tasks: Sequence[Pair]
    law: Correlated
    targets: Sequence[arb]
    radius: float
    reach: float
    x_cuts: list[Cut] = field(default_factory=list)
    y_cuts: list[Cut] = field(default_factory=list)


def outside_x(f: Scaled, g: Scaled, law: Correlated, radius: float) -> arb:
    """``E |f(x) g(y)|`` over ``|x| > radius``."""
    inner = tails.conditional(g.growth(), law.rho, law.variance)
    return tails.tail_bound(tails.product(f.growth(), inner), radius)


def outside_t(f: Scaled, g: Scaled, law: Correlated, reach: float) -> arb:
    """``E |f(x) g(rho x + s t)|`` over ``|t| > reach``, with ``(rho x + s t)^2 <= x^2 + t^2``."""
    one, other = f.growth(), g.growth()
    linear = (one.linear + abs(law.rho) * other.linear).upper()
    in_x = Growth(arb(1), linear, (one.quadratic + other.quadratic).upper())
    constant = one.constant * other.constant * tails.tail_bound(in_x, 0.0)
    in_t = Growth(constant.upper(), (law.sigma * other.linear).upper(), other.quadratic)
    return tails.tail_bound(in_t, reach)


def pose(tasks: Sequence[Pair], law: Correlated, targets: Sequence[arb]) -> Problem:
    radius = reach = 1.0
    with working_precision(BOUND_BITS):
        for (f, g), target in zip(tasks, targets, strict=True):
            radius = tails.window(partial(outside_x, f, g, law), target / 16, radius)
            reach = tails.window(partial(outside_t, f, g, law), target / 16, reach)
    x_cuts = cuts_of([f for f, _ in tasks])
    return Problem(
        tasks, law, targets, clear_radius(x_cuts, radius), reach, x_cuts, cuts_of([g for _, g in tasks])
    )


def clear(edge: arb, step: arb, cuts: Sequence[Cut]) -> arb:
    """``edge`` moved by multiples of ``step`` until it lies on no cut."""
    while any(not (edge > c.high or edge < c.low) for c in cuts):
        edge = (edge + step).mid()
    return edge


def zones_of(problem: Problem) -> list[tuple[arb, arb]]:
    """The intervals of ``x`` (exact ends) whose window in ``y`` may meet a breakpoint of ``g``."""
    law = problem.law
    margin = (arb(problem.reach + SLACK) * law.sigma).upper()
    ends = arb(-problem.radius), arb(problem.radius)
    step = law.sigma.mid() / 4
    zones: list[tuple[arb, arb]] = []
    for cut in problem.y_cuts:
        low, high = ends
        if law.rho > 0.05:
            first = clear(((cut.low - margin) / law.rho).lower(), -step, problem.x_cuts)
            last = clear(((cut.high + margin) / law.rho).upper(), step, problem.x_cuts)
            low, high = (first if first > low else low), (last if last < high else high)
        if low < high:
            if zones and not low > zones[-1][1]:
                low = zones[-1][0] if zones[-1][0] < low else low
                high = zones[-1][1] if zones[-1][1] > high else high
                zones.pop()
            zones.append((low, high))
    return zones


def between(zones: list[tuple[arb, arb]], radius: float) -> list[tuple[arb, arb]]:
    edges = [arb(-radius)] + [edge for zone in zones for edge in zone] + [arb(radius)]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
