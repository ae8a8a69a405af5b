"""The smallest eigenvalue of a sum of blocks: proved for the matrix where it fits, by Lanczos where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.positivity.rounded import TINY
from analytic_ntk.positivity.rounding import eigenvalue_bounds
from analytic_ntk.theory.memorization.blocks import Block

Array = NDArray[np.float64]
DENSE = 12_000
"""Rows up to which the matrix is formed: 1.2 GB, and twice that for its factor."""
METHODS = ("auto", "dense", "matrix-free")


@dataclass(frozen=True)
class Smallest(Shown):
    """The smallest eigenvalue of a positive semidefinite matrix.

    ``kind`` says what the bounds are:

    * ``"exact"``: it is 0, by a rank ceiling; both bounds are 0.
    * ``"certified"``: ``lower <= lambda_min <= upper`` for the sum of the blocks of these float64 features
      and rows, every rounding of products, sums and factorisations included. What the forward and
      backward passes rounded before that is not.
    * ``"residual"``: ``upper`` is a Rayleigh quotient, and **an** eigenvalue lies within ``residual`` of it;
      that no smaller one hides is not proved, and ``lower`` is 0, which is.

    ``upper - residual`` is then where the method sees the eigenvalue.
    """

    lower: float
    upper: float
    residual: float
    kind: str
    method: str

    @property
    def value(self) -> float:
        """The number to show: the middle of certified bounds, the Rayleigh quotient else."""
        if self.kind != "certified":
            return self.upper
        return max(0.0, (self.lower + self.upper) / 2)


ZERO = Smallest(0.0, 0.0, 0.0, "exact", "rank")
DEAD = Smallest(0.0, 0.0, 0.0, "certified", "rank")
"""Rows or columns of the Jacobian are 0 in float64."""


def smallest_eigenvalue(
    parts: Sequence[Block], method: str = "auto", tolerance: float = 1e-8, seed: int = 0
) -> Smallest:
    """``lambda_min`` of the sum of ``parts``.

    ``"dense"``: the matrix is formed, and Cholesky factorisations of ``K - mu`` prove that ``mu`` lies below
    (:func:`analytic_ntk.positivity.eigenvalue_bounds`), inverse Lanczos steps with the factor give the
    Rayleigh quotient above: some four factorisations in all, memory ``3 N^2``. ``"matrix-free"``:
    thick-restart Lanczos (ARPACK) on :meth:`Block.times`, memory ``O(N width)``, until its residual is below
    ``tolerance`` times the largest diagonal entry or the steps run out. ``"auto"``: dense up to
    ``N = 12000``. Raises :class:`UndecidedError` where Lanczos finds nothing.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory.memorization import blocks, draw, smallest_eigenvalue
    >>> rng = np.random.default_rng(0)
    >>> parts = blocks(draw(activations.tanh, 8, [8, 8], rng), rng.standard_normal((20, 8)))
    >>> one, other = smallest_eigenvalue(parts), smallest_eigenvalue(parts, "matrix-free")
    >>> one.kind, other.kind, bool(abs(one.value - other.value) < 1e-6)
    ('certified', 'residual', True)
    """
    if not isinstance(method, str) or method not in METHODS:
        raise DomainError(f"method = {method!r}"[:100], f"one of {METHODS}")
    if not parts:
        raise DomainError("no blocks", "at least one")
    size = len(parts[0].features)
    if method == "dense" or (method == "auto" and size <= DENSE):
        return _dense(parts)
    return _matrix_free(parts, size, tolerance, seed)


def _dense(parts: Sequence[Block]) -> Smallest:
    total = parts[0].matrix()
    for part in parts[1:]:
        total += part.matrix()
    # each addition rounds once more: a unit of the largest entry, which lies on the diagonal
    largest = float(np.max(np.diagonal(total)))
    error = sum(part.entry_error for part in parts) + len(parts) * (2.0**-53 * largest * (1 + 1e-6) + TINY)
    found = eigenvalue_bounds(total, error)
    # a sum of entrywise products of Gram matrices has no negative eigenvalue
    lower = max(0.0, found.lower)
    return Smallest(lower, max(found.upper, lower), max(found.upper, lower) - lower, "certified", "Cholesky")


def _matrix_free(parts: Sequence[Block], size: int, tolerance: float, seed: int) -> Smallest:
    from scipy.sparse.linalg import (  # slow to load
        ArpackError,
        ArpackNoConvergence,
        LinearOperator,
        eigsh,
    )

    def times(vector: Array) -> Array:
        flat = np.asarray(vector).reshape(-1)
        return np.sum([part.times(flat) for part in parts], axis=0)

    if size < 3:  # fewer rows than ARPACK works on
        return _dense(parts)
    start = np.random.default_rng(seed).standard_normal(size)
    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    scale = float(np.sum([part.diagonal for part in parts], axis=0).max())
    if scale == 0:
        return _stated(times, start)
    space = min(size, max(60, min(200, size // 20)))
    try:
        # ARPACK's own test is relative to the eigenvalue; the residual below is what is stated
        _, vectors = eigsh(
            operator, k=1, which="SA", v0=start, ncv=space, maxiter=40, tol=max(tolerance * 1e-2, 1e-14)
        )
        vector = np.asarray(vectors[:, 0], dtype=np.float64)
    except ArpackNoConvergence as error:
        if not error.eigenvectors.shape[1]:
            return _iterated(times, size, scale, tolerance, start)
        vector = np.asarray(error.eigenvectors[:, 0])
    except ArpackError:
        return _iterated(times, size, scale, tolerance, start)
    return _stated(times, vector)


def _iterated(
    times: Callable[[Array], Array], size: int, scale: float, tolerance: float, start: Array
) -> Smallest:
    """Block gradient steps (LOBPCG): a Rayleigh quotient even where Lanczos does not settle."""
    import warnings

    from scipy.sparse.linalg import LinearOperator, lobpcg

    operator = LinearOperator(
        (size, size), matvec=times, matmat=lambda m: np.stack([times(v) for v in m.T], axis=1), dtype=float
    )
    count = min(8, max(1, size // 5))
    guess = np.random.default_rng(size).standard_normal((size, count))
    guess[:, 0] = start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it did not reach is in the residual
        _, vectors = lobpcg(operator, guess, largest=False, tol=tolerance * scale, maxiter=200)
    if not np.isfinite(vectors).all():
        raise UndecidedError("Lanczos steps that do not settle", "an eigenvector", 'use method="dense"')
    return _stated(times, np.asarray(vectors[:, 0], dtype=np.float64))


def _stated(times: Callable[[Array], Array], vector: Array) -> Smallest:
    vector = vector / np.linalg.norm(vector)
    image = times(vector)
    quotient = float(vector @ image)
    residual = float(np.linalg.norm(image - quotient * vector))
    return Smallest(0.0, max(quotient, 0.0), residual, "residual", "Lanczos")
