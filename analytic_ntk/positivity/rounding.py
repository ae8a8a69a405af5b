"""The least eigenvalue of a float64 matrix, with every rounding error accounted for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Reasoned, text_above, text_below
from analytic_ntk.errors import DomainError

UNIT = 2.0**-53
_TINY = 2.0**-1074
_CHUNK = 64
_FAR = 200

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EigenvalueBounds(Reasoned):
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

    def __str__(self) -> str:
        proved = (
            "each is strictly positive definite" if self.positive else "nothing is proved about positivity"
        )
        return "\n".join(
            [
                f"{text_below(self.lower)} <= lambda_min <= {text_above(self.upper)}",
                "for every symmetric matrix whose entries are within "
                f"{text_above(self.entry_error)} of those given: {proved}",
            ]
        )


def eigenvalue_bounds(matrix: ArrayLike, entry_error: float | ArrayLike = 0.0) -> EigenvalueBounds:
    """Bounds of ``lambda_min`` of a symmetric float64 matrix, its entries off by at most ``entry_error``.

    ``entry_error``: one number, or a number for each entry, shape ``(N, N)``.

    Below: a floating-point Cholesky factorisation of ``B`` that runs to its end shows
    ``lambda_min(B) >= -g tr(B)``, ``g = gamma_{n+2} / (1 - gamma_{n+2})``, ``gamma_k = k u / (1 - k u)``,
    whatever the order of the operations (Rump 2006, BIT 46, Theorem 2.3); ``B = fl(A - mu)``, and ``mu``
    moves up to the eigenvalue. Where that leaves nothing, ``B = D^-1 A D^-1`` with powers of 2 in ``D``:
    ``lambda_min(A) >= min D^2 lambda_min(B)``. Above: the Rayleigh quotient of an approximate eigenvector
    (inverse Lanczos steps with the factors at hand) with its rounding error. Entry errors ``E`` move
    eigenvalues by at most ``max_i sum_j E_ij`` (Weyl). Costs some four factorisations and thirty
    solves: for thousands of rows less than an eigenvalue solver.

    Raises :class:`DomainError` for a matrix that is not square, symmetric, finite and float64, or for
    errors that are not non-negative, finite and symmetric.

    >>> bounds = eigenvalue_bounds([[2.0, 1.0], [1.0, 2.0]])
    >>> bounds.lower <= 1 <= bounds.upper, bounds.upper - bounds.lower < 1e-13
    (True, True)
    """
    a = _checked(matrix)
    return bounds_of(a, _checked_error(entry_error, len(a)))


def bounds_of(a: Array, error: Array) -> EigenvalueBounds:
    """As :func:`eigenvalue_bounds`, for arguments known to be good; ``error`` of shape () or (N, N)."""
    top, size = float(np.max(error)), max(float(np.max(a)), -float(np.min(a)))
    if size == 0:
        spread = _norm_bound(error, len(a))
        return EigenvalueBounds(-spread, spread, top)
    exponent = math.frexp(size)[1]
    if abs(exponent) > _FAR:  # squares would overflow or vanish
        with np.errstate(over="ignore"):  # infinite errors leave infinite bounds
            a, error = np.ldexp(a, -exponent), np.ldexp(error, -exponent) + 2 * _TINY
    else:
        exponent = 0
    spread = _norm_bound(error, len(a))
    if not math.isfinite(spread):
        return EigenvalueBounds(-math.inf, math.inf, top)
    lower, upper = _search(a, spread)
    if lower <= 0:
        lower = max(lower, _scaled_lower(a, error))
    if exponent:
        lower, upper = _down(_times_power(lower, exponent)), _up(_times_power(upper, exponent))
    return EigenvalueBounds(lower, max(upper, lower), top)


def _norm_bound(error: Array, size: int) -> float:
    """``max_i sum_j error_ij``, rounded up."""
    rows = size * float(error) if error.ndim == 0 else float(np.max(error.sum(axis=1)))
    return rows * (1 + 4 * size * UNIT)


def _search(a: Array, spread: float) -> tuple[float, float]:
    """Move a shift, proved to lie below the eigenvalue, up to the Rayleigh quotient."""
    slack, place = _cholesky_slack(a), np.empty(a.shape, order="F")
    vector, guesses = _rough(a, np.random.default_rng(len(a)).standard_normal(len(a)))
    # of a kernel matrix the last is a lower bound, whatever its rank
    for shift in (*guesses, 0.0, -2 * (spread + 2 * slack)):
        factor = _factor(a, shift, place)
        if factor is not None:
            break
    else:
        step = max(2 * slack, 1e-300)
        estimate = float(np.linalg.eigvalsh(a)[0])
        for _ in range(_TRIES):
            shift = estimate - step
            factor = _factor(a, shift, place)
            if factor is not None:
                break
            step *= 4
    if factor is None:
        return -math.inf, _up(_rayleigh(a, vector) + spread)
    lower = _proved(a, shift, spread)
    for steps in _STEPS[shift in guesses :]:
        vector, quotient, miss = _ritz(a, factor, vector, steps)
        left = quotient - shift
        least = max(2 * slack + 4 * UNIT * abs(quotient), spread / 2)
        if left <= 2 * least or not math.isfinite(left):
            break
        step = max(least, min(miss / 8, left / 4))
        near = step == least
        while step < left:
            found = _factor(a, quotient - step, place)
            if found is not None:
                shift, factor = quotient - step, found
                lower = max(lower, _proved(a, shift, spread))
                break
            step *= 4
            near = False
        if step >= left or near:
            break
    return lower, _up(_rayleigh(a, vector) + spread)


def _rough(a: Array, start: Array) -> tuple[Array, tuple[float, ...]]:
    """An approximate eigenvector, and shifts that may lie below its eigenvalue: the first of the steps, in
    single precision, which takes half the time. It proves nothing."""
    with np.errstate(over="ignore"):
        single = a.astype(np.float32)
    factor = _factor(single, 0.0, np.empty(a.shape, np.float32, order="F"))
    if factor is None:
        return start, ()
    vector, quotient, miss = _ritz(a, factor, start, _STEPS[0])
    least = 2.0**-20 * float(np.max(np.diagonal(a)))
    return vector, tuple(quotient - max(miss * part, least) for part in (1 / 8, 1 / 2) if miss < quotient)


_TRIES = 60
_STEPS = (16, 7, 5, 4, 4, 4)
"""Lanczos steps between two moves of the shift; the last moves are seldom needed."""


def _ritz(a: Array, factor: NDArray[np.floating], start: Array, steps: int) -> tuple[Array, float, float]:
    """The least Ritz vector in the Krylov space of the inverse, its quotient, and about how far that is off:
    the square of the residual over the distance to the next (never more than the residual)."""
    # the library of the solves: numpy's has threads of its own, and two pools get in each other's way
    from scipy.linalg.blas import dgemm, dgemv  # slow to load
    from scipy.linalg.lapack import dpotrs, spotrs

    solve = spotrs if factor.dtype == np.float32 else dpotrs
    space = np.empty((len(a), min(steps, len(a))), order="F")
    space[:, 0] = start / np.linalg.norm(start)
    count = 1
    while count < space.shape[1]:
        following = solve(factor, space[:, count - 1].astype(factor.dtype), lower=1)[0].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # a factor of tiny pivots: the steps end below
            following /= np.linalg.norm(following) or 1.0
        known = space[:, :count]
        for _ in range(2):
            following = dgemv(-1.0, known, dgemv(1.0, known, following, trans=1), 1.0, following)
        size = float(np.linalg.norm(following))
        if not size > 1e-12:
            break
        space[:, count] = following / size
        count += 1
    space = space[:, :count]
    image = dgemm(1.0, a.T, space)
    small = dgemm(1.0, space, image, trans_a=1)
    values, vectors = np.linalg.eigh((small + small.T) / 2)
    vector = space @ vectors[:, 0]
    residual = float(np.linalg.norm(image @ vectors[:, 0] - values[0] * vector))
    apart = float(values[1] - values[0]) if len(values) > 1 else 0.0
    return vector, float(values[0]), residual * min(1.0, residual / apart) if apart > 0 else residual


def _proved(a: Array, shift: float, spread: float) -> float:
    """What a factorisation of ``fl(A - shift)`` that ran to its end proves."""
    moved = np.diagonal(a) - shift
    lost = float(np.max(UNIT * np.abs(moved))) * (1 + 4 * UNIT) + _TINY
    return _below(shift, lost, _cholesky_slack_of(moved), spread)


def _scaled_lower(a: Array, error: Array) -> float:
    """``min D^2 lambda_min(D^-1 A D^-1)`` where that is positive; ``-inf`` else."""
    diagonal = np.diagonal(a)
    if not (diagonal > 0).all():
        return -math.inf
    exponents = np.round(np.log2(diagonal) / 2).astype(int)
    if exponents.max() - exponents.min() < 2 or np.abs(exponents).max() > 200:
        return -math.inf  # nothing to win, or a scaling that could underflow
    both = exponents[:, None] + exponents[None, :]
    scaled = np.ldexp(a, -both)
    if not np.array_equal(np.ldexp(scaled, both), a):
        return -math.inf
    errors = np.ldexp(np.broadcast_to(error, a.shape), -both) + _TINY
    lower, _ = _search(scaled, _norm_bound(errors, len(a)))
    return _down(math.ldexp(lower, 2 * int(exponents.min()))) if lower > 0 else -math.inf


def _checked(matrix: ArrayLike) -> Array:
    a = np.asarray(matrix)
    if a.dtype != np.float64 or a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise DomainError(f"a matrix of shape {a.shape} and type {a.dtype}", "a square float64 matrix")
    if not np.isfinite(a).all():
        raise DomainError("a NaN or an infinity in the matrix", "finite entries")
    if not np.array_equal(a, a.T):
        raise DomainError("a matrix that is not symmetric", "a symmetric one", "use (K + K.T)/2")
    return a


def _checked_error(entry_error: float | ArrayLike, size: int) -> Array:
    error = np.asarray(entry_error)
    if error.dtype.kind not in "fiu" or error.shape not in ((), (size, size)):
        raise DomainError(
            f"entry_error of shape {error.shape} and type {error.dtype}", f"a number, or ({size}, {size})"
        )
    if not (np.isfinite(error).all() and (error >= 0).all()):
        raise DomainError(f"entry_error = {entry_error!r}"[:100], "finite numbers >= 0")
    if error.ndim and not np.array_equal(error, error.T):
        raise DomainError("entry errors that are not symmetric", "symmetric ones", "np.maximum(E, E.T)")
    return error.astype(np.float64)


def _factor(
    a: NDArray[np.floating], shift: float, place: NDArray[np.floating]
) -> NDArray[np.floating] | None:
    """The Cholesky factor of ``fl(A - shift)`` (in the lower triangle), if the algorithm runs to its end.

    It is written to ``place``.
    """
    from scipy.linalg.lapack import dpotrf, spotrf  # slow to load

    np.copyto(place, a.T)
    np.fill_diagonal(place, np.diagonal(a) - a.dtype.type(shift))
    factorise = spotrf if a.dtype == np.float32 else dpotrf
    factor, failed = factorise(place, lower=1, clean=0, overwrite_a=1)
    return None if failed or not np.isfinite(np.diagonal(factor)).all() else factor


def _cholesky_slack(matrix: Array) -> float:
    return _cholesky_slack_of(np.diagonal(matrix))


def _cholesky_slack_of(diagonal: Array) -> float:
    """``g tr(B)`` and what underflow can add, rounded up; one rounding more than the theorem asks for, since
    libraries divide by a pivot by multiplying with its reciprocal."""
    size = len(diagonal)
    gamma = (size + 2) * UNIT / (1 - (size + 2) * UNIT)
    trace = math.fsum(np.abs(diagonal)) * (1 + 4 * UNIT)
    underflow = 4 * size * (2 * (size + 1) + float(np.max(np.abs(diagonal)))) * _TINY
    return _up(_up(gamma / (1 - gamma) * (1 + 16 * UNIT) * trace) + underflow)


def _rayleigh(matrix: Array, vector: Array) -> float:
    """An upper bound of ``v^T A v / v^T v``."""
    size = len(vector)
    from scipy.linalg.blas import dgemv  # slow to load

    norm = math.fsum((vector * vector).tolist())
    image = dgemv(1.0, matrix.T, vector)
    product = math.fsum((vector * image).tolist())
    magnitude = np.abs(vector)
    mass = sum(
        float(magnitude[k : k + _CHUNK] @ (np.abs(matrix[k : k + _CHUNK]) @ magnitude))
        for k in range(0, size, _CHUNK)
    )
    error = (size + 4) * UNIT / (1 - (size + 4) * UNIT) * mass * (1 + 4 * size * UNIT) + size * size * _TINY
    top = _up(product + error)
    return _up(_up(top / norm) * (1 + 8 * UNIT) if top > 0 else top / norm * (1 - 8 * UNIT))


def _times_power(value: float, exponent: int) -> float:
    """``value 2^exponent``, infinite where float64 ends."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)


def _down(value: float) -> float:
    return math.nextafter(value, -math.inf)


def _below(shift: float, *losses: float) -> float:
    """At most ``shift - sum(losses)``, the rounding of the subtraction included."""
    size = abs(shift) + sum(losses)
    return math.nextafter(shift - sum(losses) - 8 * UNIT * size, -math.inf)
