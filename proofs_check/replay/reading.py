"""Reading the fields of a certificate strictly, and comparing balls with stated intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from math import lcm
from typing import Any

from flint import arb, ctx

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, ball, check, depends_on_x, evaluate, rational

MAX_POINTS, MAX_DIM, MAX_BITS = 100, 1_000, 8_192
MAX_WORK = 1_000_000
"""Monomials times their degree times vectors."""
MAX_DENOMINATORS = 200_000
"""Bits of a common denominator of a vector, times its length."""
MAX_DIGITS = 300_000
"""In all the vectors of one field."""
Json = dict[str, Any]
Vector = tuple[Fraction, ...]


def read_field(data: dict[str, Any], name: str, kind: type) -> Any:
    value = data.get(name)
    if not isinstance(value, kind):
        raise Refusal(f"the field {name!r} is missing or no {kind.__name__}")
    return value


def allow_only(data: dict[str, Any], names: Sequence[str]) -> None:
    extra = sorted(set(data) - set(names))
    if extra:
        raise Refusal(f"the unknown field {extra[0][:40]!r}")


def read_vectors(data: dict[str, Any], name: str) -> tuple[Vector, ...]:
    rows = read_field(data, name, list)
    if not 1 <= len(rows) <= MAX_POINTS:
        raise Refusal(f"{name}: {len(rows)} vectors; 1 to {MAX_POINTS} are allowed")
    for row in rows:
        if not isinstance(row, list) or not 1 <= len(row) <= MAX_DIM or len(row) != len(rows[0]):
            raise Refusal(f"{name}: rows of one length from 1 to {MAX_DIM} are required")
    if sum(len(entry) for row in rows for entry in row if isinstance(entry, str)) > MAX_DIGITS:
        raise Refusal(f"{name}: more than {MAX_DIGITS} digits in all")
    found = tuple(tuple(rational(entry, name) for entry in row) for row in rows)
    for row in found:
        common = 1
        for entry in row:
            common = lcm(common, entry.denominator)
            if common.bit_length() * len(row) > MAX_DENOMINATORS:
                raise Refusal(f"{name}: denominators that have too little in common")
    return found


def read_numbers(data: dict[str, Any], name: str) -> list[Fraction]:
    return [row[0] for row in read_vectors({name: [[entry] for entry in read_field(data, name, list)]}, name)]


def read_interval(data: dict[str, Any], name: str) -> tuple[Fraction, Fraction]:
    pair = read_field(data, name, list)
    if len(pair) != 2:
        raise Refusal(f"{name}: two ends are required")
    low, high = (rational(end, name) for end in pair)
    if not low <= high:
        raise Refusal(f"{name}: the ends are in the wrong order")
    if low <= 0 <= high:
        raise Refusal(f"{name}: the interval holds 0")
    return low, high


def read_variances(layer: Json) -> tuple[bool, bool]:
    """Whether the weight variance and the bias variance of a dense layer are above 0; nothing else of them
    matters for null spaces. Each is a rational number or an expression without ``x``; neither is negative."""
    allow_only(layer, ("layer", "weight_variance", "bias_variance"))
    one, other = (_is_positive(layer, f"{name}_variance") for name in ("weight", "bias"))
    return one, other


def _is_positive(layer: Json, name: str) -> bool:
    given = read_function(layer, name)
    if isinstance(given, str) and given not in ("x", "pi", "e"):
        if (number := rational(given, name)) < 0:
            raise Refusal(f"{name}: a number >= 0 is required")
        return number > 0
    with precision(128):
        if depends_on_x(given) or not evaluate(given, arb(0)) > 0:
            raise Refusal(f"{name}: a number that is seen to be > 0 is required")
    return True


def read_function(data: dict[str, Any], name: str) -> Any:
    if name not in data:
        raise Refusal(f"the field {name!r} is missing")
    check(data[name])
    return data[name]


@contextmanager
def precision(bits: int) -> Iterator[None]:
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


def accept_within(
    compute: Callable[[], arb],
    low: Fraction,
    high: Fraction,
    what: str,
    cost: int = 1,
    budget: Budget | None = None,
) -> None:
    """Accept if the computed ball lies in ``[low, high]`` at some precision.

    ``cost``: the operations of one computation, paid for from the budget at every precision tried.
    """
    bits, budget = 128, budget or Budget()
    while bits <= MAX_BITS:
        budget.spend(cost * bits)
        with precision(bits):
            value = compute()
            if value >= ball(low) and value <= ball(high):
                return
            if value < ball(low) or value > ball(high):
                raise Refusal(f"{what} lies outside the stated interval")
        bits *= 2
    raise Refusal(f"{what} is not seen to lie in the stated interval at {MAX_BITS} bits")


def dot(one: Vector, other: Vector) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))
