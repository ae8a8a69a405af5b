"""Certified Hermite coefficients against other routes: closed forms, other rules, and plain integrals.

The last witness shares nothing with the package: the expression is walked here, ``h_n`` runs by its own
recurrence in complex balls, and ``acb.integral`` (with the analytic flag) integrates piece by piece; beyond
``R`` it uses ``|f(u)| <= 8 exp(|u|)``, which holds for the whole catalogue, and Cramer's inequality.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import acb, arb, fmpq, fmpz

from analytic_ntk import activations
from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.quadrature import coefficients, fixed, panels, trapezoid
from analytic_ntk.gaussian.quadrature.scaled import Scaled
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite import adaptive
from analytic_ntk.hermite.floating import hermite_floats
from analytic_ntk.hermite.table import coefficient_balls, hermite_table
from analytic_ntk.notation import x

ALL = activations.all_activations()
CANONICAL = [name for name, phi in ALL.items() if terms_of(phi.pieces) is not None]
OTHERS = [name for name in ALL if name not in CANONICAL]
ANALYTIC = [name for name in OTHERS if len(ALL[name].pieces.parts) == 1]
USERS = [
    "Piecewise((tanh(x), x<1),(exp(-x), True))", "sin(20*x)/(1+x^2)", "1/(1+100*x^2)", "log(1+exp(5*x))",
    "atan(20*x)", "tanh(x)*Max(x-3,0)", "sqrt(1+x^2)", "exp(sin(x))", "abs(tanh(x))", "sigmoid(x)^7",
    "exp(-x^4)", "(1+x^2)^(1/3)", "exp(-abs(x))*cos(3*x)*tanh(x)", "tanh(x+10)",
]  # fmt: skip


# ------------------------------------------------------------------------------------ the independent witness


def walk(expr: sp.Expr, z: acb, flag: bool) -> acb:
    """An expression at a complex ball; non-finite where it is not analytic and ``flag`` asks for that."""
    if expr == x:
        return z
    if expr.is_Rational:
        return acb(arb(fmpq(int(expr.p), int(expr.q))))
    if expr is sp.pi:
        return acb(arb.pi())
    if isinstance(expr, sp.Add):
        return sum((walk(a, z, flag) for a in expr.args), acb(0))
    if isinstance(expr, sp.Mul):
        value = acb(1)
        for a in expr.args:
            value = value * walk(a, z, flag)
        return value
    if isinstance(expr, sp.Pow):
        base = walk(expr.base, z, flag)
        if expr.exp.is_Integer:
            value = acb(1)
            for _ in range(abs(int(expr.exp))):
                value = value * base
            return value if expr.exp > 0 else 1 / value
        return (base.log(analytic=flag) * walk(expr.exp, z, flag)).exp()
    (inner,) = (walk(a, z, flag) for a in expr.args)
    if isinstance(expr, sp.log):
        return inner.log(analytic=flag)
    if isinstance(expr, sp.atan):  # off the real line only boxes inside |Im| < 1 are used
        return inner.atan() if abs(inner.imag) < 1 else acb("nan")
    if isinstance(expr, softplus):
        return (1 + inner.exp()).log(analytic=flag)
    if isinstance(expr, sigmoid):
        return 1 / (1 + (-inner).exp())
    if isinstance(expr, sp.tanh):
        return 1 - 2 / ((2 * inner).exp() + 1)
    if isinstance(expr, Phi):
        return (-inner / arb(2).sqrt()).erfc() / 2
    return {sp.exp: acb.exp, sp.sin: acb.sin, sp.cos: acb.cos, sp.erf: acb.erf}[type(expr)](inner)


def polynomial(n: int, z: acb) -> acb:
    """``h_n(z)`` in balls."""
    before, now = acb(0), acb(1)
    for k in range(n):
        before, now = now, (z * now - arb(k).sqrt() * before) / arb(k + 1).sqrt()
    return now


def integral(pieces: Pieces, q: str, n: int, bits: int = 100) -> arb:
    """``a_n`` from the definition, with a proved error."""
    with working_precision(bits + 60 + 8 * n):
        scale = exact_ball(sp.Rational(q)).sqrt()

        def outside(radius: int) -> arb:
            gap = (arb(radius) / 2 - scale).erfc() * arb.pi().sqrt() * (scale * scale).exp()
            return arb("17.4") * gap / (2 * arb.pi()).sqrt()

        radius = next(r for r in range(1, 10_000) if outside(r) < arb(2) ** -bits)
        cuts = [exact_ball(b) / scale for b in pieces.breakpoints]
        total = arb(0, outside(radius))
        for part, (low, high) in zip(pieces.parts, pairwise([arb(-radius), *cuts, arb(radius)]), strict=True):
            total += _piece(part, low, high, scale, n, bits)
        return total


def _piece(part: sp.Expr, low: arb, high: arb, scale: arb, n: int, bits: int) -> arb:
    caught: list[BaseException] = []

    def integrand(z: acb, flag: bool) -> acb:
        try:
            return walk(part, scale * z, flag) * polynomial(n, z) * (-z * z / 2).exp()
        except BaseException as error:
            caught.append(error)
            return acb("nan")

    total = acb(0)
    edges = [low] + [low + (high - low) * k / 8 for k in range(1, 8)] + [high]
    for a, b in pairwise(edges):
        total += acb.integral(
            integrand, acb(a), acb(b), abs_tol=arb(2) ** -bits, rel_tol=arb(2) ** -bits, eval_limit=100_000
        )
    if caught:
        raise caught[0]
    return total.real / (2 * arb.pi()).sqrt()


def agree(ours: list[arb], theirs: dict[int, arb]) -> bool:
    """Whether all enclosures meet."""
    return all(ours[n].overlaps(value) for n, value in theirs.items())


def balls(name: str, q: str, order: int, bits: int = 240) -> list[arb]:
    phi = activations.resolve(name) if name not in ALL else ALL[name]
    with working_precision(bits):
        return coefficient_balls(phi.pieces, terms_of(phi.pieces), order, sp.Rational(q), phi.parity)


# ------------------------------------------------------------------------------------ the sums


def plain_sums(points: list[arb], weights: list[arb], order: int) -> list[arb]:
    return [
        sum((w * polynomial(n, acb(p)).real for p, w in zip(points, weights, strict=True)), arb(0))
        for n in range(order + 1)
    ]


def nodes_and_weights(short: bool, radius: int) -> tuple[list[arb], list[arb]]:
    rng = random.Random(radius)
    bits = 20 if short else 200
    points = [arb(fmpz(rng.randint(-(radius << bits), radius << bits))) * arb(2) ** -bits for _ in range(12)]
    return points, [(rng.random() - 0.5) * (-p * p / 2).exp() for p in points]


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("radius", [1, 5, 30])
def test_fixed_point_sums_eq_ball_recurrence(short: bool, radius: int) -> None:
    order, target = 60, arb(2) ** -150
    with working_precision(1500):
        points, weights = nodes_and_weights(short, radius)
        expected = plain_sums(points, weights, order)
        found = fixed.hermite_sums(points, weights, order, target)
    assert all(a.overlaps(b) for a, b in zip(found, expected, strict=True))
    assert all(a.rad() < target for a in found)
    with working_precision(1500):  # saboteur: the smallest fault the check must see
        assert not (found[7] + 2 * target).overlaps(expected[7])


def test_saboteur_a_wrong_factor_in_the_recurrence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fixed._scales
    monkeypatch.setattr(
        fixed, "_scales", lambda order: [*right(order)[:-1], right(order)[-1] * (1 + arb(2) ** -130)]
    )
    with working_precision(600):
        points, weights = nodes_and_weights(True, 5)
        found = fixed.hermite_sums(points, weights, 10, arb(2) ** -200)
        expected = plain_sums(points, weights, 10)
    assert [a.overlaps(b) for a, b in zip(found, expected, strict=True)] == [True] * 10 + [False]


def errors_grow(place: float, start: int, last: int) -> list[float]:
    """``|e_n|`` of the solution with ``e_{start-1} = 0, e_start = 1``."""
    before, now, found = 0.0, 1.0, [1.0]
    for n in range(start, last):
        before, now = now, (place * now - np.sqrt(n) * before) / np.sqrt(n + 1)
        found.append(abs(now))
    return found


@pytest.mark.parametrize("place", [0.0, 0.3, 1.0, 1.9, 2.0, 3.7, 6.0, 9.5, 15.0])
def test_error_growth_le_bound(place: float) -> None:
    """The lemma behind the fixed-point sums, sampled; without its exponential it is false."""
    worst = max(max(errors_grow(place, m, 400)) for m in range(0, 200, 3))
    factor = 9 * np.sqrt(place**2 / 4 + 2)
    assert worst <= factor * np.exp((1 + np.log(4)) / 8 * place**2)
    assert fixed.BITS_PER_SQUARE >= (1 + np.log(4)) / 8 / np.log(2)
    if place >= 9:
        assert worst > factor * np.exp(place**2 / 6)


# ------------------------------------------------------------------------------------ two routes meet


@pytest.mark.parametrize("name", CANONICAL)
def test_closed_form_meets_quadrature(name: str) -> None:
    phi = ALL[name]
    for q in ("1/10", "1"):
        with working_precision(200):
            rule = quadrature.hermite(phi.pieces, exact_ball(sp.Rational(q)), 60, 150, phi.parity)
        assert agree(balls(name, q, 60), dict(enumerate(rule))), q


@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.parametrize("q", ["1/1000", "10"])
def test_trapezoid_meets_panels(name: str, q: str) -> None:
    two_rules(name, q, 120, 120)


@pytest.mark.slow
@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.parametrize("q", ["1/1000", "1", "1000"])
def test_trapezoid_meets_panels_at_order_1000(name: str, q: str) -> None:
    two_rules(name, q, 1000, 200)


def two_rules(name: str, q: str, order: int, goal: int) -> None:
    phi = ALL[name]
    with working_precision(goal + 40):
        f = Scaled(phi.pieces, exact_ball(sp.Rational(q)).sqrt())
        one = coefficients.hermite_trapezoid(f, order, goal, phi.parity)
        other = panels.hermite_panels(f, order, goal)  # without the parity: all nodes
        assert agree(one, dict(enumerate(other)))
        size = abs(one[0]).max(abs(one[1])).max(abs(one[2]))
        assert all(v.rad() < size * arb(2) ** (6 - goal) for v in (*one, *other))


@pytest.mark.parametrize("name", OTHERS)
def test_coefficients_meet_integral(name: str) -> None:
    meet_integral(name, "1", (0, 1, 8), 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ALL, *USERS])
@pytest.mark.parametrize("q", ["1/10", "1", "7"])
def test_coefficients_meet_integral_everywhere(name: str, q: str) -> None:
    meet_integral(name, q, (0, 1, 2, 17, 40), 90)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), [("tanh", 199), ("softsign", 200), ("mish", 150), ("arctan", 101)])
def test_high_coefficients_meet_integral(name: str, n: int) -> None:
    meet_integral(name, "1", (n,), 120)


def meet_integral(name: str, q: str, orders: tuple[int, ...], bits: int) -> None:
    phi = activations.resolve(name) if name not in ALL else ALL[name]
    expected = {n: integral(phi.pieces, q, n, bits) for n in orders}
    assert all(value.rad() < arb(2) ** (10 - bits) for value in expected.values())
    assert agree(balls(name, q, max(orders)), expected)


def test_saboteur_a_fault_of_1e_40_is_caught() -> None:
    found = balls("tanh", "1", 5)
    expected = {5: integral(ALL["tanh"].pieces, "1", 5, 160)}
    assert agree(found, expected)
    with working_precision(240):
        found[5] += arb(10) ** -40
    assert not agree(found, expected)


def test_saboteur_a_strip_too_wide_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of height 3 holds poles of tanh at i pi/2: the proved error is wrong, and the law sees it."""
    expected = {n: integral(ALL["tanh"].pieces, "1", n, 100) for n in (1, 3)}
    monkeypatch.setattr(trapezoid, "height", lambda f, radius, cap: min(cap, 3.0))
    monkeypatch.setattr(trapezoid, "SHARES", (1.0,))
    assert not agree(balls("tanh", "1", 3, 120), expected)


@pytest.mark.parametrize(("name", "n"), [("tanh", 9), ("silu", 6), ("softsign", 3), ("sqrt(1+x^2)", 4)])
def test_coefficients_agree_with_mpmath(name: str, n: int) -> None:
    """A numeric witness, without certificate."""
    phi = activations.resolve(name)
    function = sp.lambdify(x, phi.expression.replace(sigmoid, lambda z: 1 / (1 + sp.exp(-z))), "mpmath")
    with mpmath.workdps(30):

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            h = mpmath.hermite(n, z / mpmath.sqrt(2)) / mpmath.sqrt(mpmath.mpf(2) ** n * mpmath.factorial(n))
            return function(z) * h * mpmath.npdf(z)

        expected = mpmath.quad(integrand, [-16, -8, -4, -2, 0, 2, 4, 8, 16])
        value = mpmath.mpf(phi.hermite_table(n, 25).rows[n].value.decimal(25))
        assert abs(value - expected) < mpmath.mpf(10) ** -20


# ------------------------------------------------------------------------------------ digits


@pytest.mark.parametrize("name", ["tanh", "softsign", "sigmoid(x)^7"])
@pytest.mark.parametrize("q", ["1/1000", "1000"])
def test_digits_asked_are_delivered(name: str, q: str) -> None:
    digits = 30
    table = activations.resolve(name).hermite_table(60, digits, q)
    size = float(table.second_moment) ** 0.5
    for row in table.rows:
        if row.value.digits < digits:
            assert abs(row.value.midpoint) + row.value.radius <= 10.0**-digits * size
        assert row.value.radius <= 10.0**-digits * size


def test_digits_of_tiny_coefficients() -> None:
    """At variance 1/1000 the coefficients fall by 1e-80: all keep their digits."""
    rows = activations.tanh.hermite_table(60, 30, "1/1000").rows
    assert abs(rows[59].value.midpoint) < 10**-60
    assert all(row.value.digits >= 30 for row in rows if row.n % 2)


def test_precision_error_says_what_was_reached() -> None:
    def stuck() -> list[arb]:
        return [arb(1, 1e-12), arb(1) / 3]

    with pytest.raises(PrecisionError) as caught:
        adaptive.certified_values(stuck, arb(1), 30, "the coefficients")
    assert caught.value.reached == 11

    def unbounded() -> list[arb]:
        raise PrecisionError("no bound", "a bound")

    with pytest.raises(PrecisionError, match="no bound"):
        adaptive.certified_values(unbounded, arb(1), 30, "the coefficients")


def test_zero_function() -> None:
    table = hermite_table(Pieces.of(sp.S.Zero), 5)
    assert all(row.value.radius == 0 == row.value.midpoint for row in table.rows)


@pytest.mark.parametrize("order", [-1, 10_001, True, 2.0, "3", None])
def test_bad_order(order: object) -> None:
    with pytest.raises(DomainError, match="order"):
        hermite_table(ALL["tanh"].pieces, order)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="order"):
        hermite_floats(ALL["tanh"].pieces, order)  # type: ignore[arg-type]


@pytest.mark.parametrize("variance", [sp.S.Zero, sp.Integer(-1), 1, 0.5, sp.Symbol("q")])
def test_bad_variance(variance: object) -> None:
    with pytest.raises(DomainError, match="variance"):
        hermite_floats(ALL["relu"].pieces, 3, variance)


@pytest.mark.parametrize("digits", [0, -3, True, 30.0, 10**6])
def test_bad_digits(digits: object) -> None:
    with pytest.raises(DomainError, match="digits"):
        hermite_table(ALL["tanh"].pieces, 3, digits)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ floats


def within(found: object, certified: Callable[[int], arb], order: int, shift: float = 0.0) -> bool:
    """Whether every stated error holds."""
    with working_precision(300):
        return all(
            abs(arb(float(v) + shift) - certified(n)).upper() <= arb(float(e)) * (1 + arb(2) ** -20)
            for n, (v, e) in enumerate(zip(found.values, found.error, strict=True))  # type: ignore[attr-defined]
            if n <= order
        )


@pytest.mark.parametrize(
    "name", ["tanh", "softsign", "mish", "relu", "elu", "relu6", "gelu_tanh", "sinusoid"]
)
@pytest.mark.parametrize("q", ["1/10", "1", "20"])
def test_float_errors_hold(name: str, q: str) -> None:
    phi = ALL[name]
    found = hermite_floats(phi.pieces, 150, sp.Rational(q), phi.parity)
    exact = balls(name, q, 150, 400)
    assert within(found, exact.__getitem__, 150)
    assert not within(found, exact.__getitem__, 150, shift=2.0**-40)
    size = float(phi.hermite_table(2, 10, q).second_moment) ** 0.5
    assert np.all(found.error <= 2.0**-52 * np.abs(found.values) + 2.0**-59 * size)


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_float_errors_hold_at_order_10000(name: str) -> None:
    phi = ALL[name]
    found = hermite_floats(phi.pieces, 10_000, parity=phi.parity)
    assert found.values.shape == (10_001,) and np.all(np.isfinite(found.values))
    assert np.all(found.error <= 2.0**-52 * np.abs(found.values) + 2.0**-59 * 2)
    # Parseval: the squares sum to E phi^2 from below
    moment = float(phi.hermite_table(0, 20).second_moment)
    assert -1e-13 < moment - float(np.sum(found.values**2)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("q", ["1/1000", "1", "1000"])
def test_floats_of_the_catalogue_at_order_10000(name: str, q: str) -> None:
    phi = ALL[name]
    if not (phi.max_variance - sp.Rational(q)).is_positive:
        return
    found = hermite_floats(phi.pieces, 10_000, sp.Rational(q), phi.parity)
    assert np.all(np.isfinite(found.values)) and np.all(np.isfinite(found.error))
    exact = balls(name, q, 300, 2000)
    assert within(found, exact.__getitem__, 300)


def test_floats_beyond_float64_are_refused() -> None:
    with pytest.raises(DomainError, match="float64"):
        hermite_floats(Pieces.of(sp.exp(x)), 3, sp.Integer(2000))


def test_floats_of_a_function_of_size_1e_minus_20() -> None:
    """``erf(x) - erf(x + h)``: mean -h E erf'(Z) to first order, E erf'(Z) = 2/sqrt(3 pi)."""
    found = activations.resolve("erf(x) - erf(x + 10^-20)").hermite_floats(5)
    expected = -1e-20 * 2 / np.sqrt(3 * np.pi)
    assert abs(found.values[0] - expected) <= found.error[0] + 1e-35  # of expected itself, in float64
    assert np.all(found.error < 1e-34)


def test_a_phase_that_grows_along_the_sides() -> None:
    """``cos(x^3)``: ``exp(3 R^2 y)`` on the short sides of the contour, which a wide step does not outrun.

    The witness, a plain float sum over 8801 nodes, has rounding errors only: the integrand is entire.
    """
    found = [row.value for row in activations.resolve("cos(x^3)").hermite_table(12, 40).rows]
    z = np.arange(-4400, 4401) / 400
    values = np.cos(z**3) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / 400
    for n in (0, 2, 10, 12):
        hermite = np.polynomial.hermite_e.hermeval(z, np.eye(13)[n]) / math.sqrt(math.factorial(n))
        assert abs(float(found[n].midpoint) - float(values @ hermite)) < 1e-12  # 8801 terms of rounding each
        assert found[n].digits >= 40
    pieces = Pieces.of(sp.cos(x**3))
    with working_precision(260):  # the rule by itself: panels hide its failure at few digits
        square = trapezoid.single_trapezoid(Scaled(pieces, arb(1)), Scaled(pieces, arb(1)), 200)
    wanted = float((np.cos(z**3) ** 2 * np.exp(-z * z / 2)).sum() / np.sqrt(2 * np.pi) / 400)
    assert float(square.rad()) < 1e-55 and abs(float(square) - wanted) < 1e-12
