"""A learning curve by degrees: the staircase, with simulated points where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

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
    """A matplotlib figure: what :meth:`LearningCurve.plot` draws, and simulations as points with two standard
    errors up and down. Raises :class:`DomainError` for another scale."""
    from matplotlib.figure import Figure  # slow to load, and only pictures need it

    axes = Figure(figsize=(WIDTH, HEIGHT), layout="constrained").add_subplot()
    if simulations:
        places, means = [s.samples for s in simulations], [s.test_error for s in simulations]
        spread = [2 * s.test_standard_error for s in simulations]
        axes.errorbar(places, means, spread, fmt="o", markersize=4, color="C0", label="simulated")
    curve.plot(axes, scale).set_title(title)
    return axes.figure


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
