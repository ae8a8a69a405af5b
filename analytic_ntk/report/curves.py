"""The curves a page draws: ``phi``, and both kernels over ``rho`` by depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network


@dataclass(frozen=True)
class Curve:
    """A line through points."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """``phi`` on [-4, 4]; the kernels relative to ``rho = 1``, one line per depth. ``missing``: depths whose
    kernels float64 could not hold, with the reason."""

    phi: Curve
    nngp: tuple[Curve, ...]
    ntk: tuple[Curve, ...]
    missing: tuple[str, ...]


def circle(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inputs in the plane with ``<x, x>/2 = 1`` and these correlations to the first axis, ``(n,) -> (n, 2)``.

    >>> circle(np.array([1.0, 0.0])).round(3).tolist()
    [[1.414, 0.0], [0.0, 1.414]]
    """
    return np.sqrt(2.0) * np.stack([correlations, np.sqrt((1 - correlations) * (1 + correlations))], axis=1)


def curves_of(
    activation: Activation, depth: int, weight_variance: ExactNumber, bias_variance: ExactNumber
) -> Curves:
    """Evaluate the curves in float64, for the depths :func:`shown_depths` picks."""
    points = np.linspace(-4.0, 4.0, 801)
    with np.errstate(over="ignore"):
        values = activation(points)
    finite = np.isfinite(values)
    phi = Curve("phi", tuple(points[finite].tolist()), tuple(values[finite].tolist()))
    correlations = np.cos(np.linspace(np.pi, 0.0, 201))
    nngp: list[Curve] = []
    ntk: list[Curve] = []
    missing: list[str] = []
    for layers in shown_depths(depth):
        network = Network.mlp(activation, layers, weight_variance, bias_variance)
        try:
            kernels = network.gram(circle(np.array([1.0])), circle(correlations), kernel="both")
        except (DomainError, PrecisionError) as error:
            missing.append(f"depth {layers}: {error.given}")
            continue
        for lines, kernel in ((nngp, kernels[0][0]), (ntk, kernels[1][0])):
            scale = kernel[-1] if kernel[-1] > 0 else 1.0
            label = f"depth {layers}, {kernel[-1]:.3g} at rho = 1"
            lines.append(Curve(label, tuple(correlations.tolist()), tuple((kernel / scale).tolist())))
    return Curves(phi, tuple(nngp), tuple(ntk), tuple(missing))


def shown_depths(depth: int) -> tuple[int, ...]:
    """At most five depths from 1 to the larger of ``depth`` and 3, the last included.

    >>> shown_depths(1), shown_depths(10)
    ((1, 2, 3), (1, 2, 4, 7, 10))
    """
    last = max(depth, 3)
    if last <= 5:
        return tuple(range(1, last + 1))
    return tuple(sorted({1, 2, round(2 + (last - 2) / 4), round(2 + 5 * (last - 2) / 8), last}))
