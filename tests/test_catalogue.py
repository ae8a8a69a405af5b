"""Every name of the catalogue against its defining function, typed here independently."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from analytic_ntk import activations
from analytic_ntk.activation import Activation
from analytic_ntk.activations import CATALOGUE, all_activations, entry, get, names, resolve
from analytic_ntk.errors import DomainError
from analytic_ntk.notation import x

ALL = all_activations()
R = sp.Rational


def _erf_phi(t: float) -> float:
    return 0.5 * math.erfc(-t / math.sqrt(2))


def _logistic(t: float) -> float:
    return float(1 / (1 + mp.exp(-mp.mpf(t))))


def _clip(t: float, low: float, high: float) -> float:
    return min(max(t, low), high)


_SELU_A, _SELU_S = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

DEFINITION: dict[str, Callable[[float], float]] = {
    "identity": lambda t: t,
    "step": lambda t: float(t > 0),
    "sign": lambda t: math.copysign(1, t),
    "relu": lambda t: max(t, 0.0),
    "leaky_relu": lambda t: t if t > 0 else 0.01 * t,
    "prelu": lambda t: t if t > 0 else 0.25 * t,
    "abs": lambda t: math.fabs(t),
    "relu6": lambda t: _clip(t, 0, 6),
    "hardtanh": lambda t: _clip(t, -1, 1),
    "hardsigmoid": lambda t: _clip(t / 6 + 0.5, 0, 1),
    "hardswish": lambda t: t * _clip(t / 6 + 0.5, 0, 1),
    "rectified_monomial": lambda t: t * t if t > 0 else 0.0,
    "monomial": lambda t: t**3,
    "polynomial": lambda t: 1 + 2 * t + t**3,
    "hermite": lambda t: (t**3 - 3 * t) / math.sqrt(6),
    "elu": lambda t: t if t > 0 else math.expm1(t),
    "selu": lambda t: _SELU_S * (t if t > 0 else _SELU_A * math.expm1(t)),
    "celu": lambda t: t if t > 0 else 2 * math.expm1(t / 2),
    "erf": math.erf,
    "probit": _erf_phi,
    "gelu": lambda t: t * _erf_phi(t),
    "gelu_tanh": lambda t: 0.5 * t * (1 + math.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3))),
    "sigmoid": _logistic,
    "tanh": math.tanh,
    "softplus": lambda t: float(mp.log1p(mp.exp(t))),
    "silu": lambda t: t * _logistic(t),
    "swish": lambda t: t * _logistic(2 * t),
    "mish": lambda t: t * math.tanh(math.log1p(math.exp(t))),
    "softsign": lambda t: t / (1 + abs(t)),
    "arctan": math.atan,
    "sin": math.sin,
    "cos": math.cos,
    "sinusoid": lambda t: math.sin(2 * t + 0.5),
    "rbf": lambda t: math.sin(t) + math.cos(t),
    "exp": math.exp,
    "gaussian": lambda t: math.exp(-t * t),
    "laplace": lambda t: math.exp(-abs(t)),
    "snake": lambda t: t + math.sin(t) ** 2,
    "quick_gelu": lambda t: t * _logistic(1.702 * t),
    "logcosh": lambda t: math.log(math.cosh(t)),
    "triangle": lambda t: max(1 - abs(t), 0.0),
}

POINTS = (-7.3, -3.1, -2.0 + 2**-20, -1.4, -0.7, -0.01, 0.02, 0.4, 0.9, 1.7, 2.9, 6.6)


def test_every_record_has_a_definition_here() -> None:
    assert set(DEFINITION) == set(names()) == set(ALL)
    assert len(names()) >= 41


@pytest.mark.parametrize("name", names())
def test_value(name: str) -> None:
    """15 elementary roundings at most, on values of size up to 400: relative 1e-13 has room to spare."""
    got = ALL[name](np.array(POINTS))
    for point, value in zip(POINTS, got, strict=True):
        assert math.isclose(value, DEFINITION[name](point), rel_tol=1e-13, abs_tol=4e-15), (point, value)


def test_a_wrong_record_would_be_seen() -> None:
    """The saboteur: every definition disagrees with every other record at one point or more."""
    for name, definition in DEFINITION.items():
        for other, activation in ALL.items():
            values = activation(np.array(POINTS))
            same = all(
                math.isclose(v, definition(p), rel_tol=1e-13, abs_tol=4e-15)
                for p, v in zip(POINTS, values, strict=True)
            )
            assert same == (name == other), (name, other)


@pytest.mark.parametrize("name", names())
def test_derivative_by_differences(name: str) -> None:
    """Five-point rule in 50 digits at step 1e-8: its own error is about h^4 f^(5)/30 < 1e-28."""
    activation = ALL[name]
    derivative = activation.derivative.float_function()
    h = R(1, 10**8)
    for point in POINTS:
        exact = R(*point.as_integer_ratio())
        if any(abs(exact - b) < 3 * h for b in activation.pieces.breakpoints):
            continue
        part = activation.pieces.part_at(exact)
        f = [part.subs(x, exact + k * h).evalf(50) for k in (-2, -1, 1, 2)]
        slope = float((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h))
        assert math.isclose(float(derivative(np.array([point]))[0]), slope, rel_tol=1e-12, abs_tol=1e-13)


@dataclass(frozen=True)
class Shape:
    """What is known of an activation from the textbook: typed by hand."""

    parity: str | None = None
    homogeneity: int | None = None
    kinks: tuple[tuple[object, object], ...] = ()
    jumps: tuple[tuple[object, object], ...] = ()
    degree: int | None = None
    singularity: object = sp.oo


SHAPE: dict[str, Shape] = {
    "identity": Shape("odd", 1, degree=1),
    "step": Shape(None, 0, jumps=((0, 1),)),
    "sign": Shape("odd", 0, jumps=((0, 2),)),
    "relu": Shape(None, 1, ((0, 1),)),
    "leaky_relu": Shape(None, 1, ((0, R(99, 100)),)),
    "prelu": Shape(None, 1, ((0, R(3, 4)),)),
    "abs": Shape("even", 1, ((0, 2),)),
    "relu6": Shape(None, None, ((0, 1), (6, -1))),
    "hardtanh": Shape("odd", None, ((-1, 1), (1, -1))),
    "hardsigmoid": Shape(None, None, ((-3, R(1, 6)), (3, R(-1, 6)))),
    "hardswish": Shape(None, None, ((-3, R(-1, 2)), (3, R(-1, 2)))),
    "rectified_monomial": Shape(None, 2),
    "monomial": Shape("odd", 3, degree=3),
    "polynomial": Shape(degree=3),
    "hermite": Shape("odd", degree=3),
    "elu": Shape(),
    "selu": Shape(
        kinks=((0, R("1.0507009873554804934193349852946") * (1 - R("1.6732632423543772848170429916717"))),)
    ),
    "celu": Shape(),
    "erf": Shape("odd"),
    "probit": Shape(),
    "gelu": Shape(),
    "gelu_tanh": Shape(singularity=None),
    "sigmoid": Shape(singularity=sp.pi),
    "tanh": Shape("odd", singularity=sp.pi / 2),
    "softplus": Shape(singularity=sp.pi),
    "silu": Shape(singularity=sp.pi),
    "swish": Shape(singularity=sp.pi / 2),
    "mish": Shape(singularity=3 * sp.pi / 4),
    "softsign": Shape("odd", singularity=1),
    "arctan": Shape("odd", singularity=1),
    "sin": Shape("odd"),
    "cos": Shape("even"),
    "sinusoid": Shape(),
    "rbf": Shape(),
    "exp": Shape(),
    "gaussian": Shape("even"),
    "laplace": Shape("even", None, ((0, -2),)),
    "snake": Shape(),
    "quick_gelu": Shape(singularity=sp.pi / R("1.702")),
    "logcosh": Shape("even", singularity=sp.pi / 2),
    "triangle": Shape("even", None, ((-1, 1), (0, -2), (1, 1))),
}


@pytest.mark.parametrize("name", names())
def test_shape(name: str) -> None:
    activation, shape = ALL[name], SHAPE[name]
    assert activation.parity == shape.parity
    assert activation.homogeneity == shape.homogeneity
    assert activation.kinks == shape.kinks
    assert activation.jumps == shape.jumps
    assert activation.is_continuous == (not shape.jumps)
    assert activation.polynomial_degree == shape.degree
    assert activation.max_variance == activation.derivative_max_variance == sp.oo
    assert activation.singularity_distance == shape.singularity
    assert activation.parameters == ()


def test_mish_pole_is_where_it_is_said_to_be() -> None:
    """``(1 + e^z)^2 = -1`` at ``z = log(2)/2 + 3 pi i/4``: |mish| is huge next to it."""
    pole = mp.log(2) / 2 + 0.75j * mp.pi
    values = [abs(z * mp.tanh(mp.log(1 + mp.exp(z)))) for z in (pole + 1e-6, pole + 1e-3)]
    assert values[0] > 1e5
    assert values[1] > 1e2


@pytest.mark.parametrize("name", names())
def test_pickle_latex_and_looks(name: str) -> None:
    activation = ALL[name]
    again = pickle.loads(pickle.dumps(activation))
    assert again == activation
    assert hash(again) == hash(activation)
    assert again.name == activation.name
    assert str(activation).startswith(name)
    assert activation._repr_latex_().startswith("$")


def test_records_are_described() -> None:
    for record in CATALOGUE:
        assert record.description
        assert record.reference
        assert record.is_family == bool(record.standard)
    assert len({activation.expression for activation in ALL.values()}) == len(ALL)


def test_module_attributes() -> None:
    """Each fixed record is an attribute; each family is the function of the same name."""
    for record in CATALOGUE:
        attribute = getattr(activations, "absolute" if record.name == "abs" else record.name)
        assert attribute is record.what


def test_hermite_polynomials_are_orthonormal() -> None:
    """Exact integrals of ``h_m h_n`` against the normal density, by the moments (k-1)!!."""
    for m in range(7):
        for n in range(7):
            product = sp.Poly(activations.hermite(m).expression * activations.hermite(n).expression, x)
            terms = product.terms()
            total = sum(c * sp.factorial2(k - 1) for (k,), c in terms if k % 2 == 0)
            assert sp.simplify(total) == (m == n)


def test_families_take_exact_numbers_and_symbols() -> None:
    alpha = sp.Symbol("alpha", positive=True)
    assert activations.leaky_relu("0.1") == activations.leaky_relu(R(1, 10))
    assert activations.leaky_relu(alpha).parameters == ("alpha",)
    assert activations.leaky_relu(alpha).with_parameters(alpha="1/100") == ALL["leaky_relu"]
    assert activations.leaky_relu(0) == activations.rectified_monomial(1)
    assert activations.elu("beta").parameters == ("beta",)
    assert activations.celu(1) == activations.elu(1)
    assert activations.monomial(1) == activations.identity
    assert activations.polynomial([1, 2, 0, 1]) == ALL["polynomial"] == activations.polynomial(1, 2, 0, 1)
    assert activations.hermite(0).expression == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: activations.leaky_relu(0.1),
        lambda: activations.leaky_relu(sp.Float("0.1")),
        lambda: activations.leaky_relu(np.float64(0.1)),
        lambda: activations.leaky_relu(x),
        lambda: activations.leaky_relu("x"),
        lambda: activations.leaky_relu(None),
        lambda: activations.leaky_relu(sp.I),
        lambda: activations.leaky_relu(sp.oo),
        lambda: activations.monomial(-1),
        lambda: activations.monomial("1/2"),
        lambda: activations.monomial(1000),
        lambda: activations.hermite(True),
        lambda: activations.softplus(0),
        lambda: activations.softplus(-1),
        lambda: activations.celu("-1"),
        lambda: activations.polynomial(),
        lambda: get("leaky_relu"),
        lambda: get("gelu(1)"),
        lambda: get("leaky_relu(1,2)"),
        lambda: get("leaky_relu(1"),
        lambda: get("nonsense"),
        lambda: get(3),
        lambda: resolve("nonsense(x)"),
        lambda: resolve(""),
        lambda: resolve(None),
        lambda: resolve("leaky_relu(x)"),
    ],
)
def test_misuse(wrong: Callable[[], Activation]) -> None:
    with pytest.raises(DomainError):
        wrong()


def test_get_and_resolve() -> None:
    assert get("gelu") is activations.gelu
    assert get(" leaky_relu( 1/10 ) ") == activations.leaky_relu("1/10")
    assert get("sinusoid(1, 2, pi/4)") == activations.sinusoid(1, 2, sp.pi / 4)
    assert get("softplus") == activations.softplus(1)
    assert get("rectified_monomial(2)") == ALL["rectified_monomial"]
    with pytest.raises(DomainError, match="did you mean gelu"):
        get("gleu")
    assert resolve("gelu") == resolve("gelu(x)") == resolve("x*Phi(x)")
    assert resolve("mish(x)") == activations.mish
    assert resolve("softplus(2)") == activations.softplus(2)
    assert resolve("softplus(2*x)").expression == activations.softplus(1).expression.subs(x, 2 * x)
    assert resolve("sin(x) + cos(x)") == activations.rbf
    assert resolve("(x)") == activations.identity
    assert resolve("x") == activations.identity
    with pytest.raises(DomainError, match="did you mean the activation mish"):
        resolve("misch")


@pytest.mark.parametrize("record", CATALOGUE, ids=lambda r: r.name)
def test_names_reach_their_record(record: activations.Entry) -> None:
    assert entry(record.name) is record
    arguments = ", ".join(str(s) for s in record.standard)
    assert get(f"{record.name}({arguments})" if arguments else record.name) == ALL[record.name]


def test_floats_do_not_overflow() -> None:
    far = np.array([-1e6, -1e3, 1e3, 1e6])
    for name in (
        "sigmoid",
        "softplus",
        "silu",
        "mish",
        "gelu",
        "logcosh",
        "elu",
        "tanh",
        "quick_gelu",
        "gaussian",
    ):
        values = ALL[name](far)
        assert np.isfinite(values).all(), name
    assert ALL["logcosh"](far) == pytest.approx(abs(far) - math.log(2), rel=1e-15)
