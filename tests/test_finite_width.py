"""Finite networks: the empirical kernels are those of the function itself, and tend to the limit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import EmpiricalKernels, FiniteNetwork, sample, sanity_check
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.layer_norm import FiniteLayerNorm
from analytic_ntk.layers.residual import FiniteResidual

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
ENDS_DENSE = [name for name in ARCHITECTURES if not name.startswith("ends")]


def by_differences(finite: FiniteNetwork, step: float = 1e-5) -> np.ndarray:
    """The Jacobian from central differences of the function in every parameter: the definition."""
    theta = finite.parameters
    jacobian = np.empty((len(X), finite.outputs, len(theta)))
    for i in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[i] = step
        up, down = finite.with_parameters(theta + shift), finite.with_parameters(theta - shift)
        jacobian[:, :, i] = (up(X) - down(X)) / (2 * step)
    return jacobian


def draw(name: str, parametrisation: str = "ntk") -> FiniteNetwork:
    outputs = 2 if name in ENDS_DENSE else None
    rng = np.random.default_rng(1)
    return ARCHITECTURES[name].sample(6, rng, input_dim=3, outputs=outputs, parametrisation=parametrisation)


@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_kernels_eq_those_of_the_jacobian_by_differences(name: str, parametrisation: str) -> None:
    finite = draw(name, parametrisation)
    jacobian = by_differences(finite)
    # central differences: truncation ~ step^2 = 1e-10, rounding ~ 1e-16/step = 1e-11, both relative
    close = {"rtol": 1e-7, "atol": 1e-7 * np.abs(jacobian).max()}
    np.testing.assert_allclose(finite.jacobian(X), jacobian, **close)
    blocks = np.einsum("iap,jbp->abij", jacobian, jacobian)
    close["atol"] = 1e-7 * np.abs(blocks).max()
    np.testing.assert_allclose(finite.ntk_blocks(X), blocks, **close)
    mean = np.einsum("aaij->ij", blocks) / finite.outputs
    np.testing.assert_allclose(finite.kernels(X).ntk, mean, **close)
    readout = np.linspace(1, 2, finite.outputs)
    along = np.einsum("a,abij,b->ij", readout, blocks, readout)
    np.testing.assert_allclose(
        finite.kernels(X, readout).ntk, along, rtol=1e-6, atol=1e-6 * np.abs(along).max()
    )
    layers = finite.layer_kernels(X)
    np.testing.assert_allclose(
        sum(layer.ntk for layer in layers), finite.kernels(X).ntk, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("name", ENDS_DENSE)
def test_nngp_eq_covariance_over_the_last_layer(name: str) -> None:
    """The covariance of an output over fresh last layers, by the definition: 4000 of them in one."""
    wide = ARCHITECTURES[name].sample(5, np.random.default_rng(3), input_dim=3, outputs=4000)
    outputs = wide(X)
    sampled = outputs @ outputs.T / 4000
    exact = wide.kernels(X, np.eye(4000)[0]).nngp
    scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    assert np.abs(sampled - exact).max() < 6 * np.sqrt(2 / 4000) * scale.max()
    np.testing.assert_array_equal(exact, wide.layer_kernels(X, np.eye(4000)[0])[-1].nngp)


def test_both_parametrisations_give_the_same_functions() -> None:
    """From one seed; a standard weight is the scaled NTK weight, so derivatives scale back."""
    ntk, standard = (draw("mlp", which) for which in ("ntk", "standard"))
    np.testing.assert_allclose(ntk(X), standard(X), rtol=1e-12)
    np.testing.assert_allclose(ntk.kernels(X).nngp, standard.kernels(X).nngp, rtol=1e-12)
    first, other = ntk.layer_kernels(X)[1], standard.layer_kernels(X)[1]
    product = standard.run(X)[1][2] @ standard.run(X)[1][2].T  # the features the second Dense reads
    ratio = (product + 1) / (1.5 / 6 * product + 0.1)
    np.testing.assert_allclose(other.ntk, first.ntk * ratio, rtol=1e-11)


def test_widths_layer_by_layer() -> None:
    rng = np.random.default_rng(0)
    finite = ARCHITECTURES["residual"].sample([5, 5, 9, 5, 3], rng, input_dim=3)
    assert finite(X).shape == (4, 3) and len(finite.layer_kernels(X)) == 5
    assert finite.size == len(finite.parameters) == (3 + 1) * 5 + (5 + 1) * 5 + 5 * 9 + (9 + 1) * 5 + 5 * 3


def test_no_jacobian_is_formed() -> None:
    """Memory O(n width): far below the Jacobian, which would take n times the parameters."""
    import tracemalloc

    finite = ARCHITECTURES["mlp"].sample(400, np.random.default_rng(0), input_dim=3)
    many = np.random.default_rng(1).standard_normal((50, 3))
    tracemalloc.start()
    finite.kernels(many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * 8 * 50 * finite.size


def test_kink_and_jump_conventions() -> None:
    at = np.array([-1.0, 0.0, 1.0])
    for phi, value, slope in (
        (activations.relu, [0, 0, 1], [0, 0.5, 1]),
        (Activation.parse("Heaviside(x)"), [0, 0.5, 1], [0, 0, 0]),
        (Activation.parse("abs(x)"), [1, 0, 1], [-1, 0, 1]),
    ):
        np.testing.assert_array_equal(on_arrays(phi.pieces)(at), value)
        np.testing.assert_array_equal(on_arrays(phi.derivative)(at), slope)


@pytest.mark.parametrize("name", list(activations.all_activations()))
def test_elementwise_eq_the_activation(name: str) -> None:
    """Against the other evaluator, which cuts the array apart instead of clipping it."""
    phi = activations.all_activations()[name]
    if phi.parameters:
        phi = phi.with_parameters(**dict.fromkeys(phi.parameters, "3/10"))
    z = np.concatenate([np.linspace(-12, 12, 2001), [float(b) for b in phi.pieces.breakpoints]])
    with np.errstate(all="ignore"):
        pairs = [(on_arrays(f)(z), f.float_function()(z)) for f in (phi.pieces, phi.derivative)]
    for mine, other in pairs:  # high powers lose a few bits to another order of multiplications
        np.testing.assert_allclose(mine, other, rtol=1e-13, atol=1e-13 * np.abs(other).max())


# ------------------------------------------------------------------------------------ planted faults


def differs(finite: FiniteNetwork) -> bool:
    jacobian = by_differences(finite)
    expected = np.einsum("iap,jap->ij", jacobian, jacobian) / finite.outputs
    return bool(np.abs(finite.kernels(X).ntk - expected).max() > 1e-3 * np.abs(expected).max())


def test_saboteur_layer_norm_without_its_projections_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FiniteLayerNorm, "backward", lambda self, tape, rows, visit: rows / tape[1])
    assert differs(draw("layer norm"))


def test_saboteur_lost_bias_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FiniteDense.parameter_product
    monkeypatch.setattr(
        FiniteDense, "parameter_product",
        lambda self, features: honest(dataclasses.replace(self, bias_scale=0.0), features),
    )  # fmt: skip
    assert differs(draw("mlp"))


def test_saboteur_lost_skip_on_the_way_back_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FiniteResidual.backward
    monkeypatch.setattr(
        FiniteResidual, "backward", lambda self, tape, rows, visit: honest(self, tape, rows, visit) - rows
    )
    assert differs(draw("residual"))


# ------------------------------------------------------------------------------------ the limit, roughly


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
    wrong = Network.mlp(activations.tanh, depth=2, weight_variance="33/20", bias_variance="1/10")
    check = sanity_check(ARCHITECTURES["mlp"], X, width=256, draws=30, rng=np.random.default_rng(3))
    other = dataclasses.replace(check.nngp, limit=wrong.gram(X, kernel="nngp"))
    assert np.abs(other.z_scores).max() > 6


def test_a_linear_function_has_the_same_gradient_everywhere() -> None:
    network = Network(Dense(2, "1/3"))
    exact = 2 * X @ X.T / 3 + 1 / 3
    kernels = network.sample(1, np.random.default_rng(0), input_dim=3).kernels(X)
    np.testing.assert_allclose(kernels.ntk, exact, rtol=1e-13)
    np.testing.assert_allclose(kernels.nngp, exact, rtol=1e-13)


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
    residual = ARCHITECTURES["ends in residual"]
    return {
        "width 0": (lambda: sample(mlp, 3, 0, rng), "width = 0"),
        "width as a float": (lambda: sample(mlp, 3, 4.0, rng), "width = 4.0"),
        "width True": (lambda: mlp.sample(True, rng, 3), "width = True"),
        "widths with a 0": (lambda: mlp.sample([4, 0, 1], rng, 3), r"widths\[1\] = 0"),
        "too few widths": (lambda: mlp.sample([4, 1], rng, 3), "2 widths"),
        "outputs twice": (lambda: mlp.sample([4, 4, 1], rng, 3, outputs=2), "outputs = 2"),
        "no input": (lambda: sample(mlp, 0, 4, rng), "input_dim = 0"),
        "no outputs": (lambda: sample(mlp, 3, 4, rng, outputs=0), "outputs = 0"),
        "outputs after residual": (lambda: sample(residual, 3, 4, rng, outputs=1), "after Residual"),
        "branch of another width": (lambda: residual.sample([4, 5], rng, 3), "branch of width 5"),
        "parametrisation": (lambda: mlp.sample(4, rng, 3, parametrisation="mup"), "parametrisation"),
        "a seed": (lambda: mlp.sample(4, 0, 3), "rng = 0"),
        "symbolic activation": (lambda: sample(symbolic, 3, 4, rng), "alpha"),
        "NaN": (lambda: finite.kernels([[np.nan, 0, 0]]), "NaN"),
        "ragged": (lambda: finite([[1.0, 2.0, 3.0], [1.0]]), "different lengths"),
        "text": (lambda: finite([["a", "b", "c"]]), "dtype"),
        "complex": (lambda: finite(np.ones((1, 3)) * 1j), "dtype"),
        "rank": (lambda: finite([1.0, 2.0, 3.0]), "shape"),
        "columns": (lambda: finite([[1.0, 2.0]]), "shape"),
        "no rows": (lambda: finite(np.ones((0, 3))), "shape"),
        "readout": (lambda: finite.kernels(X, [1.0, 2.0]), "readout"),
        "one draw": (lambda: sanity_check(mlp, X, 4, 1, rng), "draws = 1"),
        "parameters": (lambda: finite.with_parameters(np.zeros(3)), "shape"),
        "overflow": (
            lambda: sample(Network.mlp(activations.exp, 4, 100, 0), 3, 50, rng).kernels(10 * X), "overflows"),
        "equal units": (
            lambda: sample(Network(Dense(1, 0), LayerNorm()), 3, 4, rng).kernels(np.zeros((1, 3))),
            "LayerNorm"),
        "units equal up to rounding": (
            lambda: sample(Network(Dense(1, 1), LayerNorm()), 3, 7, rng)
            .with_parameters(np.full(28, 0.37)).kernels(np.array([[0.1, 0.7, -0.3]])),
            "up to rounding"),
        "readout as text": (lambda: finite.kernels(X, "ab"), "readout"),
        "arrays of another shape": (lambda: finite.with_arrays(lambda p: p[:1]), "parameters of shape"),
        "arrays of integers": (lambda: finite.with_arrays(lambda p: p.astype(int)), "dtype int64"),
        "arrays that are none": (lambda: finite.with_arrays(lambda p: p.tolist()), "type list"),
        "one unit": (lambda: sample(Network(Dense(1, 0), LayerNorm()), 3, 1, rng), "LayerNorm over 1"),
    }  # fmt: skip


@pytest.mark.parametrize("case", list(refusals()))
def test_refusals(case: str) -> None:
    call, words = refusals()[case]
    with pytest.raises(DomainError, match=words):
        call()
