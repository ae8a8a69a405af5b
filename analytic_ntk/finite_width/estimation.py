"""Estimates of both kernels at finite width, with intervals that say what they guarantee."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.blocks import Progress, Question, draw_blocks, silent
from analytic_ntk.finite_width.checkpoint import Checkpoint
from analytic_ntk.finite_width.inputs import matrix, require_number
from analytic_ntk.finite_width.intervals import (
    SIDES,
    catoni_centre,
    catoni_radius,
    catoni_scale,
    variance_bound,
)
from analytic_ntk.finite_width.moments import Moments
from analytic_ntk.layers import Dense, Layer, Nonlinearity, Residual
from analytic_ntk.layers.finite import draw_network
from analytic_ntk.layers.units import require_count
from analytic_ntk.network import Network, require_network

Array = NDArray[np.float64]
ROUNDING = 1e-11
"""Of ``sqrt(K(x,x) K(y,y))``: what float64 may do to sampled kernels and to the limit, beside all chance."""
_FIRST_LOOK = 128
_PILOT = 16


@dataclass(frozen=True)
class MeanEstimate(Shown):
    """The expectation of a random kernel, entry by entry, ``(n, n)`` each.

    ``mean`` and ``standard_error`` are those of the sample. ``centre +- radius`` is the interval: kind
    "statistical", it holds for all entries of both kernels at once with the probability that the
    :class:`MonteCarlo` states; ``radius`` is ``inf`` where the draws are too few for any such statement.
    ``kurtosis`` is that of the sample.
    """

    mean: Array
    standard_error: Array
    centre: Array
    radius: Array
    kurtosis: Array

    def misses(self, kernel: ArrayLike) -> NDArray[np.bool_]:
        """Which entries of ``kernel`` lie outside their intervals by more than rounding, ``(n, n)``."""
        kernel = np.asarray(kernel, dtype=np.float64)
        if kernel.shape != self.centre.shape:
            raise DomainError(f"a kernel of shape {kernel.shape}", f"shape {self.centre.shape}")
        return np.asarray(np.abs(kernel - self.centre) > self.radius + ROUNDING * scale_of(kernel))

    @property
    def relative_radius(self) -> float:
        """The largest ``radius / sqrt(K(x,x) K(y,y))``."""
        scale = scale_of(self.centre)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.where(self.radius == 0, 0.0, self.radius / scale).max())


@dataclass(frozen=True)
class MonteCarlo(Shown):
    """What :func:`monte_carlo` found: both kernels of networks of this width, in expectation.

    With probability at least ``1 - failure_probability`` every interval of both holds, if no entry of a
    single draw has a kurtosis above ``assumed_kurtosis``. ``unbiased``: whether the expectation is known
    to be that of infinite width; else it differs from it by ``O(1/width)``.
    """

    nngp: MeanEstimate
    ntk: MeanEstimate
    width: int | tuple[int, ...]
    draws: int
    seed: int
    failure_probability: float
    assumed_kurtosis: float
    parametrisation: str
    unbiased: bool
    kind: str = "statistical"

    @property
    def suspect(self) -> bool:
        """Whether the sample itself speaks against the assumption: a sample kurtosis above it."""
        return bool(max(self.nngp.kurtosis.max(), self.ntk.kurtosis.max()) > self.assumed_kurtosis)

    @property
    def relative_radius(self) -> float:
        return max(self.nngp.relative_radius, self.ntk.relative_radius)


def monte_carlo(
    network: Network,
    X: ArrayLike,
    width: int | Sequence[int],
    draws: int,
    rng: np.random.Generator | int,
    failure_probability: float = 1e-9,
    kurtosis: float = 10.0,
    target: float | None = None,
    workers: int = 1,
    parametrisation: str = "ntk",
    progress: Progress = silent,
    checkpoint: str | Path | None = None,
) -> MonteCarlo:
    """Expectations of the empirical NNGP and NTK on the rows of ``X`` over ``draws`` networks of a ``width``.

    One output of a network is looked at. The failure probability is shared by all entries of both matrices
    (union bound). ``kurtosis`` is an assumption about a single draw (a Gaussian has 3); how the intervals
    follow from it: :mod:`analytic_ntk.finite_width.intervals`. With ``target`` the run stops as soon as
    every radius is at most ``target sqrt(K(x,x) K(y,y))``; the interval is looked at after 128, 256, ...
    blocks of draws (there are about 512) and at the end, and look ``k = 0, 1, ...`` may spend
    ``1/((k+1)(k+2))`` of the failure probability, so that stopping early costs nothing of it.

    The numbers depend on ``rng`` (a seed >= 0, or a generator that gives one), not on ``workers``. With
    ``checkpoint``, a folder, finished blocks of draws survive Ctrl-C, a kill of a worker or of all, and the
    same question asked again goes on from there; without, they are lost with the call that is stopped.
    Several workers are fresh processes: a script calls this under ``if __name__ == "__main__":``.
    Raises :class:`DomainError` for ``draws < 2``, more workers than draws, inputs that are not finite, a
    checkpoint of another question or a damaged one, :class:`UndecidedError` where workers are killed again
    and again.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance=0)
    >>> found = finite_width.monte_carlo(network, np.eye(2), width=16, draws=4000, rng=0)
    >>> found.unbiased, bool(found.ntk.misses(network.gram(np.eye(2))).any())
    (True, False)
    """
    question = _question(network, X, width, draws, rng, parametrisation)
    check_statistics(failure_probability, kurtosis, target)
    require_count(workers, "workers", 1)
    if workers > draws:
        raise DomainError(f"{workers} workers for {draws} draws", "at most one worker for each draw")
    kept = None if checkpoint is None else Checkpoint(checkpoint, question.as_json())
    run = _Run(question, failure_probability, kurtosis, kept)
    for look, count in enumerate(_looks(question, target)):
        run.until(count, workers, kept, progress)
        last = target is None or count == question.blocks
        spent = failure_probability if target is None else failure_probability / ((look + 1) * (look + 2))
        found = run.estimate(count, spent)
        if last or (target is not None and found.relative_radius <= target):
            return found
    raise AssertionError("the last look is at all blocks")


def _looks(question: Question, target: float | None) -> list[int]:
    """Numbers of blocks after which the intervals are looked at."""
    every = question.blocks
    if target is None:
        return [every]
    counts = [_FIRST_LOOK << k for k in range(12)]
    return [count for count in counts if count < every] + [every]


class _Run:
    """The blocks that are done, each with its moments."""

    def __init__(self, question: Question, failure: float, kurtosis: float, kept: Checkpoint | None) -> None:
        self.question, self.failure, self.kurtosis = question, failure, kurtosis
        earlier = () if kept is None else kept.finished((4, question.entries))
        self.found = {
            index: Moments.from_rows(question.size_of(index), rows)
            for index, rows in earlier
            if index < question.blocks
        }

    def until(self, count: int, workers: int, kept: Checkpoint | None, progress: Progress) -> None:
        """Draw the blocks below ``count`` that are not there yet."""
        question = self.question
        wanted = [index for index in range(count) if index not in self.found]
        done = sum(question.size_of(index) for index in self.found)
        progress(done, question.draws, "draws")
        for index, moments in draw_blocks(question, wanted, workers, kept):
            self.found[index] = moments
            done += moments.count
            progress(done, question.draws, "draws")

    def estimate(self, count: int, failure: float) -> MonteCarlo:
        """From the blocks below ``count``, in their order whoever drew them."""
        question = self.question
        blocks = [self.found[index] for index in range(count)]
        moments = blocks[0]
        for block in blocks[1:]:
            moments = moments.merged(block)
        means = np.array([block.mean for block in blocks])
        if (np.ptp(means, axis=0) > 0)[moments.m4 < np.finfo(np.float64).tiny].any():
            raise DomainError(
                "draws whose fourth powers underflow float64", "larger kernels", "rescale the inputs"
            )
        each = failure / (question.entries * SIDES)
        centre, radius = _interval(blocks, moments, question.block_size, self.kurtosis, each)
        n = len(question.X)
        half = len(moments.mean) // 2
        columns = (moments.mean, moments.standard_error, centre, radius, moments.kurtosis)
        nngp, ntk = (
            MeanEstimate(*(_symmetric(column[part], n) for column in columns))
            for part in (slice(None, half), slice(half, None))
        )
        return MonteCarlo(
            nngp, ntk, question.width, moments.count, question.entropy, self.failure, self.kurtosis,
            question.parametrisation,
            is_unbiased(question.network) and question.parametrisation == "ntk",
        )  # fmt: skip


def _interval(
    blocks: list[Moments], moments: Moments, size: int, kurtosis: float, failure: float
) -> tuple[Array, Array]:
    """Centre and radius of each entry; see :mod:`analytic_ntk.finite_width.intervals`."""
    pilot_count = max(1, len(blocks) // _PILOT)
    pilot = blocks[0]
    for block in blocks[1:pilot_count]:
        pilot = pilot.merged(block)
    seen = [block for block in blocks[pilot_count:] if block.count == size]
    if not seen or pilot.count < 2:
        return moments.mean, np.full_like(moments.mean, np.inf)
    scale = catoni_scale(pilot.variance / size, len(seen), failure)
    bound = variance_bound(moments, kurtosis, failure) / size
    radius = catoni_radius(scale, bound, len(seen), failure)
    return catoni_centre(np.array([block.mean for block in seen]), scale), radius


def is_unbiased(network: Network) -> bool:
    """Whether finite networks have, at every width, exactly the kernels of the limit in expectation.

    So it is in NTK parametrisation when at most one nonlinearity is met, right behind the first ``Dense``
    (which alone has pre-activations that are exactly Gaussian), in a branch or not, and no ``LayerNorm``:
    all else is linear in what is random. One hidden layer, in particular. ``False``: not known to be so.

    >>> from analytic_ntk import Network, activations
    >>> [is_unbiased(Network.mlp(activations.tanh, depth, 1, 0)) for depth in (1, 2)]
    [True, False]
    """
    require_network(network)
    return _linear_after(network.layers, [0])


def _linear_after(layers: Sequence[Layer], place: list[int]) -> bool:
    """``place``: how many layers, branches opened, stand before; the nonlinearity must come at 1."""
    for layer in layers:
        if isinstance(layer, Residual):
            if not _linear_after(layer.branch, place):
                return False
        elif not isinstance(layer, Dense) and not (isinstance(layer, Nonlinearity) and place[0] == 1):
            return False
        place[0] += 1
    return True


def scale_of(kernel: Array) -> Array:
    """``sqrt(K(x,x) K(y,y))``."""
    root = np.sqrt(np.abs(np.diag(kernel)))
    return root[:, None] * root[None, :]


def _symmetric(entries: Array, n: int) -> Array:
    full = np.empty((n, n))
    upper = np.triu_indices(n)
    full[upper] = entries
    full.T[upper] = entries
    return full


# ------------------------------------------------------------------------------------ checks


def _question(
    network: Network,
    X: ArrayLike,
    width: int | Sequence[int],
    draws: int,
    rng: np.random.Generator | int,
    parametrisation: str,
) -> Question:
    require_network(network)
    rows = matrix(X, "X")
    require_count(draws, "draws", 2)
    entropy = entropy_of(rng)
    chosen = int(width) if isinstance(width, (int, np.integer)) and not isinstance(width, bool) else width
    if isinstance(chosen, (list, tuple, np.ndarray)):
        chosen = tuple(chosen)
    # an ensemble of none: widths, parametrisation and symbols are refused here, before any worker starts
    draw_network(
        network.layers,
        list(chosen) if isinstance(chosen, tuple) else chosen,
        np.random.default_rng(0), rows.shape[1], None, parametrisation, (0,),
    )  # fmt: skip
    widths = chosen if isinstance(chosen, int) else tuple(int(w) for w in chosen)
    return Question(network, rows, widths, int(draws), entropy, parametrisation)


def check_statistics(failure_probability: float, kurtosis: float, target: float | None) -> None:
    """Raise :class:`DomainError` for what cannot be asked of intervals."""
    require_number(failure_probability, "failure_probability", 0.0, 1.0)
    require_number(kurtosis, "kurtosis", 1.0, math.inf)
    if target is not None:
        require_number(target, "target", 0.0, math.inf)


def entropy_of(rng: np.random.Generator | int) -> int:
    """A seed, or one drawn from a generator. Raises :class:`DomainError` for anything else."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    require_count(rng, "rng", 0)
    return int(rng)
