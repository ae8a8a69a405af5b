"""Kernel matrices with their derivatives in the variances of the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gram import one_norm
from analytic_ntk.gram.curve import Curve, fit, pair_at
from analytic_ntk.gram.inputs import Inputs, data
from analytic_ntk.gram.pairs import index_pairs, input_pair, require_finite
from analytic_ntk.gram.tiles import fill
from analytic_ntk.layers import Layer
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.pair import Pair
from analytic_ntk.systems.tangent import Tangents

Array = NDArray[np.float64]
Matrix = NDArray[np.floating]
KERNELS = ("nngp", "ntk")


def gram_with_gradient(
    layers: Sequence[Layer],
    X: ArrayLike,
    kernel: str,
    values: Mapping[str, float],
    names: Sequence[str],
) -> tuple[Array, Array]:
    """The kernel matrix of ``X`` with itself ``(n, n)`` and its derivatives ``(n, n, len(names))``.

    The variances of the layers may be symbols; ``values`` gives the number of each, and the derivatives are
    those in ``log`` of the symbols ``names``, by the chain rule through the recursion (no differences are
    taken). Kind of answer: float64; the matrix is that of :func:`analytic_ntk.gram.gram`, the derivatives
    have errors of about 1e-13 of those of the diagonal entries (1e-10 for kinks off 0 at distances of 1e-8).
    Raises :class:`DomainError` as ``gram`` does, for a symbol without value, for a value that is negative or
    not finite and for a name whose value is not positive.

    >>> import numpy as np, sympy as sp
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.gram.gradient import gram_with_gradient
    >>> network = Network.mlp(activations.relu, 1, sp.Symbol("w"), sp.Symbol("b"))
    >>> K, dK = gram_with_gradient(network.layers, np.eye(2), "nngp", {"w": 2.0, "b": 0.5}, ["b"])
    >>> K.diagonal(), dK[0, 0]  # K(x, x) = (w/d + b) w/2 + b, so b dK/db = b (w/2 + 1)
    (array([2., 2.]), array([1.]))
    """
    if kernel not in KERNELS:
        raise DomainError(f"kernel = {kernel!r}", '"nngp" or "ntk"')
    for phi in activations_of(tuple(layers)):
        phi.require_numeric()
    _check(values, names)
    system = Tangents(dict(values), tuple(names))
    inputs = Inputs(data(X, "X"))
    n = len(inputs.q)
    found = _curves(layers, inputs, system, KERNELS.index(kernel))
    if found is not None:
        known, scaled = found
        matrices: list[Matrix] = [np.empty((n, n)) for _ in known]
        fill(known, matrices, inputs, inputs, scaled, lambda count: None)
    else:
        matrices = _by_pairs(layers, inputs, system, KERNELS.index(kernel))
    for matrix in matrices:
        require_finite(matrix)
    gradient = np.empty((n, n, len(names)))
    for k in range(len(names)):
        gradient[:, :, k] = matrices[1 + k]
    return matrices[0].astype(np.float64, copy=False), gradient


def _check(values: Mapping[str, float], names: Sequence[str]) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value >= 0):
            raise DomainError(f"{name} = {value}", "a finite variance >= 0")
    for name in names:
        if name not in values:
            raise DomainError(f"the parameter {name!r}", f"one of {', '.join(values)}")
        if values[name] == 0:
            raise DomainError(f"a derivative in log {name} at {name} = 0", "a positive value")


def _push(layers: Sequence[Layer], pair: Pair, system: Tangents, kernel: int) -> Array:
    """Values and derivatives of a kernel over pairs, ``(1 + parameters, n)``."""
    carried = Pair(*(system.constant(v) for v in (pair.q11, pair.q22, pair.q12, pair.ntk, pair.gap)))
    for layer in layers:
        carried = layer.push(carried, system)
    result = carried.ntk if kernel else carried.q12
    return np.concatenate([result.value[None], result.slopes])


def _by_pairs(layers: Sequence[Layer], inputs: Inputs, system: Tangents, kernel: int) -> list[Matrix]:
    n = len(inputs.q)
    matrices: list[Matrix] = [np.empty((n, n)) for _ in range(1 + len(system.names))]
    for rows, columns in index_pairs(n, n, True):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by the caller
            found = _push(layers, input_pair(inputs, inputs, rows, columns), system, kernel)
        for matrix, values in zip(matrices, found, strict=True):
            matrix[rows, columns] = matrix[columns, rows] = values
    return matrices


def _curves(
    layers: Sequence[Layer], inputs: Inputs, system: Tangents, kernel: int
) -> tuple[list[Curve], bool] | None:
    """The kernel and its derivatives as functions of the correlation, where they are worth it."""
    norms = one_norm(layers, inputs, inputs)
    if norms is None:
        return None
    q11, q22, scaled = norms
    seen: dict[tuple[bytes, int], Array] = {}

    def recursion(w: Array, sign: int) -> Array:
        key = w.tobytes(), sign
        if key not in seen:
            seen[key] = _push(layers, pair_at(w, sign, q11, q22), system, kernel)
        return seen[key]

    def component(k: int) -> Callable[[Array, int], Array]:
        def values(w: Array, sign: int) -> Array:
            found = recursion(w, sign)[k]
            return np.array([found, found]) if np.all(np.isfinite(found)) else np.full((2, len(w)), np.nan)

        return values

    found = []
    for k in range(1 + len(system.names)):
        curve = fit(component(k))
        if curve is None:
            return None
        found.append(curve[0])
    return found, scaled
