"""Certificates that a kernel is strictly positive definite on all finite sets of points of a domain."""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction
from typing import Any

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, mirrored
from proofs_check.replay.gram.activation import Activation
from proofs_check.replay.gram.network import check_sequence
from proofs_check.replay.gram.state import DIFFERENCE
from proofs_check.replay.independence import check_determinant, check_difference
from proofs_check.replay.reading import Json, allow_only, read_field, read_function, read_variances


class Known(IntEnum):
    """What holds of the pre-activations of any finite set of points; each implies those before it."""

    DISTINCT = 0
    """No two of the inputs are equal (said of inputs only)."""
    OPPOSITE = 1
    """None 0, and no two proportional unless one is the negative of the other (said of inputs only)."""
    APART = 2
    """No two proportional, none 0."""
    INDEPENDENT = 3


DOMAINS: dict[str, tuple[Known, str]] = {
    "distinct": (Known.DISTINCT, "pairwise distinct points"),
    "sphere": (Known.OPPOSITE, "distinct points of a sphere around 0"),
    "non-proportional": (Known.APART, "points not 0, no two proportional"),
}


def strictly_positive_domain(data: dict[str, Any]) -> str:
    """NNGP and NTK are strictly positive definite on all finite sets of points of every ``R^d``: of pairwise
    distinct points, of distinct points of a sphere around 0, or of points that are pairwise non-proportional
    and not 0.

    Carvalho, Costa, Mourao, Oliveira 2024, Theorems 1 and 2. The first layer's bias makes distinct inputs
    non-proportional. An activation that is no polynomial of any degree makes the non-proportional
    independent (Theorem 3), one that is not constant keeps them non-proportional (Theorem 3 for two), and
    keeps the independent so (Proposition 1). "No polynomial": on a half-line ``|s| <= C (1 + |x|)``, so that
    a polynomial would have degree 1 at most; and a divided difference of order 2 or more is not 0.

    On a sphere inputs may be opposite. Either a determinant shows ``s(t)`` and ``s(-t)`` independent, and so
    no two of the ``s(g_i)`` proportional; or neither ``s(t) + s(-t)`` nor ``s(t) - s(-t)`` is a polynomial:
    ``sum_i u_i s(z_i . w) + v_i s(-z_i . w)`` has an even and an odd part in ``w``, and Theorem 3 for each
    says ``u_i + v_i = u_i - v_i = 0``.
    """
    allow_only(data, ("domain", "layers"))
    domain = data.get("domain")
    if not isinstance(domain, str) or domain not in DOMAINS:
        raise Refusal(f"domain: one of {', '.join(DOMAINS)}")
    check_sequence(data.get("layers"))
    known, points = DOMAINS[domain]
    if _through(data["layers"], known, Budget()) is not Known.INDEPENDENT:
        raise Refusal("the evidence does not show strict positivity after the last layer")
    return f"NNGP and NTK are strictly positive definite on all finite sets of {points}, in every dimension"


def _through(layers: list[Json], known: Known, budget: Budget) -> Known:
    for layer in layers:
        match layer["layer"]:
            case "dense":
                known = _after_dense(layer, known)
            case "activation":
                known = _after_activation(layer, known, budget)
            case "residual":
                allow_only(layer, ("layer", "branch"))
                known = max(known, _through(layer["branch"], known, budget))
            case "layer-norm":
                allow_only(layer, ("layer",))
                if known is Known.DISTINCT:
                    raise Refusal("layer-norm: the variance of an input may be 0")
    return known


def _after_dense(layer: Json, known: Known) -> Known:
    weight, bias = read_variances(layer)
    if not weight:
        raise Refusal("weight_variance > 0 is required")
    return max(known, Known.APART) if bias else known


def _after_activation(layer: Json, known: Known, budget: Budget) -> Known:
    if known is Known.DISTINCT:
        raise Refusal("distinct inputs may be proportional: a bias is required before the first activation")
    s = Activation(read_function(layer, "activation"), budget)
    if not s.has_moments:
        raise Refusal("E s(u)^2 and E s'(u)^2 are not seen to be finite")
    if known is Known.OPPOSITE:
        return _after_opposite(layer, s, budget)
    allow_only(layer, ("layer", "activation", *DIFFERENCE))
    count = check_difference(s.expression, layer, budget)
    if count < 2:
        raise Refusal("points: two at least are required")
    return Known.INDEPENDENT if count >= 3 and s.is_linear_at_most else known


def _after_opposite(layer: Json, s: Activation, budget: Budget) -> Known:
    if "determinant" in layer:
        allow_only(layer, ("layer", "activation", "directions", "radius", "determinant"))
        check_determinant(s.expression, ((Fraction(1),), (Fraction(-1),)), layer, budget)
        return Known.APART
    allow_only(layer, ("layer", "activation", "even", "odd"))
    for name, sign in (("even", "1"), ("odd", "-1")):
        half = Activation(["+", s.expression, ["*", sign, mirrored(s.expression)]], budget)
        evidence = read_field(layer, name, dict)
        allow_only(evidence, DIFFERENCE)
        if check_difference(half.expression, evidence, budget) < 3 or not half.is_linear_at_most:
            raise Refusal(f"the {name} half is not seen to be no polynomial")
    return Known.INDEPENDENT
