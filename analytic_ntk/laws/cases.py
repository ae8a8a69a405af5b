"""The cases laws are tested on, each of them one line of Python and a few lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.layers import Dense, Layer, LayerNorm, Nonlinearity, Residual
from analytic_ntk.layers.protocol import activations_of
from analytic_ntk.network import Network

Target: TypeAlias = Activation | Network


@dataclass(frozen=True)
class AtCovariance:
    """An activation at variances ``xx``, ``yy`` and covariance ``xy`` of its arguments, or a network at
    inputs with ``<x,x>/d = xx``, ``<x,y>/d = xy``, ``<y,y>/d = yy``; exact rationals."""

    target: Target
    xx: Fraction
    xy: Fraction
    yy: Fraction

    def __post_init__(self) -> None:
        _require_target(self.target)
        for name in ("xx", "xy", "yy"):
            object.__setattr__(self, name, _rational(getattr(self, name), name))
        if min(self.xx, self.yy) < 0 or self.xy * self.xy > self.xx * self.yy:
            raise DomainError(f"xx = {self.xx}, xy = {self.xy}, yy = {self.yy}", "xy^2 <= xx yy")


@dataclass(frozen=True)
class OnData:
    """A network on points, floats taken as the binary numbers they are; ``seed`` for what else is drawn."""

    target: Network
    X: tuple[tuple[float, ...], ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.target, Network):
            raise DomainError(f"{self.target!r}"[:80], "a Network")
        rows = tuple(tuple(float(e) for e in row) for row in self.X)
        if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
            raise DomainError(f"X = {self.X!r}"[:80], "rows of one length >= 1")
        object.__setattr__(self, "X", rows)


Case: TypeAlias = AtCovariance | OnData


def _require_target(target: object) -> None:
    if not isinstance(target, (Activation, Network)):
        raise DomainError(f"{target!r}"[:80], "an Activation or a Network")


def _rational(value: ExactNumber, name: str) -> Fraction:
    number = exact_number(value, name)
    if not number.is_Rational:
        raise DomainError(f"{name} = {number}", "a rational number")
    return Fraction(int(number.p), int(number.q))


# ------------------------------------------------------------------------------------ as Python

_OURS = (Activation, Network, Dense, LayerNorm, Nonlinearity, Residual)
"""Exactly these are made anew from a file; what is derived from them may do as it likes."""

IMPORTS = "from analytic_ntk import Activation, Dense, LayerNorm, Network, Nonlinearity, Residual, laws"
_CONSTANT = "from analytic_ntk.activation import constant"


def python(law: str, case: Case) -> str:
    """One line that runs the law on the case."""
    imports = IMPORTS + (f"; {_CONSTANT}" if "constant(" in code(case.target) else "")
    if isinstance(case, OnData):
        inside = f"laws.OnData({code(case.target)}, X={case.X!r}, seed={case.seed})"
    else:
        numbers = ", ".join(repr(str(v)) for v in (case.xx, case.xy, case.yy))
        inside = f"laws.AtCovariance({code(case.target)}, {numbers})"
    return f"{imports}; print(laws.examine({law!r}, {inside}))"


def code(target: Target | Layer) -> str:
    """An expression that makes the activation, layer or network anew (a user's own layer by its ``repr``)."""
    if isinstance(target, Activation):  # perhaps of a class of the user's own
        return f"{type(target).__name__}.parse({str(target.expression)!r})"
    if type(target) not in _OURS:
        return repr(target)
    match target:
        case Network():
            return f"Network({', '.join(code(layer) for layer in target.layers)})"
        case Dense():
            return f"Dense({_number(target.weight_variance)}, {_number(target.bias_variance)})"
        case Nonlinearity():
            return f"Nonlinearity({code(target.activation)})"
        case Residual():
            return f"Residual({', '.join(code(layer) for layer in target.branch)})"
        case LayerNorm():
            return "LayerNorm()"
    raise AssertionError(target)


def _number(value: ExactNumber) -> str:
    return repr(str(value)) if exact_number(value).is_Rational else f"constant({str(value)!r})"


# ------------------------------------------------------------------------------------ as JSON


def to_json(case: Case) -> dict[str, Any]:
    if isinstance(case, OnData):
        return {"target": _target_json(case.target), "X": [list(row) for row in case.X], "seed": case.seed}
    return {"target": _target_json(case.target)} | {n: str(getattr(case, n)) for n in ("xx", "xy", "yy")}


def from_json(data: Any) -> Case:
    """Read a case back. Raises :class:`DomainError` for anything that :func:`to_json` does not write."""
    try:
        target = _target(data["target"])
        if "X" in data:
            if not isinstance(target, Network):
                raise DomainError("points for an activation", "a network")
            return OnData(target, tuple(tuple(row) for row in data["X"]), int(data["seed"]))
        return AtCovariance(target, data["xx"], data["xy"], data["yy"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(
            f"a case that cannot be read ({error!r})"[:120], "a file written by laws"
        ) from error


def _target_json(target: Target) -> dict[str, Any]:
    if type(target) not in _OURS:
        return {"own": code(target)}
    if isinstance(target, Activation):
        return {"activation": str(target.expression)}
    return {"layers": [_layer_json(layer) for layer in target.layers]}


def _layer_json(layer: Layer) -> dict[str, Any]:
    if type(layer) not in _OURS or any(type(phi) is not Activation for phi in activations_of((layer,))):
        return {"own": code(layer)}
    match layer:
        case Dense():
            return {"dense": [str(layer.weight_variance), str(layer.bias_variance)]}
        case Nonlinearity():
            return {"nonlinearity": str(layer.activation.expression)}
        case Residual():
            return {"residual": [_layer_json(inner) for inner in layer.branch]}
        case LayerNorm():
            return {"layer_norm": True}
    raise AssertionError(layer)


def _target(data: Any) -> Target:
    if "own" in data:
        raise _own(data["own"])
    if "activation" in data:
        return Activation.parse(data["activation"])
    return Network(*(_layer(layer) for layer in data["layers"]))


def _layer(data: Any) -> Layer:
    ((kind, value),) = data.items()
    if kind == "dense":
        weight, bias = value
        return Dense(_parsed(weight), _parsed(bias))
    if kind == "nonlinearity":
        return Nonlinearity(Activation.parse(value))
    if kind == "residual":
        return Residual(*(_layer(inner) for inner in value))
    if kind == "layer_norm":
        return LayerNorm()
    raise _own(value)


def _own(value: Any) -> DomainError:
    return DomainError(
        f"{value}"[:120],
        "activations and layers of the package",
        "run the line of Python of the report, where your own classes are",
    )


def _parsed(text: str) -> ExactNumber:
    from analytic_ntk.activation import constant

    return constant(text)
