"""Finite networks drawn at random, and how far their kernels are from the infinite-width limit.

A network of width ``n`` is the scalar function ``f(x) = r . F_L(x)`` with a fixed readout ``r``, ``|r| = 1``,
over the units of its last layer. Its parameters are independent standard normals ``omega``; a ``Dense`` layer
computes ``sqrt(w/n) omega F + sqrt(b) omega_0`` (NTK parametrisation: the variances are factors, not
parameters). The empirical tangent kernel

    K(x, y) = sum over parameters of df(x)/domega * df(y)/domega = sum_l (w F F^T / n + b) o (B B^T)

needs, for every ``Dense`` layer, the features ``F`` it reads and the backpropagated rows
``B = df/d(output)``: no Jacobian is formed. It is exact at every finite width (up to rounding in float64).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, Protocol

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, LayerNorm, Nonlinearity, Residual
from analytic_ntk.network import Network

Array = NDArray[np.float64]
Tape = Any
"""What a unit keeps from the way forward for the way back."""


class Unit(Protocol):
    """A layer of a finite network: ``(n, width) -> (n, width')`` and its transpose."""

    def forward(self, features: Array) -> tuple[Array, Tape]: ...

    def backward(self, tape: Tape, rows: Array) -> tuple[Array, Array | float]:
        """From ``rows = df/d(output)``: ``df/d(input)``, and the layer's share of the tangent kernel."""
        ...


# ------------------------------------------------------------------------------------ the layers, sampled


@dataclass(frozen=True, eq=False)
class FiniteDense:
    """``F -> sqrt(w/n) F omega + sqrt(b) omega_0``, ``omega`` of shape ``(n, width)``."""

    omega: Array
    omega_0: Array
    weight_variance: float
    bias_variance: float

    def forward(self, features: Array) -> tuple[Array, Tape]:
        scale = np.sqrt(self.weight_variance / len(self.omega))
        return scale * (features @ self.omega) + np.sqrt(self.bias_variance) * self.omega_0, features

    def backward(self, tape: Tape, rows: Array) -> tuple[Array, Array | float]:
        share = self.weight_variance / len(self.omega) * (tape @ tape.T) + self.bias_variance
        return np.sqrt(self.weight_variance / len(self.omega)) * (rows @ self.omega.T), share * (
            rows @ rows.T
        )


@dataclass(frozen=True, eq=False)
class FiniteNonlinearity:
    """``F -> phi(F)``; on the way back ``phi'`` away from jumps, the mean of its sides at a kink."""

    activation: Activation

    def forward(self, features: Array) -> tuple[Array, Tape]:
        return self.activation(features), features

    def backward(self, tape: Tape, rows: Array) -> tuple[Array, Array | float]:
        return rows * self.activation.derivative.float_function()(tape), 0.0


@dataclass(frozen=True, eq=False)
class FiniteLayerNorm:
    """``F -> (F - mean F) / std F`` over the units.

    With ``h`` the output, ``df/dF = (B - mean B - h mean(B h)) / std F``: the rows lose their components
    along the constant and along ``h``, the two directions the output does not depend on.
    """

    def forward(self, features: Array) -> tuple[Array, Tape]:
        centred = features - features.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True))
        if not spread.all():
            raise DomainError(
                "an input whose units are all equal before LayerNorm",
                "units that differ",
                "add a bias, or drop the input",
            )
        return centred / spread, (centred / spread, spread)

    def backward(self, tape: Tape, rows: Array) -> tuple[Array, Array | float]:
        output, spread = tape
        along = (rows * output).mean(axis=1, keepdims=True)
        return (rows - rows.mean(axis=1, keepdims=True) - output * along) / spread, 0.0


@dataclass(frozen=True, eq=False)
class FiniteResidual:
    """``F -> F + branch(F)``."""

    branch: tuple[Unit, ...]

    def forward(self, features: Array) -> tuple[Array, Tape]:
        output, tapes = _forward(self.branch, features)
        return features + output, tapes

    def backward(self, tape: Tape, rows: Array) -> tuple[Array, Array | float]:
        through, share = _backward(self.branch, tape, rows)
        return rows + through, share


def _forward(units: tuple[Unit, ...], features: Array) -> tuple[Array, list[Tape]]:
    tapes = []
    for unit in units:
        with np.errstate(over="ignore", invalid="ignore"):
            features, tape = unit.forward(features)
        if not np.isfinite(features).all():
            raise DomainError(
                "a unit that overflows float64", "finite values", "shrink the variances or the depth"
            )
        tapes.append(tape)
    return features, tapes


def _backward(units: tuple[Unit, ...], tapes: list[Tape], rows: Array) -> tuple[Array, Array | float]:
    total: Array | float = 0.0
    for unit, tape in zip(reversed(units), reversed(tapes), strict=True):
        rows, share = unit.backward(tape, rows)
        total = total + share
    return rows, total


# ------------------------------------------------------------------------------------ drawing one


@singledispatch
def _draw(layer: object, fan_in: int, width: int, rng: np.random.Generator) -> Unit:
    """One layer with parameters drawn; a new kind of layer registers its own case."""
    raise DomainError(f"the layer {layer!r}", "Dense, Nonlinearity, Residual or LayerNorm")


@_draw.register
def _(layer: Dense, fan_in: int, width: int, rng: np.random.Generator) -> Unit:
    weight, bias = (_as_float(v) for v in (layer.weight_variance, layer.bias_variance))
    return FiniteDense(rng.standard_normal((fan_in, width)), rng.standard_normal(width), weight, bias)


@_draw.register
def _(layer: Nonlinearity, fan_in: int, width: int, rng: np.random.Generator) -> Unit:
    layer.activation.require_numeric()
    return FiniteNonlinearity(layer.activation)


@_draw.register
def _(layer: LayerNorm, fan_in: int, width: int, rng: np.random.Generator) -> Unit:
    return FiniteLayerNorm()


@_draw.register
def _(layer: Residual, fan_in: int, width: int, rng: np.random.Generator) -> Unit:
    return FiniteResidual(tuple(_draw(inner, fan_in, width, rng) for inner in layer.branch))


def _as_float(value: Any) -> float:
    number = sp.sympify(value)
    if not number.is_number:
        raise DomainError(
            f"the variance {number}", "a number", "give the symbolic variances numbers before sampling"
        )
    return float(number)


@dataclass(frozen=True)
class EmpiricalKernels:
    """Of one finite network: ``nngp = F_L F_L^T / width`` and ``ntk`` of the scalar function, (n, n)."""

    nngp: Array
    ntk: Array


@dataclass(frozen=True, eq=False)
class FiniteNetwork:
    """A network with its parameters drawn; a scalar function ``readout . F_L(x)``."""

    units: tuple[Unit, ...]
    readout: Array
    input_dim: int

    def forward(self, X: ArrayLike) -> Array:
        """The units of the last layer, ``(n, input_dim) -> (n, width)``. Raises :class:`DomainError` for
        inputs of another shape, NaN, or values that overflow float64 on the way."""
        return _forward(self.units, self._inputs(X))[0]

    def __call__(self, X: ArrayLike) -> Array:
        """The scalar function, ``(n, input_dim) -> (n,)``."""
        return self.forward(X) @ self.readout

    def kernels(self, X: ArrayLike) -> EmpiricalKernels:
        """Both empirical kernels on the rows of ``X``, ``(n, input_dim) -> (n, n)`` each."""
        output, tapes = _forward(self.units, self._inputs(X))
        with np.errstate(over="ignore", invalid="ignore"):
            _, ntk = _backward(self.units, tapes, np.tile(self.readout, (len(output), 1)))
            nngp = output @ output.T / output.shape[1]
        if not (np.isfinite(nngp).all() and np.isfinite(ntk).all()):
            raise DomainError(
                "a kernel that overflows float64", "finite values", "shrink the variances or the depth"
            )
        return EmpiricalKernels(nngp, np.asarray(ntk))

    @property
    def parameters(self) -> Array:
        """All parameters (standard normals when drawn) in one vector."""
        return np.concatenate(
            [p.ravel() for dense in _dense(self.units) for p in (dense.omega, dense.omega_0)]
        )

    def with_parameters(self, theta: Array) -> FiniteNetwork:
        """The same network at other parameters, a vector as long as :attr:`parameters`."""
        theta = np.asarray(theta, dtype=np.float64)
        if theta.shape != self.parameters.shape:
            raise DomainError(f"parameters of shape {theta.shape}", f"shape {self.parameters.shape}")
        left = iter(
            np.split(theta, np.cumsum([p.size for d in _dense(self.units) for p in (d.omega, d.omega_0)]))
        )
        return replace(self, units=_refilled(self.units, left))

    def _inputs(self, X: ArrayLike) -> Array:
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.input_dim or not len(rows):
            raise DomainError(f"X of shape {rows.shape}", f"shape (n, {self.input_dim}) with n >= 1")
        if not np.isfinite(rows).all():
            raise DomainError("a NaN or infinity in X", "finite numbers")
        return rows


def _dense(units: tuple[Unit, ...]) -> Iterator[FiniteDense]:
    for unit in units:
        if isinstance(unit, FiniteDense):
            yield unit
        elif isinstance(unit, FiniteResidual):
            yield from _dense(unit.branch)


def _refilled(units: tuple[Unit, ...], left: Iterator[Array]) -> tuple[Unit, ...]:
    fresh: list[Unit] = []
    for unit in units:
        if isinstance(unit, FiniteDense):
            unit = replace(unit, omega=next(left).reshape(unit.omega.shape), omega_0=next(left))
        elif isinstance(unit, FiniteResidual):
            unit = replace(unit, branch=_refilled(unit.branch, left))
        fresh.append(unit)
    return tuple(fresh)


def require_count(value: int, name: str, least: int) -> None:
    """Raise :class:`DomainError` unless ``value`` is an integer, ``least`` or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise DomainError(f"{name} = {value!r}", f"an integer >= {least}")


def sample(
    network: Network, input_dim: int, width: int, rng: np.random.Generator, outputs: int | None = None
) -> FiniteNetwork:
    """Draw a finite network: ``width`` units in every layer, ``outputs`` (default ``width``) in the last.

    The readout is a random direction, independent of the parameters: the tangent kernel of the scalar
    function is an unbiased estimate of the mean over the units of theirs. ``outputs=1``: one output.
    Only a final ``Dense`` can have another number of units than the layers before it.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.finite_width import sample
    >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance=0)
    >>> finite = sample(network, input_dim=3, width=64, rng=np.random.default_rng(0))
    >>> kernels = finite.kernels(np.eye(3)[:2])
    >>> finite.forward(np.eye(3)[:2]).shape, kernels.ntk.shape
    ((2, 64), (2, 2))
    """
    last = width if outputs is None else outputs
    for value, name in ((input_dim, "input_dim"), (width, "width"), (last, "outputs")):
        require_count(value, name, 1)
    if last != width and not isinstance(network.layers[-1], Dense):
        raise DomainError(
            f"{last} outputs of width {width} after {type(network.layers[-1]).__name__}",
            "a final Dense layer",
            "leave outputs out",
        )
    units: list[Unit] = []
    fan_in = input_dim
    for index, layer in enumerate(network.layers):
        wide = last if index == len(network.layers) - 1 else width
        units.append(_draw(layer, fan_in, wide, rng))
        fan_in = wide
    readout = rng.standard_normal(last)
    return FiniteNetwork(tuple(units), readout / np.linalg.norm(readout), input_dim)


# ------------------------------------------------------------------------------------ against the limit


@dataclass(frozen=True)
class KernelEstimate:
    """The mean of an empirical kernel over independent networks, against its infinite-width limit, (n, n)."""

    mean: Array
    standard_error: Array
    limit: Array

    @property
    def z_scores(self) -> Array:
        """``(mean - limit) / standard_error``; 0 where both vanish."""
        difference = self.mean - self.limit
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = difference / self.standard_error
        return np.where(difference == 0, 0.0, scores)


@dataclass(frozen=True)
class SanityCheck:
    """What :func:`sanity_check` found."""

    width: int
    draws: int
    nngp: KernelEstimate
    ntk: KernelEstimate


def sanity_check(
    network: Network, X: ArrayLike, width: int, draws: int, rng: np.random.Generator
) -> SanityCheck:
    """Sample ``draws`` networks of one ``width`` and compare their kernels with :meth:`Network.gram`.

    The standard error is that of the mean over draws. It says nothing of the bias at finite width, of order
    ``depth/width`` relative to the kernel, nor of tails too heavy for a few draws to show (``exp``, high
    powers): this is a check against gross errors, not a measurement.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.finite_width import sanity_check
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> check = sanity_check(network, np.eye(2), width=256, draws=20, rng=np.random.default_rng(0))
    >>> bool(abs(check.ntk.z_scores).max() < 5)
    True
    """
    require_count(draws, "draws", 2)
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2:
        raise DomainError(f"X of shape {rows.shape}", "shape (n, d)")
    nngp_limit, ntk_limit = network.gram(rows, kernel="both")
    found = [sample(network, rows.shape[1], width, rng).kernels(rows) for _ in range(draws)]
    return SanityCheck(
        width,
        draws,
        _estimate(np.array([k.nngp for k in found]), nngp_limit),
        _estimate(np.array([k.ntk for k in found]), ntk_limit),
    )


def _estimate(values: Array, limit: Array) -> KernelEstimate:
    return KernelEstimate(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)), limit)
