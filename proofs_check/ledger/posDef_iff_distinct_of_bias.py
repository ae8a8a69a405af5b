"""With a bias: strictly positive definite exactly when the inputs are distinct."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from analytic_ntk import Activation, Dense, Network, Nonlinearity, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite, null_space_is
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import Vector, null_space, rank, same_span
from proofs_check.ledger._points import DISTINCT, Points, points
from proofs_check.ledger._polynomials import POLYNOMIALS, generic, kernels
from proofs_check.ledger._sources import CARVALHO, OWN

REPEATED: dict[str, Points] = {
    "a point twice": points([1, 2], [0, 1], [1, 2]),
    "a point three times": points([1], [1], [-1], [1]),
    "two points twice": points([1, 0], [0, 1], [1, 0], [0, 1], [0, 0]),
}
NAMES = ("relu", "abs", "gelu", "erf", "cos", "elu(1)", "probit", "hardtanh")


def differences(X: Points) -> list[Vector]:
    """``e_i - e_j`` for equal points: the null space that is there whatever the kernel."""
    rows = [[Fraction(int(x == y)) for y in X] for x in X]
    return null_space(rows, len(X))


def one_dimension() -> Iterator[Case]:
    """Inputs in R^1, depth 1: without a theorem, at the vectors (x, 1)."""
    sets = {where: X for where, X in (DISTINCT | REPEATED).items() if len(X[0]) == 1}
    sets["12 of a grid"] = points(*([Fraction(k, 3)] for k in range(-6, 6)))
    for name, s in SIDED.items():
        for where, X in sets.items():
            found = dependencies(s, [(*x, Fraction(1)) for x in X])
            yield Case(f"{name}, {where}: nullity {len(found)}", same_span(found, differences(X)))


def first_layer_only(activation: Activation, depth: int) -> Network:
    """A bias in the first layer, none later."""
    later = [layer for _ in range(depth) for layer in (Nonlinearity(activation), Dense(1, 0))]
    return Network(Dense(1, "1/4"), *later)


def later_only(activation: Activation, depth: int) -> Network:
    later = [layer for _ in range(depth) for layer in (Nonlinearity(activation), Dense(1, "1/4"))]
    return Network(Dense(1, 0), *later)


def enclosed() -> Iterator[Case]:
    for name in NAMES:
        phi = activations.resolve(name)
        for depth in (1, 2):
            networks = {
                "bias": Network.mlp(phi, depth, 1, "1/4"),
                "in the first layer only": first_layer_only(phi, depth),
            }
            for which, network in networks.items():
                for where, X in (DISTINCT | REPEATED).items():
                    null = differences(X)
                    found = decide_gram(network, X).null_vectors
                    answer = same_span(found, null) and null_space_is(network, X, found)
                    yield Case(f"{name}, depth {depth}, {which}, {where}: nullity {len(null)}", answer)


def without_bias() -> Iterator[Case]:
    X = points([1, 1], [2, 2])
    for name in ("relu", "abs", "Max(x, 0)^2"):
        found = dependencies(SIDED[name], X)
        yield Case(f"{name} at x and 2x: nullity {len(found)}", len(found) == 1)


def bias_later_only() -> Iterator[Case]:
    """ReLU at x, 2x, 3x: ``u = (1, -2, 1)`` has ``sum u_i i = 0`` and ``sum u_i = 0``, so a bias after the
    first layer does not help; one layer further it does."""
    X = points([1, 1], [2, 2], [3, 3])
    null = [(Fraction(1), Fraction(-2), Fraction(1))]
    yield Case(
        "(1, -2, 1) is a null vector without bias",
        same_span([*dependencies(SIDED["relu"], X), *null], dependencies(SIDED["relu"], X)),
    )
    for depth, vectors in ((1, null), (2, [])):
        network = later_only(activations.relu, depth)
        found = decide_gram(network, X).null_vectors
        answer = same_span(found, vectors) and null_space_is(network, X, found)
        yield Case(f"depth {depth}, bias after the first layer only: nullity {len(found)}", answer)


def polynomial() -> Iterator[Case]:
    for name in ("t^2", "1 + t^3"):
        X = generic(11, 2, 6)
        found = rank(kernels([POLYNOMIALS[name]], X, bias=Fraction(1))[1])
        yield Case(f"{name}, 11 distinct points, bias: rank {found}", found < len(X))


def claimed_distinct() -> Iterator[Case]:
    """A repeated point passed off as distinct."""
    network = Network.mlp(activations.relu, 1, 1, "1/4")
    for where, X in REPEATED.items():
        yield Case(where, is_positive_definite(network, X))


CLAIM = Claim(
    name="posDef_iff_distinct_of_bias",
    title="with a bias: strictly positive definite exactly when the inputs are distinct",
    statement=r"b > 0 \text{ (in the first layer)},\ L \ge 2,\ s \text{ not a polynomial}:\quad "
    r"T_L(X) \succ 0 \iff S_L(X) \succ 0 \iff x_i \text{ distinct}",
    hypotheses=(
        Hypothesis(
            "bias",
            "the bias variance is positive",
            Part("no bias", Method.EXACT, "3 activations, x and 2x", without_bias),
        ),
        Hypothesis(
            "in the first layer",
            "a bias in later layers alone is not enough at depth 1 (at depth 2 it may be)",
            Part("a bias after the first layer only", Method.ENCLOSED, "ReLU, x, 2x, 3x", bias_later_only),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("polynomials", Method.EXACT, "2 polynomials, 11 points of the plane", polynomial),
        ),
    ),
    parts=(
        Part(
            "inputs in R^1, depth 1: the equations of all sectors at the vectors (x, 1)",
            Method.EXACT,
            f"{len(SIDED)} activations, jumps among them; distinct and repeated points",
            one_dimension,
        ),
        Part(
            "the null space is spanned by e_i - e_j for equal points, and balls leave room for no more",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depths 1 and 2; a bias everywhere, or in the first layer only; "
            f"{', '.join(DISTINCT | REPEATED)}",
            enclosed,
        ),
    ),
    faults=(Fault("a repeated point passed off as distinct", claimed_distinct),),
    references=(OWN, f"{CARVALHO}, Theorem 1"),
    cited="ntk_posDef_of_bias",
)
