"""Line plots as SVG text, without global state: the same data gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from analytic_ntk.report.curves import Curve

WIDTH, HEIGHT = 6.4, 3.6
"""Inches."""


def lines(curves: Sequence[Curve], x_label: str, y_label: str) -> str:
    """Curves over a common axis, with a legend where there are several."""
    figure, axes = _figure(x_label, y_label)
    for curve in curves:
        axes.plot(curve.x, curve.y, label=curve.label)
    if len(curves) > 1:
        axes.legend(fontsize="small", frameon=False)
    return _svg(figure)


def stems(values: Sequence[float], x_label: str, y_label: str) -> str:
    """Absolute values over their index on a logarithmic axis; zeros leave a gap."""
    figure, axes = _figure(x_label, y_label)
    shown = [(n, abs(value)) for n, value in enumerate(values) if value != 0]
    if shown:
        axes.set_yscale("log")
        axes.plot(*zip(*shown, strict=True), linestyle="none", marker="o", markersize=4)
    axes.set_xlim(-0.5, len(values) - 0.5)
    return _svg(figure)


def picture(draw: Callable[[Any], object]) -> str:
    """What ``draw`` puts on the axes it is given."""
    figure, axes = _figure("", "")
    draw(axes)
    return _svg(figure)


def _figure(x_label: str, y_label: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # slow to load, and only pages need it

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
