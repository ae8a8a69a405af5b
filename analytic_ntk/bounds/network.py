"""The lower bounds for a network at points as they are, not scaled to the sphere."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import sympy as sp

from analytic_ntk.bounds.eigenvalue import (
    LowerBound,
    Zonal,
    gershgorin_bound,
    khatri_rao_bound,
    lambda_min_lower_bound,
)
from analytic_ntk.bounds.points import Points
from analytic_ntk.bounds.separation import rows_of, separation, separation_bound
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network, require_network

Method = Literal["best", "gershgorin", "khatri-rao", "separation"]


def lower_bound(
    network: Network, points: Points, kernel: str = "ntk", method: Method = "best", order: int = 200
) -> LowerBound:
    """A proved lower bound of ``lambda_min`` of the Gram matrix of the points, from the power series.

    The matrix is that of :func:`analytic_ntk.positivity.min_eigenvalue`: inputs ``<x, y>/d``, floats of an
    array taken as binary numbers. Points of one norm: the series at that norm, cut at ``order``. Different
    norms: where all activations are homogeneous and there is no bias, ``K(x, y) = (q_x q_y)^(p/2) k(rho)``
    and ``lambda_min >= min q^p lambda_min(k(G))``. ``power`` attains the bound of the answer's ``method``.

    Raises :class:`DomainError` for other points, a zero input, an unknown kernel or method.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.bounds import lower_bound
    >>> network = Network.mlp(activations.relu, 1, 2, 0)
    >>> found = lower_bound(network, [[1, 0], [3, 4], [0, 1]])
    >>> found.method, found.power, round(float(found.value), 4)
    ('gershgorin', 4, 0.1546)
    """
    require_network(network)
    if kernel not in ("ntk", "nngp"):
        raise DomainError(f"kernel = {kernel!r}", '"ntk" or "nngp"')
    if method not in ("best", "gershgorin", "khatri-rao", "separation"):
        raise DomainError(f"method = {method!r}", '"best", "gershgorin", "khatri-rao" or "separation"')
    rows = rows_of(points)
    norms = [sum((v * v for v in row), Fraction(0)) / len(row) for row in rows]
    if not all(norms):
        raise DomainError(
            f"points[{norms.index(Fraction(0))}] = 0", "points with a direction", "leave it out"
        )
    scale = Fraction(1)
    if len(set(norms)) == 1:
        variance = sp.Rational(norms[0].numerator, norms[0].denominator)
    else:
        variance, scale = sp.S.One, min(norms) ** _degree(network)
    zonal = Zonal.of(network.series(order, variance=variance), kernel)
    found = _on_sphere(zonal, rows, method)
    return LowerBound(found.value * scale, found.method, found.power, found.kind)


def _on_sphere(zonal: Zonal, rows: list[list[Fraction]], method: Method) -> LowerBound:
    if method == "gershgorin":
        return gershgorin_bound(zonal, rows)
    if method == "khatri-rao":
        return khatri_rao_bound(zonal, rows)
    if method == "best":
        return lambda_min_lower_bound(zonal, rows)
    if len(rows) == 1:
        return separation_bound(zonal, 1, 1)
    gap = separation(rows)
    if isinstance(gap, float) or gap.lower <= 0:
        return LowerBound(Fraction(0), "semidefinite", 0, "certified")
    return separation_bound(zonal, len(rows), gap)


def _degree(network: Network) -> int:
    """``p`` in ``K(c x, y) = c^p K(x, y)``, ``c > 0``."""
    degree = 1
    for layer in network.layers:
        if isinstance(layer, Dense) and layer.bias_variance == 0:
            continue
        if isinstance(layer, Nonlinearity) and layer.activation.homogeneity is not None:
            degree *= layer.activation.homogeneity
            continue
        raise DomainError(
            f"points of different norms, and {layer}",
            "points of one norm, or homogeneous activations (as ReLU) without bias",
            "scale the points to a sphere, or use positivity.min_eigenvalue",
        )
    return degree
