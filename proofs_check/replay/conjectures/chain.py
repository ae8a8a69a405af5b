"""The recursion: layers of duals composed, with all derivatives in ``rho``, and the powers that are
missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from flint import arb

from proofs_check.replay.conjectures.duals import Dual, derivative_over
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.jets import Jet
from proofs_check.replay.expression import Refusal

WIDEST = 60
"""Beyond this degree a polynomial half of an activation counts as without a last power."""


@dataclass(frozen=True)
class Layer:
    """A nonlinearity at its variance ``q``; ``slope``: the dual of its derivative where that is not
    ``V'/q``."""

    dual: Dual
    q: arb
    slope: Dual | None = None

    def slope_over(self, order: int, r: Interval) -> Interval:
        if self.slope is not None:
            return derivative_over(self.slope, order, r)
        return derivative_over(self.dual, order + 1, r) / self.q

    def slope_support(self, size: int) -> tuple[bool, ...]:
        if self.slope is not None:
            return self.slope.support(size)
        return self.dual.support(size + 1)[1:]


@dataclass(frozen=True)
class Chain:
    """Dense layers and nonlinearities in turn, for inputs with ``<x, x>/d = 1``."""

    layers: tuple[Layer, ...]
    weights: tuple[Fraction, ...]
    biases: tuple[Fraction, ...]
    """One more than layers."""

    def first(self, depth: int) -> Chain:
        """The network of so many hidden layers that this one begins with."""
        if depth > len(self.layers):
            raise Refusal(f"a kernel of {depth} hidden layers in a network of {len(self.layers)}")
        return Chain(self.layers[:depth], self.weights[: depth + 1], self.biases[: depth + 1])

    def kernels(self, rho: Interval, order: int) -> tuple[Jet, Jet]:
        """The NNGP ``S`` and ``T - S`` (``T`` the NTK) over an interval, derivatives over factorials."""
        zeros = [Interval.of(0)] * order
        line = Jet((rho, Interval.of(1), *zeros)[: order + 1])
        kernel = line * Interval.of(self.weights[0]) + Interval.of(self.biases[0])
        tangent, extra = kernel, kernel * Interval.of(0)
        for layer, w, b in zip(self.layers, self.weights[1:], self.biases[1:], strict=True):
            weight, unit = Interval.of(w), Interval.of(layer.q)
            ratio = kernel * (Interval.of(1) / unit)
            inside = ratio.c[0].meet(Interval(arb(-1), arb(1)))
            powers = [factorial(k) for k in range(order + 1)]
            duals = tuple(derivative_over(layer.dual, k, inside) / f for k, f in enumerate(powers))
            slopes = tuple(layer.slope_over(k, inside) / f for k, f in enumerate(powers))
            kernel = ratio.compose(duals) * weight + Interval.of(b)
            extra = ratio.compose(slopes) * tangent * weight
            tangent = kernel + extra
        return kernel, extra

    def supports(self, size: int) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """Which powers of ``rho`` below ``size`` may occur in ``S`` and in ``T - S``."""
        kernel = _joined((False, True), (self.biases[0] != 0,), size)
        tangent, extra = kernel, (False,) * size
        for layer, b in zip(self.layers, self.biases[1:], strict=True):
            slopes = _composed(layer.slope_support(size + 2), kernel)
            kernel = _joined(_composed(layer.dual.support(size + 2), kernel), (b != 0,), size)
            extra = _product(slopes, tangent)
            tangent = _joined(kernel, extra, size)
        return kernel, extra

    def degrees(self, extra: bool) -> Degrees:
        """The last even and odd powers of ``rho`` in ``S``, or in ``T - S``; see :data:`Degrees`."""
        kernel: Degrees = (0 if self.biases[0] else -1, 1)
        tangent, more = kernel, (NONE, NONE)
        for layer, b in zip(self.layers, self.biases[1:], strict=True):
            even, odd = (math.inf if d is None else d for d in layer.dual.degrees)
            if layer.slope is None:
                slopes: Degrees = (odd - 1, even - 1 if even > 0 else NONE)
            else:
                even_slope, odd_slope = (math.inf if d is None else d for d in layer.slope.degrees)
                slopes = (even_slope, odd_slope)
            more = _degrees_product(_degrees_composed(slopes, kernel), tangent)
            kernel = _degrees_composed((even, odd), kernel)
            kernel = (max(kernel[0], 0 if b else NONE), kernel[1])
            tangent = (max(kernel[0], more[0]), max(kernel[1], more[1]))
        return more if extra else kernel


NONE = -1.0
Degrees = tuple[float, float]
"""No even power beyond the first, no odd one beyond the second; -1: none at all, ``inf``: no last is
known."""


def _degrees_product(one: Degrees, two: Degrees) -> Degrees:
    def top(a: float, b: float) -> float:
        return NONE if a < 0 or b < 0 else a + b

    even = max(top(one[0], two[0]), top(one[1], two[1]))
    return even, max(top(one[0], two[1]), top(one[1], two[0]))


def _degrees_composed(outer: Degrees, inner: Degrees) -> Degrees:
    """Of ``sum_n c_n inner^n``, the ``c_n`` with these degrees. Three powers of a parity show every class of
    the result that there is; where there is no last one, a class that grows has no last power."""
    found, power = [NONE, NONE], (0.0, NONE)
    last = max([d for d in outer if d < math.inf], default=0)
    for n in range(int(min(last, WIDEST)) + 6):
        if n <= outer[n % 2]:
            unbounded = outer[n % 2] == math.inf or outer[n % 2] > WIDEST
            for k in (0, 1):
                found[k] = max(found[k], math.inf if unbounded and power[k] > 0 else power[k])
        power = _degrees_product(power, inner)
    return found[0], found[1]


Support = tuple[bool, ...]


def _joined(one: Support, two: Support, size: int) -> Support:
    return tuple(any(s[k] for s in (one, two) if k < len(s)) for k in range(size))


def _product(one: Support, two: Support) -> Support:
    return _read(_times(_bits(one), _bits(two), len(two)), len(two))


def _composed(outer: Support, inner: Support) -> Support:
    """The powers in ``sum_n c_n inner^n``. With a constant term in ``inner`` the powers of ``inner`` only
    gain places from one to the next but one, and have all they ever get after as many steps as there are
    places."""
    size = len(inner)
    step, power, found = _bits(inner), 1, 0
    for may in outer:
        found |= power if may else 0
        power = _times(step, power, size)
    return _read(found, size)


def _bits(support: Support) -> int:
    """Place ``k`` as bit ``k``."""
    return sum(1 << k for k, may in enumerate(support) if may)


def _read(bits: int, size: int) -> Support:
    return tuple(bool(bits >> k & 1) for k in range(size))


def _times(one: int, two: int, size: int) -> int:
    found, place = 0, 0
    while one:
        if one & 1:
            found |= two << place
        one, place = one >> 1, place + 1
    return found & ((1 << size) - 1)


def parity(support: Sequence[bool]) -> str | None:
    """``"even"``, ``"odd"`` or ``None``, as far as the support goes."""
    odd = any(support[1::2])
    return "even" if not odd else "odd" if not any(support[::2]) else None
