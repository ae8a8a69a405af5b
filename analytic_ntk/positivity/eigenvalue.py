"""The smallest eigenvalue of a Gram matrix, enclosed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import sympy as sp
from flint import arb, arb_mat, ctx

from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.network import Network, ball_pair, require_network
from analytic_ntk.positivity.decide import Positivity, decide_gram
from analytic_ntk.positivity.float_gram import certified_gram
from analytic_ntk.positivity.linear import Vector
from analytic_ntk.positivity.rounding import bounds_of
from analytic_ntk.systems.ball import Ball

_ROUNDS = 5
"""Steps of inverse iteration between two moves of its shift."""
_MOVES, _STALLS = 60, 4
MOST_BALLS = 400
"""Points for which a Gram matrix is formed and factorised in balls."""

Method = Literal["balls", "float64"]
Progress = Callable[[int, int, str], None]


def min_eigenvalue(
    network: Network,
    X: Any,
    kernel: str = "ntk",
    digits: int | None = None,
    method: Method = "balls",
    progress: Progress | None = None,
) -> Enclosure:
    """A proved enclosure of ``lambda_min`` of the limiting Gram matrix of the rows of ``X``.

    ``X``: shape ``(N, d)``; the kernel's inputs are ``<x, y>/d``; floats are taken as the binary numbers
    they are.

    ``method="balls"``: ``digits`` certain digits (10 where none are asked for), ``N <= 400``, any exact
    numbers. A matrix that is decided to be singular (:func:`~analytic_ntk.positivity.decide_gram`) has the
    exact answer 0; where that is undecided the enclosure may contain 0. Above: the Rayleigh quotient of an
    approximate eigenvector; below: ``K - t`` has a ``L D L^T`` factorisation with certainly positive pivots
    (Sylvester). With as much precision as it takes: ``N^2/2`` kernel values and some ``N^3`` operations for
    each precision tried.

    ``method="float64"``: as many digits as float64 gives, a real array with ``N <= 5000``. The Gram matrix
    comes with a proved error of every entry (:func:`~analytic_ntk.positivity.certified_gram`), its
    eigenvalue with every rounding error (:func:`~analytic_ntk.positivity.eigenvalue_bounds`); equal rows have
    the exact answer 0.

    ``progress`` is called with what is done, what there is, and its name.

    Raises :class:`DomainError` for bad points, too many of them, or an unknown kernel or method;
    :class:`PrecisionError` where the digits cannot be had.

    >>> from analytic_ntk import Network, activations
    >>> line = [[f"{k}/10"] for k in range(10)]
    >>> network = Network.mlp(activations.sin, 1, 1, 1)
    >>> print(min_eigenvalue(network, line[:3], digits=8))
    7.0736727...e-5
    >>> print(min_eigenvalue(network, [[0.0], [0.5], [1.0]], method="float64").decimal(6))
    0.0426827
    """
    require_network(network)
    say = progress or (lambda done, total, name: None)
    if method not in ("balls", "float64"):
        raise DomainError(f"method = {method!r}", '"balls" or "float64"')
    if method == "float64":
        found = _in_float64(network, X, kernel, say)
        if digits is not None and found.digits < _asked(digits):
            raise PrecisionError(
                f"{found.digits} digits of the least eigenvalue in float64", f"{digits} digits",
                'use method="balls"', reached=found.digits,
            )  # fmt: skip
        return found
    wanted = 10 if digits is None else _asked(digits)
    require_few(X)
    decision = decide_gram(network, X, kernel)
    if decision.verdict is Positivity.SINGULAR:
        return Enclosure(Fraction(0), Fraction(0))
    points = decision.points
    undecided = decision.verdict is Positivity.UNDECIDED

    def compute() -> tuple[tuple[arb, ...], arb]:
        matrix = gram_balls(network, points, kernel, say)
        return (least_eigenvalue(matrix, undecided, say),), matrix.trace() / len(points)

    return certify(compute, wanted, "the least eigenvalue")[0]


def require_few(X: Any) -> None:
    """Raise :class:`DomainError` for more points than balls are used for."""
    if hasattr(X, "__len__") and len(X) > MOST_BALLS:
        raise DomainError(
            f"{len(X)} points in balls", f"at most {MOST_BALLS}", 'use method="float64": up to 5000 points'
        )


def _asked(digits: int) -> int:
    if isinstance(digits, bool) or not isinstance(digits, int) or digits < 1:
        raise DomainError(f"digits = {digits!r}", "an integer >= 1")
    return digits


def _in_float64(network: Network, X: Any, kernel: str, progress: Progress) -> Enclosure:
    gram = certified_gram(network, X, kernel, progress)
    if len(np.unique(np.asarray(X), axis=0)) < len(gram.matrix):
        return Enclosure(Fraction(0), Fraction(0))
    bounds = bounds_of(gram.matrix, gram.error)
    lower, upper = (max(Fraction(0), Fraction(b)) for b in (bounds.lower, bounds.upper))  # K is semidefinite
    return Enclosure((lower + upper) / 2, (upper - lower) / 2)


def gram_balls(
    network: Network, points: tuple[Vector, ...], kernel: str, progress: Progress | None = None
) -> arb_mat:
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
        if progress:
            progress((i + 1) * (i + 2) // 2, size * (size + 1) // 2, "kernel values")
    return matrix


def least_eigenvalue(matrix: arb_mat, semidefinite: bool = False, progress: Progress | None = None) -> arb:
    """A ball around ``lambda_min`` of a symmetric matrix, without bounds if none is found.

    Inverse iteration, its shift moved up to every proven lower bound. Of a matrix known to be
    ``semidefinite`` that may be singular 0 is a lower bound.
    """
    size = matrix.nrows()
    lower = arb(0)
    factors = _factorise(matrix, lower)
    if factors is None and semidefinite:
        factors = _factorise(matrix, -abs(matrix.trace()) * arb(2) ** (-int(ctx.prec) // 2))
    if factors is None:
        return arb("nan")
    vector = arb_mat(size, 1, [arb(1) / (k + 1) for k in range(size)])
    upper, stalls = arb("inf"), 0
    for move in range(_MOVES):
        for _ in range(_ROUNDS):
            vector = _solved(factors, vector)
            largest = max((abs(e) for e in vector.entries()), key=float)
            vector = arb_mat(size, 1, [(e / largest).mid() for e in vector.entries()])
        quotient, miss = _rayleigh(matrix, vector)
        upper = upper.min(arb(quotient.upper()))
        # an exact quotient is not a lower bound yet
        noise = 2 * arb(quotient.rad()) + abs(upper) * arb(2) ** (8 - int(ctx.prec))
        width = arb((upper - lower).upper())
        if width <= 4 * noise:
            break
        # the quotient is off by about the square of the residual over the distance to the next eigenvalue
        step = noise + (width / 256).min(miss / abs(upper))
        proved, growth = None, arb(16)
        while step < width and (proved := _factorise(matrix, arb((upper - step).lower()))) is None:
            step, growth = (step * growth).min((step * width).sqrt() + step), growth * growth
        if proved is not None:
            factors, lower = proved, arb((upper - step).lower())
        stalls = 0 if upper - lower < width / 2 else stalls + 1
        if stalls > _STALLS:
            break
        if progress:
            progress(move + 1, _MOVES, "shifts (at most)")
    if lower == 0 and not semidefinite:
        return arb("nan")  # positive, but no bound yet: more precision finds one
    return lower.union(upper)


def _rayleigh(matrix: arb_mat, vector: arb_mat) -> tuple[arb, arb]:
    """The quotient of a vector, and the square of its residual."""
    norm = (vector.transpose() * vector)[0, 0]
    quotient = (vector.transpose() * matrix * vector)[0, 0] / norm
    residual = matrix * vector - vector * quotient
    return quotient, arb((sum((e * e for e in residual.entries()), arb(0)) / norm).abs_upper())


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
