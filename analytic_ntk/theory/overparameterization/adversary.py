"""Trying to refute a Lipschitz constant of the Jacobian: a search for the worst pair of points of a ball."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.positivity.rounded import Array
from analytic_ntk.theory.overparameterization.feedforward import FeedForward, Parameters

_STEP = 1e-4
"""Distance of the two points, relative to the radius: large beside the rounding of the Jacobian, small beside
the scale on which it bends."""
_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Steepest(Shown):
    """The largest quotient ``|J(t') - J(t)|_op / |t' - t|`` that was found, and the two points. Float64: a
    lower bound of every Lipschitz constant up to some ``1e-6`` of it."""

    quotient: float
    one: Parameters
    other: Parameters


def steepest(
    network: FeedForward,
    params: Parameters,
    X: ArrayLike,
    radius: float,
    rng: np.random.Generator,
    tries: int = 8,
) -> Steepest:
    """Search the ball about ``params`` for two points between which the Jacobian changes most.

    The second derivative is symmetric: the direction in which ``J`` changes most is found by taking the top
    right singular vector of ``J(t + h u) - J(t)`` as the next ``u``, from the centre and from random points
    of the ball. Costs some 12 singular value decompositions of an ``(outputs n, parameters)`` matrix for
    each try.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> network = FeedForward(activations.tanh)
    >>> start = (np.zeros((1, 1)), np.zeros((1, 1)))  # f = v tanh(w x): the second derivative is 1 there
    >>> round(steepest(network, start, [[1.0]], 0.1, np.random.default_rng(0)).quotient, 4)
    1.0
    """
    require_rng(rng)
    require_count(tries, "tries", 1)
    if isinstance(radius, bool) or not 0 < radius < math.inf:
        raise DomainError(f"radius = {radius!r}", "a finite number > 0")
    rows = matrix(X, "X")
    weights = network.check(params, rows.shape[1], len(params[-1]))
    centre = np.concatenate([w.ravel() for w in weights])
    best: tuple[float, Array, Array] | None = None
    gap = _STEP * radius
    for attempt in range(tries):
        start = centre
        if attempt:
            away = rng.standard_normal(len(centre))
            size = radius * rng.uniform() * (1 - _STEP)
            start = centre + away * size / np.linalg.norm(away)
        inside = _inside(start, centre, radius)
        base = network.jacobian(_shaped(inside, weights), rows)
        direction = rng.standard_normal(len(centre))
        for _ in range(_ROUNDS):
            direction *= gap / np.linalg.norm(direction)
            other = _inside(inside + direction, centre, radius)
            moved = float(np.linalg.norm(other - inside))
            if not moved > gap / 2:  # pushed back onto the point: the other way lies inside
                direction = -direction
                continue
            _, values, right = np.linalg.svd(
                network.jacobian(_shaped(other, weights), rows) - base, full_matrices=False
            )
            quotient = float(values[0]) / moved
            if best is None or quotient > best[0]:
                best = quotient, inside, other
            direction = right[0].copy()
    assert best is not None
    return Steepest(best[0], _shaped(best[1], weights), _shaped(best[2], weights))


def _inside(point: Array, centre: Array, radius: float) -> Array:
    away = point - centre
    size = float(np.linalg.norm(away))
    return point if size <= radius else centre + away * (radius / size)


def _shaped(flat: Array, like: Parameters) -> Parameters:
    found, start = [], 0
    for w in like:
        found.append(flat[start : start + w.size].reshape(w.shape))
        start += w.size
    return tuple(found)
