"""Values and formulas of the kernels."""

from __future__ import annotations

from typing import Annotated

import typer

from analytic_ntk.cli.app import (
    ACT,
    BIAS,
    DEPTH,
    DIGITS,
    INCOMPLETE,
    JSON,
    WEIGHT,
    AnswerConsole,
    activation,
    answering,
    app,
    print_json,
    stages,
)
from analytic_ntk.errors import DomainError


@app.command()
def kernel(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    rho: Annotated[
        list[str] | None, typer.Option(help="Correlation of unit inputs; may be repeated.")
    ] = None,
    xx: Annotated[str | None, typer.Option(help="<x,x>/d, instead of --rho.")] = None,
    xy: Annotated[str | None, typer.Option(help="<x,y>/d.")] = None,
    yy: Annotated[str | None, typer.Option(help="<y,y>/d.")] = None,
    formula: Annotated[
        bool, typer.Option("--formula", help="The closed forms instead; exit code 3 if there are none.")
    ] = False,
    digits: DIGITS = 30,
    as_json: JSON = False,
) -> None:
    """Certified values of NNGP and NTK, or their formulas."""
    with answering():
        from analytic_ntk.network import Network
        from analytic_ntk.report.builder import certified_row
        from analytic_ntk.report.data import as_json as plain
        from analytic_ntk.report.formulas import formulas_of
        from analytic_ntk.report.sections import Section, values_section
        from analytic_ntk.report.terminal import show_section

        given = [value is not None for value in (xx, xy, yy)]
        if formula + bool(rho) + any(given) != 1 or any(given) != all(given):
            raise DomainError("the inputs", "one of --rho, --formula, or all of --xx, --xy, --yy")
        phi = activation(act)
        with stages() as progress:
            if formula:
                progress("formulas")
                formulas = formulas_of(phi, depth, weight_variance, bias_variance)
                result, section = plain(formulas), Section("Formulas", formulas=formulas)
                complete = all(found.closed for found in formulas)
            else:
                progress("certified values")
                network = Network.mlp(phi, depth, weight_variance, bias_variance)
                inputs = [("1", value, "1") for value in rho] if rho else [(xx, xy, yy)]
                rows = [certified_row(network, *where, digits) for where in inputs]
                result, section = plain(rows), values_section(rows, digits)
                complete = not any(row.reason for row in rows)
        if as_json:
            print_json(result)
        else:
            show_section(section, AnswerConsole())
        if not complete:
            raise typer.Exit(INCOMPLETE)
