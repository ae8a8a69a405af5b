"""The catalogue of activations with what is derived from each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analytic_ntk import activations
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.report.builder import properties_of
from analytic_ntk.report.data import Properties
from analytic_ntk.report.sections import Section, Table
from analytic_ntk.systems import exact


@dataclass(frozen=True)
class CatalogueRow:
    """One record of the catalogue; ``closed_form``: of the dual and the derivative dual."""

    name: str
    description: str
    reference: str
    representative: str
    properties: Properties
    closed_form: bool


def catalogue(progress: Callable[[str], None]) -> tuple[CatalogueRow, ...]:
    """Every record of :data:`analytic_ntk.activations.CATALOGUE`; ``progress`` hears each name."""
    rows = []
    for entry in activations.CATALOGUE:
        progress(entry.name)
        phi = entry.representative()
        duals = (exact.dual(phi.pieces).expression, exact.dual(phi.derivative).expression)
        closed = not any(dual.has(Dual) for dual in duals)
        rows.append(
            CatalogueRow(entry.name, entry.description, entry.reference, str(phi), properties_of(phi), closed)
        )
    return tuple(rows)


def smoothness(properties: Properties) -> str:
    """The least smooth thing about an activation."""
    if properties.jumps:
        return "jumps"
    return "kinks" if properties.kinks else "C1"


def catalogue_section(rows: tuple[CatalogueRow, ...]) -> Section:
    """The catalogue as a table of 80 columns."""
    cells = tuple(
        (
            row.representative,
            row.properties.parity or "",
            smoothness(row.properties),
            "yes" if row.closed_form else "no",
            row.description,
        )
        for row in rows
    )
    columns = ("name", "parity", "smooth", "closed form", "function")
    return Section("Activations", table=Table(columns, cells, numeric=False))
