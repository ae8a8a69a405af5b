"""Exact numbers given by a user: integers, fractions, decimal strings, exact sympy numbers; never floats."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import sympy as sp

from analytic_ntk.errors import DomainError

ExactNumber: TypeAlias = int | str | Fraction | Decimal | sp.Expr
"""What may be given where an exact number is asked for."""


def exactly(value: float) -> sp.Rational:
    """The exact binary value of a float, as a rational.

    >>> from analytic_ntk.exact import exactly
    >>> exactly(0.5), exactly(0.1) == exactly(0.1), exactly(0.1).q == 2**55
    (1/2, True, True)
    """
    if not np.isfinite(value):
        raise DomainError(f"{value}", "a finite number")
    fraction = Fraction(float(value))
    return sp.Rational(fraction.numerator, fraction.denominator)


def exact_number(value: ExactNumber, name: str = "number") -> sp.Expr:
    """An exact real number: int, Fraction, Decimal, ``"3/10"``, ``"0.3"`` or an exact sympy expression.

    Raises :class:`DomainError` for a float (its digits are not what was typed), a complex or a non-number.
    """
    if isinstance(value, (bool, np.bool_)):
        raise DomainError(f"{name} = {value}", "a number")
    if isinstance(value, (float, np.floating)):
        raise DomainError(
            f"the float {value!r} as {name}",
            "an exact number",
            f'write "{value!r}" for the decimal, or exactly({value!r}) for the binary value',
        )
    if isinstance(value, (int, np.integer)):
        return sp.Integer(int(value))
    if isinstance(value, (Fraction, Decimal)):
        fraction = Fraction(value)
        return sp.Rational(fraction.numerator, fraction.denominator)
    if isinstance(value, str):
        return _from_text(value, name)
    if isinstance(value, sp.Expr):
        if value.has(sp.Float):
            raise DomainError(f"the float in {value} as {name}", "an exact number", "use Rational")
        if (value.is_number and value.is_real is False) or (
            not value.is_finite and value.is_finite is not None
        ):
            raise DomainError(f"{name} = {value}", "a finite real number")
        return value
    raise DomainError(f"{name} = {value!r}", 'an exact number: int, Fraction, "3/10", "0.3" or sympy number')


def _from_text(text: str, name: str) -> sp.Expr:
    if len(text) > 2000:
        raise DomainError(f"{len(text)} characters as {name}", "at most 2000")
    parts = text.split("/")
    try:
        if len(parts) == 1:
            decimal = Decimal(parts[0].strip())
            exponent = decimal.as_tuple().exponent
            if not isinstance(exponent, int) or abs(exponent) > 2000:
                raise InvalidOperation
            fraction = Fraction(decimal)
        elif len(parts) == 2:
            fraction = Fraction(int(parts[0].strip()), int(parts[1].strip()))
        else:
            raise ValueError
    except (ValueError, ZeroDivisionError, InvalidOperation) as error:
        raise DomainError(
            f"{name} = {text[:60]!r}", 'an exact number such as "1", "3/10" or "0.3"'
        ) from error
    return sp.Rational(fraction.numerator, fraction.denominator)


def variance(value: ExactNumber, name: str) -> sp.Expr:
    """An exact number that is not negative."""
    number = exact_number(value, name)
    if number.is_nonnegative is False or (number.is_nonnegative is None and number.is_number):
        raise DomainError(
            f"{name} = {number}", "a variance >= 0", "variances, not standard deviations, are given"
        )
    return number
