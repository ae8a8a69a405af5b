"""Functions of the field that sympy lacks, as sympy functions.

``Phi``, ``sigmoid``, ``softplus`` may stand in an activation. ``Phi2``, ``ConditionalPhi``, ``Ridge`` and
``Angle`` are the atoms of closed-form kernels: each stays finite where the correlation reaches +-1, where
the elementary expression it abbreviates would read 0/0. All of them differentiate, print in LaTeX and
evaluate to any precision through ball arithmetic.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from flint import acb, arb
from mpmath import mp
from sympy.core.numbers import Float

from analytic_ntk.arithmetic.bivariate import phi2_cdf, phi_cdf
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


def _is_numeric(*args: sp.Expr) -> bool:
    return all(arg.is_number for arg in args)


class _BallEvaluated(sp.Function):
    """A function whose ``evalf`` goes through a ball routine ``_ball(*args)``."""

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if not _is_numeric(*self.args):
            return None
        bits = prec + 30
        with working_precision(bits):
            return number_from_ball(self._ball(*(number_to_ball(arg, bits) for arg in self.args)), prec)

    @staticmethod
    def _ball(*args: Any) -> Any:
        raise TypeError("a ball routine is required")


def _is_zero(value: sp.Expr) -> bool:
    """Zero as written, or a plain number that is zero (asking a long expression takes too long)."""
    return value == 0 or bool(value.is_Atom and value.is_zero)


class Phi(_BallEvaluated):
    """Standard normal distribution function ``Phi(h) = P(Z <= h)``.

    >>> from analytic_ntk.arithmetic.functions import Phi
    >>> Phi(0), Phi(1).evalf(20)
    (1/2, 0.84134474606854294859)
    """

    nargs = 1
    _ball = staticmethod(phi_cdf)

    @classmethod
    def eval(cls, h: sp.Expr) -> sp.Expr | None:
        if _is_zero(h):
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

    def _latex(self, printer: Any) -> str:
        return rf"\Phi\left({printer._print(self.args[0])}\right)"


def merge_reflections(expr: sp.Expr) -> sp.Expr:
    """Where both ``Phi(h)`` and ``Phi(-h)`` occur, write the second as ``1 - Phi(h)``."""
    arguments = {node.args[0] for node in expr.atoms(Phi)}
    swaps = {Phi(-h): 1 - Phi(h) for h in arguments if -h in arguments and not h.could_extract_minus_sign()}
    return expr.xreplace(swaps) if swaps else expr


class sigmoid(_BallEvaluated):
    """Logistic function ``1 / (1 + exp(-z))``, kept whole so that it never overflows."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb | acb:
        return 1 / (1 + (-z).exp())

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if _is_zero(z):
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

    def _latex(self, printer: Any) -> str:
        return rf"\sigma\left({printer._print(self.args[0])}\right)"


class softplus(_BallEvaluated):
    """``log(1 + exp(z))``, kept whole so that it never overflows."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb | acb:
        return (1 + z.exp()).log()

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if _is_zero(z):
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

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{softplus}}\left({printer._print(self.args[0])}\right)"


def _one_minus_square(r: sp.Expr) -> sp.Expr:
    return sp.factor(1 - r**2)


class ConditionalPhi(_BallEvaluated):
    """``Phi((k - r h) / sqrt(1 - r^2)) = P(Z2 <= k | Z1 = h)``, with its limits at ``r = +-1``."""

    nargs = 3

    @staticmethod
    def _ball(h: arb | acb, k: arb | acb, r: arb) -> arb | acb:
        return phi_cdf((k - r * h) / ((1 - r) * (1 + r)).sqrt())

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr | None:
        if _is_zero(r):
            return Phi(k)
        if _is_zero(h) and _is_zero(k):
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

    def unfold(self) -> sp.Expr:
        """The same in terms of :class:`Phi`."""
        h, k, r = self.args
        return Phi((k - r * h) / sp.sqrt(1 - r**2))

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        h, k, r = self.args
        inner = (k - r * h) / sp.sqrt(1 - r**2)
        return sp.exp(-(inner**2) / 2) / sp.sqrt(2 * sp.pi) * sp.diff(inner, symbol)

    def _eval_is_extended_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_conjugate(self) -> sp.Expr:
        h, k, r = self.args
        return ConditionalPhi(sp.conjugate(h), sp.conjugate(k), r)

    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        over = rf"\sqrt{{1-\left({r}\right)^2}}"
        return rf"\Phi\left(\frac{{{k}-\left({r}\right)\left({h}\right)}}{{{over}}}\right)"


class Ridge(_BallEvaluated):
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
        if _is_zero(h) and _is_zero(k):
            return sp.S.One
        if _is_zero(r):
            return sp.exp(-(h**2 + k**2) / 2)
        if r in (1, -1):
            gap = sp.simplify(k - r * h)
            if gap.is_zero:
                return sp.exp(-(h**2) / 2)
            if gap.is_zero is False:
                return sp.S.Zero
        return None

    def unfold(self) -> sp.Expr:
        """The same as an exponential."""
        h, k, r = self.args
        return sp.exp(-(h**2 - 2 * r * h * k + k**2) / (2 * (1 - r**2)))

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        h, k, r = self.args
        exponent = -(h**2 - 2 * r * h * k + k**2) / (2 * (1 - r**2))
        return self * sp.diff(exponent, symbol)

    def _eval_is_extended_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_conjugate(self) -> sp.Expr:
        h, k, r = self.args
        return Ridge(sp.conjugate(h), sp.conjugate(k), r)

    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        return (
            rf"\exp\left(-\frac{{\left({h}\right)^2-2\left({r}\right)\left({h}\right)\left({k}\right)"
            rf"+\left({k}\right)^2}}{{2\left(1-\left({r}\right)^2\right)}}\right)"
        )


class Phi2(_BallEvaluated):
    """Bivariate normal distribution function ``P(Z1 <= h, Z2 <= k)`` at correlation ``r``.

    >>> from analytic_ntk.arithmetic.functions import Phi2
    >>> import sympy as sp
    >>> Phi2(0, 0, sp.Rational(1, 2)), Phi2(1, -1, sp.Rational(1, 2)).evalf(20)
    (1/3, 0.15487295185860278754)
    """

    nargs = 3
    _ball = staticmethod(phi2_cdf)

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, r: sp.Expr) -> sp.Expr | None:
        if _is_zero(h) and _is_zero(k):
            return sp.Rational(1, 4) + sp.asin(r) / (2 * sp.pi)
        if _is_zero(r):
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

    def _latex(self, printer: Any) -> str:
        h, k, r = (printer._print(arg) for arg in self.args)
        return rf"\Phi_2\left({h},{k};{r}\right)"


class RealPart(_BallEvaluated):
    """The real part, kept whole (sympy's ``re`` expands what it meets)."""

    nargs = 1

    @staticmethod
    def _ball(z: arb | acb) -> arb:
        return z.real if isinstance(z, acb) else z

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        if z.is_real:
            return z
        if z.is_number and not z.has(_BallEvaluated):
            return sp.re(z)
        return None

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return RealPart(sp.diff(self.args[0], symbol))

    def _eval_is_extended_real(self) -> bool | None:
        return True

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{Re}}\left({printer._print(self.args[0])}\right)"


def _positive_factor(*values: sp.Expr) -> sp.Expr:
    """A positive factor that stands in every value (rational content of the first included)."""
    shared = set.intersection(*(set(sp.Mul.make_args(value)) for value in values))
    common = sp.Mul(*(factor for factor in shared if factor.is_positive))
    content = (values[0] / common).as_coeff_Mul()[0]
    return common * content if content.is_positive else common


class Angle(_BallEvaluated):
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
        if _is_zero(a) or _is_zero(b) or _is_zero(c):
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

    def unfold(self) -> sp.Expr:
        """The same as an arc cosine."""
        a, b, c = self.args
        return sp.acos(c / sp.sqrt(a * b))

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

    def _latex(self, printer: Any) -> str:
        a, b, c = self.args
        ratio = printer._print(c / sp.sqrt(a * b))
        return rf"\arccos\left({ratio}\right)"
