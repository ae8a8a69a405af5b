"""Power series in the correlation: the recursion on truncated series with enclosures and tail bounds.

For inputs of equal norm every kernel of the recursion is ``K(rho) = sum_k c_k rho^k`` with ``c_k >= 0``
(Schoenberg; Daniely, Frostig, Singer 2016). A nonlinearity composes with its dual,

    E phi(u) phi(v) = sum_k a_k(q)^2 (S/q)^k,      E phi'(u) phi'(v) = sum_k d_k(q)^2 (S/q)^k,

``a_k`` and ``d_k`` the Hermite coefficients of ``phi`` and ``phi'`` at variance ``q = S(1)``. Cut at
``k <= M``, what is left has non-negative coefficients, and the one of ``rho^n`` is at most
``(mass of the rest) r(t)^(M+1) t^(-n)`` for every ``0 < t <= 1``, with ``r = S/q``: the Chernoff bound for
a sum of ``M + 1`` independent variables with generating function ``r``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy as sp
from flint import arb, arb_poly, arb_series, ctx

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.hermite.table import coefficient_balls
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.systems.ball import Ball, canonical, check_growth
from analytic_ntk.systems.ridges import dual_series, ridges_of

_RADII = (256, 255, 254, 252, 248, 240, 224, 192, 160, 128, 96, 64, 32, 16, 4, 1)
"""The radii ``t`` tried in the tail bound, in 256ths (exact in every precision)."""
_FIRST_CUT = 96
_LAST_CUT = 60_000
_BLOCK = 1_024
_LOST_BITS = 40
"""Bits of the working precision that the coefficients may lose before the rest of the series matters."""


@dataclass(frozen=True)
class Series:
    """Truncated power series in ``rho`` over balls, coefficients ``0 .. order``.

    Covariance and tangent kernel of a pair are series, its variances balls (the series at ``rho = 1``).
    Runs inside a ``cap`` of ``order + 1`` coefficients.
    """

    order: int

    def number(self, value: sp.Expr) -> arb:
        return Ball().number(value)

    def inverse_sqrt(self, value: arb) -> arb:
        return Ball().inverse_sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: arb, shift: arb, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q, ball = pair.q11, Ball()
        check_growth(activation, q)
        total = ball.second_moment(activation.pieces, q)
        slope_total = ball.second_moment(activation.derivative, q)
        if q == 0:  # the zero input: constants
            zero = arb_series([0])
            return Expectations(total, total, zero + total, zero + slope_total)
        if not q > 0:
            raise PrecisionError(f"a variance {q.str(5)}", "one that is certainly positive")
        if ridges_of(activation.pieces) and self.order:
            covariance, slopes = dual_series(activation.pieces, q, pair.q12, self.order)
            return Expectations(total, total, covariance, slopes)
        inner = _Inner.of(pair.q12 / q, self.order)
        goal = int(ctx.prec) - _LOST_BITS
        cut, last, bits = float(_FIRST_CUT), inner.enough(goal), 0.0
        while True:
            cut = min(cut, last)
            if cut > _LAST_CUT:
                raise DomainError(
                    f"order = {self.order}: {activation} needs {cut:.0f} Hermite coefficients at variance "
                    f"{q.str(5, radius=False)}, the kernel before it being nearly constant",
                    f"at most {_LAST_CUT} of them",
                    "lower the order or the digits",
                )
            squares, derivatives = _squares(activation, int(cut), q, total, slope_total)
            rests = _rest(total, squares), _rest(slope_total, derivatives)
            before, bits = bits, min(_bits(rests[0], total), _bits(rests[1], slope_total))
            if cut >= last or bits >= goal:
                break
            last = min(last, inner.enough(goal - bits))
            # an algebraic tail; exp(-c sqrt(n)) would gain a factor 1.4 in bits from twice the order
            cut = last if bits < 1.25 * before else 2 * cut
        return Expectations(
            total, total, inner.compose(squares, rests[0]), inner.compose(derivatives, rests[1])
        )


def _rest(total: arb, squares: list[arb]) -> arb:
    """An upper bound of the mass of the coefficients that were left out."""
    return arb((total - sum(squares, arb(0))).abs_upper())


def _bits(rest: arb, total: arb) -> float:
    """How many bits the rest lies below the total."""
    return -float((rest / total).log().upper()) / math.log(2) if rest > 0 and total > 0 else math.inf


def _squares(
    activation: Activation, cut: int, q: arb, total: arb, slope_total: arb
) -> tuple[list[arb], list[arb]]:
    """``a_k^2`` and ``d_k^2`` for ``k <= cut``."""
    parity = activation.parity
    if activation.is_continuous:  # Price: d_k^2 = (k + 1) a_{k+1}^2 / q
        values = [a * a for a in coefficients_at(activation.pieces, cut + 1, q, parity, total)]
        return values[:-1], [(k + 1) * values[k + 1] / q for k in range(cut + 1)]
    flipped = {"even": "odd", "odd": "even"}.get(parity or "")
    values = coefficients_at(activation.pieces, cut, q, parity, total)
    slopes = coefficients_at(activation.derivative, cut, q, flipped, slope_total)
    return [a * a for a in values], [d * d for d in slopes]


def coefficients_at(pieces: Pieces, order: int, q: arb, parity: str | None, moment: arb) -> list[arb]:
    """Hermite coefficients at a ball ``q > 0``: those at its midpoint, and how far they move within it.

    For every function, jumps included, ``2 q da_n/dq = n a_n + sqrt((n+1)(n+2)) a_{n+2}`` (differentiate
    the density), hence ``|da_n/dq| <= (n + 2) sqrt(E f^2 / 2) / q``; ``moment`` encloses ``E f^2`` on all
    of ``q``. The midpoint keeps the quadrature from fighting a radius that no precision removes.
    """
    values = _to_the_last_bits(pieces, order, arb(q.mid()), parity, moment)
    if q.rad() == 0:
        return values
    speed = q.rad() * (arb(moment.abs_upper()) / 2).sqrt() / arb(q.abs_lower())
    return [
        a if _vanishes(n, parity) else a + arb(0, ((n + 2) * speed).abs_upper()) for n, a in enumerate(values)
    ]


def _vanishes(n: int, parity: str | None) -> bool:
    return parity is not None and n % 2 == (parity == "even")


def _to_the_last_bits(pieces: Pieces, order: int, q: arb, parity: str | None, moment: arb) -> list[arb]:
    """The coefficients at an exact ball; the bits that a recurrence off 0 loses are put on top first."""
    prec = bits = int(ctx.prec)
    scale = arb(moment.abs_upper()).sqrt()
    while True:
        with working_precision(bits):
            values = coefficient_balls(pieces, canonical(pieces), order, q, parity)
        worst = max((a.rad() for a in values), key=lambda r: r.log() if r > 0 else arb("-inf"))
        if not (worst > 0 and scale > 0):
            return values
        lost = float((worst / scale).log().mid()) / math.log(2) + prec if worst.is_finite() else 2 * bits
        if lost <= _LOST_BITS - 8 or bits > 100 * prec:
            return values
        bits += int(lost) + 8


def _shifted(coefficients: list[arb], start: arb, size: int) -> arb_series:
    """The first coefficients of ``sum_k coefficients[k] (start + y)^k`` in ``y``, block by block."""
    shift = arb_poly([start, arb(1)])
    power, total = arb_series([start, arb(1)], size) ** _BLOCK, arb_series([0], size)
    for first in reversed(range(0, len(coefficients), _BLOCK)):
        block = arb_poly(coefficients[first : first + _BLOCK])(shift)
        total = total * power + arb_series([block[k] for k in range(min(_BLOCK, size))], size)
    return total


@dataclass(frozen=True)
class _Inner:
    """The normalised series ``r = S/q`` that a dual is composed with, and how far the dual is needed.

    ``heights`` are upper bounds of ``r(t)`` at the radii ``t`` tried.
    """

    ratio: arb_series
    order: int
    heights: tuple[tuple[arb, arb], ...]

    @classmethod
    def of(cls, ratio: arb_series, order: int) -> _Inner:
        if ratio[0] == 0:  # r^k starts at rho^k
            return cls(ratio, order, ())
        known = arb_poly([ratio[k] for k in range(order + 1)])
        beyond = arb((1 - known(arb(1))).abs_upper())
        radii = [arb(k) / 256 for k in _RADII]
        heights = [(t, arb((known(t) + beyond * t ** (order + 1)).abs_upper()).min(arb(1))) for t in radii]
        return cls(ratio, order, tuple(heights))

    def enough(self, bits: float) -> float:
        """The cut beyond which the Chernoff bound leaves ``2^-bits`` at most in every coefficient."""
        cut = math.inf
        if self.ratio[0] == 0:
            return self.order
        for t, height in self.heights:
            fall = -float(height.log())
            if fall > 0:
                cut = min(cut, (bits * math.log(2) - self.order * float(t.log())) / fall)
        return max(float(self.order), math.ceil(cut) if cut < math.inf else cut)

    def compose(self, coefficients: list[arb], rest: arb) -> arb_series:
        """``sum_k coefficients[k] r^k``, what lies beyond the cut enclosed."""
        start, cut = self.ratio[0], len(coefficients) - 1
        step = 2 if all(self.ratio[k] == 0 for k in range(1, self.order + 1, 2)) else 1  # a series in rho^2
        places = range(0, self.order + 1, step)
        inner = arb_series([arb(0)] + [self.ratio[k] for k in places[1:]], len(places))
        outer = coefficients if start == 0 else _shifted(coefficients, start, len(places))
        truncated = arb_series([outer[k] for k in range(min(cut, len(places) - 1) + 1)], len(places))
        constant = all(inner[k] == 0 for k in range(len(places)))
        found = arb_series([truncated[0]], len(places)) if constant else truncated(inner)
        bounds = self._bounds(cut, rest)
        values = [arb(0)] * (self.order + 1)
        for i, n in enumerate(places):
            half = bounds[n] / 2
            values[n] = found[i] if half == 0 else found[i] + half + arb(0, half.abs_upper())
        return arb_series(values)

    def _bounds(self, cut: int, rest: arb) -> list[arb]:
        """An upper bound of what lies beyond the cut, for each coefficient."""
        if self.ratio[0] == 0:
            return [arb(0)] * (cut + 1) + [rest] * (self.order - cut)
        bounds = [rest] * (self.order + 1)
        for t, height in self.heights:
            bound, inverse = rest * height ** (cut + 1), 1 / t
            for n in range(self.order + 1):
                bounds[n] = bounds[n].min(bound)
                bound = arb((bound * inverse).abs_upper())
        return bounds
