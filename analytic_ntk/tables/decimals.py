"""Enclosures written in decimals: rounded outward once, then exact on the way to a file and back."""

from __future__ import annotations

import re
from fractions import Fraction

from flint import fmpz

from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError

SPARE = 2
"""A midpoint is written with so many digits more than asked, so that rounding costs none of those asked."""
RADIUS_DIGITS = 3
MAX_EXPONENT = 100_000
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e-?[0-9]{1,6})?")


def rounded(value: Enclosure, digits: int) -> Enclosure:
    """An enclosure that contains ``value``, its midpoint and radius short decimals.

    The midpoint keeps ``digits + 2`` significant digits; the radius, rounded up, bounds what was cut too.
    Rounding twice changes nothing.

    >>> third = rounded(Enclosure(Fraction(1, 3), Fraction(1, 10**30)), 4)
    >>> text_of(third.midpoint), text_of(third.radius), Fraction(1, 3) in third
    ('0.333333', '3.34e-7', True)
    """
    if value.radius >= abs(value.midpoint) and value.radius:  # 0 may be the number: no digit to keep
        return Enclosure(Fraction(0), _cut(abs(value.midpoint) + value.radius, RADIUS_DIGITS, up=True))
    middle = _cut(value.midpoint, digits + SPARE)
    if middle == value.midpoint and _cut(value.radius, RADIUS_DIGITS) == value.radius:
        return value
    return Enclosure(middle, _cut(value.radius + abs(value.midpoint - middle), RADIUS_DIGITS, up=True))


def _cut(value: Fraction, digits: int, up: bool = False) -> Fraction:
    """The nearest decimal of so many significant digits (``up``: the next one above, of a value >= 0)."""
    if value == 0:
        return value
    shift = digits - _exponent(abs(value)) - 1
    top, bottom = value.numerator, value.denominator
    top, bottom = (top * 10**shift, bottom) if shift >= 0 else (top, bottom * 10**-shift)
    whole = -(-top // bottom) if up else (2 * top + bottom) // (2 * bottom)
    return Fraction(whole, 10**shift) if shift >= 0 else Fraction(whole * 10**-shift)


def _exponent(value: Fraction) -> int:
    """``e`` with ``10^e <= value < 10^(e+1)``."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    guess = (bits - 1) * 30103 // 100000 - 1  # at most the true one
    top, bottom = value.numerator, value.denominator
    top, bottom = (top, bottom * 10**guess) if guess >= 0 else (top * 10**-guess, bottom)
    while top >= 10 * bottom:
        guess, bottom = guess + 1, bottom * 10
    return guess


def text_of(value: Fraction) -> str:
    """A decimal number written in full: positional where that is short, else with an exponent.

    Raises :class:`DomainError` for a number that has no finite decimal expansion.

    >>> text_of(Fraction(-1, 8)), text_of(Fraction(0)), text_of(Fraction(25, 10**9)), text_of(Fraction(7))
    ('-0.125', '0', '2.5e-8', '7')
    """
    rest, fives = value.denominator, 0
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise DomainError(f"the number {value}"[:80], "a finite decimal", "round the enclosure outward first")
    places = max(twos, fives)
    whole = abs(value.numerator) * 10**places // value.denominator
    sign = "-" if value < 0 else ""
    digits = str(fmpz(whole))  # Python's own int and str stop at 4300 digits
    exponent = len(digits) - 1 - places
    digits = digits.rstrip("0") or "0"
    if whole == 0:
        return "0"
    if 0 <= exponent <= 30:
        digits = digits.ljust(exponent + 1, "0")
        fraction = digits[exponent + 1 :]
        return f"{sign}{digits[: exponent + 1]}.{fraction}" if fraction else sign + digits
    if -6 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{exponent}"


def enclosure_from(midpoint: object, radius: object) -> Enclosure:
    """The enclosure that two texts write down. Raises :class:`DomainError` for anything but decimals."""
    middle, spread = decimal_from(midpoint), decimal_from(radius)
    if spread < 0:
        raise DomainError(f"the radius {str(radius)[:60]!r}", "a number >= 0")
    return Enclosure(middle, spread)


def decimal_from(text: object) -> Fraction:
    """The number that a decimal text writes down, exactly."""
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise DomainError(f"{str(text)[:60]!r}", 'a decimal number as text, such as "-0.25" or "1.5e-30"')
    mantissa, _, power = text.partition("e")
    if power and abs(int(power)) > MAX_EXPONENT:
        raise DomainError(f"{text[:60]!r}", f"an exponent of size at most {MAX_EXPONENT}")
    whole, _, decimals = mantissa.partition(".")
    exponent = (int(power) if power else 0) - len(decimals)
    number = int(fmpz(whole + decimals))
    return Fraction(number * 10**exponent) if exponent >= 0 else Fraction(number, 10**-exponent)
