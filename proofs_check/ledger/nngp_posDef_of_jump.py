"""For the NNGP local integrability is enough: the theorems hold for activations that jump."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from analytic_ntk import Network, activations
from analytic_ntk.characterisation import Independence, probe
from analytic_ntk.positivity import Domain, Positivity, decide
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite
from proofs_check.ledger._cells import SIDED, Sided, dependencies
from proofs_check.ledger._exact import determinant, dot
from proofs_check.ledger._points import DISTINCT, NON_PROPORTIONAL, Points, fan, points
from proofs_check.ledger._polynomials import poly
from proofs_check.ledger._sources import OWN

JUMPS = ("step", "sign", "sign(x) + x", "Heaviside(x - 1)", "Heaviside(x)*exp(-x)")
ONE_SIDE = SIDED | {
    "Heaviside(x)*x^2 + 1": Sided(poly(1, 0, 1), poly(1)),
    "2*step(x) - x": Sided(poly(2, -1), poly(0, -1)),
}
EXACT = ("step", "sign", "sign(x) + x", "2*step(x) - x")


def exact(bias: Fraction = Fraction(1), names: Sequence[str] = EXACT) -> Iterator[Case]:
    """Without bias at non-proportional points of the plane, with bias at distinct inputs in R^1."""
    plane = {where: X for where, X in NON_PROPORTIONAL.items() if len(X[0]) == 2} | {"12 of a fan": fan(12)}
    line = {where: X for where, X in DISTINCT.items() if len(X[0]) == 1}
    line["10 of a grid"] = points(*([Fraction(k, 2)] for k in range(-5, 5)))
    for name in names:
        for where, X in plane.items():
            yield Case(f"{name}, no bias, {where}", dependencies(ONE_SIDE[name], X) == [])
        for where, X in line.items():
            found = dependencies(ONE_SIDE[name], [(*x, bias) for x in X])
            yield Case(f"{name}, bias, {where}", found == [])


def determinants() -> Iterator[Case]:
    """Integer matrices ``[s(z_i . w_j)]``, no argument at a jump: so independent almost everywhere too."""
    for name in ("step", "sign"):
        for count in (4, 8, 12):
            found = probe(activations.resolve(name), fan(count))
            if not isinstance(found, Independence):
                yield Case(f"{name}, {count} of a fan: a dependency", False)
                continue
            arguments = [[dot(z, w) for w in found.directions] for z in found.vectors]
            value = determinant([[SIDED[name](t) for t in row] for row in arguments])
            yield Case(
                f"{name}, {count} of a fan: determinant {value}", value != 0 and all(map(all, arguments))
            )


def enclosed() -> Iterator[Case]:
    for name in JUMPS:
        for depth in (1, 2):
            for bias, sets in (("1/4", DISTINCT), (0, NON_PROPORTIONAL)):
                network = Network.mlp(activations.resolve(name), depth, 1, bias)
                for where, X in sets.items():
                    what = f"{name}, depth {depth}, bias {bias}, {where}"
                    yield Case(what, is_positive_definite(network, X, "nngp"))


def decided() -> Iterator[Case]:
    for name in JUMPS:
        phi = activations.resolve(name)
        for depth in (1, 2):
            for bias, domain in (("1/4", Domain.DISTINCT), (0, Domain.NON_PROPORTIONAL)):
                found = decide(Network.mlp(phi, depth, 1, bias), 3, domain, "nngp")
                good = found.verdict is Positivity.STRICTLY_POSITIVE
                yield Case(f"{name}, depth {depth}, {domain.value}", good)


def proportional() -> Iterator[Case]:
    X: Points = points([1, 1], [2, 2])
    for name in ("step", "sign"):
        null = dependencies(SIDED[name], X)
        yield Case(f"{name} at x and 2x: null vector (1, -1)", len(null) == 1 and sum(null[0]) == 0)


def polynomial_almost_everywhere() -> Iterator[Case]:
    """A polynomial but for one point is a polynomial almost everywhere: no help."""
    s = Sided(poly(0, 1), poly(0, 1))
    found = dependencies(s, fan(5))
    yield Case(f"t but for t = 0, 5 points of the plane: nullity {len(found)}", len(found) == 3)


CLAIM = Claim(
    name="nngp_posDef_of_jump",
    title="for the NNGP jumps are allowed: step and sign too are strictly positive definite",
    statement=r"s \in L^1_{\mathrm{loc}},\ s \text{ not a.e. a polynomial} \implies S_L(X) "
    r"\succ 0\ (L \ge 2) \text{ for distinct } x_i \text{ with bias, or pairwise non-proportional } x_i "
    r"\text{ without}",
    hypotheses=(
        Hypothesis(
            "non-proportional, without bias",
            "x_i is no multiple of x_j",
            Part("x and 2x", Method.EXACT, "step, sign", proportional),
        ),
        Hypothesis(
            "not almost everywhere a polynomial",
            "no polynomial agrees with s almost everywhere",
            Part("a polynomial but for a point", Method.EXACT, "5 points", polynomial_almost_everywhere),
        ),
    ),
    parts=(
        Part(
            "no dependency: the equations of all sectors have no solution but 0",
            Method.EXACT,
            f"{', '.join(EXACT)}; plane without bias, inputs in R^1 with bias",
            exact,
        ),
        Part("integer determinants", Method.EXACT, "step, sign; 4, 8, 12 of a fan", determinants),
        Part(
            "certainly positive pivots of the certified NNGP",
            Method.ENCLOSED,
            f"{', '.join(JUMPS)}; depths 1 and 2; "
            f"{', '.join(DISTINCT)} with bias, {', '.join(NON_PROPORTIONAL)} without",
            enclosed,
        ),
        Part(
            "the decision procedure agrees",
            Method.EXACT,
            "no evidence for the theorem, on which it rests: the same activations, d = 3",
            decided,
            needed=False,
        ),
    ),
    faults=(Fault("the bias left out", lambda: exact(Fraction(0))),),
    references=(OWN,),
    cited="degree_le_of_ridge_dependency",
)
