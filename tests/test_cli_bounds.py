"""``analytic-ntk bounds``: the table of lower bounds beside the eigenvalue."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from analytic_ntk import Network, activations
from analytic_ntk.bounds import sphere_points
from analytic_ntk.layers import Dense
from tests.test_cli import run


def test_bounds_lie_below_the_eigenvalue_of_the_network_itself() -> None:
    text, messages = run("bounds", "relu", "gelu", "--count", "4", "--count", "6", "--dim", "3", "--json")
    assert messages == ""
    records = json.loads(text)
    assert [(r["activation"], r["count"]) for r in records] == [
        ("relu", 4), ("relu", 6), ("gelu", 4), ("gelu", 6)
    ]  # fmt: skip
    for record in records:
        mlp = Network.mlp(activations.get(record["activation"]), 1, 2, 0)
        network = Network(Dense(6, 0), *mlp.layers[1:])  # <x, y> in place of <x, y>/3
        X = np.array(sphere_points(record["count"], 3), dtype=float)
        least = float(np.linalg.eigvalsh(network.gram(X))[0])
        assert float(record["lambda_min"]["value"]) == pytest.approx(least, rel=1e-3)
        for name in ("gershgorin", "khatri_rao", "by_separation"):
            assert 0 <= Fraction(record[name]["value"]) < least
        assert 0 < record["seen"] <= 1


def test_table_and_files(tmp_path: Path) -> None:
    path = tmp_path / "bounds.csv"
    text, messages = run("bounds", "relu", "--count", "4", "--output", str(path))
    assert "the smallest eigenvalue and its bounds" in text and str(path) in messages
    assert max(map(len, text.splitlines())) <= 80
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["activation"], row["count"]) == ("relu", "4") and row["gershgorin"] in text
    run("bounds", "relu", "--count", "4", "--output", str(tmp_path / "bounds.tex"))
    assert (tmp_path / "bounds.tex").read_text().startswith(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("relu", "--count", "400"), "from 2 to 100"),
        (("relu", "--dim", "1"), "from 2 to 1000"),
        (("relu", "--output", "x.pdf"), ".csv or .tex"),
        (("nosuch",), "nosuch"),
        (("relu", "--depth", "0"), "depth"),
    ],
)
def test_wrong_questions(arguments: tuple[str, ...], words: str) -> None:
    assert words in run("bounds", *arguments, code=2)[1]
