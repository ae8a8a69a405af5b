"""A function cut in pieces, unit by unit on arrays of any library."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.programme import Programme
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers.arrays import Array, namespace, special
from analytic_ntk.notation import x

_ROOT_HALF = 0.7071067811865476


def _sigmoid(xp: Any, z: Array) -> Array:
    small = xp.exp(-xp.abs(z))
    return xp.where(z < 0, small, xp.ones_like(z)) / (1.0 + small)


def _softplus(xp: Any, z: Array) -> Array:
    return xp.where(z > 0, z, xp.zeros_like(z)) + xp.log1p(xp.exp(-xp.abs(z)))


_CALLS: dict[type[sp.Basic], Callable[[Any, Array], Array]] = {
    sp.exp: lambda xp, z: xp.exp(z),
    sp.log: lambda xp, z: xp.log(z),
    sp.sin: lambda xp, z: xp.sin(z),
    sp.cos: lambda xp, z: xp.cos(z),
    sp.sinh: lambda xp, z: xp.sinh(z),
    sp.cosh: lambda xp, z: xp.cosh(z),
    sp.tanh: lambda xp, z: xp.tanh(z),
    sp.atan: lambda xp, z: xp.atan(z),
    sp.erf: lambda xp, z: special(xp, "erf")(z),
    sp.erfc: lambda xp, z: special(xp, "erfc")(z),
    fn.Phi: lambda xp, z: 0.5 * special(xp, "erfc")(-_ROOT_HALF * z),
    fn.sigmoid: _sigmoid,
    fn.softplus: _softplus,
}


@lru_cache(maxsize=1024)
def on_arrays(pieces: Pieces) -> Callable[[Array], Array]:
    """The function elementwise, on arrays of any library and of any real dtype.

    Between breakpoints the expression, at a breakpoint the mean of the two sides. Each part is run on the
    whole array clipped to its own interval, so that what it does elsewhere (overflow, a pole) does no harm.
    Accurate to the rounding of each step; values too large for the dtype are ``inf``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> on_arrays(activations.relu.derivative)(np.array([-1.0, 0.0, 2.0]))
    array([0. , 0.5, 1. ])
    """
    parts = [_compiled(part) for part in pieces.parts]
    breaks = [float(point) for point in pieces.float_breakpoints]

    def run(z: Array) -> Array:
        xp = namespace(z)
        if not breaks:
            return parts[0](xp, z)
        value = parts[0](xp, xp.clip(z, max=breaks[0]))
        for i, place in enumerate(breaks):
            low, high = place, breaks[i + 1] if i + 1 < len(breaks) else None
            above = parts[i + 1](xp, xp.clip(z, low, high) if high is not None else xp.clip(z, min=low))
            value = xp.where(z < place, value, xp.where(z > place, above, 0.5 * (value + above)))
        return value

    return run


def _compiled(expr: sp.Expr) -> Callable[[Any, Array], Array]:
    """A smooth expression, run step by step.

    Subexpressions without ``x`` are numbers, worked out once: array libraries take Python floats in sums,
    products and powers, but not in their functions.
    """
    programme = Programme(expr, (x,), _CALLS)
    numbers = {slot: float(sp.N(e, 25)) for e, slot in programme.slots.items() if not e.free_symbols}

    def run(xp: Any, z: Array) -> Array:
        stack: list[Any] = [z]
        for slot, (kind, payload, where) in enumerate(programme.steps, 1):
            if slot in numbers:
                value = numbers[slot]
            elif kind == "sum":
                value = stack[where[0]]
                for other in where[1:]:
                    value = value + stack[other]
            elif kind == "product":
                value = stack[where[0]]
                for other in where[1:]:
                    value = value * stack[other]
            elif kind == "power" and payload.is_Integer:
                value = _power(stack[where[0]], int(payload))
            elif kind == "power":
                value = stack[where[0]] ** float(payload)
            elif kind == "general_power":
                value = stack[where[0]] ** stack[where[1]]
            else:  # a call: the pieces are smooth
                value = _CALLS[payload](xp, stack[where[0]])
            stack.append(value)
        found = stack[programme.result]
        return xp.full_like(z, found) if isinstance(found, float) else found

    return run


def _power(base: Array, exponent: int) -> Array:
    """By repeated squaring: a general power costs some fifty multiplications."""
    if exponent < 0:
        return 1.0 / _power(base, -exponent)
    if exponent == 1:
        return base
    half = _power(base, exponent // 2)
    return half * half * base if exponent % 2 else half * half
