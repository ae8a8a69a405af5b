"""Two lower bounds of the smallest eigenvalue of a kernel matrix, from the kernel's power series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from flint import arb, arb_mat, fmpq

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.bounds.points import (
    BITS,
    Array,
    Points,
    correlations,
    float_correlations,
    gram_of,
    read_points,
    require_directions,
    require_power,
)
from analytic_ntk.display import Reasoned, Shown, text_below
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.identities import vanishes
from analytic_ntk.series import KernelSeries, enclose

_DIGITS = 40
_ROUNDING = 2.0**-50
"""Float64 bounds are lowered by ``n`` times this times the kernel at 1."""
_GUIDE = 40
"""Powers tried, in float64, for the one whose bound is then computed."""


@dataclass(frozen=True)
class Zonal(Shown):
    """A kernel ``sum c_k rho^k``, ``c_k >= 0``: enclosures of ``c_0 .. c_m`` and of ``sum_{k > m} c_k``."""

    coefficients: tuple[Enclosure, ...]
    tail: Enclosure

    @classmethod
    def of(cls, kernel: KernelSeries | Sequence[ExactNumber] | Zonal, which: str = "ntk") -> Zonal:
        """From a network's power series (``which`` of its kernels: ``"nngp"`` or ``"ntk"``), or from
        finitely many
        exact numbers ``>= 0``."""
        if isinstance(kernel, Zonal):
            return kernel
        if isinstance(kernel, KernelSeries):
            found = kernel.enclosures(which)
            total = kernel.nngp_total if which == "nngp" else kernel.ntk_total
            high = kernel.tail(which)
            low = min(high, max(Fraction(0), total.lower - sum((c.upper for c in found), Fraction(0))))
            return cls(found, Enclosure((low + high) / 2, (high - low) / 2))
        if isinstance(kernel, str) or not isinstance(kernel, Sequence) or not kernel:
            raise DomainError(
                f"the kernel {kernel!r}"[:80],
                "a power series or a list of exact numbers",
                "use network.series(order)",
            )
        values = [constant(value, f"coefficient {k}") for k, value in enumerate(kernel)]
        enclosed = tuple(enclose(value, _DIGITS) for value in values)
        for k, (value, ball) in enumerate(zip(values, enclosed, strict=True)):
            if ball.lower < 0 and not vanishes(value):
                raise DomainError(f"the coefficient {value} of rho^{k}", "coefficients >= 0")
        return cls(enclosed, Enclosure(Fraction(0), Fraction(0)))


@dataclass(frozen=True)
class LowerBound(Reasoned):
    """``lambda_min >= value``, found by ``method`` with the power (or from the power on) ``power``.

    ``kind`` is ``"certified"`` (``value`` a fraction, proved) or ``"float64"`` (lowered by an estimate of
    the rounding, not proved). ``method`` is ``"gershgorin"``, ``"hadamard"``, or ``"semidefinite"``: nothing
    better than 0 was found. ``"separation"`` is :func:`~analytic_ntk.bounds.separation_bound`.

    >>> print(LowerBound(Fraction(1, 4), "gershgorin", 3, "certified").explain())
    lambda_min >= 0.25 (certified: a proved rational number)
    K = sum c_k rho^k, c_k >= 0; each [rho_ij^k] is positive semidefinite (Schur): terms may be dropped.
    Gershgorin on the terms k >= 3: lambda_min >= min_i (sum c_k - sum_{j != i} |sum c_k rho_ij^k|).
    """

    value: Fraction | float
    method: Literal["gershgorin", "hadamard", "separation", "semidefinite"]
    power: int
    kind: Literal["certified", "float64"]

    def __str__(self) -> str:
        kinds = {
            "certified": "certified: a proved rational number",
            "float64": "float64: lowered by an estimate of the rounding, not proved",
        }
        reasons = {
            "gershgorin": f"Gershgorin on the terms k >= {self.power}: lambda_min >= min_i (sum c_k - "
            "sum_{j != i} |sum c_k rho_ij^k|).",
            "hadamard": f"One term is kept: lambda_min >= c_{self.power} lambda_min([rho_ij^{self.power}]).",
            "separation": f"In the terms k >= {self.power} the separation of the points bounds |rho_ij|.",
            "semidefinite": "Nothing better than 0 was found: the matrix is positive semidefinite.",
        }
        return "\n".join(
            [
                f"lambda_min >= {text_below(self.value)} ({kinds[self.kind]})",
                "K = sum c_k rho^k, c_k >= 0; each [rho_ij^k] is positive semidefinite (Schur): terms may be "
                "dropped.",
                reasons[self.method],
            ]
        )


Kernel: TypeAlias = KernelSeries | Sequence[ExactNumber] | Zonal


def gershgorin_bound(kernel: Kernel, points: Points) -> LowerBound:
    """The best ``K`` in ``lambda_min >= min_i [sum_{k>=K} c_k - sum_{j != i} |sum_{k>=K} c_k rho_ij^k|]``.

    For the kernel matrix of the points **scaled to the sphere** (``<x, x>/d = 1``): ``rho`` are their
    correlations. A series stands for its NTK; ``Zonal.of(series, "nngp")`` for the NNGP. Certified for exact
    points, float64, lowered by ``n 2^-50 sum c_k`` for rounding, for an array. Raises
    :class:`DomainError` for zero points.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.bounds import gershgorin_bound
    >>> series = Network.mlp(activations.relu, 1, 2, 0).series(30)
    >>> found = gershgorin_bound(series, [[1, 0], [3, 4], [0, 1]])
    >>> round(float(found.value), 4), found.kind
    (0.3091, 'certified')
    """
    zonal, data = Zonal.of(kernel), read_points(points)
    value, power = (
        _float_gershgorin(zonal, data) if isinstance(data, np.ndarray) else _gershgorin(zonal, data)
    )
    return _bound(value, "gershgorin", power)


def hadamard_bound(kernel: Kernel, points: Points, power: int) -> LowerBound:
    """``lambda_min >= c_power lambda_min(G^{o power})`` for the points scaled to the sphere, as above.

    Certified for exact points (``lambda_min >= |B^64|^{-1/64}``, ``B`` a certified inverse, in the row-sum
    norm), float64 for an array. Raises :class:`DomainError` for a power beyond the series.

    >>> from analytic_ntk.bounds import hadamard_bound
    >>> float(hadamard_bound([0, 1], [[1, 0], [0, 2]], 1).value)
    1.0
    """
    zonal, data = Zonal.of(kernel), read_points(points)
    require_power(power)
    if power >= len(zonal.coefficients):
        raise DomainError(
            f"power = {power}", f"at most {len(zonal.coefficients) - 1}, the order of the series"
        )
    weight = zonal.coefficients[power]
    if isinstance(data, np.ndarray):
        rho = float_correlations(data)
        least = float(np.linalg.eigvalsh(rho**power)[0]) - len(rho) * _ROUNDING
        return _bound(_float(weight) * least, "hadamard", power)
    return _bound(max(weight.lower, Fraction(0)) * _least_eigenvalue(data, power), "hadamard", power)


def lambda_min_lower_bound(kernel: Kernel, points: Points) -> LowerBound:
    """The larger of :func:`gershgorin_bound` and the best :func:`hadamard_bound` (its power chosen in
    float64 among the first 40); conventions as there.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.bounds import lambda_min_lower_bound
    >>> series = Network.mlp(activations.relu, 1, 2, 0).series(30)
    >>> found = lambda_min_lower_bound(series, [[1, 0], [3, 4], [0, 1]])
    >>> round(float(found.value), 3), found.method, found.power
    (0.309, 'gershgorin', 4)
    """
    zonal = Zonal.of(kernel)
    found = gershgorin_bound(zonal, points), khatri_rao_bound(zonal, points)
    return max(found, key=lambda bound: bound.value)


def khatri_rao_bound(kernel: Kernel, points: Points) -> LowerBound:
    """``max_r c_r lambda_min(G^{o r})`` and the ``r <= 40`` that attains it (Oymak, Soltanolkotabi 2019).

    ``G^{o r}`` is the Gram matrix of the ``r``-th Khatri-Rao powers of the points scaled to the sphere. The
    power is chosen in float64, the bound for it is :func:`hadamard_bound`; conventions as there.

    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.bounds import khatri_rao_bound
    >>> series = Network.mlp(activations.relu, 1, 2, 0).series(30)
    >>> found = khatri_rao_bound(series, [[1, 0], [0, 1]])
    >>> found.power, float(found.value)
    (1, 2.0)
    """
    zonal, data = Zonal.of(kernel), read_points(points)
    if isinstance(data, np.ndarray):
        rho = float_correlations(data)
    else:
        require_directions(gram_of(data))
        rows = [(row, max(map(abs, row))) for row in data]
        rho = float_correlations(np.array([[float(v / size) for v in row] for row, size in rows]))
    weights = [max(c.midpoint, Fraction(0)) for c in zonal.coefficients[: _GUIDE + 1]]
    guide = [w * Fraction(float(np.linalg.eigvalsh(rho**k)[0])) for k, w in enumerate(weights)]
    return hadamard_bound(zonal, points, guide.index(max(guide)))


def _bound(value: Fraction | float, method: Literal["gershgorin", "hadamard"], power: int) -> LowerBound:
    kind: Literal["certified", "float64"] = "certified" if isinstance(value, Fraction) else "float64"
    if value <= 0:  # all c_k >= 0: the matrix is positive semidefinite
        return LowerBound(Fraction(0) if kind == "certified" else 0.0, "semidefinite", 0, kind)
    return LowerBound(value, method, power, kind)


def _gershgorin(zonal: Zonal, rows: list[list[Fraction]]) -> tuple[Fraction, int]:
    with working_precision(BITS):
        weights = [c.ball() for c in zonal.coefficients]
        rho, order = correlations(rows), len(weights)
        low, high = (arb(fmpq(t.numerator, t.denominator)) for t in (zonal.tail.lower, zonal.tail.upper))
        sums = [[arb(0)] * len(rows) for _ in range(order + 1)]
        for i in range(len(rows)):
            for j in range(i):
                powers = [arb(1)]
                for _ in range(order):
                    powers.append(powers[-1] * rho[i][j])
                value, beyond = arb(0), high * abs(powers[order])  # the tail may have either sign
                for k in range(order, -1, -1):
                    value = value if k == order else value + weights[k] * powers[k]
                    size = value.abs_upper() + beyond
                    sums[k][i], sums[k][j] = sums[k][i] + size, sums[k][j] + size
        diagonal, best = low, (Fraction(-1), 0)
        for k in range(order, -1, -1):
            diagonal = diagonal if k == order else diagonal + weights[k]
            best = max(best, (min(Enclosure.of(diagonal - total).lower for total in sums[k]), k))
        return best


def _float(value: Enclosure) -> float:
    try:
        return float(value)
    except OverflowError:
        raise DomainError("a coefficient too large for float64", "up to 1e308", "give exact points") from None


def _float_gershgorin(zonal: Zonal, data: Array) -> tuple[float, int]:
    rho = float_correlations(data)
    np.fill_diagonal(rho, 0.0)
    order, tail = len(zonal.coefficients), _float(zonal.tail)
    rest, value, diagonal = tail * np.abs(rho) ** order, np.zeros_like(rho), tail
    best = (tail - float(rest.sum(axis=1).max()), order)
    for k in range(order - 1, -1, -1):
        weight = _float(zonal.coefficients[k])
        value += weight * (rho**k)
        size = np.abs(value) + rest
        np.fill_diagonal(size, 0.0)
        diagonal += weight
        best = max(best, (diagonal - float(size.sum(axis=1).max()), k))
    return best[0] - len(rho) * _ROUNDING * diagonal, best[1]


def _least_eigenvalue(rows: list[list[Fraction]], power: int) -> Fraction:
    """A proved lower bound of ``lambda_min(G^{o power})``; 0 (true, by Schur) where no inverse is found.

    ``lambda_min = 1/lambda_max(B)`` with ``B`` the inverse, and ``lambda_max(B)^64 <= |B^64|``.
    """
    for bits in (BITS, 4 * BITS, 16 * BITS):
        with working_precision(bits):
            entries = []
            for row in correlations(rows):
                raised = [arb(1)] * len(row)
                for _ in range(power):
                    raised = [a * b for a, b in zip(raised, row, strict=True)]
                entries.append(raised)
            try:
                inverse = arb_mat(entries).inv()
            except ZeroDivisionError:
                continue
            for _ in range(6):
                inverse = inverse * inverse
            sums = [sum((abs(value) for value in row), arb(0)) for row in inverse.tolist()]
            if not all(total.is_finite() for total in sums):
                continue
            least = 1 / max(total.abs_upper() for total in sums).root(64)
            if least > 0:
                return Enclosure.of(least).lower
    return Fraction(0)
