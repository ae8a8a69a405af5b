"""Float64 with proved errors: numbers, functions of a correlation, Gram matrices, eigenvalues; each against
exact arithmetic or balls, and each bound caught when it is made too small."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Dense, LayerNorm, Network, Nonlinearity, Residual, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.network import ball_pair
from analytic_ntk.positivity import certified_gram, eigenvalue_bounds, float_gram, min_eigenvalue
from analytic_ntk.positivity.correlation import (
    ArcCosine,
    Correlations,
    Rows,
    arc_cosines,
    arcsine,
    series_at,
)
from analytic_ntk.positivity.eigenvalue import gram_balls
from analytic_ntk.positivity.entries import Entries
from analytic_ntk.positivity.float_gram import COMPILED, CertifiedGram
from analytic_ntk.positivity.points import exact_points
from analytic_ntk.positivity.rounded import Rounded
from analytic_ntk.systems.ball import Ball

# ------------------------------------------------------------------------------------ numbers

REALS = st.floats(-1e100, 1e100, allow_subnormal=True)
ERRORS = st.sampled_from([0.0, 1e-320, 1e-40, 1e-12, 0.5])
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
}  # fmt: skip


def _misses(found: Rounded, truths: list[Fraction], factor: Fraction = Fraction(1)) -> bool:
    middle, reach = Fraction(float(found.value)), factor * Fraction(float(found.error))
    return any(abs(truth - middle) > reach for truth in truths)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from("+-*/"), REALS, REALS, ERRORS, ERRORS)
@example("*", 1e-200, 1e-200, 0.0, 0.0)
@example("*", 1e-170, 1e-150, 1e-40, 0.0)
@example("/", 5e-324, 3.0, 0.0, 0.0)
def test_operations_enclose_every_true_result(sign: str, a: float, b: float, da: float, db: float) -> None:
    one, two = Rounded(np.asarray(a), np.asarray(da)), Rounded(np.asarray(b), np.asarray(db))
    operation = OPERATIONS[sign]
    ends = [
        (Fraction(a) + s * Fraction(da), Fraction(b) + t * Fraction(db))
        for s in (-1, 0, 1)
        for t in (-1, 0, 1)
    ]
    if sign == "/" and abs(b) <= db:
        with pytest.raises(PrecisionError):
            operation(one, two)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        found = operation(one, two)
    if np.isfinite(found.value) and np.isfinite(found.error):
        assert not _misses(found, [operation(x, y) for x, y in ends])


@given(st.floats(0, 1e100), st.sampled_from([0.0, 1e-300, 1e-16, 1.0]))
def test_roots_enclose(a: float, error: float) -> None:
    found = Rounded(np.asarray(a), np.asarray(error)).sqrt()
    middle, reach = Fraction(float(found.value)), Fraction(float(found.error))
    for truth in (Fraction(a) - Fraction(error), Fraction(a), Fraction(a) + Fraction(error)):
        if truth >= 0:
            assert max(middle - reach, 0) ** 2 <= truth <= (middle + reach) ** 2


def test_saboteur_a_rounding_left_out() -> None:
    """The same check with half of the error: ``1 + 2^-53`` is rounded to 1."""
    found, truth = Rounded.exact(1.0) + Rounded.exact(2.0**-53), 1 + Fraction(1, 2**53)
    assert not _misses(found, [truth]) and _misses(found, [truth], Fraction(1, 2))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from("+*"), st.integers(0, 10**6), st.sampled_from([0.0, 1e-12, 0.3]))
def test_entries_enclose_every_true_result(sign: str, seed: int, error: float) -> None:
    """Semidefinite 2 x 2 matrices moved within their errors, exactly; for the sum ``s`` is the sum of both,
    which is at most what Cauchy's inequality gives."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-150, 150, 2)
    true = rng.uniform(-1, 1, 2) * sizes
    moved = [float(t + f * error * s) for t, f, s in zip(true, (0.999, -0.999), sizes, strict=True)]
    one, two = (
        Entries(np.array(m), error and error * (1 + 1e-12), s, 0.0)
        for m, s in zip(moved, sizes.tolist(), strict=True)
    )
    a, b, s, t = (Fraction(v) for v in (*true.tolist(), *sizes.tolist()))
    found, exact, scale = (one + two, a + b, s + t) if sign == "+" else (one * two, a * b, s * t)
    assert abs(Fraction(float(found.value)) - exact) <= Fraction(found.error) * scale + Fraction(found.lost)


def test_saboteur_half_a_rounding() -> None:
    """The roundings of ``1 + u`` and of ``(1 + 2u)(1 + 2^-30)`` as they are, and with half of the error."""
    u = 2.0**-53
    for one, two, exact in (
        (1.0, u, Fraction(1) + Fraction(u)),
        (1 + 2 * u, 1 + 2.0**-30 + 2.0**-52, Fraction(1 + 2 * u) * Fraction(1 + 2.0**-30 + 2.0**-52)),
    ):
        parts = [Entries(np.array(v), 0.0, v) for v in (one, two)]
        found = parts[0] + parts[1] if two == u else parts[0] * parts[1]
        wrong = abs(Fraction(float(found.value)) - exact)
        assert wrong <= Fraction(found.error) * exact + Fraction(found.lost)
        if two == u:
            assert wrong > Fraction(found.error) / 2 * exact + Fraction(found.lost)


# ------------------------------------------------------------------------------------ functions of rho


def test_arcsine() -> None:
    """Against mpmath at 40 digits, next to the ends and in the middle; the bound is no wish."""
    ends = [1 - 2.0**-k for k in range(1, 54)]
    rho = np.array(sorted({0.0, 1.0, 1e-300, *ends, *(2.0**-k for k in range(60)), *np.linspace(0, 1, 200)}))
    rho = np.concatenate([-rho, rho])
    value, error = arcsine(rho)
    with mpmath.workdps(40):
        wrong = max(abs(mpmath.mpf(v) - mpmath.asin(mpmath.mpf(r))) for v, r in zip(value, rho, strict=True))
    assert 2e-17 < wrong <= error < 2e-15


WAYS = [False, pytest.param(True, marks=pytest.mark.skipif(not COMPILED, reason="numba"))]
"""In numpy and in compiled loops."""


@pytest.mark.parametrize("fast", WAYS)
@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize(("degree", "a", "b"), [(0, 1, 0), (0, 1, -1), (1, 1, 0), (1, 1, "1/10"), (1, 2, 3)])
def test_arc_cosine_encloses(degree: int, a: Any, b: Any, near: bool, fast: bool) -> None:
    """Cho and Saul's formulas at every true correlation within the error of the one given."""
    with working_precision(200):
        function = ArcCosine.of(
            degree, *(arb(str(Fraction(v).numerator)) / Fraction(v).denominator for v in (a, b))
        )
    rng = np.random.default_rng(0)
    rho = rng.uniform(-0.98, 0.98, 25)
    if near:
        rho = np.clip(np.concatenate([rho, 1 - 10.0 ** -rng.uniform(0, 17, 20), [1.0, -1.0]]), -1, 1)
    error = 10.0 ** -rng.uniform(3, 17, len(rho))
    missed = 0
    for wrong in (error, 1e-9):
        place = Correlations.of(rho, wrong, fast)
        found = arc_cosines(function if degree else None, function, place)[0 if degree else 1]
        reaches = np.broadcast_to(function.error(place), rho.shape)
        with mpmath.workdps(50):
            plus, minus = (
                mpmath.mpf(v.numerator) / v.denominator
                for v in ((Fraction(a) + s * Fraction(b)) ** 2 for s in (1, -1))
            )
            top = (plus + minus) / 4
            for r, e, value, reach in zip(
                rho, np.broadcast_to(wrong, rho.shape), found, reaches, strict=True
            ):
                for move in (-1, 0, 1):
                    true = min(max(mpmath.mpf(r) + move * mpmath.mpf(e), -1), 1)
                    angle = mpmath.asin(true)
                    if degree == 0:
                        expected = plus / 4 + minus * angle / (2 * mpmath.pi)
                    else:
                        expected = minus * true / 4 + plus * (mpmath.sqrt(1 - true**2) + true * angle) / (
                            2 * mpmath.pi
                        )
                    assert abs(expected - mpmath.mpf(value)) <= mpmath.mpf(reach) * top
                    missed += abs(expected - mpmath.mpf(value)) > mpmath.mpf(reach) * top / 100
    assert missed > 0  # a hundredth of the bound would not do


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 3))
def test_series_enclose(seed: int, terms: int, count: int) -> None:
    """Coefficients, tails and correlations, all moved within their errors: the exact sum is enclosed."""
    rng = np.random.default_rng(seed)
    beyond = 3
    true = rng.normal(size=(count, terms + beyond))
    errors = 10.0 ** -rng.uniform(4, 18, size=(count, terms))
    values = true[:, :terms] + rng.uniform(-1, 1, size=(count, terms)) * errors * 0.99
    square = true**2
    slopes = (square * np.arange(terms + beyond)).sum(axis=1) if seed % 2 else np.full(count, np.inf)
    rows = Rows(
        values, errors, square[:, terms:].sum(axis=1) * 1.001, square.sum(axis=1) * 1.001, slopes * 1.001
    )
    i, j = rng.integers(0, count, 9), rng.integers(0, count, 9)
    rho = np.append(rng.uniform(-1, 1, 7), [1.0, -1.0])
    wrong = 10.0 ** -rng.uniform(2, 17, 9)
    for fast in (False, COMPILED):
        value, relative = series_at(rows, i, j, Correlations.of(rho, wrong, fast))
        for place in range(9):
            a, b = (true[k[place]] for k in (i, j))
            reach = relative[place] * math.sqrt(rows.totals[i[place]] * rows.totals[j[place]]) * (1 + 1e-15)
            for move in (-1, 0, 1):
                r = min(max(Fraction(rho[place]) + move * Fraction(wrong[place]), Fraction(-1)), Fraction(1))
                exact = sum(
                    Fraction(x) * Fraction(y) * r**k for k, (x, y) in enumerate(zip(a, b, strict=True))
                )
                assert abs(exact - Fraction(value[place])) <= Fraction(reach)


# ------------------------------------------------------------------------------------ Gram matrices

RELU, TANH = activations.relu, activations.tanh
NETWORKS = {
    "relu": Network.mlp(RELU, 2, 2, "1/10"),
    "leaky": Network.mlp(Activation.parse("Max(x, 0) - Max(-x, 0)/10"), 3, 2, 0),
    "abs": Network.mlp(activations.get("abs"), 2, 1, 0),
    "step": Network.mlp(activations.get("step"), 2, 1, "1/3"),
    "relu^2": Network.mlp(Activation.parse("Max(x, 0)**2"), 1, "1/2", "1/10"),
    "x^3": Network.mlp(Activation.parse("x^3"), 1, "1/2", 0),
    "tanh": Network.mlp(TANH, 1, 1, "1/10"),
    "gelu": Network.mlp(activations.gelu, 2, 2, 0),
    "sin": Network.mlp(activations.sin, 1, 1, 1),
    "hardtanh": Network.mlp(activations.hardtanh, 1, 2, "1/10"),
    "shifted step": Network.mlp(Activation.parse("Heaviside(x - 1)"), 1, 1, "1/10"),
    "constant": Network.mlp(Activation.parse("3"), 1, 1, 0),
    "residual": Network(
        Dense(1, 0), Residual(Nonlinearity(RELU), Dense(1, "1/10")), LayerNorm(),
        Nonlinearity(activations.erf), Dense(1, 0),
    ),
}  # fmt: skip


def _points(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, 3))
    if kind == "sphere":
        X /= np.linalg.norm(X, axis=1, keepdims=True)
    elif kind == "near":
        X[1], X[2], X[3] = X[0] * (1 + 1e-9), -X[0], X[0] + 1e-7 * X[4]
    elif kind == "zero":
        X[2] = 0
    return X


Truth = list[list[arb]]


def _truth(network: Network, X: np.ndarray) -> dict[str, Truth]:
    """Both Gram matrices in balls, entry by entry from the definition at the binary inputs."""
    points = [[Fraction(v) for v in row] for row in X.tolist()]
    size, ball = len(points), Ball()
    found: dict[str, Truth] = {kernel: [[arb(0)] * size for _ in points] for kernel in ("ntk", "nngp")}
    with working_precision(160):
        for i, x in enumerate(points):
            for j, y in enumerate(points[: i + 1]):
                a, c, b = (
                    sp.Rational(v.numerator, v.denominator) / X.shape[1]
                    for v in (
                        sum(s * t for s, t in zip(u, v, strict=True)) for u, v in ((x, x), (x, y), (y, y))
                    )
                )
                result = network.push(ball_pair(a, c, b), ball)
                for kernel, value in (("ntk", result.ntk), ("nngp", result.q12)):
                    found[kernel][i][j] = found[kernel][j][i] = value
    return found


def _missed(gram: CertifiedGram, truth: Truth) -> int:
    """Entries whose true value certainly lies outside."""
    with working_precision(160):
        return sum(
            bool(abs(value - arb(float(gram.matrix[i, j]))) > arb(float(gram.error[i, j])))
            for i, row in enumerate(truth)
            for j, value in enumerate(row)
        )


@pytest.mark.parametrize("kind", ["sphere", "general", "near", "zero"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gram_encloses_the_kernel(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry, from the definition in balls at the binary inputs; kinks and norms of all sorts; in numpy
    and, where numba is installed, in compiled loops."""
    X, network = _points(kind, 7), NETWORKS[name]
    truth = _truth(network, X)
    for kernel, fast in product(("ntk", "nngp"), (False, True)):
        monkeypatch.setattr(float_gram, "MANY", 0 if fast else math.inf)
        gram = certified_gram(network, X, kernel)
        assert _missed(gram, truth[kernel]) == 0
        assert np.array_equal(gram.matrix, gram.matrix.T) and np.array_equal(gram.error, gram.error.T)
        if kind == "general" and name not in ("hardtanh", "shifted step"):
            assert gram.error.max() < 1e-10 * gram.matrix.max()


@pytest.mark.parametrize(
    "scales", [(1e-140,) * 5, (1e140,) * 5, (1e-100, 1, 0, 1e100, 1), (1e-150, 1, 1, 1, 1)]
)
@pytest.mark.parametrize("name", ["relu", "leaky", "abs"])
def test_norms_of_all_sizes(name: str, scales: tuple[float, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bias the entries are as small and as large as the inputs; underflow is in the error."""
    network = Network.mlp(NETWORKS[name].activations[0], 2, 1, 0)
    X = _points("near", 11) * np.array(scales)[:, None]
    truth = _truth(network, X)["ntk"]
    for fast in (False, True):
        monkeypatch.setattr(float_gram, "MANY", 0 if fast else math.inf)
        gram = certified_gram(network, X)
        assert _missed(gram, truth) == 0
        length = np.sqrt(np.diag(gram.matrix))
        # near rho = +-1 the slope of a kink is known to the root of the error only
        assert (gram.error <= 1e-6 * np.outer(length, length) + 1e-320).all()


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("phi", "angle"), [(TANH, 0.3), (TANH, -0.31), (activations.get("elu(1)"), 0.27)])
def test_some_pairs_at_the_end_of_a_series(
    phi: Activation, angle: float, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three points of the circle and their opposites, turned. At the second layer each correlation carries an
    error of its own, and only some of them ask for more terms: these get the errors of their own pairs."""
    monkeypatch.setattr(float_gram, "MANY", 0 if fast else math.inf)
    turns = np.arange(6) * np.pi / 3 + angle * (np.arange(6) % 2)
    X, network = np.column_stack([np.cos(turns), np.sin(turns)]), Network.mlp(phi, 2, 2, 0)
    gram = certified_gram(network, X)
    assert _missed(gram, _truth(network, X)["ntk"]) == 0
    assert gram.error.max() < 1e-12 * gram.matrix.max()


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_saboteur_errors_too_small_are_caught(name: str) -> None:
    """The bound is not idle: with a hundredth of it some entry misses (and with none almost all do)."""
    X, network = _points("sphere", 3), NETWORKS[name]
    gram, truth = certified_gram(network, X), _truth(network, X)["ntk"]
    assert _missed(gram, truth) == 0
    assert _missed(replace(gram, error=gram.error / 200), truth) > 0
    assert _missed(replace(gram, error=0 * gram.error), truth) > len(X)


def test_saboteur_sign_of_the_tail() -> None:
    """A tail taken off the error instead of put on it: the enclosure of a kink near ``rho = 1`` breaks."""
    rows = Rows(
        np.array([[1.0, 1.0]]), np.zeros((1, 2)), np.array([1.0]), np.array([3.0]), np.array([np.inf])
    )
    zero, rho = np.zeros(1, dtype=np.intp), Correlations.of(np.array([0.9]), 0.0)
    truth = 1 + 0.9 + 0.9**2  # all of the tail in the next coefficient
    value, error = series_at(rows, zero, zero, rho)
    assert abs(truth - value[0]) <= 3 * error
    value, error = series_at(replace(rows, tails=np.zeros(1), known={}), zero, zero, rho)
    assert abs(truth - value[0]) > 3 * error


def test_float32_data_and_huge_blocks() -> None:
    """More pairs than a block holds, nearly equal norms: spot entries against balls."""
    X = np.random.default_rng(1).normal(size=(260, 4)).astype(np.float32)
    network = Network.mlp(RELU, 1, 2, "1/10")
    gram = certified_gram(network, X)
    for i, j in ((0, 0), (0, 259), (131, 17), (258, 259)):
        pair = certified_gram(network, X[[i, j]])
        with working_precision(160):
            truth = gram_balls(network, exact_points(X[[i, j]]), "ntk")
        assert abs(truth[0, 1] - arb(float(gram.matrix[i, j]))) <= arb(float(gram.error[i, j]))
        assert abs(gram.matrix[i, j] - pair.matrix[0, 1]) <= gram.error[i, j] + pair.error[0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: certified_gram(NETWORKS["relu"], [[1, 2], [3]]), "one length"),
        (lambda: certified_gram(NETWORKS["relu"], [["1/3", "1"]]), "balls"),
        (lambda: certified_gram(NETWORKS["relu"], [[math.nan]]), "NaN"),
        (lambda: certified_gram(NETWORKS["relu"], np.ones(3)), "shape"),
        (lambda: certified_gram(NETWORKS["relu"], np.ones((2, 0))), "shape"),
        (lambda: certified_gram(NETWORKS["relu"], [[True, False]]), "bool"),
        (lambda: certified_gram(NETWORKS["relu"], [[2**60 + 1, 1]]), "float64 rounds"),
        (lambda: certified_gram(NETWORKS["relu"], np.ones((6000, 1))), "6000 points"),
        (lambda: certified_gram(NETWORKS["relu"], [[1e300, 0.0]]), "float64"),
        (lambda: certified_gram(NETWORKS["relu"], [[1.0]], "kernel"), "ntk"),
        (lambda: certified_gram(Network.mlp(Activation.parse("exp(x^2/5)"), 1, 2, 1), [[1.0]]), "infinite"),
        (lambda: min_eigenvalue(NETWORKS["relu"], [[1.0]], method="float32"), "method"),  # type: ignore[arg-type]
        (lambda: min_eigenvalue(NETWORKS["relu"], [[1.0]], digits=0), "digits"),
        (lambda: min_eigenvalue(NETWORKS["relu"], [[1.0]], digits=True, method="float64"), "digits"),
        (lambda: min_eigenvalue(NETWORKS["relu"], np.ones((401, 1))), 'method="float64"'),
    ],
)
def test_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()


# ------------------------------------------------------------------------------------ eigenvalues


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "sin"])
def test_float64_and_balls_overlap(name: str) -> None:
    """Two ways to the same number; float64 gives eight digits where the matrix is well conditioned."""
    X = np.random.default_rng(2).normal(size=(4 if name == "tanh" else 8, 5))
    found = min_eigenvalue(NETWORKS[name], X, method="float64")
    truth = min_eigenvalue(NETWORKS[name], X, digits=15)
    assert truth in found and found.digits >= 6


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 1e3]))
def test_float64_encloses_balls(count: int, dim: int, seed: int, scale: float) -> None:
    X = np.random.default_rng(seed).normal(size=(count, dim)) * scale
    network = Network.mlp(RELU, 2, 2, "1/10")
    assert min_eigenvalue(network, X, digits=8) in min_eigenvalue(network, X, method="float64")


def test_saboteur_entry_errors_left_out() -> None:
    """Bounds of the rounded matrix alone miss the eigenvalue of the kernel: the entry errors are needed."""
    missed = 0
    for seed in range(25):
        X = np.random.default_rng(seed).normal(size=(4, 2))
        truth = min_eigenvalue(NETWORKS["leaky"], X, digits=25)
        gram = certified_gram(NETWORKS["leaky"], X)
        honest, bare = eigenvalue_bounds(gram.matrix, gram.error), eigenvalue_bounds(gram.matrix)
        assert Fraction(honest.lower) <= truth.lower and truth.upper <= Fraction(honest.upper)
        missed += not Fraction(bare.lower) <= truth.lower or not truth.upper <= Fraction(bare.upper)
    assert missed > 0


def test_equal_rows_are_exactly_singular_and_others_honest() -> None:
    X = np.random.default_rng(0).normal(size=(6, 3))
    X[5] = X[0]
    found = min_eigenvalue(NETWORKS["relu"], X, method="float64")
    assert (found.midpoint, found.radius) == (0, 0)
    X[5] = -X[0]
    odd = Network.mlp(TANH, 1, 1, 0)
    assert 0 in min_eigenvalue(odd, X, method="float64")


@pytest.mark.parametrize(
    ("network", "X"),
    [
        (Network.mlp(RELU, 2, 0, "1/10"), [[1.0, 2.0], [0.5, -1.0]]),
        (Network.mlp(TANH, 1, 0, "1/10"), [[1.0], [0.5]]),
        (Network.mlp(Activation.parse("0"), 1, 1, "1/10"), [[1.0], [0.5]]),
        (Network.mlp(RELU, 30, 2, "1/10"), [[1.0, 2.0], [0.5, -1.0], [0.0, 0.0]]),
        (Network.mlp(activations.erf, 2, 10**6, 1), [[1.0, 2.0], [0.5, -1.0]]),
        (Network.mlp(RELU, 1, 2, "1/10"), [[1e-170, 2e-170], [1e-165, 0.0]]),
        (Network.mlp(RELU, 1, 2, 0), [[1e-100, 2e-100], [1e-100, 0.0]]),
        (Network.mlp(RELU, 1, 2, 0), [[2.0]]),
        (Network.mlp(RELU, 1, 2, 0), [[1, 2], [3, -4]]),
        (Network(Dense(1, 0), LayerNorm(), Nonlinearity(RELU), Dense(3, "1/7")), [[1.0, 2.0], [0.5, -1.0]]),
    ],
)
def test_odd_networks_and_points(network: Network, X: list[list[float]]) -> None:
    """No weights, no function, depth, huge and tiny numbers, one point: the truth is inside."""
    assert min_eigenvalue(network, X, digits=6) in min_eigenvalue(network, X, method="float64")


def test_variances_that_float64_cannot_tell_from_0() -> None:
    with pytest.raises(PrecisionError, match="cannot tell from 0"):
        certified_gram(Network.mlp(RELU, 1, 2, 0), [[1e-170], [1e-165]])


def test_the_hard_case_in_both_ways() -> None:
    """sin on ten points of a line: float64 cannot tell it from 0 and says so."""
    line = np.arange(10.0)[:, None] / 10
    network = Network.mlp(activations.sin, 1, 1, 1)
    rough = min_eigenvalue(network, line, method="float64")
    assert rough.lower == 0 and rough.upper < Fraction(1, 10**9)
    exact = min_eigenvalue(network, line.tolist(), digits=11)
    assert exact in rough and str(exact.decimal(12)).startswith("4.0771258065")
    with pytest.raises(PrecisionError, match='method="balls"'):
        min_eigenvalue(network, line, digits=3, method="float64")


def test_badly_scaled_rows_are_proved_positive() -> None:
    """Norms from 1e-4 to 1e4 without bias: the scaled factorisation proves what the plain one cannot."""
    X = np.random.default_rng(5).normal(size=(8, 6)) * 10.0 ** np.linspace(-4, 4, 8)[:, None]
    network = Network.mlp(RELU, 1, 2, 0)
    found = min_eigenvalue(network, X, method="float64")
    assert found.lower > 0 and min_eigenvalue(network, X, digits=6) in found


def test_progress_is_told() -> None:
    said: list[tuple[int, int, str]] = []
    X = np.random.default_rng(0).normal(size=(5, 3))
    for method in ("balls", "float64"):
        min_eigenvalue(NETWORKS["relu"], X, method=method, progress=lambda *news: said.append(news))  # type: ignore[arg-type]
    assert {name for _, _, name in said} >= {"kernel values", "rows"}
    assert all(0 <= done <= total for done, total, _ in said)
