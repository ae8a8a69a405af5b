"""Power series in the correlation: the recursion on truncated series with enclosures and tail bounds.

For inputs of equal norm every kernel of the recursion is ``K(rho) = sum_k c_k rho^k`` with ``c_k >= 0``
(Schoenberg; Daniely, Frostig, Singer 2016). A nonlinearity composes with its dual,

    E phi(u) phi(v) = sum_k a_k(q)^2 (S/q)^k,      E phi'(u) phi'(v) = sum_k d_k(q)^2 (S/q)^k,

``a_k`` and ``d_k`` the Hermite coefficients of ``phi`` and ``phi'`` at variance ``q = S(1)``. Cut at
``k <= M``, what is left has non-negative coefficients, and the one of ``rho^n`` is at most
``(mass of the rest) r(t)^(M+1) t^(-n)`` for every ``0 < t <= 1``, with ``r = S/q``.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import arb, arb_poly, arb_series

from analytic_ntk.activation import Activation
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite.table import coefficient_balls
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.systems.ball import Ball, check_growth

_SIXTY_FOURTHS = (64, 63, 62, 60, 56, 48, 32, 16, 4, 1)
"""The radii ``t`` tried in the tail bound, in sixty-fourths (exact in every precision)."""


@dataclass(frozen=True)
class Series:
    """Truncated power series in ``rho`` over balls; ``cut`` is the last Hermite coefficient used.

    Covariance and tangent kernel of a pair are series, its variances balls (the series at ``rho = 1``).
    Runs inside a ``cap`` of ``order + 1`` coefficients.
    """

    order: int
    cut: int

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
        pieces, slope = activation.pieces, activation.derivative
        total = ball.second_moment(pieces, q)
        slope_total = ball.second_moment(slope, q)
        ratio = pair.q12 / q
        values = coefficient_balls(pieces, terms_of(pieces), self.cut + 1, q, activation.parity)
        squares = [a * a for a in values]
        if activation.is_continuous:  # Price: d_k^2 = (k + 1) a_{k+1}^2 / q
            slopes = [(k + 1) * squares[k + 1] / q for k in range(self.cut + 1)]
        else:
            flipped = {"even": "odd", "odd": "even"}.get(activation.parity or "")
            slopes = [d * d for d in coefficient_balls(slope, terms_of(slope), self.cut, q, flipped)]
        covariance = self._compose(squares[: self.cut + 1], total, ratio)
        return Expectations(total, total, covariance, self._compose(slopes, slope_total, ratio))

    def _compose(self, coefficients: list[arb], total: arb, ratio: arb_series) -> arb_series:
        """``sum_k coefficients[k] ratio^k``, what lies beyond the cut enclosed."""
        start = ratio[0]
        inner = arb_series([arb(0)] + [ratio[k] for k in range(1, self.order + 1)])
        if start == 0:
            return arb_series(coefficients[: self.order + 1])(inner)
        shifted = arb_poly(coefficients)(arb_poly([start, arb(1)]))
        value = arb_series([shifted[k] for k in range(self.order + 1)])(inner)
        rest = arb((total - sum(coefficients, arb(0))).abs_upper())
        even = all(ratio[k] == 0 for k in range(1, self.order + 1, 2))
        bounds = [
            (t, rest * self._at(ratio, t) ** (self.cut + 1)) for t in (arb(k) / 64 for k in _SIXTY_FOURTHS)
        ]
        enclosed = []
        for n in range(self.order + 1):
            if even and n % 2:
                enclosed.append(arb(0))  # a function of rho^2 stays one
                continue
            bound = min((arb((b / t**n).abs_upper()) for t, b in bounds), key=float)
            bound = bound.min(rest)
            half = bound / 2
            enclosed.append(value[n] + half + arb(0, half.abs_upper()))
        return arb_series(enclosed)

    def _at(self, ratio: arb_series, t: arb) -> arb:
        """An upper bound of ``ratio(t)``, the coefficients beyond the order included; never above 1."""
        known = [ratio[k] for k in range(self.order + 1)]
        partial = sum((c * t**k for k, c in enumerate(known)), arb(0))
        left = arb((1 - sum(known, arb(0))).abs_upper()) * t ** (self.order + 1)
        return arb((partial + left).abs_upper()).min(arb(1))
