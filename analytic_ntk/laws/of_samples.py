"""Finite networks have the infinite network's kernels for means, where that is exact: one hidden layer."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray
from scipy.stats import binom

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian import envelope
from analytic_ntk.gaussian.floating import FloatExpectations
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.laws.cases import Case, OnData
from analytic_ntk.laws.doors import Doors, Points
from analytic_ntk.laws.law import CASE_FAILURE, Kind, Law, Outcome, Saboteur
from analytic_ntk.laws.measure import faulty_gram, matrix_margin, rounding, squared_norms
from analytic_ntk.laws.of_grams import on_data
from analytic_ntk.laws.subject import Subject, one_hidden_layer_parts
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.strategies import Shape, data_sets

Array = NDArray[np.float64]
WIDTH = 1 << 14
POINTS = 2
_ENTRIES = 2 * POINTS * (POINTS + 1) // 2
_SPREAD = 3.0
"""A network counts as off when its entry misses the mean by this many standard deviations or more."""
_SLACK = 1 + 1e-6
"""Rounding in the moments of float64, generously."""


@lru_cache(maxsize=1)
def draws_needed() -> int:
    """How many networks make the median of an entry miss by ``_SPREAD`` standard deviations too rarely.

    A network's entry is too high by ``t`` standard deviations with probability at most ``1 / (1 + t^2)``,
    whatever its law (Cantelli), and too low likewise. The median of ``k`` is too high only if ``k / 2`` of
    them are: a binomial tail, smaller here than the share of :data:`CASE_FAILURE` for a side of an entry.
    """
    share, chance, k = CASE_FAILURE / (2 * _ENTRIES), 1 / (1 + _SPREAD**2), 1
    while binom.sf((k + 1) // 2 - 1, k, chance) > share:
        k += 2
    return k


@lru_cache(maxsize=256)
def _fourth(phi: Activation, derivative: bool) -> tuple[FloatExpectations, sp.Expr]:
    """``E f^4``, ``f = phi`` or ``phi'``, as a second moment of ``f^2``; where it becomes infinite."""
    pieces: Pieces = phi.derivative if derivative else phi.pieces
    square = pieces.map(lambda part: part**2)
    return FloatExpectations(square, square.derivative()), envelope.max_variance(square)


def _fourth_moments(phi: Activation, derivative: bool, q: Array) -> Array | None:
    moments, limit = _fourth(phi, derivative)
    if limit is not sp.oo and float(np.max(q)) * _SLACK >= float(limit):
        return None
    return moments.second_moment(q)


def _variances(network: Network, X: Points) -> tuple[Array, Array] | None:
    """Upper bounds of the variances of one network's NNGP and NTK entries; ``None`` if infinite.

    With hidden units ``u_i ~ N(0, S)``, output weights ``omega_i`` and ``n = WIDTH``, the kernels are

        NNGP = b + (w/n) sum_i phi(u_i) phi(v_i),
        NTK = NNGP + (w/n) sum_i omega_i^2 phi'(u_i) phi'(v_i) Theta_1.

    With ``a = E phi^4`` and ``c = E phi'^4`` (for a pair their geometric means, by Cauchy-Schwarz) the
    variances are at most ``(w^2/n) a`` and, since ``E omega^4 = 3``, ``(w^2/n) 2 (a + 3 Theta_1^2 c)``.
    """
    first, hidden, last = network.layers
    assert isinstance(first, Dense) and isinstance(hidden, Nonlinearity) and isinstance(last, Dense)
    w1, b1, w = (
        float(sp.sympify(v)) for v in (first.weight_variance, first.bias_variance, last.weight_variance)
    )
    rows = np.array(X)
    theta = w1 * (rows @ rows.T) / rows.shape[1] + b1
    q = w1 * squared_norms(X) + b1
    values, slopes = (_fourth_moments(hidden.activation, derivative, q) for derivative in (False, True))
    if values is None or slopes is None:
        return None
    a, c = np.sqrt(np.outer(values, values)), np.sqrt(np.outer(slopes, slopes))
    unit = _SLACK * w**2 / WIDTH
    return unit * a, unit * 2 * (a + 3 * theta**2 * c)


def _unbiased(case: Case, doors: Doors) -> Outcome:
    network, X, seed = on_data(case)
    if one_hidden_layer_parts(network) != [network]:
        raise DomainError(f"{network!r}"[:80], "Dense, Nonlinearity, Dense")
    rng = np.random.default_rng(seed)
    limits = doors.gram(network, X, None)
    spreads = _variances(network, X)
    if spreads is None:
        return Outcome(0.0, trivial=True)
    found = [doors.empirical(network, X, WIDTH, rng) for _ in range(draws_needed())]
    margins = []
    for kernel, (limit, spread, error) in enumerate(zip(limits, spreads, rounding(network, X), strict=True)):
        distance = np.median([kernels[kernel] for kernels in found], axis=0) - limit
        margins.append(matrix_margin(distance, _SPREAD * np.sqrt(spread) + error))
    sharp = np.diag(limits[1]) > 2 * _SPREAD * np.sqrt(np.diag(spreads[1]))
    return Outcome(max(margins), trivial=not sharp.any())


def _strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
    parts = (
        subject.networks()
        .filter(one_hidden_layer_parts)
        .flatmap(lambda network: st.sampled_from(one_hidden_layer_parts(network)))
    )
    bound = min(subject.max_input_variance, Fraction(16))
    rows = data_sets((Shape.GAUSSIAN, Shape.HEXAGON, Shape.CLOSE), POINTS, max_variance=bound)
    return (st.builds(OnData, parts, rows, st.integers(0, 2**63 - 1)),)


def _skip(subject: Subject) -> str:
    if isinstance(subject.what, Network) and not one_hidden_layer_parts(subject.what):
        return "no Dense, Nonlinearity, Dense in it: elsewhere the mean at finite width is not the limit"
    return ""


# ------------------------------------------------------------------------------------ faults


def _last_bias(network: Network) -> float:
    last = network.layers[-1]
    assert isinstance(last, Dense)
    return float(sp.sympify(last.bias_variance))


def _scaled_ntk(doors: Doors, fault: Fraction) -> Doors:
    """All but the bias, which is not random, too large."""

    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        bias = _last_bias(network)
        return nngp, bias + (ntk - bias) * (1 + float(fault))

    return faulty_gram(change)(doors)


def _no_bias(doors: Doors, fault: Fraction) -> Doors:
    """The NTK without the last layer's bias."""

    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        return nngp, ntk - _last_bias(network)

    return faulty_gram(change)(doors)


def _no_factor(doors: Doors, fault: Fraction) -> Doors:
    """Half the derivative dual."""

    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        return nngp, nngp + (ntk - nngp) / 2

    return faulty_gram(change)(doors)


def _standard_parametrisation(doors: Doors, fault: Fraction) -> Doors:
    """Gradients without the factor ``sqrt(w/n)``: the NTK grows with the width."""

    def empirical(network: Network, X: Points, width: int, rng: np.random.Generator) -> tuple[Array, Array]:
        nngp, ntk = doors.empirical(network, X, width, rng)
        return nngp, ntk * math.sqrt(width)

    return replace(doors, empirical=empirical)


UNBIASED = Law(
    name="expect_empirical_eq_kernel",
    statement="with one hidden layer the kernels of finite networks have the limit for mean, at every width",
    latex=r"\mathbb{E}\,\hat K_n(x,y)=K(x,y)",
    kind=Kind.STATISTICAL,
    strata=_strata,
    check=_unbiased,
    saboteurs=(
        Saboteur("NTK too large", _scaled_ntk),
        Saboteur("NTK without the bias", _no_bias),
        Saboteur("derivative dual missing a factor 2", _no_factor),
        Saboteur("wrong parametrisation", _standard_parametrisation),
    ),
    smallest_fault=0.1,
    skip=_skip,
)

LAWS = (UNBIASED,)
