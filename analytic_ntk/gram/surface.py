"""A kernel on inputs of any norm: a function of two norms and the correlation, as polynomials.

Divided by the roots of its diagonal, the kernel is ``R(s1, s2, rho)`` with ``s = log(<x,x>/d)``. The range of
``s`` is cut into cells; on a pair of cells, and for each sign of ``rho``,

    R = sum_ab T_a(x1) T_b(x2) P_ab(t),    t in [-1, 1] linear in w = sqrt(1 - |rho|),

where ``x`` runs over ``[-1, 1]`` in a cell and ``w`` over a zone: most pairs are :data:`APART`; in data with
groups many are :data:`BETWEEN`. Closer pairs are left to the recursion: there, kinks and biases make boundary
layers of width ``|s1 - s2|`` that no polynomial follows. The polynomials interpolate the float64 recursion;
they are kept only if their coefficients fall to the level of rounding and if they meet the recursion at other
points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.fft import dct

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.kept import Arrays, kept
from analytic_ntk.layers import Layer
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

Array = NDArray[np.float64]


class Zone(NamedTuple):
    """A range of ``w``, and the degrees in the norms and in ``t`` that are tried there."""

    low: float
    high: float
    degrees: tuple[int, ...]
    orders: tuple[int, ...]


APART = Zone(0.3, 1.0, (12, 16, 24), (32, 48))
"""``|rho| <= 0.91``."""
BETWEEN = Zone(0.1, 0.3, (16, 24, 36), (20, 32))
"""``0.91 <= |rho| <= 0.99``."""
GRID = 8
"""Cells begin and end at multiples of 1/8 in ``log2 (<x,x>/d)``: data of about one scale share them."""
OCTAVES = 2
"""Width of a cell, at most."""
CELLS = 10
"""More cells than this (a range of 10^6 in ``<x,x>/d``) are not worth it."""
NOISE = 1e-13
"""Coefficients at the end of a row that stay above this: the degree is not enough."""
SMALL = 1e-14
"""Coefficients below this are left out."""
ERROR = 4e-13
"""The largest deviation from the recursion that is let through."""
STABLE = 500.0
"""Coefficients of powers whose sizes add up to more than this lose too many digits."""
GROUP = 4
"""Compiled code takes this many coefficients at a time."""


@dataclass(frozen=True)
class Cell:
    """``low <= log2(<x,x>/d) < high``, in units of 1/:data:`GRID`."""

    low: int
    high: int

    @property
    def start(self) -> float:
        """The smallest ``<x,x>/d``."""
        return float(2.0 ** (self.low / GRID))

    def place(self, q: Array) -> Array:
        """Where ``q`` lies, as a number of ``[-1, 1]``."""
        middle, half = (self.low + self.high) / (2 * GRID), (self.high - self.low) / (2 * GRID)
        return (np.log2(q) - middle) / half

    def at(self, place: Array) -> Array:
        middle, half = (self.low + self.high) / (2 * GRID), (self.high - self.low) / (2 * GRID)
        return np.exp2(middle + half * place)


@dataclass(frozen=True, eq=False)
class Surface:
    """One kernel on a pair of cells.

    ``chebyshev`` ``(a, b, 2, k)``: coefficients of ``T_a(x1) T_b(x2) T_k(t)`` for ``rho >= 0`` and
    ``rho < 0``. ``error``: the largest deviation seen from the recursion, relative to
    ``sqrt(K(x,x) K(y,y))``.
    """

    chebyshev: Array
    zone: Zone
    error: float

    def strip(self, low: float, high: float, small: float) -> Strip:
        """The kernel where ``x2`` is from ``low`` to ``high``: fewer ``b``, and powers of ``t``."""
        count = self.chebyshev.shape[1]
        nodes = np.cos(np.pi * np.arange(count) / (count - 1))
        inner = (low + high) / 2.0 + (high - low) / 2.0 * nodes
        matrix = _chebyshev(chebvander(inner, count - 1), 0)  # (new b, b)
        local = np.einsum("absk,nb->ansk", self.chebyshev, matrix, optimize=True)
        seen = np.abs(local).max(axis=(0, 2)) > small
        kept = [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 0 for row in seen]
        while len(kept) > 1 and kept[-1] == 0:
            kept.pop()
        sizes = [max(GROUP, size + -size % GROUP) for size in kept]
        columns = [
            np.pad(_powers(local[:, b, :, :size]), ((0, 0), (0, 0), (0, padded - size)))
            for b, (size, padded) in enumerate(zip(kept, sizes, strict=True))
        ]
        flat = np.concatenate([column.reshape(len(local), -1) for column in columns], axis=1)
        return Strip(flat, tuple(sizes), low, high)

    @cached_property
    def whole(self) -> Strip:
        return self.strip(-1.0, 1.0, SMALL)

    def at(self, first: Array, second: Array, w: Array, negative: NDArray[np.bool_]) -> Array:
        """Values at places of the cells, pair by pair."""
        rows = chebvander(first, len(self.chebyshev) - 1) @ self.whole.coefficients
        basis = self.whole.basis(second)
        t = variable(w, self.zone)
        total, begin = np.zeros_like(t), 0
        for b, size in enumerate(self.whole.sizes):
            both = rows[:, begin : begin + 2 * size].reshape(-1, 2, size)
            chosen = np.where(negative[:, None], both[:, 1], both[:, 0])
            value = np.zeros_like(t)
            for k in range(size - 1, -1, -1):
                value = value * t + chosen[:, k]
            total += value * basis[b]
            begin += 2 * size
        return total


class Strip(NamedTuple):
    """A surface where ``low <= x2 <= high``.

    ``coefficients``: ``(degree + 1, length)``; row ``a`` belongs to ``T_a(x1)`` and holds, for each ``b``,
    those of powers of ``t`` for ``rho >= 0`` and then for ``rho < 0``, ``sizes[b]`` each; ``b`` belongs to
    ``T_b`` of the place in the strip.
    """

    coefficients: Array
    sizes: tuple[int, ...]
    low: float
    high: float

    def basis(self, second: Array) -> Array:
        """``T_b`` at places of the cell, ``(b, places)``."""
        width = self.high - self.low
        inner = (2.0 * second - (self.low + self.high)) / width if width else np.zeros_like(second)
        return np.ascontiguousarray(chebvander(inner, len(self.sizes) - 1).T)


Surfaces = dict[tuple[Cell, Cell], tuple[Surface, Surface]]
"""NNGP and NTK on each pair of cells."""


def variable(w: Array, zone: Zone) -> Array:
    """``t`` of ``w``."""
    return (2.0 * w - (zone.high + zone.low)) / (zone.high - zone.low)


def cells(q: Array) -> tuple[Cell, ...] | None:
    """Cells of equal width that cover positive ``q``; ``None`` if they would be too many."""
    low = math.floor(math.log2(float(q.min())) * GRID)
    high = max(math.ceil(math.log2(float(q.max())) * GRID), low + 1)
    count = -(-(high - low) // (OCTAVES * GRID))
    if count > CELLS:
        return None
    width = -(-(high - low) // count)
    return tuple(Cell(low + k * width, low + (k + 1) * width) for k in range(count))


def diagonal(layers: Sequence[Layer], q: Array) -> Array:
    """NNGP and NTK of inputs with themselves ``(2, n)``, by the recursion."""
    zero = np.zeros_like(q)
    pair = _recursion(layers, Pair(q, q, q, zero, zero))
    return np.array([pair.q12, pair.ntk])


def surfaces(layers: Sequence[Layer], among: tuple[Cell, ...], zone: Zone) -> Surfaces | None:
    """NNGP and NTK on all pairs of some cells; ``None`` if no polynomials are found."""
    return _surfaces(tuple(layers), among, zone)


@lru_cache(maxsize=32)
def _surfaces(layers: tuple[Layer, ...], among: tuple[Cell, ...], zone: Zone) -> Surfaces | None:
    pairs = [(a, b) for a in among for b in among]

    def make() -> Arrays | None:
        made = _made(layers, among, zone)
        if made is None:
            return None
        found = {}
        for number, pair in enumerate(pairs):
            for k, surface in enumerate(made[pair]):
                found[f"c{number} {k}"] = surface.chebyshev
                found[f"e{number} {k}"] = np.array(surface.error)
        return found

    found = kept(layers, f"surfaces {zone} {among}", make)
    if found is None:
        return None

    def surface(number: int, k: int) -> Surface:
        return Surface(found[f"c{number} {k}"], zone, float(found[f"e{number} {k}"]))

    return {pair: (surface(number, 0), surface(number, 1)) for number, pair in enumerate(pairs)}


def _made(layers: tuple[Layer, ...], among: tuple[Cell, ...], zone: Zone) -> Surfaces | None:
    fitted = _fitted(layers, among, zone)
    if fitted is None:
        return None
    w, sign, first, second = _probes(zone)
    pairs = [(a, b) for i, a in enumerate(among) for b in among[i:]]
    q1 = np.concatenate([a.at(first) for a, _ in pairs])
    q2 = np.concatenate([b.at(second) for _, b in pairs])
    truth = _normalised(layers, q1, q2, np.tile(w, len(pairs)), np.tile(sign, len(pairs)))
    if truth is None:
        return None
    found: Surfaces = {}
    for (a, b), expected in zip(pairs, np.split(truth, len(pairs), axis=1), strict=True):
        coefficients = fitted[:, among.index(a), :, among.index(b)]
        for key, turned, places in (
            ((a, b), coefficients, (first, second)),
            ((b, a), np.swapaxes(coefficients, 1, 2), (second, first)),
        ):
            kernels = [
                _checked(Surface(kernel, zone, 0.0), w, sign, places, value)
                for kernel, value in zip(turned, expected, strict=True)
            ]
            if kernels[0] is None or kernels[1] is None:
                return None
            found[key] = kernels[0], kernels[1]
    return found


def _checked(
    surface: Surface, w: Array, sign: Array, places: tuple[Array, Array], truth: Array
) -> Surface | None:
    """With its error, if that is small and no digits are lost to large coefficients."""
    error = float(np.abs(surface.at(*places, w, sign < 0) - truth).max())
    rows = chebvander(places[0], len(surface.chebyshev) - 1) @ surface.whole.coefficients
    if not (error <= ERROR and np.abs(rows).sum(axis=1).max() <= STABLE):
        return None
    return replace(surface, error=error)


def _fitted(layers: tuple[Layer, ...], among: tuple[Cell, ...], zone: Zone) -> Array | None:
    """Chebyshev coefficients ``(2 kernels, cell, a, cell, b, 2 signs, k)``.

    All nodes go through the recursion at once: it has a price per call.
    """
    degree, order, count = 0, 0, len(among)
    while degree < len(zone.degrees) and order < len(zone.orders):
        a, k = zone.degrees[degree] + 1, zone.orders[order] + 1
        places, t = np.cos(np.pi * np.arange(a) / (a - 1)), np.cos(np.pi * np.arange(k) / (k - 1))
        q = np.concatenate([cell.at(places) for cell in among])
        i, j = np.triu_indices(len(q))
        w = ((zone.high - zone.low) * t + (zone.high + zone.low)) / 2.0
        size = len(i), 2, k
        found = _normalised(
            layers,
            *(
                np.broadcast_to(array, size).ravel()
                for array in (q[i, None, None], q[j, None, None], w, np.array([[1.0], [-1.0]]))
            ),
        )
        if found is None:
            return None
        values = np.empty((2, len(q), len(q), 2, k))
        values[:, i, j] = values[:, j, i] = found.reshape(2, *size)
        values = values.reshape(2, count, a, count, a, 2, k)
        for axis in (2, 4, 6):
            values = _chebyshev(values, axis)
        sizes = np.abs(values)
        more = max(sizes[:, :, -2:].max(), sizes[:, :, :, :, -2:].max()) > NOISE
        longer = sizes[..., -2:].max() > NOISE
        if not (more or longer):
            return values
        degree, order = degree + more, order + longer
    return None


def _chebyshev(values: Array, axis: int) -> Array:
    """Coefficients from values at Chebyshev points."""
    order = values.shape[axis] - 1
    found = np.moveaxis(dct(values, type=1, axis=axis) / order, axis, -1)
    found[..., [0, -1]] /= 2.0
    return np.moveaxis(found, -1, axis)


def _powers(chebyshev: Array) -> Array:
    """Of powers, from those of Chebyshev polynomials, along the last axis (in extended precision)."""
    size = chebyshev.shape[-1]
    matrix = np.zeros((size, size), np.longdouble)
    for k in range(size):
        if k < 2:
            matrix[k, k] = 1
        else:
            matrix[k, 1:] = 2 * matrix[k - 1, :-1]
            matrix[k] -= matrix[k - 2]
    return np.asarray(chebyshev.astype(np.longdouble) @ matrix, np.float64)


def _normalised(layers: Sequence[Layer], q1: Array, q2: Array, w: Array, sign: Array) -> Array | None:
    """NNGP and NTK over the roots of their diagonals ``(2, points)``; ``None`` where that cannot be had."""
    root = np.sqrt(q1) * np.sqrt(q2)
    gap = root * w * w
    diagonals = []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            pair = _recursion(layers, Pair(q1, q2, sign * (root - gap), np.zeros_like(w), gap))
            for q in (q1, q2):
                known, place = np.unique(q, return_inverse=True)
                diagonals.append(diagonal(layers, known)[:, place])
        except DomainError:  # cells reach a little further than the data: these may still be in the domain
            return None
        found = np.array([pair.q12, pair.ntk]) / np.sqrt(diagonals[0]) / np.sqrt(diagonals[1])
    return found if np.all(np.isfinite(found)) else None


def _recursion(layers: Sequence[Layer], pair: Pair) -> Pair:
    for layer in layers:
        pair = layer.push(pair, Float64())
    return pair


def _probes(zone: Zone) -> tuple[Array, Array, Array, Array]:
    """Points between the nodes: ``w``, signs, and places in two cells."""
    count = 96
    rng = np.random.default_rng(0)
    w = zone.low + (zone.high - zone.low) * np.concatenate([rng.random(count - 8), [0.0] * 4, [1.0] * 4])
    first, second = rng.uniform(-1.0, 1.0, (2, count))
    first[:8], second[:8] = [1, 1, -1, -1, 1, -1, 0, 0], [1, -1, 1, -1, 0, 0, 1, -1]
    return w, np.where(np.arange(count) % 2, -1.0, 1.0), first, second
