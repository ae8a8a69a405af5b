"""The even and the odd half of a function, and whether each is one analytic expression on the whole line."""

from __future__ import annotations

import sympy as sp
from flint import acb

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.identities import as_polynomial, canonical, vanishes
from analytic_ntk.gaussian.pieces import Pieces

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


def polynomial_degree(expr: sp.Expr) -> int | None:
    """Degree of an expression shown to be a polynomial (-1 for zero), else ``None``."""
    for form in (expr, canonical(expr)):
        poly = as_polynomial(form)
        if poly is not None:
            return max((k for (k,), c in poly.terms() if not is_zero(c)), default=-1)
    return -1 if vanishes(expr) else None
