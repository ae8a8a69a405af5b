"""The doors through which a law asks for kernels, so that a fault can be planted behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.formula import KernelFormula
from analytic_ntk.hermite import HermiteTable
from analytic_ntk.network import KernelValues, Network, ball_pair
from analytic_ntk.notation import q11, q12, q22
from analytic_ntk.series import KernelSeries
from analytic_ntk.systems.ball import Ball

Array = NDArray[np.float64]
Points = tuple[tuple[float, ...], ...]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Duals:
    """``E phi(u) phi(v)`` and ``E phi'(u) phi'(v)``, certified."""

    dual: Enclosure
    derivative: Enclosure


@dataclass(frozen=True, eq=False)
class Sides:
    """Features of data and of a step of a small finite network, degree by degree, scaled.

    ``pairing``: theirs, found without them.
    """

    phi: tuple[Array, ...]
    psi: tuple[Array, ...]
    scaling: Array
    pairing: Array


@dataclass(frozen=True)
class Doors:
    """Each field answers one kind of question; :data:`HONEST` are the package's own answers."""

    gram: Callable[[Network, Points, Points | None], tuple[Array, Array]]
    at: Callable[[Network, Fraction, Fraction, Fraction, int], KernelValues]
    duals: Callable[[Activation, Fraction, Fraction, Fraction, int], Duals]
    formula: Callable[[Network, Fraction, Fraction, Fraction, int], KernelValues]
    series: Callable[[Network, int, int, Fraction], KernelSeries]
    hermite: Callable[[Activation, int, int, Fraction], HermiteTable]
    empirical: Callable[[Network, Points, int, np.random.Generator], tuple[Array, Array]]
    sides: Callable[[Network, Points, int], Sides]


def remembered(size: int) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Keep the last answers; a layer of a user's that cannot be hashed is asked every time."""

    def wrap(function: Callable[..., Answer]) -> Callable[..., Answer]:
        kept = lru_cache(maxsize=size)(function)

        @wraps(function)
        def ask(*arguments: Any) -> Answer:
            try:
                hash(arguments)
            except TypeError:
                return function(*arguments)
            return kept(*arguments)

        return ask

    return wrap


@remembered(64)
def gram(network: Network, X: Points, Y: Points | None) -> tuple[Array, Array]:
    """NNGP and NTK matrices in float64."""
    nngp, ntk = network.gram(np.array(X), None if Y is None else np.array(Y), kernel="both")
    for matrix in (nngp, ntk):
        matrix.flags.writeable = False
    return nngp, ntk


@remembered(4096)
def at(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
    """Both kernels, certified."""
    return network.at(xx, xy, yy, digits)


@remembered(4096)
def duals(phi: Activation, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> Duals:
    """Dual and derivative dual at variances ``xx``, ``yy`` and covariance ``xy``."""
    a, c, b = (sp.Rational(v.numerator, v.denominator) for v in (xx, xy, yy))

    def compute() -> tuple[tuple[arb, ...], arb]:
        found = Ball().expectations(phi, ball_pair(a, c, b))
        return (found.q12, found.derivative), abs(found.q11) + abs(found.q22) + abs(found.derivative)

    return Duals(*certify(compute, digits, "the duals"))


@remembered(64)
def _formula(network: Network) -> KernelFormula:
    return network.formula()


def formula(network: Network, xx: Fraction, xy: Fraction, yy: Fraction, digits: int) -> KernelValues:
    """Both kernels from their closed forms. Raises :class:`DomainError` where there is none."""
    found = _formula(network)
    point = {q11: xx, q12: xy, q22: yy}
    return KernelValues(
        found.evaluate("nngp", point, digits),
        found.evaluate("ntk", point, digits),
    )


@remembered(64)
def series(network: Network, order: int, digits: int, variance: Fraction) -> KernelSeries:
    """The power series in the correlation."""
    return network.series(order, digits, variance)


@remembered(64)
def hermite(phi: Activation, order: int, digits: int, variance: Fraction) -> HermiteTable:
    """Hermite coefficients at a variance."""
    return phi.hermite_table(order, digits, variance)


def empirical(network: Network, X: Points, width: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """NNGP and NTK of one finite network with one output, drawn at random."""
    from analytic_ntk.finite_width import sample

    finite = sample(network, len(X[0]), width, rng, outputs=1)
    kernels = finite.kernels(np.array(X))
    return np.asarray(kernels.nngp), np.asarray(kernels.ntk)


def sides(network: Network, X: Points, seed: int) -> Sides:
    """Of a network of width 2 and a step inside its neighbourhood, with a scaling, all drawn at random."""
    from analytic_ntk.theory import banach

    rng, rows = np.random.default_rng(seed), np.array(X)
    finite = network.sample(2, rng, rows.shape[1])
    series = banach.features(finite, finite.parameters, 2)
    step = rng.standard_normal(finite.size)
    step = step * min(1.0, 0.5 * series.place(rows, step).admissible)
    while not series.place(rows, step).inside:  # deeper, half of an admissible step need not be one
        step = step / 2
    scaling = np.exp(2 * rng.standard_normal(len(series.psi(step))))
    return Sides(series.phi(rows, scaling), series.psi(step, scaling), scaling, series.pairing(rows, step))


HONEST = Doors(gram, at, duals, formula, series, hermite, empirical, sides)
"""The package's own answers."""
