"""The recursion in float64 on blocks of pairs: any norms, any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.inputs import Inputs, defect
from analytic_ntk.layers import Layer
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

Array = NDArray[np.float64]
Index = NDArray[np.intp]
BLOCK_PAIRS = 1 << 18
"""Pairs handled at once: bounds the memory beyond the result."""
NEAR = 0.9
"""Above this |rho| the gap is computed from differences of directions, not from the product."""


def fill_by_pairs(
    layers: Sequence[Layer], one: Inputs, two: Inputs, step: Callable[[int], None]
) -> tuple[Array, Array]:
    """NNGP and NTK matrices; symmetric if the inputs are the same object."""
    n, m, same = len(one.q), len(two.q), two is one
    nngp, ntk = np.empty((n, m)), np.empty((n, m))
    for rows, columns in index_pairs(n, m, same):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
            result = input_pair(one, two, rows, columns)
            for layer in layers:
                result = layer.push(result, Float64())
        for matrix, values in ((nngp, result.q12), (ntk, result.ntk)):
            require_finite(values)
            matrix[rows, columns] = values
            if same:
                matrix[columns, rows] = values
        step(int(rows[-1] - rows[0]) + 1)
    return nngp, ntk


def require_finite(values: NDArray[np.floating]) -> None:
    """Raise :class:`DomainError` where a kernel left the floats."""
    if not np.all(np.isfinite(values)):
        raise DomainError(
            f"a kernel value too large for {values.dtype}",
            "finite kernels",
            "rescale the inputs or the variances, or use Network.certified for single pairs",
        )


def index_pairs(n: int, m: int, same: bool) -> Iterator[tuple[Index, Index]]:
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


def of_pairs(layers: Sequence[Layer], one: Inputs, two: Inputs, rows: Index, columns: Index) -> Array:
    """NNGP and NTK of single pairs ``(2, pairs)``; infinite or nan where they leave the floats."""
    step = max(1, (1 << 22) // one.direction.shape[1])
    found = np.empty((2, len(rows)))
    for begin in range(0, len(rows), step):
        i, j = rows[begin : begin + step], columns[begin : begin + step]
        cosines = np.einsum("ij,ij->i", one.direction[i], two.direction[j])
        with np.errstate(over="ignore", invalid="ignore"):
            result = _covariances(one, two, i, j, cosines)
            for layer in layers:
                result = layer.push(result, Float64())
        found[:, begin : begin + step] = result.q12, result.ntk
    return found


def input_pair(one: Inputs, two: Inputs, rows: Index, columns: Index) -> Pair:
    """The input covariances of a block of pairs, near-parallel ones from differences of directions."""
    first, last = int(rows.min()), int(rows.max())
    cosines = (one.direction[first : last + 1] @ two.direction.T)[rows - first, columns]
    return _covariances(one, two, rows, columns, cosines)


def _covariances(one: Inputs, two: Inputs, rows: Index, columns: Index, cosines: Array) -> Pair:
    q11, q22 = one.q[rows], two.q[columns]
    root = np.sqrt(q11) * np.sqrt(q22)
    apart = 1.0 - np.abs(cosines)
    distance = q11 + q22 - 2.0 * root * cosines
    near = np.flatnonzero(np.abs(cosines) > NEAR)
    step = max(1, (1 << 20) // one.direction.shape[1])
    for begin in range(0, len(near), step):
        chosen = near[begin : begin + step]
        i, j = rows[chosen], columns[chosen]
        apart[chosen] = defect(one, two, i, j, np.sign(cosines[chosen])[:, None])
        distance[chosen] = np.mean((one.data[i] - two.data[j]) ** 2, axis=1)
    gap = root * apart
    q12 = np.copysign(root - gap, cosines)
    zero = root == 0
    gap[zero], q12[zero] = 0.0, 0.0
    equal = (apart == 0.0) & (q11 == q22) & (cosines > 0)
    q12[equal] = q11[equal]
    return Pair(q11, q22, q12, np.zeros_like(q12), gap, distance)
