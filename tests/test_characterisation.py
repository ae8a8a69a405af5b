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
    ApparentDegree,
    DividedDifference,
    Independence,
    PolynomialDependency,
    apparent_degree,
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


# ------------------------------------------------------------------------------------ black boxes


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fractions(max_denominator=9).filter(bool), min_size=0, max_size=7))
def test_apparent_degree_of_a_polynomial_is_its_degree(coefficients: list[Fraction]) -> None:
    found = apparent_degree(lambda t: sum((c * t**k for k, c in enumerate(coefficients)), Fraction(0)), 7)
    assert isinstance(found, ApparentDegree)
    assert found.degree == len(coefficients) - 1 and found.margin == 0
    assert found.refuted is None if found.degree < 0 else found.refuted.degree == found.degree - 1  # type: ignore[union-attr]


@pytest.mark.parametrize("m", range(-1, 6))
def test_dependency_appears_at_the_degree_plus_two(m: int) -> None:
    """What the black box says and what exact linear algebra finds for ``z_i = (a_i, 1)`` agree."""
    text = " + ".join([f"{k + 1}*x^{k}" for k in range(m + 1)]) or "0"
    phi = activations.resolve(text)
    found = apparent_degree(lambda t: Fraction(str(_s(phi, Fraction(t)))), 8)
    assert isinstance(found, ApparentDegree) and found.degree == m == degree(phi)
    for count in range(2, m + 5):
        dependent = isinstance(probe(phi, [[k, 1] for k in range(count)]), PolynomialDependency)
        assert dependent == (count >= found.least_dependent)


def test_apparent_degree_with_error_bounds() -> None:
    """``x^2 + tanh(x)/1000``: a parabola while the error hides the rest, refuted when it does not."""
    phi = activations.resolve("x^2 + tanh(x)/1000")

    def seen(error: Fraction) -> Any:
        def value(t: Fraction) -> Enclosure:
            exact = sp.Rational(str(sp.N(_s(phi, t), 40)))
            return Enclosure(Fraction(int(exact.p), int(exact.q)) + error / 3, error)

        return value

    rough, fine = apparent_degree(seen(Fraction(1, 100)), 5), apparent_degree(seen(Fraction(1, 10**20)), 5)
    assert isinstance(rough, ApparentDegree) and rough.degree == 2 and rough.margin > 0
    assert isinstance(fine, DividedDifference) and fine.degree == 5


def test_evidence_is_a_divided_difference_of_the_values() -> None:
    """Recomputed by Newton's scheme, another way than the package's sum."""
    found = apparent_degree(lambda t: abs(t), 4)
    assert isinstance(found, DividedDifference)
    column = [abs(p) for p in found.points]
    for order in range(1, len(column)):
        column = [
            (column[k + 1] - column[k]) / (found.points[k + order] - found.points[k])
            for k in range(len(column) - 1)
        ]
    assert column[0] in found.value and column[0] != 0
    wrong = column[0] + Fraction(1, 10**9)
    assert wrong not in found.value


def _alternating() -> Any:
    turn = iter(range(10**6))
    return lambda t: Fraction(next(turn))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (lambda t: float("nan"), "nan"),
        (lambda t: 0.5, "Enclosure"),
        (lambda t: None, "None"),
        (lambda t: True, "True"),
        (lambda t: "1", "'1'"),
        (lambda t: Enclosure(Fraction(1), Fraction(-1)), "error bound"),
        (lambda t: Enclosure(0.5, Fraction(0)), "error bound"),  # type: ignore[arg-type]
        (lambda t: 1 / (t - t), "ZeroDivisionError"),
        (lambda t: Fraction(1) / 0, "raises"),
        (_alternating(), "exclude each other"),
    ],
)
def test_hostile_black_boxes(box: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        apparent_degree(box, 2)
    with pytest.raises(DomainError, match=message):
        refute_degree(box, 2)


@pytest.mark.parametrize(
    ("at_most", "points"), [(-2, None), (True, None), (10**6, None), (2, [1, 2, 3]), (0, [1, 1, 2])]
)
def test_bad_questions_to_a_black_box(at_most: Any, points: Any) -> None:
    with pytest.raises(DomainError):
        apparent_degree(lambda t: Fraction(t), at_most, points)


def test_degree_takes_activations_only() -> None:
    with pytest.raises(DomainError, match="apparent_degree"):
        degree(lambda t: t)  # type: ignore[arg-type]
