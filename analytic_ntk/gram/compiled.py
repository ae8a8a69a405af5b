"""Loops compiled by numba: polynomials of ``sqrt(1 - |rho|)`` in place of ``rho``, tile by tile.

Only imported where numba is installed. All arithmetic is in the type of the arrays. No sum is reordered: the
values do not depend on tiles or threads. Correlations are whole blocks of
rows, contiguous, of which the first ``width`` columns are meant: loops over a part of a row would not be
vectorised otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.floating]
Index = NDArray[np.intp]
Numbers = tuple[Any, ...]
"""Constants, 0 and 1 first, in the type of the arrays: Python's would widen float32."""
FAST = {"contract", "nsz", "arcp"}
CHUNK = 512


@njit(nogil=True, cache=True, fastmath=FAST)
def pieces(
    tile: Array,
    width: int,
    values: tuple[Array, ...],
    first: int,
    tables: Array,
    roots: int,
    numbers: Numbers,
) -> None:
    """``values[k] = sum_m tables[k, p, m] y^m``, ``p`` the piece of ``(sign rho, v)``, ``y`` the place in it.

    ``v = (1 - |rho|)^(1/2^(roots + 1))`` in ``[0, 1]`` is cut into ``numbers[3]`` pieces; tables hold those
    of ``rho >= 0`` first, four or eight coefficients each. Values are written from column ``first`` on.
    """
    zero, one, two, count = numbers
    last = np.int32(tables.shape[1] // 2 - 1)
    y, piece = np.empty(CHUNK, tile.dtype), np.empty(CHUNK, np.uint32)
    for i in range(tile.shape[0]):
        for start in range(0, width, CHUNK):
            rho = tile[i, start : min(start + CHUNK, width)]
            size = rho.shape[0]
            for j in range(size):
                y[j] = math.sqrt(max(zero, one - abs(rho[j])))
            for _ in range(roots):
                for j in range(size):
                    y[j] = math.sqrt(y[j])
            for j in range(size):
                v = count * y[j]
                whole = min(np.int32(v), last)
                y[j] = two * (v - whole) - one
                piece[j] = np.uint32(whole if rho[j] >= zero else whole + last + np.int32(1))
            for k in range(tables.shape[0]):
                c, out = tables[k], values[k][i, first + start : first + start + size]
                if tables.shape[2] > 4:
                    for j in range(size):
                        p, t = piece[j], y[j]
                        q = c[p, 7] * t + c[p, 6]
                        q = q * t + c[p, 5]
                        q = q * t + c[p, 4]
                        q = q * t + c[p, 3]
                        q = q * t + c[p, 2]
                        q = q * t + c[p, 1]
                        out[j] = q * t + c[p, 0]
                else:
                    for j in range(size):
                        p, t = piece[j], y[j]
                        q = c[p, 3] * t + c[p, 2]
                        q = q * t + c[p, 1]
                        out[j] = q * t + c[p, 0]


@njit(nogil=True, cache=True)
def separations(
    first: Array, second: Array, rows: Index, columns: Index, signs: Array, length: float
) -> Array:
    """``sqrt(1 - |rho|) = |x -+ y| / (sqrt(2) length)`` of vectors of one length, from their differences."""
    found = np.empty(rows.shape[0])
    for place in range(rows.shape[0]):
        x, y, sign = first[rows[place]], second[columns[place]], signs[place]
        total = 0.0
        for k in range(x.shape[0]):
            difference = (x[k] - sign * y[k]) / length
            total += difference * difference
        found[place] = math.sqrt(0.5 * total)
    return found


@njit(nogil=True, cache=True)
def near(tile: Array, width: int, bound: Any) -> Index:
    """Rows and columns ``(2, count)`` where ``|rho| > bound``, in the first ``width`` columns."""
    count = 0
    for i in range(tile.shape[0]):
        row = tile[i, :width]
        for j in range(row.shape[0]):
            count += abs(row[j]) > bound
    places = np.empty((2, count), np.intp)
    count = 0
    for i in range(tile.shape[0] if places.shape[1] else 0):
        row = tile[i, :width]
        for j in range(row.shape[0]):
            if abs(row[j]) > bound:
                places[0, count], places[1, count] = i, j
                count += 1
    return places


@njit(nogil=True, cache=True)
def placed(tile: Array, rows: Index, order: Index, matrix: Array) -> None:
    """``matrix[rows] = tile[:, order]``."""
    for i in range(rows.shape[0]):
        row, values = matrix[rows[i]], tile[i]
        for j in range(row.shape[0]):
            row[j] = values[np.uint64(order[j])]


@njit(nogil=True, cache=True, fastmath=FAST)
def surface(
    correlations: Array,
    width: int,
    tile: Array,
    first: int,
    c: Array,
    sizes: Index,
    basis: Array,
    right: Array,
    numbers: Numbers,
) -> None:
    """``right sum_b basis_b sum_k c[b, s, k] t^k``, from column ``first`` on, four coefficients at a time.

    ``t = stretch w + shift`` with ``numbers = (0, 1, stretch, shift)``.
    """
    zero, one, stretch, shift = numbers
    t, p, total = np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype)
    for i in range(tile.shape[0]):
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            rho, out = correlations[i, start:stop], tile[i, first + start : first + stop]
            size = rho.shape[0]
            for j in range(size):
                t[j] = stretch * math.sqrt(max(zero, one - abs(rho[j]))) + shift
                total[j] = zero
            begin = 0
            for b in range(sizes.shape[0]):
                length = sizes[b]
                for j in range(size):
                    p[j] = zero
                for k in range(begin + length - 4, begin - 1, -4):
                    a0, a1, a2, a3 = c[i, k], c[i, k + 1], c[i, k + 2], c[i, k + 3]
                    other = k + length
                    b0, b1, b2, b3 = c[i, other], c[i, other + 1], c[i, other + 2], c[i, other + 3]
                    for j in range(size):
                        y, q, positive = t[j], p[j], rho[j] >= zero
                        q = q * y + (a3 if positive else b3)
                        q = q * y + (a2 if positive else b2)
                        q = q * y + (a1 if positive else b1)
                        p[j] = q * y + (a0 if positive else b0)
                begin += 2 * length
                weights = basis[b, start:stop]
                for j in range(size):
                    total[j] += p[j] * weights[j]
            for j in range(size):
                out[j] = total[j] * right[start + j]
