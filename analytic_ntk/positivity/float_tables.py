"""What a nonlinearity makes of a correlation in float64, with proved errors: a table for each layer.

A homogeneous function is one function of the correlation times a power of the variances; any other is
``sum_k a_k(q11) a_k(q22) rho^k``, with a row of coefficients for each variance (nearly equal ones together).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.notation import x
from analytic_ntk.pair import Pair
from analytic_ntk.positivity.correlation import ArcCosine, Index, Rows, arcsine, series_at
from analytic_ntk.positivity.float_rows import BITS, Interval, moments_of, rows_of
from analytic_ntk.positivity.rounded import TINY, UNIT, Array, Rounded, paid

_SAME = 2.0**-46
"""Variances within this of each other, relatively, share one row of coefficients."""
_CUTS, _BASE = (32, 64, 128, 256, 512), 128
"""Numbers of coefficients used; fewer than the base are the first of those."""
_SMALL = 2.0**-56
_RARE = 0.02
"""Part of the pairs of a block that may need more coefficients than the others."""


def table_of(activation: Activation, q: Rounded) -> Table:
    """Everything a nonlinearity needs to know about the variances before it (``q``: one, or one a point)."""
    degree = activation.homogeneity
    return _Scaled.of(activation, degree, q) if degree is not None else _Clustered.of(activation, q)


@dataclass(frozen=True)
class _Scale:
    """``sqrt(q11 q22)`` of every pair: within ``part`` of ``value``, relatively, whatever the pair."""

    value: Array
    part: float

    @classmethod
    def of(cls, root: Rounded, rows: slice, columns: slice) -> _Scale:
        relative = float(np.max(root.error / root.value, initial=0.0)) * (1 + 4 * UNIT)
        part = (2 * relative + relative**2 + 2 * UNIT) * (1 + 16 * UNIT)
        if not part < 0.5:
            raise PrecisionError("a variance that float64 hardly knows", "larger inputs or variances")
        if root.value.ndim == 0:
            return cls(root.value * root.value, part)
        return cls(root.value[rows][:, None] * root.value[columns][None, :], part)

    def correlation(self, q12: Rounded) -> Rounded:
        """``q12 / sqrt(q11 q22)``, moved into [-1, 1]: that brings it no farther from the truth.

        With ``e`` the error of ``q12`` relative to the scale ``s``, ``|q12| <= s (1 + part) + e s``.
        """
        part, pay = self.part, 1 + 16 * UNIT
        value = np.clip(q12.value / self.value, -1.0, 1.0)
        error = q12.error / self.value
        error = error * ((1 + part + UNIT) / (1 - part) * pay)
        error = error + ((1 + part) * (part + UNIT) / (1 - part) * pay + 4 * TINY)
        return Rounded(value, error)

    def times(self, factor: Rounded) -> Rounded:
        """``factor * sqrt(q11 q22)``."""
        value = factor.value * self.value
        error = factor.error * (1 + self.part) + np.abs(factor.value) * (self.part + UNIT)
        error = error * self.value
        scale = Rounded(self.value, np.zeros(()))
        return Rounded(value, paid(value, error, factor, scale))


def _deviations(q: Rounded) -> Rounded:
    """Standard deviations; 1 for the zero input, whose correlations are taken for 0 (its covariances are)."""
    zero = (q.value == 0) & (q.error == 0)
    if np.any((q.value - q.error <= 0) & ~zero):
        raise PrecisionError("a variance that float64 cannot tell from 0", "larger inputs, or exact zeros")
    root = q.sqrt()
    return _chosen(zero, Rounded.exact(1.0), root) if np.any(zero) else root


@dataclass(frozen=True)
class _Scaled:
    """A homogeneous function: ``E f(u) f(v) = (q11 q22)^(degree/2) kappa(rho)`` at all variances.

    ``unit`` knows the functions of ``rho`` for ``f`` and for its derivative.
    """

    degree: int
    q: Rounded
    root: Rounded
    unit: _Angular | _Clustered

    @classmethod
    def of(cls, activation: Activation, degree: int, q: Rounded) -> _Scaled:
        unit = _angular(activation) if degree <= 1 else _Clustered.of(activation, Rounded.exact(1.0))
        return cls(degree, q, _deviations(q), unit)

    @cached_property
    def _both_moments(self) -> tuple[Rounded, Rounded]:
        null = (self.q.value == 0) & (self.q.error == 0)
        found = []
        for which, degree in enumerate((self.degree, self.degree - 1)):
            value = _times_power(self.unit.moments()[which], self.q, degree)
            if degree == 0 and np.any(null):  # the mean of both sides, squared
                zero = self.unit.correlated(Rounded.exact(np.zeros((1, 1))))[which][0, 0]
                value = Rounded(
                    np.where(null, zero.value, value.value), np.where(null, zero.error, value.error)
                )
            found.append(value)
        return found[0], found[1]

    def moments(self) -> tuple[Rounded, Rounded]:
        return self._both_moments

    def duals(self, pair: Pair, rows: slice, columns: slice) -> tuple[Rounded, Rounded]:
        scale = _Scale.of(self.root, rows, columns)
        rho = scale.correlation(pair.q12)
        zero = self.q.value == 0
        if np.any(zero):
            null = zero if zero.ndim == 0 else zero[rows][:, None] | zero[columns][None, :]
            rho = _chosen(null, Rounded.exact(0.0), rho)
            scale = _Scale(np.where(null, 0.0, scale.value), scale.part)
        dual, slope = self.unit.correlated(rho)
        for _ in range(self.degree):
            dual = scale.times(dual)
        for _ in range(self.degree - 1):
            slope = scale.times(slope)
        return dual, slope


def _chosen(where: NDArray[np.bool_], one: Rounded, other: Rounded) -> Rounded:
    return Rounded(np.where(where, one.value, other.value), np.where(where, one.error, other.error))


def _times_power(value: Rounded, base: Rounded, exponent: int) -> Rounded:
    for _ in range(exponent):
        value = value * base
    return value


@dataclass(frozen=True)
class _Angular:
    """Homogeneous of degree 0 or 1, at unit variances: closed functions of the angle."""

    phi: ArcCosine
    slope: ArcCosine | None
    ones: tuple[Rounded, Rounded]

    def moments(self) -> tuple[Rounded, Rounded]:
        return self.ones

    def correlated(self, rho: Rounded) -> tuple[Rounded, Rounded]:
        angle = arcsine(rho.value)
        return self.phi.at(rho, angle), self.slope.at(rho, angle) if self.slope else Rounded.exact(0.0)


@lru_cache(maxsize=64)
def _angular(activation: Activation) -> _Angular:
    with working_precision(BITS):
        found, ones = [], []
        for f, degree in ((activation.pieces, activation.homogeneity), (activation.derivative, 0)):
            a, b = (exact_ball(f.part_at(sp.Integer(s)).subs(x, s)).real for s in (1, -1))
            found.append(ArcCosine.of(degree or 0, a, b))
            ones.append(Rounded.of_ball((a * a + b * b) / 2))
    if activation.homogeneity == 0:
        return _Angular(found[0], None, (ones[0], Rounded.exact(0.0)))
    return _Angular(found[0], found[1], (ones[0], ones[1]))


@dataclass
class _Clustered:
    """Any function: Hermite coefficients at each variance, nearly equal variances together."""

    activation: Activation
    root: Rounded
    index: Index
    intervals: tuple[Interval, ...]
    known: dict[int, tuple[Rows, Rows]] = field(default_factory=dict)

    @cached_property
    def _both_moments(self) -> tuple[Rounded, Rounded]:
        found = []
        for which in (0, 1):
            numbers = [moments_of(self.activation, interval)[which] for interval in self.intervals]
            value = np.array([float(m.value) for m in numbers])[self.index]
            found.append(Rounded(value, np.array([float(m.error) for m in numbers])[self.index]))
        return found[0], found[1]

    @classmethod
    def of(cls, activation: Activation, q: Rounded) -> _Clustered:
        root = _deviations(q)
        shape = q.value.shape
        low = np.broadcast_to(np.nextafter(q.value - q.error, -np.inf), shape).ravel()
        high = np.broadcast_to(np.nextafter(q.value + q.error, np.inf), shape).ravel()
        exact = np.broadcast_to((q.error == 0), shape).ravel()
        low, high = np.where(exact, q.value.ravel(), low), np.where(exact, q.value.ravel(), high)
        index = np.zeros(low.size, dtype=np.intp)
        intervals: list[Interval] = []
        for k in np.argsort(low, kind="stable").tolist():
            near = max(_SAME * low[k], 4 * (high[k] - low[k]))  # not much wider than they are known
            if intervals and high[k] - intervals[-1][0] <= near:
                intervals[-1] = intervals[-1][0], max(intervals[-1][1], float(high[k]))
            else:
                intervals.append((float(low[k]), float(high[k])))
            index[k] = len(intervals) - 1
        return cls(activation, root, index.reshape(shape), tuple(intervals))

    def moments(self) -> tuple[Rounded, Rounded]:
        return self._both_moments

    def rows(self, terms: int) -> tuple[Rows, Rows]:
        if terms < _BASE and terms not in self.known:
            phi, slope = self.rows(_BASE)
            self.known[terms] = phi.cut(terms), slope.cut(terms)
        if terms not in self.known:
            both = [rows_of(self.activation, interval, terms) for interval in self.intervals]
            found = []
            parity = self.activation.parity
            for which, kind in enumerate((parity, {"even": "odd", "odd": "even"}.get(parity or ""))):
                parts = [np.array(part) for part in zip(*(pair[which] for pair in both), strict=True)]
                first, step = (0, 1) if kind is None else (int(kind == "odd"), 2)
                found.append(Rows(parts[0], parts[1], parts[2], parts[3], parts[4], first, step))
            self.known[terms] = found[0], found[1]
        return self.known[terms]

    def duals(self, pair: Pair, rows: slice, columns: slice) -> tuple[Rounded, Rounded]:
        rho = _Scale.of(self.root, rows, columns).correlation(pair.q12)
        if len(self.intervals) == 1:
            return self.correlated(rho)
        return self._correlated(rho, self.index[rows][:, None], self.index[columns][None, :])

    def correlated(self, rho: Rounded) -> tuple[Rounded, Rounded]:
        """All variances in one interval."""
        none = np.zeros((1,) * rho.value.ndim, dtype=np.intp)
        return self._correlated(rho, none, none)

    def _correlated(self, rho: Rounded, i: Index, j: Index) -> tuple[Rounded, Rounded]:
        size = np.abs(rho.value)
        usual = float(np.quantile(size[::5, ::5] if size.ndim == 2 else size, 1 - _RARE))
        terms = next((m for m in _CUTS if self._enough(m, usual)), _CUTS[-1])
        found = [series_at(function, i, j, rho) for function in self.rows(terms)]
        if terms < _CUTS[-1]:
            self._sharpen(found, terms, i, j, rho)
        return found[0], found[1]

    def _tails(self, terms: int) -> float:
        """The largest tail relative to its total."""
        ratios = [np.max(rows.tails / np.maximum(rows.totals, 1e-300)) for rows in self.rows(terms)]
        return float(max(ratios))

    def _enough(self, terms: int, reach: float) -> bool:
        return self._tails(terms) * reach**terms <= _SMALL

    def _sharpen(self, found: list[Rounded], terms: int, i: Index, j: Index, rho: Rounded) -> None:
        """More coefficients for the pairs near ``|rho| = 1``."""
        tail = self._tails(terms)
        if tail <= _SMALL:
            return
        far = np.abs(rho.value) > (_SMALL / tail) ** (1 / terms)
        if not np.any(far):
            return
        places = [np.broadcast_to(part, rho.value.shape)[far] for part in (i, j)]
        near = Rounded(rho.value[far], np.broadcast_to(rho.error, rho.value.shape)[far])
        reach = float(np.max(np.abs(near.value)))
        more = next((m for m in _CUTS if m > terms and self._enough(m, reach)), _CUTS[-1])
        for which, function in enumerate(self.rows(more)):
            better = series_at(function, places[0], places[1], near)
            error = np.broadcast_to(found[which].error, rho.value.shape).copy()
            error[far] = better.error
            found[which].value[far] = better.value
            found[which] = Rounded(found[which].value, error)


Table = _Scaled | _Clustered
