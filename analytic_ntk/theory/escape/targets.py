"""Targets in Hermite polynomials of single directions, and how far a network is from one: by degree, exactly.

Inputs are standard Gaussian. The part of degree ``p`` of a function ``F`` is given by the symmetric tensor
``T_p = E D^p F``, its mean square is ``|T_p|^2/p!``. For ``f_L + f_Q`` with ``|w0_r| = 1``,
``c_r = w0_r . w_r`` and ``e_i = E s^(i)(Z) = sqrt(i!) a_i`` (``a_i`` the Hermite coefficients of ``s``),
Stein's identity gives

    T_p = sum_r a_r/sqrt(m) sum_{i <= 2} t_{r,i} [z^i] (w0_r + z w_r)^{tensor p}
    t_0 = c e_{p+2} + (|w|^2 e_{p+2} + c^2 e_{p+4})/2,    t_1 = e_p + c e_{p+2},    t_2 = e_p

so that degrees up to 4 are written out and compared entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.theory.escape.antisymmetric import Antisymmetric

FloatArray = NDArray[np.float64]
MAX_DEGREE = 4
MODELS = ("joint", "ntk", "quadratic")


@dataclass(frozen=True, eq=False)
class Component(Shown):
    """``coefficient * h_degree(direction . x)``, ``h`` normalised Hermite, ``|direction| = 1``."""

    degree: int
    direction: FloatArray
    coefficient: float


@dataclass(frozen=True, eq=False)
class Target(Shown):
    """A sum of components; those of degree up to ``dense_degree`` are the dense part, the rest is sparse."""

    components: tuple[Component, ...]
    dense_degree: int

    @property
    def dim(self) -> int:
        return len(self.components[0].direction)

    def __call__(self, X: ArrayLike) -> FloatArray:
        """The values on rows of inputs, ``(n,)``."""
        X = np.asarray(X, dtype=np.float64)
        total = np.zeros(len(X))
        for c in self.components:
            total += c.coefficient * hermite(c.degree, X @ c.direction)
        return total

    def power(self, degree: int) -> float:
        """The mean square of the part of one degree."""
        chosen = [c for c in self.components if c.degree == degree]
        return float(
            sum(
                one.coefficient * other.coefficient * float(one.direction @ other.direction) ** degree
                for one in chosen
                for other in chosen
            )
        )


def hermite(degree: int, t: FloatArray) -> FloatArray:
    """``He_degree / sqrt(degree!)`` by its normalised recurrence."""
    before, value = np.zeros_like(t), np.ones_like(t)
    for n in range(degree):
        before, value = value, (t * value - math.sqrt(n) * before) / math.sqrt(n + 1)
    return value


def target(components: Sequence[tuple[int, ArrayLike, float]], dense_degree: int = 1) -> Target:
    """From triples ``(degree, direction, coefficient)``; directions are divided by their lengths.

    Raises :class:`DomainError` for no components, a zero direction, or directions of different lengths.
    """
    require_count(dense_degree, "dense_degree", 0)
    found = []
    for degree, direction, coefficient in components:
        require_count(degree, "degree", 0)
        vector = np.asarray(direction, dtype=np.float64)
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not math.isfinite(length) or length == 0 or not math.isfinite(coefficient):
            raise DomainError(f"the direction {direction!r}"[:80], "a finite vector other than 0")
        found.append(Component(degree, vector / length, float(coefficient)))
    if not found or len({len(c.direction) for c in found}) > 1:
        raise DomainError("components of no dimension, or of several", "one or more, all in one dimension")
    return Target(tuple(found), dense_degree)


def linear_plus_square(dim: int, rng: np.random.Generator) -> Target:
    """``((b . x)^2 - 1 + b . x)/sqrt(3)``, ``b`` random with ``|b| = 1``: a dense part of degree 1 and a
    sparse one of degree 2 (Nichani, Bai, Lee 2022, experiments); the mean square is 1.

    >>> import numpy as np
    >>> [round(linear_plus_square(5, np.random.default_rng(0)).power(k), 12) for k in range(3)]
    [0.0, 0.333333333333, 0.666666666667]
    """
    require_count(dim, "dim", 2)
    require_rng(rng)
    b = rng.standard_normal(dim)
    return target([(1, b, 3**-0.5), (2, b, (2 / 3) ** 0.5)])


# ------------------------------------------------------------------------------------ the error, by degree


@dataclass(frozen=True, eq=False)
class HermiteError(Shown):
    """``by_degree[p]``: the mean square of the part of degree ``p`` of ``f - target``, exact up to rounding.

    ``dense`` is the sum over the degrees up to the target's ``dense_degree``; ``sparse`` that over its other
    degrees; ``beyond`` that over the remaining degrees of the table, where the target has nothing.
    """

    by_degree: FloatArray
    dense: float
    sparse: float
    beyond: float

    @property
    def total(self) -> float:
        """Over the degrees of the table."""
        return float(self.by_degree.sum())


def hermite_error(
    network: Antisymmetric, W: ArrayLike, aim: Target, degree: int = 2, model: str = "joint"
) -> HermiteError:
    """How far ``f_L + f_Q`` (or one of them alone) is from a target under Gaussian inputs, degree by degree.

    Float64: Hermite coefficients to their last digit, then sums over the units. Memory ``O(m dim^2)``. Raises
    :class:`DomainError` for a degree below the target's or above 4.
    """
    weights = np.asarray(network.step(W), dtype=np.float64)
    first = np.asarray(network.first, dtype=np.float64)
    require_count(degree, "degree", max(c.degree for c in aim.components))
    if degree > MAX_DEGREE:
        raise DomainError(f"degree = {degree}", f"at most {MAX_DEGREE}")
    if model not in MODELS:
        raise DomainError(f"model = {model!r}"[:80], f"one of {MODELS}")
    if aim.dim != network.dim:
        raise DomainError(f"a target in dimension {aim.dim}", f"dimension {network.dim}")
    e = derivative_means(network, degree + 4)
    units = _Units.of(first, weights, float(network.width) ** -0.5)
    found = np.array([_distance(units, e, aim, p, model) for p in range(degree + 1)])
    known = {c.degree for c in aim.components}
    dense = sum(float(v) for p, v in enumerate(found) if p <= aim.dense_degree)
    sparse = sum(float(v) for p, v in enumerate(found) if p > aim.dense_degree and p in known)
    return HermiteError(found, dense, sparse, float(found.sum()) - dense - sparse)


def derivative_means(network: Antisymmetric, order: int) -> FloatArray:
    """``E s^(i)(Z)`` for ``i = 0 .. order``: ``sqrt(i!) a_i``."""
    a = network.activation.hermite_array(order)
    return np.array([math.sqrt(math.factorial(i)) * value for i, value in enumerate(a)])


@dataclass(frozen=True, eq=False)
class _Units:
    """Both halves in one list of ``m`` units, one row each."""

    start: FloatArray
    step: FloatArray
    sign: FloatArray
    along: FloatArray
    square: FloatArray

    @classmethod
    def of(cls, first: FloatArray, weights: FloatArray, rate: float) -> _Units:
        start = np.concatenate([first, first], axis=1).T
        step = np.concatenate([weights[0], weights[1]], axis=1).T
        h = first.shape[1]
        sign = rate * np.concatenate([np.ones(h), -np.ones(h)])
        return cls(start, step, sign, np.sum(start * step, axis=1), np.sum(step * step, axis=1))

    def factors(self, e: FloatArray, p: int, model: str) -> list[FloatArray]:
        """``a_r/sqrt(m) t_{r,i}`` for ``i = 0, 1, 2``."""
        c, one, two = self.along, float(model != "quadratic"), float(model != "ntk")
        t0 = one * c * e[p + 2] + two * 0.5 * (self.square * e[p + 2] + c * c * e[p + 4])
        t1 = one * np.full_like(c, e[p]) + two * c * e[p + 2]
        t2 = two * np.full_like(c, e[p])
        return [self.sign * t for t in (t0, t1, t2)]


def _distance(units: _Units, e: FloatArray, aim: Target, p: int, model: str) -> float:
    """``|T_p - T*_p|^2/p!``, both written out as matrices ``(dim^a, dim^b)`` with ``a + b = p``."""
    t = units.factors(e, p, model)
    left, right = (_powers(units.start, units.step, k) for k in (p // 2, p - p // 2))
    tensor = np.zeros((left[0].shape[1], right[0].shape[1]))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            if i + j <= 2:
                tensor += (one * t[i + j][:, None]).T @ other
    for c in aim.components:
        if c.degree == p:
            line = c.direction[None]
            ends = [_powers(line, line, k)[0][0] for k in (p // 2, p - p // 2)]
            tensor -= c.coefficient * math.sqrt(math.factorial(p)) * np.outer(*ends)
    return float(np.sum(tensor * tensor)) / math.factorial(p)


def _powers(start: FloatArray, step: FloatArray, p: int) -> list[FloatArray]:
    """``[z^i] (start + z step)^(tensor p)`` for ``i <= 2``, row by row, ``(units, dim^p)`` each."""
    rows = len(start)
    found = [np.ones((rows, 1))]
    for _ in range(p):
        still = [(k[:, :, None] * start[:, None, :]).reshape(rows, -1) for k in found]
        moved = [(k[:, :, None] * step[:, None, :]).reshape(rows, -1) for k in found]
        zero = np.zeros_like(still[0])
        found = [a + b for a, b in zip([*still, zero], [zero, *moved], strict=True)][:3]
    return found
