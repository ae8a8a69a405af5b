"""A predicted law of decay beside the certified coefficients of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Shown, axes_for, tidy
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, RefutedError
from analytic_ntk.hermite.decay.law import DecayLaw
from analytic_ntk.hermite.decay.parity_law import ParityLaw
from analytic_ntk.hermite.table import HermiteTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FITTED = {
    "algebraic": "exponent", "root-exponential": "rate", "geometric": "ratio", "factorial": "ratio",
}  # fmt: skip
_SEEN_AHEAD = 0.8
"""Running maxima look ahead; the last fifth of a table has too little ahead of it."""


@dataclass(frozen=True)
class DecayComparison(Shown):
    """Computed against predicted, for the orders ``n`` of the slower parity.

    ``ratios`` are ``|a_n| / envelope(n)`` in float64 at ``orders`` (empty where the constant is unknown);
    ``predicted`` is what the law says of ``quantity``, ``fitted`` a least-squares fit of it and of a factor
    to ``|a_n|``, the rest of the law kept, over the last three quarters of the orders, away from the zeros of
    the oscillation (over running maxima where the constant is unknown). A fit, never a certificate.
    """

    law: DecayLaw
    orders: tuple[int, ...]
    ratios: tuple[float, ...]
    quantity: str
    predicted: float
    fitted: float

    @property
    def tail_ratio(self) -> float | None:
        """The largest ratio in the last quarter of the orders: near 1 where the law has set in."""
        last = self.ratios[-max(1, len(self.ratios) // 4) :]
        return max(last, default=None)

    def plot(self, axes: Axes | None = None) -> Axes:
        """``|a_n| / envelope(n)`` over ``n``: at most about 1, and close to it at times, where the law holds.

        Raises :class:`DomainError` where the constant of the law is unknown.
        """
        if not self.orders or not self.ratios:
            given = f"a law without a constant ({self.law.sentence})"[:300]
            raise DomainError(given, "one whose constant is known")
        axes = axes_for(axes)
        axes.plot(self.orders, self.ratios, "o", markersize=3, label="computed over predicted")
        axes.axhline(1.0, color="black", linewidth=0.8)
        title = f"predicted: {self.law.leading.formula}"
        axes.set(xlabel="$n$", ylabel="$|a_n|$ / predicted envelope", title=title)
        return tidy(axes)

    def __str__(self) -> str:
        tail = "" if self.tail_ratio is None else f"; |a_n|/envelope up to {self.tail_ratio:.4g} in the tail"
        return f"{self.quantity}: predicted {self.predicted:.6g}, fitted {self.fitted:.6g}{tail}"


def log_size(value: Enclosure) -> float | None:
    """``log |a|`` of an enclosure that excludes 0 (nothing underflows), else ``None``."""
    if value.lower <= 0 <= value.upper:
        return None
    with working_precision(64):
        return float(abs(value.ball().mid()).log().mid())


def compare(law: DecayLaw, table: HermiteTable) -> DecayComparison:
    """The law beside a table at the same variance.

    Raises :class:`DomainError` where the variances differ, where the law has no number to compare (finite,
    entire, unknown), and where the table is too short; :class:`RefutedError` where a coefficient that the
    law says vanishes is certified not to.

    >>> import sympy as sp
    >>> from analytic_ntk.gaussian.pieces import Pieces
    >>> from analytic_ntk.hermite.decay import decay_law
    >>> from analytic_ntk.hermite.table import hermite_table
    >>> from analytic_ntk.notation import x
    >>> f = Pieces.of(sp.Max(x, 0))
    >>> print(compare(decay_law(f), hermite_table(f, 200, 15)))
    exponent: predicted -1.25, fitted -1.25... |a_n|/envelope up to 1 in the tail
    """
    if not isinstance(law, DecayLaw) or not isinstance(table, HermiteTable):
        raise DomainError(f"{type(law).__name__}, {type(table).__name__}", "a DecayLaw and a HermiteTable")
    if not (law.variance - table.variance).equals(0):
        raise DomainError(f"a table at variance {table.variance}", f"variance {law.variance}, as in the law")
    sizes = {row.n: size for row in table.rows if (size := log_size(row.value)) is not None}
    for n in sizes:
        if law.of(n).kind == "finite" and n > law.of(n).degree:
            raise RefutedError(f"a_{n} = {table.rows[n].value.decimal(10)}", law.of(n).sentence)
    part = law.leading
    if part.kind not in _FITTED:
        raise DomainError(f"a law without numbers ({part.sentence})"[:300], "one with a rate to compare")
    orders = [n for n in sizes if n % 2 == part.odd and n >= max(part.start, 1)]
    points = _points(part, orders, sizes) if orders else []
    if len(points) < 3:
        raise DomainError(
            f"a table to order {table.rows[-1].n}", "more nonzero coefficients", "a longer table"
        )
    ratios = [_ratio(sizes[n] - part.log_envelope(n)) for n in orders] if part.waves else []
    quantity = _FITTED[part.kind]
    predicted = float(getattr(part, quantity))
    fitted = _fit(part, points, sizes, predicted)
    return DecayComparison(law, tuple(orders), tuple(ratios), quantity, predicted, fitted)


def _ratio(logarithm: float) -> float:
    return math.exp(logarithm) if logarithm < 700 else math.inf


def _points(law: ParityLaw, orders: list[int], sizes: dict[int, float]) -> list[int]:
    """The later orders at which the oscillation is not near one of its zeros."""
    late = [n for n in orders if n >= orders[-1] / 4]
    if law.waves:
        return [n for n in late if law.sign_and_log(n)[1] > law.log_envelope(n) - math.log(2)]
    peaks, best = [], -math.inf
    for n in reversed(late):  # running maxima: not surpassed later
        if sizes[n] > best:
            best = sizes[n]
            peaks.append(n)
    return [n for n in reversed(peaks) if n <= _SEEN_AHEAD * orders[-1]]


def _fit(law: ParityLaw, points: list[int], sizes: dict[int, float], predicted: float) -> float:
    """The predicted number plus the trend that is left once the law is divided out."""
    n = np.array(points, dtype=float)
    y = np.array([sizes[k] for k in points])
    if law.waves:
        y = y - np.array([law.sign_and_log(k)[1] for k in points])
    else:  # a root-exponential law of unknown constant and power: the rate alone
        y = y + predicted * np.sqrt(n)
    variable = {"algebraic": np.log(n), "root-exponential": np.sqrt(n)}.get(law.kind, n)
    slope = float(np.polyfit(variable, y, 1)[0])
    if law.kind == "algebraic":
        return predicted + slope
    return predicted - slope if law.kind == "root-exponential" else predicted * math.exp(slope)
