"""What is tested: an activation, a layer or a network, and which networks stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from analytic_ntk import strategies
from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.gaussian.identities import vanishes
from analytic_ntk.layers import Dense, Layer, Nonlinearity, Residual
from analytic_ntk.network import Network

_LADDER = tuple(Fraction(10) ** k for k in (9, 6, 4, 2, 1, 0, -1, -2, -4))
"""Input variances tried, largest first."""
_LARGEST = 1e100
_DEPTH = 3


@dataclass(frozen=True)
class Subject:
    """An activation (tested in networks of many kinds) or one fixed network."""

    what: Activation | Network
    name: str

    @classmethod
    def of(cls, given: object) -> Subject:
        """From what a user hands over; a layer is tested between two dense ones.

        Raises :class:`DomainError` for anything else, and for free parameters.
        """
        if isinstance(given, Activation):
            subject = cls(given, str(given))
        elif isinstance(given, Network):
            subject = cls(given, "network " + ", ".join(map(_short, given.layers)))
        elif isinstance(given, Layer):
            subject = cls(_around(given), f"layer {_short(given)}")
        else:
            remedy = "use Activation.parse(text)" if isinstance(given, str) else "wrap it in Activation(expr)"
            raise DomainError(f"{given!r}"[:80], "an Activation, a layer or a Network", remedy)
        for phi in subject.activations:
            phi.require_numeric()
        for variance in _variances(subject.what):
            if variance.free_symbols:
                raise DomainError(f"the variance {variance}", "a number", "give the symbol a number first")
        return subject

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activations in it, each once."""
        if isinstance(self.what, Activation):
            return (self.what,)
        return tuple(dict.fromkeys(self.what.activations))

    def networks(
        self, max_depth: int = 3, biases: Sequence[str] = strategies.BIASES
    ) -> SearchStrategy[Network]:
        """Networks that stand for the subject."""
        if isinstance(self.what, Network):
            return st.just(self.what)
        if self.limit is sp.oo:
            return strategies.networks(self.what, min(max_depth, self._reach[0]), bias_variances=biases)
        # one hidden layer whose variances stay below the limit: inputs have at most a quarter of it
        eighth = str(self._below_limit / 8)
        return strategies.networks(
            self.what,
            1,
            layer_norm=False,
            weight_variances=("1", "1/2"),
            bias_variances=tuple(b if b == "0" else eighth for b in biases),
        )

    def drawn_activation(self) -> SearchStrategy[Activation]:
        return st.sampled_from(self.activations)

    @cached_property
    def limit(self) -> sp.Expr:
        """The least variance from which ``E phi(u)^2`` or ``E phi'(u)^2`` is infinite for an activation."""
        limits = [v for phi in self.activations for v in (phi.max_variance, phi.derivative_max_variance)]
        return min(limits, default=sp.oo)

    @cached_property
    def _below_limit(self) -> Fraction:
        with working_precision(64):
            low = float(exact_ball(self.limit).real.lower())
        return Fraction(low) * Fraction(63, 64)

    @cached_property
    def _reach(self) -> tuple[int, Fraction]:
        """How deep networks are drawn, and the input variance that they bear.

        The deepest with unit inputs, then the largest variance of a ladder, whose kernels in float64 are
        below :data:`_LARGEST`, at the largest variances that are drawn.
        """
        if isinstance(self.what, Network):
            candidates = [(_DEPTH, self.what)]
        elif self.limit is not sp.oo:
            return 1, self._below_limit / 4
        else:
            candidates = [(k, Network.mlp(self.what, k, 2, 1)) for k in range(_DEPTH, 0, -1)]
        for depth, network in candidates:
            for variance in _LADDER:
                if (variance >= 1 or depth == candidates[-1][0]) and _bears(network, variance):
                    return depth, variance
        raise DomainError(
            f"{self.name} with kernels that are infinite, or too large for float64, at every variance tried",
            f"finite kernels for inputs with <x,x>/d = {float(_LADDER[-1])}",
            "lower the variances",
        )

    @property
    def max_depth(self) -> int:
        """Networks drawn around an activation have at most so many hidden layers."""
        return self._reach[0]

    @property
    def max_input_variance(self) -> Fraction:
        """Inputs are drawn with ``<x,x>/d`` below this."""
        return self._reach[1]

    @property
    def max_dual_variance(self) -> Fraction:
        """The arguments of an activation are drawn with variances below this."""
        if self.limit is not sp.oo:
            return self._below_limit / 4
        return self.max_input_variance if isinstance(self.what, Activation) else Fraction(100)

    @property
    def restriction(self) -> str:
        """What of the strata is left out, in words ("" if nothing)."""
        if self.limit is not sp.oo:
            return f"E phi(u)^2 or E phi'(u)^2 is infinite from variance {self.limit} on: drawn below it"
        depth, variance = self._reach
        layers = "1 hidden layer" if depth == 1 else f"{depth} hidden layers"
        words = [f"at most {layers}"] if depth < _DEPTH else []
        words += [f"inputs with <x,x>/d < {float(variance):g}"] if variance < _LADDER[0] else []
        return f"{', '.join(words)}: beyond, kernels may leave float64" if words else ""


def _bears(network: Network, variance: Fraction) -> bool:
    """Whether the kernels of an input of this variance are finite and not too large."""
    try:
        nngp, ntk = network.gram(np.array([[float(variance) ** 0.5]]), kernel="both")
    except AnalyticNTKError:
        return False
    return float(max(nngp[0, 0], ntk[0, 0])) <= _LARGEST


def is_flat(phi: Activation) -> bool:
    """Whether ``phi' = 0`` away from jumps."""
    return all(vanishes(part) for part in phi.derivative.parts)


def _short(layer: Layer) -> str:
    match layer:
        case Dense():
            return f"Dense({layer.weight_variance}, {layer.bias_variance})"
        case Nonlinearity():
            return str(layer.activation)
        case Residual():
            return f"Residual({', '.join(map(_short, layer.branch))})"
    return type(layer).__name__


def _around(layer: Layer) -> Network:
    layers: list[Layer] = [Dense(1, "1/10"), layer]
    if not isinstance(layer, (Dense, Residual)):
        layers.append(Dense(1, "1/10"))
    return Network(*layers)


def _variances(what: Activation | Network) -> list[sp.Expr]:
    if isinstance(what, Activation):
        return []
    found: list[sp.Expr] = []
    todo = list(what.layers)
    while todo:
        layer = todo.pop()
        if isinstance(layer, Dense):
            found += [sp.sympify(layer.weight_variance), sp.sympify(layer.bias_variance)]
        todo += list(getattr(layer, "branch", ()))
    return found


def one_hidden_layer_parts(network: Network) -> list[Network]:
    """Every ``Dense, Nonlinearity, Dense`` in a network, as a network of its own; also where the last two
    are the branch of a ``Residual``."""
    found = []
    layers = list(network.layers)
    for index, layer in enumerate(layers):
        if isinstance(layer, Dense):
            after = layers[index + 1 : index + 3]
            if len(after) >= 1 and isinstance(after[0], Residual):
                after = list(after[0].branch[:2])
            if len(after) == 2 and isinstance(after[0], Nonlinearity) and isinstance(after[1], Dense):
                found.append(Network(layer, *after))
    return found
