"""How far the training of finite networks is from that of the limit, against the width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.blocks import Progress, silent
from analytic_ntk.finite_width.flow import Flow, gradient_flow, max_learning_rate, training_data
from analytic_ntk.finite_width.inputs import matrix, require_number
from analytic_ntk.finite_width.training import train
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
_LOOKS = 24


@dataclass(frozen=True)
class Convergence(Shown):
    """What :func:`convergence` found.

    ``distances``: ``(widths, repeats)``, each the largest root mean square distance over the path.
    ``exponent``: the slope of their logarithms against that of the width, with an interval of probability
    ``confidence`` from the normal theory of least squares (asymptotic, not guaranteed).
    """

    widths: tuple[int, ...]
    steps: tuple[int, ...]
    learning_rate: float
    distances: Array
    exponent: float
    low: float
    high: float
    confidence: float
    flow: Flow

    def plot(self, axes: Axes | None = None) -> Axes:
        """Distances from the limit's training path over the width, each network a point; dashed: the fit."""
        axes = axes_for(axes)
        axes.set(xscale="log", yscale="log")
        widths = np.repeat(self.widths, self.distances.shape[1])
        axes.plot(widths, self.distances.ravel(), "o", markersize=3, alpha=0.5, label="one network")
        logs = np.log(self.distances).mean(axis=1)
        x = np.log(np.array(self.widths, dtype=np.float64))
        fitted = np.exp(logs.mean() + self.exponent * (x - x.mean()))
        label = f"width^{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"
        axes.plot(self.widths, fitted, "--", color="black", linewidth=1.2, label=label)
        axes.set_xticks(self.widths, labels=[str(width) for width in self.widths])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="width", ylabel="distance from the path of the limit")
        return tidy(axes)


def convergence(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    widths: Sequence[int],
    repeats: int,
    rng: np.random.Generator,
    X_test: ArrayLike | None = None,
    steps: int = 200,
    learning_rate: float | None = None,
    confidence: float = 0.95,
    progress: Progress = silent,
) -> Convergence:
    """Train finite networks of several ``widths`` and measure how far they leave the path of the limit.

    Each network descends from its own start ``f_0``; the limit's path from there is
    ``f_0 + Theta_tx g(Theta) (Y - f_0(X))`` with the NTK of infinite width (:meth:`Flow.path`), step for
    step. The distance at a step is the root mean square over ``X_test`` (default ``X``) and the outputs; the
    largest over the path counts. Lee et al. 2019 (theorem 2.1) bound it by ``O(width^-1/2)``.
    ``learning_rate``: half of ``2 / lambda_max`` by default. Raises :class:`DomainError` for fewer than two
    widths or repeats, and what :func:`gradient_flow` and :func:`train` raise.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance=0)
    >>> found = finite_width.convergence(
    ...     network, np.eye(2), [1.0, -1.0], [32, 512], repeats=10, rng=np.random.default_rng(0), steps=20)
    >>> -0.8 < found.exponent < -0.2
    True
    """
    chosen = [int(w) for w in _checked_widths(widths)]
    require_count(repeats, "repeats", 2)
    require_count(steps, "steps", 1)
    require_rng(rng)
    require_number(confidence, "confidence", 0.0, 1.0)
    rows, _ = training_data(X, Y)
    if learning_rate is None:
        learning_rate = max_learning_rate(network.gram(rows)) / 2
    flow = gradient_flow(network, X, Y, X_test, "ntk", learning_rate)
    looks = sorted({round(s) for s in np.geomspace(1, steps, _LOOKS)})
    fresh = rows if X_test is None else matrix(X_test, "X_test")
    distances = np.empty((len(chosen), repeats))
    for i, width in enumerate(chosen):
        for j in range(repeats):
            progress(i * repeats + j, len(chosen) * repeats, f"width {width}")
            finite = network.sample(width, rng, rows.shape[1], flow.Y.shape[1])
            path = train(finite, rows, flow.Y, learning_rate, [0, *looks], fresh)
            expected = np.array(
                [path.test[0] + flow.path(path.train[0], s * learning_rate) for s in path.steps]
            )
            distances[i, j] = np.sqrt(((path.test - expected) ** 2).mean(axis=(1, 2))).max()
    progress(len(chosen) * repeats, len(chosen) * repeats, "done")
    slope, low, high = _fit(np.array(chosen, dtype=np.float64), distances, confidence)
    return Convergence(
        tuple(chosen), tuple(looks), learning_rate, distances, slope, low, high, confidence, flow
    )


def _checked_widths(widths: Sequence[int]) -> list[int]:
    chosen = list(widths) if isinstance(widths, (list, tuple, np.ndarray)) else []
    for i, width in enumerate(chosen):
        require_count(width, f"widths[{i}]", 1)
    if len(set(chosen)) < 2 or sorted(set(chosen)) != chosen:
        raise DomainError(f"widths = {widths!r}"[:100], "two different widths or more, smallest first")
    return chosen


def _fit(widths: Array, distances: Array, confidence: float) -> tuple[float, float, float]:
    """Slope of log distance against log width by least squares, and its Student interval."""
    if not (distances > 0).all():
        raise DomainError(
            "finite networks on the path of the limit exactly",
            "a nonlinear network",
            "linear ones stay on it",
        )
    repeats = distances.shape[1]
    x = np.repeat(np.log(widths), repeats)
    y = np.log(distances).ravel()
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float(centred @ y) / spread
    residual = y - y.mean() - slope * centred
    error = math.sqrt(float((residual**2).sum()) / (len(x) - 2) / spread)
    reach = float(stats.t.ppf(0.5 + confidence / 2, len(x) - 2)) * error
    return slope, slope - reach, slope + reach
