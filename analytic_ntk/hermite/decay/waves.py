"""One leading contribution to ``a_n`` as ``n`` grows, kept in logarithms so that nothing underflows.

Everything rests on one integral (a parabolic cylinder function) and its saddle point,

    I_v(s) = int_0^oo t^v exp(-t^2/2 - s t) dt,      t0^2 + s t0 = v,
    log I_v(s) = v log t0 - t0^2/2 - s t0 + log(2 pi/k)/2 + log(1 - 3 v/(4 k^2 t0^4) + 5 v^2/(6 k^3 t0^6)),

with ``k = 1 + v/t0^2``, up to ``O(1/v^2)``,

since ``He_n(z) phi(z) = 2 Re (-i)^n I_n(-i z) / (2 pi)`` on the real line (Plancherel-Rotach is the saddle).
Reference: F. W. J. Olver, Asymptotics and Special Functions, 1974, ch. 4 (Laplace's method); NIST DLMF 12.5.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from fractions import Fraction

_LOG_TWO_PI = math.log(2 * math.pi)


def log_laplace(order: float, slope: complex) -> complex:
    """``log I_v(s)`` at the saddle point, for ``v > 0`` and ``4 v > |Im s|^2``; float64, error ``O(1/v^2)``.

    >>> import math
    >>> exact = math.log(2**9.5 * math.gamma(10.5))  # s = 0: 2^((v-1)/2) Gamma((v+1)/2)
    >>> abs(log_laplace(20, 0j).real - exact) < 1 / 20**2
    True
    """
    root = cmath.sqrt(slope * slope + 4 * order)
    t = 2 * order / (slope + root) if slope.real > 0 else (root - slope) / 2
    peak = order * cmath.log(t) - t * t / 2 - slope * t
    bend = 1 + order / (t * t)
    next_term = order / (t * t * bend) ** 2 * (5 * order / (6 * bend * t * t) - 0.75)
    if abs(next_term) > 0.5:  # near the turning point the next term is no correction
        next_term = 0j
    return peak + (_LOG_TWO_PI - cmath.log(bend)) / 2 + cmath.log(1 + next_term)


@dataclass(frozen=True)
class Wave:
    """``Re[ weight ratio^n n!/(n - lift)! I_{n - shift}(slope) / sqrt(n!) ]``; without ``I`` if no slope."""

    log_weight: complex
    log_ratio: complex
    shift: Fraction
    lift: int
    slope: complex | None

    def log(self, n: int) -> complex:
        """Logarithm of the complex contribution: the real part is its size, the imaginary part its phase."""
        total = self.log_weight + n * self.log_ratio - math.lgamma(n + 1) / 2
        if self.lift:
            total += math.lgamma(n + 1) - math.lgamma(n - self.lift + 1)
        if self.slope is not None:
            total += log_laplace(float(n - self.shift), self.slope)
        return total

    @property
    def start(self) -> int:
        """The smallest order at which the formula can be evaluated (beyond the turning point)."""
        turn = 0 if self.slope is None else math.ceil(self.slope.imag**2 / 4)
        return max(turn + math.floor(self.shift) + 1, self.lift, 1)

    @property
    def log_constant(self) -> float:
        """``log K`` in ``|contribution| ~ K n^p exp(-c sqrt n) |ratio|^n`` (``/ sqrt(n!)`` without ``I``)."""
        if self.slope is None:
            return self.log_weight.real
        tail = math.log(math.pi / 2) / 4 + (self.slope * self.slope).real / 4
        return self.log_weight.real + tail


def log_sum(logs: list[float]) -> float:
    """``log sum exp``, ``-inf`` for nothing.

    >>> round(log_sum([-2000.0, -2000.0]), 12), log_sum([])
    (-1999.30685281944, -inf)
    """
    top = max(logs, default=-math.inf)
    return top if top == -math.inf else top + math.log(math.fsum(math.exp(value - top) for value in logs))


def signed_sum(logs: list[complex]) -> tuple[int, float]:
    """Sign and log-magnitude of the sum of the real parts; ``(0, -inf)`` where it is zero in float64."""
    top = max((value.real for value in logs), default=-math.inf)
    if top == -math.inf:
        return 0, -math.inf
    total = math.fsum(math.exp(value.real - top) * math.cos(value.imag) for value in logs)
    return (0, -math.inf) if total == 0 else (1 if total > 0 else -1, top + math.log(abs(total)))
