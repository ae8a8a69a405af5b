"""The width at which the certificate first says yes, by search over draws, and how it grows with the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.overparameterization.certificate import certify
from analytic_ntk.theory.overparameterization.feedforward import FeedForward, data

MOST = 1 << 18
_FIRST = 16
_CONFIDENCE = 0.95

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class MinimalWidth:
    """``widths``: for each draw a width at which the certificate says yes while it does not at ``1/(1 +
    resolution)`` of it; ``median``. Statistical: of the draws made, not of all."""

    widths: tuple[int, ...]
    resolution: float

    @property
    def median(self) -> float:
        return float(np.median(self.widths))


def minimal_width(
    activation: Activation,
    X: ArrayLike,
    y: ArrayLike,
    draws: int = 5,
    seed: int = 0,
    deviation: float = 1.0,
    resolution: float = 0.05,
    progress: Progress | None = None,
) -> MinimalWidth:
    """The smallest width found at which ``f = V phi(W x)`` is certified, draw by draw.

    Asks :func:`~analytic_ntk.theory.overparameterization.certify`. The start is that of
    :func:`~analytic_ntk.theory.overparameterization.width`: ``W ~ N(0, deviation^2)``, ``V ~ N(0, 1/width)``.
    Within a draw a wider network holds the units of a narrower one; the width is doubled, then bisected.
    Raises :class:`DomainError` where ``2^18`` units do not do.

    >>> from analytic_ntk import activations
    >>> found = minimal_width(activations.tanh, [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], draws=3)
    >>> len(found.widths), 20 < found.median < 50
    (3, True)
    """
    rows, labels = data(X, y)
    require_count(draws, "draws", 1)
    require_count(seed, "seed", 0)
    if isinstance(resolution, bool) or not 0 < resolution < 1:
        raise DomainError(f"resolution = {resolution!r}", "a number between 0 and 1")
    require_number(deviation, "deviation", 0.0, math.inf)
    network, found = FeedForward(activation), []
    for draw in range(draws):
        found.append(_search(network, rows, labels, (seed, draw), resolution, float(deviation)))
        if progress:
            progress(draw + 1, draws, "draws")
    return MinimalWidth(tuple(found), resolution)


def nested(
    dim: int, outputs: int, width: int, seed: Sequence[int], deviation: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``W ~ N(0, deviation^2)``, ``V ~ N(0, 1/width)``; with the same seed the first units are the same."""
    first = deviation * np.random.default_rng([*seed, 0]).standard_normal((width, dim))
    last = np.random.default_rng([*seed, 1]).standard_normal((width, outputs)).T / math.sqrt(width)
    return first, np.ascontiguousarray(last)


def _search(
    network: FeedForward,
    rows: NDArray[np.float64],
    labels: NDArray[np.float64],
    seed: tuple[int, int],
    resolution: float,
    deviation: float,
) -> int:
    def says_yes(width: int) -> bool:
        params = nested(rows.shape[1], labels.shape[1], width, seed, deviation)
        return bool(certify(network, params, rows, labels))

    high = _FIRST
    while not says_yes(high):
        high *= 2
        if high > MOST:
            raise DomainError(f"no certificate up to width {MOST}", "fewer or better separated inputs")
    low = high // 2 if high > _FIRST else 0
    while high - low > max(1, resolution * low):
        middle = (low + high) // 2
        low, high = (low, middle) if says_yes(middle) else (middle, high)
    return high


@dataclass(frozen=True, eq=False)
class WidthGrowth:
    """Minimal widths ``(len(counts), draws)`` over the number of inputs, and ``width ~ n^exponent`` fitted to
    their logarithms, with a 95 % interval (Student's t, independent normal errors)."""

    counts: tuple[int, ...]
    dims: tuple[int, ...]
    widths: NDArray[np.int64]
    exponent: float
    low: float
    high: float
    constant: float

    def predicted(self, count: float) -> float:
        """The fitted law at ``count`` inputs."""
        return float(self.constant * count**self.exponent)


def width_growth(
    activation: Activation,
    counts: Sequence[int] = (20, 40, 80),
    draws: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> WidthGrowth:
    """Minimal widths for ``n`` random inputs of norm ``sqrt(d)``, ``d = n/2``, and labels ``+-1``.

    Standard initialisation: ``W ~ N(0, 1/d)``, ``V ~ N(0, 1/width)``; Song et al. 2021 prove a width of order
    ``n^(3/2)`` there. Every draw has its own inputs, labels and parameters. Statistical. Raises
    :class:`DomainError` for fewer than three different counts, for odd ones and below 4.
    """
    if not isinstance(counts, (tuple, list)) or len(set(counts)) < 3:
        raise DomainError(f"counts = {counts!r}"[:80], "at least three different even numbers")
    for count in counts:
        require_count(count, "count", 4)
        if count % 2:
            raise DomainError(f"count = {count}", "an even number: the inputs have dimension n/2")
    require_count(draws, "draws", 1)
    require_count(seed, "seed", 0)
    if len(counts) * draws < 4:
        raise DomainError(f"{len(counts)} counts with {draws} draws", "at least 4 widths to fit")
    network, found = FeedForward(activation), []
    for i, count in enumerate(counts):
        for draw in range(draws):
            dim = count // 2
            rows, labels = random_problem(count, dim, [seed, count, draw])
            start = (network, math.sqrt(dim) * rows, labels, (seed + count, draw))
            found.append(_search(*start, 0.05, 1 / math.sqrt(dim)))
            if progress:
                progress(i * draws + draw + 1, len(counts) * draws, f"n = {count}")
    widths = np.array(found, dtype=np.int64).reshape(len(counts), draws)
    slope, intercept, reach = _line(np.log(np.repeat(counts, draws)), np.log(widths.ravel()))
    dims = tuple(count // 2 for count in counts)
    return WidthGrowth(tuple(counts), dims, widths, slope, slope - reach, slope + reach, math.exp(intercept))


def random_problem(
    count: int, dim: int, seed: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``count`` random points of the unit sphere of ``R^dim`` and labels ``+-1``, ``(count, 1)``."""
    rng = np.random.default_rng(list(seed))
    rows = rng.standard_normal((count, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, rng.choice([-1.0, 1.0], (count, 1))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope, intercept and half the 95 % interval of the slope, by least squares."""
    from scipy.stats import t  # slow to load

    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    intercept = float(y.mean() - slope * x.mean())
    left = y - intercept - slope * x
    freedom = len(x) - 2
    deviation = math.sqrt(float(left @ left) / freedom / float(away @ away))
    return slope, intercept, float(t.ppf(0.5 + _CONFIDENCE / 2, freedom)) * deviation
