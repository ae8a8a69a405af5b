"""The ledger on the command line: ``list``, ``show NAME``, ``run [NAME...]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from proofs_check.claim import Claim, Finding, Outcome, Part

NOT_AS_DOCUMENTED = 3

JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NEAR = 3
"""Names offered in place of one that is not there."""


def attach(app: typer.Typer) -> None:
    """Add the commands of the ledger to a program."""
    app.command("list")(list_claims)
    app.command("show")(show_claim)
    app.command("run")(run_claims)


def list_claims(as_json: JSON = False) -> None:
    """The claims, each with its documented verdict on the cases checked; computes nothing."""
    from analytic_ntk.cli.app import AnswerConsole, answering, print_json
    from proofs_check.ledger import claims

    with answering():
        if as_json:
            print_json([_summary(claim) for claim in claims().values()])
            return
        console = AnswerConsole()
        table = _table("claim", "documented", "in general")
        for claim in claims().values():
            table.add_row(_name(claim), claim.documented.value, "cited" if claim.cited else "the same")
        console.print(table)


def show_claim(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See: list.")], as_json: JSON = False
) -> None:
    """A claim: its statement in LaTeX, hypotheses, parts, references; computes nothing."""
    from rich.text import Text

    from analytic_ntk.cli.app import AnswerConsole, answering, print_json

    with answering():
        (claim,) = chosen([name])
        if as_json:
            print_json(_summary(claim) | _details(claim))
            return
        console = AnswerConsole()
        console.print(Text(claim.name, style="bold"))
        for line in (claim.title, claim.statement):
            _indented(console, line)
        _indented(console, f"in general: {claim.cited}" if claim.cited else "the parts cover it whole")
        console.print(Text("Hypotheses", style="bold"))
        for h in claim.hypotheses:
            _indented(console, f"{h.name}: {h.text}")
            if h.dropped is None:
                _indented(console, f"no counterexample: {h.remark}", 4)
            else:
                _indented(console, f"without it: {_described(h.dropped)}", 4)
        console.print(Text("Parts", style="bold"))
        for part in claim.parts:
            _indented(console, _described(part))
            _indented(console, f"over: {part.scope}", 4)
        console.print(Text("Planted faults that the parts refute", style="bold"))
        for fault in claim.faults:
            _indented(console, fault.what)
        console.print(Text("References", style="bold"))
        for reference in claim.references:
            _indented(console, reference)


def run_claims(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="See: list; default: all.")
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="The slow parts too (minutes).")] = False,
    as_json: JSON = False,
) -> None:
    """Check claims, part by part. Exit code 3 unless every part comes out as documented."""
    from analytic_ntk.cli.app import AnswerConsole, answering, counted, print_json
    from proofs_check.claim import Case, run_claim

    with answering():
        asked = chosen(names or [])
        total = sum(
            1 for claim in asked for part in (*claim.parts, *claim.counterexamples) if slow or not part.slow
        )
        outcomes: list[Outcome] = []
        begun: list[Part] = []
        with counted() as progress:
            for claim in asked:

                def seen(part: Part, case: Case, name: str = claim.name) -> None:
                    if not begun or begun[-1] is not part:
                        begun.append(part)
                    progress(len(begun) - 1, total, f"{name}: {case.what}")

                outcomes.append(run_claim(claim, slow, seen))
                if not as_json:
                    _show_outcome(outcomes[-1], AnswerConsole())
        if as_json:
            print_json([_outcome_json(outcome) for outcome in outcomes])
        else:
            print(_total(outcomes))
        if not all(outcome.as_documented for outcome in outcomes):
            raise typer.Exit(NOT_AS_DOCUMENTED)


def chosen(names: list[str]) -> list[Claim]:
    """The claims of these names, each once; all if there are none. Raises ``DomainError`` for another name,
    with those that look like it."""
    from difflib import get_close_matches

    from analytic_ntk.errors import DomainError
    from proofs_check.ledger import claims

    known = claims()
    for name in names:
        if name not in known:
            lower = {other.lower(): other for other in known}
            near = [lower[n] for n in get_close_matches(name.lower(), lower, NEAR, 0.5)]
            near = near or [other for other in known if name and name.lower() in other.lower()][:NEAR]
            raise DomainError(
                f"the claim {name[:60]!r}",
                "a name of the ledger",
                f"did you mean {' or '.join(near)}?" if near else "see: proofs-check list",
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


# ------------------------------------------------------------------------------------ how it is shown


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _name(claim: Claim) -> Any:
    from rich.text import Text

    return Text.assemble((claim.name, "bold"), "\n", claim.title)


def _indented(console: Console, text: str, by: int = 2) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, by), expand=False))


def _described(part: Part) -> str:
    marks = [part.method.value, f"documented: {part.method.best.value}"]
    marks += [] if part.needed else ["not needed for the verdict"]
    marks += ["slow"] if part.slow else []
    return f"{part.what} [{', '.join(marks)}]"


def _show_outcome(outcome: Outcome, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    mark = "" if outcome.as_documented else "  NOT AS DOCUMENTED"
    console.print(Text(f"{outcome.claim.name}: {outcome.words}{mark}", style="bold"))
    table = _table("verdict", "cases", "seconds", "part")
    for finding in outcome.findings:
        table.add_row(*_cells(finding, finding.part.what))
    for h in outcome.claim.hypotheses:
        for finding in outcome.counterexamples:
            if finding.part is h.dropped:
                table.add_row(*_cells(finding, f"{finding.part.what} (without: {h.name})"))
    for part in outcome.skipped:
        table.add_row("not run", "", "", f"{part.what} (slow)")
    console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _cells(finding: Finding, what: str) -> tuple[Any, ...]:
    from rich.text import Text

    text = what if finding.as_documented else f"{what}: {finding.witness}"
    return finding.verdict.value, str(finding.cases), f"{finding.seconds:.1f}", Text(text, overflow="fold")


def _total(outcomes: list[Outcome]) -> str:
    """The last line: only what is proved or enclosed counts as established."""
    from proofs_check.verdict import Verdict

    findings = [f for o in outcomes for f in (*o.findings, *o.counterexamples)]
    count = {v: sum(1 for f in findings if f.verdict is v) for v in Verdict}
    good = sum(1 for o in outcomes if o.as_documented)
    parts = [f"{count[v]} {v.value}" for v in Verdict if v.holds or count[v]]
    skipped = sum(len(o.skipped) for o in outcomes)
    tail = f"; {skipped} slow parts not run (--slow)" if skipped else ""
    return f"{good} of {len(outcomes)} claims as documented; parts: {', '.join(parts)}{tail}"


# ------------------------------------------------------------------------------------ JSON


def _summary(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.name,
        "title": claim.title,
        "statement": claim.statement,
        "checked": claim.documented.value,
        "whole": not claim.cited,
        "cited": claim.cited or None,
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "what": part.what,
        "method": part.method.value,
        "scope": part.scope,
        "needed": part.needed,
        "slow": part.slow,
        "documented": part.method.best.value,
    }


def _details(claim: Claim) -> dict[str, Any]:
    return {
        "hypotheses": [
            {
                "name": h.name,
                "text": h.text,
                "counterexample": None if h.dropped is None else _part_json(h.dropped),
                "remark": h.remark or None,
            }
            for h in claim.hypotheses
        ],
        "parts": [_part_json(part) for part in claim.parts],
        "faults": [fault.what for fault in claim.faults],
        "references": list(claim.references),
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return _part_json(finding.part) | {
        "verdict": finding.verdict.value,
        "established": finding.verdict.holds,
        "cases": finding.cases,
        "witness": finding.witness,
        "seconds": round(finding.seconds, 3),
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return _summary(outcome.claim) | {
        "verdict": outcome.verdict.value,
        "words": outcome.words,
        "established": outcome.verdict.holds,
        "as_documented": outcome.as_documented,
        "parts": [_finding_json(f) for f in outcome.findings],
        "counterexamples": [_finding_json(f) for f in outcome.counterexamples],
        "not_run": [part.what for part in outcome.skipped],
    }
