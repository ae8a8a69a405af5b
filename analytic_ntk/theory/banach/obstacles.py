"""Where a smooth expression may be singular near the real line, found by a search in balls.

A box of the upper half plane is clear when every building block is shown to be analytic on it: what stands in
a denominator, under a root or in a logarithm has no zero there, and the arguments of ``tanh``, ``sigmoid``,
``softplus`` and ``atan`` do not reach a singular value. The boxes nearest to a point are cut into four until
they are clear or small; the small ones are the obstacles. On a disc without obstacles the function is
analytic: the distance to them is never more than the radius of convergence.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.notation import x

REACH = 64.0
"""How far a search goes; a larger radius is given as this."""
_BOXES = 20_000
"""How many boxes a search may look at; what it has cleared by then is the answer."""
_SMALL = 2.0**-36
"""The size of an obstacle, relative to its distance."""
_BITS = 96
_CENTRED = 0.125
"""The radius below which boxes are enclosed by the mean value form as well."""
_ENTIRE = (sp.Add, sp.Mul, sp.Pow, sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.erf, sp.erfc, fn.Phi)

Clear = Callable[[acb], bool]
"""Whether a building block is certainly analytic on a box."""
Enclosure = Callable[[acb], acb]
Box = tuple[float, float, float]
"""Left and lower edge, and the side: exact binary fractions."""


@dataclass(frozen=True)
class Tile:
    """What was found around ``centre``: every singularity within ``limit`` is in one of the boxes."""

    centre: float
    limit: float
    boxes: tuple[Box, ...]

    def distance(self, z: arb) -> arb:
        """A certified lower bound of the distance of ``z`` to the singularities."""
        found = arb(self.limit) * (1 - arb(2) ** -40) - abs(z - arb(self.centre))
        for left, low, side in self.boxes:
            beside = (arb(left) - z).max(z - arb(left) - arb(side)).max(arb(0))
            found = found.min((beside * beside + arb(low) * arb(low)).sqrt())
        return arb(found.max(arb(0)).lower())


@lru_cache(maxsize=4096)
def tile(part: sp.Expr, centre: float, margin: float) -> Tile:
    """All obstacles that can be the nearest ones of a point within ``margin`` of ``centre``."""
    blocks = blocks_of(part)
    smallest = 2.0 ** (math.ceil(math.log2(abs(centre) + REACH)) - 50)
    corner = math.floor((centre - REACH) / REACH) * REACH
    heap = [_placed(centre, (corner + i * REACH, 0.0, REACH)) for i in range(4)]
    heapq.heapify(heap)
    limit, found, seen = REACH, list[Box](), 0
    with working_precision(_BITS):
        while heap:
            distance, box = heapq.heappop(heap)
            if distance >= limit:
                break
            if seen >= _BOXES:
                limit = distance
                break
            seen += 1
            if _is_clear(blocks, box):
                continue
            left, low, side = box
            if side <= max(_SMALL * distance, smallest):
                found.append(box)
                limit = min(limit, distance + 2 * margin)
                continue
            half = 0.5 * side
            for dx in (0.0, half):
                for dy in (0.0, half):
                    heapq.heappush(heap, _placed(centre, (left + dx, low + dy, half)))
    return Tile(centre, limit, tuple(found))


def around(z: float) -> tuple[float, float]:
    """The centre and the half width of the tile of a point: 32 tiles in each octave."""
    width = 2.0 ** max(-2, math.frexp(z)[1] - 6)
    return math.floor(z / width + 0.5) * width, 0.5 * width


def _placed(centre: float, box: Box) -> tuple[float, Box]:
    left, low, side = box
    return math.hypot(max(left - centre, centre - left - side, 0.0), low), box


def _is_clear(blocks: tuple[Clear, ...], box: Box) -> bool:
    left, low, side = box
    half = 0.5 * side
    ball = acb(arb(left + half, half), arb(low + half, half))
    return all(block(ball) for block in blocks)


@lru_cache(maxsize=512)
def blocks_of(part: sp.Expr) -> tuple[Clear, ...]:
    """What must be clear. Raises :class:`UndecidedError` for functions that are not known."""
    with working_precision(_BITS):
        return tuple(_conditions(part))


def _conditions(node: sp.Expr) -> Iterator[Clear]:
    """One for each building block, those inside first."""
    if not node.has(x) or node == x:
        return
    inner = node.args
    if isinstance(node, sp.tanh) and isinstance(node.args[0], fn.softplus):
        inner = node.args[0].args  # tanh(log(1 + e^g)) is rational in e^g: (1 + e^g)^2 = -1
    for arg in inner:
        yield from _conditions(arg)
    first = _enclosure(inner[0])
    if isinstance(node, sp.tanh):
        if inner is not node.args:
            yield _lattice(first, sp.log(2) / 2, (sp.Rational(3, 4), sp.Rational(5, 4)), 2)
        else:
            yield _lattice(first, sp.S.Zero, (sp.S.Half,), 1)
    elif isinstance(node, (fn.sigmoid, fn.softplus)):
        yield _lattice(first, sp.S.Zero, (sp.S.One,), 2)
    elif isinstance(node, sp.atan):
        yield _non_zero(_enclosure(inner[0] ** 2 + 1))
    elif isinstance(node, sp.log) or (isinstance(node, sp.Pow) and not _is_natural(node.exp)):
        base = inner[0]
        if isinstance(base, sp.cosh):
            yield _lattice(_enclosure(base.args[0]), sp.S.Zero, (sp.S.Half,), 1)
        elif not isinstance(base, sp.exp) and base.has(x):
            yield _non_zero(first)
    elif not isinstance(node, _ENTIRE):
        raise UndecidedError(f"where {node} is singular", "functions of the whitelist", "rewrite it")


def _is_natural(exponent: sp.Expr) -> bool:
    return bool(exponent.is_integer and exponent.is_nonnegative)


def _non_zero(function: Enclosure) -> Clear:
    def clear(box: acb) -> bool:
        value = function(box)
        return bool(value.is_finite()) and not value.contains(0)

    return clear


def _lattice(function: Enclosure, real: sp.Expr, starts: tuple[sp.Expr, ...], step: int) -> Clear:
    """``g`` is nowhere ``real + i pi (start + step k)``."""
    beside, pi = exact_ball(real).real, arb.pi()
    offsets = [exact_ball(start).real for start in starts]

    def clear(box: acb) -> bool:
        value = function(box)
        if not value.is_finite():
            return False
        if not value.real.overlaps(beside):
            return True
        turns = value.imag / pi
        return not any(((turns - offset) / step).contains_integer() for offset in offsets)

    return clear


def _enclosure(inner: sp.Expr) -> Enclosure:
    """Its values on a box; on small ones sharper by the mean value form ``g(m) + g'(box) (box - m)``."""
    value, slope = compile_ball(inner, (x,)), compile_ball(sp.diff(inner, x), (x,))

    def enclose(box: acb) -> acb:
        plain = acb(value(box))
        if not plain.is_finite() or not box.rad() < _CENTRED:
            return plain
        middle = acb(box.real.mid(), box.imag.mid())
        centred = value(middle) + slope(box) * (box - middle)
        return acb(_narrower(plain.real, centred.real), _narrower(plain.imag, centred.imag))

    return enclose


def _narrower(one: arb, other: arb) -> arb:
    return other if other.is_finite() and other.rad() < one.rad() else one
