"""Exact arithmetic with unknowns: what is 0 whatever the values of the kernels are.

A :class:`Formal` is a quotient of polynomials with rational coefficients in atoms: ``pi``, ``sqrt(2)``, the
value of a kernel at a point. It is zero only where everything cancels, so a zero found here is a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    nonnegative: bool = False


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
                if isinstance(atom.name, tuple) and atom.name[0] == "root" and powers[atom] > 1:
                    value *= atom.name[1] ** (powers[atom] // 2)
                    powers[atom] %= 2
            key = tuple(sorted(((a, c) for a, c in powers.items() if c), key=lambda item: repr(item[0])))
            found[key] = found.get(key, Fraction(0)) + value
    return _reduced(found)


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
        if self.bottom == other.bottom:
            return Formal(_plus(self.top, other.top), self.bottom)
        top = _plus(_product(self.top, other.bottom), _product(other.top, self.bottom))
        return Formal(top, _product(self.bottom, other.bottom))

    def __sub__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        return self + -Formal.of(other)

    def __mul__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        other = Formal.of(other)
        return Formal(_product(self.top, other.top), _product(self.bottom, other.bottom))

    def __truediv__(self, other: Any) -> Formal:
        if not isinstance(other, (Formal, Atom, Fraction, int)):
            return NotImplemented
        other = Formal.of(other)
        if not other.top:
            raise NotFormal
        return Formal(_product(self.top, other.bottom), _product(self.bottom, other.top))

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

    def sin(self) -> Formal:
        return self._known("sin", {Fraction(0): 0})

    def cos(self) -> Formal:
        return self._known("cos", {Fraction(0): 1})

    def asin(self) -> Formal:
        half = Formal.of(PI) / 2
        return self._known("asin", {Fraction(0): 0, Fraction(1): half, Fraction(-1): -half})

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
