"""An activation cut into expressions without switches, at exact rational breakpoints.

A switch (``abs``, ``sign``, ``step``, ``max``, ``min``, ``cases``) is resolved where its guard is a
polynomial with rational coefficients: of constant sign on an open interval by Descartes' rule of signs, else
the interval is cut at a rational root, or in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

from flint import arb, fmpq, fmpq_poly

from proofs_check.replay.expression import Refusal, evaluate, rational
from proofs_check.replay.gram.algebra import Algebra, Form, T, powers_of_t
from proofs_check.replay.reading import precision

MAX_CUTS, MAX_DEGREE, MAX_ROOT_DEGREE = 60, 60, 12
SWITCHES = ("abs", "sign", "step", "max", "min", "cases")
End = Fraction | None


@dataclass(frozen=True)
class Piece:
    """``expression`` holds for ``low < x < high``; ``None`` is infinity. No piece contains 0."""

    low: End
    high: End
    expression: Any

    def holds(self, at: Fraction) -> bool:
        return (self.low is None or self.low < at) and (self.high is None or at < self.high)


class _Cut(Exception):
    """The interval must be cut here."""

    def __init__(self, at: Fraction) -> None:
        self.at = at


def line(slope: Fraction) -> Form:
    """``slope * t``."""
    return {((T, Fraction(1)),): slope}


def pieces(expression: Any, algebra: Algebra) -> tuple[Piece, ...]:
    """From left to right. Raises :class:`Refusal` where a switch cannot be resolved."""
    return (*reversed(_half(expression, -1, algebra)), *_half(expression, 1, algebra))


def _half(expression: Any, side: int, algebra: Algebra) -> list[Piece]:
    """The pieces on ``x = side * t``, ``t > 0``, outwards."""
    found: list[Piece] = []
    waiting: list[tuple[Fraction, End]] = [(Fraction(0), None)]
    while waiting:
        low, high = waiting.pop()
        try:
            smooth = _resolved(expression, (side, low, high), algebra)
        except _Cut as cut:
            if len(waiting) + len(found) > MAX_CUTS:
                raise Refusal("too many breakpoints, or irrational ones") from None
            waiting += [(cut.at, high), (low, cut.at)]
            continue
        end = None if high is None else side * high
        found.append(Piece(side * low, end, smooth) if side > 0 else Piece(end, side * low, smooth))
    return found


_Where = tuple[int, Fraction, End]


def _resolved(node: Any, where: _Where, algebra: Algebra) -> Any:
    algebra.budget.spend(500)
    if isinstance(node, str):
        return node
    head, *arguments = node
    if head == "cases":
        for chosen, condition in arguments:
            if _holds(condition, where, algebra):
                return _resolved(chosen, where, algebra)
        raise Refusal("cases without an answer at some point")
    if head == "^":
        return [head, _resolved(arguments[0], where, algebra), arguments[1]]
    parts = [_resolved(argument, where, algebra) for argument in arguments]
    if head not in SWITCHES:
        return [head, *parts]
    if head in ("max", "min"):
        best = parts[0]
        for other in parts[1:]:
            above = _sign(["+", other, ["*", "-1", best]], where, algebra)
            best = other if above == (1 if head == "max" else -1) else best
        return best
    side = _sign(parts[0], where, algebra)
    if head == "abs":
        return ["*", str(side), parts[0]]
    return str(side) if head == "sign" else str(Fraction(1 + side, 2))


def _holds(condition: Any, where: _Where, algebra: Algebra) -> bool:
    if not isinstance(condition, list):
        raise Refusal(f"{str(condition)[:60]!r} is no condition")
    head, *arguments = condition
    if head == "else":
        return True
    if head in ("and", "or"):
        answers = [_holds(argument, where, algebra) for argument in arguments]
        return all(answers) if head == "and" else any(answers)
    if head not in ("<", "<="):
        raise Refusal(f"{str(head)[:40]!r} is no condition")
    low, high = (_resolved(argument, where, algebra) for argument in arguments)
    side = _sign(["+", high, ["*", "-1", low]], where, algebra)
    return side > 0 or (side == 0 and head == "<=")


def _sign(guard: Any, where: _Where, algebra: Algebra) -> int:
    """The sign of a guard on an open interval of ``t``; 0 only if it vanishes identically."""
    side, low, high = where
    found = powers_of_t(algebra.evaluate(guard, line(Fraction(side))))
    if found is None or any(set(form) != {()} for form in found.values()):
        raise Refusal("a switch whose guard is no polynomial with rational coefficients")
    if max(found, default=0) > MAX_DEGREE:
        raise Refusal(f"a switch whose guard has a degree above {MAX_DEGREE}")
    coefficients = [found.get(k, {}).get((), Fraction(0)) for k in range(max(found, default=-1) + 1)]
    algebra.budget.spend(1000 * (1 + len(coefficients) ** 2))
    signs = [c for c in _on_half_line(coefficients, low, high) if c]
    if not signs:
        return 0
    if all(c > 0 for c in signs) or all(c < 0 for c in signs):
        return 1 if signs[0] > 0 else -1
    raise _Cut(_root(coefficients, low, high))


def _on_half_line(p: list[Fraction], low: Fraction, high: End) -> list[Fraction]:
    """The coefficients of a polynomial in ``y > 0`` with the signs that ``p`` takes on the interval."""
    p = _shifted(p, low)
    if high is None:
        return p
    return _shifted([c * (high - low) ** k for k, c in enumerate(p)][::-1], Fraction(1))


def _shifted(p: list[Fraction], by: Fraction) -> list[Fraction]:
    """``p(y + by)``."""
    return [
        sum((c * comb(k, j) * by ** (k - j) for k, c in enumerate(p) if k >= j), Fraction(0))
        for j in range(len(p))
    ]


def _root(p: list[Fraction], low: Fraction, high: End) -> Fraction:
    """A rational root inside the interval, or a point in its middle."""
    if len(p) - 1 <= MAX_ROOT_DEGREE:
        integral = fmpq_poly([fmpq(c.numerator, c.denominator) for c in p]).numer()
        for factor, _ in integral.factor()[1]:
            if factor.degree() == 1:
                root = Fraction(-int(factor[0]), int(factor[1]))
                if low < root and (high is None or root < high):
                    return root
    return 2 * low + 1 if high is None else (low + high) / 2


# ------------------------------------------------------------------------------------ at 0


def settled(node: Any) -> Any:
    """The expression at ``x = 0``, every switch resolved by its definition there (``step(0) = 1/2``)."""
    if isinstance(node, str):
        return "0" if node == "x" else node
    head, *arguments = node
    if head == "cases":
        for chosen, condition in arguments:
            if _holds_at_0(condition):
                return settled(chosen)
        raise Refusal("cases without an answer at 0")
    if head == "^":
        return [head, settled(arguments[0]), arguments[1]]
    parts = [settled(part) for part in arguments]
    if head in ("max", "min"):
        best = parts[0]
        for other in parts[1:]:
            larger = _compared(other, best) > 0
            best = other if larger == (head == "max") else best
        return best
    if head in ("abs", "sign", "step"):
        side = _compared(parts[0], "0")
        return {"abs": ["*", str(side), parts[0]], "sign": str(side)}.get(head, str(Fraction(1 + side, 2)))
    return [head, *parts]


def _holds_at_0(condition: Any) -> bool:
    if not isinstance(condition, list):
        raise Refusal(f"{str(condition)[:60]!r} is no condition")
    head, *arguments = condition
    if head == "else":
        return True
    if head in ("and", "or"):
        return (all if head == "and" else any)([_holds_at_0(argument) for argument in arguments])
    if head not in ("<", "<="):
        raise Refusal(f"{str(head)[:40]!r} is no condition")
    side = _compared(settled(arguments[1]), settled(arguments[0]))
    return side > 0 or (side == 0 and head == "<=")


def _compared(one: Any, other: Any) -> int:
    """The sign of the difference of two constants."""
    if isinstance(one, str) and isinstance(other, str) and {one, other}.isdisjoint({"pi", "e"}):
        exact = rational(one) - rational(other)
        return (exact > 0) - (exact < 0)
    with precision(256):
        difference = evaluate(one, arb(0)) - evaluate(other, arb(0))
    if difference > 0 or difference < 0 or difference == 0:
        return 1 if difference > 0 else -1 if difference < 0 else 0
    raise Refusal("a comparison that cannot be told at 0")
