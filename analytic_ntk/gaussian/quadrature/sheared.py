"""Outside zones: panels in ``x`` times a trapezoidal rule in ``t``, ``y = rho x + s t``.

Only one part of ``f`` and one part of ``g`` are involved, each analytic around what it sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from flint import acb, arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.panels import Panel, Sizes, crude_bound, gaussian_size, partition
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, interval, real, up, upper
from analytic_ntk.gaussian.quadrature.segments import Segment, part_index
from analytic_ntk.gaussian.quadrature.strip import Function, gaussian
from analytic_ntk.gaussian.quadrature.windows import ROOM, Account, Problem

LAYERS = 5
"""The strip of the rule in ``t`` is bounded at its height and at this many minus one halvings of it."""


@dataclass(frozen=True)
class Sheared:
    """An ``x``-segment on which ``f`` and, in the window ``|t| <= reach``, ``g`` have one part each."""

    segment: Segment
    f_parts: list[Function]
    g_parts: list[Function]


def _sheared_sizes(problem: Problem, piece: Sheared) -> Sizes:
    law = problem.law
    end = problem.reach + ROOM
    count = math.ceil(2 * end * up(law.sigma))  # windows in y at most 1 wide, so that balls stay tight
    spreads = [
        law.sigma * interval(end * (2 * i / count - 1), end * (2 * (i + 1) / count - 1)) for i in range(count)
    ]

    def sizes(z: acb) -> list[arb]:
        weight = gaussian_size(z)
        found = [arb(0)] * len(piece.g_parts)
        for spread in spreads:
            image = acb(law.rho * z.real + spread, law.rho * z.imag)
            found = [best.max(upper(acb(g(image)))) for best, g in zip(found, piece.g_parts, strict=True)]
            if not all(v.is_finite() for v in found):
                return [arb("inf")] * len(found)
        return [weight * upper(acb(f(z))) * v for f, v in zip(piece.f_parts, found, strict=True)]

    return sizes


def _rectangle_maximum(function: Function, left: arb, right: arb, top: arb, budget: int = 80) -> arb:
    """``|function|`` on ``[left, right] + i [0, top]``, to a factor 4 if the budget allows; may be infinite.

    Branch and bound: the box of the largest bound is halved until values met at centres come close to it.
    """
    centre, half = (left + right) / 2, (right - left) / 2
    wide = float(half.upper()) > float(top.upper())

    def measure(a: float, b: float, c: float, d: float) -> tuple[float, arb]:
        size = upper(acb(function(acb(centre + half * interval(a, b), top * interval(c, d)))))
        if not size.is_finite():
            return -math.inf, size
        return (-float(size.log().upper()) if size > 0 else math.inf), size

    heap = []
    for i in range(8):
        tile = (i / 4 - 1, (i + 1) / 4 - 1, 0.0, 1.0) if wide else (-1.0, 1.0, i / 8, (i + 1) / 8)
        heap.append((*measure(*tile), tile))
    heapify(heap)
    known = arb(0)
    while True:
        _, size, (a, b, c, d) = heap[0]
        x, y = 0.5 * (a + b), 0.5 * (c + d)
        known = known.max(abs(acb(function(acb(centre + half * x, top * y)))).lower())
        if size <= 4 * known or budget <= 0 or b - a < 2.0**-16:
            return size
        budget -= 1
        if float(half) * (b - a) >= float(top) * (d - c):
            children = ((a, x, c, d), (x, b, c, d))
        else:
            children = ((a, b, c, y), (a, b, y, d))
        heappop(heap)
        for tile in children:
            heappush(heap, (*measure(*tile), tile))


@dataclass(frozen=True)
class InnerRule:
    """The trapezoidal rule in ``t``: exact step, nodes ``|k| <= count``, and per pair an error factor."""

    step: float
    count: int
    errors: list[arb]


def inner_error(layers: Sequence[arb], at_height: float, step: float, end: float) -> arb:
    """The error of ``h sum gamma(t_k) G(t_k)`` on ``|t| <= end``; ``|G| <= layers[j]`` to height ``b/2^j``.

    Long sides ``2 exp(b^2/2) / (exp(2 pi b/h) - 1)``; on the four half short sides
    ``exp(y^2/2) / (1 + exp(2 pi y/h)) <= exp(-pi y/h)`` because ``b <= 2 pi/h``.
    """
    if at_height > 2 * math.pi / step:
        raise PrecisionError("an inner rule outside its proof", "height at most 2 pi / step")
    b, h = arb(at_height), arb(step)
    long_sides = 2 * layers[0] * (b * b / 2).exp() / ((2 * arb.pi() * b / h).exp() - 1)
    short_sides = arb(0)
    for j, maximum in enumerate(layers):
        below = b / 2 ** (j + 1) if j + 1 < len(layers) else arb(0)
        short_sides += maximum * (-arb.pi() * below / h).exp() * h / arb.pi()
    return (long_sides + 4 * gaussian(end) * short_sides).upper()


def _needed(problem: Problem, masses: list[arb], maxima: list[arb]) -> float:
    """The logarithm of the accuracy wanted from the rule in ``t``, relative to its integrand's size."""
    need = 1.0
    for target, mass, maximum in zip(problem.targets, masses, maxima, strict=True):
        if mass > 0 and maximum > 0:
            need = max(need, float((64 * mass * maximum / target).log().upper()))
    return need


def _inner_rule(problem: Problem, piece: Sheared, panel: Panel, masses: list[arb]) -> InnerRule:
    """The height in the strip that allows the widest step, and the rule with that step."""
    law = problem.law
    with working_precision(BOUND_BITS):
        spread = (law.sigma * arb(problem.reach + ROOM)).upper()
        left, right = (law.rho * panel.low - spread).lower(), (law.rho * panel.high + spread).upper()
        cap = math.sqrt(2 * _needed(problem, masses, [arb(1)] * len(masses)))
        best: tuple[float, float, list[arb]] | None = None
        for trial in range(40):
            at = cap * 0.8**trial
            top = (law.sigma * arb(at)).upper()
            maxima = [_rectangle_maximum(g, left, right, top) for g in piece.g_parts]
            if not all(m.is_finite() for m in maxima):
                continue
            need = max(_needed(problem, masses, maxima), at * at / 2)  # so that at <= 2 pi / step
            step = 2 * math.pi * at / (need + at * at / 2)
            if best is not None and step < best[0]:
                break
            best = (step, at, maxima)
        if best is None:
            raise PrecisionError("a function with no strip of analyticity found", "an analytic part")
        step, at, maxima = best
        layers = [[m] for m in maxima]
        for j in range(1, LAYERS):
            top = (law.sigma * arb(at) / 2**j).upper()
            for layer, g in zip(layers, piece.g_parts, strict=True):
                layer.append(layer[-1].min(_rectangle_maximum(g, left, right, top)))
        mantissa, exponent = math.frexp(min(1.0, step))
        step = math.ldexp(math.floor(mantissa * 2**12), exponent - 12)
        count = max(1, math.ceil(problem.reach / step - 0.5))
        while True:
            errors = [inner_error(layer, at, step, (count + 0.5) * step) for layer in layers]
            fine = all(32 * m * e <= t for m, e, t in zip(masses, errors, problem.targets, strict=True))
            if fine or (count + 1.5) * step > problem.reach + ROOM:
                return InnerRule(step, count, errors)
            count += 1


def add_sheared(problem: Problem, segment: Segment, account: Account) -> None:
    law = problem.law
    middle = law.rho * (segment.low + segment.high) / 2
    piece = Sheared(
        segment,
        [f.part(i) for (f, _), i in zip(problem.tasks, segment.parts, strict=True)],
        [g.part(part_index(g, middle)) for _, g in problem.tasks],
    )
    sizes = _sheared_sizes(problem, piece)
    growths = [
        tails.product(f.growth(), tails.conditional(g.growth(), law.rho, law.variance))
        for f, g in problem.tasks
    ]

    def crude(low: arb, high: arb) -> list[arb]:
        return [crude_bound(growth, low, high) for growth in growths]

    targets = [t / 64 for t in problem.targets]
    for panel in partition(sizes, segment.low, segment.high, targets, crude):
        _sheared_panel(problem, piece, panel, account)


def _sheared_panel(problem: Problem, piece: Sheared, panel: Panel, account: Account) -> None:
    law, tasks = problem.law, range(len(problem.tasks))
    rule = panel.rule()
    factor = 1 / (2 * arb.pi()).sqrt()
    weights = [w * factor * (-n * n / 2).exp() for n, w in rule]
    columns = [[w * real(f(n)) for (n, _), w in zip(rule, weights, strict=True)] for f in piece.f_parts]
    masses = [sum((abs(v) for v in column), arb(0)).upper() for column in columns]
    inner = _inner_rule(problem, piece, panel, masses)
    times = [arb(k * inner.step) for k in range(-inner.count, inner.count + 1)]
    shifts = [law.sigma * t for t in times]
    density = [arb(inner.step) * factor * (-t * t / 2).exp() for t in times]
    for i, (node, _) in enumerate(rule):
        base = law.rho * node
        points = [base + shift for shift in shifts]
        for k in tasks:
            g = piece.g_parts[k]
            mean = sum((d * real(g(y)) for d, y in zip(density, points, strict=True)), arb(0))
            account.add(k, columns[k][i] * mean)
    for k in tasks:
        account.add_error(k, panel.errors[k])
        account.add_error(k, masses[k] * inner.errors[k])
