"""The number system of arrays on a device: the recursion, and what it has to read beforehand.

A first pass over the norms alone (:class:`Survey`) finds how large the variances are before each activation
and cuts its polynomials to their range; the second one, over pairs (:class:`OnArrays`), reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gram.approximant import BEND, approximant
from analytic_ntk.gram.array_fits import Shape, Tables, cut
from analytic_ntk.gram.array_levels import CELLS, served_at_one_norm, tables_at
from analytic_ntk.gram.array_series import along, differentiated_once, evaluate
from analytic_ntk.gram.array_tools import (
    constant,
    device_of,
    is_foreign,
    known,
    library_of,
    moved,
    root,
    size,
)
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.pair import Expectations, Pair

COINCIDENT = 64
"""At angles up to so many roundings the cone of a kernel gets the slope 0."""
SPREAD = 128
"""Variances that differ by no more than so many roundings, relatively, are one."""


@dataclass(frozen=True)
class Fit:
    """The polynomials of one nonlinearity; without a shape it is a step, which needs none."""

    shape: Shape | None
    tables: Tables


@dataclass(frozen=True, eq=False)
class Variances:
    """Numbers of the layers as 0-d arrays, those of symbols from ``values``."""

    like: Array
    values: Mapping[str, Array]

    @classmethod
    def read(cls, like: Array, values: Mapping[str, Any]) -> Variances:
        xp, made = namespace(like), cls(like, {})
        read = {}
        for name, value in values.items():
            if isinstance(value, Real) and not isinstance(value, bool):
                value = made.full(float(value))
            foreign = is_foreign(value) or isinstance(value, np.generic | np.ndarray)
            if not foreign or (
                namespace(value) is not xp
                or value.dtype != like.dtype
                or value.ndim != 0
                or moved(value, like)
            ):
                raise DomainError(
                    f"{name} = {value!r}"[:200],
                    f"a number or a 0-d array of {library_of(like)}, {like.dtype}, {device_of(like)}",
                )
            if known(partial(_is_no_variance, value)):
                raise DomainError(f"{name} = {value!r}"[:200], "a finite variance >= 0")
            read[name] = value
        return cls(like, read)

    def full(self, value: float) -> Array:
        return namespace(self.like).full_like(constant(self.like), value)

    def number(self, value: sp.Expr) -> Array:
        if not value.free_symbols:
            return self.full(float(sp.N(value, 25)))
        if not isinstance(value, sp.Symbol) or value.name not in self.values:
            raise DomainError(
                f"the variance {value} without a value", "values={name: number}, a value for every symbol"
            )
        return self.values[value.name]


@dataclass(frozen=True, eq=False)
class Survey:
    """The recursion on the norms alone, ``Pair(q, q, q, ...)``: what it meets is put down in ``fits``."""

    xp: Any
    variances: Variances
    largest: float | None
    fits: list[Fit]

    def number(self, value: sp.Expr) -> Array:
        return self.variances.number(value)

    def inverse_sqrt(self, value: Array) -> Array:
        if known(lambda: bool(self.xp.any(value == 0))):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return 1.0 / self.xp.sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: Array, shift: Array, shift_is_zero: bool) -> Array:
        return pair.gap

    def gap_after_sum(self, pair: Pair, other: Pair) -> Array:
        return pair.gap

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q = self.xp.reshape(pair.q11, (-1,))
        if activation.homogeneity == 0:
            self.fits.append(Fit(None, {}))
            q = _levels(self.xp, activation, q)[2]
        else:
            fit = self._fit(activation, q)
            self.fits.append(fit)
            q = _moment(self.xp, fit, "root", root(self.xp, q)) ** 2
        return Expectations(q, q, q, self.xp.zeros_like(q), self.xp.zeros_like(q))

    def _fit(self, activation: Activation, q: Array) -> Fit:
        eps = float(self.xp.finfo(q.dtype).eps)
        low, high, guarded = 0.0, 1.0, False
        if activation.homogeneity is None:
            read = known(lambda: [float(f(constant(q))) for f in (self.xp.min, self.xp.max)])
            guarded = read is None
            if read is None and served_at_one_norm(activation):
                raise _refusal(activation, 0.0, np.inf, False)
            low, high = (0.0, self._bound(activation)) if read is None else read
        self._within(activation, high)
        one_norm = not guarded and 0 < high - SPREAD * eps * high <= low
        found = None if served_at_one_norm(activation) else approximant(activation, high)
        if found is None:
            at_level = tables_at(activation, float(np.sqrt(0.5 * (low + high)))) if one_norm else None
            if at_level is None:
                raise _refusal(activation, low, high, one_norm)
            parity = {"even": 1, "odd": -1, None: 0}[activation.parity]
            shape, tables = Shape((0, 0), 1.0, 0.0, 2, parity, False, level=True), at_level
        else:
            high = found.reach**2 if guarded else high
            tables = cut(found, float(np.sqrt(low)), float(np.sqrt(high)), eps)
            shape = Shape(
                found.orders, found.reach, found.stretch if found.reach < np.inf else 0.0, found.power,
                found.parity, guarded,
            )  # fmt: skip
        return Fit(shape, {name: self.table(table) for name, table in tables.items()})

    def table(self, values: np.ndarray) -> Array:
        """Numbers of the host on the device."""
        like = self.variances.like
        return self.xp.asarray(values, dtype=like.dtype, device=device_of(like))

    def _bound(self, activation: Activation) -> float:
        if self.largest is None:
            raise DomainError(
                f"{activation} in code that is traced",
                "largest_variance, a bound of the variances before it",
                "call gram_on_arrays(..., largest_variance=...)",
            )
        return self.largest

    def _within(self, activation: Activation, largest: float) -> None:
        limit = min(activation.max_variance, activation.derivative_max_variance)
        if not np.isfinite(largest) or (limit is not sp.oo and largest >= float(limit)):
            raise DomainError(
                f"{activation} at variance {largest:.6g}",
                f"finite expectations (variances below {limit})",
                "rescale the inputs or the weight variance",
            )


def _refusal(activation: Activation, low: float, high: float, one_norm: bool) -> DomainError:
    if served_at_one_norm(activation) and not one_norm:
        where = f"at variances from {low:.6g} to {high:.6g}" if high < np.inf else "in traced code"
        return DomainError(
            f"{activation}, with a breakpoint off 0, {where}",
            "rows of one norm, not 0, that can be read: such rows are served",
            "normalise the rows, leave traced code, or give numpy arrays",
        )
    return DomainError(
        f"{activation} at variances up to {high:.6g}",
        "duals that polynomials follow to 13 digits",
        "rescale, normalise the rows, or give numpy arrays",
    )


@dataclass(frozen=True, eq=False)
class OnArrays:
    """Arrays of pairs: ``q11`` is ``(n, 1)``, ``q22`` is ``(1, m)``, the others ``(n, m)``. ``fits``: those
    of the activations, in the order in which they are met."""

    xp: Any
    variances: Variances
    fits: Iterator[Fit]

    def number(self, value: sp.Expr) -> Array:
        return self.variances.number(value)

    def inverse_sqrt(self, value: Array) -> Array:
        return 1.0 / self.xp.sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: Array, shift: Array, shift_is_zero: bool) -> Array:
        if shift_is_zero:
            return scale * pair.gap
        xp = self.xp
        # det(scale S + shift 1 1^T) = scale^2 det S + scale shift E(u - v)^2
        det = pair.gap * (pair.gap + 2.0 * size(xp, pair.q12))
        norms = root(xp, pair.q11) - root(xp, pair.q22)
        near = norms * norms + 2.0 * pair.gap
        distance = xp.where(pair.q12 >= 0, near, pair.q11 + pair.q22 - 2.0 * pair.q12)
        det = scale * (scale * det + shift * distance)
        return self._gap_from(det, *(scale * q + shift for q in (pair.q11, pair.q22, pair.q12)))

    def gap_after_sum(self, pair: Pair, other: Pair) -> Array:
        # det(A + B) = det A + det B + (a11 b22 + a22 b11 - 2 a12 b12), the last without cancellation
        xp = self.xp
        one, two = size(xp, pair.q12), size(xp, other.q12)
        det = pair.gap * (pair.gap + 2.0 * one) + other.gap * (other.gap + 2.0 * two)
        norms = root(xp, pair.q11) * root(xp, other.q22) - root(xp, pair.q22) * root(xp, other.q11)
        product = one * two
        opposite = xp.where(pair.q12 * other.q12 < 0, 2.0 * product, xp.zeros_like(product))
        mixed = norms * norms + 2.0 * (opposite + pair.gap * (two + other.gap) + other.gap * one)
        return self._gap_from(det + mixed, pair.q11 + other.q11, pair.q22 + other.q22, pair.q12 + other.q12)

    def _gap_from(self, det: Array, q11: Array, q22: Array, q12: Array) -> Array:
        xp = self.xp
        total = root(xp, q11) * root(xp, q22) + size(xp, q12)
        positive = total > 0
        return xp.where(positive, det, xp.zeros_like(det)) / xp.where(positive, total, xp.ones_like(total))

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q1, q2 = (self.xp.reshape(q, (-1,)) for q in (pair.q11, pair.q22))
        fit = next(self.fits)
        if fit.shape is None:
            return self._steps(activation, q1, q2, pair)
        return _duals(self.xp, fit, fit.shape, q1, q2, pair)

    def _steps(self, activation: Activation, q1: Array, q2: Array, pair: Pair) -> Expectations:
        """A constant on each side, ``m +- h``: ``m^2 + h^2 (1 - 2 theta/pi)``; at ``u = 0`` their mean."""
        xp = self.xp
        mean, half, first = _levels(xp, activation, q1)
        second = _levels(xp, activation, q2)[2]
        scale = xp.sqrt(first)[:, None] * xp.sqrt(second)[None, :]
        moves = (q1 > 0)[:, None] & (q2 > 0)[None, :]
        delta, sign = _delta(xp, root(xp, q1), root(xp, q2), pair)
        angle = 4.0 / np.pi * xp.asin(float(np.sqrt(0.5)) * angular(xp, delta))  # right angles are 1
        dual = mean**2 + sign * half**2 * (1.0 - angle)
        behind = xp.where(dual >= 0, half**2 * (2.0 - angle), 2.0 * mean**2 + half**2 * angle)
        gap = xp.where(moves, xp.where(sign > 0, half**2 * angle, behind), scale - mean**2)
        dual = xp.where(moves, dual, xp.full_like(dual, mean**2))
        return Expectations(first[:, None], second[None, :], dual, xp.zeros_like(dual), gap)


def _duals(xp: Any, fit: Fit, shape: Shape, q1: Array, q2: Array, pair: Pair) -> Expectations:
    """The formulas of :mod:`.approximant` on a block of pairs."""
    tables, finite = fit.tables, shape.reach < np.inf
    s1, s2 = root(xp, q1), root(xp, q2)
    if shape.level:
        s1, s2 = differentiated_once(s1), differentiated_once(s2)
    if shape.guarded and finite:  # beyond the reach there is no value
        beyond = shape.reach * (1.0 + 4.0 * float(xp.finfo(q1.dtype).eps))
        s1, s2 = (xp.where(s <= beyond, s, xp.full_like(s, float("nan"))) for s in (s1, s2))
    x1, x2 = _place(xp, fit, s1), _place(xp, fit, s2)
    if shape.level:
        left, right = (along(tables["basis"], x) for x in (x1, x2))
    elif finite:
        left, right = (
            along(tables["basis"], (x - tables["place"][0]) / tables["place"][1]) for x in (x1, x2)
        )
    else:
        left, right = (xp.ones_like(s)[:, None] * tables["basis"] for s in (s1, s2))
    delta, sign = _delta(xp, s1, s2, pair)
    t = 2.0 * (delta if shape.power == 1 else angular(xp, delta)) - 1.0

    def on_pairs(name: str) -> Array:
        value = evaluate(tables[name], left, right, t)
        odd = tables.get(f"{name}_odd")
        return value if odd is None or odd.shape[0] == 0 else value + sign * evaluate(odd, left, right, t)

    slope, mean = on_pairs("slopes"), on_pairs("means")
    # at a zero input phi(u) = phi(0) + phi'(0) u, phi'(0) the mean of the two sides
    mean = xp.where(s1[:, None] * s2[None, :] > 0, mean, slope)
    R1, R2 = _moment(xp, fit, "root", s1), _moment(xp, fit, "root", s2)
    r1, r2 = _moment(xp, fit, "slope", s1), _moment(xp, fit, "slope", s2)
    scale, steep = R1[:, None] * R2[None, :], r1[:, None] * r2[None, :]
    fall = pair.gap * steep * mean
    opening = fall
    if finite:
        norms = x1[:, None] - x2[None, :]
        opening = scale * norms * norms * on_pairs("opening") + fall
    above = scale - opening
    gap = xp.where(above >= 0, opening, scale + above)
    if shape.parity:
        dual = sign * above if shape.parity < 0 else above
        slope = sign * slope if shape.parity > 0 else slope
    else:
        below = scale * on_pairs("opposite") + fall
        dual = xp.where(sign < 0, below, above)
        gap = xp.where(sign < 0, scale - size(xp, below), gap)
    gap = xp.where(gap < 0, xp.zeros_like(gap), gap)  # by rounding it may be -1e-16
    return Expectations((R1 * R1)[:, None], (R2 * R2)[None, :], dual, steep * slope, gap)


def _moment(xp: Any, fit: Fit, which: str, s: Array) -> Array:
    """``R(s)`` or ``r(s)``: ``s^k exp(polynomial)``."""
    shape = fit.shape
    assert shape is not None, "steps have constant moments"
    value = xp.exp(along(fit.tables[which], _place(xp, fit, s)) + xp.zeros_like(s))
    for _ in range(shape.orders[0 if which == "root" else 1]):
        value = value * s
    return value


def _place(xp: Any, fit: Fit, s: Array) -> Array:
    """The variable of the polynomials in ``s``."""
    shape = fit.shape
    assert shape is not None, "steps have no polynomials"
    if shape.level:
        return 2.0 * CELLS / float(np.log(2.0)) * xp.log(s / fit.tables["place"][0])
    return shape.stretch * xp.asinh(s / BEND) - 1.0 if shape.reach < np.inf else xp.zeros_like(s)


def _is_no_variance(value: Array) -> bool:
    return not bool(namespace(value).isfinite(value) & (value >= 0))


def _levels(xp: Any, activation: Activation, q: Array) -> tuple[float, float, Array]:
    """Mean and half the difference of the two constants of a step, and its second moment."""
    parts = activation.pieces.parts
    above, below = (float(sp.N(part, 25)) for part in (parts[-1], parts[0]))
    mean, half = 0.5 * (above + below), 0.5 * (above - below)
    return mean, half, xp.where(q > 0, xp.full_like(q, mean**2 + half**2), xp.full_like(q, mean**2))


def _delta(xp: Any, root1: Array, root2: Array, pair: Pair) -> tuple[Array, Array]:
    """``1 - |rho|`` (1 at a zero input) and the sign of ``rho``."""
    roots = root1[:, None] * root2[None, :]
    ones, positive = xp.ones_like(pair.gap), roots > 0
    delta = xp.where(positive, pair.gap, ones) / xp.where(positive, roots, xp.ones_like(roots))
    return delta, xp.where(pair.q12 < 0, -ones, ones)


def angular(xp: Any, delta: Array) -> Array:
    """``sqrt(delta)``, with slope 0 where it is 0 up to rounding."""
    return root(xp, delta, (COINCIDENT * float(xp.finfo(delta.dtype).eps)) ** 2)
