"""The Taylor expansion of a finite network in its parameters, term by term, without any tensor.

    f(x; theta + step) = f_0(x) + f_L(x; step) + f_Q(x; step) + ..,     f_j = D^j f(x; theta)[step, ..,
    step]/j!

Along the line ``theta + t step`` the network is a power series in ``t`` whose ``j``-th coefficient is
``f_j``; it is computed by series arithmetic pushed through the layers. The gradient of ``f_j`` in the step
is the coefficient ``j - 1`` of the gradient of the network along the same line, so that Hessian-vector
products cost a few passes. Any depth, any layer, any library of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, as_real_matrix, namespace, require_finite
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.theory import jet_layers
from analytic_ntk.theory.jets import Jet, is_zero, require_order

_SHRINK = "shrink the step or the parameters"


@dataclass(frozen=True, eq=False)
class Expansion(Shown):
    """The terms ``f_0 .. f_order`` of a network at its parameters, as functions of the step.

    A step is a vector as long as ``network.parameters``, in the same order. Float64 with the rounding of the
    layers (other dtypes: theirs). Raises :class:`DomainError` for shapes that do not fit, for a unit that
    sits exactly on a breakpoint of its activation, and for values that overflow.
    """

    network: FiniteNetwork
    order: int

    def terms(self, X: Any, step: Any) -> tuple[Array, ...]:
        """``f_0, f_L, f_Q, ..``, each ``(n, outputs)``."""
        return self._forward(X, step, self.order)[0]

    def __call__(self, X: Any, step: Any) -> Array:
        """The Taylor polynomial ``f_0 + .. + f_order``, ``(n, outputs)``."""
        found = self.terms(X, step)
        return sum(found[1:], found[0])

    def linear(self, X: Any, step: Any) -> Array:
        """``f_L``, the Jacobian times the step, ``(n, outputs)``."""
        return self._forward(X, step, 1)[0][1]

    def quadratic(self, X: Any, step: Any) -> Array:
        """``f_Q``, half the Hessian applied to the step twice, ``(n, outputs)``."""
        return self._forward(X, step, 2)[0][2]

    def gradients(self, X: Any, step: Any, rows: Any = None) -> tuple[Array, ...]:
        """The gradients in the step of ``sum_i rows_i . f_j(x_i; step)`` for ``j = 1 .. order``.

        ``rows``: ``(n, outputs)``, ones unless given. The first is the gradient of the network and does not
        depend on the step; the second is :meth:`hessian_product`.
        """
        return self._backward(X, step, rows, self.order - 1)

    def jacobian_product(self, X: Any, step: Any) -> Array:
        """``(Df) step``, ``(n, outputs)``; the same as :meth:`linear`."""
        return self.linear(X, step)

    def hessian_product(self, X: Any, step: Any, rows: Any = None) -> Array:
        """``(sum_i rows_i . D^2 f(x_i)) step``, a vector of parameters, without the Hessian."""
        return self._backward(X, step, rows, 1)[1]

    # ------------------------------------------------------------------------------- inside

    def _start(self, X: Any, step: Any, order: int) -> tuple[FiniteNetwork, Jet]:
        moving = _at(self.network, step, "step")
        xp = namespace(moving.parameters)
        if not bool(xp.all(xp.isfinite(moving.parameters))):
            raise DomainError("a NaN or infinity in the step", "finite numbers")
        features = as_real_matrix(X, self.network.parameters, self.network.input_dim)
        return moving, (features, *(0.0,) * order)

    def _forward(self, X: Any, step: Any, order: int) -> tuple[tuple[Array, ...], list[Any], FiniteNetwork]:
        moving, features = self._start(X, step, order)
        with np.errstate(all="ignore"):  # what overflows is refused below
            output, tapes = jet_layers.forward(self.network.units, moving.units, features)
        xp = namespace(output[0])
        found = tuple(xp.zeros_like(output[0]) if is_zero(c) else c for c in output)
        for term in found:
            require_finite(term, "a term that overflows", _SHRINK)
        return found, tapes, moving

    def _backward(self, X: Any, step: Any, rows: Any, order: int) -> tuple[Array, ...]:
        output, tapes, moving = self._forward(X, step, order)
        xp = namespace(output[0])
        first = xp.ones_like(output[0]) if rows is None else xp.asarray(rows, dtype=output[0].dtype)
        if tuple(first.shape) != tuple(output[0].shape):
            raise DomainError(f"rows of shape {tuple(first.shape)}", f"shape {tuple(output[0].shape)}")
        gradients: list[list[Array]] = [[] for _ in range(order + 1)]

        def visit(dense: FiniteDense, features: Jet, rows: Jet) -> None:
            for j, found in enumerate(_dense_gradients(dense, features, rows)):
                gradients[j] += found

        with np.errstate(all="ignore"):
            start = (first, *(0.0,) * order)
            jet_layers.backward(self.network.units, moving.units, tapes, start, visit)
        vectors = tuple(xp.concat([xp.reshape(p, (-1,)) for p in reversed(part)]) for part in gradients)
        for vector in vectors:
            require_finite(vector, "a gradient that overflows", _SHRINK)
        return vectors


def expand(network: FiniteNetwork, params: Any = None, order: int = 2) -> Expansion:
    """The Taylor expansion of a finite ``network`` around ``params`` (its own parameters unless given).

    Raises :class:`DomainError` unless ``order`` is an integer >= 1 and the parameters fit.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import taylor
    >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance="1/10")
    >>> rng = np.random.default_rng(0)
    >>> finite = network.sample(16, rng, input_dim=3)
    >>> expansion, X = taylor.expand(finite, order=6), rng.standard_normal((4, 3))
    >>> step = 0.1 * rng.standard_normal(finite.size)
    >>> moved = finite.with_parameters(finite.parameters + step)
    >>> bool(np.abs(moved(X) - expansion(X, step)).max() < 1e-6)
    True
    """
    if not isinstance(network, FiniteNetwork):
        raise DomainError(
            f"network = {network!r}"[:100], "a network of finite width", "use Network.sample(width, rng, dim)"
        )
    require_order(order, 1)
    if any(p.ndim != 2 for unit in network.units for p in unit.parameters):
        raise DomainError("an ensemble of networks", "one network")
    return Expansion(network if params is None else _at(network, params, "params"), order)


def _at(network: FiniteNetwork, vector: Any, name: str) -> FiniteNetwork:
    """The network with a vector of real numbers as its parameters."""
    if not hasattr(vector, "dtype"):
        try:
            vector = np.asarray(vector)
        except ValueError:
            raise DomainError(f"{name} = {vector!r}"[:100], "a vector of real numbers") from None
    if not str(vector.dtype).removeprefix("torch.").startswith(("float", "int", "uint")):
        raise DomainError(f"{name} of dtype {vector.dtype}", "real numbers")
    return network.with_parameters(vector)


def _dense_gradients(dense: FiniteDense, features: Jet, rows: Jet) -> list[list[Array]]:
    """For each coefficient the gradients of a dense layer's parameters, last first."""
    xp = namespace(dense.omega)
    found = []
    for n in range(len(rows)):
        weight = xp.zeros_like(dense.omega)
        for k in range(n + 1):
            if not (is_zero(features[k]) or is_zero(rows[n - k])):
                weight = weight + dense.weight_scale * (features[k].mT @ rows[n - k])
        part = [weight]
        if dense.omega_0 is not None:
            bias = xp.zeros_like(dense.omega_0)
            if not is_zero(rows[n]):
                bias = dense.bias_scale * xp.sum(rows[n], axis=-2, keepdims=True)
            part.insert(0, bias)
        found.append(part)
    return found
