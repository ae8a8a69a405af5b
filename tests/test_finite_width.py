"""Finite networks: the empirical kernels are those of the function itself, and tend to the limit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from analytic_ntk import Activation, Network, activations, finite_width
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import EmpiricalKernels, FiniteLayerNorm, FiniteNetwork, sample, sanity_check
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual

X = np.array([[0.6, -0.3, 1.1], [0.2, 0.9, -0.4], [-0.6, 0.3, -1.0], [1.2, 0.1, 0.5]])

ARCHITECTURES = {
    "mlp": Network.mlp(activations.tanh, depth=2, weight_variance="3/2", bias_variance="1/10"),
    "without bias": Network.mlp(activations.gelu, depth=3, weight_variance=2, bias_variance=0),
    "relu": Network.mlp(activations.relu, depth=2, weight_variance=2, bias_variance="1/5"),
    "layer norm": Network(
        Dense(2, "1/10"), LayerNorm(), Nonlinearity(activations.erf), Dense(1, "1/3"), LayerNorm(),
        Nonlinearity(activations.sin), Dense(1, 0),
    ),
    "ends in layer norm": Network(Dense(2, "1/10"), Nonlinearity(activations.silu), Dense(2, 1), LayerNorm()),
    "residual": Network(
        Dense(1, "1/10"), Residual(Nonlinearity(activations.tanh), Dense(2, "1/2")),
        Residual(
            LayerNorm(), Nonlinearity(activations.softplus(1)), Dense(1, 0),
            Nonlinearity(activations.cos), Dense(1, 1)),
        Nonlinearity(activations.gelu), Dense(1, 0),
    ),
    "ends in residual": Network(Dense(1, 1), Residual(Nonlinearity(activations.gaussian), Dense(2, 0))),
}  # fmt: skip


def by_differences(finite: FiniteNetwork, step: float = 1e-5) -> np.ndarray:
    """The tangent kernel from central differences of the function in every parameter: the definition."""
    theta = finite.parameters
    jacobian = np.empty((len(X), len(theta)))
    for i in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[i] = step
        up, down = finite.with_parameters(theta + shift), finite.with_parameters(theta - shift)
        jacobian[:, i] = (up(X) - down(X)) / (2 * step)
    return jacobian @ jacobian.T


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_ntk_eq_jacobian_of_the_function(name: str) -> None:
    finite = sample(ARCHITECTURES[name], input_dim=3, width=6, rng=np.random.default_rng(1))
    expected = by_differences(finite)
    # central differences: truncation ~ step^2 = 1e-10, rounding ~ 1e-16/step = 1e-11, both relative
    np.testing.assert_allclose(finite.kernels(X).ntk, expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["mlp", "residual", "layer norm"])
def test_ntk_of_one_output(name: str) -> None:
    finite = sample(ARCHITECTURES[name], input_dim=3, width=6, rng=np.random.default_rng(2), outputs=1)
    assert finite.forward(X).shape == (4, 1)
    np.testing.assert_allclose(np.abs(finite(X)), np.abs(finite.forward(X)[:, 0]), rtol=0)
    np.testing.assert_allclose(finite.kernels(X).ntk, by_differences(finite), rtol=1e-6)


def test_saboteur_layer_norm_without_its_projections_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FiniteLayerNorm, "backward", lambda self, tape, rows: (rows / tape[1], 0.0))
    finite = sample(ARCHITECTURES["layer norm"], input_dim=3, width=6, rng=np.random.default_rng(1))
    expected = by_differences(finite)
    assert np.abs(finite.kernels(X).ntk - expected).max() > 1e-3 * np.abs(expected).max()


def test_saboteur_lost_bias_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = finite_width.FiniteDense.backward

    def faulty(self, tape, rows):  # type: ignore[no-untyped-def]
        return honest(dataclasses.replace(self, bias_variance=0.0), tape, rows)

    monkeypatch.setattr(finite_width.FiniteDense, "backward", faulty)
    finite = sample(ARCHITECTURES["mlp"], input_dim=3, width=6, rng=np.random.default_rng(1))
    expected = by_differences(finite)
    assert np.abs(finite.kernels(X).ntk - expected).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_empirical_kernels_tend_to_the_limit(name: str) -> None:
    """Fixed seed; 20 entries of |z| in all, Student's t with 29 degrees of freedom: P(|t| > 6) = 2e-6 each.

    The bias at finite width is about depth/width = 1 % of the kernel; the standard error 1/sqrt(256 * 30)
    = 1.1 %.
    """
    check = sanity_check(ARCHITECTURES[name], X, width=256, draws=30, rng=np.random.default_rng(3))
    for estimate in (check.nngp, check.ntk):
        assert np.abs(estimate.z_scores).max() < 6
        scale = np.sqrt(np.outer(np.diag(estimate.limit), np.diag(estimate.limit)))
        assert (estimate.standard_error < 0.1 * scale).all()


def test_saboteur_a_wrong_limit_is_caught() -> None:
    """The same sampled networks against the limit of 10 % more weight variance."""
    right = ARCHITECTURES["mlp"]
    wrong = Network.mlp(activations.tanh, depth=2, weight_variance="33/20", bias_variance="1/10")
    check = sanity_check(right, X, width=256, draws=30, rng=np.random.default_rng(3))
    other = dataclasses.replace(check.ntk, limit=wrong.gram(X, kernel="ntk"))
    assert np.abs(other.z_scores).max() > 6


def test_nngp_of_a_one_layer_network_is_unbiased() -> None:
    """A linear network: E F F^T / n = w X X^T / d + b exactly, at any width."""
    network = Network(Dense(2, "1/3"))
    draws = [sample(network, 3, 50, np.random.default_rng(seed)).kernels(X) for seed in range(200)]
    exact = 2 * X @ X.T / 3 + 1 / 3
    mean = np.mean([d.nngp for d in draws], axis=0)
    assert np.abs(mean - exact).max() < 6 * np.abs(exact).max() * np.sqrt(2 / (50 * 200))
    for draw in draws[:3]:  # a linear function has the same gradient everywhere
        np.testing.assert_allclose(draw.ntk, exact, rtol=1e-13)


def test_duplicates_and_zero_rows() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    kernels = sample(ARCHITECTURES["relu"], 3, 40, np.random.default_rng(0)).kernels(rows)
    for kernel in (kernels.nngp, kernels.ntk):
        np.testing.assert_allclose(kernel[0], kernel[1], rtol=1e-14)
        assert kernel[2, 2] > 0
    check = sanity_check(ARCHITECTURES["without bias"], rows, 40, 3, np.random.default_rng(0))
    assert check.ntk.z_scores[2].tolist() == [0.0, 0.0, 0.0]


def test_the_same_generator_state_gives_the_same_network() -> None:
    one, two = (sample(ARCHITECTURES["mlp"], 3, 8, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.parameters, two.parameters)
    np.testing.assert_array_equal(one.with_parameters(two.parameters)(X), one(X))
    assert isinstance(one.kernels(X), EmpiricalKernels)


def refusals() -> dict[str, tuple]:
    mlp, rng = ARCHITECTURES["mlp"], np.random.default_rng(0)
    finite = sample(mlp, 3, 4, rng)
    symbolic = Network.mlp(Activation.parse("sin(alpha*x)"), 1, 1, 0)
    return {
        "width 0": (lambda: sample(mlp, 3, 0, rng), "width = 0"),
        "width as a float": (lambda: sample(mlp, 3, 4.0, rng), "width = 4.0"),
        "no input": (lambda: sample(mlp, 0, 4, rng), "input_dim = 0"),
        "no outputs": (lambda: sample(mlp, 3, 4, rng, outputs=0), "outputs = 0"),
        "outputs after residual": (
            lambda: sample(ARCHITECTURES["ends in residual"], 3, 4, rng, outputs=1), "after Residual"),
        "symbolic activation": (lambda: sample(symbolic, 3, 4, rng), "alpha"),
        "NaN": (lambda: finite.kernels([[np.nan, 0, 0]]), "NaN"),
        "rank": (lambda: finite.forward([1.0, 2.0, 3.0]), "shape"),
        "columns": (lambda: finite.forward([[1.0, 2.0]]), "shape"),
        "one draw": (lambda: sanity_check(mlp, X, 4, 1, rng), "draws = 1"),
        "parameters": (lambda: finite.with_parameters(np.zeros(3)), "shape"),
        "overflow": (
            lambda: sample(Network.mlp(activations.exp, 4, 100, 0), 3, 50, rng).kernels(10 * X), "overflows"),
        "equal units": (
            lambda: sample(Network(Dense(1, 0), LayerNorm()), 3, 4, rng).kernels(np.zeros((1, 3))),
            "LayerNorm"),
        "unknown layer": (lambda: finite_width._draw("dense", 3, 4, rng), "the layer"),
    }  # fmt: skip


@pytest.mark.parametrize("case", list(refusals()))
def test_refusals(case: str) -> None:
    call, words = refusals()[case]
    with pytest.raises(DomainError, match=words):
        call()
