"""Certified suprema of ``|phi|``, ``|phi'|`` and ``|phi''|`` on the whole line, by branch and bound in
balls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.growth import End
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.rates import Bound, Rate, as_ball, fraction_above
from analytic_ntk.notation import x

BITS = 128
_TOLERANCE = Fraction(1, 2**20)
"""Relative: how far the upper bound may lie above a value that is attained."""
_MOST_BOXES = 20_000
_FARTHEST = Fraction(2**60)
_LEAST = Fraction(8)
"""The window is at least this wide on both sides: a period of what oscillates."""

Function = Callable[[arb], arb]


@dataclass(frozen=True)
class DerivativeBounds(Shown):
    """``B1 = sup |phi'|`` and ``B2 = sup |phi''|``, each enclosed: some value of the function lies above
    ``lower``, none above ``upper``.

    ``phi`` is continuous and ``phi'`` too, so that ``|phi(s) - phi(t)| <= B1 |s - t|`` and
    ``|phi'(s) - phi'(t)| <= B2 |s - t|``. Made by :func:`derivative_bounds`.
    """

    first: Enclosure
    second: Enclosure


@lru_cache(maxsize=256)
def derivative_bounds(activation: Activation) -> DerivativeBounds:
    """Certified ``sup |phi'|`` and ``sup |phi''|``.

    Within a window by branch and bound: a box where the next derivative has one sign takes its maximum at an
    end, any other is halved. Beyond the window by the growth that the expression proves. Certified; where the
    derivative does not settle (``sin(x) + cos(x)``) the upper end may be larger than the supremum.

    Raises :class:`DomainError`, with the reason, where one of them is infinite or no bound is found.

    >>> from analytic_ntk import activations
    >>> found = derivative_bounds(activations.tanh)
    >>> found.first.decimal(6), found.second.decimal(6)
    ('1.00000', '0.769800')
    """
    _require(activation)
    if activation.jumps:
        raise _unbounded(activation, f"phi jumps at {activation.jumps[0][0]}")
    if activation.kinks:
        raise _unbounded(activation, f"phi' jumps at {activation.kinks[0][0]}: phi'' is unbounded there")
    first = activation.derivative
    second = first.derivative()
    found = []
    for name, pieces in (("phi''", second), ("phi'", first)):  # the stronger condition is named first
        try:
            found.append(_supremum(pieces, pieces.derivative()))
        except (DomainError, PrecisionError) as error:
            raise _unbounded(activation, f"no bound of {name}: {error.given}") from error
    return DerivativeBounds(found[1], found[0])


@lru_cache(maxsize=256)
def bound_of(activation: Activation) -> Enclosure | None:
    """Certified ``sup |phi|``; ``None`` where no bound is proved.

    >>> from analytic_ntk import activations
    >>> bound_of(activations.relu) is None, bound_of(activations.sigmoid).upper >= 1
    (True, True)
    """
    _require(activation)
    try:
        return _supremum(activation.pieces, activation.derivative)
    except (DomainError, PrecisionError):
        return None


def _require(activation: Activation) -> None:
    if not isinstance(activation, Activation):
        raise DomainError(f"{activation!r}"[:80], "an Activation", "e.g. activations.tanh")
    activation.require_numeric()


def _unbounded(activation: Activation, why: str) -> DomainError:
    return DomainError(
        f"{activation}: {why}"[:300],
        "an activation with bounded phi' and phi'' (and both phi and phi' continuous)",
        "use a smooth one, such as tanh, erf, gelu or softplus",
    )


# ------------------------------------------------------------------------------- one function cut in pieces


def _supremum(pieces: Pieces, slope: Pieces) -> Enclosure:
    """``sup |f|`` of the pieces; ``slope`` is the derivative of ``f``."""
    with working_precision(BITS):
        places = [exact_ball(point).real for point in pieces.breakpoints]
        ends = [_tail(pieces.parts[0], -1), _tail(pieces.parts[-1], 1)]
        reach = max([_LEAST, *(end.start for end in ends), *(_above(abs(p)) + 1 for p in places)])
        sample = max((_value(pieces, point) for point in _PROBES), default=arb(0))
        window = max(_window(end, reach, sample) for end in ends)
        edges = [arb(-window.numerator) / window.denominator, *places, as_ball(window)]
        best, over = sample, arb(0)
        for index, part in enumerate(pieces.parts):
            f = compile_ball(part, (x,))
            g = compile_ball(sp.diff(part, x), (x,))
            best, over = _branch(f, g, edges[index], edges[index + 1], best, over)
        top = best.max(over)
        for end in ends:
            beyond = end.limit + end.rest(window)
            best = best.max(arb(end.approached.lower()))
            top = top.max(beyond)
        if not top.is_finite():
            raise PrecisionError("a function without a finite bound", "a bounded function")
        lower, upper = _exact(arb(best.lower())), _exact(arb(top.upper()))
        return Enclosure((lower + upper) / 2, (upper - lower) / 2)


_PROBES = (
    Fraction(0),
    *(sign * c * Fraction(2) ** k for sign in (1, -1) for c in (2, 3) for k in range(-32, 6)),
)
"""Where the function is looked at first: what is known to be attained tells which boxes matter."""


def _value(pieces: Pieces, point: Fraction) -> arb:
    part = pieces.part_at(sp.Rational(point.numerator, point.denominator))
    value = abs(arb(compile_ball(part, (x,))(as_ball(point))))
    return arb(value.lower()) if value.is_finite() else arb(0)


def _exact(ball: arb) -> Fraction:
    return Enclosure.of(ball).midpoint


def _above(ball: arb) -> Fraction:
    return _exact(arb(ball.upper()))


# ------------------------------------------------------------------------------- the ends


@dataclass(frozen=True)
class _End:
    """``|f(t)| <= limit + constant t^d exp(L t + Q t^2)`` for ``|t| >= start`` on one side.

    ``approached``: a ball whose lower end ``|f|`` comes arbitrarily close to (0 if none is known).
    """

    start: Fraction
    limit: arb
    constant: arb
    rate: Rate
    approached: arb

    def rest(self, at: Fraction) -> arb:
        if self.constant == 0:
            return arb(0)
        t, rate = as_ball(at), self.rate
        height = (
            as_ball(rate.degree) * t.log() + as_ball(rate.linear) * t + exact_ball(rate.quadratic) * t * t
        )
        return self.constant * height.exp()

    def falls(self, at: Fraction) -> bool:
        """Whether the rate decreases from ``at`` on: ``d/t + L + 2 Q t <= 0``, ``Q <= 0``."""
        rate = self.rate
        if self.constant == 0 or rate == Rate():
            return True
        quadratic = fraction_above(rate.quadratic)
        return quadratic <= 0 and max(rate.degree, Fraction(0)) / at + rate.linear + 2 * quadratic * at <= 0


def _tail(part: sp.Expr, side: int) -> _End:
    """The limit where the expression shows one, and a bound of what is left; else a bound of the whole.

    Tried on the expression peeled at infinity (``tanh = 1 - 2 sigmoid``) and as it stands (``|tanh| <= 1``).
    """
    peeled, plain = End(part, side), End(sp.S.Zero, side)
    constants: list[tuple[Fraction, Fraction]] = []
    for end, form in (
        (peeled, sp.expand(peeled.whole)),
        (plain, part.subs(x, side * _T)),
        (peeled, peeled.whole),
    ):
        limit = sp.Add(*(term for term in sp.Add.make_args(form) if not term.free_symbols))
        left, whole = _bound(end, form - limit), _bound(end, form)
        if left is not None and (left[0] == 0 or left[1].is_below_constants):
            size = abs(exact_ball(limit).real)
            return _End(end.start, size, as_ball(left[0]), left[1], size)
        if whole is not None and whole[1].is_at_most_constant:
            constants.append((whole[0], end.start))
    if not constants:
        raise DomainError(f"{part} grows, as far as the rules can tell", "a bounded function")
    constant, start = min(constants)
    return _End(start, as_ball(constant), arb(0), Rate(), arb(0))


_T = sp.Symbol("t", positive=True)
"""The variable of :class:`End`."""


def _bound(end: End, form: sp.Expr) -> Bound | None:
    try:
        return end.upper(form)
    except DomainError:
        return None


def _window(end: _End, reach: Fraction, sample: arb) -> Fraction:
    """Where what is left of the end no longer matters beside a value known to be attained."""
    window, goal = reach, (end.limit.max(sample)) * as_ball(_TOLERANCE / 2)
    room = (sample - end.limit).max(goal) if sample > end.limit else goal
    while not (end.falls(window) and (end.constant == 0 or end.rest(window) <= room)):
        window *= 2
        if window > _FARTHEST:
            raise PrecisionError("a function that settles too slowly", "a bound near its supremum")
    return window


# ------------------------------------------------------------------------------- branch and bound


def _branch(f: Function, g: Function, low: arb, high: arb, best: arb, over: arb) -> tuple[arb, arb]:
    """Raise ``best`` (below a value of ``|f|``) and ``over`` (not below what dropped boxes can hold)."""
    boxes = [(low, high)]
    for _ in range(_MOST_BOXES):
        if not boxes:
            return best, over
        left, right = boxes.pop()
        box = left.union(right)
        ends = [abs(f(left)), abs(f(right))]
        if all(value.is_finite() for value in ends):
            best = best.max(arb(ends[0].lower())).max(arb(ends[1].lower()))
        slope = g(box)
        if slope.is_finite() and (slope >= 0 or slope <= 0):
            over = over.max(arb(ends[0].upper())).max(arb(ends[1].upper()))
            continue
        middle = arb((left + right).mid()) / 2
        size = abs(f(box))
        if slope.is_finite():
            value = abs(f(middle)) + abs(slope) * (right - left).abs_upper() / 2
            size = size.min(value) if size.is_finite() else value
        if size.is_finite() and size <= best * (1 + as_ball(_TOLERANCE)):
            over = over.max(arb(size.upper()))
            continue
        boxes += [(left, arb(middle.mid())), (arb(middle.mid()), right)]
    raise PrecisionError("a function too steep for branch and bound", f"at most {_MOST_BOXES} boxes")
