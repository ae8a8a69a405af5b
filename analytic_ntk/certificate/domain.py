"""A network as JSON, each activation with the evidence that it is no polynomial, or not constant."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certificate.evidence import determinant, no_polynomial_of_degree
from analytic_ntk.certificate.expression import activation_json, dense_json, unknown_layer
from analytic_ntk.certificate.record import Json
from analytic_ntk.characterisation import independent_directions
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network
from analytic_ntk.notation import x
from analytic_ntk.positivity import Domain, profile

_FAR = 10**6


def on_domain(network: Network, domain: Domain) -> Json:
    """The fields of a certificate of strict positivity on a domain that was decided to have it.

    Raises :class:`UndecidedError` unless some activation is no polynomial and grows at most linearly on a
    half-line (that is how the checker tells that it is none), :class:`DomainError` for all distinct points
    without bias in the first layer, and unknown layers.
    """
    bias = isinstance(first := network.layers[0], Dense) and first.bias_variance != 0
    if not bias and domain is Domain.DISTINCT:
        raise DomainError(
            f"a certificate on {domain.value} without bias in the first layer",
            "a sphere, pairwise non-proportional points, or a bias",
            "ask for the points at hand (of_gram, --points)",
        )
    layers, shown = _described(network.layers, not bias and domain is Domain.SPHERE)
    if not shown:
        raise UndecidedError(
            "a certificate that no activation here is a polynomial",
            "one that grows at most linearly on a half-line",
            "ask for the points at hand (of_gram, --points)",
        )
    name = "distinct" if bias else "sphere" if domain is Domain.SPHERE else "non-proportional"
    return {"domain": name, "layers": layers}


def _described(layers: Sequence[Layer], opposite: bool) -> tuple[list[Json], bool]:
    """The layers with their evidence; whether some activation is shown to be no polynomial.

    ``opposite``: two inputs may be opposite, until a bias or an activation that tells them apart."""
    found: list[Json] = []
    shown = False
    for layer in layers:
        match layer:
            case Dense():
                found.append(dense_json(layer))
                opposite = opposite and layer.bias_variance == 0
            case Nonlinearity() if opposite:
                evidence, shown = _of_opposite(layer.activation)
                found.append(activation_json(layer.activation) | evidence)
                opposite = False
            case Nonlinearity():
                degree = 1 if not shown and _is_linear_far_out(layer.activation) else 0
                found.append(
                    activation_json(layer.activation) | no_polynomial_of_degree(layer.activation, degree)
                )
                shown = shown or degree == 1
            case Residual():
                branch, inside = _described(layer.branch, opposite)
                found.append({"layer": "residual", "branch": branch})
                opposite = opposite and not any(map(_tells_apart, layer.branch))
                shown = shown or inside
            case LayerNorm():
                found.append({"layer": "layer-norm"})
            case _:
                raise unknown_layer(layer)
    return found, shown


def _tells_apart(layer: Layer) -> bool:
    if isinstance(layer, Residual):
        return any(map(_tells_apart, layer.branch))
    return isinstance(layer, Nonlinearity) or (isinstance(layer, Dense) and layer.bias_variance != 0)


def _of_opposite(activation: Activation) -> tuple[Json, bool]:
    """That ``s(t) + s(-t)`` and ``s(t) - s(-t)`` are no polynomials; else that ``s(t)`` and ``s(-t)`` are
    independent. Whether it was the first."""
    turned = activation.expression.subs(x, -x)
    halves = [Activation(activation.expression + sign * turned) for sign in (1, -1)]
    if all(map(_is_linear_far_out, halves)):
        even, odd = (no_polynomial_of_degree(half, 1) for half in halves)
        return {"even": even, "odd": odd}, True
    return determinant(independent_directions(activation, ((Fraction(1),), (Fraction(-1),)))), False


def _is_linear_far_out(activation: Activation) -> bool:
    """Whether it looks so, on one side; the checker has a proof or refuses."""
    if profile(activation).polynomial is not None:
        return False
    pieces = activation.pieces
    sides = ((pieces.ball_part(0), -1), (pieces.ball_part(len(pieces.parts) - 1), 1))
    with working_precision(128):
        values = [(abs(part(arb(side * _FAR))), abs(part(arb(100 * side * _FAR)))) for part, side in sides]
        return any(bool(far <= 200 * near + 1) for near, far in values)
