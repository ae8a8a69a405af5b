"""The one expression interpreter: a sympy tree becomes a function over balls or over float64 arrays.

The tree is flattened once into a straight-line programme (shared subexpressions computed once) and then
run in the number system of its table. Constants are converted by walking the tree, never by printing:
sympy's code printers turn ``6/5`` into a Python float, and a ball around a float is a false certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from flint import acb, arb, ctx, fmpq
from numpy.typing import NDArray

from analytic_ntk.arithmetic import atoms
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.programme import Programme, unknown
from analytic_ntk.errors import DomainError

Ball: TypeAlias = arb | acb
Array = NDArray[np.float64]


# --------------------------------------------------------------------------------------------- balls


def _ball_log(z: Ball) -> Ball:
    return z.log(analytic=True) if isinstance(z, acb) else z.log()


def _ball_sqrt(z: Ball) -> Ball:
    return z.sqrt(analytic=True) if isinstance(z, acb) else z.sqrt()


def _ball_tanh(z: Ball) -> Ball:
    """``tanh``, tight on wide boxes as well: ``1 - 2/(exp(2 z) + 1)`` towards the side where exp is small."""
    if isinstance(z, acb):
        if z.real >= 0:
            return 2 / ((-2 * z).exp() + 1) - 1
        return 1 - 2 / ((2 * z).exp() + 1)
    return z.tanh()


def _ball_sigmoid(z: Ball) -> Ball:
    if z.real <= 0 if isinstance(z, acb) else z <= 0:
        return 1 - 1 / (1 + z.exp()) if isinstance(z, acb) else z.exp() / (1 + z.exp())
    return 1 / (1 + (-z).exp())


def _ball_softplus(z: Ball) -> Ball:
    if isinstance(z, acb):
        if z.real >= 0:
            return z + (1 + (-z).exp()).log(analytic=True)
        if z.real < 0 or abs(z.imag) < 3:  # the two formulas agree across Re z = 0 for |Im z| < pi only
            return (1 + z.exp()).log(analytic=True)
        return acb("nan")
    return z + (-z).exp().log1p() if z > 0 else z.exp().log1p()


def _ball_atan(z: Ball) -> Ball:
    """``atan`` on the plane cut along ``+-i [1, oo)``; a box that meets the cut gives nan."""
    if isinstance(z, arb):
        return z.atan()
    product = 1 + z * z
    if z.imag > -1 and z.imag < 1:
        return z.atan()
    if z.real > 0 or z.real < 0:
        return z.atan()
    return product.log(analytic=True) * acb("nan")


def _real_only(name: str, function: Callable[..., arb]) -> Callable[..., Ball]:
    def guarded(*args: Ball) -> Ball:
        reals = []
        for value in args:
            if isinstance(value, acb):
                if not value.imag == 0:
                    raise DomainError(
                        f"{name} of a complex ball", "a real argument", "split at the breakpoints"
                    )
                value = value.real
            reals.append(value)
        return function(*reals)

    return guarded


def _ball_heaviside(z: arb, at_zero: arb | None = None) -> arb:
    if z > 0:
        return arb(1)
    if z < 0:
        return arb(0)
    if z == 0:
        return arb(1) / 2 if at_zero is None else at_zero
    return arb(0.5, 0.5)


def _ball_max(*args: arb) -> arb:
    best = args[0]
    for value in args[1:]:
        best = best.max(value)
    return best


def _ball_min(*args: arb) -> arb:
    best = args[0]
    for value in args[1:]:
        best = best.min(value)
    return best


BALL_TABLE: dict[type[sp.Basic], Callable[..., Ball]] = {
    sp.exp: lambda z: z.exp(),
    sp.log: _ball_log,
    sp.sin: lambda z: z.sin(),
    sp.cos: lambda z: z.cos(),
    sp.tan: lambda z: z.tan(),
    sp.sinh: lambda z: z.sinh(),
    sp.cosh: lambda z: z.cosh(),
    sp.tanh: _ball_tanh,
    sp.atan: _ball_atan,
    sp.asin: _real_only("asin", lambda z: arb.atan2(z, ((1 - z) * (1 + z)).nonnegative_part().sqrt())),
    sp.acos: _real_only("acos", lambda z: arb.atan2(((1 - z) * (1 + z)).nonnegative_part().sqrt(), z)),
    sp.erf: lambda z: z.erf(),
    sp.erfc: lambda z: z.erfc(),
    sp.Abs: _real_only("Abs", lambda z: abs(z)),
    sp.sign: _real_only("sign", lambda z: 2 * _ball_heaviside(z) - 1),
    sp.Heaviside: _real_only("Heaviside", _ball_heaviside),
    sp.Max: _real_only("Max", _ball_max),
    sp.Min: _real_only("Min", _ball_min),
    sp.re: lambda z: z.real,
    atoms.RealPart: atoms.RealPart._ball,
    fn.Phi: fn.Phi._ball,
    fn.sigmoid: _ball_sigmoid,
    fn.softplus: _ball_softplus,
    atoms.Phi2: lambda h, k, r: atoms.Phi2._ball(h, k, r.real),
    atoms.ConditionalPhi: lambda h, k, r: atoms.ConditionalPhi._ball(h, k, r.real),
    atoms.Ridge: lambda h, k, r: atoms.Ridge._ball(h, k, r.real),
    atoms.Angle: lambda a, b, c: atoms.Angle._ball(a.real, b.real, c.real),
}


def _ball_power(base: Ball, exponent: sp.Expr) -> Ball:
    if exponent.is_Integer:
        if isinstance(base, arb) and base.mid() == 0:  # arb ** int is nan there, even for [0 +/- 1] ** 2
            return (acb(base) ** int(exponent)).real
        return base ** int(exponent)
    if exponent == sp.Rational(1, 2):
        return _ball_sqrt(base)
    if exponent == -sp.Rational(1, 2):
        return 1 / _ball_sqrt(base)
    if exponent.is_Rational and exponent.q == 2:
        return _ball_sqrt(base) ** int(exponent.p)
    if isinstance(base, acb):
        return (base.log(analytic=True) * exact_ball(exponent)).exp()
    power = exact_ball(exponent)
    if base >= 0 and not base > 0 and power > 0:
        return base**power
    return (base.log() * power).exp()


def exact_ball(number: sp.Expr) -> Ball:
    """An exact sympy number as a ball at the working precision, by walking the tree.

    Raises :class:`DomainError` on a ``Float``: a float is not an exact number.
    """
    return compile_ball(sp.sympify(number), ())()


def _ball_constant(number: sp.Expr) -> Ball:
    if number.is_Rational:
        return arb(fmpq(int(number.p), int(number.q)))
    if number is sp.pi:
        return arb.pi()
    if number is sp.E:
        return arb(1).exp()
    if number is sp.I:
        return acb(0, 1)
    raise unknown(number)


def _ball_compare(kind: type, left: Ball, right: Ball) -> bool:
    difference = left - right
    if isinstance(difference, acb):
        if not difference.imag == 0:
            raise DomainError("a comparison of complex balls", "real balls", "split at the breakpoints")
        difference = difference.real
    if kind is sp.StrictGreaterThan:
        answer, opposite = difference > 0, difference <= 0
    elif kind is sp.GreaterThan:
        answer, opposite = difference >= 0, difference < 0
    elif kind is sp.StrictLessThan:
        answer, opposite = difference < 0, difference >= 0
    else:
        answer, opposite = difference <= 0, difference > 0
    if answer or opposite:
        return bool(answer)
    raise DomainError(f"a ball across the breakpoint ({difference.str(5)})", "a ball on one side of it")


@lru_cache(maxsize=4096)
def compile_ball(expr: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., Ball]:
    """A function of balls (real or complex) that encloses ``expr`` at the precision in force when called.

    Complex balls are mapped analytically: a box that meets a branch cut or a pole gives a non-finite
    ball, never a wrong one. Raises :class:`DomainError` for floats and unknown functions.
    """
    programme = Programme(expr, symbols, BALL_TABLE)
    steps, result = programme.steps, programme.result
    constants: dict[int, dict[int, Ball]] = {}

    def run(*values: Ball) -> Ball:
        known = constants.setdefault(ctx.prec, {})
        if len(constants) > 8:
            constants.clear()
            constants[ctx.prec] = known
        stack: list[Any] = list(values)
        for index, (kind, payload, where) in enumerate(steps):
            if kind == "sum":
                value = stack[where[0]]
                for slot in where[1:]:
                    value = value + stack[slot]
            elif kind == "product":
                value = stack[where[0]]
                for slot in where[1:]:
                    value = value * stack[slot]
            elif kind == "constant":
                value = known.get(index)
                if value is None:
                    value = known[index] = _ball_constant(payload)
            elif kind == "power":
                value = _ball_power(stack[where[0]], payload)
            elif kind == "call":
                value = BALL_TABLE[payload](*(stack[slot] for slot in where))
            elif kind == "general_power":
                value = (_ball_log(stack[where[0]]) * stack[where[1]]).exp()
            elif kind == "compare":
                value = _ball_compare(payload, stack[where[0]], stack[where[1]])
            elif kind == "truth":
                value = payload
            elif kind == "logic":
                flags = [stack[slot] for slot in where]
                value = all(flags) if payload is sp.And else any(flags) if payload is sp.Or else not flags[0]
            else:  # piecewise
                value = acb("nan")
                for branch in range(0, len(where), 2):
                    if stack[where[branch + 1]]:
                        value = stack[where[branch]]
                        break
            stack.append(value)
        return stack[result]

    return run


# -------------------------------------------------------------------------------------------- floats


def _float_table() -> dict[type[sp.Basic], Callable[..., Any]]:
    from scipy import special

    return {
        sp.exp: np.exp,
        sp.log: np.log,
        sp.sin: np.sin,
        sp.cos: np.cos,
        sp.tan: np.tan,
        sp.sinh: np.sinh,
        sp.cosh: np.cosh,
        sp.tanh: np.tanh,
        sp.atan: np.arctan,
        sp.asin: np.arcsin,
        sp.acos: np.arccos,
        sp.erf: special.erf,
        sp.erfc: special.erfc,
        sp.Abs: np.abs,
        sp.sign: np.sign,
        sp.Heaviside: lambda z, at_zero=0.5: np.heaviside(z, at_zero),
        sp.Max: lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
        sp.Min: lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
        fn.Phi: special.ndtr,
        fn.sigmoid: special.expit,
        fn.softplus: lambda z: np.logaddexp(0.0, z),
    }


_COMPARE = {
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
}


def _float_power(base: Any, exponent: sp.Expr) -> Any:
    if exponent.is_Integer:
        n = int(exponent)
        return base**n if n >= 0 else 1.0 / base ** (-n)
    if exponent == sp.Rational(1, 2):
        return np.sqrt(base)
    return np.power(base, float(exponent))


@lru_cache(maxsize=1024)
def compile_float(expr: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., Any]:
    """A function of float64 arrays that evaluates ``expr`` elementwise, to rounding error of each step.

    Overflow to ``inf`` inside the expression is not an error here (``1/inf`` is a fine zero); what leaves
    the package is checked by the caller.
    """
    programme = Programme(expr, symbols, BALL_TABLE)
    steps, result = programme.steps, programme.result
    table = _float_table()

    def run(*values: Any) -> Any:
        stack: list[Any] = list(values)
        with np.errstate(all="ignore"):
            for kind, payload, where in steps:
                if kind == "sum":
                    value = stack[where[0]]
                    for slot in where[1:]:
                        value = value + stack[slot]
                elif kind == "product":
                    value = stack[where[0]]
                    for slot in where[1:]:
                        value = value * stack[slot]
                elif kind == "constant":
                    value = float(sp.N(payload, 25))
                elif kind == "power":
                    value = _float_power(stack[where[0]], payload)
                elif kind == "call":
                    value = table[payload](*(stack[slot] for slot in where))
                elif kind == "general_power":
                    value = np.power(stack[where[0]], stack[where[1]])
                elif kind == "compare":
                    value = _COMPARE[payload](stack[where[0]], stack[where[1]])
                elif kind == "truth":
                    value = payload
                elif kind == "logic":
                    flags = [stack[slot] for slot in where]
                    value = (
                        np.logical_and.reduce(np.broadcast_arrays(*flags))
                        if payload is sp.And
                        else np.logical_or.reduce(np.broadcast_arrays(*flags))
                        if payload is sp.Or
                        else np.logical_not(flags[0])
                    )
                else:  # piecewise
                    value = np.nan
                    for branch in reversed(range(0, len(where), 2)):
                        value = np.where(stack[where[branch + 1]], stack[where[branch]], value)
                stack.append(value)
        return stack[result]

    return run
