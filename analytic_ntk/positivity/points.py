"""Data points as exact rational vectors, and the lines through 0 on which they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.exact import exact_number
from analytic_ntk.positivity.linear import Sparse, Vector

MAX_ENTRIES = 10_000_000


def exact_points(X: Any) -> tuple[Vector, ...]:
    """The rows of ``X`` as exact rational vectors; floats are taken as the binary numbers they are.

    ``X``: an array of shape ``(N, d)`` or a sequence of ``N`` sequences of ``d`` numbers (ints, Fractions,
    floats, exact sympy rationals, text such as ``"1/3"``). Raises :class:`DomainError` for ragged or empty
    input, NaN, infinities and irrational numbers.

    >>> exact_points([[1, 0.5], ["1/3", -2]])
    ((Fraction(1, 1), Fraction(1, 2)), (Fraction(1, 3), Fraction(-2, 1)))
    """
    if isinstance(X, np.ndarray):
        if X.ndim != 2:
            raise DomainError(f"X of shape {X.shape}", "an array of shape (N, d)")
        if X.size > MAX_ENTRIES:
            raise DomainError(f"X of shape {X.shape}", f"at most {MAX_ENTRIES} entries")
        X = X.tolist()
    if not isinstance(X, Sequence) or isinstance(X, (str, bytes)) or not len(X):
        raise DomainError(f"X = {X!r}"[:100], "at least one point: a sequence of rows, or an array (N, d)")
    rows = []
    for i, row in enumerate(X):
        if isinstance(row, np.ndarray):
            row = row.tolist()
        if not isinstance(row, Sequence) or isinstance(row, (str, bytes)) or not len(row):
            raise DomainError(f"row {i} of X: {row!r}"[:100], "a sequence of d >= 1 numbers")
        if len(row) != len(X[0]):
            raise DomainError(f"row {i} of X with {len(row)} entries", f"{len(X[0])} entries, as row 0 has")
        rows.append(tuple(_rational(entry, f"X[{i}][{j}]") for j, entry in enumerate(row)))
    return tuple(rows)


def _rational(entry: Any, name: str) -> Fraction:
    if isinstance(entry, Fraction):
        return entry
    if isinstance(entry, (bool, np.bool_)):
        raise DomainError(f"{name} = {entry}", "a rational number")
    if isinstance(entry, (int, np.integer)):
        return Fraction(int(entry))
    if isinstance(entry, (float, np.floating)):
        if not math.isfinite(entry):
            raise DomainError(f"{name} = {entry}", "finite numbers")
        return Fraction(*entry.as_integer_ratio())
    number = exact_number(entry, name)
    if not isinstance(number, sp.Rational):
        raise DomainError(
            f"{name} = {number}"[:100], "a rational number", "round it to a fraction or a float"
        )
    return Fraction(int(number.p), int(number.q))


@dataclass(frozen=True)
class Lines:
    """Vectors grouped by lines through 0: ``z_k = ratios[k] * (direction of its line)``.

    ``members`` are the indices on each line, ``zeros`` those of zero vectors, ``ratios[k]`` is 0 there.
    """

    members: tuple[tuple[int, ...], ...]
    zeros: tuple[int, ...]
    ratios: tuple[Fraction, ...]


def lines_of(vectors: Sequence[Sparse]) -> Lines:
    """The lines of rational vectors; the first vector of a line is its direction."""
    groups: dict[Sparse, list[int]] = {}
    first: dict[Sparse, Fraction] = {}
    zeros, ratios = [], []
    for k, vector in enumerate(vectors):
        if not vector:
            zeros.append(k)
            ratios.append(Fraction(0))
            continue
        lead = vector[0][1]
        direction = tuple((place, entry / lead) for place, entry in vector)
        groups.setdefault(direction, []).append(k)
        ratios.append(lead / first.setdefault(direction, lead))
    return Lines(tuple(map(tuple, groups.values())), tuple(zeros), tuple(ratios))
