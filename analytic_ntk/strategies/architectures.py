"""Random networks."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network
from analytic_ntk.strategies.functions import activations

WEIGHTS = ("1", "2", "1/2", "3/2")
BIASES = ("0", "1/10", "1")


@st.composite
def networks(
    draw: DrawFn,
    activation: Activation | SearchStrategy[Activation] | None = None,
    max_depth: int = 3,
    residual: bool = True,
    layer_norm: bool = True,
    weight_variances: Sequence[ExactNumber] = WEIGHTS,
    bias_variances: Sequence[ExactNumber] = BIASES,
) -> Network:
    """Networks with ``1 .. max_depth`` nonlinearities, each layer with variances of its own.

    ``activation``: one for all, a strategy to draw one for all from, or ``None`` for any. A hidden layer may
    be a residual block, and may have a layer normalisation before it (then every bias is positive, so that
    no input is normalised at 0; without a positive choice there is none). Shrinks to one hidden
    layer with the first of the variances.

    Raises :class:`DomainError` for ``max_depth < 1`` and for no variance to choose from.
    """
    if max_depth < 1 or not weight_variances or not bias_variances:
        raise DomainError(f"max_depth = {max_depth}", "a depth >= 1, and variances to choose from")
    drawn = activations() if activation is None else activation
    phi = drawn if isinstance(drawn, Activation) else draw(drawn)
    depth = draw(st.integers(1, max_depth))
    positive = [b for b in bias_variances if Dense(1, b).bias_variance != 0]
    normed = bool(layer_norm and positive and draw(st.sampled_from((False, False, False, True))))
    weight = st.sampled_from(tuple(weight_variances))
    bias = st.sampled_from(tuple(positive if normed else bias_variances))
    layers: list[Layer] = [Dense(draw(weight), draw(bias))]
    for _ in range(depth):
        if normed and draw(st.booleans()):
            layers.append(LayerNorm())
        hidden = (Nonlinearity(phi), Dense(draw(weight), draw(bias)))
        skips = residual and draw(st.sampled_from((False, False, True)))
        layers += [Residual(*hidden)] if skips else hidden
    return Network(*layers)
