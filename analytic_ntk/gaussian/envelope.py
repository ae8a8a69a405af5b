"""How fast a smooth part grows towards ``+oo`` and ``-oo``: proved bounds, derived from the expression.

They bound the tails of Gaussian integrals and decide at which variances those are finite. The rules are in
:mod:`analytic_ntk.gaussian.growth`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from flint import arb

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.growth import End
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.rates import BITS, compare, fraction_above, round_up
from analytic_ntk.notation import x


@dataclass(frozen=True)
class Envelope:
    """``|f(t)| <= constant exp(linear |t| + quadratic t^2)`` for all ``|t| >= from_`` on one side."""

    constant: Fraction
    linear: Fraction
    quadratic: Fraction
    from_: Fraction


def envelope_of(part: sp.Expr, side: int) -> Envelope:
    """A proved bound of ``part`` for ``x -> +oo`` (``side = 1``) or ``x -> -oo`` (``side = -1``).

    ``constant``, ``linear`` and ``from_`` are non-negative; ``quadratic`` is a rational number not below the
    true one, and equal to it wherever the exponents are polynomials up to fading terms.

    Raises :class:`DomainError` when the function grows faster than any Gaussian allows, when no bound can be
    derived by the rules, and when parameters have no numbers yet.

    >>> from analytic_ntk.notation import x
    >>> import sympy as sp
    >>> envelope_of(sp.exp(x**2 / 3 - x), 1).quadratic
    Fraction(1, 3)
    """
    if side not in (1, -1):
        raise DomainError(f"side {side!r}", "1 or -1")
    return _envelope(sp.sympify(part), side)


@lru_cache(maxsize=1024)
def _envelope(part: sp.Expr, side: int) -> Envelope:
    with working_precision(BITS):
        end = End(part, side)
        bound = end.upper(end.whole)
        if bound is None:
            raise _too_fast(part)
        constant, rate = bound
        linear = rate.linear
        if rate.degree > 0:  # t^d <= ceil(d)! exp(t)
            constant *= math.factorial(math.ceil(rate.degree))
            linear += 1
        return Envelope(
            round_up(constant), max(linear, Fraction(0)), fraction_above(rate.quadratic), end.start
        )


def max_variance(pieces: Pieces) -> sp.Expr:
    """Supremum of the variances ``q`` for which ``E f(sqrt(q) Z)^2`` is finite; ``oo`` if all are.

    With ``Q`` the exact quadratic rate of ``f`` it is ``1/(4 Q)``. Raises :class:`DomainError` where ``Q`` is
    bounded from one side only, so that the supremum is not known.

    >>> from analytic_ntk.notation import x
    >>> import sympy as sp
    >>> max_variance(Pieces.of(sp.exp(x**2 / 3))), max_variance(Pieces.of(sp.Max(x, 0)))
    (3/4, oo)
    """
    limits = [_end_limit(pieces.parts[0], -1), _end_limit(pieces.parts[-1], 1)]
    finite = [limit for limit in limits if limit is not sp.oo]
    if len(finite) < 2:
        return finite[0] if finite else sp.oo
    return finite[0] if compare(finite[0], finite[1]) <= 0 else finite[1]


def safe_variance(pieces: Pieces) -> sp.Expr:
    """A variance below which ``E f(sqrt(q) Z)^2`` is proved finite; :func:`max_variance` where that is known.

    >>> from analytic_ntk.notation import x
    >>> import sympy as sp
    >>> safe_variance(Pieces.of(sp.exp(x**2 / 3) * sp.sin(x)))
    3/4
    """
    rates = [envelope_of(pieces.parts[0], -1).quadratic, envelope_of(pieces.parts[-1], 1).quadratic]
    worst = max(rates)
    return sp.oo if worst <= 0 else 1 / (4 * sp.Rational(worst.numerator, worst.denominator))


@lru_cache(maxsize=1024)
def _end_limit(part: sp.Expr, side: int) -> sp.Expr:
    with working_precision(BITS):
        end = End(part, side)
        above = end.upper(end.whole)
        if above is None:
            raise _too_fast(part)
        rate = above[1].quadratic
        if above[0] == 0 or compare(rate, sp.S.Zero) <= 0:
            return sp.oo
        below = end.lower(end.whole)
        if below is None or compare(below[1].quadratic, rate) != 0:
            raise DomainError(
                f"the growth of {part}",
                "one quadratic rate proved from both sides",
                f"it is at most exp({rate} x^2); expand the exponents",
            )
        return 1 / (4 * rate)


def is_not_polynomial(part: sp.Expr, sides: tuple[int, ...] = (1, -1)) -> bool:
    """Whether a function analytic on the line is *proved* not to be a polynomial (``False``: not proved).

    With ``sides = (1,)`` it need be analytic on ``t >= 0`` only, and is not a polynomial there.

    A polynomial bounded by ``C t^d`` has degree at most ``d``, so that a finite difference of higher order
    that is not zero refutes it; so does growth above, or decay below, every power of ``t``.
    """
    for side in sides:
        try:
            with working_precision(BITS):
                end = End(part, side)
                above = end.upper(end.whole)
                below = end.lower(end.whole)
        except DomainError:
            continue
        if below is not None and below[1].is_above_powers:
            return True
        if above is None:
            continue
        _, rate = above
        if not rate.is_above_powers:
            order = 0 if rate.is_below_constants else math.floor(rate.degree) + 1
            if order <= 60 and _difference_is_nonzero(part, order):
                return True
    return False


def lower_bound_start(expr: sp.Expr, side: int) -> Fraction | None:
    """A ``T`` such that ``expr`` is not zero for ``|x| >= T`` on this side; ``None`` if none is derived."""
    with working_precision(BITS):
        try:
            end = End(expr, side)
            return None if end.lower(end.whole) is None else end.start
        except DomainError:
            return None


def _too_fast(part: sp.Expr) -> DomainError:
    return DomainError(
        f"{part}, which grows faster than any Gaussian allows (as far as the rules can tell)",
        "growth of at most exp(c x^2)",
        "choose another activation, or combine its exponentials into one",
    )


def _difference_is_nonzero(part: sp.Expr, order: int) -> bool:
    with working_precision(256 + 8 * order):
        total = arb(0)
        for j in range(order + 1):
            value = exact_ball(part.subs(x, sp.Rational(2 * j + 1, 3)))
            total += (-1) ** (order - j) * math.comb(order, j) * value
        return bool(total.is_finite() and not total.contains(0))
