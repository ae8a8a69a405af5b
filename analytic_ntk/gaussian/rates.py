"""Rates of growth ``t^d exp(L t + Q t^2)`` and the rounded exact numbers that bounds are made of.

Constants are fractions of few bits, rounded outwards through ball arithmetic; ``Q`` is kept exact. Everything
here runs inside :func:`working_precision` at :data:`BITS` bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import sympy as sp
from flint import arb, fmpq

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError

BITS = 64
_MAX_LOG = 10_000  # constants beyond exp(10000) are not worth carrying
_MAX_BITS = 1 << 18  # of a fraction that is written out

# ------------------------------------------------------------------------------------ exact numbers


def fraction_above(number: sp.Expr) -> Fraction:
    """A fraction not below a real number (the number itself when it is rational)."""
    if number.is_Rational:
        return Fraction(int(number.p), int(number.q))
    return fraction(finite_ball(number).upper())


def fraction_below(number: sp.Expr) -> Fraction:
    return -fraction_above(-number)


def finite_ball(number: sp.Expr) -> arb:
    ball = exact_ball(number)
    if not isinstance(ball, arb) or not ball.is_finite():
        raise DomainError(f"the constant {number}", "a real and finite number")
    return ball


def fraction(point: arb) -> Fraction:
    """An exact ball as a fraction; :class:`DomainError` where it would fill the memory (``exp(-10^10)``)."""
    mantissa, exponent = point.man_exp()
    if abs(int(exponent)) > _MAX_BITS:
        raise DomainError(
            "a constant in the growth bound",
            f"between 2^-{_MAX_BITS} and 2^{_MAX_BITS}",
            "rescale the expression",
        )
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def round_up(value: Fraction) -> Fraction:
    """A fraction of few bits, not below a non-negative one."""
    if value.numerator.bit_length() <= BITS and value.denominator.bit_length() <= BITS:
        return value
    return fraction(arb(fmpq(value.numerator, value.denominator)).upper())


def round_down(value: Fraction) -> Fraction:
    if value.numerator.bit_length() <= BITS and value.denominator.bit_length() <= BITS:
        return value
    return max(fraction(arb(fmpq(value.numerator, value.denominator)).lower()), Fraction(0))


def as_ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def exp_above(exponent: Fraction) -> Fraction:
    if exponent > _MAX_LOG:
        raise DomainError(
            "a constant in the growth bound", f"at most exp({_MAX_LOG})", "rescale the expression"
        )
    return fraction(as_ball(max(exponent, Fraction(-_MAX_LOG))).exp().upper())


def exp_below(exponent: Fraction) -> Fraction:
    if exponent < -_MAX_LOG:
        raise DomainError(
            "a constant in the growth bound", f"at least exp(-{_MAX_LOG})", "rescale the expression"
        )
    return fraction(as_ball(min(exponent, Fraction(_MAX_LOG))).exp().lower())


def power_above(base: Fraction, power: Fraction) -> Fraction:
    if base == 0:
        return Fraction(0)
    return (
        round_up(base ** int(power))
        if power.denominator == 1
        else fraction((as_ball(base) ** as_ball(power)).upper())
    )


def power_below(base: Fraction, power: Fraction) -> Fraction:
    if power.denominator == 1:
        return round_down(base ** int(power))
    return max(fraction((as_ball(base) ** as_ball(power)).lower()), Fraction(0))


def compare(one: sp.Expr, other: sp.Expr) -> int:
    """Sign of the difference of two exact real numbers."""
    difference = one - other
    if difference.is_Rational:
        return int(sp.sign(difference))
    for bits in (64, 256, 1024):
        with working_precision(bits):
            ball = exact_ball(difference)
            if ball > 0 or ball < 0:
                return 1 if ball > 0 else -1
    if sp.simplify(difference) == 0:
        return 0
    raise DomainError(f"the sign of {difference}", "one that can be decided")


# ------------------------------------------------------------------------------------ rates


@dataclass(frozen=True)
class Rate:
    """``t^degree exp(linear t + quadratic t^2)``, ordered by what happens as ``t -> oo``."""

    quadratic: sp.Expr = sp.S.Zero
    linear: Fraction = Fraction(0)
    degree: Fraction = Fraction(0)

    def __mul__(self, other: Rate) -> Rate:
        return Rate(
            sp.expand(self.quadratic + other.quadratic),
            self.linear + other.linear,
            self.degree + other.degree,
        )

    def __pow__(self, power: Fraction) -> Rate:
        exact = sp.Rational(power.numerator, power.denominator)
        return Rate(self.quadratic * exact, self.linear * power, self.degree * power)

    def compare(self, other: Rate) -> int:
        first = 0 if self.quadratic == other.quadratic else compare(self.quadratic, other.quadratic)
        if first:
            return first
        mine, yours = (self.linear, self.degree), (other.linear, other.degree)
        return (mine > yours) - (mine < yours)

    @property
    def is_above_powers(self) -> bool:
        return self.compare(Rate(degree=self.degree)) > 0

    @property
    def is_below_constants(self) -> bool:
        return self.compare(Rate()) < 0

    @property
    def is_at_most_constant(self) -> bool:
        return self.compare(Rate()) <= 0

    def supremum(self) -> Fraction | None:
        """A bound over ``t >= 1`` of a rate that is at most constant; ``None`` where it would be enormous."""
        a, b, c = max(self.degree, Fraction(0)), self.linear, -fraction_above(self.quadratic)
        # a log t + b t - c t^2 with log t <= t - 1, or the exact maximum of a log t - |b| t
        if c > 0:
            slope = a + b
            peak = -a + slope * slope / (4 * c) if slope > 0 else -a
        elif c < 0:
            return None
        elif b < 0:
            peak = a * (a / -b) - a if a > 0 else b
        else:
            peak = Fraction(0) if a == 0 and b == 0 else Fraction(10**9)
        if peak > 200:
            return None
        return exp_above(max(peak, Fraction(0)))


Bound: TypeAlias = tuple[Fraction, Rate]
ONE: Bound = (Fraction(1), Rate())


def times(one: Bound, other: Bound, down: bool = False) -> Bound:
    product = one[0] * other[0]
    return (round_down(product) if down else round_up(product)), one[1] * other[1]
