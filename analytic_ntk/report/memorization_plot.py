"""The smallest eigenvalue over the widths, and the region where networks memorise, as SVG text."""

from __future__ import annotations

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.report import plots
from analytic_ntk.theory.memorization import Phase, Scaling


def scaling_plot(found: Scaling) -> str:
    """``lambda_min`` over ``d^2``, both logarithmic: every draw, the means, the line of least squares."""
    figure, axes = plots._figure("d^2", "smallest eigenvalue")
    axes.set(xscale="log", yscale="log")
    for place, samples in enumerate(found.samples):
        colour = f"C{place}"
        drawn = [d for d in found.draws if d.samples == samples and d.lower > 0]
        if not drawn:
            continue
        axes.plot(
            [d.dim**2 for d in drawn], [d.value for d in drawn], "o", markersize=3, alpha=0.4, color=colour
        )
        dims = sorted({d.dim for d in drawn})
        label = f"N = {samples}"
        if len(drawn) > 2 and len(dims) > 1:
            slope = found.slope(samples)
            label += f": exponent {slope.exponent:.2f} [{slope.low:.2f}, {slope.high:.2f}]"
            x = np.array([dims[0] ** 2, dims[-1] ** 2], dtype=np.float64)
            axes.plot(x, np.exp(slope.intercept) * x**slope.exponent, "--", color=colour, linewidth=1)
        axes.plot(
            [d**2 for d in dims], [found.mean(samples, d)[0] for d in dims], "s", color=colour, label=label
        )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    return plots._svg(figure)


def phase_plot(found: Phase) -> str:
    """The share of problems solved over ``d^2`` and ``N``; lines: as many inputs as parameters, one half."""
    if not found.cells:
        raise DomainError("no cells", "at least one")
    figure, axes = plots._figure("d^2", "N")
    squares = np.array(sorted(d**2 for d in found.dims), dtype=np.float64)
    edges = _edges(squares)
    for dim in found.dims:
        place = int(np.searchsorted(squares, dim**2))
        row = found.row(dim)
        heights = _edges(np.array([cell.samples for cell in row], dtype=np.float64))
        shares = np.array([[cell.share] for cell in row])
        mesh = axes.pcolormesh(
            edges[place : place + 2], heights, shares, cmap="viridis", vmin=0.0, vmax=1.0, rasterized=False
        )
    figure.colorbar(mesh, ax=axes, label="share fitted")
    line = np.linspace(0.0, float(edges[-1]), 100)
    axes.plot(line, found.depth * line + np.sqrt(line), "--", color="black", label="parameters")
    points = found.boundaries()
    if points:
        axes.plot([d**2 for d, _ in points], [n for _, n in points], "o-", color="red", label="one half")
    top = max(cell.samples for cell in found.cells)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0.0, 1.1 * top))
    axes.legend(fontsize="small", loc="upper left")
    return plots._svg(figure)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Boundaries half way between centres."""
    if len(centres) == 1:
        return np.array([0.5 * centres[0], 1.5 * centres[0]])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
