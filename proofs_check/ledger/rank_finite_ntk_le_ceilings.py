"""What the rank of a finite network's tangent kernel cannot exceed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from analytic_ntk import Activation
from analytic_ntk.theory.memorization import draw, rank_ceilings
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import rank
from proofs_check.ledger._finite import SCALARS, jacobian, random_weights
from proofs_check.ledger._points import Points, mirrored, points, random_points, scaled
from proofs_check.ledger._sources import BOMBARI, OWN


def _rank(name: str, shape: tuple[int, ...], X: Points, seed: int = 3) -> tuple[int, list[int]]:
    """Of the whole Jacobian and of its blocks, at random rational weights."""
    parts = jacobian(random_weights(shape, seed), SCALARS[name], X)
    whole = [tuple(e for part in parts for e in part[i]) for i in range(len(X))]
    return rank(whole), [rank([tuple(row) for row in part]) for part in parts]


def counts(less: int = 0) -> Iterator[Case]:
    """At most the number of parameters, block by block ``n_{l-1} n_l``; attained for few parameters."""
    for name in ("t/(1 + t^2)", "1/(1 + t^2)", "t + t^2"):
        for shape in ((2, 2, 1), (2, 1, 2, 1), (2, 2, 2, 1)):
            sizes = [m * n for m, n in pairwise(shape)]
            X = random_points(sum(sizes) + 2, shape[0], 11)
            whole, blocks = _rank(name, shape, X)
            holds = whole <= sum(sizes) - less and all(
                found <= size - less for found, size in zip(blocks, sizes, strict=True)
            )
            yield Case(f"{name}, widths {'-'.join(map(str, shape))}, N = {len(X)}: rank {whole}", holds)


def polynomials() -> Iterator[Case]:
    """At most the monomials of the degrees that the derivatives have: ``d`` for linear ``s``."""
    for name, shape, degrees in (
        ("t", (2, 3, 3, 1), (1,)), ("t", (3, 4, 1), (1,)), ("t^2", (2, 5, 1), (2,)),
        ("t + t^2", (2, 6, 1), (1, 2)), ("t^3", (2, 6, 1), (3,)), ("t^2", (2, 4, 4, 1), (4,)),
    ):  # fmt: skip
        bound = sum(math.comb(shape[0] + k - 1, k) for k in degrees)
        X = random_points(bound + 3, shape[0], 7)
        found, _ = _rank(name, shape, X)
        yield Case(
            f"{name}, widths {'-'.join(map(str, shape))}: rank {found}, at most {bound}", found <= bound
        )


def symmetric() -> Iterator[Case]:
    """``p`` antipodal pairs, ``s`` odd or even: at most ``N - p``, at every width and depth."""
    for name in ("t/(1 + t^2)", "t^3", "1/(1 + t^2)", "t^2"):
        for shape in ((2, 8, 1), (2, 5, 5, 1)):
            X = mirrored(random_points(4, 2, 5))
            found, _ = _rank(name, shape, X)
            yield Case(f"{name}, widths {'-'.join(map(str, shape))}, 4 pairs: rank {found}", found <= 4)


def homogeneous() -> Iterator[Case]:
    """Two inputs on one ray, ReLU: one of them is of no use."""
    X = random_points(3, 2, 5)
    X = [*X, scaled(X[0], 2), scaled(X[1], 3)]
    for shape in ((2, 9, 1), (2, 6, 6, 1)):
        found, _ = _rank("relu", shape, X)
        yield Case(f"relu, widths {'-'.join(map(str, shape))}, 2 of 5 on rays: rank {found}", found <= 3)


def rescaled(more: int = 0) -> Iterator[Case]:
    """Homogeneous ``s``: each unit can trade incoming for outgoing weights, and takes one from the rank."""
    for name in ("relu", "t^2", "t^3"):
        for shape in ((2, 3, 1), (3, 2, 1), (2, 2, 2, 1)):
            bound = sum(m * n for m, n in pairwise(shape)) - sum(shape[1:-1])
            found, _ = _rank(name, shape, random_points(bound + 3, shape[0], 13))
            said = f"{name}, widths {'-'.join(map(str, shape))}: rank {found}, at most {bound}"
            yield Case(said, found <= bound - more)


def shipped() -> Iterator[Case]:
    """What the package states lies above the exact rank, and the reason is found."""
    for name, text, X in (
        ("t/(1 + t^2)", "x/(1 + x^2)", mirrored(random_points(4, 2, 5))),
        ("t^3", "x^3", random_points(12, 2, 5)),
        ("t", "x", random_points(5, 2, 5)),
        ("relu", "Max(x, 0)", points([1, 2], [2, 4], [1, -1])),
    ):
        shape = (2, 6, 6, 1)
        found, blocks = _rank(name, shape, X)
        finite = draw(Activation.parse(text), 2, [6, 6], np.random.default_rng(0))
        stated = rank_ceilings(finite, np.array([[float(e) for e in x] for x in X]))
        holds = found <= stated.best.rank < len(X) and all(
            r <= c.rank for r, c in zip(blocks, stated.blocks, strict=True)
        )
        yield Case(f"{name}: rank {found}, stated {stated.best.rank}", holds)


def without_symmetry() -> Iterator[Case]:
    X = mirrored(random_points(3, 2, 5))
    found, _ = _rank("t + t^2", (2, 9, 9, 1), X)
    yield Case(f"t + t^2, 3 antipodal pairs: rank {found}", found == 6)


def not_polynomial() -> Iterator[Case]:
    X = random_points(6, 2, 5)
    found, _ = _rank("t/(1 + t^2)", (2, 8, 1), X)
    yield Case(f"t/(1 + t^2), d = 2, 6 inputs: rank {found}", found == 6)


CLAIM = Claim(
    name="rank_finite_ntk_le_ceilings",
    title="rank ceilings of a finite network's kernel: parameters, monomials, symmetry",
    statement=r"\operatorname{rank} K \le \min\Bigl(\#\theta,\ \#\{\text{monomials of the degrees of } "
    r"\partial f/\partial\theta\},\ N - p\Bigr),\quad \operatorname{rank} K_l \le n_{l-1} n_l",
    hypotheses=(
        Hypothesis(
            "odd or even, for p antipodal pairs",
            "s(-t) = s(t) for all t, or s(-t) = -s(t), and no bias",
            Part("neither odd nor even", Method.EXACT, "t + t^2, 3 pairs in R^2", without_symmetry),
        ),
        Hypothesis(
            "polynomial, for the monomials",
            "s is a polynomial",
            Part("not a polynomial", Method.EXACT, "t/(1 + t^2), 6 inputs in R^2", not_polynomial),
        ),
    ),
    parts=(
        Part(
            "parameters of the network and of each block",
            Method.EXACT,
            "t/(1 + t^2), 1/(1 + t^2), t + t^2; random rational weights; three shapes, N > parameters",
            counts,
        ),
        Part(
            "monomials of the derivatives' degrees",
            Method.EXACT,
            "t, t^2, t^3, t + t^2; one and two hidden layers; random rational weights and inputs",
            polynomials,
        ),
        Part(
            "antipodal pairs under odd and even s",
            Method.EXACT,
            "t/(1 + t^2), t^3, 1/(1 + t^2), t^2; 4 pairs in R^2, one and two hidden layers",
            symmetric,
        ),
        Part(
            "rescalings of homogeneous units: one parameter less for each",
            Method.EXACT,
            "relu, t^2, t^3; one and two hidden layers; random rational weights, N > parameters",
            rescaled,
        ),
        Part("rays under ReLU", Method.EXACT, "2 of 5 inputs, one and two hidden layers", homogeneous),
        Part(
            "what the package states",
            Method.EXACT,
            "t/(1 + t^2), t^3, t, relu; widths 2-6-6-1",
            shipped,
        ),
    ),
    faults=(
        Fault("one parameter too few", lambda: counts(1)),
        Fault("two rescalings too many", lambda: rescaled(2)),
    ),
    references=(BOMBARI, OWN),
    cited="a matrix J J^T has the rank of J, and J(-x) = +-J(x) for odd and even s",
)
