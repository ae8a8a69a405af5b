"""The fully connected layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber, variance
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.units import Draw, Tape, Visit
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

    def sample(self, draw: Draw, fan_in: int) -> tuple[FiniteDense, int]:
        """Drawn with the next of the widths; see :class:`FiniteDense`."""
        weight, bias = _number(self.weight_variance), _number(self.bias_variance)
        width = next(draw.widths)
        ntk = draw.parametrisation == "ntk"
        omega = draw.rng.standard_normal((*draw.ensemble, fan_in, width))
        omega_0 = draw.rng.standard_normal((*draw.ensemble, 1, width)) if bias else None
        if not ntk:
            omega *= math.sqrt(weight / fan_in)
            omega_0 = None if omega_0 is None else omega_0 * math.sqrt(bias)
        scales = (math.sqrt(weight / fan_in), math.sqrt(bias)) if ntk else (1.0, 1.0 if bias else 0.0)
        return FiniteDense(omega, omega_0, *scales, weight, bias), width


@dataclass(frozen=True, eq=False)
class FiniteDense:
    """``F -> weight_scale F omega + bias_scale omega_0``, ``omega`` of shape ``(..., fan_in, width)``.

    NTK parametrisation: ``omega`` standard normal, ``weight_scale = sqrt(weight_variance / fan_in)``,
    ``bias_scale = sqrt(bias_variance)``. Standard: both scales are 1 and the parameters have the variances
    ``weight_variance / fan_in`` and ``bias_variance``. Without bias variance there is no bias.
    """

    omega: Array
    omega_0: Array | None
    weight_scale: float
    bias_scale: float
    weight_variance: float
    bias_variance: float

    @property
    def parameters(self) -> tuple[Array, ...]:
        return (self.omega,) if self.omega_0 is None else (self.omega, self.omega_0)

    def with_parameters(self, fresh: Iterator[Array]) -> FiniteDense:
        return replace(self, omega=next(fresh), omega_0=None if self.omega_0 is None else next(fresh))

    def forward(self, features: Array) -> tuple[Array, Tape]:
        output = self.weight_scale * (features @ self.omega)
        return output if self.omega_0 is None else output + self.bias_scale * self.omega_0, features

    def backward(self, tape: Tape, rows: Array, visit: Visit) -> Array:
        visit(self, tape, rows)
        return self.weight_scale * (rows @ self.omega.mT)

    def covariance(self, features: Array) -> Array:
        """Of one unit at the inputs, given the features: ``w F F^T / fan_in + b``, whatever the scales."""
        return self.weight_variance / features.shape[-1] * (features @ features.mT) + self.bias_variance

    def parameter_product(self, features: Array) -> Array:
        """The part of the tangent kernel that does not depend on what follows: ``(n, n)``, for one unit."""
        return self.weight_scale**2 * (features @ features.mT) + self.bias_scale**2

    def gradients(self, features: Array, rows: Array) -> tuple[Array, ...]:
        """Of ``sum_i rows_i . output_i`` in the parameters, each in its shape."""
        weight = self.weight_scale * (features.mT @ rows)
        if self.omega_0 is None:
            return (weight,)
        return weight, self.bias_scale * namespace(rows).sum(rows, axis=-2, keepdims=True)


def _number(value: ExactNumber) -> float:
    number = sp.sympify(value)
    if not number.is_number:
        raise DomainError(
            f"the variance {number}", "a number", "give the symbolic variances numbers before sampling"
        )
    found = float(number)
    if not np.isfinite(found):
        raise DomainError(f"the variance {number}"[:100], "a number float64 can hold")
    return found
