"""Entries of kernels in float64, their errors proved and measured by the diagonal.

A kernel ``T`` is positive semidefinite, so ``|t_ij| <= sqrt(t_ii t_jj)``. An error relative to the right side
needs one number where an error of each entry needs an array, and the rules are short: with ``s_ij`` for
``sqrt(t_ii t_jj)``, sums have ``s_ij(T) + s_ij(U) <= s_ij(T + U)`` (Cauchy, Schwarz), products entry by entry
``s_ij(T) s_ij(U) = s_ij(T o U)`` (Schur). What the diagonal is, the first pass over the inputs knows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic_ntk.positivity.rounded import TINY, UNIT, Array, Rounded

Relative = float | Array
"""One number, or one for each entry."""
_PAY = 1 + 2.0**-48
"""Pays for up to 16 roundings of positive terms."""


@dataclass(frozen=True)
class Entries:
    """Some ``t_ij`` of a semidefinite ``T``, or of a factor of one; ``s_ij >= |t_ij|`` as above.

    ``|value - t| <= error s + lost`` and ``s <= top``, everywhere. ``lost`` is what underflow takes.
    """

    value: Array
    error: Relative
    top: float
    lost: float = 0.0

    @classmethod
    def of(cls, numbers: Rounded) -> Entries:
        """Non-negative numbers, each with itself for ``s``: constants, roots of variances."""
        least = numbers.value - numbers.error
        top = float(np.max(numbers.value + numbers.error, initial=0.0)) * _PAY
        if not np.any(numbers.error):
            return cls(numbers.value, 0.0, top)
        sure = least > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(sure, numbers.error / least, 0.0)
        lost = float(np.max(np.where(sure, 0.0, numbers.error), initial=0.0))
        return cls(numbers.value, float(np.max(part, initial=0.0)) * _PAY, top, lost)

    def __getitem__(self, index: Any) -> Entries:
        """Some of the values, under the same bounds."""
        return Entries(self.value[index], self.error, self.top, self.lost)

    def __add__(self, other: Entries | Rounded) -> Entries:
        if isinstance(other, Rounded):
            if other.is_zero:
                return self
            other = Entries.of(other)
        if not isinstance(other, Entries):
            return NotImplemented
        value = self.value + other.value
        error = _larger(self.error, other.error) * ((1 + UNIT) * _PAY) + UNIT * _PAY
        return Entries(
            value, error, (self.top + other.top) * _PAY, (self.lost + other.lost) * (1 + 4 * UNIT) + TINY
        )

    def __mul__(self, other: Entries | Rounded) -> Entries:
        if isinstance(other, Rounded):
            if other.is_zero:
                return Entries(np.zeros_like(self.value), 0.0, 0.0)
            if other.is_one:
                return self
            other = Entries.of(other)
        if not isinstance(other, Entries):
            return NotImplemented
        value = self.value * other.value
        # one + two (1 + one) + u (1 + one) (1 + two), by its largest where that is simpler
        grown, other_grown = _grown(self.error), _grown(other.error)
        rounding = UNIT * grown * other_grown * _PAY
        error = other.error * (grown * _PAY) + (self.error * _PAY + rounding)
        # the error of either factor may fall on what the other lost
        lost = self.lost * other.top * other_grown + other.lost * self.top * grown
        lost = (lost + self.lost * other.lost) * _PAY + 4 * TINY
        return Entries(value, error, self.top * other.top * _PAY, lost)

    __radd__ = __add__
    __rmul__ = __mul__

    def without_values(self) -> Entries:
        """The bounds alone."""
        return Entries(np.zeros(()), self.error, self.top, self.lost)

    def with_values(self, value: Array) -> Entries:
        """The same bounds for values found in another way, rounding by rounding the same."""
        return Entries(value, self.error, self.top, self.lost)

    def absolute(self, one: Array, two: Array) -> Array:
        """Errors as such, ``s_ij`` being at most the product of two lengths."""
        bound = one * two
        error, lost = np.asarray(self.error) * _PAY, self.lost * _PAY + 4 * TINY
        least = float(np.min(one)) * float(np.min(two))
        if least > 0 and lost / least <= 2.0**-80:  # no pass over all entries for next to nothing
            bound *= (error + lost / least) * _PAY
        else:
            bound *= error
            bound += lost
        return bound


def _grown(error: Relative) -> float:
    """No value exceeds its ``s`` by more than this factor (but for what is lost)."""
    return (1 + (error if isinstance(error, float) else float(np.max(error)))) * _PAY


def _larger(one: Relative, two: Relative) -> Relative:
    if isinstance(one, float) and isinstance(two, float):
        return one if one >= two or math.isnan(one) else two
    return np.maximum(one, two)


def plain(error: Relative) -> Relative:
    """A single number as a Python float: arithmetic with those is quick."""
    return float(error) if np.ndim(error) == 0 else error
