"""How the samples that a trained network needs grow with the dimension: measured, with an interval.

For each dimension and seed the number of samples is raised until the test error falls to a threshold, and
``log n`` is interpolated between the last two sizes. The slope of ``log n`` over ``log dim`` is that of a
least squares line through all seeds, its interval Student's. A measurement at these dimensions, with these
widths: nothing is said about larger ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.escape.fit import Convert
from analytic_ntk.theory.escape.replica import Told, nothing, replica

GROWTH = 1.4
"""Ratio of neighbouring numbers of samples."""
MOST_SIZES = 30


@dataclass(frozen=True, eq=False)
class SampleSlope(Shown):
    """``samples[i, seed]``: where the test error falls to ``threshold`` in ``dims[i]``.

    ``slope``: of ``log samples`` over ``log dim``, with half the width of its 95 % interval (over the seeds
    and the deviations from a straight line).
    """

    model: str
    strength: float
    threshold: float
    dims: tuple[int, ...]
    samples: NDArray[np.float64]
    slope: float
    half_width: float
    kind: str = "measured"

    def __str__(self) -> str:
        means = ", ".join(
            f"{n:.0f} at {d}"
            for d, n in zip(self.dims, np.exp(np.log(self.samples).mean(axis=1)), strict=True)
        )
        return f"{self.model}, {self.strength:g}: slope {self.slope:.2f} +- {self.half_width:.2f} ({means})"


def sample_slope(
    activation: Activation,
    dims: Sequence[int],
    choice: tuple[str, float],
    threshold: float,
    seeds: int,
    units: int = 20,
    steps: int = 300,
    goal: float = 1e-3,
    path: str | Path | None = None,
    progress: Told = nothing,
    convert: Convert | None = None,
) -> SampleSlope:
    """Train with ``choice = (model, strength)`` in each dimension, with ``units * dim`` units.

    The numbers of samples are about ``dim GROWTH^i``, ``i = 0, 1, ..``; the target and the other arguments
    are those of :func:`replica`. Raises :class:`DomainError` for fewer than three dimensions or two
    seeds, for a threshold that the smallest number of samples reaches already, and for one that none reaches.

    >>> from analytic_ntk import Activation
    >>> phi = Activation.parse("sigmoid(x - 1)")
    >>> found = sample_slope(phi, [3, 4, 5], ("joint", 1.0), 0.3, seeds=2, steps=40)
    >>> found.samples.shape, found.kind
    ((3, 2), 'measured')
    """
    chosen = tuple(dims) if isinstance(dims, (list, tuple)) else ()
    for dim in chosen:
        require_count(dim, "dim", 2)
    if len(chosen) < 3 or sorted(set(chosen)) != list(chosen):
        raise DomainError(f"dims = {dims!r}"[:100], "three dimensions or more, smallest first")
    require_count(seeds, "seeds", 2)
    require_count(units, "units", 2)
    if isinstance(threshold, bool) or not isinstance(threshold, float) or not 0 < threshold < 1:
        raise DomainError(f"threshold = {threshold!r}"[:80], "a float between 0 and 1, the error of f = 0")
    found = np.empty((len(chosen), seeds))
    for i, dim in enumerate(chosen):
        for seed in range(seeds):
            before: tuple[int, float] | None = None
            for n in _sizes(dim):
                (run,) = replica(
                    activation, dim, _even(units * dim), [n], [choice], 1, steps, goal, path, progress,
                    convert, seed,
                )  # fmt: skip
                if run.test_error <= threshold:
                    break
                before = n, run.test_error
            else:
                raise DomainError(
                    f"threshold = {threshold}", f"an error that {n} samples reach in dimension {dim}"
                )
            if before is None:
                raise DomainError(
                    f"threshold = {threshold}", f"below {run.test_error:.3g}, the error with {n} samples"
                )
            found[i, seed] = crossing(before, (n, run.test_error), threshold)
    slope, half = line(chosen, found)
    return SampleSlope(choice[0], float(choice[1]), threshold, chosen, found, slope, half)


def crossing(before: tuple[int, float], after: tuple[int, float], threshold: float) -> float:
    """Where the error, a straight line over ``log n`` between two sizes, is ``threshold``."""
    (low, high_error), (high, low_error) = before, after
    share = (high_error - threshold) / (high_error - low_error)
    return float(low * (high / low) ** share)


def line(dims: Sequence[int], samples: NDArray[np.float64]) -> tuple[float, float]:
    """The slope of ``log samples`` ``(dims, seeds)`` over ``log dims``, and half of its 95 % interval."""
    places = np.repeat(np.log(np.asarray(dims, dtype=np.float64)), samples.shape[1])
    values = np.log(samples).ravel()
    centred = places - places.mean()
    slope = float(centred @ values / (centred @ centred))
    rest = values - values.mean() - slope * centred
    free = len(values) - 2
    error = math.sqrt(float(rest @ rest) / free / float(centred @ centred))
    return slope, float(student.ppf(0.975, free)) * error


def _sizes(dim: int) -> list[int]:
    return sorted({max(2, round(dim * GROWTH**i)) for i in range(MOST_SIZES)})


def _even(width: int) -> int:
    return width + width % 2
