"""The law of the coefficients of one parity: what it says, and its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from analytic_ntk.display import Typeset
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite.decay.waves import Wave, log_sum, signed_sum

KINDS = ("unknown", "algebraic", "root-exponential", "entire", "geometric", "factorial", "finite")
"""From slow to fast; an unknown law is taken for the slowest."""
MAX_LOG = 700.0
"""Logarithms up to which float64 holds the number."""


@dataclass(frozen=True)
class ParityLaw(Typeset):
    """``|a_n| ~ constant n^exponent ratio^n exp(-rate sqrt n)``, over ``sqrt(n!)`` if factorial.

    For all ``n`` of one parity (``odd``). ``waves`` are the leading contributions; the constant is the sum of
    their sizes, so that ``|a_n|`` stays below it, up to terms of lower order, and comes close to it for some
    ``n`` (waves of related frequencies may never do so). Without waves the constant is not known.
    """

    odd: bool
    kind: str
    source: str
    exponent: sp.Rational | None = None
    rate: sp.Expr | None = None
    ratio: sp.Expr | None = None
    waves: tuple[Wave, ...] = ()
    degree: int = -1

    @classmethod
    def finite(cls, odd: bool, degree: int) -> ParityLaw:
        """A polynomial half of this degree (-1 for zero): nothing beyond it."""
        return cls(odd, "finite", "polynomial" if degree >= 0 else "zero", degree=degree)

    @classmethod
    def unknown(cls, odd: bool, why: str) -> ParityLaw:
        """Nothing could be shown, and why."""
        return cls(odd, "unknown", why)

    @property
    def start(self) -> int:
        """The first order at which the law can be evaluated (not where it sets in)."""
        if self.kind == "finite":
            return self.degree + 1
        return max((wave.start for wave in self.waves), default=0)

    @property
    def log_constant(self) -> float | None:
        """Logarithm of the constant (``-inf`` for zero), ``None`` where it is not known."""
        if not self.waves and self.kind != "finite":
            return None
        return log_sum([wave.log_constant for wave in self.waves])

    @property
    def constant(self) -> float | None:
        """The constant; ``None`` where it is not known or beyond float64 (see :attr:`log_constant`)."""
        log = self.log_constant
        return math.exp(log) if log is not None and log < MAX_LOG else None

    # ------------------------------------------------------------------------------- numbers

    def log_envelope(self, n: int) -> float:
        """See :meth:`DecayLaw.log_envelope`."""
        if self.kind == "finite" and n > self.degree:
            return -math.inf
        return log_sum([wave.log(n).real for wave in self._evaluable(n)])

    def sign_and_log(self, n: int) -> tuple[int, float]:
        """See :meth:`DecayLaw.sign_and_log`."""
        if self.kind == "finite" and n > self.degree:
            return 0, -math.inf
        return signed_sum([wave.log(n) for wave in self._evaluable(n)])

    def _evaluable(self, n: int) -> Sequence[Wave]:
        if not self.waves and self.kind != "finite":
            raise DomainError(
                f"a law without a constant ({self.sentence})"[:300],
                "one whose constant is known",
                "use its rate",
            )
        if n < self.start:
            raise DomainError(f"n = {n}", f"an order from {self.start} on, where the asymptotic form exists")
        return self.waves

    # ------------------------------------------------------------------------------- order

    def falls_slower_than(self, other: ParityLaw) -> bool:
        """By kind, then ratio, rate, exponent and constant (compared in float64)."""
        return self._speed() < other._speed()

    def _speed(self) -> tuple[float, ...]:
        def value(number: sp.Expr | float | None, default: float) -> float:
            return default if number is None else float(number)

        return (
            float(KINDS.index(self.kind)), -value(self.ratio, 1), value(self.rate, 0),
            -value(self.exponent, math.inf), -value(self.log_constant, math.inf), float(-self.degree),
        )  # fmt: skip

    # ------------------------------------------------------------------------------- words

    @property
    def formula(self) -> str:
        """The law as plain text, without its source."""
        if self.kind == "finite":
            return f"zero beyond n = {self.degree}" if self.degree >= 0 else "zero"
        if self.kind == "entire":
            return "faster than every exp(-c sqrt(n))"
        if self.kind == "unknown":
            return "unknown"
        words = [] if self.log_constant is None else [_decimal(self.log_constant)]
        if self.exponent is not None and self.exponent != 0:
            words.append(f"n^({self.exponent})")
        if self.ratio is not None and self.ratio != 1:
            base = _short(self.ratio)
            words.append(f"{base}^n" if base.isdigit() else f"({base})^n")
        if self.rate is not None and self.rate != 0:
            words.append(f"exp({_short(-self.rate)}*sqrt(n))".replace("1*", "", abs(self.rate) == 1))
        if self.kind == "factorial":
            words.append("/ sqrt(n!)")
        return " ".join(words)

    @property
    def sentence(self) -> str:
        """The prediction in words."""
        if self.kind == "finite":
            return self.formula
        if self.kind == "unknown":
            return f"unknown ({self.source})"
        if self.kind == "entire":
            return self.formula
        if self.log_constant is None:
            return f"|a_n| at most about {self.formula}, constant and power unknown, from {self.source}"
        return f"|a_n| about {self.formula}, from {self.source}"

    def latex(self) -> str:
        """The law in LaTeX, the constant to five digits."""
        if self.kind == "finite":
            return rf"a_n = 0 \quad (n > {self.degree})" if self.degree >= 0 else "a_n = 0"
        if self.kind == "unknown":
            return r"|a_n| \to 0"
        if self.kind == "entire":
            return r"|a_n| = O(e^{-c \sqrt{n}}) \text{ for every } c"
        if self.log_constant is None:
            return rf"|a_n| = O\bigl(e^{{-(c - \varepsilon) \sqrt{{n}}}}\bigr), \; c = {sp.latex(self.rate)}"
        words = [_latex_decimal(self.log_constant)]
        if self.exponent is not None and self.exponent != 0:
            words.append(f"n^{{{sp.latex(self.exponent, fold_short_frac=True)}}}")
        if self.ratio is not None and self.ratio != 1:
            words.append(rf"\left({sp.latex(self.ratio)}\right)^{{n}}")
        if self.rate is not None and self.rate != 0:
            words.append(rf"e^{{{sp.latex(-self.rate)} \sqrt{{n}}}}")
        body = r" \, ".join(words)
        return r"|a_n| \sim " + (body if self.kind != "factorial" else rf"\frac{{{body}}}{{\sqrt{{n!}}}}")


def _decimal(logarithm: float) -> str:
    if abs(logarithm) < MAX_LOG:
        return f"{math.exp(logarithm):.5g}"
    exponent = math.floor(logarithm / math.log(10))
    return f"{math.exp(logarithm - exponent * math.log(10)):.4f}e{exponent:+d}"


def _latex_decimal(logarithm: float) -> str:
    mantissa, _, exponent = _decimal(logarithm).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _short(number: sp.Expr) -> str:
    plain = number.is_Rational or sp.count_ops(number) <= 4
    return str(number) if plain and len(str(number)) <= 20 else f"{float(number):.6g}"
