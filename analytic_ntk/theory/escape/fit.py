"""Training ``f_L + f_Q`` (or one of them) with the regulariser of the good directions.

    loss(W) = mean over the samples of (f(x; W) - y)^2  +  strength * R_1(W)
    R_1(W)  = mean over the pool of f_L(x; W - P W)^2

with ``P`` the projector on the top directions and the pool made of the samples and of fresh inputs without
labels. A mean, not a sum: it does not depend on the size of the pool, and tends to ``E f_L(x; W - P W)^2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.theory.escape.antisymmetric import Antisymmetric, Design
from analytic_ntk.theory.escape.directions import Directions, directions
from analytic_ntk.theory.escape.targets import MODELS, HermiteError, Target, hermite_error

FloatArray = NDArray[np.float64]
Convert = Callable[[Array], Array]
Progress = Callable[[int, float], None]


def silent(step: int, loss: float) -> None:
    """No progress."""


def regulariser(found: Directions, W: FloatArray) -> float:
    """``R_1``: the mean square over the pool of ``f_L`` at the step without its top directions."""
    return float(np.mean(found.outside(found.design.linear(W)) ** 2))


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss and its gradient in ``W``. The pool's first inputs are the samples."""

    design: Design
    labels: Array
    basis: Array
    strength: float
    model: str

    @cached_property
    def sampled(self) -> Design:
        """The samples alone: the quadratic term is needed nowhere else."""
        return self.design.rows(len(self.labels))

    def __call__(self, W: Array) -> tuple[float, tuple[Array, Array], float]:
        """Loss, its gradient in the two halves, and the mean square error on the samples."""
        n, pool = len(self.labels), len(self.design.X)
        apart = self.design.X @ (W[0, ...] - W[1, ...])
        linear = self.design.linear_of(apart)
        outside = linear - self.basis @ (self.basis.mT @ linear)
        on_linear = (2.0 * self.strength / pool) * outside
        value = -self.labels
        if self.model != "quadratic":
            value = value + linear[:n]
        if self.model != "ntk":
            apart, together = apart[:n, :], self.sampled.X @ (W[0, ...] + W[1, ...])
            value = value + self.sampled.quadratic_of(apart, together)
        push = (2.0 / n) * value
        if self.model != "quadratic":
            on_linear = on_linear + namespace(linear).concat([push, 0.0 * linear[n:]])
        one = self.design.linear_gradient(on_linear)
        other = -one
        if self.model != "ntk":
            in_apart, in_together = self.sampled.quadratic_gradient(apart, together, push)
            one, other = one + in_apart + in_together, other - in_apart + in_together
        error = float((value * value).sum()) / n
        loss = error + self.strength * float((outside * outside).sum()) / pool
        return loss, (one, other), error


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    """What training gave. ``train_error``, ``regulariser``: means over the samples and over the pool.

    ``error``: distance from the target under Gaussian inputs by degree, exact for the network found
    (:func:`hermite_error`). ``test_error``: on fresh test inputs, with its standard error.
    """

    W: FloatArray
    model: str
    strength: float
    samples: int
    top: int
    train_error: float
    regulariser: float
    error: HermiteError
    test_error: float
    test_standard_error: float
    steps: int
    stopped: str


def fit(
    network: Antisymmetric,
    aim: Target,
    samples: int,
    strength: float,
    rng: np.random.Generator,
    model: str = "joint",
    top: int | None = None,
    fresh: int | None = None,
    steps: int = 500,
    goal: float = 1e-6,
    tests: int = 4_000,
    convert: Convert | None = None,
    progress: Progress = silent,
) -> Fit:
    """Train on ``samples`` standard Gaussian inputs with labels ``aim(x)``, by L-BFGS from ``W = 0``.

    ``top``: the number of top directions, ``1 + dim`` unless given (degrees 0 and 1). ``fresh``: inputs
    without labels in the pool (as many as samples unless given). ``model``: ``"joint"`` (``f_L + f_Q``),
    ``"ntk"`` (``f_L``) or ``"quadratic"`` (``f_Q``; ``W = 0`` is a saddle there, so a small random step is
    where it starts). Training ends at ``goal``, the loss, or after ``steps``. ``convert`` moves
    the arrays to another library or device: :func:`on_device`.

    Float64. Raises :class:`DomainError` for arguments that do not fit.
    """
    _check(network, aim, samples, strength, model, steps, goal, tests)
    require_rng(rng)
    count = 1 + network.dim if top is None else top
    extra = samples if fresh is None else fresh
    require_count(extra, "fresh", 0)
    X = rng.standard_normal((samples + extra, network.dim))
    labels = aim(X[:samples])
    X_test = rng.standard_normal((tests, network.dim))
    start = np.zeros(network.shape)
    if model == "quadratic":
        start = rng.standard_normal(network.shape) / np.sqrt(network.dim)
    found = directions(network, X, count)
    move: Convert = convert if convert is not None else _same
    design = Design(*(move(a) for a in (found.design.X, found.design.slope, found.design.curvature)))
    objective = Objective(design, move(labels), move(found.basis), float(strength), model)
    W, taken, why = _minimise(objective, start, move, steps, goal, progress)
    _, _, train_error = objective(move(W))
    test = network.design(X_test)
    value = (test.linear(W) if model != "quadratic" else 0.0) + (test.quadratic(W) if model != "ntk" else 0.0)
    squares = (value - aim(X_test)) ** 2
    return Fit(
        W,
        model,
        float(strength),
        samples,
        count,
        train_error,
        regulariser(found, W),
        hermite_error(network, W, aim, max(2, *(c.degree for c in aim.components)), model),
        float(squares.mean()),
        float(squares.std(ddof=1) / np.sqrt(tests)),
        taken,
        why,
    )


def on_device(device: str) -> Convert:
    """The ``convert`` that keeps the arrays of training in torch on ``device``: ``"cuda"``, ``"cpu"``.

    Raises :class:`DomainError` where torch is not installed or has no such device.
    """
    try:
        torch = import_module("torch")
    except ImportError:
        raise DomainError(
            f"the device {device!r}, without torch", "torch", "run python -m pip install torch"
        ) from None
    try:
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except (RuntimeError, AssertionError, TypeError) as error:  # what torch raises for a device it lacks
        reason = str(error).splitlines()[0]
        raise DomainError(
            f"the device {device!r}: {reason}"[:200], "a device of torch with float64"
        ) from None

    def move(array: Array) -> Array:
        return torch.as_tensor(array, device=device)

    return move


def _same(array: Array) -> Array:
    return array


def _minimise(
    objective: Objective, start: FloatArray, move: Convert, steps: int, goal: float, progress: Progress
) -> tuple[FloatArray, int, str]:
    """scipy's L-BFGS on vectors of float64; values and gradients where the arrays live."""
    taken = [0]

    def value(w: FloatArray) -> tuple[float, FloatArray]:
        loss, (one, other), _ = objective(move(w.reshape(start.shape)))
        return loss, np.concatenate([_numpy(g).ravel() for g in (one, other)])

    def tell(intermediate_result: Any) -> None:
        taken[0] += 1
        progress(taken[0], float(intermediate_result.fun))
        if intermediate_result.fun <= goal:
            raise StopIteration

    options: Any = {"maxiter": steps, "maxfun": 4 * steps, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    found = minimize(value, start.ravel(), jac=True, method="L-BFGS-B", callback=tell, options=options)
    if not np.isfinite(found.fun):
        raise DomainError("a loss that overflows", "finite losses", "lower the strength or the labels")
    why = "goal" if found.fun <= goal else "steps" if taken[0] >= steps else "no further descent"
    return np.asarray(found.x).reshape(start.shape), taken[0], why


def _numpy(array: Any) -> FloatArray:
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array, dtype=np.float64)


def _check(
    network: Antisymmetric,
    aim: Target,
    samples: int,
    strength: float,
    model: str,
    steps: int,
    goal: float,
    tests: int,
) -> None:
    if not isinstance(network, Antisymmetric):
        raise DomainError(f"network = {network!r}"[:100], "an antisymmetric network", "use escape.draw")
    if not isinstance(aim, Target) or aim.dim != network.dim:
        raise DomainError(f"target = {aim!r}"[:100], f"a Target in dimension {network.dim}")
    for number, name, least in ((samples, "samples", 2), (steps, "steps", 1), (tests, "tests", 2)):
        require_count(number, name, least)
    for amount, name in ((strength, "strength"), (goal, "goal")):
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < np.inf:
            raise DomainError(f"{name} = {amount!r}"[:80], "a finite number >= 0")
    if model not in MODELS:
        raise DomainError(f"model = {model!r}"[:80], f"one of {MODELS}")
