"""How ``lambda_min`` grows with the widths: Figure 1 of the paper, for any activation and depth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.memorization.blocks import blocks
from analytic_ntk.theory.memorization.ceilings import rank_ceilings
from analytic_ntk.theory.memorization.cells import Cells, Record
from analytic_ntk.theory.memorization.setting import draw
from analytic_ntk.theory.memorization.smallest import smallest_eigenvalue

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
FIGURE_1 = (100, 200, 300, 400, 500, 600, 700, 800, 900, 977)
"""Widths up to the largest of the figure."""


@dataclass(frozen=True)
class Slope(Shown):
    """``log y = intercept + exponent log x`` by least squares, with the t interval of the exponent.

    The interval is that of a straight line with independent errors of one variance; where the law bends
    over the range (``lambda_min`` does, while ``N/d`` falls) it is about the exponent of the best line.
    """

    exponent: float
    low: float
    high: float
    intercept: float
    points: int
    confidence: float


@dataclass(frozen=True)
class Draw(Shown):
    """One network: ``lambda_min`` between ``lower`` and ``upper``, and the seconds it took."""

    samples: int
    dim: int
    seed: int
    lower: float
    upper: float
    seconds: float

    @property
    def value(self) -> float:
        return (self.lower + self.upper) / 2


@dataclass(frozen=True)
class Scaling(Shown):
    """``lambda_min`` over the widths ``d = n_1 = .. = n_{L-1}`` for several numbers of inputs ``N``."""

    activation: str
    depth: int
    draws: tuple[Draw, ...]

    @property
    def samples(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(draw.samples for draw in self.draws))

    @property
    def seconds(self) -> float:
        """Of all draws, when they were made."""
        return sum(draw.seconds for draw in self.draws)

    def column(self, samples: int, dim: int) -> Array:
        """The values of all seeds at one size."""
        return np.array([d.value for d in self.draws if (d.samples, d.dim) == (samples, dim)])

    def mean(self, samples: int, dim: int) -> tuple[float, float]:
        """Mean and standard deviation (``nan``-free: 0 for one seed) over the seeds."""
        found = self.column(samples, dim)
        if not len(found):
            raise DomainError(f"N = {samples}, d = {dim}", "a size that was drawn")
        return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else 0.0

    def slope(self, samples: int, confidence: float = 0.95, least: float = 0.0) -> Slope:
        """The exponent of ``lambda_min`` in ``d^2`` at ``N = samples``, over all draws with ``lower > 0`` and
        ``d^2 >= least N``."""
        used = [d for d in self.draws if d.samples == samples and d.lower > 0 and d.dim**2 >= least * samples]
        return log_slope([d.dim**2 for d in used], [d.value for d in used], confidence)

    def plot(self, axes: Axes | None = None) -> Axes:
        """``lambda_min`` over ``d^2``, both logarithmic: every draw, the means, the line of least squares."""
        axes = axes_for(axes)
        axes.set(xscale="log", yscale="log", xlabel="$d^2$", ylabel="smallest eigenvalue (float64)")
        for place, samples in enumerate(self.samples):
            colour = f"C{place}"
            drawn = [d for d in self.draws if d.samples == samples and d.lower > 0]
            if not drawn:
                continue
            places, values = [d.dim**2 for d in drawn], [d.value for d in drawn]
            axes.plot(places, values, "o", markersize=3, alpha=0.4, color=colour)
            dims = sorted({d.dim for d in drawn})
            label = f"N = {samples}"
            if len(drawn) > 2 and len(dims) > 1:
                slope = self.slope(samples)
                label += f": exponent {slope.exponent:.2f} [{slope.low:.2f}, {slope.high:.2f}]"
                x = np.array([dims[0] ** 2, dims[-1] ** 2], dtype=np.float64)
                axes.plot(x, np.exp(slope.intercept) * x**slope.exponent, "--", color=colour, linewidth=1)
            means = [self.mean(samples, d)[0] for d in dims]
            axes.plot([d**2 for d in dims], means, "s", color=colour, label=label)
        return tidy(axes)


def log_slope(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Slope:
    """The exponent in ``y = c x^exponent`` by least squares in logarithms, with a t interval.

    Raises :class:`DomainError` for numbers that are not positive, for fewer than three points and for fewer
    than two different ``x``.

    >>> found = log_slope([1, 2, 4, 8], [3, 6, 12, 24])
    >>> round(found.exponent, 12), found.low <= 1 + 1e-12, found.high >= 1 - 1e-12
    (1.0, True, True)
    """
    from scipy.stats import t as student  # slow to load

    require_number(confidence, "confidence", 0.0, 1.0)
    if len(x) != len(y) or len(x) < 3 or len(set(x)) < 2:
        raise DomainError(f"{len(x)} points", "three or more, at two or more places")
    if not all(math.isfinite(v) and v > 0 for v in (*x, *y)):
        raise DomainError("a number that is not positive and finite", "positive numbers")
    u, v = np.log(np.array(x, dtype=np.float64)), np.log(np.array(y, dtype=np.float64))
    spread = float(((u - u.mean()) ** 2).sum())
    exponent = float(((u - u.mean()) * (v - v.mean())).sum() / spread)
    intercept = float(v.mean() - exponent * u.mean())
    rest = v - intercept - exponent * u
    error = math.sqrt(float(rest @ rest) / (len(u) - 2) / spread)
    reach = float(student.ppf((1 + confidence) / 2, len(u) - 2)) * error
    return Slope(exponent, exponent - reach, exponent + reach, intercept, len(u), confidence)


def scaling(
    activation: Activation,
    depth: int = 2,
    dims: Sequence[int] = FIGURE_1,
    samples: Sequence[int] = (1000, 2000, 3000),
    seeds: int = 5,
    checkpoint: str | Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Scaling:
    """``lambda_min`` of the whole kernel of the paper's network at Gaussian inputs, over widths.

    ``depth`` hidden layers (2: the "three-layer" network of Figure 1) of width ``d`` each, ``d`` the input
    dimension; ``N`` inputs ``x ~ N(0, I_d)``. Each (N, d, seed) is its own draw of inputs and network, seeded
    by these three numbers, so that more seeds or sizes leave the others as they were. ``checkpoint``: a JSON
    file that holds every draw as soon as it is made; asked again, the run goes on from there. Statistical:
    see :meth:`Scaling.slope`. Each ``lambda_min`` is certified for the matrix of its draw (kind
    ``"certified"`` of :class:`Smallest`) or, above ``N = 12000``, a Rayleigh quotient with its residual.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import memorization
    >>> found = memorization.scaling(activations.sigmoid, 2, dims=[10, 14, 20], samples=[40], seeds=2)
    >>> found.mean(40, 20)[0] > found.mean(40, 10)[0] > 0
    True
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation")
    activation.require_numeric()
    require_count(depth, "depth", 1)
    require_count(seeds, "seeds", 1)
    for name, values in (("dims", dims), ("samples", samples)):
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__") or not len(values):
            raise DomainError(f"{name} = {values!r}"[:100], "a list of integers")
        for i, value in enumerate(values):
            require_count(value, f"{name}[{i}]", 1)
        if len(set(values)) < len(values):
            raise DomainError(f"{name} = {values!r}"[:100], "different integers")
    question = {"format": "memorization scaling 1", "activation": str(activation.expression), "depth": depth}
    cells = Cells(checkpoint, question)

    def compute(key: tuple[int, ...]) -> Record:
        start = time.perf_counter()
        count, dim, seed = key
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(count, dim)))
        X = rng.standard_normal((count, dim))
        network = draw(activation, dim, [dim] * depth, rng)
        if rank_ceilings(network, X).singular:
            lower = upper = 0.0  # fewer parameters than inputs
        else:
            found = smallest_eigenvalue(blocks(network, X))
            lower, upper = found.lower, found.upper
            if found.kind == "residual":
                lower = max(0.0, upper - found.residual)
        return {"lower": lower, "upper": upper, "seconds": time.perf_counter() - start}

    keys = [(int(n), int(d), seed) for n in samples for d in dims for seed in range(seeds)]
    records = cells.fill(keys, compute, progress)
    made = [
        Draw(count, dim, seed, record["lower"], record["upper"], record["seconds"])
        for (count, dim, seed), record in zip(keys, records, strict=True)
    ]
    return Scaling(str(activation), depth, tuple(made))
