"""Taylor kernels in the limit, Taylor terms of finite networks: against the definition."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytic_ntk import Activation, Dense, LayerNorm, Network, Nonlinearity, Residual, activations
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.cli import app
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.notation import rho, x
from analytic_ntk.spectrum import PowerKernel, multiplicity, sphere, zonal
from analytic_ntk.theory import jets, taylor
from analytic_ntk.theory.taylor import eigenvalues
from analytic_ntk.theory.taylor.series import structure
from tests.witness import dual

GENERAL = (Fraction(2), Fraction(-3, 5), Fraction(3, 4))
SMOOTH = ("sin(x)", "erf(x)", "x*Phi(x)", "tanh(x)", "sigmoid(x - 1)", "exp(-x^2)")


def differentiated(text: str, order: int) -> sp.Expr:
    return sp.diff(Activation.parse(text).expression, x, order)


# ------------------------------------------------------------------------------------ the kernels


@pytest.mark.parametrize(("text", "golden"), [("sin(x)", ".01008240798408"), ("erf(x)", ".00541456111968")])
def test_golden_values_of_the_quadntk(text: str, golden: str) -> None:
    value = taylor.kernel(Activation.parse(text), 2).at(1, "3/10", 1)
    assert abs(value.midpoint - Fraction(golden)) < Fraction(1, 10**14)


@pytest.mark.parametrize("text", SMOOTH)
def test_value_is_the_plane_integral_to_30_digits(text: str) -> None:
    """The certified quadrature of the definition, which never sees a closed form."""
    a, c, b = GENERAL
    second = Activation(differentiated(text, 2)).pieces
    found = taylor.kernel(Activation.parse(text), 2).at(a, c, b, digits=32)
    with working_precision(160):
        q11, q22, q12 = (arb(e.numerator) / e.denominator for e in (a, b, c))
        value = q12 * q12 * quadrature.double(second, second, q11, q22, q12, 140)
        assert found.ball().overlaps(value)
        assert value.rel_accuracy_bits() > 100  # 30 digits
    assert found.digits >= 32


@pytest.mark.parametrize("text", SMOOTH[:4])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_float_quadrature_agrees_with_every_door(text: str, order: int) -> None:
    w, bias = Fraction(3, 2), Fraction(1, 5)
    X = np.array([[1.0, 0.5], [-0.5, 1.25]])
    a, c, b = (float(w) * v / 2 + float(bias) for v in (X[0] @ X[0], X[0] @ X[1], X[1] @ X[1]))
    psi, lower = differentiated(text, order), differentiated(text, order - 1)
    first = float(w) * c**order * dual(psi, psi, a, b, c)
    every = first + order * float(w) * c ** (order - 1) * dual(lower, lower, a, b, c)
    every += float(bias) if order == 1 else 0.0
    for layers, want in (("first", first), ("all", every)):
        kernel = taylor.kernel(Activation.parse(text), order, w, bias, layers)
        xx, xy, yy = (Fraction(float(v)) / 2 for v in (X[0] @ X[0], X[0] @ X[1], X[1] @ X[1]))
        assert float(kernel.at(xx, xy, yy, digits=15)) == pytest.approx(want, rel=1e-10)
        assert kernel.gram(X)[0, 1] == pytest.approx(want, rel=1e-10)
        assert kernel.gram(X, X[1:])[0, 0] == pytest.approx(want, rel=1e-10)


@pytest.mark.parametrize("phi", [activations.relu, activations.erf, activations.gelu, activations.tanh])
def test_order_one_is_the_ntk(phi: Activation) -> None:
    """First layer: NTK - NNGP at depth 1; all layers: the NTK itself."""
    network = Network.mlp(phi, 1, 2, "1/10")
    known = network.at(1, "1/3", "4/5", digits=25)
    first = taylor.kernel(phi, 1, 2, "1/10").at(1, "1/3", "4/5", digits=25)
    every = taylor.kernel(phi, 1, 2, "1/10", "all").at(1, "1/3", "4/5", digits=25)
    gap = known.ntk.midpoint - known.nngp.midpoint
    assert abs(first.midpoint - gap) <= first.radius + known.ntk.radius + known.nngp.radius
    assert every.overlaps(known.ntk)
    X = np.random.default_rng(0).standard_normal((4, 3))
    nngp, ntk = network.gram(X, kernel="both")
    np.testing.assert_allclose(taylor.kernel(phi, 1, 2, "1/10").gram(X), ntk - nngp, rtol=1e-12, atol=1e-13)


def test_closed_forms() -> None:
    sine = taylor.kernel(activations.sin, 2).formula(on="sphere")
    assert sp.simplify(sine - rho**2 * sp.exp(-1) * sp.sinh(rho)) == 0
    kappa = 2 / sp.pi * sp.asin(2 * rho / 3)
    found = taylor.kernel(activations.erf, 2).formula(on="sphere")
    assert sp.simplify(found - rho**2 * sp.diff(kappa, rho, 2)) == 0
    cubic = taylor.kernel(Activation.parse("x^3"), 3).formula()
    assert cubic == 36 * sp.Symbol("q12", real=True) ** 3
    kappa = Network.mlp(activations.gelu, 1, 1, 0).formula(on="sphere").nngp
    found = taylor.kernel(activations.gelu, 2).formula(on="sphere")
    with working_precision(200):
        for place in (sp.Rational(1, 3), sp.Rational(-4, 5)):
            price = (rho**2 * sp.diff(kappa, rho, 2) - found).subs(rho, place)
            assert abs(exact_ball(price).real) < arb(10) ** -50


def test_without_a_closed_form_the_formula_is_unevaluated() -> None:
    found = taylor.kernel(activations.tanh, 2).formula(on="sphere")
    want = taylor.kernel(activations.tanh, 2).at(1, "3/10", 1)
    assert float(sp.N(found.subs(rho, sp.Rational(3, 10)), 15)) == pytest.approx(float(want), rel=1e-13)


def test_polynomials_end() -> None:
    kernel = taylor.kernel(Activation.parse("x^3 - x"), 4)
    assert kernel.formula() == 0
    assert kernel.at(1, "1/2", 1).midpoint == 0
    assert not kernel.gram(np.eye(2)).any()
    assert set(taylor.power_series(kernel, 4).coefficients) == {0}


# ------------------------------------------------------------------------------------ distributions


def test_a_distribution_is_refused_and_named() -> None:
    with pytest.raises(DomainError, match="Dirac mass at 0"):
        taylor.kernel(activations.relu, 2)
    with pytest.raises(DomainError, match="Dirac mass"):
        taylor.kernel(activations.step, 1)
    assert taylor.kernel(activations.elu(1), 2).order == 2  # elu'' jumps, and is a function
    with pytest.raises(DomainError, match="Dirac"):
        taylor.kernel(activations.elu(1), 3)


def test_the_kernel_off_the_diagonal() -> None:
    off = taylor.off_diagonal(activations.relu, 2)
    assert sp.simplify(off.formula("sphere") - rho**2 / (2 * sp.pi * sp.sqrt(1 - rho**2))) == 0
    assert float(off.at(1, "3/10", 1)) == pytest.approx(0.09 / (2 * math.pi * math.sqrt(0.91)), rel=1e-14)
    shifted = taylor.off_diagonal(Activation.parse("abs(x - 1)"), 2)
    r = 0.5  # 4 rho^2 times the density of the pair at (1, 1)
    density = math.exp(-1 / (1 + r)) / (2 * math.pi * math.sqrt(1 - r * r))
    assert float(shifted.at(1, "1/2", 1)) == pytest.approx(4 * r * r * density, rel=1e-13)
    for bad in ((1, 1, 1), (1, -1, 1), (0, 0, 1)):
        with pytest.raises(DomainError):
            off.at(*bad)
    with pytest.raises(DomainError, match="a function"):
        taylor.off_diagonal(activations.sin, 2)
    with pytest.raises(NoClosedFormError):
        taylor.off_diagonal(Activation.parse("tanh(abs(x))"), 2)


@pytest.mark.parametrize(
    ("text", "order", "dual"),
    [
        ("sign(x)", 1, lambda r, mp: 2 / mp.pi * mp.asin(r)),
        ("Max(x, 0)", 3, lambda r, mp: (mp.sqrt(1 - r * r) + r * (mp.pi - mp.acos(r))) / (2 * mp.pi)),
        ("Abs(x)", 2, lambda r, mp: 2 / mp.pi * (mp.sqrt(1 - r * r) + r * mp.asin(r))),
    ],
)
def test_the_off_diagonal_kernel_is_the_derivative_of_the_dual(text: str, order: int, dual: Any) -> None:
    """Price's theorem on the known arc-cosine duals, differentiated by mpmath."""
    import mpmath

    found = taylor.off_diagonal(Activation.parse(text), order).at(1, "2/5", 1, digits=20)
    with mpmath.workdps(40):
        r = mpmath.mpf(2) / 5
        want = r**order * mpmath.diff(lambda t: dual(t, mpmath), r, order)
    assert float(found) == pytest.approx(float(want), rel=1e-14)


def test_the_off_diagonal_kernel_is_the_limit_of_smooth_ones() -> None:
    """softplus(beta x)/beta tends to ReLU: off the diagonal its QuadNTK tends to the ReLU one."""
    want = float(taylor.off_diagonal(activations.relu, 2).at(1, "1/2", 1))
    gaps = [
        abs(float(taylor.kernel(activations.softplus(beta), 2).at(1, "1/2", 1, 8)) - want)
        for beta in (4, 8, 16)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 0.02 * want


# ------------------------------------------------------------------------------------ series and spectrum


@pytest.mark.parametrize("text", [*SMOOTH, "x^4 - 2*x"])
@pytest.mark.parametrize(("order", "layers"), [(1, "first"), (2, "first"), (2, "all"), (3, "all")])
def test_series_is_the_hermite_sum(text: str, order: int, layers: str) -> None:
    """``k (k-1) .. (k-j+1) a_k^2`` from the Hermite table of ``phi`` itself."""
    phi = Activation.parse(text)
    rows = [row.value for row in phi.hermite_table(14, digits=25).rows]
    found = taylor.power_series(taylor.kernel(phi, order, layers=layers), 14, digits=25).enclosures()
    for k, (a, c) in enumerate(zip(rows, found, strict=True)):
        factor = math.perm(k, order) if k >= order else 0
        if layers == "all" and k >= order - 1:
            factor += order * math.perm(k, order - 1)
        want = factor * a.midpoint**2
        slack = factor * (2 * abs(a.midpoint) + a.radius) * a.radius
        assert abs(c.midpoint - want) <= c.radius + slack
        assert c.radius < Fraction(1, 10**22)


def test_saboteur_lost_factorial_is_caught() -> None:
    """``k a_k^2`` for ``k (k - 1) a_k^2``: the sum no longer encloses the certified value."""
    kernel = taylor.kernel(activations.erf, 2)
    series = taylor.power_series(kernel, 60, digits=20)
    value = kernel.at(1, "1/2", 1, digits=20)
    assert series.at("1/2").overlaps(value)
    lost = tuple(Enclosure(c.midpoint / max(k - 1, 1), c.radius) for k, c in enumerate(series.enclosures()))
    wrong = taylor.TaylorSeries(lost, series.total, 20, sp.S.One)
    partial = sum(c.midpoint / 2**k for k, c in enumerate(wrong.coefficients))
    assert abs(partial - value.midpoint) > Fraction(1, 1000)


@pytest.mark.parametrize("bias", [0, "1/5"])
@pytest.mark.parametrize("layers", ["first", "all"])
def test_series_with_bias_and_variance_encloses_the_kernel(bias: object, layers: str) -> None:
    kernel = taylor.kernel(activations.gelu, 2, "3/2", bias, layers)
    series = taylor.power_series(kernel, 40, digits=15, variance="2/3")
    for place in ("1/2", "-4/5", "1"):
        q = Fraction(2, 3)
        assert series.at(place).overlaps(kernel.at(q, q * Fraction(place), q, digits=15))
    assert series.at("1/2").digits > 8


@pytest.mark.parametrize("text", ["sin(x)", "tanh(x)", "sigmoid(x - 1)", "x^3 + x^2"])
@pytest.mark.parametrize("dim", [3, 12])
def test_spectrum_is_the_gegenbauer_integral(text: str, dim: int) -> None:
    """Eigenvalues from values of the float64 kernel and Gauss-Jacobi nodes."""
    from scipy.special import eval_gegenbauer, roots_jacobi

    kernel = taylor.kernel(Activation.parse(text), 2)
    found = taylor.sphere(kernel, dim, 4, digits=10)
    t, weights = roots_jacobi(60, (dim - 3) / 2, (dim - 3) / 2)
    X = np.sqrt(dim) * np.eye(1, dim)
    Y = np.sqrt(dim) * np.column_stack([t, np.sqrt(1 - t * t), np.zeros((60, dim - 2))])
    values = kernel.gram(X, Y)[0]
    for k, eigenvalue in enumerate(found.floats()):
        p = eval_gegenbauer(k, dim / 2 - 1, t) / eval_gegenbauer(k, dim / 2 - 1, 1.0)
        assert eigenvalue == pytest.approx(float(weights @ (values * p) / weights.sum()), rel=1e-8, abs=1e-13)
    assert sum(multiplicity(dim, k) * v for k, v in enumerate(found.floats())) <= float(found.trace) * (
        1 + 1e-9
    )


def test_spectrum_zeros_are_proved_and_polynomials_exact() -> None:
    assert taylor.sphere(taylor.kernel(activations.sin, 2), 5, 4).eigenvalues[::2] == (0, 0, 0)
    gelu = taylor.sphere(taylor.kernel(activations.gelu, 2), 5, 3, digits=8)
    assert gelu.eigenvalues[1] == gelu.eigenvalues[3] == 0  # gelu'' is even
    cubic = taylor.sphere(taylor.kernel(Activation.parse("x^3"), 1), 4, 5)
    own = zonal(PowerKernel([0, 9, 0, 18]), 4, 5)  # sum k a_k^2 rho^k with a_1 = 3, a_3 = sqrt 6
    assert cubic.eigenvalues == own.eigenvalues
    assert cubic.method == "exact"


def test_spectrum_of_a_kink_is_the_exact_one() -> None:
    """ReLU, order 1: the NTK's exact eigenvalues less the NNGP's, to 20 digits in low dimension."""
    network = Network.mlp(activations.relu, 1, 1, 0)
    for dim in (2, 3, 9):
        found = taylor.sphere(taylor.kernel(activations.relu, 1), dim, 6, digits=20)
        ntk, nngp = (
            sphere(network, dim, 6, kernel, method="exact").eigenvalues for kernel in ("ntk", "nngp")
        )
        assert found.method == "quadrature"
        for k, (ours, whole, part) in enumerate(zip(found.eigenvalues, ntk, nngp, strict=True)):
            want = sp.simplify(sp.sympify(whole) - sp.sympify(part))
            if k in (3, 5):
                assert ours == want == 0
                continue
            assert isinstance(ours, Enclosure) and ours.digits >= 20
            with working_precision(160):
                assert ours.ball().overlaps(exact_ball(want).real)


@pytest.mark.parametrize("lost", [0, 1])
def test_spectrum_of_a_jump_is_the_legendre_integral(lost: int) -> None:
    """``Max(x, 0)^2``, order 2: ``rho^2 (1 + 2 asin(rho)/pi)`` by mpmath; a lost power is caught."""
    import mpmath

    found = taylor.sphere(taylor.kernel(Activation.parse("Max(x, 0)^2"), 2), 3, 3, digits=25)
    with mpmath.workdps(40):
        for k in (0, 1, 2, 3):
            want = mpmath.quad(
                lambda t, k=k: t ** (2 - lost) * (1 + 2 * mpmath.asin(t) / mpmath.pi) * mpmath.legendre(k, t),
                [-1, 0, 1],
            )
            value = found.eigenvalues[k]
            assert isinstance(value, Enclosure)
            gap = abs(mpmath.mpf(value.midpoint.numerator) / value.midpoint.denominator - want / 2)
            bound = mpmath.mpf(value.radius.numerator) / value.radius.denominator + mpmath.mpf(10) ** -27
            assert (gap < bound) == (lost == 0)


@pytest.mark.parametrize(("text", "layers", "bias"), [("erf(x)", "all", "1/5"), ("elu", "first", 0)])
def test_series_and_quadrature_agree(text: str, layers: str, bias: object) -> None:
    phi = activations.elu(1) if text == "elu" else Activation.parse(text)
    kernel = taylor.kernel(phi, 2, 1, bias, layers)
    shape = structure(kernel)
    one = eigenvalues._by_series(kernel, shape, 120, 3, 8)[1]
    other = eigenvalues._by_quadrature(kernel, shape, 120, 3, 8)[1]
    for a, b in zip(one, other, strict=True):
        assert isinstance(a, Enclosure) and isinstance(b, Enclosure)
        assert a.overlaps(b) and min(a.digits, b.digits) >= 8


def test_derivatives_in_factors_have_the_same_values() -> None:
    """``atan^(6)`` in factors; as a sum over powers of ``1 + x^2`` it cancels in float64."""
    found = taylor.derivative(activations.resolve("atan(x)"), 6).expression
    assert sp.simplify(found - sp.diff(sp.atan(x), x, 6)) == 0
    assert found.is_Mul
    kernel = taylor.kernel(Activation.parse("atan(x)"), 6)
    X = np.array([[1.0], [0.5]])
    assert kernel.gram(X)[0, 1] == pytest.approx(float(kernel.at(1, "1/2", "1/4", digits=16)), rel=1e-12)


# ------------------------------------------------------------------------------------ jets


NAMED = [
    *map(activations.resolve, "relu abs gelu erf tanh sin mish silu gaussian".split()),
    activations.elu(1),
    activations.softplus(2),
    *map(
        Activation.parse,
        (
            "atan(x)",
            "log(2 + cos(x))",
            "sqrt(1 + x^2)",
            "2^x/(1 + x^2)",
            "x^3 - 1/(3 + sin(x))^2",
            "(1 + x^2)^x",
            "erfc(x)*cosh(x/2) + sinh(x/3)",
        ),
    ),
]


@pytest.mark.parametrize("phi", NAMED, ids=str)
def test_jets_are_derivatives(phi: Activation) -> None:
    z = np.array([-1.3, -0.2, 0.4, 2.1])
    found = jets.taylor_coefficients(phi, z, 6)
    pieces = phi.pieces
    for k, c in enumerate(found):
        want = pieces.float_function()(z)
        np.testing.assert_allclose(c * math.factorial(k), want, rtol=1e-11, atol=1e-12)
        pieces = pieces.derivative()


def test_jets_of_high_order_sum_to_the_function() -> None:
    z = np.array([0.3, -0.7])
    found = jets.taylor_coefficients(activations.tanh, z, 60)
    assert np.abs(sum(c * 0.9**k for k, c in enumerate(found)) - np.tanh(z + 0.9)).max() < 1e-12


def test_jets_at_a_breakpoint_are_means() -> None:
    found = jets.taylor_coefficients(activations.relu, np.zeros(1), 2)
    assert [float(c[0]) for c in found] == [0.0, 0.5, 0.0]


@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
@settings(max_examples=25, deadline=None)
def test_product_of_jets_is_that_of_polynomials(one: list[float], other: list[float]) -> None:
    found = jets.multiply(tuple(map(np.array, one)), tuple(map(np.array, other)))
    want = np.convolve(one, other)[:4]
    np.testing.assert_allclose([float(c) for c in found], want, atol=1e-12)


# ------------------------------------------------------------------------------------ finite networks


NETWORKS = {
    "deep gelu": (Network.mlp(activations.gelu, 2, 1, "1/10"), [7, 6, 2]),
    "relu": (Network.mlp(activations.relu, 2, 2, 0), [7, 6, 2]),
    "residual and layer norm": (
        Network(
            Dense(1, 0), Residual(Nonlinearity(activations.tanh), Dense(1, "1/3")), LayerNorm(),
            Nonlinearity(activations.erf), Dense(1, 0),
        ),
        [6, 6, 2],
    ),
}  # fmt: skip


def drawn(name: str) -> tuple[taylor.Expansion, np.ndarray, np.ndarray, np.random.Generator]:
    network, widths = NETWORKS[name]
    rng = np.random.default_rng(3)
    finite = network.sample(widths, rng, 3)
    return taylor.expand(finite, order=4), rng.standard_normal((5, 3)), rng.standard_normal(finite.size), rng


def along_a_line(units: Any, steps: Any, h: list[Any], t: Any, mp: Any) -> list[Any]:
    """A network at ``theta + t step`` in mpmath, one input, written out entry by entry."""
    for unit, step in zip(units, steps, strict=True):
        if hasattr(unit, "branch"):
            inner = along_a_line(unit.branch, step.branch, h, t, mp)
            h = [a + b for a, b in zip(h, inner, strict=True)]
        elif hasattr(unit, "omega"):
            out = []
            for j in range(unit.omega.shape[1]):
                rows = zip(h, unit.omega[:, j], step.omega[:, j], strict=True)
                value = unit.weight_scale * sum(v * (float(a) + t * float(b)) for v, a, b in rows)
                if unit.omega_0 is not None:
                    a, b = float(unit.omega_0[0, j]), float(step.omega_0[0, j])
                    value += unit.bias_scale * (a + t * b)
                out.append(value)
            h = out
        elif hasattr(unit, "activation"):
            f = sp.lambdify(x, unit.activation.expression, "mpmath")
            h = [f(v) for v in h]
        else:  # layer norm
            mean = sum(h) / len(h)
            spread = mp.sqrt(sum((v - mean) ** 2 for v in h) / len(h))
            h = [(v - mean) / spread for v in h]
    return h


@pytest.mark.parametrize("name", ["tanh", "residual and layer norm"])
def test_terms_up_to_order_six_are_exact(name: str) -> None:
    """The Taylor coefficients of the network along a line in 60 digits, which no jet has touched."""
    import mpmath

    network, widths = NETWORKS.get(name, (Network.mlp(activations.tanh, 2, "3/2", "1/3"), [3, 2, 2]))
    rng = np.random.default_rng(5)
    finite = network.sample(widths, rng, 3)
    X, step = rng.standard_normal((1, 3)), rng.standard_normal(finite.size)
    found = taylor.expand(finite, order=6).terms(X, step)
    moving = finite.with_parameters(step)
    with mpmath.workdps(60):
        start = [mpmath.mpf(float(v)) for v in X[0]]
        for o in range(2):
            want = mpmath.taylor(
                lambda t, o=o: along_a_line(finite.units, moving.units, start, t, mpmath)[o], 0, 6
            )
            for term, value in zip(found, want, strict=True):
                assert term[0, o] == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_remainder_has_the_next_order(name: str) -> None:
    """``f(theta + t step)`` less the terms of order <= 4 falls like ``t^5``."""
    expansion, X, step, _ = drawn(name)
    errors = []
    for t in (0.04, 0.02):
        moved = expansion.network.with_parameters(expansion.network.parameters + t * step)
        errors.append(np.abs(moved(X) - expansion(X, t * step)).max())
    assert errors[1] < errors[0] / 25 or errors[0] < 1e-14


@pytest.mark.parametrize("name", NETWORKS)
def test_terms_are_finite_differences(name: str) -> None:
    expansion, X, step, _ = drawn(name)
    finite, theta, h = expansion.network, expansion.network.parameters, 1e-3
    f = [finite.with_parameters(theta + k * h * step)(X) for k in (-2, -1, 0, 1, 2)]
    np.testing.assert_allclose(
        expansion.linear(X, step), (f[0] - 8 * f[1] + 8 * f[3] - f[4]) / (12 * h), atol=1e-6
    )
    second = (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * h * h)
    np.testing.assert_allclose(2 * expansion.quadratic(X, step), second, atol=1e-5)
    np.testing.assert_allclose(expansion.linear(X, step), finite.jacobian(X) @ step, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_hessian_products_are_differences_of_gradients(name: str) -> None:
    expansion, X, step, rng = drawn(name)
    finite, theta, h = expansion.network, expansion.network.parameters, 1e-5
    rows = rng.standard_normal((5, 2))
    gradient = np.einsum("no,nop->p", rows, finite.jacobian(X))
    np.testing.assert_allclose(expansion.gradients(X, step, rows)[0], gradient, atol=1e-12)
    moved = [finite.with_parameters(theta + s * h * step).jacobian(X) for s in (1, -1)]
    want = np.einsum("no,nop->p", rows, (moved[0] - moved[1]) / (2 * h))
    found = expansion.hessian_product(X, step, rows)
    np.testing.assert_allclose(found, want, atol=1e-6 * max(1.0, np.abs(want).max()))
    other = rng.standard_normal(len(step))  # the Hessian is symmetric
    assert found @ other == pytest.approx(expansion.hessian_product(X, other, rows) @ step, rel=1e-9)
    quadratic = float((rows * expansion.quadratic(X, step)).sum())
    assert found @ step == pytest.approx(2 * quadratic, rel=1e-9, abs=1e-12)


def test_saboteur_lost_half_is_caught() -> None:
    """``f_Q`` is half the second derivative: without the factorial the remainder no longer falls."""
    expansion, X, step, _ = drawn("deep gelu")
    errors = []
    for t in (0.02, 0.01):
        moved = expansion.network.with_parameters(expansion.network.parameters + t * step)
        f0, linear, quadratic = expansion.terms(X, t * step)[:3]
        errors.append(np.abs(moved(X) - f0 - linear - 2 * quadratic).max())
    assert errors[1] > errors[0] / 6  # t^2, not t^3


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")
    expansion, X, step, rng = drawn("deep gelu")
    finite = expansion.network.with_arrays(torch.as_tensor)
    X_t, step_t, rows = (
        torch.as_tensor(X),
        torch.as_tensor(step),
        torch.as_tensor(rng.standard_normal((5, 2))),
    )

    def f(theta):  # type: ignore[no-untyped-def]
        shapes = [p.shape for unit in finite.units for p in unit.parameters]
        parts = torch.split(theta, [shape.numel() for shape in shapes])
        arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        return (rows * finite.with_all(arrays)(X_t)).sum()

    theta = finite.parameters.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(f(theta), theta, create_graph=True)
    (product,) = torch.autograd.grad(gradient @ step_t, theta)
    ours = taylor.expand(finite, order=2)
    np.testing.assert_allclose(ours.hessian_product(X_t, step_t, rows), product, atol=1e-12)
    np.testing.assert_allclose(expansion.hessian_product(X, step, rows.numpy()), product, atol=1e-12)
    np.testing.assert_allclose(ours.linear(X_t, step_t), expansion.linear(X, step), atol=1e-12)


def test_against_jax() -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    phi = activations.tanh
    finite = Network.mlp(phi, 1, 1, 0).sample(5, np.random.default_rng(0), 3)
    X, step = np.eye(3), np.random.default_rng(1).standard_normal(finite.size)

    def f(theta):  # type: ignore[no-untyped-def]
        first, last = theta[:15].reshape(3, 5), theta[15:].reshape(5, 1)
        return (jax.numpy.tanh(X @ first / np.sqrt(3)) @ last / np.sqrt(5)).sum()

    want = jax.jvp(jax.grad(f), (finite.parameters,), (step,))[1]
    np.testing.assert_allclose(taylor.expand(finite).hessian_product(X, step), want, atol=1e-12)


# ------------------------------------------------------------------------------------ features


@pytest.mark.parametrize("bias", [0, "1/4"])
def test_feature_kernels_are_those_of_the_derivatives(bias: object) -> None:
    """Orders 1 and 2 against the Jacobian and the Hessian kernel by directions."""
    network = Network.mlp(activations.erf, 1, "3/2", bias)
    finite = network.sample(6, np.random.default_rng(0), 2)
    X = np.random.default_rng(1).standard_normal((3, 2))
    ntk = taylor.feature_kernel(finite, X, 1, "all")
    np.testing.assert_allclose(ntk, finite.kernels(X).ntk, rtol=1e-12)
    exact = taylor.hessian_kernel(finite, X)
    np.testing.assert_allclose(taylor.feature_kernel(finite, X, 2, "all"), exact.value, rtol=1e-11)
    guess = taylor.hessian_kernel(finite, X, probes=400, rng=np.random.default_rng(2))
    assert (np.abs(guess.value - exact.value) < 6 * guess.standard_error).all()
    first = finite.layer_kernels(X)[0].ntk
    np.testing.assert_allclose(taylor.feature_kernel(finite, X, 1), first, rtol=1e-12)


@pytest.mark.parametrize(("order", "layers"), [(1, "all"), (2, "first"), (2, "all")])
def test_features_converge_at_rate_one_half(order: int, layers: str) -> None:
    kernel = taylor.kernel(activations.erf, order, 1, "1/10", layers)
    X = np.random.default_rng(0).standard_normal((3, 4))
    found = taylor.convergence(kernel, X, [16, 64, 256, 1024], 100, np.random.default_rng(1))
    assert found.low < -0.5 < found.high
    assert found.exponent_error < 0.05


def test_saboteur_wrong_limit_does_not_converge() -> None:
    """Against the kernel of the first layer alone, features of all layers stop at a distance."""
    X = np.eye(2)
    network = Network.mlp(activations.erf, 1, 1, 0)
    wrong = taylor.kernel(activations.erf, 2).gram(X)
    found = []
    for m in (100, 10_000):
        finite = network.sample(m, np.random.default_rng(0), 2)
        found.append(np.linalg.norm(taylor.feature_kernel(finite, X, 2, "all") - wrong))
    assert found[1] > 0.5 * found[0]


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("order", [0, -1, True, 1.5, "2", 99])
def test_bad_orders(order: object) -> None:
    with pytest.raises(DomainError, match="order"):
        taylor.kernel(activations.sin, order)  # type: ignore[arg-type]
    finite = Network.mlp(activations.sin, 1, 1, 0).sample(2, np.random.default_rng(0), 1)
    if order != 99:
        with pytest.raises(DomainError, match="order"):
            taylor.expand(finite, order=order)  # type: ignore[arg-type]


def test_bad_input_of_kernels() -> None:
    kernel = taylor.kernel(activations.sin, 2)
    for bad in ((1, 2, 1), (-1, 0, 1), (1, "x", 1), (1, 0.3, 1)):
        with pytest.raises(DomainError):
            kernel.at(*bad)
    for call in (
        lambda: taylor.kernel("sin(x)", 2),  # type: ignore[arg-type]
        lambda: taylor.kernel(activations.sin, 2, -1),
        lambda: taylor.kernel(activations.sin, 2, layers="last"),
        lambda: kernel.formula(on="torus"),
        lambda: kernel.gram(np.array([[np.nan]])),
        lambda: taylor.power_series(kernel, -1),
        lambda: taylor.power_series(kernel, 3, variance=0),
        lambda: taylor.power_series(activations.sin, 3),  # type: ignore[arg-type]
        lambda: taylor.sphere(kernel, 1, 2),
        lambda: taylor.sphere(kernel, 3, True),
        lambda: taylor.kernel(activations.sin, 2, sp.Symbol("w", positive=True)).at(1, 0, 1),
        lambda: taylor.kernel(Activation.parse("exp(x^2/3)"), 2).at(2, 0, 2),
    ):
        with pytest.raises(DomainError):
            call()


def test_bad_input_of_expansions() -> None:
    finite = Network.mlp(activations.relu, 1, 1, 0).sample(4, np.random.default_rng(0), 2)
    expansion = taylor.expand(finite)
    with pytest.raises(DomainError, match="breakpoint"):
        expansion.terms(np.zeros((1, 2)), np.ones(finite.size))  # every unit sits on its kink
    for call in (
        lambda: taylor.expand(Network.mlp(activations.relu, 1, 1, 0)),
        lambda: taylor.expand(finite, np.ones(3)),
        lambda: taylor.expand(finite, "q"),
        lambda: expansion.terms(np.ones((1, 2)), np.ones(finite.size) * 1j),
        lambda: expansion.terms(np.ones((1, 2)), np.ones(3)),
        lambda: expansion.terms(np.ones((1, 2)), np.full(finite.size, np.nan)),
        lambda: expansion.terms(np.ones((1, 3)), np.ones(finite.size)),
        lambda: expansion.hessian_product(np.ones((1, 2)), np.ones(finite.size), np.ones(7)),
        lambda: taylor.feature_kernel(finite, np.ones((1, 2)), 2),
        lambda: taylor.hessian_kernel(finite, np.ones((1, 2)), probes=1),
        lambda: taylor.convergence(
            taylor.kernel(activations.sin, 2), np.eye(2), [4], 5, np.random.default_rng(0)
        ),
    ):
        with pytest.raises(DomainError):
            call()


# ------------------------------------------------------------------------------------ the command


def test_command() -> None:
    answer = CliRunner().invoke(app, ["taylor", "erf", "--rho", "3/10", "--dim", "30", "--json"])
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert found["values"][0]["value"].startswith("0.00541456111")
    assert [row["expression"] for row in found["series"][:3]] == ["0", "0", "0"]
    assert len(found["eigenvalues"]) == 5
    for bad in (
        ["relu"],
        ["erf", "--order", "0"],
        ["erf", "--dim", "1"],
        ["erf", "--rho", "2"],
        ["nonsense("],
    ):
        assert CliRunner().invoke(app, ["taylor", *bad]).exit_code == 2
