"""Point sets: what the checks run on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from random import Random

from proofs_check.ledger._exact import Vector, rank

Points = list[Vector]


def points(*rows: Sequence[int | str | Fraction]) -> Points:
    return [tuple(Fraction(e) for e in row) for row in rows]


def fan(count: int) -> Points:
    """``(1, k)``: no two proportional."""
    return points(*([1, k] for k in range(count)))


def circle(t: Fraction) -> Vector:
    """A rational point of the unit circle."""
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def sphere(a: Fraction, b: Fraction) -> Vector:
    """A rational point of the unit sphere in three dimensions."""
    size = a * a + b * b
    return 2 * a / (size + 1), 2 * b / (size + 1), (size - 1) / (size + 1)


def mirrored(half: Points) -> Points:
    """Points followed by their antipodes."""
    return [*half, *(tuple(-e for e in x) for x in half)]


def scaled(x: Vector, factor: int | Fraction) -> Vector:
    return tuple(factor * e for e in x)


def random_points(count: int, dim: int, seed: int) -> Points:
    """Distinct rational points, no two proportional, none 0."""
    rng = Random(f"{seed} {dim}")
    found: Points = []
    while len(found) < count:
        x = tuple(Fraction(rng.randint(-6, 6), rng.randint(3, 4)) for _ in range(dim))
        if any(x) and all(rank([x, y]) == 2 for y in found):
            found.append(x)
    return found


DISTINCT: dict[str, Points] = {
    "a line through 0 with antipodes": points([-2], [-1], [0], [1], [2]),
    "multiples of a vector": points([1, 2], [2, 4], [-1, -2], [0, 0], [3, 6]),
    "near duplicates": points(["1", "1"], ["101/100", "1"], ["1", "101/100"]),
    "a square and its centre": points([1, 1], [-1, 1], [-1, -1], [1, -1], [0, 0]),
    "random in R^3": random_points(5, 3, 1),
}
"""Pairwise distinct; proportional points, antipodes and 0 among them."""

NON_PROPORTIONAL: dict[str, Points] = {
    "a fan": points(["1", "-1"], ["1", "-1/2"], ["1", "0"], ["1", "1/2"], ["1", "1"]),
    "a narrow fan": points(["1", "1/10"], ["1", "1/5"], ["1", "3/10"]),
    "random in R^2": random_points(5, 2, 2),
    "random in R^3": random_points(5, 3, 3),
    "unit vectors and sums in R^4": points([1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]),
}
"""No two proportional, none 0."""


def proportional_pairs(X: Points) -> list[tuple[int, int, Fraction]]:
    """All ``(i, j, c)`` with ``x_j = c x_i``, ``i < j``, both not 0."""
    found = []
    for i, j in combinations(range(len(X)), 2):
        if any(X[i]) and any(X[j]) and rank([X[i], X[j]]) == 1:
            place = next(k for k, e in enumerate(X[i]) if e)
            found.append((i, j, X[j][place] / X[i][place]))
    return found
