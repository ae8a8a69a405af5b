"""Kernels and estimators for scikit-learn."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from analytic_ntk import Activation, Network
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import exactly
from analytic_ntk.sklearn import InfiniteWidthClassifier, InfiniteWidthRegressor, NNGPKernel, NTKKernel

KERNELS = [NTKKernel, NNGPKernel]


def rows(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


# ------------------------------------------------------------------------------- estimators


@parametrize_with_checks(
    [InfiniteWidthRegressor(), InfiniteWidthClassifier(), InfiniteWidthRegressor(kernel="nngp", depth=2)]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_regressor_is_the_gaussian_process() -> None:
    """NNGP: mean and deviation of scikit-learn's own posterior."""
    X, new = rows(30), rows(7, seed=1)
    y = np.sin(X[:, 0])
    kernel = NNGPKernel("relu", 2, 1.5, 0.2)
    process = GaussianProcessRegressor(kernel, alpha=0.05, optimizer=None).fit(X, y)
    model = InfiniteWidthRegressor("nngp", "relu", 2, 1.5, 0.2, noise=0.05).fit(X, y)
    for found, expected in zip(
        model.predict(new, return_std=True), process.predict(new, return_std=True), strict=True
    ):
        assert np.allclose(found, expected, rtol=1e-10)


def test_ntk_deviation_is_that_of_the_linear_map() -> None:
    """``f - B f(X)`` of a Gaussian ``f`` with covariance NNGP, from the whole covariance matrix."""
    X, new = rows(12), rows(5, seed=1)
    model = InfiniteWidthRegressor("ntk", "relu", 1, 1.5, 0.2, noise=0.05).fit(X, X[:, 0])
    network = Network.mlp(Activation.parse("Max(x, 0)"), 1, "3/2", exactly(0.2))
    both = np.concatenate([X, new])
    nngp, ntk = network.gram(both, kernel="both")
    weights = ntk[12:, :12] @ np.linalg.inv(ntk[:12, :12] + 0.05 * np.eye(12))
    to_output = np.concatenate([-weights, np.eye(5)], axis=1)
    expected = np.sqrt(np.diag(to_output @ nngp @ to_output.T))
    assert np.allclose(model.predict(new, return_std=True)[1], expected, rtol=1e-9)
    assert np.allclose(model.predict(new), weights @ X[:, 0], rtol=1e-9)


def test_many_targets_and_many_classes() -> None:
    X = rows(40)
    targets = np.stack([X[:, 0], X[:, 1] ** 2], axis=1)
    model = InfiniteWidthRegressor(noise=1e-3).fit(X, targets)
    one = InfiniteWidthRegressor(noise=1e-3).fit(X, targets[:, 1])
    assert np.allclose(model.predict(X)[:, 1], one.predict(X), rtol=1e-10)
    labels = np.array(["a", "b", "c"])[np.argmax(X, axis=1)]
    classifier = InfiniteWidthClassifier(noise=1e-3).fit(X, labels)
    assert classifier.decision_function(X).shape == (40, 3)
    assert classifier.score(X, labels) > 0.95


def test_duplicates_without_noise_are_refused() -> None:
    X = np.repeat(rows(5), 2, axis=0)
    with pytest.raises(DomainError, match="raise noise"):
        InfiniteWidthRegressor(noise=0.0).fit(X, np.arange(10.0))


@pytest.mark.parametrize("seed", range(8))
def test_a_rank_that_rounding_hides_is_refused(seed: int) -> None:
    """A linear network on 12 points of 3 dimensions: of rank 4, whether or not Cholesky comes to an end."""
    X = rows(12, seed=seed)
    with pytest.raises(DomainError, match="singular in float64"):
        InfiniteWidthRegressor(activation="x", noise=0.0).fit(X, X[:, 0])
    assert InfiniteWidthRegressor(activation="x", noise=1e-9).fit(X, X[:, 0]).score(X, X[:, 0]) > 0.999


@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
def test_deviations_vanish_at_inputs_without_noise(kernel: str) -> None:
    X, new = rows(30), rows(5, seed=1)
    model = InfiniteWidthRegressor(kernel, noise=0.0).fit(X, X[:, 0])
    here, there = (model.predict(x, return_std=True)[1] for x in (X, new))
    assert np.all(here >= 0) and here.max() < 1e-6 < 1e-2 < there.min()


def test_sparse_data_are_refused_with_the_remedy() -> None:
    X = csr_array(np.eye(4))
    with pytest.raises(DomainError, match=r"X\.toarray\(\)"):
        NTKKernel()(X)
    with pytest.raises(TypeError, match=r"\.toarray\(\)"):
        InfiniteWidthRegressor().fit(X, np.ones(4))


@pytest.mark.slow
def test_searches_in_two_processes() -> None:
    X = rows(40)
    y = np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]
    grid = {"activation": ["relu", Activation.parse("x*erf(x)")], "depth": [1, 2]}
    one, two = (GridSearchCV(InfiniteWidthClassifier(), grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2))
    assert one.best_params_ == two.best_params_
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    copy = pickle.loads(pickle.dumps(two.best_estimator_))
    assert np.array_equal(copy.decision_function(X), two.decision_function(X))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"kernel": "rbf"}, '"ntk" or "nngp"'),
        ({"activation": "rellu"}, "relu"),
        ({"activation": 3}, "a formula"),
        ({"activation": "alpha*x"}, "numbers for all parameters"),
        ({"activation": "__import__('os')"}, "character"),
        ({"depth": 0}, "depth"),
        ({"depth": 1.5}, "depth"),
        ({"depth": True}, "depth"),
        ({"weight_variance": -1.0}, "weight_variance"),
        ({"bias_variance": float("nan")}, "bias_variance"),
        ({"weight_variance": "2"}, "weight_variance"),
        ({"noise": -1e-3}, "noise"),
        ({"noise": None}, "noise"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        InfiniteWidthRegressor(**parameters).fit(rows(5), np.arange(5.0))
    if "kernel" not in parameters:
        for kernel in KERNELS:
            with pytest.raises(DomainError, match=said):
                kernel(**parameters)


# ------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("kernel", KERNELS)
def test_values_are_the_networks(kernel: type) -> None:
    X, Y = rows(6), rows(4, seed=1)
    network = Network.mlp(Activation.parse("erf(x)"), 2, "3/2", "1/4")
    name = "ntk" if kernel is NTKKernel else "nngp"
    one = kernel("erf", 2, 1.5, 0.25)
    assert np.allclose(one(X), network.gram(X, kernel=name), rtol=1e-14)
    assert np.allclose(one(X, Y), network.gram(X, Y, kernel=name), rtol=1e-14)
    exact = network.certified([exactly(v) for v in X[0]], [exactly(v) for v in X[1]], 15)
    assert abs(one(X)[0, 1] - float(getattr(exact, name).midpoint)) < 1e-13


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sphere", [True, False])
def test_diagonals_agree_to_the_bit(kernel: type, sphere: bool) -> None:
    """Alone, in ``K(X)`` and in ``K(X, X)``, by every way the matrices are made; duplicates too."""
    for activation in ("relu", "x^2"):
        for n in (5, 90):
            X = rows(n)
            if sphere:
                X *= np.sqrt(3) / np.linalg.norm(X, axis=1)[:, None]
            X[1] = X[0]
            X[2] = 0.0
            X[3] = -0.0
            one = kernel(activation, 2, 1.5, 0.25)
            diagonal = one.diag(X)
            assert np.array_equal(np.diag(one(X)), diagonal)
            assert np.array_equal(np.diag(one(X, X.copy())), diagonal)
            assert np.array_equal(np.diag(one(X, eval_gradient=True)[0]), diagonal)
            assert one(X)[0, 1] == one(X)[1, 0] == one(X, X[:2])[0, 1] == diagonal[0]
            assert one(X)[2, 3] == diagonal[2]
            noisy = kernel(activation, 2, 1.5, 0.25, noise=0.5)
            assert np.array_equal(np.diag(noisy(X)), noisy.diag(X))
            assert np.array_equal(noisy(X, X), one(X, X))


@pytest.mark.parametrize("kernel", KERNELS)
def test_theta_is_alphabetical_and_gradients_follow(kernel: type) -> None:
    X = rows(6)
    one = kernel("relu", 2, 1.5, 0.25, noise=0.5)
    assert np.array_equal(one.theta, np.log([0.25, 0.5, 1.5]))
    assert [h.name for h in one.hyperparameters] == ["bias_variance", "noise", "weight_variance"]
    matrix, gradient = one(X, eval_gradient=True)
    assert gradient.shape == (6, 6, 3)
    assert np.array_equal(gradient[..., 1], 0.5 * np.eye(6))
    assert np.allclose(matrix, one(X), rtol=1e-12)
    for place in range(3):  # the coarse witness of the order; the fine one is in test_gram_gradient
        step = np.zeros(3)
        step[place] = 1e-5
        high, low = (one.clone_with_theta(one.theta + s * step)(X) for s in (1, -1))
        assert np.allclose((high - low) / 2e-5, gradient[..., place], atol=1e-8)
    fixed = kernel("relu", 2, 1.5, 0.25, weight_variance_bounds="fixed")
    assert np.array_equal(fixed.theta, np.log([0.25]))  # noise 0 stays 0
    assert np.allclose(fixed(X, eval_gradient=True)[1][..., 0], gradient[..., 0], rtol=1e-12)
    nothing = kernel(
        "relu", 2, 1.5, 0.25, weight_variance_bounds="fixed", bias_variance_bounds="fixed", noise=0.0
    )
    assert nothing(X, eval_gradient=True)[1].shape == (6, 6, 0)
    assert nothing.theta.size == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_sums_and_products_with_their_kernels(kernel: type) -> None:
    X = rows(6)
    one = kernel("relu", 1, 1.5, 0.25)
    K, dK = one(X, eval_gradient=True)
    R, dR = RBF(2.0)(X, eval_gradient=True)
    product, by_product = (one * RBF(2.0))(X, eval_gradient=True)
    assert np.allclose(product, K * R)
    assert np.allclose(by_product, np.concatenate([dK * R[..., None], dR * K[..., None]], axis=2))
    total = 2.0 * one + WhiteKernel(0.1)
    assert np.allclose(total(X), 2 * K + 0.1 * np.eye(6))
    assert np.allclose(total.diag(X), np.diag(total(X)))
    assert total(X, eval_gradient=True)[1].shape == (6, 6, 4)
    assert not one.is_stationary()


@pytest.mark.parametrize("kernel", KERNELS)
def test_clone_pickle_and_parameters(kernel: type) -> None:
    X = rows(5)
    for activation in ("gelu", Activation.parse("x*erf(x)")):
        one = kernel(activation, 2, 1.5, 0.25, noise=0.5, noise_bounds=(1e-3, 1.0))
        for copy in (clone(one), pickle.loads(pickle.dumps(one)), kernel(**one.get_params())):
            assert copy == one
            assert copy.theta.tolist() == one.theta.tolist()
            assert np.array_equal(copy(X[:2]), one(X[:2]))
    one.set_params(depth=3)
    assert one != clone(one).set_params(depth=2)
    assert repr(kernel("relu")) == (
        f"{kernel.__name__}('relu', depth=1, weight_variance=2, bias_variance=0.1, noise=0)"
    )
    with pytest.raises(DomainError, match="weight_variance"):
        clone(one).set_params(weight_variance=-1.0)(X)


def test_bounds_and_data_are_checked() -> None:
    for bounds in ("free", (1.0, 0.1), (0.0, 1.0), 3, (1.0,)):
        with pytest.raises(DomainError, match="noise_bounds"):
            NTKKernel(noise=1.0, noise_bounds=bounds)  # type: ignore[arg-type]
    kernel = NTKKernel()
    for given in (
        [["a", "b"]],
        [[np.nan, 1.0]],
        [1.0, 2.0],
        np.empty((0, 2)),
        [[1j, 0.0]],
        [[1.0], [1.0, 2.0]],
    ):
        with pytest.raises((DomainError, ValueError)):
            kernel(given)
        with pytest.raises((DomainError, ValueError)):
            kernel.diag(given)
    with pytest.raises(DomainError, match="equal dimensions"):
        kernel(rows(3), rows(3, 2))
    with pytest.raises(DomainError, match="leave Y out"):
        kernel(rows(3), rows(3), eval_gradient=True)
    assert kernel(rows(3).astype(np.float32)).dtype == np.float64


def test_process_recovers_the_variances() -> None:
    """From a draw of the process: a likelihood no worse than at the truth, a gradient that vanishes."""
    X = rows(120, 2)
    truth = NNGPKernel("relu", 1, 2.0, 0.5, noise=0.01)
    y = np.linalg.cholesky(truth(X)) @ np.random.default_rng(1).standard_normal(120)
    start = NNGPKernel("relu", 1, 0.7, 0.1, noise=0.1)
    fitted = GaussianProcessRegressor(start, alpha=0.0).fit(X, y)
    likelihood, gradient = fitted.log_marginal_likelihood(fitted.kernel_.theta, eval_gradient=True)
    assert likelihood >= fitted.log_marginal_likelihood(truth.theta)
    assert likelihood > fitted.log_marginal_likelihood(start.theta) + 10
    assert np.abs(gradient).max() < 0.1
    assert 0.005 < fitted.kernel_.noise < 0.02


def test_kernel_ridge_and_support_vectors_take_it() -> None:
    X, new = rows(40), rows(9, seed=1)
    labels = X[:, 0] > 0
    kernel = NTKKernel("relu", 2, 2.0, 0.1)
    ridge = KernelRidge(kernel=kernel, alpha=0.1).fit(X, X[:, 1])
    model = InfiniteWidthRegressor("ntk", "relu", 2, 2.0, 0.1, noise=0.1).fit(X, X[:, 1])
    assert np.allclose(ridge.predict(new), model.predict(new), rtol=1e-9)
    direct = SVC(kernel=kernel).fit(X, labels)
    tables = SVC(kernel="precomputed").fit(kernel(X), labels)
    assert np.allclose(direct.decision_function(new), tables.decision_function(kernel(new, X)))
    search = GridSearchCV(KernelRidge(kernel=kernel), {"kernel__depth": [1, 2], "alpha": [0.1, 1.0]}, cv=2)
    assert search.fit(X, X[:, 1]).best_params_["kernel__depth"] in (1, 2)
    scaled = GaussianProcessRegressor(ConstantKernel(2.0) * kernel, optimizer=None).fit(X, X[:, 1])
    assert scaled.predict(new).shape == (9,)


# ------------------------------------------------------------------------------- packaging


def test_the_library_is_imported_on_request_only() -> None:
    code = (
        "import sys, analytic_ntk, analytic_ntk.network, analytic_ntk.gram.gradient;"
        "assert not any(m == 'sklearn' or m.startswith('sklearn.') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parent.parent)


def test_without_the_library_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try:\n    import analytic_ntk.sklearn\n"
        "except ImportError as error:\n    assert 'analytic-ntk[sklearn]' in str(error)\n"
        "else:\n    raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parent.parent)


def test_the_gpytorch_example_runs() -> None:
    """The block of the page, run as it stands, where GPyTorch is installed."""
    pytest.importorskip("gpytorch")
    page = Path(__file__).resolve().parent.parent / "docs" / "sklearn.md"
    block = re.search(r"^```py\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    namespace: dict[str, Any] = {}
    exec(block[1], namespace)
    assert namespace["losses"][-1] < namespace["losses"][0]
