"""The panels, one file each. A new one: a file here, a line below, a name in ``view.PANELS``."""

from __future__ import annotations

from analytic_ntk.explorer.panel import Subject
from analytic_ntk.explorer.panels import (
    activation,
    digits,
    formulas,
    hermite,
    kernels,
    limit,
    phase,
    positivity,
    series,
    spectrum,
    width,
)

SUBJECTS: tuple[Subject, ...] = (
    activation.SUBJECT,
    kernels.SUBJECT,
    formulas.SUBJECT,
    hermite.SUBJECT,
    series.SUBJECT,
    spectrum.SUBJECT,
    phase.SUBJECT,
    limit.SUBJECT,
    digits.SUBJECT,
    positivity.SUBJECT,
    width.SUBJECT,
)
"""All panels that need nothing from outside this package."""
