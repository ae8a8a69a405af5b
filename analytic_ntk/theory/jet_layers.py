"""Jets through the layers of a finite network whose parameters are ``theta + t step``.

Forward, a jet of features ``(n, width)`` goes in and one comes out; backward, a jet of rows
``df/d(features)`` goes the other way, as in :mod:`analytic_ntk.layers.units` with jets in place of arrays.
The moving parameters are a second network of the same shape, whose parameters are the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from analytic_ntk.errors import DomainError
from analytic_ntk.gaussian.pieces import Pieces
from analytic_ntk.layers.arrays import Array, namespace
from analytic_ntk.layers.dense import FiniteDense
from analytic_ntk.layers.layer_norm import FiniteLayerNorm
from analytic_ntk.layers.nonlinearity import FiniteNonlinearity
from analytic_ntk.layers.residual import FiniteResidual
from analytic_ntk.layers.units import Unit
from analytic_ntk.theory.jets import Jet, add, compose, is_zero, multiply, power, scale

Units = Sequence[Unit]
Visit = Callable[[FiniteDense, Jet, Jet], None]
"""Called on the way back with each dense unit, the jet of features it read and that of rows at its output."""


def forward(units: Units, steps: Units, features: Jet) -> tuple[Jet, list[Any]]:
    """Features after a chain of layers, and what each kept for the way back."""
    tapes = []
    for unit, step in zip(units, steps, strict=True):
        features, tape = _forward(unit, step, features)
        tapes.append(tape)
    return features, tapes


def backward(units: Units, steps: Units, tapes: list[Any], rows: Jet, visit: Visit) -> Jet:
    """Rows before a chain of layers from rows after it; dense units are visited last first."""
    for unit, step, tape in zip(reversed(units), reversed(steps), reversed(tapes), strict=True):
        rows = _backward(unit, step, tape, rows, visit)
    return rows


def _forward(unit: Unit, step: Unit, features: Jet) -> tuple[Jet, Any]:
    if isinstance(unit, FiniteDense) and isinstance(step, FiniteDense):
        return _dense(unit, step, features), features
    if isinstance(unit, FiniteNonlinearity):
        _require_smooth(unit.activation.pieces, features)
        return compose(unit.activation.pieces, features), features
    if isinstance(unit, FiniteResidual) and isinstance(step, FiniteResidual):
        output, tapes = forward(unit.branch, step.branch, features)
        return add(features, output), tapes
    if isinstance(unit, FiniteLayerNorm):
        unit.forward(features[0])  # its check of the spread
        centred = _minus_mean(features)
        rate = power(_mean(multiply(centred, centred)), sp.Rational(-1, 2))
        output = multiply(centred, rate)
        return output, (output, rate)
    raise DomainError(f"a layer {type(unit).__name__}", "Dense, Nonlinearity, Residual or LayerNorm")


def _backward(unit: Unit, step: Unit, tape: Any, rows: Jet, visit: Visit) -> Jet:
    if isinstance(unit, FiniteDense) and isinstance(step, FiniteDense):
        visit(unit, tape, rows)
        still, moving = (scale(unit.weight_scale, (_times(rows, w.mT))) for w in (unit.omega, step.omega))
        return add(still, _delayed(moving))
    if isinstance(unit, FiniteNonlinearity):
        return multiply(rows, compose(unit.activation.derivative, tape))
    if isinstance(unit, FiniteResidual) and isinstance(step, FiniteResidual):
        return add(rows, backward(unit.branch, step.branch, tape, rows, visit))
    output, rate = tape
    along = multiply(output, _mean(multiply(rows, output)))
    return multiply(add(_minus_mean(rows), scale(-1.0, along)), rate)


def _dense(unit: FiniteDense, step: FiniteDense, features: Jet) -> Jet:
    """``(omega + t step) F / sqrt(n) + ..``: the step shifts the coefficients by one."""
    still, moving = (scale(unit.weight_scale, _times(features, w)) for w in (unit.omega, step.omega))
    output = list(add(still, _delayed(moving)))
    if unit.omega_0 is not None and step.omega_0 is not None:
        output[0] = output[0] + unit.bias_scale * unit.omega_0
        if len(output) > 1:
            output[1] = output[1] + unit.bias_scale * step.omega_0
    return tuple(output)


def _times(jet: Jet, matrix: Array) -> Jet:
    return tuple(0.0 if is_zero(c) else c @ matrix for c in jet)


def _delayed(jet: Jet) -> Jet:
    """``t`` times a jet."""
    return (0.0, *jet[:-1])


def _mean(jet: Jet) -> Jet:
    return tuple(0.0 if is_zero(c) else namespace(c).mean(c, axis=-1, keepdims=True) for c in jet)


def _minus_mean(jet: Jet) -> Jet:
    return add(jet, scale(-1.0, _mean(jet)))


def _require_smooth(pieces: Pieces, features: Jet) -> None:
    """Refuse a unit that sits on a breakpoint: there is no Taylor expansion there."""
    xp = namespace(features[0])
    for place in pieces.float_breakpoints.tolist():
        if len(features) > 1 and bool(xp.any(features[0] == place)):
            raise DomainError(
                f"a unit whose pre-activation is exactly {place:g}, a breakpoint of the activation",
                "pre-activations off the breakpoints: the network has no Taylor expansion there",
                "move the input or the parameters, or use a smooth activation",
            )
