"""Pictures as SVG text that takes its colours from the page, so that one picture serves light and dark."""

from __future__ import annotations

import io
import re
from typing import Any

from analytic_ntk.explorer.panel import Figure

INK, FAINT, PAPER = "#1b1f24", "#c4ccd4", "#fefefd"
SERIES = ("#0b62c4", "#b5400e", "#1a7f37", "#8250df", "#b3246b", "#57606b")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
"""Lines differ by their pattern too, not by colour alone."""
SIZE = (4.6, 3.1)
"""Inches: on a phone letters are still as tall as those of the text."""

_VARIABLES = {INK: "ink", FAINT: "faint", PAPER: "card"} | {c: f"series-{i}" for i, c in enumerate(SERIES)}
_NOT_OURS = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|font-family: [^;\"]*;?", re.DOTALL)
_IDS = re.compile(r'(\bid="|href="#|url\(#)')


def canvas(x_label: str, y_label: str, size: tuple[float, float] = SIZE) -> tuple[Any, Any]:
    """A matplotlib figure with one pair of axes."""
    from matplotlib.figure import Figure as Drawing  # slow to load

    figure = Drawing(figsize=size, facecolor="none")
    # margins that hold every label: to find them by a layout engine takes as long as to draw the picture
    axes = figure.add_axes((0.16, 0.16, 0.8, 0.79) if y_label else (0.1, 0.16, 0.86, 0.79), facecolor="none")
    axes.ticklabel_format(scilimits=(-3, 4))
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    return figure, axes


def legend(axes: Any, **where: Any) -> None:
    """Names of the lines, where there are any."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8.5, frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.85,
                    labelcolor=INK, **where)  # fmt: skip


def drawn(figure: Any, name: str, alt: str) -> Figure:
    """The picture. ``name`` sets its identifiers apart from those of other pictures on the page."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # a rule for "*" would be one for the whole page; letters are those of the page
    svg = _NOT_OURS.sub("", svg)
    svg = re.sub(r'^(<svg[^>]*?) width="[^"]*"', r"\1", svg, flags=re.DOTALL)
    svg = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", svg, flags=re.DOTALL)
    svg = _IDS.sub(rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return Figure(svg.strip(), alt)
