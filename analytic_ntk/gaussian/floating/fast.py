"""Large batches: a table in the angle where the norms agree, the Hermite series where it converges.

What neither serves goes to quadrature. Both are compared with quadrature on a sample of the pairs they serve;
if they disagree, their answers are thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating.closed import Covariance, exp_terms, expectation
from analytic_ntk.gaussian.floating.general import General, PairExpectations
from analytic_ntk.gaussian.floating.line import USUAL
from analytic_ntk.gaussian.floating.memo import Memo
from analytic_ntk.gaussian.floating.plane import Block, diagonal, plane
from analytic_ntk.gaussian.floating.series import (
    MOST_TERMS,
    Coefficients,
    coefficients,
    evaluate,
    normalised,
)
from analytic_ntk.gaussian.floating.table import AngleTable, build_table
from analytic_ntk.gaussian.pieces import Pieces

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
AGREEMENT = 5e-14
_TABLE_PAIRS = 400
_SERIES_PAIRS = 400
_MOST_TABLES = 12
MOST_VARIANCES = 3000
_KEPT = 64
_PROBES = 12
_EQUAL = 4e-15


@dataclass(frozen=True)
class Variances:
    """Distinct variances, ascending, with the root mean squares of ``phi`` and ``phi'``."""

    q: Array
    rms: Array
    slope_rms: Array


@dataclass(frozen=True)
class Pairs:
    """Pairs ``i <= j`` of numbers into the variances, ``delta = 1 - |rho|``, sign of the correlation."""

    variances: Variances
    i: Index
    j: Index
    delta: Array
    sign: Index

    def take(self, rows: Index) -> Pairs:
        return Pairs(self.variances, self.i[rows], self.j[rows], self.delta[rows], self.sign[rows])

    def __len__(self) -> int:
        return len(self.i)

    @property
    def low(self) -> Array:
        return self.variances.q[self.i]

    @property
    def high(self) -> Array:
        return self.variances.q[self.j]

    @property
    def scale(self) -> Array:
        """``sqrt(E phi(u)^2 E phi(v)^2)``."""
        return self.variances.rms[self.i] * self.variances.rms[self.j]

    @property
    def slope_scale(self) -> Array:
        return self.variances.slope_rms[self.i] * self.variances.slope_rms[self.j]


Served = tuple[Array, Array, Array, Mask]


class Fast:
    """Serves pairs by the fastest method that is accurate for them; keeps tables and coefficients."""

    def __init__(self, general: General, phi: Pieces, derivative: Pieces) -> None:
        self.general = general
        self.jumps = not phi.is_continuous
        self.terms = exp_terms(phi), exp_terms(derivative)
        self._series: dict[tuple[int, int, float], Memo] = {}
        self._tables: dict[tuple[float, int], AngleTable | None] = {}

    def serve(self, pairs: Pairs) -> PairExpectations:
        count = len(pairs)
        dual, gap, slopes = np.zeros(count), np.zeros(count), np.zeros(count)
        left = np.ones(count, bool)
        for method in (self._by_terms, self._by_table, self._by_series):
            rows = np.nonzero(left)[0]
            rows = rows[(pairs.variances.q[pairs.i[rows]] > 0) & (pairs.scale[rows] > 0)]
            if not len(rows):
                break
            dual[rows], gap[rows], slopes[rows], served = method(pairs.take(rows))
            left[rows[served]] = False
        rows = np.nonzero(left)[0]
        if len(rows):
            found = self._by_quadrature(pairs.take(rows))
            dual[rows], gap[rows], slopes[rows] = found.dual, found.gap, found.derivative_dual
        return PairExpectations(dual, gap, slopes)

    def _by_quadrature(self, pairs: Pairs) -> PairExpectations:
        rms = pairs.variances.rms
        return self.general.pairs(pairs.low, pairs.high, pairs.delta, pairs.sign, rms[pairs.i], rms[pairs.j])

    def _by_terms(self, pairs: Pairs) -> Served:
        phi, derivative = self.terms
        if phi is None or derivative is None:
            return _none_served(pairs)
        product = np.sqrt(pairs.low) * np.sqrt(pairs.high)
        gap = pairs.delta * product
        sign = pairs.sign.astype(np.float64)
        covariance = Covariance(pairs.low, pairs.high, sign * (product - gap), gap, sign)
        scale = pairs.scale
        dual, accurate = expectation(phi, phi, covariance, scale)
        slopes, slopes_accurate = expectation(derivative, derivative, covariance, pairs.slope_scale)
        out_gap = scale - np.abs(dual)
        # near |rho'| = 1 the difference cancels: left to the others
        return dual, out_gap, slopes, accurate & slopes_accurate & (out_gap > 1e-2 * scale)

    def _by_table(self, pairs: Pairs) -> Served:
        if len(pairs) < _TABLE_PAIRS and not self._tables:
            return _none_served(pairs)
        dual, gap, slopes, served = _none_served(pairs)
        cluster, values = self._clusters(pairs.variances.q)
        alike = np.nonzero((cluster[pairs.i] == cluster[pairs.j]) & (cluster[pairs.i] >= 0))[0]
        mine = cluster[pairs.i[alike]]
        often = np.argsort(-np.bincount(mine, minlength=len(values)), kind="stable")[:_MOST_TABLES]
        scale = pairs.scale
        for number in often:
            for sign in (1, -1):
                rows = alike[(mine == number) & (pairs.sign[alike] == sign)]
                table = self._table(float(values[number]), sign, len(rows))
                if table is None:
                    continue
                rho, opening, slope = table.evaluate(pairs.delta[rows])
                dual[rows], gap[rows], slopes[rows] = scale[rows] * rho, scale[rows] * opening, slope
                served[rows] = True
        return dual, gap, slopes, self._kept(pairs, (dual, gap, slopes), served)

    def _clusters(self, q: Array) -> tuple[Index, Array]:
        """Variances that differ by rounding errors only: the number of the cluster, and one variance of each.

        The inputs of a sphere have equal norms up to rounding, which must not decide the method. Number -1
        marks a cluster too wide for one table. A variance that has a table already stands for its cluster.
        """
        starts = np.concatenate([[True], q[1:] > q[:-1] * (1 + _EQUAL)])
        cluster = np.cumsum(starts) - 1
        first = q[starts]
        last = q[np.concatenate([starts[1:], [True]])]
        cluster[(last > first * (1 + 8 * _EQUAL))[cluster]] = -1
        known = np.array(sorted({key[0] for key in self._tables}))
        if len(known):
            place = np.minimum(np.searchsorted(known, first * (1 - _EQUAL)), len(known) - 1)
            near = (known[place] >= first * (1 - _EQUAL)) & (known[place] <= last * (1 + _EQUAL))
            first = np.where(near, known[place], first)
        return cluster, first

    def _table(self, q: float, sign: int, count: int) -> AngleTable | None:
        key = (q, sign)
        if key not in self._tables and count >= _TABLE_PAIRS:
            if len(self._tables) >= _KEPT:
                self._tables.pop(next(iter(self._tables)))
            self._tables[key] = self._new_table(q, sign)
        return self._tables.get(key)

    def _new_table(self, q: float, sign: int) -> AngleTable | None:
        general, root = self.general, np.sqrt(np.array([q]))
        reach = general.reach(root)
        size = int(np.ceil(np.log2(1.5 * float(reach[0] * root[0]))))
        phi2, slope2 = general.moments(np.array([q]))
        rms = np.sqrt(phi2)

        def evaluate_at(delta: Array) -> tuple[Array, Array, Array, Array]:
            full = [np.full(len(delta), float(value[0])) for value in (root, reach, rms)]
            block = Block(full[0], full[0], np.zeros(len(delta)), delta, full[1], full[2], full[2])
            method = diagonal if np.all(delta == 0) else plane
            mesh = general.mesh(size, general.level)
            return method(general.phi, general.derivative, mesh, block, sign, USUAL.level(general.level))

        return build_table(evaluate_at, self.jumps, float(slope2[0]))

    def _by_series(self, pairs: Pairs) -> Served:
        used = np.unique(np.concatenate([pairs.i, pairs.j]))
        if len(pairs) < max(_SERIES_PAIRS, len(used)) or len(used) > MOST_VARIANCES:
            return _none_served(pairs)
        place = np.zeros(len(pairs.variances.q), dtype=np.intp)
        place[used] = np.arange(len(used))
        table = self.coefficients(pairs.variances, used)
        sums = evaluate(table, place[pairs.i], place[pairs.j], pairs.delta, pairs.sign)
        scale = pairs.scale
        near = np.sign(sums.rho) * (1 - sums.opening)
        dual = scale * np.where(np.abs(sums.rho) > 0.5, near, sums.rho)
        found = dual, scale * sums.opening, pairs.slope_scale * sums.slope
        return *found, self._kept(pairs, found, sums.served)

    def coefficients(self, variances: Variances, used: Index) -> Coefficients:
        """The Hermite coefficients at some of the variances, kept."""
        q = variances.q[used]
        # the coefficients are linear in phi, so they see the square root of the weight of phi^2
        reach = float(np.max(self.general.reach(np.sqrt(q)))) + 1.5
        size = int(np.ceil(np.log2(reach * float(np.sqrt(q[-1])))))
        key = (size, self.general.level, reach)
        if key not in self._series:
            self._series = {key: Memo(2 * MOST_TERMS, 2 * MOST_VARIANCES)}
        mesh = self.general.mesh(size, self.general.level)

        def compute(missing: Array) -> Array:
            return np.hstack(coefficients(self.general.functions, mesh, np.sqrt(missing), reach))

        both = self._series[key].get(q, compute)
        raw = both[:, :MOST_TERMS], both[:, MOST_TERMS:]
        return normalised(raw, (variances.rms[used], variances.slope_rms[used]))

    def _kept(self, pairs: Pairs, found: tuple[Array, Array, Array], served: Mask) -> Mask:
        """``served`` if a sample agrees with quadrature, else nothing.

        Where ``phi`` has one sign the dual has no zero, and a small one must have its relative accuracy: sums
        with cancellation do not give that, quadrature of a positive integrand does.
        """
        dual, gap, slopes = found
        if self.general.has_one_sign:
            served = served & (np.abs(dual) > 1e-3 * pairs.scale)
        rows = np.nonzero(served)[0]
        if not len(rows):
            return served
        order = rows[np.argsort(pairs.delta[rows], kind="stable")]
        other = rows[np.argsort(pairs.j[rows], kind="stable")]
        places = np.linspace(0, len(rows) - 1, _PROBES).astype(np.intp)
        probes = np.unique(np.concatenate([order[places], other[places[::3]]]))
        sample = pairs.take(probes)
        exact = self._by_quadrature(sample)
        scale, slope_scale = sample.scale, np.maximum(sample.slope_scale, 1e-300)
        close = (
            (np.abs(dual[probes] - exact.dual) <= AGREEMENT * scale)
            & (np.abs(np.sqrt(gap[probes]) - np.sqrt(exact.gap)) <= AGREEMENT * np.sqrt(scale))
            & (np.abs(slopes[probes] - exact.derivative_dual) <= AGREEMENT * slope_scale)
        )
        return served & bool(np.all(close))


def _none_served(pairs: Pairs) -> Served:
    count = len(pairs)
    return np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count, bool)
