"""Tables to a file and back."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from analytic_ntk.errors import DomainError
from analytic_ntk.report.files import path_of, resolved, write_bytes
from analytic_ntk.tables import agreement, parquet
from analytic_ntk.tables.layout import FORMAT, tables_from
from analytic_ntk.tables.markup import latex_text, markdown_text
from analytic_ntk.tables.records import HermiteTables
from analytic_ntk.tables.shown import table_text
from analytic_ntk.tables.text import csv_text, from_csv, from_json, json_text

FORMATS: dict[str, Callable[[HermiteTables], str]] = {
    "table": table_text,
    "csv": csv_text,
    "json": json_text,
    "markdown": markdown_text,
    "latex": latex_text,
}
"""The text formats by name; ``parquet`` is the one other."""

READABLE = ("json", "csv", "parquet")
ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".tex": "latex",
    ".parquet": "parquet",
    ".txt": "table",
}
MAX_BYTES = 1 << 30


def format_of(path: Path, format: str | None = None) -> str:
    """The name of a format, checked; from the file's ending where none is given.

    >>> format_of(Path("a.csv")), format_of(Path("a.csv"), "json")
    ('csv', 'json')
    """
    if format is not None:
        if format not in (*FORMATS, "parquet"):
            raise DomainError(f"the format {str(format)[:40]!r}", f"{', '.join(FORMATS)} or parquet")
        return format
    if path.suffix.lower() not in ENDINGS:
        raise DomainError(
            f"the ending {path.suffix!r} of {path.name}"[:100], ", ".join(ENDINGS), "say which format it is"
        )
    return ENDINGS[path.suffix.lower()]


def rendered(tables: HermiteTables, format: str) -> bytes:
    """The whole file in memory; equal tables give equal bytes."""
    if format == "parquet":
        return parquet.parquet_bytes(tables)
    return FORMATS[format](tables).encode()


def write(tables: HermiteTables, path: str | Path, format: str | None = None) -> None:
    """Write tables to a file, whole or not at all.

    ``format`` is ``table``, ``csv``, ``json``, ``markdown``, ``latex`` or ``parquet``; without it the ending
    of the file says. Raises :class:`DomainError` for another format (or ``parquet`` without pyarrow),
    :class:`OSError` where the file cannot be written.
    """
    path = path_of(path)
    content = rendered(tables, format_of(path, format))
    require_writable(path)
    write_bytes(path, content)


def require_writable(path: Path) -> None:
    """Raise :class:`OSError` for a directory, a device, or a file in a directory that does not exist."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if not resolved(path).parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def read(path: str | Path) -> HermiteTables:
    """The tables of a JSON, CSV or Parquet file: enclosures, exact expressions, everything that was written.

    What kind of file it is, its content says. The checksum is verified, expressions are read by the
    package's own reader and compared with their enclosures. Raises :class:`DomainError`, which names the
    file, for a table that was changed, cut short, made by something else or meant to be shown only;
    :class:`OSError` for a file that cannot be read.

    >>> import tempfile
    >>> from analytic_ntk import activations, tables
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tables.write(tables.compute(activations.relu, order=2), f"{folder}/relu.csv")
    ...     (relu,) = tables.read(f"{folder}/relu.csv")
    >>> relu.rows[2].expression, relu.hermite.rows[1].value
    (1/(2*sqrt(pi)), Enclosure(0.5000000000000000000000000000000000000000, exact))
    """
    path = path_of(path)
    try:
        found = tables_from(_content(_bytes(path)))
        for table in found.tables:
            agreement.check(table)
        return found
    except DomainError as error:
        raise DomainError(f"{path}: {error.given}", error.required, error.remedy) from error


def _bytes(path: Path) -> bytes:
    status = path.stat()
    if stat.S_ISREG(status.st_mode) and status.st_size > MAX_BYTES:
        raise DomainError(f"{status.st_size} bytes", f"at most {MAX_BYTES}")
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise DomainError("something that is not a file", "a file")
    return path.read_bytes()


def _content(data: bytes) -> object:
    if data.startswith(b"PAR1"):
        return parquet.from_parquet(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DomainError("a file of another kind (not text)", f"an {FORMAT}") from None
    if not text.strip():
        raise DomainError("an empty file", f"an {FORMAT}")
    if text.startswith("{"):
        return from_json(text)
    if text.startswith(f"# {FORMAT}"):
        return from_csv(text)
    for sign, name in (("<!-- ", "Markdown"), ("% ", "LaTeX"), ("Hermite coefficients", "plain text")):
        if text.startswith(sign if sign.startswith("H") else sign + FORMAT):
            raise DomainError(
                f"a table in {name}, which is for showing", "JSON, CSV or Parquet", "write it in one of these"
            )
    raise DomainError("a file of another kind", f"an {FORMAT} as JSON, CSV or Parquet")
