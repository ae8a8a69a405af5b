"""The limit of many layers: the variance at a fixed point, the correlation map there, order or chaos.

At a fixed point ``q*`` of the variance map two inputs of that variance have correlations that move by

    C(c) = (w E phi(u) phi(v) + b) / q*,   (u, v) ~ N(0, q* [[1, c], [c, 1]]),    C(1) = 1, C'(1) = chi_1.

``C`` has non-negative coefficients, so it is convex on [0, 1]: if ``chi_1 <= 1`` every correlation tends to
1 (or stays, where ``C`` is the identity), if ``chi_1 > 1`` exactly one ``c* < 1`` attracts (Poole et al.
2016; Schoenholz et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import arb, ctx
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.display import Explained, axes_for, html_table, tidy
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError, UndecidedError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.closed_form import second_moment_formula
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.meanfield.fixed import Value, fixed_points, magnitude
from analytic_ntk.meanfield.maps import VarianceMap, require_digits
from analytic_ntk.notation import q11
from analytic_ntk.pair import Pair
from analytic_ntk.systems.ball import Ball, canonical
from analytic_ntk.systems.series import coefficients_at

_ORDER = 512
_MAP_BITS = 64

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Phase(Enum):
    """``chi_1 < 1``, ``chi_1 > 1``, ``chi_1 = 1``: each proved; else ``UNDECIDED``."""

    ORDER = "order"
    CHAOS = "chaos"
    EDGE = "edge of chaos"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class DeepLimit(Explained):
    """What infinitely many layers of ``system`` do to two inputs: all numbers exact (sympy) or enclosed.

    ``variance`` ``q*``, ``variance_slope`` ``V'(q*)``, ``chi_1 = C'(1)`` (``oo`` for a jump), ``correlation``
    the ``c*`` in [0, 1] that attracts (``None``: none, not decided, or ``q* = 0``), ``chi_c = C'(c*)``.
    ``ntk``: the limit ``q* c*/(1 - w E phi'(u) phi'(v))`` of the tangent kernel of two different inputs
    (the fixed point of ``T' = S + w E phi' phi' T``; NTK parametrisation), ``None`` where there is none.
    """

    system: VarianceMap
    variance: Value
    variance_slope: Value
    chi_1: Value
    phase: Phase
    correlation: Value | None
    chi_c: Value | None
    ntk: Value | None = None

    @property
    def correlation_length(self) -> Value | None:
        """``-1/log chi_c``: correlations approach ``c*`` like ``exp(-depth/length)``; ``oo`` on the edge."""
        return depth_scale(self.chi_c)

    @property
    def variance_length(self) -> Value | None:
        """``-1/log V'(q*)``, the same for variances; ``None`` unless ``0 < V' < 1`` is certain."""
        return depth_scale(self.variance_slope)

    def correlation_map(self, correlations: ArrayLike) -> NDArray[np.float64]:
        """``C(c)`` at the variance for ``-1 < c <= 1``, in float64, rounded from balls of 64 bits.

        Raises :class:`DomainError` elsewhere and where the variance is 0.

        >>> from analytic_ntk import activations
        >>> deep_limit(activations.relu, 1, "1/2").correlation_map([0.0, 1.0]).round(6)
        array([0.659155, 1.      ])
        """
        points = np.atleast_1d(np.asarray(correlations, dtype=np.float64))
        if not ((points > -1) & (points <= 1)).all():
            raise DomainError(f"correlations = {correlations!r}"[:100], "numbers above -1, up to 1")
        phi = self.system.activation
        if self.variance == 0:
            raise DomainError(f"{phi} at the fixed point 0", "a variance > 0", "add a bias")
        values = []
        with working_precision(_MAP_BITS):
            q, weight = ball_of(self.variance), exact_ball(self.system.weight).real
            for place in points.ravel().tolist():
                if place == 1:
                    values.append(1.0)
                    continue
                c = arb(place)
                pair = Pair(q, q, c * q, arb(0), q * (1 - abs(c)))
                dual = Ball().duals(phi.pieces, phi.derivative, pair)[0]
                values.append(float((weight * dual + self.system.offset) / q))
        return np.reshape(values, points.shape)

    def plot(self, axes: Axes | None = None) -> Axes:
        """The correlation map in float64 with its fixed points: 1, and what attracts. Raises as
        :meth:`correlation_map`."""
        places = np.cos(np.linspace(np.pi, 0, 42))[1:]
        curve = self.correlation_map(places)
        axes = axes_for(axes)
        axes.plot((-1, 1), (-1, 1), color="0.7", linewidth=0.8)
        axes.plot(places, curve, label="correlation map (float64)")
        axes.plot(1, 1, "o", color="C1", fillstyle="none", label="1, fixed")
        if self.correlation is not None:
            star = float(self.correlation)
            axes.plot(star, star, "o", color="C1", label=f"attracts: {star:.4g}")
        axes.set(xlabel="correlation", ylabel="correlation one layer on", title=self._title())
        return tidy(axes)

    def _title(self) -> str:
        of = self.system
        return f"{of.activation}, w = {of.weight}, b = {of.bias}: {self.phase.value}"

    def __str__(self) -> str:
        lines = [
            f"{self._title()}, after infinitely many layers",
            f"variance: V(q) = w E phi(u)^2 + b has the fixed point q* = {_shown(self.variance)}, "
            f"with slope V'(q*) = {_shown(self.variance_slope)}",
            f"chi_1 = w E phi'(u)^2 = {_shown(self.chi_1)}{_COMPARED[self.phase]}",
        ]
        if self.correlation is not None:
            lines.append(
                f"correlation: c* = {_shown(self.correlation)} attracts, with slope "
                f"C'(c*) = {'unknown' if self.chi_c is None else _shown(self.chi_c)}"
            )
        if self.ntk is not None:
            lines.append(f"NTK of two different inputs: tends to {_shown(self.ntk)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        values = {
            "variance q*": self.variance,
            "V'(q*)": self.variance_slope,
            "chi_1": self.chi_1,
            "correlation c*": self.correlation,
            "C'(c*)": self.chi_c,
            "correlation length": self.correlation_length,
            "NTK of two inputs": self.ntk,
        }
        rows = [(name, _shown(v)) for name, v in values.items() if v is not None]
        return html_table(("quantity", "value"), rows, f"{self._title()}, after infinitely many layers")


_COMPARED = {
    Phase.ORDER: " < 1: nearby inputs come together",
    Phase.CHAOS: " > 1: nearby inputs move apart",
    Phase.EDGE: ": the edge of chaos, correlations move more slowly than exponentially",
    Phase.UNDECIDED: ": whether it is below or above 1 was not decided",
}


def _shown(value: Value) -> str:
    return value.decimal(20) if isinstance(value, Enclosure) else str(value)


def deep_limit(
    activation: Activation,
    weight_variance: ExactNumber,
    bias_variance: ExactNumber,
    variance: ExactNumber | None = None,
    digits: int = 30,
) -> DeepLimit:
    """Variance, correlation and phase after infinitely many layers.

    ``variance`` chooses the fixed point (0 included); by default the one in [0, 100] that is not repelling.
    Where every variance is fixed (ReLU, w = 2, b = 0) it is 1. Raises :class:`DomainError` where there is no
    such fixed point or there are several.

    >>> from analytic_ntk import activations
    >>> limit = deep_limit(activations.tanh, 3, 0, digits=10)
    >>> limit.phase, limit.correlation, limit.chi_1.decimal(6), limit.correlation_length.decimal(6)
    (<Phase.CHAOS: 'chaos'>, 0, '1.23880', '10.9307')
    >>> deep_limit(activations.relu, 2, 0).phase
    <Phase.EDGE: 'edge of chaos'>
    """
    system = VarianceMap.of(activation, weight_variance, bias_variance)
    require_digits(digits)
    q, slope = _fixed_point(system, variance, digits + 20)
    if q == 0:
        return _at_zero(system, slope)
    with working_precision(2 * bits_for(digits + 20) + 40):
        ball = ball_of(q)
        chi = _chi(system, q, ball)
        found = _phase(chi)
        if found is Phase.UNDECIDED:
            return DeepLimit(system, q, slope, chi, found, None, None)
        if found is Phase.EDGE:
            linear = activation.polynomial_degree == 1  # C is the identity: nothing attracts
            return DeepLimit(system, q, slope, chi, found, None if linear else sp.S.One, chi)
        if found is Phase.ORDER:
            return DeepLimit(system, q, slope, chi, found, sp.S.One, chi, _ntk(q, sp.S.One, chi))
        correlation, chi_c = _fewest_bits(system, ball, digits)
        tangent = chi_c if activation.is_continuous else _tangent(system, ball, ball_of(correlation))
        return DeepLimit(system, q, slope, chi, found, correlation, chi_c, _ntk(q, correlation, tangent))


def _ntk(q: Value, correlation: Value, chi: Value) -> Value | None:
    if not magnitude(chi).upper < 1:
        return None
    if isinstance(q, sp.Expr) and isinstance(correlation, sp.Expr) and isinstance(chi, sp.Expr):
        return sp.simplify(q * correlation / (1 - chi))
    return Enclosure.of(ball_of(q) * ball_of(correlation) / (1 - ball_of(chi)))


def _tangent(system: VarianceMap, q: arb, c: arb) -> Enclosure:
    """``w E phi'(u) phi'(v)`` away from the jumps."""
    pair = Pair(q, q, c * q, arb(0), q - c * q)
    phi = system.activation
    return Enclosure.of(exact_ball(system.weight).real * Ball().duals(phi.pieces, phi.derivative, pair)[1])


def correlation_length(
    activation: Activation,
    weight_variance: ExactNumber,
    bias_variance: ExactNumber,
    variance: ExactNumber | None = None,
    digits: int = 30,
) -> Value | None:
    """``-1/log chi_c`` at the attracting correlation, in layers; see :func:`deep_limit`.

    >>> from analytic_ntk import activations
    >>> correlation_length(activations.relu, 1, 1), correlation_length(activations.relu, 2, 0)
    (1/log(2), oo)
    """
    return deep_limit(activation, weight_variance, bias_variance, variance, digits).correlation_length


def phase(
    activation: Activation,
    weight_variance: ExactNumber,
    bias_variance: ExactNumber,
    variance: ExactNumber | None = None,
) -> Phase:
    """Order, chaos or the edge, each proved: ``chi_1`` against 1; see :func:`deep_limit`.

    >>> from analytic_ntk import activations
    >>> phase(activations.tanh, "1/2", 0), phase(activations.relu, 1, "1/2"), phase(activations.sign, 1, 0)
    (<Phase.ORDER: 'order'>, <Phase.ORDER: 'order'>, <Phase.CHAOS: 'chaos'>)
    """
    return deep_limit(activation, weight_variance, bias_variance, variance, digits=15).phase


def chi_1(
    activation: Activation, weight_variance: ExactNumber, variance: ExactNumber, digits: int = 30
) -> Value:
    """``w E phi'(u)^2`` for ``u ~ N(0, variance)``: the slope at 1 of the correlation map; ``oo`` for a jump.

    >>> from analytic_ntk import activations
    >>> chi_1(activations.relu, 2, 5), chi_1(activations.tanh, 1, 1).decimal(10)
    (1, '0.4644029024')
    """
    system = VarianceMap.of(activation, weight_variance, 0)
    require_digits(digits)
    q = constant(variance, "variance")
    if not q.is_nonnegative:
        raise DomainError(f"variance = {q}", "a number >= 0")
    if q.is_zero:
        return sp.oo if not activation.is_continuous else system.at_zero()[1]
    with working_precision(bits_for(digits) + 40):
        return _chi(system, q, exact_ball(q).real)


def depth_scale(slope: Value | None) -> Value | None:
    """``-1/log(slope)`` where ``0 <= slope < 1`` is certain, ``oo`` for slope 1."""
    if slope is None:
        return None
    if isinstance(slope, sp.Expr):
        if slope == 1:
            return sp.oo
        return (sp.S.Zero if slope == 0 else -1 / sp.log(slope)) if 0 <= slope < 1 else None
    if not 0 < slope.lower <= slope.upper < 1:
        return None
    with working_precision(256):
        return Enclosure.of(-1 / slope.ball().log())


def ball_of(value: Value) -> arb:
    return value.ball() if isinstance(value, Enclosure) else exact_ball(value).real


# ------------------------------------------------------------------------------------ the fixed point


def _fixed_point(system: VarianceMap, variance: ExactNumber | None, digits: int) -> tuple[Value, Value]:
    """The fixed point asked for, or the only one that does not repel; and ``V'`` there."""
    if variance is not None:
        return _checked(system, constant(variance, "variance"), digits)
    found = fixed_points(system.activation, system.weight, system.bias, digits)
    if found.every:
        return sp.S.One, sp.S.One
    kept = [point for point in found.points if point.stable is not False]
    if found.undecided:
        low, high = found.undecided[0]
        raise UndecidedError(
            f"the fixed points of the variance between {float(low):.3g} and {float(high):.3g}",
            "a decision",
            "choose one with variance=...",
        )
    if len(kept) == 1 and kept[0].stable is None and kept[0].slope == 1:
        raise UndecidedError(
            f"whether the fixed point {kept[0].value} attracts: the variance map has slope 1 there",
            "a slope below 1",
            "choose it with variance=...",
        )
    if len(kept) == 1:
        return _exact_if_simple(system, kept[0].value, digits) or (kept[0].value, kept[0].slope)
    shown = ", ".join(str(point.value)[:20] for point in found.points) or "none"
    raise DomainError(
        f"{len(kept)} fixed points of the variance that attract (in [0, {found.largest}] there are: {shown})",
        "exactly one",
        "choose with variance=..., or change the weight or bias variance",
    )


def _exact_if_simple(system: VarianceMap, value: Value, digits: int) -> tuple[Value, Value] | None:
    """The fixed point as a fraction with a small denominator, if there is one and it is proved to be it."""
    if isinstance(value, sp.Expr):
        return None
    simple = value.midpoint.limit_denominator(1000)
    if simple not in value:
        return None
    try:
        return _checked(system, sp.Rational(simple.numerator, simple.denominator), digits)
    except UndecidedError:
        return None


def _checked(system: VarianceMap, q: sp.Expr, digits: int) -> tuple[Value, Value]:
    if not q.is_nonnegative:
        raise DomainError(f"variance = {q}", "a fixed point of the variance map, >= 0")
    if q.is_zero:
        value, slope = system.at_zero()
        if value != 0:
            raise DomainError(f"variance = 0, where V = {value}", "a fixed point")
        return sp.S.Zero, slope
    with working_precision(bits_for(digits) + 40):
        ball = exact_ball(q).real
        gap = system.at(ball) - ball
        if not gap.contains(0):
            raise DomainError(
                f"variance = {q}, where V - q = {gap.str(6, radius=False)}",
                "a fixed point of the variance map",
                "see fixed_points",
            )
        exact = exact_mean(system.activation.pieces, q)
        if exact is None or sp.simplify(system.weight * exact + system.bias - q) != 0:
            raise UndecidedError(
                f"whether variance = {q} is a fixed point",
                "a proof",
                "leave the variance out: it is then found",
            )
        return q, Enclosure.of(system.slope(ball))


def _at_zero(system: VarianceMap, slope: Value) -> DeepLimit:
    """The fixed point 0. Variances shrink together with covariances: nothing says where correlations go."""
    chi = system.at_zero()[1]
    if any(p.is_zero for p, _ in system.activation.jumps):
        chi = sp.oo
    found = _phase(chi)
    ntk = sp.S.Zero if found is Phase.ORDER else None
    return DeepLimit(system, sp.S.Zero, slope, chi, found, None, None, ntk)


# ------------------------------------------------------------------------------------ chi and the phase


def _chi(system: VarianceMap, q: Value, ball: arb) -> Value:
    """Enclosed; exact where an enclosure cannot tell it from 1 and a closed form can."""
    if not system.activation.is_continuous:
        return sp.oo
    found = Enclosure.of(system.chi(ball))
    if isinstance(q, sp.Expr) and (found.radius == 0 or 1 in found):
        exact = exact_mean(system.activation.derivative, q)
        if exact is not None:
            return sp.simplify(system.weight * exact)
    return found


def exact_mean(f: Pieces, q: sp.Expr) -> sp.Expr | None:
    """``E f(u)^2`` at an exact variance in closed form."""
    terms = canonical(f)
    if terms is None:
        return None
    try:
        return sp.simplify(second_moment_formula(terms, terms).expression.subs(q11, q))
    except NoClosedFormError:
        return None


def _phase(chi: Value) -> Phase:
    if chi is sp.oo:
        return Phase.CHAOS
    if isinstance(chi, sp.Expr) and sp.simplify(chi - 1) == 0:
        return Phase.EDGE
    size = magnitude(chi)
    return Phase.ORDER if size.upper < 1 else Phase.CHAOS if size.lower > 1 else Phase.UNDECIDED


# ------------------------------------------------------------------------------------ the correlation


def _fewest_bits(system: VarianceMap, q: arb, digits: int) -> tuple[Value, Value]:
    """:func:`_below_one`, with all the bits at hand only where fewer do not tell: near the edge of chaos."""
    try:
        with working_precision(min(int(ctx.prec), bits_for(digits) + 40)):
            return _below_one(system, q, digits)
    except PrecisionError:
        return _below_one(system, q, digits)


def _below_one(system: VarianceMap, q: arb, digits: int) -> tuple[Value, Value]:
    """``c* < 1`` and ``C'(c*)``: Newton's method from 0, monotone since ``C`` is convex; signs prove it."""
    step = (arb(10) ** -(digits + 2)).mid()
    curve = _Correlation.of(system, q, step)
    if system.activation.parity == "odd" and system.bias == 0:
        return sp.S.Zero, Enclosure.of(curve.at(arb(0))[1])
    c = arb(0)
    for _ in range(200):
        value, slope = curve.at(c)
        change = ((value - c) / (1 - slope)).mid()
        c = arb((c + change).mid())
        if not change > step / 16:
            break
    ends = arb((c - step).mid()).max(arb(0)), arb((c + step).mid())
    gaps = [curve.at(end)[0] - end for end in ends]
    if not ((ends[0] == 0 or gaps[0] > 0) and gaps[1] < 0 and ends[1] < 1):
        raise PrecisionError(
            f"the fixed correlation near {c.str(8)}", f"{digits} digits of it", "ask for fewer"
        )
    found = ends[0].union(ends[1])
    return Enclosure.of(found), Enclosure.of(curve.at(found)[1])


@dataclass(frozen=True)
class _Correlation:
    """The correlation map at ``q``, from its power series where the tail is small, else from the duals."""

    system: VarianceMap
    q: arb
    squares: tuple[arb, ...]
    rest: arb
    tolerance: arb

    @classmethod
    def of(cls, system: VarianceMap, q: arb, step: arb) -> _Correlation:
        phi = system.activation
        order = _ORDER if phi.is_continuous else 8 * _ORDER  # duals do not give the slope across jumps
        total = Ball().second_moment(phi.pieces, q)
        squares = tuple(a * a for a in coefficients_at(phi.pieces, order, q, phi.parity, total))
        rest = arb((total - sum(squares, arb(0))).abs_upper())
        return cls(system, q, squares, rest, total * step / 1024)

    def at(self, c: arb) -> tuple[arb, arb]:
        """``C(c)`` and ``C'(c)`` for ``0 <= c < 1``."""
        phi, size = self.system.activation, len(self.squares)
        # k c^(k-1) falls for k >= size if size (1 - c) >= 1
        tail = self.rest * arb(c.abs_upper()) ** (size - 1) * size
        weight = exact_ball(self.system.weight).real
        if size * (1 - c) > 1 and (tail < self.tolerance or not phi.is_continuous):
            value = slope = arb(0)
            for k in reversed(range(size)):
                value = value * c + self.squares[k]
                slope = slope * c + k * self.squares[k] if k else slope
            half = arb((tail / 2).abs_upper())
            value, slope = value + half + arb(0, half), (slope + half + arb(0, half)) / self.q
        elif phi.is_continuous:
            pair = Pair(self.q, self.q, c * self.q, arb(0), self.q - c * self.q)
            value, slope = Ball().duals(phi.pieces, phi.derivative, pair)
        else:
            raise PrecisionError(
                f"a correlation {c.str(6)} too close to 1 for a function with jumps", "a smaller one"
            )
        return (weight * value + self.system.offset) / self.q, weight * slope
