"""Float64 arrays that carry their derivatives: the recursion run once gives kernels and gradients.

A number is a value with its derivatives in a few parameters; the parameters are symbols that the variances
of the layers may be. Derivatives follow the chain rule (nothing is differenced) and are those in ``log`` of
each parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.floating.gradient import FloatGradients, Known, PairGradients
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.systems.float64 import Float64, float_expectations

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tangent:
    """``value`` and its derivatives ``slopes``, ``(parameters, *value.shape)``."""

    value: Array
    slopes: Array

    def __add__(self, other: Tangent) -> Tangent:
        return Tangent(self.value + other.value, self.slopes + other.slopes)

    def __sub__(self, other: Tangent) -> Tangent:
        return Tangent(self.value - other.value, self.slopes - other.slopes)

    def __mul__(self, other: Tangent) -> Tangent:
        return Tangent(self.value * other.value, self.slopes * other.value + self.value * other.slopes)

    def times(self, number: float | Array) -> Tangent:
        """The product with what depends on no parameter."""
        return Tangent(self.value * number, self.slopes * number)

    def over(self, other: Tangent) -> Tangent:
        """The quotient; 0 where the divisor is not positive."""
        good = other.value > 0
        safe = np.where(good, other.value, 1.0)
        value = np.where(good, self.value / safe, 0.0)
        return Tangent(value, np.where(good, (self.slopes - value * other.slopes) / safe, 0.0))

    def root(self) -> Tangent:
        """The square root, with derivatives 0 at 0."""
        value = np.sqrt(self.value)
        safe = np.where(value > 0, value, 1.0)
        return Tangent(value, np.where(value > 0, self.slopes / (2 * safe), 0.0))

    def size(self) -> Tangent:
        """The absolute value; 0 counts as positive."""
        return self.times(_sign(self.value))


@lru_cache(maxsize=256)
def float_gradients(activation: Activation) -> FloatGradients:
    """The derivatives of the expectations of an activation (tables are built once)."""
    return FloatGradients(float_expectations(activation), activation.pieces, activation.derivative)


@dataclass(frozen=True)
class Tangents:
    """Arrays of pairs with derivatives in ``log`` of the parameters, in the order of ``names``.

    ``values`` gives the number of every symbol that occurs; those in ``names`` are differentiated and must be
    positive. Values are those of :class:`~analytic_ntk.systems.float64.Float64`, bit for bit.
    """

    values: Mapping[str, float]
    names: tuple[str, ...]

    def constant(self, value: Array) -> Tangent:
        """What depends on no parameter."""
        return Tangent(value, np.zeros((len(self.names), *np.shape(value))))

    def number(self, value: sp.Expr) -> Tangent:
        if not value.free_symbols:
            return self.constant(np.array([Float64().number(value)]))
        if not isinstance(value, sp.Symbol) or value.name not in self.values:
            raise DomainError(f"the variance {value}", f"a number or one of {', '.join(self.values)}")
        number = float(self.values[value.name])
        slopes = np.array([[number if name == value.name else 0.0] for name in self.names])
        return Tangent(np.array([number]), slopes.reshape(len(self.names), 1))

    def inverse_sqrt(self, value: Tangent) -> Tangent:
        inverse = Float64().inverse_sqrt(value.value)
        return Tangent(inverse, -0.5 * inverse / value.value * value.slopes)

    def gap_after_affine(self, pair: Pair, scale: Tangent, shift: Tangent, shift_is_zero: bool) -> Tangent:
        if shift_is_zero:
            return scale * pair.gap
        det = pair.gap * (pair.gap + pair.q12.size().times(2.0))
        det = scale * (scale * det + shift * _distance(pair))
        return _gap_from(det, scale * pair.q11 + shift, scale * pair.q22 + shift, scale * pair.q12 + shift)

    def gap_after_sum(self, pair: Pair, other: Pair) -> Tangent:
        one, two = pair.q12.size(), other.q12.size()
        det = pair.gap * (pair.gap + one.times(2.0)) + other.gap * (other.gap + two.times(2.0))
        norms = (pair.q11 * other.q22).root() - (pair.q22 * other.q11).root()
        opposite = (one * two).times(np.where(pair.q12.value * other.q12.value < 0, 2.0, 0.0))
        mixed = norms * norms + (opposite + pair.gap * (two + other.gap) + other.gap * one).times(2.0)
        return _gap_from(det + mixed, pair.q11 + other.q11, pair.q22 + other.q22, pair.q12 + other.q12)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q11, q22, q12, gap = _alike(pair)
        plain = Pair(q11.value, q22.value, q12.value, None, gap.value)
        found = Float64().expectations(activation, plain)
        if not self.names:
            return Expectations(*(self.constant(v) for v in _fields(found)))
        gradients = float_gradients(activation)
        low, high = np.minimum(q11.value, q22.value), np.maximum(q11.value, q22.value)
        root = np.sqrt(low) * np.sqrt(high)
        flat = root == 0
        delta = np.where(flat, 1.0, np.minimum(gap.value / np.where(flat, 1.0, root), 1.0))
        sign = np.where(q12.value < 0, -1, 1)
        same = (low == high) & (flat | ((gap.value == 0) & (sign > 0)))
        moments_1, moments_2 = gradients.moments(q11.value), gradients.moments(q22.value)
        log_1, log_2 = _logarithm(q11), _logarithm(q22)
        angle = _angle(gap, delta, root, log_1, log_2)
        first = Tangent(found.q11, moments_1[0] * log_1)
        second = Tangent(found.q22, moments_2[0] * log_2)

        rest = np.nonzero(~same)[0]
        partials = _zeros(len(root))
        if len(rest):
            rms = np.sqrt(found.q11), np.sqrt(found.q22)
            known = Known(
                q11.value, q22.value, delta, sign, rms[0], rms[1], found.q12, found.derivative
            ).take(rest)
            some = gradients.pairs(known)
            partials.opening[:, rest], partials.slope[:, rest] = some.opening, some.slope
        moves = (log_1, log_2, angle)
        scale = (first * second).root()
        opening = sum(by * move for by, move in zip(partials.opening, moves, strict=True))
        ratio = np.where(scale.value > 0, found.gap / np.where(scale.value > 0, scale.value, 1.0), 0.0)
        gap_slopes = ratio * scale.slopes + scale.value * opening
        dual_slopes = np.where(found.q12 < 0, -1.0, 1.0) * (scale.slopes - gap_slopes)
        slope_slopes = sum(by * move for by, move in zip(partials.slope, moves, strict=True))
        dual_slopes = np.where(same, first.slopes, dual_slopes)
        slope_slopes = np.where(same, moments_1[1] * log_1, slope_slopes)
        gap_slopes = np.where(same, 0.0, gap_slopes)
        derivatives = (first.slopes, second.slopes, dual_slopes, slope_slopes, gap_slopes)
        if not all(np.all(np.isfinite(slopes)) for slopes in derivatives):
            raise DomainError(
                f"derivatives too large for float64 after {activation}",
                "finite derivatives",
                "rescale the inputs or the variances",
            )
        return Expectations(
            first, second, Tangent(found.q12, dual_slopes), Tangent(found.derivative, slope_slopes),
            Tangent(found.gap, gap_slopes),
        )  # fmt: skip


def _alike(pair: Pair) -> tuple[Tangent, Tangent, Tangent, Tangent]:
    """The four numbers of a pair with values of one shape."""
    numbers = (pair.q11, pair.q22, pair.q12, pair.gap)
    size = max(len(number.value) for number in numbers)
    q11, q22, q12, gap = (
        Tangent(
            np.broadcast_to(number.value, (size,)),
            np.broadcast_to(number.slopes, (len(number.slopes), size)),
        )
        for number in numbers
    )
    return q11, q22, q12, gap


def _fields(found: Expectations) -> tuple[Array, ...]:
    return found.q11, found.q22, found.q12, found.derivative, found.gap


def _zeros(count: int) -> PairGradients:
    return PairGradients(np.zeros((3, count)), np.zeros((3, count)))


def _sign(value: Array) -> Array:
    return np.where(value < 0, -1.0, 1.0)


def _logarithm(q: Tangent) -> Array:
    """``d log q``; a variance 0 does not move."""
    return np.where(q.value > 0, q.slopes / np.where(q.value > 0, q.value, 1.0), 0.0)


def _angle(gap: Tangent, delta: Array, root: Array, log_1: Array, log_2: Array) -> Array:
    """``da`` for ``|rho| = cos a``; proportional inputs stay so, or their angle is 0 by definition."""
    sine = np.sqrt(delta * (2 - delta))
    moves = (root > 0) & (delta > 0)
    divisor = np.where(moves, root * sine, 1.0)
    return np.where(moves, (gap.slopes - 0.5 * gap.value * (log_1 + log_2)) / divisor, 0.0)


def _distance(pair: Pair) -> Tangent:
    """``E (u - v)^2``."""
    norms = pair.q11.root() - pair.q22.root()
    near = norms * norms + pair.gap.times(2.0)
    far = pair.q11 + pair.q22 + pair.q12.size().times(2.0)
    positive = pair.q12.value >= 0
    return Tangent(np.where(positive, near.value, far.value), np.where(positive, near.slopes, far.slopes))


def _gap_from(det: Tangent, q11: Tangent, q22: Tangent, q12: Tangent) -> Tangent:
    return det.over((q11 * q22).root() + q12.size())
