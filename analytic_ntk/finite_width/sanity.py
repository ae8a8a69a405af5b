"""A few networks against the limit: a check against gross errors, for reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers import FiniteNetwork
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.network import Network, require_network

Array = NDArray[np.float64]


def sample(
    network: Network, input_dim: int, width: int, rng: np.random.Generator, outputs: int | None = None
) -> FiniteNetwork:
    """:meth:`Network.sample` with one width for all layers, under its older name."""
    require_network(network)
    return network.sample(width, rng, input_dim, outputs)


def scalar_readout(finite: FiniteNetwork, rng: np.random.Generator) -> Array | None:
    """A random direction among the outputs (``None`` for one output): one pass back instead of many.

    Independent of the parameters, so the tangent kernel of ``readout . f`` has the mean of a single output's.
    """
    if finite.outputs == 1:
        return None
    direction = rng.standard_normal(finite.outputs)
    return direction / np.linalg.norm(direction)


@dataclass(frozen=True)
class KernelEstimate(Shown):
    """The mean of an empirical kernel over independent networks, against its infinite-width limit, (n, n)."""

    mean: Array
    standard_error: Array
    limit: Array

    @property
    def z_scores(self) -> Array:
        """``(mean - limit) / standard_error``; 0 where both vanish."""
        difference = self.mean - self.limit
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = difference / self.standard_error
        return np.where(difference == 0, 0.0, scores)


@dataclass(frozen=True)
class SanityCheck(Shown):
    """What :func:`sanity_check` found."""

    width: int
    draws: int
    nngp: KernelEstimate
    ntk: KernelEstimate


def sanity_check(
    network: Network, X: ArrayLike, width: int, draws: int, rng: np.random.Generator
) -> SanityCheck:
    """Sample ``draws`` networks of one ``width`` and compare their kernels with :meth:`Network.gram`.

    The standard error is that of the mean over draws. It says nothing of the bias at finite width, of order
    ``depth/width`` relative to the kernel, nor of tails too heavy for a few draws to show (``exp``, high
    powers): this is a check against gross errors; :func:`monte_carlo` is the measurement.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.finite_width import sanity_check
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> check = sanity_check(network, np.eye(2), width=256, draws=20, rng=np.random.default_rng(0))
    >>> bool(abs(check.ntk.z_scores).max() < 5)
    True
    """
    require_network(network)
    require_count(draws, "draws", 2)
    require_count(width, "width", 1)
    require_rng(rng)
    rows = matrix(X, "X")
    nngp_limit, ntk_limit = network.gram(rows, kernel="both")
    nngp, ntk = [], []
    for _ in range(draws):
        finite = network.sample(width, rng, rows.shape[1])
        kernels = finite.kernels(rows, scalar_readout(finite, rng))
        nngp.append(kernels.nngp)
        ntk.append(kernels.ntk)
    return SanityCheck(
        width, draws, _estimate(np.array(nngp), nngp_limit), _estimate(np.array(ntk), ntk_limit)
    )


def _estimate(values: Array, limit: Array) -> KernelEstimate:
    return KernelEstimate(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)), limit)
