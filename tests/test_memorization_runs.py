"""Scaling, fits, the phase boundary: statistics, resuming, refusals, the command and the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from analytic_ntk import Network, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.report.plots import picture
from analytic_ntk.theory import memorization
from analytic_ntk.theory.memorization import draw, fit, log_slope, phase, scaling
from tests.test_cli import run

RNG = np.random.default_rng
SIZES: dict[str, Any] = {"dims": [12, 16, 24], "samples": [40, 50], "seeds": 2}


# ------------------------------------------------------------------------------------ scaling


def test_scaling_is_the_eigenvalue_of_its_draws() -> None:
    found = scaling(activations.tanh, 2, **SIZES)
    assert len(found.draws) == 12 and found.samples == (40, 50)
    for one in found.draws[:4]:
        rng = RNG(np.random.SeedSequence(one.seed, spawn_key=(one.samples, one.dim)))
        X = rng.standard_normal((one.samples, one.dim))
        J = draw(activations.tanh, one.dim, [one.dim] * 2, rng).jacobian(X)[:, 0, :]
        assert one.lower <= np.linalg.eigvalsh(J @ J.T)[0] * (1 + 1e-9) and one.upper >= one.lower
        assert one.value == pytest.approx(np.linalg.svd(J, compute_uv=False)[-1] ** 2, rel=1e-6)
    assert found.mean(50, 24)[0] > found.mean(50, 12)[0]


def test_slopes_are_those_of_scipy_and_their_intervals_cover() -> None:
    rng, covered = RNG(0), 0
    x = np.array([1.0, 2, 4, 8, 16, 32])
    for _ in range(300):
        y = 3 * x**1.25 * np.exp(0.1 * rng.standard_normal(6))
        found, other = log_slope(x.tolist(), y.tolist()), linregress(np.log(x), np.log(y))
        assert found.exponent == pytest.approx(other.slope, rel=1e-9)
        assert found.high - found.exponent == pytest.approx(student.ppf(0.975, 4) * other.stderr, rel=1e-9)
        covered += found.low <= 1.25 <= found.high
    assert 270 <= covered <= 296  # 285 expected; outside with probability below 1e-3


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    place, whole = tmp_path / "runs" / "a.json", scaling(activations.relu, 1, **SIZES)

    def stop(done: int, total: int, name: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scaling(activations.relu, 1, **SIZES, checkpoint=place, progress=stop)
    assert len(json.loads(place.read_text())["cells"]) == 5
    before = place.read_text()
    again = scaling(activations.relu, 1, **SIZES, checkpoint=place)
    assert [d.value for d in again.draws] == [d.value for d in whole.draws]
    kept = json.loads(before)["cells"]
    assert all(cell in json.loads(place.read_text())["cells"] for cell in kept)  # not made anew
    assert len(scaling(activations.relu, 1, dims=[12], samples=[40], seeds=3, checkpoint=place).draws) == 3
    with pytest.raises(DomainError, match="another question"):
        scaling(activations.tanh, 1, **SIZES, checkpoint=place)
    place.write_text(before[:-20])
    with pytest.raises(DomainError, match="cannot be read"):
        scaling(activations.relu, 1, **SIZES, checkpoint=place)
    place.write_text(before.replace('"lower": ', '"lower": NaN, "was": ', 1))
    with pytest.raises(DomainError, match="NaN"):
        scaling(activations.relu, 1, **SIZES, checkpoint=place)


def test_a_network_of_fewer_parameters_has_eigenvalue_0() -> None:
    found = scaling(activations.tanh, 1, dims=[3, 20], samples=[15], seeds=2)
    assert found.mean(15, 3) == (0.0, 0.0) and found.mean(15, 20)[0] > 0
    with pytest.raises(DomainError, match="three"):
        found.slope(15)


@pytest.mark.slow
def test_the_published_figure_at_a_thousand_inputs() -> None:
    """Sigmoid, N = 1000, d = 977 (Bombari, Amani, Mondelli 2022, Figure 1): mean near 134, sd near 8."""
    found = scaling(activations.sigmoid, 2, dims=[300, 500, 977], samples=[1000], seeds=5)
    mean, deviation = found.mean(1000, 977)
    assert abs(mean - 134) < 4 * 8 / 5**0.5 and 2 < deviation < 18
    assert found.mean(1000, 300)[0] / 300**2 == pytest.approx(6.9e-5, rel=0.25)
    assert found.mean(1000, 500)[0] / 500**2 == pytest.approx(1.0e-4, rel=0.25)
    assert 1.1 < found.slope(1000).exponent < 1.5


# ------------------------------------------------------------------------------------ fits


@pytest.mark.parametrize("method", ["kernel", "scipy"])
def test_a_fit_reaches_its_labels(method: str) -> None:
    rng = RNG(3)
    finite, X, Y = (
        draw(activations.tanh, 8, [8, 8], rng),
        rng.standard_normal((80, 8)),
        rng.standard_normal(80),
    )
    found = fit(finite, X, Y, 1e-8, method=method)
    W = [p for unit in found.network.units for p in unit.parameters]
    own = (np.tanh(np.tanh(X @ W[0]) @ W[1]) @ W[2])[:, 0]
    assert found.reached and np.linalg.norm(own - Y) <= 1.01e-8
    moved = np.concatenate([p.ravel() for u in finite.units for p in u.parameters]) - np.concatenate(
        [w.ravel() for w in W]
    )
    assert found.moved == pytest.approx(np.linalg.norm(moved)) and found.errors[0] > 1 > found.errors[-1]
    assert (found.parameters, found.equations, found.reason) == (136, 80, None)


def test_a_step_is_the_one_of_levenberg_and_marquardt() -> None:
    """One step by hand, from the Jacobian: also for biases, several outputs and the NTK parametrisation."""
    network = Network.mlp(activations.tanh, 2, 2, "1/2").sample([6, 5, 2], RNG(0), 3)
    X = RNG(1).standard_normal((4, 3))
    Y = network(X) + 1e-3 * RNG(2).standard_normal((4, 2))
    found = fit(network, X, Y, 1e-9, steps=1, kicks=0)
    assert len(found.errors) == 2  # the step was taken
    J = network.jacobian(X).transpose(1, 0, 2).reshape(8, -1)
    r = (network(X) - Y).T.reshape(-1)
    K = J @ J.T
    step = J.T @ np.linalg.solve(K + 1e-3 * np.diagonal(K).mean() * np.eye(8), r)
    assert found.network.parameters == pytest.approx(network.parameters - step, rel=1e-9, abs=1e-12)
    assert fit(network, X, Y, 1e-9).reached


def test_near_as_many_parameters_as_labels() -> None:
    rng = RNG(0)
    finite = draw(activations.tanh, 6, [6, 6, 6], rng)
    X, Y = rng.standard_normal((108, 6)), rng.standard_normal(108)
    found = fit(finite, X, Y, 1e-6)
    assert found.parameters == 114 and found.reached
    more = fit(finite, rng.standard_normal((120, 6)), rng.standard_normal(120), 1e-3, steps=60)
    assert not more.reached and more.reason == "120 equations for 114 parameters"
    relu = draw(activations.relu, 3, [3, 3], rng)  # 21 parameters, 6 rescalings
    few = fit(relu, rng.standard_normal((16, 3)), rng.standard_normal(16), 1e-3, steps=20)
    assert few.reason == "16 equations for 21 parameters, 6 rescalings among them" and not few.reached


def test_kicks_take_relu_past_its_kinks() -> None:
    """As many labels as ``1.25 d^2``: a plain run ends at a kink, where the gradient is not small."""
    rng = RNG(3)
    finite = draw(activations.relu, 8, [8] * 3, rng)
    X, Y = rng.standard_normal((80, 8)), rng.standard_normal(80)
    plain, kicked = fit(finite, X, Y, 1e-2, 1500, kicks=0), fit(finite, X, Y, 1e-2, 1500, kicks=200)
    assert not plain.reached and kicked.reached and kicked.steps > plain.steps
    pull = np.linalg.norm(plain.network.jacobian(X)[:, 0, :].T @ (plain.network(X)[:, 0] - Y))
    assert pull > 0.1 * plain.error
    again = fit(finite, X, Y, 1e-2, 1500, kicks=200)
    assert again.error == kicked.error and again.steps == kicked.steps


def test_kicks_bring_dead_units_back() -> None:
    """Six inputs that no unit passes on, or that share too few: no step of Gauss and Newton is enough."""
    finite = draw(activations.relu, 3, [8, 8], RNG(0))
    X, Y = RNG(1).standard_normal((6, 3)), RNG(2).standard_normal(6)
    plain, kicked = fit(finite, X, Y, 1e-6, kicks=0), fit(finite, X, Y, 1e-6)
    assert plain.error > 0.1 and kicked.error < 0.01


def test_labels_that_no_network_gives() -> None:
    finite, X, Y = draw(activations.tanh, 4, [9, 9], RNG(0)), RNG(1).standard_normal((6, 4)), np.arange(6.0)
    twice = np.concatenate([X, X[:1]])
    with pytest.raises(DomainError, match="no network fits such data"):
        fit(finite, twice, [*Y, 5.0])
    assert fit(finite, twice, [*Y, 0.0]).reached
    assert fit(finite, twice, [*Y, 1e-9], 1e-6).reached  # within eps
    with pytest.raises(DomainError, match="f\\(x_6\\) = -f\\(x_1\\)"):
        fit(finite, np.concatenate([X, -X[1:2]]), [*Y, 5.0])
    assert fit(finite, np.concatenate([X, -X[1:2]]), [*Y, -1.0]).reached
    with pytest.raises(DomainError, match="f\\(x_6\\) = 0"):
        fit(finite, np.concatenate([X, 0 * X[:1]]), [*Y, 5.0])
    relu = draw(activations.relu, 1, [4, 4], RNG(0))  # collinear, with a factor beyond float64
    assert fit(relu, [[1e-250], [1e100]], [0.0, 0.0], 1e-3).equations == 2
    with pytest.raises(DomainError, match="f\\(x_1\\) = 2 f\\(x_0\\)"):
        fit(relu, [[1.0], [2.0]], [1.0, 1.0])
    one = fit(finite, X[:1], [2.0])
    assert one.reached and one.equations == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, X: fit(f, X, np.zeros(4)), "shape"),
        (lambda f, X: fit(f, X, np.zeros((5, 2))), "outputs"),
        (lambda f, X: fit(f, X, [0, 1, 2, 3, np.inf]), "finite"),
        (lambda f, X: fit(f, X, [[1], [1, 2], [3], [4], [5]]), "lengths"),
        (lambda f, X: fit(f, X, ["a"] * 5), "real"),
        (lambda f, X: fit(f, np.where(X > 0, np.nan, X), np.zeros(5)), "finite"),
        (lambda f, X: fit(f, X, np.full(5, 1e300)), "rescale"),
        (lambda f, X: fit(f, X, np.zeros(5), eps=0), "eps"),
        (lambda f, X: fit(draw(activations.relu, 3, [4], RNG(0)), 1e200 * X, np.zeros(5)), "rescale X"),
        (lambda f, X: fit(f, X, np.zeros(5), steps=True), "steps"),
        (lambda f, X: fit(f, X, np.zeros(5), method="newton"), "method"),
        (lambda f, X: fit(f, X, np.zeros(5), kicks=-1), "kicks"),
        (lambda f, X: fit(None, X, np.zeros(5)), "FiniteNetwork"),
        (lambda f, X: scaling("tanh"), "Activation"),
        (lambda f, X: scaling(activations.tanh, 2, dims=[]), "dims"),
        (lambda f, X: scaling(activations.tanh, 2, dims=[4, 4]), "different"),
        (lambda f, X: scaling(activations.tanh, 2, dims=[4.0]), "integer"),
        (lambda f, X: scaling(activations.tanh, 2, dims=[4], samples="9"), "samples"),
        (lambda f, X: scaling(activations.tanh, 2, dims=[4], samples=[5], seeds=0), "seeds"),
        (lambda f, X: scaling(activations.tanh, 2, [4], [5], 1).mean(6, 4), "drawn"),
        (lambda f, X: log_slope([1, 2, 3], [1, -1, 2]), "positive"),
        (lambda f, X: log_slope([1, 1, 1], [1, 1, 2]), "places"),
        (lambda f, X: phase(activations.relu, dims=[4], ratios=[-1]), "ratios"),
        (lambda f, X: phase(activations.relu, dims=[4], ratios=[1], eps=float("nan")), "eps"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call(draw(activations.tanh, 3, [4, 4], RNG(0)), RNG(1).standard_normal((5, 3)))


# ------------------------------------------------------------------------------------ the boundary


def test_the_boundary_is_the_line_of_parameters(tmp_path: Path) -> None:
    """Smooth activation, labels in general position: nearly as many inputs as parameters, and never more."""
    place = tmp_path / "grid.json"
    found = phase(activations.tanh, 3, dims=[4, 5, 6], ratios=[2, 4], seeds=1, steps=60, checkpoint=place)
    assert all(cell.share == 1 for cell in found.cells if cell.samples < 0.9 * found.parameters(cell.dim))
    assert all(cell.share == 0 for cell in found.cells if cell.samples > found.parameters(cell.dim))
    assert all(2 <= at / d**2 <= 4 for d, at in found.boundaries()) and len(found.boundaries()) == 3
    assert 0.8 < found.exponent().exponent < 1.2 and found.per_square()[0] == pytest.approx(3, rel=0.05)
    again = phase(activations.tanh, 3, [4, 5, 6], [2, 4], 1, steps=60, checkpoint=place)
    assert again == found
    with pytest.raises(DomainError, match="another question"):
        phase(activations.tanh, 3, dims=[6], ratios=[2], seeds=3, checkpoint=place)
    assert picture(found.plot) == picture(again.plot) and "<svg" in picture(found.plot)


# ------------------------------------------------------------------------------------ the command


def ask(*arguments: str, code: int = 0) -> Any:
    return json.loads(run("memorization", *arguments, "--json", code=code)[0])


def test_kernel_on_the_command_line(tmp_path: Path) -> None:
    found = ask("kernel", "tanh", "--dim", "8", "--samples", "20")
    assert [b["columns"] for b in found["blocks"]] == [64, 64, 8] and found["total"]["kind"] == "certified"
    assert found["by_weyl"] <= found["total"]["upper"] and found["reason"] is None
    file = tmp_path / "x.csv"
    file.write_text("1,2\n-1,-2\n0.5,1/3\n")
    tied = ask("kernel", "tanh", "--points", str(file), "--width", "5", "--width", "9")
    assert tied["reason"].startswith("1 input is tied") and tied["total"]["upper"] == 0
    assert {"name": "a pyramid", "met": False, "detail": "2 >= 5 >= 9 fails"} in tied["hypotheses"]
    assert "tied to others" in run("memorization", "kernel", "tanh", "--points", str(file))[0]


def test_fit_on_the_command_line(tmp_path: Path) -> None:
    X, Y = tmp_path / "x.csv", tmp_path / "y.csv"
    X.write_text("1,2\n3,1\n1,2\n")
    Y.write_text("1\n2\n3\n")
    _, said = run("memorization", "fit", "tanh", "--points", str(X), "--labels", str(Y), code=2)
    assert "no network fits such data" in said
    X.write_text("1,2\n3,1\n1,-2\n")
    found = ask("fit", "tanh", "--points", str(X), "--labels", str(Y), "--width", "9", "--width", "9")
    assert found["reached"] and found["equations"] == 3
    assert not ask("fit", "tanh", "--dim", "3", "--samples", "30", "--steps", "20", code=3)["reached"]


def test_scaling_and_phase_on_the_command_line(tmp_path: Path) -> None:
    sizes = [f"--{n}={v}" for n, v in (("dim", 12), ("dim", 16), ("dim", 20), ("samples", 40), ("seeds", 2))]
    picture, kept = tmp_path / "a.svg", tmp_path / "a.json"
    found = ask("scaling", "gelu", *sizes, "--plot", str(picture), "--checkpoint", str(kept))
    assert len(found["draws"]) == 6 and found["slopes"][0]["low"] < found["slopes"][0]["high"]
    assert "<svg" in picture.read_text() and len(json.loads(kept.read_text())["cells"]) == 6
    assert ask("scaling", "gelu", *sizes, "--checkpoint", str(kept))["draws"] == found["draws"]
    assert "exponent in d^2" in run("memorization", "scaling", "gelu", *sizes)[0]
    grid = ask("phase", "tanh", "--dim", "5", "--ratio", "1", "--ratio", "4", "--seeds", "1", "--steps", "60")
    assert [c["reached"] for c in grid["cells"]] == [1, 0]
    for wrong in (["phase", "tanh", "--samples", "4"], ["scaling", "tanh", "--points", "x.csv"],
                  ["kernel", "tanh", "--plot", "a.svg"], ["scaling", "tanh", "--plot", "a.png"],
                  ["kernel", "tanh", "--width", "3"], ["fit", "tanh", "--dim", "0"]):  # fmt: skip
        run("memorization", *wrong, code=2)


def test_pictures_repeat() -> None:
    found = scaling(activations.sigmoid, 2, **SIZES)
    assert picture(found.plot) == picture(scaling(activations.sigmoid, 2, **SIZES).plot)
    empty = memorization.scaling(activations.tanh, 1, dims=[2], samples=[50], seeds=1)
    assert "<svg" in picture(empty.plot)
