"""positive: verdicts against the Gram matrix itself, points from files, exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytic_ntk import Network, activations
from analytic_ntk.cli.points import read_points
from analytic_ntk.errors import DomainError, PrecisionError
from tests.test_cli import run

HEXAGON = "2,0\n1,1\n-1,1\n-2,0\n-1,-1\n1,-1\n"


def ask(*arguments: str, code: int = 0) -> Any:
    out, messages = run(*arguments, "--json", code=code)
    assert messages == ""
    return json.loads(out)


def is_null(points: Sequence[Sequence[str]], vector: Sequence[str], network: Network) -> bool:
    """Whether ``K u`` meets 0 in every entry, ``K`` in certified values, and ``u`` is not 0."""
    for x in points:
        total, spread = Fraction(0), Fraction(0)
        for y, entry in zip(points, vector, strict=True):
            value = network.certified(x, y, 25).ntk
            total += Fraction(entry) * value.midpoint
            spread += abs(Fraction(entry)) * value.radius
        if abs(total) > spread:
            return False
    return any(Fraction(entry) for entry in vector)


def test_a_counterexample_is_one_and_a_wrong_null_vector_is_seen() -> None:
    data = ask("positive", "gelu", "--domain", "sphere", "--weight-variance", "2")
    assert (data["verdict"], data["kind"], data["domain"], data["dim"]) == ("singular", "proved", "sphere", 2)
    found = data["counterexample"]
    network = Network.mlp(activations.gelu, 1, 2, 0)
    for x in found["points"]:
        assert sum(Fraction(e) ** 2 for e in x) == 1
    for vector in found["null_vectors"]:
        assert is_null(found["points"], vector, network)
        wrong = [str(Fraction(vector[0]) + Fraction(1, 1000)), *vector[1:]]
        assert not is_null(found["points"], wrong, network)


def test_verdicts() -> None:
    yes = ask("positive", "relu", "--bias-variance", "1", "--depth", "2", "--dim", "7")
    assert (yes["verdict"], yes["counterexample"], yes["dim"]) == ("strictly positive", None, 7)
    assert [step["layer"] for step in yes["steps"]] == ["Dense", "relu", "Dense", "relu", "Dense"]
    assert "Theorem 3" in yes["steps"][1]["reference"]
    deep = ask("positive", "relu", "--domain", "non-proportional", "--depth", "9", "--kernel", "nngp")
    assert (deep["verdict"], deep["kernel"]) == ("strictly positive", "nngp")
    text = run("positive", "relu", "--domain", "non-proportional", "--depth", "9")[0]
    assert "strictly positive (proved)" in text and "7 more layers" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    text = run("positive", "tanh", "--domain", "sphere")[0]
    assert "points (1, 0); (-1, 0)" in text and "null vector (1, 1)" in text


def test_undecided_is_code_3(tmp_path: Path) -> None:
    identity = "tanh(x) + 4*atan(1/5) - atan(1/239) - pi/4"  # 0, which no rule sees
    assert ask("positive", identity, code=3)["verdict"] == "undecided"
    path = tmp_path / "line.csv"
    path.write_text("1,0\n2,0\n3,0\n")
    data = ask("positive", identity, "--points", str(path), code=3)
    assert (data["verdict"], data["kind"], data["nullity"]) == ("undecided", None, None)
    assert "whether the number" in data["missing"]


def test_points_and_the_smallest_eigenvalue(tmp_path: Path) -> None:
    path = tmp_path / "hexagon.csv"
    path.write_text(HEXAGON)
    singular = ask("positive", "relu", "--points", str(path), "--eigenvalue")
    assert (singular["verdict"], singular["nullity"]) == ("singular", 1)
    assert singular["min_eigenvalue"]["expression"] == "0"
    points = [line.split(",") for line in HEXAGON.split()]
    assert is_null(points, singular["null_vectors"][0], Network.mlp(activations.relu, 1, 1, 0))
    text = run("positive", "relu", "--points", str(path))[0]
    assert (
        "NTK: singular (proved)" in text
        and "on 6 points in R^2" in text
        and "null vector (-1, 1, -1, 1, -1, 1)" in text
    )
    positive = ask("positive", "relu", "--depth", "2", "--points", str(path), "--eigenvalue")
    assert (positive["verdict"], positive["null_vectors"]) == ("strictly positive", [])
    gram = Network.mlp(activations.relu, 2, 1, 0).gram(np.array(points, dtype=float))
    least = positive["min_eigenvalue"]
    assert least["kind"] == "certified"
    assert abs(float(least["value"]) - np.linalg.eigvalsh(gram)[0]) < 1e-12
    assert "(certified)" in run("positive", "relu", "--depth", "2", "--points", str(path), "--eigenvalue")[0]


def test_an_eigenvalue_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*args: object) -> None:
        raise PrecisionError("3 digits", "10 digits", reached=3)

    path = tmp_path / "two.csv"
    path.write_text("1,0\n0,1\n")
    monkeypatch.setattr("analytic_ntk.positivity.min_eigenvalue", fail)
    data = ask("positive", "relu", "--points", str(path), "--eigenvalue", code=3)
    assert data["verdict"] == "strictly positive" and data["min_eigenvalue"] is None
    assert "3 digits" in data["reason"]


def test_eigenvalue_in_float64(tmp_path: Path) -> None:
    """The same number by the other method; decimals that are no binary numbers are refused."""
    X = np.random.default_rng(0).normal(size=(7, 3))
    path = tmp_path / "points.npy"
    np.save(path, X)
    options = ("positive", "relu", "--points", str(path), "--eigenvalue")
    found = [float(ask(*options, "--method", m)["min_eigenvalue"]["value"]) for m in ("balls", "float64")]
    assert found[0] == pytest.approx(found[1], rel=1e-8) and found[0] > 0
    decimals = tmp_path / "decimals.csv"
    decimals.write_text("0.1,1\n0,1\n")
    options = ("positive", "relu", "--points", str(decimals), "--eigenvalue", "--method", "float64")
    assert "1/10" in run(*options, code=2)[1]


def test_many_points_in_float64_are_not_decided_first(tmp_path: Path) -> None:
    """The bounds speak: positive, or silent; equal points are seen."""
    X = np.random.default_rng(0).normal(size=(210, 3))
    path = tmp_path / "points.npy"
    options = ("--points", str(path), "--eigenvalue", "--method", "float64")
    np.save(path, X)
    found = ask("positive", "relu", *options)
    assert (found["verdict"], found["kind"], found["nullity"]) == ("strictly positive", "proved", 0)
    assert "Rump" in found["steps"][0]["reference"]
    silent = ask("positive", "x^2", *options, code=3)
    assert silent["verdict"] == "undecided" and "exact decision" in silent["missing"]
    X[7] = X[3]
    np.save(path, X)
    equal = ask("positive", "relu", *options)
    assert (equal["verdict"], equal["nullity"]) == ("singular", None)
    null = [int(entry) for entry in equal["null_vectors"][0]]
    assert [k for k, entry in enumerate(null) if entry] == [3, 7] and sum(null) == 0


def test_too_many_points_for_balls_are_refused_before_the_decision(tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(401, 2)))
    assert "at most 400" in run("positive", "x^2", "--points", str(path), "--eigenvalue", code=2)[1]


def test_null_vectors_too_long_for_python(tmp_path: Path) -> None:
    """Fractions of more than 4300 digits are written out all the same."""
    path = tmp_path / "many.npy"
    np.save(path, np.random.default_rng(1).normal(size=(56, 2)))
    options = ("positive", "x^9", "--bias-variance", "1", "--points", str(path))
    (vector,) = ask(*options)["null_vectors"]
    assert max(map(len, vector)) > 4300 and all(set(entry) <= set("-/0123456789") for entry in vector)
    assert "a fraction of" in run(*options)[0]


# ------------------------------------------------------------------------------------ files

TENTH = Fraction(1, 10)


def test_points_are_what_the_file_says(tmp_path: Path) -> None:
    """A decimal is a decimal in text, and a binary number in npy."""
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf# x, y\r\n0.1, 1/3\r\n\r\n"-2",1e-3\r\n')
    expected = [[TENTH, Fraction(1, 3)], [Fraction(-2), Fraction(1, 1000)]]
    assert read_points(tmp_path / "a.csv") == expected
    (tmp_path / "a.JSON").write_text('[[0.1, "1/3"], [-2, 1e-3]]')
    assert read_points(tmp_path / "a.JSON") == expected
    np.save(tmp_path / "a.npy", np.array([[0.1, 2.0]]))
    assert read_points(tmp_path / "a.npy") == [[Fraction(0.1), Fraction(2)]] != [[TENTH, Fraction(2)]]
    np.save(tmp_path / "b.npy", np.array([[-(2**63), 2**63 - 1]]))
    assert read_points(tmp_path / "b.npy") == [[Fraction(-(2**63)), Fraction(2**63 - 1)]]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "1,2\n3\n", "line 2 with 1 number"),
        ("a.csv", "", "no points"),
        ("a.csv", "x,y\n1,2\n", "line 1, number 1 = 'x'"),
        ("a.csv", "1,2\n\n3,nan\n", "line 3, number 2 = 'nan'"),
        ("a.csv", "1,inf\n", "'inf'"),
        ("a.csv", "1,True\n", "'True'"),
        ("a.csv", "1,\n", "number 2 = ''"),
        ("a.csv", "1,1/0\n", "'1/0'"),
        ("a.csv", "1,1e999999999\n", "'1e999999999'"),
        ("a.csv", '1,"2\n', "unexpected end"),
        ("a.csv", "pi,1\n", "'pi'"),
        ("a.csv", "__import__('os'),1\n", "__import__"),
        ("a.json", "[[1, NaN]]", "'NaN'"),
        ("a.json", "[[1, Infinity]]", "'Infinity'"),
        ("a.json", "[[1, true]]", "number 2: True"),
        ("a.json", "[[1, null]]", "number 2: None"),
        ("a.json", "[[1, [2]]]", "number 2: "),
        ("a.json", "[1, 2]", "point 1: '1'"),
        ("a.json", '{"a": 1}', "dict"),
        ("a.json", "[]", "no points"),
        ("a.json", "[[]]", "without numbers"),
        ("a.json", "[[1, 2], [3]]", "point 2 with 1 number"),
        ("a.json", "[[1,", "no JSON"),
        ("a.json", "[" * 100_000, "no JSON"),
        ("a.json", "[[1e999999999]]", "'1e999999999'"),
        ("a.json", "[[" + "9" * 5000 + "]]", "5000 characters"),
        ("a.txt", "1,2\n", ".csv, .json, .npy"),
    ],
)  # fmt: skip
def test_files_that_are_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    out, messages = run("positive", "relu", "--points", str(path), code=2)
    assert out == ""
    assert messages.startswith("error: ") and name in messages and "required:" in messages
    assert words in messages


ARRAYS = {
    "NaN": np.array([[1.0, np.nan]]),
    "infinity": np.array([[np.inf, 2]], dtype="f2"),
    "truth values": np.array([[True, False]]),
    "complex": np.array([[1j]]),
    "objects": np.array([[1, "a"]], dtype=object),
    "text": np.array([["1", "2"]]),
    "one axis": np.zeros(3),
    "no rows": np.zeros((0, 2)),
    "no columns": np.zeros((2, 0)),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, ARRAYS[kind], allow_pickle=True)
    with pytest.raises(DomainError, match=r"a\.npy"):
        read_points(path)


def test_broken_arrays_are_refused(tmp_path: Path) -> None:
    """Cut short, of another kind, promising more than is there, or with a damaged head."""
    path = tmp_path / "a.npy"
    np.save(path, np.array([[1.0, 2.0]]))
    whole = path.read_bytes()
    huge = whole.replace(b"(1, 2), }" + b" " * 12, b"(1000000000000, 2), }")
    assert len(huge) == len(whole)
    for content in (b"", whole[:-1], whole[:20], b"\x80\x04]q\x00.", huge):
        path.write_bytes(content)
        with pytest.raises(DomainError, match=r"a\.npy"):
            read_points(path)
    refused = 0
    for content in (whole[:k] + bytes([c]) + whole[k + 1 :] for k in range(6, 60) for c in (0, 40)):
        path.write_bytes(content)
        try:
            read_points(path)  # some damage leaves an array of numbers
        except DomainError:
            refused += 1
    assert refused > 80


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "latin.csv").write_bytes(b"1,\xff\n")
    for name in ("missing.csv", "folder.csv", "pipe.csv", "latin.csv"):
        out, messages = run("positive", "relu", "--points", str(tmp_path / name), code=2)
        assert out == "" and name in messages and "Traceback" not in messages


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tanhh",), "did you mean"),
        (("tanh", "--domain", "sphere", "--dim", "1"), "S^0"),
        (("tanh", "--dim", "0"), "dim = 0"),
        (("tanh", "--depth", "0"), "depth = 0"),
        (("tanh", "--eigenvalue"), "--points"),
        (("tanh", "--points", "a.csv", "--dim", "2"), "--points with --domain or --dim"),
        (("tanh", "--points", "a.csv", "--domain", "sphere"), "--points with --domain or --dim"),
        (("leaky_relu(alpha)",), "alpha"),
        (("tanh", "--bias-variance", "-1"), "bias_variance = -1"),
    ],
)  # fmt: skip
def test_wrong_questions(arguments: Sequence[str], words: str) -> None:
    out, messages = run("positive", *arguments, code=2)
    assert out == ""
    assert messages.startswith("error: ") and words in messages


@pytest.mark.parametrize("arguments", [("--domain", "circle"), ("--dim", "20000"), ("--kernel", "both")])
def test_wrong_usage(arguments: Sequence[str]) -> None:
    assert run("positive", "relu", *arguments, code=2)[0] == ""
