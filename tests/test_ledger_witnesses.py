"""What the checks of the ledger share, each against a second computation."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pytest
import sympy as sp
from flint import arb, arb_mat
from hypothesis import given
from hypothesis import strategies as st

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from proofs_check.ledger import _balls, _cells, _exact, _points, _polynomials, _zonal
from proofs_check.ledger.lambda_min_ge_gershgorin_tail import tail
from proofs_check.ledger.null_iff_line_polynomials import random_sets
from proofs_check.ledger.zonal_circle_posDef_iff_progressions import BAD, GOOD, chebyshev

small = st.integers(-3, 3).map(Fraction)


# --------------------------------------------------------------------------------- exact linear algebra


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(small, min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_inertia_is_that_of_the_eigenvalues(rows: list[list[Fraction]]) -> None:
    size = len(rows)
    a = [[rows[i][j] + rows[j][i] for j in range(size)] for i in range(size)]
    polynomial = sp.Matrix(a).charpoly().all_coeffs()
    values = np.linalg.eigvalsh(np.array(a, dtype=float))
    zeros = next(k for k, c in enumerate(reversed(polynomial)) if c != 0)
    plus, minus = _exact.inertia(a)
    assert plus + minus == size - zeros
    assert plus >= int((values > 1e-8).sum()) and minus >= int((values < -1e-8).sum())
    assert _exact.is_positive_definite(a) == (plus == size)
    assert _exact.is_positive_semidefinite(a) == (minus == 0)


@given(st.lists(st.lists(small, min_size=4, max_size=4), min_size=1, max_size=5))
def test_null_space_and_rank(rows: list[list[Fraction]]) -> None:
    basis = _exact.null_space(rows, 4)
    assert len(basis) == 4 - sp.Matrix(rows).rank() == 4 - _exact.rank(rows)
    assert all(not any(_exact.times(rows, u)) for u in basis)
    assert len(_exact.pivot_places(basis)) == len(basis) == _exact.rank(basis)


def test_same_span_tells_spaces_apart() -> None:
    one, two = _points.points([1, 0, 0], [0, 1, 0]), _points.points([1, 1, 0], [1, -1, 0])
    assert _exact.same_span(one, two) and _exact.same_span([], [])
    assert not _exact.same_span(one, two[:1]) and not _exact.same_span(
        one, _points.points([1, 0, 1], [0, 1, 0])
    )
    assert not _exact.same_span([], one)


# --------------------------------------------------------------------------------- polynomials


@pytest.mark.parametrize(("i", "j"), [(0, 0), (1, 1), (2, 2), (3, 1), (4, 2), (5, 5), (2, 3), (6, 4)])
def test_moments_are_derivatives_of_the_generating_function(i: int, j: int) -> None:
    p, r, a, b, c = sp.symbols("p r a b c")
    generating = sp.exp((p**2 * a + 2 * p * r * c + r**2 * b) / 2)
    expected = sp.expand(sp.diff(generating, p, i, r, j).subs({p: 0, r: 0}))
    found = sum(sp.Rational(str(w)) * a**k * c**m * b**q for w, k, m, q in _polynomials.moment_terms(i, j))
    assert sp.expand(found - expected) == 0


@pytest.mark.parametrize(
    ("name", "text"), [("t - t^3/6", "x - x^3/6"), ("1 + t^3", "1 + x^3"), ("t + t^2", "x + x^2")]
)
@pytest.mark.parametrize("depth", [1, 2])
def test_exact_kernels_of_polynomials_are_those_of_the_package(name: str, text: str, depth: int) -> None:
    network = Network.mlp(activations.resolve(text), depth, "3/2", "1/7")
    X = _points.points(["1", "1/2"], ["-1/3", "2"])
    nngp, ntk = _polynomials.kernels(
        [_polynomials.POLYNOMIALS[name]] * depth, X, Fraction(3, 2), Fraction(1, 7)
    )
    for i, j in ((0, 0), (0, 1), (1, 1)):
        values = network.certified(X[i], X[j])
        for exact, certified in ((nngp[i][j], values.nngp), (ntk[i][j], values.ntk)):
            assert abs(exact - certified.midpoint) <= certified.radius


def test_degree_sets_are_those_of_the_expanded_network() -> None:
    """Every monomial degree of a composed polynomial with generic weights, by sympy."""
    x, y = sp.symbols("x y")
    for name, bias in (("t^2", False), ("t + t^2", True), ("t - t^3/6", False), ("1 + t^3", False)):
        s = _polynomials.POLYNOMIALS[name]
        layer = [3 * x + 5 * y + 7 * bias, 2 * x - y + 11 * bias]
        for _ in range(2):
            after = [sum(sp.Rational(str(c)) * h**k for k, c in enumerate(s)) for h in layer]
            layer = [3 * after[0] + 2 * after[1] + 13 * bias, after[0] - 5 * after[1] + 17 * bias]
        terms = sp.Poly(sp.expand(layer[0]), x, y).monoms()
        assert {sum(m) for m in terms} == _polynomials.degree_set([s, s], bias)


def test_generic_points_are_distinct_up_to_sign() -> None:
    for dim in (1, 2, 3):
        X = _polynomials.generic(30, dim, 0)
        assert len({*X, *(tuple(-e for e in x) for x in X)}) == 60


# --------------------------------------------------------------------------------- cells


@pytest.mark.parametrize("name", sorted(_cells.SIDED))
def test_dependencies_against_random_directions(name: str) -> None:
    """Values at many random directions have exactly the same dependencies."""
    s, rng = _cells.SIDED[name], Random(5)
    for where, X in random_sets(6).items():
        rows = []
        for _ in range(60):
            w = tuple(Fraction(rng.randint(-999, 999), rng.randint(1, 99)) for _ in range(2))
            rows.append([s(_exact.dot(z, w)) for z in X])
        assert _exact.same_span(_exact.null_space(rows, len(X)), _cells.dependencies(s, X)), where


@pytest.mark.parametrize("count", [1, 2, 5])
def test_sectors(count: int) -> None:
    """Twice as many as lines; no direction on a line, no two in one sector."""
    vectors = [*_points.fan(count), (Fraction(0), Fraction(0)), _points.scaled(_points.fan(count)[0], -2)]
    found = _cells.sectors(vectors)
    assert len(found) == 2 * count
    signs = [tuple(_exact.dot(z, w) > 0 for z in vectors[:count]) for w in found]
    assert all(_exact.dot(z, w) != 0 for z in vectors[:count] for w in found)
    assert len(set(signs)) == len(signs)


def test_sided_functions_are_the_activations_they_name() -> None:
    for name, s in _cells.SIDED.items():
        phi = activations.resolve(name)
        for t in (Fraction(-3, 2), Fraction(-1, 4), Fraction(0), Fraction(1, 4), Fraction(5, 2)):
            assert abs(float(phi([float(t)])[0]) - float(s(t))) < 1e-15, (name, t)


# --------------------------------------------------------------------------------- balls


def test_pivots() -> None:
    with working_precision(100):
        assert _balls.pivots_positive(arb_mat([[2, 1], [1, 2]])) is True
        assert _balls.pivots_positive(arb_mat([[1, 2], [2, 1]])) is False
        assert _balls.pivots_positive(arb_mat([[1, 1], [1, 1]])) is None
        wide = arb(1, 1.5)
        assert _balls.pivots_positive(arb_mat([[2, wide], [wide, 2]])) is None
        assert _balls.least_lies_in(arb_mat([[2, 1], [1, 2]]), Fraction(9, 10), Fraction(11, 10)) is True
        assert _balls.least_lies_in(arb_mat([[2, 1], [1, 2]]), Fraction(11, 10), Fraction(2)) is False
        assert _balls.least_lies_in(arb_mat([[2, 1], [1, 2]]), Fraction(1, 10), Fraction(2, 10)) is False


def test_null_spaces_in_balls() -> None:
    network = Network.mlp(activations.relu, 1, 2, 0)
    hexagon = _points.points([2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1])
    right = [tuple(map(Fraction, (-1, 1, -1, 1, -1, 1)))]
    wrong = [tuple(map(Fraction, (-1, 1, -1, 1, -1, -1)))]
    assert _balls.null_space_is(network, hexagon, right) is True
    assert _balls.null_space_is(network, hexagon, wrong) is False
    assert _balls.null_space_is(network, hexagon, [*right, *right]) is False
    assert _balls.null_space_is(network, hexagon, []) is None  # balls never show a matrix singular
    assert _balls.is_positive_definite(network, hexagon) is False  # but an exact null vector does
    assert _balls.is_positive_definite(network, hexagon[:3]) is True


def test_all_of() -> None:
    assert _balls.all_of([True, None, False]) is False
    assert _balls.all_of([True, None]) is None and _balls.all_of([True, True]) is True


# --------------------------------------------------------------------------------- points and zonal kernels


def test_point_sets_are_what_they_are_called() -> None:
    for X in _points.DISTINCT.values():
        assert len(set(X)) == len(X)
    for X in _points.NON_PROPORTIONAL.values():
        assert all(_exact.rank([x, y]) == 2 for x, y in combinations(X, 2))
    for X in (_zonal.ON_CIRCLE | _zonal.ON_SPHERE).values():
        assert all(_exact.dot(x, x) == 1 for x in X) and len(set(X)) == len(X)
    for X in _zonal.IN_PLANE.values():
        assert all(_exact.dot(x, x) < 1 for x in X) and len(set(X)) == len(X)


def test_proportional_pairs() -> None:
    X = _points.points([0, 0], [1, 2], [2, 4], [-1, -2], [1, 0])
    assert _points.proportional_pairs(X) == [(1, 2, 2), (1, 3, -1), (2, 3, Fraction(-1, 2))]


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_cosine_kernels_are_their_sums(name: str) -> None:
    kernel = (GOOD | BAD)[name]
    for t in (Fraction(3, 5), Fraction(-4, 5), Fraction(0), Fraction(1)):
        partial = sum(kernel.coefficient(k) * (2 if k else 1) * chebyshev(k, t) for k in range(60))
        assert abs(kernel.at(t) - partial) < Fraction(1, 2**50)
        with working_precision(100):
            near, exact = kernel.near(_balls.ball(t).acos()), _balls.ball(kernel.at(t))
            assert near.overlaps(exact) and near.rad() < 1e-20


def test_the_tail_is_the_sum_of_its_powers() -> None:
    for rho in (Fraction(1), Fraction(-1, 3)):
        partial = sum((rho / 2) ** k for k in range(4, 80))
        assert abs(tail(rho, 4) - partial) < Fraction(1, 2**70)
