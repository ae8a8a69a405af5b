"""Theorem 3, the characterisation of polynomials: only they satisfy an identity across directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations
from math import comb

import sympy as sp

from analytic_ntk import Activation, activations, certificate
from analytic_ntk.characterisation import Independence, PolynomialDependency, probe
from analytic_ntk.positivity import profile
from proofs_check import verify
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._cells import SIDED
from proofs_check.ledger._exact import Vector, determinant, dot
from proofs_check.ledger._points import Points, fan, points, random_points
from proofs_check.ledger._sources import CARVALHO, FRECHET
from proofs_check.ledger.abs_ridge_dependency_on_line import identity

AXES = points([1, 0], [0, 1], [1, 1], [1, -1])
DIRECTIONS = points([1, 0], [0, 1], [1, -2], [-1, 2])
SETS = {
    "(1,0), (0,1), (1,1), (1,-1)": AXES,
    "8 of a fan": fan(8),
    "6 random in R^3": random_points(6, 3, 5),
}
PIECEWISE: dict[str, Callable[[Fraction], Fraction]] = {
    "relu": SIDED["relu"],
    "abs": SIDED["abs"],
    "leaky_relu(1/10)": SIDED["leaky_relu(1/10)"],
    "Max(x, 0)^2": SIDED["Max(x, 0)^2"],
    "hardtanh": lambda t: min(max(t, Fraction(-1)), Fraction(1)),
    "triangle": lambda t: max(1 - abs(t), Fraction(0)),
    "x^2 + Max(1 - Abs(x), 0)": lambda t: t * t + max(1 - abs(t), Fraction(0)),
}
"""Rational at rational points: evaluated here, not by the package."""
OTHERS = (
    "tanh", "gelu", "sin", "exp", "sigmoid", "log(1 + exp(x))", "softsign", "x^2 + tanh(x)/1000",
    "exp(-x^2)", "x^3 - sin(x)",
)  # fmt: skip
TWELVE = ("relu", "tanh", "sin")
W = sp.symbols("w1:4")


def _sets(name: str) -> dict[str, Points]:
    return SETS | {"12 of a fan": fan(12)} if name in TWELVE else SETS


def by_hand(directions: Points = DIRECTIONS) -> Iterator[Case]:
    """An integer matrix ``[relu(z_i . w_j)]`` with the determinant 2."""
    found = determinant([[SIDED["relu"](dot(z, w)) for w in directions] for z in AXES])
    yield Case(f"det [relu(z_i . w_j)] = {found}", found == 2)


def exact_determinants() -> Iterator[Case]:
    """The directions are found by the package, the matrix and its determinant are made here."""
    for name, s in PIECEWISE.items():
        for where, Z in _sets(name).items():
            found = probe(activations.resolve(name), Z)
            if not isinstance(found, Independence):
                yield Case(f"{name}, {where}: a dependency", False)
                continue
            value = determinant([[s(dot(z, w)) for w in found.directions] for z in Z])
            yield Case(f"{name}, {where}: determinant {float(value):.3g}", value != 0)


def ball_determinants() -> Iterator[Case]:
    for name in OTHERS:
        phi = activations.resolve(name)
        for where, Z in _sets(name).items():
            found = probe(phi, Z)
            if not isinstance(found, Independence):
                yield Case(f"{name}, {where}: a dependency", False)
                continue
            report = verify(certificate.of_independence(phi, found).json())
            yield Case(
                f"{name}, {where}" if report.accepted else f"{name}, {where}: {report}", report.accepted
            )


def identities(flip: bool = False) -> Iterator[Case]:
    """For a polynomial the dependency is found, and is an identity in ``w``."""
    for name in ("x^2", "x^3 - x/2", "x^5 + 1", "x", "7", "(x + 1)^4"):
        phi = activations.resolve(name)
        for where, Z in SETS.items():
            found = probe(phi, Z)
            if isinstance(found, PolynomialDependency):
                weights = list(found.weights)
                if flip:
                    place = next(k for k, u in enumerate(weights) if u)
                    weights[place] = -weights[place]
                yield Case(f"{name}, {where}", _sum(phi, Z, weights) == 0)
            else:
                count = sum(comb(len(Z[0]) + k - 1, k) for k in profile(phi).polynomial or ())
                yield Case(f"{name}, {where}: no more vectors than monomials", len(Z) <= count, True)


def _sum(phi: Activation, Z: Points, weights: list[Fraction]) -> sp.Expr:
    (symbol,) = phi.expression.free_symbols or {sp.Symbol("x")}
    total = sp.S.Zero
    for u, z in zip(weights, Z, strict=True):
        ridge = sum(sp.Rational(c.numerator, c.denominator) * w for c, w in zip(z, W, strict=False))
        total += sp.Rational(u.numerator, u.denominator) * phi.expression.subs(symbol, ridge)
    return sp.expand(total)


# ------------------------------------------------------------------------------------ hypotheses dropped


def aligned() -> Iterator[Case]:
    """``relu(2t) - 2 relu(t) = 0``, on both sides of 0."""
    t = sp.Symbol("t", positive=True)
    for side in (t, -t):
        yield Case(f"relu(2t) = 2 relu(t), t = {side}", sp.Max(2 * side, 0) - 2 * sp.Max(side, 0) == 0)


def additive() -> Iterator[Case]:
    """``s(a + b sqrt 2) = a`` is additive on Q(sqrt 2), so ``s(z_1.w) + s(z_2.w) - s((z_1+z_2).w) = 0``; but
    ``s`` is 0 at all multiples of ``sqrt 2`` and not at 1, so it is no polynomial. (By a Hamel basis it
    extends to R; it is neither continuous nor measurable.)"""
    a, b, c, d = sp.symbols("a b c d", rational=True)

    def s(value: sp.Expr) -> sp.Expr:
        return sp.expand(value).subs(sp.sqrt(2), 0)

    one, two = a + b * sp.sqrt(2), c + d * sp.sqrt(2)
    yield Case("additive", sp.expand(s(one) + s(two) - s(one + two)) == 0)
    zeros = all(s(k * sp.sqrt(2)) == 0 for k in range(100))
    yield Case("0 at the multiples of sqrt 2, not at 1", zeros and s(sp.S.One) == 1)


def _aligned_free(Z: Points) -> bool:
    return all(_minor(z, w) for z, w in combinations(Z, 2))


def _minor(z: Vector, w: Vector) -> bool:
    return any(z[i] * w[j] != z[j] * w[i] for i, j in combinations(range(len(z)), 2))


def totally_non_aligned() -> Iterator[Case]:
    for where, Z in SETS.items():
        yield Case(where, _aligned_free(Z))


CLAIM = Claim(
    name="isPolynomial_of_ridge_dependency",
    title="only a polynomial satisfies a linear identity across non-aligned directions",
    statement=r"s \text{ continuous},\ z_1, \dots, z_N \in \mathbb{R}^2 \text{ totally non-aligned},\ "
    r"u \ne 0,\ \sum_i u_i\, s(z_i \cdot w) = 0 \ \forall w \in \mathbb{R}^2 \implies s "
    r"\text{ is a polynomial}",
    hypotheses=(
        Hypothesis(
            "non-aligned",
            "a_i b_j - a_j b_i is not 0 for i != j",
            Part("aligned vectors", Method.SYMBOLIC, "ReLU, z and 2z, all t", aligned),
        ),
        Hypothesis(
            "two dimensions",
            "the vectors lie in R^m with m >= 2",
            Part("in one dimension |2t| = 2|t|", Method.SYMBOLIC, "all real t", identity),
        ),
        Hypothesis(
            "continuous",
            "s is continuous (locally integrable is enough: degree_le_of_ridge_dependency)",
            Part("an additive function", Method.SYMBOLIC, "all arguments in Q(sqrt 2)", additive),
        ),
    ),
    parts=(
        Part("an integer proof of independence", Method.EXACT, "ReLU at 4 vectors", by_hand),
        Part("the vectors are totally non-aligned", Method.EXACT, f"{len(SETS)} sets", totally_non_aligned),
        Part(
            "no identity: a rational determinant that is not 0",
            Method.EXACT,
            f"{', '.join(PIECEWISE)}; vectors {'; '.join(SETS)}; 12 of a fan for ReLU",
            exact_determinants,
        ),
        Part(
            "no identity: a determinant enclosed away from 0, replayed",
            Method.ENCLOSED,
            f"{', '.join(OTHERS)}; the same vectors; 12 of a fan for tanh and sin",
            ball_determinants,
        ),
        Part(
            "conversely, the dependency of a polynomial is an identity",
            Method.SYMBOLIC,
            "6 polynomials, the same vectors, all w",
            identities,
        ),
    ),
    faults=(
        Fault("a direction changed", lambda: by_hand(points([1, 0], [0, 1], [1, 2], [-1, 2]))),
        Fault("a weight with its sign changed", lambda: identities(flip=True)),
    ),
    references=(f"{CARVALHO}, Theorem 3", FRECHET),
    cited="Theorem 3",
)
