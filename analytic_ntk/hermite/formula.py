"""Hermite coefficients in closed form, the order ``n`` a symbol."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.printing.latex import LatexPrinter

from analytic_ntk.arithmetic.atoms import RealPart
from analytic_ntk.display import Typeset
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.gaussian.terms import Terms
from analytic_ntk.hermite.proof import satisfies
from analytic_ntk.hermite.recurrence import HermiteRecurrence, hermite_recurrence
from analytic_ntk.hermite.sequences import Base, Combination, Part, combination, n, neat

MAX_ORDER = 1_000
"""Up to this order a formula is evaluated exactly."""


@dataclass(frozen=True)
class HermiteFormula(Typeset):
    """``a_n = even`` for even ``n`` and ``odd`` for odd ``n``, save the finitely many ``exceptions``.

    The expressions are in :data:`~analytic_ntk.hermite.sequences.n`; ``hermite_prob(m, z)`` is ``He_m(z)``.
    ``recurrence`` is what the formula was proved by: both expressions satisfy it identically in ``n``, and
    the initial values agree exactly.
    """

    even: sp.Expr
    odd: sp.Expr
    exceptions: tuple[tuple[int, sp.Expr], ...]
    recurrence: HermiteRecurrence

    def at(self, order: int) -> sp.Expr:
        """``a_order``, exact."""
        if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
            raise DomainError(f"order = {order!r}", f"an integer from 0 to {MAX_ORDER}")
        for place, value in self.exceptions:
            if place == order:
                return value
        return _at(self.odd if order % 2 else self.even, order)

    def latex(self) -> str:
        """As cases."""
        cases = [rf"{sp.latex(value)} & n = {place}" for place, value in self.exceptions]
        other = r"\text{otherwise}" if cases else ""
        if self.even == self.odd:
            cases.append(rf"{_Printer().doprint(self.even)} & {other}")
        else:
            comma = ", " if other else ""
            cases += [
                rf"{_Printer().doprint(expr)} & {other}{comma}n \text{{ {name}}}"
                for name, expr in (("even", self.even), ("odd", self.odd))
            ]
        return r"a_n = \begin{cases} " + r" \\ ".join(cases) + r" \end{cases}"

    def __str__(self) -> str:
        lines = [f"a_{place} = {value}" for place, value in self.exceptions]
        if self.even == self.odd:
            lines.append(f"a_n = {self.even}")
        else:
            lines += [f"a_n = {self.even}  (n even)", f"a_n = {self.odd}  (n odd)"]
        return "\n".join(lines)


class _Printer(LatexPrinter):
    """``He_m(z)`` as the field writes it."""

    def _print_hermite_prob(self, node: sp.Expr, exp: str | None = None) -> str:
        order, point = (self._print(arg) for arg in node.args)
        text = rf"\operatorname{{He}}_{{{order}}}\left({point}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"


def hermite_formula(terms: Terms, q: sp.Expr) -> HermiteFormula:
    """The coefficients ``a_n`` of a canonical function at an exact variance, in symbolic ``n``, proved.

    Raises :class:`NoClosedFormError` where ``c_n`` is a sum of ``n`` terms (a half-space under an
    exponential: ELU), :class:`UndecidedError` if the proof cannot be finished.

    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.notation import x
    >>> from analytic_ntk.gaussian.terms import terms_of
    >>> print(hermite_formula(terms_of(Pieces.of(sp.Max(x, 0))), sp.Integer(1)))
    a_1 = 1/2
    a_n = (-1)**(n/2 - 1)*sqrt(2)*factorial2(n - 3)/(2*sqrt(pi)*sqrt(factorial(n)))  (n even)
    a_n = 0  (n odd)
    """
    found = combination(terms, q)
    recurrence = hermite_recurrence(terms, q)
    if found.parts:
        even, odd = (sp.Add(*(_shown(part, parity) for part in _merged(found, parity))) for parity in (0, 1))
        if not satisfies(even, odd, recurrence):
            raise UndecidedError("the formula of the Hermite coefficients", "a proof by the recurrence")
    else:
        even, odd = (_polynomial(terms, q, parity) for parity in (0, 1))
    exceptions = []
    for k, known in enumerate(recurrence.initial):
        if not _equal(odd if k % 2 else even, k, known):
            if k >= max(found.start, recurrence.start):
                raise UndecidedError(f"the formula of the Hermite coefficients at n = {k}", "a proof")
            exceptions.append((k, known / sp.sqrt(sp.factorial(k))))
    root = sp.sqrt(sp.factorial(n))
    return HermiteFormula(even / root, odd / root, tuple(exceptions), recurrence)


def _merged(found: Combination, parity: int) -> list[Part]:
    """The parts at ``n = parity mod 2``, by ``P_m(-beta) = (-1)^m P_m(beta)`` where both real signs occur."""
    bases = {part.base for part in found.parts if part.base.beta.is_real}
    merged: dict[tuple[Base, int], sp.Expr] = {}
    for part in found.parts:
        base, factor = part.base, part.factor
        mirror = Base(-base.beta, base.gamma)
        if mirror in bases and base.beta.could_extract_minus_sign():
            base, factor = mirror, factor * (-1) ** ((parity - part.shift) % 2)
        merged[base, part.shift] = merged.get((base, part.shift), sp.S.Zero) + factor
    return [Part(*key, neat(factor)) for key, factor in merged.items()]


def _shown(part: Part, parity: int) -> sp.Expr:
    """A part as an expression in ``n``, for ``n = parity mod 2``."""
    base, factor, m = part.base, part.factor, n - part.shift
    odd = (parity - part.shift) % 2
    sign = _alternating((m - odd) / 2)
    real, imaginary = base.beta.as_real_imag()
    if base.gamma.is_real is False:  # complex a, as in cos(x^2): the conjugate part speaks for both
        if sp.im(base.gamma).could_extract_minus_sign():
            return sp.S.Zero
        if base.beta != 0:
            return RealPart(2 * factor * _power(base.beta, base.gamma, m))
        return sp.S.Zero if odd else RealPart(2 * factor * base.gamma ** (m / 2)) * sp.factorial2(m - 1)
    if base.beta == 0:
        return sp.S.Zero if odd else _double_factorial(factor, base.gamma, part.shift, sign)
    if imaginary == 0:
        return factor * _power(base.beta, base.gamma, m)
    if imaginary.could_extract_minus_sign():
        return sp.S.Zero  # the conjugate part speaks for both
    if real != 0:
        return RealPart(2 * factor * _power(base.beta, base.gamma, m))
    turned = neat(2 * sp.re(sp.expand_complex(factor * sp.I**odd)))
    if base.gamma.is_negative:  # He_m(i y) is i^m times a real number
        return turned * (-sp.I) ** odd * _power(base.beta, base.gamma, m)
    return turned * sign * _power(imaginary, -base.gamma, m)  # P_m(i r, gamma) = i^m P_m(r, -gamma)


def _alternating(exponent: sp.Expr) -> sp.Expr:
    """``(-1)^exponent``, ``exponent = n/2 + c`` an integer, with ``c`` among -1, -1/2, 0, 1/2."""
    c = exponent - n / 2
    return (-1) ** (n / 2 + (c + 1) % 2 - 1 if c % 2 else n / 2)


def _power(beta: sp.Expr, gamma: sp.Expr, m: sp.Expr) -> sp.Expr:
    """``P_m`` with ``beta != 0``."""
    if gamma == 0:
        return beta**m
    scale = sp.sqrt(-gamma)  # i sqrt(gamma) for positive gamma: the product is real all the same
    return scale**m * sp.hermite_prob(m, sp.radsimp(beta / scale))


def _double_factorial(factor: sp.Expr, gamma: sp.Expr, shift: int, sign: sp.Expr) -> sp.Expr:
    """``factor gamma^(m/2) (m-1)!!``, ``m = n - shift`` even; ``m - 1, m - 3, ..`` cancelled from below."""
    m = n - shift
    top, bottom = sp.fraction(factor)
    last = shift + 1
    while bottom.has(n) and sp.rem(bottom, n - last, n) == 0:
        bottom, last = sp.quo(bottom, n - last, n), last + 2
    rational = sp.factor(top / bottom)
    if not gamma.is_positive and rational.could_extract_minus_sign():
        rational, sign = -rational, _alternating(m / 2 - 1)
    power = gamma ** (m / 2) if gamma.is_positive else sign * (-gamma) ** (m / 2)
    return rational * power * sp.factorial2(n - last)


def _polynomial(terms: Terms, q: sp.Expr, parity: int) -> sp.Expr:
    """``sum_k p_k q^(k/2) k! / (2^((k-n)/2) ((k-n)/2)!)`` over ``k = parity mod 2`` (0 for ``n > k``)."""
    found = sp.S.Zero
    for term in terms:
        k = term.power
        if k % 2 == parity:
            m = (k - n) / 2
            found += term.coefficient * sp.sqrt(q) ** k * sp.factorial(k) / (2**m * sp.factorial(m))
    return found


def _at(expr: sp.Expr, order: int) -> sp.Expr:
    return expr.replace(RealPart, lambda z: sp.expand_complex(z.subs(n, order)).as_real_imag()[0]).subs(
        n, order
    )


def _equal(expr: sp.Expr, order: int, known: sp.Expr) -> bool:
    """Whether the formula gives the known value at an order (no, where it has no value there)."""
    try:
        value = _at(expr, order)
    except ValueError:  # He_m, m < 0
        return False
    if not value.is_finite:
        return False
    return bool(sp.expand(value - known) == 0 or sp.simplify(value - known) == 0)
