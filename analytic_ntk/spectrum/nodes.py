"""The recursion at many correlations: balls, with what all of them share computed once.

The variances are the same at every node, and so are their second moments. An analytic activation without
closed form is summed by Mehler's formula,

    E phi(u) phi(v) = sum_{n <= M} a_n^2 r^n + rest,   0 <= rest <= |r|^(M+1) (E phi^2 - sum_{n <= M} a_n^2)

(in size, for ``|r| <= 1``), which costs one polynomial per node instead of a double integral.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from flint import arb, arb_poly, ctx

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball, canonical
from analytic_ntk.systems.series import coefficients_at

MAX_MEHLER = 9_000
_FIRST_MEHLER = 200
_LOST_BITS = 32
_SPARE_BITS = 48
"""Bits by which coefficients are known better, so that their radii do not hide the mass of the rest."""

Exactly: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Midpoint and radius of a ball, each as mantissa and exponent: a key where balls have no hash."""


class NodeBall(Ball):
    """Balls for pairs of equal norms at many correlations, at one precision."""

    def second_moment(self, f: Pieces, q: arb) -> arb:
        return _second_moment(f, _key(q), int(ctx.prec))

    def duals(self, phi: Pieces, derivative: Pieces, pair: Pair) -> tuple[arb, arb]:
        if pair.equal_norms and has_mehler(phi):
            value, slope = _mehler(phi, derivative, _key(pair.q11), int(ctx.prec))
            ratio = pair.q12 / pair.q11
            return value.at(ratio), slope.at(ratio)
        return super().duals(phi, derivative, pair)


def has_mehler(phi: Pieces) -> bool:
    """Whether a function is summed by Mehler's formula: analytic, and no closed form."""
    return len(phi.parts) == 1 and canonical(phi) is None


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
def _mehler(phi: Pieces, derivative: Pieces, key: Exactly, bits: int) -> tuple[Mehler, Mehler]:
    """The sums for ``phi`` and ``phi'`` at variance ``q``, long enough for ``bits`` where possible."""
    order = _FIRST_MEHLER
    with working_precision(bits + _SPARE_BITS):
        q = _ball(key)
        totals = [_second_moment(f, key, bits + _SPARE_BITS) for f in (phi, derivative)]
        while True:
            squares = [a * a for a in coefficients_at(phi, order, q, None, totals[0])]
            slopes = [(n + 1) * square / q for n, square in enumerate(squares[1:])]  # Price
            found = _sum(squares, totals[0]), _sum(slopes, totals[1])
            reached = min(part.bits() for part in found)
            if reached >= bits - _LOST_BITS or order == MAX_MEHLER:
                return found
            # bits grow like sqrt(order) for a singularity off the real line, faster for entire functions
            ratio = min(4.0, 1.1 * ((bits - _LOST_BITS + 4) / max(reached, 1.0)) ** 2)
            order = min(MAX_MEHLER, max(order + 40, int(order * ratio)))


def _sum(coefficients: list[arb], total: arb) -> Mehler:
    rest = (total - sum(coefficients, arb(0))).abs_upper()
    return Mehler(arb_poly(coefficients), len(coefficients), arb(rest))


@lru_cache(maxsize=512)
def _second_moment(f: Pieces, key: Exactly, bits: int) -> arb:
    with working_precision(bits):
        return Ball().second_moment(f, _ball(key))


def _key(value: arb) -> Exactly:
    middle, radius = value.mid().man_exp(), value.rad().man_exp()
    return (int(middle[0]), int(middle[1])), (int(radius[0]), int(radius[1]))


def _ball(key: Exactly) -> arb:
    middle, radius = (arb(mantissa) * arb(2) ** exponent for mantissa, exponent in key)
    return middle + arb(0, radius)
