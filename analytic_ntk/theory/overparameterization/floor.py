"""How much of ``lambda_min`` one Hermite coefficient explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.activation import Activation
from analytic_ntk.display import Reasoned, text_below
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers.units import require_count
from analytic_ntk.positivity import EigenvalueBounds, eigenvalue_bounds
from analytic_ntk.positivity.float_rows import rows_of
from analytic_ntk.positivity.rounded import Array, Rounded
from analytic_ntk.theory.overparameterization.sufficient import limit_gram
from analytic_ntk.theory.overparameterization.values import matmul, smallest_eigenvalue, symmetric, transposed

_SAME = 1e-9
"""Squared norms that differ by less, relatively, share one enclosure of the Hermite coefficients."""


@dataclass(frozen=True)
class HermiteFloor(Reasoned):
    """``value <= lambda_min``, attained at ``power``; ``floors[r]`` is that of each power; ``truth`` bounds
    ``lambda_min`` itself. All certified; a floor of 0 says nothing."""

    value: float
    power: int
    floors: tuple[float, ...]
    truth: EigenvalueBounds

    @property
    def seen(self) -> float:
        """At least this share of ``lambda_min`` is explained (0 where nothing is)."""
        return self.value / self.truth.upper if self.value > 0 else 0.0

    def __str__(self) -> str:
        return "\n".join(
            [
                f"lambda_min >= {text_below(self.value)} (certified)",
                f"one power is kept, r = {self.power}: lambda_min >= min_i a_r(q_i)^2 lambda_min([rho_ij^r])",
                f"lambda_min itself: {str(self.truth).splitlines()[0]} (certified)",
            ]
        )


def hermite_floor(activation: Activation, X: ArrayLike, most: int = 20) -> HermiteFloor:
    """``max_{r <= most} a_r^2 lambda_min((X^T X)^{o r})`` for unit inputs, beside the true ``lambda_min``.

    Of the limit kernel ``E phi(w.x_i) phi(w.x_j) = sum_r a_r(q_i) a_r(q_j) rho_ij^r``, ``q = |x|^2``,
    ``rho`` the correlations, ``w ~ N(0, 1)``: a sum of semidefinite matrices (Schur), so that ``lambda_min
    >= min_i a_r(q_i)^2 lambda_min(rho^{o r})`` for every ``r`` (Oymak, Soltanolkotabi 2019). Inputs of any
    norm but 0, shape ``(n, d)``, floats taken as they are; certified with every rounding error. For exact
    points: :func:`analytic_ntk.bounds.khatri_rao_bound`.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> found = hermite_floor(activations.tanh, np.eye(3))
    >>> found.power, round(found.value, 4), round(found.truth.lower, 4)
    (1, 0.3669, 0.3943)
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"{activation!r}"[:80], "an Activation", "e.g. activations.tanh")
    activation.require_numeric()
    require_count(most, "most", 0)
    rows = matrix(X, "X")
    gram = limit_gram(activation, rows)
    truth = eigenvalue_bounds(gram.value, gram.error)
    rho = _correlations(rows)  # before the coefficients: it says which input is 0
    weights = _weights(activation, rows, most)
    power, floors = Rounded.exact(np.ones((len(rows), len(rows)))), []
    for r in range(most + 1):
        least = smallest_eigenvalue(symmetric(power)) if weights[r] > 0 else 0.0
        floors.append(max(0.0, least * weights[r] * (1 - 2.0**-50)))
        power = power * rho
    best = max(range(most + 1), key=floors.__getitem__)
    return HermiteFloor(floors[best], best, tuple(floors), truth)


def _correlations(rows: Array) -> Rounded:
    exact = Rounded.exact(rows)
    products = symmetric(matmul(exact, transposed(exact)))
    norms = Rounded(np.diagonal(products.value).copy(), np.diagonal(products.error).copy()).sqrt()
    if not (norms.value > norms.error).all():
        raise DomainError(f"X[{int(np.argmin(norms.value))}] = 0", "inputs that are not 0", "leave it out")
    rho = products / (norms[:, None] * norms[None, :])
    value, error = rho.value.copy(), rho.error.copy()
    np.fill_diagonal(value, 1.0)
    np.fill_diagonal(error, 0.0)
    return Rounded(value, error)


def _weights(activation: Activation, rows: Array, most: int) -> list[float]:
    """``min_i a_r(q_i)^2`` for ``r = 0 .. most``, rounded down."""
    squares = [_squared_norm(row) for row in rows]
    low, high = min(s[0] for s in squares), max(s[1] for s in squares)
    intervals = {(low, high)} if high - low <= _SAME * high else set(squares)
    found = np.full(most + 1, np.inf)
    for interval in intervals:
        values, errors, *_ = rows_of(activation, interval, most + 1)[0]
        sure = np.maximum(np.abs(values) - errors, 0.0)
        found = np.minimum(found, sure * sure * (1 - 2.0**-50))
    return [float(w) for w in found]


def _squared_norm(row: Array) -> tuple[float, float]:
    exact = Rounded.exact(row[None, :])
    square = matmul(exact, transposed(exact))
    value, error = float(square.value[0, 0]), float(square.error[0, 0])
    return float(np.nextafter(value - error, 0.0)), float(np.nextafter(value + error, np.inf))
