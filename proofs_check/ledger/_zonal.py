"""Zonal kernels with rational values: power series and Poisson kernels, summed in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from proofs_check.claim import Case
from proofs_check.ledger._exact import Vector, is_positive_definite, products, times
from proofs_check.ledger._points import Points, circle, mirrored, scaled, sphere

Zonal = Callable[[Fraction], Fraction]
"""A function of the inner product."""

T = tuple(map(Fraction, ("0", "1/3", "1/2", "2", "-1/4")))
ON_CIRCLE: dict[str, Points] = {
    "5 points of the circle": [circle(t) for t in T],
    "3 antipodal pairs of the circle": mirrored([circle(t) for t in T[:3]]),
    "near points of the circle": [circle(t) for t in map(Fraction, ("0", "1/50", "1/40"))],
}
AB = tuple((Fraction(a), Fraction(b)) for a, b in ((0, 0), (1, 0), (0, 1), ("1/2", 1), (2, "-1/3")))
ON_SPHERE: dict[str, Points] = {
    "5 points of the sphere": [sphere(a, b) for a, b in AB],
    "4 antipodal pairs of the sphere": mirrored([sphere(a, b) for a, b in AB[:4]]),
    "a great circle": [(*circle(t), Fraction(0)) for t in T],
}
IN_PLANE: dict[str, Points] = {
    where: [scaled(x, Fraction(1, 4)) for x in X] + [(Fraction(0), Fraction(0))]
    for where, X in ON_CIRCLE.items()
} | {"a line through 0 with antipodes": [(Fraction(k, 8), Fraction(k, 8)) for k in range(-2, 3)]}
"""Small enough for the series below; 0 is among them."""


def matrix(kernel: Zonal, X: Points) -> list[list[Fraction]]:
    return [[kernel(e) for e in row] for row in products(X)]


def positive(kernels: dict[str, Zonal], sets: dict[str, Points]) -> Iterator[Case]:
    """All pivots of the exact kernel matrix are positive."""
    for name, kernel in kernels.items():
        for where, X in sets.items():
            yield Case(f"{name}, {where}", is_positive_definite(matrix(kernel, X)))


def null(kernel: Zonal, X: Points, u: Sequence[int | Fraction]) -> bool:
    """Whether ``u`` is a null vector, exactly."""
    vector: Vector = tuple(map(Fraction, u))
    return any(vector) and not any(times(matrix(kernel, X), vector))
