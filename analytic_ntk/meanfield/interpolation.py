"""Moments of ``phi(u)^2``, ``u ~ N(0, q)``, for every ``q`` between two at which they are known.

With ``s = 1/(2 q)`` the density turns the moments into a Laplace transform and its derivatives,

    F(s) = int phi(u)^2 exp(-s u^2) du,        E u^(2j) phi(u)^2 = sqrt(s/pi) (-1)^j F^(j)(s),

so ``F`` is completely monotone: ``(-1)^k F^(k) >= 0`` for every ``k``, and so is each ``(-1)^j F^(j)``. Let
``P`` be the polynomial that shares the value and ``m - 1`` derivatives of such a function ``H`` at both ends
``s1 < s2``, and ``P'`` the one that shares a derivative less at ``s1``. The remainders

    H - P = H^(2m)/(2m)! (s - s1)^m (s - s2)^m,    H - P' = H^(2m-1)/(2m-1)! (s - s1)^(m-1) (s - s2)^m,

each derivative taken somewhere in between, have opposite signs: ``H`` lies between ``P`` and ``P'``, and no
derivative needs a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

from flint import arb

Moments = tuple[arb, arb, arb]
"""``E u^(2j) phi(u)^2`` for ``j = 0, 1, 2``."""


@dataclass(frozen=True)
class Monotone:
    """A completely monotone function, or minus one, between ``low < high``: ``P`` in Newton's form."""

    low: arb
    high: arb
    coefficients: tuple[arb, ...]

    @classmethod
    def of(cls, low: arb, high: arb, at_low: Sequence[arb], at_high: Sequence[arb]) -> Monotone:
        """From as many derivatives at either end, the value first.

        >>> at_one, at_two = ((value, -value, value) for value in ((-arb(1)).exp(), (-arb(2)).exp()))
        >>> value = Monotone.of(arb(1), arb(2), at_one, at_two).at(arb(1.5))
        >>> value.str(3), bool(value.contains((-arb(1.5)).exp()))
        ('[0.223 +/- 1.36e-4]', True)
        """
        order = len(at_low)
        column = [at_high[0]] * order + [at_low[0]] * order
        coefficients = [column[0]]
        for k in range(1, 2 * order):
            column = [
                at_high[k] / factorial(k)
                if i + k < order
                else at_low[k] / factorial(k)
                if i >= order
                else (column[i + 1] - column[i]) / (low - high)
                for i in range(2 * order - k)
            ]
            coefficients.append(column[0])
        return cls(low, high, tuple(coefficients))

    def at(self, s: arb) -> arb:
        """The value for ``low <= s <= high``. Only ``P`` has the last term; the truth, a part of it."""
        *known, last = self.coefficients
        total, product = arb(0), arb(1)
        for k, coefficient in enumerate(known):
            total += coefficient * product
            product *= s - (self.high if k < len(self.coefficients) // 2 else self.low)
        return total + last * product * arb(0.5, 0.5)


@dataclass(frozen=True)
class MomentsBetween:
    """The moments for ``low <= q <= high``."""

    transforms: tuple[Monotone, Monotone, Monotone]

    @classmethod
    def of(cls, low: arb, high: arb, at_low: Moments, at_high: Moments) -> MomentsBetween:
        """From the moments at the two ends, ``0 < low < high``."""
        ends = [(1 / (2 * q), moments) for q, moments in ((high, at_high), (low, at_low))]
        (near, first), (far, second) = (
            (s, [m * sign / (s / arb.pi()).sqrt() for m, sign in zip(moments, (1, -1, 1), strict=True)])
            for s, moments in ends
        )
        transforms = [Monotone.of(near, far, first[j:], second[j:]) for j in range(3)]
        return cls((transforms[0], transforms[1], transforms[2]))

    def at(self, q: arb) -> Moments:
        s = 1 / (2 * q)
        root = (s / arb.pi()).sqrt()
        zeroth, first, second = (transform.at(s) * root for transform in self.transforms)
        return zeroth, -first, second
