"""The width at which the certificate first says yes, by search over draws, and how it grows with the data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.memorization import log_slope
from analytic_ntk.theory.memorization.cells import Cells, Key, Record
from analytic_ntk.theory.overparameterization.certificate import certify
from analytic_ntk.theory.overparameterization.feedforward import FeedForward, data, stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 1 << 18
_FIRST = 16
_RESOLUTION = 0.05

Progress = Callable[[int, int, str], None]


def _silent(done: int, total: int, name: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class MinimalWidth(Shown):
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
    resolution: float = _RESOLUTION,
    progress: Progress = _silent,
    checkpoint: str | Path | None = None,
) -> MinimalWidth:
    """The smallest width found at which ``f = V phi(W x)`` is certified, draw by draw.

    Asks :func:`~analytic_ntk.theory.overparameterization.certify`. The start is that of
    :func:`~analytic_ntk.theory.overparameterization.width`: ``W ~ N(0, deviation^2)``, ``V ~ N(0, 1/width)``.
    Within a draw a wider network holds the units of a narrower one; the width is doubled, then bisected.
    ``checkpoint``: a JSON file that holds every draw as soon as it is done; asked again, the search goes on
    from there. Raises :class:`DomainError` where ``2^18`` units do not do.

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
    network = FeedForward(activation)
    question = {
        "format": "smallest certified width 1", "activation": str(network.activation.expression),
        "data": _digest(rows, labels), "seed": int(seed), "deviation": float(deviation),
        "resolution": float(resolution),
    }  # fmt: skip

    def compute(key: Key) -> Record:
        return {"width": _search(network, rows, labels, (seed, *key), resolution, float(deviation))}

    kept = Cells(checkpoint, question).fill([(draw,) for draw in range(draws)], compute, progress)
    return MinimalWidth(tuple(_width(cell) for cell in kept), resolution)


def _digest(rows: NDArray[np.float64], labels: NDArray[np.float64]) -> str:
    """Tells data apart, so that no search goes on with those of another."""
    content = repr((rows.shape, labels.shape)).encode() + (rows + 0.0).tobytes() + (labels + 0.0).tobytes()
    return hashlib.sha256(content).hexdigest()


def _width(cell: Record) -> int:
    """Of a record that was kept; :class:`DomainError` where somebody wrote something else there."""
    found = cell.get("width")
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= MOST:
        raise DomainError(f"a checkpoint with the width {found!r}"[:80], "widths of such a run", "remove it")
    return found


def nested(
    dim: int, outputs: int, width: int, seed: Sequence[int], deviation: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``W ~ N(0, deviation^2)``, ``V ~ N(0, 1/width)``; with the same seed the first units are the same.

    Independent of :func:`random_problem` at any seed.
    """
    first = deviation * stream(*seed, 1).standard_normal((width, dim))
    last = stream(*seed, 2).standard_normal((width, outputs)).T / math.sqrt(width)
    return first, np.ascontiguousarray(last)


def _search(
    network: FeedForward,
    rows: NDArray[np.float64],
    labels: NDArray[np.float64],
    seed: tuple[int, ...],
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
class WidthGrowth(Shown):
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

    def plot(self, axes: Axes | None = None) -> Axes:
        """Minimal widths over the number of inputs, each draw a point; dashed: the fitted power."""
        axes = axes_for(axes)
        axes.set(xscale="log", yscale="log")
        counts = np.repeat(self.counts, self.widths.shape[1])
        axes.plot(counts, self.widths.ravel(), "o", markersize=4, alpha=0.6, label="one draw")
        label = f"n^{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"
        fitted = [self.predicted(count) for count in self.counts]
        axes.plot(self.counts, fitted, "--", color="black", linewidth=1.2, label=label)
        axes.set_xticks(self.counts, labels=[str(count) for count in self.counts])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="number of inputs n, of dimension n/2", ylabel="width certified")
        return tidy(axes)


def width_growth(
    activation: Activation,
    counts: Sequence[int] = (20, 40, 80),
    draws: int = 3,
    seed: int = 0,
    progress: Progress = _silent,
    checkpoint: str | Path | None = None,
) -> WidthGrowth:
    """Minimal widths for ``n`` random inputs of norm ``sqrt(d)``, ``d = n/2``, and labels ``+-1``.

    Standard initialisation: ``W ~ N(0, 1/d)``, ``V ~ N(0, 1/width)``; Song et al. 2021 prove a width of order
    ``n^(3/2)`` there. Every draw has its own inputs, labels and parameters, seeded by ``seed``, the count
    and its number, so that more counts or draws leave the others as they were. ``checkpoint``: as in
    :func:`minimal_width`. Statistical. Raises :class:`DomainError` for fewer than three different counts,
    for odd ones and below 4.
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
    network = FeedForward(activation)
    question = {
        "format": "growth of the certified width 1", "activation": str(network.activation.expression),
        "seed": int(seed), "resolution": _RESOLUTION,
    }  # fmt: skip

    def compute(key: Key) -> Record:
        count, _ = key
        dim = count // 2
        rows, labels = random_problem(count, dim, (seed, *key))
        scaled = math.sqrt(dim) * rows
        return {"width": _search(network, scaled, labels, (seed, *key), _RESOLUTION, 1 / math.sqrt(dim))}

    keys = [(int(count), draw) for count in counts for draw in range(draws)]
    kept = Cells(checkpoint, question).fill(keys, compute, progress)
    widths = np.array([_width(cell) for cell in kept], dtype=np.int64)
    fit = log_slope([count for count, _ in keys], [float(w) for w in widths])
    shape = (len(counts), draws)
    dims = tuple(count // 2 for count in counts)
    constant = math.exp(fit.intercept)
    return WidthGrowth(tuple(counts), dims, widths.reshape(shape), fit.exponent, fit.low, fit.high, constant)


def random_problem(
    count: int, dim: int, seed: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``count`` random points of the unit sphere of ``R^dim`` and labels ``+-1``, ``(count, 1)``."""
    rng = stream(*seed, 0)
    rows = rng.standard_normal((count, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, rng.choice([-1.0, 1.0], (count, 1))
