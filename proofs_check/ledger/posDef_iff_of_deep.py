"""When a network without bias and with two hidden layers or more is strictly positive definite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import sympy as sp

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.notation import x as argument
from analytic_ntk.positivity import Positivity, decide_gram
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import is_positive_definite, null_space_is
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._points import Points, mirrored, points, proportional_pairs
from proofs_check.ledger._sources import OWN
from proofs_check.ledger.null_iff_line_polynomials import random_sets

Scale = Callable[[Any], Any]

SETS: dict[str, Points] = {
    "distinct, no two on a line": points([1, 0], [0, 1], [1, 1]),
    "a ray": points([1, 1], [2, 2]),
    "x and -x": points([1, 2], [-1, -2]),
    "x and -3x": points([1, 2], [-3, -6]),
    "0 and others": points([0, 0], [1, 0], [0, 1]),
    "a point twice": points([1, 0], [0, 1], [1, 0]),
    "3 antipodal pairs": mirrored(points([1, 0], [0, 1], [1, 1])),
    "x, -x, 2x, 0": points([1, 1], [-1, -1], [2, 2], [0, 0]),
}
SCALES: dict[str, Scale] = {
    "relu": lambda c: c if c > 0 else None,
    "leaky_relu(1/10)": lambda c: c if c > 0 else None,
    "abs": abs,
    "Max(x, 0)^2": lambda c: c * c if c > 0 else None,
    "x*Abs(x)": lambda c: c * abs(c),
    "erf": lambda c: c if abs(c) == 1 else None,
    "sin": lambda c: c if abs(c) == 1 else None,
    "cos": lambda c: 1 if abs(c) == 1 else None,
    "gaussian": lambda c: 1 if abs(c) == 1 else None,
    "gelu": lambda c: c if c == 1 else None,
    "probit": lambda c: c if c == 1 else None,
    "elu(1)": lambda c: c if c == 1 else None,
    "sin(x) + cos(x)": lambda c: c if c == 1 else None,
}
"""The ``k`` with ``s(ct) = k s(t)``, or ``None``: read off the activation by hand, then checked."""
RATIOS = tuple(map(Fraction, ("2", "1/3", "-1", "-2")))


def expected(name: str, X: Points) -> bool:
    """Distinct, no pair ``x_j = c x_i`` with ``s(ct) = k s(t)``, and ``s(0) != 0`` if 0 is an input."""
    s, scale = activations.resolve(name).expression, SCALES[name]
    if len(set(X)) < len(X):
        return False
    if any(scale(c) is not None for _, _, c in proportional_pairs(X)):
        return False
    return all(map(any, X)) or s.subs(argument, 0) != 0


def scales(wrong: int = 0) -> Iterator[Case]:
    t = sp.Symbol("t", positive=True)
    symbols = sp.Symbol("c", positive=True), sp.Symbol("c", negative=True)
    for name, scale in SCALES.items():
        s = activations.resolve(name).expression
        for c in (*map(sp.Rational, map(str, RATIOS)), *symbols):
            k = scale(c)
            if k is not None:
                rest = [s.subs(argument, side * c) - (k + wrong) * s.subs(argument, side) for side in (t, -t)]
                what = f"{name}: s(ct) = {k} s(t), c {'> 0' if c.is_positive else '< 0'}"
                yield Case(
                    what if c.free_symbols else f"{name}: s({c} t) = {k} s(t)",
                    all(sp.simplify(e) == 0 for e in rest),
                )


def no_scales() -> Iterator[Case]:
    """``s(ct) = k s(t)`` at two ``t`` makes a minor vanish: one of them certainly does not."""
    for name, scale in SCALES.items():
        s = activations.resolve(name).expression
        for c in (c for c in RATIOS if scale(c) is None):
            ratio = sp.Rational(c.numerator, c.denominator)
            rows = [(s.subs(argument, ratio * t), s.subs(argument, t)) for t in (1, -1, 2, -2)]
            with working_precision(120):
                values = [tuple(exact_ball(e).real for e in row) for row in rows]
                minors = [a[0] * b[1] - b[0] * a[1] for a, b in combinations(values, 2)]
            yield Case(f"{name}: no k with s({c} t) = k s(t)", any(not m.contains(0) for m in minors) or None)


def enclosed(names: Sequence[str], depths: Sequence[int], sets: dict[str, Points]) -> Iterator[Case]:
    for name in names:
        for depth in depths:
            network = Network.mlp(activations.resolve(name), depth, 1, 0)
            for where, X in sets.items():
                positive = expected(name, X)
                if positive:
                    answer = is_positive_definite(network, X)
                else:
                    null = decide_gram(network, X).null_vectors
                    answer = bool(null) and null_space_is(network, X, null)
                what = f"{name}, depth {depth}, {where}: {'positive' if positive else 'singular'}"
                yield Case(what, answer)


def decided() -> Iterator[Case]:
    for name in SCALES:
        for depth in (2, 3):
            network = Network.mlp(activations.resolve(name), depth, 1, 0)
            for where, X in (SETS | random_sets(30)).items():
                found = decide_gram(network, X).verdict is Positivity.STRICTLY_POSITIVE
                yield Case(f"{name}, depth {depth}, {where}", found == expected(name, X), len(X) < 2)


def shallow() -> Iterator[Case]:
    """At depth 1 ReLU is singular at three antipodal pairs of the plane, where depth 2 is not."""
    X = SETS["3 antipodal pairs"]
    found = len(dependencies(SIDED["relu"], X))
    deep = is_positive_definite(Network.mlp(activations.relu, 2, 1, 0), X)
    yield Case(f"ReLU, 3 antipodal pairs: nullity {found} at depth 1, 0 at depth 2", found == 1 and deep)


def polynomial() -> Iterator[Case]:
    X = points(*([1, k] for k in range(6)))
    network = Network.mlp(activations.resolve("x^2"), 2, 1, 0)
    found = decide_gram(network, X).null_vectors
    agree = null_space_is(network, X, found)
    yield Case(f"x^2, depth 2, 6 points, no two proportional: nullity {len(found)}", bool(found) and agree)


def with_bias() -> Iterator[Case]:
    for name, where in (("relu", "a ray"), ("erf", "x and -x")):
        answer = is_positive_definite(Network.mlp(activations.resolve(name), 2, 1, "1/10"), SETS[where])
        what = f"{name}, depth 2, bias variance 1/10, {where}: positive"
        yield Case(what, answer and not expected(name, SETS[where]))


def log_periodic() -> Iterator[Case]:
    """``s(t) = |t|^(3/2) (2 + sin(2 pi log_2 |t|))``, continuous, with infinitely many waves near 0.

    The factor of ``c = 2`` is ``2^(3/2)``, which is no scaling of ``s`` again: ``x`` and ``2x`` are tied at
    depth 1, and at depth 2 no more. The converse needs factors that go on. Written in ``y = log_2 |t|``.
    """
    y = sp.Symbol("y", real=True)
    s = 2 ** (3 * y / 2) * (2 + sp.sin(2 * sp.pi * y))
    k = 2 ** sp.Rational(3, 2)
    yield Case("s(2t) = 2^(3/2) s(t)", sp.simplify(s.subs(y, y + 1) - k * s) == 0)
    factors = [
        sp.simplify((s.subs(y, y + sp.Rational(3, 2)) / s).subs(y, at)) for at in (0, sp.Rational(1, 4))
    ]
    apart = sp.simplify(factors[0] / factors[1]) == 3
    yield Case("s(2^(3/2) t)/s(t) is three times as large at t = 1 as at 2^(1/4)", bool(apart))


CLAIM = Claim(
    name="posDef_iff_of_deep",
    title="two hidden layers or more, no bias: strictly positive unless s itself ties two inputs",
    statement=r"L \ge 3,\ b = 0,\ s \text{ of finitely many analytic pieces, not a polynomial}:\quad T_L(X) "
    r"\succ 0 \iff x_i "
    r"\text{ distinct, no } x_j = c\,x_i \text{ with } s(ct) = k\,s(t) \text{ a.e., and } s(0) \ne 0 "
    r"\text{ if some } x_i = 0",
    hypotheses=(
        Hypothesis(
            "two hidden layers",
            "L >= 3",
            Part("one hidden layer", Method.ENCLOSED, "ReLU, 3 antipodal pairs", shallow),
        ),
        Hypothesis(
            "not a polynomial",
            "s is not a polynomial",
            Part("x^2", Method.ENCLOSED, "depth 2, 6 points, no two proportional", polynomial),
        ),
        Hypothesis(
            "finitely many analytic pieces, for the converse",
            "s is analytic up to the ends of finitely many pieces",
            Part(
                "waves without end at 0", Method.SYMBOLIC, "|t|^(3/2) (2 + sin(2 pi log_2 |t|))", log_periodic
            ),
        ),
        Hypothesis(
            "no bias",
            "b = 0",
            Part("with a bias: strictly positive definite", Method.ENCLOSED, "x and 2x; x and -x", with_bias),
        ),
    ),
    parts=(
        Part(
            "the scalings s(ct) = k s(t) that the condition is about",
            Method.SYMBOLIC,
            f"all t, c = 2, 1/3, -1, -2, and all c > 0 or c < 0 where it says so; {', '.join(SCALES)}",
            scales,
        ),
        Part(
            "and that there are no others: a minor of (s(ct), s(t)) that is not 0",
            Method.ENCLOSED,
            "the same activations and c; two of t = 1, -1, 2, -2",
            no_scales,
        ),
        Part(
            "positive: certainly positive pivots; singular: null vectors that balls agree with",
            Method.ENCLOSED,
            f"{len(SCALES)} activations, depths 2 and 3; {', '.join(SETS)}",
            lambda: enclosed(tuple(SCALES), (2, 3), SETS),
        ),
        Part(
            "the decision procedure agrees with the condition",
            Method.EXACT,
            f"{len(SCALES)} activations, depths 2 and 3; {len(SETS)} chosen and 30 random sets",
            decided,
        ),
    ),
    faults=(
        Fault("depth 1 taken for depth 2", lambda: enclosed(("relu",), (1,), SETS)),
        Fault("a wrong factor", lambda: scales(1)),
    ),
    references=(OWN,),
    cited="posDef_of_nondegenerate_layer",
)
