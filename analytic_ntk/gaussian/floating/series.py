"""Many pairs with different norms: the Hermite series, separable in the two variances.

``E phi(u)phi(v) = sum_k a_k(q11) a_k(q22) rho^k`` with ``a_k(q) = E phi(sqrt(q) Z) h_k(Z)``, ``h_k`` the
normalised probabilists' Hermite polynomials. The coefficients cost one matrix product for all variances;
a pair then costs one Horner step per coefficient. A pair is served only where the tail is known to be small:
``|tail| <= |rho|^(K+1) sqrt(t_K(q11) t_K(q22))``, ``t_K(q) = E phi(u)^2 - sum_{k<=K} a_k(q)^2``.

Near ``|rho'| = 1`` the gap is ``1 - rho' = 1/2 sum (alpha_k - beta_k)^2 + delta sum_k alpha_k beta_k Q_k``,
``Q_k = 1 + rho + ... + rho^(k-1)``, with ``alpha, beta`` the coefficients divided by the root mean squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating.line import gauss_weight, unit_gauss
from analytic_ntk.gaussian.floating.mesh import Mesh, PartFunctions

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
MOST_TERMS = 768
_LOG_SMALL_TAIL = float(np.log(4e-16))
_NEAR_ONE = 3e-3
_ROUNDING = 4e-15
_STRETCH = 128
_NOISE = 1e-21
_NODES = 28
_STEPS = (8, 16, 32, 64, 128, 256, 384, 512, MOST_TERMS)


@dataclass(frozen=True)
class Coefficients:
    """Rows are variances: normalised ``a_k/rms`` and the same for ``phi'``; ``tail[:, k]`` what is left."""

    phi: Array
    slope: Array
    phi_tail: Array
    slope_tail: Array


def coefficients(
    functions: tuple[PartFunctions, PartFunctions], mesh: Mesh, root_q: Array, reach: float
) -> tuple[Array, Array]:
    """``E f(sqrt(q) Z) h_k(Z)``, rows are variances, for ``phi`` and ``phi'``."""
    phi, slope = np.empty((len(root_q), MOST_TERMS)), np.empty((len(root_q), MOST_TERMS))
    if np.all(mesh.breaks == 0):
        _fill_on_one_grid([phi, slope], functions, mesh, root_q, reach)
    else:
        _fill_on_own_grids([phi, slope], functions, mesh, root_q, reach)
    return phi, slope


def normalised(raw: tuple[Array, Array], rms: tuple[Array, Array]) -> Coefficients:
    """Divide by the root mean squares and find the tails."""
    tables, tails = [], []
    for values, scale in zip(raw, rms, strict=True):
        table = values / np.where(scale > 0, scale, 1.0)[:, None]
        squares = table * table
        after = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]
        rest = np.where(scale > 0, _beyond(squares), 0.0)
        tails.append(np.concatenate([after[:, 1:], np.zeros((len(scale), 1))], axis=1) + rest[:, None])
        tables.append(table)
    return Coefficients(tables[0], tables[1], tails[0], tails[1])


def _beyond(squares: Array) -> Array:
    """The sum of the squares beyond the table: by its geometric decay where it decays, else by Parseval.

    ``1 - sum`` alone would not do: its rounding error, a few 1e-15, is no tail, but no zero either.
    """
    last = np.sum(squares[:, -_STRETCH:], axis=1)
    before = np.sum(squares[:, -2 * _STRETCH : -_STRETCH], axis=1)
    ratio = last / np.where(before > 0, before, 1.0)
    decayed = np.where(ratio < 0.7, 4 * last * ratio / (1 - np.minimum(ratio, 0.9)), np.inf)
    decayed[last < _NOISE] = _NOISE
    parseval = np.maximum(1 - np.sum(squares, axis=1), 0.0) + _ROUNDING
    return np.where(parseval < 10 * _ROUNDING, np.minimum(parseval, decayed), parseval)


def _fill_on_one_grid(
    found: list[Array],
    functions: tuple[PartFunctions, PartFunctions],
    mesh: Mesh,
    root_q: Array,
    reach: float,
) -> None:
    """The only breakpoint is 0, the same in units of every standard deviation: one matrix product."""
    part, z, weight = _grid(mesh, float(np.max(root_q)), reach)
    root_weight = np.sqrt(weight)
    hermite = _hermite(z, root_weight)
    for table, function in zip(found, functions, strict=True):
        value = np.empty((len(root_q), len(z)))
        for index in np.unique(part):
            here = part == index
            value[:, here] = function.on(int(index), root_q[:, None] * z[here])
        table[:] = (value * root_weight) @ hermite.T


def _fill_on_own_grids(
    found: list[Array],
    functions: tuple[PartFunctions, PartFunctions],
    mesh: Mesh,
    root_q: Array,
    reach: float,
) -> None:
    """Breakpoints elsewhere: every variance has its own nodes; eight variances a time stay in the cache."""
    for start in range(0, len(root_q), 8):
        rows = np.arange(start, min(start + 8, len(root_q)))
        grids = [_grid(mesh, float(root_q[i]), reach) for i in rows]
        longest = max(len(grid[1]) for grid in grids)
        z, root_weight = np.zeros((len(rows), longest)), np.zeros((len(rows), longest))
        values = [np.zeros((len(rows), longest)) for _ in functions]
        for place, (i, (part, nodes, weight)) in enumerate(zip(rows, grids, strict=True)):
            z[place, : len(nodes)], root_weight[place, : len(nodes)] = nodes, np.sqrt(weight)
            panels = (root_q[i] * nodes).reshape(-1, _NODES)
            for value, function in zip(values, functions, strict=True):
                value[place, : len(nodes)] = function(part[::_NODES], panels).ravel()
        weighted = [value * root_weight for value in values]
        before, current = np.zeros_like(z), root_weight
        for k in range(MOST_TERMS):
            for table, value in zip(found, weighted, strict=True):
                table[rows, k] = np.einsum("qn,qn->q", value, current)
            before, current = current, (z * current - np.sqrt(k) * before) / np.sqrt(k + 1)


def _grid(mesh: Mesh, root_q: float, reach: float) -> tuple[Index, Array, Array]:
    """Part of phi, nodes, weights with the density; panels of at most one standard deviation."""
    edges = np.unique(np.clip(mesh.edges / root_q, -reach, reach))
    lows, widths = [], []
    for low, high in pairwise(edges):
        count = int(np.ceil(high - low))
        lows += [low + (high - low) * i / count for i in range(count)]
        widths += [(high - low) / count] * count
    points, weights = unit_gauss(_NODES)
    low, width = np.array(lows)[:, None], np.array(widths)[:, None]
    z = low + width * points
    middle = (low + 0.5 * width)[:, 0] * root_q
    place = np.clip(np.searchsorted(mesh.edges, middle, side="right") - 1, 0, len(mesh.part) - 1)
    part = np.repeat(mesh.part[place], len(points))
    return part, z.ravel(), (width * weights * gauss_weight(z)).ravel()


def _hermite(z: Array, root_weight: Array) -> Array:
    """``h_k(z) root_weight`` for all ``k``, by the normalised recurrence (no overflow)."""
    table = np.empty((MOST_TERMS, len(z)))
    table[0] = root_weight
    table[1] = z * root_weight
    for k in range(1, MOST_TERMS - 1):
        table[k + 1] = (z * table[k] - np.sqrt(k) * table[k - 1]) / np.sqrt(k + 1)
    return table


@dataclass(frozen=True)
class SeriesSums:
    """``rho'``, ``1 - |rho'|``, ``E phi'(u)phi'(v)/(rms rms)``; valid where ``served``."""

    rho: Array
    opening: Array
    slope: Array
    served: Mask


def evaluate(table: Coefficients, i: Index, j: Index, delta: Array, sign: Index) -> SeriesSums:
    """Pairs ``(i, j)`` of rows of the table with correlation ``sign (1 - delta)``."""
    r = 1 - delta
    terms = _terms_needed(table, i, j, r)
    rho, opening, slope = np.zeros(len(r)), np.zeros(len(r)), np.zeros(len(r))
    served = terms > 0
    even = np.ascontiguousarray(table.phi.T)
    even_slope = np.ascontiguousarray(table.slope.T)
    for count in _STEPS:
        rows = np.nonzero(terms == count)[0]
        for start in range(0, len(rows), 16384):
            block = rows[start : start + 16384]
            a, b, power = i[block], j[block], sign[block] * r[block]
            total = _horner(even, a, b, power, count)
            rho[block] = total
            slope[block] = _horner(even_slope, a, b, power, count)
            opening[block] = 1 - np.abs(total)
    near = np.nonzero(served & (opening < _NEAR_ONE))[0]
    terms[near] = _terms_near_one(table, i[near], j[near])
    served[near] = terms[near] > 0
    near = near[terms[near] > 0]
    for count in _STEPS:
        rows = near[terms[near] == count]
        for start in range(0, len(rows), 4096):
            block = rows[start : start + 4096]
            opening[block] = _opening(
                table.phi, i[block], j[block], delta[block], sign[block], rho[block], count
            )
    return SeriesSums(rho, opening, slope, served)


def _terms_needed(table: Coefficients, i: Index, j: Index, r: Array) -> NDArray[np.intp]:
    """The least count of ``_STEPS`` whose tail is negligible; 0 where none is."""
    needed = np.zeros(len(r), dtype=np.intp)
    log_r = np.log(np.maximum(r, 1e-300))
    for count in reversed(_STEPS):
        # half the logarithm of the larger of the two tails of each variance
        tail = 0.5 * np.log(np.maximum(table.phi_tail[:, count - 1], table.slope_tail[:, count - 1]) + 1e-300)
        needed[tail[i] + tail[j] + count * log_r < _LOG_SMALL_TAIL] = count
    return needed


def _terms_near_one(table: Coefficients, i: Index, j: Index) -> NDArray[np.intp]:
    """The least count near ``|rho'| = 1``: ``sum (alpha - beta)^2`` has the larger tail of the two."""
    needed = np.zeros(len(i), dtype=np.intp)
    for count in reversed(_STEPS):
        phi_tail, slope_tail = table.phi_tail[:, count - 1], table.slope_tail[:, count - 1]
        small = np.maximum(phi_tail[i], phi_tail[j]) < 1e-18
        needed[small & (np.maximum(slope_tail[i], slope_tail[j]) < 1e-15)] = count
    return needed


def _horner(table: Array, i: Index, j: Index, rho: Array, count: int) -> Array:
    total = table[count - 1, i] * table[count - 1, j]
    for k in range(count - 2, -1, -1):
        total *= rho
        total += table[k, i] * table[k, j]
    return total


def _opening(table: Array, i: Index, j: Index, delta: Array, sign: Array, rho: Array, count: int) -> Array:
    """``1 - |rho'|`` without cancellation; the sign of ``rho'`` is known from the plain sum."""
    alpha, beta = table[i, :count], table[j, :count].copy()
    beta[:, 1::2] *= sign[:, None]
    beta *= np.where(rho >= 0, 1.0, -1.0)[:, None]
    difference = 0.5 * np.sum((alpha - beta) ** 2, axis=1)
    r = 1 - delta
    product = alpha * beta
    geometric = np.zeros(len(delta))
    total = np.zeros(len(delta))
    for k in range(1, count):
        geometric = 1 + r * geometric
        total += product[:, k] * geometric
    return difference + delta * total
