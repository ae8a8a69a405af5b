"""One-dimensional Gaussian integrals on ragged panels, many at once.

A *panel* is a row ``(owner, low, high)``; owners have as many panels as they need, so an array of panels is
flat and every panel carries the number of the integral it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating.mesh import Mesh, PartFunctions

Array = NDArray[np.float64]
Index = NDArray[np.intp]
_FALL = 40.0
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class Rule:
    """Gauss-Legendre on [0, 1] with ``nodes`` points; panels are at most ``widest`` standard deviations."""

    nodes: int
    widest: float

    def level(self, level: int) -> Rule:
        """The rule on ``2^level`` times shorter panels."""
        return Rule(self.nodes, self.widest / 2**level)

    @cached_property
    def points(self) -> Array:
        return unit_gauss(self.nodes)[0]

    @cached_property
    def weights(self) -> Array:
        return unit_gauss(self.nodes)[1]


@lru_cache(maxsize=64)
def unit_gauss(count: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1], correct to the last bit or two.

    numpy's weights are off by several units in the last place, all to one side; one Newton step in extended
    precision removes that.
    """
    z = np.polynomial.legendre.leggauss(count)[0].astype(np.longdouble)
    for _ in range(2):
        value, slope = _legendre(count, z)
        z = z - value / slope
    slope = _legendre(count, z)[1]
    weights = 1 / ((1 - z * z) * slope * slope)
    return (0.5 * (1 + z)).astype(np.float64), weights.astype(np.float64)


def _legendre(count: int, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    before, value = np.ones_like(z), z
    for k in range(2, count + 1):
        before, value = value, ((2 * k - 1) * z * value - (k - 1) * before) / k
    return value, count * (before - z * value) / (1 - z * z)


USUAL = Rule(20, 4.5)
FINER = Rule(28, 3.0)


def subdivide(
    low: Array, width: Array, widest: float, origin: Array | float = 0.0
) -> tuple[Index, Array, Array]:
    """Cut panels wider than ``widest`` into equal parts: the panel each came from, its low and width.

    Ends are relative to ``origin``. Far out, where the density falls like ``exp(-|x| t)``, panels that start
    at a breakpoint must be shorter: at most ``_FALL`` e-foldings.
    """
    start, end = origin + low, origin + low + width
    nearest = np.where(start * end > 0, np.minimum(np.abs(start), np.abs(end)), 0.0)
    longest = np.minimum(widest, _FALL / np.maximum(nearest, 1.0))
    count = np.maximum(1, np.ceil(width / longest)).astype(np.intp)
    source = np.repeat(np.arange(len(low)), count)
    first = np.cumsum(count) - count
    place = np.arange(len(source)) - first[source]
    part = (width / count)[source]
    return source, low[source] + place * part, part


def sum_by(owner: Index, values: Array, count: int) -> Array:
    """The sums of ``values`` over equal ``owner``, for the owners ``0 .. count - 1``."""
    return np.bincount(owner, values, minlength=count).astype(np.float64, copy=False)


def gauss_weight(x: Array) -> Array:
    """The standard normal density."""
    return np.exp(-0.5 * x * x) / ROOT_TWO_PI


def reach_of(functions: tuple[PartFunctions, ...], root_q: Array, widest: float = 60.0) -> Array:
    """How many standard deviations matter: beyond, ``phi(root_q x)^2`` weighs less than 1e-19 of its peak.

    ``nan`` where the weight has not decayed at ``widest`` (the moment is out of the range of float64).
    """
    grid = np.arange(0.0, widest + 0.25, 0.25)
    signed = np.concatenate([grid, -grid])
    best = np.full(len(root_q), 8.5)
    for function in functions:
        for start in range(0, len(root_q), 2048):
            rows = slice(start, start + 2048)
            with np.errstate(all="ignore"):
                value = function.whole(root_q[rows, None] * signed)
                weight = 2 * np.log(np.abs(value)) - 0.5 * signed**2
            weight[np.isnan(weight)] = -np.inf
            infinite = np.isposinf(weight)
            weight[infinite] = -np.inf
            peak = np.max(weight, axis=1, keepdims=True)
            matters = (weight > peak - 44.0) & np.isfinite(peak)
            far = np.max(np.where(matters, np.abs(signed), 0.0), axis=1) + 0.25
            # overflow of the formula next to a point that matters is growth; elsewhere it is harmless
            after = np.concatenate([infinite[:, 1:], np.zeros_like(infinite[:, :1])], axis=1)
            after[:, len(grid) - 1] = False
            far[np.any(after & matters, axis=1) | np.any(infinite[:, [0, len(grid)]], axis=1)] = np.nan
            best[rows] = np.maximum(best[rows], far)
    best[best > widest] = np.nan
    return best


def second_moments(
    functions: tuple[PartFunctions, ...], mesh: Mesh, root_q: Array, reach: Array, rule: Rule
) -> list[Array]:
    """``E f(root_q Z)^2`` for every function of ``functions`` and every entry of ``root_q``."""
    totals = [np.empty(len(root_q)) for _ in functions]
    block = max(1, 400_000 // (rule.nodes * (len(mesh.part) + 4)))
    for start in range(0, len(root_q), block):
        rows = slice(start, start + block)
        owner, part, z, weight = line_nodes(mesh, root_q[rows], reach[rows], rule)
        u = root_q[rows][owner][:, None] * z
        for total, function in zip(totals, functions, strict=True):
            with np.errstate(all="ignore"):
                value = function(part, u) * np.sqrt(weight)
                sums = np.sum(value * value, axis=1)
            total[rows] = sum_by(owner, sums, len(root_q[rows]))
    return totals


def line_nodes(mesh: Mesh, root_q: Array, reach: Array, rule: Rule) -> tuple[Index, Index, Array, Array]:
    """Panels of ``E g(root_q Z)``: owner, part of phi, nodes in ``Z``, weights (density included)."""
    edges = np.clip(mesh.edges / root_q[:, None], -reach[:, None], reach[:, None])
    owner, panel = np.nonzero(edges[:, 1:] > edges[:, :-1])
    source, low, width = subdivide(
        edges[owner, panel], edges[owner, panel + 1] - edges[owner, panel], rule.widest
    )
    z = low[:, None] + width[:, None] * rule.points
    weight = width[:, None] * rule.weights * gauss_weight(z)
    return owner[source], mesh.part[panel[source]], z, weight
