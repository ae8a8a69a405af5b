"""Inputs on a device, read strictly, and the covariances of their pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.array_tools import (
    constant,
    device_of,
    halves,
    is_foreign,
    known,
    library_of,
    moved,
    product,
    root,
)
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.pair import Pair

NEAR = 0.9
"""Above this |rho| the gap is computed from differences, not from the product."""
Parts = tuple[Array, Array, Array]
NUMBERS = 1 << 20
"""Numbers of the differences handled at once."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs ``(n, d)``, their ``<x,x>/d`` and its root ``(n,)``, their directions ``(n, d)``."""

    data: Array
    q: Array
    root: Array
    direction: Array

    @property
    def parts(self) -> tuple[Array, Array, Array, Array]:
        return self.data, self.q, self.root, self.direction

    def rows(self, start: int, stop: int) -> Rows:
        return Rows(*(part[start:stop, ...] for part in self.parts))


def read(value: Array, name: str, like: Array) -> Rows:
    if not (is_foreign(value) or isinstance(value, np.ndarray)):
        raise DomainError(f"{name} of type {type(value).__name__}", f"an array of {library_of(like)}")
    xp = namespace(value)
    if str(getattr(value, "layout", "torch.strided")) != "torch.strided":
        raise DomainError(f"{name} of layout {value.layout}", "a dense array", "use to_dense()")
    if value.dtype not in (xp.float32, xp.float64):
        raise DomainError(f"{name} of dtype {value.dtype}", "float32 or float64", "convert it")
    if xp is not namespace(like) or value.dtype != like.dtype or moved(value, like):
        raise DomainError(
            f"{name} of {library_of(value)}, {value.dtype}, {device_of(value)}",
            f"what X is of: {library_of(like)}, {like.dtype}, {device_of(like)}",
            "nothing is moved or converted silently",
        )
    if value.ndim != 2 or 0 in value.shape:
        raise DomainError(f"{name} of shape {tuple(value.shape)}", "a matrix (n, d), n and d >= 1")
    if known(lambda: not bool(xp.all(xp.isfinite(value)))):
        raise DomainError(f"a NaN or infinity in {name}", "finite numbers", "clean the data")
    q = xp.sum(value * value, axis=1) / value.shape[1]
    nonzero = xp.any(value != 0, axis=1)
    if known(lambda: bool(xp.any(nonzero & ((q < xp.finfo(q.dtype).smallest_normal) | ~xp.isfinite(q))))):
        raise DomainError(
            f"a row of {name} of extreme size", f"squared norms that {q.dtype} can hold", "rescale"
        )
    roots = root(xp, q)
    length = xp.where(roots > 0, roots, xp.ones_like(roots)) * float(np.sqrt(value.shape[1]))
    return Rows(value, q, roots, constant(value) / constant(length)[:, None])


def input_pair(one: Rows, two: Rows) -> Pair:
    """The input covariances of a block. The gap has the value found from differences, and the derivatives of
    ``sqrt(q11 q22) - |q12|``, which lose nothing."""
    xp = namespace(one.data)
    cosine = product(one.direction, two.direction.mT)
    ones = xp.ones_like(cosine)
    sign = xp.where(cosine < 0, -ones, ones)
    roots = one.root[:, None] * two.root[None, :]
    loose = roots - sign * product(one.data, two.data.mT) / one.data.shape[1]
    gap = constant(roots) * _apart(one, two, cosine, sign) + (loose - constant(loose))
    return Pair(one.q[:, None], two.q[None, :], sign * (roots - gap), xp.zeros_like(gap), gap)


def _apart(one: Rows, two: Rows, cosine: Array, sign: Array) -> Array:
    """``1 - |rho|`` with full relative accuracy, as a constant."""
    xp = namespace(cosine)
    apart = 1.0 - xp.abs(cosine)
    near = xp.abs(cosine) > NEAR
    first, second = ((constant(part.data), _length(part), part.direction) for part in (one, two))
    if library_of(cosine) == "jax":
        return _apart_in_jax(apart, near, first, second, sign)
    places = known(lambda: _places(xp, near))
    if places is None:  # in traced code pairs cannot be picked
        x, y = (tuple(part[:, None, ...] for part in first), tuple(part[None, ...] for part in second))
        return xp.where(near, _defect(x, y, sign), apart)
    signs, step = sign[near], max(1, NUMBERS // one.data.shape[1])
    found = []
    count = places[0].shape[0]
    for start in range(0, count, step):
        i, j = (index[start : min(start + step, count)] for index in places)
        x, y = (tuple(_take(part, k) for part in parts) for parts, k in ((first, i), (second, j)))
        found.append(_defect(x, y, signs[start : min(start + step, count)]))
    if found:
        apart[near] = xp.concat(found, axis=0)
    return apart


def _places(xp: Any, near: Array) -> tuple[Array, Array]:
    if library_of(near) == "torch":
        return xp.nonzero(near, as_tuple=True)
    return xp.nonzero(near)


def _take(array: Array, places: Array) -> Array:
    if library_of(array) == "torch":
        return array[places]
    return namespace(array).take(array, places, axis=0)


def _apart_in_jax(apart: Array, near: Array, first: Parts, second: Parts, sign: Array) -> Array:
    """As many rounds of the loop as there are near pairs: compiled code has no arrays of unknown length."""
    from jax import lax

    xp = namespace(apart)
    m, total = apart.shape[1], apart.shape[0] * apart.shape[1]
    step = min(total, max(1, NUMBERS // first[0].shape[1]))
    (places,) = xp.nonzero(xp.reshape(near, (-1,)), size=-(-total // step) * step, fill_value=total)
    signs = xp.reshape(sign, (-1,))

    def more(state: tuple[Array, Array]) -> Array:
        return state[0] * step < xp.sum(near)

    def one_round(state: tuple[Array, Array]) -> tuple[Array, Array]:
        k, values = state
        chosen = lax.dynamic_slice(places, (k * step,), (step,))  # past the end: dropped
        x, y = (tuple(part[i] for part in parts) for parts, i in ((first, chosen // m), (second, chosen % m)))
        return k + 1, values.at[chosen].set(_defect(x, y, signs[chosen]), mode="drop")

    return xp.reshape(lax.while_loop(more, one_round, (0, xp.reshape(apart, (-1,))))[1], apart.shape)


def _length(rows: Rows) -> Array:
    """``|x|``, that of a zero row being anything."""
    xp, found = namespace(rows.root), constant(rows.root)
    return xp.where(found > 0, found, xp.ones_like(found)) * float(np.sqrt(rows.data.shape[1]))


def _defect(x: Parts, y: Parts, sign: Array) -> Array:
    """``1 - |rho|`` of near-parallel rows, given with their lengths and directions.

    With ``c = |x|/|y|`` rounded, ``x -+ c y`` is formed from exact products of halves, so that its part
    orthogonal to ``y``, ``|x| sin theta``, keeps its digits however small the angle and however different
    the norms; ``1 - cos = sin^2 / (1 + sqrt(1 - sin^2))``.
    """
    xp = namespace(sign)
    (data, length, _), (other, other_length, direction) = x, y
    (high, low), (above, below) = halves(sign * length / other_length), halves(other)
    high, low = high[..., None], low[..., None]
    residual = data - high * above
    for part in (high * below, low * above, low * below):
        residual = residual - part
    along = xp.sum(residual * direction, axis=-1) / xp.sum(direction * direction, axis=-1)
    residual = (residual - along[..., None] * direction) / length[..., None]
    square = xp.sum(residual * residual, axis=-1)
    square = xp.where(square < 1.0, square, xp.ones_like(square))
    return square / (1.0 + xp.sqrt(1.0 - square))
