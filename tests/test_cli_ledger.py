"""``proofs-check list | show | run``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

import proofs_check.ledger
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.cli import app
from proofs_check.ledger import claims

QUICK = "abs_ridge_dependency_on_line"


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})


def test_list_names_every_claim() -> None:
    result = _run("list")
    assert result.exit_code == 0
    for name in claims():
        assert name in result.stdout
    rows = json.loads(_run("list", "--json").stdout)
    assert [row["name"] for row in rows] == list(claims())
    by_name = {row["name"]: row for row in rows}
    assert by_name[QUICK]["whole"] is True and by_name[QUICK]["checked"] == "proved"
    theorem = by_name["ntk_posDef_of_bias"]
    assert theorem["whole"] is False and theorem["cited"] == "Theorem 1" and theorem["checked"] == "enclosed"


@pytest.mark.parametrize("name", list(claims()))
def test_show(name: str) -> None:
    result = _run("show", name)
    assert result.exit_code == 0
    for heading in ("Hypotheses", "Parts", "Planted faults", "References"):
        assert heading in result.stdout
    data = json.loads(_run("show", name, "--json").stdout)
    assert data["name"] == name and data["parts"] and data["references"] and data["hypotheses"]


def test_run_prints_part_by_part() -> None:
    result = _run("run", QUICK, QUICK)
    assert result.exit_code == 0
    assert result.stdout.count(f"{QUICK}: proved\n") == 1
    assert "|t| is no polynomial" in result.stdout and "(without: one dimension)" in result.stdout
    assert "1 of 1 claims as documented; parts: 5 proved, 0 enclosed" in result.stdout
    assert result.stderr == ""


def test_run_json() -> None:
    result = _run("run", "hadamard_posDef", QUICK, "--json")
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)
    assert first["name"] == "hadamard_posDef" and second["name"] == QUICK
    assert first["words"] == "proved on the cases checked; in general cited" and first["as_documented"]
    assert all(part["cases"] > 0 and part["seconds"] >= 0 and part["witness"] for part in first["parts"])


@pytest.mark.parametrize("command", ["show", "run"])
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ker_ntk", "ker_ntk_eq_ker_nngp"), ("NTK_POSDEF_OF_BIAS", "ntk_posDef_of_bias"),
        ("gershgorin", "lambda_min_ge_gershgorin_tail"),
        ("zzz", "proofs-check list"), ("", "proofs-check list"), ("../claim", "proofs-check list"),
    ],
)  # fmt: skip
def test_unknown_names(command: str, name: str, near: str) -> None:
    result = _run(command, name)
    assert result.exit_code == 2 and result.stdout == ""
    assert near in result.stderr and "Traceback" not in result.stderr


def _claim(method: Method, *answers: bool | None) -> Claim:
    def check() -> Iterator[Case]:
        for k, answer in enumerate(answers):
            yield Case(f"case {k}", answer)

    fault = Fault("a fault", lambda: [Case("it", False)])
    return Claim(
        "a_claim",
        "a claim",
        "x",
        (Hypothesis("h", "h", remark="none"),),
        (Part("it", method, "here", check),),
        (fault,),
        ("r",),
    )


@pytest.mark.parametrize(
    ("method", "answers", "code", "word", "established"),
    [
        (Method.EXACT, (True,), 0, "proved", True),
        (Method.NUMERIC, (True,), 0, "supported", False),
        (Method.EXACT, (True, None), 3, "undecided", False),
        (Method.EXACT, (True, False), 3, "refuted", False),
        (Method.EXACT, (), 3, "undecided", False),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    method: Method,
    answers: tuple[bool | None, ...],
    code: int,
    word: str,
    established: bool,
) -> None:
    monkeypatch.setattr(proofs_check.ledger, "claims", lambda: {"a_claim": _claim(method, *answers)})
    result = _run("run")
    assert result.exit_code == code and f"a_claim: {word}" in result.stdout
    assert ("NOT AS DOCUMENTED" in result.stdout) is (code == 3)
    assert "passed" not in result.stdout
    (row,) = json.loads(_run("run", "--json").stdout)
    assert (
        row["verdict"] == word and row["established"] is established and row["as_documented"] is (code == 0)
    )
    if word == "supported":
        assert "1 supported" in result.stdout and "0 proved, 0 enclosed" in result.stdout


def test_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> Iterator[Case]:
        yield Case("first", True)
        raise KeyboardInterrupt

    claim = _claim(Method.EXACT, True)
    stopped = Claim(**{**vars(claim), "parts": (Part("it", Method.EXACT, "here", check),)})
    monkeypatch.setattr(proofs_check.ledger, "claims", lambda: {"a_claim": stopped})
    result = _run("run")
    assert result.exit_code == 130 and "interrupted" in result.stderr
