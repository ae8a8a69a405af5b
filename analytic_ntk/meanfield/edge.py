"""Weight and bias variance on the edge of chaos: ``chi_1 = 1`` at a fixed point of the variance map."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from flint import arb

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError, UndecidedError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.meanfield.fixed import Value
from analytic_ntk.meanfield.limits import exact_mean
from analytic_ntk.meanfield.maps import VarianceMap, require_activation, require_digits
from analytic_ntk.systems.ball import Ball, check_growth

_GRID = tuple(2.0 ** (k / 2) for k in range(-16, 14))


def tune(
    activation: Activation,
    variance: ExactNumber | None = None,
    bias_variance: ExactNumber | None = None,
    digits: int = 30,
) -> tuple[Value, Value]:
    """``(weight_variance, bias_variance)`` on the edge of chaos.

    With ``variance`` ``q`` given (default 1, inputs with ``<x, x>/d = 1`` in mind),

        w = 1/E phi'(u)^2,    b = q - w E phi(u)^2,    u ~ N(0, q),

    exact numbers where the expectations close; with ``bias_variance`` given, the smallest ``q`` found (see
    :func:`edge_variance`). For a homogeneous activation of degree 1 (ReLU) every ``q`` gives the same. The
    fixed point ``q`` may repel (GELU at ``q = 1``): variances then drift away from it and the network leaves
    the edge; ``deep_limit(..., variance=q).variance_slope`` says so.
    Raises :class:`DomainError` where there is no edge: a jump, ``phi' = 0``, ``b < 0``.
    (Schoenholz et al. 2017; Hayou, Doucet, Rousseau 2019.)

    >>> from analytic_ntk import activations
    >>> tune(activations.relu), tune(activations.tanh, bias_variance=0), tune(activations.erf)
    ((2, 0), (1, 0), (sqrt(5)*pi/4, -sqrt(5)*asin(2/3)/2 + 1))
    """
    _require_slope(activation)
    require_digits(digits)
    if variance is not None and bias_variance is not None:
        raise DomainError("variance and bias_variance", "one of the two", "each determines the other")
    if bias_variance is not None:
        bias = constant(bias_variance, "bias_variance")
        q = edge_variance(activation, bias, digits + 5)
        if q == 0:
            return 1 / VarianceMap(activation, sp.S.One, sp.S.Zero).at_zero()[1], bias
        if isinstance(q, sp.Expr):
            return _at(activation, q, digits)[0], bias
        with working_precision(bits_for(digits) + 60):
            return Enclosure.of(1 / _moments(activation, q.ball())[1]), bias
    q = constant(1 if variance is None else variance, "variance")
    if not q.is_positive:
        raise DomainError(f"variance = {q}", "a number > 0")
    return _at(activation, q, digits)


def edge_variance(activation: Activation, bias_variance: ExactNumber, digits: int = 30) -> Value:
    """A ``q`` with ``q - E phi(u)^2 / E phi'(u)^2 = bias_variance``, ``u ~ N(0, q)``.

    The fixed point that :func:`tune` places on the edge of chaos: the smallest one that shows as a change of
    sign on a grid from 1/256 to 90, enclosed. 0 where ``bias_variance = 0``, ``phi(0) = 0`` and there is none
    (tanh); 1 where every ``q`` is one (ReLU). Raises :class:`DomainError` where none is found.
    """
    _require_slope(activation)
    require_digits(digits)
    bias = constant(bias_variance, "bias_variance")
    if not bias.is_nonnegative:
        raise DomainError(f"bias_variance = {bias}", "a number >= 0", "variances are given")
    if activation.homogeneity == 1:
        if bias != 0:
            raise DomainError(
                f"bias_variance = {bias} for {activation}", "0", "here E phi^2 = q E phi'^2 for every q"
            )
        return sp.S.One

    def gap(q: arb) -> arb:
        value, slope = _moments(activation, q)
        return q - value / slope - exact_ball(bias).real

    limit = min(activation.max_variance, activation.derivative_max_variance)
    with working_precision(64):
        grid = [arb(q) for q in _GRID if sp.Rational(q) < limit]
        bracket = _sign_change(gap, grid)
    if bracket is not None:
        return _enclosed(gap, bracket, digits)
    value, slope = VarianceMap(activation, sp.S.One, sp.S.Zero).at_zero()
    if bias == 0 and value == 0 and slope != 0:
        return sp.S.Zero
    raise DomainError(
        f"{activation} with bias_variance = {bias}",
        "a variance q in [1/256, 90] with q - E phi^2/E phi'^2 = bias_variance",
        "give variance= instead, or another bias_variance",
    )


def _require_slope(activation: Activation) -> None:
    require_activation(activation)
    if not activation.is_continuous:
        raise DomainError(
            f"{activation}, which jumps", "a continuous activation", "a jump is chaotic at all variances"
        )
    if activation.polynomial_degree in (-1, 0):
        raise DomainError(f"{activation}, a constant", "an activation that is not constant")


def _moments(activation: Activation, q: arb) -> tuple[arb, arb]:
    check_growth(activation, q)
    return Ball().second_moment(activation.pieces, q), Ball().second_moment(activation.derivative, q)


def _at(activation: Activation, q: sp.Expr, digits: int) -> tuple[Value, Value]:
    """The pair at a given variance, exact or enclosed, its bias shown not to be negative."""
    activation.check_variance(q)

    def compute() -> tuple[tuple[arb, ...], arb]:
        ball = exact_ball(q).real
        value, slope = _moments(activation, ball)
        return (1 / slope, ball - value / slope), ball

    weight, bias = certify(compute, digits, "the edge of chaos")
    if bias.upper < 0:
        raise DomainError(
            f"{activation} at variance {q}: the bias variance would be {bias.decimal(4)}",
            "q E phi'(u)^2 >= E phi(u)^2",
            "try another variance: the mean of phi may weigh less at a larger one",
        )
    slope_exact, value_exact = exact_mean(activation.derivative, q), exact_mean(activation.pieces, q)
    if slope_exact is not None and value_exact is not None:
        exact = sp.simplify(1 / slope_exact), sp.simplify(q - value_exact / slope_exact)
        if exact[1] == 0 or bias.lower > 0:
            return exact
    if not bias.lower > 0:
        raise UndecidedError(f"the sign of the bias variance {bias}", "a decision", "change the variance")
    return weight, bias


def _sign_change(gap: Callable[[arb], arb], grid: list[arb]) -> tuple[arb, arb] | None:
    last: tuple[arb, int] | None = None
    for q in grid:
        value = gap(q)
        sign = 1 if value > 0 else -1 if value < 0 else 0
        if sign and last is not None and sign != last[1]:
            return last[0], q
        last = (q, sign) if sign else last
    return None


def _enclosed(gap: Callable[[arb], arb], bracket: tuple[arb, arb], digits: int) -> Enclosure:
    """Bisection, then secants; a sign change around the last point proves it."""
    low, high = bracket
    with working_precision(64):
        rising = bool(gap(high) > 0)
        for _ in range(12):
            middle = arb(((low + high) / 2).mid())
            low, high = (low, middle) if bool(gap(middle) > 0) == rising else (middle, high)
    with working_precision(bits_for(digits) + 80):
        width = (arb(10) ** -digits).mid() / 4
        a, b = low, high
        value_a, value_b = gap(a), gap(b)
        for _ in range(40):
            if abs(b - a) < b * width:
                break
            a, b = b, arb((b - value_b * (b - a) / (value_b - value_a)).mid())
            value_a, value_b = value_b, gap(b)
        ends = [arb((b * (1 + side * width)).mid()) for side in (-1, 1)]
        signs = [gap(end) for end in ends]
        if not ((signs[0] > 0 > signs[1]) or (signs[0] < 0 < signs[1])):
            raise PrecisionError(f"a variance near {b.str(8)}", f"{digits} digits of it", "ask for fewer")
        return Enclosure.of(ends[0].union(ends[1]))
