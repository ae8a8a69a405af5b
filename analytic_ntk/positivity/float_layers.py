"""What a nonlinearity does to float64 arrays of pairs, with a proved bound of every error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.positivity.correlation import ArcCosine, Index, Rows, arcsine, series_at
from analytic_ntk.positivity.rounded import TINY, UNIT, Array, Rounded, above, paid
from analytic_ntk.systems.ball import Ball, check_growth
from analytic_ntk.systems.series import coefficients_at

_BITS = 96
_SAME = 2.0**-46
"""Variances within this of each other, relatively, share one row of coefficients."""
_CUTS, _BASE = (32, 64, 128, 256, 512), 128
"""Numbers of coefficients used; fewer than the base are the first of those."""
_MOST_KNOWN = 20_000
_SMALL = 2.0**-56
_RARE = 0.02
"""Part of the pairs of a block that may need more coefficients than the others."""


@dataclass(frozen=True)
class Numbers:
    """What both passes share: exact constants, and no gaps."""

    def number(self, value: sp.Expr) -> Rounded:
        return _number(value)

    def inverse_sqrt(self, value: Rounded) -> Rounded:
        if np.any((value.value == 0) & (value.error == 0)):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return Rounded.exact(1.0) / value.sqrt()

    def gap_after_affine(self, pair: Pair, scale: Rounded, shift: Rounded, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None


@lru_cache(maxsize=256)
def _number(value: sp.Expr) -> Rounded:
    with working_precision(_BITS):
        return Rounded.of_ball(Ball().number(value))


@dataclass(frozen=True)
class Diagonal(Numbers):
    """The first pass: every input with itself. It leaves a table for each nonlinearity."""

    tables: list[Table] = field(default_factory=list)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        table = table_of(activation, pair.q11.require_finite())
        self.tables.append(table)
        moment, slope = table.moments()
        return Expectations(moment, moment, moment, slope, None)


@dataclass(frozen=True)
class Block(Numbers):
    """The second pass: the inputs ``rows`` with the inputs ``columns``; tables in the order of the first."""

    tables: Iterator[Table]
    rows: slice
    columns: slice

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        table = next(self.tables)
        first, second = table.moments()[0], table.moments()[0]
        q11 = first if first.value.ndim == 0 else first[self.rows][:, None]
        q22 = second if second.value.ndim == 0 else second[self.columns][None, :]
        dual, slope = table.duals(pair, self.rows, self.columns)
        return Expectations(q11, q22, dual, slope, None)


# ------------------------------------------------------------------------------------ tables


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
    with working_precision(_BITS):
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
    intervals: tuple[tuple[float, float], ...]
    known: dict[int, tuple[Rows, Rows]] = field(default_factory=dict)

    @cached_property
    def _both_moments(self) -> tuple[Rounded, Rounded]:
        found = []
        for which in (0, 1):
            numbers = [_moments(self.activation, interval)[which] for interval in self.intervals]
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
        intervals: list[tuple[float, float]] = []
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
        if terms < _BASE:
            phi, slope = self.rows(_BASE)
            return phi.cut(terms), slope.cut(terms)
        if terms not in self.known:
            both = [_both(self.activation, interval, terms) for interval in self.intervals]
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
_Row = tuple[Array, Array, float, float, float]


def _ball(interval: tuple[float, float]) -> arb:
    return arb(interval[0]).union(arb(interval[1]))


@lru_cache(maxsize=_MOST_KNOWN)
def _moments(activation: Activation, interval: tuple[float, float]) -> tuple[Rounded, Rounded]:
    """``E phi(u)^2`` and ``E phi'(u)^2`` at every variance of an interval."""
    moment, slope = _ball_moments(activation, interval)
    with working_precision(_BITS):
        return Rounded.of_ball(moment), Rounded.of_ball(slope)


@lru_cache(maxsize=_MOST_KNOWN)
def _ball_moments(activation: Activation, interval: tuple[float, float]) -> tuple[arb, arb]:
    with working_precision(_BITS):
        q, ball = _ball(interval), Ball()
        check_growth(activation, q)
        return ball.second_moment(activation.pieces, q), ball.second_moment(activation.derivative, q)


@lru_cache(maxsize=_MOST_KNOWN)
def _both(activation: Activation, interval: tuple[float, float], terms: int) -> tuple[_Row, _Row]:
    """Coefficients of ``phi`` and of ``phi'`` at every variance of an interval."""
    phi, derivative = activation.pieces, activation.derivative
    with working_precision(_BITS):
        if interval == (0.0, 0.0):
            return _constant(phi, terms), _constant(derivative, terms)
        q = _ball(interval)
        moment, slope = _ball_moments(activation, interval)
        parity = activation.parity
        if activation.is_continuous:  # Price: d_k = sqrt((k+1)/q) a_{k+1}
            a = coefficients_at(phi, terms, q, parity, moment)
            d = [((k + 1) / q).sqrt() * a[k + 1] for k in range(terms)]
            steep = above((q * slope).abs_upper())
        else:
            flipped = {"even": "odd", "odd": "even"}.get(parity or "")
            a = coefficients_at(phi, terms - 1, q, parity, moment)
            d = coefficients_at(derivative, terms - 1, q, flipped, slope)
            steep = math.inf
        return _row(a[:terms], moment, steep), _row(d, slope, math.inf)


def _row(coefficients: list[arb], moment: arb, slope: float) -> _Row:
    floats = [Rounded.of_ball(a) for a in coefficients]
    tail = moment - sum((a * a for a in coefficients), arb(0))
    values, errors = (np.array([float(part) for part in parts]) for parts in (
        [f.value for f in floats], [f.error for f in floats]
    ))  # fmt: skip
    return values, errors, above(tail.abs_upper()), above(moment.abs_upper()), slope


def _constant(f: Pieces, terms: int) -> _Row:
    """At variance 0: the value there, at a breakpoint the mean of both sides."""
    sides = [
        f.parts[sum(1 for b in f.breakpoints if b.is_negative or (b.is_zero and after))] for after in (0, 1)
    ]
    value = sum((exact_ball(part.subs(x, 0)).real for part in sides), arb(0)) / 2
    return _row([value] + [arb(0)] * (terms - 1), value * value, 0.0)
