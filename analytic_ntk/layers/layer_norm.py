"""Layer normalisation of pre-activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import sympy as sp

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
