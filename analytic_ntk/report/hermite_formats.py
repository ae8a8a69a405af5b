"""A table of Hermite coefficients as text: csv, json, markdown, latex."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import sympy as sp

from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.report.data import hermite_json, printed
from analytic_ntk.report.sections import sum_line


def as_csv(table: HermiteTable) -> str:
    """One row per coefficient; the last one holds the sum of squares and, as expression, ``E phi^2``."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(("n", "value", "radius", "kind", "expression"))
    for row in table.rows:
        expression = "" if row.expression is None else str(row.expression)
        write((row.n, *printed(row.value, table.digits), row.kind, expression))
    total, moment = table.sum_of_squares, table.second_moment
    last = f"E phi^2 = {moment.decimal(table.digits)}"
    write(("sum of squares", *printed(total, table.digits), "certified", last))
    return out.getvalue()


def json_text(table: HermiteTable) -> str:
    """See :func:`analytic_ntk.report.data.hermite_json`."""
    return json.dumps(hermite_json(table), indent=2) + "\n"


def as_markdown(table: HermiteTable) -> str:
    """A pipe table, the sum of squares below it."""
    lines = ["| n | a_n | kind | expression |", "|---:|---:|---|---|"]
    for row in table.rows:
        expression = "" if row.expression is None else f"`{row.expression}`"
        lines.append(f"| {row.n} | {row.value.decimal(table.digits)} | {row.kind} | {expression} |")
    return "\n".join([*lines, "", sum_line(table)]) + "\n"


def as_latex(table: HermiteTable) -> str:
    """A ``tabular``; the sum of squares in its last line."""
    lines = [r"\begin{tabular}{rrll}", r"$n$ & $a_n$ & kind & expression \\ \hline"]
    for row in table.rows:
        expression = "" if row.expression is None else f"${sp.latex(row.expression)}$"
        lines.append(rf"{row.n} & {row.value.decimal(table.digits)} & {row.kind} & {expression} \\")
    total, moment = (v.decimal(table.digits) for v in (table.sum_of_squares, table.second_moment))
    lines.append(rf"\hline $\sum a_n^2$ & {total} & & of $\mathbb{{E}}\phi^2 = {moment}$ \\")
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


FORMATS: dict[str, Callable[[HermiteTable], str]] = {
    "csv": as_csv,
    "json": json_text,
    "markdown": as_markdown,
    "latex": as_latex,
}
"""The text formats by name."""
