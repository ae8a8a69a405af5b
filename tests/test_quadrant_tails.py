"""``Phi2`` far out keeps its relative digits: kernels at large variances multiply it by ``exp(q)``."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from flint import arb
from numpy.typing import NDArray

from analytic_ntk import Activation, Network, activations
from analytic_ntk.arithmetic import bivariate
from analytic_ntk.arithmetic.bivariate import _edge, _plackett, phi2_cdf, phi_cdf
from analytic_ntk.arithmetic.precision import working_precision

BITS = 120
FAR = [
    (-4.5, -6.25, 0.5),
    (-4.5, -6.25, -0.5),
    (-15.0, -15.5, 0.25),
    (-18.0, 3.0, 0.5),  # the foot of the perpendicular lies on the edge
    (5.0, -15.0, -0.5),  # and here beyond the corner
    (-18.0, 0.0, -0.25),
    (0.5, -17.0, 0.96875),
    (-4.0, 4.25, -0.96875),
]


@cache
def _by_plackett(h: float, k: float, r: float) -> arb:
    """The value by Plackett's integral, with bits enough for its cancellation."""
    with working_precision(700):
        return _plackett(arb(h), arb(k), arb(r))


@pytest.mark.parametrize(("h", "k", "r"), FAR)
def test_far_quadrants_keep_their_relative_digits(h: float, k: float, r: float) -> None:
    expected = _by_plackett(h, k, r)
    assert expected.rel_accuracy_bits() > BITS
    with working_precision(BITS):
        for value in (phi2_cdf(arb(h), arb(k), arb(r)), phi2_cdf(arb(k), arb(h), arb(r))):
            assert value.overlaps(expected)
            assert value.rel_accuracy_bits() > BITS // 2 - 25
        root = ((1 - arb(r)) * (1 + arb(r))).sqrt()
        value = _edge(arb(h), (r * arb(h) - k) / root) + _edge(arb(k), (r * arb(k) - h) / root)
        assert value.overlaps(expected)
        assert value.rel_accuracy_bits() > BITS - 25


def test_planted_faults_are_seen() -> None:
    """One edge left out, measured from the wrong end or with the wrong sign misses the witness."""
    h, k, r = FAR[0]
    expected = _by_plackett(h, k, r)
    with working_precision(BITS):
        root = (1 - arb(r) * r).sqrt()
        x, y = (r * arb(h) - k) / root, (r * arb(k) - h) / root
        one, other = _edge(arb(h), x), _edge(arb(k), y)
        assert (one + other).overlaps(expected)
        for wrong in (one, other, one - other, _edge(arb(h), -x) + other, one + _edge(arb(k), -y)):
            assert not wrong.overlaps(expected)


def test_inexact_arguments_enclose_what_they_hold() -> None:
    with working_precision(BITS):
        for h, k, r in FAR:
            wide = phi2_cdf(arb(h, 1e-3), arb(k, 1e-3), arb(r, 1e-6))
            for dh in (-1e-3, 0, 1e-3):
                for dk in (-1e-3, 1e-3):
                    for dr in (-1e-6, 1e-6):
                        assert wide.overlaps(phi2_cdf(arb(h) + dh, arb(k) + dk, arb(r) + dr))


def test_antithetic_pairs_subtract_the_small_tails() -> None:
    """``P(-k <= Z <= h)``: 40 sigma out, ``Phi(h) - Phi(-k)`` has no digit, ``Phi(k) - Phi(-h)`` has."""
    with working_precision(BITS):
        value = phi2_cdf(arb(41), arb(-40), arb(-1))
        assert value.overlaps(phi_cdf(arb(-40)) - phi_cdf(arb(-41)))
        assert value.rel_accuracy_bits() > BITS - 25
        assert phi2_cdf(arb(-40), arb(41), arb(-1)).overlaps(value)


Array = NDArray[np.float64]


def _cuts(scale: float) -> Array:
    """Edges on both sides of 0: by the decay of exp, and by the width of the Gaussian."""
    near = np.array([0.0, 1.0, 3.0, 8.0, 20.0, 45.0])
    side = np.unique(np.concatenate([near, np.linspace(0.0, 14.0, 29)[1:] * scale]))
    return np.concatenate([-side[:0:-1], side])


def _dual(f: Callable[[Array], Array], q11: float, q22: float, q12: float) -> float:
    """``E f(u) f(v)`` from the definition: composite Gauss-Legendre in float64, cut at the kink 0."""
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def rule(edges: Array) -> tuple[Array, Array]:
        half = np.diff(edges, axis=-1) / 2
        middle = (edges[..., 1:] + edges[..., :-1]) / 2
        at = middle[..., None] + half[..., None] * nodes
        return at.reshape(*at.shape[:-2], -1), (half[..., None] * weights).reshape(*at.shape[:-2], -1)

    u, wu = rule(_cuts(np.sqrt(q11)))
    spread = np.sqrt(q22 - q12 * q12 / q11)
    near = _cuts(np.sqrt(q22))
    moving = (q12 / q11 * u)[:, None] + spread * np.linspace(-10.0, 10.0, 21)
    edges = np.sort(np.concatenate([np.broadcast_to(near, (len(u), len(near))), moving], axis=1), axis=1)
    v, wv = rule(edges)
    inside = np.exp(-(((v - (q12 / q11 * u)[:, None]) / spread) ** 2) / 2) / spread
    inner = np.sum(wv * f(v) * inside, axis=1)
    return float(np.sum(wu * f(u) * np.exp(-u * u / q11 / 2) / np.sqrt(q11) * inner) / (2 * np.pi))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Array) -> Array:
    return np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))


def _diagonal(f: Callable[[Array], Array], q: float) -> float:
    """``E f(u)^2`` by the same rule, the second variable left out."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    side = np.unique(
        np.concatenate([[0.0, 1.0, 3.0, 8.0, 20.0, 45.0], np.linspace(0.0, 14.0, 29) * np.sqrt(q)])
    )
    edges = np.concatenate([-side[:0:-1], side])
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    u = (middle[:, None] + half[:, None] * nodes).ravel()
    w = (half[:, None] * weights).ravel()
    return float(np.sum(w * f(u) ** 2 * np.exp(-u * u / q / 2)) / np.sqrt(2 * np.pi * q))


def _kernels(depth: int, weight: float, bias: float, rho: float) -> tuple[float, float]:
    """NNGP and NTK of the ELU network by the recursion over the definition."""
    q, c = weight + bias, weight * rho + bias
    ntk = c
    for _ in range(depth):
        slope = weight * _dual(_elu_slope, q, q, c)
        q, c = weight * _diagonal(_elu, q) + bias, weight * _dual(_elu, q, q, c) + bias
        ntk = c + slope * ntk
    return c, ntk


@pytest.mark.parametrize(
    ("depth", "weight", "bias", "rho"),
    [(2, 50, 3, "-9999/10000"), (2, 100, 0, "1/2"), (3, 50, 3, "0"), (1, 100, 3, "9999/10000")],
)
def test_elu_at_large_variances_has_its_digits(depth: int, weight: int, bias: int, rho: str) -> None:
    nngp, ntk = _kernels(depth, weight, bias, float(Fraction(rho)))
    found = Network.mlp(activations.resolve("elu(1)"), depth, weight, bias).at(1, rho, 1, 16)
    # the float64 rule has an error of about 1e-14 here; a lost edge or digit would be seen far above 1e-9
    assert float(found.nngp.midpoint) == pytest.approx(nngp, rel=1e-9)
    assert float(found.ntk.midpoint) == pytest.approx(ntk, rel=1e-9)


def test_the_loss_is_seen_without_the_far_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other forms of ``Phi2`` are certain relative to 1 only: ``exp(q) Phi2`` then has no digit."""
    with working_precision(BITS):
        h, k, r = arb(-30), arb(-31), arb(1) / 4
        assert phi2_cdf(h, k, r).rel_accuracy_bits() > BITS - 25
        monkeypatch.setattr(bivariate, "_hidden", lambda *_: None)
        assert phi2_cdf(h, k, r).contains(0)


def test_a_variance_lost_to_cancellation_asks_for_more_bits() -> None:
    """Moments of ``x^3 exp(x/2)`` beyond -1/2 cancel to the power 6 of the variance: not a wrong question."""
    phi = Activation.parse("Piecewise((x**3*exp(x/2), x < -1/2), (x**2, x < 3), (0, True))")
    network = Network.mlp(phi, 2, 1000, 0)
    coarse, fine = (network.at(1, "9/10", 100, digits) for digits in (16, 60))
    assert coarse.nngp.digits >= 16 and coarse.nngp.overlaps(fine.nngp) and coarse.ntk.overlaps(fine.ntk)
