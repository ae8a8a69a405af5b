"""Gradient descent beside sequential learning in the Banach space: the same sequence of functions, found
twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.flow import training_data
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.finite_width.training import train
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.banach.chain import chain_of, vector
from analytic_ntk.theory.banach.neighbourhood import Place
from analytic_ntk.theory.banach.pairing import Features, truncated_change
from analytic_ntk.theory.jets import require_order

Array = NDArray[np.float64]

ORDER = 16
"""Of the series of a step, unless another is asked for."""
LARGEST_JACOBIAN = 10_000_000
"""Numbers in a Jacobian that is written down."""


@dataclass(frozen=True, eq=False)
class Replay(Shown):
    """Two training sequences from one start, ``(steps + 1, n, outputs)`` each, the start being the first.

    ``descent``: values of the network under gradient descent. ``sequential``: those of the sequential
    problem, ``F_(k+1) = F_k + <Phi_k, Psi_k(Delta_k)>``. ``places``: for each step the unit nearest to the
    end of its series; the last may be outside, then the run ends before that step and ``left`` is true.
    ``lengths``: ``|Delta_k|`` of the steps made; ``learning_rate`` and ``start`` as given, ``end``: the
    network after the last step; ``data``: ``X`` and ``y``. ``pairing_error``: the largest distance of
    ``<Phi, Psi>`` from ``f(theta + Delta) - f(theta)`` in a single step.
    """

    descent: Array
    sequential: Array
    places: tuple[Place, ...]
    lengths: Array
    pairing_error: float
    learning_rate: float
    start: FiniteNetwork
    end: FiniteNetwork
    data: tuple[Array, Array]

    @property
    def steps(self) -> int:
        """The number of steps made."""
        return len(self.lengths)

    @property
    def left(self) -> bool:
        """Whether the run ended because the next step leaves the neighbourhood; see ``places[-1]``."""
        return len(self.places) > self.steps

    @property
    def difference(self) -> float:
        """The largest distance of the two sequences."""
        return float(np.abs(self.descent - self.sequential).max())

    @property
    def losses(self) -> Array:
        """``|F_k - y|^2 / 2`` of the sequential problem."""
        return np.asarray(0.5 * ((self.sequential - self.data[1]) ** 2).sum(axis=(1, 2)))

    @property
    def ratios(self) -> Array:
        """The largest ratio of each step to its radius, that of the step not made included."""
        return np.array([place.ratio for place in self.places])


def replay(
    network: FiniteNetwork, X: ArrayLike, y: ArrayLike, lr: float, steps: int, order: int = ORDER
) -> Replay:
    """Gradient descent on ``L = |f(X) - y|^2 / 2`` and, on its own, the regularised problem of each step.

    Step ``k`` of the sequential problem is the minimiser of ``<g_k, Delta> + |Delta|^2 / (2 lr)`` over the
    span of the first-order data features, found by :func:`sequential_step`; the gradient ``g_k`` is not
    computed. The values are then moved by the pairing with the full step, cut after ``order``. The run ends
    where a step would leave the neighbourhood. The two sequences differ by rounding, about 1e-15. Raises
    :class:`DomainError` for data that do not fit and values that overflow.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import banach
    >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance="1/10")
    >>> finite = network.sample(32, np.random.default_rng(0), input_dim=2)
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> run = banach.replay(finite, X, [1.0, -1.0, 0.5], lr=0.1, steps=20)
    >>> run.steps, run.left, run.difference < 1e-13
    (20, False, True)
    """
    chain_of(network)
    require_order(order, 1)
    rows, targets = training_data(X, y)
    if targets.shape[1] != network.outputs:
        raise DomainError(
            f"targets with {targets.shape[1]} columns", f"{network.outputs}, as the network has"
        )
    require_number(lr, "lr", 0.0, np.inf)
    require_count(steps, "steps", 1)
    values = network(rows)
    sequence, places, lengths, worst = [values], [], [], 0.0
    current = network
    for number in range(1, steps + 1):
        series = Features(chain_of(current), int(order))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                step = sequential_step(current, rows, values - targets, float(lr))
                following = series.chain.moved(vector(step, network.size, "the step"))
                place = series.place_of(rows, step, following)
                if place.inside:
                    change = truncated_change(series.chain, rows, step, order)
                    worst = max(worst, float(np.abs(change - (following(rows) - current(rows))).max()))
        except DomainError as error:
            given = f"values that overflow in step {number}"
            raise DomainError(given, "finite values", "lower lr") from error
        places.append(place)
        if not place.inside:
            break
        values, current = values + change, following
        sequence.append(values)
        lengths.append(float(np.linalg.norm(step)))
    made = len(lengths)
    descent = train(network, rows, targets, lr, made).train if made else values[None]
    return Replay(
        descent,
        np.array(sequence),
        tuple(places),
        np.array(lengths),
        worst,
        float(lr),
        network,
        current,
        (rows, targets),
    )


def sequential_step(network: FiniteNetwork, X: Array, residual: Array, lr: float) -> Array:
    """The minimiser of ``<J^T r, Delta> + |Delta|^2 / (2 lr)`` over the span of the columns of ``J^T``.

    In an orthonormal basis of the span, ``J^T = Q R`` and ``Delta = Q c``, that is to minimise ``<R r, c> +
    |c|^2 / (2 lr)``. Where the Jacobian is too large to write down, ``Delta = J^T alpha`` with the
    empirical NTK ``K``,

        alpha^T K r + alpha^T K alpha / (2 lr),

    in the eigenvectors of ``K`` whose eigenvalues are told from 0; points that nearly coincide then cost
    digits (3e-10 at a distance of 1e-7 where their targets differ).
    """
    if network.size * residual.size <= LARGEST_JACOBIAN:
        jacobian = network.jacobian(X).reshape(residual.size, -1)
        basis, triangle = np.linalg.qr(jacobian.T)
        return np.asarray(basis @ (-lr * (triangle @ residual.ravel())))
    kernel = np.moveaxis(network.ntk_blocks(X), 1, 2).reshape(residual.size, residual.size)  # outputs first
    slope = kernel @ residual.T.ravel()
    values, vectors = np.linalg.eigh(kernel)
    kept = values > residual.size * np.finfo(np.float64).eps * values[-1]
    alpha = -lr * vectors[:, kept] @ ((vectors[:, kept].T @ slope) / values[kept])
    return _pulled_back(network, X, alpha.reshape(residual.T.shape).T)


def _pulled_back(network: FiniteNetwork, X: Array, alpha: Array) -> Array:
    """``J^T alpha``, in the order of the parameters."""
    found, stop = np.empty(network.size), network.size

    def visit(dense: FiniteDense, features: Array, rows: Array) -> None:
        nonlocal stop
        for gradient in reversed(dense.gradients(features, rows)):  # layers come last to first
            found[stop - gradient.size : stop] = gradient.ravel()
            stop -= gradient.size

    network.backward(network.run(X)[1], alpha, visit)
    return found
