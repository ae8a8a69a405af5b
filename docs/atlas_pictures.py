"""The figures of a page of the atlas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from matplotlib.figure import Figure

from analytic_ntk import Activation
from analytic_ntk.atlas import Entry
from analytic_ntk.atlas.articles import DEEP
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.report.curves import Curve, curves_of
from analytic_ntk.report.decay_plot import decay_figure
from analytic_ntk.report.meanfield_plot import edge_curve

WIDE, NARROW = (9.6, 3.6), (6.4, 3.2)
ORDER = 60
DASHES = ("-", "--", "-.", ":")
SHOWN = {
    "properties": "The graphs of {} and of its derivative over x",
    "decay": "The logarithms of the Hermite coefficients of {} over n, and the predicted law",
    "depth": "The NNGP and the NTK of {} over rho for depth 1, 2 and 3, each divided by its value at 1",
    "edge": "The edge of chaos of {}: the bias variance over the weight variance, for q* up to 4",
}
"""What each figure shows, in words: its alternative text."""


def pictures(phi: Activation, found: Entry) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """How to draw the figures of a page, by the article they stand in."""
    yield "properties", partial(_graph, phi)
    curves = curves_of(phi, 3, *DEEP)
    if curves.nngp:
        yield "depth", partial(_depths, curves.nngp, curves.ntk)
    if found["decay"].latex:
        yield "decay", partial(_decay, phi)
    try:
        edge = edge_curve(phi, points=40)
    except AnalyticNTKError:
        return
    if len(set(edge.x)) > 1:
        yield "edge", partial(_edge, edge)


def _graph(phi: Activation) -> Figure:
    figure = Figure(figsize=NARROW, layout="constrained")
    axes = phi.plot(figure.subplots())
    axes.lines[1].set_linestyle("--")  # where the two coincide both are seen
    axes.legend()
    return figure


def _decay(phi: Activation) -> Figure:
    figure = decay_figure(phi.hermite_decay(), phi.hermite_table(ORDER, digits=10))
    (axes,) = figure.axes
    if axes.get_xscale() == "log":
        axes.set_xlim(0.9, 1.1 * ORDER)
        places = [1, 2, 5, 10, 20, 50]
        axes.set_xticks(places, labels=[str(n) for n in places])
        axes.minorticks_off()
    return figure


def _depths(nngp: tuple[Curve, ...], ntk: tuple[Curve, ...]) -> Figure:
    figure = Figure(figsize=WIDE, layout="constrained")
    for axes, name, curves in zip(figure.subplots(1, 2), ("NNGP", "NTK"), (nngp, ntk), strict=True):
        for depth, (curve, dashes) in enumerate(zip(curves, DASHES, strict=False), 1):
            axes.plot(curve.x, curve.y, dashes, label=f"depth {depth}")
        axes.set(xlabel=r"$\rho$", ylabel=rf"{name}$(\rho)$ / {name}$(1)$")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def _edge(edge: Curve) -> Figure:
    figure = Figure(figsize=NARROW, layout="constrained")
    axes = figure.subplots()
    axes.plot(edge.x, edge.y, label=r"edge of chaos, $q^*$ up to 4")
    axes.set(xlabel="weight variance", ylabel="bias variance", ylim=(0, None))
    axes.legend()
    return figure
