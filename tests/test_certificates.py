"""Certificates: accepted by an independent replay, and refused after any change."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from typer.testing import CliRunner

from analytic_ntk import activations, certificate
from analytic_ntk.characterisation import (
    DividedDifference,
    Independence,
    PolynomialDependency,
    degree,
    probe,
)
from proofs_check import verify, verify_file
from proofs_check.cli import app
from proofs_check.replay.verify import seal

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
LINE = [[k, 1] for k in range(5)]


def _made(kind: str) -> certificate.Certificate:
    if kind == "polynomial-dependency":
        phi = activations.resolve("x^3 - x/2")
        dependency = probe(phi, LINE)
        assert isinstance(dependency, PolynomialDependency)
        return certificate.of_dependency(phi, dependency)
    if kind == "not-a-polynomial":
        phi = activations.resolve("x^2 + tanh(x)/9")
        difference = degree(phi, 4)
        assert isinstance(difference, DividedDifference)
        return certificate.of_difference(phi, difference)
    phi = activations.get("elu(1)")
    found = probe(phi, LINE)
    assert isinstance(found, Independence)
    return certificate.of_independence(phi, found)


KINDS = ("independence", "polynomial-dependency", "not-a-polynomial")
MADE = {kind: _made(kind).json() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_is_accepted(kind: str, tmp_path: Path) -> None:
    report = verify(MADE[kind])
    assert report.accepted, report.text
    path = tmp_path / "c.json"
    path.write_text(json.dumps(MADE[kind], indent=1))
    assert verify_file(path) == report
    assert CliRunner().invoke(app, ["verify", str(path)]).exit_code == 0


@pytest.mark.parametrize("name", sorted(activations.all_activations()))
def test_every_catalogue_activation_gets_a_certificate(name: str) -> None:
    phi = activations.all_activations()[name]
    found = probe(phi, LINE)
    if isinstance(found, PolynomialDependency):
        made = certificate.of_dependency(phi, found)
    else:
        made = certificate.of_independence(phi, found)
    report = verify(json.loads(made.text()))
    assert report.accepted, report.text


def test_the_checker_imports_nothing_that_derives() -> None:
    paths = sorted((ROOT / "proofs_check" / "replay").rglob("*.py"))
    assert len(paths) >= 14
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(
                n.split(".")[0] in ("analytic_ntk", "sympy", "mpmath", "numpy", "scipy") for n in names
            )
            assert all(n.startswith("proofs_check.replay.") for n in names if n.startswith("proofs_check"))


# --------------------------------------------------------------------------------- mutations


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, (*path, place))
    else:
        yield path, value


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def mutants(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, value in _leaves(data):
        if path == ("sha256",):
            continue
        text = str(value)
        for k, letter in enumerate(text):
            if letter.isdigit():
                other = text[:k] + str((int(letter) + 1) % 10) + text[k + 1 :]
                yield _with(data, path, other if isinstance(value, str) else int(other))
        wrongs: tuple[Any, ...] = ("", "nan", "1/0", None, 1.5, [], {}, True, "-" + text)
        for wrong in wrongs:
            yield _with(data, path, wrong)
    for key in data:
        yield {k: v for k, v in data.items() if k != key}
    yield {**data, "more": "1"}


@pytest.mark.parametrize("kind", KINDS)
def test_any_change_is_refused(kind: str) -> None:
    count = 0
    for mutant in mutants(MADE[kind]):
        assert not verify(mutant).accepted
        count += 1
    assert count > 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_checksum_does_not_help_a_false_statement(kind: str) -> None:
    """With the checksum made anew, what is still accepted must be true: another witness says so."""
    accepted = refused = 0
    for mutant in mutants({k: v for k, v in MADE[kind].items() if k != "sha256"}):
        mutant = {**mutant, "sha256": seal(mutant)}
        if verify(mutant).accepted:
            accepted += 1
            assert _is_true(mutant)
        else:
            refused += 1
    assert refused > 100


def _is_true(data: dict[str, Any]) -> bool:
    """The evidence by sympy, from the definition."""
    if data["kind"] == "polynomial-dependency":
        x = sp.Symbol("x")
        s = sum(x ** int(k) for k in data["powers"])
        w = sp.symbols(f"w:{len(data['vectors'][0])}")
        total = sum(
            sp.Rational(u) * s.subs(x, sum(sp.Rational(c) * t for c, t in zip(z, w, strict=True)))
            for u, z in zip(data["weights"], data["vectors"], strict=True)
        )
        return bool(sp.expand(total) == 0)
    if data["kind"] == "not-a-polynomial":
        points = [Fraction(p) for p in data["points"]]
        total = sp.S.Zero
        for p in points:
            weight = 1 / sp.prod([sp.Rational(p - o) for o in points if o != p])
            total += weight * _sympy(data["activation"], sp.Rational(p))
        return bool(abs(sp.N(total, 40)) > 1e-30)
    activation, vectors = data["activation"], [list(map(Fraction, z)) for z in data["vectors"]]
    rows = [
        [
            _sympy(
                activation,
                sp.Rational(sum((a * Fraction(b) for a, b in zip(z, w, strict=True)), Fraction(0))),
            )
            for w in data["directions"]
        ]
        for z in vectors
    ]
    return bool(abs(sp.Matrix(rows).evalf(50).det()) > 1e-30)


def _sympy(node: Any, x: sp.Expr) -> sp.Expr:
    if isinstance(node, str):
        return {"x": x, "pi": sp.pi, "e": sp.E}.get(node) or sp.Rational(node) if node != "x" else x
    head, *rest = node
    if head == "cases":
        return next(_sympy(value, x) for value, when in rest if _sympy_condition(when, x))
    if head == "^":
        return _sympy(rest[0], x) ** sp.Rational(rest[1])
    parts = [_sympy(part, x) for part in rest]
    heads = {
        "+": sp.Add, "*": sp.Mul, "max": sp.Max, "min": sp.Min, "exp": sp.exp, "tanh": sp.tanh, "erf": sp.erf,
        "log": sp.log, "Phi": lambda z: (1 + sp.erf(z / sp.sqrt(2))) / 2,
    }  # fmt: skip
    return heads[head](*parts)


def _sympy_condition(node: Any, x: sp.Expr) -> bool:
    head, *rest = node
    if head == "else":
        return True
    one, two = (_sympy(part, x) for part in rest)
    return bool(one < two) if head == "<" else bool(one <= two)


# --------------------------------------------------------------------------------- hostile files


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "nonsense", '{"format": NaN}', "[" * 100_000, '{"a": 1, "a": 2}', "\x00", '"x"',
        "1e999",
        '{"format": "analytic-ntk certificate", "version": 2, "kind": "independence"}',
        '{"format": "analytic-ntk certificate", "version": 1, "kind": ["independence"]}',
    ],
)  # fmt: skip
def test_malformed_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    report = verify_file(path)
    assert not report.accepted and report.text
    assert CliRunner().invoke(app, ["verify", str(path)]).exit_code == 3


def _sealed(**changes: Any) -> dict[str, Any]:
    data = {k: v for k, v in MADE["independence"].items() if k != "sha256"} | changes
    return {**data, "sha256": seal(data)}


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": ["exp"]}, {"activation": ["eval", "x"]}, {"activation": ["^", "x", "999999999"]},
        {"activation": ["cases", ["x", ["<", "x", "0"]]]}, {"activation": ["log", "x"]}, {"activation": "y"},
        {"activation": ["^", ["^", ["^", "x", "9999"], "9999"], "9999"]},
        {"vectors": [["1", "0"]] * 5}, {"vectors": [["1"], ["1", "2"]]}, {"radius": "0"}, {"radius": "1000"},
        {"determinant": ["-1", "1"]}, {"determinant": ["2", "1"]}, {"directions": [["1", "1"]]},
        {"vectors": [["1" * 3000, "0"]] * 5}, {"activation": ["sign", "0"]},
    ],
)  # fmt: skip
def test_hostile_content_is_refused(changes: dict[str, Any]) -> None:
    assert not verify(_sealed(**changes)).accepted


def test_deep_expressions_are_refused() -> None:
    node: Any = "x"
    for _ in range(500):
        node = ["exp", node]
    assert not verify(_sealed(activation=node)).accepted


def test_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(" " * 6_000_000)
    assert "larger" in verify_file(path).text
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "none.json")]).exit_code == 4


# --------------------------------------------------------------------------------- forgeries

SPIKE = ["cases", ["1", ["and", ["<=", "x", "0"], ["<=", "0", "x"]]], ["0", ["else"]]]
"""1 at 0 and 0 elsewhere: almost everywhere constant."""


def _forged(kind: str, **body: Any) -> Json:
    content = {"format": certificate.record.FORMAT, "version": 1, "kind": kind, **body}
    return {**content, "sha256": seal(content)}


def test_values_at_isolated_points_are_no_evidence() -> None:
    """A function that is constant almost everywhere, with other values at the points looked at."""
    tall = {"points": ["0", "1"], "difference": ["-2", "-1/2"], "radius": "1/1000000"}
    assert not verify(_forged("not-a-polynomial", activation=SPIKE, **tall)).accepted
    assert verify(
        _forged("not-a-polynomial", activation=["max", "0", ["+", "1", ["*", "-1", "x"]]], **tall)
    ).accepted
    flat = {"vectors": [["1", "0"], ["0", "1"]], "directions": [["1", "0"], ["0", "1"]]}
    for activation in (SPIKE, ["+", SPIKE, ["*", "-1/2", SPIKE]]):
        forged = _forged(
            "independence", activation=activation, **flat, radius="1/9", determinant=["-2", "-1/2"]
        )
        assert not verify(forged).accepted


def test_a_radius_is_required_and_used() -> None:
    data = {k: v for k, v in MADE["not-a-polynomial"].items() if k != "sha256"}
    for radius in ("0", "-1", "100", None):
        changed = {**data, "radius": radius}
        assert not verify({**changed, "sha256": seal(changed)}).accepted


@pytest.mark.parametrize(
    "activation",
    [
        ["else"], ["+", ["else"], "1"], ["<", "x", "1"], ["and", "x"], ["cases", ["1", "x"]],
        ["cases", ["1", ["+", "x", "1"]]], ["cases", ["1", ["else", "x"]]], ["cases", ["1", ["and"]]],
        ["cases", ["1", ["and", "x"]]], ["max"], ["+"], [[]], [["x"]], ["exp", "x", "x"], ["^", "x"],
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(activation: Any) -> None:
    report = verify(_sealed(activation=activation))
    assert not report.accepted and report.text


def test_work_is_bounded() -> None:
    """Large determinants of long expressions, and rational numbers without common denominators."""
    started = time.monotonic()
    long = ["+", *["x"] * 900]
    many = [[str(i), "1"] for i in range(100)]
    assert not verify(_sealed(activation=long, vectors=many, directions=many)).accepted
    odd = [[f"1/{10**400 + 7 * (i * 100 + j) + 1}" for j in range(30)] for i in range(20)]
    assert not verify(_sealed(vectors=odd, directions=odd)).accepted
    assert time.monotonic() - started < 10


LONG = "7" * 1999
DIFFERENCE = {"radius": "1/9", "difference": ["1/2", "2"]}
COSTLY: dict[str, tuple[str, Json]] = {
    "long powers": ("polynomial-dependency", {
        "powers": [str(k) for k in range(40, 61)], "vectors": [["7" * 1900, "3" * 1998]] * 30,
        "weights": ["1", "-1", *["0"] * 28],
    }),
    "long denominators": ("polynomial-dependency", {
        "powers": ["60"], "vectors": [["1/" + "7" * 1900, "1/" + "3" * 1900]] * 10, "weights": ["1"] * 10,
    }),
    "long constants": ("not-a-polynomial", {
        "activation": ["+", *[LONG] * 1200], "points": [str(k) for k in range(99)], **DIFFERENCE,
    }),
    "long points": ("not-a-polynomial", {
        "activation": ["erf", "x"], "points": [f"{k}/{LONG}" for k in range(99)], **DIFFERENCE,
    }),
    "a tower of exponentials": ("not-a-polynomial", {
        "activation": ["exp", ["exp", ["exp", ["^", ["exp", "x"], "9999"]]]], "points": ["1", "2"],
        **DIFFERENCE,
    }),
    "far out": ("not-a-polynomial", {
        "activation": ["+", *[["sinh", ["*", "x", "1" + "0" * 90]]] * 90], "points": ["1", "2"],
        **DIFFERENCE,
    }),
    "a constant as a tower": ("conjecture", {
        "statement": "ntk(rho) > 0 for rho in [0, 1]", "verdict": "proved", "boxes": [["0", "1"]],
        "activations": [["max", "x", ["^", ["^", ["^", ["^", "3", "64"], "64"], "64"], "64"]]],
        "weight_variances": ["1", "1"], "bias_variances": ["0", "0"], "order": "10",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_costly_numbers_are_refused_soon(name: str) -> None:
    kind, body = COSTLY[name]
    started = time.monotonic()
    report = verify(_forged(kind, **body))
    assert not report.accepted and report.text
    assert time.monotonic() - started < 5


def test_large_true_dependencies_are_accepted() -> None:
    """A limit on work, not on what is true: the divided difference at 40 points."""
    points = list(range(40))
    weights = [Fraction(1, sp.prod([a - b for b in points if b != a])) for a in points]
    body = {"vectors": [[str(a), "1"] for a in points], "weights": list(map(str, weights))}
    assert verify(_forged("polynomial-dependency", powers=["0", "7", "38"], **body)).accepted
    assert not verify(_forged("polynomial-dependency", powers=["0", "7", "39"], **body)).accepted


@pytest.mark.parametrize("version", [1.0, True, "1", 2, None, [1]])
def test_another_version_is_refused(version: Any) -> None:
    assert "version" in verify(_sealed(version=version)).text


@pytest.mark.parametrize("content", [None, [], "x", 1, {1: 2, "a": 3}, {"format": {1, 2}}])
def test_what_is_no_json_is_refused(content: Any) -> None:
    assert not verify(content).accepted
    if isinstance(content, dict):
        assert not verify({**MADE["independence"], **content}).accepted


@pytest.mark.parametrize("text", ["1e5", "1.0", "٣", "1_0", "0x1", " 1", "+1", "1/-2", "½", "1/0", "--1", ""])
def test_what_is_no_rational_number_is_refused(text: str) -> None:
    assert not verify(_sealed(radius=text)).accepted


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_file_without_end_is_refused() -> None:
    assert "larger" in verify_file(Path("/dev/zero")).text


def test_the_command_loads_nothing_that_derives(tmp_path: Path) -> None:
    """Seen at run time too, whatever is imported on the way."""
    path = tmp_path / "c.json"
    path.write_text(json.dumps(MADE["independence"]))
    code = (
        "import sys; from typer.testing import CliRunner; from proofs_check.cli import app; "
        f"result = CliRunner().invoke(app, ['verify', {str(path)!r}]); "
        "print(result.exit_code, [m for m in sys.modules if m.split('.')[0] in "
        "('sympy', 'analytic_ntk', 'numpy', 'scipy', 'mpmath') or m.startswith('proofs_check.conjectures')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "0 []"
