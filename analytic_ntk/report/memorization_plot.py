"""The smallest eigenvalue over the widths, and the region where networks memorise, as SVG text."""

from __future__ import annotations

from analytic_ntk.report import plots
from analytic_ntk.theory.memorization import Phase, Scaling


def scaling_plot(found: Scaling) -> str:
    """What :meth:`Scaling.plot` draws."""
    return plots.picture(found.plot)


def phase_plot(found: Phase) -> str:
    """What :meth:`Phase.plot` draws."""
    return plots.picture(found.plot)
