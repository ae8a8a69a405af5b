"""Layers of infinitely wide networks, one per file."""

from analytic_ntk.layers.dense import Dense
from analytic_ntk.layers.layer_norm import LayerNorm
from analytic_ntk.layers.nonlinearity import Nonlinearity
from analytic_ntk.layers.protocol import Layer
from analytic_ntk.layers.residual import Residual

__all__ = ["Dense", "Layer", "LayerNorm", "Nonlinearity", "Residual"]
