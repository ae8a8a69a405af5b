"""Kernel matrices larger than the memory, systems with them solved, and features in their place."""

from __future__ import annotations

from analytic_ntk.large.features import (
    FeatureError,
    LayerFeatures,
    SeriesFeatures,
    feature_errors,
    layer_features,
    series_features,
)
from analytic_ntk.large.operator import gram_operator, stored_operator
from analytic_ntk.large.ridge import RidgeSolution, solve_ridge
from analytic_ntk.large.store import open_gram, write_gram

__all__ = [
    "FeatureError",
    "LayerFeatures",
    "RidgeSolution",
    "SeriesFeatures",
    "feature_errors",
    "gram_operator",
    "layer_features",
    "open_gram",
    "series_features",
    "solve_ridge",
    "stored_operator",
    "write_gram",
]
