"""The front of the package: which method serves which pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.floating import fast
from analytic_ntk.gaussian.floating.angular import Homogeneous
from analytic_ntk.gaussian.floating.closed import Covariance
from analytic_ntk.gaussian.floating.general import General, PairExpectations
from analytic_ntk.gaussian.floating.grids import overflow
from analytic_ntk.gaussian.pieces import Pieces

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


class FloatExpectations:
    r"""Second moments and pair expectations of one activation in float64.

    A pair of inputs is ``(q11, q22, q12, gap)`` with ``gap = sqrt(q11 q22) - |q12| >= 0`` carried separately,
    so that ``1 - |rho| = gap/sqrt(q11 q22)`` has full relative accuracy. Errors, measured against closed
    forms and against a finer quadrature: below 1e-14 of ``sqrt(E phi(u)^2 E phi(v)^2)`` in ``dual``, and
    below 1e-14 in the angle between the outputs, ``sqrt(2 (1 - |rho'|))``.

    Build it once per activation: meshes, tables and closed forms are kept.

    >>> import numpy as np, sympy as sp
    >>> from analytic_ntk.notation import x
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> relu = Pieces.of(sp.Max(x, 0))
    >>> expectations = FloatExpectations(relu, relu.derivative())
    >>> one = np.array([1.0])
    >>> found = expectations.pair(one, one, np.array([0.5]), np.array([0.5]))
    >>> bool(abs(found.derivative_dual[0] - 1 / 3) < 1e-15)
    True

    Raises :class:`DomainError` for symbolic parameters, for a variance that is negative or not finite and
    for a kernel that overflows float64; :class:`PrecisionError` when quadrature does not settle.
    """

    def __init__(self, phi: Pieces, derivative: Pieces) -> None:
        self._general = General(phi, derivative)
        self._homogeneous = Homogeneous.of(phi)
        self.fast = fast.Fast(self._general, phi, derivative)

    def second_moment(self, q: Array) -> Array:
        """``E phi(u)^2`` for ``u ~ N(0, q)``, elementwise; depends on ``q`` alone, bit for bit."""
        return self._moments(q)[0]

    def derivative_second_moment(self, q: Array) -> Array:
        """``E phi'(u)^2`` for ``u ~ N(0, q)``, elementwise (regular part of ``phi'``)."""
        return self._moments(q)[1]

    def _moments(self, q: Array) -> tuple[Array, Array]:
        q = np.asarray(q, dtype=np.float64)
        self._check_variances(q)
        if self._homogeneous is not None:
            with np.errstate(over="ignore"):
                phi2 = self._homogeneous.second_moment(q)
                slope = self._homogeneous.derivative()
                slope2 = np.zeros_like(q) if slope is None else slope.second_moment(q)
            if not np.all(np.isfinite(phi2)):
                raise overflow(self._general.name, float(np.max(q)))
            return phi2, slope2
        values, inverse = np.unique(q, return_inverse=True)
        phi2, slope2 = self._general.moments(values)
        return phi2[inverse].reshape(q.shape), slope2[inverse].reshape(q.shape)

    @staticmethod
    def _check_variances(q: Array) -> None:
        if not np.all(np.isfinite(q)) or np.any(q < 0):
            raise DomainError("a negative or non-finite variance", "variances 0 <= q < oo")

    def pair(self, q11: Array, q22: Array, q12: Array, gap: Array) -> PairExpectations:
        """``E phi(u)phi(v)``, its gap and ``E phi'(u)phi'(v)`` for one-dimensional arrays of pairs.

        Swapping the inputs changes no bit; a pair with ``gap = 0``, ``q11 = q22`` and ``q12 > 0`` returns the
        second moments themselves and gap 0.
        """
        q11, q22, q12, gap = (np.asarray(a, dtype=np.float64) for a in (q11, q22, q12, gap))
        self._check_variances(q11), self._check_variances(q22)
        if not (np.all(np.isfinite(q12)) and np.all(np.isfinite(gap)) and np.all(gap >= 0)):
            raise DomainError("a covariance that is not finite or a gap below 0", "finite q12, gap >= 0")
        low, high = np.minimum(q11, q22), np.maximum(q11, q22)
        product = np.sqrt(low) * np.sqrt(high)
        delta = np.where(product > 0, np.minimum(gap / np.where(product > 0, product, 1.0), 1.0), 0.0)
        sign = np.where(q12 < 0, -1, 1)
        same = (low == high) & ((low == 0) | ((delta == 0) & (sign > 0)))
        if self._homogeneous is None:
            found = self._by_chain(low, high, delta, sign, same)
        else:
            found = self._by_angle(self._homogeneous, Covariance(low, high, q12, gap, sign), delta, same)
        if not all(np.all(np.isfinite(value)) for value in (found.dual, found.gap, found.derivative_dual)):
            raise overflow(self._general.name, float(np.max(high)))
        return found

    def _by_chain(self, low: Array, high: Array, delta: Array, sign: Index, same: Mask) -> PairExpectations:
        values, inverse = np.unique(np.concatenate([low, high]), return_inverse=True)
        phi2, slope2 = self._moments(values)
        i, j = inverse[: len(low)], inverse[len(low) :]
        dual, gap, slopes = phi2[i], np.zeros(len(low)), slope2[i]
        rest = np.nonzero(~same)[0]
        if len(rest):
            variances = fast.Variances(values, np.sqrt(phi2), np.sqrt(slope2))
            found = self.fast.serve(fast.Pairs(variances, i[rest], j[rest], delta[rest], sign[rest]))
            dual[rest], gap[rest], slopes[rest] = found.dual, found.gap, found.derivative_dual
        return PairExpectations(dual, gap, slopes)

    def _by_angle(self, phi: Homogeneous, given: Covariance, delta: Array, same: Mask) -> PairExpectations:
        if phi.is_linear:
            square = phi.alpha**2
            dual = np.where(same, square * given.q11, square * given.q12)
            gap = np.where(same, 0.0, square * given.gap)
            return PairExpectations(dual, gap, np.full(len(delta), square))
        with np.errstate(over="ignore", invalid="ignore"):
            dual, gap = phi.pair(given.q11, given.q22, delta, given.sign)
            slope = phi.derivative()
            slopes = np.zeros(len(delta))
            if slope is not None:
                slopes = slope.pair(given.q11, given.q22, delta, given.sign)[0]
                slopes = np.where(given.q11 == 0, slope.at_zero**2, slopes)
                slopes = np.where(same, slope.second_moment(given.q11), slopes)
        if phi.power == 0:  # u = 0 sits on the jump: phi(u) is the mean of the two sides
            mean, half = phi.at_zero, 0.5 * (phi.alpha - phi.beta)
            total = np.hypot(mean, half) + abs(mean)
            flat = given.q11 == 0
            dual = np.where(flat, mean**2, dual)
            gap = np.where(flat, abs(mean) * half**2 / total if total else 0.0, gap)
        dual = np.where(same, phi.second_moment(given.q11), dual)
        return PairExpectations(dual, np.where(same, 0.0, gap), slopes)
