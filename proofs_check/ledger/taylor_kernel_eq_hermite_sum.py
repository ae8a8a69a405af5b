"""Taylor features of order j: their kernel, a Gaussian expectation, as a power series."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb, fmpq

from analytic_ntk import Activation
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.gaussian import quadrature
from analytic_ntk.notation import x
from analytic_ntk.theory import taylor
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._polynomials import moment_terms
from proofs_check.ledger._sources import MEHLER, NICHANI, PRICE

SMOOTH = ("sin(x)", "erf(x)", "x*Phi(x)", "tanh(x)", "sigmoid(x - 1)", "exp(-x^2)")
COVARIANCE = (Fraction(2), Fraction(-3, 5), Fraction(3, 4))
MOST = 8


def unit_moment(i: int, j: int) -> dict[int, Fraction]:
    """``E u^i v^j`` at unit variances, by powers of the correlation."""
    found: dict[int, Fraction] = {}
    for weight, _, k, _ in moment_terms(i, j):
        found[k] = found.get(k, Fraction(0)) + weight
    return found


def hermite(k: int) -> list[Fraction]:
    """The coefficients of ``He_k``, lowest first."""
    before, value = [Fraction(0)], [Fraction(1)]
    for n in range(k):
        shifted = [Fraction(0), *value]
        before, value = (
            value,
            [a - n * b for a, b in zip(shifted, [*before, Fraction(0), Fraction(0)], strict=False)],
        )
    return value


def derived(polynomial: list[Fraction], order: int) -> list[Fraction]:
    for _ in range(order):
        polynomial = [n * c for n, c in enumerate(polynomial)][1:] or [Fraction(0)]
    return polynomial


def hermite_pairs(lost: int = 0) -> Iterator[Case]:
    """``rho^j E He_k^(j)(u) He_l^(j)(v) = k (k-1) .. (k-j+1) k! rho^k`` for ``k = l``, and 0 otherwise."""
    for k in range(MOST + 1):
        for m in range(k + 1):
            for j in range(1, 5):
                one, other = derived(hermite(k), j), derived(hermite(m), j)
                total: dict[int, Fraction] = {}
                for a, p in enumerate(one):
                    for b, q in enumerate(other):
                        for power, value in unit_moment(a, b).items():
                            total[power + j] = total.get(power + j, Fraction(0)) + p * q * value
                found = {power: value for power, value in total.items() if value}
                factor = math.perm(k, max(j - lost, 0)) * math.factorial(k) if k >= j else 0
                want = {k: Fraction(factor)} if k == m and factor else {}
                yield Case(f"k = {k}, l = {m}, j = {j}", found == want, trivial=not want and not found)


def against_quadrature(lost: int = 0) -> Iterator[Case]:
    """The package's certified value meets the plane integral of the definition, and both are narrow."""
    a, c, b = COVARIANCE
    for text in SMOOTH:
        phi = Activation.parse(text)
        for j in (1, 2):
            psi = Activation(sp.diff(phi.expression, x, j)).pieces
            found = taylor.kernel(phi, j).at(a, c, b, digits=32)
            with working_precision(160):
                q11, q22, q12 = (arb(fmpq(e.numerator, e.denominator)) for e in (a, b, c))
                value = quadrature.double(psi, psi, q11, q22, q12, 140)
                for _ in range(j - lost):
                    value *= q12
                narrow = value.rel_accuracy_bits() > 100
                yield Case(f"{text}, j = {j}", bool(found.ball().overlaps(value)) if narrow else None)


def series() -> Iterator[Case]:
    """The sum of ``k (k-1) .. (k-j+1) a_k^2 rho^k`` from the Hermite table is the kernel, to 12 digits."""
    for text in SMOOTH:
        phi = Activation.parse(text)
        for j in (1, 2, 3):
            rows = [row.value for row in phi.hermite_table(70, digits=30).rows]
            whole = taylor.kernel(phi, j).at(1, "2/5", 1, digits=25)
            with working_precision(160):
                total = arb(0)
                for k, a in enumerate(rows):
                    if k >= j:
                        total += math.perm(k, j) * a.ball() * a.ball() * arb(fmpq(2**k, 5**k))
                gap = abs(total - whole.ball())
                yield Case(f"{text}, j = {j}", bool(gap < arb(10) ** -12))


def relu() -> Iterator[Case]:
    """ReLU, order 2: ``sum k (k - 1) a_k^2`` grows without bound, so there is no kernel on the diagonal."""
    phi = Activation.parse("Max(x, 0)")
    sums = []
    for last in (20, 80, 320):
        rows = phi.hermite_table(last, digits=15).rows
        sums.append(sum(k * (k - 1) * row.value.lower**2 for k, row in enumerate(rows) if k % 2 == 0))
    yield Case("partial sums double when the order is taken four times", sums[1] > Fraction(9, 5) * sums[0])
    yield Case("and again", sums[2] > Fraction(9, 5) * sums[1])


CLAIM = Claim(
    name="taylor_kernel_eq_hermite_sum",
    title="Taylor kernels: the kernel of order j is the sum of k (k-1) .. (k-j+1) a_k^2 rho^k",
    statement=r"\langle x, y\rangle^j\, \mathbb{E}\, s^{(j)}(u) s^{(j)}(v) = \sum_k k(k-1)\cdots(k-j+1)\, "
    r"a_k^2\, \rho^k \quad (\text{unit variances, } \langle x, y\rangle = \rho)",
    hypotheses=(
        Hypothesis(
            "derivatives",
            "s^(j) is a function with E s^(j)(Z)^2 finite",
            Part("a kink", Method.ENCLOSED, "ReLU, j = 2", relu),
        ),
    ),
    parts=(
        Part(
            "Hermite polynomials: rho^j E He_k^(j)(u) He_l^(j)(v)",
            Method.EXACT,
            f"all correlations, k and l up to {MOST}, j up to 4",
            hermite_pairs,
        ),
        Part(
            "the derived kernel against the plane integral of the definition, in balls, to 30 digits",
            Method.ENCLOSED,
            f"{', '.join(SMOOTH)}; a general covariance, j = 1, 2",
            against_quadrature,
        ),
        Part(
            "70 terms of the series against the derived kernel, to 12 digits",
            Method.ENCLOSED,
            f"{', '.join(SMOOTH)}; rho = 2/5, j = 1, 2, 3",
            series,
        ),
    ),
    faults=(
        Fault("a lost factor of the falling factorial", lambda: hermite_pairs(1)),
        Fault("one power of <x, y> too few", lambda: against_quadrature(1)),
    ),
    references=(NICHANI, MEHLER, PRICE),
    cited="Mehler's formula and Price's theorem",
)
