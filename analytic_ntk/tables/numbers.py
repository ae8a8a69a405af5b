"""Expressions as text in a file, and back: the package's own reader, with wider limits."""

from __future__ import annotations

from typing import Any

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic.atoms import RealPart
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.parser import Reader, parse_expression

MAX_MAGNITUDE_BITS = 1_000_000


class FileReader(Reader):
    """What a table may hold: the grammar of :mod:`analytic_ntk.parser`, longer, and ``RealPart(...)``.

    Inside ``RealPart`` the letter ``I`` is the imaginary unit; nowhere else.
    """

    max_length = 8_000
    max_digits = 2_400
    max_exponent = 10_000

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.inside_real_part = 0

    def named(self, token: Any) -> sp.Basic:
        if token.text == "I" and self.inside_real_part:
            return sp.I
        if token.text != "RealPart" or not self.accept("("):
            return super().named(token)
        self.enter()
        self.inside_real_part += 1
        inner = self.number_valued(self.either())
        self.expect(")")
        self.inside_real_part -= 1
        self.depth -= 1
        return RealPart(inner)

    def checked(self, value: sp.Expr, token: Any) -> sp.Expr:
        """As for typed text, except that constants may be larger, and complex inside ``RealPart``."""
        outside = value.xreplace({part: sp.Dummy(real=True) for part in value.atoms(RealPart)})
        if value.has(sp.oo, -sp.oo, sp.zoo, sp.nan) or (outside.has(sp.I) and not self.inside_real_part):
            return super().checked(value, token)  # which refuses
        if value.is_number and not value.is_Rational and not _is_moderate(value):
            self.refuse(token, "a constant too large or too small", "constants that balls can hold")
        return value


def _is_moderate(value: sp.Expr) -> bool:
    """Ball arithmetic says so quickly, where a numeric evaluation could run for ever."""
    with working_precision(128):
        try:
            size = abs(acb(exact_ball(value)))
        except AnalyticNTKError:
            return False
        bound = arb(2) ** MAX_MAGNITUDE_BITS
        return bool(size < bound) and bool(size * bound > 1 or size.contains(0))


def read_expression(text: object) -> sp.Expr:
    """The expression that a text of a file writes down. Raises :class:`DomainError`."""
    if not isinstance(text, str):
        raise DomainError(f"{str(text)[:60]!r}", "an expression as text")
    return parse_expression(text, FileReader)


def settled(expression: sp.Expr) -> sp.Expr | None:
    """The same expression in the form in which a file gives it back; ``None`` where none can.

    ``(1 - E)/2``, say, comes back as ``1/2 - E/2``: the number is the same, the tree is another.

    >>> settled(sp.sqrt(2) / sp.sqrt(sp.pi)), settled(sp.gamma(sp.Rational(1, 3)))
    (sqrt(2)/sqrt(pi), None)
    """
    text = str(expression)
    try:
        for _ in range(4):
            expression = read_expression(text)
            again = str(expression)
            if again == text:
                return expression
            text = again
    except DomainError:
        pass
    return None
