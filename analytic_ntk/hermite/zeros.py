"""Which Hermite coefficients vanish, and why: the information exponent and the pattern of zeros."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import arb

from analytic_ntk import exact
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.gaussian.identities import as_polynomial, canonical, vanishes
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.hermite.conventions import Basis, convert_exact
from analytic_ntk.hermite.table import HermiteRow, HermiteTable, exact_coefficients, hermite_table

PARITIES = ("even", "odd", None)
_BATCHES = (8, 32, 100)


@dataclass(frozen=True)
class InformationExponent(Shown):
    """The first ``n >= 1`` with ``a_n != 0``: ``order``, and the enclosure of ``a_order`` that excludes 0.

    ``order`` is ``None`` for a constant function, which has none. ``reasons`` says for each lower order why
    its coefficient is zero.
    """

    order: int | None
    value: Enclosure | None
    reasons: tuple[tuple[int, str], ...]

    def __str__(self) -> str:
        if self.order is None or self.value is None:
            return "no information exponent: the function is constant"
        return f"information exponent {self.order} (a_{self.order} = {self.value.decimal(12)})"


def information_exponent(
    pieces: Pieces, variance: exact.ExactNumber = sp.S.One, parity: str | None = None, digits: int = 30
) -> InformationExponent:
    """The information exponent of ``f(sqrt(variance) Z)``, certified.

    A lower coefficient counts as zero only where that is proved: by ``parity`` (proved by the caller), by its
    exact expression, or because ``f`` is a constant. Raises :class:`UndecidedError` where a coefficient is
    smaller than ``digits`` digits can tell from zero and is not proved to vanish. Source of the notion: Ben
    Arous, Gheissari, Jagannath, J. Mach. Learn. Res. 22 (2021), Definition 1.2.

    >>> from analytic_ntk.notation import x
    >>> print(information_exponent(Pieces.of(x**2 - 1), parity="even"))
    information exponent 2 (a_2 = 1.41421356237...)
    """
    if parity not in PARITIES:
        raise DomainError(f"parity = {parity!r}", '"even", "odd" or None')
    if not isinstance(pieces, Pieces) or pieces.free_symbols:
        raise DomainError(f"{pieces}"[:100], "Pieces without free parameters")
    variance = exact.variance(variance, "variance")
    if not (variance.is_number and variance.is_positive):
        raise DomainError(f"variance = {variance}", "an exact number > 0")
    if _is_constant(pieces):
        return InformationExponent(None, None, ())
    poly = as_polynomial(canonical(pieces.parts[0])) if len(pieces.parts) == 1 else None
    if poly is not None:
        return _of_polynomial(poly, variance, parity, digits)
    reasons: list[tuple[int, str]] = []
    for last in _BATCHES:
        table = hermite_table(pieces, last, digits, variance, parity)
        for row in table.rows[len(reasons) + 1 :]:
            if not row.value.lower <= 0 <= row.value.upper:
                return InformationExponent(row.n, row.value, tuple(reasons))
            reason = _why_zero(row, parity)
            if reason is None and _is_zero_exactly(pieces, row.n, variance):
                reason = "exact expression"
            if reason is None:
                raise UndecidedError(
                    f"a_{row.n} = {row.value.decimal()} to {digits} digits",
                    "a coefficient shown to vanish, or certified not to",
                    "ask for more digits, or write the function so that its parity or an exact form is seen",
                )
            reasons.append((row.n, reason))
    raise UndecidedError(f"a_1 .. a_{_BATCHES[-1]}, all zero", "a nonzero coefficient or a constant function")


def _of_polynomial(poly: sp.Poly, q: sp.Expr, parity: str | None, digits: int) -> InformationExponent:
    """From the exact coefficients, to any degree."""
    monomials = [poly.nth(k) * sp.sqrt(q) ** k for k in range(poly.degree() + 1)]
    reasons: list[tuple[int, str]] = []
    for n, exact_value in enumerate(convert_exact(monomials, Basis.MONOMIALS, Basis.NORMALISED)):
        if n == 0:
            continue
        if vanishes(exact_value):
            by_parity = parity is not None and (n % 2 == 1) == (parity == "even")
            reasons.append((n, "parity" if by_parity else "exact expression"))
            continue

        def compute(number: sp.Expr = exact_value) -> tuple[tuple[arb, ...], arb]:
            return (exact_ball(number),), arb(1)

        (value,) = certify(compute, digits, f"a_{n}")
        if value.lower <= 0 <= value.upper:
            raise UndecidedError(
                f"whether {exact_value} = 0"[:200], "a decision", "simplify the coefficients"
            )
        return InformationExponent(n, value, tuple(reasons))
    raise UndecidedError("a polynomial all of whose coefficients vanish", "one that is seen to be constant")


def _is_constant(pieces: Pieces) -> bool:
    first = pieces.parts[0]
    if any(not vanishes(part - first) for part in pieces.parts[1:]):
        return False
    poly = as_polynomial(canonical(first))
    if poly is not None:
        return all(vanishes(c) for (k,), c in poly.terms() if k)
    (symbol,) = first.free_symbols
    return vanishes(sp.diff(first, symbol))


def _why_zero(row: HermiteRow, parity: str | None) -> str | None:
    """Why a coefficient whose enclosure meets 0 is zero; ``None`` if that is not proved."""
    if parity is not None and (row.n % 2 == 1) == (parity == "even"):
        return "parity"
    if row.expression is not None and vanishes(row.expression):
        return "exact expression"
    if row.value.radius == 0 and row.value.midpoint == 0:
        return "exact value"
    return None


def _is_zero_exactly(pieces: Pieces, n: int, variance: sp.Expr) -> bool:
    """Whether the exact coefficient is zero, beyond those a table writes out."""
    values = exact_coefficients(pieces, n, variance)
    return n < len(values) and vanishes(values[n])


@dataclass(frozen=True)
class ZeroPattern(Shown):
    """The orders of a table whose enclosures meet 0: ``proved`` (and why), and the ``undecided`` rest."""

    proved: tuple[tuple[int, str], ...]
    undecided: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many enclosures meet 0."""
        return len(self.proved) + len(self.undecided)

    def __str__(self) -> str:
        kinds = list(dict.fromkeys(reason for _, reason in self.proved))
        shown = [f"{sum(r == kind for _, r in self.proved)} by {kind}" for kind in kinds]
        if self.undecided:
            shown.append(f"{len(self.undecided)} not told from zero")
        return f"{self.count} zeros" + (f": {', '.join(shown)}" if shown else "")


def zero_pattern(table: HermiteTable, parity: str | None = None) -> ZeroPattern:
    """Which coefficients of a table are zero: proved by parity or by their exact value, or not told apart.

    >>> from analytic_ntk.notation import x
    >>> table = hermite_table(Pieces.of(sp.Max(x, 0)), 9, 15)
    >>> print(zero_pattern(table))
    4 zeros: 4 by exact expression
    """
    if parity not in PARITIES:
        raise DomainError(f"parity = {parity!r}", '"even", "odd" or None')
    if not isinstance(table, HermiteTable):
        raise DomainError(f"{type(table).__name__}", "a HermiteTable")
    proved, undecided = [], []
    for row in table.rows:
        if not row.value.lower <= 0 <= row.value.upper:
            if parity is not None and (row.n % 2 == 1) == (parity == "even"):
                raise DomainError(f"parity = {parity!r}, but a_{row.n} != 0", "the parity of the function")
            continue
        reason = _why_zero(row, parity)
        if reason is None:
            undecided.append(row.n)
        else:
            proved.append((row.n, reason))
    return ZeroPattern(tuple(proved), tuple(undecided))
