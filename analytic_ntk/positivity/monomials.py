"""Dependencies among the vectors of all monomials of some degrees, at given points.

They are the null space of a polynomial network's Gram matrix (a sum of Schur powers of the inputs' Gram
matrix with positive weights), whatever those weights are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement

from flint import nmod_mat

from analytic_ntk.positivity.linear import PRIME, Dependency, Vector, null_space


def monomial_dependencies(points: Sequence[Vector], degrees: frozenset[int]) -> tuple[Dependency, ...]:
    """A basis of the ``u`` with ``sum_k u_k x_k^e = 0`` for every monomial whose degree is in ``degrees``.

    >>> line = [(Fraction(k), Fraction(1)) for k in range(4)]
    >>> (found,) = monomial_dependencies(line, frozenset({2}))
    >>> [int(found.all_entries()[k]) for k in range(4)]
    [-1, 3, -3, 1]
    """
    size = len(points)
    if not size:
        return ()
    count = sum(math.comb(len(points[0]) + degree - 1, degree) for degree in degrees)
    if count >= size and _independent(points, degrees):
        return ()
    rows = _monomials(points, degrees) if count <= 2 * size else _gram(points, degrees)
    return null_space(list(rows), size)


def _monomials(points: Sequence[Vector], degrees: frozenset[int]) -> Iterator[Vector]:
    for degree in sorted(degrees):
        for places in combinations_with_replacement(range(len(points[0])), degree):
            powers = [(j, places.count(j)) for j in sorted(set(places))]
            yield tuple(math.prod((x[j] ** k for j, k in powers), start=Fraction(1)) for x in points)


def _gram(points: Sequence[Vector], degrees: frozenset[int]) -> Iterator[Vector]:
    """Of the kernel ``sum_k <x, y>^k``."""
    whole = _all_up_to(degrees)
    for x in points:
        inner = (sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in points)
        if whole is None:
            yield tuple(sum((entry**k for k in degrees), Fraction(0)) for entry in inner)
        else:
            yield tuple((1 + entry) ** whole for entry in inner)


def _all_up_to(degrees: frozenset[int]) -> int | None:
    """The top degree if no lower one is missing: ``(1 + <x, y>)^top`` then holds the same monomials."""
    top = max(degrees, default=-1)
    return top if degrees and len(degrees) == top + 1 else None


def _independent(points: Sequence[Vector], degrees: frozenset[int]) -> bool:
    """Whether the Gram matrix is invertible modulo a prime: then it is over the rationals."""
    if any(entry.denominator % PRIME == 0 for x in points for entry in x):
        return False
    reduced = [[e.numerator * pow(e.denominator, -1, PRIME) % PRIME for e in x] for x in points]
    inner = nmod_mat(len(points), len(points[0]), [e for x in reduced for e in x], PRIME)
    whole = _all_up_to(degrees)
    entries = []
    for entry in map(int, (inner * inner.transpose()).entries()):
        if whole is None:
            entries.append(sum(pow(entry, k, PRIME) for k in degrees) % PRIME)
        else:
            entries.append(pow(1 + entry, whole, PRIME))
    return bool(nmod_mat(len(points), len(points), entries, PRIME).rank() == len(points))
