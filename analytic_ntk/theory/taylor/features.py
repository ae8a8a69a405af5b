"""Kernels of the Taylor features of finite networks: no feature is written down.

The features of order ``j`` are the tensor ``D^j f(x)`` of derivatives in the parameters, the kernel is the
inner product of two such tensors. For two layers the tensors are sums of powers and the kernel has the form
of its limit, with means over units in place of expectations; for any network the kernel of order 2 is a sum
over directions ``v`` of inner products of Hessian-vector products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, as_real_matrix
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.theory.taylor.derivative import derivative, require_kernel_order
from analytic_ntk.theory.taylor.expand import expand

MOST_PASSES = 200_000
"""Hessian-vector products done without being asked for probes."""


def feature_kernel(network: FiniteNetwork, X: Any, order: int, layers: str = "first") -> Array:
    """``<D^j f(x), D^j f(y)>`` of a two-layer network with one output, ``(n, n)``.

        first:  ws^2 sum_r v_r^2 phi^(j)(z_r) phi^(j)(z'_r) s(x, y)^j,     s = w <x, y>/d + b
        all:    .. + j ws^2 sum_r phi^(j-1)(z_r) phi^(j-1)(z'_r) s^(j-1)   (+ the last bias for j = 1)

    Float with the rounding of a sum over the units. Raises :class:`DomainError` for other networks, for order
    0, and where ``phi^(j)`` is a distribution.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import taylor
    >>> network = Network.mlp(activations.erf, depth=1, weight_variance=1, bias_variance=0)
    >>> finite = network.sample(64, np.random.default_rng(0), input_dim=2)
    >>> ntk = taylor.feature_kernel(finite, np.eye(2), 1, layers="all")
    >>> bool(np.allclose(ntk, finite.kernels(np.eye(2)).ntk))
    True
    """
    first, phi, last = _two_layers(network)
    require_kernel_order(order)
    if layers not in ("first", "all"):
        raise DomainError(f"layers = {layers!r}"[:100], '"first" or "all"')
    top = derivative(phi.activation, order)
    X = as_real_matrix(X, network.parameters, network.input_dim)
    z, _ = first.forward(X)
    s = first.parameter_product(X)
    upper = on_arrays(top.pieces)(z) * last.omega[:, 0]
    total = last.weight_scale**2 * (upper @ upper.mT) * s**order
    if layers == "all":
        lower = on_arrays(derivative(phi.activation, order - 1).pieces)(z)
        total = total + order * last.weight_scale**2 * (lower @ lower.mT) * s ** (order - 1)
        if order == 1:
            total = total + last.bias_scale**2
    return total


def _two_layers(network: FiniteNetwork) -> tuple[FiniteDense, FiniteNonlinearity, FiniteDense]:
    if isinstance(network, FiniteNetwork) and len(network.units) == 3 and network.outputs == 1:
        first, phi, last = network.units
        if (
            isinstance(first, FiniteDense)
            and isinstance(phi, FiniteNonlinearity)
            and isinstance(last, FiniteDense)
            and first.omega.ndim == 2
        ):
            return first, phi, last
    raise DomainError(
        f"{network!r}"[:80],
        "a finite network Dense, Nonlinearity, Dense with one output",
        "for deeper networks: taylor.hessian_kernel",
    )


@dataclass(frozen=True)
class HessianKernel(Shown):
    """``<D^2 f(x), D^2 f(y)>``, ``(n, n)``; ``standard_error`` is 0 where every direction was taken."""

    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    directions: int


def hessian_kernel(
    network: FiniteNetwork, X: Any, probes: int | None = None, rng: np.random.Generator | None = None
) -> HessianKernel:
    """The kernel of order 2 in all parameters, at any depth, for a network with one output.

    Exact up to rounding without ``probes`` (one Hessian-vector product for each input and each parameter);
    with ``probes >= 2`` random signs ``v``, the unbiased mean of ``<H(x) v, H(y) v>`` and its standard error
    (Hutchinson). Raises :class:`DomainError` for too many directions, several outputs, bad probes.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import taylor
    >>> network = Network.mlp(activations.erf, depth=1, weight_variance=1, bias_variance=0)
    >>> finite, X = network.sample(8, np.random.default_rng(0), input_dim=2), np.array([[1.0, 2.0]])
    >>> exact = taylor.feature_kernel(finite, X, 2, layers="all")
    >>> bool(np.allclose(exact, taylor.hessian_kernel(finite, X).value))
    True
    """
    expansion = expand(network, order=2)
    if network.outputs != 1:
        raise DomainError(f"{network.outputs} outputs", "one output")
    X = np.asarray(as_real_matrix(X, network.parameters, network.input_dim))
    count = network.size if probes is None else probes
    if probes is not None:
        require_count(probes, "probes", 2)
        require_rng(rng)
    if count * len(X) > MOST_PASSES:
        raise DomainError(
            f"{count} directions for {len(X)} inputs", f"at most {MOST_PASSES} in all", "give fewer probes"
        )
    total = np.zeros((len(X), len(X)))
    squares = np.zeros_like(total)
    for index in range(count):
        if probes is None or rng is None:
            v = np.zeros(network.size)
            v[index] = 1.0
        else:
            v = rng.choice([-1.0, 1.0], network.size)
        rows = np.array([expansion.hessian_product(x[None], v) for x in X])
        found = rows @ rows.T
        total += found
        squares += found**2
    if probes is None:
        return HessianKernel(total, np.zeros_like(total), count)
    mean = total / count
    spread = np.maximum(squares / count - mean**2, 0.0) / (count - 1)
    return HessianKernel(mean, np.sqrt(spread), count)
