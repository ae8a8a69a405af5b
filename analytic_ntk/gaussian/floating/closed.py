"""Finite sums of ``c x^k exp(a x^2 + b x)``, complex ``b``: sines, exponentials, Gaussians, polynomials.

With ``det = gap (sqrt(q11 q22) + |q12|)`` and ``s = sign q12`` a product of two terms has the expectation

    D^(-1/2) exp(E) E u'^k1 v'^k2,     D = 1 - 2 a1 q11 - 2 a2 q22 + 4 a1 a2 det,
    E = ((b1 sqrt(q11) + s b2 sqrt(q22))^2 - 2 s b1 b2 gap - 2 det (a2 b1^2 + a1 b2^2)) / (2 D),

``(u', v')`` Gaussian with covariance ``((q11 - 2 a2 det, q12), (q12, q22 - 2 a1 det))/D``, mean that matrix
times ``b``. The exponents are free of cancellation, so ``E sin u sin v`` keeps its relative accuracy at
``e^-500``. Where the terms cancel one another more than thirtyfold the pair is left to the other methods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_MOST_TERMS = 12
_CANCELLATION = 30.0


@dataclass(frozen=True)
class ExpTerm:
    """``coefficient x^power exp(square x^2 + linear x)``."""

    coefficient: complex
    power: int
    square: float
    linear: complex


@dataclass(frozen=True)
class Covariance:
    """Arrays over pairs: the two variances, the covariance, the gap, the sign of the covariance."""

    q11: Array
    q22: Array
    q12: Array
    gap: Array
    sign: Array


def exp_terms(phi: Pieces) -> tuple[ExpTerm, ...] | None:
    """The terms of ``phi``, or ``None`` if it is not such a sum (of at most twelve terms)."""
    if phi.breakpoints or phi.free_symbols:
        return None
    expr = phi.parts[0].replace(
        lambda e: isinstance(e, (sp.sin, sp.cos, sp.sinh, sp.cosh)), lambda e: e.rewrite(sp.exp)
    )
    expr = sp.expand(expr, power_exp=False)
    terms = [_term(part) for part in sp.Add.make_args(expr)]
    if len(terms) > _MOST_TERMS or any(term is None for term in terms):
        return None
    return tuple(term for term in terms if term is not None and term.coefficient != 0)


def _term(expr: sp.Expr) -> ExpTerm | None:
    coefficient, rest = expr.as_independent(x, as_Add=False)
    power, exponent = 0, sp.Integer(0)
    for factor in sp.Mul.make_args(rest):
        base, degree = factor.as_base_exp() if not isinstance(factor, sp.exp) else (factor, sp.Integer(1))
        if base == x and degree.is_Integer and degree > 0:
            power += int(degree)
        elif isinstance(base, sp.exp) and degree.is_number:
            exponent += base.args[0] * degree
        elif factor != 1:
            return None
    if not exponent.is_polynomial(x) or sp.degree(exponent, x) > 2:
        return None
    constant, linear, square = ([*reversed(sp.Poly(exponent, x).all_coeffs()), 0, 0, 0])[:3]
    coefficient = complex(sp.N(coefficient * sp.exp(constant), 25))
    if abs(complex(sp.N(square)).imag) > 0 or not np.isfinite(coefficient):
        return None
    return ExpTerm(coefficient, power, float(sp.re(sp.N(square, 25))), complex(sp.N(linear, 25)))


def expectation(
    one: tuple[ExpTerm, ...], other: tuple[ExpTerm, ...], pair: Covariance, scale: Array
) -> tuple[Array, Mask]:
    """``E f(u) g(v)`` and where it is accurate (relative to itself, or to ``scale`` where it vanishes).

    Raises :class:`DomainError` where it is infinite.
    """
    total, size = np.zeros(len(pair.gap), dtype=np.complex128), np.zeros(len(pair.gap))
    with np.errstate(over="ignore", invalid="ignore"):
        for f in one:
            for g in other:
                value, bound = _product(f, g, pair)
                total += value
                size += bound
    result = total.real
    return result, np.isfinite(size) & ((size <= _CANCELLATION * np.abs(result)) | (size <= 5 * scale))


def _product(f: ExpTerm, g: ExpTerm, pair: Covariance) -> tuple[NDArray[np.complex128], Array]:
    q1, q2 = pair.q11, pair.q22
    root1, root2 = np.sqrt(q1), np.sqrt(q2)
    a1, a2, b1, b2 = f.square, g.square, f.linear, g.linear
    det = pair.gap * (root1 * root2 + np.abs(pair.q12))
    d = 1 - 2 * a1 * q1 - 2 * a2 * q2 + 4 * a1 * a2 * det
    if np.any((d <= 0) | (1 - 2 * a1 * q1 <= 0) | (1 - 2 * a2 * q2 <= 0)):
        raise DomainError("exp(a x^2) with 2 a q >= 1", "a finite expectation", "use smaller variances")
    exponent = (b1 * root1 + pair.sign * b2 * root2) ** 2 - 2 * pair.sign * b1 * b2 * pair.gap
    exponent = (exponent - 2 * det * (a2 * b1**2 + a1 * b2**2)) / (2 * d)
    scale = f.coefficient * g.coefficient * np.exp(exponent) / np.sqrt(d)
    s11, s22, s12 = (q1 - 2 * a2 * det) / d, (q2 - 2 * a1 * det) / d, pair.q12 / d
    mean1, mean2 = s11 * b1 + s12 * b2, s12 * b1 + s22 * b2
    value = _moment(f.power, g.power, mean1, mean2, s11, s22, s12)
    bound = _moment(
        f.power, g.power, np.abs(s11 * b1) + np.abs(s12 * b2), np.abs(s12 * b1) + np.abs(s22 * b2),
        s11, s22, np.abs(s12),
    )  # fmt: skip
    return scale * value, np.abs(scale) * bound.real


def _moment(k1: int, k2: int, mean1: Array, mean2: Array, s11: Array, s22: Array, s12: Array) -> Array:
    """``E u^k1 v^k2`` by Stein's recursion."""
    one = np.ones_like(mean1)
    table: dict[tuple[int, int], Array] = {(0, 0): one}
    for j in range(1, k2 + 1):
        table[0, j] = mean2 * table[0, j - 1] + ((j - 1) * s22 * table[0, j - 2] if j > 1 else 0.0)
    for i in range(1, k1 + 1):
        for j in range(k2 + 1):
            value = mean1 * table[i - 1, j]
            if i > 1:
                value = value + (i - 1) * s11 * table[i - 2, j]
            if j > 0:
                value = value + j * s12 * table[i - 1, j - 1]
            table[i, j] = value
    return table[k1, k2]
