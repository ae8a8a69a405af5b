"""The symbols of the field, in one place.

``x`` is the argument of an activation. ``q11``, ``q22``, ``q12`` are the variances and the covariance of
two jointly Gaussian pre-activations ``(u, v)``; ``rho`` is their correlation. For a network they denote
the input covariance ``<x, x>/d``, ``<y, y>/d``, ``<x, y>/d``.
"""

from __future__ import annotations

import sympy as sp

x = sp.Symbol("x", real=True)
q11 = sp.Symbol("q11", positive=True)
q22 = sp.Symbol("q22", positive=True)
q12 = sp.Symbol("q12", real=True)
rho = sp.Symbol("rho", real=True)

LATEX_NAMES = {q11: "q_{11}", q22: "q_{22}", q12: "q_{12}", rho: r"\rho"}
"""How the symbols print in LaTeX (pass as ``symbol_names`` to :func:`sympy.latex`)."""
