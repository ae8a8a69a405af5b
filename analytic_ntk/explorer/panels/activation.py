"""``phi`` and ``phi'``, and what is derived from the formula."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.explorer import figures
from analytic_ntk.explorer.code import numpy_code, sympy_code
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject, Typeset
from analytic_ntk.explorer.subject import Array, activation_of
from analytic_ntk.explorer.view import View
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.unevaluated import piecewise_expression
from analytic_ntk.gaussian.values import evaluate
from analytic_ntk.notation import x
from analytic_ntk.report.builder import properties_of
from analytic_ntk.report.sections import Table, properties_table

LEFT, RIGHT, POINTS = -4.0, 4.0, 401


def compute(view: View) -> Panel:
    """The picture of both, and the properties."""
    phi = activation_of(view.activation)
    table = properties_table(properties_of(phi))
    rows = tuple(row for row in table.rows if row[0] not in ("expression", "derivative"))
    formulas = (
        _typeset("φ(x)", "phi", "the activation", phi.expression),
        _typeset("φ′(x)", "derivative", "away from the breakpoints", piecewise_expression(phi.derivative)),
    )
    return Panel(
        ("exact", "float64"),
        notes=("The properties are derived from the formula; the curves are float64.",),
        figures=(_figure(phi),),
        formulas=formulas,
        tables=(
            Captioned("Properties of the activation", Table(("property", "value"), rows, numeric=False)),
        ),
    )


def _typeset(name: str, function: str, meaning: str, expression: sp.Expr) -> Typeset:
    latex = sp.latex(expression)
    return Typeset(name, meaning, latex, sympy_code(expression), numpy_code(function, expression, x))


def _figure(phi: Activation) -> Figure:
    drawing, axes = figures.canvas("x", "")
    highest = 0.0
    for pieces, label, colour, style in (
        (phi.pieces, "φ", figures.SERIES[0], "-"),
        (phi.derivative, "φ′", figures.SERIES[1], "--"),
    ):
        for index, (points, values) in enumerate(_segments(pieces)):
            axes.plot(points, values, style, color=colour, linewidth=1.8, label=None if index else label)
            inner = values[np.abs(points) <= 2]
            highest = max(highest, float(np.abs(inner).max(initial=0.0)))
    limit = 2.5 * highest
    if any(abs(bound) > limit for bound in axes.get_ylim()) and highest:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -limit), min(high, limit))
    figures.legend(axes)
    return figures.drawn(drawing, "activation", f"The activation {phi} and its derivative on [-4, 4].")


def _segments(pieces: Pieces) -> list[tuple[Array, Array]]:
    """The function between its breakpoints: a jump is not joined by a line."""
    inner = sorted(float(point) for point in pieces.breakpoints)
    ends = [LEFT, *(point for point in inner if LEFT < point < RIGHT), RIGHT]
    found = []
    for low, high in pairwise(ends):
        margin = 1e-9 * max(1.0, abs(low), abs(high))
        count = max(5, int(POINTS * (high - low) / (RIGHT - LEFT)))
        points = np.linspace(low + margin, high - margin, count)
        with np.errstate(over="ignore", invalid="ignore"):
            values = evaluate(pieces, points)
        finite = np.isfinite(values)
        found.append((points[finite], values[finite]))
    return found


def check(view: View) -> Panel:
    """Nothing, if the text is an activation; else its :class:`DomainError`."""
    activation_of(view.activation)
    return Panel(())


CHECK = Subject("check", "The activation", "", ("activation",), check, seconds=20.0)
"""Asked before all panels, so that a wrong text is told once, beside its field."""

SUBJECT = Subject(
    "activation",
    "The activation",
    "φ and its derivative, and what follows from the formula alone.",
    ("activation",),
    compute,
)
