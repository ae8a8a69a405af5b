"""Values of a function cut in pieces on arrays of float64."""

from __future__ import annotations

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Array = NDArray[np.float64]


def real_array(z: ArrayLike) -> Array:
    """The input as float64. Raises :class:`DomainError` for what is not real and finite."""
    try:
        given = np.asarray(z)
        if given.dtype.kind not in "biuf" and given.size:
            raise TypeError(f"entries of kind {given.dtype}")
        array = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"the input ({error})", "an array of real numbers") from error
    if not np.isfinite(array).all():
        raise DomainError("a NaN or an infinity in the input", "finite real numbers")
    return array


def evaluate(pieces: Pieces, z: Array) -> Array:
    """The function elementwise, without NaN."""
    value = np.asarray(pieces.float_function()(z), dtype=np.float64)
    bad = np.isnan(value)
    if bad.any():  # inf - inf or 0 * inf on the way: those points again, in balls
        value = np.array(value)
        value[bad] = [_ball_value(pieces, float(t)) for t in z[bad]]
    return value


def _ball_value(pieces: Pieces, point: float) -> float:
    exact = sp.Rational(*point.as_integer_ratio())
    part = pieces.part_at(exact).subs(x, exact)
    for bits in (128, 512, 2048, 8192):
        with working_precision(bits):
            ball = exact_ball(part)
            if ball.is_finite() and (ball.rel_accuracy_bits() > 53 or ball == 0):
                return float(ball)
    raise DomainError(f"the value at {point}", "a value that float64 can hold")
