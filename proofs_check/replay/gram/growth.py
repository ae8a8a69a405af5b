"""What an expression's structure shows about its size: enough for every Gaussian moment to be finite.

On an interval of ``x`` each part gets bounds ``lo <= f <= hi`` (constants, or infinite) and flags, each
either shown or not:

* ``above``: ``f <= C (1 + |x|)``;  ``below``: ``f >= -C (1 + |x|)``;
* ``tame``: ``|f| <= exp(C (1 + |x|))``;  ``positive``: ``f >= exp(-C (1 + |x|))``;
* ``smooth``: ``|f'| <= exp(C (1 + |x|))`` almost everywhere, and ``f`` is locally Lipschitz away from jumps.

A tame function is bounded on bounded sets and has all moments under every Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from proofs_check.replay.expression import Refusal, rational
from proofs_check.replay.pieces import End, Piece

_BOUNDED = {
    "sin": (-1, 1), "cos": (-1, 1), "tanh": (-1, 1), "erf": (-1, 1), "atan": (-2, 2), "Phi": (0, 1),
    "sigmoid": (0, 1), "erfc": (0, 2), "sign": (-1, 1), "step": (0, 1),
}  # fmt: skip
_ODD = ("tanh", "erf", "atan", "sign")
MAX_BITS = 2_000
"""Longer bounds are widened."""


@dataclass(frozen=True)
class Size:
    lo: End
    hi: End
    above: bool
    below: bool
    tame: bool
    positive: bool
    smooth: bool


def _size(
    lo: End, hi: End, smooth: bool, tame: bool = False, positive: bool = False,
    above: bool = False, below: bool = False,
) -> Size:  # fmt: skip
    """With what follows from the bounds."""
    above, below = above or hi is not None, below or lo is not None
    positive = positive or (lo is not None and lo > 0)
    if lo is not None and _long(lo):
        lo = None if lo < 0 else Fraction(0)
    if hi is not None and _long(hi):
        hi = None if hi > 0 else Fraction(0)
    lo = Fraction(0) if positive and (lo is None or lo < 0) else lo
    return Size(lo, hi, above, below or positive, tame or (above and below), positive, smooth)


def _long(number: Fraction) -> bool:
    return max(abs(number.numerator), number.denominator).bit_length() > MAX_BITS


def size_on(piece: Piece) -> Size:
    """The size of a piece's expression on it. Raises :class:`Refusal` where it may be undefined."""
    return _of(piece.expression, piece)


def _of(node: Any, piece: Piece) -> Size:
    if isinstance(node, str):
        if node == "x":
            return _size(piece.low, piece.high, True, above=True, below=True)
        c = {"pi": (Fraction(3), Fraction(4)), "e": (Fraction(2), Fraction(3))}.get(node)
        low, high = c or (rational(node), rational(node))
        return _size(low, high, True)
    head, *arguments = node
    if head == "^":
        return _power(_of(arguments[0], piece), rational(arguments[1]))
    if head == "cases":
        if arguments[-1][1] != ["else"]:
            raise Refusal("cases that do not end with else")
        for _, condition in arguments:
            _require_defined(condition, piece)
        arguments = [chosen for chosen, _ in arguments]
    parts = [_of(argument, piece) for argument in arguments]
    if head in ("max", "min", "cases"):
        return _chosen(head, parts)
    if head in ("+", "*"):
        total = parts[0]
        for part in parts[1:]:
            total = _sum(total, part) if head == "+" else _product(total, part)
        return total
    return _function(head, parts[0])


def _require_defined(condition: Any, piece: Piece) -> None:
    head, *arguments = condition if isinstance(condition, list) else [condition]
    for argument in arguments:
        if head in ("and", "or"):
            _require_defined(argument, piece)
        else:
            _of(argument, piece)


def _sum(f: Size, g: Size) -> Size:
    return _size(
        None if f.lo is None or g.lo is None else f.lo + g.lo,
        None if f.hi is None or g.hi is None else f.hi + g.hi,
        f.smooth and g.smooth,
        f.tame and g.tame,
        (f.positive and _at_least_0(g)) or (g.positive and _at_least_0(f)),
        f.above and g.above,
        f.below and g.below,
    )


def _at_least_0(f: Size) -> bool:
    return f.lo is not None and f.lo >= 0


def _product(f: Size, g: Size) -> Size:
    lo, hi = _times(f, g)
    linear = any(a.above and a.below and None not in (b.lo, b.hi) for a, b in ((f, g), (g, f)))
    tame = f.tame and g.tame
    return _size(lo, hi, f.smooth and g.smooth and tame, tame, f.positive and g.positive, linear, linear)


def _times(f: Size, g: Size) -> tuple[End, End]:
    """The product of two intervals; an end ``None`` is infinite, and ``0 * infinity = 0``."""
    ends: list[tuple[int, Fraction]] = []  # the sign of an infinite end, or 0 and a number
    for a, side_a in ((f.lo, -1), (f.hi, 1)):
        for b, side_b in ((g.lo, -1), (g.hi, 1)):
            if a == 0 or b == 0:
                ends.append((0, Fraction(0)))
            elif a is not None and b is not None:
                ends.append((0, a * b))
            else:
                sign_a = side_a if a is None else (1 if a > 0 else -1)
                sign_b = side_b if b is None else (1 if b > 0 else -1)
                ends.append((sign_a * sign_b, Fraction(0)))
    (low_sign, low), (high_sign, high) = min(ends), max(ends)
    return (None if low_sign < 0 else low if low_sign == 0 else None), (
        None if high_sign > 0 else high if high_sign == 0 else None
    )


def _power(f: Size, q: Fraction) -> Size:
    if abs(q) > 64:
        raise Refusal("an exponent beyond 64 in a bound")
    if q < 0:
        if not f.positive:
            if q.denominator == 1 and f.hi is not None and f.hi < 0:
                flipped = _power(_negative(f), q)
                return flipped if q.numerator % 2 == 0 else _negative(flipped)
            raise Refusal("a division by what may be 0")
        inverse = _size(
            Fraction(0) if f.hi is None else 1 / f.hi, None if not f.lo else 1 / f.lo,
            f.smooth, True, f.tame,
        )  # fmt: skip
        return _power(inverse, -q)
    if q.denominator > 1:
        if not _at_least_0(f):
            raise Refusal("a broken power of what may be negative")
        return _size(Fraction(0), None, f.smooth and (f.positive or q >= 1), f.tame, f.positive)
    if q == 0:
        return _size(Fraction(1), Fraction(1), True)
    if q == 1:
        return f
    even = q.numerator % 2 == 0
    lo = None if f.lo is None else f.lo**q.numerator
    hi = None if f.hi is None else f.hi**q.numerator
    if even:
        top = None if lo is None or hi is None else max(lo, hi)
        if f.hi is not None and f.hi <= 0:
            lo, hi = hi, lo
        elif not _at_least_0(f):
            lo, hi = Fraction(0), top
    return _size(lo, hi, f.smooth and f.tame, f.tame, f.positive)


def _negative(f: Size) -> Size:
    return _size(
        None if f.hi is None else -f.hi, None if f.lo is None else -f.lo,
        f.smooth, f.tame, False, f.below, f.above,
    )  # fmt: skip


def _chosen(head: str, parts: list[Size]) -> Size:
    los, his = [f.lo for f in parts], [f.hi for f in parts]
    finite_lo, finite_hi = [e for e in los if e is not None], [e for e in his if e is not None]
    all_lo, all_hi = len(finite_lo) == len(los), len(finite_hi) == len(his)
    low = max(finite_lo, default=None) if head == "max" else min(finite_lo) if all_lo else None
    high = min(finite_hi, default=None) if head == "min" else max(finite_hi) if all_hi else None
    some, every = any, all
    return _size(
        low, high,
        every(f.smooth for f in parts),
        every(f.tame for f in parts),
        (some if head == "max" else every)(f.positive for f in parts),
        (some if head == "min" else every)(f.above for f in parts),
        (some if head == "max" else every)(f.below for f in parts),
    )  # fmt: skip


def _function(head: str, f: Size) -> Size:
    if head in _BOUNDED:
        low, high = (Fraction(end) for end in _BOUNDED[head])
        if head in _ODD:
            low = Fraction(0) if _at_least_0(f) else low
            high = Fraction(0) if f.hi is not None and f.hi <= 0 else high
        return _size(low, high, f.smooth, positive=head == "sigmoid" and f.below)
    lo: End
    hi: End
    match head:
        case "exp":
            hi = None if f.hi is None or f.hi > 64 else Fraction(3) ** max(0, ceil(f.hi))
            lo = Fraction(1) if _at_least_0(f) else Fraction(0)
            return _size(lo, hi, f.smooth and f.above, f.above, f.below)
        case "log":
            if not f.positive:
                raise Refusal("the logarithm of what may be 0")
            lo = Fraction(0) if f.lo is not None and f.lo >= 1 else -1 / f.lo if f.lo else None
            hi = f.hi if f.hi is None or f.hi > 1 else Fraction(0)
            return _size(lo, hi, f.smooth, above=f.tame, below=True)
        case "softplus":
            hi = None if f.hi is None else max(f.hi, Fraction(0)) + 1
            return _size(Fraction(0), hi, f.smooth, f.above or f.tame, f.below, f.above)
        case "abs":
            lo = max(Fraction(0), f.lo or Fraction(0), -f.hi if f.hi is not None else Fraction(0))
            hi = None if f.lo is None or f.hi is None else max(abs(f.lo), abs(f.hi))
            return _size(lo, hi, f.smooth, f.tame, f.positive, f.above and f.below)
        case "sinh" | "cosh":
            linear = f.above and f.below
            lo = Fraction(1) if head == "cosh" else Fraction(0) if _at_least_0(f) else None
            return _size(lo, None, f.smooth and linear, linear)
    raise Refusal(f"the size of {head!r}")
