"""Tables of Hermite coefficients for many activations and variances: computed, written, read back.

>>> from analytic_ntk import activations, tables
>>> found = tables.compute([activations.relu, activations.gelu], ["1", "1/2"], order=4, digits=20)
>>> len(found), found[0].label, found[0].rows[2].expression
(4, 'relu', 1/(2*sqrt(pi)))
"""

from __future__ import annotations

from analytic_ntk.tables.columns import COLUMNS, DEFAULT
from analytic_ntk.tables.files import FORMATS, read, write
from analytic_ntk.tables.records import HermiteTables, Missing, Row, Table
from analytic_ntk.tables.run import compute, compute_into

__all__ = [
    "COLUMNS",
    "DEFAULT",
    "FORMATS",
    "HermiteTables",
    "Missing",
    "Row",
    "Table",
    "compute",
    "compute_into",
    "read",
    "write",
]
