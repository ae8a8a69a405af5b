"""Predicted laws of decay against certified coefficients; information exponents and zeros; the picture."""

from __future__ import annotations

import cmath
import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import acb, arb

from analytic_ntk import Activation, activations
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.certify import certify
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, RefutedError, UndecidedError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.hermite.decay import DecayLaw, compare, decay_law
from analytic_ntk.hermite.decay.compare import log_size
from analytic_ntk.hermite.decay.jets import BITS, Local, leading_singularity
from analytic_ntk.hermite.decay.lines import GAUSSIAN, line_growth
from analytic_ntk.hermite.decay.parity import number
from analytic_ntk.hermite.decay.places import singular_places
from analytic_ntk.hermite.decay.waves import log_laplace
from analytic_ntk.hermite.table import coefficient_balls
from analytic_ntk.hermite.zeros import information_exponent, zero_pattern
from analytic_ntk.notation import x
from analytic_ntk.report.decay_plot import decay_figure, save_decay_plot


def _activation(text: str) -> Activation:
    return activations.resolve(text)


def _coefficients(text: str, q: str | int, order: int) -> tuple[Enclosure, ...]:
    """Certified coefficients, without the exact expressions of a whole table."""
    phi, variance = _activation(text), sp.Rational(q)

    def compute() -> tuple[tuple[arb, ...], arb]:
        return tuple(coefficient_balls(phi.pieces, terms_of(phi.pieces), order, variance, phi.parity)), arb(1)

    return certify(compute, 12, text)


def _law(text: str, q: str | int = 1) -> DecayLaw:
    return decay_law(_activation(text).pieces, sp.Rational(q))


def _error(law: DecayLaw, values: Sequence[Enclosure], top: int, window: int = 16) -> float:
    """The largest ``|a_n - predicted(n)| / envelope(n)`` over a window of orders (zero laws left out)."""
    worst = 0.0
    for n in range(top - window + 1, top + 1):
        if not law.of(n).waves or n < law.of(n).start:
            continue
        sign, log = law.sign_and_log(n)
        at, value = law.log_envelope(n), values[n]
        size = log_size(value)
        actual = 0.0 if size is None else math.copysign(math.exp(min(size - at, 50)), value.midpoint)
        worst = max(worst, abs(actual - sign * math.exp(log - at)))
    return worst


# ------------------------------------------------------------------------------- against certified numbers

# The leading contribution is the coefficient up to a relative O(n^(-1/2)), the next term of the local
# expansion (O(1/n) where symmetry removes that term, or O(1/n^2), the saddle point, where there is none): the
# error at least halves when n grows fourfold. The bound says how large it may still be at n = 160.
NEXT_TERM = {
    "step": 1e-5, "relu": 1e-5, "rectified_monomial(2)": 1e-5, "hardtanh": 1e-5, "elu": 0.03, "laplace": 0.03,
    "softsign": 0.25, "x*Abs(x)": 1e-5, "tanh": 1e-5, "sigmoid": 1e-5, "softplus": 1e-5, "silu": 1e-5,
    "mish": 1e-3, "arctan": 1e-5, "1/(1+x^2)": 1e-5, "sqrt(1+x^2)": 0.1, "log(1+x^2)": 1e-5, "logcosh": 1e-5,
    "erf": 0.01, "gelu": 0.04, "gaussian": 1e-5, "exp": 1e-12, "sin": 1e-12, "sin(3*x)*exp(-x^2/2)": 1e-5,
    "cos(2*x)*exp(-x^2/3)": 1e-5,
}  # fmt: skip


@pytest.mark.parametrize("text", NEXT_TERM)
@pytest.mark.parametrize("q", ["1/4", "1", "4"])
def test_coefficients_tend_to_predicted(text: str, q: str) -> None:
    law, table = _law(text, q), _coefficients(text, q, 160)
    early, late = _error(law, table, 40), _error(law, table, 160)
    assert late <= NEXT_TERM[text]
    assert late <= 0.5 * early or late < 1e-12


@pytest.mark.parametrize(
    ("text", "q", "bound"),
    [
        ("relu6", 4, 1e-5), ("hardswish", 1, 0.1), ("quick_gelu", 1, 1e-5), ("celu(2)", 1, 0.03),
        ("Phi(x)*tanh(x)", 1, 1e-4), ("x^3*tanh(2*x+1)", 1, 1e-3), ("tanh(x)^2", 1, 1e-4),
        ("sigmoid(x)*sigmoid(-x)", 4, 1e-4), ("1/(1+x^2)^2", 1, 0.15), ("(1+x^2)^(1/3)", 1, 0.03),
        ("sqrt(x^4+6*x^2+25)", 1, 0.1), ("atan(2*x+1)", 1, 1e-5), ("cos(x^2)", 1, 1e-5),
        ("x^2*cos(x^2)", 1, 0.1), ("sin(3*x+1)*exp(x^2/10)", 1, 1e-3), ("Phi(x+1)*exp(x^2/5)", 1, 1e-3),
        ("x*Phi(x)+exp(-x^2/2)/sqrt(2*pi)", 1, 0.03), ("exp(x^2/5)*tanh(x)", 1, 0.01),
        ("Piecewise((tanh(x)+x,x>0),(tanh(x),True))", 1, 1e-4), ("tanh(x)+1/(1+x^2)", 1, 1e-4),
        ("gelu_tanh", 1, 1e-3), ("tanh(x^2+x)", 1, 0.01),
        ("sigmoid(x^3)", 1, 0.01), ("snake", 1, 1e-12), ("exp(x)*(x^2+1)", 1, 0.1),
        ("Phi(x)*exp(-x^2)*sin(2*x)", 1, 1.0), ("1/cosh(x)", "1/16", 1e-4),
        ("sqrt((x^2-2*x+5)^3)", 1, 0.2), ("Phi(-2*x)*x", 1, 0.1),
        ("Phi(x)*cos(x^2)", "1/2", 1e-3), ("exp(x)*sin(x)", 1, 1e-12),
        ("sin(x)*cosh(x)*exp(-x^2/4)", 1, 1e-5), ("Heaviside(x-pi)*sin(x)", 1, 0.05),
    ],
)  # fmt: skip
def test_coefficients_tend_to_predicted_further(text: str, q: str | int, bound: float) -> None:
    law, table = _law(text, q), _coefficients(text, q, 160)
    assert law.leading.waves
    assert _error(law, table, 160) <= bound


def test_saboteur_wrong_jump_order_or_place_is_seen() -> None:
    """The same check on the law of another function, and on a law with a phase lost, must fail."""
    table = _coefficients("hardtanh", 1, 160)
    assert _error(_law("hardtanh"), table, 160) < 1e-5
    assert _error(_law("Max(Min(x, 11/10), -11/10)"), table, 160) > 0.1
    assert _error(_law("hardtanh", 2), table, 160) > 0.1
    right = _law("tanh")
    (wave,) = right.odd.waves
    tanh = _coefficients("tanh", 1, 160)
    for change in (
        {"shift": wave.shift + 1},
        {"slope": wave.slope * 1.01},
        {"log_weight": wave.log_weight + 1j * math.pi},
    ):
        wrong = dataclasses.replace(right.odd, waves=(dataclasses.replace(wave, **change),))
        assert _error(DecayLaw(right.variance, right.even, wrong), tanh, 160) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["hardtanh", "softsign", "mish", "sqrt(1+x^2)", "gelu", "exp(-Abs(x))*cos(3*x)"]
)
def test_coefficients_tend_to_predicted_to_order_1000(text: str) -> None:
    law, table = _law(text), _coefficients(text, 1, 1000)
    early, late = _error(law, table, 250), _error(law, table, 1000)
    assert late < 0.05 and (late < 0.6 * early or late < 1e-5)


# ------------------------------------------------------------------------------- what the law says


@pytest.mark.parametrize(
    ("text", "q", "kind", "exponent", "rate", "ratio"),
    [
        ("step", 1, "algebraic", "-3/4", None, None),
        ("relu", 9, "algebraic", "-5/4", None, None),
        ("x*Abs(x)", 1, "algebraic", "-7/4", None, None),
        ("rectified_monomial(4)", 1, "algebraic", "-11/4", None, None),
        ("tanh", 1, "root-exponential", "-1/4", "pi/2", None),
        ("tanh", 4, "root-exponential", "-1/4", "pi/4", None),
        ("softplus", "1/4", "root-exponential", "-3/4", "2*pi", None),
        ("mish", 1, "root-exponential", "-1/4", "3*pi/4", None),
        ("sqrt(1+x^2)", 1, "root-exponential", "-1", "1", None),
        ("tanh(x)^3", 1, "root-exponential", "3/4", "pi/2", None),
        ("erf", 1, "geometric", "-3/4", "0", "sqrt(6)/3"),
        ("gelu", 1, "geometric", "-1/4", "0", "sqrt(2)/2"),
        ("gaussian", 4, "geometric", "-1/4", "0", "2*sqrt(2)/3"),
        ("exp", 4, "factorial", "0", None, "2"),
        ("x*sin(x)", 1, "factorial", "1", None, "1"),
        ("x^3 - x", 1, "finite", None, None, None),
        ("erf(x)^2", 1, "entire", None, None, None),
    ],
)  # fmt: skip
def test_law_says(text: str, q: str | int, kind: str, exponent: str, rate: str, ratio: str) -> None:
    law = _law(text, q)
    assert law.kind == kind
    for found, expected in ((law.exponent, exponent), (law.rate, rate), (law.ratio, ratio)):
        assert found is None if expected is None else sp.simplify(found - sp.sympify(expected)) == 0


def test_constants_eq_closed_forms() -> None:
    """relu: 2 pi a_n^2 = (n-3)!!^2/n! (Stirling); erf: the classic a_n; sigmoid: half of tanh at q/4."""
    assert math.isclose(_law("relu").constant, (2 / math.pi) ** 0.25 / math.sqrt(2 * math.pi), rel_tol=1e-12)
    assert math.isclose(_law("erf").constant, math.sqrt(2 / math.pi) * (2 / math.pi) ** 0.25, rel_tol=1e-12)
    assert math.isclose(2 * _law("sigmoid", 4).constant, _law("tanh", 1).constant, rel_tol=1e-12)
    pole = 2 * (math.pi / 2) ** 0.25 * math.exp(math.pi**2 / 16)  # residue 1 at i pi/2
    assert math.isclose(_law("tanh").constant, pole, rel_tol=1e-12)


@pytest.mark.parametrize("text", ["step", "mish", "gelu", "exp", "sqrt(1+x^2)", "sin(x)*exp(-x^2/2)"])
def test_envelope_tends_to_the_formula(text: str) -> None:
    """constant n^exponent ratio^n exp(-rate sqrt n) is the envelope up to O(n^(-1/2))."""
    law = _law(text).leading
    for n in (40_000 + law.odd, 10**6 + law.odd):
        formula = law.log_constant + float(law.exponent) * math.log(n) - float(law.rate or 0) * math.sqrt(n)
        formula += n * math.log(law.ratio or 1)
        if law.kind == "factorial":
            formula -= math.lgamma(n + 1) / 2
        assert abs(law.log_envelope(n) - formula) < 3 / math.sqrt(n) + 1e-9


def test_parities_have_their_own_law() -> None:
    assert _law("relu").odd.sentence == "zero beyond n = 1"
    assert _law("silu").odd.degree == 1 and _law("silu").even.kind == "root-exponential"
    assert (_law("elu").even.exponent, _law("elu").odd.exponent) == (sp.Rational(-9, 4), sp.Rational(-7, 4))
    both = _law("tanh(x) + 1/(1+x^2)")
    assert (both.even.rate, both.odd.rate, both.rate) == (1, sp.pi / 2, 1)
    assert _law("0").sentence == "zero" and _law("3").even.degree == 0


@pytest.mark.parametrize("text", ["log(1+x^2)^2", "exp(tanh(x))", "tanh(x)*cosh(x)"])
def test_unknown_constants_are_said(text: str) -> None:
    law = _law(text)
    assert law.kind == "root-exponential" and law.constant is None and law.rate is not None
    with pytest.raises(DomainError, match="constant"):
        law.envelope(101 if law.even.kind == "finite" else 100)


@pytest.mark.parametrize("text", ["sin(x^3)*tanh(x)", "exp(-cosh(x))", "sqrt(1+exp(x))"])
def test_what_cannot_be_shown_is_unknown(text: str) -> None:
    """exp(-cosh x) is entire but falls only root-exponentially: 'entire' alone says nothing."""
    assert _law(text).kind == "unknown"


def test_huge_orders_and_variances_stay_finite() -> None:
    law = _law("tanh", "1/100000")
    assert law.envelope(10_001) == 0.0 and -1e6 < law.log_envelope(10_001) < -745
    assert law.predicted(10_000) == 0.0 and law.log_envelope(10_000) == -math.inf
    assert law.constant is None and math.isfinite(law.log_constant) and "e+" in law.sentence
    assert math.isfinite(_law("hardtanh", "1/10000").log_envelope(9_999))


@pytest.mark.parametrize("n", [-1, 2.0, True, "3"])
def test_bad_order(n: object) -> None:
    with pytest.raises(DomainError):
        _law("relu").envelope(n)  # type: ignore[arg-type]


def test_orders_below_the_law_are_refused() -> None:
    law = _law("relu6", "1/4")  # z = 12: the asymptotic form begins at the turning point n = 36
    with pytest.raises(DomainError, match="from 39 on"):
        law.envelope(10)
    with pytest.raises(DomainError, match="from 4 on"):
        _law("x^3").envelope(3)


@pytest.mark.parametrize(
    ("pieces", "q"),
    [
        ("x", 1),
        (Pieces.of(sp.tanh(x)), 0),
        (Pieces.of(sp.tanh(x)), -1),
        (Pieces.of(sp.tanh(x)), 0.5),
        (Pieces.of(sp.tanh(x)), "one"),
        (Pieces.of(sp.exp(x**2 / 5)), 4),
        (Pieces.of(sp.Symbol("a", real=True) * x), 1),
    ],
)
def test_bad_law(pieces: object, q: object) -> None:
    with pytest.raises(DomainError):
        decay_law(pieces, q)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", activations.names())
def test_every_named_activation_has_a_law(text: str) -> None:
    law = decay_law(activations.entry(text).representative().pieces, sp.Rational(1, 4))
    assert law.sentence and law.latex() and law.kind != "unknown"


# ------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("slope", [0, 1.5, 0.7 - 2j, 3j, -2.0, 6.0 + 1j])
def test_log_laplace_eq_mpmath_integral(slope: complex) -> None:
    for order in (50.0, 200.5):
        with mpmath.workdps(40):
            s = mpmath.mpc(slope)
            peak = mpmath.sqrt(order)
            exact = mpmath.quad(
                lambda t: mpmath.exp(order * mpmath.log(t / peak) - t * t / 2 - s * t),  # noqa: B023
                [peak * k / 12 for k in range(37)],
            )
            log = complex(mpmath.log(exact) + order * mpmath.log(peak))
        difference = log_laplace(order, complex(slope)) - log
        assert abs(cmath.exp(difference) - 1) < (1 + abs(slope) ** 2) / (4 * order**2)


@pytest.mark.parametrize(
    ("text", "place", "mu"),
    [
        ("tanh(x)", "I*pi/2", "-1"), ("tanh(x)^3", "I*pi/2", "-3"), ("atan(x)", "I", "0"),
        ("(x^2-2*x+5)^(5/2)", "1+2*I", "5/2"), ("x^4*log(1+x^2)", "I", "0"), ("sqrt(1+x^2)^3", "I", "3/2"),
        ("(1+x^2)*log(1+x^2)", "I", "1"), ("1/sqrt(1+x^4)", "(1+I)/sqrt(2)", "-1/2"),
    ],
)  # fmt: skip
def test_shape_at_a_singularity(text: str, place: str, mu: str) -> None:
    """The leading coefficient against derivatives of the function itself, just below the singularity."""
    expr = _activation(text).expression
    with working_precision(BITS):
        at = number(sp.sympify(place))
        found = leading_singularity(Local(at).jet(expr))
        assert found is not None
        power, logs, c = found
        assert power == Fraction(mu) and logs == (1 if "log" in text or "atan" in text else 0)
    with mpmath.workdps(80):
        z0 = mpmath.mpmathify(sp.N(sp.sympify(place), 80))
        function = sp.lambdify(x, expr, "mpmath")
        v, m = mpmath.mpf(10) ** -6, mpmath.mpf(sp.Rational(mu))
        k = max(int(m) + 2, 0)  # a derivative in which the leading singular term outweighs the regular ones
        derivative = mpmath.diff(lambda t: function(z0 - 1j * t), v, k)
        if logs:
            factor = mpmath.factorial(m) * (-1) ** int(k - m - 1) * mpmath.factorial(k - m - 1)
        else:
            factor = mpmath.ff(m, k)
        ratio = complex(derivative / (factor * v ** (m - k)))
    assert abs(ratio / complex(c) - 1) < 1e-4


@pytest.mark.parametrize("text", ["sqrt(tanh(1 + x^2))", "log(tanh(1 + x^2))"])
def test_zeros_of_curved_functions_are_not_overlooked(text: str) -> None:
    """tanh(1 + x^2) vanishes at x = i, which is nearer than its poles: not among the located places."""
    assert None in singular_places(_activation(text).expression)


@pytest.mark.parametrize("text", ["tanh(x^3+x)", "sigmoid(x^2-1)", "softplus(2*x^3-x^2)", "tanh(x^4)"])
def test_places_of_curved_heads(text: str) -> None:
    """The argument takes a singular value there, and numpy finds none lower among 400 of its levels."""
    (node,) = _activation(text).expression.atoms(sp.tanh, fn.sigmoid, fn.softplus)
    period = (1 if isinstance(node, sp.tanh) else 2) * sp.I * sp.pi
    coefficients = [complex(c) for c in sp.Poly(node.args[0], x).all_coeffs()]
    lowest = math.inf
    for k in range(-200, 200):
        roots = np.roots([*coefficients[:-1], coefficients[-1] - complex(period) * (k + 0.5)])
        lowest = min(lowest, float(np.min(np.abs(roots.imag))))
    found = singular_places(node)
    assert found
    for place in found:
        assert place is not None
        turns = complex(sp.N((node.args[0].subs(x, place) - period / 2) / period, 60))
        assert abs(turns - round(turns.real)) < 1e-14
        assert abs(abs(float(sp.im(place))) - lowest) < 1e-9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x^2*tanh(x)", 2), ("1/(1+x^2)", -2), ("sin(x)*x", 1), ("exp(-x^4)", 0), ("softplus(3*x)", 1),
        ("exp(x^2/8)", GAUSSIAN), ("exp(sin(x))", 0), ("sin(x^3)", None), ("exp(-cosh(x))", None),
        ("tanh(x^3)", 0), ("exp(softplus(x))", GAUSSIAN), ("sin(x*tanh(x)*x)", None),
    ],
)  # fmt: skip
def test_growth_on_lines(text: str, expected: int | None) -> None:
    """What is claimed is checked at height 1.2: the ratio to the claimed power stays bounded."""
    expr = _activation(text).expression
    degree = line_growth(expr)
    assert degree == expected
    if degree is None or degree == GAUSSIAN:
        return
    from analytic_ntk.arithmetic.interpret import compile_ball

    function = compile_ball(expr, (x,))
    with working_precision(200):
        sizes = [
            float(abs(acb(function(acb(u, 1.2)))).mid()) / (1 + u) ** float(degree) for u in (30, 300, 3000)
        ]
    assert max(sizes) < 50 * (1 + min(sizes))


# ------------------------------------------------------------------------------- comparison and picture


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("relu", 1e-4),
        ("hardtanh", 1e-3),
        ("tanh", 1e-4),
        ("mish", 1e-3),
        ("erf", 1e-3),
        ("exp", 1e-9),
        ("elu", 0.05),
    ],
)
def test_fitted_eq_predicted(text: str, tolerance: float) -> None:
    found = compare(_law(text), _activation(text).hermite_table(160, 12))
    assert abs(found.fitted - found.predicted) < tolerance
    assert found.tail_ratio is not None and 0.9 < found.tail_ratio < 1.05
    assert found.quantity in str(found)


def test_fitted_rate_without_a_constant() -> None:
    phi = _activation("log(1+x^2)^2")
    found = compare(decay_law(phi.pieces), phi.hermite_table(200, 12))
    assert found.ratios == () and found.tail_ratio is None and 0.9 < found.fitted < 1.2


def test_saboteur_a_wrong_law_does_not_fit() -> None:
    law = _law("tanh")
    found = compare(law, _activation("tanh(9*x/10)").hermite_table(160, 12))
    assert abs(found.fitted - found.predicted) > 0.1 and found.tail_ratio < 0.5


def test_compare_refuses_and_refutes() -> None:
    table = activations.tanh.hermite_table(40, 12)
    with pytest.raises(DomainError, match="variance"):
        compare(_law("tanh", 2), table)
    with pytest.raises(RefutedError):
        compare(_law("sqrt(1+x^2)"), table)
    with pytest.raises(DomainError, match="numbers"):
        compare(_law("x^3"), _activation("x^3").hermite_table(10, 12))
    with pytest.raises(DomainError, match="longer"):
        compare(_law("tanh"), activations.tanh.hermite_table(3, 12))


@pytest.mark.parametrize(
    ("text", "scale"), [("hardtanh", "log"), ("tanh", "function"), ("gelu", "linear"), ("x^3", "linear")]
)
def test_picture(text: str, scale: str, tmp_path: Path) -> None:
    law, table = _law(text), _activation(text).hermite_table(60, 12)
    (axes,) = decay_figure(law, table, text).axes
    assert axes.get_xscale() == scale
    shown, *curves = axes.lines
    assert list(shown.get_xdata()) == [row.n for row in table.rows if log_size(row.value) is not None]
    for curve in curves:
        n, y = int(curve.get_xdata()[-1]), curve.get_ydata()[-1]
        assert math.isclose(10**y, law.envelope(n), rel_tol=1e-9)
    assert len(curves) == (0 if text == "x^3" else 1)
    for suffix, head in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        assert save_decay_plot(law, table, tmp_path / f"a{suffix}").read_bytes().startswith(head)
    with pytest.raises(DomainError, match="suffix"):
        save_decay_plot(law, table, tmp_path / "a.txt")


# ------------------------------------------------------------------------------- zeros


@pytest.mark.parametrize(
    ("text", "q", "order"),
    [
        ("relu", 1, 1), ("abs", 1, 2), ("x^2-1", 1, 2), ("x^2-1", 3, 2), ("hermite(3)", 1, 3),
        ("hermite(80)", 1, 80),
        ("hermite(3)", 2, 1),
        ("cos", 1, 2), ("Max(x,0)-x/2", 1, 2), ("tanh", 4, 1), ("x^3-3*x", 1, 3),
        ("Piecewise((x^2,x>0),(-x^2,True))", 1, 1), ("Piecewise((x, x > 0), (-x, True))", 1, 2),
        ("sin(x)-exp(-1/2)*x", 1, 3), ("1/(1+x^2)", 1, 2),
        ("x^10-45*x^8+630*x^6-3150*x^4+4725*x^2-945", 1, 10),
    ],
)  # fmt: skip
def test_information_exponent(text: str, q: int, order: int) -> None:
    phi = _activation(text)
    found = information_exponent(phi.pieces, q, phi.parity, 20)
    assert found.order == order and 0 not in found.value
    assert [n for n, _ in found.reasons] == list(range(1, order))
    assert all(reason in ("parity", "exact expression") for _, reason in found.reasons)


def test_information_exponent_of_a_polynomial_with_a_tiny_coefficient() -> None:
    pieces = Pieces.of(x**2 + sp.Rational(1, 10**40) * x)
    assert information_exponent(pieces, 1, None, 5).order == 1


@pytest.mark.parametrize("text", ["3", "0", "sin(x)^2+cos(x)^2", "Piecewise((2, x > 1), (2, True))"])
def test_constants_have_no_information_exponent(text: str) -> None:
    assert information_exponent(Activation.parse(f"{text} + 0*x").pieces).order is None


def test_information_exponent_is_undecided_where_digits_end() -> None:
    """tanh minus its a_1 to 40 digits: 30 digits cannot tell a_1 from 0, 60 digits can."""
    slope = activations.tanh.hermite(1, 1, 60).midpoint
    near = sp.Rational(int(slope * 10**40), 10**40)
    pieces = Pieces.of(sp.tanh(x) - near * x)
    with pytest.raises(UndecidedError, match="a_1"):
        information_exponent(pieces, 1, "odd", 30)
    assert information_exponent(pieces, 1, "odd", 60).order == 1


@pytest.mark.parametrize(
    ("pieces", "q", "parity"),
    [("x", 1, None), (Pieces.of(x), 0, None), (Pieces.of(x), 1.0, None), (Pieces.of(x), 1, "Odd")],
)
def test_bad_information_exponent(pieces: object, q: object, parity: str | None) -> None:
    with pytest.raises(DomainError):
        information_exponent(pieces, q, parity)  # type: ignore[arg-type]


def test_zero_pattern_tells_proved_from_not_told_apart() -> None:
    found = zero_pattern(activations.tanh.hermite_table(10, 12), "odd")
    assert found.count == 6 and not found.undecided and {reason for _, reason in found.proved} == {"parity"}
    near = sp.Rational(int(activations.tanh.hermite(1, 1, 40).midpoint * 10**30), 10**30)
    table = Activation(sp.tanh(x) - near * x).hermite_table(6, 12)
    pattern = zero_pattern(table, "odd")
    assert pattern.undecided == (1,) and "1 not told from zero" in str(pattern)
    with pytest.raises(DomainError, match="parity"):
        zero_pattern(activations.tanh.hermite_table(4, 12), "even")
    assert zero_pattern(activations.relu.hermite_table(20, 12)).count == 9
