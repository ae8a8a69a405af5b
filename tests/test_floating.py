"""Float64 Gaussian expectations against closed forms and one-dimensional integrals in mpmath."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.floating import FloatExpectations, PairExpectations
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Array = NDArray[np.float64]
DELTAS = (1.0, 0.5, 0.1, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 0.0)
VARIANCES = (
    (1.0, 1.0), (1e-3, 1e-3), (0.1, 10.0), (10.0, 10.0),
    (1e3, 1e3), (1e-3, 1e3), (1.0, 1.0000001), (300.0, 1e3),
)  # fmt: skip
# All errors are relative to the root of the product of the second moments (dual, derivative dual) or are
# those of sqrt(1 - |rho'|), the angle of the outputs up to a factor. 120 units in the last place: the worst
# measured is 25, the slack is for other machines' exp and tanh.
TOLERANCE = 120 * np.finfo(float).eps
Dual = Callable[[mp.mpf, mp.mpf, mp.mpf], mp.mpf]


def build(expr: sp.Expr) -> FloatExpectations:
    phi = Pieces.of(expr)
    return FloatExpectations(phi, phi.derivative())


def pairs_of(q11: float, q22: float, deltas: tuple[float, ...] = DELTAS) -> tuple[Array, Array, Array, Array]:
    """Both signs of the correlation, every ``1 - |rho|``; the gap is given, not computed by cancellation."""
    rows = [(d, s) for d in deltas for s in (1.0, -1.0)]
    delta, sign = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    root = math.sqrt(q11) * math.sqrt(q22)
    count = len(rows)
    q12 = np.where(delta == 1.0, 1e-300, root * (1 - delta))
    return np.full(count, q11), np.full(count, q22), sign * q12, root * delta


def exact_covariance(q11: float, q22: float, q12: float, gap: float) -> mp.mpf:
    """The covariance that the four floats mean: the gap decides, the sign comes from ``q12``."""
    size = mp.sqrt(mp.mpf(q11) * mp.mpf(q22)) - mp.mpf(gap)
    return size if q12 >= 0 else -size


def _angle(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    return mp.atan2(mp.sqrt(abs(a * b - r * r)), r)


def relu_dual(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    t = _angle(a, b, r)
    return mp.sqrt(a * b) * (mp.sin(t) + (mp.pi - t) * mp.cos(t)) / (2 * mp.pi)


def step_dual(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    return (mp.pi - _angle(a, b, r)) / (2 * mp.pi)


def leaky_dual(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    c = mp.mpf(1) / 10
    return (1 + c * c) * relu_dual(a, b, r) - 2 * c * relu_dual(a, b, -r)


def leaky_slope(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    c = mp.mpf(1) / 10
    return (1 + c * c) * step_dual(a, b, r) + 2 * c * step_dual(a, b, -r)


def square_relu_dual(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    t = _angle(a, b, r)
    j = 3 * mp.sin(t) * mp.cos(t) + (mp.pi - t) * (1 + 2 * mp.cos(t) ** 2)
    return a * b * j / (2 * mp.pi)


def gelu_dual(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    p = (1 + a) * (1 + b)
    q = p - r * r
    return (
        r / 4 + r / (2 * mp.pi) * mp.asin(r / mp.sqrt(p)) + (r * r + a * b * q) / (2 * mp.pi * p * mp.sqrt(q))
    )


def gelu_slope(a: mp.mpf, b: mp.mpf, r: mp.mpf) -> mp.mpf:
    return mp.diff(lambda c: gelu_dual(a, b, c), r)


ERF_SCALE = 4 / mp.pi
CLOSED: dict[str, tuple[sp.Expr, Dual, Dual]] = {
    "relu": (sp.Max(x, 0), relu_dual, step_dual),
    "leaky": (sp.Max(x, 0) + sp.Min(x, 0) / 10, leaky_dual, leaky_slope),
    "abs": (
        sp.Abs(x),
        lambda a, b, r: 2 * (relu_dual(a, b, r) + relu_dual(a, b, -r)),
        lambda a, b, r: 2 * (step_dual(a, b, r) - step_dual(a, b, -r)),
    ),
    "step": (sp.Heaviside(x), step_dual, lambda a, b, r: mp.mpf(0)),
    "sign": (
        sp.sign(x),
        lambda a, b, r: 2 * step_dual(a, b, r) - 2 * step_dual(a, b, -r),
        lambda a, b, r: mp.mpf(0),
    ),
    "relu_squared": (sp.Max(x, 0) ** 2, square_relu_dual, lambda a, b, r: 4 * relu_dual(a, b, r)),
    "erf": (
        sp.erf(x),
        lambda a, b, r: 2 / mp.pi * mp.asin(2 * r / mp.sqrt((1 + 2 * a) * (1 + 2 * b))),
        lambda a, b, r: ERF_SCALE / mp.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * r * r),
    ),
    "sin": (
        sp.sin(x),
        lambda a, b, r: mp.exp(-(a + b) / 2) * mp.sinh(r),
        lambda a, b, r: mp.exp(-(a + b) / 2) * mp.cosh(r),
    ),
    "cos": (
        sp.cos(x),
        lambda a, b, r: mp.exp(-(a + b) / 2) * mp.cosh(r),
        lambda a, b, r: mp.exp(-(a + b) / 2) * mp.sinh(r),
    ),
    "gaussian": (
        sp.exp(-(x**2)),
        lambda a, b, r: 1 / mp.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * r * r),
        lambda a, b, r: 4 * r / mp.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * r * r) ** 3,
    ),
    "exp": (sp.exp(x), lambda a, b, r: mp.exp((a + b) / 2 + r), lambda a, b, r: mp.exp((a + b) / 2 + r)),
    "gelu": (x * Phi(x), gelu_dual, gelu_slope),
}  # fmt: skip


def errors(
    found: PairExpectations, pairs: tuple[Array, ...], dual: Dual, slope: Dual
) -> tuple[float, float, float]:
    """The largest errors of dual, output angle and derivative dual."""
    worst = [0.0, 0.0, 0.0]
    with mp.workdps(60):
        for i, (a, b, c, g) in enumerate(zip(*pairs, strict=True)):
            q11, q22, r = mp.mpf(a), mp.mpf(b), exact_covariance(a, b, c, g)
            scale = mp.sqrt(dual(q11, q11, q11) * dual(q22, q22, q22))
            value = dual(q11, q22, r)
            gap = max(scale - abs(value), mp.mpf(0))
            slope_scale = mp.sqrt(slope(q11, q11, q11) * slope(q22, q22, q22))
            worst[0] = max(worst[0], abs(float((mp.mpf(found.dual[i]) - value) / scale)))
            angle = abs(mp.sqrt(mp.mpf(found.gap[i])) - mp.sqrt(gap)) / mp.sqrt(scale)
            worst[1] = max(worst[1], float(angle))
            difference = mp.mpf(found.derivative_dual[i]) - slope(q11, q22, r)
            worst[2] = max(
                worst[2], float(abs(difference) / slope_scale) if slope_scale else float(abs(difference))
            )
    return worst[0], worst[1], worst[2]


@pytest.mark.parametrize("name", CLOSED)
def test_pair_eq_closed_form(name: str) -> None:
    expr, dual, slope = CLOSED[name]
    expectations = build(expr)
    for q11, q22 in VARIANCES:
        if name == "exp" and q22 > 100:
            continue  # overflows: see test_overflow
        if name in ("sin", "cos") and min(q11, q22) > 100:
            continue  # hundreds of periods: see test_sin_has_relative_accuracy
        pairs = pairs_of(q11, q22)
        found = expectations.pair(*pairs)
        assert max(errors(found, pairs, dual, slope)) < TOLERANCE, (name, q11, q22)


@pytest.mark.parametrize("name", ["relu", "leaky", "abs", "step", "sign", "relu_squared"])
def test_quadrature_eq_closed_form(name: str) -> None:
    """The general method, without the closed angular forms."""
    expr, dual, slope = CLOSED[name]
    expectations = build(expr)
    expectations._homogeneous = None
    for q11, q22 in VARIANCES[:4]:
        pairs = pairs_of(q11, q22)
        assert max(errors(expectations.pair(*pairs), pairs, dual, slope)) < TOLERANCE, (name, q11, q22)


def test_saboteur_gap_by_cancellation_is_caught() -> None:
    """``sqrt(q11 q22) - |q12|`` in place of the gap: the very same check must refuse it."""
    for name in ("relu", "leaky"):
        expr, dual, slope = CLOSED[name]
        q11, q22, q12, gap = pairs_of(1.0, 1.0, (1e-12,))
        sabotaged = 1.0 - np.abs(np.sqrt(1 - gap) ** 2)  # the same number, computed by cancellation
        honest = errors(build(expr).pair(q11, q22, q12, gap), (q11, q22, q12, gap), dual, slope)
        lying = errors(build(expr).pair(q11, q22, q12, sabotaged), (q11, q22, q12, gap), dual, slope)
        assert max(honest) < TOLERANCE < 1e-12 < lying[1]


# ------------------------------------------------- witnesses by one-dimensional integrals: conditional means


def _cdf(z: mp.mpf) -> mp.mpf:
    return mp.erfc(-z / mp.sqrt(2)) / 2


def _clipped_mean(mean: mp.mpf, sd: mp.mpf, low: mp.mpf, high: mp.mpf) -> mp.mpf:
    """``E min(max(V, low), high)`` for ``V ~ N(mean, sd^2)``: the integral of its survival function."""
    a, b = (low - mean) / sd, (high - mean) / sd
    antiderivative = lambda t: t * _cdf(t) + mp.npdf(t)  # noqa: E731
    return high - sd * (antiderivative(b) - antiderivative(a))


def _elu_mean(mean: mp.mpf, sd: mp.mpf) -> mp.mpf:
    t = mean / sd
    below = mp.exp(mean + sd * sd / 2) * _cdf(-t - sd) - _cdf(-t)
    return mean * _cdf(t) + sd * mp.npdf(t) + below


def _window_mean(mean: mp.mpf, sd: mp.mpf) -> mp.mpf:
    return _cdf((1 - mean) / sd) - _cdf((-1 - mean) / sd)


def _elu_slope_mean(mean: mp.mpf, sd: mp.mpf) -> mp.mpf:
    t = mean / sd
    return _cdf(t) + mp.exp(mean + sd * sd / 2) * _cdf(-t - sd)


CONDITIONAL = {
    "hardtanh": (
        sp.Max(-1, sp.Min(1, x)),
        lambda u: max(mp.mpf(-1), min(mp.mpf(1), u)),
        lambda u: mp.mpf(1) if abs(u) < 1 else mp.mpf(0),
        lambda m, s: _clipped_mean(m, s, mp.mpf(-1), mp.mpf(1)),
        _window_mean,
        (-1, 1),
    ),
    "elu": (
        sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)),
        lambda u: u if u > 0 else mp.expm1(u),
        lambda u: mp.mpf(1) if u > 0 else mp.exp(u),
        _elu_mean,
        _elu_slope_mean,
        (0,),
    ),
    "shifted_step": (
        sp.Heaviside(x - 1),
        lambda u: mp.mpf(1) if u > 1 else mp.mpf(0),
        lambda u: mp.mpf(0),
        lambda m, s: _cdf((m - 1) / s),
        lambda m, s: mp.mpf(0),
        (1,),
    ),
}  # fmt: skip


def by_conditional_mean(
    f: Callable[[mp.mpf], mp.mpf],
    mean: Callable[[mp.mpf, mp.mpf], mp.mpf],
    breaks: tuple[int, ...],
    q11: mp.mpf,
    q22: mp.mpf,
    delta: mp.mpf,
    sign: int,
) -> mp.mpf:
    """``E f(u) E(g(v) | u)`` with the inner mean in closed form."""
    r, s = 1 - delta, mp.sqrt(delta * (2 - delta))
    cuts = {mp.mpf(k) for k in (-14, -6, -2, 2, 6, 14)}
    for b in breaks:
        cuts.add(b / mp.sqrt(q11))
        for k in (-12, -5, -2, 0, 2, 5, 12):
            cuts.add((sign * b / mp.sqrt(q22) + k * s) / r)
    inside = sorted(c for c in cuts if abs(c) <= 14)
    sd = mp.sqrt(q22) * s

    def integrand(z: mp.mpf) -> mp.mpf:
        return mp.npdf(z) * f(mp.sqrt(q11) * z) * mean(sign * mp.sqrt(q22) * r * z, sd)

    return mp.quad(integrand, inside)


@pytest.mark.parametrize("name", CONDITIONAL)
@pytest.mark.parametrize("variances", [(1.0, 1.0), (0.25, 9.0), (100.0, 100.0)])
def test_pair_eq_conditional_integral(name: str, variances: tuple[float, float]) -> None:
    expr, f, slope, mean, slope_mean, breaks = CONDITIONAL[name]
    expectations = build(expr)
    q11, q22 = variances
    deltas = (0.5, 1e-3, 1e-9) if q11 == q22 else (0.5, 1e-3)
    pairs = pairs_of(q11, q22, deltas)
    found = expectations.pair(*pairs)
    rms = [math.sqrt(float(expectations.second_moment(np.array([q]))[0])) for q in variances]
    with mp.workdps(30):
        for i, (delta, sign) in enumerate(itertools.product(deltas, (1, -1))):
            a, b, d = mp.mpf(q11), mp.mpf(q22), mp.mpf(pairs[3][i]) / mp.sqrt(mp.mpf(q11) * mp.mpf(q22))
            dual = by_conditional_mean(f, mean, breaks, a, b, d, sign)
            slopes = by_conditional_mean(slope, slope_mean, breaks, a, b, d, sign)
            assert abs(found.dual[i] - dual) < TOLERANCE * rms[0] * rms[1], (delta, sign)
            assert abs(found.derivative_dual[i] - slopes) < TOLERANCE, (delta, sign)


@pytest.mark.parametrize("q", [0.3, 1.0, 30.0])
def test_gap_of_a_jump_has_relative_accuracy(q: float) -> None:
    """``P(u > 1, v < 1)``, an integral of positive terms, down to ``1 - rho = 1e-20``."""
    deltas = np.array([0.5, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 1e-20])
    one = np.full(len(deltas), q)
    found = build(sp.Heaviside(x - 1)).pair(one, one, q * (1 - deltas), q * deltas)
    with mp.workdps(30):
        for gap, d in zip(found.gap, q * deltas, strict=True):
            delta, h = mp.mpf(d) / mp.mpf(q), 1 / mp.sqrt(mp.mpf(q))
            r, s = 1 - delta, mp.sqrt(delta * (2 - delta))
            cuts = sorted({h + k * s for k in (0, 1, 2, 4, 8, 16, 40)})
            want = mp.quad(lambda z, r=r, s=s, h=h: mp.npdf(z) * _cdf((h - r * z) / s), cuts)
            assert abs(gap / want - 1) < 1e-13


# --------------------------------------------------------------------------- the methods among one another


METHODS = {
    "tanh": sp.tanh(x),
    "elu": sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)),
    "hardtanh": sp.Max(-1, sp.Min(1, x)),
    "softplus": sp.log(1 + sp.exp(x)),
    "softsign": x / (1 + sp.Abs(x)),
    "shifted_step": sp.Heaviside(x - 1),
    "wave": sp.sin(3 * x) * sp.exp(x / 5),
    "polynomial": x**3 - 2 * x + 1,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("equal_norms", [True, False])
def test_fast_methods_eq_quadrature(name: str, equal_norms: bool) -> None:
    rng = np.random.default_rng(5)
    expectations = build(METHODS[name])
    q = np.full(30, 0.7) * (1 + 1e-16 * np.arange(30)) if equal_norms else rng.uniform(0.4, 3.0, 30)
    i, j = rng.integers(0, 30, (2, 900))
    delta, sign = rng.uniform(0, 1, 900) ** 3, rng.choice([-1.0, 1.0], 900)
    root = np.sqrt(q[i]) * np.sqrt(q[j])
    found = expectations.pair(q[i], q[j], sign * root * (1 - delta), root * delta)
    chosen = rng.integers(0, 900, 60)
    slow = build(METHODS[name])
    a, b = q[i][chosen], q[j][chosen]
    want = slow._general.pairs(
        np.minimum(a, b), np.maximum(a, b), delta[chosen], np.where(sign[chosen] < 0, -1, 1),
        np.sqrt(slow.second_moment(np.minimum(a, b))), np.sqrt(slow.second_moment(np.maximum(a, b))),
    )  # fmt: skip
    scale = np.sqrt(slow.second_moment(a) * slow.second_moment(b))
    slope_scale = np.sqrt(slow.derivative_second_moment(a) * slow.derivative_second_moment(b))
    assert np.max(np.abs(found.dual[chosen] - want.dual) / scale) < TOLERANCE
    assert np.max(np.abs(np.sqrt(found.gap[chosen]) - np.sqrt(want.gap)) / np.sqrt(scale)) < TOLERANCE
    slopes = np.abs(found.derivative_dual[chosen] - want.derivative_dual)
    assert np.all(slopes <= TOLERANCE * slope_scale)


def test_sin_has_relative_accuracy() -> None:
    """``e^-q sinh(q rho)`` at ``q = 1000``, ``rho = 1/2``: about ``e^-500/2``."""
    q = np.array([1000.0])
    found = build(sp.sin(x)).pair(q, q, q / 2, q / 2)
    with mp.workdps(30):
        want = mp.exp(-1000) * mp.sinh(500)
        assert abs(found.dual[0] / want - 1) < 1e-13


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_network_of_depth_ten(name: str) -> None:
    """Ten layers, NTK included: 1e-12 of the root of the product of the diagonal."""
    expr, dual, slope = CLOSED[name]
    expectations = build(expr * sp.sqrt(2)) if name == "relu" else build(expr)
    factor = mp.mpf(2) if name == "relu" else mp.mpf(1)
    q11, q22, q12, gap = pairs_of(1.0, 2.0)
    q = [np.array([1.0]), np.array([2.0])]
    ntk, diagonal = q12.copy(), [q[0].copy(), q[1].copy()]
    with mp.workdps(60):
        exact = [exact_covariance(*row) for row in zip(q11, q22, q12, gap, strict=True)]
        kernels, variances = list(exact), [mp.mpf(1), mp.mpf(2)]
        for _ in range(10):
            found = expectations.pair(q11, q22, q12, gap)
            ntk = found.dual + found.derivative_dual * ntk
            kernels = [
                factor * (dual(*variances, r) + slope(*variances, r) * t)
                for r, t in zip(exact, kernels, strict=True)
            ]
            exact = [factor * dual(*variances, r) for r in exact]
            variances = [factor * dual(v, v, v) for v in variances]
            diagonal = [
                expectations.second_moment(v) + expectations.derivative_second_moment(v) * k
                for v, k in zip(q, diagonal, strict=True)
            ]
            q = [expectations.second_moment(v) for v in q]
            q11, q22 = np.full(len(q12), q[0][0]), np.full(len(q12), q[1][0])
            q12, gap = found.dual, found.gap
        scale = math.sqrt(diagonal[0][0] * diagonal[1][0])
        for got, want in zip(ntk, kernels, strict=True):
            assert abs(got - want) < 1e-12 * scale


# ------------------------------------------------------------------------------------------- exact statements


EXACT = {**METHODS, "relu": sp.Max(x, 0), "identity": x, "erf": sp.erf(x)}


@pytest.mark.parametrize("name", EXACT)
def test_coincident_pair_is_the_second_moment_and_swap_changes_no_bit(name: str) -> None:
    expectations = build(EXACT[name])
    q = np.array([0.0, 1e-3, 0.37, 1.0, 5.0, 30.0])
    same = expectations.pair(q, q, q, np.zeros(6))
    assert np.array_equal(same.dual, expectations.second_moment(q))
    assert np.array_equal(same.derivative_dual, expectations.derivative_second_moment(q))
    assert np.array_equal(same.gap, np.zeros(6))
    p = q[::-1].copy()
    root = np.sqrt(q) * np.sqrt(p)
    one, other = (expectations.pair(a, b, 0.75 * root, 0.25 * root) for a, b in ((q, p), (p, q)))
    for field in ("dual", "gap", "derivative_dual"):
        assert np.array_equal(getattr(one, field), getattr(other, field))
        assert np.all(np.isfinite(getattr(one, field)))


@pytest.mark.parametrize("name", EXACT)
def test_zero_input(name: str) -> None:
    """``u = 0``: the dual is ``phi(0) E phi(v)``, whatever the method, and the limit of small variances."""
    expectations = build(EXACT[name])
    q, zero = np.array([0.5, 2.0]), np.zeros(2)
    at_zero = expectations.pair(zero, q, zero, zero)
    tiny = np.full(2, 1e-30)
    close = expectations.pair(tiny, q, zero, np.sqrt(tiny) * np.sqrt(q))
    assert np.allclose(at_zero.dual, close.dual, rtol=0, atol=1e-13)
    assert np.all(at_zero.gap >= 0)


def test_proportional_and_antipodal_inputs() -> None:
    """``gap = 0``: a one-dimensional integral; odd activations give the exact ``+-``."""
    expectations = build(sp.tanh(x))
    q11, q22 = np.array([1.0, 1.0]), np.array([4.0, 1.0])
    root = np.sqrt(q11 * q22)
    plus, minus = (expectations.pair(q11, q22, s * root, np.zeros(2)) for s in (1, -1))
    with mp.workdps(25):
        want = mp.quad(lambda z: mp.npdf(z) * mp.tanh(z) * mp.tanh(2 * z), [-14, -4, -1, 0, 1, 4, 14])
    assert abs(plus.dual[0] - want) < 1e-15
    assert np.allclose(plus.dual, -minus.dual, rtol=0, atol=1e-16)
    assert minus.gap[1] == 0.0


def test_overflow_is_a_domain_error() -> None:
    q = np.array([1000.0])
    with pytest.raises(DomainError, match="certified"):
        build(sp.exp(x)).second_moment(q)
    with pytest.raises(DomainError, match="certified"):
        build(x * sp.exp(x)).pair(q, q, 0.5 * q, 0.5 * q)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_variances_are_refused(bad: float) -> None:
    for expr in (sp.tanh(x), sp.Max(x, 0)):
        expectations = build(expr)
        with pytest.raises(DomainError):
            expectations.second_moment(np.array([bad]))
        with pytest.raises(DomainError):
            expectations.pair(np.array([bad]), np.ones(1), np.zeros(1), np.ones(1))


def test_parameters_are_refused() -> None:
    with pytest.raises(DomainError):
        build(sp.tanh(sp.Symbol("c", positive=True) * x))


def test_unresolved_activation_is_a_precision_error() -> None:
    with pytest.raises(PrecisionError):
        build(sp.sin(10**6 * x) * sp.tanh(x)).second_moment(np.array([1.0]))


@pytest.mark.parametrize("q", [1.0, 100.0])
def test_saboteur_coarse_mesh_is_noticed(q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a fault: a mesh that ignores the complex singularities of tanh. The self-check must see it."""
    from analytic_ntk.gaussian.floating import mesh

    monkeypatch.setattr(mesh, "_resolved", lambda *_: True)
    expectations, variance = build(sp.tanh(x)), np.array([q])
    try:
        moment = expectations.second_moment(variance)[0]
        dual = expectations.pair(variance, variance, 0.5 * variance, 0.5 * variance).dual[0]
    except PrecisionError:
        return  # saying "cannot" is honest; lying is not
    monkeypatch.undo()
    sound = build(sp.tanh(x))
    assert abs(moment - sound.second_moment(variance)[0]) < 1e-13
    assert abs(dual - sound.pair(variance, variance, 0.5 * variance, 0.5 * variance).dual[0]) < 1e-13
