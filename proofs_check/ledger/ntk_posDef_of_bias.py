"""Theorem 1: with a bias, and distinct inputs, the NTK is strictly positive definite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat

from analytic_ntk import Network, activations, certificate
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.positivity import Domain, Positivity, decide, eigenvalue_bounds, min_eigenvalue
from proofs_check import verify
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import ball, is_positive_definite, least_lies_in
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import DISTINCT, Points, points
from proofs_check.ledger._polynomials import POLYNOMIALS, generic, kernels
from proofs_check.ledger._sources import CARVALHO

CLOSED = ("relu", "leaky_relu(1/10)", "abs", "gelu", "erf", "sin", "cos", "elu(1)", "gaussian")
QUADRATURE = ("tanh", "sigmoid", "x/(1 + exp(-x))")
FEW = {where: DISTINCT[where] for where in ("a line through 0 with antipodes", "a square and its centre")}
GRID = [[f"{k}/10"] for k in range(10)]
LINE = points(*([k] for k in range(7)))


def enclosed(names: tuple[str, ...], depths: tuple[int, ...], sets: Mapping[str, Points]) -> Iterator[Case]:
    """Certainly positive pivots of the certified NTK Gram matrix."""
    for name in names:
        for depth in depths:
            network = Network.mlp(activations.resolve(name), depth, 1, "1/10")
            for where, X in sets.items():
                what = f"{name}, depth {depth}, {where}"
                yield Case(what, is_positive_definite(network, X), trivial=len(X) < 2)


def hard(kernel: str, lower_by: Fraction = Fraction(0)) -> Iterator[Case]:
    """The enclosed least eigenvalue against the inertia of a matrix made anew from ``sinh`` and ``exp``."""
    network = Network.mlp(activations.sin, 1, 1, 1)
    found = min_eigenvalue(network, GRID, kernel, digits=12)
    with working_precision(400):
        answer = least_lies_in(_sin_matrix(kernel), found.lower - lower_by, found.upper - lower_by)
    yield Case(f"{kernel.upper()}: lambda_min = {found.decimal(10)}", answer)


def _sin_matrix(kernel: str) -> arb_mat:
    """``E sin u sin v = exp(-(a+b)/2) sinh c``, ``E cos u cos v = exp(-(a+b)/2) cosh c``."""
    rows = []
    for i in range(10):
        row = []
        for j in range(10):
            a, c, b = (1 + ball(Fraction(k, 100)) for k in (i * i, i * j, j * j))
            damp = (-(a + b) / 2).exp()
            nngp = damp * c.sinh() + arb(1)
            row.append(nngp + damp * c.cosh() * c if kernel == "ntk" else nngp)
        rows.append(row)
    return arb_mat(rows)


def decisions() -> Iterator[Case]:
    for name in CLOSED + QUADRATURE:
        for depth in (1, 2, 3):
            for dim in (1, 2, 5):
                found = decide(Network.mlp(activations.resolve(name), depth, 2, "1/10"), dim, Domain.DISTINCT)
                yes = found.verdict is Positivity.STRICTLY_POSITIVE
                quoted = any("Theorem 3" in step.reference for step in found.steps)
                yield Case(f"{name}, depth {depth}, d = {dim}", yes and quoted)


def certificates() -> Iterator[Case]:
    for name in ("relu", "log(1 + exp(x))", "x/(1 + exp(-x))", "Max(x, 0) + Max(-x, 0)/10", "sin(x) + x/3"):
        for depth in (1, 2):
            for where, X in DISTINCT.items():
                network = Network.mlp(activations.resolve(name), depth, 1, "1/10")
                report = verify(certificate.of_gram(network, X).json())
                what = f"{name}, depth {depth}, {where}"
                yield Case(what if report.accepted else f"{what}: {report}", report.accepted)


def large() -> Iterator[Case]:
    """Float64, every rounding of the eigenvalue bound inside; the error of the entries is estimated."""
    rng = np.random.default_rng(0)
    for count, dim in ((50, 5), (100, 10), (200, 20)):
        X = rng.standard_normal((count, dim))
        matrix = Network.mlp(activations.relu, 2, 2, "1/10").gram(X)
        bounds = eigenvalue_bounds(matrix, 1e-13 * float(matrix.max()))
        yield Case(f"N = {count}, d = {dim}: lambda_min >= {bounds.lower:.3g}", bounds.positive)


# ------------------------------------------------------------------------------------ hypotheses dropped


def without_bias() -> Iterator[Case]:
    """``relu(2t) = 2 relu(t)`` and ``x_2 = 2 x_1``: null vector (2, -1), exactly."""
    X = points([1, 1], [2, 2])
    for name in ("relu", "abs", "leaky_relu(1/10)"):
        null = dependencies(SIDED[name], X)
        exact = len(null) == 1 and null[0][0] == -2 * null[0][1]
        yield Case(f"{name}, no bias, (1, 1) and (2, 2): null vector (2, -1)", exact)


def duplicated() -> Iterator[Case]:
    for name, s in SIDED.items():
        X = points([1, 1], [2, 1], [1, 1])
        yield Case(f"{name}, a point twice: null vector (1, 0, -1)", dependencies(s, X) == [(-1, 0, 1)])


def polynomial() -> Iterator[Case]:
    for name in ("t^2", "t + t^2", "1 + t^3"):
        X = generic(12, 2, 0)
        _, ntk = kernels([POLYNOMIALS[name]], X, bias=Fraction(1, 10))
        found = rank(ntk)
        yield Case(f"{name}, bias, 12 points in the plane: rank {found}", found < len(X))


CLAIM = Claim(
    name="ntk_posDef_of_bias",
    title="with a bias and distinct inputs the NTK is strictly positive definite at every depth",
    statement=r"s \text{ continuous, a.e. differentiable, not a polynomial},\ b > 0,\ "
    r"x_1, \dots, x_N \text{ distinct} \implies \bigl(T_L(x_i, x_j)\bigr)_{ij} \succ 0 "
    r"\text{ for every } L \ge 2",
    hypotheses=(
        Hypothesis(
            "bias",
            "the bias variance is positive",
            Part("proportional inputs without bias", Method.EXACT, "3 activations", without_bias),
        ),
        Hypothesis(
            "distinct",
            "the inputs are pairwise distinct",
            Part("a point given twice", Method.EXACT, f"{len(SIDED)} activations", duplicated),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("more points than monomials", Method.EXACT, "3 polynomials", polynomial),
        ),
        Hypothesis(
            "continuous",
            "s is continuous",
            remark="used in the published proof; the conclusion survives jumps, see nngp_posDef_of_jump",
        ),
        Hypothesis(
            "differentiable almost everywhere",
            "s' exists almost everywhere",
            remark="without it the recursion of the NTK is not defined",
        ),
    ),
    parts=(
        Part(
            "certainly positive pivots of the certified NTK Gram matrix",
            Method.ENCLOSED,
            f"{len(CLOSED)} activations with closed forms, depths 1, 2, 3, bias variance 1/10; "
            f"{len(DISTINCT)} point sets: {', '.join(DISTINCT)}",
            lambda: enclosed(CLOSED, (1, 2, 3), DISTINCT),
        ),
        Part(
            "the same for activations without a closed form",
            Method.ENCLOSED,
            f"{', '.join(QUADRATURE)}; depths 1, 2; {', '.join(FEW)}",
            lambda: enclosed(QUADRATURE, (1, 2), FEW),
        ),
        Part(
            "the same, on all the point sets and deeper",
            Method.ENCLOSED,
            f"{', '.join(QUADRATURE)}; depths 1, 2, 3; all {len(DISTINCT)} point sets",
            lambda: enclosed(QUADRATURE, (1, 2, 3), DISTINCT),
            needed=False,
            slow=True,
        ),
        Part(
            "the hard case: the least eigenvalue enclosed, against the inertia of a matrix made anew",
            Method.ENCLOSED,
            "sin, depth 1, S_1 = xy + 1, X = {0, .1, .., .9}; NTK and NNGP",
            lambda: (case for kernel in ("ntk", "nngp") for case in hard(kernel)),
        ),
        Part(
            "certificates of strict positivity accepted by the independent replay",
            Method.ENCLOSED,
            f"5 activations, 4 of them given as expressions, depths 1 and 2, {len(DISTINCT)} point sets",
            certificates,
        ),
        Part(
            "the decision procedure says yes on all distinct points, and quotes Theorem 3",
            Method.EXACT,
            "no evidence for the theorem, on which it rests: its hypotheses checked for "
            f"{len(CLOSED + QUADRATURE)} activations, depths 1, 2, 3, d = 1, 2, 5",
            decisions,
            needed=False,
        ),
        Part(
            "many points in float64",
            Method.NUMERIC,
            "ReLU, depth 2, up to 200 random points; entry errors taken as 1e-13 of the largest entry",
            large,
            needed=False,
        ),
    ),
    faults=(
        Fault(
            "a duplicate among the points",
            lambda: enclosed(("relu",), (1,), {"duplicates": points([1, 1], [0, 1], [1, 1])}),
        ),
        Fault("a polynomial taken for an activation", lambda: enclosed(("x^2",), (1,), {"line": LINE})),
        Fault(
            "an enclosure that was not widened: moved by its own size",
            lambda: hard("ntk", Fraction(1, 10**26)),
        ),
    ),
    references=(f"{CARVALHO}, Theorem 1",),
    cited="Theorem 1",
)
