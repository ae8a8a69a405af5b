"""Hermite coefficients as float64 arrays, up to order 10,000, with a proved error for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite.table import coefficient_balls, require_order, second_moment_ball

GOAL = 60
"""Radii aim at ``2^-GOAL sqrt(E phi^2)``."""
BITS = (GOAL + 28, 256, 768, 2560, 8192)
"""Working precisions, tried in turn."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FloatCoefficients(Shown):
    """``|values[n] - a_n| <= error[n]`` for every ``n``, proved.

    ``error[n]`` is at most ``2^-53 |a_n| + 2^-60 sqrt(E phi^2)`` up to a unit in its own last place, or
    2^-1074 where that is smaller still.
    """

    values: Array
    error: Array


def hermite_floats(
    pieces: Pieces, order: int, variance: sp.Expr = sp.S.One, parity: str | None = None
) -> FloatCoefficients:
    """``a_0 .. a_order`` of ``phi(sqrt(variance) z)`` in float64: balls, then rounded once.

    ``parity`` as in :func:`~analytic_ntk.hermite.table.hermite_table`. Raises :class:`DomainError` for a bad
    order or variance and for values beyond float64, :class:`PrecisionError` where the radii cannot be had.

    >>> from analytic_ntk.notation import x
    >>> found = hermite_floats(Pieces.of(sp.tanh(x)), 3, parity="odd")
    >>> found.values.round(6), bool(found.error.max() < 1e-16)
    (array([ 0.      ,  0.605706,  0.      , -0.148437]), True)
    """
    require_order(order)
    if not isinstance(variance, sp.Expr) or not variance.is_positive:
        raise DomainError(f"variance = {variance!r}", "an exact sympy number > 0")
    terms = terms_of(pieces)
    width = arb("inf")

    def moment() -> tuple[tuple[arb, ...], arb]:
        value = second_moment_ball(pieces, terms, exact_ball(variance).real, parity)
        return (value,), value

    (second,) = certify(moment, 3, "the second moment")
    with working_precision(64):
        scale = second.ball().abs_lower().sqrt().lower()
    for bits in BITS:
        with working_precision(bits):
            values = coefficient_balls(pieces, terms, order, variance, parity)
            before, width = width, max(v.rad() for v in values)
            if width <= scale * arb(2) ** -GOAL:
                return _rounded(values)
            if not width < before:
                break
    reached = 0
    if width.is_finite() and scale > 0:
        reached = max(0, int(float((scale / width).log().lower()) / math.log(10)))
    raise PrecisionError(f"{reached} digits of the Hermite coefficients", "18 digits", reached=reached)


def _rounded(values: list[arb]) -> FloatCoefficients:
    nearest = np.array([float(v.mid()) for v in values])
    if not np.all(np.isfinite(nearest)):
        raise DomainError("a coefficient beyond 1.8e308", "values that fit float64", "use hermite_table")
    with working_precision(64):
        errors = [_above((v - arb(f)).abs_upper()) for v, f in zip(values, nearest.tolist(), strict=True)]
    return FloatCoefficients(nearest, np.array(errors))


def _above(bound: arb) -> float:
    """A float not below an exact bound; 0 only for 0."""
    return 0.0 if bound == 0 else math.nextafter(float(bound), math.inf)
