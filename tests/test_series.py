"""Power series in the correlation: known coefficients, agreement with direct values, tails, saboteurs."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from flint import arb

from analytic_ntk import Activation, Dense, Enclosure, Network, Nonlinearity, activations
from analytic_ntk.systems.series import Series

ALL = activations.all_activations()


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


def test_relu_depth_two_digits() -> None:
    """Murray et al. 2023, composition of power series; digits by an independent expansion at 250 digits."""
    known = (".685708636282942", ".958113064250629", ".615556872179921", ".183992931602717",
             ".114646273961266",             ".0486815362899678")  # fmt: skip
    for value, expected in zip(_relu_unit(2).series(5).ntk, known, strict=True):
        assert isinstance(value, Enclosure)
        assert abs(value.midpoint - Fraction(expected)) < Fraction(1, 10**15)


@pytest.mark.parametrize(
    "name", ["relu", "gelu", "tanh", "softsign", "elu", "sin", "step", "erf", "softplus"]
)
@pytest.mark.parametrize(("depth", "bias"), [(1, 0), (3, "1/10")])
def test_series_eq_certified_value(name: str, depth: int, bias: object) -> None:
    network = Network.mlp(ALL[name], depth, "3/2", bias)  # type: ignore[arg-type]
    series = network.series(30)
    for rho in ("3/10", "-1/2"):
        value = network.at(1, rho, 1, digits=20)
        for kernel in ("nngp", "ntk"):
            enclosed = series.at(rho, kernel)
            assert enclosed.overlaps(getattr(value, kernel))
            assert enclosed.radius < Fraction(1, 10**4)


def test_coefficients_are_not_negative_and_sum_below_the_total() -> None:
    series = Network.mlp(activations.mish, 2, 1, "1/4").series(40)
    for kernel, total in (("nngp", series.nngp_total), ("ntk", series.ntk_total)):
        coefficients = series.enclosures(kernel)
        assert all(c.upper >= 0 for c in coefficients)
        assert sum((c.lower for c in coefficients), Fraction(0)) <= total.upper


def test_polynomials_are_exact_at_any_depth() -> None:
    network = Network.mlp(Activation.parse("x**2 + x"), 2, 1, 1)
    series = network.series(4)
    formula = sp.Poly(sp.expand(network.formula(on="sphere").ntk), network.formula(on="sphere").variables[0])
    assert series.ntk == tuple(formula.nth(k) for k in range(5))
    assert series.tail("ntk") < Fraction(1, 10**10) * series.ntk_total.upper


def test_order_two_hundred_at_depth_five() -> None:
    series = Network.mlp(activations.relu, 5, 2, 0).series(200)
    assert all(c.lower > 0 for c in series.enclosures("ntk"))


def test_a_missing_tail_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: without the enclosure of what lies beyond the cut, two cuts contradict each other."""
    one = arb(1)

    def coefficients(cut: int) -> list[arb]:
        from flint import arb_series, ctx

        from analytic_ntk.arithmetic.precision import working_precision
        from analytic_ntk.pair import Pair

        with working_precision(200):
            before, ctx.cap = ctx.cap, 5
            try:
                line = arb_series([one / 2, one / 2])
                pair = Pair(one, one, line, arb_series([0]))
                found = Series(4, cut).expectations(activations.relu, pair).q12
                return [found[k] for k in range(5)]
            finally:
                ctx.cap = before

    honest = [coefficients(cut) for cut in (12, 60)]
    assert all(a.overlaps(b) for a, b in zip(*honest, strict=True))
    monkeypatch.setattr(Series, "_at", lambda self, ratio, t: arb(0))
    sabotaged = [coefficients(cut) for cut in (12, 60)]
    assert not all(a.overlaps(b) for a, b in zip(*sabotaged, strict=True))
