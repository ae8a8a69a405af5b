"""Duals ``V(r) = E phi(u) phi(v)``, variances ``q``, correlation ``r``: enclosures with all derivatives.

Mehler: ``V(r) = sum_n a_n^2 r^n``, ``a_n = E phi(sqrt(q) Z) h_n(Z)``, so ``V`` and its derivatives are sums
of non-negative terms in even and in odd powers of ``r``. Each of the two sums is monotone in ``|r|``: their
values at the ends enclose them over an interval, without any loss. What a finite sum leaves out is at least
0 and at most ``mass * max_{n > order} ..`` with the mass from ``E phi^2 = sum_n a_n^2``, or from ``q E
phi'^2 = sum_n n a_n^2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import factorial, perm, prod
from typing import Protocol

from flint import arb, arb_poly, fmpz_poly

from proofs_check.replay.conjectures.intervals import INFINITY, Interval


class Dual(Protocol):
    """A dual at one variance."""

    @property
    def total(self) -> arb:
        """``V(1)``."""

    def halves(self, order: int, t: arb) -> tuple[Interval, Interval]:
        """The sums over ``n = order`` mod 2, and over the other ``n``, of ``n!/(n-order)! a_n^2
        t^(n-order)``."""

    @property
    def nonnegative(self) -> tuple[bool, bool]:
        """Whether ``V`` and ``V'`` are known to be at least 0 for every correlation."""

    def coefficient(self, n: int) -> Interval:
        """``a_n``, or at least bounds of it."""

    def support(self, size: int) -> tuple[bool, ...]:
        """Whether ``a_n`` may differ from 0, for ``n < size``."""

    @property
    def degrees(self) -> tuple[int | None, int | None]:
        """The last even and the last odd ``n`` with ``a_n`` not 0 (-1: none; ``None``: no last is known)."""


@dataclass(frozen=True)
class HermiteDual:
    """From the coefficients ``a_n`` for ``n <= order`` and the values ``V^(i)(1)``, ``V^(i)(-1)`` for some
    ``i``.

    ``degrees``: beyond them the even and the odd coefficients vanish (``None``: not known to).
    """

    values: tuple[arb, ...]
    ends: tuple[tuple[arb, arb], ...]
    degrees: tuple[int | None, int | None]

    nonnegative = (False, False)

    @property
    def total(self) -> arb:
        return self.ends[0][0]

    @cached_property
    def squares(self) -> tuple[arb, ...]:
        return tuple((a * a).nonnegative_part() for a in self.values)

    @cached_property
    def rests(self) -> tuple[tuple[arb, arb], ...]:
        """Upper bounds of ``sum_{n > order} n!/(n-i)! a_n^2`` for even ``n`` and for odd ``n``, for each
        ``i``."""
        last, found = len(self.squares) - 1, []
        for i, (one, minus) in enumerate(self.ends):
            row = []
            for parity, degree in enumerate(self.degrees):
                known = sum(
                    (a * falling(n, i) for n, a in enumerate(self.squares) if n % 2 == parity), arb(0)
                )
                rest = ((one + minus * (-1) ** (i + parity)) / 2 - known).upper()
                row.append(arb(0) if degree is not None and degree <= last else max(rest, arb(0)))
            found.append((row[0], row[1]))
        return tuple(found)

    @cached_property
    def _sums(self) -> dict[tuple[int, int], arb_poly]:
        return {}

    def _sum(self, order: int, parity: int) -> arb_poly:
        """The polynomial in ``t^2`` behind ``t^0`` or ``t^1``."""
        key = (order, parity)
        if key not in self._sums:
            first = order + (parity + order) % 2
            values = [self.squares[n] * falling(n, order) for n in range(first, len(self.squares), 2)]
            self._sums[key] = arb_poly(values)
        return self._sums[key]

    def halves(self, order: int, t: arb) -> tuple[Interval, Interval]:
        parts = []
        for parity in (order % 2, 1 - order % 2):
            odd = (parity + order) % 2
            known = self._sum(order, parity)(t * t) * (t if odd else 1)
            rest = self._rest(order, parity, t)
            low = known.lower()
            parts.append(Interval(max(low, arb(0)), (known + rest).upper() if rest.is_finite() else INFINITY))
        return parts[0], parts[1]

    def _rest(self, order: int, parity: int, t: arb) -> arb:
        best = INFINITY
        for i in range(min(order, len(self.ends) - 1) + 1):
            mass = self.rests[i][parity]
            if mass == 0:
                return arb(0)
            best = min(best, (mass * _largest(len(self.squares), i, order, t)).upper())
        return best

    def coefficient(self, n: int) -> Interval:
        if n < len(self.values):
            return Interval.of(self.values[n])
        size = self.rests[0][n % 2].sqrt().upper()
        return Interval(-size, size)

    def support(self, size: int) -> tuple[bool, ...]:
        def may(n: int) -> bool:
            degree = self.degrees[n % 2]
            return degree is None or n <= degree

        return tuple(may(n) and not (n < len(self.squares) and self.squares[n] == 0) for n in range(size))


def falling(n: int, count: int) -> int:
    """``n (n-1) .. (n-count+1)``.

    >>> falling(5, 2), falling(1, 2)
    (20, 0)
    """
    return perm(n, count)


def _largest(first: int, i: int, j: int, t: arb) -> arb:
    """An upper bound of ``(n-i)!/(n-j)! t^(n-j)`` over ``n >= first`` and ``n >= j >= i``."""
    if t == 0:  # the term n = j alone
        return arb(factorial(j - i) if first <= j else 0)
    if i == j:
        return t ** (max(first, j) - j)
    if not t < 1:
        return INFINITY
    if t * (first + 1 - i) <= first + 1 - j:  # falling from the first on
        return t ** (first - j) * falling(first - i, j - i)
    fall = -t.log()
    return (arb(j - i) / (arb(1).exp() * fall)) ** (j - i) * t ** (i - j)


@dataclass(frozen=True)
class ArcCosine:
    """``phi(u) = even |u| + line u``, with the arc-cosine kernel of degree 1 (Cho, Saul 2009):

    ``V(r) = q even^2 (2/pi) (sqrt(1 - r^2) + r asin r) + q line^2 r``.
    """

    even: arb
    line: arb
    q: arb

    @property
    def total(self) -> arb:
        return self.q * (self.even * self.even + self.line * self.line)

    @property
    def nonnegative(self) -> tuple[bool, bool]:
        """``phi >= 0``, or ``phi`` is monotone."""
        sizes = abs(self.even) - abs(self.line)
        return bool(sizes >= 0), bool(sizes <= 0)

    def halves(self, order: int, t: arb) -> tuple[Interval, Interval]:
        even = Interval.of(self.q * self.even * self.even * 2 / arb.pi())
        line = Interval.of(self.q * self.line * self.line)
        inside = Interval.of((1 - t) * (1 + t))
        if order == 0:
            return even * (inside.sqrt() + Interval.of(t) * Interval.of(t).asin()), line * t
        if order == 1:
            return line, even * Interval.of(t).asin()
        nothing = Interval.of(0)
        if even.is_zero:
            return nothing, nothing
        # (1 - t^2)^(1/2 - order) times 1, t, 1 + 2 t^2, ..: the derivatives of 1/sqrt(1 - t^2)
        if inside.low > 0:
            value = even * Interval.of(_arc_derivative(order - 2, t)) / inside.sqrt()
        else:
            value = Interval(arb(0), INFINITY)
        return (value, nothing) if order % 2 == 0 else (nothing, value)

    def coefficient(self, n: int) -> Interval:
        """``line`` for ``n = 1``; those of ``|u|`` are ``sqrt(2/pi)``, and ``+-sqrt(2/pi) (n-3)!!/sqrt(n!)``
        for even ``n >= 2`` (integrate by parts twice)."""
        root = self.q.sqrt()
        if n % 2:
            return Interval.of(root * self.line if n == 1 else 0)
        size = root * self.even * (2 / arb.pi()).sqrt()
        top = prod(range(3, n - 2, 2)) * (1 if n == 0 else (-1) ** (n // 2 - 1))
        return Interval.of(size * top / arb(factorial(n)).sqrt())

    @property
    def degrees(self) -> tuple[int | None, int | None]:
        return (-1 if self.even == 0 else None), (-1 if self.line == 0 else 1)

    def support(self, size: int) -> tuple[bool, ...]:
        even, odd = self.degrees
        return tuple(even is None if n % 2 == 0 else n == odd for n in range(size))


def _arc_derivative(order: int, t: arb) -> arb:
    """``sqrt(1 - t^2)`` times the derivative of that order of ``1/sqrt(1 - t^2)``: ``P_k/(1 - t^2)^k``."""
    return arc_polynomial(order)(t) / ((1 - t) * (1 + t)) ** order


@cache
def arc_polynomial(order: int) -> fmpz_poly:
    """``P_0 = 1``, ``P_{k+1} = (1 - t^2) P_k' + (2 k + 1) t P_k``."""
    if order == 0:
        return fmpz_poly([1])
    before = arc_polynomial(order - 1)
    return fmpz_poly([1, 0, -1]) * before.derivative() + fmpz_poly([0, 2 * order - 1]) * before


# ------------------------------------------------------------------------------------- over an interval


def derivative_over(dual: Dual, order: int, r: Interval) -> Interval:
    """``V^(order)`` over an interval of correlations, enclosed."""
    if r.low >= 0:
        one, two = (sum_of(dual.halves(order, t)) for t in (r.low, r.high))
        return Interval(one.low, two.high)
    if r.high <= 0:
        (even, odd), (even_far, odd_far) = (dual.halves(order, t) for t in (-r.high, -r.low))
        found = Interval(even.low, even_far.high) - Interval(odd.low, odd_far.high)
        if order < 2 and dual.nonnegative[order]:
            found = Interval(max(found.low, arb(0)), max(found.high, arb(0)))
        return found
    left, right = Interval(r.low, arb(0)), Interval(arb(0), r.high)
    return derivative_over(dual, order, left).hull(derivative_over(dual, order, right))


def sum_of(parts: tuple[Interval, Interval]) -> Interval:
    return parts[0] + parts[1]
