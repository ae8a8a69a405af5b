"""Laws of Gram matrices in float64, within what :meth:`Network.gram` promises."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.laws.cases import Case, OnData
from analytic_ntk.laws.doors import Doors, Points
from analytic_ntk.laws.law import Kind, Law, Outcome, Saboteur, Strata
from analytic_ntk.laws.measure import Plant, faulty_gram, matrix_margin, rounding
from analytic_ntk.laws.subject import Subject, is_flat
from analytic_ntk.network import Network
from analytic_ntk.positivity import eigenvalue_bounds
from analytic_ntk.strategies import Shape, data_sets

Array = NDArray[np.float64]


def on_data_sets(*groups: tuple[Shape, ...], max_points: int = 4, max_depth: int = 2) -> Strata:
    """Cases of networks on data of each group of shapes."""

    def strata(subject: Subject) -> tuple[SearchStrategy[Case], ...]:
        bound = subject.max_input_variance
        return tuple(
            st.builds(
                lambda network, rows, seed: OnData(network, rows, seed),
                subject.networks(max_depth),
                data_sets(group, max_points, max_variance=bound),
                st.integers(0, 2**32 - 1),
            )
            for group in groups
        )

    return strata


ALL_SHAPES = on_data_sets((Shape.CLOSE,), (Shape.HEXAGON,), (Shape.GAUSSIAN, Shape.SPHERE), (Shape.GRID,))


def on_data(case: Case) -> tuple[Network, Points, int]:
    if not isinstance(case, OnData):
        raise DomainError(f"{case!r}"[:80], "a network on points", "use laws.OnData")
    return case.target, case.X, case.seed


def _is_trivial(X: Points, *matrices: Array) -> bool:
    return len(set(X)) < 2 or not any(matrix.any() for matrix in matrices)


def off_diagonal(kernels: tuple[bool, bool]) -> Plant:
    """Entries of two different rows too large by the size."""

    def plant(doors: Doors, fault: Fraction) -> Doors:
        def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
            factor = np.full(nngp.shape, 1 + float(fault))
            if X is Y:
                np.fill_diagonal(factor, 1.0)
            one, two = (k * factor if hit else k for k, hit in zip((nngp, ntk), kernels, strict=True))
            return one, two

        return faulty_gram(change)(doors)

    return plant


# ------------------------------------------------------------------------------------ symmetry


def _symmetric(case: Case, doors: Doors) -> Outcome:
    """``gram(X)`` is its transpose bit for bit; ``gram(X, Y)`` is that of ``gram(Y, X)`` within rounding."""
    network, X, _ = on_data(case)
    square = doors.gram(network, X, None)
    exact = all(np.array_equal(k, k.T) for k in square)
    half = X[: (len(X) + 1) // 2]
    forth, back = doors.gram(network, half, X), doors.gram(network, X, half)
    margins = [
        matrix_margin(one - other.T, 2 * allowed[: len(half)])
        for one, other, allowed in zip(forth, back, rounding(network, X), strict=True)
    ]
    return Outcome(max(margins) if exact else np.inf, _is_trivial(X, *forth))


def _lopsided(doors: Doors, fault: Fraction) -> Doors:
    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        factor = 1 + float(fault) * (np.array([max(x) for x in X])[:, None] < np.array([max(y) for y in Y]))
        return nngp * factor, ntk * factor

    return faulty_gram(change)(doors)


SYMMETRIC = Law(
    name="kernel_symm",
    statement="K(x, y) = K(y, x)",
    latex=r"K(x,y)=K(y,x)",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_symmetric,
    saboteurs=(Saboteur("entries too large where the column has the larger coordinate", _lopsided),),
    smallest_fault=1e-14,
)


# ------------------------------------------------------------------------------------ positivity


def psd_margin(matrix: Array, allowed: Array) -> float:
    """How far an upper bound of the least eigenvalue (:func:`eigenvalue_bounds`) is below 0, over what the
    errors of the entries can move it (Weyl: at most their Frobenius norm)."""
    if not matrix.any():
        return 0.0
    bound = eigenvalue_bounds(np.ascontiguousarray((matrix + matrix.T) / 2)).upper
    if bound >= 0:
        return 0.0
    slack = float(np.linalg.norm(allowed))
    return -bound / slack if slack > 0 else np.inf


def _positive(case: Case, doors: Doors) -> Outcome:
    network, X, _ = on_data(case)
    kernels = doors.gram(network, X, None)
    allowed = rounding(network, X)
    margin = max(psd_margin(k, a) for k, a in zip(kernels, allowed, strict=True))
    return Outcome(margin, _is_trivial(X, *kernels))


POSITIVE = Law(
    name="gram_posSemidef",
    statement="the Gram matrices of both kernels are positive semidefinite",
    latex=r"\sum_{ij} c_i c_j K(x_i,x_j)\ge 0",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_positive,
    saboteurs=(
        Saboteur("off-diagonal entries too large", off_diagonal((True, True))),
        Saboteur("off-diagonal entries of the NTK too large", off_diagonal((False, True))),
    ),
    smallest_fault=1e-10,
)


# ------------------------------------------------------------------------------------ Schur


def _skip_schur(subject: Subject) -> str:
    if subject.activations and all(is_flat(phi) for phi in subject.activations):
        return "the slope of the activation is 0: NTK and NNGP are equal"
    if isinstance(subject.what, Network) and len(subject.what.layers) == 1:
        return "one layer only: NTK and NNGP are equal"
    return ""


def _schur(case: Case, doors: Doors) -> Outcome:
    network, X, _ = on_data(case)
    nngp, ntk = doors.gram(network, X, None)
    allowed = sum(rounding(network, X))
    return Outcome(psd_margin(ntk - nngp, np.asarray(allowed)), _is_trivial(X, ntk - nngp))


SCHUR = Law(
    name="nngp_le_ntk",
    statement="NTK - NNGP is positive semidefinite, a sum of Schur products of such matrices",
    latex=r"\Theta-\Sigma=w\,\dot\Sigma\circ\Theta'\succeq 0",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_schur,
    saboteurs=(
        Saboteur("off-diagonal entries of the NTK too large", off_diagonal((False, True))),
        Saboteur("off-diagonal entries of the NNGP too large", off_diagonal((True, False))),
    ),
    smallest_fault=1e-10,
    skip=_skip_schur,
)


# ------------------------------------------------------------------------------------ invariances


def _isometry(case: Case, doors: Doors) -> Outcome:
    """Points padded to four columns at least, and mirrored at hyperplanes with normals ``+-1`` in four of
    them: orthogonal matrices with entries 1/2, so that nothing is rounded."""
    network, X, seed = on_data(case)
    rng = np.random.default_rng(seed)
    width = max(4, len(X[0]))
    padded = np.zeros((len(X), width))
    padded[:, : len(X[0])] = X
    matrix = np.eye(width)
    for _ in range(2):
        normal = np.zeros(width)
        normal[rng.permutation(width)[:4]] = rng.choice((-1.0, 1.0), size=4)
        matrix = matrix @ (np.eye(width) - np.outer(normal, normal) / 2)
    moved = padded @ matrix
    if not np.array_equal(moved @ matrix.T, padded) or not _is_exact(padded, matrix, moved):
        return Outcome(0.0, trivial=True)
    before, after = _points(padded), _points(moved)
    margins = [
        matrix_margin(one - other, 2 * allowed)
        for one, other, allowed in zip(
            doors.gram(network, before, None),
            doors.gram(network, after, None),
            rounding(network, before),
            strict=True,
        )
    ]
    return Outcome(max(margins), _is_trivial(X, *doors.gram(network, before, None)) or before == after)


def _points(rows: Array) -> Points:
    return tuple(tuple(map(float, row)) for row in rows)


def _is_exact(rows: Array, matrix: Array, image: Array) -> bool:
    """Whether the product was formed without rounding."""
    exact = [
        [sum((Fraction(a) * Fraction(m) for a, m in zip(row, column, strict=True)), Fraction(0))
         for column in matrix.T.tolist()]
        for row in rows.tolist()
    ]  # fmt: skip
    return all(Fraction(e) == f for row, line in zip(image.tolist(), exact, strict=True)
               for e, f in zip(row, line, strict=True))  # fmt: skip


def _first_coordinate(doors: Doors, fault: Fraction) -> Doors:
    def gram(network: Network, X: Points, Y: Points | None) -> tuple[Array, Array]:
        stretched = tuple((x[0] * (1 + float(fault)), *x[1:]) for x in X)
        return doors.gram(network, stretched, Y)

    return Doors(**(vars(doors) | {"gram": gram}))


ISOMETRY = Law(
    name="gram_isometry_eq_gram",
    statement="kernels do not change when all inputs are rotated or mirrored",
    latex=r"K(Qx,Qy)=K(x,y),\quad Q^{\mathsf T}Q=1",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_isometry,
    saboteurs=(Saboteur("the first coordinate weighs too much", _first_coordinate),),
    smallest_fault=1e-11,
)


def _permutation(case: Case, doors: Doors) -> Outcome:
    network, X, seed = on_data(case)
    order = np.random.default_rng(seed).permutation(len(X))
    if (order == np.arange(len(X))).all():
        order = order[::-1]
    moved = tuple(X[i] for i in order)
    margins = [
        matrix_margin(one[np.ix_(order, order)] - other, 2 * allowed[np.ix_(order, order)])
        for one, other, allowed in zip(
            doors.gram(network, X, None),
            doors.gram(network, moved, None),
            rounding(network, X),
            strict=True,
        )
    ]
    return Outcome(max(margins), _is_trivial(X, *doors.gram(network, X, None)) or moved == X)


def _first_row(doors: Doors, fault: Fraction) -> Doors:
    def change(network: Network, X: Points, Y: Points, nngp: Array, ntk: Array) -> tuple[Array, Array]:
        for matrix in (nngp, ntk):
            matrix[0] *= 1 + float(fault)
        return nngp, ntk

    return faulty_gram(change)(doors)


PERMUTATION = Law(
    name="gram_perm_eq_perm_gram",
    statement="permuting the inputs permutes the Gram matrix",
    latex=r"K(PX)=P\,K(X)\,P^{\mathsf T}",
    kind=Kind.FLOAT64,
    strata=ALL_SHAPES,
    check=_permutation,
    saboteurs=(Saboteur("the first row too large", _first_row),),
    smallest_fault=1e-10,
)

LAWS = (SYMMETRIC, POSITIVE, SCHUR, ISOMETRY, PERMUTATION)
