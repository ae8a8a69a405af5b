"""hermite --formula, --recurrence and decay: what is printed against coefficients from the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from analytic_ntk import Activation, activations
from analytic_ntk.errors import UndecidedError
from tests.test_cli import run

n = sp.Symbol("n", integer=True, nonnegative=True)


def ask(*arguments: str, code: int = 0) -> Any:
    out, messages = run(*arguments, "--json", code=code)
    assert messages == ""
    return json.loads(out)


def read(text: str) -> sp.Expr:
    return sp.sympify(text, locals={"n": n})


def gives_the_coefficients(formula: dict[str, Any], phi: Activation, variance: str) -> bool:
    """The printed formula, evaluated at n = 0 .. 9, against the certified table."""
    exceptions = {row["n"]: read(row["value"]) for row in formula["exceptions"]}
    for row in phi.hermite_table(9, 25, variance).rows:
        value = exceptions.get(row.n)
        if value is None:
            value = read(formula["odd" if row.n % 2 else "even"]).subs(n, row.n)
        if abs(sp.N(value, 30) - sp.Rational(row.value.midpoint)) > sp.Rational(1, 10**20):
            return False
    return True


@pytest.mark.parametrize(("text", "variance"), [("relu", "1"), ("gelu", "1/2"), ("erf", "2"), ("exp", "1"), ("step", "1")])  # fmt: skip # noqa: E501
def test_formula_gives_the_coefficients_and_a_wrong_one_does_not(text: str, variance: str) -> None:
    (found,) = ask("hermite", text, "--formula", "--variance", variance)["formulas"]
    assert (found["activation"], found["variance"], found["kind"]) == (text, variance, "exact")
    assert (found["recurrence"], found["missing"]) == (None, [])
    phi = activations.get(text)
    assert gives_the_coefficients(found["formula"], phi, variance)
    for parity in ("even", "odd"):
        if found["formula"][parity] != "0":
            found["formula"][parity] = f"({found['formula'][parity]})*1001/1000"
            assert not gives_the_coefficients(found["formula"], phi, variance)


def test_recurrence_gives_the_coefficients() -> None:
    (found,) = ask("hermite", "elu(1)", "--recurrence")["formulas"]
    assert found["formula"] is None and found["missing"] == []
    steps = [read(text) for text in found["recurrence"]["coefficients"]]
    values = [read(text.replace("Phi(-1)", "erfc(1/sqrt(2))/2")) for text in found["recurrence"]["initial"]]
    while len(values) < 12:
        place = len(values) - len(steps) + 1
        assert place >= found["recurrence"]["from"]
        rest = sum(p.subs(n, place) * values[place + j] for j, p in enumerate(steps[:-1]))
        values.append(-rest / steps[-1].subs(n, place))
    for row in activations.get("elu(1)").hermite_table(11, 25).rows:
        own = sp.N(values[row.n] / sp.sqrt(sp.factorial(row.n)), 30)
        assert abs(own - sp.Rational(row.value.midpoint)) < sp.Rational(1, 10**20)


def test_formulas_of_several_in_words() -> None:
    text = run("hermite", "relu", "leaky_relu(alpha)", "--formula", "--variance", "1", "--variance", "2")[0]
    assert text.count("Hermite coefficients of relu") == 2 and "sqrt(2) Z" in text
    assert "alpha/2 + 1/2" in text and "k!!" in text
    assert "proved by: (n - 1)*c(n) + c(n + 2) = 0 for n >= 2" in text
    latex = run("hermite", "hardtanh", "--formula", "--recurrence", "--format", "latex")[0]
    assert latex.startswith("% hardtanh, variance 1\na_n = \\begin{cases}")
    assert "c_{n+2}" in latex and "% c_0 = 0" in latex


def test_formula_that_does_not_exist() -> None:
    (found,) = ask("hermite", "elu(1)", "--formula", "--recurrence", code=3)["formulas"]
    assert found["formula"] is None and found["recurrence"] is not None
    assert "half-spaces" in found["missing"][0]
    (found,) = ask("hermite", "tanh", "--formula", "--recurrence", code=3)["formulas"]
    assert found["recurrence"] is None and len(found["missing"]) == 1
    assert "not had: a formula" in run("hermite", "relu", "tanh", "--formula", code=3)[0]


def test_the_table_still_has_its_defaults() -> None:
    (table,) = json.loads(run("hermite", "relu", "--json")[0])["tables"]
    assert [row["n"] for row in table["rows"]] == list(range(21))
    assert len(table["rows"][0]["value"]) >= 30


# ------------------------------------------------------------------------------------ decay


def test_decay_of_tanh() -> None:
    data = ask("decay", "tanh", "--order", "100")
    assert data["law"]["kind"] == "predicted"
    assert (data["law"]["odd"]["rate"], data["law"]["odd"]["exponent"]) == ("pi/2", "-1/4")
    assert data["law"]["even"]["formula"] == "zero"
    assert data["comparison"]["quantity"] == "rate"
    assert abs(data["comparison"]["fitted"] - 1.5708) < 0.01
    assert (data["information_exponent"]["order"], data["information_exponent"]["kind"]) == (1, "proved")
    assert data["zeros"] == {
        "proved": [{"n": k, "reason": "parity"} for k in range(0, 101, 2)],
        "undecided": [],
    }
    assert data["missing"] == []


def test_decay_of_polynomials_and_constants() -> None:
    cubic = ask("decay", "x^3 - 3*x", "--order", "8")
    assert cubic["comparison"] is None and cubic["information_exponent"]["order"] == 3
    assert [row["n"] for row in cubic["zeros"]["proved"]] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert cubic["information_exponent"]["value"]["value"].startswith("2.449489742783178")  # sqrt 6
    constant = ask("decay", "5", "--order", "8")["information_exponent"]
    assert constant == {"kind": "proved", "order": None, "value": None, "zeros_below": []}
    at_two = ask("decay", "x^3 - 3*x", "--order", "8", "--variance", "2")
    assert at_two["information_exponent"]["order"] == 1


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_decay_in_words_and_as_picture(ending: str, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"relu.{ending}"
    text, messages = run("decay", "relu", "--order", "60", "--plot", str(path))
    assert messages == f"wrote {path}\n"
    assert path.read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    for words in ("predicted", "n^(-5/4)", "float64 fit", "29 zeros", "proved", "no bound"):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_decay_that_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise UndecidedError("a_1 = 0 to 15 digits", "a decision")

    monkeypatch.setattr("analytic_ntk.Activation.information_exponent", fail)
    assert ask("decay", "gelu", "--order", "8", code=3)["information_exponent"] is None
    assert "not had: information exponent" in run("decay", "gelu", "--order", "8", code=3)[0]


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hermite", "tanhh", "--formula"), "did you mean"),
        (("hermite", "--formula"), "--all"),
        (("hermite", "relu", "--formula", "--order", "3"), "--order with --formula"),
        (("hermite", "relu", "--formula", "--digits", "3"), "--digits with --formula"),
        (("hermite", "relu", "--recurrence", "--from", "0"), "--from with --formula"),
        (("hermite", "relu", "--formula", "--columns", "value"), "--columns with --formula"),
        (("hermite", "relu", "--formula", "--output", "a.json"), "--output with --formula"),
        (("hermite", "relu", "--formula", "--format", "csv"), "csv"),
        (("hermite", "relu", "--formula", "--variance", "0"), "variance = 0"),
        (("hermite", "relu", "--formula", "--variance", "-1"), "variance = -1"),
        (("decay", "tanhh"), "did you mean"),
        (("decay", "relu", "--order", "-1"), "order = -1"),
        (("decay", "relu", "--order", "10001"), "order = 10001"),
        (("decay", "relu", "--variance", "0"), "variance = 0"),
        (("decay", "relu", "--digits", "0"), "digits = 0"),
        (("decay", "leaky_relu(alpha)"), "alpha"),
        (("decay", "relu", "--plot", "a.gif"), ".svg or .png or .pdf"),
    ],
)  # fmt: skip
def test_wrong_questions(arguments: Sequence[str], words: str) -> None:
    out, messages = run(*arguments, code=2)
    assert out == ""
    assert messages.startswith("error: ") and "required:" in messages
    assert words in messages


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.pdf"
    out, messages = run("decay", "relu", "--order", "4", "--plot", str(path), code=4)
    assert out == "" and str(path) in messages
