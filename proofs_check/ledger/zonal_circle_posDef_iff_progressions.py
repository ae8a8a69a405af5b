"""Menegatto, Oliveira, Peron: the circle, where every arithmetic progression must be met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp
from flint import arb, arb_mat

from analytic_ntk import Network, activations, spectrum
from analytic_ntk.arithmetic.precision import working_precision
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import ball
from proofs_check.ledger._cells import SIDED, dependencies
from proofs_check.ledger._points import circle, fan, mirrored
from proofs_check.ledger._sources import MENEGATTO
from proofs_check.ledger._zonal import ON_CIRCLE, null, positive

R = Fraction(1, 2)
FAR, LAST = 200, 40


@dataclass(frozen=True)
class Cosines:
    """``K(theta) = sum_{k in Z} a_|k| cos(k theta)``, ``a_k = r^k sum_{m | k} poisson[m] + extra[k]``.

    Here ``r = 1/2``. Closed form: ``sum_k r^|k| cos(k theta) = (1 - r^2)/(1 - 2 r cos(theta) + r^2)``.
    """

    poisson: dict[int, int]
    extra: dict[int, Fraction] = field(default_factory=dict)

    def coefficient(self, k: int) -> Fraction:
        k = abs(k)
        return R**k * sum(w for m, w in self.poisson.items() if k % m == 0) + self.extra.get(k, 0)

    def at(self, t: Fraction) -> Fraction:
        """Exactly, ``t = cos(theta)``."""
        total = Fraction(0)
        for m, w in self.poisson.items():
            r = R**m
            total += w * (1 - r * r) / (1 - 2 * r * chebyshev(m, t) + r * r)
        return total + sum(
            (w * (2 if k else 1) * chebyshev(k, t) for k, w in self.extra.items()), Fraction(0)
        )

    def near(self, theta: arb) -> arb:
        """In balls."""
        total = arb(0)
        for m, w in self.poisson.items():
            r = ball(R**m)
            total += w * (1 - r * r) / (1 - 2 * r * (theta * m).cos() + r * r)
        return total + sum(
            (ball(w) * (2 if k else 1) * (theta * k).cos() for k, w in self.extra.items()), arb(0)
        )

    def missed(self, most: int = 12) -> tuple[int, int] | None:
        """``(n, j)`` with ``a_|k| = 0`` for all ``k = j mod n``, the least ``n <= most``. (From 7 on the
        ``k`` with ``a_k > 0`` repeat with a period of at most 6, so looking up to 200 is enough.)"""
        for n in range(1, most + 1):
            for j in range(n):
                if not any(self.coefficient(k) for k in range(-FAR, FAR + 1) if k % n == j):
                    return n, j
        return None


def chebyshev(n: int, t: Fraction) -> Fraction:
    """``cos(n theta)``, ``t = cos(theta)``."""
    before, now = Fraction(1), t
    for _ in range(n):
        before, now = now, 2 * t * now - before
    return before


GOOD = {
    "all k": Cosines({1: 1}),
    "all k but 1 and -1": Cosines({1: 1}, {1: -R}),
    "all |k| > 6": Cosines({1: 1}, {k: -(R**k) for k in range(7)}),
}
BAD = {
    "even k": Cosines({2: 1}),
    "odd k": Cosines({1: 1, 2: -1}),
    "even k, 1 and -1": Cosines({2: 1}, {1: R}),
    "0 and no other multiple of 3": Cosines({1: 1, 3: -1}, {0: Fraction(1)}),
    "finitely many": Cosines({}, {0: Fraction(1), 1: R, 2: R}),
}
"""Each misses a progression. The fourth has infinitely many even and odd k, enough on S^2."""


def polygons(kernels: dict[str, Cosines]) -> Iterator[Case]:
    """At ``n`` equidistant points the matrix is circulant, with eigenvalues ``n sum_{k = j mod n} a_|k|``: a
    missed progression is an eigenvalue 0, with the vector ``cos(2 pi i j/n)``."""
    for name, kernel in kernels.items():
        found = kernel.missed()
        if found is None:
            yield Case(f"{name}: no progression of period up to 12 is missed", False)
            continue
        n, j = found
        with working_precision(300):
            angles = [2 * arb.pi() * i / n for i in range(n)]
            entries = [kernel.near(theta) for theta in angles]
            u = arb_mat(n, 1, [(theta * j).cos() for theta in angles])
            image = arb_mat([[entries[(i - k) % n] for k in range(n)] for i in range(n)]) * u
            zero = all(e.contains(0) and abs(e) < arb(2) ** -200 for e in image.entries())
        yield Case(f"{name}: {j} mod {n} is missed, singular at the regular {n}-gon", zero)


def rational_polygon() -> Iterator[Case]:
    """The square has rational points: exactly. (``i^k`` alternates, ``u = (1, 0, -1, 0)`` sees odd k.)"""
    square = [
        circle(Fraction(0)),
        circle(Fraction(1)),
        (Fraction(-1), Fraction(0)),
        (Fraction(0), Fraction(-1)),
    ]
    yield Case("even k, square, u = (1, 0, -1, 0)", null(BAD["even k"].at, square, (1, 0, -1, 0)))
    yield Case("odd k, square, u = (1, 0, 1, 0)", null(BAD["odd k"].at, square, (1, 0, 1, 0)))


def met() -> Iterator[Case]:
    for name, kernel in GOOD.items():
        yield Case(f"{name}: every progression of period up to 24 is met", kernel.missed(24) is None)


def coefficients(wrong: int = 0) -> Iterator[Case]:
    """The closed forms have the coefficients said: sums over ``n`` equidistant points, aliases included."""
    n = 64
    for name, kernel in (GOOD | BAD).items():
        with working_precision(300):
            values = [kernel.near(2 * arb.pi() * i / n) for i in range(n)]
            good = True
            for k in range(9):
                mean = sum((v * (2 * arb.pi() * i * k / n).cos() for i, v in enumerate(values)), arb(0)) / n
                aliases = [kernel.coefficient(k + n * a + wrong) for a in range(-6, 7)]
                gap = abs(mean - ball(sum(aliases, Fraction(0))))
                good = good and bool(gap < arb(2) ** -250)
        yield Case(f"{name}: a_0 .. a_8", good)


def relu_on_the_circle() -> Iterator[Case]:
    """The NTK of ReLU misses the odd classes mod ``2p`` without ``1`` and ``-1``: ``p - 2`` null vectors at
    the regular ``2p``-gon, as many as at any ``p`` antipodal pairs."""
    network = Network.mlp(activations.relu, 1, 2, 0)
    values = spectrum.sphere(network, 2, LAST, "ntk").eigenvalues
    present = [k for k, value in enumerate(values) if value != 0]
    yield Case("a_k = 0 exactly for odd k >= 3 (k <= 40)", present == [0, 1, *range(2, LAST + 1, 2)])
    yield Case("the others are positive", all(sp.sympify(values[k]).is_positive for k in present))
    for p in range(2, 9):
        classes = {k % (2 * p) for k in present} | {-k % (2 * p) for k in present}
        direct = len(dependencies(SIDED["relu"], mirrored(fan(p))))
        yield Case(f"{p} antipodal pairs: nullity {direct}", 2 * p - len(classes) == direct)


def enough_on_the_sphere() -> Iterator[Case]:
    """Infinitely many even and odd k: strictly positive on S^2 (there), singular on S^1 (here)."""
    kernel = BAD["0 and no other multiple of 3"]
    many = [sum(1 for k in range(parity, FAR, 2) if kernel.coefficient(k) > 0) for parity in (0, 1)]
    yield Case(
        f"{many} even and odd k < {FAR}, and yet {kernel.missed()} is missed",
        min(many) > 60 and kernel.missed() is not None,
    )


CLAIM = Claim(
    name="zonal_circle_posDef_iff_progressions",
    title="on the circle: every arithmetic progression must hold a k with a_|k| > 0",
    statement=r"a_k \ge 0:\quad \sum_{k \in \mathbb{Z}} a_{|k|} \cos k(\theta - \theta') \text{ strictly "
    r"positive definite on } S^1 \iff \{k \in \mathbb{Z} : a_{|k|} > 0\} \text{ meets } j + n\mathbb{Z} "
    r"\text{ for all } j, n \ge 1",
    hypotheses=(
        Hypothesis(
            "every progression",
            "no j + nZ is missed",
            Part("missed progressions", Method.ENCLOSED, "; ".join(BAD), lambda: polygons(BAD)),
        ),
        Hypothesis(
            "not merely both parities",
            "infinitely many even and odd k, enough on S^2, are not enough",
            Part("0 and no other multiple of 3", Method.EXACT, "k < 200", enough_on_the_sphere),
        ),
    ),
    parts=(
        Part(
            "sufficient: all pivots of the exact kernel matrix are positive",
            Method.EXACT,
            f"{'; '.join(GOOD)}; rational points: {', '.join(ON_CIRCLE)}",
            lambda: positive({name: kernel.at for name, kernel in GOOD.items()}, ON_CIRCLE),
        ),
        Part("these meet every progression", Method.EXACT, "periods up to 24", met),
        Part(
            "necessary: a missed progression is a null vector at a regular polygon",
            Method.ENCLOSED,
            "; ".join(BAD),
            lambda: polygons(BAD),
        ),
        Part("the same at the square", Method.EXACT, "even k; odd k", rational_polygon),
        Part("the closed forms have these coefficients", Method.ENCLOSED, "a_0 .. a_8", coefficients),
        Part(
            "the NTK of ReLU: missed classes and null vectors of antipodal pairs are equally many",
            Method.EXACT,
            f"degrees up to {LAST}; 2 to 8 pairs",
            relu_on_the_circle,
        ),
    ),
    faults=(
        Fault("a kernel that misses nothing called singular", lambda: polygons(GOOD)),
        Fault("even k called strictly positive", lambda: positive({"even k": BAD["even k"].at}, ON_CIRCLE)),
        Fault("the coefficients shifted", lambda: coefficients(1)),
    ),
    references=(MENEGATTO,),
    cited="Menegatto, Oliveira, Peron 2006",
)
