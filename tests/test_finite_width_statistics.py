"""Monte Carlo at finite width: intervals that hold, faults that are found, runs that survive."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import (
    MonteCarlo,
    agreement,
    bias_exponents,
    is_unbiased,
    monte_carlo,
    width_law,
)
from analytic_ntk.finite_width import blocks as blocks_module
from analytic_ntk.finite_width.intervals import (
    catoni_centre,
    catoni_radius,
    catoni_scale,
    variance_bound,
)
from analytic_ntk.finite_width.moments import Moments
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual

X = np.array([[0.6, -0.3, 1.1], [0.2, 0.9, -0.4], [1.2, 0.1, 0.5]])
ONE = Network.mlp(activations.tanh, 1, "3/2", "1/10")
ONE_BARE = Network.mlp(activations.relu, 1, 2, 0)
DEEP = Network.mlp(activations.tanh, 2, "3/2", "1/10")
SQUARE = Network.mlp(Activation.parse("x^2"), 2, 1, 0)
RESIDUAL = Network(Dense(1, "1/10"), Residual(Nonlinearity(activations.relu), Dense(1, 0)), Dense(1, 0))
ROOT = Path(__file__).resolve().parent.parent


# ------------------------------------------------------------------------------------ moments


def test_merged_moments_eq_moments_of_all() -> None:
    values = np.random.default_rng(0).exponential(size=(1000, 3)) + np.array([0.0, 10.0, 1e6])
    moments = Moments.of(values[:1])
    for piece in np.split(values[1:], [1, 10, 500]):
        moments = moments.merged(Moments.of(piece))
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance, values.var(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(moments.kurtosis, stats.kurtosis(values, fisher=False), rtol=1e-8)
    np.testing.assert_allclose(moments.standard_error, stats.sem(values), rtol=1e-9)
    centred = values - values.mean(axis=0)
    np.testing.assert_allclose(moments.m3, (centred**3).sum(axis=0), rtol=1e-7)


def test_nothing_varies() -> None:
    moments = Moments.of(np.full((5, 2), 3.0))
    assert moments.variance.tolist() == moments.kurtosis.tolist() == [0.0, 0.0]


# ------------------------------------------------------------------------------------ intervals

HEAVY: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], np.ndarray], float]] = {
    # name: sampler with mean 0 and variance 1, its kurtosis
    "normal": (lambda rng, shape: rng.standard_normal(shape), 3.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape) - 1.0, 9.0),
    "laplace": (lambda rng, shape: rng.laplace(size=shape) / np.sqrt(2), 6.0),
    "rare": (lambda rng, shape: ((rng.random(shape) < 0.1) - 0.1) / 0.3, 8.111111111111111),
}


def misses(name: str, repetitions: int, failure: float, shrink: float = 1.0) -> tuple[int, int]:
    """How often the interval of the mean, and the bound of the variance, miss, each at its stated rate."""
    sampler, kurtosis = HEAVY[name]
    draws, pilot = 300, 40
    values = sampler(np.random.default_rng(5), (draws, repetitions))
    scale = catoni_scale(Moments.of(values[:pilot]).variance, draws - pilot, failure)
    bound = variance_bound(Moments.of(values), kurtosis, failure)
    radius = shrink * catoni_radius(scale, bound, draws - pilot, failure)
    centre = catoni_centre(values[pilot:], scale)
    return int((np.abs(centre) > radius).sum()), int((bound < 1.0).sum())


@pytest.mark.parametrize("name", HEAVY)
def test_coverage_of_one_interval(name: str) -> None:
    """At most the stated rate of misses: a binomial test that errs with probability 1e-6."""
    repetitions, failure = 5_000, 0.01
    mean, variance = misses(name, repetitions, failure)
    assert stats.binom.sf(mean - 1, repetitions, 3 * failure) > 1e-6
    assert stats.binom.sf(variance - 1, repetitions, failure) > 1e-6


def test_saboteur_intervals_too_short_are_caught() -> None:
    repetitions, failure = 5_000, 0.01
    mean, _ = misses("normal", repetitions, failure, shrink=0.4)
    assert stats.binom.sf(mean - 1, repetitions, 3 * failure) < 1e-6


def test_saboteur_a_kurtosis_assumed_too_small_is_caught() -> None:
    """One value in a hundred: kurtosis 98, bounded as if it were 3."""
    rng, repetitions = np.random.default_rng(0), 5_000
    values = ((rng.random((400, repetitions)) < 0.01) - 0.01) / np.sqrt(0.0099)
    missed = int((variance_bound(Moments.of(values), 3.0, 0.01) < 1.0).sum())
    assert stats.binom.sf(missed - 1, repetitions, 0.01) < 1e-6


def test_catoni_radius_is_that_of_a_normal_mean_nearly() -> None:
    """For many draws sqrt(2 log(1/eps)) standard errors, and every scale near the best one will do."""
    one = np.ones(1)
    best = catoni_scale(one, 10**6, 1e-9)
    radius = catoni_radius(best, one, 10**6, 1e-9)[0]
    assert abs(radius * 1e3 / np.sqrt(2 * np.log(1e9)) - 1) < 1e-3
    assert catoni_radius(2 * best, one, 10**6, 1e-9)[0] / radius < 1.26
    assert catoni_radius(best, one, 10, 1e-9)[0] == np.inf  # too few draws for such a certainty


def test_catoni_centre_is_a_zero() -> None:
    values = np.random.default_rng(0).standard_cauchy((200, 50))
    scale = np.full(50, 0.7)
    centre = catoni_centre(values, scale)
    z = scale * (values - centre)
    r = (np.sign(z) * np.log1p(np.abs(z) + z * z / 2)).sum(axis=0)
    assert np.abs(r).max() < 1e-10
    np.testing.assert_array_equal(catoni_centre(values[:1], scale), values[0])


def simultaneous_misses(repetitions: int, failure: float) -> int:
    limit = ONE.gram(X, kernel="both")
    missed = 0
    for seed in range(repetitions):
        found = monte_carlo(ONE, X, 8, 640, seed, failure_probability=failure)
        missed += bool(found.nngp.misses(limit[0]).any() or found.ntk.misses(limit[1]).any())
    return missed


def test_coverage_over_all_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve entries at once miss at no more than the stated rate (binomial test, error 1e-6)."""
    monkeypatch.setattr(blocks_module, "MOST_BLOCKS", 64)
    missed = simultaneous_misses(60, 0.2)
    assert stats.binom.sf(missed - 1, 60, 0.2) > 1e-6


# ------------------------------------------------------------------------------------ estimates


def test_one_hidden_layer_is_unbiased_at_every_width() -> None:
    """Even at width 1: both kernels have the limit as their expectation."""
    limit = ONE.gram(X, kernel="both")
    for width in (1, 3):
        found = monte_carlo(ONE, X, width, 60_000, width, kurtosis=60)
        assert found.unbiased and not found.suspect and found.relative_radius < 0.06
        assert not found.nngp.misses(limit[0]).any() and not found.ntk.misses(limit[1]).any()


def test_which_networks_are_unbiased() -> None:
    linear = Network(Dense(1, 0), Dense(2, 1), Residual(Dense(1, 1)), Dense(1, 1))
    late = Network(Dense(1, 0), Dense(1, 0), Nonlinearity(activations.tanh), Dense(1, 0))
    norm = Network(Dense(1, 1), LayerNorm(), Nonlinearity(activations.tanh), Dense(1, 0))
    branch = Network(Dense(1, 0), Residual(Dense(1, 0), Nonlinearity(activations.tanh), Dense(1, 0)))
    expected = {ONE: True, RESIDUAL: True, linear: True, DEEP: False, late: False, norm: False, branch: False}
    assert {network: is_unbiased(network) for network in expected} == expected
    limit = RESIDUAL.gram(X, kernel="both")
    found = monte_carlo(RESIDUAL, X, 3, 40_000, 1, kurtosis=60)
    assert not found.nngp.misses(limit[0]).any() and not found.ntk.misses(limit[1]).any()


def test_the_standard_error_eq_the_exact_one() -> None:
    """One hidden layer: Var NNGP = w^2/n (E phi(u)^2 phi(v)^2 - (E phi(u) phi(v))^2), a dual of phi^2."""
    squares = Network.mlp(Activation.parse("sin(x)^2"), 1, 1, 0).gram(X, kernel="nngp")
    network = Network.mlp(activations.sin, 1, 1, 0)
    exact = np.sqrt((squares - network.gram(X, kernel="nngp") ** 2) / (5 * 40_000))
    found = monte_carlo(network, X, 5, 40_000, 0)
    np.testing.assert_allclose(found.nngp.standard_error, exact, rtol=0.03)


def test_numbers_do_not_depend_on_the_workers() -> None:
    one, two = (monte_carlo(DEEP, X, 8, 300, 4, workers=w) for w in (1, 2))
    for mine, other in ((one.nngp, two.nngp), (one.ntk, two.ntk)):
        np.testing.assert_array_equal(mine.mean, other.mean)
        np.testing.assert_array_equal(mine.standard_error, other.standard_error)
    other_seed = monte_carlo(DEEP, X, 8, 300, 5)
    assert (other_seed.ntk.mean != one.ntk.mean).all()


def test_a_generator_gives_the_seed() -> None:
    found = monte_carlo(ONE, X, 4, 50, np.random.default_rng(3))
    again = monte_carlo(ONE, X, 4, 50, found.seed)
    np.testing.assert_array_equal(found.ntk.mean, again.ntk.mean)
    assert np.isinf(found.ntk.radius).all()  # 50 draws say nothing at 1e-9


def test_early_stop_at_a_target() -> None:
    loose = monte_carlo(ONE, X, 16, 200_000, 0, target=0.05)
    assert loose.draws < 60_000 and loose.relative_radius <= 0.05
    missed = monte_carlo(ONE, X, 16, 20_000, 0, target=1e-6)
    assert missed.draws == 20_000 and missed.relative_radius > 1e-6
    without = monte_carlo(ONE, X, 16, 20_000, 0)
    assert 1.0 < missed.relative_radius / without.relative_radius < 1.2  # what the looks cost


def test_heavy_tails_are_suspect() -> None:
    heavy = Network.mlp(Activation.parse("x^4"), 2, 1, 0)
    assert monte_carlo(heavy, X, 4, 3000, 0).suspect


def test_one_dense_layer_is_the_limit_itself() -> None:
    network = Network(Dense(2, "1/3"))
    found = monte_carlo(network, X, 4, 2000, 0)
    assert found.unbiased and not found.ntk.misses(network.gram(X)).any()
    np.testing.assert_allclose(found.nngp.mean, network.gram(X, kernel="nngp"), rtol=1e-13)


def test_a_zero_input_is_exact() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 2.0]])
    found = monte_carlo(Network.mlp(activations.relu, 1, 2, 0), rows, 8, 3000, 0)
    assert found.ntk.radius[0].tolist() == [0.0, 0.0] and found.ntk.centre[0].tolist() == [0.0, 0.0]
    assert 0 < found.relative_radius < 1


# ------------------------------------------------------------------------------------ faults


def test_a_fault_of_1_percent_is_found() -> None:
    """In one hidden layer, whose expectation is known: within 80,000 draws of width 16, at 1e-9."""
    limit = ONE.gram(X)
    found = monte_carlo(ONE, X, 16, 80_000, 0)
    assert found.failure_probability == 1e-9 and not found.suspect
    assert found.ntk.misses(1.01 * limit).any()
    assert not found.ntk.misses(limit).any()


@pytest.mark.slow
def test_a_fault_of_one_in_a_thousand_is_found() -> None:
    limit = ONE.gram(X)
    found = monte_carlo(ONE, X, 16, 6_000_000, 0, workers=2)
    assert found.ntk.misses(1.001 * limit).any()
    assert not found.ntk.misses(limit).any()


BENCHMARK = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "finite_width.py"))


CASES = list(enumerate(BENCHMARK["cases"]()))
SAVED = json.loads(BENCHMARK["FOUND"].read_text())


def test_every_case_of_the_grid_has_its_saved_result() -> None:
    """20 activations, depth 1 to 4, with and without bias, with and without skips."""
    assert len(BENCHMARK["NAMES"]) == 20 and len(CASES) == len(SAVED) == 320
    assert {case for _, (case, _) in CASES} == set(SAVED)
    assert all(0 < row["distance"] < row["stated_error"] < 0.5 for row in SAVED.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARK["NAMES"])
def test_sampled_networks_agree_with_the_limit(name: str) -> None:
    """All 320 cases together at failure probability 1e-9, none suspect, and the numbers are the saved ones.

    Half a minute of one core for each activation."""
    for seed, (case, network) in CASES:
        if case.startswith(f"{name} "):
            width, found = BENCHMARK["agrees"](seed, network)
            assert found.agrees and not found.suspect, case
            numbers = {"width": width, "distance": found.distance, "stated_error": found.stated_error}
            assert numbers == pytest.approx(SAVED[case], abs=1e-4), case


def test_a_case_of_the_grid_agrees() -> None:
    """The cheapest of them, as all are asked."""
    seed, (case, network) = CASES[0]
    width, found = BENCHMARK["agrees"](seed, network)
    assert found.agrees and not found.suspect
    assert [width, found.distance] == pytest.approx([SAVED[case]["width"], SAVED[case]["distance"]], abs=1e-4)


# ------------------------------------------------------------------------------------ 1/width


def test_the_law_in_one_over_the_width_of_a_known_case() -> None:
    """x^2 at depth 2, one input, w = 1, q = 1: E S_3 = 3 E q_n^2 with q_n the mean of n fourth powers,
    E q_n^2 = 9 + (105 - 9)/n: the NNGP is exactly 27 + 288/n. Six standard errors."""
    law = width_law(SQUARE, [[1.0]], [16, 32, 64], [30_000, 15_000, 6_000], 1, terms=2)
    coefficients, errors = law.nngp.coefficients[:, 0, 0], law.nngp.standard_error[:, 0, 0]
    assert (errors < [1.5, 45]).all()
    assert (np.abs(coefficients - [27, 288]) < 6 * errors).all()


def test_the_bias_of_the_ntk_of_a_known_case() -> None:
    """The same network: E T = 111 + 1344/n exactly, a bias of exponent -1 at every width.

    The shares of the three layers, with g_i ~ N(0, 1) and s = mean g_i^4 given which the second
    pre-activations are N(0, s): 3 E s^2 = 27 + 288/n; 4 E s^2 = 36 + 384/n; and, since the weights W_ji of
    the second layer are met twice, E W_ji^2 (W_j . g^2)^2 = sum g_m^4 + 2 g_i^4, the first:
    16 (3 + 42/n) = 48 + 672/n. Six standard errors."""
    for width, draws in ((4, 100_000), (8, 80_000)):
        found = monte_carlo(SQUARE, [[1.0]], width, draws, 3).ntk
        exact, error = 111 + 1344 / width, found.standard_error[0, 0]
        assert abs(found.mean[0, 0] - exact) < 6 * error < 0.35 * 1344 / width
    assert abs(float(SQUARE.gram([[1.0]])[0, 0]) - 111) < 1e-9


def test_richardson_takes_the_bias_away() -> None:
    law = width_law(SQUARE, [[1.0]], [16, 32], 30_000, 0, failure_probability=1e-3, kurtosis=600)
    biased = [e.nngp.mean[0, 0] - 27 for e in law.estimates]
    assert biased[0] > 14 and 7 < biased[1] < 11  # 288/16 = 18 and 288/32 = 9
    assert abs(law.nngp.limit[0, 0] - 27) < 6 * law.nngp.standard_error[0, 0, 0] < 8
    assert not law.suspect and not law.nngp.misses([[27.0]]).any()
    assert law.nngp.misses([[27.0 + 18]]).any()


def test_exponents_of_known_biases() -> None:
    """Distances put in by hand: c/n, c/n^2 and none; the interval is that of the ends."""
    law = width_law(ONE, X[:2], [4, 8, 16], 20, 0)
    limit = np.array([[1.0, 2.0], [2.0, 5.0]])
    planted = []
    for estimate in law.estimates:
        n = float(estimate.width)  # type: ignore[arg-type]
        away = np.array([[3 / n, 1 / n**2], [1 / n**2, 0.0]])
        part = dataclasses.replace(estimate.ntk, centre=limit + away, radius=away / 10 + 1e-9)
        planted.append(dataclasses.replace(estimate, ntk=part))
    found = bias_exponents(dataclasses.replace(law, estimates=tuple(planted)), limit)
    np.testing.assert_allclose(found.value, [[-1, -2], [-2, 0]], atol=1e-9)
    reach = (np.log(1.1) - np.log(0.9)) / np.log(4)  # only the outer widths have weight here
    np.testing.assert_allclose([found.low[0, 0], found.high[0, 0]], [-1 - reach, -1 + reach], atol=1e-6)
    assert np.isneginf(found.low[1, 1]) and np.isposinf(found.high[1, 1])


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "weight", "draws"), [(2, "1/2", 400_000), (3, "1", 150_000)])
def test_the_bias_of_the_ntk_falls_like_one_over_the_width(depth: int, weight: str, draws: int) -> None:
    network = Network.mlp(Activation.parse("x^2/sqrt(1+x^2)"), depth, weight, 0)
    point = np.ones((1, 1))
    law = width_law(
        network, point, [12, 24, 48], [draws, 2 * draws, 4 * draws], 7, failure_probability=1e-2,
        kurtosis=100, workers=2,
    )  # fmt: skip
    found = bias_exponents(law, network.gram(point))
    assert not law.suspect
    assert abs(found.value[0, 0] + 1) < 0.1 and found.low[0, 0] < -1 < found.high[0, 0]


# ------------------------------------------------------------------------------------ runs that are stopped


def same(one: MonteCarlo, other: MonteCarlo) -> bool:
    return bool((one.ntk.mean == other.ntk.mean).all() and (one.nngp.radius == other.nngp.radius).all())


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    whole = monte_carlo(DEEP, X, 8, 400, 1)
    seen: list[int] = []

    def stop(done: int, total: int, name: str) -> None:
        seen.append(done)
        if done >= 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monte_carlo(DEEP, X, 8, 400, 1, progress=stop, checkpoint=tmp_path / "run")
    assert len(list((tmp_path / "run").glob("block-*"))) == 150
    resumed: list[int] = []
    found = monte_carlo(
        DEEP, X, 8, 400, 1, progress=lambda done, total, name: resumed.append(done),
        checkpoint=tmp_path / "run",
    )  # fmt: skip
    assert resumed[0] == 150 and resumed[-1] == 400 and same(found, whole)
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.startswith(".")]


KILLED = """
import sys, numpy as np
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_finite_width_statistics import DEEP, X, monte_carlo
if __name__ == "__main__":
    monte_carlo(DEEP, X, 64, 40000, 1, workers=2, checkpoint={folder!r})
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_killed_run_loses_nothing_that_is_finished(stop: signal.Signals, tmp_path: Path) -> None:
    script, folder = tmp_path / "run.py", tmp_path / "kept"
    script.write_text(KILLED.format(root=str(ROOT), folder=str(folder)))
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("block-*"))) < 8 and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read().decode()  # type: ignore[union-attr]
            time.sleep(0.05)
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does
        else:
            os.kill(process.pid, stop)
        process.communicate(timeout=60)  # ends when no worker is left to hold the other end of stderr
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    kept = list(folder.glob("block-*"))
    assert len(kept) >= 8 and process.returncode != 0
    found: list[int] = []

    def first(done: int, total: int, name: str) -> None:
        found.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monte_carlo(DEEP, X, 64, 40000, 1, progress=first, checkpoint=folder)
    assert found[0] >= 39 * len(kept)


def test_a_pool_that_breaks_takes_no_finished_block_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two blocks seen at once, the one whose worker died is told last."""
    broken: Future[Moments] = Future()
    broken.set_exception(BrokenProcessPool())
    good: Future[Moments] = Future()
    good.set_result(Moments.of(np.ones((2, 1))))
    coming = iter([broken, good])

    class Pool:
        def __init__(self, *arguments: object, **options: object) -> None: ...

        def submit(self, *arguments: object) -> Future[Moments]:
            return next(coming)

        def shutdown(self, *, wait: bool, cancel_futures: bool) -> None: ...

    monkeypatch.setattr(blocks_module, "ProcessPoolExecutor", Pool)
    question = blocks_module.Question(DEEP, X, 4, 12, 1, "ntk")
    found = blocks_module._in_processes(question, [0, 1], 2, None)
    assert next(found)[0] == 1
    with pytest.raises(BrokenProcessPool):
        next(found)


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """A worker takes its own life at the third block, once."""
    whole = monte_carlo(DEEP, X, 4, 12, 1)
    flag = tmp_path / "died"
    deadly = blocks_module.Question(DEEP, X, 4, 12, 1, "ntk")
    found = dict(blocks_module.draw_blocks(Deadly(**vars(deadly), flag=flag), range(12), 2, None))
    assert flag.exists() and sorted(found) == list(range(12))
    means = np.mean([found[i].mean for i in range(12)], axis=0)
    np.testing.assert_allclose(means[:6], whole.nngp.mean[np.triu_indices(3)], rtol=1e-13)


class Deadly(blocks_module.Question):
    """Kills the process in which block 2 is drawn, unless it has been done."""

    flag: Path

    def __init__(self, *, flag: Path, **fields: object) -> None:
        super().__init__(**fields)  # type: ignore[arg-type]
        object.__setattr__(self, "flag", flag)

    def size_of(self, index: int) -> int:
        if index == 2 and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().size_of(index)


def test_checkpoints_that_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder)
    for call, words in (
        (lambda: monte_carlo(DEEP, X, 4, 20, 2, checkpoint=folder), "another question .seed = 1"),
        (lambda: monte_carlo(DEEP, X, 5, 20, 1, checkpoint=folder), "another question .width = 4"),
        (lambda: monte_carlo(ONE, X, 4, 20, 1, checkpoint=folder), "another question .network"),
        (lambda: monte_carlo(DEEP, X + 1, 4, 20, 1, checkpoint=folder), "another question .inputs"),
    ):
        with pytest.raises(DomainError, match=words):
            call()
    block = sorted(folder.glob("block-*"))[3]
    whole = block.read_bytes()
    for content in (whole[:-9], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        block.write_bytes(content)
        with pytest.raises(DomainError, match="remove this file"):
            monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder)
    block.unlink()
    assert same(monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder), monte_carlo(DEEP, X, 4, 20, 1))
    (folder / "block-surprise.npy").write_bytes(b"")
    with pytest.raises(DomainError, match="names as they were written"):
        monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder)
    (folder / "block-surprise.npy").unlink()
    (folder / "question.json").write_text("{")
    with pytest.raises(DomainError, match="damaged"):
        monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder)
    (folder / "question.json").unlink()
    with pytest.raises(DomainError, match=r"no question\.json"):
        monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder)
    with pytest.raises(DomainError, match="which is a file"):
        monte_carlo(DEEP, X, 4, 20, 1, checkpoint=block if block.exists() else _file(tmp_path))
    assert json.loads((_kept(tmp_path) / "question.json").read_text())["draws"] == 20


def _file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file"


def _kept(folder: Path) -> Path:
    monte_carlo(DEEP, X, 4, 20, 1, checkpoint=folder / "other")
    return folder / "other"


REFUSALS = {
    "width 0": (lambda: monte_carlo(ONE, X, 0, 10, 0), "width = 0"),
    "widths too few": (lambda: monte_carlo(ONE, X, [4], 10, 0), "1 widths"),
    "draws 1": (lambda: monte_carlo(ONE, X, 4, 1, 0), "draws = 1"),
    "draws True": (lambda: monte_carlo(ONE, X, 4, True, 0), "draws = True"),
    "NaN": (lambda: monte_carlo(ONE, [[np.nan, 1, 2]], 4, 10, 0), "nan"),
    "infinity": (lambda: monte_carlo(ONE, [[np.inf, 1, 2]], 4, 10, 0), "inf"),
    "ragged": (lambda: monte_carlo(ONE, [[1.0, 2.0], [1.0]], 4, 10, 0), "different lengths"),
    "vector": (lambda: monte_carlo(ONE, [1.0, 2.0], 4, 10, 0), "shape"),
    "more workers than draws": (lambda: monte_carlo(ONE, X, 4, 10, 0, workers=11), "11 workers for 10 draws"),
    "no workers": (lambda: monte_carlo(ONE, X, 4, 10, 0, workers=0), "workers = 0"),
    "seed": (lambda: monte_carlo(ONE, X, 4, 10, -1), "rng = -1"),
    "seed as text": (lambda: monte_carlo(ONE, X, 4, 10, "0"), "rng = '0'"),
    "failure 0": (lambda: monte_carlo(ONE, X, 4, 10, 0, failure_probability=0.0), "failure_probability"),
    "failure NaN": (lambda: monte_carlo(ONE, X, 4, 10, 0, failure_probability=np.nan), "failure_probability"),
    "kurtosis": (lambda: monte_carlo(ONE, X, 4, 10, 0, kurtosis=0.5), "kurtosis"),
    "target": (lambda: monte_carlo(ONE, X, 4, 10, 0, target=0), "target"),
    "parametrisation": (lambda: monte_carlo(ONE, X, 4, 10, 0, parametrisation="mup"), "parametrisation"),
    "no network": (lambda: monte_carlo("relu", X, 4, 10, 0), "a Network"),
    "symbols": (
        lambda: monte_carlo(Network.mlp(Activation.parse("sin(c*x)"), 1, 1, 0), X, 4, 10, 0), "free param"),
    "moments overflow": (
        lambda: monte_carlo(Network.mlp(Activation.parse("cosh(x)"), 2, 9, 0), 6 * X, 8, 200, 0), "overflow"),
    "moments underflow": (lambda: monte_carlo(ONE_BARE, 1e-45 * X, 4, 50, 0), "underflow"),
    "checkpoint": (lambda: monte_carlo(ONE, X, 4, 10, 0, checkpoint=3), "checkpoint = 3"),
    "kernel of another shape": (lambda: monte_carlo(ONE, X, 4, 10, 0).ntk.misses([[1.0]]), "shape"),
    "one width": (lambda: width_law(ONE, X, [4], 10, 0), "two widths"),
    "equal widths": (lambda: width_law(ONE, X, [4, 4], 10, 0), "different widths"),
    "terms": (lambda: width_law(ONE, X, [4, 8], 10, 0, terms=3), "3 terms"),
    "draws 3.5": (lambda: width_law(ONE, X, [4, 8], 3.5, 0), "draws = 3.5"),
    "failure as text": (lambda: width_law(ONE, X, [4, 8], 10, 0, failure_probability="1"), "failure_prob"),
    "limit": (lambda: agreement(ONE, X, 4, 10, 0, limit=X), "two matrices"),
    "agreement of no network": (lambda: agreement("relu", X, 4, 10, 0), "a Network"),
    "several widths": (lambda: agreement(DEEP, X, [4, 8], 10, 0), "width ="),
    "draws for each": (lambda: width_law(ONE, X, [4, 8], [10], 0), "1 numbers of draws"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSALS))
def test_refusals(case: str) -> None:
    call, words = REFUSALS[case]
    with pytest.raises(DomainError, match=words):
        call()
