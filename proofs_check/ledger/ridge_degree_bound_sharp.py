"""The degree bound ``N - 2`` of the strong form is attained: divided differences."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb, prod

import sympy as sp

from analytic_ntk import Activation
from analytic_ntk.characterisation import PolynomialDependency, probe
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import rank
from proofs_check.ledger._sources import OWN

SLOPES = {
    "0, 1, 2, ..": [Fraction(k) for k in range(12)],
    "squares": [Fraction(k * k) for k in range(12)],
    "-5, -4, ..": [Fraction(k - 5) for k in range(12)],
    "1, 1/2, 1/3, ..": [Fraction(1, k) for k in range(1, 13)],
    "near duplicates": [1 + Fraction(k, 10**6) for k in range(12)],
}


def symbolic(most: int = 0) -> Iterator[Case]:
    """``sum_i a_i^k / prod_{j != i} (a_i - a_j)`` is 0 for ``k <= N - 2`` and 1 for ``k = N - 1``."""
    for count in range(2, 6):
        a = sp.symbols(f"a1:{count + 1}")
        weights = [1 / sp.prod([p - q for q in a if q is not p]) for p in a]
        for k in range(count + most):
            total = sp.cancel(sp.together(sum(w * p**k for w, p in zip(weights, a, strict=True))))
            yield Case(f"N = {count}, k = {k}", total == (1 if k == count - 1 else 0))


def divided(slopes: list[Fraction]) -> list[Fraction]:
    """The weights of the divided difference."""
    return [1 / prod((p - q for q in slopes if q != p), start=Fraction(1)) for p in slopes]


def exact(flip: bool = False) -> Iterator[Case]:
    """``sum_i u_i (a_i w_1 + w_2)^m = 0`` identically: all its coefficients, for ``m = N - 2``."""
    for where, slopes in SLOPES.items():
        for count in range(2, 13):
            a = slopes[:count]
            u = divided(a)
            if flip:
                u[0] = -u[0]
            m = count - 2
            zero = all(
                comb(m, k) * sum(w * p**k for w, p in zip(u, a, strict=True)) == 0 for k in range(m + 1)
            )
            yield Case(f"t^{m}, {count} of {where}", zero and all(u))


def unique() -> Iterator[Case]:
    """Up to a factor there is no other dependency, and none at ``N - 1`` of the vectors."""
    for where, slopes in SLOPES.items():
        for count in range(3, 13):
            m = count - 2
            ranks = [
                rank([[comb(m, k) * p**k for k in range(m + 1)] for p in slopes[:n]])
                for n in (count - 1, count)
            ]
            yield Case(f"t^{m}, {count} of {where}", ranks == [count - 1, count - 1])


def found_by_the_package() -> Iterator[Case]:
    for where, slopes in SLOPES.items():
        for count in (2, 3, 4, 6, 9):
            a = slopes[:count]
            phi = Activation.parse(f"x^{count - 2}" if count > 2 else "1")
            found = probe(phi, [[p, Fraction(1)] for p in a])
            weights = found.weights if isinstance(found, PolynomialDependency) else ()
            same = len(weights) == count and rank([weights, divided(a)]) == 1
            yield Case(f"t^{count - 2}, {count} of {where}", same)


def published() -> Iterator[Case]:
    u = divided([Fraction(k) for k in range(4)])
    yield Case("t^2, a = 0, 1, 2, 3: u = (1, -3, 3, -1)", [-6 * w for w in u] == [1, -3, 3, -1])


CLAIM = Claim(
    name="ridge_degree_bound_sharp",
    title="the bound N - 2 is attained: t^m at m + 2 vectors, weights of the divided difference",
    statement=r"z_i = (a_i, 1),\ a_i \text{ distinct},\ N = m + 2,\ u_i = \prod_{j \ne i} (a_i - a_j)^{-1} "
    r"\implies \sum_i u_i\, (z_i \cdot w)^m = 0 \ \forall w",
    hypotheses=(
        Hypothesis("distinct", "the a_i are distinct", remark="otherwise the weights are not defined"),
    ),
    parts=(
        Part(
            "sum u_i a_i^k = 0 for k <= N - 2, and 1 for k = N - 1",
            Method.SYMBOLIC,
            "all distinct a_1, .., a_N, N = 2 .. 5",
            symbolic,
        ),
        Part(
            "every coefficient of sum u_i (z_i . w)^m vanishes",
            Method.EXACT,
            f"N = 2 .. 12, a_i from {'; '.join(SLOPES)}",
            exact,
        ),
        Part(
            "there is no other dependency, and none at fewer vectors",
            Method.EXACT,
            "N = 3 .. 12, the same a_i",
            unique,
        ),
        Part("the package finds the same weights", Method.EXACT, "N = 2, 3, 4, 6, 9", found_by_the_package),
        Part("the published example", Method.EXACT, "t^2, a = 0, 1, 2, 3", published),
    ),
    faults=(
        Fault("the first sign changed", lambda: exact(flip=True)),
        Fault("one power too many", lambda: symbolic(1)),
    ),
    references=(OWN, "I. Newton, divided differences (Lagrange interpolation)"),
    cited="divided differences annihilate polynomials of degree N - 2, for every N",
)
