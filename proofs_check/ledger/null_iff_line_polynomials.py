"""One hidden layer without bias, any data: the null space, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import prod
from random import Random

from analytic_ntk import Network, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import null_space_is
from proofs_check.ledger._cells import SIDED, Sided, dependencies
from proofs_check.ledger._exact import Vector, null_space, same_span
from proofs_check.ledger._points import Points, points, proportional_pairs
from proofs_check.ledger._polynomials import poly
from proofs_check.ledger._sources import OWN

MIXED: dict[str, Points] = {
    "two rays and their opposites": points([1, 0], [2, 0], [-1, 0], [0, 1], [0, -3], [0, 1]),
    "one line": points([1, 1], [2, 2], [-1, -1], [-3, -3]),
    "three lines and 0": points([1, 0], [-1, 0], [0, 1], [0, -2], [1, 1], [-1, -1], [0, 0]),
    "four two-sided lines": points([1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-2, -2], [1, -1], [-1, 1]),
    "no two on a line": points([1, 0], [0, 1], [1, 1]),
    "duplicates and antipodes": points([1, 2], [1, 2], [-1, -2], [3, 1], [-3, -1]),
}
MORE = SIDED | {
    "Max(x, 0) + 1": Sided(poly(1, 1), poly(1)),
    "Max(x, 0)^3 - x^2 + 2": Sided(poly(2, 0, -1, 1), poly(2, 0, -1)),
}


def random_sets(count: int) -> dict[str, Points]:
    """Points on few lines, on both sides, with repetitions."""
    found = {}
    for seed in range(count):
        rng = Random(seed)
        lines = points([1, 0], [0, 1], [1, 1], [1, -2], [2, 1])[: rng.randint(1, 5)]
        X = []
        for _ in range(rng.randint(2, 9)):
            x, c = rng.choice(lines), Fraction(rng.choice((-2, -1, -1, 1, 1, 2, 3)), rng.choice((1, 2)))
            X.append(tuple(c * e for e in x))
        found[f"random {seed}"] = X
    return found


def criterion(s: Sided, X: Points, first: int = 0) -> list[Vector]:
    """The null space as stated: on each line ``sum_k u_k s(c_k t)`` a polynomial ``sum_j p_j t^j``, and
    ``sum_l p_(l,j) z_l^(tensor j) = 0`` for every ``j >= first``; with all data on one line, the sum is 0.

    The coefficient of ``t^j`` on the right side of a line is ``sum_k u_k c_k^j s_(sign c_k, j)``, on the left
    side the same with the other sign of ``c_k``; a polynomial has the same on both.
    """
    lines = _lines(X)
    powers = range(max(len(s.right), len(s.left)))
    rows: list[list[Fraction]] = []
    across: dict[tuple[int, tuple[int, ...]], list[Fraction]] = {}
    for z, members in lines:
        for j in powers:
            right, left = (
                [c**j * _at(s.right if c * side > 0 else s.left, j) if c else Fraction(0) for c in members]
                for side in (1, -1)
            )
            rows.append([a - b for a, b in zip(right, left, strict=True)])
            if j >= first or len(lines) == 1:
                for chosen in combinations_with_replacement(range(len(z)), j):
                    row = across.setdefault((j, chosen), [Fraction(0)] * len(X))
                    for k, a in enumerate(right):
                        row[k] += a * prod((z[i] for i in chosen), start=Fraction(1))
    zero = across.setdefault((0, ()), [Fraction(0)] * len(X))
    for k, x in enumerate(X):
        zero[k] += s(Fraction(0)) if not any(x) else 0
    return null_space([*rows, *across.values()], len(X))


def _at(side: Sequence[Fraction], j: int) -> Fraction:
    return side[j] if j < len(side) else Fraction(0)


def _lines(X: Points) -> list[tuple[Vector, list[Fraction]]]:
    """The direction of each line, and every point's multiple of it (0 if it lies elsewhere)."""
    pairs = {(i, j): c for i, j, c in proportional_pairs(X)}
    lines: list[tuple[Vector, list[Fraction]]] = []
    seen: set[int] = set()
    for i, z in enumerate(X):
        if any(z) and i not in seen:
            ratios = [Fraction(int(j == i)) or pairs.get((i, j), Fraction(0)) for j in range(len(X))]
            seen |= {j for j, c in enumerate(ratios) if c}
            lines.append((z, ratios))
    return lines


def against_the_definition(sets: dict[str, Points], first: int = 0) -> Iterator[Case]:
    for name, s in MORE.items():
        for where, X in sets.items():
            stated, true = criterion(s, X, first), dependencies(s, X)
            yield Case(f"{name}, {where}: nullity {len(true)}", same_span(stated, true))


def decided(sets: dict[str, Points]) -> Iterator[Case]:
    for name, s in MORE.items():
        network = Network.mlp(activations.resolve(name), 1, 2, 0)
        for where, X in sets.items():
            found = decide_gram(network, X, "nngp").null_vectors
            yield Case(f"{name}, {where}: nullity {len(found)}", same_span(found, dependencies(s, X)))


def other_activations() -> Iterator[Case]:
    """Not polynomials on the half-lines: the null space decided is all that balls leave room for."""
    names = ("gelu", "erf", "cos", "x + exp(-x^2)", "probit", "exp(x)", "hardtanh", "sin(x) + x/3")
    for name in names:
        network = Network.mlp(activations.resolve(name), 1, "1/2", 0)
        for where, X in MIXED.items():
            for kernel in ("nngp", "ntk"):
                found = decide_gram(network, X, kernel).null_vectors
                answer = null_space_is(network, X, found, kernel)
                yield Case(f"{name}, {kernel}, {where}: nullity {len(found)}", answer)


def deeper() -> Iterator[Case]:
    """For ReLU at three antipodal pairs the criterion is of depth 1 only: at depth 2 nothing is left."""
    X = MIXED["four two-sided lines"]
    shallow = len(criterion(SIDED["relu"], X))
    network = Network.mlp(activations.relu, 2, 2, 0)
    yield Case(f"depth 1: nullity {shallow}; depth 2: 0", shallow > 0 and null_space_is(network, X, []))


def biased() -> Iterator[Case]:
    """With a bias the same points have no null vector, and the criterion at the ``x`` has two."""
    X, s = points([1, 0], [2, 0], [3, 0]), SIDED["relu"]
    true = dependencies(s, [(x[0], Fraction(1)) for x in X])
    stated = criterion(s, X)
    yield Case(
        f"ReLU at 1, 2, 3: nullity {len(true)}, the criterion says {len(stated)}",
        (true, len(stated)) == ([], 2),
    )


CLAIM = Claim(
    name="null_iff_line_polynomials",
    title="null vectors at one hidden layer: a polynomial on every line, whose tensors cancel",
    statement=r"x_k = c_k z_l,\ g_l(t) = \sum_{k \in l} u_k s(c_k t):\quad u \in \ker S_2 \iff "
    r"g_l(t) = \sum_j p_{l,j} t^j \ \forall l \text{ and } \sum_l p_{l,j}\, z_l^{\otimes j} = 0 \ \forall j "
    r"\quad (\text{a zero input adds } u_0 s(0) \text{ to } j = 0;\ \text{one line: } g = 0)",
    hypotheses=(
        Hypothesis(
            "one hidden layer",
            "L = 2",
            Part("two hidden layers", Method.ENCLOSED, "ReLU, four antipodal pairs", deeper),
        ),
        Hypothesis(
            "no bias",
            "b = 0 (with a bias it holds at the vectors (x, beta))",
            Part("with a bias", Method.EXACT, "ReLU, three points of a ray", biased),
        ),
    ),
    parts=(
        Part(
            "the criterion against the equations of all sectors of the plane, which use no theorem",
            Method.EXACT,
            f"{len(MORE)} activations that are polynomials on each side of 0, {len(MIXED)} chosen and 40 "
            "random sets of points on few lines",
            lambda: against_the_definition(MIXED | random_sets(40)),
        ),
        Part(
            "the decision procedure against the same",
            Method.EXACT,
            f"{len(MORE)} activations, {len(MIXED)} chosen and 40 random sets",
            lambda: decided(MIXED | random_sets(40)),
        ),
        Part(
            "other activations: the null space decided is all that balls leave room for",
            Method.ENCLOSED,
            f"8 activations, NNGP and NTK, {', '.join(MIXED)}",
            other_activations,
        ),
    ),
    faults=(
        Fault("the equations of the constants left out", lambda: against_the_definition(MIXED, 1)),
        Fault("those of degree 1 left out too", lambda: against_the_definition(MIXED, 2)),
    ),
    references=(OWN,),
    cited="degree_le_of_ridge_dependency, applied to every pair of lines",
)
