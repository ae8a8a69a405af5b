"""A mesh of the real line on whose panels an activation is a polynomial, to rounding error.

Gauss-Legendre panels are accurate where the integrand is smooth at the scale of the panel. What that scale
is depends on the activation: kinks, nearby complex singularities (tanh has one at ``i pi/2``), oscillation.
The mesh finds it by bisection: a panel stays whole when the Chebyshev series of ``phi^2`` and ``phi'^2``
has decayed to rounding error at degree 38, which 20 Gauss nodes integrate exactly, and reproduces the
function in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import compile_float
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

Array = NDArray[np.float64]
Index = NDArray[np.intp]
DEGREE = 46
EXACT = 38
_POINTS = np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)
_TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_POINTS, DEGREE))
# where the series is compared with the function: 24 points an octave towards both ends, so that on a panel as
# wide as [0, 1000] a feature of relative width 1/20 near the end cannot be missed
_NEAR_END = 2.0 ** -(np.arange(1.0, 289.0) / 24)
_BETWEEN = np.concatenate([np.linspace(-0.999, 0.999, 61), 1 - _NEAR_END, _NEAR_END - 1])
_BACK = np.polynomial.chebyshev.chebvander(_BETWEEN, DEGREE)
_OCTAVES = 2.0 ** -(np.arange(80.0) / 8)
_MOST_PANELS = 3000


def stable(expr: sp.Expr) -> sp.Expr:
    """Rewrite ``exp(E) - 1``, ``cos(E) - 1``, ``1 - tanh(E)^2`` so that float64 does not cancel."""
    if not expr.args:
        return expr
    expr = expr.func(*(stable(arg) for arg in expr.args)) if not isinstance(expr, sp.Piecewise) else expr
    if isinstance(expr, sp.log) and isinstance(expr.args[0] - 1, sp.exp):
        return fn.softplus((expr.args[0] - 1).args[0])
    if not isinstance(expr, sp.Add):
        return expr
    constant, rest = expr.as_coeff_Add()
    if constant == 0:
        numbers = [arg for arg in expr.args if arg.is_number]
        constant = sp.Add(*numbers)
        rest = expr - constant
    for term in sp.Add.make_args(rest):
        factor, core = term.as_independent(x, as_Add=False)
        if constant == 0 or not (factor + constant).equals(0):
            continue
        if isinstance(core, sp.exp):
            half = core.args[0] / 2
            left = 2 * sp.tanh(half) / (1 - sp.tanh(half))
            small = sp.Piecewise((left, half < 0), (2 * sp.exp(half) * sp.sinh(half), True))
            return factor * small + (rest - term)
        if isinstance(core, sp.Pow) and isinstance(core.base, sp.tanh) and core.exp == 2:
            return constant / sp.cosh(core.base.args[0]) ** 2 + (rest - term)
        if isinstance(core, sp.cos):
            return -2 * factor * sp.sin(core.args[0] / 2) ** 2 + (rest - term)
    return expr


class PartFunctions:
    """The smooth parts of a :class:`Pieces` as functions of float64 arrays, and the value at one point."""

    def __init__(self, pieces: Pieces, cuts: tuple[sp.Expr, ...]) -> None:
        if pieces.free_symbols:
            raise DomainError(
                f"the free symbols {sorted(map(str, pieces.free_symbols))}",
                "an activation whose only symbol is x",
                "give the parameters numbers",
            )
        # phi' may have fewer breakpoints than phi: list its parts between the breakpoints of phi
        ends = (-sp.oo, *cuts, sp.oo)
        own = [_part_between(pieces, low, high) for low, high in pairwise(ends)]
        self.parts = [compile_float(stable(part), (x,)) for part in own]
        self.whole = pieces.float_function()

    def __call__(self, part: Index, z: Array) -> Array:
        """``part[i]`` applied to the row ``z[i]``."""
        if len(self.parts) == 1:
            return np.broadcast_to(np.asarray(self.parts[0](z), dtype=np.float64), z.shape)
        value = np.empty_like(z)
        for index, function in enumerate(self.parts):
            rows = part == index
            if np.any(rows):
                value[rows] = function(z[rows])
        return value

    def on(self, part: int, z: Array) -> Array:
        return np.broadcast_to(np.asarray(self.parts[part](z), dtype=np.float64), z.shape)

    def at(self, point: float) -> float:
        """The value at a point; at a breakpoint the mean of the two sides."""
        return float(self.whole(np.array([point]))[0])


def _part_between(pieces: Pieces, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    count = 0
    for b in pieces.breakpoints:
        reaches = low is not -sp.oo and ((low - b).is_nonnegative or (low - b).equals(0))
        count += 1 if reaches else 0
    return pieces.parts[count]


@dataclass(frozen=True)
class Mesh:
    """``edges`` ascending; ``part[i]`` the part on ``edges[i:i+2]``; ``hard`` edges are breakpoints."""

    edges: Array
    part: Index
    hard: Index

    @property
    def breaks(self) -> Array:
        return self.edges[self.hard]

    def reflected(self) -> Mesh:
        """The mesh of ``phi(-x)`` (its parts keep the numbers of ``phi``)."""
        last = len(self.edges) - 1
        return Mesh(-self.edges[::-1], self.part[::-1].copy(), last - self.hard[::-1])

    def finer(self) -> Mesh:
        """Every panel cut in two."""
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        edges = np.empty(2 * len(self.edges) - 1)
        edges[::2], edges[1::2] = self.edges, middle
        return Mesh(edges, np.repeat(self.part, 2), 2 * self.hard)


def build_mesh(
    functions: tuple[PartFunctions, ...], breaks: Array, reach: float, describe: Callable[[], str]
) -> Mesh:
    """The mesh on ``[-reach, reach]``; raises :class:`PrecisionError` when bisection does not end."""
    inside = np.abs(breaks) < reach
    first_part = int(np.sum(breaks <= -reach))
    ends = np.concatenate([[-reach], breaks[inside], [reach]])
    edges, parts, hard = [-reach], [], []
    for number, (low, high) in enumerate(pairwise(ends)):
        part = first_part + number
        inner = _bisect(functions, part, float(low), float(high), describe)
        edges += inner[1:]
        parts += [part] * (len(inner) - 1)
        hard.append(len(edges) - 1)
    return Mesh(np.array(edges), np.array(parts, dtype=np.intp), np.array(hard[:-1], dtype=np.intp))


def _bisect(
    functions: tuple[PartFunctions, ...], part: int, low: float, high: float, describe: Callable[[], str]
) -> list[float]:
    """Ascending edges from ``low`` to ``high``."""
    if low < 0.0 < high and low > -1e300:
        pending = [(0.0, high), (low, 0.0)] if high - low > 8.0 else [(low, high)]
    else:
        pending = [(low, high)]
    edges = [low]
    while pending:
        a, b = pending.pop()
        middle = 0.5 * (a + b)
        tiny = b - a <= 1e-13 * max(abs(a), abs(b), 1e-3)
        if tiny or all(_resolved(function, part, a, b) for function in functions):
            edges.append(b)
        else:
            pending += [(middle, b), (a, middle)]
        if len(edges) + len(pending) > _MOST_PANELS:
            raise PrecisionError(
                f"{describe()} on [{low:.4g}, {high:.4g}]",
                f"a function resolved by {_MOST_PANELS} panels of degree {DEGREE}",
                "use the certified path, or smaller variances",
            )
    return edges


def _resolved(function: PartFunctions, part: int, a: float, b: float) -> bool:
    middle, half = 0.5 * (a + b), 0.5 * (b - a)
    value = function.on(part, middle + half * _POINTS)
    value = np.where(np.isfinite(value), value, 0.0)  # what matters is caught where it is integrated
    between = function.on(part, middle + half * _BETWEEN)
    between = np.where(np.isfinite(between), between, 0.0)
    size = np.max(np.abs(value))
    size = max(size, np.max(np.abs(between)))
    near = min(abs(a), abs(b)) / 9.0 if a * b > 0 else 0.0
    if near > 0:  # variances that see this panel see that much of the function closer to zero
        with np.errstate(all="ignore"):
            closer = np.abs(function.whole(near * np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])))
        size = max(size, float(np.max(np.where(np.isfinite(closer), closer, 0.0))))
    # below a millionth of what the function reaches no farther out, what is left is often rounding noise
    disc = max(abs(a), abs(b)) * _OCTAVES
    with np.errstate(all="ignore"):
        reached = np.abs(function.whole(np.concatenate([disc, -disc])))
    size = max(size, 1e-6 * float(np.max(np.where(np.isfinite(reached), reached, 0.0))))
    if size < 1e-150:
        return True
    square, between = (value / size) ** 2, (between / size) ** 2
    coefficients = _TO_COEFFICIENTS @ square
    step = np.max(np.abs(np.diff(value))) / size
    noise = 3e-15 + 2e-16 * step * DEGREE / 2 * max(abs(a), abs(b)) / (2 * half)
    tail = np.max(np.abs(coefficients[EXACT:]))
    if tail < 1e-13 and tail > 0.2 * np.max(np.abs(coefficients[EXACT // 2 : EXACT // 2 + 6])):
        return True  # a plateau: the rounding noise of the formula itself, which no bisection removes
    return bool(tail <= noise and np.max(np.abs(_BACK @ coefficients - between)) <= 8 * noise)
