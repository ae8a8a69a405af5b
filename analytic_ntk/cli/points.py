"""Points from a file: CSV, JSON or npy, every number exact."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from analytic_ntk.errors import DomainError

MAX_BYTES = 1 << 26
Rows = Iterator[tuple[str, list[object]]]


def read_points(path: Path) -> list[list[Fraction]]:
    """The rows of a file as exact rational points.

    * ``.csv``: a point a line, numbers as decimals (``0.1`` is 1/10) or fractions (``1/3``) between commas;
      empty lines and those that begin with ``#`` are skipped.
    * ``.json``: a list of lists of numbers, or of text such as ``"1/3"``; a decimal is what it says.
    * ``.npy``: an array of shape ``(N, d)`` of integers or floats, these as the binary numbers they are.

    Raises :class:`DomainError`, naming the file and the place, for anything else: another ending, a file that
    cannot be read, rows of different lengths, NaN, infinities, truth values.
    """
    readers: dict[str, Callable[[Path], Rows]] = {".csv": _csv, ".json": _json, ".npy": _npy}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DomainError(f"the file {path.name!r}", f"a name that ends with {', '.join(readers)}")
    try:
        _require_readable(path)
        return _checked(reader(path))
    except OSError as error:
        raise DomainError(f"{path}: {error.strerror or error}", "a file with points") from error
    except DomainError as error:
        raise DomainError(f"{path}: {error.given}", error.required, error.remedy) from error


def _require_readable(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DomainError("something that is not a file", "a file with points")
    if status.st_size > MAX_BYTES:
        raise DomainError(f"{status.st_size} bytes", f"at most {MAX_BYTES}")


def _checked(rows: Rows) -> list[list[Fraction]]:
    points: list[list[Fraction]] = []
    for where, cells in rows:
        if points and len(cells) != len(points[0]):
            raise DomainError(f"{where} with {len(cells)} numbers", f"{len(points[0])}, as the first has")
        if not cells:
            raise DomainError(f"{where} without numbers", "at least one coordinate")
        points.append([_number(cell, f"{where}, number {j}") for j, cell in enumerate(cells, 1)])
    if not points:
        raise DomainError("no points", "at least one")
    return points


def _number(cell: object, where: str) -> Fraction:
    from analytic_ntk.exact import exact_number

    if isinstance(cell, Fraction):
        return cell
    if not isinstance(cell, str):  # truth values, null, lists
        raise DomainError(f"{where}: {cell!r}"[:100], "a number")
    number = exact_number(cell, where)
    return Fraction(int(number.p), int(number.q))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        _refuse("bytes that are not text", "text in UTF-8")


def _csv(path: Path) -> Rows:
    reader = csv.reader(_text(path).splitlines(), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                yield f"line {reader.line_num}", list(cells)
    except csv.Error as error:
        _refuse(f"line {reader.line_num}: {error}", "numbers between commas")


def _json(path: Path) -> Rows:
    try:  # numbers stay text: a float would not be what was written
        found = json.loads(_text(path), parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        _refuse(f"no JSON ({error})"[:200], "a list of lists of numbers")
    if not isinstance(found, list):
        _refuse(f"JSON of type {type(found).__name__}", "a list of lists of numbers")
    for i, row in enumerate(found, 1):
        if not isinstance(row, list):
            _refuse(f"point {i}: {row!r}"[:100], "a list of numbers")
        yield f"point {i}", row


def _npy(path: Path) -> Rows:
    import numpy as np

    try:  # mapped: a header that promises more than the file holds is refused, not allocated
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception:  # numpy lets through whatever its reader of headers stumbles on, TokenError included
        _refuse("no whole array of numbers", "an array of shape (N, d) written by numpy.save")
    if not isinstance(array, np.ndarray):
        _refuse("several arrays", "one array of shape (N, d)")
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        _refuse(f"an array of {array.dtype}", "integers or floats of at most 64 bits")
    if array.ndim != 2:
        _refuse(f"an array of shape {array.shape}", "shape (N, d)")
    for i, row in enumerate(array, 1):
        if not np.isfinite(row).all():
            _refuse(f"point {i}: {row.tolist()}"[:100], "finite numbers")
        yield f"point {i}", [Fraction(entry) for entry in row.tolist()]


def _refuse(given: str, required: str) -> NoReturn:
    raise DomainError(given, required)
