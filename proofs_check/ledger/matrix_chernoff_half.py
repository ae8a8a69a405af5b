"""Matrix Chernoff at half the mean, with its constant."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb

import sympy as sp
from flint import arb, fmpq

from analytic_ntk import activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.theory.overparameterization import FeedForward, certify, width
from analytic_ntk.theory.overparameterization.search import nested, random_problem
from analytic_ntk.theory.overparameterization.sufficient import chernoff_base
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import SONG, TROPP

BASE = sp.sqrt(2 / sp.E)


def constant(base: sp.Expr = BASE) -> Iterator[Case]:
    """``min_theta`` of the moment bound: at ``e^-theta = 1/2`` its value is ``sqrt(2/e)``."""
    theta = sp.Symbol("theta", positive=True)
    exponent = theta / 2 - (1 - sp.exp(-theta))  # log of e^{theta/2} E e^{-theta x}, x of mean 1 in [0, T]
    at = sp.log(2)
    yield Case("the derivative vanishes at log 2", sp.simplify(sp.diff(exponent, theta).subs(theta, at)) == 0)
    curved = sp.diff(exponent, theta, 2)
    yield Case("it is a minimum", bool(sp.simplify(curved - sp.exp(-theta)) == 0))
    yield Case("its value is sqrt(2/e)", sp.simplify(sp.exp(exponent.subs(theta, at)) - base) == 0)
    ball = chernoff_base()
    yield Case("the package uses it", bool(abs(ball - arb(str(sp.N(BASE, 30)))) < arb("1e-13")))


def coins(scale: Fraction = Fraction(1)) -> Iterator[Case]:
    """``u = e_1 .. e_n`` at random: ``lambda_min`` is the smallest count. Exact against ``n base^(d/n)``."""
    with working_precision(128):
        for n in (1, 2):
            for d in (4, 8, 16, 40, 100, 200):
                # least count <= d/(2n); n = 2: one of Bin(d, 1/2), d - Bin at most d/4
                few = d // (2 * n)
                exact = Fraction(0) if n == 1 else Fraction(2 * sum(comb(d, k) for k in range(few + 1)), 2**d)
                base = chernoff_base() * _ball(scale)
                bound = n * (base.log() * d / n).exp()
                yield Case(f"n = {n}, d = {d}: {float(exact):.2e}", bool(_ball(exact) <= bound), n == 1)


def rare() -> Iterator[Case]:
    """Rare large values: ``u^2 = N`` with probability ``1/N``, bounded by ``N``, not by 1."""
    with working_precision(64):
        for N, d in ((100, 20), (1000, 50)):
            nothing = (1 - Fraction(1, N)) ** d
            bound = (chernoff_base().log() * d).exp()
            yield Case(
                f"P(sum = 0) = (1 - 1/{N})^{d} = {float(nothing):.3f} > base^{d}",
                bool(_ball(nothing) > bound),
            )


def widths() -> Iterator[Case]:
    """At the width that suffices, drawn networks are certified."""
    for name in ("tanh", "gelu", "sigmoid"):
        for count, dim in ((3, 3), (4, 4)):
            X, y = random_problem(count, dim, [count])
            found = width(activations.resolve(name), X, y, 0.05)
            network = FeedForward(activations.resolve(name))
            for seed in range(3):
                sampled = certify(network, nested(dim, 1, found.width, (seed, count)), X, y)
                yield Case(
                    f"{name}, {count} inputs, width {found.width}: ratio {sampled.ratio:.2g}", bool(sampled)
                )


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


CLAIM = Claim(
    name="matrix_chernoff_half",
    title="the least eigenvalue of a sum of bounded random matrices is seldom below half its mean",
    statement=r"0 \preceq X_r \preceq T,\ \lambda = \lambda_{\min}(\mathbb{E} X_r):\quad "
    r"P\Bigl(\lambda_{\min}\bigl(\sum_{r \le d} X_r\bigr) \le \tfrac{d \lambda}{2}\Bigr) \le n\, "
    r"(2/e)^{d \lambda / (2T)},\quad \sqrt{2/e} = 0.8577\ldots",
    hypotheses=(
        Hypothesis(
            "bounded",
            "X_r <= T",
            Part("rare large matrices", Method.ENCLOSED, "N with probability 1/N, d below N", rare),
        ),
    ),
    parts=(
        Part("the constant", Method.SYMBOLIC, "the minimum over theta of the moment bound", constant),
        Part(
            "random unit vectors: the probability in rationals against the bound",
            Method.ENCLOSED,
            "n = 1, 2, d = 4 .. 200",
            coins,
        ),
        Part(
            "networks drawn at the width that suffices are certified",
            Method.NUMERIC,
            "tanh, gelu, sigmoid; 3 and 4 inputs; 3 draws each, failure probability 0.05",
            widths,
            needed=False,
        ),
    ),
    faults=(
        Fault("e^{-1/2} as the constant", lambda: constant(sp.exp(-sp.Rational(1, 2)))),
        Fault("three quarters of the constant", lambda: coins(Fraction(3, 4))),
    ),
    references=(TROPP, SONG),
    cited="Lieb's theorem, which carries the scalar argument to matrices",
)
