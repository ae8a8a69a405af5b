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
from tests.test_certificates_gram import RELU, SAMPLES, TENS, Json, act, as_layer, dense, resealed

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
    network = Network.mlp(activations.resolve("log(1 + exp(x))"), 2, 1, 0)
    with pytest.raises(DomainError, match="without bias"):
        certificate.of_decision(network, decide(network, 3))
    fast = Network.mlp(activations.resolve("x^2 + cos(x)"), 1, 1, 1)
    with pytest.raises(UndecidedError, match="half-line"):
        certificate.of_decision(fast, decide(fast, 3))


SQUARES = activations.resolve("x^2 + x")
SPHERE = {
    "neither half a polynomial": (Network.mlp(activations.get("elu(1)"), 1, 2, 0), "even"),
    "relu": (Network.mlp(activations.relu, 2, 2, 0), "determinant"),
    "sigmoid": (Network.mlp(activations.sigmoid, 2, 2, 0), "determinant"),
    "a polynomial first": (
        Network(Dense(1, 0), Nonlinearity(SQUARES), Dense(1, 0), RELU_LAYER, Dense(1, 0)),
        "determinant",
    ),
    "a bias in the middle": (
        Network(Dense(1, 0), LayerNorm(), Dense(1, 1), RELU_LAYER, Dense(1, 0)), "difference",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPHERE)
def test_sphere_without_bias(name: str) -> None:
    network, evidence = SPHERE[name]
    decision = decide(network, 3, Domain.SPHERE)
    assert decision.verdict is Positivity.STRICTLY_POSITIVE
    made = certificate.of_decision(network, decision).json()
    assert verify(made).text.endswith("distinct points of a sphere around 0, in every dimension")
    first = next(layer for layer in made["layers"] if layer["layer"] == "activation")
    assert made["domain"] == "sphere" and evidence in first
    assert verify(resealed({**made, "domain": "non-proportional"})).accepted == (evidence == "difference")
    assert not verify(resealed({**made, "domain": "distinct"})).accepted or evidence == "difference"


@pytest.mark.parametrize("name", ["neither half a polynomial", "relu"])
def test_changes_on_the_sphere_are_refused_or_true(name: str) -> None:
    network, _ = SPHERE[name]
    made = certificate.of_decision(network, decide(network, 3, Domain.SPHERE)).json()
    seen: set[str] = set()
    refused = 0
    for mutant in mutants({k: v for k, v in made.items() if k != "sha256"}):
        if not verify(resealed(mutant)).accepted:
            refused += 1
            continue
        layers = [*map(as_layer, mutant["layers"])]
        if str(layers) not in seen:
            seen.add(str(layers))
            assert decide(Network(*layers), 3, Domain.SPHERE).verdict is Positivity.STRICTLY_POSITIVE
    assert refused > 100 and len(seen) > 1


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
    assert not whole("ball", dense("1"), first, dense())
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


OPPOSITE = {**TENS, "directions": [["1"], ["-1"]], "determinant": ["1/2", "2"]}
ELU = ["cases", ["x", ["<", "0", "x"]], [["+", "-1", ["exp", "x"]], ["else"]]]


def test_hypotheses_on_the_sphere() -> None:
    relu = act(RELU, **{**TENS, "points": ["-2", "1/2", "2"], "difference": ["1/20", "1"]})
    apart = act(RELU, **OPPOSITE)
    assert whole("sphere", dense(), apart, dense(), relu, dense())
    assert whole("sphere", dense("1"), relu, dense())
    assert not whole("sphere", dense(), apart, dense())  # singular at three antipodal pairs of the plane
    assert not whole("sphere", dense(), relu, dense(), relu, dense())  # two opposite inputs not told apart
    assert not whole("distinct", dense(), apart, dense(), relu, dense())
    assert not whole("sphere", dense(), apart, dense(), act(RELU, **TWO), dense())
    for low, high in (("1/100000", "100"), ("-100", "-1/100000")):
        for odd_or_even in (["tanh", "x"], ["cos", "x"], ["^", "x", "3"], "1"):
            first = act(odd_or_even, **{**OPPOSITE, "determinant": [low, high]})
            assert not whole("sphere", dense(), first, dense(), relu, dense())
        same = act(RELU, **{**OPPOSITE, "directions": [["1"], ["1"]], "determinant": [low, high]})
        assert not whole("sphere", dense(), same, dense(), relu, dense())


def test_both_halves_must_be_no_polynomials() -> None:
    three = {**TENS, "points": ["1/2", "1", "2"], "difference": ["1/1000", "1"]}
    minus = {**three, "difference": ["-1", "-1/1000"]}
    assert whole("sphere", dense(), act(ELU, even=three, odd=minus), dense())
    assert not whole("sphere", dense(), act(ELU, even=three), dense())
    assert not whole("sphere", dense(), act(ELU, even=three, odd=three), dense())
    assert not whole("sphere", dense(), act(ELU, even=minus, odd=three), dense())
    pair = {**TENS, "points": ["1", "2"], "difference": ["1/1000", "9"]}
    assert not whole("sphere", dense(), act(ELU, even=pair, odd=pair), dense())
    kink = {**TENS, "points": ["-1", "0", "2"], "difference": ["1/1000", "9"]}
    for odd in (kink, three, minus, pair):  # relu(t) - relu(-t) = t
        assert not whole("sphere", dense(), act(RELU, even=kink, odd=odd), dense())
    assert not whole("sphere", dense(), act(["exp", "x"], even=three, odd=three), dense())  # too fast
    assert not whole("non-proportional", dense(), act(ELU, even=three, odd=minus), dense())


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
