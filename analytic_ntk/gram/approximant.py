"""The duals of one activation as polynomials, found on the host, evaluated wherever arrays live.

With ``s = sqrt(q)``, ``R(s)^2 = E phi(s Z)^2``, ``r(s)^2 = E phi'(s Z)^2``, ``gap = s1 s2 - |q12|`` and
``delta = gap/(s1 s2) = 1 - |rho|``, a continuous activation whose only breakpoint is 0 has

    E phi'(u) phi'(v) = r1 r2 S(s1, s2, delta),
    E phi(u) phi(v)   = R1 R2 (1 - (x1 - x2)^2 G(s1, s2)) - gap r1 r2 A(s1, s2, delta)      (rho > 0)
                      = R1 R2 C(s1, s2)                   + gap r1 r2 A(s1, s2, delta)      (rho < 0)

by Price's theorem, ``A = (1/delta) int_0^delta S`` the mean slope, ``x`` in ``[-1, 1]`` linear in
``asinh(s/s0)`` (the functions are singular on the imaginary axis, away from 0). ``G``, ``C``, ``S``, ``A``,
``log(R/s^k)`` and ``log(r/s^l)`` are smooth (``k``, ``l`` the orders of the zeros of ``phi`` and ``phi'``
at 0), in ``delta`` for a smooth activation and in ``sqrt(delta)`` for one with a kink, and are fitted in
Chebyshev polynomials. No term cancels: small gaps keep their digits, and derivatives taken of these formulas
are finite at coincident inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from scipy.fft import dct

from analytic_ntk.activation import Activation
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.gaussian.identities import vanishes
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gram.kept import Arrays, kept
from analytic_ntk.layers import Nonlinearity
from analytic_ntk.notation import x
from analytic_ntk.systems.float64 import float_expectations

Array = NDArray[np.float64]
DEGREES = (16, 20, 24, 28, 32, 38, 46, 56, 70, 90)
"""In ``s``."""
ORDERS = (16, 20, 24, 30, 36, 44, 54, 68, 96)
"""In ``delta`` or ``sqrt(delta)``."""
BEND = 0.7
"""The ``s0`` above."""
NOISE = 2e-14
"""Coefficients at the end that stay above this: the degree is not enough."""
SMALL = 1e-16
"""Singular values and coefficients below this, relative to the largest, are left out."""
ERROR = 4e-13
"""The largest deviation from the float64 expectations that is let through."""
MOST = 160_000
"""Expectations that are computed for one approximant, at most: at large variances each takes 1e-3 s."""
LARGEST = 4096.0
"""No polynomials are sought for variances beyond: of saturating functions none are found above 100, and each
expectation takes ever longer."""
_MOST_ZEROS = 12


@dataclass(frozen=True, eq=False)
class Approximant:
    """The polynomials of one activation for ``0 <= s <= reach`` (every ``s``, if it is homogeneous).

    ``orders``: the ``k`` and ``l`` above. ``root``, ``slope``: Chebyshev coefficients in ``x`` of
    ``log(R/s^k)`` and ``log(r/s^l)``. ``basis`` ``(degree + 1, rank)``: with ``B = T(x) basis``,
    ``opening`` (``G``) and
    ``opposite`` (``C``) stand for ``B1 M B2^T``; ``slopes`` (``S``) and ``means`` (``A``), ``(signs, terms,
    rank, rank)``, for ``sum_n T_n(t) B1 M_n B2^T``, ``t = 2 delta^(1/power) - 1``, for ``rho >= 0`` and then,
    unless ``parity`` (1 even, -1 odd) says it, for ``rho < 0``. ``error``: the largest deviation seen.
    """

    orders: tuple[int, int]
    reach: float
    power: int
    parity: int
    root: Array
    slope: Array
    basis: Array
    opening: Array
    opposite: Array
    slopes: Array
    means: Array
    error: float

    @property
    def stretch(self) -> float:
        """``x = stretch asinh(s/s0) - 1``."""
        return 2.0 / float(np.arcsinh(self.reach / BEND))

    def place(self, s: Array) -> Array:
        return self.stretch * np.arcsinh(s / BEND) - 1.0

    def at(
        self, s1: Array, s2: Array, delta: Array, negative: NDArray[np.bool_]
    ) -> tuple[Array, Array, Array]:
        """Correlation of the outputs, 1 less its size, and ``S``, pair by pair, in numpy; for ``s > 0``."""
        x1, x2 = (self.place(s) if self.reach < np.inf else np.zeros_like(s) for s in (s1, s2))
        t = chebvander(2.0 * delta ** (1.0 / self.power) - 1.0, self.means.shape[1] - 1)
        B1, B2 = (chebvander(place, len(self.basis) - 1) @ self.basis for place in (x1, x2))
        side = np.where(negative, len(self.means) - 1, 0)
        mean, slope = (
            np.einsum("pn,pnab,pa,pb->p", t, table[side], B1, B2) for table in (self.means, self.slopes)
        )
        roots, steep = (
            np.exp(sum(chebvander(place, len(row) - 1) @ row for place in (x1, x2)))
            for row in (self.root, self.slope)
        )
        fall = delta * (s1 * s2) ** (1 + self.orders[1] - self.orders[0]) * steep / roots * mean
        opening = (x1 - x2) ** 2 * np.einsum("pa,ab,pb->p", B1, self.opening, B2) + fall
        above = 1.0 - opening
        if self.parity:
            flip = np.where(negative, -1.0, 1.0)
            value = (flip if self.parity < 0 else 1.0) * above
            return value, np.minimum(opening, 2.0 - opening), slope * (flip if self.parity > 0 else 1.0)
        below = np.einsum("pa,ab,pb->p", B1, self.opposite, B2) + fall
        gap = np.where(negative, 1.0 - np.abs(below), np.minimum(opening, 2.0 - opening))
        return np.where(negative, below, above), gap, slope


def approximant(activation: Activation, largest: float) -> Approximant | None:
    """The polynomials for variances up to ``largest`` and somewhat beyond; ``None`` if none are found.

    Served are continuous activations with no breakpoint but 0: with kinks or jumps elsewhere the duals have
    boundary layers of width ``|s1 - s2|`` that no polynomial follows. Kind of answer: float64, within
    ``ERROR`` of the expectations of :mod:`analytic_ntk.systems.float64` at points between the nodes.
    """
    if not served(activation):
        return None
    if activation.homogeneity is not None:
        return _built(activation, np.inf)
    if largest > LARGEST:
        return None
    limit = float(min(activation.max_variance, activation.derivative_max_variance))
    wanted = max(4.0 ** np.ceil(0.5 * np.log2(largest)) if largest > 0 else 0.0, 4.0)
    return _built(activation, float(np.sqrt(wanted if wanted < limit else np.sqrt(largest * limit))))


def served(activation: Activation) -> bool:
    """Whether the activation is continuous, not constant, and has no breakpoint but 0."""
    pieces = activation.pieces
    return (
        all(point.is_zero for point in pieces.breakpoints)
        and pieces.is_continuous
        and activation.homogeneity != 0
    )


@lru_cache(maxsize=64)
def _built(activation: Activation, reach: float) -> Approximant | None:
    first, second = _order(activation.pieces), _order(activation.derivative)
    if first is None or second is None:
        return None
    orders = first, second
    question = f"approximant {reach!r}"
    found = kept((Nonlinearity(activation),), question, lambda: _arrays(_search(activation, orders, reach)))
    return None if found is None else _from_arrays(found)


def _search(activation: Activation, orders: tuple[int, int], reach: float) -> Approximant | None:
    for power in (2,) if activation.pieces.breakpoints else (1, 2):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            try:
                found = _fitted(activation, orders, reach, power)
                if found is not None and (found := _checked(activation, found)) is not None:
                    return found
            except AnalyticNTKError:  # outside the domain near the end of the reach, or quadrature that fails
                return None
    return None


def _arrays(found: Approximant | None) -> Arrays | None:
    """To be kept on disk."""
    if found is None:
        return None
    return {item.name: np.asarray(getattr(found, item.name), np.float64) for item in fields(found)}


def _from_arrays(arrays: Arrays) -> Approximant:
    first, second = (int(order) for order in arrays["orders"])
    reach, error = float(arrays["reach"]), float(arrays["error"])
    return Approximant(
        (first, second), reach, int(arrays["power"]), int(arrays["parity"]),
        arrays["root"], arrays["slope"], arrays["basis"], arrays["opening"], arrays["opposite"],
        arrays["slopes"], arrays["means"], error,
    )  # fmt: skip


def _order(pieces: Pieces) -> int | None:
    """Of the zero of a function at 0, the lower of its two sides."""
    found = []
    for part in pieces.parts:
        for k in range(_MOST_ZEROS):
            if not vanishes(part.subs(x, 0)):
                found.append(k)
                break
            part = sp.diff(part, x)
    return min(found) if found else None


def nodes(count: int) -> Array:
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _roots(reach: float, count: int) -> Array:
    """The ``s`` of the nodes ``x``."""
    return BEND * np.sinh(np.arcsinh(reach / BEND) * (1.0 + nodes(count)) / 2.0)


def chebyshev(values: Array, axis: int) -> Array:
    """Coefficients from values at :func:`nodes`."""
    count = values.shape[axis]
    found = np.moveaxis(dct(values, type=2, axis=axis) / count, axis, -1)
    found[..., 0] /= 2.0
    return np.moveaxis(found, -1, axis)


def _fitted(activation: Activation, orders: tuple[int, int], reach: float, power: int) -> Approximant | None:
    signs = 1 if activation.parity else 2
    finite = reach < np.inf
    few = np.array([0.03, 0.6, 1.0]) * reach if finite else np.ones(1)
    delta = ((1.0 + nodes(ORDERS[-1] + 1)) / 2.0) ** power
    order = _enough(slopes_at(activation, few[:, None], few, delta, signs), 1, ORDERS)
    if order is None:
        return None
    s = np.ones(1)
    if finite:
        s = _roots(reach, DEGREES[-1] + 1)
        slopes = slopes_at(activation, s[:, None], few, np.array([0.0, 1e-3, 0.1, 0.8]), signs)
        degree = _enough(slopes, 2, DEGREES)
        if degree is None or (degree + 1) * (degree + 2) // 2 * (order + 1) * signs > MOST:
            return None
        s = _roots(reach, degree + 1)
    i, j = np.triu_indices(len(s))
    half = slopes_at(activation, s[i], s[j], ((1.0 + nodes(order + 1)) / 2.0) ** power, signs)
    slopes = np.empty((*half.shape[:2], len(s), len(s)))
    slopes[..., i, j] = slopes[..., j, i] = half
    for axis in (1, 2, 3):
        slopes = chebyshev(slopes, axis)  # (signs, terms, s1, s2)
    return _assembled(activation, orders, reach, power, s, slopes)


def _enough(values: Array, axis: int, degrees: tuple[int, ...]) -> int | None:
    """The first degree at which the coefficients have fallen to rounding."""
    sizes = np.moveaxis(np.abs(chebyshev(values, axis)), axis, 0).reshape(values.shape[axis], -1).max(axis=1)
    return next((degree for degree in degrees if sizes[degree - 1 : degree + 1].max() <= NOISE), None)


def slopes_at(activation: Activation, s1: Array, s2: Array, delta: Array, signs: int) -> Array:
    """``S`` on ``(signs, delta, ...)``, the last axes those of ``s1 s2``; nan where it is not finite."""
    known = float_expectations(activation)
    sign = np.reshape([1.0, -1.0][:signs], (-1, *[1] * (1 + (s1 * s2).ndim)))
    root = s1 * s2
    gap = np.broadcast_to(root * np.reshape(delta, (-1, *[1] * root.ndim)), (signs, len(delta), *root.shape))
    q1, q2 = (np.broadcast_to(s * s, gap.shape) for s in (s1, s2))
    pair = known.pair(*(array.ravel() for array in (q1, q2, sign * (root - gap), gap)))
    scale = np.sqrt(known.derivative_second_moment(s1 * s1)) * np.sqrt(
        known.derivative_second_moment(s2 * s2)
    )
    return pair.derivative_dual.reshape(gap.shape) / scale


def _assembled(
    activation: Activation, orders: tuple[int, int], reach: float, power: int, s: Array, slopes: Array
) -> Approximant:
    q = s * s
    known = float_expectations(activation)
    rms, steep = np.sqrt(known.second_moment(q)), np.sqrt(known.derivative_second_moment(q))
    if len(s) == 1:
        opening = np.zeros((1, 1))
    else:
        opening = _openings(activation, reach, len(s))
    i, j = (k.ravel() for k in np.indices((len(s), len(s))))
    opposite = known.pair(q[i], q[j], -s[i] * s[j], np.zeros(len(i))).dual.reshape(len(s), -1)
    flat = [opening, opposite / np.outer(rms, rms)]
    flat = [chebyshev(chebyshev((m + m.T) / 2.0, 0), 1) for m in flat]
    means = np.einsum("nk,skab->snab", averages(slopes.shape[1], power), slopes)
    stack = np.concatenate([*(m[None] for m in flat), *slopes, *means])
    unfolded = np.swapaxes(stack, 0, 1).reshape(len(s), -1)
    left, sizes, _ = np.linalg.svd(unfolded, full_matrices=False)
    basis = left[:, sizes > SMALL * sizes[0]]
    opening, opposite = (basis.T @ m @ basis for m in flat)
    slopes, means = (np.einsum("ap,snab,bq->snpq", basis, table, basis) for table in (slopes, means))
    seen = np.flatnonzero(np.maximum(np.abs(slopes), np.abs(means)).max(axis=(0, 2, 3)) > SMALL)
    keep = int(seen[-1]) + 1
    parity = {"even": 1, "odd": -1, None: 0}[activation.parity]
    return Approximant(
        orders, reach, power, parity,
        chebyshev(np.log(rms / s ** orders[0]), 0), chebyshev(np.log(steep / s ** orders[1]), 0),
        basis, opening, opposite, slopes[:, :keep], means[:, :keep], 0.0,
    )  # fmt: skip


def averages(terms: int, power: int) -> Array:
    """From ``S`` to ``A``, on coefficients: ``A(u) = int_0^1 p z^(p-1) S(u z) dz``, ``u = delta^(1/p)``."""
    z, weights = np.polynomial.legendre.leggauss(terms // 2 + 2)
    z, weights = (1.0 + z) / 2.0, weights / 2.0
    u = (1.0 + nodes(terms)) / 2.0
    values = np.einsum(
        "z,uzk->uk", weights * power * z ** (power - 1), chebvander(2.0 * np.outer(u, z) - 1.0, terms - 1)
    )
    return chebyshev(values, 0)


def _openings(activation: Activation, reach: float, count: int) -> Array:
    """``G`` at the nodes: ``1/2 E (phi(s1 Z)/R1 - phi(s2 Z)/R2)^2 / (x1 - x2)^2``, divided exactly.

    For each ``z`` the function ``phi(s z)/R(s)`` of ``x`` is expanded; the divided differences of the
    Chebyshev polynomials are polynomials themselves.
    """
    s = _roots(reach, 256)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-9.0, 0.0), np.arange(1.0, 12.0 + 2.0 * reach, 0.5)])
    points, weights = np.polynomial.legendre.leggauss(28)
    half = np.diff(edges)[:, None] / 2.0
    z = (edges[:-1, None] + half * (1.0 + points)).ravel()
    z, weights = np.concatenate([-z, z]), np.tile((half * weights).ravel(), 2)
    weights = weights * np.exp(-z * z / 2.0) / np.sqrt(2.0 * np.pi)
    rms = np.sqrt(float_expectations(activation).second_moment(s * s))
    values = activation.pieces.float_function()(np.outer(s, z)) / rms[:, None] * np.sqrt(weights)
    terms = chebyshev(np.where(weights > 0, values, 0.0), 0)
    place = nodes(count)
    above = place[:, None]
    differences = np.empty((len(terms), count, count))  # of T_n, divided by x1 - x2
    differences[0], differences[1] = 0.0, 1.0
    before, here = np.ones(count), place
    for n in range(2, len(terms)):
        differences[n] = 2.0 * above * differences[n - 1] + 2.0 * here - differences[n - 2]
        before, here = here, 2.0 * place * here - before
    total = differences.reshape(len(terms), -1).T @ terms
    return 0.5 * (total**2).sum(axis=-1).reshape(count, count)


def _checked(activation: Activation, found: Approximant) -> Approximant | None:
    """With its error, if it meets the float64 expectations between the nodes."""
    rng = np.random.default_rng(0)
    reach = found.reach if found.reach < np.inf else 2.0
    s1, s2 = reach * rng.random((2, 120)) ** rng.choice([0.5, 1.0, 3.0], (2, 120))
    s1[::3] = s2[::3] * (1.0 - 1e-3 * rng.random(40))
    delta, sign = rng.random(120) ** rng.choice([1.0, 4.0, 16.0], 120), rng.choice([-1.0, 1.0], 120)
    root = s1 * s2
    known = float_expectations(activation)
    pair = known.pair(s1**2, s2**2, sign * root * (1.0 - delta), root * delta)
    scale, steep = (
        np.sqrt(moment(s1**2) * moment(s2**2))
        for moment in (known.second_moment, known.derivative_second_moment)
    )
    value, gap, slope = found.at(s1, s2, delta, sign < 0)
    angle = np.sqrt(np.maximum(gap, 0.0)) - np.sqrt(pair.gap / scale)
    if not found.parity:  # there 1 - |rho'| is a difference for rho < 0
        angle = np.where((sign > 0) | (gap > 1e-3), angle, 0.0)
    deviations = value - pair.dual / scale, angle, slope - pair.derivative_dual / steep
    error = float(max(np.abs(d).max() for d in deviations))
    if not error <= ERROR:
        return None
    return replace(found, error=error)
