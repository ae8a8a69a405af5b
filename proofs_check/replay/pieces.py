"""Functions of one variable cut into expressions without switches, at exact rational breakpoints.

A switch (``abs``, ``sign``, ``step``, ``max``, ``min``, ``cases``) is resolved where its guard is written as
a polynomial with rational coefficients: of constant sign on an open interval by Descartes' rule of signs,
else the interval is cut at a rational root, or in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Any

from flint import fmpq, fmpq_poly

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, nodes, rational

MAX_CUTS, MAX_DEGREE, MAX_GUARD, MAX_ROOT_DEGREE, MAX_POWER = 60, 128, 60, 12, 64
MAX_BITS = 20_000
"""Of a coefficient."""
SWITCHES = ("abs", "sign", "step", "max", "min", "cases")
ZERO = Fraction(0)
End = Fraction | None
"""``None`` is infinity."""
Sign = Callable[[Any], int]

# ------------------------------------------------------------------------------------ polynomials

Polynomial = tuple[Fraction, ...]
"""Coefficients, lowest first, no zeros on top; ``()`` is the zero polynomial."""


def trim(values: list[Fraction]) -> Polynomial:
    while values and values[-1] == 0:
        values.pop()
    if any(max(abs(c.numerator), c.denominator).bit_length() > MAX_BITS for c in values):
        raise Refusal(f"a polynomial with a coefficient of more than {MAX_BITS} bits")
    return tuple(values)


def add(one: Polynomial, two: Polynomial) -> Polynomial:
    size = max(len(one), len(two))
    return trim(
        [(one[k] if k < len(one) else ZERO) + (two[k] if k < len(two) else ZERO) for k in range(size)]
    )


def multiply(one: Polynomial, two: Polynomial) -> Polynomial:
    if len(one) + len(two) > MAX_DEGREE + 2:
        raise Refusal(f"a polynomial of a degree beyond {MAX_DEGREE}")
    found = [ZERO] * max(0, len(one) + len(two) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            found[i + j] += a * b
    return trim(found)


def polynomial(expr: Any) -> Polynomial | None:
    """The polynomial with rational coefficients that a switch-free expression is written as, if it is."""
    if isinstance(expr, str):
        if expr == "x":
            return (ZERO, Fraction(1))
        return None if expr in ("pi", "e") else trim([rational(expr)])
    head, *arguments = expr
    if head == "^":
        base, exponent = polynomial(arguments[0]), rational(arguments[1])
        if base is None or exponent.denominator != 1 or not 0 <= exponent <= MAX_POWER:
            return None
        found: Polynomial = (Fraction(1),)
        for _ in range(int(exponent)):
            found = multiply(found, base)
        return found
    if head not in ("+", "*"):
        return None
    parts = [polynomial(argument) for argument in arguments]
    result: Polynomial = () if head == "+" else (Fraction(1),)
    for part in parts:
        if part is None:
            return None
        result = add(result, part) if head == "+" else multiply(result, part)
    return result


# ------------------------------------------------------------------------------------ pieces


@dataclass(frozen=True)
class Piece:
    """``expression`` holds for ``low < x < high``."""

    low: End
    high: End
    expression: Any

    def holds(self, at: Fraction) -> bool:
        return (self.low is None or self.low < at) and (self.high is None or at < self.high)


@dataclass(frozen=True)
class Pieces:
    """``parts[i]`` holds between ``points[i - 1]`` and ``points[i]``; the points themselves do not matter."""

    points: tuple[Fraction, ...]
    parts: tuple[Any, ...]

    def part_at(self, point: Fraction) -> Any:
        return self.parts[sum(1 for p in self.points if p < point)]

    def cut_at_0(self) -> tuple[Piece, ...]:
        """From left to right, none of which contains 0."""
        inner = sorted({*self.points, ZERO})
        ends: list[End] = [None, *inner, None]
        rows = zip(ends, ends[1:], samples(inner), strict=False)
        return tuple(Piece(low, high, self.part_at(place)) for low, high, place in rows)


def samples(points: list[Fraction]) -> list[Fraction]:
    """One inside each interval between these points, in order, the outer ones too."""
    return [points[0] - 1, *((a + b) / 2 for a, b in pairwise(points)), points[-1] + 1]


class _Cut(Exception):
    """The interval must be cut here."""

    def __init__(self, at: Fraction) -> None:
        self.at = at


def pieces(expr: Any, budget: Budget | None = None) -> Pieces:
    """Raises :class:`Refusal` where a switch cannot be resolved."""
    budget = budget or Budget()
    points: list[Fraction] = []
    parts: list[Any] = []
    waiting: list[tuple[End, End]] = [(ZERO, None), (None, ZERO)]
    while waiting:
        low, high = waiting.pop()
        try:
            part = resolved(expr, _Between(low, high, budget), budget)
        except _Cut as cut:
            if len(waiting) + len(parts) > MAX_CUTS:
                raise Refusal("too many breakpoints, or irrational ones") from None
            waiting += [(cut.at, high), (low, cut.at)]
            continue
        if not parts:
            parts.append(part)
        elif low is not None and not _same(parts[-1], part):
            points.append(low)
            parts.append(part)
    return Pieces(tuple(points), tuple(parts))


def _same(one: Any, other: Any) -> bool:
    if one == other:
        return True
    first, second = polynomial(one), polynomial(other)
    return first is not None and first == second


def resolved(node: Any, sign: Sign, budget: Budget) -> Any:
    """The expression without switches, where the guards have these signs."""
    budget.spend(500)
    if isinstance(node, str):
        return node
    head, *arguments = node
    if head == "cases":
        for chosen, condition in arguments:
            if _holds(condition, sign, budget):
                return resolved(chosen, sign, budget)
        raise Refusal("cases without an answer at some point")
    if head == "^":
        return [head, resolved(arguments[0], sign, budget), arguments[1]]
    parts = [resolved(argument, sign, budget) for argument in arguments]
    if head in ("max", "min"):
        best = parts[0]
        for other in parts[1:]:
            above = sign(_minus(other, best))
            best = other if above == (1 if head == "max" else -1) else best
        return best
    if head not in SWITCHES:
        return [head, *parts]
    side = sign(parts[0])
    if head == "abs":
        return parts[0] if side > 0 else ["*", "-1", parts[0]] if side else "0"
    return str(side) if head == "sign" else str(Fraction(1 + side, 2))


def _holds(condition: Any, sign: Sign, budget: Budget) -> bool:
    head, *arguments = condition
    if head == "else":
        return True
    if head in ("and", "or"):
        answers = [_holds(argument, sign, budget) for argument in arguments]
        return all(answers) if head == "and" else any(answers)
    low, high = (resolved(argument, sign, budget) for argument in arguments)
    side = sign(_minus(high, low))
    return side > 0 or (side == 0 and head == "<=")


def _minus(one: Any, other: Any) -> Any:
    return ["+", one, ["*", "-1", other]]


# ------------------------------------------------------------------------------------ signs


@dataclass(frozen=True)
class _Between:
    """The sign of a guard on an open interval, not the whole line; 0 only if it vanishes identically."""

    low: End
    high: End
    budget: Budget

    def __call__(self, guard: Any) -> int:
        self.budget.spend(300 * nodes(guard))
        p = polynomial(guard)
        if p is None:
            raise Refusal("a switch whose guard is no polynomial with rational coefficients")
        if len(p) > MAX_GUARD + 1:
            raise Refusal(f"a switch whose guard has a degree above {MAX_GUARD}")
        ends = [end for end in (self.low, self.high) if end]
        length = max((max(abs(e.numerator), e.denominator).bit_length() for e in ends), default=1)
        self.budget.spend(len(p) ** 2 * (1000 + length * len(p) // 8))
        signs = [c for c in self._on_half_line([*p]) if c]
        if not signs:
            return 0
        if all(c > 0 for c in signs) or all(c < 0 for c in signs):
            return 1 if signs[0] > 0 else -1
        raise _Cut(self._root([*p]))

    def _on_half_line(self, p: list[Fraction]) -> list[Fraction]:
        """The coefficients of a polynomial in ``y > 0`` with the signs that ``p`` takes on the interval."""
        if self.low is None:
            assert self.high is not None
            return [c * (-1) ** k for k, c in enumerate(_shifted(p, self.high))]
        p = _shifted(p, self.low)
        if self.high is None:
            return p
        return _shifted([c * (self.high - self.low) ** k for k, c in enumerate(p)][::-1], Fraction(1))

    def _root(self, p: list[Fraction]) -> Fraction:
        """A rational root inside the interval, or a point in its middle."""
        if len(p) - 1 <= MAX_ROOT_DEGREE:
            integral = fmpq_poly([fmpq(c.numerator, c.denominator) for c in p]).numer()
            for factor, _ in integral.factor()[1]:
                if factor.degree() == 1:
                    root = Fraction(-int(factor[0]), int(factor[1]))
                    if (self.low is None or self.low < root) and (self.high is None or root < self.high):
                        return root
        if self.low is None or self.high is None:
            return 2 * self.low + 1 if self.low is not None else 2 * (self.high or ZERO) - 1
        return (self.low + self.high) / 2


def _shifted(p: list[Fraction], by: Fraction) -> list[Fraction]:
    """``p(y + by)``."""
    return [
        sum((c * comb(k, j) * by ** (k - j) for k, c in enumerate(p) if k >= j), ZERO) for j in range(len(p))
    ]
