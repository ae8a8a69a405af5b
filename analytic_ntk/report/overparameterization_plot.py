"""The width that a certificate asks for, and what the ratio of the two layers does, as SVG text."""

from __future__ import annotations

from analytic_ntk.report import plots
from analytic_ntk.theory.overparameterization import RatioExperiment, WidthGrowth


def growth_plot(found: WidthGrowth) -> str:
    """What :meth:`WidthGrowth.plot` draws."""
    return plots.picture(found.plot)


def ratio_plot(found: RatioExperiment) -> str:
    """What :meth:`RatioExperiment.plot` draws."""
    return plots.picture(found.plot)
