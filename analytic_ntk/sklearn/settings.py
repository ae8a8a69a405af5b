"""What kernels and estimators are told, checked, and the network that it means."""

from __future__ import annotations

import operator
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk import activations
from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import exactly
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.network import Network
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

VARIANCES = ("weight_variance", "bias_variance")


def network_of(
    activation: str | Activation, depth: int, weight_variance: float, bias_variance: float
) -> Network:
    """``Network.mlp`` with the exact values of two floats. Raises :class:`DomainError` for what is no number
    >= 0, no activation or no depth."""
    weight, bias = (
        exactly(variance(v, name))
        for v, name in zip((weight_variance, bias_variance), VARIANCES, strict=True)
    )
    return network_with(activation_of(activation), layers(depth), weight, bias)


@lru_cache(maxsize=64)
def network_with(phi: Activation, depth: int, weight: sp.Expr, bias: sp.Expr) -> Network:
    """The network with variances that are exact numbers or symbols."""
    return Network.mlp(phi, depth, weight, bias)


def activation_of(given: str | Activation) -> Activation:
    """A catalogue name (``"relu"``, ``"elu(1/2)"``), a formula (``"x*tanh(x)"``) or an ``Activation``."""
    if isinstance(given, Activation):
        given.require_numeric()
        return given
    if not isinstance(given, str):
        raise DomainError(
            f"activation = {given!r}"[:100],
            'a name ("relu"), a formula ("x*tanh(x)") or an Activation',
        )
    return _parsed(given)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Activation:
    found = activations.resolve(text)
    found.require_numeric()
    return found


def layers(depth: Any) -> int:
    """An integer as Python's own (searches over grids give numpy's); the network checks its range."""
    if isinstance(depth, (bool, np.bool_)) or not isinstance(depth, Integral):
        raise DomainError(f"depth = {depth!r}"[:100], "an integer >= 1")
    return operator.index(depth)


def variance(value: Any, name: str) -> float:
    """A finite real number >= 0 as a float."""
    good = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    if not good or not np.isfinite(float(value)) or value < 0:
        raise DomainError(f"{name} = {value!r}"[:100], "a finite number >= 0")
    return float(value)


def diagonal(network: Network, X: NDArray[np.float64], kernel: str) -> NDArray[np.float64]:
    """``K(x, x)`` for each row, without the matrix."""
    q = Inputs(X).q
    zero = np.zeros_like(q)
    pair = Pair(q, q, q, zero, zero)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        for layer in network.layers:
            pair = layer.push(pair, Float64())
    found = pair.q12 if kernel == "nngp" else pair.ntk
    if not np.all(np.isfinite(found)):
        raise DomainError(
            "a kernel value too large for float64",
            "finite kernels",
            "rescale the inputs or the variances",
        )
    return found
