"""Kernel ridge regression by preconditioned conjugate gradients; the matrix is never formed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr, svd
from scipy.sparse.linalg import LinearOperator, cg

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.gram import data, gram
from analytic_ntk.gram.inputs import Inputs
from analytic_ntk.large.blocks import TILE, block, blocks_of, require_entries
from analytic_ntk.large.cholesky import PivotedCholesky, pivoted_cholesky
from analytic_ntk.large.operator import gram_operator, stored_operator
from analytic_ntk.large.progress import bar, labelled
from analytic_ntk.layers import Layer
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network, require_network
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

Array = NDArray[np.float64]
RANK = 1000
KEPT = 1 << 30
"""A matrix of at most so many bytes is computed once and kept in memory."""


@dataclass(frozen=True, eq=False)
class RidgeSolution(Shown):
    """The solution ``a`` of ``(K + ridge I) a = y``, as far as it was found.

    ``coefficients``: ``a``, of the shape of ``y``; ``residual``: ``|(K + ridge I) a - y| / |y|`` (Frobenius
    norms), computed from the result by a product of its own; ``converged``: whether it is at most ``rtol``;
    ``history``: the relative residuals before each iteration, as the iteration itself knows them; ``rank``
    of the preconditioner and ``trace_left``, the part of the trace of ``K`` it does not see.
    """

    network: Network
    X: NDArray[np.floating]
    kernel: str
    coefficients: Array
    residual: float
    converged: bool
    history: tuple[float, ...]
    rank: int
    trace_left: float

    @property
    def iterations(self) -> int:
        return len(self.history)

    def predict(self, Z: ArrayLike, progress: bool = False) -> Array:
        """``K(Z, X) a``: the regression at new inputs ``(m, d)``."""
        return gram_operator(self.network, Z, self.X, self.kernel, progress) @ self.coefficients


def solve_ridge(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    ridge: float,
    kernel: str = "ntk",
    rtol: float = 1e-6,
    max_iterations: int = 200,
    rank: int = RANK,
    seed: int = 0,
    matrix: Any = None,
    progress: bool = False,
) -> RidgeSolution:
    """Solve ``(K + ridge I) a = y`` for the kernel matrix ``K`` of ``X`` ``(n, d)`` and ``y`` ``(n,)`` or
    ``(n, k)``.

    Conjugate gradients (scipy's), all ``k`` columns in one run, so that each iteration computes ``K`` once;
    preconditioned with a randomly pivoted Cholesky factor of ``rank`` columns (:mod:`.cholesky`,
    :func:`inverse_of`). ``matrix``: ``K`` itself, if it is stored (:func:`open_gram`); else it is kept
    in memory if it takes at most 1 GiB, and its tiles are computed in every iteration if it takes more.
    Memory beyond that: ``3 n rank`` numbers (``rank=0``: no preconditioner).

    Kind of answer: float64 with a stated residual. Stops when the residual is at most ``rtol`` or after
    ``max_iterations``: ``converged`` says which. ``progress`` shows iteration and residual. Raises
    :class:`DomainError` for a ridge that is not > 0 and for arguments of other kinds or shapes.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.large import solve_ridge
    >>> network = Network.mlp(activations.relu, depth=2, weight_variance=2, bias_variance=0)
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> found = solve_ridge(network, X, X[:, 0], ridge=1e-3, rank=50)
    >>> found.converged, bool(np.abs(found.predict(X) - X[:, 0]).max() < 0.05)
    (True, True)
    """
    require_network(network)
    blocks = blocks_of(network.layers, X, None, kernel, TILE)
    targets = _columns(y)
    n = len(blocks.X)
    if len(targets) != n:
        raise DomainError(f"y of length {len(targets)} for {n} inputs", "a target for each input")
    _require(ridge, rtol, max_iterations, rank, seed)
    if matrix is not None:
        stored_operator(matrix)
        require_entries(blocks, matrix, "matrix")
    elif n * n * blocks.dtype.itemsize <= KEPT:
        matrix = block(blocks.layers, blocks.X, None, kernel)
    kernel_matrix = (
        gram_operator(network, blocks.X, None, kernel) if matrix is None else stored_operator(matrix)
    )
    diagonal = diagonal_of(network.layers, blocks.X, kernel)
    # both sides divided by powers of 2, without rounding: squares of what is left neither over- nor underflow
    unit = _power_of_two(max(float(diagonal.max()), ridge))
    size = _power_of_two(float(np.abs(targets).max()))
    scaled, share = kernel_matrix * (1 / unit), float(ridge / unit)
    targets = targets / size
    with np.errstate(over="ignore"):
        with bar(rank, "preconditioner", progress) as step:
            factor = pivoted_cholesky(
                diagonal / unit,
                lambda chosen: gram(network.layers, blocks.X, blocks.X[chosen], kernel) / unit,
                rank,
                np.random.default_rng(seed),
                step,
            )
            inverse = inverse_of(factor, share)
        with labelled(-math.log10(rtol / 2), "conjugate gradients", progress) as digits:
            solution, history = _conjugate_gradients(
                scaled, targets, share, inverse, rtol, max_iterations, digits
            )
        rest = scaled @ solution + share * solution - targets
        coefficients = solution * (size / unit)
    norm = float(np.linalg.norm(targets))
    residual = float(np.linalg.norm(rest)) / norm if norm else 0.0
    if not np.all(np.isfinite(coefficients)):
        raise DomainError("coefficients that float64 cannot hold", "finite numbers", "rescale X, y or ridge")
    return RidgeSolution(
        network,
        blocks.X,
        kernel,
        coefficients.reshape(np.shape(y)),
        residual,
        residual <= rtol,
        history,
        len(factor.pivots),
        factor.left,
    )


def diagonal_of(layers: Sequence[Layer], X: NDArray[np.floating], kernel: str) -> Array:
    """``K(x, x)`` of each row, by the recursion on its norm alone."""
    q, places = np.unique(Inputs(np.asarray(X, np.float64)).q, return_inverse=True)
    pair = Pair(q, q, q, np.zeros_like(q), np.zeros_like(q))
    for layer in layers:
        pair = layer.push(pair, Float64())
    found = np.broadcast_to(np.asarray(pair.q12 if kernel == "nngp" else pair.ntk, np.float64), q.shape)
    return np.asarray(found[places.reshape(-1)])


def inverse_of(factor: PivotedCholesky, ridge: float) -> Callable[[Array], Array]:
    """``v -> (s_r^2 + ridge) (F F^T + ridge I + s_r^2 (I - U U^T))^-1 v``.

    ``U``: the left singular vectors of ``F``, ``s_r`` its least singular value, which is about the size of
    what ``F`` does not see (Frangella, Tropp, Udell 2023, arXiv 2110.02820, (1.3)). No small number is
    divided by, however small the ridge is.
    """
    if not factor.factor.shape[1]:
        return lambda v: v
    orthogonal, triangle = qr(factor.factor, mode="economic")
    left, values, _ = svd(triangle)
    U = orthogonal @ left
    weights = 1.0 - (values[-1] ** 2 + ridge) / (values**2 + ridge)

    def apply(v: Array) -> Array:
        return v - U @ (weights[:, None] * (U.T @ v))

    return apply


def _conjugate_gradients(
    kernel_matrix: LinearOperator,
    targets: Array,
    ridge: float,
    inverse: Callable[[Array], Array],
    rtol: float,
    max_iterations: int,
    digits: Callable[[float, str], None],
) -> tuple[Array, tuple[float, ...]]:
    """All columns as one system of ``n k`` unknowns, block-diagonal with ``K + ridge I``."""
    shape = targets.shape
    size = float(np.linalg.norm(targets))
    history: list[float] = []

    def product(v: Array) -> Array:
        V = v.reshape(shape)
        return (kernel_matrix @ V + ridge * V).ravel()

    def precondition(residual: Array) -> Array:
        # called once in each iteration, with the residual, which a callback of scipy's does not see
        best = min(history, default=1.0)
        history.append(float(np.linalg.norm(residual)) / size)
        gain = math.log10(best / history[-1]) if 0 < history[-1] < best else 0.0
        digits(gain, f"iteration {len(history)}, residual {history[-1]:.1e}")
        return inverse(residual.reshape(shape)).ravel()

    whole = (targets.size, targets.size)
    # half of rtol: what the iteration knows of the residual differs from the residual by rounding
    found, _ = cg(
        LinearOperator(whole, matvec=product, dtype=np.float64),
        targets.ravel(),
        rtol=rtol / 2,
        atol=0.0,
        maxiter=max_iterations,
        M=LinearOperator(whole, matvec=precondition, dtype=np.float64),
    )
    return found.reshape(shape), tuple(history)


def _columns(y: ArrayLike) -> Array:
    """Targets ``(n,)`` or ``(n, k)``, checked, as ``(n, k)``."""
    try:
        one = np.ndim(y) == 1
    except ValueError:  # rows of different lengths, which are refused below
        one = False
    return data(np.asarray(y)[:, None] if one else y, "y")


def _power_of_two(value: float) -> float:
    """The one just below a positive number; 1 for 0."""
    return math.ldexp(1.0, math.frexp(value)[1] - 1) if value else 1.0


def _require(ridge: float, rtol: float, max_iterations: int, rank: int, seed: int) -> None:
    for value, name, good in (
        (ridge, "ridge", lambda v: 0 < v < math.inf),
        (rtol, "rtol", lambda v: 0 < v < 1),
    ):
        if isinstance(value, bool) or not isinstance(value, Real) or not good(value):
            raise DomainError(f"{name} = {value!r}"[:100], "a finite number > 0" + ", < 1" * (name == "rtol"))
    for number, name, least in ((max_iterations, "max_iterations", 1), (rank, "rank", 0), (seed, "seed", 0)):
        require_count(number, name, least)
