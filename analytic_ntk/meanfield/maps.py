"""The variance map ``V(q) = w E phi(u)^2 + b``, ``u ~ N(0, q)``, and what is derived from it.

With ``M_j(q) = E u^(2j) phi(u)^2`` (differentiate the density; jumps allowed)

    M_j' = (M_{j+1}/q - M_j) / (2 q),        V' = w M_0',        chi_1(q) = w E phi'(u)^2.

Each ``sqrt(q) M_j(q)`` is non-decreasing, the density times ``sqrt(q)`` being so: from the values at two
ends all are enclosed in between (:meth:`VarianceMap.between`), without wide balls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
from flint import arb

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.closed_form import second_moment_formula
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.meanfield.interpolation import Moments
from analytic_ntk.notation import q11, x
from analytic_ntk.systems.ball import Ball, canonical, check_growth

MAX_DIGITS = 1_000


@dataclass(frozen=True)
class VarianceMap(Shown):
    """``V`` for one activation and exact variances ``weight > 0``, ``bias >= 0``."""

    activation: Activation
    weight: sp.Expr
    bias: sp.Expr

    @classmethod
    def of(
        cls, activation: Activation, weight_variance: ExactNumber, bias_variance: ExactNumber
    ) -> VarianceMap:
        """Checked. Raises :class:`DomainError` for floats, ``w <= 0``, ``b < 0`` and free parameters."""
        require_activation(activation)
        weight, bias = constant(weight_variance, "weight_variance"), constant(bias_variance, "bias_variance")
        if not weight.is_positive:
            raise DomainError(f"weight_variance = {weight}", "a number > 0", "without weights V is constant")
        if not bias.is_nonnegative:
            raise DomainError(f"bias_variance = {bias}", "a number >= 0", "variances are given")
        return cls(activation, weight, bias)

    def moments(self, q: arb) -> Moments:
        """``M_0, M_1, M_2`` for a ball ``q > 0``."""
        check_growth(self.activation, q)
        one = self.activation.pieces
        two = times_x(one)
        first, second, third = (Ball().second_moment(f, q) for f in (one, two, times_x(two)))
        return first, second, third

    def at(self, q: arb) -> arb:
        check_growth(self.activation, q)
        return exact_ball(self.weight).real * Ball().second_moment(self.activation.pieces, q) + self.offset

    @property
    def offset(self) -> arb:
        return exact_ball(self.bias).real

    def slope(self, q: arb) -> arb:
        """``V'(q)``."""
        value, square = (
            Ball().second_moment(f, q) for f in (self.activation.pieces, times_x(self.activation.pieces))
        )
        return exact_ball(self.weight).real * (square / q - value) / (2 * q)

    def chi(self, q: arb) -> arb:
        """``chi_1(q)``; the activation must be continuous."""
        check_growth(self.activation, q)
        return exact_ball(self.weight).real * Ball().second_moment(self.activation.derivative, q)

    def between(self, low: arb, high: arb, at_low: Moments, at_high: Moments) -> tuple[arb, arb]:
        """Enclosures of ``V - q`` and ``V'`` on ``[low, high]`` from :meth:`moments` at the two ends.

        Of the bounds at hand (monotony; the mean value theorem from either end) the one farthest from 0,
        and from 1, is given.
        """
        root, weight = (high / low).sqrt(), exact_ball(self.weight).real
        q, width = low.union(high), high - low
        m = [(a / root).union(b * root) for a, b in zip(at_low, at_high, strict=True)]
        d = [(m[j + 1] / q - m[j]) / (2 * q) for j in (0, 1)]
        curvature = ((d[1] - m[1] / q) / q - d[0] - (m[1] / q - m[0]) / q) / (2 * q)
        ends = ((low, at_low, width * arb(0.5, 0.5)), (high, at_high, -width * arb(0.5, 0.5)))
        slopes = [d[0]]
        slopes += [(p[1] / end - p[0]) / (2 * end) + curvature * step for end, p, step in ends]
        slope = max((weight * s for s in slopes), key=lambda s: float((s - 1).abs_lower()))
        gaps = [weight * m[0] + self.offset - q]
        gaps += [weight * p[0] + self.offset - end + (slope - 1) * step for end, p, step in ends]
        return max(gaps, key=lambda gap: float(gap.abs_lower())), slope

    def at_zero(self) -> tuple[sp.Expr, sp.Expr]:
        """The limits of ``V`` and of ``w E phi'(u)^2`` for ``q -> 0``, exact."""
        value, slope = (
            sp.simplify(sum(side.subs(x, 0) ** 2 for side in sides(f)) / 2)
            for f in (self.activation.pieces, self.activation.derivative)
        )
        return sp.simplify(self.weight * value + self.bias), sp.simplify(self.weight * slope)

    @property
    def polynomial(self) -> sp.Poly | None:
        """``V`` as a polynomial in ``q`` where it is one: homogeneous and polynomial activations."""
        moment = exact_second_moment(self.activation.pieces)
        if moment is None:
            return None
        found = sp.expand(self.weight * moment + self.bias)
        return sp.Poly(found, q11) if found.is_polynomial(q11) else None


def require_digits(digits: int) -> None:
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise DomainError(f"digits = {digits!r}", f"an integer from 1 to {MAX_DIGITS}")


def require_activation(activation: Activation) -> None:
    if not isinstance(activation, Activation):
        raise DomainError(
            f"activation = {activation!r}",
            "an Activation",
            "use activations.get(name) or Activation.parse(text)",
        )
    activation.require_numeric()


@lru_cache(maxsize=256)
def times_x(pieces: Pieces) -> Pieces:
    return pieces.map(lambda part: x * part)


def sides(pieces: Pieces) -> tuple[sp.Expr, sp.Expr]:
    """The parts just left and just right of 0."""
    left = sum(1 for b in pieces.breakpoints if b.is_negative)
    return pieces.parts[left], pieces.part_at(sp.S.Zero)


@lru_cache(maxsize=256)
def exact_second_moment(pieces: Pieces) -> sp.Expr | None:
    """``E f(u)^2`` as an expression in ``q11`` for powers, cut at 0 or not; else ``None``."""
    terms = canonical(pieces)
    if terms is None or any(t.a != 0 or t.b != 0 for t in terms):
        return None
    if any(t.psi is not None and (t.psi.spread or t.psi.offset != 0) for t in terms):
        return None
    try:
        return second_moment_formula(terms, terms).expression
    except NoClosedFormError:
        return None
