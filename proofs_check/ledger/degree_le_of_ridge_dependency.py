"""The strong form of Theorem 3: ``s`` locally integrable, dimension >= 2, degree at most ``N - 2``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import comb

import sympy as sp

from analytic_ntk import activations
from analytic_ntk.characterisation import DividedDifference, PolynomialDependency, degree, probe
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import NON_PROPORTIONAL, fan
from proofs_check.ledger._sources import FRECHET, OWN
from proofs_check.ledger.abs_ridge_dependency_on_line import identity
from proofs_check.ledger.isPolynomial_of_ridge_dependency import additive, aligned

SLOPES = {
    "0 .. 9": [Fraction(k) for k in range(10)],
    "-4 .. 5": [Fraction(k) for k in range(-4, 6)],
    "1/k": [Fraction(1, k) for k in range(1, 11)],
}
W1, W2, H = sp.symbols("w1 w2 h")


def differences(shift: int = 0) -> Iterator[Case]:
    """The step of the proof: differences along ``v_i`` orthogonal to ``z_i``, ``i = 2 .. N``, leave of
    ``sum_i u_i s(z_i . w)`` only ``u_1`` times an iterated difference of ``s``, of order ``N - 1`` and with
    steps ``h_i = z_1 . v_i`` that are not 0. For any function ``s``: its values are symbols, by argument."""
    for count in range(2, 6):
        a, u = sp.symbols(f"a1:{count + 1}"), sp.symbols(f"u1:{count + 1}")
        z = [(slope, sp.S.One) for slope in a]
        v = [(H, -slope * H) for slope in a[1:]]
        left: dict[sp.Expr, sp.Expr] = {}
        for signs in product((0, 1), repeat=count - 1):
            moved = [W1, W2]
            for on, (p, q) in zip(signs, v, strict=True):
                moved = [moved[0] + on * p, moved[1] + on * q]
            for weight, (p, q) in zip(u, z, strict=True):
                argument = sp.expand(p * moved[0] + q * moved[1])
                left[argument] = left.get(argument, sp.S.Zero) + (-1) ** (count - 1 - sum(signs)) * weight
        right: dict[sp.Expr, sp.Expr] = {}
        for signs in product((0, 1), repeat=count - 1):
            steps = sum(on * (a[0] - slope) * H for on, slope in zip(signs, a[1:], strict=True))
            argument = sp.expand(a[0] * W1 + W2 + steps + shift * H)
            right[argument] = right.get(argument, sp.S.Zero) + (-1) ** (count - 1 - sum(signs)) * u[0]
        arguments = set(left) | set(right)
        zero = sp.S.Zero
        same = all(sp.expand(left.get(t, zero) - right.get(t, zero)) == 0 for t in arguments)
        yield Case(f"N = {count}: {len(right)} values of s remain", same)


def vandermonde() -> Iterator[Case]:
    """``t^m`` with ``m = N - 1`` is independent at ``(a_i, 1)``: its coefficients are a Vandermonde matrix
    with columns scaled by binomials, so the bound ``N - 2`` holds for monomials."""
    for count in range(2, 6):
        a = sp.symbols(f"a1:{count + 1}")
        found = sp.Matrix([[p**k for k in range(count)] for p in a]).det(method="berkowitz")
        expected = sp.prod([a[j] - a[i] for j in range(count) for i in range(j)])
        yield Case(f"N = {count}: det [a_i^k] = prod (a_j - a_i)", sp.expand(found - expected) == 0)


def monomials(bound: int = 2) -> Iterator[Case]:
    """``t^m`` at ``N`` vectors ``(a_i, 1)``: dependent exactly for ``m <= N - 2``."""
    for where, slopes in SLOPES.items():
        for count in range(2, 11):
            for m in range(13):
                rows = [[comb(m, k) * a**k for k in range(m + 1)] for a in slopes[:count]]
                dependent = rank(rows) < count
                yield Case(f"t^{m} at {count} of {where}", dependent == (m <= count - bound))


def probed() -> Iterator[Case]:
    """Dependencies found by the package only ever belong to polynomials of degree at most ``N - 2``."""
    names: Sequence[str] = (
        "x^2",
        "x^3 - x",
        "x^5 + 1",
        "x",
        "7",
        "relu",
        "tanh",
        "x^2 + tanh(x)/1000",
        "step",
    )
    for name in names:
        phi = activations.resolve(name)
        for count in (2, 3, 5, 7):
            found = probe(phi, fan(count))
            dependent = isinstance(found, PolynomialDependency)
            truth = degree(phi, count)
            small = not isinstance(truth, DividedDifference) and truth <= count - 2
            yield Case(f"{name}, N = {count}", dependent == small)


def jumps() -> Iterator[Case]:
    """Locally integrable is enough: functions with jumps, exactly."""
    for name in ("step", "sign", "sign(x) + x"):
        for where, Z in NON_PROPORTIONAL.items():
            if len(Z[0]) == 2:
                yield Case(f"{name}, {where}", dependencies(SIDED[name], Z) == [])


CLAIM = Claim(
    name="degree_le_of_ridge_dependency",
    title="a ridge dependency at N non-proportional vectors forces a polynomial of degree at most N - 2",
    statement=r"s \in L^1_{\mathrm{loc}}(\mathbb{R}),\ z_1, \dots, z_N \in \mathbb{R}^m\ (m \ge 2) "
    r"\text{ pairwise non-proportional},\ u_1 \ne 0,\ \sum_i u_i\, s(z_i \cdot w) = 0 \text{ for a.e. } w "
    r"\implies s \text{ is a.e. a polynomial of degree} \le N - 2",
    hypotheses=(
        Hypothesis(
            "non-proportional",
            "no two of the vectors are proportional",
            Part("proportional vectors", Method.SYMBOLIC, "ReLU, z and 2z, all t", aligned),
        ),
        Hypothesis(
            "two dimensions",
            "m >= 2",
            Part("in one dimension |2t| = 2|t|", Method.SYMBOLIC, "all real t", identity),
        ),
        Hypothesis(
            "locally integrable",
            "s is locally integrable",
            Part("an additive function", Method.SYMBOLIC, "all arguments in Q(sqrt 2)", additive),
        ),
    ),
    parts=(
        Part(
            "the step of the proof: N - 1 differences leave one term, an iterated difference of s",
            Method.SYMBOLIC,
            "any function s, z_i = (a_i, 1) and u for all a, u, N = 2 .. 5; that a vanishing iterated "
            "difference makes a polynomial is cited (Frechet)",
            differences,
        ),
        Part(
            "t^(N-1) is independent at (a_i, 1)",
            Method.SYMBOLIC,
            "all a_1, .., a_N, N = 2 .. 5: the Vandermonde determinant",
            vandermonde,
        ),
        Part(
            "t^m at N vectors is dependent exactly for m <= N - 2",
            Method.EXACT,
            f"m = 0 .. 12, N = 2 .. 10, slopes {'; '.join(SLOPES)}",
            monomials,
        ),
        Part(
            "the package finds a dependency exactly for polynomials of degree at most N - 2",
            Method.EXACT,
            "9 activations, N = 2, 3, 5, 7",
            probed,
        ),
        Part("jumps are covered", Method.EXACT, "step, sign, sign(x) + x in the plane", jumps),
    ),
    faults=(
        Fault("the bound N - 1", lambda: monomials(1)),
        Fault("the bound N - 3", lambda: monomials(3)),
        Fault("a step of the difference moved", lambda: differences(1)),
    ),
    references=(OWN, FRECHET),
    cited="differentiation of distributions, and Frechet's equation",
)
