"""Proof that a displayed formula in ``n`` satisfies a recurrence, identically in ``n``.

It reads nothing but the formula: every ``(n + c)!!`` is brought to one double factorial, every
``He_{n+c}(z)`` to ``He_n(z)`` and ``He_{n-1}(z)``, every ``b^(alpha n + c)`` to ``p^(alpha n)`` over the
primes of ``b``. These are free symbols from there on; the formula satisfies the recurrence if what is left,
a rational function of ``n`` and of them, is zero.
"""

from __future__ import annotations

import sympy as sp

from analytic_ntk.arithmetic.atoms import RealPart
from analytic_ntk.hermite.recurrence import HermiteRecurrence
from analytic_ntk.hermite.sequences import n


def satisfies(even: sp.Expr, odd: sp.Expr, recurrence: HermiteRecurrence) -> bool:
    """Whether ``c_n = even`` (``n`` even), ``odd`` (``n`` odd) is shown to satisfy the recurrence."""
    for parity in (0, 1):
        symbols = _Symbols(parity)
        total = sp.S.Zero
        for j, coefficient in enumerate(recurrence.coefficients):
            expr = odd if (parity + j) % 2 else even
            total += coefficient * symbols.reduced(expr.subs(n, n + j))
        if not symbols.vanishes(total):
            return False
    return True


class _Symbols:
    """The sequences of a formula at ``n = parity mod 2``, each a free symbol."""

    def __init__(self, parity: int) -> None:
        self.parity = parity
        self._names: dict[tuple[object, ...], sp.Symbol] = {}

    def _symbol(self, *key: object) -> sp.Symbol:
        return self._names.setdefault(key, sp.Dummy(positive=True))

    def reduced(self, expr: sp.Expr) -> sp.Expr:
        expr = expr.replace(RealPart, lambda z: (z + self._conjugate(z)) / 2)
        expr = expr.replace(sp.factorial2, self._double_factorial)
        expr = expr.replace(sp.hermite_prob, self._hermite)
        return expr.replace(lambda node: isinstance(node, sp.Pow) and node.exp.has(n), self._power)

    def vanishes(self, total: sp.Expr) -> bool:
        top, _ = sp.fraction(sp.together(total))
        names = list(self._names.values())
        terms = sp.Poly(sp.expand(top), n, *names).coeffs() if names else [sp.expand(top)]
        return all(c == 0 or sp.simplify(c) == 0 for c in terms)

    @staticmethod
    def _conjugate(z: sp.Expr) -> sp.Expr:
        return z.subs(sp.I, -sp.I)

    def _double_factorial(self, argument: sp.Expr) -> sp.Expr:
        c = int(argument - n)
        reference = -1 if self.parity == 0 else 0
        value = self._symbol("!!")
        for k in range(reference, c, 2):
            value *= n + k + 2
        for k in range(c, reference, 2):
            value /= n + k + 2
        return value

    def _hermite(self, order: sp.Expr, z: sp.Expr) -> sp.Expr:
        now, before = self._symbol("He", z, 0), self._symbol("He", z, -1)
        c = int(order - n)
        for k in range(c):
            now, before = z * now - (n + k) * before, now
        for k in range(-c):  # He_{m-2} = (z He_{m-1} - He_m) / (m - 1), m = n - k
            now, before = before, (z * before - now) / (n - k - 1)
        return now

    def _power(self, node: sp.Pow) -> sp.Expr:
        exponent = sp.Poly(node.exp, n)
        slope, offset = exponent.nth(1), exponent.nth(0)
        value = node.base**offset
        base = node.base
        if base.is_Rational:
            for prime, count in sp.factorrat(abs(base)).items():
                value *= self._root(sp.Integer(prime), slope * count)
            return value * self._root(sp.S.NegativeOne, slope) if base.is_negative else value
        return value * self._root(base, slope)

    def _root(self, base: sp.Expr, slope: sp.Expr) -> sp.Expr:
        """``base^(slope n)`` as a power of the symbol for ``base^(n/2)``."""
        return self._symbol("power", base) ** (2 * slope)
