"""Conjectures of mixed truth, published and folklore, each with its answer known for a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest

from proofs_check import Answer, conjecture, verify
from proofs_check.verdict import Verdict

PROVED, REFUTED, UNDECIDED = Verdict.PROVED, Verdict.REFUTED, Verdict.UNDECIDED
SQUARE: list[list[Any]] = [[1, 0], [0, 1], [1, 1]]
NO_CERTIFICATE = "has none"

Row = tuple[str, str, dict[str, Any], Verdict, str]

TRUTH: list[Row] = [
    # the statement, the activation, the rest, the answer, why it is known
    ("ntk(rho) >= nngp(rho) for rho in [0, 1]", "gelu", {"depth": 3}, PROVED,
     "T - S = w P T', a product of power series without negative coefficients"),
    ("kappa(rho) >= rho**2 * kappa(1) for rho in [-1, 1]", "relu", {}, REFUTED,
     "kappa(-1) = E max(u, 0) max(-u, 0) = 0"),
    ("kappa(rho) >= rho**2 * kappa(1) for rho in [0, 1]", "relu", {}, PROVED,
     "2 kappa >= rho >= rho^2, and kappa(1) = 1/2"),
    ("a(n)**2 >= a(n+2)**2 for n in 2..60 step 2", "tanh", {}, PROVED, "odd: 0 >= 0"),
    ("a(n)**2 > a(n+2)**2 for n in 1..59 step 2", "tanh", {}, PROVED,
     "poles at +-i pi/2: decay exp(-pi sqrt(n)/..)"),
    ("nngp is convex in rho on [-1, 1]", "sin(2*x)", {"depth": 2}, REFUTED,
     "odd and convex on [0, 1]: concave on [-1, 0]"),
    ("nngp is convex in rho on [0, 1]", "sin(2*x)", {"depth": 2, "slow": True}, PROVED,
     "no negative coefficients"),
    ("lambda_min(ntk, X) > 1/1000", "relu", {"depth": 2, "X": SQUARE}, PROVED, "float64: .135"),
    ("ntk(rho) > 0 for rho in (-1, 1)", "tanh", {"depth": 2}, REFUTED, "odd: ntk(0) = 0"),
    ("ntk(rho) > 0 for rho in (0, 1]", "tanh", {"depth": 2, "slow": True}, PROVED,
     "no negative coefficients, not all 0"),
    ("nngp is convex in rho on [-1, 1]", "relu", {}, PROVED,
     "kappa'' = 1/(2 pi sqrt(1 - rho^2)) (Cho, Saul 2009)"),
    ("ntk is convex in rho on [-1, 1]", "relu", {}, PROVED,
     "3 kappa'' + rho kappa''' = (3 - 2 rho^2)/(2 pi (1 - rho^2)^(3/2)) > 0"),
    ("nngp is increasing in rho on [-1, 1]", "relu", {"depth": 3}, PROVED,
     "kappa' = (pi - theta)/(2 pi) >= 0, composed"),
    ("nngp is increasing in rho on [-1, 1]", "cos(x)", {}, REFUTED, "even: e^-1 cosh rho"),
    ("|nngp(rho)| <= nngp(1) for rho in [-1, 1]", "tanh", {"depth": 2}, PROVED, "Cauchy, Schwarz"),
    ("|nngp(rho)| < nngp(1) for rho in [-1, 1)", "tanh", {}, REFUTED, "odd: nngp(-1) = -nngp(1)"),
    ("|nngp(rho)| < nngp(1) for rho in (-1, 1)", "tanh", {"slow": True}, PROVED,
     "equality needs proportional u and v"),
    ("ntk(rho) == kappa(rho) + rho*kappa'(rho) for rho in [-1, 1]", "relu", {}, PROVED,
     "the definition, by Price"),
    ("ntk(rho) == kappa(rho) + rho*kappa'(rho) for rho in [0, 1]", "relu", {"depth": 2}, REFUTED,
     "a deeper network"),
    ("ntk'(rho) >= nngp'(rho) for rho in [0, 1)", "relu", {"depth": 2}, PROVED,
     "no negative coefficients in T - S"),
    ("mu(ntk, n, 3) >= 0 for n in 0..20", "relu", {}, PROVED, "a positive semidefinite kernel (Mercer)"),
    ("mu(ntk, n, 3) == 0 for n in 3..19 step 2", "relu", {}, PROVED,
     "odd degrees beyond 1 vanish (Bach 2017)"),
    ("mu(ntk, n, 3) > 0 for n in 0..20", "relu", {}, REFUTED, "the same"),
    ("kappa(rho) >= 1/(2*pi) + rho/4 for rho in [-1, 1]", "relu", {}, PROVED,
     "tangent at 0 of a convex function"),
    ("kappa(rho) <= (1 + rho)/4 for rho in [-1, 1]", "relu", {}, PROVED,
     "chord of a convex function: kappa(+-1) = 1/2, 0"),
    ("kappa(rho) <= (1 + rho^2)/4 for rho in [-1, 1]", "relu", {}, REFUTED,
     "kappa(3/4) = .394 > .3906 by Cho, Saul"),
    ("2*kappa(rho) >= rho for rho in [-1, 1]", "relu", {}, PROVED, "tangent at 1 of a convex function"),
    ("2*kappa(rho) > rho for rho in [-1, 1]", "relu", {}, REFUTED, "touches at 1"),
    ("ntk(rho) <= ntk(1) for rho in [-1, 1]", "sqrt(2)*Max(x, 0)", {"depth": 2}, PROVED, "Cauchy, Schwarz"),
    ("ntk(rho) == 2*rho for rho in [-1, 1]", "x", {}, PROVED, "S = rho, T = S + S"),
    ("kappa(rho) == 1 + 2*rho^2 for rho in [-1, 1]", "x^2", {}, PROVED, "E u^2 v^2 by Isserlis"),
    ("kappa(rho) == (e^rho - e^(-rho))/(2*e) for rho in [-1, 1]", "sin(x)", {"certificate": False}, PROVED,
     "e^-1 sinh rho"),
    ("kappa(rho) == rho/3 for rho in [-1, 1]", "sin(x)", {}, REFUTED, "e^-1 sinh rho"),
    ("a(n)^2 * n^2 <= 1 for n in 0..100", "relu", {}, PROVED, "a_n^2 ~ (2/pi)^(1/2)/(2 pi) n^(-5/2)"),
    ("a(n)^2 * n^3 <= 1 for n in 0..100", "relu", {}, REFUTED, "the same: n^(1/2) outgrows 1 near n = 62"),
    ("series(ntk, n) == 0 for n in 3..21 step 2", "gelu", {"slow": True}, PROVED,
     "gelu is x/2 and an even function"),
    ("series(ntk, 2) == 3/(2*pi)", "sqrt(2)*Max(x, 0)", {"certificate": False}, PROVED,
     "Murray et al. 2023, Table 1"),
    ("mu(ntk, 2, 3) == 5/64", "sqrt(2)*Max(x, 0)", {"certificate": False}, PROVED,
     "Legendre integral of arc-cosine kernels"),
    ("a(0)^2 == e", "exp(x)", {"certificate": False}, PROVED, "E e^Z = e^(1/2)"),
    ("a(1)^2 >= a(n)^2 for n in 0..41", "erf(x)", {}, PROVED, "closed form, falling in odd n"),
    ("ntk(rho) == nngp(rho) for rho in [-1, 1]", "Heaviside(x)", {"slow": True}, PROVED,
     "phi' = 0 almost everywhere"),
    ("nngp(rho) != 0 for rho in [-1, 1]", "softplus(x)", {}, PROVED, "softplus > 0"),
    ("nngp(rho) != 0 for rho in [-1, 1]", "tanh", {}, REFUTED, "odd"),
    ("ntk(rho) >= 0 for rho in [-1, 1]", "relu", {}, REFUTED,
     "kappa + rho kappa' at -1/2: sqrt(3)/(4 pi) - 1/6 < 0"),
    ("lambda_min(ntk, X) >= lambda_min(nngp, X)", "relu", {"X": SQUARE}, PROVED,
     "T - S is positive semidefinite"),
    ("lambda_min(ntk, X) > 0", "relu", {"X": [[1, 0], [2, 0]], "certificate": False}, REFUTED,
     "homogeneous: rank 1"),
    ("lambda_min(ntk, X) > 0", "relu", {"X": [[1, 0], [2, 0]], "bias_variance": 1}, PROVED,
     "bias: strictly positive definite (Carvalho, Costa, Mourao, Oliveira 2024, Theorem 1)"),
    ("nngp(1/2) < 1/3 and nngp(1/2) > 1/4 and ntk(1/2) > 1/3", "relu", {}, PROVED,
     "1/6 + sqrt(3)/(4 pi) = .3045"),
    ("-rho + 2*|rho - 1/2| - 2*|1/2 - rho| is decreasing on [0, 1]", "relu", {}, PROVED, "it is -rho"),
    ("sqrt(1 - rho^2) >= 1 - rho^2 for rho in [-1, 1]", "relu", {}, PROVED, "t >= t^2 for t in [0, 1]"),
    ("ntk[2](rho) >= ntk[1](rho) for rho in [-1, 1]", "sqrt(2)*Max(x, 0)", {"depth": 3}, PROVED,
     "T_2 = S_2 + V' T_1, and S_2 >= S_1, V' T_1 >= 0 or small"),
    ("nngp[1](rho) == kappa(rho) for rho in [-1, 1]", "erf(x)", {"depth": 2}, PROVED,
     "the first of two layers"),
    ("nngp[2](rho) == kappa(rho) for rho in [-1, 1]", "erf(x)", {"depth": 2, "slow": True}, REFUTED,
     "the second is smaller"),
    ("nngp[0](rho) == 3*rho/2 + 1/4 for rho in [-1, 1]", "relu",
     {"weight_variance": "3/2", "bias_variance": "1/4"}, PROVED, "the input layer"),
    ("nngp[2](rho)/nngp[2](1) >= rho for rho in [-1, 1]", "relu", {"depth": 2}, PROVED,
     "the normalised arc-cosine map lies above the diagonal, and is increasing"),
    ("ntk(1) == 3*nngp(1)", "relu", {"depth": 2}, PROVED, "homogeneous: T = S + T/.. of the layer below"),
    ("ntk(rho)/nngp(rho) <= 3 for rho in [0, 1]", "relu", {"depth": 2}, PROVED, "L + 1, at rho = 1"),
    ("ntk(rho)/nngp(rho) < 3 for rho in [0, 1]", "relu", {"depth": 2}, REFUTED, "equal at rho = 1"),
    ("ntk is odd on [-1, 1]", "tanh", {}, PROVED, "an odd activation without bias"),
    ("ntk is even on [-1, 1]", "relu", {}, REFUTED, "kappa(rho) - kappa(-rho) = rho/2"),
    ("kappa(rho) == kappa(-rho) + rho/2 for rho in [-1, 1]", "relu", {}, PROVED, "its odd half is x/2"),
    ("kappa(rho) == (sqrt(1 - rho^2) + (pi - acos(rho))*rho)/(2*pi) for rho in [-1, 1]", "relu", {}, PROVED,
     "Cho, Saul 2009"),
    ("kappa(rho) == 2/pi*asin(rho) for rho in [-1, 1]", "sign", {}, PROVED, "Sheppard 1899"),
    ("kappa(rho) < rho for rho in (0, 1)", "sign", {}, PROVED, "asin is convex on [0, 1]"),
    ("nngp(rho) == 8*rho^4 for rho in [-1, 1]", "x^2 - 1", {"depth": 2}, REFUTED, "see the next"),
    ("nngp(rho) == 1 + 8*rho^4 for rho in [-1, 1]", "x^2 - 1", {"depth": 2}, PROVED,
     "first 2 rho^2 at variance 2; then E (u^2-1)(v^2-1) = 2 c^2 + (q-1)^2"),
    ("(7*rho - 2)^4 >= 0 for rho in [-1, 1]", "relu", {}, PROVED, "a square; 2/7 is nowhere named"),
    ("(7*rho - 2)^4 > 0 for rho in [-1, 1]", "relu", {}, REFUTED, "0 at 2/7"),
    ("|a(n)| <= a(1)/n for n in 1..60", "tanh", {}, PROVED, "equal at n = 1, then much smaller"),
    ("series(ntk, n) == (n + 1)*series(nngp, n) for n in 0..40", "gelu", {"slow": True}, PROVED,
     "T = S + rho S'"),
    ("sin(rho)^2 + cos(rho)^2 <= 1 for rho in [-1, 1]", "relu", {"certificate": False}, PROVED, "Pythagoras"),
    ("sin(rho)^2 + cos(rho)^2 < 1 for rho in [-1, 1]", "relu", {}, REFUTED, "the same"),
    ("ntk(rho) > 4 for rho in [-1, 1]", "2", {"depth": 3}, REFUTED, "a constant: phi' = 0"),
    ("kappa(rho) >= 0 for rho in [0, 1]", "exp(sin(x))", {}, PROVED, "no negative coefficients"),
]  # fmt: skip


def ask(text: str, activation: str, options: dict[str, Any]) -> Answer:
    return conjecture(
        text, activation, **{k: v for k, v in options.items() if k not in ("certificate", "slow")}
    )


def _marked(row: Row) -> Any:
    return pytest.param(*row, marks=pytest.mark.slow if row[2].get("slow") else ())


@pytest.mark.parametrize(("text", "activation", "options", "truth", "why"), [_marked(row) for row in TRUTH])
def test_answer_is_the_known_one(
    text: str, activation: str, options: dict[str, Any], truth: Verdict, why: str
) -> None:
    answer = ask(text, activation, options)
    assert answer.verdict is truth, f"{answer}\n{why}"
    if options.get("certificate", True):
        assert answer.certificate is not None and verify(answer.certificate).accepted
    else:
        assert answer.certificate is None and answer.no_certificate
    if truth is REFUTED:
        assert answer.witness is not None
        size = answer.witness.difference
        assert size.lower > 0 or size.upper < 0 or size.midpoint == size.radius == 0


def test_there_are_enough_of_both_kinds() -> None:
    answers = [row[3] for row in TRUTH if not row[2].get("slow")]
    assert len(TRUTH) >= 48 and answers.count(PROVED) >= 20 and answers.count(REFUTED) >= 12
