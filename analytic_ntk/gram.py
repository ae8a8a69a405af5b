"""Float64 kernel matrices of real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64
from analytic_ntk.systems.protocol import Arithmetic

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Push = Callable[[Pair, Arithmetic], Pair]
BLOCK_PAIRS = 1 << 18
"""Pairs handled at once: bounds the memory beyond the result."""
NEAR = 0.9
"""Above this |rho| the gap is computed from differences of directions, not from the product."""


def gram(
    push: Push, activations: tuple[Activation, ...], X: ArrayLike, Y: ArrayLike | None, kernel: str
) -> Array | tuple[Array, Array]:
    """NNGP and NTK matrices in float64.

    ``X`` is ``(n, d)``, ``Y`` is ``(m, d)`` (or absent: ``X`` against itself, exactly symmetric); the
    result is ``(n, m)``, for ``kernel="both"`` the two matrices ``(nngp, ntk)``. Kind of answer: float64,
    relative to ``sqrt(K(x,x) K(y,y))`` accurate to about 1e-13 per layer times the condition number of the
    depth recursion (a chaotic network amplifies rounding). Duplicate rows give equal entries, zero rows
    are fine. Raises :class:`DomainError` for other shapes, for complex or non-finite entries, for an
    infinite expectation and for kernels that overflow float64.
    """
    if kernel not in ("nngp", "ntk", "both"):
        raise DomainError(f"kernel = {kernel!r}", '"nngp", "ntk" or "both"')
    for phi in activations:
        phi.require_numeric()
    first = _data(X, "X")
    second = first if Y is None else _data(Y, "Y")
    if first.shape[1] != second.shape[1]:
        raise DomainError(f"X with {first.shape[1]} and Y with {second.shape[1]} columns", "equal dimensions")
    same = Y is None
    n, m = len(first), len(second)
    nngp, ntk = np.empty((n, m)), np.empty((n, m))
    one, two = _Inputs(first), _Inputs(second)
    for rows, columns in _pairs(n, m, same):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
            result = push(_input_pair(one, two, rows, columns), Float64())
        for matrix, values in ((nngp, result.q12), (ntk, result.ntk)):
            if not np.all(np.isfinite(values)):
                raise DomainError(
                    "a kernel value too large for float64",
                    "finite kernels",
                    "rescale the inputs or the variances, or use Network.certified for single pairs",
                )
            matrix[rows, columns] = values
            if same:
                matrix[columns, rows] = values
    return (nngp, ntk) if kernel == "both" else nngp if kernel == "nngp" else ntk


def _data(value: ArrayLike, name: str) -> Array:
    array = np.asarray(value)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise DomainError(f"{name} of dtype {array.dtype}", "real numbers", "convert to float64")
    if array.ndim != 2:
        raise DomainError(
            f"{name} of shape {array.shape}",
            "a matrix (n, d)",
            f"use {name}.reshape(-1, 1) for scalar inputs",
        )
    if 0 in array.shape:
        raise DomainError(f"{name} of shape {array.shape}", "at least one row and one column")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DomainError(
            f"{name}[{row}, {column}] = {array[row, column]}", "finite numbers", "clean the data"
        )
    return array


class _Inputs:
    """Rows with their squared norms per dimension and their directions."""

    def __init__(self, data: Array) -> None:
        scale = np.max(np.abs(data), axis=1)
        safe = np.where(scale > 0, scale, 1.0)
        unit = data / safe[:, None]
        length = np.sqrt(np.sum(unit * unit, axis=1))
        self.direction = unit / np.where(length > 0, length, 1.0)[:, None]
        self.data, self.length = data, scale * length
        with np.errstate(over="ignore"):
            self.q = np.sum(data * data, axis=1) / data.shape[1]
        lost = (scale > 0) & ((self.q < np.finfo(float).tiny) | ~np.isfinite(self.q))
        if np.any(lost):
            row = int(np.argmax(lost))
            raise DomainError(
                f"row {row} with entries of size {scale[row]:.3g}",
                "squared norms that float64 can hold",
                "rescale",
            )


def _pairs(n: int, m: int, same: bool) -> Iterator[tuple[Index, Index]]:
    """Index pairs in blocks of whole rows (from the diagonal on, for a symmetric matrix)."""
    start = 0
    while start < n:
        stop = start
        size = 0
        while stop < n and (size == 0 or size + m - (stop if same else 0) <= BLOCK_PAIRS):
            size += m - (stop if same else 0)
            stop += 1
        rows, columns = np.meshgrid(np.arange(start, stop), np.arange(m), indexing="ij")
        if same:
            keep = columns >= rows
            yield rows[keep], columns[keep]
        else:
            yield rows.ravel(), columns.ravel()
        start = stop


def _defect(one: _Inputs, two: _Inputs, rows: Index, columns: Index, sign: Array) -> Array:
    """``1 - |rho|`` of near-parallel inputs with full relative accuracy.

    With ``c = |x| / |y|`` rounded, ``x -+ c y`` is formed without error in ``c y`` (Dekker's product), so
    that its part orthogonal to ``y``, ``|x| sin theta``, keeps its digits however small the angle and however
    different the norms; ``1 - cos = sin^2 / (1 + sqrt(1 - sin^2))``.
    """
    x, y = one.data[rows], sign * two.data[columns]
    ratio = (one.length[rows] / two.length[columns])[:, None]
    product = ratio * y
    residual = (x - product) - _product_error(ratio, y, product)
    along = np.sum(residual * (sign * two.direction[columns]), axis=1)
    length = one.length[rows]
    square = np.maximum(np.sum(residual * residual, axis=1) - along * along, 0.0) / (length * length)
    return square / (1.0 + np.sqrt(1.0 - square))


def _product_error(a: Array, b: Array, product: Array) -> Array:
    """``a b - fl(a b)``, exactly (Dekker 1971)."""
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Array) -> tuple[Array, Array]:
    scaled = 134217729.0 * a  # 2^27 + 1 (Veltkamp)
    high = scaled - (scaled - a)
    return high, a - high


def _input_pair(one: _Inputs, two: _Inputs, rows: Index, columns: Index) -> Pair:
    """The input covariances of a block of pairs, near-parallel ones from differences of directions."""
    q11, q22 = one.q[rows], two.q[columns]
    first, last = int(rows.min()), int(rows.max())
    cosines = (one.direction[first : last + 1] @ two.direction.T)[rows - first, columns]
    root = np.sqrt(q11) * np.sqrt(q22)
    defect = 1.0 - np.abs(cosines)
    near = np.flatnonzero(np.abs(cosines) > NEAR)
    step = max(1, (1 << 20) // one.direction.shape[1])
    for begin in range(0, len(near), step):
        chosen = near[begin : begin + step]
        defect[chosen] = _defect(one, two, rows[chosen], columns[chosen], np.sign(cosines[chosen])[:, None])
    gap = root * defect
    q12 = np.copysign(root - gap, cosines)
    zero = root == 0
    gap[zero], q12[zero] = 0.0, 0.0
    equal = (defect == 0.0) & (q11 == q22) & (cosines > 0)
    q12[equal] = q11[equal]
    return Pair(q11, q22, q12, np.zeros_like(q12), gap)
