"""How far two answers are apart, over what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.laws.doors import Doors, Duals, Points
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.network import KernelValues, Network
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

Array = NDArray[np.float64]
FLOAT_ERROR = 1e-13
"""What :meth:`Network.gram` promises, for each layer, relative to ``sqrt(K(x,x) K(y,y))``, before
the condition number of the recursion."""
_STEP = 2.0**-20


# ------------------------------------------------------------------------------------ enclosures


def overlap_margin(one: Enclosure, other: Enclosure) -> float:
    """At most 1 exactly when the two can enclose the same number."""
    return over(abs(one.midpoint - other.midpoint), one.radius + other.radius)


def above_margin(lower: Enclosure, upper: Enclosure) -> float:
    """At most 1 exactly when ``lower <= upper`` is possible."""
    return over(max(Fraction(0), lower.midpoint - upper.midpoint), lower.radius + upper.radius)


def over(distance: Fraction, allowed: Fraction) -> float:
    """``distance / allowed``; 0 where the distance is, infinity where only the other one is."""
    if distance == 0:
        return 0.0
    if allowed == 0:
        return math.inf
    ratio = distance / allowed
    return math.inf if ratio > 10**300 else float(ratio)


def combination(terms: Iterable[tuple[Fraction | int, Enclosure]]) -> Enclosure:
    """``sum c e``, exactly."""
    chosen = list(terms)
    return Enclosure(
        sum((c * e.midpoint for c, e in chosen), Fraction(0)),
        sum((abs(Fraction(c)) * e.radius for c, e in chosen), Fraction(0)),
    )


def product(one: Enclosure, other: Enclosure) -> Enclosure:
    ends: list[Fraction] = [a * b for a in (one.lower, one.upper) for b in (other.lower, other.upper)]
    return Enclosure((min(ends) + max(ends)) / 2, (max(ends) - min(ends)) / 2)


def size(value: Enclosure) -> Fraction:
    """The largest absolute value in it."""
    return max(abs(value.lower), abs(value.upper))


def scaled(value: Enclosure, by: Fraction) -> Enclosure:
    return Enclosure(value.midpoint * by, value.radius * abs(by))


def root_above(value: Fraction) -> Fraction:
    """A rational upper bound of the square root of a number ``>= 0``, at most ``2^-50`` relative above it."""
    if value <= 0:
        return Fraction(0)
    shift = 2 * max(0, 64 - (value.numerator.bit_length() - value.denominator.bit_length()) // 2)
    scaled_up = (value.numerator << shift) // value.denominator + 1
    return Fraction(math.isqrt(scaled_up) + 1, 1 << (shift // 2))


# ------------------------------------------------------------------------------------ float64


def squared_norms(X: Points) -> Array:
    rows = np.array(X)
    return np.asarray(np.sum(rows * rows, axis=1) / rows.shape[1])


def rounding(network: Network, X: Points) -> tuple[Array, Array]:
    """What float64 may be off by: bounds for the entries of the NNGP and the NTK matrix.

    The promise of :meth:`Network.gram`: ``1e-13`` for each layer times the condition number of the
    recursion. That is here the largest of: 1; the relative change of either kernel's diagonal under a
    relative change of the norm (by differences); ``Theta(x,x) / Sigma(x,x)``, which bounds the
    sensitivity to the angle, since every product of slopes from some layer on is a term of the tangent
    kernel.
    """
    q = np.unique(squared_norms(X))
    nngp, ntk = _diagonal(network, q)
    condition = 1.0
    try:
        moved = _diagonal(network, q * (1 + _STEP))
    except AnalyticNTKError:  # at the very limit of float64
        moved = (nngp, ntk)
    for here, there in zip((nngp, ntk), moved, strict=True):
        changes = np.abs(there - here)[here > 0] / here[here > 0] / _STEP
        condition = max(condition, float(np.max(changes, initial=0.0)))
    condition = max(condition, float(np.max(ntk[nngp > 0] / nngp[nngp > 0], initial=0.0)))
    unit = FLOAT_ERROR * _count(network) * condition
    index = np.searchsorted(q, squared_norms(X))
    roots = [np.sqrt(np.maximum(k, 0.0))[index] for k in (nngp, ntk)]
    first, second = (unit * np.outer(r, r) for r in roots)
    return first, second


def _diagonal(network: Network, q: Array) -> tuple[Array, Array]:
    zero = np.zeros_like(q)
    result = network.push(Pair(q, q, q, zero, zero), Float64())
    return np.asarray(result.q12) + zero, np.asarray(result.ntk) + zero


def _count(network: Network) -> int:
    return len(network.layers) + 2 * len(activations_of(network.layers))


def matrix_margin(difference: Array, allowed: Array) -> float:
    """The largest ``|difference| / allowed``; an entry that must be 0 and is not gives infinity."""
    distance = np.abs(difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(distance == 0, 0.0, distance / allowed)
    return float(np.max(ratios, initial=0.0))


# ------------------------------------------------------------------------------------ faults


def faulty_gram(change: Callable[[Network, Points, Points, Array, Array], tuple[Array, Array]]) -> Doors_:
    """A fault behind ``gram``; ``change`` sees the points of rows and columns and both matrices."""

    def plant(doors: Doors) -> Doors:
        def gram(network: Network, X: Points, Y: Points | None) -> tuple[Array, Array]:
            nngp, ntk = doors.gram(network, X, Y)
            return change(network, X, X if Y is None else Y, nngp.copy(), ntk.copy())

        return replace(doors, gram=gram)

    return plant


Doors_ = Callable[[Doors], Doors]


def faulty_at(nngp: bool, ntk: bool, when: Callable[[Fraction, Fraction, Fraction], bool]) -> Plant:
    """Certified kernels too large by the size, where ``when(xx, xy, yy)``."""

    def plant(doors: Doors, fault: Fraction) -> Doors:
        def at(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
            found = doors.at(network, xx, xy, yy, digits)
            if not when(xx, xy, yy):
                return found
            one, two = (
                scaled(value, 1 + fault) if hit else value
                for value, hit in ((found.nngp, nngp), (found.ntk, ntk))
            )
            return KernelValues(one, two)

        return replace(doors, at=at)

    return plant


Plant = Callable[[Doors, Fraction], Doors]


def faulty_duals(dual: bool, derivative: bool, when: Callable[[Fraction, Fraction, Fraction], bool]) -> Plant:
    """Certified duals too large by the size, where ``when(xx, xy, yy)``."""

    def plant(doors: Doors, fault: Fraction) -> Doors:
        def duals(phi: Activation, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> Duals:
            found = doors.duals(phi, xx, xy, yy, digits)
            if not when(xx, xy, yy):
                return found
            one, two = (
                scaled(value, 1 + fault) if hit else value
                for value, hit in ((found.dual, dual), (found.derivative, derivative))
            )
            return Duals(one, two)

        return replace(doors, duals=duals)

    return plant
