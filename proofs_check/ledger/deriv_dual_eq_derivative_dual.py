"""Price: the derivative of the dual in the covariance is the dual of the derivative."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.notation import q11, q12, q22
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._polynomials import moment_terms
from proofs_check.ledger._sources import PRICE

SMOOTH = ("erf", "sin", "cos", "exp", "gaussian", "sin(x) + x^2", "x^3 - x")
OTHERS = ("relu", "leaky_relu(1/10)", "abs", "gelu", "probit", "elu(1)", "hardtanh", "x*exp(-x^2)")
COVARIANCES = (("1", "1/2", "1"), ("2", "-3/4", "1/2"), ("1/3", "1/10", "5"), ("4", "19/10", "1"))


def generating(wrong: int = 1) -> Iterator[Case]:
    """``s(u) = exp(p u)``, ``s(v) = exp(r v)``: both sides are ``p r`` times the generating function."""
    p, r, a, b, c = sp.symbols("p r a b c", real=True)
    dual = sp.exp((p * p * a + 2 * p * r * c + r * r * b) / 2)
    yield Case("exp(p u) exp(r v)", sp.expand(sp.diff(dual, c) - p * r**wrong * dual) == 0)


def moments(shift: int = 0) -> Iterator[Case]:
    """``d/dc E u^i v^j = i j E u^(i-1) v^(j-1)``, as polynomials in the variances and the covariance."""
    for i in range(1, 13):
        for j in range(1, 13):
            left = {(p, k - 1, q): w * k for w, p, k, q in moment_terms(i, j) if k}
            right = {(p, k, q): w * i * (j + shift) for w, p, k, q in moment_terms(i - 1, j - 1)}
            yield Case(f"i = {i}, j = {j}", left == right, trivial=not left)


def _sides(name: str) -> tuple[sp.Expr, sp.Expr]:
    """The derivative of the derived dual; the derived dual of ``s'``, read off ``T = S + c E s' s'``."""
    formula = Network.mlp(activations.resolve(name), 1, 1, 0).formula()
    return sp.diff(formula.nngp, q12), (formula.ntk - formula.nngp) / q12


def closed_forms() -> Iterator[Case]:
    for name in SMOOTH:
        left, right = _sides(name)
        yield Case(name, sp.simplify(sp.expand(left - right)) == 0)


def at_points() -> Iterator[Case]:
    """Both sides in balls of 300 bits, at rational covariances."""
    for name in OTHERS:
        left, right = _sides(name)
        for a, c, b in COVARIANCES:
            values = {q11: sp.Rational(a), q12: sp.Rational(c), q22: sp.Rational(b)}
            with working_precision(300):
                gap = exact_ball((left - right).subs(values)).real
                answer = True if abs(gap) < arb(2) ** -200 else None
                yield Case(f"{name} at {a}, {c}, {b}", answer if gap.contains(0) else False)


def jump() -> Iterator[Case]:
    """sign: the dual is ``(2/pi) asin(rho)``, with a derivative that is not 0; but ``s' = 0`` almost
    everywhere."""
    left, right = _sides("sign")
    value = left.subs({q11: 1, q22: 1, q12: sp.Rational(1, 2)})
    with working_precision(100):
        apart = exact_ball(value).real > 0
    yield Case(f"sign: {sp.simplify(value)} against {right} at rho = 1/2", bool(apart) and right == 0)


CLAIM = Claim(
    name="deriv_dual_eq_derivative_dual",
    title="Price: the derivative of the dual in the covariance is the dual of the derivative",
    statement=r"\frac{\partial}{\partial q_{12}} \mathbb{E}\, s(u) s(v) = \mathbb{E}\, s'(u) s'(v), \quad "
    r"(u, v) \sim N\left(0, \begin{pmatrix} q_{11} & q_{12} \\ q_{12} & q_{22} \end{pmatrix}\right)",
    hypotheses=(
        Hypothesis(
            "continuous",
            "s is continuous, locally absolutely continuous",
            Part("a jump", Method.ENCLOSED, "sign at rho = 1/2", jump),
        ),
        Hypothesis(
            "growth", "E s(u)^2 and E s'(u)^2 are finite", remark="without it the two sides are not defined"
        ),
    ),
    parts=(
        Part("exponentials", Method.SYMBOLIC, "all exponents, variances and covariances", generating),
        Part(
            "powers: d/dc E u^i v^j = i j E u^(i-1) v^(j-1)",
            Method.SYMBOLIC,
            "all variances and covariances, i and j up to 12",
            moments,
        ),
        Part(
            "derived closed forms of both sides, simplified",
            Method.SYMBOLIC,
            f"all variances and covariances; {', '.join(SMOOTH)}",
            closed_forms,
        ),
        Part(
            "derived closed forms of both sides, in balls: equal to 60 digits",
            Method.ENCLOSED,
            f"{', '.join(OTHERS)}; {len(COVARIANCES)} covariances",
            at_points,
        ),
    ),
    faults=(
        Fault("a factor r^2 for r", lambda: generating(2)),
        Fault("i (j + 1) for i j", lambda: moments(1)),
    ),
    references=(PRICE,),
    cited="density of exponentials",
)
