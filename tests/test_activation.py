"""``Activation``: what is refused at birth, what is derived, and that it is right."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.display import typeset
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.network import Network
from analytic_ntk.notation import x

t, y, z = sp.symbols("t y z")
R = sp.Rational
parse = Activation.parse


# ------------------------------------------------------------------------------------ birth


def test_the_argument_is_renamed() -> None:
    for symbol in (t, sp.Symbol("x"), sp.Symbol("x", positive=True), sp.Symbol("n", integer=True), x):
        assert Activation(sp.tanh(symbol)) == Activation(sp.tanh(x))
    both = Activation(sp.Symbol("x") * y)
    assert both.parameters == ("y",)
    assert x in both.expression.free_symbols
    assert Activation(sp.sqrt(t**2)).expression == sp.Abs(x)
    assert Activation(3).expression == 3
    assert Activation(Fraction(1, 3)).expression == R(1, 3)


def test_equality_and_hash_are_by_expression() -> None:
    one, other = Activation(sp.log(1 + sp.exp(t)), "a"), Activation(softplus(x), "b")
    assert one == other
    assert hash(one) == hash(other)
    assert one != Activation(sigmoid(x))
    assert len({one, other}) == 1
    with pytest.raises(AttributeError):
        one.name = "c"  # type: ignore[misc]


REFUSED = [
    (sp.Float("0.5") * x, "exact numbers"),
    (2.5, "sympy expression"),
    ("x", "Activation.parse"),
    (None, "sympy expression"),
    (True, "sympy expression"),
    (x > 0, "sympy expression"),
    (y + z, "named x"),
    (sp.I * x, "real and finite"),
    (sp.oo, "real and finite"),
    (sp.zoo * x, "real and finite"),
    (sp.tan(x), "tan"),
    (sp.LambertW(x), "LambertW"),
    (sp.besselj(0, x), "besselj"),
    (sp.Function("f")(x), "rewrite"),
    (sp.Integral(sp.exp(-(t**2)), (t, 0, x)), "Integral"),
    (sp.EulerGamma * x, "EulerGamma"),
    (sp.floor(x), "floor"),
    (sp.gamma(x), "gamma"),
    (sp.Mod(x, 2), "Mod"),
    (1 / x, "infinite at x = 0"),
    (sp.log(x), "logarithmic"),
    (sp.sqrt(x), "branch point"),
    (sp.sqrt(sp.Abs(x)), "branch point"),
    (sp.sqrt(-1 - x**2), "complex|real"),
    (x**x, "branch"),
    (sp.Abs(sp.sin(x)), "finitely many"),
    (sp.sinh(x) / x, "infinite"),
    (sp.Piecewise((x, x > 0)), "covers"),
    (sp.Symbol("x") + x, "share|named x"),
    (sp.Symbol("x", real=False) * y, "x|share|real"),
]


@pytest.mark.parametrize(("expr", "message"), REFUSED)
def test_refused_at_birth(expr: object, message: str) -> None:
    if isinstance(expr, sp.Expr) and sp.Symbol("x", real=False) in expr.free_symbols:
        Activation(expr)  # the argument is real by definition, whatever the symbol said
        return
    with pytest.raises(DomainError, match=message):
        Activation(expr)  # type: ignore[arg-type]


def test_bad_names() -> None:
    with pytest.raises(DomainError):
        Activation(x, 3)  # type: ignore[arg-type]


def test_parse_wants_x() -> None:
    assert parse("3").expression == 3
    with pytest.raises(DomainError, match="write the argument as x"):
        parse("tanh(z)")


def test_sympy_functions_are_normalised() -> None:
    assert Activation(sp.log(1 + sp.exp(-t))).expression == softplus(-x)
    assert Activation(1 / (1 + sp.exp(-t))).expression == sigmoid(x)
    assert Activation(2**t).expression == sp.exp(x * sp.log(2))
    assert np.isfinite(Activation(sp.exp(t) / (1 + sp.exp(t)))([-1e4, 1e4])).all()


# ------------------------------------------------------------------------------------ parameters


def test_parameters() -> None:
    phi = parse("Piecewise((x, x > 0), (alpha*x + beta, True))")
    assert phi.parameters == ("alpha", "beta")
    fixed = phi.with_parameters(alpha="0.1", beta=Fraction(1, 3))
    assert fixed == parse("Piecewise((x, x > 0), (x/10 + 1/3, True))")
    assert phi.with_parameters(alpha=2).parameters == ("beta",)
    assert phi.with_parameters() == phi
    for wrong in (
        {"gamma": 1},
        {"alpha": 0.1},
        {"alpha": "x"},
        {"alpha": None},
        {"alpha": True},
        {"alpha": sp.I},
    ):
        with pytest.raises(DomainError):
            phi.with_parameters(**wrong)  # type: ignore[arg-type]
    for question in (
        phi.require_numeric,
        lambda: phi([1.0]),
        lambda: phi.max_variance,
        lambda: phi.singularity_distance,
    ):
        with pytest.raises(DomainError, match="with_parameters"):
            question()


def test_parameters_are_checked_when_they_get_numbers() -> None:
    phi = parse("1/(1 + alpha*x^2)")
    assert phi.with_parameters(alpha=4).singularity_distance == R(1, 2)
    with pytest.raises(DomainError, match="infinite"):
        phi.with_parameters(alpha=-4)
    with pytest.raises(DomainError):
        parse("sqrt(alpha + x^2)").with_parameters(alpha=0, beta=1)
    assert parse("sqrt(alpha + x^2)").with_parameters(alpha=0).expression == sp.Abs(x)


def test_a_parameter_alone_is_not_mistaken_for_the_argument() -> None:
    phi = parse("alpha*x + beta")
    assert phi.with_parameters(alpha=0, beta=2).expression == 2
    with pytest.raises(DomainError, match="no longer depends"):
        phi.with_parameters(alpha=0)


def test_constant() -> None:
    for given_, value in (
        (3, 3),
        (Fraction(1, 7), R(1, 7)),
        ("1/10", R(1, 10)),
        ("0.1", R(1, 10)),
        (sp.sqrt(2), sp.sqrt(2)),
        ("pi", sp.pi),
        (np.int64(4), 4),
        ("-1e-3", R(-1, 1000)),
    ):
        assert constant(given_) == value
    for wrong in (
        0.1,
        np.float32(1),
        1j,
        True,
        None,
        "x",
        "alpha",
        "",
        sp.oo,
        sp.nan,
        sp.I,
        x,
        [1],
        sp.Float(1),
        sp.pi + 0.5,
    ):
        with pytest.raises(DomainError):
            constant(wrong)
    with pytest.raises(DomainError, match=r"0\.1"):
        constant(0.1)


# ------------------------------------------------------------------------------------ shape

PARITY = [
    ("x^3 - x", "odd"),
    ("cos(x) + x^2", "even"),
    ("x", "odd"),
    ("x + 1", None),
    ("0", "even"),
    ("5", "even"),
    ("sigmoid(x) - 1/2", "odd"),
    ("x*sigmoid(x) - x/2", "even"),
    ("Phi(x) - 1/2", "odd"),
    ("erfc(x) - 1", "odd"),
    ("x + softplus(-2*x) - log(2)", "even"),
    ("x*Phi(x)", None),
    ("Abs(x) + x^2", "even"),
    ("x*Abs(x)", "odd"),
    ("Max(x, -1)", None),
    ("Min(Max(x, -1), 1)", "odd"),
    ("Piecewise((x - 1, x > 1), (x + 1, x < -1), (0, True))", "odd"),
    ("Piecewise((x, x > 1), (0, True))", None),
    ("exp(x)", None),
    ("exp(x) - exp(-x)", "odd"),
    ("x + 1/1000000000000", None),
    ("x/(1+Abs(x))", "odd"),
    ("sin(x) + cos(x)", None),
    ("Heaviside(x) - 1/2", "odd"),
    ("alpha*x", "odd"),
    ("x + alpha", None),
    ("Piecewise((exp(-x), x > 0), (exp(x), True))", "even"),
    ("softplus(x) - softplus(-x)", "odd"),
]


@pytest.mark.parametrize(("text", "parity"), PARITY)
def test_parity(text: str, parity: str | None) -> None:
    assert parse(text).parity == parity


HOMOGENEITY = [
    ("relu(x)", 1),
    ("x^2", 2),
    ("3*Abs(x)", 1),
    ("sign(x)", 0),
    ("x*Abs(x)", 2),
    ("Max(x,0)^3", 3),
    ("5", 0),
    ("0", 0),
    ("x + x^2", None),
    ("tanh(x)", None),
    ("Max(x, 1)", None),
    ("x + 1", None),
    ("Piecewise((x^2, x > 0), (x, True))", None),
    ("Piecewise((x, x > 0), (alpha*x, True))", 1),
    ("sqrt(x^2)", 1),
]


@pytest.mark.parametrize(("text", "degree"), HOMOGENEITY)
def test_homogeneity(text: str, degree: int | None) -> None:
    assert parse(text).homogeneity == degree


DEGREE = [
    ("x^3 - x", 3),
    ("0", -1),
    ("4", 0),
    ("x - x", -1),
    ("Piecewise((x^2, x > 0), (x^2, True))", 2),
    ("relu(x)", None),
    ("sin(x)^2 + cos(x)^2", 0),
    ("cosh(x)^2 - sinh(x)^2 + x", 1),
    ("x*sigmoid(x) + x*sigmoid(-x)", 1),
    ("x^3*Phi(x) - x^3/2*(1 + erf(x/sqrt(2))) + x^2", 2),
    ("tanh(x)*cosh(x) - sinh(x)", -1),
    ("x + sin(x)/1000000", None),
    ("exp(-x^2)", None),
    ("tanh(x)", None),
    ("log(1+x^2)", None),
    ("relu(x) - relu(-x)", 1),
    ("Abs(x)^2", 2),
    ("relu(x) + 1/1000000*x", None),
    ("Max(x,0)^2 + Min(x,0)^2", 2),
    ("(x+1)^5 - (x-1)^5", 4),
    ("alpha*x^2", 2),
    ("Piecewise((x*sigmoid(x) + x*sigmoid(-x), x > 0), (x, True))", 1),
    ("Piecewise((x^2*Phi(x) + x^2*Phi(-x), x > 1), (x^2, True))", 2),
    ("Piecewise((x + x^7/1000, x > 0), (x, True))", None),
    ("x/(1+Abs(x))", None),
]


@pytest.mark.parametrize(("text", "degree"), DEGREE)
def test_polynomial_degree(text: str, degree: int | None) -> None:
    assert parse(text).polynomial_degree == degree


def test_polynomial_degree_never_guesses() -> None:
    """With a parameter in the way: an error, not ``None``, which would mean "proved not to be"."""
    with pytest.raises(UndecidedError):
        _ = parse("exp(alpha*x)").polynomial_degree


def test_jumps_and_kinks() -> None:
    phi = parse("Piecewise((x^2 + 1, x > 1), (2*x, x > -1), (exp(x), True))")
    assert phi.jumps == ((-1, -2 - sp.exp(-1)),)
    assert phi.kinks == ((-1, 2 - sp.exp(-1)),)
    assert not phi.is_continuous
    assert phi.derivative.parts == (sp.exp(x), 2, 2 * x)


@pytest.mark.parametrize(
    "head", ["x*sigmoid(x) + x*sigmoid(-x)", "x*Phi(x) + x*Phi(-x)", "softplus(x) - softplus(-x)"]
)
def test_hidden_zeros_are_not_jumps(head: str) -> None:
    phi = parse(f"Piecewise(({head}, x > 1), (x, True))")
    assert phi.is_continuous
    assert phi.kinks == ()


_steps = st.lists(st.tuples(st.integers(-4, 4), st.integers(-3, 3)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(_steps)
def test_sums_of_ramps(ramps: list[tuple[int, int]]) -> None:
    """A sum of ``c max(x - p, 0)`` has exactly the kinks it is made of."""
    phi = Activation(sp.Add(*(c * sp.Max(x - p, 0) for p, c in ramps)))
    sizes: dict[int, int] = {}
    for p, c in ramps:
        sizes[p] = sizes.get(p, 0) + c
    assert phi.kinks == tuple((p, c) for p, c in sorted(sizes.items()) if c)
    assert phi.jumps == ()
    points = np.linspace(-5, 5, 41) + 0.01
    expected = sum(c * np.maximum(points - p, 0) for p, c in ramps)
    np.testing.assert_allclose(phi(points), expected, atol=1e-12)  # a dozen roundings of numbers below 100


# ------------------------------------------------------------------------------------ growth


def test_check_variance() -> None:
    phi = parse("exp(x^2/3)")
    assert phi.max_variance == R(3, 4)
    assert phi.derivative_max_variance == R(3, 4)
    phi.check_variance("1/2")
    phi.check_variance(0)
    for q in (2, "3/4", Fraction(4, 5)):
        with pytest.raises(DomainError, match="3/4"):
            phi.check_variance(q)
    for wrong in (-1, 0.5, "x", None):
        with pytest.raises(DomainError):
            phi.check_variance(wrong)  # type: ignore[arg-type]
    parse("relu(x)").check_variance(10**9)
    parse("exp(x^2/3)*sin(x)").check_variance("1/2")
    with pytest.raises(DomainError):
        parse("exp(x^2/3)*sin(x)").check_variance(1)
    with pytest.raises(DomainError, match="faster"):
        parse("exp(x^3)").check_variance(1)


# ------------------------------------------------------------------------------------ values and looks


def test_value_at_a_breakpoint_is_the_mean() -> None:
    assert parse("Heaviside(x)")(0.0) == 0.5
    assert parse("Piecewise((3, x >= 1), (1, True))")([1.0, 0.0, 2.0]).tolist() == [2.0, 1.0, 3.0]


def test_call_shapes_and_bad_values() -> None:
    phi = parse("tanh(x)")
    assert phi(0.5).shape == ()
    assert phi(np.zeros((2, 3))).shape == (2, 3)
    assert phi([]).shape == (0,)
    assert parse("3")(np.zeros((2, 2))).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    for wrong in ([1.0, np.nan], [np.inf], 1j, "a", ["1"], [[1.0], [1.0, 2.0]], None):
        with pytest.raises(DomainError):
            phi(wrong)  # type: ignore[arg-type]


def test_no_nan_leaves() -> None:
    """inf/inf and inf - inf on the way are evaluated again in balls."""
    ratio = parse("(exp(x) - exp(-x))/(exp(x) + exp(-x))")
    assert ratio([-1000.0, -1.0, 1000.0]).tolist() == pytest.approx([-1.0, -np.tanh(1.0), 1.0], rel=1e-15)
    assert parse("exp(x)*exp(-x^2)*cosh(x)")([800.0]).tolist() == [0.0]
    assert parse("exp(x)")([1000.0]).tolist() == [np.inf]


@pytest.mark.parametrize(
    "text", ["gelu(x)", "Piecewise((x, x>0), (alpha*x, True))", "Min(Max(x,-1),1)", "Phi(x)*sigmoid(x)"]
)
def test_pickle_and_looks(text: str) -> None:
    phi = parse(text, "mine")
    _ = phi.pieces, phi.derivative, phi.parity, phi.kinks
    again = pickle.loads(pickle.dumps(phi))
    assert again == phi
    assert again.name == "mine"
    assert str(phi) == "mine"
    assert "mine" in repr(phi)
    assert repr(parse(text)).startswith("Activation(")
    assert phi._repr_latex_() == typeset(phi.latex())


def test_smooth_heads_keep_their_derivative() -> None:
    """gelu' = Phi + x phi at a point, from the closed form typed here."""
    slope = parse("x*Phi(x)").derivative.parts[0].subs(x, 1)
    density = sp.exp(-R(1, 2)) / sp.sqrt(2 * sp.pi)
    assert abs((slope - Phi(1) - density).evalf(30)) < R(1, 10**25)


@pytest.mark.parametrize(
    "question",
    [
        lambda p: p.parity,
        lambda p: p.homogeneity,
        lambda p: p.polynomial_degree,
        lambda p: p.kinks,
        lambda p: p.jumps,
    ],
)
def test_properties_are_kept(question: Callable[[Activation], object]) -> None:
    phi = parse("Max(x, 0)")
    assert question(phi) is question(phi) or question(phi) == question(phi)


def test_breakpoints_are_numbers_that_balls_know() -> None:
    for text in ("Max(tanh(x) - 1/2, 0)", "Max(sinh(x) - 3, 0)"):
        phi = Activation.parse(text)
        (point,) = phi.pieces.breakpoints
        below, above = (float(point) + shift for shift in (-1e-9, 1e-9))
        assert phi(np.array([below]))[0] == 0 < phi(np.array([above]))[0]
        assert not point.has(sp.atanh, sp.asinh)
    with pytest.raises(DomainError, match="breakpoint at erfinv"):
        Activation.parse("Max(erf(x) - 1/2, 0)")


def test_a_breakpoint_that_is_zero_in_disguise_is_refused_clearly() -> None:
    phi = Activation.parse("Max(x - (4*atan(1/5) - atan(1/239) - pi/4), 0)")
    with pytest.raises(DomainError, match="can be decided"):
        Network.mlp(phi, 1, 1, 0).at(1, "1/2", 1, 20)
