"""A kernel matrix in blocks, none of whose bits depends on how it is cut.

The rows and columns are cut into tiles of :data:`TILE`, counted from the first; the entries of a tile are
computed by one call of :func:`analytic_ntk.gram.gram` on its rows and its columns. A block is whole tiles, so
neither its size nor the order of the blocks changes a bit. Between machines, versions of numpy and its
BLAS, or with and without numba, the last digits may differ; so may rows of equal inputs in different tiles.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gram import data, gram
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.gram.tiles import one_thread_each
from analytic_ntk.layers import Layer

Matrix = NDArray[np.floating]
TILE = 1024
BAND = 8
"""Rows of a matrix on disk that are computed again to see whether it is the one asked for."""
MAX_BLOCK = 1 << 31
"""Bytes of a block. A worker holds a block, its transpose and one copy that is being written."""
_ONE_AT_A_TIME = threading.Lock()
"""A tile uses all cores by itself; and the number of threads of the BLAS belongs to the whole process."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """The kernel matrix of ``X`` ``(n, d)`` against ``Y`` ``(m, d)``, cut into blocks of ``chunks`` rows and
    columns. ``Y = None``: against itself; of each two symmetric blocks one is computed."""

    layers: tuple[Layer, ...]
    X: Matrix
    Y: Matrix | None
    kernel: str
    chunks: int

    @property
    def columns(self) -> Matrix:
        return self.X if self.Y is None else self.Y

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.X), len(self.columns)

    @property
    def dtype(self) -> np.dtype:
        return np.result_type(self.X.dtype, self.columns.dtype)

    @property
    def counts(self) -> tuple[int, int]:
        """Blocks in a column and in a row."""
        rows, columns = (-(-size // self.chunks) for size in self.shape)
        return rows, columns

    def wanted(self) -> Iterator[tuple[int, int]]:
        """The blocks to be computed: of a symmetric matrix those on and below the diagonal."""
        for i in range(self.counts[0]):
            for j in range(i + 1 if self.Y is None else self.counts[1]):
                yield i, j

    def slice(self, index: int) -> slice:
        return slice(index * self.chunks, (index + 1) * self.chunks)

    def block(self, i: int, j: int) -> Matrix:
        return block(self.layers, *self.arguments(i, j))

    def arguments(self, i: int, j: int) -> tuple[Matrix, Matrix | None, str]:
        """What :func:`block` needs for one block."""
        own = self.Y is None and i == j
        return self.X[self.slice(i)], None if own else self.columns[self.slice(j)], self.kernel


def blocks_of(layers: Sequence[Layer], X: ArrayLike, Y: ArrayLike | None, kernel: str, chunks: int) -> Blocks:
    """The blocks, with everything checked that can be checked before the first is computed.

    Raises :class:`DomainError` for what :func:`analytic_ntk.gram.gram` refuses (among these: no rows,
    different dimensions, entries that are not finite, an infinite expectation, kernels that overflow),
    ``kernel="both"`` and ``chunks`` that are no multiple of :data:`TILE` or make a block of more than 2 GiB.
    """
    if kernel not in ("nngp", "ntk"):
        raise DomainError(
            f"kernel = {kernel!r}", '"nngp" or "ntk"', "a matrix in blocks is of one kernel; ask twice"
        )
    first = _real(X, "X")
    second = None if Y is None else _real(Y, "Y")
    columns = first if second is None else second
    if first.shape[1] != columns.shape[1]:
        raise DomainError(
            f"X with {first.shape[1]} and Y with {columns.shape[1]} columns", "equal dimensions"
        )
    dtype = np.result_type(first.dtype, columns.dtype)
    chunks = require_chunks(chunks, first.shape[0], columns.shape[0], dtype)
    ends = []
    for rows in (first, columns):
        norms = Inputs(np.asarray(rows, np.float64)).q
        ends.append(rows[[int(norms.argmin()), int(norms.argmax())]])
    gram(layers, ends[0], ends[1], kernel)  # what it refuses, it refuses here
    return Blocks(tuple(layers), first, second, kernel, chunks)


def require_chunks(chunks: int, n: int, m: int, dtype: np.dtype) -> int:
    if isinstance(chunks, bool) or not isinstance(chunks, (int, np.integer)) or chunks < 1 or chunks % TILE:
        raise DomainError(f"chunks = {chunks!r}", f"a positive multiple of {TILE}", f"chunks={4 * TILE}")
    size = min(chunks, n) * min(chunks, m) * dtype.itemsize
    if size > MAX_BLOCK:
        side = int((MAX_BLOCK / dtype.itemsize) ** 0.5) // TILE * TILE
        raise DomainError(
            f"chunks = {chunks}, blocks of {size} bytes",
            f"blocks of at most {MAX_BLOCK} bytes",
            f"chunks={side} or smaller",
        )
    return int(chunks)


def require_entries(blocks: Blocks, matrix: Any, name: str) -> None:
    """Raise :class:`DomainError` unless the first rows of a matrix that is said to be that of ``blocks`` are.

    The tolerance, half of the digits, leaves room for other versions and processors.
    """
    if matrix.shape != blocks.shape:
        raise DomainError(f"{name} of shape {matrix.shape}", f"{blocks.shape}")
    found = np.asarray(matrix[:BAND])
    true = block(blocks.layers, blocks.X[:BAND], blocks.columns, blocks.kernel)
    tolerance = float(np.finfo(np.result_type(found.dtype, np.float32)).eps ** 0.5)
    if not np.abs(found - true).max() <= tolerance * np.abs(true).max():
        raise DomainError(
            f"{name} with other entries than the kernel's", "the matrix of these inputs and this network"
        )


def block(layers: Sequence[Layer], rows: Matrix, columns: Matrix | None, kernel: str) -> Matrix:
    """One block; ``columns = None``: of rows against themselves, exactly symmetric."""
    others = rows if columns is None else columns
    result = np.empty((len(rows), len(others)), np.result_type(rows.dtype, others.dtype))
    with one_thread_each():  # said once: each tile would say it again
        for i, j, tile in tiles(layers, rows, columns, kernel, lambda count: None):
            result[i, j] = tile
            if columns is None and i != j:
                result[j, i] = tile.T
    return result


def tiles(
    layers: Sequence[Layer], X: Matrix, Y: Matrix | None, kernel: str, step: Callable[[int], None]
) -> Iterator[tuple[slice, slice, Matrix]]:
    """Each tile with its place; of a symmetric matrix those on and below the diagonal. ``step`` is called
    with the number of entries that a tile stands for."""
    others = X if Y is None else Y
    for i in range(0, len(X), TILE):
        for j in range(0, len(others) if Y is not None else i + 1, TILE):
            own = Y is None and i == j
            tile = _tile(layers, X[i : i + TILE], None if own else others[j : j + TILE], kernel)
            yield slice(i, i + TILE), slice(j, j + TILE), tile
            step(tile.size if own or Y is not None else 2 * tile.size)


def _tile(layers: Sequence[Layer], rows: Matrix, columns: Matrix | None, kernel: str) -> Matrix:
    with _ONE_AT_A_TIME:
        found = gram(layers, rows, columns, kernel)
    if isinstance(found, tuple):
        raise TypeError("two matrices where one was asked for")
    return found


def _real(value: ArrayLike, name: str) -> Matrix:
    """Checked; float32 stays, all else becomes float64. A copy: what the caller does later to his array
    changes no block."""
    single = getattr(value, "dtype", None) == np.float32
    return np.array(data(value, name), dtype=np.float32 if single else np.float64)
