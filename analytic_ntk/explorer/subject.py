"""What every panel begins with: the activation and the network of a view."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk import activations
from analytic_ntk.activation import Activation
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.explorer.view import View
from analytic_ntk.network import Network
from analytic_ntk.report.sections import number

NETWORK = ("activation", "depth", "weight_variance", "bias_variance")
"""The values of a view that make the network."""

Array = NDArray[np.float64]


@lru_cache(maxsize=64)
def activation_of(text: str) -> Activation:
    """The activation, all its parameters numbers. Raises :class:`DomainError` for anything else."""
    phi = activations.resolve(text)
    phi.require_numeric()
    return phi


def network_of(view: View) -> Network:
    """The fully connected network of a view."""
    return Network.mlp(activation_of(view.activation), view.depth, view.weight_variance, view.bias_variance)


def network_line(view: View) -> str:
    """The network in one line."""
    layers = "1 hidden layer" if view.depth == 1 else f"{view.depth} hidden layers"
    variances = f"weight variance {view.weight_variance}, bias variance {view.bias_variance}"
    return f"{activation_of(view.activation)}, {layers}, {variances}"


def shown(value: object, digits: int) -> str:
    """A number for a table: exact if it is short, else so many digits."""
    if value is None:
        return ""
    return "∞" if value is sp.oo else number(value, digits)


def kind_of(value: object) -> str:
    """``"exact"`` or ``"certified"``."""
    return "certified" if isinstance(value, Enclosure) and value.radius else "exact"
