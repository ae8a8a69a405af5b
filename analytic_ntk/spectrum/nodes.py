"""The recursion at many correlations: balls, with what all of them share computed once.

The variances are the same at every node, and so are their second moments. An analytic activation without
closed form is summed by Mehler's formula,

    E phi(u) phi(v) = sum_{n <= M} a_n^2 r^n + rest,   0 <= rest <= |r|^(M+1) (E phi^2 - sum_{n <= M} a_n^2)

(in size, for ``|r| <= 1``), which costs one polynomial per node instead of a double integral. A function
with kinks goes by :mod:`~analytic_ntk.spectrum.kinks`, at the midpoints of correlation and variance. What
a dual ``D`` with coefficients ``d_n^2 >= 0`` and ``S = D(1)`` moves within their radii is bounded by

    |dD/dr| <= (S - D(|r|))/(1 - t),      |dD/dq| <= 5 S/(2 q (1 - t)),      |r| <= t < 1:

``D`` is convex on ``[0, 1]``; ``2 q d d_n/dq = n d_n + sqrt((n+1)(n+2)) d_{n+2}``, ``n t^(n-1) <= 1/(1-t)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from flint import arb, arb_poly, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.pair import Pair
from analytic_ntk.spectrum.kinks import KinkSum, kink_sum, plan, spared_bits, upper
from analytic_ntk.systems.ball import Ball, canonical
from analytic_ntk.systems.series import coefficients_at

MAX_MEHLER = 9_000
MAX_CLOSED = 1_200
"""Longest sum for a function whose dual has a closed form."""
_FIRST_MEHLER = 200
_LOST_BITS = 32
_SPARE_BITS = 48
"""Bits by which coefficients are known better, so that their radii do not hide the mass of the rest."""

Exactly: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Midpoint and radius of a ball, each as mantissa and exponent: a key where balls have no hash."""


@dataclass(frozen=True)
class NodeBall(Ball):
    """Balls for pairs of equal norms at many correlations, at one precision.

    ``dim`` says how much the weight of the sphere spares the sums; a sum too short only has wider balls.
    """

    dim: int = 2

    def second_moment(self, f: Pieces, q: arb) -> arb:
        return _second_moment(f, _key(q), int(ctx.prec))

    def _line(self, f: Pieces, q: arb, scale: arb) -> arb:
        if scale == 1:
            return self.second_moment(f, q)
        return _reflected(f, _key(q), int(ctx.prec)) if scale == -1 else super()._line(f, q, scale)

    def duals(self, phi: Pieces, derivative: Pieces, pair: Pair) -> tuple[arb, arb]:
        if pair.equal_norms and pair.q11 > 0:
            key, ratio = _key(pair.q11), pair.q12 / pair.q11
            if len(phi.parts) == 1:
                sums = _mehler(phi, derivative, key, int(ctx.prec), self.dim)
                if sums is not None:
                    return sums[0].at(ratio), sums[1].at(ratio)
            else:
                kinked = _kinked(phi, derivative, key, int(ctx.prec), self.dim)
                if kinked is not None:
                    totals = self.second_moment(phi, pair.q11), self.second_moment(derivative, pair.q11)
                    return _moved(kinked, totals, pair.q11, ratio)
        return super().duals(phi, derivative, pair)


@lru_cache(maxsize=256)
def parity_of(f: Pieces) -> str | None:
    """``"even"``, ``"odd"`` or ``None``, where the expressions themselves show it."""
    if tuple(-point for point in reversed(f.breakpoints)) != f.breakpoints:
        return None
    mirrored = [part.subs(x, -x) for part in reversed(f.parts)]
    for sign, name in ((1, "even"), (-1, "odd")):
        if all(part == sign * image for part, image in zip(f.parts, mirrored, strict=True)):
            return name
    return None


# ------------------------------------------------------------------------------------ kinks


@lru_cache(maxsize=32)
def _kinked(phi: Pieces, derivative: Pieces, key: Exactly, bits: int, dim: int) -> KinkSum | None:
    """The sum at the midpoint of the variance; ``None`` where there is none, or a closed form is better."""
    with working_precision(bits):
        totals = _second_moment(phi, key, bits), _second_moment(derivative, key, bits)
        if not totals[0] > 0:  # nothing that these bits can tell from 0
            return None
        q, goal = arb(_ball(key).mid()), bits - _LOST_BITS - _SPARE_BITS // 2
        chosen = plan(phi, q, totals[0], goal, dim)
        if chosen is None or (has_real_terms(phi) and chosen.bits + spared_bits(chosen.length, dim) < goal):
            return None
        try:
            return kink_sum(phi, parity_of(phi), q, totals, chosen)
        except PrecisionError:
            return None


def has_real_terms(f: Pieces) -> bool:
    """Whether a closed form is at hand (``sin`` beside a kink has complex terms, and no cheap one)."""
    terms = canonical(f)
    return terms is not None and all(term.a.is_real and term.b.is_real for term in terms)


def _moved(found: KinkSum, totals: tuple[arb, arb], q: arb, ratio: arb) -> tuple[arb, arb]:
    """The duals at the balls ``q`` and ``ratio`` from those at their midpoints.

    Where ``ratio`` reaches 1, they lie between those at its lower end and ``S``.
    """
    inside = bool(upper(ratio) < 1)
    if not inside and not (ratio > 0 and ratio.lower() < 1):
        return arb(0, upper(totals[0])), arb(0, upper(totals[1]))
    point, reach = (ratio.mid(), ratio.rad()) if inside else (ratio.lower().mid(), arb(0))
    rest = 1 - (upper(ratio) if inside else point)
    values = []
    for value, total in zip(found.at(point), totals, strict=True):
        by_ratio = upper(total - abs(value)) / rest
        by_variance = 5 * upper(total) / (2 * q * rest)
        moved = value + arb(0, upper(reach * by_ratio + q.rad() * by_variance))
        values.append(moved if inside else moved.union(total))
    return values[0], values[1]


# ------------------------------------------------------------------------------------ Mehler


@dataclass(frozen=True)
class Mehler:
    """``sum c_n r^n`` with ``c_n >= 0``: a polynomial, and the mass of the rest."""

    polynomial: arb_poly
    count: int
    rest: arb

    def at(self, ratio: arb) -> arb:
        beyond = self.rest * arb(abs(ratio).abs_upper()).min(arb(1)) ** self.count
        return self.polynomial(ratio) + arb(0, beyond.abs_upper())

    def bits(self) -> float:
        total = self.polynomial(arb(1)) + self.rest
        share = self.rest / total
        return -float(share.log().upper()) / math.log(2) if share > 0 else math.inf


@lru_cache(maxsize=32)
def _mehler(
    phi: Pieces, derivative: Pieces, key: Exactly, bits: int, dim: int
) -> tuple[Mehler, Mehler] | None:
    """The sums for ``phi`` and ``phi'`` at variance ``q``, long enough for ``bits`` where possible.

    ``None`` where ``phi`` has a closed form and the sums would be long.
    """
    order, most = _FIRST_MEHLER, MAX_MEHLER if canonical(phi) is None else MAX_CLOSED
    with working_precision(bits + _SPARE_BITS):
        q = _ball(key)
        totals = [_second_moment(f, key, bits + _SPARE_BITS) for f in (phi, derivative)]
        while True:
            squares = [a * a for a in coefficients_at(phi, order, q, parity_of(phi), totals[0])]
            slopes = [(n + 1) * square / q for n, square in enumerate(squares[1:])]  # Price
            found = _sum(squares, totals[0]), _sum(slopes, totals[1])
            reached = min(part.bits() for part in found) + spared_bits(order, dim)
            if reached >= bits - _LOST_BITS or order == MAX_MEHLER:
                return found
            if order == most:
                return None
            # bits grow like sqrt(order) for a singularity off the real line, faster for entire functions
            ratio = min(4.0, 1.1 * ((bits - _LOST_BITS + 4) / max(reached, 1.0)) ** 2)
            order = min(most, max(order + 40, int(order * ratio)))


def _sum(coefficients: list[arb], total: arb) -> Mehler:
    rest = (total - sum(coefficients, arb(0))).abs_upper()
    return Mehler(arb_poly(coefficients), len(coefficients), arb(rest))


@lru_cache(maxsize=512)
def _second_moment(f: Pieces, key: Exactly, bits: int) -> arb:
    with working_precision(bits):
        return Ball().second_moment(f, _ball(key))


@lru_cache(maxsize=512)
def _reflected(f: Pieces, key: Exactly, bits: int) -> arb:
    """``E f(u) f(-u)``."""
    with working_precision(bits):
        return Ball()._line(f, _ball(key), arb(-1))


def _key(value: arb) -> Exactly:
    middle, radius = value.mid().man_exp(), value.rad().man_exp()
    return (int(middle[0]), int(middle[1])), (int(radius[0]), int(radius[1]))


def _ball(key: Exactly) -> arb:
    middle, radius = (arb(mantissa) * arb(2) ** exponent for mantissa, exponent in key)
    return middle + arb(0, radius)
