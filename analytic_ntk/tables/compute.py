"""One table: coefficients from the activation, every other column from them in ball arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

import sympy as sp
from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite import HermiteTable, hermite_table
from analytic_ntk.tables.decimals import rounded
from analytic_ntk.tables.numbers import settled
from analytic_ntk.tables.question import Question
from analytic_ntk.tables.records import Row, Table

MAX_LOG = 700.0
"""Logarithms up to this size stand for normal float64 numbers."""
_OPPOSITE = {"even": "odd", "odd": "even", None: None}


def table_of(question: Question, activation: Activation, variance: sp.Expr) -> Table:
    """The table of one activation at one variance; a column that was not asked for is not computed.

    Raises :class:`PrecisionError` where the digits cannot be had.
    """
    digits, wanted = question.digits, set(question.columns)
    table = _sharpened(activation.hermite_table(question.order, digits, variance))
    parts: dict[str, Iterable[Enclosure | float | None]] = {}
    if "value" in wanted:
        parts["value"] = [row.value for row in table.rows]
    if wanted & {"square", "cumulative", "share"}:
        parts |= {name: cells for name, cells in _masses(table).items() if name in wanted}
    if "derivative" in wanted:
        parts["derivative"] = _derivative(activation, table)
    if wanted & {"predicted", "envelope"}:
        parts |= {name: cells for name, cells in _decay(activation, table).items() if name in wanted}
    named = [dict(zip(parts, cells, strict=True)) for cells in zip(*parts.values(), strict=True)]
    rows = []
    for row, cells in zip(table.rows, named or [{}] * len(table.rows), strict=True):
        if row.n < question.first:
            continue
        exact = None
        if wanted & {"kind", "expression"} and row.expression is not None:
            exact = settled(row.expression)
        given: dict[str, Any] = {name: _short(cell, digits) for name, cell in cells.items()}
        texts = {"kind": "certified" if exact is None else "exact", "expression": exact}
        given |= {name: text for name, text in texts.items() if name in wanted}
        rows.append(Row(row.n, **given))
    return Table(
        activation,
        variance,
        digits,
        question.columns,
        tuple(rows),
        rounded(table.sum_of_squares, digits),
        rounded(table.second_moment, digits),
    )


def _sharpened(table: HermiteTable) -> HermiteTable:
    """The enclosure of a rational coefficient is that number: digits lost to cancellation come back."""
    rows = tuple(
        replace(row, value=Enclosure(Fraction(int(row.expression.p), int(row.expression.q)), Fraction(0)))
        if isinstance(row.expression, sp.Rational)
        else row
        for row in table.rows
    )
    return replace(table, rows=rows)


def _short(cell: Enclosure | float | None, digits: int) -> Enclosure | float | None:
    return rounded(cell, digits) if isinstance(cell, Enclosure) else cell


def _masses(table: HermiteTable) -> dict[str, list[Enclosure | None]]:
    """``a_n^2``, their sums from 0 on, and the shares of ``E phi^2`` (``None``: 0 of 0)."""
    zero = table.second_moment.lower == table.second_moment.upper == 0
    with working_precision(bits_for(table.digits) + 64):
        moment = table.second_moment.ball()
        squares = [_square(row.value.ball()) for row in table.rows]
        sums = list(accumulate(squares))
        return {
            "square": [Enclosure.of(ball) for ball in squares],
            "cumulative": [Enclosure.of(ball) for ball in sums],
            "share": [None if zero else Enclosure.of(ball / moment) for ball in sums],
        }


def _square(ball: arb) -> arb:
    return ball * ball


def _derivative(activation: Activation, table: HermiteTable) -> list[Enclosure]:
    """Coefficients of ``phi'`` away from the breakpoints; a jump of ``phi`` adds nothing to them."""
    parity = _OPPOSITE[activation.parity]
    order = len(table.rows) - 1
    found = hermite_table(activation.derivative, order, table.digits, table.variance, parity)
    return [row.value for row in found.rows]


def _decay(activation: Activation, table: HermiteTable) -> dict[str, list[float | None]]:
    """What the law of decay says of each order, with its sign and without its oscillation."""
    from analytic_ntk.hermite.decay import decay_law

    orders = [row.n for row in table.rows]
    try:
        law = decay_law(activation.pieces, table.variance)
    except DomainError:  # no law: the coefficients stand without it
        return dict.fromkeys(("predicted", "envelope"), [None] * len(orders))
    return {
        "predicted": [_said(lambda n: _float(*law.sign_and_log(n)), n) for n in orders],
        "envelope": [_said(lambda n: _float(1, law.log_envelope(n)), n) for n in orders],
    }


def _said(law: Callable[[int], float | None], n: int) -> float | None:
    """``None`` where the law is silent: a small ``n``, or a constant that is not known."""
    try:
        return law(n)
    except DomainError:
        return None


def _float(sign: int, logarithm: float) -> float | None:
    """``sign exp(logarithm)``; ``None`` where float64 cannot hold it, for 0 would say something else."""
    if sign == 0 or logarithm == -math.inf:
        return 0.0
    return sign * math.exp(logarithm) if abs(logarithm) < MAX_LOG else None
