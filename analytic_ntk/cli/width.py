"""How wide a shallow network must be for gradient descent to converge, and whether a drawn one does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import activation_json, require_ending, write_file
from analytic_ntk.cli.app import ACT, JSON, AnswerConsole, activation, answering, app, counted, print_json
from analytic_ntk.cli.points import read_points
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    import numpy as np

    from analytic_ntk.theory.overparameterization import Certificate, Width, WidthGrowth


@app.command()
def width(
    act: ACT,
    points: Annotated[
        Path | None,
        typer.Option(help="Inputs: a CSV, JSON or npy file, a point a row.", show_default="random"),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Their labels: a file of the same kinds, a row for each point.")
    ] = None,
    count: Annotated[int, typer.Option(help="Of random points.")] = 20,
    dim: Annotated[int, typer.Option(help="Of random points, on the unit sphere.")] = 10,
    failure_probability: Annotated[float, typer.Option("--failure", help="Of the start.")] = 0.01,
    deviation: Annotated[float, typer.Option(help="Of the first layer's weights.")] = 1.0,
    at: Annotated[
        list[int] | None,
        typer.Option(help="Certify draws of this width; may be repeated.", show_default="none"),
    ] = None,
    draws: Annotated[int, typer.Option(help="Networks of each width.")] = 3,
    search: Annotated[
        bool, typer.Option("--search", help="The smallest width certified, draw by draw.")
    ] = False,
    grow: Annotated[
        list[int] | None,
        typer.Option(
            help="Numbers of inputs to fit the growth of the width to; thrice or more.", show_default="none"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option(help="--search or --grow: a JSON file that keeps what is done.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the growth into this SVG file.")] = None,
    as_json: JSON = False,
) -> None:
    """A width that suffices for gradient descent on V phi(W x) to converge, with its derivation.

    With --at, --search or --grow also what sampled networks say. A run with --checkpoint that was stopped
    goes on where it was, with the same numbers.
    """
    with answering():
        from analytic_ntk.finite_width import require_count
        from analytic_ntk.theory import overparameterization as theory

        require_ending(plot, (".svg",))
        if plot is not None and not grow:
            raise DomainError("--plot without --grow", "both", "e.g. --grow 8 --grow 16 --grow 32")
        if checkpoint is not None and search == bool(grow):
            raise DomainError(
                "--checkpoint with both --search and --grow" if grow else "--checkpoint without a search",
                "one of --search and --grow", "one file for each",
            )  # fmt: skip
        require_count(draws, "--draws", 1)
        phi = activation(act)
        rows, targets = _data(points, labels, count, dim, seed)
        found = theory.width(phi, rows, targets, failure_probability, deviation)
        answer: dict[str, Any] = activation_json(phi) | _width_json(found)
        notes: list[str] = list(found.steps)
        if at:
            notes.append("sampled networks, certified one by one:")
            answer["certificates"] = []
            for number in at:
                drawn = [_certificate(phi, rows, targets, number, (seed, k), deviation) for k in range(draws)]
                notes.append(_ratios(number, drawn))
                answer["certificates"] += [_certificate_json(number, one) for one in drawn]
        if search:
            with counted() as bar:
                least = theory.minimal_width(
                    phi, rows, targets, draws, seed, deviation, progress=bar, checkpoint=checkpoint
                )
            notes.append(f"smallest widths certified: {', '.join(map(str, least.widths))} (statistical)")
            answer["smallest"] = list(least.widths)
        if grow:
            with counted() as bar:
                growth = theory.width_growth(phi, tuple(grow), draws, seed, bar, checkpoint)
            notes += _growth_lines(growth)
            answer["growth"] = _growth_json(growth)
            if plot is not None:
                from analytic_ntk.report.plots import picture

                write_file(plot, picture(growth.plot).encode())
        if as_json:
            print_json(answer)
        else:
            from analytic_ntk.report.sections import Section
            from analytic_ntk.report.terminal import show_section

            title = f"{phi}: a width that suffices"
            show_section(Section(title, tuple(notes)), AnswerConsole())


def _data(
    points: Path | None, labels: Path | None, count: int, dim: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    from analytic_ntk.finite_width import require_count
    from analytic_ntk.theory.overparameterization.search import random_problem

    if points is None:
        if labels is not None:
            raise DomainError("--labels without --points", "both or none")
        require_count(count, "--count", 1)
        require_count(dim, "--dim", 1)
        require_count(seed, "--seed", 0)
        return random_problem(count, dim, [seed])
    rows = _floats(points)
    if labels is None:
        raise DomainError("--points without --labels", "both or none", "a row of labels for each point")
    targets = _floats(labels)
    return rows, targets.T if len(targets) == 1 < len(rows) == targets.shape[1] else np.asarray(targets)


def _floats(path: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.array([[float(cell) for cell in row] for row in read_points(path)])
    except OverflowError:
        raise DomainError(f"{path}: a number too large for float64", "smaller numbers") from None


def _certificate(
    phi: Any, rows: np.ndarray, targets: np.ndarray, width: int, seed: tuple[int, int], deviation: float
) -> Certificate:
    from analytic_ntk.finite_width import require_count
    from analytic_ntk.theory.overparameterization import FeedForward, certify
    from analytic_ntk.theory.overparameterization.search import nested

    require_count(width, "--at", 1)
    params = nested(rows.shape[1], targets.shape[1], width, seed, deviation)
    return certify(FeedForward(phi), params, rows, targets)


def _ratios(width: int, found: list[Certificate]) -> str:
    shown = ", ".join(f"{one.ratio:.3g}" for one in found)
    return f"  width {width}: {sum(map(bool, found))} of {len(found)} converge; 4 L_J r0/alpha^2 = {shown}"


def _growth_lines(found: WidthGrowth) -> list[str]:
    lines = ["smallest widths certified, n inputs of dimension n/2, standard start (statistical):"]
    for count, row in zip(found.counts, found.widths, strict=True):
        lines.append(f"  n = {count}: {', '.join(map(str, row.tolist()))}")
    return [*lines, f"  n^{found.exponent:.2f}, 95 % interval [{found.low:.2f}, {found.high:.2f}]"]


def _width_json(found: Width) -> dict[str, Any]:
    return {
        "kind": "certified",
        "width": found.width,
        "concentration": found.concentration,
        "failure_probability": found.failure_probability,
        "lambda_min": found.lambda_min,
        "derivation": list(found.steps),
    }


def _certificate_json(width: int, found: Certificate) -> dict[str, Any]:
    numbers = {
        "alpha": found.alpha, "norm": found.norm, "r0": found.r0, "radius": found.radius,
        "lipschitz": found.lipschitz, "ratio": found.ratio, "rate": found.rate, "step": found.step,
    }  # fmt: skip
    finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return {"width": width, "verdict": found.verdict.value, "reason": found.reason, **finite}


def _growth_json(found: WidthGrowth) -> dict[str, Any]:
    return {
        "kind": "statistical",
        "counts": list(found.counts),
        "widths": found.widths.tolist(),
        "exponent": found.exponent,
        "interval": [found.low, found.high],
    }
