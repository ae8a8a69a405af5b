"""What is asked: activations, variances, orders, digits and columns; checked before anything is computed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from analytic_ntk.activation import Activation, constant
from analytic_ntk.certify import MAX_DIGITS
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber
from analytic_ntk.gaussian import envelope
from analytic_ntk.hermite import MAX_ORDER
from analytic_ntk.tables.columns import DEFAULT, chosen
from analytic_ntk.tables.numbers import read_expression, settled
from analytic_ntk.tables.records import NORMALISATION, software

MAX_UNITS = 10_000


@dataclass(frozen=True)
class Question:
    """Tables for every activation at every variance, of ``a_first .. a_order`` with ``digits`` digits.

    Raises :class:`DomainError` at birth for anything that cannot be answered: bad numbers, unknown columns,
    an activation twice or with free parameters, an infinite ``E phi^2`` (or ``E phi'^2``, where the
    coefficients of the derivative are asked for).
    """

    activations: tuple[Activation, ...]
    variances: tuple[sp.Expr, ...]
    order: int
    first: int
    digits: int
    columns: tuple[str, ...]

    @classmethod
    def of(
        cls,
        activations: Activation | Iterable[Activation],
        variances: ExactNumber | Iterable[ExactNumber] = 1,
        order: int = 20,
        first: int = 0,
        digits: int = 30,
        columns: Iterable[str] = DEFAULT,
    ) -> Question:
        """One activation or several, one variance or several."""
        if isinstance(activations, Activation):
            activations = (activations,)
        if isinstance(variances, str) or not isinstance(variances, Iterable):
            variances = (variances,)
        numbers = tuple(constant(number, "variance") for number in variances)
        phis = tuple(_settled(phi) if isinstance(phi, Activation) else phi for phi in activations)
        return cls(phis, tuple(settled(q) or q for q in numbers), order, first, digits, chosen(columns))

    def __post_init__(self) -> None:
        _require_integer("order", self.order, 0, MAX_ORDER)
        _require_integer("first", self.first, 0, self.order, "the first coefficient is not beyond the last")
        _require_integer("digits", self.digits, 1, MAX_DIGITS)
        if not 1 <= len(self.activations) * len(self.variances) <= MAX_UNITS:
            raise DomainError(
                f"{len(self.activations)} activations at {len(self.variances)} variances",
                f"1 to {MAX_UNITS} tables",
            )
        for phi in self.activations:
            if not isinstance(phi, Activation):
                raise DomainError(f"{phi!r}"[:80], "an Activation", "activations.resolve(text) makes one")
            phi.require_numeric()
            if not _reads_back(phi.expression):
                raise DomainError(f"{phi}"[:80], "an activation whose expression reads back from its text")
        _require_different((str(phi) for phi in self.activations), "activation")
        _require_different((str(q) for q in self.variances), "variance")
        for q in self.variances:
            if not q.is_positive:
                raise DomainError(f"variance = {q}", "a variance > 0")
            if not _reads_back(q):
                raise DomainError(f"variance = {q}"[:80], "a number that reads back from its text")
        for phi, q in self.units:
            phi.check_variance(q)
            if "derivative" in self.columns:
                _check_derivative(phi, q)

    @property
    def units(self) -> tuple[tuple[Activation, sp.Expr], ...]:
        """What is computed one after the other."""
        return tuple((phi, q) for phi in self.activations for q in self.variances)

    def text(self) -> str:
        """The question and the versions of what answers it, on one line."""
        content = {
            "activations": [[phi.name, str(phi.expression)] for phi in self.activations],
            "variances": [str(q) for q in self.variances],
            "from": self.first,
            "order": self.order,
            "digits": self.digits,
            "columns": list(self.columns),
            "normalisation": NORMALISATION,
            "software": dict(software()),
        }
        return json.dumps(content)


def _require_integer(name: str, value: object, low: int, high: int, remedy: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DomainError(f"{name} = {value!r}"[:80], f"an integer from {low} to {high}", remedy)


def _require_different(texts: Iterable[str], what: str) -> None:
    for text, count in Counter(texts).items():
        if count > 1:
            raise DomainError(f"the {what} {text}"[:80], f"each {what} once")


def _settled(phi: Activation) -> Activation:
    """The same function in the form in which its text reads back, where there is one."""
    expression = settled(phi.expression)
    return phi if expression in (None, phi.expression) else Activation(expression, phi.name)


def _reads_back(expression: sp.Expr) -> bool:
    try:
        return read_expression(str(expression)) == expression
    except DomainError:
        return False


def _check_derivative(phi: Activation, q: sp.Expr) -> None:
    safe = envelope.safe_variance(phi.derivative)
    if safe is sp.oo or (safe - q).is_positive or (phi.derivative_max_variance - q).is_positive:
        return
    raise DomainError(
        f"the derivative of {phi} at variance {q}: E phi'(u)^2 is infinite",
        f"a variance below {phi.derivative_max_variance}",
        "leave out the column derivative, or take a smaller variance",
    )
