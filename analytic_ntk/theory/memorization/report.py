"""Everything about the smallest eigenvalue of one network on one data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.typing import ArrayLike

from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.theory.memorization.blocks import blocks
from analytic_ntk.theory.memorization.ceilings import Ceiling, Ceilings, rank_ceilings
from analytic_ntk.theory.memorization.setting import Hypothesis, hypotheses, widths_of
from analytic_ntk.theory.memorization.smallest import ZERO, Smallest, smallest_eigenvalue


@dataclass(frozen=True)
class BlockReport:
    """One summand of the kernel. ``ceiling`` is ``None`` where nothing but the size bounds the rank."""

    columns: int
    smallest: Smallest
    ceiling: Ceiling | None


@dataclass(frozen=True)
class KernelReport:
    """``lambda_min`` of the kernel and of each block, ceilings of ranks, hypotheses of the theorem.

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

    @property
    def by_weyl(self) -> float:
        low = sum(part.smallest.lower for part in self.blocks)
        return low * (1 - 2.0**-40) if low > 0 else 0.0

    @property
    def reason(self) -> str | None:
        """Why ``lambda_min`` is 0, where an exact reason is known."""
        return self.ceilings.best.reason if self.ceilings.singular else None


def report(
    finite: FiniteNetwork,
    X: ArrayLike,
    readout: ArrayLike | None = None,
    method: str = "auto",
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> KernelReport:
    """The kernel of ``finite`` at the inputs ``X`` ``(N, d)``, block by block.

    Where a rank ceiling lies below ``N`` the eigenvalue is 0, exactly, and nothing is computed; else see
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
        zero = min(ceiling.rank, tied) < size
        smallest = ZERO if zero else smallest_eigenvalue([part], method)
        found.append(BlockReport(part.columns, smallest, ceiling if ceiling.rank < size else None))
    progress(len(parts), len(parts) + 1, "the sum")
    total = ZERO if ceilings.singular else smallest_eigenvalue(parts, method)
    widths = widths_of(finite)
    leading = widths[-2] * widths[-3] if widths is not None and len(widths) > 3 else None
    return KernelReport(size, tuple(found), total, ceilings, hypotheses(finite, X), leading)
