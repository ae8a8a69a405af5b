"""The same finite Hermite series in the conventions of the literature.

A series is a polynomial ``F(z) = sum_n a_n He_n(z)/sqrt(n!)`` of a standard normal ``z`` (for a table at
variance ``q``: ``F(z) = f(sqrt(q) z)``, cut off at the order of the table). What differs is the basis:

=======================  ============================================================================
``NORMALISED``           ``F(z) = sum a_n He_n(z)/sqrt(n!)``; ``a_n = E F(Z) He_n(Z)/sqrt(n!)`` (ours)
``PROBABILISTS``         ``F(z) = sum c_n He_n(z)``
``MOMENTS``              ``m_n = E F(Z) He_n(Z)``, ``F(z) = sum m_n He_n(z)/n!``
``PHYSICISTS``           ``F(z) = sum p_n H_n(z/sqrt 2)``, the weight still that of a standard normal
``PHYSICISTS_OWN``       ``F(z) = sum r_n H_n(z)``, orthogonal for the weight ``exp(-z^2)``
``MONOMIALS``            ``F(z) = sum t_n z^n``
=======================  ============================================================================

The first four differ by a factor for each ``n``, and hold for infinite series as well. The last two mix
orders: they belong to the polynomial, and a longer table changes them. The expansion of ``f(x)`` itself
in ``H_n(x)`` with weight ``exp(-x^2)`` is ``PHYSICISTS`` of a table at variance 1/2, where ``z/sqrt 2 = x``.

What mixes orders is the heat flow ``exp(s D^2)``: ``He_n = exp(-D^2/2) z^n``, ``H_n = exp(-D^2/4) (2z)^n``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from flint import arb, fmpq
from numpy.typing import NDArray

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError

Array: TypeAlias = NDArray[np.float64]
MAX_ORDER = 10_000
MAX_MIXED_ORDER = 600
"""Up to this order for the two bases that mix orders (their numbers have thousands of digits beyond)."""


class Basis(Enum):
    """The six conventions; see the table at the head of this module."""

    NORMALISED = "normalised"
    PROBABILISTS = "probabilists"
    MOMENTS = "moments"
    PHYSICISTS = "physicists"
    PHYSICISTS_OWN = "physicists-own"
    MONOMIALS = "monomials"


_MIXED = (Basis.PHYSICISTS_OWN, Basis.MONOMIALS)


def convert_exact(
    coefficients: Sequence[sp.Expr | int | Fraction], source: Basis, target: Basis
) -> tuple[sp.Expr, ...]:
    """Exact numbers into exact numbers.

    >>> convert_exact([0, 0, sp.sqrt(2)], Basis.NORMALISED, Basis.MONOMIALS)
    (-1, 0, 1)
    """
    _check(coefficients, source, target)
    exact = [_exact(value) for value in coefficients]
    numbers = _through(exact, source, target, _Exact)
    return tuple(sp.expand(value) for value in numbers)


def convert_enclosures(
    coefficients: Sequence[Enclosure], source: Basis, target: Basis
) -> tuple[Enclosure, ...]:
    """Enclosures into enclosures: whatever numbers lie in the first, their conversions lie in the second."""
    _check(coefficients, source, target)
    for value in coefficients:
        if not isinstance(value, Enclosure):
            raise DomainError(f"{value!r}"[:80], "enclosures")
    sizes = [
        max(v.midpoint.numerator.bit_length(), v.midpoint.denominator.bit_length()) for v in coefficients
    ]
    with working_precision(64 + max(sizes, default=0) + _growth_bits(len(coefficients), source, target)):
        balls = _through([value.ball() for value in coefficients], source, target, _Balls)
        return tuple(Enclosure.of(value) for value in balls)


def convert_floats(coefficients: Any, source: Basis, target: Basis) -> Array:
    """float64 into float64, each the exact conversion of the numbers given, rounded (relative error 2^-52).

    Nothing overflows on the way. Raises :class:`DomainError` where a result is too large for float64 or, not
    being zero, too small for a normal float64.
    """
    values = np.asarray(coefficients)
    if values.ndim != 1 or values.dtype.kind != "f":
        raise DomainError(f"an array of shape {values.shape} and type {values.dtype}", "a vector of floats")
    if not np.all(np.isfinite(values)):
        raise DomainError("a coefficient that is not finite", "finite numbers")
    numbers = [float(v) for v in values.astype(np.float64)]
    _check(numbers, source, target)
    bits = 1200 + _growth_bits(len(numbers), source, target) if {source, target} & set(_MIXED) else 128
    with working_precision(bits):
        balls = _through([arb(v) for v in numbers], source, target, _Balls)
        return np.array([_float(ball, n) for n, ball in enumerate(balls)])


# ------------------------------------------------------------------------------------ the change of basis


class _Exact:
    """Factors as sympy numbers."""

    @staticmethod
    def rational(numerator: int, denominator: int) -> sp.Expr:
        return sp.Rational(numerator, denominator)

    @staticmethod
    def root(number: int) -> sp.Expr:
        return sp.sqrt(sp.Integer(number))

    @staticmethod
    def root_factorial(n: int) -> sp.Expr:
        return sp.sqrt(sp.factorial(n))


class _Balls:
    """Factors as balls."""

    @staticmethod
    def rational(numerator: int, denominator: int) -> arb:
        return arb(fmpq(numerator, denominator))

    @staticmethod
    def root(number: int) -> arb:
        return arb(number).sqrt()

    @staticmethod
    def root_factorial(n: int) -> arb:
        return arb.fac_ui(n).sqrt()


_Numbers: TypeAlias = type[_Exact] | type[_Balls]


def _through(values: list[Any], source: Basis, target: Basis, ops: _Numbers) -> list[Any]:
    """From the source to unnormalised probabilists' coefficients, and on to the target."""
    if source is target:
        return values
    return _from_probabilists(_to_probabilists(values, source, ops), target, ops)


def _to_probabilists(values: list[Any], source: Basis, ops: _Numbers) -> list[Any]:
    if source is Basis.MONOMIALS:
        return _heat(values, Fraction(1, 2), ops)
    if source is Basis.PHYSICISTS_OWN:
        return _heat(_each(values, lambda n: ops.rational(2**n, 1)), Fraction(1, 4), ops)
    if source is Basis.NORMALISED:
        return [value / ops.root_factorial(n) for n, value in enumerate(values)]
    if source is Basis.MOMENTS:
        return [value / ops.root_factorial(n) / ops.root_factorial(n) for n, value in enumerate(values)]
    return _each(values, lambda n: _root_of_two_to(n, ops)) if source is Basis.PHYSICISTS else values


def _from_probabilists(values: list[Any], target: Basis, ops: _Numbers) -> list[Any]:
    if target is Basis.MONOMIALS:
        return _heat(values, Fraction(-1, 2), ops)
    if target is Basis.PHYSICISTS_OWN:
        return _each(_heat(values, Fraction(-1, 4), ops), lambda n: ops.rational(1, 2**n))
    if target is Basis.NORMALISED:
        return _each(values, ops.root_factorial)
    if target is Basis.MOMENTS:
        return _each(_each(values, ops.root_factorial), ops.root_factorial)
    if target is Basis.PHYSICISTS:
        return [value / _root_of_two_to(n, ops) for n, value in enumerate(values)]
    return values


def _each(values: list[Any], factor: Callable[[int], Any]) -> list[Any]:
    return [factor(n) * value for n, value in enumerate(values)]


def _root_of_two_to(n: int, ops: _Numbers) -> Any:
    """``2^(n/2)``."""
    whole = ops.rational(2 ** (n // 2), 1)
    return whole * ops.root(2) if n % 2 else whole


def _heat(values: list[Any], step: Fraction, ops: _Numbers) -> list[Any]:
    """``sum_k (m + 2k)!/(k! m!) step^k values[m + 2k]``: the flow ``exp(step D^2)`` on monomials."""
    result = []
    for m in range(len(values)):
        total, factor = ops.rational(0, 1), Fraction(1)
        for k, n in enumerate(range(m, len(values), 2)):
            if k:
                factor *= Fraction(n * (n - 1), k) * step
            total = total + ops.rational(factor.numerator, factor.denominator) * values[n]
        result.append(total)
    return result


# ------------------------------------------------------------------------------------ checks


def _check(coefficients: Sequence[Any], source: Basis, target: Basis) -> None:
    for basis in (source, target):
        if not isinstance(basis, Basis):
            raise DomainError(f"{basis!r}"[:60], f"one of {', '.join(str(b) for b in Basis)}")
    if isinstance(coefficients, (str, bytes)) or not isinstance(coefficients, Sequence):
        raise DomainError(f"{type(coefficients).__name__}", "a sequence of coefficients")
    limit = MAX_MIXED_ORDER if {source, target} & set(_MIXED) else MAX_ORDER
    if not 1 <= len(coefficients) <= limit + 1:
        raise DomainError(f"{len(coefficients)} coefficients", f"1 to {limit + 1} of them")


def _exact(value: sp.Expr | int | Fraction) -> sp.Expr:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction, sp.Expr)):
        raise DomainError(f"{value!r}"[:80], "an exact number", "use convert_floats for floats")
    number = (
        sp.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else sp.sympify(value)
    )
    if number.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise DomainError(f"{number}"[:80], "a finite number")
    if number.has(sp.Float):
        raise DomainError(f"the float in {number}"[:80], "an exact number", "use convert_floats for floats")
    return number


@lru_cache(maxsize=64)
def _factorial_bits(n: int) -> int:
    return int(math.lgamma(n + 1) / math.log(2)) + 1


def _growth_bits(length: int, source: Basis, target: Basis) -> int:
    """Bits that cancellation between orders may cost."""
    return 2 * _factorial_bits(length) if {source, target} & set(_MIXED) else 0


def _float(ball: arb, n: int) -> float:
    """The nearest float64 of a thin ball."""
    if ball == 0:
        return 0.0
    if ball.contains(0) or ball.rel_accuracy_bits() < 60:
        raise DomainError(f"coefficient {n}, whose digits cancel", "one that float64 input determines")
    value = float(ball.mid())
    if math.isinf(value) or abs(value) < 2.0**-1022:
        with working_precision(64):
            shown = ball.str(3, radius=False)
        raise DomainError(
            f"coefficient {n} = {shown}", "a number that float64 can hold", "convert enclosures instead"
        )
    return value
