"""Randomly pivoted Cholesky: a positive semidefinite matrix by few of its columns.

Pivots are drawn with probability proportional to what is left of the diagonal (Chen, Epperly, Tropp, Webber
2022, arXiv 2207.06503, Algorithm 1), several at once: of a block of proposals, each is accepted with the
probability that makes the result that of one draw after another (Epperly, Tropp, Webber 2024, arXiv
2410.03969, "accelerated RPCholesky"). No shift is added to the matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]
BLOCK = 64
"""Proposals at once."""


@dataclass(frozen=True, eq=False)
class PivotedCholesky:
    """``A ~ F F^T``: ``factor`` ``(n, rank)``, the ``pivots`` whose rows and columns are met to rounding,
    and ``left``, the trace of ``A - F F^T`` relative to that of ``A``."""

    factor: Array
    pivots: Index
    left: float


def pivoted_cholesky(
    diagonal: Array,
    columns: Callable[[Index], Array],
    rank: int,
    rng: np.random.Generator,
    step: Callable[[int], None] = lambda count: None,
) -> PivotedCholesky:
    """A factor of at most ``rank`` columns; fewer where the diagonal is used up to rounding.

    ``columns(pivots)`` gives the columns ``(n, len(pivots))`` of the matrix. ``step`` is called with the
    number of columns that were added.
    """
    n = len(diagonal)
    rank = min(rank, n)
    factor = np.zeros((n, rank))
    pivots = np.empty(rank, np.intp)
    left = diagonal.astype(np.float64)
    total = float(left.sum())
    noise = n * np.finfo(float).eps * float(left.max(initial=0.0))
    done = 0
    while done < rank and left.sum() > noise:
        proposals = rng.choice(n, size=BLOCK, p=left / left.sum())
        places, first = np.unique(proposals, return_index=True)
        chosen = places[np.argsort(first)]
        known = columns(chosen)
        known -= factor[:, :done] @ factor[chosen, :done].T
        accepted, triangle = _accepted(known[chosen], left[chosen], np.sort(first), rng)
        accepted, triangle = accepted[: rank - done], triangle[: rank - done, : rank - done]
        fresh = known[:, accepted]
        for k in range(len(accepted)):  # fresh triangle^T = known
            fresh[:, k] = (fresh[:, k] - fresh[:, :k] @ triangle[k, :k]) / triangle[k, k]
        factor[:, done : done + len(accepted)] = fresh
        pivots[done : done + len(accepted)] = chosen[accepted]
        left -= np.sum(fresh * fresh, axis=1)
        np.maximum(left, 0.0, out=left)  # weights of a draw; rounding may leave them below 0
        left[chosen[accepted]] = 0.0
        done += len(accepted)
        step(len(accepted))
    return PivotedCholesky(factor[:, :done], pivots[:done], float(left.sum()) / total if total else 0.0)


def _accepted(square: Array, before: Array, order: Index, rng: np.random.Generator) -> tuple[Index, Array]:
    """Which proposals are kept, and the Cholesky factor of their part of ``square``.

    ``before``: their weights when they were proposed. A proposal is kept with the probability (what is left
    of its diagonal entry after those kept before it) / (its weight); the first always.
    """
    rest = np.array(square)
    kept: list[int] = []
    rows: list[Array] = []
    for k in range(len(rest)):
        if rest[k, k] <= 0 or (kept and rng.random() * before[k] >= rest[k, k]):
            continue
        column = rest[:, k] / np.sqrt(rest[k, k])
        rest -= np.outer(column, column)
        kept.append(k)
        rows.append(column)
    chosen = np.array(kept, np.intp)
    return chosen, np.tril(np.array(rows).T[chosen]) if kept else np.empty((0, 0))
