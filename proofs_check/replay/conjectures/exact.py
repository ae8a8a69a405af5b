"""The dual at unit variance where it is known exactly: polynomials, and ``|x|`` with multiples of ``x``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial
from typing import Any

from proofs_check.replay.conjectures.calculus import formal_value
from proofs_check.replay.conjectures.duals import falling
from proofs_check.replay.conjectures.formal import PI, Formal, NotFormal
from proofs_check.replay.conjectures.masses import arc_slopes
from proofs_check.replay.conjectures.pieces import pieces, polynomial
from proofs_check.replay.expression import Refusal

MAX_DEGREE = 16


@dataclass(frozen=True)
class ExactDual:
    """``squares``: all ``a_n^2`` of a polynomial; or ``c`` and ``d`` of ``c |x| + d x``."""

    squares: tuple[Fraction, ...] = ()
    slopes: tuple[Formal, Formal] | None = None

    def derivative(self, order: int, point: Formal) -> Formal | None:
        """``V^(order)`` at a point, if it is known there."""
        if self.slopes is None:
            terms = [
                Formal.of(a * falling(n, order)) * point.power(n - order)
                for n, a in enumerate(self.squares)
                if n >= order
            ]
            return sum(terms, Formal.of(0))
        value = point.rational
        if value is None or abs(value) > 1 or (order > 1 and value != 0):
            return None
        even, line = (slope * slope for slope in self.slopes)
        even = even * 2 / Formal.of(PI)
        if order == 0:
            return None if value not in (-1, 0, 1) else even * _first(abs(value)) + line * value
        if order == 1:
            return None if value not in (-1, 0, 1) else line + even * (Formal.of(PI) * (value / 2))
        # the even powers of 1/sqrt(1 - r^2) at 0
        half, odd = divmod(order - 2, 2)
        coefficient = Fraction(comb(2 * half, half), 4**half) * factorial(2 * half)
        return Formal.of(0) if odd else even * coefficient


def _first(size: Fraction) -> Formal:
    """``sqrt(1 - r^2) + r asin r`` at 0 and at 1."""
    return Formal.of(1) if size == 0 else Formal.of(PI) / 2


def exact_dual(expr: Any) -> ExactDual | None:
    """``None`` where no exact dual is known."""
    try:
        cut = pieces(expr)
        line = polynomial(cut.parts[0]) if not cut.points else None
        slopes = arc_slopes(cut) if line is None else None
        if slopes is not None:
            even, odd = (formal_value(slope, Fraction(0)) for slope in slopes)
            return ExactDual(slopes=(even, odd))
    except (Refusal, NotFormal):
        return None
    if line is None or len(line) > MAX_DEGREE + 1:
        return None
    # E x^k He_n = k!/(2^p p!), p = (k - n)/2
    squares = []
    for n in range(len(line)):
        total = Fraction(0)
        for k in range(n, len(line), 2):
            p = (k - n) // 2
            total += line[k] * Fraction(factorial(k), 2**p * factorial(p))
        squares.append(total * total / factorial(n))
    return ExactDual(squares=tuple(squares))
