"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import sympy as sp

from analytic_ntk.exact import ExactNumber, variance
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic


@dataclass(frozen=True)
class Dense:
    """``f -> W f / sqrt(n) + b`` with ``W ~ N(0, weight_variance)`` and ``b ~ N(0, bias_variance)``.

        q12' = weight_variance * q12 + bias_variance
        ntk' = q12' + weight_variance * ntk

    (NTK parametrisation; Jacot, Gabriel, Hongler 2018). Both variances are exact numbers >= 0 or real
    sympy symbols; floats are refused.

    >>> from analytic_ntk.layers import Dense
    >>> Dense(2, "1/10")
    Dense(weight_variance=2, bias_variance=1/10)
    """

    weight_variance: ExactNumber
    bias_variance: ExactNumber
    takes_gaussian: ClassVar[bool] = False
    gives_gaussian: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight_variance", variance(self.weight_variance, "weight_variance"))
        object.__setattr__(self, "bias_variance", variance(self.bias_variance, "bias_variance"))

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        weight = arithmetic.number(sp.sympify(self.weight_variance))
        bias = arithmetic.number(sp.sympify(self.bias_variance))
        q11 = weight * pair.q11 + bias
        q22 = q11 if pair.equal_norms else weight * pair.q22 + bias
        q12 = q11 if pair.same_input else weight * pair.q12 + bias
        gap = arithmetic.gap_after_affine(pair, weight, bias, self.bias_variance == 0)
        return Pair(q11, q22, q12, q12 + weight * pair.ntk, gap)
