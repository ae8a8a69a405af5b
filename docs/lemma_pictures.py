"""The pictures of the pages on families of lemmas. Everything shown is computed by the package."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from style import COLOURS, GREY, finish, two_panels

from analytic_ntk import Activation, Network, activations, meanfield, spectrum
from analytic_ntk.arithmetic.atoms import Angle
from analytic_ntk.arithmetic.interpret import compile_float
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.bounds import Zonal, sphere_points
from analytic_ntk.gaussian import quadrature
from analytic_ntk.gaussian.closed_form import dual_formula
from analytic_ntk.gaussian.floating import FloatExpectations
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.notation import q11, q12, q22
from analytic_ntk.positivity import certified_gram, decide_gram, eigenvalue_bounds, min_eigenvalue, profile
from analytic_ntk.theory import memorization as narrow
from analytic_ntk.theory import overparameterization as wide


def duals() -> Figure:
    """Duals at unit variances; derivative duals and difference quotients of the duals (Price's theorem)."""
    figure, (left, right) = two_panels()
    rho, half = np.linspace(-0.999, 0.999, 301), 5e-4
    middle, one = np.linspace(-0.95, 0.95, 20), np.ones
    for colour, name in zip(COLOURS, ("relu", "erf", "sin", "sign"), strict=True):
        phi = activations.resolve(name)
        pair = FloatExpectations(phi.pieces, phi.derivative).pair
        found = pair(one(rho.size), one(rho.size), rho, 1 - abs(rho))
        left.plot(rho, found.dual, color=colour, label=name)
        right.plot(rho, found.derivative_dual, color=colour)
        above, below = (
            pair(one(middle.size), one(middle.size), middle + s, 1 - abs(middle + s)) for s in (half, -half)
        )
        slopes = (above.dual - below.dual) / (2 * half)
        right.plot(middle, slopes, "o", markersize=3, color=colour, label=name)
    finish(left, r"$\rho$", r"$\mathbb{E}\,\varphi(u)\varphi(v)$")
    finish(right, r"$\rho$", r"$\mathbb{E}\,\varphi'(u)\varphi'(v)$")
    for axes in (left, right):
        axes.set(xscale="linear", yscale="linear")
    right.set_ylim(-0.1, 2.3)
    return figure


def mehler() -> Figure:
    """Hermite coefficients with their predicted laws; what truncated sums leave of a dual, and the bound."""
    figure, (left, right) = two_panels()
    orders = range(3, 60, 2)
    for colour, name in zip(COLOURS, ("step", "tanh", "erf", "sin"), strict=True):
        phi = activations.resolve(name)
        sizes = [abs(float(phi.hermite_table(60, digits=6).rows[n].value)) for n in orders]
        law = phi.hermite_decay().odd
        left.plot(orders, sizes, "o", markersize=3, color=colour, label=name)
        left.plot(orders, np.exp([law.log_envelope(n) for n in orders]), color=colour, linewidth=1)
    finish(left, r"$n$", r"$|a_n|$")
    left.set(xscale="linear", ylim=(1e-19, 3))
    table, cuts = activations.relu.hermite_table(80, digits=30), np.arange(2, 80, 2)
    squares = [row.value.midpoint**2 for row in table.rows]
    network = Network.mlp(activations.relu, 1, 1, 0)
    for colour, rho in zip(COLOURS, (Fraction(1), Fraction(9, 10), Fraction(1, 2)), strict=False):
        whole = network.at(1, rho, 1, digits=40).nngp.midpoint
        terms = [square * rho**n for n, square in enumerate(squares)]
        left_out = [float(whole - sum(terms[: k + 1])) for k in cuts]
        mass = [float(table.second_moment.midpoint - sum(squares[: k + 1])) for k in cuts]
        right.plot(cuts, left_out, "o", markersize=3, color=colour, label=rf"$\rho = {float(rho):g}$")
        right.plot(cuts, [float(rho) ** (k + 1.0) * m for k, m in zip(cuts, mass, strict=True)], color=colour)
    finish(right, r"$K$", "what the sum leaves out")
    right.set(xscale="linear")
    return figure


def zonal() -> Figure:
    """Eigenvalues of tangent kernels on the two-sphere; Gegenbauer polynomials at t = 1/2 over the degree."""
    figure, (left, right) = two_panels()
    for colour, (name, depth) in zip(COLOURS, (("relu", 1), ("relu", 2), ("tanh", 1)), strict=False):
        network = Network.mlp(activations.resolve(name), depth, 2, 0)
        values = [float(v) for v in spectrum.sphere(network, dim=3, degree=24, digits=4).eigenvalues]
        shown = [(k, v) for k, v in enumerate(values) if v > 0]
        label = f"{name}, {depth} hidden layer{'s' if depth > 1 else ''}"
        left.plot(*zip(*shown, strict=True), "o-", markersize=4, linewidth=1, color=colour, label=label)
    finish(left, "degree $k$", r"$\lambda_k$ of the NTK")
    left.set(xscale="linear")
    t, degrees = 0.5, np.arange(41)
    for colour, dim in zip(COLOURS, (2, 3, 5, 10), strict=True):
        values = [1.0, t]
        for n in degrees[1:-1]:
            values.append(((2 * n + dim - 2) * t * values[-1] - n * values[-2]) / (n + dim - 2))
        right.plot(degrees, values, "o-", markersize=3, linewidth=0.8, color=colour, label=f"dimension {dim}")
    finish(right, "degree $k$", "$P_k(1/2)$")
    right.set(xscale="linear", yscale="linear", ylim=(-1.1, 1.9))
    return figure


def depth() -> Figure:
    """Correlation maps of erf in the three phases; how correlations reach their limit, with the laws."""
    figure, (left, right) = two_panels()
    c, layers = np.linspace(0, 1, 101), np.arange(1, 201)
    runs = {"order": (1, "1/4"), "edge": meanfield.tune(activations.erf), "chaos": (4, "1/4")}
    for colour, (name, (weight, bias)) in zip(COLOURS, runs.items(), strict=False):
        limit = meanfield.deep_limit(activations.erf, weight, bias, 1 if name == "edge" else None, digits=12)
        q, end, rate = (float(value or 0) for value in (limit.variance, limit.correlation, limit.chi_c))
        curve = _correlation_map(activations.erf, float(weight), q)
        left.plot(c, curve(c), color=colour, label=name)
        left.plot([end], [end], "o", color=colour)
        steps = _iterated(curve, layers.size)
        right.plot(layers, abs(steps - end), color=colour, label=f"erf, {name}")
        law = 2.5 / layers if name == "edge" else abs(steps[19] - end) * rate ** (layers - 20.0)
        right.plot(layers, law, "--", linewidth=1, color=GREY)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    steps = _iterated(_correlation_map(activations.relu, 2.0, 1.0), layers.size)
    right.plot(layers, 1 - steps, color=COLOURS[3], label="relu, edge")
    right.plot(layers, 4.5 * (np.pi / layers) ** 2, "--", linewidth=1, color=GREY)
    finish(left, "$c$", "$C(c)$")
    left.set(xscale="linear", yscale="linear")
    finish(right, "layer $l$", "$|c_l - c^*|$")
    right.set_ylim(1e-8, 3)
    return figure


def _correlation_map(phi: Activation, weight: float, q: float) -> Callable[[Any], Any]:
    """``C`` at the fixed point ``q``, from the closed form; the bias is ``q`` minus the rest at 1."""
    terms = terms_of(phi.pieces)
    assert terms is not None
    formula = dual_formula(terms, terms).expression
    formula = formula.replace(Angle, lambda a, b, c: sp.acos(c / sp.sqrt(a * b)))
    dual = compile_float(formula, (q11, q22, q12))
    return lambda c: 1 + weight * (dual(q, q, q * c) - dual(q, q, q)) / q


def _iterated(curve: Callable[[Any], Any], count: int) -> np.ndarray:
    """The correlations after ``count`` layers, from 1/2."""
    found = [float(curve(0.5))]
    for _ in range(count - 1):
        found.append(float(curve(found[-1])))
    return np.array(found)


def ridge() -> Figure:
    """Third differences of activations; how many of N functions ``s(z_i . w)`` are independent."""
    figure, (left, right) = two_panels()
    t, names = np.linspace(-5, 3, 321), ("x^2", "relu", "tanh", "sin")
    for colour, name in zip(COLOURS, names, strict=True):
        phi = activations.resolve(name)
        left.plot(t, phi(t + 3) - 3 * phi(t + 2) + 3 * phi(t + 1) - phi(t), color=colour, label=name)
    finish(left, "$t$", r"$s(t+3) - 3s(t+2) + 3s(t+1) - s(t)$")
    counts = range(1, 9)
    for colour, name in zip(COLOURS, ("x^2", "x^3 - x", "x^5", "tanh"), strict=True):
        network = Network.mlp(activations.resolve(name), 1, 1, 1)
        ranks = [n - len(decide_gram(network, [[k] for k in range(n)], "nngp").null_vectors) for n in counts]
        right.plot(counts, ranks, "o-", markersize=4, color=colour, label=name)
    finish(right, "number of vectors $(i, 1)$", "rank")
    for axes in (left, right):
        axes.set(xscale="linear", yscale="linear")
    return figure


def null_spaces() -> Figure:
    """Halves of activations on t > 0; the least eigenvalue where one of three antipodal pairs is opened."""
    figure, (left, right) = two_panels()
    t = np.linspace(0, 4, 81)
    for colour, name in zip(COLOURS, ("relu", "sigmoid", "tanh", "elu(1)"), strict=True):
        phi = activations.resolve(name)
        halves = profile(phi)
        for part, sign, half in ((halves.odd, -1, "odd"), (halves.even, 1, "even")):
            style, label = ("--", None) if part is None else ("-", f"{name}, {half}")
            left.plot(t, (phi(t) + sign * phi(-t)) / 2, style, color=colour, linewidth=1.5, label=label)
    finish(left, "$t$", r"$(s(t) \pm s(-t))/2$")
    turns = np.geomspace(1e-3, 0.5, 25)
    angles = np.concatenate([-turns[::-1], turns])
    cases = (("relu", 1), ("relu", 2), ("tanh", 2), ("elu(1)", 1))
    for colour, (name, depth) in zip(COLOURS, cases, strict=True):
        network = Network.mlp(activations.resolve(name), depth, 2, 0)
        found = [min_eigenvalue(network, _opened(angle), method="float64") for angle in angles]
        label = f"{name}, {depth} hidden layer{'s' if depth > 1 else ''}"
        values = np.insert([float(value.midpoint) for value in found], turns.size, np.nan)  # open at 0
        right.plot(np.insert(angles, turns.size, 0), values, color=colour, label=label)
    finish(right, "angle", r"$\lambda_{\min}$ of the NTK")
    left.set(xscale="linear", yscale="linear")
    right.set(xscale="linear", ylim=(1e-6, 2))
    return figure


def propagation() -> Figure:
    """Correlation of opposite inputs, and the least eigenvalue on three antipodal pairs, over the depth."""
    figure, (left, right) = two_panels()
    depths = range(1, 7)
    for colour, name in zip(COLOURS, ("relu", "gelu", "elu(1)", "tanh"), strict=True):
        phi, pair = activations.resolve(name), [[1.0], [-1.0]]
        grams = [Network.mlp(phi, depth, 2, 0).gram(pair, kernel="nngp") for depth in depths]
        values = [gram[0, 1] / gram[0, 0] for gram in grams]
        left.plot(depths, values, "o-", markersize=4, color=colour, label=name)
    finish(left, "hidden layers", r"correlation of $x$ and $-x$")
    for colour, (name, bias) in zip(
        COLOURS, (("relu", 0), ("relu", "1/10"), ("tanh", 0), ("tanh", "1/10")), strict=True
    ):
        values = []
        for depth in depths:
            gram = certified_gram(Network.mlp(activations.resolve(name), depth, 2, bias), _opened(0.0))
            found = eigenvalue_bounds(gram.matrix, gram.error)
            values.append(3 * (found.lower + found.upper) / gram.matrix.trace())
        right.plot(depths, values, "o-", markersize=4, color=colour, label=f"{name}, $b = {bias}$")
    finish(right, "hidden layers", r"$\lambda_{\min}$ of the NTK over its mean diagonal")
    for axes in (left, right):
        axes.set(xscale="linear", yscale="linear")
    return figure


def least_eigenvalues() -> Figure:
    """An eigenvalue enclosed and in float64 over the number of points; two lower bounds by their power."""
    figure, (left, right) = two_panels()
    network, counts = Network.mlp(activations.sin, 1, 1, 1), range(2, 13)
    line = [[Fraction(k, 10)] for k in range(13)]
    truth = [float(min_eigenvalue(network, line[:n], digits=6).midpoint) for n in counts]
    plain = [float(np.linalg.eigvalsh(network.gram(np.array(line[:n], dtype=float)))[0]) for n in counts]
    left.plot(counts, truth, "o-", markersize=4, color=COLOURS[0], label="enclosed")
    for sign, marker, label in ((1, "s", "eigvalsh"), (-1, "x", "eigvalsh, negative")):
        sized = [sign * v if sign * v > 0 else np.nan for v in plain]
        left.plot(counts, sized, marker, markersize=6, fillstyle="none", color=COLOURS[1], label=label)
    finish(left, "number of points", r"$\lambda_{\min}$")
    left.set(xscale="linear")
    relu, points = Network.mlp(activations.relu, 1, 2, 0), sphere_points(6, dim=5)
    rows = np.array(points, dtype=float)
    kernel = relu.gram(rows)
    rho = rows @ rows.T
    weights = [float(c) for c in Zonal.of(relu.series(30, variance=Fraction(1, 5))).coefficients]
    powers, rest, tails = range(13), kernel.copy(), []
    for k in powers:
        diagonal = np.diagonal(rest)
        tails.append(float((2 * diagonal - np.abs(rest).sum(axis=1)).min()))
        rest -= weights[k] * rho**k
    single = [weights[k] * float(np.linalg.eigvalsh(rho**k)[0]) for k in powers]
    right.plot(
        powers, tails, "o-", markersize=4, color=COLOURS[1], label="Gershgorin on the powers from $m$ on"
    )
    right.plot(powers, single, "o-", markersize=4, color=COLOURS[2], label="the power $m$ alone")
    right.axhline(float(min_eigenvalue(relu, points).midpoint), color=COLOURS[0], label=r"$\lambda_{\min}$")
    finish(right, "$m$", r"lower bound of $\lambda_{\min}$")
    right.set(xscale="linear", yscale="linear", ylim=(-0.03, None))
    return figure


def finite_networks() -> Figure:
    """Ranks of tangent kernels and their ceilings over the inputs; a certified run inside its bounds."""
    figure, (left, right) = two_panels()
    counts = np.arange(2, 37, 2)
    for colour, name in zip(COLOURS, ("tanh", "relu", "x^2"), strict=False):
        finite = narrow.draw(activations.resolve(name), 3, [4, 3], np.random.default_rng(2))
        X = np.random.default_rng(1).standard_normal((36, 3))
        ranks = [np.linalg.matrix_rank(finite.jacobian(X[:n])[:, 0]) for n in counts]
        left.plot(counts, ranks, "o", markersize=4, color=colour, label=name)
        ceilings = [narrow.rank_ceilings(finite, X[:n]).best.rank for n in counts]
        left.plot(counts, ceilings, color=colour, linewidth=1)
    finish(left, "number of inputs", "rank of $K$")
    left.set(xscale="linear", yscale="linear")
    network, X, y = wide.FeedForward(activations.tanh), np.eye(4), np.array([[1.0], [-1.0], [1.0], [1.0]])
    weights = network.draw(np.random.default_rng(0), 4, (120,))
    found, steps = wide.certify(network, weights, X, y), np.arange(61)
    residuals, path = [], [0.0]
    for _ in steps:
        r = network.values(weights, X) - y
        residuals.append(float(np.linalg.norm(r)))
        move = -found.step * np.asarray(network.jacobian(weights, X)).T @ r.ravel()
        path.append(path[-1] + float(np.linalg.norm(move)))
        first, second = weights
        cut = first.size
        weights = (first + move[:cut].reshape(first.shape), second + move[cut:].reshape(second.shape))
    bounds_of_steps = [found.steps_bound(int(k)) for k in steps]
    for colour, values, proved, label in (
        (COLOURS[0], np.array(residuals) / found.r0, np.array(bounds_of_steps) / found.r0, "residual"),
        (COLOURS[1], np.array(path[:-1]) / found.radius, np.ones(steps.size), "path"),
    ):
        right.plot(steps, values, color=colour, label=label)
        right.plot(steps, proved, "--", color=colour, linewidth=1)
    finish(right, "step", "residual over $r_0$, path over $R$")
    right.set(xscale="linear", yscale="linear")
    right.legend(loc=(0.6, 0.6))
    return figure


def _opened(angle: float) -> NDArray[np.float64]:
    """Three points of the circle and their opposites, these turned by an angle."""
    turns = np.arange(6) * np.pi / 3
    turns[1::2] += angle
    return np.column_stack([np.cos(turns), np.sin(turns)])


def certified() -> Figure:
    """Radius and true error of rigorous quadrature; a Hermite recurrence in balls and its true error."""
    figure, (left, right) = two_panels()
    bits = range(20, 161, 10)
    for colour, name in zip(COLOURS, ("tanh", "softsign"), strict=False):
        f = activations.resolve(name).pieces
        with working_precision(400):
            truth = quadrature.single(f, f, arb(1), arb(1), 300)
        found = []
        for goal in bits:
            with working_precision(goal + 60):
                found.append(quadrature.single(f, f, arb(1), arb(1), goal))
        with working_precision(400):
            errors = [float(abs(value.mid() - truth).mid()) for value in found]
        left.plot(bits, [float(value.rad()) for value in found], color=colour, label=rf"{name}: radius")
        left.plot(bits, errors, "o", markersize=3, color=colour, label=f"{name}: true error")
    finish(left, "bits asked for", r"error of $\mathbb{E}\,\varphi(Z)^2$")
    left.set(xscale="linear")
    orders = range(1, 161)
    balls, numbers, exact = (_hermite_values(161, *how) for how in ((100, True), (100, False), (900, True)))
    with working_precision(900):
        errors = [float(abs(numbers[n] - exact[n].mid())) for n in orders]
        unit = float(9 * arb(2) ** -100 * arb(6).sqrt() * (2 * (1 + arb(4).log())).exp())
    radii = [float(balls[n].rad()) for n in orders]
    right.plot(orders, radii, color=COLOURS[0], label="radius of the ball")
    right.plot(orders, errors, "o", markersize=3, color=COLOURS[1], label="true error without radii")
    right.plot(orders, [unit] * len(orders), "--", color=COLOURS[1], label="one unit, by the energy")
    finish(right, "$n$", "error of $h_n(4)$ at 100 bits")
    right.set(xscale="linear")
    return figure


def _hermite_values(count: int, bits: int, radii: bool) -> list[arb]:
    """``h_0(4) .. h_(count - 1)(4)`` by the three-term recurrence in balls, or in rounded numbers."""
    with working_precision(bits):
        values = [arb(1), arb(4)]
        for n in range(1, count - 1):
            new = (4 * values[n] - arb(n).sqrt() * values[n - 1]) / arb(n + 1).sqrt()
            values.append(new if radii else new.mid())
        return values
