"""The looks of the page and of what it exports, and the script of the copy buttons: files beside this."""

from __future__ import annotations

from importlib.resources import files

_HERE = files("analytic_ntk.explorer")

STYLE = (_HERE / "explorer.css").read_text(encoding="utf-8")
"""For the page and for what it exports; light and dark as the system has it."""
PAGE_STYLE = (_HERE / "page.css").read_text(encoding="utf-8")
"""For the fields, which only the page has."""
SCRIPT = (_HERE / "explorer.js").read_text(encoding="utf-8")
"""A click on what has ``data-copy`` copies it."""
