"""The tangent kernel of a finite network is a sum over its layers of entrywise products."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sympy as sp

from analytic_ntk import activations
from analytic_ntk.theory.memorization import blocks, draw
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import products
from proofs_check.ledger._finite import SCALARS, Matrix, features_and_rows, jacobian, random_weights
from proofs_check.ledger._points import Points, points, random_points
from proofs_check.ledger._sources import BOMBARI, OWN
from proofs_check.ledger.hadamard_posDef import hadamard

SHAPES = ((2, 2, 1), (2, 3, 2, 1), (3, 2, 3, 2, 1), (1, 4, 1))


def symbolic(slope: int = 1) -> Iterator[Case]:
    """``s`` an unknown function, all weights and inputs symbols; derivatives taken one by one."""
    for widths in ((1, 1, 1), (2, 2, 1), (1, 2, 2, 1), (2, 2, 2, 1)):
        weights = [
            sp.Matrix(m, n, sp.symbols(f"w{k}_1:{m * n + 1}")) for k, (m, n) in enumerate(pairwise(widths))
        ]
        inputs = [sp.Matrix(1, widths[0], sp.symbols(f"{name}1:{widths[0] + 1}")) for name in "xy"]
        whole = sum(
            sp.diff(_output(weights, inputs[0]), w) * sp.diff(_output(weights, inputs[1]), w)
            for W in weights
            for w in W
        )
        one, other = (_pairs(weights, x, slope) for x in inputs)
        summed = sum(f.dot(g) * b.dot(c) for (f, b), (g, c) in zip(one, other, strict=True))
        yield Case(f"widths {'-'.join(map(str, widths))}", sp.expand((whole - summed).doit()) == 0)


def _output(weights: list[sp.Matrix], x: sp.Matrix) -> sp.Expr:
    s = sp.Function("s")
    for W in weights[:-1]:
        x = (x * W).applyfunc(s)
    return (x * weights[-1])[0]


def _pairs(weights: list[sp.Matrix], x: sp.Matrix, slope: int) -> list[tuple[sp.Matrix, sp.Matrix]]:
    """``(F_{l-1}, B_l)`` for each layer at one input."""
    s, t = sp.Function("s"), sp.Dummy()
    read, sums = [x], []
    for W in weights[:-1]:
        sums.append(read[-1] * W)
        read.append(sums[-1].applyfunc(s))
    rows = [sp.ones(1, 1)]
    for W, g in zip(reversed(weights[1:]), reversed(sums), strict=True):
        slopes = g.applyfunc(lambda e: s(t).diff(t, slope).subs(t, e).doit())
        rows.append(sp.matrix_multiply_elementwise(slopes, rows[-1] * W.T))
    return list(zip(read, reversed(rows), strict=True))


def exact() -> Iterator[Case]:
    """Jacobians by dual numbers against features and rows, in rationals."""
    for name, s in SCALARS.items():
        for shape in SHAPES:
            weights, X = random_weights(shape, 1), random_points(4, shape[0], 5) if shape[0] > 1 else _line()
            parts = features_and_rows(weights, s, X)
            whole = [
                products([tuple(row) for row in J]) == _block(F, B)
                for J, (F, B) in zip(jacobian(weights, s, X), parts, strict=True)
            ]
            yield Case(f"{name}, widths {'-'.join(map(str, shape))}, {len(X)} inputs", all(whole))


def _line() -> Points:
    return points([1], ["-1/2"], [3])


def _block(F: Matrix, B: Matrix) -> Matrix:
    return hadamard(products([tuple(f) for f in F]), products([tuple(b) for b in B]))


def large() -> Iterator[Case]:
    """float64, at widths in the hundreds, against the Jacobian as autograd would write it."""
    for name in ("sigmoid", "tanh", "relu", "gelu"):
        for depth, dim, count in ((2, 60, 90), (3, 40, 50)):
            rng = np.random.default_rng(depth)
            finite = draw(activations.resolve(name), dim, [dim] * depth, rng)
            X = rng.standard_normal((count, dim))
            jacobian_ = finite.jacobian(X)[:, 0, :]
            whole = jacobian_ @ jacobian_.T
            summed = sum(part.matrix() for part in blocks(finite, X))
            off = float(np.max(np.abs(whole - summed)) / np.max(np.abs(whole)))
            yield Case(f"{name}, {depth} hidden layers of {dim}, N = {count}: off by {off:.0e}", off < 1e-12)


CLAIM = Claim(
    name="ntk_eq_sum_hadamard",
    title="the tangent kernel of a finite network is the sum over layers of (F F^T) o (B B^T)",
    statement=r"\frac{\partial f}{\partial\theta}\frac{\partial f}{\partial\theta}^{\mathsf T} = "
    r"\sum_{l=1}^{L} (F_{l-1} F_{l-1}^{\mathsf T}) \circ (B_l B_l^{\mathsf T}),\quad F_0 = X,\ "
    r"F_l = s(g_l),\ B_L = 1,\ B_l = s'(g_l) \circ (B_{l+1} W_{l+1}^{\mathsf T})",
    hypotheses=(
        Hypothesis(
            "differentiable where it is asked",
            "s has a derivative at every pre-activation",
            remark="where it has none the left side is not defined; with any fixed value of s' the two agree",
        ),
    ),
    parts=(
        Part(
            "the identity, s an unknown function",
            Method.SYMBOLIC,
            "all weights, inputs and functions s; widths 1-1-1, 2-2-1, 1-2-2-1, 2-2-2-1",
            symbolic,
        ),
        Part(
            "layer by layer, Jacobians by dual numbers",
            Method.EXACT,
            f"{', '.join(SCALARS)}; random rational weights; widths up to 3-2-3-2-1",
            exact,
        ),
        Part(
            "wide networks in float64",
            Method.NUMERIC,
            "sigmoid, tanh, ReLU, GELU; widths 60 and 40",
            large,
            needed=False,
        ),
    ),
    faults=(Fault("s'' in place of s'", lambda: symbolic(2)),),
    references=(BOMBARI, OWN),
    cited="the chain rule",
)
