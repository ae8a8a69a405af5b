"""The number systems agree: closed forms, power series and float64, each against certified digits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.laws.cases import AtCovariance, Case
from analytic_ntk.laws.doors import Doors, Points
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur, Strata
from analytic_ntk.laws.measure import (
    Plant,
    above_margin,
    faulty_at,
    faulty_gram,
    over,
    overlap_margin,
    product,
    rounding,
    scaled,
    size,
)
from analytic_ntk.laws.of_grams import ALL_SHAPES, on_data
from analytic_ntk.laws.subject import Subject
from analytic_ntk.network import KernelValues, Network
from analytic_ntk.series import KernelSeries
from analytic_ntk.strategies import Covariance, Stratum, covariances

Array = NDArray[np.float64]
DIGITS = 20
ORDER = 32


def at_input_covariances(*groups: tuple[Stratum, ...], max_depth: int = 3) -> Strata:
    """Cases of a network at covariances of each group of strata."""

    def strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
        bound = subject.max_input_variance
        return tuple(
            st.builds(_case, subject.networks(max_depth), covariances(group, bound)) for group in groups
        )

    return strata


def _case(target: Network, c: Covariance) -> AtCovariance:
    return AtCovariance(target, c.xx, c.xy, c.yy)


def of_network(case: Case) -> tuple[Network, Fraction, Fraction, Fraction]:
    if not isinstance(case, AtCovariance) or not isinstance(case.target, Network):
        raise DomainError(f"{case!r}"[:80], "a network at a covariance", "use laws.AtCovariance")
    return case.target, case.xx, case.xy, case.yy


def both(found: KernelValues, other: KernelValues) -> float:
    return max(overlap_margin(found.nngp, other.nngp), overlap_margin(found.ntk, other.ntk))


def is_zero(*values: Enclosure) -> bool:
    return all(value.midpoint == 0 or value.digits == 0 for value in values)


# ------------------------------------------------------------------------------------ Cauchy-Schwarz


def _cauchy_schwarz(case: Case, doors: Doors) -> Outcome:
    network, xx, xy, yy = of_network(case)
    here, one, two = (
        doors.at(network, a, c, b, DIGITS) for a, c, b in ((xx, xy, yy), (xx, xx, xx), (yy, yy, yy))
    )
    margins = [
        above_margin(product(k, k), product(a, b))
        for k, a, b in ((here.nngp, one.nngp, two.nngp), (here.ntk, one.ntk, two.ntk))
    ]
    return Outcome(max(margins), is_zero(here.nngp, here.ntk) or xx == xy == yy)


CAUCHY_SCHWARZ = Law(
    name="sq_kernel_le_mul_self",
    statement="K(x, y)^2 <= K(x, x) K(y, y), the Cauchy-Schwarz inequality",
    latex=r"K(x,y)^2\le K(x,x)\,K(y,y)",
    kind=Kind.CERTIFIED,
    strata=at_input_covariances(
        (Stratum.ANTIPODAL,),
        (Stratum.NEAR_DUPLICATE,),
        (Stratum.GENERIC, Stratum.ZERO, Stratum.TINY),
        (Stratum.HUGE,),
    ),
    check=_cauchy_schwarz,
    saboteurs=(
        Saboteur("both kernels too large off the diagonal",
                 faulty_at(True, True, lambda xx, xy, yy: not xx == xy == yy)),
        Saboteur("the NTK too large off the diagonal",
                 faulty_at(False, True, lambda xx, xy, yy: not xx == xy == yy)),
    ),
    smallest_fault=1e-29,
    reference="x*erf(x)",
)  # fmt: skip


# ------------------------------------------------------------------------------------ exact


def _formula(case: Case, doors: Doors) -> Outcome:
    network, xx, xy, yy = of_network(case)
    exact = doors.formula(network, xx, xy, yy, DIGITS)
    found = doors.at(network, xx, xy, yy, DIGITS)
    return Outcome(both(exact, found), is_zero(found.nngp, found.ntk))


def _skip_formula(subject: Subject) -> str:
    network = subject.what
    if isinstance(network, Activation):
        network = Network.mlp(network, 1, 1, 0)
    try:
        formula = network.formula()
    except AnalyticNTKError as error:
        return f"no formula: {error.given}"
    return "" if formula.is_closed else f"no closed form: {formula.reason}"


def _scaled_formula(doors: Doors, fault: Fraction) -> Doors:
    def formula(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
        found = doors.formula(network, xx, xy, yy, digits)
        return KernelValues(scaled(found.nngp, 1 + fault), found.ntk)

    return replace(doors, formula=formula)


FORMULA = Law(
    name="formula_eq_certified",
    statement="the closed forms, evaluated, are the certified kernels",
    latex=r"K_{\text{formula}}=K_{\text{certified}}",
    kind=Kind.EXACT,
    strata=at_input_covariances(
        (Stratum.GENERIC, Stratum.EQUAL_NORMS),
        (Stratum.ORTHOGONAL,),
        (Stratum.HUGE, Stratum.TINY),
        max_depth=2,
    ),
    check=_formula,
    saboteurs=(
        Saboteur("formula of the NNGP too large", _scaled_formula),
        Saboteur("certified NTK too large", faulty_at(False, True, lambda xx, xy, yy: True)),
    ),
    smallest_fault=1e-30,
    skip=_skip_formula,
)  # fmt: skip


# ------------------------------------------------------------------------------------ series


def _series(case: Case, doors: Doors) -> Outcome:
    network, xx, xy, yy = of_network(case)
    if xx != yy or xx == 0:
        return Outcome(0.0, trivial=True)
    expansion = doors.series(network, ORDER, DIGITS, xx)
    found = doors.at(network, xx, xy, yy, DIGITS)
    sums = KernelValues(expansion.at(xy / xx, "nngp"), expansion.at(xy / xx, "ntk"))
    seen = any(
        size(k) > 10**6 * (k.radius + s.radius) for k, s in ((found.nngp, sums.nngp), (found.ntk, sums.ntk))
    )
    return Outcome(both(sums, found), trivial=not seen)


def _scaled_series(doors: Doors, fault: Fraction) -> Doors:
    def series(network: Network, order: int, digits: int, variance: Fraction) -> KernelSeries:
        found = doors.series(network, order, digits, variance)
        return replace(
            found,
            nngp=tuple(scaled(c, 1 + fault) for c in found.enclosures("nngp")),
            nngp_total=scaled(found.nngp_total, 1 + fault),
        )

    return replace(doors, series=series)


SERIES = Law(
    name="series_eq_certified",
    statement="the power series in rho, its tail enclosed, are the certified kernels",
    latex=r"\sum_k c_k\rho^k=K_{\text{certified}}(\rho)",
    kind=Kind.CERTIFIED,
    strata=at_input_covariances((Stratum.EQUAL_NORMS,), max_depth=2),
    check=_series,
    saboteurs=(
        Saboteur("series of the NNGP too large", _scaled_series),
        Saboteur("certified NTK too large", faulty_at(False, True, lambda xx, xy, yy: True)),
    ),
    smallest_fault=1e-30,
)


# ------------------------------------------------------------------------------------ float64


def _float64(case: Case, doors: Doors) -> Outcome:
    """Three entries: the first row with itself, with the next and with the last."""
    network, X, _ = on_data(case)
    floats, allowed = doors.gram(network, X, None), rounding(network, X)
    exact = [[Fraction(e) for e in row] for row in X]
    worst, trivial = 0.0, True
    for j in sorted({0, 1, len(X) - 1}):
        xx, xy, yy = (
            sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) / len(x)
            for x, y in ((exact[0], exact[0]), (exact[0], exact[j]), (exact[j], exact[j]))
        )
        found = doors.at(network, xx, xy, yy, DIGITS)
        for matrix, bound, value in zip(floats, allowed, (found.nngp, found.ntk), strict=True):
            distance = abs(Fraction(float(matrix[0, j])) - value.midpoint)
            limit = Fraction(float(bound[0, j])) + value.radius
            worst = max(worst, over(distance, limit))
        trivial = trivial and is_zero(found.nngp, found.ntk)
    return Outcome(worst, trivial)


def _scaled_gram(kernels: tuple[bool, bool]) -> Plant:
    def plant(doors: Doors, fault: Fraction) -> Doors:
        def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
            one, two = (
                k * (1 + float(fault)) if hit else k for k, hit in zip((nngp, ntk), kernels, strict=True)
            )
            return one, two

        return faulty_gram(change)(doors)

    return plant


FLOAT64 = Law(
    name="gram_eq_certified",
    statement="float64 is within its promise of the certified kernels",
    latex=r"|K_{\text{float64}}-K_{\text{certified}}|\le\varepsilon\sqrt{K(x,x)K(y,y)}",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_float64,
    saboteurs=(
        Saboteur("float64 kernels too large", _scaled_gram((True, True))),
        Saboteur("float64 NTK too large", _scaled_gram((False, True))),
    ),
    smallest_fault=1e-11,
)

LAWS = (CAUCHY_SCHWARZ, FORMULA, FLOAT64, SERIES)
