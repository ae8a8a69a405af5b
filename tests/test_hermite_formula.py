"""Formulas and recurrences in n: against the definition, against each other, and seen to fail."""

from __future__ import annotations

import dataclasses

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, activations
from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, NoClosedFormError, UndecidedError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite import formula as formula_module
from analytic_ntk.hermite import recurrence as recurrence_module
from analytic_ntk.hermite.proof import satisfies
from analytic_ntk.hermite.recurrence import HermiteRecurrence
from analytic_ntk.hermite.sequences import n

CLASSICS = (
    "identity", "step", "sign", "relu", "leaky_relu(1/100)", "prelu(1/4)", "abs", "relu6", "hardtanh",
    "hardsigmoid", "hardswish", "rectified_monomial(2)", "rectified_monomial(5)", "monomial(3)",
    "monomial(6)", "polynomial(1, 2, 0, 1)", "hermite(3)", "erf", "probit", "gelu", "sin", "cos",
    "sinusoid(1, 2, 1/2)", "rbf", "exp", "gaussian", "snake", "triangle",
)  # fmt: skip
OWN = (
    "x^3*Phi(2*x - 1)", "x^2*exp(-x^2)", "x*exp(x/2)*sin(3*x)", "x*erf(x)", "x*exp(x - x^2/2)",
    "cos(x)^3*x^4", "exp(x^2/10)*cos(x)", "exp(-x^2)*sin(x/2 + 1)", "Max(x, 0)^3 - x",
    "Max(x - 1, 0) + Phi(x/3)", "exp(x) - exp(2*x)", "erf(x)*x^4 - 5", "7",
    "cos(x^2)", "x*cos(x^2/2)",
    "Piecewise((x^2, x < -1), (1, x < 2), (x^3 - 7, True))",
)  # fmt: skip
SUMS = ("elu(1)", "selu", "celu(2)", "laplace", "x*exp(-x^2)*Phi(x)", "exp(x - x^2)*Max(x - 1, 0)")


def _truth(phi: Activation, order: int, variance: str) -> list[object]:
    """``a_0 .. a_order`` by rigorous quadrature of the definition."""
    with working_precision(200):
        q = exact_ball(constant(variance)).real
        return quadrature.hermite(phi.pieces, q, order, 120)


def _wrong_places(phi: Activation, values: list[sp.Expr], variance: str) -> list[int]:
    """Orders at which exact values miss the enclosures of the definition."""
    truth = _truth(phi, len(values) - 1, variance)
    with working_precision(200):
        return [
            k
            for k, (value, ball) in enumerate(zip(values, truth, strict=True))
            if not exact_ball(value).real.overlaps(ball)  # type: ignore[arg-type]
        ]


@pytest.mark.parametrize(
    ("text", "variance"),
    [(t, "3/2") for t in CLASSICS + OWN] + [(t, "1") for t in (*OWN, "relu6", "triangle")],
)
def test_formula_eq_gaussian_integral(text: str, variance: str) -> None:
    phi = activations.resolve(text)
    found = phi.hermite_formula(variance)
    values = [found.at(k) for k in range(17)]
    assert not any(value.has(sp.Float) for value in values)
    assert _wrong_places(phi, values, variance) == []
    fault = [*values[:9], values[9] + sp.Rational(1, 10**25), *values[10:]]
    assert _wrong_places(phi, fault, variance) == [9]


@pytest.mark.parametrize(
    ("text", "variance"), [(t, "3/2") for t in CLASSICS + OWN + SUMS] + [(t, "1") for t in SUMS]
)
def test_recurrence_eq_gaussian_integral(text: str, variance: str) -> None:
    phi = activations.resolve(text)
    found = phi.hermite_recurrence(variance)
    assert len(found.initial) == found.start + found.order
    assert _wrong_places(phi, found.exact(found.start + 10), variance) == []
    if found.order:
        p = found.coefficients
        broken = dataclasses.replace(found, coefficients=(p[0] + p[-1], *p[1:]))
        assert _wrong_places(phi, broken.exact(found.start + 10), variance) != []


@pytest.mark.parametrize("text", ["relu", "gelu", "hardtanh", "elu(1)", "laplace", "x*erf(x)", "triangle"])
def test_recurrence_annihilates_certified_coefficients_of_high_order(text: str) -> None:
    phi = activations.resolve(text)
    found = phi.hermite_recurrence()
    values = [row.value for row in phi.hermite_table(1000, 60).rows]
    sizes = []
    with working_precision(400):
        for place in (900, 901):
            terms = [
                exact_ball(p.subs(n, place) * sp.sqrt(sp.rf(place + 1, j))).real * values[place + j].ball()
                for j, p in enumerate(found.coefficients)
            ]
            total = sum(terms[1:], terms[0])
            assert total.contains(0)
            size = max(float(abs(term)) for term in terms)
            assert float(total.rad()) <= 1e-50 * size  # the agreement says something
            sizes.append(size)
    assert max(sizes) > 0


POLYNOMIALS = [t for t in CLASSICS + OWN if activations.resolve(t).polynomial_degree is not None]
"""Nothing to prove beyond their finitely many values."""


def test_few_are_polynomials() -> None:
    assert len(POLYNOMIALS) < 8


@pytest.mark.parametrize("text", [t for t in CLASSICS + OWN if t not in POLYNOMIALS])
def test_proof_refutes_a_changed_formula(text: str) -> None:
    """Saboteurs: a factor n, a lost sign, a shifted argument; none may pass as proved."""
    found = activations.resolve(text).hermite_formula()
    root = sp.sqrt(sp.factorial(n))
    even, odd = found.even * root, found.odd * root
    assert satisfies(even, odd, found.recurrence)
    assert not satisfies(even * (n + 3), odd * (n + 3), found.recurrence)
    assert not satisfies(even * 2**n, odd * 2**n, found.recurrence)


def test_integer_roots_of_irrational_leading_coefficients() -> None:
    """By hand; a place where balls cannot exclude 0 is passed too, never divided by."""
    for polynomial, start, expected in (
        ((n - 7) * (n - sp.sqrt(2)), 2, 8),
        (sp.sqrt(2) * (n - 5), 1, 6),
        ((n - sp.pi) * (n - 40), 0, 41),
        (n - sp.pi, 0, 0),
        (n - sp.pi, 9, 9),
    ):
        assert recurrence_module._past_roots(sp.expand(polynomial), start) == expected
    with pytest.raises(UndecidedError):
        recurrence_module._past_roots(n - sp.pi * 10**7, 0)


def test_wrong_initial_values_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that satisfies the recurrence but starts wrongly (here: twice the right one)."""
    shown = formula_module._shown
    monkeypatch.setattr(formula_module, "_shown", lambda part, parity: 2 * shown(part, parity))
    with pytest.raises(UndecidedError):
        activations.gelu.hermite_formula()


def test_formula_with_a_symbolic_slope() -> None:
    alpha = sp.Symbol("alpha", real=True)
    found = activations.leaky_relu(alpha).hermite_formula()
    assert sp.simplify(found.at(1) - (1 + alpha) / 2) == 0
    relu = activations.relu.hermite_formula()
    assert all(sp.simplify(found.at(k) - (1 - alpha) * relu.at(k)) == 0 for k in (0, 2, 3, 8))


def test_classic_forms() -> None:
    """The forms of the literature (Cho and Saul 2009; Daniely, Frostig, Singer 2016), identically in n."""
    m = sp.Symbol("m", integer=True, positive=True)
    root = sp.sqrt(sp.factorial(n))
    relu = (-1) ** (m - 1) * sp.factorial2(2 * m - 3) / sp.sqrt(2 * sp.pi)
    step = (-1) ** m * sp.factorial2(2 * m - 1) / sp.sqrt(2 * sp.pi)
    gelu = (-1) ** (m - 1) * (2 * m + 1) * sp.factorial2(2 * m - 3) / (2 ** (m + 1) * sp.sqrt(sp.pi))
    for name, place, expected in (("relu", 2 * m, relu), ("step", 2 * m + 1, step), ("gelu", 2 * m, gelu)):
        found = activations.get(name).hermite_formula()
        side = found.odd if place == 2 * m + 1 else found.even
        assert sp.simplify((side * root).subs(n, place) / expected) == 1


def test_formula_in_latex_writes_hermite_polynomials() -> None:
    latex = activations.hardtanh.hermite_formula().latex()
    assert r"\operatorname{He}_{n - 2}\left(1\right)" in latex and "prob" not in latex


@pytest.mark.parametrize("text", ["tanh", "softsign", "gelu_tanh"])
def test_outside_the_class_is_refused(text: str) -> None:
    phi = activations.resolve(text)
    for ask in (phi.hermite_formula, phi.hermite_recurrence):
        with pytest.raises(NoClosedFormError, match="hermite_table"):
            ask()


@pytest.mark.parametrize("text", SUMS)
def test_sums_of_n_terms_are_refused_as_formula(text: str) -> None:
    with pytest.raises(NoClosedFormError, match="recurrence"):
        activations.resolve(text).hermite_formula()


@pytest.mark.parametrize("order", [-1, 1.0, True, 10**6, "3"])
def test_bad_orders(order: object) -> None:
    with pytest.raises(DomainError):
        activations.relu.hermite_formula().at(order)  # type: ignore[arg-type]
    with pytest.raises(DomainError):
        activations.relu.hermite_recurrence().exact(order)  # type: ignore[arg-type]


@pytest.mark.parametrize("variance", ["0", "-1", 0.5])
def test_bad_variances(variance: object) -> None:
    for ask in (activations.relu.hermite_formula, activations.relu.hermite_recurrence):
        with pytest.raises(DomainError):
            ask(variance)  # type: ignore[arg-type]


_pieces = st.lists(st.integers(-3, 3), min_size=1, max_size=3, unique=True).map(sorted)
_polynomials = st.lists(st.integers(-3, 3), min_size=1, max_size=3)


@settings(max_examples=8, deadline=None)
@given(points=_pieces, data=st.data())
def test_random_piecewise_polynomials(points: list[int], data: st.DataObject) -> None:
    x = sp.Symbol("x", real=True)
    parts = [
        sum((c * x**k for k, c in enumerate(data.draw(_polynomials))), sp.S.Zero)
        for _ in range(len(points) + 1)
    ]
    cases = [(part, x < point) for part, point in zip(parts, points, strict=False)]
    phi = Activation(sp.Piecewise(*cases, (parts[-1], True)))
    variance = data.draw(st.sampled_from(["1/3", "1", "4"]))
    found = phi.hermite_formula(variance)
    assert _wrong_places(phi, [found.at(k) for k in range(13)], variance) == []
    assert isinstance(found.recurrence, HermiteRecurrence)


def test_sequences_are_found_for_every_canonical_activation() -> None:
    canonical = [
        name for name, phi in activations.all_activations().items() if terms_of(phi.pieces) is not None
    ]
    assert len(canonical) >= 30
    for name in canonical:
        assert activations.all_activations()[name].hermite_recurrence().initial
