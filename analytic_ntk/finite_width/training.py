"""Gradient descent on finite networks: full batch, square loss, the chosen parametrisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.flow import training_data
from analytic_ntk.finite_width.inputs import matrix, require_number
from analytic_ntk.layers.arrays import Array as AnyArray
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.units import require_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Training(Shown):
    """A path of gradient descent, seen after each of ``steps``.

    ``train``, ``test``: values at the inputs, ``(number of steps, n, outputs)``; ``loss``: ``|f - Y|^2 / 2``.
    ``network``: the trained network.
    """

    learning_rate: float
    steps: tuple[int, ...]
    train: Array
    test: Array
    loss: Array
    network: FiniteNetwork

    @property
    def times(self) -> Array:
        """``steps * learning_rate``: the time of gradient flow."""
        return np.array(self.steps) * self.learning_rate

    def plot(self, axes: Axes | None = None) -> Axes:
        """The loss over the time of gradient flow, on a logarithmic axis; a loss of 0 is left out."""
        axes = axes_for(axes)
        axes.semilogy(self.times, np.where(self.loss > 0, self.loss, np.nan), "o-", markersize=3)
        axes.set(xlabel="time (steps times learning rate)", ylabel="loss $|f - Y|^2 / 2$")
        return tidy(axes)


def train(
    finite: FiniteNetwork,
    X: ArrayLike,
    Y: ArrayLike,
    learning_rate: float,
    steps: int | list[int],
    X_test: ArrayLike | None = None,
) -> Training:
    """Gradient descent ``theta -= learning_rate dL/dtheta`` on ``L = |f(X) - Y|^2 / 2``, all data at once.

    The derivatives are those in the parameters as they are: of the NTK parametrisation or of the standard
    one, as the network was drawn. ``steps``: how many, all looked at; or a rising list of those to look at,
    0 being the start. Raises :class:`DomainError` for shapes that do not fit, and where the loss overflows
    (a learning rate above ``2 / lambda_max`` of the tangent kernel).

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance=0)
    >>> finite = network.sample(512, np.random.default_rng(0), input_dim=2)
    >>> found = finite_width.train(finite, np.eye(2), [1.0, -1.0], learning_rate=0.5, steps=[0, 100])
    >>> bool(found.loss[1] < 1e-6 * found.loss[0])
    True
    """
    if not isinstance(finite, FiniteNetwork) or not isinstance(finite.parameters, np.ndarray):
        raise DomainError(f"{type(finite).__name__}", "a FiniteNetwork with numpy parameters")
    rows, targets = training_data(X, Y)
    fresh = rows if X_test is None else matrix(X_test, "X_test")
    if targets.shape[1] != finite.outputs:
        raise DomainError(f"targets with {targets.shape[1]} columns", f"{finite.outputs}, as the network has")
    require_number(learning_rate, "learning_rate", 0.0, np.inf)
    looks = _looks(steps)
    seen, test, loss = [], [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(looks[-1] + 1):
            values, tapes = _run(finite, rows, step)
            if step in looks:
                seen.append(values)
                test.append(_run(finite, fresh, step)[0])
                loss.append(0.5 * float(((values - targets) ** 2).sum()))
            if step < looks[-1]:
                finite = _descend(finite, tapes, values - targets, float(learning_rate))
    return Training(
        float(learning_rate), tuple(looks), np.array(seen), np.array(test), np.array(loss), finite
    )


def _run(finite: FiniteNetwork, rows: Array, step: int) -> tuple[Array, list[AnyArray]]:
    try:
        return finite.run(rows)
    except DomainError as error:
        if step == 0:
            raise
        raise DomainError(
            f"values that overflow after {step} steps",
            "a learning rate below 2 / lambda_max of the tangent kernel",
            "see finite_width.max_learning_rate(finite.kernels(X).ntk)",
        ) from error


def _descend(finite: FiniteNetwork, tapes: list[AnyArray], residual: Array, rate: float) -> FiniteNetwork:
    fresh: list[AnyArray] = []

    def visit(dense: FiniteDense, features: AnyArray, rows: AnyArray) -> None:
        changes = zip(dense.parameters, dense.gradients(features, rows), strict=True)
        fresh.extend([p - rate * g for p, g in changes][::-1])  # visited last to first

    finite.backward(tapes, residual, visit)
    return finite.with_all(fresh[::-1])


def _looks(steps: int | list[int]) -> list[int]:
    if isinstance(steps, (list, tuple, np.ndarray)):
        looks = list(steps)
        for i, step in enumerate(looks):
            require_count(step, f"steps[{i}]", 0)
        if not looks or sorted(set(looks)) != looks:
            raise DomainError(f"steps = {steps!r}"[:100], "different numbers of steps, smallest first")
        return [int(step) for step in looks]
    require_count(steps, "steps", 1)
    return list(range(int(steps) + 1))
