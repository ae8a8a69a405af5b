"""Deep limits: fixed points of the variance map, order and chaos, the edge between them."""

from analytic_ntk.meanfield.edge import edge_variance, tune
from analytic_ntk.meanfield.fixed import FixedPoint, FixedPoints, fixed_points
from analytic_ntk.meanfield.limits import DeepLimit, Phase, chi_1, correlation_length, deep_limit, phase
from analytic_ntk.meanfield.maps import VarianceMap

__all__ = [
    "DeepLimit",
    "FixedPoint",
    "FixedPoints",
    "Phase",
    "VarianceMap",
    "chi_1",
    "correlation_length",
    "deep_limit",
    "edge_variance",
    "fixed_points",
    "phase",
    "tune",
]
