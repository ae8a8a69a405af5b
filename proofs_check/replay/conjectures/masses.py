"""Hermite coefficients and second moments from their definition, with every error bounded.

Gauss-Legendre rules on cells between the breakpoints. A rule of ``N`` nodes is exact to degree ``2N - 1``
and has positive weights, so for a function bounded by ``M`` in the ellipse with foci at the ends and
semi-axes of sum ``r`` times half the length it is off by at most four times the best uniform error, ``8 M
r^(1-2N)/(r-1)`` (times half the length). ``M`` comes from a ball evaluation on a box around the ellipse, and
for ``h_n`` from Mehler:

    |h_n(x + iy)|^2 <= t^-n (1 - t^2)^(-1/2) exp(t x^2/(1 + t) + t y^2/(1 - t)),   0 < t < 1.

What lies beyond ``|z| > T`` is at most ``sqrt(E[phi^2; |z| > T])`` for every ``n`` (Cauchy, Schwarz).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import acb, arb, ctx

from proofs_check.replay.algebra import Algebra, constant
from proofs_check.replay.budget import Budget
from proofs_check.replay.conjectures.calculus import (
    analytic_value,
    differentiate,
    require_small,
)
from proofs_check.replay.conjectures.chain import Layer
from proofs_check.replay.conjectures.duals import ArcCosine, Dual, HermiteDual
from proofs_check.replay.conjectures.growth import Growth, growth
from proofs_check.replay.conjectures.parity import half_degrees
from proofs_check.replay.expression import Refusal, ball, mirrored
from proofs_check.replay.pieces import Pieces, pieces, polynomial
from proofs_check.replay.reading import precision

GOAL = 90
"""Bits below the size of the function that are aimed at."""
MAX_NODES, MAX_CELLS, MAX_TAIL, MAX_ORDER, MAX_STEPS = 60, 200, 60, 1_024, 2_000_000
LARGEST = 300
_RADII = (6, 4, 3, 2)
_MAX_DERIVATIVE = 2


def layer_of(expr: Any, q: arb, order: int) -> Layer:
    """A nonlinearity at variance ``q > 0`` (a ball), its dual known by ``order + 1`` coefficients."""
    if not (q > arb(2) ** -LARGEST and q < arb(2) ** LARGEST):
        raise Refusal(f"a variance that is not seen to lie between 2^-{LARGEST} and 2^{LARGEST}")
    cut, degrees = pieces(expr), half_degrees(expr)
    slopes = arc_slopes(cut)
    if slopes is not None:
        even, line = map(_constant, slopes)
        return Layer(ArcCosine(even, line, q), q)
    smooth = _smoothness(cut)
    dual = _measured(cut, q, order, degrees, min(smooth + 1, _MAX_DERIVATIVE))
    slope: Dual | None = None
    if smooth < 0:  # a jump: V' is not q E phi' phi'
        lowered = tuple(None if d is None else max(d - 1, -1) for d in degrees)
        derived = _derived(cut)
        flat = all(part == "0" for part in derived.parts)
        slope = _measured(derived, q, order, (-1, -1) if flat else (lowered[1], lowered[0]), 0)
    return Layer(dual, q, slope)


def arc_slopes(cut: Pieces) -> tuple[Any, Any] | None:
    """``c`` and ``d`` of ``c |x| + d x``, as expressions without ``x``."""
    if cut.points not in ((), (Fraction(0),)):
        return None
    right, left = (_slope(part) for part in (cut.parts[-1], cut.parts[0]))
    if right is None or left is None:
        return None
    even, line = (["*", "1/2", ["+", right, ["*", sign, left]]] for sign in ("-1", "1"))
    return even, line


def _slope(part: Any) -> Any:
    """``c`` where the part is ``c x``."""
    line = polynomial(part)
    if line is not None:
        return str(line[1] if line else 0) if len(line) <= 2 and (not line or line[0] == 0) else None
    if isinstance(part, str) or part[0] != "*":
        return None
    constants = [factor for factor in part[1:] if differentiate(factor) == "0"]
    others = [factor for factor in part[1:] if differentiate(factor) != "0"]
    inner = _slope(others[0]) if len(others) == 1 else None
    return None if inner is None else ["*", inner, *constants]


def _constant(expr: Any) -> arb:
    """The value of an expression without ``x``; an exact 0 is 0."""
    return arb(0) if _equal_at(expr, "0", Fraction(0)) else analytic_value(expr, acb(0)).real


def _derived(cut: Pieces) -> Pieces:
    parts = tuple(differentiate(part) for part in cut.parts)
    for part in parts:
        require_small(part)
    return Pieces(cut.points, parts)


def _smoothness(cut: Pieces) -> int:
    """The number of derivatives that are seen to be continuous, ``-1`` for a jump."""
    for count in range(_MAX_DERIVATIVE):
        for point, left, right in zip(cut.points, cut.parts, cut.parts[1:], strict=False):
            if not _equal_at(left, right, point):
                return count - 1
        cut = _derived(cut)
    return _MAX_DERIVATIVE - 1


def _equal_at(left: Any, right: Any, point: Fraction) -> bool:
    algebra = Algebra(Budget())
    try:
        return algebra.evaluate(left, constant(point)) == algebra.evaluate(right, constant(point))
    except Refusal:
        return False


@dataclass
class _Moments:
    """``T = E f(u)^2``, ``X = E f(u) f(-u)``, ``U = E f(u)^2 u^2`` of one function, as they add up."""

    square: arb
    mirrored: arb
    weighted: arb


def _measured(
    cut: Pieces, q: arb, order: int, degrees: tuple[int | None, int | None], derivatives: int
) -> HermiteDual:
    if not 0 <= order <= MAX_ORDER:
        raise Refusal(f"an order that is no integer from 0 to {MAX_ORDER}")
    functions = [cut]
    for _ in range(derivatives):
        functions.append(_derived(functions[-1]))
    high, low = arb(q.upper()), arb(q.lower())
    rule = _Rule(functions, high, order)
    coefficients, moments = rule.run()
    ratio, spread = (high / low).sqrt(), (1 / low - 1 / high) / 2
    ends = []
    for j, m in enumerate(moments):
        square = (m.square - spread * m.weighted).union(ratio * m.square) if q.rad() > 0 else m.square
        moved = (spread * m.weighted + (ratio - 1) * m.square).abs_upper() if q.rad() > 0 else arb(0)
        scale = _power(q, j)
        ends.append((scale * square, scale * (m.mirrored + arb(0, moved))))
    speed = (high - low) / low * (ratio * moments[0].square / 2).sqrt() if q.rad() > 0 else arb(0)
    values = []
    for n, a in enumerate(coefficients):
        degree = degrees[n % 2]
        vanishes = degree is not None and n > degree
        values.append(arb(0) if vanishes else a + arb(0, ((n + 2) * speed).abs_upper()))
    return HermiteDual(tuple(values), tuple(ends), degrees)


def _power(base: arb, count: int) -> arb:
    result = arb(1)
    for _ in range(count):
        result = result * base
    return result


class _Rule:
    def __init__(self, functions: list[Pieces], q: arb, order: int) -> None:
        self.functions, self.q, self.order = functions, q, order
        self.root = q.sqrt()
        self.size = self._typical_size()
        self.cutoff, self.tails = self._tails()
        self.small = arb(2) ** (-GOAL)

    def _typical_size(self) -> arb:
        """Only the goal depends on it."""
        found = arb(0)
        for k in (-5, -2, -1, 1, 2, 5):
            u = Fraction(k, 2) * Fraction(math.sqrt(float(self.q))).limit_denominator(1000)
            value = abs(analytic_value(self.functions[0].part_at(u), acb(ball(u)))).abs_upper()
            found = max(found, arb(value)) if value.is_finite() else found
        return found if found > 0 else arb(1)

    def _tails(self) -> tuple[float, list[arb]]:
        """A cutoff ``T`` and, for each function, a bound of ``E[f^2 max(1, u^2); |z| > T]``."""
        bounds = [_reaching(f) for f in self.functions]
        cutoff = 4.0
        last = cutoff + MAX_TAIL
        while cutoff <= last:
            place, beyond = Fraction(cutoff * float(self.root)) * Fraction(999, 1000), arb(cutoff)
            tails = [
                max(self._beyond(g, beyond) for end, g in rows if end is None or end > place)
                for rows in bounds
            ]
            if all(tail.is_finite() and tail < self.size**2 * arb(2) ** (-2 * GOAL) for tail in tails):
                return cutoff, tails
            cutoff += 0.5
        raise Refusal("a function that grows too fast at this variance: its kernel may be infinite")

    def _beyond(self, g: Growth | None, cutoff: arb) -> arb:
        if g is None:
            return arb("inf")
        power = ball(2 * g.power + 2)
        fall = arb(1) / 2 - 2 * ball(g.square) * self.q
        rate = 2 * ball(g.rate) * self.root
        farthest = 1 + self.root * cutoff  # max(1, u) <= 1 + u
        steep = 2 * fall * cutoff - rate - power * self.root / farthest
        if not (steep > 0 and fall > 0):
            return arb("inf")
        height = (power * farthest.log() + rate * cutoff - fall * cutoff * cutoff).exp()
        bound = (2 * g.scale * g.scale * height / (steep * (2 * arb.pi()).sqrt())).upper()
        return bound if bound.is_finite() else arb("inf")

    def run(self) -> tuple[list[arb], list[_Moments]]:
        step = Fraction(math.sqrt(float(self.q))).limit_denominator(1 << 20) or Fraction(1, 1 << 20)
        end = step * math.ceil(self.cutoff * float(self.root) / float(step) + 1)
        edges = sorted({abs(p) for p in self.functions[0].points if abs(p) < end} | {Fraction(0)})
        stack = []
        for a, b in zip(edges, [*edges[1:], end], strict=True):
            count = max(1, math.ceil((b - a) / step))
            stack += [(a + (b - a) * k / count, a + (b - a) * (k + 1) / count) for k in range(count)]
        # in balls the recurrence loses a factor exp(|z| sqrt(n))
        farthest = float(end) / float(self.root)
        with precision(int(GOAL + 60 + 1.5 * farthest * math.sqrt(self.order + 1))):
            self.small = arb(2) ** (-GOAL) * self.size
            self.root = self.q.sqrt()
            self.roots = [arb(n).sqrt() for n in range(self.order + 2)]
            self.inverses = [1 / r for r in self.roots[1:]]
            self.sums = [arb(0)] * (self.order + 1)
            self.error, self.steps = arb(0), 0
            self.moments = [_Moments(arb(0), arb(0), arb(0)) for _ in self.functions]
            self.errors = [arb(0)] * len(self.functions)
            cells = 0
            while stack:
                a, b = stack.pop()
                cells += 1
                if cells > MAX_CELLS:
                    raise Refusal("a function with singularities too near the real line")
                if not self._cell(a, b):
                    stack += [(a, (a + b) / 2), ((a + b) / 2, b)]
            return self._collected()

    def _collected(self) -> tuple[list[arb], list[_Moments]]:
        around = arb(0, (self.error + self.tails[0].sqrt()).abs_upper())
        for j, m in enumerate(self.moments):
            spread = arb(0, (self.errors[j] + self.tails[j]).abs_upper())
            m.square, m.mirrored, m.weighted = m.square + spread, m.mirrored + spread, m.weighted + spread
        return [a + around for a in self.sums], self.moments

    def _cell(self, a: Fraction, b: Fraction) -> bool:
        """Add the integrals over ``[a, b]`` and ``[-b, -a]``; whether a rule of modest size did."""
        middle, half = ball((a + b) / 2), ball((b - a) / 2)
        sides = [(f.part_at((a + b) / 2), f.part_at(-(a + b) / 2)) for f in self.functions]
        for r in _RADII:
            box = acb(
                middle + arb(0, (half * (r + arb(1) / r) / 2).abs_upper()),
                arb(0, (half * (r - arb(1) / r) / 2).abs_upper()),
            )
            values = [
                (abs(analytic_value(right, box)).abs_upper(), abs(analytic_value(left, -box)).abs_upper())
                for right, left in sides
            ]
            if not all(v.is_finite() for pair in values for v in pair):
                continue
            heights = [max(arb(one), arb(two)) for one, two in values]
            bounds, moment_bounds = self._bounds(box, heights)
            factor = 8 * half / (r - 1)
            if not all(bound.is_finite() for bound in (bounds, *moment_bounds)):
                continue
            worst = max([bounds, *(m / self.size for m in moment_bounds)]) * factor / self.small
            need = (float(worst.log().upper()) / math.log(r) + 1) / 2 if worst > 0 else 1.0
            count = max(2, math.ceil(need))
            if count <= MAX_NODES:
                fall = factor * arb(r) ** (1 - 2 * count)
                self.error += 2 * bounds * fall
                self.errors = [e + 2 * m * fall for e, m in zip(self.errors, moment_bounds, strict=True)]
                self._add(middle, half, count, sides)
                return True
        return False

    def _bounds(self, box: acb, heights: list[arb]) -> tuple[arb, list[arb]]:
        """Bounds on the box of ``|f h_n|`` times the density for all ``n <= order``, and of ``|f|^2 max(1,
        |u|^2)`` times the density for each function."""
        near, wide = max(arb(box.real.lower()), arb(0)) / self.root, arb(box.imag.abs_upper()) / self.root
        density = 1 / (2 * arb.pi() * self.q).sqrt()
        ratio = float(wide) / math.sqrt(self.order + 1)
        best = arb("inf")
        for scale in (0.5, 1.0, 2.0):
            t = 1 - arb(min(0.9, max(1e-6, scale * ratio)))
            grown = (-arb(self.order) / 2 * t.log()).exp() / (1 - t * t).sqrt().sqrt()
            grown = grown * (wide * wide / (2 * (1 - t)) - near * near / (2 * (1 + t))).exp()
            best = min(best, arb(grown.abs_upper()))
        farthest = max(arb(1), arb((abs(box) ** 2).abs_upper()))
        bell = ((wide * wide - near * near) / 2).exp() * density * farthest
        moments = [arb((h * h * bell).abs_upper()) for h in heights]
        return arb((heights[0] * best * density).abs_upper()), moments

    def _add(self, middle: arb, half: arb, count: int, sides: list[tuple[Any, Any]]) -> None:
        roots, inverses, sums, order = self.roots, self.inverses, self.sums, self.order
        self.steps += count * (order + 1)
        if self.steps > MAX_STEPS:
            raise Refusal("a function that takes too many nodes at this variance")
        for node, weight in _legendre(count, int(ctx.prec)):
            u = middle + half * node
            z = u / self.root
            mass = weight * half * (-z * z / 2).exp() / (2 * arb.pi() * self.q).sqrt()
            for j, (right, left) in enumerate(sides):
                f, g = analytic_value(right, acb(u)).real, analytic_value(left, acb(-u)).real
                moment, square = self.moments[j], mass * (f * f + g * g)
                moment.square += square
                moment.mirrored += 2 * mass * f * g
                moment.weighted += square * u * u
                if j == 0:
                    parts = (mass * (f + g), mass * (f - g))
            before, now = arb(0), arb(1)
            for n in range(order + 1):
                sums[n] += parts[n % 2] * now
                before, now = now, (z * now - roots[n] * before) * inverses[n]


def _reaching(f: Pieces) -> list[tuple[Fraction | None, Growth | None]]:
    """How far from 0 each part holds (``None``: for ever), and how it grows, on both sides of 0."""
    rows: list[tuple[Fraction | None, Growth | None]] = []
    for place, part in enumerate(f.parts):
        high = f.points[place] if place < len(f.points) else None
        low = -f.points[place - 1] if place else None
        for end, expr in ((high, part), (low, mirrored(part))):
            if end is None or end > 0:
                rows.append((end, _growth(expr)))
    return rows


def _growth(expr: Any) -> Growth | None:
    try:
        return growth(expr)
    except Refusal:
        return None


@lru_cache(maxsize=256)
def _legendre(count: int, bits: int) -> tuple[tuple[arb, arb], ...]:
    return tuple(arb.legendre_p_root(count, k, weight=True) for k in range(count))
