"""Hermite coefficients of canonical functions, by recurrence in the order.

Normalised probabilists' convention, used throughout the package:

    a_n(q) = E f(u) h_n(u / sqrt q),  u ~ N(0, q),   h_n = He_n / sqrt(n!),   E f(u)^2 = sum_n a_n^2.

For ``F = exp(a u^2 + b u) psi(u)`` and ``c_n = E F(u) He_n(u / sqrt q)``, Stein's identity gives

    (1 - 2 a q) c_{n+1} = sqrt(q) b c_n + 2 a q n c_{n-1} + sqrt(q) E exp(a u^2 + b u) psi'(u) He_n(u/sqrt q),

and a power of ``u`` acts as ``u He_n = sqrt(q) (He_{n+1} + n He_{n-1})``. The same code runs on sympy
expressions (exact coefficients, symbolic variance) and on balls.
"""

from __future__ import annotations

import sympy as sp

from analytic_ntk.arithmetic.atoms import RealPart
from analytic_ntk.arithmetic.functions import Phi, merge_reflections
from analytic_ntk.gaussian.moments import single_moment
from analytic_ntk.gaussian.operations import SYMBOLIC, Number, Operations
from analytic_ntk.gaussian.terms import Term, Terms


def hermite_numbers(terms: Terms, order: int, q: Number, ops: Operations) -> list[Number]:
    """``E f(u) He_n(u / sqrt q)`` for ``n = 0..order`` (divide by ``sqrt(n!)`` for ``a_n``)."""
    root = ops.sqrt(q)
    total = [ops.number(sp.S.Zero)] * (order + 1)
    for term in terms:
        coefficient = ops.number(term.coefficient)
        values = _bare(Term(sp.S.One, 0, term.a, term.b, term.psi), order + term.power, q, root, ops)
        for _ in range(term.power):
            values = [
                root * (values[n + 1] + n * values[n - 1] if n else values[1]) for n in range(len(values) - 1)
            ]
        total = [t + coefficient * v for t, v in zip(total, values, strict=True)]
    return total


def _bare(term: Term, order: int, q: Number, root: Number, ops: Operations) -> list[Number]:
    """The sequence for a term without power, by the recurrence."""
    values = [single_moment(term, q, ops)]
    edge = _edge(term, order, q, root, ops)
    slope = ops.number(term.b) * root
    twice = 2 * ops.number(term.a) * q
    for n in range(order):
        new = edge[n]
        if term.b != 0:
            new = new + slope * values[n]
        if term.a != 0:
            if n:
                new = new + twice * n * values[n - 1]
            new = ops.tidy(new / (1 - twice))
        values.append(new)
    return values


def _edge(term: Term, order: int, q: Number, root: Number, ops: Operations) -> list[Number]:
    """``sqrt(q) E exp(a u^2 + b u) psi'(u) He_n(u / sqrt q)``."""
    zero = ops.number(sp.S.Zero)
    half = term.psi
    if half is None:
        return [zero] * (order + 1)
    if half.spread == 0:
        place = ops.number(half.place)
        exponent = (ops.number(term.a) - 1 / (2 * q)) * place * place + ops.number(term.b) * place
        factor = ops.exp(exponent) / ops.sqrt(ops.two_pi())
        factor = factor if half.slope.is_positive else -factor
        return [factor * value for value in _polynomials(place / root, order)]
    slope, offset = half.slope, half.offset
    density = Term(
        slope * sp.exp(-(offset**2) / 2) / sp.sqrt(2 * sp.pi),
        0,
        term.a - slope**2 / 2,
        sp.expand(term.b - slope * offset),
    )
    return [root * value for value in hermite_numbers((density,), order, q, ops)]


def _polynomials(place: Number, order: int) -> list[Number]:
    """``He_0(place), ..., He_order(place)``."""
    values = [place**0, place]
    for n in range(1, order):
        new = place * values[n] - n * values[n - 1]
        values.append(sp.expand(new) if isinstance(new, sp.Basic) else new)
    return values[: order + 1]


def hermite_exact(terms: Terms, order: int, variance: sp.Expr) -> list[sp.Expr]:
    """The normalised coefficients ``a_0..a_order`` at an exact (or symbolic) variance.

    >>> import sympy as sp
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.gaussian.terms import terms_of
    >>> from analytic_ntk.notation import x
    >>> hermite_exact(terms_of(Pieces.of(sp.Max(x, 0))), 4, sp.Integer(1))
    [sqrt(2)/(2*sqrt(pi)), 1/2, 1/(2*sqrt(pi)), 0, -sqrt(3)/(12*sqrt(pi))]
    """
    numbers = hermite_numbers(terms, order, variance, SYMBOLIC)
    return [_neat(value / sp.sqrt(sp.factorial(n))) for n, value in enumerate(numbers)]


def _neat(value: sp.Expr) -> sp.Expr:
    value = sp.expand(merge_reflections(sp.expand(value)))
    if value.has(sp.I):
        real = RealPart(value) if value.has(Phi) else sp.expand_complex(value).as_real_imag()[0]
        value = sp.expand(real)
    return sp.factor_terms(value)
