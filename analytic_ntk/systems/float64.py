"""Float64 arrays: the recursion on many pairs at once, with the gap carried beside the covariance.

Kinks make a kernel depend on the angle ``sqrt(2 (1 - rho))``: an error of one rounding in ``rho`` near 1 is
one of 1e-8 in the angle. So ``gap = sqrt(q11 q22) - |q12|`` travels separately and every formula below
is a sum of non-negative terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.floating import FloatExpectations
from analytic_ntk.pair import Expectations, Pair

Array = NDArray[np.float64]


@lru_cache(maxsize=256)
def float_expectations(activation: Activation) -> FloatExpectations:
    """The float64 expectations of an activation (tables are built once)."""
    return FloatExpectations(activation.pieces, activation.derivative)


@dataclass(frozen=True)
class Float64:
    """Arrays of pairs, one entry a pair. Raises :class:`DomainError` where a value leaves float64."""

    def number(self, value: sp.Expr) -> float:
        if value.free_symbols:
            raise DomainError(f"the variance {value}", "a number", "give the symbol a number first")
        return float(sp.N(value, 25))

    def inverse_sqrt(self, value: Array) -> Array:
        if np.any(value == 0):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return 1.0 / np.sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: float, shift: float, shift_is_zero: bool) -> Array:
        if shift_is_zero:
            return np.asarray(scale * pair.gap)
        # det(scale S + shift 1 1^T) = scale^2 det S + scale shift E(u - v)^2
        det = pair.gap * (pair.gap + 2.0 * np.abs(pair.q12))
        distance = _distance(pair) if pair.distance is None else pair.distance
        det = scale * (scale * det + shift * distance)
        return _gap_from(det, scale * pair.q11 + shift, scale * pair.q22 + shift, scale * pair.q12 + shift)

    def gap_after_sum(self, pair: Pair, other: Pair) -> Array:
        # det(A + B) = det A + det B + (a11 b22 + a22 b11 - 2 a12 b12), the last without cancellation
        one, two = np.abs(pair.q12), np.abs(other.q12)
        det = pair.gap * (pair.gap + 2.0 * one) + other.gap * (other.gap + 2.0 * two)
        norms = np.sqrt(pair.q11 * other.q22) - np.sqrt(pair.q22 * other.q11)
        opposite = np.where(pair.q12 * other.q12 < 0, 2.0 * one * two, 0.0)
        mixed = norms * norms + 2.0 * (opposite + pair.gap * (two + other.gap) + other.gap * one)
        return _gap_from(det + mixed, pair.q11 + other.q11, pair.q22 + other.q22, pair.q12 + other.q12)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        if not all(np.all(np.isfinite(v)) for v in (pair.q11, pair.q22, pair.q12, pair.gap)):
            raise DomainError(
                f"a variance too large for float64 before {activation}",
                "finite kernels",
                "rescale the inputs or the variances, or use Network.certified for single pairs",
            )
        limit = min(activation.max_variance, activation.derivative_max_variance)
        top = max(float(np.max(pair.q11)), float(np.max(pair.q22)))
        if limit is not sp.oo and top >= float(limit):
            raise DomainError(
                f"{activation} at variance {top:.6g}: E phi(u)^2 is infinite",
                f"variances below {limit}",
                "rescale the inputs or the weight variance",
            )
        q11, q22, q12, gap = (
            np.ascontiguousarray(v) for v in np.broadcast_arrays(pair.q11, pair.q22, pair.q12, pair.gap)
        )
        known = float_expectations(activation)
        result = known.pair(q11, q22, q12, gap)
        return Expectations(
            known.second_moment(q11),
            known.second_moment(q22),
            result.dual,
            result.derivative_dual,
            result.gap,
        )


def _distance(pair: Pair) -> Array:
    """``E (u - v)^2``, as far as the variances tell."""
    norms = np.sqrt(pair.q11) - np.sqrt(pair.q22)
    return np.where(
        pair.q12 >= 0, norms * norms + 2.0 * pair.gap, pair.q11 + pair.q22 + 2.0 * np.abs(pair.q12)
    )


def _gap_from(det: Array, q11: Array, q22: Array, q12: Array) -> Array:
    total = np.sqrt(q11 * q22) + np.abs(q12)
    return np.divide(det, total, out=np.zeros_like(det), where=total > 0)
