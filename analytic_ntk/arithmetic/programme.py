"""A sympy tree flattened into a straight-line programme, shared subexpressions once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sympy as sp

from analytic_ntk.errors import DomainError


def unknown(expr: sp.Basic) -> DomainError:
    return DomainError(
        f"{type(expr).__name__} in {expr}",
        "an expression made of arithmetic and the functions of the whitelist",
        "rewrite it with exp, log, sqrt, sin, cos, sinh, cosh, tanh, atan, erf, erfc, Phi, sigmoid, softplus",
    )


class Programme:
    """A flattened tree: ``steps[i] = (kind, payload, argument slots)``; the last slot is the value."""

    def __init__(
        self, expr: sp.Expr, symbols: Sequence[sp.Symbol], functions: Collection[type[sp.Basic]]
    ) -> None:
        self.functions = functions
        self.slots: dict[sp.Basic, int] = {symbol: i for i, symbol in enumerate(symbols)}
        self.inputs = len(symbols)
        self.steps: list[tuple[str, Any, tuple[int, ...]]] = []
        self.result = self._add(expr)

    def _add(self, expr: sp.Basic) -> int:
        if expr in self.slots:
            return self.slots[expr]
        if isinstance(expr, sp.Symbol):
            raise DomainError(
                f"free symbol {expr}",
                f"values for {[str(s) for s in self.slots][: self.inputs]} only",
                "give the parameter a number first, e.g. activation.with_parameters(...)",
            )
        if isinstance(expr, sp.Float):
            raise DomainError(
                f"the float {expr}",
                "exact numbers",
                f'write it as a string or Rational, e.g. "{expr:.6g}" -> Rational',
            )
        if expr.is_Number or expr in (sp.pi, sp.E, sp.I):
            step: tuple[str, Any, tuple[int, ...]] = ("constant", expr, ())
        elif isinstance(expr, sp.Pow):
            if expr.exp.is_number and not expr.exp.has(sp.Float):
                step = ("power", expr.exp, (self._add(expr.base),))
            else:
                step = ("general_power", None, (self._add(expr.base), self._add(expr.exp)))
        elif isinstance(expr, (sp.Add, sp.Mul)):
            kind = "sum" if isinstance(expr, sp.Add) else "product"
            step = (kind, None, tuple(self._add(arg) for arg in expr.args))
        elif isinstance(expr, sp.Piecewise):
            step = ("piecewise", None, self._piecewise(expr))
        elif isinstance(expr, (sp.StrictGreaterThan, sp.GreaterThan, sp.StrictLessThan, sp.LessThan)):
            step = ("compare", type(expr), (self._add(expr.lhs), self._add(expr.rhs)))
        elif isinstance(expr, (sp.And, sp.Or, sp.Not)):
            step = ("logic", type(expr), tuple(self._add(arg) for arg in expr.args))
        elif expr in (sp.true, sp.false):
            step = ("truth", bool(expr), ())
        elif type(expr) in self.functions:
            step = ("call", type(expr), tuple(self._add(arg) for arg in expr.args))
        else:
            raise unknown(expr)
        self.steps.append(step)
        slot = self.inputs + len(self.steps) - 1
        self.slots[expr] = slot
        return slot

    def _piecewise(self, expr: sp.Piecewise) -> tuple[int, ...]:
        flat: list[int] = []
        for value, condition in expr.args:
            flat += [self._add(value), self._add(condition)]
        return tuple(flat)
