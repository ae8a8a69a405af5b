"""A lower bound of the smallest eigenvalue from the number of points and how far apart they are, no more."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.bounds.eigenvalue import Kernel, LowerBound, Zonal
from analytic_ntk.bounds.points import BITS, Points, mutual_coherence, read_points
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber


def separation(points: Points) -> Enclosure | float:
    """``min_{i != j} min(|u_i - u_j|, |u_i + u_j|)`` of the directions ``u_i = x_i/|x_i|``.

    With the mutual coherence ``mu`` it is ``sqrt(2 - 2 mu)``. Certified for exact points, float64 for an
    array. Raises :class:`DomainError` for fewer than two points and for zero points.

    >>> from analytic_ntk.bounds import separation
    >>> print(separation([[1, 0], [0, 1], [3, 4]]))
    0.632455532033675866399778...
    """
    found = mutual_coherence(points)
    if isinstance(found, float):
        return float(np.sqrt(max(0.0, 2 - 2 * found)))
    with working_precision(BITS):
        return Enclosure.of((2 - 2 * found.ball()).nonnegative_part().sqrt())


def separation_bound(kernel: Kernel, count: int, separation: ExactNumber | Enclosure) -> LowerBound:
    """``lambda_min >= sum_{k >= K} c_k (1 - (count - 1) mu^k)``, ``mu = 1 - separation^2/2``, certified.

    For **every** set of ``count`` points on the sphere ``<x, x>/d = 1`` whose directions keep
    ``|u_i - u_j|`` and ``|u_i + u_j|`` at least ``separation``: then ``|rho_ij| <= mu``, the terms below
    ``K`` are positive semidefinite and dropped, the others are diagonally dominant (Gershgorin). ``power`` is
    the best ``K``; the first with ``(count - 1) mu^K <= 1`` is best where the series is long enough. With
    ``K = ceil(log(2 count - 2)/log(1/mu))`` it is at least half the mass from ``K`` on: a bound for
    separated data as in Karhadkar, Murray, Montufar 2024, with constants of its own. Raises
    :class:`DomainError` for a separation that is not in ``(0, sqrt 2]`` and for a count below 1.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.bounds import separation_bound
    >>> found = separation_bound(Network.mlp(activations.relu, 1, 2, 0).series(60), 5, "1/2")
    >>> found.power, found.kind, round(float(found.value), 4)
    (12, 'certified', 0.1343)
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise DomainError(f"count = {count!r}", "an integer >= 1")
    zonal = Zonal.of(kernel)
    with working_precision(BITS):
        if isinstance(separation, Enclosure):
            gap = arb(fmpq(separation.lower.numerator, separation.lower.denominator))
        else:
            number = constant(separation, "separation")
            if not (number.is_positive and (2 - number**2).is_nonnegative):
                raise DomainError(f"separation = {number}", "a number in (0, sqrt 2]")
            from analytic_ntk.systems.ball import Ball

            gap = Ball().number(number)
        if not gap > 0 or gap * gap > 2:
            raise DomainError(f"separation = {separation}", "a number in (0, sqrt 2]")
        mu = arb((1 - gap * gap / 2).nonnegative_part().upper())
        powers = [arb(1)]
        for _ in zonal.coefficients:
            powers.append(powers[-1] * mu)
        others = count - 1
        low, high = (arb(fmpq(t.numerator, t.denominator)) for t in (zonal.tail.lower, zonal.tail.upper))
        # beyond the order only the mass is known; each c_k counts at least 1 - others * mu^(order + 1)
        last = 1 - others * powers[-1]
        total = low * last if last >= 0 else low - others * powers[-1] * high
        best, power = total, len(zonal.coefficients)
        for k in range(len(zonal.coefficients) - 1, -1, -1):
            total = total + zonal.coefficients[k].ball() * (1 - others * powers[k])
            if total.lower() > best.lower():
                best, power = total, k
        value = Enclosure.of(best).lower
    if value <= 0:
        return LowerBound(Fraction(0), "semidefinite", 0, "certified")
    return LowerBound(value, "separation", power, "certified")


def rows_of(points: Points) -> list[list[Fraction]]:
    """Exact rows; an array is taken as the binary numbers it holds."""
    data = read_points(points)
    return [[Fraction(v) for v in row] for row in data.tolist()] if isinstance(data, np.ndarray) else data
