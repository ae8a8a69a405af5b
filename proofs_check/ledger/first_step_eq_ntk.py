"""The first step of gradient descent from the antisymmetric start is that of the linear model alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from analytic_ntk import Activation
from analytic_ntk.theory import escape
from analytic_ntk.theory.escape.fit import Objective
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import NICHANI


def gradient(dim: int, samples: int, quadratic: int, at: int = 0) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The gradient in ``(A, B)`` of ``sum_i (f_L + quadratic f_Q - y_i)^2`` for one pair of units.

    At the step 0, or (``at = 1``) at a step of symbols. ``s'`` and ``s''`` at each input are symbols.
    """
    A, B = sp.symbols(f"a1:{dim + 1}"), sp.symbols(f"b1:{dim + 1}")
    loss = sp.S.Zero
    for i in range(samples):
        X = sp.symbols(f"x{i}_1:{dim + 1}")
        slope, bend, y = sp.symbols(f"s{i} r{i} y{i}")
        one, other = (sum(p * q for p, q in zip(W, X, strict=True)) for W in (A, B))
        f = slope * (one - other) + quadratic * bend * (one**2 - other**2) / 2
        loss += (f - y) ** 2
    start = dict.fromkeys((*A, *B), 0) if not at else {}
    first, second = ([sp.expand(sp.diff(loss, v).subs(start)) for v in W] for W in (A, B))
    return first, second


def first_step(at: int = 0) -> Iterator[Case]:
    """The same gradient with and without ``f_Q``, and it is antisymmetric: so the step has ``f_Q = 0``."""
    for dim, samples in ((1, 1), (2, 1), (2, 2), (3, 2)):
        joint, linear = (gradient(dim, samples, q, at) for q in (1, 0))
        same = joint == linear
        anti = all(sp.expand(p + q) == 0 for p, q in zip(*joint, strict=True))
        yield Case(f"d = {dim}, {samples} samples", same and anti and any(joint[0]))


def package() -> Iterator[Case]:
    """The package's gradients at 0, joint and linear, are equal to the last bit."""
    rng = np.random.default_rng(0)
    for text in ("tanh(x)", "sigmoid(x - 1)"):
        network = escape.draw(Activation.parse(text), 4, 10, rng)
        X, y, zero = rng.standard_normal((7, 4)), rng.standard_normal(7), np.zeros(network.shape)
        design, basis = network.design(X), np.zeros((7, 1))
        both = [np.stack(Objective(design, y, basis, 0.0, model)(zero)[1]) for model in ("joint", "ntk")]
        yield Case(
            text,
            np.array_equal(both[0], both[1]) and not design.quadratic(-both[0]).any() and bool(both[0].any()),
        )


def other_start() -> Iterator[Case]:
    """From another start, a step of symbols, the gradients differ."""
    joint, linear = (gradient(1, 1, q, 1) for q in (1, 0))
    yield Case("one pair, d = 1", joint != linear)


CLAIM = Claim(
    name="first_step_eq_ntk",
    title="from the antisymmetric start the first step of gradient descent is purely that of the NTK",
    statement=r"\nabla_W \sum_i (f_L + f_Q - y_i)^2\Big|_{W=0} = \nabla_W \sum_i (f_L - y_i)^2\Big|_{W=0} = "
    r"(G, -G), \quad f_Q(x; -\eta(G, -G)) = 0",
    hypotheses=(
        Hypothesis(
            "the start W = 0",
            "the copies are equal",
            Part("another start", Method.SYMBOLIC, "one pair of units", other_start),
        ),
    ),
    parts=(
        Part(
            "gradients with and without f_Q, and their antisymmetry",
            Method.SYMBOLIC,
            "all s, inputs and labels; one pair of units, d up to 3, up to 2 samples",
            first_step,
        ),
        Part(
            "the package's gradients, bit by bit",
            Method.NUMERIC,
            "tanh, sigmoid(x - 1); 7 samples",
            package,
            needed=False,
        ),
    ),
    faults=(Fault("a start that is not 0", lambda: first_step(1)),),
    references=(NICHANI,),
    cited="gradients of sums are termwise; quadratic_eq_zero_of_antisymmetric",
)
