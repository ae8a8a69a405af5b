"""Where a network memorises: Figure 2 of the paper, the region of zero loss over ``(d^2, N)``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown, axes_for
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.memorization.cells import Cells, Record
from analytic_ntk.theory.memorization.fit import fit
from analytic_ntk.theory.memorization.scaling import Slope, log_slope
from analytic_ntk.theory.memorization.setting import draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PhaseCell(Shown):
    """``reached`` of ``seeds`` random problems with ``N`` inputs in dimension ``d`` were fitted."""

    samples: int
    dim: int
    reached: int
    seeds: int
    seconds: float

    @property
    def share(self) -> float:
        return self.reached / self.seeds


@dataclass(frozen=True)
class Phase(Shown):
    """A grid of fits. ``ratios`` are the values of ``N/d^2``."""

    activation: str
    depth: int
    eps: float
    steps: int
    kicks: int
    dims: tuple[int, ...]
    ratios: tuple[float, ...]
    cells: tuple[PhaseCell, ...]

    def parameters(self, dim: int) -> int:
        """``depth d^2 + d``: all layers but the last, and the last; no biases."""
        return self.depth * dim**2 + dim

    def row(self, dim: int) -> tuple[PhaseCell, ...]:
        """The cells of one dimension, smallest ``N`` first."""
        return tuple(sorted((c for c in self.cells if c.dim == dim), key=lambda c: c.samples))

    def boundary(self, dim: int) -> float | None:
        """The ``N`` at which half of the problems are fitted, by straight lines between cells; ``None`` where
        the grid does not cross one half from above."""
        row = self.row(dim)
        for one, other in pairwise(row):
            if one.share >= 0.5 > other.share:
                part = (one.share - 0.5) / (one.share - other.share)
                return one.samples + part * (other.samples - one.samples)
        return None

    def boundaries(self) -> tuple[tuple[int, float], ...]:
        """``(d, N)`` wherever there is one."""
        found = ((dim, self.boundary(dim)) for dim in self.dims)
        return tuple((dim, at) for dim, at in found if at is not None)

    def exponent(self, confidence: float = 0.95) -> Slope:
        """Of the boundary: ``N = c (d^2)^exponent``; 1 is the paper's straight line."""
        points = self.boundaries()
        return log_slope([d**2 for d, _ in points], [n for _, n in points], confidence)

    def per_square(self) -> tuple[float, float]:
        """Mean and standard deviation over the dimensions of ``N/d^2`` on the boundary."""
        points = [n / d**2 for d, n in self.boundaries()]
        if len(points) < 2:
            raise DomainError(f"{len(points)} points of the boundary", "two or more", "widen the ratios")
        return float(np.mean(points)), float(np.std(points, ddof=1))

    def plot(self, axes: Axes | None = None) -> Axes:
        """The share of problems solved over ``d^2`` and ``N``; lines: as many inputs as parameters, one half.

        Raises :class:`DomainError` where there are no cells.
        """
        if not self.cells:
            raise DomainError("no cells", "at least one")
        axes = axes_for(axes)
        squares = np.array(sorted(d**2 for d in self.dims), dtype=np.float64)
        edges = _edges(squares)
        for dim in self.dims:
            place = int(np.searchsorted(squares, dim**2))
            row = self.row(dim)
            heights = _edges(np.array([cell.samples for cell in row], dtype=np.float64))
            shares = np.array([[cell.share] for cell in row])
            columns = edges[place : place + 2]
            mesh = axes.pcolormesh(columns, heights, shares, cmap="viridis", vmin=0.0, vmax=1.0)
        axes.figure.colorbar(mesh, ax=axes, label="share fitted")
        line = np.linspace(0.0, float(edges[-1]), 100)
        axes.plot(line, self.depth * line + np.sqrt(line), "--", color="black", label="parameters")
        points = self.boundaries()
        if points:
            axes.plot([d**2 for d, _ in points], [n for _, n in points], "o-", color="red", label="one half")
        top = max(cell.samples for cell in self.cells)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0.0, 1.1 * top), xlabel="$d^2$", ylabel="$N$")
        axes.legend(fontsize="small", loc="upper left")
        return axes


def _edges(centres: np.ndarray) -> np.ndarray:
    """Boundaries half way between centres."""
    if len(centres) == 1:
        return np.array([0.5 * centres[0], 1.5 * centres[0]])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def phase(
    activation: Activation,
    depth: int = 3,
    dims: Sequence[int] = (8, 10, 12, 14, 16),
    ratios: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0),
    seeds: int = 4,
    eps: float = 1e-3,
    steps: int = 500,
    kicks: int = 50,
    checkpoint: str | Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Phase:
    """How many of ``seeds`` random problems are solved, on a grid of ``(d, N)``.

    The paper's network with ``depth`` hidden layers (3: the four-layer network of Figure 2) of width ``d``,
    Gaussian inputs in dimension ``d``, Gaussian labels (two-valued ones can be had with fewer parameters than
    inputs, by saturated units), ``N = round(ratio d^2)``. Solved: ``|F(theta) - Y| <= eps sqrt(N)`` within
    ``steps`` steps. That a problem was not solved says something of
    the method, not of the network alone: without ``kicks`` the region of ReLU is smaller. The method is
    :func:`~analytic_ntk.theory.memorization.fit.fit`; ``checkpoint`` as in
    :func:`~analytic_ntk.theory.memorization.scaling.scaling`.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import memorization
    >>> found = memorization.phase(activations.tanh, dims=[4], ratios=[1, 4], seeds=2, steps=50)
    >>> [cell.share for cell in found.row(4)], found.parameters(4)
    ([1.0, 0.0], 52)
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation")
    activation.require_numeric()
    for name, value, least in (
        ("depth", depth, 1),
        ("seeds", seeds, 1),
        ("steps", steps, 1),
        ("kicks", kicks, 0),
    ):
        require_count(value, name, least)
    require_number(eps, "eps", 0.0, np.inf)
    for name, values in (("dims", dims), ("ratios", ratios)):
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__") or not len(values):
            raise DomainError(f"{name} = {values!r}"[:100], "a list of numbers")
        if len(set(values)) < len(values):
            raise DomainError(f"{name} = {values!r}"[:100], "different numbers")
    for i, dim in enumerate(dims):
        require_count(dim, f"dims[{i}]", 1)
    for i, ratio in enumerate(ratios):
        require_number(ratio, f"ratios[{i}]", 0.0, 100.0)
    question = {
        "format": "memorization phase 2", "activation": str(activation.expression), "depth": depth,
        "eps": float(eps), "steps": int(steps), "kicks": int(kicks),
        "seeds": int(seeds),
    }  # fmt: skip
    cells = Cells(checkpoint, question)

    def compute(key: tuple[int, ...]) -> Record:
        start, reached = time.perf_counter(), 0
        count, dim = key
        for seed in range(seeds):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(count, dim)))
            X, Y = rng.standard_normal((count, dim)), rng.standard_normal(count)
            network = draw(activation, dim, [dim] * depth, rng)
            reached += fit(network, X, Y, float(eps) * count**0.5, steps, kicks=kicks).reached
        return {"reached": reached, "seconds": time.perf_counter() - start}

    keys = [
        (max(1, round(float(ratio) * int(dim) ** 2)), int(dim)) for dim in dims for ratio in sorted(ratios)
    ]
    keys = list(dict.fromkeys(keys))
    records = cells.fill(keys, compute, progress)
    made = [
        PhaseCell(count, dim, int(record["reached"]), int(seeds), float(record["seconds"]))
        for (count, dim), record in zip(keys, records, strict=True)
    ]
    return Phase(
        str(activation), depth, float(eps), int(steps), int(kicks), tuple(map(int, dims)),
        tuple(map(float, sorted(ratios))), tuple(made),
    )  # fmt: skip
