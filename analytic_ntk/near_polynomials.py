"""How fast independence is lost as an activation approaches a polynomial: certified values and exponents.

For a polynomial of degree ``m`` and more than ``m + 1`` vectors ``z_i = (a_i, 1)`` the matrix
``[s(z_i . w_j)]`` is singular (Theorem 3 of Carvalho, Costa, Mourao, Oliveira 2024, and its sharpness); for
any other continuous ``s`` it is not, for suitable ``w_j``. In between: its least singular value, and the
least eigenvalue of a kernel, for ``s_eps`` with ``s_0`` a polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import sympy as sp
from flint import arb, arb_mat, fmpq

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from analytic_ntk.notation import x
from analytic_ntk.positivity.eigenvalue import least_eigenvalue, min_eigenvalue
from analytic_ntk.positivity.points import exact_points

Family = Callable[[Fraction], Activation]
Progress = Callable[[int, int, str], None]
MOST_VECTORS = 40
_BITS = 256


@dataclass(frozen=True)
class Approach(Shown):
    """A value at ``epsilon``, and the exponent ``log(v/v')/log(eps/eps')`` to the next smaller ``eps'``
    (``None`` for the last, and where a value may be 0)."""

    epsilon: Fraction
    value: Enclosure
    exponent: Enclosure | None


def least_singular_value(activation: Activation, Z: Any, W: Any, digits: int = 10) -> Enclosure:
    """The least singular value of ``[s(z_i . w_j)]``, ``(N, M)`` with ``N <= M``, enclosed.

    ``Z``: ``(N, m)``, ``W``: ``(M, m)``, exact rationals, at most 40 rows each. The root of the least
    eigenvalue of ``A A^T`` in balls. A singular matrix gives an enclosure that contains 0, with an upper end
    below ``10^-digits`` of its size. Raises :class:`DomainError` for other shapes and for a breakpoint of
    an ``s`` that jumps among the ``z_i . w_j``, :class:`PrecisionError` where the digits cannot be had.

    >>> from analytic_ntk import activations
    >>> Z, W = [[1, 0], [0, 1]], [[1, 2], [2, 1]]
    >>> print(least_singular_value(Activation.parse("x"), Z, W).decimal(5))
    1.0000
    """
    rows, columns = exact_points(Z), exact_points(W)
    if not len(rows) <= len(columns) <= MOST_VECTORS or len(rows[0]) != len(columns[0]):
        raise DomainError(
            f"Z of shape {(len(rows), len(rows[0]))} and W of shape {(len(columns), len(columns[0]))}",
            f"(N, m) and (M, m) with N <= M <= {MOST_VECTORS}",
        )
    activation.require_numeric()
    arguments = [
        [sum((a * b for a, b in zip(z, w, strict=True)), Fraction(0)) for w in columns] for z in rows
    ]

    def compute(may_be_singular: bool) -> tuple[tuple[arb, ...], arb]:
        matrix = arb_mat([[_value(activation, t) for t in row] for row in arguments])
        square = matrix * matrix.transpose()
        least = least_eigenvalue(square, may_be_singular)
        return (least.nonnegative_part().sqrt() if least.is_finite() else least,), square.trace().sqrt()

    try:
        return certify(partial(compute, False), digits, "the least singular value")[0]
    except PrecisionError:  # no precision tells it from 0
        return certify(partial(compute, True), digits, "the least singular value")[0]


def _value(activation: Activation, argument: Fraction) -> arb:
    """``s`` at a rational number, at the working precision; refused where it may jump."""
    place = sp.Rational(argument.numerator, argument.denominator)
    if not activation.is_continuous and any((b - place).is_zero for b in activation.pieces.breakpoints):
        raise DomainError(
            f"{activation} at its breakpoint {argument}", "arguments z_i . w_j beside it", "move the w_j"
        )
    return exact_ball(activation.pieces.part_at(place).subs(x, place)).real


def singular_values(
    family: Family,
    epsilons: Sequence[ExactNumber],
    Z: Any,
    W: Any,
    digits: int = 10,
    progress: Progress | None = None,
) -> tuple[Approach, ...]:
    """:func:`least_singular_value` along a family ``eps -> s_eps``, with the exponents between.

    ``epsilons``: positive rationals, falling. Raises as :func:`least_singular_value`, and
    :class:`DomainError` for other epsilons.

    >>> found = singular_values(lambda e: Activation.parse(f"x^2 + {e}*tanh(x)"), ["1/4", "1/16"],
    ...     [[k, 1] for k in range(4)], [[1, 0], [0, 1], [1, -1], [1, "1/2"]])
    >>> [a.value.decimal(4) for a in found], found[0].exponent.decimal(3)
    (['0.01551', '0.003940'], '0.988')
    """
    return _along(family, epsilons, lambda s: least_singular_value(s, Z, W, digits), progress)


def eigenvalues(
    family: Family,
    epsilons: Sequence[ExactNumber],
    X: Any,
    kernel: str = "ntk",
    weight_variance: ExactNumber = 1,
    bias_variance: ExactNumber = 1,
    digits: int = 10,
    progress: Progress | None = None,
) -> tuple[Approach, ...]:
    """``lambda_min`` of the kernel of one hidden layer at the rows of ``X``, along a family, as
    :func:`singular_values`; each value is :func:`~analytic_ntk.positivity.min_eigenvalue`."""

    def value(activation: Activation) -> Enclosure:
        network = Network.mlp(activation, 1, weight_variance, bias_variance)
        return min_eigenvalue(network, X, kernel, digits)

    return _along(family, epsilons, value, progress)


def _along(
    family: Family,
    epsilons: Sequence[ExactNumber],
    value: Callable[[Activation], Enclosure],
    progress: Progress | None,
) -> tuple[Approach, ...]:
    if isinstance(epsilons, (str, bytes)) or not isinstance(epsilons, Sequence) or not epsilons:
        raise DomainError(f"epsilons = {epsilons!r}"[:100], "a list of positive rational numbers, falling")
    steps = [row[0] for row in exact_points([[e] for e in epsilons])]
    if steps[-1] <= 0 or any(a <= b for a, b in pairwise(steps)):
        raise DomainError(f"epsilons = {epsilons!r}"[:100], "positive rational numbers, falling")
    values = []
    for done, epsilon in enumerate(steps):
        if progress:
            progress(done, len(steps), f"epsilon = {epsilon}")
        activation = family(epsilon)
        if not isinstance(activation, Activation):
            raise DomainError(f"a family that gives {activation!r}"[:100], "an Activation for each epsilon")
        values.append(value(activation))
    found = list(zip(steps, values, strict=True))
    exponents = [_exponent(one, other, a / b) for (a, one), (b, other) in pairwise(found)]
    return tuple(map(Approach, steps, values, [*exponents, None]))


def _exponent(one: Enclosure, other: Enclosure, ratio: Fraction) -> Enclosure | None:
    if one.lower <= 0 or other.lower <= 0:
        return None

    with working_precision(_BITS):
        base = arb(fmpq(ratio.numerator, ratio.denominator)).log()
        return Enclosure.of((one.ball() / other.ball()).log() / base)
