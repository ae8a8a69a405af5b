"""Theorem 4: one hidden layer with bias, by Theorem 3 applied to the vectors ``(x_i, beta)``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy as sp

from analytic_ntk import Network, activations, positivity
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite
from proofs_check.ledger._cells import SIDED, Sided, dependencies
from proofs_check.ledger._exact import Vector
from proofs_check.ledger._points import DISTINCT, Points, points
from proofs_check.ledger._polynomials import POLYNOMIALS
from proofs_check.ledger._sources import CARVALHO

LINES: dict[str, Points] = {
    "5 on a line, 0 and antipodes": points([-2], [-1], [0], [1], [2]),
    "9 of a grid": points(*([Fraction(k, 10)] for k in range(9))),
    "near duplicates": points(["1"], ["1000001/1000000"], ["-1"], ["-999999/1000000"]),
    "geometric": points(*([Fraction(2) ** k] for k in range(-3, 5))),
}
"""Inputs in R^1: their vectors (x, beta) lie in the plane, where dependencies are found exactly."""


def lifted(X: Points, beta: Fraction) -> list[Vector]:
    return [(*x, beta) for x in X]


def exact(sets: Mapping[str, Points], beta: Fraction = Fraction(1, 3)) -> Iterator[Case]:
    for name, s in SIDED.items():
        for where, X in sets.items():
            yield Case(f"{name}, {where}", dependencies(s, lifted(X, beta)) == [], trivial=len(X) < 2)


def non_proportional() -> Iterator[Case]:
    """``(x, beta) = c (y, beta)`` forces ``c = 1``, ``x = y``: the minors are ``beta (x_k - y_k)``."""
    beta = sp.Symbol("beta", positive=True)
    for dim in range(1, 6):
        x, y = sp.symbols(f"x1:{dim + 1}"), sp.symbols(f"y1:{dim + 1}")
        for a, b in zip(x, y, strict=True):
            minor = sp.Matrix([[a, beta], [b, beta]]).det()
            yield Case(f"d = {dim}, minor with {a}", sp.expand(minor - beta * (a - b)) == 0)


def decided() -> Iterator[Case]:
    """The decision procedure on the same inputs."""
    for name in SIDED:
        network = Network.mlp(activations.resolve(name), 1, 1, "1/9")
        for where, X in LINES.items():
            found = positivity.decide_gram(network, X)
            yield Case(f"{name}, {where}", found.verdict is positivity.Positivity.STRICTLY_POSITIVE)


def enclosed() -> Iterator[Case]:
    for name in ("relu", "erf", "hardtanh", "gelu", "sin", "triangle", "elu(1)"):
        network = Network.mlp(activations.resolve(name), 1, 1, "1/9")
        for where, X in DISTINCT.items():
            yield Case(f"{name}, {where}", is_positive_definite(network, X))


# ------------------------------------------------------------------------------------ hypotheses dropped


def without_bias() -> Iterator[Case]:
    for name, s in SIDED.items():
        X = points([1], [2], [3])
        found = dependencies(s, lifted(X, Fraction(0)))
        yield Case(f"{name}, 3 inputs in R^1: {len(found)} null vectors", len(found) >= 1)


def polynomial() -> Iterator[Case]:
    """``(a t + beta)^m`` at ``m + 2`` inputs: ``m + 1`` monomials."""
    for name, s in POLYNOMIALS.items():
        X = points(*([k] for k in range(len(s) + 1)))
        found = dependencies(Sided(s, s), lifted(X, Fraction(1)))
        yield Case(f"{name}, {len(X)} inputs in R^1: {len(found)} null vectors", len(found) >= 1)


def repeated() -> Iterator[Case]:
    for name, s in SIDED.items():
        found = dependencies(s, lifted(points([1], [2], [1]), Fraction(1)))
        yield Case(f"{name}, an input twice: null vector (-1, 0, 1)", found == [(-1, 0, 1)])


CLAIM = Claim(
    name="ntk_one_layer_posDef",
    title="one hidden layer with bias: strictly positive definite, by Theorem 3 at (x_i, beta)",
    statement=r"s \text{ continuous, not a polynomial},\ \beta > 0,\ x_i \text{ distinct} \implies "
    r"\{\,w \mapsto s(\langle w, (x_i, \beta)\rangle)\,\}_i \text{ independent, hence } "
    r"T_2 \succeq S_2 \succ 0",
    hypotheses=(
        Hypothesis(
            "bias",
            "beta > 0",
            Part("no bias, inputs in R^1", Method.EXACT, f"{len(SIDED)} activations", without_bias),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("degree m, m + 2 inputs", Method.EXACT, f"{len(POLYNOMIALS)} polynomials", polynomial),
        ),
        Hypothesis(
            "distinct",
            "the inputs are distinct",
            Part("an input given twice", Method.EXACT, f"{len(SIDED)} activations", repeated),
        ),
    ),
    parts=(
        Part(
            "distinct inputs have non-proportional (x, beta)",
            Method.SYMBOLIC,
            "all x, y and beta > 0, d = 1 .. 5",
            non_proportional,
        ),
        Part(
            "no dependency: the equations of all sectors of the plane have no solution but 0",
            Method.EXACT,
            f"inputs in R^1, {len(SIDED)} activations that are polynomials on each side of 0 (jumps "
            f"among them), {'; '.join(LINES)}",
            lambda: exact(LINES),
        ),
        Part("the decision procedure agrees", Method.EXACT, "the same", decided),
        Part(
            "certainly positive pivots of the certified NTK Gram matrix",
            Method.ENCLOSED,
            f"7 activations, bias variance 1/9, {len(DISTINCT)} point sets: {', '.join(DISTINCT)}",
            enclosed,
        ),
    ),
    faults=(
        Fault("the bias left out", lambda: exact(LINES, Fraction(0))),
        Fault("a duplicate", lambda: exact({"a duplicate": points([1], [2], [1])})),
    ),
    references=(f"{CARVALHO}, Theorem 4",),
    cited="Theorem 4",
)
