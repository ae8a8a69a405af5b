"""A learning curve by degrees: the staircase, with simulated points where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.learning_curve import LearningCurve, Simulation
from analytic_ntk.report.plots import HEIGHT, WIDTH

FORMATS = (".png", ".svg", ".pdf")


def learning_figure(
    curve: LearningCurve,
    simulations: Sequence[Simulation] = (),
    title: str = "",
    scale: Literal["linear", "log"] = "linear",
) -> Any:
    """A matplotlib figure: the predicted test error over the number of samples, and its part in each degree.

    Degrees that hold some of the target are drawn; the rest of the error (variance elsewhere) is in the
    total. Simulations are points with two standard errors up and down. The samples are on a logarithmic
    axis, the errors on a linear one, where the steps show, or a logarithmic one; what an axis cannot show is
    left out. Raises :class:`DomainError` for another scale.
    """
    if scale not in ("linear", "log"):
        raise DomainError(f"scale = {scale!r}", '"linear" or "log"')
    from matplotlib.figure import Figure  # slow to load, and only pictures need it

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    order = np.argsort(curve.samples)
    shown = order[curve.samples[order] > 0]
    for number, k in enumerate(np.flatnonzero(curve.target_power)):
        part = _drawable(curve.error_by_degree[shown, k])
        axes.plot(
            curve.samples[shown], part, "--", linewidth=1, color=f"C{(number + 1) % 10}", label=f"degree {k}"
        )
    axes.plot(curve.samples[shown], _drawable(curve.test_error[shown]), color="black", label="predicted")
    if simulations:
        places, means = [s.samples for s in simulations], [s.test_error for s in simulations]
        spread = [2 * s.test_standard_error for s in simulations]
        axes.errorbar(places, means, spread, fmt="o", markersize=4, color="C0", label="simulated")
    total = _drawable(curve.test_error[shown])
    if np.isfinite(total).any():
        axes.set(xscale="log", yscale=scale)
        axes.set_ylim(bottom=np.nanmin(total) / 3 if scale == "log" else 0.0)
    axes.set(xlabel="samples", ylabel="test error", title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small", frameon=False)
    return figure


def save_learning_plot(
    curve: LearningCurve,
    path: str | Path,
    simulations: Sequence[Simulation] = (),
    title: str = "",
    scale: Literal["linear", "log"] = "linear",
) -> Path:
    """Write the picture as PNG, SVG or PDF, by the suffix; the same data gives the same bytes.

    Raises :class:`DomainError` for another suffix, :class:`OSError` where it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise DomainError(f"the file {path.name!r}", f"a suffix among {', '.join(FORMATS)}")
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
        metadata = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[path.suffix.lower()]
        learning_figure(curve, simulations, title, scale).savefig(path, dpi=150, metadata=metadata)
    return path


def _drawable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values a logarithmic axis can show; gaps elsewhere."""
    return np.where((values > 0) & np.isfinite(values), values, np.nan)
