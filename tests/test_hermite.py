"""Hermite coefficients: classics, independent integrals, Parseval, and the error paths."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
import sympy as sp
from flint import arb, fmpq

from analytic_ntk import Activation, Enclosure, activations
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian import hermite
from analytic_ntk.gaussian.operations import SYMBOLIC
from analytic_ntk.gaussian.terms import terms_of

ALL = activations.all_activations()


def _double_factorial(n: int) -> sp.Expr:
    return sp.Integer(-1) if n == -3 else sp.factorial2(n)


def _relu(n: int) -> sp.Expr:
    if n < 2:
        return (1 / sp.sqrt(2 * sp.pi), sp.Rational(1, 2))[n]
    m = n // 2
    return (
        sp.S.Zero
        if n % 2
        else (-1) ** (m - 1) * _double_factorial(2 * m - 3) / sp.sqrt(2 * sp.pi * sp.factorial(n))
    )


def _step(n: int) -> sp.Expr:
    if n == 0:
        return sp.Rational(1, 2)
    m = (n - 1) // 2
    return (
        sp.S.Zero
        if n % 2 == 0
        else (-1) ** m * _double_factorial(2 * m - 1) / sp.sqrt(2 * sp.pi * sp.factorial(n))
    )


def _erf(n: int) -> sp.Expr:
    m = (n - 1) // 2
    if n % 2 == 0:
        return sp.S.Zero
    third = sp.Rational(2, 3) ** n
    return (-1) ** m * sp.sqrt(2 / sp.pi * sp.binomial(2 * m, m) * sp.Rational(1, 4) ** m / n * third)


def _gaussian(n: int) -> sp.Expr:
    m = n // 2
    if n % 2:
        return sp.S.Zero
    return (-1) ** m * sp.sqrt(sp.binomial(n, m) * sp.Rational(1, 4) ** m * sp.Rational(4, 9) ** m / 3)


def _gelu(n: int) -> sp.Expr:
    if n % 2:
        return sp.Rational(1, 2) if n == 1 else sp.S.Zero
    m = n // 2
    odd = _double_factorial(2 * m - 3)
    return (-1) ** (m - 1) * (2 * m + 1) * odd / (2 ** (m + 1) * sp.sqrt(sp.pi * sp.factorial(n)))


# Closed expressions in n (classics; see for instance Abramowitz and Stegun 22 for the integrals behind them).
CLASSICS = {
    "relu": _relu,
    "step": _step,
    "erf": _erf,
    "gaussian": _gaussian,
    "gelu": _gelu,
    "exp": lambda n: sp.exp(sp.Rational(1, 2)) / sp.sqrt(sp.factorial(n)),
    "sin": lambda n: sp.S.Zero if n % 2 == 0
    else (-1) ** ((n - 1) // 2) * sp.exp(-sp.Rational(1, 2)) / sp.sqrt(sp.factorial(n)),
    "cos": lambda n: sp.S.Zero if n % 2
    else (-1) ** (n // 2) * sp.exp(-sp.Rational(1, 2)) / sp.sqrt(sp.factorial(n)),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSICS)
def test_hermite_eq_classic(name: str) -> None:
    table = ALL[name].hermite_table(30, digits=30)
    for row in table.rows:
        assert row.kind == "exact"
        assert sp.simplify(row.expression - CLASSICS[name](row.n)) == 0
        assert (
            abs(sp.N(row.expression, 30) - sp.N(sp.Rational(*row.value.midpoint.as_integer_ratio()), 30))
            < 1e-25
        )


# Numbers computed once with mpmath.quad at 60 digits; the first two of each also by scipy.
KNOWN = {
    ("tanh", 1): ".60570550960215882558", ("tanh", 3): "-.14843719078727270405",
    ("tanh", 5): ".06254752375270360629", ("tanh", 7): "-.03144541928767861052",
    ("sigmoid", 1): ".20662096414190703726", ("softplus", 0): ".80605918334743978453",
    ("softplus", 2): ".14610308488004494167", ("silu", 2): ".24808519283030007027",
}  # fmt: skip


@pytest.mark.parametrize(("name", "n"), KNOWN)
def test_hermite_eq_known_digits(name: str, n: int) -> None:
    value = ALL[name].hermite(n, digits=25)
    assert isinstance(value, Enclosure)
    assert abs(value.midpoint - Fraction(KNOWN[name, n])) < Fraction(1, 10**20)
    assert value.digits >= 25


@pytest.mark.parametrize("name", ["tanh", "mish", "softsign", "elu", "hardtanh", "arctan"])
@pytest.mark.parametrize("variance", ["1/4", "3"])
def test_hermite_eq_mpmath_integral(name: str, variance: str) -> None:
    phi = ALL[name]
    table = phi.hermite_table(9, digits=20, variance=variance)
    q = mpmath.mpf(sp.Rational(variance).p) / sp.Rational(variance).q
    function = sp.lambdify(sp.Symbol("x", real=True), _expanded(phi), "mpmath")
    breaks = sorted({-13, -4, 0, 4, 13, *(float(b) / float(mpmath.sqrt(q)) for b in phi.pieces.breakpoints)})
    with mpmath.workdps(25):
        for n in (0, 1, 4, 9):

            def integrand(z: mpmath.mpf, n: int = n) -> mpmath.mpf:
                polynomial = mpmath.hermite(n, z / mpmath.sqrt(2)) / mpmath.sqrt(2) ** n
                return (
                    function(mpmath.sqrt(q) * z)
                    * polynomial
                    * mpmath.npdf(z)
                    / mpmath.sqrt(mpmath.factorial(n))
                )

            expected = mpmath.quad(integrand, breaks)
            assert abs(mpmath.mpf(float(table.rows[n].value)) - expected) < 1e-13


def _expanded(phi: Activation) -> sp.Expr:
    from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus

    expr = phi.expression.replace(softplus, lambda z: sp.log(1 + sp.exp(z)))
    expr = expr.replace(sigmoid, lambda z: 1 / (1 + sp.exp(-z)))
    return expr.replace(Phi, lambda z: (1 + sp.erf(z / sp.sqrt(2))) / 2)


@pytest.mark.parametrize("name", ALL)
def test_sum_of_squares_le_second_moment(name: str) -> None:
    """Bessel's inequality with certainty, and Parseval: the remainder shrinks with the order."""
    variance = "1/4" if name == "exp" else "1"
    short, long = (ALL[name].hermite_table(order, digits=15, variance=variance) for order in (4, 16))
    assert long.sum_of_squares.lower <= long.second_moment.upper
    assert long.remainder[1] <= short.remainder[1] + Fraction(1, 10**12)


def test_parity_zeros_are_exact() -> None:
    assert [row.kind for row in ALL["tanh"].hermite_table(4, digits=10).rows] == [
        "exact", "certified", "exact", "certified", "exact",
    ]  # fmt: skip


def test_symbolic_parameters_survive() -> None:
    alpha = sp.Symbol("alpha", real=True)
    assert sp.simplify(activations.leaky_relu(alpha).hermite(1) - (1 + alpha) / 2) == 0


def test_a_lost_edge_term_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: without the jump at the breakpoint the recurrence loses every coefficient beyond a_1."""
    terms = terms_of(activations.relu.pieces)
    assert terms is not None
    monkeypatch.setattr(
        hermite, "_edge", lambda term, order, q, root, ops: [ops.number(sp.S.Zero)] * (order + 1)
    )
    numbers = hermite.hermite_numbers(terms, 2, sp.S.One, SYMBOLIC)
    assert sp.simplify(numbers[2] / sp.sqrt(2) - _relu(2)) != 0


@pytest.mark.parametrize(
    ("order", "digits", "variance"),
    [
        (-1, 30, 1),
        (20_000, 30, 1),
        (2.0, 30, 1),
        (3, 0, 1),
        (3, 30, 0),
        (3, 30, -1),
        (3, 30, 0.5),
        (3, 10**6, 1),
    ],
)
def test_bad_input(order: int, digits: int, variance: object) -> None:
    with pytest.raises(DomainError):
        activations.tanh.hermite_table(order, digits, variance)  # type: ignore[arg-type]


def test_growth_is_respected() -> None:
    phi = Activation.parse("exp(x**2/3)")
    with pytest.raises(DomainError, match="3/4"):
        phi.hermite_table(3, variance=2)
    # E exp(u^2/3) = (1 - 2 q/3)^(-1/2) = sqrt(3/2) at q = 1/2
    assert sp.simplify(phi.hermite(0, "1/2") - sp.sqrt(sp.Rational(3, 2))) == 0


def test_enclosures_of_balls_of_any_size() -> None:
    """Exponents that no fraction should be written with are rounded to a radius, not hung on."""
    tiny, huge = arb(-(10**12)).exp(), arb(10**12).exp()
    for ball in (tiny, -tiny, arb(2) ** (-(10**9)), arb(0, tiny)):
        found = Enclosure.of(ball)
        assert found.midpoint == 0 and arb(fmpq(1, found.radius.denominator)) > abs(ball)
    found = Enclosure.of(arb(5, tiny))
    assert found.midpoint == 5 and arb(fmpq(1, found.radius.denominator)) > tiny
    assert Enclosure.of(arb(0)).radius == Enclosure.of(arb(3)).radius == 0
    with pytest.raises(PrecisionError):
        Enclosure.of(huge)
