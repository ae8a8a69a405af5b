"""Polyak-Lojasiewicz: gradient descent on a residual does not go far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy as sp
from flint import arb, fmpq

from analytic_ntk.arithmetic.precision import working_precision
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import OYMAK, SONG

Matrix = tuple[tuple[Fraction, ...], ...]
STEPS = 60
SQUARE_ROOTS: dict[str, tuple[Matrix, Fraction, Fraction]] = {
    # J with rational singular values: rotations times diagonals; the least and the largest one
    "diag(1, 3)": (((Fraction(1), Fraction(0)), (Fraction(0), Fraction(3))), Fraction(1), Fraction(3)),
    "(3, 4; -4, 3)/5 diag(1/2, 2)": (
        ((Fraction(3, 10), Fraction(8, 5)), (Fraction(-2, 5), Fraction(6, 5))),
        Fraction(1, 2),
        Fraction(2),
    ),
    "diag(1, 1/7) with a column of zeros": (
        ((Fraction(1), Fraction(0), Fraction(0)), (Fraction(0), Fraction(1, 7), Fraction(0))),
        Fraction(1, 7),
        Fraction(1),
    ),
    "(2)": (((Fraction(2),),), Fraction(2), Fraction(2)),
}


def one_step() -> Iterator[Case]:
    """``|r|^2 - x <= (|r| - x/(2|r|))^2``: the difference is a square."""
    size, x = sp.symbols("size x", positive=True)
    gap = (size - x / (2 * size)) ** 2 - (size**2 - x)
    yield Case("(a - x/2a)^2 - (a^2 - x) = (x/2a)^2", sp.simplify(gap - (x / (2 * size)) ** 2) == 0)
    g, eta, top, lip = sp.symbols("g eta M L", positive=True)
    linear = size - eta * (1 - eta * top**2 / 2) * g**2 / size
    bent = linear + eta**2 * lip / 2 * g**2
    whole = size - eta * (1 - eta * (top**2 + lip * size) / 2) * g**2 / size
    yield Case("the bend adds eta^2 L/2 |J^T r|^2", sp.simplify(bent - whole) == 0)


def runs(share: Fraction = Fraction(1)) -> Iterator[Case]:
    """``f = J t``: sums of ``eta |J^T r_k|`` against ``share r0 / (g m)``, roots in balls."""
    for name, (J, least, largest) in SQUARE_ROOTS.items():
        for parts in (1, 2, 10):
            eta = 1 / (parts * largest * largest)
            damp = 1 - eta * largest * largest / 2
            for start in ((1, 0), (0, 1), (1, 1), (-3, 2)):
                r = [Fraction(v) for v in start[: len(J)]]
                with working_precision(128):
                    first, path, kept = _length(r), arb(0), True
                    for k in range(STEPS):
                        g = [sum(row[j] * e for row, e in zip(J, r, strict=True)) for j in range(len(J[0]))]
                        path += _ball(eta) * _length(g)
                        r = [
                            e - eta * sum(a * b for a, b in zip(row, g, strict=True))
                            for row, e in zip(J, r, strict=True)
                        ]
                        factor = 1 - eta * damp * least * least
                        kept = kept and bool(_length(r) <= first * _ball(factor ** (k + 1)))
                    bound = _ball(share / (damp * least)) * first
                    trivial = not any(start[: len(J)])
                    holds = bool(path <= bound) and kept
                    yield Case(f"J = {name}, step 1/({parts} M^2), r0 = {start[: len(J)]}", holds, trivial)


def flow(share: int = 1) -> Iterator[Case]:
    """One dimension: ``r' = -s^2 r`` has the path ``r0/s``, exactly the bound."""
    s, t, r0 = sp.symbols("s t r0", positive=True)
    path = sp.integrate(s * r0 * sp.exp(-(s**2) * t), (t, 0, sp.oo))
    yield Case("the path is r0/sigma", sp.simplify(path - r0 / (share * s)) == 0)


def singular() -> Iterator[Case]:
    """``J = diag(1, 0)``: what lies in the kernel of ``J^T`` never leaves."""
    r = [Fraction(1), Fraction(1)]
    for _ in range(50):
        r = [r[0] - r[0] / 2, r[1]]
    yield Case("J = diag(1, 0): after 50 steps of 1/2 the residual is still 1 in the second entry", r[1] == 1)


def leaves() -> Iterator[Case]:
    """``f(t) = t - t^3/3`` from 0 towards ``y = 1``: ``sigma = 1`` there, but the slope vanishes at 1."""
    f = Fraction(1) - Fraction(1, 3)
    yield Case("f(t) = t - t^3/3, y = 1: the maximum of f on [0, 2 r0/alpha] is 2/3, not 1", f < 1)


def _length(v: Sequence[Fraction | int]) -> arb:
    return _ball(Fraction(sum(e * e for e in v))).sqrt()


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


CLAIM = Claim(
    name="path_length_le_of_pl",
    title="where sigma_min(J) >= m, gradient descent on |r|^2/2 moves by at most r0/m and converges",
    statement=r"\sigma_{\min}(J) \ge m,\ |J| \le M,\ J\ L\text{-Lipschitz on the ball of radius } "
    r"r_0/(\gamma m) \implies \sum_k |\theta_{k+1} - \theta_k| \le \frac{r_0}{\gamma m},\quad |r_k| \le "
    r"(1 - \eta\gamma m^2)^k r_0,\quad \gamma = 1 - \tfrac{\eta}{2}(M^2 + L r_0) > 0",
    hypotheses=(
        Hypothesis(
            "sigma_min > 0",
            "m > 0 on the ball",
            Part("a singular Jacobian", Method.EXACT, "J = diag(1, 0), 50 steps", singular),
        ),
        Hypothesis(
            "on the whole ball",
            "the bounds hold on the ball, not at the start only",
            Part("a slope that vanishes on the way", Method.EXACT, "f(t) = t - t^3/3", leaves),
        ),
    ),
    parts=(
        Part("the inequality of one step", Method.SYMBOLIC, "all |r|, |J^T r|, eta, M, L", one_step),
        Part("the bound is attained by the flow in one dimension", Method.SYMBOLIC, "all sigma, r0", flow),
        Part(
            "runs of linear models: path and residuals",
            Method.ENCLOSED,
            f"J = {', '.join(SQUARE_ROOTS)}; three step sizes, four starts, {STEPS} steps, in rationals",
            runs,
        ),
    ),
    faults=(
        Fault("half the path", lambda: runs(Fraction(1, 2))),
        Fault("r0/(2 sigma) in one dimension", lambda: flow(2)),
    ),
    references=(SONG, OYMAK),
    cited="summation over the steps, and the fundamental theorem of calculus for J along a step",
)
