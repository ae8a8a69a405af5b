"""Derivatives of switch-free expressions, and their values: in the complex plane, and exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import acb, arb

from proofs_check.replay.conjectures.formal import Atom, Formal, NotFormal
from proofs_check.replay.expression import Refusal, ball, rational

MAX_SIZE = 3_000


def differentiate(expr: Any) -> Any:
    """The derivative of a switch-free expression."""
    if isinstance(expr, str):
        return "1" if expr == "x" else "0"
    head, *arguments = expr
    if head == "+":
        return _sum([differentiate(argument) for argument in arguments])
    if head == "*":
        terms = []
        for place, argument in enumerate(arguments):
            others = [other for k, other in enumerate(arguments) if k != place]
            terms.append(_product([differentiate(argument), *others]))
        return _sum(terms)
    inner = differentiate(arguments[0])
    u = arguments[0]
    if head == "^":
        exponent = rational(arguments[1])
        if exponent == 0:
            return "0"
        lower = u if exponent == 2 else ["^", u, str(exponent - 1)]
        return _product([str(exponent), "1" if exponent == 1 else lower, inner])
    square = ["^", u, "2"]
    bell = ["exp", ["*", "-1", square]]
    outer: dict[str, Any] = {
        "exp": ["exp", u], "log": ["^", u, "-1"], "sin": ["cos", u], "cos": ["*", "-1", ["sin", u]],
        "sinh": ["cosh", u], "cosh": ["sinh", u], "tanh": ["+", "1", ["*", "-1", ["^", ["tanh", u], "2"]]],
        "atan": ["^", ["+", "1", square], "-1"], "erf": ["*", "2", ["^", "pi", "-1/2"], bell],
        "erfc": ["*", "-2", ["^", "pi", "-1/2"], bell],
        "Phi": ["*", ["^", ["*", "2", "pi"], "-1/2"], ["exp", ["*", "-1/2", square]]],
        "sigmoid": ["*", ["sigmoid", u], ["sigmoid", ["*", "-1", u]]], "softplus": ["sigmoid", u],
    }  # fmt: skip
    if head not in outer:
        raise Refusal(f"the derivative of {head}")
    return _product([outer[head], inner])


def _sum(terms: list[Any]) -> Any:
    terms = [term for term in terms if term != "0"]
    return "0" if not terms else terms[0] if len(terms) == 1 else ["+", *terms]


def _product(factors: list[Any]) -> Any:
    if "0" in factors:
        return "0"
    factors = [factor for factor in factors if factor != "1"]
    return "1" if not factors else factors[0] if len(factors) == 1 else ["*", *factors]


def require_small(expr: Any) -> None:
    count, stack = 0, [expr]
    while stack:
        node = stack.pop()
        count += 1
        stack += node[1:] if isinstance(node, list) else []
        if count > MAX_SIZE:
            raise Refusal(f"a derivative of more than {MAX_SIZE} parts")


# ------------------------------------------------------------------------------------ values


def analytic_value(expr: Any, z: acb) -> acb:
    """The value of a switch-free expression on a box of the complex plane, or on an exact point; without
    bounds unless it is analytic there (``log`` and broken powers need a positive real part)."""
    if isinstance(expr, str):
        if expr == "x":
            return z
        if expr in ("pi", "e"):
            return acb(arb.pi() if expr == "pi" else arb(1).exp())
        return acb(ball(rational(expr)))
    head, *arguments = expr
    values = [analytic_value(argument, z) for argument in (arguments[:1] if head == "^" else arguments)]
    u = values[0]
    if head in ("+", "*"):
        for value in values[1:]:
            u = u + value if head == "+" else u * value
        return u
    if head == "^":
        return _power(u, rational(arguments[1]))
    if head == "log":
        return u.log() if u.real > 0 else acb("nan")
    if head == "Phi":
        return (-u / arb(2).sqrt()).erfc() / 2
    if head == "sigmoid":
        return 1 / (1 + (-u).exp()) if not u.real < 0 else 1 - 1 / (1 + u.exp())
    if head == "softplus":
        inside = (-u).exp() if u.real > 0 else u.exp()
        safe = (1 + inside).log() if (1 + inside).real > 0 else acb("nan")
        return safe + u if u.real > 0 else safe
    if head == "tanh":
        return u.tanh()
    if head == "atan" and not (abs(u.imag) < 1):
        return acb("nan")
    if head in ("exp", "sin", "cos", "sinh", "cosh", "atan", "erf", "erfc"):
        return getattr(u, head)()
    raise Refusal(f"{head} in a piece")


def _power(base: acb, exponent: Fraction) -> acb:
    if exponent.denominator != 1:
        return (base.log() * ball(exponent)).exp() if base.real > 0 else acb("nan")
    result, square, count = acb(1), base, abs(exponent.numerator)
    while count:
        result = result * square if count % 2 else result
        square, count = square * square, count // 2
    return result if exponent >= 0 else 1 / result


_AT_ZERO = {
    "sinh": 0, "cosh": 1, "tanh": 0, "atan": 0, "erf": 0, "erfc": 1, "Phi": Fraction(1, 2), "sigmoid":
    Fraction(1, 2), }  # fmt: skip


def formal_value(expr: Any, point: Fraction) -> Formal:
    """The value of a switch-free expression at a rational point, as an exact number."""
    if isinstance(expr, str):
        if expr == "x":
            return Formal.of(point)
        return Formal.of(Atom(expr, True)) if expr in ("pi", "e") else Formal.of(rational(expr))
    head, *arguments = expr
    values = [formal_value(argument, point) for argument in (arguments[:1] if head == "^" else arguments)]
    u = values[0]
    if head in ("+", "*"):
        for value in values[1:]:
            u = u + value if head == "+" else u * value
        return u
    if head == "^":
        exponent = rational(arguments[1])
        if exponent.denominator == 1:
            return u.power(int(exponent))
        if exponent.denominator == 2:
            return u.sqrt().power(int(2 * exponent))
        raise NotFormal
    if head in ("exp", "log", "sin", "cos"):
        return getattr(u, head)()
    if u.is_zero and head in _AT_ZERO:
        return Formal.of(_AT_ZERO[head])
    return u.unknown(head)
