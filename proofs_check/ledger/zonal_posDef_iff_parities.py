"""Chen, Menegatto, Sun: when a zonal kernel is strictly positive definite on a sphere."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from flint import arb_mat

from analytic_ntk import Enclosure, Network, activations, spectrum
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.positivity import Domain, Positivity, decide
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import ball, pivots_positive
from proofs_check.ledger._exact import null_space, products
from proofs_check.ledger._points import mirrored, sphere
from proofs_check.ledger._sources import CHEN
from proofs_check.ledger._zonal import ON_SPHERE, Zonal, null, positive
from proofs_check.ledger.zonal_circle_posDef_iff_progressions import enough_on_the_sphere

GOOD: dict[str, Zonal] = {
    "1/(2 - t)": lambda t: 1 / (2 - t),
    "(2 + t)/(16 - t^4)": lambda t: (2 + t) / (16 - t**4),
    "t^6 (1 + t)/(16 - t^4): b_0 = .. = b_5 = 0": lambda t: t**6 * (1 + t) / (16 - t**4),
}
"""A power b_j > 0 makes the Gegenbauer coefficients of degrees j, j - 2, .. positive."""
ODD_MISSING: dict[str, Zonal] = {
    "4/(4 - t^2)": lambda t: 4 / (4 - t * t),
    "4/(4 - t^2) + t": lambda t: 4 / (4 - t * t) + t,
}
EVEN_MISSING: dict[str, Zonal] = {
    "t/(4 - t^2)": lambda t: t / (4 - t * t),
    "1 + t^2 + t/(4 - t^2)": lambda t: 1 + t * t + t / (4 - t * t),
}
ZERO = Enclosure(Fraction(0), Fraction(0))
PARAMETERS = ((0, 0), (1, 0), (0, 1), ("1/2", 1), (2, "-1/3"), (1, 2), (1, 1))
HALF = [sphere(Fraction(a), Fraction(b)) for a, b in PARAMETERS]
NAMES = ("relu", "abs", "erf", "sin", "gelu", "cos", "Max(x, 0)^2", "sin(x) + cos(x)", "step")
LAST = 15


def legendre(side: int = 1) -> Iterator[Case]:
    """Given by Legendre coefficients on S^2: ``sum r^k P_k(t) = (1 - 2rt + r^2)^(-1/2)``, ``r = 1/2``."""
    for where, X in ON_SPHERE.items():
        with working_precision(200):
            rows = [[1 / ball(Fraction(5, 4) - side * t).sqrt() for t in row] for row in products(X)]
            found = pivots_positive(arb_mat(rows))
        yield Case(f"coefficients 2^-k, {where}", found)


def finitely_many_odd() -> Iterator[Case]:
    """``u = (beta, -beta)`` with ``sum beta_i x_i = 0``: degree 1 goes, even degrees always do."""
    (beta, *_) = null_space([[x[k] for x in HALF] for k in range(3)], len(HALF))
    u = (*beta, *(-e for e in beta))
    for name, kernel in ODD_MISSING.items():
        yield Case(f"{name}, {len(HALF)} antipodal pairs", null(kernel, mirrored(HALF), u))


def finitely_many_even() -> Iterator[Case]:
    """``u = (beta, beta)`` with ``sum beta_i x_i x_i^T = 0``: degrees 0 and 2 go, odd ones always do."""
    places = [(i, j) for i in range(3) for j in range(i + 1)]
    (beta, *_) = null_space([[x[i] * x[j] for x in HALF] for i, j in places], len(HALF))
    for name, kernel in EVEN_MISSING.items():
        yield Case(f"{name}, {len(HALF)} antipodal pairs", null(kernel, mirrored(HALF), (*beta, *beta)))


def kernels_of_networks() -> Iterator[Case]:
    """The decision on the sphere against the Gegenbauer coefficients of the NNGP."""
    for name in NAMES:
        phi = activations.resolve(name)
        for depth in (1, 2):
            network = Network.mlp(phi, depth, 1, 0)
            found = spectrum.sphere(network, 3, LAST, "nngp").enclosures()
            seen = [any(found[k].lower > 0 for k in range(first, LAST + 1, 2)) for first in (4, 5)]
            gone = [all(found[k] == ZERO for k in range(first, LAST + 1, 2)) for first in (4, 5)]
            verdict = decide(network, 3, Domain.SPHERE, "nngp").verdict
            agree = all(seen) if verdict is Positivity.STRICTLY_POSITIVE else any(gone)
            yield Case(f"{name}, depth {depth}: {verdict.value}", agree)


CLAIM = Claim(
    name="zonal_posDef_iff_parities",
    title="Chen, Menegatto, Sun: on S^(d-1), d >= 3: infinitely many even and odd coefficients",
    statement=r"d \ge 3,\ a_k \ge 0:\quad \sum_k a_k P_k^{(d)}(\langle x, y\rangle) \text{ strictly positive "
    r"definite on } S^{d-1} \iff a_k > 0 \text{ for infinitely many even and infinitely many odd } k",
    hypotheses=(
        Hypothesis(
            "infinitely many odd",
            "a_k > 0 for infinitely many odd k",
            Part("odd degrees: none, or 1", Method.EXACT, "7 antipodal pairs of S^2", finitely_many_odd),
        ),
        Hypothesis(
            "infinitely many even",
            "a_k > 0 for infinitely many even k",
            Part(
                "even degrees: none, or 0 and 2", Method.EXACT, "7 antipodal pairs of S^2", finitely_many_even
            ),
        ),
        Hypothesis(
            "d >= 3",
            "the sphere is no circle",
            Part(
                "on the circle both parities are not enough",
                Method.EXACT,
                "all k but the multiples of 3 other than 0, k < 200",
                enough_on_the_sphere,
            ),
        ),
    ),
    parts=(
        Part(
            "sufficient: all pivots of the exact kernel matrix are positive",
            Method.EXACT,
            f"{len(GOOD)} rational power series ({'; '.join(GOOD)}); {', '.join(ON_SPHERE)}, rational points",
            lambda: positive(GOOD, ON_SPHERE),
        ),
        Part(
            "the same for Legendre coefficients 2^-k, in balls",
            Method.ENCLOSED,
            f"{', '.join(ON_SPHERE)}",
            legendre,
        ),
        Part(
            "necessary: exact null vectors where a condition fails",
            Method.EXACT,
            f"{'; '.join(ODD_MISSING | EVEN_MISSING)}; 7 antipodal pairs of S^2",
            lambda: (case for check in (finitely_many_odd, finitely_many_even) for case in check()),
        ),
        Part(
            "networks on S^2: the decision agrees with the coefficients of the NNGP",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depths 1 and 2; strictly positive where an even and an odd coefficient of "
            f"degree 4 .. {LAST} is positive, singular where one parity vanishes exactly in these degrees",
            kernels_of_networks,
        ),
    ),
    faults=(
        Fault("only even powers", lambda: positive({"even": lambda t: 1 / (4 - t * t)}, ON_SPHERE)),
        Fault("the signs of the odd Legendre coefficients changed", lambda: legendre(-1)),
    ),
    references=(CHEN,),
    cited="Chen, Menegatto, Sun 2003",
)
