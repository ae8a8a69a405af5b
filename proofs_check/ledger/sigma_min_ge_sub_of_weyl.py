"""Weyl's step: the least singular value moves by no more than the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

from flint import arb

from analytic_ntk.arithmetic.precision import working_precision
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._exact import is_positive_semidefinite
from proofs_check.ledger._sources import SONG

Matrix = list[list[Fraction]]
SIZES = ((1, 2), (2, 2), (2, 3), (3, 4))
SCALES = (Fraction(1), Fraction(1, 10), Fraction(1, 1000))


def cases() -> Iterator[tuple[str, Matrix, Matrix]]:
    """A matrix and a small one, entries from a fixed sequence of integers."""
    state = 12345
    for (rows, columns), scale, index in product(SIZES, SCALES, range(4)):
        found: list[Matrix] = []
        for size in (Fraction(1), scale):
            matrix = []
            for _ in range(rows):
                row = []
                for _ in range(columns):
                    state = (1103515245 * state + 12345) % 2**31
                    row.append(size * (state // 65536 % 19 - 9))
                matrix.append(row)
            found.append(matrix)
        yield f"{rows} x {columns}, |E| of order {scale}, number {index}", found[0], found[1]


def moved(sign: int = 1) -> Iterator[Case]:
    """``(J+E)(J+E)^T >= (s - e)^2`` in exact arithmetic, for rationals ``s <= sigma_min(J)``, ``e >=
    |E|``."""
    for what, J, E in cases():
        total = [[a + sign * b for a, b in zip(*rows, strict=True)] for rows in zip(J, E, strict=True)]
        low, high = _least(J), _norm(E)
        trivial = low <= high
        gap = max(low - high, Fraction(0)) ** 2 if sign > 0 else (low + high) ** 2
        yield Case(f"{what}: sigma_min >= {float(low):.3g} - {float(high):.3g}", _above(total, gap), trivial)


def raised() -> Iterator[Case]:
    """The fault: ``sigma_min(J) + |E|`` as a lower bound."""
    yield from moved(-1)


def sharp() -> Iterator[Case]:
    """``J = diag(2, 3)``, ``E = -e e_1 e_1^T``: equality."""
    for e in (Fraction(1, 2), Fraction(1), Fraction(3, 2)):
        total = [[2 - e, Fraction(0)], [Fraction(0), Fraction(3)]]
        least = (2 - e) ** 2
        exact = _above(total, least) and not _above(total, least + Fraction(1, 10**9))
        yield Case(f"diag(2, 3) - {e} e1 e1^T: sigma_min = 2 - {e}", exact)


def frobenius() -> Iterator[Case]:
    """A change measured by its largest entry is not enough: ``I - (1/2) 1 1^T``."""
    J = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]
    total = [[a - Fraction(1, 2) for a in row] for row in J]
    yield Case(
        "I - (1/2) ones: singular, though no entry moves by more than 1/2",
        not _above(total, Fraction(1, 100)),
    )


def _above(J: Matrix, square: Fraction) -> bool:
    """Whether ``J J^T - square`` has no negative eigenvalue."""
    gram = _gram(J)
    return is_positive_semidefinite(
        [[e - (square if i == j else 0) for j, e in enumerate(row)] for i, row in enumerate(gram)]
    )


def _gram(J: Matrix) -> Matrix:
    return [[sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0)) for v in J] for u in J]


def _least(J: Matrix) -> Fraction:
    """A rational below ``sigma_min(J)``, to 30 bits, by bisection with exact signs."""
    low, high = Fraction(0), Fraction(100)
    for _ in range(36):
        middle = (low + high) / 2
        low, high = (middle, high) if _above(J, middle * middle) else (low, middle)
    return low


def _norm(E: Matrix) -> Fraction:
    """A rational above ``|E|_op``: the Frobenius norm in balls."""
    with working_precision(64):
        total = sum((e * e for row in E for e in row), Fraction(0))
        upper = (arb(total.numerator) / total.denominator).sqrt().upper()
        mantissa, exponent = upper.man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


CLAIM = Claim(
    name="sigma_min_ge_sub_of_weyl",
    title="the least singular value falls by at most the norm of the change",
    statement=r"\sigma_{\min}(J + E) \ge \sigma_{\min}(J) - \lVert E \rVert_{op};\quad "
    r"\lVert J(\theta) - J(\theta_0) \rVert \le L R \le \alpha/2 \implies "
    r"\sigma_{\min}(J(\theta)) \ge \alpha/2",
    hypotheses=(
        Hypothesis(
            "in the operator norm",
            "the change is measured by the norm of the whole matrix",
            Part("entries instead of the norm", Method.EXACT, "the identity of order 2", frobenius),
        ),
    ),
    parts=(
        Part(
            "(J + E)(J + E)^T - (s - e)^2 has no negative eigenvalue",
            Method.EXACT,
            f"{len(SIZES) * len(SCALES) * 4} pairs of rational matrices up to 3 x 4, "
            "s <= sigma_min(J), e >= |E|",
            moved,
        ),
        Part("the bound is attained", Method.EXACT, "diag(2, 3), three changes", sharp),
    ),
    faults=(Fault("the norm of the change added", raised),),
    references=(SONG, "H. Weyl, 1912 (eigenvalues of a sum)"),
    cited="the variational characterisation of singular values",
)
