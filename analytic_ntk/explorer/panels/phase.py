"""The phase diagram of the activation with its edge of chaos, and the current point in it."""

from __future__ import annotations

from fractions import Fraction

from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Figure, Panel, Subject
from analytic_ntk.explorer.subject import activation_of
from analytic_ntk.explorer.view import View
from analytic_ntk.report.curves import Curve
from analytic_ntk.report.meanfield_plot import edge_curve

LARGEST, POINTS = 4.0, 24


def compute(view: View) -> Panel:
    """The edge in the plane of the variances; for an activation with jumps there is none."""
    phi = activation_of(view.activation)
    if not phi.is_continuous:
        return Panel(
            ("proved",),
            "Chaos at all variances",
            (f"{phi} jumps: nearby inputs are torn apart at every weight and bias variance.",),
        )
    if phi.polynomial_degree in (-1, 0):
        return Panel(
            ("proved",), "Order at all variances", (f"{phi} is a constant: φ′ = 0, there is no edge.",)
        )
    edge = edge_curve(phi, LARGEST, POINTS)
    notes = (
        f"Each point of the edge has χ₁ = 1 at a fixed point q of the variance, 0 < q ≤ {LARGEST:g}: "
        "weight variance 1/E φ′², bias variance q − E φ²/E φ′². Float64, rounded from certified values.",
        "As a rule, order (correlations grow to 1) lies to the left of the edge, chaos to its right; which "
        "of the two holds at the current point is decided under “Infinite depth”.",
    )
    if not edge.x:
        notes = ("No network with a bias variance ≥ 0 is on the edge of chaos with 0 < q ≤ 4.", notes[1])
    return Panel(("float64",), notes=notes, figures=(_figure(edge, view, str(phi)),))


def _figure(edge: Curve, view: View, name: str) -> Figure:
    weight, bias = float(Fraction(view.weight_variance)), float(Fraction(view.bias_variance))
    drawing, axes = figures.canvas("weight variance", "bias variance")
    width = 1.15 * max(weight, 1.0, *(w for w in edge.x if w <= 3 * max(weight, 2.0)), 0.0)
    height = 1.15 * max(bias, 0.1, *(b for b in edge.y if b <= 3 * max(bias, 0.5)), 0.0)
    if edge.x and max(edge.x) - min(edge.x) < 1e-9:  # a vertical edge: homogeneous, at bias variance 0 only
        axes.plot(edge.x[:1], edge.y[:1], "D", color=figures.SERIES[0], markersize=9, label="edge of chaos",
                  clip_on=False)  # fmt: skip
    else:
        axes.plot(edge.x, edge.y, color=figures.SERIES[0], linewidth=2.2, label="edge of chaos", clip_on=True)
        axes.text(
            0.04, 0.9, "order", transform=axes.transAxes, color=figures.INK, fontsize=11, style="italic"
        )
        axes.text(0.82, 0.06, "chaos", transform=axes.transAxes, color=figures.INK, fontsize=11,
                  style="italic")  # fmt: skip
    axes.plot([weight], [bias], "*", color=figures.SERIES[1], markersize=14, label="this network",
              clip_on=False, zorder=5)  # fmt: skip
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_position((0.16, 0.16, 0.8, 0.72))  # room for the legend above
    figures.legend(axes, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    alt = (
        f"Edge of chaos of {name} in the plane of weight and bias variance; "
        f"this network stands at ({view.weight_variance}, {view.bias_variance})."
    )
    return figures.drawn(drawing, "phase", alt)


SUBJECT = Subject(
    "phase",
    "Phase diagram",
    "Order, chaos, the edge between them, and where this network stands.",
    ("activation", "weight_variance", "bias_variance"),
    compute,
)
