"""``SphereSpectrum``: the eigenvalues of a zonal kernel, with what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.display import axes_for, html_table, tidy
from analytic_ntk.enclosure import Enclosure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class SphereSpectrum:
    """Eigenvalues ``lambda_0 .. lambda_degree`` on ``S^(dim-1)`` under the uniform probability measure.

    Each is an exact sympy number (0 only where that is proved) or an
    :class:`~analytic_ntk.enclosure.Enclosure` with ``digits`` certain digits. Degree ``k`` has
    ``multiplicities[k]`` orthonormal harmonics. ``trace`` is ``kappa(1)``, the sum over all degrees of
    multiplicity times eigenvalue. ``method`` says how: ``"exact"``, ``"series"`` or ``"quadrature"``.

    On the circle (``dim = 2``) ``kappa(cos t) = lambda_0 + 2 sum_{k >= 1} lambda_k cos(k t)``: the cosine
    coefficient is twice the eigenvalue, whose two harmonics are ``cos`` and ``sin``.
    """

    dim: int
    kernel: str
    method: str
    digits: int
    eigenvalues: tuple[sp.Expr | Enclosure, ...]
    multiplicities: tuple[int, ...]
    trace: sp.Expr | Enclosure

    @property
    def degree(self) -> int:
        return len(self.eigenvalues) - 1

    def enclosures(self) -> tuple[Enclosure, ...]:
        """All eigenvalues as enclosures."""
        return tuple(_enclosed(v, self.digits) for v in self.eigenvalues)

    def floats(self) -> NDArray[np.float64]:
        """The eigenvalues in float64; those below 1e-308 lose digits or become 0: see :meth:`log10`."""
        return np.array([float(e) for e in self.enclosures()])

    def log10(self) -> NDArray[np.float64]:
        """Decimal logarithms of the eigenvalues' sizes in float64, ``-inf`` for 0; none underflows."""
        return np.array([_log10(e) for e in self.enclosures()])

    def cumulative_trace(self) -> tuple[Enclosure, ...]:
        """``sum_{i <= k} multiplicities[i] lambda_i`` for each ``k``; below ``trace``, which is its limit."""
        total, spread = Fraction(0), Fraction(0)
        found = []
        for count, value in zip(self.multiplicities, self.enclosures(), strict=True):
            total, spread = total + count * value.midpoint, spread + count * value.radius
            found.append(Enclosure(total, spread))
        return tuple(found)

    def tail(self) -> Enclosure:
        """What the degrees beyond the table hold of the trace."""
        whole, known = _enclosed(self.trace, self.digits), self.cumulative_trace()[-1]
        return Enclosure(whole.midpoint - known.midpoint, whole.radius + known.radius)

    def plot(self, axes: Axes | None = None) -> Axes:
        """``log10`` of the eigenvalues over the degree, on a logarithmic axis; zeros are left out."""
        axes = axes_for(axes)
        shown = [(k, size) for k, size in enumerate(self.log10()) if k and np.isfinite(size)]
        if shown:
            axes.semilogx(*zip(*shown, strict=True), "o", markersize=4)
        axes.set(xlabel="degree $k$", ylabel=r"$\log_{10} \lambda_k$")
        axes.set_title(f"{self.kernel} on $S^{{{self.dim - 1}}}$")
        return tidy(axes)

    def _repr_html_(self) -> str:
        sums = [value.decimal(10) for value in self.cumulative_trace()]
        cells = zip(self.multiplicities, map(_shown, self.eigenvalues), sums, strict=True)
        rows = [(k, *row) for k, row in enumerate(cells)]
        head = f"{self.kernel} on S^{self.dim - 1}, {self.method}, trace {_shown(self.trace)}"
        return html_table(("degree", "multiplicity", "eigenvalue", "cumulative trace"), rows, head)

    def __repr__(self) -> str:
        return f"SphereSpectrum({self.kernel} on S^{self.dim - 1}, degrees 0..{self.degree}, {self.method})"

    def __str__(self) -> str:
        head = f"{self.kernel} on S^{self.dim - 1}, {self.method}, trace {_shown(self.trace)}"
        sums = [value.decimal(10) for value in self.cumulative_trace()]
        rows = [("degree", "multiplicity", "eigenvalue", "cumulative trace")]
        for k, (count, value) in enumerate(zip(self.multiplicities, self.eigenvalues, strict=True)):
            many = str(count) if count < 10**12 else f"{math.log10(count):.4f} (log10)"
            rows.append((str(k), many, _shown(value), sums[k]))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([head, *lines])


def _enclosed(value: sp.Expr | Enclosure, digits: int) -> Enclosure:
    if isinstance(value, Enclosure):
        return value
    return certify(lambda: ((exact_ball(value).real,), arb(1)), digits, "an exact eigenvalue")[0]


def _shown(value: sp.Expr | Enclosure) -> str:
    if isinstance(value, Enclosure):
        return value.decimal(20)
    if max((part.bit_length() for n in value.atoms(sp.Rational) for part in (n.p, n.q)), default=0) < 64:
        text = str(value)
        if len(text) <= 40:
            return text
    return _enclosed(value, 20).decimal(20)


def _log10(value: Enclosure) -> float:
    if value.midpoint == 0:
        return -math.inf
    with working_precision(80):
        return float((arb(abs(Enclosure(value.midpoint, Fraction(0)).ball())).log() / arb(10).log()).mid())
