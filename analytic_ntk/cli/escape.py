"""Training with the regulariser of the good directions, over strengths and sample sizes, by seeds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytic_ntk.cli.answers import activation_json, require_ending, write_file
from analytic_ntk.cli.app import JSON, AnswerConsole, activation, answering, app, counted, print_json

if TYPE_CHECKING:
    from analytic_ntk.theory.escape import Run, Summary


@app.command()
def escape(
    act: Annotated[
        str, typer.Argument(metavar="[ACT]", help="A name, or a formula in x.")
    ] = "sigmoid(x - 1)",
    dim: Annotated[int, typer.Option(help="Of the inputs.")] = 30,
    width: Annotated[int, typer.Option(help="Units, an even number.")] = 2000,
    samples: Annotated[
        list[int] | None, typer.Option(help="May be repeated.", show_default="10 times the dimension")
    ] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="Of the regulariser; may be repeated.", show_default="0 and 1")
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Also f_L and f_Q alone.")] = False,
    seeds: Annotated[int, typer.Option(help="Networks and data.")] = 3,
    steps: Annotated[int, typer.Option(help="Of L-BFGS, at most.")] = 500,
    goal: Annotated[float, typer.Option(help="The loss at which training ends.")] = 1e-5,
    save: Annotated[
        Path | None, typer.Option(help="Keep each run in this file; runs found there are not repeated.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the errors into this SVG file.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Train in torch on this device (cuda).", show_default="numpy")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train f_L + f_Q on a dense linear plus a sparse quadratic target, with and without the regulariser."""
    with answering():
        from analytic_ntk.theory import escape as theory

        require_ending(plot, (".svg",))
        phi = activation(act)
        convert = None if device is None else theory.on_device(device)
        choices = [("joint", value) for value in strength or [0.0, 1.0]]
        choices += [("ntk", 0.0), ("quadratic", 0.0)] if alone else []
        sizes = samples or [10 * dim]
        total, done = len(sizes) * len(choices) * seeds, 0
        with counted() as bar:

            def told(run: Run) -> None:
                nonlocal done
                done += 1
                q = run.question
                name = f"n = {q.samples}, {q.model}, {q.strength:g}, seed {q.seed}"
                bar(done, total, f"{name}: {run.test_error:.3f}")

            runs = theory.replica(phi, dim, width, sizes, choices, seeds, steps, goal, save, told, convert)
        found = theory.summarise(runs)
        if plot is not None:
            from analytic_ntk.report.escape_plot import escape_plot

            write_file(plot, escape_plot(found).encode())
        if as_json:
            print_json(
                activation_json(phi)
                | {"kind": "measured", "dim": dim, "width": width, "summaries": [_plain(s) for s in found]}
            )
        else:
            _show(found, f"{phi}, dimension {dim}, width {width}, seeds 0 to {seeds - 1}")


def _plain(summary: Summary) -> dict[str, object]:
    """An interval from a single seed is unknown: null."""
    return {k: None if v == float("inf") else v for k, v in asdict(summary).items()}


def _show(found: tuple[Summary, ...], line: str) -> None:
    from analytic_ntk.report.sections import Section, Table
    from analytic_ntk.report.terminal import show_section

    rows = tuple(
        (
            str(s.samples),
            s.model,
            f"{s.strength:g}",
            f"{s.train_error:.1e}",
            _interval(s.test_error, s.test_half_width),
            _interval(s.dense, s.dense_half_width),
            _interval(s.sparse, s.sparse_half_width),
        )
        for s in found
    )
    notes = (
        line,
        "measured: means over seeds +- half a 95 % interval; dense, sparse: errors by degree",
    )
    table = Table(("n", "model", "strength", "train", "test", "dense", "sparse"), rows)
    show_section(Section("Good directions", notes, table=table), AnswerConsole())


def _interval(mean: float, half: float) -> str:
    return f"{mean:.3f}" if half == float("inf") else f"{mean:.3f} +- {half:.3f}"
