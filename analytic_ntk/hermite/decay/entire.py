"""Geometric and factorial decay: entire functions of the canonical class.

In ``z = x/sqrt q``, ``E exp(a Z^2 + b Z) exp(t Z - t^2/2) = C exp(g t^2/2 + beta t)`` with ``g = 2a/(1-2a)``,
``beta = b/(1-2a)``: the coefficients of ``exp(a z^2 + b z)`` are ``C (-g)^(n/2) h_n(beta/sqrt(-g))``. A power
``z^k`` brings ``(t/(1-2a))^k`` to leading order. ``Phi(u)`` is 1 in the right half-plane minus the tail
``exp(-u^2/2) (1/u - 1/u^3 + ...)/sqrt(2 pi)``, a term of the same kind with negative powers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import acb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import UndecidedError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Term, terms_of
from analytic_ntk.hermite.decay.lines import line_growth
from analytic_ntk.hermite.decay.parity import BITS, complex_log, is_zero, number, same_place
from analytic_ntk.hermite.decay.parity_law import ParityLaw
from analytic_ntk.hermite.decay.waves import Wave
from analytic_ntk.notation import x

_TAIL = 8
"""Powers of ``1/x`` carried in the tail of ``Phi``: leading ones may cancel (as in ``x Phi(x) + phi(x)``)."""


@dataclass(frozen=True)
class Key:
    """``z^power exp(a z^2 + b z)``, only in the half-plane ``side * Re t > 0`` unless ``side = 0``."""

    power: int
    a: sp.Expr
    b: sp.Expr
    side: int


def law(part: sp.Expr, q: sp.Expr, odd: bool) -> ParityLaw:
    """The law of one parity of an entire part."""
    terms = terms_of(Pieces((), (part,)))
    if terms is None:
        if line_growth(part) is None:
            return ParityLaw.unknown(odd, "an entire function whose growth off the real line is not bounded")
        return ParityLaw(odd, "entire", "an entire function")
    full, tails = _table(terms, q)
    table = _symmetric(full, odd)
    _check_tails(table, tails)
    if all(_is_polynomial(key) for key in table):
        return ParityLaw.finite(odd, max((key.power for key in table), default=-1))
    with working_precision(BITS):
        geometric = {key: c for key, c in table.items() if key.a != 0}
        if geometric:
            return _geometric(geometric, q, odd)
        return _factorial({key: c for key, c in table.items() if key.b != 0}, q, odd)


def _is_polynomial(key: Key) -> bool:
    return key.a == 0 and key.b == 0 and key.side == 0


# ------------------------------------------------------------------------------------ terms


def _table(terms: tuple[Term, ...], q: sp.Expr) -> tuple[dict[Key, sp.Expr], dict[Key, Key]]:
    """All terms in ``z``, normal distribution functions as half-planes and tails.

    The second answer leads from each half-plane to the lowest power of its tail that is complete.
    """
    table: dict[Key, sp.Expr] = {}
    tails: dict[Key, Key] = {}

    def add(key: Key, value: sp.Expr) -> None:
        table[key] = sp.expand(table.get(key, sp.S.Zero) + value)

    root = sp.sqrt(q)
    for term in terms:
        a, b = sp.expand(term.a * q), sp.expand(term.b * root)
        coefficient = term.coefficient * root**term.power
        if term.psi is None:
            add(Key(term.power, a, b, 0), coefficient)
            continue
        c, d = term.psi.slope * root, term.psi.offset
        half = Key(term.power, a, b, 1 if number(c).real > 0 else -1)
        add(half, coefficient)
        scale = -coefficient * sp.exp(-(d**2) / 2) / sp.sqrt(2 * sp.pi)
        tail_a, tail_b = sp.expand(a - c**2 / 2), sp.expand(b - c * d)
        tails[half] = Key(term.power - _TAIL, tail_a, tail_b, 0)
        for i in range(_TAIL):
            double = (-1) ** i * (sp.factorial2(2 * i - 1) if i else 1)
            m = 2 * i + 1
            for l in range(_TAIL - 2 * i):
                value = scale * double * sp.binomial(-m, l) * (d / c) ** l / c**m
                if value != 0:
                    add(Key(term.power - m - l, tail_a, tail_b, 0), value)
    for tail in tails.values():  # below the last power of one tail, the sum of several is not complete
        for key in [key for key in table if (key.a, key.b) == (tail.a, tail.b) and key.power < tail.power]:
            if key.side == 0:
                del table[key]
    return table, tails


def _check_tails(table: dict[Key, sp.Expr], tails: dict[Key, Key]) -> None:
    """Raise :class:`UndecidedError` where a half-plane is left whose tail has cancelled as far as carried."""
    for half, tail in tails.items():
        turned = Key(half.power, half.a, sp.expand(-half.b), -half.side)
        if half not in table and turned not in table:
            continue
        if not any(key.a == tail.a and key.b in (tail.b, sp.expand(-tail.b)) for key in table):
            raise UndecidedError("a normal distribution function whose tail cancels", "a simpler form")


def _symmetric(table: dict[Key, sp.Expr], odd: bool) -> dict[Key, sp.Expr]:
    """The same for the orders of one parity: ``b`` and ``-b`` (with the other half-plane) taken together."""
    total: dict[Key, sp.Expr] = {}
    for key, value in table.items():
        sign = -1 if (odd + key.power) % 2 else 1
        if key.b == 0 and (key.side == 0 or sign > 0):  # a half-plane and its mirror image make the whole
            if sign > 0:
                whole = Key(key.power, key.a, key.b, 0)
                total[whole] = total.get(whole, sp.S.Zero) + (value / 2 if key.side else value)
            continue
        turn = key.side < 0 if key.b == 0 else key.b.could_extract_minus_sign()
        if turn:
            key, value = Key(key.power, key.a, sp.expand(-key.b), -key.side), sign * value
        total[key] = total.get(key, sp.S.Zero) + value
    for key in [key for key in total if key.side > 0]:
        other = Key(key.power, key.a, key.b, -1)
        if other in total and is_zero(total[other] - total[key]):  # the two half-planes make the whole
            whole = Key(key.power, key.a, key.b, 0)
            total[whole] = total.get(whole, sp.S.Zero) + total.pop(key)
            total.pop(other)
    return {key: sp.expand(value) for key, value in total.items() if not is_zero(value)}


# ------------------------------------------------------------------------------------ geometric


@dataclass(frozen=True)
class _Candidate:
    key: Key
    size: sp.Expr  # |g|
    growth: sp.Expr  # of exp(growth sqrt n)
    wave: Wave | None


def _geometric(table: dict[Key, sp.Expr], q: sp.Expr, odd: bool) -> ParityLaw:
    candidates = [c for key, value in table.items() for c in _candidates(key, value)]
    top = _largest(candidates, lambda c: c.size)
    top = _largest(top, lambda c: c.growth)
    power = max(c.key.power for c in top)
    top = [c for c in top if c.key.power == power]
    waves = tuple(c.wave for c in top if c.wave is not None)
    if len(waves) < len(top):
        raise UndecidedError("a normal distribution function at the edge of its half-plane", "a simpler form")
    exponent = sp.Rational(2 * power - 1, 4)
    ratio = sp.simplify(sp.sqrt(top[0].size))
    source = _source([c.key for c in top], q)
    growth, exact = top[0].growth, top[0].growth == 0 or top[0].key.a.is_real
    rate = -growth if exact else sp.Float(-growth, 30)
    return ParityLaw(odd, "geometric", source, exponent, rate, ratio, waves)


def _source(keys: list[Key], q: sp.Expr) -> str:
    """The leading factors, back in ``x``."""
    shown = {str(sp.exp(sp.simplify(key.a / q) * x**2 + sp.simplify(key.b / sp.sqrt(q)) * x)) for key in keys}
    return "terms in " + ", ".join(sorted(shown))


def _largest(candidates: list[_Candidate], of: Callable[[_Candidate], sp.Expr]) -> list[_Candidate]:
    best = candidates[0]
    for candidate in candidates[1:]:
        if _difference(of(candidate), of(best)) > 0:
            best = candidate
    return [c for c in candidates if _difference(of(c), of(best)) == 0]


def _difference(one: sp.Expr, other: sp.Expr) -> int:
    if same_place(one, other):
        return 0
    return 1 if (number(one) - number(other)).real > 0 else -1


def _candidates(key: Key, coefficient: sp.Expr) -> list[_Candidate]:
    """The saddle points of one term: two, or one where they are mirror images or one half-plane counts."""
    narrow = 1 - 2 * key.a
    gamma = sp.simplify(2 * key.a / narrow)
    size = sp.simplify(sp.sqrt(sp.expand(gamma * sp.conjugate(gamma))))
    root = number(-gamma).sqrt()
    at = number(sp.simplify(key.b / narrow)) / root  # X
    outer = number(key.b**2 / narrow) / 2 + at * at / 2
    front = number(coefficient) / (2 * number(sp.pi) * number(narrow)).sqrt()
    log_weight = complex_log(front) + complex(outer) - key.power * complex_log(number(narrow))
    found = []
    for sign in (1, -1):
        ratio = root * acb(0, -sign)
        slope = acb(0, -sign) * at
        inside = 1.0
        if key.side:
            inside = key.side * float(ratio.real.mid())  # the saddle lies in the direction of 1/ratio
            if inside < -1e-30:
                continue
        both = 2 if key.b == 0 and key.side == 0 else 1
        log_ratio = complex_log(ratio)
        weight = log_weight - key.power * log_ratio + math.log(both)
        wave = Wave(weight, log_ratio, Fraction(key.power), key.power, complex(slope))
        found.append(_Candidate(key, size, _growth(key, slope), wave if inside > 1e-30 else None))
        if both == 2:
            break
    return found


def _growth(key: Key, slope: acb) -> sp.Expr:
    """``-Re s``: exact for a real exponent ``a``, else to 30 digits."""
    if key.b == 0:
        return sp.S.Zero
    narrow = 1 - 2 * key.a
    if key.a.is_real:
        beta, minus = key.b / narrow, -2 * key.a / narrow
        exact = sp.Abs(sp.im(sp.simplify(beta / sp.sqrt(minus))))
        exact = sp.simplify(exact)
        sign = -1 if slope.real > 0 else 1
        return sign * exact
    return sp.Rational((-slope.real).mid().str(60, radius=False))


# ------------------------------------------------------------------------------------ factorial


def _factorial(table: dict[Key, sp.Expr], q: sp.Expr, odd: bool) -> ParityLaw:
    """``a = 0``: ``exp(b^2/2) n!/(n-k)! b^(n-k) / sqrt(n!)`` for each term."""
    sizes = {key: sp.simplify(sp.sqrt(sp.expand(key.b * sp.conjugate(key.b)))) for key in table}
    best = next(iter(table))
    for key in table:
        if _difference(sizes[key], sizes[best]) > 0:
            best = key
    keys = [key for key in table if same_place(sizes[key], sizes[best])]
    power = max(key.power for key in keys)
    waves = []
    for key in keys:
        if key.power != power:
            continue
        b = number(key.b)
        weight = complex_log(number(table[key])) + complex(b * b) / 2 - power * complex_log(b)
        waves.append(Wave(weight, complex_log(b), Fraction(power), power, None))
    source = _source([key for key in keys if key.power == power], q)
    return ParityLaw(odd, "factorial", source, sp.Rational(power), None, sizes[best], tuple(waves))
