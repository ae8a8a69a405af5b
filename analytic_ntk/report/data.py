"""A report as plain data: what is known about one activation and the kernels it makes.

Every record is frozen and turns into JSON types by :func:`as_json`: exact numbers and enclosures become
strings, so no digit is lost on the way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from analytic_ntk.display import Shown, Typeset, short
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.notation import LATEX_NAMES


@dataclass(frozen=True)
class Properties(Shown):
    """What is derived from the expression. Variances are suprema: ``oo`` where every moment is finite."""

    expression: sp.Expr
    parity: str | None
    homogeneity: int | None
    polynomial_degree: int | str | None
    continuous: bool
    kinks: tuple[tuple[sp.Expr, sp.Expr], ...]
    jumps: tuple[tuple[sp.Expr, sp.Expr], ...]
    derivative: sp.Expr
    max_variance: sp.Expr
    derivative_max_variance: sp.Expr
    singularity_distance: sp.Expr | None


@dataclass(frozen=True)
class Formula(Typeset):
    """``name = expression``; ``reason`` says why it is not elementary, and is empty if it is."""

    name: str
    meaning: str
    expression: sp.Expr
    reason: str = ""

    def latex(self) -> str:
        """The expression."""
        return sp.latex(self.expression, symbol_names=LATEX_NAMES, inv_trig_style="full")

    @property
    def closed(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class CertifiedRow(Shown):
    """Both kernels at one input covariance, or why the digits could not be had."""

    xx: sp.Expr
    xy: sp.Expr
    yy: sp.Expr
    nngp: Enclosure | None
    ntk: Enclosure | None
    reason: str = ""


@dataclass(frozen=True)
class SeriesRow(Shown):
    """The coefficient of ``rho^k`` in both kernels."""

    k: int
    nngp: sp.Expr | Enclosure
    ntk: sp.Expr | Enclosure


@dataclass(frozen=True)
class Series(Shown):
    """Power series of both kernels; the tails bound what is left out, for every ``|rho| <= 1``."""

    rows: tuple[SeriesRow, ...]
    nngp_tail: Fraction
    ntk_tail: Fraction


@dataclass(frozen=True)
class SampledRow(Shown):
    """One entry of a kernel: its limit, and the mean over sampled networks with its standard error."""

    kernel: str
    rho: sp.Expr
    limit: float
    mean: float
    standard_error: float
    z_score: float


@dataclass(frozen=True)
class Sampled(Shown):
    """The finite-width sanity check."""

    width: int
    draws: int
    seed: int
    rows: tuple[SampledRow, ...]


@dataclass(frozen=True)
class Unavailable(Shown):
    """A section that has no answer, and why."""

    reason: str


@dataclass(frozen=True)
class Report(Shown):
    """Everything about one activation in one network; see :func:`analytic_ntk.report.build`."""

    title: str
    depth: int
    weight_variance: sp.Expr
    bias_variance: sp.Expr
    digits: int
    properties: Properties
    hermite: HermiteTable | Unavailable
    formulas: tuple[Formula, ...]
    certified: tuple[CertifiedRow, ...]
    series: Series | Unavailable
    sampled: Sampled | Unavailable
    seconds: tuple[tuple[str, float], ...]
    version: str

    @property
    def complete(self) -> bool:
        """Whether every section has its answer (a missing closed form is an answer)."""
        parts = (self.hermite, self.series, self.sampled)
        return not any(isinstance(p, Unavailable) for p in parts) and not any(
            r.reason for r in self.certified
        )

    def _fields_shown(self) -> Iterator[tuple[str, str]]:
        yield "depth", str(self.depth)
        yield "variances", f"{self.weight_variance} of the weights, {self.bias_variance} of the biases"
        yield "complete", "yes" if self.complete else "no"
        yield "seconds", short(sum(seconds for _, seconds in self.seconds))

    def _title_shown(self) -> str:
        return f"Report: {self.title}"

    def _repr_html_(self) -> str:
        parts = (self.properties, self.hermite, self.series, self.sampled)
        return "\n".join([super()._repr_html_(), *(part._repr_html_() for part in parts)])

    def to_json(self) -> dict[str, Any]:
        """The whole report in JSON types."""
        return {f.name: as_json(getattr(self, f.name)) for f in fields(self)} | {
            "seconds": dict(self.seconds)
        }


def as_json(value: Any) -> Any:
    """JSON types for any record of the package.

    An exact number becomes its text; an enclosure its certain digits and how far they can be from the number
    (``digits`` is null for an exact one).

    >>> import sympy as sp
    >>> from fractions import Fraction
    >>> as_json((sp.sqrt(2) / 3, Enclosure(Fraction(1, 3), Fraction(1, 10**8))))
    ['sqrt(2)/3', {'value': '0.3333333', 'radius': '4.34e-8', 'digits': 7}]
    """
    if isinstance(value, HermiteTable):
        return hermite_json(value)
    if isinstance(value, Formula):
        return formula_json(value)
    if isinstance(value, Enclosure):
        text, radius = printed(value)
        return {"value": text, "radius": radius, "digits": value.digits if value.radius else None}
    if isinstance(value, (sp.Basic, Fraction)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [as_json(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else str(value)
    return value


def printed(value: Enclosure, digits: int | None = None) -> tuple[str, str]:
    """Certain digits of an enclosed number, and an upper bound of what separates them from the number.

    The rounding of the digits shown is part of the bound. A number that may be 0 is shown as 0; of an exact
    one at most 100 digits are shown.
    """
    if value.radius == 0 and value.midpoint.denominator == 1:
        return str(value.midpoint), "0"
    certain = value.digits if value.radius else 100
    text = value.decimal(digits or certain) if certain else "0"
    return text, upper_bound(value.radius + abs(value.midpoint - Fraction(Decimal(text))))


def formula_json(formula: Formula) -> dict[str, Any]:
    expression = formula.expression
    return {
        "name": formula.name,
        "meaning": formula.meaning,
        "closed": formula.closed,
        "expression": str(expression),
        "latex": sp.latex(expression, symbol_names=LATEX_NAMES, inv_trig_style="full"),
        "reason": formula.reason,
    }


def hermite_json(table: HermiteTable) -> dict[str, Any]:
    low, high = table.remainder
    return {
        "normalisation": "a_n = E[phi(sqrt(variance) Z) He_n(Z)] / sqrt(n!)",
        "variance": str(table.variance),
        "digits": table.digits,
        "rows": [
            {
                "n": row.n,
                "kind": row.kind,
                "expression": None if row.expression is None else str(row.expression),
            }
            | as_json(row.value)
            for row in table.rows
        ],
        "sum_of_squares": as_json(table.sum_of_squares),
        "second_moment": as_json(table.second_moment),
        "remainder": {"lower": lower_bound(low), "upper": upper_bound(high)},
    }


def upper_bound(value: Fraction) -> str:
    """Three digits of a non-negative number, rounded up."""
    return _three_digits(value, up=True)


def lower_bound(value: Fraction) -> str:
    """Three digits of a non-negative number, rounded down."""
    return _three_digits(value, up=False)


def _three_digits(value: Fraction, up: bool) -> str:
    if value == 0:
        return "0"
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    exponent = math.floor(bits * math.log10(2)) + 1  # at least the true one; then exact comparison decides
    while value < Fraction(10) ** exponent:
        exponent -= 1
    scaled = value / Fraction(10) ** (exponent - 2)
    whole = scaled.numerator // scaled.denominator
    if up and whole != scaled:
        whole += 1
    if whole >= 1000:
        whole, exponent = 100, exponent + 1
    return f"{whole // 100}.{whole % 100:02d}e{exponent}"
