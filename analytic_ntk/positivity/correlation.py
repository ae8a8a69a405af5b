"""Functions of a correlation in float64, ``sum_k a_k b_k rho^k`` on ``[-1, 1]``, with a proved error.

For one row of coefficients (``b = a``) the function has non-negative coefficients: it and its derivatives
are largest at ``|rho|``, and its slope at ``r`` is at most that of the chord from ``r`` to 1. For two rows
Cauchy-Schwarz reduces every bound to those of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from flint import arb, arb_poly
from numpy.typing import NDArray

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.positivity.rounded import TINY, UNIT, Array, Rounded, above, gamma

Index = NDArray[np.intp]
_TERMS, _BITS = 150, 400
_DROPPED = 2.0**-60
_HALF_PI, _EDGE = 1.5707963267948968, 2.2214414690791835
"""``pi/2`` and ``pi/sqrt 2``, rounded up."""
_LEAST = 2.0**-480
"""Taken for what is smaller, where its square would underflow."""
_SPARE = 1 + 2.0**-40
"""Pays for the roundings of a bound that is a sum of up to a thousand positive terms."""


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

    (Cho, Saul 2009.) ``linear`` and ``curved`` are the factors of ``1`` or ``rho`` and of what follows.
    """

    degree: int
    linear: Rounded
    curved: Rounded
    lipschitz: float
    """An upper bound of the slope: half of ``a^2 + b^2`` for degree 1, infinite for degree 0."""

    @classmethod
    def of(cls, degree: int, a: arb, b: arb) -> ArcCosine:
        plus, minus = (a + b) * (a + b), (a - b) * (a - b)
        steep = arb((a * a + b * b).abs_upper()) / 2
        first, second = (plus, minus) if degree == 0 else (minus, plus)
        return cls(
            degree,
            Rounded.of_ball(first / 4),
            Rounded.of_ball(second / (2 * arb.pi())),
            math.inf if degree == 0 else above(steep.abs_upper()),
        )

    def at(self, rho: Rounded, angle: tuple[Array, float] | None = None) -> Rounded:
        """The value at ``rho``; ``angle`` is :func:`arcsine` of its value, if it is known already."""
        curve, error = angle or arcsine(rho.value)
        if self.degree == 0:
            wrong = error
        else:
            # the root: 3 u; the product: 1.6 u; the sum, at most pi/2: 1.6 u
            curve = np.sqrt((1.0 - rho.value) * (1.0 + rho.value)) + curve * rho.value
            wrong = error + 7 * UNIT
        # common errors: the factors, |rho| <= 1 and |curve| <= 1.6, and three roundings
        factors = float(self.linear.value), float(self.curved.value)
        found = factors[1] * curve + (factors[0] if self.degree == 0 else factors[0] * rho.value)
        common = float(self.linear.error) + 1.6 * float(self.curved.error) + factors[1] * wrong
        common += UNIT * (3 * 1.6 * factors[1] + 3 * factors[0])
        common *= _SPARE
        return Rounded(found, np.asarray(common + self._moved(rho, found, common)))

    def _moved(self, rho: Rounded, found: Array, error: float) -> Array | float:
        """How far the value moves with ``rho`` within its error."""
        farthest = float(np.max(rho.error))
        if farthest == 0:
            return 0.0
        if self.degree == 1:
            return rho.error * (self.lipschitz * _SPARE)
        # acos(1 - e) <= pi sqrt(e/2), and asin is steepest at the ends
        edge = float(self.curved.value) * _EDGE * math.sqrt(farthest) * _SPARE
        top = (float(self.linear.value) + _HALF_PI * float(self.curved.value)) * _SPARE + 2 * error
        left = (1.0 - farthest - 4 * UNIT) - np.abs(rho.value)  # its roundings make it no larger than it is
        with np.errstate(divide="ignore", invalid="ignore"):
            chord = (top - np.abs(found)) / left
            chord *= farthest * _SPARE
        return np.where(left > 0, np.minimum(chord, edge), edge)


# ------------------------------------------------------------------------------------ power series


@dataclass(frozen=True)
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

    @property
    def terms(self) -> int:
        return self.values.shape[1]

    def cut(self, terms: int) -> Rows:
        """The first of them; the others join the tails."""
        rest = (np.abs(self.values[:, terms:]) + self.errors[:, terms:]) ** 2
        tails = (self.tails + rest.sum(axis=1)) * _SPARE + self.terms * TINY
        return replace(self, values=self.values[:, :terms], errors=self.errors[:, :terms], tails=tails)


def series_at(rows: Rows, i: Index, j: Index, rho: Rounded) -> Rounded:
    """``sum_k a_k b_k rho^k`` for the rows ``a = i``, ``b = j``; the shapes of ``i, j, rho`` broadcast."""
    value = rho.value
    reach = float(np.max(np.abs(value), initial=0.0))
    powers = _powers(reach, rows.terms)
    total = _horner(rows, i, j, value)
    squares = np.maximum(np.abs(rows.values), _LEAST) ** 2
    wrong = np.maximum(rows.errors, _LEAST) ** 2
    rounding = np.array([gamma(2 * k + 4) for k in range(rows.terms)])
    # every sum over k is bounded by a product of two such roots
    r, a, e = (np.sqrt(part @ powers * _SPARE) for part in (squares * rounding, squares, wrong))
    error = r[i] * r[j] + a[i] * e[j] + e[i] * a[j] + e[i] * e[j]
    t = np.sqrt(rows.tails)
    beyond = t[i] * t[j]
    if np.any(beyond):
        error = error + beyond * _power(np.abs(value), rows.terms)
    error = error + (rows.terms + 4) * TINY
    if np.any(rho.error):
        error = error + _moved(rows, i, j, rho, reach)
    return Rounded(total, error * _SPARE)


def _horner(rows: Rows, i: Index, j: Index, rho: Array) -> Array:
    shape = np.broadcast_shapes(i.shape, j.shape, rho.shape)
    columns = np.ascontiguousarray(rows.values.T)
    one = len(rows.values) == 1
    step, last = rows.step, rows.terms - 1
    last -= (last - rows.first) % step
    variable = rho * rho if step == 2 else rho
    total = np.zeros(shape)
    if last < rows.first:
        return total
    for k in range(last, rows.first - 1, -step):
        product = columns[k, 0] * columns[k, 0] if one else columns[k][i] * columns[k][j]
        if k < last:
            total *= variable
        total += product
    if rows.first == 1 and step == 2:
        total *= rho
    return total


def _powers(base: float, count: int) -> Array:
    """``base^0 .. base^(count-1)``, rounded up."""
    found = np.full(count, base)
    found[0] = 1.0
    return np.cumprod(found) * _SPARE + TINY


def _power(base: Array, exponent: int) -> Array:
    """``base^exponent`` for ``0 <= base <= 1``, rounded up (each squaring doubles the relative error)."""
    found, square = np.ones_like(base), base
    remaining = exponent
    while remaining:
        if remaining & 1:
            found = found * square
        square = square * square
        remaining >>= 1
    return found * (1 + 4 * exponent * UNIT) + 64 * TINY


def _moved(rows: Rows, i: Index, j: Index, rho: Rounded, reach: float) -> Array:
    """How far the value moves with ``rho`` within its error: at most the slope on the way, or the chord, or
    the steepest slope of the known terms and twice the others."""
    known = (np.abs(rows.values) + rows.errors) ** 2 @ np.arange(float(rows.terms)) * _SPARE
    c, t = np.sqrt(known), np.sqrt(rows.tails)
    farthest = (reach + float(np.max(rho.error))) * _SPARE
    slopes = rows.slopes
    if farthest < 1:
        m = rows.terms
        k = np.arange(1, m)
        inner = (
            (np.abs(rows.values[:, 1:]) + rows.errors[:, 1:]) ** 2 * k @ _powers(farthest, max(m, 2))[: m - 1]
        )
        # k r^(k-1) falls from k = 1/(1-r) on, and (1 - r) k r^(k-1) <= 1
        falls = m * (1 - farthest) >= 1 + 2.0**-30
        most = m * float(_power(np.asarray(farthest), m - 1)) if falls else 1 / (1 - farthest)
        slopes = np.minimum(slopes, (inner + rows.tails * most) * _SPARE)
    s, top = np.sqrt(slopes), np.sqrt(rows.totals)
    left = 1.0 - 4 * UNIT - np.abs(rho.value) - rho.error  # its roundings make it no larger than it is
    with np.errstate(divide="ignore", invalid="ignore"):
        steep = np.nan_to_num(s[i] * s[j], nan=np.inf, posinf=np.inf)
        chord = np.where(left > 0, top[i] * top[j] / left, np.inf)
        moved = np.fmin(rho.error * np.minimum(steep, chord), rho.error * (c[i] * c[j]) + 2 * t[i] * t[j])
        return moved * _SPARE
