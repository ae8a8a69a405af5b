"""A kernel on inputs of equal norm: one function of the correlation, as a polynomial.

Near ``rho = +-1`` kernels of activations with kinks go like powers of ``sqrt(1 - |rho|)``, so the variable is

    t = 2 w^(1/p) - 1 in [-1, 1],    w = sqrt(1 - |rho|),

with one polynomial for ``rho >= 0`` and one for ``rho < 0``; ``p = 1``, or a power of 2 for activations that
jump (a step at depth ``L`` goes like ``w^(2^(1-L))``). The polynomials interpolate the float64 recursion at
Chebyshev points, where the gap ``1 - |rho| = w^2`` is exact. They are kept only if their coefficients fall to
the level of rounding and if they meet the recursion at other points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from analytic_ntk.gram.kept import Arrays, kept
from analytic_ntk.layers import Layer
from analytic_ntk.pair import Pair
from analytic_ntk.systems.float64 import Float64

Array = NDArray[np.float64]
ORDERS = (32, 64, 128)
"""Each twice the one before: its nodes are among the next ones."""
ROOTS = (0, 1, 2, 3)
"""``p = 2^root``."""
NOISE = 1e-13
"""Coefficients that stay above this, relative to the largest value: no polynomial is found."""
SMALL = 1e-15
"""Coefficients below this, relative to the largest value, are left out."""
STABLE = 20.0
"""Monomial coefficients whose sizes add up to more than this times the largest value are not used."""
SHAPES = ((64, 4), (64, 8), (128, 8), (256, 8))
"""Pieces, and coefficients of each, that are tried for compiled code: a few of them, found by the place of
``t``, are quicker than all of the whole, and none of these is large."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A kernel as a function of ``rho``.

    ``chebyshev``: coefficients ``(2, order + 1)`` in ``t``, for ``rho >= 0`` and ``rho < 0``; ``roots``:
    ``log2 p``; ``ends``: the values at ``rho = 1`` and ``-1``; ``error``: the largest deviation seen from the
    recursion at points between the nodes, relative to the largest value.
    """

    chebyshev: Array
    roots: int
    ends: tuple[float, float]
    error: float

    @property
    def bound(self) -> float:
        """No value, and no intermediate one, is larger."""
        used = self.chebyshev if self.monomials is None else self.monomials
        return 2.0 * self.chebyshev.shape[1] * float(np.abs(used).sum(axis=1).max())

    @cached_property
    def monomials(self) -> Array | None:
        """Coefficients of powers of ``t``; ``None`` where Horner's rule would lose digits."""
        found = np.array([_monomials(row) for row in self.chebyshev])
        stable = np.abs(found).sum(axis=1).max() <= STABLE * np.abs(self.chebyshev).sum(axis=1).max()
        return found if stable else None

    def at(self, w: Array, negative: NDArray[np.bool_]) -> Array:
        """Values at ``rho = +-(1 - w^2)``, exactly the ends at ``w = 0``."""
        values = np.empty_like(w)
        for k, chosen in enumerate((~negative, negative)):
            values[chosen] = _clenshaw(self.chebyshev[k], self._variable(w[chosen]))
        return np.where(w == 0, np.where(negative, self.ends[1], self.ends[0]), values)

    def on(self, w: NDArray[np.floating], side: int) -> NDArray[np.floating]:
        """Values for ``rho >= 0`` (0) or ``rho < 0`` (1), in the type of ``w``."""
        t = self._variable(w)
        if self.monomials is None:
            return _clenshaw(self.chebyshev[side].astype(t.dtype), t)
        *rest, last = self.monomials[side].astype(t.dtype)
        values = np.full_like(t, last)
        for coefficient in reversed(rest):
            values *= t
            values += coefficient
        return values

    def _variable(self, w: NDArray[np.floating]) -> NDArray[np.floating]:
        for _ in range(self.roots):
            w = np.sqrt(w)
        return 2 * w - 1


@lru_cache(maxsize=256)
def rounded(curve: Curve, dtype: np.dtype) -> Curve:
    """With only the coefficients that a float type can see."""
    size = np.abs(curve.chebyshev).max(axis=0)
    seen = np.flatnonzero(size > np.finfo(dtype).eps / 4 * size.max())
    keep = int(seen[-1]) + 1 if len(seen) else 1
    return Curve(curve.chebyshev[:, :keep], curve.roots, curve.ends, curve.error)


@lru_cache(maxsize=256)
def tables(curves: tuple[Curve, ...], dtype: np.dtype) -> Array | None:
    """The curves in pieces ``(curves, 2 pieces, coefficients)``, those of ``rho >= 0`` first; each has powers
    of its own variable in ``[-1, 1]``. ``None`` if none of :data:`SHAPES` keeps the digits of the type."""
    for pieces, size in SHAPES:
        z = np.cos(np.pi * np.arange(2 * size + 1) / (2 * size))
        t = (2 * np.arange(pieces)[:, None] + 1 + z) / pieces - 1
        found = []
        for curve in curves:
            values = [_clenshaw(c, t) for c in curve.chebyshev.astype(np.longdouble)]
            local = dct(np.concatenate(values).astype(float), type=1) / (2 * size)
            local[:, [0, -1]] /= 2.0
            if np.abs(local[:, size:]).max() > np.finfo(dtype).eps * np.abs(local).max():
                break
            found.append([_monomials(row[:size]) for row in local])
        else:
            return np.array(found, dtype)
    return None


def curves(layers: Sequence[Layer], q11: float, q22: float) -> tuple[Curve, Curve] | None:
    """NNGP and NTK for ``<x,x>/d = q11``, ``<y,y>/d = q22``; ``None`` if no polynomial is found."""
    return _curves(tuple(layers), q11, q22)


@lru_cache(maxsize=64)
def _curves(layers: tuple[Layer, ...], q11: float, q22: float) -> tuple[Curve, Curve] | None:
    def recursion(w: Array, sign: int) -> Array:
        pair = pair_at(w, sign, q11, q22)
        for layer in layers:
            pair = layer.push(pair, Float64())
        found = np.array([pair.q12, pair.ntk])
        return found if np.all(np.isfinite(found)) else np.full_like(found, np.nan)

    def make() -> Arrays | None:
        made = fit(recursion)
        if made is None:
            return None
        each = [(curve.chebyshev, np.array([curve.roots, *curve.ends, curve.error])) for curve in made]
        return {
            f"{part}{k}": array for k, pair in enumerate(each) for part, array in zip("cn", pair, strict=True)
        }

    found = kept(layers, f"curves {q11.hex()} {q22.hex()}", make)
    if found is None:
        return None
    nngp, ntk = (
        Curve(found[f"c{k}"], int(roots), (float(one), float(other)), float(error))
        for k in (0, 1)
        for roots, one, other, error in (found[f"n{k}"],)
    )
    return nngp, ntk


def pair_at(w: Array, sign: int, q11: float, q22: float) -> Pair:
    """Inputs with ``rho = sign (1 - w^2)``."""
    root = np.sqrt(q11) * np.sqrt(q22)
    gap = root * w * w
    one, two = np.full_like(w, q11), np.full_like(w, q22)
    q12 = sign * (root - gap)
    if q11 == q22 and sign > 0:
        q12 = np.where(w == 0, one, q12)
    return Pair(one, two, q12, np.zeros_like(w), gap)


def fit(recursion: Callable[[Array, int], Array]) -> tuple[Curve, Curve] | None:
    """The two functions ``w, sign -> (2, len(w))`` as curves; ``None`` if no polynomial is found."""
    with np.errstate(over="ignore", invalid="ignore"):
        for roots in ROOTS:
            found = _fit(recursion, roots)
            if found is not None:
                return found
    return None


def _fit(recursion: Callable[[Array, int], Array], roots: int) -> tuple[Curve, Curve] | None:
    values = np.empty((2, 2, 0))  # 2 signs, 2 kernels, nodes
    for order in ORDERS:
        w = ((np.cos(np.pi * np.arange(order + 1) / order) + 1.0) / 2.0) ** (2**roots)
        if values.shape[2]:  # every other node is known
            known, values = values, np.empty((2, 2, order + 1))
            values[:, :, ::2] = known
            values[:, :, 1::2] = [recursion(w[1::2], sign) for sign in (1, -1)]
        else:
            values = np.array([recursion(w, sign) for sign in (1, -1)])
        if not np.all(np.isfinite(values)):
            return None
        coefficients = dct(values, type=1, axis=-1) / order
        coefficients[..., [0, -1]] /= 2.0
        scale = np.abs(values).max(axis=(0, 2))
        noise = np.abs(coefficients[..., -order // 4 :]).max(axis=(0, 2))
        if np.any(noise > NOISE * scale):
            continue
        return _checked(recursion, roots, coefficients, values[:, :, -1], scale)
    return None


def _checked(
    recursion: Callable[[Array, int], Array], roots: int, coefficients: Array, ends: Array, scale: Array
) -> tuple[Curve, Curve] | None:
    """The curves, if they meet the recursion at points that are spread evenly and near the ends."""
    w = np.concatenate([(np.arange(16) + 0.381966) / 16, 10.0 ** -np.arange(2.0, 9.0, 2.0)])
    truth = [recursion(w, sign) for sign in (1, -1)]
    found = []
    for kernel in (0, 1):
        both = coefficients[:, kernel].copy()
        seen = np.flatnonzero(np.abs(both).max(axis=0) > SMALL * scale[kernel])
        kept = both[:, : int(seen[-1]) + 1] if len(seen) else both[:, :1]
        signs = (-1.0) ** np.arange(kept.shape[1])
        kept[:, 0] += [
            end[kernel] - row @ signs for end, row in zip(ends, kept, strict=True)
        ]  # right at w = 0
        first = Curve(kept, roots, (float(ends[0][kernel]), float(ends[1][kernel])), 0.0)
        deviations = [np.abs(first.at(w, np.full(len(w), bool(k))) - truth[k][kernel]).max() for k in (0, 1)]
        error = float(max(deviations) / scale[kernel]) if scale[kernel] else 0.0
        if not error <= 4 * NOISE:
            return None
        found.append(Curve(kept, roots, first.ends, error))
    return found[0], found[1]


def _monomials(chebyshev: Array) -> Array:
    """Of powers, from those of Chebyshev polynomials: exactly, then rounded once."""
    ratios = [float(coefficient).as_integer_ratio() for coefficient in chebyshev]
    common = max(denominator for _, denominator in ratios)  # powers of 2
    before, now = [1], [0, 1]
    total = [0] * len(chebyshev)
    for k, (numerator, denominator) in enumerate(ratios):
        coefficient = numerator * (common // denominator)
        for power, entry in enumerate(before if k == 0 else now):
            total[power] += coefficient * entry
        if k >= 1:
            doubled = [0, *(2 * entry for entry in now)]
            before, now = now, [a - (before[i] if i < len(before) else 0) for i, a in enumerate(doubled)]
    return np.array([entry / common for entry in total])


def _clenshaw(coefficients: NDArray[np.floating], t: NDArray[np.floating]) -> NDArray[np.floating]:
    one, two, double = np.zeros_like(t), np.zeros_like(t), 2 * t
    for coefficient in coefficients[:0:-1]:
        two *= -1
        two += coefficient
        two += double * one
        one, two = two, one
    return t * one - two + coefficients[0]
