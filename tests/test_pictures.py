"""Pictures of the pages: legible on light and dark, apart for the colour-blind, each told in words."""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from analytic_ntk import activations, atlas

DOCS = Path(__file__).resolve().parent.parent / "docs"
LIGHT, DARK = "#ffffff", "#131416"
"""The backgrounds of the pages."""

SIGHT = (
    np.eye(3),
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
)
"""Linear RGB as seen by all, protanopes, deuteranopes, tritanopes (Machado, Oliveira, Fernandes 2009)."""


def linear(colour: str) -> np.ndarray:
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it: from 1 to 21; 3 is asked of graphics and large letters."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Coordinates in which distances are those of the eye (Ottosson 2020)."""
    cones = np.cbrt(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
        @ np.clip(rgb, 0, 1)
    )
    return (
        np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        )
        @ cones
    )


def apart(colours: tuple[str, ...]) -> float:
    """The least distance of two of them, by whoever sees them."""
    return min(
        float(np.linalg.norm(oklab(np.array(seen) @ linear(a)) - oklab(np.array(seen) @ linear(b))))
        for seen in SIGHT
        for a, b in combinations(colours, 2)
    )


@pytest.fixture
def style(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    module: ModuleType = pytest.importorskip("style")
    return module


def test_colours_are_legible_on_both_backgrounds_and_apart(style: ModuleType) -> None:
    for background in (LIGHT, DARK):
        assert contrast(style.GREY, background) > 4.2  # the most that one grey can have on both is 4.3
        assert all(contrast(colour, background) > 3 for colour in style.COLOURS)
    assert apart(style.COLOURS) > 0.1


def test_saboteur_colours_that_some_cannot_see_or_tell_apart() -> None:
    assert contrast("#440154", DARK) < 1.5  # the dark end of viridis
    assert apart(("#e07b39", "#3fa45b")) < 0.06  # orange and green


def test_the_pictures_of_a_page_are_in_the_style_and_say_what_is_on_their_axes(style: ModuleType) -> None:
    made = pytest.importorskip("atlas_pictures")
    phi = activations.erf
    shown = dict(made.pictures(phi, atlas.entry(phi)))
    assert set(shown) == set(made.SHOWN)
    with mpl.rc_context(style._STYLE):
        for key, draw in shown.items():
            figure = draw()
            assert figure.get_facecolor()[3] == 0, key
            for axes in figure.axes:
                assert axes.get_facecolor()[3] == 0 and axes.get_xlabel(), key
                assert axes.get_ylabel() or key == "properties"
                texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_legend().get_texts()]
                texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
                assert {mpl.colors.to_hex(text.get_color()) for text in texts} == {style.GREY}, key
                lines = {(mpl.colors.to_hex(line.get_color()), line.get_linestyle()) for line in axes.lines}
                assert len(lines) == len(axes.lines), key
                assert {colour for colour, _ in lines} <= set(style.COLOURS), key


def wordless(text: str) -> list[str]:
    """Pictures without words for who does not see them."""
    bare = [found for found, alt in re.findall(r"(!\[([^\]]*)\]\([^)]*\))", text) if len(alt) < 20]
    for options in re.findall(r"^`{3,}\{(?:figure|image)\}[^\n]*\n((?::[^\n]*\n)*)", text, re.MULTILINE):
        if not re.search(r":alt: .{20}", options):
            bare.append(f"a figure: {options}")
    for cell in re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if "plt." in cell and not re.search(r'\A---\nmystnb:\n  image:\n    alt: ".{20}', cell):
            bare.append(cell)
    return bare


def test_every_picture_of_the_pages_has_words() -> None:
    pages = [p for p in DOCS.rglob("*.md") if {"_build", "atlas", "generated"}.isdisjoint(p.parts)]
    bare = {page.name: wordless(page.read_text(encoding="utf-8")) for page in pages}
    assert {name: found for name, found in bare.items() if found} == {}


@pytest.mark.parametrize(
    "text",
    [
        "![](generated/a.svg)",
        "![bounds](generated/a.svg)",
        "```{figure} a.svg\n:name: a\nCaption\n```\n",
        "```{code-cell} ipython3\nplt.plot([1])\n```\n",
    ],
)
def test_saboteur_pictures_without_words(text: str) -> None:
    assert len(wordless(text)) == 1


@pytest.mark.slow
def test_pictures_are_drawn_and_repeat(style: ModuleType, tmp_path: Path) -> None:
    drawn = pytest.importorskip("pictures").draw
    first, again = (list(drawn(folder=tmp_path / name)) for name in ("one", "two"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]


@pytest.mark.slow
def test_a_legend_shows_the_slopes_that_are_proved(style: ModuleType) -> None:
    figure = pytest.importorskip("paper_pictures").near_polynomials()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label.split()[-1] for label in labels] == ["1.00", "1.00", "2.00"]
