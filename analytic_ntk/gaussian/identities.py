"""Decisions about expressions in ``x``: shown by algebra, refuted by balls, never sampled in floats."""

from __future__ import annotations

from itertools import pairwise

import sympy as sp

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.envelope import is_not_polynomial
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of
from analytic_ntk.notation import x


def as_polynomial(expr: sp.Expr) -> sp.Poly | None:
    """The expression as a polynomial in ``x``, if it expands to one."""
    expr = sp.expand(expr)
    return sp.Poly(expr, x) if expr.is_polynomial(x) else None


Powers = dict[int, sp.Expr]
"""The nonzero coefficients of a polynomial, by power."""


def polynomial_powers(part: sp.Expr, sides: tuple[int, ...] = (1, -1)) -> Powers | None:
    """The powers of a smooth function that is a polynomial; ``None`` if it is proved not to be one.

    With ``sides = (1,)``: on ``t > 0``. Raises :class:`UndecidedError` where neither can be shown.

    >>> polynomial_powers(sp.sin(x) ** 2 + sp.cos(x) ** 2), polynomial_powers(sp.exp(x**2) * sp.cos(x))
    ({0: 1}, None)
    """
    terms = terms_of(Pieces((), (part,)))
    forms = [part, canonical(part)]
    if terms is not None:
        forms.append(sp.Add(*(term.expression() for term in terms)))
    for form in forms:
        polynomial = as_polynomial(form)
        if polynomial is not None:
            return {k: c for (k,), c in polynomial.terms() if not is_zero(c)}
    numeric = not part.free_symbols - {x}
    if numeric and (_has_an_exponential(terms or ()) or is_not_polynomial(part, sides)):
        return None
    if vanishes(part):
        return {}
    for form in (forms[1], forms[1].rewrite(sp.exp), sp.factor(forms[1], deep=True)):
        simpler = as_polynomial(sp.simplify(form))
        if simpler is not None:
            return {k: c for (k,), c in simpler.terms() if not is_zero(c)}
    raise UndecidedError(
        f"whether {part} is a polynomial",
        "a decision",
        "write it in simpler form" if numeric else "give the parameters numbers",
    )


def _has_an_exponential(terms: Terms) -> bool:
    """Whether some ``exp(a x^2 + b x)`` with a nonzero coefficient is left, of an exponent unlike all others.

    Such functions are independent over the polynomials.
    """
    if any(term.psi is not None for term in terms):
        return False
    exponents = {(term.a, term.b) for term in terms}
    with working_precision(120):
        for own in exponents:
            others = (exponents - {own}) | {(sp.S.Zero, sp.S.Zero)}
            alone = all(
                any(nonzero_at(p - q, sp.S.Zero) for p, q in zip(own, o, strict=True)) for o in others
            )
            coefficients = (t.coefficient for t in terms if (t.a, t.b) == own)
            if alone and any(nonzero_at(c, sp.S.Zero) for c in coefficients):
                return True
    return False


_PROBES = tuple(sp.Rational(p, q) for p, q in ((3, 7), (-5, 4), (17, 9), (-31, 8)))


def vanishes(expr: sp.Expr) -> bool:
    """Whether an expression is shown to be identically zero (refuted by balls first, then by algebra)."""
    expr = sp.expand(expr)
    if expr.is_zero:
        return True
    if not expr.free_symbols - {x}:
        with working_precision(120):
            if any(nonzero_at(expr, probe) for probe in _PROBES):
                return False
    form = canonical(expr)
    return bool(form == 0 or sp.simplify(form) == 0 or sp.simplify(form.rewrite(sp.exp)) == 0)


def is_zero(number: sp.Expr) -> bool:
    """Whether a number is 0: shown by algebra, or refuted by balls (with parameters: for generic ones).

    Raises :class:`UndecidedError` for what is 0 to hundreds of digits and not shown to be.

    >>> is_zero(sp.cos(sp.pi / 7) - sp.cos(2 * sp.pi / 7) + sp.cos(3 * sp.pi / 7) - sp.Rational(1, 2))
    True
    """
    if vanishes(number):
        return True
    if number.free_symbols:
        return False
    for bits in (120, 2000):
        with working_precision(bits):
            if nonzero_at(number, sp.S.Zero):
                return False
    # the minimal polynomial of an algebraic number tells
    if number.is_algebraic and sp.count_ops(number) <= _ALGEBRA and sp.minimal_polynomial(number, x) == x:
        return True
    raise UndecidedError(f"whether the number {number} is 0", "a decision", "write it in simpler form")


_ALGEBRA = 40
"""Operations in a number whose minimal polynomial is looked for."""


def is_not_smooth(pieces: Pieces) -> bool:
    """Whether some derivative of order up to 8 is shown to jump (for generic parameters, by algebra)."""
    steps = [after - before for before, after in pairwise(pieces.parts)]
    for _ in range(9):
        for point, step in zip(pieces.breakpoints, steps, strict=True):
            if step.free_symbols - {x} or point.free_symbols:
                if sp.simplify(step.subs(x, point)) != 0:
                    return True
            else:
                with working_precision(120):
                    if nonzero_at(step, point):
                        return True
        steps = [sp.diff(step, x) for step in steps]
    return False


def nonzero_at(expr: sp.Expr, probe: sp.Expr) -> bool:
    """Whether a ball at the working precision shows the expression nonzero at the probe."""
    ball = exact_ball(expr.subs(x, probe))
    return bool(ball.is_finite() and not ball.contains(0))


def canonical(expr: sp.Expr) -> sp.Expr:
    """One form for what says the same: Phi and erfc by erf; of ``u`` and ``-u`` one left in each head."""
    expr = expr.replace(fn.Phi, lambda u: (1 + sp.erf(u / sp.sqrt(2))) / 2).replace(
        sp.erfc, lambda u: 1 - sp.erf(u)
    )

    def turn(node: sp.Expr) -> sp.Expr:
        u = -node.args[0]
        return fn.softplus(u) - u if isinstance(node, fn.softplus) else 1 - fn.sigmoid(u)

    heads = (fn.sigmoid, fn.softplus)
    return sp.expand(
        expr.replace(lambda n: isinstance(n, heads) and n.args[0].could_extract_minus_sign(), turn)
    )
