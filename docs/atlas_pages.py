"""The atlas: a page, a JSON file and pictures for each activation of the catalogue, made by the build.

``python docs/atlas_pages.py`` makes them without building the pages. They are made anew when a source of the
package has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
import sympy as sp
from matplotlib.figure import Figure
from pictures import COLOURS, GREY

import analytic_ntk
from analytic_ntk import Activation, activations
from analytic_ntk.atlas import Article, Entry, entry
from analytic_ntk.atlas.articles import DEEP
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.notation import LATEX_NAMES
from analytic_ntk.report.curves import curves_of
from analytic_ntk.report.data import Formula
from analytic_ntk.report.decay_plot import decay_figure
from analytic_ntk.report.meanfield_plot import edge_curve
from analytic_ntk.report.sections import Table

FOLDER = Path(__file__).resolve().parent / "atlas"
LONG = 3_000
"""LaTeX with more characters is shown as code instead of as a formula."""

HEAD = ("activation", "function", "parity", "closed form", "edge of chaos at q* = 1", "reference")


def page(record: activations.Entry, found: Entry) -> str:
    """The page in MyST."""
    parts = [f"# {record.name}", f"{found.title}: {record.description} ({record.reference})."]
    parts.append(
        f"{{download}}`{record.name}.json <{record.name}.json>`: all of this page, in full precision."
    )
    for article in found.articles:
        parts += [f"({address(record.name, article.key)})=", f"## {article.section.title}", *body(article)]
        picture = FOLDER / f"{record.name}-{article.key}.svg"
        if picture.exists():
            parts.append(f"![{article.section.title} of {found.title}]({picture.name})")
    return "\n\n".join(parts) + "\n"


def address(name: str, key: str) -> str:
    return f"{name.replace('_', '-')}-{key}"


def body(article: Article) -> Iterator[str]:
    """Notes, formulas, table and last line."""
    yield from (escaped(note) for note in article.section.notes)
    if article.latex:
        yield f"$$\n{article.latex}\n$$"
    for formula in article.section.formulas:
        yield escaped(f"{formula.name}: {formula.meaning}.")
        yield displayed(formula)
        if formula.reason:
            yield escaped(formula.reason)
    if article.section.table is not None:
        yield table(article.section.table)
    if article.section.last:
        yield escaped(article.section.last)


def displayed(formula: Formula) -> str:
    latex = sp.latex(formula.expression, symbol_names=LATEX_NAMES)
    if len(latex) > LONG:
        return f"```text\n{formula.expression}\n```"
    return f"$$\n{latex}\n$$"


def table(shown: Table) -> str:
    right = "---:" if shown.numeric else "---"
    lines = [shown.columns, ("---:" if shown.numeric else "---", *([right] * (len(shown.columns) - 1)))]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in [*lines, *shown.rows])


def cell(text: str) -> str:
    return text if set(text) <= set("-:") else escaped(text).replace("\n", " ")


def escaped(text: str) -> str:
    """Plain text that MyST shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~^])", r"\\\1", text)


# ------------------------------------------------------------------------------------ pictures


def pictures(phi: Activation, found: Entry) -> Iterator[tuple[str, Figure]]:
    """The figures of a page by the article they stand in."""
    curves = curves_of(phi, 3, *DEEP)
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    phi.plot(axes)
    yield "properties", figure
    if curves.nngp:
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        for panel, name, drawn in zip(
            figure.subplots(1, 2), ("NNGP", "NTK"), (curves.nngp, curves.ntk), strict=True
        ):
            for index, curve in enumerate(drawn):
                panel.plot(
                    curve.x,
                    curve.y,
                    color=mpl.colormaps["viridis"](0.25 + 0.7 * index / len(drawn)),
                    label=curve.label,
                )
            panel.set(xlabel=r"$\rho$", ylabel=rf"{name}$(\rho)$ / {name}$(1)$")
            panel.legend(fontsize="x-small", frameon=False)
        yield "depth", figure
    if found["decay"].latex:
        yield "decay", decay_figure(phi.hermite_decay(), phi.hermite_table(60, digits=10))
    try:
        edge = edge_curve(phi, points=40)
    except AnalyticNTKError:
        return
    if len(set(edge.x)) > 1:
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(edge.x, edge.y, color=COLOURS[0], label=r"edge of chaos, $q^*$ up to 4")
        axes.set(xlabel="weight variance", ylabel="bias variance", ylim=(0, None))
        axes.legend(fontsize="small", frameon=False)
        yield "edge", figure


def on_any_background(figure: Figure) -> Figure:
    """No background, grey text and axes: legible on light and on dark pages."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.grid(alpha=0.3, color=GREY)
        axes.tick_params(which="both", colors=GREY)
        axes.spines[["top", "right"]].set_visible(False)
        for part in (axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts):
            part.set_color(GREY)
        for spine in axes.spines.values():
            spine.set_color(GREY)
        legend = axes.get_legend()
        for text in legend.get_texts() if legend else ():
            text.set_color(GREY)
    return figure


# ------------------------------------------------------------------------------------ writing


def write(name: str) -> str:
    """Make one entry; returns its row of the index."""
    record = activations.entry(name)
    phi = record.representative()
    found = entry(phi)
    with mpl.rc_context({"svg.hashsalt": "analytic_ntk", "svg.fonttype": "path"}):
        for key, figure in pictures(phi, found):
            on_any_background(figure).savefig(FOLDER / f"{name}-{key}.svg", metadata={"Date": None})
    (FOLDER / f"{name}.json").write_text(
        json.dumps(found.to_json(), indent=1, ensure_ascii=False), encoding="utf-8"
    )
    (FOLDER / f"{name}.row").write_text(row(record, found), encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(page(record, found), encoding="utf-8")
    return name


def row(record: activations.Entry, found: Entry) -> str:
    closed = all(found[key].data.get("closed") for key in ("dual", "derivative-dual"))
    edge = found["edge"].section.table
    values = ", ".join(f"{name[0]} = {brief(value)}" for name, value, _ in edge.rows) if edge else "none"
    cells = (
        f"[{escaped(found.title)}](atlas/{record.name}.md)",
        escaped(record.description),
        found["properties"].data["parity"] or "",
        "yes" if closed else "no",
        escaped(values),
        escaped(record.reference),
    )
    return "| " + " | ".join(cells) + " |"


def brief(value: str) -> str:
    """A formula as it is; the digits of a long decimal cut after eight."""
    return re.sub(r"^(-?\d+\.\d{8})\d+", r"\1...", value)


def write_all(names: Sequence[str] = activations.names()) -> None:
    """Every entry, then the index; nothing where the sources have not changed since."""
    FOLDER.mkdir(exist_ok=True)
    state, now = FOLDER / "sources", digest()
    if not state.exists() or state.read_text() != now:
        for old in FOLDER.iterdir():
            old.unlink()
    missing = [name for name in names if not (FOLDER / f"{name}.md").exists()]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        list(pool.map(write, missing))
    rows = [(FOLDER / f"{name}.row").read_text(encoding="utf-8") for name in names]
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", *rows]
    (FOLDER / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    state.write_text(now)


def digest() -> str:
    """Of everything an entry is made from."""
    root = Path(analytic_ntk.__file__).parent
    total = hashlib.sha256()
    for source in [Path(__file__), *sorted(root.rglob("*.py"))]:
        total.update(source.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    write_all()
