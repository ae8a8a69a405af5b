"""Gram matrices of inputs of equal norm: product and kernel in one pass over blocks of rows.

With numba: blocks on threads, each with a product of its own and compiled loops. Without: the same blocks in
numpy. Pairs with ``|rho|`` near 1 are done again from the differences of the inputs.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gram.curve import Curve, rounded, tables
from analytic_ntk.gram.inputs import Inputs, defect

Array = NDArray[np.floating]
Places = NDArray[np.intp]
"""``(2, count)``: rows and columns."""
Task = TypeVar("Task")
Result = TypeVar("Result")
Evaluate = Callable[[Array, int, list[Array], int], None]
"""From a panel of correlations, so many columns of it, to blocks of the kernels, from a column on."""
ROWS = 256
"""Rows of a block: a product packs its right factor anew for each."""
FEW_ROWS = 64
"""For matrices of less than eight such blocks. Neither depends on the threads, so neither do the values."""
PANEL = 1024
"""Columns of a panel: it stays in the cache."""
BATCH = 1 << 16
CACHED = 1 << 13
"""Values that numpy takes through all coefficients at a time: they stay in the cache."""
NEAR = 0.99
"""Above this |rho| the product has lost digits of ``1 - |rho|``."""
COMPILED = all(importlib.util.find_spec(name) is not None for name in ("numba", "threadpoolctl"))


def fill(
    curves: list[Curve],
    matrices: list[Array],
    one: Inputs,
    two: Inputs,
    scaled: bool,
    step: Callable[[int], None],
) -> None:
    """Write the kernels of ``one`` against ``two`` into ``matrices``; symmetric if they are the same object.

    ``scaled``: the curves times ``sqrt(q11 q22)``. ``step`` is called with the number of rows done.
    """
    dtype = matrices[0].dtype
    products = Products(one.direction, two.direction, dtype)
    seen = [rounded(curve, dtype) for curve in curves]
    evaluate = (_compiled(seen, dtype) if COMPILED else None) or _plain(seen)
    n, size = len(one.q), rows_of_a_block(len(one.q))

    def block(start: int) -> int:
        rows = slice(start, min(start + size, n))
        width = rows.stop if two is one else len(two.q)
        tiles = [matrix[rows] for matrix in matrices]
        for begin in range(0, width, PANEL):
            columns = slice(begin, min(begin + PANEL, width))
            rho = products.of(rows, columns)
            evaluate(rho, columns.stop - begin, tiles, begin)
            near = near_places(rho, columns.stop - begin, NEAR)
            if near.shape[1]:
                negative = rho[near[0], near[1]] < 0
                _redo(seen, tiles, one, two, start, near + np.array([[0], [begin]]), negative)
            if scaled:
                with np.errstate(over="ignore"):  # seen at the end
                    factors = np.multiply.outer(roots[0][rows], roots[1][columns])
                    for tile in tiles:
                        tile[:, columns] *= factors
        return rows.stop - start

    roots = [np.sqrt(inputs.q).astype(dtype) for inputs in (one, two)]
    starts = range(0, n, size)
    with one_thread_each():
        for count in on_threads(block, starts) if COMPILED else map(block, starts):
            step(count)
    if two is one:
        for matrix in matrices:
            mirror(matrix)


def rows_of_a_block(count: int) -> int:
    return ROWS if count >= 8 * ROWS else FEW_ROWS


class Products:
    """Correlations of blocks of rows.

    Each depends on its two rows alone: BLAS sums in another order where a block is not whole, so blocks are
    filled up with rows that are not asked for.
    """

    def __init__(self, first: Array, second: Array, dtype: np.dtype) -> None:
        self.first = np.pad(first.astype(dtype, copy=False), ((0, FEW_ROWS), (0, 0)))
        same = second is first
        self.second = (
            self.first if same else np.pad(second.astype(dtype, copy=False), ((0, FEW_ROWS), (0, 0)))
        )
        self.own = local()

    def of(self, rows: slice, columns: slice) -> Array:
        """``(rows, columns and some more)``, until the next call in the same thread."""
        some, more = (self._whole(part) for part in (rows, columns))
        height, width = some.stop - some.start, more.stop - more.start
        if not hasattr(self.own, "place") or self.own.place.size < height * width:
            self.own.place = np.empty(max(height * width, ROWS * PANEL), self.first.dtype)
        rho = self.own.place[: height * width].reshape(height, width)
        np.matmul(self.first[some], self.second[more].T, out=rho)
        return rho[: rows.stop - rows.start]

    @staticmethod
    def _whole(part: slice) -> slice:
        size = part.stop - part.start
        return slice(part.start, part.start + size + -size % FEW_ROWS)


def near_places(rho: Array, width: int, bound: float) -> Places:
    """Where the first ``width`` columns are beyond a bound in size."""
    if COMPILED:
        from analytic_ntk.gram import compiled

        return np.asarray(compiled.near(rho, width, rho.dtype.type(bound)))
    return np.array(np.nonzero(np.abs(rho[:, :width]) > bound))


def _redo(
    curves: list[Curve],
    tiles: list[Array],
    one: Inputs,
    two: Inputs,
    start: int,
    places: Places,
    negative: NDArray[np.bool_],
) -> None:
    for begin in range(0, places.shape[1], BATCH):
        i, j = places[:, begin : begin + BATCH]
        sign = negative[begin : begin + BATCH]
        w = _separation(one, two, i + start, j, sign)
        for curve, tile in zip(curves, tiles, strict=True):
            tile[i, j] = curve.at(w, sign)


def _separation(
    one: Inputs, two: Inputs, rows: NDArray[np.intp], columns: NDArray[np.intp], negative: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """``sqrt(1 - |rho|)`` from differences."""
    signs = np.where(negative, -1.0, 1.0)
    if COMPILED and one.level is not None and one.level == two.level:
        from analytic_ntk.gram import compiled

        return np.asarray(
            compiled.separations(
                one.data, two.data, rows, columns, signs, np.sqrt(one.level * one.data.shape[1])
            )
        )
    return np.sqrt(defect(one, two, rows, columns, signs[:, None]))


def _compiled(curves: list[Curve], dtype: np.dtype) -> Evaluate | None:
    from analytic_ntk.gram import compiled

    together = 2 if len({curve.roots for curve in curves}) == 1 else 1
    known = []
    for start in range(0, len(curves), together):
        chosen = slice(start, start + together)
        found = tables(tuple(curves[chosen]), dtype)
        if found is None:
            return None
        numbers = tuple(dtype.type(value) for value in (0, 1, 2, found.shape[1] // 2))
        known.append((chosen, found, curves[start].roots, numbers))

    def evaluate(rho: Array, width: int, tiles: list[Array], start: int) -> None:
        for chosen, found, roots, numbers in known:
            compiled.pieces(rho, width, tuple(tiles[chosen]), start, found, roots, numbers)

    return evaluate


def _plain(curves: list[Curve]) -> Evaluate:
    def evaluate(rho: Array, width: int, tiles: list[Array], start: int) -> None:
        rows = max(1, CACHED // width)
        for row in range(0, len(rho), rows):
            part = rho[row : row + rows, :width]
            outs = [tile[row : row + rows, start : start + width] for tile in tiles]
            for k, sign in enumerate((part >= 0, part < 0)):
                w = np.sqrt(np.maximum(1 - np.abs(part[sign]), 0))
                for curve, out in zip(curves, outs, strict=True):
                    out[sign] = curve.on(w, k)

    return evaluate


class _Limit:
    """What calls in several threads share: the pools are freed when the last one is done."""

    lock = Lock()
    callers = 0
    limits: Any = None


@contextmanager
def one_thread_each() -> Iterator[None]:
    """The products run on one thread each: the pools of numpy and ours would fight."""
    if not COMPILED:
        yield
        return
    from threadpoolctl import threadpool_limits

    with _Limit.lock:
        _Limit.callers += 1
        if _Limit.callers == 1:
            _Limit.limits = threadpool_limits(limits=1)
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.callers -= 1
            if _Limit.callers == 0:
                _Limit.limits.restore_original_limits()


def on_threads(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """The results, last task first (with rows of a triangle these are the longest)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(count) as pool:
        yield from pool.map(work, reversed(list(tasks)))


def mirror(matrix: Array) -> None:
    """The lower triangle copied to the upper one, block by block."""
    size = len(matrix)
    for start in range(0, size, ROWS):
        stop = min(start + ROWS, size)
        matrix[:start, start:stop] = matrix[start:stop, :start].T
        square = matrix[start:stop, start:stop]
        upper = np.triu_indices(stop - start, 1)
        square[upper] = square.T[upper]
