"""The meshes and ranges that integrals of some functions of a Gaussian need, made once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.floating.line import reach_of
from analytic_ntk.gaussian.floating.memo import Memo
from analytic_ntk.gaussian.floating.mesh import Mesh, PartFunctions, build_mesh

Array = NDArray[np.float64]


def overflow(what: str, q: float) -> DomainError:
    return DomainError(
        f"E phi(u)^2 of {what} at variance {q:.6g}",
        "a kernel that float64 can represent",
        "use the certified path, or smaller variances",
    )


class Grids:
    """For functions of one activation with its breakpoints."""

    def __init__(self, functions: tuple[PartFunctions, ...], breaks: Array, name: str) -> None:
        self.functions, self.breaks, self.name = functions, breaks, name
        self._meshes: dict[tuple[int, int], Mesh] = {}
        self._reaches = Memo(1)

    def mesh(self, size: int, level: int) -> Mesh:
        """The mesh on ``[-2^size, 2^size]``, bisected ``level`` times more than needed."""
        if (size, level) not in self._meshes:
            if level:
                found = self.mesh(size, level - 1).finer()
            else:
                found = build_mesh(self.functions, self.breaks, 2.0**size, lambda: self.name)
            self._meshes[size, level] = found
        return self._meshes[size, level]

    def reach(self, root_q: Array) -> Array:
        """Standard deviations that matter, per entry of ``root_q``; raises where float64 overflows."""
        keys, inverse = np.unique(root_q, return_inverse=True)
        return self._reaches.get(keys, lambda missing: self._new_reach(missing)[:, None])[inverse, 0]

    def _new_reach(self, root_q: Array) -> Array:
        found = reach_of(self.functions, root_q)
        if np.any(np.isnan(found)):
            raise overflow(self.name, float(root_q[np.isnan(found)][0] ** 2))
        return found
