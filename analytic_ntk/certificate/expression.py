"""Activations and layers as the checker reads them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.certificate.record import Json, number_text
from analytic_ntk.errors import DomainError
from analytic_ntk.layers import Dense, Layer
from analytic_ntk.notation import x

_HEADS: dict[type[sp.Basic], str] = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.sinh: "sinh", sp.cosh: "cosh",
    sp.tanh: "tanh", sp.atan: "atan", sp.erf: "erf", sp.erfc: "erfc", fn.Phi: "Phi",
    fn.sigmoid: "sigmoid", fn.softplus: "softplus", sp.Abs: "abs", sp.sign: "sign", sp.Heaviside: "step",
    sp.Max: "max", sp.Min: "min", sp.Add: "+", sp.Mul: "*", sp.And: "and", sp.Or: "or",
}  # fmt: skip


def expression_json(expr: sp.Basic) -> Any:
    """An activation's expression as nested lists.

    Raises :class:`DomainError` for what the checker does not know (a parameter without a number).

    >>> expression_json(sp.Max(x, 0) ** 2)
    ['^', ['max', '0', 'x'], '2']
    """
    if expr == x:
        return "x"
    if isinstance(expr, sp.Rational):
        return number_text(Fraction(int(expr.p), int(expr.q)))
    if expr in (sp.pi, sp.E):
        return "pi" if expr == sp.pi else "e"
    if expr == sp.true:
        return ["else"]
    if isinstance(expr, sp.Pow) and isinstance(expr.exp, sp.Rational):
        return ["^", expression_json(expr.base), expression_json(expr.exp)]
    if isinstance(expr, sp.Piecewise):
        return ["cases", *([expression_json(value), expression_json(when)] for value, when in expr.args)]
    if isinstance(expr, (sp.StrictLessThan, sp.LessThan, sp.StrictGreaterThan, sp.GreaterThan)):
        strict = isinstance(expr, (sp.StrictLessThan, sp.StrictGreaterThan))
        return ["<" if strict else "<=", expression_json(expr.lts), expression_json(expr.gts)]
    head = _HEADS.get(type(expr))
    if head is None:
        known = ", ".join(_HEADS.values())
        raise DomainError(f"{expr} in a certificate", f"functions that are checked: {known}")
    if head == "step" and expr.args[1] != sp.Rational(1, 2):
        raise DomainError(f"{expr} in a certificate", "the step whose value at 0 is 1/2")
    return [head, *map(expression_json, expr.args[:1] if head == "step" else expr.args)]


def activation_json(activation: Activation) -> Json:
    """An activation layer, without evidence."""
    if activation.max_variance is not sp.oo or activation.derivative_max_variance is not sp.oo:
        raise DomainError(f"{activation} in a certificate", "an activation that grows at most exponentially")
    return {"layer": "activation", "activation": expression_json(activation.expression)}


def dense_json(layer: Dense) -> Json:
    """A dense layer; its variances are exact numbers."""
    return {
        "layer": "dense",
        "weight_variance": expression_json(sp.sympify(layer.weight_variance)),
        "bias_variance": expression_json(sp.sympify(layer.bias_variance)),
    }


def unknown_layer(layer: Layer) -> DomainError:
    """What is said of any other layer."""
    return DomainError(f"{layer!r} in a certificate", "Dense, Nonlinearity, Residual or LayerNorm")
