"""The even and the odd half of a function, and whether each is one analytic expression on the whole line."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import acb

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.identities import as_polynomial, canonical, vanishes
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

BITS = 256


def number(expr: sp.Expr) -> acb:
    """An exact number as a complex ball at the precision in force."""
    return acb(exact_ball(expr))


def complex_log(value: acb) -> complex:
    """The logarithm of the midpoint in float64 (a ball that meets the negative axis has none)."""
    return complex(acb(value.real.mid(), value.imag.mid()).log())


def is_zero(expr: sp.Expr) -> bool:
    """Whether an exact number is zero: refuted by balls, else shown by algebra.

    Raises :class:`UndecidedError` where it is zero to 256 bits and algebra does not settle it.
    """
    expr = sp.expand(expr)
    if expr == 0:
        return True
    with working_precision(BITS):
        ball = number(expr)
        if ball.is_finite() and not ball.contains(0):
            return False
    if vanishes(expr):
        return True
    raise UndecidedError(
        f"whether {expr} is zero"[:300], "a decision", "write the expression in simpler form"
    )


def same_place(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether two exact numbers agree to 200 bits (taken for the same number)."""
    with working_precision(BITS):
        return bool(abs(number(one) - number(other)).abs_upper() < 2.0**-200)


def below(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether one exact real number lies below another by more than 200 bits can hide."""
    with working_precision(BITS):
        return bool((number(other) - number(one)).real > 2.0**-200)


def places(pieces: Pieces) -> tuple[sp.Expr, ...]:
    """The distances ``|alpha|`` of the breakpoints from 0, each once, in order."""
    found: list[sp.Expr] = []
    for point in pieces.breakpoints:
        distance = point if not below(point, sp.S.Zero) else -point
        if not any(same_place(distance, other) for other in found):
            found.append(distance)
    with working_precision(BITS):
        return tuple(sorted(found, key=lambda distance: number(distance).real.mid()))


@dataclass(frozen=True)
class Half:
    """``(f(x) + sign f(-x))/2`` for ``x > 0``: ``parts`` between consecutive ``points >= 0``."""

    odd: bool
    points: tuple[sp.Expr, ...]
    parts: tuple[sp.Expr, ...]

    @property
    def expression(self) -> sp.Expr | None:
        """The one expression that holds on the whole line, if that is shown."""
        first = self.parts[0]
        if not vanishes(first - self.sign * first.subs(x, -x)):
            return None
        return first if all(vanishes(other - first) for other in self.parts[1:]) else None

    @property
    def sign(self) -> int:
        return -1 if self.odd else 1


def half(pieces: Pieces, odd: bool) -> Half:
    """The even or odd half of a function cut in pieces.

    >>> even, odd = (half(Pieces.of(sp.Max(x, 0)), flag) for flag in (False, True))
    >>> even.expression, odd.expression
    (None, x/2)
    """
    inner = tuple(point for point in places(pieces) if not same_place(point, sp.S.Zero))
    ends = [sp.S.Zero, *inner]
    probes = [(a + b) / 2 for a, b in zip(ends, inner, strict=False)] + [ends[-1] + 1]
    sign = -1 if odd else 1
    parts = []
    for probe in probes:
        right, left = pieces.parts[_index(pieces, probe)], pieces.parts[_index(pieces, -probe)]
        parts.append(_tidy((right + sign * left.subs(x, -x)) / 2))
    return Half(odd, inner, tuple(parts))


def _index(pieces: Pieces, probe: sp.Expr) -> int:
    return sum(1 for point in pieces.breakpoints if below(point, probe))


def _tidy(expr: sp.Expr) -> sp.Expr:
    """Expanded sums, so that what cancels is gone; ``sigmoid(-x)`` and the like stay as they are."""
    expanded: sp.Expr = sp.expand(expr, power_exp=False, power_base=False, log=False)
    return expanded


def polynomial_degree(expr: sp.Expr) -> int | None:
    """Degree of an expression shown to be a polynomial (-1 for zero), else ``None``."""
    for form in (expr, canonical(expr)):
        poly = as_polynomial(form)
        if poly is not None:
            return max((k for (k,), c in poly.terms() if not is_zero(c)), default=-1)
    return -1 if vanishes(expr) else None
