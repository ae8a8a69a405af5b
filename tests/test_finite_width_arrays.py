"""The same finite networks on other array libraries, and beside automatic differentiation.

The libraries are no requirement of the package: what is not installed is skipped. Their versions of the
network are written in their own functions, with parameters copied over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytic_ntk import Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, FiniteNetwork, LayerNorm, Nonlinearity, Residual

X = np.random.default_rng(7).standard_normal((5, 3))
NETWORKS = {
    "mlp": Network.mlp(
        [activations.tanh, activations.gelu, activations.relu], 3, weight_variance="3/2", bias_variance="1/10"
    ),
    "residual and layer norm": Network(
        Dense(1, "1/5"), Residual(LayerNorm(), Nonlinearity(activations.silu), Dense(2, 1)),
        Nonlinearity(activations.sin), Dense(1, 0),
    ),
}  # fmt: skip
PARAMETRISATIONS = ["ntk", "standard"]


def draw(name: str, parametrisation: str) -> FiniteNetwork:
    rng = np.random.default_rng(1)
    return NETWORKS[name].sample(9, rng, input_dim=3, outputs=2, parametrisation=parametrisation)


def torch_function(torch: Any, name: str, parametrisation: str) -> Callable[..., Any]:
    """The network written in torch's own layers, from a flat list of parameters."""
    import math

    nn = torch.nn.functional

    def dense(features: Any, weight: Any, bias: Any, w: float, b: float) -> Any:
        if parametrisation == "ntk":
            weight = weight * math.sqrt(w / weight.shape[0])
            bias = None if bias is None else bias[0] * math.sqrt(b)
        else:
            bias = None if bias is None else bias[0]
        return nn.linear(features, weight.T, bias)

    def mlp(x: Any, *p: Any) -> Any:
        h = torch.tanh(dense(x, p[0], p[1], 1.5, 0.1))
        h = nn.gelu(dense(h, p[2], p[3], 1.5, 0.1))
        h = torch.relu(dense(h, p[4], p[5], 1.5, 0.1))
        return dense(h, p[6], p[7], 1.5, 0.1)

    def residual(x: Any, *p: Any) -> Any:
        h = dense(x, p[0], p[1], 1.0, 0.2)
        g = nn.silu(nn.layer_norm(h, h.shape[-1:], eps=0.0))
        h = h + dense(g, p[2], p[3], 2.0, 1.0)
        return dense(torch.sin(h), p[4], None, 1.0, 0.0)

    return mlp if name == "mlp" else residual


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_jacobian_and_ntk_eq_torch_autodiff(name: str, parametrisation: str) -> None:
    torch = pytest.importorskip("torch")
    finite = draw(name, parametrisation)
    function = torch_function(torch, name, parametrisation)
    parameters = tuple(torch.tensor(p) for unit in finite.units for p in unit.parameters)
    rows = torch.tensor(X)
    np.testing.assert_allclose(function(rows, *parameters).numpy(), finite(X), rtol=1e-12, atol=1e-13)
    blocks = torch.autograd.functional.jacobian(lambda *p: function(rows, *p), parameters)
    jacobian = np.concatenate([b.numpy().reshape(len(X), 2, -1) for b in blocks], axis=-1)
    scale = np.abs(jacobian).max()
    np.testing.assert_allclose(finite.jacobian(X), jacobian, rtol=1e-12, atol=1e-12 * scale)
    ntk = np.einsum("iap,jbp->abij", jacobian, jacobian)
    np.testing.assert_allclose(finite.ntk_blocks(X), ntk, rtol=1e-12, atol=1e-12 * np.abs(ntk).max())


def converters(library: str) -> Callable[[Any], Any]:
    if library == "torch":
        return pytest.importorskip("torch").as_tensor
    if library == "jax":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        return jax.numpy.asarray
    return pytest.importorskip("array_api_strict").asarray


@pytest.mark.parametrize("library", ["torch", "jax", "array_api_strict"])
@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_other_libraries_run_the_same_code(library: str, parametrisation: str) -> None:
    convert = converters(library)
    network = Network(
        Dense(1, "1/5"), Residual(LayerNorm(), Nonlinearity(activations.silu), Dense(2, 1)),
        Nonlinearity(activations.relu), Dense(1, 0), Nonlinearity(activations.softplus(1)), Dense(1, 1),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    finite = network.sample(9, rng, input_dim=3, outputs=2, parametrisation=parametrisation)
    moved = finite.with_arrays(convert)
    found, expected = moved.kernels(X), finite.kernels(X)  # numpy inputs are brought over
    assert type(found.ntk) is type(convert(X)) is not np.ndarray
    pairs = [
        (found.ntk, expected.ntk),
        (found.nngp, expected.nngp),
        (moved.jacobian(convert(X)), finite.jacobian(X)),
        (moved.ntk_blocks(X), finite.ntk_blocks(X)),
        (moved.parameters, finite.parameters),
        (moved.with_parameters(moved.parameters)(X), finite(X)),
    ]
    for mine, other in pairs:
        np.testing.assert_allclose(np.asarray(mine), other, rtol=1e-12, atol=1e-12 * np.abs(other).max())


def test_single_precision_stays_single_in_numpy() -> None:
    finite = draw("mlp", "ntk")
    found = finite.with_arrays(lambda p: p.astype(np.float32)).kernels(X).ntk
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, finite.kernels(X).ntk, rtol=1e-4, atol=1e-4)


def test_single_precision_stays_single() -> None:
    torch = pytest.importorskip("torch")
    finite = draw("mlp", "ntk")
    small = finite.with_arrays(lambda p: torch.as_tensor(p, dtype=torch.float32))
    found = small.kernels(X).ntk
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), finite.kernels(X).ntk, rtol=1e-4, atol=1e-4)


def test_refusals() -> None:
    torch = pytest.importorskip("torch")
    finite = draw("mlp", "ntk")
    with pytest.raises(DomainError, match="library and dtype"):
        finite(torch.as_tensor(X))
    moved = finite.with_arrays(torch.as_tensor)
    with pytest.raises(DomainError, match="library and dtype"):
        moved(torch.as_tensor(X, dtype=torch.float32))
    with pytest.raises(DomainError, match="NaN"):
        moved(torch.full((2, 3), float("nan"), dtype=torch.float64))
    with pytest.raises(DomainError, match="shape"):
        moved(torch.ones((2, 4), dtype=torch.float64))


def test_a_library_without_erf_is_refused() -> None:
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(DomainError, match="array_api_strict"):
        draw("mlp", "ntk").with_arrays(strict.asarray).kernels(X)


def test_parameters_that_gradients_pass_through_are_taken_without_a_warning() -> None:
    torch = pytest.importorskip("torch")
    sampled = Network.mlp(activations.relu, 1, 2, 0).sample(4, np.random.default_rng(0), input_dim=3)
    network = sampled.with_arrays(torch.as_tensor)
    for dtype in (torch.float64, torch.float32):  # warnings are errors here
        theta = network.parameters.to(dtype).requires_grad_(True)
        network.with_parameters(theta)(torch.ones((2, 3), dtype=torch.float64)).sum().backward()
        assert theta.grad is not None and theta.grad.abs().sum() > 0
