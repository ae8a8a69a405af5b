"""Random activations: of the canonical class, piecewise analytic, nearly polynomial."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.notation import x

_R = sp.Rational
_COEFFICIENTS = (_R(1), _R(-1), _R(1, 2), _R(2), _R(-3, 2), _R(1, 3))
_SLOPES = (_R(1), _R(-1), _R(1, 2), _R(2))
_PLACES = (_R(0), _R(1), _R(-1, 2), _R(1, 3))
_BUMPS = (_R(0), _R(-1, 2), _R(-1), _R(-2))
_TILTS = (_R(0), _R(1, 2), _R(-1))
_SMALL = (_R(1, 10), _R(1, 10**3), _R(1, 10**6))

_ANALYTIC: tuple[Callable[[sp.Expr], sp.Expr], ...] = (sp.tanh, sigmoid, softplus, sp.atan, sp.erf)


def canonical_activations(max_terms: int = 2) -> SearchStrategy[Activation]:
    """Sums of terms ``c x^k exp(a x^2 + b x) psi(x)``, ``psi`` one of 1, a step, ``Phi``, ``sin``, ``cos``.

    ``a <= 0``, so that every kernel is finite; they have closed forms. Shrinks towards ``Max(x, 0)``.
    """
    term = st.builds(
        _term,
        st.sampled_from(_COEFFICIENTS),
        st.sampled_from((1, 0, 2, 3)),
        st.sampled_from(_BUMPS),
        st.sampled_from(_TILTS),
        st.sampled_from(("step", "one", "cdf", "sin", "cos")),
        st.sampled_from(_SLOPES),
        st.sampled_from(_PLACES),
    )
    sums = st.lists(term, min_size=1, max_size=max_terms).map(lambda terms: sp.Add(*terms))
    return sums.filter(_is_not_constant).map(Activation)


def _term(c: sp.Expr, k: int, a: sp.Expr, b: sp.Expr, kind: str, slope: sp.Expr, place: sp.Expr) -> sp.Expr:
    argument = slope * x - place
    psi = {
        "one": sp.S.One,
        "step": sp.Heaviside(argument),
        "cdf": Phi(argument),
        "sin": sp.sin(argument),
        "cos": sp.cos(argument),
    }[kind]
    if kind == "step" and k == 1 and a == b == place == 0 and slope > 0:
        return c * sp.Max(x, 0)  # the same function; so that shrinking ends at relu
    return c * x**k * sp.exp(a * x**2 + b * x) * psi


def _is_not_constant(expression: sp.Expr) -> bool:
    return bool(expression.has(x))


@st.composite
def _smooth(draw: DrawFn, shapes: tuple[str, ...] = ("plain", "times x")) -> sp.Expr:
    """An analytic function without a closed form (``erf`` apart), perhaps times ``x``, perhaps of another."""
    outer = draw(st.sampled_from(_ANALYTIC))
    inner = draw(st.sampled_from(_SLOPES)) * x - draw(st.sampled_from(_PLACES))
    shape = draw(st.sampled_from(shapes))
    if shape == "composed":
        inner = draw(st.sampled_from((sp.tanh, sigmoid)))(inner)
    return outer(inner) * (x if shape == "times x" else 1)


@st.composite
def _pieces(draw: DrawFn) -> sp.Expr:
    """A smooth function, or two joined at a rational place, or one of a rectified or clipped argument."""
    shape = draw(st.sampled_from(("smooth", "rectified", "clipped", "joined")))
    if shape == "smooth":
        return draw(_smooth(("plain", "times x", "composed")))
    f, place = draw(_smooth()), draw(st.sampled_from(_PLACES))
    if shape == "rectified":
        return sp.Max(x - place, 0) * f
    if shape == "clipped":
        return f.subs(x, sp.Min(sp.Max(x, place - 1), place + 1))
    return sp.Piecewise((draw(_smooth()), x < place), (f, True))


def piecewise_analytic_activations() -> SearchStrategy[Activation]:
    """``tanh``, sigmoid, softplus, ``atan``, ``erf`` of affine functions and of each other, and pieces of
    these: products with ``Max(x - t, 0)``, clipped arguments, two joined (mostly with a jump) at a rational
    place. Shrinks to ``tanh(x)``."""
    return _pieces().filter(_is_not_constant).map(Activation)


def near_polynomials() -> SearchStrategy[Activation]:
    """``p(x) + eps f(x)``, ``p`` of degree 2 or 3, ``f`` bounded, ``eps`` down to 1e-6: not polynomials,
    whatever a tolerance says. Shrinks to ``x^2 + tanh(x)/10``."""
    return st.builds(
        lambda degree, low, eps, f, slope: Activation(x**degree + low * x + eps * f(slope * x)),
        st.sampled_from((2, 3)),
        st.sampled_from((0, 1, -1)),
        st.sampled_from(_SMALL),
        st.sampled_from((sp.tanh, sp.sin, sp.erf)),
        st.sampled_from(_SLOPES),
    )


def activations() -> SearchStrategy[Activation]:
    """Any of the three kinds. Shrinks to a simple one of its kind."""
    return st.one_of(canonical_activations(), piecewise_analytic_activations(), near_polynomials())
