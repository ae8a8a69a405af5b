"""Random data sets, small, exact, and awkward on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from itertools import permutations
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy.special import ndtri

from analytic_ntk.errors import DomainError

Rows: TypeAlias = tuple[tuple[Fraction, ...], ...]
"""Points as rows; every entry is a number of float64 exactly."""


class Shape(Enum):
    """What a data set looks like."""

    GAUSSIAN = "Gaussian"
    SPHERE = "sphere"
    HEXAGON = "hexagon"
    GRID = "grid"
    CLOSE = "close"


_SPHERES: dict[int, tuple[int, tuple[tuple[int, ...], ...]]] = {
    1: (1, ((1,),)),
    2: (64, ((65, 0), (63, 16), (56, 33), (52, 39), (60, 25))),
    3: (8, ((9, 0, 0), (8, 4, 1), (7, 4, 4), (6, 6, 3))),
    4: (4, ((6, 0, 0, 0), (5, 3, 1, 1), (4, 4, 2, 0), (3, 3, 3, 3))),
}
"""Integer vectors of one length up to order and signs, and the power of 2 that they are divided by."""
_HEXAGON = ((2, 0), (1, 1), (-1, 1), (-2, 0), (-1, -1), (1, -1))
_MULTIPLES = (Fraction(1), Fraction(-1), Fraction(2), Fraction(-1, 2))
_QUANTILES = 24
_STEP = Fraction(1, 2**50)
"""The distance of near duplicates in one coordinate: 9e-16."""


@st.composite
def data_sets(
    draw: DrawFn,
    shapes: Sequence[Shape] = tuple(Shape),
    max_points: int = 6,
    max_dim: int = 4,
    max_variance: Fraction | None = None,
) -> Rows:
    """``2 .. max_points`` points in ``1 .. max_dim`` dimensions, of one of the shapes named.

    * ``GAUSSIAN``: independent normal coordinates, rounded to 1/64 and cut at 2.3;
    * ``SPHERE``: all squared norms are exactly equal (integer points of a sphere, scaled by a power of 2);
    * ``HEXAGON``: points of the hexagon ``(2, 0), (1, 1), ...`` and multiples: antipodes, collinear groups;
    * ``GRID``: equally spaced points of a line, 0 often among them;
    * ``CLOSE``: Gaussian, then a duplicate, a copy moved by ``2^-50`` in one coordinate, or a zero row.

    With ``max_variance`` all points are scaled by a power of 1/2 until every ``<x,x>/d`` is below it. Fewer
    points come out where the shape has not that many. Shrinks to two points with small entries.

    Raises :class:`DomainError` for no shape, ``max_points < 2`` or ``max_dim < 1``.
    """
    if not shapes or not all(isinstance(s, Shape) for s in shapes):
        raise DomainError(f"shapes = {shapes!r}", "one Shape at least")
    if max_points < 2 or max_dim < 1:
        raise DomainError(f"max_points = {max_points}, max_dim = {max_dim}", "at least 2 points, 1 dimension")
    shape = draw(st.sampled_from(tuple(shapes)))
    size = draw(st.integers(2, max_points))
    rows = draw(_OF[shape](size, max_dim))
    return rows if max_variance is None else _below(rows, Fraction(max_variance))


def _below(rows: Rows, bound: Fraction) -> Rows:
    if not bound > 0:
        raise DomainError(f"max_variance = {bound}", "a number > 0")
    top = max(sum(e * e for e in row) / len(row) for row in rows)
    scale = Fraction(1)
    while top * scale * scale >= bound:
        scale /= 2
    return tuple(tuple(scale * e for e in row) for row in rows)


def _quantile(k: int) -> Fraction:
    """The normal quantile of a uniform integer in ``-24 .. 24``, rounded to 1/64; 0 at 0."""
    level = (k + _QUANTILES + 0.5) / (2 * _QUANTILES + 1)
    return Fraction(round(float(ndtri(level)) * 64), 64)


_normal = st.integers(-_QUANTILES, _QUANTILES).map(_quantile)


@st.composite
def _gaussian(draw: DrawFn, size: int, max_dim: int) -> Rows:
    dim = draw(st.integers(1, max_dim))
    row = st.tuples(*[_normal] * dim)
    return tuple(draw(st.lists(row, min_size=size, max_size=size, unique=True)))


@st.composite
def _sphere(draw: DrawFn, size: int, max_dim: int) -> Rows:
    dim = draw(st.integers(min(2, max_dim), min(max_dim, max(_SPHERES))))
    unit, base = _SPHERES[dim]
    places = sorted({p for vector in base for p in permutations(vector)}, reverse=True)
    signed = st.builds(
        lambda row, signs: tuple(Fraction(s * e, unit) for s, e in zip(signs, row, strict=True)),
        st.sampled_from(places),
        st.tuples(*[st.sampled_from((1, -1))] * dim),
    )
    least = min(size, 2)  # of one dimension there are no more
    return tuple(draw(st.lists(signed, min_size=least, max_size=size, unique=True)))


@st.composite
def _hexagon(draw: DrawFn, size: int, max_dim: int) -> Rows:
    """An antipodal pair always; of one dimension only multiples of 1."""
    directions = _HEXAGON if max_dim >= 2 else ((1,),)
    first = draw(st.sampled_from(directions))
    rows = [tuple(Fraction(sign * e) for e in first) for sign in (1, -1)]
    for _ in range(size - 2):
        scale, direction = draw(st.sampled_from(_MULTIPLES)), draw(st.sampled_from(directions))
        row = tuple(scale * e for e in direction)
        if row not in rows:
            rows.append(row)
    return tuple(rows)


@st.composite
def _grid(draw: DrawFn, size: int, max_dim: int) -> Rows:
    start = draw(st.integers(0, 2)) - draw(st.integers(0, size))
    step = draw(st.sampled_from((Fraction(1), Fraction(1, 2), Fraction(1, 8))))
    return tuple((step * (start + k),) for k in range(size))


@st.composite
def _close(draw: DrawFn, size: int, max_dim: int) -> Rows:
    rows = list(draw(_gaussian(max(1, size - 1), max_dim)))
    first = rows[0] if any(rows[0]) else (Fraction(1), *rows[0][1:])
    rows[0] = first
    kind = draw(st.sampled_from(("duplicate", "near", "antipode", "zero")))
    moved = (first[0] + _STEP, *first[1:])
    last = {
        "duplicate": first,
        "near": moved if Fraction(float(moved[0])) == moved[0] else first,
        "antipode": tuple(-e for e in first),
        "zero": (Fraction(0),) * len(first),
    }
    return (*rows, last[kind])


_OF = {
    Shape.GAUSSIAN: _gaussian,
    Shape.SPHERE: _sphere,
    Shape.HEXAGON: _hexagon,
    Shape.GRID: _grid,
    Shape.CLOSE: _close,
}
