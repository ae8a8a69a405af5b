"""Deep limits: fixed points, phases, lengths and the edge of chaos, against float64 quadrature, deep
networks and the literature; saboteurs."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from flint import arb

from analytic_ntk import Activation, Enclosure, Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.meanfield import (
    Phase,
    VarianceMap,
    chi_1,
    correlation_length,
    deep_limit,
    edge_variance,
    fixed_points,
    phase,
    tune,
)
from analytic_ntk.meanfield import fixed as fixed_module
from analytic_ntk.meanfield.interpolation import Moments, MomentsBetween, Monotone
from analytic_ntk.report.meanfield_plot import correlation_curve, edge_curve, phase_figure

ALL = activations.all_activations()
GRID = np.linspace(-12.0, 12.0, 20_000)
DENSITY = np.exp(-(GRID**2) / 2) / math.sqrt(2 * math.pi) * (GRID[1] - GRID[0])


def _mean(values: np.ndarray) -> float:
    """E f(Z) by the trapezoidal rule on 20,000 points (0 is none): 1e-7 at kinks, 1e-14 if smooth."""
    return float(np.sum(values * DENSITY))


def _variance(phi: Activation, w: float, b: float, q: float) -> float:
    return w * _mean(phi(math.sqrt(q) * GRID) ** 2) + b


def _iterated(phi: Activation, w: float, b: float, start: float, layers: int = 300) -> float:
    """The definition: layer after layer."""
    q = start
    for _ in range(layers):
        q, before = _variance(phi, w, b, q), q
        if abs(q - before) < 1e-12 * q:
            break
    return q


# ------------------------------------------------------------------------------------ fixed points


@pytest.mark.parametrize(
    ("name", "w", "b"),
    [("tanh", "3/2", "1/20"), ("erf", "3", "0"), ("gelu", "3/2", "1/20"), ("selu", "1/2", "1/2"),
     ("softsign", "2", "1/10"), ("gaussian", "5", "1/10"), ("step", "2", "1/10"), ("relu", "1", "1/2")],
)  # fmt: skip
def test_the_stable_fixed_point_is_where_iteration_goes(name: str, w: str, b: str) -> None:
    found = fixed_points(ALL[name], w, b)
    (point,) = [p for p in found.points if p.stable]
    limit = _iterated(ALL[name], float(Fraction(w)), float(Fraction(b)), 1.0)
    assert abs(float(point.value) - limit) < 1e-6
    assert not found.undecided


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "softplus", "laplace", "cos"])
def test_slopes_are_differences_of_the_map(name: str) -> None:
    """``V'(q*)`` against a central difference of the definition."""
    for point in fixed_points(ALL[name], 2, "1/5").points:
        q, h = float(point.value), 1e-4
        difference = _variance(ALL[name], 2, 0.2, q + h) - _variance(ALL[name], 2, 0.2, q - h)
        assert abs(_number(point.slope) - difference / (2 * h)) < 1e-6


def test_every_sign_change_is_found() -> None:
    """A map with several fixed points: all crossings on a fine float64 grid, and no others."""
    phi = Activation.parse("6*x^3*exp(-x^2) + x/3")
    grid = np.geomspace(1e-3, 90, 400)
    for w in ("1/2", "1", "3/2"):
        gaps = np.array([_variance(phi, float(Fraction(w)), 0.01, q) - q for q in grid])
        crossings = grid[1:][np.sign(gaps[1:]) != np.sign(gaps[:-1])]
        found = [float(p.value) for p in fixed_points(phi, w, "1/100", digits=12).points]
        assert len(found) == len(crossings)
        assert np.allclose(found, crossings, rtol=3e-2)


def test_homogeneous_activations_are_solved_exactly() -> None:
    half = sp.Rational(1, 2)
    assert fixed_points(activations.relu, 2, 0).every
    assert fixed_points(activations.relu, 2, 1).points == ()
    assert fixed_points(activations.relu, 3, 1).points == ()
    (point,) = fixed_points(activations.relu, 1, "1/3").points
    assert (point.value, point.slope, point.stable) == (sp.Rational(2, 3), half, True)
    zero, one = fixed_points(activations.monomial(3), 1, 0).points
    assert (zero.value, zero.stable) == (0, True)
    assert (one.value, one.slope, one.stable) == (sp.sqrt(15) / 15, 3, False)
    low, high = fixed_points(activations.monomial(3), "3/2", "1/100").points  # not radicals: enclosed
    for point in (low, high):
        assert isinstance(point.value, Enclosure) and point.value.radius < Fraction(1, 10**30)
        q = float(point.value)
        assert abs(22.5 * q**3 + 0.01 - q) < 1e-15
        assert abs(_number(point.slope) - 67.5 * q * q) < 1e-13


def test_zero_is_a_fixed_point_only_without_bias_and_jump() -> None:
    assert [p.value for p in fixed_points(activations.tanh, "1/2", 0).points] == [0]
    assert all(p.value != 0 for p in fixed_points(activations.tanh, "1/2", "1/9").points)
    assert [p.value for p in fixed_points(activations.sign, 1, 0).points] == [1]
    assert all(p.value != 0 for p in fixed_points(activations.softplus(1), "1/2", 0).points)


def test_what_cannot_be_decided_is_said() -> None:
    """tanh at w = 1: V(q) < q by a margin that vanishes at 0; nothing is claimed there."""
    found = fixed_points(activations.tanh, 1, 0, digits=10)
    assert [(p.value, p.stable) for p in found.points] == [(0, None)]
    assert found.undecided and found.undecided[0][0] == 0 and found.undecided[-1][1] < Fraction(1, 10)


def test_enclosures_hold_more_digits() -> None:
    (few,) = fixed_points(activations.erf, 2, "1/3", digits=12).points
    (many,) = fixed_points(activations.erf, 2, "1/3", digits=60).points
    assert isinstance(few.value, Enclosure) and isinstance(many.value, Enclosure)
    assert many.value in few.value and many.value.digits >= 60
    q = sp.Float(str(many.value.decimal(60)), 60)
    residue = 2 * (2 / sp.pi) * sp.asin(2 * q / (1 + 2 * q)) + sp.Rational(1, 3) - q  # Williams 1997
    assert abs(sp.N(residue, 60)) < sp.Float("1e-57")


# ------------------------------------------------------------------------------------ cells


@pytest.mark.parametrize("name", ["tanh", "gelu", "gaussian", "relu6", "exp", "hardtanh"])
def test_enclosures_on_a_cell_hold_the_values_inside(name: str) -> None:
    system = VarianceMap.of(ALL[name], "3/2", "1/10")
    with working_precision(80):
        for low, high in ((0.25, 0.375), (1.0, 1.0625), (2.0, 4.0)):
            ends = arb(low), arb(high)
            gap, slope = system.between(*ends, system.moments(ends[0]), system.moments(ends[1]))
            for q in np.linspace(low, high, 7):
                point = arb(float(q))
                assert gap.overlaps(system.at(point) - point)
                assert slope.overlaps(system.slope(point))


def test_saboteur_a_law_that_is_too_strong_is_caught() -> None:
    """If ``M`` itself were monotone (it is not: exp(-x^2)) the enclosure would miss."""
    system = VarianceMap.of(activations.gaussian, 1, 0)
    with working_precision(80):
        low, high, middle = (arb(q) for q in (0.25, 1.0, 0.5))
        inside = system.moments(middle)[0]
        ends = [system.moments(q)[0] for q in (low, high)]
        assert not inside >= ends[0]  # it falls: "at least the value at the left end" is false
        root = (high / low).sqrt()
        assert ends[0] / root <= inside <= ends[1] * root


@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "gaussian", "relu6", "exp", "hardtanh", "sign"])
def test_moments_between_two_variances_are_those_computed_there(name: str) -> None:
    system = VarianceMap.of(ALL[name], 1, 0)
    with working_precision(80):
        for low, high in ((0.25, 0.375), (1.0, 1.5), (2.0, 2.5)):
            ends = arb(low), arb(high)
            between = MomentsBetween.of(*ends, *(system.moments(q) for q in ends))
            for q in map(arb, np.linspace(low, high, 6).tolist()):
                truth, found = system.moments(q), between.at(q)
                assert all(f.overlaps(m) for f, m in zip(found, truth, strict=True))
                assert found[0].rad() < truth[0] / 50 and found[1].rad() < truth[1] / 4


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_completely_monotone_function_is_enclosed(order: int) -> None:
    """``1/s``, the transform of 1, between 1 and 3/2: derivatives ``(-1)^k k!/s^(k+1)``."""
    with working_precision(200):
        low, high = arb(1), arb(3) / 2
        ends = ([(-1) ** k * math.factorial(k) / s ** (k + 1) for k in range(order)] for s in (low, high))
        reciprocal = Monotone.of(low, high, *ends)
        radii = []
        for s in (arb(tenths) / 10 for tenths in range(10, 16)):
            found = reciprocal.at(s)
            assert found.contains(1 / s)
            radii.append(found.rad())
        assert max(radii) < arb(10) ** -order * 2


def test_saboteur_a_function_that_is_not_completely_monotone_escapes() -> None:
    with working_precision(200):
        low, high, middle = arb(1), arb(3), arb(2)
        ends = ([s.sin(), s.cos(), -s.sin()] for s in (low, high))
        assert not Monotone.of(low, high, *ends).at(middle).overlaps(middle.sin())


def test_few_expectations_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SiLU keeps ``V - q`` near 0 up to 100: halving alone takes over a hundred places."""
    places: list[arb] = []
    honest = VarianceMap.moments

    def noted(self: VarianceMap, q: arb) -> Moments:
        places.append(q)
        return honest(self, q)

    monkeypatch.setattr(VarianceMap, "moments", noted)
    with working_precision(fixed_module.SEARCH_BITS):
        brackets, undecided = fixed_module._search(VarianceMap.of(activations.silu, 2, "1/10"), 0.01, 100.0)
    assert len(brackets) == 1 and not undecided and len(places) < 30


def test_saboteur_a_map_off_by_one_percent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the first test refutes fixed points of a map that is 1 % too large."""
    honest = VarianceMap.at
    monkeypatch.setattr(VarianceMap, "at", lambda self, q: honest(self, q) * 101 / 100)
    with working_precision(fixed_module.SEARCH_BITS):
        brackets, _ = fixed_module._search(VarianceMap.of(activations.erf, 3, 0), 0.01, 100.0)
    limit = _iterated(activations.erf, 3.0, 0.0, 1.0)
    found = [fixed_module._refine(VarianceMap.of(activations.erf, 3, 0), b, 12) for b in brackets]
    assert all(abs(float(p.value) - limit) > 1e-3 for p in found)


# ------------------------------------------------------------------------------------ phases


@pytest.mark.parametrize(
    ("name", "w", "b", "expected"),
    [
        ("relu", "2", "0", Phase.EDGE),  # He et al. 2015
        ("relu", "1", "1/2", Phase.ORDER),
        ("leaky_relu", "20000/10001", "0", Phase.EDGE),  # 2/(1 + alpha^2)
        ("abs", "1", "0", Phase.EDGE),
        ("identity", "1", "0", Phase.EDGE),
        ("tanh", "1/2", "0", Phase.ORDER),
        ("tanh", "3", "1/10", Phase.CHAOS),  # Poole et al. 2016: chaos at large weights
        ("tanh", "3", "10", Phase.ORDER),  # and order again at large bias
        ("erf", "3", "1/10", Phase.CHAOS),
        ("sin", "3", "1/10", Phase.CHAOS),
        ("sign", "1", "0", Phase.CHAOS),
        ("step", "2", "1/10", Phase.CHAOS),
        ("gelu", "3/2", "1/10", Phase.ORDER),
        ("sigmoid", "2", "1", Phase.ORDER),
    ],
)
def test_phases(name: str, w: str, b: str, expected: Phase) -> None:
    assert phase(ALL[name], w, b) is expected


def test_the_edge_is_claimed_only_where_it_is_exact() -> None:
    w, b = tune(activations.erf)
    assert phase(activations.erf, w, b, variance=1) is Phase.EDGE
    near = sp.Rational(1, 10**12)
    assert phase(activations.relu, 2 - near, near / 2) is Phase.ORDER
    assert phase(activations.tanh, 1, 0, variance=0) is Phase.EDGE
    for tiny in (sp.Rational(1, 2**60), sp.exp(-200)):
        assert phase(activations.relu, 2 - tiny, 1) is not Phase.EDGE
        assert chi_1(activations.relu, 2 + tiny, 1) != 1
    for text in ("tanh(x)", "x + x^3/10", "sinh(x)"):  # V'(0) = 1: 0 attracts in the first only
        with pytest.raises(UndecidedError):
            phase(Activation.parse(text), 1, 0)
    assert phase(activations.tanh, 1 - near, 0, variance=0) is Phase.ORDER


def test_chi_one_of_known_duals() -> None:
    assert chi_1(activations.relu, 2, "1/3") == 1
    assert chi_1(activations.tanh, 3, 0) == 3
    assert chi_1(activations.step, 1, 1) is sp.oo
    for q in (Fraction(1, 4), Fraction(3)):  # E erf'^2 = (4/pi)/sqrt(1 + 4 q), Williams 1997
        value = chi_1(activations.erf, 1, q)
        assert abs(float(value) - 4 / math.pi / math.sqrt(1 + 4 * q)) < 1e-15


# ------------------------------------------------------------------------------------ the deep limit


@pytest.mark.parametrize(
    ("name", "w", "b", "depth"),
    [("erf", "3", "1/10", 60), ("gelu", "3/2", "1/10", 50), ("sin", "3", "1/10", 40), ("relu", "1", "1", 90)],
)
def test_deep_limit_eq_a_deep_network(name: str, w: str, b: str, depth: int) -> None:
    """Float64 kernels of a network of this depth: correlation, variance and NTK of two inputs."""
    limit = deep_limit(ALL[name], w, b)
    inputs = np.array([[1.2, 0.4, -0.3], [-0.2, 0.9, 1.1]])
    nngp, ntk = Network.mlp(ALL[name], depth, w, b).gram(inputs, kernel="both")
    assert abs(nngp[0, 0] / float(limit.variance) - 1) < 1e-6
    correlation = nngp[0, 1] / math.sqrt(nngp[0, 0] * nngp[1, 1])
    assert abs(correlation - float(limit.correlation)) < 2e-3
    assert abs(ntk[0, 1] / float(limit.ntk) - 1) < 2e-2


def test_correlation_of_tanh_against_the_definition() -> None:
    """Poole et al. 2016, figure 2: chaotic tanh; iterate C on a tensor grid."""
    limit = deep_limit(activations.tanh, 3, "1/10", digits=15)
    q = float(limit.variance)
    z = np.linspace(-8, 8, 201)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])

    def correlate(c: float) -> float:
        u = math.sqrt(q) * z
        v = math.sqrt(q) * (c * z[:, None] + math.sqrt(1 - c * c) * z[None, :])
        return (3 * float(weight * np.tanh(u) @ (np.tanh(v) @ weight)) + 0.1) / q

    c = 0.9
    for _ in range(300):
        c = correlate(c)
    assert abs(c - float(limit.correlation)) < 1e-10
    slope = (correlate(c + 1e-4) - correlate(c - 1e-4)) / 2e-4
    assert abs(slope - float(limit.chi_c)) < 1e-6
    assert abs(float(limit.correlation_length) + 1 / math.log(slope)) < 1e-3


def test_correlation_of_sign_is_the_arcsine_map() -> None:
    """C(c) = (w (2/pi) asin c + b)/(w + b); its slope counts the jump."""
    limit = deep_limit(activations.sign, 1, "1/2")
    c = 0.5
    for _ in range(2000):
        c = (2 / math.pi * math.asin(c) + 0.5) / 1.5
    assert abs(c - float(limit.correlation)) < 1e-12
    assert abs(2 / math.pi / math.sqrt(1 - c * c) / 1.5 - float(limit.chi_c)) < 1e-12
    assert limit.chi_1 is sp.oo and abs(float(limit.ntk) - 1.5 * c) < 1e-12  # the NTK sees phi' = 0


def test_lengths() -> None:
    """-1/log of the slopes (Schoenholz et al. 2017, equations 7 and 8)."""
    limit = deep_limit(activations.relu, 1, 1)
    assert limit.correlation_length == limit.variance_length == 1 / sp.log(2)
    assert correlation_length(activations.relu, 2, 0) is sp.oo
    assert deep_limit(activations.identity, 1, 0).correlation is None
    for w in ("17/10", "18/10"):  # longer near the edge, about w = 1.76 at b = 1/20
        assert float(correlation_length(activations.tanh, w, "1/20", digits=10)) > 20


# ------------------------------------------------------------------------------------ the edge


@pytest.mark.parametrize(
    "name", ["tanh", "erf", "gelu", "silu", "elu", "sin", "relu", "hardtanh", "softsign"]
)
def test_tuned_networks_keep_variance_and_slope(name: str) -> None:
    """The definition in float64: V(1) = 1 and w E phi'^2 = 1."""
    phi = ALL[name]
    w, b = (float(v) for v in tune(phi, variance=1, digits=15))
    assert abs(_variance(phi, w, b, 1.0) - 1) < 1e-6
    h = 1e-5
    slopes = (phi(GRID + h) - phi(GRID - h)) / (2 * h)
    assert abs(w * _mean(slopes**2) - 1) < 1e-3  # the spacing of the grid, at a jump of phi'


def test_known_edges() -> None:
    assert tune(activations.relu) == tune(activations.relu, variance=7) == (2, 0)
    assert tune(activations.relu, bias_variance=0) == (2, 0)
    assert tune(activations.leaky_relu("1/2"))[0] == sp.Rational(8, 5)  # 2/(1 + alpha^2), He et al. 2015
    assert tune(activations.tanh, bias_variance=0) == (1, 0)  # Schoenholz et al. 2017
    assert tune(activations.identity) == (1, 0)


def test_tanh_with_bias_against_scipy() -> None:
    """sigma_b^2 = 1/20: the curve of Schoenholz et al. 2017, by root finding in float64."""
    from scipy.optimize import brentq

    def gap(q: float) -> float:
        t = np.tanh(math.sqrt(q) * GRID)
        return q - _mean(t**2) / _mean((1 - t**2) ** 2) - 0.05

    q = brentq(gap, 0.01, 5, xtol=1e-14)
    weight, bias = tune(activations.tanh, bias_variance="1/20")
    assert bias == sp.Rational(1, 20)
    assert abs(float(edge_variance(activations.tanh, "1/20")) - q) < 1e-11
    assert abs(float(weight) - 1 / _mean((1 - np.tanh(math.sqrt(q) * GRID) ** 2) ** 2)) < 1e-11
    assert isinstance(weight, Enclosure) and weight.digits >= 30


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tune(activations.sign), "jump"),
        (lambda: tune(Activation.parse("3")), "constant"),
        (lambda: tune(activations.sigmoid), "bias variance would be"),
        (lambda: tune(activations.tanh, variance=1, bias_variance=0), "one of the two"),
        (lambda: tune(activations.tanh, variance=0), "variance"),
        (lambda: tune(activations.tanh, variance=0.5), "float"),
        (lambda: tune(activations.relu, bias_variance=1), "0"),
        (lambda: tune(activations.tanh, bias_variance=-1), ">= 0"),
        (lambda: tune(activations.exp, variance="inf"), "unknown name"),
        (lambda: tune("tanh"), "Activation"),
        (lambda: fixed_points(activations.tanh, 0, 0), "weight_variance"),
        (lambda: fixed_points(activations.tanh, 1.5, 0), "float"),
        (lambda: fixed_points(activations.tanh, 1, "-1/2"), "bias_variance"),
        (lambda: fixed_points(activations.tanh, 1, 0, digits=True), "digits"),
        (lambda: fixed_points(activations.tanh, 1, 0, largest=0), "largest"),
        (lambda: fixed_points(activations.tanh, 2, 0, largest=10**400), "at most 10\\^300"),
        (lambda: fixed_points(Activation.parse("a*x"), 1, 0), "parameters"),
        (lambda: deep_limit(activations.relu, 3, 0), "0 fixed points"),
        (lambda: deep_limit(activations.tanh, 3, 0, variance=1), "fixed point"),
        (lambda: deep_limit(activations.relu, 1, 1, variance=0), "fixed point"),
        (lambda: chi_1(activations.tanh, 1, -1), "variance"),
        (lambda: chi_1(Activation.parse("exp(x^2/3)"), 1, 1), "infinite"),
        (lambda: tune(Activation.parse("exp(x^2/3)"), variance=2), "infinite"),
    ],
)
def test_bad_input(call: Callable[[], object], words: str) -> None:
    with pytest.raises(DomainError, match=words):
        call()


def test_an_unproved_fixed_point_is_not_believed() -> None:
    """A rational within 1e-70 of the fixed point is not refuted by balls, and not accepted."""
    found = fixed_points(activations.tanh, 2, "1/10", digits=80).points[0].value
    assert isinstance(found, Enclosure)
    with pytest.raises(UndecidedError):
        deep_limit(activations.tanh, 2, "1/10", variance=found.midpoint, digits=15)


# ------------------------------------------------------------------------------------ plots


def test_the_phase_diagram_separates_the_phases() -> None:
    """Networks a little to either side of the drawn edge are proved ordered and chaotic."""
    edge = edge_curve(activations.erf, points=5)
    for w, b in zip(edge.x[2:], edge.y[2:], strict=True):
        bias = sp.Rational(round(b * 10**6), 10**6)
        assert phase(activations.erf, sp.Rational(round(w * 97), 100), bias) is Phase.ORDER
        assert phase(activations.erf, sp.Rational(round(w * 103), 100), bias) is Phase.CHAOS


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "phases.png"
    phase_figure(activations.erf, [(1, "1/10"), (3, "1/10")]).savefig(path)
    assert path.stat().st_size > 10_000
    curve, limit = correlation_curve(activations.erf, 3, "1/10")
    crossing = np.interp(float(limit.correlation), curve.x, curve.y)
    assert abs(crossing - float(limit.correlation)) < 2e-3
    with pytest.raises(DomainError, match="fixed point 0"):
        correlation_curve(activations.tanh, "1/2", 0)
    with pytest.raises(DomainError, match="jump"):
        edge_curve(activations.sign)
