"""The recursion on float64 arrays of pairs, with a proved bound of every error: two number systems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.pair import Expectations, Pair
from analytic_ntk.positivity.float_rows import BITS
from analytic_ntk.positivity.float_tables import Table, table_of
from analytic_ntk.positivity.rounded import Rounded
from analytic_ntk.systems.ball import Ball


@dataclass(frozen=True)
class Numbers:
    """What both passes share: exact constants, and no gaps."""

    def number(self, value: sp.Expr) -> Rounded:
        return _number(value)

    def inverse_sqrt(self, value: Rounded) -> Rounded:
        if np.any((value.value == 0) & (value.error == 0)):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return Rounded.exact(1.0) / value.sqrt()

    def gap_after_affine(self, pair: Pair, scale: Rounded, shift: Rounded, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None


@lru_cache(maxsize=256)
def _number(value: sp.Expr) -> Rounded:
    with working_precision(BITS):
        return Rounded.of_ball(Ball().number(value))


@dataclass(frozen=True)
class Diagonal(Numbers):
    """The first pass: every input with itself. It leaves a table for each nonlinearity."""

    tables: list[Table] = field(default_factory=list)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        table = table_of(activation, pair.q11.require_finite())
        self.tables.append(table)
        moment, slope = table.moments()
        return Expectations(moment, moment, moment, slope, None)


@dataclass(frozen=True)
class Block(Numbers):
    """The second pass: the inputs ``rows`` with the inputs ``columns``; tables in the order of the first."""

    tables: Iterator[Table]
    rows: slice
    columns: slice

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        table = next(self.tables)
        first, second = table.moments()[0], table.moments()[0]
        q11 = first if first.value.ndim == 0 else first[self.rows][:, None]
        q22 = second if second.value.ndim == 0 else second[self.columns][None, :]
        dual, slope = table.duals(pair, self.rows, self.columns)
        return Expectations(q11, q22, dual, slope, None)
