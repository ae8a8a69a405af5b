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
from analytic_ntk.positivity.entries import Entries
from analytic_ntk.positivity.float_rows import BITS
from analytic_ntk.positivity.float_tables import Table, table_of
from analytic_ntk.positivity.rounded import Rounded
from analytic_ntk.systems.ball import Ball


@dataclass(frozen=True)
class Numbers:
    """What both passes share: no gaps."""

    def gap_after_affine(self, pair: Pair, scale: Rounded, shift: Rounded, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None


@lru_cache(maxsize=256)
def _number(value: sp.Expr) -> Rounded:
    with working_precision(BITS):
        return Rounded.of_ball(Ball().number(value))


@lru_cache(maxsize=256)
def _constant(value: sp.Expr) -> Rounded | Entries:
    """0 and 1 are known to be themselves."""
    number = _number(value)
    return number if number.is_zero or number.is_one else Entries.of(number)


@dataclass(frozen=True)
class Diagonal(Numbers):
    """The first pass: every input with itself, all numbers :class:`.Rounded`. It leaves a table for each
    nonlinearity, and the roots for each normalisation."""

    tables: list[Table] = field(default_factory=list)
    roots: list[Rounded] = field(default_factory=list)

    def number(self, value: sp.Expr) -> Rounded:
        return _number(value)

    def inverse_sqrt(self, value: Rounded) -> Rounded:
        if np.any((value.value == 0) & (value.error == 0)):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        self.roots.append(Rounded.exact(1.0) / value.sqrt())
        return self.roots[-1]

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        table = table_of(activation, pair.q11.require_finite())
        self.tables.append(table)
        moment, slope = table.moments()
        return Expectations(moment, moment, moment, slope, None)


class Known:
    """In place of a variance in the second pass, which asks the first one for what it needs of them."""

    def __add__(self, other: object) -> Known:
        return self

    __mul__ = __radd__ = __rmul__ = __add__


@dataclass(frozen=True)
class Block(Numbers):
    """The second pass: the inputs ``rows`` with the inputs ``columns``, covariances and tangent kernels
    :class:`.Entries`; tables and roots (two for each normalisation) in the order of the first."""

    tables: Iterator[Table]
    roots: Iterator[Entries]
    rows: slice
    columns: slice
    fast: bool

    @classmethod
    def after(cls, first: Diagonal, rows: slice, columns: slice, fast: bool) -> Block:
        return cls(iter(first.tables), _sides(first.roots, rows, columns), rows, columns, fast)

    def number(self, value: sp.Expr) -> Rounded | Entries:
        return _constant(value)

    def inverse_sqrt(self, value: Known) -> Entries:
        return next(self.roots)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        dual, slope = next(self.tables).duals(pair.q12, self.rows, self.columns, self.fast)
        return Expectations(pair.q11, pair.q22, dual, slope, None)


def _sides(roots: list[Rounded], rows: slice, columns: slice) -> Iterator[Entries]:
    """In turn for the one input and for the other."""
    for k, root in enumerate(roots):
        known = Entries.of(root)
        if root.value.ndim == 0:
            yield known
        else:
            yield known[columns][None, :] if k % 2 else known[rows][:, None]
