"""One style for all figures, ``figures.mplstyle``: read here, and by the notebooks as ``MATPLOTLIBRC``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
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
