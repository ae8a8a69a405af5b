"""Sharpness: for a polynomial activation the kernel has finite rank."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb

from analytic_ntk import Network, activations
from analytic_ntk.positivity import Domain, Positivity, decide
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import fan
from proofs_check.ledger._polynomials import POLYNOMIALS, generic, kernels
from proofs_check.ledger._sources import CARVALHO

CASES = [
    (name, depth, dim)
    for name in POLYNOMIALS
    for depth, dim in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1))
    if comb(dim + (len(POLYNOMIALS[name]) - 1) ** depth, dim) <= 60
]


def bounded(less: int = 0) -> Iterator[Case]:
    """With ``m`` the degree, rank at most ``C(d + m^depth, d)``, the number of monomials."""
    for name, depth, dim in CASES:
        s = POLYNOMIALS[name]
        bound = comb(dim + (len(s) - 1) ** depth, dim)
        X = generic(bound + 3, dim, 1)
        for kernel, rows in zip(("NNGP", "NTK"), kernels([s] * depth, X, bias=Fraction(1, 2)), strict=True):
            found = rank(rows)
            what = f"{name}, depth {depth}, d = {dim}: rank {found} <= {bound} of {len(X)}, {kernel}"
            yield Case(what, found <= bound - less)


def decided() -> Iterator[Case]:
    """The decision procedure finds a counterexample on every domain."""
    for text in ("x^2", "x + x^2", "x^3 - x", "7", "x"):
        for domain in Domain:
            for bias in (0, 1):
                network = Network.mlp(activations.resolve(text), 1, 1, bias)
                found = decide(network, 2, domain)
                yield Case(f"{text}, {domain.value}, bias {bias}", found.verdict is Positivity.SINGULAR)


def other_activations() -> Iterator[Case]:
    for name in ("relu", "abs", "Max(x, 0)^2"):
        for count in (10, 20, 30):
            found = dependencies(SIDED[name], fan(count))
            yield Case(f"{name}, {count} points of the plane: full rank", found == [])


CLAIM = Claim(
    name="rank_ntk_le_of_polynomial",
    title="for a polynomial activation NNGP and NTK have finite rank",
    statement=r"s \text{ a polynomial of degree } m \implies \operatorname{rank} T_L \le "
    r"\binom{d + m^{L-1}}{d} \text{ on any number of points}",
    hypotheses=(
        Hypothesis(
            "polynomial",
            "s is a polynomial",
            Part(
                "the rank grows with the number of points",
                Method.EXACT,
                "3 activations, depth 1, up to 30 points of the plane",
                other_activations,
            ),
        ),
    ),
    parts=(
        Part(
            "the exact rank at more random points than monomials",
            Method.EXACT,
            f"{len(CASES)} cases of polynomial, depth and d; bias variance 1/2; both kernels",
            bounded,
        ),
        Part(
            "the decision procedure finds finitely many points and a null vector",
            Method.EXACT,
            "5 polynomials, 3 domains of R^2, with and without bias",
            decided,
        ),
    ),
    faults=(Fault("a bound that is one too small", lambda: bounded(1)),),
    references=(f"{CARVALHO}, remark on sharpness",),
    cited="both kernels are polynomials of degree m^(L-1) in each input",
)
