"""Computed Hermite coefficients beside their predicted law, on the axes that make the law a straight line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.hermite.decay import DecayLaw, ParityLaw
from analytic_ntk.hermite.decay.compare import log_size
from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.report.plots import HEIGHT, WIDTH

FORMATS = (".png", ".svg", ".pdf")
_MAX_CURVE = 400


def decay_figure(law: DecayLaw, table: HermiteTable, title: str = "") -> Any:
    """A matplotlib figure of ``log10 |a_n|`` (certified nonzero coefficients) and of the predicted law.

    The axis of ``n`` is logarithmic for an algebraic law, ``sqrt n`` for a root-exponential one, linear
    otherwise. The law is drawn for each parity with a known constant; where its two envelopes agree, once.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    shown = [(row.n, size / math.log(10)) for row in table.rows if (size := log_size(row.value)) is not None]
    if shown:
        axes.plot(*zip(*shown, strict=True), "o", markersize=3, color="C0", label="computed (certified)")
    last = max(table.rows[-1].n, 1)
    for curve, style in zip(_curves(law, last), ("-", "--"), strict=False):
        axes.plot(*curve[1:], style, linewidth=1, color="C1", label=curve[0])
    _scale(axes, law.leading, last)
    axes.set(ylabel=r"$\log_{10} |a_n|$", title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    return figure


def save_decay_plot(law: DecayLaw, table: HermiteTable, path: str | Path, title: str = "") -> Path:
    """Write the picture as PNG, SVG or PDF, by the suffix. Raises :class:`DomainError` for another suffix."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise DomainError(f"the file {path.name!r}", f"a suffix among {', '.join(FORMATS)}")
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
        metadata = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[path.suffix.lower()]
        decay_figure(law, table, title).savefig(path, dpi=150, metadata=metadata)
    return path


def _curves(law: DecayLaw, last: int) -> list[tuple[str, list[int], list[float]]]:
    parts = [part for part in (law.leading, law.odd, law.even) if part.waves]
    kept: list[ParityLaw] = []
    for part in parts:
        if all(part.formula != other.formula for other in kept):
            kept.append(part)
    curves = []
    for part in kept:
        first = max(part.start, 1)
        grid = {int(n) for n in np.geomspace(first, last, _MAX_CURVE)} if first <= last else set()
        grid |= {int(n) for n in np.linspace(first, last, _MAX_CURVE)} if first <= last else set()
        orders = sorted(n - (n - part.odd) % 2 for n in grid if n - (n - part.odd) % 2 >= first)
        orders = list(dict.fromkeys(orders))
        if orders:
            values = [part.log_envelope(n) / math.log(10) for n in orders]
            curves.append((f"predicted: {part.formula}", orders, values))
    return curves


def _scale(axes: Any, law: ParityLaw, last: int) -> None:
    axes.set_xlabel("n")
    axes.set_xlim(-0.02 * last, last * 1.02)
    if law.kind == "algebraic":
        axes.set_xscale("log")
        axes.set_xlim(1, last * 1.05)
    elif law.kind == "root-exponential":
        axes.set_xlim(0, last * 1.02)
        axes.set_xscale("function", functions=(lambda n: np.sqrt(np.maximum(n, 0)), np.square))
        axes.set_xlabel(r"n (axis in $\sqrt{n}$)")
