"""A bound on the work that one certificate may cost."""

from __future__ import annotations

from proofs_check.replay.expression import Refusal

MOST = 150_000_000
"""Operations times bits of their numbers, about: some seconds."""


class Budget:
    """What is left to spend; one for each certificate."""

    def __init__(self, left: int = MOST) -> None:
        self.left = left

    def spend(self, cost: int) -> None:
        """Raise :class:`Refusal` once the budget is gone."""
        self.left -= cost
        if self.left < 0:
            raise Refusal("checking this takes more work than is allowed")
