"""The kernels of the Taylor features: values, power series, eigenvalues."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import KINDS, activation_json, kind, shown, value_json
from analytic_ntk.cli.app import (
    ACT,
    BIAS,
    DIGITS,
    JSON,
    WEIGHT,
    AnswerConsole,
    activation,
    answering,
    app,
    print_json,
    stages,
)

if TYPE_CHECKING:
    import sympy as sp

    from analytic_ntk.enclosure import Enclosure
    from analytic_ntk.theory.taylor import TaylorKernel

    Row = tuple[str, sp.Expr | Enclosure]


class Layers(str, Enum):
    """In which parameters derivatives are taken."""

    first = "first"
    all = "all"


@app.command()
def taylor(
    act: ACT,
    order: Annotated[int, typer.Option(help="1: the NTK; 2: the QuadNTK.")] = 2,
    layers: Annotated[Layers, typer.Option(help="Parameters of the first layer, or all.")] = Layers.first,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    rho: Annotated[
        list[str] | None, typer.Option(help="Correlation of unit inputs; may be repeated.", show_default="1")
    ] = None,
    powers: Annotated[int, typer.Option(help="The last power of the series in rho.")] = 6,
    dim: Annotated[
        int | None,
        typer.Option(help="Also eigenvalues on the sphere of this dimension.", show_default="none"),
    ] = None,
    degree: Annotated[int, typer.Option(help="The last degree of the eigenvalues.")] = 4,
    digits: DIGITS = 15,
    as_json: JSON = False,
) -> None:
    """The kernel of the Taylor features of a two-layer network: values, power series, eigenvalues."""
    with answering():
        from analytic_ntk.theory import taylor as theory

        with stages() as progress:
            kernel = theory.kernel(activation(act), order, weight_variance, bias_variance, layers.value)
            progress("certified values")
            values: list[Row] = [(r, kernel.at(1, r, 1, digits)) for r in rho or ["1"]]
            progress("power series")
            series = theory.power_series(kernel, powers, digits)
            coefficients: list[Row] = [(str(k), c) for k, c in enumerate(series.coefficients)]
            tables = [("rho", values), ("power", coefficients)]
            if dim is not None:
                progress("eigenvalues")
                found = theory.sphere(kernel, dim, degree, digits)
                tables.append(("degree", [(str(k), v) for k, v in enumerate(found.eigenvalues)]))
        if as_json:
            print_json(_json(kernel, tables, dim, digits))
        else:
            _show(kernel, tables, dim, digits)


_TITLES = {"rho": "Values", "power": "Power series in rho", "degree": "Eigenvalues on S^{}"}


def _show(kernel: TaylorKernel, tables: list[tuple[str, list[Row]]], dim: int | None, digits: int) -> None:
    from analytic_ntk.report.sections import Section, Table
    from analytic_ntk.report.terminal import show_section

    where = "the first layer" if kernel.layers == "first" else "all parameters"
    notes = (
        f"{kernel.activation}, order {kernel.order}, derivatives in {where}, "
        f"weight variance {kernel.weight_variance}, bias variance {kernel.bias_variance}",
        KINDS,
    )
    console = AnswerConsole()
    for name, rows in tables:
        title = _TITLES[name].format((dim or 0) - 1)
        table = Table((name, "value", "kind"), tuple((k, shown(v, digits), kind(v)) for k, v in rows))
        show_section(Section(title, notes if name == "rho" else (), table=table), console)


def _json(
    kernel: TaylorKernel, tables: list[tuple[str, list[Row]]], dim: int | None, digits: int
) -> dict[str, Any]:
    answer: dict[str, Any] = activation_json(kernel.activation) | {
        "order": kernel.order,
        "layers": kernel.layers,
        "weight_variance": str(kernel.weight_variance),
        "bias_variance": str(kernel.bias_variance),
        "dim": dim,
    }
    names = {"rho": "values", "power": "series", "degree": "eigenvalues"}
    for name, rows in tables:
        answer[names[name]] = [{name: k, **(value_json(v, digits) or {})} for k, v in rows]
    return answer
