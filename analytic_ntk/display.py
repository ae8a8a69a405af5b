"""What notebooks show of a result: HTML tables, and axes to draw on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIGHT = ' style="text-align: right"'


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
