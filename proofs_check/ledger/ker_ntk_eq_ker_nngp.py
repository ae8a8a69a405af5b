"""NTK and NNGP have the same null space, at every depth and bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from analytic_ntk import Network, activations
from analytic_ntk.positivity import decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import all_of, null_space_is
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._exact import Vector, null_space, same_span
from proofs_check.ledger._points import Points, mirrored, points
from proofs_check.ledger._polynomials import POLYNOMIALS, generic, kernels
from proofs_check.ledger._sources import OWN

SETS: dict[str, Points] = {
    "3 antipodal pairs": mirrored(points([1, 0], [0, 1], [1, 1])),
    "a ray, its antipode and another point": points([1, 1], [2, 2], [-1, -1], [1, 0]),
    "a point twice": points([1, 0], [1, 0], [1, 1]),
    "0 and two opposite pairs": points([0, 0], [1, 2], [-1, -2], [2, 1], [-2, -1]),
}
NAMES = ("relu", "leaky_relu(1/10)", "abs", "gelu", "erf", "sin", "cos", "probit", "elu(1)", "x*Abs(x)")
JUMPS = ("step", "sign", "sign(x) + x", "step(x) + x^2")
JUMP_TEXTS = {"step(x) + x^2": "Heaviside(x) + x^2"}


def polynomial(shift: Fraction = Fraction(0)) -> Iterator[Case]:
    for name, s in POLYNOMIALS.items():
        for depth, bias, weight in ((1, 0, 1), (1, 1, 2), (2, 0, 1), (2, 1, 1)):
            X = [*generic(5, 1, 2), *generic(2, 1, 3)]
            nngp, ntk = kernels([s] * depth, X, Fraction(weight), Fraction(bias))
            ntk[0][0] += shift
            null = [null_space(rows, len(X)) for rows in (nngp, ntk)]
            yield Case(f"{name}, depth {depth}, bias {bias}: nullity {len(null[0])}", same_span(*null))


def enclosed(names: Sequence[str], depths: Sequence[int]) -> Iterator[Case]:
    """The exact null vectors of the NNGP are all that balls leave room for, in both kernels."""
    for name in names:
        for depth in depths:
            for bias in (0, "1/10"):
                network = Network.mlp(activations.resolve(JUMP_TEXTS.get(name, name)), depth, 1, bias)
                for where, X in SETS.items():
                    null = decide_gram(network, X, "nngp").null_vectors
                    agree = all_of(null_space_is(network, X, null, kernel) for kernel in ("nngp", "ntk"))
                    yield Case(f"{name}, depth {depth}, bias {bias}, {where}: nullity {len(null)}", agree)


def first_layer() -> Iterator[Case]:
    """The null space of the NNGP without any theorem, against that decided for the NTK."""
    for name, s in SIDED.items():
        network = Network.mlp(activations.resolve(name), 1, 1, 0)
        for where, X in SETS.items():
            found: Sequence[Vector] = decide_gram(network, X, "ntk").null_vectors
            yield Case(f"{name}, {where}: nullity {len(found)}", same_span(dependencies(s, X), found))


def sign_changed() -> Iterator[Case]:
    network = Network.mlp(activations.sin, 1, 1, 0)
    X = points([1, 2], [-1, -2])
    wrong = [(Fraction(1), Fraction(-1))]
    yield Case("sin at x and -x, null vector (1, -1)", null_space_is(network, X, wrong))


CLAIM = Claim(
    name="ker_ntk_eq_ker_nngp",
    title="NTK and NNGP have the same null space",
    statement=r"s \text{ continuous, locally absolutely continuous} \implies \ker T_L(X) = \ker S_L(X) "
    r"\text{ for every } L, b, X",
    hypotheses=(
        Hypothesis(
            "locally absolutely continuous",
            "s is continuous and the integral of s'",
            remark="it is used in the proof, but with jumps, and s' taken away from them, the null spaces "
            "agree on all cases below (a measure vanishes only if its absolutely continuous and its singular "
            "part do)",
        ),
    ),
    parts=(
        Part(
            "equal null spaces of the exact matrices",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, depths 1 and 2, with and without bias, 7 points in R^1",
            polynomial,
        ),
        Part(
            "depth 1: the null space of the NNGP from the equations of all sectors, against that decided "
            "for the NTK",
            Method.EXACT,
            f"{len(SIDED)} activations, {len(SETS)} sets: {', '.join(SETS)}",
            first_layer,
        ),
        Part(
            "the exact null vectors of the NNGP are all that balls leave room for, in both kernels",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depths 1, 2, 3; bias variance 0 and 1/10; the same sets",
            lambda: enclosed(NAMES, (1, 2, 3)),
        ),
        Part(
            "beyond the hypothesis: the same with jumps",
            Method.ENCLOSED,
            f"{', '.join(JUMPS)}; depths 1 and 2; bias variance 0 and 1/10; the same sets",
            lambda: enclosed(JUMPS, (1, 2)),
            needed=False,
        ),
    ),
    faults=(
        Fault("one entry of the NTK moved", lambda: polynomial(Fraction(1, 10**6))),
        Fault("a null vector with one sign changed", sign_changed),
    ),
    references=(OWN,),
    cited="induction over the layers, differentiating sum u_i s(z_i . w) = 0 in w",
)
