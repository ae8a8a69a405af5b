"""The features of data and of steps whose pairing is the change of a finite network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.finite import FiniteNetwork
from analytic_ntk.theory.banach.certified import CertifiedChange, certified_change
from analytic_ntk.theory.banach.chain import Chain, chain_of, vector
from analytic_ntk.theory.banach.explicit import data_features, step_features
from analytic_ntk.theory.banach.kernel import kernel_parts, step_norms
from analytic_ntk.theory.banach.neighbourhood import Domain, Place
from analytic_ntk.theory.jets import require_order, taylor_coefficients

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Features(Shown):
    """``<Phi(x), Psi(Delta)> = f(x; theta + Delta) - f(x; theta)``, every series cut after ``order``.

    A unit that reads ``z`` and is changed by ``u`` has the features of the dense layer below it, put into

        phi(z + u) - phi(z) = sum_{n=1}^order phi^(n)(z)/n! u^n,   u = <Phi_z(x), Psi_z(Delta)>,
        u^n = <Phi_z(x)^(tensor n), Psi_z(Delta)^(tensor n)>,

    and a dense layer adds ``dW (phi(z) + change)`` and ``db``. Both sides are graded by their degree in
    ``Delta``. Made by :func:`features`; float64 unless a method says otherwise. Every method that needs the
    neighbourhood raises :class:`DomainError` outside of it, naming unit, ratio and largest admissible step.
    """

    chain: Chain
    order: int

    @cached_property
    def domains(self) -> tuple[Domain, ...]:
        return tuple(Domain(activation) for activation in self.chain.activations)

    # ------------------------------------------------------------------------------- neighbourhood

    def place(self, X: ArrayLike, step: ArrayLike) -> Place:
        """The unit nearest to the end of its series, or beyond it, and how far the step may be stretched.

        One hidden layer: the largest admissible multiple is ``1/ratio``. Deeper networks: for a step that
        is outside, a multiple found by bisection and seen to be inside; for one inside, 1.

        >>> import numpy as np
        >>> from analytic_ntk import Network, activations
        >>> network = Network.mlp(activations.tanh, depth=1, weight_variance=1, bias_variance=0)
        >>> finite = network.sample(8, np.random.default_rng(0), input_dim=2)
        >>> series = features(finite, finite.parameters, order=10)
        >>> near = series.place(np.eye(2), 0.1 * finite.parameters)
        >>> near.inside, round(near.ratio * near.admissible, 12)
        (True, 1.0)
        """
        rows, step = self.chain.inputs(X), vector(step, self.chain.network.size, "the step")
        return self.place_of(rows, step, self.chain.moved(step))

    def place_of(self, rows: Array, step: Array, moved: FiniteNetwork) -> Place:
        """:meth:`place` for checked arguments and the network ``moved`` by the step."""
        before = self.chain.arguments(rows)
        layer, unit, row, ratio = self._worst(before, rows, step, moved)
        if self.chain.depth == 1:
            admissible = 1.0 / ratio if ratio > 0 else np.inf
        else:
            admissible = 1.0 if ratio < 1 else self._bisected(before, rows, step)
        return Place(layer, unit, row, ratio, admissible)

    def _worst(
        self, before: list[Array], rows: Array, step: Array, moved: FiniteNetwork
    ) -> tuple[int, int, int, float]:
        changes = self.chain.changes(rows, step, moved)
        worst = (1, 0, 0, 0.0)
        for layer, (domain, z, u) in enumerate(zip(self.domains, before, changes, strict=True), 1):
            ratio = domain.ratio(z, u)
            row, unit = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
            if ratio[row, unit] > worst[3]:
                worst = (layer, int(unit), int(row), float(ratio[row, unit]))
        return worst

    def _bisected(self, before: list[Array], rows: Array, step: Array) -> float:
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = 0.5 * (low + high)
            shorter = middle * step
            inside = self._worst(before, rows, shorter, self.chain.moved(shorter))[3] < 1
            low, high = (middle, high) if inside else (low, middle)
        return low

    def _require_inside(self, rows: Array, step: Array) -> None:
        place = self.place(rows, step)
        if not place.inside:
            raise DomainError(
                f"a step outside the neighbourhood: {place}",
                "a ratio below 1 at every unit",
                "shorten the step, or take it in parts with new features after each",
            )

    # ------------------------------------------------------------------------------- pairing

    def pairing(self, X: ArrayLike, step: ArrayLike) -> Array:
        """``<Phi(x), Psi(Delta)>``, ``(n, input_dim), (size,) -> (n, outputs)``, without the features.

        Inside the neighbourhood it differs from the change of the network by rounding and by what is cut
        off, which falls like ``(largest ratio)^(order + 1)``; :meth:`certified` bounds it.
        """
        rows, step = self.chain.inputs(X), vector(step, self.chain.network.size, "the step")
        self._require_inside(rows, step)
        return truncated_change(self.chain, rows, step, self.order)

    def certified(
        self, X: ArrayLike, step: ArrayLike, bits: int = 128
    ) -> tuple[tuple[CertifiedChange, ...], ...]:
        """The same in balls with Cauchy's bound of what is cut off, one answer for each row and output.

        Parameters, data and step are taken as the exact numbers that their float64 values are; see
        :func:`analytic_ntk.theory.banach.certified.certified_change`.
        """
        rows, step = self.chain.inputs(X), vector(step, self.chain.network.size, "the step")
        self._require_inside(rows, step)
        return tuple(certified_change(self.chain, row, step, self.order, bits) for row in rows)

    # ------------------------------------------------------------------------------- both sides

    def phi(self, X: ArrayLike, scaling: ArrayLike | None = None) -> tuple[Array, ...]:
        """``Phi``, one array ``(n, outputs, dimension)`` for each degree 1, 2, ...: small networks only.

        The pairing is ``sum_g phi[g] @ psi[g]``, whatever the ``scaling`` (``c_g > 0`` for each degree):
        ``Phi_g`` is multiplied by ``c_g`` and ``Psi_g`` divided by it. Raises :class:`DomainError` where
        there are too many features to write down.
        """
        parts = data_features(self.chain, self.chain.inputs(X), self.order)
        return tuple(c * part for c, part in zip(_scaling(scaling, len(parts)), parts, strict=True))

    def psi(self, step: ArrayLike, scaling: ArrayLike | None = None) -> tuple[Array, ...]:
        """``Psi``, one vector for each degree, in the order of :meth:`phi`."""
        parts = step_features(self.chain, vector(step, self.chain.network.size, "the step"), self.order)
        return tuple(part / c for c, part in zip(_scaling(scaling, len(parts)), parts, strict=True))

    def kernel_parts(self, X: ArrayLike, Y: ArrayLike | None = None, degree: int | None = None) -> Array:
        """``<Phi_g(x), Phi_g(y)>`` for the degrees ``g = 1 .. degree``, ``(degree, n, m)``, one output.

        ``degree`` defaults to ``order``; every part up to it is complete. Part 1 is the empirical NTK at any
        depth. With one hidden layer part 2 is the kernel of the second order,

            sum_r v_r^2 phi''(z_r) phi''(z'_r)/4 k0^2 + sum_r phi'(z_r) phi'(z'_r) k0

        (up to the scales of the layers, ``k0`` the kernel of the first layer): the QuadNTK of the first
        layer and what mixes both layers. Raises :class:`DomainError` where memory would not do.
        """
        rows = self.chain.inputs(X)
        others = rows if Y is None else self.chain.inputs(Y)
        self._require_scalar()
        count = self.order if degree is None else degree
        require_order(count, 1)
        return kernel_parts(self.chain, rows, others, self.order, count)

    def kernel(self, X: ArrayLike, Y: ArrayLike | None = None, scaling: ArrayLike | None = None) -> Array:
        """The data kernel ``sum_g c_g^2 <Phi_g(x), Phi_g(y)>``, ``(n, m)``, over as many degrees as scalings
        are given (``order`` of them, all 1, by default)."""
        weights = _scaling(scaling, self.order if scaling is None else None)
        parts = self.kernel_parts(X, Y, len(weights))
        return np.asarray(np.einsum("g,gij->ij", weights**2, parts))

    def step_norms(self, step: ArrayLike, degree: int | None = None) -> Array:
        """``|Psi_g(Delta)|`` for the degrees ``g = 1 .. degree``; for ``g = 1`` the length of the step."""
        count = self.order if degree is None else degree
        require_order(count, 1)
        return step_norms(self.chain, vector(step, self.chain.network.size, "the step"), self.order, count)

    def norm(self, step: ArrayLike, scaling: ArrayLike) -> float:
        """The norm of a step, ``sqrt(sum_g |Psi_g|^2 / c_g^2)``, over as many degrees as scalings."""
        weights = _scaling(scaling, None)
        return float(np.linalg.norm(self.step_norms(step, len(weights)) / weights))

    def canonical_scaling(self, X: ArrayLike, step: ArrayLike, degree: int | None = None) -> Array:
        """``c_g = sqrt(|Psi_g(Delta)| / max_x |Phi_g(x)|)``: both sides have the same norm in every degree.

        It minimises the product of the norms of both sides over all scalings, where the largest ``|Phi_g|``
        are at one ``x``; the least product is ``sum_g |Phi_g| |Psi_g|``, which bounds the pairing. Raises
        :class:`DomainError` where a degree has no features or the step is 0 in it.
        """
        norms = self.step_norms(step, degree)
        parts = self.kernel_parts(X, degree=degree)
        sizes = np.sqrt(np.max(np.diagonal(parts, axis1=1, axis2=2), axis=1))
        empty = (norms == 0) | (sizes == 0)
        if empty.any():
            raise DomainError(
                f"nothing of degree {int(np.argmax(empty)) + 1} in the data or in the step",
                "a step and features that do not vanish",
                "ask for fewer degrees",
            )
        return np.asarray(np.sqrt(norms / sizes))

    def _require_scalar(self) -> None:
        if self.chain.network.outputs != 1:
            raise DomainError(f"{self.chain.network.outputs} outputs", "one output", "sample with outputs=1")


def features(network: FiniteNetwork, params: ArrayLike, order: int) -> Features:
    """The features of ``network`` at the parameters ``params``, every unit's series cut after ``order``.

    ``params``: a vector as long as ``network.parameters``. Raises :class:`DomainError` for other shapes, for
    an order below 1, and for layers other than ``Dense`` and ``Nonlinearity``.

    >>> import numpy as np
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.theory import banach
    >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance="1/10")
    >>> finite = network.sample(16, np.random.default_rng(0), input_dim=3)
    >>> series = banach.features(finite, finite.parameters, order=12)
    >>> step = 0.05 * np.random.default_rng(1).standard_normal(finite.size)
    >>> change = finite.with_parameters(finite.parameters + step)(np.eye(3)) - finite(np.eye(3))
    >>> bool(np.abs(series.pairing(np.eye(3), step) - change).max() < 1e-14)
    True
    """
    chain = chain_of(network)
    require_order(order, 1)
    return Features(
        chain_of(chain.network.with_parameters(vector(params, network.size, "params"))), int(order)
    )


def truncated_change(chain: Chain, rows: Array, step: Array, order: int) -> Array:
    """The pairing wherever the step leads: outside the neighbourhood it is not the change of the network."""
    value, change = rows, np.zeros_like(rows)
    steps = chain.steps(step)
    for i, (dense, (weights, biases)) in enumerate(zip(chain.dense, steps, strict=True)):
        # (W + dW)(value + change) - W value
        change = dense.weight_scale * ((value + change) @ weights + change @ dense.omega)
        if biases is not None:
            change = change + dense.bias_scale * biases
        value = dense.forward(value)[0]
        if i < chain.depth:
            coefficients = taylor_coefficients(chain.activations[i], value, order)
            total = np.zeros_like(change)
            for c in reversed(coefficients[1:]):
                total = (total + c) * change
            value, change = coefficients[0], total
    if not np.isfinite(change).all():
        raise DomainError("a series that overflows", "finite values", "shrink the step or the variances")
    return change


def _scaling(scaling: ArrayLike | None, count: int | None) -> Array:
    """``count`` numbers, or as many as there are; all 1 unless given."""
    if scaling is None:
        return np.ones(count or 1)
    try:
        given = np.asarray(scaling)
    except ValueError:
        raise DomainError("a scaling with rows of different lengths", "one number for each degree") from None
    wrong = given.ndim != 1 or not given.size or given.size != (count or given.size)
    if given.dtype.kind not in "iuf" or wrong:
        raise DomainError(
            f"a scaling of shape {given.shape} and dtype {given.dtype}",
            f"{'one number' if count is None else f'{count} numbers, one'} for each degree",
        )
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise DomainError(f"scaling = {scaling!r}"[:100], "finite numbers > 0")
    return given.astype(np.float64)
