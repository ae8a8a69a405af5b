"""Power series of both kernels in the correlation."""

from __future__ import annotations

from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject
from analytic_ntk.explorer.subject import NETWORK, network_line, network_of
from analytic_ntk.explorer.view import View
from analytic_ntk.hermite.decay.compare import log_size
from analytic_ntk.report.data import upper_bound
from analytic_ntk.report.sections import Table, number
from analytic_ntk.series import KernelSeries

ORDER, DIGITS = 16, 15


def compute(view: View) -> Panel:
    """Coefficients of ``rho^k`` with a bound of what is left out."""
    found = network_of(view).series(ORDER, DIGITS)
    rows = tuple(
        (str(k), number(a, DIGITS), number(b, DIGITS))
        for k, (a, b) in enumerate(zip(found.nngp, found.ntk, strict=True))
    )
    tails = [upper_bound(found.tail(name)) for name in ("nngp", "ntk")]
    return Panel(
        ("exact", "certified"),
        notes=(
            f"{network_line(view)}. No coefficient is negative: that is why the kernels are positive.",
            f"For |ρ| ≤ 1 the terms beyond ρ^{ORDER} add up to at most {tails[0]} (NNGP), {tails[1]} (NTK).",
        ),
        figures=(_figure(found, view),),
        tables=(Captioned("Coefficients of ρ^k", Table(("k", "NNGP", "NTK"), rows)),),
    )


def _figure(found: KernelSeries, view: View) -> Figure:
    drawing, axes = figures.canvas("k", "coefficient of ρ^k, log₁₀")
    for values, name, marker, colour in (
        (found.nngp, "NNGP", "o", figures.SERIES[0]),
        (found.ntk, "NTK", "s", figures.SERIES[1]),
    ):
        points = [(k, size) for k, value in enumerate(values) if (size := _log10(value)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker=marker, linestyle="none", markersize=5,
                      color=colour, label=name)  # fmt: skip
    figures.legend(axes)
    return figures.drawn(
        drawing, "series", f"Coefficients of both power series for k up to {ORDER}: {network_line(view)}."
    )


def _log10(value: object) -> float | None:
    import math

    from analytic_ntk.arithmetic.interpret import exact_ball
    from analytic_ntk.arithmetic.precision import working_precision
    from analytic_ntk.enclosure import Enclosure

    if not isinstance(value, Enclosure):
        with working_precision(64):
            value = Enclosure.of(exact_ball(value).real)
    size = log_size(value)
    return None if size is None else size / math.log(10)


SUBJECT = Subject(
    "series",
    "Power series",
    "The kernels as sums of powers of the correlation.",
    NETWORK,
    compute,
)
