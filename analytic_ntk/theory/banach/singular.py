"""How far the Taylor series of an activation reaches: its complex singularities and its breakpoints.

The series of ``phi`` at a real ``z`` converges in the disc up to the nearest singularity of the part that
holds ``z``, and it gives ``phi`` as long as no breakpoint is reached. For ``tanh(g)``, ``sigmoid(g)`` and
``softplus(g)`` with a polynomial ``g`` the singularities are the roots of ``g(s) = i pi (start + step k)``.
All roots with ``k < LEVELS`` are found; the others are at distance ``r`` or more as long as

    sum_n |g^(n)(z)|/n! r^n < pi (start + step LEVELS),

since ``|g(s) - g(z)|`` is at least the imaginary part of ``g(s)``. Where that fails ``r`` is halved: the
radius is never too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import acb, acb_poly, arb, arb_poly, ctx
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.singularities import places_of_singularities
from analytic_ntk.notation import x

Array = NDArray[np.float64]

LEVELS = 12
_HEADS: dict[Any, tuple[sp.Rational, int]] = {
    sp.tanh: (sp.Rational(1, 2), 1),
    fn.sigmoid: (sp.S.One, 2),
    fn.softplus: (sp.S.One, 2),
}
"""Singular where the argument is ``i pi (start + step k)``."""


@dataclass(frozen=True)
class _Curved:
    """A function of :data:`_HEADS` of a polynomial ``inner`` of degree two or more."""

    head: Any
    inner: sp.Poly

    def coefficients(self) -> list[arb]:
        return [exact_ball(self.inner.nth(j)).real for j in range(self.inner.degree() + 1)]

    def level(self, k: int) -> arb:
        start, step = _HEADS[self.head]
        return arb.pi() * exact_ball(start + step * k).real

    def roots(self) -> list[acb]:
        """Those of the first levels; those of the mirrored levels are their conjugates."""
        found: list[acb] = []
        first, *rest = (acb(c) for c in self.coefficients())
        try:
            for k in range(LEVELS):
                poly = acb_poly([first - acb(0, 1) * self.level(k), *rest])
                found += poly.roots(tol=arb(2) ** -(ctx.prec // 2))
        except ValueError as error:  # the roots could not be told apart
            raise UndecidedError(
                f"the poles of {self.head.__name__}({self.inner.as_expr()})", "roots that can be isolated"
            ) from error
        return found


@dataclass(frozen=True)
class Singularities:
    """Of one part of an activation: ``places`` in exact form, ``curved`` ones by their equation."""

    places: tuple[sp.Expr, ...]
    curved: tuple[_Curved, ...]

    def distance(self, z: Array) -> Array:
        """A float64 distance from real points, elementwise; infinite for an entire part."""
        found = np.full(z.shape, np.inf)
        for place in _floats(self):
            found = np.minimum(found, np.hypot(z - place.real, place.imag))
        for coefficients, limit in _float_levels(self):
            found = _shortened(found, coefficients, z, limit)
        return found

    def distance_ball(self, z: arb) -> arb:
        """A certified lower bound of the distance, a ball of radius 0; infinite for an entire part."""
        found = arb("inf")
        with_roots = [exact_ball(place) for place in self.places]
        for curved in self.curved:
            with_roots += curved.roots()
        for place in with_roots:
            gap = acb(place) - acb(z)
            found = found.min(arb(abs(gap).abs_lower()))
        for curved in self.curved:
            shifted = arb_poly(curved.coefficients())(arb_poly([z, 1]))
            sizes = [abs(c) for c in shifted.coeffs()][1:]
            while not _horner(sizes, found) * found < curved.level(LEVELS):
                found = found / 2
        return arb(found.abs_lower())


@lru_cache(maxsize=512)
def singularities(part: sp.Expr) -> Singularities | None:
    """Of one smooth expression; ``None`` where one cannot be located.

    >>> singularities(sp.tanh(x)).places, singularities(sp.exp(x)).places
    ((I*pi/2,), ())
    """
    curved: list[_Curved] = []

    def entire(node: sp.Expr) -> sp.Expr:
        curved.append(_Curved(type(node), sp.Poly(node.args[0], x)))
        return sp.erf(node.args[0])  # entire too, and with zeros: under a root or a logarithm not located

    places = list(places_of_singularities(part.replace(_is_curved, entire)))
    if any(place is None for place in places):
        return None
    return Singularities(
        tuple(dict.fromkeys(p for p in places if p is not None)), tuple(dict.fromkeys(curved))
    )


def require_located(activation: Activation) -> tuple[Singularities, ...]:
    """The singularities of each part. Raises :class:`UndecidedError` where one cannot be located."""
    found = [singularities(part) for part in activation.pieces.parts]
    if any(part is None for part in found):
        raise UndecidedError(
            f"the radius of convergence of {activation}",
            "complex singularities that can be located",
            "use functions of affine or polynomial arguments (tanh, sigmoid, softplus, erf, exp, ...)",
        )
    return tuple(part for part in found if part is not None)


def _is_curved(node: sp.Expr) -> bool:
    return type(node) in _HEADS and node.args[0].is_polynomial(x) and sp.degree(node.args[0], x) > 1


@lru_cache(maxsize=512)
def _floats(found: Singularities) -> tuple[complex, ...]:
    with working_precision(160):
        balls = [acb(exact_ball(place)) for place in found.places]
        for curved in found.curved:
            balls += curved.roots()
        return tuple(complex(float(b.real.mid()), float(b.imag.mid())) for b in balls)


@lru_cache(maxsize=512)
def _float_levels(found: Singularities) -> tuple[tuple[tuple[float, ...], float], ...]:
    with working_precision(160):
        return tuple(
            (tuple(float(c.mid()) for c in curved.coefficients()), float(curved.level(LEVELS).mid()))
            for curved in found.curved
        )


def _shortened(radius: Array, coefficients: tuple[float, ...], z: Array, limit: float) -> Array:
    """Halved until the roots of the levels left out are farther."""
    while not (inside := _majorant(coefficients, z, radius) < limit).all():
        radius = np.where(inside, radius, 0.5 * radius)
    return radius


def _majorant(coefficients: tuple[float, ...], z: Array, r: Array) -> Array:
    """``sum_{n >= 1} |g^(n)(z)|/n! r^n``."""
    total, row = np.zeros_like(z), np.polynomial.Polynomial(coefficients)
    power, factorial = np.ones_like(z), 1.0
    for n in range(1, len(coefficients)):
        row, power, factorial = row.deriv(), power * r, factorial * n
        total = total + np.abs(row(z)) / factorial * power
    return total


def _horner(coefficients: list[arb], r: arb) -> arb:
    total = arb(0)
    for c in reversed(coefficients):
        total = total * r + c
    return total
