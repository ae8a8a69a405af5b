"""What a layer of a finite network is: its way forward, and its way back.

Arrays of features are ``(..., n, width)``: one row for each input, with any axes of an ensemble before. Rows
on the way back, ``df/d(output of the layer)``, have one more axis in front, for the outputs ``f``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, require_finite

Tape = Any
"""What a unit keeps from the way forward for the way back."""

Visit = Callable[[Any, Array, Array], None]
"""Called on the way back with each dense unit, the features it read, and the rows at its output."""

PARAMETRISATIONS = ("ntk", "standard")


class Unit(Protocol):
    """A layer of a finite network: ``(..., n, width) -> (..., n, width')`` and its transpose."""

    @property
    def parameters(self) -> tuple[Array, ...]: ...

    def with_parameters(self, fresh: Iterator[Array]) -> Unit:
        """The same unit with parameters taken from ``fresh``, in the order of :attr:`parameters`."""
        ...

    def forward(self, features: Array) -> tuple[Array, Tape]: ...

    def backward(self, tape: Tape, rows: Array, visit: Visit) -> Array:
        """From ``df/d(output)`` to ``df/d(input)``."""
        ...


@dataclass(frozen=True)
class Draw:
    """How the layers of a network are drawn: what ``sample`` of each layer is given.

    ``widths`` are those of the dense layers still to come, ``ensemble`` the axes in front of each parameter
    (empty: one network).
    """

    rng: np.random.Generator
    widths: Iterator[int]
    parametrisation: str
    ensemble: tuple[int, ...] = ()


def forward_through(units: tuple[Unit, ...], features: Array) -> tuple[Array, list[Tape]]:
    """Values and tapes of a chain. Raises :class:`DomainError` for values the dtype cannot hold."""
    tapes = []
    for unit in units:
        with np.errstate(all="ignore"):  # what overflows is refused below
            features, tape = unit.forward(features)
        require_finite(features, "a unit that overflows", "shrink the variances or the depth")
        tapes.append(tape)
    return features, tapes


def backward_through(units: tuple[Unit, ...], tapes: list[Tape], rows: Array, visit: Visit) -> Array:
    """Rows at the input of a chain from rows at its output; dense units are visited last first."""
    with np.errstate(all="ignore"):  # the caller checks what it makes of the visits
        for unit, tape in zip(reversed(units), reversed(tapes), strict=True):
            rows = unit.backward(tape, rows, visit)
    return rows


def require_count(value: int, name: str, least: int) -> None:
    """Raise :class:`DomainError` unless ``value`` is an integer, ``least`` or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise DomainError(f"{name} = {value!r}"[:100], f"an integer >= {least}")


def require_rng(rng: object) -> None:
    if not isinstance(rng, np.random.Generator):
        raise DomainError(f"rng = {rng!r}"[:80], "a numpy Generator", "np.random.default_rng(seed)")
