"""The small interface that every number system offers to the layers."""

from __future__ import annotations

from typing import Protocol

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.pair import Expectations, Number, Pair


class Arithmetic(Protocol):
    """A number system. ``+`` and ``*`` are the numbers' own; everything else is asked for here."""

    def number(self, value: sp.Expr) -> Number:
        """An exact number (a weight or bias variance) in this system."""
        ...

    def inverse_sqrt(self, value: Number) -> Number:
        """``1 / sqrt(value)``; raises :class:`~analytic_ntk.errors.DomainError` where ``value`` is 0."""
        ...

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        """The Gaussian expectations of an activation and its derivative over a pair."""
        ...

    def gap_after_affine(self, pair: Pair, scale: Number, shift: Number, shift_is_zero: bool) -> Number:
        """The gap of ``scale * q + shift``."""
        ...

    def gap_after_sum(self, pair: Pair, other: Pair) -> Number:
        """The gap of the sum of two independent pairs."""
        ...
