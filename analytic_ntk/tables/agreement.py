"""What a table says twice must agree: an exact expression with its own digits."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp
from flint import acb

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.tables.decimals import text_of
from analytic_ntk.tables.records import Table


def check(table: Table) -> None:
    """Raise :class:`DomainError` for an exact expression outside its own enclosure, or a wrong kind."""
    for row in table.rows:
        if {"kind", "expression"} <= set(table.columns):
            expected = "certified" if row.expression is None else "exact"
            if row.kind != expected:
                raise DomainError(f"a_{row.n} of {table.label} is {row.kind}", expected)
        if (
            row.value is not None
            and row.expression is not None
            and not _agrees(row.expression, row.value, table.digits)
        ):
            raise DomainError(
                f"a_{row.n} = {row.expression} of {table.label}"[:200],
                f"a number within {text_of(row.value.radius)} of {row.value.decimal(20)}",
            )


def _agrees(expression: sp.Expr, value: Enclosure, digits: int) -> bool:
    """Whether the expression, as closely enclosed as its digits are, meets them."""
    if not expression.is_number:
        return False
    if isinstance(expression, sp.Rational):
        return Fraction(int(expression.p), int(expression.q)) in value
    bits = bits_for(digits) + 64
    for factor in (1, 2, 4, 8):  # terms that cancel need more than the digits that are left
        with working_precision(factor * bits):
            ball = acb(exact_ball(expression)).real
            if not ball.is_finite():
                continue
            found = Enclosure.of(ball)
        if not found.overlaps(value):
            return False
        if found.radius <= value.radius:
            return True
    return False
