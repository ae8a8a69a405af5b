"""Truncated power series in any arithmetic: a value with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flint import arb

from proofs_check.replay.conjectures.formal import NotFormal
from proofs_check.replay.conjectures.intervals import UNKNOWN, Interval


@dataclass(frozen=True)
class Jet:
    """``c[0] + c[1] h + .. + c[m] h^m``: a value and its derivatives over ``k!``, in any arithmetic.

    Over intervals, ``c[k]`` holds ``f^(k)(t)/k!`` for every ``t`` of the box; over formal numbers the same at
    one point, exactly.
    """

    c: tuple[Any, ...]

    @property
    def order(self) -> int:
        return len(self.c) - 1

    def _like(self, value: Any) -> Jet:
        zero = type(self.c[0]).of(0)
        return Jet((zero + value, *([zero] * self.order)))

    def _other(self, other: Any) -> Jet:
        return other if isinstance(other, Jet) else self._like(other)

    def __neg__(self) -> Jet:
        return Jet(tuple(-a for a in self.c))

    def __add__(self, other: Any) -> Jet:
        return Jet(tuple(a + b for a, b in zip(self.c, self._other(other).c, strict=True)))

    def __sub__(self, other: Any) -> Jet:
        return self + -self._other(other)

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(tuple(a * other for a in self.c))
        return Jet(tuple(_sum(self.c[i] * other.c[k - i] for i in range(k + 1)) for k in range(len(self.c))))

    def __truediv__(self, other: Any) -> Jet:
        below = self._other(other).c
        found: list[Any] = []
        for k in range(len(self.c)):
            rest = _sum([self.c[k], *(-(below[i] * found[k - i]) for i in range(1, k + 1))])
            found.append(rest / below[0])
        return Jet(tuple(found))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __rtruediv__(self, other: Any) -> Jet:
        return self._like(other) / self

    def slope(self) -> tuple[Any, ...]:
        """``k c[k]``, the coefficients of ``h f'``."""
        return tuple(a * k for k, a in enumerate(self.c))

    def compose(self, outer: tuple[Any, ...]) -> Jet:
        """``sum_k outer[k] (self - self(0))^k``, ``outer[k]`` the derivatives over ``k!`` at ``self(0)``."""
        size = len(self.c)
        rows: list[list[Any]] = [[outer[0]], *([] for _ in range(1, size))]
        step = {k: self.c[k] for k in range(1, size) if not self.c[k].is_zero}
        power = dict(step)
        for j in range(1, size):  # power: (self - self(0))^j, without the terms that vanish
            for k, value in power.items():
                rows[k].append(outer[j] * value)
            terms = {k: [power[i] * step[k - i] for i in power if k - i in step] for k in range(j + 1, size)}
            power = {k: _sum(row) for k, row in terms.items() if row}
        zero = type(self.c[0]).of(0)
        return Jet(tuple(_sum(row) if row else zero for row in rows))

    def power(self, count: int) -> Jet:
        """``self^count``; every power of the value itself is taken in one go, since it is tight."""
        if count < 0:
            return self._like(1) / self.power(-count)
        value, binomial, outer = self.c[0], 1, []
        for k in range(len(self.c)):
            outer.append(value.power(count - k) * binomial if k <= count else value * 0)
            binomial = binomial * (count - k) // (k + 1)
        return self.compose(tuple(outer))

    def exp(self) -> Jet:
        return self._grown(self.c[0].exp())

    def _grown(self, value: Any) -> Jet:
        found, slope = [value], self.slope()
        for k in range(1, len(self.c)):
            found.append(_sum(slope[i] * found[k - i] for i in range(1, k + 1)) / k)
        return Jet(tuple(found))

    def _integrated(self, value: Any, derivative: Jet) -> Jet:
        """The function with this value whose derivative in ``h`` is ``self' * derivative``."""
        slope = self.slope()
        rows = [
            _sum(slope[i] * derivative.c[k - i] for i in range(1, k + 1)) / k for k in range(1, len(self.c))
        ]
        return Jet((value, *rows))

    def log(self) -> Jet:
        return self._integrated(self.c[0].log(), self._like(1) / self)

    def sqrt(self) -> Jet:
        root = [self.c[0].sqrt()]
        for k in range(1, len(self.c)):
            rest = _sum([self.c[k], *(-(root[i] * root[k - i]) for i in range(1, k))])
            root.append(rest / (root[0] * 2))
        return Jet(tuple(root))

    def asin(self) -> Jet:
        value = self.c[0].asin()
        return Jet((value,)) if self.order == 0 else self._integrated(value, self._arc())

    def acos(self) -> Jet:
        value = self.c[0].acos()
        return Jet((value,)) if self.order == 0 else self._integrated(value, -self._arc())

    def _arc(self) -> Jet:
        return self._like(1) / ((self._like(1) - self) * (self._like(1) + self)).sqrt()

    def sin(self) -> Jet:
        return self.compose(_turning(self.c[0], self.order, 0))

    def cos(self) -> Jet:
        return self.compose(_turning(self.c[0], self.order, 1))

    def __abs__(self) -> Jet:
        value = self.c[0]
        if not isinstance(value, Interval):
            if self.order:
                raise NotFormal  # at a zero there is no derivative, and zeros are not always seen
            return Jet((abs(value),))
        if value.low > 0 or value.high < 0:
            return self if value.low > 0 else -self
        # at a zero the two slopes differ; the second derivative is no function there
        one_sided = not value.is_zero and (value.low == 0 or value.high == 0)
        signs = Interval.of(1 if value.low == 0 else -1) if one_sided else Interval(arb(-1), arb(1))
        return Jet((abs(value), *(c * signs for c in self.c[1:2]), *([UNKNOWN] * (self.order - 1))))


def _turning(value: Any, order: int, phase: int) -> tuple[Any, ...]:
    sine, cosine = value.sin(), value.cos()
    cycle = [sine, cosine, -sine, -cosine]
    found, factorial = [], 1
    for k in range(order + 1):
        factorial *= max(k, 1)
        found.append(cycle[(k + phase) % 4] / factorial)
    return tuple(found)


def _sum(values: Any) -> Any:
    first, *rest = values
    for value in rest:
        first = first + value
    return first
