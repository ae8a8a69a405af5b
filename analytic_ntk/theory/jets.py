"""Jets: truncated power series in one variable ``t`` whose coefficients are arrays.

A jet ``(c_0, .., c_N)`` stands for ``c_0 + c_1 t + .. + c_N t^N`` (no factorials), each ``c_k`` an array of
any library that follows the array standard, or the number 0. :func:`compose` sends a jet through an
activation, :func:`jet_layers.forward` through the layers of a finite network whose parameters move along a
straight line, and :func:`jet_layers.backward` the gradient on the way back. Nothing is differenced: the
coefficients are exact up to the rounding of each step.

    phi(u(t)):  y' = g u'  with  g = phi'(u),   n y_n = sum_{k=1}^n k u_k g_{n-k}

(Griewank, Walther, Evaluating Derivatives, chapter 13). A function cut in pieces is expanded on the piece
that holds ``c_0``; at a breakpoint the coefficients are the means of the two sides, as in the layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.programme import Programme
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.units import require_count
from analytic_ntk.notation import x

Jet: TypeAlias = tuple[Array, ...]
"""``(c_0, .., c_N)``; a coefficient known to vanish may be the Python number 0.0."""

MAX_ORDER = 500


def require_order(order: int, least: int = 0) -> None:
    """Raise :class:`DomainError` unless ``order`` is an integer from ``least`` to ``MAX_ORDER``."""
    require_count(order, "order", least)
    if order > MAX_ORDER:
        raise DomainError(f"order = {order}", f"at most {MAX_ORDER}")


def is_zero(value: Array) -> bool:
    """Whether a coefficient is the number 0 (an array of zeros is not looked into)."""
    return isinstance(value, float) and value == 0.0


def add(one: Jet, other: Jet) -> Jet:
    return tuple(b if is_zero(a) else a if is_zero(b) else a + b for a, b in zip(one, other, strict=True))


def scale(factor: Array | float, jet: Jet) -> Jet:
    return tuple(0.0 if is_zero(c) else factor * c for c in jet)


def multiply(one: Jet, other: Jet, product: Callable[[Array, Array], Array] | None = None) -> Jet:
    """Cauchy's product; ``product`` of two coefficients is the elementwise one unless given (``a @ b``)."""
    return tuple(_convolve(one, other, n, 0, product) for n in range(len(one)))


def _convolve(
    one: Sequence[Array],
    other: Sequence[Array],
    n: int,
    first: int,
    product: Callable[[Array, Array], Array] | None = None,
) -> Array:
    """``sum_{k=first}^n one_k other_{n-k}``."""
    total: Array = 0.0
    for k in range(first, n + 1):
        a, b = one[k], other[n - k]
        if is_zero(a) or is_zero(b):
            continue
        term = a * b if product is None else product(a, b)
        total = term if is_zero(total) else total + term
    return total


def integrate(first: Array, slope: Sequence[Array], u: Jet, n: int) -> Array:
    """The coefficient ``y_n`` of ``y' = g u'`` from ``g_0 .. g_{n-1}`` (``first`` is ``y_0``)."""
    if n == 0:
        return first
    return scale(
        1.0 / n, (_convolve([k * c if not is_zero(c) else c for k, c in enumerate(u)], slope, n, 1),)
    )[0]


def reciprocal(jet: Jet) -> Jet:
    first = 1.0 / jet[0]
    found: list[Array] = [first]
    for n in range(1, len(jet)):
        inner = _convolve(jet, [*found, 0.0], n, 1)
        found.append(0.0 if is_zero(inner) else -first * inner)
    return tuple(found)


def power(jet: Jet, exponent: sp.Expr) -> Jet:
    """A power with a fixed exponent; one that is no integer needs ``c_0 > 0``."""
    if exponent.is_Integer:
        whole = int(exponent)
        if whole < 0:
            return reciprocal(power(jet, sp.Integer(-whole)))
        found: Jet | None = None
        square = jet
        while whole:
            if whole % 2:
                found = square if found is None else multiply(found, square)
            whole //= 2
            if whole:
                square = multiply(square, square)
        return (1.0, *(0.0,) * (len(jet) - 1)) if found is None else found
    p, first = float(exponent), 1.0 / jet[0]
    y: list[Array] = [jet[0] ** p]
    for n in range(1, len(jet)):
        total: Array = 0.0
        for k in range(1, n + 1):
            if not (is_zero(jet[k]) or is_zero(y[n - k])):
                total = total + (p * k - (n - k)) * jet[k] * y[n - k]
        y.append(0.0 if is_zero(total) else total * first / n)
    return tuple(y)


# ------------------------------------------------------------------------------------ functions of a jet


def _by_slope(first: Array, slope: Jet, u: Jet) -> Jet:
    return tuple(integrate(first, slope, u, n) for n in range(len(u)))


def _closed(first: Array, slope: Callable[[list[Array], int], Array], u: Jet) -> Jet:
    """``y' = g(y) u'`` where ``slope(y, m)`` is the ``m``-th coefficient of ``g(y)``."""
    y: list[Array] = [first]
    g: list[Array] = []
    for n in range(1, len(u)):
        g.append(slope(y, n - 1))
        y.append(integrate(first, g, u, n))
    return tuple(y)


def exp(xp: Any, u: Jet) -> Jet:
    return _closed(xp.exp(u[0]), lambda y, m: y[m], u)


def _log(xp: Any, u: Jet) -> Jet:
    return _by_slope(xp.log(u[0]), reciprocal(u), u)


def _pair(one: Array, other: Array, sign: float, u: Jet) -> tuple[Jet, Jet]:
    """``s' = c u'`` and ``c' = sign s u'`` together."""
    s, c = [one], [other]
    for n in range(1, len(u)):
        following = integrate(one, c, u, n), scale(sign, (integrate(other, s, u, n),))[0]
        s.append(following[0])
        c.append(following[1])
    return tuple(s), tuple(c)


def _tanh(xp: Any, u: Jet) -> Jet:
    def slope(y: list[Array], m: int) -> Array:
        square = _convolve(y, y, m, 0)
        return 1.0 - square if m == 0 else scale(-1.0, (square,))[0]

    return _closed(xp.tanh(u[0]), slope, u)


def _sigmoid(xp: Any, u: Jet) -> Jet:
    def slope(y: list[Array], m: int) -> Array:
        return y[m] - _convolve(y, y, m, 0)

    return _closed(_call(fn.sigmoid, u[0]), slope, u)


def _bell(xp: Any, u: Jet, factor: float) -> Jet:
    """``exp(-factor u^2)``."""
    return exp(xp, scale(-factor, multiply(u, u)))


_SQRT_PI = math.sqrt(math.pi)
_FUNCTIONS: dict[type[sp.Basic], Callable[[Any, Jet], Jet]] = {
    sp.exp: exp,
    sp.log: _log,
    sp.sin: lambda xp, u: _pair(xp.sin(u[0]), xp.cos(u[0]), -1.0, u)[0],
    sp.cos: lambda xp, u: _pair(xp.sin(u[0]), xp.cos(u[0]), -1.0, u)[1],
    sp.sinh: lambda xp, u: _pair(xp.sinh(u[0]), xp.cosh(u[0]), 1.0, u)[0],
    sp.cosh: lambda xp, u: _pair(xp.sinh(u[0]), xp.cosh(u[0]), 1.0, u)[1],
    sp.tanh: _tanh,
    sp.atan: lambda xp, u: _by_slope(xp.atan(u[0]), reciprocal(_one_plus_square(u)), u),
    sp.erf: lambda xp, u: _by_slope(_call(sp.erf, u[0]), scale(2 / _SQRT_PI, _bell(xp, u, 1.0)), u),
    sp.erfc: lambda xp, u: _by_slope(_call(sp.erfc, u[0]), scale(-2 / _SQRT_PI, _bell(xp, u, 1.0)), u),
    fn.Phi: lambda xp, u: _by_slope(
        _call(fn.Phi, u[0]), scale(1 / (math.sqrt(2.0) * _SQRT_PI), _bell(xp, u, 0.5)), u
    ),
    fn.sigmoid: _sigmoid,
    fn.softplus: lambda xp, u: _by_slope(_call(fn.softplus, u[0]), _sigmoid(xp, u), u),
}


def _one_plus_square(u: Jet) -> Jet:
    square = multiply(u, u)
    return (1.0 + square[0], *square[1:])


def _call(function: Callable[[sp.Symbol], sp.Expr], z: Array) -> Array:
    """The value itself, as the layers compute it."""
    return on_arrays(Pieces((), (function(x),)))(z)


# ------------------------------------------------------------------------------------ an activation


def compose(pieces: Pieces, jet: Jet) -> Jet:
    """``phi(c_0 + c_1 t + ..)`` to the same order, elementwise.

    ``jet[0]`` must be an array. Every coefficient of the answer is an array. Values beyond the dtype are
    ``inf`` or NaN: the doors that use this refuse them.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> found = compose(activations.sin.pieces, (np.zeros(1), np.ones(1), 0.0, 0.0))
    >>> [round(float(c[0]), 6) for c in found]
    [0.0, 1.0, -0.0, -0.166667]
    """
    xp, z = namespace(jet[0]), jet[0]
    parts = [_compiled(part) for part in pieces.parts]
    breaks = [float(point) for point in pieces.float_breakpoints]
    if not breaks:
        return _whole(xp, z, parts[0](xp, jet))
    value = _whole(xp, z, parts[0](xp, (xp.clip(z, max=breaks[0]), *jet[1:])))
    for i, place in enumerate(breaks):
        low, high = place, breaks[i + 1] if i + 1 < len(breaks) else None
        inside = xp.clip(z, low, high) if high is not None else xp.clip(z, min=low)
        above = _whole(xp, z, parts[i + 1](xp, (inside, *jet[1:])))
        value = tuple(
            xp.where(z < place, a, xp.where(z > place, b, 0.5 * (a + b)))
            for a, b in zip(value, above, strict=True)
        )
    return value


def taylor_coefficients(activation: Activation, z: Array, order: int) -> Jet:
    """``phi^(n)(z)/n!`` for ``n = 0 .. order``, arrays shaped like ``z``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> [float(c[0]) for c in taylor_coefficients(activations.exp, np.zeros(1), 3)[:3]]
    [1.0, 1.0, 0.5]
    """
    require_order(order)
    activation.require_numeric()
    step = (namespace(z).ones_like(z),) if order else ()
    return compose(activation.pieces, (z, *step, *(0.0,) * (order - 1)))


def _whole(xp: Any, like: Array, jet: Jet) -> Jet:
    """Numbers written out as arrays."""
    return tuple(xp.full_like(like, c) if isinstance(c, float) else c for c in jet)


@lru_cache(maxsize=1024)
def _compiled(expr: sp.Expr) -> Callable[[Any, Jet], Jet]:
    """A smooth expression run on jets, step by step; what does not contain ``x`` is a number."""
    programme = Programme(expr, (x,), _FUNCTIONS)
    numbers = {slot: float(sp.N(e, 25)) for e, slot in programme.slots.items() if not e.free_symbols}

    def run(xp: Any, u: Jet) -> Jet:
        stack: list[Jet] = [u]
        rest = (0.0,) * (len(u) - 1)
        for slot, (kind, payload, where) in enumerate(programme.steps, 1):
            arguments = [stack[i] for i in where]
            if slot in numbers:
                value: Jet = (numbers[slot], *rest)
            elif kind == "sum":
                value = arguments[0]
                for other in arguments[1:]:
                    value = add(value, other)
            elif kind == "product":
                value = arguments[0]
                for other in arguments[1:]:
                    value = multiply(value, other)
            elif kind == "power":
                value = power(arguments[0], payload)
            elif kind == "general_power":  # a number with x above it, or a positive base
                base, exponent = arguments
                given = (math.log(base[0]), *rest) if isinstance(base[0], float) else _log(xp, base)
                value = exp(xp, multiply(exponent, given))
            else:
                value = _FUNCTIONS[payload](xp, arguments[0])
            stack.append(value)
        return stack[programme.result]

    return run
