"""The even and the odd half of a function: ``(f(t) + f(-t))/2`` and ``(f(t) - f(-t))/2``.

Each is known by what it is on ``t > 0``. Much is decided there: ReLU, GELU, SiLU and softplus are ``t/2``
plus an even function, a step or a sigmoid is ``1/2`` plus an odd one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.identities import Powers, is_zero, polynomial_powers, vanishes
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x


@dataclass(frozen=True)
class Half:
    """``pieces`` hold on ``t > 0`` (all breakpoints are positive); neighbours shown equal are merged."""

    odd: bool
    pieces: Pieces

    @cached_property
    def powers(self) -> Powers | None:
        """The nonzero coefficients if it is shown to be a polynomial on ``t > 0``; ``None``: not shown."""
        try:
            return polynomial_powers(self.pieces.parts[0], (1,)) if len(self.pieces.parts) == 1 else None
        except UndecidedError:
            return None

    @property
    def degree(self) -> int | None:
        """The degree if it is shown to be a polynomial on the whole line (-1 for zero), else ``None``.

        ``t`` on ``t > 0`` is one in the odd half; in the even half it is ``|t|``.
        """
        if self.powers is None or any(k % 2 != self.odd for k in self.powers):
            return None
        return max(self.powers, default=-1)

    @property
    def expression(self) -> sp.Expr | None:
        """The one expression that holds on the whole line, if that is shown."""
        if len(self.pieces.parts) > 1:
            return None
        (part,) = self.pieces.parts
        sign = -1 if self.odd else 1
        return part if vanishes(part - sign * part.subs(x, -x)) else None


@lru_cache(maxsize=512)
def halves(pieces: Pieces) -> tuple[Half, Half]:
    """The even and the odd half of a function cut in pieces.

    Raises :class:`UndecidedError` where breakpoints cannot be told from 0, or from each other mirrored.

    >>> even, odd = halves(Pieces.of(sp.Max(x, 0)))
    >>> even.powers, even.degree, odd.powers, odd.degree
    ({1: 1/2}, None, {1: 1/2}, 1)
    """
    points: list[sp.Expr] = []
    for point in pieces.breakpoints:
        size = abs(point)
        if not is_zero(size) and not any(is_zero(size - known) for known in points):
            points.append(size)
    points.sort(key=lambda point: sp.N(point, 60))
    ends = [sp.S.Zero, *points]
    probes = [(low + high) / 2 for low, high in zip(ends, points, strict=False)] + [ends[-1] + 1]
    sides = [(pieces.part_at(probe), pieces.part_at(-probe).subs(x, -x)) for probe in probes]
    even, odd = (
        _merged(points, [_tidy((right + sign * left) / 2) for right, left in sides]) for sign in (1, -1)
    )
    return Half(False, even), Half(True, odd)


def _merged(points: list[sp.Expr], parts: list[sp.Expr]) -> Pieces:
    kept_points: list[sp.Expr] = []
    kept = parts[:1]
    for point, part in zip(points, parts[1:], strict=True):
        if part != kept[-1] and not vanishes(part - kept[-1]):
            kept_points.append(point)
            kept.append(part)
    return Pieces(tuple(kept_points), tuple(kept))


def _tidy(expr: sp.Expr) -> sp.Expr:
    """Expanded sums, so that what cancels is gone; ``sigmoid(-x)`` and the like stay as they are."""
    return sp.expand(expr, power_exp=False, power_base=False, log=False)
