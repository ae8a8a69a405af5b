"""How fast the kernels of finite Taylor features approach their limit: measured, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.network import Network
from analytic_ntk.theory.taylor.features import feature_kernel
from analytic_ntk.theory.taylor.kernel import TaylorKernel

Array = NDArray[np.float64]
SIGMAS = 4.0
"""Half width of intervals in standard errors."""


@dataclass(frozen=True)
class Rate(Shown):
    """``distance[i]``: the root mean square over draws of ``|K_m - K|_F/|K|_F`` at ``widths[i]``.

    ``exponent``: the slope ``p`` of ``distance ~ m^p`` in logarithms (weighted least squares). Errors are
    standard errors over the draws, normal approximation; ``low, high`` are ``exponent -+ 4`` of them.
    """

    widths: tuple[int, ...]
    distance: Array
    distance_error: Array
    exponent: float
    exponent_error: float
    kind: str = "statistical"

    @property
    def low(self) -> float:
        return self.exponent - SIGMAS * self.exponent_error

    @property
    def high(self) -> float:
        return self.exponent + SIGMAS * self.exponent_error


def convergence(
    kernel: TaylorKernel, X: Any, widths: Sequence[int], draws: int, rng: np.random.Generator
) -> Rate:
    """Feature kernels of random two-layer networks at several widths against ``kernel.gram(X)``.

    The kernel of a network is a mean over independent units, so its mean square distance from the limit is
    ``c/m`` exactly, and the exponent is ``-1/2``. Raises :class:`DomainError` for fewer than two widths,
    fewer than two draws, and a kernel that vanishes on ``X``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import taylor
    >>> quadratic = taylor.kernel(activations.erf, 2)
    >>> found = taylor.convergence(quadratic, np.eye(2), [16, 64, 256], 200, np.random.default_rng(0))
    >>> found.low < -0.5 < found.high
    True
    """
    if not isinstance(kernel, TaylorKernel):
        raise DomainError(
            f"kernel = {kernel!r}"[:100], "a TaylorKernel", "use taylor.kernel(activation, order)"
        )
    chosen = list(widths) if isinstance(widths, (list, tuple)) else []
    for m in chosen:
        require_count(m, "width", 1)
    if len(chosen) < 2 or sorted(set(chosen)) != chosen:
        raise DomainError(f"widths = {widths!r}"[:100], "two widths or more, smallest first")
    require_count(draws, "draws", 2)
    require_rng(rng)
    limit = kernel.gram(X)
    size = float(np.linalg.norm(limit))
    if size == 0:
        raise DomainError("a kernel that is 0 on these inputs", "a limit other than 0")
    w, b = kernel.weight_variance, kernel.bias_variance
    network = Network(Dense(w, b), Nonlinearity(kernel.activation), Dense(w, b))
    X = np.asarray(X, dtype=np.float64)
    squares = np.empty((len(chosen), draws))
    for i, m in enumerate(chosen):
        for k in range(draws):
            finite = network.sample([m, 1], rng, X.shape[1])
            found = feature_kernel(finite, X, kernel.order, kernel.layers)
            squares[i, k] = (np.linalg.norm(found - limit) / size) ** 2
    mean, error = squares.mean(axis=1), squares.std(axis=1, ddof=1) / np.sqrt(draws)
    if not mean.all():
        raise DomainError("feature kernels equal to the limit at every draw", "features that vary")
    logs, sigma = np.log(np.array(chosen, dtype=np.float64)), 0.5 * error / mean
    weight = 1.0 / sigma**2 if sigma.all() else np.ones(len(chosen))
    centred = logs - np.average(logs, weights=weight)
    slope = weight * centred / np.sum(weight * centred**2)
    distance = np.sqrt(mean)
    return Rate(
        tuple(chosen),
        distance,
        distance * sigma,
        float(slope @ np.log(distance)),
        float(np.sqrt(np.sum((slope * sigma) ** 2))),
    )
