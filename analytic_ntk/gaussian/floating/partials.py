r"""Partial derivatives of Gaussian expectations by quadrature: any piecewise analytic activation, any pair.

A pair is ``(q11, q22, rho)`` with ``rho = s cos a``, ``s = +-1``, ``0 <= a <= pi/2``. At fixed correlation
``u -> e^h u`` moves ``log q11`` by ``2h``, so no derivative of ``phi`` is needed beyond those in the kernel:

    d/dlog q11 E f(u) g(v) = 1/2 E u f'(u) g(v),
    d/da E f(u) g(v) = -s sin(a) sqrt(q11 q22) E f'(u) g'(v)

(Stein; Price 1958), where ``f'`` holds a Dirac mass ``j delta_c`` for each jump ``j`` of ``f`` at ``c``:

    E delta_c(u) h(v) = p(c) E[h(v) | u = c],
    sqrt(q11 q22) sin(a) E delta_c(u) delta_e(v) = exp(-Q/2)/(2 pi),

so that everything is finite down to ``a = 0``. The correlation of the outputs is differentiated as
``1 - |rho'| = 1/2 E (phi(u)/m1 - s' phi(v)/m2)^2``, whose derivative is small where it is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.floating.grids import Grids, overflow
from analytic_ntk.gaussian.floating.line import (
    FINER,
    USUAL,
    Rule,
    gauss_weight,
    line_nodes,
    subdivide,
    sum_by,
)
from analytic_ntk.gaussian.floating.memo import Memo
from analytic_ntk.gaussian.floating.mesh import Mesh, PartFunctions
from analytic_ntk.gaussian.floating.plane import Block, inner_nodes, meetings, outer_nodes
from analytic_ntk.gaussian.pieces import Pieces

Array = NDArray[np.float64]
Index = NDArray[np.intp]
TOLERANCE = 1e-12
"""Two rules that agree to this, on quantities of order 1, are taken as settled."""
CLOSEST = 1e-30
"""Proportional inputs are taken this close to ``|rho| = 1``: what changes is below rounding."""
_LEVELS = 4
_PAIRS = 64
_NODES = 200_000


@dataclass(frozen=True)
class Asked:
    """Pairs with ``q1 <= q2``, ``q1 > 0``; ``mu`` are ``E u phi'(u) phi(u) / E phi(u)^2``."""

    q1: Array
    q2: Array
    delta: Array
    sign: Index
    out_sign: Index
    rms1: Array
    rms2: Array
    mu1: Array
    mu2: Array

    def take(self, rows: Index) -> Asked:
        return Asked(*(getattr(self, name)[rows] for name in Asked.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.q1)


class Partials:
    """Quadrature for one activation; ``second`` is ``phi''`` away from the breakpoints."""

    def __init__(self, phi: Pieces, derivative: Pieces, second: Pieces) -> None:
        self.name = str(phi.parts[0] if len(phi.parts) == 1 else phi.parts)
        self.breaks = phi.float_breakpoints
        self.phi, self.slope, self.second = (
            PartFunctions(f, phi.breakpoints) for f in (phi, derivative, second)
        )
        self.functions = (self.phi, self.slope, self.second)
        # of phi, of its square, and of the same of phi', at each breakpoint
        self.jumps = [_jumps(f, self.breaks) for f in (self.phi, self.slope)]
        self.level = 0
        grids = Grids(self.functions, self.breaks, self.name)
        self.mesh, self.reach = grids.mesh, grids.reach
        self._moments = Memo(2)

    # --------------------------------------------------------------------------- one variance

    def moments(self, q: Array) -> tuple[Array, Array]:
        """``dE phi(u)^2 / dlog q`` and ``dE phi'(u)^2 / dlog q`` for distinct ascending ``q > 0``."""
        found = self._moments.get(q, self._new_moments)
        return found[:, 0], found[:, 1]

    def _new_moments(self, q: Array) -> Array:
        root = np.sqrt(q)
        reach = self.reach(root)
        size = _size(reach * root)
        found = np.empty((len(q), 2))
        for k in np.unique(size):
            rows = np.nonzero(size == k)[0]
            for start in range(0, len(rows), 1024):
                some = rows[start : start + 1024]
                found[some] = self._checked_moments(int(k), root[some], reach[some])
        return found

    def _checked_moments(self, size: int, root: Array, reach: Array) -> Array:
        rough = self._line(self.mesh(size, 0), root, reach, USUAL)
        for level in range(1, _LEVELS):
            finer = self._line(self.mesh(size, level), root, reach, FINER.level(level - 1))
            value, scale = finer
            if not np.all(np.isfinite(value)):
                raise overflow(self.name, float(np.max(root) ** 2))
            if np.all(np.abs(value - rough[0]) <= TOLERANCE * scale):
                return value
            rough = finer
        raise self._unresolved("second moments")

    def _line(self, mesh: Mesh, root: Array, reach: Array, rule: Rule) -> tuple[Array, Array]:
        """The two derivatives, and the same with absolute values inside."""
        owner, part, z, weight = line_nodes(mesh, root, reach, rule)
        u = root[owner][:, None] * z
        values, sizes = np.empty((len(root), 2)), np.empty((len(root), 2))
        with np.errstate(all="ignore"):
            phi, slope, second = (f(part, u) for f in self.functions)
            for k, (f, df) in enumerate(((phi, slope), (slope, second))):
                term = (f * np.sqrt(weight)) * (u * df * np.sqrt(weight))
                values[:, k] = sum_by(owner, np.sum(term, axis=1), len(root))
                sizes[:, k] = sum_by(owner, np.sum(np.abs(term) + f * f * weight, axis=1), len(root))
        z_breaks = self.breaks / root[:, None]
        mass = z_breaks * np.exp(-0.5 * z_breaks * z_breaks) / np.sqrt(2 * np.pi)
        for k in (0, 1):
            values[:, k] += 0.5 * mass @ self.jumps[k][1]
        return values, sizes

    # --------------------------------------------------------------------------- pairs

    def pairs(self, asked: Asked) -> Array:
        """``(6, n)``: of ``1 - |rho'|`` by ``log q1``, by ``log q2``; what the jumps of ``phi`` add to
        ``sqrt(q1 q2) sin(a) E phi' phi'``; of ``E phi' phi'`` by ``log q1``, by ``log q2``; and
        ``sqrt(q1 q2) sin(a) E phi'' phi''`` with the masses of the kinks."""
        found = np.empty((6, len(asked)))
        both, inverse = np.unique(np.concatenate([asked.q1, asked.q2]), return_inverse=True)
        reach = self.reach(np.sqrt(both))[inverse]
        reach = np.maximum(reach[: len(asked)], reach[len(asked) :])
        size = _size(1.5 * reach * np.sqrt(asked.q2))
        for k in np.unique(size):
            for sign in (1, -1):
                rows = np.nonzero((size == k) & (asked.sign == sign))[0]
                if len(rows):
                    found[:, rows] = self._checked(asked.take(rows), reach[rows], int(k), sign)
        if not np.all(np.isfinite(found)):
            raise overflow(self.name, float(np.max(asked.q2)))
        return found

    def _checked(self, asked: Asked, reach: Array, size: int, sign: int) -> Array:
        probes = _sample(asked)
        probe = asked.take(probes)
        for level in range(self.level, _LEVELS):
            rough, _ = self._block(probe, reach[probes], self.mesh(size, level), sign, USUAL.level(level))
            finer, terms = self._block(
                probe, reach[probes], self.mesh(size, level + 1), sign, FINER.level(level)
            )
            if np.all(np.abs(rough - finer) <= TOLERANCE * _scale(finer, terms)):
                self.level = level
                mesh, rule = self.mesh(size, level), USUAL.level(level)
                blocks = [
                    self._block(
                        asked.take(np.arange(start, min(start + _PAIRS, len(asked)))),
                        reach[start : start + _PAIRS],
                        mesh,
                        sign,
                        rule,
                    )[0]
                    for start in range(0, len(asked), _PAIRS)
                ]
                return np.concatenate(blocks, axis=1)
        raise self._unresolved("derivatives of pair expectations")

    def _unresolved(self, what: str) -> PrecisionError:
        return PrecisionError(
            f"{what} of {self.name}: two quadrature rules differ by more than {TOLERANCE:g}",
            "an activation resolved in float64",
            "rewrite the formula without cancellation, or use smaller variances",
            reached=11,
        )

    def _block(self, asked: Asked, reach: Array, mesh: Mesh, sign: int, rule: Rule) -> tuple[Array, Array]:
        """The derivatives; and how large the terms are that cancel in those of ``E phi' phi'``."""
        delta = np.maximum(asked.delta, CLOSEST)
        block = Block(
            np.sqrt(asked.q1), np.sqrt(asked.q2), asked.q2 - asked.q1, delta, reach, asked.rms1, asked.rms2
        )
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused by the caller
            found, terms = self._smooth(asked, block, mesh, sign, rule)
            if len(self.breaks):
                _add_masses(self, asked, block, mesh, sign, rule, found)
        return found, terms

    def _smooth(self, asked: Asked, block: Block, mesh: Mesh, sign: int, rule: Rule) -> tuple[Array, Array]:
        """Without the Dirac masses."""
        inner = mesh if sign > 0 else mesh.reflected()
        anchors, active = meetings(inner, block)
        outer = outer_nodes(mesh, inner, block, anchors, active, rule)
        count = len(asked)
        u = block.root1[outer.pair][:, None] * (outer.anchor[:, None] + outer.offset)
        pair, number = np.repeat(outer.pair, rule.nodes), np.repeat(outer.anchor_number, rule.nodes)
        offset, weight, u_flat = outer.offset.ravel(), outer.weight.ravel(), u.ravel()
        phi, slope, second = (f(outer.part, u).ravel() for f in self.functions)
        f = phi / block.rms1[pair]
        f_dot = u_flat * slope / block.rms1[pair] - asked.mu1[pair] * f
        means = np.empty((7, len(pair)))
        step = max(64, _NODES // (rule.nodes * (4 + min(len(inner.part), 12))))
        for start in range(0, len(pair), step):
            some = slice(start, start + step)
            means[:, some] = self._inner(
                asked,
                block.rms2,
                pair[some],
                inner_nodes(
                    inner, block, anchors, active, pair[some], number[some], offset[some], sign, rule
                ),
            )
        g, g_dot, g_cross, dg, d_slope, d_second, d_size = means
        s = asked.out_sign[pair]
        terms = (
            0.5 * (f - s * g) * f_dot,
            0.5 * ((g - s * f) * g_dot + g_cross),
            0.5 * u_flat * second * dg,
            0.5 * slope * d_slope,
            second * d_second,
            np.abs(second) * d_size,
        )
        sums = [sum_by(pair, weight * term, count) for term in terms]
        delta = block.delta
        root_sine = block.root1 * block.root2 * np.sqrt(delta * (2 - delta))
        found = np.array([sums[0], sums[1], np.zeros(count), sums[2], sums[3], root_sine * sums[4]])
        return found, root_sine * sums[5]

    def _inner(
        self, asked: Asked, rms2: Array, pair: Index, nodes: tuple[Index, Index, Array, Array]
    ) -> Array:
        """For every outer node the means over ``v`` of ``g = phi(v)/m2``, of ``g. = v g' - mu2 g``, the
        covariance of the two, the means of ``phi'``, ``v phi''``, ``phi''``, ``|phi''|``."""
        row, part, v, weight = nodes
        phi, slope, second = (f(part, v) for f in self.functions)
        rms = rms2[pair[row]][:, None]
        g = phi / rms
        g_dot = v * slope / rms - asked.mu2[pair[row]][:, None] * g

        def mean(values: Array) -> Array:
            return sum_by(row, np.sum(weight * values, axis=1), len(pair))

        average = mean(g)
        cross = mean((g - average[row][:, None]) * g_dot)
        return np.array(
            [average, mean(g_dot), cross, mean(slope), mean(v * second), mean(second), mean(np.abs(second))]
        )


def _add_masses(
    of: Partials, asked: Asked, block: Block, mesh: Mesh, sign: int, rule: Rule, found: Array
) -> None:
    """Add the Dirac masses of ``phi'`` and of ``phi''``."""
    delta = block.delta
    root_sine = block.root1 * block.root2 * np.sqrt(delta * (2 - delta))
    ends = ((block.root1, block.root2, 1.0), (block.root2, block.root1, -1.0))
    for k, (own, other, way) in enumerate(ends):
        rms, other_rms = (asked.rms1, asked.rms2) if k == 0 else (asked.rms2, asked.rms1)
        difference = -way * block.q_difference / (own + other)  # own - other
        for i, c in enumerate(of.breaks):
            jump, mean_jump = of.jumps[0][0][i], of.jumps[0][1][i]
            kink = of.jumps[1][0][i]
            rows = np.nonzero(np.abs(c) < block.reach * own)[0]
            if not len(rows) or (jump == 0 and kink == 0):
                continue
            x = c / own[rows]
            density = gauss_weight(x) / own[rows]
            phi, slope, second = _given(
                of, float(c), own[rows], other[rows], difference[rows], delta[rows],
                block.reach[rows], mesh, sign, rule,
            )  # fmt: skip
            middle = mean_jump / (2 * rms[rows])  # the jump times the mean of the two sides
            correlation = middle - asked.out_sign[rows] * jump * phi / other_rms[rows]
            found[k, rows] += 0.5 * c * density * correlation / rms[rows]
            found[2, rows] += root_sine[rows] * jump * density * slope
            found[3 + k, rows] += 0.5 * kink * c * density * slope
            found[5, rows] += root_sine[rows] * kink * density * second
    for i, c in enumerate(of.breaks):
        for j, e in enumerate(of.breaks):
            mass = _double_mass(float(c), float(e), block, sign)
            found[2] += of.jumps[0][0][i] * of.jumps[0][0][j] * mass
            found[5] += of.jumps[1][0][i] * of.jumps[1][0][j] * mass


def _given(
    of: Partials, c: float, own: Array, other: Array, difference: Array, delta: Array, reach: Array,
    mesh: Mesh, sign: int, rule: Rule,
) -> list[Array]:  # fmt: skip
    """The means of ``phi``, ``phi'``, ``phi''`` of one variable, given that the other is ``c``."""
    mean = sign * (1 - delta) * (other / own) * c
    deviation = other * np.sqrt(delta * (2 - delta))
    edges = mesh.edges - mean[:, None]
    for place in mesh.hard:  # the distance to the same breakpoint, or its mirror image, is exact
        edge = mesh.edges[place]
        edges[:, place] = (edge - sign * c) + sign * c * ((difference + delta * other) / own)
    edges = np.clip(edges / deviation[:, None], -reach[:, None], reach[:, None])
    row, panel = np.nonzero(edges[:, 1:] > edges[:, :-1])
    source, low, width = subdivide(edges[row, panel], edges[row, panel + 1] - edges[row, panel], rule.widest)
    row, part = row[source], mesh.part[panel[source]]
    t = low[:, None] + width[:, None] * rule.points
    weight = width[:, None] * rule.weights * gauss_weight(t)
    v = mean[row][:, None] + deviation[row][:, None] * t
    return [sum_by(row, np.sum(weight * f(part, v), axis=1), len(own)) for f in of.functions]


def _double_mass(c: float, e: float, block: Block, sign: int) -> Array:
    """``sqrt(q1 q2) sin(a) p(c, e) = exp(-Q/2)/(2 pi)``.

    ``Q = (x - s y)^2/sin(a)^2 + 2 s x y/(1 + |rho|)``, ``x = c/sqrt(q1)``, ``y = e/sqrt(q2)``.
    """
    x, y = c / block.root1, e / block.root2
    delta = block.delta
    apart = (c - sign * e) / block.root1 + sign * e * (
        block.q_difference / ((block.root1 + block.root2) * block.root1 * block.root2)
    )
    with np.errstate(all="ignore"):
        exponent = apart * apart / (delta * (2 - delta)) + 2 * sign * x * y / (2 - delta)
    return np.exp(-0.5 * exponent) / (2 * np.pi)


def _jumps(f: PartFunctions, breaks: Array) -> tuple[Array, Array]:
    """At each breakpoint the jump of ``f`` and of ``f^2``; what is below rounding is no jump."""
    sizes, squares = np.zeros(len(breaks)), np.zeros(len(breaks))
    for i, b in enumerate(breaks):
        left, right = (float(f.on(part, np.array([b]))[0]) for part in (i, i + 1))
        if abs(right - left) > 1e-14 * max(abs(left), abs(right), 1.0):
            sizes[i], squares[i] = right - left, (right - left) * (right + left)
    return sizes, squares


def _scale(found: Array, terms: Array) -> Array:
    """What is of order 1: for what belongs to ``rho'`` 1, for what belongs to ``E phi' phi'`` its size, or
    that of the terms that cancel in it."""
    largest = np.max(np.abs(found), axis=1)
    largest[3:] = max(float(np.max(largest[3:])), float(np.max(terms)))
    largest[:3] = np.maximum(1.0, largest[:3])
    return np.maximum(largest, np.finfo(float).tiny)[:, None]


def _size(largest: Array) -> Index:
    return np.ceil(np.log2(np.maximum(largest, 1e-280))).astype(np.intp)


def _sample(asked: Asked) -> Index:
    picks: list[int] = []
    for values in (asked.delta, asked.q1, asked.q2, asked.q2 / asked.q1):
        order = np.argsort(values, kind="stable")
        picks += [int(order[0]), int(order[len(order) // 2]), int(order[-1])]
    return np.unique(picks)
