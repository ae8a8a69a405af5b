"""Duals of activations with kinks off 0, where all inputs have one norm.

Between inputs of nearly one norm such kinks make boundary layers of width ``|s1 - s2|`` that no polynomial
follows. Where ``s1 = s2 = s`` there are none: the functions ``S``, ``A``, ``C`` of :mod:`.approximant` are
smooth in ``sqrt(delta)`` and ``s``, and ``G`` stands at ``(s1 - s2)^2``. They are symmetric in ``s1`` and
``s2``, so that to first order they are what they are at ``((s1 + s2)/2, (s1 + s2)/2)``: values and first
derivatives need no more. They are fitted on cells of ``log s``, so that a norm that moves a little finds them
known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.polynomial.chebyshev import chebder, chebvander
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.gram.approximant import LARGEST, averages, chebyshev, nodes, slopes_at
from analytic_ntk.systems.float64 import float_expectations

Array = NDArray[np.float64]
CELLS = 4
"""In an octave of ``s``."""
DEGREE = 14
"""In the place ``x`` in a cell."""
ORDERS = (32, 64, 128, 256)
"""In ``sqrt(delta)``."""
NOISE = 1e-13
"""Coefficients at the end that stay above this: the degree is not enough."""
ERROR = 4e-13
"""The largest deviation from the float64 expectations that is let through."""


@dataclass(frozen=True, eq=False)
class Cell:
    """``|CELLS log2 s - number| <= 1/2``, with the place ``x = 2 (CELLS log2 s - number)``.

    Chebyshev coefficients in ``x`` along the last axis: ``root``, ``slope`` of ``log R`` and ``log r``,
    ``opposite`` of ``C``, ``slopes``, ``means`` ``(signs, terms, DEGREE + 1)`` of ``S`` and ``A``, those of
    ``T_n(2 sqrt(delta) - 1)``. ``error``: the largest deviation seen.
    """

    number: int
    root: Array
    slope: Array
    opposite: Array
    slopes: Array
    means: Array
    error: float

    def place(self, s: Array) -> Array:
        return np.asarray(2.0 * (CELLS * np.log2(s) - self.number))


def served_at_one_norm(activation: Activation) -> bool:
    """Whether the activation is continuous and has a breakpoint off 0."""
    pieces = activation.pieces
    return pieces.is_continuous and not all(point.is_zero for point in pieces.breakpoints)


def tables_at(activation: Activation, s: float) -> dict[str, Array] | None:
    """What :class:`~.array_fits.Shape` goes with, to first order in ``y = 2 CELLS log2(s'/s)``; ``None`` if
    no polynomials are found."""
    if s * s > LARGEST:
        return None
    cell = _cell(activation, round(CELLS * float(np.log2(s))))
    if cell is None:
        return None
    x = cell.place(np.array([s]))
    basis = chebvander(x, DEGREE)[0]
    steep = chebvander(x, DEGREE - 1)[0] @ chebder(np.eye(DEGREE + 1))  # T_n'(x)

    def cores(table: Array) -> Array:
        """``c0 + c1 (y1 + y2)/2`` for the bases ``(1, y/2)``."""
        value, change = table @ basis, table @ steep
        return np.stack([np.stack([value, change], -1), np.stack([change, 0.0 * change], -1)], -2)

    found = {
        "root": np.array([cell.root @ basis, cell.root @ steep]),
        "slope": np.array([cell.slope @ basis, cell.slope @ steep]),
        "place": np.array([s]),
        "basis": np.diag([1.0, 0.5]),
        "opening": np.zeros((0, 2, 2)),
        "opposite": cores(cell.opposite[None]),
    }
    for name, table in (("slopes", cell.slopes), ("means", cell.means)):
        found[name] = cores((table[0] + table[-1]) / 2.0)
        found[f"{name}_odd"] = cores((table[0] - table[-1]) / 2.0) if len(table) > 1 else np.zeros((0, 2, 2))
    return found


@lru_cache(maxsize=256)
def _cell(activation: Activation, number: int) -> Cell | None:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            found = _fitted(activation, number)
            return None if found is None else _checked(activation, found)
        except AnalyticNTKError:  # outside the domain at the end of the cell, or quadrature that fails
            return None


def _fitted(activation: Activation, number: int) -> Cell | None:
    s = np.exp2((number + nodes(DEGREE + 1) / 2.0) / CELLS)
    signs = 1 if activation.parity else 2
    for order in ORDERS:
        slopes = slopes_at(activation, s, s, ((1.0 + nodes(order + 1)) / 2.0) ** 2, signs)
        slopes = chebyshev(chebyshev(slopes, 1), 2)
        if not np.all(np.isfinite(slopes)):
            return None
        if np.abs(slopes[:, -order // 8 :]).max() <= NOISE:
            break
    else:
        return None
    known, q = float_expectations(activation), s * s
    second, steep = known.second_moment(q), known.derivative_second_moment(q)
    opposite = known.pair(q, q, -q, np.zeros_like(q)).dual / second
    means = np.einsum("nk,ska->sna", averages(slopes.shape[1], 2), slopes)
    seen = np.flatnonzero(np.maximum(np.abs(slopes), np.abs(means)).max(axis=(0, 2)) > NOISE / 500)
    slopes, means = (table[:, : int(seen[-1]) + 1] for table in (slopes, means))
    root, slope = (chebyshev(np.log(moment) / 2.0, 0) for moment in (second, steep))
    return Cell(number, root, slope, chebyshev(opposite, 0), slopes, means, 0.0)


def _checked(activation: Activation, found: Cell) -> Cell | None:
    """With its error, if it meets the float64 expectations between the nodes."""
    rng = np.random.default_rng(0)
    x, u, sign = rng.uniform(-1.0, 1.0, 96), rng.random(96), rng.choice([-1.0, 1.0], 96)
    u[::3] *= 1e-3
    s, delta = np.exp2((found.number + x / 2.0) / CELLS), u * u
    q, known, basis = s * s, float_expectations(activation), chebvander(x, DEGREE)
    pair = known.pair(q, q, sign * q * (1.0 - delta), q * delta)
    second, steep = known.second_moment(q), known.derivative_second_moment(q)
    t, side = chebvander(2.0 * u - 1.0, found.slopes.shape[1] - 1), np.where(sign < 0, -1, 0)
    slope, mean = (np.einsum("pn,pna,pa->p", t, table[side], basis) for table in (found.slopes, found.means))
    even = activation.parity == "even"
    fall = q * delta * steep / second * mean
    dual = np.where((sign > 0) | even, 1.0 - fall, basis @ found.opposite + fall)
    slope = sign * slope if even else slope
    deviations = (
        dual - pair.dual / second,
        slope - pair.derivative_dual / steep,
        basis @ found.root - np.log(second) / 2.0,
        basis @ found.slope - np.log(steep) / 2.0,
    )
    error = float(max(np.abs(deviation).max() for deviation in deviations))
    if not error <= ERROR:
        return None
    return replace(found, error=error)
