"""The line cut at breakpoints that are balls: panels end at their edges, the balls themselves are bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature import tails
from analytic_ntk.gaussian.quadrature.scaled import Growth, Scaled, up


@dataclass(frozen=True)
class Segment:
    """An interval with exact ends on which every function has one part (its index)."""

    low: arb
    high: arb
    parts: tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """Where breakpoints lie: somewhere in ``[low, high]`` (exact ends)."""

    low: arb
    high: arb


def cuts_of(functions: Sequence[Scaled]) -> list[Cut]:
    """The breakpoints of all functions, merged where their balls meet, from left to right."""
    points = sorted((point for f in functions for point in f.breaks()), key=lambda p: p.lower().mid())
    cuts: list[Cut] = []
    for point in points:
        low, high = point.lower(), point.upper()
        if cuts and not low > cuts[-1].high:
            cuts[-1] = Cut(cuts[-1].low, high if high > cuts[-1].high else cuts[-1].high)
        else:
            cuts.append(Cut(low, high))
    return cuts


def part_index(f: Scaled, point: arb) -> int:
    """The part that holds at a point off all breakpoints."""
    return sum(1 for b in f.breaks() if point > b)


def segments_of(functions: Sequence[Scaled], cuts: Sequence[Cut], low: arb, high: arb) -> list[Segment]:
    """``[low, high]`` without the cuts."""
    edges = [low]
    for cut in cuts:
        if cut.low > low and cut.high < high:
            edges += [cut.low, cut.high]
        elif not (cut.high <= low or cut.low >= high):
            raise PrecisionError("a breakpoint at the edge of a window", "a window that clears them all")
    edges.append(high)
    found = []
    for i in range(0, len(edges), 2):
        a, b = edges[i], edges[i + 1]
        if a < b:
            middle = (a + b) / 2
            found.append(Segment(a, b, tuple(part_index(f, middle) for f in functions)))
    return found


def clear_radius(cuts: Sequence[Cut], radius: float) -> float:
    """A radius a little larger if need be, so that ``+-radius`` lies on no cut."""
    edges = [abs(edge) for cut in cuts for edge in (cut.low, cut.high)]
    while any(not (edge - radius > 1e-6 or radius - edge > 1e-6) for edge in edges):
        radius += 2e-6 + 1e-3
    return radius


def cut_bound(growth: Growth, cuts: Sequence[Cut], radius: float) -> arb:
    """``int |F| gamma`` over the cuts within the window."""
    total = arb(0)
    for cut in cuts:
        if cut.low < radius and cut.high > -radius:
            farthest = up(abs(cut.low).max(abs(cut.high)))
            nearest = arb(0) if cut.low <= 0 <= cut.high else abs(cut.low).min(abs(cut.high))
            density = (-nearest * nearest / 2).exp() / (2 * arb.pi()).sqrt()
            total += (cut.high - cut.low) * tails.at_radius(growth, farthest) * density
    return total.upper()
