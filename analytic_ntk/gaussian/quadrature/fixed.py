"""``sum_j w_j h_n(x_j)`` for all orders at once, in fixed-point integers with a proved error.

Balls lose digits in the three-term recurrence as if every rounding error had the worst sign. The true growth
of an error is known. Let ``e`` solve ``sqrt(n+1) e_{n+1} = x e_n - sqrt(n) e_{n-1}`` and

    F_n = n e_n^2 + n e_{n-1}^2 - x sqrt(n) e_n e_{n-1}.

Then ``F_{n+1} = F_n + e_n^2`` and ``F_n >= (n - x^2/4) e_n^2``, so that ``F_n / (n - x^2/4)`` does not
increase once ``n > x^2/4``. Before that, a solution started by ``e_{m-1} = 0, e_m = 1`` has
``x/(2 sqrt n) <= e_n/e_{n-1} <= x/sqrt(n)`` (for ``x > 0``), and ``x^p / sqrt(p!) <= 2 exp(c x^2)`` for
``p <= x^2/4 + 1``, with ``c = (1 + log 4)/8``. Together, for every ``m <= n``,

    |e_n| <= 9 sqrt(x^2/4 + 2) exp(c x^2).

The weights, of size ``exp(-x^2/2)``, more than undo this: node ``j`` carries ``c x_j^2 log2(e)`` more bits.

The polynomials run in the scale ``g_n = He_n / s_n``, ``s_n = n!!`` for odd and ``(n-1)!!`` for even ``n``:

    g_{n+1} = x g_n - g_{n-1}  (n odd),      g_{n+1} = (x g_n - n g_{n-1}) / (n + 1)  (n even),

whose factors are small integers. A step rounds by at most 2 units; ``s_n/sqrt(n!) <= (1.36 n + 1)^(1/4)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb, ctx, fmpz

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import PrecisionError
from analytic_ntk.gaussian.quadrature.scaled import BOUND_BITS, up
from analytic_ntk.gaussian.quadrature.tails import CRAMER

BITS_PER_SQUARE = 0.4304
"""``c log2(e)``, rounded up."""

SHORT = 64
"""Nodes with at most so many bits are exact."""


def skips(n: int, parity: str | None) -> bool:
    """Whether ``a_n`` of a function of this parity is 0."""
    return parity is not None and (n % 2 == 1) == (parity == "even")


def _fixed(value: arb, bits: int) -> int:
    """``floor(2^bits value)`` for an exact value."""
    mantissa, exponent = value.man_exp()
    shift = int(exponent) + bits
    return int(mantissa) << shift if shift >= 0 else int(mantissa) >> -shift


def _places(points: Sequence[arb], bits: int) -> tuple[list[int], int, bool]:
    """The nodes as integers over ``2^width``, and whether that is exact (short nodes)."""
    parts = [point.mid().man_exp() for point in points]
    if all(point.rad() == 0 for point in points) and all(abs(m).bit_length() <= SHORT for m, _ in parts):
        width = max(0, *(-int(exponent) for _, exponent in parts))
        if width <= 4 * SHORT:
            return [int(m) << (int(e) + width) for m, e in parts], width, True
    return [_fixed(point.mid(), bits) for point in points], bits, False


def _scales(order: int) -> list[arb]:
    """``s_n / sqrt(n!)``: from ``g_n`` to ``h_n``."""
    square, found = arb(1), [arb(1)]
    for n in range(1, order + 1):
        square = square / n if n % 2 == 0 else square * n
        found.append(square.sqrt())
    return found


def hermite_sums(
    points: Sequence[arb], weights: Sequence[arb], order: int, target: arb, parity: str | None = None
) -> list[arb]:
    """``sum_j w_j h_n(x_j)`` for ``n = 0, ..., order``; fixed point adds less than ``target`` to the radii.

    With ``parity`` the orders it kills are exactly 0. Raises :class:`PrecisionError` where a weight is not
    finite.
    """
    if not points:
        return [arb(0)] * (order + 1)
    if not all(weight.is_finite() for weight in weights):
        raise PrecisionError("a function value without bounds", "finite values at the nodes")
    with working_precision(BOUND_BITS):
        radius = max(up(abs(point)) for point in points)
        scale = (arb(1.36) * order + 1).root(4)
        one = len(points) * scale * (18 * (order + 1) * (arb(radius) ** 2 / 4 + 2).sqrt() + 1)
        bits = max(0, math.ceil(float((one / target).log().upper()) / math.log(2))) + 1
        places, width, exact = _places(points, bits + order.bit_length() + 8)
        unit = arb(0) if exact else arb(2) ** -width
        error = (one * arb(2) ** -bits).upper() + _given(points, weights, unit, order)
    guards = [math.ceil(BITS_PER_SQUARE * up(abs(point)) ** 2 * (1 + 1e-9)) for point in points]
    start = [_fixed(weight.mid(), bits + guard) for weight, guard in zip(weights, guards, strict=True)]
    totals = _recur(places, width, start, guards, order, parity)
    with working_precision(max(int(ctx.prec), bits + 32)):
        unit = arb(2) ** -bits
        return [
            arb(0) if skips(n, parity) else arb(fmpz(total)) * unit * factor + arb(0, error)
            for n, (total, factor) in enumerate(zip(totals, _scales(order), strict=True))
        ]


def _given(points: Sequence[arb], weights: Sequence[arb], unit: arb, order: int) -> arb:
    """What the radii of the weights and nodes rounded by ``unit`` cost, by ``|h_n| <= C exp(x^2/4)``."""
    total = arb(0)
    root = arb(order).sqrt()
    for point, weight in zip(points, weights, strict=True):
        moved = point.rad() + unit
        farthest = (abs(point) + moved).upper()
        total += (weight.rad() + weight.abs_upper() * moved * root) * (farthest * farthest / 4).exp()
    return (total * CRAMER).upper()


def _recur(
    places: list[int], width: int, start: list[int], guards: list[int], order: int, parity: str | None
) -> list[int]:
    x, guard = np.array(places, dtype=object), np.array(guards, dtype=object)
    before, now = np.zeros(len(places), dtype=object), np.array(start, dtype=object)
    totals = [0 if skips(0, parity) else sum((now >> guard).tolist())]
    for n in range(order):
        new = (x * now) >> width
        new = new - before if n % 2 else (new - n * before) // (n + 1)
        before, now = now, new
        totals.append(0 if skips(n + 1, parity) else sum((now >> guard).tolist()))
    return totals
