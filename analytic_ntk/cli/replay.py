"""Gradient descent on a finite network beside the sequential problem in the Banach space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import Mlp
from analytic_ntk.cli.app import (
    ACT,
    BIAS,
    DEPTH,
    INCOMPLETE,
    JSON,
    WEIGHT,
    AnswerConsole,
    answering,
    app,
    print_json,
    stages,
)

if TYPE_CHECKING:
    from analytic_ntk.theory.banach import Replay

LARGEST = 100_000_000
"""Parameters of a network that is drawn: some of them are held several times."""


@app.command()
def replay(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    width: Annotated[int, typer.Option(help="Of the hidden layers.")] = 64,
    count: Annotated[int, typer.Option(help="Of training points, drawn from a Gaussian.")] = 6,
    dim: Annotated[int, typer.Option(help="Of the inputs.")] = 3,
    lr: Annotated[float, typer.Option(help="The rate of a step on |f(X) - y|^2 / 2.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Of gradient descent.")] = 100,
    order: Annotated[int, typer.Option(help="Where the series of every unit is cut.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the network and the points.")] = 0,
    as_json: JSON = False,
) -> None:
    """Gradient descent found twice: on the weights, and as sequential learning with data features.

    The targets are sin of the first coordinate. Exit code 3 where a step leaves the neighbourhood in which
    the series is exact; the run ends there.
    """
    with answering():
        import numpy as np

        from analytic_ntk.errors import DomainError
        from analytic_ntk.layers.units import require_count
        from analytic_ntk.theory import banach

        asked = Mlp.of(act, depth, weight_variance, bias_variance)
        for value, name in ((count, "count"), (dim, "dim")):
            require_count(value, name, 1)
        require_count(seed, "seed", 0)
        require_count(width, "width", 1)
        size = width * (dim + 1 + (depth - 1) * width)
        if size > LARGEST:
            raise DomainError(f"{size} parameters", f"at most {LARGEST}", "lower --width")
        rng = np.random.default_rng(seed)
        finite = asked.network.sample(width, rng, dim)
        X = rng.standard_normal((count, dim))
        with stages() as progress:
            progress(f"{steps} steps")
            run = banach.replay(finite, X, np.sin(X[:, 0]), lr, steps, order)
        if as_json:
            print_json(_json(asked, run, width, order, seed))
        else:
            _show(asked, run, width, order, seed)
        if run.left:
            raise typer.Exit(INCOMPLETE)


def _show(asked: Mlp, run: Replay, width: int, order: int, seed: int) -> None:
    from analytic_ntk.report.sections import Section, Table
    from analytic_ntk.report.terminal import show_section

    rows = (
        ("steps made", str(run.steps)),
        ("largest difference of the two", f"{run.difference:.1e}"),
        ("largest error of one pairing", f"{run.pairing_error:.1e}"),
        ("largest ratio of a step made", f"{max(run.ratios[: run.steps], default=0.0):.3g}"),
        ("loss before", f"{run.losses[0]:.6g}"),
        ("loss after", f"{run.losses[-1]:.6g}"),
    )
    points, dim = run.data[0].shape
    notes = (
        asked.line,
        f"width {width}, {points} points of dimension {dim}, rate {run.learning_rate:g}, seed {seed}",
        f"float64; the series of every unit cut after {order}",
    )
    last = "every step is inside the neighbourhood"
    if run.left:
        place = run.places[-1]
        last = f"step {run.steps + 1} leaves it at {place}"
    table = Table(("", ""), rows)
    show_section(
        Section("Gradient descent as sequential learning", notes, table=table, last=last), AnswerConsole()
    )


def _json(asked: Mlp, run: Replay, width: int, order: int, seed: int) -> dict[str, Any]:
    place = run.places[-1]
    return asked.as_json() | {
        "kind": "float64",
        "width": width,
        "points": run.data[0].tolist(),
        "rate": run.learning_rate,
        "order": order,
        "seed": seed,
        "steps": run.steps,
        "difference": run.difference,
        "pairing_error": run.pairing_error,
        "losses": run.losses.tolist(),
        "ratios": [ratio if ratio < float("inf") else None for ratio in run.ratios.tolist()],
        "left": {"layer": place.layer, "unit": place.unit, "row": place.row, "admissible": place.admissible}
        if run.left
        else None,
    }
