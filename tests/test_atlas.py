"""The atlas: every article of an entry, its data, its formulas against the definition, its page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from analytic_ntk import Activation, activations, atlas
from analytic_ntk.atlas.articles import ARTICLES
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
    found = atlas.entry(ACTIVATIONS[name])
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
    found = atlas.entry(activations.relu)
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
    heavy = atlas.entry(ACTIVATIONS["heavy"])
    assert "infinite" in str(heavy["depth"].section.table)
    assert "jumps" in atlas.entry(activations.step)["edge"].data["reason"]
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


def test_a_page_has_all_parts_and_escapes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    pages = pytest.importorskip("atlas_pages")
    record = activations.entry("leaky_relu")
    text = pages.page(record, atlas.entry(record.representative()))
    for key in ARTICLES:
        assert f"(leaky-relu-{key})=" in text
    assert pages.escaped("a_1 <b> $x$ | `c`") == r"a\_1 \<b\> \$x\$ \| \`c\`"
    assert "E phi(u) phi(v)" in text and "derived symbolically" in text.lower()
