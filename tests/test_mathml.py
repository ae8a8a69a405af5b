"""Formulas of the pages: every one is read whole, and brackets, bars and signs come out as they should."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.pages import DOCS, program

pytest.importorskip("latex2mathml")
pytest.importorskip("sphinx")

CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
DISPLAYED = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<!\\)\$([^$]+?)\$")


MATHML = program("mathml")


def _shape(latex: str, display: str = "inline") -> str:
    """Tags and texts, without attributes."""
    root = ET.fromstring(re.sub(r' xmlns="[^"]*"', "", MATHML.mathml(latex, display)))

    def told(node: ET.Element) -> str:
        inside = "".join(told(child) for child in node) or (node.text or "")
        return f"{inside}" if node.tag == "mrow" else f"<{node.tag} {inside}>"

    return "".join(told(child) for child in root)


@pytest.mark.parametrize(
    "page",
    sorted(p for p in DOCS.rglob("*.md") if {"_build", "atlas", "generated"}.isdisjoint(p.parts)),
    ids=lambda p: str(p.relative_to(DOCS)),
)
def test_every_formula_is_read(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for latex in DISPLAYED.findall(text):
        ET.fromstring(MATHML.mathml(latex, "block"))
    for latex in INLINE.findall(DISPLAYED.sub("", text)):
        ET.fromstring(MATHML.mathml(latex))


@pytest.mark.parametrize(
    ("latex", "display", "shape"),
    [
        (r"\Bigl( x \Bigr)^2", "inline", "<msup <mo (><mi x><mo )><mn 2>>"),
        (r"\lvert x \rvert^2", "inline", "<msup <mo |><mi x><mo |><mn 2>>"),
        (r"\Bigl\lvert x \Bigr\rvert", "inline", "<mo |><mi x><mo |>"),
        (r"\left\lVert x \right\rVert_p", "inline", "<msub <mo \u2016><mi x><mo \u2016><mi p>>"),
        (r"A \succeq B", "inline", "<mi A><mo \u2ab0><mi B>"),
        (r"g \sim N", "inline", "<mi g><mo \u223c><mi N>"),
        (r"\ker S", "inline", "<mi ker><mspace ><mi S>"),
        (r"\log_2 S", "inline", "<msub <mi log><mn 2>><mi S>"),
        (r"\bigl(\sum_i x\bigr)", "block", "<mo (><munder <mo \u2211><mi i>><mi x><mo )>"),
        (r"\bigl(\sum_i x\bigr)", "inline", "<mo (><msub <mo \u2211><mi i>><mi x><mo )>"),
    ],
)
def test_what_the_browser_gets(latex: str, display: str, shape: str) -> None:
    assert _shape(latex, display) == shape


def test_bars_keep_close() -> None:
    bars = re.findall("<mo[^>]*>&#x0007C;</mo>", MATHML.mathml("|r| \\le 1"))
    assert len(bars) == 2
    assert all('lspace="0" rspace="0"' in bar for bar in bars)


@pytest.mark.parametrize("latex", [r"\unknown x", r"a & b"])
def test_saboteur_what_is_not_read_is_an_error(latex: str) -> None:
    with pytest.raises(ValueError, match=r"^LaTeX that the pages cannot show: "):
        MATHML.mathml(latex)


def test_saboteur_a_bracket_without_its_partner() -> None:
    from latex2mathml.exceptions import ExtraLeftOrMissingRightError

    with pytest.raises(ExtraLeftOrMissingRightError):
        MATHML.mathml(r"\Bigl( x")
