"""Finite networks beside the limit, as SVG text: kernels, the law in 1/width, training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import Agreement, Convergence, Flow, Training, WidthLaw
from analytic_ntk.finite_width.estimation import scale_of
from analytic_ntk.finite_width.expansion import Expansion
from analytic_ntk.report import plots

MOST_ENTRIES = 60


def agreement_plot(found: Agreement) -> str:
    """Each entry's interval about its limit, in units of ``sqrt(K(x,x) K(y,y))``; what misses 0 disagrees.

    The first 60 entries of the upper triangles, by rows. Infinite intervals are left out.
    """
    figure, axes = plots._figure("entry of the upper triangle", "distance from the limit, relative")
    estimates = (found.estimate.nngp, found.estimate.ntk)
    for shift, name, part, limit in zip((-0.15, 0.15), ("NNGP", "NTK"), estimates, found.limit, strict=True):
        upper = np.triu_indices(len(limit))
        centre, radius = (
            (part.limit, part.radius[0]) if isinstance(part, Expansion) else (part.centre, part.radius)
        )
        scale = np.where(scale_of(limit) > 0, scale_of(limit), 1.0)
        away, reach = ((centre - limit) / scale)[upper], (radius / scale)[upper]
        shown = np.flatnonzero(np.isfinite(reach))[:MOST_ENTRIES]
        axes.errorbar(shown + shift, away[shown], reach[shown], fmt="o", markersize=3, capsize=2, label=name)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)


def width_plot(law: WidthLaw, limit: ArrayLike, kernel: str = "ntk", entry: tuple[int, int] = (0, 0)) -> str:
    """One entry over ``1/width``: estimates with intervals, the fitted law, and the known limit at 0."""
    known = np.asarray(limit, dtype=np.float64)
    if kernel not in ("nngp", "ntk"):
        raise DomainError(f"kernel = {kernel!r}"[:100], '"nngp" or "ntk"')
    expansion: Expansion = getattr(law, kernel)
    if known.shape != expansion.limit.shape:
        raise DomainError(f"a limit of shape {known.shape}", f"shape {expansion.limit.shape}")
    i, j = entry
    parts = [getattr(estimate, kernel) for estimate in law.estimates]
    places = 1.0 / np.array(law.widths)
    figure, axes = plots._figure("1 / width", f"{kernel.upper()}({i}, {j})")
    centres, radii = [p.centre[i, j] for p in parts], [p.radius[i, j] for p in parts]
    finite = np.isfinite(radii)
    axes.errorbar(places, centres, np.where(finite, radii, 0.0), fmt="o", markersize=4, label="sampled")
    line = np.linspace(0.0, places.max(), 100)
    axes.plot(line, np.polynomial.polynomial.polyval(line, expansion.coefficients[:, i, j]), label="fitted")
    axes.plot([0.0], [known[i, j]], "s", color="black", markersize=5, label="infinite width")
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)


def convergence_plot(found: Convergence) -> str:
    """Distances from the limit's training path over the width, each network a point; dashed: the fit."""
    figure, axes = plots._figure("width", "distance from the path of the limit")
    axes.set(xscale="log", yscale="log")
    widths = np.repeat(found.widths, found.distances.shape[1])
    axes.plot(widths, found.distances.ravel(), "o", markersize=3, alpha=0.5, label="one network")
    logs = np.log(found.distances).mean(axis=1)
    x = np.log(np.array(found.widths, dtype=np.float64))
    fitted = np.exp(logs.mean() + found.exponent * (x - x.mean()))
    label = f"width^{found.exponent:.2f} [{found.low:.2f}, {found.high:.2f}]"
    axes.plot(found.widths, fitted, "--", color="black", linewidth=1.2, label=label)
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)


def training_plot(flow: Flow, trainings: Sequence[Training], point: int = 0, output: int = 0) -> str:
    """One output at one test input over time: the limit's mean and two standard deviations, and networks.

    The flow must have been asked at the test inputs of the trainings, with their learning rate or none.
    """
    if not trainings:
        raise DomainError("no trainings", "at least one")
    times = trainings[0].times
    figure, axes = plots._figure("time", f"output {output} at test input {point}")
    predictions = [flow.at(float(t)) for t in times]
    mean = np.array([p.mean[point, output] for p in predictions])
    spread = 2.0 * np.array([p.deviation[point] for p in predictions])
    axes.fill_between(times, mean - spread, mean + spread, alpha=0.25, label="limit, 2 standard deviations")
    for k, path in enumerate(trainings):
        label = "finite networks" if k == 0 else None
        axes.plot(path.times, path.test[:, point, output], color="C1", linewidth=0.8, alpha=0.7, label=label)
    axes.plot(times, mean, color="black", label="limit, mean")
    axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)
