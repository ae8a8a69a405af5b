"""The integrands of Gaussian quadrature: ``x -> f(scale x)``, part by part, with its growth.

A variable ``u ~ N(0, q)`` is written ``sqrt(q) x`` with ``x`` standard normal, so every integrand is a
:class:`Scaled` function of a standard normal variable. All bounds are computed at ``BOUND_BITS`` bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.envelope import Envelope, envelope_of
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Ball: TypeAlias = arb | acb

BOUND_BITS = 53
"""Precision of the bounds: they need a correct magnitude, not digits."""

ANALYTIC = (
    sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf, sp.erfc,
    fn.Phi, fn.sigmoid, fn.softplus,
)  # fmt: skip
"""Functions whose complex balls are mapped analytically (or to a non-finite ball)."""


@lru_cache(maxsize=4096)
def analytic_function(part: sp.Expr) -> Callable[[Ball], Ball]:
    """``part`` over balls; :class:`DomainError` if it holds a function that is not analytic."""
    for atom in part.atoms(sp.Function):
        if not isinstance(atom, ANALYTIC):
            raise DomainError(
                f"{atom.func} in {part}", "a piecewise analytic function", "split it at its breakpoints first"
            )
    return compile_ball(part, (x,))


def interval(low: float, high: float) -> arb:
    """The ball with exactly these end points inside."""
    middle = 0.5 * (low + high)
    mantissa, exponent = math.frexp(abs(middle))
    if mantissa == 0.5 and 0.0 in (low, high):  # exact ends: a square root at 0 must not see negative numbers
        sign = 1 if middle > 0 else -1
        return arb(mid=(sign, exponent - 1), rad=(1, exponent - 1))
    return arb(middle, max(high - middle, middle - low) * (1 + 2.0**-50))


def box(left: float, right: float, bottom: float, top: float) -> acb:
    return acb(interval(left, right), interval(bottom, top))


def upper(value: Ball) -> arb:
    """An exact upper bound of ``|value|`` (infinite where it is not known)."""
    if not value.is_finite():
        return arb("inf")
    return abs(value).abs_upper()


def down(value: arb) -> float:
    """A float below ``value``."""
    bound = float(value.lower())
    return bound - abs(bound) * 2.0**-50


def up(value: arb) -> float:
    """A float above ``value``."""
    bound = float(value.upper())
    return bound + abs(bound) * 2.0**-50


@dataclass(frozen=True)
class Growth:
    """``|f(x)| <= constant * exp(linear |x| + quadratic x^2)`` for every real ``x``; all three >= 0."""

    constant: arb
    linear: arb
    quadratic: arb


def _inside(left: float, right: float) -> float:
    """A point between; a power of two where one end is 0."""
    if left == 0.0 or right == 0.0:
        return math.copysign(2.0 ** (math.frexp(left + right)[1] - 2), left + right)
    return 0.5 * (left + right)


def _real_maximum(part: sp.Expr, low: float, high: float, depth: int = 14) -> arb:
    """An upper bound of ``|part|`` on ``[low, high]``; infinite if the balls do not become finite."""
    function = analytic_function(part)
    best = arb(0)
    stack = [(low, high, depth)]
    while stack:
        left, right, left_over = stack.pop()
        value = function(interval(left, right))
        wide = depth - left_over < 3
        if not value.is_finite() or wide:
            if left_over > 0:
                middle = _inside(left, right)
                stack += [(left, middle, left_over - 1), (middle, right, left_over - 1)]
                continue
            if not value.is_finite():
                return arb("inf")
        best = best.max(upper(value))
    return best


@dataclass(frozen=True)
class Rate:
    """``|f(t)| <= constant max(1, |t|)^degree exp(linear |t| + quadratic t^2)`` for every real ``t``."""

    constant: arb
    degree: int
    linear: arb
    quadratic: arb


def _end(part: sp.Expr, side: int) -> tuple[int, Envelope]:
    """An envelope of ``part / x^degree``: powers of ``t`` are kept apart, ``exp(t)`` is far too much."""
    plain = envelope_of(part, side)
    if plain.linear >= 1:
        for degree in (1, 2, 3, 4, 6, 8, 12):
            divided = envelope_of(part / x**degree, side)
            if divided.linear <= plain.linear - 1 and divided.quadratic <= plain.quadratic:
                return degree, divided
    return 0, plain


def _above(values: list[Fraction]) -> arb:
    return upper(exact_ball(sp.Rational(max(max(values), Fraction(0)))))


@lru_cache(maxsize=512)
def rate_of(pieces: Pieces) -> Rate:
    """The growth of a piecewise function on the whole line, from the envelopes of its two outer parts.

    Raises :class:`PrecisionError` where a finite bound of a part on a bounded interval is not found.
    """
    with working_precision(BOUND_BITS):
        breaks = [exact_ball(b) for b in pieces.breakpoints]
        (d_left, left), (d_right, right) = _end(pieces.parts[0], -1), _end(pieces.parts[-1], 1)
        constant = _above([left.constant, right.constant])
        low, high = -up(_above([left.from_, Fraction(1)])), up(_above([right.from_, Fraction(1)]))
        if breaks:
            low, high = min(low, down(breaks[0])), max(high, up(breaks[-1]))
        starts = [low] + [down(b) for b in breaks]
        stops = [up(b) for b in breaks] + [high]
        for part, start, stop in zip(pieces.parts, starts, stops, strict=True):
            constant = constant.max(_real_maximum(part, start, stop))
        if not constant.is_finite():
            raise PrecisionError(f"{pieces.parts}", "parts bounded by ball evaluation on bounded intervals")
        return Rate(
            upper(constant),
            max(d_left, d_right),
            _above([left.linear, right.linear]),
            _above([left.quadratic, right.quadratic]),
        )


@dataclass(frozen=True)
class Scaled:
    """``x -> f(scale x)`` for a ball ``scale`` that is certainly positive or certainly negative."""

    pieces: Pieces
    scale: arb

    def __post_init__(self) -> None:
        if not (self.scale > 0 or self.scale < 0):
            raise DomainError(
                f"a scale {self.scale.str(5)}", "a variance that is certainly positive", "raise the precision"
            )

    @property
    def parts(self) -> tuple[sp.Expr, ...]:
        """The parts from left to right in ``x``."""
        return self.pieces.parts if self.scale > 0 else self.pieces.parts[::-1]

    def breaks(self) -> list[arb]:
        """The breakpoints from left to right in ``x``, at the precision in force."""
        points = self.pieces.breakpoints if self.scale > 0 else self.pieces.breakpoints[::-1]
        return [exact_ball(point) / self.scale for point in points]

    def part(self, index: int) -> Callable[[Ball], Ball]:
        function, scale = analytic_function(self.parts[index]), self.scale

        def run(z: Ball) -> Ball:
            return function(scale * z)

        return run

    def is_zero(self, index: int) -> bool:
        return bool(self.parts[index] == 0)

    def values(self, points: Sequence[arb]) -> list[arb]:
        """The values at real balls; across a breakpoint the union of both sides."""
        breaks = self.breaks()
        functions = [self.part(index) for index in range(len(self.parts))]
        if not breaks:
            only = functions[0]
            return [real(only(point)) for point in points]
        found = []
        for point in points:
            first = sum(1 for b in breaks if point > b)
            last = sum(1 for b in breaks if not point < b)
            value = real(functions[first](point))
            for index in range(first + 1, last + 1):
                value = value.union(real(functions[index](point)))
            found.append(value)
        return found

    def growth(self) -> Growth:
        """From ``max(1, s|x|)^d <= max(1, (s d / (e m))^d) exp(m |x|)``, with ``m = d/2``."""
        rate, scale = rate_of(self.pieces), upper(self.scale)
        constant, linear = rate.constant, rate.linear * scale
        if rate.degree:
            constant *= ((2 * scale / arb(1).exp()) ** rate.degree).max(arb(1))
            linear += arb(rate.degree) / 2
        return Growth(constant.upper(), linear.upper(), (rate.quadratic * scale * scale).upper())

    def mirrored(self) -> Scaled:
        """``x -> f(-scale x)``."""
        return Scaled(self.pieces, -self.scale)


def real(value: Ball) -> arb:
    return value.real if isinstance(value, acb) else value


def same_function(one: Scaled, other: Scaled) -> bool:
    """Whether two scaled functions are given by the same pieces and the same ball."""
    return one.pieces == other.pieces and same_ball(one.scale, other.scale)


def same_ball(one: arb, other: arb) -> bool:
    """Whether two balls have the same midpoint and radius."""
    return bool(one.mid() == other.mid() and one.rad() == other.rad())
