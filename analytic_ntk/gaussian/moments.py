"""Gaussian expectations of canonical terms, once for every number system.

For terms ``f`` and ``g`` and ``(u, v) ~ N(0, S)``: absorb the exponentials into the Gaussian,

    S' = (S^-1 - 2 diag(a1, a2))^-1,   mu = S' b,   E f(u) g(v) = c1 c2 (det S'/det S)^(1/2) exp(b.mu/2)
                                                                   E' u^k v^l psi1(u) psi2(v),

and reduce the powers by Stein's identity ``E'(u - mu_u) G = S'_uu E' dG/du + S'_uv E' dG/dv``. The
derivative of a half-space puts ``(u, v)`` on its boundary, again a Gaussian: so every moment is a
combination of four atoms, ``Phi2(h1, h2; r)``, ``phi(h1) Phi((h2 - r h1)/sqrt(1 - r^2))`` and its mirror,
and the ridge ``exp(-(h1^2 - 2 r h1 h2 + h2^2)/(2 (1 - r^2)))/(2 pi)``, with coefficients that stay finite as
the correlation reaches +-1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import sympy as sp

from analytic_ntk.errors import NoClosedFormError
from analytic_ntk.gaussian.operations import Number, Operations
from analytic_ntk.gaussian.terms import HalfSpace, Term, Terms

Atom = Callable[[], Number]


@dataclass(frozen=True)
class _State:
    """A Gaussian pair, the half-spaces still open (0 for u, 1 for v), and those it was put on the edge of."""

    mean: tuple[Number, Number]
    variance: tuple[Number, Number]
    covariance: Number
    open: tuple[int, ...]
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Problem:
    halves: dict[int, HalfSpace]
    atoms: dict[frozenset[int], Atom]
    spreads: dict[int, Number]  # two steps: the standard deviation left to the other one once i is pinned
    ops: Operations


def _gains(problem: _Problem, state: _State, i: int) -> tuple[Number, Number, _State]:
    """Covariances of (u, v) with the standardised half-space ``i``, and the state on its boundary."""
    ops, half = problem.ops, problem.halves[i]
    slope, offset = ops.number(half.slope), ops.number(half.offset)
    j = 1 - i
    rest = tuple(k for k in state.open if k != i)
    closed = state.closed | {i}
    if half.spread == 0:
        sign = 1 if half.slope.is_positive else -1
        place = -offset / slope
        if state.closed and problem.halves[j].spread == 0:
            # the other variable is pinned already: what is left of this one is a number
            root = problem.spreads[j]
            gain = [ops.number(sp.S.Zero)] * 2
            gain[i] = sign * root
            pinned = list(state.mean)
            pinned[i] = place
            zero = ops.number(sp.S.Zero)
            return gain[0], gain[1], _State((pinned[0], pinned[1]), (zero, zero), zero, rest, closed)
        root = ops.sqrt(state.variance[i])
        gain = [sign * state.covariance / root] * 2
        gain[i] = sign * root
        mean, variance = list(state.mean), list(state.variance)
        mean[i] = place
        mean[j] = state.mean[j] + state.covariance / state.variance[i] * (place - state.mean[i])
        variance[i] = ops.number(sp.S.Zero)
        edge = problem.spreads.get(i)
        variance[j] = ops.tidy(
            state.variance[j] - state.covariance * state.covariance / state.variance[i]
            if edge is None
            else edge * edge
        )
        return (
            gain[0],
            gain[1],
            _State((mean[0], mean[1]), (variance[0], variance[1]), ops.number(sp.S.Zero), rest, closed),
        )
    square = ops.tidy(half.spread + slope * slope * state.variance[i])
    root = ops.sqrt(square)
    towards = [slope * state.covariance, slope * state.covariance]
    towards[i] = slope * state.variance[i]
    lift = (offset + slope * state.mean[i]) / square
    mean = [ops.tidy(state.mean[k] - towards[k] * lift) for k in (0, 1)]
    variance = [ops.tidy(state.variance[k] - towards[k] * towards[k] / square) for k in (0, 1)]
    covariance = ops.tidy(state.covariance - towards[0] * towards[1] / square)
    new = _State((mean[0], mean[1]), (variance[0], variance[1]), covariance, rest, closed)
    return towards[0] / root, towards[1] / root, new


def _table(problem: _Problem, state: _State, k_max: int, l_max: int) -> list[list[Number]]:
    """``E u^k v^l psi...`` for ``k <= k_max``, ``l <= l_max``, by Stein's identity."""
    ops = problem.ops
    zero = ops.number(sp.S.Zero)
    values = [[zero] * (l_max + 1) for _ in range(k_max + 1)]
    values[0][0] = problem.atoms[state.closed]()
    if k_max == 0 and l_max == 0:
        return values
    edges = []
    for i in state.open:
        gain_u, gain_v, new = _gains(problem, state, i)
        edges.append((gain_u, gain_v, _table(problem, new, k_max, l_max)))
    for k in range(k_max + 1):
        for l in range(l_max + 1):
            if k == l == 0:
                continue
            along_u = k > 0
            i, j = (k - 1, l) if along_u else (k, l - 1)
            axis = 0 if along_u else 1
            total = state.mean[axis] * values[i][j]
            if i > 0:
                total += (state.variance[0] if along_u else state.covariance) * i * values[i - 1][j]
            if j > 0:
                total += (state.covariance if along_u else state.variance[1]) * j * values[i][j - 1]
            for gain_u, gain_v, boundary in edges:
                total += (gain_u if along_u else gain_v) * boundary[i][j]
            values[k][l] = ops.gather(total)
    return values


def _atoms(
    ops: Operations,
    halves: dict[int, HalfSpace],
    mean: tuple[Number, Number],
    variance: tuple[Number, Number],
    covariance: Number,
) -> dict[frozenset[int], Atom]:
    """The probabilities and densities that multiply the coefficients, by which half-spaces are closed."""
    h: dict[int, Number] = {}
    width: dict[int, Number] = {}
    for i, half in halves.items():
        slope = ops.number(half.slope)
        if half.spread == 0:
            width[i] = (1 if half.slope.is_positive else -1) * slope * ops.sqrt(variance[i])
        else:
            width[i] = ops.sqrt(half.spread + slope * slope * variance[i])
        h[i] = (ops.number(half.offset) + slope * mean[i]) / width[i]
    root = ops.sqrt(ops.two_pi())

    def density(i: int) -> Number:
        return ops.exp(-h[i] * h[i] / 2) / root

    if not halves:
        return {frozenset(): lambda: ops.number(sp.S.One)}
    if len(halves) == 1:
        (i,) = halves
        return {frozenset(): lambda: ops.phi(h[i]), frozenset({i}): lambda: density(i)}
    steps = all(half.spread == 0 for half in halves.values())
    sign = 1 if (halves[0].slope * halves[1].slope).is_positive else -1
    if steps:
        r = sign * covariance / (ops.sqrt(variance[0]) * ops.sqrt(variance[1]))
    else:
        r = ops.number(halves[0].slope) * ops.number(halves[1].slope) * covariance / (width[0] * width[1])

    def both() -> Number:
        if steps and ops.is_zero(h[0]) and ops.is_zero(h[1]):
            return ops.quadrant(variance[0], variance[1], covariance, sign)
        return ops.phi2(h[0], h[1], r)

    return {
        frozenset(): both,
        frozenset({0}): lambda: density(0) * ops.conditional_phi(h[0], h[1], r),
        frozenset({1}): lambda: density(1) * ops.conditional_phi(h[1], h[0], r),
        frozenset({0, 1}): lambda: ops.ridge(h[0], h[1], r) / ops.two_pi(),
    }


def pair_moment(
    f: Term, g: Term, q11: Number, q22: Number, q12: Number, root_det: Number, ops: Operations
) -> Number:
    """``E f(u) g(v)`` for ``(u, v) ~ N(0, [[q11, q12], [q12, q22]])``.

    ``root_det = sqrt(q11 q22 - q12^2)``; it may be 0 unless both terms carry a step. Raises
    :class:`NoClosedFormError` where a Gaussian factor ``exp(a x^2)`` is too large for the covariance.
    """
    a1, a2, b1, b2 = (ops.number(value) for value in (f.a, g.a, f.b, g.b))
    det = root_det * root_det
    if f.a == 0 and g.a == 0:
        norm = ops.number(sp.S.One)
        variance, covariance, edge_root = (q11, q22), q12, root_det
    else:
        _require_tamed(f.a, g.a, q11, q22, det, ops)
        if f.psi is not None and g.psi is not None and (f.a.has(sp.I) or g.a.has(sp.I)):
            raise NoClosedFormError(
                f"E of ({f.expression()})(u) times ({g.expression()})(v)",
                "two half-spaces only with real quadratic exponents (their correlation is complex here)",
                "use certified or float64 values",
            )
        scale = ops.tidy(1 - 2 * a1 * q11 - 2 * a2 * q22 + 4 * a1 * a2 * det)
        norm = 1 / ops.sqrt(scale)
        variance = (ops.tidy((q11 - 2 * a2 * det) / scale), ops.tidy((q22 - 2 * a1 * det) / scale))
        covariance = ops.tidy(q12 / scale)
        edge_root = root_det / ops.sqrt(scale)
    mean = (ops.tidy(variance[0] * b1 + covariance * b2), ops.tidy(covariance * b1 + variance[1] * b2))
    factor = ops.number(f.coefficient) * ops.number(g.coefficient) * norm
    if f.b != 0 or g.b != 0:
        factor = factor * ops.exp(ops.tidy((b1 * mean[0] + b2 * mean[1]) / 2))
    halves = {i: t.psi for i, t in enumerate((f, g)) if t.psi is not None}
    atoms = _atoms(ops, halves, mean, variance, covariance)
    state = _State(mean, variance, covariance, tuple(halves))
    if isinstance(factor, sp.Basic) and f.power + g.power > 1:
        return factor * _symbolic_moment(ops, halves, atoms, state, f.power, g.power, edge_root)
    return factor * _moment(ops, halves, atoms, state, f.power, g.power, edge_root)


def _symbolic_moment(
    ops: Operations,
    halves: dict[int, HalfSpace],
    atoms: dict[frozenset[int], Atom],
    state: _State,
    k: int,
    l: int,
    edge_root: sp.Expr,
) -> sp.Expr:
    """The recursion with names for what is long: atoms always, means and variances unless they are symbols.

    Expressions then stay polynomials in the names, collected at every step; the names are filled in last.
    """
    filled: dict[sp.Basic, sp.Basic] = {}

    def named(value: sp.Expr, positive: bool = False) -> sp.Expr:
        if value.is_Atom:
            return value
        name = sp.Dummy("s", positive=True) if positive else sp.Dummy("m")
        filled[name] = value
        return name

    if all(value.is_Atom for value in (*state.variance, state.covariance)):
        edge, variance, covariance = edge_root, state.variance, state.covariance
    else:
        variance = (named(state.variance[0], True), named(state.variance[1], True))
        covariance, edge = named(state.covariance), named(edge_root, True)
    mean = (named(state.mean[0]), named(state.mean[1]))
    keys = {key: sp.Dummy("atom") for key in atoms}
    frozen: dict[frozenset[int], Atom] = {key: partial(_same, name) for key, name in keys.items()}
    value = _moment(ops, halves, frozen, _State(mean, variance, covariance, state.open), k, l, edge)
    value = value.xreplace({name: atoms[key]() for key, name in keys.items() if value.has(name)})
    return value.xreplace(filled)


def _same(value: Number) -> Number:
    return value


def _moment(
    ops: Operations,
    halves: dict[int, HalfSpace],
    atoms: dict[frozenset[int], Atom],
    state: _State,
    k: int,
    l: int,
    edge_root: Number,
) -> Number:
    spreads: dict[int, Number] = {}
    if len(halves) == 2 and all(half.spread == 0 for half in halves.values()):
        spreads = {i: edge_root / ops.sqrt(state.variance[i]) for i in halves}
    return _table(_Problem(halves, atoms, spreads, ops), state, k, l)[k][l]


def _require_tamed(a1: sp.Expr, a2: sp.Expr, q11: Number, q22: Number, det: Number, ops: Operations) -> None:
    """``Re(Sigma^-1 - 2 diag(a))`` must be positive definite: the integral converges.

    By congruence ``det(1 - 2 diag(a) Sigma)`` is then a product of two numbers of positive real part, so the
    principal root of it is the right one for complex ``a`` too.
    """
    r1, r2 = (ops.number(sp.re(a)) for a in (a1, a2))
    left, right = 1 - 2 * r1 * q11, 1 - 2 * r2 * q22
    for value in (left, right, ops.tidy(left + right - 1 + 4 * r1 * r2 * det)):
        positive = value.is_positive if isinstance(value, sp.Basic) else bool(value.real > 0)
        if positive is False:
            raise NoClosedFormError(
                "a term exp(a x^2) that its Gaussian does not tame", "2 a q < 1", "lower the variance"
            )


def line_moment(f: Term, g: Term, q: Number, ops: Operations) -> Number:
    """``E f(u) g(u)`` for ``u ~ N(0, q)``: both factors of the same variable."""
    zero = ops.number(sp.S.Zero)
    if f.psi is not None and g.psi is not None and f.psi.spread == 0 and g.psi.spread == 0:
        total = zero
        for sign, psi in _meet(f.psi, g.psi):
            merged = Term(f.coefficient * g.coefficient * sign, f.power + g.power, f.a + g.a, f.b + g.b, psi)
            total += single_moment(merged, q, ops)
        return total
    if f.psi is None or g.psi is None:
        psi = f.psi or g.psi
        merged = Term(f.coefficient * g.coefficient, f.power + g.power, f.a + g.a, sp.expand(f.b + g.b), psi)
        return single_moment(merged, q, ops)
    return pair_moment(f, g, q, q, q, zero, ops)


def single_moment(f: Term, q: Number, ops: Operations) -> Number:
    """``E f(u)`` for ``u ~ N(0, q)``."""
    one = Term(sp.S.One, 0, sp.S.Zero, sp.S.Zero)
    return pair_moment(f, one, q, ops.number(sp.S.One), ops.number(sp.S.Zero), ops.sqrt(q), ops)


def _meet(one: HalfSpace, other: HalfSpace) -> list[tuple[int, HalfSpace | None]]:
    """The product of two steps of one variable as a signed sum of steps."""
    up_one, up_other = bool(one.slope.is_positive), bool(other.slope.is_positive)
    gap = sp.simplify(one.place - other.place)
    if gap.is_zero:
        gap = sp.S.Zero
    elif not (gap.is_positive or gap.is_negative):
        raise NoClosedFormError(f"steps at {one.place} and {other.place}", "places in a known order")
    if up_one and up_other:
        return [(1, one if gap >= 0 else other)]
    if not up_one and not up_other:
        return [(1, one if gap <= 0 else other)]
    low, high = (one, other) if up_one else (other, one)
    if sp.simplify(high.place - low.place).is_positive:
        return [(1, low), (-1, HalfSpace(sp.S.One, -high.place, 0))]
    return []


def dual(
    f: Terms, g: Terms, q11: Number, q22: Number, q12: Number, root_det: Number, ops: Operations
) -> Number:
    """``E f(u) g(v)`` summed over terms."""
    total = ops.number(sp.S.Zero)
    for one in f:
        for other in g:
            total += pair_moment(one, other, q11, q22, q12, root_det, ops)
    return total


def second_moment(f: Terms, g: Terms, q: Number, ops: Operations) -> Number:
    """``E f(u) g(u)`` summed over terms."""
    total = ops.number(sp.S.Zero)
    for one in f:
        for other in g:
            total += line_moment(one, other, q, ops)
    return total
