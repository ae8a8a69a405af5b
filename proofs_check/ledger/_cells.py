"""Linear dependencies of ridge functions ``w -> s(z_i . w)`` on the plane, exactly and without a theorem.

For ``s`` a polynomial on each side of 0 the lines ``z_i . w = 0`` cut the plane into sectors, and in each
sector every ``s(z_i . w)`` is a polynomial in ``w``. So ``sum_i u_i s(z_i . w) = 0`` almost everywhere says
that in every sector every coefficient vanishes: linear equations in ``u`` with rational coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from math import comb

from proofs_check.ledger._exact import Vector, dot, null_space
from proofs_check.ledger._polynomials import Polynomial, evaluate, poly


@dataclass(frozen=True)
class Sided:
    """A function that is the polynomial ``right`` for ``t > 0`` and ``left`` for ``t < 0``."""

    right: Polynomial
    left: Polynomial

    def __call__(self, t: Fraction) -> Fraction:
        """At 0, the mean of the two sides."""
        if t == 0:
            return (self.right[0] + self.left[0]) / 2
        return evaluate(self.right if t > 0 else self.left, t)


SIDED: dict[str, Sided] = {
    "relu": Sided(poly(0, 1), poly(0)),
    "leaky_relu(1/10)": Sided(poly(0, 1), poly(0, Fraction(1, 10))),
    "abs": Sided(poly(0, 1), poly(0, -1)),
    "Max(x, 0)^2": Sided(poly(0, 0, 1), poly(0)),
    "x*Abs(x)": Sided(poly(0, 0, 1), poly(0, 0, -1)),
    "Max(x, 0) + x^2": Sided(poly(0, 1, 1), poly(0, 0, 1)),
    "Abs(x)^3 + x": Sided(poly(0, 1, 0, 1), poly(0, 1, 0, -1)),
    "step": Sided(poly(1), poly(0)),
    "sign": Sided(poly(1), poly(-1)),
    "sign(x) + x": Sided(poly(1, 1), poly(-1, 1)),
}
"""By a text that names the same activation."""


def sectors(vectors: Sequence[Vector]) -> list[Vector]:
    """A direction inside each sector into which the lines ``z . w = 0`` cut the plane (zeros cut nothing).

    >>> sectors([(Fraction(1), Fraction(0))])
    [(Fraction(1, 1), Fraction(0, 1)), (Fraction(-1, 1), Fraction(0, 1))]
    """
    rays: list[Vector] = []
    for z in vectors:
        ray = (-z[1], z[0])
        if ray[1] < 0 or (ray[1] == 0 and ray[0] < 0):
            ray = (-ray[0], -ray[1])
        if any(ray) and all(_cross(ray, known) for known in rays):
            rays.append(ray)
    if len(rays) < 2:
        inside = [(r[1], -r[0]) for r in rays] or [(Fraction(1), Fraction(0))]
        return [*inside, *((-a, -b) for a, b in inside)]
    rays.sort(key=cmp_to_key(_turn))
    turn = [*rays, *((-a, -b) for a, b in rays)]
    return [(r[0] + q[0], r[1] + q[1]) for r, q in zip(turn, [*turn[1:], turn[0]], strict=True)]


def _turn(r: Vector, q: Vector) -> int:
    return -1 if _cross(r, q) > 0 else 1


def _cross(r: Vector, q: Vector) -> Fraction:
    return r[0] * q[1] - r[1] * q[0]


def dependencies(s: Sided, vectors: Sequence[Vector]) -> list[Vector]:
    """A basis of all ``u`` with ``sum_i u_i s(z_i . w) = 0`` for almost every ``w`` in the plane."""
    top = max(len(s.right), len(s.left))
    rows = []
    for inside in sectors(vectors):
        sides = [s.right if dot(z, inside) > 0 else s.left for z in vectors]
        for degree in range(top):
            for a in range(degree + 1):
                rows.append(
                    [
                        comb(degree, a) * _coefficient(s, side, degree, z) * z[0] ** a * z[1] ** (degree - a)
                        for side, z in zip(sides, vectors, strict=True)
                    ]
                )
    return null_space(rows, len(vectors))


def _coefficient(s: Sided, side: Polynomial, degree: int, z: Vector) -> Fraction:
    if not any(z):
        return s(Fraction(0)) if degree == 0 else Fraction(0)
    return side[degree] if degree < len(side) else Fraction(0)
