"""Functions of one variable cut into pieces, exactly.

Functions are those of :mod:`proofs_check.replay.expression`. On each piece between rational breakpoints a
function is written without switches (``abs``, ``max``, ``min``, ``sign``, ``step``, ``cases``), hence
analytic there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from proofs_check.replay.expression import Refusal, rational

MAX_PIECES = 40
Polynomial = tuple[Fraction, ...]
"""Coefficients, lowest first, no zeros on top; ``()`` is the zero polynomial."""
ZERO = Fraction(0)


def trim(values: list[Fraction]) -> Polynomial:
    while values and values[-1] == 0:
        values.pop()
    return tuple(values)


def add(one: Polynomial, two: Polynomial) -> Polynomial:
    size = max(len(one), len(two))
    return trim(
        [(one[k] if k < len(one) else ZERO) + (two[k] if k < len(two) else ZERO) for k in range(size)]
    )


def multiply(one: Polynomial, two: Polynomial) -> Polynomial:
    if len(one) + len(two) > 130:
        raise Refusal("a polynomial of a degree beyond 128")
    found = [ZERO] * max(0, len(one) + len(two) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            found[i + j] += a * b
    return trim(found)


def _at(polynomial: Polynomial, point: Fraction) -> Fraction:
    value = ZERO
    for c in reversed(polynomial):
        value = value * point + c
    return value


def polynomial(expr: Any) -> Polynomial | None:
    """The polynomial with rational coefficients that a switch-free expression is, if it is seen to be one."""
    if isinstance(expr, str):
        if expr == "x":
            return (ZERO, Fraction(1))
        return None if expr in ("pi", "e") else trim([rational(expr)])
    head, *arguments = expr
    if head == "^":
        base, exponent = polynomial(arguments[0]), rational(arguments[1])
        if base is None or exponent.denominator != 1 or not 0 <= exponent <= 64:
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
class Pieces:
    """``parts[i]`` holds between ``points[i - 1]`` and ``points[i]``; the points themselves do not matter."""

    points: tuple[Fraction, ...]
    parts: tuple[Any, ...]

    def part_at(self, point: Fraction) -> Any:
        return self.parts[sum(1 for p in self.points if p < point)]


def pieces(expr: Any) -> Pieces:
    """Cut a function where a switch turns. Raises :class:`Refusal` for switches whose argument is not seen
    to be piecewise ``c x + d`` with rational numbers."""
    found = _cut(expr)
    points: list[Fraction] = []
    parts = [found.parts[0]]
    for point, part in zip(found.points, found.parts[1:], strict=True):
        one, two = polynomial(parts[-1]), polynomial(part)
        if part != parts[-1] and (one is None or one != two):
            points.append(point)
            parts.append(part)
    return Pieces(tuple(points), tuple(parts))


def samples(points: list[Fraction]) -> list[Fraction]:
    if not points:
        return [ZERO]
    inner = [(a + b) / 2 for a, b in pairwise(points)]
    return [points[0] - 1, *inner, points[-1] + 1]


def _cut(expr: Any) -> Pieces:
    if isinstance(expr, str):
        return Pieces((), (expr,))
    head, *arguments = expr
    if head == "cases":
        children = [_cut(part) for value, when in arguments for part in (value, *_compared(when))]
    else:
        children = [_cut(part) for part in (arguments[:1] if head == "^" else arguments)]
    points = sorted({p for child in children for p in child.points})
    if head in ("abs", "sign", "step", "max", "min", "cases"):
        points = _with_roots(points, lambda sample: _turning(expr, sample))
    if len(points) >= MAX_PIECES:
        raise Refusal(f"a function of more than {MAX_PIECES} pieces")
    return Pieces(tuple(points), tuple(_resolved(expr, sample) for sample in samples(points)))


def _compared(condition: Any) -> list[Any]:
    head, *arguments = condition
    if head in ("and", "or"):
        return [part for argument in arguments for part in _compared(argument)]
    return [] if head == "else" else arguments


def _turning(expr: Any, sample: Fraction) -> list[Polynomial]:
    """The functions whose sign decides, near a sample point."""
    head, *arguments = expr
    if head == "cases":
        sides = [part for _, when in arguments for part in _compared(when)]
        pairs = list(zip(sides[::2], sides[1::2], strict=True))
    elif head in ("max", "min"):
        pairs = [(a, b) for i, a in enumerate(arguments) for b in arguments[:i]]
    else:
        pairs = [(arguments[0], "0")]
    return [_difference(a, b, sample) for a, b in pairs]


def _difference(one: Any, two: Any, sample: Fraction) -> Polynomial:
    first, second = (polynomial(_resolved(side, sample)) for side in (one, two))
    if first is None or second is None:
        raise Refusal("a switch (abs, max, cases ..) at places that are not seen to be rational")
    found = add(first, tuple(-c for c in second))
    if len(found) > 2:
        raise Refusal("a switch (abs, max, cases ..) whose argument is not piecewise linear")
    return found


def _with_roots(points: list[Fraction], turning: Callable[[Fraction], list[Polynomial]]) -> list[Fraction]:
    roots = set(points)
    for place, sample in enumerate(samples(points)):
        for line in turning(sample):
            if len(line) == 2:
                root = -line[0] / line[1]
                after = place == 0 or root > points[place - 1]
                if after and (place == len(points) or root < points[place]):
                    roots.add(root)
    return sorted(roots)


def _resolved(expr: Any, sample: Fraction) -> Any:
    """The expression without switches that holds near a sample point."""
    if isinstance(expr, str):
        return expr
    head, *arguments = expr
    if head == "cases":
        for value, when in arguments:
            if _true(when, sample):
                return _resolved(value, sample)
        raise Refusal("cases without an answer at some point")
    if head == "^":
        return ["^", _resolved(arguments[0], sample), arguments[1]]
    parts = [_resolved(argument, sample) for argument in arguments]
    if head == "abs":
        return parts[0] if _sign(arguments[0], "0", sample) >= 0 else ["*", "-1", parts[0]]
    if head in ("sign", "step"):
        sign = _sign(arguments[0], "0", sample)
        return str(sign if head == "sign" else Fraction(sign + 1, 2))
    if head in ("max", "min"):
        best = 0
        for place in range(1, len(parts)):
            sign = _sign(arguments[place], arguments[best], sample)
            if (sign > 0) == (head == "max") and sign != 0:
                best = place
        return parts[best]
    return [head, *parts]


def _sign(one: Any, two: Any, sample: Fraction) -> int:
    value = _at(_difference(one, two, sample), sample)
    return (value > 0) - (value < 0)


def _true(condition: Any, sample: Fraction) -> bool:
    head, *arguments = condition
    if head == "else":
        return True
    if head in ("and", "or"):
        answers = [_true(argument, sample) for argument in arguments]
        return all(answers) if head == "and" else any(answers)
    sign = _sign(arguments[0], arguments[1], sample)
    return sign < 0 or (sign == 0 and head == "<=")
