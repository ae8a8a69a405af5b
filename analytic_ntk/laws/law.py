"""What a law is: a statement, a check that measures how far it is from false, and faults it must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from hypothesis.strategies import SearchStrategy

from analytic_ntk.display import Shown, typeset
from analytic_ntk.laws.cases import Case
from analytic_ntk.laws.doors import Doors
from analytic_ntk.laws.subject import Subject

CASE_FAILURE = 1e-12
"""The probability at most with which a statistical law refutes a right implementation, for each case."""


class Kind(str, Enum):
    """What the verdict of a law rests on."""

    EXACT = "exact"
    CERTIFIED = "certified"
    FLOAT64 = "float64"
    STATISTICAL = "statistical"


@dataclass(frozen=True)
class Outcome(Shown):
    """One case: ``margin`` is the discrepancy over what is allowed, so that more than 1 refutes the law.

    ``trivial``: the case could not have shown a fault (a kernel that is 0, one point twice, ...).
    """

    margin: float
    trivial: bool = False
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.margin <= 1  # a NaN does not


@dataclass(frozen=True)
class Saboteur(Shown):
    """A planted fault: ``plant`` makes faulty doors from honest ones; ``size`` is a relative error where the
    fault has a size."""

    what: str
    plant: Callable[[Doors, Fraction], Doors]


Strata: TypeAlias = Callable[[Subject], tuple[SearchStrategy[Case], ...]]
"""The strategies that cases are drawn from, one for each stratum."""


@dataclass(frozen=True)
class Law:
    """A statement about every activation or network, and how it is tested.

    ``strata`` gives the strategies that cases are drawn from (each gets its share of the cases); ``skip``
    says why the law does not apply ("" if it does). The first saboteur has a size; ``smallest_fault`` is
    the relative error, a power of 10, that the check finds with it on :attr:`reference` in a dozen cases
    (measured; a thousandth of it is not found).
    """

    name: str
    statement: str
    latex: str
    kind: Kind
    strata: Strata
    check: Callable[[Case, Doors], Outcome]
    saboteurs: tuple[Saboteur, ...]
    smallest_fault: float
    skip: Callable[[Subject], str] = lambda subject: ""
    reference: str = "relu"

    @property
    def failure_probability(self) -> float:
        """Of one case, for a right implementation, under what the law assumes of finite networks."""
        return CASE_FAILURE if self.kind is Kind.STATISTICAL else 0.0

    def _repr_latex_(self) -> str | None:
        return typeset(self.latex)

    def __str__(self) -> str:
        return f"{self.name}: {self.statement}"
