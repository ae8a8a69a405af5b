"""Eigenvalues of both kernels on the sphere."""

from __future__ import annotations

import math

import numpy as np

from analytic_ntk.explorer import figures
from analytic_ntk.explorer.panel import Captioned, Figure, Panel, Subject
from analytic_ntk.explorer.subject import NETWORK, kind_of, network_line, network_of, shown
from analytic_ntk.explorer.view import View
from analytic_ntk.report.sections import Table
from analytic_ntk.spectrum import SphereSpectrum, decay, sphere

DEGREE, DIGITS = 12, 12


def compute(view: View) -> Panel:
    """Both spectra, and the predicted decay."""
    network = network_of(view)
    found = {name: sphere(network, view.dim, DEGREE, name, DIGITS) for name in ("nngp", "ntk")}
    laws = [(name, decay(network, view.dim, name)) for name in found]
    rows = tuple(
        (str(k), _count(count), shown(a, DIGITS), shown(b, DIGITS), kind_of(b))
        for k, (count, a, b) in enumerate(
            zip(found["ntk"].multiplicities, found["nngp"].eigenvalues, found["ntk"].eigenvalues, strict=True)
        )
    )
    falls = tuple((name.upper(), f"{law.even}", f"{law.odd}") for name, law in laws)
    return Panel(
        ("exact", "certified", "predicted"),
        notes=(
            f"{network_line(view)}; inputs on the sphere in R^{view.dim}, uniform measure.",
            "A zero is proved. The eigenvalue of degree k belongs to all harmonics of that degree.",
        ),
        figures=(_figure(found, view),),
        tables=(
            Captioned(
                "Predicted decay, no bound",
                Table(("kernel", "even degrees", "odd degrees"), falls, numeric=False),
            ),
            Captioned(
                f"Eigenvalues to degree {DEGREE}",
                Table(("degree", "multiplicity", "NNGP", "NTK", "kind"), rows),
            ),
        ),
    )


def _figure(found: dict[str, SphereSpectrum], view: View) -> Figure:
    drawing, axes = figures.canvas("degree k", "eigenvalue, log₁₀")
    for (name, spectrum), marker, colour in zip(found.items(), "os", figures.SERIES, strict=False):
        logs = spectrum.log10()
        degrees = np.flatnonzero(np.isfinite(logs))
        axes.plot(degrees, logs[degrees], marker=marker, linestyle="none", markersize=5.5, color=colour,
                  label=name.upper())  # fmt: skip
    axes.set_xlim(-0.5, DEGREE + 0.5)
    figures.legend(axes)
    alt = f"Eigenvalues on the sphere in R^{view.dim} by degree up to {DEGREE}: {network_line(view)}."
    return figures.drawn(drawing, "spectrum", alt)


def _count(multiplicity: int) -> str:
    return str(multiplicity) if multiplicity < 10**9 else f"10^{math.log10(multiplicity):.2f}"


SUBJECT = Subject(
    "spectrum",
    "Spectrum on the sphere",
    "How fast each degree is learned.",
    (*NETWORK, "dim"),
    compute,
    seconds=90.0,
)
