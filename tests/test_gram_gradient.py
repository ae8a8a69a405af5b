"""Derivatives of kernel matrices in the variances, against differences of certified values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.floating import gradient as gradient_module
from analytic_ntk.gaussian.floating import partials
from analytic_ntk.gram import gradient as gram_gradient
from analytic_ntk.gram.gradient import gram_with_gradient
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.systems import tangent

WEIGHT, BIAS = sp.Symbol("w"), sp.Symbol("b")
VALUES = {"w": Fraction(3, 2), "b": Fraction(1, 4)}
FLOATS = {name: float(value) for name, value in VALUES.items()}
STEP = Fraction(1, 10**9)
"""Of the central differences: their error, about ``STEP^2``, is below rounding."""
X = np.array([[1, 0.5], [1, 0.5 + 2**-7], [1, 0.5 + 2**-20], [-0.34375, 2], [0.125, -0.25], [-2, -1]])
PAIRS = ((0, 0), (0, 1), (0, 2), (0, 3), (3, 4), (0, 5))
"""One input twice, near, very near, far, of different norms, opposite."""


def mlp(phi: Activation, depth: int = 2) -> tuple[Layer, ...]:
    return Network.mlp(phi, depth, WEIGHT, BIAS).layers


def with_numbers(layers: tuple[Layer, ...], values: dict[str, Fraction]) -> tuple[Layer, ...]:
    """The layers with numbers for their symbols."""
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Dense):
            numbers = [sp.sympify(v) for v in (layer.weight_variance, layer.bias_variance)]
            found.append(
                Dense(*(sp.Rational(values[v.name]) if isinstance(v, sp.Symbol) else v for v in numbers))
            )
        else:
            found.append(Residual(*with_numbers(layer.branch, values)) if hasattr(layer, "branch") else layer)
    return tuple(found)


def certified_derivatives(layers: tuple[Layer, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(2 kernels, 2 parameters)``: derivatives in ``log`` of the parameters, from values of 36 digits."""
    inputs = [[Fraction(float(v)) for v in row] for row in (x, y)]
    found = np.empty((2, 2))
    for place, name in enumerate(("w", "b")):
        ends = []
        for sign in (1, -1):
            moved = with_numbers(layers, VALUES | {name: VALUES[name] * (1 + sign * STEP)})
            ends.append(Network(*moved).certified(*inputs, digits=36))
        for kernel, values in enumerate(((e.nngp for e in ends), (e.ntk for e in ends))):
            high, low = values
            found[kernel, place] = float((high.midpoint - low.midpoint) / (2 * STEP))
    return found


def worst_error(layers: tuple[Layer, ...], pairs: tuple[tuple[int, int], ...] = PAIRS) -> float:
    """The largest error, relative to the largest derivative of the two diagonal entries."""
    known = np.array(
        [gram_with_gradient(layers, X, kernel, FLOATS, ["w", "b"])[1] for kernel in ("nngp", "ntk")]
    )
    worst = 0.0
    for i, j in pairs:
        scale = np.abs(known[:, [i, j], [i, j]]).max(axis=(1, 2))[:, None]
        error = np.abs(known[:, i, j] - certified_derivatives(layers, X[i], X[j])) / scale
        worst = max(worst, float(error.max()))
    return worst


JUMP = Activation.parse("x/2 + Heaviside(x - 1)", "jump off 0")
FAST = {
    "relu": activations.relu,
    "sign": activations.sign,
    "step": activations.step,
    "abs": activations.absolute,
    "cube": activations.monomial(3),
    "sin": activations.sin,
    "elu": activations.elu(1),
    "hardtanh": activations.hardtanh,
    "jump": JUMP,
}


@pytest.mark.parametrize("name", FAST)
def test_gradient_is_the_certified_one(name: str) -> None:
    assert worst_error(mlp(FAST[name])) < 1e-11


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in activations.names() if name != "exp"])
def test_gradient_is_the_certified_one_for_the_catalogue(name: str) -> None:
    """``exp`` of ``exp`` leaves float64 here."""
    assert worst_error(mlp(activations.entry(name).representative())) < 1e-11


def test_gradient_of_other_layers() -> None:
    """A skip connection and a normalisation, a fixed variance among the free."""
    phi = activations.relu
    layers = (
        Dense(WEIGHT, BIAS),
        Residual(Nonlinearity(phi), Dense(1, BIAS)),
        LayerNorm(),
        Nonlinearity(phi),
        Dense(WEIGHT, 0),
    )
    assert worst_error(layers) < 1e-11


def test_saboteur_missing_masses_of_kinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "_add_masses", lambda *given: None)
    tangent.float_gradients.cache_clear()
    assert worst_error(mlp(activations.hardtanh), ((0, 3),)) > 1e-3
    tangent.float_gradients.cache_clear()


def test_saboteur_angle_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tangent, "_angle", lambda gap, *given: 0.0 * gap.slopes)
    assert worst_error(mlp(activations.relu), ((0, 3),)) > 1e-3


def test_series_is_quadrature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to the same derivatives, at pairs that the runtime check does not look at."""
    rows = np.random.default_rng(0).standard_normal((12, 4))
    layers = mlp(activations.gelu, 1)
    by_series = gram_with_gradient(layers, rows, "ntk", FLOATS, ["w", "b"])[1]
    monkeypatch.setattr(gradient_module, "_LEAST_PAIRS", 10**9)
    by_quadrature = gram_with_gradient(layers, rows, "ntk", FLOATS, ["w", "b"])[1]
    assert 0 < np.abs(by_series - by_quadrature).max() < 1e-12 * np.abs(by_quadrature).max()


def test_saboteur_the_series_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong series is thrown away: quadrature answers."""
    rows = np.random.default_rng(0).standard_normal((12, 4))
    layers = mlp(activations.gelu, 1)
    right = gram_with_gradient(layers, rows, "ntk", FLOATS, ["w"])[1]
    honest = gradient_module._Table.sums

    def wrong(self, *given):  # type: ignore[no-untyped-def]
        value, one, two, by_rho = honest(self, *given)
        return value, one, two * 1.001, by_rho

    monkeypatch.setattr(gradient_module._Table, "sums", wrong)
    assert np.abs(gram_with_gradient(layers, rows, "ntk", FLOATS, ["w"])[1] - right).max() < 1e-12


@pytest.mark.parametrize("phi", [activations.relu, activations.sin, activations.step])
def test_one_norm_is_the_recursion(phi: Activation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polynomials of the correlation give what the pairs give; duplicates and antipodes too."""
    rows = np.random.default_rng(1).standard_normal((70, 3))
    rows *= np.sqrt(3) / np.linalg.norm(rows, axis=1)[:, None]
    rows[1], rows[2] = rows[0], -rows[0]
    for bias, names in ((BIAS, ["b", "w"]), (0, ["w"])):
        layers = Network.mlp(phi, 2, WEIGHT, bias).layers
        quick = gram_with_gradient(layers, rows, "ntk", FLOATS, names)
        with monkeypatch.context() as patch:
            patch.setattr(gram_gradient, "one_norm", lambda *given: None)
            slow = gram_with_gradient(layers, rows, "ntk", FLOATS, names)
        for fast, plain in zip(quick, slow, strict=True):
            assert np.abs(fast - plain).max() < 2e-12 * np.abs(plain).max()
            assert np.array_equal(fast, np.swapaxes(fast, 0, 1))


def test_degrees_of_homogeneity() -> None:
    """Without bias ``K = c w^(depth + 1)``: the derivative in ``log w`` is ``(depth + 1) K``."""
    layers = Network.mlp(activations.relu, 3, WEIGHT, 0).layers
    matrix, gradient = gram_with_gradient(layers, X, "ntk", FLOATS, ["w"])
    assert np.allclose(gradient[..., 0], 4 * matrix, rtol=1e-13, atol=0)


def test_zero_rows() -> None:
    """A zero input moves with the bias alone, and not at all without it (``phi(0) = 1`` here)."""
    rows = np.array([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.5]])
    layers = Network.mlp(activations.cos, 1, WEIGHT, 0).layers
    matrix, gradient = gram_with_gradient(layers, rows, "nngp", FLOATS, ["w"])
    # K(0, y) = w exp(-w |y|^2/(2 d))
    q = 1.5 * np.array([0.0, 2.5, 0.625])
    assert np.allclose(matrix[0], 1.5 * np.exp(-q / 2), rtol=1e-14)
    assert np.allclose(gradient[0, :, 0], 1.5 * np.exp(-q / 2) * (1 - q / 2), rtol=1e-12)
    known = gram_with_gradient(mlp(activations.relu, 2), rows, "ntk", FLOATS, ["w", "b"])[1]
    certified = certified_derivatives(mlp(activations.relu, 2), rows[0], rows[1])[1]
    assert np.allclose(known[0, 1], certified, rtol=1e-12)


def test_one_dimension_without_bias() -> None:
    """All inputs are proportional: no angle moves; a kink off 0 is met along a line."""
    rows = np.array([[1.0], [2.0], [-1.5]])
    layers = Network.mlp(activations.hardtanh, 1, WEIGHT, 0).layers
    known = gram_with_gradient(layers, rows, "ntk", FLOATS, ["w"])[1][..., 0]
    for i, j in ((0, 1), (1, 2), (0, 0)):
        exact = certified_derivatives(layers, rows[i], rows[j])[1, 0]
        assert abs(known[i, j] - exact) < 1e-11 * abs(known[i, i])


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        ({"w": 1.0}, ["w"], "the variance b"),
        ({"w": 1.0, "b": 1.0}, ["c"], "the parameter 'c'"),
        ({"w": 1.0, "b": 0.0}, ["b"], "positive"),
        ({"w": -1.0, "b": 0.0}, ["w"], "variance >= 0"),
        ({"w": float("nan"), "b": 0.0}, ["w"], "variance >= 0"),
    ],
)
def test_bad_parameters(values: dict[str, float], names: list[str], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        gram_with_gradient(mlp(activations.relu, 1), X, "ntk", values, names)
    with pytest.raises(DomainError, match="kernel = "):
        gram_with_gradient(mlp(activations.relu, 1), X, "both", FLOATS, ["w"])
    with pytest.raises(DomainError, match=r"too large|infinite|float64"):
        gram_with_gradient(mlp(activations.exp, 2), 1e3 * X, "ntk", FLOATS, ["w"])
