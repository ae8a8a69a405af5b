"""Bounds of the smallest eigenvalue: below the eigenvalues of real matrices, and what they are made of."""

from __future__ import annotations

import csv
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Dense, Enclosure, Network, Nonlinearity, activations
from analytic_ntk.bounds import (
    LowerBound,
    Zonal,
    compare,
    derivative_tail_mass,
    gershgorin_bound,
    hadamard_bound,
    khatri_rao,
    khatri_rao_bound,
    khatri_rao_gram,
    lambda_min_lower_bound,
    lower_bound,
    mu,
    mutual_coherence,
    separation,
    separation_bound,
    sphere_points,
    tail_mass,
)
from analytic_ntk.bounds.compare import COLUMNS
from analytic_ntk.errors import DomainError
from analytic_ntk.positivity import min_eigenvalue
from analytic_ntk.series import KernelSeries

RELU = Network(Dense(1, 0), Nonlinearity(activations.relu), Dense(2, 0)).series(16)
TANH = Network.mlp(activations.tanh, 2, 1, "1/10").series(12)

ENTRIES = st.integers(-4, 4).map(Fraction)


@st.composite
def point_sets(draw: st.DrawFn) -> list[list[Fraction]]:
    n, d = draw(st.integers(2, 6)), draw(st.integers(2, 4))
    rows = st.lists(ENTRIES, min_size=d, max_size=d).filter(any)
    return draw(st.lists(rows, min_size=n, max_size=n))


def correlations(points: list[list[Fraction]] | np.ndarray) -> np.ndarray:
    X = np.array(points, dtype=float)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X @ X.T


def least_eigenvalue(coefficients: list[float], rho: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(sum(c * rho**k for k, c in enumerate(coefficients)))[0])


def relu_ntk(rho: np.ndarray) -> np.ndarray:
    theta = np.arccos(np.clip(rho, -1, 1))
    return (np.sin(theta) + 2 * (np.pi - theta) * np.cos(theta)) / np.pi  # Cho, Saul 2009


def rounding(total: float, n: int) -> float:
    """Of an eigenvalue in float64: arccos near 1 costs the root of the last place."""
    return 1e-7 * total * n


# ------------------------------------------------------------------------------------ the bounds hold


BOUNDS = [
    gershgorin_bound,
    lambda_min_lower_bound,
    *(lambda k, p, r=r: hadamard_bound(k, p, r) for r in (1, 2, 4)),
]  # type: ignore[misc]


@settings(max_examples=40)
@given(point_sets(), st.lists(st.integers(0, 9), min_size=5, max_size=8))
def test_bounds_are_below_the_eigenvalues(points: list[list[Fraction]], c: list[int]) -> None:
    actual = least_eigenvalue([float(v) for v in c], correlations(points))
    for bound in BOUNDS:
        found = bound(c, points)
        assert found.kind == "certified" and isinstance(found.value, Fraction) and found.value >= 0
        assert float(found.value) <= actual + 1e-13 * sum(c) * len(points)


@settings(max_examples=10)
@given(point_sets())
def test_bounds_of_a_series_are_below_the_eigenvalues_of_the_closed_form(
    points: list[list[Fraction]],
) -> None:
    actual = float(np.linalg.eigvalsh(relu_ntk(correlations(points)))[0])
    for bound in BOUNDS:
        assert float(bound(RELU, points).value) <= actual + rounding(2.0, len(points))
    X = np.array(points, dtype=float)
    scaled = math.sqrt(X.shape[1]) * X / np.linalg.norm(X, axis=1, keepdims=True)
    deep = Network.mlp(activations.tanh, 2, 1, "1/10").gram(scaled, kernel="both")
    for which, matrix in zip(("nngp", "ntk"), deep, strict=True):
        found = gershgorin_bound(Zonal.of(TANH, which), points)
        assert float(found.value) <= np.linalg.eigvalsh(matrix)[0] + 1e-10


@pytest.mark.parametrize("factor", [Fraction(11, 10), Fraction(2)])
def test_saboteur_inflated_bound_is_caught(factor: Fraction) -> None:
    """Orthogonal points: the bound is attained (up to the constant), so a planted factor breaks the law."""
    c, points = [0, 1, 2, 3], [[1, 0, 0], [0, 2, 0], [0, 0, "1/3"]]
    actual = least_eigenvalue([float(v) for v in c], np.eye(3))
    found = lambda_min_lower_bound(c, points)
    assert found.value == 6 and actual == pytest.approx(6)
    assert float(factor * found.value) > actual + 1e-13 * 6 * 3
    tilted = [[3, 4], [4, 3]]  # G = [[1, 24/25], [24/25, 1]], so c_r (1 - (24/25)^r) is attained
    for r in (1, 2, 4):
        value = hadamard_bound([0, 1, 1, 1, 1], tilted, r).value
        exact = 1 - Fraction(24, 25) ** r
        assert exact * Fraction(98, 100) < value <= exact < factor * value


def test_gershgorin_eq_formula() -> None:
    """The stated maximum over K of the minimum over i, in rationals (all correlations are)."""
    c = [Fraction(1), Fraction(2), Fraction(0), Fraction(3), Fraction(1, 2), Fraction(5)]
    points = [[1, 0], [0, 2], [3, -4], [-7, -24]]
    X = [[Fraction(v) / Fraction(math.isqrt(sum(w * w for w in row))) for v in row] for row in points]
    G = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in X] for p in X]
    best = max(
        min(
            sum(c[K:]) - sum(abs(sum(c[k] * G[i][j] ** k for k in range(K, 6))) for j in range(4) if j != i)
            for i in range(4)
        )
        for K in range(6)
    )
    found = gershgorin_bound(c, points)
    assert best > 0
    assert 0 <= best - found.value < Fraction(1, 10**35)
    assert gershgorin_bound(c, np.array(points, dtype=float)).value == pytest.approx(float(best), rel=1e-13)


def test_tail_beyond_the_series_is_used() -> None:
    """Near-duplicates need high powers: what lies beyond the order counts as mass, and against the others."""
    points = [[100, 0], [100, 14], [0, 1]]  # angle 0.14
    short, long = Zonal.of(RELU), gershgorin_bound(RELU, points)
    assert long.value > 0
    bare = Zonal(short.coefficients, Enclosure(Fraction(0), Fraction(0)))
    assert gershgorin_bound(bare, points).value < long.value
    assert long.value <= np.linalg.eigvalsh(relu_ntk(correlations(points)))[0]


def test_tail_of_either_sign() -> None:
    """All we know of a kernel is its mass: for two points at rho the bound is c (1 - |rho|^(order + 1))."""
    unknown = Zonal((Enclosure(Fraction(0), Fraction(0)),) * 3, Enclosure(Fraction(2), Fraction(1)))
    found = gershgorin_bound(unknown, [[1, 0], [-3, 4]])
    assert found.value == pytest.approx(1 - 3 * 0.6**3, rel=1e-12)
    assert gershgorin_bound(unknown, np.array([[1.0, 0], [-3, 4]])).value == pytest.approx(2 * (1 - 0.6**3))


@pytest.mark.parametrize("points", [[[1, 2], [2, 4]], [[1, 2], [1, 2], [0, 1]], [[1, 2], [-1, -2]]])
def test_parallel_points(points: list[list[int]]) -> None:
    """Duplicates are singular; antipodes are not where both parities are present."""
    found = lambda_min_lower_bound([1, 1, 1, 1], points)
    if points[1][0] < 0:
        assert 0 < found.value <= least_eigenvalue([1, 1, 1, 1], correlations(points)) + 1e-12
    else:
        assert found == LowerBound(Fraction(0), "semidefinite", 0, "certified")


def test_hadamard_wins_on_many_close_directions() -> None:
    """The identity plus a constant: Gershgorin fails, the Gram matrix itself does not."""
    points = [[2 if i == j else 1 for j in range(12)] for i in range(12)]
    found = lambda_min_lower_bound([0, 1], points)
    actual = least_eigenvalue([0, 1], correlations(points))
    assert found.method == "hadamard" and 0.9 * actual < found.value <= actual + 1e-14
    assert gershgorin_bound([0, 1], points).method == "semidefinite"


def test_far_below_float64() -> None:
    """An eigenvalue of 1e-40 is bounded from below by a positive number."""
    step = Fraction(1, 10**20)
    found = hadamard_bound([0, 1], [[1, 0], [1, step]], 1)
    exact = 1 - 1 / sp.sqrt(1 + sp.Rational(1, 10**40))
    assert 0.9 * float(sp.N(exact, 60)) < float(found.value) <= float(sp.N(exact, 60))


def test_float64_agrees_with_certified() -> None:
    rng = np.random.default_rng(1)
    points = [[Fraction(int(v), 64) for v in row] for row in rng.integers(-99, 99, (8, 5))]
    X = np.array(points, dtype=float)
    for bound in (gershgorin_bound, lambda_min_lower_bound, lambda k, p: hadamard_bound(k, p, 2)):
        exact, floating = bound(RELU, points), bound(RELU, X)
        assert floating.kind == "float64" and isinstance(floating.value, float)
        # the certified power bound gives away a factor n^(1/64) at most
        assert float(exact.value) <= floating.value + 1e-12 <= 8 ** (1 / 64) * float(exact.value) + 2e-12


@pytest.mark.parametrize("n", [40])
def test_many_random_points(n: int) -> None:
    """In high dimension the bound is a fair part of the eigenvalue."""
    X = np.random.default_rng(0).standard_normal((n, 200))
    found = lambda_min_lower_bound(RELU, X)
    actual = np.linalg.eigvalsh(relu_ntk(correlations(X)))[0]
    assert actual / 4 < found.value <= actual


# ------------------------------------------------------------------------------------ Khatri-Rao


@settings(max_examples=30)
@given(point_sets(), st.integers(0, 3))
def test_khatri_rao_gram_eq_product(points: list[list[Fraction]], r: int) -> None:
    power = khatri_rao(points, r)
    product = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in power] for p in power]
    assert [list(row) for row in khatri_rao_gram(points, r)] == product
    floating = khatri_rao(np.array(points, dtype=float), r)
    assert floating.tolist() == [[float(v) for v in row] for row in power]  # small integers: no rounding
    assert khatri_rao_gram(np.array(points, dtype=float), r).tolist() == [
        [float(v) for v in p] for p in product
    ]


def test_khatri_rao_eq_kron() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 3))
    rows = [np.kron(np.kron(row, row), row) for row in X]
    assert np.allclose(khatri_rao(X, 3), rows, rtol=3 * 2**-52, atol=0)
    exact = np.array([[Fraction(v) for v in row] for row in X])
    gram = (exact @ exact.T) ** 3
    size = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(X, axis=1)) ** 3
    error = np.abs(np.array(khatri_rao_gram(X, 3) - gram, dtype=float))
    assert (error <= (3 + 1) * 3 * 2.0**-53 * size).all()


# ------------------------------------------------------------------------------------ coherence


@given(point_sets())
def test_mutual_coherence(points: list[list[Fraction]]) -> None:
    rho = np.abs(correlations(points))
    pairs = [rho[i, j] for i, j in itertools.combinations(range(len(points)), 2)]
    found = mutual_coherence(points)
    assert isinstance(found, Enclosure) and 0 <= found.lower <= found.upper <= 1 + Fraction(1, 10**70)
    assert float(found) == pytest.approx(max(pairs), abs=1e-14)
    assert mutual_coherence(np.array(points, dtype=float)) == pytest.approx(max(pairs), abs=1e-14)


def test_mutual_coherence_is_exact_where_it_can_be() -> None:
    assert mutual_coherence([[1, 0], [3, 4]]) == Enclosure(Fraction(3, 5), Fraction(0))
    assert Fraction("0.70710678118654752440") in mutual_coherence([[1, 0], [1, 1]]) or (
        abs(mutual_coherence([[1, 0], [1, 1]]).midpoint ** 2 - Fraction(1, 2)) < Fraction(1, 10**70)  # type: ignore[union-attr]
    )


# ------------------------------------------------------------------------------------ masses


def quadrature(values: np.ndarray, z: np.ndarray, w: np.ndarray) -> float:
    return float(np.sum(w * np.exp(-z * z / 2) * values) / math.sqrt(2 * math.pi))


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
EDGES = np.arange(-12, 12.01, 0.5)
Z = np.concatenate([a + (NODES + 1) / 4 for a in EDGES[:-1]])
W = np.tile(WEIGHTS / 4, len(EDGES) - 1)


def mass_by_quadrature(values: np.ndarray, r: int) -> float:
    """``E (phi - head)^2``, the head being the first r terms: no difference of large numbers."""
    head, before, now = np.zeros_like(Z), np.zeros_like(Z), np.ones_like(Z)
    for k in range(r):
        head += quadrature(values * now, Z, W) * now
        before, now = now, (Z * now - math.sqrt(k) * before) / math.sqrt(k + 1)
    return quadrature((values - head) ** 2, Z, W)


MASSES = ["relu", "tanh", "gelu", "erf", "softplus", "sin", "abs", "step"]


@pytest.mark.parametrize("r", [0, 1, 2, 5])
@pytest.mark.parametrize("name", MASSES)
def test_tail_mass_eq_quadrature(name: str, r: int) -> None:
    phi = activations.get(name)
    mass = tail_mass(phi, r, digits=12)
    assert float(mass) == pytest.approx(mass_by_quadrature(phi(Z), r), rel=1e-8, abs=1e-12)
    assert not float(mass) == pytest.approx(mass_by_quadrature(phi(Z), r + 2), rel=1e-8)  # an order too far


@pytest.mark.parametrize("r", [0, 1, 4])
@pytest.mark.parametrize(("name", "slope"), [
    ("relu", lambda z: (z > 0) * 1.0), ("tanh", lambda z: 1 / np.cosh(z) ** 2), ("sin", np.cos),
    ("erf", lambda z: 2 / math.sqrt(math.pi) * np.exp(-z * z)), ("softplus", lambda z: 1 / (1 + np.exp(-z))),
])  # fmt: skip
def test_derivative_tail_mass_eq_quadrature(name: str, slope, r: int) -> None:  # type: ignore[no-untyped-def]
    mass = derivative_tail_mass(activations.get(name), r, digits=12)
    assert float(mass) == pytest.approx(mass_by_quadrature(slope(Z), r), rel=1e-8)


def test_masses_of_montanari_zhong() -> None:
    """v(relu) for l = 1 is 1/4 (Montanari, Zhong 2022)."""
    assert derivative_tail_mass(activations.relu, 1) == sp.Rational(1, 4)
    assert sp.simplify(tail_mass(activations.relu, 0) - sp.Rational(1, 2)) == 0
    assert mu(activations.relu, 2) == activations.relu.hermite(2)


def test_derivative_mass_eq_shifted_sum() -> None:
    """``mu_k(phi')^2 = (k + 1) mu_{k+1}^2``, and the sum of those left out is small for tanh."""
    row = activations.tanh.hermite_array(120)
    series = sum((k + 1) * row[k + 1] ** 2 for k in range(3, 120))
    assert float(derivative_tail_mass(activations.tanh, 3, digits=10)) == pytest.approx(series, rel=1e-9)


def test_small_masses_keep_their_digits() -> None:
    """The mass of sin beyond 40 is 1e-49: cancellation is made up for by precision."""
    mass = tail_mass(activations.sin, 40, digits=15)
    assert isinstance(mass, Enclosure) and mass.digits >= 15
    expected = sp.N(sum(sp.exp(-1) / sp.factorial(k) for k in range(41, 75, 2)), 30)
    assert abs(mass.midpoint / Fraction(str(expected)) - 1) < Fraction(1, 10**14)


def test_mass_of_polynomials_and_variance() -> None:
    cube = Activation.parse("x^3 - x")
    assert tail_mass(cube, 4) == 0 and tail_mass(cube, 300) == 0 and derivative_tail_mass(cube, 3) == 0
    assert tail_mass(cube, 2) == 6 and tail_mass(cube, 2, variance=4) == 6 * 4**3
    assert derivative_tail_mass(cube, 2) == 18


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tail_mass("relu", 1), "Activation"),
        (lambda: derivative_tail_mass("relu", 1), "Activation"),
        (lambda: mu("relu", 1), "Activation"),
        (lambda: gershgorin_bound([10**400], np.ones((1, 1))), "float64"),
        (lambda: tail_mass(activations.relu, -1), "r = -1"),
        (lambda: tail_mass(activations.relu, True), "r = True"),
        (lambda: tail_mass(activations.relu, 1, variance=0), "variance"),
        (lambda: tail_mass(Activation.parse("exp(x^2/3)"), 1), "infinite"),
        (lambda: derivative_tail_mass(activations.step, 1), "jumps"),
        (lambda: derivative_tail_mass(Activation.parse("exp(x^2/5)"), 1, variance=2), "variance"),
        (lambda: khatri_rao([[1, 2]], -1), "r = -1"),
        (lambda: khatri_rao([[1, 2]] * 3, 30), "khatri_rao_gram"),
        (lambda: khatri_rao([[0.5, 1]], 1), "float"),
        (lambda: khatri_rao([["sqrt(2)", 1]], 1), "rational"),
        (lambda: khatri_rao([[1, 2], [1]], 1), r"points\[1\]"),
        (lambda: khatri_rao([], 1), "points"),
        (lambda: khatri_rao("12", 1), "points"),
        (lambda: khatri_rao(np.ones(3), 1), "shape"),
        (lambda: khatri_rao(np.array([[math.nan]]), 1), "NaN"),
        (lambda: khatri_rao_gram(np.array([[1e200]]), 2), "float64"),
        (lambda: mutual_coherence([[1, 0]]), "one point"),
        (lambda: mutual_coherence([[1, 0], [0, 0]]), r"points\[1\] = 0"),
        (lambda: mutual_coherence(np.array([[1.0, 0], [0, 0]])), r"points\[1\] = 0"),
        (lambda: gershgorin_bound([1, 1], [[1, 0], [0, 0]]), r"points\[1\] = 0"),
        (lambda: gershgorin_bound([1, -1], [[1, 0]]), r"rho\^1"),
        (lambda: gershgorin_bound([], [[1, 0]]), "kernel"),
        (lambda: gershgorin_bound([0.5], [[1, 0]]), "float"),
        (lambda: hadamard_bound([1, 1], [[1, 0]], 2), "power = 2"),
        (lambda: hadamard_bound([1, 1], [[1, 0]], -1), "r = -1"),
        (lambda: Zonal.of(RELU, "both"), "kernel = 'both'"),
    ],
)
def test_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError, match=message):
        call()


def test_huge_numbers() -> None:
    """Coefficients and coordinates that float64 does not hold are fine where the answer is certified."""
    found = lambda_min_lower_bound([0, 10**400], [[10**400, 1], [1, 10**400]])
    assert 10**400 * (1 - Fraction(1, 10**35)) < found.value <= 10**400


def test_float64_bound_of_duplicates_is_zero() -> None:
    """Not the last digit of an eigenvalue solver."""
    X = np.random.default_rng(0).standard_normal((30, 6))
    assert lambda_min_lower_bound(RELU, np.vstack([X, X[:1]])).method == "semidefinite"


def test_one_point() -> None:
    """The matrix is the kernel at 1."""
    assert lambda_min_lower_bound([1, 2, "1/3"], [[3, 1]]).value == pytest.approx(10 / 3, rel=1e-30)
    total = lambda_min_lower_bound(RELU, np.array([[3.0, 1.0]]))
    assert total.value == pytest.approx(2.0, rel=1e-12)
    assert isinstance(RELU, KernelSeries)


# ------------------------------------------------------------------------------------ separated points


def test_separation_eq_distances() -> None:
    X = np.random.default_rng(3).normal(size=(7, 3))
    u = X / np.linalg.norm(X, axis=1, keepdims=True)
    pairs = list(itertools.combinations(range(7), 2))
    expected = min(np.linalg.norm(u[i] - s * u[j]) for i, j in pairs for s in (1, -1))
    assert separation(X) == pytest.approx(expected, rel=1e-12)
    exact = separation([[Fraction(float(v)) for v in row] for row in X])
    assert isinstance(exact, Enclosure) and float(exact) == pytest.approx(expected, rel=1e-12)


def _separated(mu_: Fraction, c: list[Fraction], count: int) -> tuple[Fraction, int]:
    """The stated maximum over K, in rationals."""
    values = [(sum(c[k] * (1 - (count - 1) * mu_**k) for k in range(K, len(c))), -K) for K in range(len(c))]
    value, power = max(values)
    return value, -power


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 9), min_size=4, max_size=12).filter(any), st.integers(1, 9), st.integers(1, 40)
)
def test_separation_bound_eq_formula(c: list[int], count: int, thirtieths: int) -> None:
    gap = Fraction(thirtieths, 30)
    value, _ = _separated(1 - gap**2 / 2, [Fraction(v) for v in c], count)
    found = separation_bound(c, count, str(gap))
    assert abs(max(value, Fraction(0)) - found.value) < Fraction(1, 10**25)


@settings(max_examples=25)
@given(point_sets(), st.lists(st.integers(0, 9), min_size=5, max_size=9))
def test_separation_bound_holds_for_every_set(points: list[list[Fraction]], c: list[int]) -> None:
    """Any points with that separation, antipodal ones included (they are 0 apart)."""
    gap = separation(points)
    if gap.lower <= 0:
        return
    found = separation_bound(c, len(points), gap)
    rho = correlations(points)
    assert float(found.value) <= least_eigenvalue([float(v) for v in c], rho) + 1e-12 * sum(c) * len(points)
    assert found.value <= gershgorin_bound(c, points).value + Fraction(1, 10**20)


def test_separation_bound_is_attained_and_a_saboteur_is_caught() -> None:
    """Orthogonal points, ``sqrt 2`` apart: the eigenvalue is ``f(1) - f(0)``, and so is the bound."""
    c = [3, 1, 2]
    found = separation_bound(c, 4, "sqrt(2)")
    actual = least_eigenvalue([3.0, 1.0, 2.0], np.eye(4))
    assert (found.power, found.value) == (1, pytest.approx(3)) and actual == pytest.approx(3)
    assert float(found.value) * 1.001 > actual
    # one point too few, a sign of the others turned: both would claim more than there is
    pair = [[1, 0], [3, 4]]
    close = separation(pair)
    honest = separation_bound([0, 1], 2, close)
    assert float(honest.value) == pytest.approx(0.4) == least_eigenvalue([0.0, 1.0], correlations(pair))
    assert float(separation_bound([0, 1], 1, close).value) > 0.4


def test_separation_bound_knows_only_the_mass_beyond_the_order() -> None:
    unknown = Zonal((Enclosure(Fraction(0), Fraction(0)),) * 3, Enclosure(Fraction(2), Fraction(1)))
    mu_ = 1 - 0.5**2 / 2
    far, near = separation_bound(unknown, 2, "1/2"), separation_bound(unknown, 50, "1/2")
    assert float(far.value) == pytest.approx(1 - mu_**3) and far.power == 3
    assert near.method == "semidefinite"


def test_half_the_mass() -> None:
    """The explicit ``K`` of the docstring: at least half of what lies beyond it."""
    series, count, gap = RELU, 3, 1.0
    K = math.ceil(math.log(2 * count - 2) / -math.log(1 - gap**2 / 2))
    mass = float(RELU.ntk_total) - sum(float(v) for v in series.enclosures("ntk")[:K])
    assert float(separation_bound(series, count, 1).value) >= mass / 2 > 0


def test_khatri_rao_bound_eq_maximum() -> None:
    c, points = [1, 3, 2, 0, 1], [[1, 0, 2], [0, 1, 1], [2, 1, 0]]
    rho = correlations(points)
    values = [c[r] * np.linalg.eigvalsh(rho**r)[0] for r in range(5)]
    found = khatri_rao_bound(c, points)
    assert found.power == int(np.argmax(values))
    assert 0.9 * max(values) < float(found.value) <= max(values) + 1e-14
    assert khatri_rao_bound(c, np.array(points, dtype=float)).power == found.power


# ------------------------------------------------------------------------------------ at points as they are


@pytest.mark.parametrize("method", ["best", "gershgorin", "khatri-rao", "separation"])
def test_lower_bound_is_below_the_eigenvalue(method: str) -> None:
    """On a sphere of any radius with biases, and off it where the kernel is homogeneous."""
    sphere = [[3 * v for v in point] for point in sphere_points(5, 4)]
    cases = [
        (Network.mlp(activations.tanh, 1, 2, "1/10"), sphere[:4]),
        (Network.mlp(activations.relu, 3, 2, "1/10"), sphere),
        (Network.mlp(activations.relu, 2, 2, 0), [[1, 0, 5], [0, 2, 1], ["1/3", 1, 0], [1, 1, -1]]),
        (Network.mlp(Activation.parse("Max(x,0)^2"), 1, 2, 0), [[1, 0], [2, 3], [-1, 1]]),
    ]
    positive = 0
    for network, points in cases:
        for kernel in ("ntk", "nngp"):
            found = lower_bound(network, points, kernel, method, order=60)  # type: ignore[arg-type]
            truth = min_eigenvalue(network, points, kernel, digits=4)
            assert found.kind == "certified" and found.value <= truth.upper
            positive += found.value > 0
    assert positive >= 5  # the check is not idle


def test_saboteur_the_scale_of_the_points_left_out() -> None:
    """Short points have a smaller eigenvalue: a bound for the sphere is not one for them."""
    network, points = Network.mlp(activations.relu, 1, 2, 0), [["1/10", 0], [0, "1/5"]]
    truth = min_eigenvalue(network, points, digits=4)
    assert 0 < lower_bound(network, points).value <= truth.upper
    assert lambda_min_lower_bound(network.series(60), points).value > truth.upper


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lower_bound(Network.mlp(activations.tanh, 1, 1, 0), [[1, 0], [0, 2]]), "different norms"),
        (lambda: lower_bound(Network.mlp(activations.relu, 1, 1, 1), [[1, 0], [0, 2]]), "different norms"),
        (lambda: lower_bound(Network.mlp(activations.relu, 1, 1, 0), [[1, 0], [0, 0]]), r"points\[1\] = 0"),
        (lambda: lower_bound(Network.mlp(activations.relu, 1, 1, 0), [[1, 0]], "both"), "ntk"),
        (lambda: lower_bound(Network.mlp(activations.relu, 1, 1, 0), [[1, 0]], method="magic"), "method"),  # type: ignore[arg-type]
        (lambda: separation_bound([1], 2, 0), "separation"),
        (lambda: separation_bound([1], 2, 2), "separation"),
        (lambda: separation_bound([1], 0, 1), "count"),
        (lambda: separation_bound([1], True, 1), "count"),
        (lambda: separation_bound([1], 2, 0.5), "float"),  # type: ignore[arg-type]
        (lambda: separation([[1, 2]]), "one point"),
        (lambda: compare([]), "activations"),
        (lambda: compare("relu"), "activations"),  # type: ignore[arg-type]
        (lambda: compare(["relu"]), "Activation"),  # type: ignore[list-item]
        (lambda: compare([activations.relu], counts=(1,)), "count"),
        (lambda: compare([activations.relu], counts=(10**6,)), "100"),
        (lambda: compare([activations.relu], dims=(1,)), "dimension"),
        (lambda: compare([activations.relu], depths=(0,)), "depth"),
        (lambda: sphere_points(0, 3), "count"),
        (lambda: sphere_points(3, True), "dim"),
    ],
)
def test_separation_and_comparison_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError, match=message):
        call()


# ------------------------------------------------------------------------------------ the table


def test_compare_is_sound_and_renders() -> None:
    said: list[tuple[int, int, str]] = []
    chosen = [activations.relu, activations.erf]
    records = compare(chosen, (1, 2), (3,), (3, 6), order=60, progress=lambda *news: said.append(news))
    assert len(records) == 8 and said[-1][:2] == (8, 8)
    for record in records:
        bounds = (record.gershgorin, record.khatri_rao, record.by_separation)
        assert all(bound.kind == "certified" and 0 <= bound.value <= record.truth.upper for bound in bounds)
        assert record.best.value == max(bound.value for bound in bounds) and record.ratio <= 1
        # the matrix itself, in float64, from the points: inputs <x, y>
        phi = chosen[0] if record.activation == "relu" else chosen[1]
        X = np.array(sphere_points(record.count, record.dim), dtype=float) * math.sqrt(record.dim)
        gram = Network.mlp(phi, record.depth, 2, 0).gram(X)
        assert float(record.truth) == pytest.approx(np.linalg.eigvalsh(gram)[0], rel=1e-3)
    rows = list(csv.reader(records.csv().splitlines()))
    assert tuple(rows[0]) == COLUMNS and [tuple(row) for row in rows[1:]] == [r.cells() for r in records]
    assert records.latex().count(r"\\") == 9 and r"lambda\_min" in records.latex()
    assert len(str(records).splitlines()) == 9
    for record, row in zip(records, rows[1:], strict=True):
        assert Fraction(row[COLUMNS.index("gershgorin")]) <= record.gershgorin.value


@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 50))
@settings(max_examples=20)
def test_sphere_points(count: int, dim: int, seed: int) -> None:
    points = sphere_points(count, dim, seed)
    assert len(points) == count and all(sum(v * v for v in p) == 1 and len(p) == dim for p in points)
    assert points == sphere_points(count, dim, seed)
    assert count == 1 or separation(points).lower > 0
