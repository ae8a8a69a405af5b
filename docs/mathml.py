"""Formulas of the pages as MathML: browsers lay it out themselves, screen readers read it, nothing is loaded.

A formula that the converter cannot read is an error of the build.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

KNOWN = {"{aligned}": "{split}", "{gathered}": "{matrix}", r"\arg": r"\operatorname{arg}"}
"""What the converter does not know by its usual name."""
LINES = '<mtable displaystyle="true" rowspacing="3pt">'
SIDES = {"l": r"\left", "r": r"\right"}
SIZED = re.compile(r"\\[Bb]igg?([lr])(?![a-zA-Z])")
BARS = re.compile(r"(?<!\\left)(?<!\\right)\\([lr])([vV]ert)(?![a-zA-Z])")
"""Brackets of a given size and bars, which the converter neither pairs nor raises an exponent of."""
LIMITS = re.compile(r"\\(sum|prod|bigcup|max|min|sup)(?=_)")
"""Whose index stands below in a displayed formula, between brackets too."""
RELATION = re.compile("<mi>(&#x0(?:2AB0|2AAF|27FA|27F9|007E|27C2|00B1);)</mi>")
"""Signs that it takes for names, without space around."""
BAR = '<mo stretchy="false">&#x0007C;</mo>'
"""Taken for a sign between two things: with space on both sides."""
NAME = re.compile(
    r"(?<!<msub>)(?<!<msup>)(?<!<msubsup>)(<mi>(?:cos|cosh|dim|exp|ker|log|sin|sinh|tan|tanh)</mi>)"
    r"(?=<m(?:i|n|row|sub|sup|subsup|frac|sqrt|fenced)\b)"
)
"""Names of functions followed by what they are taken of."""
UNREAD = re.compile(r'<m[io][^>]*>(?:&|\\[^<]+)</m[io]>|linebreak="newline"')
"""What the converter passes on unread: an ampersand, a command, a new line that browsers do not break."""


def mathml(latex: str, display: str = "inline") -> str:
    """Raises :class:`ValueError` for LaTeX that the converter does not know."""
    known = re.sub(r"\{aligned\}|\{gathered\}|\\arg(?![a-zA-Z])", lambda found: KNOWN[found[0]], latex)
    known = SIZED.sub(lambda found: SIDES[found[1]], known)
    known = BARS.sub(lambda found: rf"{SIDES[found[1]]}\{found[1]}{found[2]}", known)
    if display == "block":
        known = LIMITS.sub(r"\\\1\\limits", known)
    found = RELATION.sub(r"<mo>\1</mo>", str(convert(known, display=display))).replace("x0007E;", "x0223C;")
    found = NAME.sub(r'\1<mspace width="0.167em"/>', found)
    found = found.replace(BAR, BAR.replace("<mo", '<mo lspace="0" rspace="0"'))
    if r"\begin{gathered}" in latex:
        found = found.replace("<mtable>", LINES, 1)
    if unread := UNREAD.search(found):
        raise ValueError(f"LaTeX that the pages cannot show: {unread[0]} in {latex}")
    return found


def visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_displayed(writer: Any, node: nodes.math_block) -> None:
    opening = writer.starttag(node, "div", "", CLASS="formula")
    writer.body.append(f"{opening}{mathml(node.astext(), 'block')}</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
