"""The scaling law: lambda_min of narrow networks grows about as fast as the product of two widths."""

from __future__ import annotations

from collections.abc import Iterator

from analytic_ntk import activations
from analytic_ntk.theory import memorization
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import BOMBARI

SMALL = ("sigmoid", "tanh", "relu")
WIDTHS = (80, 120, 180, 270, 380)
"""Not above ``N``: there the linear part of the kernel wakes up, and the law is steeper for a while."""


def slopes(low: float = 0.8, high: float = 1.6) -> Iterator[Case]:
    """The 95 % interval of the exponent in ``d^2`` lies between ``low`` and ``high``."""
    for name in SMALL:
        s = memorization.scaling(activations.resolve(name), 2, WIDTHS, [400], 4).slope(400)
        what = f"{name}, {s.points} draws: {s.low:.2f} to {s.high:.2f}"
        yield Case(what, low <= s.low and s.high <= high)


def falling() -> Iterator[Case]:
    """At sixteen times as many parameters an input the exponent is smaller: the law straightens."""
    for name in SMALL:
        one, other = (
            memorization.scaling(activations.resolve(name), 2, dims, [120], 6).slope(120)
            for dims in ((14, 18, 22, 28), (56, 72, 88, 112))
        )
        yield Case(f"{name}: {one.exponent:.2f}, then {other.exponent:.2f}", other.exponent < one.exponent)


def figure() -> Iterator[Case]:
    """One column of the figure: ``N = 1000``, ``d = 977``."""
    law = memorization.scaling(activations.sigmoid, 2, [977], [1000], 5)
    mean, deviation = law.mean(1000, 977)
    yield Case(f"N = 1000, d = 977: mean {mean:.0f}, sd {deviation:.0f}", abs(mean - 134) < 12)


def few_parameters() -> Iterator[Case]:
    law = memorization.scaling(activations.tanh, 2, [5], [60], 3)
    yield Case("55 parameters, 60 inputs: 0", all(d.upper == 0 for d in law.draws))


CLAIM = Claim(
    name="lambda_min_grows_with_widths",
    title="lambda_min of the paper's network at random data grows about as d^2",
    statement=r"\lambda_{\min}(K) = \Omega(n_{L-1} n_{L-2})\ \text{with high probability, if}\ N = "
    r"o(n_{L-1} n_{L-2})\ \text{up to logarithms}",
    hypotheses=(
        Hypothesis(
            "more parameters than inputs",
            "N well below n_(L-1) n_(L-2)",
            Part("fewer parameters than inputs", Method.EXACT, "tanh, widths 5, N = 60", few_parameters),
        ),
    ),
    parts=(
        Part(
            "the exponent in d^2 lies between 0.8 and 1.6",
            Method.NUMERIC,
            "sigmoid, tanh, ReLU, two hidden layers, N = 400, d from 80 to 380; 20 draws each, t interval",
            slopes,
        ),
        Part(
            "it falls as d^2/N grows",
            Method.NUMERIC,
            "the same activations, N = 120, d from 14 to 28 against 56 to 112",
            falling,
        ),
        Part(
            "the published figure's largest width",
            Method.NUMERIC,
            "sigmoid, N = 1000, d = 977, five draws; mean within 12 of 134",
            figure,
            needed=False,
            slow=True,
        ),
    ),
    faults=(Fault("an exponent between 2 and 3", lambda: slopes(2.0, 3.0)),),
    references=(BOMBARI,),
    cited="Theorem 3.1 of the paper, whose constants are not known here",
)
