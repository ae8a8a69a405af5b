"""Eigenvalues by the trapezoidal rule in ``u``, ``rho = tanh u``, with a proved error.

    lambda_k = c int kappa(tanh u) P_k(tanh u) sech(u)^(dim - 1) du

``tanh`` maps the strip ``|Im u| < pi/4`` onto the unit disk, where ``|kappa| <= K``. On ``|Im u| <= a``:

    |P_k(tanh u)| <= exp(k artanh(sin a))      (cos t = tanh u has |Im t| <= artanh(sin a), and P_k(cos t) is
                                               a mean of cos(m t), |m| <= k)
    |sech u| <= sech(Re u)/cos a               (|cosh u|^2 = cosh^2 Re u - sin^2 Im u)

so the rule with step ``h`` is off by at most (Trefethen, Weideman 2014, theorem 5.1)

    2 K exp(k artanh(sin a)) cos(a)^(1 - dim) / (exp(2 pi a/h) - 1).

Before that the line through ``kappa(+-1)`` is subtracted (it feeds the degrees 0 and 1 only), so that the
sum may stop early: with coefficients ``>= 0``, ``|kappa(+-1) - kappa(+-rho)| <= kappa(1) - kappa(U)`` for
``rho >= U``, and no better knowledge of the kernel at its singular end is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq

from analytic_ntk.arithmetic.precision import BITS_PER_DIGIT, working_precision
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import PrecisionError
from analytic_ntk.spectrum.harmonics import normalisation
from analytic_ntk.spectrum.line import LineKernel, correlation

MAX_NODES = 60_000
GUARD_BITS = 48
_STRIPS = tuple(0.785 * i / 24 for i in range(1, 25))
"""Half-widths ``a < pi/4`` that are tried."""
_HOPELESS_BITS = 24
"""Kernel values so much worse than their goal are not summed: the eigenvalues' digits would be too few."""
_PROBES = 8
_STEP = 3
"""Goals are raised by multiples of so many digits, so that both kernels use the same nodes."""


@dataclass(frozen=True)
class Rule:
    """Step, strip and last node of a trapezoidal rule."""

    step: Fraction
    strip: float
    last: int


def integrate(
    kernel: LineKernel,
    dim: int,
    degree: int,
    goal_digits: float,
    most_nodes: int = MAX_NODES,
    enough: Callable[[list[arb]], bool] | None = None,
) -> list[arb]:
    """``lambda_0 .. lambda_degree`` with radii of about ``10^-goal_digits K``.

    With ``enough``, wider ones end the search where they are, or where more bits bring nothing. Raises
    :class:`PrecisionError` where the kernel cannot be enclosed nearly that well, or not at ``most_nodes``
    nodes.
    """
    bits = 32 * math.ceil((goal_digits * BITS_PER_DIGIT + GUARD_BITS) / 32)
    target_bits = goal_digits * BITS_PER_DIGIT
    before, known = math.inf, -math.inf
    for _ in range(6):
        with working_precision(bits):
            ends = kernel.ends()
            rule = _rule(kernel, ends, dim, degree, target_bits)
            size = kernel.bound()
            if rule is not None and rule.last > most_nodes:
                raise PrecisionError(
                    f"{rule.last} quadrature nodes",
                    f"at most {most_nodes}",
                    "ask for fewer digits or a lower degree",
                )
            error = arb("nan") if rule is None else _error(kernel, ends, rule, dim, degree)
            if rule is not None and error.is_finite():
                last, known = known, _known_bits(kernel, rule, dim)
                if known < target_bits - _HOPELESS_BITS:
                    if known < last + 8:
                        raise PrecisionError(
                            f"kernel values to {max(0, int(known / BITS_PER_DIGIT))} digits",
                            f"about {math.ceil(goal_digits)} digits of them",
                            "ask for fewer digits or a lower degree",
                        )
                    bits += 32 * math.ceil((target_bits - known) / 32)
                    continue
        if rule is not None and error.is_finite():
            with working_precision(bits + math.ceil(1.3 * degree) + 32):
                values = [v + arb(0, error) for v in _sums(kernel, bits, ends, rule, dim, degree)]
                worst = max((v.rad() for v in values), default=arb(0))
            if all(v.is_finite() for v in values):
                missing = _log2(worst / size) + target_bits
                if missing <= 2 or (enough is not None and (missing > before - 8 or enough(values))):
                    return values
                before = missing
                bits += 32 * math.ceil((missing + 16) / 32)
                continue
        bits *= 2
    raise PrecisionError(
        "a kernel whose enclosures do not shrink with the precision", "values to any number of digits"
    )


def _log2(value: arb) -> float:
    return float(value.log().upper()) / math.log(2) if value > 0 else -math.inf


def _rule(
    kernel: LineKernel, ends: tuple[arb, arb], dim: int, degree: int, target_bits: float
) -> Rule | None:
    """Step and last node for errors of ``2^-target_bits K`` each; ``None`` if the kernel needs more bits."""
    if not (ends[0].is_finite() and ends[1].is_finite()):
        return None
    nats = (target_bits + 4) * math.log(2)
    widest, strip = 0.0, _STRIPS[0]
    for a in _STRIPS:
        growth = degree * math.atanh(math.sin(a)) - (dim - 1) * math.log(math.cos(a))
        width = 2 * math.pi * a / (nats + growth)
        if width > widest:
            widest, strip = width, a
    scale = 2 ** (4 - math.floor(math.log2(widest)))
    step = Fraction(math.floor(widest * scale), scale)
    reach = nats / (dim - 1) + 1.0
    while _weight_nats(0.97 * reach, dim) > nats:
        reach *= 0.97  # no more than this even without the kernel's own decay
    last, low = max(1, math.ceil(reach / float(step))), 0
    size, goal = kernel.bound(), arb(2) ** (-int(target_bits) - 4)
    if not size > 0:
        return Rule(step, strip, 1)
    while last - low > max(1, last // 32):  # where does the kernel's decay let it stop?
        middle = (low + last) // 2
        if middle == 0:
            break
        left_out = _left_out(kernel, ends, step, middle, dim)
        if left_out is None:
            return None
        low, last = (low, middle) if left_out <= goal * size else (middle, last)
    return Rule(step, strip, last)


def _weight_nats(u: float, dim: int) -> float:
    return (dim - 1) * (u + math.log1p(math.exp(-2 * u)) - math.log(2))


def _known_bits(kernel: LineKernel, rule: Rule, dim: int) -> float:
    """How far the radii of a few weighted values lie below the kernel."""
    worst = arb(0)
    for place in range(_PROBES + 1):
        index = rule.last * place // _PROBES
        rho, _ = correlation(rule.step * index)
        weight = ((1 - rho) * (1 + rho)).sqrt() ** (dim - 1)
        for value in kernel.at(rule.step, index):
            worst = worst.max(arb((weight * value.rad()).abs_upper()))
    return -_log2(worst / kernel.bound())


def _left_out(kernel: LineKernel, ends: tuple[arb, arb], step: Fraction, last: int, dim: int) -> arb | None:
    """What the nodes beyond ``last`` can add, at most; ``None`` if the kernel has no bound there."""
    rho, gap = correlation(step * last)
    if kernel.monotone:
        edge = kernel.at(step, last)[0]
        slope = (ends[0] - ends[1]) / 2
        size = arb(abs(ends[0] - edge).abs_upper()) + abs(slope) * gap
    else:
        size = 2 * kernel.bound()
    if not size.is_finite():
        return None
    # sech^n falls at least like exp(-n tanh(U) u) beyond U
    fall = ((1 - rho) * (1 + rho)).sqrt() ** (dim - 1) / ((dim - 1) * rho)
    return arb((2 * normalisation(dim) * size * fall).abs_upper())


def _error(kernel: LineKernel, ends: tuple[arb, arb], rule: Rule, dim: int, degree: int) -> arb:
    """The proved error of the rule: its step and the nodes left out."""
    left_out = _left_out(kernel, ends, rule.step, rule.last, dim)
    if left_out is None:
        return arb("nan")
    a = arb(rule.strip)
    assert a < arb.pi() / 4
    largest = kernel.bound() + abs(ends[0]).max(abs(ends[1]))  # |line| <= its larger end on the disk
    growth = (degree * a.sin().atanh()).exp() / a.cos() ** (dim - 1)
    step = arb(fmpq(rule.step.numerator, rule.step.denominator))
    rule_error = 2 * largest * growth / ((2 * arb.pi() * a / step).exp() - 1)
    return arb((left_out + rule_error).abs_upper())


def _sums(
    kernel: LineKernel, bits: int, ends: tuple[arb, arb], rule: Rule, dim: int, degree: int
) -> list[arb]:
    """The trapezoidal sums; nodes ``rho`` and ``-rho`` are taken together, ``P_k(-t) = (-1)^k P_k(t)``."""
    middle, slope = (ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / 2
    up, down, below = _recurrence(dim, degree)
    sums = [arb(0)] * (degree + 1)
    for index in range(rule.last + 1):
        with working_precision(bits):
            values = kernel.at(rule.step, index)
        rho, _ = correlation(rule.step * index)
        weight = ((1 - rho) * (1 + rho)).sqrt() ** (dim - 1)
        first, second = values[0] - middle - slope * rho, values[1] - middle + slope * rho
        if index == 0:
            weight = weight / 2
        even, odd = weight * (first + second), weight * (first - second)
        before, now = arb(1), rho
        sums[0] += even
        if degree:
            sums[1] += odd * rho
        for k in range(1, degree):
            before, now = now, (up[k] * rho * now - down[k] * before) / below[k]
            sums[k + 1] += (odd if k % 2 == 0 else even) * now
    factor = normalisation(dim) * arb(fmpq(rule.step.numerator, rule.step.denominator))
    found = [factor * value for value in sums]
    found[0] += middle
    if degree:
        found[1] += slope / dim
    return found


def _recurrence(dim: int, degree: int) -> tuple[list[int], list[int], list[int]]:
    """``(k + dim - 2) P_{k+1} = (2k + dim - 2) t P_k - k P_{k-1}``."""
    ks = range(degree + 1)
    return [2 * k + dim - 2 for k in ks], list(ks), [k + dim - 2 for k in ks]


def to_digits(
    kernel: LineKernel,
    vanishing: Sequence[bool],
    dim: int,
    degree: int,
    digits: int,
    first_guess: float,
    most_nodes: int = MAX_NODES,
) -> list[arb]:
    """Eigenvalues with ``digits`` certain digits each (those that vanish aside), by raising the goal.

    ``first_guess`` is how many digits the smallest eigenvalue may lie below the kernel. Raises
    :class:`PrecisionError`, saying what was reached.
    """
    lost, reached, lonely, width = first_guess, 0, 0, math.inf

    def certain(values: list[arb]) -> list[int]:
        live = [v for v, zero in zip(values, vanishing, strict=True) if not zero]
        return [Enclosure.of(v).digits for v in live] or [digits]

    while lost <= 20 * digits + 3_000 and lonely < 3:
        values = integrate(
            kernel, dim, degree, digits + lost, most_nodes, lambda found: min(certain(found)) >= digits
        )
        good = min(certain(values))
        reached = max(reached, good)
        before, width = width, max((_log2(v.rad()) for v in values), default=-math.inf)
        if good >= digits:
            return values
        if width > before - 4:  # the kernel is not known any better
            break
        lonely += bool(good == 0 and max(certain(values)) >= digits)  # one of them is 0, it seems
        lost += _STEP * math.ceil((digits - good + 1 if good else lost + 10) / _STEP)
    raise PrecisionError(
        f"{reached} digits of eigenvalues up to degree {degree}",
        f"{digits} digits",
        "ask for fewer digits or a lower degree (an eigenvalue may be 0 without a proof of it)",
        reached=reached,
    )
