"""Certified Gram matrices, and what their balls show about definiteness and null spaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, fmpq

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.network import Network
from analytic_ntk.positivity import decide_gram
from analytic_ntk.positivity.eigenvalue import gram_balls
from analytic_ntk.positivity.points import exact_points
from proofs_check.ledger._exact import Vector, pivot_places, rank

PRECISIONS = (120, 400, 1600)
TIGHT = 40
"""Bits to which a product counts as 0, relative to the trace."""


def gram(network: Network, X: Any, kernel: str = "ntk") -> arb_mat:
    """The limiting Gram matrix at the working precision."""
    return gram_balls(network, exact_points(X), kernel)


def pivots_positive(matrix: arb_mat) -> bool | None:
    """Whether a symmetric matrix is positive definite: all its pivots certainly positive (Sylvester), or a
    pivot after such ones certainly negative; ``None`` where a sign cannot be told."""
    size = matrix.nrows()
    rows = [[matrix[i, j] for j in range(size)] for i in range(size)]
    for k in range(size):
        pivot = rows[k][k]
        if not pivot > 0:
            return False if pivot < 0 else None
        for i in range(k + 1, size):
            factor = rows[i][k] / pivot
            for j in range(k + 1, i + 1):
                rows[i][j] -= factor * rows[j][k]
                rows[j][i] = rows[i][j]
    return True


def is_positive_definite(network: Network, X: Any, kernel: str = "ntk") -> bool | None:
    """Whether the Gram matrix is certainly positive definite.

    Balls never show that a matrix is singular: where they cannot tell, ``False`` is answered if there is an
    exact null vector (:func:`~analytic_ntk.positivity.decide_gram`) that the balls agree with.
    """
    for bits in PRECISIONS[:2]:
        with working_precision(bits):
            found = pivots_positive(gram(network, X, kernel))
        if found is not None:
            return found
    null = decide_gram(network, X, kernel).null_vectors
    return False if null and null_space_is(network, X, null, kernel) else None


def null_space_is(network: Network, X: Any, vectors: Sequence[Vector], kernel: str = "ntk") -> bool | None:
    """Whether balls agree that exactly these independent vectors span the null space.

    Every ``K u`` encloses 0 tightly, and without as many rows and columns as there are vectors the matrix is
    certainly positive definite: so the rank is at least ``N`` less their number. (That ``K u`` is 0, and not
    merely small, is shown elsewhere, exactly.)
    """
    if rank(vectors) < len(vectors):
        return False
    for bits in PRECISIONS:
        with working_precision(bits):
            found = _null_space_is(gram(network, X, kernel), vectors)
        if found is not None:
            return found
    return None


def _null_space_is(matrix: arb_mat, vectors: Sequence[Vector]) -> bool | None:
    size = matrix.nrows()
    small = arb(2) ** -TIGHT * matrix.trace()
    undecided = False
    for u in vectors:
        scale = sum(map(abs, u), Fraction(0))
        for value in (matrix * arb_mat(size, 1, list(map(ball, u)))).entries():
            if not value.contains(0):
                return False
            undecided |= not abs(value) < small * ball(scale)
    out = set(pivot_places(vectors))
    kept = [k for k in range(size) if k not in out]
    if not kept:
        return None if undecided else True
    positive = pivots_positive(arb_mat([[matrix[i, j] for j in kept] for i in kept]))
    return None if positive and undecided else positive


def least_lies_in(matrix: arb_mat, low: Fraction, high: Fraction) -> bool | None:
    """Whether the least eigenvalue lies in ``(low, high)``: above ``low`` and not above ``high``."""
    above, beyond = (pivots_positive(shifted(matrix, end)) for end in (low, high))
    if above is False or beyond is True:
        return False
    return None if above is None or beyond is None else True


def shifted(matrix: arb_mat, amount: Fraction) -> arb_mat:
    """``matrix - amount``."""
    size = matrix.nrows()
    rows = [[matrix[i, j] - (ball(amount) if i == j else 0) for j in range(size)] for i in range(size)]
    return arb_mat(rows)


def ball(number: Fraction) -> arb:
    number = Fraction(number)
    return arb(fmpq(number.numerator, number.denominator))


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is, else True."""
    found = list(answers)
    return False if False in found else None if None in found else True
