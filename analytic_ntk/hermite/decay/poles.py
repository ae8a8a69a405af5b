"""Root-exponential decay: the complex singularities nearest to the real line.

Write ``He_n phi`` as the sum of a function that decays in the upper half-plane and its mirror image, move the
contour up to the singularity ``z0`` and wrap it around (Watson, Hankel). For ``B v^mu``, ``v = i (z - z0)``,

    a_n ~ 2 Re[ (-i)^n (B / Gamma(-mu)) I_(n-mu-1)(-i z0) ] / sqrt(n!),

and for ``B v^k log v`` with ``(-1)^(k+1) k!`` in the place of ``1/Gamma(-mu)``. For a pole it is the residue.
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp
from flint import acb, arb, fmpq

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.hermite.decay.jets import BITS, Local, NoShapeError, leading_singularity
from analytic_ntk.hermite.decay.lines import line_growth
from analytic_ntk.hermite.decay.parity import below, complex_log, number, same_place
from analytic_ntk.hermite.decay.parity_law import ParityLaw
from analytic_ntk.hermite.decay.places import is_located
from analytic_ntk.hermite.decay.waves import Wave


def law(part: sp.Expr, places: list[sp.Expr | None], q: sp.Expr, odd: bool) -> ParityLaw:
    """The law of one parity for a part analytic on the real line, singular at ``places`` at the nearest."""
    if any(place is None for place in places):
        return ParityLaw.unknown(odd, "a complex singularity that cannot be located exactly")
    if line_growth(part) is None:
        return ParityLaw.unknown(odd, "growth off the real line that the rules do not bound")
    nearest = _nearest([place for place in places if place is not None])
    height = nearest[0].as_real_imag()[1]
    rate = sp.simplify(height / sp.sqrt(q)) if is_located(height) else sp.N(height / sp.sqrt(q), 30)
    shapes = []
    for place in nearest:
        try:
            with working_precision(BITS):
                shapes.append((place, leading_singularity(Local(number(place)).jet(part))))
        except (NoShapeError, DomainError, ZeroDivisionError, OverflowError) as error:
            return _without_constant(odd, nearest, rate, f"of unknown type: {error}")
    found = [(place, shape) for place, shape in shapes if shape is not None]
    if not found:
        return _without_constant(odd, nearest, rate, "it seems to cancel: the law is then faster")
    mu = min(power for _, (power, _, _) in found)
    leading = [(place, shape) for place, shape in found if shape[0] == mu]
    if any(logs > (1 if mu.denominator == 1 and mu >= 0 else 0) for _, (_, logs, _) in leading):
        return _without_constant(odd, nearest, rate, "powers of log n enter")
    with working_precision(BITS):
        waves = tuple(_wave(place, mu, shape[2], q) for place, shape in leading)
    source = f"the {_name(mu, leading[0][1][1])} at {_where([place for place, _ in leading])}"
    exponent = -sp.Rational(mu.numerator, 2 * mu.denominator) - sp.Rational(3, 4)
    return ParityLaw(odd, "root-exponential", source, exponent, rate, waves=waves)


def _without_constant(odd: bool, places: list[sp.Expr], rate: sp.Expr, why: str) -> ParityLaw:
    return ParityLaw(odd, "root-exponential", f"the singularity at {_where(places)}, {why}", rate=rate)


def _nearest(places: list[sp.Expr]) -> list[sp.Expr]:
    """The lowest of them in the closed first quadrant; the mirror images follow by symmetry."""
    lowest: list[sp.Expr] = []
    for place in places:
        real, imaginary = place.as_real_imag()
        real = -real if below(real, sp.S.Zero) else real
        imaginary = -imaginary if below(imaginary, sp.S.Zero) else imaginary
        turned = real + sp.I * imaginary
        height = lowest[0].as_real_imag()[1] if lowest else None
        if height is None or below(imaginary, height):
            lowest = [turned]
        elif same_place(imaginary, height) and not any(same_place(turned, other) for other in lowest):
            lowest.append(turned)
    return lowest


def _wave(place: sp.Expr, mu: Fraction, coefficient: acb, q: sp.Expr) -> Wave:
    z = number(place) / number(q).sqrt()
    exact_mu = arb(fmpq(mu.numerator, mu.denominator))
    scale = (number(q).log() * exact_mu / 2).exp()
    if mu.denominator == 1 and mu >= 0:
        k = int(mu)
        weight = coefficient * scale * (-1) ** (k + 1) * math.factorial(k)
    else:
        weight = coefficient * scale * acb(-exact_mu).rgamma()
    on_axis = same_place(place.as_real_imag()[0], sp.S.Zero)
    weight = weight * (2 if on_axis else 4)  # off the axis, its mirror image says the same
    slope = complex(float(z.imag.mid()), 0.0 if on_axis else -float(z.real.mid()))
    return Wave(complex_log(weight), complex(0, -math.pi / 2), mu + 1, 0, slope)


def _name(mu: Fraction, logs: int) -> str:
    if logs:
        return "logarithm" if mu == 0 else f"logarithm (of order {mu})"
    if mu.denominator == 1:
        return "pole" if mu == -1 else f"pole of order {-mu}"
    return f"branch point of exponent {mu}"


def _where(places: list[sp.Expr]) -> str:
    shown = []
    for place in places:
        real, imaginary = (sp.simplify(value) for value in place.as_real_imag())
        on_axis = same_place(real, sp.S.Zero)
        real, imaginary = (v if is_located(v) else sp.Float(v, 8) for v in (real, imaginary))
        height = "" if imaginary == 1 else f"*{imaginary}" if imaginary.is_Atom else f"*({imaginary})"
        beside = "" if on_axis else f"+-{real} " if real.is_Atom else f"+-({real}) "
        shown.append(f"x = {beside}+-I{height}".replace(" +-I", " +- I") if beside else f"x = +-I{height}")
    return ", ".join(shown)
