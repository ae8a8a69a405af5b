"""Taylor kernels as power series in the correlation.

With unit weight variance and no bias, at inputs with ``<x, x>/d = 1``,

    first:  sum_k k (k-1) .. (k-j+1) a_k^2 rho^k          all:  .. + j k (k-1) .. (k-j+2) a_k^2 rho^k

(``a_k`` the Hermite coefficients of ``phi``: Mehler's formula, derived ``j`` times by Price's theorem).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown, html_table, short
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.layers.units import require_count
from analytic_ntk.series import MAX_ORDER
from analytic_ntk.spectrum.structure import Part, Structure, kernel_structure
from analytic_ntk.theory.taylor.kernel import TaylorKernel

_SPARE = 64


@dataclass(frozen=True)
class TaylorSeries(Shown):
    """Coefficients ``c_0 .. c_order`` in ``rho`` for inputs with ``<x, x>/d = variance``; all are >= 0.

    Each is an exact sympy number (0 only where proved) or an enclosure. ``total`` encloses the kernel at
    ``rho = 1``: what it exceeds the partial sum by bounds the tail at every ``rho``.
    """

    coefficients: tuple[sp.Expr | Enclosure, ...]
    total: Enclosure
    digits: int
    variance: sp.Expr

    @property
    def order(self) -> int:
        return len(self.coefficients) - 1

    def enclosures(self) -> tuple[Enclosure, ...]:
        """All coefficients as enclosures."""
        return tuple(c if isinstance(c, Enclosure) else _enclosed(c, self.digits) for c in self.coefficients)

    def _repr_html_(self) -> str:
        rows = [(k, short(c)) for k, c in enumerate(self.coefficients)]
        head = f"coefficients of rho^k, <x, x>/d = {self.variance}"
        return html_table(("k", "coefficient"), rows, head)

    def tail(self) -> Fraction:
        """An upper bound of ``sum_{k > order} c_k``."""
        partial = sum((max(c.lower, Fraction(0)) for c in self.enclosures()), Fraction(0))
        return max(Fraction(0), self.total.upper - partial)

    def at(self, rho: ExactNumber) -> Enclosure:
        """The kernel at a rational ``-1 <= rho <= 1``: the partial sum and the tail bound."""
        number = constant(rho, "rho")
        if not number.is_Rational or abs(number) > 1:
            raise DomainError(f"rho = {rho}", "a rational correlation in [-1, 1]")
        point = Fraction(int(number.p), int(number.q))
        middle = radius = Fraction(0)
        for k, c in enumerate(self.enclosures()):
            middle, radius = middle + c.midpoint * point**k, radius + c.radius * abs(point) ** k
        return Enclosure(middle, radius + self.tail() * abs(point) ** (self.order + 1))


def power_series(
    kernel: TaylorKernel, order: int, digits: int = 30, variance: ExactNumber = 1
) -> TaylorSeries:
    """The coefficients up to ``order`` (at most 2000), exact where the activation's are, else enclosures.

    Radii are at most about ``10^-digits`` of the kernel at ``rho = 1``. Raises :class:`DomainError` for a
    bad order or variance, :class:`PrecisionError` where the digits cannot be had.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import taylor
    >>> taylor.power_series(taylor.kernel(activations.sin, 2), 5).coefficients
    (0, 0, 0, exp(-1), 0, exp(-1)/6)
    """
    require_kernel(kernel)
    require_count(order, "order", 0)
    if order > MAX_ORDER:
        raise DomainError(f"order = {order}", f"at most {MAX_ORDER}")
    kernel._require_numeric()
    q = constant(variance, "variance")
    if not q.is_positive:
        raise DomainError(f"variance = {q}", "a number > 0", "a zero input has no correlation")
    slope, shift = kernel.weight_variance * q, kernel.bias_variance
    known = [(part, part.network.series(order, digits + 5, q)) for part in kernel.parts]
    shape = structure(kernel)
    exact = all(isinstance(c, sp.Expr) for _, series in known for c in series.nngp)
    coefficients: list[sp.Expr | Enclosure] = []
    with working_precision(bits_for(digits) + _SPARE):
        sums: list[list[sp.Expr]] = [[sp.S.Zero] for _ in range(order + 1)]
        balls = [arb(0)] * (order + 1)
        sums[0].append(kernel.constant)
        balls[0] += exact_ball(kernel.constant).real
        total = exact_ball(kernel.constant).real
        for part, series in known:
            found = [] if exact else [c.ball() for c in series.enclosures("nngp")]
            for i in range(part.power + 1):
                factor = part.factor * math.comb(part.power, i) * slope**i * shift ** (part.power - i)
                if factor == 0:
                    continue
                ball = exact_ball(factor).real
                for k in range(order + 1 - i):
                    if exact:
                        sums[k + i].append(factor * series.nngp[k])
                    else:
                        balls[k + i] += ball * found[k]
            scale = exact_ball(slope + shift).real
            at_one = part.factor * series.nngp_total.ball()
            for _ in range(part.power):
                at_one *= scale
            total += at_one
        for k in range(order + 1):
            if shape.vanishes(k):
                coefficients.append(sp.S.Zero)
            elif exact:
                coefficients.append(sp.Add(*sums[k]))
            else:
                coefficients.append(sp.S.Zero if balls[k] == 0 else Enclosure.of(balls[k]))
        return TaylorSeries(tuple(coefficients), Enclosure.of(total), digits, q)


def structure(kernel: TaylorKernel) -> Structure:
    """Which powers a Taylor kernel has at all, proved by parity and degree."""
    line = Structure(
        Part(-1 if kernel.bias_variance == 0 else 0), Part(-1 if kernel.weight_variance == 0 else 1)
    )
    total = Structure(Part(-1 if kernel.constant == 0 else 0), Part(-1))
    for part in kernel.parts:
        found = kernel_structure(part.network.layers, "nngp")
        for _ in range(part.power):
            found = found * line
        total = total + found
    return total


def require_kernel(kernel: TaylorKernel) -> None:
    """Raise :class:`DomainError` for anything but a :class:`TaylorKernel`."""
    if not isinstance(kernel, TaylorKernel):
        raise DomainError(
            f"kernel = {kernel!r}"[:100], "a TaylorKernel", "use taylor.kernel(activation, order)"
        )


def _enclosed(value: sp.Expr, digits: int) -> Enclosure:
    return certify(lambda: ((exact_ball(value).real,), arb(1)), digits, "a coefficient")[0]
