"""Tables as JSON and as CSV: text that holds everything and can be read back."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, NoReturn

from analytic_ntk.errors import DomainError
from analytic_ntk.tables.layout import CHECKSUM, FORMAT, Content, content_of, fields_of
from analytic_ntk.tables.records import HermiteTables

TITLE = f"{FORMAT}, version "
_LABELS = ("activation", "variance")


def json_text(tables: HermiteTables) -> str:
    """The content (:mod:`analytic_ntk.tables.layout`) as JSON, one row to a line."""
    content = content_of(tables)
    parts = [
        f' "{key}": {_tables_json(value) if key == "tables" else json.dumps(value)}'
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _tables_json(tables: list[Content]) -> str:
    parts = []
    for table in tables:
        head = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items() if key != "rows"]
        rows = ",\n".join(f"    {json.dumps(row)}" for row in table["rows"])
        parts.append("  {\n" + ",\n".join(head) + f',\n   "rows": [\n{rows}\n   ]\n  }}')
    return "[\n" + ",\n".join(parts) + "\n ]" if parts else "[]"


def from_json(text: str) -> object:
    """The content of JSON text. Raises :class:`DomainError` for text that is no strict JSON."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a field twice")
        return found

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"the number {name}")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DomainError(
            f"broken JSON ({str(error)[:80] or type(error).__name__})", "the file as it was written"
        ) from None


# ------------------------------------------------------------------------------------ head lines


def head_lines(content: Content) -> list[str]:
    """Everything but the rows, one ``key: JSON`` to a line; the title first, the checksum last."""
    lines = [f"{TITLE}{content['version']}"]
    for key, value in content.items():
        if key not in ("format", "version", "tables", CHECKSUM):
            lines.append(f"{key}: {json.dumps(value)}")
    for table in content["tables"]:
        head = {key: value for key, value in table.items() if key != "rows"}
        lines.append(f"table: {json.dumps(head)}")
    return [*lines, f"{CHECKSUM}: {json.dumps(content[CHECKSUM])}"]


def content_from_head(lines: list[str]) -> Content:
    """The content without rows."""
    title = lines[0] if lines else ""
    number = title.removeprefix(TITLE)
    if number == title or not re.fullmatch(r"[0-9]{1,6}", number):
        raise DomainError(f"the first line {title[:60]!r}", f"{TITLE}..., after the comment sign")
    content: Content = {"format": FORMAT, "version": int(number), "tables": []}
    for line in lines[1:]:
        key, _, text = line.partition(": ")
        value = from_json(text)
        if key == "table":
            content["tables"].append(value)
        elif key in content:
            raise DomainError(f"the line {key!r} twice", "each line once")
        else:
            content[key] = value
    return content


# ------------------------------------------------------------------------------------ CSV


def csv_text(tables: HermiteTables) -> str:
    """Comment lines with the metadata, a heading, one line for each row of each table.

    Where there are several tables, the columns ``activation`` and ``variance`` come first.
    """
    content = content_of(tables)
    out = io.StringIO()
    out.writelines(f"# {line}\n" for line in head_lines(content))
    write = csv.writer(out, lineterminator="\n").writerow
    fields = fields_of(tables.columns)
    several = len(tables) > 1
    write((*(_LABELS if several else ()), *fields))
    for table, record in zip(tables.tables, content["tables"], strict=True):
        labels = (table.label, str(table.variance)) if several else ()
        for row in record["rows"]:
            write((*labels, *("" if row[field] is None else row[field] for field in fields)))
    return out.getvalue()


def from_csv(text: str) -> Content:
    """The content of such text. Raises :class:`DomainError` where it does not have this form."""
    lines = text.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    content = content_from_head([line[2:].rstrip("\r\n") for line in lines[:count]])
    try:
        rows = list(csv.reader(io.StringIO("".join(lines[count:]), newline="")))
    except csv.Error as error:
        raise DomainError(f"broken CSV ({error})", "the file as it was written") from None
    several = len(content["tables"]) > 1
    fill(content, rows[1:], rows[0] if rows else [], _LABELS if several else ())
    return content


def fill(content: Content, rows: list[list[Any]], heading: list[str], labels: tuple[str, ...]) -> None:
    """Give every table of ``content`` its rows, taken in order."""
    tables, fields = content["tables"], heading[len(labels) :]
    if not all(isinstance(table, dict) for table in tables):
        raise DomainError("a table line that is no object", "the file as it was written")
    size = len(rows) // len(tables) if tables else 0
    if size * len(tables) != len(rows) or tuple(heading[: len(labels)]) != labels or fields[:1] != ["n"]:
        raise DomainError(
            f"{len(rows)} rows under {', '.join(heading)}"[:160], f"as many for each of {len(tables)} tables"
        )
    for index, table in enumerate(tables):
        mine = rows[index * size : (index + 1) * size]
        if any(len(row) != len(heading) for row in mine):
            raise DomainError("a row that is too short or too long", f"{len(heading)} cells")
        label = [str(table.get("activation") or table.get("expression")), str(table.get("variance"))]
        if labels and any(row[: len(labels)] != label for row in mine):
            raise DomainError("rows out of order", f"those of {label[0]} at variance {label[1]} here")
        table["rows"] = [dict(zip(fields, row[len(labels) :], strict=True)) for row in mine]
        for row in table["rows"]:
            row |= {key: None for key, cell in row.items() if cell == ""}
            row["n"] = _small(row["n"])


def _small(cell: Any) -> Any:
    return int(cell) if isinstance(cell, str) and re.fullmatch(r"0|[1-9][0-9]{0,5}", cell) else cell
