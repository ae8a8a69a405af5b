"""Draws in blocks: each from its own seed, so that the numbers do not depend on who draws them."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk import __version__
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.finite_width.checkpoint import Checkpoint
from analytic_ntk.finite_width.moments import Moments
from analytic_ntk.layers.finite import FiniteNetwork, draw_network
from analytic_ntk.network import Network

Array = NDArray[np.float64]
MOST_BLOCKS = 512
"""Observations for the interval of the mean; more would gain nothing."""
_LEAST_BLOCKS = 128
_STORED = 1 << 25
"""Numbers held at most (four for each block and entry), as far as ``_LEAST_BLOCKS`` allows."""
_AT_ONCE = 1 << 19
"""Numbers in the largest array of an ensemble drawn in one go."""
_RESTARTS = 2


@dataclass(frozen=True)
class Question:
    """What is drawn: everything the numbers depend on."""

    network: Network
    X: Array
    width: int | tuple[int, ...]
    draws: int
    entropy: int
    parametrisation: str

    @property
    def entries(self) -> int:
        """Distinct entries of the two symmetric matrices."""
        return len(self.X) * (len(self.X) + 1)

    @property
    def block_size(self) -> int:
        most = min(MOST_BLOCKS, max(_LEAST_BLOCKS, _STORED // (4 * self.entries)))
        return max(1, self.draws // most)

    @property
    def blocks(self) -> int:
        """Their number; the last one is short where the draws do not divide evenly."""
        return -(-self.draws // self.block_size)

    def size_of(self, index: int) -> int:
        return min(self.block_size, self.draws - index * self.block_size)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": "finite-width draws 1",
            "versions": f"analytic_ntk {__version__}, numpy {np.__version__}",
            "network": repr(self.network),
            "inputs": hashlib.sha256(np.ascontiguousarray(self.X).tobytes()).hexdigest(),
            "shape": list(self.X.shape),
            "width": self.width if isinstance(self.width, int) else list(self.width),
            "draws": self.draws,
            "seed": str(self.entropy),
            "parametrisation": self.parametrisation,
        }

    def ensemble(self, rng: np.random.Generator, count: int) -> FiniteNetwork:
        """``count`` independent networks in one, along a first axis of every parameter."""
        width = self.width if isinstance(self.width, int) else list(self.width)
        layers, dim = self.network.layers, self.X.shape[1]
        return draw_network(layers, width, rng, dim, None, self.parametrisation, (count,))

    @property
    def at_once(self) -> int:
        """Networks drawn in one go."""
        widest = self.width if isinstance(self.width, int) else max(self.width)
        largest = widest * max(widest, len(self.X), self.X.shape[1])
        return max(1, min(self.block_size, _AT_ONCE // largest))


def draw_block(question: Question, index: int, kept: Checkpoint | None = None) -> Moments:
    """The moments of all entries (upper triangles of NNGP and NTK) over the draws of one block.

    Whoever draws a block writes it down: what is finished is not lost with the process that asked.
    """
    seed = np.random.SeedSequence(question.entropy, spawn_key=(index,))
    rng = np.random.default_rng(seed)
    upper = np.triu_indices(len(question.X))
    left = question.size_of(index)
    moments: Moments | None = None
    while left:
        count = min(left, question.at_once)
        finite = question.ensemble(rng, count)
        # one output of several: they are exchangeable, so its tangent kernel has the mean of all
        readout = np.eye(finite.outputs)[0] if finite.outputs > 1 else None
        found = finite.kernels(question.X, readout)
        nngp = np.broadcast_to(found.nngp, found.ntk.shape)  # one Dense alone has the same in all networks
        values = np.concatenate([nngp[:, upper[0], upper[1]], found.ntk[:, upper[0], upper[1]]], axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            piece = Moments.of(values)
            moments = piece if moments is None else moments.merged(piece)
        left -= count
    assert moments is not None
    if not np.isfinite(moments.as_rows()).all():
        raise DomainError(
            "draws whose fourth powers overflow float64", "moments that it can hold", "shrink the variances"
        )
    if kept is not None:
        kept.keep(index, moments.as_rows())
    return moments


def draw_blocks(
    question: Question, wanted: Sequence[int], workers: int, kept: Checkpoint | None
) -> Iterator[tuple[int, Moments]]:
    """Index and moments of each block as it is finished, in this process or in several.

    A worker that dies costs the blocks it had in hand, which are drawn again. Raises
    :class:`UndecidedError` where workers keep dying.
    """
    if workers == 1:
        for index in wanted:
            yield index, draw_block(question, index, kept)
        return
    left = list(wanted)
    if not left:
        return
    for restart in range(_RESTARTS + 1):
        try:
            for index, moments in _in_processes(question, left, min(workers, len(left)), kept):
                left.remove(index)
                yield index, moments
            return
        except BrokenProcessPool:
            if restart == _RESTARTS:
                raise UndecidedError(
                    f"{len(left)} blocks of draws: workers were killed {restart + 1} times",
                    "workers that stay alive",
                    "fewer workers or a smaller width, a checkpoint to keep what is finished; in a script, "
                    "a call under if __name__ == '__main__'",
                ) from None


def _in_processes(
    question: Question, wanted: Sequence[int], workers: int, kept: Checkpoint | None
) -> Iterator[tuple[int, Moments]]:
    """A few blocks at a time for each worker, so that a stop throws little away."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_serve)
    coming = iter(list(wanted))  # the caller strikes off what it gets
    waiting: dict[Future[Moments], int] = {}
    try:
        while True:
            while len(waiting) < 2 * workers and (index := next(coming, None)) is not None:
                waiting[pool.submit(draw_block, question, index, kept)] = index
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=_failed):  # a pool that breaks takes no finished block along
                yield waiting.pop(future), future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _failed(future: Future[Moments]) -> bool:
    return future.exception() is not None


def _serve() -> None:
    """What a worker begins with: it leaves Ctrl-C to the process that asked, and ends when that one does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess | None) -> None:
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody is left to tell: a worker that waits for its next block would wait for ever


Progress = Callable[[int, int, str], None]
"""Called with the number of draws done, of all draws, and what is at work."""


def silent(done: int, total: int, name: str) -> None:
    """No progress is shown."""
