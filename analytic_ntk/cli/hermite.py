"""Tables of Hermite coefficients."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytic_ntk.cli.app import (
    INCOMPLETE,
    JSON,
    AnswerConsole,
    activation,
    answering,
    app,
    counted,
    stages,
)
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    from analytic_ntk.activation import Activation
    from analytic_ntk.tables import HermiteTables


class Format(str, Enum):
    """How a table is printed or written."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"
    parquet = "parquet"


PRINTED = "value,kind"
"""The columns of a table on the terminal, where no others are asked for: what fits in 80 characters."""


@app.command()
def hermite(
    acts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACT]...", help="Names (see: activations), or formulas in x."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The whole catalogue instead.")] = False,
    order: Annotated[int | None, typer.Option(help="The last coefficient.", show_default="20")] = None,
    first: Annotated[
        int | None, typer.Option("--from", help="The first one shown.", show_default="0")
    ] = None,
    digits: Annotated[int | None, typer.Option(help="Certain decimal digits.", show_default="30")] = None,
    variance: Annotated[
        list[str] | None,
        typer.Option(help="Coefficients of phi(sqrt(variance) z); may be repeated.", show_default="1"),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Some of value, radius, kind, expression, square, cumulative, share, derivative, predicted, "
            "envelope; "
            "separated by commas."
        ),
    ] = None,
    style: Annotated[
        Format | None, typer.Option("--format", help="Without it: as the output ends, else table.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; stopped and started again, it goes on.")
    ] = None,
    formula: Annotated[
        bool, typer.Option("--formula", help="a_n for all n, proved; exit code 3 if there is none.")
    ] = False,
    recurrence: Annotated[
        bool, typer.Option("--recurrence", help="The recurrence in n and its initial values, likewise.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Hermite coefficients, each exact or certified, and how much of E phi^2 they carry; or formulas in n."""
    with answering():
        if formula or recurrence:
            for name, value in (
                ("--order", order),
                ("--from", first),
                ("--digits", digits),
                ("--columns", columns),
                ("--output", output),
            ):
                if value is not None:
                    raise DomainError(f"{name} with --formula or --recurrence", "one or the other")
            chosen = "json" if as_json else style.value if style else "table"
            _formulas(_activations(acts or [], every), variance or ["1"], formula, recurrence, chosen)
            return
        from analytic_ntk import tables
        from analytic_ntk.tables.columns import DEFAULT
        from analytic_ntk.tables.files import ENDINGS

        ending = ENDINGS.get(output.suffix.lower(), "table") if output else "table"
        chosen = "json" if as_json else style.value if style else ending
        if chosen == "parquet" and output is None:
            raise DomainError("parquet on the terminal", "a file", "add --output FILE")
        names = (PRINTED if chosen == "table" else ",".join(DEFAULT)) if columns is None else columns
        question = (
            _activations(acts or [], every),
            variance or ["1"],
            20 if order is None else order,
            0 if first is None else first,
            30 if digits is None else digits,
            [name.strip() for name in names.split(",")],
        )
        with counted() as progress:
            if output is not None:
                found = tables.compute_into(output, *question, chosen, progress)
            else:
                found = tables.compute(*question, progress)
        if output is None:
            _print(found, chosen)
        for missing in found.missing:
            print(
                f"not had: {missing.activation} at variance {missing.variance}: {missing.reason}",
                file=sys.stderr,
            )
        if found.missing:
            raise typer.Exit(INCOMPLETE)


def _activations(acts: list[str], every: bool) -> list[Activation]:
    if every == bool(acts):
        raise DomainError("the activations", "names or formulas, or else --all")
    if not every:
        return [activation(text) for text in acts]
    from analytic_ntk.activations import all_activations

    return list(all_activations().values())


def _formulas(
    acts: list[Activation], variances: list[str], formula: bool, recurrence: bool, style: str
) -> None:
    from analytic_ntk.cli.hermite_formula import STYLES, formulas, print_formulas

    if style not in STYLES:
        raise DomainError(f"formulas in the format {style}", ", ".join(STYLES))
    with stages() as progress:
        found = []
        for phi in acts:
            progress(str(phi))
            found += formulas(phi, variances, formula, recurrence)
    print_formulas(found, style)
    if any(one.reasons for one in found):
        raise typer.Exit(INCOMPLETE)


def _print(found: HermiteTables, style: str) -> None:
    from analytic_ntk.report.terminal import show_section
    from analytic_ntk.tables.files import FORMATS
    from analytic_ntk.tables.shown import sections

    if style != "table":
        sys.stdout.write(FORMATS[style](found))
        return
    console = AnswerConsole()
    for index, section in enumerate(sections(found)):
        if index:
            console.print()
        show_section(section, console)
