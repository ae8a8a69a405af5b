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
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gram.curve import Curve, rounded
from analytic_ntk.gram.inputs import Inputs, defect

Array = NDArray[np.floating]
Places = NDArray[np.intp]
"""``(3, count)``: rows, columns, and 1 for a negative correlation."""
Task = TypeVar("Task")
Result = TypeVar("Result")
Evaluate = Callable[[Array, list[Array], int], Places | None]
"""From a block of correlations to the blocks of the kernels, in the first so many columns; the places near
``rho = +-1``, unless they are too many."""
ROWS = 256
"""Rows of a block: a product packs its right factor anew for each."""
FEW_ROWS = 64
"""For matrices of less than eight such blocks. Neither depends on the threads, so neither do the values."""
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
    first = one.direction.astype(dtype)
    second = first if two is one else np.ascontiguousarray(two.direction, dtype=dtype)
    seen = [rounded(curve, dtype) for curve in curves]
    evaluate = _compiled(seen, dtype) if COMPILED else _plain(seen)
    size = rows_of_a_block(len(first))

    def block(start: int) -> int:
        stop = min(start + size, len(first))
        width = stop if two is one else len(second)
        tiles = [matrix[start:stop] for matrix in matrices]
        rho = tiles[-1]  # the last kernel takes the place of the product
        np.matmul(first[start:stop], second[:width].T, out=rho[:, :width])
        places = evaluate(rho, tiles, width)
        if places is None:  # more than there was room for
            places = _near(np.matmul(first[start:stop], second[:width].T))
        if places.shape[1]:
            _redo(seen, tiles, one, two, start, places)
        if scaled:
            with np.errstate(over="ignore"):  # seen at the end
                for tile in tiles:
                    tile[:, :width] *= roots[0][start:stop, None]
                    tile[:, :width] *= roots[1][:width]
        return stop - start

    roots = [np.sqrt(inputs.q).astype(dtype) for inputs in (one, two)]
    starts = range(0, len(first), size)
    with one_thread_each():
        for count in on_threads(block, starts) if COMPILED else map(block, starts):
            step(count)
    if two is one:
        for matrix in matrices:
            mirror(matrix)


def rows_of_a_block(count: int) -> int:
    return ROWS if count >= 8 * ROWS else FEW_ROWS


def _near(rho: Array) -> Places:
    rows, columns = np.nonzero(np.abs(rho) > NEAR)
    return np.array([rows, columns, rho[rows, columns] < 0])


def _redo(
    curves: list[Curve],
    tiles: list[Array],
    one: Inputs,
    two: Inputs,
    start: int,
    places: Places,
) -> None:
    for begin in range(0, places.shape[1], BATCH):
        i, j, sign = places[:, begin : begin + BATCH]
        sign = sign.astype(bool)
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


def _compiled(curves: list[Curve], dtype: np.dtype) -> Evaluate:
    from analytic_ntk.gram import compiled

    numbers = tuple(dtype.type(value) for value in (0, 1, 2))
    known = []
    for curve in curves:
        coefficients, monomial = curve.padded(dtype)
        known.append((compiled.powers if monomial else compiled.chebyshev, coefficients, curve.roots))

    nowhere = np.empty((3, 0), np.intp)
    bound = dtype.type(NEAR)

    def evaluate(rho: Array, tiles: list[Array], width: int) -> Places | None:
        places = np.empty((3, 4 * len(rho)), np.intp)
        count = 0
        for k, ((rule, coefficients, roots), tile) in enumerate(zip(known, tiles, strict=True)):
            found = rule(rho, tile, width, coefficients, roots, numbers, bound, nowhere if k else places)
            count = count if k else found
        return places[:, :count] if count <= places.shape[1] else None

    return evaluate


def _plain(curves: list[Curve]) -> Evaluate:
    def evaluate(rho: Array, tiles: list[Array], width: int) -> Places | None:
        places = _near(rho[:, :width])
        rows = max(1, CACHED // width)
        for start in range(0, len(rho), rows):
            part = rho[start : start + rows, :width]
            outs = [tile[start : start + rows, :width] for tile in tiles]
            signs = [part >= 0, part < 0]
            w = [np.sqrt(np.maximum(1 - np.abs(part[sign]), 0)) for sign in signs]
            for curve, out in zip(curves, outs, strict=True):  # the last takes the place of rho
                for k, sign in enumerate(signs):
                    out[sign] = curve.on(w[k], k)
        return places

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
