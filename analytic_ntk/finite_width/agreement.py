"""Sampled networks against the kernels of infinite width: do they agree, and how finely was it asked?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Explained, Shown, axes_for, number_by_integers, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.blocks import Progress, silent
from analytic_ntk.finite_width.estimation import MeanEstimate, MonteCarlo, is_unbiased, monte_carlo, scale_of
from analytic_ntk.finite_width.expansion import Expansion, WidthLaw, width_law
from analytic_ntk.network import Network, require_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
MOST_ENTRIES = 60
_VERDICTS = {
    True: "the sampled networks agree with the limit",
    False: "the sampled networks do not agree with the limit",
    None: "too few draws for any interval",
}


@dataclass(frozen=True)
class Agreement(Explained, Shown):
    """What :func:`agreement` found.

    ``stated_error``: the largest radius of an interval over ``sqrt(K(x,x) K(y,y))``, so the smallest fault
    that is sure to be seen is about twice it. ``distance``: the largest distance of an estimate from the
    limit in the same measure. ``nngp_misses``, ``ntk_misses``: entries of the limit outside their intervals,
    ``(n, n)``. ``agrees``: there are none; ``None`` where the draws are too few for any interval. If the
    limit is right, ``False`` has at most the ``failure_probability``, under the assumption on the kurtosis
    and, where ``unbiased`` is false, of a bias that is ``c/width`` up to less than the stated error.
    """

    agrees: bool | None
    stated_error: float
    distance: float
    nngp_misses: NDArray[np.bool_]
    ntk_misses: NDArray[np.bool_]
    limit: tuple[Array, Array]
    estimate: MonteCarlo | WidthLaw
    unbiased: bool
    draws: int
    failure_probability: float

    @property
    def suspect(self) -> bool:
        """Whether a sample speaks against the assumption on the kurtosis."""
        return self.estimate.suspect

    def __str__(self) -> str:
        missed = int(np.triu(self.nngp_misses).sum() + np.triu(self.ntk_misses).sum())
        lines = [
            _VERDICTS[self.agrees],
            f"{self.draws} networks; {missed} entries of the limit outside their intervals",
            f"the intervals hold together with probability 1 - {self.failure_probability:g}, under the "
            "assumption on the kurtosis",
            f"largest distance {self.distance:.6g}, largest radius {self.stated_error:.6g}, of "
            "sqrt(K(x,x) K(y,y)): a fault of twice that radius is sure to be seen",
        ]
        if not self.unbiased:
            lines.append("a bias of these networks is taken for c/width, up to less than that radius")
        if self.suspect:
            lines.append("suspect: a sample speaks against the assumption on the kurtosis")
        return "\n".join(lines)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Each entry's interval about its limit, in units of ``sqrt(K(x,x) K(y,y))``; one that misses 0
        disagrees.

        The first 60 entries of the upper triangles, by rows. Infinite intervals are left out.
        """
        axes = axes_for(axes)
        estimates = (self.estimate.nngp, self.estimate.ntk)
        for shift, name, part, limit in zip(
            (-0.15, 0.15), ("NNGP", "NTK"), estimates, self.limit, strict=True
        ):
            upper = np.triu_indices(len(limit))
            centre, radius = (
                (part.limit, part.radius[0]) if isinstance(part, Expansion) else (part.centre, part.radius)
            )
            scale = np.where(scale_of(limit) > 0, scale_of(limit), 1.0)
            away, reach = ((centre - limit) / scale)[upper], (radius / scale)[upper]
            shown = np.flatnonzero(np.isfinite(reach))[:MOST_ENTRIES]
            axes.errorbar(
                shown + shift, away[shown], reach[shown], fmt="o", markersize=3, capsize=2, label=name
            )
        axes.axhline(0.0, color="black", linewidth=0.8)
        number_by_integers(axes)
        axes.set(xlabel="entry of the upper triangle", ylabel="distance from the limit, relative")
        return tidy(axes)


def agreement(
    network: Network,
    X: ArrayLike,
    width: int,
    draws: int,
    rng: np.random.Generator | int,
    failure_probability: float = 1e-9,
    kurtosis: float = 30.0,
    target: float | None = None,
    workers: int = 1,
    limit: tuple[ArrayLike, ArrayLike] | None = None,
    progress: Progress = silent,
    checkpoint: str | Path | None = None,
) -> Agreement:
    """Compare both kernels of sampled networks with ``limit = (nngp, ntk)``, by default ``network.gram``.

    Where the expectation at finite width is that of the limit (:func:`is_unbiased`), networks of one
    ``width`` are drawn; else of ``width`` and ``2 width``, ``draws`` of each, and the ``1/width`` part of
    the bias is removed (Richardson). Arguments and errors as in :func:`monte_carlo`.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.erf, depth=1, weight_variance=1, bias_variance=0)
    >>> found = finite_width.agreement(network, np.eye(2), width=16, draws=20_000, rng=0)
    >>> found.agrees, found.stated_error < 0.05
    (True, True)
    """
    require_network(network)
    if limit is not None and (not isinstance(limit, tuple) or len(limit) != 2):
        raise DomainError(f"limit = {limit!r}"[:100], "two matrices, (nngp, ntk)")
    unbiased = is_unbiased(network)
    estimate: MonteCarlo | WidthLaw
    if unbiased:
        estimate = monte_carlo(
            network, X, width, draws, rng, failure_probability, kurtosis, target, workers,
            progress=progress, checkpoint=checkpoint,
        )  # fmt: skip
        drawn = estimate.draws
    else:
        estimate = width_law(
            network, X, _doubled(width), draws, rng, None, failure_probability, kurtosis, target, workers,
            progress, checkpoint,
        )  # fmt: skip
        drawn = sum(e.draws for e in estimate.estimates)
    nngp, ntk = network.gram(X, kernel="both") if limit is None else limit
    known = (np.asarray(nngp, dtype=np.float64), np.asarray(ntk, dtype=np.float64))
    misses = estimate.nngp.misses(known[0]), estimate.ntk.misses(known[1])
    stated = max(estimate.nngp.relative_radius, estimate.ntk.relative_radius)
    missed = bool(misses[0].any() or misses[1].any())
    return Agreement(
        None if np.isinf(stated) and not missed else not missed,
        stated,
        max(_distance(estimate.nngp, known[0]), _distance(estimate.ntk, known[1])),
        misses[0],
        misses[1],
        known,
        estimate,
        unbiased,
        drawn,
        failure_probability,
    )


def _doubled(width: int) -> Sequence[int]:
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)):
        raise DomainError(f"width = {width!r}"[:100], "an integer >= 1")
    return [int(width), 2 * int(width)]


def _distance(estimate: MeanEstimate | Expansion, known: Array) -> float:
    centre = estimate.limit if isinstance(estimate, Expansion) else estimate.centre
    difference, scale = np.abs(centre - known), scale_of(known)
    return float(np.where(difference == 0, 0.0, difference / np.where(scale > 0, scale, 1.0)).max())
