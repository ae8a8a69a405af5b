"""``Certificate``: a statement and its evidence, as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from analytic_ntk.display import FEW, Shown, short
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError

Json = dict[str, Any]
FORMAT, VERSION = "analytic-ntk certificate", 1
MAX_BITS = 6_600
"""Of a numerator or denominator: two thousand digits, as many as the checker reads."""


@dataclass(frozen=True)
class Certificate(Shown):
    """What is stated (``kind``), and the fields that say about what and why; every number is text.

    >>> made = Certificate("an example", {"points": [["1", "0"]]})
    >>> sorted(made.json())
    ['format', 'kind', 'points', 'sha256', 'version']
    """

    kind: str
    body: Json

    def _fields_shown(self) -> Iterator[tuple[str, str]]:
        yield "states", self.kind
        for name, value in self.body.items():
            yield name.replace("_", " "), _entry(value)
        yield "sha256", self.json()["sha256"]
        yield "to check it", "certificate.save(FILE), then: proofs-check verify FILE"

    def json(self) -> Json:
        """With its header, and the SHA-256 of the rest in canonical JSON (sorted keys, no spaces)."""
        content = {"format": FORMAT, "version": VERSION, "kind": self.kind, **self.body}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return {**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}

    def text(self) -> str:
        """What :meth:`save` writes."""
        return json.dumps(self.json(), indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Write it for ``proofs-check verify``. Raises :class:`OSError` if it cannot be written."""
        Path(path).write_text(self.text(), encoding="utf-8")


def _entry(value: Any) -> str:
    """A field in a line; of tables, how long they are."""
    if isinstance(value, list) and (len(value) > FEW or any(isinstance(v, (list, dict)) for v in value)):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, dict):
        return short(", ".join(f"{name} {_entry(item)}" for name, item in value.items()))
    return short(value)


def number_text(number: Fraction) -> str:
    """``p/q``."""
    if max(abs(number.numerator), number.denominator).bit_length() > MAX_BITS:
        raise DomainError(
            "a number of more than 2000 digits in a certificate", "shorter ones", "round the points"
        )
    return str(number)


def texts(numbers: Iterable[Fraction]) -> list[str]:
    return list(map(number_text, numbers))


def wide(value: Enclosure | Fraction) -> list[str]:
    """The value to one percent: room for another arithmetic, and short to write."""
    middle = value.midpoint if isinstance(value, Enclosure) else value
    size = Fraction(2) ** (abs(middle.numerator).bit_length() - middle.denominator.bit_length())
    return texts(sorted(Fraction(round(middle / size * 1024) + k, 1024) * size for k in (-10, 10)))
