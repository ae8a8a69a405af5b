"""The same errors by linear algebra: random points, random harmonics, real kernel matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.learning_curve.modes import Array, not_negative, power_by_degree

Kernel = Callable[..., Array]
"""``kernel(X)`` and ``kernel(X, Y)``, matrices ``(n, n)`` and ``(n, m)``: for example ``network.gram``."""
_CENTRES = 16
"""Zonal functions in one random harmonic: enough that it is no longer a single peak."""


@dataclass(frozen=True)
class Simulation(Shown):
    """Mean errors over independent repetitions, with standard errors; ``test_error`` without label noise."""

    samples: int
    repetitions: int
    test_error: float
    test_standard_error: float
    train_error: float
    train_standard_error: float


def simulate(
    kernel: Kernel,
    dim: int,
    target_power: ArrayLike,
    samples: int,
    noise_variance: float,
    ridge: float,
    repetitions: int,
    rng: np.random.Generator,
    test_points: int = 1000,
) -> Simulation:
    """Kernel ridge regression on random points of the sphere of radius ``sqrt(dim)``, by linear algebra.

    In each repetition: a random harmonic with mean square ``target_power[k]`` in degree ``k``, ``samples``
    uniform points, noisy labels, the fit with ``K + ridge I`` (``ridge = 0``: least norm, by least squares
    with numpy's cut-off), and the error at ``test_points`` fresh points. ``kernel(X)`` and ``kernel(X, Y)``
    are matrices of shape ``(n, n)`` and ``(n, m)``, e.g. ``network.gram``. Independent of every spectrum:
    the witness of :func:`learning_curve`. Raises :class:`DomainError` for input out of range.

    >>> import numpy as np
    >>> from analytic_ntk.learning_curve import simulate
    >>> linear = lambda X, Y=None: X @ (X if Y is None else Y).T / 4
    >>> found = simulate(linear, 4, [0, 1], 8, 0.0, 0.0, 5, np.random.default_rng(0))
    >>> found.test_error < 1e-25
    True
    """
    wanted = ((dim, "dim", 2), (samples, "samples", 1), (repetitions, "repetitions", 2))
    for value, name, least in (*wanted, (test_points, "test_points", 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise DomainError(f"{name} = {value!r}", f"an integer >= {least}")
    noise, added = not_negative(noise_variance, "noise_variance"), not_negative(ridge, "ridge")
    power = power_by_degree(target_power, None)
    if not isinstance(rng, np.random.Generator):
        raise DomainError(f"rng = {rng!r}"[:80], "a numpy Generator", "np.random.default_rng(seed)")
    found = np.empty((2, repetitions))
    for i in range(repetitions):
        target = random_harmonic(dim, power, rng)
        X, fresh = uniform_points(samples, dim, rng), uniform_points(test_points, dim, rng)
        labels = target(X) + math.sqrt(noise) * rng.standard_normal(samples)
        matrix = kernel(X)
        across = kernel(fresh, X)
        if matrix.shape != (samples, samples) or across.shape != (test_points, samples):
            raise DomainError(
                f"kernel(X) of shape {matrix.shape}, kernel(Y, X) of shape {across.shape}",
                f"{(samples, samples)} and {(test_points, samples)}",
            )
        if added > 0:
            weights = np.linalg.solve(matrix + added * np.eye(samples), labels)
        else:
            weights = np.linalg.lstsq(matrix, labels, rcond=None)[0]
        found[0, i] = np.mean((across @ weights - target(fresh)) ** 2)
        found[1, i] = np.mean((matrix @ weights - labels) ** 2)
    means = found.mean(axis=1)
    errors = found.std(axis=1, ddof=1) / math.sqrt(repetitions)
    return Simulation(
        samples, repetitions, float(means[0]), float(errors[0]), float(means[1]), float(errors[1])
    )


def uniform_points(count: int, dim: int, rng: np.random.Generator) -> Array:
    """Uniform points on the sphere of radius ``sqrt(dim)``, ``(count, dim)``."""
    gaussian = rng.standard_normal((count, dim))
    return math.sqrt(dim) * gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)


def random_harmonic(dim: int, power: Array, rng: np.random.Generator) -> Callable[[Array], Array]:
    """A random function on the sphere of radius ``sqrt(dim)`` with mean square ``power[k]`` in degree ``k``.

    In each degree a Gaussian combination of zonal harmonics about random centres, scaled so that its mean
    square is exact: ``sum_ij c_i c_j P_k(<z_i, z_j>)/N_k`` with the Legendre polynomials ``P_k(1) = 1`` of
    the dimension.
    """
    parts = []
    for k, mean_square in enumerate(power):
        if mean_square == 0:
            continue
        centres = uniform_points(_CENTRES, dim, rng)
        weights = rng.standard_normal(_CENTRES)
        size = weights @ legendre(centres @ centres.T / dim, k, dim) @ weights / multiplicity(k, dim)
        parts.append((k, centres, weights * math.sqrt(mean_square / size)))

    def target(X: Array) -> Array:
        total = np.zeros(len(X))
        for k, centres, weights in parts:
            total += legendre(X @ centres.T / dim, k, dim) @ weights
        return total

    return target


def multiplicity(k: int, dim: int) -> int:
    return math.comb(dim + k - 1, k) - (math.comb(dim + k - 3, k - 2) if k > 1 else 0)


def legendre(t: Array, k: int, dim: int) -> Array:
    """``P_k(t)`` of dimension ``dim``: Gegenbauer, scaled to ``P_k(1) = 1``."""
    before, now = np.ones_like(t), t
    if k == 0:
        return before
    for j in range(1, k):
        before, now = now, ((2 * j + dim - 2) * t * now - j * before) / (j + dim - 2)
    return now
