"""Hermite coefficients for every n at once: the formula, the recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analytic_ntk.cli.answers import activation_json
from analytic_ntk.cli.app import AnswerConsole, print_json
from analytic_ntk.errors import AnalyticNTKError, NoClosedFormError, UndecidedError

if TYPE_CHECKING:
    import sympy as sp

    from analytic_ntk.activation import Activation
    from analytic_ntk.hermite import HermiteFormula, HermiteRecurrence
    from analytic_ntk.report.sections import Section

STYLES = ("table", "json", "latex")
NORMALISATION = "a_n = E[phi(sqrt(variance) Z) He_n(Z)] / sqrt(n!), c_n = sqrt(n!) a_n"


@dataclass(frozen=True)
class Found:
    """What was asked of one activation at one variance; ``reasons`` name what does not exist."""

    activation: Activation
    variance: sp.Expr
    formula: HermiteFormula | None
    recurrence: HermiteRecurrence | None
    reasons: tuple[str, ...]


def formulas(phi: Activation, variances: Sequence[str], formula: bool, recurrence: bool) -> list[Found]:
    """Formula and recurrence, as asked for, at each variance."""
    return [_found(phi, q, formula, recurrence) for q in variances]


def _found(phi: Activation, variance: str, formula: bool, recurrence: bool) -> Found:
    from analytic_ntk.activation import constant

    reasons: list[str] = []
    closed, equation = None, None
    try:
        closed = phi.hermite_formula(variance) if formula else None
    except (NoClosedFormError, UndecidedError) as error:
        reasons.append(_words(error))
    try:
        equation = phi.hermite_recurrence(variance) if recurrence else None
    except (NoClosedFormError, UndecidedError) as error:
        reasons += [words for words in [_words(error)] if words not in reasons]
    return Found(phi, constant(variance), closed, equation, tuple(reasons))


def _words(error: AnalyticNTKError) -> str:
    return f"{error.given}; required: {error.required}"


def print_formulas(found: Sequence[Found], style: str) -> None:
    """On stdout, in one of the styles."""
    from analytic_ntk.report.terminal import show_section

    if style == "json":
        print_json({"normalisation": NORMALISATION, "formulas": [_json(one) for one in found]})
        return
    if style == "latex":
        print("\n".join(line for one in found for line in _latex(one)))
        return
    console = AnswerConsole()
    for index, one in enumerate(found):
        if index:
            console.print()
        show_section(_section(one), console)


def _section(found: Found) -> Section:
    from analytic_ntk.report.sections import Section

    argument = "Z" if found.variance == 1 else f"sqrt({found.variance}) Z"
    notes = [f"a_n = E[phi({argument}) He_n(Z)] / sqrt(n!); exact, n = 0, 1, 2, .."]
    lines = []
    if found.formula is not None:
        if "factorial2" in str(found.formula):
            notes.append("factorial2(k) = k!!, (-1)!! = 1, (-3)!! = -1")
        if "hermite_prob" in str(found.formula):
            notes.append("hermite_prob(m, z) = He_m(z)")
        lines += str(found.formula).splitlines()
        lines.append(f"proved by: {_equation(found.formula.recurrence)}, and the initial values")
    if found.recurrence is not None:
        lines.append(f"recurrence of c_n = sqrt(n!) a_n: {_equation(found.recurrence)}")
        lines += [f"c_{k} = {value}" for k, value in enumerate(found.recurrence.initial)]
    lines += [f"not had: {reason}" for reason in found.reasons]
    return Section(f"Hermite coefficients of {found.activation}", tuple(notes), last="\n".join(lines))


def _equation(recurrence: HermiteRecurrence) -> str:
    return f"{recurrence.equation().lhs} = 0 for n >= {recurrence.start}"


def _latex(found: Found) -> list[str]:
    lines = [f"% {found.activation}, variance {found.variance}"]
    if found.formula is not None:
        lines.append(found.formula.latex())
    if found.recurrence is not None:
        lines.append(found.recurrence.latex())
        lines += [rf"% c_{k} = {value}" for k, value in enumerate(found.recurrence.initial)]
    return [*lines, *(f"% not had: {reason}" for reason in found.reasons)]


def _json(found: Found) -> dict[str, Any]:
    from analytic_ntk.report.data import as_json

    formula = found.formula
    return activation_json(found.activation) | {
        "variance": str(found.variance),
        "kind": "exact",
        "formula": formula
        and {
            "even": str(formula.even),
            "odd": str(formula.odd),
            "exceptions": [{"n": k, "value": str(value)} for k, value in formula.exceptions],
            "latex": formula.latex(),
            "proved_by": _recurrence_json(formula.recurrence),
        },
        "recurrence": found.recurrence and _recurrence_json(found.recurrence),
        "missing": as_json(found.reasons),
    }


def _recurrence_json(recurrence: HermiteRecurrence) -> dict[str, Any]:
    from analytic_ntk.report.data import as_json

    return {
        "coefficients": as_json(recurrence.coefficients),
        "from": recurrence.start,
        "initial": as_json(recurrence.initial),
        "equation": _equation(recurrence),
        "latex": recurrence.latex(),
    }
