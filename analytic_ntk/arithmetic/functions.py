"""Functions that sympy lacks and that may stand in an activation: ``Phi``, ``sigmoid``, ``softplus``.

They differentiate, print in LaTeX and evaluate to any precision through ball arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from flint import acb, arb
from mpmath import mp
from sympy.core.numbers import Float

from analytic_ntk.arithmetic.bivariate import phi_cdf
from analytic_ntk.arithmetic.precision import working_precision


def number_to_ball(number: sp.Expr, bits: int) -> arb | acb:
    real, imag = number.evalf(int(bits / 3.3) + 5).as_real_imag()
    digits = int(bits / 3.3) + 5
    if imag == 0:
        return arb(mp.nstr(real._to_mpmath(bits), digits))
    return acb(mp.nstr(real._to_mpmath(bits), digits), mp.nstr(imag._to_mpmath(bits), digits))


def number_from_ball(value: arb | acb, bits: int) -> sp.Expr:
    digits = int(bits / 3.32) + 3
    if isinstance(value, acb):
        return number_from_ball(value.real, bits) + sp.I * number_from_ball(value.imag, bits)
    return Float(value.mid().str(digits, radius=False), precision=bits)


def is_numeric(*args: sp.Expr) -> bool:
    return all(arg.is_number for arg in args)


def powered(latex: Callable[[Any, Any], str]) -> Callable[..., str]:
    """A ``_latex`` method that prints its power too: sympy hands it the exponent, in LaTeX already."""

    def method(self: Any, printer: Any, exp: str | None = None) -> str:
        text = latex(self, printer)
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    return method


class BallEvaluated(sp.Function):
    """A function whose ``evalf`` goes through a ball routine ``_ball(*args)``."""

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if not is_numeric(*self.args):
            return None
        bits = prec + 30
        with working_precision(bits):
            return number_from_ball(self._ball(*(number_to_ball(arg, bits) for arg in self.args)), prec)

    @staticmethod
    def _ball(*args: Any) -> Any:
        raise TypeError("a ball routine is required")


def is_zero(value: sp.Expr) -> bool:
    """Zero as written, or a plain number that is zero (asking a long expression takes too long)."""
    return value == 0 or bool(value.is_Atom and value.is_zero)


class Phi(BallEvaluated):
    """Standard normal distribution function ``Phi(h) = P(Z <= h)``.

    >>> from analytic_ntk.arithmetic.functions import Phi
    >>> Phi(0), Phi(1).evalf(20)
    (1/2, 0.84134474606854294859)
    """

    nargs = 1
    _ball = staticmethod(phi_cdf)

    @classmethod
    def eval(cls, h: sp.Expr) -> sp.Expr | None:
        if is_zero(h):
            return sp.Rational(1, 2)
        if h is sp.oo:
            return sp.S.One
        if h is -sp.oo:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        (h,) = self.args
        return sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi)

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_conjugate(self) -> sp.Expr:
        return Phi(sp.conjugate(self.args[0]))

    def _eval_rewrite_as_erf(self, h: sp.Expr, **_: Any) -> sp.Expr:
        return (1 + sp.erf(h / sp.sqrt(2))) / 2

    @powered
    def _latex(self, printer: Any) -> str:
        return rf"\Phi\left({printer._print(self.args[0])}\right)"


def merge_reflections(expr: sp.Expr) -> sp.Expr:
    """Where both ``Phi(h)`` and ``Phi(-h)`` occur, write the second as ``1 - Phi(h)``."""
    arguments = {node.args[0] for node in expr.atoms(Phi)}
    swaps = {Phi(-h): 1 - Phi(h) for h in arguments if -h in arguments and not h.could_extract_minus_sign()}
    return expr.xreplace(swaps) if swaps else expr


class sigmoid(BallEvaluated):
    """Logistic function ``1 / (1 + exp(-z))``, kept whole so that it never overflows."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb | acb:
        return 1 / (1 + (-z).exp())

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if is_zero(z):
            return sp.Rational(1, 2)
        if z is sp.oo:
            return sp.S.One
        if z is -sp.oo:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        (z,) = self.args
        return sigmoid(z) * sigmoid(-z)

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_rewrite_as_exp(self, z: sp.Expr, **_: Any) -> sp.Expr:
        return 1 / (1 + sp.exp(-z))

    @powered
    def _latex(self, printer: Any) -> str:
        return rf"\sigma\left({printer._print(self.args[0])}\right)"


class softplus(BallEvaluated):
    """``log(1 + exp(z))``, kept whole so that it never overflows."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb | acb:
        return (1 + z.exp()).log()

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if is_zero(z):
            return sp.log(2)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0])

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_rewrite_as_exp(self, z: sp.Expr, **_: Any) -> sp.Expr:
        return sp.log(1 + sp.exp(z))

    @powered
    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{softplus}}\left({printer._print(self.args[0])}\right)"
