"""Digits asked for are digits delivered: precision is raised until the enclosures are tight."""

from __future__ import annotations

from collections.abc import Callable

from flint import arb

from analytic_ntk.arithmetic.precision import BITS_PER_DIGIT, bits_for, working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError

MAX_DIGITS = 10_000
_STRETCH = 8
_SPARE = 4_000
"""The working precision may grow to ``_STRETCH`` times what was asked plus ``_SPARE`` bits."""
_PATIENCE = 3
"""Give up after so many tries that bring nothing."""


def certify(
    compute: Callable[[], tuple[tuple[arb, ...], arb]], digits: int, what: str
) -> tuple[Enclosure, ...]:
    """Enclosures with ``digits`` certain relative digits each.

    ``compute`` runs at the precision in force and returns the values and a scale. A value whose enclosure
    meets 0 is accepted when its radius is at most ``10^-digits`` times the scale: no number of digits
    tells it from 0. Raises :class:`PrecisionError`, saying what was reached, when more precision stops
    helping.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise DomainError(f"digits = {digits!r}", f"an integer from 1 to {MAX_DIGITS}")
    wanted = digits * BITS_PER_DIGIT
    bits = bits_for(digits) + 40
    limit = _STRETCH * bits + _SPARE
    reached, stalled = -1.0, 0
    failure: PrecisionError | None = None
    while bits <= limit and stalled < _PATIENCE:
        accuracy = -1.0
        with working_precision(bits):
            try:
                values, scale = compute()
                accuracy = min(_accuracy(value, scale) for value in values)
                if accuracy >= wanted:
                    return tuple(Enclosure.of(value) for value in values)
            except PrecisionError as error:
                failure = error
                stalled += 1
        if accuracy >= 0:
            stalled = stalled + 1 if accuracy < reached + 4 else 0
            bits += int(max(40, 1.1 * (wanted - accuracy)))
        else:
            bits *= 2  # no bound at all yet: nothing to extrapolate from
        reached = max(reached, accuracy)
    found = max(0, int(reached / BITS_PER_DIGIT))
    detail = f" ({failure.given})" if failure else ""
    raise PrecisionError(
        f"{found} digits of {what}{detail}", f"{digits} digits", "ask for fewer digits", reached=found
    )


def _accuracy(value: arb, scale: arb) -> float:
    """Certain bits: relative to the value, or to the scale where the value may be 0."""
    if not value.is_finite():
        return -1.0
    if value.rad() == 0:
        return float("inf")
    if value.contains(0):
        ratio = (value.abs_upper() / scale.abs_lower()) if scale > 0 else arb("nan")
        if not ratio.is_finite():
            return -1.0
        return -float(ratio.log().mid()) / 0.6931471805599453
    return float(value.rel_accuracy_bits())
