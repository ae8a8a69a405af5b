"""What a layer is: a function on what flows, and a way to draw its finite counterpart."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import Draw, Unit
from analytic_ntk.pair import Pair
from analytic_ntk.systems.protocol import Arithmetic


@runtime_checkable
class Layer(Protocol):
    """One layer of an infinitely wide network, and of the finite ones drawn from it.

    ``takes_gaussian``: whether the input must be Gaussian pre-activations (the output of a ``Dense`` or of
    a sum of them); ``gives_gaussian``: whether the output is.
    """

    @property
    def takes_gaussian(self) -> bool: ...

    @property
    def gives_gaussian(self) -> bool: ...

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        """The kernels after the layer, from those before it."""
        ...

    def sample(self, draw: Draw, fan_in: int) -> tuple[Unit, int]:
        """A finite layer that reads ``fan_in`` units, drawn at random, and its number of units."""
        ...


def check_sequence(layers: tuple[Layer, ...], gaussian: bool, where: str) -> bool:
    """Check that each layer gets what it needs; return whether Gaussian pre-activations come out."""
    for index, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise DomainError(
                f"{layer!r} in {where}", "layers", "use Dense, Nonlinearity, Residual or LayerNorm"
            )
        if layer.takes_gaussian and not gaussian:
            raise DomainError(
                f"{type(layer).__name__} at place {index} of {where}, after something that is not Dense",
                "Gaussian pre-activations (the output of Dense, or a sum of such)",
                "put a Dense layer before it, or compose the two functions into one Activation",
            )
        gaussian = layer.gives_gaussian
    return gaussian


def activations_of(layers: tuple[Layer, ...]) -> tuple[Activation, ...]:
    """The activations of a sequence of layers, those of branches included."""
    found: list[Activation] = []
    for layer in layers:
        if hasattr(layer, "activation"):
            found.append(layer.activation)
        elif hasattr(layer, "branch"):
            found += activations_of(layer.branch)
    return tuple(found)
