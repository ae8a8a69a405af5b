"""The loss of independence near polynomials: values against mpmath, exponents against perturbation theory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from analytic_ntk import Activation, activations
from analytic_ntk.errors import DomainError
from analytic_ntk.near_polynomials import eigenvalues, least_singular_value, singular_values

LINE = [[k, 1] for k in range(4)]
W = [["1", "1/3"], ["1/5", "1"], ["1", "-1/7"], ["1/2", "1"]]
EPSILONS = [Fraction(1, 4**k) for k in range(3, 7)]


def _parabola(epsilon: Fraction) -> Activation:
    return Activation.parse(f"x^2 + {epsilon}*tanh(x)")


def _numbers(rows: list[list[Any]]) -> list[list[mpmath.mpf]]:
    return [[mpmath.mpf(Fraction(v).numerator) / Fraction(v).denominator for v in row] for row in rows]


@pytest.mark.parametrize("epsilon", [Fraction(1), Fraction(1, 1000), Fraction(1, 10**12)])
def test_least_singular_value_eq_mpmath(epsilon: Fraction) -> None:
    """mpmath's singular values of the same matrix at 60 digits; the next decimal place is refuted."""
    found = least_singular_value(_parabola(epsilon), LINE, W, digits=15)
    with mpmath.workdps(60):
        e = mpmath.mpf(epsilon.numerator) / epsilon.denominator
        dots = [[sum(a * b for a, b in zip(z, w, strict=True)) for w in _numbers(W)] for z in _numbers(LINE)]
        matrix = mpmath.matrix([[t**2 + e * mpmath.tanh(t) for t in row] for row in dots])
        expected = min(mpmath.svd_r(matrix, compute_uv=False))
        middle = mpmath.mpf(found.midpoint.numerator) / found.midpoint.denominator
        assert found.digits >= 15 and abs(middle / expected - 1) < 1e-15


def test_rectangular_and_integer_matrices() -> None:
    Z, Wide = [[1, 0], [0, 1]], [[1, 2], [2, 1], [-3, 1]]
    found = least_singular_value(Activation.parse("x"), Z, Wide, digits=12)
    expected = np.linalg.svd(np.array(Z, dtype=float) @ np.array(Wide, dtype=float).T, compute_uv=False)[-1]
    assert float(found) == pytest.approx(expected, rel=1e-12)
    kink = least_singular_value(activations.relu, Z, [[1, 0], [0, 1]])  # at the kink: the identity
    assert float(kink) == pytest.approx(1, rel=1e-9)


def test_a_polynomial_is_singular() -> None:
    found = least_singular_value(Activation.parse("x^2"), LINE, W, digits=15)
    assert 0 in found and found.upper < Fraction(1, 10**14)
    independent = least_singular_value(Activation.parse("x^2"), LINE[:3], W[:3], digits=8)
    assert 0 not in independent and independent.digits >= 8


def test_exponents() -> None:
    """``s + eps g`` loses its least singular value like ``eps``, the eigenvalue of a kernel like ``eps^2``;
    ``sin(eps x)/eps`` like the power of eps of the first term that fills the rank (4 points: ``eps^2``)."""
    for family, power in (
        (_parabola, 1),
        (lambda e: Activation.parse(f"x^2 + {e}*Max(x, 0)"), 1),
        (lambda e: Activation.parse(f"sin({e}*x)/{e.numerator}*{e.denominator}"), 2),
    ):
        for found in singular_values(family, EPSILONS, LINE, W)[:-1]:
            assert found.exponent is not None and abs(float(found.exponent) - power) < 0.05
    values = eigenvalues(
        lambda e: Activation.parse(f"x^2 + {e}*Max(x, 0)"), EPSILONS, [[0], ["1/2"], [1], ["3/2"]]
    )
    assert all(abs(float(v.exponent) - 2) < 0.05 for v in values[:-1] if v.exponent)
    assert values[-1].exponent is None


def test_exponent_is_the_slope_of_the_values() -> None:
    first, second = singular_values(_parabola, ["1/4", "1/32"], LINE, W)
    slope = np.log(float(first.value) / float(second.value)) / np.log(8)
    assert float(first.exponent) == pytest.approx(slope, abs=1e-9)  # type: ignore[arg-type]
    assert not float(first.exponent) == pytest.approx(1.05 * slope, abs=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: least_singular_value(activations.relu, LINE, W[:2]), "N <= M"),
        (lambda: least_singular_value(activations.relu, LINE, [[1]] * 4), "shape"),
        (lambda: least_singular_value(activations.get("step"), [[1, 0]], [[0, 1]]), "breakpoint"),
        (lambda: least_singular_value(activations.relu, [[1]], [[k] for k in range(50)]), "40"),
        (lambda: singular_values(_parabola, [], LINE, W), "epsilons"),
        (lambda: singular_values(_parabola, ["1/4", "1/2"], LINE, W), "falling"),
        (lambda: singular_values(_parabola, [1, 0], LINE, W), "positive"),
        (lambda: singular_values(_parabola, "1/4", LINE, W), "list"),  # type: ignore[arg-type]
        (lambda: singular_values(lambda e: e, [1], LINE, W), "Activation"),  # type: ignore[arg-type,return-value]
    ],
)
def test_refused(call: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()
