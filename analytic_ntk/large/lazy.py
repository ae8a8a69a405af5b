"""The kernel matrix as a lazy Dask array."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from analytic_ntk.errors import DomainError
from analytic_ntk.large.blocks import Blocks, block

if TYPE_CHECKING:
    import dask.array


def require(package: str) -> None:
    """Raise :class:`DomainError` where a package of the extra ``large`` is not installed."""
    from importlib import import_module

    try:
        import_module(package)
    except ImportError:
        raise DomainError(
            f"a question that needs {package}, which is not installed",
            "the extra large",
            'run python -m pip install "analytic-ntk[large]"',
        ) from None


def lazy(blocks: Blocks) -> dask.array.Array:
    """A Dask array of ``blocks.shape``: nothing is computed yet, symmetric blocks once.

    Each task is a function of the rows and columns of its block alone: any scheduler (threads, processes,
    ``dask.distributed``) gives the same bits, also where tasks are repeated because a worker was lost.
    """
    require("dask.array")
    import dask.array as da
    from dask.delayed import delayed

    name = f"{blocks.kernel}-{blocks.chunks}-{digest(blocks)[:24]}"
    n, m = blocks.shape
    rows, columns = blocks.counts
    inputs = [_literal(blocks.X[blocks.slice(i)], f"{name}-X-{i}") for i in range(rows)]
    others = inputs
    if blocks.Y is not None:
        others = [_literal(blocks.Y[blocks.slice(j)], f"{name}-Y-{j}") for j in range(columns)]
    known: dict[tuple[int, int], Any] = {}
    for i, j in blocks.wanted():
        second = None if blocks.Y is None and i == j else others[j]
        known[i, j] = delayed(block, pure=True)(
            blocks.layers, inputs[i], second, blocks.kernel, dask_key_name=(name, i, j)
        )
        if blocks.Y is None and i != j:
            known[j, i] = delayed(_transposed, pure=True)(known[i, j], dask_key_name=(name, j, i))

    def shape(i: int, j: int) -> tuple[int, int]:
        return min(blocks.chunks, n - i * blocks.chunks), min(blocks.chunks, m - j * blocks.chunks)

    return da.block(
        [
            [da.from_delayed(known[i, j], shape(i, j), blocks.dtype) for j in range(columns)]
            for i in range(rows)
        ]
    )


def digest(blocks: Blocks) -> str:
    """SHA-256 of all that the entries depend on, but for versions; not of ``chunks``."""
    found = hashlib.sha256(f"{blocks.layers!r} {blocks.kernel}".encode())
    for array in (blocks.X, blocks.Y):
        if array is None:
            found.update(b"against itself")
        else:
            found.update(f"{array.shape} {array.dtype.str}".encode())
            found.update(array.tobytes())
    return found.hexdigest()


def _literal(array: Any, name: str) -> Any:
    """Sent once, not with each task that reads it."""
    from dask.delayed import delayed

    return delayed(array, name=name)


def _transposed(matrix: Any) -> Any:
    return matrix.T
