"""Eigenvalues of Taylor kernels on the sphere: from the power series, or by quadrature.

The power series serves smooth activations, and every one in high dimension. Where ``phi^(j)`` has a kink or a
jump its coefficients fall like a power only; then the integral ``E K(t) P_k(t)`` is computed itself, from
certified values of the kernel, with the nodes and the proved error of
:mod:`analytic_ntk.spectrum.quadrature`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import sympy as sp
from flint import arb, fmpq

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import PrecisionError
from analytic_ntk.hermite.adaptive import require_digits
from analytic_ntk.series import MAX_ORDER
from analytic_ntk.spectrum import SphereSpectrum, multiplicity, power_eigenvalue
from analytic_ntk.spectrum.doors import most_nodes
from analytic_ntk.spectrum.harmonics import require_degree, require_dim
from analytic_ntk.spectrum.line import NetworkKernel, correlation
from analytic_ntk.spectrum.powers import eigenvalue_balls, one_sided
from analytic_ntk.spectrum.quadrature import to_digits
from analytic_ntk.spectrum.structure import Structure
from analytic_ntk.theory.taylor.kernel import TaylorKernel
from analytic_ntk.theory.taylor.series import TaylorSeries, power_series, require_kernel, structure

METHODS = ("exact", "series", "quadrature")
_SPARE = 64
_FIRST_ORDER = 48
_MOST_DIGITS = 30
"""Coefficients are computed to at most so many times the digits asked for."""

Values = tuple[sp.Expr | Enclosure, ...]


def sphere(kernel: TaylorKernel, dim: int, degree: int, digits: int = 20) -> SphereSpectrum:
    """Eigenvalues ``lambda_0 .. lambda_degree`` on ``S^(dim-1)``, for inputs with ``<x, x>/d = 1``.

    Exact for polynomials; else ``digits`` certain digits each, or exactly 0 where parity or degree proves it:
    from a longer and longer power series with its tail bound, or by quadrature with a proved error (for
    activations with kinks in low dimension). ``method`` of the answer says which. Raises
    :class:`PrecisionError` (with what was reached) where neither gives the digits.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import taylor
    >>> found = taylor.sphere(taylor.kernel(activations.sin, 2), dim=3, degree=2, digits=8)
    >>> found.eigenvalues[0], found.eigenvalues[1].decimal(8), found.eigenvalues[2]
    (0, '0.0826822...', 0)
    >>> kinked = taylor.sphere(taylor.kernel(activations.relu, 1), dim=3, degree=2, digits=15)
    >>> kinked.method, kinked.eigenvalues[1].decimal(12)
    ('quadrature', '0.0833333333333')
    """
    require_kernel(kernel)
    require_dim(dim)
    require_degree(degree)
    require_digits(digits)
    shape = structure(kernel)
    routes = [_by_series, _by_quadrature]
    if shape.whole.exponent < math.inf and dim < 10 * max(degree, 10):
        routes.reverse()
    failure: PrecisionError | None = None
    for route in routes:
        try:
            method, values, trace = route(kernel, shape, dim, degree, digits)
        except PrecisionError as error:
            failure = error if failure is None or error.reached > failure.reached else failure
            continue
        counts = tuple(multiplicity(dim, k) for k in range(degree + 1))
        name = f"Taylor kernel of order {kernel.order} ({kernel.layers})"
        return SphereSpectrum(dim, name, method, digits, values, counts, trace)
    assert failure is not None
    raise failure


# ------------------------------------------------------------------------------------ the power series


def _by_series(
    kernel: TaylorKernel, shape: Structure, dim: int, degree: int, digits: int
) -> tuple[str, Values, Enclosure]:
    last = shape.whole.degree
    order = int(max(last, 0)) if last <= MAX_ORDER else min(MAX_ORDER, max(_FIRST_ORDER, 2 * degree))
    wanted, reached = digits + 10, 0
    while True:
        series = power_series(kernel, order, wanted)
        values = _eigenvalues(series, shape, dim, degree)
        found = min((v.digits for v in values if isinstance(v, Enclosure)), default=10**6)
        reached = max(reached, found)
        if found >= digits:
            method = "exact" if not any(isinstance(v, Enclosure) for v in values) else "series"
            return method, values, series.total
        if last <= order or _tail_digits(series) >= wanted - 5 - 2 * math.log10(order + 1):
            wanted += digits + wanted // 2  # the tail is as small as the coefficients let it be seen
        elif order < MAX_ORDER:
            order = min(MAX_ORDER, 2 * order)
        else:
            wanted = _MOST_DIGITS * digits + 1_000
        if wanted > _MOST_DIGITS * digits + 500:
            raise PrecisionError(
                f"{reached} digits of eigenvalues up to degree {degree} from {order} powers",
                f"{digits} digits",
                "ask for fewer digits or a lower degree",
                reached=reached,
            )


def _eigenvalues(series: TaylorSeries, shape: Structure, dim: int, degree: int) -> Values:
    if shape.whole.degree <= series.order and not any(isinstance(c, Enclosure) for c in series.coefficients):
        exact = [sp.sympify(c) for c in series.coefficients]
        return tuple(
            sp.Add(*(c * _rational(power_eigenvalue(j, k, dim)) for j, c in enumerate(exact)))
            for k in range(degree + 1)
        )
    with working_precision(bits_for(series.digits) + _SPARE):
        tail = series.tail()
        rest = one_sided(arb(fmpq(tail.numerator, tail.denominator)))
        balls = eigenvalue_balls([c.ball() for c in series.enclosures()], rest, dim, degree, shape)
        return tuple(sp.S.Zero if shape.vanishes(k) else Enclosure.of(v) for k, v in enumerate(balls))


def _tail_digits(series: TaylorSeries) -> float:
    share = series.tail() / series.total.upper
    return math.inf if share == 0 else math.log10(share.denominator) - math.log10(share.numerator)


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


# ------------------------------------------------------------------------------------ quadrature


@dataclass(frozen=True)
class _Line:
    """A Taylor kernel at the nodes of the quadrature, for inputs with ``<x, x>/d = 1``.

    Its power series has non-negative coefficients (each part is a polynomial with such, times a dual), so it
    is monotone and bounded on the unit disk by its value at 1.
    """

    kernel: TaylorKernel

    @cached_property
    def parts(self) -> tuple[tuple[int, int, NetworkKernel], ...]:
        parts = self.kernel.parts
        return tuple((p.factor, p.power, NetworkKernel.of(p.network.layers, "nngp")) for p in parts)

    @property
    def monotone(self) -> bool:
        return True

    def ends(self) -> tuple[arb, arb]:
        return self._sum(arb(1), lambda dual: dual.ends())

    def bound(self) -> arb:
        return arb(self.ends()[0].abs_upper())

    def at(self, step: Fraction, index: int) -> tuple[arb, arb]:
        return self._sum(correlation(step * index)[0], lambda dual: dual.at(step, index))

    def _sum(self, rho: arb, values: Callable[[NetworkKernel], tuple[arb, arb]]) -> tuple[arb, arb]:
        w, b, constant = (
            exact_ball(e).real
            for e in (self.kernel.weight_variance, self.kernel.bias_variance, self.kernel.constant)
        )
        plus, minus = constant, constant
        for factor, power, dual in self.parts:
            above, below = values(dual)
            for _ in range(power):
                above, below = above * (b + w * rho), below * (b - w * rho)
            plus, minus = plus + factor * above, minus + factor * below
        return plus, minus


def _by_quadrature(
    kernel: TaylorKernel, shape: Structure, dim: int, degree: int, digits: int
) -> tuple[str, Values, Enclosure]:
    zeros = [shape.vanishes(k) for k in range(degree + 1)]
    power = 2 * shape.whole.exponent + 1 if shape.whole.exponent < math.inf else 8
    guess = math.log10(multiplicity(dim, degree)) + power * math.log10(degree + 1) + 1
    most = min(most_nodes(part.network) for part in kernel.parts)
    balls = to_digits(_Line(kernel), zeros, dim, degree, digits, guess, most)
    values = tuple(sp.S.Zero if zero else Enclosure.of(v) for zero, v in zip(zeros, balls, strict=True))
    return "quadrature", values, kernel.at(1, 1, 1, digits + 10)
