"""The kernels of a network as power series in the correlation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb, arb_series, ctx

from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError
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

MAX_ORDER = 2_000
MAX_EXACT_DEGREE = 32
"""Degree up to which polynomial kernels are expanded exactly; beyond it their coefficients are enclosed."""


@dataclass(frozen=True)
class KernelSeries:
    """Coefficients ``c_0 .. c_order`` of both kernels in ``rho``, for inputs with ``<x, x>/d = 1``.

    Each coefficient is an exact sympy number or an :class:`~analytic_ntk.enclosure.Enclosure`.
    ``nngp_total`` and ``ntk_total`` enclose the kernels at ``rho = 1``: all coefficients being
    non-negative, the difference to the partial sum bounds the tail at every ``rho``.
    """

    nngp: tuple[sp.Expr | Enclosure, ...]
    ntk: tuple[sp.Expr | Enclosure, ...]
    nngp_total: Enclosure
    ntk_total: Enclosure
    digits: int

    @property
    def order(self) -> int:
        return len(self.nngp) - 1

    def enclosures(self, kernel: str) -> tuple[Enclosure, ...]:
        """All coefficients of one kernel as enclosures."""
        values = self._coefficients(kernel)
        return tuple(enclose(v, self.digits) if isinstance(v, sp.Expr) else v for v in values)

    def tail(self, kernel: str) -> Fraction:
        """An upper bound of ``sum_{k > order} c_k``."""
        total = self.nngp_total if kernel == "nngp" else self.ntk_total
        partial = sum((c.lower for c in self.enclosures(kernel)), Fraction(0))
        return max(Fraction(0), total.upper - partial)

    def at(self, rho: Fraction | int | str, kernel: str = "ntk") -> Enclosure:
        """The kernel at ``-1 <= rho <= 1`` enclosed by the partial sum and the tail bound."""
        point = Fraction(rho)
        if abs(point) > 1:
            raise DomainError(f"rho = {rho}", "a correlation in [-1, 1]")
        low = high = Fraction(0)
        for k, c in enumerate(self.enclosures(kernel)):
            ends = (c.lower * point**k, c.upper * point**k)
            low, high = low + min(ends), high + max(ends)
        rest = self.tail(kernel) * abs(point) ** (self.order + 1)
        low = low - (rest if point < 0 else 0)
        high = high + rest
        return Enclosure((low + high) / 2, (high - low) / 2)

    def _coefficients(self, kernel: str) -> tuple[sp.Expr | Enclosure, ...]:
        if kernel not in ("nngp", "ntk"):
            raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
        return self.nngp if kernel == "nngp" else self.ntk


def network_series(layers: tuple[Layer, ...], order: int, digits: int = 30) -> KernelSeries:
    """Coefficients of NNGP and NTK in ``rho`` up to ``order``, for inputs with ``<x, x>/d = 1``.

    Exact where they are: one hidden layer without input bias and a closed form, or polynomial activations
    at any depth; else enclosures with radius at most ``10^-digits`` of the kernel at ``rho = 1``. Raises
    :class:`DomainError` for a bad order, :class:`PrecisionError` where the digits cannot be had.
    """
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
        raise DomainError(f"order = {order!r}", f"an integer from 0 to {MAX_ORDER}")
    for phi in activations_of(layers):
        phi.require_numeric()
    exact = _polynomial_series(layers, order) or _shallow_series(layers, order)

    def compute() -> tuple[tuple[arb, ...], arb]:
        one = arb(1)
        diagonal = _run(layers, Pair(one, one, one, arb(0), arb(0)), Ball())
        if exact is not None:
            return (diagonal.q12, diagonal.ntk), diagonal.ntk
        before, ctx.cap = ctx.cap, order + 1
        try:
            line = arb_series([0, 1])
            system = Series(order, order + 3 * int(ctx.prec))
            result = _run(layers, Pair(one, one, line, arb_series([0])), system)
        finally:
            ctx.cap = before
        values = [series[k] for series in (result.q12, result.ntk) for k in range(order + 1)]
        return (*values, diagonal.q12, diagonal.ntk), diagonal.ntk

    found = certify(compute, digits, "the power series")
    if exact is not None:
        return KernelSeries(*exact, found[0], found[1], digits)
    n = order + 1
    return KernelSeries(found[:n], found[n : 2 * n], found[-2], found[-1], digits)


def _run(layers: tuple[Layer, ...], pair: Pair, system: Ball | Series | Exact) -> Pair:
    for layer in layers:
        pair = layer.push(pair, system)
    return pair


def enclose(value: sp.Expr, digits: int) -> Enclosure:
    """An exact real number as an enclosure."""
    return certify(lambda: ((Ball().number(value),), arb(1)), digits, str(value))[0]


Coefficients = tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]


def _polynomial_series(layers: tuple[Layer, ...], order: int) -> Coefficients | None:
    """All activations polynomial: the kernels are polynomials in ``rho`` with exact coefficients."""
    degree = 1
    for phi in activations_of(layers):
        if phi.polynomial_degree is None:
            return None
        degree *= max(1, phi.polynomial_degree)
    if degree > MAX_EXACT_DEGREE:
        return None
    result = _run(layers, Pair(sp.S.One, sp.S.One, rho, sp.S.Zero), Exact())
    rows = []
    for kernel in (result.q12, result.ntk):
        poly = sp.Poly(sp.expand(kernel), rho)
        rows.append(tuple(poly.nth(k) for k in range(order + 1)))
    return rows[0], rows[1]


def _shallow_series(layers: tuple[Layer, ...], order: int) -> Coefficients | None:
    """One hidden layer, no input bias: ``w a_k^2`` and ``w (a_k^2 + q d_{k-1}^2)``, exact."""
    if len(layers) != 3 or not isinstance(layers[0], Dense) or not isinstance(layers[2], Dense):
        return None
    if not isinstance(layers[1], Nonlinearity) or layers[0].bias_variance != 0:
        return None
    phi = layers[1].activation
    terms = terms_of(phi.pieces)
    if terms is None or order > EXACT_ORDER:
        return None
    q = sp.sympify(layers[0].weight_variance)
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
