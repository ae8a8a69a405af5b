"""Both kernels over the correlation of the inputs, by depth."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject
from analytic_ntk.explorer.subject import NETWORK, Array, network_line, network_of
from analytic_ntk.explorer.view import View
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.layers import Dense
from analytic_ntk.network import Network
from analytic_ntk.pair import Pair
from analytic_ntk.report.curves import shown_depths
from analytic_ntk.report.sections import Table
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.float64 import Float64

POINTS = 49
BITS, ACCURACY = 128, 1e-12


@dataclass(frozen=True)
class Curves:
    """Kernels at ``rho`` after each hidden layer, ``(depth, points)`` each."""

    rho: Array
    nngp: Array
    ntk: Array


def curves(network: Network, rho: Array) -> Curves:
    """NNGP and NTK after each hidden layer in float64, the recursion run once.

    Where each dual is one short formula (GELU, erf: an analytic function in the canonical class) from balls,
    which is quicker than quadrature for so few points. Raises :class:`DomainError` for what overflows.
    """
    phis = set(network.activations)
    found = None
    if all(len(phi.pieces.parts) == 1 and terms_of(phi.pieces) is not None for phi in phis):
        with contextlib.suppress(PrecisionError):
            found = _from_balls(network, rho)
    found = found or _from_floats(network, rho)
    if not (np.isfinite(found.nngp).all() and np.isfinite(found.ntk).all()):
        raise DomainError("kernels too large for float64", "finite ones", "make depth or variances smaller")
    return found


def _from_balls(network: Network, rho: Array) -> Curves:
    """Rounded from balls of 128 bits. Raises :class:`PrecisionError` where they are too wide."""
    found = np.empty((2, (len(network.layers) - 1) // 2, len(rho)))
    with working_precision(BITS):
        for place, correlation in enumerate(map(float, rho)):
            number = arb(correlation)
            pair = Pair(arb(1), arb(1), number, arb(0), 1 - abs(number))
            depth = 0
            for index, layer in enumerate(network.layers):
                pair = layer.push(pair, Ball())
                if index and isinstance(layer, Dense):
                    scale = (pair.q11 * pair.q22).sqrt() + abs(pair.ntk)
                    for kernel, value in enumerate((pair.q12, pair.ntk)):
                        if not value.rad() < ACCURACY * scale:
                            raise PrecisionError(f"a kernel at rho = {correlation}", f"{ACCURACY:g} of it")
                        found[kernel, depth, place] = float(value.mid())
                    depth += 1
    return Curves(rho, *found)


def _from_floats(network: Network, rho: Array) -> Curves:
    gap = np.where(np.abs(rho) == 1, 0.0, 1 - np.abs(rho))
    one = np.ones_like(rho)
    pair = Pair(one, one, rho, np.zeros_like(rho), gap)
    found: list[tuple[Array, Array]] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for index, layer in enumerate(network.layers):
            pair = layer.push(pair, Float64())
            if index and isinstance(layer, Dense):
                found.append((pair.q12, pair.ntk))
    nngp, ntk = (np.array(values) for values in zip(*found, strict=True))
    return Curves(rho, nngp, ntk)


def compute(view: View) -> Panel:
    """Two pictures, and the values at the current correlation."""
    current = float(Fraction(view.rho))
    grid = np.cos(np.linspace(np.pi, 0.0, POINTS))
    grid[[0, -1]] = -1.0, 1.0
    if POINTS % 2:
        grid[POINTS // 2] = 0.0
    found = curves(network_of(view), np.array([*grid, current]))
    rows = tuple(
        (str(d + 1), *(f"{v:.10g}" for v in (nngp[-1], ntk[-1], nngp[-2], ntk[-2])))
        for d, (nngp, ntk) in enumerate(zip(found.nngp, found.ntk, strict=True))
    )
    columns = ("depth", f"NNGP({view.rho})", f"NTK({view.rho})", "NNGP(1)", "NTK(1)")
    return Panel(
        ("float64",),
        notes=(
            f"{network_line(view)}; inputs with ⟨x,x⟩/d = ⟨y,y⟩/d = 1, ⟨x,y⟩/d = ρ.",
            f"Each curve is divided by its value at ρ = 1; the circle is at ρ = {view.rho}.",
        ),
        figures=tuple(
            _figure(name, values, found.rho, shown_depths(view.depth), view)
            for name, values in (("NNGP", found.nngp), ("NTK", found.ntk))
        ),
        tables=(Captioned(f"Kernels at ρ = {view.rho} and at ρ = 1 by depth", Table(columns, rows)),),
    )


def _figure(name: str, values: Array, rho: Array, depths: tuple[int, ...], view: View) -> Figure:
    drawing, axes = figures.canvas("ρ", f"{name}(ρ) / {name}(1)")
    grid, current = rho[:-1], rho[-1]
    axes.axvline(current, color=figures.INK, linewidth=0.8, linestyle=":")
    shown = [d for d in depths if d <= len(values)]
    shown = shown if view.depth in shown else sorted({*shown, view.depth})
    for index, depth in enumerate(shown):
        row = values[depth - 1]
        scale = row[-2] if row[-2] > 0 else 1.0
        here = depth == view.depth
        style = {
            "color": figures.SERIES[index % 6],
            "linestyle": figures.STYLES[index % 6],
            "linewidth": 2.2 if here else 1.3,
        }
        axes.plot(grid, row[:-1] / scale, label=f"depth {depth}", **style)
        if here:
            axes.plot([current], [row[-1] / scale], "o", markersize=7, markerfacecolor="none",
                      markeredgecolor=style["color"], markeredgewidth=2)  # fmt: skip
    axes.set_xlim(-1.03, 1.03)
    figures.legend(axes, loc="upper left")
    at = values[view.depth - 1]
    alt = (
        f"{name} over rho for depths {', '.join(map(str, shown))}; "
        f"at depth {view.depth} {at[-1]:.4g} at rho = {view.rho}, {at[-2]:.4g} at rho = 1."
    )
    return figures.drawn(drawing, f"kernels-{name.lower()}", alt)


SUBJECT = Subject(
    "kernels",
    "Kernels over ρ, by depth",
    "NNGP and NTK as functions of the correlation of two inputs.",
    (*NETWORK, "rho"),
    compute,
)
