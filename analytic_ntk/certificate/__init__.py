"""Certificates: evidence as JSON that ``proofs_check`` replays without this package.

All numbers are text (``"p/q"``). What each kind states, and how it is checked:
:mod:`proofs_check.replay.kinds`.
"""

from __future__ import annotations

from typing import Any

from analytic_ntk.activation import Activation
from analytic_ntk.certificate.domain import on_domain
from analytic_ntk.certificate.evidence import determinant, difference
from analytic_ntk.certificate.expression import expression_json
from analytic_ntk.certificate.layers import described
from analytic_ntk.certificate.record import Certificate, texts
from analytic_ntk.characterisation import DividedDifference, Independence, PolynomialDependency
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.network import Network, require_network
from analytic_ntk.positivity import Decision, GramDecision, Positivity, decide_gram, profile

__all__ = [
    "Certificate",
    "expression_json",
    "of_decision",
    "of_dependency",
    "of_difference",
    "of_gram",
    "of_independence",
]

MAX_POINTS = 100
"""As many as the checker reads."""


def of_independence(activation: Activation, found: Independence) -> Certificate:
    """Of :func:`analytic_ntk.characterisation.probe`, where the functions are independent."""
    vectors = list(map(texts, found.vectors))
    body = {"activation": expression_json(activation.expression), "vectors": vectors}
    return Certificate("independence", body | determinant(found))


def of_dependency(activation: Activation, found: PolynomialDependency) -> Certificate:
    """Of :func:`analytic_ntk.characterisation.probe`, for a polynomial (what counts is its powers)."""
    powers = profile(activation).polynomial
    if powers is None:
        raise DomainError(f"{activation}", "a polynomial")
    vectors, weights = list(map(texts, found.vectors)), texts(found.weights)
    return Certificate(
        "polynomial-dependency",
        {"powers": list(map(str, sorted(powers))), "vectors": vectors, "weights": weights},
    )


def of_difference(activation: Activation, found: DividedDifference) -> Certificate:
    """Of :func:`analytic_ntk.characterisation.degree`, for what is not a polynomial of that degree."""
    body = {"activation": expression_json(activation.expression)}
    return Certificate("not-a-polynomial", body | difference(activation, found))


def of_gram(network: Network, X: Any) -> Certificate:
    """Why the Gram matrices of the rows of ``X`` are strictly positive definite, or singular.

    Both kernels have the same null vectors, which the certificate says of both (why:
    :func:`proofs_check.replay.positive.singular`). See :func:`of_decision` for the errors raised.

    >>> from analytic_ntk import activations
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> of_gram(network, [[1, 0], [0, 1]]).kind, of_gram(network, [[1, 0], [2, 0]]).kind
    ('strictly-positive', 'singular')
    """
    require_network(network)
    return of_decision(network, decide_gram(network, X, "nngp"))


def of_decision(network: Network, decision: GramDecision | Decision) -> Certificate:
    """The evidence for a decision about this network.

    ``strictly-positive`` or ``singular`` for given points; for a whole domain ``strictly-positive-domain``,
    or its counterexample. Raises :class:`UndecidedError` where the decision is open or no evidence is found;
    :class:`DomainError` for more than 100 points, or an activation that grows too fast.

    >>> from analytic_ntk import activations
    >>> from analytic_ntk.positivity import decide
    >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance=0)
    >>> of_decision(network, decide(network, dim=3)).body["points"]
    [['0', '0', '0']]
    """
    require_network(network)
    if decision.verdict is Positivity.UNDECIDED:
        raise UndecidedError("a decision that is open", "one that is proved", decision.missing)
    if isinstance(decision, Decision):
        if decision.counterexample is None:
            return Certificate("strictly-positive-domain", on_domain(network, decision.domain))
        decision = decision.counterexample
    points, null = decision.points, decision.null_vectors
    if len(points) > MAX_POINTS:
        raise DomainError(f"a certificate for {len(points)} points", f"at most {MAX_POINTS}")
    layers, known = described(network.layers, points, positive=not null)
    body = {"points": list(map(texts, points)), "layers": layers}
    if not null and not known.exact:
        raise UndecidedError("a certificate of strict positivity for these layers", "evidence at every layer")
    if not null:
        return Certificate("strictly-positive", body)
    body["null_vectors"] = list(map(texts, null))
    return Certificate("singular", body | ({"nullity": str(len(null))} if known.exact else {}))
