"""Tables of Hermite coefficients: exact where a closed form exists, certified digits everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import acb, arb, ctx
from numpy.typing import NDArray

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown, axes_for, html_table, tidy
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.halves import halves
from analytic_ntk.gaussian.hermite import hermite_exact, hermite_numbers
from analytic_ntk.gaussian.moments import second_moment
from analytic_ntk.gaussian.operations import BALLS
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of
from analytic_ntk.hermite.adaptive import certified_values, require_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_ORDER = 10_000
EXACT_ORDER = 100
"""Up to this order closed expressions are written out; beyond it the same recurrence runs in balls only."""
TABLE_EXACT = 50
"""Tables write them out up to this order only: writing takes longer than computing."""
EXACT_SIZE = 30
"""Where one of the first has more operations than this, it is not written out, nor any of higher order."""
FIRST_BATCH = 10
"""Up to this order the sizes are looked at before more is written."""
OSCILLATING_EXACT = 4
"""Real parts of ``Phi`` at complex places (``sin(x) Phi(x)``) are slow to write: no more than these are."""


@dataclass(frozen=True)
class HermiteRow(Shown):
    """``a_n``: its enclosure and, where there is one, its exact expression."""

    n: int
    value: Enclosure
    expression: sp.Expr | None

    @property
    def kind(self) -> str:
        """``"exact"`` or ``"certified"``."""
        return "exact" if self.expression is not None else "certified"


@dataclass(frozen=True)
class HermiteTable:
    """Coefficients ``a_0 .. a_order`` of ``phi(sqrt(variance) z)`` (normalised probabilists').

    ``sum_of_squares`` encloses ``sum a_n^2`` over the rows, ``second_moment`` the full ``E phi^2``; their
    difference is the mass of the coefficients beyond the table.
    """

    rows: tuple[HermiteRow, ...]
    variance: sp.Expr
    digits: int
    sum_of_squares: Enclosure
    second_moment: Enclosure

    @property
    def remainder(self) -> tuple[Fraction, Fraction]:
        """Bounds of ``E phi^2 - sum a_n^2 >= 0``."""
        low = self.second_moment.lower - self.sum_of_squares.upper
        return max(Fraction(0), low), self.second_moment.upper - self.sum_of_squares.lower

    def floats(self) -> NDArray[np.float64]:
        """The coefficients rounded to float64."""
        return np.array([float(row.value) for row in self.rows])

    def plot(self, axes: Axes | None = None) -> Axes:
        """``|a_n|`` over ``n`` on a logarithmic axis; coefficients that are 0 are left out."""
        axes = axes_for(axes)
        shown = [(row.n, size) for row in self.rows if (size := abs(float(row.value)))]
        if shown:
            axes.semilogy(*zip(*shown, strict=True), "o", markersize=4)
        axes.set(xlabel="$n$", ylabel="$|a_n|$", xlim=(-0.5, len(self.rows) - 0.5))
        return tidy(axes)

    def _repr_html_(self) -> str:
        rows = [
            (row.n, row.value.decimal(self.digits), row.kind, row.expression if row.kind == "exact" else "")
            for row in self.rows
        ]
        caption = f"Hermite coefficients, variance {self.variance}"
        return html_table(("n", "a_n", "kind", "expression"), rows, caption)


def hermite_table(
    pieces: Pieces, order: int, digits: int = 30, variance: sp.Expr = sp.S.One, parity: str | None = None
) -> HermiteTable:
    """The table of a function cut in pieces; ``parity`` (proved by the caller) makes coefficients exactly 0.

    Every value has ``digits`` certain relative digits, or an enclosure of radius at most
    ``10^-digits sqrt(E phi^2)`` where it may be 0 or is smaller than any reasonable precision
    (:func:`~analytic_ntk.hermite.adaptive.certified_values`). Raises :class:`DomainError` for a bad order or
    digits, :class:`PrecisionError` where the digits cannot be had.
    """
    require_order(order)
    require_digits(digits)
    terms = terms_of(pieces)

    def moment() -> tuple[tuple[arb, ...], arb]:
        value = second_moment_ball(pieces, terms, exact_ball(variance), parity)
        return (value,), value

    (second,) = certify(moment, digits, "the second moment")
    with working_precision(64):
        scale = second.ball().abs_upper().sqrt().upper()
    values, bits = certified_values(
        lambda: coefficient_balls(pieces, terms, order, variance, parity),
        scale,
        digits,
        "the Hermite coefficients",
    )
    zeros = _proved_zeros(pieces, values, parity)
    values = [arb(0) if n in zeros else value for n, value in enumerate(values)]
    with working_precision(bits):
        total = Enclosure.of(sum((v * v for v in values), arb(0)))
    exact = exact_coefficients(pieces, min(order, TABLE_EXACT), variance)
    rows = tuple(
        HermiteRow(n, Enclosure.of(value), exact[n] if n < len(exact) else sp.S.Zero if n in zeros else None)
        for n, value in enumerate(values)
    )
    return HermiteTable(rows, variance, digits, total, second)


def _proved_zeros(pieces: Pieces, values: list[arb], parity: str | None) -> set[int]:
    """The orders at which a coefficient is 0: beyond the degree of the even or odd half, if that is a
    polynomial (``-1`` for a half that vanishes)."""
    zeros = {n for n in range(len(values)) if _vanishes(n, parity)}
    doubtful = {n for n, value in enumerate(values) if value.contains(0)} - zeros
    if not doubtful or pieces.free_symbols:
        return zeros
    degrees = [half.degree for half in halves(pieces)]
    return zeros | {n for n in doubtful if (top := degrees[n % 2]) is not None and n > top}


def exact_coefficients(pieces: Pieces, order: int, variance: sp.Expr) -> Sequence[sp.Expr]:
    """Closed expressions of ``a_0, a_1, ..`` up to ``min(order, EXACT_ORDER)``; empty outside the class.

    Those of a function without parameters end early where they are long (see the constants of this module).
    """
    require_order(order)
    terms = terms_of(pieces)
    if terms is None:
        return ()
    last = min(order, EXACT_ORDER)
    numeric = not (pieces.free_symbols or variance.free_symbols)
    if numeric and _oscillates(terms):
        last = min(last, OSCILLATING_EXACT)
    try:
        found = hermite_exact(terms, min(last, FIRST_BATCH), variance)
        if numeric and any(value.count_ops() > EXACT_SIZE for value in found):
            return found[: next(n for n, value in enumerate(found) if value.count_ops() > EXACT_SIZE)]
        return found if last <= FIRST_BATCH else hermite_exact(terms, last, variance)
    except NoClosedFormError:
        return ()


def _oscillates(terms: Terms) -> bool:
    """Whether a step or ``Phi`` meets a complex exponent, as in ``sin(x) Phi(x)``."""
    return any(term.psi is not None and not term.b.is_real for term in terms)


def require_order(order: int) -> None:
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
        raise DomainError(f"order = {order!r}", f"an integer from 0 to {MAX_ORDER}")


def _vanishes(n: int, parity: str | None) -> bool:
    return parity is not None and (n % 2 == 1) == (parity == "even")


def coefficient_balls(
    pieces: Pieces, terms: Terms | None, order: int, variance: sp.Expr | arb, parity: str | None
) -> list[arb]:
    """``a_0 .. a_order`` in balls at the working precision (variance: exact number or ball)."""
    q = exact_ball(variance).real if isinstance(variance, sp.Expr) else variance
    values: list[arb] | None = None
    if terms is not None:
        try:
            numbers = hermite_numbers(terms, order, q, BALLS)
            factorials = accumulate(range(1, order + 1), mul, initial=arb(1))
            values = [_real(v) / f.sqrt() for v, f in zip(numbers, factorials, strict=True)]
        except (NoClosedFormError, PrecisionError):
            values = None
    if values is None:
        values = quadrature.hermite(pieces, q, order, max(8, ctx.prec - 24), parity)
    return [arb(0) if _vanishes(n, parity) else v for n, v in enumerate(values)]


def second_moment_ball(pieces: Pieces, terms: Terms | None, q: arb, parity: str | None) -> arb:
    """``E phi^2`` at the working precision."""
    if terms is not None and not _oscillates(terms):  # there Phi2 at complex places is slow
        try:
            return _real(second_moment(terms, terms, q, BALLS))
        except (NoClosedFormError, PrecisionError):
            pass
    return quadrature.single(pieces, pieces, q, arb(1), max(8, ctx.prec - 8), parity is not None)


def _real(value: arb | acb) -> arb:
    return value.real if isinstance(value, acb) else value
