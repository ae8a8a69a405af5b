"""What notebooks show of a result: records, formulas, reasons, tables, and axes to draw on.

A class takes what fits it: :class:`Shown` (a record: its fields in a table), :class:`Typeset` (a formula),
:class:`Reasoned` (a verdict or a bound, with ``explain()``). Whatever is shown is escaped.
"""

from __future__ import annotations

import decimal
import math
import re
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIGHT, LEFT = ' style="text-align: right"', ' style="text-align: left"'
FEW, LONG = 6, 70
"""Entries of an array that are written out; characters of a value."""
LONG_REASON, WIDTH = 300, 96
"""Characters of a reason in a list; of a line of an explanation."""
ROWS = 12
"""Records of a list that are shown."""
LONG_SIDE, LONG_FORMULA = 2_000, 10_000
"""Characters of LaTeX, on a line among others and alone; what is longer is not typeset."""


class Shown:
    """A dataclass of results that shows itself in short: a line for each field, a table in notebooks.

    A field that holds records gets a table of its own below. ``repr`` still has everything.
    """

    def _fields_shown(self) -> Iterator[tuple[str, str]]:
        """Name and value of each field, shortened."""
        assert is_dataclass(self)
        for field in fields(self):
            value = getattr(self, field.name)
            towards = _OUTWARDS.get(field.name)
            shown = towards(value) if towards and isinstance(value, (float, Fraction)) else short(value)
            yield field.name.replace("_", " "), shown

    def _title_shown(self) -> str:
        return _words(type(self).__name__)

    def __str__(self) -> str:
        rows = list(self._fields_shown())
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:{width}}  {value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        assert is_dataclass(self)
        parts = [html_table((), list(self._fields_shown()), self._title_shown(), numeric=False)]
        for field in fields(self):
            value = getattr(self, field.name)
            records = value if isinstance(value, (tuple, list)) else ()
            if records and all(isinstance(item, (Shown, Typeset)) for item in records):
                parts.append(records_table(value, field.name.replace("_", " ")))
        return "\n".join(parts)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(type(self).__name__ if cycle else str(self))


class Typeset(ABC):
    """What has a formula: ``latex()`` gives it, notebooks typeset it. A very long one is left as text."""

    @abstractmethod
    def latex(self) -> str:
        """The formula in LaTeX."""

    def _repr_latex_(self) -> str | None:
        return typeset(self.latex())


class Explanation(str):
    """Text in lines, which a notebook shows as lines, wrapped."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        wrapped = (textwrap.wrap(line, WIDTH, subsequent_indent="    ") for line in self.splitlines())
        printer.text("\n".join(line for lines in wrapped for line in lines))


class Explained:
    """A verdict or a bound; ``str`` gives it in the first line, and a reason in each of the others."""

    def explain(self) -> Explanation:
        """What was found, and the chain of reasons for it, a line each."""
        return Explanation(str(self))


class Reasoned(Explained):
    """What is :class:`Explained`, shown by its reasons."""

    def _repr_html_(self) -> str:
        head, *reasons = str(self).splitlines()
        items = "".join(f"<li>{escape(_cut(reason, LONG_REASON))}</li>" for reason in reasons)
        listed = f"\n<ul>{items}</ul>" if reasons else ""
        return f"<p><b>{escape(_cut(head, LONG_REASON))}</b></p>{listed}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


# ------------------------------------------------------------------------------------ values


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
            return _cut(f"({', '.join(map(short, value))})")
        return f"{len(value)} of {type(value[0]).__name__}"
    if isinstance(value, Shown) and type(value).__str__ is Shown.__str__:
        return f"{str(value).splitlines()[0]} ..."
    if isinstance(value, Reasoned) or isinstance(value, Shown):
        return _cut(str(value).splitlines()[0])
    if is_dataclass(value) and not isinstance(value, type):
        return _cut(str(value)) if type(value).__str__ is not object.__str__ else type(value).__name__
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return _cut(str(value))


def text_above(value: Fraction | float, digits: int = 6) -> str:
    """A number to read, not below the one given.

    >>> text_above(1.0000004, 5), text_below(Fraction(2, 3), 3)
    ('1.0001', '0.666')
    """
    return _rounded(value, digits, decimal.ROUND_CEILING)


def text_below(value: Fraction | float, digits: int = 6) -> str:
    """A number to read, not above the one given."""
    return _rounded(value, digits, decimal.ROUND_FLOOR)


def _rounded(value: Fraction | float, digits: int, rounding: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    top, bottom = value.as_integer_ratio()
    context = decimal.Context(prec=digits, rounding=rounding, Emin=-(10**9), Emax=10**9)
    exact = context.divide(decimal.Decimal(top), decimal.Decimal(bottom))
    common = exact == 0 or -300 < exact.adjusted() < 300  # where float64 writes these digits back
    return f"{float(exact):.{digits}g}" if common else f"{exact.normalize():g}"


_UPPER = ("upper", "error", "entry_error", "error_bound", "remainder", "nngp_tail", "ntk_tail")
_OUTWARDS = dict.fromkeys(_UPPER, text_above) | {"lower": text_below}
"""Fields with a bound: what is shown is one too."""


def _array(value: np.ndarray) -> str:
    if value.size <= FEW:
        return np.array2string(value, precision=6, separator=", ").replace("\n", "")
    shape = f"array of shape {value.shape}"
    if value.dtype.kind not in "iuf":
        return shape
    return f"{shape}, from {short(value.min().item())} to {short(value.max().item())}"


def _cut(text: str, most: int = LONG) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _words(name: str) -> str:
    """``DecayComparison`` as "Decay comparison"."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", name)


# ------------------------------------------------------------------------------------ tables


def html_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "", numeric: bool = True
) -> str:
    """A table; every text is escaped, and all columns but the first are aligned to the right if ``numeric``.

    Without ``columns`` there is no head.

    >>> html_table(["n", "a_n"], [[0, "<1>"]])[-80:]
    '<tr><td>0</td><td style="text-align: right">&lt;1&gt;</td></tr>\\n</tbody></table>'
    """
    first, others = (LEFT, LEFT) if not numeric else ("", RIGHT)

    def line(tag: str, cells: Sequence[Any]) -> str:
        styles = [first, *([others] * (len(cells) - 1))]
        inner = (f"<{tag}{s}>{escape(str(c))}</{tag}>" for s, c in zip(styles, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = f"<thead>{line('th', columns)}</thead>" if columns else ""
    body = "\n".join(line("td", row) for row in rows)
    return f"<table>{title}{head}<tbody>\n{body}\n</tbody></table>"


def records_table(records: Sequence[Any], caption: str = "") -> str:
    """Dataclasses of one kind, a row each; of many, the first :data:`ROWS`."""
    names = [field.name for field in fields(records[0])]
    rows = [[short(getattr(record, name)) for name in names] for record in records[:ROWS]]
    more = f" (the first {ROWS} of {len(records)})" if len(records) > ROWS else ""
    return html_table([n.replace("_", " ") for n in names], rows, f"{caption}{more}", numeric=False)


def markdown_table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A title and a table in Markdown, where formulas and text stand together.

    Titles and cells are Markdown already: pass text through :func:`plain`, LaTeX through :func:`typeset`.
    """
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"{title}\n\n| | |\n|:--|:--|\n{lines}\n"


def plain(text: str) -> str:
    """Text that Markdown and HTML show as it is.

    >>> plain("a*b <script>")
    'a&#42;b &#60;script&#62;'
    """
    return re.sub(r"[^\w\s.,:;()=+/-]|_", lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def typeset(latex: str) -> str | None:
    """A formula between dollars, fit for HTML and for tables in Markdown; ``None`` if it is very long.

    >>> typeset(r"\\left|{x}\\right| < 1")
    '$\\\\displaystyle \\\\left\\\\vert {x}\\\\right\\\\vert  \\\\lt  1$'
    """
    if len(latex) > LONG_FORMULA:
        return None
    for sign, command in ((r"\|", r"\Vert "), ("|", r"\vert "), ("<", r"\lt "), (">", r"\gt ")):
        latex = latex.replace(sign, command)
    return rf"$\displaystyle {latex}$"


def typeset_rows(rows: Sequence[tuple[str, str]]) -> str | None:
    """Left and right sides below each other, as :func:`typeset`; of a long right side, its length."""
    lines = []
    for left, right in rows:
        shown = right if len(right) <= LONG_SIDE else rf"\text{{a formula of {len(right)} characters}}"
        lines.append(rf"{left} & = \displaystyle {shown}")
    joined = r" \\ ".join(lines)
    return typeset(rf"\begin{{array}}{{rl}} {joined} \end{{array}}")


# ------------------------------------------------------------------------------------ pictures


def axes_for(axes: Axes | None) -> Axes:
    """The axes given, or new ones that a notebook shows."""
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt  # slow to load, and only pictures need it

    return plt.subplots(figsize=(6.4, 3.6), layout="constrained")[1]


def number_by_integers(axes: Axes) -> None:
    """Ticks of the first axis at integers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def tidy(axes: Axes) -> Axes:
    """A light grid, no box, and a legend where lines have names."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    return axes
