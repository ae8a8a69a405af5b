"""Pinkus: when a power series of the inner product is strictly positive definite on R^d."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import null_space
from proofs_check.ledger._points import Points, mirrored, points
from proofs_check.ledger._sources import PINKUS
from proofs_check.ledger._zonal import IN_PLANE, Zonal, null, positive

GOOD: dict[str, Zonal] = {
    "1/(1 - t)": lambda t: 1 / (1 - t),
    "1/(1 - t)^2": lambda t: 1 / (1 - t) ** 2,
    "(1 + t)/(1 - t^4): k = 0, 1 mod 4": lambda t: (1 + t) / (1 - t**4),
    "(1 + t^7)/(1 - t^12): k = 0, 7 mod 12": lambda t: (1 + t**7) / (1 - t**12),
    "1 + t^3/(1 - t^3): multiples of 3": lambda t: 1 + t**3 / (1 - t**3),
}
"""b_0 > 0 and infinitely many even and odd b_k > 0; some with large gaps."""


def finitely_many_odd(kernel: Zonal | None = None) -> Iterator[Case]:
    """Three pairs of the plane, ``u = (beta, -beta)``, ``sum beta_i x_i = 0``: 1 is the only odd degree."""
    half = points(["1/2", 0], [0, "1/2"], ["1/2", "1/2"])
    u = (1, 1, -1, -1, -1, 1)
    kernels: dict[str, Zonal] = {
        "1/(1 - t^2) + t": lambda t: 1 / (1 - t**2) + t,
        "1/(1 - t^2)": lambda t: 1 / (1 - t**2),
    }
    for name, good in ({"the kernel": kernel} if kernel else kernels).items():
        yield Case(f"{name}, 3 antipodal pairs, u = {u}", null(good, mirrored(half), u))


def finitely_many_even() -> Iterator[Case]:
    """``u = (beta, beta)`` with ``sum beta_i = 0`` and ``sum beta_i x_i x_i^T = 0``: degrees 0 and 2 go."""
    half: Points = points(["1/2", 0], [0, "1/2"], ["1/2", "1/2"], ["1/2", "-1/2"], ["1/4", "1/3"])
    rows = [[Fraction(1)] * 5, *([x[i] * x[j] for x in half] for i, j in ((0, 0), (0, 1), (1, 1)))]
    (beta, *_) = null_space(rows, 5)

    def kernel(t: Fraction) -> Fraction:
        return 1 + t**2 + t / (1 - t**2)

    yield Case("1 + t^2 + t/(1 - t^2), 5 antipodal pairs", null(kernel, mirrored(half), (*beta, *beta)))


def no_constant() -> Iterator[Case]:
    """Without b_0 the row of a zero input vanishes."""
    X = points([0, 0], ["1/2", 0])
    yield Case("1/(1 - t) - 1, 0 and another point, u = (1, 0)", null(lambda t: 1 / (1 - t) - 1, X, (1, 0)))


def off_the_origin() -> Iterator[Case]:
    """... and only that one: elsewhere nothing is lost."""
    sets = {where: [x for x in X if any(x)] for where, X in IN_PLANE.items()}
    return positive({"1/(1 - t) - 1": lambda t: 1 / (1 - t) - 1}, sets)


CLAIM = Claim(
    name="dot_product_posDef_iff_parities",
    title="Pinkus: sum b_k <x, y>^k on R^d: b_0 > 0, infinitely many even and odd b_k > 0",
    statement=r"b_k \ge 0,\ d \ge 2:\quad \sum_k b_k \langle x, y\rangle^k \text{ strictly positive definite "
    r"on } \mathbb{R}^d \iff b_0 > 0,\ b_k > 0 \text{ for infinitely many even and infinitely many odd } k",
    hypotheses=(
        Hypothesis(
            "infinitely many odd",
            "b_k > 0 for infinitely many odd k",
            Part(
                "odd degrees: none, or 1", Method.EXACT, "3 antipodal pairs of the plane", finitely_many_odd
            ),
        ),
        Hypothesis(
            "infinitely many even",
            "b_k > 0 for infinitely many even k",
            Part(
                "even degrees 0 and 2 only",
                Method.EXACT,
                "5 antipodal pairs of the plane",
                finitely_many_even,
            ),
        ),
        Hypothesis(
            "constant term",
            "b_0 > 0",
            Part("no constant term", Method.EXACT, "0 and another point", no_constant),
        ),
    ),
    parts=(
        Part(
            "sufficient: all pivots of the exact kernel matrix are positive",
            Method.EXACT,
            f"{len(GOOD)} rational series ({'; '.join(GOOD)}) at {len(IN_PLANE)} sets of small "
            "rational points with 0, antipodes and multiples",
            lambda: positive(GOOD, IN_PLANE),
        ),
        Part(
            "without the constant term only a zero input is lost",
            Method.EXACT,
            "1/(1 - t) - 1, the same sets without 0",
            off_the_origin,
        ),
        Part(
            "necessary: exact null vectors where a condition fails",
            Method.EXACT,
            "no constant term; odd degrees 1 or none; even degrees 0 and 2",
            lambda: (c for check in (no_constant, finitely_many_odd, finitely_many_even) for c in check()),
        ),
    ),
    faults=(
        Fault("only even powers", lambda: positive({"even": lambda t: 1 / (1 - t**2)}, IN_PLANE)),
        Fault(
            "t^3 slipped into the odd part", lambda: finitely_many_odd(lambda t: 1 / (1 - t**2) + t + t**3)
        ),
    ),
    references=(PINKUS,),
    cited="Pinkus 2004",
)
