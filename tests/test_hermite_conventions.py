"""Conversions between the conventions for Hermite series: round trips, and the polynomials they stand for."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import hermite as physicists
from numpy.polynomial import hermite_e as probabilists
from sympy.functions.special.polynomials import hermite, hermite_prob

from analytic_ntk import activations
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite import conventions
from analytic_ntk.hermite.conventions import Basis, convert_enclosures, convert_exact, convert_floats

z = sp.Symbol("z")
ROOT2 = sp.sqrt(2)
# The definitions, in sympy's own polynomials: what each coefficient multiplies.
ELEMENTS = {
    Basis.NORMALISED: lambda n: hermite_prob(n, z) / sp.sqrt(sp.factorial(n)),
    Basis.PROBABILISTS: lambda n: hermite_prob(n, z),
    Basis.MOMENTS: lambda n: hermite_prob(n, z) / sp.factorial(n),
    Basis.PHYSICISTS: lambda n: hermite(n, z / ROOT2),
    Basis.PHYSICISTS_OWN: lambda n: hermite(n, z),
    Basis.MONOMIALS: lambda n: z**n,
}
PAIRS = [(a, b) for a in Basis for b in Basis]
rationals = st.fractions(min_value=-9, max_value=9, max_denominator=12)


def _polynomial(coefficients: Any, basis: Basis) -> sp.Expr:
    return sp.expand(sum((c * ELEMENTS[basis](n) for n, c in enumerate(coefficients)), sp.S.Zero))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_convert_keeps_the_polynomial(source: Basis, target: Basis) -> None:
    given_ = [sp.Rational(3, 7), -2, sp.sqrt(5), 0, sp.pi, Fraction(-1, 3), 4]
    found = convert_exact(given_, source, target)
    assert sp.simplify(_polynomial(found, target) - _polynomial(map(sp.sympify, given_), source)) == 0


def test_moments_are_expectations() -> None:
    """E F(Z) He_n(Z) with E Z^k = (k-1)!!, from the monomials."""
    exact = [1, Fraction(1, 2), -3, 0, 2]
    polynomial = sp.Poly(_polynomial([sp.sympify(c) for c in exact], Basis.MONOMIALS), z)
    found = convert_exact(exact, Basis.MONOMIALS, Basis.MOMENTS)
    for n, moment in enumerate(found):
        terms = (polynomial * sp.Poly(hermite_prob(n, z), z)).terms()
        assert moment == sum(c * sp.factorial2(k - 1) for (k,), c in terms if k % 2 == 0)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(values=st.lists(rationals, min_size=1, max_size=9))
@settings(max_examples=15)
def test_round_trip_exact(source: Basis, target: Basis, values: list[Fraction]) -> None:
    there = convert_exact(values, source, target)
    assert convert_exact(there, target, source) == tuple(
        sp.Rational(v.numerator, v.denominator) for v in values
    )


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(values=st.lists(rationals, min_size=1, max_size=12), data=st.data())
@settings(max_examples=10)
def test_enclosures_enclose(
    source: Basis, target: Basis, values: list[Fraction], data: st.DataObject
) -> None:
    """Any numbers inside the given enclosures land inside the results, and the results are not fat."""
    radii = [Fraction(data.draw(st.integers(0, 9)), 10**20) for _ in values]
    inside = [v + r * Fraction(data.draw(st.integers(-8, 8)), 8) for v, r in zip(values, radii, strict=True)]
    found = convert_enclosures([Enclosure(v, r) for v, r in zip(values, radii, strict=True)], source, target)
    exact = convert_exact(inside, source, target)
    size = math.factorial(len(values)) * 2 ** len(values)
    for enclosure, number in zip(found, exact, strict=True):
        low, high = (sp.Rational(b.numerator, b.denominator) for b in (enclosure.lower, enclosure.upper))
        assert low <= number <= high
        assert enclosure.radius <= size * (sum(radii) + Fraction(1, 10**18))


def test_enclosures_of_a_table_at_variance_one_half() -> None:
    """The textbook expansion of tanh(x) in H_n(x), weight exp(-x^2): PHYSICISTS at variance 1/2."""
    table = activations.tanh.hermite_table(9, 20, "1/2")
    found = convert_enclosures([row.value for row in table.rows], Basis.NORMALISED, Basis.PHYSICISTS)
    nodes, weights = physicists.hermgauss(120)
    for n in (1, 3, 9):
        h = physicists.hermval(nodes, [0] * n + [1])
        integral = np.sum(weights * np.tanh(nodes) * h) / (2.0**n * math.factorial(n) * math.sqrt(math.pi))
        assert abs(float(found[n]) - integral) < 1e-9 * abs(float(found[n])) + 1e-16


@pytest.mark.parametrize("order", [0, 1, 7, 30])
def test_floats_eq_numpy(order: int) -> None:
    """numpy's own changes of basis (good to a few ulp times the condition of the basis)."""
    values = np.cos(np.arange(order + 1.0))
    expected = probabilists.herme2poly(values)
    found = convert_floats(values, Basis.PROBABILISTS, Basis.MONOMIALS)
    assert np.max(np.abs(found - expected)) <= 1e-13 * np.max(np.abs(expected))
    own = convert_floats(values, Basis.PHYSICISTS_OWN, Basis.MONOMIALS)
    expected = physicists.herm2poly(values)
    assert np.max(np.abs(own - expected)) <= 1e-13 * np.max(np.abs(expected))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_floats_are_the_exact_conversion_rounded(source: Basis, target: Basis) -> None:
    values = np.array([0.1, -3.7, 0.0, 2.5e-3, 11.0, -0.3])
    exact = convert_exact([Fraction(v) for v in values], source, target)
    for value, number in zip(convert_floats(values, source, target), exact, strict=True):
        assert abs(sp.N(number, 40) - sp.Rational(*float(value).as_integer_ratio())) <= 2.0**-52 * abs(
            float(value)
        )


def test_floats_reach_where_naive_factorials_overflow() -> None:
    """sqrt(400!) is beyond float64, the coefficients of exp are not: moments E exp(Z) He_n = sqrt e."""
    a = np.array([math.exp(0.5 - math.lgamma(n + 1) / 2) for n in range(280)])
    moments = convert_floats(a, Basis.NORMALISED, Basis.MOMENTS)
    assert np.max(np.abs(moments / math.exp(0.5) - 1)) < 1e-12
    with pytest.raises(DomainError, match="float64"):
        convert_floats(np.ones(400), Basis.NORMALISED, Basis.MOMENTS)
    with pytest.raises(DomainError, match="float64"):
        convert_floats(np.ones(400), Basis.NORMALISED, Basis.PROBABILISTS)
    zeros = convert_floats(np.zeros(10_001), Basis.NORMALISED, Basis.MOMENTS)
    assert not zeros.any()


def test_large_orders() -> None:
    """Round trips of enclosures keep the numbers to order 200; the diagonal ones to 10,000."""
    tables = [Enclosure(Fraction(1, n + 1), Fraction(0)) for n in range(201)]
    there = convert_enclosures(tables, Basis.NORMALISED, Basis.MONOMIALS)
    back = convert_enclosures(there, Basis.MONOMIALS, Basis.NORMALISED)
    assert all(a.midpoint in b and b.radius < Fraction(1, 10**15) for a, b in zip(tables, back, strict=True))
    long = [Enclosure(Fraction(1), Fraction(1, 10**30))] * 10_001
    last = convert_enclosures(long, Basis.NORMALISED, Basis.PHYSICISTS)[-1]
    assert last.digits >= 15


def test_saboteur_a_wrong_heat_step_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = conventions._heat
    monkeypatch.setattr(conventions, "_heat", lambda v, step, ops: honest(v, -step, ops))
    with pytest.raises(AssertionError):
        test_convert_keeps_the_polynomial(Basis.NORMALISED, Basis.MONOMIALS)
    with pytest.raises(AssertionError):
        test_convert_keeps_the_polynomial(Basis.PHYSICISTS_OWN, Basis.PROBABILISTS)
    assert convert_exact([1, 2, 3], Basis.MONOMIALS, Basis.MONOMIALS) == (1, 2, 3)


@pytest.mark.parametrize(
    ("call", "values", "source"),
    [
        (convert_exact, [0.5], Basis.NORMALISED),
        (convert_exact, [sp.Float(0.5)], Basis.NORMALISED),
        (convert_exact, [True], Basis.NORMALISED),
        (convert_exact, [sp.oo], Basis.NORMALISED),
        (convert_exact, [], Basis.NORMALISED),
        (convert_exact, "12", Basis.NORMALISED),
        (convert_exact, 3, Basis.NORMALISED),
        (convert_exact, [1], "normalised"),
        (convert_exact, [0] * 700, Basis.MONOMIALS),
        (convert_enclosures, [1, 2], Basis.NORMALISED),
        (convert_enclosures, [Enclosure(Fraction(1), Fraction(0))] * 10_002, Basis.NORMALISED),
        (convert_floats, [1, 2], Basis.NORMALISED),
        (convert_floats, [1.0, math.nan], Basis.NORMALISED),
        (convert_floats, [[1.0]], Basis.NORMALISED),
        (convert_floats, [1.0 + 1j], Basis.NORMALISED),
        (convert_floats, ["a"], Basis.NORMALISED),
        (convert_floats, [], Basis.NORMALISED),
    ],
)
def test_bad_input(call: Any, values: Any, source: Any) -> None:
    with pytest.raises(DomainError):
        call(values, source, Basis.MOMENTS)
