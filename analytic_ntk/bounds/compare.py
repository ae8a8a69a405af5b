"""Lower bounds of the smallest eigenvalue beside the eigenvalue itself, over count, dimension, depth, phi."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from analytic_ntk.activation import Activation
from analytic_ntk.bounds.eigenvalue import LowerBound, Zonal, gershgorin_bound, khatri_rao_bound
from analytic_ntk.bounds.separation import separation, separation_bound
from analytic_ntk.display import Shown, html_table, text_below
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.network import Network
from analytic_ntk.positivity.eigenvalue import min_eigenvalue

Progress = Callable[[int, int, str], None]
MOST_POINTS = 100
_GRID = 32

COLUMNS = (
    "activation", "depth", "kernel", "dim", "count", "separation", "lambda_min", "gershgorin", "K",
    "khatri_rao", "r", "by_separation", "K_separation", "ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison(Shown):
    """``lambda_min`` of ``count`` points of the unit sphere of ``R^dim`` (enclosed), and its lower bounds."""

    activation: str
    depth: int
    kernel: str
    dim: int
    count: int
    separation: Enclosure
    truth: Enclosure
    gershgorin: LowerBound
    khatri_rao: LowerBound
    by_separation: LowerBound

    @property
    def best(self) -> LowerBound:
        """The largest of the three."""
        return max((self.gershgorin, self.khatri_rao, self.by_separation), key=lambda bound: bound.value)

    @property
    def ratio(self) -> Fraction:
        """At least this part of the eigenvalue is seen by the best bound (0 if the eigenvalue may be 0)."""
        return Fraction(self.best.value) / self.truth.upper if self.truth.upper > 0 else Fraction(0)

    def cells(self) -> tuple[str, ...]:
        """The row of a table, in the order of :data:`COLUMNS`; bounds are rounded down."""
        bounds = (self.gershgorin, self.khatri_rao, self.by_separation)
        shown = [text for bound in bounds for text in (text_below(bound.value, 3), _power(bound))]
        return (
            self.activation, str(self.depth), self.kernel, str(self.dim), str(self.count),
            self.separation.decimal(3), self.truth.decimal(3), *shown, text_below(self.ratio, 3),
        )  # fmt: skip


class Comparisons(tuple[Comparison, ...]):
    """The records of :func:`compare`; prints as a table, :meth:`csv` and :meth:`latex` give it as text."""

    def __str__(self) -> str:
        rows = [COLUMNS, *(record.cells() for record in self)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
        return "\n".join(
            "  ".join(
                c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [record.cells() for record in self])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def csv(self) -> str:
        """Comma-separated values, the first line naming the columns."""
        with io.StringIO() as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, *(record.cells() for record in self)])
            return file.getvalue()

    def latex(self) -> str:
        r"""A LaTeX ``tabular``."""
        rows = [COLUMNS, *(record.cells() for record in self)]
        lines = [" & ".join(_latex(cell) for cell in row) + r" \\" for row in rows]
        body = "\n".join([lines[0], r"\hline", *lines[1:]])
        return rf"\begin{{tabular}}{{l{'r' * (len(COLUMNS) - 1)}}}" + f"\n{body}\n" + r"\end{tabular}" + "\n"


def compare(
    activations: Sequence[Activation],
    depths: Sequence[int] = (1,),
    dims: Sequence[int] = (3,),
    counts: Sequence[int] = (4, 8, 16),
    kernel: str = "ntk",
    weight_variance: ExactNumber = 2,
    bias_variance: ExactNumber = 0,
    order: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparisons:
    """Every combination: the eigenvalue and the three bounds, all certified, for the same matrix.

    The points are :func:`sphere_points`, exact and of unit norm; the inputs of the kernel are ``<x, y>``
    (``dim`` times the usual ``<x, y>/dim``, put into the first weight variance). ``counts`` up to 100.

    Raises :class:`DomainError` for bad arguments, :class:`PrecisionError` where three digits of an eigenvalue
    cannot be had.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.bounds import compare
    >>> records = compare([activations.relu], counts=(4, 8))
    >>> [(r.count, r.best.method, 0 < r.ratio <= 1) for r in records]
    [(4, 'gershgorin', True), (8, 'gershgorin', True)]
    """
    for name, values in (
        ("activations", activations),
        ("depths", depths),
        ("dims", dims),
        ("counts", counts),
    ):
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
            raise DomainError(f"{name} = {values!r}"[:100], "a list with at least one entry")
    if not all(isinstance(phi, Activation) for phi in activations):
        raise DomainError(f"activations = {activations!r}"[:100], "a list of Activation")
    for count in counts:
        _require_integer("a count", count, 2, MOST_POINTS)
    for dim in dims:
        _require_integer("a dimension", dim, 2, 1000)
    jobs = list(product(activations, depths, dims, counts))
    found = []
    for done, (phi, depth, dim, count) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), f"{phi}, depth {depth}, {count} points of R^{dim}")
        network = _on_unit_sphere(Network.mlp(phi, depth, weight_variance, bias_variance), dim)
        found.append(_compared(network, phi, depth, dim, sphere_points(count, dim, seed), kernel, order))
    if progress:
        progress(len(jobs), len(jobs), "done")
    return Comparisons(found)


def _compared(
    network: Network,
    phi: Activation,
    depth: int,
    dim: int,
    points: list[list[Fraction]],
    kernel: str,
    order: int,
) -> Comparison:
    import sympy as sp

    zonal = Zonal.of(network.series(order, variance=sp.Rational(1, dim)), kernel)
    gap = separation(points)
    assert isinstance(gap, Enclosure)
    return Comparison(
        str(phi), depth, kernel, dim, len(points), gap,
        min_eigenvalue(network, points, kernel, digits=3),
        gershgorin_bound(zonal, points), khatri_rao_bound(zonal, points),
        separation_bound(zonal, len(points), gap),
    )  # fmt: skip


def _on_unit_sphere(network: Network, dim: int) -> Network:
    """The network with ``<x, y>`` for ``<x, y>/dim``."""
    from analytic_ntk.layers import Dense

    first = network.layers[0]
    assert isinstance(first, Dense)
    return Network(Dense(dim * first.weight_variance, first.bias_variance), *network.layers[1:])


def sphere_points(count: int, dim: int, seed: int = 0) -> list[list[Fraction]]:
    """``count`` rational points of the unit sphere of ``R^dim``, no two proportional, fixed by the seed.

    Stereographic projection of random points of a grid: ``(2 t, |t|^2 - 1)/(|t|^2 + 1)``.

    >>> points = sphere_points(3, 4)
    >>> [sum(v * v for v in point) for point in points]
    [Fraction(1, 1), Fraction(1, 1), Fraction(1, 1)]
    """
    _require_integer("count", count, 1, 10_000)
    _require_integer("dim", dim, 2, 1000)
    rng = random.Random(f"{seed} {dim}")
    found: dict[tuple[Fraction, ...], list[Fraction]] = {}
    for point in _projected(rng, dim):
        lead = next(v for v in point if v)
        found.setdefault(tuple(v / lead for v in point), point)
        if len(found) == count:
            break
    return list(found.values())


def _projected(rng: random.Random, dim: int) -> Iterator[list[Fraction]]:
    while True:
        # a Gaussian direction, projected to the plane and rounded there
        direction = [rng.gauss(0, 1) for _ in range(dim)]
        length = sum(v * v for v in direction) ** 0.5
        if direction[-1] > 0:  # the half away from the pole: small numbers
            direction = [-v for v in direction]
        flat = [Fraction(round(_GRID * v / (length - direction[-1])), _GRID) for v in direction[:-1]]
        square = sum((t * t for t in flat), Fraction(0))
        sign = rng.choice((-1, 1))
        yield [sign * v for v in (*(2 * t / (square + 1) for t in flat), (square - 1) / (square + 1))]


def _require_integer(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DomainError(f"{name} = {value!r}", f"an integer from {low} to {high}")


def _power(bound: LowerBound) -> str:
    return "-" if bound.method == "semidefinite" else str(bound.power)


def _latex(cell: str) -> str:
    return cell.replace("_", r"\_").replace("^", r"\^{}")
