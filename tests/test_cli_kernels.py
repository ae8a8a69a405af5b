"""The commands series, spectrum and meanfield: numbers checked against the definition, kinds, exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from analytic_ntk import Dense, Network, Nonlinearity, activations
from analytic_ntk.enclosure import Enclosure
from tests.test_cli import run


def enclosed(record: dict[str, Any]) -> Enclosure:
    """A number of an answer, from its decimals alone."""
    return Enclosure(Fraction(record["value"]), Fraction(record["radius"]))


def ask(*arguments: str, code: int = 0) -> Any:
    out, messages = run(*arguments, "--json", code=code)
    assert messages == ""
    return json.loads(out)


# ------------------------------------------------------------------------------------ series


def sums_to_the_kernel(data: dict[str, Any], network: Network, kernel: str) -> bool:
    """Partial sum and tail against the kernel itself, at rho = 1/2 and at 1."""
    for rho in (Fraction(1, 2), Fraction(1)):
        total, spread = Fraction(0), Fraction(data[kernel]["tail"]) * rho ** (data["order"] + 1)
        for row in data[kernel]["coefficients"]:
            value = enclosed(row)
            total += value.midpoint * rho ** row["k"]
            spread += value.radius
        value = getattr(network.at(1, str(rho), 1, 25), kernel)
        if not Enclosure(total + spread / 2, spread / 2).overlaps(value):
            return False
    return True


def test_series_sums_to_the_kernel_and_a_wrong_coefficient_is_seen() -> None:
    options = ("--depth", "2", "--weight-variance", "3/2", "--bias-variance", "0.1", "--order", "60")
    data = ask("series", "gelu", *options)
    network = Network.mlp(activations.gelu, 2, "3/2", "1/10")
    assert (data["weight_variance"], data["bias_variance"], data["depth"]) == ("3/2", "1/10", 2)
    for kernel in ("nngp", "ntk"):
        assert [row["k"] for row in data[kernel]["coefficients"]] == list(range(61))
        assert {row["kind"] for row in data[kernel]["coefficients"]} == {"certified"}
        assert sums_to_the_kernel(data, network, kernel)
        row = data[kernel]["coefficients"][3]
        row["value"] = str(Fraction(row["value"]) * Fraction(10001, 10000))
        assert not sums_to_the_kernel(data, network, kernel)


def test_series_kinds_zeros_and_parity() -> None:
    data = ask("series", "relu", "--weight-variance", "2", "--order", "6", "--kernel", "ntk")
    assert "nngp" not in data
    rows = data["ntk"]["coefficients"]
    assert [row["expression"] for row in rows[:4]] == [
        "2/pi",
        "2",
        "3/pi",
        "0",
    ]  # 2 (k1 + rho k0), Cho, Saul 2009
    assert {row["kind"] for row in rows} == {"exact"}
    assert (data["ntk"]["zeros"], data["ntk"]["parity"]) == ([3, 5], None)
    odd = ask("series", "tanh", "--order", "5", "--digits", "8", "--kernel", "nngp")["nngp"]
    assert (odd["zeros"], odd["parity"]) == ([0, 2, 4], "odd")
    assert [row["kind"] for row in odd["coefficients"]] == ["exact", "certified"] * 3
    text = run("series", "tanh", "--order", "5", "--digits", "8")[0]
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "0, 2, 4; odd to every order" in text and "add at most" in text


def test_series_of_other_norms() -> None:
    half = ask("series", "erf", "--variance", "1/2", "--order", "3", "--kernel", "nngp")["nngp"]
    whole = ask("series", "erf(x/sqrt(2))", "--order", "3", "--kernel", "nngp")["nngp"]
    assert enclosed(half["coefficients"][1]).overlaps(enclosed(whole["coefficients"][1]))
    assert enclosed(half["coefficients"][1]).midpoint > Fraction(1, 5)


# ------------------------------------------------------------------------------------ spectrum


def test_spectrum_of_relu_exact() -> None:
    """NTK of one hidden layer on S^2, w = 1: 1/2 of the values for w = 2."""
    options = ("--dim", "3", "--degree", "8", "--weight-variance", "1")
    data = ask("spectrum", "relu", *options)
    exact = [row["expression"] for row in data["eigenvalues"]]
    assert exact == ["1/4", "1/6", "5/128", "0", "1/384", "0", "23/32768", "0", "19/65536"]
    assert [row["multiplicity"] for row in data["eigenvalues"]] == [2 * k + 1 for k in range(9)]
    assert {row["kind"] for row in data["eigenvalues"]} == {"exact"}
    assert data["method"] == "exact" and data["trace"]["expression"] == "1"
    assert data["decay"] == {
        "kind": "predicted",
        "even": {"kind": "algebraic", "rate": "3", "formula": "k^-(3)"},
        "odd": {"kind": "finite", "rate": "1", "formula": "0 beyond degree 1"},
    }


def fits_the_kernel(data: dict[str, Any], network: Network) -> bool:
    """``sum multiplicity lambda P_k(rho)`` against the kernel: what is left is at most the tail."""
    tail = enclosed(data["tail"]).upper
    for rho in (Fraction(1, 3), Fraction(-2, 3)):
        total, spread = Fraction(0), tail
        for row in data["eigenvalues"]:
            value, k = enclosed(row), row["degree"]
            polynomial = Fraction(str(sp.legendre(k, sp.Rational(rho.numerator, rho.denominator))))
            total += row["multiplicity"] * value.midpoint * polynomial
            spread += row["multiplicity"] * value.radius
        if not Enclosure(total, spread).overlaps(network.at(1, str(rho), 1, 20).nngp):
            return False
    return True


def test_spectrum_fits_the_kernel_and_a_wrong_eigenvalue_is_seen() -> None:
    options = (
        "--depth",
        "2",
        "--bias-variance",
        "1/10",
        "--degree",
        "20",
        "--kernel",
        "nngp",
        "--digits",
        "12",
    )
    data = ask("spectrum", "gelu", *options)
    network = Network.mlp(activations.gelu, 2, 1, "1/10")
    assert {row["kind"] for row in data["eigenvalues"]} == {"certified"}
    assert fits_the_kernel(data, network)
    last = enclosed(data["eigenvalues"][-1]["cumulative_trace"]).midpoint + enclosed(data["tail"]).midpoint
    assert abs(last - enclosed(data["trace"]).midpoint) < Fraction(1, 10**10)
    row = data["eigenvalues"][2]
    row["value"] = str(Fraction(row["value"]) * Fraction(1001, 1000))
    assert not fits_the_kernel(data, network)


def test_spectrum_in_words_and_as_picture(tmp_path: Path) -> None:
    path = tmp_path / "relu.svg"
    text, messages = run("spectrum", "relu", "--dim", "1000", "--degree", "6", "--plot", str(path))
    assert messages == f"wrote {path}\n"
    assert path.read_text().startswith("<?xml") and "<svg" in path.read_text()
    assert max(len(line) for line in text.splitlines()) <= 80
    for words in ("S^999", "10^12.", "predicted decay (no bound)", "certified", "trace"):
        assert words in text


def test_spectrum_by_a_forced_way() -> None:
    exact = ask("spectrum", "relu", "--degree", "4", "--method", "exact")
    other = ask("spectrum", "relu", "--degree", "4", "--method", "quadrature", "--digits", "10")
    assert other["method"] == "quadrature"
    for one, two in zip(exact["eigenvalues"], other["eigenvalues"], strict=True):
        assert enclosed(one).overlaps(enclosed(two))
    out, messages = run("spectrum", "tanh", "--method", "exact", code=3)
    assert out == "" and messages.startswith("error: ")


def test_spectrum_of_numbers_too_long_to_write_out() -> None:
    """Rationals of more than 4300 digits: no expression, but their decimals."""
    data = ask("spectrum", "relu", "--dim", "10000", "--degree", "60", "--method", "exact", "--digits", "8")
    last = data["eigenvalues"][60]
    assert (last["kind"], last["expression"]) == ("exact", None)
    other = ask("spectrum", "relu", "--dim", "10000", "--degree", "60", "--method", "series", "--digits", "8")
    assert enclosed(last).overlaps(enclosed(other["eigenvalues"][60]))
    assert 0 < enclosed(last).lower < Fraction(1, 10**160)


# ------------------------------------------------------------------------------------ meanfield


def is_a_fixed_point(value: Enclosure, text: str, weight: str, bias: str) -> bool:
    """A change of sign of ``V(q) - q`` around the enclosure, ``V`` as the kernel of one hidden layer."""
    network = Network(Dense(1, 0), Nonlinearity(activations.resolve(text)), Dense(weight, bias))
    signs = set()
    for end in (value.lower, value.upper):
        gap = network.at(end, end, end, 40).nngp
        signs.add(gap.lower > end)
    return len(signs) == 2


def test_meanfield_of_erf_in_chaos_and_a_shifted_fixed_point_is_seen() -> None:
    data = ask("meanfield", "erf", "--weight-variance", "3", "--bias-variance", "1/100")
    (point,) = data["fixed_points"]
    assert point["stable"] is True and point["value"]["kind"] == "certified"
    value = enclosed(point["value"])
    assert is_a_fixed_point(value, "erf", "3", "1/100")
    assert not is_a_fixed_point(Enclosure(value.midpoint * 2, value.radius), "erf", "3", "1/100")
    limit = data["limit"]
    assert limit["phase"] == "chaos" and enclosed(limit["chi_1"]).lower > 1
    assert 0 < enclosed(limit["correlation"]).lower < enclosed(limit["correlation"]).upper < 1
    assert (data["undecided"], data["reason"], data["complete_up_to"]) == ([], "", "100")


def test_meanfield_phases() -> None:
    edge = ask("meanfield", "relu", "--weight-variance", "2")
    assert edge["every_variance_is_fixed"] and edge["limit"]["phase"] == "edge of chaos"
    assert edge["limit"]["correlation_length"]["expression"] == "oo"
    order = ask("meanfield", "relu", "--bias-variance", "0.5")
    assert order["fixed_points"][0]["value"]["expression"] == "1"
    assert order["limit"]["phase"] == "order" and order["limit"]["chi_1"]["expression"] == "1/2"
    jump = ask("meanfield", "sign")["limit"]
    assert (jump["phase"], jump["chi_1"]["expression"]) == ("chaos", "oo")
    chosen = ask("meanfield", "relu", "--weight-variance", "3", "--variance", "0")["limit"]
    assert chosen["variance"]["expression"] == "0" and chosen["phase"] == "chaos"
    text = run("meanfield", "tanh", "--weight-variance", "3")[0]
    for words in (
        "repels",
        "attracts",
        "chaos",
        "proved",
        "correlation length   10.93069",
        "all in [0, 100]",
    ):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_meanfield_without_a_limit_is_incomplete() -> None:
    """Every fixed point repels; or whether there are more near 0 is not decided."""
    data = ask("meanfield", "relu", "--weight-variance", "3", code=3)
    assert data["limit"] is None and "0 fixed points" in data["reason"]
    assert [point["stable"] for point in data["fixed_points"]] == [False]
    assert (
        "not decided: whether there are any"
        in run("meanfield", "erf", "--weight-variance", "pi/4", code=3)[0]
    )


@pytest.mark.parametrize("text", ["relu", "tanh", "gelu"])
def test_meanfield_tune_gives_the_edge(text: str) -> None:
    """At the variances found, ``q`` is fixed and ``chi_1 = 1``: the slope is the NTK less the NNGP over q."""
    data = ask("meanfield", text, "--tune", "--variance", "3/2", "--digits", "12")
    weight, bias = (enclosed(data[name]) for name in ("weight_variance", "bias_variance"))
    assert data["variance"]["expression"] == "3/2"
    one = Network(Dense(1, 0), Nonlinearity(activations.resolve(text)), Dense(1, 0)).at(
        "3/2", "3/2", "3/2", 30
    )
    slope = (one.ntk.midpoint - one.nngp.midpoint) / Fraction(3, 2)
    assert abs(weight.midpoint * slope - 1) < Fraction(1, 10**11)
    assert abs(weight.midpoint * one.nngp.midpoint + bias.midpoint - Fraction(3, 2)) < Fraction(1, 10**11)


def test_meanfield_tune_for_a_bias() -> None:
    data = ask("meanfield", "tanh", "--tune", "--bias-variance", "1/20")
    assert is_a_fixed_point_of_edge(data)
    data["weight_variance"]["value"] = "1.77"
    assert not is_a_fixed_point_of_edge(data)
    assert "Edge of chaos" in run("meanfield", "relu", "--tune")[0]


def is_a_fixed_point_of_edge(data: dict[str, Any]) -> bool:
    q, weight, bias = (
        enclosed(data[name]).midpoint for name in ("variance", "weight_variance", "bias_variance")
    )
    network = Network(Dense(1, 0), Nonlinearity(activations.tanh), Dense(weight, bias))
    found = network.at(q, q, q, 30)
    chi = (found.ntk.midpoint - found.nngp.midpoint) / q
    return abs(found.nngp.midpoint - q) < Fraction(1, 10**15) and abs(chi - 1) < Fraction(1, 10**15)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("series", "tanhh"), "did you mean"),
        (("series", "relu", "--order", "-1"), "order = -1"),
        (("series", "relu", "--order", "2001"), "order = 2001"),
        (("series", "relu", "--digits", "0"), "digits = 0"),
        (("series", "relu", "--variance", "0"), "variance = 0"),
        (("series", "relu", "--weight-variance", "-1"), "weight_variance = -1"),
        (("series", "relu", "--bias-variance", "nan"), "bias_variance"),
        (("series", "leaky_relu(alpha)"), "alpha"),
        (("series", "exp(x^2)"), "infinite"),
        (("spectrum", "tanhh"), "did you mean"),
        (("spectrum", "relu", "--dim", "1"), "dim = 1"),
        (("spectrum", "relu", "--degree", "-1"), "degree = -1"),
        (("spectrum", "relu", "--degree", "201"), "degree = 201"),
        (("spectrum", "relu", "--plot", "a.png"), ".svg"),
        (("meanfield", "tanhh"), "did you mean"),
        (("meanfield", "relu", "--weight-variance", "0"), "weight_variance = 0"),
        (("meanfield", "relu", "--bias-variance", ""), "end of the text"),
        (("meanfield", "relu", "--digits", "0"), "digits = 0"),
        (("meanfield", "tanh", "--weight-variance", "3", "--variance", "2"), "fixed point"),
        (("meanfield", "relu", "--tune", "--weight-variance", "1"), "--weight-variance with --tune"),
        (("meanfield", "relu", "--tune", "--variance", "1", "--bias-variance", "0"), "one of the two"),
        (("meanfield", "step", "--tune"), "jumps"),
    ],
)  # fmt: skip
def test_wrong_questions(arguments: Sequence[str], words: str) -> None:
    out, messages = run(*arguments, code=2)
    assert out == ""
    assert messages.startswith("error: ") and "required:" in messages
    assert words in messages


@pytest.mark.parametrize("arguments", [("series", "relu", "--kernel", "both2"), ("spectrum", "relu", "--kernel", "both"), ("spectrum", "relu", "--dim", "x"), ("spectrum",)])  # fmt: skip # noqa: E501
def test_wrong_usage(arguments: Sequence[str]) -> None:
    assert run(*arguments, code=2)[0] == ""


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.svg"
    out, messages = run("spectrum", "relu", "--degree", "2", "--plot", str(path), code=4)
    assert out == "" and str(path) in messages
