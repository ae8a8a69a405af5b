"""Many pairs with one pair of norms: the expectations as piecewise Chebyshev functions of the angle.

With the variances fixed everything is a function of ``a = 2 asin(sqrt(delta/2))`` in ``[0, pi/2]`` and of the
sign of the correlation. Where ``|rho'| = 1`` at ``a = 0`` the quotient ``(1 - |rho'|)/a^2`` (``/a`` if phi
jumps) is interpolated, so that small gaps keep their relative accuracy. Panels are halved until the
coefficients have decayed; a table that would not be accurate is refused (``None``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DEGREE = 23
_NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
_TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_NODES, DEGREE))
_MOST_PANELS = 40
_NARROWEST = 1e-7
Evaluate = Callable[[Array], tuple[Array, Array, Array, Array]]
"""``delta -> rho', 1 - rho', 1 + rho', E phi'(u)phi'(v)`` for one pair of variances and one sign."""


@dataclass(frozen=True)
class AngleTable:
    """``edges`` of the panels in ``a``; Chebyshev coefficients ``(panels, degree + 1)`` of the two functions.

    ``side`` is +1 or -1 where ``1 - side rho' = a^power * first``, and 0 where ``rho' = first``.
    """

    edges: Array
    first: Array
    slope: Array
    side: int
    power: int

    def evaluate(self, delta: Array) -> tuple[Array, Array, Array]:
        """``rho', 1 - |rho'|, E phi'(u)phi'(v)``."""
        a = 2 * np.arcsin(np.sqrt(0.5 * delta))
        first, slope = np.empty_like(a), np.empty_like(a)
        for i in range(len(self.edges) - 1):
            low, high = self.edges[i], self.edges[i + 1]
            rows = np.nonzero((a >= low) & (a <= high if i == len(self.edges) - 2 else a < high))[0]
            z = (a[rows] - 0.5 * (low + high)) * (2 / (high - low))
            first[rows] = _clenshaw(self.first[i], z)
            slope[rows] = _clenshaw(self.slope[i], z)
        if self.side == 0:
            return first, 1 - np.abs(first), slope
        opening = np.maximum(first, 0.0) * a**self.power
        rho = self.side * (1 - opening)
        return rho, np.where(opening <= 1, opening, 2 - opening), slope


def _clenshaw(coefficients: Array, z: Array) -> Array:
    double = 2 * z
    later, last = np.zeros_like(z), np.full_like(z, coefficients[-1])
    for c in coefficients[-2:0:-1]:
        later, last = last, double * last - later + c
    return z * last - later + coefficients[0]


def build_table(evaluate: Evaluate, jumps: bool, slope_scale: float) -> AngleTable | None:
    """Halve panels of ``[0, pi/2]`` until both functions are resolved."""
    at_zero = evaluate(np.zeros(1))
    side = 1 if at_zero[1][0] < 1e-20 else -1 if at_zero[2][0] < 1e-20 else 0
    if side == 0 and min(at_zero[1][0], at_zero[2][0]) < 1e-2:
        return None
    power = 0 if side == 0 else 1 if jumps else 2
    pending = [(0.0, 0.25 * np.pi), (0.25 * np.pi, 0.5 * np.pi)]
    done: list[tuple[float, Array, Array]] = []
    while pending:
        if len(done) + len(pending) > _MOST_PANELS:
            return None
        a = np.concatenate([0.5 * (low + high) + 0.5 * (high - low) * _NODES for low, high in pending])
        values = evaluate(2 * np.sin(0.5 * a) ** 2)
        first = values[0] if side == 0 else values[1 if side > 0 else 2] / a**power
        if side == 0 and np.min(1 - np.abs(first)) < 1e-2:
            return None
        again = []
        for i, (low, high) in enumerate(pending):
            rows = slice(i * (DEGREE + 1), (i + 1) * (DEGREE + 1))
            c_first, c_slope = _TO_COEFFICIENTS @ first[rows], _TO_COEFFICIENTS @ values[3][rows]
            # an error of the quotient counts times a, as it moves the angle of the outputs
            allowed = 5e-15 if side == 0 else 5e-15 / high ** (0.5 * power)
            fine = np.max(np.abs(c_first[-3:])) <= allowed * max(1.0, float(np.abs(c_first[0])))
            if fine and np.max(np.abs(c_slope[-3:])) <= 5e-15 * slope_scale:
                done.append((low, c_first, c_slope))
            elif high - low < _NARROWEST:
                return None
            else:
                middle = 0.5 * (low + high)
                again += [(low, middle), (middle, high)]
        pending = again
    done.sort(key=lambda panel: panel[0])
    edges = np.array([panel[0] for panel in done] + [0.5 * np.pi])
    return AngleTable(
        edges, np.array([panel[1] for panel in done]), np.array([panel[2] for panel in done]), side, power
    )
