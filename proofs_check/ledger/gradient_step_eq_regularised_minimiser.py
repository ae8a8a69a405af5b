"""A gradient step solves the regularised linear problem, in the span of the first-order data features."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

import sympy as sp

from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import dot, null_space, rank, times
from proofs_check.ledger._sources import ELEMENTARY, SHILTON

Rows = list[list[Fraction]]
ETA = Fraction(3, 7)


def completed_square(weight: int = 2) -> Iterator[Case]:
    """``<g, D> + |D|^2/(2 eta) = |D + eta g|^2/(2 eta) - eta |g|^2/2``; ``weight`` stands for the 2."""
    eta = sp.Symbol("eta", positive=True)
    for size in (1, 2, 3, 6):
        g, step = sp.symbols(f"g1:{size + 1}"), sp.symbols(f"D1:{size + 1}")
        objective = sum(a * b for a, b in zip(g, step, strict=True)) + sum(b**2 for b in step) / (
            weight * eta
        )
        square = sum((b + eta * a) ** 2 for a, b in zip(g, step, strict=True)) / (2 * eta)
        yield Case(f"{size} parameters", sp.expand(objective - square + eta * sum(a**2 for a in g) / 2) == 0)


def jacobian(rows: int, columns: int, deficient: bool, seed: int) -> Rows:
    """Random integers; ``deficient``: the last row is the sum of the others."""
    rng = Random(seed)
    found = [[Fraction(rng.randint(-4, 4)) for _ in range(columns)] for _ in range(rows)]
    if deficient:
        found[-1] = [sum((row[k] for row in found[:-1]), Fraction(0)) for k in range(columns)]
    return found


def in_the_span(factor: Fraction = Fraction(1)) -> Iterator[Case]:
    """``K alpha = -eta K r`` by elimination, with the free unknowns set to 1, and ``J^T alpha = -eta J^T
    r``."""
    for rows, columns in ((1, 3), (2, 5), (3, 4), (4, 9), (4, 3)):
        for deficient in (False, True):
            if deficient and rows == 1:
                continue
            for seed in range(4):
                j = jacobian(rows, columns, deficient, seed)
                r = [Fraction(Random(seed + 50).randint(1, 9), 3 + i) for i in range(rows)]
                kernel = [[dot(a, b) for b in j] for a in j]
                right = [-ETA * factor * value for value in times(kernel, r)]
                alpha = _solution(kernel, right)
                columns_of = [list(column) for column in zip(*j, strict=True)]
                step, gradient = times(columns_of, alpha), times(columns_of, r)
                name = f"{rows} x {columns}, rank {rank(j)}, seed {seed}"
                yield Case(name, list(step) == [-ETA * g for g in gradient], trivial=not any(gradient))


def _solution(matrix: Rows, right: list[Fraction]) -> list[Fraction]:
    """One solution of a consistent system: free unknowns are 1."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(matrix)
    pivots: list[int] = []
    for column in range(size):
        place = next((i for i in range(len(pivots), size) if rows[i][column]), None)
        if place is None:
            continue
        at = len(pivots)
        rows[at], rows[place] = rows[place], rows[at]
        rows[at] = [value / rows[at][column] for value in rows[at]]
        for i in range(size):
            if i != at and rows[i][column]:
                rows[i] = [a - rows[i][column] * b for a, b in zip(rows[i], rows[at], strict=True)]
        pivots.append(column)
    found = [Fraction(1)] * size
    free = [k for k in range(size) if k not in pivots]
    for at, column in enumerate(pivots):
        found[column] = rows[at][size] - sum((rows[at][k] for k in free), Fraction(0))
    return found


def off_the_span() -> Iterator[Case]:
    """What is orthogonal to the features changes nothing but the regulariser."""
    for seed in range(6):
        j = jacobian(2, 5, False, seed)
        other = list(null_space(j, 5)[0])
        r = [Fraction(1), Fraction(-2)]
        gradient = times([list(column) for column in zip(*j, strict=True)], r)
        step = [-ETA * g for g in gradient]
        moved = [a + b for a, b in zip(step, other, strict=True)]
        rise = [dot(gradient, d) + dot(d, d) / (2 * ETA) for d in (step, moved)]
        yield Case(f"seed {seed}", rise[1] - rise[0] == dot(other, other) / (2 * ETA))


def no_regulariser() -> Iterator[Case]:
    """Without it ``<g, D>`` is unbounded below: ``D = -t g``."""
    t = sp.Symbol("t", positive=True)
    yield Case("D = -t g, |g| = 1", sp.limit(-t, t, sp.oo) == -sp.oo)


CLAIM = Claim(
    name="gradient_step_eq_regularised_minimiser",
    title="a gradient step minimises the regularised linear problem, in the span of the data features",
    statement=r"-\eta g = \arg\min_\Delta \Bigl( \langle g, \Delta \rangle + "
    r"\frac{|\Delta|^2}{2 \eta} \Bigr) = J^{\mathsf T} \alpha,\quad "
    r"J J^{\mathsf T} \alpha = -\eta J J^{\mathsf T} r,\quad g = J^{\mathsf T} r",
    hypotheses=(
        Hypothesis(
            "a positive rate",
            "eta is positive and finite",
            Part("no regulariser", Method.SYMBOLIC, "steps along the gradient", no_regulariser),
        ),
    ),
    parts=(
        Part(
            "the square completed",
            Method.SYMBOLIC,
            "all gradients, steps and rates; up to 6 parameters",
            completed_square,
        ),
        Part(
            "the system of the coefficients solved by elimination, singular ones too",
            Method.EXACT,
            "random integer Jacobians up to 4 x 9, of full rank and deficient, eta = 3/7",
            in_the_span,
        ),
        Part(
            "a component off the span adds its square over 2 eta",
            Method.EXACT,
            "six integer Jacobians 2 x 5",
            off_the_span,
        ),
    ),
    faults=(
        Fault("the regulariser |D|^2/eta", lambda: completed_square(1)),
        Fault("the coefficients for |D|^2/eta", lambda: in_the_span(Fraction(1, 2))),
    ),
    references=(SHILTON, ELEMENTARY),
    cited="the square completed",
)
