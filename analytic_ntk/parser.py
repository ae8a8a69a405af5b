"""Text to expression, safely: a recursive-descent reader over a whitelist, and the stable normal form.

Nothing typed by a user is ever evaluated as Python. The grammar, lowest precedence first::

    condition   or  |          (inside Piecewise only)
    condition   and &
    comparison  < <= > >=      (chains such as -1 < x <= 1 allowed)
    sum         + -
    product     * /
    sign        + -            (so -x**2 is -(x**2))
    power       ** ^           (right associative)
    atom        number, name, name(arguments), (expression)

A decimal stands for itself exactly: ``0.1`` is 1/10. ``x`` is the argument. A **parameter** is the name of a
Greek letter (``alpha`` ... ``omega``, without ``pi``), the word ``slope``, or one ASCII letter other than
``x``, ``X``, ``e``, ``E``, ``I``, ``O``; every other name is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import sympy as sp
from flint import arb

from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.arithmetic.interpret import compile_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import AnalyticNTKError, DomainError
from analytic_ntk.notation import x

MAX_LENGTH = 1000
MAX_DEPTH = 40
MAX_DIGITS = 60
MAX_ARGUMENTS = 24
MAX_EXPONENT = 100
MAX_MAGNITUDE_BITS = 2000

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron rho sigma tau "
    "upsilon phi chi psi omega".split()
)
_NOT_LETTERS = frozenset("xXeEIO")

_CONSTANTS = {"pi": sp.pi, "E": sp.E, "x": x}

_UNARY: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "atan": sp.atan,
    "arctan": sp.atan,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": lambda z: sp.Max(z, 0),
    "gelu": lambda z: z * Phi(z),
    "silu": lambda z: z * sigmoid(z),
    "Phi": Phi,
    "Heaviside": lambda z: sp.Heaviside(z),
    "sign": sp.sign,
    "Abs": sp.Abs,
    "abs": sp.Abs,
}
_VARIADIC: dict[str, Callable[..., sp.Expr]] = {"Max": sp.Max, "Min": sp.Min}
FUNCTIONS = (*_UNARY, *_VARIADIC, "Piecewise")
"""Every function name the reader knows."""

_COMPARE = {"<": sp.StrictLessThan, "<=": sp.LessThan, ">": sp.StrictGreaterThan, ">=": sp.GreaterThan}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<operator>\*\*|<=|>=|[-+*/^()<>,&|])"
    r"|(?P<end>\Z))"
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


def is_parameter_name(name: str) -> bool:
    """Whether ``name`` may stand for a real parameter (see the module docstring for the rule)."""
    if name in GREEK or name == "slope":
        return True
    return len(name) == 1 and name.isascii() and name.isalpha() and name not in _NOT_LETTERS


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:]
            column = position + len(rest) - len(rest.lstrip())
            raise DomainError(
                f"the character {text[column]!r} at column {column + 1}",
                "numbers, names, + - * / ** ^ ( ) , and comparisons",
                "write the formula in plain ASCII arithmetic",
            )
        kind = match.lastgroup or "end"
        found.append(_Token(kind, match.group(kind), match.start(kind)))
        if kind == "end":
            return found
        position = match.end()


class Reader:
    """One text being read; a subclass may widen the limits or the names."""

    max_length = MAX_LENGTH
    max_digits = MAX_DIGITS
    max_exponent = MAX_EXPONENT

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0
        self.depth = 0

    # ------------------------------------------------------------------ reading and refusing

    @property
    def current(self) -> _Token:
        return self.tokens[self.position]

    def accept(self, *texts: str) -> _Token | None:
        token = self.current
        if token.kind in ("operator", "name") and token.text in texts:
            self.position += 1
            return token
        return None

    def expect(self, text: str) -> _Token:
        token = self.accept(text)
        if token is None:
            shown = repr(self.current.text) if self.current.text else "the end of the text"
            self.refuse(self.current, shown, f"{text!r} here")
        return token

    def refuse(self, token: _Token, given: str, required: str, remedy: str = "") -> NoReturn:
        raise DomainError(f"{given} at column {token.column + 1}", required, remedy)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(
                self.current, f"nesting deeper than {MAX_DEPTH}", "a shallower expression", "name the parts"
            )

    # ------------------------------------------------------------------ grammar

    def whole(self) -> sp.Expr:
        token = self.current
        value = self.number_valued(self.either())
        if self.current.kind != "end":
            self.refuse(
                self.current, f"unexpected {self.current.text!r}", "an operator or the end of the text"
            )
        return self.checked(value, token)

    def either(self) -> sp.Basic:
        self.enter()
        value = self.both()
        while token := self.accept("or", "|"):
            value = sp.Or(self.truth_valued(value, token), self.truth_valued(self.both(), token))
        self.depth -= 1
        return value

    def both(self) -> sp.Basic:
        value = self.comparison()
        while token := self.accept("and", "&"):
            value = sp.And(self.truth_valued(value, token), self.truth_valued(self.comparison(), token))
        return value

    def comparison(self) -> sp.Basic:
        left = self.sum()
        links = []
        while token := self.accept(*_COMPARE):
            right = self.sum()
            links.append(
                _COMPARE[token.text](self.number_valued(left, token), self.number_valued(right, token))
            )
            left = right
        return sp.And(*links) if links else left

    def sum(self) -> sp.Basic:
        value = self.product()
        while token := self.accept("+", "-"):
            right = self.number_valued(self.product(), token)
            left = self.number_valued(value, token)
            value = self.checked(left + right if token.text == "+" else left - right, token)
        return value

    def product(self) -> sp.Basic:
        value = self.signed()
        while token := self.accept("*", "/"):
            right = self.number_valued(self.signed(), token)
            left = self.number_valued(value, token)
            if token.text == "/" and right.is_zero:
                self.refuse(token, "a division by zero", "a denominator that is not zero")
            value = self.checked(left * right if token.text == "*" else left / right, token)
        return value

    def signed(self) -> sp.Basic:
        sign = 1
        marked = None
        while token := self.accept("+", "-"):
            marked = token
            sign = -sign if token.text == "-" else sign
        value = self.power()
        return value if marked is None else sign * self.number_valued(value, marked)

    def power(self) -> sp.Basic:
        base = self.atom()
        if not (token := self.accept("**", "^")):
            return base
        self.enter()
        exponent = self.number_valued(self.signed(), token)
        self.depth -= 1
        return self.raised(self.number_valued(base, token), exponent, token)

    def raised(self, base: sp.Expr, exponent: sp.Expr, token: _Token) -> sp.Expr:
        if exponent.is_Rational and abs(exponent) > self.max_exponent:
            self.refuse(token, "a power with a large exponent", f"exponents up to {self.max_exponent}")
        if base.is_zero and not exponent.is_positive:
            self.refuse(token, f"0**({exponent})", "a positive exponent over the base 0")
        if base.is_Rational and exponent.is_Rational:
            bits = max(abs(int(base.p)), int(base.q)).bit_length() * abs(exponent)
            if bits > MAX_MAGNITUDE_BITS:
                self.refuse(token, "a power too large to write out", f"at most {MAX_MAGNITUDE_BITS} bits")
        value = sp.Pow(base, exponent)
        if isinstance(value, sp.Pow) and value.exp.is_Rational and abs(value.exp) > self.max_exponent:
            self.refuse(token, "a power with a large exponent", f"exponents up to {self.max_exponent}")
        return self.checked(value, token)

    def atom(self) -> sp.Basic:
        token = self.current
        self.position += 1
        if token.kind == "number":
            if self.current.kind == "name" and self.current.column == token.column + len(token.text):
                self.refuse(
                    self.current,
                    f"{self.current.text!r} glued to a number",
                    "an operator in between",
                    "write 2*x",
                )
            return self.number(token)
        if token.kind == "name":
            return self.named(token)
        if token.text == "(":
            value = self.either()
            self.expect(")")
            if self.current.text == "(":
                self.refuse(
                    self.current, "a bracket after a bracket", "an operator in between", "write (a)*(b)"
                )
            return value
        self.position -= 1
        shown = repr(token.text) if token.text else "the end of the text"
        self.refuse(token, shown, "a number, a name or an opening bracket here")

    def number(self, token: _Token) -> sp.Expr:
        mantissa, _, exponent = token.text.lower().partition("e")
        too_long = len(mantissa) > self.max_digits or len(exponent) > 4
        if too_long or (exponent and abs(int(exponent)) > self.max_digits):
            self.refuse(token, "a number too long", f"at most {self.max_digits} digits", "round it")
        return sp.Rational(token.text)

    def named(self, token: _Token) -> sp.Basic:
        name = token.text
        if self.accept("("):
            return self.call(token)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name == "True":
            return sp.true
        if name in FUNCTIONS:
            self.refuse(
                token,
                f"the function {name} without its argument",
                "an argument in brackets",
                f"write {name}(x)",
            )
        if is_parameter_name(name):
            return sp.Symbol(name, real=True)
        self.unknown(token, (*_CONSTANTS, *FUNCTIONS, *sorted(GREEK)))

    def unknown(self, token: _Token, allowed: tuple[str, ...]) -> NoReturn:
        special = {"e": "E (Euler's number) or exp(...)", "X": "x", "I": "real numbers only"}
        near = difflib.get_close_matches(token.text, allowed, n=1, cutoff=0.5)
        remedy = special.get(token.text) or (f"did you mean {near[0]}?" if near else "see the list of names")
        self.refuse(
            token,
            f"the unknown name {token.text[:40]!r}",
            f"x, pi, E, a parameter (Greek letter name, single letter), or one of {', '.join(FUNCTIONS)}",
            remedy,
        )

    def call(self, token: _Token) -> sp.Expr:
        name = token.text
        if name not in FUNCTIONS:
            self.unknown(token, FUNCTIONS)
        self.enter()
        value = self.piecewise(token) if name == "Piecewise" else self.plain_call(token)
        self.depth -= 1
        return self.checked(value, token)

    def plain_call(self, token: _Token) -> sp.Expr:
        arguments = [self.number_valued(self.either(), token)]
        while self.accept(","):
            self.count(len(arguments), token)
            arguments.append(self.number_valued(self.either(), token))
        self.expect(")")
        if token.text in _VARIADIC:
            return _VARIADIC[token.text](*arguments)
        if len(arguments) != 1:
            self.refuse(token, f"{len(arguments)} arguments for {token.text}", "one argument")
        if token.text == "log" and arguments[0].is_zero:
            self.refuse(token, "log(0)", "a positive argument")
        return _UNARY[token.text](arguments[0])

    def count(self, already: int, token: _Token) -> None:
        """sympy compares the arguments of Max pairwise: keep them few."""
        if already >= MAX_ARGUMENTS:
            self.refuse(token, f"more than {MAX_ARGUMENTS} arguments", f"at most {MAX_ARGUMENTS} arguments")

    def piecewise(self, token: _Token) -> sp.Expr:
        branches: list[tuple[sp.Expr, sp.Basic]] = []
        while True:
            self.count(len(branches), token)
            self.expect("(")
            value = self.number_valued(self.either(), token)
            comma = self.expect(",")
            condition = self.truth_valued(self.either(), comma)
            self.expect(")")
            branches.append((value, condition))
            if not self.accept(","):
                break
        self.expect(")")
        if branches[-1][1] != sp.true:
            self.refuse(
                token,
                "a Piecewise without a last word",
                "True as the last condition",
                "end it with (value, True)",
            )
        return sp.Piecewise(*branches)

    # ------------------------------------------------------------------ values

    def number_valued(self, value: sp.Basic, token: _Token | None = None) -> sp.Expr:
        if isinstance(value, sp.Expr):
            return value
        self.refuse(
            token or self.current, "a condition where a number is needed", "a number", "use Piecewise"
        )

    def truth_valued(self, value: sp.Basic, token: _Token) -> sp.Basic:
        if isinstance(value, sp.Expr):
            self.refuse(token, "a number where a condition is needed", "a comparison such as x > 0")
        return value

    def checked(self, value: sp.Expr, token: _Token) -> sp.Expr:
        """Refuse, where they arise, the infinite, the imaginary and the astronomically large."""
        if value.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
            self.refuse(token, "an infinite or undefined value", "finite numbers")
        if value.has(sp.I):
            self.refuse(token, "a complex value", "real numbers", "keep arguments of sqrt and log positive")
        if value.is_number and not value.is_Rational and not _is_moderate(value):
            self.refuse(
                token,
                "a constant that is not real or is too large or too small",
                f"real constants between 2**-{MAX_MAGNITUDE_BITS} and 2**{MAX_MAGNITUDE_BITS} in size",
            )
        if value.is_Rational and max(abs(int(value.p)), int(value.q)).bit_length() > 4 * MAX_MAGNITUDE_BITS:
            self.refuse(token, "a number too large", f"at most {4 * MAX_MAGNITUDE_BITS} bits")
        return value


def _is_moderate(value: sp.Expr) -> bool:
    """Ball arithmetic is safe where mpmath is not: exp(exp(exp(20))) would keep mpmath busy for ever."""
    with working_precision(128):
        try:
            ball = compile_ball(value, ())()
        except AnalyticNTKError:
            return False
        if not isinstance(ball, arb) or not ball.is_finite():
            return False
        size = abs(ball)
        bound = arb(2) ** MAX_MAGNITUDE_BITS
        return bool(size < bound) and bool(size * bound > 1 or ball.contains(0))


def parse_expression(text: str, reader: type[Reader] = Reader) -> sp.Expr:
    """The sympy expression that ``text`` writes down, in ``notation.x`` and real parameters.

    ``reader`` holds the limits and the names; another one serves text that a program wrote. Raises
    :class:`DomainError` naming the column on anything outside the grammar (see the module).

    >>> from analytic_ntk.parser import parse_expression
    >>> parse_expression("0.5*x + relu(x)^2")
    x/2 + Max(0, x)**2
    >>> parse_expression("1/(1+exp(-alpha*x))")
    sigmoid(alpha*x)
    """
    if not isinstance(text, str):
        raise DomainError(f"{text!r}"[:100], "a string", "pass the formula as text")
    if len(text) > reader.max_length:
        raise DomainError(
            f"{len(text)} characters", f"at most {reader.max_length}", "build the sympy expression instead"
        )
    try:
        return normalise(reader(text).whole())
    except AnalyticNTKError:
        raise
    except (
        ArithmeticError,
        TypeError,
        ValueError,
        RecursionError,
        NotImplementedError,
        AttributeError,
    ) as error:
        raise DomainError(
            f"the expression {text[:80]!r} ({type(error).__name__}: {str(error)[:80]})",
            "an expression sympy can hold",
            "write it in another way",
        ) from error


# ------------------------------------------------------------------------------------ the stable normal form


def normalise(expr: sp.Expr) -> sp.Expr:
    """The same function with overflow-safe heads.

    ``log(1 + exp(g))`` becomes ``softplus(g)``, ``1/(1 + exp(g))`` becomes ``sigmoid(-g)``,
    ``exp(g) sigmoid(-g)`` becomes ``sigmoid(g)``; ``c**g`` with a positive number ``c`` becomes
    ``exp(g log c)``; sech, csch-free hyperbolic quotients become ``cosh``, ``tanh``.

    >>> import sympy as sp
    >>> from analytic_ntk.notation import x
    >>> normalise(sp.exp(x) / (1 + sp.exp(x))), normalise(sp.log(1 + sp.exp(-x)))
    (sigmoid(x), softplus(-x))
    """
    return expr.replace(_rewritable, _rewrite)


def _rewritable(node: sp.Basic) -> bool:
    return isinstance(node, (sp.log, sp.Pow, sp.Mul, sp.sech))


def _rewrite(node: sp.Expr) -> sp.Expr:
    if isinstance(node, sp.sech):
        return 1 / sp.cosh(node.args[0])
    if isinstance(node, sp.log):
        found = _scaled_one_plus_exp(node.args[0])
        return node if found is None else sp.log(found[0]) + softplus(found[1])
    if isinstance(node, sp.Pow):
        return _rewrite_power(node)
    return _merge_sigmoid(node)


def _rewrite_power(node: sp.Pow) -> sp.Expr:
    if node.exp.free_symbols and node.base.is_number and node.base.is_positive and node.base != sp.E:
        return sp.exp(node.exp * sp.log(node.base))
    if node.exp.is_Integer and node.exp.is_negative:
        found = _scaled_one_plus_exp(node.base)
        if found is not None:
            return (sigmoid(-found[1]) / found[0]) ** (-node.exp)
    return node


def _scaled_one_plus_exp(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """``(c, g)`` when ``expr`` is ``c (1 + exp(g))`` with a positive rational ``c``."""
    if not (isinstance(expr, sp.Add) and len(expr.args) == 2):
        return None
    for constant, other in (expr.args, expr.args[::-1]):
        if constant.is_Rational and constant.is_positive:
            ratio = other / constant
            if isinstance(ratio, sp.exp) and ratio.free_symbols:
                return constant, ratio.args[0]
    return None


def _merge_sigmoid(node: sp.Mul) -> sp.Expr:
    """``exp(a) sigmoid(b)`` with ``a = -b``: the exponential joins the sigmoid, ``sigmoid(-b)``."""
    factors = list(node.args)
    for i, factor in enumerate(factors):
        if isinstance(factor, sp.exp):
            for j, other in enumerate(factors):
                if isinstance(other, sigmoid) and sp.expand(factor.args[0] + other.args[0]) == 0:
                    rest = [f for k, f in enumerate(factors) if k not in (i, j)]
                    return sp.Mul(*rest, sigmoid(-other.args[0]))
    return node
