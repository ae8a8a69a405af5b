"""Duals that are known exactly: of polynomials, of ``c |x| + d x``, of ``c sign(x) + d``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

from proofs_check.replay.conjectures.calculus import differentiate, formal_value
from proofs_check.replay.conjectures.chain import Chain
from proofs_check.replay.conjectures.duals import arc_polynomial, falling
from proofs_check.replay.conjectures.formal import PI, Formal, NotFormal
from proofs_check.replay.conjectures.jets import Jet
from proofs_check.replay.conjectures.masses import arc_slopes
from proofs_check.replay.expression import Refusal
from proofs_check.replay.pieces import Pieces, pieces, polynomial

MAX_DEGREE = 16


@dataclass(frozen=True)
class ExactDual:
    """``line``: the coefficients of a polynomial; or ``c`` and ``d`` of ``c |x| + d x`` (``slopes``), of ``c
    sign(x) + d`` (``steps``)."""

    line: tuple[Fraction, ...] = ()
    slopes: tuple[Formal, Formal] | None = None
    steps: tuple[Formal, Formal] | None = None

    def derivative(self, order: int, point: Formal, q: Formal) -> Formal:
        """``V^(order)`` at a point, at variance ``q``. Raises :class:`NotFormal` where it is infinite.

        Cho, Saul 2009: ``q c^2 (2/pi) (sqrt(1 - r^2) + r asin r) + q d^2 r`` and ``c^2 (2/pi) asin r + d^2``.
        """
        if self.slopes is None and self.steps is None:
            terms = [self._square(n, q) * falling(n, order) for n in range(order, len(self.line))]
            return sum((a * point.power(k) for k, a in enumerate(terms)), Formal.of(0))
        pair = self.slopes or self.steps
        assert pair is not None
        even, line = pair[0] * pair[0] * 2 / Formal.of(PI), pair[1] * pair[1]
        if self.slopes is None:
            return even * _arc(order, point) + (line if order == 0 else 0)
        if order == 0:
            return q * (even * (((1 - point * point).sqrt()) + point * point.asin()) + line * point)
        return q * (even * _arc(order - 1, point) + (line if order == 1 else 0))

    def slope(self, order: int, point: Formal, q: Formal) -> Formal:
        """The same of the dual of the derivative."""
        return Formal.of(0) if self.steps is not None else self.derivative(order + 1, point, q) / q

    def _square(self, n: int, q: Formal) -> Formal:
        """``a_n^2``, from ``E x^k He_n = k!/(2^p p!)``, ``p = (k - n)/2``."""
        total = Formal.of(0)
        for k in range(n, len(self.line), 2):
            p = (k - n) // 2
            total = total + q.power(p) * (self.line[k] * Fraction(factorial(k), 2**p * factorial(p)))
        return total * total * q.power(n) / factorial(n)

    def known_at(self, point: Formal) -> bool:
        """Whether a value there is a short expression."""
        return (self.slopes is None and self.steps is None) or point.rational in (-1, 0, 1)


def _arc(order: int, point: Formal) -> Formal:
    """The derivative of ``asin``."""
    if order == 0:
        return point.asin()
    below, top = 1 - point * point, Formal.of(0)
    for c in reversed([int(c) for c in arc_polynomial(order - 1)]):
        top = top * point + c
    return top / below.power(order - 1) / below.sqrt()


def exact_kernel(dual: ExactDual | None, chain: Chain, extra: bool, point: Formal, order: int) -> Jet:
    """The NNGP ``S``, or ``T - S``, at a point, derivatives over factorials. Raises :class:`NotFormal`."""
    line = Jet((point, Formal.of(1), *([Formal.of(0)] * order))[: order + 1])
    kernel, q = line * chain.weights[0] + chain.biases[0], Formal.of(chain.weights[0] + chain.biases[0])
    tangent, more = kernel, kernel * 0
    for place, (w, b) in enumerate(zip(chain.weights[1:], chain.biases[1:], strict=True)):
        ratio = kernel * (1 / q)
        inside = ratio.c[0]
        if dual is None or (place and not dual.known_at(inside)):
            raise NotFormal  # closed forms inside closed forms grow without use
        kernel = ratio.compose(_over_factorials(dual.derivative, inside, q, order)) * w + b
        if extra:
            more = ratio.compose(_over_factorials(dual.slope, inside, q, order)) * tangent * w
            tangent = kernel + more
        q = dual.derivative(0, Formal.of(1), q) * w + b
    return more if extra else kernel


def _over_factorials(
    derivative: Callable[[int, Formal, Formal], Formal], point: Formal, q: Formal, order: int
) -> tuple[Formal, ...]:
    return tuple(derivative(k, point, q) / factorial(k) for k in range(order + 1))


def exact_dual(expr: Any) -> ExactDual | None:
    """``None`` where no exact dual is known."""
    try:
        cut = pieces(expr)
        line = polynomial(cut.parts[0]) if not cut.points else None
        if line is not None:
            return ExactDual(line) if len(line) <= MAX_DEGREE + 1 else None
        slopes = arc_slopes(cut)
        if slopes is not None:
            even, odd = (formal_value(slope, Fraction(0)) for slope in slopes)
            return ExactDual(slopes=(even, odd))
        return _steps(cut)
    except (Refusal, NotFormal):
        return None


def _steps(cut: Pieces) -> ExactDual | None:
    if cut.points not in ((), (Fraction(0),)) or any(differentiate(part) != "0" for part in cut.parts):
        return None
    right, left = (formal_value(part, Fraction(0)) for part in (cut.parts[-1], cut.parts[0]))
    return ExactDual(steps=((right - left) / 2, (right + left) / 2))
