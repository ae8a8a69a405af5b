"""Certificates that a Gram matrix is strictly positive definite, or singular."""

from __future__ import annotations

from typing import Any

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal
from proofs_check.replay.gram.network import replay
from proofs_check.replay.gram.relations import Linear, orthogonal
from proofs_check.replay.reading import Vector, allow_only, read_vectors


def strictly_positive(data: dict[str, Any]) -> str:
    """The NNGP Gram matrix of the points is strictly positive definite, and so is the larger NTK's.

    Layer by layer (:mod:`.gram.state`): after a polynomial activation by rational arithmetic; after any
    other by its evidence, which is one of

    * ``samples``: points of the support of the pre-activations near which ``det [s(g_i)]`` is not 0;
    * ``points`` of a divided difference that is not 0: ``s`` is not a polynomial of degree ``N - 2``, and the
      pre-activations are pairwise non-proportional (Carvalho, Costa, Mourao, Oliveira 2024, Theorem 3 with
      its degree bound); or ``s`` is not constant, and they are independent (Proposition 1);
    * ``ratios``: no two of ``s(g_i)`` are proportional, which the next activation may build on;
    * ``null_vectors`` as in :func:`singular`, the others independent by one of the first two.

    Every ``s`` and ``s'`` must be seen to grow at most exponentially, so that the kernels are finite.
    """
    allow_only(data, ("points", "layers"))
    points = read_vectors(data, "points")
    budget = Budget()
    state = replay(points, data.get("layers"), budget)
    if not state.is_independent(state.everyone, budget):
        raise Refusal("the evidence does not show strict positivity after the last layer")
    return f"the NNGP and NTK Gram matrices of {_points(points)} are strictly positive definite"


def _points(points: tuple[Vector, ...]) -> str:
    return "1 point" if len(points) == 1 else f"{len(points)} points"


def singular(data: dict[str, Any]) -> str:
    """The NNGP and NTK Gram matrices of the points have these null vectors.

    After each activation the file names null vectors ``u``: ``sum_i u_i s(g_i) = 0`` is an identity, shown by
    exact normal forms (:mod:`.algebra`) on every line through 0, and by rational arithmetic across
    lines. A bias keeps those with sum 0. ``nullity``: there are no others, by evidence as in
    :func:`strictly_positive`.

    Both kernels have the same null vectors, layer by layer. The NTK is the larger. Conversely, let
    ``g = Z w`` and ``T = Z C Z^T`` with ``C >= 0``; ``sum_i u_i s(z_i . w) = 0`` holds for almost every
    ``w``, and may be differentiated wherever all the ``s(z_i . w)`` are differentiable, almost everywhere
    again: ``sum_i u_i s'(z_i . w) z_i = 0``, so ``u`` is a null vector of ``E s'(g_i) s'(g_j) T_ij`` too.
    """
    allow_only(data, ("points", "layers", "null_vectors", "nullity"))
    points, null = read_vectors(data, "points"), read_vectors(data, "null_vectors")
    budget = Budget()
    if len(null[0]) != len(points) or Linear(budget).relations(null):
        raise Refusal(f"null_vectors: independent ones of {len(points)} entries are required")
    state = replay(points, data.get("layers"), budget)
    if not all(orthogonal(u, state.vectors) for u in null):
        raise Refusal("the evidence does not show these null vectors after the last layer")
    count = "one null vector" if len(null) == 1 else f"{len(null)} independent null vectors"
    text = f"the NNGP and NTK Gram matrices of {_points(points)} are singular: {count}"
    if "nullity" not in data:
        return text
    deficit = len(points) - Linear(budget).rank(state.vectors)
    if data["nullity"] != str(len(null)) or deficit != len(null) or not state.exact:
        raise Refusal("nullity: the evidence does not show that there are no other null vectors")
    return f"{text}, and no others"
