"""Errors of trained networks over the number of samples, by model and strength of the regulariser."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.report.plots import HEIGHT, WIDTH
from analytic_ntk.theory.escape import Summary


def escape_plot(summaries: Sequence[Summary]) -> str:
    """An SVG with two panels, the test error and its sparse part; bars are 95 % intervals over seeds.

    The same data gives the same bytes. Raises :class:`DomainError` where there is nothing to draw.
    """
    if not summaries:
        raise DomainError("no runs", "at least one summary", "use escape.summarise(runs)")
    import matplotlib as mpl
    from matplotlib.figure import Figure  # slow to load, and only pictures need it

    figure = Figure(figsize=(2 * WIDTH, HEIGHT), layout="constrained")
    for axes, part in zip(figure.subplots(1, 2), ("test_error", "sparse"), strict=True):
        half = "test_half_width" if part == "test_error" else "sparse_half_width"
        for model, strength in dict.fromkeys((s.model, s.strength) for s in summaries):
            chosen = [s for s in summaries if (s.model, s.strength) == (model, strength)]
            bars = np.array([getattr(s, half) for s in chosen])
            axes.errorbar(
                [s.samples for s in chosen],
                [getattr(s, part) for s in chosen],
                np.where(np.isfinite(bars), bars, 0.0),  # a single seed has no interval: no bar
                fmt="o-",
                markersize=4,
                capsize=2,
                label=f"{model}, strength {strength:g}",
            )
        axes.set(xlabel="samples", ylabel=part.replace("_", " "), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize="small", frameon=False)
    text = StringIO()
    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
