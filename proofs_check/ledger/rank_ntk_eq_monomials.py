"""The exact rank for polynomial activations is a number of monomials."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement
from math import prod

from analytic_ntk import Network, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import Vector, rank
from proofs_check.ledger._points import circle, points
from proofs_check.ledger._polynomials import (
    POLYNOMIALS,
    Polynomial,
    degree_set,
    generic,
    kernels,
    monomial_count,
)
from proofs_check.ledger._sources import OWN
from proofs_check.ledger.rank_ntk_le_of_polynomial import other_activations

MOST = 40
CASES = [
    (name, depth, dim, bias)
    for name in POLYNOMIALS
    for depth, dim in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1))
    for bias in (0, 1)
    if monomial_count(degree_set([POLYNOMIALS[name]] * depth, bool(bias)), dim) <= MOST
]
PUBLISHED = (
    ("t^2", 1, 2, 3, 6), ("t + t^2", 1, 2, 5, 6), ("1 + t^3", 1, 2, 5, 10), ("t - t^3/6", 1, 2, 6, 10),
    ("t^2", 2, 2, 5, 15), ("t^3", 1, 3, 10, 20),
)  # fmt: skip
"""Polynomial, depth, dimension, rank without and with bias."""
SPECIAL: dict[str, list[Vector]] = {
    "a line through 0": points(*([k, 2 * k] for k in range(-4, 5))),
    "a line not through 0": points(*([1, k] for k in range(9))),
    "a circle": [circle(Fraction(k, 3)) for k in range(-6, 8)],
    "a grid": points(*([i, j] for i in range(3) for j in range(3))),
}


def ranks(s: Polynomial, depth: int, X: list[Vector], bias: int) -> tuple[int, int]:
    nngp, ntk = kernels([s] * depth, X, Fraction(3, 2), Fraction(bias, 7))
    return rank(nngp), rank(ntk)


def generic_points(extra: int = 0) -> Iterator[Case]:
    for name, depth, dim, bias in CASES:
        s = POLYNOMIALS[name]
        count = monomial_count(degree_set([s] * depth, bool(bias)), dim)
        for size in (count + 3, max(1, count - 1)):
            found = ranks(s, depth, generic(size, dim, 4), bias)
            what = f"{name}, depth {depth}, d = {dim}, bias {bias}, {size} points: rank {found[0]}"
            yield Case(what, found == (min(size, count + extra),) * 2, trivial=size < 2)


def published() -> Iterator[Case]:
    for name, depth, dim, *expected in PUBLISHED:
        for bias, number in enumerate(expected):
            found = ranks(POLYNOMIALS[name], depth, generic(number + 3, dim, 5), bias)
            yield Case(
                f"{name}, depth {depth}, d = {dim}, bias {bias}: {found[0]}", found == (number, number)
            )


def monomials_at(degrees: frozenset[int], X: list[Vector]) -> list[list[Fraction]]:
    places = range(len(X[0]))
    return [
        [prod((x[k] for k in chosen), start=Fraction(1)) for x in X]
        for degree in sorted(degrees)
        for chosen in combinations_with_replacement(places, degree)
    ]


def special_points() -> Iterator[Case]:
    """At any data: the rank of the matrix of all monomials of the degrees reached."""
    for name, s in POLYNOMIALS.items():
        for depth in (1, 2):
            for bias in (0, 1):
                degrees = degree_set([s] * depth, bool(bias))
                for where, X in SPECIAL.items():
                    found = ranks(s, depth, X, bias)
                    expected = rank(monomials_at(degrees, X))
                    what = f"{name}, depth {depth}, bias {bias}, {where}: rank {found[0]}"
                    yield Case(what, found == (expected, expected))


def on_the_circle() -> Iterator[Case]:
    """On S^1 monomials of degree k restrict to harmonics of degrees k, k - 2, ..: 2 each, 1 for degree 0."""
    X = SPECIAL["a circle"]
    for name, s in POLYNOMIALS.items():
        for bias in (0, 1):
            reached = {k - 2 * j for k in degree_set([s], bool(bias)) for j in range(k // 2 + 1)}
            expected = min(len(X), sum(1 if k == 0 else 2 for k in reached))
            yield Case(f"{name}, bias {bias}: rank {expected}", ranks(s, 1, X, bias) == (expected, expected))


def decided() -> Iterator[Case]:
    texts = {"t^2": "x^2", "t + t^2": "x + x^2", "1 + t^3": "1 + x^3", "t - t^3/6": "x - x^3/6", "t^3": "x^3"}
    for name, text in texts.items():
        for depth, bias in ((1, 0), (1, 1), (2, 0), (2, 1)):
            network = Network.mlp(activations.resolve(text), depth, "3/2", Fraction(bias, 7))
            for where, X in SPECIAL.items():
                nullity = decide_gram(network, X).nullity
                found = ranks(POLYNOMIALS[name], depth, X, bias)
                what = f"{text}, depth {depth}, bias {bias}, {where}: nullity {nullity}"
                yield Case(what, nullity == len(X) - found[1])


def special_is_less() -> Iterator[Case]:
    for name in ("t^2", "t^3", "t - t^3/6"):
        s = POLYNOMIALS[name]
        found = ranks(s, 1, SPECIAL["a line through 0"], 0)
        count = monomial_count(degree_set([s], False), 2)
        yield Case(f"{name} on a line through 0: rank {found[0]} < {count}", found[0] < count)


CLAIM = Claim(
    name="rank_ntk_eq_monomials",
    title="the rank for a polynomial activation is the number of monomials of the degrees reached",
    statement=r"\operatorname{rank} S_L = \operatorname{rank} T_L = \operatorname{rank} "
    r"\bigl(x_i^e\bigr)_{|e| \in D_L,\, i};\quad D_1 = \{1\},\ D_{l+1} = \bigcup_{j \in \mathrm{supp}\, s} "
    r"j D_l \ (\cup \{0\} \text{ with bias});\quad \text{generic points: } "
    r"\min\Bigl(N, \sum_{k \in D_L} \tbinom{d+k-1}{k}\Bigr)",
    hypotheses=(
        Hypothesis(
            "generic points",
            "for the count: the points lie on no special variety",
            Part("points on a line", Method.EXACT, "3 polynomials", special_is_less),
        ),
        Hypothesis(
            "polynomial",
            "s is a polynomial",
            Part(
                "ReLU: full rank at any number of points",
                Method.EXACT,
                "up to 30 of a fan",
                other_activations,
            ),
        ),
    ),
    parts=(
        Part(
            "generic points: the rank of the exact matrix is the number of monomials",
            Method.EXACT,
            f"{len(CASES)} cases of polynomial, depth, d and bias; more points than monomials, and fewer; "
            "both kernels; the matrices from Gaussian moments in rational arithmetic",
            generic_points,
        ),
        Part("six cases with known ranks", Method.EXACT, "with and without bias", published),
        Part(
            "special points: the rank of the monomials at the data",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, depths 1 and 2, with and without bias; {', '.join(SPECIAL)}",
            special_points,
        ),
        Part(
            "on the circle: harmonics of degrees k, k - 2, ..",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, depth 1, 14 rational points",
            on_the_circle,
        ),
        Part(
            "the nullity decided is N less this rank",
            Method.EXACT,
            "5 polynomials, depths 1 and 2, with and without bias, the special points",
            decided,
        ),
    ),
    faults=(Fault("one monomial too many", lambda: generic_points(1)),),
    references=(OWN,),
    cited="the feature map of a polynomial kernel with positive coefficients",
)
