"""Kernel matrices on torch, jax and strict arrays, and their gradients beside certified differences.

The libraries are no requirement of the package: what is not installed is skipped.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest
import sympy as sp

from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.gram import approximant as approximant_module
from analytic_ntk.gram import array_levels, array_series
from analytic_ntk.gram.approximant import ERROR, approximant
from analytic_ntk.gram.array_fits import cut
from analytic_ntk.gram.array_levels import tables_at
from analytic_ntk.gram.array_pairs import input_pair
from analytic_ntk.gram.array_series import along, evaluate
from analytic_ntk.gram.arrays import gram_on_arrays, is_foreign
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual
from analytic_ntk.systems.float64 import float_expectations

LIBRARIES = ["numpy", "torch", "jax", "array_api_strict"]
W, B = sp.symbols("w b")
NUMBERS = {"w": 1.0, "b": 0.25}
BOTH = ("nngp", "ntk")
NETWORKS = {
    "relu": Network.mlp(activations.relu, 3, 2, "1/10"),
    "relu without bias": Network.mlp(activations.relu, 2, 2, 0),
    "step": Network.mlp(activations.step, 2, 2, "1/10"),
    "sign": Network.mlp(activations.sign, 2, 1, 0),
    "gelu": Network.mlp(activations.gelu, 2, 1, "1/4"),
    "cos": Network.mlp(activations.cos, 1, 1, 0),
    "branches": Network(
        Dense(1, "1/5"), Residual(LayerNorm(), Nonlinearity(activations.gelu), Dense(1, 1)),
        Nonlinearity(activations.resolve("abs")), Dense(1, 0),
    ),
}  # fmt: skip


def inputs() -> np.ndarray:
    """Ordinary rows; one twice, its antipode, its double, a near copy, a short row, a zero row."""
    X = np.random.default_rng(0).uniform(-1.0, 1.0, (12, 3))
    X[1], X[2], X[3] = X[0], -X[0], 0.5 * X[0]
    X[4] = X[0] + 1e-8 * X[5]
    X[6] *= 0.05
    X[7] = 0.0
    return X


def library(name: str) -> Any:
    if name == "jax":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        return jax.numpy
    return pytest.importorskip(name)


def scale(K: np.ndarray) -> np.ndarray:
    roots = np.sqrt(np.outer(K.diagonal(), K.diagonal()))
    return np.where(roots > 0, roots, 1.0)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        pytest.param(name, network, marks=[pytest.mark.slow] if name == "jax" else [])
        for name in LIBRARIES
        for network in NETWORKS
        if name != "jax" or network in ("relu", "gelu")
    ],
)
def test_arrays_eq_numpy(name: str, network: str) -> None:
    xp, net, X = library(name), NETWORKS[network], inputs()
    for dtype, bound in ((np.float64, 1e-12), (np.float32, 1e-5)):
        data = X.astype(dtype)
        truth = net.gram(data.astype(np.float64), kernel="both")
        found = gram_on_arrays(net.layers, xp.asarray(data), None, "both")
        across = gram_on_arrays(net.layers, xp.asarray(data), xp.asarray(data[:3]), "both")
        for true, matrix, part in zip(truth, found, across, strict=True):
            assert type(matrix) is type(xp.asarray(data)) and np.asarray(matrix).dtype == dtype
            assert np.abs((np.asarray(matrix) - true) / scale(true)).max() < bound
            assert np.abs((np.asarray(part) - true[:, :3]) / scale(true)[:, :3]).max() < bound
            assert np.array_equal(np.asarray(matrix), np.asarray(matrix).T)


def test_near_copies_keep_their_digits() -> None:
    net, X = NETWORKS["relu"], inputs()
    T, t = net.gram(X), gram_on_arrays(net.layers, X, None, "ntk")
    assert abs((t[0, 0] - t[0, 4]) / (T[0, 0] - T[0, 4]) - 1.0) < 1e-5  # T itself has eps/1e-8
    assert t[0, 0] == t[0, 1] == t[1, 1]


def test_saboteur_gap_by_cancellation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytic_ntk.gram.array_pairs.NEAR", 2.0)
    net, X = NETWORKS["relu"], inputs()
    T, t = net.gram(X), gram_on_arrays(net.layers, X, None, "ntk")
    assert np.abs((t - T) / scale(T)).max() > 1e-10


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_steps_in_float32_keep_five_digits(name: str) -> None:
    """At each layer a step takes the root of an angle: of 1e-6 between rows, five times."""
    xp, rng = library(name), np.random.default_rng(1)
    X = rng.standard_normal((20, 20))
    X[10:] = X[:10] + 1e-6 * rng.standard_normal((10, 20))
    X[3], X[4] = X[2] / 3.0, -1.7 * X[2]
    for phi in (activations.sign, activations.step):
        net, data = Network.mlp(phi, 5, 1, "1/10"), X.astype(np.float32)
        truth = net.gram(data.astype(np.float64), kernel="nngp")
        found = gram_on_arrays(net.layers, xp.asarray(data), None, "nngp")
        assert np.asarray(found).dtype == np.float32
        assert np.abs((np.asarray(found) - truth) / scale(truth)).max() < 1e-6


# ---------------------------------------------------------------------------------- on the device


def sealed(monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[Any, list[str]]:
    """A library whose arrays cannot leave it but number by number, and a list of the numbers that did."""
    xp = library(name)
    kind = xp.Tensor if name == "torch" else type(xp.ones(1))
    numbers: list[str] = []

    def never(*given: Any, **more: Any) -> Any:
        raise AssertionError("an array was copied to the host")

    for door in ("__array__", "numpy", "tolist", "cpu", "__dlpack__", "__buffer__"):
        if hasattr(kind, door):
            monkeypatch.setattr(kind, door, never)
    for door in ("__float__", "__bool__", "__int__"):
        right = getattr(kind, door)

        def read(self: Any, door: str = door, right: Any = right) -> Any:
            numbers.append(door)
            return right(self)

        monkeypatch.setattr(kind, door, read)
    return xp, numbers


@pytest.mark.parametrize("name", ["torch", "array_api_strict"])
@pytest.mark.parametrize("network", ["gelu", "step"])
def test_nothing_but_single_numbers_leaves_the_device(
    name: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    xp = library(name)
    small, large = (xp.asarray(np.random.default_rng(n).standard_normal((n, 3))) for n in (8, 80))
    xp, numbers = sealed(monkeypatch, name)
    counts = []
    for data in (small, large):
        numbers.clear()
        gram_on_arrays(NETWORKS[network].layers, data, None, "both")
        counts.append(len(numbers))
    assert counts[0] == counts[1] < 20


def test_saboteur_a_copy_to_the_host_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = input_pair
    monkeypatch.setattr(
        "analytic_ntk.gram.arrays.input_pair", lambda *given: (np.asarray(given[0].data), right(*given))[1]
    )
    xp, _ = sealed(monkeypatch, "torch")
    with pytest.raises(AssertionError, match="copied"):
        gram_on_arrays(NETWORKS["relu"].layers, xp.ones((2, 3), dtype=xp.float64), None, "ntk")


def saved_for_backward(network: str, n: int) -> float:
    """What autograd keeps of a matrix, in multiples of the matrix."""
    torch = pytest.importorskip("torch")
    X = torch.tensor(np.random.default_rng(0).standard_normal((n, 4)), requires_grad=True)
    kept: dict[int, int] = {}

    def pack(array: Any) -> Any:
        kept[array.untyped_storage().data_ptr()] = array.untyped_storage().nbytes()
        return array

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda array: array):
        K = NETWORKS[network].gram(X)
    K.sum().backward()
    return sum(kept.values()) / (8 * n * n)


def test_autograd_keeps_little_beside_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    from analytic_ntk.gram import arrays

    monkeypatch.setattr(arrays, "PAIRS", 2000)
    assert saved_for_backward("gelu", 200) < 3
    monkeypatch.setattr(arrays, "_recomputed", lambda inputs: lambda block: block())  # the saboteur
    assert saved_for_backward("gelu", 200) > 20


# ---------------------------------------------------------------------------------- gradients

Gradient = Callable[[Network, np.ndarray, np.ndarray, str], tuple[np.ndarray, float, float]]


def torch_gradient(
    net: Network, x: np.ndarray, y: np.ndarray, kernel: str
) -> tuple[np.ndarray, float, float]:
    """Of ``K(x, y)`` in ``x``, ``w``, ``b``."""
    torch = pytest.importorskip("torch")
    X = torch.tensor(x[None], requires_grad=True)
    numbers = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in NUMBERS.items()}
    K = net.gram(X, torch.tensor(y[None]), kernel, values=numbers)
    K[0, 0].backward()
    return X.grad[0].numpy(), float(numbers["w"].grad), float(numbers["b"].grad)


def jax_gradient(net: Network, x: np.ndarray, y: np.ndarray, kernel: str) -> tuple[np.ndarray, float, float]:
    xp = library("jax")
    import jax

    def value(x: Any, w: Any, b: Any) -> Any:
        return net.gram(x[None], xp.asarray(y)[None], kernel, values={"w": w, "b": b})[0, 0]

    found = jax.grad(value, (0, 1, 2))(*(xp.asarray(v) for v in (x, NUMBERS["w"], NUMBERS["b"])))
    return np.asarray(found[0]), float(found[1]), float(found[2])


Point = tuple[sp.Rational, ...]


@lru_cache(maxsize=1024)
def certified(
    phi: Activation, x: Point, y: Point, w: sp.Rational, b: sp.Rational
) -> tuple[Fraction, Fraction]:
    """NNGP and NTK at depth 1, to 32 digits."""
    found = Network.mlp(phi, 1, w, b).certified(x, y, digits=32)
    return found.nngp.midpoint, found.ntk.midpoint


def certified_gradient(phi: Activation, x: Point, y: Point, kernel: int) -> tuple[np.ndarray, float, float]:
    """Symmetric differences of certified values: at a cone the middle of the subgradient."""
    h, w, b = sp.Rational(1, 10**9), sp.Rational(1), sp.Rational(1, 4)

    def slope(f: Callable[[sp.Rational], tuple[Fraction, Fraction]]) -> float:
        return float((f(h)[kernel] - f(-h)[kernel]) * 10**9 / 2)

    def moved(i: int, h: sp.Rational) -> Point:
        return tuple(v + h if j == i else v for j, v in enumerate(x))

    return (
        np.array(
            [slope(partial(lambda i, h: certified(phi, moved(i, h), y, w, b), i)) for i in range(len(x))]
        ),
        slope(lambda h: certified(phi, x, y, w + h, b)),
        slope(lambda h: certified(phi, x, y, w, b + h)),
    )


PLACES = {
    "apart": ([1, -1, 2], [2, 1, 1]),
    "opposite sides": ([1, -1, 2], [-2, 1, -1]),
    "coincident": ([1, -1, 2], [1, -1, 2]),
    "antipodal": ([1, -1, 2], [-1, 1, -2]),
    "at zero": ([0, 0, 0], [1, -1, 2]),
}


@pytest.mark.parametrize(
    ("phi", "place", "gradient"),
    [
        pytest.param(phi, place, gradient, id=f"{name}-{place}-{gradient.__name__}")
        for name, phi in (("relu", activations.relu), ("gelu", activations.gelu))
        for place in PLACES
        for gradient in (torch_gradient, jax_gradient)
        if gradient is torch_gradient or (name, place) == ("relu", "coincident")  # jax compiles each step
    ],
)
def test_gradient_eq_certified_differences(phi: Activation, place: str, gradient: Gradient) -> None:
    x, y = (tuple(sp.Rational(v, 2) for v in point) for point in PLACES[place])
    net = Network.mlp(phi, 1, W, B)
    for kernel, name in enumerate(BOTH):
        true = certified_gradient(phi, x, y, kernel)
        found = gradient(net, np.array(x, float), np.array(y, float), name)
        assert np.abs(np.hstack(found) - np.hstack(true)).max() < 1e-11


def test_saboteur_slope_of_the_cone_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the root of the angle differentiated at 0, the gradient at coincident inputs is no number."""
    from analytic_ntk.gram import array_system

    monkeypatch.setattr(array_system, "angular", lambda xp, delta: xp.sqrt(delta))
    x = np.array([0.5, -0.5, 1.0])
    assert not np.all(np.isfinite(torch_gradient(Network.mlp(activations.relu, 1, W, B), x, x, "ntk")[0]))


@pytest.mark.parametrize("name", ["torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_gradients_of_whole_matrices_are_finite(name: str) -> None:
    xp, X = library(name), inputs()
    for network in (
        ("relu", "relu without bias", "gelu", "step") if name == "torch" else ("relu without bias",)
    ):
        layers = NETWORKS[network].layers
        if name == "torch":
            data = xp.tensor(X, requires_grad=True)
            gram_on_arrays(layers, data, None, "ntk").sum().backward()
            found = data.grad.numpy()
        else:
            import jax

            found = np.asarray(
                jax.grad(lambda x, ls=layers: gram_on_arrays(ls, x, None, "ntk").sum())(xp.asarray(X))
            )
        assert np.all(np.isfinite(found)) and np.any(found != 0)


def test_second_derivatives_of_a_smooth_kernel_at_coincident_inputs() -> None:
    """``d^2 K/dx dy`` at ``y = x``, beside differences of certified values."""
    torch = pytest.importorskip("torch")
    one = Network(*NETWORKS["gelu"].layers[:3])
    x, y = (torch.tensor([[0.5, -0.5]], dtype=torch.float64, requires_grad=True) for _ in range(2))
    (first,) = torch.autograd.grad(one.gram(x, y)[0, 0], x, create_graph=True)
    found = [torch.autograd.grad(v, y, retain_graph=True)[0][0].numpy() for v in first[0]]
    h = sp.Rational(1, 10**6)
    point = [sp.Rational(1, 2), sp.Rational(-1, 2)]
    for i in range(2):
        for j in range(2):
            corners = [
                s * t * certified(
                    activations.gelu,
                    tuple(v + s * h * int(k == i) for k, v in enumerate(point)),
                    tuple(v + t * h * int(k == j) for k, v in enumerate(point)),
                    sp.Rational(1), sp.Rational(1, 4),
                )[1]
                for s in (1, -1) for t in (1, -1)
            ]  # fmt: skip
            assert abs(found[i][j] - float(sum(corners) * 10**12 / 4)) < 1e-9


# ---------------------------------------------------------------------------------- kinks off 0

LATE = Activation.parse("Max(x - 1, 0)", "late relu")
KINKS = {
    name: activations.all_activations()[name]
    for name in ("hardtanh", "relu6", "hardsigmoid", "hardswish", "triangle")
} | {"late relu": LATE}

SLOW = ("triangle", "hardswish", "hardsigmoid", "late relu")


def one_norm() -> np.ndarray:
    """Ordinary rows; one twice, its antipode, near copies of both; all of one norm."""
    X = np.random.default_rng(0).standard_normal((12, 3))
    X[1], X[2] = X[0], -X[0]
    X[4], X[5] = X[0] + 1e-8 * X[6], -X[0] + 1e-5 * X[7]
    return X * np.sqrt(3) / np.linalg.norm(X, axis=1)[:, None]


@pytest.mark.parametrize(
    ("name", "phi"),
    [
        pytest.param(name, phi, marks=[pytest.mark.slow] if name == "jax" or phi in SLOW else [])
        for name in LIBRARIES
        for phi in KINKS
        if name in ("numpy", "torch") or phi == "hardtanh"
    ],
)
def test_kinks_off_zero_at_one_norm(name: str, phi: str) -> None:
    xp, net, X = library(name), Network.mlp(KINKS[phi], 3, "3/2", "1/4"), one_norm()
    for dtype, bound in ((np.float64, 2e-14), (np.float32, 1e-5)):
        data = X.astype(dtype)
        truth = net.gram(data.astype(np.float64), kernel="both")
        found = gram_on_arrays(net.layers, xp.asarray(data), None, "both")
        across = gram_on_arrays(net.layers, xp.asarray(data), xp.asarray(data[:3]), "both")
        for true, matrix, part in zip(truth, map(np.asarray, found), map(np.asarray, across), strict=True):
            assert matrix.dtype == dtype and np.array_equal(matrix, matrix.T)
            assert np.abs((matrix - true) / scale(true)).max() < bound
            assert np.abs((part - true[:, :3]) / scale(true)[:, :3]).max() < bound
            if dtype is np.float64:
                assert matrix[0, 0] == matrix[0, 1] == matrix[1, 1]
                fall = abs((matrix[0, 0] - matrix[0, 4]) - (true[0, 0] - true[0, 4]))
                assert fall < 4e-15 * true[0, 0]  # both are differences of rounded numbers


def test_kinks_off_zero_eq_certified() -> None:
    """On rows with exact coordinates; norms from 1/20 to 5 of the place of the kink."""
    x, y = (2, -1, 2), (1, 2, 2)
    for factor in (sp.Rational(1, 20), 1, 3):
        rows = [tuple(factor * sp.Rational(v) for v in row) for row in (x, y)]
        net = Network.mlp(LATE if factor > 1 else activations.hardtanh, 1, 1, "1/4")
        true = net.certified(*rows, digits=20)
        found = gram_on_arrays(net.layers, np.array(rows, float), None, "both")
        for matrix, value in zip(found, (true.nngp, true.ntk), strict=True):
            assert abs(matrix[0, 1] - float(value.midpoint)) < 1e-14 * matrix[0, 0]


@pytest.mark.parametrize("phi", ["hardtanh", "relu6", "late relu"])
@pytest.mark.parametrize("place", [place for place in PLACES if place != "at zero"])
def test_gradient_of_kinks_off_zero(phi: str, place: str) -> None:
    """The norm moves with the input: the certified differences leave the norm where the matrix is."""
    x, y = (tuple(sp.Rational(v, 2) for v in point) for point in PLACES[place])
    net = Network.mlp(KINKS[phi], 1, W, B)
    for kernel, name in enumerate(BOTH):
        true = certified_gradient(KINKS[phi], x, y, kernel)
        found = torch_gradient(net, np.array(x, float), np.array(y, float), name)
        # beside a cone whose slope varies, symmetric differences are off by their step, 1e-9, times that
        bound = 1e-9 if (place, name) == ("coincident", "ntk") else 1e-13
        assert np.abs(np.hstack(found) - np.hstack(true)).max() < bound


def test_saboteur_norms_held_fast_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the derivatives in the norm left out, gradients are wrong."""
    right = tables_at

    def held(*given: Any) -> Any:
        tables = right(*given)
        return None if tables is None else tables | {"basis": np.array([[1.0, 0.0], [0.0, 0.0]])}

    monkeypatch.setattr("analytic_ntk.gram.array_system.tables_at", held)
    x, y = (tuple(sp.Rational(v, 2) for v in point) for point in PLACES["apart"])
    true = certified_gradient(KINKS["hardtanh"], x, y, 1)
    found = torch_gradient(
        Network.mlp(KINKS["hardtanh"], 1, W, B), np.array(x, float), np.array(y, float), "ntk"
    )
    assert np.abs(found[0] - true[0]).max() > 1e-3


def test_second_derivatives_at_one_norm_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwards or backwards; without the refusal there would be an answer."""
    torch = pytest.importorskip("torch")
    net, X = Network.mlp(KINKS["hardtanh"], 1, 1, "1/4"), torch.tensor(one_norm()[6:9])

    def total(x: Any) -> Any:
        return net.gram(x).sum()

    plain = torch.autograd.functional.jacobian(total, X)
    assert (torch.func.grad(total)(X) - plain).abs().max() < 1e-13
    for hessian in (torch.autograd.functional.hessian, lambda f, x: torch.func.jacrev(torch.func.grad(f))(x)):
        with pytest.raises(DomainError, match="second derivative"):
            hessian(total, X)
    monkeypatch.setattr("analytic_ntk.gram.array_system.differentiated_once", lambda s: s)
    assert torch.autograd.functional.hessian(total, X).shape == (3, 3, 3, 3)


@pytest.mark.slow
def test_jax_at_one_norm() -> None:
    xp, jax = library("jax"), pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    net, X = Network.mlp(KINKS["hardtanh"], 1, 1, "1/4"), one_norm()[6:9]

    def total(x: Any) -> Any:
        return net.gram(x).sum()

    found = np.asarray(jax.grad(total)(xp.asarray(X)))
    plain = torch.autograd.functional.jacobian(total, torch.tensor(X)).numpy()
    assert np.abs(found - plain).max() < 1e-13
    with pytest.raises(DomainError, match="second derivative"):
        jax.hessian(total)(xp.asarray(X))
    with pytest.raises(DomainError, match="in traced code"):
        jax.jit(total)(xp.asarray(X))


def test_kinks_off_zero_after_a_normalisation() -> None:
    """Rows of several norms: they are one after it."""
    layers = (Dense(1, 0), LayerNorm(), Nonlinearity(activations.hardtanh), Dense(1, "1/4"))
    X = inputs()[:7]
    for true, found in zip(
        Network(*layers).gram(X, kernel="both"), gram_on_arrays(layers, X, None, "both"), strict=True
    ):
        assert np.abs(found - true).max() < 1e-13


def test_saboteur_wrong_cells_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    right = approximant_module.averages
    array_levels._cell.cache_clear()
    assert tables_at(activations.hardtanh, 1.0) is not None
    monkeypatch.setattr(array_levels, "averages", lambda *given: right(*given) * (1 + 1e-10))
    array_levels._cell.cache_clear()
    assert tables_at(activations.hardtanh, 1.0) is None
    array_levels._cell.cache_clear()


@pytest.mark.slow
def test_large_variances_are_refused_or_served_at_one_norm() -> None:
    """No approximant of gelu follows standard deviations from 0 to 16; at one of them there is one."""
    assert approximant(activations.gelu, 100.0) is None
    assert approximant(activations.gelu, 1e12) is None
    net, X = Network.mlp(activations.tanh, 2, 1, "1/4"), 30.0 * one_norm()
    truth, found = net.gram(X), gram_on_arrays(net.layers, X, None, "ntk")
    assert np.abs((found - truth) / scale(truth)).max() < 1e-13
    with pytest.raises(DomainError, match="13 digits"):
        gram_on_arrays(net.layers, X * np.linspace(0.5, 1.0, len(X))[:, None], None, "ntk")


# ---------------------------------------------------------------------------------- transformations


def test_traced_code_needs_a_bound_of_the_variances() -> None:
    jax, xp = pytest.importorskip("jax"), library("jax")
    X, relu, gelu = inputs()[:4], NETWORKS["relu"], NETWORKS["gelu"]
    traced = jax.jit(lambda x: relu.gram(x))(xp.asarray(X))
    assert np.abs(np.asarray(traced) - relu.gram(X)).max() < 1e-13
    with pytest.raises(DomainError, match="largest_variance"):
        jax.jit(lambda x: gelu.gram(x))(xp.asarray(X))
    bounded = jax.jit(lambda x: gelu.gram(x, largest_variance=4.0))
    assert np.abs(np.asarray(bounded(xp.asarray(X))) - gelu.gram(X)).max() < 1e-12
    assert np.any(np.isnan(np.asarray(bounded(xp.asarray(100.0 * X)))))


def test_torch_vmap() -> None:
    torch = pytest.importorskip("torch")
    X = np.stack([inputs()[:4], 0.5 * inputs()[:4]])
    found = torch.func.vmap(lambda x: NETWORKS["relu"].gram(x))(torch.tensor(X))
    for one, data in zip(found, X, strict=True):
        assert np.abs(one.numpy() - NETWORKS["relu"].gram(data)).max() < 1e-13


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = NETWORKS["gelu"], inputs()
    whole = gram_on_arrays(net.layers, X, None, "ntk")
    monkeypatch.setattr("analytic_ntk.gram.arrays.PAIRS", 30)
    assert np.abs(gram_on_arrays(net.layers, X, None, "ntk") - whole).max() < 1e-14


def test_transformations_of_torch() -> None:
    """Forwards, backwards, twice and over a batch, the same derivatives."""
    torch = pytest.importorskip("torch")
    one, pushed = NETWORKS["gelu"], inputs()[:6]
    X, move = torch.tensor(pushed), torch.tensor(pushed[::-1].copy())

    def total(x: Any) -> Any:
        return one.gram(x, largest_variance=4.0).sum()

    plain = torch.autograd.functional.jacobian(total, X)
    assert (torch.func.grad(total)(X) - plain).abs().max() < 1e-13 * plain.abs().max()
    with warnings.catch_warnings():  # torch compiles some of its own derivatives in a way it deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        _, forward = torch.func.jvp(total, (X,), (move,))
    assert abs(float(forward) - float((plain * move).sum())) < 1e-12
    batch = torch.func.vmap(torch.func.grad(total))(torch.stack([X, 0.5 * X]))
    assert (batch[0] - plain).abs().max() < 1e-11


def sums(count: int, rank: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.uniform(-1, 1, shape) for shape in ((count, rank, rank), (3, rank), (4, rank), (3, 4))]


@pytest.mark.parametrize(("count", "rank"), [(1, 2), (2, 2), (5, 2), (5, 1)])
def test_rules_of_sums(count: int, rank: int) -> None:
    """First and second derivatives beside differences (torch's own check), and the sum by its definition."""
    torch = pytest.importorskip("torch")
    core, *rest = (torch.tensor(array) for array in sums(count, rank))
    for array in rest:
        array.requires_grad_(True)
    value = evaluate(core, *rest)
    left, right, t = (array.detach().numpy() for array in rest)
    direct = sum(np.cos(k * np.arccos(t)) * (left @ core[k].numpy() @ right.T) for k in range(count))
    assert np.abs(value.detach().numpy() - direct).max() < 1e-13
    assert torch.autograd.gradcheck(
        lambda *given: evaluate(core, *given), rest, rtol=1e-6, check_forward_ad=True
    )
    assert torch.autograd.gradgradcheck(lambda *given: evaluate(core, *given), rest, rtol=1e-6)


def test_rules_of_sums_in_jax() -> None:
    xp, jax = library("jax"), pytest.importorskip("jax")
    from jax.test_util import check_grads

    core, *rest = (xp.asarray(array) for array in sums(5, 2))
    compiled = jax.jit(lambda *given: evaluate(core, *given))
    check_grads(compiled, tuple(rest), order=2, modes=["rev"], eps=1e-5)
    check_grads(compiled, tuple(rest), order=1, modes=["fwd"], eps=1e-5)


def test_saboteur_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    right = array_series._slope
    monkeypatch.setattr(array_series, "_slope", lambda core: right(core) * (1 + 1e-4))
    core, *rest = (torch.tensor(array) for array in sums(5, 2))
    rest[2].requires_grad_(True)
    assert not torch.autograd.gradcheck(
        lambda *given: evaluate(core, *given), rest, rtol=1e-6, raise_exception=False
    )


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", pytest.param("elu", marks=pytest.mark.slow), "cos"])
@pytest.mark.parametrize("ends", [(0.8, 1.2), (1.0, 1.0), (0.0, 2.0)])
def test_cut_polynomials_are_the_whole_ones(name: str, ends: tuple[float, float]) -> None:
    """On the norms they are cut to, in far fewer terms."""
    found = approximant(activations.resolve(name), 4.0)
    assert found is not None
    rng, tables = np.random.default_rng(0), cut(found, *ends, 2.0**-52)
    s1, s2 = ends[0] + (ends[1] - ends[0]) * rng.random((2, 200)) + 1e-3 * (ends[0] == 0)
    u, sign = rng.random(200), rng.choice([-1.0, 1.0], 200)
    delta = u**found.power
    *_, slope = found.at(s1, s2, delta, sign < 0)
    slope = slope * (np.where(sign < 0, -1.0, 1.0) if found.parity > 0 else 1.0)
    if found.reach < np.inf:
        middle, half = tables["place"]
        left, right = (along(tables["basis"], (found.place(s) - middle) / half) for s in (s1, s2))
    else:
        left = right = np.ones((200, 1)) * tables["basis"]
    got = evaluate(tables["slopes"], left, right, np.tile(2 * u - 1, (200, 1)))
    odd = evaluate(tables["slopes_odd"], left, right, np.tile(2 * u - 1, (200, 1)))
    assert np.abs(np.diagonal(got) + sign * np.diagonal(odd) - slope).max() < 5e-14


# ---------------------------------------------------------------------------------- polynomials


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["tanh", "silu", "erf", "sigmoid", "softplus", "elu", "selu", "sin", "gaussian", "arctan"]
)
@pytest.mark.parametrize("largest", [4.0, 16.0])
def test_approximant_eq_expectations(name: str, largest: float) -> None:
    phi = activations.all_activations()[name]
    found = approximant(phi, largest)
    assert found is not None
    rng = np.random.default_rng(3)
    s1, s2 = np.sqrt(largest) * rng.random((2, 300))
    delta, sign = rng.random(300) ** rng.choice([1, 8], 300), rng.choice([-1.0, 1.0], 300)
    known, root = float_expectations(phi), s1 * s2
    pair = known.pair(s1**2, s2**2, sign * root * (1 - delta), root * delta)
    value, _, slope = found.at(s1, s2, delta, sign < 0)
    for got, true, moment in (
        (value, pair.dual, known.second_moment),
        (slope, pair.derivative_dual, known.derivative_second_moment),
    ):
        assert np.abs(got - true / np.sqrt(moment(s1**2) * moment(s2**2))).max() < 2 * ERROR


# ---------------------------------------------------------------------------------- refusals


def test_what_cannot_be_served_is_refused() -> None:
    xp = library("array_api_strict")
    X = xp.asarray(inputs())
    relu = Network.mlp(activations.relu, 1, W, B)
    hardtanh = Network.mlp(activations.hardtanh, 1, 1, 0)
    for network, arguments, options, match in (
        (hardtanh, (X,), {}, "rows of one norm"),
        (hardtanh, (xp.zeros((2, 3)),), {}, "rows of one norm"),
        (Network.mlp(Activation.parse("x + Heaviside(x - 1)", "jump"), 1, 1, 0), (X,), {}, "continuous"),
        (relu, (X,), {}, "without a value"),
        (relu, (X,), {"values": {"w": 1.0}}, "without a value"),
        (relu, (X,), {"values": {"w": -1.0, "b": 0.0}}, "variance >= 0"),
        (relu, (X,), {"values": NUMBERS | {"c": 1.0}}, "a value for c"),
        (relu, (X,), {"values": {"w": True, "b": 0.0}}, "0-d array"),
        (relu, (X,), {"values": {"w": xp.asarray([1.0]), "b": 0.0}}, "0-d array"),
        (relu, (X, inputs()), {"values": NUMBERS}, "nothing is moved"),
        (relu, (X, xp.asarray(inputs(), dtype=xp.float32)), {"values": NUMBERS}, "nothing is moved"),
        (relu, (xp.asarray([[1, 2]]),), {"values": NUMBERS}, "float32 or float64"),
        (relu, (xp.asarray([1.0, 2.0]),), {"values": NUMBERS}, "a matrix"),
        (relu, (xp.asarray([[np.nan]]),), {"values": NUMBERS}, "finite"),
        (relu, (xp.asarray([[1e-200]]),), {"values": NUMBERS}, "rescale"),
        (relu, (X, xp.asarray([[1.0]])), {"values": NUMBERS}, "equal dimensions"),
        (relu, (X,), {"values": NUMBERS, "largest_variance": -1.0}, "positive"),
        (relu, (X,), {"values": NUMBERS, "progress": True}, "progress"),
        (relu, (X,), {"values": NUMBERS, "kernel": "other"}, "nngp"),
        (NETWORKS["branches"], (xp.zeros((1, 2)),), {}, None),
        (Network(Dense(1, 0), LayerNorm(), Dense(1, 0)), (xp.zeros((1, 2)),), {}, "zero input"),
    ):  # fmt: skip
        if match is None:
            assert np.all(np.isfinite(np.asarray(network.gram(*arguments, **options))))
            continue
        with pytest.raises(DomainError, match=match):
            network.gram(*arguments, **options)


def test_dtypes_and_layouts_that_are_not_served() -> None:
    torch = pytest.importorskip("torch")
    relu, X = NETWORKS["relu"], torch.ones((2, 3), dtype=torch.float64)
    for dtype in (torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex128):
        with pytest.raises(DomainError, match="float32 or float64"):
            relu.gram(X.to(dtype))
    with pytest.raises(DomainError, match="dense"):
        relu.gram(X.to_sparse())
    with pytest.raises(DomainError, match="nothing is moved"):
        relu.gram(X, X.to("meta"))


def test_numpy_arrays_take_the_numpy_path() -> None:
    assert not is_foreign(np.eye(2)) and not is_foreign([[1.0]]) and not is_foreign(np.float64(1.0))


def test_wrong_polynomials_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: mean slopes that are a little off meet the recursion at no point between the nodes."""
    relu = activations.resolve("relu")
    monkeypatch.delenv("ANALYTIC_NTK_CACHE", raising=False)
    approximant_module._built.cache_clear()
    assert approximant(relu, 1.0) is not None
    right = approximant_module.averages
    monkeypatch.setattr(approximant_module, "averages", lambda *given: right(*given) * (1 + 1e-10))
    approximant_module._built.cache_clear()
    assert approximant(relu, 1.0) is None
    approximant_module._built.cache_clear()
