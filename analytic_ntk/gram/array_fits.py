"""Polynomials of an activation cut to the norms that occur, and put where the arrays live."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.fft import dct

from analytic_ntk.gram.approximant import SMALL, Approximant
from analytic_ntk.layers.arrays import Array

Matrix = NDArray[np.float64]
NOISE = 2e-15
"""Of the coefficients: what is below it, relative to the largest, is left out."""
LEAST = 1.0 / 32.0
"""Half the width of the narrowest range of ``x``: derivatives in ``x`` lose as much."""


@dataclass(frozen=True)
class Shape:
    """What is not an array: the fields of :class:`~.approximant.Approximant`; whether norms beyond the reach
    are to be marked (they are refused where numbers can be read); whether the tables are those of
    :mod:`.array_levels`, for one norm."""

    orders: tuple[int, int]
    reach: float
    stretch: float
    power: int
    parity: int
    guarded: bool
    level: bool = False


Tables = dict[str, Array]
"""``root``, ``slope``: as in the approximant; ``place``: the middle and half the width of the range of ``x``;
``basis`` ``(degree + 1, rank)`` in ``y = (x - middle)/half``; ``opening``, ``opposite`` ``(1, rank, rank)``;
``slopes``, ``means`` ``(terms, rank, rank)``: the mean of the two signs, and in ``slopes_odd``, ``means_odd``
half their difference."""


@lru_cache(maxsize=256)
def cut(found: Approximant, low: float, high: float, eps: float) -> dict[str, Matrix]:
    """The tables for ``low <= s <= high`` with the terms that a float of precision ``eps`` can see."""
    eps = max(eps, NOISE)
    tables = {"opening": found.opening[None], "opposite": found.opposite[None]}
    for name, table in (("slopes", found.slopes), ("means", found.means)):
        tables[name] = (table[0] + table[-1]) / 2.0
        tables[f"{name}_odd"] = (table[0] - table[-1]) / 2.0
    names, counts = list(tables), [len(table) for table in tables.values()]
    if found.reach == np.inf:
        basis, middle, half = found.basis, 0.0, 1.0
        stack = np.concatenate([tables[name] for name in names])
    else:
        ends = found.place(np.array([low, high]))
        half = min(max(LEAST, 0.5 * float(ends[1] - ends[0])), 1.0)
        middle = float(np.clip(ends.mean(), half - 1.0, 1.0 - half))
        basis, stack = _on_range(
            found.basis, np.concatenate([tables[name] for name in names]), middle, half, eps
        )
    parts = np.split(stack, np.cumsum(counts)[:-1])
    result = {"root": found.root, "slope": found.slope, "place": np.array([middle, half]), "basis": basis}
    largest = np.abs(stack).max()
    for name, part in zip(names, parts, strict=True):
        seen = np.flatnonzero(np.abs(part).max(axis=(1, 2)) > eps / 4.0 * largest)
        result[name] = part[: int(seen[-1]) + 1] if len(seen) else part[:0]
    return result


def _on_range(basis: Matrix, stack: Matrix, middle: float, half: float, eps: float) -> tuple[Matrix, Matrix]:
    """The polynomials ``T(x) basis M basis^T T(x')`` in ``y = (x - middle)/half``, with a smaller basis."""
    count = len(basis)
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    local = dct(chebvander(middle + half * nodes, count - 1) @ basis, type=2, axis=0) / count
    local[0] /= 2.0
    weights = np.abs(stack).max(axis=(0, 1))
    sizes = np.abs(local * weights).max(axis=1)
    local = local[: int(np.flatnonzero(sizes > SMALL * sizes.max())[-1]) + 1]
    whole = local @ stack @ local.T
    left, values, _ = np.linalg.svd(np.swapaxes(whole, 0, 1).reshape(len(local), -1), full_matrices=False)
    small = left[:, values > eps / 2.0 * values[0]]
    return small, small.T @ whole @ small
