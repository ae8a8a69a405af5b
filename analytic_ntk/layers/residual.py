"""The skip connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from analytic_ntk.errors import DomainError
from analytic_ntk.layers.dense import Dense
from analytic_ntk.layers.protocol import Layer, check_sequence
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
