"""Lower bounds of the smallest eigenvalue beside the eigenvalue itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import Kernel, require_ending, value_json, write_file
from analytic_ntk.cli.app import BIAS, JSON, AnswerConsole, activation, answering, app, counted, print_json

if TYPE_CHECKING:
    from analytic_ntk.bounds import Comparison, Comparisons, LowerBound


@app.command()
def bounds(
    acts: Annotated[list[str], typer.Argument(metavar="ACT...", help="Names, or formulas in x.")],
    depth: Annotated[list[int] | None, typer.Option(help="May be repeated.", show_default="1")] = None,
    dim: Annotated[list[int] | None, typer.Option(help="May be repeated.", show_default="3")] = None,
    count: Annotated[
        list[int] | None, typer.Option(help="Of points; may be repeated.", show_default="4, 8, 16")
    ] = None,
    weight_variance: Annotated[str, typer.Option(help="An exact number, such as 2 or 3/2.")] = "2",
    bias_variance: BIAS = "0",
    kernel: Annotated[Kernel, typer.Option(help="Which kernel.")] = Kernel.ntk,
    order: Annotated[int, typer.Option(help="Of the power series.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the points.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Also write the table: .csv or .tex.")] = None,
    as_json: JSON = False,
) -> None:
    """The smallest eigenvalue at points of a sphere, and what three lower bounds see of it."""
    with answering():
        from analytic_ntk.bounds import compare

        require_ending(output, (".csv", ".tex"))
        with counted() as bar:
            found = compare(
                [activation(act) for act in acts], depth or (1,), dim or (3,), count or (4, 8, 16),
                kernel.value, weight_variance, bias_variance, order, seed, bar,
            )  # fmt: skip
        if output is not None:
            text = found.csv() if output.suffix.lower() == ".csv" else found.latex()
            write_file(output, text.encode())
        if as_json:
            print_json([_json(record) for record in found])
        else:
            _show(found, weight_variance, bias_variance)


def _show(found: Comparisons, weight: str, bias: str) -> None:
    """A section for each activation and dimension."""
    from analytic_ntk.report.sections import Section, Table
    from analytic_ntk.report.terminal import show_section

    columns = ("depth", "N", "least", "gershgorin", "khatri-rao", "separation", "seen")
    notes = (
        f"weight variance {weight}, bias variance {bias}; N points of the unit sphere, inputs <x,y>",
        "all certified; bounds rounded down, in brackets the power that attains them",
        "seen: the best bound over the eigenvalue",
    )
    tables: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
    for record in found:
        (name, depth, kernel, dim, count, _, truth, *shown, ratio) = record.cells()
        pairs = [f"{value} ({power})" for value, power in zip(shown[::2], shown[1::2], strict=True)]
        tables.setdefault((kernel, name, dim), []).append((depth, count, truth, *pairs, ratio))
    for (kernel, name, dim), rows in tables.items():
        title = f"{kernel.upper()} of {name}, d = {dim}: the smallest eigenvalue and its bounds"
        show_section(Section(title, notes, table=Table(columns, tuple(rows))), AnswerConsole())


def _json(record: Comparison) -> dict[str, Any]:
    def bound(found: LowerBound) -> dict[str, Any]:
        return {"value": str(found.value), "float": float(found.value), "power": found.power}

    return {
        "activation": record.activation, "depth": record.depth, "kernel": record.kernel,
        "dim": record.dim, "count": record.count, "kind": "certified",
        "separation": value_json(record.separation, 10), "lambda_min": value_json(record.truth, 3),
        "gershgorin": bound(record.gershgorin), "khatri_rao": bound(record.khatri_rao),
        "by_separation": bound(record.by_separation), "seen": float(record.ratio),
    }  # fmt: skip
