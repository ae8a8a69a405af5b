"""Tables of Hermite coefficients as data: a row, a table of one activation at one variance, all of them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

import sympy as sp

from analytic_ntk import __version__
from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite import HermiteRow, HermiteTable

NORMALISATION = "a_n = E[phi(sqrt(variance) Z) He_n(Z)] / sqrt(n!), Z standard normal, He_n probabilists'"


def software() -> tuple[tuple[str, str], ...]:
    """The versions that a table depends on."""
    libraries = ("python-flint", "sympy", "mpmath")
    return (
        ("analytic-ntk", __version__),
        ("python", platform.python_version()),
        *((name, version(name)) for name in libraries),
    )


@dataclass(frozen=True)
class Row(Shown):
    """What a table says about one ``n``; ``None`` where a column was not chosen or has no entry."""

    n: int
    value: Enclosure | None = None
    kind: str | None = None
    expression: sp.Expr | None = None
    square: Enclosure | None = None
    cumulative: Enclosure | None = None
    share: Enclosure | None = None
    derivative: Enclosure | None = None
    predicted: float | None = None
    envelope: float | None = None


@dataclass(frozen=True)
class Table(Shown):
    """The coefficients ``a_first .. a_order`` of one activation at one variance.

    ``sum_of_squares`` encloses the sum of ``a_k^2`` over ``0 <= k <= order`` (not from ``first``),
    ``second_moment`` all of ``E phi^2``. Every enclosure is short in decimals, so that a file holds it whole.
    """

    activation: Activation
    variance: sp.Expr
    digits: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sum_of_squares: Enclosure
    second_moment: Enclosure

    @property
    def label(self) -> str:
        """The activation in a word."""
        return str(self.activation)

    @property
    def hermite(self) -> HermiteTable:
        """The same as the table that :meth:`Activation.hermite_table` gives, to ``digits`` digits.

        Raises :class:`DomainError` unless the rows begin at 0 and hold values and expressions.
        """
        if self.rows[0].n or not {"value", "expression"} <= set(self.columns):
            raise DomainError(
                f"the rows {self.rows[0].n}..{self.rows[-1].n} with the columns {', '.join(self.columns)}",
                "rows from 0, with the columns value and expression",
            )
        rows = tuple(HermiteRow(row.n, row.value, row.expression) for row in self.rows if row.value)
        return HermiteTable(rows, self.variance, self.digits, self.sum_of_squares, self.second_moment)


@dataclass(frozen=True)
class Missing(Shown):
    """A table that could not be had, and why."""

    activation: Activation
    variance: sp.Expr
    reason: str


@dataclass(frozen=True)
class HermiteTables(Shown):
    """Tables with the same range, digits and columns; what one file holds. A sequence of :class:`Table`."""

    first: int
    order: int
    digits: int
    columns: tuple[str, ...]
    software: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    missing: tuple[Missing, ...] = ()

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, index: int) -> Table:
        return self.tables[index]
