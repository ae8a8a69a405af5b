"""The activation applied to every unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.units import Draw, Tape, Visit
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic


@dataclass(frozen=True)
class Nonlinearity:
    """``f -> phi(f)``, unit by unit:  ``q12' = E phi(u) phi(v)``,  ``ntk' = ntk * E phi'(u) phi'(v)``.

    The derivative is the one away from jumps (``phi' = 0`` for a step), as in gradient descent.
    """

    activation: Activation
    takes_gaussian: ClassVar[bool] = True
    gives_gaussian: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.activation, Activation):
            raise DomainError(
                f"activation = {self.activation!r}",
                "an Activation",
                "use Activation.parse(text) or Activation(expr)",
            )

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        result = arithmetic.expectations(self.activation, pair)
        return Pair(result.q11, result.q22, result.q12, pair.ntk * result.derivative, result.gap)

    def sample(self, draw: Draw, fan_in: int) -> tuple[FiniteNonlinearity, int]:
        """Nothing is drawn; symbolic parameters are refused."""
        self.activation.require_numeric()
        return FiniteNonlinearity(self.activation), fan_in


@dataclass(frozen=True)
class FiniteNonlinearity:
    """``F -> phi(F)``. Convention at a point: the mean of the two sides, for ``phi`` at a jump and for
    ``phi'`` at a kink; ``phi'`` is the derivative away from jumps (0 for a step), as in gradient descent."""

    activation: Activation
    parameters: ClassVar[tuple[Array, ...]] = ()

    def with_parameters(self, fresh: Iterator[Array]) -> FiniteNonlinearity:
        return self

    def forward(self, features: Array) -> tuple[Array, Tape]:
        return on_arrays(self.activation.pieces)(features), features

    def backward(self, tape: Tape, rows: Array, visit: Visit) -> Array:
        return rows * on_arrays(self.activation.derivative)(tape)
