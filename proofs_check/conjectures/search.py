"""Branch and bound: boxes are shown by the rules, or halved; points that refute end it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from flint import arb

from analytic_ntk.enclosure import Enclosure
from proofs_check.conjectures.alarm import TimeIsUp
from proofs_check.conjectures.answer import Box, Witness
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.rules import Judge, cuts, margin_of
from proofs_check.replay.conjectures.statement import Comparison
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.terms import Outside
from proofs_check.replay.expression import Refusal

NARROWEST = Fraction(1, 2**30)
"""Boxes are not halved below this: what resists there is a point of equality, or nearly."""
SAMPLES, SURPRISE = 16, 64
SPENT = "the budget is spent"


@dataclass
class Budget:
    """Time and boxes; ``tell`` is told how far the search is."""

    seconds: float
    boxes: int
    tell: Callable[[str], None]
    start: float = field(default_factory=time.monotonic)
    used: int = 0

    @property
    def is_spent(self) -> bool:
        return self.used >= self.boxes or time.monotonic() - self.start >= self.seconds

    def use(self, what: str, waiting: int) -> None:
        self.used += 1
        self.tell(f"{what} {self.used}, {waiting} waiting")


@dataclass
class Found:
    """What a search knows, also when it is cut short."""

    shown: list[Box] = field(default_factory=list)
    left: list[Box] = field(default_factory=list)
    witness: Witness | None = None
    margin: Fraction | None = None
    stopped: str = ""
    trouble: str = ""

    def saw(self, margin: arb) -> None:
        if margin.is_finite():
            value = max(Fraction(0), Enclosure.of(margin).midpoint)
            self.margin = value if self.margin is None else min(self.margin, value)


def why_stopped(stop: KeyboardInterrupt) -> str:
    return SPENT if isinstance(stop, TimeIsUp) else "stopped by the user"


def over_rho(judge: Judge, budget: Budget) -> Found:
    """A statement for every ``rho`` of an interval."""
    domain = judge.statement.domain
    assert isinstance(domain, Domain)
    found, points = Found(), cuts(judge.statement)
    waiting: deque[Box] = deque()
    waiting.extend(pairwise(points) if len(points) > 1 else [(points[0], points[0])])
    try:
        step = (domain.high - domain.low) / SAMPLES
        for point in (*sorted(points, key=_size), *(domain.low + step * k for k in range(1, SAMPLES))):
            if _refutes(judge, point, found):
                return found
        while waiting:
            if budget.is_spent:
                found.stopped = SPENT
                break
            box = waiting[0]
            budget.use("box", len(waiting))
            _one_box(judge, box, waiting, found)
            if found.witness:
                return found
    except KeyboardInterrupt as stop:
        found.stopped = why_stopped(stop)
    found.left = sorted([*found.left, *waiting])
    return found


def refuting_point(judge: Judge) -> Found:
    """Points alone: an equality has no boxes."""
    domain = judge.statement.domain
    assert isinstance(domain, Domain)
    found, count = Found(), 4 * SAMPLES
    step = (domain.high - domain.low) / count
    for point in (
        *sorted(cuts(judge.statement), key=_size),
        *(domain.low + step * k for k in range(1, count)),
    ):
        if _refutes(judge, point, found):
            return found
    found.left = [(domain.low, domain.high)]
    return found


def _one_box(judge: Judge, box: Box, waiting: deque[Box], found: Found) -> None:
    middle = _split(judge, box)
    try:
        result = judge.on_box(box)
    except Outside:
        raise
    except Refusal as refusal:
        found.trouble = str(refusal)
        result = None
    if result is not None and result.proved:
        found.saw(result.margin)
        found.shown.append(box)
        waiting.popleft()
    elif _refutes(judge, middle, found):
        return
    elif box[1] - box[0] <= NARROWEST:
        found.left.append(box)
        waiting.popleft()
    else:
        waiting.extend([(box[0], middle), (middle, box[1])])
        waiting.popleft()


def _split(judge: Judge, box: Box) -> Fraction:
    """The middle; or a number much simpler than a box of this width must hold, if both sides are equal
    there."""
    low, high = box
    simple = simplest(low, high) if low < high else low
    if SURPRISE * simple.denominator**2 * (high - low) < 1 and judge.is_equality(simple):
        return simple
    return (low + high) / 2


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """The number of least denominator strictly between two.

    >>> simplest(Fraction(33, 100), Fraction(34, 100))
    Fraction(1, 3)
    """
    whole = math.floor(low)
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:  # 1/k above the end
        return whole + Fraction(1, math.floor(1 / (high - whole)) + 1)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))


def _refutes(judge: Judge, point: Fraction, found: Found) -> bool:
    try:
        refuted = judge.refuted_at(point)
    except Outside:
        raise
    except Refusal as refusal:
        found.trouble = str(refusal)
        return False
    if refuted is None:
        return False
    found.witness = _witness(judge, "rho", point, *refuted)
    return True


def _witness(
    judge: Judge, variable: str, at: Fraction | None, comparison: Comparison, value: Interval
) -> Witness:
    what = ("left - right", "the derivative", "the second derivative")[comparison.order]
    claim = comparison.text if len(judge.statement.comparisons) > 1 else ""
    return Witness(variable, at, enclosure_of(value), what, claim)


def over_n(judge: Judge, budget: Budget) -> Found:
    """A statement for every ``n`` of a range, or without a variable."""
    found, domain = Found(), judge.statement.domain
    indices: tuple[int | None, ...] = tuple(domain) if isinstance(domain, range) else (None,)
    n = indices[0]
    try:
        for place, n in enumerate(indices):
            if budget.is_spent and place:
                found.stopped = SPENT
                found.trouble = f"n = {n} and what follows was not looked at"
                break
            budget.use("value", len(indices) - place)
            try:
                answer, value, comparison = judge.at(n)
            except Outside:
                raise
            except Refusal as refusal:
                answer, value = None, None
                found.trouble = found.trouble or str(refusal)
            if answer is False and value is not None:
                at = None if n is None else Fraction(n)
                found.witness = _witness(judge, "" if n is None else "n", at, comparison, value)
                return found
            if answer is None:
                found.stopped = "some differences are not told from 0"
                where = "" if n is None else f"at n = {n}: "
                found.trouble = found.trouble or f"{where}left - right lies in {value}"
            elif value is not None:
                found.saw(margin_of(value))
    except KeyboardInterrupt as stop:
        found.stopped = why_stopped(stop)
        found.trouble = f"n = {n} and what follows was not looked at" if n is not None else ""
    return found


def _size(point: Fraction) -> int:
    return point.denominator


def enclosure_of(value: Interval) -> Enclosure:
    low, high = Enclosure.of(value.low).midpoint, Enclosure.of(value.high).midpoint
    return Enclosure((low + high) / 2, (high - low) / 2)
