"""Hermite coefficients of a function: tables, exact or certified."""

from __future__ import annotations

from analytic_ntk.hermite.table import (
    EXACT_ORDER,
    MAX_ORDER,
    HermiteRow,
    HermiteTable,
    coefficient_balls,
    exact_coefficients,
    hermite_table,
)

__all__ = [
    "EXACT_ORDER",
    "MAX_ORDER",
    "HermiteRow",
    "HermiteTable",
    "coefficient_balls",
    "exact_coefficients",
    "hermite_table",
]
