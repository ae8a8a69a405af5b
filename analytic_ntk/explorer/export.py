"""A view and its panels as one page that needs nothing else: no server, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from analytic_ntk import __version__
from analytic_ntk.explorer.html import panel_html
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.style import SCRIPT, STYLE
from analytic_ntk.explorer.view import View

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
LABELS = {
    "activation": "Activation φ",
    "depth": "Depth (hidden layers)",
    "weight_variance": "Weight variance",
    "bias_variance": "Bias variance",
    "rho": "Correlation ρ of the inputs",
    "dim": "Dimension of the inputs",
    "domain": "Points",
    "digits": "Digits",
    "width": "Width of the finite networks",
    "conjecture": "Conjecture",
}
"""The values of a view by the names that a reader sees."""


def page(view: View, subjects: Sequence[Subject], panels: Mapping[str, Panel | str]) -> str:
    """The page. ``panels`` has, by name, each panel or why there is none; those not named are left out."""
    cards = "\n".join(_card(subject, panels[subject.name]) for subject in subjects if subject.name in panels)
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(view.texts()[name])}</td></tr>'
        for name, label in LABELS.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(view.activation)}: kernels of infinitely wide networks</title>
<style>{STYLE}</style>
</head>
<body>
<main class="explorer">
<h1>{escape(view.activation)}: kernels of infinitely wide networks</h1>
<p class="lead">Written by analytic_ntk {escape(__version__)}. To see it again and to change it:</p>
<p style="overflow-wrap: anywhere"><code>analytic-ntk explore --view "{escape(view.query())}"</code></p>
<section class="card" aria-label="The view"><table class="words"><tbody>{rows}</tbody></table></section>
<p id="copied" class="visually-hidden" role="status"></p>
<div class="panels" style="margin-top:1rem">
{cards}
</div>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def data(view: View, panels: Mapping[str, Panel | str]) -> dict[str, Any]:
    """The same as plain data; pictures by their descriptions.

    >>> data(View(panels=("digits",)), {"digits": "not computed"})["panels"]
    {'digits': {'missing': 'not computed'}}
    """
    found: dict[str, Any] = {}
    for name, panel in panels.items():
        if isinstance(panel, str):
            found[name] = {"missing": panel}
        else:
            found[name] = asdict(panel) | {
                "figures": [figure.alt for figure in panel.figures],
                "downloads": {file.name: file.content.decode() for file in panel.downloads},
            }
    return {"view": view.texts(), "panels": found}


def _card(subject: Subject, panel: Panel | str) -> str:
    body = f'<p class="note">{escape(panel)}</p>' if isinstance(panel, str) else panel_html(panel)
    title = f"title-{subject.name}"
    return (
        f'<section class="card" id="{subject.name}" aria-labelledby="{title}"><h2 id="{title}">'
        f'{escape(subject.title)}</h2><p class="about-panel">{escape(subject.about)}</p>{body}</section>'
    )
