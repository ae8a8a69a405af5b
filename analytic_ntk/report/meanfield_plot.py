"""The phase diagram of an activation over weight and bias variance, and its correlation map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.meanfield import DeepLimit, Phase, VarianceMap, deep_limit
from analytic_ntk.meanfield.limits import ball_of
from analytic_ntk.report.curves import Curve

BITS = 64


def edge_curve(activation: Activation, largest: float = 4.0, points: int = 60) -> Curve:
    """The edge of chaos ``q -> (w, b)``, ``w = 1/E phi'^2``, ``b = q - w E phi^2``, for ``0 < q <= largest``.

    Float64 numbers, each rounded from balls of 64 bits; points with ``b < 0`` are no networks and are left
    out. The activation must be continuous.

    >>> from analytic_ntk import activations
    >>> edge_curve(activations.relu, points=2).x
    (2.0, 2.0)
    """
    if not activation.is_continuous:
        raise DomainError(
            f"{activation}, which jumps", "a continuous activation", "a jump is chaotic at all variances"
        )
    weights, biases = [], []
    for q in np.geomspace(1e-3, largest, points):
        with working_precision(BITS):
            ball = arb(float(q))
            system = VarianceMap.of(activation, 1, 0)
            weight = 1 / system.chi(ball)
            bias = ball - weight * system.at(ball)
            if not bias < 0:  # a ball around 0 is the b = 0 of homogeneous activations
                weights.append(float(weight))
                biases.append(0.0 if bias.contains(0) else float(bias))
    return Curve("edge of chaos", tuple(weights), tuple(biases))


def correlation_curve(
    activation: Activation,
    weight_variance: ExactNumber,
    bias_variance: ExactNumber,
    points: int = 41,
) -> tuple[Curve, DeepLimit]:
    """The correlation map ``C`` on [-1, 1] at the attracting variance, in float64 from balls of 64 bits."""
    limit = deep_limit(activation, weight_variance, bias_variance, digits=10)
    places = np.cos(np.linspace(np.pi, 0, points))[1:]
    label = f"w = {weight_variance}, b = {bias_variance}: {limit.phase.value}"
    return Curve(label, tuple(places.tolist()), tuple(limit.correlation_map(places).tolist())), limit


def phase_figure(
    activation: Activation, networks: Sequence[tuple[ExactNumber, ExactNumber]], largest: float = 4.0
) -> Any:
    """A matplotlib figure: left the edge of chaos in the plane of ``(w, b)`` with the networks marked, right
    their correlation maps with the correlation that attracts. Save it with ``figure.savefig(path)``.
    """
    from matplotlib.figure import Figure  # slow to load, and only plots need it

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    edge = edge_curve(activation, largest)
    left.plot(edge.x, edge.y, color="black", label="edge of chaos")
    right.plot((-1, 1), (-1, 1), color="0.7", linewidth=0.8)
    for index, (w, b) in enumerate(networks):
        curve, limit = correlation_curve(activation, w, b)
        colour = f"C{index}"
        left.plot(_float(w), _float(b), "o", color=colour)
        right.plot(curve.x, curve.y, color=colour, label=curve.label)
        if limit.correlation is not None and limit.phase is not Phase.EDGE:
            star = float(limit.correlation)
            right.plot(star, star, "o", color=colour)
    _labels(left, right, edge, [_float(w) for w, _ in networks], [_float(b) for _, b in networks])
    figure.suptitle(f"{activation}: order and chaos")
    return figure


def _float(value: ExactNumber) -> float:
    with working_precision(BITS):
        return float(ball_of(constant(value)))


def _labels(left: Any, right: Any, edge: Curve, weights: Sequence[float], biases: Sequence[float]) -> None:
    width = 1.1 * max([*weights, *edge.x, 1.0])
    height = 1.1 * max([*biases, *edge.y, 0.1])
    left.set(xlim=(0, width), ylim=(0, height), xlabel="weight variance", ylabel="bias variance")
    left.legend(loc="upper left", frameon=False)
    left.text(0.15, 0.6, "order", transform=left.transAxes, color="0.4")
    left.text(0.85, 0.15, "chaos", transform=left.transAxes, color="0.4")
    right.set(xlim=(-1, 1), ylim=(-1, 1.02), xlabel="correlation", ylabel="correlation one layer on")
    right.legend(fontsize="small", frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
