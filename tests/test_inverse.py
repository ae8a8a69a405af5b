"""The inverse problem: round trips through series and values, every sign, saboteurs, what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic_ntk import Activation, Enclosure, Network, activations, exactly
from analytic_ntk.activation import constant
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.inverse import activation_for, activations_for, approximate_activation
from analytic_ntk.notation import x
from analytic_ntk.series import KernelSeries

RATIONALS = st.fractions(min_value=0, max_value=5, max_denominator=12)
KERNELS = st.lists(RATIONALS, min_size=1, max_size=7)
VARIANCES = st.sampled_from([(1, 0), ("3/2", 0), ("1/3", 0)])


def returned(phi: Activation, count: int, of: str, w: object = 1, b: object = 0) -> list[sp.Expr]:
    """The first coefficients of the kernel that the network of ``phi`` has."""
    series = Network.mlp(phi, 1, w, b).series(count - 1)  # type: ignore[arg-type]
    return list(series.nngp if of == "nngp" else series.ntk)


def same(found: list[sp.Expr], wanted: list[object]) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(sp.simplify(f - constant(w)) == 0 for f, w in pairs)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ round trips


@settings(max_examples=20)
@given(KERNELS, st.sampled_from(["nngp", "ntk"]), st.sampled_from(["plus", "alternating"]), VARIANCES)
def test_round_trip_is_exact(
    b: list[Fraction], of: str, signs: str, variances: tuple[object, object]
) -> None:
    w, bias = variances
    phi = activation_for(b, of, signs, w, bias)  # type: ignore[arg-type]
    assert same(returned(phi, len(b), of, w, bias), list(b))


@pytest.mark.parametrize("of", ["nngp", "ntk"])
@pytest.mark.parametrize(
    "b",
    [["pi/3", "sqrt(2)", 0, "1/7"], ["sqrt(1+sqrt(2))", 1, "exp(-1)"], [0, 0, 0], [0] * 9 + [1], [0, "0.25"],
     [Fraction(1, k + 1) for k in range(7)], ["1e-40", 10**40], [7]],
)  # fmt: skip
def test_round_trip_of_other_numbers(b: list[object], of: str) -> None:
    assert same(returned(activation_for(b, of), len(b), of), b)  # type: ignore[arg-type]


@pytest.mark.parametrize("of", ["nngp", "ntk"])
@pytest.mark.parametrize("rho", ["1", "3/10", "-1/2", "-1"])
def test_round_trip_through_values(of: str, rho: str) -> None:
    """The kernel's certified value, which never sees a power series."""
    b, r = [Fraction(1, 3), Fraction(2), Fraction(0), Fraction(5, 7)], Fraction(rho)
    phi = activation_for(b, of, "alternating")
    value = getattr(Network.mlp(phi, 1, 1, 0).at(1, rho, 1), of)
    assert sum(c * r**k for k, c in enumerate(b)) in value


@pytest.mark.parametrize("of", ["nngp", "ntk"])
def test_saboteur_wrong_share_is_caught(of: str) -> None:
    """The share 1/(1 + k) belongs to the NTK alone: with the other one the round trip fails."""
    b = [1, 2, 3]
    wrong = activation_for(b, "ntk" if of == "nngp" else "nngp")
    assert not same(returned(wrong, 3, of), b)
    bent = Activation(activation_for(b, of).expression * sp.Rational(1000001, 1000000))
    assert not same(returned(bent, 3, of), b)


def test_hermite_coefficients_from_the_definition() -> None:
    """``E phi h_k`` by Gauss-Hermite quadrature, exact for polynomials up to rounding."""
    b = [Fraction(1, 2), Fraction(1, 3), Fraction(0), Fraction(2), Fraction(1, 5)]
    signs = [1, -1, 1, -1, 1]
    phi = activation_for(b, "ntk", signs)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    for k, (value, sign) in enumerate(zip(b, signs, strict=True)):
        h = np.polynomial.hermite_e.hermeval(nodes, [0] * k + [1]) / math.sqrt(math.factorial(k))
        found = np.sum(weights * phi(nodes) * h) / math.sqrt(2 * math.pi)
        assert found == pytest.approx(sign * math.sqrt(value / (1 + k)), abs=1e-12)


# ------------------------------------------------------------------------------------ bias


@pytest.mark.parametrize("of", ["nngp", "ntk"])
@pytest.mark.parametrize(("w", "bias"), [(1, 1), ("3/2", "1/10"), ("1/2", 2)])
def test_round_trip_with_bias(of: str, w: str, bias: str) -> None:
    """The kernels a network with bias has are those answered; start from some activation's own kernel."""
    start = Network.mlp(Activation(x**3 - x**2 + 2 * x + 1), 1, w, bias).series(3)
    b = list(start.nngp if of == "nngp" else start.ntk)
    phi = activation_for(b, of, "plus", w, bias)
    assert same(returned(phi, 4, of, w, bias), b)


def test_bias_makes_kernels_unreachable() -> None:
    """A bias gives every kernel a constant and mixes the powers."""
    for kernel in ([0, 1], [5, 0, 1]):
        with pytest.raises(DomainError, match=r"\^[01] in kernel - b"):
            activation_for(kernel, "nngp", "plus", 1, 1)


# ------------------------------------------------------------------------------------ signs


@pytest.mark.parametrize("b", [[1], [0, 1], [1, 0, 2, "1/3"], [0, 0]])
def test_every_sign_choice_once(b: list[object]) -> None:
    found = list(activations_for(b, "ntk"))  # type: ignore[arg-type]
    nonzero = sum(1 for value in b if value != 0)
    assert len(found) == len({phi.expression for phi in found}) == 2**nonzero
    for phi in found:
        assert same(returned(phi, len(b), "ntk"), b)
    for chosen in ("plus", "alternating"):
        assert activation_for(b, "ntk", chosen) in found  # type: ignore[arg-type]


def test_the_iterator_is_lazy() -> None:
    assert len(list(islice(activations_for([1] * 40, "nngp"), 3))) == 3


def test_signs_along_the_nonzero_coefficients() -> None:
    even = activation_for([1, 0, 2, 0, 3], "nngp", "alternating")
    assert [sp.sign(even.hermite(k)) for k in (0, 2, 4)] == [1, -1, 1]


def test_sinusoid() -> None:
    """``sin + cos`` has the kernel ``exp(rho - 1)`` (Simon et al. 2022): one of ours."""
    kernel = [f"exp(-1)/{math.factorial(k)}" for k in range(8)]
    phi = activation_for(kernel, "nngp", [1, 1, -1, -1, 1, 1, -1, -1])
    sinusoid = Activation.parse("sin(x) + cos(x)")
    for k in range(8):
        assert sp.simplify(phi.hermite(k) - sinusoid.hermite(k)) == 0


# ------------------------------------------------------------------------------------ approximation


@pytest.mark.parametrize("of", ["nngp", "ntk"])
@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
@pytest.mark.parametrize(
    ("name", "depth", "order"),
    [("tanh", 2, 9), ("relu", 2, 6), ("relu", 1, 8), ("erf", 3, 5), ("gelu", 1, 0)],
)
def test_approximation_holds_its_error(name: str, depth: int, order: int, kernel: str, of: str) -> None:
    deep = Network.mlp(activations.get(name), depth, 1, "1/10" if depth > 1 else 0)
    found = approximate_activation(deep.series(order), kernel, of)  # type: ignore[arg-type]
    shallow = Network.mlp(found.activation, 1, 1, 0)
    for rho in ("1", "3/5", "-1/2"):
        wanted, got = getattr(deep.at(1, rho, 1), kernel), getattr(shallow.at(1, rho, 1), of)
        assert abs(wanted.midpoint - got.midpoint) <= found.error + wanted.radius + got.radius
    at_one = getattr(deep.at(1, 1, 1), kernel).midpoint - getattr(shallow.at(1, 1, 1), of).midpoint
    assert at_one >= found.error * Fraction(999, 1000)  # at 1 nothing cancels: the bound is attained
    assert same(returned(found.activation, order + 1, of), list(found.coefficients))


def test_approximation_counts_wide_enclosures() -> None:
    """An enclosure around 0 and a wide one: both go into the error."""
    wide = (Enclosure(Fraction(-1, 100), Fraction(1, 50)), Enclosure(Fraction(2), Fraction(1, 10)))
    total = Enclosure(Fraction(3), Fraction(0))
    found = approximate_activation(KernelSeries(wide, wide, total, total, 30), "nngp", "nngp")
    assert found.coefficients[0] == 0
    # the first lies in [0, 1/100]; then the half-width 1/10; then the tail 3 - (2 - 1/10)
    expected = Fraction(1, 100) + Fraction(1, 10) + Fraction(11, 10)
    assert expected <= found.error < expected + Fraction(1, 10**20)
    below = (Enclosure(Fraction(-1), Fraction(1, 2)),)
    with pytest.raises(DomainError, match=r"rho\^0"):
        approximate_activation(KernelSeries(below, below, total, total, 30), "nngp", "nngp")


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], "nngp"), "0 kernel coefficients"),
        (([1] * 102, "nngp"), "102"),
        (([1, -1], "nngp"), r"rho\^1 -1"),
        (([1, 0, "sqrt(2) - 3/2"], "ntk"), r"rho\^2"),
        (([0.5], "nngp"), "float"),
        (([True], "nngp"), "number"),
        (([sp.Symbol("a")], "nngp"), "exact real number"),
        (("1, 2", "nngp"), "sequence"),
        ((3, "nngp"), "sequence"),
        (([Enclosure(Fraction(1), Fraction(0))], "nngp"), "approximate_activation"),
        ((["__import__('os')"], "nngp"), "given|letter|character|unknown|allowed|required"),
        (([1], "nngk"), "of = 'nngk'"),
        (([1], "nngp", "minus"), "signs"),
        (([1], "nngp", "all"), "activations_for"),
        (([1, 1], "nngp", [1]), "2 signs"),
        (([1], "nngp", [0]), "signs"),
        (([1], "nngp", np.array([1])), "signs"),
        (([1], "nngp", [True]), "signs"),
        (([1], "nngp", [1.0]), "signs"),
        (([1], "nngp", "plus", 0), "weight_variance"),
        (([1], "nngp", "plus", 1, -1), "bias_variance"),
    ],
)
def test_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        activation_for(*arguments)  # type: ignore[arg-type]


def test_refused_at_once_not_on_first_use() -> None:
    with pytest.raises(DomainError):
        activations_for([1, -1], "nngp")


def test_refused_series() -> None:
    series = Network.mlp(activations.relu, 1, 1, 0).series(3)
    with pytest.raises(DomainError, match="approximate_activation"):
        activation_for(series, "ntk")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="power series"):
        approximate_activation([1, 2], "ntk", "ntk")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="kernel"):
        approximate_activation(series, "both", "ntk")  # type: ignore[arg-type]


def test_binary_values_are_welcome_when_said() -> None:
    assert same(returned(activation_for([exactly(0.1)], "nngp"), 1, "nngp"), [exactly(0.1)])


def test_hidden_zero_and_hidden_sign() -> None:
    """A number that is 0 but does not look it is 0; a difference of 10^-200 has its sign."""
    zero = sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6) + sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1
    assert activation_for([zero, 1], "nngp").expression == x
    tiny = sp.sqrt(2 + sp.Rational(1, 10**60)) - sp.sqrt(2)
    assert activation_for([0, tiny], "nngp").polynomial_degree == 1
    with pytest.raises(DomainError):
        activation_for([0, -tiny], "nngp")
    below = sp.exp(sp.Rational(1, 10**300)) - 1 - sp.Rational(1, 10**300)  # 5e-601: beyond the digits tried
    with pytest.raises(UndecidedError):
        activation_for([below], "nngp")
