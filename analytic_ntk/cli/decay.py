"""How fast Hermite coefficients fall, and which of them vanish."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import activation_json, require_ending, value_json, write_file
from analytic_ntk.cli.app import (
    ACT,
    DIGITS,
    INCOMPLETE,
    JSON,
    AnswerConsole,
    activation,
    answering,
    app,
    print_json,
    stages,
)
from analytic_ntk.errors import DomainError, UndecidedError

if TYPE_CHECKING:
    from analytic_ntk.activation import Activation
    from analytic_ntk.hermite import (
        DecayComparison,
        DecayLaw,
        HermiteTable,
        InformationExponent,
        ZeroPattern,
    )
    from analytic_ntk.hermite.decay import ParityLaw
    from analytic_ntk.report.sections import Section

ENDINGS = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Decay:
    """All that is said of one activation; ``reasons`` name what could not be had."""

    activation: Activation
    table: HermiteTable
    law: DecayLaw
    comparison: DecayComparison | None
    exponent: InformationExponent | None
    zeros: ZeroPattern
    reasons: tuple[str, ...]


@app.command()
def decay(
    act: ACT,
    variance: Annotated[str, typer.Option(help="Coefficients of phi(sqrt(variance) z).")] = "1",
    order: Annotated[int, typer.Option(help="Compared with the coefficients up to this one.")] = 200,
    digits: DIGITS = 15,
    plot: Annotated[Path | None, typer.Option(help="Also draw them into this SVG, PNG or PDF file.")] = None,
    as_json: JSON = False,
) -> None:
    """How fast Hermite coefficients fall (predicted), the information exponent and the zeros (proved)."""
    with answering():
        from analytic_ntk.report.terminal import show_section

        require_ending(plot, ENDINGS)
        phi = activation(act)
        with stages() as progress:
            progress("coefficients")
            found = _decay(phi, order, digits, variance)
        if plot is not None:
            write_file(plot, _picture(found, plot.suffix.lower()))
        if as_json:
            print_json(_json(found))
        else:
            show_section(_section(found), AnswerConsole())
        if found.reasons:
            raise typer.Exit(INCOMPLETE)


def _decay(phi: Activation, order: int, digits: int, variance: str) -> Decay:
    from analytic_ntk.hermite import compare, zero_pattern

    table = phi.hermite_table(order, digits, variance)
    law = phi.hermite_decay(variance)
    zeros = zero_pattern(table, phi.parity)
    reasons = [part.sentence for part in (law.even, law.odd) if part.kind == "unknown"]
    if zeros.undecided:
        reasons.append(f"{len(zeros.undecided)} coefficients are not told from zero")
    comparison, exponent = None, None
    try:
        comparison = compare(law, table)
    except DomainError:  # a law without a rate, or too few coefficients: nothing to compare
        pass
    try:
        exponent = phi.information_exponent(variance, digits)
    except UndecidedError as error:
        reasons.append(f"information exponent: {error}")
    return Decay(phi, table, law, comparison, exponent, zeros, tuple(reasons))


def _section(found: Decay) -> Section:
    from analytic_ntk.report.sections import Section, Table

    q, last = found.table.variance, found.table.rows[-1].n
    law, comparison, exponent = found.law, found.comparison, found.exponent
    rows = [
        (f"law, n {name}", part.sentence, "predicted")
        for name, part in (("even", law.even), ("odd", law.odd))
    ]
    if law.even.formula == law.odd.formula:
        rows = [("law", law.even.sentence, "predicted")]
    if comparison is not None:
        name = f"{comparison.quantity} in a_0 .. a_{last}"
        rows.append((name, f"{comparison.fitted:.6g}, predicted {comparison.predicted:.6g}", "float64 fit"))
        if comparison.tail_ratio is not None:
            rows.append(("|a_n| / law in the tail", f"up to {comparison.tail_ratio:.4g}", "float64"))
    if exponent is not None:
        rows.append(
            (
                "information exponent",
                "none: constant" if exponent.order is None else str(exponent.order),
                "proved",
            )
        )
    rows.append((f"zeros up to n = {last}", str(found.zeros), "" if found.zeros.undecided else "proved"))
    argument = "Z" if q == 1 else f"sqrt({q}) Z"
    notes = (f"{found.activation}: a_n = E[phi({argument}) He_n(Z)] / sqrt(n!); a prediction is no bound",)
    table = Table(("what", "answer", "kind"), tuple(rows), numeric=False)
    missing = "\n".join(f"not had: {reason}" for reason in found.reasons)
    return Section("Decay of the Hermite coefficients", notes, table=table, last=missing)


def _json(found: Decay) -> dict[str, Any]:
    from analytic_ntk.report.data import as_json

    comparison, exponent = found.comparison, found.exponent
    return activation_json(found.activation) | {
        "variance": str(found.table.variance),
        "order": found.table.rows[-1].n,
        "digits": found.table.digits,
        "law": {
            "kind": "predicted",
            "even": _law_json(found.law.even),
            "odd": _law_json(found.law.odd),
        },
        "comparison": comparison
        and {
            "kind": "float64 fit",
            "quantity": comparison.quantity,
            "predicted": comparison.predicted,
            "fitted": comparison.fitted,
            "tail_ratio": as_json(comparison.tail_ratio),
        },
        "information_exponent": exponent
        and {
            "kind": "proved",
            "order": exponent.order,
            "value": value_json(exponent.value, found.table.digits),
            "zeros_below": [{"n": n, "reason": reason} for n, reason in exponent.reasons],
        },
        "zeros": {
            "proved": [{"n": n, "reason": reason} for n, reason in found.zeros.proved],
            "undecided": list(found.zeros.undecided),
        },
        "missing": list(found.reasons),
    }


def _law_json(law: ParityLaw) -> dict[str, Any]:
    from analytic_ntk.report.data import as_json

    names = ("kind", "exponent", "rate", "ratio", "constant", "source")
    return {name: as_json(getattr(law, name)) for name in names} | {
        "formula": law.formula,
        "latex": law.latex(),
    }


def _picture(found: Decay, ending: str) -> bytes:
    from analytic_ntk.report.decay_plot import save_decay_plot

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"decay{ending}"
        return save_decay_plot(found.law, found.table, path, str(found.activation)).read_bytes()
