"""Points: Khatri-Rao powers, their Gram matrices, correlations and coherence; exact or float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from analytic_ntk.activation import constant
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian.values import real_array

Array = NDArray[np.float64]
Points: TypeAlias = Sequence[Sequence[ExactNumber]] | Array
"""``n`` points of dimension ``d``: rows of exact rational numbers, or an array ``(n, d)`` of float64."""
Rationals: TypeAlias = tuple[tuple[Fraction, ...], ...]

MAX_ENTRIES = 10_000_000
"""Entries of a Khatri-Rao power that are written out."""
BITS = 256
"""Working precision of correlations and of what is made from them."""


def khatri_rao(points: Points, r: int) -> Rationals | Array:
    """Row-wise Khatri-Rao power: row ``i`` is ``x_i (x) .. (x) x_i`` (``r`` times), ``(n, d) -> (n, d^r)``.

    Exact for exact points; float64 for an array, each entry to a relative error of ``r 2^-53``. ``r = 0`` is
    a column of ones. Raises :class:`DomainError` for bad points and beyond ``10^7`` entries.

    >>> from analytic_ntk.bounds import khatri_rao
    >>> khatri_rao([[1, 2]], 2)
    ((Fraction(1, 1), Fraction(2, 1), Fraction(2, 1), Fraction(4, 1)),)
    """
    data = read_points(points)
    count, dim = len(data), len(data[0])
    require_power(r)
    if r * math.log(max(dim, 1)) + math.log(count) > math.log(MAX_ENTRIES):
        raise DomainError(
            f"{count} rows of {dim}^{r} entries", f"at most {MAX_ENTRIES} entries", "use khatri_rao_gram"
        )
    if isinstance(data, np.ndarray):
        power = np.ones((count, 1))
        for _ in range(r):
            power = (power[:, :, None] * data[:, None, :]).reshape(count, -1)
        return power
    rows = []
    for row in data:
        entries = [Fraction(1)]
        for _ in range(r):
            entries = [a * b for a in entries for b in row]
        rows.append(tuple(entries))
    return tuple(rows)


def khatri_rao_gram(points: Points, r: int) -> Rationals | Array:
    """The Gram matrix ``(X X^T)^{o r}`` of the Khatri-Rao powers, without forming them; ``(n, n)``.

    Exact for exact points; float64 for an array, with an error below ``(d + 1) r 2^-53 (|x_i| |x_j|)^r``.

    >>> from analytic_ntk.bounds import khatri_rao_gram
    >>> khatri_rao_gram([[1, 2], ["1/2", 0]], 2)
    ((Fraction(25, 1), Fraction(1, 4)), (Fraction(1, 4), Fraction(1, 16)))
    """
    data = read_points(points)
    require_power(r)
    if isinstance(data, np.ndarray):
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            product: Array = (data @ data.T) ** r
        if not np.isfinite(product).all():
            raise DomainError("entries too large for float64", "finite products", "rescale the points")
        return product
    return tuple(tuple(value**r for value in row) for row in gram_of(data))


def mutual_coherence(points: Points) -> Enclosure | float:
    """``max_{i != j} |<x_i, x_j>|/(|x_i| |x_j|)``: certified for exact points, float64 (error ``d 2^-52``)
    for arrays.

    >>> from analytic_ntk.bounds import mutual_coherence
    >>> print(mutual_coherence([[1, 0], [3, 4], [0, 1]]))
    0.8
    """
    data = read_points(points)
    if len(data) < 2:
        raise DomainError("one point", "two points or more")
    if isinstance(data, np.ndarray):
        rho = np.abs(float_correlations(data))
        np.fill_diagonal(rho, 0.0)
        return float(rho.max())
    gram = gram_of(data)
    require_directions(gram)
    square = max(gram[i][j] ** 2 / (gram[i][i] * gram[j][j]) for i in range(len(data)) for j in range(i))
    exact = _rational_root(square)
    if exact is not None:
        return Enclosure(exact, Fraction(0))
    with working_precision(BITS):
        return Enclosure.of(_root(square))


def read_points(points: Points) -> list[list[Fraction]] | Array:
    """Rows of rationals, or a float64 array; no zero row is refused here."""
    if isinstance(points, np.ndarray):
        array = real_array(points)
        if array.ndim != 2 or 0 in array.shape:
            raise DomainError(f"points of shape {array.shape}", "(n, d) with n, d >= 1")
        return array
    remedy = "give rows of exact numbers, or a numpy array for a float64 answer"
    if isinstance(points, str) or not isinstance(points, Sequence) or not points:
        raise DomainError(f"points = {points!r}"[:80], "a list of rows", remedy)
    rows = []
    for i, row in enumerate(points):
        if isinstance(row, str) or not isinstance(row, Sequence) or not row or len(row) != len(points[0]):
            raise DomainError(
                f"points[{i}] = {row!r}"[:80], f"a row like points[0], {points[0]!r}"[:80], remedy
            )
        numbers = [constant(value, f"points[{i}][{j}]") for j, value in enumerate(row)]
        for j, number in enumerate(numbers):
            if not number.is_Rational:
                raise DomainError(f"points[{i}][{j}] = {number}", "a rational number", remedy)
        rows.append([Fraction(int(number.p), int(number.q)) for number in numbers])
    return rows


def require_power(r: int) -> None:
    if isinstance(r, bool) or not isinstance(r, int) or r < 0:
        raise DomainError(f"r = {r!r}", "an integer >= 0")


def gram_of(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in rows] for x in rows]


def _rational_root(square: Fraction) -> Fraction | None:
    top, bottom = math.isqrt(square.numerator), math.isqrt(square.denominator)
    return (
        Fraction(top, bottom)
        if top * top * square.denominator == bottom * bottom * square.numerator
        else None
    )


def _root(square: Fraction) -> arb:
    """A ball for the root, as tight as the precision allows where the root is rational."""
    exact = _rational_root(square)
    number = square if exact is None else exact
    ball = arb(fmpq(number.numerator, number.denominator))
    return ball.sqrt() if exact is None else ball


def require_directions(gram: list[list[Fraction]]) -> None:
    for i, row in enumerate(gram):
        if row[i] == 0:
            raise DomainError(f"points[{i}] = 0", "points with a direction", "leave the zero input out")


def correlations(rows: list[list[Fraction]]) -> list[list[arb]]:
    """Balls at the working precision; the diagonal is 1."""
    gram = gram_of(rows)
    require_directions(gram)
    rho = []
    for i, row in enumerate(gram):
        balls = [_root(g * g / (row[i] * gram[j][j])) for j, g in enumerate(row)]
        rho.append([-ball if g < 0 else ball for g, ball in zip(row, balls, strict=True)])
    return rho


def float_correlations(data: Array) -> Array:
    scale = np.max(np.abs(data), axis=1)
    if not scale.all():
        raise DomainError(f"points[{int(np.argmin(scale))}] = 0", "points with a direction", "leave it out")
    unit = data / scale[:, None]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rho: Array = unit @ unit.T
    return rho
