"""The kernels of a network as power series in the correlation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp
from flint import arb, arb_series, ctx

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import axes_for, html_table, tidy
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.hermite import hermite_exact
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite.table import EXACT_ORDER
from analytic_ntk.layers import Dense, Layer, Nonlinearity
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.notation import rho
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.exact import Exact
from analytic_ntk.systems.series import Series
from analytic_ntk.systems.support import ONE, Support, Supports

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_ORDER = 2_000
_SPARE_BITS = 30
MAX_EXACT_DEGREE = 32
"""Degree up to which polynomial kernels are expanded exactly; beyond it their coefficients are enclosed."""


@dataclass(frozen=True)
class KernelSeries:
    """Coefficients ``c_0 .. c_order`` of both kernels in ``rho``, for inputs with ``<x, x>/d = variance``.

    Each coefficient is an exact sympy number (0 only where it is proved to be 0) or an
    :class:`~analytic_ntk.enclosure.Enclosure`. ``nngp_total`` and ``ntk_total`` enclose the kernels at
    ``rho = 1``: all coefficients being non-negative, the difference to the partial sum bounds the tail at
    every ``rho``. ``nngp_parity`` and ``ntk_parity``, ``"even"``, ``"odd"`` or ``None``, hold for the whole
    kernel, not only for the coefficients shown.
    """

    nngp: tuple[sp.Expr | Enclosure, ...]
    ntk: tuple[sp.Expr | Enclosure, ...]
    nngp_total: Enclosure
    ntk_total: Enclosure
    digits: int
    variance: sp.Expr = sp.S.One
    nngp_parity: str | None = None
    ntk_parity: str | None = None

    @property
    def order(self) -> int:
        return len(self.nngp) - 1

    def enclosures(self, kernel: str) -> tuple[Enclosure, ...]:
        """All coefficients of one kernel as enclosures."""
        values = self._coefficients(kernel)
        return tuple(enclose(v, self.digits) if isinstance(v, sp.Expr) else v for v in values)

    def zeros(self, kernel: str) -> tuple[int, ...]:
        """The ``k <= order`` with ``c_k = 0``, each proved.

        >>> from analytic_ntk import Network, activations
        >>> Network.mlp(activations.gelu, depth=1, weight_variance=2, bias_variance=0).series(8).zeros("ntk")
        (3, 5, 7)
        """
        return tuple(k for k, c in enumerate(self._coefficients(kernel)) if c == 0)

    def tail(self, kernel: str) -> Fraction:
        """An upper bound of ``sum_{k > order} c_k``."""
        self._coefficients(kernel)
        total = self.nngp_total if kernel == "nngp" else self.ntk_total
        partial = sum((max(c.lower, Fraction(0)) for c in self.enclosures(kernel)), Fraction(0))
        return max(Fraction(0), total.upper - partial)

    def at(self, rho: Fraction | int | str, kernel: str = "ntk") -> Enclosure:
        """The kernel at ``-1 <= rho <= 1`` enclosed by the partial sum and the tail bound."""
        number = constant(rho, "rho")
        if not number.is_Rational or abs(number) > 1:
            raise DomainError(f"rho = {rho}", "a rational correlation in [-1, 1]")
        point = Fraction(int(number.p), int(number.q))
        low = high = Fraction(0)
        power = Fraction(1)
        for c in self.enclosures(kernel):
            ends = (max(c.lower, Fraction(0)) * power, c.upper * power)
            low, high = low + min(ends), high + max(ends)
            power *= point
        rest = self.tail(kernel) * abs(power)
        low = low - (rest if point < 0 else 0)
        high = high + rest
        return Enclosure((low + high) / 2, (high - low) / 2)

    def plot(self, axes: Axes | None = None) -> Axes:
        """The coefficients of both kernels over ``k`` in float64, on a logarithmic axis.

        Those that are 0, or not told from 0, are left out.
        """
        axes = axes_for(axes)
        for name, marker in (("nngp", "s"), ("ntk", "o")):
            shown = [(k, float(c)) for k, c in enumerate(self.enclosures(name)) if c.lower > 0]
            if shown:
                axes.semilogy(*zip(*shown, strict=True), marker, markersize=4, label=name.upper())
        axes.set(xlabel="$k$", ylabel=r"coefficient of $\rho^k$", xlim=(-0.5, self.order + 0.5))
        return tidy(axes)

    def _repr_html_(self) -> str:
        rows = [
            (k, *(c.decimal(20) if isinstance(c, Enclosure) else c for c in pair))
            for k, pair in enumerate(zip(self.nngp, self.ntk, strict=True))
        ]
        return html_table(("k", "NNGP", "NTK"), rows, f"coefficients of rho^k, <x, x>/d = {self.variance}")

    def _coefficients(self, kernel: str) -> tuple[sp.Expr | Enclosure, ...]:
        if kernel not in ("nngp", "ntk"):
            raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
        return self.nngp if kernel == "nngp" else self.ntk


def network_series(
    layers: tuple[Layer, ...], order: int, digits: int = 30, variance: ExactNumber = 1
) -> KernelSeries:
    """Coefficients of NNGP and NTK in ``rho`` up to ``order``, for inputs with ``<x, x>/d = variance``.

    Exact where they are: one hidden layer without input bias and a closed form, or polynomial activations
    at any depth; else enclosures with radius at most ``10^-digits`` of the kernel at ``rho = 1``, so that
    smaller coefficients have fewer certain digits. Coefficients that vanish by parity or degree are exactly
    0 (:mod:`analytic_ntk.systems.support`). Raises :class:`DomainError` for a bad order or variance,
    :class:`PrecisionError` where the digits cannot be had.
    """
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
        raise DomainError(f"order = {order!r}", f"an integer from 0 to {MAX_ORDER}")
    q = constant(variance, "variance")
    if not q.is_positive:
        raise DomainError(f"variance = {q}", "a number > 0", "a zero input has no correlation")
    for phi in activations_of(layers):
        phi.require_numeric()
    supports = _run(layers, Pair(ONE, ONE, Support(odd=1), Support()), Supports())
    exact = _shallow_series(layers, order, q) or _polynomial_series(layers, order, q)
    found: list[list[arb]] = []

    def compute() -> tuple[tuple[arb, ...], arb]:
        totals = _diagonal(layers, q)
        if exact is not None:
            return totals, totals[1]
        with working_precision(int(ctx.prec) + _SPARE_BITS):
            if supports.q12.is_constant and supports.ntk.is_constant:  # zero weights: the value at 1
                found[:] = [[total] + [arb(0)] * order for total in _diagonal(layers, q)]
            else:
                found[:] = _balls(layers, order, q)
            radii = [
                (c.rad() / abs(total)).upper()
                for row, total in zip(found, totals, strict=True)
                for c in row
                if c.rad() != 0
            ]
        return (*totals, totals[1] * arb(0, max(radii, key=float, default=arb(0)))), totals[1]

    nngp_total, ntk_total = certify(compute, digits, "the power series")[:2]
    rows: list[tuple[sp.Expr | Enclosure, ...]] = []
    for row, support in zip(exact or found, (supports.q12, supports.ntk), strict=True):
        rows.append(tuple(_coefficient(value, support.has(k)) for k, value in enumerate(row)))
    nngp, ntk = rows
    return KernelSeries(nngp, ntk, nngp_total, ntk_total, digits, q, supports.q12.parity, supports.ntk.parity)


def _coefficient(value: sp.Expr | arb, possible: bool) -> sp.Expr | Enclosure:
    if not possible or value == 0:
        return sp.S.Zero
    return Enclosure.of(value) if isinstance(value, arb) else value


def _diagonal(layers: tuple[Layer, ...], q: sp.Expr) -> tuple[arb, arb]:
    """Both kernels at ``rho = 1``."""
    ball = Ball().number(q)
    pair = _run(layers, Pair(ball, ball, ball, arb(0), arb(0)), Ball())
    return pair.q12, pair.ntk


def _balls(layers: tuple[Layer, ...], order: int, q: sp.Expr) -> list[list[arb]]:
    """The coefficients of both kernels at the working precision."""
    ball = Ball().number(q)
    before, ctx.cap = ctx.cap, order + 1
    try:
        pair = _run(layers, Pair(ball, ball, arb_series([0, ball]), arb_series([0])), Series(order))
        return [[series[k] for k in range(order + 1)] for series in (pair.q12, pair.ntk)]
    finally:
        ctx.cap = before


def _run(layers: tuple[Layer, ...], pair: Pair, system: Ball | Series | Exact | Supports) -> Pair:
    for layer in layers:
        pair = layer.push(pair, system)
    return pair


def enclose(value: sp.Expr, digits: int) -> Enclosure:
    """An exact real number as an enclosure."""
    return certify(lambda: ((Ball().number(value),), arb(1)), digits, "an exact coefficient")[0]


Coefficients = tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]


def _polynomial_series(layers: tuple[Layer, ...], order: int, q: sp.Expr) -> Coefficients | None:
    """All activations polynomial: the kernels are polynomials in ``rho`` with exact coefficients."""
    degree = 1
    for phi in activations_of(layers):
        if phi.polynomial_degree is None:
            return None
        degree *= max(1, phi.polynomial_degree)
    if degree > MAX_EXACT_DEGREE:
        return None
    result = _run(layers, Pair(q, q, q * rho, sp.S.Zero), Exact())
    rows = []
    for kernel in (result.q12, result.ntk):
        poly = sp.Poly(sp.expand(kernel), rho)
        rows.append(tuple(poly.nth(k) for k in range(order + 1)))
    return rows[0], rows[1]


def _shallow_series(layers: tuple[Layer, ...], order: int, variance: sp.Expr) -> Coefficients | None:
    """One hidden layer, no input bias: ``w a_k^2`` and ``w (a_k^2 + q d_{k-1}^2)``, exact."""
    if len(layers) != 3 or not isinstance(layers[0], Dense) or not isinstance(layers[2], Dense):
        return None
    if not isinstance(layers[1], Nonlinearity) or layers[0].bias_variance != 0:
        return None
    phi = layers[1].activation
    terms = terms_of(phi.pieces)
    if terms is None or order > EXACT_ORDER:
        return None
    q = sp.sympify(layers[0].weight_variance) * variance
    if q == 0:
        return None
    weight, bias = sp.sympify(layers[2].weight_variance), sp.sympify(layers[2].bias_variance)
    try:
        squares = [sp.expand(a**2) for a in hermite_exact(terms, order, q)]
    except NoClosedFormError:
        return None
    nngp = [weight * c for c in squares]
    nngp[0] += bias
    if phi.is_continuous:
        ntk = [c + weight * k * squares[k] for k, c in enumerate(nngp)]
    else:
        slopes = terms_of(phi.derivative)
        if slopes is None:
            return None
        inner = [sp.S.Zero, *(sp.expand(d**2) for d in hermite_exact(slopes, order, q))]
        ntk = [c + weight * q * inner[k] for k, c in enumerate(nngp)]
    return tuple(nngp), tuple(ntk)
