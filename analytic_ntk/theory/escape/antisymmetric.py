"""The antisymmetric two-layer network, and the first two Taylor terms in its weights.

    f(x; W) = sum_r a_r/sqrt(m) s((w0_r + w_r) . x),    a = (1, .., 1, -1, .., -1)

with ``m = 2h`` units, the second half of ``W0`` a copy of the first: ``f(x; 0) = 0``. With the step
``W = (A, B)``, ``A`` that of the first half and ``B`` that of the second,

    f_L = m^(-1/2) sum_r s'(w0_r . x) (A_r - B_r) . x
    f_Q = m^(-1/2)/2 sum_r s''(w0_r . x) ((A_r . x)^2 - (B_r . x)^2)

so that ``f_Q = 0`` where ``B = -A`` and ``f_L = 0`` where ``B = A`` (Nichani, Bai, Lee 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.arrays import Array, as_real_matrix, namespace, require_finite
from analytic_ntk.layers.elementwise import on_arrays
from analytic_ntk.layers.units import require_count, require_rng
from analytic_ntk.theory.taylor.derivative import derivative


@dataclass(frozen=True, eq=False)
class Antisymmetric(Shown):
    """``W0`` of one half: ``first``, ``(dim, h)`` with columns of length 1, so that ``w0 . x ~ N(0, 1)``.

    Steps ``W`` are arrays ``(2, dim, h)``. Made by :func:`draw`.
    """

    activation: Activation
    first: Array

    @property
    def dim(self) -> int:
        return int(self.first.shape[0])

    @property
    def width(self) -> int:
        """``m``, both halves together."""
        return 2 * int(self.first.shape[1])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a step."""
        return 2, self.dim, self.width // 2

    def __call__(self, X: Any, W: Any) -> Array:
        """``f(x; W)`` itself, ``(n,)``."""
        X, W = as_real_matrix(X, self.first, self.dim), self.step(W)
        xp, phi = namespace(X), on_arrays(self.activation.pieces)
        halves = (phi(X @ (self.first + W[i, ...])) for i in (0, 1))
        plus, minus = (xp.sum(half, axis=-1) for half in halves)
        return (plus - minus) / self.width**0.5

    def design(self, X: Any) -> Design:
        """What ``f_L`` and ``f_Q`` need of the inputs, ``(n, dim)``, worked out once."""
        X = as_real_matrix(X, self.first, self.dim)
        z = X @ self.first
        slope, curvature = (on_arrays(derivative(self.activation, j).pieces)(z) for j in (1, 2))
        require_finite(slope + curvature, "derivatives that overflow", "rescale the inputs")
        return Design(X, slope, curvature)

    def step(self, W: Any) -> Array:
        """A step in the library of the weights. Raises :class:`DomainError` for another shape."""
        found = namespace(self.first).asarray(W, dtype=self.first.dtype)
        if tuple(found.shape) != self.shape:
            raise DomainError(f"a step of shape {tuple(found.shape)}", f"shape {self.shape}: both halves")
        require_finite(found, "a NaN or infinity in the step", "finite numbers")
        return found


@dataclass(frozen=True, eq=False)
class Design(Shown):
    """Inputs ``(n, dim)`` with ``s'`` and ``s''`` of the pre-activations at the start, ``(n, h)`` each."""

    X: Array
    slope: Array
    curvature: Array

    @property
    def rate(self) -> float:
        """``m^(-1/2)``."""
        return float((2 * self.slope.shape[1]) ** -0.5)

    def rows(self, count: int) -> Design:
        """The first inputs alone."""
        return Design(self.X[:count, :], self.slope[:count, :], self.curvature[:count, :])

    def linear(self, W: Array) -> Array:
        """``f_L``, ``(n,)``."""
        return self.linear_of(self.X @ (W[0, ...] - W[1, ...]))

    def quadratic(self, W: Array) -> Array:
        """``f_Q``, ``(n,)``."""
        return self.quadratic_of(self.X @ (W[0, ...] - W[1, ...]), self.X @ (W[0, ...] + W[1, ...]))

    def linear_of(self, apart: Array) -> Array:
        """``f_L`` from ``apart``, the ``(A_r - B_r) . x``, ``(n, h)``."""
        return self.rate * namespace(apart).sum(self.slope * apart, axis=-1)

    def quadratic_of(self, apart: Array, together: Array) -> Array:
        """``f_Q`` from ``apart`` and ``together``, the ``(A_r + B_r) . x``: ``a^2 - b^2`` as a product."""
        return 0.5 * self.rate * namespace(apart).sum(self.curvature * apart * together, axis=-1)

    def linear_gradient(self, weights: Array) -> Array:
        """Of ``sum_i weights_i f_L(x_i)`` in ``A``, ``(dim, h)``; in ``B`` it is the opposite."""
        return self.rate * (self.X.mT @ (weights[:, None] * self.slope))

    def quadratic_gradient(self, apart: Array, together: Array, weights: Array) -> tuple[Array, Array]:
        """Of ``sum_i weights_i f_Q(x_i)`` in ``A - B`` and in ``A + B``, ``(dim, h)`` each.

        Their sum is the gradient in ``A``, the second less the first that in ``B``.
        """
        bent, back = weights[:, None] * self.curvature, 0.5 * self.rate * self.X.mT
        return back @ (bent * together), back @ (bent * apart)

    def gram(self, order: int = 1) -> Array:
        """The kernel of the features of ``f_L`` (``order`` 1) or of the Hessians (2), ``(n, n)``."""
        features = self.slope if order == 1 else self.curvature
        return 2 * self.rate**2 * (features @ features.mT) * (self.X @ self.X.mT) ** order


def draw(activation: Activation, dim: int, width: int, rng: np.random.Generator) -> Antisymmetric:
    """A network of ``width`` units in ``R^dim``, the columns of ``W0`` uniform on the unit sphere.

    Raises :class:`DomainError` for an odd width, and for an activation without a second derivative.

    >>> import numpy as np
    >>> from analytic_ntk import activations
    >>> network = draw(activations.erf, 3, 8, np.random.default_rng(0))
    >>> W = np.ones(network.shape)
    >>> bool(np.allclose(network.design(np.eye(3)).linear(W), 0)), network(np.eye(3), 0 * W).tolist()
    (True, [0.0, 0.0, 0.0])
    """
    if not isinstance(activation, Activation):
        raise DomainError(f"activation = {activation!r}"[:100], "an Activation", "use Activation.parse(text)")
    activation.require_numeric()
    derivative(activation, 2)
    require_count(dim, "dim", 2)
    require_count(width, "width", 2)
    require_rng(rng)
    if width % 2:
        raise DomainError(f"width = {width}", "an even number: the second half copies the first")
    first: NDArray[np.float64] = rng.standard_normal((dim, width // 2))
    return Antisymmetric(activation, first / np.linalg.norm(first, axis=0))
