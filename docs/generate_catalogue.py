"""Measure the catalogue and write ``docs/catalogue.md``.

Run ``python docs/generate_catalogue.py`` from the root (about a quarter of an hour on two cores); names as
arguments restrict it to some activations and print instead of writing. For every activation: whether its dual
has a closed form, and which; the error of float64 Gram matrices against certified values, by stratum of
``1 - |rho|``; the time of a certified value of 30 digits at depth 3.
"""

from __future__ import annotations

import os
import platform
import sys
import textwrap
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import flint
import numpy as np
import sympy as sp

import analytic_ntk
from analytic_ntk import Activation, Network, activations
from analytic_ntk.errors import AnalyticNTKError, DomainError, PrecisionError
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.systems import exact

DEPTH, WEIGHT, BIAS = 3, 1, "1/10"
NORMS = (1e-3, 1.0, 1e3)
STRATA = (
    (0.5, "0.5"),
    (1e-2, "1e-2"),
    (1e-5, "1e-5"),
    (1e-8, "1e-8"),
    (1e-12, "1e-12"),
    (1e-15, "1e-15"),
    (0.0, "0"),
)
"""``1 - |rho|`` of the pairs, and how the column is headed; the last are duplicates and antipodes."""
NUDGE = sp.Rational(1, 10**6)
LONGEST = 160

ACCURACY = """The columns headed by numbers are strata of `1 - |rho|` (0: duplicates and antipodes).
They show the largest error of float64 over both kernels, relative to `sqrt(K(x,x) K(y,y))`, against
certified values at the very same binary inputs. *Condition* is the largest relative change of a
kernel over the relative change of the input, or of the weight variance, that made it: a network
that amplifies differences (chaotic, or of high degree) amplifies rounding as much, whatever the
arithmetic. *30 digits* is the time of one certified value, the first of its activation. `*`: at
some norms the kernel or one of its moments is infinite or overflows float64, and an error is
raised. `+`: at some pairs float64 quadrature did not settle, and an error is raised. The entry is
about the rest."""

FORMULAS = """The dual for `(u, v)` Gaussian with variances `q11`, `q22` and covariance `q12`, as
derived. `Phi` and `Phi2` are the normal distribution functions of one and of two variables;
`Angle(q11, q22, q12)` is `acos(q12/sqrt(q11 q22))`, `ConditionalPhi(h, k, r)` is `Phi((k - r
h)/sqrt(1 - r^2))` and `Ridge(h, k, r)` is `exp(-(h^2 - 2 r h k + k^2)/(2 (1 - r^2)))`: atoms that
stay finite at `rho = +-1`. `RealPart` is what it says."""


@dataclass(frozen=True)
class Line:
    """What is measured of one activation."""

    name: str
    phi: Activation
    closed: bool
    formula: str
    errors: tuple[str, ...]
    condition: str
    seconds: str


def inputs(norm: float) -> tuple[np.ndarray, np.ndarray]:
    """One input followed by its partners, ``(1 + n, 2)``, and the stratum of each partner, ``(n,)``."""
    x = np.sqrt(2 * norm) * np.array([0.6, 0.8])
    rows, stratum = [x], []
    for index, (defect, _) in enumerate(STRATA):
        angle = 2 * np.arcsin(np.sqrt(defect / 2))
        turned = np.cos(angle) * x + np.sin(angle) * np.array([-x[1], x[0]])
        for sign in (1, -1) if norm == 1 else (1,):
            rows.append(sign * (turned if defect else x))
            stratum.append(index)
    return np.array(rows), np.array(stratum)


def measure_errors(phi: Activation) -> tuple[tuple[str, ...], str]:
    """Largest error per stratum relative to sqrt(K(x,x) K(y,y)), and the condition number."""
    network, nearby = (Network.mlp(phi, DEPTH, w, BIAS) for w in (WEIGHT, sp.Rational(WEIGHT) + NUDGE))
    worst = np.full(len(STRATA), -1.0)
    condition, refused = 0.0, ""
    rng = np.random.default_rng(0)
    for norm in NORMS:
        rows, stratum = inputs(norm)
        moved = rows * (1 + float(NUDGE) * rng.standard_normal(rows.shape))
        try:
            found = np.array(network.gram(rows, kernel="both"))
            others = [np.array(n.gram(r, kernel="both")) for n, r in ((network, moved), (nearby, rows))]
        except (DomainError, PrecisionError) as error:
            mark = "*" if isinstance(error, DomainError) else "+"
            refused += "" if mark in refused else mark
            continue
        own = np.sqrt(np.diagonal(found, axis1=1, axis2=2))
        scale = own[:, :1] * own
        unit = np.where(scale > 0, scale, 1.0)
        change = max((np.abs(other[:, 0] - found[:, 0]) / unit).max() for other in others)
        condition = max(condition, float(change / float(NUDGE)))
        for index, row, values, size in zip(
            stratum, rows[1:], found[:, 0, 1:].T, scale[:, 1:].T, strict=True
        ):
            certified = network.certified(exactly(rows[0]), exactly(row), digits=18)
            for value, truth, own_scale in zip(values, (certified.nngp, certified.ntk), size, strict=True):
                error = float(abs(Fraction(float(value)) - truth.midpoint)) / (own_scale or 1.0)
                worst[index] = max(worst[index], error)
    return tuple(("-" if w < 0 else f"{w:.0e}") + refused for w in worst), f"{condition:.2g}"


def exactly(row: np.ndarray) -> list[sp.Expr]:
    return [analytic_ntk.exactly(float(v)) for v in row]


def certified_seconds(phi: Activation) -> str:
    network = Network.mlp(phi, DEPTH, WEIGHT, BIAS)
    start = time.perf_counter()
    try:
        network.at("1", "3/10", "1", digits=30)
    except AnalyticNTKError as error:
        return type(error).__name__
    return f"{time.perf_counter() - start:.2f} s"


def measure(name: str, phi: Activation) -> Line:
    seconds = certified_seconds(phi)
    dual, slope = (exact.dual(p).expression for p in (phi.pieces, phi.derivative))
    text = f"`{dual}`"
    if len(text) > LONGEST:
        text = f"{dual.count_ops()} operations: `analytic-ntk kernel {str(phi)!r} --formula`"
    errors, condition = measure_errors(phi)
    return Line(name, phi, not (dual.has(Dual) or slope.has(Dual)), text, errors, condition, seconds)


def page(lines: list[Line]) -> str:
    heads = " | ".join(label for _, label in STRATA)
    rule = "---|" * (len(STRATA) + 4)
    accuracy = [f"| activation | class | {heads} | condition | 30 digits |", f"|{rule}"]
    formulas = ["| activation | phi | E phi(u) phi(v) |", "|---|---|---|"]
    for line in lines:
        kind = "closed form" if line.closed else "quadrature"
        cells = " | ".join(line.errors)
        accuracy.append(f"| {line.phi} | {kind} | {cells} | {line.condition} | {line.seconds} |")
        if line.closed:
            expression = f"`{line.phi.expression}`"
            if len(expression) > LONGEST // 2:
                expression = activations.entry(line.name).description
            formulas.append(f"| {line.phi} | {expression} | {line.formula} |")
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    versions = (
        f"analytic_ntk {analytic_ntk.__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, sympy {sp.__version__}, python-flint {flint.__version__}, "
        f"{os.cpu_count()} cores"
    )
    measured = f"Measured on {date} by `python docs/generate_catalogue.py`: {versions}."
    setting = (
        f"Networks of depth {DEPTH}, weight variance {WEIGHT}, bias variance {BIAS}; "
        f"inputs with `<x,x>/d` in {{{', '.join(f'{n:g}' for n in NORMS)}}} (at 1 with `rho` of both signs)."
    )
    parts = ["# Catalogue", _wrapped(measured), "## Accuracy and speed", _wrapped(setting + " " + ACCURACY)]
    parts += ["\n".join(accuracy), "## Closed forms", _wrapped(FORMULAS), "\n".join(formulas)]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False)


def main(names: list[str]) -> None:
    chosen = {n: phi for n, phi in activations.all_activations().items() if not names or n in names}
    lines = []
    for name, phi in chosen.items():
        start = time.perf_counter()
        lines.append(measure(name, phi))
        print(f"{name}: {time.perf_counter() - start:.1f} s, {lines[-1].errors}", file=sys.stderr, flush=True)
    text = page(lines)
    if names:
        print(text)
    else:
        Path(__file__).with_name("catalogue.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
