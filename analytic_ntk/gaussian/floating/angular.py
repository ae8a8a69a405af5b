"""Positively homogeneous activations in closed form: ``alpha x^k`` (``x > 0``), ``beta |x|^k`` (``x < 0``).

With ``psi`` the angle for which ``rho = -cos psi`` (Cho and Saul's arc-cosine family, unit variances)

    J_k(psi) = E max(x,0)^k max(y,0)^k = 2^k k!/(2 pi) int_0^psi (sin a sin(psi - a))^k da,

a positive integral of an entire function: full *relative* accuracy down to ``psi = 0``, where ``J_k`` is of
order ``psi^(2k+1)``. On the other side ``J_k(pi) - J_k(pi - a) = k^2 int_0^a sin t J_{k-1}(pi - t) dt``.
Everything is written in the small angle ``a = 2 asin(sqrt(delta/2))``, ``delta = 1 - |rho|``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, pi

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating.line import unit_gauss
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Array = NDArray[np.float64]
# sin a - a cos a = sum_n (-1)^(n+1) 2n a^(2n+1)/(2n+1)!, enough terms for a <= pi/2
_SINE_MOMENT = np.array([(-1) ** (n + 1) * 2 * n / factorial(2 * n + 1) for n in range(1, 14)])
_MOST_POWER = 24


@dataclass(frozen=True)
class Homogeneous:
    """``alpha x^k`` for ``x > 0`` and ``beta |x|^k`` for ``x < 0``."""

    power: int
    alpha: float
    beta: float

    @classmethod
    def of(cls, phi: Pieces) -> Homogeneous | None:
        """Recognise the class; ``None`` if ``phi`` is not in it."""
        if phi.breakpoints not in ((), (sp.Integer(0),)):
            return None
        left, right = _monomial(phi.parts[0]), _monomial(phi.parts[-1])
        if left is None or right is None:
            return None
        power = max(left[1], right[1])
        if (left[0] and left[1] != power) or (right[0] and right[1] != power) or power > _MOST_POWER:
            return None
        return cls(power, right[0], left[0] * (-1) ** power)

    @property
    def is_linear(self) -> bool:
        return self.power == 1 and self.alpha == -self.beta

    def derivative(self) -> Homogeneous | None:
        """``phi'`` away from 0; ``None`` when it vanishes."""
        if self.power == 0:
            return None
        return Homogeneous(self.power - 1, self.power * self.alpha, -self.power * self.beta)

    def second_moment(self, q: Array) -> Array:
        """``E phi(u)^2 = (alpha^2 + beta^2) (2k-1)!!/2 q^k``; at ``q = 0`` a jump counts as its mean."""
        value = (self.alpha**2 + self.beta**2) * _half_moment(self.power) * q**self.power
        return np.where(q == 0, self.at_zero**2, value)

    @property
    def at_zero(self) -> float:
        return 0.5 * (self.alpha + self.beta) if self.power == 0 else 0.0

    def pair(self, low: Array, high: Array, delta: Array, sign: Array) -> tuple[Array, Array]:
        """``E phi(u)phi(v)`` and its gap, for positive variances."""
        k, a2, ab = self.power, self.alpha**2 + self.beta**2, self.alpha * self.beta
        scale = np.sqrt(low) ** k * np.sqrt(high) ** k
        angle = 2 * np.arcsin(np.sqrt(0.5 * delta))
        near, far, full = opening(k, angle), closing(k, angle), _half_moment(k)
        positive = a2 * (full - far) + 2 * ab * near
        negative = a2 * near + 2 * ab * (full - far)
        dual = np.where(sign > 0, positive, negative)
        up = (self.alpha - self.beta) ** 2 * full - a2 * near + 2 * ab * far
        down = (self.alpha + self.beta) ** 2 * full + a2 * near - 2 * ab * far
        gap = np.where(sign > 0, a2 * far - 2 * ab * near, np.where(negative >= 0, up, down))
        return scale * dual, scale * np.maximum(gap, 0.0)


def _monomial(expr: sp.Expr) -> tuple[float, int] | None:
    """``(c, k)`` with ``expr = c x^k``, a number ``c``."""
    coefficient, rest = sp.expand(expr).as_independent(x, as_Add=False)
    if coefficient == 0:
        return 0.0, 0
    if not coefficient.is_number or not coefficient.is_real:
        return None
    power = sp.Integer(0) if rest == 1 else sp.Integer(1) if rest == x else None
    if isinstance(rest, sp.Pow) and rest.base == x and rest.exp.is_Integer and rest.exp > 0:
        power = rest.exp
    return None if power is None else (float(sp.N(coefficient, 25)), int(power))


def _half_moment(k: int) -> float:
    """``E max(x, 0)^(2k) = (2k-1)!!/2``."""
    return factorial(2 * k) / (2**k * factorial(k)) / 2


def _sine_moment(a: Array) -> Array:
    """``sin a - a cos a`` on ``[0, pi/2]`` with full relative accuracy."""
    square = a * a
    total = np.zeros_like(a)
    for c in _SINE_MOMENT[::-1]:
        total = total * square + c
    return total * square * a


def opening(k: int, psi: Array) -> Array:
    """``J_k(psi)``, the expectation at ``rho = -cos psi``, for ``psi`` in ``[0, pi]``."""
    if k == 0:
        return psi / (2 * pi)
    if k == 1:
        small = psi <= 0.5 * pi
        direct = _sine_moment(np.where(small, psi, 0.0)) / (2 * pi)
        return np.where(small, direct, 0.5 - closing(1, np.where(small, 0.0, pi - psi)))
    total = np.zeros_like(psi)
    for node, weight in zip(*unit_gauss(2 * k + 14), strict=True):
        total += weight * (np.sin(psi * node) * np.sin(psi * (1 - node))) ** k
    return 2.0**k * factorial(k) / (2 * pi) * psi * total


def closing(k: int, a: Array) -> Array:
    """``J_k(pi) - J_k(pi - a)``, the loss between ``rho = 1`` and ``rho = cos a``, ``a`` in ``[0, pi/2]``."""
    if k == 0:
        return a / (2 * pi)
    if k == 1:
        return np.sin(0.5 * a) ** 2 - _sine_moment(a) / (2 * pi)
    total = np.zeros_like(a)
    for node, weight in zip(*unit_gauss(2 * k + 14), strict=True):
        total += weight * np.sin(a * node) * opening(k - 1, pi - a * node)
    return k**2 * a * total
