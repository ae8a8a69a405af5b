"""The width that a certificate asks for, and what the ratio of the two layers does, as SVG text."""

from __future__ import annotations

import numpy as np

from analytic_ntk.report import plots
from analytic_ntk.theory.overparameterization import RatioExperiment, WidthGrowth


def growth_plot(found: WidthGrowth) -> str:
    """Minimal widths over the number of inputs, each draw a point; dashed: the fitted power."""
    figure, axes = plots._figure("number of inputs n, of dimension n/2", "width certified")
    axes.set(xscale="log", yscale="log")
    counts = np.repeat(found.counts, found.widths.shape[1])
    axes.plot(counts, found.widths.ravel(), "o", markersize=4, alpha=0.6, label="one draw")
    label = f"n^{found.exponent:.2f} [{found.low:.2f}, {found.high:.2f}]"
    fitted = [found.predicted(count) for count in found.counts]
    axes.plot(found.counts, fitted, "--", color="black", linewidth=1.2, label=label)
    axes.set_xticks(found.counts, labels=[str(count) for count in found.counts])
    axes.set_xticks([], minor=True)
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)


def ratio_plot(found: RatioExperiment) -> str:
    """Test and training error over ``omega_2 / omega_1``: each seed a point, lines through the means."""
    figure, axes = plots._figure("omega_2 / omega_1", "error, relative to the labels")
    axes.set_xscale("log")
    ratios = np.repeat(found.ratios, found.test.shape[1])
    for name, values, colour in (("test", found.test, "C0"), ("training", found.train, "C1")):
        axes.plot(ratios, values.ravel(), "o", markersize=4, alpha=0.5, color=colour)
        axes.plot(found.ratios, values.mean(axis=1), color=colour, label=f"{name} error")
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)
