"""Certificates that functions ``w -> s(z_i . w)`` are independent, or not; that ``s`` is no polynomial."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, lcm, prod
from typing import Any

from flint import arb, arb_mat

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, ball, evaluate, nodes, rational
from proofs_check.replay.reading import (
    MAX_DENOMINATORS,
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


def check_determinant(
    activation: Any, vectors: tuple[Vector, ...], data: dict[str, Any], budget: Budget | None = None
) -> None:
    """``det [s(z_i . w_j)]`` keeps to its interval near the stated directions."""
    directions = read_vectors(data, "directions")
    if len(directions) != len(vectors) or len(directions[0]) != len(vectors[0]):
        raise Refusal("as many directions as vectors, of the same length, are required")
    if len(vectors) ** 2 * len(vectors[0]) > MAX_WORK:
        raise Refusal("too many vectors of this length")
    check_samples(activation, [[dot(z, w) for z in vectors] for w in directions], data, budget or Budget())


def check_samples(
    activation: Any, samples: Sequence[Sequence[Fraction]], data: dict[str, Any], budget: Budget
) -> None:
    """``det [s(samples[j][i] + e_ij)]`` keeps to its interval for all ``|e_ij| <= radius``."""
    radius = read_radius(data)
    low, high = read_interval(data, "determinant")

    def compute() -> arb:
        spread = arb(0, ball(radius).abs_upper())
        return arb_mat([[evaluate(activation, ball(t) + spread) for t in row] for row in samples]).det()

    cost = nodes(activation) * len(samples) ** 2 + len(samples) ** 3
    accept_within(compute, low, high, "the determinant", cost, budget)


def polynomial_dependency(data: dict[str, Any]) -> str:
    """``sum_i u_i s(z_i . w) = 0`` for all ``w`` and every polynomial ``s`` with these powers: for each power
    ``k`` and every monomial ``w^e`` of degree ``k``, ``sum_i u_i z_i^e = 0``."""
    allow_only(data, ("powers", "vectors", "weights"))
    vectors, weights = read_vectors(data, "vectors"), read_numbers(data, "weights")
    if len(weights) != len(vectors) or not any(weights):
        raise Refusal("weights: one for each vector, not all 0")
    powers = read_numbers(data, "powers") if data.get("powers") != [] else []
    if any(p.denominator != 1 or not 0 <= p <= MAX_DEGREE for p in powers):
        raise Refusal(f"powers: integers from 0 to {MAX_DEGREE}")
    if len(set(powers)) < len(powers):
        raise Refusal("powers: each once")
    (factors,), rows, budget = _integral([weights]), _integral(vectors), Budget()
    longest = max(abs(entry).bit_length() for row in rows for entry in row)
    for power in map(int, powers):
        count = comb(len(vectors[0]) + power - 1, power) * (power + 1) * len(vectors)
        if count > MAX_WORK:
            raise Refusal("too many monomials to check")
        budget.spend(count * (20 + power * longest))
        for place in combinations_with_replacement(range(len(vectors[0])), power):
            if sum(u * prod(z[k] for k in place) for u, z in zip(factors, rows, strict=True)) != 0:
                raise Refusal(f"the weights do not cancel the monomials of degree {power}")
    shown = ", ".join(str(p) for p in powers) or "none (s = 0)"
    return f"sum u_i s(z_i . w) = 0 for all w and every polynomial s with powers {shown}"


def _integral(rows: Sequence[Sequence[Fraction]]) -> list[list[int]]:
    """All of them times their common denominator."""
    common = 1
    for row in rows:
        common = lcm(common, *(entry.denominator for entry in row))
        if common.bit_length() > MAX_DENOMINATORS:
            raise Refusal("denominators that have too little in common")
    return [[int(entry * common) for entry in row] for row in rows]


def not_a_polynomial(data: dict[str, Any]) -> str:
    """A divided difference of order ``degree + 1`` lies in an interval without 0 for all ``|e_k| <= radius``:

        sum_k s(t_k + e_k) / prod_{j != k} (t_k - t_j)

    For a polynomial of that degree it would be 0 at a common ``e``, for almost every ``e``: so ``s`` is not
    even equal to one almost everywhere.
    """
    allow_only(data, ("activation", "points", "radius", "difference"))
    activation = read_function(data, "activation")
    count = check_difference(activation, data)
    return f"s is not a polynomial of degree <= {count - 2}, nor equal to one almost everywhere"


def check_difference(activation: Any, data: dict[str, Any], budget: Budget | None = None) -> int:
    """The number of points, which is the order plus one."""
    points = read_numbers(data, "points")
    if len(set(points)) < len(points):
        raise Refusal("points: distinct numbers are required")
    radius = read_radius(data)
    low, high = read_interval(data, "difference")

    def compute() -> arb:
        spread, total = arb(0, ball(radius).abs_upper()), arb(0)
        places = [ball(p) for p in points]
        for k, place in enumerate(places):
            others = (place - other for j, other in enumerate(places) if j != k)
            total += evaluate(activation, place + spread) / prod(others, start=arb(1))
        return total

    cost = (nodes(activation) + 2 + len(points)) * len(points)
    accept_within(compute, low, high, "the divided difference", cost, budget)
    return len(points)


def read_radius(data: dict[str, Any]) -> Fraction:
    radius = rational(data.get("radius"), "radius")
    if radius <= 0:
        raise Refusal("radius: a number > 0 is required")
    return radius
