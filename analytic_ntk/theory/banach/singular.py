"""How far the Taylor series of an activation reaches: its complex singularities and its breakpoints.

The series of ``phi`` at a real ``z`` converges in the disc up to the nearest singularity of the part that
holds ``z``, and it gives ``phi`` as long as no breakpoint is reached. The singularities are those of the
building blocks, in exact form where they can be solved for (``tanh(a x + b)``: ``(i pi/2 - b)/a``), else
found by a search in balls. One that cancels is counted: the radius is never too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from flint import acb, arb
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.singularities import places_of_singularities
from analytic_ntk.theory.banach.obstacles import around, blocks_of, tile

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Singularities:
    """Of one part of an activation: ``places`` in exact form, or ``None`` where they are searched for."""

    part: sp.Expr
    places: tuple[sp.Expr, ...] | None

    @property
    def entire(self) -> bool:
        return self.places == ()

    def distance(self, z: Array) -> Array:
        """A float64 distance from real points, elementwise; infinite for an entire part."""
        if self.places is None:
            return self._searched(z)
        found = np.full(z.shape, np.inf)
        for place in _floats(self.places):
            found = np.minimum(found, np.hypot(z - place.real, place.imag))
        return found

    def _searched(self, z: Array) -> Array:
        tiles = np.array([around(float(value)) for value in z.ravel()]).reshape(-1, 2)
        found = np.empty(z.size)
        for centre, margin in np.unique(tiles, axis=0):
            here = np.flatnonzero((tiles[:, 0] == centre) & (tiles[:, 1] == margin))
            near = tile(self.part, float(centre), float(margin))
            points = z.ravel()[here]
            found[here] = near.limit - np.abs(points - centre)
            for left, low, side in near.boxes:
                beside = np.maximum(np.maximum(left - points, points - left - side), 0.0)
                found[here] = np.minimum(found[here], np.hypot(beside, low))
        return np.maximum(found, 0.0).reshape(z.shape)

    def distance_ball(self, z: arb) -> arb:
        """A certified lower bound of the distance, a ball of radius 0; infinite for an entire part."""
        if self.places is None:
            return tile(self.part, *around(float(z.mid()))).distance(z)
        found = arb("inf")
        for place in self.places:
            found = found.min(arb(abs(acb(exact_ball(place)) - acb(z)).abs_lower()))
        return found


@lru_cache(maxsize=512)
def singularities(part: sp.Expr) -> Singularities:
    """Of one smooth expression. Raises :class:`UndecidedError` for functions that are not known.

    >>> from analytic_ntk.notation import x
    >>> singularities(sp.tanh(x)).places, singularities(sp.exp(x)).places
    ((I*pi/2,), ())
    >>> singularities(sp.tanh(sp.sin(x))).distance(np.zeros(1)).round(6)
    array([1.233403])
    """
    places = list(places_of_singularities(part))
    if all(place is not None and _is_number(place) for place in places):
        return Singularities(part, tuple(dict.fromkeys(places)))
    blocks_of(part)
    return Singularities(part, None)


def singularities_of(activation: Activation) -> tuple[Singularities, ...]:
    """The singularities of each part. Raises :class:`UndecidedError` for functions that are not known."""
    return tuple(singularities(part) for part in activation.pieces.parts)


def _is_number(place: sp.Expr) -> bool:
    """Whether it has a ball: roots in radicals may divide by what cannot be told from 0."""
    with working_precision(160):
        ball = acb(exact_ball(place))
        return bool(ball.is_finite()) and bool(ball.rad() < arb(2) ** -60)


@lru_cache(maxsize=512)
def _floats(places: tuple[sp.Expr, ...]) -> tuple[complex, ...]:
    with working_precision(160):
        balls = [acb(exact_ball(place)) for place in places]
        return tuple(complex(float(b.real.mid()), float(b.imag.mid())) for b in balls)
