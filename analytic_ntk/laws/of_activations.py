"""Laws of one activation: Price, Mehler, homogeneity, parity. All certified."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sympy.integrals.quadrature import gauss_legendre

from analytic_ntk.activation import Activation
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.laws.cases import AtCovariance, Case
from analytic_ntk.laws.doors import Doors, Duals
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur, Strata
from analytic_ntk.laws.measure import (
    combination,
    faulty_duals,
    overlap_margin,
    product,
    root_above,
    scaled,
    size,
)
from analytic_ntk.laws.subject import Subject, is_flat
from analytic_ntk.strategies import Covariance, Stratum, covariances

DIGITS = 20


def at_dual_covariances(*groups: tuple[Stratum, ...]) -> Strata:
    """Cases of an activation at covariances of each group of strata."""

    def strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
        bound = subject.max_dual_variance
        return tuple(
            st.builds(_case, subject.drawn_activation(), covariances(group, bound)) for group in groups
        )

    return strata


def _case(target: Activation, c: Covariance) -> AtCovariance:
    return AtCovariance(target, c.xx, c.xy, c.yy)


def _activation(case: Case) -> tuple[Activation, Fraction, Fraction, Fraction]:
    if not isinstance(case, AtCovariance) or not isinstance(case.target, Activation):
        raise DomainError(f"{case!r}"[:80], "an activation at a covariance", "use laws.AtCovariance")
    return case.target, case.xx, case.xy, case.yy


def _root(value: Fraction) -> Fraction:
    """The square root of a rational square."""
    root = sp.sqrt(sp.Rational(value.numerator, value.denominator))
    return Fraction(int(root.p), int(root.q)) if root.is_Rational else root_above(value)


def _skip_constant(subject: Subject) -> str:
    if not subject.activations:
        return "there is no activation"
    if all(is_flat(phi) and not phi.jumps for phi in subject.activations):
        return "the activation is constant: there is nothing to see"
    return ""


# ------------------------------------------------------------------------------------ Price

_NODES = 4
_BITE = 64


@lru_cache(maxsize=1)
def _rule() -> tuple[tuple[Fraction, Fraction], ...]:
    """Nodes and weights of the Gauss-Legendre rule on [-1, 1], rounded to 40 digits."""
    nodes, weights = gauss_legendre(_NODES, 40)
    return tuple((Fraction(str(x)), Fraction(str(w))) for x, w in zip(nodes, weights, strict=True))


def _price(case: Case, doors: Doors) -> Outcome:
    """``F(c + h) - F(c - h)`` against the integral of the derivative dual ``D`` by Gauss-Legendre.

    ``D(c) = sum_k d_k e_k rho^k`` is analytic for ``|rho| < 1``, of modulus at most
    ``M = sqrt(E phi'(u)^2 E phi'(v)^2)`` there (Cauchy-Schwarz). With ``h`` a 64th of the way to
    ``|rho| = 1`` the disc of radius ``64 h`` around ``c`` holds the Bernstein ellipse of parameter
    ``R = 126``; the rule with ``n`` nodes is off by at most ``h (64/15) M R^(-2n) / (1 - R^-2)``
    (Trefethen, Approximation Theory and Approximation Practice, Theorem 19.3). Rounding the nodes at the
    40th digit costs less than ``10^-35 M h``.
    """
    phi, xx, xy, yy = _activation(case)
    top = _root(xx * yy)
    h = (top - abs(xy)) / _BITE
    if h <= 0:
        return Outcome(0.0, trivial=True)
    ends = [doors.duals(phi, xx, xy + s * h, yy, DIGITS).dual for s in (1, -1)]
    slopes = [(w * h, doors.duals(phi, xx, xy + x * h, yy, DIGITS).derivative) for x, w in _rule()]
    own = [doors.duals(phi, q, q, q, DIGITS).derivative for q in (xx, yy)]
    bound = root_above(own[0].upper * own[1].upper)
    ellipse = Fraction(126)
    rule = Fraction(64, 15) * ellipse ** (-2 * _NODES) / (1 - ellipse**-2)
    left = combination([(1, ends[0]), (-1, ends[1])])
    right = combination(slopes)
    right = Enclosure(right.midpoint, right.radius + h * bound * (rule + Fraction(1, 10**35)))
    seen = size(right) > 10**6 * (left.radius + right.radius)
    return Outcome(overlap_margin(left, right), trivial=not seen)


def _skip_price(subject: Subject) -> str:
    if any(phi.jumps for phi in subject.activations):
        return "the activation jumps: its derivative dual leaves the jumps out, as gradient descent does"
    return _skip_constant(subject)


PRICE = Law(
    name="deriv_dual_eq_derivative_dual",
    statement="the derivative of the dual in the covariance is the dual of the derivative (Price)",
    latex=r"\frac{\partial}{\partial q_{12}}\mathbb{E}\varphi(u)\varphi(v)=\mathbb{E}\varphi'(u)\varphi'(v)",
    kind=Kind.CERTIFIED,
    strata=at_dual_covariances(
        (Stratum.GENERIC, Stratum.EQUAL_NORMS), (Stratum.ORTHOGONAL,), (Stratum.TINY,)
    ),
    check=_price,
    saboteurs=(
        Saboteur("derivative dual too large", faulty_duals(False, True, lambda xx, xy, yy: True)),
        Saboteur("dual too large", faulty_duals(True, False, lambda xx, xy, yy: True)),
    ),
    smallest_fault=1e-15,
    skip=_skip_price,
)


# ------------------------------------------------------------------------------------ Mehler

ORDER = 40


def _mehler(case: Case, doors: Doors) -> Outcome:
    """The partial sum, and for what is beyond it ``|rho|^(N+1)`` times the geometric mean of the remainders
    ``E phi^2 - sum a_k^2`` at the two variances (Cauchy-Schwarz)."""
    phi, xx, xy, yy = _activation(case)
    rho = xy / _root(xx * yy)
    one = doors.hermite(phi, ORDER, DIGITS, xx)
    two = one if xx == yy else doors.hermite(phi, ORDER, DIGITS, yy)
    partial = combination(
        (rho**k, product(a.value, b.value)) for k, (a, b) in enumerate(zip(one.rows, two.rows, strict=True))
    )
    tail = abs(rho) ** (ORDER + 1) * root_above(one.remainder[1] * two.remainder[1])
    total = Enclosure(partial.midpoint, partial.radius + tail)
    dual = doors.duals(phi, xx, xy, yy, DIGITS).dual
    moving = abs(size(dual) - abs(one.rows[0].value.midpoint * two.rows[0].value.midpoint))
    return Outcome(overlap_margin(dual, total), trivial=not moving > 10**6 * (total.radius + dual.radius))


MEHLER = Law(
    name="dual_eq_mehler_sum",
    statement="the dual is the sum of a_k(q11) a_k(q22) rho^k over Hermite coefficients (Mehler)",
    latex=r"\mathbb{E}\,\varphi(u)\varphi(v)=\sum_k a_k(q_{11})\,a_k(q_{22})\,\rho^k",
    kind=Kind.CERTIFIED,
    strata=at_dual_covariances((Stratum.EQUAL_NORMS,), (Stratum.GENERIC,), (Stratum.TINY,), (Stratum.HUGE,)),
    check=_mehler,
    saboteurs=(Saboteur("dual too large", faulty_duals(True, False, lambda xx, xy, yy: True)),),
    smallest_fault=1e-28,
    reference="x*erf(x)",
    skip=_skip_constant,
)


# ------------------------------------------------------------------------------------ homogeneity


def _homogeneity(case: Case, doors: Doors) -> Outcome:
    phi, xx, xy, yy = _activation(case)
    degree = phi.homogeneity
    if degree is None or xx == 0 or yy == 0 or xx == yy == 1:
        return Outcome(0.0, trivial=True)
    scale = _root(xx) * _root(yy)
    here = doors.duals(phi, xx, xy, yy, DIGITS)
    unit = doors.duals(phi, Fraction(1), xy / scale, Fraction(1), DIGITS)
    margin = overlap_margin(here.dual, scaled(unit.dual, scale**degree))
    if degree >= 1:
        margin = max(margin, overlap_margin(here.derivative, scaled(unit.derivative, scale ** (degree - 1))))
    return Outcome(margin, trivial=here.dual.digits == 0 or here.dual.midpoint == 0)


def _skip_homogeneity(subject: Subject) -> str:
    if not subject.activations:
        return "there is no activation"
    if all(phi.homogeneity is None for phi in subject.activations):
        return "the activation is not positively homogeneous"
    if all(phi.polynomial_degree == -1 for phi in subject.activations):
        return "the activation is 0: there is nothing to see"
    return ""


HOMOGENEITY = Law(
    name="dual_smul_eq_pow_mul_dual",
    statement="of phi homogeneous of degree k the dual at (a^2, a b rho, b^2) is (a b)^k that at (1, rho, 1)",
    latex=r"\hat\varphi(a^2,ab\rho,b^2)=(ab)^k\,\hat\varphi(1,\rho,1)",
    kind=Kind.CERTIFIED,
    strata=at_dual_covariances(
        (Stratum.GENERIC,), (Stratum.ANTIPODAL, Stratum.NEAR_DUPLICATE), (Stratum.HUGE, Stratum.TINY)
    ),
    check=_homogeneity,
    saboteurs=(Saboteur("dual too large off unit variances",
                        faulty_duals(True, False, lambda xx, xy, yy: xx != 1 or yy != 1)),),
    smallest_fault=1e-30,
    skip=_skip_homogeneity,
)  # fmt: skip


# ------------------------------------------------------------------------------------ parity


def _parity(case: Case, doors: Doors) -> Outcome:
    phi, xx, xy, yy = _activation(case)
    if phi.parity is None or xy == 0:
        return Outcome(0.0, trivial=True)
    sign = 1 if phi.parity == "even" else -1
    here, mirrored = (doors.duals(phi, xx, c, yy, DIGITS) for c in (xy, -xy))
    margin = max(
        overlap_margin(here.dual, scaled(mirrored.dual, Fraction(sign))),
        overlap_margin(here.derivative, scaled(mirrored.derivative, Fraction(-sign))),
    )
    return Outcome(margin, trivial=_vanishes(here))


def _vanishes(found: Duals) -> bool:
    return found.dual.digits == 0 or found.dual.midpoint == 0


def _skip_parity(subject: Subject) -> str:
    if not subject.activations:
        return "there is no activation"
    if all(phi.parity is None for phi in subject.activations):
        return "the activation is neither even nor odd"
    if all(phi.polynomial_degree == -1 for phi in subject.activations):
        return "the activation is 0: there is nothing to see"
    return ""


PARITY = Law(
    name="dual_neg_eq_of_parity",
    statement="of an even (odd) activation the dual is an even (odd) function of the covariance",
    latex=r"\hat\varphi(q_{11},-q_{12},q_{22})=\pm\hat\varphi(q_{11},q_{12},q_{22})",
    kind=Kind.CERTIFIED,
    strata=at_dual_covariances(
        (Stratum.GENERIC, Stratum.EQUAL_NORMS),
        (Stratum.NEAR_DUPLICATE,),
        (Stratum.ANTIPODAL, Stratum.DUPLICATE),
    ),
    check=_parity,
    saboteurs=(
        Saboteur("dual too large where the covariance is negative",
                 faulty_duals(True, False, lambda xx, xy, yy: xy < 0)),
        Saboteur("derivative dual too large where the covariance is negative",
                 faulty_duals(False, True, lambda xx, xy, yy: xy < 0)),
    ),
    smallest_fault=1e-29,
    reference="x*erf(x)",
    skip=_skip_parity,
)  # fmt: skip

LAWS = (PRICE, MEHLER, HOMOGENEITY, PARITY)
