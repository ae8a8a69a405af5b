"""Products without the matrix, pivoted Cholesky factors, ridge regression: against dense linear algebra."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from analytic_ntk import Network, activations, large
from analytic_ntk.errors import DomainError
from analytic_ntk.large import cholesky, ridge
from analytic_ntk.large.blocks import TILE
from analytic_ntk.large.cholesky import pivoted_cholesky

RELU = Network.mlp(activations.relu, 2, 2, "1/10")
GELU = Network.mlp(activations.gelu, 1, 2, 0)


def sphere(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X * np.sqrt(d / np.sum(X * X, axis=1))[:, None]


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return sphere(TILE + 176)


@pytest.fixture(scope="module")
def K(X: np.ndarray) -> np.ndarray:
    return np.asarray(RELU.gram(X))


@pytest.fixture(scope="module")
def small(X: np.ndarray) -> np.ndarray:
    return X[:400]


@pytest.fixture(scope="module")
def S(K: np.ndarray) -> np.ndarray:
    return K[:400, :400].copy()


# ------------------------------------------------------------------------------------------ products


def test_products_without_the_matrix(X: np.ndarray, K: np.ndarray) -> None:
    operator = large.gram_operator(RELU, X)
    V = np.random.default_rng(1).standard_normal((len(X), 3))
    size = K.max() * np.abs(V).sum(axis=0).max()
    for found, true in (
        (operator @ V, K @ V),
        (operator @ V[:, 0], K @ V[:, 0]),
        (operator.T @ V, K @ V),
        (operator @ V[:, :1], K @ V[:, :1]),
    ):
        assert found.shape == true.shape and np.abs(found - true).max() < 1e-13 * size
    cross = large.gram_operator(RELU, X[:77], X, kernel="nngp", progress=True)
    true = RELU.gram(X[:77], X, kernel="nngp")
    assert cross.shape == (77, len(X))
    assert np.abs(cross @ V - true @ V).max() < 1e-13 * size
    assert np.abs(cross.T @ V[:77] - true.T @ V[:77]).max() < 1e-13 * size


def test_products_with_stored_matrices(
    X: np.ndarray, K: np.ndarray, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    V = np.random.default_rng(1).standard_normal((len(X), 2))
    monkeypatch.setattr("analytic_ntk.large.operator._BAND", 1 << 20)
    stored = [K, K.astype(np.float32), large.write_gram(RELU, X, f"{tmp_path}/K.npy", chunks=TILE)]
    if importlib.util.find_spec("zarr"):
        stored.append(large.write_gram(RELU, X, f"{tmp_path}/K.zarr", chunks=TILE))
    for matrix in stored:
        operator = large.stored_operator(matrix)
        relative = 1e-6 if matrix.dtype == np.float32 else 1e-13
        for found in (operator @ V, operator.T @ V):
            assert np.abs(found - K @ V).max() < relative * K.max() * np.abs(V).sum(axis=0).max()
        part = large.stored_operator(np.asarray(matrix[:10]))
        assert np.abs(part.T @ V[:10] - K[:10].T @ V[:10]).max() < 10 * relative * K.max() * np.abs(V).max()
    for bad in (None, 3, np.ones(3), np.ones((0, 3)), np.ones((2, 2), int), [[1.0]]):
        with pytest.raises(DomainError):
            large.stored_operator(bad)


# --------------------------------------------------------------------------- randomly pivoted Cholesky


def _factor(A: np.ndarray, rank: int, seed: int = 0) -> cholesky.PivotedCholesky:
    return pivoted_cholesky(np.diag(A).copy(), lambda c: A[:, c].copy(), rank, np.random.default_rng(seed))


def test_the_factor_meets_the_pivots_and_never_exceeds_the_matrix(S: np.ndarray) -> None:
    found = _factor(S, 150)
    rest = S - found.factor @ found.factor.T
    assert found.factor.shape == (len(S), 150) and len(set(found.pivots)) == 150
    assert np.abs(rest[found.pivots]).max() < 1e-12 * S.max()
    assert np.linalg.eigvalsh(rest).min() > -1e-11 * S.max()
    assert abs(found.left - np.trace(rest) / np.trace(S)) < 1e-13
    assert _factor(S, 150).factor.tobytes() == found.factor.tobytes()


def test_low_rank_and_duplicates_end_early() -> None:
    Z = np.random.default_rng(0).standard_normal((300, 5))
    Z[100:200] = Z[:100]
    found = _factor(Z @ Z.T, 50)
    assert found.factor.shape == (300, 5) and abs(found.left) < 1e-13
    assert _factor(np.zeros((4, 4)), 3).factor.shape == (4, 0)


def test_pivots_are_drawn_one_after_another_in_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block algorithm has the law of single draws: pairs of pivots of a 4 x 4 matrix, exact
    probabilities, chi-square with 11 degrees of freedom; fails by chance once in 10^6."""
    B = np.random.default_rng(5).standard_normal((4, 3))
    A = B @ B.T + np.diag([0.1, 0.5, 2.0, 4.0])
    expected = np.zeros((4, 4))
    for i in range(4):
        rest = np.diag(A) - A[:, i] ** 2 / A[i, i]
        rest[i] = 0.0
        expected[i] = A[i, i] / np.trace(A) * rest / rest.sum()

    def statistic() -> float:
        draws, counts = 1000, np.zeros((4, 4))
        rng = np.random.default_rng(11)
        for _ in range(draws):
            found = pivoted_cholesky(np.diag(A).copy(), lambda c: A[:, c].copy(), 2, rng)
            counts[found.pivots[0], found.pivots[1]] += 1
        seen = expected > 0
        return float(np.sum((counts - draws * expected)[seen] ** 2 / (draws * expected[seen])))

    assert statistic() < 52.0  # the quantile 1 - 10^-7 of chi-square(11) is 52.7
    accept = cholesky._accepted
    always = np.zeros(cholesky.BLOCK)
    monkeypatch.setattr(
        cholesky, "_accepted", lambda square, before, order, rng: accept(square, always, order, rng)
    )  # saboteur: every proposal is kept
    assert statistic() > 52.0


# --------------------------------------------------------------------------------------------- ridge


@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
def test_diagonal(kernel: str) -> None:
    X = np.random.default_rng(0).standard_normal((30, 3)) * np.linspace(0.0, 3, 30)[:, None]
    for network in (RELU, GELU, Network.mlp(activations.tanh, 3, "3/2", "1/10")):
        found = ridge.diagonal_of(network.layers, X, kernel)
        true = np.diag(network.gram(X, kernel=kernel))
        assert np.abs(found - true).max() < 1e-12 * true.max()


@pytest.mark.parametrize("lam", [1.0, 1e-3])
@pytest.mark.parametrize("rank", [0, 150])
def test_ridge_regression_is_that_of_dense_algebra(
    lam: float, rank: int, small: np.ndarray, S: np.ndarray
) -> None:
    Y = np.stack([np.sin(small[:, 0]), small[:, 1] * small[:, 2]], axis=1)
    found = large.solve_ridge(RELU, small, Y, lam, rank=rank, rtol=1e-8, matrix=S, max_iterations=2000)
    true = np.linalg.solve(S + lam * np.eye(len(S)), Y)
    residual = np.linalg.norm((S + lam * np.eye(len(S))) @ found.coefficients - Y) / np.linalg.norm(Y)
    assert found.converged and found.residual <= 1e-8 and abs(residual - found.residual) < 1e-11
    # |a - a*| <= |residual| / lambda_min(S + lam I)
    bound = 1e-8 * np.linalg.norm(Y) / (np.linalg.eigvalsh(S).min() + lam)
    assert np.linalg.norm(found.coefficients - true) <= bound
    assert found.history[0] == 1.0 and found.rank == rank
    assert np.abs(found.predict(small[:9]) - S[:9] @ found.coefficients).max() < 1e-10


def test_the_preconditioner_saves_iterations(
    small: np.ndarray, S: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = np.sin(small[:, 0])
    plain, better = (
        large.solve_ridge(RELU, small, y, 0.1, rank=rank, matrix=S, max_iterations=999) for rank in (0, 300)
    )
    assert better.iterations < plain.iterations / 2
    monkeypatch.setattr(ridge, "KEPT", 0)
    on_the_fly = large.solve_ridge(RELU, small, y, 0.1, rank=300, progress=True)
    assert on_the_fly.iterations == better.iterations and on_the_fly.coefficients.shape == y.shape
    assert np.allclose(on_the_fly.coefficients, better.coefficients, rtol=0, atol=1e-9)


def test_the_preconditioner_is_the_inverse(S: np.ndarray) -> None:
    factor = _factor(S, 40)
    for lam in (1.0, 1e-9):
        apply = ridge.inverse_of(factor, lam)
        V = np.random.default_rng(0).standard_normal((len(S), 2))
        U, s, _ = np.linalg.svd(factor.factor, full_matrices=False)
        least = s[-1] ** 2 + lam
        P = factor.factor @ factor.factor.T + least * np.eye(len(S)) - s[-1] ** 2 * U @ U.T
        # the size of rounding: eps times the condition number
        assert np.abs(P @ apply(V) / least - V).max() < 1e-14 * np.linalg.norm(S, 2) / least * len(S) ** 0.5
        assert np.all(np.sum(V * apply(V), axis=0) > 0)


def test_too_few_iterations_are_said(small: np.ndarray, S: np.ndarray) -> None:
    found = large.solve_ridge(RELU, small, small[:, 0], 1e-3, rank=10, max_iterations=3, matrix=S)
    assert not found.converged and found.iterations == 3
    rest = S @ found.coefficients + 1e-3 * found.coefficients - small[:, 0]
    assert abs(found.residual - np.linalg.norm(rest) / np.linalg.norm(small[:, 0])) < 1e-10
    assert found.residual > 1e-6


def test_saboteur_a_wrong_matrix_is_seen_in_the_residual(
    small: np.ndarray, S: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The iteration is fed products that are a little off: its residuals look fine, the stated one not."""
    from analytic_ntk.large.ridge import _conjugate_gradients as solve

    monkeypatch.setattr(
        ridge, "_conjugate_gradients", lambda matrix, *rest: solve(matrix * (1 + 1e-4), *rest)
    )
    found = large.solve_ridge(RELU, small, small[:, 0], 0.1, rank=100, matrix=S)
    assert found.history[-1] < 1e-5 < found.residual and not found.converged


def test_targets_that_are_0_and_one_input() -> None:
    zero = large.solve_ridge(GELU, sphere(20), np.zeros(20), 1.0)
    assert zero.converged and zero.iterations == 0 and not zero.coefficients.any() and zero.residual == 0
    one = large.solve_ridge(GELU, sphere(1), [2.0], 1.0)
    assert abs(one.coefficients[0] - 2 / (1 + GELU.gram(sphere(1))[0, 0])) < 1e-13


@pytest.mark.parametrize("power", [-1060, -500, 0, 500, 1010])
def test_the_size_of_numbers_does_not_matter(power: int, small: np.ndarray, S: np.ndarray) -> None:
    """Squares of targets, of kernels and of ridges that leave float64."""
    y = np.sin(small[:, 0])
    base = large.solve_ridge(RELU, small, y, 0.1, rank=50, matrix=S)
    found = large.solve_ridge(RELU, small, np.ldexp(y, power), np.float32(0.1), rank=np.int64(50), matrix=S)
    assert found.converged and np.any(found.coefficients)
    assert np.allclose(np.ldexp(found.coefficients, -power), base.coefficients, atol=1e-4, rtol=1e-4)
    bare = Network.mlp(activations.relu, 2, 2, 0)
    one, other = (
        large.solve_ridge(bare, np.ldexp(small[:90], p), y[:90], np.ldexp(0.1, 2 * p), rank=20)
        for p in (0, power // 3)
    )
    assert np.allclose(np.ldexp(other.coefficients, 2 * (power // 3)), one.coefficients, rtol=1e-9)


def test_products_are_finite_or_refused(small: np.ndarray, S: np.ndarray) -> None:
    bad = small[:, 0].copy()
    bad[3] = np.nan
    hole = S.copy()
    hole[50, 7] = np.inf  # not among the rows that are looked at first
    operators = large.gram_operator(RELU, small), large.stored_operator(S)
    for operator in operators:
        for product in (operator.matvec, operator.rmatvec):
            with pytest.raises(DomainError, match="not finite"):
                product(bad)
        wave = np.exp(1j * small[:, 0])
        assert np.allclose(operator @ wave, S @ wave, rtol=1e-12)
    with pytest.raises(DomainError, match="not finite"):
        large.solve_ridge(RELU, small, small[:, 0], 0.1, rank=10, matrix=hole)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ridge": 0},
        {"ridge": -1.0},
        {"ridge": float("nan")},
        {"ridge": True},
        {"ridge": "1"},
        {"ridge": float("inf")},
        {"rtol": 0.0},
        {"rtol": 1.0},
        {"rank": -1},
        {"rank": 2.5},
        {"max_iterations": 0},
        {"seed": None},
        {"y": np.ones(9)},
        {"y": np.full(10, np.nan)},
        {"y": np.ones((10, 1, 1))},
        {"y": ["a"] * 10},
        {"y": [[1.0]] * 9 + [[1.0, 2.0]]},
        {"y": np.full(10, 1e300), "X": sphere(10) * 1e-12, "ridge": 1e-20},
        {"X": np.empty((0, 3))},
        {"kernel": "both"},
        {"matrix": np.eye(9)},
        {"matrix": "K.npy"},
        {"matrix": np.eye(10)},
        {"matrix": np.full((10, 10), np.nan)},
        {"matrix": GELU.gram(sphere(10), kernel="nngp")},
        {"matrix": GELU.gram(sphere(10, seed=1))},
    ],
)
def test_bad_questions(wrong: dict) -> None:
    with pytest.raises(DomainError):
        large.solve_ridge(**{"network": GELU, "X": sphere(10), "y": np.ones(10), "ridge": 1.0} | wrong)
