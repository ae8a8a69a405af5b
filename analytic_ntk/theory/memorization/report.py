"""Everything about the smallest eigenvalue of one network on one data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.display import Shown
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.theory.memorization.blocks import Block, blocks
from analytic_ntk.theory.memorization.ceilings import Ceiling, Ceilings, rank_ceilings
from analytic_ntk.theory.memorization.setting import Hypothesis, hypotheses, widths_of
from analytic_ntk.theory.memorization.smallest import DEAD, ZERO, Smallest, smallest_eigenvalue


@dataclass(frozen=True)
class BlockReport(Shown):
    """One summand of the kernel. ``ceiling`` is ``None`` where nothing but the size bounds the rank."""

    columns: int
    smallest: Smallest
    ceiling: Ceiling | None


@dataclass(frozen=True)
class KernelReport(Shown):
    """``lambda_min`` of the kernel and of each block, ceilings of ranks, hypotheses of the theorem.

    ``dead``: a rank below ``N`` at these parameters only, which the float64 features show: units that are
    off at all inputs, inputs that reach no unit; ``None`` if there are none, or if a ceiling says as much.

    ``by_weyl``: ``sum_l lambda_min(K_l) <= lambda_min(K)``, from the lower bounds of the blocks; it is a
    lower bound where they are. ``leading``: ``n_{L-1} n_{L-2}``, the rate of the theorem, for two or more
    hidden layers.
    """

    size: int
    blocks: tuple[BlockReport, ...]
    total: Smallest
    ceilings: Ceilings
    hypotheses: tuple[Hypothesis, ...]
    leading: int | None
    dead: Ceiling | None = None

    @property
    def by_weyl(self) -> float:
        low = sum(part.smallest.lower for part in self.blocks)
        return low * (1 - 2.0**-40) if low > 0 else 0.0

    @property
    def reason(self) -> str | None:
        """Why ``lambda_min`` is 0: an exact reason if one is known, else what is dead at these parameters."""
        if self.ceilings.singular:
            return self.ceilings.best.reason
        return self.dead.reason if self.dead else None


def report(
    finite: FiniteNetwork,
    X: ArrayLike,
    readout: ArrayLike | None = None,
    method: str = "auto",
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> KernelReport:
    """The kernel of ``finite`` at the inputs ``X`` ``(N, d)``, block by block.

    Where a rank ceiling lies below ``N`` the eigenvalue is 0, exactly, and nothing is computed; where units
    or inputs are dead it is 0 for these float64 features, which is called certified; else see
    :func:`~analytic_ntk.theory.memorization.smallest.smallest_eigenvalue`. Raises :class:`DomainError` for
    inputs that are no finite matrix and for several outputs without ``readout``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory.memorization import draw, report
    >>> rng = np.random.default_rng(0)
    >>> found = report(draw(activations.sigmoid, 10, [10, 10], rng), rng.standard_normal((30, 10)))
    >>> [part.smallest.kind for part in found.blocks], found.blocks[2].ceiling.reason
    (['certified', 'certified', 'exact'], '10 x 1 parameters')
    >>> 0 < found.by_weyl <= found.total.upper
    True
    """
    parts = blocks(finite, X, readout)
    ceilings = rank_ceilings(finite, X)
    size = len(parts[0].features)
    found: list[BlockReport] = []
    for place, part in enumerate(parts):
        progress(place, len(parts) + 1, f"block {place + 1}")
        ceiling = ceilings.blocks[place] if ceilings.blocks else None
        if ceiling is None or ceiling.rank > part.columns:
            ceiling = Ceiling(min(size, part.columns), f"{part.columns} parameters")
        # a tie holds for every block; the other ceilings of the whole are not needed here
        tied = size - len(ceilings.ties)
        if min(ceiling.rank, tied) < size:
            smallest = ZERO
        else:
            smallest = DEAD if _dead([part]) else smallest_eigenvalue([part], method)
        found.append(BlockReport(part.columns, smallest, ceiling if ceiling.rank < size else None))
    progress(len(parts), len(parts) + 1, "the sum")
    dead = None if ceilings.singular else _dead(parts)
    total = ZERO if ceilings.singular else DEAD if dead else smallest_eigenvalue(parts, method)
    widths = widths_of(finite)
    leading = widths[-2] * widths[-3] if widths is not None and len(widths) > 3 else None
    return KernelReport(size, tuple(found), total, ceilings, hypotheses(finite, X), leading, dead)


def _dead(parts: Sequence[Block]) -> Ceiling | None:
    """A rank below ``N`` for rows or columns of the Jacobian that are 0 in these float64 features."""
    size = len(parts[0].features)
    live = np.any([part.features.any(axis=1) & part.rows.any(axis=1) for part in parts], axis=0)
    lost = size - int(live.sum())
    columns = sum(part.directions for part in parts)
    if columns < size - lost:
        whole = sum(part.columns for part in parts)
        return Ceiling(columns, f"{columns} of {whole} parameters matter at these inputs: dead units")
    if lost:
        return Ceiling(size - lost, f"{lost} of {size} inputs, where all derivatives are 0: dead units")
    return None
