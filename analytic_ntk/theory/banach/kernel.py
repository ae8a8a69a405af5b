"""The data kernel and the norms of steps, degree by degree, without writing features down.

A quantity is a polynomial in ``t``, ``(degrees + 1, ...)``, whose ``g``-th coefficient belongs to degree
``g``. With ``M_jk(x, y) = <Phi_j(x), Phi_k(y)>`` for the units ``j, k`` of a layer, a nonlinearity and a
dense layer with weights ``s W`` and biases of scale ``b`` give

    P_jk = sum_{n>=1} phi^(n)(z_j(x))/n! phi^(n)(z_k(y))/n! M_jk^n,
    M'   = s^2 W^T P W + t diag(b^2 + s^2 sum_j (phi(z_j(x)) phi(z_j(y)) + P_jj)).

Behind the first dense layer ``M`` is diagonal: units read disjoint parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.theory.banach.chain import Chain
from analytic_ntk.theory.jets import taylor_coefficients

Array = NDArray[np.float64]

LARGEST = 50_000_000
"""Numbers in one array on the way."""


def kernel_parts(chain: Chain, X: Array, Y: Array, order: int, degree: int) -> Array:
    """``<Phi_g(x), Phi_g(y)>`` of the one output, ``(degree, n, m)``."""
    widest = max((layer.omega.shape[1] for layer in chain.dense[1:-1]), default=1)
    size = (degree + 1) * len(X) * len(Y) * max(widest**2, chain.dense[0].omega.shape[1])
    if size > LARGEST:
        raise DomainError(
            f"kernels of pairs of units with {size} numbers on the way",
            f"at most {LARGEST}",
            "fewer rows or degrees, or narrower layers; the NTK alone: finite.kernels(X).ntk",
        )
    left, right = X, Y
    first = chain.dense[0]
    units = first.omega.shape[1]
    matrix: Array = np.zeros((degree + 1, len(X), len(Y), units))  # diagonal: one axis of units
    matrix[1] = first.parameter_product(np.concatenate([X, Y]))[: len(X), len(X) :, None]
    for i, (phi, dense) in enumerate(zip(chain.activations, chain.dense[1:], strict=True)):
        left, right = chain.dense[i].forward(left)[0], chain.dense[i].forward(right)[0]
        one = np.array(taylor_coefficients(phi, left, order))[:, :, None]
        other = np.array(taylor_coefficients(phi, right, order))[:, None]
        left, right = one[0, :, 0], other[0, 0]
        if i == 0:
            powers = _power_sum(matrix, one * other)
            own = powers.sum(axis=-1)
        else:
            powers = _power_sum(matrix, one[..., :, None] * other[..., None, :])
            own = np.einsum("gabjj->gab", powers)
        own[0] += left @ right.T
        own = dense.weight_scale**2 * own
        own[0] += dense.bias_scale**2
        matrix = dense.weight_scale**2 * _between(dense.omega, powers, diagonal=i == 0)
        every = np.arange(dense.omega.shape[1])
        matrix[1:, :, :, every, every] += own[:-1, :, :, None]
    return matrix[1:, :, :, 0, 0]


def _between(omega: Array, powers: Array, diagonal: bool) -> Array:
    """``W^T P W`` over the units of each pair of inputs."""
    if diagonal:
        return np.asarray((powers[..., None, :] * omega.T) @ omega)
    return np.asarray(omega.T @ powers @ omega)


def step_norms(chain: Chain, step: Array, order: int, degree: int) -> Array:
    """``|Psi_g(step)|``, ``(degree,)``.

    ``shared``: the squared length of what every unit can use, ``own``: of the slots of one unit alone. Words
    of the ``n``-th power use the shared letters and those of one unit.
    """
    shared = np.zeros(degree + 1)
    before = np.zeros((degree + 1, 1))  # what each input of the next layer can use: nothing yet
    for i, (weights, biases) in enumerate(chain.steps(step)):
        squares = weights**2
        inner = before if i else np.zeros((degree + 1, len(weights)))
        inner[0] += 1.0
        own = np.zeros((degree + 1, weights.shape[1]))
        own[1:] = (inner @ squares)[:-1]
        if biases is not None:
            own[1] += biases[0] ** 2
        if i == chain.depth:
            return np.asarray(np.sqrt((shared + own.sum(axis=1))[1:]))
        ones = np.ones((order + 1, 1))
        before = _power_sum(shared[:, None] + own, ones)
        common = _power_sum(shared[:, None], ones)[:, 0]
        shared = common + (before - common[:, None]).sum(axis=1)
    raise AssertionError("a chain ends with a dense layer")


def largest_step_norms(chain: Chain, length: float, order: int) -> Array:
    """Bounds of ``|Psi_g(step)|`` over all steps of at most this length, for every degree there is.

    One hidden layer: ``length^g``, since ``sum_r (|dw_r|^2 + dv_r^2) |dw_r|^(2g-2) <= length^(2g)``.
    Deeper: the recursion of the words with every layer's share replaced by the whole length.
    """
    degrees = 1
    for _ in range(chain.depth):
        degrees = order * degrees + 1
    if chain.depth == 1:
        return np.asarray(length ** np.arange(1.0, degrees + 1))
    square = length**2
    words = np.zeros((degrees + 1, 1))
    words[1] = square
    for _ in range(chain.depth):
        words = _power_sum(words, np.ones((order + 1, 1)))
        moved = words.copy()
        moved[0] += 1.0
        words[1:] += square * moved[:-1]
    return np.asarray(np.sqrt(words[1:, 0]))


def _power_sum(jet: Array, coefficients: Array) -> Array:
    """``sum_{n=1}^order coefficients[n] jet^n`` for a polynomial without constant term, cut at its degree."""
    total, power = np.zeros(np.broadcast_shapes(jet.shape, (1, *coefficients.shape[1:]))), jet
    for n in range(1, min(len(coefficients), len(jet))):
        total += coefficients[n] * power
        power = _product(power, jet, n)
    return total


def _product(one: Array, other: Array, lowest: int) -> Array:
    """Of polynomials that start at the degrees ``lowest`` and 1, cut at their length."""
    found = np.zeros_like(one)
    for g in range(lowest + 1, len(one)):
        for h in range(lowest, g):
            found[g] += one[h] * other[g - h]
    return found
