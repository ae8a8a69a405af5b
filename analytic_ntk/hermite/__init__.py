"""Hermite coefficients of a function: formulas in ``n``, recurrences, tables, decay, zeros, conventions."""

from __future__ import annotations

from analytic_ntk.hermite.conventions import Basis, convert_enclosures, convert_exact, convert_floats
from analytic_ntk.hermite.decay import DecayComparison, DecayLaw, compare, decay_law
from analytic_ntk.hermite.floating import FloatCoefficients, hermite_floats
from analytic_ntk.hermite.formula import HermiteFormula, hermite_formula
from analytic_ntk.hermite.recurrence import HermiteRecurrence, hermite_recurrence
from analytic_ntk.hermite.table import (
    EXACT_ORDER,
    MAX_ORDER,
    HermiteRow,
    HermiteTable,
    coefficient_balls,
    exact_coefficients,
    hermite_table,
)
from analytic_ntk.hermite.zeros import InformationExponent, ZeroPattern, information_exponent, zero_pattern

__all__ = [
    "EXACT_ORDER",
    "MAX_ORDER",
    "Basis",
    "DecayComparison",
    "DecayLaw",
    "FloatCoefficients",
    "HermiteFormula",
    "HermiteRecurrence",
    "HermiteRow",
    "HermiteTable",
    "InformationExponent",
    "ZeroPattern",
    "coefficient_balls",
    "compare",
    "convert_enclosures",
    "convert_exact",
    "convert_floats",
    "decay_law",
    "exact_coefficients",
    "hermite_floats",
    "hermite_formula",
    "hermite_recurrence",
    "hermite_table",
    "information_exponent",
    "zero_pattern",
]
