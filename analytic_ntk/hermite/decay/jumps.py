"""Algebraic decay: jumps of derivatives at real breakpoints.

Integrating ``E g He_n`` by parts, ``(He_(n-1) phi)' = -He_n phi``, a jump ``J`` of ``g^(j)`` at ``z0`` leaves
``J phi(z0) He_(n-j-1)(z0)``. At ``-z0`` the same polynomial comes back with the sign ``(-1)^(n-j-1)``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import sympy as sp

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.hermite.decay.parity import BITS, complex_log, is_zero, number, places, same_place
from analytic_ntk.hermite.decay.parity_law import ParityLaw
from analytic_ntk.hermite.decay.waves import Wave
from analytic_ntk.notation import x

MAX_DERIVATIVE = 12


def class_jumps(pieces: Pieces, order: int, odd: bool) -> list[tuple[sp.Expr, sp.Expr]]:
    """``(alpha, J)``, ``alpha >= 0``: the jumps of the ``order``-th derivative that orders of one parity see.

    ``J = jump(alpha) + (-1)^(n-order-1) jump(-alpha)`` is certified nonzero; ``jump(0)`` counts once.
    """
    sizes = []
    for point, (left, right) in zip(pieces.breakpoints, pairwise(pieces.parts), strict=True):
        sizes.append((point, sp.diff(right - left, x, order).subs(x, point)))
    sign = 1 if (odd - order - 1) % 2 == 0 else -1
    found = []
    for place in places(pieces):
        if same_place(place, sp.S.Zero):
            total = sum((size for point, size in sizes if same_place(point, place)), sp.S.Zero)
            total = total if sign > 0 else sp.S.Zero
        else:
            total = sum((size for point, size in sizes if same_place(point, place)), sp.S.Zero)
            total += sign * sum((size for point, size in sizes if same_place(point, -place)), sp.S.Zero)
        if not is_zero(total):
            found.append((place, sp.simplify(total)))
    return found


def law(pieces: Pieces, q: sp.Expr, odd: bool) -> ParityLaw:
    """The law of one parity from the lowest derivative that jumps for it."""
    for order in range(MAX_DERIVATIVE + 1):
        found = class_jumps(pieces, order, odd)
        if found:
            break
    else:
        raise UndecidedError(f"no jump up to derivative {MAX_DERIVATIVE}", "a jump, or one smooth expression")
    waves = []
    for place, size in found:
        with working_precision(BITS):
            z = (number(place) / number(q).sqrt()).real
            weight = number(size) * number(q).sqrt() ** order * number(sp.I) ** (order + 1) / number(sp.pi)
            slope = complex(0, -float(z.mid()))
            waves.append(Wave(complex_log(weight), complex(0, -math.pi / 2), Fraction(order + 1), 0, slope))
    where = ", ".join(
        f"{_short(size)} at |x| = {_short(place)}" if place != 0 else f"{_short(size)} at 0"
        for place, size in found
    )
    what = ("f", "f'", "f''")[order] if order < 3 else f"f^({order})"
    exponent = -sp.Rational(2 * order + 3, 4)
    return ParityLaw(odd, "algebraic", f"the jump of {what}, {where}", exponent, waves=tuple(waves))


def _short(value: sp.Expr) -> str:
    """The number, or six digits of one that is long to write."""
    return str(value) if len(str(value)) <= 30 else f"about {sp.N(value, 6)}"
