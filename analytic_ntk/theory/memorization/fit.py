"""Memorising: ``|F(theta) - Y| <= eps`` by Levenberg-Marquardt in the metric of the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix, require_number
from analytic_ntk.layers.arrays import Array as AnyArray
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.units import require_count
from analytic_ntk.theory.memorization.ceilings import (
    Tie,
    finite_float,
    rank_ceilings,
    rescalings,
)

Array = NDArray[np.float64]
METHODS = ("kernel", "scipy")
_KICK, _RESTART = 0.03, 0.3
"""Of the mean size of a parameter. A kink is passed with little, and from 0.1 on ReLU networks lose more than
they win, near as many labels as parameters; units that are off need more to come back."""
_LARGEST = 1e100
"""Of a label: squares must fit into float64."""
_FALLING = 10
"""Steps over which the error must fall by a thousandth, or the run ends."""


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    """What came of a fit. ``error`` is ``|F(theta) - Y|`` (Euclidean, over all inputs and outputs), float64.

    ``moved``: ``|theta - theta_0|``; ``start_size``: ``|theta_0|``. ``errors``: after each step that was
    accepted, the start first, and after each kick that paid. ``reason``: an exact reason why labels in
    general position cannot be fitted, or ``None``.
    """

    network: FiniteNetwork
    eps: float
    error: float
    moved: float
    start_size: float
    parameters: int
    equations: int
    steps: int
    errors: tuple[float, ...]
    reason: str | None

    @property
    def reached(self) -> bool:
        return self.error <= self.eps


def fit(
    network: FiniteNetwork,
    X: ArrayLike,
    Y: ArrayLike,
    eps: float = 1e-6,
    steps: int = 500,
    method: str = "kernel",
    kicks: int = 50,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Fit:
    """Look for parameters near those of ``network`` with ``|F(theta) - Y| <= eps``, ``(N, d), (N, outputs)``.

    ``"kernel"``: Levenberg-Marquardt, ``theta -= J^T (J J^T + mu)^{-1} (F - Y)``: the step of Gauss-Newton
    by the ``N x N`` tangent kernel, no Jacobian formed; ``mu`` follows the gain ratio (Nielsen 1999). Where
    it stalls (for ReLU most often at a kink, where the gradient is not small) the parameters are moved at
    random by 0.03 of their mean size (0.3 where units that are off leave the kernel's rank below its ceiling)
    and it goes on, ``kicks`` times at most, from ``seed``. ``steps`` counts all steps; the best parameters
    seen are what is returned.

    ``"scipy"``: ``scipy.optimize.least_squares`` on the Jacobian, for small networks, without kicks.
    Where the kernel is well conditioned it stays near the start and converges quadratically; near as many
    equations as parameters it may end in a local minimum: ``reached`` says whether it did what was asked,
    and nothing is proved where it did not.

    Raises :class:`DomainError` for shapes that do not fit, values that are not finite, and labels that no
    parameters can give: equal inputs with different labels, or inputs that the symmetry of the activations
    ties together (:func:`~analytic_ntk.theory.memorization.ceilings.ties`), further off than ``eps``.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> from analytic_ntk.theory import memorization
    >>> rng = np.random.default_rng(0)
    >>> network = memorization.draw(activations.tanh, 10, [10, 10], rng)
    >>> found = memorization.fit(network, rng.standard_normal((100, 10)), rng.choice([-1, 1], 100))
    >>> found.reached, found.parameters, found.equations
    (True, 210, 100)
    """
    rows, targets = _data(network, X, Y)
    require_number(eps, "eps", 0.0, np.inf)
    require_count(steps, "steps", 1)
    if not isinstance(method, str) or method not in METHODS:
        raise DomainError(f"method = {method!r}"[:100], f"one of {METHODS}")
    ceilings = rank_ceilings(network, rows)
    for tie in ceilings.ties:
        _require_tied(tie, targets, eps)
    require_count(kicks, "kicks", 0)
    require_count(seed, "seed", 0)
    if not np.isfinite(_size(network(rows) - targets)):
        raise DomainError("outputs whose squares overflow", "finite errors", "rescale X or the weights")

    def tell(done: int, error: float) -> None:
        progress(min(done, steps), steps, f"error {error:.3g}")

    if method == "scipy":
        found, errors, made = _by_scipy(network, rows, targets, int(steps), tell)
    else:
        full = min(targets.size, network.size - rescalings(network), ceilings.best.rank * network.outputs)
        found, errors, made = _by_kernel(network, rows, targets, float(eps), int(steps), tell)
        rng, at, error = np.random.default_rng(seed), found, errors[-1]
        for _ in range(kicks):
            if errors[-1] <= eps or made >= steps:
                break
            theta, restart = at.parameters, _rank(at, rows) < full
            kick = (_RESTART if restart else _KICK) * np.abs(theta).mean() * rng.standard_normal(len(theta))
            start, left = at.with_parameters(theta + kick), int(steps) - made
            other, fresh, more = _by_kernel(
                start, rows, targets, float(eps), left, partial(_later, tell, made)
            )
            made += more
            if restart or fresh[-1] < error:
                at, error = other, fresh[-1]
            if error < errors[-1]:
                found, errors = at, [*errors, error]
    theta, before = found.parameters, network.parameters
    return Fit(
        found, float(eps), _size(found(rows) - targets), float(np.linalg.norm(theta - before)),
        float(np.linalg.norm(before)), network.size, targets.size, made, tuple(errors),
        _reason(network, targets, ceilings.best.rank, ceilings.best.reason),
    )  # fmt: skip


def _reason(network: FiniteNetwork, targets: Array, rank: int, reason: str) -> str | None:
    if targets.size > network.size:
        return f"{targets.size} equations for {network.size} parameters"
    idle = rescalings(network)
    if targets.size > network.size - idle:
        return f"{targets.size} equations for {network.size} parameters, {idle} rescalings among them"
    return reason if rank < len(targets) else None


def _data(network: FiniteNetwork, X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    if not isinstance(network, FiniteNetwork):
        raise DomainError(f"{type(network).__name__}", "a FiniteNetwork", "use network.sample(...)")
    parameters = network.parameters
    if not isinstance(parameters, np.ndarray) or parameters.dtype != np.float64:
        raise DomainError("parameters of another library or dtype", "float64 numpy arrays")
    rows = matrix(X, "X")
    try:
        given = np.asarray(Y)
    except ValueError:
        raise DomainError("Y with rows of different lengths", "labels (N,) or (N, outputs)") from None
    targets = matrix(given[:, None] if given.ndim == 1 else given, "Y")
    if np.abs(targets).max() > _LARGEST:
        raise DomainError(f"a label of size {np.abs(targets).max():g}", f"at most {_LARGEST:g}", "rescale Y")
    if targets.shape != (len(rows), network.outputs):
        raise DomainError(
            f"Y of shape {given.shape} for {len(rows)} inputs and {network.outputs} outputs",
            f"shape ({len(rows)}, {network.outputs})"
            + (f" or ({len(rows)},)" if network.outputs == 1 else ""),
        )
    return rows, targets


def _require_tied(tie: Tie, targets: Array, eps: float) -> None:
    """Refuse labels out of reach: ``min_a |(a - y_i, c a - y_j)| = |y_j - c y_i|/sqrt(1 + c^2)``."""
    if tie.first == tie.second:
        gap = float(np.linalg.norm(targets[tie.second]))
    else:
        c = finite_float(tie.factor)
        size = float(np.hypot(1.0, c))
        gap = float(np.linalg.norm(targets[tie.second] / size - c / size * targets[tie.first]))
    if gap <= eps * (1 - 1e-9):
        return
    if tie.first != tie.second and tie.factor == 1:
        raise DomainError(
            f"inputs {tie.first} and {tie.second}, which no network here tells apart, with different labels",
            "one label for each input",
            "no network fits such data: merge the two, or average their labels",
        )
    raise DomainError(
        f"labels against {tie.said} at all parameters",
        f"labels that obey it within eps = {eps:g}",
        "add a bias, or change the activation",
    )


def _size(residual: Array) -> float:
    """The Euclidean norm, infinite where its square is."""
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(residual))


Found = tuple[FiniteNetwork, list[float], int]
Tell = Callable[[int, float], None]


def _later(tell: Tell, before: int, done: int, error: float) -> None:
    tell(before + done, error)


def _by_kernel(
    network: FiniteNetwork,
    rows: Array,
    targets: Array,
    eps: float,
    steps: int,
    tell: Tell,
) -> Found:
    residual = network(rows) - targets
    error = _size(residual)
    errors, kernel = [error], _kernel(network, rows)
    damping, growth = 1e-3 * float(np.diagonal(kernel).mean()), 2.0
    made = 0
    while made < steps and error > eps and damping > 0 and np.isfinite(damping):
        made += 1
        tell(made, error)
        flat = residual.T.reshape(-1)
        try:
            # not by scipy: its BLAS has threads of its own, and the two pools get in each other's way
            weights = np.linalg.solve(kernel + damping * np.eye(len(kernel)), flat)
        except np.linalg.LinAlgError:  # rounding makes a kernel of small rank singular
            damping, growth = damping * growth, 2 * growth
            continue
        # the model's residual after the step is damping * weights
        gain = error**2 - float(np.linalg.norm(damping * weights)) ** 2
        trial = _moved(network, rows, weights.reshape(targets.shape[::-1]).T)
        try:
            fresh = trial(rows) - targets
            after = _size(fresh)
        except DomainError:  # a step so long that the network overflows
            after = np.inf
        if after < error and gain > 0:
            ratio = (error**2 - after**2) / gain
            damping, growth = damping * max(1 / 3, 1 - (2 * min(ratio, 1.5) - 1) ** 3), 2.0
            network, residual, error, kernel = trial, fresh, after, _kernel(trial, rows)
            errors.append(error)
            if len(errors) > _FALLING and error > 0.999 * errors[-_FALLING - 1]:
                break
        else:
            damping, growth = damping * growth, 2 * growth
            if damping > 1e16 * float(np.diagonal(kernel).max()):
                break
    return network, errors, made


def _kernel(network: FiniteNetwork, rows: Array) -> Array:
    """``J J^T`` over all pairs (output, input), output by output."""
    if network.outputs == 1:
        return np.asarray(network.kernels(rows).ntk)
    parts = network.ntk_blocks(rows)
    size = network.outputs * len(rows)
    return np.asarray(parts.transpose(0, 2, 1, 3).reshape(size, size))


def _rank(network: FiniteNetwork, rows: Array) -> int:
    """Of the kernel, as float64 sees it: it only chooses between two kicks."""
    values = np.linalg.eigvalsh(_kernel(network, rows))
    return int((values > 1e-12 * values[-1]).sum())


def _moved(network: FiniteNetwork, rows: Array, weights: Array) -> FiniteNetwork:
    """At ``theta - J^T weights``."""
    fresh: list[AnyArray] = []

    def visit(dense: FiniteDense, features: AnyArray, back: AnyArray) -> None:
        changes = zip(dense.parameters, dense.gradients(features, back), strict=True)
        fresh.extend([p - g for p, g in changes][::-1])  # visited last to first

    _, tapes = network.run(rows)
    network.backward(tapes, weights, visit)
    return network.with_all(fresh[::-1])


def _by_scipy(
    network: FiniteNetwork,
    rows: Array,
    targets: Array,
    steps: int,
    tell: Tell,
) -> Found:
    from scipy.optimize import least_squares  # slow to load

    errors: list[float] = []

    def residual(theta: Array) -> Array:
        try:
            found = (network.with_parameters(theta)(rows) - targets).reshape(-1)
        except DomainError:
            return np.full(targets.size, 1e150)
        errors.append(_size(found))
        tell(len(errors), errors[-1])
        return found

    def jacobian(theta: Array) -> Array:
        return np.asarray(network.with_parameters(theta).jacobian(rows)).reshape(targets.size, -1)

    # its tests are relative; eps is tested on the way out
    found = least_squares(
        residual,
        network.parameters,
        jacobian,
        method="trf",
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        max_nfev=steps,
    )
    return network.with_parameters(found.x), errors, int(found.nfev)
