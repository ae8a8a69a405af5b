"""Fully connected networks without bias, at given parameters, with every rounding error accounted for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.flow import training_data
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.positivity.rounded import Array, Rounded
from analytic_ntk.theory.overparameterization.suprema import DerivativeBounds
from analytic_ntk.theory.overparameterization.values import applied, matmul, symmetric, transposed

Parameters = tuple[Array, ...]
"""``W_1, ..., W_L``, first layer first, ``W_l`` of shape ``(width_l, width_{l-1})``."""


@dataclass(frozen=True)
class FeedForward(Shown):
    """``f(x) = omega_L W_L phi(omega_{L-1} W_{L-1} phi(.. phi(omega_1 W_1 x)))``, all layers trained.

    ``scales``: ``omega_1 .. omega_L``, positive; ``(1, 1)`` is the shallow network ``V phi(W x)``. No biases:
    a column of ones in ``X`` gives the first layer one. Another standard deviation of the start is another
    start, not another scale.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> network = FeedForward(activations.tanh)
    >>> params = network.draw(np.random.default_rng(0), 3, widths=(100,))
    >>> [w.shape for w in params], network.values(params, np.eye(3)).shape
    ([(100, 3), (1, 100)], (3, 1))
    """

    activation: Activation
    scales: tuple[float, ...] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not isinstance(self.activation, Activation):
            raise DomainError(f"{self.activation!r}"[:80], "an Activation", "e.g. activations.tanh")
        self.activation.require_numeric()
        if not isinstance(self.scales, (tuple, list)) or len(self.scales) < 2:
            raise DomainError(f"scales = {self.scales!r}"[:80], "two or more numbers, one for each layer")
        for scale in self.scales:
            number = isinstance(scale, (int, float, np.floating)) and not isinstance(scale, bool)
            if not number or not 0 < scale < math.inf or float(scale) != scale:
                raise DomainError(f"scales = {self.scales!r}"[:80], "finite numbers > 0 that float64 holds")
        object.__setattr__(self, "scales", tuple(map(float, self.scales)))

    @classmethod
    def of(cls, finite: FiniteNetwork) -> tuple[FeedForward, Parameters]:
        """From a sampled :class:`~analytic_ntk.Network` of dense layers without bias and one activation."""
        dense = [unit for unit in finite.units[::2] if isinstance(unit, FiniteDense)]
        between = [unit for unit in finite.units[1::2] if isinstance(unit, FiniteNonlinearity)]
        alternate = len(dense) + len(between) == len(finite.units) and len(dense) == len(between) + 1 >= 2
        biased = any(unit.omega_0 is not None for unit in dense)
        if not alternate or biased or len({unit.activation for unit in between}) != 1:
            raise DomainError(
                "a network of other layers",
                "dense layers without bias and one activation between them",
                "Network.mlp(phi, depth, weight_variance, 0).sample(...)",
            )
        network = cls(between[0].activation, tuple(unit.weight_scale for unit in dense))
        return network, tuple(np.ascontiguousarray(np.asarray(unit.omega).T) for unit in dense)

    def draw(
        self,
        rng: np.random.Generator,
        inputs: int,
        widths: Sequence[int],
        outputs: int = 1,
        deviations: Sequence[float] | None = None,
    ) -> Parameters:
        """Gaussian parameters of these ``deviations``, by default 1 and then ``1/sqrt(fan_in)``."""
        require_rng(rng)
        sizes = [inputs, *widths, outputs]
        for size in sizes:
            require_count(size, "width", 1)
        if len(sizes) != len(self.scales) + 1:
            raise DomainError(f"{len(widths)} widths", f"{len(self.scales) - 1}, one for each hidden layer")
        chosen = [1.0, *(1 / math.sqrt(w) for w in widths)] if deviations is None else list(deviations)
        if len(chosen) != len(self.scales) or not all(math.isfinite(d) and d > 0 for d in chosen):
            raise DomainError(f"deviations = {deviations!r}"[:80], f"{len(self.scales)} numbers > 0")
        shapes = zip(sizes[1:], sizes, strict=False)
        return tuple(d * rng.standard_normal(shape) for d, shape in zip(chosen, shapes, strict=True))

    def check(self, params: Sequence[Any], inputs: int, outputs: int) -> Parameters:
        """The parameters as float64 matrices; :class:`DomainError` where shapes do not fit."""
        if not isinstance(params, (tuple, list)) or len(params) != len(self.scales):
            raise DomainError(
                f"parameters {type(params).__name__}", f"a tuple of {len(self.scales)} matrices"
            )
        found = tuple(_exact(w, f"W_{k}") for k, w in enumerate(params, 1))
        sizes = [inputs, *(len(w) for w in found)]
        wrong = [k for k, w in enumerate(found, 1) if w.shape[1] != sizes[k - 1]]
        if wrong or sizes[-1] != outputs:
            shapes = ", ".join(str(w.shape) for w in found)
            raise DomainError(
                f"matrices of shapes {shapes}",
                f"(width, {inputs}), ..., ({outputs}, width): inputs and labels",
            )
        return found

    def values(self, params: Parameters, X: Array) -> Array:
        """``f`` at the rows of ``X`` in float64, ``(n, outputs)``."""
        rows = X
        for scale, weights in zip(self.scales[:-1], params[:-1], strict=True):
            rows = self.activation(scale * (rows @ weights.T))
        return np.asarray(self.scales[-1] * (rows @ params[-1].T))

    def jacobian(self, params: Parameters, X: Array) -> Array:
        """``df/dtheta`` in float64, ``(outputs n, number of parameters)``: rows by output, then by input."""
        slope = self.activation.derivative.float_function()
        features, slopes = [X], []
        for scale, weights in zip(self.scales[:-1], params[:-1], strict=True):
            before = scale * (features[-1] @ weights.T)
            features.append(self.activation(before))
            slopes.append(slope(before))
        outputs, count = len(params[-1]), len(X)
        back = np.repeat(np.eye(outputs), count, axis=0)
        blocks = []
        for layer in range(len(params) - 1, -1, -1):
            repeated = np.tile(features[layer], (outputs, 1))
            blocks.append(
                self.scales[layer] * (back[:, :, None] * repeated[:, None, :]).reshape(len(back), -1)
            )
            if layer:
                back = self.scales[layer] * (back @ params[layer]) * np.tile(slopes[layer - 1], (outputs, 1))
        return np.concatenate(blocks[::-1], axis=1)


@dataclass(frozen=True, eq=False)
class Forward:
    """What a network does at the data, enclosed: features ``H_0 = X, .., H_{L-1}``, values, and how these
    depend on the layers: ``G_l = df/dz_l``, ``z_l = omega_l W_l h_{l-1}``, rows by output, then by input."""

    features: tuple[Rounded, ...]
    values: Rounded
    derivatives: tuple[Rounded, ...]


def forward(network: FeedForward, params: Parameters, X: Array, bounds: DerivativeBounds) -> Forward:
    first, second = (_up(b) for b in (bounds.first.upper, bounds.second.upper))
    features, slopes = [Rounded.exact(X)], []
    for scale, weights in zip(network.scales[:-1], params[:-1], strict=True):
        before = Rounded.exact(scale) * matmul(features[-1], Rounded.exact(weights.T))
        features.append(_finite(applied(network.activation, 0, before, first)))
        slopes.append(_finite(applied(network.activation, 1, before, second)))
    values = Rounded.exact(network.scales[-1]) * matmul(features[-1], Rounded.exact(params[-1].T))
    outputs = len(params[-1])
    backs = [Rounded.exact(np.repeat(np.eye(outputs), len(X), axis=0))]
    for layer in range(len(params) - 1, 0, -1):
        step = Rounded.exact(network.scales[layer]) * matmul(backs[-1], Rounded.exact(params[layer]))
        backs.append(_finite(step * _tiled(slopes[layer - 1], (outputs, 1))))
    return Forward(tuple(features), _finite(values), tuple(backs[::-1]))


def tangent_kernel(network: FeedForward, found: Forward) -> Rounded:
    """``J J^T``, enclosed entry by entry, ``(outputs n, outputs n)``; no Jacobian is formed."""
    outputs = found.values.value.shape[1]
    total: Rounded | None = None
    for scale, rows, back in zip(network.scales, found.features, found.derivatives, strict=True):
        share = symmetric(matmul(rows, transposed(rows)))
        across = symmetric(matmul(back, transposed(back)))
        block = Rounded.exact(scale) * Rounded.exact(scale) * _tiled(share, (outputs, outputs)) * across
        total = block if total is None else total + block
    assert total is not None
    return symmetric(_finite(total))


def _finite(found: Rounded) -> Rounded:
    if not (np.isfinite(found.value).all() and np.isfinite(found.error).all()):
        raise DomainError(
            "numbers too large for float64 on the way through the network", "finite ones",
            "rescale the inputs, the parameters or the scales",
        )  # fmt: skip
    return found


def stream(*key: int) -> np.random.Generator:
    """Random numbers of their own for every key, a list of integers >= 0.

    A list of seeds would not do: numpy fills it up with zeros, so that ``[5]`` and ``[5, 0]`` are one stream.

    >>> stream(5).normal() != stream(5, 0).normal(), stream(5, 0).normal() == stream(5, 0).normal()
    (True, True)
    """
    return np.random.default_rng(np.random.SeedSequence(key[0], spawn_key=key[1:]))


def data(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Inputs ``(n, d)`` and labels ``(n, outputs)``, checked.

    Raises :class:`DomainError` for shapes that do not fit, for numbers that are not finite or that float64
    rounds, and for equal inputs with different labels: no network fits those.
    """
    rows, labels = training_data(X, y)
    _same_numbers(X, rows, "X")
    _same_numbers(np.reshape(np.asarray(y), labels.shape), labels, "y")
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        j = first.setdefault((row + 0.0).tobytes(), i)
        if not np.array_equal(labels[i], labels[j]):
            raise DomainError(
                f"inputs {j} and {i} are equal, their labels differ",
                "labels that are a function of the input",
                "no network fits them: drop one of the two, or average their labels",
            )
    return rows, labels


def _exact(value: Any, name: str) -> Array:
    found = matrix(value, name)
    _same_numbers(value, found, name)
    return found


def _same_numbers(given: Any, floats: Array, name: str) -> None:
    array = np.asarray(given)
    same = array.astype(object) == floats.astype(object) if array.dtype.kind in "iu" else array == floats
    if not np.all(same):
        raise DomainError(f"numbers in {name} that float64 rounds", "numbers that float64 holds")


def _tiled(a: Rounded, times: tuple[int, int]) -> Rounded:
    return Rounded(np.tile(a.value, times), np.tile(np.broadcast_to(a.error, a.value.shape), times))


def _up(value: Any) -> float:
    return math.nextafter(float(value), math.inf)
