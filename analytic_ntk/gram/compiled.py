"""Loops compiled by numba: a polynomial of ``sqrt(1 - |rho|)`` in place of ``rho``, tile by tile.

Only imported where numba is installed. All arithmetic is in the type of the arrays. No sum is reordered: the
values do not depend on tiles or threads. Tiles are whole blocks of rows, contiguous, of which the first
``width`` columns are meant: loops over a part of a row would not be vectorised otherwise.
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
def _variable(rho: Array, t: Array, roots: int, zero: Any, one: Any, two: Any) -> None:
    for j in range(rho.shape[0]):
        t[j] = math.sqrt(max(zero, one - abs(rho[j])))
    for _ in range(roots):
        for j in range(rho.shape[0]):
            t[j] = math.sqrt(t[j])
    for j in range(rho.shape[0]):
        t[j] = two * t[j] - one


@njit(nogil=True, cache=True)
def _near(rho: Array, bound: Any, row: int, start: int, places: Index, count: int) -> int:
    """Note where ``|rho| > bound``: row, column, whether negative; as far as there is room."""
    hits = 0
    for j in range(rho.shape[0]):
        hits += abs(rho[j]) > bound
    if hits:
        for j in range(rho.shape[0]):
            if abs(rho[j]) > bound:
                if count < places.shape[1]:
                    places[0, count], places[1, count], places[2, count] = row, start + j, rho[j] < 0
                count += 1
    return count


@njit(nogil=True, cache=True, fastmath=FAST)
def powers(
    tile: Array, values: Array, width: int, c: Array, roots: int, numbers: Numbers, bound: Any, places: Index
) -> int:
    """``values = sum_k c[s, k] t^k`` by Horner's rule, eight coefficients at a time, and four at the end.

    Returns how many ``|rho|`` exceed ``bound``, and notes them in ``places`` ``(3, room)``.
    """
    zero, one, two = numbers
    count = 0
    t, p = np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype)
    for i in range(tile.shape[0]):
        for start in range(0, width, CHUNK):
            rho = tile[i, start : min(start + CHUNK, width)]
            out = values[i, start : min(start + CHUNK, width)]
            size = rho.shape[0]
            _variable(rho, t, roots, zero, one, two)
            count = _near(rho, bound, i, start, places, count)
            for j in range(size):
                p[j] = zero
            k = c.shape[1]
            while k >= 8:
                k -= 8
                a0, a1, a2, a3, a4, a5, a6, a7 = (
                    c[0, k], c[0, k + 1], c[0, k + 2], c[0, k + 3],
                    c[0, k + 4], c[0, k + 5], c[0, k + 6], c[0, k + 7],
                )  # fmt: skip
                b0, b1, b2, b3, b4, b5, b6, b7 = (
                    c[1, k], c[1, k + 1], c[1, k + 2], c[1, k + 3],
                    c[1, k + 4], c[1, k + 5], c[1, k + 6], c[1, k + 7],
                )  # fmt: skip
                for j in range(size):
                    y, q, right = t[j], p[j], rho[j] >= zero
                    q = q * y + (a7 if right else b7)
                    q = q * y + (a6 if right else b6)
                    q = q * y + (a5 if right else b5)
                    q = q * y + (a4 if right else b4)
                    q = q * y + (a3 if right else b3)
                    q = q * y + (a2 if right else b2)
                    q = q * y + (a1 if right else b1)
                    q = q * y + (a0 if right else b0)
                    p[j] = q
            if k:
                a0, a1, a2, a3 = c[0, 0], c[0, 1], c[0, 2], c[0, 3]
                b0, b1, b2, b3 = c[1, 0], c[1, 1], c[1, 2], c[1, 3]
                for j in range(size):
                    y, q, right = t[j], p[j], rho[j] >= zero
                    q = q * y + (a3 if right else b3)
                    q = q * y + (a2 if right else b2)
                    q = q * y + (a1 if right else b1)
                    p[j] = q * y + (a0 if right else b0)
            for j in range(size):
                out[j] = p[j]
    return count


@njit(nogil=True, cache=True, fastmath=FAST)
def chebyshev(
    tile: Array, values: Array, width: int, c: Array, roots: int, numbers: Numbers, bound: Any, places: Index
) -> int:
    """``values = sum_k c[s, k] T_k(t)`` by Clenshaw's rule, four coefficients at a time; else as above."""
    zero, one, two = numbers
    count = 0
    t, p, r = np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype)
    for i in range(tile.shape[0]):
        for start in range(0, width, CHUNK):
            rho = tile[i, start : min(start + CHUNK, width)]
            out = values[i, start : min(start + CHUNK, width)]
            size = rho.shape[0]
            _variable(rho, t, roots, zero, one, two)
            count = _near(rho, bound, i, start, places, count)
            for j in range(size):
                p[j] = zero
                r[j] = zero
            for k in range(c.shape[1] - 4, -1, -4):
                a0, a1, a2, a3 = c[0, k], c[0, k + 1], c[0, k + 2], c[0, k + 3]
                b0, b1, b2, b3 = c[1, k], c[1, k + 1], c[1, k + 2], c[1, k + 3]
                for j in range(size):
                    y, q, s, right = two * t[j], p[j], r[j], rho[j] >= zero
                    s = y * q - s + (a3 if right else b3)
                    q = y * s - q + (a2 if right else b2)
                    s = y * q - s + (a1 if right else b1)
                    p[j] = y * s - q + (a0 if right else b0)
                    r[j] = s
            for j in range(size):  # p holds b_0, r holds b_1
                out[j] = p[j] - t[j] * r[j]
    return count


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


@njit(nogil=True, cache=True, fastmath=FAST)
def surface(
    tile: Array,
    matrix: Array,
    rows: Index,
    columns: Index,
    c: Array,
    sizes: Index,
    basis: Array,
    right: Array,
    numbers: Numbers,
) -> None:
    """``matrix[rows, columns] = right sum_b basis_b sum_k c[b, s, k] t^k``, four coefficients at a time.

    ``t = stretch w + shift`` with ``numbers = (0, 1, stretch, shift)``.
    """
    zero, one, stretch, shift = numbers
    width = tile.shape[1]
    t, p, total = np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype), np.empty(CHUNK, tile.dtype)
    for i in range(tile.shape[0]):
        for start in range(0, width, CHUNK):
            rho = tile[i, start : min(start + CHUNK, width)]
            size = rho.shape[0]
            where = columns[start : start + size]
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
                weights = basis[b, start : start + size]
                for j in range(size):
                    total[j] += p[j] * weights[j]
            for j in range(size):
                total[j] *= right[start + j]
            out = matrix[rows[i]]
            for j in range(size):
                out[where[j]] = total[j]
