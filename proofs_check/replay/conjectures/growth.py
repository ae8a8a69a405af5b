"""How fast a switch-free expression can grow, read off its structure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from proofs_check.replay.expression import Refusal, ball, rational
from proofs_check.replay.pieces import ZERO, polynomial


@dataclass(frozen=True)
class Growth:
    """``|f(u)| <= scale max(1, u)^power exp(rate u + square u^2)`` for every ``u >= 0``."""

    scale: arb
    power: Fraction = ZERO
    rate: Fraction = ZERO
    square: Fraction = ZERO

    def __add__(self, other: Growth) -> Growth:
        return Growth(
            self.scale + other.scale, max(self.power, other.power),
            max(self.rate, other.rate), max(self.square, other.square),
        )  # fmt: skip

    def __mul__(self, other: Growth) -> Growth:
        return Growth(
            self.scale * other.scale, self.power + other.power,
            self.rate + other.rate, self.square + other.square,
        )  # fmt: skip


def growth(expr: Any) -> Growth:
    """A bound of a switch-free expression on ``u >= 0``. Raises :class:`Refusal` where none is seen."""
    if isinstance(expr, str):
        if expr == "x":
            return Growth(arb(1), Fraction(1))
        return Growth(arb(4) if expr in ("pi", "e") else ball(abs(rational(expr))))
    head, *arguments = expr
    if head in ("+", "*"):
        total = growth(arguments[0])
        for argument in arguments[1:]:
            total = total + growth(argument) if head == "+" else total * growth(argument)
        return total
    if head in ("sin", "cos", "tanh", "erf", "Phi", "sigmoid"):
        return Growth(arb(1))
    if head in ("atan", "erfc"):
        return Growth(arb(2))
    if head == "softplus":
        return Growth(arb(1)) + growth(arguments[0])
    if head == "log":
        if not (least := at_least(arguments[0])) or least < 1:
            raise Refusal("the growth of a log of what is not seen to be at least 1")
        return growth(arguments[0])
    if head in ("exp", "sinh", "cosh"):
        inner = polynomial(arguments[0])
        tame = growth(arguments[0]) if inner is None else None
        if tame is not None and tame.power <= 1 and tame.rate == tame.square == 0:  # |inner| <= s (1 + u)
            size = Fraction(math.ceil(float(tame.scale.upper()) * 1.001))
            return Growth(ball(size).exp(), ZERO, size if tame.power > 0 else ZERO)
        if inner is None or len(inner) > 3:
            raise Refusal(f"the growth of {head} of what is no polynomial of degree 2")
        constant, rate, square = (*inner, ZERO, ZERO, ZERO)[:3]
        if head != "exp":
            constant, square = abs(constant), abs(square)
        return Growth(ball(constant).exp(), ZERO, abs(rate), square)
    if head != "^":
        raise Refusal(f"the growth of {head}")
    exponent = rational(arguments[1])
    if exponent < 0:
        least = at_least(arguments[0])
        if least is None or least <= 0:
            raise Refusal("the growth of a quotient whose denominator is not seen to stay away from 0")
        return Growth((ball(least).log() * ball(exponent)).exp())
    inside = growth(arguments[0])
    above = Growth(inside.scale + 1, inside.power, inside.rate, max(inside.square, ZERO))
    result = Growth(arb(1))
    for _ in range(-(-exponent.numerator // exponent.denominator)):
        result = result * (inside if exponent.denominator == 1 else above)
    return result


def at_least(expr: Any) -> Fraction | None:
    """A lower bound on ``u >= 0``, if one is seen."""
    line = polynomial(expr)
    if line is not None and all(c >= 0 for c in line[1:]):
        return line[0] if line else ZERO
    if isinstance(expr, str):
        return Fraction(3 if expr == "pi" else 2)
    head, *arguments = expr
    if head == "+":
        parts = [at_least(argument) for argument in arguments]
        known = [part for part in parts if part is not None]
        return sum(known, ZERO) if len(known) == len(parts) else None
    if head == "*":
        parts = [at_least(argument) for argument in arguments]
        result = Fraction(1)
        for part in parts:
            if part is None or part < 0:
                return None
            result *= part
        return result
    if head == "^":
        exponent = rational(arguments[1])
        if exponent.denominator == 1 and exponent.numerator % 2 == 0:
            return ZERO
        base = at_least(arguments[0])
        return ZERO if base is not None and base >= 0 else None
    table = {
        "exp": ZERO, "cosh": Fraction(1), "abs": ZERO, "sin": Fraction(-1), "cos": Fraction(-1),
        "tanh": Fraction(-1), "erf": Fraction(-1), "atan": Fraction(-2), "Phi": ZERO, "sigmoid": ZERO,
        "softplus": ZERO, "erfc": ZERO,
    }  # fmt: skip
    return table.get(head)
