"""Kernel matrices that are never formed: products with vectors, tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.tiles import one_thread_each
from analytic_ntk.large.blocks import TILE, Blocks, blocks_of, tiles
from analytic_ntk.large.progress import bar
from analytic_ntk.network import Network, require_network

Array = NDArray[np.float64]
_BAND = 1 << 26
"""Bytes of the rows of a stored matrix that are read at once."""


def gram_operator(
    network: Network, X: ArrayLike, Y: ArrayLike | None = None, kernel: str = "ntk", progress: bool = False
) -> LinearOperator:
    """The kernel matrix of ``X`` ``(n, d)`` against ``Y`` ``(m, d)`` as a linear operator ``(n, m)``.

    Every product computes the tiles again, those of a symmetric matrix once for both sides: memory for one
    tile and the vectors. Products with ``(m, k)`` matrices cost little more than with one vector. Kind of
    answer: float64, entries as :func:`analytic_ntk.gram.gram` gives them. ``progress`` shows a bar for each
    product. Raises :class:`DomainError` as it does.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.large import gram_operator
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> K = gram_operator(network, np.eye(3), kernel="nngp")
    >>> K @ np.ones(3)
    array([1.09107985, 1.09107985, 1.09107985])
    """
    require_network(network)
    blocks = blocks_of(network.layers, X, Y, kernel, TILE)

    def forward(vectors: Array) -> Array:
        return _product(blocks, vectors, False, progress)

    def backward(vectors: Array) -> Array:
        return _product(blocks, vectors, blocks.Y is not None, progress)

    return LinearOperator(
        blocks.shape, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward, dtype=np.float64
    )


def stored_operator(matrix: Any) -> LinearOperator:
    """A matrix on disk (``numpy.memmap``, ``zarr.Array``), or any array of two dimensions, as an operator.

    Every product reads the matrix once, in bands of rows; of a Zarr array chunk by chunk. Raises
    :class:`DomainError` for anything else.
    """
    shape, dtype = getattr(matrix, "shape", None), getattr(matrix, "dtype", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or 0 in shape or np.dtype(dtype).kind != "f":
        raise DomainError(f"a matrix of type {type(matrix).__name__}", "a real array of shape (n, m) on disk")
    n, m = shape
    rows = max(1, _BAND // (m * np.dtype(dtype).itemsize))
    sides = getattr(matrix, "chunks", (rows, m))
    places = [
        (slice(i, min(i + sides[0], n)), slice(j, min(j + sides[1], m)))
        for i in range(0, n, sides[0])
        for j in range(0, m, sides[1])
    ]

    def forward(vectors: Array) -> Array:
        result = _zeros(n, vectors)
        for i, j in places:
            result[i] += np.asarray(matrix[i, j]) @ vectors[j]
        return _finite(result)

    def backward(vectors: Array) -> Array:
        result = _zeros(m, vectors)
        for i, j in places:
            result[j] += np.asarray(matrix[i, j]).T @ vectors[i]
        return _finite(result)

    return LinearOperator(
        (n, m), matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward, dtype=np.float64
    )


def _zeros(count: int, vectors: Array) -> Array:
    return np.zeros((count, *vectors.shape[1:]), np.result_type(vectors.dtype, np.float64))


def _finite(product: Array) -> Array:
    if not np.all(np.isfinite(product)):
        raise DomainError(
            "a product that is not finite",
            "a matrix and vectors of finite numbers",
            "look for nan and inf in them",
        )
    return product


def _product(blocks: Blocks, vectors: Array, transposed: bool, progress: bool) -> Array:
    n, m = blocks.shape
    result = _zeros(m if transposed else n, vectors)
    # products of tiles are too short for the threads of a BLAS, which would wait for each other
    with one_thread_each(), bar(n * m, "product", progress) as step:
        for rows, columns, tile in tiles(blocks.layers, blocks.X, blocks.Y, blocks.kernel, step):
            if not transposed:
                result[rows] += tile @ vectors[columns]
            if transposed or (blocks.Y is None and rows != columns):
                result[columns] += tile.T @ vectors[rows]
    return _finite(result)
