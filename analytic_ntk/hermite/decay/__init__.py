"""Predicted laws of decay of Hermite coefficients, and their comparison with certified tables."""

from __future__ import annotations

from analytic_ntk.hermite.decay.compare import DecayComparison, compare
from analytic_ntk.hermite.decay.law import DecayLaw, decay_law
from analytic_ntk.hermite.decay.parity_law import ParityLaw

__all__ = ["DecayComparison", "DecayLaw", "ParityLaw", "compare", "decay_law"]
