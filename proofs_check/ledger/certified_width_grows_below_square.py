"""The width law: the smallest certified width grows with the data, and less than their square."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, sin

from analytic_ntk import Activation, activations
from analytic_ntk.theory.overparameterization import minimal_width, width_growth
from proofs_check.claim import Case, Claim, Fault, Hypothesis, Method, Part
from proofs_check.ledger._sources import SONG

COUNTS = (16, 26, 42, 68)
TANH_COUNTS = (20, 40, 80)


def slopes(
    text: str = "sin(2*x)", counts: tuple[int, ...] = COUNTS, draws: int = 4, low: float = 0, high: float = 2
) -> Iterator[Case]:
    """The 95 % interval of the exponent in ``n`` lies between ``low`` and ``high``."""
    found = width_growth(Activation.parse(text), counts, draws)
    shown = f"n^{found.exponent:.2f}, 95 % interval [{found.low:.2f}, {found.high:.2f}]"
    yield Case(f"{text}, {found.widths.size} draws: {shown}", low < found.low and found.high < high)


def close() -> Iterator[Case]:
    """Two inputs at the angles 1 and 1/10, labels 1 and -1."""
    far, near = (
        minimal_width(activations.tanh, [[1.0, 0.0], [cos(t), sin(t)]], [1.0, -1.0], 3).median
        for t in (1.0, 0.1)
    )
    yield Case(f"angle 1: width {far:.0f}; angle 1/10: width {near:.0f}", near > 16 * far)


CLAIM = Claim(
    name="certified_width_grows_below_square",
    title="the smallest certified width of random data grows, and less than quadratically in their number",
    statement=r"d_0 = n/2,\ |x_i| = \sqrt{d_0},\ y_i = \pm 1,\ W \sim N(0, 1/d_0),\ V \sim N(0, 1/d_1):\quad "
    r"\min\{d_1 : 4 L_J r_0 \le \alpha^2\} \approx C n^p,\quad 0 < p < 2",
    hypotheses=(
        Hypothesis(
            "random inputs",
            "inputs that do not come close",
            Part("two inputs that come close", Method.NUMERIC, "tanh, n = 2, 3 draws each", close),
        ),
        Hypothesis(
            "smooth",
            "phi' and phi'' are bounded",
            remark="without them there is no L_J to certify with, and the question is refused",
        ),
    ),
    parts=(
        Part(
            "the 95 % interval of p lies between 0 and 2",
            Method.NUMERIC,
            f"sin(2x), n = {', '.join(map(str, COUNTS))}, 4 draws each; least squares on logarithms",
            slopes,
        ),
        Part(
            "the same for tanh, which asks for ten times the width",
            Method.NUMERIC,
            f"n = {', '.join(map(str, TANH_COUNTS))}, 2 draws each",
            lambda: slopes("tanh(x)", TANH_COUNTS, 2),
            needed=False,
            slow=True,
        ),
    ),
    faults=(Fault("an exponent between 2 and 3", lambda: slopes(low=2, high=3)),),
    references=(SONG,),
    cited="the width of order n^(3/2) that the paper proves, with constants not known here",
)
