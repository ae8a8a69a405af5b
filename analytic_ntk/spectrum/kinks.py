"""The dual of a function with kinks: what its jumps give in closed form, and a short Hermite sum.

Let ``F(z) = f(sqrt(q) z)`` have breakpoints ``c`` with jumps ``w_{c,j}`` of the ``j``-th derivative. With

    g(z) = sum_c sum_{j < m} w_{c,j} (z - c)_+^j / j!,      h = F - g

``h`` has ``m - 1`` continuous derivatives, and ``h^(m) = F^(m)`` off the breakpoints. Let ``a, b`` be the
Hermite coefficients of ``F`` and ``g``, so that ``e = a - b`` are those of ``h``. Then (Mehler)

    E F(z) F(w) = E g(z) g(w) + sum_n (a_n^2 - b_n^2) r^n,      |a_n^2 - b_n^2| <= 2 |a_n e_n| + e_n^2.

``e_n^2 = (n-m)!/n! (E F^(m) h_{n-m})^2`` makes the sum short: beyond ``N`` it is at most ``|r|^(N+1)
(2 sqrt(A R) + R)``, where ``A = E F^2 - sum_{n <= N} a_n^2`` and ``R = (N+1-m)!/(N+1)! E (F^(m))^2``. A
piecewise polynomial has ``R = 0`` for ``m`` above its degree. The moments of truncated powers obey (Stein)

    i I(i, j) = I(i-2, j) + r I(i-1, j-1) - c I(i-1, j),   I(i, j) = E (z-c)_+^i/i! (w-d)_+^j/j!,

``I(-1, j)`` with a delta for the power; ``b_n sqrt(n!) = sum w_{c,j} psi_{n-j-1}(c)``, ``psi_k`` the density
times ``He_k``, for ``k < 0`` its repeated integral from ``c`` to infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
from flint import arb, arb_poly, ctx

from analytic_ntk.arithmetic.bivariate import phi2_cdf, phi_cdf
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.systems.series import coefficients_at

ORDERS = (8, 14, 20, 26)
"""Numbers ``m`` of derivatives whose jumps are taken out, tried in turn."""
SHORT, LONGEST = 900, 5_000
"""A Hermite sum of this length is welcome; none is longer."""
MAX_OPERATIONS = 250
"""Derivatives with more operations are not formed."""
_MOMENT_BITS = 60
_GUARD_BITS = 16
_SPARE_BITS = 48
"""Bits by which the coefficients are known better than what is left of their sum."""


# ------------------------------------------------------------------------------------ the activation


@lru_cache(maxsize=4096)
def derivatives(part: sp.Expr, order: int) -> sp.Expr | None:
    """The derivative of a part, in the shorter of two forms; ``None`` if it grows too long."""
    if order == 0:
        return part
    below = derivatives(part, order - 1)
    if below is None:
        return None
    found = sp.diff(below, x)
    expanded = sp.expand(found)
    shorter = min(found, expanded, key=sp.count_ops)
    short = shorter.is_polynomial(x) or sp.count_ops(shorter) <= MAX_OPERATIONS  # polynomials only shrink
    return shorter if short else None


def order_of_polynomials(pieces: Pieces) -> int | None:
    """One more than the degree of a piecewise polynomial, ``None`` for other functions."""
    if not all(part.is_polynomial(x) for part in pieces.parts):
        return None
    return 1 + max(0 if part.is_zero else int(sp.degree(part, x)) for part in pieces.parts)


@lru_cache(maxsize=256)
def rough_moment(pieces: Pieces, order: int, midpoint: tuple[int, int]) -> arb | None:
    """At least ``E f^(order)(u)^2`` off the breakpoints, ``u ~ N(0, q)``; ``None`` if no bound is found."""
    parts = [derivatives(part, order) for part in pieces.parts]
    if any(part is None for part in parts):
        return None
    f = Pieces(pieces.breakpoints, tuple(part for part in parts if part is not None))
    if all(part == 0 for part in f.parts):
        return arb(0)
    with working_precision(_MOMENT_BITS):
        q = arb(midpoint[0]) * arb(2) ** midpoint[1]
        try:
            return upper(quadrature.single(f, f, q, arb(1), 12))
        except AnalyticNTKError:
            return None


def upper(value: arb) -> arb:
    return arb(value.abs_upper())


# ------------------------------------------------------------------------------------ the sum


@dataclass(frozen=True)
class Jumps:
    """One breakpoint of ``f``, its place ``c`` in ``F``, and how far each derivative of ``F`` jumps there."""

    point: sp.Expr
    place: arb
    sizes: tuple[arb, ...]


def jumps_of(pieces: Pieces, order: int, root: arb) -> list[Jumps]:
    """The jumps of the derivatives below ``order`` of ``z -> f(root z)``, at the working precision."""
    found = []
    for place, left, right in zip(pieces.breakpoints, pieces.parts, pieces.parts[1:], strict=False):
        point = exact_ball(place).real
        sizes = []
        for j in range(order):
            sides = [derivatives(part, j) for part in (left, right)]
            before, after = (compile_ball(side, (x,))(point).real for side in sides if side is not None)
            sizes.append(root**j * (after - before))
        found.append(Jumps(place, point / root, tuple(sizes)))
    return found


@dataclass(frozen=True)
class Plan:
    """How many derivatives' jumps are taken out, the length of the sum, ``E F^(m)^2``, the bits expected."""

    order: int
    length: int
    moment: arb
    bits: float = math.inf

    def rest(self, slopes: bool) -> arb:
        """``R`` for ``F``, or for ``F'`` (times ``n`` for each coefficient)."""
        if self.moment == 0:
            return arb(0)
        first, m = self.length + 1, self.order
        share = (arb(first - m + 1).lgamma() - arb(first + 1).lgamma()).exp()
        return upper(self.moment * share * (first if slopes else 1))


def spared_bits(length: int, dim: int) -> float:
    """What the weight of a sphere is expected to spare a sum: half of ``max (1 - r^2)^((dim-1)/2) r^length``.

    Half, since deeper layers see other correlations; no bound rests on it.
    """
    p = (dim - 1) / 2
    return 0.5 * (p * math.log2((length + 2 * p) / (2 * p)) + length / 2 * math.log2(1 + 2 * p / length))


def plan(pieces: Pieces, q: arb, total: arb, bits: int, dim: int = 2) -> Plan | None:
    """The cheapest plan expected to leave ``2^-bits`` of ``E f^2 = total``, or the best there is."""
    midpoint = tuple(int(n) for n in q.man_exp())
    degree = order_of_polynomials(pieces)
    if degree is not None:
        return Plan(degree, max(degree - 1, 1), arb(0))
    best: Plan | None = None
    for m in ORDERS:
        moment = rough_moment(pieces, m, (midpoint[0], midpoint[1]))
        if moment is None:
            break
        moment = upper(moment * q**m)
        size = _bits_of(upper(moment / total)) if moment > 0 else 0.0
        length = m + 2
        while length < LONGEST and _share_bits(length, m) - size < 2 * (bits - spared_bits(length, dim)):
            length = min(LONGEST, length * 9 // 8 + 1)
        found = Plan(m, length, moment, (_share_bits(length, m) - size) / 2)
        if length <= SHORT:
            return found
        if best is None or length < best.length or found.bits > best.bits:
            best = found
    return best


def _share_bits(length: int, order: int) -> float:
    return (math.lgamma(length + 2) - math.lgamma(length + 2 - order)) / math.log(2)


@dataclass(frozen=True)
class KinkSum:
    """``E F F`` and ``E f' f'`` at variance ``q`` (exact), as a function of an exact correlation."""

    jumps: tuple[Jumps, ...]
    q: arb
    bits: int
    value: arb_poly
    slope: arb_poly
    rests: tuple[arb, arb]
    length: int

    def at(self, r: arb) -> tuple[arb, arb]:
        """Both duals at an exact ``-1 < r < 1``."""
        size = abs(r)
        with working_precision(self.bits):
            first, second = moments_of_jumps(self.jumps, r)
            value, slope = first + self.value(r), second + self.slope(r)
        far = size**self.length
        return (
            value + arb(0, upper(self.rests[0] * far * size)),
            (slope + arb(0, upper(self.rests[1] * far))) / self.q,
        )


def kink_sum(
    pieces: Pieces, parity: str | None, q: arb, totals: tuple[arb, arb], chosen: Plan
) -> KinkSum | None:
    """The sum for a piecewise function at an exact ``q``; ``totals`` enclose ``E f^2`` and ``E f'^2``.

    ``None`` where a derivative, or a moment, is not known to be finite.
    """
    work, prec = int(ctx.prec) + _GUARD_BITS, int(ctx.prec)
    length = chosen.length
    with working_precision(int(min(prec, max(64.0, chosen.bits) + _SPARE_BITS))):
        a = coefficients_at(pieces, length, q, parity, totals[0])
    while True:
        with working_precision(work):
            jumps = tuple(jumps_of(pieces, chosen.order, q.sqrt()))
            sizes = [size for jump in jumps for size in jump.sizes]
            if not all(size.is_finite() for size in sizes):
                return None
            lost = max((_bits_of(v.rad()) for v in moments_of_jumps(jumps, arb(1) / 2)), default=-prec)
            if lost == math.inf:
                return None
            if lost + prec > _bits_of(totals[0]) and work < 12 * prec:
                work += int(lost + prec - _bits_of(totals[0])) + 16
                continue
            found = _sum(a, jumps, q, totals, chosen)
            return KinkSum(jumps, q, work, *found, length)


def _bits_of(value: arb) -> float:
    return float(value.log().upper()) / math.log(2) if value > 0 else -math.inf


def _sum(
    a: list[arb], jumps: Sequence[Jumps], q: arb, totals: tuple[arb, arb], chosen: Plan
) -> tuple[arb_poly, arb_poly, tuple[arb, arb]]:
    """The two polynomials, and what lies beyond them."""
    b, steps = coefficients_of_jumps(jumps, len(a) - 1)
    value = [s * s - t * t for s, t in zip(a, b, strict=True)]
    inner = [(s - u, t - u) for s, t, u in zip(a, b, steps, strict=True)]  # jumps of f itself have no f'
    slope = [n * (s * s - t * t) for n, (s, t) in enumerate(inner)][1:]
    above = totals[0] - sum((s * s for s in a), arb(0))
    above_slope = q * totals[1] - sum((n * s * s for n, (s, _) in enumerate(inner)), arb(0))
    rests = [
        upper(2 * (upper(known) * rest).sqrt() + rest)
        for known, rest in ((above, chosen.rest(False)), (above_slope, chosen.rest(True)))
    ]
    return arb_poly(value), arb_poly(slope), (rests[0], rests[1])


def coefficients_of_jumps(jumps: Sequence[Jumps], order: int) -> tuple[list[arb], list[arb]]:
    """``b_0 .. b_order``, and the part of each that the jumps of ``F`` itself contribute."""
    totals, steps = [arb(0)] * (order + 1), [arb(0)] * (order + 1)
    inverse = [arb(1), *(arb(n).rsqrt() for n in range(1, order + 1))]
    for jump in jumps:
        c, count = jump.place, len(jump.sizes)
        psi = [(-c * c / 2).exp() / (2 * arb.pi()).sqrt(), phi_cdf(-c)]
        for k in range(1, count):
            psi.append((psi[k - 1] - c * psi[k]) / k)
        before, now = arb(0), psi[0]
        places = psi[:0:-1]  # psi_k for k = -count .. -1, then psi_k/sqrt(k!)
        for k in range(order):
            places.append(now)
            before, now = now, (c * now - before / inverse[k]) * inverse[k + 1] if k else c * now
        for n in range(order + 1):
            total = arb(0)
            for j in reversed(range(count)):  # Horner in the factors of sqrt(k!/n!), k = n - j - 1
                k = n - j - 1
                total = (total * inverse[k] if k > 0 else total) + jump.sizes[j] * places[k + count]
            totals[n] += total * inverse[n]
            steps[n] += jump.sizes[0] * places[n - 1 + count] * inverse[n]
    return totals, steps


# ------------------------------------------------------------------------------------ truncated powers


def moments_of_jumps(jumps: Sequence[Jumps], r: arb) -> tuple[arb, arb]:
    """``E g(z) g(w)`` and ``E g' g'`` (off the breakpoints) at an exact correlation inside ``(-1, 1)``."""
    value = slope = arb(0)
    known: dict[tuple[sp.Expr, bool], arb] = {}
    for i, one in enumerate(jumps):
        for other in jumps[i:]:
            first, second = _pair(one, other, r, _quadrant(one, other, r, known))
            twice = 1 if one is other else 2
            value, slope = value + twice * first, slope + twice * second
    return value, slope


def _quadrant(one: Jumps, other: Jumps, r: arb, known: dict[tuple[sp.Expr, bool], arb]) -> arb:
    """``I(0, 0) = P(z > c, w > d)``; what ``d = +-c`` have in common is computed once."""
    if other.point not in (one.point, -one.point):
        return phi2_cdf(-one.place, -other.place, r).real
    turned, mirrored = bool(one.point.is_negative), other.point != one.point
    key = (-one.point if turned else one.point, mirrored)
    if key not in known:  # P(z > |c|, +-w > |c|)
        h = one.place if turned else -one.place
        known[key] = phi2_cdf(h, h, -r if mirrored else r).real
    beyond = phi_cdf(-one.place)
    both = known[key] + (2 * beyond - 1 if turned else 0)  # P(z > c, +-w > c)
    return beyond - both if mirrored else both


def _pair(one: Jumps, other: Jumps, r: arb, quadrant: arb) -> tuple[arb, arb]:
    """``sum w_i v_j I(i, j)`` and ``sum w_{i+1} v_{j+1} I(i, j)``; a row of ``I`` is a polynomial ``t^j``."""
    m, c, d = len(one.sizes), one.place, other.place
    edge_c, edge_d = _on_edge(c, d, r, m), _on_edge(d, c, r, m)
    row = [quadrant]
    for j in range(1, m):
        far = edge_d[0] if j == 1 else row[j - 2]
        row.append((far + r * edge_c[j - 1] - d * row[j - 1]) / j)
    before, now = arb_poly(edge_c), arb_poly(row)
    shift = arb_poly([-c, r])
    value, slope = now * one.sizes[0], arb_poly([0])
    for i in range(1, m):
        slope += now * one.sizes[i]
        new = (before + shift * now).truncate(m) + r * edge_d[i - 1]
        before, now = now, new * (arb(1) / i)
        value += now * one.sizes[i]
    first = sum((value[j] * size for j, size in enumerate(other.sizes)), arb(0))
    second = sum((slope[j - 1] * size for j, size in enumerate(other.sizes) if j), arb(0))
    return first, second


def _on_edge(c: arb, d: arb, r: arb, count: int) -> list[arb]:
    """``I(-1, j) = E delta(z - c) (w - d)_+^j / j!``: there ``w`` has mean ``r c``, variance ``1 - r^2``."""
    density = (-c * c / 2).exp() / (2 * arb.pi()).sqrt()
    square = (1 - r) * (1 + r)
    spread, mean = square.sqrt(), r * c - d
    ratio = mean / spread
    values = [phi_cdf(ratio)]
    if count > 1:
        values.append(mean * values[0] + spread * (-ratio * ratio / 2).exp() / (2 * arb.pi()).sqrt())
    for j in range(2, count):
        values.append((mean * values[j - 1] + square * values[j - 2]) / j)
    return [density * value for value in values]
