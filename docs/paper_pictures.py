"""The pictures of the tour and of the pages on the papers. Everything shown is computed by the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from matplotlib.figure import Figure
from style import COLOURS, GREY, finish, two_panels

from analytic_ntk import Activation, Network, activations
from analytic_ntk.bounds import compare
from analytic_ntk.near_polynomials import Approach, eigenvalues, singular_values
from analytic_ntk.theory import escape as directions
from analytic_ntk.theory import memorization as narrow
from analytic_ntk.theory import overparameterization as wide
from analytic_ntk.theory.banach import Features, features, replay
from analytic_ntk.theory.banach.pairing import truncated_change

Z = [[k, 1] for k in range(4)]
W = [[1, "1/3"], ["1/5", 1], [1, "-1/7"], ["1/2", 1]]
POINTS = [[0], ["1/2"], [1], ["3/2"]]
EPSILONS = [Fraction(1, 2**k) for k in range(0, 13, 2)]
FAMILIES: dict[str, Callable[[Fraction], Activation]] = {
    r"$x^2 + \varepsilon\,\tanh x$": lambda e: Activation.parse(f"x^2 + {e}*tanh(x)"),
    r"$x^2 + \varepsilon\,\max(x, 0)$": lambda e: Activation.parse(f"x^2 + {e}*Max(x, 0)"),
    r"$\sin(\varepsilon x)/\varepsilon$": lambda e: Activation.parse(f"sin({e}*x)/({e})"),
}


def tour() -> Figure:
    """The NTK of ``x*erf(x)`` over the correlation by depth; tangent kernels of finite networks by width."""
    figure, (left, right) = two_panels()
    phi, rho = Activation.parse("x*erf(x)"), np.linspace(-1, 1, 201)
    rows = np.sqrt(2) * np.column_stack([rho, np.sqrt(1 - rho**2)])
    for colour, depth in zip(COLOURS, (1, 2, 3, 5), strict=True):
        kernel = Network.mlp(phi, depth, 1, 0).gram(rows, rows[-1:])[:, 0]
        left.plot(rho, kernel / kernel[-1], color=colour, label=f"depth {depth}")
    deep, pair = Network.mlp(phi, 3, 1, 0), rows[[150, 200]]
    limit = float(deep.at(1, "1/2", 1, digits=17).ntk)
    for colour, width in zip(COLOURS, (16, 64, 256), strict=False):
        rng = np.random.default_rng(0)
        drawn = [deep.sample(width, rng, input_dim=2).kernels(pair).ntk[0, 1] for _ in range(60)]
        right.plot(width * np.exp(rng.uniform(-0.3, 0.3, 60)), drawn, "o", markersize=3, color=colour)
    right.axhline(limit, color=GREY, label="infinite width")
    finish(left, r"$\rho$", r"NTK$(\rho)$ / NTK$(1)$")
    left.set(xscale="linear", yscale="linear")
    finish(right, "width", r"NTK at $\rho = 1/2$, depth 3")
    right.set(yscale="linear")
    right.set_xticks((16, 64, 256), labels=("16", "64", "256"))
    right.minorticks_off()
    return figure


def near_polynomials() -> Figure:
    """The least singular value of ``[s(z_i . w_j)]`` and ``lambda_min`` of the NTK over epsilon."""
    figure, (left, right) = two_panels()
    for colour, (name, family) in zip(COLOURS, FAMILIES.items(), strict=False):
        for axes, found in (
            (left, singular_values(family, EPSILONS, Z, W, digits=4)),
            (right, eigenvalues(family, EPSILONS, POINTS, digits=4)),
        ):
            axes.plot(
                *_points(found), "o-", markersize=4, color=colour, label=f"{name}, slope {_slope(found)}"
            )
    finish(left, r"$\varepsilon$", r"least singular value of $[s(z_i \cdot w_j)]$")
    finish(right, r"$\varepsilon$", r"$\lambda_{\min}$ of the NTK")
    return figure


def bounds() -> Figure:
    """``lambda_min`` of the ReLU NTK and its lower bounds over the number of points, by dimension."""
    figure, panels = two_panels()
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
        finish(axes, rf"points on the unit sphere of $\mathbb{{R}}^{{{dim}}}$", "eigenvalue and bounds")
        axes.set_xticks(counts, labels=[str(n) for n in counts])
        axes.set_xticks([], minor=True)
    return figure


def banach() -> Figure:
    """What is cut off over the order, certified and found; the largest ratio of a step over the steps."""
    figure, (left, right) = two_panels()
    finite = Network.mlp(activations.tanh, 1, 1, 0).sample(8, np.random.default_rng(0), 2)
    X, step = np.array([[1.0, 0.5]]), np.random.default_rng(1).standard_normal(finite.size)
    step *= features(finite, finite.parameters, 1).place(X, step).admissible
    for colour, ratio in zip(COLOURS, (0.3, 0.6, 0.9, 1.1), strict=True):
        change = finite.with_parameters(finite.parameters + ratio * step)(X) - finite(X)
        series = [features(finite, finite.parameters, order) for order in range(2, 61, 2)]
        errors = [abs(truncated_change(s.chain, X, ratio * step, s.order) - change).item() for s in series]
        left.plot(*_above(series, errors), "o", markersize=3, color=colour, label=f"ratio {ratio}")
        if ratio < 1:
            bounds = [float(s.certified(X, ratio * step)[0][0].truncation) for s in series]
            left.plot([s.order for s in series], bounds, color=colour)
    rows = np.random.default_rng(2).standard_normal((6, 2))
    for colour, width in zip(COLOURS, (4, 32, 256, 2048), strict=True):
        finite = Network.mlp(activations.tanh, 1, 1, 0).sample(width, np.random.default_rng(0), 2)
        run = replay(finite, rows, np.sin(rows[:, 0]), 0.05, 40)
        right.plot(np.arange(1, 41), run.ratios, color=colour, label=f"width {width}")
    finish(left, "order", "what is cut off")
    left.set(xscale="linear", ylim=(1e-17, 1e3))
    finish(right, "step", "largest ratio to the radius")
    return figure


def escape() -> Figure:
    """Samples that a kernel needs for a degree, predicted; errors of trained networks by the strength."""
    figure, (left, right) = two_panels()
    phi, dims = Activation.parse("sigmoid(x - 1)"), (25, 100, 400)
    for colour, (order, degree) in zip(COLOURS, ((1, 1), (2, 1), (1, 2), (2, 2)), strict=True):
        needed = [directions.samples_needed(phi, order, dim, degree) for dim in dims]
        name = f"{('NTK', 'QuadNTK')[order - 1]}, degree {degree}"
        left.plot(dims, needed, "o-", markersize=4, color=colour, label=name)
    finish(left, "dimension", "samples for half of a degree")
    left.set_xticks(dims, labels=[str(dim) for dim in dims])
    left.minorticks_off()
    choices = [("joint", strength) for strength in (0.0, 0.03, 1.0)]
    runs = directions.replica(phi, 20, 240, [150], choices, seeds=3, steps=100, goal=1e-2)
    plain, *others = directions.summarise(runs)
    for colour, part in zip(COLOURS, ("test_error", "sparse", "dense"), strict=False):
        right.axhline(getattr(plain, part), color=colour, linestyle="--", linewidth=1)
        places, values = [o.strength for o in others], [getattr(o, part) for o in others]
        right.plot(places, values, "o-", markersize=4, color=colour, label=part.replace("_", " "))
    finish(right, "strength of the regulariser", "error")
    right.set(yscale="linear", ylim=(0, None))
    return figure


def overparameterization() -> Figure:
    """Smallest certified widths over the number of inputs; errors over the ratio of the two layers."""
    figure, (left, right) = two_panels()
    grown = wide.width_growth(Activation.parse("sin(2*x)"), (16, 26, 42, 68), draws=4)
    counts = np.repeat(grown.counts, grown.widths.shape[1])
    left.plot(counts, grown.widths.ravel(), "o", markersize=4, color=COLOURS[0], label="one draw")
    label = f"$n^{{{grown.exponent:.2f}}}$, 95 % interval {grown.low:.2f} to {grown.high:.2f}"
    left.plot(grown.counts, [grown.predicted(n) for n in grown.counts], "--", color=COLOURS[1], label=label)
    finish(left, "number of inputs $n$, of dimension $n/2$", "width certified")
    left.set_xticks(grown.counts, labels=[str(n) for n in grown.counts])
    left.set_xticks([], minor=True)
    found = wide.ratio_experiment(activations.tanh, wide.teacher_task(activations.tanh), tolerance=1e-4)
    ratios = np.repeat(found.ratios, found.test.shape[1])
    for colour, (name, values) in zip(
        COLOURS, {"test": found.test, "training": found.train}.items(), strict=False
    ):
        right.plot(ratios, values.ravel(), "o", markersize=4, color=colour, alpha=0.5)
        right.plot(found.ratios, values.mean(axis=1), color=colour, label=f"{name} error")
    finish(right, r"$\omega_2 / \omega_1$", "error, relative to the labels")
    right.set(yscale="linear", ylim=(-0.01, None))
    return figure


def memorization() -> Figure:
    """``lambda_min`` of narrow networks over ``d^2``; the share of random labels that fits reach."""
    figure, (left, right) = two_panels()
    for colour, name in zip(COLOURS, ("relu", "tanh", "sigmoid"), strict=False):
        law = narrow.scaling(activations.resolve(name), 2, (40, 56, 80, 112, 160), (200,), 3)
        slope = law.slope(200)
        label = rf"{name}, $(d^2)^{{{slope.exponent:.2f}}}$, 95 %: {slope.low:.2f} to {slope.high:.2f}"
        left.plot(
            [d.dim**2 for d in law.draws], [d.value for d in law.draws], "o", markersize=3, color=colour
        )
        line = np.array([40.0**2, 160.0**2])
        left.plot(line, np.exp(slope.intercept) * line**slope.exponent, color=colour, label=label)
    finish(left, "$d^2$, 200 inputs", r"$\lambda_{\min}$ of the tangent kernel")
    dims = sorted({d.dim for d in law.draws})
    left.set_xticks([d**2 for d in dims], labels=[f"${d}^2$" for d in dims])
    left.set_xticks([], minor=True)
    grid = narrow.phase(activations.tanh, 3, (4, 5, 6, 7, 8), (1.5, 2.0, 2.5, 3.0, 3.5, 4.0), 2, steps=60)
    cells = right.scatter(
        [c.dim**2 for c in grid.cells], [c.samples for c in grid.cells], c=[c.share for c in grid.cells],
        marker="s", s=90, cmap="viridis", vmin=0.0, vmax=1.0, edgecolors=GREY,
    )  # fmt: skip
    bar = figure.colorbar(cells, ax=right)
    bar.set_label("share of tanh networks that fit")
    squares = np.array([d**2 for d in grid.dims])
    right.plot(squares, [grid.parameters(d) for d in grid.dims], "--", color=COLOURS[1], label="parameters")
    finish(right, "$d^2$", "number of inputs")
    right.set(xscale="linear", yscale="linear")
    return figure


def _above(series: Sequence[Features], errors: Sequence[float]) -> tuple[list[int], list[float]]:
    """Where an error is more than rounding."""
    shown = [(s.order, e) for s, e in zip(series, errors, strict=True) if e > 1e-15]
    return [order for order, _ in shown], [error for _, error in shown]


def _points(found: Sequence[Approach]) -> tuple[list[float], list[float]]:
    return [float(a.epsilon) for a in found], [float(a.value) for a in found]


def _slope(found: Sequence[Approach]) -> str:
    """The last exponent of all, rounded."""
    exponent = found[-2].exponent
    assert exponent is not None
    return f"{float(exponent):.2f}"
