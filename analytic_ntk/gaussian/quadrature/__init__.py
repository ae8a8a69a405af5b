"""Certified Gaussian expectations of functions without a closed form: the definition, integrated.

Every result is a ball that encloses the expectation for every variance inside the given balls. Radii aim
at ``2^-goal_bits`` times ``sqrt(E f^2 E g^2)``; what the input balls' own radii cost comes on top.
"""

from __future__ import annotations

from analytic_ntk.gaussian.quadrature.expectation import double, double_many, hermite, single

__all__ = ["double", "double_many", "hermite", "single"]
