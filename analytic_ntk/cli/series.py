"""The kernels as power series in the correlation."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import KINDS, Mlp, kind, listed, shown, value_json
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
    from analytic_ntk.series import KernelSeries


class Kernels(str, Enum):
    """One kernel, or both."""

    ntk = "ntk"
    nngp = "nngp"
    both = "both"


@app.command()
def series(
    act: ACT,
    depth: DEPTH = 1,
    weight_variance: WEIGHT = "1",
    bias_variance: BIAS = "0",
    order: Annotated[int, typer.Option(help="The last power of rho.")] = 12,
    digits: DIGITS = 15,
    kernel: Annotated[Kernels, typer.Option(help="Which kernel.")] = Kernels.both,
    variance: Annotated[str, typer.Option(help="<x,x>/d of the inputs.")] = "1",
    as_json: JSON = False,
) -> None:
    """Coefficients of NNGP and NTK as power series in rho, those proved zero, and a bound of the rest."""
    with answering():
        from analytic_ntk.report.terminal import show_section

        asked = Mlp.of(act, depth, weight_variance, bias_variance)
        with stages() as progress:
            progress("power series")
            found = asked.network.series(order, digits, variance)
        names = ("nngp", "ntk") if kernel is Kernels.both else (kernel.value,)
        if as_json:
            print_json(_json(asked, found, names))
        else:
            show_section(_section(asked, found, names), AnswerConsole())


def _section(asked: Mlp, found: KernelSeries, names: tuple[str, ...]) -> Section:
    from analytic_ntk.report.data import upper_bound
    from analytic_ntk.report.sections import Section, Table

    columns = [column for name in names for column in (name.upper(), "kind")]
    rows = []
    for k in range(found.order + 1):
        values = [getattr(found, name)[k] for name in names]
        rows.append((str(k), *(text for v in values for text in (shown(v, found.digits), kind(v)))))
    notes = (
        asked.line,
        f"coefficients of rho^k for inputs <x,x>/d = <y,y>/d = {found.variance}; {KINDS}",
    )
    last = []
    for name in names:
        parity = getattr(found, f"{name}_parity")
        last += [
            f"{name.upper()} at rho = 1: {shown(getattr(found, f'{name}_total'), found.digits)}; "
            f"the powers beyond {found.order} add at most {upper_bound(found.tail(name))}",
            f"{name.upper()}, k with a coefficient proved 0: {listed(found.zeros(name))}"
            + (f"; {parity} to every order" if parity else ""),
        ]
    return Section(
        "Power series in rho", notes, table=Table(("k", *columns), tuple(rows)), last="\n".join(last)
    )


def _json(asked: Mlp, found: KernelSeries, names: tuple[str, ...]) -> dict[str, Any]:
    from analytic_ntk.report.data import upper_bound

    def one(name: str) -> dict[str, Any]:
        return {
            "coefficients": [
                {"k": k} | (value_json(value, found.digits) or {})
                for k, value in enumerate(getattr(found, name))
            ],
            "zeros": list(found.zeros(name)),
            "parity": getattr(found, f"{name}_parity"),
            "total": value_json(getattr(found, f"{name}_total"), found.digits),
            "tail": upper_bound(found.tail(name)),
        }

    return asked.as_json() | {
        "variance": str(found.variance),
        "order": found.order,
        "digits": found.digits,
        **{name: one(name) for name in names},
    }
