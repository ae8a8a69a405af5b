"""The formulas of a report: dual, derivative dual and both kernels, none of them cut short."""

from __future__ import annotations

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.exact import ExactNumber
from analytic_ntk.formula import KernelFormula
from analytic_ntk.gaussian.unevaluated import Dual
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.notation import q12
from analytic_ntk.pair import Pair
from analytic_ntk.report.data import Formula
from analytic_ntk.systems import exact

MAX_NODES = 600
"""A kernel predicted to have more symbols than this is given as a recursion, layer by layer."""

_Q = sp.Symbol("q", positive=True)
_S = sp.Symbol("S", real=True)
_T = sp.Symbol("T", real=True)


def formulas_of(
    activation: Activation, depth: int, weight_variance: ExactNumber, bias_variance: ExactNumber
) -> tuple[Formula, ...]:
    """Dual, derivative dual, and NNGP and NTK for unit inputs.

    Where the kernels written out would be too large to read they are given as the exact step from one
    layer to the next, which has the size of the dual at every depth.
    """
    dual = exact.dual(activation.pieces).expression
    derivative_dual = exact.dual(activation.derivative).expression
    slope = "" if activation.is_continuous else "; phi' is the derivative off the jumps"
    found = [
        formula_of("dual", "E phi(u) phi(v) for (u, v) of variances q11, q22 and covariance q12", dual),
        formula_of("derivative dual", f"E phi'(u) phi'(v), the same (u, v){slope}", derivative_dual),
    ]
    nested = depth > 1 and (dual.has(Dual) or derivative_dual.has(Dual))  # expectations inside expectations
    if not nested and predicted_nodes(dual, derivative_dual, depth) <= MAX_NODES:
        formula = Network.mlp(activation, depth, weight_variance, bias_variance).formula(on="sphere")
        return (
            *found,
            *(formula_of(str(symbol), "a covariance within", value) for symbol, value in formula.where),
            formula_of("NNGP", "for <x,x>/d = <y,y>/d = 1, <x,y>/d = rho", formula.nngp),
            formula_of("NTK", "the same inputs", formula.ntk),
        )
    return (*found, *_recursion(activation, depth, weight_variance, bias_variance))


def _recursion(
    activation: Activation, depth: int, weight_variance: ExactNumber, bias_variance: ExactNumber
) -> tuple[Formula, ...]:
    """One hidden layer as a step: the layers themselves, run on symbols."""
    first = Dense(weight_variance, bias_variance)
    system = exact.Exact()
    hidden = Nonlinearity(activation).push(Pair(_Q, _Q, _S, _T), system)
    step = first.push(hidden, system)
    weight, bias = sp.sympify(first.weight_variance), sp.sympify(first.bias_variance)
    steps = "1 step" if depth == 1 else f"{depth} steps"
    start = f"start: q = {weight + bias}, S = T = {_affine(weight, bias)}"
    return (
        formula_of("next q", f"variance; {start}", step.q11),
        formula_of("next S", f"NNGP; after {steps} S is the network's NNGP", step.q12),
        formula_of("next T", f"NTK; after {steps} T is the network's NTK", step.ntk),
    )


def _affine(weight: sp.Expr, bias: sp.Expr) -> sp.Expr:
    return weight * sp.Symbol("rho") + bias


def formula_of(name: str, meaning: str, expression: sp.Expr) -> Formula:
    """The formula, with the reason where it is not closed."""
    reason = KernelFormula(expression, expression, ()).reason
    return Formula(name, meaning, expression, f"no closed form: {reason}" if reason else "")


def predicted_nodes(dual: sp.Expr, derivative_dual: sp.Expr, depth: int) -> float:
    """About how many symbols the NTK formula has, found without writing it out."""
    inside, inside_slope = (_occurrences(e) for e in (dual, derivative_dual))
    covariance, tangent = 1.0, 1.0
    for _ in range(depth):
        tangent += inside_slope * covariance + _nodes(derivative_dual)
        covariance = inside * covariance + _nodes(dual)
        if covariance > 1e30:
            break
    return covariance + tangent


def _occurrences(expression: sp.Expr) -> int:
    return sum(1 for node in sp.preorder_traversal(expression) if node == q12)


def _nodes(expression: sp.Expr) -> int:
    return sum(1 for _ in sp.preorder_traversal(expression))
