"""Eigenvalues of the kernels on the sphere."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import (
    KINDS,
    Kernel,
    Mlp,
    kind,
    require_ending,
    shown,
    value_json,
    write_file,
)
from analytic_ntk.cli.app import (
    ACT,
    BIAS,
    DEPTH,
    DIGITS,
    JSON,
    WEIGHT,
    AnswerConsole,
    answering,
    app,
    print_json,
    stages,
)

if TYPE_CHECKING:
    from analytic_ntk.report.sections import Section
    from analytic_ntk.spectrum import DecayLaw, SphereSpectrum


class Method(str, Enum):
    """The way to the eigenvalues."""

    exact = "exact"
    series = "series"
    quadrature = "quadrature"


@app.command()
def spectrum(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    dim: Annotated[int, typer.Option(help="Of the inputs: the sphere is S^(dim-1).")] = 3,
    degree: Annotated[int, typer.Option(help="The last degree.")] = 10,
    kernel: Annotated[Kernel, typer.Option(help="Which kernel.")] = Kernel.ntk,
    digits: DIGITS = 20,
    method: Annotated[
        Method | None, typer.Option(help="Force a way; exit code 3 if it fails.", show_default="the best")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw them into this SVG file.")] = None,
    as_json: JSON = False,
) -> None:
    """Eigenvalues of a kernel on the sphere with their multiplicities, and the decay that is predicted."""
    with answering():
        from analytic_ntk.report.terminal import show_section
        from analytic_ntk.spectrum import decay, sphere

        require_ending(plot, (".svg",))
        asked = Mlp.of(act, depth, weight_variance, bias_variance)
        with stages() as progress:
            progress("eigenvalues")
            found = sphere(asked.network, dim, degree, kernel.value, digits, method and method.value)
            progress("predicted decay")
            law = decay(asked.network, dim, kernel.value)
        if plot is not None:
            from analytic_ntk.report.spectrum_plot import decay_plot

            write_file(plot, decay_plot(found, law).encode())
        if as_json:
            print_json(_json(asked, found, law))
        else:
            show_section(_section(asked, found, law), AnswerConsole())


def _section(asked: Mlp, found: SphereSpectrum, law: DecayLaw) -> Section:
    from analytic_ntk.report.sections import Section, Table, number

    rows = []
    for k, (value, sums) in enumerate(zip(found.eigenvalues, found.cumulative_trace(), strict=True)):
        rows.append(
            (
                str(k),
                _count(found.multiplicities[k]),
                shown(value, found.digits),
                kind(value),
                number(sums, 8),
            )
        )
    notes = (
        asked.line,
        f"eigenvalues of degree k under the uniform measure, inputs <x,x>/d = 1; {KINDS}; "
        f"way taken: {found.method}",
    )
    last = (
        f"trace {shown(found.trace, found.digits)}, of which the degrees beyond {found.degree} hold "
        f"{number(found.tail(), 8)}\n"
        f"predicted decay (no bound): even degrees {law.even}; odd degrees {law.odd}"
    )
    columns = ("degree", "multiplicity", "eigenvalue", "kind", "trace up to it")
    title = f"{found.kernel.upper()} on the sphere S^{found.dim - 1}"
    return Section(title, notes, table=Table(columns, tuple(rows)), last=last)


def _count(multiplicity: int) -> str:
    return str(multiplicity) if multiplicity < 10**12 else f"10^{math.log10(multiplicity):.4f}"


def _json(asked: Mlp, found: SphereSpectrum, law: DecayLaw) -> dict[str, Any]:
    from analytic_ntk.report.data import as_json

    rows = zip(found.multiplicities, found.eigenvalues, found.cumulative_trace(), strict=True)
    return asked.as_json() | {
        "kernel": found.kernel,
        "dim": found.dim,
        "degree": found.degree,
        "digits": found.digits,
        "method": found.method,
        "eigenvalues": [
            {"degree": k, "multiplicity": count}
            | (value_json(value, found.digits) or {})
            | {"cumulative_trace": value_json(total, found.digits)}
            for k, (count, value, total) in enumerate(rows)
        ],
        "trace": value_json(found.trace, found.digits),
        "tail": value_json(found.tail(), found.digits),
        "decay": {
            "kind": "predicted",
            "even": as_json(law.even) | {"formula": str(law.even)},
            "odd": as_json(law.odd) | {"formula": str(law.odd)},
        },
    }
