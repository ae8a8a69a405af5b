"""What a conjecture is answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytic_ntk.display import Explained, Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import UndecidedError
from proofs_check.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType

Box = tuple[Fraction, Fraction]
MARKS = {Verdict.PROVED: "✓", Verdict.REFUTED: "✗", Verdict.UNDECIDED: "?"}


@dataclass(frozen=True)
class Witness(Shown):
    """Where a statement is false: ``variable = at``, and an enclosure of ``what`` there, whose sign is
    certain (or which is exactly 0). ``claim``: the part that is false, of a statement with several."""

    variable: str
    at: Fraction | None
    difference: Enclosure
    what: str = "left - right"
    claim: str = ""

    @property
    def place(self) -> str:
        return f"{self.variable} = {self.at}" if self.variable else "the numbers named"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.variable else ""
        size = self.difference
        exact = size.radius == 0 and size.midpoint == 0
        claim = f", so not {self.claim}" if self.claim else ""
        return f"{where}{self.what} = {'0, exactly' if exact else size.decimal(8)}{claim}"


@dataclass(frozen=True)
class Answer(Explained, Shown):
    """``PROVED``, ``REFUTED`` (with its witness) or ``UNDECIDED`` (with what is left).

    ``method``: ``"exact"`` for exact reasoning alone, ``"balls"`` where enclosures decide. ``left``: the
    boxes of ``rho`` on which nothing was shown. ``margin``: the least certified lower bound of ``|left -
    right|`` over what was shown (0: it comes down to 0), ``None`` where there is none. ``certificate``: JSON
    for ``proofs-check verify``, already accepted by the checker; where there is none, ``no_certificate``
    says why.
    """

    statement: str
    network: str
    verdict: Verdict
    reason: str
    method: str
    witness: Witness | None = None
    left: tuple[Box, ...] = ()
    margin: Fraction | None = None
    certificate: dict[str, Any] | None = None
    no_certificate: str = ""
    boxes: int = 0
    seconds: float = 0.0

    def save(self, path: str | Path) -> Path:
        """Write the certificate. Raises :class:`UndecidedError` if there is none."""
        if self.certificate is None:
            raise UndecidedError(f"no certificate ({self.no_certificate})", "an answer with a certificate")
        target = Path(path)
        target.write_text(json.dumps(self.certificate, indent=1) + "\n", encoding="utf-8")
        return target

    def lines(self) -> tuple[tuple[str, str], ...]:
        """What there is to say, a label and a text each."""
        rows = [("statement", self.statement), ("for", self.network), ("reason", self.reason)]
        if self.witness:
            rows.append(("witness", str(self.witness)))
        if self.left:
            places = _joined(self.left)
            shown = ", ".join(f"[{_short(a)}, {_short(b)}]" for a, b in places[:4])
            more = f" and {len(places) - 4} more" if len(places) > 4 else ""
            rows.append(("left", shown + more))
        if self.margin is not None:
            rows.append(("margin", f">= {_short(self.margin)}" if self.margin else "down to 0"))
        if self.certificate is not None:
            rows.append(("certificate", f"sha256 {self.certificate['sha256'][:16]}, replayed and accepted"))
        elif self.verdict is not Verdict.UNDECIDED:
            rows.append(("certificate", f"none: {self.no_certificate}"))
        return tuple(rows)

    def as_json(self) -> dict[str, Any]:
        """As plain data; numbers exact, as text."""
        witness = self.witness and {
            "variable": self.witness.variable,
            "at": None if self.witness.at is None else str(self.witness.at),
            "what": self.witness.what,
            "claim": self.witness.claim,
            "difference": [_text(self.witness.difference.lower), _text(self.witness.difference.upper)],
        }
        return {
            "statement": self.statement, "network": self.network, "verdict": self.verdict.value,
            "method": self.method, "reason": self.reason, "witness": witness,
            "left": [[str(a), str(b)] for a, b in self.left],
            "margin": None if self.margin is None else _text(self.margin),
            "certificate": self.certificate is not None, "no_certificate": self.no_certificate,
            "boxes": self.boxes,
        }  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(
            [self.verdict.value.upper(), *(f"  {label}: {text}" for label, text in self.lines())]
        )

    def __repr__(self) -> str:
        return f"<{self.verdict.value}: {self.statement} ({self.network})>"

    def _fields_shown(self) -> Iterator[tuple[str, str]]:
        yield from self.lines()

    def _title_shown(self) -> str:
        return f"{MARKS[self.verdict]} {self.verdict.value}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        colour = {Verdict.PROVED: "green", Verdict.REFUTED: "red"}.get(self.verdict, "yellow")
        yield Text(f"{MARKS[self.verdict]} {self.verdict.value}", style=f"bold {colour}")
        table = Table.grid(padding=(0, 2))
        for label, text in self.lines():
            table.add_row(Text(label, style="dim"), Text(text))
        yield table


def _text(value: Fraction) -> str:
    """``p/q``; with ``q`` a long power of 2, ``p/2^k``."""
    bits = value.denominator.bit_length() - 1
    return f"{value.numerator}/2^{bits}" if bits > 10_000 else str(value)


def _joined(boxes: tuple[Box, ...]) -> list[Box]:
    """Neighbours as one."""
    found: list[Box] = []
    for low, high in boxes:
        if found and found[-1][1] == low:
            found[-1] = found[-1][0], high
        else:
            found.append((low, high))
    return found


def _short(value: Fraction) -> str:
    """Exact if short, else to four digits, or as a distance from the integer it is next to."""
    if max(abs(value.numerator), value.denominator) < 10**10 and len(str(abs(value))) <= 12:
        return str(value)
    near = round(value)
    if near and abs(value - near) < Fraction(1, 1000):
        return f"{near} {'+' if value > near else '-'} {float(abs(value - near)):.2g}"
    return f"{float(value):.4g}"
