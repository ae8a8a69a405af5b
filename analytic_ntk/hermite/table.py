"""Tables of Hermite coefficients: exact where a closed form exists, certified digits everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy as sp
from flint import acb, arb, ctx, fmpz
from numpy.typing import NDArray

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.hermite import hermite_exact, hermite_numbers
from analytic_ntk.gaussian.moments import second_moment
from analytic_ntk.gaussian.operations import BALLS
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of

MAX_ORDER = 10_000
EXACT_ORDER = 100
"""Up to this order closed expressions are written out; beyond it the same recurrence runs in balls only."""


@dataclass(frozen=True)
class HermiteRow:
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


def hermite_table(
    pieces: Pieces, order: int, digits: int = 30, variance: sp.Expr = sp.S.One, parity: str | None = None
) -> HermiteTable:
    """The table of a function cut in pieces; ``parity`` (proved by the caller) makes coefficients exactly 0.

    Raises :class:`DomainError` for a bad order or digits, :class:`PrecisionError` where the digits cannot
    be had.
    """
    _require_order(order)
    terms = terms_of(pieces)
    exact = exact_coefficients(pieces, order, variance)

    def compute() -> tuple[tuple[arb, ...], arb]:
        values = coefficient_balls(pieces, terms, order, variance, parity)
        moment = _second_moment(pieces, terms, exact_ball(variance))
        total = sum((v * v for v in values), arb(0))
        return (*values, total, moment), moment.sqrt()

    found = certify(compute, digits, "the Hermite coefficients")
    rows = tuple(
        HermiteRow(n, value, exact[n] if n < len(exact) else sp.S.Zero if _vanishes(n, parity) else None)
        for n, value in enumerate(found[:-2])
    )
    return HermiteTable(rows, variance, digits, found[-2], found[-1])


def exact_coefficients(pieces: Pieces, order: int, variance: sp.Expr) -> Sequence[sp.Expr]:
    """Closed expressions of ``a_0, a_1, ..`` up to ``min(order, EXACT_ORDER)``; empty outside the class."""
    _require_order(order)
    terms = terms_of(pieces)
    if terms is None:
        return ()
    try:
        return hermite_exact(terms, min(order, EXACT_ORDER), variance)
    except NoClosedFormError:
        return ()


def _require_order(order: int) -> None:
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
            values = [_real(v) / arb(fmpz.fac_ui(n)).sqrt() for n, v in enumerate(numbers)]
        except (NoClosedFormError, PrecisionError):
            values = None
    if values is None:
        values = quadrature.hermite(pieces, q, order, max(8, ctx.prec - 24))
    return [arb(0) if _vanishes(n, parity) else v for n, v in enumerate(values)]


def _second_moment(pieces: Pieces, terms: Terms | None, q: arb) -> arb:
    if terms is not None:
        try:
            return _real(second_moment(terms, terms, q, BALLS))
        except (NoClosedFormError, PrecisionError):
            pass
    return quadrature.single(pieces, pieces, q, arb(1), max(8, ctx.prec - 8))


def _real(value: arb | acb) -> arb:
    return value.real if isinstance(value, acb) else value
