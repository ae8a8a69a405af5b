"""Tables as plain data, the same in every file: texts, small integers, and a checksum over all of it.

Version 1. Every number other than ``n``, ``from``, ``order`` and ``digits`` is a text, so that no reader
rounds it. The checksum is the SHA-256 of the content as JSON with sorted keys, without spaces, in ASCII: it
does not depend on the kind of file.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from analytic_ntk.activation import Activation, constant
from analytic_ntk.certify import MAX_DIGITS
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite import MAX_ORDER
from analytic_ntk.tables.columns import COLUMNS, Column, chosen
from analytic_ntk.tables.decimals import enclosure_from, text_of
from analytic_ntk.tables.numbers import read_expression
from analytic_ntk.tables.records import NORMALISATION, HermiteTables, Missing, Row, Table

FORMAT = "analytic-ntk hermite table"
VERSION = 1
CHECKSUM = "checksum"

Content = dict[str, Any]

_HEADER = ("format", "version", "software", "normalisation", "from", "order", "digits", "columns", "meaning")
_TABLE = ("activation", "expression", "variance", "sum_of_squares", "second_moment", "rows")
_MISSING = ("activation", "expression", "variance", "reason")


def fields_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of a row in a file: ``n``, then those of every column; a radius follows its number."""
    return ("n", *(field for name in columns if name != "radius" for field in COLUMNS[name].fields))


def content_of(tables: HermiteTables) -> Content:
    """Everything that a file says, its checksum last."""
    columns = [COLUMNS[name] for name in tables.columns if name != "radius"]
    content: Content = {
        "format": FORMAT,
        "version": VERSION,
        "software": dict(tables.software),
        "normalisation": NORMALISATION,
        "from": tables.first,
        "order": tables.order,
        "digits": tables.digits,
        "columns": list(tables.columns),
        "meaning": {column.name: column.meaning for column in columns},
        "tables": [_table_content(table, columns) for table in tables.tables],
        "missing": [
            _unit(missing.activation, missing.variance) | {"reason": missing.reason}
            for missing in tables.missing
        ],
    }
    return content | {CHECKSUM: checksum(content)}


def checksum(content: Content) -> str:
    """SHA-256 of the canonical form of everything but the checksum itself."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _unit(activation: Activation, variance: object) -> Content:
    return {
        "activation": activation.name,
        "expression": str(activation.expression),
        "variance": str(variance),
    }


def _table_content(table: Table, columns: list[Column]) -> Content:
    rows = [{"n": row.n} | _row_content(row, columns) for row in table.rows]
    ends = {
        "sum_of_squares": _pair(table.sum_of_squares),
        "second_moment": _pair(table.second_moment),
    }
    return _unit(table.activation, table.variance) | ends | {"rows": rows}


def _pair(value: Enclosure) -> dict[str, str]:
    return {"value": text_of(value.midpoint), "radius": text_of(value.radius)}


def _row_content(row: Row, columns: list[Column]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for column in columns:
        cell = getattr(row, column.name)
        if column.holds == "enclosure":
            texts = (None, None) if cell is None else (text_of(cell.midpoint), text_of(cell.radius))
            found |= dict(zip(column.fields, texts, strict=True))
        else:
            found[column.name] = (
                None if cell is None else repr(cell) if column.holds == "float" else str(cell)
            )
    return found


# ------------------------------------------------------------------------------------ and back


def tables_from(content: object) -> HermiteTables:
    """What :func:`content_of` was made from.

    Raises :class:`DomainError` for content of another kind or version, for a checksum that does not match,
    and for anything that could not have been written.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DomainError("a file of another kind", f"a file that says it is an {FORMAT}")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise DomainError(
            f"version {str(content.get('version'))[:20]} of the format",
            f"version {VERSION}",
            "use the version of analytic-ntk that wrote it, or a newer one",
        )
    if content.get(CHECKSUM) != checksum(content):
        raise DomainError("a checksum that does not match", "the content that was written", "make it again")
    _require_keys(content, (*_HEADER, "tables", "missing", CHECKSUM))
    first, order, digits = (_integer(content, key) for key in ("from", "order", "digits"))
    if not (0 <= first <= order <= MAX_ORDER and 1 <= digits <= MAX_DIGITS):
        raise DomainError(f"orders {first}..{order} with {digits} digits", "a range that can be asked for")
    columns = chosen(_list(content["columns"]))
    if list(columns) != content["columns"]:
        raise DomainError(f"the columns {content['columns']}"[:80], "columns as they are written")
    versions = content["software"]
    if not isinstance(versions, dict) or not all(isinstance(v, str) for v in versions.values()):
        raise DomainError(f"the software {str(versions)[:60]}", "names with their versions")
    tables = tuple(_table_from(item, first, order, digits, columns) for item in _list(content["tables"]))
    missing = tuple(_missing_from(item) for item in _list(content["missing"]))
    return HermiteTables(first, order, digits, columns, tuple(versions.items()), tables, missing)


def _table_from(item: Any, first: int, order: int, digits: int, columns: tuple[str, ...]) -> Table:
    _require_keys(item, _TABLE)
    activation, variance = _unit_from(item)
    rows = _list(item["rows"])
    if len(rows) != order - first + 1:
        raise DomainError(f"{len(rows)} rows for {activation}", f"those of {first}..{order}")
    found = tuple(_row_from(row, n, columns) for n, row in enumerate(rows, first))
    ends = (_enclosure(item["sum_of_squares"]), _enclosure(item["second_moment"]))
    return Table(activation, variance, digits, columns, found, *ends)


def _missing_from(item: Any) -> Missing:
    _require_keys(item, _MISSING)
    return Missing(*_unit_from(item), str(item["reason"]))


def _unit_from(item: Content) -> tuple[Activation, Any]:
    name = item["activation"]
    expression = read_expression(item["expression"])
    variance = constant(read_expression(item["variance"]), "variance")
    if not variance.is_positive:
        raise DomainError(f"variance = {variance}", "a variance > 0")
    return Activation(expression, name), variance


def _row_from(row: Any, n: int, columns: tuple[str, ...]) -> Row:
    _require_keys(row, fields_of(columns))
    if row["n"] != n or isinstance(row["n"], bool):
        raise DomainError(f"a row of n = {str(row['n'])[:20]}", f"the row of n = {n} here")
    cells: dict[str, Any] = {}
    for name in columns:
        if name == "radius":
            continue
        column = COLUMNS[name]
        given = [row[field] for field in column.fields]
        if given[0] is None and name in ("expression", "share", "predicted", "envelope"):
            cells[name] = None
        elif column.holds == "enclosure":
            cells[name] = enclosure_from(*given)
        elif column.holds == "float":
            cells[name] = _float(given[0])
        elif column.holds == "expression":
            cells[name] = read_expression(given[0])
        elif given[0] in ("exact", "certified"):
            cells[name] = given[0]
        else:
            raise DomainError(f"the kind {str(given[0])[:20]!r}", "exact or certified")
    return Row(n, **cells)


def _enclosure(item: Any) -> Enclosure:
    _require_keys(item, ("value", "radius"))
    return enclosure_from(item["value"], item["radius"])


def _float(text: object) -> float:
    if isinstance(text, str):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and repr(value) == text:
            return value
    raise DomainError(f"{str(text)[:40]!r}", "a finite float64, written so that it comes back")


def _require_keys(item: object, keys: tuple[str, ...]) -> None:
    if not isinstance(item, dict) or set(item) != set(keys):
        shown = ", ".join(sorted(map(str, item)))[:80] if isinstance(item, dict) else str(item)[:60]
        raise DomainError(f"the fields {shown}", f"exactly {', '.join(keys)}")


def _list(item: object) -> list[Any]:
    if not isinstance(item, list):
        raise DomainError(f"{str(item)[:60]!r}", "a list")
    return item


def _integer(content: Content, key: str) -> int:
    value = content[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise DomainError(f"{key} = {str(value)[:40]!r}", "an integer")
    return value
