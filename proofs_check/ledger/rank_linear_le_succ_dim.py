"""Without a hidden layer the rank is at most ``d + 1``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from analytic_ntk import Dense, Network, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import products, rank
from proofs_check.ledger._points import fan
from proofs_check.ledger._polynomials import generic
from proofs_check.ledger._sources import ELEMENTARY, OWN


def factorised() -> Iterator[Case]:
    """``S_1 = A A^T`` with the ``d + 1`` columns ``sqrt(w/d) x`` and ``sqrt(b)``: rank at most ``d + 1``."""
    w, b = sp.symbols("w b", nonnegative=True)
    for dim in range(1, 6):
        x, y = sp.symbols(f"x1:{dim + 1}"), sp.symbols(f"y1:{dim + 1}")
        one, two = ([*(sp.sqrt(w / dim) * e for e in v), sp.sqrt(b)] for v in (x, y))
        entry = w * sum(p * q for p, q in zip(x, y, strict=True)) / dim + b
        rest = sp.expand(sum(p * q for p, q in zip(one, two, strict=True)) - entry)
        yield Case(f"d = {dim}: {len(one)} columns", rest == 0 and len(one) == dim + 1)


def determinant() -> Iterator[Case]:
    """``d + 2`` inputs, all symbols: the determinant is 0."""
    w, b = sp.symbols("w b")
    for dim in (1, 2):
        x = [sp.symbols(f"x{i}_1:{dim + 1}") for i in range(dim + 2)]
        gram = sp.Matrix([[w * sp.Matrix(p).dot(sp.Matrix(q)) / dim + b for q in x] for p in x])
        yield Case(f"d = {dim}, {dim + 2} inputs", sp.expand(gram.det(method="berkowitz")) == 0)


def exact(bound: int = 1) -> Iterator[Case]:
    """At random points: rank ``d + 1`` with a bias, ``d`` without; and the package agrees."""
    for dim in range(1, 6):
        for bias in (0, Fraction(2, 3)):
            X = generic(dim + 4, dim, 8)
            found = rank([[e / dim + bias for e in row] for row in products(X)])
            nullity = decide_gram(Network(Dense(1, bias)), X).nullity
            what = f"d = {dim}, bias {bias}, {len(X)} inputs: rank {found}"
            yield Case(what, found == dim + (bound if bias else 0) and nullity == len(X) - found)


def hidden_layer() -> Iterator[Case]:
    for name in ("relu", "abs"):
        found = dependencies(SIDED[name], fan(20))
        yield Case(f"{name}, 20 inputs in R^2, one hidden layer: full rank", found == [])
    network = Network.mlp(activations.relu, 1, 1, 1)
    yield Case("decided too", decide_gram(network, fan(20)).nullity == 0)


CLAIM = Claim(
    name="rank_linear_le_succ_dim",
    title="without a hidden layer the rank is at most d + 1",
    statement=r"\operatorname{rank} S_1(X) = \operatorname{rank} T_1(X) \le d + 1",
    hypotheses=(
        Hypothesis(
            "no hidden layer",
            "L = 1",
            Part("one hidden layer", Method.EXACT, "ReLU and abs, 20 inputs in R^2", hidden_layer),
        ),
    ),
    parts=(
        Part(
            "S_1 is a Gram matrix of vectors of length d + 1",
            Method.SYMBOLIC,
            "all inputs and variances, d = 1 .. 5",
            factorised,
        ),
        Part(
            "the determinant at d + 2 inputs",
            Method.SYMBOLIC,
            "all inputs and variances, d = 1, 2",
            determinant,
        ),
        Part("the bound is attained", Method.EXACT, "random rational inputs, d = 1 .. 5", exact),
    ),
    faults=(Fault("the bound d", lambda: exact(0)),),
    references=(OWN, ELEMENTARY),
    cited="a matrix A A^T has at most the rank of A",
)
