"""Tables as Markdown and LaTeX: to be shown, with the metadata in comments."""

from __future__ import annotations

import re
from collections.abc import Iterable

import sympy as sp

from analytic_ntk.enclosure import Enclosure
from analytic_ntk.report.data import printed
from analytic_ntk.tables.columns import COLUMNS
from analytic_ntk.tables.decimals import text_of
from analytic_ntk.tables.layout import content_of
from analytic_ntk.tables.records import HermiteTables, Row, Table
from analytic_ntk.tables.text import head_lines

_NUMERIC = ("enclosure", "float", "radius")


def cell_text(row: Row, name: str, digits: int) -> str:
    """One entry as it is shown: certain digits only; a number that may be 0 by a bound of its size."""
    if name == "radius":  # of the digits that are shown: their rounding is part of it
        return "" if row.value is None else printed(row.value, digits)[1]
    cell = getattr(row, name)
    if cell is None:
        return ""
    if isinstance(cell, Enclosure):
        return cell.decimal(digits) if cell.digits else f"0 +- {text_of(abs(cell.midpoint) + cell.radius)}"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def sum_line(table: Table) -> str:
    """How much of ``E phi^2`` the coefficients up to the last one carry."""
    total, moment = (value.decimal(table.digits) for value in (table.sum_of_squares, table.second_moment))
    start = table.rows[0].n
    which = f" of a_0 .. a_{table.rows[-1].n}" if start else ""
    return f"sum of squares{which} {total} of E phi^2 = {moment}"


# ------------------------------------------------------------------------------------ Markdown


def markdown_text(tables: HermiteTables) -> str:
    """Pipe tables, below each the sum of squares; the metadata in a comment."""
    head = "\n".join(head_lines(content_of(tables))).replace("--", "-\\u002d")  # "--" may not stand in one
    blocks = [f"<!-- {head}\n-->"]
    for table in tables.tables:
        if len(tables) > 1:
            blocks.append(f"**{_markdown(table.label)}** at variance {table.variance}")
        columns = [COLUMNS[name] for name in table.columns]
        lines = [
            "| n | " + " | ".join(column.heading.replace("|", r"\|") for column in columns) + " |",
            "|---:|" + "|".join("---:" if c.holds in _NUMERIC else "---" for c in columns) + "|",
        ]
        for row in table.rows:
            cells = [_markdown_cell(cell_text(row, c.name, table.digits), c.name) for c in columns]
            lines.append(f"| {row.n} | {' | '.join(cells)} |")
        blocks += ["\n".join(lines), sum_line(table)]
    return "\n\n".join([*blocks, *_absent(tables)]) + "\n"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _markdown_cell(text: str, name: str) -> str:
    return f"`{text}`" if name == "expression" and text else text  # no expression of a number holds a "|"


def _absent(tables: HermiteTables) -> Iterable[str]:
    return (f"not had: {m.activation} at variance {m.variance} ({m.reason})" for m in tables.missing)


# ------------------------------------------------------------------------------------ LaTeX

_NUMBER = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<decimals>[0-9]+))?(?:e(?P<power>-?[0-9]+))?")


def latex_text(tables: HermiteTables) -> str:
    """One ``tabular`` for each table, numbers aligned; needs the packages ``booktabs`` and ``siunitx``."""
    head = [r"needs \usepackage{booktabs}, \usepackage{siunitx}, \usepackage{amssymb}"]
    blocks = ["\n".join(f"% {line}" for line in [*head_lines(content_of(tables)), *head])]
    blocks += [_tabular(table) for table in tables.tables]
    blocks += ["% " + " ".join(line.split()) for line in _absent(tables)]
    return "\n\n".join(blocks) + "\n"


def _tabular(table: Table) -> str:
    columns = [COLUMNS[name] for name in table.columns]
    cells = [[_latex_cell(row, column.name, table.digits) for row in table.rows] for column in columns]
    formats = [
        column_format(entries) if column.holds in _NUMERIC else "l"
        for column, entries in zip(columns, cells, strict=True)
    ]
    indices = [str(row.n) for row in table.rows]
    width = len(columns) + 1
    total, moment = (value.decimal(table.digits) for value in (table.sum_of_squares, table.second_moment))
    title = rf"$\varphi(x) = {sp.latex(table.activation.expression)}$, variance ${sp.latex(table.variance)}$"
    lines = [
        rf"\begin{{tabular}}{{{column_format(indices)}{''.join(formats)}}}",
        r"\toprule",
        rf"\multicolumn{{{width}}}{{l}}{{{title}}} \\",
        r"\midrule",
        " & ".join(["{$n$}", *(f"{{{column.latex}}}" for column in columns)]) + r" \\",
        r"\midrule",
        *(" & ".join(entries) + r" \\" for entries in zip(indices, *cells, strict=True)),
        r"\midrule",
        rf"\multicolumn{{{width}}}{{l}}{{$\sum_{{k\le {indices[-1]}}} a_k^2 = {_math(total)}$"
        rf" of $\mathbb{{E}}\varphi^2 = {_math(moment)}$}} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _latex_cell(row: Row, name: str, digits: int) -> str:
    if name == "expression":
        return "" if row.expression is None else f"${sp.latex(row.expression)}$"
    text = cell_text(row, name, digits)
    if not text or COLUMNS[name].holds not in _NUMERIC or _NUMBER.fullmatch(text):
        return text
    bound = text.removeprefix("0 +- ")  # braces: siunitx centres the cell instead of parsing it
    return rf"{{$0 \pm {_math(bound)}$}}"


def _math(text: str) -> str:
    mantissa, _, power = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else text


def column_format(entries: list[str]) -> str:
    r"""An ``S`` column with room for every entry; its format is sign, integer, decimal, exponent digits.

    >>> column_format(["-0.25", "1.5e-12", "{$0$}", ""])
    'S[table-format=-1.2e-2]'
    """
    found = [match for match in map(_NUMBER.fullmatch, entries) if match]

    def longest(part: str) -> int:
        return max((len(match[part].lstrip("-")) for match in found if match[part]), default=0)

    sign = "-" if any(match["sign"] for match in found) else ""
    power = "-" if any((match["power"] or "").startswith("-") for match in found) else ""
    exponent = f"e{power}{longest('power')}" if longest("power") else ""
    return f"S[table-format={sign}{longest('whole') or 1}.{longest('decimals')}{exponent}]"
