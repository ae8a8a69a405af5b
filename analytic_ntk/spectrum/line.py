"""Kernels as the quadrature sees them: real values in balls, and a bound on the complex unit disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from flint import arb, ctx, fmpq

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.layers import Layer
from analytic_ntk.pair import Pair
from analytic_ntk.spectrum.nodes import NodeBall
from analytic_ntk.spectrum.structure import Structure, kernel_structure


class LineKernel(Protocol):
    """A kernel ``kappa``, analytic in ``|rho| < 1`` with ``|kappa| <= bound`` there, real for real ones."""

    @property
    def monotone(self) -> bool:
        """Whether all power series coefficients are non-negative."""
        ...

    def ends(self) -> tuple[arb, arb]:
        """``kappa(1)``, ``kappa(-1)`` at the working precision."""
        ...

    def bound(self) -> arb:
        """At least ``sup |kappa|`` over the open unit disk."""
        ...

    def at(self, step: Fraction, index: int) -> tuple[arb, arb]:
        """``kappa(rho)``, ``kappa(-rho)`` at ``rho = tanh(index step)``, at the working precision."""
        ...


def correlation(u: Fraction) -> tuple[arb, arb]:
    """``rho = tanh(u)`` and ``1 - rho``, both without cancellation, for ``u >= 0``."""
    fall = (-2 * arb(fmpq(u.numerator, u.denominator))).exp()
    return (1 - fall) / (1 + fall), 2 * fall / (1 + fall)


@dataclass(frozen=True)
class DiskKernel(Shown):
    """A zonal kernel given by a function that encloses it.

    ``value(rho, gap)`` is called with balls, ``-1 <= rho <= 1`` and ``gap = 1 - |rho|`` without
    cancellation (exactly 0 at the ends), inside a working precision, and returns a ball that contains the
    kernel at every point of the ball ``rho``. ``largest`` is a number with ``|kernel(z)| <= largest`` for
    all complex ``|z| < 1``, where the kernel must be analytic: the caller answers for this hypothesis (a
    value that contradicts it is refused).

    >>> DiskKernel(lambda rho, gap: (rho - 1).exp(), Fraction(1)).largest
    Fraction(1, 1)
    """

    value: Callable[[arb, arb], arb]
    largest: Fraction

    def __post_init__(self) -> None:
        if not callable(self.value):
            raise DomainError(f"value = {self.value!r}", "a function of two balls")
        if (
            isinstance(self.largest, bool)
            or not isinstance(self.largest, (int, Fraction))
            or self.largest < 0
        ):
            raise DomainError(f"largest = {self.largest!r}", "an int or Fraction >= 0")

    @property
    def monotone(self) -> bool:
        return False

    def bound(self) -> arb:
        return arb(fmpq(self.largest.numerator, self.largest.denominator))

    def ends(self) -> tuple[arb, arb]:
        return self._checked(arb(1), arb(0)), self._checked(arb(-1), arb(0))

    def at(self, step: Fraction, index: int) -> tuple[arb, arb]:
        rho, gap = correlation(step * index)
        return self._checked(rho, gap), self._checked(-rho, gap)

    def _checked(self, rho: arb, gap: arb) -> arb:
        found = self.value(rho, gap)
        if not isinstance(found, arb):
            raise DomainError(f"the value {found!r} at rho = {rho.str(6)}", "a real ball (flint.arb)")
        if abs(found) > self.bound():
            raise DomainError(
                f"|kernel| = {abs(found).str(8)} at rho = {rho.str(6)}", f"at most largest = {self.largest}"
            )
        return found


@dataclass(frozen=True)
class NetworkKernel:
    """A kernel of a network for inputs with ``<x, x>/d = 1``.

    Its power series has non-negative coefficients (Schoenberg; Daniely, Frostig, Singer 2016), hence
    ``|kappa(z)| <= kappa(|z|) <= kappa(1)`` on the closed unit disk. Values at the nodes serve both
    kernels and every degree, and are remembered; ``dim`` says how the sphere weighs them (no bound rests
    on it).
    """

    layers: tuple[Layer, ...]
    kernel: str
    structure: Structure
    dim: int = 2

    @classmethod
    def of(cls, layers: tuple[Layer, ...], kernel: str) -> NetworkKernel:
        return cls(layers, kernel, kernel_structure(layers, kernel))

    @property
    def monotone(self) -> bool:
        return True

    def bound(self) -> arb:
        return arb(self.ends()[0].abs_upper())

    def ends(self) -> tuple[arb, arb]:
        return self._mirrored(lambda: self._end(1), lambda: self._end(-1))

    def at(self, step: Fraction, index: int) -> tuple[arb, arb]:
        if index == 0:
            value = self._push(arb(1), arb(0), arb(1))
            return value, value
        rho, gap = correlation(step * index)
        return self._mirrored(
            lambda: self._stored(step, index, rho, gap), lambda: self._stored(step, -index, -rho, gap)
        )

    def _mirrored(self, plus: Callable[[], arb], minus: Callable[[], arb]) -> tuple[arb, arb]:
        value = plus()
        if self.structure.even.absent:
            return value, -value
        if self.structure.odd.absent:
            return value, value
        return value, minus()

    def _stored(self, step: Fraction, index: int, rho: arb, gap: arb) -> arb:
        store = _store(self.layers, self.dim, step, int(ctx.prec))
        if index not in store:
            store[index] = self._both(arb(1), rho, gap)
        return store[index][self.kernel == "ntk"]

    def _end(self, side: int) -> arb:
        store = _store(self.layers, self.dim, None, int(ctx.prec))
        if side not in store:
            store[side] = self._both(arb(1), arb(side), arb(0))
        return store[side][self.kernel == "ntk"]

    def _push(self, one: arb, rho: arb, gap: arb) -> arb:
        return self._both(one, rho, gap)[self.kernel == "ntk"]

    def _both(self, one: arb, rho: arb, gap: arb) -> tuple[arb, arb]:
        pair = Pair(one, one, rho, arb(0), gap)
        try:
            for layer in self.layers:
                pair = layer.push(pair, NodeBall(self.dim))
        except PrecisionError:
            return arb("nan"), arb("nan")  # more bits will tell the pair from a collinear one
        return pair.q12, pair.ntk


@lru_cache(maxsize=12)
def _store(
    layers: tuple[Layer, ...], dim: int, step: Fraction | None, bits: int
) -> dict[int, tuple[arb, arb]]:
    """Both kernels by the index of the node; without a step by the end, 1 or -1."""
    return {}
