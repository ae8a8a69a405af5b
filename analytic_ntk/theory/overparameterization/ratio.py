"""Teacher and student: the test error over ``omega_2 / omega_1`` of the start, product fixed.

Song, Ramezani-Kebrya, Pethick, Eftekhari, Cevher 2021 (arXiv 2111.01875): the training error stays 0, the
test error falls with the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.overparameterization.feedforward import FeedForward, Parameters, data, stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
_LOOK = 50
"""Steps between two looks at the kernel, which sets the step size."""


@dataclass(frozen=True, eq=False)
class Task(Shown):
    """Data to learn: ``(n, d)`` and ``(n, outputs)`` to train on, as many columns to test on."""

    name: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array


@dataclass(frozen=True, eq=False)
class RatioExperiment(Shown):
    """Errors ``mean |f - y|^2 / mean |y|^2`` at the end, ``(ratios, seeds)``, and the steps taken. Float64,
    statistical: of the seeds that were run."""

    task: str
    ratios: tuple[float, ...]
    product: float
    train: Array
    test: Array
    steps: NDArray[np.int64]

    def table(self) -> str:
        """One line for each ratio: largest training error, mean test error and its standard deviation."""
        lines = ["omega_2/omega_1   train (largest)   test (mean)   test (sd)   steps (largest)"]
        for ratio, train, test, steps in zip(self.ratios, self.train, self.test, self.steps, strict=True):
            spread = float(test.std(ddof=1)) if len(test) > 1 else math.nan
            lines.append(
                f"{ratio:15.4g}   {train.max():15.2e}   {test.mean():11.4f}   {spread:9.4f}   "
                f"{steps.max():15d}"
            )
        return "\n".join(lines)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Test and training error over ``omega_2 / omega_1``: each seed a point, lines through the means."""
        axes = axes_for(axes)
        axes.set_xscale("log")
        ratios = np.repeat(self.ratios, self.test.shape[1])
        for name, values, colour in (("test", self.test, "C0"), ("training", self.train, "C1")):
            axes.plot(ratios, values.ravel(), "o", markersize=4, alpha=0.5, color=colour)
            axes.plot(self.ratios, values.mean(axis=1), color=colour, label=f"{name} error")
        axes.set(xlabel="omega_2 / omega_1", ylabel="error, relative to the labels")
        return tidy(axes)


def teacher_task(
    activation: Activation, count: int = 60, dim: int = 10, units: int = 3, tests: int = 1000, seed: int = 0
) -> Task:
    """Labels of a random teacher ``f = V phi(W x)`` with few units, at random points of the unit sphere."""
    for name, value in (("count", count), ("dim", dim), ("units", units), ("tests", tests)):
        require_count(value, name, 1)
    require_count(seed, "seed", 0)
    rng = stream(seed, 0)
    rows = rng.standard_normal((count + tests, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    teacher = FeedForward(activation)
    params = teacher.draw(rng, dim, (units,), deviations=(2.0, 1.0))
    labels = teacher.values(params, rows)
    labels /= math.sqrt(float((labels**2).mean()))
    return Task("teacher", rows[:count], labels[:count], rows[count:], labels[count:])


def digits_task(count: int = 60, seed: int = 0) -> Task:
    """The handwritten digits shipped with scikit-learn: images less the mean one, on the unit sphere; labels
    +1 (an even digit) and -1. Raises :class:`DomainError` without scikit-learn, naming what to install."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DomainError(
            "scikit-learn is not installed", "scikit-learn", 'pip install "analytic-ntk[sklearn]"'
        ) from error
    require_count(count, "count", 1)
    require_count(seed, "seed", 0)
    found = load_digits()
    if count >= len(found.data):
        raise DomainError(f"count = {count}", f"fewer than {len(found.data)}: some are left to test on")
    order = stream(seed, 0).permutation(len(found.data))
    rows = np.array(found.data, dtype=np.float64)[order]
    rows -= rows[:count].mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.where(np.array(found.target)[order] % 2 == 0, 1.0, -1.0)[:, None]
    return Task("digits", rows[:count], labels[:count], rows[count:], labels[count:])


def ratio_experiment(
    activation: Activation,
    task: Task,
    ratios: Sequence[float] = (1 / 16, 1 / 4, 1, 4, 16),
    product: float = 4.0,
    width: int = 200,
    seeds: int = 3,
    tolerance: float = 1e-5,
    most_steps: int = 20_000,
    progress: Progress | None = None,
) -> RatioExperiment:
    """Train ``f = V phi(W x)`` from ``W ~ N(0, omega_1^2)``, ``V ~ N(0, omega_2^2 / width)`` for each ratio
    ``omega_2 / omega_1`` at ``omega_1 omega_2 = product``, and measure the test error.

    The start is made to vanish by subtracting its function, so that its size plays no part. Gradient descent
    on both layers, full batch, steps ``1 / lambda_max`` of the kernel at hand, until the training error
    (relative to the labels) is at most ``tolerance``. Raises :class:`PrecisionError` where ``most_steps``
    do not do.

    >>> from analytic_ntk import activations
    >>> task = teacher_task(activations.tanh, count=8, dim=4, tests=50)
    >>> found = ratio_experiment(activations.tanh, task, ratios=(1, 4), width=50, seeds=2)
    >>> bool(found.train.max() <= 1e-5), found.test.shape
    (True, (2, 2))
    """
    rows, labels = data(task.X, task.y)
    if not isinstance(ratios, (tuple, list)) or not ratios:
        raise DomainError(f"ratios = {ratios!r}"[:80], "numbers > 0")
    for value, name in (*((r, "ratio") for r in ratios), (product, "product"), (tolerance, "tolerance")):
        require_number(value, name, 0.0, math.inf)
    for count, name in ((width, "width"), (seeds, "seeds"), (most_steps, "most_steps")):
        require_count(count, name, 1)
    network = FeedForward(activation)
    train, test, steps = [], [], []
    for i, ratio in enumerate(ratios):
        for seed in range(seeds):
            omega_1, omega_2 = math.sqrt(product / ratio), math.sqrt(product * ratio)
            start = network.draw(
                stream(seed, 1), rows.shape[1], (width,), labels.shape[1],
                (omega_1, omega_2 / math.sqrt(width)),
            )  # fmt: skip
            end, count = _trained(network, start, rows, labels, tolerance, most_steps)
            train.append(_error(network, start, end, rows, labels))
            test.append(_error(network, start, end, task.X_test, task.y_test))
            steps.append(count)
            if progress:
                progress(i * seeds + seed + 1, len(ratios) * seeds, f"ratio {ratio:g}")
    shape = (len(ratios), seeds)
    return RatioExperiment(
        task.name, tuple(map(float, ratios)), float(product), np.reshape(train, shape), np.reshape(test,
        shape), np.reshape(steps, shape),
    )  # fmt: skip


def _error(network: FeedForward, start: Parameters, end: Parameters, X: ArrayLike, y: Array) -> float:
    rows = np.asarray(X)
    left = network.values(end, rows) - network.values(start, rows) - y
    return float((left**2).mean() / (y**2).mean())


def _trained(
    network: FeedForward, start: Parameters, rows: Array, labels: Array, tolerance: float, most: int
) -> tuple[Parameters, int]:
    slope = network.activation.derivative.float_function()
    target = labels + network.values(start, rows)
    goal = tolerance * float((labels**2).sum())
    first, last = (w.copy() for w in start)
    products = rows @ rows.T
    step = 0.0
    for count in range(most + 1):
        before = rows @ first.T
        features, slopes = network.activation(before), slope(before)
        left = features @ last.T - target
        if float((left**2).sum()) <= goal:
            return (first, last), count
        if count % _LOOK == 0:
            step = 1 / _largest(features, slopes, last, products)
        change = (left @ last) * slopes
        last = last - step * (left.T @ features)
        first = first - step * (change.T @ rows)
    raise PrecisionError(
        f"a training error of {float((left**2).sum() / (labels**2).sum()):.2g} after {most} steps",
        f"{tolerance:g}", "more steps, a wider network, or a ratio nearer to 1",
    )  # fmt: skip


def _largest(features: Array, slopes: Array, last: Array, products: Array) -> float:
    """``lambda_max`` of the tangent kernel, by the trace bound of its blocks: the largest sum of a row."""
    total = features @ features.T
    kernel = np.kron(np.eye(len(last)), total)
    size = len(features)
    for a, row in enumerate(last):
        for b, other in enumerate(last):
            block = products * ((slopes * (row * other)) @ slopes.T)
            kernel[a * size : (a + 1) * size, b * size : (b + 1) * size] += block
    return float(np.linalg.eigvalsh(kernel)[-1])
