"""Which coefficients of a kernel's power series are exactly zero, by parity and degree, layer by layer.

The even Hermite coefficients of ``phi`` are those of its even part ``(phi(x) + phi(-x))/2``, the odd ones
those of its odd part. A part that is a polynomial of degree ``m`` has none beyond ``m``, at every variance:
ReLU, GELU, SiLU and softplus are ``x/2`` plus an even function, a step or a sigmoid ``1/2`` plus an odd one.
Sums, products and compositions of series carry this knowledge through any network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.gaussian.halves import halves
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.pair import Expectations, Pair

_FEW = 32
"""Powers looked at one by one in a composition; beyond them a degree counts as unbounded."""


@dataclass(frozen=True)
class Support:
    """A power series without even powers beyond ``even`` and without odd ones beyond ``odd``.

    -1: none of that kind at all; ``inf``: nothing is known to vanish.

    >>> line, relu = Support(odd=1), Support(even=math.inf, odd=1)
    >>> relu.compose(line), relu.compose(line).has(4), relu.compose(line).has(5)
    (Support(even=inf, odd=1), True, False)
    """

    even: float = -1
    odd: float = -1

    def __add__(self, other: Support) -> Support:
        return Support(max(self.even, other.even), max(self.odd, other.odd))

    def __mul__(self, other: Support) -> Support:
        def top(one: float, two: float) -> float:
            return -1 if one < 0 or two < 0 else one + two

        return Support(
            max(top(self.even, other.even), top(self.odd, other.odd)),
            max(top(self.even, other.odd), top(self.odd, other.even)),
        )

    def compose(self, inner: Support) -> Support:
        """``sum_k c_k inner^k`` for any coefficients with this support."""
        total, powers = Support(), [ONE]
        for _ in range(_FEW):
            powers.append(powers[-1] * inner)
        for first, top in enumerate((self.even, self.odd)):
            part = sum(powers[first : int(min(top, _FEW)) + 1 : 2], Support())
            total += part if top <= _FEW else part._unbounded()
        return total

    def _unbounded(self) -> Support:
        return Support(*(math.inf if top > 0 else top for top in (self.even, self.odd)))

    def has(self, n: int) -> bool:
        """Whether the coefficient of ``rho^n`` may differ from 0."""
        return n <= (self.odd if n % 2 else self.even)

    @property
    def is_constant(self) -> bool:
        """Whether all but the constant term vanishes."""
        return self.even <= 0 and self.odd < 0

    @property
    def parity(self) -> str | None:
        """``"even"`` (the zero series too), ``"odd"`` or ``None``."""
        return "even" if self.odd < 0 else "odd" if self.even < 0 else None


ONE = Support(even=0)


@dataclass(frozen=True)
class Supports:
    """The number system of supports: what a layer does to the zeros of the two kernels."""

    def number(self, value: sp.Expr) -> Support:
        return Support() if value.is_zero else ONE

    def inverse_sqrt(self, value: Support) -> Support:
        return ONE

    def gap_after_affine(self, pair: Pair, scale: Support, shift: Support, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        value, slope = support_of(activation.pieces), support_of(activation.derivative)
        return Expectations(ONE, ONE, value.compose(pair.q12), slope.compose(pair.q12))


@lru_cache(maxsize=512)
def support_of(pieces: Pieces) -> Support:
    """Of the Hermite coefficients of a function, at every variance.

    >>> from analytic_ntk.notation import x
    >>> support_of(Pieces.of(sp.Max(x, 0))), support_of(Pieces.of(sp.tanh(x)))
    (Support(even=inf, odd=1), Support(even=-1, odd=inf))
    """
    degrees = (half.degree for half in halves(pieces))
    return Support(*(math.inf if degree is None else degree for degree in degrees))
