"""Exact linear algebra over the rationals, on its own (nothing of the decision procedure is used)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

Vector = tuple[Fraction, ...]
Rows = Sequence[Sequence[Fraction]]


def matrix(rows: Rows) -> fmpq_mat:
    """Rows of rationals as a flint matrix."""
    flat = [fmpq(e.numerator, e.denominator) for row in map(_fractions, rows) for e in row]
    return fmpq_mat(len(rows), len(rows[0]), flat)


def _fractions(row: Sequence[Fraction]) -> list[Fraction]:
    return [Fraction(e) for e in row]


def rank(rows: Rows) -> int:
    return int(matrix(rows).rank()) if rows else 0


def determinant(rows: Rows) -> Fraction:
    return _fraction(matrix(rows).det())


def null_space(rows: Rows, size: int) -> list[Vector]:
    """A basis of ``{u : row . u = 0 for every row}``."""
    if not rows:
        return [tuple(Fraction(int(i == k)) for i in range(size)) for k in range(size)]
    form, count = matrix(rows).rref()
    pivots = [next(j for j in range(size) if form[i, j] != 0) for i in range(count)]
    basis = []
    for free in (j for j in range(size) if j not in pivots):
        u = [Fraction(0)] * size
        u[free] = Fraction(1)
        for i, pivot in enumerate(pivots):
            u[pivot] = -_fraction(form[i, free])
        basis.append(tuple(u))
    return basis


def same_span(one: Rows, other: Rows) -> bool:
    """Whether two families of vectors span the same space."""
    together = rank([*one, *other]) if one or other else 0
    return together == rank(one) == rank(other)


def pivot_places(vectors: Rows) -> list[int]:
    """As many places as independent vectors, where some basis of their span has the unit vectors."""
    if not vectors:
        return []
    form, count = matrix(vectors).rref()
    return [next(j for j in range(form.ncols()) if form[i, j] != 0) for i in range(count)]


def is_positive_definite(rows: Rows) -> bool:
    """A symmetric matrix, by the signs of its pivots."""
    return inertia(rows) == (len(rows), 0)


def is_positive_semidefinite(rows: Rows) -> bool:
    return inertia(rows)[1] == 0


def inertia(rows: Rows) -> tuple[int, int]:
    """How many eigenvalues of a symmetric matrix are positive, and how many negative (Sylvester).

    >>> inertia([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(0)]])
    (1, 1)
    """
    a = [_fractions(row) for row in rows]
    plus = minus = 0
    while a:
        size = len(a)
        place = next((i for i in range(size) if a[i][i] != 0), None)
        if place is None:
            pair = next(((i, j) for i in range(size) for j in range(i) if a[i][j] != 0), None)
            if pair is None:
                break
            i, j = pair  # congruence: row and column j added to i, and a pivot appears
            for k in range(size):
                a[i][k] += a[j][k]
            for k in range(size):
                a[k][i] += a[k][j]
            place = i
        pivot = a[place][place]
        plus, minus = plus + (pivot > 0), minus + (pivot < 0)
        rest = [k for k in range(size) if k != place]
        a = [[a[i][j] - a[i][place] * a[place][j] / pivot for j in rest] for i in rest]
    return plus, minus


def times(rows: Rows, u: Sequence[Fraction]) -> Vector:
    """The product of a matrix and a vector."""
    return tuple(sum((e * v for e, v in zip(row, u, strict=True)), Fraction(0)) for row in rows)


def dot(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def products(points: Rows) -> list[list[Fraction]]:
    """The inner products of points."""
    return [[dot(x, y) for y in points] for x in points]


def hadamard_power(rows: Rows, power: int) -> list[list[Fraction]]:
    return [[e**power for e in row] for row in rows]


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))
