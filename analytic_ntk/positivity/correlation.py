"""Functions of a correlation in float64, ``sum_k a_k b_k rho^k`` on ``[-1, 1]``, with a proved error.

For one row of coefficients (``b = a``) the function has non-negative coefficients: it and its derivatives
are largest at ``|rho|``, and its slope at ``r`` is at most that of the chord from ``r`` to 1. For two rows
Cauchy-Schwarz reduces every bound to those of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from flint import arb, arb_poly
from numpy.typing import NDArray

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.positivity.entries import Relative
from analytic_ntk.positivity.rounded import UNIT, Array, Rounded, above, gamma

Index = NDArray[np.intp]
_TERMS, _BITS = 150, 400
_DROPPED = 2.0**-60
_EDGE = 2.2214414690791835
"""``pi/sqrt 2``, rounded up."""
_FLAT = 0.99
"""Below this ``asin`` is nowhere steep: one bound of its slope will do for all pairs."""
_LEAST = 2.0**-900
"""Where squares of what is negligible beside a number may underflow unseen."""
_GROUP = 8
"""Compiled loops take coefficients so many at a time."""
_SPARE = 1 + 2.0**-40
"""Pays for the roundings of a bound that is a sum of up to a thousand positive terms."""


@dataclass(frozen=True)
class Correlations:
    """Floats in ``[-1, 1]``, the true correlations within ``error`` of them.

    ``reach``: the largest ``|value|``; ``size``: every ``|value|``. ``fast``: in compiled loops.
    """

    value: Array
    error: Relative
    reach: float
    fast: bool

    @classmethod
    def of(cls, value: Array, error: Relative, fast: bool = False) -> Correlations:
        return cls(value, error, float(np.max(np.abs(value), initial=0.0)), fast)

    @cached_property
    def size(self) -> Array:
        return np.abs(self.value)

    @cached_property
    def farthest(self) -> float:
        """An upper bound of the errors."""
        return float(np.max(self.error, initial=0.0))


# ------------------------------------------------------------------------------------ the angle


@lru_cache(maxsize=1)
def _angle_polynomial() -> tuple[tuple[float, ...], float]:
    """``p(z)`` with ``|p(1 - 2 r) - 2 asin(w/sqrt 2)/w|`` at most the second value, ``w^2 = 1 - r``.

    ``2 asin(w/sqrt 2)/w = sqrt 2 sum_m C(2m,m)/(8^m (2m+1)) t^m``, ``t = w^2 = (1 + z)/2 <= 1``: cut where
    the rest is below ``2^-150``, then its Chebyshev series cut again; everything in balls, so the distance
    of the float polynomial is a sum of absolute Chebyshev coefficients. The rounding of Horner's rule is
    included.
    """
    with working_precision(_BITS):
        root, term, terms = arb(2).sqrt(), arb(1), []
        for m in range(_TERMS + 1):
            terms.append(root * term / (2 * m + 1))
            term = term * (2 * m + 1) / (4 * (m + 1))  # C(2m,m)/8^m
        whole = arb_poly(terms)(arb_poly([arb(1) / 2, arb(1) / 2]))
        series = _chebyshev([whole[k] for k in range(_TERMS + 1)])
        rest = arb(2) ** -_TERMS  # sum over m > M of sqrt 2 2^-m / (2m+1) < 2^-M
        degree = _TERMS
        while degree and rest + sum((abs(c) for c in series[degree:]), arb(0)) < arb(_DROPPED):
            degree -= 1
        floats = [float(c.mid()) for c in _monomials(series[: degree + 1])]
        kept = _chebyshev([arb(c) for c in floats]) + [arb(0)] * (_TERMS - degree)
        distance = rest + sum((abs(a - b) for a, b in zip(series, kept, strict=True)), arb(0))
        error = above(distance.abs_upper())
    rounding = math.fsum(gamma(2 * k + 1) * abs(c) for k, c in enumerate(floats))
    return tuple(floats), (error + rounding) * _SPARE


def _chebyshev(monomials: list[arb]) -> list[arb]:
    """``sum c_k z^k`` in Chebyshev polynomials: Horner's rule with ``z T_j = (T_{j+1} + T_{j-1})/2``."""
    found = [monomials[-1]]
    for c in reversed(monomials[:-1]):
        moved = [arb(0)] * (len(found) + 1)
        for j, value in enumerate(found):
            half = value / 2
            moved[j + 1] = moved[j + 1] + (value if j == 0 else half)
            if j:
                moved[j - 1] = moved[j - 1] + half
        moved[0] = moved[0] + c
        found = moved
    return found


def _monomials(series: list[arb]) -> list[arb]:
    total, before, now = arb_poly([0]), arb_poly([1]), arb_poly([0, 1])
    for c in series:
        total = total + before * c
        before, now = now, now * arb_poly([0, 2]) - before
    return [total[k] for k in range(len(series))]


def arcsine(rho: Array) -> tuple[Array, float]:
    """``asin rho`` for floats in ``[-1, 1]``, and a bound of its error.

    ``asin |rho| = pi/2 - w p(1 - 2|rho|)``. With ``w p <= pi/2`` and ``|p'| <= 1/8``: the root of a rounded
    ``1 - |rho|`` is off by ``1.6 u``, its product by ``u`` more, the argument of ``p`` by ``u``, ``pi/2`` by
    ``u``, the difference by ``1.6 u``: together less than ``8 u`` beyond the error of ``p``.
    """
    polynomial, error = _angle_polynomial()
    size = np.abs(rho)
    z = 1.0 - 2.0 * size
    value = np.full_like(z, polynomial[-1])
    for c in polynomial[-2::-1]:
        value *= z
        value += c
    value *= np.sqrt(1.0 - size)
    np.subtract(math.pi / 2, value, out=value)
    return np.copysign(value, rho), error + 8 * UNIT


@dataclass(frozen=True)
class ArcCosine:
    """``E f(u) f(v)`` at unit variances for ``f = a (t > 0)``, ``b (t < 0)``, times ``|t|^degree``, degree 0
    or 1.

        degree 0:  (a + b)^2/4 + (a - b)^2 asin(rho)/(2 pi)
        degree 1:  (a - b)^2 rho/4 + (a + b)^2 (sqrt(1 - rho^2) + rho asin rho)/(2 pi)

    (Cho, Saul 2009.) ``linear`` and ``curved`` are the factors of ``1`` or ``rho`` and of what follows;
    ``top = (a^2 + b^2)/2`` is the value at 1, for degree 1 the steepest slope as well.
    """

    degree: int
    linear: Rounded
    curved: Rounded
    top: Rounded

    @classmethod
    def of(cls, degree: int, a: arb, b: arb) -> ArcCosine:
        plus, minus = (a + b) * (a + b), (a - b) * (a - b)
        first, second = (plus, minus) if degree == 0 else (minus, plus)
        return cls(
            degree,
            Rounded.of_ball(first / 4),
            Rounded.of_ball(second / (2 * arb.pi())),
            Rounded.of_ball((a * a + b * b) / 2),
        )

    @property
    def factors(self) -> tuple[float, float]:
        return float(self.linear.value), float(self.curved.value)

    def error(self, rho: Correlations) -> Relative:
        """The error of :func:`arc_cosines`, relative to ``top``."""
        if self.top.is_zero:
            return 0.0
        least = float(self.top.value - self.top.error) * (1 - 4 * UNIT)
        if not least > _LEAST:
            raise PrecisionError("values too small for float64", "larger slopes")
        linear, curved = self.factors
        # asin itself; or the root: 3 u; the product: 1.6 u; the sum, at most pi/2: 1.6 u
        wrong = _angle_polynomial()[1] + (8 if self.degree == 0 else 15) * UNIT
        # common errors: the factors, |rho| <= 1 and |curve| <= 1.6, and three roundings
        common = float(self.linear.error) + 1.6 * float(self.curved.error) + curved * wrong
        common = (common + UNIT * (3 * 1.6 * curved + 3 * linear)) / least * _SPARE
        if rho.farthest == 0:
            return common
        if self.degree == 1:
            steep = float(self.top.value + self.top.error) / least * _SPARE
            return common + steep * _SPARE * rho.error
        return common + curved / least * _SPARE * _turned(rho)


def _turned(rho: Correlations) -> Relative:
    """How far ``asin`` moves with its argument: ``1/asin' = sqrt(1 - r^2) >= sqrt(1 - |r|)``, or at the ends
    ``acos(1 - e) <= pi sqrt(e/2)``."""
    edge = _EDGE * np.sqrt(rho.error) * _SPARE
    known = rho.reach <= _FLAT and rho.farthest <= 0.05
    size = rho.reach if known else rho.size
    left = (1.0 - 4 * UNIT) - size - rho.error  # its roundings make it no larger than it is
    with np.errstate(divide="ignore", invalid="ignore"):
        steep = rho.error / np.sqrt(left) * _SPARE
    return np.where(left > 0, np.minimum(steep, edge), edge)


def arc_cosines(one: ArcCosine | None, zero: ArcCosine, rho: Correlations) -> tuple[Array, Array]:
    """A function of degree 1 (if there is one) and one of degree 0, without their errors."""
    factors = (one.factors if one else (0.0, 0.0)) + zero.factors
    if rho.fast:
        from analytic_ntk.positivity import compiled

        first, second = np.empty(rho.value.shape), np.empty(rho.value.shape)
        compiled.angular(
            rho.value.ravel(), _padded(_angle_polynomial()[0]), math.pi / 2, np.array(factors),
            first.ravel(), second.ravel(),
        )  # fmt: skip
        return first, second
    angle, _ = arcsine(rho.value)
    second = factors[3] * angle + factors[2]
    if one is None:
        return second, second
    curve = np.sqrt((1.0 - rho.value) * (1.0 + rho.value)) + angle * rho.value
    return factors[1] * curve + factors[0] * rho.value, second


@lru_cache(maxsize=8)
def _padded(coefficients: tuple[float, ...]) -> Array:
    return np.pad(np.array(coefficients), (0, -len(coefficients) % _GROUP))


# ------------------------------------------------------------------------------------ power series


@dataclass(frozen=True, eq=False)
class Rows:
    """Coefficients ``a_0 .. a_{m-1}`` of some functions, a row each, and what is known beyond them.

    ``|values - a| <= errors``; ``tails >= sum_{k >= m} a_k^2``; ``totals >= sum_k a_k^2``;
    ``slopes >= sum_k k a_k^2`` (infinite where that is not known to be finite). ``step`` is 2 where only one
    parity occurs, then ``first`` is 0 or 1.
    """

    values: Array
    errors: Array
    tails: Array
    totals: Array
    slopes: Array
    first: int = 0
    step: int = 1
    known: dict[float, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.any((self.totals > 0) & (self.totals < _LEAST)):
            raise PrecisionError("values too small for float64", "larger inputs or variances")

    @property
    def terms(self) -> int:
        return self.values.shape[1]

    @cached_property
    def squares(self) -> Array:
        """For one row: the coefficients of powers of ``rho^step``, as compiled loops take them."""
        found = self.values[0, self.first :: self.step] ** 2
        return np.pad(found, (0, -len(found) % _GROUP))

    def cut(self, terms: int) -> Rows:
        """The first of them; the others join the tails."""
        rest = (np.abs(self.values[:, terms:]) + self.errors[:, terms:]) ** 2
        tails = (self.tails + rest.sum(axis=1)) * _SPARE + self.totals * 2.0**-150
        return replace(
            self, values=self.values[:, :terms], errors=self.errors[:, :terms], tails=tails, known={}
        )

    def relative(self, part: Array) -> float:
        """The largest of some numbers, a row each, relative to the totals."""
        ratios = np.divide(part, self.totals, out=np.zeros_like(part), where=self.totals > 0)
        return float(np.max(ratios)) * _SPARE

    @cached_property
    def tail(self) -> float:
        return self.relative(self.tails)

    @cached_property
    def steepest(self) -> float:
        """A bound of the slope of the known terms, anywhere."""
        found = (np.abs(self.values) + self.errors) ** 2 @ np.arange(float(self.terms))
        return self.relative(found) + 2.0**-70

    def within(self, reach: float) -> tuple[float, float]:
        """Bounds for ``|rho| <= reach``: what roundings and the errors of the coefficients do; the slope."""
        if reach not in self.known:
            self.known[reach] = self._coefficients(reach), self._slope(reach)
        return self.known[reach]

    def _coefficients(self, reach: float) -> float:
        powers = _powers(reach, self.terms)
        rounding = np.array([gamma(2 * k + 4) for k in range(self.terms)])
        square = self.values**2
        # every sum over k is bounded by a product of two such roots
        r, a, e = (
            math.sqrt(self.relative(part @ powers)) for part in (square * rounding, square, self.errors**2)
        )
        # squares may underflow, each of them by far less than 2^-150 of the total
        return (r * r + 2 * a * e + e * e) * _SPARE + 2.0**-70

    def _slope(self, reach: float) -> float:
        slopes = self.slopes
        if reach < 1:
            m = self.terms
            size = (np.abs(self.values[:, 1:]) + self.errors[:, 1:]) ** 2
            inner = size * np.arange(1, m) @ _powers(reach, max(m, 2))[: m - 1]
            # k r^(k-1) falls from k = 1/(1-r) on, and (1 - r) k r^(k-1) <= 1
            falls = m * (1 - reach) >= 1 + 2.0**-30
            most = m * float(_power(np.asarray(reach), m - 1)) if falls else 1 / (1 - reach)
            slopes = np.minimum(slopes, (inner + self.tails * most) * _SPARE)
        with np.errstate(invalid="ignore"):
            return self.relative(slopes) + 2.0**-70


def series_at(
    rows: Rows, i: Index, j: Index, rho: Correlations, size: Relative | None = None
) -> tuple[Array, Relative]:
    """``sum_k a_k b_k rho^k`` for the rows ``a = i``, ``b = j``, and its error relative to the root of the
    product of their totals; the shapes of ``i, j, rho`` broadcast.

    ``size``: bounds of ``|rho|``, for each or for all; the error holds only where they do.
    """
    size = rho.size if size is None else size
    most = float(np.max(size, initial=0.0))
    fixed, steep = rows.within(_outward((most + rho.farthest) * _SPARE))
    error: Relative = fixed
    if rows.tail:
        error = error + rows.tail * _power(np.asarray(size), rows.terms)
    if rho.farthest:
        error = error + _moved(rows, size, rho.error, steep)
    return _horner(rows, i, j, rho), error * _SPARE


def _outward(reach: float) -> float:
    """A number not smaller, one of few (so that what is computed for it is found again); at most 1."""
    left = 1.0 - reach - UNIT
    if not left > 2.0**-40:
        return 1.0
    part, exponent = math.frexp(left)
    return 1.0 - math.ldexp(math.floor(part * 16) / 16, exponent)


def _moved(rows: Rows, size: Relative, error: Relative, steep: float) -> Relative:
    """How far the value moves with ``rho`` within its error: at most the slope on the way, or the chord, or
    the steepest slope of the known terms and twice the others."""
    left = 1.0 - 4 * UNIT - np.asarray(size) - error  # its roundings make it no larger than it is
    with np.errstate(divide="ignore"):
        chord = np.where(left > 0, 1 / left, np.inf)
    found = error * np.minimum(steep, chord)
    return np.fmin(found, error * rows.steepest + 2 * rows.tail) * _SPARE  # 0 times infinity is no bound


def _horner(rows: Rows, i: Index, j: Index, rho: Correlations) -> Array:
    one = len(rows.values) == 1
    if one and rho.fast:
        from analytic_ntk.positivity import compiled

        out = np.empty(rho.value.shape)
        odd = rows.first == 1 and rows.step == 2
        compiled.power_series(rho.value.ravel(), rows.squares, odd, rows.step, out.ravel())
        return out
    columns = np.ascontiguousarray(rows.values.T)
    step, last = rows.step, rows.terms - 1
    last -= (last - rows.first) % step
    variable = rho.value * rho.value if step == 2 else rho.value
    total = np.zeros(np.broadcast_shapes(i.shape, j.shape, rho.value.shape))
    if last < rows.first:
        return total
    for k in range(last, rows.first - 1, -step):
        product = columns[k, 0] * columns[k, 0] if one else columns[k][i] * columns[k][j]
        if k < last:
            total *= variable
        total += product
    if rows.first == 1 and step == 2:
        total *= rho.value
    return total


def _powers(base: float, count: int) -> Array:
    """``base^0 .. base^(count-1)``, rounded up."""
    found = np.full(count, base)
    found[0] = 1.0
    return np.cumprod(found) * _SPARE + 2.0**-1000


def _power(base: Array, exponent: int) -> Array:
    """``base^exponent`` for ``0 <= base <= 1``, rounded up (each squaring doubles the relative error)."""
    found, square = np.ones_like(base), base
    remaining = exponent
    while remaining:
        if remaining & 1:
            found = found * square
        square = square * square
        remaining >>= 1
    return found * (1 + 4 * exponent * UNIT) + 2.0**-1000
