"""Kernels of infinitely wide neural networks: NNGP and NTK from any activation, exact, certified and fast.

The names below are the front door; everything is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Activation": "analytic_ntk.activation",
    "Enclosure": "analytic_ntk.enclosure",
    "Network": "analytic_ntk.network",
    "KernelValues": "analytic_ntk.network",
    "Dense": "analytic_ntk.layers",
    "Nonlinearity": "analytic_ntk.layers",
    "Residual": "analytic_ntk.layers",
    "LayerNorm": "analytic_ntk.layers",
    "exactly": "analytic_ntk.exact",
}
_MODULES = (
    "activations",
    "atlas",
    "bounds",
    "errors",
    "finite_width",
    "hermite",
    "inverse",
    "large",
    "laws",
    "layers",
    "learning_curve",
    "meanfield",
    "positivity",
    "spectrum",
    "strategies",
    "tables",
)

__all__ = ["__version__", *_MODULES, *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name in _MODULES:
        return import_module(f"analytic_ntk.{name}")
    raise AttributeError(f"module 'analytic_ntk' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
