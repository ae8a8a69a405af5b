"""Rigorous quadrature against closed forms, against other methods, and against planted faults."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import mpmath as mp
import pytest
import sympy as sp
from flint import arb

from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.quadrature import (
    cells,
    correlation,
    double,
    double_many,
    hermite,
    panels,
    sheared,
    single,
    tails,
    trapezoid,
)
from analytic_ntk.gaussian.quadrature.coefficients import laguerre_at_minus, mehler_bound
from analytic_ntk.gaussian.quadrature.scaled import Growth, Scaled
from analytic_ntk.notation import x

GOAL = 100
RELU = Pieces.of(sp.Max(x, 0))
STEP = RELU.derivative()
SOFTSIGN = Pieces.of(x / (1 + sp.Abs(x)))
TANH = Pieces.of(sp.tanh(x))


# ------------------------------------------------------------- closed forms, as functions of three balls


def erf_dual(a: arb, b: arb, c: arb) -> arb:
    return 2 / arb.pi() * (2 * c / ((1 + 2 * a) * (1 + 2 * b)).sqrt()).asin()


def _angle(a: arb, b: arb, c: arb) -> arb:
    return arb.pi() - arb.atan2((a * b - c * c).sqrt(), c)


CLOSED = {
    "erf": (sp.erf(x), erf_dual),
    "sin": (sp.sin(x), lambda a, b, c: (-(a + b) / 2).exp() * c.sinh()),
    "cos": (sp.cos(x), lambda a, b, c: (-(a + b) / 2).exp() * c.cosh()),
    "exp": (sp.exp(x), lambda a, b, c: ((a + b) / 2 + c).exp()),
    "gauss": (sp.exp(-(x**2)), lambda a, b, c: 1 / ((1 + 2 * a) * (1 + 2 * b) - 4 * c * c).sqrt()),
    "x gauss": (x * sp.exp(-(x**2)), lambda a, b, c: c / ((1 + 2 * a) * (1 + 2 * b) - 4 * c * c) ** arb(1.5)),
    "Phi": (Phi(x), lambda a, b, c: arb(1) / 4 + (c / ((1 + a) * (1 + b)).sqrt()).asin() / (2 * arb.pi())),
    "relu": (
        sp.Max(x, 0),
        lambda a, b, c: ((a * b - c * c).sqrt() + _angle(a, b, c) * c) / (2 * arb.pi()),
    ),
    "step": (sp.Heaviside(x), lambda a, b, c: _angle(a, b, c) / (2 * arb.pi())),
    "abs": (
        sp.Abs(x),
        lambda a, b, c: 2 / arb.pi() * ((a * b - c * c).sqrt() + c * (c / (a * b).sqrt()).asin()),
    ),
    "hinge": (
        sp.Piecewise((sp.exp(x), x < 0), (sp.exp(-x), True)),
        None,  # checked against the closed form of its square in ``single`` only
    ),
}


def _law(rng: random.Random, nearness: str) -> tuple[arb, arb, arb]:
    """Exact dyadic ``q11, q22, q12`` with the correlation asked for."""
    a, b = (arb(round(10 ** rng.uniform(-3, 3), 6)) for _ in range(2))
    if nearness == "random":
        rho = arb(round(rng.uniform(-0.99, 0.99), 4))
    else:
        rho = (1 - arb(nearness)) * rng.choice((1, -1))
    return a, b, (rho * (a * b).sqrt()).mid()


@pytest.mark.parametrize("nearness", ["random", "0.02", "1e-4", "1e-15", "1e-30"])
@pytest.mark.parametrize("name", [name for name, (_, formula) in CLOSED.items() if formula])
def test_double_contains_closed_form(name: str, nearness: str) -> None:
    expr, formula = CLOSED[name]
    rng = random.Random(f"{name}{nearness}")
    f = Pieces.of(expr)
    if name == "step":
        f = STEP
    with working_precision(420):
        a, b, c = _law(rng, nearness)
        if name in ("exp", "abs", "relu"):
            a, b, c = (v / 16 for v in (a, b, c))
        exact = formula(a, b, c)
        scale = (formula(a, a, a * (1 - arb("1e-60"))) * formula(b, b, b * (1 - arb("1e-60")))).sqrt()
    with working_precision(GOAL + 20):
        value = double(f, f, a, b, c, GOAL)
    with working_precision(420):
        assert value.contains(exact), (value - exact, value.rad())
        assert value.rad() < scale * arb(2) ** (8 - GOAL), "the enclosure is fat"


def test_double_at_sixty_digits() -> None:
    with working_precision(600):
        a, b, c = arb(1.25), arb(0.75), arb(-0.625)
        exact = {name: CLOSED[name][1](a, b, c) for name in ("erf", "sin", "relu", "abs")}
    for name, truth in exact.items():
        f = Pieces.of(CLOSED[name][0])
        with working_precision(230):
            value = double(f, f, a, b, c, 200)
        with working_precision(600):
            assert value.contains(truth)
            assert value.rad() < arb("1e-58")


def test_mixed_pairs_share_one_call() -> None:
    """Piecewise with analytic, and two different functions, in one call."""
    with working_precision(300):
        a, b, c = arb(2), arb(0.5), arb(0.75)
        # E[1{u > 0} v] = c / sqrt(2 pi a);  E[u sin(v)] = c exp(-b/2);  E[max(u, 0) v] = c / 2
        truths = [c / (2 * arb.pi() * a).sqrt(), c * (-b / 2).exp(), c / 2]
    line, sine = Pieces.of(x), Pieces.of(sp.sin(x))
    with working_precision(120):
        values = double_many([(STEP, line), (line, sine), (RELU, line)], a, b, c, GOAL)
        separate = [double(*pair, a, b, c, GOAL) for pair in ((STEP, line), (line, sine), (RELU, line))]
    for value, alone, truth in zip(values, separate, truths, strict=True):
        assert value.contains(truth)
        assert alone.contains(truth)
        assert value.rad() < arb("1e-28")


@pytest.mark.parametrize("q", ["0.001", "1", "1000"])
@pytest.mark.parametrize("scale", [1, -1, 2])
def test_single_contains_closed_form(q: str, scale: int) -> None:
    """On the line ``v = scale u`` the closed forms hold with ``q22 = scale^2 q``, ``q12 = scale q``."""
    for name in ("erf", "sin", "cos", "gauss", "x gauss"):
        f = Pieces.of(CLOSED[name][0])
        with working_precision(300):
            a = arb(q).mid()
            exact = CLOSED[name][1](a, a * scale**2, a * scale)
        with working_precision(120):
            value = single(f, f, a, arb(scale), GOAL)
        with working_precision(300):
            assert value.contains(exact), name
            assert value.rad() < arb("1e-28")
    with working_precision(120):
        value = single(RELU, RELU, arb(q), arb(scale), GOAL)
        assert value.contains(arb(q) * max(scale, 0) / 2)


def test_single_of_a_hinge() -> None:
    """``E exp(-2|u|) = exp(2 q) erfc(sqrt(2 q))``."""
    f = Pieces.of(CLOSED["hinge"][0])
    with working_precision(300):
        exact = arb(6).exp() * arb(6).sqrt().erfc()
    with working_precision(120):
        value = single(f, f, arb(3), arb(1), GOAL)
    assert value.contains(exact)
    assert value.rad() < arb("1e-28")


# ----------------------------------------------------------------------------------- Hermite coefficients


@pytest.mark.parametrize("q", ["0.01", "1", "30"])
def test_hermite_of_exp_and_sin(q: str) -> None:
    with working_precision(400):
        a = arb(q).mid()
        growing = [(a / 2).exp() * a.sqrt() ** n / arb.fac_ui(n).sqrt() for n in range(61)]
        waves = [
            (-a / 2).exp() * a.sqrt() ** n / arb.fac_ui(n).sqrt() * (0, 1, 0, -1)[n % 4] for n in range(61)
        ]
    with working_precision(120):
        for expr, truths in ((sp.exp(x), growing), (sp.sin(x), waves)):
            values = hermite(Pieces.of(expr), a, 60, GOAL)
            norm = (2 * a).exp() if expr.has(sp.exp) else arb(1)
            for value, truth in zip(values, truths, strict=True):
                assert value.contains(truth)
                assert value.rad() < norm * arb("1e-28")


def test_hermite_of_relu_to_order_200() -> None:
    """``2 pi a_n^2 = ((n-3)!!)^2 / n!`` for even ``n >= 2``; 0 for odd ``n >= 3``; ``a_1 = 1/2``."""
    with working_precision(120):
        values = hermite(RELU, arb(1), 200, GOAL)
        assert values[0].contains(1 / (2 * arb.pi()).sqrt())
        assert values[1].contains(arb(0.5))
        for n in range(2, 201):
            odd_factorial = math.prod(range(n - 3, 0, -2))
            square = arb(odd_factorial) ** 2 / arb.fac_ui(n) / (2 * arb.pi())
            truth = square.sqrt() * (-1) ** (n // 2 + 1) if n % 2 == 0 else arb(0)
            assert values[n].overlaps(truth), n
            assert values[n].rad() < arb("1e-28")


def test_hermite_both_ways() -> None:
    """The trapezoidal rule and the panels agree on tanh, where both apply."""
    with working_precision(120):
        one = hermite(TANH, arb(2), 40, GOAL)
        other = panels.hermite_panels(Scaled(TANH, arb(2).sqrt()), 40, GOAL)
        assert all(a.overlaps(b) for a, b in zip(one, other, strict=True))
        assert max(float(v.rad()) for v in one + other) < 1e-29


# ------------------------------------------------------------------- no closed form: other witnesses


def _mp_single(f: sp.Expr, q: float, scale: int) -> mp.mpf:
    function = sp.lambdify(x, f.rewrite(sp.exp), "mpmath")
    root = mp.sqrt(mp.mpf(q))
    points = [-13, -4, -1, 0, 1, 4, 13]
    return mp.quad(lambda z: function(root * z) * function(scale * root * z) * mp.npdf(z), points)


@pytest.mark.parametrize(
    "expr", [sp.tanh(x), sigmoid(x), softplus(x), x * sigmoid(x), x / (1 + sp.Abs(x)), sp.atan(x)]
)
def test_single_agrees_with_mpmath(expr: sp.Expr) -> None:
    with mp.workdps(25), working_precision(100):
        for scale in (1, -1):
            value = single(Pieces.of(expr), Pieces.of(expr), arb(1.5), arb(scale), 80)
            assert abs(mp.mpf(value.mid().str(22, radius=False)) - _mp_single(expr, 1.5, scale)) < mp.mpf(
                "1e-18"
            )


@pytest.mark.parametrize("rho", ["0.6", "-0.8"])
@pytest.mark.parametrize("expr", [sp.tanh(x), x * sigmoid(x), x * sp.tanh(softplus(x))])
def test_double_agrees_with_mehler_sum(expr: sp.Expr, rho: str) -> None:
    """``E f(u) f(v) = sum a_n^2 rho^n``, a tail below ``|rho|^(N+1) E f^2``: no two-dimensional rule."""
    order = 160
    f = Pieces.of(expr)
    with working_precision(120):
        coefficients = hermite(f, arb(1), order, GOAL)
        square = single(f, f, arb(1), arb(1), GOAL)
        total = sum((a * a * arb(rho) ** n for n, a in enumerate(coefficients)), arb(0))
        total += arb(
            0, (abs(arb(rho)) ** (order + 1) * (square - sum(a * a for a in coefficients))).abs_upper()
        )
        value = double(f, f, arb(1), arb(1), arb(rho), GOAL)
        assert value.overlaps(total)
        assert total.rad() < arb("1e-17")
        assert value.rad() < arb("1e-28")


@pytest.mark.parametrize("name", ["softsign", "power"])
def test_double_of_piecewise_agrees_with_mpmath(name: str) -> None:
    """Quadrant by quadrant, tensor quadrature in mpmath at 15 digits; ``x^(3/2)`` is singular at its kink."""
    rho = mp.mpf("0.5")
    f = (lambda t: t / (1 + t)) if name == "softsign" else (lambda t: t ** mp.mpf("1.5"))
    density = lambda u, v: mp.exp(-(u * u - 2 * rho * u * v + v * v) / (2 * (1 - rho**2)))  # noqa: E731
    factor = 1 / (2 * mp.pi * mp.sqrt(1 - rho**2))
    total = mp.quad(lambda u, v: f(u) * f(v) * density(u, v), [0, 2, 9], [0, 2, 9], maxdegree=5)
    if name == "softsign":
        cross = mp.quad(lambda u, v: f(u) * f(v) * density(u, -v), [0, 2, 9], [0, 2, 9], maxdegree=5)
        total = 2 * (total - cross)
    pieces = SOFTSIGN if name == "softsign" else Pieces.of(sp.Max(x, 0) ** sp.Rational(3, 2))
    with working_precision(80):
        value = double(pieces, pieces, arb(1), arb(1), arb(0.5), 50)
    assert abs(float(value) - float(factor * total)) < 1e-12
    assert value.rad() < arb("1e-14")


def test_singular_kink_on_the_line() -> None:
    """``E max(u, 0)^3 = sqrt(2 q^3 / pi)`` from ``f = max(u, 0)^(3/2)``."""
    f = Pieces.of(sp.Max(x, 0) ** sp.Rational(3, 2))
    with working_precision(80):
        value = single(f, f, arb(2), arb(1), 60)
        assert value.contains((16 / arb.pi()).sqrt())
        assert value.rad() < arb("1e-17")


def test_cells_and_correlation_form_agree() -> None:
    """Two independent two-dimensional rules on the same analytic pair."""
    with working_precision(150):
        for rho in ("0.5", "0.99", "0.99999"):
            variance = 1 - arb(rho) ** 2
            law = correlation.Correlated(arb(rho), variance, variance.sqrt())
            f, g = Scaled(TANH, arb(1)), Scaled(Pieces.of(softplus(x)), arb(2).sqrt())
            targets = [tails.goal_radius(f, g, GOAL)]
            plan = correlation.plan([(f, g)], law, targets, GOAL)
            (one,) = correlation.correlation_form([(f, g)], law, targets, plan)
            (other,) = cells.double_cells([(f, g)], law, targets)
            assert one.overlaps(other)
            assert max(float(one.rad()), float(other.rad())) < 1e-28


@pytest.mark.parametrize("f", [TANH, SOFTSIGN, SOFTSIGN.derivative()])
def test_double_tends_to_single(f: Pieces) -> None:
    """At ``rho = +-(1 - 1e-30)`` the double integral is the single one up to a multiple of the gap."""
    with working_precision(200):
        gap = arb("1e-30")
        for sign in (1, -1):
            near = double(f, f, arb(1), arb(1), (sign * (1 - gap)).mid(), GOAL)
            limit = single(f, f, arb(1), arb(sign), GOAL)
            assert abs(near - limit).lower() < 10 * gap
            assert near.rad() < arb("1e-28")


# --------------------------------------------------------------------------------- inputs that are balls


@pytest.mark.parametrize("f", [TANH, SOFTSIGN, RELU, Pieces.of(x * sigmoid(x - 1))])
def test_every_variance_in_the_ball_is_covered(f: Pieces) -> None:
    radius = arb("1e-9")
    ends = [(-1, -1, 1), (1, 1, -1), (1, -1, 1), (0, 0, 0)]
    centre = (arb(2), arb(0.5), arb(0.75))
    with working_precision(120):
        balls = [c + arb(0, radius) for c in centre]
        wide = double(f, f, *balls, GOAL)
        line = single(f, f, balls[0], arb(1), GOAL)
        coefficients = hermite(f, balls[0], 6, GOAL)
        for signs in ends:
            exact = [c + s * radius for c, s in zip(centre, signs, strict=True)]
            assert wide.overlaps(double(f, f, *exact, GOAL))
            assert line.overlaps(single(f, f, exact[0], arb(1), GOAL))
            pairs = zip(coefficients, hermite(f, exact[0], 6, GOAL), strict=True)
            assert all(a.overlaps(b) for a, b in pairs)
        assert wide.rad() < 100 * radius
        assert line.rad() < 100 * radius


# ----------------------------------------------------------------- each bound on its own, then saboteurs


def test_mehler_bound_holds() -> None:
    for order, re, im in ((1, 0.5, 0.2), (7, 3.0, 1.0), (30, 5.0, 2.0), (30, 0.1, 0.0)):
        with mp.workdps(30):
            h = [mp.mpc(1), mp.mpc(re, im)]
            for k in range(1, order):
                h.append((mp.mpc(re, im) * h[k] - mp.sqrt(k) * h[k - 1]) / mp.sqrt(k + 1))
            assert all(abs(value) <= mp.mpf(str(float(mehler_bound(order, re, im)))) for value in h)


def test_laguerre_is_the_mean_square_off_the_line() -> None:
    """``E |h_n(Z + i a)|^2 = L_n(-a^2)``."""
    with mp.workdps(20):
        value = mp.quad(lambda t: abs((mp.mpc(t, 0.7) ** 2 - 1) / mp.sqrt(2)) ** 2 * mp.npdf(t), [-12, 0, 12])
        assert abs(float(laguerre_at_minus(2, arb(0.7) ** 2)) - float(value)) < 1e-12


def test_gauss_bound_holds_and_is_sharp() -> None:
    """``1/(t^2 + 1)`` on ``[-1, 1]``: the error stays below the bound, and not far below."""
    parameter = 2.2  # poles at +-i: parameter 1 + sqrt 2
    with working_precision(200):
        exact = arb.pi() / 2
        height = (arb(parameter) - 1 / arb(parameter)) / 2
        maximum = 1 / (1 - height**2)
        for count in (3, 8, 15):
            value = sum((w / (t * t + 1) for t, w in panels.legendre_rule(count)), arb(0))
            bound = panels.gauss_bound(maximum, parameter, count, arb(1))
            assert abs(value - exact) < bound < abs(value - exact) * 10**4


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_inner_error_holds(step: float) -> None:
    """``E cos(c Z) = exp(-c^2/2)``, with ``|cos(c (t + i b))| <= cosh(c b)``."""
    c, at, count = arb(1.5), 3.0, 20
    with working_precision(200):
        density = lambda t: (-t * t / 2).exp() / (2 * arb.pi()).sqrt()  # noqa: E731
        nodes = [arb(k * step) for k in range(-count, count + 1)]
        value = step * sum((density(t) * (c * t).cos() for t in nodes), arb(0))
        layers = [(c * at / 2**j).cosh() for j in range(3)]
        bound = sheared.inner_error(layers, at, step, (count + 0.5) * step)
        gap = abs(value - (-c * c / 2).exp())
        assert gap < bound + 2 * arb(20 * step).erfc()
        assert step < 1.0 or gap > bound / 10**6, "the bound is not tested by this case"


def test_tail_bounds_hold() -> None:
    growth = Growth(arb(2), arb(0.5), arb(0.125))
    with mp.workdps(20):
        f = lambda t: 2 * mp.exp(abs(t) / 2 + t * t / 8)  # noqa: E731
        tail = 2 * mp.quad(lambda t: f(t) * mp.npdf(t), [3, 6, 20])
        assert float(tail) <= float(tails.tail_bound(growth, 3.0)) < 1.001 * float(tail)
        for at in (0.0, 2.5):
            shift = mp.mpf("0.6") * at
            integrand = lambda z, shift=shift: f(shift + mp.mpf("0.8") * z) * mp.npdf(z)  # noqa: E731
            mean = mp.quad(integrand, [-20, 0, 20])
            inner = tails.conditional(growth, arb("0.6"), arb("0.64"))
            assert float(mean) <= float(tails.at_radius(inner, at)) < 3 * float(mean)


def _erf_misses() -> bool:
    """Whether the quadrature of the erf dual, which exercises the correlation form, misses the truth."""
    f = Pieces.of(sp.erf(x))
    with working_precision(200):
        law = (arb(1), arb(1.5), arb(0.75))
        return not double(f, f, *law, 60).overlaps(erf_dual(*law))


def _line_misses() -> bool:
    f = Pieces.of(sp.erf(x))
    with working_precision(200):
        return not single(f, f, arb(1), arb(1), 60).overlaps(erf_dual(arb(1), arb(1), arb(1)))


def _hermite_misses() -> bool:
    with working_precision(200):
        values = hermite(Pieces.of(sp.exp(x)), arb(1), 5, 60)
        truths = [arb(0.5).exp() / arb.fac_ui(n).sqrt() for n in range(6)]
        return not all(v.overlaps(t) for v, t in zip(values, truths, strict=True))


def _relu_misses() -> bool:
    with working_precision(200):
        law = (arb(1), arb(1.5), arb(0.75))
        return not double(RELU, RELU, *law, 60).overlaps(CLOSED["relu"][1](*law))


def _coarse_step(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Steps wider than planned, so that the discretisation error is what matters."""
    honest = trapezoid.Grid.covering
    monkeypatch.setattr(
        trapezoid.Grid, "covering", staticmethod(lambda r, h: honest(r, min(1.0, h * factor)))
    )


@pytest.mark.parametrize("misses", [_erf_misses, _line_misses, _hermite_misses])
def test_discretisation_bound_is_needed(misses, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    _coarse_step(monkeypatch, 2.0)
    assert not misses(), "with its bound the coarse rule still encloses"
    zero = lambda *_: arb(0)  # noqa: E731
    monkeypatch.setattr(trapezoid, "discretisation_bound", zero)
    assert misses(), "without its bound it must be caught"


@pytest.mark.parametrize("misses", [_erf_misses, _line_misses, _hermite_misses, _relu_misses])
def test_tail_bound_is_needed(misses, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(tails, "window", lambda bound, target, start=1.0: 2.5)
    assert not misses(), "with its bound the narrow window still encloses"
    monkeypatch.setattr(tails, "tail_bound", lambda growth, radius: arb(0))
    if misses is not _relu_misses:  # the short sides are as large as the tail: drop them too
        for module in (trapezoid, correlation):
            monkeypatch.setattr(module, "side_integral", lambda *_: arb(0))
    assert misses(), "without its bound it must be caught"


def test_gauss_bound_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _relu_misses()
    monkeypatch.setattr(panels, "gauss_bound", lambda *_: arb(0))
    assert _relu_misses(), "panels without an error bound must be caught"


# ---------------------------------------------------------------------------------------- what is declined


def test_collinear_ball_is_declined() -> None:
    with working_precision(100), pytest.raises(PrecisionError, match="raise the precision"):
        double(TANH, TANH, arb(1), arb(1), arb(1, 1e-20), 60)


def test_zero_variance_is_declined() -> None:
    with working_precision(100), pytest.raises(DomainError):
        single(TANH, TANH, arb(0), arb(1), 60)


def test_pole_on_the_line_is_declined() -> None:
    f = Pieces.of(1 / (x - sp.Rational(3, 10)))
    with working_precision(100), pytest.raises(PrecisionError):
        single(f, f, arb(1), arb(1), 60)


def test_divergent_moment_is_declined() -> None:
    f = Pieces.of(sp.exp(x**2 / 3))
    with working_precision(100), pytest.raises(DomainError, match="grows too fast"):
        single(f, f, arb(1), arb(1), 60)


def test_function_that_is_not_analytic_is_declined() -> None:
    f = Pieces((), (sp.Abs(x),))
    with working_precision(100), pytest.raises(DomainError):
        single(f, f, arb(1), arb(1), 60)


def test_zero_function() -> None:
    zero = Pieces((), (sp.S.Zero,))
    with working_precision(100):
        assert single(zero, TANH, arb(1), arb(1), 60) == 0
        assert double(zero, TANH, arb(1), arb(1), arb(0.5), 60) == 0
        assert all(a == 0 for a in hermite(zero, arb(1), 3, 60))


def test_a_square_is_evaluated_once_even_where_the_variance_is_a_ball(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0
    honest = Scaled.values

    def counted(self: Scaled, points: Sequence[arb]) -> list[arb]:
        nonlocal calls
        calls += len(points) > 100  # the rule itself, not the rough magnitudes before it
        return honest(self, points)

    monkeypatch.setattr(Scaled, "values", counted)
    monkeypatch.setattr(tails, "magnitude", lambda f: arb(1) / 2)
    with working_precision(100):
        q = arb(2) / 3
        assert q.rad() > 0
        single(TANH, TANH, q, arb(1), 90)
        assert calls == 1
        single(TANH, TANH, q, -arb(1), 90)
        assert calls == 3
