"""Fixed points of the variance map, each enclosed, all of them found.

On ``[low, largest]`` cells are split until each is shown to hold no fixed point, or ``V - q`` to be monotone
there; a sign change at the ends of a monotone cell is one fixed point. Expectations are computed at few
places and enclosed in between. Near 0 the limits of ``phi`` or
``phi'`` decide. Nothing rests on sampled values.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import sympy as sp
from flint import arb, ctx

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.meanfield.interpolation import Moments, MomentsBetween
from analytic_ntk.meanfield.maps import VarianceMap, require_digits, sides
from analytic_ntk.notation import q11, x

Value: TypeAlias = sp.Expr | Enclosure
SEARCH_BITS = 60
_MAX_CELLS = 400
"""What is left after so many cells, the widest taken first, is undecided."""
_HALVINGS = 6
"""How often a cell is halved on the strength of its ends alone, before moments are computed inside it."""


@dataclass(frozen=True)
class FixedPoint(Shown):
    """``V(value) = value`` and ``slope = V'(value)``; exact sympy numbers or enclosures."""

    value: Value
    slope: Value

    @property
    def stable(self) -> bool | None:
        """Whether ``|V'| < 1``; ``None`` where that is not decided, or ``|V'| = 1``."""
        size = magnitude(self.slope)
        return True if size.upper < 1 else False if size.lower > 1 else None


@dataclass(frozen=True)
class FixedPoints(Shown):
    """All fixed points in ``[0, largest]`` (``largest`` infinite: all there are), in increasing order.

    ``every``: each ``q >= 0`` is one. ``undecided``: intervals in which neither the presence nor the absence
    of a fixed point was shown.
    """

    points: tuple[FixedPoint, ...]
    every: bool
    largest: sp.Expr
    undecided: tuple[tuple[Fraction, Fraction], ...] = ()


def fixed_points(
    activation: Activation,
    weight_variance: ExactNumber,
    bias_variance: ExactNumber,
    digits: int = 30,
    largest: ExactNumber = 100,
) -> FixedPoints:
    """The fixed points ``q = w E phi(u)^2 + b``, ``u ~ N(0, q)``, with the slope of the map at each.

    Exact (and complete on ``[0, oo)``) where ``V`` is a polynomial in ``q``: homogeneous and polynomial
    activations; else enclosures with ``digits`` certain digits, complete on ``[0, largest]``. 0 counts where
    ``V(q) -> 0`` for ``q -> 0``. Raises :class:`DomainError` for floats, ``w <= 0``, ``b < 0``.
    (Poole et al. 2016, section 2.)

    >>> from analytic_ntk import activations
    >>> found = fixed_points(activations.tanh, 2, 0)
    >>> [str(p.value)[:10] for p in found.points], [p.stable for p in found.points]
    (['0', '0.61796476'], [False, True])
    >>> fixed_points(activations.relu, 2, 0).every, fixed_points(activations.relu, 1, "1/2").points[0].value
    (True, 1)
    """
    system = VarianceMap.of(activation, weight_variance, bias_variance)
    require_digits(digits)
    end = constant(largest, "largest")
    if not (end.is_positive and end <= 10**300):
        raise DomainError(f"largest = {str(end)[:40]}", "a number > 0, at most 10^300")
    return _found(system, digits, end)


@lru_cache(maxsize=64)  # the search is slow, and the deep limit asks again
def _found(system: VarianceMap, digits: int, end: sp.Expr) -> FixedPoints:
    activation = system.activation
    exact = _exact(system, digits)
    if exact is not None:
        return exact
    limit = min(activation.max_variance, activation.derivative_max_variance)
    end = min(end, limit * sp.Rational(63, 64))
    high = float(sp.N(end))
    end = min(end, sp.Rational(*high.as_integer_ratio()))  # complete up to what was searched, no further
    with working_precision(SEARCH_BITS):
        low, clear = _near_zero(system)
        brackets, undecided = _search(system, low, high)
    first: tuple[FixedPoint, ...] = ()
    value, slope = system.at_zero()
    if value == 0:
        first = (FixedPoint(sp.S.Zero, slope),)
    if not clear:
        undecided.insert(0, (0.0, low))
    points = tuple(_refine(system, bracket, digits) for bracket in brackets)
    return FixedPoints((*first, *points), False, end, _joined(undecided))


def magnitude(value: Value) -> Enclosure:
    """``|value|`` as an enclosure."""
    if isinstance(value, Enclosure):
        low = Fraction(0) if 0 in value else min(abs(value.lower), abs(value.upper))
        high = max(abs(value.lower), abs(value.upper))
        return Enclosure((low + high) / 2, (high - low) / 2)
    with working_precision(128):
        return Enclosure.of(abs(exact_ball(value).real))


# ------------------------------------------------------------------------------------ exact


def _exact(system: VarianceMap, digits: int) -> FixedPoints | None:
    """All fixed points where ``V`` is a polynomial whose roots sympy knows."""
    variance = system.polynomial
    if variance is None:
        return None
    gap = sp.Poly(variance.as_expr() - q11, q11)
    if gap.is_zero:
        return FixedPoints((), True, sp.oo)
    if gap.degree() <= 2:
        roots = list(sp.roots(gap))
    elif gap.domain.is_QQ or gap.domain.is_ZZ:
        roots = sp.real_roots(gap, multiple=False)
        roots = [root for root, _ in roots]
    else:
        return None
    kept = sorted({root for root in roots if root.is_real and root.is_nonnegative})
    return FixedPoints(tuple(_point(variance, root, digits) for root in kept), False, sp.oo)


def _point(variance: sp.Poly, root: sp.Expr, digits: int) -> FixedPoint:
    """A root that is not a radical is enclosed between rationals."""
    slope = variance.diff(q11)
    if not root.has(sp.CRootOf):
        return FixedPoint(root, sp.simplify(slope.eval(root)))
    radius = sp.Rational(1, 10 ** (digits + 5))
    middle = sp.Rational(root.eval_rational(dx=radius))
    value = Enclosure(Fraction(int(middle.p), int(middle.q)), Fraction(1, 10 ** (digits + 5)))
    with working_precision(bits_for(digits) + 80):
        found = arb(0)
        for coefficient in slope.all_coeffs():
            found = found * value.ball() + exact_ball(coefficient).real
        return FixedPoint(value, Enclosure.of(found))


# ------------------------------------------------------------------------------------ near 0


def _near_zero(system: VarianceMap) -> tuple[float, bool]:
    """A ``low`` and whether ``V(q) != q`` is shown for ``0 < q <= low``."""
    phi, slope = system.activation.pieces, system.activation.derivative
    starts_at_zero = system.at_zero()[0] == 0
    for j in range(1, 15):
        radius = 2.0**-j
        low = radius**2 / 64
        if any(abs(b) <= radius and b != 0 for b in phi.float_breakpoints):
            continue
        bounds = _over_q(system, slope, radius) if starts_at_zero else _above(system, phi, radius) - arb(low)
        if (bounds > 1 or bounds < 1) if starts_at_zero else bounds > 0:
            return low, True
    return 2.0**-7, False


def _over_q(system: VarianceMap, slope: Pieces, radius: float) -> arb:
    """``V(q)/q`` for all ``0 < q <= radius^2/64``, where ``V -> 0``.

    For ``|u| <= radius`` the mean value theorem bounds ``phi(u)^2/u^2`` by ``phi'^2``; what lies beyond is at
    most ``sqrt(2) e^-16 M(2 low)/low``.
    """
    low = arb(radius) ** 2 / 64
    left, right = (_size(side, sign * radius) for side, sign in zip(sides(slope), (-1, 1), strict=True))
    weight = exact_ball(system.weight).real
    inside = weight * (left * left + right * right) / 2
    edge = (-arb(32)).exp() * 8 / (2 * arb.pi()).sqrt() * 2 + (8 / arb(2).sqrt()).erfc()
    moment = system.moments(2 * low)[0]
    beyond = weight * arb(2).sqrt() * (-arb(16)).exp() * moment / low
    return (inside * (1 - edge)).union(inside + beyond)


def _above(system: VarianceMap, phi: Pieces, radius: float) -> arb:
    """A lower bound of ``V(q)`` for all ``0 < q <= radius^2/64``."""
    left, right = (_size(side, sign * radius) for side, sign in zip(sides(phi), (-1, 1), strict=True))
    inside = (arb(left.abs_lower()) ** 2 + arb(right.abs_lower()) ** 2) / 2
    weight = exact_ball(system.weight).real
    return weight * inside * (1 - (8 / arb(2).sqrt()).erfc()) + system.offset


def _size(part: sp.Expr, end: float) -> arb:
    """``|part|`` on the interval between 0 and ``end``."""
    return arb(abs(compile_ball(part, (x,))(arb(end / 2, abs(end) / 2))))


# ------------------------------------------------------------------------------------ cells


def _search(
    system: VarianceMap, low: float, high: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Brackets of one fixed point each, and the intervals left undecided."""
    known: dict[float, Moments] = {}

    def moments(q: float) -> Moments:
        if q not in known:
            known[q] = system.moments(arb(q))
        return known[q]

    brackets: list[tuple[float, float]] = []
    queue = deque([(low, high)] if low < high else [])
    for _ in range(_MAX_CELLS):
        if not queue:
            break
        a, b = queue.popleft()
        found = _decided(system, a, b, moments(a), moments(b))
        if found is None:
            middle = _middle(a, b)
            queue += [(a, middle), (middle, b)]
        else:
            brackets += found
    return sorted(brackets), sorted(queue)


def _decided(
    system: VarianceMap, low: float, high: float, at_low: Moments, at_high: Moments
) -> list[tuple[float, float]] | None:
    """The brackets in a cell, from the moments at its ends alone; ``None`` where they do not tell."""
    inside = MomentsBetween.of(arb(low), arb(high), at_low, at_high)
    brackets: list[tuple[float, float]] = []
    stack = [(low, high, at_low, at_high, _HALVINGS)]
    while stack:
        a, b, at_a, at_b, left = stack.pop()
        gap, slope = system.between(arb(a), arb(b), at_a, at_b)
        if gap > 0 or gap < 0:
            continue
        if slope > 1 or slope < 1:
            signs = [_sign(system, q) for q in (a, b)]
            if 0 not in signs:
                if signs[0] != signs[1]:
                    brackets.append((a, b))
                continue
        if not left:
            return None
        middle = _middle(a, b)
        at_middle = inside.at(arb(middle))
        stack += [(a, middle, at_a, at_middle, left - 1), (middle, b, at_middle, at_b, left - 1)]
    return brackets


def _middle(a: float, b: float) -> float:
    return (a * b) ** 0.5 if b / a > 1.5 else (a + b) * 0.5


def _sign(system: VarianceMap, q: float) -> int:
    gap = system.at(arb(q)) - arb(q)
    return 1 if gap > 0 else -1 if gap < 0 else 0


def _joined(intervals: list[tuple[float, float]]) -> tuple[tuple[Fraction, Fraction], ...]:
    joined: list[tuple[Fraction, Fraction]] = []
    for a, b in intervals:
        if joined and joined[-1][1] == Fraction(a):
            joined[-1] = (joined[-1][0], Fraction(b))
        else:
            joined.append((Fraction(a), Fraction(b)))
    return tuple(joined)


def _refine(system: VarianceMap, bracket: tuple[float, float], digits: int) -> FixedPoint:
    """Newton's method, with few digits first; a sign change around the last iterate proves it."""
    start, end = arb(bracket[0]), arb(bracket[1])
    with working_precision(SEARCH_BITS):
        q = _newton(system, arb(((start + end) / 2).mid()), start, end, arb(2) ** -(SEARCH_BITS // 2))
    with working_precision(bits_for(digits) + 80):
        width = (arb(10) ** -digits).mid() / 4
        q = _newton(system, q, start, end, width / 16)
        below, above = (arb((q * (1 + side * width)).mid()) for side in (-1, 1))
        signs = [system.at(end) - end for end in (below, above)]
        if not (start <= below and above <= end and ((signs[0] > 0 > signs[1]) or (signs[0] < 0 < signs[1]))):
            raise PrecisionError(f"a fixed point near {q.str(8)}", f"{digits} digits of it", "ask for fewer")
        value = below.union(above)
        return FixedPoint(Enclosure.of(value), Enclosure.of(system.slope(value)))


def _newton(system: VarianceMap, q: arb, low: arb, high: arb, width: arb) -> arb:
    """From ``q`` to a step below ``width q``, halving the bracket where a step leaves it."""
    rising = _sign(system, float(high)) > 0
    for _ in range(200):
        gap = system.at(q) - q
        low, high = (low, q) if bool(gap > 0) == rising else (q, high)
        with working_precision(max(SEARCH_BITS, int(ctx.prec) // 2)):  # as many digits as a step can use
            slope = system.slope(q)
        newton = arb((q - gap / (slope - 1)).mid())
        close = abs(newton - q) < q * width
        q = newton if close or low < newton < high else arb(((low + high) / 2).mid())
        if close:
            break
    return q
