"""Duals of continuous piecewise linear functions as power series, straight from Price's theorem.

With ``phi'' = sum_i J_i delta(x - x_i)`` and ``p_c`` the density of ``N(0, [[q, c], [c, q]])``,

    d^2/dc^2 E phi(u) phi(v) = sum_ij J_i J_j p_c(x_i, x_j),

so two integrations along a series ``c(rho)`` give ``E phi' phi'`` and ``E phi phi`` (Price 1958). No Hermite
coefficients and no tail, however flat ``c`` is.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp
from flint import arb, arb_series

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.identities import as_polynomial
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball


@lru_cache(maxsize=256)
def ridges_of(pieces: Pieces) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    """Places and sizes of the kinks of a continuous piecewise linear function; empty for any other."""
    polynomials = [as_polynomial(part) for part in pieces.parts]
    if any(poly is None or poly.degree() > 1 for poly in polynomials) or not pieces.is_continuous:
        return ()
    return pieces.jumps(1)


def dual_series(pieces: Pieces, q: arb, c: arb_series, order: int) -> tuple[arb_series, arb_series]:
    """``E phi(u) phi(v)`` and ``E phi'(u) phi'(v)`` along ``c``, where ``ridges_of(pieces)`` is not empty."""
    kinks = [(exact_ball(place).real, exact_ball(size).real) for place, size in ridges_of(pieces)]
    if not q * q - c[0] * c[0] > 0:
        raise PrecisionError(f"a covariance {c[0].str(6)} not separated from the variance {q.str(6)}", "less")
    start = Pair(q, q, c[0], arb(0))
    value, slope = Ball().duals(pieces, pieces.derivative(), start)
    inverse = 1 / (q * q - c * c)
    root = inverse.sqrt() / (2 * arb.pi())
    total = arb_series([0], order + 1)
    for i, (x, a) in enumerate(kinks):
        for j, (y, b) in enumerate(kinks[: i + 1]):  # symmetric: every other pair twice
            exponent = (c * (x * y) - q * (x * x + y * y) / 2) * inverse
            total = total + exponent.exp() * (a * b * (1 if i == j else 2))
    speed = c.derivative()
    slopes = slope + (total * root * speed).integral()
    return value + (slopes * speed).integral(), slopes
