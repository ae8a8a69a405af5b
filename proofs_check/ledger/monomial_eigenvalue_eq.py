"""The eigenvalue of a power of the inner product on harmonics of one degree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from analytic_ntk.spectrum import multiplicity, power_eigenvalue
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import NICHANI, OWN

DIMS = (2, 3, 4, 5, 8, 13, 30)
MOST = 10


def closed(j: int, k: int, dim: int, lost: int = 0) -> Fraction:
    """``Gamma(d/2) j! Gamma((j-k+1)/2) / (sqrt(pi) 2^k (j-k)! Gamma((j+k+d)/2))``, the Gammas written out."""
    if j < k or (j - k) % 2:
        return Fraction(0)
    half = (j - k) // 2
    # Gamma(n + 1/2)/sqrt(pi) = (2n)!/(4^n n!), Gamma(d/2)/Gamma(d/2 + m) = 2^m/(d (d+2) .. (d+2m-2))
    root = Fraction(math.factorial(2 * half), 4**half * math.factorial(half))
    m = (j + k) // 2
    ratio = Fraction(2**m, math.prod(dim + 2 * i for i in range(m)))
    return ratio * math.factorial(j) * root / (2**k * math.factorial(j - k - lost if j > k else 0))


def moment(power: int, dim: int) -> Fraction:
    """``E t^power`` of a coordinate of a uniform point of the sphere."""
    if power % 2:
        return Fraction(0)
    return math.prod((Fraction(2 * i + 1, dim + 2 * i) for i in range(power // 2)), start=Fraction(1))


def legendre(k: int, dim: int) -> list[Fraction]:
    """The zonal harmonic ``P_k`` with ``P_k(1) = 1``, by its recurrence, lowest coefficient first."""
    before, value = [Fraction(1)], [Fraction(0), Fraction(1)]
    if k == 0:
        return before
    for n in range(1, k):
        raised = [Fraction(0), *(Fraction(2 * n + dim - 2, n + dim - 2) * c for c in value)]
        before = [*before, *[Fraction(0)] * (len(raised) - len(before))]
        before, value = value, [a - Fraction(n, n + dim - 2) * b for a, b in zip(raised, before, strict=True)]
    return value


def integrals(lost: int = 0) -> Iterator[Case]:
    """``E t^j P_k(t)`` (Funk and Hecke) term by term, and the package's function."""
    for dim in DIMS:
        for k in range(MOST + 1):
            harmonic = legendre(k, dim)
            for j in range(MOST + 3):
                value = sum((c * moment(j + i, dim) for i, c in enumerate(harmonic)), Fraction(0))
                same = (
                    value == closed(j, k, dim, lost) == (power_eigenvalue(j, k, dim) if not lost else value)
                )
                yield Case(f"d = {dim}, j = {j}, k = {k}", same, trivial=value == 0)


def traces() -> Iterator[Case]:
    """``sum_k N(d, k) m(j, k, d) = 1``, since ``rho^j = 1`` at ``rho = 1``."""
    for dim in DIMS:
        for j in range(25):
            total = sum(multiplicity(dim, k) * closed(j, k, dim) for k in range(j + 1))
            yield Case(f"d = {dim}, j = {j}", total == 1)


def gaussian() -> Iterator[Case]:
    """Under Gaussian inputs harmonics are no eigenfunctions: ``<x, y>^2`` sends ``|y|^2 - d``, orthogonal to
    the constants, to ``2 |x|^2``; on the sphere it is 0."""
    for dim in DIMS:
        # E_y <x, y>^2 (|y|^2 - d) = 2 |x|^2, by moments of a Gaussian
        value = Fraction((3 + (dim - 1)) - dim)
        yield Case(f"d = {dim}: {value} |x|^2", value == 2)


CLAIM = Claim(
    name="monomial_eigenvalue_eq",
    title="the eigenvalue of rho^j on harmonics of degree k is a quotient of Gamma functions",
    statement=r"\rho^j = \sum_{k \le j,\ k \equiv j\ (2)} m(j, k, d) N(d, k) P_k(\rho), \quad m(j, k, d) = "
    r"\frac{\Gamma(d/2)\, j!\, \Gamma((j-k+1)/2)}{\sqrt{\pi}\, 2^k (j-k)!\, \Gamma((j+k+d)/2)}",
    hypotheses=(
        Hypothesis(
            "uniform on the sphere",
            "inputs of one length, uniform in direction",
            Part("Gaussian inputs", Method.EXACT, f"<x, y>^2 in dimensions {DIMS}", gaussian),
        ),
    ),
    parts=(
        Part(
            "the integral of t^j P_k term by term",
            Method.EXACT,
            f"d in {DIMS}; k up to {MOST}, j up to {MOST + 2}",
            integrals,
        ),
        Part(
            "multiplicities times eigenvalues add up to 1", Method.EXACT, f"d in {DIMS}; j up to 24", traces
        ),
    ),
    faults=(Fault("(j - k - 1)! for (j - k)!", lambda: integrals(1)),),
    references=(NICHANI, OWN),
    cited="the Funk-Hecke formula",
)
