"""What is asked wrongly, what is cut short, how answers look, and the command."""

from __future__ import annotations

import io
import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Nonlinearity, Residual
from proofs_check import conjecture, verify_file
from proofs_check.cli import app
from proofs_check.conjectures.answer import Box
from proofs_check.replay.conjectures.rules import Judge
from proofs_check.verdict import Verdict

# ---------------------------------------------------------------------------------- wrong questions

WRONG = [
    ("foo(rho) > 0 for rho in [0, 1]", "'foo'", "nngp, ntk, kappa"),
    ("nngp(rho) > 0", "without its range", "for rho in"),
    ("nngp(rho) = 0 for rho in [0, 1]", "'='", "=="),
    ("nngp(rho) > 0 for rho in [1, 0]", "empty", "in order"),
    ("nngp(rho) > 0 for rho in (1/2, 1/2]", "empty", "in order"),
    ("nngp(rho) > 0 for rho in [-2, 1]", "[-2, 1]", "inside [-1, 1]"),
    ("nngp(rho) > 0 for rho in [0, sqrt(2)/2]", "no rational", "rational end"),
    ("a(n) > 0 for n in -3..4", "-3..4", "0 <= first"),
    ("a(n) > 0 for n in 5..4", "5..4", "first <= last"),
    ("a(n) > 0 for n in 0..9 step 0", "step 0", "step >= 1"),
    ("a(n) > 0 for n in 0..999999", "999999", "<= 2000"),
    ("a(n - 3) > 0 for n in 0..9", "-3", "order"),
    ("a(n/2) > 0 for n in 0..9", "no integer", "integers"),
    ("a(n) > 0 for rho in [0, 1]", "n without its range", "for n in"),
    ("mu(ntk, 2, 1) > 0", "1 as the dimension", "2 to"),
    ("mu(ntk, 999, 3) > 0", "999", "0 to 200"),
    ("lambda_min(ntk, X) > 0", "without points", "X"),
    ("nngp is nice on [0, 1]", "'nice'", "convex"),
    ("nngp is convex", "without its range", "for rho in [-1, 1]"),
    ("nngp(1 + rho^2) > 0 for rho in [-1, 1]", "outside [-1, 1]", "correlations"),
    ("nngp(2*rho) == nngp(2*rho) for rho in [-1, 1]", "outside [-1, 1]", "correlations"),
    ("nngp(2) - nngp(2) == 0", "outside [-1, 1]", "correlations"),
    ("nngp(rho > 0 for rho in [0, 1]", "'>'", ")"),
    ("nngp'''''(rho) > 0 for rho in [0, 1]", "5 primes", "4"),
    ("2^99999999 > 1", "exponent", "1000"),
    ("nngp(rho) > 0 for rho in [0, 9^99999]", "power", "modest"),
    ("nngp(rho) > 0 for rho in [0, " + "*".join(["9^999"] * 20) + "]", "bits", "modest"),
    ("1/0 > 1", "division by 0", "modest"),
    ("nngp(rho)/(1 - 1) > 1 for rho in [0, 1]", "division by 0", "modest"),
    ("rho^rho >= 0 for rho in [0, 1]", "exponent", "numbers and n"),
    ("__import__('os')", "'__import__'", "nngp"),
    ("", "the end", "nngp"),
    ("(" * 100_000, "100000 characters", "2000"),
    ("(" * 300 + "1" + ")" * 60 + " > 0", "deep nesting", "40"),
    ("-" * 390 + "1 > 0", "deep nesting", "40"),
    ("1+" * 900 + "1 > 0", "long statement", "400"),
    ("9" * 100 + " > 0", "100 characters", "60"),
    ("x" * 10**6, "1000000 characters", "2000"),
]


@pytest.mark.parametrize(("text", "given", "required"), WRONG)
def test_wrong_statements_are_refused_at_once(text: str, given: str, required: str) -> None:
    began = time.monotonic()
    with pytest.raises(DomainError) as caught:
        conjecture(text, "relu")
    assert given in str(caught.value) and required in str(caught.value)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"activation": "nosuch"}, {"activation": 3}, {"activation": "relu", "depth": 0},
        {"activation": "relu", "depth": True}, {"activation": "relu", "weight_variance": 0.5},
        {"activation": "relu", "weight_variance": 0}, {"activation": "relu", "bias_variance": -1},
        {"activation": "tanh", "weight_variance": "1e1500"}, {"activation": "relu", "bias_variance": "1e200"},
        {"activation": "tanh", "weight_variance": "1e-1500"}, {"activation": "relu", "seconds": 0},
        {"activation": "relu", "seconds": float("nan")},
        {"activation": "relu", "boxes": 0}, {"activation": "relu", "boxes": 2.5},
        {"activation": "relu", "X": [[1]]},
        {"activation": "exp(x^2)"}, {"activation": "alpha*x"}, {"activation": "relu", "depth": 1000},
        {"activation": Network.mlp(activations.relu, 1, 1, 0), "depth": 2},
        {"activation": Network(Dense(1, 0), Residual(Nonlinearity(activations.relu), Dense(1, 0)))},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(DomainError):
        conjecture("nngp(rho) >= 0 for rho in [0, 1]", **arguments)


@pytest.mark.parametrize("X", [[[1, 0], [1]], [[float("nan")]], [], 3])
def test_wrong_points_are_refused(X: Any) -> None:
    with pytest.raises(DomainError):
        conjecture("lambda_min(ntk, X) > 0", "relu", X=X)


def test_text_that_is_not_text() -> None:
    with pytest.raises(DomainError, match="statement in text"):
        conjecture(3, "relu")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- what is not known


UNKNOWN: list[tuple[str, str]] = [
    ("nngp(rho)/rho >= 0 for rho in [-1, 1]", "tanh"),  # not defined at 0
    ("ntk''(rho) > 0 for rho in (1/2, 1]", "relu"),  # infinite at 1
    ("1/(rho - 1/3)^2 > 0 for rho in (-1, 1)", "relu"),  # not defined at 1/3
    ("ntk'(1) == ntk'(1)", "relu"),  # infinite
    ("0*ntk'(1) == 0", "relu"),
    ("log(rho^2) < 1 for rho in [-1, 1]", "relu"),
    ("|rho - 1/2| is concave on [0, 1]", "relu"),  # false: straight on both sides of a kink
    ("acos(1 - rho^2) - 10*rho^2 is concave on [-1/2, 1/2]", "relu"),  # false: the same
    ("acos(rho) >= sqrt(1 - rho^2) for rho in [-1, 1]", "relu"),  # true; of order 3/2 at rho = 1
]


@pytest.mark.parametrize(("text", "activation"), UNKNOWN)
def test_what_is_not_defined_or_not_shown_is_undecided(text: str, activation: str) -> None:
    answer = conjecture(text, activation, boxes=300)
    assert answer.verdict is Verdict.UNDECIDED and answer.certificate is None and answer.reason
    assert "UNDECIDED" in str(answer) and "✓" not in answer._repr_html_()


def test_a_spent_budget_says_what_is_left() -> None:
    text = "kappa(rho) > 1/3 + (rho - 1/2)*kappa'(1/2) - 3/100 for rho in [-1, 1]"
    full = conjecture(text, "relu")
    assert full.verdict is Verdict.PROVED and full.boxes > 2
    cut = conjecture(text, "relu", boxes=1)
    assert cut.verdict is Verdict.UNDECIDED and cut.left and "budget" in cut.reason
    none = conjecture(text, "relu", seconds=1e-9)
    assert none.verdict is Verdict.UNDECIDED and sum(high - low for low, high in none.left) == 2


def test_an_interrupt_returns_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    on_box, calls = Judge.on_box, []

    def interrupted(judge: Judge, box: Box) -> Any:
        calls.append(box)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return on_box(judge, box)

    monkeypatch.setattr(Judge, "on_box", interrupted)
    answer = conjecture("kappa(rho) > 3/10 + (rho - 1/2)/3 - 1/50 for rho in [-1, 1]", "relu")
    assert answer.verdict is Verdict.UNDECIDED and "stopped" in answer.reason
    covered = sum(high - low for low, high in answer.left)
    assert 0 < covered <= 2


# ---------------------------------------------------------------------------------- answers


def test_every_way_to_name_the_network_is_the_same() -> None:
    text = "ntk(rho) >= nngp(rho) for rho in [0, 1]"
    asked = ["erf(x)", activations.erf, Activation.parse("erf(x)")]
    found = [conjecture(text, phi, weight_variance=2).certificate for phi in asked]
    found.append(conjecture(text, Network.mlp(activations.erf, 1, 2, 0)).certificate)
    assert found[0] is not None and all(c == found[0] for c in found)


def test_answers_are_shown_saved_and_written_as_data(tmp_path: Path) -> None:
    answer = conjecture("ntk(rho) >= 0 for rho in [-1, 1]", "relu")
    assert str(answer).startswith("REFUTED") and "witness" in str(answer)
    assert "<caption>✗ refuted</caption>" in answer._repr_html_()
    data = json.loads(json.dumps(answer.as_json()))
    assert data["verdict"] == "refuted" and Fraction(data["witness"]["difference"][1]) < 0
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(answer)
    assert "refuted" in console.export_text()
    assert verify_file(answer.save(tmp_path / "c.json")).accepted
    with pytest.raises(UndecidedError, match="no certificate"):
        conjecture("nngp(rho)/rho > 0 for rho in [-1, 1]", "tanh").save(tmp_path / "d.json")
    with pytest.raises(AttributeError):
        answer.verdict = Verdict.PROVED  # type: ignore[misc]


# ---------------------------------------------------------------------------------- the command


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["conjecture", *arguments])
    return result.exit_code, result.output


def test_exit_codes(tmp_path: Path) -> None:
    text = "kappa(rho) >= rho^2 * kappa(1) for rho in "
    target = tmp_path / "c.json"
    code, out = run(text + "[0, 1]", "--activation", "relu", "--certificate", str(target))
    assert code == 0 and out.startswith("PROVED") and verify_file(target).accepted
    code, out = run(text + "[-1, 1]", "--activation", "relu", "--json")
    assert code == 3 and json.loads(out)["verdict"] == "refuted"
    code, out = run("nngp(rho)/rho > 0 for rho in [-1, 1]", "--activation", "tanh")
    assert code == 5 and out.startswith("UNDECIDED") and "PROVED" not in out
    assert run("foo > 1", "--activation", "tanh")[0] == 2
    assert run("1 > 0", "--activation", "tanh", "--depth", "0")[0] == 2
    assert (
        run(text + "[0, 1]", "--activation", "relu", "--certificate", str(tmp_path / "no" / "c.json"))[0] == 4
    )


def test_points_from_json_and_from_files(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("1,0\n0,1\n1,1\n")
    text = "lambda_min(ntk, X) > 1/1000"
    for given in (str(path), "[[1,0],[0,1],[1,1]]", '[["1",0],[0,1.0],[1,"2/2"]]'):
        code, out = run(text, "--activation", "relu", "--depth", "2", "--x", given)
        assert code == 0, out
    for wrong in ("[[1,0],[0", "[[1,0],[0]]", str(tmp_path / "none.csv"), "[" * 5000, "[[NaN]]"):
        assert run(text, "--activation", "relu", "--x", wrong)[0] == 2
