"""Gram matrices in float64, each entry with a proved bound of its error."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.network import Network, require_network
from analytic_ntk.pair import Pair
from analytic_ntk.positivity.entries import Entries
from analytic_ntk.positivity.float_layers import Block, Diagonal, Known
from analytic_ntk.positivity.rounded import TINY, UNIT, Array, Rounded, gamma

MOST_POINTS = 5_000
_BLOCK = 1 << 16
"""Pairs handled at once: what a cache holds."""
_TILE = 128
COMPILED = importlib.util.find_spec("numba") is not None
MANY = 1 << 15
"""From so many entries on, compiled loops are loaded, where numba is installed."""
_THREADS, _LARGE = min(4, os.cpu_count() or 1), 1000
"""Threads take longer to agree than a small matrix does."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CertifiedGram(Shown):
    """The true Gram matrix lies within ``error`` of ``matrix``, entry by entry; both symmetric ``(N, N)``."""

    matrix: Array
    error: Array


def certified_gram(
    network: Network, X: Any, kernel: str = "ntk", progress: Progress | None = None
) -> CertifiedGram:
    """The limiting Gram matrix of the rows of ``X`` in float64, with a proved bound of every error.

    ``X``: a real array ``(N, d)``, ``N <= 5000``; its floats are taken as the binary numbers they are, the
    kernel's inputs are ``<x, y>/d``. Products of inputs are off by ``gamma_d |x| |y|``; a homogeneous
    activation is a function of the correlation alone (closed for degree 0 and 1: Cho, Saul 2009); any other
    is ``sum_k a_k(q11) a_k(q22) rho^k``, Hermite coefficients from ball arithmetic, the tail by Parseval.
    Each layer passes on the errors of the one before it, relative to ``sqrt(K(x,x) K(y,y))``. The bounds grow
    near ``|rho| = 1`` where an activation has a kink. Homogeneous activations cost no more than the
    arithmetic; any other needs coefficients for each variance that occurs, fast on a sphere, a table a point
    off it. Larger matrices are computed in compiled loops where numba is installed (the extra ``fast``).

    Raises :class:`DomainError` for other arrays, overflow, infinite expectations, an unknown kernel;
    :class:`PrecisionError` for a variance that float64 cannot tell from 0.

    >>> from analytic_ntk import Network, activations
    >>> found = certified_gram(Network.mlp(activations.relu, 1, 1, 0), [[1.0, 0.0], [0.0, 1.0]])
    >>> found.matrix.round(4).tolist(), bool(found.error.max() < 1e-14)
    ([[0.5, 0.0796], [0.0796, 0.5]], True)
    """
    require_network(network)
    if kernel not in ("ntk", "nngp"):
        raise DomainError(f"kernel = {kernel!r}", '"ntk" or "nngp"')
    for phi in network.activations:
        phi.require_numeric()
    data = _data(X)
    with _quiet():
        return _filled(network, data, kernel, progress or (lambda done, total, name: None))


def _filled(network: Network, data: Array, kernel: str, progress: Progress) -> CertifiedGram:
    size, dim = data.shape
    products = data @ data.T
    norms = np.diagonal(products).copy()
    wrong = gamma(dim + 2)
    per_dim = Rounded.exact(float(dim))
    lost = 4 * TINY * dim  # to underflow
    q = Rounded(norms, wrong * norms * (1 + 8 * UNIT) + lost) / per_dim
    zero = ~data.any(axis=1)
    q = Rounded(np.where(zero, 0.0, q.value), np.where(zero, 0.0, q.error)).require_finite()
    top = float(np.max(q.value + q.error)) * (1 + 4 * UNIT)
    first = Diagonal()
    nothing = Rounded.exact(0.0)
    progress(0, size, "variances")
    whole = network.push(Pair(q, q, q, nothing), first)
    own = (whole.ntk if kernel == "ntk" else whole.q12).require_finite()
    length = np.broadcast_to(np.sqrt(own.value + own.error) * (1 + 4 * UNIT), (size,))
    matrix = products  # every block reads its own, then takes their place
    fast = COMPILED and size * size >= MANY

    def fill(rows: slice) -> tuple[slice, Entries]:
        columns = slice(rows.start, size)
        with _quiet():  # each thread has its own state
            # gamma_d |x||y| for the product, as much as a rounding more for the division by d
            cross = Entries(products[rows, columns] / dim, wrong, top, lost)
            np.fill_diagonal(cross.value, 0.0)  # any number will do: it is taken from the first pass
            pair = Pair(Known(), Known(), cross, nothing)
            found = network.push(pair, Block.after(first, rows, columns, fast))
            result = found.ntk if kernel == "ntk" else found.q12
            matrix[rows, columns] = result.value
        return rows, result.without_values()

    bounds = []
    with ThreadPoolExecutor(_THREADS if size >= _LARGE else 1) as pool:
        for rows, bound in pool.map(fill, _blocks(size)):
            bounds.append((rows, bound))
            progress(rows.stop, size, "rows")
    np.fill_diagonal(matrix, own.value)
    _mirror(matrix)
    error = _errors(bounds, length)
    np.fill_diagonal(error, own.error)
    Rounded(matrix, error).require_finite()
    return CertifiedGram(matrix, error)


def _errors(bounds: list[tuple[slice, Entries]], length: Array) -> Array:
    """Symmetric errors from those of blocks of rows, each from the diagonal on."""
    if all(np.ndim(bound.error) == 0 for _, bound in bounds):
        most = float(np.max([bound.error for _, bound in bounds]))
        lost = float(np.max([bound.lost for _, bound in bounds]))
        return Entries(np.zeros(()), most, 0.0, lost).absolute(length[:, None], length[None, :])
    error = np.empty((len(length), len(length)))
    for rows, bound in bounds:
        error[rows, rows.start :] = bound.absolute(length[rows, None], length[None, rows.start :])
    _mirror(error)
    return error


def _quiet() -> np.errstate:
    """What overflows is refused at the end."""
    return np.errstate(over="ignore", invalid="ignore", under="ignore")


def _mirror(matrix: Array) -> None:
    """Copy what is above the diagonal below it, tile by tile."""
    below = np.tri(_TILE, k=-1, dtype=bool)
    for top in range(0, len(matrix), _TILE):
        rows = slice(top, top + _TILE)
        tile = matrix[rows, rows]
        np.copyto(tile, tile.T.copy(), where=below[: len(tile), : len(tile)])
        for left in range(top + _TILE, len(matrix), _TILE):
            columns = slice(left, left + _TILE)
            matrix[columns, rows] = matrix[rows, columns].T


def _blocks(size: int) -> Iterator[slice]:
    start = 0
    while start < size:
        stop = min(size, start + max(1, _BLOCK // (size - start)))
        yield slice(start, stop)
        start = stop


def _data(X: Any) -> Array:
    try:
        array = np.asarray(X)
    except ValueError:  # what numpy says of ragged rows
        raise DomainError(f"X = {X!r}"[:100], "rows of one length") from None
    if array.dtype.kind not in "fiu" or array.ndim != 2 or 0 in array.shape:
        raise DomainError(
            f"X of shape {array.shape} and type {array.dtype}", "real numbers of shape (N, d)",
            'exact numbers: method="balls"',
        )  # fmt: skip
    if len(array) > MOST_POINTS:
        raise DomainError(f"{len(array)} points", f"at most {MOST_POINTS} (an N x N matrix is formed)")
    if not np.isfinite(array).all():
        raise DomainError("a NaN or an infinity in X", "finite numbers")
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(array, dtype=np.float64)
    exact = floats == array
    if array.dtype.kind in "iu":  # numpy compares those as floats
        exact = floats.astype(object) == array.astype(object)
    if not np.all(exact):
        raise DomainError(
            f"numbers of {array.dtype} that float64 rounds", "numbers that float64 holds",
            'use method="balls"',
        )  # fmt: skip
    return floats
