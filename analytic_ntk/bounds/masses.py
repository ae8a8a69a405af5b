"""Masses of Hermite tails, of an activation and of its derivative."""

from __future__ import annotations

import sympy as sp

from analytic_ntk.activation import Activation, constant
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.identities import as_polynomial, vanishes
from analytic_ntk.gaussian.moments import second_moment
from analytic_ntk.gaussian.operations import SYMBOLIC
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite.table import MAX_ORDER, exact_coefficients, hermite_table

_EXACT_TAIL = 20
"""Up to this order tail masses are written as closed expressions; beyond it they are enclosed."""


def mu(activation: Activation, r: int, variance: ExactNumber = 1, digits: int = 30) -> sp.Expr | Enclosure:
    """``mu_r``, the Hermite coefficient ``E phi(sqrt(variance) Z) h_r(Z)``: :meth:`Activation.hermite`.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.bounds import mu
    >>> mu(activations.relu, 1)
    1/2
    """
    _require_activation(activation)
    return activation.hermite(r, variance, digits)


def tail_mass(
    activation: Activation, r: int, variance: ExactNumber = 1, digits: int = 30
) -> sp.Expr | Enclosure:
    """``sum_{k >= r} mu_k^2 = E phi^2 - sum_{k < r} mu_k^2``.

    Exact in the canonical class up to ``r = 20``, else an enclosure with ``digits`` certain relative digits.
    Raises :class:`DomainError` for a bad order, :class:`PrecisionError` where the digits cannot be had.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.bounds import tail_mass
    >>> tail_mass(activations.relu, 2), tail_mass(activations.tanh, 2, digits=8).decimal(8)
    (1/4 - 1/(2*pi), '0.027415326')
    """
    _require_activation(activation)
    _require_order(r)
    q = constant(variance, "variance")
    activation.hermite(0, q, 1)  # refuses parameters and variances beyond the growth of phi
    return _tail_mass(activation.pieces, r, q, digits, activation.parity)


def derivative_tail_mass(
    activation: Activation, r: int, variance: ExactNumber = 1, digits: int = 30
) -> sp.Expr | Enclosure:
    """``sum_{k >= r} mu_k(phi')^2``; as :func:`tail_mass`.

    With ``d^r << n << d^{r+1}`` points on the sphere the first-layer NTK of ``phi`` has ``lambda_min`` at
    least this, less ``o(1)`` (Montanari, Zhong 2022). A jump of ``phi`` is refused: its derivative has
    infinite mass.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.bounds import derivative_tail_mass
    >>> derivative_tail_mass(activations.relu, 1)
    1/4
    """
    _require_activation(activation)
    _require_order(r)
    q = constant(variance, "variance")
    activation.require_numeric()
    if not activation.is_continuous:
        raise DomainError(
            f"{activation}, which jumps", "a continuous activation", "its derivative has no mass"
        )
    if not q.is_positive or not (activation.derivative_max_variance - q).is_extended_positive:
        raise DomainError(f"variance = {q}", f"between 0 and {activation.derivative_max_variance}")
    parity = {"even": "odd", "odd": "even"}.get(activation.parity or "")
    return _tail_mass(activation.derivative, r, q, digits, parity)


def _require_activation(activation: Activation) -> None:
    if not isinstance(activation, Activation):
        raise DomainError(f"{activation!r}"[:80], "an Activation", "e.g. activations.relu")


def _require_order(r: int) -> None:
    if isinstance(r, bool) or not isinstance(r, int) or not 0 <= r <= MAX_ORDER + 1:
        raise DomainError(f"r = {r!r}", f"an integer from 0 to {MAX_ORDER + 1}")


def _tail_mass(pieces: Pieces, r: int, q: sp.Expr, digits: int, parity: str | None) -> sp.Expr | Enclosure:
    polynomial = as_polynomial(pieces.parts[0]) if len(pieces.parts) == 1 else None
    if polynomial is not None and polynomial.degree() < r:
        return sp.S.Zero
    terms = terms_of(pieces)
    head = exact_coefficients(pieces, r - 1, q)[:r] if terms is not None and 0 < r <= _EXACT_TAIL else ()
    if terms is not None and len(head) == r:
        try:
            mass = sp.expand(second_moment(terms, terms, q, SYMBOLIC) - sp.Add(*(a * a for a in head)))
        except NoClosedFormError:
            pass
        else:
            return sp.S.Zero if vanishes(mass) else mass
    asked = digits
    for _ in range(6):  # what cancels is made up for by digits
        table = hermite_table(pieces, max(r - 1, 0), asked, q, parity)
        mass = table.second_moment
        if r > 0:
            total = table.sum_of_squares
            mass = Enclosure(mass.midpoint - total.midpoint, mass.radius + total.radius)
        if mass.digits >= digits:
            return mass
        asked = digits + asked - mass.digits + 2 if mass.digits else 2 * asked
    raise PrecisionError(
        f"{mass.digits} digits of a tail mass below {float(mass.upper):.2g}",
        f"{digits} digits",
        "the mass may be 0: a polynomial has none beyond its degree",
        reached=mass.digits,
    )
