"""The columns of a table of Hermite coefficients: what each holds, said once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from analytic_ntk.errors import DomainError


@dataclass(frozen=True)
class Column:
    """One column; ``holds`` is ``enclosure``, ``expression``, ``text`` or ``float``."""

    name: str
    holds: str
    heading: str
    latex: str
    meaning: str

    @property
    def fields(self) -> tuple[str, ...]:
        """Its fields in a file: an enclosure is a number and its radius, everything else one text."""
        if self.holds != "enclosure":
            return (self.name,)
        return (self.name, "radius" if self.name == "value" else f"{self.name}_radius")


COLUMNS = {
    column.name: column
    for column in (
        Column("value", "enclosure", "a_n", r"$a_n$", "a_n lies within radius of value"),
        Column("kind", "text", "kind", "kind", "exact: a closed form is known; certified: only digits are"),
        Column(
            "expression",
            "expression",
            "expression",
            "expression",
            "a_n exactly, where a closed form is known",
        ),
        Column("square", "enclosure", "a_n^2", r"$a_n^2$", "a_n^2, within square_radius"),
        Column(
            "cumulative",
            "enclosure",
            "sum a_k^2",
            r"$\sum_{k\le n} a_k^2$",
            "sum of a_k^2 over 0 <= k <= n, within cumulative_radius",
        ),
        Column(
            "share",
            "enclosure",
            "share",
            r"$\sum_{k\le n} a_k^2 / \mathbb{E}\varphi^2$",
            "that sum over E phi^2, within share_radius; empty for the zero function",
        ),
        Column(
            "derivative",
            "enclosure",
            "a_n of phi'",
            r"$a_n(\varphi')$",
            "E[phi'(sqrt(variance) Z) He_n(Z)] / sqrt(n!), phi' away from the breakpoints, within "
            "derivative_radius; sqrt((n + 1)/variance) a_(n+1) where phi has no jumps: jumps are left out",
        ),
        Column(
            "predicted",
            "float",
            "predicted",
            r"predicted $a_n$",
            "the law of decay in float64: leading order for large n, not a bound; empty where it is silent",
        ),
        Column(
            "envelope",
            "float",
            "envelope",
            r"predicted $|a_n|$",
            "the same law with its oscillation at the maximum",
        ),
        Column("radius", "radius", "radius", "radius", "how far a_n can be from value"),
    )
}
"""Every column by name; ``radius`` is part of ``value`` in a file and a column of its own in print."""

DEFAULT = ("value", "kind", "expression")
"""With these columns a table reads back as the :class:`~analytic_ntk.hermite.table.HermiteTable`."""


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """Names of columns, checked: known, none twice. ``n`` always comes first and need not be named.

    >>> chosen(["n", "square", "radius"])
    ('square', 'value', 'radius')
    """
    if isinstance(names, str):
        raise DomainError(f"the columns {names!r}", "a list of names", f"write [{names!r}]")
    wanted = [name for name in names if name != "n"]
    for name in wanted:
        if not isinstance(name, str) or name not in COLUMNS:
            near = difflib.get_close_matches(str(name), COLUMNS, n=1)
            remedy = f"did you mean {near[0]}?" if near else ""
            raise DomainError(f"the column {str(name)[:60]!r}", f"n, {', '.join(COLUMNS)}", remedy)
    if len(set(wanted)) < len(wanted):
        raise DomainError(f"the columns {', '.join(wanted)}", "each column once")
    if not wanted:
        raise DomainError("no column but n", f"some of {', '.join(COLUMNS)}")
    if "radius" in wanted and "value" not in wanted:  # a radius of nothing would say nothing
        wanted.insert(wanted.index("radius"), "value")
    return tuple(wanted)
