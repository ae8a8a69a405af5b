"""Strict positivity decided: the truth table, polynomial ranks, and certified arithmetic as the judge."""

from __future__ import annotations

import itertools
import math
import operator
import random
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb, arb_mat, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Dense, Network, Nonlinearity, Residual, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.gaussian import identities
from analytic_ntk.layers import LayerNorm
from analytic_ntk.positivity import (
    Decision,
    Domain,
    Positivity,
    decide,
    decide_gram,
    eigenvalue,
    min_eigenvalue,
    nullspace,
    profile,
)
from analytic_ntk.positivity.points import exact_points

Null = tuple[tuple[Fraction, ...], ...]
HALF = [[1, 0], [0, 1], [1, 1]]
ANTIPODAL = HALF + [[-a for a in x] for x in HALF]
RANK = 2

# Carvalho, Costa, Mourao, Oliveira 2024 and the reflection identities; p = 3 antipodal pairs in the plane.
# Per class: nullity at one hidden layer and at two or three, without bias.
TABLE = {
    "s(t) - s(-t) = c t": (3 - RANK, 0, (
        "relu", "leaky_relu(1/10)", "softplus(1)", "gelu", "silu", "swish(2)", "quick_gelu", "hardswish",
        "log(1 + exp(x))", "x/(1 + exp(-x))", "Max(x, 0) + Max(-x, 0)/10", "x + exp(-x^2)", "x*Phi(3*x)",
    )),
    "s(t) + s(-t) = c": (3 - 1, 0, (
        "sigmoid", "probit", "hardsigmoid", "tanh(x) + 1", "1/(1 + exp(-x))", "2 - erf(x)",
    )),
    "odd": (3, 3, (
        "tanh", "erf", "sin", "sin(x) + x/3", "hardtanh", "softsign", "arctan", "x^3 - sin(x)", "x*Abs(x)",
    )),
    "even": (3, 3, ("cos", "gaussian", "abs", "triangle", "log(cosh(x))", "x^2 + cos(x)", "1/(1 + x^2)")),
    "none": (0, 0, (
        "elu(1)", "selu", "exp", "mish", "sin(x) + cos(x)", "relu6", "exp(x) + x^3", "tanh(x - 1)",
    )),
}  # fmt: skip
CASES = [(kind, text) for kind, (_, _, texts) in TABLE.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_reflection_table(kind: str, text: str) -> None:
    phi = activations.resolve(text)
    shallow, deep, _ = TABLE[kind]
    for kernel in ("ntk", "nngp"):
        found = [decide_gram(Network.mlp(phi, depth, 2, 0), ANTIPODAL, kernel).nullity for depth in (1, 2, 3)]
        assert found == [shallow, deep, deep]
        assert decide_gram(Network.mlp(phi, 1, 2, "1/10"), ANTIPODAL, kernel).nullity == 0


# --------------------------------------------------------------------------------- polynomial activations


def _degree_sets(support: set[int], layers: int, bias: bool) -> set[int]:
    degrees = {0, 1} if bias else {1}
    for _ in range(layers):
        sums = {0}
        found = set()
        for j in range(max(support) + 1):
            if j in support:
                found |= sums
            sums = {a + b for a in sums for b in degrees}
        degrees = found | ({0} if bias else set())
    return degrees


POLYNOMIALS = {
    "x^2": {2}, "x + x^2": {1, 2}, "1 + x^3": {0, 3}, "x - x^3/6": {1, 3}, "x^3": {3}, "x": {1},
    "x^4 - 3*x^2": {2, 4}, "x^2 - 1": {0, 2},
}  # fmt: skip
POLYNOMIAL_CASES = [
    (text, depth, dim, bias)
    for text in POLYNOMIALS
    for depth, dim in ((1, 1), (1, 2), (1, 3), (2, 2))
    for bias in (False, True)
    if not (depth == 2 and text.startswith("x^4"))
]


@pytest.mark.parametrize(("text", "depth", "dim", "bias"), POLYNOMIAL_CASES)
def test_polynomial_rank_eq_number_of_monomials(text: str, depth: int, dim: int, bias: bool) -> None:
    """Generic points: the rank is the number of monomials of the degrees that the network reaches."""
    degrees = _degree_sets(POLYNOMIALS[text], depth, bias)
    count = sum(math.comb(dim + k - 1, k) for k in degrees)
    rng = np.random.default_rng(7)
    points = rng.integers(-99, 100, size=(count + 3, dim)).tolist()
    network = Network.mlp(activations.resolve(text), depth, 1, int(bias))
    for kernel in ("nngp", "ntk"):
        found = decide_gram(network, points, kernel)
        assert found.nullity == len(points) - count
    assert decide_gram(network, points[:count]).nullity == 0


def test_polynomial_rank_figures() -> None:
    """Ranks in exact arithmetic, no bias | bias, for 25 points."""
    rng = np.random.default_rng(1)
    figures = {
        ("x^2", 1, 2): (3, 6), ("x + x^2", 1, 2): (5, 6), ("1 + x^3", 1, 2): (5, 10),
        ("x - x^3/6", 1, 2): (6, 10), ("x^2", 2, 2): (5, 15), ("x^3", 1, 3): (10, 20),
    }  # fmt: skip
    for (text, depth, dim), ranks in figures.items():
        points = rng.integers(-9, 10, size=(25, dim))
        phi = activations.resolve(text)
        found = [25 - (decide_gram(Network.mlp(phi, depth, 1, b), points).nullity or 0) for b in (0, 1)]
        assert tuple(found) == ranks


# --------------------------------------------------------------------------------- named configurations


def test_hexagon_null_vector() -> None:
    hexagon = [[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]]
    (u,) = decide_gram(Network.mlp(activations.relu, 1, 2, 0), hexagon).null_vectors
    assert [entry * u[0] for entry in u] == [1, -1, 1, -1, 1, -1]


def test_normal_cdf_null_vector() -> None:
    (u,) = decide_gram(
        Network.mlp(activations.probit, 1, 2, 0), [[1, 0], [-1, 0], [0, 1], [0, -1]]
    ).null_vectors
    assert [entry * u[0] for entry in u] == [1, 1, -1, -1]


def test_relu_on_one_line() -> None:
    """Two rays and the origin: (3 - 1) + (2 - 1) + 1 without bias; deeper, the rays only, and the origin."""
    points = [[1], [2], [3], [-1], [-5], [0]]
    assert [decide_gram(Network.mlp(activations.relu, L, 2, 0), points).nullity for L in (1, 2)] == [4, 4]
    assert decide_gram(Network.mlp(activations.relu, 1, 2, 1), points).nullity == 0


def test_bias_in_later_layers_only() -> None:
    relu = Nonlinearity(activations.relu)
    pair = [[1, 0], [2, 0]]
    shallow = Network(Dense(2, 0), relu, Dense(2, 1))
    deep = Network(Dense(2, 0), relu, Dense(2, 1), relu, Dense(2, 0))
    assert decide_gram(shallow, pair).nullity == 0  # the bias forbids (2, -1), whose sum is not 0
    assert decide_gram(Network(Dense(2, 0), relu, Dense(2, 0)), pair).nullity == 1
    three = [[1, 0], [2, 0], [3, 0]]
    assert decide_gram(shallow, three).nullity == 1
    assert decide_gram(deep, three).nullity == 0


def test_bias_in_the_first_layer_only() -> None:
    network = Network(Dense(1, 1), Nonlinearity(activations.tanh), Dense(1, 0))
    assert decide_gram(network, [[0, 0], *ANTIPODAL]).nullity == 0


def test_zero_input() -> None:
    for text, nullity in (("relu", 1), ("softplus(1)", 0), ("cos", 0), ("tanh", 1), ("exp", 0)):
        assert (
            decide_gram(Network.mlp(activations.resolve(text), 1, 1, 0), [[0, 0], [1, 2]]).nullity == nullity
        )


def test_duplicates_are_null_vectors_of_every_network() -> None:
    points = [[1, 2], [3, 4], [1, 2], [1, 2]]
    for text in ("relu", "exp", "x^2", "tanh", "step", "Heaviside(x) + x"):
        found = decide_gram(Network.mlp(activations.resolve(text), 2, 1, 1), points)
        assert found.nullity == 2
        assert all(u[1] == 0 and sum(u) == 0 for u in found.null_vectors)


def test_linear_network_has_rank_at_most_dim() -> None:
    assert decide_gram(Network(Dense(1, 0)), np.eye(3)[[0, 1, 2, 0]]).nullity == 1
    assert decide_gram(Network(Dense(1, 1)), [[0, 0], [1, 0], [0, 1], [1, 1]]).nullity == 1


def test_constant_activation() -> None:
    assert decide_gram(Network.mlp(activations.resolve("7"), 1, 1, 0), HALF).nullity == 2
    assert decide_gram(Network.mlp(activations.resolve("0"), 1, 1, 0), HALF).nullity == 3
    assert decide_gram(Network.mlp(activations.resolve("0"), 1, 1, 1), HALF).nullity == 2


def test_residual_takes_the_common_null_vectors() -> None:
    branch = Residual(Nonlinearity(activations.relu), Dense(1, 0))
    assert decide_gram(Network(Dense(1, 0), branch), [*HALF, [2, 2]]).nullity == 1
    even = Residual(Nonlinearity(activations.cos), Dense(1, 0))
    assert decide_gram(Network(Dense(1, 0), even), [[1, 0], [-1, 0]]).nullity == 0


def test_layer_norm_makes_rays_equal() -> None:
    network = Network(Dense(1, 0), LayerNorm(), Nonlinearity(activations.exp), Dense(1, 0))
    assert decide_gram(network, [[1, 0], [2, 0], [0, 1]]).nullity == 1
    assert decide_gram(network, [[1, 0], [-2, 0], [0, 1]]).nullity == 0
    with pytest.raises(DomainError, match="bias"):
        decide_gram(network, [[0, 0], [1, 0]])


@pytest.mark.parametrize("text", ["Heaviside(x) + x", "sign(x)*x^2 + x", "Heaviside(x)*(x^2 + 1)", "step"])
def test_ker_ntk_eq_ker_nngp_with_jumps(text: str) -> None:
    """Certified values confirm the null vectors in both kernels."""
    points: list[list[Any]] = [[1, 0], [2, 0], [3, 0], [-1, 0], [0, 1], [0, -1]]
    for depth in (1, 2):
        network = Network.mlp(activations.resolve(text), depth, 1, 0)
        found = {kernel: decide_gram(network, points, kernel) for kernel in ("nngp", "ntk")}
        assert found["nngp"].null_vectors == found["ntk"].null_vectors
        assert found["ntk"].nullity or depth == 2
        for kernel in ("nngp", "ntk"):
            assert _agrees(network, points, kernel, found[kernel].null_vectors)


@pytest.mark.parametrize(
    ("text", "nullity"), [("x^2", 3), ("x^3", 3), ("x^2 - 1", 2), ("x + x^2", 1), ("x^3 - x", 1)]
)
def test_polynomial_after_a_dependent_layer(text: str, nullity: int) -> None:
    """ReLU leaves a dependency across lines; the tensors of dependent vectors need not be dependent."""
    layers = (
        Dense(1, 0), Nonlinearity(activations.relu), Dense(1, 0),
        Nonlinearity(activations.resolve(text)), Dense(1, 0),
    )  # fmt: skip
    network = Network(*layers)
    assert decide_gram(Network(*layers[:3]), ANTIPODAL).nullity == 1
    assert decide_gram(network, ANTIPODAL).nullity == 0
    points = [*ANTIPODAL, [2, 2], [-3, -3], [0, 0]]
    for kernel in ("nngp", "ntk"):
        found = decide_gram(network, points, kernel)
        assert found.nullity == nullity and _agrees(network, points, kernel, found.null_vectors)


# --------------------------------------------------------------------------------- numbers in disguise

MACHIN = "(4*atan(1/5) - atan(1/239) - pi/4)"  # 0, which algebra does not see
HEPTAGON = "(cos(pi/7) - cos(2*pi/7) + cos(3*pi/7) - 1/2)"  # 0, by its minimal polynomial


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"tanh(x) + {HEPTAGON}", "tanh(x)"),
        ("tanh(x) + (sigmoid(1) + sigmoid(-1) - 1)", "tanh(x)"),
        ("tanh(x) + (tanh(1) - (exp(2) - 1)/(exp(2) + 1))", "tanh(x)"),
        ("Max(x - sqrt(5 + 2*sqrt(6)), 0) + Max(-x - sqrt(2) - sqrt(3), 0)", "Max(Abs(x) - 3, 0)"),
        ("sigmoid(x) - (1 + tanh(x/2))/2 + x^3", "x^3"),
        ("sqrt(1 + 2*x^2 + x^4)", "x^2 + 1"),
    ],
)
def test_what_is_zero_in_disguise_changes_nothing(text: str, plain: str) -> None:
    points = [*ANTIPODAL, [0, 0]]
    found, expected = (decide_gram(Network.mlp(Activation.parse(t), 1, 1, 0), points) for t in (text, plain))
    assert found.null_vectors == expected.null_vectors and found.verdict is expected.verdict


@pytest.mark.parametrize("text", [f"x^2 + {HEPTAGON}*Max(x, 0)", f"x^2 + {HEPTAGON}*x^3"])
def test_profile_sees_that_an_algebraic_number_is_zero(text: str) -> None:
    assert profile(Activation.parse(text)).polynomial == {2}


@pytest.mark.parametrize("text", [f"x^2 + {MACHIN}*x^3", f"cos(x) + {MACHIN}*x"])
def test_profile_takes_nothing_for_nonzero_that_is_not_shown_to_be(text: str) -> None:
    with pytest.raises(UndecidedError, match="whether the number"):
        profile(Activation.parse(text))


@pytest.mark.parametrize("text", [f"tanh(x) + {MACHIN}", f"cos(x) + {MACHIN}*tanh(x)"])
def test_a_number_that_may_be_zero_is_undecided(text: str) -> None:
    network = Network.mlp(Activation.parse(text), 1, 1, 0)
    for found in (decide_gram(network, ANTIPODAL), decide(network, 2, Domain.SPHERE)):
        assert found.verdict is Positivity.UNDECIDED and "whether" in found.missing


def test_saboteur_not_shown_to_be_zero_taken_for_nonzero(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong verdict: an odd function, antipodes, and "strictly positive"."""
    monkeypatch.setattr(identities, "is_zero", identities.vanishes)
    monkeypatch.setattr(import_module("analytic_ntk.positivity.profile"), "is_zero", identities.vanishes)
    phi = Activation.parse(f"tanh(x) + {MACHIN}")
    profile.cache_clear()
    found = decide_gram(Network.mlp(phi, 2, 1, 0), ANTIPODAL)
    profile.cache_clear()
    assert found.verdict is Positivity.STRICTLY_POSITIVE


# --------------------------------------------------------------------------------- a finite network

INTEGERS = {
    "Max(x, 0)": lambda t: max(t, 0), "Abs(x)": abs, "sign(x)": lambda t: (t > 0) - (t < 0),
    "x*Abs(x)": lambda t: t * abs(t), "Max(Min(x, 6), 0)": lambda t: max(min(t, 6), 0),
    "Max(x, 0)^2 + 1": lambda t: max(t, 0) ** 2 + 1, "Max(x, 0) + x^2": lambda t: max(t, 0) + t * t,
    "x^2": lambda t: t * t, "x^2 - 1": lambda t: t * t - 1, "x + x^2": lambda t: t + t * t,
    "x": lambda t: t, "7": lambda t: 7, "Max(x, 0) + 3*Max(-x, 0)": lambda t: max(t, -3 * t),
}  # fmt: skip
"""Functions that take integers to integers."""


def _rank_of_a_finite_network(layers: list[tuple[str, int]], bias: int, points: Any, rng: Any) -> int:
    """Of the features of a network with random integer weights, from the definition: with units enough they
    satisfy the linear relations that hold at every ``w``, and no others."""
    features = [[*x, *[1] * bias] for x in points]
    for text, after in layers:
        units = 8 * len(points) + 60
        weights = [[rng.randint(-9, 9) * rng.choice((1, 1, 7)) for _ in features[0]] for _ in range(units)]
        sums = [[sum(map(operator.mul, z, w)) for w in weights] for z in features]
        features = [[*map(INTEGERS[text], row), *[1] * after] for row in sums]
    return fmpz_mat(features).rank()


def _case(seed: int) -> tuple[Network, list[tuple[str, int]], int, list[list[int]]]:
    rng = random.Random(seed)
    dim, bias = rng.choice((1, 2, 2, 3)), rng.choice((0, 0, 1))
    layers = [(rng.choice(sorted(INTEGERS)), rng.choice((0, bias))) for _ in range(rng.choice((1, 1, 2, 3)))]
    points = [[rng.randint(-3, 3) for _ in range(dim)] for _ in range(rng.randint(1, 4))]
    points += [
        [rng.choice((-1, -1, 2, -2, 0)) * a for a in rng.choice(points)] for _ in range(rng.randint(0, 3))
    ]
    parts: list[Any] = [Dense(1, bias)]
    for text, after in layers:
        parts += [Nonlinearity(Activation.parse(text)), Dense(1, after)]
    return Network(*parts), layers, bias, points


@pytest.mark.parametrize("seed", range(11, 70))
def test_null_space_eq_that_of_a_finite_network(seed: int) -> None:
    network, layers, bias, points = _case(seed)
    found = decide_gram(network, points)
    rank = _rank_of_a_finite_network(layers, bias, points, random.Random(seed))
    assert found.nullity == len(points) - rank


# --------------------------------------------------------------------------------- certified arithmetic


def _gram(network: Network, points: list[list[Any]], kernel: str) -> list[list[Any]]:
    rows = [[Fraction(e) for e in x] for x in points]
    return [[getattr(network.certified(x, y, 40), kernel) for y in rows] for x in rows]


def _agrees(network: Network, points: list[list[Any]], kernel: str, null: Null) -> bool:
    """Whether certified kernel values confirm a null space: ``K u`` meets 0 for each null vector, and the
    block outside as many places is certainly not singular."""
    gram = _gram(network, points, kernel)
    size = len(points)
    with working_precision(300):
        balls = [[entry.ball() for entry in row] for row in gram]
        for u in null:
            for row in balls:
                total = sum((row[j] * int(u[j]) for j in range(size) if u[j]), arb(0))
                if not total.contains(0):
                    return False
        free: list[int] = []
        for u in null:  # one place per null vector, so that what is left has full rank
            free.append(next(j for j in range(size) if u[j] and j not in free and _alone(null, u, j)))
        kept = [j for j in range(size) if j not in free]
        det = arb_mat([[balls[i][j] for j in kept] for i in kept]).det() if kept else arb(1)
        return bool(det > 0)


def _alone(null: Null, u: tuple[Fraction, ...], place: int) -> bool:
    return all(other is u or other[place] == 0 for other in null)


JUDGED = ("relu", "tanh", "sin", "cos", "gelu", "probit", "exp", "x^2 - 1", "x^3 + x", "Max(x, 0)^2", "abs")
_entries = st.sampled_from([Fraction(k, 2) for k in range(-3, 4)])
_points = st.lists(st.lists(_entries, min_size=2, max_size=2), min_size=2, max_size=5)


@settings(max_examples=25, deadline=None)
@given(
    text=st.sampled_from(JUDGED),
    points=_points,
    bias=st.sampled_from([0, 1]),
    depth=st.sampled_from([1, 2]),
    kernel=st.sampled_from(["ntk", "nngp"]),
)
def test_decision_agrees_with_certified_gram_matrices(
    text: str, points: list[list[Fraction]], bias: int, depth: int, kernel: str
) -> None:
    network = Network.mlp(activations.resolve(text), depth, 1, bias)
    found = decide_gram(network, points, kernel)
    if found.verdict is Positivity.UNDECIDED:
        assert text in ("x^2 - 1", "x^3 + x")
        return
    assert _agrees(network, points, kernel, found.null_vectors)


def test_saboteur_a_null_vector_with_a_changed_sign_is_refuted() -> None:
    hexagon = [[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]]
    network = Network.mlp(activations.relu, 1, 2, 0)
    (u,) = decide_gram(network, hexagon).null_vectors
    assert _agrees(network, hexagon, "ntk", (u,))
    assert not _agrees(network, hexagon, "ntk", ((-u[0], *u[1:]),))
    assert not _agrees(network, hexagon, "ntk", ())


def test_saboteur_a_forgotten_equation_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the equations across lines every antipodal pair would be null for ReLU."""
    monkeypatch.setattr(nullspace, "_power_equations", lambda features, power: [])
    network = Network.mlp(activations.relu, 1, 2, 0)
    found = decide_gram(network, ANTIPODAL)
    assert found.nullity == 3
    assert not _agrees(network, ANTIPODAL, "ntk", found.null_vectors)


# --------------------------------------------------------------------------------- least eigenvalues


def test_hard_positive_case() -> None:
    """sin, one hidden layer, unit bias, 0, .1, .., .9: float64 finds a negative eigenvalue. The digits are
    those of 60-digit interval arithmetic, computed once outside this package."""
    network = Network.mlp(activations.sin, 1, 1, 1)
    line = [[f"{k}/10"] for k in range(10)]
    for kernel, known in (("ntk", "4.07712580659e-17"), ("nngp", "3.6513056648e-18")):
        found = min_eigenvalue(network, line, kernel, 10)
        assert found.digits >= 10 and found.lower > 0
        assert abs(found.midpoint - Fraction(known)) < Fraction(known) / 10**10


@pytest.mark.parametrize("text", ["relu", "gelu", "softsign", "tanh"])
def test_min_eigenvalue_eq_numpy(text: str) -> None:
    network = Network.mlp(activations.resolve(text), 2, 1, 0)
    points = np.random.default_rng(3).normal(size=(9 if text in ("relu", "gelu") else 5, 3))
    for kernel in ("ntk", "nngp"):
        found = min_eigenvalue(network, points, kernel)
        gram = network.gram(points, kernel=kernel)
        assert abs(float(found) - np.linalg.eigvalsh(gram)[0]) < 1e-12 * np.trace(gram)


def test_min_eigenvalue_of_a_singular_matrix_is_exactly_zero() -> None:
    found = min_eigenvalue(Network.mlp(activations.relu, 1, 2, 0), ANTIPODAL)
    assert (found.midpoint, found.radius) == (0, 0)


def test_min_eigenvalue_with_multiplicity() -> None:
    """The identity-like Gram matrix of orthonormal inputs has one eigenvalue many times over."""
    found = min_eigenvalue(Network.mlp(activations.relu, 1, 2, 1), np.eye(6))
    gram = Network.mlp(activations.relu, 1, 2, 1).gram(np.eye(6))
    assert abs(float(found) - np.linalg.eigvalsh(gram)[0]) < 1e-13


def test_least_eigenvalue_of_one_exact_number() -> None:
    with working_precision(100):
        ball = eigenvalue.least_eigenvalue(arb_mat([[3]]))
        assert ball.contains(3) and float(ball.rad()) < 1e-25


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_least_eigenvalue_of_random_matrices(size: int, seed: int) -> None:
    """Against numpy on integer matrices ``A A^T``; a ball moved by its own width must be caught."""
    entries = np.random.default_rng(seed).integers(-5, 6, size=(size, size + 2))
    gram = entries @ entries.T
    with working_precision(200):
        ball = eigenvalue.least_eigenvalue(arb_mat(gram.tolist()))
        if not ball.is_finite():
            assert np.linalg.matrix_rank(gram) < size
            return
        assert abs(float(ball) - np.linalg.eigvalsh(gram.astype(float))[0]) < 1e-10 * np.trace(gram)
        characteristic = [int(c) for c in sp.Matrix(gram.tolist()).charpoly().all_coeffs()]
        assert _value(characteristic, ball).contains(0)
        assert not _value(characteristic, ball * (1 + arb(10) ** -20)).contains(0)


def _value(coefficients: list[int], point: arb) -> arb:
    value = arb(0)
    for c in coefficients:
        value = value * point + c
    return value


# --------------------------------------------------------------------------------- domains


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_theorem_1_bias_and_no_polynomial(dim: int) -> None:
    for text in ("relu", "tanh", "gelu", "elu(1)", "sin", "exp", "mish", "softsign"):
        for depth in (1, 2, 3):
            found = decide(Network.mlp(activations.resolve(text), depth, 2, "1/10"), dim)
            assert found.verdict is Positivity.STRICTLY_POSITIVE
            assert any("Theorem 3" in step.reference for step in found.steps)


def test_theorem_2_no_bias_and_no_two_proportional() -> None:
    for text in ("relu", "tanh", "cos", "Max(x, 0)^2"):
        network = Network.mlp(activations.resolve(text), 2, 1, 0)
        assert decide(network, 3, Domain.NON_PROPORTIONAL).verdict is Positivity.STRICTLY_POSITIVE


@pytest.mark.parametrize(
    ("text", "depth", "bias", "sizes"),
    [
        # distinct, non-proportional, sphere; from the degrees reached
        ("x^3", 4, 0, (1, 83, 2)), ("x^3", 3, 1, (29, 29, 56)), ("x^7 + x^4 + 1", 1, 0, (4, 9, 12)),
        ("x^2 + x + 1", 4, 1, (18, 18, 34)), ("1 + x^2", 1, 0, (2, 4, 2)), ("0", 2, 0, (1, 1, 1)),
    ],
)  # fmt: skip
def test_counterexamples_of_polynomials(text: str, depth: int, bias: int, sizes: tuple[int, ...]) -> None:
    network = Network.mlp(Activation.parse(text), depth, 1, bias)
    for domain, size in zip(Domain, sizes, strict=True):
        found = decide(network, 2, domain)
        assert found.verdict is Positivity.SINGULAR
        assert found.counterexample is not None and len(found.counterexample.points) == size
        _check_counterexample(found)


def test_one_point_of_the_line_at_a_time() -> None:
    """No two points of R^1 are non-proportional: the kernel need only not vanish."""
    for text, verdict in (("x^2", Positivity.STRICTLY_POSITIVE), ("0", Positivity.SINGULAR)):
        network = Network.mlp(Activation.parse(text), 2, 1, 0)
        assert decide(network, 1, Domain.NON_PROPORTIONAL).verdict is verdict


def test_a_sum_keeps_what_one_summand_has() -> None:
    tail = Residual(Nonlinearity(Activation.parse("7")), Dense(1, 0))
    network = Network(Dense(1, 1), Nonlinearity(activations.tanh), Dense(1, 0), tail)
    assert decide(network, 2).verdict is Positivity.STRICTLY_POSITIVE


def test_points_wider_than_float64() -> None:
    """Every float is the binary number it is."""
    third = np.longdouble(1) / 3
    (point,) = exact_points(np.array([[third]]))
    assert point[0] == Fraction(*third.as_integer_ratio())


@pytest.mark.parametrize("text", ["x^2", "x + x^2", "x^3 - x", "7", "x"])
@pytest.mark.parametrize("domain", list(Domain))
def test_polynomials_fail_on_every_domain(text: str, domain: Domain) -> None:
    for bias in (0, 1):
        found = decide(Network.mlp(activations.resolve(text), 1, 1, bias), 2, domain)
        assert found.verdict is Positivity.SINGULAR
        _check_counterexample(found)


@pytest.mark.parametrize(
    ("text", "depth", "domain", "points"),
    [
        ("tanh", 3, Domain.SPHERE, 2), ("cos", 2, Domain.SPHERE, 2), ("relu", 1, Domain.SPHERE, 6),
        ("sigmoid", 1, Domain.SPHERE, 4), ("relu", 2, Domain.DISTINCT, 1), ("cos", 1, Domain.DISTINCT, 2),
        ("sigmoid", 1, Domain.DISTINCT, 4),
    ],
)  # fmt: skip
def test_every_hypothesis_is_necessary(text: str, depth: int, domain: Domain, points: int) -> None:
    """Bias dropped: a counterexample with this many points."""
    found = decide(Network.mlp(activations.resolve(text), depth, 1, 0), 2, domain)
    assert found.verdict is Positivity.SINGULAR and found.counterexample is not None
    assert len(found.counterexample.points) == points
    _check_counterexample(found)


def _check_counterexample(found: Decision) -> None:
    assert found.counterexample is not None
    points = found.counterexample.points
    assert len(set(points)) == len(points)
    if found.domain is Domain.SPHERE:
        assert all(sum(e * e for e in x) == 1 for x in points)
    if found.domain is Domain.NON_PROPORTIONAL:
        assert all(a[0] * b[1] != a[1] * b[0] for i, a in enumerate(points) for b in points[:i])


def test_deep_relu_is_strictly_positive_on_the_sphere_without_bias() -> None:
    for text in ("relu", "gelu", "sigmoid", "softplus(1)", "elu(1)"):
        found = decide(Network.mlp(activations.resolve(text), 2, 1, 0), 3, Domain.SPHERE)
        assert found.verdict is Positivity.STRICTLY_POSITIVE


def test_yes_on_a_domain_is_yes_on_its_points() -> None:
    """Cross-check of the two procedures over the catalogue."""
    circle = [[1, 0], [-1, 0], ["3/5", "4/5"], ["-3/5", "-4/5"], [0, 1], [0, -1]]
    for name, phi in activations.all_activations().items():
        for depth, bias in ((1, 0), (2, 0), (1, 1)):
            network = Network.mlp(phi, depth, 1, bias)
            if decide(network, 2, Domain.SPHERE).verdict is Positivity.STRICTLY_POSITIVE:
                assert decide_gram(network, circle).verdict is Positivity.STRICTLY_POSITIVE, name


# --------------------------------------------------------------------------------- profiles and bad input


def test_profile_of_every_catalogue_activation() -> None:
    for name, phi in activations.all_activations().items():
        s = profile(phi)
        assert (s.polynomial is not None) == (phi.polynomial_degree is not None), name
        assert (s.odd == {}) == (phi.parity == "even"), name
        assert (s.even == {} and s.odd != {}) == (phi.parity == "odd"), name
        two = s.scales(sp.Integer(2))
        if phi.homogeneity is not None and phi.polynomial_degree != -1:
            assert two == 2**phi.homogeneity, name
        else:
            assert two is None, name


@pytest.mark.parametrize(
    ("count", "d", "text", "depth", "bias"),
    [(40, 3, "x^3", 2, 0), (30, 2, "x^2 + x", 2, 0), (25, 2, "x^2", 2, 1), (40, 1, "x^5", 2, 1)],
)
def test_polynomials_at_many_floats(count: int, d: int, text: str, depth: int, bias: int) -> None:
    """The null space against the float singular values of the monomials, and the vectors exactly."""
    points = np.random.default_rng(count).standard_normal((count, d))
    network = Network.mlp(Activation.parse(text), depth, 1, bias)
    found = decide_gram(network, points)
    support = [1, 2] if text == "x^2 + x" else [int(text[2:])]
    powers = {1}
    for _ in range(depth):
        base = sorted(powers | ({0} if bias else set()))
        powers = {sum(c) for k in support for c in itertools.combinations_with_replacement(base, k)}
    powers |= {0} if bias else set()
    exponents = [e for e in itertools.product(range(max(powers) + 1), repeat=d) if sum(e) in powers]
    assert found.nullity == count - min(count, len(exponents))  # generic points
    exact = [[Fraction(float(entry)) for entry in row] for row in points]
    for u in found.null_vectors[:2]:
        for e in exponents:
            row = [math.prod(map(pow, point, e), start=Fraction(1)) for point in exact]
            assert sum(map(operator.mul, u, row)) == 0


@pytest.mark.parametrize(
    ("text", "polynomial"),
    [
        ("sin(x)^2 + cos(x)^2", {0}),
        ("cosh(x)^2 - sinh(x)^2 + x", {0, 1}),
        ("x*sin(x)^2 + x*cos(x)^2 - 2", {0, 1}),
        ("erf(x) + erfc(x) + x^2", {0, 2}),
        ("sin(x)^2 + 2*cos(x)^2", None),
        ("cosh(x)^2 - sinh(2*x)/2", None),
        ("exp(x^2/10)*cos(x)", None),
        ("sin(x)*sin(2*x)*x^2", None),
        ("cos(x^2) + x", None),
        ("exp(log(2)*x + x) - exp(x*log(2))*exp(x) + x^3", {3}),
    ],
)
def test_profile_sees_through_disguises(text: str, polynomial: set[int] | None) -> None:
    assert profile(Activation.parse(text)).polynomial == polynomial


@pytest.mark.parametrize(
    "points",
    [
        [], [[]], [[1, 2], [3]], [[1, float("nan")]], [[math.inf, 1]], "12", [["x"]], [[True]],
        [[sp.sqrt(2)]], np.zeros(3), [1, 2], None, [["1+"]],
    ],
)  # fmt: skip
def test_bad_points(points: Any) -> None:
    with pytest.raises(DomainError):
        decide_gram(Network.mlp(activations.relu, 1, 2, 0), points)


@pytest.mark.parametrize(
    ("dim", "domain"),
    [(0, Domain.DISTINCT), (True, Domain.DISTINCT), (2, "sphere"), (1, Domain.SPHERE), (2.0, Domain.SPHERE)],
)  # fmt: skip
def test_bad_domains(dim: Any, domain: Any) -> None:
    with pytest.raises(DomainError):
        decide(Network.mlp(activations.relu, 1, 2, 0), dim, domain)


def test_bad_kernel_and_symbols() -> None:
    with pytest.raises(DomainError):
        decide_gram(Network.mlp(activations.relu, 1, 2, 0), HALF, "kernel")
    with pytest.raises(DomainError):
        decide_gram(Network.mlp(activations.relu, 1, sp.Symbol("w", positive=True), 0), HALF)
    with pytest.raises(DomainError):
        decide_gram(Network.mlp(activations.leaky_relu(sp.Symbol("a", real=True)), 1, 1, 0), HALF)


def test_infinite_kernels_are_refused() -> None:
    network = Network.mlp(Activation.parse("exp(x^2/3)"), 1, 1, 0)  # E phi(u)^2 is finite below 3/4
    assert decide_gram(network, [["1/2"], [1 / 4]]).verdict is Positivity.STRICTLY_POSITIVE
    for where in ([["1/2"], [1]], [[10**30]]):
        with pytest.raises(DomainError, match="infinite"):
            decide_gram(network, where)
    with pytest.raises(DomainError, match="infinite"):
        decide(network, 2)
