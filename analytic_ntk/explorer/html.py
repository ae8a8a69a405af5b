"""A panel as HTML. Every text is escaped; formulas become MathML, which browsers lay out themselves."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from html import escape

from analytic_ntk.explorer.panel import KINDS, Captioned, Download, Figure, Panel, Typeset

MATHML = frozenset(
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot msup msub msubsup mover munder munderover mtable mtr "
    "mtd mstyle mpadded mphantom menclose mfenced".split()
)
LONG = 6_000
"""LaTeX with more characters is shown as text."""


def panel_html(panel: Panel) -> str:
    """What stands below the title of a panel.

    >>> panel_html(Panel((), "a < b"))
    '<p class="kinds"></p><p class="headline">a &lt; b</p>'
    """
    badges = [f'<span class="kind" title="{escape(KINDS[kind])}">{kind}</span>' for kind in panel.kinds]
    parts = [f'<p class="kinds">{" ".join(badges)}</p>']
    if panel.headline:
        parts.append(f'<p class="headline">{escape(panel.headline)}</p>')
    parts += [figure_html(figure) for figure in panel.figures]
    parts += [_formula(formula) for formula in panel.formulas]
    parts += [_table(table) for table in panel.tables]
    parts += [f'<p class="note">{escape(note)}</p>' for note in panel.notes]
    if panel.downloads:
        parts.append(f'<p class="actions">{" ".join(map(_download, panel.downloads))}</p>')
    return "".join(parts)


def figure_html(figure: Figure) -> str:
    """The picture inline, so that its colours follow the page."""
    named = figure.svg.replace("<svg", f'<svg role="img" aria-label="{escape(figure.alt)}"', 1)
    return f'<figure class="picture">{named}</figure>'


def _formula(formula: Typeset) -> str:
    texts = (("LaTeX", formula.latex), ("sympy", formula.sympy), ("numpy", formula.numpy))
    buttons = "".join(
        f'<button type="button" class="copy" data-copy="{escape(text)}" '
        f'aria-label="Copy {escape(formula.name)} as {name}">{name}</button>'
        for name, text in texts
        if text
    )
    heading = f"<b>{escape(formula.name)}</b> <span>{escape(formula.meaning)}</span>"
    return (
        f'<div class="formula"><div class="about"><span>{heading}</span>'
        f'<span class="copies"><span class="hint">copy</span>{buttons}</span></div>'
        f'<div class="math" tabindex="0" role="group" aria-label="{escape(formula.name)}">'
        f"{mathml(formula.latex)}</div></div>"
    )


@lru_cache(maxsize=512)
def mathml(latex: str) -> str:
    """LaTeX as MathML; as text where it is too long or cannot be read."""
    from latex2mathml.converter import convert

    if len(latex) > LONG:
        return f"<pre>{escape(latex)}</pre>"
    found = str(convert(latex, display="block"))
    return found if _is_mathml(found) else f"<pre>{escape(latex)}</pre>"


def _is_mathml(text: str) -> bool:
    """Whether the converter gave formulas and nothing else: it does not escape everything it is given."""
    try:
        elements = list(ElementTree.fromstring(text).iter())
    except ElementTree.ParseError:
        return False
    names = {element.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}") for element in elements}
    attributes = {name for element in elements for name in element.attrib}
    return names <= MATHML and not any(name.startswith("on") or "href" in name for name in attributes)


def _table(captioned: Captioned) -> str:
    table = captioned.table
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.columns)
    top = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    rows = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{_cell(cell)}</th>' if i == 0 else f"<td>{_cell(cell)}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    kind = "numeric" if table.numeric else "words"
    caption = escape(captioned.caption)
    return (
        f'<div class="table"><p class="caption" aria-hidden="true">{caption}</p>'
        f'<div class="scroll" tabindex="0" role="group" aria-label="{caption}">'
        f'<table class="{kind}">{top}<tbody>{rows}</tbody></table></div></div>'
    )


def _cell(text: str) -> str:
    """A long row of digits may be broken after every ten; copied, it is whole."""
    return re.sub(r"(\d{10})(?=\d{4})", r"\1<wbr>", escape(text)) if len(text) > 30 else escape(text)


def _download(file: Download) -> str:
    data = base64.b64encode(file.content).decode()
    return (
        f'<a class="button" download="{escape(file.name)}" '
        f'href="data:{escape(file.media_type)};base64,{data}">{escape(file.label)} '
        f'<span class="hint">{escape(file.name)}</span></a>'
    )
