"""Arrays with proved errors: an activation on float64 arrays, products of matrices, their norms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.notation import x
from analytic_ntk.positivity.rounded import TINY, Array, Rounded, above, gamma
from analytic_ntk.positivity.rounding import eigenvalue_bounds
from analytic_ntk.theory.overparameterization.suprema import derivative_bounds

_BITS = 96
_CELL = 2.0**-6
"""Width of the cells of the Taylor tables, where ``|phi''| <= |phi'|`` or so; less for steeper functions."""
_ORDER = 4
_MOST_CELLS = 2.0**46
_SPAN = 1 << 16
IndexArray = NDArray[np.int64]
_UP = 1 + 2.0**-40
"""Pays for the few hundred roundings of sums of positive numbers."""


@dataclass(frozen=True, eq=False)
class Elementwise:
    """A function cut in pieces as a map of float64 arrays with a proved error.

    On cells of one width about their centres by a Taylor polynomial of degree 4, its coefficients and
    its remainder from balls: ``|f - p| <= sup |f^(5)| r^5 / 5!``. Where a breakpoint lies in a cell, in
    balls number by number. A cell is made when it is first met.
    """

    pieces: Pieces
    cell: float = _CELL
    _cells: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def __call__(self, z: Array) -> Rounded:
        """``f(z)`` for an array of finite floats taken as they are."""
        if not np.isfinite(z).all() or (np.abs(z) > _MOST_CELLS * self.cell).any():
            raise DomainError(
                f"values beyond {_MOST_CELLS * self.cell:g} before the activation",
                "smaller inputs or parameters",
            )
        index = np.rint(z / self.cell).astype(np.int64)
        offset = z - index * self.cell  # exact: multiples of the unit of z, less than a cell apart
        columns, where = self._columns(index)
        value = columns[_ORDER][where]
        for k in range(_ORDER - 1, -1, -1):
            value *= offset
            value += columns[k][where]
        error = columns[-1][where]
        loose = ~np.isfinite(error)
        if loose.any():
            value[loose], error[loose] = self._one_by_one(z[loose])
        return Rounded(value, error * _UP)

    def _columns(self, index: IndexArray) -> tuple[Array, IndexArray]:
        """The cells that occur, coefficient by coefficient, and where each number has its own."""
        low, span = int(index.min()), int(index.max() - index.min())
        if span <= _SPAN:  # much faster than sorting
            present = np.zeros(span + 1, dtype=bool)
            present[index - low] = True
            places = np.flatnonzero(present) + low
            where = (np.cumsum(present) - 1)[index - low]
        else:
            places, where = np.unique(index, return_inverse=True)
        rows = np.array([self._cell(int(place)) for place in places])
        return np.ascontiguousarray(rows.T), where.reshape(index.shape)

    @cached_property
    def _derivatives(self) -> list[list[sp.Expr]]:
        """For each part, it and its first five derivatives."""
        rows = []
        for part in self.pieces.parts:
            row = [part]
            for _ in range(_ORDER + 1):
                row.append(sp.diff(row[-1], x))
            rows.append(row)
        return rows

    @cached_property
    def _places(self) -> list[arb]:
        with working_precision(_BITS):
            return [exact_ball(point).real for point in self.pieces.breakpoints]

    def _cell(self, index: int) -> tuple[float, ...]:
        if index not in self._cells:
            with working_precision(_BITS):
                self._cells[index] = self._made(index)
        return self._cells[index]

    def _made(self, index: int) -> tuple[float, ...]:
        centre, radius = arb(index) * self.cell, arb(0.51) * self.cell
        box = centre + arb(0, 1) * radius
        if any(place.overlaps(box) for place in self._places):
            return (0.0,) * (_ORDER + 1) + (math.inf,)
        part = sum(1 for place in self._places if place < centre)
        error, row = arb(0), []
        for k, derivative in enumerate(self._derivatives[part]):
            at = compile_ball(derivative, (x,))(box if k > _ORDER else centre)
            coefficient = at.real / math.factorial(k)
            power = arb(1)
            for _ in range(k):
                power = power * radius
            if not coefficient.is_finite():
                return (0.0,) * (_ORDER + 1) + (math.inf,)
            if k > _ORDER:
                error += abs(coefficient) * power
            else:
                row.append(float(coefficient.mid()))
                error += abs(coefficient - row[-1]) * power
        size = sum(abs(c) * float(radius) ** k for k, c in enumerate(row))
        return (*row, above(arb(error.abs_upper())) + gamma(2 * _ORDER + 4) * size * _UP + 64 * TINY)

    def _one_by_one(self, z: Array) -> tuple[Array, Array]:
        values, errors = np.empty_like(z), np.empty_like(z)
        with working_precision(_BITS):
            for i, entry in enumerate(z.tolist()):
                found = Rounded.of_ball(self._hull(arb(entry)))
                values[i], errors[i] = float(found.value), float(found.error)
        return values, errors

    def _hull(self, point: arb) -> arb:
        """Every part that may hold at a point."""
        found: arb | None = None
        for part in range(len(self._places) + 1):
            after = part == 0 or not point < self._places[part - 1]
            before = part == len(self._places) or not point > self._places[part]
            if after and before:
                value = arb(compile_ball(self.pieces.parts[part], (x,))(point).real)
                found = value if found is None else found.union(value)
        assert found is not None
        return found


@lru_cache(maxsize=64)
def elementwise(activation: Activation, order: int) -> Elementwise:
    """The activation (``order = 0``) or its derivative (1), on cells that ``phi'' / phi'`` asks for."""
    bounds = derivative_bounds(activation)
    steep = float(bounds.second.upper / bounds.first.upper) if bounds.first.upper else 0.0
    cell = _CELL * 2.0 ** -min(200, max(0, math.ceil(math.log2(max(steep, 1.0)))))
    return Elementwise(activation.derivative if order else activation.pieces, cell)


def applied(activation: Activation, order: int, z: Rounded, slope: float) -> Rounded:
    """``phi(z)`` or ``phi'(z)`` at every number within the error of ``z``; ``slope`` is a Lipschitz
    constant."""
    found = elementwise(activation, order)(z.value)
    return Rounded(found.value, (found.error + slope * z.error) * _UP)


def matmul(a: Rounded, b: Rounded) -> Rounded:
    """``a @ b``, whatever the order in which the library adds (Higham 2002, section 3.5); its error by
    ``sum_k |a_ik b_kj| <= |a_i| |b_j|``."""
    inner = a.value.shape[-1]
    rows, columns = _lengths(a.value), _lengths(b.value.T)
    error = np.outer(gamma(inner + 2) * rows, columns) + inner * 4 * TINY
    if a.error.any():
        lost = _lengths(np.broadcast_to(a.error, a.value.shape))
        error += np.outer(lost, columns)
    if b.error.any():
        missed = _lengths(np.broadcast_to(b.error, b.value.shape).T)
        error += np.outer(rows + (lost if a.error.any() else 0.0), missed)
    return Rounded(a.value @ b.value, error * _UP)


def _lengths(a: Array) -> Array:
    """The norms of the rows, rounded up."""
    width = a.shape[1]
    squares = np.einsum("ij,ij->i", a, a) * (1 + 4 * gamma(width + 4)) + width * 4 * TINY
    return np.asarray(np.sqrt(squares) * (1 + 2.0**-50))


def transposed(a: Rounded) -> Rounded:
    return Rounded(a.value.T, np.broadcast_to(a.error, a.value.shape).T)


def symmetric(a: Rounded) -> Rounded:
    """The same symmetric matrix, its float value made symmetric."""
    error = np.broadcast_to(a.error, a.value.shape)
    moved = np.abs(a.value - a.value.T)
    return Rounded(np.tril(a.value) + np.tril(a.value, -1).T, (np.maximum(error, error.T) + moved) * _UP)


def smallest_eigenvalue(a: Rounded) -> float:
    """A proved lower bound of ``lambda_min`` of a symmetric matrix (it may be negative)."""
    return eigenvalue_bounds(a.value, np.broadcast_to(a.error, a.value.shape)).lower


def largest_eigenvalue(a: Rounded) -> float:
    """A proved upper bound of ``lambda_max`` of a symmetric matrix."""
    return -eigenvalue_bounds(-a.value, np.broadcast_to(a.error, a.value.shape)).lower


def operator_norm(a: Rounded) -> float:
    """A proved upper bound of ``|A|_op``: the root of ``lambda_max`` of the smaller of ``A A^T``, ``A^T
    A``."""
    turned = transposed(a)
    small = matmul(a, turned) if a.value.shape[0] <= a.value.shape[1] else matmul(turned, a)
    return root_above(largest_eigenvalue(symmetric(small)))


def frobenius_norm(a: Rounded) -> float:
    """A proved upper bound of ``|A|_F``."""
    return float(_lengths((np.abs(a.value) + a.error).reshape(1, -1))[0]) * _UP


def largest_row(a: Rounded) -> float:
    """A proved upper bound of the largest norm of a row."""
    return float(_lengths(np.abs(a.value) + a.error).max()) * _UP


def root_above(value: float) -> float:
    """Not below the root of a number known not to exceed ``value``; 0 where it is negative."""
    return math.nextafter(math.sqrt(value), math.inf) if value > 0 else 0.0


def root_below(value: float) -> float:
    return math.nextafter(math.sqrt(value), 0.0) if value > 0 else 0.0
