"""The finite network: layers with their parameters drawn, and its empirical kernels without a Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, as_real_matrix, namespace, require_finite
from analytic_ntk.layers.dense import Dense, FiniteDense
from analytic_ntk.layers.protocol import Layer
from analytic_ntk.layers.residual import Residual
from analytic_ntk.layers.units import (
    PARAMETRISATIONS,
    Draw,
    Tape,
    Unit,
    Visit,
    backward_through,
    forward_through,
    require_count,
    require_rng,
)

_SHRINK = "shrink the variances or the depth"


@dataclass(frozen=True, eq=False)
class EmpiricalKernels(Shown):
    """Both kernels of one finite network on ``n`` inputs, ``(n, n)`` each.

    ``nngp``: after a last ``Dense`` layer, the covariance ``w F F^T / width + b`` of an output given the
    layers before it; after another last layer, the mean ``F F^T / width`` over its units. ``ntk``: the mean
    over the outputs of ``sum_theta df/dtheta(x) df/dtheta(y)``, or that of one combination of them.
    """

    nngp: Array
    ntk: Array


@dataclass(frozen=True, eq=False)
class LayerKernels(Shown):
    """What one ``Dense`` layer has to do with the kernels, ``(n, n)`` each.

    ``nngp``: the covariance of one of its units given the features it reads. ``ntk``: the part of the
    tangent kernel that its own parameters make; the sum over the layers is the tangent kernel.
    """

    nngp: Array
    ntk: Array


@dataclass(frozen=True, eq=False)
class FiniteNetwork(Shown):
    """A network of finite width with its parameters drawn, ``(n, input_dim) -> (n, outputs)``.

        K(x, y) = sum_theta df(x)/dtheta df(y)/dtheta = sum_l (F_l F_l^T) o (B_l B_l^T)

    over the ``Dense`` layers, ``F_l`` the features one reads (with its scale, and a constant for the bias)
    and ``B_l = df/d(its output)``: exact at every width, up to rounding. Memory ``O(n width)`` and the kernel
    itself; no Jacobian is formed. Made by :meth:`analytic_ntk.Network.sample`. Parameters are numpy arrays;
    :meth:`with_arrays` moves them to another library or device, where the same code runs.
    """

    units: tuple[Unit, ...]
    input_dim: int
    outputs: int

    def __call__(self, X: Any) -> Array:
        """The function, ``(n, input_dim) -> (n, outputs)``. Raises :class:`DomainError` for inputs of another
        shape, NaN, or values that overflow on the way."""
        return self.run(X)[0]

    def run(self, X: Any) -> tuple[Array, list[Tape]]:
        """The function and what :meth:`backward` needs to come back."""
        return forward_through(self.units, as_real_matrix(X, self._some, self.input_dim))

    def backward(self, tapes: list[Tape], rows: Array, visit: Visit) -> None:
        """Go back from ``rows = df/d(output)``, ``(..., n, outputs)``, visiting each dense layer."""
        backward_through(self.units, tapes, rows, visit)

    def kernels(self, X: Any, readout: ArrayLike | None = None) -> EmpiricalKernels:
        """Both empirical kernels on the rows of ``X``, ``(n, input_dim) -> (n, n)`` each.

        The tangent kernel is the mean over the outputs; with ``readout``, a vector as long as the outputs,
        that of the scalar function ``readout . f``. Memory ``O(n width)`` for each output.

        >>> import numpy as np
        >>> from analytic_ntk import Network, activations
        >>> network = Network.mlp(activations.relu, depth=2, weight_variance=2, bias_variance=0)
        >>> finite = network.sample(256, np.random.default_rng(0), input_dim=3)
        >>> finite.kernels(np.eye(3)).ntk.shape
        (3, 3)
        """
        shares: list[Array] = []

        def visit(dense: FiniteDense, features: Array, rows: Array) -> None:
            shares.append(dense.parameter_product(features) * _mean_product(rows))

        output, tapes = self.run(X)
        self.backward(tapes, self._rows(output, readout), visit)
        return _finite(EmpiricalKernels(self._nngp(output, tapes), sum(shares[1:], shares[0])))

    def layer_kernels(self, X: Any, readout: ArrayLike | None = None) -> tuple[LayerKernels, ...]:
        """Both kernels ``Dense`` layer by ``Dense`` layer, first to last, those in branches included."""
        found: list[LayerKernels] = []

        def visit(dense: FiniteDense, features: Array, rows: Array) -> None:
            share = dense.parameter_product(features) * _mean_product(rows)
            found.append(_finite(LayerKernels(dense.covariance(features), share)))

        output, tapes = self.run(X)
        self.backward(tapes, self._rows(output, readout), visit)
        return tuple(reversed(found))

    def ntk_blocks(self, X: Any) -> Array:
        """The tangent kernel of every pair of outputs, ``(outputs, outputs, n, n)``.

        In the limit ``delta_ab NTK(x, y)``; :meth:`kernels` gives the mean over ``a = b``.
        """
        shares: list[Array] = []

        def visit(dense: FiniteDense, features: Array, rows: Array) -> None:
            shares.append(dense.parameter_product(features) * (rows[:, None, ...] @ rows[None, ...].mT))

        output, tapes = self.run(X)
        self.backward(tapes, self._rows(output, None), visit)
        total = sum(shares[1:], shares[0])
        require_finite(total, "a kernel that overflows", _SHRINK)
        return total

    def jacobian(self, X: Any) -> Array:
        """``df/dtheta``, ``(n, outputs, number of parameters)``: for witnesses and small networks."""
        blocks: list[Array] = []

        def visit(dense: FiniteDense, features: Array, rows: Array) -> None:
            xp = namespace(rows)
            shape = (rows.shape[0], rows.shape[1], -1)
            if dense.omega_0 is not None:  # visited last to first: so are the parameters
                blocks.append(dense.bias_scale * rows)
            weight = dense.weight_scale * (features[:, :, None] * rows[:, :, None, :])
            blocks.append(xp.reshape(weight, shape))

        output, tapes = self.run(X)
        self.backward(tapes, self._rows(output, None), visit)
        xp = namespace(output)
        jacobian = xp.moveaxis(xp.concat(blocks[::-1], axis=-1), 0, 1)
        require_finite(jacobian, "a derivative that overflows", _SHRINK)
        return jacobian

    # ------------------------------------------------------------------------------- parameters

    @property
    def size(self) -> int:
        """The number of parameters of one network."""
        return sum(p.shape[-1] * p.shape[-2] for p in self._arrays)

    @property
    def parameters(self) -> Array:
        """All parameters in one vector: for each ``Dense`` layer its weights (by rows), then its biases."""
        xp = namespace(self._some)
        return xp.concat([xp.reshape(p, (-1,)) for p in self._arrays])

    def with_parameters(self, theta: Array) -> FiniteNetwork:
        """The same network at other parameters, a vector as long as :attr:`parameters`."""
        xp = namespace(self._some)
        if xp.__name__ == "torch" and isinstance(theta, xp.Tensor):  # asarray warns where gradients pass
            theta = theta.to(self._some.dtype)
        else:
            theta = xp.asarray(theta, dtype=self._some.dtype)
        length = sum(int(np.prod(p.shape)) for p in self._arrays)
        if tuple(theta.shape) != (length,):
            raise DomainError(f"parameters of shape {tuple(theta.shape)}", f"shape ({length},)")
        fresh, start = [], 0
        for p in self._arrays:
            stop = start + int(np.prod(p.shape))
            fresh.append(xp.reshape(theta[start:stop], tuple(p.shape)))
            start = stop
        return self._refilled(iter(fresh))

    def with_arrays(self, convert: Callable[[Array], Array]) -> FiniteNetwork:
        """The same network with each parameter array converted: to another library, device or dtype.

        ``finite.with_arrays(torch.as_tensor)``, or ``lambda p: torch.as_tensor(p, device="cuda")``. Raises
        :class:`DomainError` where the shape changes or the numbers are no longer real floating point.
        """
        return self._refilled(_converted(p, convert(p)) for p in self._arrays)

    def with_all(self, arrays: Sequence[Array]) -> FiniteNetwork:
        """The same network with other parameter arrays, one for each weight and bias, first layer first."""
        return self._refilled(iter(arrays))

    # ------------------------------------------------------------------------------- inside

    @property
    def _arrays(self) -> tuple[Array, ...]:
        return tuple(p for unit in self.units for p in unit.parameters)

    @property
    def _some(self) -> Array:
        return self._arrays[0]

    def _refilled(self, fresh: Iterator[Array]) -> FiniteNetwork:
        return replace(self, units=tuple(unit.with_parameters(fresh) for unit in self.units))

    def _rows(self, output: Array, readout: ArrayLike | None) -> Array:
        """``df/d(output)``, ``(number of functions, ..., n, outputs)``: each output, or one combination."""
        xp = namespace(output)
        if readout is None:
            chosen = np.eye(self.outputs)
        else:
            given = np.asarray(readout)
            if given.dtype.kind not in "iuf":
                raise DomainError(f"readout = {readout!r}"[:100], f"{self.outputs} finite numbers")
            chosen = given.astype(np.float64)[None]
            if chosen.shape != (1, self.outputs) or not np.isfinite(chosen).all():
                raise DomainError(f"readout = {readout!r}"[:100], f"{self.outputs} finite numbers")
        if xp is np:
            weights = chosen.astype(output.dtype)
        else:
            weights = xp.asarray(chosen, dtype=output.dtype, device=output.device)
        rows = xp.reshape(weights, (weights.shape[0], *(1,) * (output.ndim - 1), self.outputs))
        return rows + xp.zeros_like(output)[..., :1]

    def _nngp(self, output: Array, tapes: list[Tape]) -> Array:
        last = self.units[-1]
        with np.errstate(all="ignore"):
            if isinstance(last, FiniteDense):
                return last.covariance(tapes[-1])
            return output @ output.mT / output.shape[-1]


def _converted(before: Array, after: Array) -> Array:
    """``after`` itself. The dtype is told by its name: ``isdtype`` of the standard is not in torch."""
    namespace(after)
    if tuple(after.shape) != tuple(before.shape):
        raise DomainError(f"parameters of shape {tuple(after.shape)}", f"shape {tuple(before.shape)}")
    if "float" not in str(after.dtype):
        raise DomainError(f"parameters of dtype {after.dtype}", "real floating point numbers")
    return after


def _mean_product(rows: Array) -> Array:
    """The mean over outputs of ``B B^T``, ``(outputs, ..., n, width) -> (..., n, n)``."""
    total = rows[0, ...] @ rows[0, ...].mT
    for i in range(1, rows.shape[0]):
        total = total + rows[i, ...] @ rows[i, ...].mT
    return total / rows.shape[0] if rows.shape[0] > 1 else total


def _finite(found: Any) -> Any:
    for kernel in (found.nngp, found.ntk):
        require_finite(kernel, "a kernel that overflows", _SHRINK)
    return found


# ------------------------------------------------------------------------------------ drawing one


def draw_network(
    layers: tuple[Layer, ...],
    widths: int | Sequence[int],
    rng: np.random.Generator,
    input_dim: int,
    outputs: int | None,
    parametrisation: str,
    ensemble: tuple[int, ...] = (),
) -> FiniteNetwork:
    """See :meth:`analytic_ntk.Network.sample`; ``ensemble`` puts axes of independent networks in front."""
    require_count(input_dim, "input_dim", 1)
    require_rng(rng)
    if parametrisation not in PARAMETRISATIONS:
        raise DomainError(f"parametrisation = {parametrisation!r}"[:100], f"one of {PARAMETRISATIONS}")
    chosen = _widths(layers, widths, outputs)
    draw = Draw(rng, iter(chosen), parametrisation, ensemble)
    units: list[Unit] = []
    width = input_dim
    for layer in layers:
        unit, width = layer.sample(draw, width)
        units.append(unit)
    return FiniteNetwork(tuple(units), input_dim, width)


def _widths(layers: tuple[Layer, ...], widths: int | Sequence[int], outputs: int | None) -> list[int]:
    """One width for each dense layer, in order."""
    count = _dense_layers(layers)
    ends_dense = isinstance(layers[-1], Dense)
    if outputs is not None:
        require_count(outputs, "outputs", 1)
    if isinstance(widths, (bool, int, np.integer)):
        require_count(widths, "width", 1)
        if outputs not in (None, widths) and not ends_dense:
            raise DomainError(
                f"{outputs} outputs of width {widths} after {type(layers[-1]).__name__}",
                "a final Dense layer",
                "leave outputs out",
            )
        return [int(widths)] * (count - 1) + [(outputs or 1) if ends_dense else int(widths)]
    if not isinstance(widths, (list, tuple, np.ndarray)):
        raise DomainError(f"width = {widths!r}"[:100], "an integer >= 1, or a list of them")
    for i, width in enumerate(widths):
        require_count(width, f"widths[{i}]", 1)
    if len(widths) != count:
        raise DomainError(
            f"{len(widths)} widths", f"{count}: one for each Dense layer, the last being the outputs"
        )
    if outputs not in (None, widths[-1]):
        raise DomainError(f"outputs = {outputs} and widths that end with {widths[-1]}", "one of the two")
    return [int(width) for width in widths]


def _dense_layers(layers: Sequence[Layer]) -> int:
    branches = (layer.branch for layer in layers if isinstance(layer, Residual))
    return sum(isinstance(layer, Dense) for layer in layers) + sum(map(_dense_layers, branches))
