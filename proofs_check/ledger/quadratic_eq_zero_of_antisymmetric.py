"""The antisymmetric start: the quadratic term vanishes on antisymmetric steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from analytic_ntk import Activation
from analytic_ntk.theory import escape
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import NICHANI


def symbolic_terms(units: int, dim: int, sign: int = -1) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """``f(x; 0)``, ``f_L`` and ``f_Q`` at a step ``(A, sign A)`` by differentiating ``f(x; t W)`` in ``t``;
    ``s``, the weights and the inputs are symbols."""
    t, s = sp.Symbol("t"), sp.Function("s")
    x = sp.symbols(f"x1:{dim + 1}")
    total = sp.S.Zero
    for r in range(units):
        w, a = sp.symbols(f"w{r}_1:{dim + 1}"), sp.symbols(f"a{r}_1:{dim + 1}")
        z = sum(p * q for p, q in zip(w, x, strict=True))
        u = sum(p * q for p, q in zip(a, x, strict=True))
        total += s(z + t * u) - s(z + sign * t * u)
    terms = (sp.diff(total, t, k).subs(t, 0).doit() / sp.factorial(k) for k in range(3))
    zero, linear, quadratic = (sp.expand(sp.simplify(term)) for term in terms)
    return zero, linear, quadratic


def antisymmetric(sign: int = -1) -> Iterator[Case]:
    for units, dim in ((1, 1), (1, 3), (2, 2)):
        zero, linear, quadratic = symbolic_terms(units, dim, sign)
        yield Case(f"{units} pairs, d = {dim}: f(x; 0) = 0", zero == 0)
        yield Case(f"{units} pairs, d = {dim}: f_Q = 0, f_L is not", quadratic == 0 and linear != 0)


def symmetric() -> Iterator[Case]:
    for units, dim in ((1, 2), (2, 2)):
        _, linear, quadratic = symbolic_terms(units, dim, 1)
        yield Case(f"{units} pairs, d = {dim}, B = A: both terms are 0", linear == 0 and quadratic == 0)


def package() -> Iterator[Case]:
    """The package's terms at antisymmetric steps: 0 to the last bit, since ``a^2 - b^2 = (a + b)(a - b)``."""
    rng = np.random.default_rng(0)
    for text in ("tanh(x)", "sigmoid(x - 1)", "x^3 + x^2"):
        network = escape.draw(Activation.parse(text), 4, 10, rng)
        A, X = rng.standard_normal((4, 5)), rng.standard_normal((6, 4))
        design = network.design(X)
        found = design.quadratic(np.stack([A, -A])), design.linear(np.stack([A, -A]))
        yield Case(f"{text}, 6 inputs", not found[0].any() and bool(found[1].all()))


def general_step() -> Iterator[Case]:
    """``B = 2 A``: ``f_Q = -(3/2) s''(z) (a x)^2``."""
    _, _, quadratic = symbolic_terms(1, 1, 2)
    yield Case("one pair, d = 1, B = 2A", quadratic != 0)


CLAIM = Claim(
    name="quadratic_eq_zero_of_antisymmetric",
    title="at the antisymmetric start f_Q = 0 on steps (A, -A), and f_L = f_Q = 0 on steps (A, A)",
    statement=r"f(x; W) = \sum_r s((w_r + A_r) \cdot x) - s((w_r + B_r) \cdot x):\quad B = -A \Rightarrow "
    r"f_Q(x; W) = 0,\quad B = A \Rightarrow f(x; W) = 0",
    hypotheses=(
        Hypothesis(
            "antisymmetric step",
            "B = -A",
            Part("another step", Method.SYMBOLIC, "B = 2A", general_step),
        ),
    ),
    parts=(
        Part(
            "f(x; 0) = 0 and f_Q = 0, f_L is not",
            Method.SYMBOLIC,
            "all s, weights, steps and inputs; 1 and 2 pairs of units, d up to 3",
            antisymmetric,
        ),
        Part(
            "symmetric steps", Method.SYMBOLIC, "all s, weights, steps and inputs; 1 and 2 pairs", symmetric
        ),
        Part(
            "the package's terms",
            Method.NUMERIC,
            "tanh, sigmoid(x - 1), x^3 + x^2; random steps, 6 inputs",
            package,
            needed=False,
        ),
    ),
    faults=(Fault("the step (A, 2A) in place of (A, -A)", lambda: antisymmetric(2)),),
    references=(NICHANI,),
    cited="the sum over pairs is termwise",
)
