"""Spherical harmonics on ``S^(dim-1)``: multiplicities, and eigenvalues of the powers of ``rho``.

``P_k`` is the Gegenbauer polynomial normalised by ``P_k(1) = 1`` (Chebyshev for ``dim = 2``, Legendre for
``dim = 3``). By Funk and Hecke, the integral operator of ``kernel(<x, y>)`` under the uniform probability
measure multiplies harmonics of degree ``k`` by

    lambda_k = E[kernel(t) P_k(t)],   t = <x, y> of a random y: density ~ (1 - t^2)^((dim - 3)/2).

For ``kernel = t^j`` Rodrigues' formula gives, for every real ``j > -1`` (``|t|^j`` for even ``k``,
``sign(t) |t|^j`` for odd ``k``),

    m(j, k) = Gamma(dim/2) Gamma(j + 1) / (2^j Gamma((j - k)/2 + 1) Gamma((j + k + dim)/2)).

For integers ``j >= k`` of one parity this is rational, ``j! / (2^i i! dim (dim + 2) .. (dim + j + k - 2))``
with ``i = (j - k)/2``; it is 0 for the other integers ``j < k`` of that parity.
"""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb, fmpq

from analytic_ntk.errors import DomainError

MAX_DIM = 10_000
MAX_DEGREE = 200


def require_dim(dim: int) -> None:
    """Raise :class:`DomainError` unless ``dim`` is an integer from 2 to ``MAX_DIM``."""
    if isinstance(dim, bool) or not isinstance(dim, int) or not 2 <= dim <= MAX_DIM:
        raise DomainError(f"dim = {dim!r}", f"an integer from 2 to {MAX_DIM}", "the sphere is S^(dim-1)")


def require_degree(degree: int, most: int = MAX_DEGREE) -> None:
    """Raise :class:`DomainError` unless ``degree`` is an integer from 0 to ``most``."""
    if isinstance(degree, bool) or not isinstance(degree, int) or not 0 <= degree <= most:
        raise DomainError(f"degree = {degree!r}", f"an integer from 0 to {most}")


def multiplicity(dim: int, degree: int) -> int:
    """The dimension of the space of harmonics of one degree on ``S^(dim-1)``.

    >>> [multiplicity(2, k) for k in range(4)], [multiplicity(3, k) for k in range(4)]
    ([1, 2, 2, 2], [1, 3, 5, 7])
    """
    require_dim(dim)
    require_degree(degree, 10**6)
    full = math.comb(degree + dim - 1, dim - 1)
    return full - (math.comb(degree + dim - 3, dim - 1) if degree >= 2 else 0)


def power_eigenvalue(power: int, degree: int, dim: int) -> Fraction:
    """``m(power, degree)``: the eigenvalue of ``rho^power`` on harmonics of one degree, a rational number.

    >>> power_eigenvalue(2, 0, 3), power_eigenvalue(2, 2, 3), power_eigenvalue(2, 1, 3)
    (Fraction(1, 3), Fraction(2, 15), Fraction(0, 1))
    """
    require_dim(dim)
    require_degree(degree, 10**6)
    require_degree(power, 10**6)
    if power < degree or (power - degree) % 2:
        return Fraction(0)
    half = (power - degree) // 2
    below = 2**half * math.factorial(half) * math.prod(range(dim, dim + power + degree, 2))
    return Fraction(math.factorial(power), below)


def first_decreasing(degree: int, dim: int) -> int:
    """From this power on (within one parity) ``m(j, degree)`` never increases with ``j``.

    The ratio ``m(j + 2)/m(j) = (j + 1)(j + 2)/((j - k + 2)(j + k + dim))`` is at most 1 exactly when
    ``(dim - 1) j >= (k - 2)(k + dim) + 2``, a condition that stays true once it is.
    """
    bound = (degree - 2) * (degree + dim) + 2
    return max(degree, -(-bound // (dim - 1)))


def power_ball(power: int, degree: int, dim: int) -> arb:
    """``m(power, degree)`` as a ball, by Gamma functions (for ``power >= degree`` of one parity)."""
    half = arb((power - degree) // 2 + 1).gamma()
    top = (arb(dim) / 2).gamma() * arb(power + 1).gamma()
    return top / (arb(2) ** power * half * (arb(power + degree + dim) / 2).gamma())


def diagonal_balls(degree: int, dim: int) -> list[arb]:
    """``m(k, k) = k!/(dim (dim + 2) .. (dim + 2k - 2))`` for ``k = 0 .. degree``."""
    values = [arb(1)]
    for k in range(degree):
        values.append(values[-1] * fmpq(k + 1, dim + 2 * k))
    return values


def normalisation(dim: int) -> arb:
    """``c`` with ``c int_-1^1 (1 - t^2)^((dim - 3)/2) dt = 1``."""
    return (arb(dim) / 2).gamma() / ((arb(dim - 1) / 2).gamma() * arb.pi().sqrt())
