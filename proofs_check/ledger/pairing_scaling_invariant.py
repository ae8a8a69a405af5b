"""The scalings of the two sides of the pairing are free, and one of them balances the norms."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy as sp

from analytic_ntk import Network, activations
from analytic_ntk.theory import banach
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import ELEMENTARY, SHILTON


def invariance(same: bool = False) -> Iterator[Case]:
    """``sum_g <c_g Phi_g, Psi_g / c_g>`` for symbols; ``same``: both sides are multiplied."""
    for degrees in (1, 2, 3, 5):
        for size in (1, 2, 3):
            c = sp.symbols(f"c1:{degrees + 1}", positive=True)
            phi = [sp.symbols(f"p{g}_1:{size + 1}") for g in range(degrees)]
            psi = [sp.symbols(f"q{g}_1:{size + 1}") for g in range(degrees)]
            scaled = sum(
                c[g] * a * (b * c[g] if same else b / c[g])
                for g in range(degrees)
                for a, b in zip(phi[g], psi[g], strict=True)
            )
            plain = sum(a * b for g in range(degrees) for a, b in zip(phi[g], psi[g], strict=True))
            yield Case(f"{degrees} degrees of {size} features", sp.expand(scaled - plain) == 0)


def lagrange() -> Iterator[Case]:
    """``sum c^2 a^2 sum b^2/c^2 - (sum a b)^2 = sum_{g<h} (c_g a_g b_h/c_h - c_h a_h b_g/c_g)^2 >= 0``."""
    for degrees in (2, 3, 4):
        a, b, c = (sp.symbols(f"{name}1:{degrees + 1}", positive=True) for name in "abc")
        every = range(degrees)
        gap = sum(c[g] ** 2 * a[g] ** 2 for g in every) * sum(b[g] ** 2 / c[g] ** 2 for g in every)
        gap -= sum(a[g] * b[g] for g in every) ** 2
        squares = sum(
            (c[g] * a[g] * b[h] / c[h] - c[h] * a[h] * b[g] / c[g]) ** 2 for g in every for h in range(g)
        )
        yield Case(f"{degrees} degrees", sp.expand(gap - squares) == 0)
        balanced = {c[g]: sp.sqrt(b[g] / a[g]) for g in every}
        yield Case(f"{degrees} degrees, balanced: no gap", sp.simplify(gap.subs(balanced)) == 0)


def written_down() -> Iterator[Case]:
    """The features of a network, taken as exact numbers, scaled by powers of 2: the same dot product."""
    finite = Network.mlp(activations.tanh, 2, 1, 0).sample(2, np.random.default_rng(0), 1)
    series = banach.features(finite, finite.parameters, 2)
    X, step = np.array([[0.5], [-1.25]]), np.random.default_rng(1).standard_normal(finite.size)
    degrees = len(series.phi(X))
    sums = []
    for scaling in ([1.0] * degrees, [2.0 ** (3 * g - 5) for g in range(degrees)]):
        rows = [Fraction(0)] * len(X)
        for phi, psi in zip(series.phi(X, scaling), series.psi(step, scaling), strict=True):
            for i in range(len(X)):
                for p, q in zip(phi[i, 0], psi, strict=True):
                    rows[i] += Fraction(float(p)) * Fraction(float(q))
        sums.append(rows)
    for i in range(len(X)):
        yield Case(f"input {i}, {degrees} degrees", sums[0][i] == sums[1][i])


def unbalanced() -> Iterator[Case]:
    """``a = b = (1, 1)``, ``c = (1, 2)``: the product of the norms is 5/2 > 2."""
    product = sp.sqrt(1 + 4) * sp.sqrt(1 + sp.Rational(1, 4))
    yield Case("c = (1, 2)", product == sp.Rational(5, 2))


CLAIM = Claim(
    name="pairing_scaling_invariant",
    title="the pairing does not depend on the scaling; the balanced one has the least product of norms",
    statement=r"\sum_g \langle c_g \Phi_g, c_g^{-1} \Psi_g \rangle = \sum_g \langle \Phi_g, \Psi_g \rangle,"
    r"\quad \min_{c > 0} \Bigl(\sum_g c_g^2 |\Phi_g|^2\Bigr)^{1/2} \Bigl(\sum_g c_g^{-2} "
    r"|\Psi_g|^2\Bigr)^{1/2} = \sum_g |\Phi_g| |\Psi_g| \text{ at } c_g^2 = |\Psi_g|/|\Phi_g|",
    hypotheses=(
        Hypothesis("positive", "c_g > 0", remark="with c_g = 0 a degree is lost"),
        Hypothesis(
            "balanced, for the second part",
            "c_g^2 = |Psi_g| / |Phi_g|",
            Part("a larger product of another scaling", Method.SYMBOLIC, "two degrees of norm 1", unbalanced),
        ),
    ),
    parts=(
        Part("the pairing, scaled", Method.SYMBOLIC, "all features; up to 5 degrees of up to 3", invariance),
        Part(
            "Lagrange's identity: the gap is a sum of squares",
            Method.SYMBOLIC,
            "all norms; 2, 3, 4 degrees",
            lagrange,
        ),
        Part(
            "features written down, scaled by powers of 2, as exact numbers",
            Method.EXACT,
            "a tanh network with two hidden layers of 2 units, order 2",
            written_down,
        ),
    ),
    faults=(Fault("both sides multiplied", lambda: invariance(True)),),
    references=(SHILTON, ELEMENTARY),
    cited="Cauchy-Schwarz in every degree",
)
