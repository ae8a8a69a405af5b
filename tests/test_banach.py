"""The pairing of data and step against the network, its neighbourhood, and gradient descent replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import acb, arb, fmpq
from mpmath import mp
from numpy.typing import NDArray
from typer.testing import CliRunner

from analytic_ntk import Activation, LayerNorm, Network, Nonlinearity, Residual, activations, cli
from analytic_ntk.arithmetic.interpret import compile_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, FiniteNetwork
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity
from analytic_ntk.notation import x
from analytic_ntk.theory import banach
from analytic_ntk.theory.banach import balls, certified, obstacles, remainder, singular
from analytic_ntk.theory.banach import pairing as features_module
from analytic_ntk.theory.banach import sequence as replay_module
from analytic_ntk.theory.banach.kernel import largest_step_norms
from analytic_ntk.theory.jets import taylor_coefficients

Array = NDArray[np.float64]

SMOOTH = (
    "tanh",
    "erf",
    "gelu",
    "softplus",
    "sin",
    "gelu_tanh",
    "x^3 - x",
    "mish",
    "1/(1+x^2)",
    "sqrt(1+x^2)",
)


def sampled(
    name: str, depth: int, width: int = 5, seed: int = 0, dim: int = 3, bias: str = "1/10"
) -> FiniteNetwork:
    network = Network.mlp(activations.resolve(name), depth, 1, bias)
    return network.sample(width, np.random.default_rng(seed), dim)


def data(rows: int = 4, dim: int = 3, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, dim))


def step_of(finite: FiniteNetwork, size: float, seed: int = 2) -> Array:
    return size * np.random.default_rng(seed).standard_normal(finite.size)


def change_of(finite: FiniteNetwork, X: Array, step: Array) -> Array:
    return np.asarray(finite.with_parameters(finite.parameters + step)(X) - finite(X))


def at(finite: FiniteNetwork, order: int) -> banach.Features:
    return banach.features(finite, finite.parameters, order)


# ------------------------------------------------------------------------------------ the pairing


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", SMOOTH)
def test_pairing_is_the_change(name: str, depth: int) -> None:
    finite, X = sampled(name, depth), data()
    step = step_of(finite, 0.1)
    assert np.abs(at(finite, 40).pairing(X, step) - change_of(finite, X, step)).max() < 1e-14


def test_several_outputs_and_other_parameters() -> None:
    finite = Network.mlp(activations.tanh, 2, 2, "1/2").sample([4, 6, 3], np.random.default_rng(0), 2)
    X, params = data(5, 2), np.random.default_rng(5).standard_normal(finite.size)
    step = step_of(finite, 0.05)
    found = banach.features(finite, params, 25).pairing(X, step)
    assert found.shape == (5, 3)
    assert np.abs(found - change_of(finite.with_parameters(params), X, step)).max() < 1e-14


def dense(network: FiniteNetwork) -> list[FiniteDense]:
    """The layers with parameters."""
    return [unit for unit in network.units if isinstance(unit, FiniteDense)]


def by_hand(
    finite: FiniteNetwork, X: Array, step: Array, order: int, factorial: Callable[[int], Any]
) -> Array:
    """One hidden layer in 40 digits from mpmath's own derivatives of tanh: the definition, nothing shared."""
    first, last = dense(finite)
    changed = dense(finite.with_parameters(step))
    s, t = first.weight_scale, last.weight_scale
    found = []
    with mp.workdps(40):
        for row in X:
            total = mp.mpf(0)
            for r in range(first.omega.shape[1]):
                z = s * mp.fdot(row, first.omega[:, r])
                u = s * mp.fdot(row, changed[0].omega[:, r])
                v, dv = mp.mpf(last.omega[r, 0]), mp.mpf(changed[1].omega[r, 0])
                derivatives = [mp.diff(mp.tanh, z, n) for n in range(order + 1)]
                series = sum(derivatives[n] / factorial(n) * u**n for n in range(1, order + 1))
                total += t * (dv * derivatives[0] + (v + dv) * series)
            found.append([float(total)])
    return np.array(found)


def test_one_hidden_layer_by_the_definition_and_a_lost_factorial() -> None:
    finite, X = sampled("tanh", 1, bias="0"), data(2)
    step = step_of(finite, 0.4)
    found = at(finite, 6).pairing(X, step)
    assert np.abs(found - by_hand(finite, X, step, 6, mp.factorial)).max() < 1e-14
    assert np.abs(found - by_hand(finite, X, step, 6, lambda n: mp.factorial(n - 1))).max() > 1e-3


def test_saboteur_a_lost_factorial_is_seen_by_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(activation: Activation, z: Array, order: int) -> tuple[Array, ...]:
        found = taylor_coefficients(activation, z, order)
        return (*found[:2], 2 * found[2], *found[3:])

    finite, X = sampled("tanh", 1), data()
    step = step_of(finite, 0.1)
    monkeypatch.setattr(features_module, "taylor_coefficients", faulty)
    assert np.abs(at(finite, 40).pairing(X, step) - change_of(finite, X, step)).max() > 1e-5


def test_the_error_falls_like_the_ratio_to_the_order() -> None:
    """One unit, in float64 from error 1e-2 to 1e-13: the mean factor from order to order is the ratio."""
    finite = sampled("tanh", 1, width=1, dim=1, bias="0")
    X, step = np.ones((1, 1)), np.zeros(finite.size)
    radius = banach.Domain(activations.tanh).radius(finite.run(X)[1][1])[0, 0]
    for ratio in (0.3, 0.5, 0.7):
        step[0] = ratio * radius / dense(finite)[0].weight_scale
        place = at(finite, 1).place(X, step)
        assert place.ratio == pytest.approx(ratio) and place.admissible == pytest.approx(1 / ratio)
        true = change_of(finite, X, step)
        low, high = 4, int(np.log(1e-12) / np.log(ratio))
        errors = [np.abs(at(finite, n).pairing(X, step) - true).max() for n in range(low, high)]
        envelope = [max(errors[:4]), max(errors[-4:])]  # single ones come near 0
        fall = (envelope[1] / envelope[0]) ** (1 / (len(errors) - 4))
        assert 0.85 * ratio < fall < 1.1 * ratio


def test_outside_it_grows_and_is_refused() -> None:
    finite, X = sampled("tanh", 1), data()
    step = step_of(finite, 0.1)
    factor = 1.05 * at(finite, 5).place(X, step).admissible
    for order in (5, 100):
        with pytest.raises(DomainError, match=r"unit \d of layer 1 at row \d of X: ratio 1.05, .* 0.9524"):
            at(finite, order).pairing(X, factor * step)
    series = [features_module.truncated_change(at(finite, n).chain, X, factor * step, n) for n in (20, 400)]
    errors = [np.abs(s - change_of(finite, X, factor * step)).max() for s in series]
    assert errors[1] > 1e3 * errors[0]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_largest_admissible_step_is_admissible(depth: int) -> None:
    finite, X = sampled("tanh", depth), data()
    step = step_of(finite, 10.0)
    series = at(finite, 30)
    place = series.place(X, step)
    assert not place.inside
    series.pairing(X, place.admissible * (1 - 1e-9) * step)
    assert not series.place(X, place.admissible * (1 + 1e-6) * step).inside


# ------------------------------------------------------------------------------------ functions with kinks


def test_relu_is_exact_without_flips_and_refused_with_one() -> None:
    finite, X = sampled("relu", 1, bias="0"), data()
    step = step_of(finite, 0.02)
    series = at(finite, 1)
    assert series.place(X, step).inside
    assert np.abs(series.pairing(X, step) - change_of(finite, X, step)).max() < 1e-15
    z, u = finite.run(X)[1][1], finite.with_parameters(step).run(X)[1][1]
    flips = (z * (z + u) < 0).any()
    assert not flips
    towards = np.min(np.where(z * u < 0, np.abs(z / np.where(u == 0, 1, u)), np.inf))  # first flip, by hand
    place = series.place(X, step)
    assert place.admissible == pytest.approx(towards)
    series.pairing(X, 0.999 * towards * step)
    with pytest.raises(DomainError, match="outside the neighbourhood"):
        series.pairing(X, 1.001 * towards * step)


def test_no_step_from_a_kink_but_no_step_is_fine() -> None:
    finite = sampled("relu", 1, bias="0")
    X = np.zeros((1, 3))  # every unit at the kink, and no step of the weights moves it
    step = step_of(finite, 1.0)
    assert at(finite, 2).pairing(X, step) == 0
    assert float(at(finite, 2).certified(X, step)[0][0].change) == 0
    assert banach.Domain(activations.relu).ratio(np.zeros(2), np.array([0.0, 1e-300])).tolist() == [0, np.inf]


@pytest.mark.parametrize("name", ["elu", "softsign", "relu6", "hardtanh"])
def test_analytic_between_breakpoints(name: str) -> None:
    phi = activations.resolve(name if name != "elu" else "elu(1)")
    finite = Network.mlp(phi, 2, 1, "1/10").sample(4, np.random.default_rng(0), 3)
    X, step = data(2), step_of(finite, 0.01)
    assert np.abs(at(finite, 12).pairing(X, step) - change_of(finite, X, step)).max() < 1e-14


# ------------------------------------------------------------------------------------ the radius

RADII: dict[str, Callable[[float], float]] = {
    "tanh": lambda z: np.hypot(z, np.pi / 2),
    "sigmoid": lambda z: np.hypot(z, np.pi),
    "softplus": lambda z: np.hypot(z, np.pi),
    "silu": lambda z: np.hypot(z, np.pi),
    "tanh(2*x - 1)": lambda z: np.hypot(z - 0.5, np.pi / 4),
    "arctan": lambda z: np.hypot(z, 1),
    "softsign": lambda z: 1 + abs(z),
    "erf": lambda z: np.inf,
    "gelu": lambda z: np.inf,
    "x^5": lambda z: np.inf,
}


@pytest.mark.parametrize("name", RADII)
def test_radius(name: str) -> None:
    domain = banach.Domain(activations.resolve(name))
    for z in (-3.0, -0.4, 0.5, 2.0):
        assert domain.radius(np.array([z]))[0] == pytest.approx(RADII[name](z), rel=1e-14)


def converges(phi: Activation, z: float, radius: float) -> bool:
    """Whether the series at ``z`` stays bounded at the distance ``radius``: its terms of two high orders."""
    part = phi.pieces.parts[int(np.searchsorted(phi.pieces.float_breakpoints, z))]
    with working_precision(2000):
        sizes = []
        for low, high in ((60, 80), (220, 240)):
            c = balls.taylor_balls(part, arb(z), high)
            sizes.append(max(float((abs(c[n]) * arb(radius) ** n).mid()) for n in range(low, high)))
    return sizes[1] < sizes[0]


SEARCHED = ("tanh(sin(x))", "sin(x)/(2 + cos(x))", "sqrt(2 + tanh(x))", "1/(x^4 + x + 1)")

LIMITED = (
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "mish",
    "gelu_tanh",
    "arctan",
    "1/(1 + x^2)",
    "tanh(x^2)",
    "logcosh",
)


@pytest.mark.parametrize("name", [*LIMITED, *SEARCHED])
def test_the_radius_is_right_and_ten_per_cent_more_is_caught(name: str) -> None:
    phi = activations.resolve(name)
    for z in (-1.3, 0.2, 2.5):
        radius = float(banach.Domain(phi).radius(np.array([z]))[0])
        assert converges(phi, z, 0.97 * radius)
        assert not converges(phi, z, 1.1 * 0.97 * radius)


@pytest.mark.parametrize("name", [*LIMITED, "softsign", *SEARCHED])
def test_certified_radius_is_below_and_near_the_float(name: str) -> None:
    phi = activations.resolve(name)
    for z in (-1.3, 0.2, 2.5):
        index = int(np.searchsorted(phi.pieces.float_breakpoints, z))
        with working_precision(120):
            sharp = singular.singularities_of(phi)[index].distance_ball(arb(z))
            assert sharp.rad() == 0
            assert float(sharp.mid()) == pytest.approx(banach.Domain(phi).radius(np.array([z]))[0], rel=1e-12)


LEVELS = np.pi * (np.arange(-9000, 9000) + 0.5)


def powers(values: NDArray[Any], n: int) -> NDArray[Any]:
    """All n-th roots."""
    return np.multiply.outer(np.exp(2j * np.pi * np.arange(n) / n), values ** (1 / n)).ravel()


POLES: dict[str, NDArray[Any]] = {
    "sin(x)/(2 + cos(x))": np.add.outer(np.pi * np.arange(-29, 30, 2), [1j * np.arccosh(2)]).ravel(),
    "tanh(sin(x))": np.add.outer(np.pi * np.arange(-20, 21), [1j * np.arcsinh(np.pi / 2)]).ravel(),
    "tanh(x^2)": powers(1j * LEVELS, 2),
    "tanh(x^3)": powers(1j * LEVELS, 3),
    "sqrt(tanh(1 + x^2))": powers(np.append(1j * LEVELS, 1j * (LEVELS + np.pi / 2)) - 1, 2),
    "arctan(tanh(x)) + 1/((x - 2)^2 + 1/100)": np.array([0.25j * np.pi, 0.5j * np.pi, 2 + 0.1j]),
    "log(2 + exp(x))": np.array([np.log(2) + 1j * np.pi]),
    "1/(x^4 + x + 1)": np.roots([1, 0, 0, 1, 1]),
    "1/(x^6 + x + 3) + tanh(5*x)": np.append(np.roots([1, 0, 0, 0, 0, 1, 3]), [0.1j * np.pi]),
    "sqrt(1 + tanh(x)^2)": np.array([0.25j * np.pi]),
}
"""Singularities by hand, of each conjugate pair one, the nearest ones of each family."""


@pytest.mark.parametrize("name", POLES)
def test_singularities_that_are_searched_for(name: str) -> None:
    """Never too large, and too small by 1e-9; far out, where poles crowd and the search ends, by 2 %."""
    domain = banach.Domain(Activation.parse(name))
    for z in (-6.7, -2.0, -0.25, 0.0, 0.3, 1.1, 4.0, 11.3):
        found, true = domain.radius(np.array([z]))[0], np.abs(POLES[name] - z).min()
        assert true * (1 - (1e-9 if abs(z) < 10 else 0.02)) <= found <= true * (1 + 1e-14)


def test_an_entire_function_that_is_not_known_to_be_one_is_searched_to_the_end() -> None:
    """exp(i x) is never 0, nor is 1 + cos(x)^2 + sin(x)^2: what is cleared is a radius, and no more."""
    found = banach.Domain(Activation.parse("1/(1 + cos(x)^2 + sin(x)^2)")).radius(np.array([0.3]))
    assert 0.5 < found[0] <= obstacles.REACH


def test_far_out_the_radius_stays_a_bound() -> None:
    phi = Activation.parse("tanh(x^2)")
    assert banach.Domain(phi).ratio(np.array([1e25, 1e25]), np.array([1.0, 0.0])).tolist() == [np.inf, 0.0]
    poles = np.sqrt(1j * np.pi * (np.arange(100_000) + 0.5))
    for z in (60.0, -300.0, 1e6, 1e25):
        found = banach.Domain(phi).radius(np.array([z]))[0]
        assert 0 <= found <= np.abs(np.append(poles, -poles) - z).min() * (1 + 1e-14)


def test_functions_that_are_not_known_are_not_guessed() -> None:
    for unknown in (sp.asinh(x), sp.gamma(x**2 + 2)):
        with pytest.raises(UndecidedError, match="singular"):
            singular.singularities(unknown)


def test_saboteur_a_building_block_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the places where tanh = i the radius of arctan(tanh(x)) at 0 is that of tanh: pi/2 for pi/4."""
    part = sp.atan(sp.tanh(x))
    blocks = obstacles.blocks_of(part)
    for kept, radius in ((blocks, np.pi / 4), (blocks[:1], np.pi / 2)):
        monkeypatch.setattr(obstacles, "blocks_of", lambda part, kept=kept: kept)
        with working_precision(60):
            found = obstacles.tile.__wrapped__(part, 0.0, 0.125).distance(arb(0))
        assert float(found.mid()) == pytest.approx(radius, rel=1e-9)


# ------------------------------------------------------------------------------------ certified


def exact_change(finite: FiniteNetwork, row: Array, step: Array) -> arb:
    """By the definition, in balls: both networks run forward, nothing of the series."""
    ends = []
    for share in (0, 1):
        values = [arb(float(v)) for v in row]
        moved = finite.with_parameters(step)
        for unit, change in zip(finite.units, moved.units, strict=True):
            if isinstance(unit, FiniteNonlinearity):
                values = [compile_ball(unit.activation.expression, (x,))(v).real for v in values]
                continue
            assert isinstance(unit, FiniteDense) and isinstance(change, FiniteDense)
            following = []
            for j in range(unit.omega.shape[1]):
                total = arb(0)
                for i, v in enumerate(values):
                    w = arb(float(unit.omega[i, j])) + share * arb(float(change.omega[i, j]))
                    total += w * v
                total *= arb(unit.weight_scale)
                if unit.omega_0 is not None and change.omega_0 is not None:
                    bias = arb(float(unit.omega_0[0, j])) + share * arb(float(change.omega_0[0, j]))
                    total += arb(unit.bias_scale) * bias
                following.append(total)
            values = following
        ends.append(values[0])
    return ends[1] - ends[0]


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        *product(["tanh", "erf", "gelu", "softplus", "gelu_tanh", "1/(1+x^2)", "x^3 - x"], [1, 2]),
        *[("tanh", 3), ("sin(x)/(2 + cos(x))", 2), ("relu", 2), ("softsign", 2)],
    ],
)
def test_certified_encloses_the_exact_change(name: str, depth: int) -> None:
    finite, X = sampled(name, depth, width=3), data(2)
    step = step_of(finite, 0.02 if name in ("relu", "softsign") else 0.15)
    for order in (2, 12):
        for row, (found,) in zip(X, at(finite, order).certified(X, step), strict=True):
            with working_precision(400):
                true = exact_change(finite, row, step)
                assert found.change.ball().contains(true)
                missed = abs(true - found.series.ball())
                assert missed < found.truncation.ball() + arb(10) ** -30
            if order == 12:
                assert found.truncation.upper < Fraction(1, 10**5)


def test_the_certified_bound_falls_like_the_ratio() -> None:
    finite, X = sampled("tanh", 1), data(1)
    step = step_of(finite, 0.2)
    ratio = at(finite, 1).place(X, step).ratio
    found = [float(at(finite, n).certified(X, step, 200)[0][0].truncation) for n in (20, 40, 60)]
    for one, other in pairwise(found):
        assert (other / one) ** (
            1 / 20
        ) < ratio / 0.84 + 0.01  # the largest disc tried: 0.85 of the way or more


def test_saboteur_a_radius_ten_per_cent_too_large_breaks_the_enclosure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finite = sampled("tanh", 1, width=1, dim=1, bias="0")
    X, step = np.ones((1, 1)), np.zeros(finite.size)
    with working_precision(120):
        z = finite.run(X)[1][1][0, 0]
        step[0] = 1.05 * np.hypot(z, np.pi / 2) / dense(finite)[0].weight_scale
    chain = at(finite, 1).chain
    with pytest.raises(DomainError, match="below the radius of convergence"):
        certified.certified_change(chain, X[0], step, 150, 300)
    true_distance = singular.Singularities.distance_ball
    monkeypatch.setattr(
        singular.Singularities, "distance_ball", lambda self, z: true_distance(self, z) * arb(fmpq(11, 10))
    )
    (found,) = certified.certified_change(chain, X[0], step, 300, 300)
    with working_precision(400):
        assert not found.change.ball().overlaps(exact_change(finite, X[0], step))


NEAR = (
    "tanh",
    "softplus",
    "logcosh",
    "mish",
    "arctan",
    "log(1 + x^4)",
    "sqrt(1 + x^4) - x^2",
    "arctan(x^2)",
    "softplus(x^2)",
    "(1 + x^8)^(1/3)",
    "sin(x)/(2 + cos(x))",
    "x*tanh(3*x + 1)",
    "exp(-x^2)",
    "gelu",
)


@pytest.mark.parametrize("name", NEAR)
def test_what_is_left_out_near_the_radius(name: str) -> None:
    """At 0.5 and 0.99 of the radius: above the truth, and by no more than two orders inside."""
    part = activations.resolve(name).expression
    with working_precision(300):
        function = compile_ball(part, (x,))
        for z in (arb(-3.3), arb(0.2), arb(2)):
            limit = singular.singularities(part).distance_ball(z)
            limit = limit if limit.is_finite() else arb(2)
            coefficients = balls.taylor_balls(part, z, 60)
            for ratio in ("0.5", "-0.99"):
                v = limit * arb(ratio)
                rho = abs(v) + (limit - abs(v)) * arb("0.8")
                for order in (5, 60):
                    cut = sum((c * v**n for n, c in enumerate(coefficients[: order + 1])), arb(0))
                    bound = remainder.remainder(part, z, v, rho, order)
                    assert abs(function(z + v).real - cut) < bound
                    assert bound < 1000 * abs(v / rho) ** order * (1 + abs(function(z).real))


def test_roots_are_continued_along_the_circle() -> None:
    """sqrt(1 + s^4) on a circle around 2 that meets the cut of the principal root."""
    with working_precision(100):
        programme = remainder._programme(sp.sqrt(1 + x**4))
        known, missed = remainder._Walk(programme, None).at(acb("3.45"))[1], 0
        roots = [acb(arb(k) / 4).exp_pi_i() for k in (1, 3, 5, 7)]
        for k in range(1, 257):
            w = arb("1.45") * acb(0, (arb(k - 1) / 256).union(arb(k) / 256) * arb.pi()).exp()
            value, known = remainder._Walk(programme, known).at(2 + w)
            true = acb(17).sqrt()
            for root in roots:  # each factor stays in the right half plane
                true *= (1 + w / (2 - root)).sqrt()
            assert value.overlaps(true) and value.rad() < 1
            missed += not value.overlaps((1 + (2 + w) ** 4).sqrt())
        assert missed > 20  # the principal root is another function there


@pytest.mark.parametrize("name", [n for n in activations.all_activations() if n not in ("step", "sign")])
def test_taylor_balls_hold_the_jets(name: str) -> None:
    phi = activations.all_activations()[name]
    if phi.parameters:
        pytest.skip("needs parameters")
    z = 0.3
    jets = taylor_coefficients(phi, np.array([z]), 8)
    part = phi.pieces.parts[int(np.searchsorted(phi.pieces.float_breakpoints, z))]
    with working_precision(120):
        for n, c in enumerate(balls.taylor_balls(part, arb(z), 8)):
            assert jets[n][0] == pytest.approx(float(c.mid()), rel=1e-11, abs=1e-13)
        for n, c in enumerate(balls.taylor_balls(part, arb(z), 2)):
            at_point = sp.diff(part, x, n).subs(x, sp.Rational(*z.as_integer_ratio()))
            assert float(c.mid()) == pytest.approx(float(at_point.evalf(30) / sp.factorial(n)), abs=1e-14)


# ------------------------------------------------------------------------------------ both sides


SMALL = [(1, 3, 2, 3, "1/10"), (1, 2, 3, 2, "0"), (2, 2, 1, 2, "1/10"), (2, 2, 2, 1, "0"), (3, 1, 1, 2, "0")]
"""depth, width, inputs, order, bias variance."""


@pytest.mark.parametrize(("depth", "width", "dim", "order", "bias"), SMALL)
def test_features_written_down(depth: int, width: int, dim: int, order: int, bias: str) -> None:
    finite, X = sampled("tanh", depth, width, dim=dim, bias=bias), data(3, dim)
    step, series = step_of(finite, 0.2), at(sampled("tanh", depth, width, dim=dim, bias=bias), order)
    phi, psi = series.phi(X), series.psi(step)
    paired = sum(a @ b for a, b in zip(phi, psi, strict=True))
    assert np.abs(paired - series.pairing(X, step)).max() < 1e-15
    c = np.exp(np.random.default_rng(0).standard_normal(len(phi)))
    scaled = zip(series.phi(X, c), series.psi(step, c), strict=True)
    assert np.abs(sum(a @ b for a, b in scaled) - paired).max() < 1e-14
    grams = [a[:, 0] @ a[:, 0].T for a in phi]
    assert np.abs(np.array(grams) - series.kernel_parts(X, degree=len(phi))).max() < 1e-13
    assert np.allclose(series.kernel(X, scaling=c), np.einsum("g,gij->ij", c**2, grams), rtol=1e-12)
    norms = [np.linalg.norm(b) for b in psi]
    assert np.allclose(series.step_norms(step, len(psi)), norms, rtol=1e-13, atol=0)
    assert series.norm(step, c) == pytest.approx(
        np.linalg.norm([n / k for n, k in zip(norms, c, strict=True)])
    )
    bounds = largest_step_norms(series.chain, float(np.linalg.norm(step)), order)
    assert len(bounds) == len(norms) and (np.array(norms) <= bounds * (1 + 1e-12)).all()


@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_polynomials_exactly(depth: int, power: int) -> None:
    """Small integers and scales 1/2: no operation rounds, and both sides agree to the last bit."""
    if depth == 3 and power > 1:
        pytest.skip("too many words to write down")
    network = Network.mlp(Activation.parse(f"x^{power}"), depth, 4 if depth > 1 else 1, 1)
    widths = [4, 3] if depth == 1 else [*[1, 4, 1][: depth - 1], 1, 2]
    rng = np.random.default_rng(depth)
    finite = network.sample(widths, rng, 4 if depth == 1 else 1)
    assert all(unit.weight_scale in (0.5, 1.0, 2.0) for unit in finite.units[::2])
    theta, step = rng.integers(-2, 3, (2, finite.size)).astype(float)
    X = rng.integers(-2, 3, (3, finite.input_dim)).astype(float)
    base = finite.with_parameters(theta)
    series, change = banach.features(finite, theta, power), change_of(base, X, step)
    assert np.array_equal(series.pairing(X, step), change) and change.any()
    paired = sum(phi @ psi for phi, psi in zip(series.phi(X), series.psi(step), strict=True))
    assert np.array_equal(paired, change)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_first_order_is_the_empirical_ntk(depth: int) -> None:
    finite, X = sampled("gelu", depth, width=6), data()
    for order in (1, 3):
        part = at(finite, order).kernel_parts(X, degree=1)[0]
        jacobian = finite.jacobian(X)[:, 0]
        assert np.abs(part - jacobian @ jacobian.T).max() < 1e-13
    assert at(finite, 2).step_norms(step_of(finite, 1.0), 1)[0] == pytest.approx(
        np.linalg.norm(step_of(finite, 1.0))
    )


def test_second_order_is_the_quad_ntk_of_one_hidden_layer() -> None:
    """Against the formula, and its first-layer part against the Hessian by differences of the Jacobian."""
    finite, X = sampled("tanh", 1, width=4, bias="0"), data()
    first, last = (unit.omega for unit in dense(finite))
    w, v = first, last[:, 0]
    z, k0 = X @ w / np.sqrt(3), X @ X.T / 3
    slope = 1 - np.tanh(z) ** 2
    bend = -2 * np.tanh(z) * slope
    quad = np.einsum("ir,jr,r->ij", bend, bend, v**2) / 4 / 4 * k0**2
    mixed = slope @ slope.T / 4 * k0
    assert np.abs(at(finite, 2).kernel_parts(X)[1] - quad - mixed).max() < 1e-15
    h, hessians = 1e-5, []
    for i in range(12):
        e = np.zeros(finite.size)
        e[i] = h
        ends = [finite.with_parameters(finite.parameters + s * e).jacobian(X)[:, 0, :12] for s in (1, -1)]
        hessians.append((ends[0] - ends[1]) / (2 * h))
    rows = np.moveaxis(np.array(hessians), 0, 1).reshape(len(X), -1)
    assert np.abs(rows @ rows.T / 4 - quad).max() < 1e-10


def test_canonical_scaling_balances_and_is_the_best() -> None:
    finite, X = sampled("tanh", 1, width=20), data(1)
    series, step = at(finite, 4), step_of(finite, 0.1)
    c = series.canonical_scaling(X, step)
    one = np.sqrt(series.kernel_parts(X)[:, 0, 0]) * c
    other = series.step_norms(step) / c
    assert np.allclose(one, other, rtol=1e-13)
    best = np.sqrt(series.kernel(X, scaling=c)[0, 0]) * series.norm(step, c)
    assert best == pytest.approx(float(one @ other))
    rng = np.random.default_rng(0)
    for _ in range(20):
        d = c * np.exp(0.3 * rng.standard_normal(4))
        assert np.sqrt(series.kernel(X, scaling=d)[0, 0]) * series.norm(step, d) > best
    assert abs(at(finite, 3).pairing(X, step)[0, 0]) <= best  # degrees up to 4 are all that order 3 has


# ------------------------------------------------------------------------------------ the replay

RATE = {"relu": 1e-5}
true_step = replay_module.sequential_step


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", ["tanh", "erf", "gelu", "softplus", "relu"])
@pytest.mark.parametrize("width", [4, 60])
def test_replay(name: str, depth: int, width: int) -> None:
    finite, X = sampled(name, depth, width), data(5)
    y = np.sin(X[:, 0])
    rate = RATE.get(name, 0.1)
    run = banach.replay(finite, X, y, rate, 100)
    assert (run.steps, run.left) == (100, False)
    assert run.difference < 1e-12 and run.pairing_error < 1e-14
    assert (run.ratios < 1).all() and run.losses[-1] < run.losses[0]
    moved, theta = 0.0, finite  # gradient descent once more, from the Jacobian
    for _ in range(3):
        step = -rate * theta.jacobian(X)[:, 0].T @ (theta(X)[:, 0] - y)
        theta = theta.with_parameters(theta.parameters + step)
        moved = max(moved, float(np.abs(theta(X) - finite(X)).max()))
    assert np.abs(theta(X) - run.sequential[3]).max() < 1e-14 and moved > 1e-8


def test_replay_of_duplicates_zero_inputs_and_several_outputs() -> None:
    """Singular kernels: the minimiser among the features is unique although its coefficients are not."""
    finite = Network.mlp(activations.tanh, 2, 1, 0).sample([8, 8, 2], np.random.default_rng(0), 2)
    X = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [0.0, 0.0], [3.0, 1.0]])
    run = banach.replay(finite, X, np.arange(10.0).reshape(5, 2) / 10, 0.05, 50)
    assert run.steps == 50 and run.difference < 1e-12


@pytest.mark.parametrize("distance", [1e-4, 1e-7, 1e-10])
def test_replay_of_points_that_nearly_coincide(distance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    finite, X = sampled("tanh", 1, 40), data(5)
    X[1] = X[0] + distance
    targets = [1.0, -1.0, 0.5, 0.0, 0.2]
    assert banach.replay(finite, X, targets, 0.05, 100).difference < 1e-14
    monkeypatch.setattr(replay_module, "LARGEST_JACOBIAN", 0)  # by the kernel, as wide networks do
    assert banach.replay(finite, X, targets, 0.05, 100).difference < 1e-9


@pytest.mark.parametrize("outputs", [1, 3])
def test_both_ways_to_solve_the_sequential_problem(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network.mlp(activations.gelu, 2, 1, "1/10")
    finite, X = network.sample([7, 6, outputs], np.random.default_rng(0), 3), data(5)
    residual = finite(X) - 1.0
    direct = replay_module.sequential_step(finite, X, residual, 0.1)
    monkeypatch.setattr(replay_module, "LARGEST_JACOBIAN", 0)
    by_kernel = replay_module.sequential_step(finite, X, residual, 0.1)
    assert np.abs(direct - by_kernel).max() < 1e-12 < np.abs(direct).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "erf", "gelu", "softplus", "relu"])
@pytest.mark.parametrize(("depth", "steps"), [(1, 100), (2, 10)])
def test_replay_at_width_4000(name: str, depth: int, steps: int) -> None:
    finite, X = sampled(name, depth, 4000), data(6)
    run = banach.replay(finite, X, np.sin(X[:, 0]), RATE.get(name, 0.05), steps)
    assert (run.steps, run.left) == (steps, False)
    assert run.difference < 1e-12


@pytest.mark.parametrize(
    "fault",
    [
        lambda network, X, r, lr: 1.001 * true_step(network, X, r, lr),
        lambda network, X, r, lr: true_step(network, X, r, lr) / 2,  # |Delta|^2 / lr for |Delta|^2 / (2 lr)
        lambda network, X, r, lr: true_step(network, X, r, lr) + 1e-9,
    ],
)
def test_saboteurs_of_the_sequential_problem(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "sequential_step", fault)
    finite, X = sampled("tanh", 1, 20), data()
    assert banach.replay(finite, X, np.sin(X[:, 0]), 0.1, 20).difference > 1e-10


def test_the_sequential_step_minimises() -> None:
    finite, X = sampled("tanh", 2, 6), data()
    residual = finite(X) - 1.0
    gradient = finite.jacobian(X)[:, 0].T @ residual[:, 0]

    def objective(step: Array) -> float:
        return float(gradient @ step + step @ step / (2 * 0.1))

    step = true_step(finite, X, residual, 0.1)
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 1.0):
        assert objective(step + size * rng.standard_normal(len(step))) > objective(step)
    assert np.abs(step + 0.1 * gradient).max() < 1e-14


@pytest.mark.parametrize(("name", "rate"), [("x^3", 0.5), ("exp(x)", 1e300), ("sin", 1e300)])
def test_replay_says_where_values_overflow(name: str, rate: float) -> None:
    """Entire functions are never left, so that a rate too large ends in numbers too large."""
    finite, X = sampled(name, 2, 8), data(3)
    with pytest.raises(DomainError, match=r"overflow in step \d.*lower lr"):
        banach.replay(finite, X, np.sin(X[:, 0]), rate, 50)


def test_replay_says_where_a_step_leaves() -> None:
    finite, X = sampled("relu", 1, 50, bias="0"), data()
    run = banach.replay(finite, X, np.sin(X[:, 0]), 0.05, 100)
    assert run.left and run.steps < 100 and len(run.places) == run.steps + 1
    place = run.places[-1]
    assert place.ratio >= 1 and 0 < place.admissible <= 1 and not place.inside
    before = finite.run(X)[1][1] if run.steps == 0 else None
    if before is not None:
        step = true_step(finite, X, finite(X) - np.sin(X[:, :1]), 0.05)
        after = finite.with_parameters(finite.parameters + step).run(X)[1][1]
        assert before[place.row, place.unit] * after[place.row, place.unit] <= 0
    assert run.difference < 1e-12  # what was made of it is still the same sequence
    assert len(run.descent) == len(run.sequential) == run.steps + 1


# ------------------------------------------------------------------------------------ the bound


def test_uniform_bound() -> None:
    finite, X = sampled("tanh", 1, 40), data(50)
    y = np.tanh(X[:, 0])
    run = banach.replay(finite, X, y, 0.005, 30)
    found = banach.uniform_bound(run, delta=0.1, cap=2.0)
    assert found.energy is not None and found.displacement <= found.path <= found.energy
    assert found.path <= found.ball
    assert found.gap == pytest.approx(2 * found.complexity + found.confidence)
    j = abs(int(np.log2(found.ball)))
    assert found.confidence == pytest.approx(6 * np.sqrt((np.log(60) + j * np.log(2)) / 100))
    assert banach.uniform_bound(run, delta=0.01).confidence > banach.uniform_bound(run, delta=0.1).confidence
    fine = banach.uniform_bound(run, delta=0.1, cap=2.0, order=7)
    assert fine.distance < 1e-3 * found.distance < 1e-3
    loss = np.minimum(np.abs(run.end(X)[:, 0] - y), 2.0)
    assert fine.training_loss == pytest.approx(loss.mean(), abs=fine.distance)


def test_the_complexity_bounds_the_rademacher_average_of_steps() -> None:
    """Largest correlation with random signs over many steps in the ball: below the bound, at any order."""
    finite, X = sampled("tanh", 1, 10), data(12)
    run = banach.replay(finite, X, np.sin(X[:, 0]), 0.001, 10)
    found = banach.uniform_bound(run, order=6)
    series, rng = at(finite, 6), np.random.default_rng(0)
    steps = [step_of(finite, 1.0, seed) for seed in range(40)]
    values = [series.pairing(X, found.ball / np.linalg.norm(s) * s)[:, 0] for s in steps]
    jacobian, averages = finite.jacobian(X)[:, 0], []
    for _ in range(60):
        signs = rng.choice([-1.0, 1.0], len(X))
        best = jacobian.T @ signs  # the steepest step is among the candidates
        steep = series.pairing(X, found.ball / np.linalg.norm(best) * best)[:, 0]
        averages.append(max(float(signs @ v) for v in [*values, steep]) / len(X))
    assert 0.7 * found.complexity < float(np.mean(averages)) < found.complexity


@pytest.mark.parametrize(("name", "depth", "order"), [("tanh", 1, 3), ("x^3", 1, 2), ("relu", 2, 1)])
def test_no_step_beats_the_complexity(name: str, depth: int, order: int) -> None:
    """All signs of four points, for each the best step of many pushed uphill: a lower bound of the truth."""
    finite, X, ball = sampled(name, depth, 2, dim=1, bias="0"), 1.5 * data(4, 1), 1.0
    chain, rng = at(finite, order).chain, np.random.default_rng(0)
    sizes = largest_step_norms(chain, ball, order)
    parts = at(finite, order).kernel_parts(X, degree=len(sizes))
    bound = sizes @ np.sqrt(np.einsum("gii->g", parts)) / len(X)
    best = []
    for signs in product((1.0, -1.0), repeat=len(X)):

        def value(step: Array, signs: tuple[float, ...] = signs) -> float:
            step = ball / np.linalg.norm(step) * step
            return float(signs @ features_module.truncated_change(chain, X, step, order)[:, 0]) / len(X)

        step = max(rng.standard_normal((50, finite.size)), key=value)
        for size in np.geomspace(1, 1e-2, 60):
            step = max(step, step + size * rng.standard_normal(finite.size), key=value)
        best.append(value(step))
    assert 0.1 * bound < np.mean(best) < bound


def test_the_bound_says_something_with_enough_points() -> None:
    finite, X = sampled("tanh", 1, 16, bias="0"), data(1200)
    found = banach.uniform_bound(banach.replay(finite, X, np.tanh(X[:, 0]), 2e-5, 20), cap=1.0, order=1)
    assert not found.vacuous and found.gap + found.training_loss < 1
    few = banach.uniform_bound(banach.replay(finite, X[:5], X[:5, 0], 1e-3, 2))
    assert few.vacuous
    still = banach.uniform_bound(banach.replay(finite, X[:5], finite(X[:5]), 0.1, 2))
    assert still.path == 0 and still.complexity < 0.1


def test_no_energy_without_descent() -> None:
    finite, X = sampled("tanh", 1, 40), data(10)
    run = banach.replay(finite, X, np.sin(X[:, 0]), 0.001, 3)
    rising = dataclasses.replace(run, sequential=run.sequential[::-1])
    assert banach.uniform_bound(run).energy is not None
    assert banach.uniform_bound(rising).energy is None


# ------------------------------------------------------------------------------------ command line


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("tanh --width 8 --steps 5", 0, "every step is inside"),
        ("sin(x)/(2+cos(x)) --width 8 --steps 2", 0, "every step is inside"),
        ("relu --width 32", 3, "leaves it at unit"),
        ("tanh --lr 1000", 3, "step 1 leaves it"),
        ("x^3 --depth 2 --lr 50", 2, "overflow in step"),
        ("tanh --lr -1", 2, "lr = -1.0"),
        ("tanh --steps 0", 2, "steps = 0"),
        ("tanh --width 100000 --depth 2", 2, "parameters"),
        ("1/x", 2, "infinite at x = 0"),
    ],
)
def test_command(arguments: str, code: int, said: str) -> None:
    result = CliRunner().invoke(cli.app, ["replay", *arguments.split(" ")])
    assert result.exit_code == code, result.output
    assert said in result.output


# ------------------------------------------------------------------------------------ bad input


def test_refusals() -> None:
    finite, X = sampled("tanh", 1), data()
    theta, step = finite.parameters, step_of(finite, 0.1)
    series = at(finite, 3)
    bad: list[Callable[[], object]] = [
        lambda: banach.features(finite, theta, 0),
        lambda: banach.features(finite, theta, True),
        lambda: banach.features(finite, theta, 2.0),  # type: ignore[arg-type]
        lambda: banach.features(finite, theta[:-1], 3),
        lambda: banach.features(finite, theta * np.nan, 3),
        lambda: banach.features(Network.mlp(activations.tanh, 1, 1, 0), theta, 3),
        lambda: series.pairing(X[:, :2], step),
        lambda: series.pairing(X[0], step),
        lambda: series.pairing(X, step[:-1]),
        lambda: series.pairing(X, step[:, None]),
        lambda: series.pairing(X, ["a"] * finite.size),
        lambda: series.pairing(X, step * np.inf),
        lambda: series.pairing(X, step * 100),
        lambda: series.certified(X, step * 100),
        lambda: series.certified(X, step, bits=3),
        lambda: series.phi(X, scaling=[1.0]),
        lambda: series.kernel(X, scaling=[1.0, -1.0]),
        lambda: series.kernel(X, scaling=[]),
        lambda: series.norm(step, [0.0, 1.0]),
        lambda: series.kernel_parts(X, degree=0),
        lambda: series.canonical_scaling(X, 0 * step),
        lambda: banach.replay(finite, X, X, 0.1, 3),
        lambda: banach.replay(finite, X, X[:, 0], 0.0, 3),
        lambda: banach.replay(finite, X, X[:, 0], True, 3),
        lambda: banach.replay(finite, X, X[:, 0], 0.1, 0),
        lambda: banach.replay(finite, X, X[:, 0], 0.1, 3, order=0),
        lambda: at(sampled("tanh", 2, 50), 6).phi(X),
        lambda: at(sampled("tanh", 2, 2000), 6).kernel(X),
    ]
    for call in bad:
        with pytest.raises(DomainError):
            call()


def test_other_layers_are_refused() -> None:
    block = Residual(Nonlinearity(activations.tanh), Dense(1, 0))
    skip = Network(Dense(1, 0), block, Nonlinearity(activations.tanh), Dense(1, 0))
    norm = Network(Dense(1, 0), LayerNorm(), Nonlinearity(activations.tanh), Dense(1, 0))
    linear = Network(Dense(1, 0))
    for network, widths in ((skip, [4, 4, 1]), (norm, [4, 1]), (linear, [1])):
        finite = network.sample(widths, np.random.default_rng(0), 3)
        with pytest.raises(DomainError, match="Dense, Nonlinearity"):
            at(finite, 3)


def test_bound_of_a_run_without_a_step_or_with_two_outputs() -> None:
    finite, X = sampled("relu", 1, 50, bias="0"), data()
    run = banach.replay(finite, X, 1e6 * X[:, 0], 0.5, 3)
    assert run.left and run.steps == 0 and run.difference == 0
    with pytest.raises(DomainError, match="without a step"):
        banach.uniform_bound(run)
    two = Network.mlp(activations.tanh, 1, 1, 0).sample([4, 2], np.random.default_rng(0), 3)
    with pytest.raises(DomainError, match="2 outputs"):
        banach.uniform_bound(banach.replay(two, X, X[:, :2], 0.01, 2))
