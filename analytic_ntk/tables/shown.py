"""Tables for the terminal, as sections that the reports know how to print."""

from __future__ import annotations

from analytic_ntk.report.sections import Section
from analytic_ntk.report.sections import Table as Cells
from analytic_ntk.report.terminal import section_text
from analytic_ntk.tables.columns import COLUMNS
from analytic_ntk.tables.markup import cell_text, sum_line
from analytic_ntk.tables.records import HermiteTables, Table

NOTES = {
    "derivative": "a_n of phi': phi' is taken away from the breakpoints; jumps are left out",
    "predicted": "predicted: the law of decay, leading order for large n; not a bound",
    "envelope": "envelope: the law of decay with its oscillation at the maximum; not a bound",
}
"""What some columns need said beside the heading."""


def sections(tables: HermiteTables) -> list[Section]:
    """One section for each table, and one for those that could not be had."""
    found = [section(table, several=len(tables) > 1) for table in tables.tables]
    notes = tuple(f"{m.activation} at variance {m.variance}: {m.reason}" for m in tables.missing)
    return [*found, *([Section("Not had", notes)] if notes else [])]


def section(table: Table, several: bool = False) -> Section:
    """One table; where there are several, its title names the activation."""
    title = "Hermite coefficients" + (f" of {table.label}" if several else "")
    argument = "Z" if table.variance == 1 else f"sqrt({table.variance}) Z"
    names = table.columns
    notes = [f"a_n = E[phi({argument}) He_n(Z)] / sqrt(n!); exact: a closed form is known"]
    notes += [NOTES[name] for name in names if name in NOTES]
    rows = tuple((str(row.n), *(cell_text(row, name, table.digits) for name in names)) for row in table.rows)
    headings = ("n", *(COLUMNS[name].heading for name in names))
    return Section(title, tuple(notes), table=Cells(headings, rows), last=sum_line(table))


def table_text(tables: HermiteTables) -> str:
    """All sections as plain text of 80 columns."""
    return "\n".join(section_text(section) for section in sections(tables))
