"""What the Gaussian moment engine needs of a number system: numbers, roots, exponentials and the atoms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic.atoms import Angle, ConditionalPhi, Phi2, Ridge
from analytic_ntk.arithmetic.bivariate import phi2_cdf, phi_cdf
from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.arithmetic.interpret import exact_ball

Number = Any
"""An element of the number system at hand: a sympy expression or a ball."""


class Operations(Protocol):
    """The operations of one number system; ``+ - * /`` are the numbers' own."""

    def number(self, value: sp.Expr) -> Number: ...
    def sqrt(self, value: Number) -> Number: ...
    def exp(self, value: Number) -> Number: ...
    def phi(self, h: Number) -> Number: ...
    def phi2(self, h: Number, k: Number, r: Number) -> Number: ...
    def conditional_phi(self, h: Number, k: Number, r: Number) -> Number: ...
    def ridge(self, h: Number, k: Number, r: Number) -> Number: ...
    def quadrant(self, a: Number, b: Number, c: Number, sign: int) -> Number: ...
    def two_pi(self) -> Number: ...
    def is_zero(self, value: Number) -> bool: ...
    def tidy(self, value: Number) -> Number: ...
    def gather(self, value: Number) -> Number: ...


class Symbolic:
    """Sympy expressions."""

    def number(self, value: sp.Expr) -> sp.Expr:
        return sp.sympify(value)

    def sqrt(self, value: sp.Expr) -> sp.Expr:
        return sp.sqrt(value)

    def exp(self, value: sp.Expr) -> sp.Expr:
        polynomial = not sp.fraction(value)[1].free_symbols
        return sp.exp(sp.expand(value) if polynomial else value)

    def phi(self, h: sp.Expr) -> sp.Expr:
        return Phi(h)

    def phi2(self, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr:
        return Phi2(h, k, r)

    def conditional_phi(self, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr:
        return ConditionalPhi(h, k, r)

    def ridge(self, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr:
        return Ridge(h, k, r)

    def quadrant(self, a: sp.Expr, b: sp.Expr, c: sp.Expr, sign: int) -> sp.Expr:
        theta = Angle(a, b, c)
        return (sp.pi - theta) / (2 * sp.pi) if sign > 0 else theta / (2 * sp.pi)

    def two_pi(self) -> sp.Expr:
        return 2 * sp.pi

    def is_zero(self, value: sp.Expr) -> bool:
        return bool(sp.expand(value) == 0)

    def tidy(self, value: sp.Expr) -> sp.Expr:
        """Rational functions of the covariance in lowest terms: nested fractions never cancel later."""
        return _factored(value) if value.free_symbols and not value.has(sp.I) else value

    def gather(self, value: sp.Expr) -> sp.Expr:
        """A linear combination of atoms (dummies) with each coefficient in lowest terms.

        Without it the recursion doubles its expression at every power.
        """
        atoms = sorted((d for d in value.atoms(sp.Dummy) if d.name == "atom"), key=lambda d: d.dummy_index)
        # linear in the atoms: the derivative is the coefficient, and nothing needs expanding
        return sp.Add(*(atom * _short(sp.diff(value, atom)) for atom in atoms)) if atoms else value


@lru_cache(maxsize=1024)  # the recursion meets the same few again and again
def _factored(value: sp.Expr) -> sp.Expr:
    return sp.factor(value)


def _short(coefficient: sp.Expr) -> sp.Expr:
    factored = _factored(coefficient) if sp.count_ops(coefficient) < 150 else coefficient
    return min(factored, coefficient, key=sp.count_ops)


class Balls:
    """Real or complex balls at the working precision."""

    def number(self, value: sp.Expr) -> arb | acb:
        return exact_ball(sp.sympify(value))

    def sqrt(self, value: arb | acb) -> arb | acb:
        return value.sqrt()

    def exp(self, value: arb | acb) -> arb | acb:
        return value.exp()

    def phi(self, h: arb | acb) -> arb | acb:
        return phi_cdf(h)

    def phi2(self, h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        return phi2_cdf(h, k, r)

    def conditional_phi(self, h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        if _zero(h) and _zero(k):
            return arb(1) / 2
        return ConditionalPhi._ball(h, k, r)

    def ridge(self, h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        if _zero(h) and _zero(k):
            return arb(1)
        return Ridge._ball(h, k, r)

    def quadrant(self, a: arb, b: arb, c: arb, sign: int) -> arb:
        theta = Angle._ball(a, b, c)
        return (arb.pi() - theta if sign > 0 else theta) / (2 * arb.pi())

    def two_pi(self) -> arb:
        return 2 * arb.pi()

    def is_zero(self, value: arb | acb) -> bool:
        return _zero(value)

    def tidy(self, value: arb | acb) -> arb | acb:
        return value

    def gather(self, value: arb | acb) -> arb | acb:
        return value


def _zero(value: arb | acb | int) -> bool:
    return bool(value == 0)


SYMBOLIC: Operations = Symbolic()
BALLS: Operations = Balls()
