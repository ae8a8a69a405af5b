"""Layers of infinitely wide networks, one per file, and of the finite networks drawn from them."""

from analytic_ntk.layers.dense import Dense
from analytic_ntk.layers.finite import EmpiricalKernels, FiniteNetwork, LayerKernels
from analytic_ntk.layers.layer_norm import LayerNorm
from analytic_ntk.layers.nonlinearity import Nonlinearity
from analytic_ntk.layers.protocol import Layer
from analytic_ntk.layers.residual import Residual

__all__ = [
    "Dense",
    "EmpiricalKernels",
    "FiniteNetwork",
    "Layer",
    "LayerKernels",
    "LayerNorm",
    "Nonlinearity",
    "Residual",
]
