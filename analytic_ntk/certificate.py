"""Certificates: evidence as JSON that ``proofs_check`` replays without this package.

Each function returns a plain dictionary; all numbers are text (``"p/q"``). See ``proofs_check.checks`` for
what each kind states and how it is checked.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

import sympy as sp

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.characterisation import (
    DividedDifference,
    Independence,
    PolynomialDependency,
    independent_directions,
    refute_degree,
    value_at,
)
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Dense, Nonlinearity
from analytic_ntk.network import Network
from analytic_ntk.notation import x
from analytic_ntk.positivity.decide import Positivity, decide_gram
from analytic_ntk.positivity.profile import profile

Json = dict[str, Any]
FORMAT, VERSION = "analytic-ntk certificate", 1

_HEADS: dict[type[sp.Basic], str] = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.sinh: "sinh", sp.cosh: "cosh",
    sp.tanh: "tanh", sp.atan: "atan", sp.erf: "erf", sp.erfc: "erfc", fn.Phi: "Phi",
    fn.sigmoid: "sigmoid", fn.softplus: "softplus", sp.Abs: "abs", sp.sign: "sign", sp.Heaviside: "step",
    sp.Max: "max", sp.Min: "min", sp.Add: "+", sp.Mul: "*", sp.And: "and", sp.Or: "or",
}  # fmt: skip


def expression_json(expr: sp.Basic) -> Any:
    """An activation's expression as nested lists.

    >>> expression_json(sp.Max(x, 0) ** 2)
    ['^', ['max', '0', 'x'], '2']
    """
    if expr == x:
        return "x"
    if isinstance(expr, sp.Rational):
        return _text(Fraction(int(expr.p), int(expr.q)))
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
        raise DomainError(
            f"{expr} in a certificate", f"functions that are checked: {', '.join(_HEADS.values())}"
        )
    return [head, *map(expression_json, expr.args[:1] if head == "step" else expr.args)]


def of_independence(activation: Activation, found: Independence) -> Json:
    """Of :func:`analytic_ntk.characterisation.probe`, where the functions are independent."""
    return _sealed(
        "independence",
        activation=expression_json(activation.expression),
        vectors=[list(map(_text, z)) for z in found.vectors],
        **_determinant(found),
    )


def of_dependency(activation: Activation, found: PolynomialDependency) -> Json:
    """Of :func:`analytic_ntk.characterisation.probe`, for a polynomial (what counts is its powers)."""
    powers = profile(activation).polynomial
    if powers is None:
        raise DomainError(f"{activation}", "a polynomial")
    return _sealed(
        "polynomial-dependency",
        powers=list(map(str, sorted(powers))),
        vectors=[list(map(_text, z)) for z in found.vectors],
        weights=list(map(_text, found.weights)),
    )


def of_difference(activation: Activation, found: DividedDifference) -> Json:
    """Of :func:`analytic_ntk.characterisation.degree`, for what is not a polynomial of that degree."""
    return _sealed(
        "not-a-polynomial", activation=expression_json(activation.expression), **_difference(found)
    )


def of_positivity(network: Network, X: Any) -> Json:
    """That the Gram matrix of the rows of ``X`` is strictly positive definite, for dense networks.

    Raises :class:`UndecidedError` where it is not, or where the first activation alone does not show it
    (ReLU at antipodal points without bias, depth 2), :class:`DomainError` for other layers or irrational
    variances.
    """
    decision = decide_gram(network, X)
    if decision.verdict is not Positivity.STRICTLY_POSITIVE:
        raise UndecidedError(
            f"a Gram matrix that is {decision.verdict.value}", "one that is strictly positive"
        )
    layers = network.layers
    if len(layers) < 3 or any(
        not isinstance(layer, Dense if place % 2 == 0 else Nonlinearity) for place, layer in enumerate(layers)
    ):
        raise DomainError(
            "the layers of this network", "Dense and Nonlinearity in turn, Dense first and last"
        )
    bias = sp.sympify(layers[0].bias_variance) > 0  # type: ignore[attr-defined]
    vectors = tuple((*point, Fraction(1)) if bias else point for point in decision.points)
    found: list[Json] = []
    for place, layer in enumerate(layers):
        if isinstance(layer, Dense):
            found.append(
                {name: _variance(getattr(layer, name)) for name in ("weight_variance", "bias_variance")}
            )
        elif isinstance(layer, Nonlinearity):
            entry: Json = {"activation": expression_json(layer.activation.expression)}
            found.append(entry if place == 1 else entry | _difference(_two_values(layer.activation)))
    first = layers[1]
    assert isinstance(first, Nonlinearity)
    return _sealed(
        "strictly-positive",
        points=[list(map(_text, point)) for point in decision.points],
        layers=found,
        **_determinant(independent_directions(first.activation, vectors)),
    )


def _sealed(kind: str, **body: Any) -> Json:
    """With its header, and the SHA-256 of the rest in canonical JSON (sorted keys, no spaces)."""
    content = {"format": FORMAT, "version": VERSION, "kind": kind, **body}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _text(number: Fraction) -> str:
    return str(number)


def _variance(value: Any) -> str:
    number = sp.sympify(value)
    if not isinstance(number, sp.Rational):
        raise DomainError(f"the variance {number}", "a rational number, in a certificate")
    return _text(Fraction(int(number.p), int(number.q)))


def _two_values(activation: Activation) -> DividedDifference:
    for scale in (1, 5, 100, 10_000):
        found = refute_degree(
            lambda t: value_at(activation, t), 0, [Fraction(k * scale, 3) for k in (-1, 1, 2, 4)]
        )
        if found is not None:
            return found
    raise UndecidedError(f"that {activation} is not constant", "two points where it differs")


def _wide(value: Enclosure | Fraction) -> tuple[Fraction, Fraction]:
    """The value to two percent: room for another arithmetic, and short to write."""
    middle = value.midpoint if isinstance(value, Enclosure) else value
    size = Fraction(2) ** (abs(middle.numerator).bit_length() - middle.denominator.bit_length())
    ends = sorted(Fraction(round(middle / size * 1024) + k, 1024) * size for k in (-10, 10))
    return ends[0], ends[1]


def _difference(found: DividedDifference) -> Json:
    return {"points": list(map(_text, found.points)), "difference": list(map(_text, _wide(found.value)))}


def _determinant(found: Independence) -> Json:
    return {
        "directions": [list(map(_text, w)) for w in found.directions],
        "radius": _text(found.radius),
        "determinant": list(map(_text, _wide(found.determinant))),
    }
