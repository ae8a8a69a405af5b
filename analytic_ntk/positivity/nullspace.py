"""The null space of a limiting kernel's Gram matrix, exactly, layer by layer.

The covariance ``S`` of a layer is the Gram matrix of vectors ``z_i``; ``u`` is a null vector of
``E s(g_i) s(g_j)``, ``g ~ N(0, S)``, exactly when ``sum_i u_i s(z_i . w) = 0`` for almost every ``w``. Group
the ``z_i`` by lines through 0, ``z_k = c_k z_l``. Then (after Carvalho, Costa, Mourao, Oliveira 2024,
Theorem 3: only polynomials satisfy such an identity across non-aligned directions) ``u`` is a null vector
exactly when

* on every line ``sum_k u_k s(c_k t)`` is a polynomial ``sum_j p_{l,j} t^j``, and
* for every ``j``, ``sum_l p_{l,j} z_l^(tensor j) = 0`` (a zero vector adds ``u_0 s(0)`` to ``j = 0``).

With the even and odd part of ``s`` on the half-line (:mod:`.profile`) these are linear equations in ``u``
with rational coefficients. A bias adds ``sum u = 0``. NNGP and NTK have the same null space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import sympy as sp

from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.positivity.linear import (
    Dependency,
    Sparse,
    Vector,
    combined,
    coordinates,
    coprime,
    null_space,
    sparse,
)
from analytic_ntk.positivity.monomials import monomial_dependencies
from analytic_ntk.positivity.points import Lines, lines_of
from analytic_ntk.positivity.profile import Profile, profile

_ZERO, _ONE = Fraction(0), Fraction(1)
MAX_DEGREE = 4_000
"""Polynomial networks are followed up to this degree."""


@dataclass(frozen=True)
class Features:
    """The vectors ``z_i`` of a layer, up to a linear isomorphism.

    ``free`` are the indices that can take part in a null vector; each other vector is independent of all the
    rest. ``given`` are the vectors of the free ones. While only polynomials have acted, ``z_i`` is the vector
    of all monomials of ``base[i]`` of some ``degrees``, and nothing is solved before it is needed.
    """

    size: int
    free: tuple[int, ...]
    base: tuple[Vector, ...]
    degrees: frozenset[int] | None
    given: tuple[Sparse, ...] | None = None

    @property
    def _points(self) -> tuple[Vector, ...]:
        return tuple(self.base[k] for k in self.free)

    @cached_property
    def coordinates(self) -> tuple[Sparse, ...]:
        """Vectors of the free ones."""
        if self.given is not None:
            return self.given
        if self.degrees is not None and self.degrees <= {0, 1}:
            one = ((-1, _ONE),) if 0 in self.degrees else ()
            linear = 1 in self.degrees
            return tuple((*one, *(sparse(x) if linear else ())) for x in self._points)
        return coordinates(self.null_basis, len(self.free))

    @cached_property
    def equations(self) -> list[Vector]:
        """The equations of the null space, over ``free``."""
        places = sorted({place for z in self.coordinates for place, _ in z})
        entries = [dict(z) for z in self.coordinates]
        return [tuple(z.get(place, _ZERO) for z in entries) for place in places]

    @cached_property
    def null_basis(self) -> tuple[Dependency, ...]:
        """A basis of the null space, over ``free``."""
        if self.degrees is not None:
            return monomial_dependencies(self._points, self.degrees)
        return null_space(self.equations, len(self.free))

    @property
    def nullity(self) -> int:
        return len(self.null_basis)

    def null_vectors(self) -> tuple[Vector, ...]:
        """The same basis in all coordinates, in coprime integers."""
        return tuple(coprime(u.placed(self.free).all_entries(), self.size) for u in self.null_basis)


def monomials(points: tuple[Vector, ...], degrees: frozenset[int]) -> Features:
    """All monomials of these degrees."""
    return Features(len(points), tuple(range(len(points))), points, degrees)


def input_features(points: Sequence[Vector]) -> Features:
    """The inputs themselves: ``<x, y>``."""
    return monomials(tuple(points), frozenset({1}))


def push(layer: Layer, features: Features) -> Features:
    """The vectors after a layer. Raises :class:`UndecidedError` where they cannot be had exactly."""
    match layer:
        case Dense():
            return _dense(layer, features)
        case Nonlinearity():
            return after_activation(profile(layer.activation), features)
        case Residual():
            other = features
            for inner in layer.branch:
                other = push(inner, other)
            return _together(features, other)
        case LayerNorm():
            return _normalised(features)
    raise UndecidedError(f"the null space after {layer!r}", "Dense, Nonlinearity, Residual or LayerNorm")


# ------------------------------------------------------------------------------------ layers


def _dense(layer: Dense, features: Features) -> Features:
    weight, bias = sp.sympify(layer.weight_variance), sp.sympify(layer.bias_variance)
    if weight.free_symbols or bias.free_symbols:
        raise DomainError(f"{layer!r} with symbols", "numbers for all variances")
    if weight.is_zero:
        return _constant(features, bias.is_zero is not True)
    if bias.is_zero:
        return features
    if features.degrees is not None:
        return monomials(features.base, features.degrees | {0})
    place = min((p for z in features.coordinates for p, _ in z), default=0)
    bias_place = min(place, 0) - 1
    return replace(features, given=tuple(((bias_place, _ONE), *z) for z in features.coordinates))


def _constant(features: Features, nonzero: bool) -> Features:
    """Every vector the same: a constant, or 0."""
    return monomials(features.base, frozenset({0} if nonzero else ()))


def after_activation(s: Profile, features: Features) -> Features:
    """The vectors ``s(z_i . w)`` as functions of ``w``."""
    if s.constant:
        return _constant(features, bool(s.polynomial))
    if s.polynomial is not None:
        if features.degrees is not None:
            sums = (_sumset(features.degrees, power) for power in s.polynomial)
            return monomials(features.base, frozenset[int]().union(*sums))
        rows = [row for power in sorted(s.polynomial) for row in _power_equations(features, power)]
        everything = tuple(Dependency(k, ()) for k in range(len(features.free)))
        return _solved(features, everything, rows)
    lines = lines_of(features.coordinates)
    # alone on its line: s(c t) is not a polynomial, so u = 0
    alive = sorted([k for line in lines.members if len(line) > 1 for k in line] + [*lines.zeros])
    kept = _restricted(features, alive)
    local, rows = _equations(s, kept)
    return _solved(kept, local, rows)


def _equations(s: Profile, features: Features) -> tuple[tuple[Dependency, ...], list[Vector]]:
    """After a ``s`` that is not a polynomial: what each line allows by itself (a basis), and the equations
    across lines."""
    lines = lines_of(features.coordinates)
    basis: list[Dependency] = []
    for line in lines.members:
        rows = _line_equations(s, [lines.ratios[k] for k in line])
        basis += [u.placed(line) for u in null_space(rows, len(line))]
    zeros = lines.zeros
    alone = [(_ONE,) * len(zeros)] if s.even is None and s.at_zero != 0 else []
    basis += [u.placed(zeros) for u in null_space(alone, len(zeros))]
    powers = [p for p in s.even or () if p % 2 == 0] + [p for p in s.odd or () if p % 2]
    across = [row for power in sorted(powers) for row in _power_equations(features, power)]
    return tuple(basis), across


def _line_equations(s: Profile, c: list[Fraction]) -> list[Vector]:
    """When is ``sum_k u_k s(c_k t)`` a polynomial in ``t``?"""
    sign = [1 if ratio > 0 else -1 for ratio in c]
    rows: list[Vector] = []
    for length in dict.fromkeys(abs(ratio) for ratio in c):  # distinct |c| are independent for a wild part
        here = [Fraction(int(abs(ratio) == length)) for ratio in c]
        if s.even is None:
            rows.append(tuple(here))
        if s.odd is None:
            rows.append(tuple(e * g for e, g in zip(here, sign, strict=True)))
    for power in s.even or ():
        if power % 2:  # |t|^power is no polynomial on the line
            rows.append(tuple(abs(ratio) ** power for ratio in c))
    for power in s.odd or ():
        if power % 2 == 0:
            rows.append(tuple(g * abs(ratio) ** power for g, ratio in zip(sign, c, strict=True)))
    return rows


def _together(one: Features, other: Features) -> Features:
    """The sum of independent features: their vectors side by side."""
    if one.degrees is not None and other.degrees is not None:
        return monomials(one.base, one.degrees | other.degrees)
    free = sorted(set(one.free) & set(other.free))
    first, second = (dict(zip(f.free, f.coordinates, strict=True)) for f in (one, other))
    shift = 1 + max((p for z in first.values() for p, _ in z), default=0)
    shift -= min((p for z in second.values() for p, _ in z), default=0)
    coordinates = tuple((*first[k], *((p + shift, e) for p, e in second[k])) for k in free)
    return Features(one.size, tuple(free), one.base, None, coordinates)


def _normalised(features: Features) -> Features:
    """Each vector divided by its length."""
    lines = lines_of(features.coordinates)
    if lines.zeros:
        raise DomainError("a zero vector before LayerNorm", "vectors with a direction", "add a bias")
    if features.nullity == 0:
        return _solved(features, (), [])
    if features.degrees is not None and features.degrees <= {0, 1}:
        if len({sum(entry * entry for entry in point) for point in features.base}) == 1:
            return features
    if not _independent(features, lines):
        raise UndecidedError(
            "the null space after LayerNorm for vectors of different lengths with a dependency across lines",
            "independent lines, or inputs of equal norm",
        )
    units: dict[int, Sparse] = {}
    for place, line in enumerate(lines.members):
        units |= {k: ((place, Fraction(1 if lines.ratios[k] > 0 else -1)),) for k in line}
    coordinates = tuple(units[k] for k in range(len(features.free)))
    return replace(features, degrees=None, given=coordinates)


# ------------------------------------------------------------------------------------ equations


def _power_equations(features: Features, power: int) -> list[Vector]:
    """The equations of ``sum_k u_k z_k^(tensor power) = 0`` over ``features.free``: the same whatever linear
    isomorphism is applied to the ``z_k``."""
    size = len(features.free)
    if power == 0:
        return [(Fraction(1),) * size]
    if power == 1:
        return features.equations
    if features.degrees is not None:
        return replace(features, degrees=_sumset(features.degrees, power), given=None).equations
    vectors = [dict(z) for z in features.coordinates]
    # the Gram matrix of the tensors
    return [
        tuple(sum((e * w.get(p, _ZERO) for p, e in z.items()), _ZERO) ** power for w in vectors)
        for z in vectors
    ]


def _independent(features: Features, lines: Lines) -> bool:
    """Whether one vector per line makes an independent family."""
    return len(features.free) - features.nullity == len(lines.members)


def _sumset(degrees: frozenset[int], count: int) -> frozenset[int]:
    """Sums of ``count`` elements."""
    found = frozenset({0})
    for _ in range(count):
        found = frozenset(a + b for a in found for b in degrees)
    if max(found, default=0) > MAX_DEGREE:
        raise UndecidedError(f"a polynomial network of degree {max(found)}", f"degree at most {MAX_DEGREE}")
    return found


def _restricted(features: Features, places: list[int]) -> Features:
    """Only some of the free vectors (places among ``free``), the others known to be out."""
    return replace(
        features,
        free=tuple(features.free[k] for k in places),
        given=tuple(features.coordinates[k] for k in places),
    )


def _solved(features: Features, basis: tuple[Dependency, ...], rows: list[Vector]) -> Features:
    """The vectors whose dependencies are the combinations of ``basis`` that satisfy ``rows``."""
    if rows and basis:
        products = [
            tuple(sum((e * row[k] for k, e in u.all_entries().items()), _ZERO) for u in basis) for row in rows
        ]
        basis = combined(null_space(products, len(basis)), basis)
    free = features.free if basis else ()
    return Features(features.size, free, features.base, None, coordinates(basis, len(free)))
