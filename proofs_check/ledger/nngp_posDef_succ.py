"""Strict positivity of the NNGP passes to the next layer: Proposition 1 for the NNGP alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import factorial

from analytic_ntk import Dense, Network, Nonlinearity, activations
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite
from proofs_check.ledger._exact import hadamard_power, rank
from proofs_check.ledger._exact import is_positive_definite as is_positive
from proofs_check.ledger._exact import is_positive_semidefinite as is_semidefinite
from proofs_check.ledger._points import points
from proofs_check.ledger._polynomials import POLYNOMIALS, Polynomial, derivative, dual_matrix, poly
from proofs_check.ledger._sources import OWN
from proofs_check.ledger.ntk_posDef_succ import Matrix, random_positive

INDEPENDENT = {
    "unit vectors": points([1, 0, 0], [0, 1, 0], [0, 0, 1]),
    "independent in R^3": points([1, 0, 0], [1, 1, 0], [1, 1, 1]),
    "nearly dependent in R^2": points([1, 0], ["99/100", "1/10"]),
}
"""Linearly independent: S_1 = <x, y>/d is strictly positive definite, so one layer is the step itself."""
NAMES = ("x", "x^2", "x^3", "1 + x", "relu", "abs", "step", "sign", "cos", "erf", "gaussian", "Max(x - 1, 0)")


def step_exact(cases: Sequence[Polynomial], singular: bool = False) -> Iterator[Case]:
    for s in cases:
        for size in (2, 3, 5):
            for seed in range(4):
                covariance = random_positive(size, seed, singular)
                good = is_positive(dual_matrix(s, covariance))
                yield Case(f"s = {tuple(map(str, s))}, {size} points, seed {seed}", good)


def hermite_terms() -> Iterator[Case]:
    """Why: ``E s(u) s(v) - D S^{o k} D / k!`` is positive semidefinite, ``D`` diagonal with ``E s^(k)(u_i)``,
    for every ``k`` (Hermite expansion at each variance); and some ``E s^(k)`` with ``k >= 1`` is not 0."""
    for name, s in POLYNOMIALS.items():
        for seed in range(3):
            covariance = random_positive(3, seed)
            whole = dual_matrix(s, covariance)
            for k in range(len(s)):
                slope = s
                for _ in range(k):
                    slope = derivative(slope)
                d = [_mean(slope, row[i]) for i, row in enumerate(covariance)]
                part = hadamard_power(covariance, k)
                rest: Matrix = [
                    [e - d[i] * d[j] * part[i][j] / factorial(k) for j, e in enumerate(row)]
                    for i, row in enumerate(whole)
                ]
                yield Case(f"{name}, k = {k}, seed {seed}", is_semidefinite(rest), trivial=not any(d))


def _mean(s: Polynomial, variance: Fraction) -> Fraction:
    """``E s(u)``."""
    return sum(
        (
            c * variance ** (k // 2) * factorial(k) / (2 ** (k // 2) * factorial(k // 2))
            for k, c in enumerate(s)
            if k % 2 == 0
        ),
        Fraction(0),
    )


def step_enclosed(names: Sequence[str]) -> Iterator[Case]:
    for name in names:
        network = Network(Dense(1, 0), Nonlinearity(activations.resolve(name)), Dense(1, 0))
        for where, X in INDEPENDENT.items():
            yield Case(f"{name}, {where}", is_positive_definite(network, X, "nngp"))


def constant() -> Iterator[Case]:
    for c in (1, -3):
        found = rank(dual_matrix(poly(c), random_positive(3, 1)))
        yield Case(f"s = {c}: rank {found}", found == 1)


def singular() -> Iterator[Case]:
    covariance = random_positive(3, 2, singular=True)
    yield Case("a linear s keeps a singular S_l singular", rank(dual_matrix(poly(0, 2), covariance)) == 2)


CLAIM = Claim(
    name="nngp_posDef_succ",
    title="strict positivity of the NNGP passes to the next layer, unless the activation is constant",
    statement=r"S_l \succ 0,\ s \text{ not constant} \implies S_{l+1} \succ 0",
    hypotheses=(
        Hypothesis(
            "not constant",
            "s is not constant",
            Part("constants", Method.EXACT, "s = 1, s = -3", constant),
        ),
        Hypothesis(
            "positive before",
            "S_l is strictly positive definite",
            Part("a singular covariance", Method.EXACT, "s = 2t", singular),
        ),
    ),
    parts=(
        Part(
            "all pivots of the next covariance are positive",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, random rational S_l > 0 of 2, 3, 5 points",
            lambda: step_exact(list(POLYNOMIALS.values())),
        ),
        Part(
            "the reason: every Hermite term is at most the whole, in the order of symmetric matrices",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, random rational S_l > 0 of 3 points, every degree k",
            hermite_terms,
        ),
        Part(
            "certainly positive pivots of the certified NNGP",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}, jumps among them; {', '.join(INDEPENDENT)}",
            lambda: step_enclosed(NAMES),
        ),
    ),
    faults=(
        Fault("a constant", lambda: step_exact([poly(1)])),
        Fault("a singular covariance before a linear activation", lambda: step_exact([poly(0, 1)], True)),
    ),
    references=(OWN,),
    cited="the Hermite expansion and Schur's product theorem",
)
