"""The laws of neural kernels, run on any activation, layer or network.

>>> from analytic_ntk import Activation, laws
>>> summary = laws.check(Activation.parse("x*erf(x)"), laws=["kernel_symm", "dual_eq_mehler_sum"])
>>> summary.passed
True

Every law has a check, faults planted to see the check fail (saboteurs), and the smallest fault it is known to
find. A law that was not tested on anything that could refute it fails.
"""

from __future__ import annotations

from pathlib import Path

from analytic_ntk.laws.cases import AtCovariance, Case, OnData
from analytic_ntk.laws.catalogue import LAWS, find
from analytic_ntk.laws.doors import HONEST, Doors
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur
from analytic_ntk.laws.pytests import as_tests
from analytic_ntk.laws.reproduction import load
from analytic_ntk.laws.run import PROFILES, Profile, check, examine, smallest_fault
from analytic_ntk.laws.summary import LawResult, Summary, Verdict, junit

__all__ = [
    "HONEST",
    "LAWS",
    "PROFILES",
    "AtCovariance",
    "Case",
    "Doors",
    "Kind",
    "Law",
    "LawResult",
    "OnData",
    "Outcome",
    "Profile",
    "Saboteur",
    "Summary",
    "Verdict",
    "as_tests",
    "check",
    "examine",
    "find",
    "junit",
    "load",
    "replay",
    "smallest_fault",
]


def replay(path: str | Path) -> Outcome:
    """Run the case of a file saved by :func:`check` again.

    Raises :class:`DomainError` for any other file, and for a case with a layer of the user's own (its line
    of Python is in the file).
    """
    law, case = load(path)
    return examine(law, case)
