"""Taylor coefficients of a smooth expression in balls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import arb, arb_series, ctx

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.programme import Programme
from analytic_ntk.notation import x


def _half_sum(u: arb_series, sign: int) -> arb_series:
    return (u.exp() + sign * (-u).exp()) / 2


def _bell_integral(u: arb_series, factor: arb, first: arb) -> arb_series:
    """``y' = exp(-factor u^2) u'`` with ``y_0 = first``."""
    return first + ((-(u * u) * factor).exp() * u.derivative()).integral()


def _erf(u: arb_series, sign: int, start: arb) -> arb_series:
    weight = 2 * sign / arb.pi().sqrt()
    return start + weight * _bell_integral(u, arb(1), arb(0))


_FUNCTIONS: dict[type[sp.Basic], Callable[[arb_series], arb_series]] = {
    sp.exp: lambda u: u.exp(),
    sp.log: lambda u: u.log(),
    sp.sin: lambda u: u.sin(),
    sp.cos: lambda u: u.cos(),
    sp.sinh: lambda u: _half_sum(u, -1),
    sp.cosh: lambda u: _half_sum(u, 1),
    sp.tanh: lambda u: 1 - 2 / ((2 * u).exp() + 1),
    sp.atan: lambda u: u.atan(),
    sp.erf: lambda u: _erf(u, 1, u[0].erf()),
    sp.erfc: lambda u: _erf(u, -1, u[0].erfc()),
    fn.Phi: lambda u: _bell_integral(u, arb(1) / 2, arb(0)) / (2 * arb.pi()).sqrt() + fn.Phi._ball(u[0]),
    fn.sigmoid: lambda u: 1 / (1 + (-u).exp()),
    fn.softplus: lambda u: (1 + u.exp()).log(),
}


@lru_cache(maxsize=512)
def _programme(part: sp.Expr) -> Programme:
    return Programme(part, (x,), _FUNCTIONS)


def taylor_balls(part: sp.Expr, z: arb, order: int) -> list[arb]:
    """``phi^(n)(z)/n!`` for ``n = 0 .. order``, certified at the working precision."""
    programme = _programme(part)
    numbers = {slot: e for e, slot in programme.slots.items() if not e.free_symbols}
    before, ctx.cap = ctx.cap, order + 1
    try:
        stack: list[Any] = [arb_series([z, 1])]
        for slot, (kind, payload, where) in enumerate(programme.steps, 1):
            if slot in numbers:
                value: Any = arb_series([exact_ball(numbers[slot]).real])
            elif kind == "call":
                value = _FUNCTIONS[payload](stack[where[0]])
            elif kind == "power":
                value = _power(stack[where[0]], payload)
            elif kind == "general_power":
                value = (stack[where[0]].log() * stack[where[1]]).exp()
            else:
                value = stack[where[0]]
                for other in where[1:]:
                    value = value + stack[other] if kind == "sum" else value * stack[other]
            stack.append(value)
        found = stack[programme.result]
        return [arb(found[n]) for n in range(order + 1)]
    finally:
        ctx.cap = before


def _power(u: arb_series, exponent: sp.Expr) -> arb_series:
    if not exponent.is_Integer:
        return (u.log() * exact_ball(exponent).real).exp()
    whole, found, square = abs(int(exponent)), arb_series([1]), u
    while whole:
        found = found * square if whole % 2 else found
        square, whole = square * square, whole // 2
    return found if exponent >= 0 else 1 / found
