"""The layers of a certificate, replayed in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal
from proofs_check.replay.gram.activation import Activation
from proofs_check.replay.gram.relations import Linear
from proofs_check.replay.gram.state import (
    State,
    after_activation,
    after_dense,
    after_norm,
    after_sum,
)
from proofs_check.replay.reading import Json, Vector, allow_only, read_function

MAX_LAYERS = 200
NAMES = ("dense", "activation", "residual", "layer-norm")


def replay(points: tuple[Vector, ...], layers: Any, budget: Budget) -> State:
    """Follow the Gram matrix of the points through the layers; every activation is required to have
    finite moments."""
    check_sequence(layers)
    activations: dict[str, Activation] = {}
    vectors = points if len(points[0]) <= len(points) else Linear(budget).reduced(points)
    return _through(layers, State(vectors, exact=True), activations, budget)


def check_sequence(layers: Any) -> None:
    """Refuse what is no network: all layers but dense need Gaussian pre-activations, and these come out."""
    if sum(1 for _ in _named(layers)) > MAX_LAYERS:
        raise Refusal(f"more than {MAX_LAYERS} layers")
    if not _is_gaussian(layers, gaussian=False):
        raise Refusal("layers: one that ends with a dense layer is required")


def _is_gaussian(layers: list[Json], gaussian: bool) -> bool:
    """Whether Gaussian pre-activations come out."""
    for layer in layers:
        name = layer["layer"]
        if name != "dense" and not gaussian:
            raise Refusal(f"layers: {name} after what is not dense")
        if name == "residual":
            branch = layer["branch"]
            if not branch or branch[-1]["layer"] != "dense":
                raise Refusal("layers: a residual branch that ends with a dense layer is required")
            _is_gaussian(branch, gaussian=True)
        gaussian = name != "activation"
    return gaussian


def _named(layers: Any, depth: int = 0) -> Iterator[Json]:
    if not isinstance(layers, list) or depth > 10:
        raise Refusal("layers: a list is required, nested at most 10 deep")
    for layer in layers:
        if not isinstance(layer, dict) or layer.get("layer") not in NAMES:
            raise Refusal(f'layers: each needs "layer", one of {", ".join(NAMES)}')
        yield layer
        if layer["layer"] == "residual":
            yield from _named(layer.get("branch"), depth + 1)


def _through(layers: list[Json], state: State, activations: dict[str, Activation], budget: Budget) -> State:
    for layer in layers:
        budget.spend(state.size**3 // 4)
        match layer["layer"]:
            case "dense":
                state = after_dense(layer, state)
            case "activation":
                s = _function(layer, activations, budget)
                if not s.has_moments:
                    raise Refusal("E s(u)^2 and E s'(u)^2 are not seen to be finite")
                state = after_activation(layer, s, state, budget)
            case "residual":
                allow_only(layer, ("layer", "branch"))
                other = _through(layer["branch"], state, activations, budget)
                state = after_sum(state, other, budget)
            case "layer-norm":
                allow_only(layer, ("layer",))
                state = after_norm(state, budget)
    return state


def _function(layer: Json, activations: dict[str, Activation], budget: Budget) -> Activation:
    """Each activation once, however often it stands."""
    expression = read_function(layer, "activation")
    return activations.setdefault(str(expression), Activation(expression, budget))
