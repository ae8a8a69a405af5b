"""ReLU with further collinear points: a formula for the nullity."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from analytic_ntk import Network, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite, null_space_is
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import Vector, rank
from proofs_check.ledger._points import Points, points, proportional_pairs
from proofs_check.ledger._sources import OWN
from proofs_check.ledger.null_iff_line_polynomials import MIXED, random_sets

WITHOUT_ZERO = {where: X for where, X in MIXED.items() if all(map(any, X))}


def rays(X: Points) -> list[tuple[Vector, int, int]]:
    """The direction of each line, the number of points on its positive and on its negative ray."""
    pairs = proportional_pairs(X)
    found, seen = [], set()
    for i, z in enumerate(X):
        if i in seen:
            continue
        ratios = [(j, c) for k, j, c in pairs if k == i]
        seen |= {j for j, _ in ratios}
        plus = 1 + sum(1 for _, c in ratios if c > 0)
        found.append((z, plus, len(ratios) + 1 - plus))
    return found


def predicted(X: Points, depth: int, tail: int = 1) -> int:
    """``sum_l (P_l - 1)_+ + (M_l - 1)_+``, and at depth 1 also ``t - rank`` of the ``t`` two-sided lines."""
    lines = rays(X)
    surplus = sum(max(plus - 1, 0) + max(minus - 1, 0) for _, plus, minus in lines)
    two_sided = [z for z, plus, minus in lines if plus and minus]
    return surplus + (tail * (len(two_sided) - rank(two_sided)) if depth == 1 else 0)


def exact(sets: dict[str, Points], tail: int = 1) -> Iterator[Case]:
    for name in ("relu", "leaky_relu(1/10)"):
        for where, X in sets.items():
            found = len(dependencies(SIDED[name], X))
            yield Case(f"{name}, {where}: nullity {found}", found == predicted(X, 1, tail), len(X) < 2)


def decided() -> Iterator[Case]:
    for where, X in (WITHOUT_ZERO | random_sets(40)).items():
        for depth in (1, 2, 3):
            found = decide_gram(Network.mlp(activations.relu, depth, 2, 0), X).nullity
            yield Case(f"depth {depth}, {where}: nullity {found}", found == predicted(X, depth))


def enclosed() -> Iterator[Case]:
    """Balls leave room for exactly the null vectors decided, at every depth; their number is as said."""
    for where, X in (WITHOUT_ZERO | random_sets(12)).items():
        for depth in (1, 2, 3):
            network = Network.mlp(activations.relu, depth, 2, 0)
            null = decide_gram(network, X).null_vectors
            agree = null_space_is(network, X, null)
            what = f"depth {depth}, {where}: nullity {len(null)}"
            yield Case(what, agree if len(null) == predicted(X, depth) else False)


def other_activation() -> Iterator[Case]:
    X = points([1, 0], [2, 0], [3, 0])
    found = len(dependencies(SIDED["Max(x, 0) + x^2"], X))
    yield Case(
        f"Max(x, 0) + x^2 at three points of a ray: nullity {found}, the formula says 2",
        found != predicted(X, 1),
    )


def zero_input() -> Iterator[Case]:
    X = [*points([1, 0], [0, 1]), (Fraction(0), Fraction(0))]
    found = len(dependencies(SIDED["relu"], X))
    yield Case(f"0 among the points: nullity {found}, the lines say 0", found == 1)


def with_bias() -> Iterator[Case]:
    X = points([1, 0], [2, 0], [3, 0], [-1, 0], [-2, 0])
    answer = is_positive_definite(Network.mlp(activations.relu, 1, 2, "1/10"), X)
    yield Case(f"bias variance 1/10: nullity 0, the formula says {predicted(X, 1)}", answer)


CLAIM = Claim(
    name="nullity_relu_collinear",
    title="ReLU at any non-zero points: the nullity from the numbers of points on rays",
    statement=r"\dim\ker T_2 = \sum_l \bigl[(P_l - 1)_+ + (M_l - 1)_+\bigr] + \bigl(t - \operatorname{rank}"
    r"(z_1, \dots, z_t)\bigr),\quad \dim\ker T_L = \sum_l \bigl[(P_l - 1)_+ + (M_l - 1)_+\bigr]\ (L \ge 3);"
    r"\quad P_l, M_l \text{ points on the two rays of line } l,\ z_1, \dots, z_t "
    r"\text{ directions of the two-sided lines}",
    hypotheses=(
        Hypothesis(
            "homogeneous",
            "s is ReLU (or leaky ReLU)",
            Part("another activation", Method.EXACT, "Max(x, 0) + x^2", other_activation),
        ),
        Hypothesis(
            "no zero input",
            "0 is not among the points",
            Part("a zero input", Method.EXACT, "s(0) = 0: one null vector more", zero_input),
        ),
        Hypothesis(
            "no bias",
            "b = 0",
            Part("with a bias: strictly positive definite", Method.ENCLOSED, "5 points on a line", with_bias),
        ),
    ),
    parts=(
        Part(
            "depth 1 against the equations of all sectors of the plane, which use no theorem",
            Method.EXACT,
            f"ReLU and leaky ReLU, {len(WITHOUT_ZERO)} chosen and 60 random sets of points on few lines",
            lambda: exact(WITHOUT_ZERO | random_sets(60)),
        ),
        Part(
            "the nullity decided at depths 1, 2, 3",
            Method.EXACT,
            f"{len(WITHOUT_ZERO)} chosen and 40 random sets",
            decided,
        ),
        Part(
            "exactly so many null vectors are left room for by balls, depths 1, 2, 3",
            Method.ENCLOSED,
            f"ReLU, {len(WITHOUT_ZERO)} chosen and 12 random sets",
            enclosed,
        ),
    ),
    faults=(Fault("the term of the two-sided lines left out", lambda: exact(WITHOUT_ZERO, 0)),),
    references=(OWN,),
    cited="null_iff_line_polynomials, and posDef_iff_of_deep",
)
