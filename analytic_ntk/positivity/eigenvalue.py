"""The smallest eigenvalue of a Gram matrix, enclosed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb, arb_mat, ctx

from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.network import Network, ball_pair
from analytic_ntk.positivity.decide import Positivity, decide_gram
from analytic_ntk.positivity.linear import Vector
from analytic_ntk.systems.ball import Ball

_ROUNDS = 5
"""Steps of inverse iteration between two moves of its shift."""
_MOVES = 40


def min_eigenvalue(network: Network, X: Any, kernel: str = "ntk", digits: int = 10) -> Enclosure:
    """An enclosure of ``lambda_min`` of the limiting Gram matrix of the rows of ``X``, ``digits`` certain.

    ``X``: shape ``(N, d)``, exact or floats taken as binary numbers; the kernel's inputs are ``<x, y>/d``.
    A matrix that is decided to be singular (:func:`~analytic_ntk.positivity.decide_gram`) has the exact
    answer 0. Above: the Rayleigh quotient of an approximate eigenvector; below: ``K - t`` has a
    ``L D L^T`` factorisation with certainly positive pivots (Sylvester). All in balls, with as many digits
    as it takes. Cost ``N^2`` kernel values and ``N^3`` ball operations for each precision tried.

    Raises :class:`DomainError` for bad points, :class:`PrecisionError` where the digits cannot be had.

    >>> from analytic_ntk import Network, activations
    >>> line = [[f"{k}/10"] for k in range(10)]
    >>> print(min_eigenvalue(Network.mlp(activations.sin, 1, 1, 1), line[:3], digits=8))
    7.0736727...e-5
    """
    decision = decide_gram(network, X, kernel)
    if decision.verdict is Positivity.SINGULAR:
        return Enclosure(Fraction(0), Fraction(0))
    points = decision.points

    def compute() -> tuple[tuple[arb, ...], arb]:
        matrix = gram_balls(network, points, kernel)
        return (least_eigenvalue(matrix),), matrix.trace() / len(points)

    return certify(compute, digits, "the least eigenvalue")[0]


def gram_balls(network: Network, points: tuple[Vector, ...], kernel: str) -> arb_mat:
    """The limiting Gram matrix at the working precision; equal inner products are computed once."""
    dim, ball = len(points[0]), Ball()
    known: dict[tuple[Fraction, Fraction, Fraction], arb] = {}
    products = [
        [sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) / dim for y in points] for x in points
    ]
    size = len(points)
    matrix = arb_mat(size, size)
    for i in range(size):
        for j in range(i + 1):
            key = products[i][i], products[i][j], products[j][j]
            if key not in known:
                a, c, b = (sp.Rational(v.numerator, v.denominator) for v in key)
                result = network.push(ball_pair(a, c, b), ball)
                known[key] = result.ntk if kernel == "ntk" else result.q12
            matrix[i, j] = matrix[j, i] = known[key]
    return matrix


def least_eigenvalue(matrix: arb_mat) -> arb:
    """A ball around ``lambda_min`` of a symmetric matrix, without bounds if none is found.

    Inverse iteration, its shift moved up to every proven lower bound.
    """
    size = matrix.nrows()
    factors = _factorise(matrix, arb(0))
    if factors is None:
        return arb("nan")
    lower = arb(0)
    vector = arb_mat(size, 1, [arb(1) / (k + 1) for k in range(size)])
    width = arb("inf")
    for _ in range(_MOVES):
        for _ in range(_ROUNDS):
            vector = _solved(factors, vector)
            largest = max((abs(e) for e in vector.entries()), key=float)
            vector = arb_mat(size, 1, [(e / largest).mid() for e in vector.entries()])
        norm = (vector.transpose() * vector)[0, 0]
        quotient = (vector.transpose() * matrix * vector)[0, 0] / norm
        residual = matrix * vector - vector * quotient
        miss = (sum((e * e for e in residual.entries()), arb(0)) / norm).abs_upper()
        upper = arb(quotient.upper())
        # the quotient is off by about the square of the residual over the distance to the next eigenvalue
        step = 2 * arb(quotient.rad()) + arb(miss) / abs(upper)
        step += abs(upper) * arb(2) ** (8 - int(ctx.prec))  # an exact quotient is not a lower bound yet
        while upper - step > lower:
            found = _factorise(matrix, arb((upper - step).lower()))
            if found is not None:
                factors, lower = found, arb((upper - step).lower())
                break
            step *= 4
        before, width = width, upper - lower
        if not width < before / 2:
            break
    return lower.union(upper)


Factors = tuple[list[list[arb]], list[arb]]


def _factorise(matrix: arb_mat, shift: arb) -> Factors | None:
    """``L`` (below its unit diagonal) and ``D`` of ``matrix - shift``; ``None`` unless all of ``D`` is
    certainly positive."""
    size = matrix.nrows()
    lower: list[list[arb]] = []
    pivots: list[arb] = []
    for i in range(size):
        row: list[arb] = []
        scaled: list[arb] = []
        for j in range(i):
            value = matrix[i, j]
            for k in range(j):
                value -= scaled[k] * lower[j][k]
            scaled.append(value)
            row.append(value / pivots[j])
        pivot = matrix[i, i] - shift
        for k in range(i):
            pivot -= scaled[k] * row[k]
        if not pivot > 0:
            return None
        lower.append(row)
        pivots.append(pivot)
    return lower, pivots


def _solved(factors: Factors, right: arb_mat) -> arb_mat:
    lower, pivots = factors
    size = len(pivots)
    values = [right[i, 0] for i in range(size)]
    for i in range(size):
        for k in range(i):
            values[i] -= lower[i][k] * values[k]
    values = [(v / d).mid() for v, d in zip(values, pivots, strict=True)]
    for i in reversed(range(size)):
        for k in range(i + 1, size):
            values[i] -= lower[k][i] * values[k]
    return arb_mat(size, 1, [v.mid() for v in values])
