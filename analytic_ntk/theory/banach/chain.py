"""A finite network as a chain ``Dense, (phi, Dense), ...``, and a step of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.finite_width.inputs import matrix
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain(Shown):
    """``dense[0], phi[0], dense[1], phi[1], ..., dense[-1]``."""

    network: FiniteNetwork
    dense: tuple[FiniteDense, ...]
    activations: tuple[Activation, ...]

    @property
    def depth(self) -> int:
        return len(self.activations)

    def steps(self, step: Array) -> tuple[tuple[Array, Array | None], ...]:
        """A step cut into the changes of the weights and of the biases of each dense layer, not copied."""
        cut = chain_of(self.network.with_parameters(step))
        return tuple((layer.omega, layer.omega_0) for layer in cut.dense)

    def moved(self, step: Array) -> FiniteNetwork:
        """The network after a step."""
        changes = [change for pair in self.steps(step) for change in pair if change is not None]
        arrays = [array for layer in self.dense for array in layer.parameters]
        return self.network.with_all([p + d for p, d in zip(arrays, changes, strict=True)])

    def inputs(self, X: ArrayLike) -> Array:
        """Data ``(n, input_dim)``. Raises :class:`DomainError` for another shape."""
        rows = matrix(X, "X")
        if rows.shape[1] != self.network.input_dim:
            raise DomainError(f"X of shape {rows.shape}", f"shape (n, {self.network.input_dim})")
        return rows

    def arguments(self, X: Array) -> list[Array]:
        """The arguments of each nonlinearity, ``(n, units)`` each."""
        return list(self.network.run(X)[1][1:-1:2])

    def changes(self, X: Array, step: Array, moved: FiniteNetwork) -> list[Array]:
        """By how much a step to ``moved`` changes them; in the first layer computed without a difference."""
        ends = zip(chain_of(moved).arguments(X), self.arguments(X), strict=True)
        found = [after - before for after, before in ends]
        weights, biases = self.steps(step)[0]
        first = self.dense[0].weight_scale * (X @ weights)
        found[0] = first if biases is None else first + self.dense[0].bias_scale * biases
        return found


def chain_of(network: Any) -> Chain:
    """Raises :class:`DomainError` for what is not a chain of dense layers and nonlinearities on numpy."""
    if not isinstance(network, FiniteNetwork):
        raise DomainError(
            f"{type(network).__name__}", "a FiniteNetwork", "network.sample(widths, rng, input_dim)"
        )
    dense, others = network.units[::2], network.units[1::2]
    if not (
        len(network.units) >= 3
        and len(network.units) % 2
        and all(isinstance(unit, FiniteDense) for unit in dense)
        and all(isinstance(unit, FiniteNonlinearity) for unit in others)
    ):
        names = ", ".join(type(unit).__name__.removeprefix("Finite") for unit in network.units)
        raise DomainError(
            f"the layers {names}", "Dense, Nonlinearity, Dense, ..., Dense", "leave skips and norms out"
        )
    chosen = tuple(unit for unit in dense if isinstance(unit, FiniteDense))
    for unit in chosen:
        if not isinstance(unit.omega, np.ndarray) or unit.omega.dtype != np.float64 or unit.omega.ndim != 2:
            raise DomainError("parameters that are not matrices of numpy float64", "one network, on numpy")
    return Chain(
        network, chosen, tuple(unit.activation for unit in others if isinstance(unit, FiniteNonlinearity))
    )


def vector(value: ArrayLike, size: int, name: str) -> Array:
    """``size`` finite numbers. Raises :class:`DomainError` for anything else."""
    try:
        found = np.asarray(value)
    except ValueError:
        raise DomainError(f"{name} with rows of different lengths", f"a vector of shape ({size},)") from None
    if found.dtype.kind not in "iuf" or found.shape != (size,):
        raise DomainError(
            f"{name} of shape {found.shape} and dtype {found.dtype}",
            f"real numbers of shape ({size},), as finite.parameters has",
        )
    found = found.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        raise DomainError(f"{name} with a NaN or an infinity", "finite numbers")
    return found
