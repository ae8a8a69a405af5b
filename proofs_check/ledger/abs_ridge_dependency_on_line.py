"""One direction is not enough: on a line ``|2t| = 2|t|``, and ``|t|`` is no polynomial."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from analytic_ntk import Network, activations
from analytic_ntk.characterisation import refute_degree
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import NON_PROPORTIONAL, points
from proofs_check.ledger._sources import OWN

SIDES = (sp.Symbol("t", positive=True), sp.Symbol("t", negative=True), sp.S.Zero)


def identity(factor: int = 2) -> Iterator[Case]:
    for t in SIDES:
        yield Case(
            f"|2t| - {factor}|t| = 0 for t of sign {sp.sign(t)}", abs(2 * t) - factor * abs(t) == 0, t == 0
        )


def every_scale() -> Iterator[Case]:
    c = sp.Symbol("c", positive=True)
    for t in SIDES:
        yield Case(f"|ct| - c|t| = 0 for t of sign {sp.sign(t)}", abs(c * t) - c * abs(t) == 0, t == 0)


def no_polynomial() -> Iterator[Case]:
    """A divided difference on ``-m-1 .. m+1`` that is not 0, for each degree up to 20."""
    for m in range(21):
        found = refute_degree(lambda t: abs(t), m, [Fraction(k) for k in range(-m - 1, m + 2)])
        yield Case(f"|t| is no polynomial of degree {m}", found is not None)
    t = sp.Symbol("t", positive=True)
    left, right = sp.diff(abs(-t), t), sp.diff(abs(t), t)
    yield Case("nor of any degree: the slopes at 0 differ", (-left, right) == (-1, 1))


def decided() -> Iterator[Case]:
    """Positive inputs, no bias: ``u`` is a null vector exactly when ``sum_i u_i x_i = 0``."""
    network = Network.mlp(activations.resolve("abs"), 1, 1, 0)
    for count in range(2, 8):
        X = points(*([k] for k in range(1, count + 1)))
        nulls = decide_gram(network, X).null_vectors
        direct = all(sum(u * x[0] for u, x in zip(null, X, strict=True)) == 0 for null in nulls)
        yield Case(f"{count} inputs: rank 1", len(nulls) == count - 1 == rank(nulls) and direct)


def in_the_plane() -> Iterator[Case]:
    for where, Z in NON_PROPORTIONAL.items():
        if len(Z[0]) == 2:
            yield Case(f"{where}: no dependency", dependencies(SIDED["abs"], Z) == [])


CLAIM = Claim(
    name="abs_ridge_dependency_on_line",
    title="in one dimension |t| satisfies |2t| - 2|t| = 0 and is no polynomial",
    statement=r"|2t| - 2\,|t| = 0 \ \forall t \in \mathbb{R}, \text{ and } t \mapsto |t| "
    r"\text{ is not a polynomial}",
    hypotheses=(
        Hypothesis(
            "one dimension",
            "the vectors lie in R^1",
            Part("no dependency in the plane", Method.EXACT, "non-proportional vectors", in_the_plane),
        ),
    ),
    parts=(
        Part("|2t| - 2|t| = 0", Method.SYMBOLIC, "all real t", identity),
        Part("|ct| - c|t| = 0", Method.SYMBOLIC, "all c > 0, all real t", every_scale),
        Part(
            "|t| is no polynomial",
            Method.SYMBOLIC,
            "every degree; divided differences up to 20",
            no_polynomial,
        ),
        Part(
            "the decision procedure gives rank 1 on a line, no bias", Method.EXACT, "2 to 7 inputs", decided
        ),
    ),
    faults=(Fault("|2t| - 3|t|", lambda: identity(3)),),
    references=(OWN,),
)
