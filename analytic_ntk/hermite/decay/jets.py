"""The shape of a function at a complex singularity: a series in ``V^mu (log V)^l`` by recursion on the tree.

``V = i (x - x0)`` is positive directly below the singularity ``x0``, where the function is analytic, so that
powers and logarithms of ``V`` are principal values there. Which branch a logarithm or a root has arrived
at is found by following it along the vertical line from the real axis. Coefficients are complex balls; one
that is zero to about 120 bits is taken for zero (a prediction rests on it, never a proof).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import acb, arb, fmpq
from numpy.typing import NDArray

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.notation import x

BITS = 320
_ZERO_BITS = 120
_END = Fraction(9)
"""Series are carried up to this power of ``V``."""

Complexes = NDArray[np.complex128]


class NoShapeError(Exception):
    """The function has no expansion of this kind (an essential singularity, a nested logarithm, ...)."""


def _rational(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _without_dust(value: acb) -> acb:
    """Real and imaginary parts that are zero to the bits that count, made zero (no logarithm on its cut)."""
    tiny = arb(2) ** -_ZERO_BITS
    parts = [arb(0) if abs(part).upper() < tiny else part for part in (value.real, value.imag)]
    return acb(*parts)


@dataclass(frozen=True)
class Jet:
    """``sum c V^power (log V)^logs + O(V^end)``, as ``{(power, logs): c}``."""

    terms: dict[tuple[Fraction, int], acb]
    end: Fraction

    @classmethod
    def of(cls, terms: dict[tuple[Fraction, int], acb], end: Fraction) -> Jet:
        """Drop what is zero or beyond the end."""
        cleaned = {key: _without_dust(c) for key, c in terms.items() if key[0] < end}
        kept = {key: c for key, c in cleaned.items() if c != 0}
        if any(not c.is_finite() for c in kept.values()):
            raise NoShapeError("a coefficient that is not finite")
        return cls(kept, end)

    @classmethod
    def constant(cls, value: acb) -> Jet:
        return cls.of({(Fraction(0), 0): acb(value)}, _END)

    @property
    def lead(self) -> Fraction:
        return min((power for power, _ in self.terms), default=self.end)

    def __add__(self, other: Jet) -> Jet:
        total = dict(self.terms)
        for key, c in other.terms.items():
            total[key] = total.get(key, acb(0)) + c
        return Jet.of(total, min(self.end, other.end))

    def __mul__(self, other: Jet) -> Jet:
        total: dict[tuple[Fraction, int], acb] = {}
        for (p, l), c in self.terms.items():
            for (r, m), d in other.terms.items():
                key = (p + r, l + m)
                total[key] = total.get(key, acb(0)) + c * d
        return Jet.of(total, min(self.end + other.lead, other.end + self.lead))

    def times(self, factor: acb) -> Jet:
        return Jet.of({key: factor * c for key, c in self.terms.items()}, self.end)

    def leading(self) -> tuple[Fraction, acb, Jet]:
        """``(a, c, u)`` with ``self = c V^a (1 + u)`` and ``u -> 0``."""
        if not self.terms:
            raise NoShapeError("a function that vanishes to the order carried")
        a = self.lead
        if any(power == a and logs for power, logs in self.terms):
            raise NoShapeError("a leading logarithm under a root, a logarithm or in a denominator")
        c = self.terms[a, 0]
        rest = {(p - a, l): d / c for (p, l), d in self.terms.items() if (p, l) != (a, 0)}
        return a, c, Jet.of(rest, self.end - a)

    def compose(self, coefficient: Callable[[int], acb]) -> Jet:
        """``sum_k coefficient(k) self^k`` for a jet that vanishes at ``V = 0``."""
        if self.terms and self.lead <= 0:
            raise NoShapeError("an entire function of something unbounded")
        total = Jet.of({(Fraction(0), 0): acb(coefficient(0))}, self.end)
        power = Jet.constant(acb(1))
        steps = math.ceil(self.end / self.lead) if self.terms else 0
        for k in range(1, steps + 1):
            power = power * self
            total = total + power.times(acb(coefficient(k)))
        return total

    def split(self) -> tuple[acb, Jet]:
        """The value at ``V = 0`` and the rest, for a bounded jet."""
        value = self.terms.get((Fraction(0), 0), acb(0))
        rest = Jet.of({key: c for key, c in self.terms.items() if key != (Fraction(0), 0)}, self.end)
        return value, rest

    def power(self, exponent: Fraction, turns: int = 0) -> Jet:
        """``self^exponent``; ``turns`` full turns are added to the principal argument of the leading term."""
        a, c, u = self.leading()
        if exponent.denominator == 1:
            scale = c ** int(exponent)
        else:
            scale = ((c.log() + acb(0, 2 * turns) * arb.pi()) * _rational(exponent)).exp()
        binomials = [arb(1)]

        def binomial(k: int) -> acb:
            while len(binomials) <= k:
                j = len(binomials)
                binomials.append(binomials[-1] * _rational((exponent - j + 1) / j))
            return acb(binomials[k])

        series = u.compose(binomial)
        move = a * exponent
        moved = {(p + move, l): d * scale for (p, l), d in series.terms.items()}
        return Jet.of(moved, series.end + move)

    def logarithm(self, turns: int = 0) -> Jet:
        a, c, u = self.leading()
        series = u.compose(lambda k: acb(0) if k == 0 else acb((-1) ** (k + 1)) / k)
        start = {(Fraction(0), 0): c.log() + acb(0, 2 * turns) * arb.pi()}
        if a:
            start[Fraction(0), 1] = acb(_rational(a))
        return Jet.of(start, series.end) + series

    def exponential(self) -> Jet:
        value, rest = self.split()
        scale, factorial = value.exp(), [acb(1)]

        def inverse_factorial(k: int) -> acb:
            while len(factorial) <= k:
                factorial.append(factorial[-1] / len(factorial))
            return factorial[k]

        return rest.compose(inverse_factorial).times(scale)

    def error_function(self) -> Jet:
        value, rest = self.split()
        derivatives = [acb(1), 2 * value]  # physicists' Hermite polynomials: erf^(k+1) = (-1)^k H_k exp(-z^2)
        scale = 2 * (-value * value).exp() / arb.pi().sqrt()

        def coefficient(k: int) -> acb:
            if k == 0:
                return value.erf()
            while len(derivatives) < k:
                j = len(derivatives)
                derivatives.append(2 * value * derivatives[-1] - 2 * (j - 1) * derivatives[-2])
            return scale * derivatives[k - 1] * (-1) ** (k - 1) / math.factorial(k)

        return rest.compose(coefficient)


class Local:
    """The jets of the nodes of an expression at one singularity, branches followed from the real line."""

    def __init__(self, place: acb) -> None:
        self.place = place
        start, height = float(place.real.mid()), float(place.imag.mid())
        self.nodes = start + 1j * height * (1 - np.concatenate([np.linspace(1, 0.02, 400), _CLOSING]))

    def jet(self, expr: sp.Expr) -> Jet:
        """The series of ``expr``; raises :class:`NoShapeError` where there is none of this kind."""
        if expr == x:
            return Jet.of({(Fraction(0), 0): self.place, (Fraction(1), 0): acb(0, -1)}, _END)
        if not expr.has(x):
            return Jet.constant(acb(exact_ball(expr)))
        if isinstance(expr, (sp.Add, sp.Mul)):
            jets = [self.jet(arg) for arg in expr.args]
            total = jets[0]
            for other in jets[1:]:
                total = total + other if isinstance(expr, sp.Add) else total * other
            return total
        if isinstance(expr, sp.Pow) and expr.exp.is_Rational:
            exponent = Fraction(int(expr.exp.p), int(expr.exp.q))
            base = self.jet(expr.base)
            if exponent.denominator == 1 and exponent >= 0:
                total = Jet.constant(acb(1))
                for _ in range(int(exponent)):
                    total = total * base
                return total
            return base.power(exponent, self._turns(expr.base, base, exponent.denominator > 1))
        return self._function(expr)

    def _function(self, expr: sp.Expr) -> Jet:
        if len(expr.args) != 1:
            raise NoShapeError(f"{expr.func}")
        g = expr.args[0]
        one = Jet.constant(acb(1))
        if isinstance(expr, sp.log):
            return self._log(g)
        if isinstance(expr, fn.softplus):
            return self._log(1 + sp.exp(g))
        if isinstance(expr, sp.atan):
            difference = self._log(1 + sp.I * g) + self._log(1 - sp.I * g).times(acb(-1))
            return difference.times(acb(0, -1) / 2)
        inner = self.jet(g)
        if isinstance(expr, sp.exp):
            return inner.exponential()
        if isinstance(expr, fn.sigmoid):
            return (one + inner.times(acb(-1)).exponential()).power(Fraction(-1))
        if isinstance(expr, sp.tanh):
            return self._tanh(g, inner)
        if isinstance(expr, (sp.sin, sp.cos, sp.sinh, sp.cosh)):
            unit = acb(0, 1) if isinstance(expr, (sp.sin, sp.cos)) else acb(1)
            up, down = inner.times(unit).exponential(), inner.times(-unit).exponential()
            if isinstance(expr, (sp.cos, sp.cosh)):
                return (up + down).times(acb(1) / 2)
            return (up + down.times(acb(-1))).times(1 / (2 * unit))
        if isinstance(expr, sp.erf):
            return inner.error_function()
        if isinstance(expr, sp.erfc):
            return one + inner.error_function().times(acb(-1))
        if isinstance(expr, fn.Phi):
            scaled = inner.times(1 / acb(2).sqrt()).error_function()
            return (one + scaled).times(acb(1) / 2)
        raise NoShapeError(f"{expr.func}")

    def _tanh(self, g: sp.Expr, inner: Jet) -> Jet:
        if isinstance(g, fn.softplus):  # rational in exp: the branch of the logarithm plays no part
            square = Jet.constant(acb(1)) + self.jet(g.args[0]).exponential()
            double = square * square
        else:
            double = inner.times(acb(2)).exponential()
        one = Jet.constant(acb(1))
        return (double + one.times(acb(-1))) * (double + one).power(Fraction(-1))

    def _log(self, g: sp.Expr) -> Jet:
        inner = self.jet(g)
        return inner.logarithm(self._turns(g, inner, True))

    def _turns(self, expr: sp.Expr, jet: Jet, needed: bool) -> int:
        """Full turns between the principal argument of the leading term and the one arrived at."""
        if not needed:
            return 0
        with np.errstate(all="ignore"):
            arrived = np.unwrap(np.angle(self._follow(expr)))[-1]
        if not np.isfinite(arrived):
            raise NoShapeError("a branch that overflows on the way")
        _, c, _ = jet.leading()
        return round((arrived - float(c.arg().mid())) / (2 * math.pi))

    def _follow(self, expr: sp.Expr) -> Complexes:
        """Values on the way from the real line to the singularity, logarithms and roots continued."""
        if expr == x:
            return self.nodes
        if not expr.has(x):
            return np.full_like(self.nodes, complex(sp.N(expr, 20)))
        args = [self._follow(arg) for arg in expr.args if arg.has(x)]
        if isinstance(expr, (sp.Add, sp.Mul)):
            operation = np.add if isinstance(expr, sp.Add) else np.multiply
            rest = [np.full_like(self.nodes, complex(sp.N(a, 20))) for a in expr.args if not a.has(x)]
            return operation.reduce([*args, *rest])
        z = args[0]
        if isinstance(expr, sp.Pow) and expr.exp.is_Rational:
            return z ** int(expr.exp) if expr.exp.is_Integer else np.exp(float(expr.exp) * _continued(z))
        simple: dict[Any, Callable[[Complexes], Any]] = {
            sp.exp: np.exp, sp.sin: np.sin, sp.cos: np.cos,
            sp.sinh: np.sinh, sp.cosh: np.cosh, sp.tanh: np.tanh,
            sp.log: _continued,
            fn.sigmoid: lambda w: 1 / (1 + np.exp(-w)),
            fn.softplus: lambda w: _continued(1 + np.exp(w)),
            sp.atan: lambda w: (_continued(1 + 1j * w) - _continued(1 - 1j * w)) / 2j,
        }  # fmt: skip
        if expr.func not in simple:
            raise NoShapeError(f"a root or logarithm of {expr.func}")
        values: Complexes = simple[expr.func](z)
        return values


_CLOSING = 0.02 * 2.0 ** -np.arange(1, 24)


def _continued(z: Complexes) -> Complexes:
    return np.log(np.abs(z)) + 1j * np.unwrap(np.angle(z))


def leading_singularity(jet: Jet) -> tuple[Fraction, int, acb] | None:
    """``(mu, logs, coefficient)`` of the first term that is not analytic; ``None`` if none was carried."""
    found = [(power, -logs) for power, logs in jet.terms if logs or power.denominator > 1 or power < 0]
    if not found:
        return None
    power, logs = min(found)
    return power, -logs, jet.terms[power, -logs]
