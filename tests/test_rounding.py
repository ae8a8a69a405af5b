"""Float64 bounds of the least eigenvalue against the exact matrix, in balls."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.positivity import eigenvalue_bounds


def _negative_pivots(matrix: np.ndarray, shift: Fraction) -> int:
    """How many eigenvalues lie below ``shift``, by Sylvester's law in balls on the binary matrix itself."""
    size = len(matrix)
    with working_precision(2000):
        rows = [[arb(fmpq(*Fraction(float(e)).as_integer_ratio())) for e in row] for row in matrix]
        t = arb(fmpq(shift.numerator, shift.denominator))
        for i in range(size):
            rows[i][i] -= t
        negative = 0
        for i in range(size):
            pivot = rows[i][i]
            assert pivot > 0 or pivot < 0
            negative += bool(pivot < 0)
            for j in range(i + 1, size):
                factor = rows[j][i] / pivot
                for k in range(i, size):
                    rows[j][k] -= factor * rows[i][k]
        return negative


def _holds(matrix: np.ndarray, lower: float, upper: float) -> bool:
    below, above = Fraction(lower), Fraction(upper)
    nudge = Fraction(1, 10**40)
    return _negative_pivots(matrix, below - nudge) == 0 and _negative_pivots(matrix, above + nudge) >= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(0, 10**6), st.sampled_from([1e-8, 1.0, 1e8]), st.integers(0, 12))
def test_bounds_hold_for_the_binary_matrix(size: int, seed: int, scale: float, digits: int) -> None:
    """Random, rank deficient up to ``10^-digits``: the bounds hold, and their width is small."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, max(1, size - 1)))
    matrix = (factor @ factor.T + np.eye(size) * 10.0**-digits) * scale
    matrix = (matrix + matrix.T) / 2
    found = eigenvalue_bounds(matrix)
    assert _holds(matrix, found.lower, found.upper)
    assert found.upper - found.lower < 1e-12 * size * np.trace(matrix)


def test_saboteur_tighter_bounds_are_refuted() -> None:
    matrix = np.diag([1.0, 2.0, 3.0])
    found = eigenvalue_bounds(matrix)
    assert _holds(matrix, found.lower, found.upper)
    assert not _holds(matrix, 1 + 1e-12, found.upper)
    assert not _holds(matrix, found.lower, 1 - 1e-12)


def test_entry_errors_are_inside() -> None:
    """A matrix moved by the stated error stays within the bounds of the unmoved one."""
    rng = np.random.default_rng(5)
    factor = rng.normal(size=(12, 12))
    matrix = factor @ factor.T
    matrix = (matrix + matrix.T) / 2
    found = eigenvalue_bounds(matrix, 1e-6)
    for _ in range(20):
        signs = np.triu(rng.choice([-1e-6, 1e-6], size=(12, 12)))
        moved = matrix + np.triu(signs) + np.triu(signs, 1).T
        assert found.lower <= np.linalg.eigvalsh(moved)[0] <= found.upper
    tight = eigenvalue_bounds(matrix)
    assert tight.upper - tight.lower < (found.upper - found.lower) / 100


def test_errors_entry_by_entry() -> None:
    """Each entry moved by its own error; one large error where the eigenvector is small costs its size."""
    rng = np.random.default_rng(6)
    factor = rng.normal(size=(10, 14))
    matrix = factor @ factor.T
    matrix = (matrix + matrix.T) / 2
    errors = 10.0 ** -rng.uniform(3, 12, size=(10, 10))
    errors = np.maximum(errors, errors.T)
    found = eigenvalue_bounds(matrix, errors)
    for _ in range(20):
        signs = np.triu(rng.choice([-1.0, 1.0], size=(10, 10)))
        moved = matrix + (signs + np.triu(signs, 1).T) * errors
        assert _holds((moved + moved.T) / 2, found.lower, found.upper)
    assert found.entry_error == errors.max()


def test_saboteur_entry_errors_halved() -> None:
    """All entries of ``I`` moved down together: the eigenvalue falls by exactly ``n e``, no less will do."""
    size, e = 8, 2.0**-20
    moved = np.eye(size) - e
    full, half = (eigenvalue_bounds(np.eye(size), v) for v in (e, e / 2))
    assert _holds(moved, full.lower, full.upper)
    assert not _holds(moved, half.lower, half.upper)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10**6), st.integers(10, 60))
def test_scaled_rows(size: int, seed: int, spread: int) -> None:
    """Rows scaled by powers of 2 far apart: the bounds hold and stay positive."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, size + 3))
    scale = 2.0 ** np.round(np.linspace(-spread, spread, size))
    matrix = factor @ factor.T * scale * scale[:, None]
    matrix = (matrix + matrix.T) / 2
    found = eigenvalue_bounds(matrix)
    assert found.lower > 0 and _holds(matrix, found.lower, found.upper)
    noisy = eigenvalue_bounds(matrix, 1e-12 * np.sqrt(np.outer(np.diag(matrix), np.diag(matrix))))
    assert 0 < noisy.lower <= found.lower


@pytest.mark.parametrize(
    "matrix", [np.zeros((3, 3)), -np.eye(2), np.ones((4, 4)), [[0.0]], [[1e-310]], [[1e300]]]
)
def test_odd_matrices(matrix: Any) -> None:
    a = np.asarray(matrix)
    found = eigenvalue_bounds(a)
    exact = min(np.linalg.eigvalsh(a))
    assert found.lower <= exact + 1e-12 * abs(exact) and exact <= found.upper + 1e-12 * abs(exact)
    assert found.upper - found.lower <= 1e-12 * max(np.abs(a).max(), 1e-300)


def test_gram_matrices_of_real_size() -> None:
    points = np.random.default_rng(0).normal(size=(150, 20))
    gram = Network.mlp(activations.relu, 2, 2, 0).gram(points)
    found = eigenvalue_bounds(gram, 1e-13)
    assert found.positive and found.lower <= np.linalg.eigvalsh(gram)[0] <= found.upper


def test_float64_does_not_decide_the_hard_case() -> None:
    line = np.arange(10.0)[:, None] / 10
    found = eigenvalue_bounds(Network.mlp(activations.sin, 1, 1, 1).gram(line), 1e-15)
    assert not found.positive and found.lower < 4.07712580659e-17 < found.upper


@pytest.mark.parametrize(
    "matrix",
    [
        [[1.0, 2.0]], [[1, 0], [0, 1]], [[1.0, 2.0], [3.0, 1.0]], [[float("nan")]], [[float("inf")]], 1.0,
        np.zeros((0, 0)), np.eye(2, dtype=np.float32),
    ],
)  # fmt: skip
def test_bad_matrices(matrix: Any) -> None:
    with pytest.raises(DomainError):
        eigenvalue_bounds(matrix)


@pytest.mark.parametrize(
    "error",
    [
        -1.0, float("nan"), float("inf"), True, np.zeros(2), np.array([[0.0, 1.0], [0.0, 0.0]]), "1",
        np.full((2, 2), -1.0), np.full((2, 2), np.nan), np.zeros((2, 2), dtype=bool),
    ],
)  # fmt: skip
def test_bad_errors(error: Any) -> None:
    with pytest.raises(DomainError):
        eigenvalue_bounds(np.eye(2), error)
