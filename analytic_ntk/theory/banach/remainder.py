"""What a Taylor series leaves out, by Cauchy's integral over a circle, with branches followed around it.

For ``phi`` analytic on ``|s - z| <= rho`` and a real ``|v| < rho``,

    phi(z + v) - sum_{n<=N} phi^(n)(z)/n! v^n = mean over |w| = rho of phi(z + w) (v/w)^(N+1) w/(w - v),

so that it is at most ``(|v|/rho)^(N+1)`` times the mean of ``|phi(z + w)| rho/|w - v|``. The mean is bounded
arc by arc. A logarithm or a root is continued along the circle from the real line, where it is real: inside
the disc there is one branch, and it need not be the principal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
from flint import acb, arb

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import BALL_TABLE, exact_ball
from analytic_ntk.arithmetic.programme import Programme
from analytic_ntk.errors import PrecisionError
from analytic_ntk.notation import x

_ARCS = 16
_DEEPEST = 12
"""Into how many arcs half a circle is cut, and how often one is halved before the circle is given up."""
_MOST = 200
"""How many arcs make a bound sharper."""

Arguments = tuple[arb, ...]
"""The imaginary parts of all logarithms met in one evaluation, in order."""


@dataclass(frozen=True)
class _Arc:
    """From ``start`` on, ``length`` half turns; ``before``: the arguments on an arc that ends at its start;
    ``size``: of the integrand."""

    start: arb
    length: arb
    before: Arguments
    size: arb


@dataclass(frozen=True)
class _Circle:
    programme: Programme
    z: arb
    v: arb
    rho: arb

    def cover(
        self, start: arb, length: arb, before: Arguments, deep: int = 0
    ) -> tuple[list[_Arc], Arguments]:
        """Arcs on which the integrand is bounded, and the arguments on the last one."""
        w = self.rho * acb(0, start.union(start + length) * arb.pi()).exp()
        value, found = _Walk(self.programme, before).at(self.z + w)
        size = abs(value) * self.rho / abs(w - self.v)
        if size.is_finite():
            return [_Arc(start, length, before, size)], found
        if deep == _DEEPEST:
            raise PrecisionError("a circle on which the function is not bounded", "a smaller circle")
        half = length / 2
        one, found = self.cover(start, half, before, deep + 1)
        other, found = self.cover(start + half, half, found, deep + 1)
        return one + other, found


def remainder(part: sp.Expr, z: arb, v: arb, rho: arb, order: int, sharp: bool = True) -> arb:
    """An upper bound of what the series of ``part`` at ``z``, cut after ``order``, leaves out at ``v``.

    ``part`` must be real and analytic on the disc of radius ``rho > |v|``. ``sharp``: arcs that make the
    bound wide are halved, which costs time. Raises :class:`PrecisionError` where a value on the circle has no
    bound.
    """
    circle = _Circle(_programme(part), z, v, rho)
    arcs, known = list[_Arc](), _Walk(circle.programme, None).at(acb(z + rho))[1]
    for k in range(_ARCS):  # phi is real on the real line: the lower half says the same
        found, known = circle.cover(arb(k) / _ARCS, arb(1) / _ARCS, known)
        arcs += found
    ratio, power = abs(v) / rho, arb(1)
    for _ in range(order + 1):
        power = power * ratio
    return arb((_mean(_sharpened(circle, arcs) if sharp else arcs) * power).upper())


def _mean(arcs: list[_Arc]) -> arb:
    return sum((arb(arc.size.upper()) * arc.length for arc in arcs), arb(0))


def _sharpened(circle: _Circle, arcs: list[_Arc]) -> list[_Arc]:
    """Arcs halved until none adds more than its part of a quarter of the mean by the width of its bound."""
    for _ in range(_DEEPEST):
        share = _mean(arcs) / (4 * len(arcs))
        wide = [arc for arc in arcs if not arc.size.rad() * arc.length < share]
        if not wide or len(arcs) + len(wide) > _MOST:
            break
        arcs = [arc for arc in arcs if arc.size.rad() * arc.length < share]
        for arc in wide:
            half = arc.length / 2
            one, known = circle.cover(arc.start, half, arc.before)
            arcs += one + circle.cover(arc.start + half, half, known)[0]
    return arcs


class _Walk:
    """One evaluation whose logarithms continue ``known`` ones; ``None``: they start as principal ones."""

    def __init__(self, programme: Programme, known: Arguments | None) -> None:
        self.programme = programme
        self.known = known
        self.found: list[arb] = []

    def at(self, s: acb) -> tuple[acb, Arguments]:
        stack = [acb(s)]
        for kind, payload, where in self.programme.steps:
            args = [stack[slot] for slot in where]
            if kind == "constant":
                value = acb(exact_ball(payload))
            elif kind == "power":
                value = self._power(args[0], payload)
            elif kind == "general_power":
                value = (self._log(args[0]) * args[1]).exp()
            elif kind == "call":
                value = self._call(payload, args[0])
            else:
                value = args[0]
                for other in args[1:]:
                    value = value + other if kind == "sum" else value * other
            stack.append(acb(value))
        return stack[self.programme.result], tuple(self.found)

    def _call(self, function: type[sp.Basic], u: acb) -> acb:
        if function is sp.log:
            return self._log(u)
        if function is fn.softplus:
            return self._log(1 + u.exp())
        if function is sp.atan:
            turned = acb(0, 1) * u
            return (self._log(1 + turned) - self._log(1 - turned)) / acb(0, 2)
        return acb(BALL_TABLE[function](u))

    def _power(self, u: acb, exponent: sp.Expr) -> acb:
        if exponent.is_Integer:
            return acb(u ** int(exponent))
        return (self._log(u) * exact_ball(exponent)).exp()

    def _log(self, u: acb) -> acb:
        """The branch that agrees with the arc before, which has the first point in common."""
        centre = acb(u.real.mid(), u.imag.mid())
        value = (u / centre).log(analytic=True) + centre.log() if not u.contains(0) else acb("nan")
        if self.known is not None and value.is_finite():
            before, turn = self.known[len(self.found)], 2 * arb.pi()
            value += acb(0, turn * ((before.mid() - value.imag.mid()) / turn + 0.5).mid().floor())
            if not (before.overlaps(value.imag) and before.rad() + value.imag.rad() < 2):  # one branch only
                value = acb("nan")
        self.found.append(value.imag)
        return value


@lru_cache(maxsize=512)
def _programme(part: sp.Expr) -> Programme:
    return Programme(part, (x,), BALL_TABLE)
