"""Which directions of the weights the linear term ``f_L`` can see: groups by degree, and their projectors.

In the limit of width, at inputs uniform on the sphere of radius ``sqrt(dim)``, the covariance of the
features of ``f_L`` has the eigenvalues of ``dim`` times the first-layer NTK:
``dim sum_j j a_j^2 m(j, k, dim)`` with the multiplicity of the harmonics of degree ``k``. Directions fall
into groups:

    top      degrees up to ``k``: there are ``n_k``, of order ``dim^k``; ``f_L`` fits the dense part with them
    medium   the following degrees, as far as they all fit among the ``dim m/2`` directions of ``f_L``, at
             most ten
    small    the rest, where ``f_L`` is small, and the steps ``(A, A)``, where it is 0: ``f_Q`` moves freely

(after Nichani, Bai, Lee 2022; the bounds between the groups are ours). On a direction ``W`` orthogonal to the
top, ``E f_L^2 = <W, covariance W> <= ev |W|^2`` with ``ev`` the eigenvalue after the top ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.layers.units import require_count
from analytic_ntk.spectrum import SphereSpectrum, multiplicity
from analytic_ntk.theory.escape.antisymmetric import Antisymmetric, Design
from analytic_ntk.theory.taylor import kernel, sphere
from analytic_ntk.theory.taylor.series import structure

FloatArray = NDArray[np.float64]
MORE_DEGREES = 10
"""The medium group has at most so many degrees: where there is room for more (in low dimension), they hold
too little of the trace to matter."""


@dataclass(frozen=True)
class Group(Shown):
    """Degrees ``first .. last`` (``last`` is None: all that follow; ``last < first``: none) and the number of
    directions in it, those with a proved eigenvalue 0 not counted."""

    name: str
    first: int
    last: int | None
    count: int


@dataclass(frozen=True)
class Groups(Shown):
    """The groups of directions in the limit; ``spectrum`` is that of ``f_L`` on the unit-trace sphere.

    ``eigenvalues[k]``: of the feature covariance, ``dim`` times the kernel's. ``gap``: a lower bound of the
    least eigenvalue of the top group over the largest of all the others; above 1 the top group is indeed on
    top, None where all the others are 0. ``missing``: degrees up to ``k`` whose eigenvalue is proved to be
    0 (``f_L`` cannot fit them at all).
    """

    spectrum: SphereSpectrum
    eigenvalues: tuple[Enclosure, ...]
    top: Group
    medium: Group
    small: Group
    zero: int
    gap: Fraction | None
    next_eigenvalue: Enclosure
    missing: tuple[int, ...]

    def __str__(self) -> str:
        rows = [
            f"degree {k}: {n} directions, eigenvalue {v.decimal(8)}"
            for k, (n, v) in enumerate(zip(self.spectrum.multiplicities, self.eigenvalues, strict=True))
        ]
        for group in (self.top, self.medium, self.small):
            rows.append(f"{group.name}: {group.count} directions")
        gap = "no other eigenvalues" if self.gap is None else f"gap at least {float(self.gap):.6g}"
        return "\n".join([*rows, f"f_L = 0: {self.zero} directions", gap])


def groups(activation: Activation, dim: int, degree: int, width: int, digits: int = 10) -> Groups:
    """The groups of directions for the top degree ``degree`` and a network of ``width`` units.

    Counts exact, eigenvalues certified. Raises :class:`DomainError` for an odd width, for one with fewer
    directions than the top group, and for activations without a second derivative.

    >>> from analytic_ntk import Activation
    >>> found = groups(Activation.parse("sigmoid(x - 1)"), dim=30, degree=1, width=2000)
    >>> found.top.count, found.medium.count, found.small.count, found.zero, found.gap > 1
    (31, 5394, 24575, 30000, True)
    """
    require_count(degree, "degree", 0)
    require_count(width, "width", 2)
    if width % 2:
        raise DomainError(f"width = {width}", "an even number")
    ntk = kernel(activation, 1)
    kernel(activation, 2)  # the second term must exist as well
    directions = dim * width // 2
    needed = total = sum(multiplicity(dim, k) for k in range(degree + 1))
    if directions < needed:
        raise DomainError(f"width {width}: {directions} directions", f"{needed} or more for degree {degree}")
    last = degree
    while last < degree + MORE_DEGREES and total + multiplicity(dim, last + 1) <= directions:
        last += 1
        total += multiplicity(dim, last)
    spectrum = sphere(ntk, dim, last + 1, digits)
    values = tuple(_scaled(v, dim) for v in spectrum.enclosures())
    shown = range(degree + 1)
    missing = tuple(k for k in shown if spectrum.eigenvalues[k] == sp.S.Zero)
    counts = spectrum.multiplicities
    top = sum(counts[k] for k in shown if k not in missing)
    after = [values[k] for k in range(degree + 1, len(values))]
    ended = structure(ntk).whole.degree < len(values)  # nothing beyond, not even rounding
    tail = Fraction(0) if ended else dim * spectrum.tail().upper / multiplicity(dim, len(values))
    following = max(after, key=lambda v: v.upper)
    if tail > following.upper:
        following = Enclosure(tail / 2, tail / 2)
    least = min((values[k].lower for k in shown if k not in missing), default=Fraction(0))
    medium = sum(counts[k] for k in range(degree + 1, last + 1) if spectrum.eigenvalues[k] != sp.S.Zero)
    return Groups(
        spectrum,
        values,
        Group("top", 0, degree, top),
        Group("medium", degree + 1, last, medium),
        Group("small", last + 1, None, directions - top - medium),
        directions,
        least / following.upper if following.upper > 0 else None,
        following,
        missing,
    )


def _scaled(value: Enclosure, factor: int) -> Enclosure:
    return Enclosure(factor * value.midpoint, factor * value.radius)


# ------------------------------------------------------------------------------------ on a sample


@dataclass(frozen=True, eq=False)
class Directions(Shown):
    """The top directions of the feature covariance of ``f_L`` over a pool of ``n`` inputs.

    ``eigenvalues``: all ``n`` of the Gram matrix over ``n``, largest first: the non-zero ones of the
    covariance. ``basis``: ``(n, count)``, orthonormal; ``basis basis^T`` applied to the values of ``f_L``
    on the pool gives those of ``f_L`` at the projected step, exactly.
    """

    design: Design
    eigenvalues: FloatArray
    basis: FloatArray

    @property
    def count(self) -> int:
        return int(self.basis.shape[1])

    @property
    def next_eigenvalue(self) -> float:
        """The largest eigenvalue outside the top directions."""
        return float(self.eigenvalues[self.count])

    def outside(self, values: FloatArray) -> FloatArray:
        """Of the values of ``f_L`` on the pool, those at the step without its top directions."""
        return values - self.basis @ (self.basis.T @ values)

    def project(self, W: FloatArray) -> FloatArray:
        """The part of a step in the top directions, in the space of weights.

        ``P W = features^T U lambda^-1 U^T features W``, matrix by vector.
        """
        n = len(self.eigenvalues)
        values = self.basis.T @ self.design.linear(W)
        weights = self.basis @ (values / (n * self.eigenvalues[: self.count]))
        gradient = self.design.linear_gradient(weights)
        return np.stack([gradient, -gradient])

    def bound(self, W: FloatArray) -> tuple[float, float]:
        """``sqrt(mean f_L^2)`` over the pool at the step without its top directions, and its bound.

            sqrt(ev_(count + 1)) |W - P W| + sqrt(n eps ev_1) |W|

        The second term is the rounding (``eps`` of float64): eigenvalues of a Gram matrix over ``n`` inputs
        are known to about ``n eps ev_1``.
        """
        rest = W - self.project(W)
        size = float(np.sqrt(np.mean(self.design.linear(rest) ** 2)))
        rounding = len(self.eigenvalues) * np.finfo(np.float64).eps * self.eigenvalues[0]
        following = max(self.next_eigenvalue, 0.0)  # below 0 by rounding only
        bound = np.sqrt(following) * np.linalg.norm(rest) + np.sqrt(rounding) * np.linalg.norm(W)
        return size, float(bound)


def directions(network: Antisymmetric, X: Any, count: int) -> Directions:
    """The ``count`` top directions over the pool ``X``, ``(n, dim)``, ``n > count``.

    Float64, from the eigenvectors of the Gram matrix. Raises :class:`DomainError` where the pool is too
    small or the eigenvalues vanish before ``count``.
    """
    design = network.design(X)
    n = len(design.X)
    require_count(count, "count", 1)
    if count >= n:
        raise DomainError(f"{count} top directions of a pool of {n}", "a larger pool", "add fresh inputs")
    gram = np.asarray(design.gram(), dtype=np.float64) / n
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1].copy(), vectors[:, ::-1]
    if not values[count - 1] > n * np.finfo(np.float64).eps * values[0]:
        raise DomainError(f"{count} top directions", "directions that f_L sees: eigenvalues above rounding")
    return Directions(design, values, np.ascontiguousarray(vectors[:, :count]))


@dataclass(frozen=True)
class GapTest(Shown):
    """Where the eigenvalues on a pool fall most: ``largest_at`` is the number of those before the largest
    ratio of neighbours (among the first ``window`` ratios); ``ratio`` is that after the ``count``-th, the
    predicted place."""

    count: int
    ratio: float
    largest_at: int
    largest_ratio: float
    window: int

    @property
    def agrees(self) -> bool:
        """Whether the largest gap stands where it is predicted."""
        return self.largest_at == self.count


def gap_test(found: Directions, window: int | None = None) -> GapTest:
    """Whether the eigenvalues on the pool split after ``found.count``: no threshold, only the largest ratio.

    ``window``: how many ratios are looked at (up to that after the ``2 count``-th eigenvalue unless given,
    at most half of them: later groups fall as well, and so do the last ones of any sample). Raises
    :class:`DomainError` for a window that does not hold the count, or eigenvalues in it that are 0 or
    rounding.
    """
    size = len(found.eigenvalues)
    last = min(size // 2, 2 * found.count) if window is None else window
    require_count(last, "window", 1)
    if not found.count <= last < size:
        raise DomainError(f"window = {last}", f"from {found.count} to {size - 1}", "take a larger pool")
    if not found.eigenvalues[last] > size * np.finfo(np.float64).eps * found.eigenvalues[0]:
        raise DomainError(
            f"window = {last}", "a window whose eigenvalues are above rounding", "take a smaller window"
        )
    ratios = found.eigenvalues[:last] / found.eigenvalues[1 : last + 1]
    place = int(np.argmax(ratios))
    return GapTest(found.count, float(ratios[found.count - 1]), place + 1, float(ratios[place]), last)
