"""A Lipschitz constant of the Jacobian on a ball about the parameters, layer by layer.

With ``H_l`` the features of all inputs, ``z_l = omega_l W_l h_{l-1}``, ``G_l = df/dz_l``, the Jacobian acts
as ``dW -> (sum_l omega_l G_l dW_l h_{l-1})`` and, between two points of the ball that differ by ``a_m = |D
W_m|_F``,

    |D H_l|_F <= B1 omega_l (|H_{l-1}|_op a_l + |W_l|_op |D H_{l-1}|_F),
    |D G_l|   <= omega_{l+1} (B1 |W_{l+1}|_op |D G_{l+1}| + B1 |G_{l+1}| a_{l+1}
                              + |G_{l+1}| c_{l+1} B2 max_i |D z_{l,i}|),      c = the largest column of W,
    |D J|     <= |N a|,   N_l = omega_l (|G_l| |D H_{l-1}|_F + |H_{l-1}|_op |D G_l|) row by row,

since ``|W diag(u) v| <= c |u| |v|``. The sizes on the ball are those at its centre plus what they move, that
of ``G_l`` at most ``omega_{l+1} B1 |W_{l+1}|_op |G_{l+1}|``. So ``L_J = |N|_2``. For two layers

    L_J = omega_1 omega_2 |X|_op | [[B1, 0], [omega_1 B2 max|x_i| (c + R), B1]] |_2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, fmpq

from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.display import Shown
from analytic_ntk.positivity.rounded import Rounded, above
from analytic_ntk.theory.overparameterization.feedforward import FeedForward, Forward, Parameters
from analytic_ntk.theory.overparameterization.suprema import DerivativeBounds
from analytic_ntk.theory.overparameterization.values import largest_row, operator_norm, transposed

BITS = 128
_SQUARINGS = 12


@dataclass(frozen=True)
class Sizes(Shown):
    """Upper bounds at the centre of the ball, and the suprema that hold everywhere.

    ``operators``: ``|W_l|_op``; ``columns``: the largest column of ``W_l``; ``features``: ``|H_l|_op`` and
    ``rows``: ``max_i |h_{l,i}|`` for ``l = 0 .. L-2`` (the last features play no part); ``derivatives``:
    ``max_i |G_{l,i}|`` for ``l = 1 .. L`` (infinite where not known).
    """

    scales: tuple[float, ...]
    operators: tuple[float, ...]
    columns: tuple[float, ...]
    features: tuple[float, ...]
    rows: tuple[float, ...]
    derivatives: tuple[float, ...]
    first: Fraction
    second: Fraction


def sizes_of(network: FeedForward, params: Parameters, found: Forward, bounds: DerivativeBounds) -> Sizes:
    """What :func:`lipschitz` needs, all rounded up."""
    weights = [Rounded.exact(w) for w in params]
    return Sizes(
        network.scales,
        (0.0, *(operator_norm(w) for w in weights[1:])),  # that of the first layer plays no part
        tuple(largest_row(transposed(w)) for w in weights),
        tuple(operator_norm(rows) for rows in found.features[:-1]),
        tuple(largest_row(rows) for rows in found.features[:-1]),
        (*(_largest_block(back, len(params[-1])) for back in found.derivatives[:-1]), 1.0),
        bounds.first.upper,
        bounds.second.upper,
    )


def _largest_block(back: Rounded, outputs: int) -> float:
    """Above ``max_i |G_{l,i}|_op``, by Frobenius norms: what all outputs of one input make of a layer."""
    size = np.abs(back.value) + back.error
    count = len(size) // outputs
    together = size.reshape(outputs, count, -1).transpose(1, 0, 2).reshape(count, -1)
    return largest_row(Rounded.exact(together * (1 + 2.0**-50)))


def lipschitz(sizes: Sizes, radius: float) -> float:
    """``L_J`` with ``|J(t) - J(t')|_op <= L_J |t - t'|`` on the ball of this radius; proved, rounded up.

    >>> centre = {"operators": (0.0, 1.0), "columns": (1.0, 0.5), "derivatives": (0.5, 1.0)}
    >>> data = {"features": (1.0,), "rows": (1.0,)}
    >>> shallow = Sizes(scales=(1.0, 1.0), first=Fraction(1), second=Fraction(0), **centre, **data)
    >>> 1 <= lipschitz(shallow, 2.0) < 1.001
    True
    """
    with working_precision(BITS):
        matrix = _differences(sizes, arb(radius))
        return above(_norm(matrix))


def _differences(s: Sizes, radius: arb) -> list[list[arb]]:
    """The matrix ``N``."""
    count = len(s.scales)
    first, second = _ball(s.first), _ball(s.second)
    scale = [arb(w) for w in s.scales]
    operator = [arb(w) + radius for w in s.operators]
    column = [arb(w) + radius for w in s.columns]
    zero, unit = [arb(0)] * count, _units(count)
    whole, single = [zero], [zero]  # |D H_l|_F and max_i |D h_{l,i}|, as rows of multiples of a_1 .. a_L
    feature, row, moved = [arb(s.features[0])], [arb(s.rows[0])], [zero]
    for k in range(count - 1):
        total = _sum(feature[k], unit[k], operator[k], whole[k], scale[k])
        each = _sum(row[k], unit[k], operator[k], single[k], scale[k])
        moved.append(each)  # max_i |D z_{k+1,i}|
        whole.append([first * e for e in total])
        single.append([first * e for e in each])
        if k + 1 < len(s.features):
            feature.append(arb(s.features[k + 1]) + radius * _length(whole[-1]))
            row.append(arb(s.rows[k + 1]) + radius * _length(single[-1]))
    back, turned = arb(1), zero  # |G_l| and |D G_l|, from the last layer down
    found = []
    for k in range(count - 1, -1, -1):
        size = feature[k] if k < count - 1 else arb(0)  # df/dz_L = 1 does not move
        found.append(_sum(back, whole[k], size, turned, scale[k]))
        if k:
            bend = [back * column[k] * second * e for e in moved[k]]
            fresh = [
                scale[k] * (first * operator[k] * t + first * back * u + b)
                for t, u, b in zip(turned, unit[k], bend, strict=True)
            ]
            product = scale[k] * first * operator[k] * back
            back, turned = product.min(arb(s.derivatives[k - 1]) + radius * _length(fresh)), fresh
    return found[::-1]


def _sum(a: arb, u: Sequence[arb], b: arb, v: Sequence[arb], scale: arb) -> list[arb]:
    return [scale * (a * p + b * q) for p, q in zip(u, v, strict=True)]


def _units(count: int) -> list[list[arb]]:
    return [[arb(int(i == j)) for j in range(count)] for i in range(count)]


def _length(row: Sequence[arb]) -> arb:
    return sum((e * e for e in row), arb(0)).sqrt()


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _norm(rows: list[list[arb]]) -> arb:
    """An upper bound of ``|N|_2``: ``lambda_max(M)^p <= tr M^p``, ``M = N^T N``, ``p = 2^12``."""
    matrix = arb_mat(rows)
    power = matrix.transpose() * matrix
    if power.trace() == 0:
        return arb(0)
    for _ in range(_SQUARINGS):
        power = power * power
    return arb((power.trace().log() / 2 ** (_SQUARINGS + 1)).exp().abs_upper())
