"""What the cost of a run says of its gap between training and test loss.

Fix the start ``theta_0`` before the sample is drawn. All steps ``Delta`` of length at most ``D`` lie in

    { f_0 + sum_g <Phi_g, mu_g> :  |mu_g| <= b_g(D) },    b_g(D) >= |Psi_g(Delta)|,

a fixed class of functions. Its empirical Rademacher complexity on ``x_1 .. x_n`` is at most

    sum_g b_g(D) sqrt(sum_i |Phi_g(x_i)|^2) / n

(Cauchy-Schwarz and Jensen, degree by degree). With the loss ``min(|f - y|, c)``, 1-Lipschitz,
symmetrisation and McDiarmid's inequality give the gap below with probability ``1 - delta``; ``D`` is
a power of two and the probability is shared out over the powers, ``delta 2^-|j| / 3`` for ``2^j``, so that
``D`` may be read off the run: the one with the least gap of those that hold the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Reasoned
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.theory.banach.chain import chain_of
from analytic_ntk.theory.banach.kernel import largest_step_norms
from analytic_ntk.theory.banach.pairing import Features, features, truncated_change
from analytic_ntk.theory.banach.sequence import Replay
from analytic_ntk.theory.jets import require_order

Array = NDArray[np.float64]

_SHORTEST = 2.0**-64
"""Shorter ways are taken for ways of this length."""


@dataclass(frozen=True)
class UniformBound(Reasoned):
    """``E loss - mean training loss <= gap`` with probability ``1 - delta`` over an independent sample.

    For the predictor ``x -> f_0(x) + <Phi(x), Psi(Delta)>`` cut after ``order`` in every unit, ``Delta`` the
    whole way of the run: ``training_loss`` is its mean loss on the data, ``distance`` the largest distance
    there from the trained network, which it is up to truncation wherever ``x`` has ``Delta`` in its
    neighbourhood.
    ``displacement <= path <= energy``: ``|theta_T - theta_0|``, the length of the way ``sum_k |Delta_k|``,
    and ``sqrt(2 lr T (L_0 - L_T))`` (``None`` unless every step lowered the loss by ``lr |g|^2 / 2`` or
    more). ``complexity``: of the class, ``confidence``: the last term of the gap; ``gap = 2 complexity +
    confidence``. ``ball``: the ``D`` of the class. ``vacuous``: the gap is at least ``cap``, which holds of
    every predictor.
    """

    gap: float
    complexity: float
    confidence: float
    displacement: float
    path: float
    energy: float | None
    ball: float
    training_loss: float
    distance: float
    delta: float
    cap: float

    @property
    def vacuous(self) -> bool:
        return self.gap >= self.cap

    def __str__(self) -> str:
        vacuous = f"; vacuous, being at least the cap {self.cap:g}" if self.vacuous else ""
        energy = "" if self.energy is None else f" <= sqrt(2 lr T (L_0 - L_T)) = {self.energy:.6g}"
        return "\n".join(
            [
                f"E loss - mean training loss <= {self.gap:.6g} with probability {1 - self.delta:g} "
                f"(float64){vacuous}",
                f"gap = 2 complexity + confidence = 2 * {self.complexity:.6g} + {self.confidence:.6g}",
                f"the class: predictors of displacement up to D = {self.ball:.6g}",
                f"the run: |theta_T - theta_0| = {self.displacement:.6g} <= path = {self.path:.6g}{energy}",
                f"mean training loss {self.training_loss:.6g} of min(|f - y|, {self.cap:g}); distance from "
                f"the trained network on the data {self.distance:.6g}",
            ]
        )


def uniform_bound(run: Replay, delta: float = 0.05, cap: float = 1.0, order: int = 2) -> UniformBound:
    """The bound for the loss ``min(|f - y|, cap)``, from the path length of a run; float64.

    ``cap`` and ``order`` must be chosen without looking at the data. Raises :class:`DomainError` for several
    outputs, a run without a step, and networks too wide for the kernels of all degrees at depth 2 or more.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import banach
    >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance=0)
    >>> finite = network.sample(64, np.random.default_rng(0), input_dim=2)
    >>> X = np.random.default_rng(1).standard_normal((30, 2))
    >>> run = banach.replay(finite, X, np.sin(X[:, 0]), lr=0.01, steps=20)
    >>> bound = banach.uniform_bound(run)
    >>> bound.displacement <= bound.path <= bound.energy
    True
    """
    require_number(delta, "delta", 0.0, 1.0)
    require_number(cap, "cap", 0.0, np.inf)
    require_order(order, 1)
    if run.start.outputs != 1:
        raise DomainError(f"{run.start.outputs} outputs", "one output")
    if not run.steps:
        raise DomainError("a run without a step", "a first step inside the neighbourhood", "lower lr")
    X, y = run.data
    path = float(run.lengths.sum())
    way = run.end.parameters - run.start.parameters
    chain = chain_of(run.start)
    series = features(run.start, run.start.parameters, order)
    degrees = len(largest_step_norms(chain, 1.0, order))
    squares = _squares(series, X, degrees)
    gap, complexity, confidence, ball = min(
        _gap(largest_step_norms(chain, 2.0**level, order), squares, level, len(X), delta, cap)
        for level in _levels(path)
    )
    predicted = run.start(X) + truncated_change(chain, X, way, order)
    return UniformBound(
        gap,
        complexity,
        confidence,
        float(np.linalg.norm(way)),
        path,
        _energy(run),
        ball,
        float(np.minimum(np.abs(predicted - y), cap).mean()),
        float(np.abs(predicted - run.end(X)).max()),
        float(delta),
        float(cap),
    )


def _squares(series: Features, X: Array, degrees: int) -> Array:
    """``sum_i |Phi_g(x_i)|^2``: diagonals of blocks, larger ones where pairs cost little."""
    size, total = 16 if series.chain.depth == 1 else 1, np.zeros(degrees)
    for start in range(0, len(X), size):
        total += np.einsum("gii->g", series.kernel_parts(X[start : start + size], degree=degrees))
    return total


def _levels(path: float) -> range:
    """Powers of two from the length of the way on; beyond 1 both terms of the gap grow."""
    least = math.ceil(math.log2(path)) if path > _SHORTEST else int(math.log2(_SHORTEST))
    return range(least, max(least, 0) + 1)


def _gap(
    sizes: Array, squares: Array, level: int, count: int, delta: float, cap: float
) -> tuple[float, float, float, float]:
    complexity = float(sizes @ np.sqrt(squares)) / count
    surprise = math.log(2 * 3 / delta) + abs(level) * math.log(2)
    confidence = 3 * cap * math.sqrt(surprise / (2 * count))
    return 2 * complexity + confidence, complexity, confidence, 2.0**level


def _energy(run: Replay) -> float | None:
    """From ``|Delta_k| = lr |g_k|`` and ``lr |g_k|^2 / 2 <= L_k - L_(k+1)``, by Cauchy-Schwarz."""
    falls = run.losses[:-1] - run.losses[1:]
    if not (falls >= run.lengths**2 / (2 * run.learning_rate)).all():
        return None
    return math.sqrt(2 * run.learning_rate * run.steps * float(run.losses[0] - run.losses[-1]))
