"""The dual activation as an object of its own, where no closed form exists."""

from __future__ import annotations

from typing import Any

import sympy as sp
from flint import arb
from sympy.core.function import ArgumentIndexError

from analytic_ntk.arithmetic.functions import number_from_ball, number_to_ball, powered
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x


class Dual(sp.Function):
    """``E f(u) g(v)`` for ``(u, v) ~ N(0, [[q11, q12], [q12, q22]])``, unevaluated.

    ``Dual(Lambda(x, f), Lambda(x, g), q11, q22, q12)`` differentiates by Price's theorem,

        d/dq12 = E f'(u) g'(v),     d/dq11 = (E u f'(u) g(v) - q12 E f'(u) g'(v)) / (2 q11),

    prints in LaTeX and evaluates to any precision by rigorous quadrature of the definition. With
    ``q11 = q22 = q12`` it is the second moment ``E f(u) g(u)``. A derivative across a jump of ``f`` or
    ``g`` raises :class:`NoClosedFormError` (Price's theorem then has a Dirac term).
    """

    nargs = 5

    @classmethod
    def of(cls, f: sp.Expr, g: sp.Expr, a: sp.Expr, b: sp.Expr, c: sp.Expr) -> Dual:
        """From two expressions in ``x``."""
        return cls(sp.Lambda(x, f), sp.Lambda(x, g), a, b, c)

    @classmethod
    def eval(cls, f: sp.Lambda, g: sp.Lambda, a: sp.Expr, b: sp.Expr, c: sp.Expr) -> sp.Expr | None:
        if f.expr == 0 or g.expr == 0:
            return sp.S.Zero
        if a == 0 and b == 0:
            return f(sp.S.Zero) * g(sp.S.Zero)
        if c == 0 and a != 0 and b != 0:  # independent: the product of the means
            return _mean(f, a) * _mean(g, b)
        return None

    @property
    def _functions(self) -> tuple[sp.Expr, sp.Expr]:
        f, g = self.args[:2]
        return f(x), g(x)

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        total = sp.S.Zero
        for index in (3, 4, 5):
            inner = sp.diff(self.args[index - 1], symbol)
            if inner != 0:
                total += self.fdiff(index) * inner
        return total

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        if argindex not in (3, 4, 5):
            raise ArgumentIndexError(self, argindex)
        f, g = self._functions
        a, b, c = self.args[2:]
        slopes = []
        for function in (f, g):
            pieces = Pieces.of(function)
            if not pieces.is_continuous:
                raise NoClosedFormError(
                    f"the derivative of a dual across a jump of {function}",
                    "a continuous activation",
                    "differentiate numerically, or use the certified values",
                )
            slopes.append(piecewise_expression(pieces.derivative()))
        price = Dual.of(slopes[0], slopes[1], a, b, c)
        if argindex == 5:
            return price
        own, other, variance = (slopes[0], g, a) if argindex == 3 else (slopes[1], f, b)
        if argindex == 3:
            scaled = Dual.of(x * own, other, a, b, c)
        else:
            scaled = Dual.of(other, x * own, a, b, c)
        return (scaled - c * price) / (2 * variance)

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        a, b, c = self.args[2:]
        if not (a.is_number and b.is_number and c.is_number):
            return None
        f, g = (Pieces.of(function) for function in self._functions)
        bits = prec + 40
        with working_precision(bits):
            q11, q22, q12 = (number_to_ball(q, bits) for q in (a, b, c))
            if a == b == c:
                value = quadrature.single(f, g, q11, arb(1), prec + 10)
            elif a == b == -c:
                value = quadrature.single(f, g, q11, arb(-1), prec + 10)
            elif q11 * q22 - q12 * q12 > 0:
                (value,) = quadrature.double_many([(f, g)], q11, q22, q12, prec + 10)
            else:
                raise DomainError(f"the covariance ({a}, {b}, {c})", "a positive semidefinite covariance")
            return number_from_ball(value, prec)

    def _eval_is_extended_real(self) -> bool | None:
        return True

    @powered
    def _latex(self, printer: Any) -> str:
        f, g = self._functions
        a, b, c = self.args[2:]
        u, v = sp.Symbol("u", real=True), sp.Symbol("v", real=True)
        if a == b == c:
            inside = printer._print((f * g).subs(x, u))
            return (
                rf"\mathbb{{E}}_{{u\sim\mathcal{{N}}\left(0,{printer._print(a)}\right)}}\left[{inside}\right]"
            )
        law = printer._print(sp.ImmutableMatrix([[a, c], [c, b]]))
        left, right = printer._print(f.subs(x, u)), printer._print(g.subs(x, v))
        return (
            rf"\mathbb{{E}}_{{(u,v)\sim\mathcal{{N}}\left(0,{law}\right)}}"
            rf"\left[\left({left}\right)\left({right}\right)\right]"
        )

    def _sympystr(self, printer: Any) -> str:
        f, g = self._functions
        a, b, c = (printer._print(q) for q in self.args[2:])
        if a == b == c:
            return f"E[{printer._print(f * g)}; {a}]"
        return f"E[({printer._print(f)})(u)*({printer._print(g)})(v); {a}, {b}, {c}]"


def _mean(f: sp.Lambda, variance: sp.Expr) -> sp.Expr:
    """``E f(u)``; 0 for an odd function, a constant for a constant one."""
    body = f(x)
    if not body.has(x):
        return body
    if sp.expand(body + body.subs(x, -x)) == 0:
        return sp.S.Zero
    return Dual(f, sp.Lambda(x, sp.S.One), variance, variance, variance)


def piecewise_expression(pieces: Pieces) -> sp.Expr:
    """Pieces as one expression."""
    if not pieces.breakpoints:
        return pieces.parts[0]
    branches = [(part, x < point) for part, point in zip(pieces.parts, pieces.breakpoints, strict=False)]
    return sp.Piecewise(*branches, (pieces.parts[-1], True))
