"""Only polynomials fail: dependencies and certificates, each checked from the definition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Enclosure, activations
from analytic_ntk.characterisation import (
    DividedDifference,
    Independence,
    PolynomialDependency,
    degree,
    probe,
    refute_degree,
)
from analytic_ntk.errors import DomainError

X = sp.Symbol("x", real=True)
LINE = [[k, 1] for k in range(8)]


def _s(phi: Activation, argument: Fraction) -> sp.Expr:
    return phi.expression.subs(X, sp.Rational(argument.numerator, argument.denominator))


def _identity(phi: Activation, found: PolynomialDependency) -> sp.Expr:
    """``sum_i u_i s(z_i . w)`` in symbolic ``w``."""
    w = sp.symbols(f"w:{len(found.vectors[0])}")
    total = sp.S.Zero
    for u, z in zip(found.weights, found.vectors, strict=True):
        total += u * phi.expression.subs(X, sum(sp.Rational(c) * t for c, t in zip(z, w, strict=True)))
    return sp.expand(total)


def _determinant(phi: Activation, found: Independence) -> sp.Expr:
    rows = [
        [_s(phi, sum((a * b for a, b in zip(z, w, strict=True)), Fraction(0))) for w in found.directions]
        for z in found.vectors
    ]
    return sp.Matrix(rows)


@pytest.mark.parametrize(("text", "count"), [("x^2", 4), ("x^3 - x", 5), ("x^5 + 1", 7), ("7", 2), ("x", 3)])
def test_polynomial_dependency_is_an_identity(text: str, count: int) -> None:
    phi = activations.resolve(text)
    found = probe(phi, LINE[:count])
    assert isinstance(found, PolynomialDependency)
    assert any(found.weights) and _identity(phi, found) == 0
    wrong = PolynomialDependency(found.vectors, (found.weights[0] + 1, *found.weights[1:]), found.degree)
    assert _identity(phi, wrong) != 0


def test_degree_bound_is_sharp() -> None:
    """``t^m`` needs ``m + 2`` vectors (a_i, 1): the weights are those of the divided difference."""
    for m in range(1, 7):
        phi = activations.resolve(f"x^{m}")
        found = probe(phi, LINE[: m + 2])
        assert isinstance(found, PolynomialDependency)
        expected = [(-1) ** i * sp.binomial(m + 1, i) for i in range(m + 2)]
        assert [u * expected[0] / found.weights[0] for u in found.weights] == expected
        assert isinstance(probe(phi, LINE[: m + 1]), Independence)


@pytest.mark.parametrize(
    "text",
    [
        "relu",
        "tanh",
        "exp",
        "gelu",
        "softsign",
        "sign",
        "Max(x - 100, 0)",
        "x^2 + tanh(x)/1000",
        "sin",
        "x^7",
    ],
)
def test_independence_is_certified(text: str) -> None:
    phi = activations.resolve(text)
    found = probe(phi, LINE)
    assert isinstance(found, Independence)
    value = sp.N(_determinant(phi, found).evalf(60).det(), 30)
    if isinstance(found.determinant, Fraction):
        assert found.determinant != 0
        assert abs(value - sp.Rational(found.determinant)) < abs(value) / 10**20
    else:
        assert 0 not in found.determinant
        assert abs(value - sp.Rational(found.determinant.midpoint)) < abs(value) / 10**8


def test_relu_in_three_dimensions_is_exact() -> None:
    found = probe(activations.relu, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, -1, 2]])
    assert isinstance(found, Independence) and found.kind == "exact"
    assert _determinant(activations.relu, found).det() == sp.Rational(found.determinant)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 4)), min_size=2, max_size=6, unique=True),
    st.sampled_from(["relu", "tanh", "x^2", "x^3 + x", "cos", "hardtanh"]),
)
def test_random_vectors(points: list[tuple[int, int]], text: str) -> None:
    slopes = {Fraction(a, b) for a, b in points}
    phi = activations.resolve(text)
    if len(slopes) < len(points):
        with pytest.raises(DomainError, match="proportional"):
            probe(phi, points)
        return
    found = probe(phi, points)
    if isinstance(found, PolynomialDependency):
        assert text.startswith("x^") and _identity(phi, found) == 0
    else:
        assert found.determinant != 0


def test_degree_of_polynomials_and_others() -> None:
    assert degree(Activation.parse("(x + 1)^4 - x^4")) == 3
    for text in ("tanh", "relu", "sign", "exp", "Max(x - 100, 0)", "x^2 + tanh(x)/1000"):
        found = degree(activations.resolve(text), 6)
        assert isinstance(found, DividedDifference) and 0 not in found.value


def test_black_box_with_error_bounds() -> None:
    """A cube seen through an error: degree 2 is refuted while the error leaves room, 3 never is."""

    def cube(error: Fraction) -> Any:
        return lambda t: Enclosure(Fraction(t) ** 3 + error / 2, error)

    assert refute_degree(cube(Fraction(1, 100)), 2) is not None
    assert refute_degree(cube(Fraction(10)), 2) is None
    assert refute_degree(cube(Fraction(1, 100)), 3) is None


@pytest.mark.parametrize(
    "vectors",
    [
        [[1], [2]], [[1, 0], [2, 0]], [[0, 0], [1, 0]], [[1, 0], [-1, 0]],
        [[k, 1] for k in range(13)], [[1, 2], [3]],
    ],
)  # fmt: skip
def test_bad_vectors(vectors: Any) -> None:
    with pytest.raises(DomainError):
        probe(activations.relu, vectors)


@pytest.mark.parametrize(
    ("m", "points"), [(-2, None), (True, None), (2, [Fraction(1)]), (0, [1, 1]), (0, [0.5, 1.0])]
)
def test_bad_degrees(m: Any, points: Any) -> None:
    with pytest.raises(DomainError):
        refute_degree(lambda t: Fraction(t), m, points)
