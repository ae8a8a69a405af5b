"""Certified numbers as plain data: a midpoint and a radius, both exact."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq

from analytic_ntk.arithmetic.precision import BITS_PER_DIGIT, bits_for, working_precision
from analytic_ntk.errors import DomainError, PrecisionError

LARGEST = 10_000_000
"""Binary exponents beyond this are not written out as fractions."""
_SMALLEST = Fraction(1, 2**LARGEST)


def _exact_value(ball: arb) -> Fraction:
    mantissa, exponent = ball.man_exp()
    if int(exponent) > LARGEST:
        raise PrecisionError("a number beyond 2^10000000", "numbers of moderate size", "take its logarithm")
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _tiny(ball: arb) -> bool:
    """Whether it is nearer to 0 than ``2^-LARGEST``, certainly."""
    return bool(ball.abs_upper() < arb(2) ** -LARGEST)


@dataclass(frozen=True)
class Enclosure:
    """The real number lies within ``radius`` of ``midpoint``; both are exact rationals.

    Immutable, hashable and picklable, unlike the balls it is made from. ``str`` prints the digits that
    are certain.

    >>> from fractions import Fraction
    >>> from analytic_ntk.enclosure import Enclosure
    >>> value = Enclosure(Fraction(1, 3), Fraction(1, 10**8))
    >>> print(value, Fraction(1, 3) in value, value.digits)
    0.3333333 True 7
    """

    midpoint: Fraction
    radius: Fraction

    @classmethod
    def of(cls, ball: arb) -> Enclosure:
        """From a real ball. Raises :class:`PrecisionError` if it is not finite."""
        if not ball.is_finite():
            raise PrecisionError("a ball without bounds", "a finite enclosure")
        if _tiny(ball):
            return cls(Fraction(0), Fraction(0 if ball == 0 else _SMALLEST))
        radius = arb(ball.rad())
        return cls(
            _exact_value(ball.mid()), _SMALLEST if _tiny(radius) and radius != 0 else _exact_value(radius)
        )

    @property
    def lower(self) -> Fraction:
        return self.midpoint - self.radius

    @property
    def upper(self) -> Fraction:
        return self.midpoint + self.radius

    @property
    def digits(self) -> int:
        """Certain relative decimal digits (0 if the enclosure meets 0, a large number if it is exact)."""
        if self.radius == 0:
            return 10**6
        if self.lower <= 0 <= self.upper:
            return 0
        ratio = abs(self.midpoint) / self.radius
        bits = ratio.numerator.bit_length() - ratio.denominator.bit_length() - 1
        return max(0, int(bits / BITS_PER_DIGIT))

    def __contains__(self, value: int | Fraction | Enclosure) -> bool:
        if isinstance(value, Enclosure):
            return self.lower <= value.lower and value.upper <= self.upper
        return self.lower <= value <= self.upper

    def overlaps(self, other: Enclosure) -> bool:
        """Whether the two can enclose the same number."""
        return self.lower <= other.upper and other.lower <= self.upper

    def ball(self) -> arb:
        """As a ball at the working precision (which may widen it)."""
        middle = arb(fmpq(self.midpoint.numerator, self.midpoint.denominator))
        spread = arb(fmpq(self.radius.numerator, self.radius.denominator))
        return middle + arb(0, spread.abs_upper())

    def __float__(self) -> float:
        return self.midpoint.numerator / self.midpoint.denominator

    def decimal(self, digits: int | None = None) -> str:
        """The certain digits, at most ``digits`` of them; ``[+/- r]`` if even the sign is not certain."""
        if digits is not None and digits < 1:
            raise DomainError(f"digits = {digits}", "at least 1")
        certain = self.digits
        wanted = min(certain, digits) if digits else min(certain, 1000)
        if self.radius == 0 and self.midpoint == 0:
            return "0"
        if certain == 0:
            with working_precision(64):  # not through float: a bound of 1e-400 is not 0
                farthest = arb(self.ball().abs_upper())
                return f"[+/- {(farthest * (1 + arb(2) ** -10)).str(4, radius=False)}]"
        with working_precision(bits_for(wanted) + 64):
            text: str = self.ball().str(wanted, radius=False)
        if self.radius == 0 and digits is None and "e" not in text and "." in text:
            text = text.rstrip("0").rstrip(".")
        return text

    def __str__(self) -> str:
        return self.decimal()

    def _repr_latex_(self) -> str:
        """The certain digits, at most 40; three dots where there are more to the number."""
        if not self.digits:
            return rf"$\text{{{self.decimal()}}}$"
        shown, whole = self.decimal(40), self.decimal()
        text, rest = (whole, "") if self.radius == 0 and len(whole) <= len(shown) else (shown, r"\ldots")
        mantissa, _, exponent = text.partition("e")
        return f"${mantissa}{rest}" + (rf" \cdot 10^{{{int(exponent)}}}$" if exponent else "$")

    def __repr__(self) -> str:
        size = abs(self.radius)
        if size == 0:
            return f"Enclosure({self.decimal(40)}, exact)"
        exponent = math.floor(math.log10(size.numerator) - math.log10(size.denominator)) + 1
        return f"Enclosure({self.decimal(40)}, radius < 1e{exponent})"
