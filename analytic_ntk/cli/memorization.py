"""Memorisation by narrow networks: the smallest eigenvalue, its scaling, fits, and where they succeed."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import activation_json, require_ending, write_file
from analytic_ntk.cli.app import (
    ACT,
    INCOMPLETE,
    JSON,
    AnswerConsole,
    activation,
    answering,
    app,
    counted,
    print_json,
)
from analytic_ntk.cli.points import read_points
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    import numpy as np

    from analytic_ntk.activation import Activation
    from analytic_ntk.report.sections import Section
    from analytic_ntk.theory.memorization import Fit, KernelReport, Phase, Scaling

DEFAULT_SIZE = 20
DEFAULT_SCALING = ((40, 60, 80, 100), (100, 200))


class What(str, Enum):
    """What is asked."""

    kernel = "kernel"
    scaling = "scaling"
    fit = "fit"
    phase = "phase"


@app.command()
def memorization(
    what: Annotated[What, typer.Argument(metavar="WHAT", help="kernel, scaling, fit or phase.")],
    act: ACT,
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 2,
    width: Annotated[
        list[int] | None,
        typer.Option(help="kernel, fit: hidden widths, first to last.", show_default="the dimension, each"),
    ] = None,
    dim: Annotated[
        list[int] | None,
        typer.Option(help="Input dimension; scaling, phase: may be repeated, d = n_1 = n_2 = ..."),
    ] = None,
    samples: Annotated[
        list[int] | None, typer.Option(help="Random inputs; scaling: may be repeated.")
    ] = None,
    ratio: Annotated[list[float] | None, typer.Option(help="phase: N/d^2, may be repeated.")] = None,
    points: Annotated[
        Path | None, typer.Option(help="kernel, fit: inputs from a file (.csv, .json, .npy).")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="fit: labels from a file, a row for each input.")
    ] = None,
    eps: Annotated[float, typer.Option(help="fit, phase: the error asked for (phase: per root N).")] = 1e-3,
    steps: Annotated[int, typer.Option(help="fit, phase: steps at most.")] = 500,
    kicks: Annotated[int, typer.Option(help="fit, phase: random moves out of a stall.")] = 50,
    seeds: Annotated[int, typer.Option(help="scaling, phase: draws for each size.")] = 3,
    seed: Annotated[int, typer.Option(help="kernel, fit: of the draw.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option(help="scaling, phase: a JSON file that keeps what is done.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="scaling, phase: also write an .svg picture.")] = None,
    as_json: JSON = False,
) -> None:
    """Can a narrow network memorise: the smallest eigenvalue of its tangent kernel, and fits.

    The networks of Bombari, Amani, Mondelli 2022. WHAT: kernel, one network block by block; scaling, the
    eigenvalue over the widths (Figure 1: --samples 1000 --dim 100 ... --dim 977); fit, one network to labels;
    phase, where fits succeed (Figure 2). Exit code 3 if a fit does not reach eps.
    """
    with answering():
        from analytic_ntk.report.terminal import show_section

        require_ending(plot, (".svg",))
        phi = activation(act)
        single = what in (What.kernel, What.fit)
        for name, value, allowed in (
            ("--points", points, single), ("--labels", labels, what is What.fit), ("--width", width, single),
            ("--plot", plot, not single), ("--checkpoint", checkpoint, not single),
            ("--ratio", ratio, what is What.phase), ("--samples", samples, what is not What.phase),
        ):  # fmt: skip
            if value is not None and not allowed:
                raise DomainError(f"{name} with {what.value}", "an option that it has", "see --help")
        if single:
            section, record, complete = _one(
                what, phi, depth, width, dim, samples, points, labels, eps, steps, kicks, seed
            )
        else:
            section, record = _many(
                what, phi, depth, dim, samples, ratio, eps, steps, kicks, seeds, checkpoint, plot
            )
            complete = True
        if as_json:
            print_json(activation_json(phi) | {"depth": depth} | record)
        else:
            show_section(section, AnswerConsole())
        if not complete:
            raise typer.Exit(INCOMPLETE)


def _one(
    what: What,
    phi: Activation,
    depth: int,
    width: list[int] | None,
    dim: list[int] | None,
    samples: list[int] | None,
    points: Path | None,
    labels: Path | None,
    eps: float,
    steps: int,
    kicks: int,
    seed: int,
) -> tuple[Section, dict[str, Any], bool]:
    """One network: what is shown, the record, and whether the answer is complete."""
    import numpy as np

    from analytic_ntk.layers.units import require_count
    from analytic_ntk.theory import memorization

    require_count(seed, "seed", 0)
    require_count(depth, "depth", 1)
    if points is not None:
        if dim is not None or samples is not None:
            raise DomainError("--points with --dim or --samples", "one or the other")
        X = _floats(points)
    else:
        if len(dim or ()) > 1 or len(samples or ()) > 1:
            raise DomainError("several sizes", "one --dim and one --samples")
        size, count = (dim or [DEFAULT_SIZE])[0], (samples or [4 * (dim or [DEFAULT_SIZE])[0]])[0]
        require_count(size, "dim", 1)
        require_count(count, "samples", 1)
        X = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).standard_normal((count, size))
    if width is not None and len(width) != depth:
        raise DomainError(f"{len(width)} widths at depth {depth}", "one --width for each hidden layer")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    finite = memorization.draw(phi, X.shape[1], width or [X.shape[1]] * depth, rng)
    if what is What.kernel:
        with counted() as bar:
            found = memorization.report(finite, X, progress=bar)
        return _kernel_section(phi, depth, found), _kernel_json(found), True
    if labels is None:
        Y = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,))).standard_normal(len(X))
    else:
        Y = _floats(labels)
    with counted() as bar:
        fitted = memorization.fit(finite, X, Y, eps, steps, kicks=kicks, progress=bar)
    return _fit_section(phi, depth, fitted), _fit_json(fitted), fitted.reached


def _many(
    what: What,
    phi: Activation,
    depth: int,
    dim: list[int] | None,
    samples: list[int] | None,
    ratio: list[float] | None,
    eps: float,
    steps: int,
    kicks: int,
    seeds: int,
    checkpoint: Path | None,
    plot: Path | None,
) -> tuple[Section, dict[str, Any]]:
    from analytic_ntk.theory import memorization

    with counted() as bar:
        if what is What.scaling:
            dims, counts = dim or DEFAULT_SCALING[0], samples or DEFAULT_SCALING[1]
            law = memorization.scaling(phi, depth, dims, counts, seeds, checkpoint, bar)
        else:
            grid = memorization.phase(
                phi, depth, dim or (6, 8, 10), ratio or (0.5, 1.0, 1.5, 2.0, 2.5), seeds, eps, steps, kicks,
                checkpoint, bar,
            )  # fmt: skip
    if plot is not None:
        from analytic_ntk.report.plots import picture

        write_file(plot, picture(law.plot if what is What.scaling else grid.plot).encode())
    if what is What.scaling:
        return _scaling_section(phi, law), _scaling_json(law)
    return _phase_section(phi, grid), _phase_json(grid)


def _floats(path: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.array([[float(cell) for cell in row] for row in read_points(path)])
    except OverflowError:
        raise DomainError(f"{path}: a number too large for float64", "smaller numbers") from None


def _layers(depth: int) -> str:
    return f"{depth} hidden layer{'s' if depth > 1 else ''}"


def _kernel_section(phi: Activation, depth: int, found: KernelReport) -> Section:
    from analytic_ntk.report.sections import Section, Table

    rows = [
        (f"layer {k}", f"{part.columns}", f"{part.smallest.value:.6g}", part.smallest.kind,
         part.ceiling.reason if part.ceiling else "")
        for k, part in enumerate(found.blocks, 1)
    ]  # fmt: skip
    total = found.total
    rows.append(("sum", str(sum(p.columns for p in found.blocks)), f"{total.value:.6g}", total.kind,
                 found.reason or ""))  # fmt: skip
    unmet = [f"{h.name} ({h.detail})" if h.detail else h.name for h in found.hypotheses if h.met is False]
    notes = [
        f"{phi}, {_layers(depth)}, {found.size} inputs; the paper's weights, derivatives in the weights",
        f"sum of the blocks' lower bounds: {found.by_weyl:.6g}",
        "hypotheses of the theorem: " + (f"not met: {'; '.join(unmet)}" if unmet else "none seen to fail"),
    ]
    if any(part.kind == "certified" for part in (total, *(block.smallest for block in found.blocks))):
        notes.append("certified: for the float64 features; what computing them rounded is not counted")
    if found.leading:
        notes.append(f"lambda_min / (n_(L-1) n_(L-2)) = {total.value / found.leading:.4g}")
    table = Table(("block", "columns", "lambda_min", "kind", "rank below N"), tuple(rows), numeric=False)
    return Section("The smallest eigenvalue of the tangent kernel", tuple(notes), table=table)


def _kernel_json(found: KernelReport) -> dict[str, Any]:
    def smallest(value: Any) -> dict[str, Any]:
        return {"kind": value.kind, "lower": value.lower, "upper": value.upper, "residual": value.residual}

    def ceiling(value: Any) -> dict[str, Any] | None:
        return None if value is None else {"rank": value.rank, "reason": value.reason}

    return {
        "samples": found.size,
        "total": smallest(found.total),
        "reason": found.reason,
        "by_weyl": found.by_weyl,
        "leading": found.leading,
        "blocks": [
            {"columns": part.columns, **smallest(part.smallest), "ceiling": ceiling(part.ceiling)}
            for part in found.blocks
        ],
        "ceilings": [ceiling(c) for c in found.ceilings.whole],
        "hypotheses": [{"name": h.name, "met": h.met, "detail": h.detail} for h in found.hypotheses],
    }  # fmt: skip


def _fit_section(phi: Activation, depth: int, found: Fit) -> Section:
    from analytic_ntk.report.sections import Section

    notes = [
        f"{phi}, {_layers(depth)}: {found.parameters} parameters, {found.equations} equations",
        f"|F - Y| = {found.error:.4g} after {found.steps} steps (asked: {found.eps:g})",
        f"theta moved by {found.moved:.4g} (its size at the start: {found.start_size:.4g})",
    ]
    if found.reason:
        notes.append(f"in general out of reach: {found.reason}")
    return Section("A fit", tuple(notes), last="reached" if found.reached else "not reached")


def _fit_json(found: Fit) -> dict[str, Any]:
    return {
        "reached": found.reached, "error": found.error, "eps": found.eps, "steps": found.steps,
        "moved": found.moved, "start_size": found.start_size, "parameters": found.parameters,
        "equations": found.equations, "reason": found.reason, "errors": list(found.errors),
    }  # fmt: skip


def _slopes(law: Scaling) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    for samples in law.samples:
        try:
            found.append((samples, law.slope(samples)))
        except DomainError:
            found.append((samples, None))
    return found


def _scaling_section(phi: Activation, law: Scaling) -> Section:
    from analytic_ntk.report.sections import Section, Table

    rows = []
    for samples in law.samples:
        for dim in sorted({d.dim for d in law.draws if d.samples == samples}):
            mean, deviation = law.mean(samples, dim)
            rows.append((str(samples), str(dim), f"{mean:.4g}", f"{deviation:.2g}", f"{mean / dim**2:.3g}"))
    notes = [f"{phi}, {_layers(law.depth)}, d = n_1 = n_2 = ...; Gaussian inputs; mean and sd over draws"]
    for samples, slope in _slopes(law):
        said = "too few draws" if slope is None else (
            f"{slope.exponent:.3f} [{slope.low:.3f}, {slope.high:.3f}]")  # fmt: skip
        notes.append(f"N = {samples}: exponent in d^2 (95 %, a straight line assumed): {said}")
    notes.append(f"{law.seconds:.0f} s in all")
    table = Table(("N", "d", "lambda_min", "sd", "over d^2"), tuple(rows))
    return Section("The smallest eigenvalue over the widths", tuple(notes), table=table)


def _scaling_json(law: Scaling) -> dict[str, Any]:
    return {
        "kind": "statistical",
        "draws": [
            {"samples": d.samples, "dim": d.dim, "seed": d.seed, "lower": d.lower, "upper": d.upper,
             "seconds": d.seconds}
            for d in law.draws
        ],
        "slopes": [
            {"samples": n, "exponent": s.exponent, "low": s.low, "high": s.high, "confidence": s.confidence}
            for n, s in _slopes(law) if s is not None
        ],
    }  # fmt: skip


def _phase_section(phi: Activation, grid: Phase) -> Section:
    from analytic_ntk.report.sections import Section, Table

    rows = [
        (str(d), str(grid.parameters(d)), str(cell.samples), f"{cell.reached}/{cell.seeds}")
        for d in grid.dims
        for cell in grid.row(d)
    ]
    notes = [f"{phi}, {_layers(grid.depth)} of width d; Gaussian inputs and labels; fits within eps sqrt(N)"]
    points = grid.boundaries()
    notes += [f"d = {d}: half of them at N = {n:.0f} = {n / d**2:.2f} d^2" for d, n in points]
    notes.append(f"{sum(cell.seconds for cell in grid.cells):.0f} s in all")
    return Section(
        "Where fits succeed", tuple(notes), table=Table(("d", "parameters", "N", "fitted"), tuple(rows))
    )


def _phase_json(grid: Phase) -> dict[str, Any]:
    return {
        "kind": "statistical",
        "eps": grid.eps,
        "cells": [
            {"samples": c.samples, "dim": c.dim, "parameters": grid.parameters(c.dim), "reached": c.reached,
             "seeds": c.seeds}
            for c in grid.cells
        ],
        "boundary": [{"dim": d, "samples": n} for d, n in grid.boundaries()],
    }  # fmt: skip
