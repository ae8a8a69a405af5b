"""The eigenvalues of a kernel on the sphere over their degree, with the predicted decay, as SVG text."""

from __future__ import annotations

import math

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.report import plots
from analytic_ntk.spectrum import DecayLaw, ParityDecay, SphereSpectrum


def decay_plot(spectrum: SphereSpectrum, law: DecayLaw | None = None) -> str:
    """Certified eigenvalues, even and odd degrees apart, on log-log axes; dashed: the predicted decay.

    The prediction knows the exponent, not the constant: each dashed line is put through the last eigenvalue
    of its parity. Degree 0 and eigenvalues that are 0 are not shown. Raises :class:`DomainError` where the
    law is for another sphere or kernel.
    """
    if law is not None and (law.dim, law.kernel) != (spectrum.dim, spectrum.kernel):
        raise DomainError(
            f"the law of the {law.kernel} on S^{law.dim - 1}",
            f"that of the {spectrum.kernel} on S^{spectrum.dim - 1}",
        )
    figure, axes = plots._figure("degree $k$", r"$\log_{10}\,\lambda_k$")
    axes.set_xscale("log")
    logs = spectrum.log10()
    for parity, name, marker in ((0, "even", "o"), (1, "odd", "s")):
        degrees = [k for k in range(1, len(logs)) if k % 2 == parity and np.isfinite(logs[k])]
        if not degrees:
            continue
        (points,) = axes.plot(
            degrees, logs[degrees], linestyle="none", marker=marker, markersize=3.5, label=f"{name} degrees"
        )
        prediction = None if law is None else law.odd if parity else law.even
        if prediction is not None and prediction.kind in ("algebraic", "stretched"):
            low, last = degrees[len(degrees) // 4], degrees[-1]
            places = np.geomspace(low, last, 60)
            values = logs[last] + _fall(prediction, places, last)
            axes.plot(
                places,
                values,
                "--",
                color=points.get_color(),
                linewidth=1.2,
                label=f"{name}: {_label(prediction)}",
            )
    if axes.lines:
        axes.legend(fontsize="small", frameon=False)
    axes.set_title(f"{spectrum.kernel.upper()} on $S^{{{spectrum.dim - 1}}}$", fontsize="medium")
    return plots._svg(figure)


def _fall(law: ParityDecay, places: np.ndarray, last: int) -> np.ndarray:
    """``log10`` of the predicted ratio to the eigenvalue of degree ``last``."""
    rate = float(law.rate or 0)
    if law.kind == "algebraic":
        return -rate * np.log10(places / last)
    return -rate * (places ** (2 / 3) - last ** (2 / 3)) / math.log(10)


def _label(law: ParityDecay) -> str:
    if law.kind == "algebraic":
        return rf"predicted $k^{{-{law.rate}}}$"
    return rf"predicted $\exp(-{float(law.rate or 0):.3g}\,k^{{2/3}})$"
