"""Eigenvalues from a power series in ``rho``, the tail enclosed.

    lambda_k = sum_{k <= j <= N, j = k mod 2} c_j m(j, k) + rest,     |rest| <= tail max_{j > N} m(j, k)

with ``tail >= sum_{j > N} |c_j|``. The maximum stands at the first ``j > N`` from which
:func:`~analytic_ntk.spectrum.harmonics.first_decreasing` lets ``m`` fall. With ``c_j >= 0`` the rest is not
negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from flint import arb, fmpq

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from analytic_ntk.series import MAX_ORDER
from analytic_ntk.spectrum.harmonics import diagonal_balls, first_decreasing, power_ball
from analytic_ntk.spectrum.structure import Structure


@dataclass(frozen=True, init=False)
class PowerKernel(Shown):
    """The zonal kernel ``sum_j c_j rho^j``: coefficients of any sign, and ``tail >= sum_{j > N} |c_j|``.

    Coefficients are exact numbers (``1``, ``"1/3"``, ``sp.pi``) or enclosures; ``tail`` is an exact number,
    0 for a polynomial. Raises :class:`DomainError` otherwise.

    >>> PowerKernel(["1/2", 0, 1]).coefficients
    (1/2, 0, 1)
    """

    coefficients: tuple[sp.Expr | Enclosure, ...]
    tail: sp.Expr

    def __init__(self, coefficients: Sequence[ExactNumber | Enclosure], tail: ExactNumber = 0) -> None:
        if isinstance(coefficients, (str, bytes)) or not isinstance(coefficients, Sequence):
            raise DomainError(f"coefficients = {coefficients!r}"[:100], "a sequence of numbers")
        values = tuple(
            c if isinstance(c, Enclosure) else constant(c, f"c_{j}") for j, c in enumerate(coefficients)
        )
        rest = constant(tail, "tail")
        if not rest.is_nonnegative:
            raise DomainError(f"tail = {rest}", "a bound >= 0 of sum |c_j| over the coefficients left out")
        object.__setattr__(self, "coefficients", values or (sp.S.Zero,))
        object.__setattr__(self, "tail", rest)

    @property
    def is_exact(self) -> bool:
        """Whether this is a polynomial with exact coefficients."""
        return self.tail == 0 and not any(isinstance(c, Enclosure) for c in self.coefficients)


def eigenvalue_balls(
    coefficients: Sequence[arb], rest: arb, dim: int, degree: int, structure: Structure | None = None
) -> list[arb]:
    """``lambda_0 .. lambda_degree`` at the working precision.

    ``rest`` is a ball that holds every sub-sum of the coefficients left out: ``[0, tail]`` or
    ``[-tail, tail]``. A ``structure`` says which parities end before.
    """
    order = len(coefficients) - 1
    values = []
    for k, start in enumerate(diagonal_balls(degree, dim)):
        total, m = arb(0), start
        for j in range(k, order + 1, 2):
            total += coefficients[j] * m
            m = m * fmpq((j + 1) * (j + 2), (j - k + 2) * (j + k + dim))
        ended = structure is not None and structure.part(k).degree <= order
        if not (ended or rest == 0):  # a ball that meets 0 is neither equal nor unequal to it
            total += rest * _largest(order, k, dim)
        values.append(total)
    return values


def _largest(order: int, degree: int, dim: int) -> arb:
    """An upper bound of ``m(j, degree)`` over the powers ``j > order`` of the parity of ``degree``."""
    place = max(order + 1, first_decreasing(degree, dim))
    place += (place - degree) % 2
    return arb(power_ball(place, degree, dim).abs_upper())


def one_sided(tail: arb) -> arb:
    """The ball ``[0, tail]``."""
    half = arb(tail.abs_upper()) / 2
    return half + arb(0, half.abs_upper())


@dataclass(frozen=True)
class Partial:
    """Eigenvalues from the first ``order`` powers, and the coefficients' mass left out (in digits)."""

    balls: list[arb]
    order: int
    tail_digits: float


def network_eigenvalues(
    network: Network, kernel: str, structure: Structure, dim: int, degree: int, order: int, digits: int
) -> Partial:
    """Eigenvalues from ``network.series(order, digits)``."""
    series = network.series(order, digits)
    total = series.nngp_total if kernel == "nngp" else series.ntk_total
    with working_precision(bits_for(digits) + 64):
        found = [c.ball() for c in series.enclosures(kernel)]
        left = series.tail(kernel)
        tail = arb(fmpq(left.numerator, left.denominator))
        balls = eigenvalue_balls(found, one_sided(tail), dim, degree, structure)
        size = total.ball()
        share = float((tail / size).log().upper()) if tail > 0 and size > 0 else -math.inf
    return Partial(balls, order, -share / math.log(10))


def network_series_digits(
    network: Network,
    kernel: str,
    structure: Structure,
    dim: int,
    degree: int,
    digits: int,
    largest: int = MAX_ORDER,
) -> list[arb]:
    """Eigenvalues with ``digits`` certain digits each, by raising the order and the digits of the series.

    Raises :class:`PrecisionError`, saying what was reached, where order ``largest`` does not suffice.
    """
    finite = structure.whole.degree
    order, wanted = min(max(2 * degree, 64), largest), digits + 10
    if finite < math.inf:
        order = max(1, min(int(finite), largest))
    reached, before = 0, (0, 0)
    while True:
        found = network_eigenvalues(network, kernel, structure, dim, degree, order, wanted)
        good = _digits(found.balls, structure)
        reached = max(reached, good)
        if good >= digits:
            return found.balls
        floor = wanted - 3 - 2 * math.log10(order + 1)  # the series is not known any better than this
        if found.tail_digits >= floor or finite <= order:
            if wanted > 40 * digits + 4_000:
                break
            wanted += max(digits - good, wanted // 2 if good == 0 else 0) + 5
            continue
        step = (good - before[1]) / (order - before[0])  # falling: a straight line is the most to hope for
        if order >= largest or (before[1] > 0 and good + step * (largest - order) < digits):
            break
        before = order, good
        order = min(largest, order * 8 // 5)
    raise PrecisionError(
        f"{reached} digits of eigenvalues up to degree {degree} from a power series of order {order}",
        f"{digits} digits",
        'ask for fewer digits or a lower degree, or try method="quadrature"',
        reached=reached,
    )


def _digits(balls: list[arb], structure: Structure) -> int:
    live = [Enclosure.of(b) for k, b in enumerate(balls) if not structure.vanishes(k)]
    return min((e.digits for e in live), default=10**6)
