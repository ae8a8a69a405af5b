"""The NTK exceeds the NNGP: ``lambda_min`` adds up."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.positivity import min_eigenvalue
from analytic_ntk.positivity.eigenvalue import least_eigenvalue
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._balls import gram
from proofs_check.ledger._exact import inertia, rank
from proofs_check.ledger._points import DISTINCT
from proofs_check.ledger._polynomials import POLYNOMIALS, generic, kernels
from proofs_check.ledger._sources import OWN

NAMES = ("relu", "gelu", "erf", "sin", "elu(1)", "Max(x, 0)^2")


def exact(sign: int = 1) -> Iterator[Case]:
    """``T - S`` has no negative eigenvalue, in rational arithmetic."""
    for name, s in POLYNOMIALS.items():
        for depth, bias in ((1, 0), (1, 1), (2, 0), (2, 1)):
            for count, dim in ((3, 2), (6, 1), (5, 3)):
                nngp, ntk = kernels([s] * depth, generic(count, dim, 9), bias=Fraction(bias, 3))
                rest = [
                    [sign * (t - e) for t, e in zip(*rows, strict=True)]
                    for rows in zip(ntk, nngp, strict=True)
                ]
                what = f"{name}, depth {depth}, bias {bias}, {count} points in R^{dim}"
                yield Case(what, inertia(rest)[1] == 0)


def enclosed(swap: bool = False) -> Iterator[Case]:
    """``lambda_min(T) >= lambda_min(S) + lambda_min(T - S)``, each enclosed to 10 digits."""
    for name in NAMES:
        for depth in (1, 2):
            network = Network.mlp(activations.resolve(name), depth, 2, "1/10")
            for where, X in DISTINCT.items():
                ntk, nngp = (min_eigenvalue(network, X, kernel) for kernel in ("ntk", "nngp"))
                with working_precision(400):
                    rest = Enclosure.of(least_eigenvalue(gram(network, X, "ntk") - gram(network, X, "nngp")))
                if swap:
                    ntk, nngp = nngp, ntk
                sides = f"{ntk.decimal(4)} >= {nngp.decimal(4)} + {rest.decimal(4)}"
                what = f"{name}, depth {depth}, {where}: {sides}"
                yield Case(what, _at_least(ntk, nngp, rest))


def _at_least(whole: Enclosure, one: Enclosure, other: Enclosure) -> bool | None:
    if whole.lower >= one.upper + other.upper:
        return True
    return False if whole.upper < one.lower + other.lower else None


def step() -> Iterator[Case]:
    """``s' = 0`` almost everywhere: the NTK is the NNGP, and nothing is gained."""
    for name in ("step", "sign"):
        formula = Network.mlp(activations.resolve(name), 1, 1, "1/10").formula()
        yield Case(f"{name}: T - S = 0", sp.simplify(formula.ntk - formula.nngp) == 0)


def linear() -> Iterator[Case]:
    for kernel in kernels([POLYNOMIALS["t"]], generic(4, 2, 0), bias=Fraction(1)):
        yield Case(f"s = t, 4 points in the plane: rank {rank(kernel)}", rank(kernel) == 3)


CLAIM = Claim(
    name="lambda_min_ntk_ge_add",
    title="the NTK exceeds the NNGP, and their least eigenvalues differ by at least that of the rest",
    statement=r"T_L = S_L + w\,\bigl(\mathbb{E} s' s'\bigr) \circ T_{L-1} \succeq S_L,\quad "
    r"\lambda_{\min}(T_L) \ge \lambda_{\min}(S_L) + \lambda_{\min}(T_L - S_L)",
    hypotheses=(
        Hypothesis(
            "s' not 0, for a gain",
            "s is not piecewise constant",
            Part("jumps only", Method.SYMBOLIC, "step and sign, all covariances", step),
        ),
        Hypothesis(
            "not a polynomial, for a positive bound",
            "the right side may be 0",
            Part("a linear activation", Method.EXACT, "4 points of the plane", linear),
        ),
    ),
    parts=(
        Part(
            "T - S has no negative eigenvalue (Sylvester)",
            Method.EXACT,
            f"{len(POLYNOMIALS)} polynomials, depths 1 and 2, with and without bias",
            exact,
        ),
        Part(
            "the inequality of the least eigenvalues, each enclosed",
            Method.ENCLOSED,
            f"{', '.join(NAMES)}; depths 1 and 2; {', '.join(DISTINCT)}; weight variance 2, bias 1/10",
            enclosed,
        ),
    ),
    faults=(
        Fault("S - T for T - S", lambda: exact(-1)),
        Fault("NTK and NNGP exchanged", lambda: enclosed(swap=True)),
    ),
    references=(OWN, "H. Weyl, 1912 (eigenvalues of a sum)"),
    cited="hadamard_posDef and Weyl's inequality",
)
