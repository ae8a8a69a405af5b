"""The atoms of closed-form kernels, as sympy functions.

``Phi2``, ``ConditionalPhi``, ``Ridge`` and ``Angle`` stay finite where the correlation reaches +-1, where the
elementary expression each abbreviates would read 0/0; ``RealPart`` keeps conjugate terms together.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic.bivariate import phi2_cdf, phi_cdf
from analytic_ntk.arithmetic.functions import BallEvaluated, Phi, is_zero, powered


class ConditionalPhi(BallEvaluated):
    """``Phi((k - r h) / sqrt(1 - r^2)) = P(Z2 <= k | Z1 = h)``, with its limits at ``r = +-1``."""

    nargs = 3

    @staticmethod
    def _ball(h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        return phi_cdf((k - r * h) / ((1 - r) * (1 + r)).sqrt())

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr | None:
        if is_zero(r):
            return Phi(k)
        if is_zero(h) and is_zero(k):
            return sp.Rational(1, 2)
        if r in (1, -1):
            gap = sp.simplify(k - r * h)
            if gap.is_zero:
                return sp.Rational(1, 2)
            if gap.is_positive:
                return sp.S.One
            if gap.is_negative:
                return sp.S.Zero
        return None

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        h, k, r = self.args
        inner = (k - r * h) / sp.sqrt(1 - r**2)
        return sp.exp(-(inner**2) / 2) / sp.sqrt(2 * sp.pi) * sp.diff(inner, symbol)

    def _eval_is_extended_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_conjugate(self) -> sp.Expr:
        h, k, r = self.args
        return ConditionalPhi(sp.conjugate(h), sp.conjugate(k), r)

    @powered
    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        over = rf"\sqrt{{1-\left({r}\right)^2}}"
        return rf"\Phi\left(\frac{{{k}-\left({r}\right)\left({h}\right)}}{{{over}}}\right)"


class Ridge(BallEvaluated):
    """``exp(-(h^2 - 2 r h k + k^2) / (2 (1 - r^2)))``: the bivariate normal density without its factor.

    At ``r = +-1`` it is ``exp(-h^2/2)`` where ``k = r h`` and 0 elsewhere.
    """

    nargs = 3

    @staticmethod
    def _ball(h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        offset = k - r * h
        return (-(h * h) / 2 - offset * offset / (2 * (1 - r) * (1 + r))).exp()

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr | None:
        if is_zero(h) and is_zero(k):
            return sp.S.One
        if is_zero(r):
            return sp.exp(-(h**2 + k**2) / 2)
        if r in (1, -1):
            gap = sp.simplify(k - r * h)
            if gap.is_zero:
                return sp.exp(-(h**2) / 2)
            if gap.is_zero is False:
                return sp.S.Zero
        return None

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        h, k, r = self.args
        exponent = -(h**2 - 2 * r * h * k + k**2) / (2 * (1 - r**2))
        return self * sp.diff(exponent, symbol)

    def _eval_is_extended_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_conjugate(self) -> sp.Expr:
        h, k, r = self.args
        return Ridge(sp.conjugate(h), sp.conjugate(k), r)

    @powered
    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        return (
            rf"\exp\left(-\frac{{\left({h}\right)^2-2\left({r}\right)\left({h}\right)\left({k}\right)"
            rf"+\left({k}\right)^2}}{{2\left(1-\left({r}\right)^2\right)}}\right)"
        )


class Phi2(BallEvaluated):
    """Bivariate normal distribution function ``P(Z1 <= h, Z2 <= k)`` at correlation ``r``.

    >>> from analytic_ntk.arithmetic.atoms import Phi2
    >>> import sympy as sp
    >>> Phi2(0, 0, sp.Rational(1, 2)), Phi2(1, -1, sp.Rational(1, 2)).evalf(20)
    (1/3, 0.15487295185860278754)
    """

    nargs = 3
    _ball = staticmethod(phi2_cdf)

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr | None:
        if is_zero(h) and is_zero(k):
            return sp.Rational(1, 4) + sp.asin(r) / (2 * sp.pi)
        if is_zero(r):
            return Phi(h) * Phi(k)
        if h is sp.oo:
            return Phi(k)
        if k is sp.oo:
            return Phi(h)
        if h is -sp.oo or k is -sp.oo:
            return sp.S.Zero
        if r == 1 and (h == k or sp.expand(h - k).is_zero):
            return Phi(h)
        if r == -1 and sp.expand(h + k).is_zero:
            return sp.S.Zero
        if r == 1 and h.is_real and k.is_real and h.is_number and k.is_number:
            return Phi(sp.Min(h, k))
        if r == -1 and h.is_real and k.is_real and h.is_number and k.is_number:
            return Phi(h) - Phi(-k) if (h + k).is_positive else sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        h, k, r = self.args
        if argindex == 1:
            return sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi) * ConditionalPhi(h, k, r)
        if argindex == 2:
            return sp.exp(-(k**2) / 2) / sp.sqrt(2 * sp.pi) * ConditionalPhi(k, h, r)
        return Ridge(h, k, r) / (2 * sp.pi * sp.sqrt(1 - r**2))

    def _eval_is_extended_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_conjugate(self) -> sp.Expr:
        h, k, r = self.args
        return Phi2(sp.conjugate(h), sp.conjugate(k), r)

    @powered
    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        return rf"\Phi_2\left({h},{k};{r}\right)"


class RealPart(BallEvaluated):
    """The real part, kept whole (sympy's ``re`` expands what it meets)."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb:
        return z.real if isinstance(z, acb) else z

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if z.is_real:
            return z
        if z.is_number and not z.has(BallEvaluated):
            return sp.re(z)
        return None

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return RealPart(sp.diff(self.args[0], symbol))

    def _eval_is_extended_real(self) -> bool | None:
        return True

    @powered
    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Re}}\left({printer._print(self.args[0])}\right)"


def _positive_factor(*values: sp.Expr) -> sp.Expr:
    """A positive factor that stands in every value (rational content of the first included)."""
    shared = set.intersection(*(set(sp.Mul.make_args(value)) for value in values))
    common = sp.Mul(*(factor for factor in shared if factor.is_positive))
    content = (values[0] / common).as_coeff_Mul()[0]
    return common * content if content.is_positive else common


class Angle(BallEvaluated):
    """The angle between two inputs, ``acos(q12 / sqrt(q11 q22))`` in ``[0, pi]``; ``pi/2`` for a zero input.

    Its derivative in ``q12`` is ``-1 / sqrt(q11 q22 - q12^2)``, the form in which Price's theorem
    cancels by itself.
    """

    nargs = 3

    @staticmethod
    def _ball(a: arb, b: arb, c: arb) -> arb:
        return arb.atan2((a * b - c * c).nonnegative_part().sqrt(), c)

    @classmethod
    def eval(cls, a: sp.Expr, b: sp.Expr, c: sp.Expr) -> sp.Expr | None:
        if is_zero(a) or is_zero(b) or is_zero(c):
            return sp.pi / 2
        if a == b == c:
            return sp.S.Zero
        if a == b == -c:
            return sp.pi
        if a.is_number and b.is_number:
            return sp.acos(c / sp.sqrt(a * b))
        common = _positive_factor(a, b, c)
        if common != 1:
            return cls(a / common, b / common, c / common)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b, c = self.args
        root = sp.sqrt(a * b - c**2)
        if argindex == 3:
            return -1 / root
        return c / (2 * self.args[argindex - 1] * root)

    # Covariances are real by construction: asking them would walk the whole nested kernel.

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True

    @powered
    def _latex(self, printer: Any) -> str:
        a, b, c = self.args
        ratio = printer._print(c / sp.sqrt(a * b))
        return rf"\arccos\left({ratio}\right)"
