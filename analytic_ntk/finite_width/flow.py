"""Infinitely wide networks under gradient descent on the square loss: Gaussian at every time.

Lee, Xiao, Schoenholz, Bahri, Novak, Sohl-Dickstein, Pennington 2019 (arXiv 1902.06720), equations 13 to 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.finite_width.inputs import matrix, require_number
from analytic_ntk.network import Network, require_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
NOISE = 1e-12
"""Of the largest eigenvalue: what a float64 Gram matrix leaves uncertain. Eigenvalues below count as 0."""


@dataclass(frozen=True)
class Prediction(Shown):
    """An ensemble of infinitely wide networks at a ``time`` of training (``inf``: the end): ``mean`` of shape
    ``(m, outputs)`` and ``covariance`` ``(m, m)``, the same for each output, outputs being independent;
    ``prior``: the variances at time 0, ``(m,)``."""

    time: float
    mean: Array
    covariance: Array

    prior: Array

    @property
    def deviation(self) -> Array:
        """The standard deviation at each input, ``(m,)``. A variance below 0 by no more than rounding,
        ``1e-9`` of the ``prior`` one, is 0; raises :class:`PrecisionError` for one further below."""
        variances = np.diag(self.covariance)
        lost = variances < -1e-9 * self.prior
        if lost.any():
            raise PrecisionError(
                f"a variance of {variances[lost][0]:g} at input {int(np.argmax(lost))}",
                "a variance >= 0",
                "the kernel is too ill-conditioned for float64: drop near-duplicates, or stop earlier",
            )
        return np.sqrt(np.where(variances > 0, variances, 0.0))


@dataclass(frozen=True)
class Flow(Shown):
    """Gradient flow ``df/dt = -Theta(., X) (f(X) - Y)`` from the ensemble of initial functions.

    ``theta_xx``, ``theta_tx``: the kernel that drives it at the training inputs and from the test inputs to
    them; ``k_xx``, ``k_tx``, ``k_tt``: the NNGP kernel, the covariance at the start. Made by
    :func:`gradient_flow`.
    """

    theta_xx: Array
    theta_tx: Array
    k_xx: Array
    k_tx: Array
    k_tt: Array
    Y: Array
    learning_rate: float | None

    @property
    def rank(self) -> int:
        """Eigenvalues of ``theta_xx`` above :data:`NOISE`; along the others nothing is learned."""
        values = np.linalg.eigvalsh(self.theta_xx)
        return int((values > NOISE * values[-1]).sum())

    def at(self, time: float) -> Prediction:
        """Mean and covariance at the test inputs after ``time`` (>= 0, or ``inf``).

            mean = Theta_tx g(Theta) Y,        g(z) = (1 - exp(-z t)) / z
            covariance = K_tt + M K_xx M^T - M K_xt - K_tx M^T,        M = Theta_tx g(Theta)

        (Lee et al. 2019, equations 14 and 15). With a learning rate ``exp(-z t)`` is
        ``(1 - rate z)^(t/rate)`` and ``time`` a multiple of the rate: gradient descent in steps. Directions
        whose eigenvalue is at most :data:`NOISE` of the largest stay as they began. Kind: float64.
        """
        applied = self.theta_tx @ self._learned(time)
        mean = applied @ self.Y
        across = applied @ self.k_tx.T
        covariance = self.k_tt + applied @ self.k_xx @ applied.T - across - across.T
        return Prediction(time, mean, covariance, np.diag(self.k_tt))

    def plot(self, times: ArrayLike, axes: Axes | None = None, point: int = 0, output: int = 0) -> Axes:
        """One output at one test input over ``times``: mean and two standard deviations, in float64.

        Raises as :meth:`at`, and :class:`DomainError` for an input or output that is not there.
        """
        if not (0 <= point < len(self.k_tt) and 0 <= output < self.Y.shape[1]):
            raise DomainError(
                f"point = {point!r}, output = {output!r}"[:100],
                f"a point below {len(self.k_tt)}, an output below {self.Y.shape[1]}",
            )
        places = np.asarray(times, dtype=np.float64)
        predictions = [self.at(float(t)) for t in places]
        mean = np.array([p.mean[point, output] for p in predictions])
        spread = 2.0 * np.array([p.deviation[point] for p in predictions])
        axes = axes_for(axes)
        axes.fill_between(
            places, mean - spread, mean + spread, alpha=0.25, label="limit, 2 standard deviations"
        )
        axes.plot(places, mean, color="black", label="limit, mean")
        axes.set(xlabel="time", ylabel=f"output {output} at test input {point}")
        return tidy(axes)

    def path(self, f0: ArrayLike, time: float) -> Array:
        """At the test inputs after ``time``: what is added to one network that starts from ``f0 = f(X)``,
        ``Theta_tx g(Theta) (Y - f0)``; the linear network of equation 11."""
        start = np.asarray(f0, dtype=np.float64)
        if start.shape != self.Y.shape:
            raise DomainError(f"f0 of shape {start.shape}", f"shape {self.Y.shape}")
        return np.asarray(self.theta_tx @ (self._learned(time) @ (self.Y - start)))

    def _learned(self, time: float) -> Array:
        """``g(Theta)``, ``(n, n)``."""
        if isinstance(time, bool) or not isinstance(time, (int, float, np.number)) or not time >= 0:
            raise DomainError(f"time = {time!r}"[:100], "a number >= 0, or inf")
        values, vectors = np.linalg.eigh(self.theta_xx)
        return np.asarray((vectors * self._factor(values, float(time))) @ vectors.T)

    def _factor(self, values: Array, time: float) -> Array:
        known = values > NOISE * abs(values[-1])
        z = np.where(known, values, 1.0)
        if math.isinf(time):
            learned = np.ones_like(z)
        elif self.learning_rate is None:
            learned = -np.expm1(-z * time)
        else:
            steps = round(time / self.learning_rate)
            if abs(steps * self.learning_rate - time) > 1e-9 * max(time, self.learning_rate):
                raise DomainError(
                    f"time = {time!r}", f"a multiple of the learning rate {self.learning_rate!r}"
                )
            learned = 1.0 - (1.0 - self.learning_rate * z) ** steps
        return np.where(known, learned / z, 0.0)


def gradient_flow(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike | None = None,
    kernel: str = "ntk",
    learning_rate: float | None = None,
) -> Flow:
    """Training of the infinitely wide ``network`` on the loss ``|f(X) - Y|^2 / 2``, from its random start.

    ``X`` is ``(n, d)``, ``Y`` ``(n, outputs)`` or ``(n,)``, ``X_test`` ``(m, d)`` (default ``X``).
    ``kernel="ntk"``: all parameters learn, in NTK parametrisation. ``"nngp"``: only the last layer does; at
    ``time = inf`` that is regression with the NNGP prior and no noise. With ``learning_rate`` gradient
    descent in steps instead of the flow; refused at ``2 / lambda_max`` and above, where it diverges. Raises
    :class:`DomainError` for shapes that do not fit and numbers that are not finite.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations, finite_width
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> flow = finite_width.gradient_flow(network, np.eye(3), [1.0, 0.0, -1.0])
    >>> end = flow.at(float("inf"))
    >>> end.mean.ravel().round(12) + 0.0, float(end.deviation.max().round(6))
    (array([ 1.,  0., -1.]), 0.0)
    """
    require_network(network)
    if kernel not in ("ntk", "nngp"):
        raise DomainError(f"kernel = {kernel!r}"[:100], '"ntk" or "nngp"')
    rows, targets = training_data(X, Y)
    fresh = rows if X_test is None else matrix(X_test, "X_test")
    k_xx, theta_xx = network.gram(rows, kernel="both")
    k_tx, theta_tx = network.gram(fresh, rows, kernel="both")
    if kernel == "nngp":
        theta_xx, theta_tx = k_xx, k_tx
    if learning_rate is not None:
        limit = max_learning_rate(theta_xx)
        require_number(learning_rate, "learning_rate", 0.0, limit, "2 / lambda_max")
    return Flow(theta_xx, theta_tx, k_xx, k_tx, network.gram(fresh, kernel="nngp"), targets, learning_rate)


def max_learning_rate(theta: ArrayLike) -> float:
    """``2 / lambda_max`` of a kernel matrix ``(n, n)``: below it gradient descent converges.

    On the loss ``|f - Y|^2 / 2``. Float64. Raises :class:`DomainError` for a matrix that is not symmetric,
    not finite, or without a positive eigenvalue.
    """
    matrix = np.asarray(theta, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise DomainError(f"a kernel of shape {matrix.shape}", "a square matrix")
    if not np.isfinite(matrix).all():
        raise DomainError("a kernel with a NaN or an infinity", "finite numbers")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-8 * np.abs(matrix).max()):
        raise DomainError("a kernel that is not symmetric", "a symmetric matrix")
    top = float(np.linalg.eigvalsh(matrix)[-1])
    if top <= 0:
        raise DomainError(f"lambda_max = {top:g}", "a positive eigenvalue", "the zero kernel learns nothing")
    return 2.0 / top


def training_data(X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    """Inputs ``(n, d)`` and targets ``(n, outputs)``, checked."""
    rows = matrix(X, "X")
    flat = isinstance(Y, np.ndarray) and Y.ndim == 1
    flat = flat or (isinstance(Y, (list, tuple)) and all(np.ndim(value) == 0 for value in Y))
    targets = matrix(np.asarray(Y)[:, None] if flat else Y, "Y")
    if len(targets) != len(rows):
        raise DomainError(f"{len(targets)} targets for {len(rows)} inputs", "one for each")
    return rows, targets
