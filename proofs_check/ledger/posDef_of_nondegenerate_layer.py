"""One layer without parallel features makes all later layers strictly positive definite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from flint import arb_mat

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import all_of, gram, is_positive_definite
from proofs_check.ledger._exact import rank
from proofs_check.ledger._points import NON_PROPORTIONAL, Points, mirrored, points
from proofs_check.ledger._polynomials import POLYNOMIALS, kernels
from proofs_check.ledger._sources import OWN

ANTIPODAL = {"3 antipodal pairs": mirrored(points([1, 0], [0, 1], [1, 1]))}
SETS: dict[str, Points] = ANTIPODAL | {
    "a fan": NON_PROPORTIONAL["a fan"],
    "a ray": points([1, 1], [2, 2], [3, 3]),
    "0 and two others": points([0, 0], [1, 0], [2, 0]),
}
NAMES = ("relu", "gelu", "probit", "sin", "cos", "erf", "Max(x, 0)^2")


def nondegenerate(network: Network, X: Points) -> bool | None:
    """Whether the covariance after the network has a positive diagonal and no two parallel features."""
    with working_precision(120):
        matrix: arb_mat = gram(network, X, "nngp")
        diagonal = [matrix[i, i] > 0 for i in range(len(X))]
        minors = [
            matrix[i, i] * matrix[j, j] - matrix[i, j] * matrix[i, j]
            for i, j in combinations(range(len(X)), 2)
        ]
    return all(diagonal) and all(minor > 0 for minor in minors)


def implication(
    first: Sequence[str], second: Sequence[str], sets: dict[str, Points], checked: bool = True
) -> Iterator[Case]:
    """Wherever the layer after ``first`` is certainly non-degenerate, the next two are positive definite."""
    for one in first:
        for two in second:
            phi, psi = activations.resolve(one), activations.resolve(two)
            for where, X in sets.items():
                premise = nondegenerate(Network.mlp(phi, 1, 1, 0), X)
                if checked and not premise:
                    yield Case(f"{one}, {where}: degenerate or not known", True, trivial=True)
                    continue
                two_layers, three = (Network.mlp([phi, psi, psi][:n], n, 1, 0) for n in (2, 3))
                asked = ((two_layers, "nngp"), (two_layers, "ntk"), (three, "nngp"))
                answers = all_of(is_positive_definite(network, X, kernel) for network, kernel in asked)
                yield Case(f"{one}, then {two}, {where}", answers)


def at_the_input() -> Iterator[Case]:
    """The first layer itself non-degenerate: no two points proportional."""
    for name in NAMES:
        network = Network.mlp(activations.resolve(name), 1, 1, 0)
        for where, X in NON_PROPORTIONAL.items():
            yield Case(f"{name}, {where}", is_positive_definite(network, X))


def parallel() -> Iterator[Case]:
    """An odd first layer keeps antipodes parallel, and so does every odd layer after it."""
    X = points([1, 2], [-1, -2])
    for name in ("erf", "sin"):
        phi = activations.resolve(name)
        premise = nondegenerate(Network.mlp(phi, 1, 1, 0), X)
        later = is_positive_definite(Network.mlp(phi, 3, 1, 0), X)
        yield Case(
            f"{name} at x and -x: degenerate, and singular at depth 3", (premise, later) == (False, False)
        )


def polynomial() -> Iterator[Case]:
    X = points(*([1, k] for k in range(6)))
    for name in ("t^2", "t^3"):
        found = rank(kernels([POLYNOMIALS[name]], X)[1])
        yield Case(f"{name}, 6 points, no two proportional: rank {found}", found < 6)


CLAIM = Claim(
    name="posDef_of_nondegenerate_layer",
    title="once no two features are parallel, all later layers are strictly positive definite",
    statement=r"s \text{ not a polynomial},\ S_l(x_i, x_i) > 0,\ S_l(x_i, x_j)^2 < S_l(x_i, x_i)\, "
    r"S_l(x_j, x_j)\ (i \ne j) \implies S_{l+1}, \dots, S_L,\ T_{l+1}, \dots, T_L \succ 0",
    hypotheses=(
        Hypothesis(
            "no two parallel",
            "S_ij^2 < S_ii S_jj for i != j",
            Part("antipodes and odd activations", Method.ENCLOSED, "erf, sin; x and -x", parallel),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("polynomials", Method.EXACT, "t^2, t^3, 6 points", polynomial),
        ),
    ),
    parts=(
        Part(
            "l = 1: certainly positive pivots at depth 1",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; {', '.join(NON_PROPORTIONAL)}",
            at_the_input,
        ),
        Part(
            "l = 2: where balls show the layer after the first activation to be non-degenerate, they show "
            "the next two to be strictly positive definite",
            Method.ENCLOSED,
            f"first {', '.join(NAMES)}; then ReLU, erf; {', '.join(SETS)}; S_3, T_3, S_4 <= T_4; no bias",
            lambda: implication(NAMES, ("relu", "erf"), SETS),
        ),
    ),
    faults=(
        Fault("the hypothesis not looked at", lambda: implication(NAMES, ("relu",), SETS, checked=False)),
        Fault("a linear activation after the layer", lambda: implication(("relu",), ("x",), ANTIPODAL)),
    ),
    references=(OWN,),
    cited="degree_le_of_ridge_dependency at the features of layer l, then ntk_posDef_succ",
)
