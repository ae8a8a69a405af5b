"""Zones: panels in ``x`` times panels in ``y``, for windows that meet a breakpoint of ``g``.

The density is ``exp(-x^2/(2(1+rho))) exp(-y^2/(2(1+rho))) exp(-rho (x-y)^2/(2 s^2)) / (2 pi s)``. Off the
real line in one variable its modulus gains ``exp(Im^2/(2 s^2))``, and panels follow the width ``s``.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from flint import acb, arb, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.correlation import Correlated
from analytic_ntk.gaussian.quadrature.panels import Sizes, crude_bound, partition
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Scaled, interval, real, up, upper
from analytic_ntk.gaussian.quadrature.segments import Segment, segments_of
from analytic_ntk.gaussian.quadrature.windows import Account, Problem, clear


def _off_line(law: Correlated, z: acb) -> arb:
    """``exp(Im^2/(2 s^2) - Re^2/(2 (1 + rho)))``: one variable's share of ``2 pi s`` times the density."""
    rise = z.imag.abs_upper() ** 2 / (2 * law.variance)
    return (rise - z.real.abs_lower() ** 2 / (2 * (1 + law.rho))).exp().upper()


def _axis_sizes(functions: Sequence[Scaled], parts: Sequence[int], law: Correlated) -> Sizes:
    run = [f.part(i) for f, i in zip(functions, parts, strict=True)]

    def sizes(z: acb) -> list[arb]:
        weight = _off_line(law, z)
        return [weight * upper(acb(part(z))) for part in run]

    return sizes


def _real_mass(functions: Sequence[Scaled], segments: Sequence[Segment], law: Correlated) -> list[arb]:
    """``int |f(x)| exp(-x^2/(2(1+rho))) dx`` over the segments, from above, by real boxes."""
    totals = [arb(0)] * len(functions)
    for segment in segments:
        run = [f.part(i) for f, i in zip(functions, segment.parts, strict=True)]
        centre, half = (segment.low + segment.high) / 2, ((segment.high - segment.low) / 2).upper()
        count = min(400, max(8, math.ceil(float(half.upper()) / 0.0625)))
        stack = [(2 * i / count - 1, 2 * (i + 1) / count - 1, 12) for i in range(count)]
        while stack:
            left, right, depth = stack.pop()
            place = centre + half * interval(left, right)
            found = [upper(part(place)) for part in run]
            if depth and not all(v.is_finite() for v in found):
                middle = 0.5 * (left + right)
                stack += [(left, middle, depth - 1), (middle, right, depth - 1)]
                continue
            if not depth:  # at a singular end point: what the growth says
                farthest = up(abs(place))
                found = [
                    v.min(tails.at_radius(f.growth(), farthest))
                    for v, f in zip(found, functions, strict=True)
                ]
            weight = _off_line(law, acb(place)) * half * arb(right - left)
            totals = [t + v * weight for t, v in zip(totals, found, strict=True)]
    return [t.upper() for t in totals]


@dataclass(frozen=True)
class Axis:
    """Nodes of one axis of a zone, with each function's weighted values and error bounds."""

    nodes: list[arb]
    values: list[list[arb]]
    errors: list[arb]

    def absolute(self, index: int) -> arb:
        return sum((abs(v) for v in self.values[index]), arb(0)).upper()


def _axis(
    functions: Sequence[Scaled], segments: Sequence[Segment], law: Correlated, targets: Sequence[arb]
) -> Axis:
    growths = [f.growth() for f in functions]

    def crude(low: arb, high: arb) -> list[arb]:
        return [crude_bound(growth, low, high) for growth in growths]

    nodes: list[arb] = []
    values: list[list[arb]] = [[] for _ in functions]
    errors = [arb(0)] * len(functions)
    for segment in segments:
        run = [f.part(i) for f, i in zip(functions, segment.parts, strict=True)]
        sizes = _axis_sizes(functions, segment.parts, law)
        found = partition(sizes, segment.low, segment.high, targets, crude)
        for panel in sorted(found, key=lambda p: p.low):
            errors = [e + b for e, b in zip(errors, panel.errors, strict=True)]
            for node, weight in panel.rule():
                nodes.append(node)
                decay = weight * (-node * node / (2 * (1 + law.rho))).exp()
                for column, part in zip(values, run, strict=True):
                    column.append(decay * real(part(node)))
    return Axis(nodes, values, [e.upper() for e in errors])


def _bilinear(x_axis: Axis, y_axis: Axis, law: Correlated, base: arb, account: Account) -> None:
    """``sum F_i G_j exp(-rho (x_i - y_j)^2 / (2 s^2)) / (2 pi s)`` for every pair."""
    rate = law.rho / (2 * law.variance)
    bits = int(ctx.prec)
    widest = math.inf
    if rate > 0:
        widest = math.sqrt(bits * math.log(2) / float(rate.lower())) * (1 + 1e-6)
    factor = 1 / (2 * arb.pi() * law.sigma)
    places = [float(node - base) for node in y_axis.nodes]
    if any(b < a for a, b in pairwise(places)):
        raise PrecisionError("nodes out of order", "increasing nodes", "raise the precision")
    count = len(x_axis.values)
    totals = [arb(0)] * count
    for i, node in enumerate(x_axis.nodes):
        place = float(node - base)
        first, last = bisect_left(places, place - widest), bisect_right(places, place + widest)
        sums = [arb(0)] * count
        for j in range(first, last):
            offset = node - y_axis.nodes[j]
            kernel = (-rate * offset * offset).exp()
            for k in range(count):
                sums[k] += kernel * y_axis.values[k][j]
        for k in range(count):
            totals[k] += x_axis.values[k][i] * sums[k]
    for k in range(count):
        account.add(k, totals[k] * factor)
        if rate > 0:
            account.add_error(k, x_axis.absolute(k) * y_axis.absolute(k) * factor * arb(2) ** (-bits))


def add_zone(problem: Problem, low: arb, high: arb, account: Account) -> None:
    law = problem.law
    fs, gs = [f for f, _ in problem.tasks], [g for _, g in problem.tasks]
    margin = (arb(problem.reach) * law.sigma).upper()
    step = law.sigma.mid() / 4
    bottom = clear((law.rho * low - margin).lower(), -step, problem.y_cuts)
    top = clear((law.rho * high + margin).upper(), step, problem.y_cuts)
    x_segments = segments_of(fs, problem.x_cuts, low, high)
    y_segments = segments_of(gs, problem.y_cuts, bottom, top)
    with working_precision(BOUND_BITS):
        # where rho is not known to be >= 0 the kernel exp(-rho (x-y)^2/(2 s^2)) may exceed 1 by this factor
        far = abs(low).max(abs(high)).upper() + abs(bottom).max(abs(top)).upper()
        excess = ((-law.rho.lower()).max(arb(0)) * far * far / (2 * law.variance)).exp()
        factor = excess / (2 * arb.pi() * law.sigma)
        tiny = arb(2) ** (-2 * int(ctx.prec) - 64)
        f_mass = [(m * factor + tiny).upper() for m in _real_mass(fs, x_segments, law)]
        g_mass = [(m * factor + tiny).upper() for m in _real_mass(gs, y_segments, law)]
        for k, (f, g) in enumerate(problem.tasks):
            tails.require_finite(f_mass[k] + g_mass[k], f"{f.pieces.parts} or {g.pieces.parts}")
        x_targets = [t / (32 * m) for t, m in zip(problem.targets, g_mass, strict=True)]
        y_targets = [t / (32 * m) for t, m in zip(problem.targets, f_mass, strict=True)]
    x_axis = _axis(fs, x_segments, law, x_targets)
    y_axis = _axis(gs, y_segments, law, y_targets)
    _bilinear(x_axis, y_axis, law, low, account)
    for k in range(len(fs)):
        account.add_error(k, x_axis.errors[k] * g_mass[k])
        account.add_error(k, y_axis.errors[k] * x_axis.absolute(k) * factor)
