"""Certificates that a kernel is strictly positive definite on all finite sets of points of a domain."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from proofs_check.replay.budget import Budget
from proofs_check.replay.expression import Refusal, rational
from proofs_check.replay.gram.activation import Activation
from proofs_check.replay.gram.network import check_sequence
from proofs_check.replay.independence import check_difference
from proofs_check.replay.reading import Json, allow_only, read_function


class Known(IntEnum):
    """What holds of the pre-activations of any finite set of points; each implies those before it."""

    DISTINCT = 0
    """No two of the inputs are equal (said of inputs only)."""
    APART = 1
    """No two proportional, none 0."""
    INDEPENDENT = 2


DOMAINS: dict[str, Known] = {"distinct": Known.DISTINCT, "non-proportional": Known.APART}


def strictly_positive_domain(data: dict[str, Any]) -> str:
    """NNGP and NTK are strictly positive definite on all finite sets of points of every ``R^d``: of pairwise
    distinct points, or of points that are pairwise non-proportional and not 0.

    Carvalho, Costa, Mourao, Oliveira 2024, Theorems 1 and 2. The first layer's bias makes distinct inputs
    non-proportional. An activation that is no polynomial of any degree makes the non-proportional
    independent (Theorem 3), one that is not constant keeps them non-proportional (Theorem 3 for two), and
    keeps the independent so (Proposition 1). "No polynomial": on a half-line ``|s| <= C (1 + |x|)``, so that
    a polynomial would have degree 1 at most; and a divided difference of order 2 or more is not 0.
    """
    allow_only(data, ("domain", "layers"))
    domain = data.get("domain")
    if not isinstance(domain, str) or domain not in DOMAINS:
        raise Refusal(f"domain: one of {', '.join(DOMAINS)}")
    check_sequence(data.get("layers"))
    if _through(data["layers"], DOMAINS[domain], Budget()) is not Known.INDEPENDENT:
        raise Refusal("the evidence does not show strict positivity after the last layer")
    points = "pairwise distinct points" if domain == "distinct" else "points not 0, no two proportional"
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
    allow_only(layer, ("layer", "weight_variance", "bias_variance"))
    weight, bias = (
        rational(layer.get(f"{name}_variance"), f"{name}_variance") for name in ("weight", "bias")
    )
    if weight <= 0 or bias < 0:
        raise Refusal("weight_variance > 0 and bias_variance >= 0 are required")
    return max(known, Known.APART) if bias else known


def _after_activation(layer: Json, known: Known, budget: Budget) -> Known:
    allow_only(layer, ("layer", "activation", "points", "radius", "difference"))
    if known is Known.DISTINCT:
        raise Refusal("distinct inputs may be proportional: a bias is required before the first activation")
    s = Activation(read_function(layer, "activation"), budget)
    if not s.has_moments:
        raise Refusal("E s(u)^2 and E s'(u)^2 are not seen to be finite")
    count = check_difference(s.expression, layer, budget)
    if count < 2:
        raise Refusal("points: two at least are required")
    return Known.INDEPENDENT if count >= 3 and s.is_linear_at_most else known
