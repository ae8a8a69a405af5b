"""Certificates of strict positivity on whole domains: the theorems with every hypothesis replayed."""

from __future__ import annotations

from typing import Any

import pytest

from analytic_ntk import Dense, Network, Nonlinearity, Residual, activations, certificate
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import LayerNorm
from analytic_ntk.positivity import Domain, Positivity, decide, profile
from proofs_check import verify
from tests.test_certificates import mutants
from tests.test_certificates_gram import RELU, SAMPLES, TENS, Json, act, dense, resealed

RELU_LAYER = Nonlinearity(activations.relu)


@pytest.mark.parametrize("name", sorted(activations.all_activations()))
def test_every_catalogue_activation(name: str) -> None:
    """With bias on distinct points, without on non-proportional ones: a proof, or a counterexample."""
    phi = activations.all_activations()[name]
    for bias, domain in ((1, Domain.DISTINCT), (0, Domain.NON_PROPORTIONAL)):
        network = Network.mlp(phi, 2, 2, bias)
        made = certificate.of_decision(network, decide(network, 3, domain)).json()
        report = verify(made)
        assert report.accepted, report.text
        polynomial = profile(phi).polynomial is not None
        assert report.kind == ("singular" if polynomial else "strictly-positive-domain")


def test_other_networks() -> None:
    square = Nonlinearity(activations.resolve("x^2"))
    deep = Network(Dense(1, 0), square, Dense(1, 0), RELU_LAYER, Dense(1, 0))
    skip = Network(Dense(1, 1), Residual(RELU_LAYER, Dense(1, 0)), LayerNorm(), RELU_LAYER, Dense(1, 0))
    for network, domain in ((deep, Domain.NON_PROPORTIONAL), (skip, Domain.DISTINCT), (skip, Domain.SPHERE)):
        decision = decide(network, 2, domain)
        assert decision.verdict is Positivity.STRICTLY_POSITIVE
        assert verify(certificate.of_decision(network, decision).json()).accepted


def test_what_has_none_says_why() -> None:
    network = Network.mlp(activations.get("elu(1)"), 1, 1, 0)
    with pytest.raises(DomainError, match="without bias"):
        certificate.of_decision(network, decide(network, 3, Domain.SPHERE))
    fast = Network.mlp(activations.resolve("x^2 + cos(x)"), 1, 1, 1)
    with pytest.raises(UndecidedError, match="half-line"):
        certificate.of_decision(fast, decide(fast, 3))


# --------------------------------------------------------------------------------- forgeries


def whole(domain: Any, *layers: Json) -> bool:
    return verify(
        resealed(
            {
                "format": "analytic-ntk certificate", "version": 1, "kind": "strictly-positive-domain",
                "domain": domain, "layers": [*layers],
            }
        )
    ).accepted  # fmt: skip


KINK = {**TENS, "points": ["-1", "0", "1"], "difference": ["1/4", "1"]}
"""Of ReLU: 1/2."""
TWO = {**TENS, "points": ["1", "2"], "difference": ["1/2", "2"]}


def test_hypotheses() -> None:
    relu = {**TENS, "points": ["-2", "1/2", "2"], "difference": ["1/20", "1"]}
    first, second = act(RELU, **relu), act(RELU, **TWO)
    assert whole("distinct", dense("1"), first, dense(), second, dense())
    assert whole("non-proportional", dense(), first, dense(), second, dense())
    square = act(["^", "x", "2"], **{**TWO, "difference": ["2", "4"]})
    assert whole("non-proportional", dense(), square, dense(), first, dense())
    assert not whole("distinct", dense(), first, dense())  # no bias
    assert not whole("distinct", dense(), first, dense("1"))
    assert not whole("sphere", dense("1"), first, dense())
    assert not whole(None, dense("1"), first, dense())
    assert not whole("distinct", dense("1"), second, dense())  # two points say only: not constant
    assert not whole("distinct", dense("1"), first, dense(), act("2", **TWO), dense())
    assert not whole("distinct", dense("1"), first, dense(weight="0"))
    assert not whole("distinct", dense("1"), first)
    assert not whole("distinct", dense("1"))
    assert not whole("distinct", {"layer": "layer-norm"}, dense("1"), first, dense())
    assert not whole("distinct", dense(), {"layer": "layer-norm"}, dense("1"), first, dense())
    fast = ["max", "0", ["exp", ["^", "x", "2"]]]
    assert not whole("distinct", dense("1"), act(fast, **{**KINK, "difference": ["1", "9"]}), dense())


@pytest.mark.parametrize(
    "expression",
    [
        "x", ["^", "x", "2"], ["+", ["max", "0", "x"], ["*", "-1", ["max", "0", ["*", "-1", "x"]]]],
        ["cases", ["x", ["<", "x", "0"]], ["x", ["<", "0", "x"]], ["1", ["else"]]],
        ["cases", [["^", "x", "2"], ["<", "x", "1"]], [["^", "x", "2"], ["else"]]],
        ["+", ["^", ["sin", "x"], "2"], ["^", ["cos", "x"], "2"], "x"],
        ["log", ["exp", ["+", "x", ["^", "x", "2"]]]],
    ],
)  # fmt: skip
def test_no_polynomial_passes(expression: Any) -> None:
    """Whatever differences are claimed; a disguise does not help either."""
    for low, high in (("1/100000", "100"), ("-100", "-1/100000")):
        for points in (["-1", "0", "1"], ["1", "2", "3"], ["-1", "0", "1", "2"]):
            evidence = {**TENS, "points": points, "difference": [low, high]}
            assert not whole("distinct", dense("1"), act(expression, **evidence), dense())


def test_changes_are_refused_or_true() -> None:
    network = Network.mlp(activations.resolve("Max(x, 0)"), 2, 2, 1)
    made = certificate.of_decision(network, decide(network, 2)).json()
    assert verify(made).accepted
    refused = 0
    for mutant in mutants(made):
        assert not verify(mutant).accepted
    for mutant in mutants({k: v for k, v in made.items() if k != "sha256"}):
        if not verify(resealed(mutant)).accepted:
            refused += 1
            continue
        assert mutant["kind"] == made["kind"]
        first, activation, *_ = mutant["layers"]  # what is left: positive variances, or a bias at 0 no more
        assert mutant["domain"] == "non-proportional" or first["bias_variance"] != "0"
        assert activation["activation"][0] == "max" and "x" in activation["activation"]
    assert refused > 100


def test_kinds_do_not_mix() -> None:
    """The layers of one kind under the name of another."""
    for made in SAMPLES.values():
        for kind in ("strictly-positive-domain", "independence", "singular", "strictly-positive"):
            if kind != made["kind"]:
                assert not verify(resealed({**made, "kind": kind})).accepted
