"""The sequences that Hermite coefficients are made of, with the order ``n`` as a symbol.

Unnormalised coefficients ``c_n = E f(u) He_n(u / sqrt q)``, ``u ~ N(0, q)``, of canonical functions are
sums ``sum_s R_s(n) P_{n-s}``, ``R_s`` rational in ``n``, over sequences

    sum_n P_n t^n / n! = exp(beta t + gamma t^2 / 2),       P_{n+1} = beta P_n + gamma n P_{n-1}.

* ``exp(a u^2 + b u)``: ``beta = b sqrt(q) A``, ``gamma = 2 a q A``, ``A = 1 / (1 - 2 a q)``, and a factor
  ``sqrt(A) exp(b^2 q A / 2)``.
* A jump ``J`` of the ``j``-th derivative at ``p`` contributes, for ``n > j``, the density of ``u / sqrt q``
  at ``p / sqrt q`` times ``J q^(j/2) He_{n-j-1}(p / sqrt q)``; ``He_n(z)`` is ``P_n`` with ``beta = z``,
  ``gamma = -1``.
* ``Phi(c u + d)``: its derivative is an exponential (Stein's identity lowers the order by one).
* A power of ``u`` acts as ``u He_n = sqrt(q) (He_{n+1} + n He_{n-1})``.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from analytic_ntk.errors import NoClosedFormError
from analytic_ntk.gaussian.terms import HalfSpace, Term, Terms

n = sp.Symbol("n", integer=True, nonnegative=True)
"""The order."""


@dataclass(frozen=True)
class Base:
    """The sequence ``P_n`` with generating function ``exp(beta t + gamma t^2 / 2)``."""

    beta: sp.Expr
    gamma: sp.Expr

    @property
    def ends(self) -> bool:
        """Whether ``P_n = 0`` for all ``n >= 1``."""
        return self.beta == 0 and self.gamma == 0


@dataclass(frozen=True)
class Part:
    """``factor(n) P_{n - shift}``."""

    base: Base
    shift: int
    factor: sp.Expr


@dataclass(frozen=True)
class Combination:
    """``c_n`` as a sum of parts, for ``n >= start``."""

    parts: tuple[Part, ...]
    start: int


def combination(terms: Terms, q: sp.Expr) -> Combination:
    """The unnormalised coefficients ``c_n`` of a canonical function, ``n`` symbolic.

    Raises :class:`NoClosedFormError` for a half-space under an exponential (``exp(x) H(x)``, as in ELU):
    there ``c_n`` is a sum of ``n`` terms.
    """
    collected: dict[tuple[Base, int], sp.Expr] = {}
    start = 0
    for term in terms:
        parts, begins = _parts(term, q)
        start = max(start, begins)
        for part in parts:
            key = part.base, part.shift
            collected[key] = collected.get(key, sp.S.Zero) + term.coefficient * part.factor
    found = (Part(*key, neat(factor)) for key, factor in collected.items())
    return Combination(tuple(part for part in found if part.factor != 0), start)


def exponential(a: sp.Expr, b: sp.Expr, q: sp.Expr) -> tuple[sp.Expr, Base]:
    """Factor and base of ``E exp(a u^2 + b u) He_n(u / sqrt q)``."""
    shrink = sp.cancel(1 / (1 - 2 * a * q))
    base = Base(sp.powsimp(b * sp.sqrt(q) * shrink), sp.cancel(2 * a * q * shrink))
    return sp.sqrt(shrink) * sp.exp(sp.expand(b**2 * q * shrink / 2)), base


def edge(a: sp.Expr, b: sp.Expr, half: HalfSpace, q: sp.Expr) -> tuple[sp.Expr, Base]:
    """Factor and base of ``sqrt(q) E exp(a u^2 + b u) psi'(u) He_n(u / sqrt q)``."""
    if half.spread == 0:
        place = half.place
        sign = 1 if half.slope.is_positive else -1
        height = sp.exp((a - 1 / (2 * q)) * place**2 + b * place) / sp.sqrt(2 * sp.pi)
        return sign * height, Base(sp.powsimp(place / sp.sqrt(q)), sp.Integer(-1))
    slope, offset = half.slope, half.offset
    factor, base = exponential(a - slope**2 / 2, sp.expand(b - slope * offset), q)
    return sp.sqrt(q) * slope * sp.exp(-(offset**2) / 2) / sp.sqrt(2 * sp.pi) * factor, base


def neat(expr: sp.Expr) -> sp.Expr:
    """A rational function of ``n`` in lowest terms, factored."""
    return sp.factor(sp.cancel(sp.together(expr)))


def _parts(term: Term, q: sp.Expr) -> tuple[list[Part], int]:
    """The term without its coefficient, and the order from which the parts hold."""
    half, power = term.psi, term.power
    if half is None:
        factor, base = exponential(term.a, term.b, q)
        if base.ends:
            return [], power + 1
        return _raised([Part(base, 0, factor)], power, q), 2 * power
    if term.a != 0 or term.b != 0:
        raise NoClosedFormError(
            f"the Hermite coefficients of {term.expression()} in symbolic n",
            "half-spaces that stand alone or with a polynomial",
            "use the recurrence in n",
        )
    factor, base = edge(term.a, term.b, half, q)
    if half.spread == 0:  # the derivatives of x^power jump by power! / (power - j)! place^(power - j)
        jumps = [(j, sp.ff(power, j) * half.place ** (power - j)) for j in range(power + 1)]
        return [
            Part(base, j + 1, factor * sp.sqrt(q) ** j * jump) for j, jump in jumps if jump != 0
        ], power + 1
    return _raised([Part(base, 1, factor)], power, q), 2 * power + 1


def _raised(parts: list[Part], power: int, q: sp.Expr) -> list[Part]:
    """Multiplied by ``u^power``: ``c_{n+1} + n c_{n-1}``, ``power`` times, in ``P_n`` and ``P_{n-1}``."""
    (part,) = parts
    base = part.base
    now, before = (part.factor, sp.S.Zero) if part.shift == 0 else (sp.S.Zero, part.factor)
    now, before = _settled(base, now, before)
    for _ in range(power):
        later_now, later_before = now.subs(n, n + 1), before.subs(n, n + 1)
        now, before = now.subs(n, n - 1), before.subs(n, n - 1)
        up = base.beta * later_now + later_before
        if base.gamma == 0:
            now = neat(up + n * now / base.beta)
            continue
        step = before / (base.gamma * (n - 1))  # P_{n-2} = (P_n - beta P_{n-1}) / (gamma (n - 1))
        now, before = (
            neat(up + n * step),
            neat(base.gamma * n * later_now + n * (now - base.beta * step)),
        )
    scale = sp.sqrt(q) ** power
    return [Part(base, s, scale * factor) for s, factor in ((0, now), (1, before)) if factor != 0]


def _settled(base: Base, now: sp.Expr, before: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Without ``P_{n-1}`` where it is a multiple of ``P_n``."""
    return (now + before / base.beta, sp.S.Zero) if base.gamma == 0 else (now, before)
