"""Mehler: the dual activation is a power series in the correlation, its coefficients Hermite squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import factorial

import sympy as sp
from flint import arb

from analytic_ntk import Enclosure, Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite import HermiteTable
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import ball
from proofs_check.ledger._polynomials import moment_terms
from proofs_check.ledger._sources import MEHLER

NAMES = ("relu", "gelu", "erf", "sin", "step", "elu(1)", "gaussian", "tanh", "sigmoid", "abs")
RATIOS = tuple(map(Fraction, ("-1", "-9/10", "-1/2", "0", "1/3", "1/2", "9/10", "1")))


def hermite(k: int) -> list[int]:
    """The coefficients of ``He_k`` (probabilists')."""
    before, now = [0], [1]
    for n in range(k):
        after = [0, *now]
        for place, e in enumerate(before):
            after[place] -= n * e
        before, now = now, after
    return now


def orthogonality(wrong: int = 0) -> Iterator[Case]:
    """``E He_j(u) He_k(v) = k! rho^k`` if ``j = k``, else 0: every coefficient of the polynomial in rho."""
    for j in range(11):
        for k in range(11):
            total: dict[int, Fraction] = {}
            for a, c in enumerate(hermite(j)):
                for b, e in enumerate(hermite(k)):
                    for weight, _, power, _ in moment_terms(a, b):
                        total[power] = total.get(power, Fraction(0)) + c * e * weight
            found = {power: value for power, value in total.items() if value}
            yield Case(f"j = {j}, k = {k}", found == ({k: Fraction(factorial(k) + wrong)} if j == k else {}))


def truncated(names: Sequence[str], orders: Sequence[int], shift: int = 0) -> Iterator[Case]:
    """``|kappa(rho) - sum_{k<=K} a_k^2 rho^k| <= |rho|^(K+1) (E s^2 - sum_{k<=K} a_k^2)``, in balls."""
    for name in names:
        phi = activations.resolve(name)
        network = Network.mlp(phi, 1, 1, 0)
        for order in orders:
            table = phi.hermite_table(order, digits=40)
            for rho in RATIOS:
                value = network.at(1, rho, 1, digits=40).nngp
                yield Case(f"{name}, K = {order}, rho = {rho}", agrees(value, table, rho, shift))


def agrees(value: Enclosure, table: HermiteTable, rho: Fraction, shift: int = 0) -> bool | None:
    """The inequality up to 1e-30 of ``E s^2`` (``None``: neither this nor its contrary is certain)."""
    with working_precision(300):
        partial, power = arb(0), ball(rho**shift)
        squares = [row.value.ball() * row.value.ball() for row in table.rows]
        for square in squares:
            partial += square * power
            power *= ball(rho)
        mass = table.second_moment.ball()
        rest = (mass - sum(squares, arb(0))) * abs(power)
        gap = abs(value.ball() - partial)
        if gap <= arb(rest.abs_upper()) + mass * ball(Fraction(1, 10**30)):
            return True
        return False if gap > rest else None


def infinite_mass() -> Iterator[Case]:
    """``exp(x^2/3)`` at unit variance: ``E s^2`` is the integral of ``exp(2x^2/3 - x^2/2)``: infinite."""
    phi = activations.resolve("exp(x^2/3)")
    yield Case(
        "exp(x^2/3): E s(u)^2 is finite below the variance 3/4 only", phi.max_variance == sp.Rational(3, 4)
    )
    exponent = sp.Rational(2, 3) - sp.Rational(1, 2)
    yield Case("its integrand at variance 1 is exp(x^2/6)", exponent == sp.Rational(1, 6))
    try:
        phi.hermite_table(3)
        refused = False
    except DomainError:
        refused = True
    yield Case("the package refuses its coefficients at variance 1", refused)


def other_variance() -> Iterator[Case]:
    """At variance 2 the unit coefficients give another number: they must be taken at that variance."""
    for name in ("erf", "gelu", "sin"):
        phi = activations.resolve(name)
        value = Network.mlp(phi, 1, 1, 0).at(2, 1, 2, digits=40).nngp
        at_one, at_two = (phi.hermite_table(40, digits=40, variance=q) for q in (1, 2))
        half = Fraction(1, 2)
        answers = agrees(value, at_one, half), agrees(value, at_two, half)
        yield Case(f"{name}, variance 2, rho = 1/2", answers == (False, True))


CLAIM = Claim(
    name="dual_eq_mehler_sum",
    title="Mehler: the dual activation is the power series of the squared Hermite coefficients",
    statement=r"\mathbb{E}\, s(u) s(v) = \sum_{k \ge 0} a_k^2 \rho^k,\quad a_k = \mathbb{E}\, s(Z)\, "
    r"\mathrm{He}_k(Z)/\sqrt{k!},\quad \Bigl|\kappa(\rho) - \sum_{k \le K} a_k^2 \rho^k\Bigr| \le "
    r"|\rho|^{K+1} \Bigl(\mathbb{E} s^2 - \sum_{k \le K} a_k^2\Bigr)",
    hypotheses=(
        Hypothesis(
            "square integrable",
            "E s(Z)^2 is finite",
            Part("infinite mass", Method.EXACT, "exp(x^2/3)", infinite_mass),
        ),
        Hypothesis(
            "unit variances",
            "u and v have variance 1 (else the a_k are taken at their variance)",
            Part("variance 2", Method.ENCLOSED, "erf, GELU, sin", other_variance),
        ),
    ),
    parts=(
        Part(
            "E He_j(u) He_k(v) = k! rho^k if j = k, else 0",
            Method.SYMBOLIC,
            "all rho, j and k up to 10",
            orthogonality,
        ),
        Part(
            "the truncated sum with its tail bound, against the dual from its definition or closed form",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; K = 5, 40; rho = {', '.join(map(str, RATIOS))}; to 1e-30 of E s^2",
            lambda: truncated(NAMES, (5, 40)),
        ),
    ),
    faults=(
        Fault("a wrong normalisation", lambda: orthogonality(1)),
        Fault("the powers of rho shifted by one", lambda: truncated(("gelu",), (40,), 1)),
    ),
    references=(MEHLER,),
    cited="completeness of the Hermite polynomials",
)
