"""What a check may answer."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """How much was shown; only :attr:`holds` counts as passed.

    >>> Verdict.SUPPORTED.holds, Verdict.ENCLOSED.holds
    (False, True)
    """

    PROVED = "proved"
    """By exact reasoning: identities, rational arithmetic, a theorem whose hypotheses were checked."""
    ENCLOSED = "enclosed"
    """By balls that contain the truth, over the stated domain or the stated family."""
    SUPPORTED = "supported"
    """By numbers with errors that are estimated, not proved."""
    UNDECIDED = "undecided"
    REFUTED = "refuted"
    """By an explicit witness."""

    @property
    def holds(self) -> bool:
        """Whether the statement is established."""
        return self in (Verdict.PROVED, Verdict.ENCLOSED)
