"""Power series in the correlation: known coefficients, direct values, tails, zeros, saboteurs."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from flint import arb, arb_series, ctx

from analytic_ntk import Activation, Dense, Enclosure, LayerNorm, Network, Nonlinearity, Residual, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.pair import Pair
from analytic_ntk.series import KernelSeries
from analytic_ntk.systems import ridges
from analytic_ntk.systems import series as series_system
from analytic_ntk.systems.ridges import dual_series, ridges_of
from analytic_ntk.systems.series import Series, coefficients_at
from analytic_ntk.systems.support import ONE, Support, support_of

ALL = activations.all_activations()
QUICK = (
    "relu",
    "gelu",
    "tanh",
    "elu",
    "sin",
    "step",
    "erf",
    "softplus",
    "abs",
    "gaussian",
    "hardtanh",
    "selu",
)


def _relu_unit(depth: int) -> Network:
    """ReLU scaled by sqrt 2 on unit inputs: the network that keeps the norm."""
    layers = [Dense(1, 0)]
    for _ in range(depth):
        layers += [Nonlinearity(activations.relu), Dense(2, 0)]
    return Network(*layers)


def test_relu_depth_one_is_exact() -> None:
    """NNGP 1/pi + rho/2 + rho^2/(2 pi) + rho^4/(24 pi) + ..., NTK sum (1+k) a_k^2 rho^k (classical)."""
    series = _relu_unit(1).series(8)
    nngp = [
        1 / sp.pi,
        sp.Rational(1, 2),
        1 / (2 * sp.pi),
        0,
        1 / (24 * sp.pi),
        0,
        1 / (80 * sp.pi),
        0,
        5 / (896 * sp.pi),
    ]
    ntk = [1 / sp.pi, 1, 3 / (2 * sp.pi), 0, 5 / (24 * sp.pi), 0, 7 / (80 * sp.pi), 0, 45 / (896 * sp.pi)]
    assert all(sp.simplify(c - e) == 0 for c, e in zip(series.nngp, nngp, strict=True))
    assert all(sp.simplify(c - e) == 0 for c, e in zip(series.ntk, ntk, strict=True))
    assert series.zeros("nngp") == series.zeros("ntk") == (3, 5, 7)


def test_relu_depth_two_digits() -> None:
    """Murray et al. 2023, composition of power series; digits by an independent expansion at 250 digits."""
    known = (".685708636282942", ".958113064250629", ".615556872179921", ".183992931602717",
             ".114646273961266", ".0486815362899678")  # fmt: skip
    for value, expected in zip(_relu_unit(2).series(5).ntk, known, strict=True):
        assert isinstance(value, Enclosure)
        assert abs(value.midpoint - Fraction(expected)) < Fraction(1, 10**15)


# ------------------------------------------------------------------------------------ direct values


def _agrees(network: Network, series: KernelSeries, rho: str, variance: str = "1") -> None:
    """The partial sum with its tail against the recursion at one point; both enclosures."""
    xy = sp.Rational(rho) * sp.Rational(variance)
    value = network.at(variance, xy, variance, digits=15)
    for kernel in ("nngp", "ntk"):
        enclosed, direct = series.at(rho, kernel), getattr(value, kernel)
        assert enclosed.overlaps(direct), (kernel, rho)
        if abs(Fraction(rho)) < 1:
            assert enclosed.radius <= Fraction(1, 10**3) * max(abs(direct.midpoint), Fraction(1, 10))


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize(("depth", "bias"), [(1, 0), (3, "1/10")])
def test_series_eq_certified_value(name: str, depth: int, bias: object) -> None:
    network = Network.mlp(ALL[name], depth, "3/2", bias)  # type: ignore[arg-type]
    series = network.series(30, digits=20)
    for rho in ("3/10", "-1/2", "1", "-1"):
        _agrees(network, series, rho)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize(("depth", "bias"), [(1, 0), (2, "1/10"), (2, 0), (5, "1/10")])
def test_series_eq_certified_value_for_the_whole_catalogue(name: str, depth: int, bias: object) -> None:
    weight = "1/20" if name in ("exp", "monomial", "polynomial", "hermite") else "3/2"
    network = Network.mlp(ALL[name], depth, weight, bias)  # type: ignore[arg-type]
    series = network.series(60, digits=20)
    for rho in ("1/10", "-1/2", "4/5", "1", "-1"):
        if depth == 5 and ALL[name].pieces.breakpoints == () and rho not in ("1/10", "1"):
            continue  # two-dimensional quadrature, five layers deep: two points are enough
        _agrees(network, series, rho)


@pytest.mark.parametrize("variance", ["1/4", "3"])
@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "step", "x**2 + x"])
def test_equal_norms_other_than_one(name: str, variance: str) -> None:
    phi = ALL.get(name) or Activation.parse(name)
    for depth in (1, 2):
        network = Network.mlp(phi, depth, "4/5", "1/10" if depth == 2 else 0)
        _agrees(network, network.series(40, 20, variance=variance), "2/5", variance)


def test_a_relu_network_without_bias_scales_with_the_variance() -> None:
    one, four = _relu_unit(2).series(6), _relu_unit(2).series(6, variance=4)
    for small, large in zip(one.enclosures("ntk"), four.enclosures("ntk"), strict=True):
        assert abs(large.midpoint - 4 * small.midpoint) <= large.radius + 4 * small.radius


def test_residual_and_layer_norm() -> None:
    block = Residual(Nonlinearity(activations.tanh), Dense(1, 0))
    network = Network(Dense(1, 0), block, LayerNorm(), Nonlinearity(activations.sin), Dense(2, 0))
    series = network.series(40)
    assert series.nngp_parity == series.ntk_parity == "odd"
    _agrees(network, series, "2/5")


# ------------------------------------------------------------------------------------ zeros and parity


def test_parity_by_depth() -> None:
    """Odd activations keep the kernel odd until a bias enters; an even one makes it even for good."""
    parity = {
        (name, depth, bias): Network.mlp(ALL[name], depth, 1, bias).series(4)
        for name in ("tanh", "gaussian", "relu")
        for depth in (1, 2)
        for bias in (0, 1)
    }
    for (name, depth, bias), series in parity.items():
        expected = {"tanh": "odd", "gaussian": "even", "relu": None}[name] if bias == 0 else None
        assert series.nngp_parity == series.ntk_parity == expected, (name, depth, bias)
        vanishing = {"odd": (0, 2, 4), "even": (1, 3)}.get(expected or "", ())
        if depth == 2:
            assert series.zeros("nngp") == series.zeros("ntk") == vanishing


def test_bias_between_layers() -> None:
    """Only the bias after the even layer: still even. Before it: nothing vanishes."""
    even = Nonlinearity(activations.gaussian)
    after = Network(Dense(1, 0), even, Dense(1, 1), even, Dense(1, 0)).series(5)
    before = Network(Dense(1, 1), even, Dense(1, 0), even, Dense(1, 0)).series(5)
    assert (after.nngp_parity, before.nngp_parity) == ("even", None)
    assert after.zeros("ntk") == (1, 3, 5) and before.zeros("ntk") == ()


@pytest.mark.parametrize("name", sorted(ALL))
def test_proved_zeros_of_the_coefficients_are_zeros(name: str) -> None:
    """The support against the coefficients by quadrature or recurrence, parity not told."""
    for pieces in (ALL[name].pieces, ALL[name].derivative):
        support = support_of(pieces)
        with working_precision(80):
            found = coefficients_at(pieces, 9, arb(5) / 4, None, arb(1))
        for n, value in enumerate(found):
            assert support.has(n) or value.contains(0), (name, n)


def test_saboteur_support_that_claims_too_much() -> None:
    """``x`` on ``x > 0`` may come from ``|x|``: read as a polynomial it would kill what is there."""
    assert support_of(activations.relu.pieces) == Support(even=float("inf"), odd=1)
    with working_precision(80):
        found = coefficients_at(activations.relu.pieces, 4, arb(1), None, arb(1))
    wrong = Support(even=1, odd=1)
    assert any(not wrong.has(n) and not value.contains(0) for n, value in enumerate(found))


def test_supports_compose_like_polynomials() -> None:
    """Random polynomials with a given support: what the calculus says vanishes does."""
    t = sp.Symbol("t")
    shapes = [Support(2, -1), Support(-1, 3), Support(0, 1), Support(2, 1), Support(), ONE]
    for outer in shapes:
        for inner in shapes:
            one, two = (
                sum((sp.Integer(k + 2) * t**k for k in range(4) if s.has(k)), sp.S.Zero)
                for s in (outer, inner)
            )
            composed = sp.Poly(sp.expand(one.subs(t, two)), t)
            product = sp.Poly(sp.expand(one * two), t)
            for support, poly in ((outer.compose(inner), composed), (outer * inner, product)):
                powers = [k for (k,), c in poly.terms() if c != 0]
                assert all(support.has(k) for k in powers), (outer, inner)


def test_polynomials_are_exact_at_any_depth() -> None:
    network = Network.mlp(Activation.parse("x**2 + x"), 2, 1, 1)
    series = network.series(9)
    formula = sp.Poly(sp.expand(network.formula(on="sphere").ntk), network.formula(on="sphere").variables[0])
    assert series.ntk == tuple(formula.nth(k) for k in range(10))
    assert series.zeros("ntk") == tuple(range(5, 10))
    assert series.tail("ntk") < Fraction(1, 10**10) * series.ntk_total.upper


# ------------------------------------------------------------------------------------ size and tail


def test_coefficients_are_not_negative_and_sum_below_the_total() -> None:
    series = Network.mlp(activations.mish, 2, 1, "1/4").series(40)
    for kernel, total in (("nngp", series.nngp_total), ("ntk", series.ntk_total)):
        coefficients = series.enclosures(kernel)
        assert all(c.upper >= 0 for c in coefficients)
        assert sum((c.lower for c in coefficients), Fraction(0)) <= total.upper


def test_the_tail_bound_is_valid_and_tight() -> None:
    """Against the coefficients themselves, computed further out."""
    network = _relu_unit(3)
    short, long = network.series(20), network.series(200)
    for kernel in ("nngp", "ntk"):
        beyond = sum((c.midpoint for c in long.enclosures(kernel)[21:]), Fraction(0))
        low, high = beyond, beyond + long.tail(kernel)
        assert low <= short.tail(kernel) <= high + Fraction(1, 10**25)


def test_order_five_hundred_at_depth_five() -> None:
    """Digits as promised: radii below ``10^-digits`` of the kernel at 1."""
    for name, bias in (("relu", 0), ("tanh", "1/10")):
        series = Network.mlp(ALL[name], 5, "3/2", bias).series(500)
        for kernel, total in (("nngp", series.nngp_total), ("ntk", series.ntk_total)):
            found = series.enclosures(kernel)
            assert max(c.radius for c in found) <= Fraction(1, 10**30) * total.upper
            assert all(c.upper > 0 for c in found)


def test_more_digits_agree_with_fewer() -> None:
    network = Network.mlp(activations.softplus(1), 3, "3/2", "1/10")
    for few, many in zip(network.series(60, 20).ntk, network.series(60, 50).ntk, strict=True):
        assert isinstance(few, Enclosure) and isinstance(many, Enclosure)
        assert few.overlaps(many) and many.radius < Fraction(1, 10**49)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: _relu_unit(1).series(-1), "order"),
        (lambda: _relu_unit(1).series(True), "order"),
        (lambda: _relu_unit(2).series(3, variance=0), "no correlation"),
        (lambda: _relu_unit(2).series(3, variance=-1), "variance"),
        (lambda: _relu_unit(2).series(3, variance=0.5), "float"),
        (lambda: _relu_unit(2).series(3, digits=0), "digits"),
        (lambda: _relu_unit(1).series(3).at(2), "correlation"),
        (lambda: _relu_unit(1).series(3).at("1/2", "nngpp"), "kernel"),
        (lambda: _relu_unit(1).series(3).tail("both"), "kernel"),
        (lambda: Network.mlp(activations.laplace, 9, "3/2", "1/10").series(900), "lower the order"),
    ],
)
def test_bad_input(make: object, words: str) -> None:
    with pytest.raises(DomainError, match=words):
        make()  # type: ignore[operator]


# ------------------------------------------------------------------------------------ the machinery


def test_coefficients_at_a_ball_hold_those_of_every_variance_in_it() -> None:
    """Midpoint and drift against coefficients at the ends of the ball; jumps and kinks included."""
    for name in ("tanh", "step", "relu", "elu", "hardtanh"):
        phi = ALL[name]
        with working_precision(120):
            ball = arb(1, 0.125)
            moment = series_system.Ball().second_moment(phi.pieces, ball)
            wide = coefficients_at(phi.pieces, 12, ball, phi.parity, moment)
            for end in (arb(7) / 8, arb(1), arb(9) / 8):
                thin = coefficients_at(phi.pieces, 12, end, phi.parity, moment)
                assert all(a.overlaps(b) for a, b in zip(wide, thin, strict=True)), name


def test_saboteur_drift_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the drift the midpoint's coefficients miss those at the ends."""
    with working_precision(120):
        pieces = activations.tanh.pieces
        wide = coefficients_at(pieces, 5, arb(1), "odd", arb(1))
        thin = coefficients_at(pieces, 5, arb(9) / 8, "odd", arb(1))
    assert not all(a.overlaps(b) for a, b in zip(wide, thin, strict=True))


def _with_cuts(monkeypatch: pytest.MonkeyPatch, cut: int) -> list[arb]:
    """One layer on a series with constant term, cut where it is told."""
    with working_precision(200):
        before, ctx.cap = ctx.cap, 5
        try:
            monkeypatch.setattr(series_system, "_FIRST_CUT", cut)
            monkeypatch.setattr(series_system._Inner, "enough", lambda self, bits: cut)
            pair = Pair(arb(1), arb(1), arb_series([arb(1) / 2, arb(1) / 2]), arb_series([0]))
            found = Series(4).expectations(activations.softplus(20), pair).q12
            return [found[k] for k in range(5)]
        finally:
            ctx.cap = before


def test_a_missing_tail_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: without the enclosure of what lies beyond the cut, two cuts contradict each other."""
    honest = [_with_cuts(monkeypatch, cut) for cut in (12, 60)]
    assert all(a.overlaps(b) for a, b in zip(*honest, strict=True))
    monkeypatch.setattr(series_system._Inner, "_bounds", lambda self, cut, rest: [arb(0)] * (self.order + 1))
    sabotaged = [_with_cuts(monkeypatch, cut) for cut in (12, 60)]
    assert not all(a.overlaps(b) for a, b in zip(*sabotaged, strict=True))


def test_shift_by_blocks() -> None:
    """``sum_k k y^k`` around 1/3, against the closed form ``z/(1-z)^2`` cut at 3000 terms."""
    with working_precision(200):
        before, ctx.cap = ctx.cap, 6
        try:
            found = series_system._shifted([arb(k) for k in range(3000)], arb(1) / 3, 6)
            z = arb_series([arb(1) / 3, 1])
            expected = z / ((1 - z) * (1 - z))
            assert all(abs(found[k] - expected[k]) < arb(10) ** -40 for k in range(6))
        finally:
            ctx.cap = before


def _two_routes(name: str, start: int) -> list[tuple[arb, arb]]:
    """Both duals along ``c = q (start + rho)/4``: by kinks, and by Hermite coefficients with their tail."""
    phi, q = ALL[name], arb(3) / 2
    with working_precision(160):
        before, ctx.cap = ctx.cap, 9
        try:
            c = arb_series([q * start / 4, q / 4])
            by_kinks = dual_series(phi.pieces, q, c, 8)
            totals = [series_system.Ball().second_moment(f, q) for f in (phi.pieces, phi.derivative)]
            rows = series_system._squares(phi, 400, q, totals[0], totals[1])
            inner = series_system._Inner.of(c / q, 8)
            by_terms = [
                inner.compose(list(row), series_system._rest(total, row))
                for row, total in zip(rows, totals, strict=True)
            ]
            return [(a[k], b[k]) for a, b in zip(by_kinks, by_terms, strict=True) for k in range(9)]
        finally:
            ctx.cap = before


@pytest.mark.parametrize(
    "name", ["relu", "abs", "leaky_relu", "relu6", "hardtanh", "hardsigmoid", "triangle"]
)
def test_kinks_and_hermite_coefficients_agree(name: str) -> None:
    for start in (0, 2):
        for by_kinks, by_terms in _two_routes(name, start):
            assert by_kinks.overlaps(by_terms) and by_kinks.rad() < arb(10) ** -25
            assert by_terms.rad() < arb(10) ** -6


def test_saboteur_a_kink_of_the_wrong_size_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridges, "ridges_of", lambda pieces: ((sp.S.Zero, sp.Rational(999, 1000)),))
    assert not all(one.overlaps(two) for one, two in _two_routes("relu", 2))


def test_which_activations_are_sums_of_kinks() -> None:
    found = {name for name, phi in ALL.items() if ridges_of(phi.pieces)}
    expected = {"relu", "leaky_relu", "prelu", "abs", "relu6", "hardtanh", "hardsigmoid", "triangle"}
    assert found == expected


def test_order_zero_and_constant_kernels() -> None:
    constant = Network.mlp(activations.relu, 2, 0, "1/10").series(5)
    assert constant.zeros("ntk") == (1, 2, 3, 4, 5) and Fraction(1, 10) in constant.enclosures("ntk")[0]
    for name in ("tanh", "relu", "gaussian"):
        network = Network.mlp(ALL[name], 2, 1, 0)
        assert abs(float(network.series(0).enclosures("nngp")[0]) - float(network.at(1, 0, 1).nngp)) < 1e-12
