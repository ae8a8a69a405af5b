"""What notebooks show of a result: records, HTML tables, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIGHT = ' style="text-align: right"'
FEW, LONG = 6, 70
"""Entries of an array that are written out; characters of a value."""


class Shown:
    """A dataclass of results that shows itself in short: a line for each field, a table in notebooks.

    ``repr`` still has everything.
    """

    def _rows(self) -> Iterator[tuple[str, str]]:
        """Name and value of each field, shortened."""
        assert is_dataclass(self)
        for field in fields(self):
            yield field.name.replace("_", " "), short(getattr(self, field.name))

    def __str__(self) -> str:
        rows = list(self._rows())
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:{width}}  {value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        return html_table(("", ""), list(self._rows()), type(self).__name__, numeric=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(type(self).__name__ if cycle else str(self))


def short(value: Any) -> str:
    """A value in a line: digits that are certain, six digits of a float, the shape and range of an array.

    >>> short(1 / 3), short((1, 2.0)), short(np.arange(9.0)), short(Fraction(1, 3) ** 99)
    ('0.333333', '(1, 2)', 'array of shape (9,), from 0 to 8', '5.82098e-48')
    """
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    if isinstance(value, Fraction):
        return str(value) if len(str(value)) <= 20 else f"{float(value):.6g}"
    if isinstance(value, Enum):
        return str(value.value)
    if hasattr(value, "decimal") and hasattr(value, "radius"):  # an enclosure
        return str(value.decimal(20))
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, (tuple, list)):
        if len(value) <= FEW and not any(is_dataclass(item) for item in value):
            return f"({', '.join(map(short, value))})"
        return f"{len(value)} of {type(value[0]).__name__}"
    if is_dataclass(value) and type(value).__str__ is not object.__str__:
        return f"{str(value).splitlines()[0]} ..." if isinstance(value, Shown) else _cut(str(value))
    if is_dataclass(value):
        return type(value).__name__
    return _cut(str(value))


def _array(value: np.ndarray) -> str:
    if value.size <= FEW:
        return np.array2string(value, precision=6, separator=", ").replace("\n", "")
    shape = f"array of shape {value.shape}"
    if value.dtype.kind not in "iuf":
        return shape
    return f"{shape}, from {short(value.min().item())} to {short(value.max().item())}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONG else f"{line[: LONG - 3]}..."


def html_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "", numeric: bool = True
) -> str:
    """A table; every text is escaped, and all columns but the first are aligned to the right if ``numeric``.

    >>> html_table(["n", "a_n"], [[0, "<1>"]], numeric=False)[-62:]
    '<tbody>\\n<tr><td>0</td><td>&lt;1&gt;</td></tr>\\n</tbody></table>'
    """

    def line(tag: str, cells: Sequence[Any]) -> str:
        styles = ["", *([RIGHT if numeric else ""] * (len(cells) - 1))]
        inner = (f"<{tag}{s}>{escape(str(c))}</{tag}>" for s, c in zip(styles, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "\n".join(line("td", row) for row in rows)
    return f"<table>{title}<thead>{line('th', columns)}</thead><tbody>\n{body}\n</tbody></table>"


def axes_for(axes: Axes | None) -> Axes:
    """The axes given, or new ones that a notebook shows."""
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt  # slow to load, and only pictures need it

    return plt.subplots(figsize=(6.4, 3.6), layout="constrained")[1]
