"""Certified digits: the recursion in ball arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
from flint import acb, arb, ctx

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.errors import DomainError, NoClosedFormError, PrecisionError
from analytic_ntk.gaussian import moments, quadrature
from analytic_ntk.gaussian.operations import BALLS
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of
from analytic_ntk.notation import x
from analytic_ntk.pair import Expectations, Pair

GUARD_BITS = 8


@lru_cache(maxsize=512)
def canonical(pieces: Pieces) -> Terms | None:
    """The canonical terms of a function, or ``None`` (remembered)."""
    return terms_of(pieces)


def _real(value: arb | acb) -> arb:
    """The real part of a value known to be real (conjugate terms cancel their imaginary parts)."""
    return value.real if isinstance(value, acb) else value


@dataclass(frozen=True)
class Ball:
    """Balls at the working precision; every result encloses the truth.

    Closed forms are evaluated by the moment engine; where there is none (or where it degenerates), the
    definition is integrated rigorously.
    """

    def number(self, value: sp.Expr) -> arb:
        if value.free_symbols:
            raise DomainError(f"the symbolic variance {value}", "a number", "give the symbol a number first")
        return _real(exact_ball(value))

    def inverse_sqrt(self, value: arb) -> arb:
        if value == 0:
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return value.rsqrt()

    def gap_after_affine(self, pair: Pair, scale: arb, shift: arb, shift_is_zero: bool) -> arb:
        if pair.same_input or (pair.gap == 0 and (shift_is_zero or (pair.equal_norms and pair.q12 > 0))):
            return arb(0)
        q11, q22, q12 = (scale * q + shift for q in (pair.q11, pair.q22, pair.q12))
        return _open_gap(q11, q22, q12)

    def gap_after_sum(self, pair: Pair, other: Pair) -> arb:
        if pair.same_input:
            return arb(0)
        if pair.gap == 0 and other.gap == 0 and pair.equal_norms and other.equal_norms:
            if (pair.q12 > 0 and other.q12 > 0) or (pair.q12 < 0 and other.q12 < 0):
                return arb(0)
        return _open_gap(pair.q11 + other.q11, pair.q22 + other.q22, pair.q12 + other.q12)

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        phi, derivative = activation.pieces, activation.derivative
        check_growth(activation, pair.q11)
        check_growth(activation, pair.q22)
        q11 = self.second_moment(phi, pair.q11)
        q22 = q11 if pair.equal_norms else self.second_moment(phi, pair.q22)
        if pair.gap == 0:
            return self._collinear(activation, pair, q11, q22)
        q12, slope = self.duals(phi, derivative, pair)
        return Expectations(q11, q22, q12, slope, _open_gap(q11, q22, q12))

    def second_moment(self, f: Pieces, q: arb) -> arb:
        """``E f(u)^2`` for ``u ~ N(0, q)``."""
        return self._line(f, q, arb(1))

    def duals(self, phi: Pieces, derivative: Pieces, pair: Pair) -> tuple[arb, arb]:
        """``E phi(u) phi(v)`` and ``E phi'(u) phi'(v)`` off the line ``rho = +-1``."""
        values: list[arb | None] = [self._closed_dual(f, pair) for f in (phi, derivative)]
        missing = [(f, f) for f, value in zip((phi, derivative), values, strict=True) if value is None]
        if missing:
            found = iter(quadrature.double_many(missing, pair.q11, pair.q22, pair.q12, _goal()))
            values = [next(found) if value is None else value for value in values]
        first, second = values
        assert first is not None and second is not None
        return first, second

    def _closed_dual(self, f: Pieces, pair: Pair) -> arb | None:
        terms = canonical(f)
        if terms is None:
            return None
        det = pair.q11 * pair.q22 - pair.q12 * pair.q12
        if not det > 0:
            if any(t.psi is not None and t.psi.spread == 0 for t in terms):
                return arb("nan")  # more precision will tell the pair from a collinear one
            det = det.nonnegative_part()
        try:
            return _real(moments.dual(terms, terms, pair.q11, pair.q22, pair.q12, det.sqrt(), BALLS))
        except NoClosedFormError:
            return None
        except PrecisionError:
            return arb("nan")

    def _line(self, f: Pieces, q: arb, scale: arb) -> arb:
        """``E f(u) f(scale u)``; the closed form for ``scale = +-1`` and steps or none at all."""
        if q == 0:
            value = _value_at_zero(f)
            return value * value
        terms = canonical(f)
        if terms is not None and (scale == 1 or scale == -1):
            other = terms if scale == 1 else tuple(term.scaled(sp.Integer(-1)) for term in terms)
            try:
                value = _real(moments.second_moment(terms, other, q, BALLS))
                if value.is_finite():
                    return value
                if not any(term.psi for term in terms):  # an exponential, and nothing that could degenerate
                    raise PrecisionError("an expectation too large for ball arithmetic", "smaller variances")
            except NoClosedFormError:
                pass
        return quadrature.single(f, f, q, scale, _goal())

    def _collinear(self, activation: Activation, pair: Pair, q11: arb, q22: arb) -> Expectations:
        """``v = scale * u`` exactly: duplicates, antipodes, proportional inputs, zero inputs."""
        phi, derivative = activation.pieces, activation.derivative
        positive = pair.q12 > 0
        if pair.same_input or (pair.equal_norms and positive):
            return Expectations(q11, q11, q11, self._line(derivative, pair.q11, arb(1)), arb(0))
        if pair.q11 == 0 or pair.q22 == 0:
            return self._zero_input(activation, pair, q11, q22)
        if pair.equal_norms:
            scale = arb(-1)
        else:
            scale = (pair.q22 / pair.q11).sqrt() * (1 if positive else -1)
        q12 = self._homogeneous_line(phi, pair.q11, scale, activation.homogeneity)
        degree = None if activation.homogeneity is None else activation.homogeneity - 1
        slope = self._homogeneous_line(derivative, pair.q11, scale, degree)
        stays = (activation.parity is not None and pair.equal_norms) or activation.homogeneity is not None
        if stays and activation.parity is None and not positive:
            stays = False
        return Expectations(q11, q22, q12, slope, arb(0) if stays else _open_gap(q11, q22, q12))

    def _homogeneous_line(self, f: Pieces, q: arb, scale: arb, degree: int | None) -> arb:
        """``E f(u) f(scale u)``, the size of the scale taken out where ``f`` is homogeneous."""
        if degree is None or degree < 0:
            return self._line(f, q, scale)
        return abs(scale) ** degree * self._line(f, q, arb(1) if scale > 0 else arb(-1))

    def _zero_input(self, activation: Activation, pair: Pair, q11: arb, q22: arb) -> Expectations:
        """One variance is exactly 0: that variable is the constant 0."""
        values = []
        for f in (activation.pieces, activation.derivative):
            means = [_value_at_zero(f) if q == 0 else self._mean(f, q) for q in (pair.q11, pair.q22)]
            values.append(means[0] * means[1])
        q12, slope = values
        return Expectations(q11, q22, q12, slope, _open_gap(q11, q22, q12))

    def _mean(self, f: Pieces, q: arb) -> arb:
        terms = canonical(f)
        one = Pieces((), (sp.S.One,))
        if terms is not None:
            try:
                return _real(moments.second_moment(terms, terms_of(one) or (), q, BALLS))
            except (NoClosedFormError, PrecisionError):
                pass
        return quadrature.single(f, one, q, arb(1), _goal())


def check_growth(activation: Activation, q: arb) -> None:
    """Raise :class:`DomainError` if ``E phi(u)^2`` or ``E phi'(u)^2`` is infinite at variance ``q``."""
    limit = min(activation.max_variance, activation.derivative_max_variance)
    if limit is sp.oo:
        return
    bound = _real(exact_ball(limit))
    if q >= bound:
        raise DomainError(
            f"{activation} at variance {q.str(6, radius=False)}: E phi(u)^2 is infinite",
            f"variances below {limit}",
            "rescale the inputs or the weight variance",
        )
    if not q < bound:
        raise PrecisionError(f"a variance too close to the limit {limit}", "a variance below it")


def _goal() -> int:
    return max(8, int(ctx.prec) - GUARD_BITS)


def _open_gap(q11: arb, q22: arb, q12: arb) -> arb:
    """``sqrt(q11 q22) - |q12|`` for a pair not known to be collinear: 0 exactly only for a zero input."""
    if q11 == 0 or q22 == 0:
        return arb(0)
    gap = (q11 * q22).sqrt() - abs(q12)
    return gap if not gap == 0 else gap + arb(0, arb(2) ** (-int(ctx.prec)))


@lru_cache(maxsize=512)
def _exactly_at_zero(f: Pieces) -> sp.Expr:
    """``f(0)`` as an exact number; at a jump the mean of its two sides."""
    sides = []
    for inclusive in (True, False):
        index = sum(1 for b in f.breakpoints if b.is_negative or (b.is_zero and inclusive))
        sides.append(sp.simplify(f.parts[index].subs(x, 0)))
    return sp.simplify((sides[0] + sides[1]) / 2)


def _value_at_zero(f: Pieces) -> arb:
    return _real(exact_ball(_exactly_at_zero(f)))
