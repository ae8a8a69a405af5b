"""What a kernel's power series looks like by parity: the recursion run on shapes instead of numbers.

A kernel ``sum c_k rho^k`` with ``c_k >= 0`` is split into its even and its odd part, and of each part two
things are kept: an upper bound of its degree (**proved**: only what algebra shows to vanish is left out) and
the exponent ``nu`` of its leading singular term ``(1 - rho)^nu`` at ``rho = 1`` (**predicted**: leading
terms are taken not to cancel; none can for the highest order, since all coefficients are non-negative).

With ``phi_e``, ``phi_o`` the even and odd part of ``phi``, the even part of its dual is the dual of
``phi_e``, the odd part that of ``phi_o``. A jump of the ``s``-th derivative gives ``nu = s + 1/2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.halves import Half, halves
from analytic_ntk.gaussian.identities import nonzero_at
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.notation import x
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.systems.support import ONE, Support, Supports

MAX_JUMP = 12
"""Derivatives up to this order are searched for jumps."""


@dataclass(frozen=True)
class Part:
    """Even or odd part: ``degree`` is -1 (no part), a bound, or infinite; ``exponent`` infinite if smooth."""

    degree: float
    exponent: float = math.inf

    @property
    def absent(self) -> bool:
        return self.degree < 0

    def __add__(self, other: Part) -> Part:
        return Part(max(self.degree, other.degree), min(self.exponent, other.exponent))

    def __mul__(self, other: Part) -> Part:
        if self.absent or other.absent:
            return NOTHING
        return Part(self.degree + other.degree, min(self.exponent, other.exponent))


NOTHING, CONSTANT = Part(-1), Part(0)


@dataclass(frozen=True)
class Structure:
    """The shape of a function of ``rho``: its even and its odd part."""

    even: Part
    odd: Part

    def __add__(self, other: Structure) -> Structure:
        return Structure(self.even + other.even, self.odd + other.odd)

    def __mul__(self, other: Structure) -> Structure:
        return Structure(
            self.even * other.even + self.odd * other.odd, self.even * other.odd + self.odd * other.even
        )

    def part(self, degree: int) -> Part:
        """The part that eigenvalues of this degree come from."""
        return self.odd if degree % 2 else self.even

    def vanishes(self, degree: int) -> bool:
        """Whether the eigenvalue of this degree is proved to be 0: no power ``>= degree`` of its parity."""
        return self.part(degree).degree < degree

    @property
    def whole(self) -> Part:
        return self.even + self.odd


def _inside(outer: Part, inner: Part) -> Part:
    """``outer(inner(rho))`` at the end where both reach 1."""
    if outer.degree <= 0 or inner.absent:
        return Part(min(outer.degree, 0))
    degree = 0 if inner.degree == 0 else outer.degree * inner.degree
    if degree == 0:
        return CONSTANT
    return Part(degree, min(outer.exponent * min(1.0, inner.exponent), inner.exponent))


def compose(outer: Structure, inner: Structure) -> Structure:
    """The shape of ``outer(inner(rho))``, all power series having non-negative coefficients."""
    if inner.even.absent:
        return Structure(_inside(outer.even, inner.odd), _inside(outer.odd, inner.odd))
    if inner.odd.absent:
        return Structure(_inside(outer.whole, inner.even), NOTHING)
    if outer.whole.degree <= 0:
        return outer
    both = _inside(outer.whole, inner.whole)
    return Structure(both, both)


@dataclass(frozen=True)
class Shapes:
    """The number system of shapes. Variances are constants; a weight variance 0 removes its factor."""

    def number(self, value: sp.Expr) -> Structure:
        return Structure(NOTHING if value.is_zero else CONSTANT, NOTHING)

    def inverse_sqrt(self, value: Structure) -> Structure:
        return Structure(CONSTANT, NOTHING)

    def gap_after_affine(self, pair: Pair, scale: Structure, shift: Structure, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        one = Structure(CONSTANT, NOTHING)
        value = compose(shape_of(activation.pieces), pair.q12)
        slope = compose(shape_of(activation.derivative), pair.q12)
        return Expectations(one, one, value, slope)


def kernel_structure(layers: tuple[Layer, ...], kernel: str) -> Structure:
    """The shape of a network's kernel for inputs with ``<x, x>/d = 1``.

    Raises :class:`DomainError` for layers whose kernels are not known to have non-negative coefficients.
    """
    require_known(layers)
    one = Structure(CONSTANT, NOTHING)
    pair = Pair(one, one, Structure(NOTHING, Part(1)), Structure(NOTHING, NOTHING))
    for layer in layers:
        pair = layer.push(pair, Shapes())
    found = pair.q12 if kernel == "nngp" else pair.ntk
    assert isinstance(found, Structure)
    known = Pair(ONE, ONE, Support(odd=1), Support())
    for layer in layers:
        known = layer.push(known, Supports())
    support = known.q12 if kernel == "nngp" else known.ntk
    assert isinstance(support, Support)
    return Structure(_bounded(found.even, support.even), _bounded(found.odd, support.odd))


def _bounded(part: Part, degree: float) -> Part:
    """With the degree that :mod:`analytic_ntk.systems.support` proves, if it is lower."""
    degree = min(degree, part.degree)
    return Part(degree) if degree < math.inf else part


def require_known(layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        if isinstance(layer, Residual):
            require_known(layer.branch)
        elif not isinstance(layer, (Dense, Nonlinearity, LayerNorm)):
            raise DomainError(
                f"the layer {type(layer).__name__}",
                "Dense, Nonlinearity, LayerNorm or Residual (non-negative power series are proved for these)",
                "use spectrum.zonal with a bound of your own",
            )


# ------------------------------------------------------------------------------------ the activation


@lru_cache(maxsize=256)
def shape_of(pieces: Pieces) -> Structure:
    """Degrees and singular exponents of the dual of a function, by parity.

    >>> from analytic_ntk.notation import x
    >>> shape_of(Pieces.of(sp.Max(x, 0)))
    Structure(even=Part(degree=inf, exponent=1.5), odd=Part(degree=1, exponent=inf))
    """
    even, odd = halves(pieces)
    return Structure(_part(even), _part(odd))


def _part(half: Half) -> Part:
    order = _jump_order(half)
    if order is not None:
        return Part(math.inf, order + 0.5)
    return Part(math.inf if half.degree is None else half.degree)


def _jump_order(half: Half) -> int | None:
    """The lowest derivative shown to jump: across a breakpoint, or at 0, where the function is mirrored."""
    if half.expression is not None:
        return None
    parts, parity = half.pieces.parts, int(half.odd)
    points = [*half.pieces.breakpoints, sp.S.Zero]
    steps = [*(after - before for before, after in pairwise(parts)), parts[0]]
    for order in range(MAX_JUMP + 1):
        with working_precision(160):
            for step, point in zip(steps, points, strict=True):
                if (not point.is_zero or order % 2 != parity) and nonzero_at(step, point):
                    return order
        steps = [sp.diff(step, x) for step in steps]
    return None
