"""The least eigenvalue in balls: the definition integrated at high precision, clusters, singular matrices."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, arb_mat

from analytic_ntk import Activation, Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.positivity import decide_gram, min_eigenvalue
from analytic_ntk.positivity import eigenvalue as module
from analytic_ntk.positivity.decide import GramDecision, Positivity
from analytic_ntk.positivity.eigenvalue import least_eigenvalue

LINE = [[f"{k}/10"] for k in range(10)]
SIN = Network.mlp(activations.sin, 1, 1, 1)

# ------------------------------------------------------------------------------------ the definition

Function = Callable[[mpmath.mpf], mpmath.mpf]


def _expectation(f: Function, a: mpmath.mpf, b: mpmath.mpf, c: mpmath.mpf, step: mpmath.mpf) -> mpmath.mpf:
    """``E f(u) f(v)`` by the trapezoidal rule in whitened variables: nothing of the package."""
    reach = int(11 / step)
    nodes = [k * step for k in range(-reach, reach + 1)]
    weights = [step * mpmath.npdf(z) for z in nodes]
    root, slope, rest = mpmath.sqrt(a), c / mpmath.sqrt(a), mpmath.sqrt(b - c * c / a)
    total = mpmath.mpf(0)
    for z, w in zip(nodes, weights, strict=True):
        inner = mpmath.fsum(v * f(slope * z + rest * t) for t, v in zip(nodes, weights, strict=True))
        total += w * f(root * z) * inner
    return total


def _least_by_definition(
    f: Function, slope: Function, points: list[Fraction], bias: int, step: str
) -> mpmath.mpf:
    """One hidden layer, one dimension, weight variance 1: the NTK Gram matrix and its least eigenvalue."""
    size = len(points)
    matrix = mpmath.matrix(size)
    x = [mpmath.mpf(p.numerator) / p.denominator for p in points]
    for i in range(size):
        for j in range(i + 1):
            a, b, c = x[i] * x[i] + bias, x[j] * x[j] + bias, x[i] * x[j] + bias
            values = [_expectation(g, a, b, c, mpmath.mpf(step)) for g in (f, slope)]
            matrix[i, j] = matrix[j, i] = values[0] + bias + values[1] * c
    return min(mpmath.eigsy(matrix, eigvals_only=True))


@pytest.mark.parametrize(
    ("name", "f", "slope", "points", "step"),
    [
        ("sin", mpmath.sin, mpmath.cos, ["0", "1/2", "1"], "0.5"),
        ("tanh", mpmath.tanh, lambda z: mpmath.sech(z) ** 2, ["0", "1"], "0.125"),
    ],
)
def test_min_eigenvalue_eq_definition(
    name: str, f: Function, slope: Function, points: list[str], step: str
) -> None:
    """12 digits from a trapezoidal sum of the Gaussian integral and mpmath's eigenvalues at 30 digits."""
    found = min_eigenvalue(Network.mlp(activations.get(name), 1, 1, 1), [[p] for p in points], digits=20)
    with mpmath.workdps(30):
        expected = _least_by_definition(f, slope, [Fraction(p) for p in points], 1, step)
        middle = mpmath.mpf(found.midpoint.numerator) / found.midpoint.denominator
        assert abs(middle / expected - 1) < 1e-12
        assert abs(middle / expected - 1 - mpmath.mpf("1e-11")) > 1e-12  # a change in the 11th digit is seen


def test_the_hard_case_from_the_closed_kernel() -> None:
    """``E sin sin = e^{-(a+b)/2} sinh c`` in mpmath at 60 digits; decimals and binary floats."""
    for points in ([Fraction(k, 10) for k in range(10)], [Fraction(k / 10) for k in range(10)]):
        with mpmath.workdps(60):
            x = [mpmath.mpf(p.numerator) / p.denominator for p in points]
            for kernel, known in (("ntk", "4.07712580659"), ("nngp", "3.6513056648")):
                gram = mpmath.matrix(10)
                for i in range(10):
                    for j in range(10):
                        c = x[i] * x[j] + 1
                        scale = mpmath.exp(-(x[i] ** 2 + x[j] ** 2 + 2) / 2)
                        gram[i, j] = scale * mpmath.sinh(c) + 1
                        gram[i, j] += scale * mpmath.cosh(c) * c if kernel == "ntk" else 0
                expected = min(mpmath.eigsy(gram, eigvals_only=True))
                found = min_eigenvalue(SIN, [[p] for p in points], kernel, digits=15)
                middle = mpmath.mpf(found.midpoint.numerator) / found.midpoint.denominator
                assert abs(middle / expected - 1) < 1e-14 and found.digits >= 15
                assert mpmath.nstr(expected, 15).startswith(known)


def test_floats_are_the_binary_numbers_they_are() -> None:
    """0.1 is not 1/10: the eigenvalues differ in the 15th digit, and each enclosure excludes the other."""
    floats = [[k / 10] for k in range(10)]
    one, two = min_eigenvalue(SIN, LINE, digits=20), min_eigenvalue(SIN, floats, digits=20)
    assert not one.overlaps(two) and abs(one.midpoint / two.midpoint - 1) < Fraction(1, 10**10)
    assert two == min_eigenvalue(SIN, np.array(floats), digits=20)


# ------------------------------------------------------------------------------------ matrices


def _matrix(eigenvalues: list[arb]) -> arb_mat:
    """With these eigenvalues: the reflection in ``(1, 2, .., n)`` of a diagonal matrix."""
    size = len(eigenvalues)
    axis = [arb(k + 1) for k in range(size)]
    norm = sum((a * a for a in axis), arb(0))
    reflection = arb_mat(
        [[arb(i == j) - 2 * axis[i] * axis[j] / norm for j in range(size)] for i in range(size)]
    )
    diagonal = arb_mat([[eigenvalues[i] if i == j else arb(0) for j in range(size)] for i in range(size)])
    return reflection * diagonal * reflection


CLUSTERS: dict[str, Callable[[], list[arb]]] = {
    "repeated": lambda: [arb(1), arb(1), arb(1), arb(2), arb(3)],
    "near at 1e-12": lambda: [arb(1), 1 + arb(10) ** -12, arb(2), arb(3)],
    "near at 1e-30 and 1e-20": lambda: [arb(1), 1 + arb(10) ** -30, 1 + arb(10) ** -20, arb(2), arb(9)],
    "tiny": lambda: [arb(10) ** -60, arb(10) ** -59, arb(1), arb(2)],
    "tiny and repeated": lambda: [arb(10) ** -40] * 3 + [arb(1), arb(10) ** 6],
    "all equal": lambda: [arb(2)] * 6,
    "one number": lambda: [arb(7)],
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_clusters(name: str) -> None:
    """Repeated and clustered eigenvalues to 60 digits: the digits do not stop at the width of the cluster."""
    with working_precision(600):
        eigenvalues = CLUSTERS[name]()
        found = least_eigenvalue(_matrix(eigenvalues))
        assert found.contains(eigenvalues[0].mid()) and found.rel_accuracy_bits() > 200
        assert not found.contains(eigenvalues[0] * (1 + arb(10) ** -55))


def test_not_positive_is_no_bound_and_singular_is_zero_to_many_digits() -> None:
    with working_precision(200):
        assert not least_eigenvalue(_matrix([arb(-1), arb(2)])).is_finite()
        assert not least_eigenvalue(_matrix([arb(0), arb(2)])).is_finite()
        found = least_eigenvalue(_matrix([arb(0), arb(1), arb(2)]), semidefinite=True)
        assert found.contains(0) and found.abs_upper() < arb(10) ** -20


def test_saboteur_a_shift_that_was_not_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A factorisation of another shift than was asked for: the enclosure loses the eigenvalue."""
    with working_precision(200):
        matrix = _matrix([arb(1), arb("1.5"), arb(3)])
        assert least_eigenvalue(matrix).contains(1)
        honest = module._factorise
        monkeypatch.setattr(module, "_factorise", lambda m, shift: honest(m, shift - arb("0.4")))
        monkeypatch.setattr(module, "_ROUNDS", 1)
        assert not least_eigenvalue(matrix).contains(1)


# ------------------------------------------------------------------------------------ Gram matrices


def test_decided_singular_is_exactly_zero_undecided_is_honest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Antipodes of an odd function: 0 by proof; with the proof withheld an enclosure that contains 0."""
    network, X = Network.mlp(activations.erf, 1, 1, 0), [[1, 2], [-1, -2], [1, 0]]
    exact = min_eigenvalue(network, X)
    assert (exact.midpoint, exact.radius) == (0, 0)

    def unknown(network: Network, X: Any, kernel: str) -> GramDecision:
        points = decide_gram(network, X, kernel).points
        return GramDecision(Positivity.UNDECIDED, kernel, points, (), (), "the proof")

    monkeypatch.setattr(module, "decide_gram", unknown)
    found = min_eigenvalue(network, X, digits=20)
    assert 0 in found and 0 < found.upper < Fraction(1, 10**19)


def test_few_digits_of_a_tiny_eigenvalue_are_digits_of_it() -> None:
    """An enclosure [0, 1e-14] of something proved positive is not taken for an answer."""
    for digits in (1, 2, 4):
        found = min_eigenvalue(SIN, LINE, digits=digits)
        assert found.lower > 0 and found.digits >= digits


def test_badly_scaled_and_nearly_equal_points() -> None:
    """Norms 1e-10 to 1e10, points 1e-12 apart: digits all the same, float64 sees none of it."""
    network = Network.mlp(activations.relu, 1, 2, 0)
    scaled = min_eigenvalue(network, [["1e-10", 0], [0, 1], ["1e10", "1e10"]], digits=12)
    assert scaled.digits >= 12 and Fraction(1, 10**22) < scaled.lower < Fraction(1, 10**19)
    near = min_eigenvalue(Network.mlp(activations.erf, 1, 1, 1), [[0, 1], ["1e-12", 1]], digits=12)
    assert near.digits >= 12 and 0 < near.upper < Fraction(1, 10**23)


def test_forty_points_and_progress() -> None:
    said: list[str] = []
    X = np.random.default_rng(0).integers(-50, 50, size=(40, 4))
    network = Network.mlp(activations.relu, 1, 2, "1/10")
    found = min_eigenvalue(network, X, digits=10, progress=lambda done, total, name: said.append(name))
    assert found.digits >= 10 and {"kernel values", "shifts (at most)"} <= set(said)
    assert found in min_eigenvalue(network, X.astype(float), method="float64")


@pytest.mark.slow
def test_a_hundred_points() -> None:
    X = np.random.default_rng(0).normal(size=(100, 3))
    found = min_eigenvalue(Network.mlp(activations.gelu, 1, 2, "1/10"), X, digits=10)
    assert found.digits >= 10 and found.lower > 0


@pytest.mark.parametrize(
    ("X", "kernel", "message"),
    [
        ([[1], [2, 3]], "ntk", "row 1"), ([[float("nan")]], "ntk", "finite"), ([], "ntk", "point"),
        ([[1]], "both", "ntk"), ([["sqrt(2)"]], "ntk", "exact"), ("12", "ntk", "rows"),
    ],
)  # fmt: skip
def test_bad_points(X: Any, kernel: str, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        min_eigenvalue(SIN, X, kernel)


def test_infinite_kernel_is_refused() -> None:
    with pytest.raises(DomainError, match="infinite"):
        min_eigenvalue(Network.mlp(Activation.parse("exp(x^2/5)"), 1, 2, 1), [[1], [2]])
