"""What the answers of the commands are made of: numbers with their kind, the network in one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytic_ntk.cli.app import activation
from analytic_ntk.errors import DomainError

if TYPE_CHECKING:
    import sympy as sp

    from analytic_ntk.activation import Activation
    from analytic_ntk.enclosure import Enclosure
    from analytic_ntk.meanfield.fixed import Value
    from analytic_ntk.network import Network

MOST_LISTED = 12
KINDS = "exact: a closed form is known; certified: every digit shown"
"""What the words in a column ``kind`` mean."""


class Kernel(str, Enum):
    """Which of the two kernels."""

    ntk = "ntk"
    nngp = "nngp"


def kind(value: Value) -> str:
    """``"exact"`` or ``"certified"``."""
    from analytic_ntk.enclosure import Enclosure

    return "certified" if isinstance(value, Enclosure) and value.radius else "exact"


def shown(value: Value | None, digits: int) -> str:
    """A short exact number as it is, everything else by its certain digits; nothing for ``None``."""
    from analytic_ntk.enclosure import Enclosure
    from analytic_ntk.report.sections import SHORT, number

    if value is None:
        return ""
    text = _expression(value)
    if text is not None and len(text) <= SHORT:
        return text
    return number(value if isinstance(value, Enclosure) else _enclosed(value, digits), digits)


def _expression(value: Value) -> str | None:
    """An exact number in full, unless it holds an integer of more digits than Python writes out (4300)."""
    from analytic_ntk.enclosure import Enclosure

    if isinstance(value, Enclosure) and value.radius:
        return None
    try:
        return str(value.midpoint if isinstance(value, Enclosure) else value)
    except ValueError:
        return None


def value_json(value: Value | None, digits: int) -> dict[str, Any] | None:
    """``kind``, the exact ``expression`` (null if none is known or it is too long), and decimals.

    The number lies within ``radius`` of ``value``; ``digits`` are the certain ones, null for an exact number.
    """
    import sympy as sp

    from analytic_ntk.enclosure import Enclosure
    from analytic_ntk.report.data import as_json, printed

    if value is None:
        return None
    if kind(value) == "certified":
        return {"kind": "certified", "expression": None, **as_json(value)}
    if value is sp.oo:
        text, radius = "oo", "0"
    else:
        text, radius = printed(value if isinstance(value, Enclosure) else _enclosed(value, digits), digits)
    return {
        "kind": "exact",
        "expression": _expression(value),
        "value": text,
        "radius": radius,
        "digits": None,
    }


def _enclosed(value: sp.Expr, digits: int) -> Enclosure:
    from fractions import Fraction

    from flint import arb

    from analytic_ntk.arithmetic.interpret import exact_ball
    from analytic_ntk.certify import certify
    from analytic_ntk.enclosure import Enclosure

    if value.is_Rational:
        return Enclosure(Fraction(int(value.p), int(value.q)), Fraction(0))
    return certify(lambda: ((exact_ball(value).real,), arb(1)), digits, "an exact number")[0]


def listed(numbers: Sequence[int]) -> str:
    """Numbers in one line, a long list cut short."""
    if not numbers:
        return "none"
    if len(numbers) <= MOST_LISTED:
        return ", ".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[: MOST_LISTED // 2]))}, ..., {numbers[-1]} ({len(numbers)} in all)"


@dataclass(frozen=True)
class Mlp:
    """The fully connected network that was asked about."""

    activation: Activation
    network: Network
    depth: int

    @classmethod
    def of(cls, act: str, depth: int, weight_variance: str, bias_variance: str) -> Mlp:
        from analytic_ntk.network import Network

        phi = activation(act)
        return cls(phi, Network.mlp(phi, depth, weight_variance, bias_variance), depth)

    @property
    def variances(self) -> tuple[str, str]:
        """Weight and bias variance as exact numbers."""
        first: Any = self.network.layers[0]
        return str(first.weight_variance), str(first.bias_variance)

    @property
    def line(self) -> str:
        """The network in one line."""
        layers = "1 hidden layer" if self.depth == 1 else f"{self.depth} hidden layers"
        return "{}, {}, weight variance {}, bias variance {}".format(self.activation, layers, *self.variances)

    def as_json(self) -> dict[str, Any]:
        weight, bias = self.variances
        return activation_json(self.activation) | {
            "depth": self.depth,
            "weight_variance": weight,
            "bias_variance": bias,
        }


def activation_json(phi: Activation) -> dict[str, Any]:
    return {"activation": str(phi), "expression": str(phi.expression)}


def require_ending(path: Path | None, endings: Sequence[str]) -> None:
    """Refuse a picture of another kind before anything is computed."""
    if path is not None and path.suffix.lower() not in endings:
        raise DomainError(f"the file {path.name!r}", f"a name that ends with {' or '.join(endings)}")


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and say so on stderr. Raises :class:`OSError`."""
    from analytic_ntk.report.files import write_bytes
    from analytic_ntk.tables.files import require_writable

    require_writable(path)
    write_bytes(path, content)
    print(f"wrote {path}", file=sys.stderr)
