"""What the built pages would load from elsewhere: nothing, so that they work without a network."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

LOADED = (
    re.compile(r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>"""),
    re.compile(
        r"""<link\b(?=[^>]*\brel=["']?(?:stylesheet|icon|pre))[^>]*\bhref=["']?(?:https?:)?//[^>]*>"""
    ),
    re.compile(r"""(?:@import\s*|url\(\s*)["']?(?:https?:)?//[^)\s]*"""),
)


def from_elsewhere(text: str) -> list[str]:
    """What HTML or CSS loads from another host; a link to follow is no matter."""
    return [found for shape in LOADED for found in shape.findall(text)]


def check(app: Sphinx, error: Exception | None) -> None:
    """Raises :class:`ValueError` if a page of a finished build is not all there."""
    if error is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css") and (found := from_elsewhere(path.read_text(encoding="utf-8"))):
            raise ValueError(f"{path.relative_to(app.outdir)} loads from elsewhere: {found[0]}")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
