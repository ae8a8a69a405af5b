"""What is left outside a window, and how large an integrand is: growth bounds and rough magnitudes."""

from __future__ import annotations

import math
from collections.abc import Callable

from flint import arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, Growth, Scaled, same_function, up, upper

CRAMER = arb("1.0865")
"""``|h_n(x)| <= CRAMER * exp(x^2 / 4)`` for the normalised Hermite polynomials (Cramer)."""


def product(one: Growth, other: Growth) -> Growth:
    return Growth(
        (one.constant * other.constant).upper(),
        (one.linear + other.linear).upper(),
        (one.quadratic + other.quadratic).upper(),
    )


def hermite_growth() -> Growth:
    return Growth(CRAMER.upper(), arb(0), arb(0.25))


def conditional(growth: Growth, rho: arb, variance: arb) -> Growth:
    """The growth in ``x`` of ``E |g(rho x + sqrt(variance) Z)|``, infinite if ``g`` grows too fast.

    From ``E exp(b w + k w^2) = (1 - 2 k v)^(-1/2) exp((k m^2 + b m + b^2 v/2) / (1 - 2 k v))`` for
    ``w ~ N(m, v)``, used with ``b = +-linear``.
    """
    slack = 1 - 2 * growth.quadratic * variance
    if not slack > 0:
        return Growth(arb("inf"), arb(0), arb(0))
    signs = 1 if growth.linear == 0 else 2
    constant = signs * growth.constant / slack.sqrt() * (growth.linear**2 * variance / 2 / slack).exp()
    return Growth(
        constant.upper(),
        (growth.linear * abs(rho) / slack).upper(),
        (growth.quadratic * rho * rho / slack).upper(),
    )


def at_radius(growth: Growth, radius: float) -> arb:
    """An upper bound of the growth at ``|x| = radius``."""
    r = arb(radius)
    return (growth.constant * (growth.linear * r + growth.quadratic * r * r).exp()).upper()


def tail_bound(growth: Growth, radius: float) -> arb:
    """``int_{|x| > radius} |F(x)| gamma(x) dx`` for ``|F|`` of this growth; infinite if it may diverge."""
    decay = arb(0.5) - growth.quadratic
    if not decay > 0:
        return arb("inf")
    root = decay.sqrt()
    half = growth.linear / (2 * root)
    value = growth.constant * (half * half).exp() / (2 * decay).sqrt() * (root * arb(radius) - half).erfc()
    return value.upper()


def window(bound: Callable[[float], arb], target: arb, start: float = 1.0) -> float:
    """A radius at which ``bound`` is below ``target``, at most a few per cent too wide."""
    radius = start
    while not bound(radius) < target:
        radius *= 1.04
        if radius > 1e5:
            raise _too_fast()
    return radius


def _too_fast() -> DomainError:
    return DomainError(
        "a function that grows too fast for its variance",
        "growth below exp(x^2 / (4 q)) for second moments of a N(0, q) variable",
        "reduce the variance, or use the closed form if there is one",
    )


def magnitude(f: Scaled) -> arb:
    """About ``sqrt(E f^2)``: only a scale for the goal, no bound rests on it. Exactly 0 for ``f = 0``."""
    if f.pieces.parts == (0,):
        return arb(0)
    growth = f.growth()
    decay = max(0.5 - 2 * up(growth.quadratic), 0.02)
    peak = up(growth.linear) / decay
    radius = peak + 4 / math.sqrt(decay)
    farthest = max((up(abs(b)) for b in f.breaks()), default=0.0)
    radius = max(radius, min(farthest + 2, 50.0))
    if not radius <= 1e5:
        raise _too_fast()
    count = min(400, math.ceil(8 * radius))
    step = radius / count
    nodes = [arb((a + 0.5) * step) for a in range(-count, count)]
    total = arb(0)
    for node, value in zip(nodes, f.values(nodes), strict=True):
        if value.is_finite():
            total += (value * value).mid() * (-node * node / 2).exp()
    size = (total * step).upper().sqrt().mid()
    return size if size > 0 else arb(2) ** -64


def goal_radius(f: Scaled, g: Scaled, goal_bits: int) -> arb:
    """The radius asked for: ``2^-goal_bits sqrt(E f^2 E g^2)``, roughly."""
    with working_precision(BOUND_BITS):
        one = magnitude(f)
        other = one if same_function(f, g) else magnitude(g)
        return (one * other * arb(2) ** -goal_bits).mid()


def require_finite(bound: arb, what: str) -> arb:
    if not bound.is_finite():
        raise PrecisionError(f"no finite error bound for {what}", "a function analytic near its pieces")
    return upper(bound)
