"""The growth of a smooth function at one end of the line: the recursion on the tree.

Every rule bounds ``|f|`` from above or from below by a multiple of a rate, for all ``t >= start``. Before a
rule is applied, bounded functions are peeled at infinity (``tanh(g) = 1 - 2 sigmoid(-2g)`` where ``g`` is
eventually positive, ``softplus(g) = g + softplus(-g)``, ...), so that exponents are a polynomial plus
something that fades and the quadratic rate comes out exact.
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp
from flint import arb

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.rates import (
    ONE,
    Bound,
    Rate,
    as_ball,
    compare,
    exp_above,
    exp_below,
    fraction,
    fraction_above,
    fraction_below,
    power_above,
    power_below,
    round_up,
    times,
)
from analytic_ntk.notation import x

_t = sp.Symbol("t", positive=True)
_MAX_START = Fraction(2**40)

_BOUNDED: dict[type[sp.Basic], tuple[Fraction, Fraction]] = {  # |f(u)| <= first and <= second |u|
    sp.sin: (Fraction(1), Fraction(1)),
    sp.tanh: (Fraction(1), Fraction(1)),
    sp.atan: (Fraction(11, 7), Fraction(1)),  # pi/2 < 11/7
    sp.erf: (Fraction(1), Fraction(8, 7)),  # 2/sqrt(pi) < 8/7
}


class End:
    """The function at one end, as an expression in ``t > 0``; every statement holds for ``t >= start``."""

    def __init__(self, part: sp.Expr, side: int) -> None:
        extra = part.free_symbols - {x}
        if extra:
            names = ", ".join(sorted(s.name for s in extra))
            raise DomainError(
                f"{part} with the parameters {names}",
                "numbers for all parameters",
                "use .with_parameters(...)",
            )
        self.part = part
        self.start = Fraction(1)
        self._uppers: dict[sp.Expr, Bound | None] = {}
        self._lowers: dict[sp.Expr, Bound | None] = {}
        self._signs: dict[sp.Expr, int] = {}
        self.whole = self.peel(part.subs(x, side * _t))

    def cannot(self, node: sp.Expr) -> DomainError:
        shown = node.subs(_t, sp.Symbol("|x|"))
        return DomainError(
            f"the growth of {self.part}",
            f"a bound that the rules can derive (stopped at {shown})",
            "write it with polynomials, exp and the bounded functions, with denominators kept off zero",
        )

    # -------------------------------------------------------------------- peeling

    def peel(self, expr: sp.Expr) -> sp.Expr:
        """The same function for large ``t``, bounded functions written as their limit plus a remainder."""
        if not expr.has(_t) or expr.is_Atom:
            return expr
        expr = expr.func(*(self.peel(arg) for arg in expr.args))
        if isinstance(expr, sp.Mul):
            return _merge_exponentials(expr)
        if not isinstance(
            expr, (sp.sinh, sp.cosh, sp.tanh, sp.erf, sp.erfc, sp.atan, fn.Phi, fn.sigmoid, fn.softplus)
        ):
            return expr
        (g,) = expr.args
        if isinstance(expr, (sp.sinh, sp.cosh)):
            other = sp.exp(-g) if isinstance(expr, sp.cosh) else -sp.exp(-g)
            return (sp.exp(g) + other) / 2
        side = self.sign(g)
        if side == 0:
            return expr
        return self._peeled(expr, g, side)

    def _peeled(self, expr: sp.Expr, g: sp.Expr, side: int) -> sp.Expr:
        if isinstance(expr, sp.tanh):
            return side * (1 - 2 * fn.sigmoid(-2 * side * g))
        if isinstance(expr, sp.erf):
            return side * (1 - sp.erfc(side * g))
        if isinstance(expr, fn.Phi):
            tail = sp.erfc(side * g / sp.sqrt(2)) / 2
            return 1 - tail if side > 0 else tail
        if isinstance(expr, sp.atan):
            below = self.lower(g)
            grows = below is not None and below[1].compare(Rate()) > 0
            return side * (sp.pi / 2 - sp.atan(1 / (side * g))) if grows else expr
        if side < 0:
            return 2 - sp.erfc(-g) if isinstance(expr, sp.erfc) else expr
        if isinstance(expr, fn.sigmoid):
            return 1 - fn.sigmoid(-g)
        if isinstance(expr, fn.softplus):
            return g + fn.softplus(-g)
        return expr

    # -------------------------------------------------------------------- raising the start

    def _reach(self, rate: Rate, factor: Fraction) -> bool:
        """Raise the start until ``rate(t) >= factor`` from there on; False if that is never seen."""
        if rate.compare(Rate()) < 0 or (rate.compare(Rate()) == 0 and factor > 1):
            return False
        if factor <= 0 or (rate.compare(Rate()) == 0):
            return True
        goal = as_ball(factor).log()
        q = exact_ball(rate.quadratic)
        linear, degree = as_ball(rate.linear), as_ball(rate.degree)
        start = self.start
        while start <= _MAX_START:
            at = as_ball(start)
            height = degree * at.log() + linear * at + q * at * at
            if height >= goal and self._climbs(q, linear, degree, at):
                self.start = start
                return True
            start = start + 1 if start < 8 else round_up(start * Fraction(5, 4))
        return False

    @staticmethod
    def _climbs(q: arb, linear: arb, degree: arb, at: arb) -> bool:
        """Whether ``degree log t + linear t + q t^2`` increases for all ``t >= at``."""
        if q > 0:  # derivative over t: 2 q + linear/t + degree/t^2, negative terms shrink
            low = 2 * q
            low += linear / at if linear < 0 else 0
            low += degree / (at * at) if degree < 0 else 0
            return bool(low >= 0)
        if linear > 0:
            return bool(linear + (degree / at if degree < 0 else 0) >= 0)
        return bool(degree >= 0)

    # -------------------------------------------------------------------- polynomials

    @staticmethod
    def _coefficients(expr: sp.Expr) -> dict[int, sp.Expr] | None:
        """``{power: coefficient}`` of a polynomial in ``t`` (no zero coefficients), else ``None``."""
        if not expr.is_polynomial(_t):
            return None
        found = {}
        for (power,), coefficient in sp.Poly(expr, _t).terms():
            if compare(coefficient, sp.S.Zero) != 0:
                found[power] = coefficient
        return found

    def _leading(self, terms: dict[int, sp.Expr]) -> bool:
        """Raise the start until the top term is at least twice all the others together."""
        top = max(terms)
        lead = fraction_below(abs(terms[top]))
        rest = [(power - top, fraction_above(abs(c))) for power, c in terms.items() if power != top]
        start = self.start
        while start <= _MAX_START:
            if sum((c * start**power for power, c in rest), Fraction(0)) * 2 <= lead:
                self.start = start
                return True
            start = start + 1 if start < 8 else round_up(start * Fraction(5, 4))
        return False

    # -------------------------------------------------------------------- signs

    def sign(self, expr: sp.Expr) -> int:
        """1 if ``expr >= 0`` from the start on, -1 if ``<= 0``, 0 if not known."""
        if expr not in self._signs:
            self._signs[expr] = self._sign(expr)
        return self._signs[expr]

    def _sign(self, expr: sp.Expr) -> int:
        if not expr.has(_t):
            return compare(expr, sp.S.Zero)
        terms = self._coefficients(expr)
        if terms is not None:
            if not terms:
                return 0
            signs = {compare(c, sp.S.Zero) for c in terms.values()}
            if len(signs) == 1:
                return signs.pop()
            return compare(terms[max(terms)], sp.S.Zero) if self._leading(terms) else 0
        if isinstance(expr, (sp.exp, fn.Phi, fn.sigmoid, fn.softplus, sp.erfc)):
            return 1
        if isinstance(expr, sp.Mul):
            return math.prod(self.sign(arg) for arg in expr.args)
        if isinstance(expr, sp.Pow):
            if expr.exp.is_Integer:
                return 1 if int(expr.exp) % 2 == 0 else self.sign(expr.base)
            return 1  # a real fractional power has a base >= 0
        if isinstance(expr, (sp.tanh, sp.erf, sp.atan)):
            return self.sign(expr.args[0])
        if isinstance(expr, sp.Add):
            groups = self._groups(expr)
            signs = {self.sign(term) for term in groups}
            if len(signs) == 1:
                return signs.pop()
            index = self._dominant(groups)
            return 0 if index is None else self.sign(groups[index])
        if isinstance(expr, sp.log):
            return self._sign_of_log(expr.args[0])
        return 0

    def _sign_of_log(self, inner: sp.Expr) -> int:
        below, above = self._try_lower(inner), self._try_upper(inner)
        if below is not None and below[0] > 0 and self._reach(below[1], 1 / below[0]):
            return 1
        if above is not None and above[0] > 0 and self._reach(above[1] ** Fraction(-1), above[0]):
            return -1
        return 0

    def _groups(self, expr: sp.Add) -> list[sp.Expr]:
        """The terms of a sum, the polynomial ones taken together."""
        polynomial = [arg for arg in expr.args if arg.is_polynomial(_t)]
        other = [arg for arg in expr.args if not arg.is_polynomial(_t)]
        together = sp.expand(sp.Add(*polynomial))
        return ([together] if together != 0 else []) + other

    def _dominant(self, groups: list[sp.Expr]) -> int | None:
        """The term that, from the start on, is at least twice all the others together."""
        uppers = [self._try_upper(term) for term in groups]
        for i, term in enumerate(groups):
            below = self._try_lower(term)
            others = [bound for j, bound in enumerate(uppers) if j != i]
            if below is None or below[0] <= 0 or any(bound is None for bound in others):
                continue
            known = [bound for bound in others if bound is not None and bound[0] > 0]
            ratios = [(below[1] * rate ** Fraction(-1), 2 * len(known) * c / below[0]) for c, rate in known]
            if any(rate.compare(Rate()) < 0 for rate, _ in ratios):
                continue
            if all(self._reach(rate, factor) for rate, factor in ratios):
                return i
        return None

    def _try_upper(self, expr: sp.Expr) -> Bound | None:
        try:
            return self.upper(expr)
        except DomainError:
            return None

    def _try_lower(self, expr: sp.Expr) -> Bound | None:
        try:
            return self.lower(expr)
        except DomainError:
            return None

    # -------------------------------------------------------------------- upper bounds of |expr|

    def upper(self, expr: sp.Expr) -> Bound | None:
        """``|expr| <= C rate(t)`` from the start on; ``None``: too fast for any ``exp(c t^2)``."""
        if expr not in self._uppers:
            self._uppers[expr] = self._upper(expr)
        return self._uppers[expr]

    def _upper(self, expr: sp.Expr) -> Bound | None:
        if not expr.has(_t):
            return fraction_above(sp.Abs(expr)), Rate()
        terms = self._coefficients(expr)
        if terms is not None:
            total = sum((fraction_above(abs(c)) for c in terms.values()), Fraction(0))
            return round_up(total), Rate(degree=Fraction(max(terms, default=0)))
        if isinstance(expr, sp.Add):
            return self._upper_sum(self._groups(expr))
        if isinstance(expr, sp.Mul):
            result = ONE
            for arg in expr.args:
                bound = self.upper(arg)
                if bound is None:
                    return None
                result = times(result, bound)
            return result
        if isinstance(expr, sp.Pow):
            return self._upper_power(expr)
        if isinstance(expr, sp.exp):
            return self._exponential(expr.args[0], 1)
        if isinstance(expr, sp.log):
            return self._upper_log(expr.args[0])
        return self._upper_function(expr)

    def _upper_function(self, expr: sp.Expr) -> Bound | None:
        (g,) = expr.args if len(expr.args) == 1 else (None,)
        if isinstance(expr, sp.cos):
            return ONE
        if type(expr) in _BOUNDED:
            ceiling, slope = _BOUNDED[type(expr)]
            inner = self._try_upper(g)
            if inner is not None and inner[1].is_below_constants:
                return inner[0] * slope, inner[1]
            return ceiling, Rate()
        if isinstance(expr, sp.erfc):
            below = self._exp_minus_square(g) if self.sign(g) > 0 else None  # erfc(g) <= exp(-g^2) for g >= 0
            return (Fraction(2), Rate()) if below is None else below
        if isinstance(expr, fn.Phi):
            return ONE
        if isinstance(expr, fn.sigmoid):
            return self._exponential(g, 1) if self.sign(g) < 0 else ONE
        if isinstance(expr, fn.softplus):
            if self.sign(g) < 0:
                return self._exponential(g, 1)
            inner = self.upper(g)
            return None if inner is None else self._add([inner, (Fraction(7, 10), Rate())])
        raise self.cannot(expr)

    def _exp_minus_square(self, g: sp.Expr) -> Bound | None:
        try:
            return self._exponential(-(g**2), 1)
        except DomainError:
            return None

    def _upper_sum(self, groups: list[sp.Expr]) -> Bound | None:
        bounds = []
        for term in groups:
            bound = self.upper(term)
            if bound is None:
                return None
            bounds.append(bound)
        return self._add(bounds)

    @staticmethod
    def _add(bounds: list[Bound]) -> Bound:
        """A bound of the sum, at the rate of the fastest term (``t >= 1``)."""
        top = bounds[0][1]
        for _, rate in bounds[1:]:
            top = rate if rate.compare(top) > 0 else top
        total = Fraction(0)
        for constant, rate in bounds:
            factor = (rate * top ** Fraction(-1)).supremum() if rate != top else Fraction(1)
            if factor is None:  # too large a constant: take the larger of each exponent instead
                return _add_largest(bounds, top)
            total += constant * factor
        return round_up(total), top

    def _upper_power(self, expr: sp.Pow) -> Bound | None:
        if not expr.exp.is_Rational:
            raise self.cannot(expr)
        power = Fraction(int(expr.exp.p), int(expr.exp.q))
        if power > 0:
            bound = self.upper(expr.base)
            return None if bound is None else (power_above(bound[0], power), bound[1] ** power)
        below = self.lower(expr.base)
        if below is None or below[0] <= 0:
            raise self.cannot(expr)
        return power_above(1 / below[0], -power), below[1] ** power

    def _upper_log(self, inner: sp.Expr) -> Bound | None:
        above, below = self.upper(inner), self.lower(inner)
        if above is None or below is None or below[0] <= 0:
            raise self.cannot(sp.log(inner))
        total, degree = Fraction(0), Fraction(0)
        for constant, rate in (above, below):
            size = abs(as_ball(constant).log()).upper()
            parts = (
                (rate.degree, Fraction(1, 2)),
                (rate.linear, Fraction(1)),
                (fraction_above(abs(rate.quadratic)), Fraction(2)),
            )
            total += fraction(size) + sum((abs(c) for c, _ in parts), Fraction(0))
            degree = max([degree] + [power for c, power in parts if c != 0])  # log t <= sqrt(t)
        return round_up(total), Rate(degree=degree)

    # -------------------------------------------------------------------- exponentials

    def _exponential(self, exponent: sp.Expr, direction: int) -> Bound | None:
        """An upper (``direction = 1``) or lower (``-1``) bound of ``exp(exponent)``.

        For the upper one ``None`` means super-Gaussian growth; for the lower one, not known.
        """
        polynomial, rest = self._split_exponent(exponent)
        bound = self._exp_polynomial(polynomial, direction)
        for term in rest:
            factor = self._exp_term(term, direction)
            if bound is None or factor is None:
                return None
            bound = times(bound, factor, down=direction < 0)
        return bound

    def _split_exponent(self, exponent: sp.Expr) -> tuple[dict[int, sp.Expr], list[sp.Expr]]:
        polynomial, rest = [], []
        for term in sp.Add.make_args(sp.expand(exponent)):
            if term.is_polynomial(_t):
                polynomial.append(term)
            elif term.is_rational_function(_t):
                numerator, denominator = sp.fraction(sp.together(term))
                quotient, remainder = sp.div(sp.Poly(numerator, _t), sp.Poly(denominator, _t))
                polynomial.append(quotient.as_expr())
                rest.append(remainder.as_expr() / denominator)
            else:
                rest.append(term)
        return self._coefficients(sp.expand(sp.Add(*polynomial))) or {}, rest

    def _exp_polynomial(self, terms: dict[int, sp.Expr], direction: int) -> Bound | None:
        top = max(terms, default=0)
        if top <= 2:
            zero = sp.S.Zero
            edge = fraction_above if direction > 0 else fraction_below
            constant = (exp_above if direction > 0 else exp_below)(edge(terms.get(0, zero)))
            return constant, Rate(terms.get(2, zero), edge(terms.get(1, zero)))
        if compare(terms[top], sp.S.Zero) == direction or not self._leading(terms):
            return None
        # exponent beyond -+ |a| t^n / 2, hence beyond -+ K t^2
        rate = min(Fraction(1), fraction_below(abs(terms[top])) / 2)
        return Fraction(1), Rate(-direction * sp.Rational(rate.numerator, rate.denominator))

    def _exp_term(self, term: sp.Expr, direction: int) -> Bound | None:
        edge = exp_above if direction > 0 else exp_below
        size = self._try_upper(term)
        if size is not None and size[1].is_at_most_constant:
            peak = size[1].supremum()
            if peak is not None and size[0] * peak <= 50:
                return edge(direction * size[0] * peak), Rate()
        if self.sign(term) == -direction:
            return ONE
        if size is not None and size[1].is_below_constants and self._reach(size[1] ** Fraction(-1), size[0]):
            return edge(Fraction(direction)), Rate()  # |term| <= 1 from the new start on
        if size is not None and size[1] == Rate():
            return edge(direction * size[0]), Rate()
        if size is None or size[1].compare(Rate(degree=Fraction(2))) > 0:
            return None
        if size[1] != Rate(degree=size[1].degree):
            return None
        if size[1].degree <= 1:
            return Fraction(1), Rate(linear=direction * size[0])
        return Fraction(1), Rate(direction * sp.Rational(size[0].numerator, size[0].denominator))

    # -------------------------------------------------------------------- lower bounds of |expr|

    def lower(self, expr: sp.Expr) -> Bound | None:
        """``|expr| >= c rate(t)`` with ``c > 0`` from the start on, or ``None`` where none is derived."""
        if expr not in self._lowers:
            found = self._lower(expr)
            self._lowers[expr] = found if found is not None and found[0] > 0 else None
        return self._lowers[expr]

    def _lower(self, expr: sp.Expr) -> Bound | None:
        if not expr.has(_t):
            return max(fraction_below(sp.Abs(expr)), Fraction(0)), Rate()
        terms = self._coefficients(expr)
        if terms is not None:
            return self._lower_polynomial(terms)
        if isinstance(expr, sp.Add):
            return self._lower_sum(self._groups(expr))
        if isinstance(expr, sp.Mul):
            result = ONE
            for arg in expr.args:
                bound = self.lower(arg)
                if bound is None:
                    return None
                result = times(result, bound, down=True)
            return result
        if isinstance(expr, sp.Pow):
            return self._lower_power(expr)
        if isinstance(expr, sp.exp):
            return self._exponential(expr.args[0], -1)
        return self._lower_function(expr)

    def _lower_polynomial(self, terms: dict[int, sp.Expr]) -> Bound | None:
        if not terms:
            return None
        top = max(terms)
        lead, rate = fraction_below(abs(terms[top])), Rate(degree=Fraction(top))
        if len({compare(c, sp.S.Zero) for c in terms.values()}) == 1:
            return lead, rate
        return (lead / 2, rate) if self._leading(terms) else None

    def _lower_sum(self, groups: list[sp.Expr]) -> Bound | None:
        signs = {self.sign(term) for term in groups}
        if len(signs) == 1 and 0 not in signs:
            best: Bound | None = None
            for bound in (self._try_lower(term) for term in groups):
                if bound is not None and (best is None or bound[1].compare(best[1]) > 0):
                    best = bound
            return best
        index = self._dominant(groups)
        if index is None:
            return None
        bound = self.lower(groups[index])
        return None if bound is None else (bound[0] / 2, bound[1])

    def _lower_power(self, expr: sp.Pow) -> Bound | None:
        if not expr.exp.is_Rational:
            return None
        power = Fraction(int(expr.exp.p), int(expr.exp.q))
        bound = self.lower(expr.base) if power > 0 else self.upper(expr.base)
        if bound is None or bound[0] <= 0:
            return None
        return power_below(bound[0] if power > 0 else 1 / bound[0], abs(power)), bound[1] ** power

    def _lower_function(self, expr: sp.Expr) -> Bound | None:
        if isinstance(expr, (fn.sigmoid, fn.softplus)):
            # sigmoid(g) >= exp(-|g|)/2 and softplus(g) >= log(2) exp(-|g|); both at g itself when g <= 0
            (g,) = expr.args
            factor = Fraction(1, 2) if isinstance(expr, fn.sigmoid) else Fraction(69, 100)
            if self.sign(g) < 0:
                bound = self._exponential(g, -1)
                return None if bound is None else (bound[0] * factor, bound[1])
            size = self._try_upper(g)
            peak = size[1].supremum() if size is not None and size[1].is_at_most_constant else None
            return None if size is None or peak is None else (factor * exp_below(-size[0] * peak), Rate())
        if isinstance(expr, sp.erfc) and self.sign(expr.args[0]) > 0:
            # erfc(g) >= exp(-g^2) / (sqrt(pi) (1 + g)) for g >= 0
            (g,) = expr.args
            top, bottom = self._exponential(-(g**2), -1), self._try_upper(1 + g)
            if top is None or bottom is None:
                return None
            return top[0] * Fraction(14, 25) / bottom[0], top[1] * bottom[1] ** Fraction(-1)
        if isinstance(expr, sp.log):
            below = self._try_lower(expr.args[0])
            if below is not None and self._reach(below[1], 2 / below[0]):
                return Fraction(69, 100), Rate()
        return None


def _merge_exponentials(product: sp.Mul) -> sp.Expr:
    """``exp(a) exp(b)`` as ``exp(a + b)``, so that what cancels in the exponent is seen to."""
    exponents = [arg.args[0] for arg in product.args if isinstance(arg, sp.exp)]
    if len(exponents) < 2:
        return product
    others = [arg for arg in product.args if not isinstance(arg, sp.exp)]
    return sp.Mul(sp.exp(sp.expand(sp.Add(*exponents))), *others)


def _add_largest(bounds: list[Bound], top: Rate) -> Bound:
    """Bounds added at a rate whose every exponent is the largest met."""
    for _, rate in bounds:
        quadratic = rate.quadratic if compare(rate.quadratic, top.quadratic) > 0 else top.quadratic
        top = Rate(quadratic, max(rate.linear, top.linear), max(rate.degree, top.degree))
    return round_up(sum((constant for constant, _ in bounds), Fraction(0))), top
