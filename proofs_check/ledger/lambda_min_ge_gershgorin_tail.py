"""A constructive lower bound of lambda_min: Gershgorin on the tail of the power series."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from analytic_ntk import Network, activations
from analytic_ntk.bounds import gershgorin_bound
from analytic_ntk.positivity import min_eigenvalue
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import is_positive_definite, is_positive_semidefinite, products
from proofs_check.ledger._points import Points, mirrored, points
from proofs_check.ledger._sources import OWN
from proofs_check.ledger._zonal import ON_CIRCLE, ON_SPHERE, matrix

HALF = Fraction(1, 2)
SETS = {where: X for where, X in (ON_CIRCLE | ON_SPHERE).items() if "antipodal" not in where}
ON_RADIUS_2: dict[str, Points] = {
    "3 points of R^4": points([2, 0, 0, 0], [1, 1, 1, 1], [1, 1, -1, 1]),
    "5 points of R^4": points([2, 0, 0, 0], [0, 2, 0, 0], [1, 1, 1, 1], [1, -1, 1, 1], [1, 1, 1, -1]),
}
"""``<x, x>/4 = 1``: what the package calls unit inputs."""
NAMES = ("relu", "gelu", "elu(1)", "softplus(1)", "sin(x) + cos(x)")


def tail(rho: Fraction, first: int) -> Fraction:
    """``sum_{k >= K} (rho/2)^k``: the kernel ``1/(1 - rho/2)`` from the power ``K`` on."""
    return (rho * HALF) ** first / (1 - rho * HALF)


def bound(X: Points, first: int) -> Fraction:
    """``min_i [sum_{k>=K} c_k - sum_{j != i} |sum_{k>=K} c_k rho_ij^k|]``."""
    rows = products(X)
    return min(
        tail(Fraction(1), first) - sum(abs(tail(e, first)) for j, e in enumerate(row) if j != i)
        for i, row in enumerate(rows)
    )


def exact(factor: Fraction = Fraction(1)) -> Iterator[Case]:
    """``K - bound`` has no negative eigenvalue, for every power from which the tail is taken."""
    for where, X in SETS.items():
        whole = matrix(lambda e: tail(e, 0), X)
        for first in (0, 1, 2, 3, 5, 8, 13, 20, 40):
            value = factor * bound(X, first)
            shifted = [
                [e - (value if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(whole)
            ]
            yield Case(
                f"{where}, K = {first}: bound {float(value):.3g}",
                is_positive_semidefinite(shifted),
                value <= 0,
            )


def constructive() -> Iterator[Case]:
    """For some ``K`` the bound is positive: a proof of strict positivity."""
    for where, X in SETS.items():
        first = next((k for k in range(0, 5000, 10) if bound(X, k) > 0), None)
        yield Case(f"{where}: positive from K = {first}", first is not None)


def networks() -> Iterator[Case]:
    """The bound of the package against the least eigenvalue, enclosed."""
    for name in NAMES:
        for depth in (1, 2):
            network = Network.mlp(activations.resolve(name), depth, 1, 0)
            series = network.series(40)
            for where, X in ON_RADIUS_2.items():
                low = gershgorin_bound(series, [list(x) for x in X])
                truth = min_eigenvalue(network, X, "ntk", digits=8)
                what = f"{name}, depth {depth}, {where}: {float(low.value):.3g} <= {truth.decimal(4)}"
                yield Case(what, low.kind == "certified" and 0 < low.value <= truth.lower)


def antipodal() -> Iterator[Case]:
    """At x and -x an even kernel is singular: no ``K`` helps."""
    X = mirrored(points([1, 0], [0, 1]))
    singular = not is_positive_definite(matrix(lambda e: 1 / (1 - (e * HALF) ** 2), X))
    none = all(_even(X, first) <= 0 for first in range(0, 200, 2))
    yield Case("1/(1 - rho^2/4) at +-e1, +-e2: singular, and every bound is <= 0", singular and none)


def _even(X: Points, first: int) -> Fraction:
    rows = products(X)

    def rest(e: Fraction) -> Fraction:
        return (e * HALF) ** first / (1 - (e * HALF) ** 2)

    return min(
        rest(Fraction(1)) - sum(abs(rest(e)) for j, e in enumerate(row) if j != i)
        for i, row in enumerate(rows)
    )


def finitely_many() -> Iterator[Case]:
    """``1 + rho``: rank at most 3 in the plane, the tail beyond 1 is empty."""
    X = ON_CIRCLE["5 points of the circle"]
    yield Case(
        "1 + rho, 5 points of the circle: singular", not is_positive_definite(matrix(lambda e: 1 + e, X))
    )


def negative_coefficient() -> Iterator[Case]:
    """``1/2 - rho + 4 rho^2`` from K = 2: the bound 4 (1 - 1/4) fails for two points at rho = 1/2."""
    rho = HALF
    whole = [
        [Fraction(1, 2) - e + 4 * e * e for e in row] for row in ([Fraction(1), rho], [rho, Fraction(1)])
    ]
    value = 4 * (1 - rho * rho)
    shifted = [[e - (value if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(whole)]
    yield Case("1/2 - rho + 4 rho^2, two points, K = 2", not is_positive_semidefinite(shifted))


CLAIM = Claim(
    name="lambda_min_ge_gershgorin_tail",
    title="a constructive bound: drop the first K powers, Gershgorin on the rest",
    statement=r"c_k \ge 0,\ |x_i| = 1,\ \rho_{ij} = \langle x_i, x_j\rangle:\quad \lambda_{\min}\Bigl(\sum_k "
    r"c_k \rho_{ij}^k\Bigr) \ge \min_i \Bigl[\sum_{k \ge K} c_k - \sum_{j \ne i} \Bigl|\sum_{k \ge K} c_k "
    r"\rho_{ij}^k\Bigr|\Bigr] \text{ for every } K;\quad "
    r"\text{positive for some } K \text{ if } x_i \ne \pm x_j \text{ and infinitely many } c_k > 0",
    hypotheses=(
        Hypothesis(
            "non-negative coefficients",
            "c_k >= 0",
            Part("a negative coefficient", Method.EXACT, "two points", negative_coefficient),
        ),
        Hypothesis(
            "not antipodal, for a positive bound",
            "x_j is neither x_i nor -x_i",
            Part("antipodes", Method.EXACT, "an even kernel", antipodal),
        ),
        Hypothesis(
            "infinitely many, for a positive bound",
            "infinitely many c_k > 0",
            Part("1 + rho", Method.EXACT, "5 points of the circle", finitely_many),
        ),
    ),
    parts=(
        Part(
            "K - bound has no negative eigenvalue (Sylvester)",
            Method.EXACT,
            f"1/(1 - rho/2), its tails summed in closed form, K = 0 .. 40; {', '.join(SETS)}",
            exact,
        ),
        Part("positive for some K", Method.EXACT, "the same kernel and points", constructive),
        Part(
            "NTKs: 0 < the certified bound <= the enclosed least eigenvalue",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depths 1 and 2, power series to order 40; {', '.join(ON_RADIUS_2)}",
            networks,
        ),
    ),
    faults=(Fault("a bound ten times as large", lambda: exact(Fraction(10))),),
    references=(OWN, "S. Gershgorin, 1931"),
    cited="hadamard_posDef and Gershgorin's theorem; growth of K for distinct, non-antipodal points",
)
