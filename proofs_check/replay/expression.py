"""Functions of one variable as plain JSON, read strictly and evaluated in balls.

An expression is a string (``"x"``, ``"pi"``, ``"e"`` or a rational such as ``"-3/7"``) or a list
``[head, argument, ..]``:

    ["+", a, b, ..]   ["*", a, b, ..]   ["^", a, "p/q"]   [function, a]   ["max", a, b, ..]   ["min", ..]
    ["cases", [value, condition], ..]
    conditions: ["<", a, b], ["<=", a, b], ["and", c, ..], ["or", c, ..], ["else"]

This module knows nothing of sympy nor of the package whose certificates it reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import arb, fmpq

MAX_NODES = 5_000
MAX_DEPTH = 100
MAX_EXPONENT = 10_000
MAX_DIGITS = 10_000
"""Of all the constants of an expression."""
_RATIONAL = re.compile(r"-?[0-9]{1,2000}(/[0-9]{1,2000})?")


class Refusal(Exception):
    """Why a certificate is not accepted."""


def rational(text: Any, what: str = "a number") -> Fraction:
    """A rational from its text, ``p`` or ``p/q`` in lowest terms or not, ``q`` not 0."""
    if not isinstance(text, str) or not _RATIONAL.fullmatch(text):
        raise Refusal(f"{what}: {str(text)[:60]!r} is not a rational number p/q")
    top, _, bottom = text.partition("/")
    if bottom and int(bottom) == 0:
        raise Refusal(f"{what}: the denominator of {text[:60]!r} is 0")
    return Fraction(int(top), int(bottom or 1))


def ball(number: Fraction) -> arb:
    """A rational as a ball at the working precision."""
    return arb(fmpq(number.numerator, number.denominator))


def _phi(z: arb) -> arb:
    return (-z / arb(2).sqrt()).erfc() / 2


def _sign(z: arb) -> arb:
    if z > 0 or z < 0 or z == 0:
        return arb(1) if z > 0 else arb(-1) if z < 0 else arb(0)
    raise Refusal("the sign of a number that may be 0")


def _step(z: arb) -> arb:
    return (1 + _sign(z)) / 2


def _softplus(z: arb) -> arb:
    return z.exp().log1p() if z < 0 else z + (-z).exp().log1p()


FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": lambda z: z.exp(), "log": lambda z: z.log(), "sin": lambda z: z.sin(), "cos": lambda z: z.cos(),
    "sinh": lambda z: z.sinh(), "cosh": lambda z: z.cosh(), "tanh": lambda z: z.tanh(),
    "atan": lambda z: z.atan(), "erf": lambda z: z.erf(), "erfc": lambda z: z.erfc(), "Phi": _phi,
    "sigmoid": lambda z: 1 / (1 + (-z).exp()), "softplus": _softplus, "abs": abs, "sign": _sign,
    "step": _step,
}  # fmt: skip


def check(expression: Any) -> None:
    """Raise :class:`Refusal` unless an expression is well formed and of modest size."""
    stack, count, digits = [(expression, 0, False)], 0, 0
    while stack:
        node, depth, is_condition = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise Refusal(f"an expression of more than {MAX_NODES} nodes or depth {MAX_DEPTH}")
        if isinstance(node, str) and not is_condition:
            if node not in ("x", "pi", "e"):
                digits += len(node)
                if digits > MAX_DIGITS:
                    raise Refusal(f"an expression with more than {MAX_DIGITS} digits")
                rational(node, "a constant")
            continue
        if not isinstance(node, list) or not node or not isinstance(node[0], str):
            raise Refusal(f"{str(node)[:60]!r} is not {'a condition' if is_condition else 'an expression'}")
        head, *arguments = node
        parts = _conditions(head, arguments) if is_condition else _values(head, arguments)
        stack += [(part, depth + 1, flag) for part, flag in parts]


def _values(head: str, arguments: list[Any]) -> list[tuple[Any, bool]]:
    """The parts of a value, each with whether it must be a condition."""
    if head == "^":
        if len(arguments) != 2:
            raise Refusal("a power without base and exponent")
        rational(arguments[1], "an exponent")
        arguments = arguments[:1]
    elif head == "cases":
        if not arguments or any(not isinstance(c, list) or len(c) != 2 for c in arguments):
            raise Refusal("cases without pairs of value and condition")
        return [(part, place == 1) for case in arguments for place, part in enumerate(case)]
    elif head in FUNCTIONS:
        if len(arguments) != 1:
            raise Refusal(f"{head} of {len(arguments)} arguments")
    elif head not in ("+", "*", "max", "min") or not arguments:
        raise Refusal(f"the unknown head {head[:40]!r}")
    return [(argument, False) for argument in arguments]


def _conditions(head: str, arguments: list[Any]) -> list[tuple[Any, bool]]:
    """The same for the parts of a condition."""
    least, most = {"<": (2, 2), "<=": (2, 2), "else": (0, 0)}.get(head, (1, MAX_NODES))
    if head not in ("<", "<=", "else", "and", "or"):
        raise Refusal(f"the unknown condition {head[:40]!r}")
    if not least <= len(arguments) <= most:
        raise Refusal(f"{head} of {len(arguments)} arguments")
    return [(argument, head in ("and", "or")) for argument in arguments]


def depends_on_x(expression: Any) -> bool:
    """Whether ``x`` is written in it."""
    return expression == "x" or (isinstance(expression, list) and any(map(depends_on_x, expression)))


def mirrored(expression: Any) -> Any:
    """``f(-x)``."""
    if isinstance(expression, list):
        return [mirrored(part) for part in expression]
    return ["*", "-1", "x"] if expression == "x" else expression


def nodes(expression: Any) -> int:
    """How many parts an expression has."""
    return 1 + sum(map(nodes, expression[1:])) if isinstance(expression, list) else 1


@lru_cache(maxsize=MAX_NODES)
def _constant(text: str) -> fmpq:
    number = rational(text)
    return fmpq(number.numerator, number.denominator)


def evaluate(expression: Any, x: arb) -> arb:
    """The value at ``x``, enclosed; raises :class:`Refusal` where a condition cannot be told."""
    if isinstance(expression, str):
        if expression == "x":
            return x
        if expression in ("pi", "e"):
            return arb.pi() if expression == "pi" else arb(1).exp()
        return arb(_constant(expression))
    head, *arguments = expression
    if head == "cases":
        for value, condition in arguments:
            if _holds(condition, x):
                return evaluate(value, x)
        raise Refusal("cases without an answer at some point")
    if head == "^":
        return _power(evaluate(arguments[0], x), rational(arguments[1]))
    values = [evaluate(argument, x) for argument in arguments]
    if head in FUNCTIONS:
        return FUNCTIONS[head](values[0])
    result = values[0]
    for value in values[1:]:
        if head == "+":
            result = result + value
        elif head == "*":
            result = result * value
        elif head == "max":
            result = result.max(value)
        elif head == "min":
            result = result.min(value)
        else:
            raise Refusal(f"{head!r} is no value")
    return result


def _power(base: arb, exponent: Fraction) -> arb:
    if exponent.denominator == 1:
        count = abs(exponent.numerator)
        if count > MAX_EXPONENT:
            raise Refusal(f"an exponent beyond {MAX_EXPONENT}")
        result, square = arb(1), base
        while count:
            result = result * square if count % 2 else result
            square, count = square * square, count // 2
        return result if exponent >= 0 else 1 / result
    if not base > 0:
        raise Refusal("a broken power of a number that may not be positive")
    return (base.log() * ball(exponent)).exp()


def _holds(condition: Any, x: arb) -> bool:
    if not isinstance(condition, list):
        raise Refusal(f"{str(condition)[:60]!r} is no condition")
    head, *arguments = condition
    if head == "else":
        return True
    if head in ("and", "or"):
        answers = [_holds(argument, x) for argument in arguments]
        return all(answers) if head == "and" else any(answers)
    if head not in ("<", "<="):
        raise Refusal(f"{str(head)[:40]!r} is no condition")
    difference = evaluate(arguments[1], x) - evaluate(arguments[0], x)
    if difference > 0:
        return True
    if difference < 0 or (difference == 0 and head == "<"):
        return False
    if difference == 0:
        return True
    raise Refusal("a condition that cannot be told at some point")
