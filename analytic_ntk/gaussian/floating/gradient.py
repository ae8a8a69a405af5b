r"""Derivatives of the float64 expectations of one activation with respect to variances and angle.

Homogeneous activations in closed form; else the Hermite series where it converges; else quadrature. With
``E f(u) g(v) = sum_k a_k(q11) b_k(q22) rho^k`` all derivatives come from the coefficients themselves:

    2 da_k/dlog q = k a_k + sqrt((k+1)(k+2)) a_{k+2},        drho^k/drho = k rho^(k-1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.gaussian.floating import fast
from analytic_ntk.gaussian.floating.angular import Homogeneous
from analytic_ntk.gaussian.floating.expectations import FloatExpectations
from analytic_ntk.gaussian.floating.partials import Asked, Partials
from analytic_ntk.gaussian.floating.series import MOST_TERMS, Coefficients
from analytic_ntk.gaussian.pieces import Pieces

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
FLAT = 1e-200
"""Stands for a variance 0: independent of everything, every jump at 0 in the middle."""
AGREEMENT = 1e-11
"""The series is believed if it agrees so far with quadrature on a sample."""
_LOG_SMALL_TAIL = float(np.log(1e-15))
_STEPS = (8, 16, 32, 64, 128, 256, 384, 512, MOST_TERMS - 2)
_LEAST_PAIRS = 24
_PROBES = 4
_STRETCH = 128


@dataclass(frozen=True)
class Known:
    """Pairs whose expectations are known: variances, ``delta = 1 - |rho|``, ``s``; root mean squares of
    ``phi(u)``, ``phi(v)``; ``E phi phi`` and ``E phi' phi'``."""

    q11: Array
    q22: Array
    delta: Array
    sign: Index
    rms1: Array
    rms2: Array
    dual: Array
    derivative_dual: Array

    @property
    def out_sign(self) -> Index:
        return np.where(self.dual < 0, -1, 1)

    def take(self, rows: Index) -> Known:
        return Known(*(getattr(self, name)[rows] for name in Known.__dataclass_fields__))


@dataclass(frozen=True)
class PairGradients:
    """Derivatives by ``log q11``, ``log q22`` and ``a``, rows of ``(3, n)``: of ``1 - |rho'|``, ``rho'`` the
    correlation of the outputs, and of ``E phi' phi'``. (``|rho| = cos a``.)"""

    opening: Array
    slope: Array


class FloatGradients:
    """Derivatives in float64 of what :class:`FloatExpectations` gives; built once per activation.

    Errors, measured against certified differences: below 1e-12 of the scale of each expectation.
    Raises :class:`PrecisionError` where quadrature does not settle.
    """

    def __init__(self, expectations: FloatExpectations, phi: Pieces, derivative: Pieces) -> None:
        self._expectations = expectations
        self._homogeneous = Homogeneous.of(phi)
        self._partials = Partials(phi, derivative, derivative.derivative())
        self._is_continuous = phi.is_continuous

    def moments(self, q: Array) -> tuple[Array, Array]:
        """``dE phi(u)^2 / dlog q`` and ``dE phi'(u)^2 / dlog q``, elementwise; 0 at ``q = 0``."""
        phi = self._homogeneous
        if phi is not None:
            slope = phi.derivative()
            first = phi.power * phi.second_moment(q)
            return first, np.zeros_like(q) if slope is None else slope.power * slope.second_moment(q)
        found = np.zeros((2, len(q)))
        values, inverse = np.unique(q, return_inverse=True)
        positive = values > 0
        table = np.zeros((2, len(values)))
        if np.any(positive):
            table[:, positive] = self._partials.moments(values[positive])
        found[:] = table[:, inverse]
        return found[0], found[1]

    def pairs(self, known: Known) -> PairGradients:
        """The derivatives over pairs of two different inputs."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused by the caller
            if self._homogeneous is not None:
                return self._by_angle(self._homogeneous, known)
            return self._by_chain(known)

    # --------------------------------------------------------------------------- closed form

    def _by_angle(self, phi: Homogeneous, known: Known) -> PairGradients:
        count = len(known.q11)
        opening, slope = np.zeros((3, count)), np.zeros((3, count))
        root = np.sqrt(known.q11) * np.sqrt(known.q22)
        sine = np.sqrt(known.delta * (2 - known.delta))
        scale = _divisor(known.rms1 * known.rms2)
        moved = root * sine * known.derivative_dual
        if phi.power == 0:
            moved = np.full(count, (phi.alpha - phi.beta) ** 2 / (2 * np.pi))
        opening[2] = known.out_sign * known.sign * moved / scale
        first = phi.derivative()
        if first is None:
            return PairGradients(opening, slope)
        slope[0] = slope[1] = 0.5 * first.power * known.derivative_dual
        second = first.derivative()
        if second is None:
            moved = np.full(count, (first.alpha - first.beta) ** 2 / (2 * np.pi))
        else:
            low, high = np.minimum(known.q11, known.q22), np.maximum(known.q11, known.q22)
            moved = root * sine * second.pair(low, high, known.delta, known.sign.astype(np.float64))[0]
        slope[2] = -known.sign * moved
        return PairGradients(opening, slope)

    # --------------------------------------------------------------------------- series, quadrature

    def _by_chain(self, known: Known) -> PairGradients:
        count = len(known.q11)
        found = np.zeros((6, count))
        left = np.ones(count, bool)
        if count >= _LEAST_PAIRS:
            served = self._by_series(known, found)
            left &= ~served
        rows = np.nonzero(left)[0]
        if len(rows):
            found[:, rows] = self._by_quadrature(known.take(rows))
        return PairGradients(found[:3], found[3:])

    def _by_quadrature(self, known: Known) -> Array:
        """All six derivatives; the smaller variance first."""
        swapped = known.q11 > known.q22
        flat = np.minimum(known.q11, known.q22) == 0
        q1 = np.maximum(np.minimum(known.q11, known.q22), FLAT)
        q2 = np.maximum(np.maximum(known.q11, known.q22), FLAT)
        rms1 = _divisor(np.where(swapped, known.rms2, known.rms1))
        rms2 = _divisor(np.where(swapped, known.rms1, known.rms2))
        out_sign = known.out_sign
        asked = Asked(
            q1, q2, np.where(flat, 1.0, known.delta), known.sign, out_sign, rms1, rms2,
            self.moments(q1)[0] / rms1**2, self.moments(q2)[0] / rms2**2,
        )  # fmt: skip
        one, two, masses, slope_1, slope_2, slope_angle = self._partials.pairs(asked)
        found = np.empty((6, len(q1)))
        found[0], found[1] = np.where(swapped, two, one), np.where(swapped, one, two)
        found[3], found[4] = np.where(swapped, slope_2, slope_1), np.where(swapped, slope_1, slope_2)
        delta = known.delta
        moved = np.sqrt(q1) * np.sqrt(q2) * np.sqrt(delta * (2 - delta)) * known.derivative_dual + masses
        found[2] = out_sign * known.sign * moved / (rms1 * rms2)
        found[5] = -known.sign * slope_angle
        return found

    def _by_series(self, known: Known, found: Array) -> Mask:
        """Fill in what the series serves; says where."""
        q = np.unique(np.concatenate([known.q11, known.q22]))
        served = np.zeros(len(known.q11), bool)
        if q[0] <= 0 or len(q) > fast.MOST_VARIANCES or min(np.min(known.rms1), np.min(known.rms2)) <= 0:
            return served
        i, j = np.searchsorted(q, known.q11), np.searchsorted(q, known.q22)
        phi2, slope2 = self._expectations.second_moment(q), self._expectations.derivative_second_moment(q)
        rms, slope_rms = np.sqrt(phi2), np.sqrt(slope2)
        table = self._expectations.fast.coefficients(fast.Variances(q, rms, slope_rms), np.arange(len(q)))
        terms = _terms_needed(table, i, j, 1 - known.delta)
        mu = self.moments(q)[0] / phi2
        functions = (_Table.of(table.phi), _Table.of(table.slope))
        root_sine = np.sqrt(known.delta * (2 - known.delta))
        for count in _STEPS:
            rows = np.nonzero(terms == count)[0]
            for start in range(0, len(rows), 16384):
                some = rows[start : start + 16384]
                a, b, s = i[some], j[some], known.sign[some]
                rho = s * (1 - known.delta[some])
                out = known.out_sign[some]
                value, one, two, by_rho = functions[0].sums(a, b, rho, count)
                found[0, some] = -0.5 * out * (one - mu[a] * value)
                found[1, some] = -0.5 * out * (two - mu[b] * value)
                found[2, some] = out * s * root_sine[some] * by_rho
                scale = slope_rms[a] * slope_rms[b]
                _, one, two, by_rho = functions[1].sums(a, b, rho, count)
                found[3, some], found[4, some] = 0.5 * scale * one, 0.5 * scale * two
                found[5, some] = -s * root_sine[some] * scale * by_rho
        served = terms > 0
        return served & self._agrees(known, found, np.nonzero(served)[0])

    def _agrees(self, known: Known, found: Array, rows: Index) -> bool:
        """Whether a sample of the rows meets quadrature."""
        if not len(rows):
            return False
        order = rows[np.argsort(known.delta[rows], kind="stable")]
        other = rows[np.argsort(known.q22[rows] / known.q11[rows], kind="stable")]
        places = np.linspace(0, len(rows) - 1, _PROBES).astype(np.intp)
        probes = np.unique(np.concatenate([order[places], other[places[::2]]]))
        exact = self._by_quadrature(known.take(probes))
        largest = np.max(np.abs(exact), axis=1)
        scale = np.repeat([max(1.0, float(np.max(largest[:3]))), float(np.max(largest[3:]))], 3)
        return bool(np.all(np.abs(found[:, probes] - exact) <= AGREEMENT * scale[:, None]))


@dataclass(frozen=True)
class _Table:
    """Coefficients ``a_k`` and ``2 da_k/dlog q``, ``(terms, variances)``."""

    value: Array
    moved: Array

    @classmethod
    def of(cls, rows: Array) -> _Table:
        k = np.arange(MOST_TERMS - 2.0)
        moved = k * rows[:, :-2] + np.sqrt((k + 1) * (k + 2)) * rows[:, 2:]
        return cls(np.ascontiguousarray(rows[:, :-2].T), np.ascontiguousarray(moved.T))

    def sums(self, i: Index, j: Index, rho: Array, count: int) -> tuple[Array, Array, Array, Array]:
        """``sum a_i a_j rho^k``, the same with ``a_i`` moved, with ``a_j`` moved, and by ``rho``."""
        value, one, two, by_rho = (np.zeros(len(rho)) for _ in range(4))
        for k in range(count - 1, -1, -1):
            a, b = self.value[k, i], self.value[k, j]
            by_rho *= rho
            by_rho += value
            for total, term in ((value, a * b), (one, self.moved[k, i] * b), (two, a * self.moved[k, j])):
                total *= rho
                total += term
        return value, one, two, by_rho


def _terms_needed(table: Coefficients, i: Index, j: Index, r: Array) -> Index:
    """The least count of ``_STEPS`` whose tail is negligible; 0 where none is.

    The tails are those of ``k a_k``; beyond the table they are continued geometrically where they decay so,
    and else by ``|a_k| <= 1`` and the powers of ``rho`` alone.
    """
    tails = np.zeros((table.phi.shape[0], len(_STEPS)))
    for rows in (table.phi, table.slope):
        square = ((np.arange(MOST_TERMS) + 1.0) * rows) ** 2
        after = np.cumsum(square[:, ::-1], axis=1)[:, ::-1]
        last, before = after[:, -_STRETCH], after[:, -2 * _STRETCH] - after[:, -_STRETCH]
        ratio = last / np.where(before > 0, before, 1.0)
        decays = (ratio < 0.5) | (last < 1e-24)
        beyond = np.where(decays, 2 * last * np.minimum(ratio, 0.5), (MOST_TERMS + 1.0) ** 2)
        for place, count in enumerate(_STEPS):
            tails[:, place] = np.maximum(tails[:, place], np.sqrt(after[:, count] + beyond) + 1e-24)
    # sum over k >= K of (k/K)^2 |rho|^(k-K)
    powers = 2 * np.log(np.minimum(1 / np.maximum(1 - r, 1e-9), MOST_TERMS))
    log_r = np.log(np.maximum(r, 1e-300))
    needed = np.zeros(len(r), dtype=np.intp)
    for place, count in reversed(list(enumerate(_STEPS))):
        tail = np.log(tails[:, place])
        needed[tail[i] + tail[j] + count * log_r + powers < _LOG_SMALL_TAIL] = count
    return needed


def _divisor(value: Array) -> Array:
    return np.where(value > 0, value, 1.0)
