"""The catalogue of named activations: one record each.

Activations without parameters are module attributes (``activations.gelu``); families are functions of
exact numbers or sympy symbols (``activations.leaky_relu("1/100")``). :func:`get` looks a name up,
:func:`resolve` reads a name or a formula, :func:`all_activations` gives one representative of each.
Growing the catalogue is adding one record to ``CATALOGUE``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp

from analytic_ntk.activation import Activation, constant
from analytic_ntk.arithmetic.functions import Phi
from analytic_ntk.arithmetic.functions import sigmoid as logistic
from analytic_ntk.arithmetic.functions import softplus as log_one_plus_exp
from analytic_ntk.display import Shown
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.notation import x
from analytic_ntk.parser import parse_expression

# ------------------------------------------------------------------------------------ building


def _parameter(value: ExactNumber) -> sp.Expr:
    if isinstance(value, sp.Expr) and value.free_symbols and not value.has(sp.Float):
        if x in value.free_symbols:
            raise DomainError(f"the parameter {value}", "a number, or a symbol other than x")
        return value.xreplace({s: sp.Symbol(s.name, real=True) for s in value.free_symbols if not s.is_real})
    if isinstance(value, str):
        return (
            _parameter(parse_expression(value)) if parse_expression(value).free_symbols else constant(value)
        )
    return constant(value)


def _degree(value: ExactNumber) -> int:
    number = constant(value)
    if not number.is_Integer or number < 0 or number > 100:
        raise DomainError(f"the degree {value}", "an integer from 0 to 100")
    return int(number)


def _positive(value: ExactNumber, what: str) -> sp.Expr:
    number = _parameter(value)
    if number.is_number and not number.is_positive:
        raise DomainError(f"{what} = {number}", "a positive number")
    return number


def _build(expr: sp.Expr, name: str, *arguments: sp.Expr | int) -> Activation:
    shown = f"{name}({', '.join(str(a) for a in arguments)})" if arguments else name
    return Activation(expr, shown)


def leaky_relu(alpha: ExactNumber) -> Activation:
    """``x`` for ``x > 0``, ``alpha x`` otherwise.

    >>> leaky_relu("1/100").kinks
    ((0, 99/100),)
    """
    a = _parameter(alpha)
    return _build(sp.Piecewise((x, x > 0), (a * x, True)), "leaky_relu", a)


def prelu(alpha: ExactNumber) -> Activation:
    """``x`` for ``x > 0``, ``alpha x`` otherwise; ``alpha`` is a learned slope."""
    a = _parameter(alpha)
    return _build(sp.Piecewise((x, x > 0), (a * x, True)), "prelu", a)


def rectified_monomial(n: ExactNumber) -> Activation:
    """``x^n`` for ``x > 0``, 0 otherwise (``n = 0`` the step, 1 ReLU, 2 squared ReLU)."""
    k = _degree(n)
    return _build(sp.Piecewise((x**k, x > 0), (0, True)), "rectified_monomial", k)


def monomial(n: ExactNumber) -> Activation:
    """``x^n``."""
    k = _degree(n)
    return _build(x**k, "monomial", k)


def polynomial(*coefficients: ExactNumber) -> Activation:
    """``c_0 + c_1 x + c_2 x^2 + ...`` from its coefficients, constant first; one sequence is accepted too.

    >>> polynomial(1, 0, "1/2").expression
    x**2/2 + 1
    """
    given: Sequence[ExactNumber] = coefficients
    if len(coefficients) == 1 and isinstance(coefficients[0], (list, tuple)):
        given = coefficients[0]
    if not given or len(given) > 101:
        raise DomainError(f"{len(given)} coefficients", "1 to 101 of them")
    values = [_parameter(c) for c in given]
    return _build(sp.Add(*(c * x**k for k, c in enumerate(values))), "polynomial", *values)


def hermite(n: ExactNumber) -> Activation:
    """The normalised probabilists' Hermite polynomial ``He_n / sqrt(n!)``, orthonormal for the normal law.

    >>> hermite(3).expression
    sqrt(6)*(x**3 - 3*x)/6
    """
    k = _degree(n)
    lower, upper = sp.Integer(0), sp.Integer(1)
    for j in range(k):  # He_{j+1} = x He_j - j He_{j-1}
        lower, upper = upper, sp.expand(x * upper - j * lower)
    return _build(upper / sp.sqrt(sp.factorial(k)), "hermite", k)


def elu(alpha: ExactNumber) -> Activation:
    """``x`` for ``x > 0``, ``alpha (exp(x) - 1)`` otherwise."""
    a = _parameter(alpha)
    return _build(sp.Piecewise((x, x > 0), (a * (sp.exp(x) - 1), True)), "elu", a)


def celu(alpha: ExactNumber) -> Activation:
    """``x`` for ``x > 0``, ``alpha (exp(x/alpha) - 1)`` otherwise; ``alpha > 0``. Its slope is continuous."""
    a = _positive(alpha, "alpha")
    return _build(sp.Piecewise((x, x > 0), (a * (sp.exp(x / a) - 1), True)), "celu", a)


def softplus(beta: ExactNumber) -> Activation:
    """``log(1 + exp(beta x)) / beta``, ``beta > 0``."""
    b = _positive(beta, "beta")
    return _build(log_one_plus_exp(b * x) / b, "softplus", b)


def swish(beta: ExactNumber) -> Activation:
    """``x sigmoid(beta x)``."""
    b = _parameter(beta)
    return _build(x * logistic(b * x), "swish", b)


def sinusoid(a: ExactNumber, b: ExactNumber, c: ExactNumber) -> Activation:
    """``a sin(b x + c)``."""
    p, q, r = _parameter(a), _parameter(b), _parameter(c)
    return _build(p * sp.sin(q * x + r), "sinusoid", p, q, r)


# ------------------------------------------------------------------------------------ the records


@dataclass(frozen=True)
class Entry(Shown):
    """One line of the catalogue: a fixed activation, or a family with arguments that represent it.

    ``default`` are the arguments that the bare name stands for, where the literature agrees on them;
    ``standard`` are the arguments of the representative in :func:`all_activations`.
    """

    name: str
    what: Activation | Callable[..., Activation]
    description: str
    reference: str
    standard: tuple[ExactNumber, ...] = ()
    default: tuple[ExactNumber, ...] | None = None

    @property
    def is_family(self) -> bool:
        return not isinstance(self.what, Activation)

    def __call__(self, *arguments: ExactNumber) -> Activation:
        """The activation at these arguments (none: the fixed one, or the agreed default)."""
        if isinstance(self.what, Activation):
            if arguments:
                raise DomainError(
                    f"{self.name} with {len(arguments)} arguments", "no arguments", f'use "{self.name}"'
                )
            return self.what
        if not arguments:
            if self.default is None:
                shown = ", ".join(str(s) for s in self.standard)
                raise DomainError(
                    f"{self.name} without arguments", "its parameters", f'e.g. "{self.name}({shown})"'
                )
            arguments = self.default
        try:
            return self.what(*arguments)
        except TypeError as error:
            raise DomainError(
                f"{self.name} with {len(arguments)} arguments", f"{len(self.standard)} of them"
            ) from error

    def representative(self) -> Activation:
        """The concrete member that stands for the record in tables and tests."""
        return self(*self.standard)


_ALPHA = sp.Rational("1.6732632423543772848170429916717")
_SCALE = sp.Rational("1.0507009873554804934193349852946")
_RELU_6 = sp.Min(sp.Max(x + 3, 0), 6)


def _fixed(name: str, expr: sp.Expr, description: str, reference: str) -> Entry:
    return Entry(name, Activation(expr, name), description, reference)


CATALOGUE: tuple[Entry, ...] = (
    _fixed("identity", x, "x", "linear networks"),
    _fixed("step", sp.Heaviside(x), "1 for x > 0, 0 for x < 0", "McCulloch, Pitts 1943"),
    _fixed("sign", sp.sign(x), "the sign of x", "Rosenblatt 1958"),
    _fixed("relu", sp.Max(x, 0), "max(x, 0)", "Nair, Hinton 2010"),
    Entry("leaky_relu", leaky_relu, "x or alpha x", "Maas, Hannun, Ng 2013", ("1/100",)),
    Entry("prelu", prelu, "x or alpha x, alpha learned", "He et al. 2015", ("1/4",), ("1/4",)),
    _fixed("abs", sp.Abs(x), "|x|", "Bruna, Mallat 2013"),
    _fixed("relu6", sp.Min(sp.Max(x, 0), 6), "min(max(x, 0), 6)", "Krizhevsky 2010"),
    _fixed("hardtanh", sp.Min(sp.Max(x, -1), 1), "x cut to [-1, 1]", "Collobert 2004"),
    _fixed("hardsigmoid", _RELU_6 / 6, "min(max(x + 3, 0), 6) / 6", "Howard et al. 2019"),
    _fixed("hardswish", x * _RELU_6 / 6, "x hardsigmoid(x)", "Howard et al. 2019"),
    Entry("rectified_monomial", rectified_monomial, "max(x, 0)^n", "Cho, Saul 2009", (2,)),
    Entry("monomial", monomial, "x^n", "Livni, Shalev-Shwartz, Shamir 2014", (3,)),
    Entry("polynomial", polynomial, "sum c_k x^k", "Livni, Shalev-Shwartz, Shamir 2014", (1, 2, 0, 1)),
    Entry("hermite", hermite, "He_n / sqrt(n!)", "Daniely, Frostig, Singer 2016", (3,)),
    Entry("elu", elu, "x or alpha (exp(x) - 1)", "Clevert, Unterthiner, Hochreiter 2016", (1,), (1,)),
    _fixed(
        "selu",
        _SCALE * sp.Piecewise((x, x > 0), (_ALPHA * (sp.exp(x) - 1), True)),
        "the self-normalising scaled ELU",
        "Klambauer et al. 2017",
    ),
    Entry("celu", celu, "x or alpha (exp(x/alpha) - 1)", "Barron 2017", (2,), (1,)),
    _fixed("erf", sp.erf(x), "erf(x)", "Williams 1997"),
    _fixed("probit", Phi(x), "the normal distribution function", "Bliss 1934"),
    _fixed("gelu", x * Phi(x), "x Phi(x)", "Hendrycks, Gimpel 2016"),
    _fixed(
        "gelu_tanh",
        x / 2 * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * x**3))),
        "the tanh approximation of GELU",
        "Hendrycks, Gimpel 2016",
    ),
    _fixed("sigmoid", logistic(x), "1 / (1 + exp(-x))", "Rumelhart, Hinton, Williams 1986"),
    _fixed("tanh", sp.tanh(x), "tanh(x)", "LeCun et al. 1998"),
    Entry("softplus", softplus, "log(1 + exp(beta x)) / beta", "Dugas et al. 2001", (1,), (1,)),
    _fixed("silu", x * logistic(x), "x sigmoid(x)", "Elfwing, Uchibe, Doya 2018"),
    Entry("swish", swish, "x sigmoid(beta x)", "Ramachandran, Zoph, Le 2017", (2,), (1,)),
    _fixed("mish", x * sp.tanh(log_one_plus_exp(x)), "x tanh(softplus(x))", "Misra 2019"),
    _fixed("softsign", x / (1 + sp.Abs(x)), "x / (1 + |x|)", "Bergstra et al. 2009"),
    _fixed("arctan", sp.atan(x), "arctan(x)", "classical"),
    _fixed("sin", sp.sin(x), "sin(x)", "Sitzmann et al. 2020"),
    _fixed("cos", sp.cos(x), "cos(x)", "Rahimi, Recht 2007"),
    Entry("sinusoid", sinusoid, "a sin(b x + c)", "Sitzmann et al. 2020", (1, 2, "1/2")),
    _fixed("rbf", sp.sin(x) + sp.cos(x), "sin(x) + cos(x): dual exp(rho - 1)", "Rahimi, Recht 2007"),
    _fixed("exp", sp.exp(x), "exp(x)", "Daniely, Frostig, Singer 2016"),
    _fixed("gaussian", sp.exp(-(x**2)), "exp(-x^2)", "Williams 1997"),
    _fixed("laplace", sp.exp(-sp.Abs(x)), "exp(-|x|)", "classical"),
    _fixed("snake", x + sp.sin(x) ** 2, "x + sin(x)^2", "Ziyin, Hartwig, Ueda 2020"),
    _fixed(
        "quick_gelu", x * logistic(sp.Rational("1.702") * x), "x sigmoid(1.702 x)", "Hendrycks, Gimpel 2016"
    ),
    _fixed(
        "logcosh",
        x + log_one_plus_exp(-2 * x) - sp.log(2),
        "log(cosh(x)), written so as not to overflow",
        "classical",
    ),
    _fixed("triangle", sp.Max(1 - sp.Abs(x), 0), "the tent max(1 - |x|, 0)", "classical"),
)
"""Every record of the catalogue."""

_BY_NAME: dict[str, Entry] = {entry.name: entry for entry in CATALOGUE}
if len(_BY_NAME) != len(CATALOGUE):
    raise AssertionError("two records of the catalogue share a name")

identity = _BY_NAME["identity"]()
step = _BY_NAME["step"]()
sign = _BY_NAME["sign"]()
relu = _BY_NAME["relu"]()
absolute = _BY_NAME["abs"]()
relu6 = _BY_NAME["relu6"]()
hardtanh = _BY_NAME["hardtanh"]()
hardsigmoid = _BY_NAME["hardsigmoid"]()
hardswish = _BY_NAME["hardswish"]()
selu = _BY_NAME["selu"]()
erf = _BY_NAME["erf"]()
probit = _BY_NAME["probit"]()
gelu = _BY_NAME["gelu"]()
gelu_tanh = _BY_NAME["gelu_tanh"]()
sigmoid = _BY_NAME["sigmoid"]()
tanh = _BY_NAME["tanh"]()
silu = _BY_NAME["silu"]()
mish = _BY_NAME["mish"]()
softsign = _BY_NAME["softsign"]()
arctan = _BY_NAME["arctan"]()
sin = _BY_NAME["sin"]()
cos = _BY_NAME["cos"]()
rbf = _BY_NAME["rbf"]()
exp = _BY_NAME["exp"]()
gaussian = _BY_NAME["gaussian"]()
laplace = _BY_NAME["laplace"]()
snake = _BY_NAME["snake"]()
quick_gelu = _BY_NAME["quick_gelu"]()
logcosh = _BY_NAME["logcosh"]()
triangle = _BY_NAME["triangle"]()


# ------------------------------------------------------------------------------------ looking up


def names() -> tuple[str, ...]:
    """The names in the catalogue, in its order."""
    return tuple(_BY_NAME)


def entry(name: str) -> Entry:
    """The record with this name; :class:`DomainError` names the nearest one."""
    if not isinstance(name, str):
        raise DomainError(f"{name!r}"[:100], "the name of an activation as a string")
    if name in _BY_NAME:
        return _BY_NAME[name]
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.4)
    remedy = f"did you mean {near[0]}?" if near else "see activations.names()"
    raise DomainError(f"the activation {name[:40]!r}", f"one of {', '.join(_BY_NAME)}", remedy)


def get(text: str) -> Activation:
    """The catalogue's ``name`` or ``name(arguments)``, the arguments being exact numbers or parameters.

    Raises :class:`DomainError` for an unknown name (with the nearest one) and for a family whose parameter
    has no agreed value.

    >>> get("leaky_relu(1/10)").expression
    Piecewise((x, x > 0), (x/10, True))
    """
    name, arguments = _name_and_arguments(text)
    found = entry(name)
    return found(*arguments)


def _name_and_arguments(text: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(text, str):
        raise DomainError(f"{text!r}"[:100], "the name of an activation as a string")
    head, bracket, rest = text.strip().partition("(")
    if not bracket:
        return head, ()
    if not rest.endswith(")"):
        raise DomainError(f"{text[:80]!r}", "a name, or name(arguments)", "close the bracket")
    return head.strip(), tuple(part.strip() for part in rest[:-1].split(","))


def resolve(text: str) -> Activation:
    """What the command line reads: a catalogue name, with or without arguments, or else a formula in ``x``.

    ``"gelu"``, ``"elu(1/2)"``, ``"mish(x)"`` and ``"x*tanh(x)"`` are all understood. A name followed by
    arguments free of ``x`` is a catalogue entry; otherwise the text is a formula.

    >>> resolve("x*Phi(x)") == resolve("gelu") == resolve("gelu(x)")
    True
    """
    try:
        name, arguments = _name_and_arguments(text)
    except DomainError:
        return Activation.parse(text)
    if name in _BY_NAME:
        if arguments == ("x",):
            return entry(name)()
        if not any(_mentions_x(part) for part in arguments):
            return entry(name)(*arguments)
    try:
        return Activation.parse(text)
    except DomainError as error:
        near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.6)
        if near and near[0] != name:
            raise DomainError(
                error.given, error.required, f"did you mean the activation {near[0]}?"
            ) from error
        raise


def _mentions_x(text: str) -> bool:
    try:
        return x in parse_expression(text).free_symbols
    except DomainError:
        return True


def all_activations() -> dict[str, Activation]:
    """One concrete representative of every record, by name."""
    return {name: found.representative() for name, found in _BY_NAME.items()}
