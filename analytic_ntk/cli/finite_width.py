"""Sampled networks of finite width against the kernels of infinite width."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import Mlp, require_ending, write_file
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
    counted,
    print_json,
)
from analytic_ntk.cli.points import read_points
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    import numpy as np

    from analytic_ntk.finite_width import Agreement
    from analytic_ntk.report.sections import Section

MOST_ROWS = 24


@app.command("finite-width")
def finite_width(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    rho: Annotated[
        str | None, typer.Option(help="Two inputs of norm sqrt(d) at this correlation.", show_default="1/2")
    ] = None,
    points: Annotated[
        Path | None, typer.Option(help="These inputs: a CSV, JSON or npy file, a point a row.")
    ] = None,
    width: Annotated[int, typer.Option(help="Of the hidden layers.")] = 32,
    draws: Annotated[int, typer.Option(help="Networks of each width.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    failure_probability: Annotated[
        float, typer.Option("--failure", help="Of all intervals together.")
    ] = 1e-9,
    kurtosis: Annotated[float, typer.Option(help="Assumed at most, for an entry of one draw.")] = 30.0,
    target: Annotated[
        float | None, typer.Option(help="Stop when no interval is longer, relatively.", show_default="none")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep finished draws there; asked again, go on.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw the intervals into this SVG file.")] = None,
    as_json: JSON = False,
) -> None:
    """Do sampled networks agree with the kernels? Intervals that hold with a stated probability.

    Deeper than one layer: networks of the width and twice it, and the 1/width part of the bias is removed.

    Exit code 3 if they disagree or too few were drawn.
    """
    with answering():
        from analytic_ntk.finite_width import agreement

        require_ending(plot, (".svg",))
        asked = Mlp.of(act, depth, weight_variance, bias_variance)
        inputs = _inputs(rho, points)
        with counted() as progress:
            found = agreement(
                asked.network, inputs, width, draws, seed, failure_probability, kurtosis, target, workers,
                None, progress, checkpoint,
            )  # fmt: skip
        if plot is not None:
            from analytic_ntk.report.finite_width_plot import agreement_plot

            write_file(plot, agreement_plot(found).encode())
        if as_json:
            print_json(_json(asked, found, seed, kurtosis))
        else:
            from analytic_ntk.report.terminal import show_section

            show_section(_section(asked, found, kurtosis), AnswerConsole())
        if not found.agrees:
            raise typer.Exit(INCOMPLETE)


def _inputs(rho: str | None, points: Path | None) -> np.ndarray:
    import numpy as np

    if points is not None:
        if rho is not None:
            raise DomainError("--points with --rho", "one or the other")
        try:
            return np.array([[float(cell) for cell in row] for row in read_points(points)])
        except OverflowError:
            raise DomainError(f"{points}: a number too large for float64", "smaller numbers") from None
    from analytic_ntk.activation import constant

    number = float(constant("1/2" if rho is None else rho, "rho"))
    if abs(number) > 1:
        raise DomainError(f"rho = {number:g}", "a correlation between -1 and 1")
    return math.sqrt(2.0) * np.array([[1.0, 0.0], [number, math.sqrt(1.0 - number * number)]])


def _rows(found: Agreement) -> list[tuple[str, int, int, float, float, float, bool]]:
    """Kernel, entry, limit, estimate, radius, and whether the limit is missed."""
    from analytic_ntk.finite_width.expansion import Expansion

    rows = []
    misses = (found.nngp_misses, found.ntk_misses)
    for name, part, limit, missed in zip(
        ("NNGP", "NTK"), (found.estimate.nngp, found.estimate.ntk), found.limit, misses, strict=True
    ):
        centre, radius = (
            (part.limit, part.radius[0]) if isinstance(part, Expansion) else (part.centre, part.radius)
        )
        rows += [
            (name, i, j, float(limit[i, j]), float(centre[i, j]), float(radius[i, j]), bool(missed[i, j]))
            for i in range(len(limit))
            for j in range(i, len(limit))
        ]
    return rows


def _widths(found: Agreement) -> list[int]:
    from analytic_ntk.finite_width import WidthLaw

    estimate = found.estimate
    estimates = estimate.estimates if isinstance(estimate, WidthLaw) else (estimate,)
    return [e.width for e in estimates if isinstance(e.width, int)]


def _section(asked: Mlp, found: Agreement, kurtosis: float) -> Section:
    from analytic_ntk.report.sections import Section, Table

    rows = _rows(found)
    shown = [
        (f"{name}({i}, {j})", f"{limit:.6f}", f"{centre:.6f}", f"{radius:.6f}", "misses" if missed else "")
        for name, i, j, limit, centre, radius, missed in rows
    ]
    if len(shown) > MOST_ROWS:
        missing = [row for row in shown if row[-1]]
        shown = (missing + [row for row in shown if not row[-1]])[:MOST_ROWS]
    how = "unbiased at every width" if found.unbiased else "the 1/width part of the bias removed"
    notes = [
        asked.line,
        f"{found.draws} networks of width {' and '.join(map(str, _widths(found)))}; {how}",
        f"statistical: all intervals hold with probability 1 - {found.failure_probability:g}, if no",
        f"entry of one draw has a kurtosis above {kurtosis:g}"
        + (", which this sample speaks against" if found.suspect else ""),
    ]
    if len(rows) > MOST_ROWS:
        notes.append(f"{MOST_ROWS} of {len(rows)} entries shown")
    if found.agrees is None:
        last = "too few draws for such a probability"
    elif found.agrees:
        last = f"agrees, with a stated error of {found.stated_error:.2g} of the kernel"
    else:
        last = "disagrees"
    table = Table(("entry", "limit", "sampled", "radius", ""), tuple(shown), numeric=False)
    return Section("Finite networks against the limit", tuple(notes), table=table, last=last)


def _json(asked: Mlp, found: Agreement, seed: int, kurtosis: float) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return asked.as_json() | {
        "kind": "statistical",
        "agrees": found.agrees,
        "stated_error": number(found.stated_error),
        "distance": found.distance,
        "unbiased": found.unbiased,
        "widths": _widths(found),
        "draws": found.draws,
        "seed": seed,
        "failure_probability": found.failure_probability,
        "assumed_kurtosis": kurtosis,
        "suspect": found.suspect,
        "entries": [
            {"kernel": name.lower(), "row": i, "column": j, "limit": limit, "sampled": centre,
             "radius": number(radius), "misses": missed}
            for name, i, j, limit, centre, radius, missed in _rows(found)
        ],
    }  # fmt: skip
