"""The atlas: every article of an entry, its numbers against the definition, its page and its addresses."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from analytic_ntk import Activation, activations, atlas
from analytic_ntk.atlas.articles import ARTICLES
from analytic_ntk.atlas.references import ACTIVATIONS as CITED
from analytic_ntk.atlas.witness import COVARIANCES, witness
from analytic_ntk.errors import DomainError
from analytic_ntk.notation import q12
from analytic_ntk.systems import exact

DOCS = Path(__file__).resolve().parent.parent / "docs"
ACTIVATIONS = {
    "relu": activations.relu,
    "step": activations.step,
    "tanh": activations.tanh,
    "exp": activations.exp,
    "cubic": Activation.parse("x^3 - 3*x"),
    "heavy": Activation.parse("x*exp(x^2/5)"),
    "constant": Activation.parse("2"),
}


@lru_cache
def entry_of(name: str) -> atlas.Entry:
    return atlas.entry(ACTIVATIONS[name])


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that makes the pages."""
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    module: ModuleType = pytest.importorskip("atlas_pages")
    return module


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_entry_is_whole_and_nothing_in_it_is_a_float(name: str) -> None:
    found = entry_of(name)
    assert [article.key for article in found.articles] == list(ARTICLES)
    data = json.loads(json.dumps(found.to_json()))
    assert not [leaf for leaf in leaves(data) if isinstance(leaf, float)]
    for article in found.articles:
        section = article.section
        assert section.notes or section.formulas or section.table, f"{article.key} is empty"
        if article.data.get("reason"):
            assert "required" in article.data["reason"] or section.formulas


def test_numbers_of_an_entry_agree_with_published_ones() -> None:
    """ReLU: dual and edge of Cho, Saul 2009 and He et al. 2015; eigenvalues of Bietti, Bach 2021 (d = 3)."""
    found = entry_of("relu")
    assert found["edge"].data == {"weight_variance": "2", "bias_variance": "0"}
    assert found["series"].data["ntk"][:3] == ["1/(2*pi)", "1/2", "3/(4*pi)"]
    assert found["kernels"].data["formulas"][0]["closed"] is True
    verdicts = {
        (v["depth"], v["bias_variance"], v["domain"]): v["verdict"]
        for v in found["positivity"].data["verdicts"]
    }
    assert verdicts[1, "1/10", "pairwise distinct points of R^d"] == "strictly positive"
    assert verdicts[1, "0", "distinct points of the sphere S^(d-1)"] == "singular"


def test_what_has_no_answer_says_why() -> None:
    heavy = entry_of("heavy")
    assert "infinite" in str(heavy["depth"].section.table)
    assert "jumps" in entry_of("step")["edge"].data["reason"]
    with pytest.raises(DomainError):
        atlas.entry(activations.get("elu(alpha)"))
    with pytest.raises(KeyError, match="the articles are properties"):
        heavy["nothing"]


@pytest.mark.parametrize("fault", [sp.Rational(1, 10**25), q12 / 10**25])
def test_a_formula_that_is_off_is_caught(fault: sp.Expr) -> None:
    pieces = activations.gelu.pieces
    formula = exact.dual(pieces).expression
    assert witness(formula, pieces).distance * 10**30 < 1
    assert len(COVARIANCES) > 1
    with pytest.raises(AssertionError, match="the integral"):
        witness(formula + fault, pieces)


# ------------------------------------------------------------------------------------ numbers


Real = Callable[[Any], Any]
DEFINED: dict[str, tuple[Real, Real, Real, Real]] = {
    "relu": (
        lambda u: max(u, mp.mpf(0)),
        lambda u: mp.mpf(u > 0),
        lambda u: np.maximum(u, 0),
        lambda u: (u > 0) * 1.0,
    ),
    "tanh": (mp.tanh, lambda u: mp.sech(u) ** 2, np.tanh, lambda u: np.cosh(u) ** -2.0),
    "exp": (mp.exp, mp.exp, np.exp, np.exp),
}
"""``phi`` and its derivative, for mpmath and for numpy, written down anew."""


def mean(f: Real, variance: Any = 1) -> Any:
    """``E f(u)`` by mpmath's quadrature."""
    return mp.quad(lambda z: f(mp.sqrt(variance) * z) * mp.npdf(z), [-11, -3, 0, 3, 11])  # beyond: 1e-26


def panels(ends: Any) -> tuple[Any, Any]:
    """Nodes and weights of Gauss and Legendre on each panel."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half, middle = np.diff(ends)[:, None] / 2, (ends[:-1] + ends[1:])[:, None] / 2
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def mean_of_two(f: Real, variance: float, covariance: float) -> float:
    """``E f(u) f(v)`` in polar coordinates, cut along the lines where ``u`` or ``v`` is 0."""
    angle = np.arccos(covariance / variance)
    cuts = [np.pi / 2, 3 * np.pi / 2, (angle + np.pi / 2) % (2 * np.pi), (angle - np.pi / 2) % (2 * np.pi)]
    theta, by_theta = panels(np.unique([0.0, *cuts, 2 * np.pi]))
    r, by_r = panels(np.linspace(0, 16, 9))
    u, v = (np.sqrt(variance) * r[:, None] * np.cos(theta - shift) for shift in (0.0, angle))
    return float((f(u) * f(v) * by_theta).sum(1) @ (by_r * r * np.exp(-(r**2) / 2))) / (2 * np.pi)


def number_of(data: Any) -> Any:
    """A number of the JSON file: digits, or exact text."""
    text = data["value"] if isinstance(data, dict) else data
    return mp.mpf(str(sp.N(sp.sympify(text), 30)))


@mp.workdps(22)
def disagreements(name: str, data: dict[str, Any]) -> list[str]:
    """The numbers of an entry that are not what the definition gives."""
    f, slope, array, array_slope = DEFINED[name]
    wrong = []

    def hold(what: str, found: Any, expected: Any, tolerance: float) -> None:
        if not abs(number_of(found) - expected) <= tolerance * max(abs(expected), mp.mpf(10) ** -4):
            wrong.append(f"{what}: {found}, not {expected}")

    def coefficient(g: Real, n: int) -> Any:
        def probabilists(z: Any) -> Any:
            return mp.hermite(n, z / mp.sqrt(2)) / mp.sqrt(2) ** n

        return mean(lambda z: g(z) * probabilists(z)) / mp.sqrt(mp.factorial(n))

    before = mp.mpf(0)
    for n in range(4):
        a = coefficient(f, n)
        hold(f"a_{n}", data["hermite"]["rows"][n], a, 1e-18)
        hold(f"NNGP, rho^{n}", data["series"]["nngp"][n], a**2, 1e-18)
        hold(f"NTK, rho^{n}", data["series"]["ntk"][n], a**2 + before, 1e-18)
        before = coefficient(slope, n) ** 2
    weight = 1 / mean(lambda u: slope(u) ** 2)
    if "weight_variance" in data["edge"]:
        hold("edge, w", data["edge"]["weight_variance"], weight, 1e-18)
        bias = 1 - weight * mean(lambda u: f(u) ** 2)
        hold("edge, b", data["edge"]["bias_variance"], bias, 1e-16)
    for row in data["depth"]["values"]:
        if row["depth"] > 2 or row["xy"] == "1" or row["nngp"] is None:
            continue
        variance, covariance = 1.1, float(sp.Rational(row["xy"])) + 0.1
        tangent = covariance
        for _ in range(row["depth"]):
            step = mean_of_two(array, variance, covariance) + 0.1
            tangent = step + mean_of_two(array_slope, variance, covariance) * tangent
            variance, covariance = float(mean(lambda u: f(u) ** 2, variance)) + 0.1, step
        hold(f"NNGP, depth {row['depth']}, rho {row['xy']}", row["nngp"], covariance, 1e-11)
        hold(f"NTK, depth {row['depth']}, rho {row['xy']}", row["ntk"], tangent, 1e-11)
    theta, by_theta = panels(np.linspace(0, np.pi, 5))
    t = np.cos(theta)
    kernel = np.array([mean_of_two(array, 1, c) + c * mean_of_two(array_slope, 1, c) for c in t])
    for degree in range(4):
        legendre = np.polynomial.legendre.Legendre.basis(degree)(t)
        value = float(kernel * legendre @ (np.sin(theta) * by_theta)) / 2
        hold(f"S^2, degree {degree}", data["spectrum"]["S^2"]["eigenvalues"][degree], value, 1e-5)
    for network in data["deep-limit"]["networks"]:
        w, b = (mp.mpf(sp.Rational(network[key])) for key in ("weight_variance", "bias_variance"))
        for point in network["fixed_points"]:
            q = number_of(point["value"])
            hold(f"fixed point, w = {w}", point["value"], w * mean(lambda u: f(u) ** 2, q) + b, 1e-15)
    return wrong


@pytest.mark.parametrize("name", DEFINED)
def test_numbers_of_an_entry_are_those_of_the_definition(name: str) -> None:
    data = json.loads(json.dumps(entry_of(name).to_json()))
    assert disagreements(name, data) == []


def test_saboteur_a_number_that_is_off_in_its_tenth_digit() -> None:
    data = json.loads(json.dumps(entry_of("relu").to_json()))
    for part in (data["hermite"]["rows"][2], data["depth"]["values"][0]["ntk"]):
        part["value"] = f"{sp.Float(part['value'], 40) * (1 + sp.Rational(1, 10**10))}"
    first, second = disagreements("relu", data)
    assert first.startswith("a_2: ") and second.startswith("NTK, depth 1")


# ------------------------------------------------------------------------------------ references


def test_every_activation_of_the_catalogue_has_a_whole_reference() -> None:
    assert set(CITED) == {record.reference for record in activations.CATALOGUE}
    cited = entry_of("relu")["references"].data["references"]
    assert cited[0]["authors"] == "V. Nair, G. E. Hinton" and cited[0]["for"] == ["the activation"]
    assert {key for reference in cited for key in reference["for"]} <= {*ARTICLES, "the activation"}
    of_its_own = entry_of("cubic")["references"].data["references"]
    assert all("the activation" not in reference["for"] for reference in of_its_own)


def test_what_is_cited_within_a_page_is_among_its_references() -> None:
    for name in ("relu", "tanh", "exp"):
        found = entry_of(name)
        authors = " ".join(r["authors"] for r in found["references"].data["references"])
        for who in re.findall(r"([A-Z][a-z]+), [A-Z][^:|]*? (?:19|20)\d\d", str(found["positivity"].section)):
            assert who in authors


# ------------------------------------------------------------------------------------ pages


def test_a_page_has_all_parts_and_escapes_text(pages: ModuleType) -> None:
    record = activations.entry("leaky_relu")
    text = pages.page(record, atlas.entry(record.representative()))
    for key in ARTICLES:
        assert f"(leaky-relu-{key})=" in text
    assert pages.escaped("a_1 <b> $x$ | `c`") == r"a\_1 \<b\> \$x\$ \| \`c\`"
    assert "E phi(u) phi(v)" in text and "derived symbolically" in text.lower()
    assert "[arXiv:2404.12928](https://arxiv.org/abs/2404.12928)" in text
    listed = {a for a in pages.ADDRESSES.read_text().split() if a.startswith("leaky-relu-")}
    assert {a for a in listed if not a.endswith("-picture")} == {
        a for a in pages.addresses(text) if not a.endswith("-picture")
    }
    for address in pages.addresses(text):
        if address.endswith(("-formula", "-nngp", "-ntk")):
            assert f'<a href="#{address}">{address}</a>' in text
    assert text.count("<summary>LaTeX</summary>") == len(re.findall(r"^\$\$\n.*?\n\$\$$", text, re.M | re.S))


def test_addresses_are_unique_and_none_is_lost(pages: ModuleType) -> None:
    """Each address ever given is in the list that the build holds the pages to."""
    listed = pages.ADDRESSES.read_text().split()
    assert len(listed) == len(set(listed)) > 1000
    for name in activations.names():
        for key in ARTICLES:
            assert pages.address(name, key) in listed
    made = "(relu-dual)=\n(relu-dual-formula)=\n```{table} T\n:name: relu-series-table\n"
    own = ["relu-dual", "relu-dual-formula", "relu-series-table"]
    assert pages.addresses(made) == own
    pages.check_addresses([made], own)
    for problem, texts, known in (
        ("vanished: relu-lost", [made], [*own, "relu-lost"]),
        ("not in atlas_addresses.txt: relu-dual-formula", [made], ["relu-dual", "relu-series-table"]),
        ("there twice: relu-dual", [made, "(relu-dual)=\n"], own),
    ):
        with pytest.raises(ValueError, match=problem):
            pages.check_addresses(texts, known)


def test_a_long_formula_is_broken_into_lines_without_loss(pages: ModuleType) -> None:
    formula = exact.dual(activations.hardtanh.pieces).expression
    shown = pages.typeset(formula)
    assert shown.startswith(r"\begin{aligned}") and shown.count("\n") > 5
    joined = re.sub(r"\\(?:begin|end)\{aligned\}|^& (?:\{\} )?| \\\\$", "", shown, flags=re.M)
    assert joined.split() == pages.latex_of(sp.expand_mul(formula, deep=False)).split()
    assert pages.typeset(q12 + 1) == "q_{12} + 1"


def test_sources_to_copy_keep_their_lines_and_escape(pages: ModuleType) -> None:
    html = pages.sources({"sympy": "a < b\n\n  c & d"}, "x-y")
    assert "a &lt; b&#10;&#10;  c &amp; d" in html and "\n\n" not in html
    assert pages.sources({"numpy": ""}) == ""
