"""The skip connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array
from analytic_ntk.layers.dense import Dense
from analytic_ntk.layers.protocol import Layer, check_sequence
from analytic_ntk.layers.units import Draw, Tape, Unit, Visit, backward_through, forward_through
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic


@dataclass(frozen=True, init=False)
class Residual:
    """``f -> f + branch(f)``: covariances and tangent kernels of the two summands add.

    Exact in the limit because the branch ends in a ``Dense`` layer of its own, independent of ``f`` and
    centred; a branch that ends otherwise is refused.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.layers import Dense, Nonlinearity, Residual
    >>> len(Residual(Nonlinearity(activations.relu), Dense(1, 0)).branch)
    2
    """

    branch: tuple[Layer, ...]
    takes_gaussian: ClassVar[bool] = True
    gives_gaussian: ClassVar[bool] = True

    def __init__(self, *branch: Layer) -> None:
        object.__setattr__(self, "branch", tuple(branch))
        check_sequence(self.branch, gaussian=True, where="the branch of Residual")
        if not branch or not isinstance(branch[-1], Dense):
            raise DomainError(
                "a branch that does not end in Dense",
                "a branch whose output is independent of the skipped input",
                "end the branch with Dense(weight_variance, bias_variance)",
            )

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        other = pair
        for layer in self.branch:
            other = layer.push(other, arithmetic)
        q11 = pair.q11 + other.q11
        q22 = q11 if pair.equal_norms else pair.q22 + other.q22
        q12 = q11 if pair.same_input else pair.q12 + other.q12
        return Pair(q11, q22, q12, pair.ntk + other.ntk, arithmetic.gap_after_sum(pair, other))

    def sample(self, draw: Draw, fan_in: int) -> tuple[FiniteResidual, int]:
        """The branch, drawn; its last layer must have as many units as the branch reads."""
        units: list[Unit] = []
        width = fan_in
        for layer in self.branch:
            unit, width = layer.sample(draw, width)
            units.append(unit)
        if width != fan_in:
            raise DomainError(
                f"a residual branch of width {width} beside {fan_in} units",
                "equal widths",
                f"give the last Dense of the branch the width {fan_in}",
            )
        return FiniteResidual(tuple(units)), width


@dataclass(frozen=True, eq=False)
class FiniteResidual:
    """``F -> F + branch(F)``."""

    branch: tuple[Unit, ...]

    @property
    def parameters(self) -> tuple[Array, ...]:
        return tuple(p for unit in self.branch for p in unit.parameters)

    def with_parameters(self, fresh: Iterator[Array]) -> FiniteResidual:
        return FiniteResidual(tuple(unit.with_parameters(fresh) for unit in self.branch))

    def forward(self, features: Array) -> tuple[Array, Tape]:
        output, tapes = forward_through(self.branch, features)
        return features + output, tapes

    def backward(self, tape: Tape, rows: Array, visit: Visit) -> Array:
        return rows + backward_through(self.branch, tape, rows, visit)
