"""What must never be proved: forged evidence, terms that are not defined; and the rules behind, by brute
force."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import sympy as sp
from flint import arb

from analytic_ntk import activations
from analytic_ntk.certificate import expression_json
from proofs_check import conjecture, verify
from proofs_check.conjectures.search import simplest
from proofs_check.replay.conjectures import duals
from proofs_check.replay.conjectures.chain import _composed, _product
from proofs_check.replay.conjectures.exact import exact_kernel
from proofs_check.replay.conjectures.formal import Formal, NotFormal
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.own import Own, Recipe
from proofs_check.replay.conjectures.statement import parse
from proofs_check.replay.reading import precision
from proofs_check.replay.verify import seal
from proofs_check.verdict import Verdict

Json = dict[str, Any]


def forged(statement: str, name: str, order: int, **evidence: Any) -> Json:
    body: Json = {
        "format": "analytic-ntk certificate", "version": 1, "kind": "conjecture", "statement": statement,
        "verdict": "proved", "activations": [expression_json(activations.resolve(name).expression)],
        "weight_variances": ["1", "1"], "bias_variances": ["0", "0"], "order": str(order), **evidence,
    }  # fmt: skip
    return {**body, "sha256": seal(body)}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_few_coefficients_do_not_hide_derivatives_at_zero(order: int) -> None:
    """``kappa'''(0) = 6 a_3^2 = 0.132 ..`` for tanh, though ``a_3`` is not among the first two."""
    assert not verify(forged("kappa'''(0) < 1/1000", "tanh", order)).accepted
    assert not verify(forged("kappa''''(0) < 1/1000", "exp(x)", order)).accepted
    assert verify(forged("kappa'''(0) > 13/100 and kappa'''(0) < 14/100", "tanh", 64)).accepted


STEPS = [(i, j) for i in range(3) for j in range(i, 5)]


def _misses(bound: Callable[[int, int, int, arb], arb]) -> int:
    """Terms ``(n-i)!/(n-j)! t^(n-j)`` above what is said to bound them."""
    count = 0
    sizes = (Fraction(0), Fraction(1, 3), Fraction(99, 100))
    for first, i, j, t in ((f, *s, t) for f in (1, 2, 3, 6) for s in STEPS for t in sizes):
        most = bound(first, i, j, arb(t.numerator) / t.denominator)
        for n in range(max(first, j), 160):
            term = Fraction(math.factorial(n - i), math.factorial(n - j)) * t ** (n - j)
            count += bool(most < (arb(term.numerator) / term.denominator).lower())
    return count


def test_bound_of_the_terms_left_out_is_above_every_term() -> None:
    assert _misses(duals._largest) == 0


def test_saboteur_terms_left_out_forgotten_at_zero() -> None:
    def forgetful(first: int, i: int, j: int, t: arb) -> arb:
        return arb(1 if first == j else 0) if t == 0 else duals._largest(first, i, j, t)

    assert _misses(forgetful) > 0


# ---------------------------------------------------------------------------------- what is not defined

UNDEFINED = [
    ("sqrt(-1)^2 == -1", "relu"),
    ("log(-1) - log(-1) == 0", "relu"),
    ("sqrt(rho)^2 == rho for rho in [-1, 1]", "relu"),
    ("exp(log(rho)) == rho for rho in [-1, 1]", "relu"),
    ("rho^(1/3)*rho^(1/3)*rho^(1/3) == rho for rho in [-1, 1]", "relu"),
    ("kappa(rho)^(1/2)*kappa(rho)^(1/2) == kappa(rho) for rho in [-1, 1]", "sin"),
    ("kappa''(rho) - kappa''(rho) >= 0 for rho in [-1, 1]", "relu"),  # infinite at both ends
    ("kappa''(rho) - kappa''(rho) == 0 for rho in [-1, 1]", "relu"),
    ("kappa''(rho) == 1/(2*pi*sqrt(1 - rho^2)) for rho in [-1, 1]", "relu"),
    ("kappa(rho)/a(0) >= kappa(rho)/a(0) for rho in [1/2, 1/2]", "Max(x, 0) - 1/sqrt(2*pi)"),  # a(0) = 0
    ("kappa''(rho) - kappa''(rho) is convex on [-1, 1]", "relu"),
    ("1/(rho - 1/3) == 1/(rho - 1/3) for rho in [0, 1]", "relu"),
]


@pytest.mark.parametrize(("text", "activation"), UNDEFINED)
def test_what_is_not_defined_everywhere_is_not_proved(text: str, activation: str) -> None:
    answer = conjecture(text, activation, boxes=80)
    assert answer.verdict is Verdict.UNDECIDED and answer.reason


def test_the_same_on_open_intervals_is_proved() -> None:
    for text in (
        "kappa''(rho) - kappa''(rho) >= 0 for rho in (-1, 1)",
        "kappa''(rho) == 1/(2*pi*sqrt(1 - rho^2)) for rho in (-1, 1)",
        "sqrt(rho)^2 == rho for rho in [0, 1]",
    ):
        assert conjecture(text, "relu").verdict is Verdict.PROVED, text


@pytest.mark.parametrize("term", ["kappa(2)", "mu(ntk, 2, 1)", "a(1/2)", "1/(rho - 1/3)", "log(rho - 2)"])
def test_a_forged_proof_that_nonsense_equals_itself_is_refused(term: str) -> None:
    text = f"{term} == {term} for rho in [0, 1]"
    assert not verify(forged(text, "relu", 64, boxes=[["0", "1"]])).accepted


def test_a_forged_proof_of_what_is_infinite_is_refused() -> None:
    text = "kappa''(rho) - kappa''(rho) >= 0 for rho in [-1, 1]"
    assert not verify(forged(text, "relu", 64, boxes=[["-1", "0"], ["0", "1"]])).accepted


# ---------------------------------------------------------------------------------- the exact kernels

EXACT = ["relu", "x^2 - 1", "x^3/3 + x", "Abs(x)", "sign", "Heaviside(x)", "Max(x, x/10)", "2"]
POINTS = [Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 3), Fraction(-3, 4)]


def _number(value: Formal) -> arb:
    """A formal number in balls: its atoms are pi, square roots and arcsines of rationals."""

    def atom(name: Any) -> arb:
        if name == "pi":
            return arb.pi()
        kind, inside = name
        if kind == "root":
            return arb(inside).sqrt()
        assert kind == "asin"
        point = Fraction(str(inside[0]).removeprefix("((), Fraction(").removesuffix("))").replace(", ", "/"))
        return (arb(point.numerator) / point.denominator).asin()

    def total(polynomial: Any) -> arb:
        result = arb(0)
        for key, factor in polynomial.items():
            term = arb(factor.numerator) / factor.denominator
            for a, count in key:
                for _ in range(count):
                    term *= atom(a.name)
            result += term
        return result

    return total(value.top) / total(value.bottom)


def _disagreements(name: str, depth: int, fault: int = 0) -> tuple[int, int]:
    expression = expression_json(activations.resolve(name).expression)
    w, b = (Fraction(3, 2),) * (depth + 1), (Fraction(1, 4),) * (depth + 1)
    own = Own(Recipe((expression,) * depth, w, b), 64)
    wrong = seen = 0
    with precision(128):
        for point, extra, order in product(POINTS, (False, True), range(3)):
            try:
                exact = exact_kernel(own.exact, own.chain, extra, Formal.of(point), order).c[order]
            except NotFormal:  # infinite there, or no short expression
                continue
            known = own.chain.kernels(Interval.of(point), order)[extra].c[order]
            value = _number(exact) + fault * arb(2) ** -30
            seen += 1
            wrong += not (value <= known.high + arb(2) ** -90 and value >= known.low - arb(2) ** -90)
    return wrong, seen


@pytest.mark.parametrize(("name", "depth"), [*product(EXACT, (1,)), *product(["relu", "x^2 - 1", "2"], (2,))])
def test_exact_kernels_lie_in_those_of_the_quadrature(name: str, depth: int) -> None:
    wrong, seen = _disagreements(name, depth)
    assert wrong == 0 and seen >= 3


def test_saboteur_exact_kernels_off_by_little() -> None:
    assert _disagreements("x^2 - 1", 2, fault=1)[0] > 0


def test_different_activations_have_no_common_closed_form() -> None:
    recipe = Recipe((["max", "0", "x"], ["tanh", "x"]), (Fraction(1),) * 3, (Fraction(0),) * 3)
    assert Own(recipe, 32).exact is None


def test_quotients_cancel_what_divides_every_term() -> None:
    root, pi = Formal.of(2).sqrt(), Formal.of(1).asin() * 2
    assert (root * root - 2).is_zero and (1 / root - root / 2).is_zero
    assert ((pi + 1) / pi - 1 - 1 / pi).is_zero and not ((pi + 1) / pi - 1).is_zero
    large, small = Formal.of(2 * 1009**2).sqrt(), Formal.of(2).sqrt() * 1009  # equal, and not seen to be
    with pytest.raises(NotFormal):
        1 / (large - small) * (1 / (large + small))
    assert (Formal.of(Fraction(1, 2)).asin() * 6 - pi).is_zero
    assert (-root.asin() - (-root).asin()).is_zero and (root.cos() - (-root).cos()).is_zero


def test_missing_powers_are_those_of_brute_force() -> None:
    size = 7
    x = sp.Symbol("x")
    for bits in range(0, 128, 5):
        inner = tuple(bool(bits >> k & 1) for k in range(size))
        other = tuple(bool((bits * 37 + 11) >> k & 1) for k in range(size))
        one, two = (
            sp.Poly(sum((int(may) * x**k for k, may in enumerate(s)), sp.S.Zero), x) for s in (inner, other)
        )
        powers = (one * two).monoms()
        assert _product(inner, other) == tuple((k,) in powers and bool(one * two) for k in range(size))
        outer = (False, True, False, True, False, False, False, False, False)
        powers = (one + one**3).monoms()
        assert _composed(outer, inner) == tuple((k,) in powers and bool(one) for k in range(size))


def test_simplest_number_between_two() -> None:
    for low, high in (("33/100", "34/100"), ("-1/3", "-1/4"), ("0", "1/7"), ("2/7", "3/7"), ("-1", "1")):
        a, b = Fraction(low), Fraction(high)
        denominators = (d for d in range(1, 200) if math.floor(a * d) + 1 < b * d)
        found = simplest(a, b)
        assert a < found < b and found.denominator == next(denominators)


# ---------------------------------------------------------------------------------- time, interrupts, text

SLOW = ("ntk(rho) >= nngp(rho) for rho in [0, 1/2]", "+".join(f"sin({k}*x)/{k}" for k in range(1, 40)))


def test_seconds_end_also_the_set_up() -> None:
    before, start = signal.getsignal(signal.SIGALRM), time.monotonic()
    answer = conjecture(*SLOW, depth=2, seconds=0.5)
    assert time.monotonic() - start < 5
    assert answer.verdict is Verdict.UNDECIDED and "budget" in answer.reason
    assert answer.left == ((Fraction(0), Fraction(1, 2)),)
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_an_interrupt_ends_also_the_set_up() -> None:
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    try:
        answer = conjecture(*SLOW, depth=2, seconds=60)
    finally:
        timer.cancel()
    assert time.monotonic() - start < 10
    assert answer.verdict is Verdict.UNDECIDED and "stopped by the user" in answer.reason


def test_other_threads_have_no_alarm_and_are_answered() -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(conjecture("kappa(0) > 0", "relu")))
    thread.start()
    thread.join()
    assert found[0].verdict is Verdict.PROVED


def test_signs_from_a_formula_editor_are_read() -> None:
    assert parse("κ(ρ)² − π ≤ 0 for ρ in [−1, 1]").comparisons == parse(
        "kappa(rho)^2 - pi <= 0 for rho in [-1, 1]"
    ).comparisons  # fmt: skip


def test_the_witness_says_what_is_false() -> None:
    assert str(conjecture("1 < 2 < 3 < 2", "relu").witness).endswith("= 1.0000000, so not 3 < 2")
    assert "the second derivative = -" in str(conjecture("nngp is convex on [-1, 1]", "x^3 - 3*x").witness)
