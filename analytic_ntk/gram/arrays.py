"""Kernel matrices of torch, jax, cupy and other arrays, on their device and inside their autograd.

The recursion is that of :class:`~analytic_ntk.layers.protocol.Layer`; the expectations are polynomials
(:mod:`.approximant`), found on the host and evaluated where the arrays live. Every step is a formula that
autograd differentiates, with no division by a vanishing angle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gram.approximant import BEND, Approximant, approximant, served
from analytic_ntk.layers import Layer
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.pair import Expectations, Pair

NEAR = 0.9
"""Above this |rho| the gap is computed from differences of directions, not from the product."""
PAIRS = 1 << 17
"""Pairs handled at once."""
COINCIDENT = 64
"""Angles up to so many roundings count as 0: the kernel keeps its value, its cone gets the slope 0."""


def is_foreign(value: Any) -> bool:
    """Whether an array belongs to a library other than numpy (dask, which is lazy, left aside)."""
    library = type(value).__module__.partition(".")[0]
    if library in ("numpy", "dask"):
        return False
    return library == "torch" or hasattr(value, "__array_namespace__")


def gram_on_arrays(
    layers: Sequence[Layer],
    X: Array,
    Y: Array | None,
    kernel: str,
    values: Mapping[str, Any] | None = None,
    largest_variance: float | None = None,
) -> Any:
    """NNGP and NTK matrices in the library, on the device and of the dtype (float32, float64) of ``X``.

    ``X`` is ``(n, d)``, ``Y`` is ``(m, d)`` or absent; ``kernel`` is ``"nngp"``, ``"ntk"`` or ``"both"``.
    ``values``: numbers or 0-d arrays of the library for the variances that are symbols, by name. Gradients in
    ``X``, ``Y`` and ``values`` are those of the library's autograd. Where two inputs coincide the NTK of an
    activation with a kink has a cone (and the NNGP of one with a jump); the slope there is 0, the middle of
    its subgradient. The same holds at a zero row.

    The variances that reach an activation which is not homogeneous are bounded by reading one number a layer
    from the device. Where numbers cannot be read (``jax.jit``) ``largest_variance`` bounds them all, and
    whatever exceeds it (rounded up to a power of 4) becomes nan, since traced code cannot raise.

    Kind of answer: float, relative to ``sqrt(K(x,x) K(y,y))`` about 1e-13 (float32: 1e-6) per layer. Raises
    :class:`DomainError` for other shapes, for arrays of two libraries, devices or dtypes, for values that are
    not finite, for a symbol without value and for activations that are not served: those with a jump (but for
    step functions at 0) or with a breakpoint off 0.

    >>> import numpy as np, sympy as sp
    >>> from analytic_ntk import Network, activations
    >>> network = Network.mlp(activations.relu, 1, sp.Symbol("w"), sp.Symbol("b"))
    >>> gram_on_arrays(network.layers, np.eye(2), None, "nngp", {"w": 2.0, "b": 0.5}).diagonal()
    array([2., 2.])
    """
    if kernel not in ("nngp", "ntk", "both"):
        raise DomainError(f"kernel = {kernel!r}", '"nngp", "ntk" or "both"')
    layers = tuple(layers)
    for phi in activations_of(layers):
        phi.require_numeric()
        if not (served(phi) or phi.homogeneity == 0):
            raise DomainError(
                f"{phi} on arrays of {_library(X)}",
                "continuous activations with no breakpoint but 0, and step functions at 0",
                "give numpy arrays",
            )
    first = _read(X, "X", X)
    second = first if Y is None else _read(Y, "Y", X)
    if first.data.shape[1] != second.data.shape[1]:
        raise DomainError(
            f"X with {first.data.shape[1]} and Y with {second.data.shape[1]} columns", "equal dimensions"
        )
    system = OnArrays.of(first.data, values or {}, largest_variance)
    n, m = first.data.shape[0], second.data.shape[0]
    rows = max(1, PAIRS // m)
    nngp, ntk = [], []
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        pair = _pair(first.rows(start, stop), second)
        for layer in layers:
            pair = layer.push(pair, system)
        nngp.append(_full(pair.q12, (stop - start, m)))
        ntk.append(_full(pair.ntk, (stop - start, m)))
    xp = system.xp
    matrices = [blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0) for blocks in (nngp, ntk)]
    if Y is None:
        matrices = [0.5 * (matrix + matrix.mT) for matrix in matrices]
    chosen = {"nngp": matrices[:1], "ntk": matrices[1:], "both": matrices}[kernel]
    for matrix in chosen:
        if _known(partial(_is_not_finite, matrix)):
            raise DomainError(
                f"a kernel value too large for {matrix.dtype}",
                "finite kernels",
                "rescale the inputs or the variances",
            )
    return (chosen[0], chosen[1]) if kernel == "both" else chosen[0]


# ---------------------------------------------------------------------------------- inputs


@dataclass(frozen=True, eq=False)
class _Rows:
    """Inputs ``(n, d)``, their ``<x,x>/d`` and its root ``(n,)``, their directions ``(n, d)``."""

    data: Array
    q: Array
    root: Array
    direction: Array

    def rows(self, start: int, stop: int) -> _Rows:
        return _Rows(*(part[start:stop, ...] for part in (self.data, self.q, self.root, self.direction)))


def _read(value: Array, name: str, like: Array) -> _Rows:
    if not (is_foreign(value) or isinstance(value, np.ndarray)):
        raise DomainError(f"{name} of type {type(value).__name__}", f"an array of {_library(like)}")
    xp = namespace(value)
    if value.dtype not in (xp.float32, xp.float64):
        raise DomainError(f"{name} of dtype {value.dtype}", "float32 or float64", "convert it")
    places = _device(value), _device(like)
    moved = None not in places and places[0] != places[1]
    if xp is not namespace(like) or value.dtype != like.dtype or moved:
        raise DomainError(
            f"{name} of {_library(value)}, {value.dtype}, {_device(value)}",
            f"what X is of: {_library(like)}, {like.dtype}, {_device(like)}",
            "nothing is moved or converted silently",
        )
    if value.ndim != 2 or 0 in value.shape:
        raise DomainError(f"{name} of shape {tuple(value.shape)}", "a matrix (n, d), n and d >= 1")
    if _known(lambda: not bool(xp.all(xp.isfinite(value)))):
        raise DomainError(f"a NaN or infinity in {name}", "finite numbers", "clean the data")
    q = xp.sum(value * value, axis=1) / value.shape[1]
    nonzero = xp.any(value != 0, axis=1)
    if _known(lambda: bool(xp.any(nonzero & ((q < xp.finfo(q.dtype).smallest_normal) | ~xp.isfinite(q))))):
        raise DomainError(
            f"a row of {name} of extreme size", f"squared norms that {q.dtype} can hold", "rescale"
        )
    root = _root(xp, q)
    length = xp.where(root > 0, root, xp.ones_like(root)) * float(np.sqrt(value.shape[1]))
    return _Rows(value, q, root, _constant(value) / _constant(length)[:, None])


def _pair(one: _Rows, two: _Rows) -> Pair:
    """The input covariances of a block. The gap has the value found from differences of directions, and the
    derivatives of ``sqrt(q11 q22) - |q12|``, which lose nothing."""
    xp = namespace(one.data)
    cosine = _product(one.direction, two.direction.mT)
    ones = xp.ones_like(cosine)
    sign = xp.where(cosine < 0, -ones, ones)
    root = one.root[:, None] * two.root[None, :]
    product = sign * _product(one.data, two.data.mT) / one.data.shape[1]
    apart = _apart(xp, one.direction, two.direction, cosine, sign)
    loose = root - product
    gap = _constant(root) * apart + (loose - _constant(loose))
    return Pair(one.q[:, None], two.q[None, :], sign * (root - gap), xp.zeros_like(gap), gap)


def _apart(xp: Any, one: Array, two: Array, cosine: Array, sign: Array) -> Array:
    """``1 - |rho|`` with full relative accuracy, as a constant."""
    apart = 1.0 - xp.abs(cosine)
    near = xp.abs(cosine) > NEAR
    if _known(lambda: not bool(xp.any(near))):
        return apart
    size = max(1, 32 * PAIRS // (two.shape[0] * two.shape[1]))
    blocks = []
    for start in range(0, one.shape[0], size):
        stop = min(start + size, one.shape[0])
        difference = one[start:stop, None, :] - sign[start:stop, :, None] * two[None, :, :]
        blocks.append(0.5 * xp.sum(difference * difference, axis=2))
    exact = blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)
    tolerance = (COINCIDENT * float(xp.finfo(one.dtype).eps)) ** 2
    return xp.where(near, xp.where(exact > tolerance, exact, xp.zeros_like(exact)), apart)


# ---------------------------------------------------------------------------------- the number system


@dataclass(frozen=True, eq=False)
class OnArrays:
    """Arrays of pairs: ``q11`` is ``(n, 1)``, ``q22`` is ``(1, m)``, the others ``(n, m)``."""

    xp: Any
    like: Array
    values: Mapping[str, Array]
    largest: float | None

    @classmethod
    def of(cls, like: Array, values: Mapping[str, Any], largest: float | None) -> OnArrays:
        if largest is not None and not (isinstance(largest, (int, float)) and 0 < largest < np.inf):
            raise DomainError(f"largest_variance = {largest!r}", "a positive number")
        xp = namespace(like)
        system = cls(xp, like[0, 0], {}, None if largest is None else float(largest))
        known = {name: system._variance(name, value) for name, value in values.items()}
        return cls(xp, system.like, known, system.largest)

    def _variance(self, name: str, value: Any) -> Array:
        xp = self.xp
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = self._full(float(value))
        if not (is_foreign(value) or isinstance(value, np.generic | np.ndarray)) or (
            namespace(value) is not xp or value.dtype != self.like.dtype or value.ndim != 0
        ):
            raise DomainError(
                f"{name} = {value!r}"[:200],
                f"a number or a 0-d array of {_library(self.like)}, {self.like.dtype}",
            )
        if _known(lambda: not bool(xp.isfinite(value) & (value >= 0))):
            raise DomainError(f"{name} = {value!r}"[:200], "a finite variance >= 0")
        return value

    def _full(self, value: float) -> Array:
        return self.xp.full_like(_constant(self.like), value)

    def table(self, values: np.ndarray) -> Array:
        """Numbers of the host on the device."""
        return self.xp.asarray(values, dtype=self.like.dtype, device=_device(self.like))

    def number(self, value: sp.Expr) -> Array:
        if not value.free_symbols:
            return self._full(float(sp.N(value, 25)))
        if not isinstance(value, sp.Symbol) or value.name not in self.values:
            raise DomainError(
                f"the variance {value} without a value", "values={name: number}, a value for every symbol"
            )
        return self.values[value.name]

    def inverse_sqrt(self, value: Array) -> Array:
        if _known(lambda: bool(self.xp.any(value == 0))):
            raise DomainError("a zero input", "a non-zero variance", "add a bias before the normalisation")
        return 1.0 / self.xp.sqrt(value)

    def gap_after_affine(self, pair: Pair, scale: Array, shift: Array, shift_is_zero: bool) -> Array:
        if shift_is_zero:
            return scale * pair.gap
        xp = self.xp
        # det(scale S + shift 1 1^T) = scale^2 det S + scale shift E(u - v)^2
        det = pair.gap * (pair.gap + 2.0 * _size(xp, pair.q12))
        norms = _root(xp, pair.q11) - _root(xp, pair.q22)
        near = norms * norms + 2.0 * pair.gap
        distance = xp.where(pair.q12 >= 0, near, pair.q11 + pair.q22 - 2.0 * pair.q12)
        det = scale * (scale * det + shift * distance)
        return self._gap_from(det, *(scale * q + shift for q in (pair.q11, pair.q22, pair.q12)))

    def gap_after_sum(self, pair: Pair, other: Pair) -> Array:
        # det(A + B) = det A + det B + (a11 b22 + a22 b11 - 2 a12 b12), the last without cancellation
        xp = self.xp
        one, two = _size(xp, pair.q12), _size(xp, other.q12)
        det = pair.gap * (pair.gap + 2.0 * one) + other.gap * (other.gap + 2.0 * two)
        norms = _root(xp, pair.q11) * _root(xp, other.q22) - _root(xp, pair.q22) * _root(xp, other.q11)
        product = one * two
        opposite = xp.where(pair.q12 * other.q12 < 0, 2.0 * product, xp.zeros_like(product))
        mixed = norms * norms + 2.0 * (opposite + pair.gap * (two + other.gap) + other.gap * one)
        return self._gap_from(det + mixed, pair.q11 + other.q11, pair.q22 + other.q22, pair.q12 + other.q12)

    def _gap_from(self, det: Array, q11: Array, q22: Array, q12: Array) -> Array:
        xp = self.xp
        total = _root(xp, q11) * _root(xp, q22) + _size(xp, q12)
        positive = total > 0
        return xp.where(positive, det, xp.zeros_like(det)) / xp.where(positive, total, xp.ones_like(total))

    def expectations(self, activation: Activation, pair: Pair) -> Expectations:
        q1, q2 = (self.xp.reshape(q, (-1,)) for q in (pair.q11, pair.q22))
        if activation.homogeneity == 0:
            return self._steps(activation, q1, q2, pair)
        return _Duals(self, self._polynomials(activation, q1, q2), q1, q2, pair).expectations()

    def _polynomials(self, activation: Activation, q1: Array, q2: Array) -> Approximant:
        if activation.homogeneity is not None:
            largest: float | None = 1.0
        else:
            largest = _known(lambda: max(float(self.xp.max(_constant(q))) for q in (q1, q2)))
            if largest is None:
                largest = self.largest
        if largest is None:
            raise DomainError(
                f"{activation} in code that is traced",
                "largest_variance, a bound of the variances before it",
                "call gram_on_arrays(..., largest_variance=...)",
            )
        limit = min(activation.max_variance, activation.derivative_max_variance)
        if not np.isfinite(largest) or (limit is not sp.oo and largest >= float(limit)):
            raise DomainError(
                f"{activation} at variance {largest:.6g}",
                f"finite expectations (variances below {limit})",
                "rescale the inputs or the weight variance",
            )
        found = approximant(activation, largest)
        if found is None:
            raise DomainError(
                f"{activation} at variances up to {largest:.6g}",
                "duals that polynomials follow to 13 digits",
                "rescale, or give numpy arrays",
            )
        return found

    def _steps(self, activation: Activation, q1: Array, q2: Array, pair: Pair) -> Expectations:
        """A constant on each side, ``m +- h``: ``m^2 + h^2 (1 - 2 theta/pi)``; at ``u = 0`` their mean."""
        xp, parts = self.xp, activation.pieces.parts
        above, below = (float(sp.N(part, 25)) for part in (parts[-1], parts[0]))
        mean, half = 0.5 * (above + below), 0.5 * (above - below)
        first, second = (
            xp.where(q > 0, xp.full_like(q, mean**2 + half**2), xp.full_like(q, mean**2)) for q in (q1, q2)
        )
        scale = xp.sqrt(first)[:, None] * xp.sqrt(second)[None, :]
        moves = (q1 > 0)[:, None] & (q2 > 0)[None, :]
        delta, sign = self.delta(_root(xp, q1), _root(xp, q2), pair)
        angle = 4.0 / np.pi * xp.asin(float(np.sqrt(0.5)) * self.angular(delta))  # right angles are 1
        dual = mean**2 + sign * half**2 * (1.0 - angle)
        behind = xp.where(dual >= 0, half**2 * (2.0 - angle), 2.0 * mean**2 + half**2 * angle)
        gap = xp.where(moves, xp.where(sign > 0, half**2 * angle, behind), scale - mean**2)
        dual = xp.where(moves, dual, xp.full_like(dual, mean**2))
        return Expectations(first[:, None], second[None, :], dual, xp.zeros_like(dual), gap)

    def delta(self, root1: Array, root2: Array, pair: Pair) -> tuple[Array, Array]:
        """``1 - |rho|`` (1 at a zero input) and the sign of ``rho``."""
        xp = self.xp
        root = root1[:, None] * root2[None, :]
        ones = xp.ones_like(pair.gap)
        positive = root > 0
        delta = xp.where(positive, pair.gap, ones) / xp.where(positive, root, xp.ones_like(root))
        return delta, xp.where(pair.q12 < 0, -ones, ones)

    def angular(self, delta: Array) -> Array:
        """``sqrt(delta)``, with slope 0 where it is 0 up to rounding."""
        tolerance = (COINCIDENT * float(self.xp.finfo(delta.dtype).eps)) ** 2
        return _root(self.xp, delta, tolerance)


class _Duals:
    """The formulas of :mod:`.approximant` on a block of pairs."""

    def __init__(self, system: OnArrays, found: Approximant, q1: Array, q2: Array, pair: Pair) -> None:
        xp = system.xp
        self.xp, self.system, self.found, self.pair = xp, system, found, pair
        self.s = _root(xp, q1), _root(xp, q2)
        if found.reach < np.inf and system.largest is not None:  # beyond the reach there is no value
            beyond = found.reach * (1.0 + 4.0 * float(xp.finfo(q1.dtype).eps))
            self.s = tuple(xp.where(s <= beyond, s, xp.full_like(s, float("nan"))) for s in self.s)
        if found.reach < np.inf:
            self.x = tuple(found.stretch * xp.asinh(s / BEND) - 1.0 for s in self.s)
        else:
            self.x = tuple(xp.zeros_like(s) for s in self.s)
        self.basis = tuple(
            _product(self._vander(x, len(found.basis)), system.table(found.basis)) for x in self.x
        )

    def expectations(self) -> Expectations:
        xp, found, pair = self.xp, self.found, self.pair
        delta, sign = self.system.delta(*self.s, pair)
        negative = sign < 0
        t = 2.0 * (delta if found.power == 1 else self.system.angular(delta)) - 1.0
        (R1, R2), (r1, r2) = self._diagonal(found.root, 0), self._diagonal(found.slope, 1)
        polynomials = self._polynomials(t)
        slope, mean = (self._series(table, polynomials, negative) for table in (found.slopes, found.means))
        # at a zero input phi(u) = phi(0) + phi'(0) u, phi'(0) the mean of the two sides
        mean = xp.where(self.s[0][:, None] * self.s[1][None, :] > 0, mean, slope)
        scale, steep = R1[:, None] * R2[None, :], r1[:, None] * r2[None, :]
        fall = pair.gap * steep * mean
        norms = self.x[0][:, None] - self.x[1][None, :]
        opening = scale * norms * norms * self._matrix(found.opening) + fall
        above = scale - opening
        gap = xp.where(above >= 0, opening, scale + above)
        if found.parity:
            dual = sign * above if found.parity < 0 else above
            slope = sign * slope if found.parity > 0 else slope
        else:
            below = scale * self._matrix(found.opposite) + fall
            dual = xp.where(negative, below, above)
            gap = xp.where(negative, scale - _size(xp, below), gap)
        gap = xp.where(gap < 0, xp.zeros_like(gap), gap)  # by rounding it may be -1e-16
        return Expectations((R1 * R1)[:, None], (R2 * R2)[None, :], dual, steep * slope, gap)

    def _vander(self, x: Array, count: int) -> Array:
        rows = [self.xp.ones_like(x), x]
        while len(rows) < count:
            rows.append(2.0 * x * rows[-1] - rows[-2])
        return self.xp.stack(rows[:count], axis=1)

    def _diagonal(self, table: np.ndarray, which: int) -> tuple[Array, Array]:
        """``s^k exp(polynomial)`` for the two sides."""
        found = []
        for s, x in zip(self.s, self.x, strict=True):
            value = self.xp.exp(_product(self._vander(x, len(table)), self.system.table(table)))
            for _ in range(self.found.orders[which]):
                value = value * s
            found.append(value)
        return found[0], found[1]

    def _matrix(self, core: np.ndarray) -> Array:
        """``B1 core B2^T``, ``(..., n, m)``; one number for all pairs if the norms do not matter."""
        if self.found.reach == np.inf:
            return self.system.table(self.found.basis[0, 0] ** 2 * core)
        return _product(_product(self.basis[0], self.system.table(core)), self.basis[1].mT)

    def _series(self, table: np.ndarray, polynomials: Array, negative: Array) -> Array:
        """``sum_n T_n(t) B1 M_n B2^T``, a table for each sign."""
        size = polynomials.shape[0]
        sides = [self.xp.sum(polynomials * self._matrix(side[:size]), axis=0) for side in table]
        return sides[0] if len(sides) == 1 else self.xp.where(negative, sides[1], sides[0])

    def _polynomials(self, t: Array) -> Array:
        """``T_n(t)``, ``(terms, n, m)``, as many as the dtype sees; ``T_(k+j) = 2 T_k T_j - T_(k-j)``."""
        found = self.found
        sizes = np.maximum(np.abs(found.means), np.abs(found.slopes)).max(axis=(0, 2, 3))
        seen = np.flatnonzero(sizes > float(self.xp.finfo(t.dtype).eps) / 16 * sizes.max())
        count = int(seen[-1]) + 1
        ones = self.xp.ones_like(t)
        rows, reversed_ = self.xp.stack([ones, t], axis=0), self.xp.stack([t, ones], axis=0)
        while rows.shape[0] < count:
            last, size = 2.0 * reversed_[:1, ...], rows.shape[0]
            above = last * rows[1:, ...] - reversed_[1:, ...]
            below = last * reversed_[: size - 1, ...] - rows[: size - 1, ...]
            rows = self.xp.concat([rows, above], axis=0)
            reversed_ = self.xp.concat([below, reversed_], axis=0)
        return rows[:count, ...]


# ---------------------------------------------------------------------------------- small things


def _is_not_finite(matrix: Array) -> bool:
    xp = namespace(matrix)
    return not bool(xp.all(xp.isfinite(matrix)))


def _root(xp: Any, q: Array, least: float = 0.0) -> Array:
    """``sqrt(q)``, and 0 with slope 0 where ``q`` is not above ``least``."""
    positive = q > least
    root = xp.sqrt(xp.where(positive, q, xp.ones_like(q)))
    return xp.where(positive, root, xp.zeros_like(q))


def _product(one: Array, two: Array) -> Array:
    """The matrix product at the full precision of the dtype (jax takes less by default, on some devices)."""
    if _library(one) == "jax":
        return namespace(one).matmul(one, two, precision="highest")
    return one @ two


def _size(xp: Any, value: Array) -> Array:
    return xp.where(value < 0, -value, value)


def _full(values: Array, shape: tuple[int, int]) -> Array:
    return namespace(values).broadcast_to(values, shape)


def _constant(value: Array) -> Array:
    """What autograd takes for a constant."""
    library = _library(value)
    if library == "torch":
        return value.detach()
    if library == "jax":
        from jax.lax import stop_gradient

        return stop_gradient(value)
    return value


def _known(question: Callable[[], Any]) -> Any:
    """The answer; ``None`` in traced code (``jax.jit``, ``torch.func.vmap``): numbers cannot be read."""
    try:
        return question()
    except DomainError:
        raise
    except (TypeError, RuntimeError):
        return None


def _device(value: Array) -> Any:
    """Where an array lives; ``None`` for traced ones, which live nowhere yet."""
    return getattr(value, "device", None)


def _library(value: Any) -> str:
    """``numpy``, ``torch``, ``jax`` ... (traced arrays and others alike)."""
    known = isinstance(value, np.ndarray | np.generic) or is_foreign(value)
    return (namespace(value).__name__ if known else type(value).__module__).partition(".")[0]
