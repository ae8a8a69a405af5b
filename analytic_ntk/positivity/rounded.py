"""Float64 numbers that carry a proved bound of their error, as arrays.

IEEE 754 with rounding to nearest: ``fl(a o b) = (a o b)(1 + t)``, ``|t| <= u = 2^-53``, for ``+ - * /`` and
the root; products and quotients may underflow by ``2^-1074``. A bound is computed in float64 itself: the few
roundings in it are paid for by a factor ``1 + 2^-48`` (Higham 2002, sections 2 and 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError, PrecisionError

Array = NDArray[np.float64]
UNIT = 2.0**-53
TINY = 2.0**-1074
_UNDERFLOWS = 2.0**-960
_PAY = 1 + 2.0**-48
"""Pays for up to 16 roundings of positive terms."""


def gamma(count: int) -> float:
    """``count u / (1 - count u)``, rounded up: the error of ``count`` roundings in a row."""
    return count * UNIT / (1 - count * UNIT) * (1 + 8 * UNIT)


@dataclass(frozen=True)
class Rounded:
    """The true numbers lie within ``error`` of ``value``, entry by entry; shapes broadcast.

    >>> third = Rounded.of_ball(arb(1) / 3)
    >>> bool((third + third + third - Rounded.exact(1.0)).error < 1e-15)
    True
    """

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: float | Array) -> Rounded:
        """Floats taken as the binary numbers they are."""
        return cls(np.asarray(value, dtype=np.float64), np.zeros(()))

    @classmethod
    def of_ball(cls, ball: arb) -> Rounded:
        """The nearest float and how far the ball reaches from it."""
        if not ball.is_finite():
            raise PrecisionError("a ball without bounds", "a finite enclosure")
        nearest = float(ball.mid())
        if not np.isfinite(nearest):
            raise _overflow()
        return cls(np.asarray(nearest), np.asarray(above((ball - arb(nearest)).abs_upper())))

    @property
    def is_zero(self) -> bool:
        """Whether it is the number 0, a single one and exactly."""
        return self.value.ndim == 0 and self.error.ndim == 0 and self.value == 0 and self.error == 0

    @property
    def is_one(self) -> bool:
        """Whether it is the number 1, a single one and exactly."""
        return self.value.ndim == 0 and self.error.ndim == 0 and self.value == 1 and self.error == 0

    def __getitem__(self, index: Any) -> Rounded:
        """Some of the entries; a common error stays common."""
        return Rounded(self.value[index], self.error if self.error.ndim == 0 else self.error[index])

    def __neg__(self) -> Rounded:
        return Rounded(-self.value, self.error)

    def __add__(self, other: Rounded) -> Rounded:
        if not isinstance(other, Rounded):
            return NotImplemented  # entries of a kernel know what to do
        if self.is_zero or other.is_zero:
            return other if self.is_zero else self
        value = self.value + other.value
        error = _added(np.abs(value) * UNIT, self.error + other.error)
        error *= _PAY
        return Rounded(value, error)

    def __sub__(self, other: Rounded) -> Rounded:
        return self + -other

    def __mul__(self, other: Rounded) -> Rounded:
        if not isinstance(other, Rounded):
            return NotImplemented
        if self.is_zero or other.is_zero:
            return Rounded.exact(0.0)
        for one, two in ((self, other), (other, self)):
            if one.is_one:
                return two
        value = self.value * other.value
        error = np.abs(value) * UNIT
        if self.error.ndim or self.error:
            size = np.abs(other.value)
            error = _added(error, _added(size, other.error) * self.error)
        if other.error.ndim or other.error:
            error = _added(error, np.abs(self.value) * other.error)
        return Rounded(value, paid(value, error, self, other))

    def __truediv__(self, other: Rounded) -> Rounded:
        """Raises :class:`PrecisionError` where the divisor may be 0."""
        least = np.abs(other.value) - other.error
        if not np.all(least > 0):
            raise PrecisionError("a divisor that may be 0", "numbers certainly not 0")
        value = self.value / other.value
        size = np.abs(value)
        error = (self.error + (size + TINY) * other.error) / least + UNIT * size
        return Rounded(value, paid(value, error, self))

    def sqrt(self) -> Rounded:
        """The root of numbers known to be non-negative: what lies below 0 is error, and moved to 0."""
        square = np.maximum(self.value, 0.0)
        value = np.sqrt(square)
        if not np.any(self.error):
            return Rounded(value, UNIT * value * _PAY)
        with np.errstate(divide="ignore", invalid="ignore"):
            close = self.error / value  # |sqrt s - sqrt t| <= |s - t| / sqrt t, and <= sqrt |s - t|
        far = np.sqrt(self.error)
        error = np.where(value > 0, np.minimum(close, far), far)
        return Rounded(value, (error + UNIT * value) * _PAY)

    def require_finite(self) -> Rounded:
        """Itself; :class:`DomainError` for an overflow."""
        if not (np.isfinite(self.value).all() and np.isfinite(self.error).all()):
            raise _overflow()
        return self


def _added(total: Array, part: Array) -> Array:
    """Their sum, in place of ``total`` where it has the shape."""
    if part.shape in ((), total.shape):
        total += part
        return total
    return total + part


def paid(value: Array, error: Array, *factors: Rounded) -> Array:
    """The error of a product or quotient with its own roundings, in place; what underflow adds, but not to 0
    times something."""
    error *= _PAY
    size = np.abs(value)
    if np.min(size, initial=math.inf) < _UNDERFLOWS:
        small = size < _UNDERFLOWS
        for factor in factors:
            small = small & ((factor.value != 0) | (factor.error != 0))
        error = _added(error, np.where(small, 4 * TINY, 0.0))
    return error


def above(bound: arb) -> float:
    """A float not below an exact bound; 0 only for 0."""
    nearest = float(bound)
    return 0.0 if bound == 0 else float(np.nextafter(nearest, np.inf))


def _overflow() -> DomainError:
    return DomainError(
        "a kernel value too large for float64",
        "finite kernels",
        'rescale the inputs or the variances, or use method="balls"',
    )
