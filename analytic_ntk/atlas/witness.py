"""A closed form beside the integral that it claims to be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb

from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import q11, q12, q22

COVARIANCES: tuple[tuple[ExactNumber, ExactNumber, ExactNumber], ...] = (
    (1, 1, "1/2"),
    (1, 1, "-4/5"),
    ("1/4", "1/3", "1/9"),
)
"""``(q11, q22, q12)`` at which a formula is held against the integral."""

GOAL_BITS = 110
BITS = 200


@dataclass(frozen=True)
class Witness:
    """The formula and the integral enclose one number at each covariance, to within ``distance``."""

    covariances: tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...]
    distance: Fraction


def witness(formula: sp.Expr, f: Pieces) -> Witness:
    """Hold a closed form of ``E f(u) f(v)`` against the quadrature of the definition with a proved error.

    ``distance`` bounds the difference of the two at every covariance. Raises :class:`AssertionError` where
    two enclosures have no number in common: one of them is wrong.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.systems import exact
    >>> relu = activations.relu.pieces
    >>> float(witness(exact.dual(relu).expression, relu).distance) < 1e-30
    True
    """
    given = tuple(tuple(exact_number(v) for v in covariance) for covariance in COVARIANCES)
    run = compile_ball(formula, (q11, q22, q12))
    distance = Fraction(0)
    with working_precision(BITS):
        for covariance in given:
            a, b, c = (exact_ball(v).real for v in covariance)
            closed = arb(run(a, b, c).real)
            integral = quadrature.double(f, f, a, b, c, GOAL_BITS)
            if not closed.overlaps(integral):
                raise AssertionError(f"{formula} is {closed} at {covariance}, the integral {integral}")
            difference = Enclosure.of(closed - integral)
            distance = max(distance, abs(difference.lower), abs(difference.upper))
    return Witness(given, distance)
