"""``Activation``: a function of one real variable as a datum, and what is derived from it.

An activation is a sympy expression in ``notation.x`` and possibly real parameters. It is checked once, at
birth: exact numbers only, known functions only, real and analytic on a neighbourhood of each closed piece
between its breakpoints (so that it and its derivative are bounded on bounded sets). Everything else (kinks,
parity, growth, ...) is derived on demand and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Typeset, axes_for, markdown_table, plain, short, tidy, typeset
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError, DomainError, NoClosedFormError, UndecidedError
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.gaussian import envelope, singularities
from analytic_ntk.gaussian.identities import (
    as_polynomial,
    canonical,
    is_not_smooth,
    polynomial_powers,
    vanishes,
)
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.gaussian.terms import Terms, terms_of
from analytic_ntk.gaussian.values import Array, evaluate, real_array
from analytic_ntk.hermite import (
    DecayLaw,
    FloatCoefficients,
    HermiteFormula,
    HermiteRecurrence,
    HermiteTable,
    InformationExponent,
    decay_law,
    exact_coefficients,
    hermite_floats,
    hermite_formula,
    hermite_recurrence,
    hermite_table,
    information_exponent,
)
from analytic_ntk.notation import x
from analytic_ntk.parser import normalise, parse_expression

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SMOOTH = (
    sp.exp, sp.log, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf, sp.erfc,
    fn.Phi, fn.sigmoid, fn.softplus,
)  # fmt: skip
_SWITCHES = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
_STRUCTURE = (sp.Add, sp.Mul, sp.Pow, sp.Symbol, sp.Rational)
_CONDITIONS = (
    sp.functions.elementary.piecewise.ExprCondPair, sp.And, sp.Or, sp.Not, sp.core.relational.Relational,
    sp.logic.boolalg.BooleanAtom,
)  # fmt: skip
_KNOWN = (*_SMOOTH, *_SWITCHES, *_STRUCTURE, *_CONDITIONS)
MOST_PLACES = 5
"""Jumps and kinks that are shown."""


@dataclass(frozen=True)
class Activation(Typeset):
    """A scalar activation ``phi``, given by ``expression`` in one real symbol.

    A single free symbol, whatever its name, is taken as the argument and renamed to ``x``; among several,
    the one named ``x`` is the argument and the others are real parameters. No free symbol: a constant.
    Two activations are equal when their (normalised) expressions are.

    Raises :class:`DomainError` for floats, unknown functions, complex or infinite values, breakpoints that
    cannot be found exactly, and singularities on a closed piece (``1/x``, ``log(x)``, ``sqrt(Abs(x))``).

    >>> import sympy as sp
    >>> from analytic_ntk.activation import Activation
    >>> t = sp.Symbol("t")
    >>> phi = Activation(sp.Max(t, 0))
    >>> phi, phi.kinks, phi.homogeneity, phi([-1.0, 2.0])
    (Activation('Max(0, x)'), ((0, 1),), 1, array([0., 2.]))
    """

    expression: sp.Expr
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise DomainError(f"the name {self.name!r}", "a string")
        expr = normalise(_with_standard_symbols(_exact_expression(self.expression)))
        _check_functions(expr)
        object.__setattr__(self, "expression", expr)
        _check_breakpoints(self.pieces)
        singularities.check_regular(self.pieces)

    @classmethod
    def parse(cls, text: str, name: str = "") -> Activation:
        """Read an activation from text (grammar: :mod:`analytic_ntk.parser`); its argument is ``x``.

        >>> Activation.parse("x*Phi(x)").parity is None
        True
        """
        expr = parse_expression(text)
        if expr.free_symbols and x not in expr.free_symbols:
            names = ", ".join(sorted(str(s) for s in expr.free_symbols))
            raise DomainError(
                f"{text!r}, a formula in {names} only", "a formula in x", "write the argument as x"
            )
        return cls(expr, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.expression, self.name)

    # ------------------------------------------------------------------------------- parameters

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters, sorted."""
        return tuple(sorted(s.name for s in self.expression.free_symbols - {x}))

    def with_parameters(self, **numbers: ExactNumber) -> Activation:
        """The activation with some parameters replaced by exact numbers.

        Accepts ints, ``Fraction``, exact sympy numbers and strings (``"1/10"``, ``"0.1"`` is exactly 1/10).
        Raises :class:`DomainError` for floats and for names that are not parameters.

        >>> Activation.parse("Piecewise((x, x > 0), (alpha*x, True))").with_parameters(alpha="0.1")
        Activation('Piecewise((x, x > 0), (x/10, True))')
        """
        unknown = sorted(set(numbers) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "no parameters"
            raise DomainError(f"the parameter {unknown[0]!r} of {self}", f"one of: {known}")
        values = {
            s: constant(numbers[s.name], s.name) for s in self.expression.free_symbols if s.name in numbers
        }
        expr = self.expression.subs(values)
        if not expr.free_symbols - {x} or x in expr.free_symbols:
            return Activation(expr, self.name)
        raise DomainError(f"{self} at these parameters no longer depends on x", "all parameters at once")

    def require_numeric(self) -> None:
        """Raise :class:`DomainError` when a parameter has not been given a number."""
        if self.parameters:
            shown = ", ".join(f"{name}=..." for name in self.parameters)
            raise DomainError(
                f"{self} with free parameters {', '.join(self.parameters)}",
                "numbers for all parameters",
                f"use .with_parameters({shown})",
            )

    # ------------------------------------------------------------------------------- shape

    @cached_property
    def pieces(self) -> Pieces:
        """The smooth parts between exact breakpoints."""
        return Pieces.of(self.expression)

    @cached_property
    def derivative(self) -> Pieces:
        """``phi'`` away from the breakpoints (a jump of ``phi`` adds a Dirac mass: see :attr:`jumps`)."""
        return self.pieces.derivative()

    @cached_property
    def jumps(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """Places and sizes of the jumps of ``phi``."""
        return tuple((point, size) for point, size in self.pieces.jumps(0) if not vanishes(size))

    @cached_property
    def kinks(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """Places and sizes of the jumps of ``phi'``."""
        return tuple((point, size) for point, size in self.pieces.jumps(1) if not vanishes(size))

    @property
    def is_continuous(self) -> bool:
        return not self.jumps

    @cached_property
    def parity(self) -> str | None:
        """``"even"``, ``"odd"`` or ``None`` (neither, or not recognised); proved, never sampled.

        The zero function is ``"even"``. The value at a breakpoint plays no part.
        """
        points = tuple(-p for p in reversed(self.pieces.breakpoints))
        if not all(vanishes(a - b) for a, b in zip(points, self.pieces.breakpoints, strict=True)):
            return None
        parts = self.pieces.parts
        mirrored = [part.subs(x, -x) for part in reversed(parts)]
        pairs = list(zip(parts, mirrored, strict=True))[: (len(parts) + 1) // 2]
        for sign, answer in ((1, "even"), (-1, "odd")):
            if all(vanishes(part - sign * image) for part, image in pairs):
                return answer
        return None

    @cached_property
    def homogeneity(self) -> int | None:
        """The degree ``k`` with ``phi(c t) = c^k phi(t)`` for all ``c > 0``, or ``None``.

        A homogeneous function analytic on each closed half-line is a monomial there, so the decision reads
        the coefficients. Constants have degree 0 (the zero function too).
        """
        if any(not p.is_zero for p in self.pieces.breakpoints):
            return None
        degrees = set()
        for part in self.pieces.parts:
            poly = as_polynomial(part)
            if poly is None:
                return None
            degrees |= {k for (k,), c in poly.terms() if not vanishes(c)}
        if len(degrees) > 1:
            return None
        return degrees.pop() if degrees else 0

    @cached_property
    def polynomial_degree(self) -> int | None:
        """The degree if ``phi`` is a polynomial (-1 for zero), ``None`` if it is proved not to be one.

        Raises :class:`UndecidedError` where neither can be shown. A certified jump
        of some derivative rules a polynomial out; a single piece is refuted by its growth or by a finite
        difference that is not zero.
        With parameters the answer is for generic values of them.
        """
        pieces = self.pieces
        if len(pieces.parts) > 1:
            if is_not_smooth(pieces):
                return None
            pieces = pieces.map(canonical).merged()
        if len(pieces.parts) > 1:
            raise UndecidedError(f"whether {self} is a polynomial", "a decision", "simplify the pieces")
        powers = polynomial_powers(pieces.parts[0])
        return None if powers is None else max(powers, default=-1)

    # ------------------------------------------------------------------------------- growth

    @cached_property
    def max_variance(self) -> sp.Expr:
        """Supremum of the variances ``q`` with ``E phi(sqrt(q) Z)^2`` finite (``oo`` for most)."""
        self.require_numeric()
        return envelope.max_variance(self.pieces)

    @cached_property
    def derivative_max_variance(self) -> sp.Expr:
        """The same for ``phi'``."""
        self.require_numeric()
        return envelope.max_variance(self.derivative)

    def check_variance(self, q: ExactNumber) -> None:
        """Raise :class:`DomainError` unless ``0 <= q`` and ``E phi(u)^2`` is finite at variance ``q``.

        >>> Activation.parse("exp(x^2/3)").check_variance("1/2")
        """
        number = constant(q, "variance")
        if number.is_negative:
            raise DomainError(f"the variance {number}", "a non-negative number")
        self.require_numeric()
        safe = envelope.safe_variance(self.pieces)
        if safe is sp.oo or number.is_zero or (safe - number).is_positive:
            return
        limit = self.max_variance
        if not (limit - number).is_positive:
            raise DomainError(
                f"{self} at variance {number}: E phi(u)^2 is infinite",
                f"a variance below {limit}",
                "rescale the inputs or the weight variance",
            )

    @cached_property
    def singularity_distance(self) -> sp.Expr | None:
        """Distance from the real pieces to the nearest complex singularity (``None``: not known)."""
        self.require_numeric()
        return singularities.nearest_singularity(self.pieces)

    # ------------------------------------------------------------------------------- Hermite coefficients

    def hermite(self, n: int, variance: ExactNumber = 1, digits: int = 30) -> sp.Expr | Enclosure:
        """The coefficient ``a_n = E phi(sqrt(variance) Z) h_n(Z)``, ``h_n = He_n / sqrt(n!)``.

        An exact sympy number in the canonical class (symbolic parameters survive), else an
        :class:`~analytic_ntk.enclosure.Enclosure` with ``digits`` certain digits. Raises
        :class:`DomainError` for a bad order, :class:`PrecisionError` where the digits cannot be had.

        >>> Activation.parse("erf(x)").hermite(1), Activation.parse("tanh(x)").hermite(1).decimal(12)
        (2*sqrt(3)/(3*sqrt(pi)), '0.605705509602...')
        """
        q = self._positive_variance(variance)
        if self.parameters:
            exact = exact_coefficients(self.pieces, n, q)
            if len(exact) > n:
                return exact[n]
            self.require_numeric()
        row = hermite_table(self.pieces, n, digits, q, self.parity).rows[n]
        return row.value if row.expression is None else row.expression

    def hermite_table(self, order: int, digits: int = 30, variance: ExactNumber = 1) -> HermiteTable:
        """The coefficients ``a_0 .. a_order``, each exact or certified; see :meth:`hermite`."""
        self.require_numeric()
        return hermite_table(self.pieces, order, digits, self._positive_variance(variance), self.parity)

    def hermite_formula(self, variance: ExactNumber = 1) -> HermiteFormula:
        """``a_n`` in closed form, ``n`` a symbol, proved by its recurrence; parameters survive.

        Raises :class:`NoClosedFormError` outside the canonical class and where ``a_n`` is a sum of ``n``
        terms (ELU); there :meth:`hermite_recurrence` or :meth:`hermite_table` serve.

        >>> print(Activation.parse("sin(2*x)").hermite_formula())
        a_n = 0  (n even)
        a_n = (-1)**(n/2 - 1/2)*2**n*exp(-2)/sqrt(factorial(n))  (n odd)
        """
        return hermite_formula(self._canonical_terms(), self._positive_variance(variance))

    def hermite_recurrence(self, variance: ExactNumber = 1) -> HermiteRecurrence:
        """The linear recurrence in ``n`` of ``c_n = sqrt(n!) a_n``, derived, with its initial values.

        Raises :class:`NoClosedFormError` outside the canonical class.

        >>> Activation.parse("Piecewise((x, x > 0), (exp(x) - 1, True))").hermite_recurrence().equation()
        Eq((1 - n)*c(n) + (n - 1)*c(n + 1) - c(n + 2) + c(n + 3), 0)
        """
        return hermite_recurrence(self._canonical_terms(), self._positive_variance(variance))

    def _canonical_terms(self) -> Terms:
        terms = terms_of(self.pieces)
        if terms is None:
            raise NoClosedFormError(
                f"a formula for the Hermite coefficients of {self}",
                "a sum of terms c x^k exp(a x^2 + b x) psi(x), psi a step or a normal cdf",
                "use hermite_table",
            )
        return terms

    def hermite_array(self, order: int, variance: ExactNumber = 1) -> Array:
        """The coefficients ``a_0 .. a_order`` as float64 (orders up to 10,000); see :meth:`hermite_floats`.

        >>> Activation.parse("Max(x, 0)").hermite_array(2).round(4)
        array([0.3989, 0.5   , 0.2821])
        """
        return self.hermite_floats(order, variance).values

    def hermite_floats(self, order: int, variance: ExactNumber = 1) -> FloatCoefficients:
        """The same with a proved bound of each error, about ``2^-53 |a_n| + 2^-60 sqrt(E phi^2)``."""
        self.require_numeric()
        return hermite_floats(self.pieces, order, self._positive_variance(variance), self.parity)

    def hermite_decay(self, variance: ExactNumber = 1) -> DecayLaw:
        """How fast ``|a_n|`` falls, predicted from the strongest singularity; never a bound.

        >>> print(Activation.parse("Max(x, 0)").hermite_decay().exponent)
        -5/4
        """
        self.require_numeric()
        return decay_law(self.pieces, self._positive_variance(variance))

    def information_exponent(self, variance: ExactNumber = 1, digits: int = 30) -> InformationExponent:
        """The first ``n >= 1`` with ``a_n != 0``, certified: the lower ones are proved zero.

        Raises :class:`UndecidedError` where a coefficient is neither proved zero nor told from it.

        >>> print(Activation.parse("abs(x)").information_exponent().order)
        2
        """
        self.require_numeric()
        return information_exponent(self.pieces, self._positive_variance(variance), self.parity, digits)

    def _positive_variance(self, variance: ExactNumber) -> sp.Expr:
        q = constant(variance, "variance")
        if not q.is_positive:
            raise DomainError(f"variance = {q}", "a variance > 0")
        if not self.parameters:
            self.check_variance(q)
        return q

    # ------------------------------------------------------------------------------- values and looks

    def __call__(self, z: ArrayLike) -> Array:
        """``phi(z)`` elementwise in float64; at a breakpoint the mean of the two sides.

        Raises :class:`DomainError` for a NaN or an infinity in the input; a value too large for float64
        is ``inf``.
        """
        self.require_numeric()
        return evaluate(self.pieces, real_array(z))

    def plot(self, axes: Axes | None = None, low: float | None = None, high: float | None = None) -> Axes:
        """``phi`` and ``phi'`` on ``[low, high]``, the lines broken where they jump; returns the axes.

        By default from -4 to 4, and further to breakpoints up to 20. Raises :class:`DomainError` unless
        ``low < high`` are finite numbers.
        """
        self.require_numeric()
        near = [place for point in self.pieces.breakpoints if abs(place := float(point)) <= 20]
        low = min([-4.0, *(place - 1 for place in near)]) if low is None else low
        high = max([4.0, *(place + 1 for place in near)]) if high is None else high
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise DomainError(f"low = {low}, high = {high}", "two finite numbers, the smaller first")
        axes = axes_for(axes)
        places = [float(point) for point, _ in (*self.jumps, *self.kinks) if low < point < high]
        points = np.sort(np.concatenate([np.linspace(low, high, 801), places]))
        for pieces, label in ((self.pieces, r"$\varphi$"), (self.derivative, r"$\varphi'$")):
            with np.errstate(over="ignore"):
                values = evaluate(pieces, points)
            values[np.isin(points, places) | ~np.isfinite(values)] = np.nan
            axes.plot(points, values, label=label)
        axes.set(xlabel="$x$", title=str(self))
        return tidy(axes)

    def latex(self) -> str:
        """The formula in LaTeX."""
        return sp.latex(self.expression)

    def _repr_markdown_(self) -> str:
        formula = typeset(rf"\varphi(x) = {self.latex()}") or plain(short(self.expression))
        title = f"**{plain(self.name)}** {formula}" if self.name else formula
        return markdown_table(title, list(self._properties()))

    def _properties(self) -> Iterator[tuple[str, str]]:
        """Name and value, in Markdown, of what there is to say in short."""

        def places(found: tuple[tuple[sp.Expr, sp.Expr], ...]) -> str:
            shown = ", ".join(f"{size} at {point}" for point, size in found[:MOST_PLACES])
            return shown + (f" and {len(found) - MOST_PLACES} more" if found[MOST_PLACES:] else "") or "none"

        for name, derive in (
            ("parity", lambda: self.parity or "neither even nor odd"),
            ("homogeneous", lambda: "no" if (k := self.homogeneity) is None else f"of degree {k}"),
            ("polynomial", lambda: "no" if (n := self.polynomial_degree) is None else f"of degree {n}"),
            ("jumps", lambda: places(self.jumps)),
            ("kinks", lambda: places(self.kinks)),
            ("free parameters", lambda: ", ".join(self.parameters) or "none"),
        ):
            try:
                yield name, plain(short(derive()))
            except AnalyticNTKError:
                yield name, "not decided"

    def __str__(self) -> str:
        return self.name or str(self.expression)

    def __repr__(self) -> str:
        shown = f"{str(self.expression)!r}"
        return f"Activation({shown}, name={self.name!r})" if self.name else f"Activation({shown})"


# ------------------------------------------------------------------------------------ checks at birth


def constant(value: ExactNumber, name: str = "number") -> sp.Expr:
    """An exact real number; text may be any formula without symbols.

    >>> constant("0.1"), constant(Fraction(2, 3)), constant("pi/4")
    (1/10, 2/3, pi/4)
    """
    number = parse_expression(value) if isinstance(value, str) else exact_number(value, name)
    if number.is_number and number.is_finite and number.is_extended_real:
        return number
    raise DomainError(f"{name} = {number}"[:100], "an exact real number", 'e.g. 2, Fraction(1, 10), "1/10"')


def _exact_expression(expr: object) -> sp.Expr:
    if isinstance(expr, str):
        raise DomainError(f"the text {expr[:80]!r}", "a sympy expression", "use Activation.parse(text)")
    if isinstance(expr, (int, Fraction)) and not isinstance(expr, bool):
        expr = constant(expr)
    if not isinstance(expr, sp.Expr):
        raise DomainError(f"{expr!r}"[:100], "a sympy expression in one symbol")
    floats = sorted(expr.atoms(sp.Float), key=str)
    if floats:
        raise DomainError(
            f"the float {floats[0]} in {expr}", "exact numbers", f'write Rational("{floats[0]:.15g}") instead'
        )
    return expr


def _with_standard_symbols(expr: sp.Expr) -> sp.Expr:
    symbols = expr.free_symbols
    if len(symbols) == 1:
        return expr.xreplace({next(iter(symbols)): x})
    named_x = [s for s in symbols if s.name == "x"]
    if symbols and len(named_x) != 1:
        names = ", ".join(sorted(s.name for s in symbols))
        raise DomainError(
            f"{expr} in the symbols {names}", "exactly one symbol named x", "rename the argument to x"
        )
    if len({s.name for s in symbols}) != len(symbols):
        raise DomainError(f"{expr}: two symbols share a name", "different names", "rename one")
    renamed: dict[sp.Basic, sp.Basic] = {s: sp.Symbol(s.name, real=True) for s in symbols if not s.is_real}
    renamed |= dict.fromkeys(named_x, x)
    return expr.xreplace(renamed)


def _check_breakpoints(pieces: Pieces) -> None:
    for point in pieces.breakpoints:
        if not point.free_symbols:
            try:
                with working_precision(64):
                    exact_ball(point)
            except DomainError as error:
                raise DomainError(
                    f"a breakpoint at {point}",
                    "breakpoints in functions that balls know",
                    "round it to a fraction",
                ) from error


def _check_functions(expr: sp.Expr) -> None:
    for node in sp.preorder_traversal(expr):
        if node is sp.I or node in (sp.oo, -sp.oo, sp.zoo, sp.nan):
            raise DomainError(f"{node} in {expr}", "a real and finite function")
        if not isinstance(node, _KNOWN) and node not in (sp.pi, sp.E):
            raise DomainError(
                f"{type(node).__name__} in {expr}",
                "arithmetic and exp, log, sqrt, sin, cos, sinh, cosh, tanh, atan, erf, erfc, Phi, sigmoid, "
                "softplus, Abs, sign, Heaviside, Max, Min, Piecewise",
                "rewrite it in these",
            )
