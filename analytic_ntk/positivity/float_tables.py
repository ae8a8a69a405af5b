"""What a nonlinearity makes of a correlation in float64, with proved errors: a table for each layer.

A homogeneous function is one function of the correlation times a power of the variances; any other is
``sum_k a_k(q11) a_k(q22) rho^k``, with a row of coefficients for each variance (nearly equal ones together).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.notation import x
from analytic_ntk.positivity.correlation import (
    ArcCosine,
    Correlations,
    Index,
    Rows,
    arc_cosines,
    series_at,
)
from analytic_ntk.positivity.entries import Entries, Relative, plain
from analytic_ntk.positivity.float_rows import BITS, Interval, moments_of, rows_of
from analytic_ntk.positivity.rounded import UNIT, Array, Rounded

_SAME = 2.0**-46
"""Variances within this of each other, relatively, share one row of coefficients."""
_GRID = 2.0**50
"""Intervals of variances end on numbers of as many bits: other data on the same sphere find them again."""
_CUTS, _BASE = (16, 24, 32, 48, 64, 96, 128, 256, 512), 128
"""Numbers of coefficients used; fewer than the base are the first of those."""
_SMALL = 2.0**-56
_FEW = 8
"""So few variances at once: their rows are remembered together."""
_STEEP = 0.95
"""Where the largest correlation of a block exceeds this, each pair has its own bound."""
_MANY, _RARE = 64, 0.02
"""If so many coefficients are needed, a part of the pairs may get more of them than the others."""


def table_of(activation: Activation, q: Rounded) -> Table:
    """Everything a nonlinearity needs to know about the variances before it (``q``: one, or one a point)."""
    degree = activation.homogeneity
    return _Scaled.of(activation, degree, q) if degree is not None else _Clustered.of(activation, q)


def _sides(numbers: Entries, rows: slice, columns: slice) -> tuple[Entries, Entries]:
    """Of some numbers, one or one a point, those of the rows and those of the columns."""
    if numbers.value.ndim == 0:
        return numbers, numbers
    return numbers[rows][:, None], numbers[columns][None, :]


def _scaled(entries: Entries, one: Entries, two: Entries, fast: bool) -> Entries:
    """``entries (one two)``."""
    if not (fast and entries.value.ndim == 2 and one.value.ndim == 2):
        return entries * (one * two)
    from analytic_ntk.positivity import compiled

    value = compiled.scaled(entries.value, one.value[:, 0], two.value[0])
    return (entries.without_values() * (one.without_values() * two.without_values())).with_values(value)


def _correlations(inverse: Entries, q12: Entries, rows: slice, columns: slice, fast: bool) -> Correlations:
    """``q12 / sqrt(q11 q22)``, moved into [-1, 1]: that brings it no farther from the truth."""
    one, two = _sides(inverse, rows, columns)
    compile_it = fast and q12.value.ndim == 2 and one.value.ndim == 2
    if compile_it:
        found = q12.without_values() * (one.without_values() * two.without_values())
    else:
        found = q12 * (one * two)
    error = (found.error + found.lost) * (1 + 4 * UNIT)
    if not np.max(error) < 0.5:
        raise PrecisionError("a variance that float64 hardly knows", "larger inputs or variances")
    if compile_it:
        from analytic_ntk.positivity import compiled

        value, most = compiled.clipped(q12.value, one.value[:, 0], two.value[0])
        return Correlations(value, error, float(np.max(most)), fast)
    value = np.clip(found.value, -1.0, 1.0)
    if value.ndim < 2:
        value = np.full((rows.stop - rows.start, columns.stop - columns.start), value)
    return Correlations.of(value, error, fast)


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
    unit: _Angular | _Clustered

    @classmethod
    def of(cls, activation: Activation, degree: int, q: Rounded) -> _Scaled:
        unit = _angular(activation) if degree <= 1 else _Clustered.of(activation, Rounded.exact(1.0))
        return cls(degree, q, unit)

    @cached_property
    def null(self) -> NDArray[np.bool_]:
        return (self.q.value == 0) & (self.q.error == 0)

    @cached_property
    def roots(self) -> tuple[Entries, Entries]:
        """``1/sqrt q`` (1 for a zero input) and ``sqrt q``."""
        root = _deviations(self.q)
        sizes = _chosen(self.null, Rounded.exact(0.0), root) if np.any(self.null) else root
        return Entries.of(Rounded.exact(1.0) / root), Entries.of(sizes)

    @cached_property
    def both_moments(self) -> tuple[Rounded, Rounded]:
        found = []
        for which, degree in enumerate((self.degree, self.degree - 1)):
            value = _times_power(self.unit.moments()[which], self.q, degree)
            if degree == 0 and np.any(self.null):
                value = _chosen(self.null, self.unit.at_zero, value)
            found.append(value)
        return found[0], found[1]

    def moments(self) -> tuple[Rounded, Rounded]:
        return self.both_moments

    def duals(self, q12: Entries, rows: slice, columns: slice, fast: bool) -> tuple[Entries, Entries]:
        inverse, sizes = self.roots
        found = list(self.unit.correlated(_correlations(inverse, q12, rows, columns, fast)))
        scale = _sides(sizes, rows, columns)
        for which, degree in enumerate((self.degree, self.degree - 1)):
            if degree == 0 and np.any(self.null):
                null = self.null if self.null.ndim == 0 else self.null[rows][:, None] | self.null[columns]
                np.copyto(found[which].value, self.unit.at_zero.value, where=null)
            for _ in range(degree):
                found[which] = _scaled(found[which], *scale, fast)
        return found[0], found[1]


def _chosen(where: NDArray[np.bool_], one: Rounded, other: Rounded) -> Rounded:
    return Rounded(np.where(where, one.value, other.value), np.where(where, one.error, other.error))


def _times_power(value: Rounded, base: Rounded, exponent: int) -> Rounded:
    for _ in range(exponent):
        value = value * base
    return value


@dataclass(frozen=True)
class _Angular:
    """Homogeneous of degree 0 or 1, at unit variances: closed functions of the angle.

    ``one`` is of degree 1 (``None`` for a function of degree 0, whose derivative is 0), ``zero`` of degree 0.
    """

    one: ArcCosine | None
    zero: ArcCosine

    def moments(self) -> tuple[Rounded, Rounded]:
        return (self.one.top, self.zero.top) if self.one else (self.zero.top, Rounded.exact(0.0))

    @property
    def at_zero(self) -> Rounded:
        """The function of degree 0 at a zero input: the mean of both sides, squared."""
        return self.zero.linear

    def correlated(self, rho: Correlations) -> tuple[Entries, Entries]:
        first, second = arc_cosines(self.one, self.zero, rho)
        zero = Entries(second, plain(self.zero.error(rho)), _top(self.zero.top))
        if self.one is None:
            return zero, Entries.of(Rounded.exact(0.0))
        return Entries(first, plain(self.one.error(rho)), _top(self.one.top)), zero


def _top(numbers: Rounded) -> float:
    return float(np.max(numbers.value + numbers.error)) * (1 + 4 * UNIT)


@lru_cache(maxsize=64)
def _angular(activation: Activation) -> _Angular:
    with working_precision(BITS):
        found = []
        for f, degree in ((activation.pieces, activation.homogeneity), (activation.derivative, 0)):
            a, b = (exact_ball(f.part_at(sp.Integer(s)).subs(x, s)).real for s in (1, -1))
            found.append(ArcCosine.of(degree or 0, a, b))
    return _Angular(None, found[0]) if activation.homogeneity == 0 else _Angular(found[0], found[1])


@dataclass
class _Clustered:
    """Any function: Hermite coefficients at each variance, nearly equal variances together."""

    activation: Activation
    inverse: Entries
    index: Index
    intervals: tuple[Interval, ...]
    tables: dict[int, tuple[Rows, Rows]] = field(default_factory=dict)

    @cached_property
    def both_moments(self) -> tuple[Rounded, Rounded]:
        found = []
        for which in (0, 1):
            numbers = [moments_of(self.activation, interval)[which] for interval in self.intervals]
            value = np.array([float(m.value) for m in numbers])[self.index]
            found.append(Rounded(value, np.array([float(m.error) for m in numbers])[self.index]))
        return found[0], found[1]

    @cached_property
    def loose(self) -> tuple[float, float]:
        """How far what is taken for the diagonal may exceed the true one, as a factor."""
        found = []
        for moment in self.both_moments:
            least, most = moment.value - moment.error, moment.value + moment.error
            if np.any((least <= 0) & (most > 0)):
                raise PrecisionError("a variance that float64 hardly knows", "larger inputs or variances")
            ratio = np.divide(most, least, out=np.ones(np.shape(least)), where=least > 0)
            found.append(float(np.max(ratio)) * (1 + 16 * UNIT))
        return found[0], found[1]

    @classmethod
    def of(cls, activation: Activation, q: Rounded) -> _Clustered:
        inverse = Entries.of(Rounded.exact(1.0) / _deviations(q))
        exact = np.broadcast_to(q.error == 0, q.value.shape)
        low = np.where(exact, q.value, _towards(q.value - q.error, -np.inf))
        high = np.where(exact, q.value, _towards(q.value + q.error, np.inf))
        pairs, place = np.unique(np.array([low.ravel(), high.ravel()]), axis=1, return_inverse=True)
        index = np.zeros(pairs.shape[1], dtype=np.intp)
        intervals: list[Interval] = []
        for k, (least, most) in enumerate(pairs.T.tolist()):
            near = max(_SAME * least, 4 * (most - least))  # not much wider than they are known
            if intervals and most - intervals[-1][0] <= near:
                intervals[-1] = intervals[-1][0], max(intervals[-1][1], most)
            else:
                intervals.append((least, most))
            index[k] = len(intervals) - 1
        return cls(activation, inverse, index[place].reshape(q.value.shape), tuple(intervals))

    def moments(self) -> tuple[Rounded, Rounded]:
        return self.both_moments

    @property
    def at_zero(self) -> Rounded:
        """Only functions of degree 0 need it."""
        raise AssertionError("a homogeneous function of degree 0 is one of the angle")

    def rows(self, terms: int) -> tuple[Rows, Rows]:
        if terms not in self.tables:
            find = _remembered if len(self.intervals) <= _FEW else _rows
            self.tables[terms] = find(self.activation, self.intervals, terms)
        return self.tables[terms]

    def duals(self, q12: Entries, rows: slice, columns: slice, fast: bool) -> tuple[Entries, Entries]:
        rho = _correlations(self.inverse, q12, rows, columns, fast)
        if len(self.intervals) == 1:
            return self.correlated(rho)
        return self._correlated(rho, self.index[rows][:, None], self.index[columns][None, :])

    def correlated(self, rho: Correlations) -> tuple[Entries, Entries]:
        """All variances in one interval."""
        none = np.zeros((1, 1), dtype=np.intp)
        return self._correlated(rho, none, none)

    def _correlated(self, rho: Correlations, i: Index, j: Index) -> tuple[Entries, Entries]:
        terms = self._terms(rho.reach)
        if terms > _MANY:
            terms = self._terms(float(np.quantile(rho.size[::7, ::7], 1 - _RARE)))
        limit = self._limit(terms)
        common = rho.reach <= _STEEP  # then one bound of the error will do for all pairs
        size: Relative = min(limit, rho.reach) if common or limit < 1 else rho.size
        found: list[list[Any]] = [list(series_at(function, i, j, rho, size)) for function in self.rows(terms)]
        if rho.reach > limit:
            self._sharpen(found, limit, i, j, rho, common)
        first, second = (
            Entries(value, plain(error * loose), _top(moment))
            for (value, error), loose, moment in zip(found, self.loose, self.both_moments, strict=True)
        )
        return first, second

    def _tails(self, terms: int) -> float:
        """The largest tail relative to its total."""
        return max(rows.tail for rows in self.rows(terms))

    def _terms(self, reach: float) -> int:
        """How many leave nothing to speak of where ``|rho| <= reach``, as far as there are so many."""
        return next((m for m in _CUTS if self._tails(m) * reach**m <= _SMALL), _CUTS[-1])

    def _limit(self, terms: int) -> float:
        """No more terms are needed where ``|rho|`` is at most this."""
        tail = self._tails(terms)
        return (_SMALL / tail) ** (1 / terms) if tail > _SMALL and terms < _CUTS[-1] else 1.0

    def _sharpen(
        self, found: list[list[Any]], limit: float, i: Index, j: Index, rho: Correlations, common: bool
    ) -> None:
        """More coefficients for the pairs near ``|rho| = 1``."""
        shape = rho.value.shape
        far = np.flatnonzero(rho.size > limit)
        row, column = np.unravel_index(far, shape)
        i = i[row * (len(i) > 1), 0]
        j = j[0, column * (j.shape[1] > 1)]
        error = rho.error if np.ndim(rho.error) == 0 else np.broadcast_to(rho.error, shape)[row, column]
        near = Correlations.of(rho.value[row, column], error, rho.fast)
        for which, function in enumerate(self.rows(self._terms(near.reach))):
            value, better = series_at(function, i, j, near, near.reach if common else None)
            found[which][0][row, column] = value
            if np.ndim(better) == 0:  # one bound for all pairs
                found[which][1] = np.maximum(found[which][1], better)
            else:
                errors = np.broadcast_to(found[which][1], shape).copy()
                errors[row, column] = better
                found[which][1] = errors


def _towards(numbers: Array, side: float) -> Array:
    """Numbers of fewer bits beyond a rounded sum, on that side of it."""
    part, exponent = np.frexp(np.nextafter(numbers, side))
    return np.ldexp((np.floor if side < 0 else np.ceil)(part * _GRID) / _GRID, exponent)


def _rows(activation: Activation, intervals: tuple[Interval, ...], terms: int) -> tuple[Rows, Rows]:
    both = [rows_of(activation, interval, max(terms, _BASE)) for interval in intervals]
    parity = activation.parity
    found = []
    for which, kind in enumerate((parity, {"even": "odd", "odd": "even"}.get(parity or ""))):
        parts = [np.array(part) for part in zip(*(pair[which] for pair in both), strict=True)]
        first, step = (0, 1) if kind is None else (int(kind == "odd"), 2)
        whole = Rows(parts[0], parts[1], parts[2], parts[3], parts[4], first, step)
        found.append(whole if terms >= _BASE else whole.cut(terms))
    return found[0], found[1]


_remembered = lru_cache(maxsize=256)(_rows)


Table = _Scaled | _Clustered
