"""Certified digits of both kernels at the current correlation."""

from __future__ import annotations

import json

from analytic_ntk.explorer.panel import Captioned, Download, Panel, Subject
from analytic_ntk.explorer.subject import NETWORK, network_line, network_of
from analytic_ntk.explorer.view import View
from analytic_ntk.report.data import as_json
from analytic_ntk.report.sections import Table, number


def compute(view: View) -> Panel:
    """As many digits as asked for, every one right."""
    values = network_of(view).at(1, view.rho, 1, view.digits)
    pairs = (("NNGP", values.nngp), ("NTK", values.ntk))
    rows = tuple((name, number(value, view.digits)) for name, value in pairs)
    asked = view.texts()
    content = {name: asked[name] for name in (*NETWORK, "rho", "digits")} | {
        "nngp": as_json(values.nngp),
        "ntk": as_json(values.ntk),
    }
    return Panel(
        ("certified",),
        notes=(
            f"{network_line(view)}, at ρ = {view.rho}.",
            "In the file, the number lies within “radius” of “value”.",
        ),
        tables=(Captioned(f"{view.digits} digits", Table(("kernel", "value"), rows, numeric=False)),),
        downloads=(
            Download(
                "digits.json", "application/json", json.dumps(content, indent=1).encode(), "Values as JSON"
            ),
        ),
    )


SUBJECT = Subject(
    "digits",
    "Certified digits",
    "As many digits as you like, every one of them right.",
    (*NETWORK, "rho", "digits"),
    compute,
    waits="Compute the digits",
    seconds=120.0,
)
