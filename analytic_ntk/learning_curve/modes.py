"""Eigenvalues by degree, as the learning curve reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.values import real_array

Array = NDArray[np.float64]
_LARGEST = Fraction(10) ** 300
_EPSILON = float(np.finfo(np.float64).eps)


class Spectrum(Protocol):
    """What is read of a spectrum on the sphere: eigenvalues by degree, multiplicities, the whole trace."""

    @property
    def multiplicities(self) -> Sequence[int]: ...
    @property
    def trace(self) -> SupportsFloat: ...
    def floats(self) -> Array: ...


@dataclass(frozen=True, eq=False)
class Modes(Shown):
    """Eigenvalues ``lambda_0 .. lambda_K``, their multiplicities, and the trace ``tail`` of all degrees
    beyond.

    Eigenvalues are numbers ``>= 0`` (one per degree), multiplicities integers ``>= 1``, ``tail >= 0``. Raises
    :class:`DomainError` otherwise.

    >>> from analytic_ntk.learning_curve import Modes
    >>> Modes([0.5, 0.1], [1, 3], 0.2).trace
    1.0
    """

    eigenvalues: Array
    multiplicities: tuple[int, ...]
    tail: float

    def __init__(self, eigenvalues: ArrayLike, multiplicities: Sequence[int], tail: float) -> None:
        values = real_array(eigenvalues)
        if values.ndim != 1 or values.size == 0 or len(multiplicities) != values.size:
            raise DomainError(
                f"eigenvalues of shape {values.shape} and {len(multiplicities)} multiplicities",
                "one eigenvalue and one multiplicity per degree, degrees 0, 1, ..",
            )
        if (values < 0).any():
            k = int(np.argmax(values < 0))
            raise DomainError(f"the eigenvalue {values[k]} in degree {k}", "eigenvalues >= 0")
        for k, count in enumerate(multiplicities):
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
                raise DomainError(f"the multiplicity {count!r} in degree {k}", "an integer >= 1")
        if any(int(n) * Fraction(float(v)) > _LARGEST for n, v in zip(multiplicities, values, strict=True)):
            raise DomainError(
                "N_k lambda_k too large for float64", f"N_k lambda_k <= {float(_LARGEST):.0e}", "rescale"
            )
        object.__setattr__(self, "eigenvalues", values)
        object.__setattr__(self, "multiplicities", tuple(int(count) for count in multiplicities))
        object.__setattr__(self, "tail", not_negative(tail, "tail"))

    @classmethod
    def of(cls, spectrum: Spectrum | Modes) -> Modes:
        """From a spectrum; its tail is the trace less ``sum N_k lambda_k``.

        A tail within the rounding of that difference counts as 0, and so does an eigenvalue below 0 by less
        than the rounding of the trace. Raises :class:`DomainError` where the trace is below the sum.
        """
        if isinstance(spectrum, Modes):
            return spectrum
        if isinstance(spectrum, type) or not hasattr(spectrum, "floats"):
            raise DomainError(
                f"{spectrum!r}"[:80],
                "a spectrum on the sphere",
                "use spectrum.sphere(network, ..) or Modes(eigenvalues, multiplicities, tail)",
            )
        trace = not_negative(float(spectrum.trace), "trace")
        values = spectrum.floats()
        known = np.where((values < 0) & (values >= -_EPSILON * trace), 0.0, values)
        modes = cls(known, spectrum.multiplicities, 0.0)
        tail = trace - modes.trace
        if abs(tail) <= 4 * _EPSILON * trace:
            return modes
        return cls(modes.eigenvalues, modes.multiplicities, not_negative(tail, "trace - sum N_k lambda_k"))

    @property
    def counts(self) -> Array:
        """The multiplicities in float64; those too large for it are infinite."""
        return np.array([float(n) if n < 2**1000 else math.inf for n in self.multiplicities])

    @property
    def masses(self) -> Array:
        """``N_k lambda_k``, each rounded once (a multiplicity may be too large for float64)."""
        pairs = zip(self.multiplicities, self.eigenvalues, strict=True)
        return np.array([float(count * Fraction(float(value))) for count, value in pairs])

    @property
    def trace(self) -> float:
        """``sum N_k lambda_k + tail``, the kernel at ``rho = 1``."""
        return math.fsum([*self.masses, self.tail])

    @property
    def rank(self) -> float:
        """Number of positive eigenvalues; infinite where there is a tail."""
        if self.tail > 0:
            return math.inf
        count = sum(n for n, value in zip(self.multiplicities, self.eigenvalues, strict=True) if value > 0)
        return float(count) if count < 2**1000 else math.inf


def effective_dimension(spectrum: Spectrum | Modes, ridge: float) -> float:
    """``sum N_k lambda_k/(lambda_k + ridge)``, the trace of ``T (T + ridge)^-1``; beyond the degrees
    ``tail/ridge``.

    ``ridge >= 0`` on the scale of the eigenvalues (``ridge/n`` for a matrix ``K + ridge I``); at 0 it is the
    rank. With a tail an upper bound (``x/(x + ridge) <= x/ridge``), else exact; float64, relative error
    below 1e-14.

    >>> from analytic_ntk.learning_curve import Modes, effective_dimension
    >>> effective_dimension(Modes([1, 0.5], [1, 2], 0), 0.5)
    1.6666666666666665
    """
    modes = Modes.of(spectrum)
    kappa = not_negative(ridge, "ridge")
    if kappa == 0:
        return modes.rank
    return math.fsum([*(modes.masses / (modes.eigenvalues + kappa)), modes.tail / kappa])


def not_negative(value: float, name: str) -> float:
    number = real_array(value)
    if number.ndim or np.asarray(value).dtype.kind == "b" or number < 0:
        raise DomainError(f"{name} = {value!r}"[:100], "a number >= 0")
    return float(number)


def power_by_degree(target_power: ArrayLike, degrees: int | None) -> Array:
    """Padded with zeros to the number of degrees."""
    power = real_array(target_power)
    if power.ndim != 1 or power.size == 0 or (power < 0).any():
        raise DomainError(f"target_power = {target_power!r}"[:100], "mean squares >= 0 of degrees 0, 1, ..")
    if degrees is None:
        return power
    if power[degrees:].any():
        raise DomainError(
            f"power in degree {degrees + int(np.flatnonzero(power[degrees:])[-1])}",
            f"degrees up to {degrees - 1}, those of the spectrum",
            "compute the spectrum to a higher degree",
        )
    return np.pad(power[:degrees], (0, max(0, degrees - power.size)))
