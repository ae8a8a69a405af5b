"""The change of a network from its series, in balls, with Cauchy's bound of what is cut off.

Let a unit read ``z``, its argument be changed by ``u``, and its series, cut after ``N``, be run at ``v`` with
``|u - v| <= e``. For every ``rho`` in ``(|v|, R)``, ``R`` the distance of ``z`` to the nearest singularity,

    |phi(z + u) - sum_{n<=N} phi^(n)(z)/n! v^n|
        <= (|v|/rho)^(N+1) mean_{|w|=rho} |phi(z + w)| rho/|w - v|  +  e max |phi'|,

the first from Cauchy's integral, the last maximum over ``[z + v - e, z + v + e]``. Errors pass through a
dense layer with ``|W + dW|``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from flint import arb, arb_mat
from numpy.typing import NDArray

from analytic_ntk.activation import Activation
from analytic_ntk.arithmetic.interpret import compile_ball, exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Shown
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.identities import as_polynomial
from analytic_ntk.layers.units import require_count
from analytic_ntk.notation import x
from analytic_ntk.theory.banach.balls import taylor_balls
from analytic_ntk.theory.banach.chain import Chain
from analytic_ntk.theory.banach.remainder import remainder
from analytic_ntk.theory.banach.singular import Singularities, singularities_of

Array = NDArray[np.float64]

_BEYOND = (arb("0.5"), arb(1), arb(2), arb(4), arb(8))
"""By how much the radii of circles that are tried exceed ``|v|`` where ``R`` is infinite."""


@dataclass(frozen=True)
class CertifiedChange(Shown):
    """``change``: encloses ``f(x; theta + Delta) - f(x; theta)``; ``series``: the truncated series;
    ``truncation``: an upper bound of their distance, propagated through all layers."""

    change: Enclosure
    series: Enclosure
    truncation: Enclosure


def certified_change(
    chain: Chain, row: Array, step: Array, order: int, bits: int
) -> tuple[CertifiedChange, ...]:
    """For each output at one input; all floats are taken as the exact numbers they are.

    Raises :class:`DomainError` where the step is not certainly inside the neighbourhood, and
    :class:`PrecisionError` where a ball does not say enough: raise ``bits`` (24 to 10,000).
    """
    require_count(bits, "bits", 24)
    if bits > 10_000:
        raise DomainError(f"bits = {bits}", "at most 10000")
    with working_precision(int(bits)):
        value, change = _column(row), _column(np.zeros_like(row))
        errors = [arb(0)] * len(row)
        steps = chain.steps(step)
        for i, (dense, (weights, biases)) in enumerate(zip(chain.dense, steps, strict=True)):
            omega, moved = _matrix(dense.omega.T), _matrix(weights.T)
            after, scale, shift = omega + moved, arb(dense.weight_scale), arb(dense.bias_scale)
            change = scale * (moved * (value + change) + omega * change)
            value = scale * (omega * value)
            errors = [_upper(scale * e) for e in _entries(_absolute(after) * _columns(errors))]
            if dense.omega_0 is not None and biases is not None:
                value = value + shift * _column(dense.omega_0[0])
                change = change + shift * _column(biases[0])
            if i < chain.depth:
                units = [
                    _unit(chain.activations[i], z, v, e, order, f"unit {j} of layer {i + 1}")
                    for j, (z, v, e) in enumerate(zip(_entries(value), _entries(change), errors, strict=True))
                ]
                value, change = _columns([u[0] for u in units]), _columns([u[1] for u in units])
                errors = [u[2] for u in units]
        return tuple(
            CertifiedChange(Enclosure.of(v + arb(0, e)), Enclosure.of(v), Enclosure.of(arb(e)))
            for v, e in zip(_entries(change), errors, strict=True)
        )


def _unit(phi: Activation, z: arb, v: arb, error: arb, order: int, name: str) -> tuple[arb, arb, arb]:
    """``phi(z)``, its truncated change, and a bound of what the true change differs from that."""
    if v == 0 and error == 0:
        return _value(phi, z), arb(0), arb(0)
    index = _piece(phi, z, v, error, name)
    part = phi.pieces.parts[index]
    coefficients = taylor_balls(part, z, order)
    total = arb(0)
    for c in reversed(coefficients[1:]):
        total = (total + c) * v
    passed = arb(0)
    if error > 0:
        slope = compile_ball(sp.diff(part, x), (x,))(z + v + arb(0, error))
        passed = _upper(error * abs(slope.real))
    poly = as_polynomial(part)
    if poly is not None and poly.degree() <= order:
        return coefficients[0], total, passed
    tail = _tail(part, singularities_of(phi)[index], z, v, order, name)
    return coefficients[0], total, _upper(passed + tail)


def _value(phi: Activation, z: arb) -> arb:
    """``phi(z)``; at a breakpoint the mean of its two sides, as in the layers."""
    pieces = phi.pieces
    for i, place in enumerate(pieces.breakpoints):
        gap = z - exact_ball(place).real
        if gap < 0:
            return arb(compile_ball(pieces.parts[i], (x,))(z).real)
        if gap.contains(0):
            sides = [compile_ball(part, (x,))(z).real for part in pieces.parts[i : i + 2]]
            return (sides[0] + sides[1]) / 2 if gap == 0 else sides[0].union(sides[1])
    return arb(compile_ball(pieces.parts[-1], (x,))(z).real)


def _piece(phi: Activation, z: arb, v: arb, error: arb, name: str) -> int:
    """The index of the piece that certainly holds the whole way."""
    index = 0
    whole = z.union(z + v + arb(0, error))
    for place in phi.pieces.breakpoints:
        gap = whole - exact_ball(place).real
        if gap > 0:
            index += 1
        elif not gap < 0:
            raise DomainError(f"{name} reaches the breakpoint {place}", "a step that stays on one side")
    return index


def _tail(part: sp.Expr, places: Singularities, z: arb, v: arb, order: int, name: str) -> arb:
    limit, reach = places.distance_ball(z), arb(abs(v).upper())
    if not reach < limit:
        raise DomainError(
            f"{name}: a change up to {reach.str(6, radius=False)}",
            f"below the radius of convergence {limit.str(6, radius=False)}",
            "shorten the step, or raise bits",
        )
    sharp = bool(limit.is_finite())
    if sharp:  # near a pole the best circle leaves a share of 1/order or so to it; others grow too fast
        radii = [reach + (limit - reach) / 8, (reach + limit) / 2, limit * (1 - arb(1) / (2 * order + 4))]
    else:
        radii = [reach + more for more in _BEYOND]
    bounds = []
    for radius in radii:
        rho = arb(radius.lower())
        if not rho > reach:
            continue
        try:
            bounds.append(remainder(part, z, v, rho, order, sharp))
        except PrecisionError:
            continue
    if not bounds:
        raise PrecisionError(f"{name}: no circle with a bound", "a bound on some circle", "raise bits")
    return min(bounds, key=lambda b: b.mid())


def _upper(value: arb) -> arb:
    """The upper end, a ball of radius 0."""
    if not value.is_finite():
        raise PrecisionError("a ball without bounds", "finite balls", "raise bits")
    return arb(value.upper())


def _column(values: Array) -> arb_mat:
    return arb_mat(len(values), 1, [arb(float(v)) for v in values])


def _columns(values: list[arb]) -> arb_mat:
    return arb_mat(len(values), 1, values)


def _matrix(values: Array) -> arb_mat:
    return arb_mat(*values.shape, [arb(float(v)) for v in values.ravel()])


def _absolute(values: arb_mat) -> arb_mat:
    return arb_mat(values.nrows(), values.ncols(), [abs(v) for v in values.entries()])


def _entries(values: arb_mat) -> list[arb]:
    return [arb(v) for v in values.entries()]
