"""Sphinx configuration; build with ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

import analytic_ntk

sys.path.insert(0, str(Path(__file__).resolve().parent))
from atlas_pages import write_all
from floors import write as write_floors
from pictures import draw

# The notebooks run on the package that the pages describe.
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)

project = "analytic_ntk"
author = "the analytic_ntk authors"
copyright = f"2026, {author}"
version = release = analytic_ntk.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 2
nb_execution_mode = "force"
nb_merge_streams = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
exclude_patterns = ["_build", "atlas/table.md", "generated"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_title = "analytic_ntk"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Signs")}
autodoc_default_options = {"members": True, "exclude-members": "eval, fdiff"}  # sympy's own protocol
autodoc_preserve_defaults = True


def formulas_as_literal_blocks(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """The docstrings set formulas off by indentation alone; here each becomes a literal block."""
    fresh: list[str] = []
    inside = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside and fresh and not fresh[-1].strip():
            fresh += ["::", ""]
            inside = True
        elif line.strip() and not indented:
            inside = False
        fresh.append(line)
    lines[:] = fresh


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", formulas_as_literal_blocks)
    app.connect("builder-inited", lambda app: (write_floors(), draw(), write_all()))
