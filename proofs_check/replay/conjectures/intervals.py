"""Intervals by their ends: exact 0 stays 0, an end may be infinite, every rounding is outwards.

A ball around ``[0, h]`` reaches below 0; an interval does not, and ``f >= 0`` can be read off it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from proofs_check.replay.expression import ball

INFINITY = arb("inf")


def _low(value: arb) -> arb:
    return -INFINITY if value.is_nan() else value.lower()


def _high(value: arb) -> arb:
    return INFINITY if value.is_nan() else value.upper()


def _times(one: arb, two: arb) -> arb:
    return arb(0) if one == 0 or two == 0 else one * two


@dataclass(frozen=True)
class Interval:
    """All real numbers from ``low`` to ``high`` (exact balls; infinite ends stand for "no bound").

    Where there is no bound the quantity may also not exist (a derivative at ``rho = 1``): functions of it
    are then unknown, and only sums and products keep the side that is bounded.
    """

    low: arb
    high: arb

    @classmethod
    def of(cls, value: Interval | arb | Fraction | int) -> Interval:
        if isinstance(value, Interval):
            return value
        value = value if isinstance(value, arb) else ball(Fraction(value))
        return cls(_low(value), _high(value))

    @classmethod
    def between(cls, low: Fraction | arb, high: Fraction | arb) -> Interval:
        return cls(cls.of(low).low, cls.of(high).high)

    @property
    def bounded(self) -> bool:
        return bool(self.low.is_finite() and self.high.is_finite())

    @property
    def is_point(self) -> bool:
        return bool(self.low == self.high)

    @property
    def is_zero(self) -> bool:
        return bool(self.low == 0 and self.high == 0)

    def ball(self) -> arb:
        return self.low.union(self.high) if self.bounded else arb("nan")

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __add__(self, other: Any) -> Interval:
        if not isinstance(other, (Interval, arb, Fraction, int)):
            return NotImplemented
        other = Interval.of(other)
        return Interval(_low(self.low + other.low), _high(self.high + other.high))

    def __sub__(self, other: Any) -> Interval:
        if not isinstance(other, (Interval, arb, Fraction, int)):
            return NotImplemented
        return self + -Interval.of(other)

    def __mul__(self, other: Any) -> Interval:
        if not isinstance(other, (Interval, arb, Fraction, int)):
            return NotImplemented
        other = Interval.of(other)
        if not (self.bounded and other.bounded) and (self.is_zero or other.is_zero):
            return UNKNOWN  # 0 times something that may be infinite, or not defined at all
        if self.low >= 0 and other.low >= 0:
            return Interval(_low(_times(self.low, other.low)), _high(_times(self.high, other.high)))
        products = [_times(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(map(_low, products)), max(map(_high, products)))

    def __truediv__(self, other: Any) -> Interval:
        if not isinstance(other, (Interval, arb, Fraction, int)):
            return NotImplemented
        other = Interval.of(other)
        if other.bounded and other.low < 0 and other.high <= 0:
            return -self / -other
        if not other.bounded or other.low < 0 or other.high == 0:
            return UNKNOWN
        upper = _high(1 / other.low) if other.low > 0 else INFINITY
        return self * Interval(_low(1 / other.high), upper)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Interval:
        return -self + other

    def __rtruediv__(self, other: Any) -> Interval:
        return Interval.of(other) / self

    def meet(self, other: Interval) -> Interval:
        """What both allow; both hold the truth, so it is not empty."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def hull(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __abs__(self) -> Interval:
        if self.low >= 0:
            return self
        if not self.bounded:
            return UNKNOWN
        return -self if self.high <= 0 else Interval(arb(0), max(-self.low, self.high))

    def power(self, count: int) -> Interval:
        """``self^count`` for an integer ``count``, tight."""
        if not self.bounded:
            return UNKNOWN
        if count < 0:
            return Interval.of(1) / self.power(-count)
        if count == 0:
            return Interval.of(1)
        base = abs(self) if count % 2 == 0 else self
        return Interval(_raised(base.low, count, _low), _raised(base.high, count, _high))

    def rising(self, function: Callable[[arb], arb]) -> Interval:
        """The image under an increasing function."""
        low = _low(function(self.low)) if self.low.is_finite() else -INFINITY
        return Interval(low, _high(function(self.high)) if self.high.is_finite() else INFINITY)

    # ------------------------------------------------------------------------- functions

    def exp(self) -> Interval:
        if not self.bounded:
            return UNKNOWN
        found = self.rising(lambda t: t.exp())
        return Interval(max(found.low, arb(0)), found.high)

    def log(self) -> Interval:
        return self.rising(lambda t: t.log()) if self.low > 0 else UNKNOWN

    def sqrt(self) -> Interval:
        return self.rising(lambda t: t.sqrt()) if self.low >= 0 else UNKNOWN

    def asin(self) -> Interval:
        """Of ``-1 <= t <= 1``: by ``atan2(t, sqrt(1 - t^2))``, finite at the ends."""
        if not (self.low >= -1 and self.high <= 1):
            return UNKNOWN
        return self.rising(lambda t: arb.atan2(t, ((1 - t) * (1 + t)).nonnegative_part().sqrt()))

    def acos(self) -> Interval:
        return arb.pi() / 2 - self.asin()

    def _oscillating(self, function: Callable[[arb], arb]) -> Interval:
        one = Interval(arb(-1), arb(1))
        return Interval.of(function(self.ball())).meet(one) if self.bounded else UNKNOWN

    def sin(self) -> Interval:
        return self._oscillating(lambda t: t.sin())

    def cos(self) -> Interval:
        return self._oscillating(lambda t: t.cos())

    def __repr__(self) -> str:
        return f"[{self.low.str(6, radius=False)}, {self.high.str(6, radius=False)}]"


def _raised(value: arb, count: int, rounded: Callable[[arb], arb]) -> arb:
    result, square = arb(1), value
    while count:
        result = result * square if count % 2 else result
        square, count = square * square, count // 2
    return rounded(result)


UNKNOWN = Interval(-INFINITY, INFINITY)
