"""Learning curves: the prediction against its definition, closed cases, and real kernel matrices."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from analytic_ntk import Dense, Network, Nonlinearity, activations
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.learning_curve import (
    Modes,
    Simulation,
    effective_dimension,
    learning_curve,
    random_harmonic,
    simulate,
    uniform_points,
)
from analytic_ntk.report.learning_plot import learning_figure, save_learning_plot
from analytic_ntk.spectrum import sphere

RELU = Network(Dense(1, 0), Nonlinearity(activations.relu), Dense(2, 0))


def multiplicity(k: int, dim: int) -> int:
    return math.comb(dim + k - 1, k) - (math.comb(dim + k - 3, k - 2) if k > 1 else 0)


def legendre(k: int, dim: int, t: np.ndarray) -> np.ndarray:
    """The explicit sum of Gegenbauer's polynomial, scaled to 1 at 1 (dim >= 3)."""
    a = Fraction(dim - 2, 2)
    total, at_one = np.zeros_like(t), 0.0
    for j in range(k // 2 + 1):
        rising = math.prod((a + i for i in range(k - j)), start=Fraction(1))
        c = float((-1) ** j * rising / (math.factorial(j) * math.factorial(k - 2 * j)))
        total, at_one = total + c * (2 * t) ** (k - 2 * j), at_one + c * 2.0 ** (k - 2 * j)
    return total / at_one


def relu_modes(dim: int, degree: int) -> Modes:
    """The NTK's eigenvalues as integrals over the angle (Gauss-Legendre: the integrand is entire there)."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    theta = (nodes + 1) * np.pi / 2
    weights = weights * np.sin(theta) ** (dim - 2)
    weights /= weights.sum()
    kernel = (np.sin(theta) + 2 * (np.pi - theta) * np.cos(theta)) / np.pi  # Cho, Saul 2009
    values = [float(weights @ (kernel * legendre(k, dim, np.cos(theta)))) for k in range(degree + 1)]
    values = [0.0 if k % 2 and k > 1 else value for k, value in enumerate(values)]
    counts = [multiplicity(k, dim) for k in range(degree + 1)]
    return Modes(values, counts, 2.0 - float(np.dot(values, counts)))


def kappa_of(modes: Modes, ridge: mpf, n: float) -> mpf:
    """The root of the defining equation, by mpmath."""
    total = mpf(modes.tail) + ridge
    pairs = [(mpf(c), mpf(v)) for c, v in zip(modes.multiplicities, modes.eigenvalues.tolist(), strict=True)]

    def excess(u: mpf) -> mpf:
        kappa = mp.exp(u)
        return mp.log((sum(c * v / (v + kappa) for c, v in pairs) + total / kappa) / n)

    low, high = mpf(-200), mp.log((sum(c * v for c, v in pairs) + total) / n) + 1
    return mp.exp(mp.findroot(excess, (low, high), solver="anderson", tol=1e-60, maxsteps=500))


spectra = st.lists(
    st.tuples(st.floats(1e-6, 1.0), st.integers(1, 50)), min_size=1, max_size=5
).flatmap(
    lambda rows: st.builds(
        lambda tail: Modes([v for v, _ in rows], [c for _, c in rows], tail),
        st.sampled_from([0.0, 1e-6, 0.3]),
    )
)  # fmt: skip


# ------------------------------------------------------------------------------------ the prediction


@settings(max_examples=40)
@given(spectra, st.floats(0.5, 300), st.sampled_from([0.0, 1e-8, 0.1, 10.0]), st.floats(0, 1))
def test_prediction_eq_derivative_of_kappa(modes: Modes, n: float, ridge: float, noise: float) -> None:
    """``E0 = n d kappa/d ridge`` (Jacot et al. 2020): the same number without the formula in the code."""
    if ridge + modes.tail == 0 and n > 0.9 * modes.rank:
        return
    power = np.linspace(0.2, 1, len(modes.eigenvalues))
    curve = learning_curve(modes, power, n, noise, ridge)
    with mp.workdps(50):
        kappa = kappa_of(modes, mpf(ridge), n)
        step = kappa * mpf(10) ** -18  # one-sided: a ridge is not negative
        slope = (kappa_of(modes, mpf(ridge) + step, n) - kappa) / step
        missed = [kappa / (kappa + mpf(v)) for v in modes.eigenvalues.tolist()]
        error = n * slope * (sum(m * m * p for m, p in zip(missed, power.tolist(), strict=True)) + mpf(noise))
        train = (mpf(ridge) / (n * kappa)) ** 2 * error
    assert curve.kappa[0] == pytest.approx(float(kappa), rel=1e-12)
    assert curve.inflation[0] == pytest.approx(float(n * slope), rel=1e-12)
    assert curve.noisy_test_error[0] == pytest.approx(float(error), rel=1e-12)
    assert curve.test_error[0] == pytest.approx(float(error - noise), rel=1e-11, abs=1e-14)
    assert curve.train_error[0] == pytest.approx(float(train), rel=1e-11)
    assert curve.error_by_degree.sum() == pytest.approx(curve.test_error[0], rel=1e-12)
    assert curve.learnability[0] == pytest.approx([float(1 - m) for m in missed], rel=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 2.0])
def test_vector_of_samples_eq_scalars(ridge: float) -> None:
    modes = relu_modes(6, 8)
    sizes = [0, 1, 7, 40.5, 1e4, 1e9]
    together = learning_curve(modes, [0.1, 0.5, 0.4], sizes, 0.2, ridge)
    for i, n in enumerate(sizes):
        alone = learning_curve(modes, [0.1, 0.5, 0.4], n, 0.2, ridge)
        assert together.test_error[i] == alone.test_error[0]
        assert together.train_error[i] == alone.train_error[0]
    assert np.isfinite(together.test_error).all()
    assert together.test_error[0] == pytest.approx(1.0)
    assert together.test_error[-1] < 1e-3  # the target lies in degrees with positive eigenvalues


def test_least_squares() -> None:
    """A kernel of finite rank r without ridge is least squares: error ``noise r/(n - r)`` for n > r, and on
    the training set ``noise (n - r)/n`` (textbook)."""
    modes, rank = Modes([0.0, 0.25], [1, 4], 0), 4
    curve = learning_curve(modes, [0, 1], [5, 8, 100], 0.3, 0.0)
    assert curve.test_error == pytest.approx([0.3 * rank / (n - rank) for n in (5, 8, 100)], rel=1e-14)
    assert curve.train_error == pytest.approx([0.3 * (n - rank) / n for n in (5, 8, 100)], rel=1e-14)
    assert (curve.kappa == 0).all()


def test_continuous_at_the_ends() -> None:
    """No data, and ridge 0 beyond the rank: the closed answers are the limits of the ordinary ones."""
    modes, power = Modes([0.5, 0.1, 0.0], [1, 5, 9], 0), [0.2, 0.5, 0.3]
    for ridge in (0.0, 0.5):
        end, near = (learning_curve(modes, power, n, 0.1, ridge) for n in (0, 1e-9))
        assert end.test_error == pytest.approx(near.test_error, rel=1e-7)
        assert end.train_error == pytest.approx(near.train_error, rel=1e-7)
        assert end.inflation == pytest.approx(near.inflation, rel=1e-7)
    for n in (6.5, 7, 50):
        end, near = (learning_curve(modes, power, n, 0.1, ridge) for ridge in (0.0, 1e-12))
        assert end.test_error == pytest.approx(near.test_error, rel=1e-9)
        assert end.train_error == pytest.approx(near.train_error, rel=1e-9)
        assert end.error_by_degree == pytest.approx(near.error_by_degree, rel=1e-9)


def test_peak_of_double_descent() -> None:
    modes = Modes([0.5, 0.1], [1, 5], 0)
    curve = learning_curve(modes, [0, 1], [5, 6, 7], 0.1, 0.0)
    assert curve.test_error[1] == math.inf and np.isfinite(curve.test_error[[0, 2]]).all()
    quiet = learning_curve(modes, [0, 1], 6, 0.0, 0.0)
    assert quiet.test_error[0] == 0 and quiet.train_error[0] == 0
    beside = learning_curve(Modes([0.5, 0.1, 0], [1, 5, 9], 0), [0, 0, 1], 6, 0.0, 0.0)
    assert beside.test_error[0] == math.inf
    assert not np.isnan(beside.error_by_degree).any()


def test_zero_eigenvalue_is_never_learned() -> None:
    """ReLU's NTK has no odd degrees above 1: a cubic target stays, and acts as noise."""
    modes = relu_modes(8, 10)
    curve = learning_curve(modes, [0, 0, 0, 1], [10, 1e3, 1e6], 0.0, 1e-3)
    assert (curve.learnability[:, 3] == 0).all()
    assert (curve.test_error >= 1).all() and curve.test_error[-1] < 2
    as_noise = learning_curve(modes, [0.0], [10, 1e3, 1e6], 1.0, 1e-3)
    assert curve.noisy_test_error == pytest.approx(as_noise.noisy_test_error, rel=1e-12)


def test_zero_kernel_predicts_zero() -> None:
    for ridge in (0.0, 1.0):
        curve = learning_curve(Modes([0, 0], [1, 3], 0), [1, 2], [0, 5], 0.5, ridge)
        assert curve.test_error.tolist() == [3, 3] and curve.train_error.tolist() == [3.5, 3.5]


def test_tail_acts_as_ridge() -> None:
    """Many eigenvalues close to zero, written out, approach their sum in the tail."""
    explicit = Modes([0.5, 0.1, 1e-12], [1, 5, 10**11], 0)
    summed = Modes([0.5, 0.1], [1, 5], 0.1)
    for ridge in (0.0, 0.2):
        one, two = (learning_curve(m, [0.3, 0.7], [3, 30, 300], 0.1, ridge) for m in (explicit, summed))
        assert one.test_error == pytest.approx(two.test_error, rel=1e-6)
        assert one.train_error == pytest.approx(two.train_error, rel=1e-6)


def test_staircase() -> None:
    """Learned in turn at n ~ dim^k: half of degree k is learned in a window of its own."""
    dim = 30
    modes = relu_modes(dim, 6)
    sizes = np.logspace(0, 6, 200)
    curve = learning_curve(modes, [0, 1, 1, 0, 1], sizes, 0.0, 1e-6)
    half = [float(sizes[np.argmax(curve.learnability[:, k] > 0.5)]) for k in (1, 2, 4)]
    assert dim / 2 < half[0] < 2 * dim < dim**2 / 4 < half[1] < dim**2 < dim**3 < half[2] < dim**4
    assert (np.diff(curve.learnability[:, (1, 2, 4)], axis=0) > 0).all()


# ------------------------------------------------------------------------------------ effective dimension


@given(spectra, st.floats(1e-9, 1e3))
def test_effective_dimension_eq_sum(modes: Modes, ridge: float) -> None:
    expected = sum(
        c * Fraction(v) / (Fraction(v) + Fraction(ridge))
        for c, v in zip(modes.multiplicities, modes.eigenvalues.tolist(), strict=True)
    ) + Fraction(modes.tail) / Fraction(ridge)
    assert effective_dimension(modes, ridge) == pytest.approx(float(expected), rel=1e-14)
    assert effective_dimension(modes, 0.0) == modes.rank


def test_huge_multiplicities() -> None:
    """Degree 200 in dimension 10^4: the multiplicity has 400 digits, its eigenvalue is below float64."""
    counts = [1, 10**4, multiplicity(200, 10**4)]
    modes = Modes([0.5, 1e-5, 0.0], counts, 0.4)
    assert modes.trace == pytest.approx(1.0)
    curve = learning_curve(modes, [0, 1, 0], [1e3, 1e5], 0.1, 0.0)
    assert np.isfinite(curve.test_error).all() and np.isfinite(effective_dimension(modes, 1e-3))
    bare = learning_curve(Modes([0.5, 1e-300], [1, counts[2]], 0), [0, 1], 1e3, 0.1, 0.0)
    assert bare.test_error[0] == pytest.approx(1.0, rel=0.1)  # a giant ridge: nothing is learned


class Sphere:
    """The least that is read of a spectrum."""

    def __init__(self, eigenvalues: list[float], multiplicities: list[int], trace: object) -> None:
        self.eigenvalues, self.multiplicities, self.trace = eigenvalues, multiplicities, trace

    def floats(self) -> np.ndarray:
        return np.array(self.eigenvalues)


def test_modes_of_a_spectrum() -> None:
    assert Modes.of(Sphere([0.5, 0.1], [1, 3], Fraction(1))).tail == pytest.approx(0.2)
    assert Modes.of(Sphere([0.1] * 3, [1, 1, 1], 0.3)).tail == 0  # 0.1 + 0.1 + 0.1 rounds above 0.3
    with pytest.raises(DomainError, match="trace"):
        Modes.of(Sphere([0.5, 0.2], [1, 3], 1.0))


def test_spectrum_of_a_network() -> None:
    """The package's spectrum in place of ours: the same curve, tail included."""
    found = sphere(RELU, dim=10, degree=6)
    ours = relu_modes(10, 6)
    assert Modes.of(found).tail == pytest.approx(ours.tail, rel=1e-10)
    one, two = (learning_curve(m, [0, 0.5, 0.5], [0, 10, 1e3], 0.1, 1e-3) for m in (found, ours))
    assert one.test_error == pytest.approx(two.test_error, rel=1e-9)
    assert effective_dimension(found, 0.01) == pytest.approx(effective_dimension(ours, 0.01), rel=1e-10)


# ------------------------------------------------------------------------------------ simulation

CASES = [
    # dim, power by degree, noise, ridge, samples
    (5, [0, 0.5, 0.5], 0.1, 0.01, 32),
    (5, [0.2, 0.3, 0.3, 0, 0.2], 0.5, 1.0, 96),
    (10, [0, 1, 0], 0.0, 0.0, 32),
    (10, [0, 0, 0, 1], 0.0, 0.1, 48),
    (10, [0, 0.5, 0.5], 0.1, 0.01, 96),
    (20, [0, 0, 1], 0.0, 1e-3, 80),
    (20, [0.2, 0.3, 0.3, 0, 0.2], 0.5, 1.0, 64),
]


@cache
def simulated(case: int) -> Simulation:
    dim, power, noise, ridge, n = CASES[case]
    return simulate(RELU.gram, dim, power, n, noise, ridge, 40, np.random.default_rng(7), test_points=200)


def disagreement(case: int, test: float, train: float) -> float:
    """Of simulation and prediction, in units of what is allowed: 3 standard errors + (power + noise)/n."""
    _, power, noise, _, n = CASES[case]
    found, finite = simulated(case), (sum(power) + noise) / n
    return max(
        abs(found.test_error - test) / (3 * found.test_standard_error + finite),
        abs(found.train_error - train) / (3 * found.train_standard_error + finite),
    )


@pytest.mark.parametrize("degree", [4, 20])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_simulation_agrees(case: int, degree: int) -> None:
    """However few degrees are kept: the rest acts as ridge."""
    dim, power, noise, ridge, n = CASES[case]
    curve = learning_curve(relu_modes(dim, degree), power, n, noise, ridge)
    assert disagreement(case, curve.test_error[0], curve.train_error[0]) < 1


@pytest.mark.parametrize("fault", ["no inflation", "ridge per sample", "tail forgotten", "noise forgotten"])
def test_saboteur_wrong_prediction_is_caught(fault: str) -> None:
    """Each of the usual slips is seen by at least one of the cases above."""
    caught = False
    for case, (dim, power, noise, ridge, n) in enumerate(CASES):
        modes = relu_modes(dim, 4)
        if fault == "tail forgotten":
            modes = Modes(modes.eigenvalues, modes.multiplicities, 0.0)
        curve = learning_curve(
            modes, power, n, 0.0 if fault == "noise forgotten" else noise,
            ridge * n if fault == "ridge per sample" else ridge,
        )  # fmt: skip
        test = curve.test_error[0]
        if fault == "no inflation":
            test = float(((1 - curve.learnability[0]) ** 2) @ curve.target_power)
        caught = caught or disagreement(case, test, curve.train_error[0]) > 1
    assert caught


def test_error_by_degree_eq_projection() -> None:
    """The error in each degree, from the fit itself: ``|Pi_k fit|^2 = a^T [lambda_k^2 N_k P_k(<x, x'>)] a``.
    The target is constant, so every other degree holds nothing but variance."""
    dim, n, noise, ridge, rng = 8, 60, 0.5, 0.3, np.random.default_rng(3)
    modes = relu_modes(dim, 6)
    curve = learning_curve(modes, [1.0], n, noise, ridge)
    found = []
    for _ in range(150):
        X = uniform_points(n, dim, rng)
        y = 1 + math.sqrt(noise) * rng.standard_normal(n)
        a = np.linalg.solve(RELU.gram(X) + ridge * np.eye(n), y)
        cosines = X @ X.T / dim
        found.append([
            modes.eigenvalues[k] ** 2 * modes.multiplicities[k] * (a @ legendre(k, dim, cosines) @ a)
            for k in (1, 2, 4)
        ])  # fmt: skip
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(len(found))
    predicted = curve.error_by_degree[0, [1, 2, 4]]
    assert (np.abs(mean - predicted) < 3 * error + predicted / math.sqrt(n)).all()
    assert (np.abs(mean - 2 * predicted) > 3 * error + predicted / math.sqrt(n)).all()  # a planted factor


@pytest.mark.parametrize("dim", [2, 3, 7])
def test_random_harmonic_has_its_power(dim: int) -> None:
    """Mean square and degree, over fresh points; degrees are orthogonal, so powers add."""
    rng = np.random.default_rng(dim)
    X = uniform_points(200_000, dim, rng)
    for power in ([0.7], [0, 2.0], [0, 0, 1.0], [0.5, 0, 0, 1.5]):
        values = random_harmonic(dim, np.array(power), rng)(X)
        spread = np.std(values**2) / math.sqrt(len(X))
        assert abs(np.mean(values**2) - sum(power)) < 5 * spread + 1e-12
        if power[0] == 0:
            assert abs(np.mean(values)) < 5 * np.std(values) / math.sqrt(len(X))


def test_points_are_on_the_sphere() -> None:
    X = uniform_points(50, 9, np.random.default_rng(0))
    assert np.sum(X**2, axis=1) == pytest.approx(np.full(50, 9.0), rel=1e-14)


# ------------------------------------------------------------------------------------ pictures


def test_picture(tmp_path: Path) -> None:
    """Every curve is drawn where it can be, the simulation in its place; equal data, equal bytes."""
    curve = learning_curve(Modes([0.1, 0.05, 0], [1, 15, 100], 0), [0, 0.7, 0.3], range(40), 0.1, 0.0)
    points = [Simulation(10, 5, 1.2, 0.1, 0.0, 0.0)]
    axes = learning_figure(curve, points, "a title", "log").axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert {"degree 1", "degree 2", "predicted"} <= set(lines) and axes.get_title() == "a title"
    x, y = lines["predicted"].get_data()
    assert x.tolist() == list(range(1, 40)) and math.isnan(y[15]) and np.isfinite(np.delete(y, 15)).all()
    assert y[4] == curve.test_error[5] and axes.containers[0].get_label() == "simulated"
    for name in ("a.png", "b.svg", "c.pdf"):
        first = save_learning_plot(curve, tmp_path / name, points).read_bytes()
        assert first == save_learning_plot(curve, tmp_path / name, points).read_bytes()
        assert len(first) > 3000
    perfect = learning_curve(Modes([1.0], [1], 0), [0.0], [5], 0.0, 0.0)
    assert save_learning_plot(perfect, tmp_path / "nothing.png").exists()
    with pytest.raises(DomainError, match="suffix"):
        save_learning_plot(curve, tmp_path / "a.txt")
    with pytest.raises(DomainError, match="scale"):
        learning_figure(curve, scale="cubic")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ bad input

GOOD = Modes([0.5, 0.1], [1, 3], 0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, -1], 5, 0.0, 0.0), "target_power"),
        (([], 5, 0.0, 0.0), "target_power"),
        (([[1]], 5, 0.0, 0.0), "target_power"),
        (([0, 0, 0, 1], 5, 0.0, 0.0), "degree 3"),
        (([1], -1, 0.0, 0.0), "samples"),
        (([1], [], 0.0, 0.0), "samples"),
        (([1], True, 0.0, 0.0), "samples"),
        (([1], math.nan, 0.0, 0.0), "NaN"),
        (([1], "5", 0.0, 0.0), "array of real numbers"),
        (([1], 5, -0.1, 0.0), "noise_variance"),
        (([1], 5, 0.0, -1e-9), "ridge"),
        (([1], 5, 0.0, True), "ridge"),
        (([1], 5, [0.1], 0.0), "noise_variance"),
        (([math.inf], 5, 0.0, 0.0), "infinity"),
    ],
)
def test_bad_arguments(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        learning_curve(GOOD, *arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [([], [], 0), ([1, 2], [1], 0), ([-1], [1], 0), ([1], [0], 0), ([1], [True], 0), ([1], [1.5], 0),
     ([1], [1], -1), ([math.nan], [1], 0), ([[1]], [1], 0)],
)  # fmt: skip
def test_bad_modes(arguments: tuple[list[float], list[int], float]) -> None:
    with pytest.raises(DomainError):
        Modes(*arguments)


def test_not_a_spectrum() -> None:
    with pytest.raises(DomainError, match="spectrum"):
        learning_curve([1, 2], [1], 5, 0.0, 0.0)  # type: ignore[arg-type]
    with pytest.raises(PrecisionError, match="E0"):
        learning_curve(Modes([0.5, 0.1], [1, 3], 0), [1], 4, 0.1, 1e-40)
    with pytest.raises(DomainError, match="N_k lambda_k"):
        Modes([1e300], [10**9], 0)
    with pytest.raises(PrecisionError, match="kappa"):
        learning_curve(Modes([1.0, 5e-324], [1, 1], 0), [1], 1.5, 0.0, 0.0)


def test_bad_kernel_of_a_simulation() -> None:
    with pytest.raises(DomainError, match="shape"):
        simulate(lambda X, Y=None: np.ones(3), 3, [1], 4, 0, 0.1, 2, np.random.default_rng(0))
    with pytest.raises(DomainError, match="rng"):
        simulate(RELU.gram, 3, [1], 4, 0, 0.1, 2, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dim", "samples", "repetitions", "test_points"])
@pytest.mark.parametrize("value", [0, 1.5, True])
def test_bad_simulation(name: str, value: object) -> None:
    good = {"rng": np.random.default_rng(0), "dim": 3, "samples": 4, "repetitions": 2, "test_points": 5} | {
        name: value
    }
    with pytest.raises(DomainError, match=name):
        simulate(RELU.gram, target_power=[1], noise_variance=0, ridge=0, **good)  # type: ignore[arg-type]
