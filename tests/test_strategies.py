"""The strategies: every stratum is hit, every example is valid, every shrink ends at something simple."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
import sympy as sp
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, LayerNorm, Network, Residual, strategies
from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.errors import DomainError
from analytic_ntk.notation import x
from analytic_ntk.strategies import Covariance, Rows, Shape, Stratum, covariances, data_sets

KINDS = {
    "canonical": strategies.canonical_activations(),
    "piecewise analytic": strategies.piecewise_analytic_activations(),
    "near polynomial": strategies.near_polynomials(),
}


def drawn(strategy: st.SearchStrategy, count: int) -> list:
    """That many examples, always the same."""
    found = []

    @settings(
        max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def keep(example: object) -> None:
        found.append(example)

    keep()
    return found


# ------------------------------------------------------------------------------------ activations


@pytest.mark.parametrize("kind", KINDS)
def test_activations_have_finite_kernels(kind: str) -> None:
    for phi in drawn(KINDS[kind], 4):
        assert phi.expression.has(x) and not phi.parameters
        assert phi.max_variance is sp.oo and phi.derivative_max_variance is sp.oo
        nngp, ntk = Network.mlp(phi, 1, 1, "1/10").gram([[1.0, 0.0], [0.5, -0.5]], kernel="both")
        assert nngp[0, 0] > 0 and ntk[0, 0] > 0


def test_canonical_activations_have_closed_forms_of_every_kind() -> None:
    found = drawn(strategies.canonical_activations(), 60)
    assert all(phi.pieces is not None and _terms(phi) for phi in found)
    for part in (sp.Heaviside, Phi, sp.sin, sp.cos, sp.exp):
        assert any(phi.expression.has(part) for phi in found), part
    assert any(phi.jumps for phi in found) and any(phi.is_continuous for phi in found)


def _terms(phi: Activation) -> bool:
    from analytic_ntk.gaussian.terms import terms_of

    return terms_of(phi.pieces) is not None


def test_piecewise_analytic_activations_have_pieces_jumps_and_none() -> None:
    found = drawn(strategies.piecewise_analytic_activations(), 20)
    assert any(phi.jumps for phi in found)
    assert any(phi.kinks and phi.is_continuous for phi in found)
    assert any(not phi.pieces.breakpoints for phi in found)


def test_near_polynomials_are_none() -> None:
    for phi in drawn(strategies.near_polynomials(), 6):
        assert phi.polynomial_degree is None


@pytest.mark.parametrize(
    ("strategy", "wanted", "longest"),
    [
        pytest.param(strategies.canonical_activations(), lambda phi: True, 12, marks=pytest.mark.slow),
        (strategies.canonical_activations(), lambda phi: phi.expression.has(sp.sin), 12),
        (strategies.piecewise_analytic_activations(), lambda phi: phi.expression.has(sp.tanh), 8),
        (strategies.near_polynomials(), lambda phi: True, 20),
        pytest.param(strategies.activations(), lambda phi: True, 20, marks=pytest.mark.slow),
    ],
)
def test_activations_shrink_to_simple_ones(strategy, wanted, longest: int) -> None:  # type: ignore[no-untyped-def]
    few = settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
    assert len(str(find(strategy, wanted, settings=few).expression)) <= longest


# ------------------------------------------------------------------------------------ networks


def test_networks_have_every_layer_and_depth() -> None:
    relu = Activation.parse("Max(x, 0)")
    found = drawn(strategies.networks(relu), 80)
    assert {len(network.activations) for network in found} == {1, 2, 3}
    for kind in (Residual, LayerNorm):
        assert any(isinstance(layer, kind) for network in found for layer in network.layers)
    for network in found:
        values = network.at(0, 0, 1, digits=8)  # a zero input is never normalised
        assert values.nngp.radius < 1


def test_networks_shrink_to_one_hidden_layer() -> None:
    relu = Activation.parse("Max(x, 0)")
    assert find(strategies.networks(relu), lambda n: True) == Network.mlp(relu, 1, 1, 0)
    deep = find(strategies.networks(relu), lambda n: len(n.activations) == 3)
    assert deep == Network.mlp(relu, 3, 1, 0)


# ------------------------------------------------------------------------------------ covariances

NEAR = Fraction(1, 1000)
BELONGS = {
    Stratum.GENERIC: lambda c: 0 < abs(c.xy) and c.xy**2 < c.xx * c.yy * (1 - NEAR),
    Stratum.EQUAL_NORMS: lambda c: c.xx == c.yy and 0 < abs(c.xy) < c.xx,
    Stratum.DUPLICATE: lambda c: c.xx == c.xy == c.yy > 0,
    Stratum.NEAR_DUPLICATE: lambda c: 0 < 1 - abs(c.xy) / c.xx <= Fraction(1, 10**4),
    Stratum.ANTIPODAL: lambda c: c.xy < 0 and c.xy**2 == c.xx * c.yy,
    Stratum.ORTHOGONAL: lambda c: c.xy == 0 and c.xx > 0 and c.yy > 0,
    Stratum.ZERO: lambda c: c.xx == 0,
    Stratum.HUGE: lambda c: c.xx >= 10**4,
    Stratum.TINY: lambda c: 0 < c.xx <= Fraction(1, 10**4),
}


def is_covariance(c: Covariance) -> bool:
    root = sp.sqrt(sp.Rational((c.xx * c.yy).numerator, (c.xx * c.yy).denominator))
    return min(c.xx, c.yy) >= 0 and c.xy**2 <= c.xx * c.yy and root.is_Rational


@pytest.mark.parametrize("stratum", list(Stratum))
def test_each_stratum_is_what_it_says(stratum: Stratum) -> None:
    found = drawn(covariances([stratum]), 25)
    assert all(is_covariance(c) and BELONGS[stratum](c) for c in found)
    assert len(set(found)) >= 2


def test_all_strata_are_hit_and_the_nearest_pairs_are_1e_15_apart() -> None:
    found = drawn(covariances(), 250)
    for stratum, belongs in BELONGS.items():
        assert any(belongs(c) for c in found), stratum
    assert min(1 - abs(c.xy) / c.xx for c in drawn(covariances([Stratum.NEAR_DUPLICATE]), 40)) == Fraction(
        1, 10**15
    )


@given(covariances(max_variance=Fraction(1, 3)))
def test_covariances_below_a_bound(c: Covariance) -> None:
    assert is_covariance(c) and max(c.xx, c.yy) < Fraction(1, 3)


def test_saboteur_a_covariance_of_another_stratum_is_told() -> None:
    generic = Covariance(Fraction(1), Fraction(1, 2), Fraction(4))
    assert [s for s, belongs in BELONGS.items() if belongs(generic)] == [Stratum.GENERIC]
    assert not is_covariance(Covariance(Fraction(1), Fraction(2), Fraction(1)))


def test_covariances_shrink_to_a_half() -> None:
    assert find(covariances([Stratum.GENERIC]), lambda c: True) == Covariance(
        Fraction(1), Fraction(1, 2), Fraction(1)
    )


# ------------------------------------------------------------------------------------ data


def is_collinear(x: tuple, y: tuple) -> bool:
    return x != y and sp.Matrix([x, y]).rank() == 1


SHAPES = {
    Shape.GAUSSIAN: lambda rows: len(set(rows)) == len(rows),
    Shape.SPHERE: lambda rows: len({sum(e * e for e in row) for row in rows}) == 1,
    Shape.HEXAGON: lambda rows: tuple(-e for e in rows[0]) == rows[1],
    Shape.GRID: lambda rows: len(rows[0]) == 1 and len({b[0] - a[0] for a, b in pairwise(rows)}) == 1,
    Shape.CLOSE: lambda rows: (
        rows[-1] == rows[0]
        or not any(rows[-1])
        or rows[-1] == tuple(-e for e in rows[0])
        or rows[-1][0] - rows[0][0] == Fraction(1, 2**50)
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", list(Shape))
def test_each_shape_is_what_it_says(shape: Shape) -> None:
    for rows in drawn(data_sets([shape]), 30):
        assert 2 <= len(rows) <= 6 and 1 <= len(rows[0]) <= 4
        assert SHAPES[shape](rows)
        assert all(Fraction(float(e)) == e for row in rows for e in row)


def test_awkward_groups_are_hit() -> None:
    close = drawn(data_sets([Shape.CLOSE]), 60)
    assert any(rows[-1] == rows[0] for rows in close)
    assert any(0 < rows[-1][0] - rows[0][0] < 1e-15 for rows in close)
    assert any(not any(rows[-1]) for rows in close)
    hexagons = drawn(data_sets([Shape.HEXAGON]), 40)
    assert any(
        is_collinear(a, b) and sum(p * q for p, q in zip(a, b, strict=True)) > 0
        for rows in hexagons for a in rows for b in rows
    )  # fmt: skip
    assert any((Fraction(0),) in rows for rows in drawn(data_sets([Shape.GRID]), 30))


@given(data_sets(max_variance=Fraction(1, 5)))
@settings(max_examples=40)
def test_data_below_a_bound(rows: Rows) -> None:
    assert all(sum(e * e for e in row) / len(row) < Fraction(1, 5) for row in rows)


def test_data_shrink_to_two_small_points() -> None:
    rows = find(data_sets(), lambda rows: True)
    assert len(rows) == 2 and all(abs(e) <= 2 for row in rows for e in row)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: covariances([]),
        lambda: covariances(["generic"]),  # type: ignore[list-item]
        lambda: covariances(max_variance=Fraction(0)),
        lambda: data_sets([]).example(),
        lambda: data_sets(max_points=1).example(),
        lambda: data_sets(max_dim=0).example(),
        lambda: data_sets(max_variance=Fraction(-1)).example(),
        lambda: strategies.networks(max_depth=0).example(),
        lambda: strategies.networks(weight_variances=()).example(),
    ],
)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_bad_requests_are_refused(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError):
        wrong()
