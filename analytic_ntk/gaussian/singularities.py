"""Where the parts of a function stop being analytic: on their closed pieces (refused) and off the real line.

:func:`check_regular` proves that every part is real and analytic on a neighbourhood of its closed piece;
:func:`nearest_singularity` gives the distance from the pieces to the nearest place in the complex plane where
a building block of a part is singular, when that place can be found exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import sympy as sp
from flint import arb, fmpq

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.envelope import lower_bound_start
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x

_ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.erf, sp.erfc, fn.Phi)
_MAX_BOXES = 20_000
_MIN_WIDTH = Fraction(1, 2**40)

# ------------------------------------------------------------------------------------ on the closed pieces


def check_regular(pieces: Pieces) -> None:
    """Raise :class:`DomainError` unless each part is real and analytic on its closed piece.

    With symbolic parameters, what their assumptions do not settle is left until they have numbers.
    """
    for part, low, high in _intervals(pieces):
        _check_part(part, low, high)


def _intervals(pieces: Pieces) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    ends = (-sp.oo, *pieces.breakpoints, sp.oo)
    for part, (low, high) in zip(pieces.parts, pairwise(ends), strict=True):
        yield part, low, high


@lru_cache(maxsize=1024)
def _check_part(part: sp.Expr, low: sp.Expr, high: sp.Expr) -> None:
    for inner, kind in _conditions(part):
        sign, place = _sign_on(inner, low, high)
        if sign == 0 and place is None and (inner.free_symbols - {x}):
            continue
        if sign > 0 or (sign < 0 and kind == "pole"):
            continue
        raise _refusal(part, inner, kind, sign, place, low, high)


def _conditions(part: sp.Expr) -> Iterator[tuple[sp.Expr, str]]:
    """The inner expressions that must not vanish (``pole``) or must be positive (``root``, ``log``)."""
    for node in sp.preorder_traversal(part):
        if isinstance(node, sp.log):
            yield node.args[0], "log"
        elif isinstance(node, sp.Pow) and not (node.exp.is_integer and node.exp.is_nonnegative):
            yield node.base, "pole" if node.exp.is_integer else "root"


def _refusal(
    part: sp.Expr, inner: sp.Expr, kind: str, sign: int, place: sp.Expr | None, low: sp.Expr, high: sp.Expr
) -> DomainError:
    where = f"on [{low}, {high}]"
    if sign < 0:
        return DomainError(
            f"{part}, complex because {inner} < 0 {where}", "real values", "use a Piecewise, or Abs"
        )
    if place is None:
        return DomainError(
            f"{part}: {inner} could not be kept away from zero {where}",
            "a function shown to be finite and real there",
            "simplify the expression",
        )
    reason = {
        "pole": "is infinite",
        "log": "has a logarithmic singularity",
        "root": "has a branch point (its derivatives are not all bounded)",
    }[kind]
    return DomainError(
        f"{part} {reason} {'near' if place.has(sp.Float) else 'at'} x = {place}",
        f"a function analytic up to the ends of its piece {where}",
        "move or smooth the singular point",
    )


def _sign_on(expr: sp.Expr, low: sp.Expr, high: sp.Expr) -> tuple[int, sp.Expr | None]:
    """Strict sign of ``expr`` on the closed interval; ``(0, place)`` at a zero, ``(0, None)`` if unknown."""
    quick = _sign_by_assumptions(expr, low, high)
    if quick:
        return quick, None
    if expr.free_symbols - {x}:
        return 0, None
    if not expr.has(x):
        return _sign_of_constant(expr), None
    place = _zero_of_polynomial(expr, low, high)
    if place is not None:
        return 0, place
    return _sign_by_balls(expr, low, high)


def _sign_of_constant(expr: sp.Expr) -> int:
    with working_precision(256):
        ball = exact_ball(expr)
        return 1 if ball > 0 else -1 if ball < 0 else 0


def _sign_by_assumptions(expr: sp.Expr, low: sp.Expr, high: sp.Expr) -> int:
    step = sp.Symbol("t", nonnegative=True)
    forms = [expr]
    if low is not -sp.oo:
        forms.append(expr.subs(x, low + step))
    if high is not sp.oo:
        forms.append(expr.subs(x, high - step))
    for form in forms:
        if form.is_positive:
            return 1
        if form.is_negative:
            return -1
    return 0


def _zero_of_polynomial(expr: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    if not expr.is_polynomial(x):
        for end in (low, high):
            if end not in (-sp.oo, sp.oo) and sp.simplify(expr.subs(x, end)).is_zero:
                return end
        return None
    poly = sp.Poly(expr, x)
    if not (poly.domain.is_ZZ or poly.domain.is_QQ):
        roots = [root for root in sp.roots(poly) if root.is_real]
    else:
        roots = sp.real_roots(poly)
    for root in roots:
        if (low is -sp.oo or _at_least(root, low)) and (high is sp.oo or _at_least(high, root)):
            return root
    return None


def _at_least(one: sp.Expr, other: sp.Expr) -> bool:
    answer = sp.Ge(one, other)
    if answer not in (sp.true, sp.false):
        answer = sp.simplify(answer)
    return bool(answer != sp.false)


def _sign_by_balls(expr: sp.Expr, low: sp.Expr, high: sp.Expr) -> tuple[int, sp.Expr | None]:
    """Subdivide the bounded part of the interval; beyond it the growth bounds keep the function off zero."""
    ends = []
    for end, side in ((low, -1), (high, 1)):
        if end in (-sp.oo, sp.oo):
            start = lower_bound_start(expr, side)
            if start is None:
                return 0, None
            ends.append(side * start)
        else:
            ends.append(_rational_edge(end, side))
    signs = set()
    with working_precision(96):
        function = compile_ball(expr, (x,))
        todo, boxes = [(min(ends), max(ends))], 0
        while todo:
            left, right = todo.pop()
            boxes += 1
            value = function(_box(left, right))
            if isinstance(value, arb) and value.is_finite() and (value > 0 or value < 0):
                signs.add(1 if value > 0 else -1)
                continue
            middle = (left + right) / 2
            if boxes > _MAX_BOXES or right - left < _MIN_WIDTH:
                near = sp.Rational(middle.numerator, middle.denominator)
                return 0, sp.Float(near, 6) if boxes <= _MAX_BOXES else None
            todo += [(left, middle), (middle, right)]
    return (signs.pop(), None) if len(signs) == 1 else (0, None)


def _rational_edge(end: sp.Expr, side: int) -> Fraction:
    if end.is_Rational:
        return Fraction(int(end.p), int(end.q))
    with working_precision(96):
        edge = exact_ball(end).upper() if side > 0 else exact_ball(end).lower()
        mantissa, exponent = edge.man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _box(left: Fraction, right: Fraction) -> arb:
    low, high = arb(fmpq(left.numerator, left.denominator)), arb(fmpq(right.numerator, right.denominator))
    return low.union(high)


# ------------------------------------------------------------------------------------ off the real line


def nearest_singularity(pieces: Pieces) -> sp.Expr | None:
    """Distance from the pieces to the nearest complex singularity of their own part.

    A singularity of a building block that happens to cancel is counted, so that the answer is never too
    large: each part is analytic at every distance below it. ``oo`` for entire parts, ``None`` where a
    singularity cannot be located exactly.

    >>> from analytic_ntk.notation import x
    >>> import sympy as sp
    >>> nearest_singularity(Pieces.of(sp.tanh(x))), nearest_singularity(Pieces.of(x / (1 + sp.Abs(x))))
    (pi/2, 1)
    """
    distances: list[sp.Expr] = []
    for part, low, high in _intervals(pieces):
        for place in places_of_singularities(part):
            if place is None:
                return None
            distances.append(_distance(place, low, high))
    if not distances:
        return sp.oo
    smallest = distances[0]
    for distance in distances[1:]:
        smallest = distance if _less(distance, smallest) else smallest
    return smallest


def _less(one: sp.Expr, other: sp.Expr) -> bool:
    """Whether ``one < other``; numbers that agree to 200 bits are the same distance written twice."""
    with working_precision(200):
        return bool(exact_ball(one - other) < 0)


def places_of_singularities(part: sp.Expr) -> Iterator[sp.Expr | None]:
    """Places in the closed upper half-plane, at least the nearest ones; ``None`` when unknown."""
    for node in sp.preorder_traversal(part):
        if not node.has(x) or isinstance(node, (sp.Add, sp.Mul, sp.Symbol, *_ENTIRE)):
            continue
        if isinstance(node, sp.tanh) and isinstance(node.args[0], fn.softplus):
            # tanh(log(1 + e^g)) is rational in e^g, with poles where (1 + e^g)^2 = -1
            yield from _preimages(node.args[0].args[0], [sp.log(2) / 2 + 3 * sp.I * sp.pi / 4])
        elif isinstance(node, sp.tanh):
            yield from _preimages(node.args[0], [sp.I * sp.pi / 2])
        elif isinstance(node, (fn.sigmoid, fn.softplus)):
            yield from _preimages(node.args[0], [sp.I * sp.pi])
        elif isinstance(node, sp.atan):
            yield from _roots(node.args[0] ** 2 + 1)
        elif isinstance(node, sp.log):
            yield from _roots(node.args[0])
        elif isinstance(node, sp.Pow):
            if not (node.exp.is_integer and node.exp.is_nonnegative):
                yield from _roots(node.base)
        else:
            yield None


def _preimages(inner: sp.Expr, places: list[sp.Expr]) -> Iterator[sp.Expr | None]:
    """Where a real affine ``inner`` takes the singular values nearest to the real line."""
    if not inner.is_polynomial(x) or sp.degree(inner, x) != 1:
        yield None
        return
    poly = sp.Poly(inner, x)
    for place in places:
        yield sp.expand((place - poly.nth(0)) / poly.nth(1))


def _roots(expr: sp.Expr) -> Iterator[sp.Expr | None]:
    if isinstance(expr, sp.cosh):
        yield from _preimages(expr.args[0], [sp.I * sp.pi / 2])
        return
    if isinstance(expr, sp.exp):
        return
    numerator = sp.numer(sp.together(expr))
    if not numerator.is_polynomial(x):
        yield None
        return
    poly = sp.Poly(numerator, x)
    roots = sp.roots(poly)
    too_long = sum(sp.count_ops(root) for root in roots) > 80 * max(len(roots), 1)
    if sum(roots.values()) != poly.degree() or (poly.degree() > 2 and too_long):
        yield None
        return
    yield from roots


def _distance(place: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    real, imaginary = place.as_real_imag()
    beside = sp.S.Zero
    if low is not -sp.oo and (low - real).is_positive:
        beside = low - real
    elif high is not sp.oo and (real - high).is_positive:
        beside = real - high
    return sp.simplify(sp.sqrt(beside**2 + imaginary**2))
