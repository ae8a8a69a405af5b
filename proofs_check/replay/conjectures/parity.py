"""The even and the odd half of a function where they are polynomials: Hermite coefficients vanish beyond."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check.replay.expression import Refusal, rational
from proofs_check.replay.pieces import (
    ZERO,
    Polynomial,
    add,
    multiply,
    pieces,
    polynomial,
    samples,
    trim,
)

Half = Polynomial | None
"""A half that is a polynomial, or ``None``: not seen to be one."""


def half_degrees(expr: Any) -> tuple[int | None, int | None]:
    """The degrees of ``(f(x) + f(-x))/2`` and ``(f(x) - f(-x))/2`` where they are polynomials (-1: zero).

    >>> half_degrees(["max", "0", "x"]), half_degrees(["*", "x", ["Phi", "x"]]), half_degrees(["tanh", "x"])
    ((None, 1), (None, 1), (-1, None))
    """
    found = _halves(expr)
    even, odd = (None if half is None else len(half) - 1 for half in found)
    if even is None or odd is None:
        exact = _polynomial_halves(expr)
        even = exact[0] if even is None else even
        odd = exact[1] if odd is None else odd
    return even, odd


def _polynomial_halves(expr: Any) -> tuple[int | None, int | None]:
    """The same for a function whose pieces are all polynomials."""
    try:
        cut = pieces(expr)
    except Refusal:
        return None, None
    points = sorted({abs(p) for p in cut.points} | {ZERO})
    answers: list[int | None] = []
    for sign in (1, -1):
        halves = set()
        for sample in samples(points)[1:]:
            right, left = polynomial(cut.part_at(sample)), polynomial(cut.part_at(-sample))
            if right is None or left is None:
                return None, None
            mirrored = tuple(c * (-1) ** k * sign for k, c in enumerate(left))
            halves.add(tuple(c / 2 for c in add(right, mirrored)))
        (half, *more) = halves
        same = not more and all(c == 0 for k, c in enumerate(half) if (-1) ** k != sign)
        answers.append(len(half) - 1 if same else None)
    return answers[0], answers[1]


def _halves(expr: Any) -> tuple[Half, Half]:
    if isinstance(expr, str):
        if expr == "x":
            return (), (ZERO, Fraction(1))
        return (None, ()) if expr in ("pi", "e") else (trim([rational(expr)]), ())
    head, *arguments = expr
    if head in ("+", "*"):
        total = _halves(arguments[0])
        for argument in arguments[1:]:
            even, odd = _halves(argument)
            if head == "+":
                total = _half_sum(total[0], even), _half_sum(total[1], odd)
            else:
                total = (
                    _half_sum(_half_product(total[0], even), _half_product(total[1], odd)),
                    _half_sum(_half_product(total[0], odd), _half_product(total[1], even)),
                )
        return total
    if head in ("max", "min") and len(arguments) == 2:
        half = [["*", "1/2", argument] for argument in arguments]
        size = ["abs", ["+", half[0], ["*", "-1", half[1]]]]
        return _halves(["+", *half, size if head == "max" else ["*", "-1", size]])
    if head == "cases" or head in ("max", "min"):
        return None, None
    even, odd = _halves(arguments[0])
    if odd == ():  # a function of an even function
        return None, ()
    if even != ():
        return None, None
    if head == "^":
        exponent = rational(arguments[1])
        if exponent.denominator != 1:
            return None, None
        return (None, ()) if exponent.numerator % 2 == 0 else ((), None)
    if head in ("sin", "sinh", "tanh", "atan", "erf", "sign"):
        return (), None
    if head in ("cos", "cosh", "abs"):
        return None, ()
    if head in ("Phi", "sigmoid", "step", "erfc"):
        return (Fraction(1) if head == "erfc" else Fraction(1, 2),), None
    if head == "softplus":
        return None, None if odd is None else tuple(c / 2 for c in odd)
    return None, None


def _half_sum(one: Half, two: Half) -> Half:
    return None if one is None or two is None else add(one, two)


def _half_product(one: Half, two: Half) -> Half:
    if one == () or two == ():
        return ()
    return None if one is None or two is None else multiply(one, two)
