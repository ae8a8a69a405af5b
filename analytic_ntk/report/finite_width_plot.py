"""Finite networks beside the limit, as SVG text: kernels, the law in 1/width, training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from analytic_ntk.display import tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width import Agreement, Convergence, Flow, Training, WidthLaw
from analytic_ntk.report import plots


def agreement_plot(found: Agreement) -> str:
    """What :meth:`Agreement.plot` draws."""
    return plots.picture(found.plot)


def width_plot(law: WidthLaw, limit: ArrayLike, kernel: str = "ntk", entry: tuple[int, int] = (0, 0)) -> str:
    """What :meth:`WidthLaw.plot` draws."""
    return plots.picture(lambda axes: law.plot(axes, kernel, entry, limit))


def convergence_plot(found: Convergence) -> str:
    """What :meth:`Convergence.plot` draws."""
    return plots.picture(found.plot)


def training_plot(flow: Flow, trainings: Sequence[Training], point: int = 0, output: int = 0) -> str:
    """One output at one test input over time: the limit's mean and two standard deviations, and networks.

    The flow must have been asked at the test inputs of the trainings, with their learning rate or none.
    """
    if not trainings:
        raise DomainError("no trainings", "at least one")

    def draw(axes: Any) -> None:
        flow.plot(trainings[0].times, axes, point, output)
        for k, path in enumerate(trainings):
            label = "finite networks" if k == 0 else None
            line = path.test[:, point, output]
            axes.plot(path.times, line, color="C1", linewidth=0.8, alpha=0.7, label=label)
        tidy(axes)

    return plots.picture(draw)
