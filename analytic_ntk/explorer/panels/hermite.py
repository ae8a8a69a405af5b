"""Hermite coefficients as bars, and the law by which they fall."""

from __future__ import annotations

import math

from analytic_ntk.activation import Activation
from analytic_ntk.errors import NoClosedFormError
from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject, Typeset
from analytic_ntk.explorer.subject import activation_of
from analytic_ntk.explorer.view import View
from analytic_ntk.hermite import DecayLaw, HermiteTable
from analytic_ntk.hermite.decay import ParityLaw
from analytic_ntk.hermite.decay.compare import log_size
from analytic_ntk.report.sections import Table, number, sum_line

ORDER, DIGITS, ROWS, LOWEST = 32, 20, 16, -30.0


def compute(view: View) -> Panel:
    """Coefficients at variance 1, their formula in ``n`` where there is one, and the predicted law."""
    phi = activation_of(view.activation)
    table, law = phi.hermite_table(ORDER, DIGITS), phi.hermite_decay()
    rows = tuple((str(r.n), number(r.value, DIGITS), r.kind) for r in table.rows[:ROWS])
    laws = [("even\u00a0n", law.even.sentence), ("odd\u00a0n", law.odd.sentence)]
    if law.even.formula == law.odd.formula:
        laws = [("all\u00a0n", law.even.sentence)]
    return Panel(
        ("exact", "certified", "predicted"),
        notes=(
            "aₙ = E φ(Z) Heₙ(Z) / √n!, Z standard normal. The coefficients are exact or certified, the law "
            "is predicted, for large n.",
            f"{sum_line(table)}.",
        ),
        figures=(_figure(phi, table, law),),
        formulas=_formula(phi),
        tables=(
            Captioned("Law of decay, predicted", Table(("for", "law"), tuple(laws), numeric=False)),
            Captioned(f"Coefficients a_0 to a_{ROWS - 1}", Table(("n", "a_n", "kind"), rows)),
        ),
    )


def _formula(phi: Activation) -> tuple[Typeset, ...]:
    try:
        found = phi.hermite_formula()
    except NoClosedFormError:
        return ()
    return (Typeset("aₙ", "for every n, proved by its recurrence", found.latex()),)


def _figure(phi: Activation, table: HermiteTable, law: DecayLaw) -> Figure:
    drawing, axes = figures.canvas("n", "log₁₀ |aₙ|")
    sizes = [(row.n, size / math.log(10)) for row in table.rows if (size := log_size(row.value)) is not None]
    floor = max(LOWEST, min((size for _, size in sizes), default=-1.0)) - 0.5
    for name, odd, colour in (("even n", 0, figures.SERIES[0]), ("odd n", 1, figures.SERIES[1])):
        bars = [(n, size - floor) for n, size in sizes if n % 2 == odd and size > floor]
        if bars:
            hatch = "" if odd == 0 else "///"
            axes.bar([n for n, _ in bars], [h for _, h in bars], 0.72, floor, label=name, color=colour,
                     alpha=0.85, hatch=hatch, edgecolor=figures.PAPER, linewidth=0)  # fmt: skip
    for name, part, marker in (("law, even n", law.even, "o"), ("law, odd n", law.odd, "s")):
        points = [(n, height) for n, height in heights(part) if height > floor]
        if points:
            axes.plot(*zip(*points, strict=True), marker=marker, markersize=3.5, linewidth=0.9,
                      color=figures.INK, linestyle="--" if part.odd else "-", label=name)  # fmt: skip
    axes.set_xlim(-0.8, ORDER + 0.8)
    axes.set_ylim(bottom=floor)
    figures.legend(axes)
    alt = f"Sizes of the Hermite coefficients of {phi} for n up to {ORDER}. {law.sentence}"
    return figures.drawn(drawing, "hermite", alt)


def heights(part: ParityLaw) -> list[tuple[int, float]]:
    """The law of one parity as points ``n, log10 |a_n|``; none where its constant is not known."""
    if not part.waves:
        return []
    first = max(part.start, 1)
    orders = range(first + (first - part.odd) % 2, ORDER + 1, 2)
    points = [(n, part.log_envelope(n) / math.log(10)) for n in orders]
    return [(n, height) for n, height in points if math.isfinite(height)]


SUBJECT = Subject(
    "hermite",
    "Hermite coefficients",
    "What the activation is made of, degree by degree.",
    ("activation",),
    compute,
)
