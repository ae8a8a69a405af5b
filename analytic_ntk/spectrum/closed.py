"""Eigenvalues as exact numbers: polynomial kernels, and one hidden layer of a homogeneous activation.

A homogeneous ``phi(t) = alpha t^n`` for ``t > 0``, ``beta (-t)^n`` for ``t < 0`` (ReLU, leaky ReLU, abs,
step, rectified monomials) sees a Gaussian ``w`` as its length times its direction: on ``S^(dim-1)``

    E phi(<w, x>) phi(<w, y>) = E|w|^(2n) E phi(<u, x>) phi(<u, y>),    u uniform on the sphere,

is the square of the Funk-Hecke operator of ``phi``: its eigenvalues are

    dim (dim + 2) .. (dim + 2n - 2) eta_k^2,      eta_k = (alpha + (-1)^k beta)/2 m(n, k)

with ``m`` of :mod:`~analytic_ntk.spectrum.harmonics` (Bach 2017, appendix D, for ReLU powers). The NTK adds
``rho`` times the kernel of ``phi'``, and ``rho P_k = ((k + dim - 2) P_{k+1} + k P_{k-1})/(2k + dim - 2)``.
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.gaussian.identities import as_polynomial
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers import Dense, Layer, Nonlinearity
from analytic_ntk.spectrum.harmonics import power_eigenvalue

ROOT_PI = sp.sqrt(sp.pi)


def rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def polynomial_eigenvalues(coefficients: tuple[sp.Expr, ...], dim: int, degree: int) -> tuple[sp.Expr, ...]:
    """Eigenvalues of ``sum c_j rho^j`` (all of it), exact."""
    values = []
    for k in range(degree + 1):
        m, terms = power_eigenvalue(k, k, dim), []
        for j in range(k, len(coefficients), 2):
            if coefficients[j] != 0:
                terms.append(coefficients[j] * rational(m))
            m *= Fraction((j + 1) * (j + 2), (j - k + 2) * (j + k + dim))
        values.append(sp.expand(sp.Add(*terms)))
    return tuple(values)


def homogeneous_eigenvalues(
    layers: tuple[Layer, ...], kernel: str, dim: int, degree: int
) -> tuple[sp.Expr, ...] | None:
    """One hidden layer of a homogeneous activation without input bias; ``None`` for other networks."""
    if len(layers) != 3:
        return None
    first, middle, last = layers
    if not (isinstance(first, Dense) and isinstance(middle, Nonlinearity) and isinstance(last, Dense)):
        return None
    power = middle.activation.homogeneity
    if first.bias_variance != 0 or power is None:
        return None
    phi: Activation = middle.activation
    q, weight = sp.sympify(first.weight_variance), sp.sympify(last.weight_variance)
    values = _dual_eigenvalues(phi.pieces, power, q, dim, degree)
    if kernel == "ntk" and power >= 1:
        slopes = _dual_eigenvalues(phi.derivative, power - 1, q, dim, degree + 1)
        values = [v + q * s for v, s in zip(values, _times_rho(slopes, dim), strict=True)]
    values = [sp.expand(weight * v) for v in values]
    values[0] += sp.sympify(last.bias_variance)
    return tuple(values)


def _dual_eigenvalues(f: Pieces, power: int, q: sp.Expr, dim: int, degree: int) -> list[sp.Expr]:
    """Eigenvalues of ``E f(u) f(v)`` at variance ``q`` for ``f`` homogeneous of degree ``power``."""
    right, left = (_leading(f, side, power) for side in (1, -1))
    length = q**power * math.prod(range(dim, dim + 2 * power, 2))
    values = []
    for k in range(degree + 1):
        factor = sp.expand((right + left if k % 2 == 0 else right - left) ** 2 / 4)
        values.append(length * factor * _squared_moment(power, k, dim) if factor != 0 else sp.S.Zero)
    return values


def _leading(f: Pieces, side: int, power: int) -> sp.Expr:
    """``f(side)``: the coefficient of ``|t|^power`` on one half-line."""
    poly = as_polynomial(f.part_at(sp.Integer(side)))
    assert poly is not None
    return poly.nth(power) * side**power


def _squared_moment(power: int, degree: int, dim: int) -> sp.Expr:
    """``m(power, degree)^2``, rational or rational over ``pi`` or ``1/pi``."""
    if (power - degree) % 2 == 0:
        return rational(power_eigenvalue(power, degree, dim) ** 2)
    size, roots = Fraction(math.factorial(power), 2**power), 0
    for twice, sign in ((dim, 1), (power - degree + 2, -1), (power + degree + dim, -1)):
        value, root = gamma_of_half(twice)
        size, roots = size * value**sign, roots + sign * root
    return rational(size**2) * ROOT_PI ** (2 * roots)


def gamma_of_half(twice: int) -> tuple[Fraction, int]:
    """``Gamma(twice/2)`` as a rational number and the power of ``sqrt(pi)``; ``twice`` odd, or positive.

    >>> gamma_of_half(8), gamma_of_half(5), gamma_of_half(-1)
    ((Fraction(6, 1), 0), (Fraction(3, 4), 1), (Fraction(-2, 1), 1))
    """
    if twice % 2 == 0:
        return Fraction(math.factorial(twice // 2 - 1)), 0
    n = (twice - 1) // 2
    size = math.factorial(2 * abs(n)), 4 ** abs(n) * math.factorial(abs(n))
    value = Fraction(size[0], size[1])  # Gamma(|n| + 1/2) / sqrt(pi)
    return (value if n >= 0 else (-1) ** (-n) / value), 1


def _times_rho(values: list[sp.Expr], dim: int) -> list[sp.Expr]:
    """Eigenvalues of ``rho kernel`` from those of ``kernel`` (one degree more)."""
    found = [values[1]]
    for k in range(1, len(values) - 1):
        below = 2 * k + dim - 2
        found.append(sp.Rational(k + dim - 2, below) * values[k + 1] + sp.Rational(k, below) * values[k - 1])
    return found
