"""Replaying certificates: exact rationals and balls, and nothing that derived them.

Each kind of certificate is a statement about given functions and points. A check recomputes what the evidence
says from the functions themselves and raises :class:`~proofs_check.expression.Refusal` at the first
disagreement. The theorems that turn evidence into the statement are named in each docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, prod
from typing import Any

from flint import arb, arb_mat, ctx

from proofs_check.expression import Refusal, ball, check, evaluate, nodes, rational

MAX_POINTS, MAX_DIM, MAX_BITS, MAX_DEGREE = 100, 1_000, 8_192, 60
MAX_WORK = 1_000_000
"""Nodes of the expression times values taken of it."""
Vector = tuple[Fraction, ...]


# ------------------------------------------------------------------------------------ reading


def _field(data: dict[str, Any], name: str, kind: type) -> Any:
    value = data.get(name)
    if not isinstance(value, kind):
        raise Refusal(f"the field {name!r} is missing or no {kind.__name__}")
    return value


def _only(data: dict[str, Any], names: Sequence[str]) -> None:
    extra = sorted(set(data) - set(names))
    if extra:
        raise Refusal(f"the unknown field {extra[0][:40]!r}")


def _vectors(data: dict[str, Any], name: str) -> tuple[Vector, ...]:
    rows = _field(data, name, list)
    if not 1 <= len(rows) <= MAX_POINTS:
        raise Refusal(f"{name}: {len(rows)} vectors; 1 to {MAX_POINTS} are allowed")
    found = []
    for row in rows:
        if not isinstance(row, list) or not 1 <= len(row) <= MAX_DIM or len(row) != len(rows[0]):
            raise Refusal(f"{name}: rows of one length from 1 to {MAX_DIM} are required")
        found.append(tuple(rational(entry, name) for entry in row))
    return tuple(found)


def _numbers(data: dict[str, Any], name: str) -> list[Fraction]:
    return [row[0] for row in _vectors({name: [[entry] for entry in _field(data, name, list)]}, name)]


def _interval(data: dict[str, Any], name: str) -> tuple[Fraction, Fraction]:
    pair = _field(data, name, list)
    if len(pair) != 2:
        raise Refusal(f"{name}: two ends are required")
    low, high = (rational(end, name) for end in pair)
    if not low <= high:
        raise Refusal(f"{name}: the ends are in the wrong order")
    if low <= 0 <= high:
        raise Refusal(f"{name}: the interval holds 0")
    return low, high


def _function(data: dict[str, Any], name: str) -> Any:
    if name not in data:
        raise Refusal(f"the field {name!r} is missing")
    check(data[name])
    return data[name]


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


def _within(compute: Callable[[], arb], low: Fraction, high: Fraction, what: str) -> None:
    """Accept if the computed ball lies in ``[low, high]`` at some precision."""
    bits = 128
    while bits <= MAX_BITS:
        with _precision(bits):
            value = compute()
            if value >= ball(low) and value <= ball(high):
                return
            if value < ball(low) or value > ball(high):
                raise Refusal(f"{what} lies outside the stated interval")
        bits *= 2
    raise Refusal(f"{what} is not seen to lie in the stated interval at {MAX_BITS} bits")


def _dot(one: Vector, other: Vector) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


# ------------------------------------------------------------------------------------ kinds


def independence(data: dict[str, Any]) -> str:
    """``det [s(z_i . w_j + t)] in interval``, without 0, for every ``|t| <= radius`` entry by entry.

    So the functions ``w -> s(z_i . w)`` are linearly independent, almost everywhere too: a dependency would
    make every such matrix singular on a set of positive measure.
    """
    _only(data, ("activation", "vectors", "directions", "radius", "determinant"))
    activation = _function(data, "activation")
    vectors = _vectors(data, "vectors")
    _determinant(activation, vectors, data)
    return f"the {len(vectors)} functions w -> s(z_i . w) are linearly independent"


def _determinant(activation: Any, vectors: tuple[Vector, ...], data: dict[str, Any]) -> None:
    directions = _vectors(data, "directions")
    if len(directions) != len(vectors) or len(directions[0]) != len(vectors[0]):
        raise Refusal("as many directions as vectors, of the same length, are required")
    radius = rational(data.get("radius"), "radius")
    if radius <= 0:
        raise Refusal("radius: a number > 0 is required")
    low, high = _interval(data, "determinant")
    if nodes(activation) * len(vectors) ** 2 > MAX_WORK:
        raise Refusal("too long an expression for so many vectors")
    arguments = [[_dot(z, w) for w in directions] for z in vectors]

    def compute() -> arb:
        spread = arb(0, ball(radius).abs_upper())
        return arb_mat([[evaluate(activation, ball(t) + spread) for t in row] for row in arguments]).det()

    _within(compute, low, high, "the determinant")


def polynomial_dependency(data: dict[str, Any]) -> str:
    """``sum_i u_i s(z_i . w) = 0`` for all ``w`` and every polynomial ``s`` with these powers: for each power
    ``k`` and every monomial ``w^e`` of degree ``k``, ``sum_i u_i z_i^e = 0``."""
    _only(data, ("powers", "vectors", "weights"))
    vectors, weights = _vectors(data, "vectors"), _numbers(data, "weights")
    if len(weights) != len(vectors) or not any(weights):
        raise Refusal("weights: one for each vector, not all 0")
    powers = _numbers(data, "powers")
    if any(p.denominator != 1 or not 0 <= p <= MAX_DEGREE for p in powers):
        raise Refusal(f"powers: integers from 0 to {MAX_DEGREE}")
    for power in map(int, powers):
        if comb(len(vectors[0]) + power - 1, power) * power * len(vectors) > MAX_WORK:
            raise Refusal("too many monomials to check")
        for place in combinations_with_replacement(range(len(vectors[0])), power):
            terms = (u * prod(z[k] for k in place) for u, z in zip(weights, vectors, strict=True))
            if sum(terms) != 0:
                raise Refusal(f"the weights do not cancel the monomials of degree {power}")
    shown = ", ".join(str(p) for p in powers)
    return f"sum u_i s(z_i . w) = 0 for all w and every polynomial s with powers {shown}"


def not_a_polynomial(data: dict[str, Any]) -> str:
    """A divided difference of order ``degree + 1`` lies in an interval without 0."""
    _only(data, ("activation", "points", "difference"))
    activation = _function(data, "activation")
    points = _numbers(data, "points")
    _difference(activation, points, data)
    return f"s is not a polynomial of degree <= {len(points) - 2}"


def _difference(activation: Any, points: list[Fraction], data: dict[str, Any]) -> None:
    if len(set(points)) < len(points):
        raise Refusal("points: distinct numbers are required")
    low, high = _interval(data, "difference")
    weights = [1 / prod((p - o for o in points if o != p), start=Fraction(1)) for p in points]

    def compute() -> arb:
        values = [evaluate(activation, ball(p)) for p in points]
        return sum((ball(w) * v for w, v in zip(weights, values, strict=True)), arb(0))

    _within(compute, low, high, "the divided difference")


def strictly_positive(data: dict[str, Any]) -> str:
    """A Gram matrix ``K`` of a deep network is strictly positive definite (NNGP, hence the larger NTK too).

    The inputs' features are ``z_i = (x_i, 1)``, or ``x_i`` without bias in the first layer. First activation:
    the functions ``s(z_i . w)`` are independent (see :func:`independence`), so their Gram matrix under a
    Gaussian with all of ``R^m`` as support is strictly positive definite. Every further activation is not
    constant: two values differ. Then strict positivity passes on (Carvalho, Costa, Mourao, Oliveira 2024,
    Proposition 1), and weights > 0 and biases >= 0 keep it.
    """
    _only(data, ("points", "layers", "directions", "radius", "determinant"))
    points = _vectors(data, "points")
    layers = _field(data, "layers", list)
    if not 3 <= len(layers) <= 201 or len(layers) % 2 == 0:
        raise Refusal("layers: dense and activation in turn, dense first and last")
    for place, layer in enumerate(layers):
        if not isinstance(layer, dict):
            raise Refusal(f"layers[{place}] is no object")
        if place % 2 == 0:
            _only(layer, ("weight_variance", "bias_variance"))
            if rational(layer.get("weight_variance")) <= 0 or rational(layer.get("bias_variance")) < 0:
                raise Refusal(f"layers[{place}]: weight_variance > 0 and bias_variance >= 0 are required")
        elif place == 1:
            _only(layer, ("activation",))
            _function(layer, "activation")
        else:
            _only(layer, ("activation", "points", "difference"))
            activation = _function(layer, "activation")
            pair = _numbers(layer, "points")
            if len(pair) != 2:
                raise Refusal(f"layers[{place}]: two points that show s not constant are required")
            _difference(activation, pair, layer)
    bias = rational(layers[0].get("bias_variance")) > 0
    vectors = tuple((*x, Fraction(1)) if bias else x for x in points)
    _determinant(layers[1]["activation"], vectors, data)
    return f"the NNGP and NTK Gram matrices of the {len(points)} points are strictly positive definite"


KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "independence": independence,
    "polynomial-dependency": polynomial_dependency,
    "not-a-polynomial": not_a_polynomial,
    "strictly-positive": strictly_positive,
}
"""What can be checked, by the name in the file."""
