"""Branch and bound: boxes are shown by the rules, or halved; points that refute end it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from flint import arb

from analytic_ntk.enclosure import Enclosure
from proofs_check.conjectures.answer import Box, Witness
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.rules import Judge, cuts, margin_of
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.terms import Outside
from proofs_check.replay.expression import Refusal

NARROWEST = Fraction(1, 2**30)
"""Boxes are not halved below this: what resists there is a point of equality, or nearly."""
SAMPLES = 16


@dataclass
class Budget:
    """Time and boxes; ``tick`` is told the boxes done and those that wait."""

    seconds: float
    boxes: int
    tick: Callable[[int, int], None]
    start: float = field(default_factory=time.monotonic)
    used: int = 0

    @property
    def is_spent(self) -> bool:
        return self.used >= self.boxes or time.monotonic() - self.start >= self.seconds

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start


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


def over_rho(judge: Judge, budget: Budget) -> Found:
    """A statement for every ``rho`` of an interval."""
    domain = judge.statement.domain
    assert isinstance(domain, Domain)
    found, points = Found(), cuts(judge.statement)
    waiting: deque[Box] = deque()
    waiting.extend(pairwise(points) if len(points) > 1 else [(points[0], points[0])])
    try:
        step = (domain.high - domain.low) / SAMPLES
        for point in (*points, *(domain.low + step * k for k in range(1, SAMPLES))):
            if _refutes(judge, point, found):
                return found
        while waiting:
            if budget.is_spent:
                found.stopped = "the budget is spent"
                break
            box = waiting[0]
            budget.used += 1
            budget.tick(budget.used, len(waiting))
            _one_box(judge, box, waiting, found)
            if found.witness:
                return found
    except KeyboardInterrupt:
        found.stopped = "stopped by the user"
    found.left = sorted([*found.left, *waiting])
    return found


def refuting_point(judge: Judge) -> Found:
    """Points alone: an equality has no boxes."""
    domain = judge.statement.domain
    assert isinstance(domain, Domain)
    found, count = Found(), 4 * SAMPLES
    step = (domain.high - domain.low) / count
    for point in (*cuts(judge.statement), *(domain.low + step * k for k in range(1, count))):
        if _refutes(judge, point, found):
            return found
    found.left = [(domain.low, domain.high)]
    return found


def _one_box(judge: Judge, box: Box, waiting: deque[Box], found: Found) -> None:
    middle = (box[0] + box[1]) / 2
    try:
        result = judge.on_box(box)
    except Outside:
        raise
    except Refusal as refusal:
        found.trouble = str(refusal)
        result = None
    if result is not None and result.proved:
        waiting.popleft()
        found.shown.append(box)
        found.saw(result.margin)
    elif _refutes(judge, middle, found):
        return
    elif box[1] - box[0] <= NARROWEST:
        waiting.popleft()
        found.left.append(box)
    else:
        waiting.popleft()
        waiting.extend([(box[0], middle), (middle, box[1])])


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
    found.witness = Witness("rho", point, enclosure_of(refuted[1]))
    return True


def over_n(judge: Judge, budget: Budget) -> Found:
    """A statement for every ``n`` of a range, or without a variable."""
    found, domain = Found(), judge.statement.domain
    indices: tuple[int | None, ...] = tuple(domain) if isinstance(domain, range) else (None,)
    try:
        for place, n in enumerate(indices):
            if budget.is_spent and place:
                found.stopped = "the budget is spent"
                found.trouble = f"n = {n} and what follows was not looked at"
                break
            budget.used += 1
            budget.tick(budget.used, len(indices) - place)
            try:
                answer, value, _ = judge.at(n)
            except Outside:
                raise
            except Refusal as refusal:
                answer, value = None, None
                found.trouble = found.trouble or str(refusal)
            if answer is False and value is not None:
                at = None if n is None else Fraction(n)
                found.witness = Witness("" if n is None else "n", at, enclosure_of(value))
                return found
            if answer is None:
                found.stopped = "some differences are not told from 0"
                where = "" if n is None else f"at n = {n}: "
                found.trouble = found.trouble or f"{where}left - right lies in {value}"
            elif value is not None:
                found.saw(margin_of(value))
    except KeyboardInterrupt:
        found.stopped = "stopped by the user"
    return found


def enclosure_of(value: Interval) -> Enclosure:
    low, high = Enclosure.of(value.low).midpoint, Enclosure.of(value.high).midpoint
    return Enclosure((low + high) / 2, (high - low) / 2)
