"""How wide must a shallow network be? A width that suffices, every constant explicit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, fmpq
from numpy.typing import ArrayLike

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Reasoned, text_above, text_below
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.finite_width.inputs import require_number
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.positivity import certified_gram
from analytic_ntk.positivity.rounded import Array, Rounded, above
from analytic_ntk.theory.overparameterization.feedforward import data
from analytic_ntk.theory.overparameterization.lipschitz import BITS, Sizes, lipschitz
from analytic_ntk.theory.overparameterization.suprema import bound_of, derivative_bounds
from analytic_ntk.theory.overparameterization.values import (
    frobenius_norm,
    largest_row,
    operator_norm,
    smallest_eigenvalue,
    symmetric,
)

_MOST = 1 << 60
_LEVELS = [Fraction(k, 4) for k in range(4, 61)]
"""Levels of truncation tried, in units of the Lipschitz constant of the features."""


@dataclass(frozen=True)
class Width(Reasoned):
    """``width`` and every larger one suffice with probability at least ``1 - failure_probability``.

    ``lambda_min``: a proved lower bound of the least eigenvalue of the limit kernel; ``concentration``: the
    width that the smallest singular value alone asks for. ``steps``: the chain of inequalities with its
    numbers; ``str`` prints it.
    """

    width: int
    concentration: int
    failure_probability: float
    lambda_min: float
    steps: tuple[str, ...]

    def __str__(self) -> str:
        *reasons, conclusion = self.steps
        return "\n".join([conclusion, *reasons])


@dataclass(frozen=True)
class _Problem:
    """Bounds of everything the chain of inequalities needs; ``features <= level`` after truncation."""

    count: int
    outputs: int
    labels: float
    operator: float
    row: float
    first: Fraction
    second: Fraction
    deviation: float
    trace: arb
    least: arb
    level: arb
    delta: Fraction
    truncated: str


def width(
    activation: Activation,
    X: ArrayLike,
    y: ArrayLike,
    failure_probability: float = 0.01,
    deviation: float = 1.0,
) -> Width:
    """A sufficient width of ``f = V phi(W x)``, both trained, ``W ~ N(0, deviation^2)``, ``V ~ N(0, 1/d)``.

    From that width on the condition ``4 L r0 <= alpha^2`` of
    :func:`~analytic_ntk.theory.overparameterization.certify` holds, and gradient descent converges, with
    probability at least ``1 - failure_probability`` over the start. Proved: ``lambda_min`` of the limit
    kernel ``E phi(w.x) phi(w.x')`` (float64 with every error accounted for), matrix Chernoff for its
    sampled version (Tropp 2012, Theorem 1.1; features truncated where ``phi`` is unbounded), Gaussian
    concentration for the start. Much larger than needed:
    :func:`~analytic_ntk.theory.overparameterization.minimal_width` measures how much.

    Raises :class:`DomainError` where ``phi'`` or ``phi''`` is unbounded and for bad data;
    :class:`UndecidedError` where ``lambda_min`` is not proved positive.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> found = width(activations.tanh, np.eye(4), [1.0, -1.0, 1.0, 1.0])
    >>> found.width, len(found.steps)
    (488, 11)
    """
    bounds = derivative_bounds(activation)
    rows, labels = data(X, y)
    require_number(failure_probability, "failure_probability", 0.0, 1.0)
    require_number(deviation, "deviation", 0.0, float("inf"))
    gram = limit_gram(activation, rows, deviation)
    least = smallest_eigenvalue(gram)
    if not least > 0:
        raise UndecidedError(
            f"whether the limit kernel is positive definite (lambda_min >= {least:.3g} is proved)",
            "lambda_min > 0",
            "drop equal, opposite or nearly equal inputs; see positivity.decide_gram for the reason",
        )
    with working_precision(BITS):
        diagonals = zip(np.diagonal(gram.value), np.diagonal(gram.error), strict=True)
        trace = sum((arb(float(v)) + arb(float(e)) for v, e in diagonals), arb(0))
        problem = _Problem(
            len(rows), labels.shape[1], frobenius_norm(Rounded.exact(labels)),
            operator_norm(Rounded.exact(rows)), largest_row(Rounded.exact(rows)), bounds.first.upper,
            bounds.second.upper, float(deviation), trace, arb(least), arb(0), Fraction(failure_probability),
            "",
        )  # fmt: skip
        best = min(_truncations(activation, problem), key=_concentration)
        concentration = _concentration(best)
        found = _smallest(best, concentration)
        return Width(found, concentration, float(failure_probability), least, _derivation(best, least, found))


def limit_gram(activation: Activation, rows: Array, deviation: float = 1.0) -> Rounded:
    """``E phi(w.x_i) phi(w.x_j)``, ``w ~ N(0, deviation^2)``, entry by entry with proved errors."""
    variance = Fraction(float(deviation)) ** 2 * rows.shape[1]
    network = Network(Dense(variance, 0), Nonlinearity(activation), Dense(1, 0))
    found = certified_gram(network, rows, "nngp")
    return symmetric(Rounded(found.matrix, found.error))


# ------------------------------------------------------------------------------- the smallest singular value


def _truncations(activation: Activation, p: _Problem) -> list[_Problem]:
    """The problem with ``|u|^2 <= level`` for the features ``u = phi(X w)`` of one unit, in several ways."""
    found = []
    ceiling = bound_of(activation)
    if ceiling is not None:
        top = _ball(ceiling.upper)
        said = f"|phi| <= {_above(top)}, so |u|^2 <= T = n sup phi^2 = {{T}}"
        found.append(_with(p, p.least, p.count * top * top, said))
    tau, sigma = p.trace.sqrt(), _lipschitz_of_features(p)
    for level in _LEVELS if sigma > 0 else []:
        s = sigma * _ball(level)
        beyond = (-_ball(level) * _ball(level) / 2).exp()
        edge = tau + s
        lost = (edge * edge + 2 * sigma * sigma) * beyond
        lost += 2 * tau * sigma * (arb.pi() / 2).sqrt() * (_ball(level) / arb(2).sqrt()).erfc()
        if p.least > lost:
            said = (
                f"|u| has mean <= sqrt(tr Lambda) and is B1 |X| s-Lipschitz in w/s: cut at |u|^2 <= T = "
                f"{{T}}; what is cut off has E |u|^2 <= {_above(lost)}"
            )
            found.append(_with(p, arb((p.least - lost).lower()), edge * edge, said))
    if not found:
        raise UndecidedError(
            f"a truncation of the features that leaves lambda_min = {_below(p.least)} positive",
            "a limit kernel better conditioned", "drop nearly equal inputs",
        )  # fmt: skip
    return found


def _lipschitz_of_features(p: _Problem) -> arb:
    """Of ``phi(X w)`` in a standard normal ``w / deviation``."""
    return _ball(p.first) * arb(p.operator) * arb(p.deviation)


def _with(p: _Problem, least: arb, level: arb, said: str) -> _Problem:
    top = arb(level.upper())
    return _Problem(
        p.count, p.outputs, p.labels, p.operator, p.row, p.first, p.second, p.deviation, p.trace,
        least, top, p.delta,
        said.format(T=_above(top)),
    )  # fmt: skip


def chernoff_base() -> arb:
    """``e^{-1/2} / (1/2)^{1/2} = sqrt(2/e) = 0.8577...``: matrix Chernoff at half the mean."""
    return (arb(2) / arb(1).exp()).sqrt()


def _concentration(p: _Problem) -> int:
    """The least ``d`` with ``n base^{d lambda/T} <= delta/4``."""
    bound = p.level * (4 * p.count / _ball(p.delta)).log() / (p.least * -chernoff_base().log())
    return max(1, int(bound.upper().ceil().unique_fmpz() or 0)) if bound.is_finite() else _MOST


# ------------------------------------------------------------------------------- the certificate


def _start(p: _Problem, width: int) -> tuple[arb, arb, arb, arb]:
    """``alpha``, ``r0``, ``R`` and the largest column, each on its safe side."""
    d = arb(width)
    spread = (2 * (4 / _ball(p.delta)).log()).sqrt()
    features = (d * p.trace).sqrt() + _lipschitz_of_features(p) * spread
    r0 = arb(p.labels) + (arb(p.outputs).sqrt() + spread) * features / d.sqrt()
    column = (arb(p.outputs).sqrt() + (2 * (4 * d / _ball(p.delta)).log()).sqrt()) / d.sqrt()
    alpha = (d * p.least / 2).sqrt()
    return alpha, r0, 2 * r0 / alpha, column


def _ratio(p: _Problem, width: int) -> tuple[arb, float]:
    """``4 L r0 / alpha^2`` at this width, and ``L``."""
    alpha, r0, radius, column = _start(p, width)
    sizes = Sizes(
        (1.0, 1.0), (0.0, 0.0), (0.0, above(arb(column.upper()))), (p.operator,), (p.row,),
        (math.inf, 1.0), p.first, p.second,
    )  # fmt: skip
    constant = lipschitz(sizes, above(arb(radius.upper())))
    return 4 * arb(constant) * r0 / (alpha * alpha), constant


def _smallest(p: _Problem, least: int) -> int:
    """All bounds improve with the width, so that bisection finds the smallest that they allow."""
    high = least
    while not _ratio(p, high)[0] <= 1:
        high *= 2
        if high > _MOST:
            raise DomainError(
                "data that ask for a width beyond 2^60", "better separated inputs, smaller labels"
            )
    low = max(least - 1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _ratio(p, middle)[0] <= 1 else (middle, high)
    return high


def _derivation(p: _Problem, least: float, width: int) -> tuple[str, ...]:
    alpha, r0, radius, column = _start(p, width)
    ratio, constant = _ratio(p, width)
    delta, up = float(p.delta), text_above
    base = chernoff_base()
    failure = p.count * (base.log() * width * p.least / p.level).exp()
    return (
        f"f = V phi(W x), W ~ N(0, s^2), V ~ N(0, 1/d), s = {p.deviation:.5g}; n = {p.count} inputs, k = "
        f"{p.outputs} outputs, delta = {delta:g}",
        f"B1 = sup |phi'| <= {up(float(p.first))}, B2 = sup |phi''| <= {up(float(p.second))}, |X| <= "
        f"{up(p.operator)}, max |x_i| <= {up(p.row)}, |Y| <= {up(p.labels)}",
        f"limit kernel Lambda = E u u^T, u = phi(X w): lambda_min >= {text_below(least)}, trace <= "
        f"{_above(p.trace)}",
        p.truncated + f"; lambda = {_below(p.least)} is left",
        f"Chernoff: P(lambda_min(Phi^T Phi) <= d lambda/2) <= n {_above(base)}^(d lambda/T) <= "
        f"{_above(failure)} <= delta/4",
        f"so alpha^2 = sigma_min(J)^2 >= lambda_min(Phi^T Phi) >= d lambda/2 >= {_below(alpha * alpha)}",
        "|Phi|_F <= sqrt(d trace) + B1 |X| s t and |f(X)| <= (sqrt k + t) |Phi|_F / sqrt d, "
        f"t = sqrt(2 log 4/delta), each but for delta/4: r0 <= |Y| + |f(X)| <= {_above(r0)}",
        f"largest column of V <= (sqrt k + sqrt(2 log 4d/delta)) / sqrt d <= {_above(column)}, "
        "but for delta/4",
        f"R = 2 r0/alpha <= {_above(radius)}, L_J <= |X| |[[B1, 0], [B2 max|x_i| (column + R), B1]]| <= "
        f"{up(constant)}",
        f"4 L_J r0 / alpha^2 <= {_above(ratio)} <= 1",
        f"width d = {width} suffices, and every larger one, with probability >= {1 - delta:g}",
    )


def _above(ball: arb) -> str:
    return text_above(math.nextafter(float(ball.upper()), math.inf))


def _below(ball: arb) -> str:
    return text_below(math.nextafter(float(ball.lower()), -math.inf))


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))
