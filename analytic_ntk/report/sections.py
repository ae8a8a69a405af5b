"""A report laid out as sections of text, tables and formulas, for any renderer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from analytic_ntk.enclosure import Enclosure
from analytic_ntk.hermite.table import HermiteTable
from analytic_ntk.report.data import (
    CertifiedRow,
    Formula,
    Properties,
    Report,
    Sampled,
    Series,
    Unavailable,
    upper_bound,
)

SHORT = 24
"""Exact expressions up to this many characters stand in tables; longer ones show their digits."""


@dataclass(frozen=True)
class Table:
    """Columns with a heading; ``numeric`` ones are aligned to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = True


@dataclass(frozen=True)
class Section:
    """One heading with what stands under it, in this order: notes, formulas, table, last line."""

    title: str
    notes: tuple[str, ...] = ()
    formulas: tuple[Formula, ...] = ()
    table: Table | None = None
    last: str = ""


def sections(report: Report) -> tuple[Section, ...]:
    """The report in reading order."""
    return (
        Section("Properties", table=properties_table(report.properties)),
        hermite_section(report.hermite),
        Section("Formulas", formulas=report.formulas),
        values_section(report.certified, report.digits),
        _series(report.series, report.digits),
        _sampled(report.sampled),
        _time(report),
    )


def network_line(report: Report) -> str:
    """The network in one line."""
    layers = "1 hidden layer" if report.depth == 1 else f"{report.depth} hidden layers"
    return f"{layers}, weight variance {report.weight_variance}, bias variance {report.bias_variance}"


def number(value: sp.Expr | Enclosure, digits: int) -> str:
    """A short exact expression as it is, everything else by its certain digits; what may be 0 by a bound."""
    if isinstance(value, Enclosure):
        if value.digits:
            return value.decimal(digits)
        return f"0 +- {upper_bound(max(abs(value.lower), abs(value.upper)))}"
    return str(value) if len(str(value)) <= SHORT else str(sp.N(value, digits))


def properties_table(properties: Properties) -> Table:
    """Name and value of every property."""

    def places(found: tuple[tuple[sp.Expr, sp.Expr], ...]) -> str:
        return ", ".join(f"{size} at {point}" for point, size in found) or "none"

    def moments(limit: sp.Expr) -> str:
        return "finite at every variance" if limit is sp.oo else f"finite for variances below {limit}"

    degree, distance = properties.polynomial_degree, properties.singularity_distance
    rows = (
        ("expression", str(properties.expression)),
        ("derivative", str(properties.derivative)),
        ("parity", properties.parity or "neither even nor odd"),
        ("homogeneity", "none" if properties.homogeneity is None else f"degree {properties.homogeneity}"),
        ("polynomial", "no" if degree is None else f"degree {degree}" if isinstance(degree, int) else degree),
        ("jumps of phi", places(properties.jumps)),
        ("jumps of phi'", places(properties.kinks)),
        ("E phi^2", moments(properties.max_variance)),
        ("E phi'^2", moments(properties.derivative_max_variance)),
        ("nearest complex singularity", _distance(distance)),
    )
    return Table(("property", "value"), rows, numeric=False)


def _distance(distance: sp.Expr | None) -> str:
    if distance is None:
        return "not known"
    return "none (entire on each piece)" if distance is sp.oo else f"at distance {distance}"


def hermite_rows(table: HermiteTable) -> Table:
    """n, coefficient, kind."""
    rows = tuple((str(row.n), number(row.value, table.digits), row.kind) for row in table.rows)
    return Table(("n", "a_n", "kind"), rows)


def sum_line(table: HermiteTable) -> str:
    """The sum of squares against the second moment, in one line."""
    total, moment = (v.decimal(table.digits) for v in (table.sum_of_squares, table.second_moment))
    return f"sum of squares {total} of E phi^2 = {moment}"


def hermite_section(table: HermiteTable | Unavailable) -> Section:
    """The table of Hermite coefficients."""
    title = "Hermite coefficients"
    if isinstance(table, Unavailable):
        return Section(title, (table.reason,))
    argument = "Z" if table.variance == 1 else f"sqrt({table.variance}) Z"
    note = f"a_n = E[phi({argument}) He_n(Z)] / sqrt(n!); exact: a closed form is known"
    return Section(title, (note,), table=hermite_rows(table), last=sum_line(table))


def values_section(rows: Sequence[CertifiedRow], digits: int) -> Section:
    """Certified values; a row without them holds the reason."""
    title = "Certified values"
    on_sphere = all(row.xx == row.yy == 1 for row in rows)
    where = (
        "inputs <x,x>/d = <y,y>/d = 1, <x,y>/d = rho"
        if on_sphere
        else "xx = <x,x>/d, xy = <x,y>/d, yy = <y,y>/d"
    )
    columns = ("rho",) if on_sphere else ("xx", "xy", "yy")
    cells = []
    for row in rows:
        inputs = (row.xy,) if on_sphere else (row.xx, row.xy, row.yy)
        values = (number(v, digits) if v is not None else row.reason for v in (row.nngp, row.ntk))
        cells.append((*(str(value) for value in inputs), *values))
    return Section(
        title, (f"every digit certain; {where}",), table=Table((*columns, "NNGP", "NTK"), tuple(cells))
    )


def _series(series: Series | Unavailable, digits: int) -> Section:
    title = "Power series in rho"
    if isinstance(series, Unavailable):
        return Section(title, (series.reason,))
    rows = tuple((str(r.k), number(r.nngp, digits), number(r.ntk, digits)) for r in series.rows)
    nngp, ntk = upper_bound(series.nngp_tail), upper_bound(series.ntk_tail)
    notes = (f"coefficients of rho^k; for |rho| <= 1 the rest is at most {nngp} (NNGP), {ntk} (NTK)",)
    return Section(title, notes, table=Table(("k", "NNGP", "NTK"), rows))


def _sampled(sampled: Sampled | Unavailable) -> Section:
    title = "Finite width"
    if isinstance(sampled, Unavailable):
        return Section(title, (sampled.reason,))
    rows = tuple(
        (
            r.kernel,
            str(r.rho),
            f"{r.limit:.6g}",
            f"{r.mean:.6g}",
            f"{r.standard_error:.1g}",
            f"{r.z_score:+.1f}",
        )
        for r in sampled.rows
    )
    notes = (
        f"{sampled.draws} networks of width {sampled.width} (seed {sampled.seed}) against the limit; "
        "z = difference in standard errors. A check against gross errors: width biases the mean by about "
        "depth/width, and for heavy tails (exp, high powers) a few draws understate the error.",
    )
    return Section(title, notes, table=Table(("kernel", "rho", "limit", "mean", "std. error", "z"), rows))


def _time(report: Report) -> Section:
    rows = tuple((name, f"{seconds:.2f} s") for name, seconds in report.seconds)
    total = sum(seconds for _, seconds in report.seconds)
    return Section("Time taken", table=Table(("section", "seconds"), (*rows, ("total", f"{total:.2f} s"))))
