"""The change of a network under a step of its weights is a pairing of data features and step features."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from math import factorial

import numpy as np
import sympy as sp
from flint import arb, fmpq

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.interpret import compile_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.layers import FiniteNetwork
from analytic_ntk.notation import x
from analytic_ntk.theory import banach
from analytic_ntk.theory.banach.balls import taylor_balls
from analytic_ntk.theory.banach.singular import singularities_of
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import SHILTON

Words = list[tuple[list[sp.Expr], sp.Expr]]
"""Slots: the entry of ``Phi`` for each unit of a layer, and the entry of ``Psi``."""

SMOOTH = ("tanh", "erf", "gelu", "softplus", "sigmoid", "gelu_tanh")
LIMITED = ("tanh", "sigmoid", "softplus", "silu", "arctan", "gelu_tanh", "sqrt(1 + x^2)")
SHAPES = ((2, 1, 1), (2, 2, 1), (1, 3, 1), (1, 2, 2, 1), (2, 1, 1, 1))
"""Inputs, units of the hidden layers, outputs."""


def features(shape: tuple[int, ...], power: int, lost: int) -> tuple[sp.Expr, sp.Expr]:
    """The pairing, and the change of the network with ``s(t) = t^power``, all weights, steps and inputs
    symbols.

    Tensor powers are written out word by word. ``lost``: the factorial of which the derivative is not
    divided by (0: none).
    """
    inputs = list(sp.symbols(f"x1:{shape[0] + 1}"))
    value, moved = inputs, inputs
    words: Words = []
    for layer, (fan_in, width) in enumerate(pairwise(shape)):
        name = "abc"[layer]
        w = [[sp.Symbol(f"{name}{j}{i}") for i in range(width)] for j in range(fan_in)]
        dw = [[sp.Symbol(f"d{name}{j}{i}") for i in range(width)] for j in range(fan_in)]
        following: Words = [
            ([sum(w[j][i] * phi[j] for j in range(fan_in)) for i in range(width)], psi) for phi, psi in words
        ]
        for j, i in product(range(fan_in), range(width)):
            following.append(([value[j] if k == i else sp.S.Zero for k in range(width)], dw[j][i]))
            following += [
                ([phi[j] if k == i else sp.S.Zero for k in range(width)], dw[j][i] * psi)
                for phi, psi in words
            ]
        words = following
        value = [sum(w[j][i] * value[j] for j in range(fan_in)) for i in range(width)]
        moved = [sum((w[j][i] + dw[j][i]) * moved[j] for j in range(fan_in)) for i in range(width)]
        if layer + 2 < len(shape):
            words = _powers(words, value, power, lost)
            value, moved = [z**power for z in value], [z**power for z in moved]
    pairing = sum(phi[0] * psi for phi, psi in words)
    return sp.expand(pairing), sp.expand(moved[0] - value[0])


def _powers(words: Words, z: list[sp.Expr], power: int, lost: int) -> Words:
    t = sp.Symbol("t")
    found: Words = []
    for n in range(1, power + 1):
        divisor = factorial(n) if n != lost else 1
        slopes = [sp.diff(t**power, t, n).subs(t, value) / divisor for value in z]
        for chosen in product(words, repeat=n):
            phi = [slopes[k] * sp.Mul(*(word[0][k] for word in chosen)) for k in range(len(z))]
            if any(entry != 0 for entry in phi):
                found.append((phi, sp.Mul(*(word[1] for word in chosen))))
    return found


def polynomials(lost: int = 0) -> Iterator[Case]:
    for shape in SHAPES:
        for power in (1, 2, 3):
            if len(shape) == 3 or power == 2:
                pairing, change = features(shape, power, lost)
                yield Case(f"s = t^{power}, layers {shape}", pairing == change)


def _in_balls(finite: FiniteNetwork, row: list[float], step: FiniteNetwork, share: int) -> arb:
    values = [arb(v) for v in row]
    for unit, change in zip(finite.units, step.units, strict=True):
        if hasattr(unit, "activation"):
            function = compile_ball(unit.activation.expression, (x,))
            values = [function(v).real for v in values]
            continue
        weights, biases = unit.parameters[0], unit.parameters[1]
        fresh = []
        for i in range(weights.shape[1]):
            total = arb(0)
            for j, v in enumerate(values):
                total += (arb(float(weights[j, i])) + share * arb(float(change.parameters[0][j, i]))) * v
            bias = arb(float(biases[0, i])) + share * arb(float(change.parameters[1][0, i]))
            fresh.append(arb(unit.weight_scale) * total + arb(unit.bias_scale) * bias)  # type: ignore[attr-defined]
        values = fresh
    return values[0]


def enclosed() -> Iterator[Case]:
    """The truncated series with Cauchy's bound against both networks, run in balls of 400 bits."""
    rng = np.random.default_rng(0)
    for name in SMOOTH:
        for depth in (1, 2):
            finite = Network.mlp(activations.resolve(name), depth, 1, "1/10").sample(3, rng, 2)
            step, X = 0.15 * rng.standard_normal(finite.size), rng.standard_normal((2, 2))
            series = banach.features(finite, finite.parameters, 30)
            for i, (row, (found,)) in enumerate(zip(X, series.certified(X, step, 256), strict=True)):
                with working_precision(400):
                    moved = finite.with_parameters(step)
                    ends = [_in_balls(finite, row.tolist(), moved, share) for share in (0, 1)]
                    change = found.change.ball()
                    answer = True if change.rad() < arb(10) ** -8 else None
                    apart = not change.overlaps(ends[1] - ends[0])
                yield Case(f"{name}, depth {depth}, input {i}", False if apart else answer)


def radius(stretch: str = "1") -> Iterator[Case]:
    """At 0.97 of the radius the terms of orders 220 to 239 are all smaller than the largest of 60 to 79."""
    for name in LIMITED:
        phi = activations.resolve(name)
        for z in ("-13/10", "1/5", "5/2"):
            with working_precision(2000):
                point = arb(fmpq(*map(int, z.split("/"))))
                limit = singularities_of(phi)[0].distance_ball(point) * arb(fmpq(97, 100))
                limit = limit * arb(fmpq(*map(int, (stretch + "/1").split("/")[:2])))
                terms = [abs(c) * limit**n for n, c in enumerate(taylor_balls(phi.expression, point, 239))]
                early = arb(max(terms[60:80], key=lambda v: v.mid()))
                holds = all(term < early for term in terms[220:])
                told = holds or any(term > early for term in terms[220:])
            yield Case(f"{name} at {z}", holds if told else None)


def outside() -> Iterator[Case]:
    """tanh at 0, u = 2 > pi/2: odd terms are larger than 1 and grow."""
    with working_precision(600):
        c = taylor_balls(sp.tanh(x), arb(0), 101)
        sizes = [abs(c[n]) * arb(2) ** n for n in (51, 101)]
        yield Case("terms of order 51 and 101", bool(sizes[0] > 1 and sizes[1] > 1000 * sizes[0]))


def flip() -> Iterator[Case]:
    """max(t, 0) from 1 by -2: the value falls by 1, the series (of order one) by 2."""
    yield Case("z = 1, u = -2", max(1 - 2, 0) - max(1, 0) != -2)


CLAIM = Claim(
    name="change_eq_pairing",
    title="the change of a network under a step of its weights is a pairing of features of both",
    statement=r"f(x; \theta + \Delta) - f(x; \theta) = \langle \Phi(x), \Psi(\Delta) \rangle:\quad "
    r"\Phi_{r,n}(x) = \frac{s^{(n)}(z_r)}{n!} (x, 1)^{\otimes n},\ "
    r"\Psi_{r,n}(\Delta) = (v_r + dv_r)(dw_r, db_r)^{\otimes n},\ \Phi_{r,0} = s(z_r),\ \Psi_{r,0} = dv_r",
    hypotheses=(
        Hypothesis(
            "inside the radius",
            "at every unit the change of its argument is below the distance to the nearest singularity of s",
            Part("terms that grow", Method.ENCLOSED, "tanh at 0, changed by 2", outside),
        ),
        Hypothesis(
            "no breakpoint",
            "no unit reaches a breakpoint of s",
            Part("a sign change of max(t, 0)", Method.EXACT, "from 1 by -2", flip),
        ),
    ),
    parts=(
        Part(
            "both sides expanded, tensor powers word by word",
            Method.SYMBOLIC,
            f"all weights, steps and inputs; s = t, t^2, t^3; networks {', '.join(map(str, SHAPES))}, "
            "with two hidden layers for t^2",
            polynomials,
        ),
        Part(
            "the series cut after 30 with Cauchy's bound meets the difference of two networks",
            Method.ENCLOSED,
            f"{', '.join(SMOOTH)}; one and two hidden layers of 3 units, two inputs each",
            enclosed,
        ),
        Part(
            "the radius: the terms fall at 0.97 of it",
            Method.ENCLOSED,
            f"{', '.join(LIMITED)} at -13/10, 1/5, 5/2; orders 60 to 79 against 220 to 239",
            radius,
        ),
    ),
    faults=(
        Fault("the factorial of the second order lost", lambda: polynomials(2)),
        Fault("a radius too large by 10 %", lambda: radius("11/10")),
    ),
    references=(SHILTON,),
    cited="Taylor's theorem in every unit",
)
