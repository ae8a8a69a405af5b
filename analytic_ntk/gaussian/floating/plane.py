"""Two-dimensional Gaussian integrals of any piecewise analytic activation, to rounding error.

With standard normal ``X, T`` independent, ``u = sqrt(q11) X`` and ``v = +-sqrt(q22) (r X + s T)``, where
``r = |rho| = 1 - delta`` and ``s = sqrt(delta (2 - delta))``. The outer integral over ``X`` sees the
activation of ``u`` and the activation of ``v`` smoothed at the scale ``w = s/r``; around a breakpoint of the
latter it is resolved at the scale ``w``, in coordinates relative to that breakpoint (an *anchor*), so that
``w = 1e-15`` is no harder than ``w = 1``. The inner integral over ``T`` is cut where ``v`` meets the mesh.

The correlation of the outputs is returned as ``1 - rho' = 1/2 E (phi(u)/m1 - phi(v)/m2)^2`` and
``1 + rho'`` likewise: sums of squares, no cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating.line import Rule, gauss_weight, subdivide, sum_by
from analytic_ntk.gaussian.floating.mesh import Mesh, PartFunctions

Array = NDArray[np.float64]
Index = NDArray[np.intp]
ZONE = np.array([-9.0, -3.0, 3.0, 9.0])
_NODES = 300_000


@dataclass(frozen=True)
class Block:
    """Pairs with one sign of the correlation: roots of the variances, ``delta = 1 - |rho|``, reach, rms."""

    root1: Array
    root2: Array
    q_difference: Array
    delta: Array
    reach: Array
    rms1: Array
    rms2: Array

    def rows(self, where: slice) -> Block:
        return Block(
            self.root1[where], self.root2[where], self.q_difference[where], self.delta[where],
            self.reach[where], self.rms1[where], self.rms2[where],
        )  # fmt: skip


@dataclass(frozen=True)
class Outer:
    """Nodes of the outer integral, one row per panel."""

    pair: Index
    anchor: Array
    offset: Array
    weight: Array
    part: Index
    anchor_number: Index


def plane(
    phi: PartFunctions, derivative: PartFunctions, mesh: Mesh, block: Block, sign: int, rule: Rule
) -> tuple[Array, Array, Array, Array]:
    """``rho', 1 - rho', 1 + rho', E phi'(u) phi'(v)`` for every pair of the block."""
    inner_mesh = mesh if sign > 0 else mesh.reflected()
    results = [np.zeros(len(block.delta)) for _ in range(4)]
    size = 64
    for start in range(0, len(block.delta), size):
        where = slice(start, start + size)
        part_block = block.rows(where)
        anchors, active = meetings(inner_mesh, part_block)
        outer = outer_nodes(mesh, inner_mesh, part_block, anchors, active, rule)
        sums = _integrate(phi, derivative, inner_mesh, part_block, outer, anchors, active, sign, rule)
        for result, total in zip(results, sums, strict=True):
            result[where] = total
    return results[0], results[1], results[2], results[3]


def meetings(inner: Mesh, block: Block) -> tuple[Array, NDArray[np.bool_]]:
    """Where ``v`` meets its breakpoints as ``T = 0``, in units of ``X``; the last anchor is 0."""
    r = 1 - block.delta
    s = np.sqrt(block.delta * (2 - block.delta))
    scale = (block.root2 * r)[:, None]
    with np.errstate(all="ignore"):
        where = inner.breaks / scale
        near = (s < r)[:, None] & (np.abs(where) < block.reach[:, None] + 9.0)
    anchors = np.concatenate([np.where(near, where, 0.0), np.zeros((len(r), 1))], axis=1)
    return anchors, np.concatenate([near, np.ones((len(r), 1), bool)], axis=1)


def _nearest(distance: Array, active: NDArray[np.bool_]) -> tuple[Index, Array]:
    """The nearest active anchor for every edge, from the distances ``(pairs, edges, anchors)``."""
    far = np.where(active[:, None, :], np.abs(distance), np.inf)
    number = np.argmin(far, axis=2)
    return number, np.take_along_axis(distance, number[:, :, None], axis=2)[:, :, 0]


def outer_nodes(
    mesh: Mesh, inner: Mesh, block: Block, anchors: Array, active: NDArray[np.bool_], rule: Rule
) -> Outer:
    r = 1 - block.delta
    s = np.sqrt(block.delta * (2 - block.delta))
    reach = block.reach[:, None]
    groups: list[tuple[Index, Array, NDArray[np.bool_], bool]] = []

    def add(x_edges: Array, keep: NDArray[np.bool_]) -> None:
        keep = keep & (np.abs(x_edges) < reach)
        number, offset = _nearest(x_edges[:, :, None] - anchors[:, None, :], active)
        groups.append((number, offset, keep, False))

    ones = np.ones((len(r), 1), bool)
    for end in (-reach, reach):
        number, offset = _nearest(end[:, :, None] - anchors[:, None, :], active)
        groups.append((number, offset, ones, False))
    soft = np.setdiff1d(np.arange(len(mesh.edges)), mesh.hard)
    own = mesh.edges[soft] / block.root1[:, None]
    add(own, np.ones_like(own, bool))
    groups.append(_own_breaks(mesh, inner, block, anchors, active))
    soft = np.setdiff1d(np.arange(len(inner.edges)), inner.hard)
    with np.errstate(all="ignore"):
        other = inner.edges[soft] / (block.root2 * r)[:, None]
        keep = (s < r)[:, None] & ~_redundant(mesh, inner, soft, other, block)
        other = np.where(keep, other, 0.0)
    add(other, keep)
    w = np.where(s < r, s / np.maximum(r, 0.25), 0.0)
    for j in range(anchors.shape[1] - 1):
        shift = anchors[:, j, None] - anchors
        distance = (ZONE * w[:, None])[:, :, None] + shift[:, None, :]
        number, offset = _nearest(distance, active)
        inside = np.abs(anchors[:, j, None] + ZONE * w[:, None]) < reach
        groups.append((number, offset, inside & active[:, j, None], False))
    return _panels(mesh, block, anchors, groups, rule)


def _own_breaks(
    mesh: Mesh, inner: Mesh, block: Block, anchors: Array, active: NDArray[np.bool_]
) -> tuple[Index, Array, NDArray[np.bool_], bool]:
    """The breakpoints of ``phi(u)``, exactly relative to the same breakpoint of ``phi(v)``."""
    x_edges = mesh.breaks / block.root1[:, None]
    distance = x_edges[:, :, None] - anchors[:, None, :]
    difference = block.q_difference / (block.root1 + block.root2) - block.delta * block.root2
    with np.errstate(all="ignore"):
        ratio = difference / ((1 - block.delta) * block.root1 * block.root2)
    for i, b in enumerate(mesh.breaks):
        for j in np.nonzero(inner.breaks == b)[0]:
            distance[:, i, j] = b * np.where(active[:, j], ratio, 0.0)
    number, offset = _nearest(distance, active)
    return number, offset, np.abs(x_edges) < block.reach[:, None], True


def _redundant(mesh: Mesh, inner: Mesh, soft: Index, other: Array, block: Block) -> NDArray[np.bool_]:
    """Mesh edges of ``v`` that almost coincide with one of ``u``: the panel between would be a sliver."""
    u = np.where(np.isfinite(other), other, 0.0) * block.root1[:, None]
    place = np.clip(np.searchsorted(mesh.edges, u), 1, len(mesh.edges) - 1)
    gap = np.minimum(np.abs(mesh.edges[place] - u), np.abs(u - mesh.edges[place - 1]))
    scale = (block.root1 / (block.root2 * (1 - block.delta)))[:, None]
    left = inner.edges[soft] - inner.edges[np.maximum(soft - 1, 0)]
    right = inner.edges[np.minimum(soft + 1, len(inner.edges) - 1)] - inner.edges[soft]
    return gap < 0.12 * np.minimum(np.minimum(left, right) * scale, mesh.edges[place] - mesh.edges[place - 1])


def _panels(
    mesh: Mesh,
    block: Block,
    anchors: Array,
    groups: list[tuple[Index, Array, NDArray[np.bool_], bool]],
    rule: Rule,
) -> Outer:
    number = np.concatenate([group[0] for group in groups], axis=1)
    offset = np.concatenate([group[1] for group in groups], axis=1)
    keep = np.concatenate([np.broadcast_to(group[2], group[0].shape) for group in groups], axis=1)
    is_break = np.concatenate([np.full(group[0].shape, group[3]) for group in groups], axis=1)
    value = np.where(keep, np.take_along_axis(anchors, number, axis=1), np.inf)
    order = np.lexsort((np.where(keep, offset, 0.0), value), axis=1)
    number, offset, keep, is_break, value = (
        np.take_along_axis(a, order, axis=1) for a in (number, offset, keep, is_break, value)
    )
    before = np.sum(mesh.breaks / block.root1[:, None] <= -block.reach[:, None], axis=1)
    part = np.cumsum(is_break & keep, axis=1) + before[:, None]
    same = number[:, 1:] == number[:, :-1]
    with np.errstate(all="ignore"):
        shift = np.where(same, 0.0, value[:, 1:] - value[:, :-1])
        width = offset[:, 1:] - offset[:, :-1] + shift
    pair, edge = np.nonzero(keep[:, 1:] & keep[:, :-1] & (width > 0))
    low = offset[pair, edge]
    source, low, width = subdivide(low, width[pair, edge], rule.widest, value[pair, edge])
    pair, edge = pair[source], edge[source]
    offset_nodes = low[:, None] + width[:, None] * rule.points
    anchor = value[pair, edge]
    weight = width[:, None] * rule.weights * gauss_weight(anchor[:, None] + offset_nodes)
    lowest_part = int(mesh.part[0])
    return Outer(pair, anchor, offset_nodes, weight, part[pair, edge] + lowest_part, number[pair, edge])


def _integrate(
    phi: PartFunctions,
    derivative: PartFunctions,
    inner: Mesh,
    block: Block,
    outer: Outer,
    anchors: Array,
    active: NDArray[np.bool_],
    sign: int,
    rule: Rule,
) -> list[Array]:
    u = block.root1[outer.pair][:, None] * (outer.anchor[:, None] + outer.offset)
    f = (phi(outer.part, u) / block.rms1[outer.pair][:, None]).ravel()
    df = derivative(outer.part, u).ravel()
    weight = outer.weight.ravel()
    pair = np.repeat(outer.pair, rule.nodes)
    number = np.repeat(outer.anchor_number, rule.nodes)
    offset = outer.offset.ravel()
    means = [np.empty(len(pair)) for _ in range(3)]
    step = max(64, _NODES // (rule.nodes * (4 + min(len(inner.part), 12))))
    for start in range(0, len(pair), step):
        rows = slice(start, start + step)
        found = _inner(
            phi, derivative, inner, block, anchors, active, pair[rows], number[rows], offset[rows], sign, rule
        )
        for mean, value in zip(means, found, strict=True):
            mean[rows] = value
    g, spread, dg = means
    terms = (f * g, 0.5 * ((f - g) ** 2 + spread), 0.5 * ((f + g) ** 2 + spread), df * dg)
    return [sum_by(pair, weight * term, len(block.delta)) for term in terms]


def inner_nodes(
    inner: Mesh,
    block: Block,
    anchors: Array,
    active: NDArray[np.bool_],
    pair: Index,
    number: Index,
    offset: Array,
    sign: int,
    rule: Rule,
) -> tuple[Index, Index, Array, Array]:
    """Nodes of the inner integral, one row per panel: its outer node, the part of phi, ``v``, the weights."""
    delta, root2 = block.delta[pair], block.root2[pair]
    r, s = 1 - delta, np.sqrt(delta * (2 - delta))
    anchor = anchors[pair, number]
    mean = r * (anchor + offset)
    edges = (inner.edges / root2[:, None] - mean[:, None]) / s[:, None]
    for j, place in enumerate(inner.hard):
        rows = active[pair, j]
        shift = np.where(number == j, 0.0, anchors[pair, j] - anchor)
        edges[:, place] = np.where(rows, r * (shift - offset) / s, edges[:, place])
    reach = block.reach[pair][:, None]
    edges = np.clip(edges, -reach, reach)
    row, panel = np.nonzero(edges[:, 1:] > edges[:, :-1])
    source, low, width = subdivide(edges[row, panel], edges[row, panel + 1] - edges[row, panel], rule.widest)
    row, part = row[source], inner.part[panel[source]]
    t = low[:, None] + width[:, None] * rule.points
    weight = width[:, None] * rule.weights * gauss_weight(t)
    v = (sign * root2[row])[:, None] * (mean[row][:, None] + s[row][:, None] * t)
    return row, part, v, weight


def _inner(
    phi: PartFunctions,
    derivative: PartFunctions,
    inner: Mesh,
    block: Block,
    anchors: Array,
    active: NDArray[np.bool_],
    pair: Index,
    number: Index,
    offset: Array,
    sign: int,
    rule: Rule,
) -> tuple[Array, Array, Array]:
    """Mean and variance of ``phi(v)/m2`` and mean of ``phi'(v)`` over ``T``, for every outer node."""
    row, part, v, weight = inner_nodes(inner, block, anchors, active, pair, number, offset, sign, rule)
    g = phi(part, v) / block.rms2[pair[row]][:, None]
    count = len(pair)
    average = sum_by(row, np.sum(weight * g, axis=1), count)
    residual = g - average[row][:, None]
    spread = sum_by(row, np.sum(weight * residual * residual, axis=1), count)
    slope = sum_by(row, np.sum(weight * derivative(part, v), axis=1), count)
    return average, spread, slope


def diagonal(
    phi: PartFunctions, derivative: PartFunctions, mesh: Mesh, block: Block, sign: int, rule: Rule
) -> tuple[Array, Array, Array, Array]:
    """The same for proportional inputs, ``delta = 0``: ``v = +-sqrt(q22) X``, a one-dimensional integral."""
    other = mesh if sign > 0 else mesh.reflected()
    results = [np.zeros(len(block.delta)) for _ in range(4)]
    size = max(1, 200_000 // (rule.nodes * (len(mesh.part) + 2)))
    for start in range(0, len(block.delta), size):
        where = slice(start, start + size)
        rows = block.rows(where)
        both = np.concatenate([mesh.edges / rows.root1[:, None], other.edges / rows.root2[:, None]], axis=1)
        edges = np.sort(np.clip(both, -rows.reach[:, None], rows.reach[:, None]), axis=1)
        pair, edge = np.nonzero(edges[:, 1:] > edges[:, :-1])
        source, low, width = subdivide(
            edges[pair, edge], edges[pair, edge + 1] - edges[pair, edge], rule.widest
        )
        middle = 0.5 * (edges[pair, edge] + edges[pair, edge + 1])[source]
        pair = pair[source]
        z = low[:, None] + width[:, None] * rule.points
        weight = width[:, None] * rule.weights * gauss_weight(z)
        part_u, part_v = _part_of(mesh, middle * rows.root1[pair]), _part_of(other, middle * rows.root2[pair])
        u, v = rows.root1[pair][:, None] * z, sign * rows.root2[pair][:, None] * z
        f, g = phi(part_u, u) / rows.rms1[pair][:, None], phi(part_v, v) / rows.rms2[pair][:, None]
        slopes = derivative(part_u, u) * derivative(part_v, v)
        for result, term in zip(
            results, (f * g, 0.5 * (f - g) ** 2, 0.5 * (f + g) ** 2, slopes), strict=True
        ):
            result[where] = sum_by(pair, np.sum(weight * term, axis=1), len(rows.delta))
    return results[0], results[1], results[2], results[3]


def _part_of(mesh: Mesh, middle: Array) -> Index:
    place = np.searchsorted(mesh.edges, middle, side="right") - 1
    return mesh.part[np.clip(place, 0, len(mesh.part) - 1)]
