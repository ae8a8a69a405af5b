"""Exact expressions: the recursion on sympy expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError, NoClosedFormError
from analytic_ntk.gaussian.closed_form import ClosedForm, dual_formula, second_moment_formula
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of
from analytic_ntk.gaussian.unevaluated import Dual, piecewise_expression
from analytic_ntk.notation import q11, q12, q22
from analytic_ntk.pair import Expectations, Pair


@lru_cache(maxsize=512)
def dual(f: Pieces) -> ClosedForm:
    """``E f(u) f(v)`` in ``q11, q22, q12``: a closed form, or else an unevaluated ``Dual``."""
    return _closed_or_not(f, dual_formula, (q11, q22, q12))


@lru_cache(maxsize=512)
def second_moment(f: Pieces) -> ClosedForm:
    """``E f(u)^2`` for ``u ~ N(0, q11)`` in the symbol ``q11``."""
    return _closed_or_not(f, second_moment_formula, (q11, q11, q11))


def _closed_or_not(
    f: Pieces, derive: Callable[[Terms, Terms], ClosedForm], covariance: tuple[sp.Symbol, ...]
) -> ClosedForm:
    terms = terms_of(f)
    if terms is not None:
        try:
            return derive(terms, terms)
        except NoClosedFormError:
            pass
    expression = piecewise_expression(f)
    value = Dual.of(expression, expression, *covariance)
    return ClosedForm(value, value)


@dataclass(frozen=True)
class Exact:
    """Sympy expressions in the input covariance. No gap is carried: nothing cancels in exact arithmetic."""

    def number(self, value: sp.Expr) -> sp.Expr:
        return value

    def inverse_sqrt(self, value: sp.Expr) -> sp.Expr:
        if value.is_zero:
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return 1 / sp.sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: sp.Expr, shift: sp.Expr, shift_is_zero: bool) -> None:
        return None

    def gap_after_sum(self, pair: Pair, other: Pair) -> None:
        return None

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        phi, slope = activation.pieces, activation.derivative
        for q in (pair.q11, pair.q22):
            _check_growth(activation, q)
        own = second_moment(phi).expression
        variance_1 = _at(own, {q11: pair.q11})
        variance_2 = variance_1 if pair.equal_norms else _at(own, {q11: pair.q22})
        if pair.same_input or pair.q12 == pair.q11 == pair.q22:
            return Expectations(
                variance_1, variance_1, variance_1, _at(second_moment(slope).expression, {q11: pair.q11})
            )
        covariance = {q11: pair.q11, q22: pair.q22, q12: pair.q12}
        return Expectations(
            variance_1,
            variance_2,
            _at(dual(phi).expression, covariance),
            _at(dual(slope).expression, covariance),
        )


def _check_growth(activation: Activation, q: sp.Expr) -> None:
    """Refuse an infinite second moment where the variance is a number (a symbolic one cannot be judged)."""
    if activation.parameters or not q.is_number:
        return
    limit = min(activation.max_variance, activation.derivative_max_variance)
    if limit is not sp.oo and (limit - q).is_nonpositive:
        raise DomainError(
            f"{activation} at variance {q}: E phi(u)^2 is infinite",
            f"variances below {limit}",
            "rescale the inputs or the weight variance",
        )


def _at(expression: sp.Expr, values: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    if all(symbol == value for symbol, value in values.items()):
        return expression
    return expression.xreplace(values)
