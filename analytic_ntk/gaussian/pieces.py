"""A function of one real variable cut into smooth expressions at exact breakpoints.

``Abs``, ``sign``, ``Heaviside``, ``Max``, ``Min`` and ``Piecewise`` are resolved: between two neighbouring
breakpoints the function is one expression without any of them. Breakpoints are exact numbers (or, for a
function with symbolic parameters, expressions), found by solving, never by looking at floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.arithmetic.interpret import Ball, compile_ball, compile_float
from analytic_ntk.errors import DomainError
from analytic_ntk.notation import x

Array = NDArray[np.float64]
SWITCHES = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
_RELATIONS = (sp.StrictGreaterThan, sp.GreaterThan, sp.StrictLessThan, sp.LessThan)


@dataclass(frozen=True)
class Pieces:
    """``parts[i]`` holds between ``breakpoints[i-1]`` and ``breakpoints[i]`` (from -oo, up to oo)."""

    breakpoints: tuple[sp.Expr, ...]
    parts: tuple[sp.Expr, ...]

    @classmethod
    def of(cls, expr: sp.Expr) -> Pieces:
        """Cut ``expr`` at the places where one of its switches turns; equal neighbours are merged.

        Raises :class:`DomainError` where the places cannot be found exactly (infinitely many, undecided
        sign of a parameter, an equation sympy cannot solve).
        """
        return _split(sp.sympify(expr)).merged()

    def merged(self) -> Pieces:
        """Drop the breakpoints at which nothing changes."""
        points: list[sp.Expr] = []
        parts = [self.parts[0]]
        for point, part in zip(self.breakpoints, self.parts[1:], strict=True):
            if _same(parts[-1], part):
                continue
            points.append(point)
            parts.append(part)
        return Pieces(tuple(points), tuple(parts))

    def map(self, change: Callable[[sp.Expr], sp.Expr]) -> Pieces:
        """Apply ``change`` to every part."""
        return Pieces(self.breakpoints, tuple(change(part) for part in self.parts))

    def derivative(self) -> Pieces:
        """The derivative away from the breakpoints (jumps are listed by :meth:`jumps`)."""
        return self.map(lambda part: sp.diff(part, x)).merged()

    def jumps(self, order: int = 0) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """The breakpoints where the ``order``-th derivative jumps, each with the exact size of the jump."""
        found = []
        for i, point in enumerate(self.breakpoints):
            step = sp.diff(self.parts[i + 1], x, order) - sp.diff(self.parts[i], x, order)
            size = sp.simplify(step.subs(x, point))
            if size.is_zero is None:
                size = sp.S.Zero if size.is_number and size.equals(0) else size
            if not size.is_zero:
                found.append((point, size))
        return tuple(found)

    @property
    def is_continuous(self) -> bool:
        return not self.jumps()

    def part_at(self, point: sp.Expr) -> sp.Expr:
        """The expression that holds just right of an exact ``point``."""
        index = sum(1 for b in self.breakpoints if (point - b).is_nonnegative)
        return self.parts[index]

    @cached_property
    def free_symbols(self) -> frozenset[sp.Symbol]:
        found = set().union(*(e.free_symbols for e in (*self.parts, *self.breakpoints)))
        return frozenset(found - {x})

    def ball_part(self, index: int) -> Callable[[Ball], Ball]:
        """The ``index``-th part over real or complex balls."""
        return compile_ball(self.parts[index], (x,))

    @cached_property
    def float_breakpoints(self) -> Array:
        return np.array([float(sp.N(b, 25)) for b in self.breakpoints])

    def float_part(self, index: int) -> Callable[[Array], Array]:
        """The ``index``-th part over float64 arrays."""
        function = compile_float(self.parts[index], (x,))

        def run(z: Array) -> Array:
            return np.broadcast_to(np.asarray(function(z), dtype=np.float64), np.shape(z))

        return run

    def float_function(self) -> Callable[[Array], Array]:
        """The whole function over float64 arrays; at a breakpoint the mean of its two sides."""
        parts = [self.float_part(i) for i in range(len(self.parts))]
        breaks = self.float_breakpoints

        def run(z: Array) -> Array:
            z = np.asarray(z, dtype=np.float64)
            if not len(breaks):
                return np.array(parts[0](z))
            right = np.searchsorted(breaks, z, side="right")
            left = np.searchsorted(breaks, z, side="left")
            value = np.empty_like(z)
            for i, part in enumerate(parts):
                inside = (right == i) & (left == i)
                value[inside] = part(z[inside])
            for i in range(len(breaks)):
                on = (left == i) & (right == i + 1)
                if np.any(on):
                    value[on] = 0.5 * (parts[i](z[on]) + parts[i + 1](z[on]))
            return value

        return run


def _same(one: sp.Expr, other: sp.Expr) -> bool:
    if one == other:
        return True
    difference = sp.expand(one - other)
    if difference.is_zero or difference == 0:
        return True
    if difference.is_polynomial(x):
        return all(sp.simplify(c) == 0 for c in sp.Poly(difference, x).all_coeffs())
    return bool(sp.simplify(difference) == 0)


def _split(expr: sp.Expr) -> Pieces:
    if not expr.has(*SWITCHES):
        return Pieces((), (expr,))
    if isinstance(expr, sp.Piecewise):
        return _split_piecewise(expr)
    children = [_split(arg) for arg in expr.args]
    points = _union([child.breakpoints for child in children])
    points, values = _refine(points, children)
    if not isinstance(expr, SWITCHES):
        return Pieces(points, tuple(expr.func(*row) for row in values))
    pieces: list[tuple[tuple[sp.Expr, ...], list[sp.Expr]]] = []
    ends = (-sp.oo, *points, sp.oo)
    for (low, high), row in zip(pairwise(ends), values, strict=True):
        pieces.append(_turn(expr, row, low, high))
    all_points: list[sp.Expr] = []
    all_parts: list[sp.Expr] = []
    for i, (inner, parts) in enumerate(pieces):
        all_points += inner
        all_parts += parts
        if i < len(points):
            all_points.append(points[i])
    return Pieces(tuple(all_points), tuple(all_parts))


def _turn(
    expr: sp.Expr, row: list[sp.Expr], low: sp.Expr, high: sp.Expr
) -> tuple[tuple[sp.Expr, ...], list[sp.Expr]]:
    """Resolve one switch on ``(low, high)``, where its arguments ``row`` are smooth."""
    if isinstance(expr, (sp.Max, sp.Min)):
        guards = [a - b for i, a in enumerate(row) for b in row[i + 1 :]]
    else:
        guards = row[:1]
    inner = _union([_zeros(guard, low, high) for guard in guards])
    parts = []
    for left, right in pairwise((low, *inner, high)):
        if isinstance(expr, (sp.Max, sp.Min)):
            best = row[0]
            for other in row[1:]:
                above = _sign_between(other - best, left, right)
                if (above > 0) == isinstance(expr, sp.Max) and above != 0:
                    best = other
            parts.append(best)
            continue
        side = _sign_between(row[0], left, right)
        if isinstance(expr, sp.Abs):
            parts.append(side * row[0])
        elif isinstance(expr, sp.sign):
            parts.append(sp.Integer(side))
        else:
            parts.append(sp.Integer(1) if side > 0 else sp.Integer(0) if side < 0 else sp.Heaviside(0))
    return tuple(inner), parts


def _split_piecewise(expr: sp.Piecewise) -> Pieces:
    values = [_split(value) for value, _ in expr.args]
    guards: list[sp.Expr] = []
    for _, condition in expr.args:
        for atom in condition.atoms(*_RELATIONS, sp.Eq, sp.Ne):
            guards.append(atom.lhs - atom.rhs)
    guard_pieces = [_split(guard) for guard in guards]
    points = _union([p.breakpoints for p in (*values, *guard_pieces)])
    extra: list[tuple[sp.Expr, ...]] = [points]
    for guard in guard_pieces:
        for (low, high), part in zip(pairwise((-sp.oo, *guard.breakpoints, sp.oo)), guard.parts, strict=True):
            extra.append(_zeros(part, low, high))
    points = _union(extra)
    parts = []
    for low, high in pairwise((-sp.oo, *points, sp.oo)):
        probe = _between(low, high)
        for (_, condition), pieces in zip(expr.args, values, strict=True):
            holds = condition if condition in (sp.true, sp.false) else _truth(condition, probe)
            if holds == sp.true:
                parts.append(pieces.part_at(probe))
                break
        else:
            raise DomainError(
                f"{expr} near x = {probe}",
                "a Piecewise that covers the real line",
                "end it with (value, True)",
            )
    return Pieces(points, tuple(parts))


def _truth(condition: sp.Basic, probe: sp.Expr) -> sp.Basic:
    answer = condition.subs(x, probe)
    if answer not in (sp.true, sp.false):
        answer = sp.simplify(answer)
    if answer not in (sp.true, sp.false):
        raise DomainError(
            f"the condition {condition}", "a condition that can be decided", "give parameters numbers"
        )
    return answer


def _refine(
    points: tuple[sp.Expr, ...], children: list[Pieces]
) -> tuple[tuple[sp.Expr, ...], list[list[sp.Expr]]]:
    rows = []
    for low, high in pairwise((-sp.oo, *points, sp.oo)):
        probe = _between(low, high)
        rows.append([child.part_at(probe) for child in children])
    return points, rows


def _union(groups: list[tuple[sp.Expr, ...]]) -> tuple[sp.Expr, ...]:
    """Merge sorted groups of exact points."""
    merged: list[sp.Expr] = []
    for group in groups:
        for point in group:
            place = len(merged)
            for i, other in enumerate(merged):
                difference = sp.simplify(point - other)
                if difference.is_zero:
                    place = -1
                    break
                if difference.is_negative:
                    place = i
                    break
                if not difference.is_positive:
                    raise DomainError(
                        f"breakpoints {point} and {other}",
                        "breakpoints whose order is known",
                        "give the parameters numbers or assumptions",
                    )
            if place >= 0:
                merged.insert(place, point)
    return tuple(merged)


def _between(low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """An exact point strictly between, rational where both ends are numbers."""
    if low is -sp.oo and high is sp.oo:
        return sp.Rational(1, 7)
    if low is -sp.oo:
        return (_integer_near(high) if high.is_number else high) - 2
    if high is sp.oo:
        return (_integer_near(low) if low.is_number else low) + 2
    if low.is_number and high.is_number and not (low.is_Rational and high.is_Rational):
        width = float(high - low)
        middle = sp.Rational(str(sp.N((low + high) / 2, 20 + max(0, int(-np.log10(width))))))
        return middle
    return (low + high) / 2


def _integer_near(number: sp.Expr) -> sp.Integer:
    """Within 1 of a number: not its floor, which sympy cannot tell of a 0 in disguise."""
    return sp.Integer(int(sp.N(number, 60)))


def _sign_between(guard: sp.Expr, low: sp.Expr, high: sp.Expr) -> int:
    value = guard.subs(x, _between(low, high))
    if value.is_positive:
        return 1
    if value.is_negative:
        return -1
    if value.is_zero:
        return 0
    value = sp.simplify(value)
    if value.is_positive or value.is_negative or value.is_zero:
        return 1 if value.is_positive else -1 if value.is_negative else 0
    raise DomainError(
        f"the sign of {guard}", "a sign that can be decided", "give the parameters numbers or assumptions"
    )


def _zeros(guard: sp.Expr, low: sp.Expr, high: sp.Expr) -> tuple[sp.Expr, ...]:
    """The real zeros of a smooth guard strictly inside ``(low, high)``, exact and sorted."""
    if not guard.has(x):
        return ()
    guard = sp.together(guard)
    numerator, denominator = sp.fraction(guard)
    roots: list[sp.Expr] = []
    for factor in (numerator, denominator):
        roots += _roots(factor)
    kept = []
    for root in roots:
        above = low is -sp.oo or sp.simplify(root - low).is_positive
        below = high is sp.oo or sp.simplify(high - root).is_positive
        if above and below:
            kept.append(root)
    return _union([(root,) for root in kept])


def _roots(expr: sp.Expr) -> list[sp.Expr]:
    if not expr.has(x):
        return []
    if expr.is_polynomial(x):
        poly = sp.Poly(expr, x)
        if poly.degree() == 1:
            return [sp.simplify(-poly.nth(0) / poly.nth(1))]
        if poly.domain.is_ZZ or poly.domain.is_QQ:
            roots = sp.real_roots(poly, multiple=False)
            exact = [sp.radsimp(root) for root, _ in roots]
            if any(root.has(sp.CRootOf) for root in exact):
                raise DomainError(
                    f"the zeros of {expr}", "breakpoints that are radicals", "move the breakpoint"
                )
            return exact
    solutions = sp.solveset(expr, x, sp.S.Reals)
    if solutions is sp.S.EmptySet:
        return []
    if isinstance(solutions, sp.FiniteSet):
        return [_by_logarithms(sp.simplify(s)) for s in solutions]
    raise DomainError(
        f"the places where {expr} changes sign",
        "finitely many, and found exactly",
        "use a Piecewise with explicit rational breakpoints",
    )


def _by_logarithms(expr: sp.Expr) -> sp.Expr:
    """Inverse hyperbolic functions written out."""
    inverse = (sp.asinh, sp.acosh, sp.atanh)
    return expr.replace(lambda node: isinstance(node, inverse), lambda node: node.rewrite(sp.log))
