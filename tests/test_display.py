"""What notebooks show: tables, formulas, pictures, and the reasons behind a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest

from analytic_ntk import Activation, Network, activations, meanfield, spectrum
from analytic_ntk.bounds import LowerBound, lower_bound
from analytic_ntk.display import Shown, html_table, short
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.positivity import Domain, decide, decide_gram

RELU = Network.mlp(activations.relu, 1, 2, 0)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    plt.switch_backend("agg")
    yield
    plt.close("all")


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_text_is_escaped() -> None:
    shown = html_table(["<b>"], [["<script>alert(1)</script>"]], caption='"&')
    assert "<script>" not in shown and "<b>" not in shown and "&quot;&amp;" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Enclosure(Fraction(1, 4), Fraction(0)), "$0.25$"),
        (Enclosure(Fraction(1, 3), Fraction(0)), "$" + "0." + "3" * 40 + r"\ldots$"),
        (Enclosure(Fraction(1, 3), Fraction(1, 10**8)), r"$0.3333333\ldots$"),
        (Enclosure(Fraction(1, 3 * 10**30), Fraction(1, 10**38)), r"$3.333333\ldots \cdot 10^{-31}$"),
    ],
)
def test_an_enclosure_shows_certain_digits_only(value: Enclosure, shown: str) -> None:
    assert value._repr_latex_() == shown


def test_a_number_that_may_be_0_shows_a_bound() -> None:
    assert "+/-" in Enclosure(Fraction(0), Fraction(1, 10**30))._repr_latex_()


def test_tables_show_every_row() -> None:
    table = activations.relu.hermite_table(4, digits=10)
    found = cells(table._repr_html_())
    assert found[0] == ["n", "a_n", "kind", "expression"] and found[2] == [
        "1",
        "0.5000000000",
        "exact",
        "1/2",
    ]
    assert len(found) == 6
    assert cells(RELU.series(3)._repr_html_())[2] == ["1", "1", "2"]
    assert cells(spectrum.sphere(RELU, 3, 2)._repr_html_())[1][:3] == ["0", "1", "1"]
    assert cells(RELU.at(1, 1, 1)._repr_html_())[2][0] == "NTK"
    limit = meanfield.deep_limit(activations.tanh, 3, "1/10", digits=12)
    assert "chaos" in limit._repr_html_() and cells(limit._repr_html_())[1][1].startswith("1.507631770")


def test_pictures_hold_the_numbers() -> None:
    assert activations.get("relu6").plot().get_lines()[0].get_xdata()[[0, -1]].tolist() == [-4, 7]
    axes = activations.relu.plot()
    phi, slope = axes.get_lines()
    x, y = phi.get_data()
    inside = ~np.isnan(y)
    assert np.array_equal(y[inside], np.maximum(x[inside], 0)) and np.nanmax(slope.get_ydata()) == 1
    assert np.isnan(y[x == 0]).all()  # the line is broken at the kink: its slope jumps
    table = Activation.parse("x^2").hermite_table(4, digits=10)
    assert table.plot().get_lines()[0].get_xdata().tolist() == [0, 2]
    found = spectrum.sphere(RELU, 3, 4)
    assert found.plot().get_lines()[0].get_xdata().tolist() == [1, 2, 4]
    given = plt.subplots()[1]
    assert RELU.plot(given) is given
    nngp, ntk = (line.get_ydata() for line in given.get_lines())
    assert abs(nngp[-1] - 2) < 1e-14 and abs(ntk[-1] - 4) < 1e-14 and (ntk >= nngp - 1e-15)[100:].all()


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_no_picture_of_no_interval(low: float, high: float) -> None:
    with pytest.raises(DomainError, match="two finite numbers"):
        activations.relu.plot(low=low, high=high)


def test_explanations_name_their_reasons() -> None:
    found = decide(RELU, 2, Domain.SPHERE)
    assert "null vector" in found.explain() and found._repr_html_().startswith("<p><b>ntk on distinct points")
    given = decide_gram(RELU, [[1, 0], [0, 1]])
    assert "strictly positive" in given.explain().splitlines()[0]
    for bound in (
        lower_bound(RELU, [[1, 0], [3, 4], [0, 1]]),
        LowerBound(0.5, "hadamard", 2, "float64"),
        LowerBound(Fraction(1, 2), "separation", 2, "certified"),
        LowerBound(Fraction(0), "semidefinite", 0, "certified"),
    ):
        first, _, reason = bound.explain().splitlines()
        assert ("proved" in first) and bound.kind in first and reason
    assert "not proved" in LowerBound(0.5, "hadamard", 2, "float64").explain()


@dataclass(frozen=True)
class _Found(Shown):
    value: Enclosure
    error_bound: float
    matrix: np.ndarray
    verdict: meanfield.Phase
    parts: tuple[Enclosure, ...]
    note: str


def test_a_record_shows_itself_in_short() -> None:
    third = Enclosure(Fraction(1, 3), Fraction(1, 10**8))
    found = _Found(third, 1e-3, np.eye(300), meanfield.Phase.EDGE, (third,) * 9, "<b>" + "x" * 500)
    text = str(found)
    assert text.splitlines()[0] == "_Found" and "error bound  0.001" in text and len(text) < 400
    assert (
        "0.3333333\n" in text and "array of shape (300, 300), from 0 to 1" in text and "edge of chaos" in text
    )
    assert "9 of Enclosure" in text and "..." in text
    assert "<b>" not in found._repr_html_() and "[1., 0." in repr(found)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (True, "True"),
        ((), "()"),
        (np.array([]), "[]"),
        (np.array(["a"] * 9), "array of shape (9,)"),
    ],
)
def test_odd_values_are_shown(value: object, shown: str) -> None:
    assert short(value) == shown


def test_an_array_with_nan_is_shown() -> None:
    assert "nan" in short(np.full(10, np.nan))
