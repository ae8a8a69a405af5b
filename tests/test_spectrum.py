"""Spectra on the sphere: exact numbers, two routes that must overlap, the definition in floats, saboteurs."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from scipy.special import eval_chebyt, eval_gegenbauer, roots_legendre

from analytic_ntk import Activation, Dense, Enclosure, Network, Nonlinearity, activations, spectrum
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.layers import LayerNorm, Residual
from analytic_ntk.report.spectrum_plot import decay_plot
from analytic_ntk.series import enclose
from analytic_ntk.spectrum import powers, quadrature
from analytic_ntk.spectrum.closed import gamma_of_half
from analytic_ntk.spectrum.harmonics import first_decreasing, power_ball
from analytic_ntk.spectrum.line import NetworkKernel
from analytic_ntk.spectrum.structure import kernel_structure

RELU_UNIT = Network(Dense(1, 0), Nonlinearity(activations.relu), Dense(2, 0))


def _network(name: str, depth: int = 1, weight: object = 1, bias: object = 0) -> Network:
    return Network.mlp(activations.resolve(name), depth, weight, bias)  # type: ignore[arg-type]


def _overlap(one: spectrum.SphereSpectrum, other: spectrum.SphereSpectrum) -> list[bool]:
    return [a.overlaps(b) for a, b in zip(one.enclosures(), other.enclosures(), strict=True)]


# ------------------------------------------------------------------------------------ harmonics


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 50])
def test_multiplicity_eq_dimension_of_harmonic_polynomials(dim: int) -> None:
    """Homogeneous polynomials of degree k are harmonics of degree k plus ``|x|^2`` times those of k - 2."""
    for degree in range(12):
        below = math.comb(degree - 2 + dim - 1, dim - 1) if degree >= 2 else 0
        assert spectrum.multiplicity(dim, degree) + below == math.comb(degree + dim - 1, dim - 1)


@pytest.mark.parametrize("dim", [2, 3, 4, 9, 10_000])
def test_multiplicities_times_power_eigenvalues_sum_to_one(dim: int) -> None:
    for power in range(9):
        terms = [
            spectrum.multiplicity(dim, k) * spectrum.power_eigenvalue(power, k, dim) for k in range(power + 1)
        ]
        assert sum(terms) == 1


@pytest.mark.parametrize("dim", [2, 3, 4, 11])
def test_power_eigenvalue_eq_definition(dim: int) -> None:
    """``E[t^j P_k]`` term by term, with ``E t^(2i) = 1 3 .. (2i - 1)/(dim (dim + 2) .. (dim + 2i - 2))``."""
    t = sp.Symbol("t")
    order = sp.Rational(dim - 2, 2)
    for degree in range(7):
        poly = sp.chebyshevt(degree, t) if dim == 2 else sp.gegenbauer(degree, order, t)
        terms = sp.Poly(sp.expand(poly / poly.subs(t, 1)), t).terms()
        for power in range(9):
            value = sum(c * _moment(power + i, dim) for (i,), c in terms)
            assert value == sp.Rational(*spectrum.power_eigenvalue(power, degree, dim).as_integer_ratio())


def _moment(power: int, dim: int) -> sp.Rational:
    if power % 2:
        return sp.Integer(0)
    return sp.Rational(math.prod(range(1, power, 2)), math.prod(range(dim, dim + power, 2)))


@pytest.mark.parametrize("dim", [2, 3, 5, 40])
def test_power_eigenvalues_fall_from_where_they_should(dim: int) -> None:
    for degree in (0, 1, 2, 7, 12):
        start = first_decreasing(degree, dim)
        start += (start - degree) % 2
        values = [spectrum.power_eigenvalue(j, degree, dim) for j in range(start, start + 40, 2)]
        assert all(b <= a for a, b in pairwise(values))
        if start - 4 >= degree:  # and not much earlier: the bound is the exact turning point
            before = [spectrum.power_eigenvalue(j, degree, dim) for j in (start - 4, start - 2)]
            assert before[0] < before[1]


def test_power_ball_encloses_power_eigenvalue() -> None:
    with working_precision(100):
        for power, degree, dim in ((0, 0, 2), (7, 3, 3), (200, 100, 10), (50, 50, 10_000), (301, 7, 2)):
            exact = spectrum.power_eigenvalue(power, degree, dim)
            assert power_ball(power, degree, dim).contains(fmpq(exact.numerator, exact.denominator))


def test_gamma_of_half_eq_sympy() -> None:
    for twice in (*range(-9, 10, 2), *range(2, 12, 2)):
        value, root = gamma_of_half(twice)
        expected = sp.gamma(sp.Rational(twice, 2))
        assert sp.Rational(*value.as_integer_ratio()) * sp.sqrt(sp.pi) ** root == expected


# ------------------------------------------------------------------------------------ exact numbers


def test_relu_on_the_sphere_is_exact() -> None:
    """ReLU times sqrt 2, NTK, S^2 (Bietti, Mairal 2019; Bach 2017)."""
    expected = [Fraction(n) for n in "1/2 1/3 5/64 0 1/192 0 23/16384 0 19/32768".split()]
    found = spectrum.sphere(RELU_UNIT, 3, 8)
    assert found.method == "exact"
    assert [Fraction(int(v.p), int(v.q)) for v in found.eigenvalues] == expected  # type: ignore[union-attr]
    assert found.multiplicities == tuple(range(1, 18, 2)) and 2 in found.trace  # type: ignore[operator]


def test_relu_on_the_circle_is_exact() -> None:
    """``(2k^2 + 6)/(pi^2 (k^2 - 1)^2)`` for even k, 1/2 for k = 1, 0 for odd k >= 3."""
    found = spectrum.sphere(RELU_UNIT, 2, 11).eigenvalues
    for k, value in enumerate(found):
        even = sp.Rational(2 * k * k + 6, (k * k - 1) ** 2) / sp.pi**2 if k % 2 == 0 else 0
        assert sp.simplify(value - (sp.Rational(1, 2) if k == 1 else even)) == 0


def test_cosine_series_of_the_circle_gives_the_kernel_back() -> None:
    """The cosine coefficient is twice the eigenvalue: ``kappa(0) = lambda_0 + 2 sum (-1)^k lambda_2k``."""
    values = spectrum.sphere(RELU_UNIT, 2, 200).floats()
    signs = np.cos(np.arange(201) * np.pi / 2)
    total = values[0] + 2 * float(np.sum(values[1:] * signs[1:]))
    expected = float(RELU_UNIT.at(1, 0, 1).ntk)
    assert abs(total - expected) < 2 * 2 * 2 / (np.pi**2 * 200**2)  # alternating: below the next term


POLYNOMIALS = ["x**2 + x", "x**3 - 3*x", "1 + x**3"]


@pytest.mark.parametrize("text", POLYNOMIALS)
@pytest.mark.parametrize("dim", [2, 3, 10])
def test_polynomials_are_exact_and_their_trace_is_whole(text: str, dim: int) -> None:
    network = Network.mlp(Activation.parse(text), 2, 1, "1/2")
    found = spectrum.sphere(network, dim, 9)
    assert found.method == "exact"
    total = sp.Add(*(n * v for n, v in zip(found.multiplicities, found.eigenvalues, strict=True)))
    assert enclose(sp.expand(total), 25).overlaps(found.trace)  # type: ignore[arg-type]


HOMOGENEOUS = [
    "relu",
    "abs",
    "step",
    "sign",
    "Piecewise((x, x > 0), (x/5, True))",
    "Max(x, 0)**2",
    "x*Abs(x)",
]


@pytest.mark.parametrize("text", HOMOGENEOUS)
@pytest.mark.parametrize("dim", [2, 3, 10])
def test_exact_in_quadrature(text: str, dim: int) -> None:
    network = Network(Dense("3/2", 0), Nonlinearity(activations.resolve(text)), Dense(2, "1/3"))
    for kernel in ("ntk", "nngp"):
        exact = spectrum.sphere(network, dim, 12, kernel, method="exact")
        found = spectrum.sphere(network, dim, 12, kernel, digits=12, method="quadrature")
        assert all(_overlap(exact, found))
        assert all((a == 0) == (b == 0) for a, b in zip(exact.eigenvalues, found.eigenvalues, strict=True))


def test_exact_in_series_in_high_dimension() -> None:
    for dim in (60, 1000, 10_000):
        exact = spectrum.sphere(RELU_UNIT, dim, 20, method="exact")
        assert all(_overlap(exact, spectrum.sphere(RELU_UNIT, dim, 20, method="series")))
        assert all(_overlap(exact, spectrum.sphere(RELU_UNIT, dim, 20, method="quadrature")))


# ------------------------------------------------------------------------------------ two routes


SMOOTH = [("tanh", 1, 1, 0), ("erf", 2, 1, "1/4"), ("sin", 3, 2, 0), ("gaussian", 2, 1, 0)]
SLOWER = [("tanh", 3, 2, "1/10"), ("gelu", 3, "3/2", 0), ("silu", 1, 1, "1/2"), ("sigmoid", 2, 1, 0)]


def _check_two_routes(network: Network, dim: int, kernel: str) -> None:
    one, other = (spectrum.sphere(network, dim, 7, kernel, 8, method) for method in ("series", "quadrature"))
    assert all(_overlap(one, other))
    for found in (one, other):
        assert all(e.digits >= 8 for e in found.enclosures())


@pytest.mark.parametrize(("name", "depth", "weight", "bias"), SMOOTH)
@pytest.mark.parametrize(("dim", "kernel"), [(2, "ntk"), (3, "nngp"), (10, "ntk")])
def test_series_overlaps_quadrature(
    name: str, depth: int, weight: object, bias: object, dim: int, kernel: str
) -> None:
    _check_two_routes(_network(name, depth, weight, bias), dim, kernel)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth", "weight", "bias"), [*SLOWER, *SMOOTH])
@pytest.mark.parametrize("dim", [2, 3, 4, 10])
def test_series_overlaps_quadrature_widely(
    name: str, depth: int, weight: object, bias: object, dim: int
) -> None:
    for kernel in ("ntk", "nngp"):
        _check_two_routes(_network(name, depth, weight, bias), dim, kernel)


KINKED = [("relu", 3, 2, 0), ("elu", 1, 1, "1/10"), ("hardtanh", 2, 1, 0), ("step", 2, 1, "1/5")]


@pytest.mark.parametrize(("name", "depth", "weight", "bias"), KINKED)
def test_series_overlaps_quadrature_in_dimension_1000(
    name: str, depth: int, weight: object, bias: object
) -> None:
    network = _network(name, depth, weight, bias)
    one, other = (spectrum.sphere(network, 1000, 4, "nngp", 6, method) for method in ("series", "quadrature"))
    assert all(_overlap(one, other))


@pytest.mark.parametrize(("name", "depth", "weight", "bias"), [*KINKED, ("step", 1, 1, 0), ("relu", 2, 1, 1)])
@pytest.mark.parametrize("dim", [2, 3, 4])
def test_wide_series_overlaps_quadrature_at_kinks(
    name: str, depth: int, weight: object, bias: object, dim: int
) -> None:
    """Few digits come from a slow series; what it encloses must hold the quadrature's values all the same."""
    network = _network(name, depth, weight, bias)
    structure = kernel_structure(network.layers, "nngp")
    wide = powers.network_eigenvalues(network, "nngp", structure, dim, 4, 60, 15).balls
    found = spectrum.sphere(network, dim, 4, "nngp", 6, "quadrature").enclosures()
    assert all(Enclosure.of(b).overlaps(e) for b, e in zip(wide, found, strict=True))
    assert all(Enclosure.of(b).radius < Fraction(1, 50) for b in wide)


# ------------------------------------------------------------------------------------ the definition


def _by_definition(network: Network, dim: int, degree: int, kernel: str) -> float:
    """Funk-Hecke on the float64 kernel, ``rho = cos t``, by Gauss-Legendre in ``t``."""
    nodes, weights = roots_legendre(300)
    t = np.pi * (nodes + 1) / 2
    points = np.sqrt(2) * np.stack([np.cos(t), np.sin(t)], axis=1)  # <x, x>/d = 1 with d = 2
    kappa = network.gram(np.sqrt(2) * np.array([[1.0, 0.0]]), points, kernel)[0]
    order = (dim - 2) / 2
    harmonic = (
        eval_chebyt(degree, np.cos(t))
        if dim == 2
        else eval_gegenbauer(degree, order, np.cos(t)) / eval_gegenbauer(degree, order, 1.0)
    )
    weights = weights * np.sin(t) ** (dim - 2)
    return float(np.sum(weights * kappa * harmonic) / np.sum(weights))


DEFINED = [
    ("relu", 3, 2, 0),
    ("tanh", 1, 1, "1/10"),
    ("erf", 2, 1, 0),
    ("step", 1, 1, "1/3"),
    ("elu", 2, 1, 0),
]


@pytest.mark.parametrize(("name", "depth", "weight", "bias"), DEFINED)
@pytest.mark.parametrize(("dim", "degree"), [(2, 3), pytest.param(7, 2, marks=pytest.mark.slow)])
def test_eigenvalue_eq_definition(
    name: str, depth: int, weight: object, bias: object, dim: int, degree: int
) -> None:
    network = _network(name, depth, weight, bias)
    for kernel in ("ntk", "nngp"):
        found = spectrum.sphere(network, dim, degree, kernel, digits=9).floats()[degree]
        assert abs(found - _by_definition(network, dim, degree, kernel)) < 1e-9


def test_saboteur_wrong_weight_exponent_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of dimension 4 under the name of dimension 3 contradict the exact numbers."""
    honest, right = quadrature._sums, spectrum.sphere(RELU_UNIT, 3, 4, method="exact")
    monkeypatch.setattr(
        quadrature, "_sums", lambda k, b, e, r, dim, degree: honest(k, b, e, r, dim + 1, degree)
    )
    assert not all(_overlap(right, spectrum.sphere(RELU_UNIT, 3, 4, digits=6, method="quadrature")))


def test_saboteur_flipped_parity_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """``kappa(rho)`` and ``kappa(-rho)`` exchanged at the nodes: odd eigenvalues contradict the truth."""
    network = _network("relu", 2, 2)
    right = spectrum.sphere(network, 3, 4, digits=6).enclosures()
    honest = NetworkKernel.at
    monkeypatch.setattr(NetworkKernel, "at", lambda self, step, index: honest(self, step, index)[::-1])
    values = quadrature.integrate(NetworkKernel.of(network.layers, "ntk"), 3, 4, 8)
    assert [e.overlaps(Enclosure.of(v)) for e, v in zip(right, values, strict=True)][:2] == [True, False]


def test_saboteur_missing_tail_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Powers beyond the order forgotten: the partial sums of an algebraic series contradict the exact."""
    exact = spectrum.sphere(RELU_UNIT, 3, 4, method="exact").enclosures()

    def found() -> list[bool]:
        structure = kernel_structure(RELU_UNIT.layers, "ntk")
        partial = powers.network_eigenvalues(RELU_UNIT, "ntk", structure, 3, 4, 40, 20)
        return [e.overlaps(Enclosure.of(b)) for e, b in zip(exact, partial.balls, strict=True)]

    assert all(found())
    monkeypatch.setattr(powers, "one_sided", lambda tail: arb(0))
    assert found() == [False, True, False, True, False]


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "step", "cos", "sigmoid", "elu", "identity", "abs"])
@pytest.mark.parametrize(("depth", "bias"), [(1, 0), (2, 0), (1, 1)])
def test_zeros_by_structure_are_zeros_of_the_series(name: str, depth: int, bias: int) -> None:
    """Two independent derivations of which powers occur (a bound of the degree, and the series itself)."""
    network = _network(name, depth, 1, bias)
    series = network.series(12)
    for kernel in ("nngp", "ntk"):
        structure = kernel_structure(network.layers, kernel)
        zeros = set(series.zeros(kernel))
        for k in range(13):
            assert structure.vanishes(k) == (set(range(k, 13, 2)) <= zeros)


def test_saboteur_missing_step_error_is_seen() -> None:
    """A step three times too wide misses the exact numbers; its proved error covers the miss."""
    exact = spectrum.sphere(RELU_UNIT, 3, 8, method="exact").enclosures()
    kernel = NetworkKernel.of(RELU_UNIT.layers, "ntk")
    with working_precision(128):
        ends = kernel.ends()
        rule = quadrature._rule(kernel, ends, 3, 8, 40.0)
        assert rule is not None
        wide = quadrature.Rule(3 * rule.step, rule.strip, rule.last)
        values = quadrature._sums(kernel, 128, ends, wide, 3, 8)
        error = quadrature._error(kernel, ends, wide, 3, 8)
        bare = [e.overlaps(Enclosure.of(v)) for e, v in zip(exact, values, strict=True)]
        covered = [e.overlaps(Enclosure.of(v + arb(0, error))) for e, v in zip(exact, values, strict=True)]
    assert not all(bare) and all(covered)


# ------------------------------------------------------------------------------------ laws


LAWS = [("relu", 3, 2, 0), ("tanh", 2, 1, "1/10"), ("step", 1, 1, 0), ("gelu", 1, 1, 0)]


@pytest.mark.parametrize(("name", "depth", "weight", "bias"), LAWS)
@pytest.mark.parametrize("dim", [3, 10_000])
def test_cumulative_trace_rises_to_the_trace(
    name: str, depth: int, weight: object, bias: object, dim: int
) -> None:
    found = spectrum.sphere(_network(name, depth, weight, bias), dim, 30, "nngp", digits=10)
    sums = found.cumulative_trace()
    assert all(a.lower <= b.upper for a, b in pairwise(sums))
    assert found.tail().upper >= 0
    total = found.trace
    assert isinstance(total, Enclosure) and sums[-1].lower <= total.upper


def test_trace_identity_and_a_wrong_multiplicity() -> None:
    """Analytic kernels: 40 degrees hold all but 10^-12 of the trace; one multiplicity off breaks it."""
    found = spectrum.sphere(_network("erf", 2, 1, "1/10"), 3, 40, digits=25)
    assert abs(found.tail().midpoint) < Fraction(1, 10**12)
    wrong = (*found.multiplicities[:2], found.multiplicities[2] + 1, *found.multiplicities[3:])
    assert abs(replace(found, multiplicities=wrong).tail().midpoint) > Fraction(1, 10**6)


def test_equispaced_points_on_the_circle_match_the_aliasing_sum() -> None:
    """Gram eigenvalues of ``n`` equispaced points: ``n sum lambda_|k|`` over ``k = m mod n``."""
    n, degree = 7, 200
    angles = 2 * sp.pi / n
    row = [RELU_UNIT.at(1, sp.cos(angles * j), 1, digits=20).ntk for j in range(n)]
    lambdas = [float(v) for v in spectrum.sphere(RELU_UNIT, 2, degree).enclosures()]
    for m in range(n):
        eigenvalue = sum(float(row[j]) * math.cos(2 * math.pi * m * j / n) for j in range(n))
        aliased = n * sum(lambdas[abs(k)] for k in range(-degree, degree + 1) if (k - m) % n == 0)
        # left out: k > degree, every n-th of both signs, lambda_k <= 3/(pi k)^2 there
        rest = n * 2 * 3 / math.pi**2 * (1 / (n * (degree - n)))
        assert -1e-12 <= eigenvalue - aliased <= rest


@pytest.mark.parametrize(
    ("name", "depth", "kernel", "dim", "bias"),
    [("relu", 1, "ntk", 3, 0), ("relu", 3, "ntk", 3, 0), ("relu", 2, "nngp", 4, 0), ("step", 1, "nngp", 3, 0),
     ("elu", 1, "ntk", 3, 0), ("step", 2, "nngp", 3, 0), ("relu", 2, "ntk", 2, "1/10")],
)  # fmt: skip
def test_measured_decay_is_near_the_prediction(
    name: str, depth: int, kernel: str, dim: int, bias: object
) -> None:
    network = _network(name, depth, 2, bias)
    law = spectrum.decay(network, dim, kernel)
    rates = law.measured(spectrum.sphere(network, dim, 60, kernel, digits=6))
    for prediction, rate in zip((law.even, law.odd), rates, strict=True):
        assert (rate is None) == (prediction.kind == "finite")
        if rate is not None:
            assert prediction.kind == "algebraic"
            assert abs(rate - float(prediction.rate or 0)) < 0.2  # local exponents differ by O(1/k)


def test_predicted_exponents() -> None:
    """Bietti, Bach 2021: ``k^-d`` (NTK) and ``k^-(d+2)`` (NNGP) for ReLU at every depth."""
    for depth in (1, 2, 4):
        for dim in (2, 3, 10):
            network = _network("relu", depth, 2)
            assert spectrum.decay(network, dim, "ntk").even.rate == dim
            assert spectrum.decay(network, dim, "nngp").even.rate == dim + 2
    law = spectrum.decay(_network("tanh", 1), 3)
    assert law.even.kind == "finite" and law.odd.kind == "stretched"
    assert law.odd.rate == pytest.approx(1.5 * math.pi ** (2 / 3))
    assert spectrum.decay(_network("erf", 2), 3).odd.kind == "geometric"


def test_stretched_rate_is_approached() -> None:
    network = _network("tanh", 1)
    law = spectrum.decay(network, 3, "nngp")
    rates = [law.measured(spectrum.sphere(network, 3, k, "nngp", digits=6))[1] for k in (21, 81)]
    assert rates[0] > rates[1] > float(law.odd.rate or 0)  # type: ignore[operator]
    assert rates[1] < 1.15 * float(law.odd.rate or 0)  # type: ignore[operator]


# ------------------------------------------------------------------------------------ zonal kernels


def test_zonal_power_kernel_with_signs() -> None:
    found = spectrum.zonal(spectrum.PowerKernel([1, "-1/2", 0, sp.pi]), 3, 4)
    assert found.method == "exact"
    assert found.eigenvalues[1] == sp.pi / 5 - sp.Rational(1, 6) and found.eigenvalues[4] == 0
    cut = spectrum.zonal(spectrum.PowerKernel([1, "-1/2"], tail=4), 3, 4)
    assert all(
        enclose(sp.sympify(v), 30).lower in e
        for v, e in zip(found.eigenvalues, cut.enclosures(), strict=True)
    )


def test_zonal_power_kernel_of_a_series_with_a_tail() -> None:
    """``exp(rho)`` on S^2: spherical Bessel, ``lambda_0 = sinh(1)``."""
    order = 20
    coefficients = [Fraction(1, math.factorial(j)) for j in range(order)]
    kernel = spectrum.PowerKernel(coefficients, tail=Fraction(2, math.factorial(order)))
    found = spectrum.zonal(kernel, 3, 3).enclosures()
    exact = [sp.sinh(1), sp.cosh(1) - sp.sinh(1)]
    for value, expected in zip(found, exact, strict=False):
        assert value.overlaps(enclose(expected, 30)) and value.digits > 15


def test_zonal_disk_kernel() -> None:
    found = spectrum.zonal(spectrum.DiskKernel(lambda rho, gap: (rho - 1).exp(), 1), 3, 6, digits=15)
    exact = [sp.sinh(1) / sp.E, (sp.cosh(1) - sp.sinh(1)) / sp.E]
    assert all(e.overlaps(enclose(x, 30)) for e, x in zip(found.enclosures(), exact, strict=False))
    assert all(e.digits >= 15 for e in found.enclosures())


def test_disk_kernel_above_its_bound_is_refused() -> None:
    with pytest.raises(DomainError, match="at most largest"):
        spectrum.zonal(spectrum.DiskKernel(lambda rho, gap: rho.exp(), 1), 3, 2)


# ------------------------------------------------------------------------------------ range and refusals


def test_extremes_neither_overflow_nor_underflow() -> None:
    found = spectrum.sphere(_network("relu", 2, 2), 10_000, 200, digits=8)
    logs = found.log10()
    assert np.all(np.isfinite(logs)) and logs[-1] < -400
    assert found.multiplicities[-1] > 10**400 and np.all(np.diff(logs) < 0)
    assert np.all(np.isfinite(found.floats())) and "log10" in str(found)


def test_layer_norm_and_residual_networks() -> None:
    branch = (Nonlinearity(activations.relu), Dense(1, 0))
    network = Network(
        Dense(1, "1/10"), Residual(*branch), LayerNorm(), Nonlinearity(activations.erf), Dense(1, 0)
    )
    found = spectrum.sphere(network, 3, 3, digits=8)
    assert found.floats()[3] == pytest.approx(_by_definition(network, 3, 3, "ntk"), abs=1e-8)


def test_zero_kernel() -> None:
    found = spectrum.sphere(Network.mlp(activations.relu, 1, 0, 0), 3, 3)
    assert found.eigenvalues == (0, 0, 0, 0) and found.log10()[0] == -math.inf


@pytest.mark.parametrize(
    "call",
    [lambda: spectrum.sphere(RELU_UNIT, 1, 3), lambda: spectrum.sphere(RELU_UNIT, 3, -1),
     lambda: spectrum.sphere(RELU_UNIT, 3, True), lambda: spectrum.sphere(RELU_UNIT, 3.0, 2),  # type: ignore[arg-type]
     lambda: spectrum.sphere(RELU_UNIT, 3, 201), lambda: spectrum.sphere(RELU_UNIT, 10_001, 2),
     lambda: spectrum.sphere(RELU_UNIT, 3, 2, "NTK"), lambda: spectrum.sphere(RELU_UNIT, 3, 2, digits=0),
     lambda: spectrum.sphere(RELU_UNIT, 3, 2, method="fast"), lambda: spectrum.sphere("relu", 3, 2),  # type: ignore[arg-type]
     lambda: spectrum.sphere(Network.mlp(Activation.parse("exp(x**2/3)"), 1, 1, 0), 3, 2),
     lambda: spectrum.sphere(Network.mlp(Activation.parse("exp(a*x)"), 1, 1, 0), 3, 2),
     lambda: spectrum.zonal(RELU_UNIT, 3, 2), lambda: spectrum.PowerKernel([0.5]),  # type: ignore[arg-type,list-item]
     lambda: spectrum.PowerKernel([1], tail=-1), lambda: spectrum.DiskKernel(1, 1),  # type: ignore[arg-type]
     lambda: spectrum.decay(RELU_UNIT, 0), lambda: spectrum.multiplicity(3, -1)],
)  # fmt: skip
def test_bad_input_is_refused(call: object) -> None:
    with pytest.raises(DomainError):
        call()  # type: ignore[operator]


def test_exact_where_there_is_none() -> None:
    with pytest.raises(NoClosedFormError):
        spectrum.sphere(_network("tanh"), 3, 2, method="exact")


def test_digits_that_a_series_cannot_give() -> None:
    with pytest.raises(PrecisionError) as caught:
        spectrum.sphere(_network("relu", 2), 3, 3, digits=20, method="series")
    assert 0 < caught.value.reached < 20


@pytest.mark.slow
def test_a_kink_without_closed_form() -> None:
    """softsign: every kernel value is a double integral; few do, many are refused before they are begun."""
    network = _network("softsign")
    one, other = (spectrum.sphere(network, 1000, 4, "nngp", 6, method) for method in ("series", "quadrature"))
    assert all(_overlap(one, other))
    found = spectrum.sphere(network, 3, 3, digits=4)
    assert found.floats()[3] == pytest.approx(_by_definition(network, 3, 3, "ntk"), abs=1e-8)
    with pytest.raises(PrecisionError):
        spectrum.sphere(network, 3, 100, digits=20)


# ------------------------------------------------------------------------------------ the plot


def test_decay_plot_shows_both_parities_and_their_predictions() -> None:
    network = _network("relu", 2, 2)
    found = spectrum.sphere(network, 3, 16, digits=6)
    law = spectrum.decay(network, 3)
    svg = decay_plot(found, law)
    assert svg.count('id="line2d') > decay_plot(found).count('id="line2d') > 4
    assert decay_plot(found, law) == svg  # the same data gives the same bytes
    with pytest.raises(DomainError):
        decay_plot(found, spectrum.decay(network, 4))


def test_a_linear_layer_after_relu_keeps_the_structure() -> None:
    """``relu`` then the identity: the NNGP is that of relu, whose odd degrees from 3 on are missing."""
    network = Network.mlp([activations.relu, Activation.parse("x")], 2, 1, 0)
    deep = spectrum.sphere(network, 3, 6, kernel="nngp")
    flat = spectrum.sphere(Network.mlp(activations.relu, 1, 1, 0), 3, 6, kernel="nngp")
    assert deep.eigenvalues[3] == deep.eigenvalues[5] == 0
    for one, other in zip(deep.eigenvalues, flat.eigenvalues, strict=True):
        ends = [v if isinstance(v, Enclosure) else enclose(v, 20) for v in (one, other)]
        assert ends[0].overlaps(ends[1])
