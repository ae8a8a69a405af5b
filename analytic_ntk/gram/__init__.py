"""Float64 and float32 kernel matrices of real data.

Where all inputs have one norm (or the kernel is homogeneous in the norms) the kernel is a function of the
correlation alone: a polynomial, evaluated on tiles of the product (:mod:`.curve`, :mod:`.tiles`). Else it is
one of two norms and the correlation: polynomials on cells of norms (:mod:`.surface`, :mod:`.general`). Few
pairs, near ones, and kernels that no polynomial follows are left to the recursion (:mod:`.pairs`). Arrays of
torch, jax and their like stay where they are (:mod:`.arrays`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.arrays import gram_on_arrays, is_foreign
from analytic_ntk.gram.curve import curves
from analytic_ntk.gram.general import by_surfaces
from analytic_ntk.gram.inputs import Inputs, Task, data
from analytic_ntk.gram.pairs import fill_by_pairs, require_finite
from analytic_ntk.gram.progress import counting
from analytic_ntk.gram.tiles import COMPILED, fill
from analytic_ntk.layers import Dense, Layer, Nonlinearity, Residual
from analytic_ntk.layers.protocol import activations_of

__all__ = ["data", "gram"]

Matrix = NDArray[np.floating]
FEW = 1 << 12
"""Fewer pairs than this are not worth a polynomial."""
MANY = 1 << 24
"""From so many pairs on, it is said what would be faster."""
SLOW = 'matrices of this size take a tenth of the time with: python -m pip install "analytic-ntk[fast]"'


def gram(
    layers: Sequence[Layer],
    X: Any,
    Y: Any,
    kernel: str,
    progress: bool = False,
    values: Mapping[str, Any] | None = None,
    largest_variance: float | None = None,
) -> Any:
    """NNGP and NTK matrices in float64, or in float32 where all the data are.

    ``X`` is ``(n, d)``, ``Y`` is ``(m, d)`` (or absent: ``X`` against itself, exactly symmetric); the
    result is ``(n, m)``, for ``kernel="both"`` the two matrices ``(nngp, ntk)``. Kind of answer: float,
    relative to ``sqrt(K(x,x) K(y,y))`` accurate to about 1e-13 (float32: 1e-6) per layer times the condition
    number of the depth recursion (a chaotic network amplifies rounding). Duplicate rows give equal entries,
    zero rows are fine; differences ``K(x,x) - K(x,y)`` of near-duplicates keep their digits. ``progress``
    shows a bar. Arrays of other libraries, and variances that are symbols with ``values``, are served by
    :func:`analytic_ntk.gram.arrays.gram_on_arrays`. Raises :class:`DomainError` for other shapes, for complex
    or non-finite entries, for an infinite expectation and for kernels that overflow.
    """
    if kernel not in ("nngp", "ntk", "both"):
        raise DomainError(f"kernel = {kernel!r}", '"nngp", "ntk" or "both"')
    if is_foreign(X) or is_foreign(Y) or values is not None or largest_variance is not None:
        if progress:
            raise DomainError("progress on arrays of other libraries", "progress=False")
        return gram_on_arrays(layers, X, Y, kernel, values, largest_variance)
    for phi in activations_of(tuple(layers)):
        phi.require_numeric()
    first = data(X, "X")
    second = first if Y is None else data(Y, "Y")
    if first.shape[1] != second.shape[1]:
        raise DomainError(f"X with {first.shape[1]} and Y with {second.shape[1]} columns", "equal dimensions")
    single = all(np.asarray(value).dtype == np.float32 for value in (X, Y) if value is not None)
    dtype = np.dtype(np.float32 if single else np.float64)
    one = Inputs(first, dtype)
    two = one if Y is None else Inputs(second, dtype)
    chosen: tuple[int, ...] = {"nngp": (0,), "ntk": (1,), "both": (0, 1)}[kernel]
    if not COMPILED and len(first) * len(second) >= MANY:
        warnings.warn(SLOW, stacklevel=3)
    with counting(len(first), progress) as step:
        task = Task(tuple(layers), one, two, chosen, dtype, step)
        for way in (_by_curves, by_surfaces, _by_pairs):
            matrices = way(task)
            if matrices is not None:
                break
    assert matrices is not None, "pairs serve everything"
    return (matrices[0], matrices[1]) if kernel == "both" else matrices[0]


def _by_curves(task: Task) -> list[Matrix] | None:
    """By functions of the correlation alone, where there are such."""
    one, two = task.one, task.two
    norms = one_norm(task.layers, one, two)
    known = None if norms is None else curves(task.layers, norms[0], norms[1])
    if norms is None or known is None:
        return None
    scaled = norms[2]
    matrices = task.matrices()
    fill([known[k] for k in task.kernels], matrices, one, two, scaled, task.step)
    largest = max(known[k].bound for k in task.kernels)
    top = (float(one.q.max()) * float(two.q.max())) ** (0.5 * scaled)
    if largest * top > float(np.finfo(task.dtype).max):
        for matrix in matrices:
            require_finite(matrix)
    return matrices


def _by_pairs(task: Task) -> list[Matrix]:
    both = fill_by_pairs(task.layers, task.one, task.two, task.step)
    with np.errstate(over="ignore"):
        matrices: list[Matrix] = [both[k].astype(task.dtype, copy=False) for k in task.kernels]
    for matrix in matrices:
        require_finite(matrix)
    return matrices


def one_norm(layers: Sequence[Layer], one: Inputs, two: Inputs) -> tuple[float, float, bool] | None:
    """The norms that stand for all, where the kernel is worth a polynomial of the correlation; and whether
    it is to be multiplied by the norms themselves."""
    if len(one.q) * len(two.q) < FEW or min(one.q.min(), two.q.min()) == 0:
        return None
    if _is_homogeneous(layers):
        return 1.0, 1.0, True
    if one.level is None or two.level is None:
        return None
    return one.level, one.level if abs(one.level - two.level) <= one.spread * one.level else two.level, False


def _is_homogeneous(layers: Sequence[Layer]) -> bool:
    """Whether ``K(c x, c' y) = c c' K(x, y)`` for positive ``c, c'``."""
    for layer in layers:
        if isinstance(layer, Dense):
            good = layer.bias_variance == 0
        elif isinstance(layer, Nonlinearity):
            good = layer.activation.homogeneity == 1
        else:
            good = isinstance(layer, Residual) and _is_homogeneous(layer.branch)
        if not good:
            return False
    return True
