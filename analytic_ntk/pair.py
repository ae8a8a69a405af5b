"""What flows through an infinitely wide network: everything a layer knows about two inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Number = Any
"""A sympy expression, a ball, a float64 array or a power series: an element of the number system in use."""


@dataclass(frozen=True)
class Pair:
    """Variances, covariance and tangent kernel of one layer's outputs at two inputs ``x`` and ``y``.

    ``q11``, ``q22``: variances at ``x`` and at ``y``; ``q12``: covariance; ``ntk``: tangent kernel
    ``Theta(x, y)``. ``gap`` is the partner of ``q12`` that suffers no cancellation,
    ``gap = sqrt(q11 q22) - |q12| >= 0``: exactly 0 for duplicates, antipodes and (without bias)
    proportional inputs. Number systems that do not need it carry ``None``. ``distance``, where it is given,
    is ``E (u - v)^2`` of the inputs, taken from their difference: of near-duplicates whose norms differ, the
    variances have lost it.

    Two inputs of equal norm share one object: ``pair.q22 is pair.q11`` says that the variances are the
    same number, which two inexact balls with equal digits would not. An input paired with itself has
    ``pair.q12 is pair.q11`` as well.
    """

    q11: Number
    q22: Number
    q12: Number
    ntk: Number
    gap: Number = None
    distance: Number = None

    @property
    def equal_norms(self) -> bool:
        """Whether the two variances are known to be the same number."""
        return self.q22 is self.q11

    @property
    def same_input(self) -> bool:
        """Whether the pair is known to be one input twice."""
        return self.q22 is self.q11 and self.q12 is self.q11


@dataclass(frozen=True)
class Expectations:
    """What a nonlinearity does to a pair: ``E phi(u)^2``, ``E phi(v)^2``, ``E phi(u) phi(v)``, the gap
    of these, and ``E phi'(u) phi'(v)``."""

    q11: Number
    q22: Number
    q12: Number
    derivative: Number
    gap: Number = None
