"""Where a function is analytic around the real line, and how large it is there: by boxes.

A part is analytic on a box when its ball evaluation on the box is finite: poles and branch cuts give
non-finite balls. A region is certified by covering it with finitely many boxes. Functions that are real
on the real line need the upper half only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian.quadrature.scaled import (
    BOUND_BITS,
    Ball,
    Scaled,
    analytic_function,
    box,
    interval,
    up,
    upper,
)

Function = Callable[[Ball], Ball]


def gaussian(distance: float) -> arb:
    """The standard normal density at ``distance``."""
    d = arb(distance)
    return (-d * d / 2).exp() / (2 * arb.pi()).sqrt()


def nearest(left: float, right: float) -> float:
    """The distance of the interval from 0."""
    return 0.0 if left <= 0.0 <= right else min(abs(left), abs(right))


def finite_on(
    function: Function, left: float, right: float, bottom: float, top: float, smallest: float
) -> bool:
    """Whether balls show ``function`` finite on the rectangle, with boxes no smaller than ``smallest``."""
    width = max(top - bottom, (right - left) / 64)
    count = max(1, math.ceil((right - left) / width))
    edges = [left + (right - left) * i / count for i in range(count)] + [right]
    stack = [(edges[i], edges[i + 1], bottom, top) for i in range(count)]
    stack.sort(
        key=lambda tile: -nearest(tile[0], tile[1])
    )  # singularities are most often near 0: look there first
    while stack:
        a, b, c, d = stack.pop()
        if acb(function(box(a, b, c, d))).is_finite():
            continue
        if max(b - a, d - c) < smallest:
            return False
        if b - a >= d - c:
            middle = 0.5 * (a + b)
            stack += [(a, middle, c, d), (middle, b, c, d)]
        else:
            middle = 0.5 * (c + d)
            stack += [(a, b, c, middle), (a, b, middle, d)]
    return True


@lru_cache(maxsize=2048)
def _height(part: sp.Expr, radius: float, cap: float) -> float:
    """A height up to which ``part`` is certified analytic on ``|Re t| <= radius``; 0 if none is found."""
    function = analytic_function(part)
    with working_precision(BOUND_BITS):
        good, bad = cap, math.inf
        while not finite_on(function, -radius, radius, 0.0, good, good / 32):
            good, bad = good / 2, good
            if good < cap * 2.0**-24:
                return 0.0
        while math.isfinite(bad) and bad > 1.1 * good:
            middle = math.sqrt(good * bad)
            if finite_on(function, -radius, radius, good, middle, good / 32):
                good = middle
            else:
                bad = middle
    return good


def _grid(value: float, rounding: Callable[[float], int]) -> float:
    """``value`` moved to the grid ``2^(k/4)``, so that neighbouring questions share their answer."""
    return float(2.0 ** (rounding(4 * math.log2(value)) / 4))


def height(f: Scaled, radius: float, cap: float) -> float:
    """``a <= cap`` with ``f(scale x)`` (one part) analytic where ``|Re x| <= radius, |Im x| <= a``."""
    if not cap > 0:
        return 0.0
    scale = up(upper(f.scale))
    wide = _grid(radius * scale * (1 + 1e-9), math.ceil)
    found = _height(f.parts[0], wide, _grid(cap * scale, math.ceil))
    return min(cap, found / scale * (1 - 1e-9))


def line_integral(function: Function, radius: float, at_height: float, power: int) -> arb:
    """An upper bound of ``int_{-radius}^{radius} |F(x + i a)|^power gamma(x) dx`` (infinite if not found)."""
    total = arb(0)
    smallest = at_height / 4 if at_height else 2.0**-4
    count = max(1, math.ceil(2 * radius / 0.5))
    edges = [-radius + 2 * radius * i / count for i in range(count)] + [radius]
    stack = [(edges[i], edges[i + 1]) for i in range(count)]
    stack.sort(key=lambda tile: -nearest(*tile))  # the weight is largest near 0
    imaginary = arb(at_height)
    while stack:
        left, right = stack.pop()
        value = acb(function(acb(interval(left, right), imaginary)))
        bound = upper(value)
        share = bound**power * gaussian(nearest(left, right)) * arb(right - left)
        if not bound.is_finite():
            split = right - left > smallest / 256
        elif right - left > smallest and not share < total / 4096:
            split = bound > 3 * abs(value).abs_lower()
        else:
            split = False
        if split:
            middle = 0.5 * (left + right)
            stack += [(left, middle), (middle, right)]
            continue
        if not bound.is_finite():
            return bound
        total += share
    return total.upper()


def side_integral(
    function: Function, at: float, top: float, step: float, weight: Callable[[float], arb], small: arb
) -> arb:
    """An upper bound of ``int_0^top |F(at + i y)| weight(y) / (1 + exp(2 pi y/step)) dy``, weight increasing.

    Boxes that contribute more than ``small`` are halved a few times.
    """
    total = arb(0)
    edges = [0.0]
    width = min(top, step / 4)
    while edges[-1] < top:
        edges.append(min(top, edges[-1] + width))
        width = max(width, edges[-1] / 4)
    stack = [(edges[i], edges[i + 1], 6) for i in range(len(edges) - 1)]
    while stack:
        low, high, depth = stack.pop()
        bound = upper(acb(function(acb(arb(at), interval(low, high)))))
        decay = 1 + (2 * arb.pi() * arb(low) / arb(step)).exp()
        share = bound * weight(high) / decay * arb(high - low)
        if depth and not share < small:
            middle = 0.5 * (low + high)
            stack += [(low, middle, depth - 1), (middle, high, depth - 1)]
            continue
        total += share
    return total.upper()
