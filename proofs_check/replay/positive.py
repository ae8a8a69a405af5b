"""Certificates that a Gram matrix is strictly positive definite."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check.replay.expression import Refusal, rational
from proofs_check.replay.independence import check_determinant, check_difference
from proofs_check.replay.reading import allow_only, read_field, read_function, read_numbers, read_vectors


def strictly_positive(data: dict[str, Any]) -> str:
    """A Gram matrix ``K`` of a deep network is strictly positive definite (NNGP, hence the larger NTK too).

    The inputs' features are ``z_i = (x_i, 1)``, or ``x_i`` without bias in the first layer. First activation:
    the functions ``s(z_i . w)`` are independent (see :func:`independence`), so their Gram matrix under a
    Gaussian with all of ``R^m`` as support is strictly positive definite. Every further activation is not
    constant: two values differ. Then strict positivity passes on (Carvalho, Costa, Mourao, Oliveira 2024,
    Proposition 1), and weights > 0 and biases >= 0 keep it.
    """
    allow_only(data, ("points", "layers", "directions", "radius", "determinant"))
    points = read_vectors(data, "points")
    layers = read_field(data, "layers", list)
    if not 3 <= len(layers) <= 201 or len(layers) % 2 == 0:
        raise Refusal("layers: dense and activation in turn, dense first and last")
    for place, layer in enumerate(layers):
        if not isinstance(layer, dict):
            raise Refusal(f"layers[{place}] is no object")
        if place % 2 == 0:
            allow_only(layer, ("weight_variance", "bias_variance"))
            if rational(layer.get("weight_variance")) <= 0 or rational(layer.get("bias_variance")) < 0:
                raise Refusal(f"layers[{place}]: weight_variance > 0 and bias_variance >= 0 are required")
        elif place == 1:
            allow_only(layer, ("activation",))
            read_function(layer, "activation")
        else:
            allow_only(layer, ("activation", "points", "difference"))
            activation = read_function(layer, "activation")
            pair = read_numbers(layer, "points")
            if len(pair) != 2:
                raise Refusal(f"layers[{place}]: two points that show s not constant are required")
            check_difference(activation, pair, layer)
    bias = rational(layers[0].get("bias_variance")) > 0
    vectors = tuple((*x, Fraction(1)) if bias else x for x in points)
    check_determinant(layers[1]["activation"], vectors, data)
    return f"the NNGP and NTK Gram matrices of the {len(points)} points are strictly positive definite"
