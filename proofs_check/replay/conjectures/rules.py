"""What proves a comparison on a box, and what refutes it at a point.

For ``f = left - right`` (its derivative of the claimed order) on ``[l, h]``, ``f > 0`` or ``f >= 0`` follows
from

* its enclosure, directly or by Taylor's formula about the middle (mean value form);
* ``f' >= 0`` and the value at ``l``, or ``f' <= 0`` and the value at ``h``; ``f'' <= 0`` and the values at
  both;
* a zero of order ``k`` at an end: ``f = f' = .. = f^(k-1) = 0`` there, exactly, and ``f^(k)`` of one sign on
  the box.

Derivatives may be unbounded at an end (ReLU at ``rho = 1``): each rule needs one side of them only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial
from typing import Any

from flint import arb

from proofs_check.replay.conjectures.defined import conditions
from proofs_check.replay.conjectures.exactly import Exactly
from proofs_check.replay.conjectures.formal import Atom, Formal, NotFormal
from proofs_check.replay.conjectures.intervals import UNKNOWN, Interval
from proofs_check.replay.conjectures.jets import Jet
from proofs_check.replay.conjectures.statement import KERNELS, Comparison, Node, Statement, exact_value
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.terms import Enclosed, Outside, Place, World, jet_at
from proofs_check.replay.expression import Refusal

ZEROS = 4
"""Highest order of a zero at the end of a box."""
Box = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Shown:
    """Whether something was proved, and a lower bound of ``|f|`` seen on the way (0 at a zero)."""

    proved: bool
    margin: arb


class Judge:
    """The rules, for the kernels of one world."""

    def __init__(self, statement: Statement, world: World) -> None:
        self.statement, self.world = statement, world
        self.enclosed, self.exactly = Enclosed(world), Exactly(world)
        self._identical: dict[Comparison, bool] = {}

    # ------------------------------------------------------------------------- boxes of rho

    def on_box(self, box: Box) -> Shown:
        """All comparisons, on a box inside the statement's interval."""
        margin = arb("inf")
        for comparison in self.statement.comparisons:
            found = self._compared(comparison, box)
            margin = min(margin, found.margin)
            if not found.proved:
                return Shown(False, margin)
        return Shown(True, margin)

    def _compared(self, comparison: Comparison, box: Box) -> Shown:
        relation = comparison.relation
        if relation == "==":
            defined = conditions(comparison, self.statement.domain)
            return Shown(
                self.holds_identically(comparison) and all(self._compared(c, box).proved for c in defined),
                arb(0),
            )
        if relation == "!=":
            above = self._positive(turned(comparison, ">"), box)
            return above if above.proved else self._positive(turned(comparison, "<"), box)
        return self._positive(comparison, box)

    def _positive(self, comparison: Comparison, box: Box) -> Shown:
        """``f > 0`` or ``f >= 0``; the sides change place for ``<`` and ``<=``."""
        c, strict = upright(comparison)
        low, high = box
        domain = self.statement.domain
        assert isinstance(domain, Domain)
        inner = c.order > 0
        free = {
            low: low == domain.low and (domain.low_open or inner),
            high: high == domain.high and (domain.high_open or inner),
        }
        whole = self._jet(c, Interval.between(low, high), 2)
        f = whole.c
        outside = all(free[point] for point in box if abs(point) == 1)
        outside = outside and all(map(_plain, (c.left, c.right)))
        lower = self._lower(c, Interval.between(low, high))
        if not all(v.bounded for v in lower[:1]):
            return Shown(False, f[0].low)
        if not outside and not all(v.bounded for v in (*lower, f[0])):
            return Shown(False, f[0].low)
        if (c.order or not outside) and not self._has_kernels(c, Interval.between(low, high)):
            return Shown(False, f[0].low)
        best = f[0].low
        if not strict and f[0].bounded and self.holds_identically(c):
            return Shown(True, max(best, arb(0)))
        if low == high:
            zero = f[0].bounded and self._zero(c, low, 1)
            return Shown(best > 0 or (not strict and (best >= 0 or zero)), best)
        best = max(best, self._taylor(c, box, whole))
        if best > 0 or (not strict and best >= 0):
            return Shown(True, best)
        ends = {point: self._end(c, point) for point in box}
        fine = {p: v.low > 0 or (not strict and v.low >= 0) for p, v in ends.items()}
        if f[0].bounded:
            if (f[1].low >= 0 and fine[low]) or (f[1].high <= 0 and fine[high]):
                return Shown(True, max(best, ends[low if f[1].low >= 0 else high].low))
            if f[2].high <= 0 and fine[low] and fine[high]:
                return Shown(True, max(best, min(v.low for v in ends.values())))
            for point, sign in ((low, 1), (high, -1)):
                if (not strict or free[point]) and self._from_zero(c, box, point, sign):
                    return Shown(True, max(best, arb(0)))
            settled = {p: fine[p] or ((not strict or free[p]) and self._zero(c, p, 1)) for p in box}
            if (f[2].high < 0 or (f[2].high <= 0 and not strict)) and all(settled.values()):
                return Shown(True, max(best, arb(0)))
        return Shown(False, best)

    def _jet(self, c: Comparison, box: Interval, order: int) -> Jet:
        """``f`` and ``order`` of its derivatives over factorials, where ``f`` is the claimed derivative."""
        found = self.enclosed.difference(c, Place(rho=jet_at(box, c.order + order)))
        return shifted(found, c.order, order)

    def _has_kernels(self, c: Comparison, box: Interval) -> bool:
        """Whether every kernel that is named is bounded, also those that cancel: ``f - f`` is 0 only where
        ``f`` is."""
        return self.enclosed.has_kernels((c.left, c.right), Place(rho=jet_at(box, 0)))

    def _lower(self, c: Comparison, box: Interval) -> tuple[Any, ...]:
        """``left - right`` and its derivatives below the claimed one: bounded, they are continuous from box
        to box."""
        if c.order == 0:
            return ()
        found = self.enclosed.difference(c, Place(rho=jet_at(box, c.order)))
        return shifted(found, 0, c.order - 1).c

    def _end(self, c: Comparison, point: Fraction) -> Interval:
        try:
            return self._jet(c, Interval.of(point), 0).c[0]
        except Outside:
            raise
        except Refusal:
            return UNKNOWN

    def _taylor(self, c: Comparison, box: Box, whole: Jet) -> arb:
        middle = (box[0] + box[1]) / 2
        step = Interval.between(box[0] - middle, box[1] - middle)
        centre = self._jet(c, Interval.of(middle), 1).c
        mean = centre[0] + whole.c[1] * step if whole.c[1].bounded else UNKNOWN
        square = Interval(arb(0), step.power(2).high)
        second = centre[0] + centre[1] * step + whole.c[2] * square if whole.c[2].bounded else UNKNOWN
        if whole.c[2].low >= 0 and not whole.c[2].high.is_finite():  # convex: above its tangent
            second = Interval((centre[0] + centre[1] * step).low, UNKNOWN.high)
        return max(mean.low, second.low)

    def _zero(self, c: Comparison, point: Fraction, order: int) -> bool:
        """Whether ``f`` and its derivatives below that order vanish at a point, exactly."""
        try:
            return all(value.is_zero for value in self._formal(c, point, order - 1))
        except (NotFormal, ZeroDivisionError):
            return False

    def _formal(self, c: Comparison, point: Fraction, order: int) -> tuple[Any, ...]:
        size = c.order + order
        line = Jet((Formal.of(point), Formal.of(1), *([Formal.of(0)] * size))[: size + 1])
        return shifted(self.exactly.difference(c, Place(rho=line)), c.order, order).c

    def _from_zero(self, c: Comparison, box: Box, point: Fraction, sign: int) -> bool:
        for order in range(1, ZEROS + 1):
            if not self._zero(c, point, order):
                return False
            jet = self._jet(c, Interval.between(*box), order).c
            if not all(value.bounded for value in jet[:order]):
                return False
            last = jet[order] if sign > 0 or order % 2 == 0 else -jet[order]
            if last.low > 0:
                return True
        return False

    # ------------------------------------------------------------------------- points of rho

    def refuted_at(self, point: Fraction) -> tuple[Comparison, Interval] | None:
        """A comparison that is false at a point of the interval, and ``left - right`` there."""
        domain = self.statement.domain
        if not isinstance(domain, Domain) or point not in domain:
            return None
        for comparison in self.statement.comparisons:
            if comparison.order and not domain.low < point < domain.high:
                continue
            try:
                value = self._jet(comparison, Interval.of(point), 0).c[0]
            except Outside:
                raise
            except Refusal:
                continue
            if not (value.bounded and self._has_kernels(comparison, Interval.of(point))):
                continue
            zero = value.low <= 0 <= value.high and self._zero(comparison, point, 1)
            if fails(comparison.relation, value, zero):
                return comparison, Interval.of(0) if value.low <= 0 <= value.high else value
        return None

    def is_equality(self, point: Fraction) -> bool:
        """Whether the two sides of a comparison are seen to be equal at a point."""
        return any(self._zero(comparison, point, 1) for comparison in self.statement.comparisons)

    def nearly_equal(self, comparison: Comparison, point: Fraction) -> bool:
        try:
            value = self._jet(comparison, Interval.of(point), 0).c[0]
        except Refusal:
            return False
        return bool(value.bounded and value.low <= 0 <= value.high)

    def holds_identically(self, comparison: Comparison) -> bool:
        """Whether both sides are the same expression of the kernels, for every ``rho``."""
        if comparison not in self._identical:
            self._identical[comparison] = self._identically(comparison)
        return self._identical[comparison]

    def _identically(self, comparison: Comparison) -> bool:
        line = Jet((Formal.of(Atom("rho")), Formal.of(1), *([Formal.of(0)] * comparison.order)))
        try:
            found = self.exactly.difference(comparison, Place(rho=Jet(line.c[: comparison.order + 1])))
            return all(value.is_zero for value in shifted(found, comparison.order, 0).c)
        except (NotFormal, ZeroDivisionError):
            return False

    # ------------------------------------------------------------------------- n, or nothing

    def at(self, n: int | None) -> tuple[bool | None, Interval, Comparison]:
        """Whether all comparisons hold at ``n``; the difference of the one that decides, or is closest."""
        answer: bool | None = True
        chosen: tuple[Interval, Comparison] | None = None
        for comparison in self.statement.comparisons:
            value = self.enclosed.difference(comparison, Place(n=n))
            zero = value.bounded and value.low <= 0 <= value.high and self._exact_zero(comparison, n)
            value = Interval.of(0) if zero else value
            if fails(comparison.relation, value, zero):
                return False, value, comparison
            if not satisfied(comparison.relation, value, zero):
                answer, chosen = None, (value, comparison)
            elif chosen is None or (answer and margin_of(value) < margin_of(chosen[0])):
                chosen = value, comparison
        assert chosen is not None
        return answer, *chosen

    def _exact_zero(self, comparison: Comparison, n: int | None) -> bool:
        try:
            return Formal.of(self.exactly.difference(comparison, Place(n=n))).is_zero
        except (NotFormal, ZeroDivisionError):
            return False


def _plain(node: Node) -> bool:
    """Whether the term can be without bounds at ``rho = 1`` and ``-1`` only: sums and products of kernels at
    ``rho``, ``-rho`` or constants."""
    if node.head in KERNELS:
        inner = node.arguments[0]
        inner = inner.arguments[0] if inner.head == "neg" else inner
        value = exact_value(inner)
        return inner.head == "rho" or (value is not None and (abs(value) < 1 or node.order == 0))
    if node.head == "/":
        return _plain(node.arguments[0]) and not any(
            part.head in ("rho", *KERNELS) for part in node.arguments[1].walk()
        )
    if node.head == "^":
        power = exact_value(node.arguments[1])
        return _plain(node.arguments[0]) and power is not None and power >= 0 and power.denominator == 1
    if node.head in ("+", "-", "*", "neg"):
        return all(map(_plain, node.arguments))
    return not any(part.head in ("rho", *KERNELS) for part in node.walk())


def _sides(comparison: Comparison) -> tuple[Node, Node]:
    return comparison.left, comparison.right


def margin_of(value: Interval) -> arb:
    """The least ``|v|`` in an interval."""
    return abs(value).low


def turned(comparison: Comparison, relation: str) -> Comparison:
    return Comparison(comparison.left, relation, comparison.right, comparison.order)


def upright(comparison: Comparison) -> tuple[Comparison, bool]:
    """The same with ``>`` or ``>=``, and whether it is strict."""
    strict = comparison.relation in ("<", ">")
    if comparison.relation[0] == "<":
        return Comparison(
            comparison.right, ">" if strict else ">=", comparison.left, comparison.order
        ), strict
    return comparison, strict


def shifted(found: Any, by: int, order: int) -> Jet:
    """From a jet of ``f``, that of its derivative; what does not depend on ``rho`` has derivatives 0."""
    if not isinstance(found, Jet):
        kind = type(found)
        found = Jet((found, *([kind.of(0)] * (by + order))))
    return Jet(tuple(found.c[by + k] * (comb(by + k, by) * factorial(by)) for k in range(order + 1)))


def fails(relation: str, value: Interval, zero: bool) -> bool:
    """Whether ``value relation 0`` is certainly false."""
    if relation in ("<", "<="):
        value, relation = -value, relation.replace("<", ">")
    if relation == ">=":
        return bool(value.high < 0)
    if relation == ">":
        return bool(value.high <= 0 or zero)
    if relation == "==":
        return bool(value.low > 0 or value.high < 0)
    return bool(value.is_zero or zero)


def satisfied(relation: str, value: Interval, zero: bool) -> bool:
    """Whether ``value relation 0`` is certainly true."""
    if relation in ("<", "<="):
        value, relation = -value, relation.replace("<", ">")
    if relation == ">=":
        return bool(value.low >= 0 or zero)
    if relation == ">":
        return bool(value.low > 0)
    if relation == "==":
        return zero or value.is_zero
    return bool(value.low > 0 or value.high < 0)


def cuts(statement: Statement) -> tuple[Fraction, ...]:
    """Where boxes should end: the ends, 0, and the rational points at which a kernel is named."""
    domain = statement.domain
    assert isinstance(domain, Domain)
    points = {domain.low, domain.high, Fraction(0)}
    for node in statement.nodes():
        for argument in node.arguments:
            value = exact_value(argument)
            if value is not None and abs(value) <= 1:
                points |= {value, -value}
    return tuple(sorted(p for p in points if domain.low <= p <= domain.high))
