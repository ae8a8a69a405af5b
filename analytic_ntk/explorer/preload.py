"""Loaded once by the process from which the workers are forked: what is slow to load or to begin with."""

from __future__ import annotations

import os

from analytic_ntk.explorer.panels import SUBJECTS
from analytic_ntk.explorer.view import View

WARM = "ANALYTIC_NTK_EXPLORER_WARM"
"""Set in the environment of that process to its parent's number; elsewhere loading does nothing more."""


def warm() -> None:
    """Go once through every panel that is quick for a simple activation."""
    for subject in SUBJECTS:
        subject.of(View(activation="relu", depth=1, width=4))


if parent := os.environ.pop(WARM, ""):
    warm()
    if os.getppid() != int(parent):  # gone in the meantime: nobody to serve
        os._exit(0)
