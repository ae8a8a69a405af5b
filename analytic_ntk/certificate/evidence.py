"""Evidence about one activation: determinants and divided differences that are not 0, near a point too."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from flint import arb, fmpq

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certificate.record import Json, number_text, texts, wide
from analytic_ntk.characterisation import (
    DividedDifference,
    Independence,
    independent_directions,
    refute_degree,
    value_at,
)
from analytic_ntk.errors import UndecidedError
from analytic_ntk.positivity.linear import Vector, null_space, sparse
from analytic_ntk.positivity.points import lines_of
from analytic_ntk.positivity.profile import profile

MOST_FOR_DETERMINANT, MOST_BY_CHOICE = 24, 8
"""Determinants up to so many functions; where a divided difference serves as well, only up to fewer."""
_SCALES = tuple(
    Fraction(p, q) for p, q in ((1, 1), (3, 1), (1, 3), (10, 1), (1, 10), (50, 1), (1, 50), (1000, 1))
)
_ONE = Fraction(1)
_MARGIN = 1024
"""The stated neighbourhood is smaller than the one tried: another arithmetic may give wider balls."""


def determinant(found: Independence) -> Json:
    """The fields of a determinant, by directions."""
    return {
        "directions": list(map(texts, found.directions)),
        "radius": number_text(found.radius / _MARGIN),
        "determinant": wide(found.determinant),
    }


def difference(activation: Activation, found: DividedDifference) -> Json:
    """The fields of a divided difference."""
    return {
        "points": texts(found.points),
        "radius": number_text(_radius(activation, found) / _MARGIN),
        "difference": wide(found.value),
    }


def no_polynomial_of_degree(activation: Activation, degree: int) -> Json:
    """A divided difference of order ``degree + 1`` that is not 0; raises :class:`UndecidedError` if none is
    found. Of high order it is small for neighbours that are close: the points are farther apart then."""
    for scale in sorted(_SCALES, key=lambda scale: scale != (10 if degree > 8 else 1)):
        grid = [scale * Fraction(2 * k + 1, 4) for k in range(-degree - 3, degree + 3)]
        for digits in (30, 120, 480):
            found = refute_degree(partial(value_at, activation, digits=digits), degree, grid)
            if found is not None:
                return difference(activation, found)
    raise UndecidedError(
        f"that {activation} is no polynomial of degree {degree}", "a divided difference that is not 0"
    )


def independent(activation: Activation, vectors: Sequence[Vector]) -> Json:
    """Why the functions ``w -> s(z_i . w)`` are independent; raises :class:`UndecidedError` if none is found.

    A determinant at points of the support of the ``z_i . w``; or a divided difference, where the ``z_i`` are
    independent, or no two proportional. Of no function there is nothing to say.
    """
    size = len(vectors)
    if not size:
        return {}
    if not null_space([*zip(*vectors, strict=True)], size):
        return no_polynomial_of_degree(activation, 0)
    lines = lines_of([sparse(z) for z in vectors])
    apart = all(len(line) == 1 for line in lines.members) and len(lines.zeros) <= 1
    kink = len(lines.zeros) > 0 and any(point.is_zero for point in activation.pieces.breakpoints)
    if not kink and size <= (MOST_BY_CHOICE if apart else MOST_FOR_DETERMINANT):
        try:
            return _by_determinant(activation, vectors)
        except UndecidedError:
            if not apart:
                raise
    if not apart:
        raise UndecidedError(
            f"the independence of {size} functions of vectors some of which are proportional",
            f"at most {MOST_FOR_DETERMINANT} vectors, and no zero vector where {activation} has a kink at 0",
        )
    return no_polynomial_of_degree(activation, max(0, size - 2))


def _by_determinant(activation: Activation, vectors: Sequence[Vector]) -> Json:
    found = independent_directions(activation, tuple(vectors))
    fields = determinant(found)
    del fields["directions"]
    return {"samples": [texts(_dot(z, w) for z in vectors) for w in found.directions], **fields}


def not_proportional(activation: Activation, vectors: Sequence[Vector]) -> Json:
    """Why no two of ``s(z_i . w)`` are proportional; raises :class:`UndecidedError` where two may be."""
    lines = lines_of([sparse(z) for z in vectors])
    if len(lines.zeros) > (profile(activation).at_zero != 0):
        raise UndecidedError(f"an input of {activation} that is 0", "at most one, and none where s(0) = 0")
    ratios: list[Json] = []
    seen: set[Fraction] = set()
    for line in lines.members:
        for j, second in enumerate(line):
            for first in line[:j]:
                ratio = lines.ratios[second] / lines.ratios[first]
                if ratio not in seen:
                    seen |= {ratio, 1 / ratio}
                    found = independent_directions(activation, ((_ONE,), (ratio,)))
                    ratios.append({"ratio": number_text(ratio), **determinant(found)})
    return {**no_polynomial_of_degree(activation, 0), "ratios": ratios}


def _dot(one: Vector, other: Vector) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def _radius(activation: Activation, found: DividedDifference) -> Fraction:
    """A ``2^-k`` by which every point may move while the divided difference keeps to one percent."""
    pieces = activation.pieces
    parts = [pieces.ball_part(i) for i in range(len(pieces.parts))]
    breaks = [float(b) for b in pieces.float_breakpoints]
    places = [sum(1 for b in breaks if b < p) for p in found.points]
    room = min((abs(b - float(p)) for b in breaks for p in found.points), default=1.0) / 2
    weights = [_weight(p, found.points) for p in found.points]
    for exponent in (20, 40, 80, 160, 320, 640, 1280, 2560):
        if 2.0 ** -min(exponent, 1000) > room:
            continue
        with working_precision(2 * exponent + 512):
            spread = arb(0, arb(2) ** -exponent)
            total = arb(0)
            for place, p, weight in zip(places, found.points, weights, strict=True):
                total += _ball(weight) * parts[place](_ball(p) + spread)
            ratio = total / _ball(found.value.midpoint)
            if ratio > arb("0.991") and ratio < arb("1.009"):
                return Fraction(1, 2**exponent)
    raise UndecidedError(f"the divided difference of {activation} near these points", "a wider neighbourhood")


def _weight(point: Fraction, points: Sequence[Fraction]) -> Fraction:
    weight = _ONE
    for other in points:
        weight /= point - other if other != point else 1
    return weight


def _ball(number: Fraction) -> arb:
    return arb(fmpq(number.numerator, number.denominator))
