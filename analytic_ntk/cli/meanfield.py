"""Infinitely many layers: fixed points, order and chaos, the edge between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from analytic_ntk.cli.answers import KINDS, activation_json, kind, shown, value_json
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
from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError

if TYPE_CHECKING:
    from analytic_ntk.activation import Activation
    from analytic_ntk.meanfield import DeepLimit, FixedPoints
    from analytic_ntk.report.sections import Section

STABLE = {True: "attracts", False: "repels", None: "not decided by V'"}


@app.command()
def meanfield(
    act: ACT,
    weight_variance: Annotated[str | None, typer.Option(help="An exact number.", show_default="1")] = None,
    bias_variance: Annotated[str | None, typer.Option(help="An exact number.", show_default="0")] = None,
    variance: Annotated[
        str | None, typer.Option(help="The fixed point to look at; with --tune, where the edge is to be.")
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="The variances on the edge of chaos instead, for --variance (default 1) "
                     "or for --bias-variance."),
    ] = False,
    digits: DIGITS = 20,
    as_json: JSON = False,
) -> None:  # fmt: skip
    """What infinitely many layers do: fixed points of the variance, order or chaos, correlation length."""
    with answering():
        phi = activation(act)
        if tune:
            if weight_variance is not None:
                raise DomainError(
                    "--weight-variance with --tune", "--variance or --bias-variance", "it is the answer"
                )
            _edge(phi, variance, bias_variance, digits, as_json)
        else:
            weight = "1" if weight_variance is None else weight_variance
            bias = "0" if bias_variance is None else bias_variance
            _limit(phi, weight, bias, variance, digits, as_json)


# ------------------------------------------------------------------------------------ the limit


def _limit(phi: Activation, weight: str, bias: str, variance: str | None, digits: int, as_json: bool) -> None:
    from analytic_ntk.activation import constant
    from analytic_ntk.meanfield import Phase, deep_limit, fixed_points
    from analytic_ntk.report.terminal import show_section

    limit, reason = None, ""
    weight, bias = str(constant(weight, "weight_variance")), str(constant(bias, "bias_variance"))
    with stages() as progress:
        progress("fixed points")
        found = fixed_points(phi, weight, bias, digits)
        progress("the limit")
        try:
            limit = deep_limit(phi, weight, bias, variance, digits)
        except (PrecisionError, UndecidedError) as error:
            reason = str(error)
        except DomainError as error:
            if variance is not None:
                raise
            reason = str(error)  # no fixed point attracts, or several do: the fixed points are an answer
    if as_json:
        print_json(_limit_json(phi, weight, bias, digits, found, limit, reason))
    else:
        console = AnswerConsole()
        show_section(_points_section(phi, weight, bias, digits, found), console)
        console.print()
        show_section(_limit_section(digits, limit, reason), console)
    if limit is None or limit.phase is Phase.UNDECIDED or found.undecided:
        raise typer.Exit(INCOMPLETE)


def _points_section(phi: Activation, weight: str, bias: str, digits: int, found: FixedPoints) -> Section:
    from analytic_ntk.report.data import lower_bound, upper_bound
    from analytic_ntk.report.sections import Section, Table

    where = "[0, oo)" if found.largest.is_infinite else f"[0, {found.largest}]"
    notes = [
        f"{phi}: V(q) = {weight} E phi(u)^2 + {bias}, u ~ N(0, q)",
        "every q >= 0 is one, exact" if found.every else f"all in {where}; {KINDS}",
    ]
    notes += [
        f"not decided: whether there are any between {lower_bound(low)} and {upper_bound(high)}"
        for low, high in found.undecided
    ]
    rows = tuple(
        (shown(p.value, digits), kind(p.value), shown(p.slope, digits), STABLE[p.stable])
        for p in found.points
    )
    table = Table(("q", "kind", "V'(q)", "it"), rows, numeric=False) if rows else None
    last = "" if rows or found.every else "none"
    return Section("Fixed points of the variance map", tuple(notes), table=table, last=last)


def _limit_section(digits: int, limit: DeepLimit | None, reason: str) -> Section:
    from analytic_ntk.report.sections import Section, Table

    title = "After infinitely many layers"
    if limit is None:
        return Section(title, (reason,))
    rows = [
        (name, shown(value, digits), kind(value)) for name, value in _quantities(limit) if value is not None
    ]
    rows.append(("phase", limit.phase.value, "proved" if limit.phase.name != "UNDECIDED" else ""))
    return Section(title, (KINDS,), table=Table(("quantity", "value", "kind"), tuple(rows), numeric=False))


def _quantities(limit: DeepLimit) -> list[tuple[str, Any]]:
    return [
        ("variance q*", limit.variance),
        ("V'(q*)", limit.variance_slope),
        ("chi_1", limit.chi_1),
        ("correlation c*", limit.correlation),
        ("C'(c*)", limit.chi_c),
        ("correlation length", limit.correlation_length),
        ("variance length", limit.variance_length),
        ("NTK of two inputs", limit.ntk),
    ]


def _limit_json(
    phi: Activation,
    weight: str,
    bias: str,
    digits: int,
    found: FixedPoints,
    limit: DeepLimit | None,
    reason: str,
) -> dict[str, Any]:
    names = (
        "variance", "variance_slope", "chi_1", "correlation", "chi_c", "correlation_length",
        "variance_length", "ntk",
    )  # fmt: skip
    return activation_json(phi) | {
        "weight_variance": weight,
        "bias_variance": bias,
        "digits": digits,
        "fixed_points": [
            {"value": value_json(p.value, digits), "slope": value_json(p.slope, digits), "stable": p.stable}
            for p in found.points
        ],
        "every_variance_is_fixed": found.every,
        "complete_up_to": str(found.largest),
        "undecided": [[str(low), str(high)] for low, high in found.undecided],
        "limit": None
        if limit is None
        else {"phase": limit.phase.value} | {n: value_json(getattr(limit, n), digits) for n in names},
        "reason": reason,
    }


# ------------------------------------------------------------------------------------ the edge


def _edge(phi: Activation, variance: str | None, bias: str | None, digits: int, as_json: bool) -> None:
    from analytic_ntk.activation import constant
    from analytic_ntk.meanfield import edge_variance, tune
    from analytic_ntk.report.sections import Section, Table
    from analytic_ntk.report.terminal import show_section

    with stages() as progress:
        progress("edge of chaos")
        weight, offset = tune(phi, variance, bias, digits)
        where = (
            constant("1" if variance is None else variance)
            if bias is None
            else edge_variance(phi, bias, digits)
        )
    answer = {"variance": where, "weight_variance": weight, "bias_variance": offset}
    if as_json:
        print_json(
            activation_json(phi)
            | {"digits": digits}
            | {name: value_json(value, digits) for name, value in answer.items()}
        )
        return
    rows = tuple(
        (name.replace("_", " "), shown(value, digits), kind(value)) for name, value in answer.items()
    )
    notes = (f"{phi}: chi_1 = 1 at a fixed point of this variance; {KINDS}",)
    table = Table(("quantity", "value", "kind"), rows, numeric=False)
    show_section(Section("Edge of chaos", notes, table=table), AnswerConsole())
