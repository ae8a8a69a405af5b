"""Equalities by exact expressions: closed forms of the kernels and of the coefficients, brought to the
difference 0.

Only what simplifies to 0 counts; numbers that agree do not.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.network import Network
from analytic_ntk.notation import rho
from analytic_ntk.positivity.decide import Positivity, decide_gram
from proofs_check.conjectures.derived import Derived
from proofs_check.replay.conjectures.statement import WHOLE, Comparison, Node, Statement, exact_value
from proofs_check.replay.conjectures.terms import depth_of, index
from proofs_check.replay.expression import Refusal

MAX_OPERATIONS = 150
"""Longer differences are not simplified."""


class _None(Exception):
    """There is no exact expression."""


def equal(statement: Statement, comparison: Comparison, world: Derived) -> bool:
    """Whether an equality is shown, for every ``rho`` or for every ``n`` of its range."""
    indices: tuple[int | None, ...] = (
        tuple(statement.domain) if isinstance(statement.domain, range) else (None,)
    )
    return all(_vanishes(comparison, n, world) for n in indices)


def _vanishes(comparison: Comparison, n: int | None, world: Derived) -> bool:
    try:
        difference = _expression(comparison.left, n, world) - _expression(comparison.right, n, world)
        if comparison.order:
            difference = sp.diff(difference, rho, comparison.order)
        if difference == 0:
            return True
        if difference.count_ops() > MAX_OPERATIONS:
            return False
        forms = (sp.expand, lambda d: sp.expand(d.rewrite(sp.exp)), sp.simplify)
        return any(form(difference) == 0 for form in forms)
    except (_None, Refusal, AnalyticNTKError):
        return False


def _expression(node: Node, n: int | None, world: Derived) -> sp.Expr:
    exact = exact_value(node, n)
    if exact is not None:
        return sp.Rational(exact.numerator, exact.denominator)
    if node.head in ("nngp", "ntk", "kappa"):
        if depth_of(node, world) != WHOLE:
            raise _None
        kernel = _kernel(node.head, world)
        point = sp.Symbol("_point", real=True)
        value = sp.diff(kernel.subs(rho, point), point, node.order)
        return value.subs(point, _expression(node.arguments[0], n, world))
    if node.head in ("a", "series", "mu", "lambda_min"):
        return _coefficient(node, n, world)
    if node.head in ("pi", "e", "rho"):
        return {"pi": sp.pi, "e": sp.E, "rho": rho}[node.head]
    parts = [_expression(argument, n, world) for argument in node.arguments]
    table: dict[str, Any] = {
        "+": sp.Add, "*": sp.Mul, "-": lambda a, b: a - b, "/": lambda a, b: a / b, "^": sp.Pow,
        "neg": lambda a: -a, "sqrt": sp.sqrt, "exp": sp.exp, "log": sp.log, "sin": sp.sin, "cos": sp.cos,
        "asin": sp.asin, "acos": sp.acos, "abs": sp.Abs,
    }  # fmt: skip
    found = table[node.head](*parts)
    if not found.is_finite and found.is_finite is not None:
        raise _None
    return found


def _kernel(head: str, world: Derived) -> sp.Expr:
    network = world.shape.unit if head == "kappa" else world.shape.network
    found = _formula(network)
    return found[head == "ntk"]


def _formula(network: Network) -> tuple[sp.Expr, sp.Expr]:
    formula = network.formula(on="sphere")
    kernels = [formula.nngp, formula.ntk]
    for symbol, value in reversed(formula.where):
        kernels = [kernel.subs(symbol, value) for kernel in kernels]
    if any(kernel.count_ops() > MAX_OPERATIONS or kernel.free_symbols - {rho} for kernel in kernels):
        raise _None
    return kernels[0], kernels[1]


def _coefficient(node: Node, n: int | None, world: Derived) -> sp.Expr:
    if node.head == "lambda_min":
        decision = decide_gram(world.shape.network, world.X, node.kernel)
        if decision.verdict is Positivity.SINGULAR:
            return sp.S.Zero
        raise _None
    k = index(node.arguments[0], n, "an order")
    value: Any
    if node.head == "a":
        row = world.table[k]
        value = row.value if row.expression is None else row.expression
    elif node.head == "series":
        found = world.unit_series if node.kernel == "kappa" else world.kernel_series
        value = (found.ntk if node.kernel == "ntk" else found.nngp)[k]
    else:
        dim = index(node.arguments[1], n, "dim")
        world.eigenvalue(node.kernel, k, dim)
        value = world.spectra[(node.kernel, dim)][k]
    if isinstance(value, Enclosure):
        raise _None
    return value
