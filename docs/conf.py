"""Sphinx configuration; build with ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from docutils.nodes import Element, Node, TextElement, container, document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

import analytic_ntk

sys.path.insert(0, str(Path(__file__).resolve().parent))
from atlas_pages import write_all
from floors import write as write_floors
from pictures import draw
from standing import write as write_standings
from style import FILE as STYLE

# The notebooks run on the package that the pages describe, and draw as the pages do.
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
os.environ["MATPLOTLIBRC"] = str(STYLE)

project = "analytic_ntk"
author = "the analytic_ntk authors"
copyright = f"2026, {author}"
version = release = analytic_ntk.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml", "local"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 2
nb_execution_mode = "force"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # formulas and tables in what cells show
nb_execution_timeout = 300
nb_execution_raise_on_error = True
exclude_patterns = ["_build", "atlas/table.md", "generated"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_title = "analytic_ntk"

# For a reader with a network: python -m sphinx -b linkcheck docs docs/_build/links
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_workers = 2
linkcheck_allowed_redirects = {r"https://doi\.org/.*": r"https://.*"}

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


def linked(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: TextElement) -> Node | None:
    """Docstrings name things as their module does, ``DomainError``: the one documented under that name."""
    if node.get("refdomain") != "py":
        return None
    name, known = node["reftarget"], env.domains.python_domain.objects
    found = [full for full, one in known.items() if full.endswith(f".{name}") and not one.aliased]
    if len(found) != 1:
        return None
    target = known[found[0]]
    return make_refnode(app.builder, node["refdoc"], target.docname, target.node_id, shown, found[0])


def one_address_each(app: Sphinx, tree: document, name: str) -> None:
    """The theme puts tables and formulas in boxes that bear their addresses a second time."""
    for box in tree.findall(container):
        if any(
            set(inner.get("ids", ())) & set(box["ids"])
            for inner in box.children
            if isinstance(inner, Element)
        ):
            box["ids"] = []


def made(app: Sphinx) -> None:
    """What the pages include: tables, pictures, the atlas."""
    write_floors()
    write_standings()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        drawn = draw(pool.map)
        write_all(pool.map)
        list(drawn)


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", formulas_as_literal_blocks)
    app.connect("builder-inited", made)
    app.connect("missing-reference", linked)
    app.connect("doctree-resolved", one_address_each)
