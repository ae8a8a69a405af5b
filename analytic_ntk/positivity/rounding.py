"""The least eigenvalue of a float64 matrix, with every rounding error accounted for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.errors import DomainError

UNIT = 2.0**-53
_TINY = 2.0**-1074

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EigenvalueBounds:
    """``lower <= lambda_min <= upper``, for every symmetric matrix within ``entry_error`` of the given one.

    Rigorous for that set of matrices; whether the true kernel matrix belongs to it rests on the entry error
    that was stated. ``lower`` may be negative: nothing is then proved about positivity.
    """

    lower: float
    upper: float
    entry_error: float

    @property
    def positive(self) -> bool:
        """Whether every such matrix is strictly positive definite."""
        return self.lower > 0


def eigenvalue_bounds(matrix: ArrayLike, entry_error: float = 0.0) -> EigenvalueBounds:
    """Bounds of ``lambda_min`` of a symmetric float64 matrix, its entries off by at most ``entry_error``.

    Below: a floating-point Cholesky factorisation of ``B`` that runs to its end shows
    ``lambda_min(B) >= -g tr(B)``, ``g = gamma_{n+1} / (1 - gamma_{n+1})``, ``gamma_k = k u / (1 - k u)``,
    whatever the order of the operations (Rump 2006, BIT 46, Theorem 2.3); ``B = fl(A - mu)`` for a ``mu``
    just under the computed eigenvalue. Above: the Rayleigh quotient of the computed eigenvector with its
    rounding error. Entry errors move eigenvalues by at most ``n entry_error`` (Weyl). Costs one symmetric
    eigenproblem and a few factorisations, ``O(n^3)``.

    Raises :class:`DomainError` for a matrix that is not square, symmetric, finite and float64, or a negative
    error.

    >>> bounds = eigenvalue_bounds([[2.0, 1.0], [1.0, 2.0]])
    >>> bounds.lower <= 1 <= bounds.upper, bounds.upper - bounds.lower < 1e-13
    (True, True)
    """
    a = _checked(matrix)
    if isinstance(entry_error, bool) or not 0 <= entry_error < math.inf:
        raise DomainError(f"entry_error = {entry_error!r}", "a finite number >= 0")
    size = len(a)
    values, vectors = np.linalg.eigh(a)
    spread = _up(size * float(entry_error))
    upper = _up(_rayleigh(a, vectors[:, 0]) + spread)
    slack = _cholesky_slack(a)
    estimate, step = float(values[0]), max(2 * slack, 8 * size * UNIT * float(np.abs(values).max()), 1e-300)
    lower = -math.inf
    for _ in range(60):
        shift = estimate - step
        shifted = a.copy()
        diagonal = np.diagonal(a)
        np.fill_diagonal(shifted, diagonal - shift)
        lost = float(np.max(UNIT * np.abs(diagonal - shift))) * (1 + 4 * UNIT) + _TINY
        if _factorises(shifted):
            lower = _below(shift, lost, _cholesky_slack(shifted), spread)
            break
        step *= 4
    return EigenvalueBounds(lower, max(upper, lower), float(entry_error))


def _checked(matrix: ArrayLike) -> Array:
    a = np.asarray(matrix)
    if a.dtype != np.float64 or a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise DomainError(f"a matrix of shape {a.shape} and type {a.dtype}", "a square float64 matrix")
    if not np.isfinite(a).all():
        raise DomainError("a NaN or an infinity in the matrix", "finite entries")
    if not np.array_equal(a, a.T):
        raise DomainError("a matrix that is not symmetric", "a symmetric one", "use (K + K.T)/2")
    return a


def _factorises(matrix: Array) -> bool:
    try:
        return bool(np.isfinite(np.linalg.cholesky(matrix)).all())
    except np.linalg.LinAlgError:
        return False


def _cholesky_slack(matrix: Array) -> float:
    """``g tr(B)`` and what underflow can add, rounded up."""
    size = len(matrix)
    gamma = (size + 1) * UNIT / (1 - (size + 1) * UNIT)
    diagonal = np.diagonal(matrix)
    trace = math.fsum(np.abs(diagonal)) * (1 + 4 * UNIT)
    underflow = 4 * size * (2 * (size + 1) + float(np.max(np.abs(diagonal)))) * _TINY
    return _up(_up(gamma / (1 - gamma) * (1 + 16 * UNIT) * trace) + underflow)


def _rayleigh(matrix: Array, vector: Array) -> float:
    """An upper bound of ``v^T A v / v^T v``."""
    size = len(vector)
    norm = math.fsum(float(e) * float(e) for e in vector)
    image = matrix @ vector
    product = math.fsum(float(e) * float(f) for e, f in zip(vector, image, strict=True))
    mass = float(np.abs(vector) @ (np.abs(matrix) @ np.abs(vector)))
    error = (size + 4) * UNIT / (1 - (size + 4) * UNIT) * mass * (1 + 4 * size * UNIT) + size * size * _TINY
    top = _up(product + error)
    return _up(_up(top / norm) * (1 + 8 * UNIT) if top > 0 else top / norm * (1 - 8 * UNIT))


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)


def _below(shift: float, *losses: float) -> float:
    """At most ``shift - sum(losses)``, the rounding of the subtraction included."""
    size = abs(shift) + sum(losses)
    return math.nextafter(shift - sum(losses) - 8 * UNIT * size, -math.inf)
