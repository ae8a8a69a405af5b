"""Growth bounds and singularities, against mpmath (which shares no code with the derivation)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian import envelope, growth, singularities
from analytic_ntk.gaussian.envelope import (
    Envelope,
    envelope_of,
    is_not_polynomial,
    lower_bound_start,
    max_variance,
    safe_variance,
)
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.singularities import check_regular, nearest_singularity
from analytic_ntk.notation import x
from analytic_ntk.parser import parse_expression

R = sp.Rational

_NAMES = {
    "Phi": mp.ncdf,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: max(z, 0) + mp.log1p(mp.exp(-abs(z))),
}


def _mp_function(expr: sp.Expr) -> Callable[[Any], Any]:
    return sp.lambdify(x, expr, modules=[_NAMES, "mpmath"])


def _exact(value: Fraction) -> Any:
    return mp.mpf(value.numerator) / value.denominator


STEPS = (0, 0.01, 0.3, 1, 2.5, 7, 20, 60)


def violations(expr: sp.Expr, side: int, envelope: Envelope) -> int:
    """How many of the sampled points contradict the bound (a suspect is looked at again in 1000 digits)."""
    function, found = _mp_function(expr), 0
    for step in STEPS:
        for digits in (60, 1000):
            with mp.workdps(digits):
                t = _exact(envelope.from_) + mp.mpf(step)
                value = abs(mp.mpmathify(function(side * t)))
                bound = _exact(envelope.constant) * mp.exp(
                    _exact(envelope.linear) * t + _exact(envelope.quadratic) * t * t
                )
                bad = value > bound * (1 + mp.mpf(10) ** -40)  # 40 of the 60 digits
            if not bad:
                break
        else:
            found += 1
    return found


NAMED = [
    ("exp(-softplus(x))", 0, 0),
    ("exp(tanh(x))", 0, 0),
    ("exp(-x**2/2)", R(-1, 2), R(-1, 2)),
    ("exp(x**2/3)", R(1, 3), R(1, 3)),
    ("x**5*exp(-x)", 0, 0),
    ("log(1+x**2)", 0, 0),
    ("sinh(x**2)", 1, 1),
    ("1/cosh(x)", 0, 0),
    ("exp(x**2*tanh(x)/3)", R(1, 3), None),
    ("exp(x**2/3 + x*atan(x))", R(1, 3), R(1, 3)),
    ("exp(x**2/3 - sqrt(1+x**2))", R(1, 3), R(1, 3)),
    ("log(cosh(x))", 0, 0),
    ("1/log(2+x**2)", 0, 0),
    ("sin(x)/(2+cos(x))", 0, 0),
    ("x*tanh(softplus(x))", 0, 0),
    ("Phi(x)*exp(x**2/2)", R(1, 2), 0),
    ("exp(x**2/2)*erfc(x)", R(-1, 2), R(1, 2)),
    ("1/Phi(x)", 0, R(1, 2)),
    ("exp(x**2/5)+exp(x**2/4)-exp(x**2/4+x)", R(1, 4), R(1, 4)),
    ("exp(x**3)*exp(-x**4)", None, None),
    ("(x**2+1)**(1/3)", 0, 0),
    ("1/softplus(x)", 0, 0),
    ("exp(x**2/100)*(1-x**2/100)+3", R(1, 100), R(1, 100)),
    ("exp(-x**4)", None, None),
    ("exp(-x**4/1000)", None, None),
    ("exp(exp(-x**2))", 0, 0),
    ("exp(-20*x)", 0, 0),
    ("exp(x**3/(1+x**2))", 0, 0),
    ("erf(x)-x", 0, 0),
    ("sqrt(1+x**2)-x", 0, 0),
    ("2**x", 0, 0),
    ("x**20", 0, 0),
    ("exp(x**2*sin(x)/5)", R(1, 5), R(1, 5)),
    ("atan(1+x**2)*exp(x**2/9)", R(1, 9), R(1, 9)),
    ("0*x", 0, 0),
    ("x**20*exp(x**2/5)/(1+x**2)", R(1, 5), R(1, 5)),
    ("x**2-x**2*tanh(x)", 0, 0),
    ("softplus(exp(-x)+x)", 0, 0),
]


@pytest.mark.parametrize(("text", "right", "left"), NAMED)
def test_named(text: str, right: sp.Expr | None, left: sp.Expr | None) -> None:
    """Quadratic rates by hand (None: any negative one will do); no sampled point contradicts the bound."""
    expr = parse_expression(text)
    for side, rate in ((1, right), (-1, left)):
        bound = envelope_of(expr, side)
        assert bound.constant >= 0
        assert bound.linear >= 0
        assert bound.from_ >= 0
        if rate is None:
            assert bound.quadratic <= 0
        else:
            assert bound.quadratic == Fraction(int(sp.numer(rate)), int(sp.denom(rate)))
        assert violations(expr, side, bound) == 0


_numbers = st.builds(R, st.integers(-9, 9), st.sampled_from([1, 2, 3, 7]))


@st.composite
def _polynomials(draw: st.DrawFn, degree: int) -> sp.Expr:
    return sp.Add(*(draw(_numbers) * x**k for k in range(draw(st.integers(0, degree)) + 1)))


_BOUNDED = [sp.tanh, sp.atan, sp.erf, sp.erfc, Phi, sigmoid, sp.sin, sp.cos, softplus]


def _grow(inner: st.SearchStrategy[sp.Expr]) -> st.SearchStrategy[sp.Expr]:
    return st.one_of(
        st.builds(lambda f, e: f(e), st.sampled_from(_BOUNDED), inner),
        st.builds(lambda p, f, e: sp.exp(p + f(e)), _polynomials(2), st.sampled_from(_BOUNDED), inner),
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        inner.map(lambda e: sp.log(1 + e**2)),
        inner.map(lambda e: sp.sqrt(1 + e**2)),
        st.builds(lambda a, b: a / (1 + b**2), inner, inner),
        _polynomials(1).map(sp.cosh),
        _polynomials(2).map(sp.exp),
    )


_expressions = st.recursive(_polynomials(3), _grow, max_leaves=4)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_expressions, st.sampled_from([1, -1]))
def test_no_random_function_exceeds_its_bound(expr: sp.Expr, side: int) -> None:
    try:
        bound = envelope_of(expr, side)
    except DomainError:
        return
    assert violations(expr, side, bound) == 0


def test_derivations_are_the_rule() -> None:
    """Saying "cannot" is allowed, but not for these shapes: the law above must have work to do."""
    for text, _, _ in NAMED:
        derivative = sp.diff(parse_expression(text), x)
        for side in (1, -1):
            assert violations(derivative, side, envelope_of(derivative, side)) == 0


@pytest.mark.parametrize("text", ["x**2 + 1", "exp(x**2/3)", "cosh(x)", "exp(-x**2/2)", "log(2 + x**2)"])
def test_a_planted_fault_is_seen(text: str) -> None:
    """A bound divided by a thousand, or an exponent lowered, is contradicted by the same check."""
    expr = parse_expression(text)
    bound = envelope_of(expr, 1)
    assert violations(expr, 1, bound) == 0
    assert violations(expr, 1, replace(bound, constant=bound.constant / 1000, linear=Fraction(0))) > 0
    assert violations(expr, 1, replace(bound, quadratic=bound.quadratic - 1)) > 0


@pytest.mark.parametrize(
    "text", ["exp(x**3)", "exp(x**4 - x**3)", "exp(exp(x))", "exp(x**2*log(2+x**2))", "cosh(x**3)"]
)
def test_super_gaussian_growth_is_refused(text: str) -> None:
    with pytest.raises(DomainError, match="faster than any Gaussian"):
        envelope_of(parse_expression(text), 1)
    with pytest.raises(DomainError):
        max_variance(Pieces.of(parse_expression(text)))


def test_refusals() -> None:
    with pytest.raises(DomainError, match="parameters"):
        envelope_of(parse_expression("alpha*x"), 1)
    with pytest.raises(DomainError, match="1 or -1"):
        envelope_of(x, 0)
    with pytest.raises(DomainError, match="rules can derive"):
        envelope_of(1 / sp.sin(x), 1)


VARIANCE = [
    ("relu(x)", sp.oo),
    ("exp(x)", sp.oo),
    ("exp(x**2/3)", R(3, 4)),
    ("exp(-x**2)", sp.oo),
    ("exp(pi*x**2)", 1 / (4 * sp.pi)),
    ("Piecewise((exp(x**2/5), x > 0), (exp(x**2/3), True))", R(3, 4)),
    ("x**3*exp(x**2/2 + x)", R(1, 2)),
    ("Piecewise((exp(x**2), x > 0), (0, True))", R(1, 4)),
    ("exp(x**2/2)*Phi(x)", R(1, 2)),
    ("0*x", sp.oo),
    ("exp(-x**4 + 9*x**2)", sp.oo),
    ("exp(x**2/3)/(1+x**4)", R(3, 4)),
]


@pytest.mark.parametrize(("text", "limit"), VARIANCE)
def test_max_variance(text: str, limit: sp.Expr) -> None:
    pieces = Pieces.of(parse_expression(text))
    assert max_variance(pieces) == limit
    if limit.is_Rational or limit is sp.oo:
        assert safe_variance(pieces) == limit
    else:
        assert safe_variance(pieces) <= limit


@pytest.mark.parametrize(("text", "limit"), [case for case in VARIANCE if case[1].is_Rational])
def test_max_variance_is_sharp(text: str, limit: sp.Expr) -> None:
    """Above the limit ``f(sqrt(q) z)^2 exp(-z^2/2)`` grows at an end, below it decays at both."""
    function = _mp_function(Pieces.of(parse_expression(text)).parts[-1])
    other = _mp_function(Pieces.of(parse_expression(text)).parts[0])
    logs = []
    for factor in (0.9, 1.1):
        q = mp.mpf(factor) * mp.mpf(limit.p) / limit.q
        ends = [
            lambda z, q=q, f=f, s=s: f(s * mp.sqrt(q) * z) ** 2 * mp.exp(-z * z / 2)
            for f, s in ((function, 1), (other, -1))
        ]
        logs.append(max(end(mp.mpf(200)) for end in ends))
    assert logs[0] < 1e-100
    assert logs[1] > 1e100


def test_unknown_supremum_is_an_error_and_a_safe_one_is_given() -> None:
    pieces = Pieces.of(sp.exp(x**2 / 3) * sp.sin(x))
    with pytest.raises(DomainError, match="both sides"):
        max_variance(pieces)
    assert safe_variance(pieces) == R(3, 4)


def test_is_not_polynomial() -> None:
    for text in (
        "exp(x)",
        "sin(x)",
        "tanh(x)",
        "x*Phi(x)",
        "1/(1+x**2)",
        "log(1+x**2)",
        "exp(-x**2)",
        "x+sin(x)/1000000",
    ):
        assert is_not_polynomial(parse_expression(text)), text
    for text in (
        "x**3 - x",
        "sin(x)**2 + cos(x)**2",
        "x*sigmoid(x) + x*sigmoid(-x)",
        "7",
        "cosh(x)**2 - sinh(x)**2",
    ):
        assert not is_not_polynomial(parse_expression(text)), text


def test_lower_bound_start() -> None:
    for text in ("x**5 - 100*x - 1", "exp(x) - 1000", "2 + sin(x)", "1 + x**2", "Phi(x)", "softplus(-x)"):
        expr = parse_expression(text)
        for side in (1, -1):
            start = lower_bound_start(expr, side)
            if text == "exp(x) - 1000" and side < 0:
                assert start is not None
            if start is not None:
                function = _mp_function(expr)
                values = [function(side * (_exact(start) + step)) for step in STEPS]
                assert all(value > 0 for value in values) or all(value < 0 for value in values)
    assert lower_bound_start(sp.sin(x), 1) is None
    assert lower_bound_start(parse_expression("x**5 - 100*x - 1"), 1) > 3


def test_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``|atan| <= 1`` in place of ``|atan| <= 11/7`` the derived bound is contradicted."""
    expr = sp.atan(9 * sp.sin(x))
    assert violations(expr, 1, envelope_of(expr, 1)) == 0
    monkeypatch.setitem(growth._BOUNDED, sp.atan, (Fraction(1), Fraction(1)))
    envelope._envelope.cache_clear()
    try:
        assert violations(expr, 1, envelope_of(expr, 1)) > 0
    finally:
        envelope._envelope.cache_clear()


def test_a_wrong_start_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the growth bounds claimed "not zero from 1 on", a pole at log 100 would slip through."""
    expr = parse_expression("1/(exp(x) - 100)")
    with pytest.raises(DomainError):
        check_regular(Pieces.of(expr))
    monkeypatch.setattr(singularities, "lower_bound_start", lambda *_: Fraction(1))
    singularities._check_part.cache_clear()
    try:
        check_regular(Pieces.of(expr))
    finally:
        singularities._check_part.cache_clear()


# ------------------------------------------------------------------------------------ singularities

NEAREST = [
    ("tanh(x)", sp.pi / 2),
    ("tanh(2*x + 3)", sp.pi / 4),
    ("sigmoid(-x/2)", 2 * sp.pi),
    ("softplus(x)", sp.pi),
    ("atan(x)", 1),
    ("1/(1+x**2)", 1),
    ("x/(1+Abs(x))", 1),
    ("exp(x)*sin(x) + erf(x)", sp.oo),
    ("Max(x,0)", sp.oo),
    ("x*tanh(softplus(x))", 3 * sp.pi / 4),
    ("1/(x**2 + x + 1)", sp.sqrt(3) / 2),
    ("sqrt(4 + x**2)", 2),
    ("log(9 + x**2)", 3),
    ("1/cosh(x)", sp.pi / 2),
    ("tanh(x) + 1/(1 + 4*x**2)", R(1, 2)),
    ("1/(x**4 + 1)", sp.sqrt(2) / 2),
    ("Piecewise((1/x, x > 2), (x, True))", 2),
    ("Piecewise((1/(1 + (x-5)**2), x < 2), (0, True))", sp.sqrt(10)),
    ("tanh(x**3)", None),
    ("log(softplus(x))", None),
    ("exp(1/(1+x**2))", 1),
    ("sin(tanh(x))", sp.pi / 2),
]


@pytest.mark.parametrize(("text", "distance"), NEAREST)
def test_nearest_singularity(text: str, distance: sp.Expr | None) -> None:
    found = nearest_singularity(Pieces.of(parse_expression(text)))
    if distance is None:
        assert found is None
    else:
        assert sp.simplify(found - distance) == 0 or found == distance


REGULAR = [
    "1/(1+x**2)",
    "1/(2+cos(x))",
    "log(2+sin(x))",
    "log(softplus(x))",
    "log(Phi(x))",
    "sqrt(1+x**2)",
    "x/(1+Abs(x))",
    "Piecewise((sqrt(x), x > 1), (x, True))",
    "1/(exp(x)+1-x)",
    "Piecewise((1/(x**5-x-1), x > 2), (0, True))",
    "1/(x**4 - x + 1)",
    "Piecewise((1/(x-sqrt(2)), x < 1), (x, True))",
    "log(x**4 + x + 1)",
    "tanh(1/(1+x**2))",
]
SINGULAR = [
    "1/x",
    "log(x)",
    "sqrt(x)",
    "sqrt(Abs(x))",
    "x**(1/3)",
    "1/(x**2-2)",
    "x/(1-x)",
    "1/(exp(x)-2)",
    "1/sinh(x)",
    "log(1+x)",
    "Max(x,0)**(3/2)",
    "Piecewise((1/x, x > 0), (1, True))",
    "1/(1+cos(x))",
    "sqrt(sin(x))",
    "log(-1-x**2)",
    "Piecewise((sqrt(x-1), x > 1), (0, True))",
    "1/(x**5-x-1)",
    "exp(1/x)",
    "sqrt(x**2-1)",
    "log(tanh(x))",
    "Piecewise((1/(x-sqrt(2)), x < 2), (x, True))",
    "1/(x-pi)",
    "x**x",
    "1/(softplus(x)-1)",
]


@pytest.mark.parametrize("text", REGULAR)
def test_regular_is_accepted(text: str) -> None:
    check_regular(Pieces.of(parse_expression(text)))


@pytest.mark.parametrize("text", SINGULAR)
def test_singular_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        check_regular(Pieces.of(parse_expression(text)))
