"""Duals of functions with kinks: jumps in closed form and a short sum, against the definition; saboteurs."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb
from scipy.special import eval_legendre, roots_legendre

from analytic_ntk import Activation, Network, activations, spectrum
from analytic_ntk.arithmetic.bivariate import _plackett, phi2_cdf
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.spectrum import kinks, nodes
from analytic_ntk.spectrum.kinks import Jumps, KinkSum, Plan, kink_sum, plan
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.series import coefficients_at

KINKED = {
    "softsign": activations.softsign,
    "hardtanh": activations.hardtanh,
    "elu": activations.elu(1),
    "step": activations.step,
    "sin and rational": Activation.parse("Piecewise((sin(x), x < 0), (x**2/(1 + x**2), True))"),
    "jump away from 0": Activation.parse("Heaviside(x - 1)*exp(-x)"),
    "three breakpoints": Activation.parse(
        "Piecewise((0, x < -1), (exp(-x), x < 1), (x**2, x < 2), (sin(x), True))"
    ),
}
SLOWER = ("sin and rational", "three breakpoints", "softsign")
CORRELATIONS = ("3/10", "-7/10", "97/100")


def _sum_for(phi: Activation, q: arb, bits: int = 40) -> KinkSum:
    ball = Ball()
    totals = ball.second_moment(phi.pieces, q), ball.second_moment(phi.derivative, q)
    chosen = plan(phi.pieces, q, totals[0], bits)
    assert chosen is not None
    found = kink_sum(phi.pieces, None, q, totals, chosen)
    assert found is not None
    return found


def _by_definition(phi: Activation, q: arb, r: arb, bits: int = 20) -> tuple[arb, arb]:
    """Both duals as double integrals over the plane, by ball quadrature."""
    with working_precision(bits + 30):
        first, second = (quadrature.double(f, f, q, q, q * r, bits) for f in (phi.pieces, phi.derivative))
    return first, second


def _dyadic(text: str) -> arb:
    return arb(round(Fraction(text) * 2**40)) / 2**40


# ------------------------------------------------------------------------------------ against the definition


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("variance", ["1", "21/10"])
def test_dual_eq_double_integral(name: str, variance: str) -> None:
    phi = KINKED[name]
    with working_precision(128):
        q = _dyadic(variance)
        found = _sum_for(phi, q)
        for text in CORRELATIONS[:1] if variance != "1" or name in SLOWER else CORRELATIONS:
            r = _dyadic(text)
            for value, expected in zip(found.at(r), _by_definition(phi, q, r), strict=True):
                assert value.overlaps(expected)
                assert value.rad() < 1e-7 and expected.rad() < 1e-4


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("place", ["0", "-1/2", "2"])
def test_coefficients_of_a_truncated_power(order: int, place: str) -> None:
    """``b_n`` by repeated integrals of the density; the Hermite table's recurrence gives the same."""
    c = sp.Rational(place)
    power = Pieces((c,), (sp.S.Zero, (x - c) ** order / sp.factorial(order)))
    with working_precision(128):
        sizes = [arb(0)] * 4
        sizes[order] = arb(1)
        found, _ = kinks.coefficients_of_jumps([Jumps(c, arb(int(c.p)) / int(c.q), tuple(sizes))], 30)
        for b, a in zip(found, coefficients_at(power, 30, arb(1), None, arb(10)), strict=True):
            assert b.overlaps(a) and b.rad() < 1e-25


def test_quadrants_in_common_eq_plackett() -> None:
    """One value serves ``(c, c), (-c, -c), (c, -c), (-c, c)``; Plackett's integral gives each by itself."""
    with working_precision(128):
        for text in ("3/10", "-4/5", "9/10"):
            r = _dyadic(text)
            known: dict[tuple[sp.Expr, bool], arb] = {}
            places = [Jumps(sp.Integer(c), arb(c), ()) for c in (1, -1)]
            for one in places:
                for other in places:
                    expected = _plackett(-one.place, -other.place, r)
                    assert kinks._quadrant(one, other, r, known).overlaps(expected)
            assert len(known) == 2
            for k in (arb("0.001"), arb(-6), arb(3)):
                assert phi2_cdf(arb(0), k, r).overlaps(_plackett(arb(0), k, r))
                assert phi2_cdf(k, arb(0), r).overlaps(_plackett(k, arb(0), r))


def test_piecewise_polynomials_have_no_rest() -> None:
    with working_precision(128):
        for text in (
            "Max(x, 0)**2",
            "hardtanh",
            "step",
            "Piecewise((x, x < -1), (x**3, x < 1), (2 - x, True))",
        ):
            found = _sum_for(activations.resolve(text), arb(1))
            assert found.rests == (0, 0)


@pytest.mark.parametrize("name", ["softsign", "elu", "jump away from 0"])
def test_a_shorter_sum_is_wider_and_still_right(name: str) -> None:
    phi = KINKED[name]
    with working_precision(160):
        q, r = arb(1), _dyadic("97/100")
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        long = _sum_for(phi, q, 60).at(r)
        chosen = plan(phi.pieces, q, totals[0], 60)
        assert chosen is not None
        for length in (30, 60, 120):
            short = kink_sum(phi.pieces, None, q, totals, replace(chosen, length=length))
            assert short is not None
            values = short.at(r)
            assert all(a.overlaps(b) and a.rad() > b.rad() for a, b in zip(values, long, strict=True))


@pytest.mark.parametrize("q", [1, 4])
def test_rest_bounds_what_is_left_out(q: int) -> None:
    """``sum e_n^2`` and ``sum n e_n^2`` beyond ``N = m - 1``, term by term: below ``R``, not far below."""
    phi = Activation.parse("Piecewise((0, x < 0), (exp(x/4), True))")
    with working_precision(128):
        total = Ball().second_moment(phi.pieces, arb(q))
        chosen = plan(phi.pieces, arb(q), total, 20)
        assert chosen is not None
        jumps = kinks.jumps_of(phi.pieces, chosen.order, arb(q).sqrt())
        b, _ = kinks.coefficients_of_jumps(jumps, 60)
        left = [s - t for s, t in zip(coefficients_at(phi.pieces, 60, arb(q), None, total), b, strict=True)]
        cut = replace(chosen, length=chosen.order - 1)
        for slopes in (False, True):
            beyond = sum((n**slopes * e * e for n, e in enumerate(left) if n > cut.length), arb(0))
            assert beyond < cut.rest(slopes) < 4 * beyond


def test_derivatives_of_long_polynomials_are_formed() -> None:
    """However many terms: a piecewise polynomial has no other plan than all of its derivatives."""
    long = sp.Add(*(x**k / (k + 7) for k in range(100)))
    assert sp.count_ops(long) > kinks.MAX_OPERATIONS
    assert kinks.derivatives(long, 1) == sp.expand(sp.diff(long, x))


# ------------------------------------------------------------------------------------ balls of q and r


@pytest.mark.parametrize("name", ["softsign", "step", "hardtanh"])
@pytest.mark.parametrize("middle", ["1/2", "-9/10", "999/1000"])
def test_balls_hold_the_duals_of_everything_inside(name: str, middle: str) -> None:
    phi = KINKED[name]
    with working_precision(128):
        q, r = arb(1, 1e-3), arb(_dyadic(middle).mid(), 1e-4)
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        held = nodes._moved(_sum_for(phi, arb(1)), totals, q, r)
        for variance in ("1001/1000", "999/1000"):
            inner = _sum_for(phi, _dyadic(variance))
            for shift in (-1, 1):
                at = arb((r.mid() + shift * r.rad() * 0.99).mid())
                for ball, value in zip(held, inner.at(at), strict=True):
                    assert ball.overlaps(value) and ball.rad() < 0.01 / (1 - abs(r.mid()))


@pytest.mark.parametrize("middle", ["1/2", "-9/10", "999/1000"])
def test_the_radius_of_the_correlation_alone_is_enough(middle: str) -> None:
    """With an exact variance nothing else covers what the duals move."""
    phi = activations.hardtanh
    with working_precision(128):
        q, r = arb(1), arb(_dyadic(middle).mid(), 1e-4)
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        found = _sum_for(phi, q)
        held = nodes._moved(found, totals, q, r)
        for shift in (-1, 1):
            at = arb((r.mid() + shift * r.rad() * 0.99).mid())
            assert all(a.overlaps(b) for a, b in zip(held, found.at(at), strict=True))


def test_a_ball_that_reaches_one_is_finite_and_right() -> None:
    phi = activations.softsign
    with working_precision(128):
        q, found = arb(1), _sum_for(phi, arb(1))
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        held = nodes._moved(found, totals, q, arb(1, 1e-9))
        for ball, total, value in zip(held, totals, found.at(1 - arb(2) ** -30), strict=True):
            assert ball.overlaps(total) and ball.overlaps(value) and ball.rad() < 1e-3
        everything = nodes._moved(found, totals, q, arb(-1, 1e-9))
        assert all(
            ball.is_finite() and ball.contains(0) and ball.overlaps(-total)
            for ball, total in zip(everything, totals, strict=True)
        )


# ------------------------------------------------------------------------------------ saboteurs


def _fails(phi: Activation, found: KinkSum, q: arb, r: arb) -> list[bool]:
    honest = _sum_for(phi, q, 60).at(r)
    return [not value.overlaps(truth) for value, truth in zip(found.at(r), honest, strict=True)]


def test_saboteur_missing_rest_is_seen() -> None:
    """The sum cut short without its rest contradicts the long one."""
    phi = activations.softsign
    with working_precision(160):
        q, r = arb(1), _dyadic("97/100")
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        chosen = plan(phi.pieces, q, totals[0], 60)
        assert chosen is not None
        short = kink_sum(phi.pieces, None, q, totals, replace(chosen, length=40))
        assert short is not None and _fails(phi, short, q, r) == [False, False]
        assert _fails(phi, replace(short, rests=(arb(0), arb(0))), q, r) == [True, True]


def test_saboteur_wrong_jump_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jump of the second derivative left out of ``g`` alone: the bound of the rest no longer holds."""
    phi = activations.softsign
    with working_precision(160):
        q, r = arb(1), 1 - arb(2) ** -14
        truth = _sum_for(phi, q, 60).at(r)
        honest = kinks.jumps_of

        def forgetful(pieces: Pieces, order: int, root: arb) -> list[Jumps]:
            found = honest(pieces, order, root)
            return [replace(j, sizes=(*j.sizes[:2], arb(0), *j.sizes[3:])) for j in found]

        monkeypatch.setattr(kinks, "jumps_of", forgetful)
        wrong = _sum_for(phi, q, 60).at(r)
        assert not any(a.overlaps(b) for a, b in zip(wrong, truth, strict=True))


def test_saboteur_radius_of_the_variance_forgotten_is_seen() -> None:
    phi = activations.softsign
    with working_precision(128):
        q, r = arb(1, 1e-3), _dyadic("1/2")
        totals = Ball().second_moment(phi.pieces, q), Ball().second_moment(phi.derivative, q)
        found, inner = _sum_for(phi, arb(1)), _sum_for(phi, _dyadic("1001/1000")).at(r)
        held, forgot = (nodes._moved(found, totals, variance, r) for variance in (q, arb(1)))
        assert all(a.overlaps(b) for a, b in zip(held, inner, strict=True))
        assert not any(a.overlaps(b) for a, b in zip(forgot, inner, strict=True))


# ------------------------------------------------------------------------------------ eigenvalues


def _by_legendre(network: Network, degree: int) -> float:
    """Funk-Hecke on ``S^2`` with the float64 kernel, ``rho = cos t``."""
    places, weights = roots_legendre(200)
    t = np.pi * (places + 1) / 2
    points = np.sqrt(2) * np.stack([np.cos(t), np.sin(t)], axis=1)
    kappa = network.gram(np.sqrt(2) * np.array([[1.0, 0.0]]), points, "ntk")[0]
    weights = weights * np.sin(t) * np.pi / 4
    return float(np.sum(weights * kappa * eval_legendre(degree, np.cos(t))))


@pytest.mark.parametrize(
    "name",
    ["hardtanh", *(pytest.param(name, marks=pytest.mark.slow) for name in ("softsign", "three breakpoints"))],
)
def test_eigenvalues_eq_definition(name: str) -> None:
    network = Network.mlp(KINKED[name], 1, 1, "1/10")
    found = spectrum.sphere(network, 3, 3, digits=9)
    assert found.method == "quadrature" and all(e.digits >= 9 for e in found.enclosures())
    for degree in (1, 3):
        assert abs(found.floats()[degree] - _by_legendre(network, degree)) < 1e-8


@pytest.mark.slow
def test_two_goals_overlap_at_depth_three() -> None:
    network = Network.mlp(activations.softsign, 3, 2, "1/10")
    coarse, fine = (spectrum.sphere(network, 3, 4, digits=digits).enclosures() for digits in (4, 11))
    assert all(a.overlaps(b) for a, b in zip(coarse, fine, strict=True))


def test_digits_out_of_reach_are_refused_soon() -> None:
    """A pole at distance 1 beside a kink: some 20 digits of the kernel, whatever the precision."""
    network = Network.mlp(activations.softsign, 1, 1, 0)
    start = time.process_time()
    with pytest.raises(PrecisionError, match="kernel values to"):
        spectrum.sphere(network, 3, 3, digits=60)
    assert time.process_time() - start < 20


def test_narrow_functions_have_their_digits() -> None:
    """``exp(-50|x|)``: too long a sum; the closed form multiplies ``exp(2500)`` by a ``Phi2`` as small."""
    network = Network.mlp(Activation.parse("exp(-50*Abs(x))"), 1, 1, 0)
    found = spectrum.sphere(network, 3, 2, digits=8)
    assert found.method == "quadrature" and all(e.digits >= 8 for e in found.enclosures())
    for degree in (0, 2):
        assert found.floats()[degree] == pytest.approx(_by_legendre(network, degree), rel=1e-8)


def test_a_function_that_vanishes_where_the_weight_is() -> None:
    """Cut off 14 deviations out: ``E phi^2`` is below what few bits tell from 0."""
    phi = Activation.parse("Piecewise((2*x - 1, x < -sqrt(2)), (0, x < sqrt(2)), (2*x + 1, True))")
    found = spectrum.sphere(Network.mlp(phi, 1, "1/100", 0), dim=2, degree=2, digits=8, kernel="nngp")
    assert found.eigenvalues[1].lower > 0 and found.eigenvalues[0] == found.eigenvalues[2] == 0
    nodes, weights = np.polynomial.legendre.leggauss(200)  # u = 10 (sqrt(2) + s), s from 0 to 1/2
    u = 10 * (np.sqrt(2) + (nodes + 1) / 4)
    tail = np.sum(weights / 4 * 10 * (2 * u / 10 + 1) ** 2 * np.exp(-(u**2) / 2)) / np.sqrt(2 * np.pi)
    assert float(found.trace) == pytest.approx(2 * tail / 100, rel=1e-10)


def test_the_rest_is_attained() -> None:
    """One coefficient left out, ``a = 2``, ``b = 3``: ``|a^2 - b^2| = 5``, the most at ``A = 4, R = 1``."""

    class Known(Plan):
        def rest(self, slopes: bool) -> arb:
            return arb(1)

    with working_precision(80):
        left_out = kinks._sum([arb(1)], (), arb(1), (arb(1 + 2**2), arb(2**2)), Known(1, 0, arb(1)))[2]
        assert all(arb(3**2 - 2**2) <= rest < arb(5) + arb(2) ** -60 for rest in left_out)
