"""Only polynomials fail, probed: a dependency of ``s(z_i . w)``, or directions that show there is none.

Theorem 3 of Carvalho, Costa, Mourao, Oliveira 2024: for pairwise non-proportional ``z_i`` and ``s`` not a
polynomial, ``sum_i u_i s(z_i . w) = 0`` for all ``w`` forces ``u = 0``. A matrix ``[s(z_i . w_j)]`` with a
determinant that is certainly not 0 shows it for the ``z_i`` at hand; for a polynomial of degree ``m`` and
``m + 2`` vectors or more there is an exact ``u``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb, arb_mat, fmpq, fmpq_mat

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import bits_for, working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError, DomainError, UndecidedError
from analytic_ntk.notation import x
from analytic_ntk.positivity.linear import Vector, coprime, sparse
from analytic_ntk.positivity.nullspace import after_activation, input_features
from analytic_ntk.positivity.points import exact_points, lines_of
from analytic_ntk.positivity.profile import profile

MAX_VECTORS = 12
MAX_DEGREE = 500
_CANDIDATES = 12
"""Directions compared at each step."""
_SCALES = (1, 3, Fraction(1, 3), 10, Fraction(1, 10), 50, Fraction(1, 50), 1000, Fraction(1, 1000))


@dataclass(frozen=True)
class PolynomialDependency(Shown):
    """``sum_i weights[i] s(z_i . w) = 0`` for all ``w``, exactly; ``s`` is a polynomial of this degree."""

    vectors: tuple[Vector, ...]
    weights: Vector
    degree: int


@dataclass(frozen=True)
class Independence(Shown):
    """``[s(vectors[i] . directions[j])]`` has this determinant (exact, or an enclosure without 0).

    With arguments moved by up to ``radius``, each on its own, the determinant keeps to one percent: so the
    functions are independent almost everywhere too.
    """

    vectors: tuple[Vector, ...]
    directions: tuple[Vector, ...]
    determinant: Fraction | Enclosure
    radius: Fraction

    @property
    def kind(self) -> str:
        return "exact" if isinstance(self.determinant, Fraction) else "certified"


def probe(activation: Activation, Z: Any) -> PolynomialDependency | Independence:
    """The exact dependency of ``w -> s(z_i . w)``, or a certificate that there is none.

    ``Z``: up to 12 rational vectors of ``R^m``, ``m >= 2``, none 0 and no two proportional. Raises
    :class:`DomainError` otherwise, :class:`UndecidedError` where ``s`` cannot be classified or no directions
    are found.

    >>> from analytic_ntk import activations
    >>> square = probe(Activation.parse("x^2"), [[0, 1], [1, 1], [2, 1], [3, 1]])
    >>> [int(u) for u in square.weights]
    [-1, 3, -3, 1]
    >>> relu = probe(activations.relu, [[1, 0], [0, 1], [1, 1], [1, -1]])
    >>> relu.kind, relu.determinant != 0
    ('exact', True)
    """
    vectors = _checked(exact_points(Z))
    powers = profile(activation).polynomial
    if powers is not None:
        features = after_activation(profile(activation), input_features(vectors))
        if features.null_basis:
            first = features.null_basis[0].placed(features.free)
            weights = coprime(first.all_entries(), len(vectors))
            return PolynomialDependency(vectors, weights, max(powers, default=-1))
    return independent_directions(activation, vectors)


def _checked(vectors: tuple[Vector, ...]) -> tuple[Vector, ...]:
    if len(vectors) > MAX_VECTORS:
        raise DomainError(f"{len(vectors)} vectors", f"at most {MAX_VECTORS}")
    if len(vectors[0]) < 2:
        raise DomainError(
            "vectors of R^1", "R^m with m >= 2", "on a line |2t| - 2|t| = 0, and |t| is no polynomial"
        )
    lines = lines_of([sparse(vector) for vector in vectors])
    if lines.zeros:
        raise DomainError(f"Z[{lines.zeros[0]}] = 0", "vectors that are not 0")
    for line in lines.members:
        if len(line) > 1:
            raise DomainError(f"Z[{line[0]}] and Z[{line[1]}], which are proportional", "no two proportional")
    return vectors


def independent_directions(activation: Activation, vectors: tuple[Vector, ...]) -> Independence:
    """Directions chosen one by one, each the best of a few by its pivot.

    Raises :class:`UndecidedError` if none are found (there are none for dependent functions).
    """
    activation.require_numeric()
    for bits in (128, 512, 2048):
        with working_precision(bits):
            directions = _chosen(activation, vectors)
        if directions is not None:
            return _certified(activation, vectors, directions)
    raise UndecidedError(
        f"the independence of {activation} at {len(vectors)} vectors", "directions that show it"
    )


def _chosen(activation: Activation, vectors: tuple[Vector, ...]) -> tuple[Vector, ...] | None:
    rows: list[tuple[int, list[arb]]] = []
    directions: list[Vector] = []
    for batch in _batches(activation, vectors):
        best: tuple[float, int, list[arb], Vector] | None = None
        for direction in batch:
            column = [_value(activation, _dot(z, direction)) for z in vectors]
            if not all(entry.is_finite() for entry in column):
                continue  # a jump, or a value too large for the precision
            for place, row in rows:
                factor = column[place] / row[place]
                column = [a - factor * b for a, b in zip(column, row, strict=True)]
            sizes = [_log_size(entry) for entry in column]
            place = max(range(len(column)), key=sizes.__getitem__)
            if sizes[place] > float("-inf") and (best is None or sizes[place] > best[0]):
                best = sizes[place], place, column, direction
        if best is not None:
            rows.append((best[1], best[2]))
            directions.append(best[3])
        if len(directions) == len(vectors):
            return tuple(directions)
    return None


def _batches(activation: Activation, vectors: tuple[Vector, ...]) -> Iterator[list[Vector]]:
    """Random directions, half of them so that one ``z_i . w`` falls next to a breakpoint (or 0)."""
    rng = random.Random(20240412)
    with working_precision(64):
        places = [Fraction(float(exact_ball(p).real)) for p in activation.pieces.breakpoints]
    nonzero = [z for z in vectors if any(z)] or [tuple(Fraction(1) for _ in vectors[0])]
    targets = [Fraction(0), *(place.limit_denominator(1000) for place in places)]

    def entry() -> Fraction:
        return Fraction(rng.randint(-6, 6), 2)

    def near(scale: Fraction) -> Vector:
        z = rng.choice(nonzero)
        free = [scale * entry() for _ in z]
        missing = (
            rng.choice(targets) + Fraction(rng.choice((-1, 1)), rng.choice((2, 8))) - _dot(z, tuple(free))
        )
        return tuple(f + missing * c / _dot(z, z) for f, c in zip(free, z, strict=True))

    for scale in (Fraction(s) for s in _SCALES * 4):
        for _ in range(MAX_VECTORS):
            anywhere = [tuple(scale * entry() for _ in vectors[0]) for _ in range(_CANDIDATES)]
            yield [*anywhere, *(near(scale) for _ in range(_CANDIDATES))]


def _log_size(value: arb) -> float:
    """``log |value|``; ``-inf`` unless it is certainly not 0."""
    if not value.is_finite() or value.contains(0):
        return float("-inf")
    return float(abs(value).log().mid())


def _dot(one: Vector, other: Vector) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def _exact(activation: Activation, argument: Fraction) -> sp.Expr | None:
    """``s`` at a rational number; ``None`` at a breakpoint, which says nothing about its neighbourhood."""
    place = _rational(argument)
    if any((point - place).is_zero for point in activation.pieces.breakpoints):
        return None
    return activation.pieces.part_at(place).subs(x, place)


def _value(activation: Activation, argument: Fraction) -> arb:
    found = _exact(activation, argument)
    return arb("nan") if found is None else exact_ball(found).real


def _certified(
    activation: Activation, vectors: tuple[Vector, ...], directions: tuple[Vector, ...]
) -> Independence:
    entries = [[_exact(activation, _dot(z, w)) for w in directions] for z in vectors]
    flat = [entry for row in entries for entry in row if isinstance(entry, sp.Rational)]
    size = len(vectors)
    found: Fraction | Enclosure
    if len(flat) == size**2:
        exact = fmpq_mat(size, size, [fmpq(int(e.p), int(e.q)) for e in flat]).det()
        found = Fraction(int(exact.p), int(exact.q))
    else:

        def compute() -> tuple[tuple[arb, ...], arb]:
            return (arb_mat([[exact_ball(e).real for e in row] for row in entries]).det(),), arb(0)

        found = certify(compute, 10, "the determinant")[0]
    return Independence(vectors, directions, found, _radius(activation, vectors, directions, found))


def _radius(
    activation: Activation,
    vectors: tuple[Vector, ...],
    directions: tuple[Vector, ...],
    determinant: Fraction | Enclosure,
) -> Fraction:
    """A ``2^-k`` by which every argument may move while the determinant keeps to one percent."""
    pieces = activation.pieces
    parts = [pieces.ball_part(i) for i in range(len(pieces.parts))]
    arguments = [[_rational(_dot(z, w)) for w in directions] for z in vectors]
    places = [[sum(1 for b in pieces.breakpoints if (t - b).is_positive) for t in row] for row in arguments]
    distances = (abs(t - b) for row in arguments for t in row for b in pieces.breakpoints)
    closest = min((float(d) for d in distances), default=float("inf"))
    middle = determinant if isinstance(determinant, Fraction) else determinant.midpoint
    for exponent in (20, 40, 80, 160, 320, 640, 1280):
        if 2.0**-exponent > closest / 2:
            continue
        with working_precision(2 * exponent + 128):
            spread = arb(0, arb(2) ** -exponent)
            moved = [
                [parts[i](exact_ball(t).real + spread) for i, t in zip(*row, strict=True)]
                for row in zip(places, arguments, strict=True)
            ]
            ratio = arb_mat(moved).det() / arb(fmpq(middle.numerator, middle.denominator))
            if ratio > arb("0.991") and ratio < arb("1.009"):
                return Fraction(1, 2**exponent)
    raise UndecidedError(f"the independence of {activation} near these directions", "a wider neighbourhood")


def _rational(number: Fraction) -> sp.Rational:
    return sp.Rational(number.numerator, number.denominator)


# ------------------------------------------------------------------------------------ the degree


@dataclass(frozen=True)
class DividedDifference(Shown):
    """A divided difference of order ``degree + 1`` that is certainly not 0: no polynomial of that degree."""

    degree: int
    points: tuple[Fraction, ...]
    value: Enclosure


BlackBox = Callable[[Fraction], Enclosure | Fraction | int]


def refute_degree(
    function: BlackBox,
    degree: int,
    points: Sequence[Fraction] | None = None,
) -> DividedDifference | None:
    """Evidence that a function is not a polynomial of degree at most ``degree``, or ``None``.

    The function is a black box: an enclosure (or exact value) at each rational point; each is asked for
    twice, and a black box that contradicts itself is refused. ``points``: at least
    ``degree + 2`` distinct rationals (default ``0, 1, .., degree + 1``); every run of ``degree + 2``
    neighbours is tried. ``None`` proves nothing: a function may agree with a polynomial at finitely many
    points.

    >>> found = refute_degree(lambda t: abs(t), 1, [Fraction(-1), Fraction(0), Fraction(1)])
    >>> found.value.midpoint
    Fraction(1, 1)
    """
    _require_degree(degree)
    places = [Fraction(k) for k in range(degree + 2)] if points is None else _checked_places(points, degree)
    values = [_answer(function, Fraction(p)) for p in places]
    for first in range(len(places) - degree - 1):
        window = slice(first, first + degree + 2)
        value = _divided_difference(places[window], values[window])
        if not value.lower <= 0 <= value.upper:
            return DividedDifference(degree, tuple(places[window]), value)
    return None


def _require_degree(degree: int) -> None:
    if isinstance(degree, bool) or not isinstance(degree, int) or not -1 <= degree <= MAX_DEGREE:
        raise DomainError(f"degree = {degree!r}", f"an integer from -1 to {MAX_DEGREE}")


def _checked_places(points: Sequence[Fraction], degree: int) -> list[Fraction]:
    places = list(points)
    exact = all(isinstance(p, (int, Fraction)) and not isinstance(p, bool) for p in places)
    if not exact or len(set(places)) < len(places):
        raise DomainError("the points", "distinct rational numbers (ints or Fractions)")
    if len(places) < degree + 2:
        raise DomainError(f"{len(places)} points for degree {degree}", f"at least {degree + 2}")
    return [Fraction(p) for p in places]


def _answer(function: BlackBox, place: Fraction) -> Enclosure:
    """What a black box says at a point, checked; asked twice, its answers must not contradict each other."""
    said = []
    for _ in range(2):
        try:
            value = function(place)
        except AnalyticNTKError:
            raise
        except Exception as error:  # the function is a user's: it may raise anything
            raise DomainError(
                f"a black box that raises {type(error).__name__} at {place}: {error}"[:200],
                "a value at every rational number asked for",
                "give points at which it is defined",
            ) from error
        if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
            value = Enclosure(Fraction(value), Fraction(0))
        if not isinstance(value, Enclosure):
            raise DomainError(
                f"a black box that answers {value!r} at {place}"[:200],
                "a Fraction or an int (exact), or an Enclosure (a value with its error bound)",
                "Enclosure(Fraction(value), Fraction(bound)) for a float and a bound of its error",
            )
        parts = value.midpoint, value.radius
        if not all(isinstance(part, (int, Fraction)) for part in parts) or value.radius < 0:
            raise DomainError(f"the error bound {value.radius!r} at {place}"[:200], "a rational number >= 0")
        said.append(value)
    if not said[0].overlaps(said[1]):
        raise DomainError(
            f"two answers at {place} that exclude each other: {said[0]!r} and {said[1]!r}",
            "a function, whose error bounds hold",
        )
    return said[0]


def _divided_difference(points: Sequence[Fraction], values: Sequence[Enclosure]) -> Enclosure:
    middle = radius = Fraction(0)
    for i, (place, value) in enumerate(zip(points, values, strict=True)):
        weight = Fraction(1)
        for j, other in enumerate(points):
            if j != i:
                weight /= place - other
        middle += weight * value.midpoint
        radius += abs(weight) * value.radius
    return Enclosure(middle, radius)


@dataclass(frozen=True)
class ApparentDegree(Shown):
    """A black box that behaves like a polynomial of this degree on the points asked, and not of any lower.

    ``refuted`` is the evidence against ``degree - 1`` (``None`` for degree -1: every value may be 0).
    ``margin``: no divided difference of order ``degree + 1`` on the points is certainly larger than this in
    absolute value; 0 if all values were exact and all differences 0. Finitely many values prove no more.
    """

    degree: int
    refuted: DividedDifference | None
    points: tuple[Fraction, ...]
    margin: Fraction

    @property
    def least_dependent(self) -> int:
        """``degree + 2``: if the degree is right, the least ``N`` for which some pairwise non-proportional
        ``z_1 .. z_N`` have dependent ``s(z_i . w)``; all ``z_i = (a_i, 1)`` do from then on."""
        return self.degree + 2


def apparent_degree(
    function: BlackBox, at_most: int = 20, points: Sequence[Fraction] | None = None
) -> ApparentDegree | DividedDifference:
    """The degree of a function known only by its values, by divided differences, or evidence that it is no
    polynomial of degree up to ``at_most``.

    ``function``: an exact value (int, Fraction) or an :class:`~analytic_ntk.enclosure.Enclosure` for each
    rational number. ``points``: at least ``at_most + 3`` distinct rationals (default: ``at_most + 6`` of
    them, spread over [-2, 2]). A lower degree is certainly refuted; that the degree found is right is what
    the values suggest, and is so exactly if the function is a polynomial of degree at most ``at_most``
    with exact values.

    Raises :class:`DomainError` for bad points and for a black box that answers anything else, raises,
    contradicts itself or gives a negative error bound.

    >>> found = apparent_degree(lambda t: t**3 - t, at_most=6)
    >>> found.degree, found.least_dependent, found.margin
    (3, 5, Fraction(0, 1))
    >>> apparent_degree(lambda t: abs(t), at_most=6).degree
    6
    """
    _require_degree(at_most)
    if points is None:
        count = at_most + 6
        points = [Fraction(4 * k, count - 1) - 2 for k in range(count)]
    places = _checked_places(points, at_most + 1)
    values = [_answer(function, place) for place in places]
    best: DividedDifference | None = None
    for m in range(-1, at_most + 1):
        windows = [slice(k, k + m + 2) for k in range(len(places) - m - 1)]
        found = [(window, _divided_difference(places[window], values[window])) for window in windows]
        refuting = next(((w, v) for w, v in found if not v.lower <= 0 <= v.upper), None)
        if refuting is None:
            margin = max(max(abs(v.lower), abs(v.upper)) for _, v in found)
            return ApparentDegree(m, best, tuple(places), margin)
        best = DividedDifference(m, tuple(places[refuting[0]]), refuting[1])
    assert best is not None
    return best


def degree(activation: Activation, at_most: int = 20) -> int | DividedDifference:
    """The degree of a polynomial (-1 for 0), or evidence against every degree up to ``at_most``.

    The degree is read off the expression, proved; for a function known only by its values see
    :func:`apparent_degree`. ``N = degree + 2`` is the least number of pairwise non-proportional ``z_i`` with
    dependent ``s(z_i . w)``. One non-zero divided difference of order ``at_most + 1`` refutes every degree up
    to ``at_most``. Raises :class:`UndecidedError` where neither is found.

    >>> degree(Activation.parse("(x+1)^3 - x^3")), degree(Activation.parse("tanh(x)"), 5).degree
    (2, 5)
    """
    _require_degree(at_most)
    if not isinstance(activation, Activation):
        raise DomainError(f"{activation!r}"[:80], "an Activation", "apparent_degree takes any function")
    found = activation.polynomial_degree
    if found is not None:
        return found
    for scale in _SCALES:
        grid = (scale * Fraction(k, 2) for k in range(-at_most - 2, at_most + 3))
        points = [point for point in grid if _exact(activation, point) is not None]
        for digits in (30, 120, 480):
            evidence = refute_degree(partial(value_at, activation, digits=digits), at_most, points)
            if evidence is not None:
                return evidence
    raise UndecidedError(f"the degree of {activation}", "a divided difference that is not 0")


def value_at(activation: Activation, argument: Fraction, digits: int = 30) -> Enclosure:
    """``s`` at a rational number, enclosed at the precision of so many digits."""
    with working_precision(bits_for(digits)):
        return Enclosure.of(_value(activation, argument))
