"""Every law, in the order they are run."""

from __future__ import annotations

import difflib

from analytic_ntk.errors import DomainError
from analytic_ntk.laws import (
    of_activations,
    of_grams,
    of_networks,
    of_pairings,
    of_samples,
    of_systems,
    of_widths,
)
from analytic_ntk.laws.law import Law

LAWS: tuple[Law, ...] = (
    *of_grams.LAWS,
    *of_systems.LAWS,
    *of_activations.LAWS,
    *of_networks.LAWS,
    *of_samples.LAWS,
    *of_widths.LAWS,
    *of_pairings.LAWS,
)
"""The conformance suite."""


def find(name: str) -> Law:
    """The law with this name; :class:`DomainError` names the nearest one."""
    for law in LAWS:
        if law.name == name:
            return law
    names = [law.name for law in LAWS]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    raise DomainError(
        f"the law {str(name)[:60]!r}",
        f"one of {', '.join(names)}",
        f"did you mean {near[0]}?" if near else "see laws.LAWS",
    )
