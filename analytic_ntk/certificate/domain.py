"""A network as JSON, each activation with the evidence that it is no polynomial, or not constant."""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certificate.evidence import no_polynomial_of_degree
from analytic_ntk.certificate.expression import activation_json, dense_json, unknown_layer
from analytic_ntk.certificate.record import Json
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network
from analytic_ntk.positivity import Domain, profile

_FAR = 10**6


def on_domain(network: Network, domain: Domain) -> Json:
    """The fields of a certificate of strict positivity on a domain that was decided to have it.

    Raises :class:`UndecidedError` unless some activation is no polynomial and grows at most linearly on a
    half-line (that is how the checker tells that it is none), :class:`DomainError` for the sphere without
    bias in the first layer, irrational variances, and unknown layers.
    """
    bias = isinstance(first := network.layers[0], Dense) and first.bias_variance != 0
    if not bias and domain is not Domain.NON_PROPORTIONAL:
        raise DomainError(
            f"a certificate on {domain.value} without bias in the first layer",
            "pairwise non-proportional points, or a bias",
            "ask for the points at hand (of_gram, --points)",
        )
    layers, shown = _described(network.layers)
    if not shown:
        raise UndecidedError(
            "a certificate that no activation here is a polynomial",
            "one that grows at most linearly on a half-line",
            "ask for the points at hand (of_gram, --points)",
        )
    return {"domain": "distinct" if bias else "non-proportional", "layers": layers}


def _described(layers: Sequence[Layer]) -> tuple[list[Json], bool]:
    """The layers with their evidence; whether some activation is shown to be no polynomial."""
    found: list[Json] = []
    shown = False
    for layer in layers:
        match layer:
            case Dense():
                found.append(dense_json(layer))
            case Nonlinearity():
                degree = 1 if not shown and _is_linear_far_out(layer.activation) else 0
                found.append(
                    activation_json(layer.activation) | no_polynomial_of_degree(layer.activation, degree)
                )
                shown = shown or degree == 1
            case Residual():
                branch, inside = _described(layer.branch)
                found.append({"layer": "residual", "branch": branch})
                shown = shown or inside
            case LayerNorm():
                found.append({"layer": "layer-norm"})
            case _:
                raise unknown_layer(layer)
    return found, shown


def _is_linear_far_out(activation: Activation) -> bool:
    """Whether it looks so, on one side; the checker has a proof or refuses."""
    if profile(activation).polynomial is not None:
        return False
    pieces = activation.pieces
    sides = ((pieces.ball_part(0), -1), (pieces.ball_part(len(pieces.parts) - 1), 1))
    with working_precision(128):
        values = [(abs(part(arb(side * _FAR))), abs(part(arb(100 * side * _FAR)))) for part, side in sides]
        return any(bool(far <= 200 * near + 1) for near, far in values)
