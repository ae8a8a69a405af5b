"""How much precision a list of coefficients needs: relative digits for values of very different sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from flint import arb

from analytic_ntk.arithmetic.precision import BITS_PER_DIGIT, bits_for, working_precision
from analytic_ntk.certify import MAX_DIGITS
from analytic_ntk.errors import DomainError, PrecisionError

LIMIT = 4
"""Working bits never exceed ``LIMIT`` times what the digits need, plus ``SPARE``."""
SPARE = 1000
ATTEMPTS = 8


def require_digits(digits: int) -> None:
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise DomainError(f"digits = {digits!r}", f"an integer from 1 to {MAX_DIGITS}")


def size_bits(value: arb) -> float:
    """``log2`` of an upper bound of ``|value|`` (``-inf`` for 0), for any exponent."""
    bound = value.abs_upper()
    if bound == 0:
        return -math.inf
    mantissa, exponent = bound.man_exp()
    return float(int(exponent)) + math.log2(int(mantissa))


def unit_bits(scale: arb) -> float:
    """``log2 scale``; 0 for a scale of 0, where every value is 0."""
    return 0.0 if scale == 0 else size_bits(scale)


def missing_bits(values: Sequence[arb], scale: arb, wanted: float) -> float:
    """How many bits the worst value lacks (0: none; ``inf``: no bound at all).

    A value that is not told from 0 needs a radius below ``2^-wanted scale``, any other one a relative radius
    below ``2^-wanted``.
    """
    worst, unit = 0.0, unit_bits(scale)
    for value in values:
        if not value.is_finite():
            return math.inf
        if value.rad() != 0:
            known = -size_bits(value) + unit if value.contains(0) else float(value.rel_accuracy_bits())
            worst = max(worst, wanted - known)
    return worst


def unseen_bits(values: Sequence[arb], scale: arb) -> float:
    """An estimate of ``-log2 |a_N / scale|`` where the last values are not told from 0; 0 where they are.

    Extrapolated from those that are: it only steers the effort.
    """
    sizes = [-math.inf if v.contains(0) else size_bits(v) for v in values]
    last = max((n for n, size in enumerate(sizes) if size > -math.inf), default=0)
    if last < 4 or last + 4 >= len(values):
        return 0.0
    half = last // 2
    middle = max(range(half - half // 4, half + 1), key=lambda n: sizes[n])
    end = max(range(last - last // 8, last + 1), key=lambda n: sizes[n])
    if end <= middle or sizes[middle] == -math.inf:
        return 0.0
    slope = (sizes[end] - sizes[middle]) / (end - middle)
    return unit_bits(scale) - sizes[end] - min(0.0, slope) * (len(values) - 1 - end)


def certified_values(
    compute: Callable[[], list[arb]], scale: arb, digits: int, what: str
) -> tuple[list[arb], int]:
    """Balls with ``digits`` certain relative digits each, and the bits that took.

    ``compute`` runs at the precision in force. Values far below ``scale`` get their digits too, up to a
    ceiling of the working precision; beyond it a value may have fewer, and its radius is at most
    ``10^-digits scale``. Raises :class:`PrecisionError`, saying what was reached, where more precision does
    not help.
    """
    require_digits(digits)
    wanted = digits * BITS_PER_DIGIT
    bits = bits_for(digits) + 40
    ceiling = LIMIT * bits + SPARE
    best: tuple[float, list[arb], int] | None = None
    failure: PrecisionError | None = None
    for _ in range(ATTEMPTS):
        try:
            with working_precision(bits):
                values = compute()
            missing, unseen = missing_bits(values, scale, wanted), unseen_bits(values, scale)
            width = max(size_bits(arb(v.rad())) for v in values) - unit_bits(scale)
        except PrecisionError as error:
            failure, missing, unseen, width = error, math.inf, 0.0, math.inf
        if best is None or width < best[0]:
            best = (width, values, bits) if width < math.inf else best
        hidden = unseen + wanted + 30 - bits if unseen else 0.0
        if missing <= 0 and (hidden <= 0 or bits >= ceiling):
            return values, bits
        if bits >= ceiling:
            break
        more = bits if missing == math.inf else max(missing, hidden, 0.0) * 1.05 + 16
        bits = min(ceiling, bits + math.ceil(more))
    if best is not None and best[0] <= -wanted:
        return best[1], best[2]
    found = max(0, int(-best[0] / BITS_PER_DIGIT)) if best else 0
    detail = f" ({failure.given})" if failure else ""
    raise PrecisionError(
        f"{found} digits of {what}{detail}", f"{digits} digits", "ask for fewer digits", reached=found
    )
