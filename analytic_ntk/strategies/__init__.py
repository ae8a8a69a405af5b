"""Hypothesis strategies for what kernels are tested on: activations, networks, covariances, data sets.

Every number drawn is exact. Data have entries that float64 holds exactly, so that all number systems see the
same points. Every draw shrinks to something a reader understands at once: ``Max(x, 0)``, one layer,
unit variances, small integers.

>>> from hypothesis import given
>>> from analytic_ntk import strategies
>>> @given(strategies.networks(), strategies.covariances())
... def test_cauchy_schwarz(network, covariance):
...     k = network.at(covariance.xx, covariance.xy, covariance.yy, digits=8)
"""

from __future__ import annotations

from analytic_ntk.strategies.architectures import BIASES, WEIGHTS, networks
from analytic_ntk.strategies.data import Rows, Shape, data_sets
from analytic_ntk.strategies.functions import (
    activations,
    canonical_activations,
    near_polynomials,
    piecewise_analytic_activations,
)
from analytic_ntk.strategies.pairs import Covariance, Stratum, covariances

__all__ = [
    "BIASES",
    "WEIGHTS",
    "Covariance",
    "Rows",
    "Shape",
    "Stratum",
    "activations",
    "canonical_activations",
    "covariances",
    "data_sets",
    "near_polynomials",
    "networks",
    "piecewise_analytic_activations",
]
