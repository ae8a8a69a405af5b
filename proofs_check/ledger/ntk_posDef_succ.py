"""Proposition 1: strict positivity of a layer passes to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random

from analytic_ntk import Network, activations
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite
from proofs_check.ledger._exact import is_positive_definite as is_positive
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import DISTINCT
from proofs_check.ledger._polynomials import POLYNOMIALS, Polynomial, derivative, dual_matrix, poly
from proofs_check.ledger._sources import CARVALHO

Matrix = list[list[Fraction]]
SECOND = ("x", "x^2", "x^3", "1 + x^3", "relu", "cos", "step", "abs")


def random_positive(size: int, seed: int, singular: bool = False) -> Matrix:
    """``A A^T`` for a random integer matrix of full rank (of rank ``size - 1`` if ``singular``)."""
    rng = Random(f"{size} {seed}")
    while True:
        a = [[Fraction(rng.randint(-3, 3)) for _ in range(size - singular)] for _ in range(size)]
        found = [[sum((p * q for p, q in zip(r, c, strict=True)), Fraction(0)) / size for c in a] for r in a]
        if rank(found) == size - singular:
            return found


def next_layer(s: Polynomial, nngp: Matrix, ntk: Matrix) -> tuple[Matrix, Matrix]:
    """One step of the recursion, weight variance 1, no bias."""
    after, slope = dual_matrix(s, nngp), dual_matrix(derivative(s), nngp)
    tangent = [
        [a + b * t for a, b, t in zip(*rows, strict=True)] for rows in zip(after, slope, ntk, strict=True)
    ]
    return after, tangent


def exact(activations_: Sequence[Polynomial], singular: bool = False) -> Iterator[Case]:
    for s in activations_:
        for size in (2, 3, 4, 5):
            for seed in range(3):
                nngp = random_positive(size, seed, singular)
                ntk = [[2 * e for e in row] for row in nngp]
                for _ in range(2):
                    nngp, ntk = next_layer(s, nngp, ntk)
                good = is_positive(nngp) and is_positive(ntk)
                yield Case(f"s = {tuple(map(str, s))}, {size} points, seed {seed}", good)


def enclosed(second: Sequence[str]) -> Iterator[Case]:
    """tanh-like first layer: strictly positive; then any second layer that is not constant."""
    for name in second:
        network = Network.mlp([activations.erf, activations.resolve(name)], 2, 1, "1/10")
        for where, X in DISTINCT.items():
            for kernel in ("nngp", "ntk"):
                yield Case(f"erf then {name}, {kernel}, {where}", is_positive_definite(network, X, kernel))


def constant() -> Iterator[Case]:
    nngp = random_positive(3, 0)
    after, tangent = next_layer(poly(2), nngp, nngp)
    yield Case("s = 2: the NNGP has rank 1", rank(after) == 1)
    yield Case("s = 2: the NTK has rank 1", rank(tangent) == 1)


def singular_before() -> Iterator[Case]:
    """``[[1, 1], [1, 1]]``: two equal features stay equal."""
    ones = [[Fraction(1)] * 2] * 2
    for name, s in POLYNOMIALS.items():
        after, tangent = next_layer(s, ones, ones)
        yield Case(f"s = {name}", rank(after) < 2 and rank(tangent) < 2)


CLAIM = Claim(
    name="ntk_posDef_succ",
    title="strict positivity passes from a layer to the next, unless the activation is constant",
    statement=r"S_l,\, T_l \succ 0,\ s \text{ not constant} \implies S_{l+1},\, T_{l+1} \succ 0",
    hypotheses=(
        Hypothesis(
            "not constant",
            "s is not constant",
            Part("a constant activation", Method.EXACT, "s = 2, 3 points", constant),
        ),
        Hypothesis(
            "positive before",
            "the layer before is strictly positive definite",
            Part("equal features", Method.EXACT, f"{len(POLYNOMIALS)} polynomials", singular_before),
        ),
    ),
    parts=(
        Part(
            "two layers of the recursion in rational arithmetic, all pivots positive",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, random rational S_l > 0 of 2 to 5 points, T_l = 2 S_l",
            lambda: exact(list(POLYNOMIALS.values())),
        ),
        Part(
            "erf, then any layer that is not constant: certainly positive pivots",
            Method.ENCLOSED,
            f"second activations {', '.join(SECOND)}; {len(DISTINCT)} point sets; NNGP and NTK",
            lambda: enclosed(SECOND),
        ),
    ),
    faults=(
        Fault("a constant among the activations", lambda: exact([poly(1)])),
        Fault("a linear activation after a singular layer", lambda: exact([poly(0, 1)], singular=True)),
    ),
    references=(f"{CARVALHO}, Proposition 1",),
    cited="Proposition 1",
)
