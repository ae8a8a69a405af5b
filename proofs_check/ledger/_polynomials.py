"""NNGP and NTK of polynomial activations at rational points, exactly: from Gaussian moments alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import comb, factorial
from random import Random

from flint import fmpq

from proofs_check.ledger._exact import Rows, Vector, products

Polynomial = tuple[Fraction, ...]
"""Coefficients ``c_0, c_1, ..``."""


def poly(*coefficients: int | Fraction) -> Polynomial:
    return tuple(map(Fraction, coefficients))


POLYNOMIALS: dict[str, Polynomial] = {
    "t": poly(0, 1),
    "t^2": poly(0, 0, 1),
    "t + t^2": poly(0, 1, 1),
    "t^2 - 1": poly(-1, 0, 1),
    "t^3": poly(0, 0, 0, 1),
    "1 + t^3": poly(1, 0, 0, 1),
    "t - t^3/6": poly(0, 1, 0, Fraction(-1, 6)),
    "t^4 - 3 t^2": poly(0, 0, -3, 0, 1),
}


def derivative(s: Polynomial) -> Polynomial:
    return tuple(k * c for k, c in enumerate(s))[1:] or poly(0)


def evaluate(s: Polynomial, t: Fraction) -> Fraction:
    value = Fraction(0)
    for c in reversed(s):
        value = value * t + c
    return value


@cache
def moment_terms(i: int, j: int) -> tuple[tuple[Fraction, int, int, int], ...]:
    """``E u^i v^j`` as terms ``(weight, p, k, q)``: ``weight a^p c^k b^q``.

        sum_k i! j! / (k! p! q! 2^(p+q)) a^p c^k b^q,    p = (i - k)/2,  q = (j - k)/2

    >>> moment_terms(2, 2)
    ((Fraction(1, 1), 1, 0, 1), (Fraction(2, 1), 0, 2, 0))
    """
    found = []
    for k in range(i % 2, min(i, j) + 1, 2):
        if (j - k) % 2 == 0:
            p, q = (i - k) // 2, (j - k) // 2
            below = factorial(k) * factorial(p) * factorial(q) * 2 ** (p + q)
            found.append((Fraction(factorial(i) * factorial(j), below), p, k, q))
    return tuple(found)


def moment(i: int, j: int, a: Fraction, c: Fraction, b: Fraction) -> Fraction:
    """``E u^i v^j`` for variances ``a``, ``b`` and covariance ``c``.

    >>> moment(2, 2, Fraction(1), Fraction(1, 2), Fraction(1))
    Fraction(3, 2)
    """
    return sum((w * a**p * c**k * b**q for w, p, k, q in moment_terms(i, j)), Fraction(0))


def dual(s: Polynomial, a: Fraction, c: Fraction, b: Fraction) -> Fraction:
    """``E s(u) s(v)``."""
    found = _dual(_terms(s), *(fmpq(e.numerator, e.denominator) for e in (a, c, b)))
    return Fraction(int(found.p), int(found.q))


@cache
def _terms(s: Polynomial) -> tuple[tuple[fmpq, int, int, int], ...]:
    """The terms of all ``E u^i v^j``, collected."""
    total: dict[tuple[int, int, int], Fraction] = {}
    for i, e in enumerate(s):
        for j, f in enumerate(s):
            for weight, *powers in moment_terms(i, j) if e and f else ():
                key = powers[0], powers[1], powers[2]
                total[key] = total.get(key, Fraction(0)) + e * f * weight
    return tuple((fmpq(w.numerator, w.denominator), *key) for key, w in total.items())


def _dual(terms: tuple[tuple[fmpq, int, int, int], ...], a: fmpq, c: fmpq, b: fmpq) -> fmpq:
    return sum((w * a**p * c**k * b**q for w, p, k, q in terms), fmpq(0))


def dual_matrix(s: Polynomial, covariance: Rows) -> list[list[Fraction]]:
    """``E s(g_i) s(g_j)``, ``g ~ N(0, covariance)``."""
    size = len(covariance)
    rows = [[Fraction(0)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rows[i][j] = rows[j][i] = dual(s, covariance[i][i], covariance[i][j], covariance[j][j])
    return rows


def kernels(
    layers: Sequence[Polynomial],
    points: Sequence[Vector],
    weight: Fraction = Fraction(1),
    bias: Fraction = Fraction(0),
) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
    """NNGP and NTK of a network with these activations, by the recursion."""
    dim = len(points[0])
    nngp = [[weight * e / dim + bias for e in row] for row in products(points)]
    ntk = nngp
    for s in layers:
        slope = dual_matrix(derivative(s), nngp)
        nngp = [[weight * e + bias for e in row] for row in dual_matrix(s, nngp)]
        ntk = [
            [e + weight * f * t for e, f, t in zip(*three, strict=True)]
            for three in zip(nngp, slope, ntk, strict=True)
        ]
    return nngp, ntk


def degree_set(layers: Sequence[Polynomial], bias: bool) -> frozenset[int]:
    """The degrees of the monomials that the network reaches: sums of as many earlier degrees as a power
    says, for every power of the activation; 0 too with a bias."""
    degrees = frozenset({0, 1} if bias else {1})
    for s in layers:
        sums, found = frozenset({0}), frozenset({0} if bias else ())
        for c in s:
            found |= sums if c else frozenset()
            sums = frozenset(a + b for a in sums for b in degrees)
        degrees = found
    return degrees


def monomial_count(degrees: frozenset[int], dim: int) -> int:
    """How many monomials in ``dim`` variables have one of these degrees."""
    return sum(comb(dim + k - 1, k) for k in degrees)


def generic(count: int, dim: int, seed: int) -> list[Vector]:
    """Random rational points, none 0, none another or its opposite."""
    rng = Random(f"{count} {dim} {seed}")
    found: list[Vector] = []
    known = {(Fraction(0),) * dim}
    while len(found) < count:
        x = tuple(Fraction(rng.randint(-30, 30), rng.choice((1, 2, 3))) for _ in range(dim))
        if x not in known:
            known |= {x, tuple(-e for e in x)}
            found.append(x)
    return found
