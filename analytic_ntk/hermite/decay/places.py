"""Where the continuation of a part into the complex plane is singular, at least the nearest places.

What :mod:`analytic_ntk.gaussian.singularities` locates exactly is taken from there. The poles of ``tanh`` and
the like of a polynomial of degree two or more are roots of polynomials with transcendental coefficients: they
are found to 300 bits and stand as rational numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from flint import acb, acb_poly, arb

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.singularities import places_of_singularities
from analytic_ntk.notation import x

_BITS = 420
_LEVELS = 40
_ROUGH = 1e-6
"""Poles are sought at the first 40 levels above and below; their height grows with the level."""
_HEADS: dict[Any, tuple[sp.Rational, int]] = {
    sp.tanh: (sp.Rational(1, 2), 1),
    fn.sigmoid: (sp.S.One, 2),
    fn.softplus: (sp.S.One, 2),
}
"""Singular where the argument is ``i pi (start + step k)``."""


def singular_places(part: sp.Expr) -> list[sp.Expr | None]:
    """Places in the complex plane, ``None`` for one that is not located.

    >>> singular_places(sp.tanh(x)), len(singular_places(sp.tanh(x**3))) > 0, singular_places(sp.exp(x))
    ([I*pi/2], True, [])
    """
    curved: list[sp.Expr] = []

    def entire(node: sp.Expr) -> sp.Expr:
        curved.append(node)
        return sp.erf(node.args[0])  # entire too, and with zeros: under a root or a logarithm not located

    rest = part.replace(_is_curved, entire)
    found = list(places_of_singularities(rest))
    for node in dict.fromkeys(curved):
        found += _preimages(node)
    return found


def is_located(number: sp.Expr) -> bool:
    """Whether a coordinate is an exact number rather than 300 bits of one."""
    return not (number.is_Rational and number.q.bit_length() > 200)


def _is_curved(node: sp.Expr) -> bool:
    return type(node) in _HEADS and node.args[0].is_polynomial(x) and sp.degree(node.args[0], x) > 1


def _preimages(node: sp.Expr) -> Iterator[sp.Expr]:
    """The lowest roots of ``g(z) = i pi (start + step k)`` over the first levels."""
    start, step = _HEADS[type(node)]
    with working_precision(_BITS):
        inner = sp.Poly(node.args[0], x)
        coefficients = [acb(exact_ball(inner.nth(j))) for j in range(inner.degree() + 1)]
        roots: list[tuple[arb, acb]] = []
        for k in range(_LEVELS):  # g is real: the levels below give the conjugate roots
            level = acb(0, 1) * arb.pi() * acb(exact_ball(start + step * k))
            poly = acb_poly([coefficients[0] - level, *coefficients[1:]])
            rough = poly.roots()
            least = min(abs(root.imag).mid() for root in rough)
            for root in rough:
                if abs(root.imag).mid() < least + _ROUGH:
                    fine = _refined(poly, root)
                    roots.append((abs(fine.imag).mid(), fine))
        lowest = min(height for height, _ in roots)
        for height, root in roots:
            if height < lowest + arb(2) ** -300:
                yield _dyadic(root.real) + sp.I * _dyadic(root.imag)


def _refined(poly: acb_poly, root: acb) -> acb:
    """Newton's method from the midpoint of an isolating ball, with exact points."""
    slope = poly.derivative()
    z = acb(root.real.mid(), root.imag.mid())
    for _ in range(6):
        new = z - poly(z) / slope(z)
        z = acb(new.real.mid(), new.imag.mid())
    return z


def _dyadic(value: arb) -> sp.Rational:
    """The midpoint of a ball of about 400 bits, without what is only rounding."""
    if abs(value) < arb(2) ** -300:
        return sp.S.Zero
    mantissa, exponent = value.mid().man_exp()
    return sp.Rational(int(mantissa)) * sp.Rational(2) ** int(exponent)
