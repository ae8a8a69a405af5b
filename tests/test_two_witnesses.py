"""Random activations of the canonical class: the closed form and the rigorous integral enclose one number.

The two share nothing but the pieces: the engine reduces moments by Stein's identity, the quadrature
integrates the definition with a proved error.
"""

from __future__ import annotations

import pytest
import sympy as sp
from flint import acb, arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian import moments, quadrature
from analytic_ntk.gaussian.operations import BALLS
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.notation import x

small = st.fractions(min_value=-2, max_value=2, max_denominator=6).map(
    lambda f: sp.Rational(f.numerator, f.denominator)
)
positive = st.fractions(min_value="1/6", max_value=3, max_denominator=6).map(
    lambda f: sp.Rational(f.numerator, f.denominator)
)


@st.composite
def smooth(draw: st.DrawFn) -> sp.Expr:
    """``x^k`` times one of: 1, a bounded exponential, a wave, a bump, a normal cdf."""
    power = draw(st.integers(0, 2))
    a, b = draw(positive), draw(small)
    kind = draw(st.sampled_from(["one", "exponential", "wave", "bump", "cdf"]))
    factor = {
        "one": sp.S.One,
        "exponential": sp.exp(b * x),
        "wave": sp.sin(a * x + b),
        "bump": sp.exp(-a * x**2 + b * x),
        "cdf": Phi(a * x + b),
    }[kind]
    return draw(small) * x**power * factor


@st.composite
def canonical(draw: st.DrawFn) -> sp.Expr:
    """A sum of smooth terms, or two of them joined at a rational breakpoint (no cut normal cdf)."""
    left, right = draw(smooth()), draw(smooth())
    if draw(st.booleans()) and not left.has(Phi) and not right.has(Phi):
        return sp.Piecewise((left, x < draw(small)), (right, True))
    return left + right


@st.composite
def covariances(draw: st.DrawFn) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    first, second = draw(positive), draw(positive)
    rho = draw(st.sampled_from(["-99/100", "-3/5", "1/10", "1/2", "95/100", "999999/1000000"]))
    return first, second, sp.Rational(rho) * sp.sqrt(first * second)


def _real(value: arb | acb) -> arb:
    return value.real if isinstance(value, acb) else value


def enclosures(expression: sp.Expr, covariance: tuple[sp.Expr, sp.Expr, sp.Expr]) -> tuple[arb, arb, arb]:
    """Closed form, integral, and the size of the quantity."""
    pieces = Pieces.of(expression)
    terms = terms_of(pieces)
    assert terms is not None
    with working_precision(200):
        q11, q22, q12 = (_real(exact_ball(q)) for q in covariance)
        root = (q11 * q22 - q12 * q12).sqrt()
        closed = _real(moments.dual(terms, terms, q11, q22, q12, root, BALLS))
        integral = quadrature.double(pieces, pieces, q11, q22, q12, 70)
        sizes = [_real(moments.second_moment(terms, terms, q, BALLS)) for q in (q11, q22)]
        return closed, integral, (sizes[0] * sizes[1]).sqrt()


@given(canonical(), covariances())
@settings(max_examples=40)
def test_closed_form_meets_integral(
    expression: sp.Expr, covariance: tuple[sp.Expr, sp.Expr, sp.Expr]
) -> None:
    assume(expression.has(x))
    closed, integral, size = enclosures(expression, covariance)
    assert closed.overlaps(integral)
    assert float(closed.rad()) <= 1e-20 * float(size) + 1e-40
    assert float(integral.rad()) <= 1e-15 * float(size) + 1e-40


def test_a_fault_of_one_part_in_ten_million_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: the engine's last step scaled by 1 + 1e-7."""
    original = moments.dual
    monkeypatch.setattr(moments, "dual", lambda *args: original(*args) * (1 + arb("1e-7")))
    closed, integral, _ = enclosures(sp.Max(x, 0) + sp.sin(x), (sp.S.One, sp.Integer(2), sp.Rational(1, 2)))
    assert not closed.overlaps(integral)
