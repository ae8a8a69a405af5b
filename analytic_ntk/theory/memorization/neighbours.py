"""What neighbouring theorems say of the smallest eigenvalue: their leading quantity, and their hypotheses.

Their constants are not known here. Each function returns the quantity that the theorem's bound is a constant
times, for the data given, and says which hypotheses hold there; none of it is a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import ArrayLike, NDArray

from analytic_ntk import activations
from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.certify import certify
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.hermite import hermite_table
from analytic_ntk.layers.units import require_count
from analytic_ntk.systems.ball import Ball
from analytic_ntk.theory.memorization.setting import Hypothesis

Array = NDArray[np.float64]
_SAME = 1e-9
"""Relative spread of norms up to which float64 points count as points of one sphere."""
_PAIRS = 10_000
"""Of those that rounding leaves as the closest, how many are looked at."""
_FEW, _MANY = 0.5, 2.0
"""``|x|/sqrt(d)`` is called of order 1 between these."""


@dataclass(frozen=True)
class Neighbour(Shown):
    """``lambda_min`` is at least (and, where the theorem says so, at most) a constant times ``leading``.

    ``says``: the statement in a line, in the theorem's own normalisation of the kernel; ``lambda_min`` of
    another normalisation has the same rate after its own rescaling. ``leading`` is float64.
    """

    leading: float
    says: str
    hypotheses: tuple[Hypothesis, ...]
    source: str

    @property
    def applies(self) -> bool:
        """Whether no hypothesis that can be checked on data fails."""
        return all(hypothesis.met is not False for hypothesis in self.hypotheses)


def staircase(activation: Activation, level: int, digits: int = 12) -> Enclosure:
    """``v = sum_{k >= level} mu_k(s')^2 = E s'(Z)^2 - sum_{k < level} mu_k(s')^2``, certified.

    ``mu_k`` are the normalised Hermite coefficients. Montanari, Zhong 2022: for ``n`` points of the sphere,
    ``d^level << n << d^(level+1)``, and ``N`` neurons with ``N d >= n`` up to logarithms, ``lambda_min`` of
    the first layer's kernel (divided by ``N``) is at least ``v - o(1)``.

    >>> from analytic_ntk import activations
    >>> float(staircase(activations.relu, 0)), float(staircase(activations.relu, 1))
    (0.5, 0.25)
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation")
    require_count(level, "level", 0)
    activation.require_numeric()
    table = hermite_table(activation.derivative, max(level - 1, 0), digits + 10, sp.S.One, None)

    def compute() -> tuple[tuple[arb, ...], arb]:
        whole = Ball().second_moment(activation.derivative, arb(1))
        total = whole
        for row in table.rows[:level]:
            if row.expression is not None:
                coefficient = exact_ball(row.expression).real
            else:
                coefficient = row.value.ball()
            total = total - coefficient * coefficient
        return (total,), whole

    return certify(compute, digits, "the height of a step")[0]


def montanari_zhong(activation: Activation, X: ArrayLike, neurons: int) -> Neighbour:
    """The staircase at given points, ``(n, d)``, for one hidden layer of ``neurons``.

    The level is ``floor(log n / log d)``; how far ``n`` keeps from its ends is in the details.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 40))
    >>> X /= np.linalg.norm(X, axis=1, keepdims=True)
    >>> found = montanari_zhong(activations.relu, X, 1000)
    >>> found.leading, found.applies
    (0.25, True)
    """
    rows = matrix(X, "X")
    require_count(neurons, "neurons", 1)
    count, dim = rows.shape
    if dim < 2:
        raise DomainError(f"dimension {dim}", "2 or more", "the sphere of R^1 has two points")
    level = 0
    while dim ** (level + 1) <= count:
        level += 1
    low, high = dim**level, dim ** (level + 1)
    between = f"n = {count}: {count / low:.3g} times d^{level}, {high / count:.3g} times below d^{level + 1}"
    ratio = neurons * dim / count
    return Neighbour(
        float(staircase(activation, level)),
        f"lambda_min of the first layer's kernel over N >= v - o(1), v = sum_(k >= {level}) mu_k(s')^2, for "
        "unit inputs and pre-activations of variance 1",
        (
            _on_sphere(rows),
            Hypothesis(f"d^{level} << n << d^{level + 1}", low < count < high, between),
            Hypothesis("N d above n (up to logarithms)", neurons * dim > count, f"N d/n = {ratio:.3g}"),
            Hypothesis("uniform on the sphere", None, "a property of their law"),
        ),
        "A. Montanari, Y. Zhong, The interpolation phase transition in neural networks, Ann. Stat. 50, 2022",
    )  # fmt: skip


def nguyen(X: ArrayLike, r: int = 2, activation: Activation = activations.relu) -> Neighbour:
    """``mu_r(s)^2 d`` for deep ReLU networks with one wide layer, at inputs ``(n, d)``.

    For the limit kernel of ``L`` layers: at least a constant times ``mu_r(s)^2 d``, at most one times
    ``L d``. The step of the proof that data can fail is Gershgorin's, on the powers of their cosines: for
    more inputs than about ``d^(r/2)`` a larger even ``r`` is needed.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((50, 40))
    >>> found = nguyen(X, 4)
    >>> round(found.leading, 4), found.applies, nguyen(X, 2).applies
    (0.2653, True, False)
    """
    rows = matrix(X, "X")
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation")
    activation.require_numeric()
    require_count(r, "r", 0)
    mu = activation.hermite_array(r)[r]
    norms = np.linalg.norm(rows, axis=1) / math.sqrt(rows.shape[1])
    crowded = _row_sum(rows, int(r)) if norms.min() > 0 else math.inf
    return Neighbour(
        float(mu * mu) * rows.shape[1],
        "Omega(mu_r(s)^2 d) <= lambda_min of the limit kernel <= L O(d), and for one wide layer",
        (
            Hypothesis("ReLU", activation == activations.relu, str(activation)),
            Hypothesis("r even, at least 2", r >= 2 and r % 2 == 0, f"r = {r}"),
            Hypothesis(
                "norms of order sqrt(d)", bool(norms.min() > _FEW and norms.max() < _MANY),
                f"|x|/sqrt(d) from {norms.min():.3g} to {norms.max():.3g}",
            ),
            Hypothesis(
                "nearly orthogonal: sum_(j != i) |cos(x_i, x_j)|^r below 1", crowded < 1,
                f"at most {crowded:.3g}",
            ),
            Hypothesis("Lipschitz concentration of the data", None, "a property of their law"),
            Hypothesis("a layer of about n neurons", None, "a property of the network"),
        ),
        "Q. Nguyen, M. Mondelli, G. Montufar, Tight bounds on the smallest eigenvalue of the NTK for deep "
        "ReLU networks, ICML 2021",
    )  # fmt: skip


def _row_sum(rows: Array, r: int) -> float:
    """``max_i sum_{j != i} |cos(x_i, x_j)|^r``."""
    units = rows / np.linalg.norm(rows, axis=1)[:, None]
    powers = np.abs(units @ units.T) ** r
    np.fill_diagonal(powers, 0.0)
    return float(powers.sum(axis=1).max())


def karhadkar(X: ArrayLike, neurons: int | None = None) -> Neighbour:
    """``delta^2 d^{-3}`` for shallow ReLU networks at separated unit vectors, ``(n, d)``.

    ``delta = min_{i != j} min(|u_i - u_j|, |u_i + u_j|)``, ``u_i`` the directions of the inputs. The theorem
    asks for ``|X|^2 d^3 delta^{-2}`` neurons, up to constants and logarithms (``|X|`` the operator norm), and
    bounds ``lambda_min`` above by a constant times ``min_{i != j} |u_i - u_j|``, antipodes not counted. A
    bound with constants of its own, for any activation: :func:`analytic_ntk.bounds.separation_bound`. Raises
    :class:`DomainError` for one point.

    >>> found = karhadkar([[1.0, 0.0], [0.0, 1.0]])
    >>> round(found.leading, 6), found.applies, karhadkar([[1.0, 0.0], [0.0, 1.0]], 3).applies
    (0.25, True, False)
    """
    rows = matrix(X, "X")
    if len(rows) < 2:
        raise DomainError("one point", "two or more: a separation is asked for")
    if neurons is not None:
        require_count(neurons, "neurons", 1)
    norms = np.linalg.norm(rows, axis=1)
    delta = _separation(rows / norms[:, None]) if norms.min() > 0 else 0.0
    dim = rows.shape[1]
    leading = delta * delta / dim**3
    enough = float(np.linalg.norm(rows, 2)) ** 2 / leading if leading > 0 else math.inf
    asked = "not given" if neurons is None else f"{neurons}"
    return Neighbour(
        leading,
        "lambda_min >= delta^2 d^-3 up to constants and logarithms, and at most O(min |x_i - x_j|)",
        (
            Hypothesis("unit vectors", bool(np.all(np.abs(norms - 1) <= _SAME)), _range(norms)),
            Hypothesis("separated, antipodes included", delta > 0, f"delta = {delta:.6g}"),
            Hypothesis("two dimensions or more", dim >= 2, f"d = {dim}"),
            Hypothesis(
                "neurons above |X|^2 d^3 delta^-2 (up to logarithms)",
                None if neurons is None else neurons > enough,
                f"{asked}, against {enough:.3g}",
            ),
        ),
        "K. Karhadkar, M. Murray, G. Montufar, Bounds for the smallest eigenvalue of the NTK for arbitrary "
        "spherical data of arbitrary dimension, NeurIPS 2024 (arXiv:2405.14630)",
    )  # fmt: skip


def _separation(units: Array) -> float:
    """The smallest distance of two unit vectors up to sign, from differences: 0 for equal ones."""
    cosines = np.abs(units @ units.T)
    np.fill_diagonal(cosines, -1.0)
    close = np.argwhere(cosines >= cosines.max() - 1e-12 * units.shape[1])[:_PAIRS]
    pairs = [(units[i], units[j]) for i, j in close]
    return float(min(min(np.linalg.norm(a - b), np.linalg.norm(a + b)) for a, b in pairs))


def _on_sphere(rows: Array) -> Hypothesis:
    norms = np.linalg.norm(rows, axis=1)
    same = bool(norms.min() > 0 and norms.max() - norms.min() <= _SAME * norms.max())
    return Hypothesis("points of one sphere", same, _range(norms))


def _range(norms: Array) -> str:
    return f"|x| from {norms.min():.6g} to {norms.max():.6g}"
