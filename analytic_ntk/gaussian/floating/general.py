"""Any activation: reach, mesh and rule are chosen here, checked against a finer rule, and the pairs served.

This is the method of last resort and the reference of the others: slow (about a millisecond a pair), always
accurate. A sample of every call is recomputed on a twice finer mesh with a longer rule; if the two disagree
the whole call is repeated finer, and :class:`PrecisionError` is raised when three refinements do not help.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.floating.grids import Grids, overflow
from analytic_ntk.gaussian.floating.line import FINER, USUAL, line_nodes, second_moments
from analytic_ntk.gaussian.floating.memo import Memo
from analytic_ntk.gaussian.floating.mesh import PartFunctions
from analytic_ntk.gaussian.floating.plane import Block, diagonal, plane
from analytic_ntk.gaussian.pieces import Pieces

Array = NDArray[np.float64]
TOLERANCE = 3e-14
_LEVELS = 4
_SAMPLE = 10


@dataclass(frozen=True)
class PairExpectations(Shown):
    """``E phi(u)phi(v)``, ``sqrt(E phi(u)^2 E phi(v)^2) - |dual|`` and ``E phi'(u)phi'(v)`` over pairs."""

    dual: Array
    gap: Array
    derivative_dual: Array


class General:
    """Gaussian expectations of ``phi`` and its derivative by quadrature on a mesh fitted to ``phi``."""

    def __init__(self, phi: Pieces, derivative: Pieces) -> None:
        self.name = str(phi.parts[0] if len(phi.parts) == 1 else phi.parts)
        self.breaks = phi.float_breakpoints
        self.phi = PartFunctions(phi, phi.breakpoints)
        self.derivative = PartFunctions(derivative, phi.breakpoints)
        self.functions = (self.phi, self.derivative)
        self.phi_at_zero = self.phi.at(0.0)
        self.slope_at_zero = self.derivative.at(0.0)
        grids = Grids(self.functions, self.breaks, self.name)
        self.mesh, self.reach = grids.mesh, grids.reach
        self._moments = Memo(2)
        self.level = 0

    @cached_property
    def has_one_sign(self) -> bool:
        """Whether ``phi`` looks non-negative, or non-positive, on a grid."""
        grid = np.concatenate([np.linspace(-60.0, 60.0, 4001), np.linspace(-1.0, 1.0, 1001)])
        value = self.phi.whole(grid)
        value = value[np.isfinite(value)]
        return bool(np.all(value >= 0) or np.all(value <= 0))

    def moments(self, q: Array) -> tuple[Array, Array]:
        """``E phi(u)^2`` and ``E phi'(u)^2`` for distinct ascending ``q``; they depend on ``q`` alone."""
        found = self._moments.get(q, lambda missing: np.stack(self._new_moments(missing), axis=1))
        return found[:, 0], found[:, 1]

    def _new_moments(self, q: Array) -> tuple[Array, Array]:
        phi2 = np.full(len(q), self.phi_at_zero**2)
        slope2 = np.full(len(q), self.slope_at_zero**2)
        positive = np.nonzero(q > 0)[0]
        root = np.sqrt(q[positive])
        reach = self.reach(root)
        size = _size(reach * root)
        for k in np.unique(size):
            rows = size == k
            found = self._checked_moments(int(k), root[rows], reach[rows])
            phi2[positive[rows]], slope2[positive[rows]] = found
        return phi2, slope2

    def _checked_moments(self, size: int, root: Array, reach: Array) -> list[Array]:
        rough = second_moments(self.functions, self.mesh(size, 0), root, reach, USUAL)
        for level in range(1, _LEVELS):
            rule = FINER.level(level - 1)
            finer = second_moments(self.functions, self.mesh(size, level), root, reach, rule)
            for value in finer:
                if not np.all(np.isfinite(value)):
                    raise overflow(self.name, float(root[~np.isfinite(value)][0] ** 2))
            if all(np.all(np.abs(a - b) <= TOLERANCE * b) for a, b in zip(rough, finer, strict=True)):
                return finer
            rough = finer
        raise self._unresolved("second moments")

    def pairs(
        self, q1: Array, q2: Array, delta: Array, sign: NDArray[np.intp], rms1: Array, rms2: Array
    ) -> PairExpectations:
        """All pairs with ``q1 <= q2``; ``rms`` are the roots of the second moments of ``phi``."""
        dual, gap, slopes = np.zeros(len(q1)), np.zeros(len(q1)), np.zeros(len(q1))
        rms1_safe, rms2_safe = np.where(rms1 > 0, rms1, 1.0), np.where(rms2 > 0, rms2, 1.0)
        reach = self._pair_reach(q1, q2)
        size = _size(1.5 * reach * np.sqrt(q2))
        flat = q1 == 0
        for k in np.unique(size):
            for s in (1, -1):
                for on_line in (False, True):
                    rows = np.nonzero(~flat & (size == k) & (sign == s) & ((delta == 0) == on_line))[0]
                    if not len(rows):
                        continue
                    block = Block(
                        np.sqrt(q1[rows]), np.sqrt(q2[rows]), q2[rows] - q1[rows], delta[rows],
                        reach[rows], rms1_safe[rows], rms2_safe[rows],
                    )  # fmt: skip
                    found = self._checked(block, int(k), s, on_line)
                    dual[rows], gap[rows], slopes[rows] = _assemble(*found, rms1[rows] * rms2[rows])
        rows = np.nonzero(flat)[0]
        if len(rows):
            dual[rows], gap[rows], slopes[rows] = self._with_zero(q2[rows], rms2[rows])
        return PairExpectations(dual, gap, slopes)

    def _pair_reach(self, q1: Array, q2: Array) -> Array:
        values, inverse = np.unique(np.concatenate([q1, q2]), return_inverse=True)
        found = np.full(len(values), 8.5)
        positive = values > 0
        found[positive] = self.reach(np.sqrt(values[positive]))
        both = found[inverse]
        return np.maximum(both[: len(q1)], both[len(q1) :])

    def _checked(
        self, block: Block, size: int, sign: int, on_line: bool
    ) -> tuple[Array, Array, Array, Array]:
        method = diagonal if on_line else plane
        sample = _sample(block)
        probe = Block(*(getattr(block, name)[sample] for name in Block.__dataclass_fields__))
        for level in range(self.level, _LEVELS):
            usual, finest = USUAL.level(level), FINER.level(level)
            rough = method(self.phi, self.derivative, self.mesh(size, level), probe, sign, usual)
            finer = method(self.phi, self.derivative, self.mesh(size, level + 1), probe, sign, finest)
            if _agree(rough, finer):
                self.level = level
                found = method(self.phi, self.derivative, self.mesh(size, level), block, sign, usual)
                if not all(np.all(np.isfinite(value)) for value in found):
                    raise overflow(self.name, float(np.max(block.root2) ** 2))
                return found
        raise self._unresolved("pair expectations")

    def _unresolved(self, what: str) -> PrecisionError:
        return PrecisionError(
            f"{what} of {self.name}: two quadrature rules differ by more than {TOLERANCE:g}",
            "an activation resolved in float64",
            "use the certified path, or rewrite the formula without cancellation",
            reached=12,
        )

    def _with_zero(self, q2: Array, rms2: Array) -> tuple[Array, Array, Array]:
        """Pairs whose first variance is 0: ``u = 0``."""
        values, inverse = np.unique(q2, return_inverse=True)
        mean = np.full(len(values), self.phi_at_zero)
        spread = np.zeros(len(values))
        slope = np.full(len(values), self.slope_at_zero)
        for i in np.nonzero(values > 0)[0]:
            root = np.sqrt(values[i : i + 1])
            reach = self.reach(root)
            mesh = self.mesh(int(_size(reach * root)[0]), 1)
            _, part, z, weight = line_nodes(mesh, root, reach, FINER)
            value = self.phi(part, root * z)
            mean[i] = np.sum(weight * value)
            spread[i] = np.sum(weight * (value - mean[i]) ** 2)
            slope[i] = np.sum(weight * self.derivative(part, root * z))
        dual = self.phi_at_zero * mean[inverse]
        total = rms2 + np.abs(mean[inverse])
        gap = abs(self.phi_at_zero) * spread[inverse] / np.where(total > 0, total, 1.0)
        return dual, gap, self.slope_at_zero * slope[inverse]


def _size(largest: Array) -> NDArray[np.intp]:
    """The smallest ``k`` with ``2^k`` at least ``largest`` (so that few meshes are ever built)."""
    return np.ceil(np.log2(np.maximum(largest, 1e-280))).astype(np.intp)


def _sample(block: Block) -> NDArray[np.intp]:
    """Pairs at the ends and the middle of every range."""
    picks = []
    for values in (block.delta, block.root1, block.root2, block.root2 / block.root1):
        order = np.argsort(values, kind="stable")
        picks += [order[0], order[len(order) // 2], order[-1]]
    return np.unique(picks)[:_SAMPLE]


def _agree(rough: tuple[Array, ...], finer: tuple[Array, ...]) -> bool:
    rho, minus, plus, slopes = rough
    close = [np.abs(rho - finer[0]) < TOLERANCE]
    for mine, other in ((minus, finer[1]), (plus, finer[2])):
        close.append(np.abs(np.sqrt(mine) - np.sqrt(other)) < TOLERANCE)
    close.append(np.abs(slopes - finer[3]) < TOLERANCE * np.maximum(1.0, np.abs(finer[3])))
    return bool(np.all(close))


def _assemble(
    rho: Array, minus: Array, plus: Array, slopes: Array, scale: Array
) -> tuple[Array, Array, Array]:
    value = np.where(rho > 0.5, 1 - minus, np.where(rho < -0.5, plus - 1, rho))
    return scale * value, scale * np.where(rho >= 0, minus, plus), slopes
