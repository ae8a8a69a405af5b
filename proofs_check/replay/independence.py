"""Certificates that functions ``w -> s(z_i . w)`` are independent, or not; that ``s`` is no polynomial."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, prod
from typing import Any

from flint import arb, arb_mat

from proofs_check.replay.expression import Refusal, ball, evaluate, nodes, rational
from proofs_check.replay.reading import (
    MAX_WORK,
    Vector,
    accept_within,
    allow_only,
    dot,
    read_function,
    read_interval,
    read_numbers,
    read_vectors,
)

MAX_DEGREE = 60


def independence(data: dict[str, Any]) -> str:
    """``det [s(z_i . w_j + t)] in interval``, without 0, for every ``|t| <= radius`` entry by entry.

    So the functions ``w -> s(z_i . w)`` are linearly independent, almost everywhere too: a dependency would
    make every such matrix singular on a set of positive measure.
    """
    allow_only(data, ("activation", "vectors", "directions", "radius", "determinant"))
    activation = read_function(data, "activation")
    vectors = read_vectors(data, "vectors")
    check_determinant(activation, vectors, data)
    return f"the {len(vectors)} functions w -> s(z_i . w) are linearly independent"


def check_determinant(activation: Any, vectors: tuple[Vector, ...], data: dict[str, Any]) -> None:
    directions = read_vectors(data, "directions")
    if len(directions) != len(vectors) or len(directions[0]) != len(vectors[0]):
        raise Refusal("as many directions as vectors, of the same length, are required")
    radius = rational(data.get("radius"), "radius")
    if radius <= 0:
        raise Refusal("radius: a number > 0 is required")
    low, high = read_interval(data, "determinant")
    if nodes(activation) * len(vectors) ** 2 > MAX_WORK:
        raise Refusal("too long an expression for so many vectors")
    arguments = [[dot(z, w) for w in directions] for z in vectors]

    def compute() -> arb:
        spread = arb(0, ball(radius).abs_upper())
        return arb_mat([[evaluate(activation, ball(t) + spread) for t in row] for row in arguments]).det()

    accept_within(compute, low, high, "the determinant")


def polynomial_dependency(data: dict[str, Any]) -> str:
    """``sum_i u_i s(z_i . w) = 0`` for all ``w`` and every polynomial ``s`` with these powers: for each power
    ``k`` and every monomial ``w^e`` of degree ``k``, ``sum_i u_i z_i^e = 0``."""
    allow_only(data, ("powers", "vectors", "weights"))
    vectors, weights = read_vectors(data, "vectors"), read_numbers(data, "weights")
    if len(weights) != len(vectors) or not any(weights):
        raise Refusal("weights: one for each vector, not all 0")
    powers = read_numbers(data, "powers")
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
    allow_only(data, ("activation", "points", "difference"))
    activation = read_function(data, "activation")
    points = read_numbers(data, "points")
    check_difference(activation, points, data)
    return f"s is not a polynomial of degree <= {len(points) - 2}"


def check_difference(activation: Any, points: list[Fraction], data: dict[str, Any]) -> None:
    if len(set(points)) < len(points):
        raise Refusal("points: distinct numbers are required")
    low, high = read_interval(data, "difference")
    weights = [1 / prod((p - o for o in points if o != p), start=Fraction(1)) for p in points]

    def compute() -> arb:
        values = [evaluate(activation, ball(p)) for p in points]
        return sum((ball(w) * v for w, v in zip(weights, values, strict=True)), arb(0))

    accept_within(compute, low, high, "the divided difference")
