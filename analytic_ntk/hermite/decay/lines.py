"""How a part grows along horizontal lines off the real axis: what lets a contour be moved across a strip."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.notation import x

GAUSSIAN = Fraction(10**6)
"""Stands for growth of at most ``exp(k |x| + A x^2)``, with the ``A`` of the real line."""


def line_growth(expr: sp.Expr) -> Fraction | None:
    """A degree ``d`` with ``|f(u + i v)| <= C_v (1 + |u|)^d`` on every line (away from singularities).

    :data:`GAUSSIAN` where only ``exp(k |u| + A u^2)`` is shown, ``None`` where nothing is: ``sin(x^3)`` is
    bounded on the real line but grows like ``exp(3 v u^2)`` on the line at height ``v``.

    >>> line_growth(x * sp.tanh(x)), line_growth(sp.exp(-x**2)) == GAUSSIAN, line_growth(sp.sin(x**3))
    (Fraction(1, 1), True, None)
    """
    if expr.is_polynomial(x):
        return Fraction(max(sp.degree(expr, x), 0)) if expr.has(x) else Fraction(0)
    if isinstance(expr, (sp.Add, sp.Mul)):
        found = [line_growth(arg) for arg in expr.args]
        known = [d for d in found if d is not None]
        if len(known) < len(found):
            return None
        return max(known) if isinstance(expr, sp.Add) else min(sum(known, Fraction(0)), GAUSSIAN)
    if isinstance(expr, sp.Pow):
        return _of_power(expr)
    if len(expr.args) != 1:
        return None
    return _of_function(expr, expr.args[0])


def _of_power(expr: sp.Pow) -> Fraction | None:
    base, exponent = expr.base, expr.exp
    if not exponent.is_Rational:
        return None
    if base.is_polynomial(x):
        return Fraction(sp.degree(base, x)) * Fraction(int(exponent.p), int(exponent.q))
    if isinstance(base, sp.cosh) and _degree(base.args[0]) == 1:
        return GAUSSIAN if exponent > 0 else Fraction(0)
    inner = line_growth(base)
    if inner is None or not (exponent.is_Integer and exponent > 0):
        return None
    return min(inner * int(exponent), GAUSSIAN)


def _of_function(expr: sp.Expr, g: sp.Expr) -> Fraction | None:
    degree = _degree(g)
    if isinstance(expr, (sp.erf, sp.erfc, fn.Phi, sp.atan, sp.tanh, fn.sigmoid)):
        # of a real polynomial g: Re g and Re g^2 keep their leading terms on the line
        soft = isinstance(expr, sp.tanh) and isinstance(g, fn.softplus) and _degree(g.args[0]) is not None
        return Fraction(0) if degree is not None or soft else None
    if isinstance(expr, fn.softplus):
        return None if degree is None else Fraction(degree)
    if isinstance(expr, sp.log):
        if degree is not None:
            return Fraction(0, 1) if degree == 0 else Fraction(1, 2)
        return Fraction(1) if isinstance(g, sp.cosh) and _degree(g.args[0]) == 1 else None
    if isinstance(expr, (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh)):
        return _of_exponential(expr, g, degree)
    return None


def _of_exponential(expr: sp.Expr, g: sp.Expr, degree: int | None) -> Fraction | None:
    wave = isinstance(expr, (sp.sin, sp.cos))
    if degree is not None and degree <= 2:
        return Fraction(0) if wave and degree <= 1 else GAUSSIAN
    if isinstance(expr, sp.exp) and degree is not None:
        falls = degree % 2 == 0 and sp.LC(g, x).is_negative
        return Fraction(0) if falls else None
    inner = line_growth(g)
    if inner is None or inner > 1:
        return None
    return Fraction(0) if inner <= 0 else GAUSSIAN


def _degree(expr: sp.Expr) -> int | None:
    expr = sp.expand(expr)
    return (
        int(sp.degree(expr, x)) if expr.is_polynomial(x) and expr.has(x) else 0 if not expr.has(x) else None
    )
