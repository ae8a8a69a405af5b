"""The canonical class: sums of terms ``c x^k exp(a x^2 + b x) psi(x)``, in which Gaussian integrals close.

``psi`` is 1, a Heaviside step ``H(slope x + offset)`` or a normal distribution function
``Phi(slope x + offset)``: both are ``P(s W <= slope x + offset)`` with ``W`` standard normal, ``s = 0``
or ``s = 1``, that is, a half-space. ``b`` may be complex (sin, cos).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x


@dataclass(frozen=True)
class HalfSpace:
    """``psi(x) = P(spread W <= slope x + offset)``; spread 0 is a step, spread 1 a normal cdf."""

    slope: sp.Expr
    offset: sp.Expr
    spread: int

    @property
    def place(self) -> sp.Expr:
        """Where the step stands (spread 0)."""
        return -self.offset / self.slope

    def expression(self) -> sp.Expr:
        argument = self.slope * x + self.offset
        return Phi(argument) if self.spread else sp.Heaviside(argument)


@dataclass(frozen=True)
class Term:
    """``coefficient x^power exp(a x^2 + b x) psi(x)``."""

    coefficient: sp.Expr
    power: int
    a: sp.Expr
    b: sp.Expr
    psi: HalfSpace | None = None

    @property
    def key(self) -> tuple[int, sp.Expr, sp.Expr, HalfSpace | None]:
        return self.power, self.a, self.b, self.psi

    def expression(self) -> sp.Expr:
        """The term as a sympy expression in ``x``."""
        smooth = self.coefficient * x**self.power * sp.exp(self.a * x**2 + self.b * x)
        return smooth if self.psi is None else smooth * self.psi.expression()

    def scaled(self, factor: sp.Expr) -> Term:
        """The term at ``factor * x`` (``factor`` of known sign)."""
        psi = (
            None if self.psi is None else HalfSpace(self.psi.slope * factor, self.psi.offset, self.psi.spread)
        )
        return Term(
            self.coefficient * factor**self.power, self.power, self.a * factor**2, self.b * factor, psi
        )


Terms = tuple[Term, ...]


def terms_of(pieces: Pieces) -> Terms | None:
    """The canonical form of a function cut in pieces, or ``None`` if it lies outside the class.

    A coefficient that changes at breakpoints becomes a sum of steps, read from the end where it
    vanishes, so that no growing exponential is extended to the side on which the function does not have it.
    """
    tables = [_smooth_terms(part) for part in pieces.parts]
    if any(table is None for table in tables):
        return None
    keys: dict[tuple[int, sp.Expr, sp.Expr, HalfSpace | None], None] = {}
    for table in tables:
        keys.update(dict.fromkeys(table or {}))
    found: list[Term] = []
    for key in keys:
        power, a, b, psi = key
        values = [(table or {}).get(key, sp.S.Zero) for table in tables]
        if all(sp.expand(v - values[0]) == 0 for v in values):
            found.append(Term(values[0], power, a, b, psi))
            continue
        if psi is not None:
            return None  # a normal cdf cut off by a step: two half-spaces in one factor
        steps = _steps(values, pieces.breakpoints)
        if steps is None:
            return None
        found += [Term(c, power, a, b, step) for c, step in steps]
    return tuple(found)


def _steps(
    values: list[sp.Expr], points: tuple[sp.Expr, ...]
) -> list[tuple[sp.Expr, HalfSpace | None]] | None:
    if values[-1] == 0 and values[0] != 0:  # vanishes on the right: steps that look left
        raw = [
            (values[i] - values[i + 1], HalfSpace(sp.Integer(-1), point, 0)) for i, point in enumerate(points)
        ]
        return [(sp.expand(c), step) for c, step in raw if sp.expand(c) != 0]
    base: list[tuple[sp.Expr, HalfSpace | None]] = [] if values[0] == 0 else [(values[0], None)]
    for i, point in enumerate(points):
        jump = sp.expand(values[i + 1] - values[i])
        if jump != 0:
            base.append((jump, HalfSpace(sp.Integer(1), -point, 0)))
    return base


def _smooth_terms(part: sp.Expr) -> dict[tuple[int, sp.Expr, sp.Expr, HalfSpace | None], sp.Expr] | None:
    """One smooth expression as ``{(power, a, b, psi): coefficient}``, or ``None``."""
    expr = _to_exponentials(part)
    expr = sp.expand(expr, power_exp=False, power_base=False, log=False)
    table: dict[tuple[int, sp.Expr, sp.Expr, HalfSpace | None], sp.Expr] = {}
    for summand in sp.Add.make_args(expr):
        term = _one_term(summand)
        if term is None:
            return None
        table[term.key] = sp.expand(table.get(term.key, sp.S.Zero) + term.coefficient)
    return {key: c for key, c in table.items() if c != 0}


def _to_exponentials(expr: sp.Expr) -> sp.Expr:
    """``sin, cos, sinh, cosh`` as exponentials, ``erf, erfc`` through ``Phi``, where they depend on x."""

    def change(node: sp.Expr) -> sp.Expr:
        if not node.args or not node.has(x):
            return node
        args = [change(arg) for arg in node.args]
        z = args[0]
        if isinstance(node, sp.sin):
            return (sp.exp(sp.I * z) - sp.exp(-sp.I * z)) / (2 * sp.I)
        if isinstance(node, sp.cos):
            return (sp.exp(sp.I * z) + sp.exp(-sp.I * z)) / 2
        if isinstance(node, sp.sinh):
            return (sp.exp(z) - sp.exp(-z)) / 2
        if isinstance(node, sp.cosh):
            return (sp.exp(z) + sp.exp(-z)) / 2
        if isinstance(node, sp.erf):
            return 2 * Phi(sp.sqrt(2) * z) - 1
        if isinstance(node, sp.erfc):
            return 2 - 2 * Phi(sp.sqrt(2) * z)
        return node.func(*args)

    return change(expr)


def _one_term(summand: sp.Expr) -> Term | None:
    coefficient, power = sp.S.One, 0
    a = b = sp.S.Zero
    psi: HalfSpace | None = None
    for factor in sp.Mul.make_args(summand):
        if not factor.has(x):
            coefficient *= factor
            continue
        base, exponent = (factor.base, factor.exp) if isinstance(factor, sp.Pow) else (factor, sp.S.One)
        if isinstance(factor, sp.exp):
            base, exponent = factor, sp.S.One
        if base == x and exponent.is_Integer and exponent >= 0:
            power += int(exponent)
        elif isinstance(base, sp.exp) and not exponent.has(x):
            argument = sp.expand(base.args[0] * exponent)
            if not argument.is_polynomial(x) or sp.degree(argument, x) > 2:
                return None
            poly = sp.Poly(argument, x)
            a += poly.nth(2)
            b += poly.nth(1)
            coefficient *= sp.exp(poly.nth(0))
        elif isinstance(base, Phi) and exponent == 1 and psi is None:
            argument = sp.expand(base.args[0])
            if not argument.is_polynomial(x) or sp.degree(argument, x) > 1:
                return None
            poly = sp.Poly(argument, x)
            psi = HalfSpace(poly.nth(1), poly.nth(0), 1)
        else:
            return None
    return Term(coefficient, power, sp.expand(a), sp.expand(b), psi)
