"""Exact linear algebra over the rationals: dependencies of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_mat, nmod_mat

PRIME = 2**61 - 1
MODULAR = 20
"""From so many unknowns on, full rank is tried modulo a prime first."""
Vector = tuple[Fraction, ...]
Sparse = tuple[tuple[int, Fraction], ...]
"""A vector as its nonzero entries, sorted by place."""


@dataclass(frozen=True)
class Dependency:
    """A null vector: 1 at ``own``, where no other of its basis has an entry; the rest in ``entries``."""

    own: int
    entries: Sparse

    def placed(self, places: Sequence[int]) -> Dependency:
        """The same with place ``k`` renamed ``places[k]``."""
        return Dependency(places[self.own], tuple(sorted((places[k], e) for k, e in self.entries)))

    def all_entries(self) -> dict[int, Fraction]:
        return {self.own: Fraction(1), **dict(self.entries)}


def sparse(vector: Vector) -> Sparse:
    """The nonzero entries."""
    return tuple((place, entry) for place, entry in enumerate(vector) if entry)


def null_space(rows: Sequence[Vector], size: int) -> tuple[Dependency, ...]:
    """A basis of ``{u : row . u = 0 for all rows}``.

    >>> null_space(((Fraction(1), Fraction(2), Fraction(0)),), 3)
    (Dependency(own=1, entries=((0, Fraction(-2, 1)),)), Dependency(own=2, entries=()))
    """
    given = [[fmpq(e.numerator, e.denominator) for e in row] for row in rows if any(row)]
    if not given or not size:
        return tuple(Dependency(k, ()) for k in range(size))
    if size >= MODULAR and len(given) >= size and _independent_modulo(given, size):
        return ()
    form, rank = fmpq_mat(given).rref()
    pivots: list[int] = []
    for i in range(rank):
        pivots.append(next(j for j in range(pivots[-1] + 1 if pivots else 0, size) if form[i, j] != 0))
    free = (j for j in range(size) if j not in set(pivots))
    return tuple(
        Dependency(j, tuple((p, -_fraction(form[i, j])) for i, p in enumerate(pivots) if form[i, j] != 0))
        for j in free
    )


def _independent_modulo(rows: list[list[fmpq]], size: int) -> bool:
    """Whether the columns are independent modulo a prime: then they are over the rationals."""
    if any(int(e.q) % PRIME == 0 for row in rows for e in row):
        return False
    reduced = [[int(e.p) * pow(int(e.q), -1, PRIME) % PRIME for e in row] for row in rows]
    return bool(nmod_mat(len(rows), size, [e for row in reduced for e in row], PRIME).rank() == size)


def combined(weights: Sequence[Dependency], basis: Sequence[Dependency]) -> tuple[Dependency, ...]:
    """The dependencies ``sum_b weight_b basis_b``, one for each weight vector over the basis."""
    found = []
    for weight in weights:
        total: dict[int, Fraction] = {}
        for b, w in weight.all_entries().items():
            for place, entry in basis[b].all_entries().items():
                total[place] = total.get(place, Fraction(0)) + w * entry
        own = basis[weight.own].own
        rest = sorted((place, entry) for place, entry in total.items() if entry and place != own)
        found.append(Dependency(own, tuple(rest)))
    return tuple(found)


def coordinates(basis: Sequence[Dependency], size: int) -> tuple[Sparse, ...]:
    """Vectors ``z_0 .. z_{size-1}`` whose dependencies are exactly the span of ``basis``."""
    own = {u.own: u for u in basis}
    return tuple(
        tuple((place, -entry) for place, entry in own[k].entries) if k in own else ((k, Fraction(1)),)
        for k in range(size)
    )


def coprime(entries: dict[int, Fraction], size: int) -> Vector:
    """The whole vector, scaled to coprime integers."""
    common = math.lcm(*(entry.denominator for entry in entries.values()))
    divisor = math.gcd(*(int(entry * common) for entry in entries.values()))
    scale = Fraction(common, divisor)
    return tuple(entries.get(k, Fraction(0)) * scale for k in range(size))


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))
