"""Finite networks in exact arithmetic: Jacobians by dual numbers, blocks by features and rows going back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from random import Random

from proofs_check.ledger._exact import Vector
from proofs_check.ledger._points import Points

Matrix = list[list[Fraction]]
Function = Callable[[Fraction], Fraction]


@dataclass(frozen=True)
class Scalar:
    """A function and its derivative on the rationals."""

    name: str
    at: Function
    slope: Function


SCALARS = {
    "t": Scalar("t", lambda t: t, lambda t: Fraction(1)),
    "t + t^2": Scalar("t + t^2", lambda t: t + t * t, lambda t: 1 + 2 * t),
    "t^2": Scalar("t^2", lambda t: t * t, lambda t: 2 * t),
    "t^3": Scalar("t^3", lambda t: t**3, lambda t: 3 * t * t),
    "relu": Scalar("relu", lambda t: max(t, Fraction(0)), lambda t: Fraction(t > 0)),
    "t/(1 + t^2)": Scalar("t/(1 + t^2)", lambda t: t / (1 + t * t), lambda t: (1 - t * t) / (1 + t * t) ** 2),
    "1/(1 + t^2)": Scalar("1/(1 + t^2)", lambda t: 1 / (1 + t * t), lambda t: -2 * t / (1 + t * t) ** 2),
}


def random_weights(widths: Sequence[int], seed: int) -> list[Matrix]:
    """``W_l``, ``widths[l-1] x widths[l]``, for ``d, n_1, .., 1``: rationals of odd denominator, none 0."""
    rng = Random(f"{seed} {list(widths)}")

    def entry() -> Fraction:
        return Fraction(2 * rng.randint(-20, 20) + 1, rng.choice((7, 9, 11)))

    return [[[entry() for _ in range(out)] for _ in range(before)] for before, out in pairwise(widths)]


def apply(W: Matrix, x: Sequence[Fraction]) -> list[Fraction]:
    return [sum((x[i] * W[i][j] for i in range(len(W))), Fraction(0)) for j in range(len(W[0]))]


def output(weights: Sequence[Matrix], s: Scalar, x: Vector) -> Fraction:
    current = list(x)
    for W in weights[:-1]:
        current = [s.at(g) for g in apply(W, current)]
    return apply(weights[-1], current)[0]


def derivative(weights: Sequence[Matrix], s: Scalar, x: Vector, layer: int, i: int, j: int) -> Fraction:
    """``df/d(W_layer)_ij`` by dual numbers: value and slope carried forward together, nothing going back."""
    current, slope = list(x), [Fraction(0)] * len(x)
    for k, W in enumerate(weights):
        g, moved = apply(W, current), apply(W, slope)
        if k == layer:
            moved[j] += current[i]
        if k == len(weights) - 1:
            return moved[0]
        current = [s.at(e) for e in g]
        slope = [s.slope(e) * m for e, m in zip(g, moved, strict=True)]
    raise AssertionError("no layers")


def jacobian(weights: Sequence[Matrix], s: Scalar, X: Points) -> list[Matrix]:
    """One matrix ``(N, n_{l-1} n_l)`` for each layer."""
    return [
        [[derivative(weights, s, x, layer, i, j) for i in range(len(W)) for j in range(len(W[0]))] for x in X]
        for layer, W in enumerate(weights)
    ]


def features_and_rows(weights: Sequence[Matrix], s: Scalar, X: Points) -> list[tuple[Matrix, Matrix]]:
    """``(F_{l-1}, B_l)`` for each layer, ``B_L = 1``, ``B_l = s'(g_l) o (B_{l+1} W_{l+1}^T)``."""
    found: list[list[tuple[list[Fraction], list[Fraction]]]] = []
    for x in X:
        read, before = [], list(x)
        sums: list[list[Fraction]] = []
        for W in weights[:-1]:
            read.append(before)
            sums.append(apply(W, before))
            before = [s.at(g) for g in sums[-1]]
        read.append(before)
        back, rows = [Fraction(1)], [[Fraction(1)]]
        for W, g in zip(reversed(weights[1:]), reversed(sums), strict=True):
            back = [
                s.slope(g[i]) * sum((W[i][j] * back[j] for j in range(len(back))), Fraction(0))
                for i in range(len(W))
            ]
            rows.append(back)
        found.append(list(zip(read, reversed(rows), strict=True)))
    layers = range(len(weights))
    return [([point[k][0] for point in found], [point[k][1] for point in found]) for k in layers]


def added(matrices: Sequence[Matrix]) -> Matrix:
    size = len(matrices[0])
    return [[sum((m[i][j] for m in matrices), Fraction(0)) for j in range(size)] for i in range(size)]
