"""Tables as Parquet: one row for each coefficient, the metadata in the file's own. Needs ``pyarrow``."""

from __future__ import annotations

import io
import json
from typing import Any

from analytic_ntk.errors import DomainError
from analytic_ntk.tables.layout import content_of, fields_of
from analytic_ntk.tables.records import HermiteTables
from analytic_ntk.tables.text import content_from_head, fill, head_lines

KEY = b"analytic-ntk"
_LABELS = ("activation", "variance")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DomainError(
            "the format parquet without pyarrow",
            "the extra parquet",
            'run python -m pip install "analytic-ntk[parquet]"',
        ) from None
    return pyarrow, pyarrow.parquet


def require() -> None:
    """Raise :class:`DomainError` where ``pyarrow`` is not installed."""
    _pyarrow()


def parquet_bytes(tables: HermiteTables) -> bytes:
    """The file. ``n`` is an integer; numbers are texts, so that no digit is lost; labels are always there."""
    pa, parquet = _pyarrow()
    content = content_of(tables)
    fields = fields_of(tables.columns)
    records = [
        {"activation": table.label, "variance": str(table.variance)} | row
        for table, record in zip(tables.tables, content["tables"], strict=True)
        for row in record["rows"]
    ]
    schema = pa.schema(
        [(name, pa.int64() if name == "n" else pa.string()) for name in (*_LABELS, *fields)],
        metadata={KEY: json.dumps(head_lines(content)).encode()},
    )
    arrays = pa.Table.from_pylist(records, schema=schema)
    out = io.BytesIO()
    parquet.write_table(arrays, out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def from_parquet(data: bytes) -> dict[str, Any]:
    """The content of such a file. Raises :class:`DomainError` for any other."""
    pa, parquet = _pyarrow()
    try:
        arrays = parquet.read_table(io.BytesIO(data), page_checksum_verification=True)
        lines = json.loads((arrays.schema.metadata or {})[KEY])
        columns = [column.to_pylist() for column in arrays.columns]
    except KeyError:
        raise DomainError("a Parquet file of another kind", "one that analytic-ntk wrote") from None
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise DomainError(
            f"a broken Parquet file ({str(error)[:80]})", "the file as it was written"
        ) from None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise DomainError("a Parquet file with broken metadata", "the file as it was written")
    content = content_from_head(lines)
    rows = [list(row) for row in zip(*columns, strict=True)]
    fill(content, rows, arrays.column_names, _LABELS)
    return content
