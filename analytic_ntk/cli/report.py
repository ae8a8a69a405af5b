"""All about one activation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytic_ntk.cli.answers import write_file
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


@app.command()
def report(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    digits: DIGITS = 20,
    order: Annotated[int, typer.Option(help="Of the Hermite table and the power series.")] = 12,
    width: Annotated[int, typer.Option(help="Of the sampled networks.")] = 512,
    draws: Annotated[int, typer.Option(help="How many networks are sampled.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the sampled networks.", min=0)] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots to this file instead.")] = None,
    as_json: JSON = False,
) -> None:
    """All about an activation and its kernels: properties, formulas, certified values, series, a check."""
    with answering():
        from analytic_ntk.report import build
        from analytic_ntk.report.curves import curves_of
        from analytic_ntk.report.html import page
        from analytic_ntk.report.terminal import show

        phi = activation(act)
        with stages() as progress:
            found = build(
                phi, depth, weight_variance, bias_variance, digits, order, width, draws, seed, progress
            )
            if html is not None:
                progress("page")
                text = page(found, curves_of(phi, depth, weight_variance, bias_variance))
        if html is not None:
            write_file(html, text.encode())
        if as_json:
            print_json(found.to_json())
        elif html is None:
            show(found, AnswerConsole())
        if not found.complete:
            raise typer.Exit(INCOMPLETE)
