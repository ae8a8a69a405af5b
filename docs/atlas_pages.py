"""The atlas: a page, a JSON file and pictures for each activation of the catalogue, made by the build.

``python docs/atlas_pages.py`` makes them without building the pages. They are made anew when a source of the
package has changed.

Addresses are for ever: ``atlas_addresses.txt`` lists them; one that is not on its page is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from html import escape
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import style
import sympy as sp
from atlas_pictures import SHOWN, pictures

import analytic_ntk
from analytic_ntk import activations
from analytic_ntk.atlas import Article, Entry, entry
from analytic_ntk.atlas.references import Reference
from analytic_ntk.explorer.code import numpy_program, sympy_code
from analytic_ntk.notation import LATEX_NAMES
from analytic_ntk.report.sections import Table

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "atlas"
ADDRESSES = DOCS / "atlas_addresses.txt"
LINE = 200
"""A sum whose LaTeX has more characters is broken into lines."""
LONG = 3_000
"""A formula with more is folded away."""

HEAD = ("activation", "function", "parity", "closed form", "edge of chaos at q* = 1", "reference")


def page(record: activations.Entry, found: Entry) -> str:
    """The page in MyST."""
    parts = [f"# {record.name}", escaped(f"{found.title}: {record.description} ({record.reference}).")]
    parts.append(
        f"{{download}}`{record.name}.json <{record.name}.json>`: all of this page, in full precision."
    )
    for article in found.articles:
        here = address(record.name, article.key)
        parts += [f"({here})=", f"## {article.section.title}", *body(article, here, found.title)]
        if (FOLDER / f"{record.name}-{article.key}.svg").exists():
            parts.append(picture(record.name, article, here, found.title))
    return "\n\n".join(parts) + "\n"


def address(name: str, key: str) -> str:
    return f"{name.replace('_', '-')}-{key}"


def addresses(text: str) -> list[str]:
    """What can be cited of a page, in its order."""
    return re.findall(r"^(?:\(|:name: )([a-z0-9-]+)(?:\)=)?$", text, re.MULTILINE)


def body(article: Article, here: str, title: str) -> Iterator[str]:
    """Notes, formulas, table and last line."""
    yield from (escaped(note.removesuffix(f": {article.text}")) for note in article.section.notes)
    if article.latex:
        yield from displayed(f"{here}-formula", article.latex, {"text": article.text})
    for formula in article.section.formulas:
        key = formula.name.lower().replace(" ", "-")
        yield escaped(f"{formula.name}: {formula.meaning}.")
        yield from displayed(
            f"{here}-formula" if here.endswith(f"-{key}") else f"{here}-{key}",
            typeset(formula.expression),
            {"sympy": sympy_code(formula.expression)},
        )
        if formula.reason:
            yield escaped(formula.reason)
    if article.key == "kernels":
        note = article.section.notes[0] if article.section.notes else ""
        program = numpy_program(article.section.formulas, 1, sp.S.One, sp.S.Zero, note)
        yield sources({"numpy, both kernels": program})
    if article.key == "references":
        yield "\n".join(map(publication, article.data["references"]))
    elif article.section.table is not None:
        caption = escaped(f"{article.section.title}, {title}")
        yield f"```{{table}} {caption}\n:name: {here}-table\n\n{table(article.section.table)}\n```"
    if article.section.last:
        yield escaped(article.section.last)


def displayed(here: str, latex: str, others: dict[str, str]) -> Iterator[str]:
    """A formula with its address and its sources to copy; a long one is folded away."""
    if len(latex) > LONG:
        yield f"<details><summary>A formula of {latex.count(chr(10)) - 1} lines</summary>"
    yield f"({here})="
    yield f"$$\n{latex}\n$$"
    if len(latex) > LONG:
        yield "</details>"
    yield sources({"LaTeX": latex} | others, here)


def sources(texts: dict[str, str], here: str = "") -> str:
    """Texts to copy, each folded away, after the address they belong to."""
    lines = [f'<a href="#{here}">{here}</a>'] if here else []
    for name, text in texts.items():
        if text:
            shown = escape(text, quote=False).replace("\n", "&#10;")  # a blank line would end the HTML
            lines.append(f"<details><summary>{name}</summary><pre>{shown}</pre></details>")
    return "\n".join(['<div class="source">', *lines, "</div>"]) if lines else ""


def typeset(expression: sp.Expr) -> str:
    """LaTeX, a long sum with a few terms to the line."""
    whole = latex_of(expression)
    terms = [latex_of(term) for term in sp.expand_mul(expression, deep=False).as_ordered_terms()]
    if len(whole) <= LINE or len(terms) == 1:
        return whole
    lines = [terms[0]]
    for term in terms[1:]:
        signed = term if term.startswith("-") else f"+ {term}"
        if len(lines[-1]) + len(signed) <= LINE:
            lines[-1] += f" {signed}"
        else:
            lines.append(f"{{}} {signed}")
    return "\\begin{aligned}\n" + " \\\\\n".join(f"& {line}" for line in lines) + "\n\\end{aligned}"


def latex_of(expression: sp.Expr) -> str:
    return str(sp.latex(expression, symbol_names=LATEX_NAMES, inv_trig_style="full"))


def publication(item: dict[str, Any]) -> str:
    """A line of the references, with links."""
    cited = {name: value for name, value in item.items() if name != "for"}
    reference, uses = Reference(**cited), item["for"]
    text = escaped(str(reference))
    for shown, target in reference.links:
        text = text.replace(escaped(shown), f"[{escaped(shown)}]({target})")
    return f"* {text} (for: {', '.join(uses)})"


def picture(name: str, article: Article, here: str, title: str) -> str:
    return "\n".join(
        [
            f"```{{figure}} {name}-{article.key}.svg",
            f":name: {here}-picture",
            f":alt: {SHOWN[article.key].format(title)}",
            f"{escaped(SHOWN[article.key].format(title))}.",
            "```",
        ]
    )


def table(shown: Table) -> str:
    right = "---:" if shown.numeric else "---"
    lines = [shown.columns, ("---:" if shown.numeric else "---", *([right] * (len(shown.columns) - 1)))]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in [*lines, *shown.rows])


def cell(text: str) -> str:
    return text if set(text) <= set("-:") else escaped(text).replace("\n", " ")


def escaped(text: str) -> str:
    """Plain text that MyST shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~^])", r"\\\1", text)


# ------------------------------------------------------------------------------------ writing


def write(name: str) -> str:
    """Make one entry; returns its name."""
    record = activations.entry(name)
    phi = record.representative()
    found = entry(phi)
    for key, draw in pictures(phi, found):
        style.save(FOLDER / f"{name}-{key}.svg", draw)
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


def write_all(run: Callable[..., Iterable[str]] = map) -> None:
    """Every entry, then the index; nothing where the sources have not changed. ``run``: as in ``draw``."""
    names = activations.names()
    FOLDER.mkdir(exist_ok=True)
    state, now = FOLDER / "sources", digest()
    if not state.exists() or state.read_text() != now:
        for old in FOLDER.iterdir():
            old.unlink()
    missing = [name for name in names if not (FOLDER / f"{name}.md").exists()]
    list(run(write, missing))
    rows = [(FOLDER / f"{name}.row").read_text(encoding="utf-8") for name in names]
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", *rows]
    (FOLDER / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    check_addresses((FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in names)
    state.write_text(now)


def check_addresses(pages: Iterable[str], listed: Sequence[str] | None = None) -> None:
    """Raises :class:`ValueError` where an address is there twice, has vanished, or is not listed yet."""
    promised = ADDRESSES.read_text().split() if listed is None else listed
    found = [address for text in pages for address in addresses(text)]
    twice = {address for address in found if found.count(address) > 1}
    lost, fresh = set(promised) - set(found), set(found) - set(promised)
    for problem, those in (("there twice", twice), ("vanished", lost), ("not in atlas_addresses.txt", fresh)):
        if those:
            raise ValueError(f"addresses {problem}: {' '.join(sorted(those))}")


def digest() -> str:
    """Of everything an entry is made from."""
    root = Path(analytic_ntk.__file__).parent
    total = hashlib.sha256()
    own = (DOCS / name for name in ("atlas_pages.py", "atlas_pictures.py", "style.py", "figures.mplstyle"))
    for source in [*own, *sorted(root.rglob("*.py"))]:
        total.update(source.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        write_all(pool.map)
