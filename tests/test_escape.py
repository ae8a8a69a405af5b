"""Good directions: the antisymmetric network, groups of directions, the regulariser, errors by degree."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analytic_ntk import Activation, Network, activations
from analytic_ntk.cli import app
from analytic_ntk.errors import DomainError
from analytic_ntk.learning_curve import simulate
from analytic_ntk.spectrum import multiplicity
from analytic_ntk.theory import escape, taylor
from analytic_ntk.theory.escape.fit import Objective

PHI = Activation.parse("sigmoid(x - 1)")


def small(seed: int = 0, dim: int = 3, width: int = 12) -> tuple[escape.Antisymmetric, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return escape.draw(PHI, dim, width, rng), rng


# ------------------------------------------------------------------------------------ the network


def test_terms_are_those_of_the_generic_expansion() -> None:
    """The same network as ``Dense, Nonlinearity, Dense`` with jets in the first layer's weights."""
    network, rng = small()
    m, dim = network.width, network.dim
    finite = Network.mlp(PHI, 1, 1, 0).sample(m, rng, dim, parametrisation="standard")
    sign = np.concatenate([np.ones(m // 2), -np.ones(m // 2)]) / math.sqrt(m)
    finite = finite.with_all([np.concatenate([network.first] * 2, axis=1), sign[:, None]])
    W, X = rng.standard_normal(network.shape), rng.standard_normal((5, dim))
    step = np.concatenate([np.concatenate([W[0], W[1]], axis=1).ravel(), np.zeros(m)])
    expansion, design = taylor.expand(finite, order=2), network.design(X)
    np.testing.assert_allclose(design.linear(W), expansion.linear(X, step)[:, 0], atol=1e-14)
    np.testing.assert_allclose(design.quadratic(W), expansion.quadratic(X, step)[:, 0], atol=1e-14)
    np.testing.assert_allclose(
        network(X, W), finite.with_parameters(finite.parameters + step)(X)[:, 0], atol=1e-14
    )


def test_symmetries_of_the_start() -> None:
    network, rng = small()
    X, A = rng.standard_normal((6, 3)), rng.standard_normal((3, 6))
    design = network.design(X)
    assert not network(X, np.zeros(network.shape)).any()
    assert not design.quadratic(np.stack([A, -A])).any()
    assert not design.linear(np.stack([A, A])).any()
    assert np.abs(design.linear(np.stack([A, -A]))).min() > 0
    assert np.abs(design.quadratic(np.stack([A, 2 * A]))).min() > 0


def test_the_first_step_of_gradient_descent_is_that_of_the_ntk() -> None:
    network, rng = small()
    X, y = rng.standard_normal((8, 3)), rng.standard_normal(8)
    basis = np.zeros((8, 1))
    zero = np.zeros(network.shape)
    _, joint, _ = Objective(network.design(X), y, basis, 0.0, "joint")(zero)
    _, linear, _ = Objective(network.design(X), y, basis, 0.0, "ntk")(zero)
    np.testing.assert_array_equal(np.stack(joint), np.stack(linear))
    assert not network.design(X).quadratic(-np.stack(joint)).any()
    second = Objective(network.design(X), y, basis, 0.0, "joint")(-np.stack(joint))[1]
    assert np.abs(second[0] + second[1]).max() > 1e-6  # afterwards no longer


def test_gram_matrices_are_those_of_the_features() -> None:
    network, rng = small()
    X = rng.standard_normal((4, 3))
    design, count = network.design(X), 2 * 3 * 6
    J = np.array([design.linear(e.reshape(network.shape)) for e in np.eye(count)]).T
    np.testing.assert_allclose(design.gram(), J @ J.T, atol=1e-14)
    one = np.zeros((4, 4))
    for i in range(count):  # <H(x), H(y)> by polarisation, ten lines from the definition
        for j in range(count):
            e, f = np.eye(count)[i].reshape(network.shape), np.eye(count)[j].reshape(network.shape)
            h = design.quadratic(e + f) - design.quadratic(e) - design.quadratic(f)
            one += np.outer(h, h)
    np.testing.assert_allclose(design.gram(2), one, atol=1e-13)


# ------------------------------------------------------------------------------------ groups


def test_groups_are_counted_from_harmonics() -> None:
    found = escape.groups(PHI, dim=10, degree=1, width=200)
    sizes = [multiplicity(10, k) for k in range(6)]
    assert found.top.count == sizes[0] + sizes[1] == 11
    directions = 10 * 200 // 2
    assert sum(sizes) > directions >= sum(sizes[:5])
    assert found.medium == escape.Group("medium", 2, 4, sum(sizes[2:5]))
    assert found.top.count + found.medium.count + found.small.count == directions == found.zero
    assert found.gap is not None and found.gap > 1 and not found.missing
    values = [float(v) for v in found.eigenvalues]
    assert values[1] / values[2] > 5
    assert float(found.gap) == pytest.approx(values[0] / values[2], rel=1e-6)


def test_groups_of_an_odd_function_miss_the_even_degrees() -> None:
    found = escape.groups(activations.erf, dim=6, degree=2, width=100)
    assert found.missing == (0, 2)
    assert found.top.count == 6
    sine = escape.groups(Activation.parse("x + x^3"), dim=6, degree=1, width=100)
    assert escape.groups(Activation.parse("x"), 6, 1, 100).gap is None
    assert sine.missing == (0,) and sine.small.count == 300 - 6 - multiplicity(6, 3)


def test_eigenvalues_of_the_groups_are_those_of_samples() -> None:
    """On the sphere, many units and inputs: the covariance splits as predicted, degree by degree."""
    dim, count = 5, 500
    network, rng = small(1, dim, 1000)
    X = rng.standard_normal((count, dim))
    X *= math.sqrt(dim) / np.linalg.norm(X, axis=1, keepdims=True)
    found = escape.groups(PHI, dim, 1, 1000)
    values = np.linalg.eigvalsh(network.design(X).gram() / count)[::-1]
    assert np.mean(values[:5]) == pytest.approx(
        float(found.eigenvalues[1]), rel=0.25
    )  # w on the sphere: O(1/d)
    assert escape.gap_test(escape.directions(network, X, 5)).agrees  # degree 0 lies below degree 1 here
    test = escape.gap_test(escape.directions(network, X, 6))
    assert not test.agrees and test.largest_at == 5
    assert found.gap is not None
    assert test.ratio == pytest.approx(float(found.gap), rel=0.5)


def test_gap_after_the_first_eigenvalue() -> None:
    """``count = 1``: the ratio of the first two eigenvalues, and the first place can be the largest."""
    network, rng = small(0, 4, 40)
    found = escape.directions(network, rng.standard_normal((50, 4)), 1)
    values = found.eigenvalues
    test = escape.gap_test(found, 6)
    assert test.ratio == values[0] / values[1]
    ratios = values[:6] / values[1:7]
    assert test.largest_at == 1 + int(np.argmax(ratios)) and test.largest_ratio == ratios.max()
    planted = replace(found, eigenvalues=np.array([100.0, 1.0, 0.9, 0.8, 0.7, 0.6]))
    assert escape.gap_test(planted).agrees
    flat = replace(found, eigenvalues=np.array([1.0, 0.5, 1e-20, 0.0, 0.0, 0.0]))
    with pytest.raises(DomainError, match="rounding"):
        escape.gap_test(flat, 3)


def test_groups_of_many_degrees_and_of_kinks() -> None:
    """Top degrees beyond twelve; an activation whose second derivative jumps, in three dimensions."""
    high = escape.groups(PHI, dim=3, degree=14, width=1000)
    assert high.top.count == 15**2 and high.medium.first == 15 and high.medium.last == 24
    kinked = escape.groups(activations.elu(1), dim=3, degree=1, width=40)
    assert kinked.top.count == 4 and kinked.gap is not None and kinked.gap > 1


# ------------------------------------------------------------------------------------ projectors


def test_projector_and_bound() -> None:
    network, rng = small(2, 4, 20)
    X = rng.standard_normal((30, 4))
    found = escape.directions(network, X, 5)
    W, V = rng.standard_normal(network.shape), rng.standard_normal(network.shape)
    PW = found.project(W)
    np.testing.assert_allclose(found.project(PW), PW, atol=1e-12)  # idempotent
    assert np.sum(PW * V) == pytest.approx(np.sum(W * found.project(V)))  # symmetric
    np.testing.assert_allclose(found.outside(found.design.linear(W)), found.design.linear(W - PW), atol=1e-13)
    assert (
        np.linalg.matrix_rank(
            np.array([found.project(rng.standard_normal(network.shape)).ravel() for _ in range(9)]), tol=1e-9
        )
        == 5
    )
    for _ in range(20):
        size, bound = found.bound(rng.standard_normal(network.shape))
        assert 0 < size <= bound


def test_the_bound_is_attained() -> None:
    network, rng = small(2, 4, 20)
    X = rng.standard_normal((30, 4))
    six = escape.directions(network, X, 6)
    five = escape.directions(network, X, 5)
    W = rng.standard_normal(network.shape)
    size, bound = five.bound(six.project(W) - five.project(W))  # the sixth direction alone
    assert bound * (1 - 1e-6) < size <= bound  # up to the allowance for rounding


def test_the_bound_against_an_adversary() -> None:
    """Steps made to break it: in the top directions up to rounding, and climbing to the worst outside."""
    for n, count in ((30, 5), (60, 55), (12, 10)):
        network, rng = small(3, 4, 40)
        found = escape.directions(network, rng.standard_normal((n, 4)), count)
        W = rng.standard_normal(network.shape)
        for V in (found.project(W), 1e9 * found.project(W), np.stack([W[0], W[0]]), 0 * W, 1e-12 * W):
            size, bound = found.bound(V)
            assert size <= bound
        for _ in range(30):
            W = W - found.project(W)
            W = found.design.linear_gradient(found.design.linear(W / np.linalg.norm(W)))
            W = np.stack([W, -W])
            size, bound = found.bound(W)
            assert size <= bound


def test_saboteur_bound_with_a_later_eigenvalue() -> None:
    """The eigenvalue after the next one is too small: the step of the sixth direction breaks that bound."""
    network, rng = small(2, 4, 20)
    X = rng.standard_normal((30, 4))
    five, six = escape.directions(network, X, 5), escape.directions(network, X, 6)
    W = rng.standard_normal(network.shape)
    step = six.project(W) - five.project(W)
    assert five.bound(step)[0] > math.sqrt(six.next_eigenvalue) * float(np.linalg.norm(step)) * 1.001


# ------------------------------------------------------------------------------------ the regulariser


def regulariser_twice(found: escape.Directions, W: np.ndarray, sum_not_mean: bool = False) -> float:
    """On the pool taken twice, from its definition; ``sum_not_mean`` plants the fault."""
    values = np.tile(found.design.linear(W - found.project(W)), 2)
    return float(np.sum(values**2) if sum_not_mean else np.mean(values**2))


def test_saboteur_normalisation_of_the_regulariser() -> None:
    """A mean does not depend on the size of the pool; the sum does, and is caught."""
    network, rng = small(4, 4, 40)
    found = escape.directions(network, rng.standard_normal((60, 4)), 5)
    W = rng.standard_normal(network.shape)
    value = escape.regulariser(found, W)
    assert value == pytest.approx(regulariser_twice(found, W), rel=1e-10)
    assert abs(regulariser_twice(found, W, sum_not_mean=True) / value - 1) > 100


def test_the_regulariser_tends_to_an_expectation() -> None:
    """The same step, pools of 500 and of 4000: means agree, within what a sample allows."""
    network, rng = small(4, 4, 40)
    W = rng.standard_normal(network.shape)
    values = [
        escape.regulariser(escape.directions(network, rng.standard_normal((n, 4)), 5), W) for n in (200, 800)
    ]
    assert values[0] == pytest.approx(values[1], rel=0.5)


@pytest.mark.parametrize("model", ["joint", "ntk", "quadratic"])
def test_gradient_of_the_loss(model: str) -> None:
    network, rng = small(5, 3, 10)
    X, y = rng.standard_normal((14, 3)), rng.standard_normal(6)
    found = escape.directions(network, X, 4)
    loss = Objective(found.design, y, found.basis, 0.7, model)
    W, V, h = rng.standard_normal(network.shape), rng.standard_normal(network.shape), 1e-6
    value, gradient, error = loss(W)
    slope = (loss(W + h * V)[0] - loss(W - h * V)[0]) / (2 * h)
    assert float(np.sum(np.stack(gradient) * V)) == pytest.approx(slope, rel=1e-6)
    f = np.zeros(14)
    f += found.design.linear(W) if model != "quadratic" else 0.0
    f += found.design.quadratic(W) if model != "ntk" else 0.0
    assert error == pytest.approx(float(np.mean((f[:6] - y) ** 2)))
    assert value == pytest.approx(error + 0.7 * escape.regulariser(found, W))


# ------------------------------------------------------------------------------------ errors by degree


@pytest.mark.parametrize("model", ["joint", "ntk", "quadratic"])
def test_errors_by_degree_are_those_of_gauss_hermite(model: str) -> None:
    """In two dimensions the Hermite coefficients are integrals on a grid, without the package's algebra."""
    network, rng = small(6, 2, 8)
    W = rng.standard_normal(network.shape)
    aim = escape.target([(1, [1, 2], 0.7), (2, [1, -1], 0.5), (0, [1, 0], 0.2), (3, [0, 1], -0.3)], 1)
    t, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    X = np.array([[a, b] for a in t for b in t])
    weight = np.outer(w, w).ravel()
    design = network.design(X)
    rest = -aim(X)
    rest = (
        rest
        + (design.linear(W) if model != "quadratic" else 0)
        + (design.quadratic(W) if model != "ntk" else 0)
    )
    one = [escape.targets.hermite(k, X[:, 0]) for k in range(5)]
    other = [escape.targets.hermite(k, X[:, 1]) for k in range(5)]
    want = [
        sum(float(np.sum(weight * rest * one[i] * other[p - i])) ** 2 for i in range(p + 1)) for p in range(5)
    ]
    found = escape.hermite_error(network, W, aim, 4, model)
    np.testing.assert_allclose(found.by_degree, want, rtol=1e-9, atol=1e-12)
    assert found.dense == pytest.approx(want[0] + want[1])
    assert found.sparse == pytest.approx(want[2] + want[3])
    assert found.beyond == pytest.approx(want[4])
    assert found.total < float(np.sum(weight * rest**2))


@pytest.mark.parametrize("model", ["joint", "ntk", "quadratic"])
def test_errors_by_degree_add_up_to_monte_carlo(model: str) -> None:
    """For ``s = x^3 - x + 1`` the terms are cubics: the table is the whole error, within four sigmas."""
    rng = np.random.default_rng(11)
    network = escape.draw(Activation.parse("x^3 - x + 1"), 5, 12, rng)
    W, aim = rng.standard_normal(network.shape), escape.linear_plus_square(5, rng)
    found = escape.hermite_error(network, W, aim, 4, model)
    assert found.by_degree[4] < 1e-25
    X = rng.standard_normal((40_000, 5))
    design, value = network.design(X), -aim(X)
    value = value + (design.linear(W) if model != "quadratic" else 0.0)
    value = value + (design.quadratic(W) if model != "ntk" else 0.0)
    squares = value**2
    assert abs(squares.mean() - found.total) < 4 * squares.std() / math.sqrt(len(X))
    assert found.total > 20 * squares.std() / math.sqrt(len(X))  # so that a lost part would be seen


def test_the_target() -> None:
    aim = escape.linear_plus_square(30, np.random.default_rng(0))
    b = aim.components[0].direction
    X = np.random.default_rng(1).standard_normal((5, 30))
    np.testing.assert_allclose(aim(X), ((X @ b) ** 2 - 1 + X @ b) / math.sqrt(3), atol=1e-13)
    assert [aim.power(k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 0])


# ------------------------------------------------------------------------------------ training


def test_the_regulariser_lowers_the_test_error_at_equal_train_error() -> None:
    """The figure in small: all seeds, and the interval of the paired difference is above 0."""
    choices = [("joint", 0.0), ("joint", 1.0)]
    runs = escape.replica(PHI, 24, 400, [200], choices, seeds=3, steps=300, goal=1e-3)
    assert all(run.train_error <= 1e-3 for run in runs)
    mean, half = escape.paired_difference(runs, *choices)
    assert mean - half > 0.02
    plain, regularised = escape.summarise(runs)
    assert regularised.sparse < plain.sparse
    assert plain.test_half_width < 0.2


def test_models_alone() -> None:
    """NTK alone leaves the sparse part, at this number of samples; together they learn more of it."""
    runs = escape.replica(PHI, 8, 120, [60], [("ntk", 0.0), ("quadratic", 0.0), ("joint", 1.0)], 2, goal=1e-4)
    ntk, quadratic, joint = escape.summarise(runs)
    assert joint.test_error < min(ntk.test_error, quadratic.test_error)
    assert quadratic.dense > joint.dense


def test_runs_are_saved_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    told: list[escape.Run] = []
    asked = (PHI, 4, 20, [30], [("joint", 0.0), ("ntk", 0.0)], 2)
    first = escape.replica(*asked, steps=3, path=path, progress=told.append)
    assert len(told) == 4 and escape.read(path) == first
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:20])  # interrupted while writing
    assert len(escape.read(path)) == 3
    again = escape.replica(*asked, steps=3, path=path)
    assert again == first
    assert escape.read(path) == first
    path.write_text("{}\n" + lines[0])
    with pytest.raises(DomainError, match="line 1"):
        escape.read(path)


def test_with_arrays_of_torch() -> None:
    torch = pytest.importorskip("torch")
    network, _ = small(7, 4, 20)
    aim = escape.linear_plus_square(4, np.random.default_rng(0))
    one, other = (
        escape.fit(network, aim, 20, 1.0, np.random.default_rng(1), steps=4, convert=c)
        for c in (None, torch.as_tensor)
    )
    np.testing.assert_allclose(one.W, other.W, atol=1e-9)
    again = escape.fit(
        network, aim, 20, 1.0, np.random.default_rng(1), steps=4, convert=escape.on_device("cpu")
    )
    np.testing.assert_array_equal(again.W, other.W)
    with pytest.raises(DomainError, match="device"):
        escape.on_device("nonsense")


def test_a_device_without_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DomainError, match="without torch"):
        escape.on_device("cuda")


# ------------------------------------------------------------------------------------ samples needed


def test_samples_needed() -> None:
    """The NTK learns degree k from about ``d^k`` samples; the dense part costs the QuadNTK ``d^2``."""
    slopes = {
        (order, degree): escape.complexity_slope(PHI, order, 400, degree)
        for order in (1, 2)
        for degree in (1, 2)
    }
    assert slopes[1, 1] == pytest.approx(1, abs=0.1)
    assert slopes[1, 2] == pytest.approx(2, abs=0.1)
    assert slopes[2, 1] == pytest.approx(2, abs=0.1)
    assert slopes[2, 2] == pytest.approx(2, abs=0.1)
    needed = escape.samples_needed(PHI, 1, 50, 1)
    below, above = escape.learnable(PHI, 1, 50, [needed * 0.99, needed * 1.01], 1)[:, 1]
    assert below < 0.5 < above
    assert math.isinf(escape.samples_needed(activations.erf, 1, 50, 2))


@pytest.mark.parametrize("text", ["sigmoid(x - 1)", "cos(x)", "x^3 - 3*x", "erf(x)", "x^5", "x*Phi(x)"])
@pytest.mark.parametrize("order", [1, 2])
def test_exponents_are_those_of_certified_eigenvalues(text: str, order: int) -> None:
    phi = Activation.parse(text)
    found = escape.exponents(phi, order, 4)
    low, high = (taylor.sphere(taylor.kernel(phi, order), dim, 4, 10).floats() for dim in (5000, 10_000))
    for exponent, one, other in zip(found, low, high, strict=True):
        if exponent is None:
            assert one == other == 0
        else:
            assert math.log2(one / other) == pytest.approx(exponent, abs=0.01)


def test_dense_linear_part_costs_the_quadntk_one_power_more() -> None:
    assert escape.exponents(PHI, 1, 3) == (1, 1, 2, 3)
    assert escape.exponents(PHI, 2, 3) == (1, 2, 2, 3)


@pytest.mark.parametrize("order", [1, 2])
def test_learned_shares_are_those_of_kernel_regression(order: int) -> None:
    """The predicted error of each degree against regression with real kernel matrices, ten repetitions."""
    dim, n = 12, 120
    share = escape.learnable(PHI, order, dim, [n], 2)[0]
    found = taylor.sphere(taylor.kernel(PHI, order), dim, 4, 10)
    counts, kernel = found.multiplicities[:3], taylor.kernel(PHI, order)
    for degree in (1, 2):
        power = np.eye(3)[degree]
        measured = simulate(kernel.gram, dim, power, n, 0.0, 0.0, 10, np.random.default_rng(degree))
        rest = 1 - share[degree]
        spent = float(np.sum(np.array(counts) * share**2))
        low = rest**2 / (1 - spent / n)  # without the degrees above, which spend a little as well
        slack = 5 * measured.test_standard_error
        assert low - slack < measured.test_error < 1.15 * low + slack


# ------------------------------------------------------------------------------------ slopes, measured


def test_slope_of_a_planted_law() -> None:
    """``n = 3 dim^2`` with noise: the interval holds 2, and not 1."""
    rng, dims = np.random.default_rng(0), (10, 20, 40, 80)
    samples = 3.0 * np.array(dims)[:, None] ** 2 * np.exp(0.1 * rng.standard_normal((4, 3)))
    slope, half = escape.slopes.line(dims, samples)
    want, covariance = np.polyfit(np.repeat(np.log(dims), 3), np.log(samples).ravel(), 1, cov=True)
    assert slope == pytest.approx(want[0]) and half == pytest.approx(
        2.2281 * math.sqrt(covariance[0, 0]), rel=1e-3
    )
    assert abs(slope - 2) < half < 0.3


def test_crossing_is_on_the_line() -> None:
    assert escape.slopes.crossing((10, 0.6), (40, 0.2), 0.4) == pytest.approx(20)
    assert escape.slopes.crossing((10, 0.6), (40, 0.4), 0.4) == pytest.approx(40)


def test_sample_slope_resumes_and_refuses(tmp_path: Path) -> None:
    asked = (PHI, [3, 4, 5], ("joint", 1.0), 0.3, 2)
    path = tmp_path / "runs.jsonl"
    told: list[escape.Run] = []
    first = escape.sample_slope(*asked, steps=40, path=path)
    again = escape.sample_slope(*asked, steps=40, path=path, progress=told.append)
    assert len(told) == len(escape.read(path)) and (again.samples == first.samples).all()
    for i, dim in enumerate(
        first.dims
    ):  # from the runs themselves: the last below the threshold, the others above
        for seed in (0, 1):
            errors = [r.test_error for r in told if (r.question.dim, r.question.seed) == (dim, seed)]
            sizes = [r.question.samples for r in told if (r.question.dim, r.question.seed) == (dim, seed)]
            assert errors[-1] <= 0.3 < min(errors[:-1])
            assert sizes[-2] <= first.samples[i, seed] <= sizes[-1]
    assert "joint, 1: slope" in str(first)
    for bad in (
        {"dims": [2, 3]},
        {"dims": [3, 2, 4]},
        {"dims": 3},
        {"threshold": 0.0},
        {"threshold": 1},
        {"threshold": 0.999},  # reached by the smallest size
        {"seeds": 1},
        {"units": 1},
    ):
        given = dict(zip(("activation", "dims", "choice", "threshold", "seeds"), asked, strict=True)) | bad
        with pytest.raises(DomainError):
            escape.sample_slope(**given, steps=3)


# ------------------------------------------------------------------------------------ bad input


def test_bad_input() -> None:
    rng = np.random.default_rng(0)
    network, _ = small()
    aim = escape.linear_plus_square(3, rng)
    X = rng.standard_normal((20, 3))
    found = escape.directions(network, X, 4)
    for call in (
        lambda: escape.draw(activations.relu, 3, 10, rng),  # no second derivative
        lambda: escape.draw(PHI, 3, 9, rng),
        lambda: escape.draw("sin", 3, 10, rng),  # type: ignore[arg-type]
        lambda: escape.groups(PHI, 10, 2, 4),
        lambda: escape.groups(PHI, 10, 1, 5),
        lambda: escape.groups(activations.relu, 10, 1, 50),
        lambda: escape.directions(network, X, 20),
        lambda: escape.directions(network, X, 0),
        lambda: escape.gap_test(found, 3),
        lambda: network(X, np.zeros((2, 3, 3))),
        lambda: network.design(np.full((2, 3), np.nan)),
        lambda: escape.target([], 1),
        lambda: escape.target([(1, [0, 0], 1.0)], 1),
        lambda: escape.hermite_error(network, np.zeros(network.shape), aim, 1),
        lambda: escape.hermite_error(network, np.zeros(network.shape), aim, 5),
        lambda: escape.hermite_error(network, np.zeros(network.shape), escape.linear_plus_square(4, rng)),
        lambda: escape.fit(network, aim, 20, -1.0, rng),
        lambda: escape.fit(network, aim, 20, 1.0, rng, model="cubic"),
        lambda: escape.fit(network, escape.linear_plus_square(4, rng), 20, 1.0, rng),
        lambda: escape.replica(PHI, 3, 10, [], [("joint", 0.0)], 1),
        lambda: escape.replica(PHI, 3, 10, [9], ["joint"], 1),  # type: ignore[list-item]
        lambda: escape.paired_difference([], ("joint", 0.0), ("joint", 1.0)),
        lambda: escape.samples_needed(PHI, 1, 50, 1, share=1.0),
        lambda: escape.complexity_slope(activations.erf, 1, 50, 2),
        lambda: escape.learnable(activations.relu, 2, 50, [10], 1),
    ):
        with pytest.raises(DomainError):
            call()
    assert replace(aim, dense_degree=2).dim == 3


def test_command(tmp_path: Path) -> None:
    saved, plot = tmp_path / "runs.jsonl", tmp_path / "errors.svg"
    asked = [
        "escape",
        "--dim",
        "4",
        "--width",
        "20",
        "--samples",
        "20",
        "--seeds",
        "1",
        "--steps",
        "3",
        "--json",
    ]
    first = CliRunner().invoke(app, [*asked, "--save", str(saved), "--plot", str(plot)])
    assert first.exit_code == 0
    summaries = json.loads(first.stdout)["summaries"]
    assert [s["strength"] for s in summaries] == [0.0, 1.0]
    assert summaries[0]["test_half_width"] is None
    assert len(escape.read(saved)) == 2 and plot.read_text().lstrip().startswith("<?xml")
    again = CliRunner().invoke(app, [*asked, "--save", str(saved)])
    assert again.stdout == first.stdout
    for bad in (["relu"], ["--width", "3"], ["--strength", "-1"], ["--plot", "x.png"], ["--samples", "1"]):
        assert CliRunner().invoke(app, [*asked, *bad]).exit_code == 2
