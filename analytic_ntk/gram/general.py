"""Kernel matrices of inputs of any norm: product and polynomials of :mod:`.surface`, block by block.

Rows and columns are taken in the order of their norms, so that a block of rows lies in one cell and the
columns of a cell are neighbours; values are written where they belong. Near pairs are done again: the nearest
and zero inputs by the recursion, the others, if they are many, by polynomials of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.gram.pairs import BLOCK_PAIRS, of_pairs, require_finite
from analytic_ntk.gram.surface import APART, BETWEEN, Cell, Surface, Zone, cells, diagonal, surfaces, variable
from analytic_ntk.gram.tiles import COMPILED, FEW_ROWS, mirror, on_threads, one_thread_each, rows_of_a_block
from analytic_ntk.layers import Layer

Array = NDArray[np.floating]
Index = NDArray[np.intp]
FEW = 1 << 16
"""Fewer pairs than this are not worth the polynomials."""
WORTH = 1 << 14
"""Nor fewer than this per pair of cells (about three times the pairs of their nodes)."""
BATCH = 1 << 12
"""Near pairs whose polynomials are formed at once."""
FAR, NEAREST = 1 - APART.low**2, 1 - BETWEEN.low**2
"""``|rho|`` up to which pairs are apart, and from which on only the recursion serves."""

Known = dict[tuple[Cell, Cell], list[Surface]]
"""The kernels asked for, on each pair of cells."""


@dataclass(frozen=True, eq=False)
class Side:
    """Inputs in the order of their norms; ``parts`` are the cells that hold some, with their slices."""

    order: Index
    directions: Array
    roots: NDArray[np.float64]
    """Of the diagonals of the kernels: ``(kernels, n)``."""
    places: NDArray[np.float64]
    parts: tuple[tuple[Cell, slice], ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """What the blocks need: both sides, and the kernels in the zones."""

    first: Side
    second: Side
    apart: Known
    between: Known | None


def by_surfaces(
    layers: Sequence[Layer],
    one: Inputs,
    two: Inputs,
    kernels: Sequence[int],
    dtype: np.dtype,
    step: Callable[[int], None],
) -> list[Array] | None:
    """The kernels (0: NNGP, 1: NTK); ``None`` where polynomials are not worth their making, or not found."""
    plan = _plan(layers, one, two, kernels, dtype)
    if plan is None:
        return None
    matrices: list[Array] = [np.empty((len(one.q), len(two.q)), dtype) for _ in kernels]
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        _fill(plan, matrices, layers, one, two, kernels, step)
    for k, matrix in enumerate(matrices):
        if two is one:
            mirror(matrix)
        if not 2.0 * plan.first.roots[k].max() * plan.second.roots[k].max() < np.finfo(dtype).max:
            require_finite(matrix)
    return matrices


def _plan(
    layers: Sequence[Layer], one: Inputs, two: Inputs, kernels: Sequence[int], dtype: np.dtype
) -> Plan | None:
    norms, pairs = np.concatenate([one.q, two.q]), len(one.q) * len(two.q)
    norms = norms[norms > 0]
    grid = cells(norms) if len(norms) and pairs >= FEW else None
    if grid is None:
        return None
    parts = [_parts(inputs, grid) for inputs in (one, two)]
    among = tuple(cell for cell in grid if any(cell == used for side in parts for used, _ in side))
    apart = _known(layers, among, APART, kernels) if pairs >= WORTH * len(among) ** 2 else None
    if apart is None:
        return None
    many = _near_share(one, two) * pairs >= WORTH * len(among) ** 2
    between = _known(layers, among, BETWEEN, kernels) if many else None
    first = _side(layers, one, parts[0], kernels, dtype)
    second = first if two is one else _side(layers, two, parts[1], kernels, dtype)
    return Plan(first, second, apart, between)


def _parts(inputs: Inputs, grid: tuple[Cell, ...]) -> tuple[tuple[Cell, slice], ...]:
    """Zero inputs count with the smallest: they are done again."""
    edges = np.searchsorted(np.sort(inputs.q), [cell.start for cell in grid[1:]]).tolist()
    bounds = [0, *edges, len(inputs.q)]
    return tuple(
        (cell, slice(a, b)) for cell, a, b in zip(grid, bounds[:-1], bounds[1:], strict=True) if b > a
    )


def _known(
    layers: Sequence[Layer], among: tuple[Cell, ...], zone: Zone, kernels: Sequence[int]
) -> Known | None:
    found = surfaces(layers, among, zone)
    return (
        None if found is None else {key: [both[kernel] for kernel in kernels] for key, both in found.items()}
    )


def _near_share(one: Inputs, two: Inputs) -> float:
    """The part of the pairs that are near, as seen in some rows."""
    sample = one.direction[:: -(-len(one.q) // FEW_ROWS)]
    return float(np.mean(np.abs(sample @ two.direction.T) > FAR))


def _side(
    layers: Sequence[Layer],
    inputs: Inputs,
    parts: tuple[tuple[Cell, slice], ...],
    kernels: Sequence[int],
    dtype: np.dtype,
) -> Side:
    order = np.argsort(inputs.q, kind="stable")
    q = inputs.q[order]
    q = np.maximum(q, q[q > 0].min() if q.any() else parts[0][0].start)
    distinct, where = np.unique(q, return_inverse=True)
    with np.errstate(over="ignore", invalid="ignore"):
        roots = np.sqrt(diagonal(layers, distinct))[list(kernels)][:, where]
    places = np.empty_like(q)
    for cell, part in parts:
        places[part] = cell.place(q[part])
    return Side(order, np.ascontiguousarray(inputs.direction[order], dtype), roots, places, parts)


def _fill(
    plan: Plan,
    matrices: list[Array],
    layers: Sequence[Layer],
    one: Inputs,
    two: Inputs,
    kernels: Sequence[int],
    step: Callable[[int], None],
) -> None:
    """Write the kernels; of a symmetric matrix the lower triangle is right."""
    first, second, dtype = plan.first, plan.second, matrices[0].dtype
    evaluate = _compiled(dtype) if COMPILED else _plain
    known = {key: [surface.rounded(dtype) for surface in some] for key, some in plan.apart.items()}

    @cache
    def basis(number: int, size: int) -> Array:
        return np.ascontiguousarray(chebvander(second.places[second.parts[number][1]], size - 1).T, dtype)

    def block(work: tuple[Cell, slice]) -> tuple[int, Index, Array]:
        cell, some = work
        tile = first.directions[some] @ second.directions.T
        for number, (other, part) in enumerate(second.parts):
            for k, surface in enumerate(known[cell, other]):
                rows = chebvander(first.places[some], len(surface.coefficients) - 1) @ surface.coefficients
                evaluate(
                    tile[:, part],
                    matrices[k],
                    first.order[some],
                    second.order[part],
                    (rows * first.roots[k, some, None]).astype(dtype),
                    surface.sizes,
                    basis(number, len(surface.sizes)),
                    second.roots[k, part].astype(dtype),
                )
        i, j = np.nonzero(np.abs(tile) > FAR)
        return len(tile), np.array([i + some.start, j]), np.abs(tile[i, j])

    def recur(rows: Index, columns: Index) -> None:
        if two is one:
            lower = rows >= columns
            rows, columns = rows[lower], columns[lower]
        found = of_pairs(layers, one, two, rows, columns)
        for kernel, matrix in zip(kernels, matrices, strict=True):
            matrix[rows, columns] = found[kernel]

    def redo(places: Index, rho: Array) -> None:
        nearest = rho > (NEAREST if plan.between is not None else FAR)
        if plan.between is not None:
            _between(plan, plan.between, matrices, places[:, ~nearest])
        recur(first.order[places[0, nearest]], second.order[places[1, nearest]])

    size = rows_of_a_block(len(first.order))
    works = [
        (cell, slice(start, min(start + size, part.stop)))
        for cell, part in first.parts
        for start in range(part.start, part.stop, size)
    ]
    waiting: list[tuple[Index, Array]] = []
    with one_thread_each():
        for count, places, rho in on_threads(block, works) if COMPILED else map(block, works):
            waiting.append((places, rho))  # the recursion has a price per call
            if sum(len(near) for _, near in waiting) >= BLOCK_PAIRS:
                redo(*(np.concatenate(some, axis=-1) for some in zip(*waiting, strict=True)))
                waiting.clear()
            step(count)
    if waiting:
        redo(*(np.concatenate(some, axis=-1) for some in zip(*waiting, strict=True)))
    for row in np.flatnonzero(one.q == 0):
        recur(np.full(len(two.q), row), np.arange(len(two.q)))
    for column in np.flatnonzero(two.q == 0):
        recur(np.arange(len(one.q)), np.full(len(one.q), column))


def _between(plan: Plan, known: Known, matrices: list[Array], places: Index) -> None:
    """Values of near, but not nearest, pairs, given by their places in the orders of the sides."""
    first, second = plan.first, plan.second
    for cell, rows in first.parts:
        for other, columns in second.parts:
            here = (places[0] >= rows.start) & (places[0] < rows.stop)
            here &= (places[1] >= columns.start) & (places[1] < columns.stop)
            chosen = places[:, here]
            for begin in range(0, chosen.shape[1], BATCH):
                i, j = chosen[:, begin : begin + BATCH]
                rho = np.einsum(
                    "ij,ij->i", first.directions[i].astype(float), second.directions[j].astype(float)
                )
                w = np.sqrt(1.0 - np.abs(rho))
                for k, surface in enumerate(known[cell, other]):
                    values = surface.at(first.places[i], second.places[j], w, rho < 0)
                    matrices[k][first.order[i], second.order[j]] = (
                        first.roots[k, i] * second.roots[k, j] * values
                    )


Evaluate = Callable[[Array, Array, Index, Index, Array, tuple[int, ...], Array, Array], None]


def _compiled(dtype: np.dtype) -> Evaluate:
    from analytic_ntk.gram import compiled

    shift, end = variable(np.array([0.0, 1.0]), APART)
    numbers = tuple(dtype.type(value) for value in (0.0, 1.0, end - shift, shift))

    def evaluate(
        tile: Array,
        matrix: Array,
        rows: Index,
        columns: Index,
        c: Array,
        sizes: tuple[int, ...],
        basis: Array,
        right: Array,
    ) -> None:
        compiled.surface(tile, matrix, rows, columns, c, np.array(sizes), basis, right, numbers)

    return evaluate


def _plain(
    tile: Array,
    matrix: Array,
    rows: Index,
    columns: Index,
    c: Array,
    sizes: tuple[int, ...],
    basis: Array,
    right: Array,
) -> None:
    for row, rho, coefficients in zip(rows, tile, c, strict=True):
        for side, chosen in enumerate((np.flatnonzero(rho >= 0), np.flatnonzero(rho < 0))):
            t = variable(np.sqrt(np.maximum(1 - np.abs(rho[chosen]), 0)), APART)
            total, begin = np.zeros_like(t), 0
            for size, weights in zip(sizes, basis, strict=True):
                value = np.zeros_like(t)
                first = begin + side * size
                for coefficient in coefficients[first : first + size][::-1]:
                    value *= t
                    value += coefficient
                value *= weights[chosen]
                total += value
                begin += 2 * size
            total *= right[chosen]
            matrix[row, columns[chosen]] = total
