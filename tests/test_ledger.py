"""The ledger: claims are well formed, checks catch planted faults, verdicts say no more than was done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import proofs_check.ledger
from analytic_ntk.errors import PrecisionError, UndecidedError
from proofs_check.claim import (
    Case,
    Claim,
    Fault,
    Finding,
    Hypothesis,
    Method,
    Outcome,
    Part,
    detects,
    run_claim,
    run_part,
    verdict_words,
    weakest,
)
from proofs_check.ledger import claims
from proofs_check.ledger.rank_ntk_eq_monomials import CASES
from proofs_check.verdict import Verdict
from tests.pages import program

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = list(claims().values())
IDS = [claim.name for claim in CLAIMS]
STATISTICAL = ("certified_width_grows_below_square", "lambda_min_grows_with_widths")
"""Laws seen in samples, and said to be no more than that."""


# --------------------------------------------------------------------------------- the claims


def test_claims_are_the_files_of_the_folder() -> None:
    folder = Path(proofs_check.ledger.__file__).parent
    assert IDS == sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    assert len(IDS) >= 27


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_claim_is_well_formed(claim: Claim) -> None:
    assert claim.statement.count("{") == claim.statement.count("}")
    assert claim.statement.count(r"\left(") == claim.statement.count(r"\right)")
    assert claim.hypotheses and claim.title and not claim.title.endswith(".")
    for part in (*claim.parts, *claim.counterexamples):
        assert part.what and part.scope, claim.name
    whats = [part.what for part in claim.parts]
    assert len(set(whats)) == len(whats)
    assert claim.documented.holds or claim.name in STATISTICAL  # none else rests on numbers alone


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_planted_faults_are_refuted(claim: Claim) -> None:
    for fault in claim.faults:
        finding = detects(claim, fault)
        assert finding.verdict is Verdict.REFUTED, f"{fault.what}: {finding.verdict}, {finding.witness}"
        assert finding.witness.startswith("fails: ")


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_hypotheses_are_necessary_where_it_is_said(claim: Claim) -> None:
    for part in claim.counterexamples:
        finding = run_part(part)
        assert finding.as_documented and finding.cases, f"{part.what}: {finding.witness}"


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_exact_parts(claim: Claim) -> None:
    """Symbolic identities and exact arithmetic; the enclosures take longer (see the last test)."""
    for part in claim.parts:
        if part.method in (Method.SYMBOLIC, Method.EXACT) and not part.slow:
            finding = run_part(part)
            assert finding.as_documented, f"{part.what}: {finding.verdict}, {finding.witness}"


def test_the_polynomial_rank_formula_covers_thirty_cases() -> None:
    assert len(set(CASES)) >= 30  # polynomial, depth, d, bias; each is run above


def test_general_statements_are_not_called_proved() -> None:
    """A published theorem checked on cases says so in words."""
    for name in ("ntk_posDef_of_bias", "ntk_posDef_of_nonproportional", "isPolynomial_of_ridge_dependency"):
        claim = claims()[name]
        assert claim.cited
        assert (
            verdict_words(claim.documented, claim.cited) == "enclosed on the cases checked; in general cited"
        )


# --------------------------------------------------------------------------------- the record


def _part(*answers: bool | None, method: Method = Method.EXACT, trivial: bool = False) -> Part:
    def check() -> Iterator[Case]:
        for k, answer in enumerate(answers):
            yield Case(f"case {k}", answer, trivial)

    return Part("a part", method, "nothing", check)


@pytest.mark.parametrize(
    ("answers", "method", "trivial", "verdict", "cases"),
    [
        ((True, True), Method.EXACT, False, Verdict.PROVED, 2),
        ((True, True), Method.SYMBOLIC, False, Verdict.PROVED, 2),
        ((True, True), Method.ENCLOSED, False, Verdict.ENCLOSED, 2),
        ((True, True), Method.NUMERIC, False, Verdict.SUPPORTED, 2),
        ((True, None, True), Method.EXACT, False, Verdict.UNDECIDED, 3),
        ((True, None, False, True), Method.EXACT, False, Verdict.REFUTED, 3),
        ((False,), Method.NUMERIC, False, Verdict.REFUTED, 1),
        ((True, True), Method.EXACT, True, Verdict.UNDECIDED, 0),
        ((), Method.EXACT, False, Verdict.UNDECIDED, 0),
        ((), Method.NUMERIC, False, Verdict.UNDECIDED, 0),
        ((False,), Method.EXACT, True, Verdict.REFUTED, 0),
    ],
)
def test_run_part(
    answers: tuple[bool | None, ...], method: Method, trivial: bool, verdict: Verdict, cases: int
) -> None:
    finding = run_part(_part(*answers, method=method, trivial=trivial))
    assert (finding.verdict, finding.cases) == (verdict, cases)


@pytest.mark.parametrize("error", [UndecidedError("a", "b"), PrecisionError("a", "b")])
def test_giving_up_is_undecided(error: Exception) -> None:
    def check() -> Iterator[Case]:
        yield Case("first", True)
        raise error

    finding = run_part(Part("a part", Method.EXACT, "nothing", check))
    assert finding.verdict is Verdict.UNDECIDED and "after first" in finding.witness


def test_a_fault_of_the_program_is_not_a_verdict() -> None:
    def check() -> Iterator[Case]:
        yield Case("first", True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_part(Part("a part", Method.EXACT, "nothing", check))


def _claim(*parts: Part) -> Claim:
    fault = Fault("a fault", lambda: [Case("it", False)])
    return Claim("a_claim", "a claim", "x", (Hypothesis("h", "h", remark="none"),), parts, (fault,), ("r",))


def test_weakest_needed_part_decides() -> None:
    proved, numeric = _part(True), _part(True, method=Method.NUMERIC)
    helping = Part("help", Method.NUMERIC, "nothing", numeric.check, needed=False)
    assert run_claim(_claim(proved, numeric)).verdict is Verdict.SUPPORTED
    assert run_claim(_claim(proved, helping)).verdict is Verdict.PROVED
    refuted = Part("help", Method.NUMERIC, "nothing", _part(False).check, needed=False)
    outcome = run_claim(_claim(proved, refuted))
    assert outcome.verdict is Verdict.REFUTED and not outcome.as_documented
    assert weakest([Verdict.ENCLOSED, Verdict.PROVED]) is Verdict.ENCLOSED


def test_slow_parts_are_run_on_demand_and_never_needed() -> None:
    ran = []

    def check() -> Iterator[Case]:
        ran.append(1)
        yield Case("it", True)

    slow = Part("slow", Method.EXACT, "nothing", check, needed=False, slow=True)
    claim = _claim(_part(True), slow)
    outcome = run_claim(claim)
    assert outcome.skipped == (slow,) and not ran and len(outcome.findings) == 1
    assert run_claim(claim, slow=True).skipped == () and ran
    with pytest.raises(ValueError, match="cannot be needed"):
        Part("slow", Method.EXACT, "nothing", check, slow=True)


def test_malformed_records_are_refused() -> None:
    with pytest.raises(ValueError, match="either"):
        Hypothesis("h", "h")
    with pytest.raises(ValueError, match="either"):
        Hypothesis("h", "h", _part(True), "a remark")
    with pytest.raises(ValueError, match="required"):
        _claim()
    with pytest.raises(ValueError, match="no name"):
        Claim("a claim", "t", "x", (), (_part(True),), (Fault("f", list),), ("r",))


def test_a_blind_check_is_seen() -> None:
    """A fault that is not refuted is reported as what it is."""
    blind = Fault("not caught", lambda: [Case("it", True)])
    assert detects(_claim(_part(True)), blind).verdict is not Verdict.REFUTED


def test_a_changed_verdict_is_not_as_documented() -> None:
    part = _part(True, method=Method.EXACT)
    assert Finding(part, Verdict.PROVED, 1, "", 0.0).as_documented
    assert not Finding(part, Verdict.UNDECIDED, 1, "", 0.0).as_documented


# --------------------------------------------------------------------------------- the page


def _sections() -> dict[str, str]:
    text = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    _, *blocks = re.split(r"^## ", text, flags=re.MULTILINE)
    return {block.partition("\n")[0]: " ".join(block.split()) for block in blocks}


def test_the_page_is_current() -> None:
    """As a run would write it, but for the cases: those need the run."""
    generator, sections = program("generate_ledger"), _sections()
    assert list(sections) == IDS
    whole = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        findings = tuple(Finding(p, p.method.best, 0, "?", 0.0) for p in claim.parts)
        others = tuple(Finding(p, p.method.best, 0, "?", 0.0) for p in claim.counterexamples)
        outcome = Outcome(claim, findings, others, ())
        assert generator.row(outcome) in whole
        fresh = " ".join(generator.section(outcome).removeprefix("## ").split())
        pattern = re.escape(fresh).replace(
            re.escape("0 cases, the last `?`"), r"\d+ cases?, the last `[^`]*`"
        )
        assert re.fullmatch(pattern, sections[claim.name]), claim.name


@pytest.mark.slow
def test_the_whole_ledger_comes_out_as_on_the_page() -> None:
    generator = program("generate_ledger")
    text = generator.page(generator.outcomes(claims()))
    assert text == (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
