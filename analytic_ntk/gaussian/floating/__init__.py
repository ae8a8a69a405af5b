"""Float64 Gaussian expectations ``E phi(u)phi(v)``, vectorised over pairs, accurate to rounding error.

A chain of methods, each used only where it is accurate: closed angular forms (``angular``), tables in the
angle (``table``), the Hermite series (``series``), quadrature (``general``, ``plane``, ``line``, ``mesh``).
"""

from __future__ import annotations

from analytic_ntk.gaussian.floating.expectations import FloatExpectations
from analytic_ntk.gaussian.floating.general import PairExpectations

__all__ = ["FloatExpectations", "PairExpectations"]
