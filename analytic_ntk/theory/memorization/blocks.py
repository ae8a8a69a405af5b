"""The kernel of a finite network as a sum over its layers, each an entrywise product of two Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers.arrays import Array as AnyArray
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.positivity.rounded import TINY, gamma

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Block(Shown):
    """``(F F^T) o (B B^T)``: what the parameters of one dense layer add to the kernel.

    ``features`` ``(N, p)``: what the layer reads, with its scale, and a constant column for a bias;
    ``rows`` ``(N, q)``: ``df/d(its output)``. Row ``i`` of its Jacobian is ``features_i (x) rows_i``.
    """

    features: Array
    rows: Array
    bias: bool

    @property
    def columns(self) -> int:
        """The number of its parameters: the width of its Jacobian."""
        return self.features.shape[1] * self.rows.shape[1]

    @property
    def directions(self) -> int:
        """The columns of its Jacobian that are not 0 in all rows for dead units or inputs without a
        coordinate: the rank of the block is at most this."""
        return int(self.features.any(axis=0).sum()) * int(self.rows.any(axis=0).sum())

    @property
    def diagonal(self) -> Array:
        """``|F_i|^2 |B_i|^2``."""
        return (self.features**2).sum(axis=1) * (self.rows**2).sum(axis=1)

    def matrix(self) -> Array:
        """The ``(N, N)`` matrix, symmetric to the last bit."""
        found = self.features @ self.features.T
        found *= self.rows @ self.rows.T
        below = np.tril(found, -1)
        return np.where(np.tri(len(found), dtype=bool), found, below.T)

    def times(self, vectors: Array) -> Array:
        """The matrix times ``(N,)`` or ``(N, m)`` without forming it: ``((F (F^T diag(v) B)) o B) 1``.

        ``4 N p q`` operations a vector against ``2 N^2``: it saves memory, and time only where ``2 p q < N``.
        """
        if vectors.ndim == 1:
            middle = (self.features * vectors[:, None]).T @ self.rows
            return np.einsum("ij,ij->i", self.features @ middle, self.rows)
        return np.stack([self.times(v) for v in vectors.T], axis=1)

    @property
    def entry_error(self) -> float:
        """Bounds the rounding of an entry of :meth:`matrix`: ``gamma max_i |F_i|^2 |B_i|^2`` (Higham 2002,
        section 3.5, and Cauchy-Schwarz), whatever the order of the sums, and what underflow adds."""
        read, back = self.features.shape[1], self.rows.shape[1]
        rounding = gamma(read + back + 8) * float(self.diagonal.max()) * (1 + 1e-6)
        tallest = [float((part**2).sum(axis=1).max()) + 1 for part in (self.rows, self.features)]
        return rounding + TINY * (2 * read * tallest[0] + 2 * back * tallest[1] + 8)


def blocks(finite: FiniteNetwork, X: ArrayLike, readout: ArrayLike | None = None) -> tuple[Block, ...]:
    """``K = sum_l (F_{l-1} F_{l-1}^T) o (B_l B_l^T)``, first layer first; exact at every width.

    ``F_0 = X``, ``F_l = s(g_l)``, ``B_L = 1`` and ``B_l = s'(g_l) o (B_{l+1} W_{l+1}^T)``, in whatever
    parametrisation the network was drawn. For several outputs give ``readout``, the combination meant.
    Raises :class:`DomainError` for bad inputs, parameters that are not float64 numpy arrays, and overflow.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory.memorization import blocks, draw
    >>> rng = np.random.default_rng(0)
    >>> finite, X = draw(activations.tanh, 5, [8, 4], rng), rng.standard_normal((6, 5))
    >>> parts = blocks(finite, X)
    >>> [part.columns for part in parts]
    [40, 32, 4]
    >>> bool(np.allclose(sum(part.matrix() for part in parts), finite.kernels(X).ntk, rtol=1e-13))
    True
    """
    data = matrix(X, "X")
    if not isinstance(finite, FiniteNetwork):
        raise DomainError(f"{type(finite).__name__}", "a FiniteNetwork", "use network.sample(...)")
    parameters = finite.parameters
    if not isinstance(parameters, np.ndarray) or parameters.dtype != np.float64 or parameters.ndim != 1:
        raise DomainError(
            "parameters of another library or dtype", "float64 numpy arrays", "use with_arrays(np.asarray)"
        )
    if readout is None and finite.outputs != 1:
        raise DomainError(f"{finite.outputs} outputs", "one output, or a readout", "give readout=[1, 0, ..]")
    found: list[Block] = []

    def visit(dense: FiniteDense, features: AnyArray, rows: AnyArray) -> None:
        read = dense.weight_scale * features
        bias = dense.omega_0 is not None
        if bias:
            read = np.concatenate([read, np.full((len(read), 1), dense.bias_scale)], axis=1)
        part = Block(np.ascontiguousarray(read), np.ascontiguousarray(rows[0]), bias)
        if not np.isfinite(part.diagonal).all():
            raise DomainError("a kernel that overflows", "finite values", "shrink the variances")
        found.append(part)

    output, tapes = finite.run(data)
    finite.backward(tapes, finite._rows(output, readout), visit)
    return tuple(reversed(found))
