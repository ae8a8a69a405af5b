"""Closed forms of Gaussian expectations as tidy sympy expressions, each proved equal to its derivation.

The moment engine derives the raw expression; the tidy one is accepted only if algebra shows the two equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from analytic_ntk.arithmetic.atoms import Angle, ConditionalPhi, Phi2, RealPart, Ridge
from analytic_ntk.arithmetic.functions import Phi, merge_reflections
from analytic_ntk.errors import NoClosedFormError
from analytic_ntk.gaussian.moments import line_moment, pair_moment
from analytic_ntk.gaussian.operations import SYMBOLIC
from analytic_ntk.gaussian.terms import Term, Terms
from analytic_ntk.notation import q11, q12, q22

MAX_OPERATIONS = 250
"""Longer expressions are only factored lightly: rewriting them takes minutes and helps no reader."""
ATOMS = (Angle, Phi, Phi2, ConditionalPhi, Ridge, RealPart, sp.exp)


@dataclass(frozen=True)
class ClosedForm:
    """``expression`` equals the engine's ``raw`` result, by algebra."""

    expression: sp.Expr
    raw: sp.Expr


@lru_cache(maxsize=512)
def dual_formula(f: Terms, g: Terms) -> ClosedForm:
    """``E f(u) g(v)`` for ``(u, v) ~ N(0, [[q11, q12], [q12, q22]])`` in the symbols of the field.

    >>> import sympy as sp
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.gaussian.terms import terms_of
    >>> from analytic_ntk.notation import x
    >>> relu = terms_of(Pieces.of(sp.Max(x, 0)))
    >>> dual_formula(relu, relu).expression
    (q12*(pi - Angle(q11, q22, q12)) + sqrt(q11*q22 - q12**2))/(2*pi)
    """
    root = sp.sqrt(q11 * q22 - q12**2)
    return _settle(_sum(f, g, lambda one, other: pair_moment(one, other, q11, q22, q12, root, SYMBOLIC)))


@lru_cache(maxsize=512)
def second_moment_formula(f: Terms, g: Terms) -> ClosedForm:
    """``E f(u) g(u)`` for ``u ~ N(0, q11)`` in the symbol ``q11``."""
    return _settle(_sum(f, g, lambda one, other: line_moment(one, other, q11, SYMBOLIC)))


def _conjugate(term: Term) -> Term:
    return Term(
        sp.expand(sp.conjugate(term.coefficient)),
        term.power,
        sp.expand(sp.conjugate(term.a)),
        sp.expand(sp.conjugate(term.b)),
        term.psi,
    )


def _is_complex(term: Term) -> bool:
    return any(e.has(sp.I) for e in (term.coefficient, term.a, term.b))


def _sum(f: Terms, g: Terms, moment: Callable[[Term, Term], sp.Expr]) -> sp.Expr:
    """Sum over pairs of terms; a pair and its complex conjugate give twice a real part."""
    total = sp.S.Zero
    seen: set[tuple[Term, Term]] = set()
    for one in f:
        for other in g:
            if (one, other) in seen:
                continue
            if _too_long(one, other):
                raise NoClosedFormError(
                    f"E of ({one.expression()})(u) times ({other.expression()})(v)",
                    "a closed form of readable length (this one has tens of thousands of operations)",
                    "use certified or float64 values: they run the same recursion",
                )
            value = moment(one, other)
            if _is_complex(one) or _is_complex(other):
                partner = (_conjugate(one), _conjugate(other))
                seen.add(partner)
                value = _real_part(value) * (1 if partner == (one, other) else 2)
            total += value
    return total


def _too_long(f: Term, g: Term) -> bool:
    """Normal cdfs under a tilted Gaussian: the recursion multiplies rational functions at every power."""
    halves = [t.psi for t in (f, g)]
    if any(half is None or half.spread == 0 for half in halves) or f.power + g.power < 4:
        return False
    return any(t.a != 0 or t.b != 0 or (t.psi is not None and t.psi.offset != 0) for t in (f, g))


def _real_part(value: sp.Expr) -> sp.Expr:
    if value.has(Phi, Phi2, ConditionalPhi, Ridge, Angle):
        return RealPart(sp.factor_terms(value))
    total = sp.S.Zero
    for summand in sp.Add.make_args(sp.expand(value)):
        exponent, number, rest = sp.S.Zero, sp.S.One, sp.S.One
        for factor in sp.Mul.make_args(summand):
            if isinstance(factor, sp.exp):
                exponent += factor.args[0]
            elif factor.is_number:
                number *= factor
            else:
                rest *= factor
        if rest.has(sp.I):
            return RealPart(sp.factor_terms(value))
        exponent = sp.expand(exponent)
        phase = exponent.coeff(sp.I)
        real, imaginary = sp.expand(number).as_real_imag()
        size = rest * sp.exp(sp.expand(exponent - sp.I * phase))
        total += size * (real * sp.cos(phase) - imaginary * sp.sin(phase))
    return sp.expand(total)


def _settle(raw: sp.Expr) -> ClosedForm:
    tidy = tidied(raw)
    return ClosedForm(tidy if tidy == raw or is_same(tidy, raw) else raw, raw)


def is_same(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether two expressions are shown equal, by algebra alone.

    Their difference as a polynomial in exponentials, roots and other functions, each with a name; a root's
    square is its radicand.
    """
    difference = sp.expand(one - other)
    if difference == 0:
        return True
    difference = sp.expand(difference.rewrite((sp.sinh, sp.cosh), sp.exp))
    names: dict[sp.Expr, sp.Dummy] = {}

    def name(node: sp.Expr) -> sp.Expr:
        """Bottom up, so that arguments written differently get one form first."""
        if node.is_Atom:
            return node
        if isinstance(node, (sp.Add, sp.Mul)) or (isinstance(node, sp.Pow) and node.exp.is_Integer):
            return node.func(*map(name, node.args))
        if isinstance(node, sp.Pow) and node.exp.is_Rational and node.exp.q == 2:
            root = names.setdefault(sp.sqrt(sp.expand(node.base)), sp.Dummy("r"))
            return root**node.exp.p
        if isinstance(node, sp.exp):  # exp(a + b) and exp(a) exp(b) are one
            factors = []
            for summand in sp.Add.make_args(_apart(node.args[0])):
                rate, rest = summand.as_coeff_Mul()
                if rate.is_Integer and rate != 0:
                    factors.append(names.setdefault(sp.exp(rest), sp.Dummy("e")) ** rate)
                else:
                    factors.append(names.setdefault(sp.exp(summand), sp.Dummy("e")))
            return sp.Mul(*factors)
        return names.setdefault(node.func(*map(_apart, node.args)), sp.Dummy("f"))

    top, _ = sp.fraction(sp.together(name(difference)))
    top = sp.expand(top)
    for node, symbol in names.items():
        if isinstance(node, sp.Pow) and node.base.is_polynomial(*node.base.free_symbols):
            powers = sp.Poly(top, symbol).terms()
            top = sp.expand(sum(c * node.base ** (k // 2) * symbol ** (k % 2) for (k,), c in powers))
    return bool(top == 0)


def _apart(expr: sp.Expr) -> sp.Expr:
    """A rational function as a sum over one common, expanded denominator."""
    top, bottom = sp.fraction(sp.together(expr))
    bottom = sp.expand(bottom)
    return sp.Add(*(summand / bottom for summand in sp.Add.make_args(sp.expand(top))))


def tidied(raw: sp.Expr) -> sp.Expr:
    """The shortest of a few rewritings of an expression."""
    if sp.count_ops(raw) > MAX_OPERATIONS:
        return sp.factor_terms(raw)
    expanded = sp.expand(merge_reflections(_gather_exponentials(raw)))
    if sp.count_ops(expanded) > 8 * MAX_OPERATIONS:
        return min((raw, sp.factor_terms(raw)), key=_length)
    candidates = [raw, expanded, _factor_terms(expanded), _collected(expanded, _factor_terms)]
    over_pi = sp.expand(2 * sp.pi * expanded)
    candidates.append(sp.collect(over_pi, q12, func=_factor_terms) / (2 * sp.pi))
    if sp.count_ops(expanded) < 150:
        candidates.append(_collected(expanded, _factored))
    candidates = list(dict.fromkeys(candidates))
    candidates += [sp.powsimp(candidate) for candidate in candidates]
    return min(candidates, key=_length)


@lru_cache(maxsize=1024)  # the rewritings share most of their coefficients
def _factor_terms(coefficient: sp.Expr) -> sp.Expr:
    return sp.factor_terms(coefficient)


@lru_cache(maxsize=1024)
def _factored(coefficient: sp.Expr) -> sp.Expr:
    """In lowest terms, unless a function is left: factoring takes exp(400 q) for a 400th power."""
    return coefficient if coefficient.has(sp.Function) else sp.factor(coefficient)


def _length(expr: sp.Expr) -> int:
    """How long an expression reads: operations, each parameter and symbol counted."""
    return int(sp.count_ops(expr)) + sum(1 for node in sp.preorder_traversal(expr) if node.is_Atom)


def _collected(expr: sp.Expr, tidy: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    roots = {node for node in expr.atoms(sp.Pow) if not node.exp.is_Integer and node.has(q12)}
    atoms = sorted(expr.atoms(*ATOMS, sp.asin) | roots, key=sp.default_sort_key)
    if not atoms:
        return tidy(expr)
    return _factor_terms(sp.collect(expr, atoms, func=tidy))


def _gather_exponentials(expr: sp.Expr) -> sp.Expr:
    """``c (exp(A + d) +- exp(A - d))`` as ``2 c exp(A) cosh d`` or ``sinh d``."""
    expr = sp.expand(expr)
    table: dict[sp.Expr, sp.Expr] = {}
    rest = sp.S.Zero
    for summand in sp.Add.make_args(expr):
        coefficient, exponentials = sp.S.One, sp.S.Zero
        for factor in sp.Mul.make_args(summand):
            if isinstance(factor, sp.exp):
                exponentials += factor.args[0]
            else:
                coefficient *= factor
        exponent = sp.expand(exponentials)
        if exponent.has(q12) and not coefficient.has(*ATOMS):
            table[exponent] = table.get(exponent, sp.S.Zero) + coefficient
        else:
            rest += summand
    while table:
        exponent, coefficient = table.popitem()
        even = sp.expand(exponent.subs(q12, -q12))
        partner = table.get(even)
        middle = sp.expand((exponent + even) / 2)
        half = sp.expand((exponent - even) / 2)
        if partner is not None and half.has(q12):
            if half.could_extract_minus_sign():
                half, coefficient, partner = -half, partner, coefficient
            if sp.expand(partner - coefficient) == 0:
                rest += 2 * coefficient * sp.exp(middle) * sp.cosh(half)
                del table[even]
                continue
            if sp.expand(partner + coefficient) == 0:
                rest += 2 * coefficient * sp.exp(middle) * sp.sinh(half)
                del table[even]
                continue
            if half != sp.expand((exponent - even) / 2):
                coefficient, partner = partner, coefficient
        rest += coefficient * sp.exp(exponent)
    return rest
