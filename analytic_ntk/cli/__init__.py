"""The command ``analytic-ntk``.

Exit codes: 0 the answer is complete; 2 the question is wrong (usage, an activation or a file of points that
cannot be read, an infinite moment); 3 the answer could not be had in full (digits not reached, no closed
form, undecided); 4 a file could not be written; 130 interrupted; 1 a law fails, or a fault of this
program. Answers go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sys

from analytic_ntk.cli import (  # each adds its command to the app
    activations,
    bounds,
    decay,
    escape,
    explore,
    finite_width,
    gram,
    hermite,
    kernel,
    laws,
    meanfield,
    memorization,
    positive,
    replay,
    report,
    series,
    spectrum,
    taylor,
    width,
)
from analytic_ntk.cli.app import CLOSED_PIPE, INTERRUPTED, app

__all__ = [
    "CLOSED_PIPE",
    "INTERRUPTED",
    "activations",
    "app",
    "bounds",
    "decay",
    "escape",
    "explore",
    "finite_width",
    "gram",
    "hermite",
    "kernel",
    "laws",
    "main",
    "meanfield",
    "memorization",
    "positive",
    "replay",
    "report",
    "series",
    "spectrum",
    "taylor",
    "width",
]


def main() -> None:
    """The entry point."""
    try:
        app()
    except KeyboardInterrupt:  # before or after a command
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
