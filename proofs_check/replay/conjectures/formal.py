"""Exact arithmetic with unknowns: what is 0 whatever the values of the kernels are.

A :class:`Formal` is a quotient of polynomials with rational coefficients in atoms: ``pi``, ``sqrt(2)``, the
value of a kernel at a point. It is zero only where everything cancels, so a zero found here is a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt
from typing import Any

MAX_TERMS = 100
Monomial = tuple[tuple["Atom", int], ...]
"""Atoms with their exponents, sorted by their text."""
Polynomial = dict[Monomial, Fraction]


class NotFormal(Exception):
    """A value that has no formal counterpart, or one too long to write."""


@dataclass(frozen=True)
class Atom:
    """An unknown real number; ``nonnegative`` if it is known to be so."""

    name: Any
    nonnegative: bool = field(default=False, compare=False, repr=False)

    @property
    def is_root(self) -> bool:
        """The square root of an integer."""
        return isinstance(self.name, tuple) and self.name[0] == "root"


def _product(one: Polynomial, two: Polynomial) -> Polynomial:
    found: Polynomial = {}
    if len(one) * len(two) > MAX_TERMS**2 // 4:
        raise NotFormal
    for a, x in one.items():
        for b, y in two.items():
            powers = dict(a)
            for atom, count in b:
                powers[atom] = powers.get(atom, 0) + count
            value = x * y
            for atom in [*powers]:  # sqrt(2)^2 = 2
                if atom.is_root and powers[atom] > 1:
                    value *= atom.name[1] ** (powers[atom] // 2)
                    powers[atom] %= 2
            key = _monomial(powers)
            found[key] = found.get(key, Fraction(0)) + value
    return _reduced(found)


def _monomial(powers: dict[Atom, int]) -> Monomial:
    return tuple(sorted(((a, c) for a, c in powers.items() if c), key=lambda item: repr(item[0])))


def _over(polynomial: Polynomial, by: dict[Atom, int]) -> Polynomial:
    """Divided by a monomial that divides every term."""
    return {_monomial({a: c - by.get(a, 0) for a, c in key}): value for key, value in polynomial.items()}


def _cancelled(top: Polynomial, bottom: Polynomial) -> Formal:
    """A quotient; what divides every term is taken out of a denominator of one term."""
    if not bottom:  # a zero that was not seen before, such as sqrt(2036162) - 1009 sqrt(2)
        raise NotFormal
    if not top or len(bottom) > 1:
        return Formal(top, bottom if top else ONE)
    ((key, value),) = bottom.items()
    roots = tuple((atom, 1) for atom, _ in key if atom.is_root)
    if roots:  # 1/sqrt(2) = sqrt(2)/2
        return _cancelled(_product(top, {roots: Fraction(1)}), _product(bottom, {roots: Fraction(1)}))
    shared = {a: min(c, *(dict(term).get(a, 0) for term in top)) for a, c in key}
    top = _reduced({term: x / value for term, x in _over(top, shared).items()})
    return Formal(top, _over({key: Fraction(1)}, shared))


def _over_one(one: Formal, two: Formal) -> tuple[Polynomial, Polynomial, Polynomial]:
    """Both numerators over a common denominator, and this."""
    if one.bottom == two.bottom:
        return one.top, two.top, one.bottom
    if len(one.bottom) > 1 or len(two.bottom) > 1:
        bottom = _product(one.bottom, two.bottom)
        return _product(one.top, two.bottom), _product(two.top, one.bottom), bottom
    first, second = (dict(next(iter(f.bottom))) for f in (one, two))
    both = {a: max(first.get(a, 0), second.get(a, 0)) for a in {**first, **second}}
    tops = (
        _product(f.top, {_monomial({a: c - own.get(a, 0) for a, c in both.items()}): Fraction(1)})
        for f, own in ((one, first), (two, second))
    )
    return (*tops, {_monomial(both): Fraction(1)})  # type: ignore[return-value]


def _plus(one: Polynomial, two: Polynomial) -> Polynomial:
    found = dict(one)
    for key, value in two.items():
        found[key] = found.get(key, Fraction(0)) + value
    return _reduced(found)


def _reduced(found: Polynomial) -> Polynomial:
    found = {key: value for key, value in found.items() if value != 0}
    if len(found) > MAX_TERMS or any(abs(v.numerator) + v.denominator > 1 << 4000 for v in found.values()):
        raise NotFormal
    return found


ONE: Polynomial = {(): Fraction(1)}


@dataclass(frozen=True, eq=False)
class Formal:
    top: Polynomial
    bottom: Polynomial

    @classmethod
    def of(cls, value: Any) -> Formal:
        if isinstance(value, Formal):
            return value
        if isinstance(value, Atom):
            return cls({((value, 1),): Fraction(1)}, ONE)
        return cls(_reduced({(): Fraction(value)}), ONE)

    @property
    def is_zero(self) -> bool:
        return not self.top

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same quotient as written."""
        top, bottom = (";".join(sorted(map(repr, p.items()))) for p in (self.top, self.bottom))
        return top, bottom

    @property
    def rational(self) -> Fraction | None:
        if not self.top:
            return Fraction(0)
        if set(self.top) == {()} and set(self.bottom) == {()}:
            return self.top[()] / self.bottom[()]
        return None

    def __neg__(self) -> Formal:
        return Formal({key: -value for key, value in self.top.items()}, self.bottom)

    def __add__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        other = Formal.of(other)
        one, two, bottom = _over_one(self, other)
        return _cancelled(_plus(one, two), bottom)

    def __sub__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        return self + -Formal.of(other)

    def __mul__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        other = Formal.of(other)
        return _cancelled(_product(self.top, other.top), _product(self.bottom, other.bottom))

    def __truediv__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        other = Formal.of(other)
        if not other.top:
            raise NotFormal
        return _cancelled(_product(self.top, other.bottom), _product(self.bottom, other.top))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Formal:
        return -self + other

    def __rtruediv__(self, other: Any) -> Formal:
        return Formal.of(other) / self

    def power(self, count: int) -> Formal:
        if abs(count) > MAX_TERMS:
            raise NotFormal
        result = Formal.of(1)
        for _ in range(abs(count)):
            result = result * self
        return result if count >= 0 else Formal.of(1) / result

    def _signs(self) -> set[bool]:
        """The signs of the terms, where every atom is known to be non-negative."""
        found = set()
        for polynomial in (self.top, self.bottom):
            if not all(atom.nonnegative or count % 2 == 0 for key in polynomial for atom, count in key):
                raise NotFormal
            signs = {value > 0 for value in polynomial.values()}
            if len(signs) > 1:
                raise NotFormal
            found.add(signs == {True} or not signs)
        return found

    def __abs__(self) -> Formal:
        return self if len(self._signs()) == 1 else -self

    # ------------------------------------------------------------------------- functions

    def _known(self, name: str, special: dict[Fraction, Any], nonnegative: bool = False) -> Formal:
        value = self.rational
        if value is not None and value in special:
            return Formal.of(special[value])
        return Formal.of(Atom((name, self.key), nonnegative))

    def unknown(self, name: str) -> Formal:
        """The value of some function here, an atom."""
        return self._known(name, {})

    def exp(self) -> Formal:
        return self._known("exp", {Fraction(0): 1, Fraction(1): Atom("e", True)}, True)

    def log(self) -> Formal:
        return self._known("log", {Fraction(1): 0})

    @property
    def is_turned(self) -> bool:
        """Which of a number and its negative is written as the negative of the other."""
        value = self.rational
        return value < 0 if value is not None else self.key > (-self).key

    def sin(self) -> Formal:
        return -(-self).sin() if self.is_turned else self._known("sin", {Fraction(0): 0})

    def cos(self) -> Formal:
        return (-self).cos() if self.is_turned else self._known("cos", {Fraction(0): 1})

    def asin(self) -> Formal:
        if self.is_turned:
            return -(-self).asin()
        known = {Fraction(0): 0, Fraction(1): Formal.of(PI) / 2, Fraction(1, 2): Formal.of(PI) / 6}
        return self._known("asin", known, self.rational is not None)

    def acos(self) -> Formal:
        return Formal.of(PI) / 2 - self.asin()

    def sqrt(self) -> Formal:
        value = self.rational
        if value is None:
            return self._known("sqrt", {}, True)
        if value < 0:
            raise NotFormal
        top, rest = _square_part(value.numerator * value.denominator)
        root = Formal.of(Fraction(top, value.denominator))
        return root if rest == 1 else root * Formal.of(Atom(("root", rest), True))


def _square_part(number: int) -> tuple[int, int]:
    """``number = top^2 rest``, small square factors taken out."""
    if number.bit_length() > 2_000:
        raise NotFormal
    if number == 0:
        return 0, 1
    top, rest, prime = 1, number, 2
    while prime * prime <= rest and prime < 1_000:
        if rest % (prime * prime) == 0:
            rest, top = rest // (prime * prime), top * prime
        else:
            prime += 1
    root = isqrt(rest)
    return (top * root, 1) if root * root == rest else (top, rest)


PI = Atom("pi", True)
