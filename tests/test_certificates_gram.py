"""Certificates of Gram matrices: the truth table with its evidence, and what a forger may try."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytic_ntk import Activation, Dense, Network, Nonlinearity, Residual, activations, certificate
from analytic_ntk.arithmetic import functions as fn
from analytic_ntk.certificate.evidence import no_polynomial_of_degree, not_proportional
from analytic_ntk.certificate.expression import expression_json
from analytic_ntk.cli import app
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.layers import Layer, LayerNorm
from analytic_ntk.positivity import GramDecision, Positivity, decide_gram
from proofs_check import verify, verify_file
from proofs_check.replay.verify import seal
from tests.test_certificates import mutants

Json = dict[str, Any]
HALF = [[1, 0], [0, 1], [1, 1]]
ANTIPODAL = HALF + [[-a for a in x] for x in HALF]
HEXAGON = [[2, 0], [1, 1], [-1, 1], [-2, 0], [-1, -1], [1, -1]]
CROSS = [[1, 0], [-1, 0], [0, 1], [0, -1]]


def certified(network: Network, points: Any) -> Json:
    """The certificate, seen to be accepted and to state what was decided."""
    decision = decide_gram(network, points, "nngp")
    made = certificate.of_gram(network, points).json()
    report = verify(made)
    assert report.accepted, report.text
    assert report.kind == {0: "strictly-positive"}.get(decision.nullity or 0, "singular")
    if decision.nullity:
        assert len(made["null_vectors"]) == decision.nullity
    return made


def rank_of_random_features(network: Network, points: Any) -> int:
    """The rank of the NNGP Gram matrix from the definition: ``[s(g_i)]`` at random Gaussian ``g``, layer by
    layer, dense and activation in turn (with other weight variances, which do not matter for the rank)."""
    rng, z = np.random.default_rng(5), np.array(points, float)
    for layer in network.layers:
        if isinstance(layer, Dense):
            bias = np.full((len(z), 1), float(sp.sqrt(layer.bias_variance)))
            z = np.hstack([3 * z / np.max(np.linalg.norm(z, axis=1)), bias])
        else:
            assert isinstance(layer, Nonlinearity)
            z = layer.activation(z @ rng.standard_normal((z.shape[1], 400))) / 20
    values = np.linalg.svd(z, compute_uv=False)
    return int(sum(values > 1e-10 * values[0]))


def resealed(data: Json) -> Json:
    content = {k: v for k, v in data.items() if k != "sha256"}
    return {**content, "sha256": seal(content)}


def accepted(data: Json) -> bool:
    return verify(resealed(data)).accepted


# --------------------------------------------------------------------------------- the truth table

TABLE = {
    # nullity at one hidden layer and deeper, without bias, of p = 3 antipodal pairs in the plane
    "s(t) - s(-t) = c t": (1, 0, (
        "relu", "leaky_relu(1/10)", "softplus(1)", "gelu", "silu", "log(1 + exp(x))", "x/(1 + exp(-x))",
        "Max(x, 0) + Max(-x, 0)/10", "hardswish", "gelu_tanh",
    )),
    "s(t) + s(-t) = c": (2, 0, ("sigmoid", "probit", "tanh(x) + 1", "1/(1 + exp(-x))", "2 - erf(x)")),
    "odd": (3, 3, ("tanh", "erf", "sin", "sin(x) + x/3", "softsign", "x*Abs(x)", "x/sqrt(1 + x^2)")),
    "even": (3, 3, ("cos", "exp(-x^2)", "abs", "log(cosh(x))", "1/(1 + x^2)")),
    "none": (0, 0, ("elu(1)", "exp", "mish", "sin(x) + cos(x)", "relu6")),
}  # fmt: skip
ROWS = [(kind, text) for kind, (_, _, texts) in TABLE.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), ROWS)
def test_reflection_table(kind: str, text: str) -> None:
    phi = activations.resolve(text)
    for depth, bias in ((1, 0), (2, 0), (3, 0), (1, 1)):
        expected = 0 if bias else TABLE[kind][min(depth, 2) - 1]
        network = Network.mlp(phi, depth, 2, bias)
        made = certified(network, ANTIPODAL)
        assert int(made.get("nullity", "0")) == expected
        assert rank_of_random_features(network, ANTIPODAL) == len(ANTIPODAL) - expected


def _mlp(text: str, depth: int, bias: Any = 0) -> Network:
    return Network.mlp(activations.resolve(text), depth, 2, bias)


def _with_bias_after(text: str, *biases: int) -> Network:
    layers: list[Layer] = [Dense(2, biases[0])]
    for bias in biases[1:]:
        layers += [Nonlinearity(activations.resolve(text)), Dense(2, bias)]
    return Network(*layers)


EDGES: dict[str, tuple[Network, list[list[int]], int]] = {
    "hexagon": (_mlp("relu", 1), HEXAGON, 1),
    "hexagon, deeper": (_mlp("relu", 2), HEXAGON, 0),
    "normal cdf on a cross": (_mlp("probit", 1), CROSS, 1),
    "relu, collinear": (_mlp("relu", 1), [[1, 0], [2, 0], [3, 0], [-1, 0], [-2, 0], [0, 1], [0, -1]], 3),
    "relu, collinear, deeper": (_mlp("relu", 2), [[1, 0], [2, 0], [3, 0], [-1, 0], [-2, 0], [0, 1]], 3),
    "relu on a line": (_mlp("relu", 1), [[1], [2], [3], [-1], [-5], [0]], 4),
    "relu on a line, bias": (_mlp("relu", 1, 1), [[1], [2], [3], [-1], [-5], [0]], 0),
    "tanh on a line": (_mlp("tanh", 2), [[1], [2], [-1], [-3]], 1),
    "bias in the first layer only": (_with_bias_after("tanh", 1, 0), [[0, 0], *ANTIPODAL], 0),
    "bias last, two points": (_with_bias_after("relu", 0, 1), [[1, 0], [2, 0]], 0),
    "bias last, three points": (_with_bias_after("relu", 0, 1), [[1, 0], [2, 0], [3, 0]], 1),
    "bias in the middle": (_with_bias_after("relu", 0, 1, 0), [[1, 0], [2, 0], [3, 0]], 0),
    "zero input, relu": (_mlp("relu", 2), [[0, 0], [1, 2]], 1),
    "zero input, cos": (_mlp("cos", 1), [[0, 0], [1, 2]], 0),
    "zero input, softplus": (_mlp("softplus(1)", 1), [[0, 0], [1, 2], [-1, -2], [3, 1]], 0),
    "zero input, sigmoid": (_mlp("sigmoid", 1), [[0, 0], [1, 2], [-1, -2]], 1),
    "zero input alone": (_mlp("tanh", 2), [[0, 0]], 1),
    "one point": (_mlp("tanh", 2), [[3, 0]], 0),
    "duplicates": (_mlp("gelu", 2, 1), [[1, 2], [3, 4], [1, 2], [1, 2]], 2),
    "duplicates, a jump": (_mlp("x + Heaviside(x)", 2, 1), [[1, 2], [3, 4], [1, 2]], 1),
    "a polynomial, enough points": (_mlp("x^2", 1), [[1, 0], [0, 1], [1, 1], [1, 2]], 1),
    "a polynomial, few points": (_mlp("x^2", 1), HALF, 0),
    "a polynomial, then relu": (
        Network(Dense(1, 0), Nonlinearity(activations.resolve("x^2 + x")), Dense(1, 0),
                Nonlinearity(activations.relu), Dense(1, 0)),
        [*ANTIPODAL, [2, 3]], 0,
    ),
    "an odd polynomial, then relu": (
        Network(Dense(1, 0), Nonlinearity(activations.resolve("x^3 - x/6")), Dense(1, 0),
                Nonlinearity(activations.relu), Dense(1, 0)),
        [[1, 0], [2, 0], [-1, 0]], 0,
    ),
    "linear": (Network(Dense(1, 0)), [[1, 0], [0, 1], [1, 1]], 1),
    "affine": (Network(Dense(1, 1)), [[0, 0], [1, 0], [0, 1]], 0),
    "constant": (_mlp("7", 1), HALF, 2),
    "zero": (_mlp("0", 1), HALF, 3),
    "weights 0": (Network(Dense(1, 0), Nonlinearity(activations.relu), Dense(0, 1)), HALF, 2),
    "step": (_mlp("step", 1), CROSS, 1),
    "sign": (_mlp("sign", 3), ANTIPODAL, 3),
    "a bump on a polynomial": (_mlp("x^2 + exp(-x^2)", 1), ANTIPODAL, 3),
    "residual": (
        Network(Dense(1, 0), Residual(Nonlinearity(activations.relu), Dense(1, 0))), [*HALF, [2, 2]], 1
    ),
    "residual, even": (
        Network(Dense(1, 0), Residual(Nonlinearity(activations.cos), Dense(1, 0))), [[1, 0], [-1, 0]], 0
    ),
    "layer norm": (
        Network(Dense(1, 0), LayerNorm(), Nonlinearity(activations.exp), Dense(1, 0)),
        [[1, 0], [2, 0], [0, 1]], 1,
    ),
    "layer norm, deeper": (
        Network(Dense(1, 1), Nonlinearity(activations.gelu), Dense(1, 0), LayerNorm(),
                Nonlinearity(activations.relu), Dense(1, 0)),
        ANTIPODAL, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edge_cases(name: str) -> None:
    network, points, nullity = EDGES[name]
    assert int(certified(network, points).get("nullity", "0")) == nullity


@pytest.mark.parametrize(("text", "depth", "bias"), [
    ("x^2", 1, 0), ("x + x^2", 1, 0), ("1 + x^3", 1, 0), ("x - x^3/6", 1, 1), ("x^2", 2, 0), ("x^2", 2, 1),
])  # fmt: skip
def test_polynomial_ranks(text: str, depth: int, bias: int) -> None:
    points = np.random.default_rng(1).integers(-9, 10, size=(18, 2)).tolist()
    network = _mlp(text, depth, bias)
    nullity = decide_gram(network, points).nullity
    assert certified(network, points).get("nullity") == str(nullity)


def test_irrational_variances() -> None:
    """Of a variance only its sign matters, and that is shown."""
    network = Network.mlp(activations.relu, 1, sp.sqrt(2), sp.pi / 7 - sp.Rational(2, 5))
    assert certified(network, [[1], [2], [-1]])["layers"][0]["weight_variance"] == ["^", "2", "1/2"]
    below = ["+", ["*", "1/7", "pi"], "-1/2"]
    nothing = ["+", "pi", ["*", "-1", "pi"]]
    for bias, true in (
        ("pi", True),
        (below, False),
        (nothing, False),
        ("x", False),
        (["max", "x", "1"], False),
    ):
        assert positive([[1], [2]], dense(bias), act("x"), dense()) == true
        assert whole_domain(dense(bias)) == true


def whole_domain(first: Json) -> bool:
    evidence = {**TENS, "points": ["-2", "1/2", "2"], "difference": ["1/20", "1"]}
    layers = [first, act(RELU, **evidence), dense()]
    return verify(gram_free("strictly-positive-domain", domain="distinct", layers=layers)).accepted


def test_many_points() -> None:
    """More than a determinant is tried for: by the degree bound, and by ratios for antipodal pairs."""
    rng = np.random.default_rng(3)
    points = [[int(a), int(b)] for a, b in rng.integers(-30, 31, size=(40, 2))]
    made = certified(_mlp("tanh", 1, 1), [*map(list, dict.fromkeys(map(tuple, points)))])
    assert len(made["layers"][1]["points"]) == len(made["points"])
    lines = [[k, 7] for k in range(-14, 14)]
    both = lines + [[-a, -b] for a, b in lines]
    made = certified(_mlp("relu", 2), both)
    assert [r["ratio"] for r in made["layers"][1]["ratios"]] == ["-1"]


TEXTS = (
    "relu", "gelu", "sigmoid", "tanh", "cos", "elu(1)", "exp", "x^2", "x^3 - x/2", "step", "x + x^2",
    "Abs(x) + 1", "Max(x^2, x)", "x + Heaviside(x)", "triangle", "2", "Max(x, 0)^2", "snake",
)  # fmt: skip


@st.composite
def networks(draw: Any) -> Network:
    layers: list[Layer] = [Dense(2, draw(st.sampled_from([0, 0, 1])))]
    for _ in range(draw(st.integers(0, 3))):
        phi = Nonlinearity(activations.resolve(draw(st.sampled_from(TEXTS))))
        dense = Dense(1, draw(st.sampled_from([0, 0, "1/3"])))
        layers += [Residual(phi, dense)] if draw(st.integers(0, 4)) == 0 else [phi, dense]
        layers += [LayerNorm()] if draw(st.integers(0, 9)) == 0 else []
    return Network(*layers)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(networks(), st.integers(1, 3), st.data())
def test_what_is_decided_is_certified(network: Network, dim: int, data: Any) -> None:
    row = st.lists(st.integers(-2, 2), min_size=dim, max_size=dim)
    points = data.draw(st.lists(row, min_size=1, max_size=6))
    try:
        decision = decide_gram(network, points)
        if decision.verdict is Positivity.UNDECIDED:
            return
        made = certificate.of_decision(network, decision).json()
    except (DomainError, UndecidedError):
        return
    assert verify(made).accepted


# --------------------------------------------------------------------------------- doors and errors


def test_what_has_no_certificate_says_why() -> None:
    with pytest.raises(DomainError, match="at most 100"):
        certificate.of_gram(_mlp("exp", 1), [[k, 1] for k in range(101)])
    with pytest.raises(DomainError, match="exponentially"):
        certificate.of_gram(Network.mlp(Activation.parse("exp(x^2/99)"), 1, 1, 0), HALF)
    with pytest.raises(DomainError, match="2000 digits"):
        certificate.of_gram(_mlp("exp", 1), [[10**2500, 1], [1, 1]])
    with pytest.raises(DomainError, match="value at 0 is 1/2"):
        expression_json(sp.Heaviside(sp.Symbol("x", real=True), 1))
    jump = _mlp("x + Heaviside(x)", 1)
    with pytest.raises(UndecidedError, match="open"):
        certificate.of_decision(jump, GramDecision(Positivity.UNDECIDED, "ntk", (), (), (), "something"))
    assert verify(certificate.of_gram(jump, CROSS).json()).accepted


def test_command_line(tmp_path: Path) -> None:
    points, file = tmp_path / "x.csv", tmp_path / "c.json"
    points.write_text("1,0\n-1,0\n0,1\n0,-1\n")
    result = CliRunner().invoke(
        app, ["positive", "probit", "--points", str(points), "--certificate", str(file), "--json"]
    )
    assert result.exit_code == 0 and verify_file(file).accepted and verify_file(file).kind == "singular"
    unwritable = ["positive", "tanh", "--certificate", str(tmp_path / "none" / "c.json")]
    assert CliRunner().invoke(app, unwritable).exit_code == 4
    every = ["positive", "softplus(1)", "--depth", "2", "--certificate", str(tmp_path / "d.json")]
    result = CliRunner().invoke(app, every)
    assert result.exit_code == 2 and "strictly positive" in result.output
    assert not (tmp_path / "d.json").exists()


# --------------------------------------------------------------------------------- mutations

SAMPLES: dict[str, Json] = {
    "by determinants": certificate.of_gram(_mlp("gelu", 1, "1/10"), [[0], [1], [2]]).json(),
    "by degrees": certificate.of_gram(_mlp("exp", 2, 1), [[0], [3]]).json(),
    "through a singular layer": certificate.of_gram(_mlp("probit", 2), CROSS).json(),
    "null vectors": certificate.of_gram(_mlp("relu", 1), [[1], [2], [-1]]).json(),
    "null vectors, deeper": certificate.of_gram(_mlp("sin(x) + x/3", 2), [[1], [2], [-2]]).json(),
    "polynomials": certificate.of_gram(_mlp("x^2 - 2", 2), [[1], [2], [-2]]).json(),
    "residual": certificate.of_gram(
        Network(Dense(1, 0), Residual(Nonlinearity(activations.cos), Dense(1, 0))), [[1, 0], [-1, 0]]
    ).json(),
}


def _by_ratios() -> Json:
    data = certificate.of_gram(_mlp("relu", 2), CROSS).json()
    layers, relu = copy.deepcopy(data["layers"]), activations.relu
    vectors = tuple(tuple(map(Fraction, x)) for x in CROSS)
    known = {"layer": "activation", "activation": expression_json(relu.expression)}
    layers[1] = known | not_proportional(relu, vectors)
    layers[3] = known | no_polynomial_of_degree(relu, len(CROSS) - 2)
    return resealed({**data, "layers": layers})


SAMPLES["by ratios"] = _by_ratios()


@pytest.mark.parametrize("name", SAMPLES)
def test_any_change_is_refused(name: str) -> None:
    assert verify(SAMPLES[name]).accepted
    assert all(not verify(mutant).accepted for mutant in mutants(SAMPLES[name]))


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_still_accepted_with_a_new_checksum_is_true(name: str) -> None:
    refused = 0
    for mutant in mutants({k: v for k, v in SAMPLES[name].items() if k != "sha256"}):
        mutant = resealed(mutant)
        if verify(mutant).accepted:
            _assert_true(mutant)
        else:
            refused += 1
    assert refused > 50


def _assert_true(data: Json) -> None:
    """By the package's own decision, which shares no code with the checker."""
    decision = decide_gram(Network(*map(as_layer, data["layers"])), data["points"], "nngp")
    if data["kind"] == "strictly-positive":
        assert decision.verdict is Positivity.STRICTLY_POSITIVE
        return
    null = sp.Matrix([[sp.Rational(e) for e in u] for u in decision.null_vectors])
    stated = sp.Matrix([[sp.Rational(e) for e in u] for u in data["null_vectors"]])
    assert null.rank() == null.col_join(stated).rank()
    assert data.get("nullity") in (None, str(decision.nullity))


def as_layer(data: Json) -> Layer:
    if data["layer"] == "dense":
        return Dense(data["weight_variance"], data["bias_variance"])
    if data["layer"] == "residual":
        return Residual(*map(as_layer, data["branch"]))
    if data["layer"] == "layer-norm":
        return LayerNorm()
    return Nonlinearity(Activation(_sympy(data["activation"])))


def _sympy(node: Any) -> sp.Expr:
    if isinstance(node, str):
        return {"x": sp.Symbol("x", real=True), "pi": sp.pi, "e": sp.E}.get(node) or sp.Rational(node)
    head, *rest = node
    if head == "^":
        return _sympy(rest[0]) ** sp.Rational(rest[1])
    if head == "cases":
        return sp.Piecewise(*((_sympy(value), _condition(when)) for value, when in rest))
    heads: dict[str, Callable[..., sp.Expr]] = {
        "+": sp.Add, "*": sp.Mul, "max": sp.Max, "exp": sp.exp, "erf": sp.erf, "Phi": fn.Phi, "sin": sp.sin,
        "cos": sp.cos,
    }  # fmt: skip
    return heads[head](*map(_sympy, rest))


def _condition(node: Any) -> Any:
    head, *rest = node
    if head == "else":
        return sp.true
    one, two = map(_sympy, rest)
    return one < two if head == "<" else one <= two


# --------------------------------------------------------------------------------- forgeries

TENS = {"radius": "1/1000000"}
RELU = ["max", "0", "x"]


def dense(bias: Any = "0", weight: Any = "1") -> Json:
    return {"layer": "dense", "weight_variance": weight, "bias_variance": bias}


def act(expression: Any, **evidence: Any) -> Json:
    return {"layer": "activation", "activation": expression, **evidence}


def gram(kind: str, points: Any, *layers: Json, **more: Any) -> Json:
    rows = [[str(entry) for entry in x] for x in points]
    return resealed(
        {
            "format": "analytic-ntk certificate",
            "version": 1,
            "kind": kind,
            "points": rows,
            "layers": [*layers],
            **more,
        }
    )


def gram_free(kind: str, **body: Any) -> Json:
    return resealed({"format": "analytic-ntk certificate", "version": 1, "kind": kind, **body})


def positive(points: Any, *layers: Json) -> bool:
    return verify(gram("strictly-positive", points, *layers)).accepted


def singular(points: Any, null: Any, *layers: Json, **more: Any) -> bool:
    return verify(gram("singular", points, *layers, null_vectors=null, **more)).accepted


def two_values(low: int = 0, high: int = 1) -> Json:
    """Of a function with ``s(high) - s(low) = high - low``."""
    return {**TENS, "points": [str(low), str(high)], "difference": ["9/10", "11/10"]}


def test_the_forger_can_write_what_is_true() -> None:
    """The plain forms of the forgeries below are accepted: they are refused for what is wrong in them."""
    assert positive([[1, 0], [0, 1]], dense(), act(RELU, **two_values()), dense())
    assert singular([[1], [2]], [["2", "-1"]], dense(), act(RELU, null_vectors=[["2", "-1"]]), dense())
    assert positive([[1], [2]], dense("1"), act("x"), dense())


@pytest.mark.parametrize(
    "expression",
    [
        ["exp", ["^", "x", "2"]], ["exp", ["*", "1/100", ["^", "x", "2"]]], ["sin", ["exp", ["^", "x", "2"]]],
        ["log", "x"], ["^", "x", "-1"], ["^", ["abs", "x"], "1/2"], ["log", ["abs", "x"]],
        ["exp", ["exp", "x"]], ["^", ["sin", "x"], "-1"], ["exp", ["^", "x", "3"]],
        ["cases", [["^", "x", "-1"], ["<", "x", "0"]], ["x", ["else"]]],
        ["cosh", ["^", "x", "2"]], ["sin", ["^", "x", "-1"]],
        ["cases", ["x", ["<", ["log", "x"], "0"]], ["1", ["else"]]],
        ["cases", ["x", ["<", "x", "0"]], ["x", ["<", "0", "x"]], [["^", "0", "-1"], ["else"]]],
    ],
)  # fmt: skip
def test_kernels_that_may_be_infinite_are_refused(expression: Any) -> None:
    """A difference that is right for the function shifted by hand; what is refused is its growth."""
    values = {**TENS, "points": ["1", "2"], "difference": ["-1000000", "-1/1000000"]}
    for sign in ("1", "-1"):
        interval = values["difference"] if sign == "-1" else ["1/1000000", "1000000"]
        assert not positive(
            [[1, 0], [0, 1]], dense(), act(expression, **{**values, "difference": interval}), dense()
        )
    assert not singular([[1], [1]], [["1", "-1"]], dense(), act(expression), dense())


@pytest.mark.parametrize(
    "guard",
    [
        ["*", "0", ["log", ["+", "x", "1"]]], ["*", "0", ["^", ["+", "x", "1"], "1/2"]],
        ["*", ["+", "x", "1"], ["^", ["+", "x", "1"], "-1"]],
    ],
)  # fmt: skip
def test_a_guard_must_be_defined(guard: Any) -> None:
    """``|x|``, chosen by a comparison that means nothing at some ``x``."""
    odd = ["cases", ["1", ["<", guard, "-1"]], [["abs", "x"], ["else"]]]
    null = [["1", "-1"]]
    for expression, true in ((["abs", "x"], True), (odd, False)):
        layer = act(expression, null_vectors=null)
        assert singular([[1], [-1]], null, dense(), layer, dense()) == true


def test_a_constant_or_a_spike_is_no_second_activation() -> None:
    spike = ["cases", ["1", ["and", ["<=", "x", "1"], ["<=", "1", "x"]]], ["0", ["else"]]]
    first = act(RELU, **two_values())
    assert positive([[1, 0], [0, 1]], dense(), first, dense(), first, dense())
    for second in (spike, "2", ["*", "0", "x"], ["+", "x", ["*", "-1", "x"]]):
        forged = act(second, **two_values())
        assert not positive([[1, 0], [0, 1]], dense(), first, dense(), forged, dense())
        assert not positive([[1, 0], [0, 1]], dense(), first, dense(), act(second), dense())


def test_the_sharpness_of_the_degree_bound() -> None:
    """Four points with bias need a divided difference of order 3; less would accept a polynomial with a kink
    somewhere else. Proportional points are no case for it at all."""
    square = ["+", ["^", "x", "2"], ["*", "1/1000", RELU]]
    second = {**TENS, "points": ["1", "2", "3"], "difference": ["9/10", "11/10"]}
    line = [[0], [1], [2], [3]]
    assert not positive(line, dense("1"), act(square, **second), dense())
    cubes = {**TENS, "points": ["1", "2", "3", "4"], "difference": ["9/10", "11/10"]}
    assert not positive(line, dense("1"), act(["^", "x", "3"], **cubes), dense())  # no evidence is read
    cube = ["+", ["^", "x", "3"], ["*", "1/1000", RELU]]
    assert positive(line, dense("1"), act(cube, **cubes), dense())
    assert not positive([[1, 0], [-1, 0], [0, 1], [0, -1]], dense(), act(cube, **cubes), dense())
    assert not positive([[1, 0], [1, 0], [0, 1], [2, 1]], dense("1"), act(cube, **cubes), dense())


def test_samples_must_lie_in_the_support() -> None:
    """A determinant at values that ``g`` never takes: for x and -x, ``g_2 = -g_1``."""
    leaky = ["+", RELU, ["*", "1/3", "x"]]
    honest = {**TENS, "samples": [["1", "-1"], ["-1", "1"]], "determinant": ["1", "2"]}
    free = {**TENS, "samples": [["1", "-1"], ["1", "1"]], "determinant": ["1", "3"]}
    assert positive([[1, 0], [-1, 0]], dense(), act(leaky, **honest), dense())
    assert not positive([[1, 0], [-1, 0]], dense(), act(leaky, **free), dense())
    tanh = {**TENS, "samples": [["1", "-1"], ["1", "1"]], "determinant": ["1", "3"]}
    assert not positive([[1, 0], [-1, 0]], dense(), act(["tanh", "x"], **tanh), dense())


def test_samples_need_the_relations_before() -> None:
    """The first layer says nothing, so nothing is known of the support after it."""
    tanh = ["tanh", "x"]
    samples = {**TENS, "samples": [["1", "0"], ["0", "1"]], "determinant": ["1/2", "3/5"]}
    assert positive([[1, 0], [0, 1]], dense(), act(tanh, **samples), dense())
    for second in (samples, two_values()):
        assert not positive([[1, 0], [-1, 0]], dense(), act(tanh), dense(), act(tanh, **second), dense())
    assert not positive([[1, 0], [-1, 0]], dense(), act(tanh), dense())


def _ratio(ratio: str, directions: list[str], low: str, high: str) -> Json:
    return {**TENS, "ratio": ratio, "directions": [[d] for d in directions], "determinant": [low, high]}


def test_ratios_must_cover_every_pair() -> None:
    mirror = _ratio("-1", ["1", "-1"], "9/10", "11/10")  # relu(1) relu(1) - 0
    rest = act(RELU, **{**TENS, "points": ["-1", "0", "1/2", "1"], "difference": ["-10", "-1/100"]})
    deep = (dense(), rest, dense())
    assert _accepts_some(CROSS, act(RELU, **two_values(), ratios=[mirror]))
    assert not _accepts_some(CROSS, act(RELU, **two_values(), ratios=[]))
    assert not _accepts_some([[1, 0], [2, 0], [0, 1], [0, -1]], act(RELU, **two_values(), ratios=[mirror]))
    assert not _accepts_some([[1, 0], [1, 0], [0, 1], [0, -1]], act(RELU, **two_values(), ratios=[mirror]))
    assert not _accepts_some([*CROSS[:3], [0, 0]], act(RELU, **two_values(), ratios=[mirror]))
    assert not positive(CROSS, dense(), act(RELU, **two_values(), ratios=[mirror]), dense())
    assert not positive(CROSS, dense(), act(["tanh", "x"], **two_values(), ratios=[mirror]), *deep)


def _accepts_some(points: Any, first: Json) -> bool:
    made = no_polynomial_of_degree(activations.relu, len(points) - 2)
    return positive(points, dense(), first, dense(), act(RELU, **made), dense())


def test_a_zero_input_must_not_vanish() -> None:
    points = [[0, 0], [1, 0], [0, 1]]
    for text, true in (("exp(x)", True), ("sin(x)", False), ("Max(x, 0)", False), ("Max(x, 0) + 1", True)):
        phi = activations.resolve(text)
        evidence = no_polynomial_of_degree(phi, 1)
        assert positive(points, dense(), act(expression_json(phi.expression), **evidence), dense()) == true
        assert not positive(
            [[0, 0], *points], dense(), act(expression_json(phi.expression), **evidence), dense()
        )


def test_values_at_0_count_for_a_zero_input() -> None:
    """A polynomial everywhere but at 0, where the zero input is; a square of signs where ``g`` may be 0."""
    hole = ["cases", [["^", "x", "2"], ["<", "x", "0"]], [["^", "x", "2"], ["<", "0", "x"]], ["5", ["else"]]]
    points, null = [[0, 0], [1, 0]], [["1", "0"]]
    assert singular(points, null, dense(), act(["^", "x", "2"]), dense())
    assert not singular(points, null, dense(), act(hole), dense())
    assert not singular(points, null, dense(), act(hole, null_vectors=null), dense())
    signs = ["^", ["sign", "x"], "2"]  # 1, but 0 at 0
    equal = [["1", "-1"]]
    assert not singular(points, equal, dense(), act(signs, null_vectors=equal), dense())
    first = act(["tanh", "x"])  # its null vector (1, 0) left out: g_1 = 0 is not known after it
    assert not singular(points, equal, dense(), first, dense(), act(signs, null_vectors=equal), dense())
    assert singular([[2, 0], [1, 0]], equal, dense(), act(signs, null_vectors=equal), dense())


@pytest.mark.parametrize(
    ("expression", "null", "true"),
    [
        (["tanh", "x"], ["1", "1"], True), (["tanh", "x"], ["1", "-1"], False), (RELU, ["1", "1"], False),
        (["cos", "x"], ["1", "1"], False), (["cos", "x"], ["1", "-1"], True),
        (["exp", "x"], ["1", "1"], False), (["abs", "x"], ["1", "-1"], True),
        (["sigmoid", "x"], ["1", "1"], False), ("x", ["1", "1"], True),
        (["+", ["sin", "x"], ["*", "1/1000000", ["exp", "x"]]], ["1", "1"], False),
    ],
)  # fmt: skip
def test_null_vectors_are_identities(expression: Any, null: list[str], true: bool) -> None:
    points = [[1, 2], [-1, -2]]
    evidence = {} if expression == "x" else {"null_vectors": [null]}
    assert singular(points, [null], dense(), act(expression, **evidence), dense()) == true
    assert not singular(points, [null], dense(), act(expression), dense()) or expression == "x"
    assert singular(points, [null], dense(), act(expression, **evidence), dense("1")) == (
        true and sum(map(int, null)) == 0
    )


def test_null_vectors_across_lines() -> None:
    """ReLU on the hexagon: one sign changed, another point, and a bias before."""
    null = ["1", "-1", "1", "-1", "1", "-1"]
    assert singular(HEXAGON, [null], dense(), act(RELU, null_vectors=[null]), dense())
    for k in range(6):
        wrong = [str(-int(e)) if i == k else e for i, e in enumerate(null)]
        assert not singular(HEXAGON, [wrong], dense(), act(RELU, null_vectors=[wrong]), dense())
    moved = [[3, 0], *HEXAGON[1:]]
    assert not singular(moved, [null], dense(), act(RELU, null_vectors=[null]), dense())
    assert not singular(HEXAGON, [null], dense("1"), act(RELU, null_vectors=[null]), dense())
    assert singular(HEXAGON, [null], dense(), act(RELU, null_vectors=[null]), dense("1"))
    assert not singular(HEXAGON, [null], dense(), act(RELU, null_vectors=[null]), dense(), act(RELU), dense())


def test_a_jump_does_not_separate_the_kernels() -> None:
    """``s(t) + s(-t) = 1 + t^2``: a null vector of the NNGP is one of the NTK, by its certified values."""
    network = _mlp("Heaviside(x)*(x^2 + 1)", 1)
    lines = [[1, 0], [0, 1], [1, 1], [1, -1], [2, 1]]
    points = lines + [[-a for a in x] for x in lines]
    (u,) = certified(network, points)["null_vectors"]
    assert len(set(u)) > 2
    for x in points:
        total, spread = Fraction(0), Fraction(0)
        for y, entry in zip(points, u, strict=True):
            value = network.certified(x, y, 15).ntk
            total += Fraction(entry) * value.midpoint
            spread += abs(Fraction(entry)) * value.radius
        assert abs(total) <= spread < Fraction(1, 10**9)


def test_nullity_needs_evidence() -> None:
    points, null = [[1], [-1], [2], [-2]], [["1", "1", "0", "0"], ["0", "0", "1", "1"]]
    tanh = ["tanh", "x"]
    evidence = certificate.of_gram(_mlp("tanh", 1), points).json()["layers"][1]
    assert singular(points, null, dense(), act(tanh, null_vectors=null), dense())
    assert not singular(points, null, dense(), act(tanh, null_vectors=null), dense(), nullity="2")
    assert singular(points, null, dense(), evidence, dense(), nullity="2")
    for nullity in ("1", "3", "02", 2, None):
        assert not singular(points, null, dense(), evidence, dense(), nullity=nullity)
    assert not singular(points, null[:1], dense(), evidence, dense(), nullity="1")
    assert not singular(points, [null[0], null[0]], dense(), evidence, dense())
    assert not singular(points, [["0"] * 4], dense(), evidence, dense())


@pytest.mark.parametrize(
    "layers",
    [
        [], [act(RELU)], [dense(), act("x")], [dense(), act("x"), act("x"), dense()], [dense(weight="-1")],
        [dense(bias="-1")], [dense(), {"layer": "dropout"}], [dense(), {"layer": ["dense"]}], [[dense()]],
        "dense", None, {"layer": "dense"}, [dense(), {"layer": "residual"}], [dense(), "dense"],
        [dense(), {"layer": "residual", "branch": []}],
        [dense(), {"layer": "residual", "branch": [act("x")]}],
        [dense(), {"layer": "residual", "branch": dense()}], [dense(), {"layer": "layer-norm", "eps": "1"}],
        [dense(), act("x"), {"layer": "layer-norm"}, dense()], [{**dense(), "more": "1"}], [dense()] * 300,
        [dense(), act("x", points=["0", "1"]), dense()], [dense(weight="0")],
    ],
)  # fmt: skip
def test_layers_that_are_no_network(layers: Any) -> None:
    points = [[1, 0], [0, 1]]
    assert positive(points, dense())
    data = gram("strictly-positive", points, dense())
    report = verify(resealed({**data, "layers": layers}))
    assert not report.accepted and report.text


def test_layer_norm_of_nothing_is_refused() -> None:
    norm: Json = {"layer": "layer-norm"}
    assert positive([[1, 0], [0, 1]], dense(), norm)
    null = [["0", "1"]]
    assert singular([[1, 0], [0, 0]], null, dense())
    assert not singular([[1, 0], [0, 0]], null, dense(), norm)
    unknown = (dense(), act(["tanh", "x"]), dense(), norm)
    assert not singular([[1, 0], [0, 0]], null, *unknown)


def test_deep_residuals_are_refused() -> None:
    layers: list[Json] = [dense()]
    for _ in range(50):
        layers = [dense(), {"layer": "residual", "branch": layers}]
    assert not positive([[1, 0], [0, 1]], *layers)


def _hostile() -> Iterator[tuple[str, Json]]:
    points = [[k, 1] for k in range(100)]
    tower: Any = "x"
    for _ in range(40):
        tower = ["^", ["+", tower, "1"], "64"]
    nested: Any = "x"
    for k in range(40):
        nested = ["max", ["+", nested, str(k)], ["*", nested, "1/2"]]
    sums = ["^", ["+", *[["exp", ["*", str(k), "x"]] for k in range(1, 40)]], "40"]
    kinks = ["+", *[["abs", ["+", "x", str(-k)]] for k in range(1, 59)]]
    for name, node in (("tower", tower), ("sums", sums), ("kinks", kinks)):
        null = [["1", "-1", *["0"] * 98]]
        yield (
            name,
            gram(
                "singular",
                points,
                dense(),
                act(node, null_vectors=null),
                dense(),
                kernel="ntk",
                null_vectors=null,
            ),
        )
    big = [[str(10**900 + 7 * (20 * i + j) + 1) for j in range(20)] for i in range(16)]
    yield (
        "long numbers",
        gram("singular", big, dense(), act(["^", "x", "40"]), dense(), null_vectors=big),
    )
    coprime = [[f"1/{10**90 + 7 * (50 * i + j) + 1}" for j in range(40)] for i in range(60)]
    yield "no common denominators", gram("strictly-positive", coprime, dense())
    samples = [[str(i * j) for i in range(100)] for j in range(100)]
    evidence = {"radius": "1/9", "samples": samples, "determinant": ["1", "2"]}
    yield (
        "a large determinant",
        gram("strictly-positive", points, dense(), act(["exp", "x"], **evidence), dense()),
    )
    relu = act(RELU, **two_values())
    yield "many layers", gram("strictly-positive", points, *[dense(), relu] * 99, dense())


@pytest.mark.parametrize(("name", "data"), [pytest.param(n, d, id=n) for n, d in _hostile()])
def test_hostile_sizes_are_refused_soon(name: str, data: Json) -> None:
    started = time.monotonic()
    report = verify(data)
    assert not report.accepted and report.text
    assert time.monotonic() - started < 15


# --------------------------------------------------------------------------------- planted faults

TANH, SIGNS = ["tanh", "x"], ["^", ["sign", "x"], "2"]
OUTSIDE = {**TENS, "samples": [["1", "-1"], ["1", "1"]], "determinant": ["1", "3"]}
EQUAL = [["1", "-1"]]
FORGERIES: dict[str, tuple[str, Any, Callable[[], bool]]] = {
    "the support is not looked at": (
        "proofs_check.replay.gram.state.orthogonal",
        lambda u, vectors: True,
        lambda: positive([[1, 0], [-1, 0]], dense(), act(TANH, **OUTSIDE), dense()),
    ),
    "growth is not looked at": (
        "proofs_check.replay.gram.activation.Activation.has_moments",
        True,
        lambda: positive(
            [[1, 0], [0, 1]],
            dense(),
            act(["exp", ["^", "x", "2"]], **TENS, points=["1", "2"], difference=["51", "53"]),
            dense(),
        ),
    ),
    "continuity is not looked at": (
        "proofs_check.replay.gram.activation.Activation.is_continuous",
        True,
        lambda: singular(
            [[0, 0], [1, 0]], EQUAL, dense(), act(TANH), dense(), act(SIGNS, null_vectors=EQUAL), dense()
        ),
    ),
    "proportional inputs are not looked at": (
        "proofs_check.replay.gram.state.State.is_apart",
        lambda self, places, zero=False: True,
        lambda: positive([[1, 0], [-1, 0]], dense(), act(TANH, **_slope()), dense()),
    ),
    "null vectors are not looked at": (
        "proofs_check.replay.gram.state.check_null_vector",
        lambda s, state, u: None,
        lambda: singular([[1, 0], [2, 0]], EQUAL, dense(), act(TANH, null_vectors=EQUAL), dense()),
    ),
    "the radius is not used": (
        "proofs_check.replay.independence.read_radius",
        lambda data: Fraction(1, 2**9000),
        lambda: positive([[1, 0], [0, 1]], dense(), act(RELU, **(two_values() | {"radius": "9"})), dense()),
    ),
}


def _slope() -> Json:
    return {**TENS, "points": ["0", "1"], "difference": ["3/4", "4/5"]}


@pytest.mark.parametrize("fault", FORGERIES)
def test_saboteur_each_guard_is_what_refuses(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgery is refused, and accepted once its guard is gone: no guard is idle."""
    place, broken, accepts = FORGERIES[fault]
    assert not accepts()
    monkeypatch.setattr(place, broken)
    assert accepts()
