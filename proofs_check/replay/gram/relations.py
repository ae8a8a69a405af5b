"""Rational vectors up to a linear isomorphism: their relations, and coordinates with given relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from flint import fmpq, fmpq_mat, nmod_mat

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal
from proofs_check.replay.reading import MAX_POINTS, Vector

PRIME = 2**61 - 1
MAX_BITS = 2_000_000
"""Of all the entries of a matrix."""


def bits(row: Sequence[Fraction]) -> int:
    """The length of its entries in all."""
    return sum(e.numerator.bit_length() + e.denominator.bit_length() for e in row)


def _matrix(rows: Sequence[Sequence[Fraction]]) -> fmpq_mat:
    if sum(map(bits, rows)) > MAX_BITS:
        raise Refusal("rational numbers that grow too long")
    return fmpq_mat(len(rows), len(rows[0]), [fmpq(e.numerator, e.denominator) for row in rows for e in row])


def _fraction(number: fmpq) -> Fraction:
    return Fraction(int(number.p), int(number.q))


def gram_matrix(vectors: Sequence[Vector]) -> list[Vector]:
    """``<z_i, z_k>``."""
    matrix = _matrix(vectors)
    product = matrix * matrix.transpose()
    return [tuple(_fraction(product[i, k]) for k in range(len(vectors))) for i in range(len(vectors))]


def orthogonal(u: Vector, vectors: Sequence[Vector]) -> bool:
    """Whether ``sum_i u_i z_i = 0``."""
    columns = zip(*vectors, strict=True)
    return all(sum((a * b for a, b in zip(u, c, strict=True)), Fraction(0)) == 0 for c in columns)


def lines(vectors: Sequence[Vector]) -> tuple[list[list[tuple[int, Fraction]]], list[int]]:
    """The vectors by lines through 0, each as ``(place, ratio to the first of it)``; the places of 0."""
    groups: dict[Vector, list[tuple[int, Fraction]]] = {}
    zeros: list[int] = []
    for i, z in enumerate(vectors):
        lead = next((e for e in z if e), None)
        if lead is None:
            zeros.append(i)
        else:
            groups.setdefault(tuple(e / lead for e in z), []).append((i, lead))
    return [[(i, lead / line[0][1]) for i, lead in line] for line in groups.values()], zeros


@dataclass(frozen=True)
class Linear:
    """Linear algebra, paid for from a budget."""

    budget: Budget

    def relations(self, vectors: Sequence[Vector]) -> list[Vector]:
        """A basis of ``{u : sum_i u_i z_i = 0}``."""
        if not vectors or self._independent_modulo(vectors):
            return []
        rows, pivots = self._echelon([*zip(*vectors, strict=True)])
        found = []
        for j in (j for j in range(len(vectors)) if j not in pivots):
            u = [Fraction(0)] * len(vectors)
            u[j] = Fraction(1)
            for row, pivot in zip(rows, pivots, strict=True):
                u[pivot] = -row[j]
            found.append(tuple(u))
        return found

    def coordinates(
        self, null_vectors: Sequence[Vector], size: int
    ) -> tuple[tuple[Vector, ...], tuple[int, ...]]:
        """Vectors ``z_0 .. z_{size-1}`` whose relations are spanned by ``null_vectors``; the places of those
        that are a basis (all but the pivots of the null vectors)."""
        rows, pivots = self._echelon(null_vectors)
        free = [j for j in range(size) if j not in pivots]
        if not free:
            return ((Fraction(0),),) * size, ()
        found: list[Vector] = []
        for i in range(size):
            row = rows[pivots.index(i)] if i in pivots else None
            found.append(tuple(-row[j] if row else Fraction(int(i == j)) for j in free))
        return tuple(found), tuple(free)

    def reduced(self, vectors: Sequence[Vector], rank_at_most: int = MAX_POINTS) -> tuple[Vector, ...]:
        """Vectors with the same relations, in as many coordinates as their rank (``rank_at_most``: a bound
        that is known)."""
        rows, _ = self._echelon([*zip(*vectors, strict=True)], rank_at_most)
        return tuple(zip(*rows, strict=True)) if rows else ((Fraction(0),),) * len(vectors)

    def rank(self, vectors: Sequence[Vector]) -> int:
        return len(vectors) - len(self.relations(vectors))

    def _echelon(
        self, rows: Sequence[Vector], rank_at_most: int = MAX_POINTS
    ) -> tuple[list[Vector], list[int]]:
        """The nonzero rows of the reduced echelon form, and their pivots."""
        if not rows or not rows[0]:
            return [], []
        self.budget.spend(4 * self._cost(rows) * min(len(rows), len(rows[0]), rank_at_most))
        form, rank = _matrix(rows).rref()
        reduced = [tuple(_fraction(form[i, j]) for j in range(form.ncols())) for i in range(rank)]
        return reduced, [next(j for j, e in enumerate(row) if e) for row in reduced]

    def _cost(self, rows: Sequence[Vector]) -> int:
        """The bits of the entries once every row is a row of integers."""
        total = 0
        for row in rows:
            common = 1
            for e in row:
                common = lcm(common, e.denominator)
                if common.bit_length() > MAX_BITS:
                    raise Refusal("rational numbers that grow too long")
            total += len(row) * (common.bit_length() + max(e.numerator.bit_length() for e in row))
        return total

    def _independent_modulo(self, vectors: Sequence[Vector]) -> bool:
        """Whether they are independent modulo a prime: then they are over the rationals."""
        size, length = len(vectors), len(vectors[0])
        if length < size or any(e.denominator % PRIME == 0 for z in vectors for e in z):
            return False
        self.budget.spend(20 * size * size * length)
        entries = [e.numerator * pow(e.denominator, -1, PRIME) % PRIME for z in vectors for e in z]
        return bool(nmod_mat(size, length, entries, PRIME).rank() == size)
