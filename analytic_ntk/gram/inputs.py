"""Data read strictly; rows with their norms and directions; how far from parallel two rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Layer

Array = NDArray[np.float64]
Index = NDArray[np.intp]
DOUBLE = np.dtype(np.float64)
SPREAD = {np.dtype(kind): 8 * float(np.finfo(kind).eps) for kind in (np.float64, np.float32)}
"""Squared norms of data of a type that differ by no more than this, relatively, are one."""


def data(value: ArrayLike, name: str) -> Array:
    if np.ma.is_masked(value):
        raise DomainError(
            f"{name} with masked entries", "a number in each place", "fill them, or drop the rows"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DomainError(f"{name}: {error}"[:120], "a matrix (n, d)") from None
    if array.dtype == object or array.dtype.kind not in "fiub":
        remedy = f"{name}.toarray()" if hasattr(value, "toarray") else "convert to float64"
        raise DomainError(
            f"{name} of type {type(value).__name__}, dtype {array.dtype}", "real numbers", remedy
        )
    if array.ndim != 2:
        raise DomainError(
            f"{name} of shape {array.shape}",
            "a matrix (n, d)",
            f"use {name}.reshape(-1, 1) for scalar inputs",
        )
    if 0 in array.shape:
        raise DomainError(f"{name} of shape {array.shape}", "at least one row and one column")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DomainError(
            f"{name}[{row}, {column}] = {array[row, column]}", "finite numbers", "clean the data"
        )
    return array


class Inputs:
    """Rows with their squared norms per dimension and their directions."""

    def __init__(self, data: Array, dtype: np.dtype = DOUBLE) -> None:
        self.spread = SPREAD[dtype]
        scale = np.max(np.abs(data), axis=1)
        safe = np.where(scale > 0, scale, 1.0)
        unit = data / safe[:, None]
        length = np.sqrt(np.sum(unit * unit, axis=1))
        self.direction = unit / np.where(length > 0, length, 1.0)[:, None]
        self.data, self.length = data, scale * length
        with np.errstate(over="ignore"):
            self.q = np.sum(data * data, axis=1) / data.shape[1]
        lost = (scale > 0) & ((self.q < np.finfo(float).tiny) | ~np.isfinite(self.q))
        if np.any(lost):
            row = int(np.argmax(lost))
            raise DomainError(
                f"row {row} with entries of size {scale[row]:.3g}",
                "squared norms that float64 can hold",
                "rescale",
            )

    @cached_property
    def level(self) -> float | None:
        """The one value of all ``q``, if there is one."""
        middle = float(np.median(self.q))
        return middle if float(np.max(np.abs(self.q - middle))) <= self.spread * middle else None


@dataclass(frozen=True)
class Task:
    """Matrices asked for: the kernels (0: NNGP, 1: NTK) of the rows of ``one`` and ``two``.

    ``two is one``: they are symmetric. ``step`` hears how many rows are done.
    """

    layers: tuple[Layer, ...]
    one: Inputs
    two: Inputs
    kernels: tuple[int, ...]
    dtype: np.dtype
    step: Callable[[int], None]

    def matrices(self) -> list[NDArray[np.floating]]:
        """A matrix for each kernel, to be filled."""
        return [np.empty((len(self.one.q), len(self.two.q)), self.dtype) for _ in self.kernels]


def defect(one: Inputs, two: Inputs, rows: Index, columns: Index, sign: Array) -> Array:
    """``1 - |rho|`` of near-parallel inputs with full relative accuracy.

    With ``c = |x| / |y|`` rounded, ``x -+ c y`` is formed without error in ``c y`` (Dekker's product), so
    that its part orthogonal to ``y``, ``|x| sin theta``, keeps its digits however small the angle and however
    different the norms; ``1 - cos = sin^2 / (1 + sqrt(1 - sin^2))``.
    """
    x, y = one.data[rows], sign * two.data[columns]
    ratio = (one.length[rows] / two.length[columns])[:, None]
    product = ratio * y
    residual = (x - product) - _product_error(ratio, y, product)
    along = np.sum(residual * (sign * two.direction[columns]), axis=1)
    length = one.length[rows]
    square = np.maximum(np.sum(residual * residual, axis=1) - along * along, 0.0) / (length * length)
    return square / (1.0 + np.sqrt(1.0 - square))


def _product_error(a: Array, b: Array, product: Array) -> Array:
    """``a b - fl(a b)``, exactly (Dekker 1971)."""
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Array) -> tuple[Array, Array]:
    scaled = 134217729.0 * a  # 2^27 + 1 (Veltkamp)
    high = scaled - (scaled - a)
    return high, a - high
