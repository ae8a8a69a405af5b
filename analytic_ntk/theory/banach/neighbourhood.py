"""The neighbourhood in which the series of every unit is exact, and where a step leaves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.gaussian.values import real_array
from analytic_ntk.theory.banach.singular import singularities_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Domain(Shown):
    """Where the Taylor series of an activation at ``z`` gives ``phi(z + u)``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> domain = Domain(activations.tanh)
    >>> domain.radius(np.array([0.0, 1.0])).round(6)
    array([1.570796, 1.862096])
    >>> Domain(activations.relu).ratio(np.array([0.5, 0.5]), np.array([3.0, -1.0]))
    array([0., 2.])
    """

    activation: Activation

    def __post_init__(self) -> None:
        self.activation.require_numeric()

    def radius(self, z: ArrayLike) -> Array:
        """Of convergence: the distance to the nearest complex singularity of the part that holds ``z``.

        That of the building blocks: one that cancels is counted, so that this is never too large. In float64;
        places without an exact form are searched for, up to a distance of 64, and then it is a lower bound.
        Raises :class:`UndecidedError` for functions that are not known.
        """
        z = real_array(z)
        parts = singularities_of(self.activation)
        where = np.searchsorted(self.activation.pieces.float_breakpoints, z, side="right")
        found = np.full(z.shape, np.inf)
        for i, part in enumerate(parts):
            if not part.entire:
                found = np.where(where == i, part.distance(z), found)
        return found

    def ratio(self, z: ArrayLike, u: ArrayLike) -> Array:
        """``|u|`` over the radius, or over the distance to a breakpoint that lies ahead: exact below 1.

        At a breakpoint itself every ``u`` but 0 has an infinite ratio.
        """
        z, u = real_array(z), real_array(u)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(u == 0, 0.0, np.abs(u) / self.radius(z))
        for place in self.activation.pieces.float_breakpoints:
            ahead = (place - z) * u >= 0
            with np.errstate(divide="ignore", invalid="ignore"):
                crossing = np.where(ahead & (u != 0), np.abs(u) / np.abs(place - z), 0.0)
            found = np.maximum(found, crossing)
        return found


@dataclass(frozen=True)
class Place(Shown):
    """The unit with the largest ratio of ``|change of its argument|`` to its radius.

    ``layer`` counts nonlinearities from 1, ``unit`` and ``row`` (of the data) from 0. ``admissible``: how
    many times the step may be taken (see ``Features.place``), infinite where no multiple leaves.
    """

    layer: int
    unit: int
    row: int
    ratio: float
    admissible: float

    @property
    def inside(self) -> bool:
        return self.ratio < 1

    def __str__(self) -> str:
        return (
            f"unit {self.unit} of layer {self.layer} at row {self.row} of X: ratio {self.ratio:.4g}, "
            f"largest admissible multiple of the step {self.admissible:.4g}"
        )
