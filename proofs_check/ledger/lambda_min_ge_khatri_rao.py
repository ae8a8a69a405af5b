"""The Khatri-Rao bound: lambda_min is at least any one power's share."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from analytic_ntk import Network, activations
from analytic_ntk.bounds import Zonal, hadamard_bound, khatri_rao
from analytic_ntk.positivity import min_eigenvalue
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import hadamard_power, inertia, is_positive_semidefinite, products, rank
from proofs_check.ledger._points import mirrored, points
from proofs_check.ledger._sources import NGUYEN, OWN, OYMAK
from proofs_check.ledger._zonal import ON_CIRCLE, ON_SPHERE
from proofs_check.ledger.lambda_min_ge_gershgorin_tail import ON_RADIUS_2

SETS = ON_CIRCLE | ON_SPHERE
SERIES: dict[str, tuple[Fraction, ...]] = {
    "1 + rho + .. + rho^6": (Fraction(1),) * 7,
    "rho^2/2 + rho^3": (Fraction(0), Fraction(0), Fraction(1, 2), Fraction(1)),
    "exp to order 5": tuple(Fraction(1, n) for n in (1, 1, 2, 6, 24, 120)),
}
NAMES = ("relu", "gelu", "elu(1)", "sin(x) + cos(x)")


def powers(sign: int = 1) -> Iterator[Case]:
    """``sum_k c_k G^{o k} - c_r G^{o r}`` has no negative eigenvalue, for each ``r``."""
    for name, c in SERIES.items():
        for where, X in SETS.items():
            rows = products(X)
            raised = [hadamard_power(rows, k) for k in range(len(c))]
            for r in range(len(c)):
                rest = [
                    [
                        sign * sum((c[k] * raised[k][i][j] for k in range(len(c)) if k != r), Fraction(0))
                        for j in range(len(X))
                    ]
                    for i in range(len(X))
                ]
                yield Case(f"{name}, r = {r}, {where}", is_positive_semidefinite(rest), trivial=c[r] == 0)


def row_products() -> Iterator[Case]:
    """``G^{o r}`` is the Gram matrix of the rows' Khatri-Rao powers, entry by entry, and so is its rank."""
    for where, X in SETS.items():
        for r in range(5):
            rows = [tuple(row) for row in khatri_rao([list(x) for x in X], r)]
            power = hadamard_power(products(X), r)
            same = products(rows) == power and rank(rows) == rank(power)
            yield Case(f"r = {r}, {where}: rank {rank(power)}", same)


def networks() -> Iterator[Case]:
    """The certified bound against the enclosed least eigenvalue of NNGP and NTK."""
    for name in NAMES:
        network = Network.mlp(activations.resolve(name), 1, 1, 0)
        series = network.series(12)
        for where, X in ON_RADIUS_2.items():
            for kernel in ("nngp", "ntk"):
                truth = min_eigenvalue(network, X, kernel, digits=8)
                for r in (2, 3, 4):
                    low = hadamard_bound(Zonal.of(series, kernel), [list(x) for x in X], r)
                    what = f"{name}, {kernel}, r = {r}, {where}: {float(low.value):.3g} <= {truth.decimal(4)}"
                    yield Case(what, low.kind == "certified" and low.value <= truth.lower, low.value <= 0)


def negative() -> Iterator[Case]:
    """``rho - rho^2/4`` and ``r = 1``: what is left out has a negative eigenvalue."""
    G = products(ON_CIRCLE["3 antipodal pairs of the circle"])
    rest = [[-e * e / 4 for e in row] for row in G]
    yield Case(f"rho - rho^2/4: {inertia(rest)[1]} negative eigenvalues in the rest", inertia(rest)[1] > 0)
    pair = [[Fraction(3, 4), Fraction(0)], [Fraction(0), Fraction(3, 4)]]
    below = [[e - (1 if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(pair)]
    yield Case("at e1, e2: lambda_min = 3/4 < 1 = c_1 lambda_min(G)", inertia(below)[1] == 2)


def antipodal() -> Iterator[Case]:
    X = mirrored(points([1, 0], ["3/5", "4/5"]))
    for r in (2, 4, 6):
        found = rank(hadamard_power(products(X), r))
        yield Case(f"2 antipodal pairs, r = {r}: rank {found}", found <= 2)


CLAIM = Claim(
    name="lambda_min_ge_khatri_rao",
    title="the Khatri-Rao bound: lambda_min >= c_r lambda_min of the r-th entrywise power",
    statement=r"c_k \ge 0:\quad \lambda_{\min}\Bigl(\sum_k c_k G^{\circ k}\Bigr) \ge c_r\, \lambda_{\min}(G^{"
    r"\circ r}) = c_r\, \sigma_{\min}(X^{* r})^2;\quad c_r = a_r^2 \text{ for } \kappa(G)",
    hypotheses=(
        Hypothesis(
            "non-negative coefficients",
            "c_k >= 0",
            Part("a negative coefficient", Method.EXACT, "rho - rho^2/4", negative),
        ),
        Hypothesis(
            "no antipodes, for a positive bound at even r",
            "x_j is not -x_i",
            Part("antipodes", Method.EXACT, "2 pairs, r = 2, 4, 6", antipodal),
        ),
    ),
    parts=(
        Part(
            "what is left out has no negative eigenvalue (Sylvester); Weyl's inequality is cited",
            Method.EXACT,
            f"{', '.join(SERIES)}; every r; rational points: {', '.join(SETS)}",
            powers,
        ),
        Part(
            "G^{o r} is the Gram matrix of the Khatri-Rao powers",
            Method.EXACT,
            f"r = 0 .. 4; {', '.join(SETS)}",
            row_products,
        ),
        Part(
            "networks: the certified bound is at most the enclosed least eigenvalue",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depth 1, NNGP and NTK, r = 2, 3, 4; {', '.join(ON_RADIUS_2)}",
            networks,
        ),
    ),
    faults=(Fault("the sign of the rest changed", lambda: powers(-1)),),
    references=(OYMAK, NGUYEN, OWN),
    cited="hadamard_posDef and Weyl's inequality",
)
