"""Strict positivity: is the kernel strictly positive definite, and why."""

from __future__ import annotations

from analytic_ntk.positivity.decide import GramDecision, Positivity, Step, decide_gram
from analytic_ntk.positivity.domain import Decision, Domain, decide
from analytic_ntk.positivity.eigenvalue import min_eigenvalue
from analytic_ntk.positivity.float_gram import CertifiedGram, certified_gram
from analytic_ntk.positivity.profile import Profile, profile
from analytic_ntk.positivity.rounding import EigenvalueBounds, eigenvalue_bounds

__all__ = [
    "CertifiedGram",
    "Decision",
    "Domain",
    "EigenvalueBounds",
    "GramDecision",
    "Positivity",
    "Profile",
    "Step",
    "certified_gram",
    "decide",
    "decide_gram",
    "eigenvalue_bounds",
    "min_eigenvalue",
    "profile",
]
