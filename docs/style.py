"""One style for all figures, ``figures.mplstyle``: read here, and by the notebooks as ``MATPLOTLIBRC``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FILE = Path(__file__).resolve().parent / "figures.mplstyle"
_STYLE = mpl.rc_params_from_file(FILE, use_default_template=False)
GREY: str = _STYLE["text.color"]
COLOURS: tuple[str, ...] = tuple(_STYLE["axes.prop_cycle"].by_key()["color"])


def save(path: Path, picture: Callable[[], Figure]) -> Path:
    """Draw a figure in the style of the pages and write it; the same numbers give the same bytes."""
    with mpl.rc_context(_STYLE):
        picture().savefig(path, metadata={"Date": None})
    return path


def two_panels() -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    return figure, list(figure.subplots(1, 2))


def finish(axes: Axes, x_label: str, y_label: str) -> None:
    """Logarithmic axes, their names, a legend."""
    axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    axes.legend()
