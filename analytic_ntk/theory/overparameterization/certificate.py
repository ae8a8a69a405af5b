"""Does gradient descent converge from here? A certificate for a network, its parameters, inputs and labels.

Polyak-Lojasiewicz at the start, a Lipschitz Jacobian near it (own derivation after Song, Ramezani-Kebrya,
Pethick, Eftekhari, Cevher 2021, arXiv 2111.01875, and Oymak, Soltanolkotabi 2019). With ``r = f - y``, loss
``|r|^2 / 2``, ``alpha = sigma_min(J)`` and ``r0 = |r|`` at the start, ``R = 2 r0 / alpha`` and ``L`` a
Lipschitz constant of ``J`` on the ball of radius ``R``: if ``L R <= alpha / 2``, then ``sigma_min(J) >= m =
alpha - L R >= alpha/2`` on the ball (Weyl), so ``d|r|/dt <= -m |J^T r|``, the path is no longer than ``r0 /
m <= R``, and

    |r(t)| <= exp(-alpha^2 t / 4) r0.

In steps of size ``eta``, with ``M = |J| + L R`` and ``g = 1 - eta (M^2 + L r0)/2 > 0``: ``|r'| <= |r| - eta g
|J^T r|^2 / |r|``. So the path is no longer than ``r0 / (g m)``, which is at most ``R`` for

    eta <= 2 (1 - alpha/(2m)) / (M^2 + L r0),        and then |r_k| <= (1 - eta g m^2)^k r0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Reasoned, text_above, text_below
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count
from analytic_ntk.positivity.rounded import TINY, Array, Rounded, above
from analytic_ntk.theory.overparameterization.feedforward import (
    FeedForward,
    Parameters,
    data,
    forward,
    tangent_kernel,
)
from analytic_ntk.theory.overparameterization.lipschitz import BITS, lipschitz, sizes_of
from analytic_ntk.theory.overparameterization.suprema import derivative_bounds
from analytic_ntk.theory.overparameterization.values import (
    frobenius_norm,
    largest_eigenvalue,
    root_above,
    root_below,
    smallest_eigenvalue,
)

_FARTHEST = 600.0
"""``exp`` beyond it is near the end of float64, where relative errors grow."""


class Verdict(Enum):
    """What a certificate says."""

    CONVERGES = "converges"
    """Proved: the ball holds a global minimum, and gradient descent reaches it at the rate."""
    NOT_CERTIFIED = "not certified"
    """Nothing is proved, in either direction."""


@dataclass(frozen=True)
class Certificate(Reasoned):
    """The answer of :func:`certify`. Every number is proved and rounded to the safe side.

    ``alpha <= sigma_min(J)``, ``norm >= |J|_op``, ``r0 >= |f - y|`` at the start; ``radius >= 2 r0 / alpha``;
    ``lipschitz`` holds on that ball; ``ratio >= 4 L r0 / alpha^2``, certified where it is at most 1.
    ``rate = alpha^2 / 4``; ``step``: the largest certified step (``inf`` where nothing moves). Without a
    certificate both are 0. ``reason`` says why not.
    """

    verdict: Verdict
    alpha: float
    norm: float
    r0: float
    radius: float
    lipschitz: float
    ratio: float
    rate: float
    step: float
    reason: str = ""

    def __bool__(self) -> bool:
        return self.verdict is Verdict.CONVERGES

    def flow_bound(self, time: float) -> float:
        """Of ``|r(t)|`` under gradient flow, ``exp(-rate t) r0``.

        Raises :class:`DomainError` where nothing is certified.
        """
        self._require_certified()
        if not _is_number(time) or not time >= 0:
            raise DomainError(f"time = {time!r}"[:80], "a number >= 0")
        return self._decayed(self.rate * time * (1 - 2.0**-50))

    def steps_bound(self, count: int, step: float | None = None) -> float:
        """Of ``|r_k|`` after ``count`` steps of gradient descent of size ``step <= self.step``."""
        self._require_certified()
        require_count(count, "count", 0)
        eta = self.step if step is None else step
        if not _is_number(eta) or not 0 < eta <= self.step:
            raise DomainError(f"step = {eta!r}"[:80], f"a number in (0, {self.step:g}]")
        return self._decayed(self._decrease(float(eta)) * count)

    def _decayed(self, exponent: float) -> float:
        """Not below ``exp(-exponent) r0``, and never 0: that would be too small."""
        if self.r0 == 0:
            return 0.0
        return math.exp(-min(exponent, _FARTHEST)) * self.r0 * (1 + 2.0**-40) + TINY

    def _decrease(self, eta: float) -> float:
        """Not above ``eta g m^2``: ``(1 - u)^k <= exp(-u k)``."""
        if self.r0 == 0:
            return 0.0
        with working_precision(BITS):
            m, curvature = _slack(self)
            found = arb(eta) * (1 - arb(eta) * curvature / 2) * m * m
            return max(0.0, float(found.lower()) * (1 - 2.0**-40))

    def _require_certified(self) -> None:
        if not self:
            raise DomainError("a bound without a certificate", "the verdict CONVERGES", self.reason)

    def __str__(self) -> str:
        up, down = text_above, text_below
        lines = [
            f"{self.verdict.value.upper()}" + (f": {self.reason}" if self.reason else ""),
            f"sigma_min(J) >= alpha = {down(self.alpha)}, |J| <= {up(self.norm)}, "
            f"|f - y| <= r0 = {up(self.r0)}",
            f"R = {up(self.radius)}, L_J = {up(self.lipschitz)}: 4 L_J r0 / alpha^2 = {up(self.ratio)} "
            "(at most 1 is required)",
        ]
        if self:
            lines.append(f"|r(t)| <= exp(-{down(self.rate)} t) r0, largest certified step {down(self.step)}")
        return "\n".join(lines)


def certify(network: FeedForward, params: Sequence[Any], X: ArrayLike, y: ArrayLike) -> Certificate:
    """Whether training all layers of ``network`` from ``params`` on ``|f(X) - y|^2 / 2`` provably converges.

    ``X``: ``(n, d)``; ``y``: ``(n,)`` or ``(n, outputs)``; ``params``: the matrices ``W_1 .. W_L``. Floats
    are taken as the binary numbers they are. Certified: the Jacobian at the start with every rounding
    error, ``sup |phi'|`` and ``sup |phi''|`` in balls, ``alpha`` by a Cholesky factorisation of ``J J^T``
    (Rump 2006), ``L_J`` layer by layer. Memory ``O(n width + (n outputs)^2)``.

    Raises :class:`DomainError` where ``phi'`` or ``phi''`` is unbounded (ReLU, ``x^3``), for shapes that do
    not fit, numbers that are not finite, and equal inputs with different labels: no network fits those.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> network = FeedForward(activations.tanh)
    >>> params = network.draw(np.random.default_rng(0), 3, widths=(2000,))
    >>> found = certify(network, params, np.eye(3), [1.0, -1.0, 1.0])
    >>> found.verdict.name, round(found.ratio, 2)
    ('CONVERGES', 0.01)
    """
    if not isinstance(network, FeedForward):
        raise DomainError(f"network = {type(network).__name__}", "a FeedForward", "FeedForward.of(finite)")
    bounds = derivative_bounds(network.activation)
    rows, labels = data(X, y)
    weights = network.check(params, rows.shape[1], labels.shape[1])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        at = forward(network, weights, rows, bounds)
        kernel = tangent_kernel(network, at)
        alpha, norm = root_below(smallest_eigenvalue(kernel)), root_above(largest_eigenvalue(kernel))
        r0 = frobenius_norm(at.values - Rounded.exact(labels))
        if not math.isfinite(r0):
            raise DomainError("a residual too large for float64", "smaller labels or parameters")
        if not alpha > 0:
            why = _why_singular(network, weights, rows, labels.shape[1])
            return Certificate(
                Verdict.NOT_CERTIFIED, 0.0, norm, r0, math.inf, math.inf, math.inf, 0.0, 0.0, why
            )
        radius = above((2 * arb(r0) / arb(alpha)).upper()) if r0 else 0.0
        constant = lipschitz(sizes_of(network, weights, at, bounds), radius)
    return _judged(alpha, norm, r0, radius, constant)


def _why_singular(network: FeedForward, params: Parameters, rows: Array, outputs: int) -> str:
    """Why ``sigma_min(J) = 0``, where that is plain to see."""
    count, equations = sum(w.size for w in params), len(rows) * outputs
    if len(np.unique(rows, axis=0)) < len(rows):
        return "equal inputs: merge them"
    if count < equations:
        return f"{count} parameters for {equations} equations: sigma_min(J) = 0"
    if network.activation.parity == "odd":
        if not rows.any(axis=1).all():
            return "an input is 0 and phi is odd: the network is 0 there, sigma_min(J) = 0"
        if len(np.unique(np.vstack([rows, -rows]) + 0.0, axis=0)) < 2 * len(rows):
            return "inputs x and -x and phi is odd: f(-x) = -f(x), sigma_min(J) = 0"
    return "sigma_min(J) could not be told from 0"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)


def _judged(alpha: float, norm: float, r0: float, radius: float, constant: float) -> Certificate:
    if not (math.isfinite(radius) and math.isfinite(constant)):
        why = "numbers beyond float64"
        return Certificate(
            Verdict.NOT_CERTIFIED, alpha, norm, r0, math.inf, math.inf, math.inf, 0.0, 0.0, why
        )
    with working_precision(BITS):
        a = arb(alpha)
        ratio = above((4 * arb(constant) * arb(r0) / (a * a)).upper())
        good = 2 * arb(constant) * arb(radius) <= a
        rate = float((a * a / 4).lower()) * (1 - 2.0**-50)
    if not good:
        why = "too large a residual, or too narrow"
        return Certificate(Verdict.NOT_CERTIFIED, alpha, norm, r0, radius, constant, ratio, 0.0, 0.0, why)
    found = Certificate(Verdict.CONVERGES, alpha, norm, r0, radius, constant, ratio, rate, math.inf)
    if r0 == 0:
        return found
    with working_precision(BITS):
        m, curvature = _slack(found)
        step = 2 * (1 - arb(r0) / (m * arb(radius))) / curvature
        size = max(0.0, float(step.lower()) * (1 - 2.0**-50))
    return Certificate(Verdict.CONVERGES, alpha, norm, r0, radius, constant, ratio, rate, size)


def _slack(found: Certificate) -> tuple[arb, arb]:
    """``m = alpha - L R`` (below ``sigma_min`` on the ball) and ``M^2 + L r0``."""
    reach = arb(found.lipschitz) * arb(found.radius)
    top = arb(found.norm) + reach
    return arb(found.alpha) - reach, top * top + arb(found.lipschitz) * arb(found.r0)
