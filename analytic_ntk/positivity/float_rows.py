"""Hermite coefficients and moments at every variance of an interval, as floats with proved errors."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.positivity.rounded import Array, Rounded, above
from analytic_ntk.systems.ball import Ball, check_growth
from analytic_ntk.systems.series import coefficients_at

BITS = 96
MOST_KNOWN = 20_000
Interval = tuple[float, float]
Row = tuple[Array, Array, float, float, float]
"""Coefficients, their errors, and bounds of tail, total and slope: a row of :class:`.correlation.Rows`."""


def _ball(interval: Interval) -> arb:
    return arb(interval[0]).union(arb(interval[1]))


@lru_cache(maxsize=MOST_KNOWN)
def moments_of(activation: Activation, interval: Interval) -> tuple[Rounded, Rounded]:
    """``E phi(u)^2`` and ``E phi'(u)^2`` at every variance of an interval."""
    moment, slope = _ball_moments(activation, interval)
    with working_precision(BITS):
        return Rounded.of_ball(moment), Rounded.of_ball(slope)


@lru_cache(maxsize=MOST_KNOWN)
def _ball_moments(activation: Activation, interval: Interval) -> tuple[arb, arb]:
    with working_precision(BITS):
        q, ball = _ball(interval), Ball()
        check_growth(activation, q)
        return ball.second_moment(activation.pieces, q), ball.second_moment(activation.derivative, q)


@lru_cache(maxsize=MOST_KNOWN)
def rows_of(activation: Activation, interval: Interval, terms: int) -> tuple[Row, Row]:
    """Coefficients of ``phi`` and of ``phi'`` at every variance of an interval."""
    phi, derivative = activation.pieces, activation.derivative
    with working_precision(BITS):
        if interval == (0.0, 0.0):
            return _constant(phi, terms), _constant(derivative, terms)
        q = _ball(interval)
        moment, slope = _ball_moments(activation, interval)
        parity = activation.parity
        if activation.is_continuous:  # Price: d_k = sqrt((k+1)/q) a_{k+1}
            a = _coefficients(phi, terms, q, parity, moment)
            d = [((k + 1) / q).sqrt() * a[k + 1] for k in range(terms)]
            steep = above((q * slope).abs_upper())
        else:
            flipped = {"even": "odd", "odd": "even"}.get(parity or "")
            a = _coefficients(phi, terms - 1, q, parity, moment)
            d = _coefficients(derivative, terms - 1, q, flipped, slope)
            steep = math.inf
        return _row(a[:terms], moment, steep), _row(d, slope, math.inf)


def _coefficients(pieces: Pieces, order: int, q: arb, parity: str | None, moment: arb) -> list[arb]:
    """Hermite coefficients ``a_0 .. a_order`` at a ball ``q``: those at its midpoint, and how far they move.

    ``2 q da_n/dq = n a_n + sqrt((n+1)(n+2)) a_{n+2}`` (differentiate the density), bounded first by
    ``a_n^2 + a_{n+2}^2 <= E f^2`` (``moment``, on all of ``q``), then by what that tells of ``a_n`` itself.
    """
    values = coefficients_at(pieces, order + 2, arb(q.mid()), parity, moment)
    if q.rad() == 0:
        return values[: order + 1]
    reach = arb(q.rad()) / arb(q.abs_lower())
    speed = reach * (arb(moment.abs_upper()) / 2).sqrt()
    known = [abs(a) + (n + 2) * speed for n, a in enumerate(values)]
    found = []
    for n, a in enumerate(values[: order + 1]):
        moved = reach / 2 * (n * known[n] + arb((n + 1) * (n + 2)).sqrt() * known[n + 2])
        never = parity is not None and n % 2 == (parity == "even")
        found.append(a if never else a + arb(0, moved.abs_upper()))
    return found


def _row(coefficients: list[arb], moment: arb, slope: float) -> Row:
    floats = [Rounded.of_ball(a) for a in coefficients]
    tail = moment - sum((a * a for a in coefficients), arb(0))
    values, errors = (np.array([float(part) for part in parts]) for parts in (
        [f.value for f in floats], [f.error for f in floats]
    ))  # fmt: skip
    return values, errors, above(tail.abs_upper()), above(moment.abs_upper()), slope


def _constant(f: Pieces, terms: int) -> Row:
    """At variance 0: the value there, at a breakpoint the mean of both sides."""
    sides = [
        f.parts[sum(1 for b in f.breakpoints if b.is_negative or (b.is_zero and after))] for after in (0, 1)
    ]
    value = sum((exact_ball(part.subs(x, 0)).real for part in sides), arb(0)) / 2
    return _row([value] + [arb(0)] * (terms - 1), value * value, 0.0)
