"""The Gaussian engine against the definition, Price's theorem, and the formulas of the literature."""

from __future__ import annotations

import pytest
import sympy as sp
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Network, activations
from analytic_ntk.arithmetic.atoms import Angle
from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import NoClosedFormError
from analytic_ntk.gaussian import moments
from analytic_ntk.gaussian.closed_form import dual_formula, is_same, second_moment_formula
from analytic_ntk.gaussian.operations import BALLS
from analytic_ntk.gaussian.terms import Term, terms_of
from analytic_ntk.notation import q11, q12, q22, x
from tests import witness

NEVER_TABULATED = (
    "exp(-x**2)*sin(5*x)",
    "sin(3*x+1/2)",
    "x*erf(x)",
    "Max(x,0)**3 - Max(-x,0)/2",
    "erf(2*x+1)",
    "exp(-Abs(x))*cos(3*x)",
    "sin(2*x)*Heaviside(x)",
    "x*exp(-x**2/3)",
    "x**2*exp(-Abs(x))",
    "x*Phi(3*x/2)",
    "cos(x**2)",
    "sin(x**2)*exp(-x**2)",
    "x*cos(x**2/2)",
    "cos(x**2 + x)",
)
LONG = "x**3*Phi(2*x-1)*exp(-x**2/5+x/3) + Max(x+1,0)"
"""In the class, but its formula is refused as unreadable; the engine's values are checked all the same."""


def canonical() -> dict[str, Activation]:
    found = {n: a for n, a in activations.all_activations().items() if terms_of(a.pieces) is not None}
    return found | {text: Activation.parse(text) for text in NEVER_TABULATED}


CANONICAL = canonical()
COVARIANCES = ((sp.Rational(9, 10), sp.Rational(13, 10), sp.Rational(1, 3)),
               (sp.S.One, sp.S.One, -sp.Rational(4, 5)),
               (sp.Rational(1, 5), sp.Integer(2), sp.Rational(3, 5)))  # fmt: skip


def _real(value: arb | acb) -> arb:
    return value.real if isinstance(value, acb) else value


def _enclose(expression: sp.Expr, point: tuple[sp.Expr, ...], bits: int = 300) -> arb:
    with working_precision(bits):
        return _real(compile_ball(expression, (q11, q22, q12))(*(exact_ball(sp.sympify(p)) for p in point)))


def test_the_class_is_not_shrinking() -> None:
    """A lost closed form would silently thin out every parametrised test below."""
    missing = set(activations.all_activations()) - set(CANONICAL)
    assert missing == {"gelu_tanh", "sigmoid", "tanh", "softplus", "silu", "swish", "mish", "softsign",
                       "arctan",                       "quick_gelu", "logcosh"}  # fmt: skip


def test_an_unreadable_formula_is_refused() -> None:
    terms = terms_of(Activation.parse(LONG).pieces)
    assert terms is not None
    with pytest.raises(NoClosedFormError, match="readable length"):
        dual_formula(terms, terms)


@pytest.mark.parametrize("name", [*CANONICAL, LONG])
def test_dual_eq_definition(name: str) -> None:
    """Duals of phi and phi', and second moments, against the integral; 1e-10 is the witness's own error."""
    phi = CANONICAL.get(name) or Activation.parse(name)
    for pieces in (phi.pieces, phi.derivative):
        terms = terms_of(pieces)
        assert terms is not None
        whole = sp.Piecewise(
            *((part, x < b) for part, b in zip(pieces.parts, pieces.breakpoints, strict=False)),
            (pieces.parts[-1], True),
        )
        breaks = pieces.float_breakpoints
        for a, b, c in COVARIANCES:
            with working_precision(200):
                balls = [exact_ball(v) for v in (a, b, c)]
                root = (balls[0] * balls[1] - balls[2] ** 2).sqrt()
                value = _real(moments.dual(terms, terms, *balls, root, BALLS))
                own = _real(moments.second_moment(terms, terms, balls[0], BALLS))
            expected = witness.dual(whole, whole, float(a), float(b), float(c), breaks)
            scale = max(1.0, abs(float(own)))
            assert float(value.rad()) < 1e-30 * scale
            assert abs(float(value) - expected) < 1e-10 * scale
            assert abs(float(own) - witness.second_moment(whole, whole, float(a), breaks)) < 1e-10 * scale


@pytest.mark.parametrize("name", CANONICAL)
def test_tidy_formula_eq_engine(name: str) -> None:
    """The printed formula, evaluated in balls, meets the engine's own ball to 50 digits."""
    for pieces in (CANONICAL[name].pieces, CANONICAL[name].derivative):
        terms = terms_of(pieces)
        assert terms is not None
        formula = dual_formula(terms, terms).expression
        for point in COVARIANCES:
            with working_precision(300):
                balls = [exact_ball(v) for v in point]
                root = (balls[0] * balls[1] - balls[2] ** 2).sqrt()
                raw = _real(moments.dual(terms, terms, *balls, root, BALLS))
            difference = _enclose(formula, point) - raw
            assert difference.contains(0) and float(difference.rad()) < 1e-50


@pytest.mark.parametrize("name", ["gelu", "sin", "x*erf(x)", "elu", "exp(-x**2)*sin(5*x)"])
def test_a_wrong_tidy_formula_is_not_the_same(name: str) -> None:
    """Saboteurs: another coefficient, a lost sign under a root or in an exponent."""
    terms = terms_of(CANONICAL[name].pieces)
    assert terms is not None
    found = dual_formula(terms, terms)
    assert found.expression != found.raw and is_same(found.expression, found.raw)
    for fault in (
        found.expression + q12 / 10**40,
        found.expression.subs(q12, -q12) + q12,
        found.expression.subs(q11, q11 + sp.Rational(1, 10**40)),
    ):
        assert not is_same(fault, found.raw)


def test_two_half_spaces_under_a_complex_exponent() -> None:
    """``Phi`` and ``cos(x^2)``: no closed form; the digits come from quadrature."""
    for text in ("Phi(x)*cos(x^2)", "cos(x^2)*Heaviside(x)"):
        network = Network.mlp(Activation.parse(text), 1, 1, 0)
        assert not network.formula().is_closed
        value = float(network.at(1, "1/3", "3/2", 15).nngp)
        phi = Activation.parse(text)
        breaks = phi.pieces.float_breakpoints
        expected = witness.dual(phi.expression, phi.expression, 1, 1.5, 1 / 3, breaks)
        assert abs(value - expected) < 1e-10  # the witness's own error


CONTINUOUS = [name for name, phi in CANONICAL.items() if phi.is_continuous]
PROVED_SYMBOLICALLY = (
    *("identity", "relu", "leaky_relu", "abs", "rectified_monomial", "monomial", "polynomial"),
    *("erf", "probit", "sin", "cos", "rbf", "exp", "gaussian"),
)


def _price_defect(phi: Activation) -> sp.Expr:
    terms, slopes = terms_of(phi.pieces), terms_of(phi.derivative)
    assert terms is not None and slopes is not None
    return sp.diff(dual_formula(terms, terms).expression, q12) - dual_formula(slopes, slopes).expression


@pytest.mark.parametrize("name", CONTINUOUS)
def test_deriv_dual_eq_derivative_dual(name: str) -> None:
    """Price: d dual/d q12 = derivative_dual. Enclosures of the difference contain 0 with radius 1e-40."""
    defect = _price_defect(CANONICAL[name])
    for point in COVARIANCES:
        value = _enclose(defect, point)
        assert value.contains(0) and float(value.rad()) < 1e-40


@pytest.mark.parametrize("name", PROVED_SYMBOLICALLY)
def test_price_is_proved_symbolically(name: str) -> None:
    """For all covariances at once, by simplification."""
    defect = _price_defect(CANONICAL[name])
    assert sp.simplify(sp.radsimp(sp.simplify(sp.expand_trig(defect.rewrite(sp.exp))))) == 0


def test_symbolic_parameters_survive() -> None:
    """Leaky ReLU of slope alpha: the printed formula (Cho, Saul 2009, with a slope), for every alpha."""
    alpha = sp.Symbol("alpha", real=True)
    terms = terms_of(activations.leaky_relu(alpha).pieces)
    assert terms is not None
    theta, root = Angle(q11, q22, q12), sp.sqrt(q11 * q22 - q12**2)
    expected = (1 - alpha) ** 2 / (2 * sp.pi) * root + q12 * (
        (1 + alpha**2) / 2 - (1 - alpha) ** 2 * theta / (2 * sp.pi)
    )
    assert sp.simplify(dual_formula(terms, terms).expression - expected) == 0


# Formulas as the literature prints them: Cho, Saul 2009; Williams 1997; Tsuchida et al. 2020.
_P = (1 + q11) * (1 + q22)
_GELU_ROOT = _P - q12**2
PRINTED = {
    "relu": (sp.sqrt(q11 * q22 - q12**2) + (sp.pi - Angle(q11, q22, q12)) * q12) / (2 * sp.pi),
    "step": (sp.pi - Angle(q11, q22, q12)) / (2 * sp.pi),
    "erf": 2 / sp.pi * sp.asin(2 * q12 / sp.sqrt((1 + 2 * q11) * (1 + 2 * q22))),
    "probit": sp.Rational(1, 4) + sp.asin(q12 / sp.sqrt(_P)) / (2 * sp.pi),
    "sin": sp.exp(-(q11 + q22) / 2) * sp.sinh(q12),
    "cos": sp.exp(-(q11 + q22) / 2) * sp.cosh(q12),
    "exp": sp.exp((q11 + q22) / 2 + q12),
    "gaussian": ((1 + 2 * q11) * (1 + 2 * q22) - 4 * q12**2) ** sp.Rational(-1, 2),
    "gelu": q12 / 4 + q12 / (2 * sp.pi) * sp.asin(q12 / sp.sqrt(_P))
    + (q12**2 + q11 * q22 * _GELU_ROOT) / (2 * sp.pi * _P * sp.sqrt(_GELU_ROOT)),
    "rectified_monomial": (
        3 * sp.sqrt(q11 * q22 - q12**2) * q12 + (sp.pi - Angle(q11, q22, q12)) * (q11 * q22 + 2 * q12**2)
    ) / (2 * sp.pi),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_dual_eq_printed_formula(name: str) -> None:
    terms = terms_of(CANONICAL[name].pieces)
    assert terms is not None
    difference = dual_formula(terms, terms).expression - PRINTED[name]
    for point in COVARIANCES:
        value = _enclose(difference, point)
        assert value.contains(0) and float(value.rad()) < 1e-50


def test_relu_prints_as_the_arc_cosine_kernel() -> None:
    terms = terms_of(activations.relu.pieces)
    assert terms is not None
    assert str(dual_formula(terms, terms).expression) == (
        "(q12*(pi - Angle(q11, q22, q12)) + sqrt(q11*q22 - q12**2))/(2*pi)"
    )


@pytest.mark.parametrize("name", CANONICAL)
def test_formula_is_finite_at_both_ends(name: str) -> None:
    """At rho = 1 the dual is the second moment; at rho = -1 it is finite; both by substitution."""
    for pieces in (CANONICAL[name].pieces, CANONICAL[name].derivative):
        terms = terms_of(pieces)
        assert terms is not None
        formula = dual_formula(terms, terms).expression
        moment = second_moment_formula(terms, terms).expression.subs(q11, sp.Rational(3, 2))
        for sign in (1, -1):
            value = formula.subs(
                {q11: sp.Rational(3, 2), q22: sp.Rational(3, 2), q12: sign * sp.Rational(3, 2)}
            )
            assert not value.has(sp.nan, sp.zoo, sp.oo)
            assert sp.N(value, 20).is_finite
            if sign == 1:
                assert abs(sp.N(value - moment, 30)) < 1e-25 * max(1, abs(sp.N(moment)))


@pytest.mark.parametrize("name", CANONICAL)
def test_formula_is_finite_as_the_variance_vanishes(name: str) -> None:
    """At q = 1e-12 the written formula still meets the engine's ball, relative to the variance it gives."""
    small = sp.Rational(1, 10**12)
    point = (small, small, small / 3)
    for pieces in (CANONICAL[name].pieces, CANONICAL[name].derivative):
        terms = terms_of(pieces)
        assert terms is not None
        with working_precision(2000):
            balls = [exact_ball(v) for v in point]
            root = (balls[0] * balls[1] - balls[2] * balls[2]).sqrt()
            raw = _real(moments.dual(terms, terms, *balls, root, BALLS))
        difference = _enclose(dual_formula(terms, terms).expression, point, 2000) - raw
        assert difference.contains(0)
        assert float(difference.rad()) < 1e-40


@given(st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_monomial_dual_eq_wick_sum(i: int, j: int) -> None:
    """E u^i v^j = sum_k i! j!/(k! p! q! 2^(p+q)) a^p r^k b^q, p = (i-k)/2, q = (j-k)/2 (Wick)."""
    one, other = (Term(sp.S.One, n, sp.S.Zero, sp.S.Zero) for n in (i, j))
    value = dual_formula((one,), (other,)).expression
    expected = sp.S.Zero
    for k in range(min(i, j) + 1):
        if (i - k) % 2 == 0 and (j - k) % 2 == 0:
            p, q = (i - k) // 2, (j - k) // 2
            weight = sp.Rational(
                sp.factorial(i) * sp.factorial(j),
                sp.factorial(k) * sp.factorial(p) * sp.factorial(q) * 2 ** (p + q),
            )
            expected += weight * q11**p * q12**k * q22**q
    assert sp.expand(value - expected) == 0


# --------------------------------------------------------------------------- saboteurs


def test_a_wrong_sign_in_a_dual_breaks_price() -> None:
    relu = terms_of(activations.relu.pieces)
    step = terms_of(activations.relu.derivative)
    assert relu is not None and step is not None
    good = dual_formula(relu, relu).expression
    sabotaged = good.subs(sp.sqrt(q11 * q22 - q12**2), -sp.sqrt(q11 * q22 - q12**2))
    assert sabotaged != good
    defect = sp.diff(sabotaged, q12) - dual_formula(step, step).expression
    assert not any(_enclose(defect, point).contains(0) for point in COVARIANCES)


def test_a_lost_boundary_term_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the edge of the half-space Stein's recursion is wrong, and the definition says so."""
    original = moments._gains

    def without_edge(problem, state, i):  # type: ignore[no-untyped-def]
        gain_u, gain_v, new = original(problem, state, i)
        return gain_u * 0, gain_v * 0, new

    monkeypatch.setattr(moments, "_gains", without_edge)
    terms = terms_of(activations.relu.pieces)
    assert terms is not None
    a, b, c = COVARIANCES[0]
    with working_precision(200):
        balls = [exact_ball(v) for v in (a, b, c)]
        value = moments.dual(terms, terms, *balls, (balls[0] * balls[1] - balls[2] ** 2).sqrt(), BALLS)
    expected = witness.dual(sp.Max(x, 0), sp.Max(x, 0), float(a), float(b), float(c), [0.0])
    assert abs(float(value) - expected) > 1e-3


def test_the_witness_sees_a_small_fault() -> None:
    """The definition, asked for x Phi(x) with a slope off by 1e-9, differs from GELU's closed form."""
    gelu = terms_of(activations.gelu.pieces)
    assert gelu is not None
    a, b, c = COVARIANCES[0]
    exact = float(_enclose(dual_formula(gelu, gelu).expression, COVARIANCES[0]))
    off = x * Phi(x * (1 + sp.Rational(1, 10**9)))
    assert abs(witness.dual(off, off, float(a), float(b), float(c)) - exact) > 2e-11
    assert abs(witness.dual(x * Phi(x), x * Phi(x), float(a), float(b), float(c)) - exact) < 1e-12
