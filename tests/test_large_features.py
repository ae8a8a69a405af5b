"""Random features: unbiased as stated, errors that fall, and sketches that must be independent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analytic_ntk import Dense, LayerNorm, Network, Nonlinearity, Residual, activations, large
from analytic_ntk.errors import DomainError
from analytic_ntk.large import features as module
from analytic_ntk.large import sketch

RELU = Network.mlp(activations.relu, 2, 2, 0)
TANH = Network.mlp(activations.tanh, 1, "3/2", "1/10")
DRAWS = 400
FAILURE = 1e-6
"""The probability that a test of means fails by chance (Student's t, Bonferroni over the entries)."""


def sphere(n: int, d: int = 5, seed: int = 0) -> np.ndarray:
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X * np.sqrt(d / np.sum(X * X, axis=1))[:, None]


def far_from(samples: np.ndarray, truth: np.ndarray) -> int:
    """How many entries of the mean of ``samples`` ``(draws, n, n)`` differ from the truth beyond chance."""
    draws, entries = len(samples), truth.size
    width = stats.t.isf(FAILURE / (2 * entries), draws - 1)
    error = samples.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.count_nonzero(error > 1e-9 * truth.max()) > entries / 2  # it is random at all
    return int(np.sum(np.abs(samples.mean(axis=0) - truth) > width * error + 1e-12 * np.abs(truth).max()))


def products(made: module.SeriesFeatures | module.LayerFeatures, X: np.ndarray) -> np.ndarray:
    return np.array([z @ z.T for z in (replace(made, seed=seed)(X) for seed in range(DRAWS))])


# ------------------------------------------------------------------------------------------ sketches


def test_sketches_keep_products_on_average() -> None:
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((4, 6)), rng.standard_normal((4, 9))
    found = np.array([sketch.product_sketch(A, B, 7, np.random.default_rng(s)) for s in range(DRAWS)])
    assert far_from(found @ found.transpose(0, 2, 1), (A @ A.T) * (B @ B.T)) == 0


def test_saboteur_sketches_that_are_not_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sketch._count_sketch
    monkeypatch.setattr(sketch, "_count_sketch", lambda rows, width, rng: real(rows, width, _same(rng)))
    A = np.random.default_rng(0).standard_normal((4, 6))
    found = np.array([sketch.product_sketch(A, A, 7, np.random.default_rng(s)) for s in range(DRAWS)])
    assert far_from(found @ found.transpose(0, 2, 1), (A @ A.T) ** 2) > 0


def _same(rng: np.random.Generator) -> np.random.Generator:
    seed = int(rng.bit_generator.state["state"]["inc"] % 2**32)  # one for each generator, whatever was drawn
    return np.random.default_rng(seed)


@pytest.mark.parametrize("width", [3, 4, 5, 8])
def test_powers_in_full_and_sketched(width: int) -> None:
    X = np.random.default_rng(3).standard_normal((4, 2))
    for k, z in enumerate(sketch.power_sketches(X, (width,) * 4, np.random.default_rng(0)), 1):
        if 2**k <= width:
            assert z.shape == (4, 2**k) and np.allclose(z @ z.T, (X @ X.T) ** k, rtol=1e-13)
        else:
            assert z.shape == (4, width)


def test_variance_grows_slowly_with_the_power() -> None:
    """On the diagonal, 12th power in 512 places: one convolution of 12 count sketches has a relative
    standard deviation near sqrt(2^12 / 256) = 4; the chain of products stays below 1/2."""
    X = sphere(3, 30) / np.sqrt(30)
    widths = (0,) * 11 + (512,)
    norms = np.array(
        [
            np.sum(list(sketch.power_sketches(X, widths, np.random.default_rng(s)))[-1] ** 2, axis=1)
            for s in range(60)
        ]
    )
    assert norms.std(axis=0).max() < 0.5


# ------------------------------------------------------------------------------------ series features


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
@pytest.mark.parametrize("network", [RELU, TANH], ids=["relu", "tanh"])
def test_series_features_are_unbiased_up_to_the_remainder(network: Network, kernel: str) -> None:
    X = sphere(5)
    degree, count = 4, 40
    series = network.series(degree)
    rho = X @ X.T / 5
    truth = sum(
        float(c.midpoint) * rho**k for k, c in enumerate(series.enclosures(kernel))
    )  # what the definition of the c_k says
    made = large.series_features(network, 5, count, kernel, degree)
    assert made.count <= count and made.count == made(X).shape[1]
    found = products(made, X)
    assert far_from(found, np.asarray(truth)) == 0
    K = network.gram(X, kernel=kernel)
    assert np.all(np.abs(K - truth) <= made.remainder * np.abs(rho) ** (degree + 1) * (1 + 1e-9) + 1e-12)
    other = "ntk" if kernel == "nngp" else "nngp"  # saboteur: the coefficients of the other kernel
    wrong = products(large.series_features(network, 5, count, other, degree), X)
    assert far_from(wrong, np.asarray(truth)) > 0


def test_homogeneous_kernels_take_any_norms() -> None:
    made = large.series_features(RELU, 3, 3000)
    X = np.random.default_rng(0).standard_normal((20, 3)) * np.linspace(0, 9, 20)[:, None]
    z, K = made(X), RELU.gram(X)
    size = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    rho = np.ones((20, 20))
    assert np.abs(z @ z.T - K).max() <= (made.remainder + 0.2) * size.max()
    assert np.all(z[0] == 0) and rho.shape == K.shape
    with pytest.raises(DomainError, match="row 0"):
        large.series_features(TANH, 3, 300)(X)


def test_data_in_float32_have_one_norm_up_to_their_rounding() -> None:
    made, X = large.series_features(TANH, 5, 300), sphere(20)
    assert np.abs(made(X.astype(np.float32)) - made(X)).max() < 1e-6 * np.abs(made(X)).max()
    with pytest.raises(DomainError, match="row 0"):
        made(X.astype(np.float32).astype(np.float64))  # taken as exact, they have many
    with pytest.raises(DomainError, match="row 0"):
        made(X.astype(np.float32) * np.float32(1.001))


def test_variance_is_that_of_the_inputs() -> None:
    X = sphere(40) * 1.5
    made = large.series_features(TANH, 5, 4000, degree=8, variance="9/4")
    K = TANH.gram(X)
    z = made(X)
    assert np.linalg.norm(z @ z.T + made.remainder * np.eye(40) - K) < 0.05 * np.linalg.norm(K)


# ------------------------------------------------------------------------------------- layer features

NORMED = Network(Dense(1, "1/10"), LayerNorm(), Nonlinearity(activations.gelu), Dense(2, 0))
SKIP = Network(Dense(1, 0), Residual(Nonlinearity(activations.resolve("abs")), Dense(2, "1/5")))


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
@pytest.mark.parametrize("network", [TANH, NORMED, SKIP], ids=["tanh", "layer norm", "residual"])
def test_layer_features_are_unbiased_with_one_nonlinearity(network: Network, kernel: str) -> None:
    X = np.random.default_rng(1).standard_normal((4, 5)) * np.array([0.3, 1.0, 2.0, 1.0])[:, None]
    found = products(large.layer_features(network, 8, kernel), X)
    K = network.gram(X, kernel=kernel)
    assert far_from(found, K) == 0
    assert far_from(found, K * 1.5) > 0  # a fault that so many draws must show


@pytest.mark.parametrize("kind", ["series", "layers"])
def test_errors_fall_with_the_number_of_features(kind: str) -> None:
    deep = Network.mlp(activations.relu, 3, 2, 0)
    X = sphere(60, 12)
    few, many = large.feature_errors(deep, X, [100, 1600], kind, draws=4)
    assert many.count > 10 * few.count and many.relative < few.relative / 2
    assert 0 < many.standard_error < many.relative and many.largest < few.largest


def test_features_are_a_function_of_the_seed() -> None:
    X = sphere(9)
    for make in (
        lambda s: large.series_features(RELU, 5, 50, seed=s),
        lambda s: large.layer_features(RELU, 10, seed=s),
    ):
        one = make(3)
        assert np.array_equal(one(X), make(3)(X)) and not np.array_equal(one(X), make(4)(X))
        assert np.allclose(one(X)[:4], one(X[:4]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("coefficients", "dim", "count"),
    [((1.0, 2.0, 1.0), 3, 10), ((0.0, 1.0, 0.0, 0.5), 2, 6), ((1.0,), 4, 100), ((5.0, 1e-9, 1.0), 1, 3)],
)
def test_widths(coefficients: tuple[float, ...], dim: int, count: int) -> None:
    widths = module._widths(coefficients, dim, count)
    assert sum(widths) <= count
    for k, (c, width) in enumerate(zip(coefficients, widths, strict=True)):
        assert (width == 0) == (c == 0) and width <= dim**k


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: large.series_features(RELU, 0, 100),
        lambda: large.series_features(RELU, 3, 2),
        lambda: large.series_features(RELU, 3, True),
        lambda: large.series_features(RELU, 3, 100, "both"),
        lambda: large.series_features(RELU, 3, 100, variance=0.5),  # type: ignore[arg-type]
        lambda: large.series_features(RELU, 3, 100)(np.ones((2, 4))),
        lambda: large.series_features(RELU, 3, 100)(np.ones((0, 3))),
        lambda: large.layer_features(RELU, 0),
        lambda: large.layer_features(RELU, 5, "both"),
        lambda: large.layer_features(RELU, 5, seed=-1),
        lambda: large.layer_features(RELU, 5)(np.array([[np.inf]])),
        lambda: large.layer_features(Network.mlp(activations.resolve("exp(x**2/3)"), 1, 2, 0), 5),
        lambda: large.layer_features(NORMED, 5)(np.zeros((2, 0))),
        lambda: large.feature_errors(RELU, sphere(4), [10], "other"),
        lambda: large.feature_errors(RELU, sphere(4), [10], draws=1),
        lambda: large.feature_errors(RELU, np.zeros((3, 5)), [100]),
        lambda: large.layer_features(Network.mlp(activations.resolve("x**3"), 3, 2, 0), 5)(sphere(4) * 1e60),
    ],
)
def test_bad_questions(wrong: object) -> None:
    with pytest.raises(DomainError):
        wrong()  # type: ignore[operator]
