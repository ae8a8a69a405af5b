"""Training: gradient descent on finite networks, the Gaussian process of the limit, and the way between."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import expm

from analytic_ntk import Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import (
    FiniteNetwork,
    convergence,
    gradient_flow,
    max_learning_rate,
    paths,
    train,
)
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual

rng = np.random.default_rng(11)
X, FRESH = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
Y = rng.standard_normal((5, 2))
MLP = Network.mlp(activations.erf, 2, "3/2", "1/10")
MIXED = Network(
    Dense(1, "1/5"), Residual(LayerNorm(), Nonlinearity(activations.silu), Dense(2, 1)),
    Nonlinearity(activations.sin), Dense(1, 0),
)  # fmt: skip


def loss(finite: FiniteNetwork) -> float:
    return 0.5 * float(((finite(X) - Y) ** 2).sum())


@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
@pytest.mark.parametrize("network", [MLP, MIXED], ids=["mlp", "mixed"])
def test_a_step_descends_the_gradient_by_differences(network: Network, parametrisation: str) -> None:
    finite = network.sample(6, np.random.default_rng(0), 3, outputs=2, parametrisation=parametrisation)
    theta, step = finite.parameters, 1e-5
    gradient = np.empty_like(theta)
    for i in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[i] = step
        up, down = loss(finite.with_parameters(theta + shift)), loss(finite.with_parameters(theta - shift))
        gradient[i] = (up - down) / (2 * step)
    found = train(finite, X, Y, 0.01, 1)
    moved = (theta - found.network.parameters) / 0.01
    np.testing.assert_allclose(moved, gradient, rtol=1e-6, atol=1e-7 * np.abs(gradient).max())
    assert found.steps == (0, 1) and found.loss[0] == pytest.approx(loss(finite), rel=1e-14)
    assert found.loss[1] == pytest.approx(loss(found.network), rel=1e-14)
    np.testing.assert_array_equal(found.train[1], found.network(X))


def test_the_looks_do_not_change_the_path() -> None:
    finite = MLP.sample(16, np.random.default_rng(0), 3, outputs=2)
    every, some = train(finite, X, Y, 0.05, 6, FRESH), train(finite, X, Y, 0.05, [0, 2, 6], FRESH)
    np.testing.assert_array_equal(every.test[[0, 2, 6]], some.test)
    np.testing.assert_array_equal(every.network.parameters, some.network.parameters)
    np.testing.assert_allclose(some.times, [0, 0.1, 0.3])


@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_a_linear_model_descends_as_its_kernel_says(parametrisation: str) -> None:
    """One Dense layer: f_k = Y + (1 - rate K)^k (f_0 - Y) exactly, K its empirical tangent kernel."""
    finite = Network(Dense(2, "1/3")).sample(
        1, np.random.default_rng(0), 3, outputs=2, parametrisation=parametrisation
    )
    kernel = finite.kernels(X).ntk
    rate = max_learning_rate(kernel) / 3
    found = train(finite, X, Y, rate, [0, 7])
    decay = np.linalg.matrix_power(np.eye(5) - rate * kernel, 7)
    np.testing.assert_allclose(found.train[1], Y + decay @ (found.train[0] - Y), rtol=1e-11, atol=1e-12)


# ------------------------------------------------------------------------------------ the limit


@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
@pytest.mark.parametrize("time", [0.0, 0.3, 5.0, math.inf])
def test_mean_and_covariance_eq_the_formulas(kernel: str, time: float) -> None:
    """Lee et al. 2019, (14) and (15) with inverses and matrix exponentials, as they are printed."""
    found = gradient_flow(MLP, X, Y, FRESH, kernel).at(time)
    both = MLP.gram(np.vstack([X, FRESH]), kernel="both")
    k, theta = both[0], both[1] if kernel == "ntk" else both[0]
    inverse = np.linalg.inv(theta[:5, :5])
    learned = np.eye(5) - (0 if math.isinf(time) else expm(-time * theta[:5, :5]))
    m = theta[5:, :5] @ inverse @ learned
    np.testing.assert_allclose(found.mean, m @ Y, rtol=1e-9, atol=1e-9)
    expected = k[5:, 5:] + m @ k[:5, :5] @ m.T - (m @ k[:5, 5:] + (m @ k[:5, 5:]).T)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-9, atol=1e-9)
    if kernel == "nngp" and math.isinf(time):  # Gaussian process regression
        posterior = k[5:, 5:] - k[5:, :5] @ np.linalg.inv(k[:5, :5]) @ k[:5, 5:]
        np.testing.assert_allclose(found.covariance, posterior, rtol=1e-9, atol=1e-10)
    if kernel == "nngp" and time == 0.3:
        printed = k[5:, :5] @ inverse @ (np.eye(5) - expm(-2 * time * k[:5, :5])) @ k[:5, 5:]
        np.testing.assert_allclose(found.covariance, k[5:, 5:] - printed, rtol=1e-9, atol=1e-10)


def test_the_flow_is_the_limit_of_small_steps() -> None:
    flow = gradient_flow(MLP, X, Y, FRESH)
    errors = []
    for rate in (0.02, 0.01):
        steps = gradient_flow(MLP, X, Y, FRESH, learning_rate=rate).at(1.0)
        errors.append(np.abs(steps.mean - flow.at(1.0).mean).max())
    assert 1.8 < errors[0] / errors[1] < 2.2


def test_steps_of_the_limit_eq_the_recursion() -> None:
    rate = 0.05
    flow = gradient_flow(MLP, X, Y, FRESH, learning_rate=rate)
    f_train, f_test = np.zeros_like(Y), np.zeros((4, 2))
    for _ in range(12):
        residual = f_train - Y
        f_train, f_test = f_train - rate * flow.theta_xx @ residual, f_test - rate * flow.theta_tx @ residual
    np.testing.assert_allclose(flow.at(12 * rate).mean, f_test, rtol=1e-11, atol=1e-12)
    start = np.ones((5, 2))
    f_train, moved = start.copy(), np.zeros((4, 2))
    for _ in range(5):
        f_train, moved = (
            f_train - rate * flow.theta_xx @ (f_train - Y),
            moved - rate * flow.theta_tx @ (f_train - Y),
        )
    np.testing.assert_allclose(flow.path(start, 5 * rate), moved, rtol=1e-11, atol=1e-12)


def test_duplicates_learn_their_mean() -> None:
    """A singular kernel: the direction in which two equal inputs differ cannot be learned."""
    rows = np.vstack([X, X[:1]])
    targets = np.concatenate([Y[:, 0], [3.0]])
    flow = gradient_flow(MLP, rows, targets)
    assert flow.rank == 5
    end = flow.at(math.inf)
    middle = (Y[0, 0] + 3.0) / 2
    np.testing.assert_allclose(end.mean[[0, 5], 0], [middle, middle], rtol=1e-9)
    np.testing.assert_allclose(end.mean[1:5, 0], Y[1:, 0], rtol=1e-9)
    assert end.deviation.max() < 1e-6


def test_an_ensemble_of_trained_networks_is_the_prediction() -> None:
    """300 networks of width 128: means and variances within 6 standard errors and a few percent of bias."""
    network = Network.mlp(activations.erf, 1, "3/2", "1/10")
    rate = max_learning_rate(network.gram(X)) / 2
    flow = gradient_flow(network, X, Y[:, :1], FRESH, learning_rate=rate)
    prediction = flow.at(30 * rate)
    generator = np.random.default_rng(5)
    ends = np.array([
        train(network.sample(128, generator, 3), X, Y[:, :1], rate, [30], FRESH).test[0, :, 0]
        for _ in range(300)
    ])  # fmt: skip
    error = prediction.deviation / math.sqrt(300)
    assert (np.abs(ends.mean(axis=0) - prediction.mean[:, 0]) < 6 * error + 0.02).all()
    ratio = ends.var(axis=0, ddof=1) / np.diag(prediction.covariance)
    assert (np.abs(ratio - 1) < 6 * math.sqrt(2 / 299) + 0.05).all()
    before = gradient_flow(network, X, Y[:, :1], FRESH).at(0.0)  # what a prior without training would say
    assert (np.abs(ends.var(axis=0, ddof=1) / np.diag(before.covariance) - 1) > 0.5).any()


# ------------------------------------------------------------------------------------ against the width


def test_networks_approach_the_path_of_the_limit() -> None:
    found = convergence(MLP, X, Y, [16, 64, 256], 8, np.random.default_rng(0), FRESH, steps=60)
    assert -0.75 < found.low < found.exponent < found.high < -0.25
    assert found.distances.shape == (3, 8) and found.steps[-1] == 60


def test_saboteur_the_wrong_kernel_is_not_approached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a limit with 20 % more weight variance: the distance stays."""
    wrong = gradient_flow(Network.mlp(activations.erf, 2, "9/5", "1/10"), X, Y, FRESH, learning_rate=0.05)
    monkeypatch.setattr(paths, "gradient_flow", lambda *arguments: wrong)
    found = convergence(
        MLP, X, Y, [16, 64, 256], 8, np.random.default_rng(0), FRESH, steps=60, learning_rate=0.05
    )
    assert not -0.75 < found.low < found.high < -0.25


def refusals() -> dict[str, tuple]:
    finite = MLP.sample(4, np.random.default_rng(0), 3, outputs=2)
    generator = np.random.default_rng(0)
    return {
        "too few targets": (lambda: train(finite, X, Y[:3], 0.1, 1), "3 targets for 5 inputs"),
        "no network": (lambda: train(MLP, X, Y, 0.1, 1), "FiniteNetwork"),
        "no network at all": (lambda: gradient_flow("relu", X, Y), "a Network"),
        "confidence": (lambda: convergence(MLP, X, Y, [8, 16], 4, generator, confidence="x"), "confidence"),
        "columns": (lambda: train(finite, X, Y[:, :1], 0.1, 1), "targets with 1 columns"),
        "rate 0": (lambda: train(finite, X, Y, 0.0, 1), "learning_rate = 0.0"),
        "rate NaN": (lambda: train(finite, X, Y, math.nan, 1), "learning_rate = nan"),
        "rate True": (lambda: train(finite, X, Y, True, 1), "learning_rate = True"),
        "no steps": (lambda: train(finite, X, Y, 0.1, 0), "steps = 0"),
        "steps that fall": (lambda: train(finite, X, Y, 0.1, [3, 1]), "smallest first"),
        "NaN in Y": (lambda: train(finite, X, np.full((5, 2), np.nan), 0.1, 1), "nan"),
        "divergence": (lambda: train(finite, X, Y, 1e3, 2000), "learning rate below"),
        "rate above the limit": (lambda: gradient_flow(MLP, X, Y, learning_rate=10.0), "2 / lambda_max"),
        "kernel": (lambda: gradient_flow(MLP, X, Y, kernel="rbf"), "kernel = 'rbf'"),
        "time": (lambda: gradient_flow(MLP, X, Y).at(-1.0), "time = -1.0"),
        "time NaN": (lambda: gradient_flow(MLP, X, Y).at(math.nan), "time = nan"),
        "between steps": (lambda: gradient_flow(MLP, X, Y, learning_rate=0.05).at(0.07), "a multiple"),
        "f0": (lambda: gradient_flow(MLP, X, Y).path(np.zeros(3), 1.0), "f0 of shape"),
        "not square": (lambda: max_learning_rate(np.ones((2, 3))), "square"),
        "not symmetric": (lambda: max_learning_rate([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        "zero kernel": (lambda: max_learning_rate(np.zeros((2, 2))), "positive eigenvalue"),
        "one width": (lambda: convergence(MLP, X, Y, [8], 4, generator), "two different widths"),
        "one repeat": (lambda: convergence(MLP, X, Y, [8, 16], 1, generator), "repeats = 1"),
        "linear": (
            lambda: paths._fit(np.array([8.0, 16.0]), np.zeros((2, 2)), 0.9), "nonlinear network"),
    }  # fmt: skip


@pytest.mark.parametrize("case", list(refusals()))
def test_refusals(case: str) -> None:
    call, words = refusals()[case]
    with pytest.raises(DomainError, match=words):
        call()
