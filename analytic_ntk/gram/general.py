"""Kernel matrices of inputs of any norm: product and polynomials of :mod:`.surface`, block by block.

Rows and columns are taken in the order of their norms, so that a block of rows lies in one cell and a strip
of columns has nearly one norm; then they are put where they belong. Near pairs are done again: the nearest
and zero inputs by the recursion, the others, if they are many, by polynomials of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import local

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from analytic_ntk.gram.inputs import Inputs, Task
from analytic_ntk.gram.pairs import BLOCK_PAIRS, of_pairs, require_finite
from analytic_ntk.gram.surface import (
    APART,
    BETWEEN,
    SMALL,
    Cell,
    Strip,
    Surface,
    Zone,
    cells,
    diagonal,
    surfaces,
    variable,
)
from analytic_ntk.gram.tiles import (
    COMPILED,
    FEW_ROWS,
    Products,
    mirror,
    near_places,
    on_threads,
    one_thread_each,
    rows_of_a_block,
)
from analytic_ntk.layers import Layer

Array = NDArray[np.floating]
Index = NDArray[np.intp]
FEW = 1 << 16
"""Fewer pairs than this are not worth the polynomials."""
WORTH = 1 << 14
"""Nor fewer than this per pair of cells (about three times the pairs of their nodes)."""
STRIP = 256
"""Columns of a strip of norms: in a narrow strip few coefficients serve."""
PLAIN_STRIP = 4096
"""The same without numba, where each coefficient has a price of its own."""
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

    @property
    def strips(self) -> list[tuple[Cell, slice]]:
        """The parts cut to strips; equal norms stay together."""
        found, size = [], STRIP if COMPILED else PLAIN_STRIP
        for cell, part in self.parts:
            start = part.start
            while start < part.stop:
                last = self.places[min(start + size, part.stop) - 1]
                stop = start + int(np.searchsorted(self.places[start : part.stop], last, "right"))
                found.append((cell, slice(start, stop)))
                start = stop
        return found


@dataclass(frozen=True, eq=False)
class Plan:
    """What the blocks need: both sides, and the kernels in the zones."""

    first: Side
    second: Side
    apart: Known
    between: Known | None


def by_surfaces(task: Task) -> list[NDArray[np.floating]] | None:
    """The kernels (0: NNGP, 1: NTK); ``None`` where polynomials are not worth their making, or not found."""
    plan = _plan(task.layers, task.one, task.two, task.kernels, task.dtype)
    if plan is None:
        return None
    matrices = task.matrices()
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        _fill(plan, matrices, task)
    for k, matrix in enumerate(matrices):
        if not 2.0 * plan.first.roots[k].max() * plan.second.roots[k].max() < np.finfo(task.dtype).max:
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


def _fill(plan: Plan, matrices: list[NDArray[np.floating]], task: Task) -> None:
    """Write the kernels; a symmetric matrix in the order of the norms first, the lower triangle of it."""
    first, second, one, two, dtype = plan.first, plan.second, task.one, task.two, task.dtype
    evaluate, placed = _compiled(dtype) if COMPILED else (_plain, _placed)
    same, own, size = two is one, local(), rows_of_a_block(len(first.order))
    products = Products(first.directions, second.directions, dtype)
    back = np.argsort(second.order)
    strips = [
        (
            part,
            {cell: _strips(plan.apart[cell, other], second.places[part], dtype) for cell, _ in first.parts},
        )
        for other, part in second.strips
    ]

    def block(work: tuple[Cell, slice]) -> tuple[int, Index, Array]:
        """Rows; of a symmetric matrix the columns up to the diagonal, in the order of the norms."""
        cell, some = work
        count, width = some.stop - some.start, some.stop if same else len(second.order)
        if same:
            tiles = [matrix[some] for matrix in matrices]
        else:
            if not hasattr(own, "tiles"):
                own.tiles = [np.empty((size, width), dtype) for _ in matrices]
            tiles = [tile[:count] for tile in own.tiles]
        left = np.zeros(size)  # as many rows for each product
        left[:count] = first.places[some]
        basis = chebvander(left, max(APART.degrees))
        found, close = [np.empty((2, 0), np.intp)], [np.empty(0, dtype)]
        for part, known in strips:
            part = slice(part.start, min(part.stop, width))
            if part.start >= part.stop:
                break
            rho = products.of(some, part)
            for k, (strip, right) in enumerate(known[cell]):
                rows = (basis[:, : len(strip.coefficients)] @ strip.coefficients)[:count]
                evaluate(
                    rho,
                    part.stop - part.start,
                    tiles[k],
                    part.start,
                    (rows * first.roots[k, some, None]).astype(dtype),
                    strip.sizes,
                    right,
                    second.roots[k, part].astype(dtype),
                )
            places = near_places(rho, part.stop - part.start, FAR)
            close.append(np.abs(rho[places[0], places[1]]))
            found.append(places + np.array([[some.start], [part.start]]))
        for tile, matrix in zip(tiles, matrices, strict=True) if not same else ():
            placed(tile, first.order[some], back, matrix)
        return count, np.concatenate(found, axis=1), np.concatenate(close)

    def write(at: Index, values: Sequence[Array]) -> None:
        for matrix, found in zip(matrices, values, strict=True):
            matrix[at[0], at[1]] = found

    def redo(places: Index, rho: Array) -> None:
        if same:
            lower = places[0] >= places[1]
            places, rho = places[:, lower], rho[lower]
        inputs = np.array([first.order[places[0]], second.order[places[1]]])
        at = places if same else inputs
        nearest = rho > (NEAREST if plan.between is not None else FAR)
        if plan.between is not None:
            for chosen, values in _between(plan, plan.between, places, np.flatnonzero(~nearest)):
                write(at[:, chosen], values)
        found = of_pairs(task.layers, one, two, *inputs[:, nearest])
        write(at[:, nearest], [found[kernel] for kernel in task.kernels])

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
            task.step(count)
    if waiting:
        redo(*(np.concatenate(some, axis=-1) for some in zip(*waiting, strict=True)))
    for matrix in matrices if same else ():
        mirror(matrix)
        _reorder(matrix, back)
    zeros = [
        np.array([np.full(len(two.q), row), np.arange(len(two.q))]) for row in np.flatnonzero(one.q == 0)
    ]
    zeros += [
        np.array([np.arange(len(one.q)), np.full(len(one.q), column)])
        for column in np.flatnonzero(two.q == 0)
    ]
    for at in zeros:
        found = of_pairs(task.layers, one, two, *at)
        write(at, [found[kernel] for kernel in task.kernels])


def _strips(
    surfaces: list[Surface], places: NDArray[np.float64], dtype: np.dtype
) -> list[tuple[Strip, Array]]:
    """The kernels at some places of the second inputs, with their bases there."""
    small = max(SMALL, float(np.finfo(dtype).eps) / 8)
    strips = [surface.strip(float(places[0]), float(places[-1]), small) for surface in surfaces]
    return [(strip, strip.basis(places).astype(dtype)) for strip in strips]


def _reorder(matrix: Array, order: Index) -> None:
    """``matrix[order][:, order]``, in place."""
    left = np.ones(len(order), bool)
    for start in range(len(order)):
        if not left[start]:
            continue
        kept, row = matrix[start].copy(), start
        while order[row] != start:
            np.take(matrix[order[row]], order, out=matrix[row], mode="clip")
            left[row] = False
            row = order[row]
        np.take(kept, order, out=matrix[row], mode="clip")
        left[row] = False


def _between(
    plan: Plan, known: Known, places: Index, chosen: Index
) -> Iterator[tuple[Index, list[NDArray[np.float64]]]]:
    """Values of near, but not nearest, pairs, given by their places in the orders of the sides."""
    first, second = plan.first, plan.second
    rows, columns = places[:, chosen]
    for cell, part in first.parts:
        for other, across in second.parts:
            here = (rows >= part.start) & (rows < part.stop)
            here &= (columns >= across.start) & (columns < across.stop)
            found = chosen[here]
            for begin in range(0, len(found), BATCH):
                some = found[begin : begin + BATCH]
                i, j = places[:, some]
                rho = np.einsum(
                    "ij,ij->i", first.directions[i].astype(float), second.directions[j].astype(float)
                )
                w = np.sqrt(1.0 - np.abs(rho))
                yield (
                    some,
                    [
                        first.roots[k, i]
                        * second.roots[k, j]
                        * surface.at(first.places[i], second.places[j], w, rho < 0)
                        for k, surface in enumerate(known[cell, other])
                    ],
                )


Evaluate = Callable[[Array, int, Array, int, Array, tuple[int, ...], Array, Array], None]
"""From a panel of correlations, so many columns of it, to a kernel, from a column on; with coefficients and
their sizes, the basis and the factors of the columns."""
Placed = Callable[[Array, Index, Index, Array], None]
"""Rows of a tile written as such rows of a matrix, the columns in such an order."""


def _compiled(dtype: np.dtype) -> tuple[Evaluate, Placed]:
    from analytic_ntk.gram import compiled

    shift, end = variable(np.array([0.0, 1.0]), APART)
    numbers = tuple(dtype.type(value) for value in (0.0, 1.0, end - shift, shift))

    def evaluate(
        rho: Array,
        width: int,
        tile: Array,
        start: int,
        c: Array,
        sizes: tuple[int, ...],
        basis: Array,
        right: Array,
    ) -> None:
        compiled.surface(rho, width, tile, start, c, np.array(sizes), basis, right, numbers)

    return evaluate, compiled.placed


def _plain(
    rho: Array,
    width: int,
    tile: Array,
    start: int,
    c: Array,
    sizes: tuple[int, ...],
    basis: Array,
    right: Array,
) -> None:
    for values, out, coefficients in zip(rho[:, :width], tile[:, start : start + width], c, strict=True):
        for side, chosen in enumerate((np.flatnonzero(values >= 0), np.flatnonzero(values < 0))):
            t = variable(np.sqrt(np.maximum(1 - np.abs(values[chosen]), 0)), APART)
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
            out[chosen] = total


def _placed(tile: Array, rows: Index, order: Index, matrix: Array) -> None:
    for row, values in zip(rows, tile, strict=True):
        np.take(values, order, out=matrix[row], mode="clip")
