"""Layer normalisation of pre-activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.units import Draw, Tape, Visit
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic


@dataclass(frozen=True)
class LayerNorm:
    """``f -> (f - mean f) / std f`` over the units, after a ``Dense`` layer.

        q12' = q12 / sqrt(q11 q22),   ntk' = ntk / sqrt(q11 q22),   q11' = q22' = 1

    Exact in the limit for Gaussian pre-activations, whose mean over units tends to 0 and whose variance
    tends to ``q``; after a nonlinearity the mean does not vanish and the layer is refused there. A zero
    input without bias has no direction to normalise and is refused where it occurs.
    """

    takes_gaussian: ClassVar[bool] = True
    gives_gaussian: ClassVar[bool] = True

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        inverse = arithmetic.inverse_sqrt(pair.q11) * arithmetic.inverse_sqrt(pair.q22)
        one = arithmetic.number(sp.S.One)
        gap = None if pair.gap is None else pair.gap * inverse
        q12 = one if pair.same_input else pair.q12 * inverse
        return Pair(one, one, q12, pair.ntk * inverse, gap)

    def sample(self, draw: Draw, fan_in: int) -> tuple[FiniteLayerNorm, int]:
        """Nothing is drawn; a single unit, which normalises to 0, is refused."""
        if fan_in < 2:
            raise DomainError(
                "LayerNorm over 1 unit", "2 units or more", "give the layer before it a width > 1"
            )
        return FiniteLayerNorm(), fan_in


@dataclass(frozen=True)
class FiniteLayerNorm:
    """``F -> (F - mean F) / std F`` over the units.

    With ``h`` the output, ``df/dF = (B - mean B - h mean(B h)) / std F``: the rows lose their components
    along the constant and along ``h``, the two directions the output does not depend on.
    """

    parameters: ClassVar[tuple[Array, ...]] = ()

    def with_parameters(self, fresh: Iterator[Array]) -> FiniteLayerNorm:
        return self

    def forward(self, features: Array) -> tuple[Array, Tape]:
        xp = namespace(features)
        centred = features - xp.mean(features, axis=-1, keepdims=True)
        spread = xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True))
        # below this the differences are what rounding left of equal units
        noise = 4.0 * xp.finfo(features.dtype).eps * xp.mean(xp.abs(features), axis=-1, keepdims=True)
        if not bool(xp.all(spread > noise)):
            raise DomainError(
                "an input whose units are all equal before LayerNorm, up to rounding",
                "units that differ",
                "add a bias, or drop the input",
            )
        output = centred / spread
        return output, (output, spread)

    def backward(self, tape: Tape, rows: Array, visit: Visit) -> Array:
        output, spread = tape
        xp = namespace(rows)
        along = xp.mean(rows * output, axis=-1, keepdims=True)
        return (rows - xp.mean(rows, axis=-1, keepdims=True) - output * along) / spread
