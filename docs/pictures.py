"""The pictures of the pages, drawn when the pages are built: ``python docs/pictures.py`` draws them too.

Everything shown is certified by the package at that moment; nothing is read from a file. Grey axes and
lines of middle brightness on no background: legible on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analytic_ntk import Activation, activations
from analytic_ntk.bounds import compare
from analytic_ntk.near_polynomials import Approach, eigenvalues, singular_values

FOLDER = Path(__file__).resolve().parent / "generated"
GREY, COLOURS = "#7f7f7f", ("#2f8fd8", "#e07b39", "#3fa45b", "#b565c4")

Z = [[k, 1] for k in range(4)]
W = [[1, "1/3"], ["1/5", 1], [1, "-1/7"], ["1/2", 1]]
POINTS = [[0], ["1/2"], [1], ["3/2"]]
EPSILONS = [Fraction(1, 2**k) for k in range(0, 13, 2)]
FAMILIES: dict[str, Callable[[Fraction], Activation]] = {
    r"$x^2 + \varepsilon\,\tanh x$": lambda e: Activation.parse(f"x^2 + {e}*tanh(x)"),
    r"$x^2 + \varepsilon\,\max(x, 0)$": lambda e: Activation.parse(f"x^2 + {e}*Max(x, 0)"),
    r"$\sin(\varepsilon x)/\varepsilon$": lambda e: Activation.parse(f"sin({e}*x)/({e})"),
}


def near_polynomials() -> Figure:
    """The least singular value of ``[s(z_i . w_j)]`` and ``lambda_min`` of the NTK over epsilon."""
    figure, (left, right) = _panels()
    for colour, (name, family) in zip(COLOURS, FAMILIES.items(), strict=False):
        for axes, found in (
            (left, singular_values(family, EPSILONS, Z, W, digits=4)),
            (right, eigenvalues(family, EPSILONS, POINTS, digits=4)),
        ):
            axes.plot(
                *_points(found), "o-", markersize=4, color=colour, label=f"{name}, slope {_slope(found)}"
            )
    _finish(left, r"$\varepsilon$", r"least singular value of $[s(z_i \cdot w_j)]$")
    _finish(right, r"$\varepsilon$", r"$\lambda_{\min}$ of the NTK")
    return figure


def bounds() -> Figure:
    """``lambda_min`` of the ReLU NTK and its lower bounds over the number of points, by dimension."""
    figure, panels = _panels()
    for axes, dim in zip(panels, (4, 16), strict=True):
        records = compare([activations.relu], (1,), (dim,), (2, 4, 8, 16, 32))
        counts = [record.count for record in records]
        lines: dict[str, Sequence[float]] = {
            r"$\lambda_{\min}$": [float(r.truth) for r in records],
            "Gershgorin": [float(r.gershgorin.value) for r in records],
            "Khatri-Rao": [float(r.khatri_rao.value) for r in records],
            "separation": [float(r.by_separation.value) for r in records],
        }
        for colour, (name, values) in zip(COLOURS, lines.items(), strict=True):
            shown = [(n, v) for n, v in zip(counts, values, strict=True) if v > 0]
            axes.plot(*zip(*shown, strict=True), "o-", markersize=4, color=colour, label=name)
        _finish(axes, rf"points on the unit sphere of $\mathbb{{R}}^{{{dim}}}$", "")
        axes.set_xticks(counts, labels=[str(n) for n in counts])
        axes.minorticks_off()
    return figure


def _points(found: Sequence[Approach]) -> tuple[list[float], list[float]]:
    return [float(a.epsilon) for a in found], [float(a.value) for a in found]


def _slope(found: Sequence[Approach]) -> str:
    """The last exponent of all, rounded."""
    exponent = found[-2].exponent
    assert exponent is not None
    return f"{float(exponent):.2f}"


def _panels() -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    figure.patch.set_alpha(0)
    return figure, list(figure.subplots(1, 2))


def _finish(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    axes.patch.set_alpha(0)
    axes.grid(alpha=0.3, color=GREY)
    axes.tick_params(which="both", colors=GREY)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(GREY)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small", frameon=False, labelcolor=GREY)


PICTURES: dict[str, Callable[[], Figure]] = {"near_polynomials": near_polynomials, "bounds": bounds}


def draw(folder: Path = FOLDER) -> list[Path]:
    """Write every picture as SVG; the same numbers give the same bytes."""
    folder.mkdir(exist_ok=True)
    found = []
    for name, picture in PICTURES.items():
        path = folder / f"{name}.svg"
        with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
            picture().savefig(path, metadata={"Date": None})
        found.append(path)
    return found


if __name__ == "__main__":
    for written in draw():
        print(written)
