"""Exact normal forms: elementary functions of ``t > 0`` as sums of rational multiples of monomials.

A monomial is a product of atoms with rational exponents. The atoms:

* ``t``, ``pi``, primes, ``exp(m)`` for a monomial ``m``: positive, so that any exponent has a meaning;
* ``sum(P)`` for a sum ``P`` of two terms or more, ``log(P)``, ``sin(P)``, ``cos(P)``, ``erf(P)``,
  ``atan(P)``.

Everything else is written with these: ``tanh z = 1 - 2/(1 + e^2z)``, ``softplus z = log(1 + e^z)``,
``Phi z = (1 + erf(z/sqrt 2))/2``, ... Odd functions take one of ``P`` and ``-P``, ``cos^2 = 1 - sin^2``, and
of ``sum(P)`` the leading term is divided out: ``e^t/(1 + e^t) = 1 - 1/(1 + e^t)``. Every rewriting is an
identity of functions where they are defined. So equal normal forms mean equal functions; different ones
mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from flint import arb

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, ball, rational

MAX_TERMS, MAX_EXPONENT, MAX_TEXT, MAX_DIGITS = 300, 64, 20_000, 20_000
_POSITIVE = ("t", "pi", "prime", "exp")
_SMALL_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


@dataclass(frozen=True, order=True)
class Atom:
    """``kind`` applied to ``inner``; atoms with the same kind and text are the same."""

    kind: str
    text: str = ""
    inner: Form = field(default_factory=dict, compare=False)

    @property
    def varies(self) -> bool:
        """Whether it depends on ``t``."""
        return self.kind == "t" or varies(self.inner)


Monomial = tuple[tuple[Atom, Fraction], ...]
Form = dict[Monomial, Fraction]
T = Atom("t")


def constant(number: Fraction | int) -> Form:
    return {(): Fraction(number)} if number else {}


def line(slope: Fraction) -> Form:
    """``slope * t``."""
    return {((T, Fraction(1)),): slope}


def varies(form: Form) -> bool:
    return any(atom.varies for monomial in form for atom, _ in monomial)


def plus(one: Form, other: Form) -> Form:
    total = dict(one)
    for monomial, c in other.items():
        total[monomial] = total.get(monomial, Fraction(0)) + c
    return {monomial: c for monomial, c in total.items() if c}


def scaled(form: Form, number: Fraction | int) -> Form:
    return {monomial: c * number for monomial, c in form.items()} if number else {}


def powers_of_t(form: Form) -> dict[int, Form] | None:
    """The coefficients by power, if the form is a polynomial in ``t`` with constant coefficients."""
    found: dict[int, Form] = {}
    for monomial, c in form.items():
        exponent = dict(monomial).get(T, Fraction(0))
        rest = tuple((atom, e) for atom, e in monomial if atom != T)
        if exponent < 0 or exponent.denominator > 1 or any(atom.varies for atom, _ in rest):
            return None
        found[int(exponent)] = plus(found.get(int(exponent), {}), {rest: c})
    return {k: f for k, f in found.items() if f}


def _lead(form: Form) -> Monomial:
    """The greatest monomial in a lexicographic order: dividing it out again and again comes to an end."""
    atoms = sorted({atom for monomial in form for atom, _ in monomial}, key=lambda a: (not a.varies, a))
    return max(form, key=lambda m: [dict(m).get(atom, Fraction(0)) for atom in atoms])


def value(form: Form) -> arb:
    """The ball of a constant form."""
    total = arb(0)
    for monomial, c in form.items():
        term = ball(c)
        for atom, e in monomial:
            term *= _atom_value(atom) ** ball(e) if atom.kind in _POSITIVE else _whole(atom, e)
        total += term
    return total


def _whole(atom: Atom, e: Fraction) -> arb:
    base = _atom_value(atom)
    if e.denominator > 1:
        return (base.log() * ball(e)).exp()
    return base ** int(e) if e >= 0 else 1 / base ** int(-e)


def _atom_value(atom: Atom) -> arb:
    if atom.kind == "t":
        raise Refusal("a constant is required")
    if atom.kind == "pi":
        return arb.pi()
    inner = value(atom.inner)
    return inner if atom.kind in ("prime", "sum") else getattr(inner, atom.kind)()


@dataclass(frozen=True)
class Algebra:
    """The operations, each paid for from a budget; :class:`Refusal` where a form grows too long."""

    budget: Budget

    # -------------------------------------------------------------------------- ring

    def times(self, one: Form, other: Form) -> Form:
        total: Form = {}
        for m1, c1 in one.items():
            for m2, c2 in other.items():
                exponents = dict(m1)
                for atom, e in m2:
                    exponents[atom] = exponents.get(atom, Fraction(0)) + e
                for monomial, c in self._reduced(exponents, c1 * c2).items():
                    total[monomial] = total.get(monomial, Fraction(0)) + c
            self._checked(total)
        return {monomial: c for monomial, c in total.items() if c}

    def _checked(self, form: Form) -> Form:
        if len(form) > MAX_TERMS:
            raise Refusal("an expression too long to expand")
        return form

    def _reduced(self, exponents: dict[Atom, Fraction], c: Fraction) -> Form:
        """One product of atoms, with the rules applied."""
        self.budget.spend(400 * (1 + len(exponents)))
        exponents = {atom: e for atom, e in exponents.items() if e}
        for atom, e in exponents.items():
            others = {a: f for a, f in exponents.items() if a != atom}
            if atom.kind == "prime" and not 0 <= e < 1:
                self._moderate(abs(e))
                return self._reduced(others | {atom: e - floor(e)}, c * Fraction(int(atom.text)) ** floor(e))
            if atom.kind == "cos" and e >= 2:
                square = {(): Fraction(1), ((Atom("sin", atom.text, atom.inner), Fraction(2)),): Fraction(-1)}
                return self.times(self._reduced(others | {atom: e - 2}, c), square)
            if atom.kind == "sum" and e >= 1:
                rest = self._reduced(others | {atom: e - floor(e)}, c)
                return self.times(rest, self._repeated(atom.inner, floor(e)))
            if atom.kind == "sum" and e < 0:
                self.budget.spend(200 * len(atom.inner))
                lead = _lead(atom.inner)
                if lead and all(f > 0 and others.get(a, Fraction(0)) >= f for a, f in lead):
                    for a, f in lead:
                        others[a] = others[a] - f
                    rest = {m: -k for m, k in atom.inner.items() if m != lead}
                    c = c / atom.inner[lead]
                    whole = self._reduced(others | {atom: e + 1}, c)
                    return plus(whole, self.times(self._reduced(others | {atom: e}, c), rest))
        if max(abs(c.numerator), c.denominator).bit_length() > 4 * MAX_DIGITS:
            raise Refusal("a number too long")
        return {tuple(sorted(exponents.items())): c} if c else {}

    def _repeated(self, form: Form, count: int) -> Form:
        self._moderate(Fraction(count))
        result = constant(1)
        for _ in range(count):
            result = self.times(result, form)
        return result

    def _moderate(self, exponent: Fraction) -> None:
        if abs(exponent) > MAX_EXPONENT:
            raise Refusal(f"an exponent beyond {MAX_EXPONENT} in an identity")

    # -------------------------------------------------------------------------- powers, exp, log

    def power(self, form: Form, q: Fraction) -> Form:
        self._moderate(q)
        if not form:
            if q <= 0:
                raise Refusal("a power of 0 that is not positive")
            return {}
        whole = q.denominator == 1
        if whole and q >= 0:
            return self._repeated(form, int(q))
        c, monomial, rest = self._content(form, signed=whole)
        result = self._constant_power(c, q) if not whole else constant(c ** int(q))
        result = self.times(result, self._reduced({atom: e * q for atom, e in monomial}, Fraction(1)))
        if rest == constant(1):
            return result
        if len(rest) == 1 and whole:
            (((m, k)),) = rest.items()
            return self.times(result, self._reduced({atom: e * q for atom, e in m}, k ** int(q)))
        return self.times(result, {((self._atom("sum", rest), q),): Fraction(1)})

    def _content(self, form: Form, signed: bool) -> tuple[Fraction, Monomial, Form]:
        """``form = c m P`` with ``m`` of positive atoms as large as possible, ``c > 0`` unless ``signed``."""
        atoms = {atom for monomial in form for atom, _ in monomial if atom.kind in _POSITIVE}
        least = {a: min(dict(m).get(a, Fraction(0)) for m in form) for a in atoms}
        monomial = tuple(sorted((a, e) for a, e in least.items() if e))
        c = form[min(form)]
        c = c if signed else abs(c)
        inverse = {a: -e for a, e in monomial}
        rest: Form = {}
        for m, k in form.items():
            exponents = {**inverse}
            for a, e in m:
                exponents[a] = exponents.get(a, Fraction(0)) + e
            rest = plus(rest, self._reduced(exponents, k / c))
        return c, monomial, rest

    def _constant_power(self, c: Fraction, q: Fraction) -> Form:
        return self._reduced({self._prime(p): e * q for p, e in self._factors(c)}, Fraction(1))

    def _factors(self, c: Fraction) -> list[tuple[int, Fraction]]:
        """``c > 0`` as a product of powers of small primes, and what is left."""
        found: dict[int, Fraction] = {}
        for number, sign in ((c.numerator, 1), (c.denominator, -1)):
            for p in _SMALL_PRIMES:
                while number % p == 0:
                    self.budget.spend(1)
                    number //= p
                    found[p] = found.get(p, Fraction(0)) + sign
            if number > 1:
                found[number] = found.get(number, Fraction(0)) + sign
        return [(p, e) for p, e in found.items() if e]

    def _prime(self, p: int) -> Atom:
        return Atom("prime", str(p), constant(p))

    def _atom(self, kind: str, inner: Form) -> Atom:
        text = " + ".join(
            f"{c}*" + "*".join(f"{a.kind}({a.text})^{e}" for a, e in m) for m, c in sorted(inner.items())
        )
        if len(text) > MAX_TEXT:
            raise Refusal("an expression too long to expand")
        self.budget.spend(50 + len(text))
        return Atom(kind, text, inner)

    def exp(self, form: Form) -> Form:
        result = constant(1)
        for monomial, c in form.items():
            if len(monomial) == 1 and monomial[0][0].kind == "log" and monomial[0][1] == 1:
                factor = self.power(monomial[0][0].inner, c)
            else:
                factor = {((self._atom("exp", {monomial: Fraction(1)}), c),): Fraction(1)}
            result = self.times(result, factor)
        return result

    def log(self, form: Form) -> Form:
        if not form:
            raise Refusal("log 0")
        c, monomial, rest = self._content(form, signed=False)
        total: Form = {}
        for p, e in self._factors(c):
            total = plus(total, {((Atom("log", str(p), constant(p)), Fraction(1)),): e})
        for atom, e in monomial:
            if atom.kind == "exp":
                total = plus(total, scaled(atom.inner, e))
            else:
                alone: Form = {((atom, Fraction(1)),): Fraction(1)}
                inner = atom.inner if atom.kind == "prime" else alone
                total = plus(total, {((Atom("log", atom.text or atom.kind, inner), Fraction(1)),): e})
        if rest == constant(-1):
            raise Refusal("the logarithm of a negative number")
        if rest != constant(1):
            total = plus(total, {((self._atom("log", rest), Fraction(1)),): Fraction(1)})
        return total

    def reflected(self, kind: str, form: Form) -> Form:
        """``sin``, ``erf``, ``atan`` (odd) or ``cos`` (even)."""
        if not form:
            return constant(1) if kind == "cos" else {}
        sign = Fraction(1 if form[min(form)] > 0 else -1)
        atom = self._atom(kind, scaled(form, sign))
        return {((atom, Fraction(1)),): Fraction(1) if kind == "cos" else sign}

    # -------------------------------------------------------------------------- expressions

    def evaluate(self, node: Any, x: Form) -> Form:
        """The form of an expression without switches."""
        if isinstance(node, str):
            if node == "x":
                return x
            if node == "pi":
                return {((Atom("pi"), Fraction(1)),): Fraction(1)}
            return self.exp(constant(1)) if node == "e" else constant(rational(node))
        head, *arguments = node
        if head == "^":
            return self.power(self.evaluate(arguments[0], x), rational(arguments[1]))
        values = [self.evaluate(argument, x) for argument in arguments]
        if head == "+" or head == "*":
            total = values[0]
            for other in values[1:]:
                total = self._checked(plus(total, other)) if head == "+" else self.times(total, other)
            return total
        return self._function(head, values[0])

    def _function(self, head: str, z: Form) -> Form:
        one, half = constant(1), Fraction(1, 2)
        if head == "exp":
            return self.exp(z)
        if head == "log":
            return self.log(z)
        if head in ("sin", "cos", "erf", "atan"):
            return self.reflected(head, z)
        if head == "erfc":
            return plus(one, scaled(self.reflected("erf", z), -1))
        if head == "Phi":
            root = self._constant_power(Fraction(2), -half)
            return scaled(plus(one, self.reflected("erf", self.times(z, root))), half)
        if head in ("sinh", "cosh"):
            sign = 1 if head == "cosh" else -1
            return scaled(plus(self.exp(z), scaled(self.exp(scaled(z, -1)), sign)), half)
        if head == "sigmoid":
            return self.power(plus(one, self.exp(scaled(z, -1))), Fraction(-1))
        if head == "softplus":
            return self.log(plus(one, self.exp(z)))
        if head == "tanh":
            inverse = self.power(plus(one, self.exp(scaled(z, 2))), Fraction(-1))
            return plus(one, scaled(inverse, -2))
        raise Refusal(f"{head!r} in an identity")
