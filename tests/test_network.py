"""Networks: golden values, agreement of the number systems, layers, and every refusal."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp

from analytic_ntk import (
    Activation,
    Dense,
    Enclosure,
    LayerNorm,
    Network,
    Nonlinearity,
    Residual,
    activations,
    bounds,
    certificate,
    exactly,
    finite_width,
    large,
    spectrum,
)
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.notation import q11, q12, q22, rho, x
from analytic_ntk.pair import Pair
from analytic_ntk.positivity import decide, decide_gram, min_eigenvalue
from analytic_ntk.systems import ball as ball_system
from tests import witness

ALL = activations.all_activations()
NEVER_TABULATED = {
    text: Activation.parse(text)
    for text in (
        "x*erf(x)", "Piecewise((sin(x), x<0),(x**2/(1+x**2), True))", "Max(x,0)**3 - Max(-x,0)/2",
        "erf(2*x+1)",
        "exp(-Abs(x))*cos(3*x)",
    )
}  # fmt: skip


def close(value: Enclosure, expected: str, digits: int) -> bool:
    return abs(value.midpoint - Fraction(expected)) + value.radius < Fraction(1, 10**digits)


# ------------------------------------------------------------------------------------- golden values
# Unit inputs at 60 degrees, S_1 = <x, y>, no bias. ReLU scaled by sqrt 2 is weight variance 2 after the
# first layer; depth 2 by mpmath at 40 digits; erf and GELU by mpmath.quad of the definition.


def _unit_network(name: str, depth: int, gain: int) -> Network:
    layers = [Dense(1, 0)]
    for _ in range(depth):
        layers += [Nonlinearity(ALL[name]), Dense(gain, 0)]
    return Network(*layers)


@pytest.mark.parametrize(
    ("name", "depth", "gain", "expected"),
    [
        ("relu", 2, 2, "1.3514795611234831631"),
        ("erf", 1, 1, ".44142597497806197705"),
        ("gelu", 1, 1, ".39842853625171308775"),
    ],
)
def test_golden_ntk_at_sixty_degrees(name: str, depth: int, gain: int, expected: str) -> None:
    assert close(_unit_network(name, depth, gain).at(1, "1/2", 1, digits=25).ntk, expected, 19)


def test_relu_ntk_depth_one_is_exact() -> None:
    value = _unit_network("relu", 1, 2).formula(on="sphere").ntk.subs(rho, sp.Rational(1, 2))
    assert sp.simplify(value - (sp.Rational(2, 3) + sp.sqrt(3) / (2 * sp.pi))) == 0


def test_hexagon_eigenvalues() -> None:
    """ReLU, unit hexagon, L = 2, no bias (Carvalho et al. 2024): a null vector (1, -1, 1, -1, 1, -1)."""
    angles = np.arange(6) * np.pi / 3
    X = np.sqrt(2.0) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    K = _unit_network("relu", 1, 2).gram(X)
    root = np.sqrt(3) / np.pi
    expected = np.sort([8 / 3 + 2 * root, 3, 3, 5 / 3 - root, 5 / 3 - root, 0])
    assert np.allclose(np.linalg.eigvalsh(K), expected, atol=1e-14)
    assert np.abs(K @ np.array([1, -1, 1, -1, 1, -1])).max() < 1e-14


# ------------------------------------------------------------------------------- agreement of the systems

CASES = [(1, 1, 0), (2, "3/2", "1/10")]


@pytest.mark.parametrize("name", [*ALL, *NEVER_TABULATED])
@pytest.mark.parametrize(("depth", "weight", "bias"), CASES)
def test_number_systems_agree(name: str, depth: int, weight: object, bias: object) -> None:
    """Exact, certified, float64 and series say the same about one pair; float64 to 1e-12 (its promise)."""
    phi = ALL.get(name) or NEVER_TABULATED[name]
    network = Network.mlp(phi, depth, weight, bias)  # type: ignore[arg-type]
    scale = sp.Rational(1, 8) if name in ("exp", "polynomial", "monomial", "hermite") else sp.S.One
    certified = network.at(scale, scale * sp.Rational(3, 10), scale, digits=25)
    assert certified.nngp.digits >= 25
    assert certified.ntk.digits >= 25
    formula = network.formula()
    if formula.is_closed:
        values = {q11: scale, q22: scale, q12: scale * sp.Rational(3, 10)}
        for kernel in ("nngp", "ntk"):
            assert formula.evaluate(kernel, values, digits=25).overlaps(getattr(certified, kernel))
    length = float(sp.sqrt(2 * scale))
    cosine = 0.3
    X = length * np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]])
    exact = network.certified([exactly(v) for v in X[0]], [exactly(v) for v in X[1]], digits=20)
    for kernel in ("nngp", "ntk"):
        K = network.gram(X, kernel=kernel)
        assert abs(K[0, 1] - float(getattr(exact, kernel))) < 1e-12 * np.sqrt(K[0, 0] * K[1, 1])
    if scale == 1:
        series = network.series(12)
        for kernel in ("nngp", "ntk"):
            assert series.at("3/10", kernel).overlaps(getattr(certified, kernel))


@pytest.mark.parametrize("name", [*(name for name in ALL if name != "exp"), *NEVER_TABULATED])
def test_certified_eq_recursion_of_the_definition(name: str) -> None:
    """Two hidden layers written out with the independent integrals of the witness.

    Relative 1e-9, the witness's error at these variances; exp, whose second layer has variance 50, is
    beyond its window and is tested against its closed form elsewhere.
    """
    phi = ALL.get(name) or NEVER_TABULATED[name]
    w, b = 1.5, 0.1
    pieces, slope = phi.pieces, phi.derivative

    def whole(cut: object) -> sp.Expr:
        branches = [(p, x < t) for p, t in zip(cut.parts, cut.breakpoints, strict=False)]  # type: ignore[attr-defined]
        return sp.Piecewise(*branches, (cut.parts[-1], True))  # type: ignore[attr-defined]

    f, g, breaks = whole(pieces), whole(slope), pieces.float_breakpoints
    q, c = w + b, w * 0.3 + b
    theta = c
    for _ in range(2):
        dual = witness.dual(f, f, q, q, c, breaks)
        slopes = witness.dual(g, g, q, q, c, breaks)
        q, c = w * witness.second_moment(f, f, q, breaks) + b, w * dual + b
        theta = c + w * slopes * theta
    values = Network.mlp(phi, 2, "3/2", "1/10").at(1, "3/10", 1, digits=20)
    assert abs(float(values.nngp) - c) < 1e-9 * q
    assert abs(float(values.ntk) - theta) < 1e-9 * max(q, theta)


STRATA = (0.0, 4.5e-8, 1e-6, 1e-3, 0.5, 2.0, np.pi - 1e-3, np.pi - 1e-6, np.pi - 4.5e-8)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        *((name, depth) for name in ("relu", "step", "erf", "gelu", "sin") for depth in (1, 3)),
        ("elu", 1), ("tanh", 1), ("softsign", 1),
        *(pytest.param(name, 3, marks=SLOW) for name in ("elu", "tanh", "softsign", "mish", "hardswish")),
    ],
)  # fmt: skip
def test_float64_by_strata(name: str, depth: int) -> None:
    """1e-12 relative to sqrt(K(x,x) K(y,y)) at every angle down to 4.5e-8 (1 - rho = 1e-15), norms apart."""
    X = np.array([[r * np.cos(t), r * np.sin(t)] for t in STRATA for r in (0.05, 1.5)] + [[0.0, 0.0]])
    network = Network.mlp(ALL[name], depth, "3/2", "1/10")
    for kernel in ("nngp", "ntk"):
        K = network.gram(X, kernel=kernel)
        assert np.array_equal(K, K.T)
        for i, j in (
            (1, 3),
            (0, 2),
            (1, 5),
            (1, 7),
            (1, 9),
            (1, 11),
            (1, 13),
            (1, 15),
            (1, 17),
            (0, 17),
            (0, 1),
            (1, 18),
        ):
            value = network.certified([exactly(v) for v in X[i]], [exactly(v) for v in X[j]], digits=16)
            assert abs(K[i, j] - float(getattr(value, kernel))) < 1e-12 * np.sqrt(K[i, i] * K[j, j])


def test_float64_without_the_gap_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: the gap recomputed from rounded covariances loses half the digits near rho = 1."""
    from analytic_ntk.systems.float64 import Float64

    def cancelled(self: Float64, pair: Pair, scale: float, shift: float, shift_is_zero: bool) -> np.ndarray:
        first, second, cross = (scale * q + shift for q in (pair.q11, pair.q22, pair.q12))
        return np.maximum(np.sqrt(first * second) - np.abs(cross), 0.0)

    X = np.array([[1.0, 0.0], [np.cos(4.5e-8), np.sin(4.5e-8)]])
    network = Network.mlp(activations.relu, 2, 2, 0)
    exact = network.certified([exactly(v) for v in X[0]], [exactly(v) for v in X[1]], digits=20)
    assert abs(network.gram(X)[0, 1] - float(exact.ntk)) < 1e-14
    monkeypatch.setattr(Float64, "gap_after_affine", cancelled)
    assert abs(network.gram(X)[0, 1] - float(exact.ntk)) > 1e-9


def test_duplicates_zero_rows_and_cross_grams() -> None:
    X = np.array([[0.3, -1.2], [0.3, -1.2], [0.0, 0.0], [-0.3, 1.2], [0.6, -2.4]])
    for name in ("relu", "tanh", "elu"):
        network = Network.mlp(ALL[name], 3, 2, "1/5")
        K = network.gram(X)
        assert np.array_equal(K[0], K[1])
        assert K[0, 1] == K[0, 0]
        assert np.allclose(network.gram(X, X[::-1].copy()), K[:, ::-1], rtol=1e-14)
    zero = Network.mlp(activations.relu, 2, 2, 0).gram(np.zeros((2, 3)))
    assert np.array_equal(zero, np.zeros((2, 2)))


# ------------------------------------------------------------------------------------------- layers


def test_residual_adds_kernels() -> None:
    """Skip connection against the recursion written out with arc-cosine kernels (He et al. 2016)."""
    branch = Residual(Nonlinearity(activations.relu), Dense(2, 0))
    network = Network(Dense(1, 0), branch, branch, Dense(1, "1/3"))
    values = network.at(1, "1/2", 1, digits=20)

    def step(q: float, c: float, t: float) -> tuple[float, float, float]:
        theta = np.arccos(c / q)
        k0, k1 = (np.pi - theta) / np.pi, q * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi
        return 2 * q, c + k1, t + (k1 + k0 * t)

    state = step(*step(1.0, 0.5, 0.5))
    assert abs(float(values.nngp) - (state[1] + 1 / 3)) < 1e-14
    assert abs(float(values.ntk) - (state[1] + 1 / 3 + state[2])) < 1e-14
    X = np.sqrt(2) * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    assert abs(network.gram(X)[0, 1] - float(values.ntk)) < 1e-14
    assert network.series(40).at("1/2").overlaps(values.ntk)


def test_layer_norm_normalises() -> None:
    network = Network(Dense(3, "1/2"), LayerNorm(), Nonlinearity(activations.erf), Dense(1, 0))
    values = network.at(2, "1/2", 1, digits=20)
    cosine = 2.0 / np.sqrt(6.5 * 3.5)
    assert abs(float(values.nngp) - 2 / np.pi * np.arcsin(2 * cosine / 3)) < 1e-14
    X = np.array([[2.0, 0.0], [0.5, np.sqrt(2 - 0.25)]])
    exact = network.certified([exactly(v) for v in X[0]], [exactly(v) for v in X[1]], digits=20)
    assert abs(network.gram(X)[0, 1] - float(exact.ntk)) < 1e-14


def test_different_activations_per_layer() -> None:
    network = Network.mlp([activations.relu, activations.tanh], 2, 1, 0)
    assert network.activations == (activations.relu, activations.tanh)
    assert network != Network.mlp([activations.tanh, activations.relu], 2, 1, 0)


# --------------------------------------------------------------------------------- certified digits


def test_five_hundred_digits_where_closed() -> None:
    value = Network.mlp(activations.gelu, 3, 1, 1).at(1, "1/3", 1, digits=500)
    again = Network.mlp(activations.gelu, 3, 1, 1).at(1, "1/3", 1, digits=520)
    assert value.ntk.digits >= 500
    assert value.ntk.overlaps(again.ntk)
    assert again.ntk.radius < value.ntk.radius


def test_hundred_digits_of_tanh_at_depth_three() -> None:
    network = Network.mlp(activations.tanh, 3, 1, 1)
    value, again = network.at(1, "1/3", 1, digits=100), network.at(1, "1/3", 1, digits=110)
    assert value.ntk.digits >= 100
    assert value.ntk.overlaps(again.ntk)


@pytest.mark.parametrize("name", ["relu", "hardtanh", "tanh"])
def test_collinear_inputs(name: str) -> None:
    """Duplicates, antipodes, proportional and zero inputs agree with float64, which treats them otherwise."""
    network = Network.mlp(ALL[name], 3, "3/2", 0)
    X = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [3.0, 6.0], [0.0, 0.0]])
    K = network.gram(X)
    for j in range(5):
        value = network.certified([1, 2], [exactly(v) for v in X[j]], digits=15)
        assert abs(K[0, j] - float(value.ntk)) <= 1e-13 * K[0, 0]


def test_near_duplicates_far_below_float64() -> None:
    """1 - rho = 1e-40, ReLU at depth 10: eight digits are lost a layer, and precision makes up for it."""
    one = Fraction(1)
    near = Network.mlp(activations.relu, 10, 2, 0).at(one, one - Fraction(1, 10**40), one, digits=30)
    same = Network.mlp(activations.relu, 10, 2, 0).at(1, 1, 1, digits=30)
    assert near.ntk.digits >= 30
    assert near.ntk.upper < same.ntk.lower


def test_a_fat_enclosure_does_not_pass_for_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: a second moment with a radius of 1e-10 never delivers 20 digits, and says how many it has."""
    original = ball_system.Ball.second_moment

    def fat(self, f, q):  # type: ignore[no-untyped-def]
        from flint import arb

        return original(self, f, q) + arb(0, 1e-10)

    monkeypatch.setattr(ball_system.Ball, "second_moment", fat)
    with pytest.raises(PrecisionError) as caught:
        Network.mlp(activations.relu, 2, 1, 0).at(1, "1/2", 1, digits=20)
    assert 5 <= caught.value.reached <= 12


# ---------------------------------------------------------------------------- formulas and duals


def test_formula_with_symbols_throughout() -> None:
    w, b, alpha = (
        sp.Symbol("w", positive=True),
        sp.Symbol("b", nonnegative=True),
        sp.Symbol("alpha", real=True),
    )
    formula = Network.mlp(activations.leaky_relu(alpha), 1, w, b).formula()
    assert formula.is_closed
    assert {w, b, alpha} <= formula.ntk.free_symbols
    number = formula.ntk.subs(
        {w: 2, b: sp.Rational(1, 10), alpha: sp.Rational(1, 5), q11: 1, q22: 2, q12: sp.Rational(1, 2)}
    )
    value = Network.mlp(activations.leaky_relu("1/5"), 1, 2, "1/10").at(1, "1/2", 2, digits=20)
    assert abs(float(number) - float(value.ntk)) < 1e-14
    assert "\\arccos" in formula.latex()


def test_dual_object_differentiates_by_price_and_evaluates() -> None:
    tanh = Dual.of(sp.tanh(x), sp.tanh(x), q11, q22, q12)
    point = {q11: sp.S.One, q22: sp.Rational(3, 2), q12: sp.Rational(2, 5)}
    assert sp.diff(tanh, q12) == Dual.of(1 - sp.tanh(x) ** 2, 1 - sp.tanh(x) ** 2, q11, q22, q12)
    value = float(tanh.subs(point).evalf(25))
    assert abs(value - witness.dual(sp.tanh(x), sp.tanh(x), 1.0, 1.5, 0.4)) < 1e-12
    step = 1e-4
    for symbol in (q11, q22, q12):
        slope = float(sp.diff(tanh, symbol).subs(point).evalf(20))
        ends = []
        for sign in (1, -1):
            moved = {s: float(v) + (sign * step if s == symbol else 0) for s, v in point.items()}
            ends.append(witness.dual(sp.tanh(x), sp.tanh(x), moved[q11], moved[q22], moved[q12]))
        assert abs(slope - (ends[0] - ends[1]) / (2 * step)) < 1e-7
    assert "mathbb{E}" in sp.latex(tanh)
    with pytest.raises(NoClosedFormError, match="jump"):
        sp.diff(Dual.of(sp.sign(x), sp.sign(x), q11, q22, q12), q12)


def test_dual_object_has_a_power_series() -> None:
    """sympy's own series works through Price's theorem: the coefficient of rho is the square of E phi'."""
    dual = Dual.of(sp.tanh(x), sp.tanh(x), sp.S.One, sp.S.One, rho)
    polynomial = sp.series(dual, rho, 0, 4).removeO()
    assert polynomial.coeff(rho, 0) == polynomial.coeff(rho, 2) == 0
    a_1 = Fraction(".60570550960215882558")  # mpmath.quad at 60 digits
    assert abs(Fraction(str(sp.N(polynomial.coeff(rho, 1), 25))) - a_1**2) < Fraction(1, 10**18)


def test_why_there_is_no_closed_form() -> None:
    formula = Network.mlp(activations.tanh, 1, 1, 0).formula()
    assert not formula.is_closed
    assert "tanh(x)" in formula.reason
    assert Network.mlp(activations.erf, 1, 1, 0).formula().reason == ""


def test_values_are_plain_data() -> None:
    value = Network.mlp(activations.relu, 1, 2, 0).at(1, "1/2", 1)
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(value) == hash(pickle.loads(pickle.dumps(value)))


# -------------------------------------------------------------------------------------- refusals

RELU = Network.mlp(activations.relu, 1, 2, 0)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Network.mlp(activations.relu, 0, 1, 0), "depth"),
        (lambda: Network.mlp(activations.relu, 1.0, 1, 0), "depth"),
        (lambda: Network.mlp(activations.relu, 1, -1, 0), "variance >= 0"),
        (lambda: Network.mlp(activations.relu, 1, 1, "-1/2"), "variance >= 0"),
        (lambda: Network.mlp(activations.relu, 1, 1.5, 0), "float"),
        (lambda: Network.mlp([activations.relu], 2, 1, 0), "one activation per hidden layer"),
        (lambda: Network.mlp("relu", 1, 1, 0), "activation"),
        (lambda: Network(), "at least one Dense"),
        (lambda: Network(Nonlinearity(activations.relu)), "Dense as first layer"),
        (lambda: Network(Dense(1, 0), Nonlinearity(activations.relu)), "last layer"),
        (
            lambda: Network(Dense(1, 0), Nonlinearity(activations.relu), Nonlinearity(activations.relu)),
            "Gaussian",
        ),
        (lambda: Network(Dense(1, 0), Nonlinearity(activations.relu), LayerNorm(), Dense(1, 0)), "Gaussian"),
        (lambda: Residual(Nonlinearity(activations.relu)), "does not end in Dense"),
        (lambda: RELU.at(1, 0.5, 1), "float"),
        (lambda: RELU.at(1, 2, 1), "Cauchy-Schwarz"),
        (lambda: RELU.at(-1, 0, 1), "squared norm"),
        (lambda: RELU.at(1, 0, 1, digits=0), "digits"),
        (lambda: RELU.at(1, sp.Symbol("c"), 1), "number"),
        (lambda: RELU.certified([1, 2], [1]), "one length"),
        (lambda: RELU.certified([0.5], [1]), "float"),
        (lambda: RELU.formula(on="cube"), "sphere"),
        (lambda: RELU.gram([[1.0, float("nan")]]), "finite"),
        (lambda: RELU.gram([1.0, 2.0]), "matrix"),
        (lambda: RELU.gram([[1j]]), "dtype"),
        (lambda: RELU.gram(np.zeros((0, 2))), "at least one row"),
        (lambda: RELU.gram(np.eye(2), np.eye(3)), "dimensions"),
        (lambda: RELU.gram(np.eye(2), kernel="both kernels"), "kernel"),
        (lambda: RELU.gram(np.eye(2) * 1e200), "float64 can hold"),
        (lambda: Network.mlp(ALL["exp"], 3, 2, 0).gram(np.eye(2) * 30), "float64"),
        (lambda: Network.mlp(Activation.parse("exp(x**2/3)"), 1, 2, 0).at(1, 0, 1), "3/4"),
        (lambda: Network.mlp(Activation.parse("exp(x**2/3)"), 1, 2, 0).gram(np.eye(2) * 2), "3/4"),
        (lambda: Network.mlp(Activation.parse("exp(x**2/3)"), 1, 2, 0).series(3), "3/4"),
        (lambda: Network.mlp(Activation.parse("Max(x,0)+alpha*Min(x,0)"), 1, 1, 0).at(1, 0, 1), "parameters"),
        (lambda: Network(Dense(1, 0), LayerNorm(), Dense(1, 0)).gram([[0.0], [1.0]]), "zero input"),
        (lambda: RELU.series(-1), "order"),
        (lambda: RELU.series(3).at(2), "correlation"),
    ],
)
def test_refusals(call: object, match: str) -> None:
    with pytest.raises(DomainError, match=match):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    "given", [activations.relu, "relu", None, 3], ids=["activation", "text", "none", "integer"]
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda n: decide(n, 3),
        lambda n: decide_gram(n, np.eye(3)),
        lambda n: min_eigenvalue(n, np.eye(3)),
        lambda n: bounds.lower_bound(n, np.eye(3)),
        lambda n: certificate.of_gram(n, np.eye(3)),
        lambda n: spectrum.sphere(n, 3, 4),
        lambda n: spectrum.decay(n, 3),
        lambda n: finite_width.sample(n, 3, 8, np.random.default_rng(0)),
        lambda n: finite_width.agreement(n, np.eye(3), width=8, draws=10, rng=0),
        lambda n: finite_width.monte_carlo(n, np.eye(3), width=8, draws=10, rng=0),
        lambda n: finite_width.gradient_flow(n, np.eye(3), np.ones(3)),
        lambda n: large.write_gram(n, np.eye(3), "never-written.npy"),
        lambda n: large.solve_ridge(n, np.eye(3), np.ones(3), ridge=1),
        lambda n: large.gram_operator(n, np.eye(3)),
        lambda n: large.layer_features(n, 8),
    ],
)
def test_an_activation_is_no_network(ask: Callable[[Any], object], given: object) -> None:
    with pytest.raises(DomainError, match="required: a Network; what to do: "):
        ask(given)
