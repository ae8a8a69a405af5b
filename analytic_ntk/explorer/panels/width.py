"""Networks of finite width around the limit: a cloud that shrinks as the width grows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject
from analytic_ntk.explorer.panels.kernels import curves
from analytic_ntk.explorer.subject import NETWORK, Array, network_line, network_of
from analytic_ntk.explorer.view import View
from analytic_ntk.finite_width import sample
from analytic_ntk.network import Network
from analytic_ntk.report.curves import circle
from analytic_ntk.report.sections import Table

DRAWS, POINTS, SEED, STEPS = 16, 25, 0, (4, 2, 1)


def compute(view: View) -> Panel:
    """The NTK of some networks over ``rho`` beside the limit; how far they spread, by width."""
    network = network_of(view)
    current = float(Fraction(view.rho))
    grid = np.cos(np.linspace(np.pi, 0.0, POINTS))
    grid[[0, -1]] = -1.0, 1.0
    rho = np.array([*grid, current])
    limit = curves(network, rho).ntk[-1]
    widths = tuple(dict.fromkeys(max(1, view.width // step) for step in STEPS))
    clouds = {width: cloud(network, rho, width) for width in widths}
    rows = tuple(
        (
            str(width),
            f"{found[:, -1].mean():.4g}",
            f"{spread(found[:, -1]):.2g}",
            f"{limit[-1]:.6g}",
        )
        for width, found in clouds.items()
    )
    columns = ("width", f"mean NTK({view.rho})", "spread", "limit")
    return Panel(
        ("sampled", "float64"),
        notes=(
            f"{network_line(view)}; {DRAWS} networks of width {view.width}, seed {SEED}.",
            "Spread: standard deviation over the networks; about 1/√width.",
        ),
        figures=(_figure(view, rho, limit, clouds[view.width]),),
        tables=(Captioned(f"Networks of finite width at ρ = {view.rho}", Table(columns, rows)),),
    )


def cloud(network: Network, rho: Array, width: int) -> Array:
    """The NTK between the first axis and the input at each correlation, ``(draws, points)``."""
    inputs = np.concatenate([circle(np.array([1.0])), circle(rho)])
    rng = np.random.default_rng(SEED)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by the networks
        rows = [sample(network, 2, width, rng).kernels(inputs).ntk[0, 1:] for _ in range(DRAWS)]
    return np.array(rows)


def spread(values: Array) -> float:
    """The standard deviation, of large numbers too."""
    scale = float(np.abs(values).max()) or 1.0
    return float((values / scale).std(ddof=1)) * scale


def _figure(view: View, rho: Array, limit: Array, found: Array) -> Figure:
    drawing, axes = figures.canvas("ρ", "NTK(ρ)")
    for index, row in enumerate(found):
        axes.plot(rho[:-1], row[:-1], color=figures.SERIES[1], linewidth=0.8, alpha=0.45,
                  label=None if index else f"{DRAWS} networks of width {view.width}")  # fmt: skip
    axes.plot(rho[:-1], limit[:-1], color=figures.SERIES[0], linewidth=2.4, label="infinite width")
    axes.axvline(rho[-1], color=figures.INK, linewidth=0.8, linestyle=":")
    # the same window at every width, so that one sees the cloud shrink
    span = max(float(np.ptp(limit)), float(np.abs(limit).max()) / 2) or 1.0
    axes.set_ylim(limit.min() - 0.5 * span, limit.max() + 0.7 * span)
    axes.set_xlim(-1.03, 1.03)
    figures.legend(axes, loc="upper left")
    alt = (
        f"The tangent kernels of {DRAWS} networks of width {view.width} around the limit; "
        f"at rho = {view.rho} they spread by {spread(found[:, -1]):.2g} around {limit[-1]:.4g}."
    )
    return figures.drawn(drawing, "width", alt)


SUBJECT = Subject(
    "width",
    "Finite width",
    "Real networks, drawn at random, around the limit.",
    (*NETWORK, "rho", "width"),
    compute,
    seconds=90.0,
)
