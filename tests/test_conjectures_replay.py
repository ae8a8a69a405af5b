"""How conjectures are checked: kernels from the definition, certificates after changes, planted faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb

from analytic_ntk import Network, activations
from analytic_ntk.certificate import expression_json
from analytic_ntk.notation import x
from proofs_check import conjecture, verify
from proofs_check.conjectures import ask, derived
from proofs_check.replay.conjectures import duals
from proofs_check.replay.conjectures.chain import Chain
from proofs_check.replay.conjectures.duals import HermiteDual
from proofs_check.replay.conjectures.intervals import Interval
from proofs_check.replay.conjectures.own import Own, Recipe
from proofs_check.replay.conjectures.statement import Interval as Domain
from proofs_check.replay.conjectures.statement import Node, parse
from proofs_check.replay.conjectures.terms import fold
from proofs_check.replay.reading import precision
from proofs_check.replay.verify import seal
from proofs_check.verdict import Verdict
from tests import witness

Json = dict[str, Any]
BREAKS = {
    "hardtanh": (-1, 1),
    "relu": (0,),
    "tanh": (),
    "softplus(1)": (),
    "selu": (0,),
    "sign": (0,),
    "x^3 - x": (),
}


def own(name: str, depth: int = 1, w: str = "1", b: str = "0", order: int = 96) -> Own:
    expression = expression_json(activations.resolve(name).expression)
    return Own(
        Recipe((expression,) * depth, (Fraction(w),) * (depth + 1), (Fraction(b),) * (depth + 1)), order
    )


def from_the_definition(name: str, depth: int, w: float, b: float, rho: float) -> tuple[float, float]:
    """NNGP and NTK by quadrature of the recursion, in plain numpy."""
    phi = activations.resolve(name)
    f, g = phi.expression, sp.diff(phi.expression, x)
    g = g.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    breaks = BREAKS.get(name, ())
    q, s = w + b, w * rho + b
    t = s
    for _ in range(depth):
        dual, slope = (witness.dual(h, h, q, q, s, breaks) for h in (f, g))
        q = w * witness.second_moment(f, f, q, breaks) + b
        s = w * dual + b
        t = s + w * slope * t
    return s, t


# ---------------------------------------------------------------------------------- the checker's kernels


CASES = [(name, 1, "1", "0") for name in sorted(BREAKS)] + [
    (n, 2, "3/2", "1/5") for n in ("tanh", "relu", "sign")
]


@pytest.mark.parametrize(("name", "depth", "w", "b"), CASES)
def test_kernels_are_those_of_the_definition(name: str, depth: int, w: str, b: str) -> None:
    with precision(128):
        chain = own(name, depth, w, b).chain
        for rho in ("-9/10", "1/4", "3/4"):
            nngp, extra = (jet.c[0] for jet in chain.kernels(Interval.of(Fraction(rho)), 0))
            truth = from_the_definition(
                name, depth, float(Fraction(w)), float(Fraction(b)), float(Fraction(rho))
            )
            for value, wanted in zip((nngp, nngp + extra), truth, strict=True):
                room = 1e-9 * (1 + abs(wanted))
                assert value.low < wanted + room and wanted - room < value.high
                assert value.high - value.low < 5e-3


def _samples(chain: Chain, low: Fraction, high: Fraction) -> Iterator[tuple[Interval, ...]]:
    """Values and first derivatives of both kernels inside a box."""
    for k in range(9):
        one, two = chain.kernels(Interval.of(low + (high - low) * k / 8), 1)
        yield (*one.c, *two.c)


def _misses(chain: Chain, low: Fraction, high: Fraction) -> int:
    one, two = chain.kernels(Interval.between(low, high), 1)
    whole = (*one.c, *two.c)
    return sum(
        value.low > box.high or value.high < box.low
        for row in _samples(chain, low, high)
        for value, box in zip(row, whole, strict=True)
    )


BOXES = [("-1", "-1/2"), ("-3/4", "1/4"), ("0", "1"), ("-1", "1")]


@pytest.mark.parametrize("name", ["tanh", "relu", "softplus(1)", "cos(2*x)", "x^2 - x"])
def test_boxes_hold_the_values_inside(name: str) -> None:
    with precision(128):
        chain = own(name, 2, "1", "1/10").chain
        assert all(_misses(chain, Fraction(low), Fraction(high)) == 0 for low, high in BOXES)


def test_saboteur_ends_alone_do_not_hold_the_values_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval that was not widened: the values at the two ends, as if every kernel were monotone."""

    def careless(dual: duals.Dual, order: int, r: Interval) -> Interval:
        ends = [Interval.of(e) for e in (r.low, r.high)]
        values = [duals.derivative_over(dual, order, e) for e in ends]
        return values[0].hull(values[1])

    from proofs_check.replay.conjectures import chain as module

    with precision(128):
        chain = own("cos(2*x)", 1).chain
        assert _misses(chain, Fraction(-3, 4), Fraction(3, 4)) == 0
        monkeypatch.setattr(module, "derivative_over", careless)
        assert _misses(chain, Fraction(-3, 4), Fraction(3, 4)) > 0


def _taylor_misses(chain: Chain, low: Fraction, high: Fraction, fault: float = 0.0) -> int:
    """Values at ``high`` outside what value, two derivatives and the third over the box allow (Lagrange)."""
    step, missed = Interval.of(high - low), 0
    here, over, there = (
        chain.kernels(box, order)
        for box, order in ((Interval.of(low), 3), (Interval.between(low, high), 3), (Interval.of(high), 0))
    )
    for a, o, c in zip(here, over, there, strict=True):
        sum_ = a.c[0] + a.c[1] * step * Fraction(1 + fault) + a.c[2] * step.power(2) + o.c[3] * step.power(3)
        missed += bool(c.c[0].low > sum_.high or c.c[0].high < sum_.low)
    return missed


@pytest.mark.parametrize("name", ["tanh", "relu", "cos(2*x)", "hardtanh", "x^3 - x", "abs"])
def test_derivatives_are_those_of_the_values(name: str) -> None:
    with precision(128):
        chain = own(name, 2, "1", "1/10").chain
        for low, high in (("-3/4", "-1/2"), ("-1/8", "1/8"), ("1/2", "5/8")):
            assert _taylor_misses(chain, Fraction(low), Fraction(high)) == 0
        assert _taylor_misses(chain, Fraction(1, 2), Fraction(1, 2) + Fraction(1, 100), fault=1e-2) > 0


def test_both_sources_of_numbers_agree() -> None:
    """The package's coefficients and moments against the checker's own integration."""
    for name, depth, w, b in [
        ("gelu", 2, "1", "1/3"),
        ("elu(1)", 2, "2", "0"),
        ("step", 1, "1", "1/2"),
        ("abs", 2, "1", "0"),
    ]:
        network = activations.resolve(name)
        shape = derived.Shape.of(Network.mlp(network, depth, w, b))
        theirs, ours = derived.Derived(shape, 64, {}).chain, own(name, depth, w, b, 64).chain
        with precision(128):
            for box in (
                Interval.of(Fraction(-1)),
                Interval.of(Fraction(2, 3)),
                Interval.between(Fraction(-1), Fraction(1, 9)),
            ):
                for one, two in zip(theirs.kernels(box, 2), ours.kernels(box, 2), strict=True):
                    assert all(a.low <= c.high and c.low <= a.high for a, c in zip(one.c, two.c, strict=True))


def test_coefficients_and_eigenvalues_of_the_definition() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z = 12 * nodes
    bell = 12 * weights * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    with precision(128):
        world = own("tanh", 1, order=64)
        before, now = np.zeros_like(z), np.ones_like(z)
        for n in range(12):
            wanted = float(np.sum(bell * np.tanh(z) * now))
            value = world.hermite(n)
            assert (
                value.low < wanted + 1e-12 and wanted - 1e-12 < value.high and value.high - value.low < 1e-20
            )
            assert n % 2 == 1 or (value.low == 0 == value.high)
            before, now = now, (z * now - np.sqrt(n) * before) / np.sqrt(n + 1)
        t, weight = np.polynomial.legendre.leggauss(40)
        kernel = np.array([float(world.chain.kernels(Interval.of(arb(r)), 0)[0].c[0].ball()) for r in t])
        for degree in range(4):  # S^2: the weight of t is 1/2
            wanted = float(np.sum(weight * kernel * np.polynomial.legendre.Legendre.basis(degree)(t)) / 2)
            value = world.eigenvalue("nngp", degree, 3)
            assert value.low < wanted + 1e-9 and wanted - 1e-9 < value.high and value.high - value.low < 1e-9


# ---------------------------------------------------------------------------------- certificates


MADE: dict[str, Json] = {
    "boxes": {"text": "kappa(rho) >= rho^2 * kappa(1) for rho in [0, 1]", "activation": "relu"},
    "point": {"text": "ntk(rho) >= 0 for rho in [-1, 1]", "activation": "relu"},
    "index": {"text": "a(n)^2 <= 1/8 for n in 0..4", "activation": "tanh"},
    "range": {"text": "a(n)^2 <= 1/2 for n in 2..4", "activation": "abs(x)"},
    "smallest": {"text": "lambda_min(ntk, X) > 1/9", "activation": "relu", "X": [[1, 0], [0, 1]]},
}


@cache
def made(kind: str) -> Json:
    answer = conjecture(**MADE[kind])
    assert answer.certificate is not None, answer
    return answer.certificate


def resealed(certificate: Json, **changes: Any) -> Json:
    content = {k: v for k, v in {**certificate, **changes}.items() if k != "sha256"}
    return {**content, "sha256": seal(content)}


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if items is None:
        yield path, value
    else:
        for key, item in items:
            yield from _leaves(item, (*path, key))


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


def _mutants(certificate: Json) -> Iterator[Json]:
    for path, value in _leaves(certificate):
        text = str(value)
        for k, letter in enumerate(text):
            if letter.isdigit() and path != ("sha256",):
                yield _with(certificate, path, text[:k] + str((int(letter) + 1) % 10) + text[k + 1 :])
        wrongs: tuple[Any, ...] = ("", "nan", "1/0", None, 1.5, [], {}, True, "-" + text)
        for wrong in wrongs:
            yield _with(certificate, path, wrong)
    for key in certificate:
        yield {k: v for k, v in certificate.items() if k != key}
    yield {**certificate, "more": "1"}


@pytest.mark.parametrize("kind", sorted(MADE))
def test_any_change_is_refused(kind: str) -> None:
    certificate, count = made(kind), 0
    for mutant in _mutants(certificate):
        assert not verify(mutant).accepted
        count += 1
    assert count > 100


@pytest.mark.parametrize("kind", sorted(MADE))
def test_a_forged_checksum_does_not_help_a_false_statement(kind: str) -> None:
    """With the checksum made anew, what is still accepted must be so: numbers from the definition say it."""
    accepted = refused = 0
    for mutant in _mutants({k: v for k, v in made(kind).items() if k != "sha256"}):
        mutant = resealed(mutant)
        if verify(mutant).accepted:
            accepted += 1
            assert _is_so(mutant), mutant
        else:
            refused += 1
    assert refused > 80 and (accepted > 0 or kind == "boxes")


def _is_so(certificate: Json) -> bool:
    """The verdict, in float64 from the definition, with room for errors of 1e-6."""
    statement, proved = parse(certificate["statement"]), certificate["verdict"] == "proved"
    if isinstance(statement.domain, Domain):
        low, high = statement.domain.low, statement.domain.high
        places: list[Any] = [low + (high - low) * Fraction(k, 7) for k in range(1, 7)]
        places = places if proved else [Fraction(certificate["point"])]
    elif isinstance(statement.domain, range):
        places = list(statement.domain) if proved else [int(certificate["index"])]
    else:
        places = [None]
    values = []
    for place in places:
        for c in statement.comparisons:
            gap = _float(c.left, place, certificate) - _float(c.right, place, certificate)
            gap = -gap if c.relation[0] == "<" else gap
            values.append(gap)
    return min(values) > -1e-6 if proved else min(values) < 1e-6


def _float(node: Node, place: Any, certificate: Json) -> float:
    def leaf(part: Node) -> Any:
        if part.head in ("number", "pi", "e"):
            return _Number({"number": float(part.value), "pi": np.pi, "e": np.e}[part.head])
        if part.head in ("rho", "n"):
            return _Number(float(place))
        return _Number(_numeric(part, place, certificate))

    return float(fold(node, leaf, int(place) if isinstance(place, int) else None))


class _Number(float):
    def power(self, count: int) -> _Number:
        return _Number(float(self) ** count)

    def __mul__(self, other: float) -> _Number:
        return _Number(float(self) * float(other))

    def __sub__(self, other: float) -> _Number:
        return _Number(float(self) - float(other))

    def __truediv__(self, other: float) -> _Number:
        return _Number(float(self) / float(other))


def _numeric(part: Node, place: Any, certificate: Json) -> float:
    phis = tuple(_sympy(e) for e in certificate["activations"])
    weights, biases = (
        tuple(float(Fraction(v)) for v in certificate[f"{k}_variances"]) for k in ("weight", "bias")
    )
    if part.head in ("nngp", "ntk", "kappa"):
        rho = _float(part.arguments[0], place, certificate)
        weights, biases = ((1.0, 1.0), (0.0, 0.0)) if part.head == "kappa" else (weights, biases)
        return _pair(phis, weights, biases, 1.0, rho, 1.0)[part.head == "ntk"]
    if part.head == "lambda_min":
        points = np.array([[float(Fraction(c)) for c in row] for row in certificate["points"]])
        gram, size = points @ points.T / points.shape[1], range(len(points))
        ntk = part.kernel == "ntk"
        kernel = [
            [_pair(phis, weights, biases, gram[i, i], gram[i, j], gram[j, j])[ntk] for j in size]
            for i in size
        ]
        return float(np.linalg.eigvalsh(kernel)[0])
    assert part.head == "a"
    n = int(_float(part.arguments[0], place, certificate))
    return witness.second_moment(phis[0], _hermite(n), 1.0, BREAKPOINTS)


def _sympy(node: Any) -> sp.Expr:
    if isinstance(node, str):
        return x if node == "x" else sp.Rational(node)
    heads = {"max": sp.Max, "abs": sp.Abs, "tanh": sp.tanh, "*": sp.Mul, "+": sp.Add}
    return heads[node[0]](*map(_sympy, node[1:]))


def _hermite(n: int) -> sp.Expr:
    return sp.expand(2 ** sp.Rational(-n, 2) * sp.hermite(n, x / sp.sqrt(2)) / sp.sqrt(sp.factorial(n)))


BREAKPOINTS = (-1.0, 0.0, 1.0)
Floats = tuple[float, ...]


@cache
def _pair(
    phis: tuple[sp.Expr, ...], weights: Floats, biases: Floats, xx: float, xy: float, yy: float
) -> tuple[float, float]:
    a, c, b = (weights[0] * v + biases[0] for v in (xx, xy, yy))
    t, breaks = c, BREAKPOINTS
    for phi, w, bias in zip(phis, weights[1:], biases[1:], strict=True):
        slope = sp.diff(phi, x)
        close = c * c > a * b * (1 - 1e-9)
        if close:
            sign = 1 if c > 0 else -1
            dual, derivative = (
                witness.second_moment(h, h.subs(x, sign * x * float(np.sqrt(b / a))), a, breaks)
                for h in (phi, slope)
            )
        else:
            dual, derivative = (witness.dual(h, h, a, b, c, breaks) for h in (phi, slope))
        a, b = (w * witness.second_moment(phi, phi, q, breaks) + bias for q in (a, b))
        c = w * dual + bias
        t = c + w * derivative * t
    return c, t


# ---------------------------------------------------------------------------------- planted faults


def test_a_box_removed_from_the_cover_is_refused() -> None:
    answer = conjecture("ntk(rho) > -1/10 for rho in [-1, 1]", "relu")
    assert answer.certificate is not None and len(answer.certificate["boxes"]) >= 2
    boxes = answer.certificate["boxes"]
    assert verify(resealed(answer.certificate)).accepted
    for k in range(len(boxes)):
        assert not verify(resealed(answer.certificate, boxes=boxes[:k] + boxes[k + 1 :])).accepted
    assert not verify(resealed(answer.certificate, boxes=[["-1", "1/2"]])).accepted
    assert not verify(resealed(answer.certificate, boxes=boxes[::-1])).accepted


def test_a_certificate_for_other_data_is_refused() -> None:
    answer = conjecture("nngp(rho) >= 0 for rho in [-1, 1]", "softplus(x)")
    assert answer.certificate is not None
    other = expression_json(activations.tanh.expression)
    assert not verify(resealed(answer.certificate, activations=[other])).accepted


def test_a_flipped_sign_and_a_flipped_verdict_are_refused() -> None:
    proved, refuted = made("boxes"), made("point")
    text = proved["statement"]
    assert not verify(resealed(proved, statement=text.replace(">=", "<="))).accepted
    assert not verify(resealed(proved, statement=text.replace("rho^2", "-rho^2").replace(">=", "<"))).accepted
    assert not verify(resealed(proved, verdict="refuted")).accepted
    assert not verify(resealed(refuted, statement=refuted["statement"].replace(">=", "<="))).accepted


def test_a_prover_that_forgets_the_rest_gets_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """E tanh^2 = .3943, of which the first four coefficients have .3889: a search that drops what is left out
    "proves" a falsehood, and the checker refuses to sign."""
    text = "kappa(rho) < 39/100 for rho in [99/100, 1]"
    assert conjecture(text, "tanh").verdict is Verdict.REFUTED
    monkeypatch.setattr(ask, "ORDERS", (4,))
    measured = derived._measured

    def careless(*given: Any) -> HermiteDual:
        found = measured(*given)
        total = sum(found.squares, arb(0))
        return HermiteDual(found.values, ((total, -total),), found.degrees)

    monkeypatch.setattr(derived, "_measured", careless)
    answer = conjecture(text, "tanh")
    assert answer.verdict is Verdict.PROVED and answer.certificate is None
    assert "checker" in answer.no_certificate


@pytest.mark.parametrize(
    "changes",
    [
        {"order": "100000"}, {"order": "-1"}, {"boxes": []}, {"boxes": [["0", "1"]] * 5000},
        {"activations": []}, {"activations": [["exp", ["^", "x", "2"]]]}, {"activations": [["log", "x"]]},
        {"activations": ["x"] * 50}, {"statement": "(" * 1000}, {"statement": "x" * 10**6},
        {"statement": "2^999999 > rho for rho in [0, 1]"}, {"statement": "1/0 > rho for rho in [0, 1]"},
        {"statement": "ntk(" * 38 + "rho" + ")" * 38 + " > 0 for rho in [0, 1]"}, {"verdict": "true"},
        {"weight_variances": ["0", "1"]}, {"bias_variances": ["-1", "0"]}, {"point": "1/2"},
        {"points": [["1"]]}, {"activations": [["tanh", ["*", "1000000", "x"]]]},
    ],
)  # fmt: skip
def test_hostile_content_is_refused(changes: Json) -> None:
    assert not verify(resealed(made("boxes"), **changes)).accepted


def test_replaying_imports_nothing_that_derives() -> None:
    code = (
        "import sys; from proofs_check import verify; verify({});"
        "print([m for m in sys.modules if m.split('.')[0] in ('sympy', 'analytic_ntk', 'numpy', 'scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
