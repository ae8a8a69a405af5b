"""``phi^(j)`` as an activation of its own, where it is a function."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.identities import vanishes
from analytic_ntk.gaussian.unevaluated import piecewise_expression
from analytic_ntk.layers.units import require_count

MAX_ORDER = 12
"""Of a kernel: expressions of higher derivatives grow too long to integrate."""


def require_kernel_order(order: int) -> None:
    """Raise :class:`DomainError` unless ``order`` is an integer from 1 to ``MAX_ORDER``."""
    require_count(order, "order", 1)
    if order > MAX_ORDER:
        raise DomainError(f"order = {order}", f"at most {MAX_ORDER}")


def first_singular_order(activation: Activation, order: int) -> tuple[int, sp.Expr] | None:
    """The least ``j <= order`` for which ``phi^(j)`` holds a Dirac mass, and a place of it."""
    for j in range(order):
        for place, size in activation.pieces.jumps(j):
            if not vanishes(size):
                return j + 1, place
    return None


def _shorter(expr: sp.Expr) -> sp.Expr:
    """The expression or its factors: sums over many powers of one denominator cancel in float64."""
    factors = sp.factor(expr)
    return factors if factors.count_ops() < expr.count_ops() else expr


@lru_cache(maxsize=256)
def derivative(activation: Activation, order: int) -> Activation:
    """``phi^(order)``. Raises :class:`DomainError` where it is a distribution and not a function.

    >>> from analytic_ntk import activations
    >>> derivative(activations.sin, 2).expression, derivative(activations.relu, 1).expression
    (-sin(x), Piecewise((0, x < 0), (1, True)))
    """
    found = first_singular_order(activation, order)
    if found is not None:
        j, place = found
        raise DomainError(
            f"derivative {order} of {activation}: derivative {j} has a Dirac mass at {place}",
            "an activation whose derivatives below this order are continuous",
            "use taylor.off_diagonal for the kernel off rho = +-1, or a smooth activation",
        )
    pieces = activation.pieces
    for _ in range(order):
        pieces = pieces.derivative()
    if order > 1:
        pieces = pieces.map(_shorter)
    name = str(activation) + "'" * order if activation.name and order else activation.name
    return Activation(piecewise_expression(pieces), name)
