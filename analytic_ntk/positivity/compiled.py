"""Loops compiled by numba for functions of a correlation: the same operations as in numpy, chunk by chunk.

Only imported where numba is installed. Nothing is reordered; a product and a sum may be contracted into one
operation with one rounding in place of two, so bounds that count both hold.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from analytic_ntk.positivity.rounded import Array

CHUNK = 512
GROUP = 8
"""Coefficients are taken so many at a time."""
CONTRACT = {"contract"}


@njit(nogil=True, cache=True, fastmath=CONTRACT)
def _horner(c: Array, t: Array, p: Array, size: int) -> None:
    """``p = sum_k c_k t^k``; the number of coefficients is a multiple of :data:`GROUP`."""
    for j in range(size):
        p[j] = 0.0
    for k in range(c.shape[0] - 8, -1, -8):
        c0, c1, c2, c3 = c[k], c[k + 1], c[k + 2], c[k + 3]
        c4, c5, c6, c7 = c[k + 4], c[k + 5], c[k + 6], c[k + 7]
        for j in range(size):
            y, q = t[j], p[j]
            q = q * y + c7
            q = q * y + c6
            q = q * y + c5
            q = q * y + c4
            q = q * y + c3
            q = q * y + c2
            q = q * y + c1
            p[j] = q * y + c0


@njit(nogil=True, cache=True, fastmath=CONTRACT)
def power_series(rho: Array, c: Array, odd: bool, step: int, out: Array) -> None:
    """``out = rho^odd sum_k c_k rho^(step k)``."""
    t, p = np.empty(CHUNK), np.empty(CHUNK)
    for start in range(0, rho.shape[0], CHUNK):
        x, y = rho[start : start + CHUNK], out[start : start + CHUNK]
        size = x.shape[0]
        for j in range(size):
            t[j] = x[j] * x[j] if step == 2 else x[j]
        _horner(c, t, p, size)
        for j in range(size):
            y[j] = p[j] * x[j] if odd else p[j]


@njit(nogil=True, cache=True, fastmath=CONTRACT)
def angular(rho: Array, c: Array, half_pi: float, factors: Array, first: Array, second: Array) -> None:
    """``first = f0 rho + f1 (sqrt(1 - rho^2) + rho asin rho)`` and ``second = f2 + f3 asin rho``."""
    t, p = np.empty(CHUNK), np.empty(CHUNK)
    f0, f1, f2, f3 = factors[0], factors[1], factors[2], factors[3]
    for start in range(0, rho.shape[0], CHUNK):
        x, y, z = rho[start : start + CHUNK], first[start : start + CHUNK], second[start : start + CHUNK]
        size = x.shape[0]
        for j in range(size):
            t[j] = 1.0 - 2.0 * abs(x[j])
        _horner(c, t, p, size)
        for j in range(size):
            r = x[j]
            angle = math.copysign(half_pi - p[j] * math.sqrt(1.0 - abs(r)), r)
            y[j] = f1 * (math.sqrt((1.0 - r) * (1.0 + r)) + angle * r) + f0 * r
            z[j] = f3 * angle + f2


@njit(nogil=True, cache=True)
def scaled(values: Array, rows: Array, columns: Array) -> Array:
    """``values_ij (rows_i columns_j)``."""
    found = np.empty(values.shape)
    for i in range(values.shape[0]):
        one, line, out = rows[i], values[i], found[i]
        for j in range(line.shape[0]):
            out[j] = line[j] * (one * columns[j])
    return found


@njit(nogil=True, cache=True)
def clipped(values: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
    """As :func:`scaled`, moved into [-1, 1]; and the largest absolute value of each column."""
    found, most = np.empty(values.shape), np.zeros(values.shape[1])
    for i in range(values.shape[0]):
        one, line, out = rows[i], values[i], found[i]
        for j in range(line.shape[0]):
            r = line[j] * (one * columns[j])
            r = 1.0 if r > 1.0 else r
            r = -1.0 if r < -1.0 else r
            out[j] = r
            most[j] = abs(r) if abs(r) > most[j] else most[j]
    return found, most
