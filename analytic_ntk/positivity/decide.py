"""Strict positivity of a kernel, decided: on given points and on whole domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from flint import arb

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Reasoned, Shown, axes_for, number_by_integers, short, tidy
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network, require_network
from analytic_ntk.pair import Pair
from analytic_ntk.positivity.linear import Vector
from analytic_ntk.positivity.nullspace import Features, input_features, push
from analytic_ntk.positivity.points import exact_points
from analytic_ntk.positivity.profile import Profile, profile
from analytic_ntk.systems.ball import Ball

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KERNELS = ("ntk", "nngp")
PAPER = "Carvalho, Costa, Mourao, Oliveira 2024"


class Positivity(Enum):
    """The answer."""

    STRICTLY_POSITIVE = "strictly positive"
    SINGULAR = "singular"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Step(Shown):
    """What one layer does to the null space, and why."""

    layer: str
    fact: str
    reference: str


@dataclass(frozen=True)
class GramDecision(Reasoned):
    """Whether the Gram matrix of given points is strictly positive definite.

    ``null_vectors`` are exact: a basis of the null space (empty unless ``SINGULAR``). ``steps`` say layer by
    layer what was used; ``missing`` what an ``UNDECIDED`` lacks.
    """

    verdict: Positivity
    kernel: str
    points: tuple[Vector, ...]
    null_vectors: tuple[Vector, ...]
    steps: tuple[Step, ...]
    missing: str = ""

    @property
    def nullity(self) -> int | None:
        """The dimension of the null space; ``None`` if undecided."""
        return None if self.verdict is Positivity.UNDECIDED else len(self.null_vectors)

    def plot(self, axes: Axes | None = None) -> Axes:
        """A null vector of a singular matrix: in the plane on the points, else over their number.

        Points in the plane are coloured by their entry, and carry it. Raises :class:`DomainError` where there
        is no null vector.
        """
        if not self.null_vectors:
            raise DomainError(f"a Gram matrix that is {self.verdict.value}", "a null vector to draw")
        axes = axes_for(axes)
        vector = np.array([float(entry) for entry in self.null_vectors[0]])
        title = f"null vector of the {self.kernel.upper()}"
        if {len(point) for point in self.points} == {2}:
            x, y = np.array([[float(entry) for entry in point] for point in self.points]).T
            most = np.abs(vector).max()
            axes.scatter(
                x, y, 90, vector, cmap="coolwarm", vmin=-most, vmax=most, edgecolors="black", zorder=3
            )
            for place, entry in zip(zip(x, y, strict=True), self.null_vectors[0], strict=True):
                axes.annotate(short(entry), place, (7, 7), textcoords="offset points")
            axes.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
            axes.set_aspect("equal", adjustable="datalim")
            axes.margins(0.15)
        else:
            axes.stem(vector)
            number_by_integers(axes)
            axes.set(xlabel="point", ylabel="entry of the null vector", title=title)
        return tidy(axes)

    def __str__(self) -> str:
        head = f"{self.kernel} Gram matrix of {len(self.points)} points: {self.verdict.value}"
        if self.null_vectors:
            head += f", nullity {self.nullity}"
        lines = [head, *(f"  {s.layer}: {s.fact} [{s.reference}]" for s in self.steps)]
        if self.missing:
            lines.append(f"  missing: {self.missing}")
        lines += [f"  null vector ({', '.join(map(str, u))})" for u in self.null_vectors[:5]]
        return "\n".join(lines)


def decide_gram(network: Network, X: Any, kernel: str = "ntk") -> GramDecision:
    """Whether the limiting Gram matrix of the rows of ``X`` is strictly positive definite, exactly.

    ``X``: shape ``(N, d)``, rationals or floats (taken as the binary numbers they are). The answer is a
    proof (:mod:`.nullspace`), not a computation of eigenvalues: ``SINGULAR`` comes with a basis of the null
    space. ``UNDECIDED`` says what is missing; it can occur where an activation is not seen to be a polynomial
    or none, and with LayerNorm after dependent vectors of different lengths.

    NNGP and NTK have the same null space: ``sum_i u_i s(z_i . w) = 0`` for almost every ``w`` may be
    differentiated at almost every ``w``, so ``u`` is a null vector of ``E s'(g_i) s'(g_j) T_ij`` too (with
    jumps, ``s'`` taken away from them).

    Raises :class:`DomainError` for bad points, an unknown kernel, or a kernel that is infinite at a point.

    >>> from analytic_ntk import Network, activations
    >>> net = Network.mlp(activations.relu, 1, 2, 0)
    >>> hexagon = [[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]]
    >>> found = decide_gram(net, hexagon)
    >>> found.verdict, [int(e) for e in found.null_vectors[0]]
    (<Positivity.SINGULAR: 'singular'>, [-1, 1, -1, 1, -1, 1])
    """
    require_network(network)
    if kernel not in KERNELS:
        raise DomainError(f"kernel = {kernel!r}", '"ntk" or "nngp"')
    points = exact_points(X)
    _require_finite(network, points)
    features = input_features(points)
    steps: list[Step] = []
    for layer in network.layers:
        try:
            features = push(layer, features)
        except UndecidedError as error:
            return GramDecision(Positivity.UNDECIDED, kernel, points, (), tuple(steps), str(error))
        steps.append(_step(layer, features))
    null = features.null_vectors()
    verdict = Positivity.SINGULAR if null else Positivity.STRICTLY_POSITIVE
    return GramDecision(verdict, kernel, points, null, tuple(steps))


def _require_finite(network: Network, points: Sequence[Vector]) -> None:
    """Raise :class:`DomainError` where a variance outgrows an activation: the kernel is infinite there."""
    if all(grows_at_most(phi) is sp.oo for phi in network.activations):
        return
    ball = Ball()
    with working_precision(64):
        for square in sorted({_square(point) for point in points}):
            q = ball.number(sp.Rational(square.numerator, square.denominator))
            network.push(Pair(q, q, q, arb(0), arb(0)), ball)


def grows_at_most(activation: Activation) -> sp.Expr:
    """The variance from which ``E phi(u)^2`` or ``E phi'(u)^2`` is infinite."""
    return min(activation.max_variance, activation.derivative_max_variance)


def _square(point: Vector) -> Fraction:
    return sum((entry * entry for entry in point), Fraction(0)) / len(point)


def _step(layer: Layer, features: Features) -> Step:
    match layer:
        case Dense():
            bias = "a bias keeps only null vectors with sum 0" if layer.bias_variance != 0 else "no bias"
            return Step(str(layer), bias, "sum of positive semidefinite matrices")
        case Nonlinearity():
            s = profile(layer.activation)
            fact = f"{'; '.join(s.identities())}: {_state(features)}"
            return Step(str(layer.activation), fact, _reference(s, features))
        case Residual():
            fact = "null vectors common to both summands"
            return Step("Residual", fact, "sum of positive semidefinite matrices")
        case LayerNorm():
            return Step("LayerNorm", "vectors rescaled", "congruence")
    return Step(type(layer).__name__, "", "")


def _state(features: Features) -> str:
    if features.degrees is not None:
        return f"all monomials of the inputs of the degrees {_listed(features.degrees)}"
    return f"null space of dimension {features.nullity}" if features.nullity else "no null vector"


def _listed(degrees: frozenset[int]) -> str:
    shown = sorted(degrees)
    if len(shown) > 2 and shown[-1] - shown[0] == len(shown) - 1:
        return f"{shown[0]} to {shown[-1]}"
    return ", ".join(map(str, shown[:12])) + (f", .. {shown[-1]}" if len(shown) > 12 else "") or "none"


def _reference(s: Profile, features: Features) -> str:
    if s.polynomial is not None:
        return f"{PAPER}, sharpness: polynomial activations have finite rank"
    if features.nullity == 0:
        return f"{PAPER}, Theorem 3 and Proposition 1"
    return f"{PAPER}, Theorem 3 on every pair of lines"
