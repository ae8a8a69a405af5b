"""The laws, run on activations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytic_ntk.cli.answers import require_ending, write_file
from analytic_ntk.cli.app import INTERRUPTED, JSON, AnswerConsole, activation, answering, app, counted

if TYPE_CHECKING:
    from analytic_ntk.laws import Law, Summary

FAILED = 1
ENDINGS = (".json", ".xml")


class ProfileName(str, Enum):
    """How hard to try."""

    quick = "quick"
    ci = "ci"
    deep = "deep"


@app.command()
def laws(
    acts: Annotated[
        list[str] | None, typer.Argument(metavar="ACT", help="Names or formulas; none: the catalogue.")
    ] = None,
    more: Annotated[
        list[str] | None, typer.Option("--activation", help="The same as an argument; may be repeated.")
    ] = None,
    profile: Annotated[ProfileName, typer.Option(help="Seconds, a minute, a quarter of an hour.")] = (
        ProfileName.quick
    ),
    seed: Annotated[int, typer.Option(help="Of the cases drawn.", min=0)] = 0,
    law: Annotated[list[str] | None, typer.Option(help="Only this law; may be repeated.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write JSON (.json) or JUnit (.xml) to this file, too.")
    ] = None,
    failures: Annotated[Path, typer.Option(help="The folder where failing cases are saved.")] = Path(".laws"),
    listed: Annotated[bool, typer.Option("--list", help="The laws, instead.")] = False,
    as_json: JSON = False,
) -> None:
    """Test activations against the laws that all kernels obey; exit code 1 if one fails."""
    with answering():
        from analytic_ntk import activations
        from analytic_ntk.laws import LAWS, check, find

        console = AnswerConsole()
        chosen = [find(name) for name in dict.fromkeys(law)] if law else list(LAWS)
        if listed:
            if as_json:
                print(json.dumps([_law(one) for one in chosen], indent=2))
            else:
                _show(chosen, console)
            return
        require_ending(report, ENDINGS)
        given = [*(acts or ()), *(more or ())] or list(activations.all_activations())
        subjects = [activation(text) for text in given] if acts or more else [
            activations.all_activations()[name] for name in given
        ]  # fmt: skip
        for phi in subjects:
            phi.require_numeric()
        found: list[Summary] = []
        reason = ""
        with counted() as progress:
            for index, phi in enumerate(subjects):
                tell = _told(progress, f"{phi}", index * len(chosen), len(subjects) * len(chosen))
                found.append(check(phi, profile.value, seed, chosen, failures, tell))
                if found[-1].interrupted:
                    reason = f"interrupted; activations not begun: {len(subjects) - index - 1}"
                    break
        if as_json:
            print(_json(found), end="")
        else:
            _tables(found, len(subjects), console)
        if report is not None:
            write_file(report, _document(report, found).encode())
        if reason:
            print(reason, file=sys.stderr)
            raise typer.Exit(INTERRUPTED)
        if not all(found):
            raise typer.Exit(FAILED)


def _told(
    progress: Callable[[int, int, str], None], subject: str, start: int, total: int
) -> Callable[[int, int, str], None]:
    return lambda done, _, name: progress(start + done, total, f"{subject}: {name}")


def _document(path: Path, found: list[Summary]) -> str:
    from analytic_ntk.laws import junit

    if path.suffix.lower() == ".xml":
        return junit(found)
    return _json(found)


def _json(found: list[Summary]) -> str:
    return json.dumps([summary.to_json() for summary in found], indent=2) + "\n"


def _tables(found: list[Summary], asked: int, console: AnswerConsole) -> None:
    for number, summary in enumerate(found):
        if number:
            console.print()
        console.print(summary)
    if len(found) > 1:
        passed = sum(summary.passed for summary in found)
        console.print(f"\n{passed} of {asked} activations pass")


def _law(law: Law) -> dict[str, str | float]:
    return {
        "name": law.name,
        "kind": law.kind.value,
        "statement": law.statement,
        "smallest_fault": law.smallest_fault,
    }


def _show(chosen: list[Law], console: AnswerConsole) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for law in chosen:
        console.print(Text.assemble((law.name, "bold"), f"  {law.kind.value}"))
        console.print(Padding(Text(law.statement), (0, 0, 0, 2)))
        console.print(Padding(Text(f"smallest fault found: {law.smallest_fault:.0e}", "dim"), (0, 0, 0, 2)))
