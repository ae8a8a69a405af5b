"""Good directions to escape the regime of the NTK: ``f_L`` fits the dense part, ``f_Q`` the sparse one.

The antisymmetric two-layer network (:func:`draw`) with ``f = f_L + f_Q + ..`` in its weights, the groups of
directions of its features (:func:`groups`, :func:`directions`, :func:`gap_test`), training with the
regulariser ``R_1`` (:func:`fit`, :func:`replica`), errors by degree (:func:`hermite_error`), and what the
spectrum says about the samples needed (:func:`learnable`). After E. Nichani, Y. Bai, J. D. Lee, Identifying
good directions to escape the NTK regime and efficiently learn low-degree plus sparse polynomials, 2022
(arXiv:2206.03688).
"""

from __future__ import annotations

from analytic_ntk.theory.escape.antisymmetric import Antisymmetric, Design, draw
from analytic_ntk.theory.escape.directions import (
    Directions,
    GapTest,
    Group,
    Groups,
    directions,
    gap_test,
    groups,
)
from analytic_ntk.theory.escape.fit import Fit, fit, on_device, regulariser
from analytic_ntk.theory.escape.learnable import complexity_slope, exponents, learnable, samples_needed
from analytic_ntk.theory.escape.replica import Run, Summary, paired_difference, read, replica, summarise
from analytic_ntk.theory.escape.slopes import SampleSlope, sample_slope
from analytic_ntk.theory.escape.targets import (
    Component,
    HermiteError,
    Target,
    hermite_error,
    linear_plus_square,
    target,
)

__all__ = [
    "Antisymmetric",
    "Component",
    "Design",
    "Directions",
    "Fit",
    "GapTest",
    "Group",
    "Groups",
    "HermiteError",
    "Run",
    "SampleSlope",
    "Summary",
    "Target",
    "complexity_slope",
    "directions",
    "draw",
    "exponents",
    "fit",
    "gap_test",
    "groups",
    "hermite_error",
    "learnable",
    "linear_plus_square",
    "on_device",
    "paired_difference",
    "read",
    "regulariser",
    "replica",
    "sample_slope",
    "samples_needed",
    "summarise",
    "target",
]
