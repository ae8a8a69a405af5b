"""Bias and noise apart: kernels at several widths, and their law in ``1/width``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.blocks import Progress, silent
from analytic_ntk.finite_width.estimation import (
    ROUNDING,
    MeanEstimate,
    MonteCarlo,
    check_statistics,
    entropy_of,
    monte_carlo,
    scale_of,
)
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Expansion(Shown):
    """``E K_n = coefficients[0] + coefficients[1]/n + ...``, arrays ``(terms, n, n)``.

    ``radius``: how far each coefficient is at most from the same combination of the exact expectations at
    the widths (statistical). What the dropped powers add is not in it.
    """

    coefficients: Array
    radius: Array
    standard_error: Array

    @property
    def limit(self) -> Array:
        """The part that does not depend on the width: the bias removed to this order."""
        return np.asarray(self.coefficients[0])

    def misses(self, kernel: ArrayLike) -> NDArray[np.bool_]:
        """Which entries of ``kernel`` lie outside the interval of the limit, by more than rounding."""
        kernel = np.asarray(kernel, dtype=np.float64)
        if kernel.shape != self.limit.shape:
            raise DomainError(f"a kernel of shape {kernel.shape}", f"shape {self.limit.shape}")
        return np.asarray(np.abs(kernel - self.limit) > self.radius[0] + ROUNDING * scale_of(kernel))

    @property
    def relative_radius(self) -> float:
        """The largest radius of the limit over ``sqrt(K(x,x) K(y,y))``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.radius[0] / scale_of(self.limit)
        return float(np.where(self.radius[0] == 0, 0.0, ratio).max())


@dataclass(frozen=True)
class WidthLaw(Shown):
    """What :func:`width_law` found; the intervals of all widths hold together with probability at least
    ``1 - failure_probability``, under the assumption on the kurtosis (see :class:`MonteCarlo`)."""

    widths: tuple[int, ...]
    estimates: tuple[MonteCarlo, ...]
    nngp: Expansion
    ntk: Expansion
    failure_probability: float
    kind: str = "statistical"

    @property
    def suspect(self) -> bool:
        """Whether some sample speaks against the assumption on the kurtosis."""
        return any(estimate.suspect for estimate in self.estimates)

    def plot(
        self,
        axes: Axes | None = None,
        kernel: str = "ntk",
        entry: tuple[int, int] = (0, 0),
        limit: ArrayLike | None = None,
    ) -> Axes:
        """One entry over ``1/width``: estimates with intervals, the fitted law, and the limit (``(n, n)``, as
        :meth:`~analytic_ntk.Network.gram` gives it) where it is given.

        Raises :class:`DomainError` for another kernel, an entry that is not there, a limit of another shape.
        """
        if kernel not in ("nngp", "ntk"):
            raise DomainError(f"kernel = {kernel!r}"[:100], '"nngp" or "ntk"')
        expansion: Expansion = getattr(self, kernel)
        known = None if limit is None else np.asarray(limit, dtype=np.float64)
        if known is not None and known.shape != expansion.limit.shape:
            raise DomainError(f"a limit of shape {known.shape}", f"shape {expansion.limit.shape}")
        i, j = entry
        if not (0 <= i < len(expansion.limit) and 0 <= j < len(expansion.limit)):
            raise DomainError(f"entry = {entry!r}"[:100], f"two numbers from 0 to {len(expansion.limit) - 1}")
        axes = axes_for(axes)
        parts = [getattr(estimate, kernel) for estimate in self.estimates]
        places = 1.0 / np.array(self.widths)
        centres, radii = [p.centre[i, j] for p in parts], [p.radius[i, j] for p in parts]
        reach = np.where(np.isfinite(radii), radii, 0.0)
        axes.errorbar(places, centres, reach, fmt="o", markersize=4, label="sampled")
        line = np.linspace(0.0, places.max(), 100)
        axes.plot(
            line, np.polynomial.polynomial.polyval(line, expansion.coefficients[:, i, j]), label="fitted"
        )
        if known is not None:
            axes.plot([0.0], [known[i, j]], "s", color="black", markersize=5, label="infinite width")
        axes.set(xlabel="1 / width", ylabel=f"{kernel.upper()}({i}, {j})")
        return tidy(axes)


def width_law(
    network: Network,
    X: ArrayLike,
    widths: Sequence[int],
    draws: int | Sequence[int],
    rng: np.random.Generator | int,
    terms: int | None = None,
    failure_probability: float = 1e-9,
    kurtosis: float = 10.0,
    target: float | None = None,
    workers: int = 1,
    progress: Progress = silent,
    checkpoint: str | Path | None = None,
) -> WidthLaw:
    """Both kernels at several ``widths``, and the law ``K + c_1/n + c_2/n^2 + ...``, with ``terms`` terms.

    Without ``terms``, as many as widths: Richardson's extrapolation, with two widths ``2 K_2n - K_n``. With
    fewer, least squares weighted by ``width * draws``. ``draws``: one number, or one for each width. Other
    arguments and errors as in :func:`monte_carlo`; checkpoints of the widths are folders in ``checkpoint``.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance=0)
    >>> law = finite_width.width_law(network, np.eye(2), [8, 16], draws=3000, rng=0)
    >>> law.ntk.coefficients.shape, bool(law.ntk.misses(network.gram(np.eye(2))).any())
    ((2, 2, 2), False)
    """
    chosen = list(widths) if isinstance(widths, (list, tuple, np.ndarray)) else []
    if len(chosen) < 2:
        raise DomainError(f"widths = {widths!r}"[:100], "a list of two widths or more")
    for width in chosen:
        require_count(width, "width", 1)
    if sorted(set(chosen)) != chosen:
        raise DomainError(f"widths = {widths!r}"[:100], "different widths, smallest first")
    check_statistics(failure_probability, kurtosis, target)
    budget: list[Any] = list(draws) if isinstance(draws, (list, tuple)) else [draws] * len(chosen)
    for drawn in budget:
        require_count(drawn, "draws", 2)
    if len(budget) != len(chosen):
        raise DomainError(f"{len(budget)} numbers of draws for {len(chosen)} widths", "one for each")
    count = len(chosen) if terms is None else terms
    require_count(count, "terms", 1)
    if count > len(chosen):
        raise DomainError(f"{count} terms from {len(chosen)} widths", "at least one width for each term")
    seeds = np.random.SeedSequence(entropy_of(rng)).generate_state(len(chosen), np.uint64)
    estimates = tuple(
        monte_carlo(
            network,
            X,
            int(width),
            drawn,
            int(seed),
            failure_probability / len(chosen),
            kurtosis,
            target,
            workers,
            "ntk",
            progress,
            None if checkpoint is None else Path(checkpoint) / f"width-{width}",
        )
        for width, drawn, seed in zip(chosen, budget, seeds, strict=True)
    )
    weights = _weights(chosen, budget, count)
    nngp, ntk = (
        _combined(weights, parts) for parts in ([e.nngp for e in estimates], [e.ntk for e in estimates])
    )
    return WidthLaw(tuple(int(w) for w in chosen), estimates, nngp, ntk, failure_probability)


@dataclass(frozen=True)
class Exponents(Shown):
    """``p`` in ``|E K_n - K| ~ n^p`` for each entry, with an interval: ``(n, n)`` each. Where the bias cannot
    be told from 0 at some width there is none: ``low, high`` are infinite."""

    value: Array
    low: Array
    high: Array


def bias_exponents(law: WidthLaw, limit: ArrayLike, kernel: str = "ntk") -> Exponents:
    """The exponent of the bias, fitted to the distances from the known ``limit`` on logarithmic scales.

    The intervals are those of the distances, carried through the fit: statistical, and of the apparent
    exponent over these widths, which the higher powers of ``1/n`` move a little away from the true one.
    """
    if kernel not in ("nngp", "ntk"):
        raise DomainError(f"kernel = {kernel!r}"[:100], '"nngp" or "ntk"')
    parts: list[MeanEstimate] = [getattr(estimate, kernel) for estimate in law.estimates]
    known = np.asarray(limit, dtype=np.float64)
    if known.shape != parts[0].centre.shape:
        raise DomainError(f"a limit of shape {known.shape}", f"shape {parts[0].centre.shape}")
    distance = np.abs(np.array([part.centre for part in parts]) - known)
    radius = np.array([part.radius for part in parts])
    logs = np.log(np.array(law.widths, dtype=np.float64))
    slope = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = (distance > radius).all(axis=0)
        safe = np.where(seen, distance, 1.0)
        edges = np.where(seen, radius, 0.0)
        value = np.einsum("w,wij->ij", slope, np.log(safe))
        up, down = np.log(safe + edges), np.log(safe - edges)
    rising = (slope > 0)[:, None, None]
    high = np.einsum("w,wij->ij", slope, np.where(rising, up, down))
    low = np.einsum("w,wij->ij", slope, np.where(rising, down, up))
    return Exponents(np.where(seen, value, 0.0), np.where(seen, low, -np.inf), np.where(seen, high, np.inf))


def _weights(widths: list[int], draws: list[int], terms: int) -> Array:
    """``(terms, widths)``: the coefficients as fixed linear combinations of the expectations."""
    n = np.array(widths, dtype=np.float64)
    powers = n[:, None] ** -np.arange(terms)
    if terms == len(widths):
        return np.asarray(np.linalg.inv(powers), dtype=np.float64)
    root = np.sqrt(n * np.array(draws, dtype=np.float64))[:, None]
    return np.asarray(np.linalg.pinv(root * powers) * root[:, 0])


def _combined(weights: Array, parts: list[MeanEstimate]) -> Expansion:
    centres, radii = np.array([p.centre for p in parts]), np.array([p.radius for p in parts])
    errors = np.array([p.standard_error for p in parts])
    used = [row != 0 for row in weights]  # a radius may be infinite
    radius = np.array(
        [np.einsum("w,wij->ij", np.abs(row[u]), radii[u]) for row, u in zip(weights, used, strict=True)]
    )
    return Expansion(
        np.einsum("tw,wij->tij", weights, centres),
        radius,
        np.sqrt(np.einsum("tw,wij->tij", weights**2, errors**2)),
    )
