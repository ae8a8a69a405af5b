"""NTK and NNGP as kernels of scikit-learn's Gaussian processes."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.gram import data
from analytic_ntk.gram.gradient import gram_with_gradient
from analytic_ntk.network import Network
from analytic_ntk.sklearn.settings import (
    VARIANCES,
    activation_of,
    diagonal,
    layers,
    network_of,
    network_with,
    variance,
)

Array = NDArray[np.float64]
Bounds = tuple[float, float] | str
WIDE = (1e-3, 1e3)


class _NetworkKernel(Kernel):
    """What both kernels share; ``_kernel`` names the one."""

    _kernel: ClassVar[str]

    def __init__(
        self,
        activation: str | Activation = "relu",
        depth: int = 1,
        weight_variance: float = 2.0,
        bias_variance: float = 0.1,
        noise: float = 0.0,
        weight_variance_bounds: Bounds = WIDE,
        bias_variance_bounds: Bounds = WIDE,
        noise_bounds: Bounds = WIDE,
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.noise = noise
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.noise_bounds = noise_bounds
        self._network()
        _ = self.bounds

    # ----------------------------------------------------------------------------- hyperparameters

    @property
    def hyperparameter_bias_variance(self) -> Hyperparameter:
        return self._hyperparameter("bias_variance")

    @property
    def hyperparameter_noise(self) -> Hyperparameter:
        return self._hyperparameter("noise")

    @property
    def hyperparameter_weight_variance(self) -> Hyperparameter:
        return self._hyperparameter("weight_variance")

    def _hyperparameter(self, name: str) -> Hyperparameter:
        """A value of 0 has no logarithm: it stays fixed."""
        zero = variance(getattr(self, name), name) == 0
        bounds = _checked_bounds(getattr(self, f"{name}_bounds"), f"{name}_bounds")
        return Hyperparameter(name, "numeric", "fixed" if zero else bounds)

    def _free(self) -> list[str]:
        return [h.name for h in self.hyperparameters if not h.fixed]

    def _network(self) -> Network:
        variance(self.noise, "noise")
        return network_of(self.activation, self.depth, self.weight_variance, self.bias_variance)

    # ----------------------------------------------------------------------------- values

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Array | tuple[Array, Array]:
        """``K(X, Y)`` of shape ``(n, m)``, or ``K(X)`` with the noise on its diagonal.

        With ``eval_gradient`` also the derivatives of ``K(X)`` in ``theta``, ``(n, n, len(theta))``, in the
        order of ``theta`` (alphabetical). Raises :class:`DomainError` for data that are not a finite real
        matrix, for a number of columns that differs, and for a gradient of ``K(X, Y)``.
        """
        network = self._network()
        first = data(X, "X")
        if Y is not None:
            if eval_gradient:
                raise DomainError("eval_gradient with Y", "a gradient of K(X) alone", "leave Y out")
            second = data(Y, "Y")
            matrix = network.gram(first, second, self._kernel)
            _set_coincident(matrix, first, second, diagonal(network, first, self._kernel))
            return matrix
        if not eval_gradient:
            matrix = network.gram(first, None, self._kernel)
            return self._finished(matrix, network, first)
        free = self._free()
        matrix, gradient = gram_with_gradient(*self._symbolic(first))
        matrix = self._finished(matrix, network, first)
        if "noise" in free:
            slice_ = np.diag(np.full(len(first), float(self.noise)))
            gradient = np.insert(gradient, free.index("noise"), slice_, axis=2)
        return matrix, gradient

    def _symbolic(self, X: Array) -> tuple[Any, Array, str, dict[str, float], list[str]]:
        """What :func:`gram_with_gradient` is asked: symbols for free variances, numbers for the others."""
        names = [name for name in self._free() if name in VARIANCES]
        values = {name: float(getattr(self, name)) for name in names}
        fixed = network_of(self.activation, self.depth, self.weight_variance, self.bias_variance).layers[0]
        weight, bias = (sp.Symbol(name) if name in names else getattr(fixed, name) for name in VARIANCES)
        network = network_with(activation_of(self.activation), layers(self.depth), weight, bias)
        return network.layers, X, self._kernel, values, names

    def _finished(self, matrix: Array, network: Network, X: Array) -> Array:
        """The same values for equal rows as on the diagonal, and the noise."""
        values = diagonal(network, X, self._kernel)
        _set_coincident(matrix, X, X, values)
        matrix[np.diag_indices_from(matrix)] = values + float(self.noise)
        return matrix

    def diag(self, X: ArrayLike) -> Array:
        """The diagonal of ``K(X)``, bit for bit, without the matrix."""
        return diagonal(self._network(), data(X, "X"), self._kernel) + float(self.noise)

    def is_stationary(self) -> bool:
        """No: the kernel depends on norms and angles."""
        return False

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={float(getattr(self, name)):.3g}" for name in (*VARIANCES, "noise"))
        return f"{type(self).__name__}({str(self.activation)!r}, depth={self.depth}, {numbers})"


class NTKKernel(_NetworkKernel):
    """The neural tangent kernel of ``Network.mlp`` for Gaussian processes, support vectors and kernel ridge.

    Parameters: ``activation`` (a catalogue name, a formula in ``x`` or an ``Activation``); ``depth``, the
    number of nonlinearities; ``weight_variance`` and ``bias_variance`` of every layer, the last included;
    ``noise``, added to the diagonal of ``K(X)`` and to ``diag`` as by ``WhiteKernel``. Bounds are pairs or
    ``"fixed"``; a value of 0 stays fixed.

    ``theta`` holds the logarithms of the free ones in alphabetical order: bias variance, noise, weight
    variance. Gradients are analytic: the chain rule through the recursion, with no differences. Kind of
    answer: float64, as :meth:`analytic_ntk.Network.gram`; derivatives to about 1e-13 of the largest one.
    Raises :class:`DomainError` at once for what is no activation, depth, variance or bound.

    >>> import numpy as np
    >>> from analytic_ntk.sklearn import NTKKernel
    >>> kernel = NTKKernel("relu", depth=1, weight_variance=2, bias_variance=0)
    >>> kernel(np.eye(2)).round(4)  # w^2/d (1 and 1/(2 pi))
    array([[2.    , 0.3183],
           [0.3183, 2.    ]])
    >>> kernel, kernel.theta.round(4)
    (NTKKernel('relu', depth=1, weight_variance=2, bias_variance=0, noise=0), array([0.6931]))
    """

    _kernel = "ntk"


class NNGPKernel(_NetworkKernel):
    """The covariance of the outputs of infinitely wide networks at initialisation (NNGP); parameters as
    :class:`NTKKernel`.

    A Gaussian process with this kernel is the exact Bayesian posterior of the infinitely wide network
    (Lee et al. 2018; Matthews et al. 2018).

    >>> import numpy as np
    >>> from analytic_ntk.sklearn import NNGPKernel
    >>> NNGPKernel("x", depth=1, weight_variance=1, bias_variance=0)(np.eye(2))
    array([[0.5, 0. ],
           [0. , 0.5]])
    """

    _kernel = "nngp"


def _checked_bounds(bounds: Any, name: str) -> Any:
    if isinstance(bounds, str):
        if bounds == "fixed":
            return bounds
    elif np.shape(bounds) == (2,) and all(isinstance(v, Real) for v in bounds):
        low, high = (float(v) for v in bounds)
        if 0 < low <= high:
            return bounds
    raise DomainError(f"{name} = {bounds!r}"[:100], 'a pair 0 < low <= high, or "fixed"')


def _set_coincident(matrix: Array, first: Array, second: Array, values: Array) -> None:
    """Where a row of ``first`` is one of ``second``, the value of the diagonal, to the last bit."""
    both = first if second is first else np.concatenate([first, second])
    _, inverse = np.unique(both + 0.0, axis=0, return_inverse=True)  # -0.0 is 0.0
    inverse = inverse.ravel()
    left, right = inverse[: len(first)], inverse[-len(second) :]
    order = np.argsort(right, kind="stable")
    low, high = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    for row in np.nonzero(high > low)[0]:
        matrix[row, order[low[row] : high[row]]] = values[row]
