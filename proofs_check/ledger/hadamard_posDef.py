"""Schur's product theorem: the entrywise product of positive semidefinite matrices is one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import is_positive_definite, is_positive_semidefinite
from proofs_check.ledger._sources import SCHUR
from proofs_check.ledger.ntk_posDef_succ import Matrix, random_positive


def hadamard(a: Matrix, b: Matrix) -> Matrix:
    return [[p * q for p, q in zip(row, other, strict=True)] for row, other in zip(a, b, strict=True)]


def sum_of_squares(drop: int = 0) -> Iterator[Case]:
    """``x^T (L L^T o M M^T) x = sum_{k,l} (sum_i x_i L_ik M_il)^2``, for all ``x, L, M``."""
    for size in (2, 3, 4):
        for inner in (1, 2, 3):
            x = sp.symbols(f"x1:{size + 1}")
            left, right = (
                sp.Matrix(size, inner, sp.symbols(f"{letter}1:{size * inner + 1}")) for letter in "LM"
            )
            whole = sp.matrix_multiply_elementwise(left * left.T, right * right.T)
            form = sum(x[i] * whole[i, j] * x[j] for i in range(size) for j in range(size))
            squares = sum(
                sum(x[i] * left[i, k] * right[i, l] for i in range(size)) ** 2
                for k in range(inner)
                for l in range(inner - drop)
            )
            yield Case(f"n = {size}, {inner} columns", sp.expand(form - squares) == 0)


def strict(singular: bool = True) -> Iterator[Case]:
    """``A`` positive definite, ``B`` positive semidefinite with positive diagonal: ``A o B`` is definite."""
    for size in (2, 3, 4, 6):
        for seed in range(10):
            a, b = random_positive(size, seed), random_positive(size, seed + 100, singular)
            if all(b[i][i] > 0 for i in range(size)):
                yield Case(f"n = {size}, seed {seed}", is_positive_definite(hadamard(a, b)))


def oppenheim() -> Iterator[Case]:
    """For 2 x 2, ``det(A o B) - det(A) b_11 b_22 = a_12^2 det(B)`` (Oppenheim's inequality)."""
    a, b, c, p, q, r = sp.symbols("a b c p q r")
    left = sp.Matrix([[a * p, b * q], [b * q, c * r]]).det() - sp.Matrix([[a, b], [b, c]]).det() * p * r
    yield Case("2 x 2", sp.expand(left - b**2 * sp.Matrix([[p, q], [q, r]]).det()) == 0)


def indefinite() -> Iterator[Case]:
    a: Matrix = [[Fraction(1), Fraction(2)], [Fraction(2), Fraction(1)]]
    ones: Matrix = [[Fraction(1)] * 2] * 2
    yield Case("A = [[1, 2], [2, 1]], B all ones: A o B = A", not is_positive_semidefinite(hadamard(a, ones)))


def zero_diagonal() -> Iterator[Case]:
    a = random_positive(2, 0)
    b: Matrix = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(0)]]
    yield Case("B = diag(1, 0)", not is_positive_definite(hadamard(a, b)))


def both_singular() -> Iterator[Case]:
    """Two semidefinite matrices may have a singular product: all ones twice."""
    ones: Matrix = [[Fraction(1)] * 3] * 3
    yield Case("A = B all ones", not is_positive_definite(hadamard(ones, ones)))


CLAIM = Claim(
    name="hadamard_posDef",
    title="Schur: the entrywise product of positive (semi)definite matrices is positive (semi)definite",
    statement=r"A, B \succeq 0 \implies A \circ B \succeq 0;\quad A \succ 0,\ B \succeq 0,\ B_{ii} > 0 "
    r"\implies A \circ B \succ 0",
    hypotheses=(
        Hypothesis(
            "both semidefinite",
            "A and B are positive semidefinite",
            Part("an indefinite factor", Method.EXACT, "2 x 2", indefinite),
        ),
        Hypothesis(
            "positive diagonal, for the strict part",
            "the diagonal of B is positive",
            Part("a zero on the diagonal", Method.EXACT, "2 x 2", zero_diagonal),
        ),
        Hypothesis(
            "one of them definite, for the strict part",
            "A is positive definite",
            Part("both singular", Method.EXACT, "all ones", both_singular),
        ),
    ),
    parts=(
        Part(
            "the quadratic form of A o B is a sum of squares",
            Method.SYMBOLIC,
            "all x, all A = L L^T, B = M M^T of sizes 2, 3, 4 with 1, 2, 3 columns each",
            sum_of_squares,
        ),
        Part(
            "the strict part: all pivots positive",
            Method.EXACT,
            "random rational A > 0 and singular B >= 0, sizes 2, 3, 4, 6",
            strict,
        ),
        Part("Oppenheim's identity", Method.SYMBOLIC, "all symmetric 2 x 2 matrices", oppenheim),
    ),
    faults=(Fault("a square left out", lambda: sum_of_squares(1)),),
    references=(SCHUR,),
    cited="Schur's product theorem",
)
