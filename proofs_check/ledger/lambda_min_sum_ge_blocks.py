"""Weyl: the smallest eigenvalue of the kernel is at least that of any block, and the sum of all."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from analytic_ntk import activations
from analytic_ntk.theory.memorization import draw, report
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import is_positive_semidefinite, products
from proofs_check.ledger._finite import SCALARS, Matrix, added, features_and_rows, random_weights
from proofs_check.ledger._points import random_points
from proofs_check.ledger._sources import BOMBARI, WEYL
from proofs_check.ledger.hadamard_posDef import hadamard
from proofs_check.ledger.ntk_posDef_succ import random_positive


def _blocks(name: str, shape: tuple[int, ...], count: int) -> list[Matrix]:
    X = random_points(count, shape[0], 5)
    parts = features_and_rows(random_weights(shape, 2), SCALARS[name], X)
    return [hadamard(products([tuple(f) for f in F]), products([tuple(b) for b in B])) for F, B in parts]


def remainder(sign: int = 1) -> Iterator[Case]:
    """``K - K_l`` has no negative eigenvalue: so every eigenvalue of ``K`` is at least that of ``K_l``."""
    for name in SCALARS:
        for shape, count in (((2, 3, 2, 1), 4), ((3, 2, 2, 1), 5)):
            parts = _blocks(name, shape, count)
            for k in range(len(parts)):
                rest = added([p for i, p in enumerate(parts) if i != k])
                rest = [[sign * e for e in row] for row in rest]
                yield Case(f"{name}, widths {'-'.join(map(str, shape))}, layer {k + 1}",
                           is_positive_semidefinite(rest))  # fmt: skip


def shifted() -> Iterator[Case]:
    """``A - a``, ``B - b`` semidefinite: so is ``A + B - (a + b)``; ``a``, ``b`` near the eigenvalues."""
    for size in (2, 3, 5):
        for seed in range(8):
            one, other = random_positive(size, seed), random_positive(size, seed + 50)
            a, b = _below(one), _below(other)
            total = [[p + q for p, q in zip(r, t, strict=True)] for r, t in zip(one, other, strict=True)]
            yield Case(f"n = {size}, seed {seed}: {float(a):.3g} + {float(b):.3g}", _moved(total, a + b))


def _moved(rows: Matrix, shift: Fraction) -> bool:
    return is_positive_semidefinite(
        [[e - (shift if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(rows)]
    )


def _below(rows: Matrix) -> Fraction:
    """A rational below ``lambda_min``, within ``2^-20`` of the largest diagonal entry."""
    top = max(row[i] for i, row in enumerate(rows))
    low, high = Fraction(0), top
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _moved(rows, middle) else (low, middle)
    return low


def networks() -> Iterator[Case]:
    """Certified lower bounds of the blocks against the certified upper bound of the sum."""
    for name in ("sigmoid", "tanh", "relu"):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            found = report(draw(activations.resolve(name), 12, [12, 12], rng), rng.standard_normal((40, 12)))
            what = f"{name}, seed {seed}: {found.by_weyl:.3g} <= {found.total.upper:.3g}"
            yield Case(what, found.by_weyl <= found.total.upper, found.by_weyl == 0)


def indefinite() -> Iterator[Case]:
    one = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]
    other = [[Fraction(-1), Fraction(0)], [Fraction(0), Fraction(0)]]
    total = [[p + q for p, q in zip(r, t, strict=True)] for r, t in zip(one, other, strict=True)]
    yield Case("I + diag(-1, 0): 0 is an eigenvalue, below 1", not _moved(total, Fraction(1)))


CLAIM = Claim(
    name="lambda_min_sum_ge_blocks",
    title="Weyl: lambda_min of the kernel is at least the sum over the blocks, and at least that of each",
    statement=r"\lambda_{\min}\Bigl(\sum_l K_l\Bigr) \ge \sum_l \lambda_{\min}(K_l) \ge \max_l "
    r"\lambda_{\min}(K_l)",
    hypotheses=(
        Hypothesis(
            "semidefinite blocks, for the maximum",
            "every K_l is positive semidefinite, as (F F^T) o (B B^T) is",
            Part("an indefinite block", Method.EXACT, "I and diag(-1, 0)", indefinite),
        ),
    ),
    parts=(
        Part(
            "the kernel less one block is semidefinite",
            Method.EXACT,
            f"{', '.join(SCALARS)}; random rational weights, widths 2-3-2-1 and 3-2-2-1, every layer",
            remainder,
        ),
        Part(
            "shifts add up",
            Method.EXACT,
            "random rational positive definite matrices of sizes 2, 3, 5; shifts near the eigenvalues",
            shifted,
        ),
        Part(
            "networks: bounds of the blocks against the sum",
            Method.ENCLOSED,
            "sigmoid, tanh, ReLU; widths 12-12-12, N = 40, three draws each; float64 features taken as given",
            networks,
        ),
    ),
    faults=(Fault("the sign of the rest changed", lambda: remainder(-1)),),
    references=(WEYL, BOMBARI),
    cited="Weyl's inequality",
)
