"""Both sides of the pairing written down, degree by degree: for small networks and for checks.

A flow through the chain is, for each degree ``g``, the features ``(n, units, dimension)`` of every unit,
with a mask of those that can be other than 0. A dense layer keeps them and adds slots of its own,

    dW_ji  with  phi(z_j),    dW_ji (x) Psi_g  with  Phi_g of unit j,    db_i  with  1,

a nonlinearity makes ``phi^(n)(z)/n! Phi^(tensor n)`` and ``Psi^(tensor n)`` for ``n = 1 .. order``. Words
that no unit uses are left out of both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.theory.banach.chain import Chain
from analytic_ntk.theory.jets import taylor_coefficients

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST = 20_000_000
"""Numbers in one array of features."""


class _Flow:
    """Blocks by degree: what ``side`` makes of a slot (data: ``(n, units, k)``; step: ``(k,)``), and
    masks."""

    def __init__(self) -> None:
        self.data: dict[int, list[Array]] = {}
        self.step: dict[int, list[Array]] = {}
        self.mask: dict[int, list[Mask]] = {}

    def put(self, degree: int, data: Array, step: Array, mask: Mask) -> None:
        used = mask.any(axis=0)
        self.data.setdefault(degree, []).append(data[:, :, used])
        self.step.setdefault(degree, []).append(step[used])
        self.mask.setdefault(degree, []).append(mask[:, used])

    def blocks(self) -> list[tuple[int, Array, Array, Mask]]:
        return [
            (g, np.concatenate(self.data[g], axis=2), np.concatenate(self.step[g]), np.hstack(self.mask[g]))
            for g in sorted(self.data)
        ]


def data_features(chain: Chain, X: Array, order: int) -> tuple[Array, ...]:
    """``Phi_g(x)``, ``(n, outputs, dimension)`` each."""
    flow = _through(chain, X, np.zeros(chain.network.size), order)
    return tuple(data for _, data, _, _ in flow.blocks())


def step_features(chain: Chain, step: Array, order: int) -> tuple[Array, ...]:
    """``Psi_g(step)``, ``(dimension,)`` each."""
    flow = _through(chain, np.zeros((1, chain.network.input_dim)), step, order)
    return tuple(vector for _, _, vector, _ in flow.blocks())


def _through(chain: Chain, X: Array, step: Array, order: int) -> _Flow:
    value, flow = X, _Flow()
    for i, (dense, (weights, biases)) in enumerate(zip(chain.dense, chain.steps(step), strict=True)):
        flow = _dense(flow, value, dense.omega, weights, biases, dense.weight_scale, dense.bias_scale)
        value = dense.forward(value)[0]
        if i < chain.depth:
            coefficients = np.array(taylor_coefficients(chain.activations[i], value, order))
            flow, value = _powers(flow, coefficients), coefficients[0]
    return flow


def _dense(
    flow: _Flow, value: Array, omega: Array, weights: Array, biases: Array | None, scale: float, bias: float
) -> _Flow:
    found = _Flow()
    fan_in, width = omega.shape
    rows, eye = value.shape[0], np.eye(width)
    slots = _checked(rows * width * fan_in * width, lambda: scale * np.einsum("nj,iu->nuji", value, eye))
    mine = np.broadcast_to(eye[:, None, :] > 0, (width, fan_in, width)).reshape(width, -1)
    found.put(1, slots.reshape(rows, width, -1), weights.ravel(), mine)
    if biases is not None:
        found.put(1, bias * np.broadcast_to(eye, (rows, width, width)), biases.ravel(), eye > 0)
    for g, data, step, mask in flow.blocks():
        k = data.shape[2]
        shared = scale * np.einsum("njk,ju->nuk", data, omega)
        found.put(g, shared, step, np.broadcast_to(mask.any(axis=0), (width, k)))
        slots = _checked(
            rows * width * width * fan_in * k,
            partial(np.einsum, "njk,iu->nujik", scale * data, eye),
        )
        mine = (eye[:, None, :, None] > 0) & mask[None, :, None, :]
        found.put(
            g + 1, slots.reshape(rows, width, -1), np.einsum("ji,k->jik", weights, step).ravel(),
            mine.reshape(width, -1),
        )  # fmt: skip
    return found


def _powers(flow: _Flow, coefficients: Array) -> _Flow:
    found = _Flow()
    base = flow.blocks()
    power = base
    for n, c in enumerate(coefficients[1:], 1):
        for g, data, step, mask in power:
            found.put(g, c[:, :, None] * data, step, mask)
        if n + 1 < len(coefficients):
            following = _Flow()
            for g, data, step, mask in power:
                for h, other, move, also in base:
                    rows, units, k = data.shape
                    words = _checked(
                        rows * units * k * other.shape[2],
                        partial(np.multiply, data[..., :, None], other[..., None, :]),
                    )
                    both = (mask[:, :, None] & also[:, None, :]).reshape(units, -1)
                    following.put(
                        g + h, words.reshape(rows, units, -1), np.multiply.outer(step, move).ravel(), both
                    )
            power = following.blocks()
    return found


def _checked(size: int, make: Callable[[], Array]) -> Array:
    if size > LARGEST:
        raise DomainError(
            f"features that fill an array of {size} numbers",
            f"at most {LARGEST}",
            "use pairing(), kernel() and step_norms(), which do not write them down",
        )
    return make()
