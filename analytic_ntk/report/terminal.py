"""A report on the terminal, readable at 80 columns."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from analytic_ntk.report.data import Formula, Report
from analytic_ntk.report.sections import Section, Table, network_line, sections

LONG = 1_500
"""Formulas with more characters are left to the HTML page and to JSON."""


def show(report: Report, console: Console) -> None:
    """Print the whole report."""
    console.print(Rule(Text(f" {report.title} ", style="bold"), characters="="))
    console.print(Text(network_line(report)), justify="center")
    for section in sections(report):
        console.print()
        show_section(section, console)


def show_section(section: Section, console: Console) -> None:
    """Print one section: heading, notes, formulas, table."""
    console.print(Text(section.title, style="bold"))
    for note in section.notes:
        console.print(_indented(Text(note, style="dim")))
    for formula in section.formulas:
        _show_formula(formula, console)
    if section.table is not None:
        show_table(section.table, console)
    if section.last:
        console.print(_indented(Text(section.last)))


def section_text(section: Section) -> str:
    """One section as plain text of 80 columns."""
    with io.StringIO() as file:
        show_section(section, Console(file=file, width=80))
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _show_formula(formula: Formula, console: Console) -> None:
    console.print(_indented(Text.assemble((formula.name, "bold"), f": {formula.meaning}")))
    if formula.reason:
        console.print(_indented(Text(formula.reason, style="dim"), 4))
    text = str(formula.expression)
    if len(text) > LONG:
        text = f"({len(text)} characters: see --json or --html)"
    console.print(_indented(Text(text, overflow="fold"), 4))


def _indented(content: RenderableType, by: int = 2) -> Padding:
    return Padding(content, (0, 0, 0, by), expand=False)


def show_table(table: Table, console: Console) -> None:
    """Print a table; one whose numbers do not fit side by side is printed row under row."""
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, heading in enumerate(table.columns):
        side: JustifyMethod = "left" if index == 0 or not table.numeric else "right"
        rich.add_column(heading, justify=side, overflow="fold")
    for row in table.rows:
        rich.add_row(*(Text(cell, overflow="fold") for cell in row))
    widest = sum(max(map(len, column)) + 3 for column in zip(table.columns, *table.rows, strict=True))
    if not table.numeric or widest - 3 + 2 <= console.width:
        console.print(_indented(rich))
        return
    margin = max(map(len, table.columns)) + 2
    for row in table.rows:
        for heading, cell in zip(table.columns, row, strict=True):
            console.print(_indented(Text(f"{heading:{margin}}{cell}", overflow="fold")))
