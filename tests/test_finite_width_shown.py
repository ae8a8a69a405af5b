"""Finite networks on the command line and in pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytic_ntk import Network, activations, finite_width
from analytic_ntk.errors import DomainError
from analytic_ntk.report.finite_width_plot import (
    agreement_plot,
    convergence_plot,
    training_plot,
    width_plot,
)
from tests.test_cli import run

QUICK = ("--draws", "3000", "--width", "8")


def ask(*arguments: str, code: int = 0) -> Any:
    return json.loads(run("finite-width", *arguments, "--json", code=code)[0])


def test_the_answer_is_that_of_the_function() -> None:
    found = ask("tanh", *QUICK, "--depth", "2", "--bias-variance", "0.1", "--rho", "1/2", "--seed", "3")
    network = Network.mlp(activations.tanh, 2, 1, "1/10")
    X = np.sqrt(2) * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    expected = finite_width.agreement(network, X, 8, 3000, 3)
    assert (found["agrees"], found["draws"], found["widths"]) == (True, 6000, [8, 16])
    assert found["kind"] == "statistical" and found["stated_error"] == expected.stated_error
    entries = {(e["kernel"], e["row"], e["column"]): e for e in found["entries"]}
    assert len(entries) == 6
    for kernel, limit in zip(("nngp", "ntk"), expected.limit, strict=True):
        for (i, j), value in np.ndenumerate(limit):
            if i <= j:
                assert entries[kernel, i, j]["limit"] == value
                assert abs(entries[kernel, i, j]["sampled"] - value) <= entries[kernel, i, j]["radius"]


def test_a_disagreement_is_one() -> None:
    network = Network.mlp(activations.relu, 1, 2, 0)
    limit = network.gram(np.eye(2), kernel="both")
    right = finite_width.agreement(network, np.eye(2), 8, 20_000, 0)
    wrong = finite_width.agreement(network, np.eye(2), 8, 20_000, 0, limit=(limit[0], 1.2 * limit[1]))
    few = finite_width.agreement(network, np.eye(2), 8, 20, 0)
    assert (right.agrees, wrong.agrees, few.agrees) == (True, False, None)
    assert wrong.ntk_misses.any() and not wrong.nngp_misses.any()
    assert wrong.distance > 0.15 > right.distance


def test_points_from_a_file_and_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("1,0\n0,1\n1,1\n")
    asked = ("erf", *QUICK, "--points", str(tmp_path / "points.csv"), "--checkpoint", str(tmp_path / "kept"))
    first = ask(*asked)
    assert len(first["entries"]) == 12 and list((tmp_path / "kept").glob("block-*"))
    assert ask(*asked) == first
    run("finite-width", "erf", *QUICK, "--checkpoint", str(tmp_path / "kept"), code=2)


def test_numbers_too_large_for_float64(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("1e400,0\n")
    _, messages = run("finite-width", "erf", "--points", str(tmp_path / "points.csv"), code=2)
    assert "too large for float64" in messages


def test_too_few_draws_are_no_answer() -> None:
    assert ask("erf", "--draws", "20", code=3)["agrees"] is None
    text, _ = run("finite-width", "erf", "--draws", "20", code=3)
    assert "too few draws" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--width", "0"), "width = 0"),
        (("--draws", "1"), "draws = 1"),
        (("--draws", "4", "--workers", "5"), "5 workers for 4 draws"),
        (("--rho", "2"), "rho = 2"),
        (("--rho", "1/2", "--points", "x.csv"), "--points with --rho"),
        (("--failure", "0"), "failure_probability"),
        (("--seed", "-1"), "rng = -1"),
        (("--plot", "a.png"), "a.png"),
        (("--points", "missing.csv"), "missing.csv"),
    ],
)
def test_wrong_questions(arguments: tuple[str, ...], words: str) -> None:
    _, messages = run("finite-width", "relu", *arguments, code=2)
    assert words in messages


def test_the_plot_of_the_command(tmp_path: Path) -> None:
    _, messages = run("finite-width", "relu", *QUICK, "--plot", str(tmp_path / "a.svg"))
    assert "wrote" in messages and "</svg>" in (tmp_path / "a.svg").read_text()


# ------------------------------------------------------------------------------------ pictures


def test_pictures() -> None:
    network = Network.mlp(activations.tanh, 2, 1, 0)
    law = finite_width.width_law(network, np.eye(2), [8, 16], 2000, 0)
    limit = network.gram(np.eye(2))
    flow = finite_width.gradient_flow(network, np.eye(2), [1.0, -1.0])
    finite = network.sample(8, np.random.default_rng(0), 2)
    path = finite_width.train(finite, np.eye(2), [1.0, -1.0], 0.3, 5)
    rng = np.random.default_rng(0)
    approach = finite_width.convergence(network, np.eye(2), [1.0, -1.0], [8, 16], 3, rng, steps=5)
    calls = (
        lambda: width_plot(law, limit, entry=(0, 1)),
        lambda: training_plot(flow, [path]),
        lambda: convergence_plot(approach),
        lambda: agreement_plot(finite_width.agreement(network, np.eye(2), 8, 2000, 0)),
    )
    for call in calls:
        assert "</svg>" in call()
    assert calls[0]() == calls[0]()
    with pytest.raises(DomainError, match="shape"):
        width_plot(law, [[1.0]])
    with pytest.raises(DomainError, match="kernel"):
        width_plot(law, limit, "rbf")
    with pytest.raises(DomainError, match="trainings"):
        training_plot(flow, [])
