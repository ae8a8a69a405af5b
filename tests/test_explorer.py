"""The explorer without a browser: views and addresses, panels against the definition, programs that run."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate
from typer.testing import CliRunner

from analytic_ntk import Network, activations
from analytic_ntk.arithmetic.atoms import Angle, Phi2
from analytic_ntk.arithmetic.functions import Phi, sigmoid, softplus
from analytic_ntk.cli import app
from analytic_ntk.cli.explore import subjects
from analytic_ntk.errors import DomainError
from analytic_ntk.explorer.code import numpy_program, sympy_code
from analytic_ntk.explorer.export import page
from analytic_ntk.explorer.html import mathml, panel_html
from analytic_ntk.explorer.limits import failure_of, one_by_one
from analytic_ntk.explorer.panel import KINDS, Captioned, Download, Panel, Subject, Typeset
from analytic_ntk.explorer.panels import kernels
from analytic_ntk.explorer.panels.hermite import heights
from analytic_ntk.explorer.panels.kernels import curves
from analytic_ntk.explorer.panels.width import cloud
from analytic_ntk.explorer.view import DOMAINS, PANELS, View, read
from analytic_ntk.notation import q11, q22
from analytic_ntk.report.formulas import formulas_of
from analytic_ntk.report.sections import Table
from proofs_check import verify

SUBJECTS = {subject.name: subject for subject in subjects()}
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "__import__('os')",
    "10**10**10", "(" * 500 + "x" + ")" * 500, "x" * 999, "", "  ", "\x00", "x\n", "²", "1/0", "1e999", "٣",
    "nan", "oo", "-1", "True", "0x10", "1_000", "2,5", "9" * 400, "../../etc", "%00", "x;drop", "${7*7}",
)  # fmt: skip


def panel(name: str, **values: object) -> Panel:
    return SUBJECTS[name].of(View(**values))  # type: ignore[arg-type]


def table(found: Panel, begins: str = "") -> dict[str, tuple[str, ...]]:
    """Rows of a table by their first cell."""
    (chosen,) = [t.table for t in found.tables if t.caption.startswith(begins)]
    return {row[0]: row[1:] for row in chosen.rows}


# ------------------------------------------------------------------------------------ views and addresses

rationals = st.fractions(0, 4, max_denominator=40).map(str)
views = st.builds(
    View,
    activation=st.sampled_from(["gelu", "x*erf(x)", "leaky_relu(1/100)", "x & <b>", "a=b;c&d#e%f+g"]),
    depth=st.integers(1, 12),
    weight_variance=st.fractions("1/9", 4, max_denominator=40).map(str),
    bias_variance=rationals,
    rho=st.fractions(-1, 1, max_denominator=60).map(str),
    dim=st.integers(2, 64),
    domain=st.sampled_from(sorted(DOMAINS)),
    digits=st.integers(1, 200),
    width=st.integers(2, 1024),
    conjecture=st.sampled_from(["", "ntk(rho) > 0 for rho in [0, 1]", "a(n)^2 <= 1/n & <i>"]),
    panels=st.sets(st.sampled_from(PANELS)).map(lambda s: tuple(n for n in PANELS if n in s)),
)


@given(views)
def test_the_address_gives_the_view_back(view: View) -> None:
    query = view.query()
    assert re.fullmatch(r"[\w=&%+.~*-]+", query, re.ASCII)
    found = read(dict(parse_qsl(query, keep_blank_values=True)))
    assert found.view == view and not found.errors


@given(st.sampled_from(sorted(View().texts())), st.one_of(st.sampled_from(HOSTILE), st.text(max_size=400)))
@example("rho", "1/00")
def test_any_text_is_a_value_or_has_a_message(name: str, text: str) -> None:
    """Nothing raises; a wrong value leaves the one before; a good one is normalised once and for all."""
    before = View(activation="tanh", depth=2, rho="1/3")
    found = read({name: text}, before)
    assert set(found.errors) <= {name}
    if found.errors:
        assert found.view == before and "required" in found.errors[name] and len(found.errors[name]) < 400
    else:
        again = read({name: found.view.texts()[name]}, before)
        assert again == found


def test_numbers_have_one_spelling() -> None:
    assert View(rho="0.50").rho == View(rho="+1/2").rho == View(rho=" 2/4 ").rho == "1/2"
    assert View(rho="-0").rho == "0"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("depth", 0), ("depth", 13), ("depth", True), ("depth", "3"), ("rho", "5/4"), ("rho", 0.5),
     ("digits", 0), ("weight_variance", "0"), ("weight_variance", "-1"), ("bias_variance", "101"),
     ("bias_variance", "pi"),
     ("dim", 1), ("width", 4096), ("domain", "torus"), ("activation", ""), ("panels", ("nothing",))],
)  # fmt: skip
def test_a_wrong_value_is_named(name: str, wrong: object) -> None:
    with pytest.raises(DomainError, match=name):
        View(**{name: wrong})  # type: ignore[arg-type]


def test_a_panel_sees_only_what_it_reads() -> None:
    """So the answer kept for one view serves every view that agrees with it there."""
    assert tuple(SUBJECTS) == PANELS
    one = View(depth=2, rho="1/3", width=8, digits=50)
    for subject in SUBJECTS.values():
        other = replace(View(), **{name: getattr(one, name) for name in subject.reads})
        assert subject.seen(one) == subject.seen(other) == other
    spy: list[View] = []
    Subject("spy", "", "", ("depth",), lambda view: spy.append(view) or Panel(())).of(one)  # type: ignore[func-returns-value]
    assert spy == [View(depth=2)]


# ------------------------------------------------------------------------------------ panels


def expectation(f: Callable[[float], float]) -> float:
    """``E f(Z)`` from the definition."""
    value = integrate.quad(lambda z: f(z) * math.exp(-z * z / 2), -12, 12, points=[0.0], limit=200)[0]
    return value / math.sqrt(2 * math.pi)


def test_kernels_agree_with_certified_values() -> None:
    found = panel("kernels", activation="tanh", depth=2, weight_variance="3/2", rho="-1/3")
    for depth in (1, 2):
        network = Network.mlp(activations.tanh, depth, "3/2", "1/10")
        at, one = network.at(1, "-1/3", 1, 20), network.at(1, 1, 1, 20)
        exact = [float(v) for v in (at.nngp, at.ntk, one.nngp, one.ntk)]
        assert [float(v) for v in table(found)[str(depth)]] == pytest.approx(exact, rel=1e-9)
    assert len(found.figures) == 2 and found.kinds == ("float64",)
    assert f"{float(at.ntk):.4g} at rho = -1/3" in found.figures[1].alt


@pytest.mark.parametrize("name", ["gelu", "x*erf(x)", "sin(x)+x", "x^3"])
def test_curves_from_balls_and_from_floats_agree(name: str) -> None:
    network = Network.mlp(activations.resolve(name), 3, "3/2", "1/10")
    points = np.array([-1.0, -0.7, 0.0, 0.3, 0.999, 1.0])
    balls, floats = kernels._from_balls(network, points), kernels._from_floats(network, points)
    for one, other in ((balls.nngp, floats.nngp), (balls.ntk, floats.ntk)):
        assert one.shape == (3, 6) and one == pytest.approx(other, rel=1e-9, abs=1e-11)


def test_kernels_that_overflow_are_refused() -> None:
    with pytest.raises(DomainError):
        panel("kernels", activation="x^12", depth=3, weight_variance="100")


def test_hermite_coefficients_are_those_of_the_definition() -> None:
    found = panel("hermite", activation="gelu")

    def gelu(z: float) -> float:
        return z * (1 + math.erf(z / math.sqrt(2))) / 2

    a = table(found, "Coefficients")
    assert float(a["0"][0]) == pytest.approx(expectation(gelu), rel=1e-10)
    second = expectation(lambda z: gelu(z) * (z * z - 1)) / math.sqrt(2)
    assert float(a["2"][0]) == pytest.approx(second, rel=1e-10)
    assert found.formulas and "n" in found.formulas[0].latex
    assert "predicted" in found.kinds


@pytest.mark.parametrize("name", ["relu", "gelu", "abs"])
def test_the_law_that_is_drawn_meets_the_coefficients(name: str) -> None:
    phi = activations.get(name)
    points = dict(heights(phi.hermite_decay().even))
    assert list(points) == list(range(min(points), 33, 2)) and min(points) <= 4
    certified = float(phi.hermite_table(32, 15).rows[32].value)
    assert 10 ** points[32] == pytest.approx(abs(certified), rel=0.1)  # leading order only
    assert heights(phi.hermite_decay().odd) == []


def test_series_and_spectrum() -> None:
    found = panel("series", activation="x*erf(x)", depth=1, weight_variance="1", bias_variance="0")
    coefficients = [float(sp.N(sp.sympify(row[1]))) for row in table(found).values()]
    total = sum(c * 0.3**k for k, c in enumerate(coefficients))
    network = Network.mlp(activations.resolve("x*erf(x)"), 1, 1, 0)
    assert total == pytest.approx(float(network.at(1, "3/10", 1, 20).ntk), rel=1e-8)

    found = panel("spectrum", activation="relu", depth=1, weight_variance="2", bias_variance="0", dim=3)
    values = {k: float(sp.Rational(row[2])) for k, row in table(found, "Eigenvalues").items() if int(k) < 4}
    network = Network.mlp(activations.relu, 1, 2, 0)

    def kernel(t: float) -> float:
        return float(network.at(1, sp.Rational(t).limit_denominator(10**6), 1, 15).ntk)

    nodes, weights = np.polynomial.legendre.leggauss(40)
    for k, value in values.items():  # Funk-Hecke on the sphere in R^3
        legendre = np.polynomial.legendre.Legendre.basis(int(k))
        assert sum(
            w / 2 * kernel(t) * legendre(t) for t, w in zip(nodes, weights, strict=True)
        ) == pytest.approx(value, abs=2e-4)


def test_phases() -> None:
    assert panel("phase", activation="step").headline == "Chaos at all variances"
    assert panel("phase", activation="3").headline == "Order at all variances"
    edge = panel("phase", activation="tanh", weight_variance="3")
    assert "(3, 1/10)" in edge.figures[0].alt
    assert panel("limit", activation="tanh", weight_variance="1/2").headline == "Order"
    assert panel("limit", activation="tanh", weight_variance="3", bias_variance="0").headline == "Chaos"
    assert panel("limit", activation="relu", bias_variance="0").headline == "Edge of chaos"
    diverging = panel("limit", activation="relu", weight_variance="3")
    assert diverging.kinds == ("undecided",) and not diverging.tables


@pytest.mark.parametrize("digits", [1, 30, 120])
def test_certified_digits(digits: int) -> None:
    """Against the arc-cosine kernel written down by hand."""
    found = panel("digits", activation="relu", depth=1, bias_variance="0", rho="1/3", digits=digits)
    c = sp.Rational(1, 3)
    nngp = 2 * (sp.sqrt(1 - c * c) + c * (sp.pi - sp.acos(c))) / sp.pi
    ntk = nngp + 2 * c * (sp.pi - sp.acos(c)) / sp.pi
    for name, exact in (("NNGP", nngp), ("NTK", ntk)):
        shown = table(found)[name][0]
        assert abs(sp.Rational(shown) - exact.n(digits + 20)) < sp.Rational(10) ** (1 - digits)
        assert len(shown.replace(".", "").lstrip("0")) >= digits


def test_the_cloud_shrinks() -> None:
    network = Network.mlp(activations.relu, 2, 2, "1/10")
    points = np.array([-0.5, 0.0, 0.5])
    limit = curves(network, points).ntk[-1]
    spreads = [cloud(network, points, width).std(axis=0, ddof=1) for width in (16, 64, 256)]
    assert (spreads[0] > 1.4 * spreads[1]).all() and (spreads[1] > 1.4 * spreads[2]).all()
    assert np.abs(cloud(network, points, 256).mean(axis=0) - limit).max() < 4 * spreads[2].max()
    found = panel("width", activation="relu", depth=2, width=32, rho="1/2")
    assert list(table(found)) == ["8", "16", "32"] and found.kinds[0] == "sampled"


def test_a_cloud_of_large_numbers_has_a_spread() -> None:
    for _, spread, _ in table(panel("width", activation="10^50*x", depth=2, width=4)).values():
        assert 0 < float(spread) < 1e205


def load(download: Download) -> dict[str, object]:
    return json.loads(download.content)


def test_positivity_and_its_certificate() -> None:
    found = panel("positivity", activation="tanh")
    assert found.kinds == ("proved",) and found.headline == "Strictly positive definite"
    made = load(found.downloads[0])
    assert verify(made).accepted
    assert not verify(made | {"kind": "singular"}).accepted  # the checker looks

    singular = panel("positivity", activation="relu", depth=1, bias_variance="0")
    assert singular.headline.startswith("Singular") and verify(load(singular.downloads[0])).accepted
    points, weights = zip(*table(singular, "Points").items(), strict=True)
    vectors = np.array([[float(sp.Rational(e)) for e in p.strip("()").split(",")] for p in points])
    null = np.array([float(sp.Rational(w[0])) for w in weights])
    directions = np.random.default_rng(0).standard_normal((200, vectors.shape[1]))
    assert np.abs(np.maximum(directions @ vectors.T, 0) @ null).max() < 1e-12  # sum_i u_i relu(x_i . w) = 0


def test_conjectures() -> None:
    proved = panel("conjecture", activation="gelu", depth=1)
    assert proved.kinds == ("proved",) and verify(load(proved.downloads[0])).accepted
    refuted = panel("conjecture", activation="tanh", depth=1, conjecture="ntk(rho) > 0 for rho in [-1, 1]")
    assert refuted.kinds == ("refuted",) and "witness" in table(refuted)
    undecided = panel(
        "conjecture",
        activation="tanh",
        depth=1,
        bias_variance="0",
        conjecture="nngp(rho)/rho >= 0 for rho in [-1, 1]",
    )
    assert undecided.kinds == ("undecided",) and not undecided.downloads
    assert panel("conjecture", conjecture="").kinds == ()
    with pytest.raises(DomainError):
        panel("conjecture", conjecture="__import__('os')")


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_hostile_activations_are_refused(text: str) -> None:
    try:
        view = View(activation=text)
    except DomainError:
        return
    with pytest.raises(DomainError):
        SUBJECTS["activation"].of(view)


@pytest.mark.parametrize(
    "text",
    ["step", "3", "x^3", "x*Heaviside(x - 1)", "exp(x^2/9)"],
)
def test_every_quick_panel_answers_or_says_why(text: str) -> None:
    """Odd activations: an answer of a known kind or an error of the package, never another."""
    for name in ("activation", "kernels", "hermite", "series", "phase", "positivity"):
        with contextlib.suppress(DomainError):
            found = panel(name, activation=text, depth=1)
            assert set(found.kinds) <= set(KINDS) and found.kinds
            shown = panel_html(replace(found, formulas=()))
            assert re.search(r"\b(nan|inf)\b", shown) is None


# ------------------------------------------------------------------------------------ programs to copy


@pytest.mark.parametrize(
    ("text", "depth"),
    [("relu", 1), ("relu", 2), ("gelu", 1), ("gelu", 3), ("elu(1)", 1), ("hardtanh", 1), ("x*erf(x)", 2),
     ("sin(x)+x", 4), ("x*Heaviside(x - 1)", 1)],
)  # fmt: skip
def test_the_numpy_program_gives_the_kernels(text: str, depth: int) -> None:
    """Run on an array, against certified values; with one constant changed it does not."""
    view = View(activation=text, depth=depth, weight_variance="3/2", bias_variance="1/7")
    phi = activations.resolve(text)
    found = formulas_of(phi, depth, view.weight_variance, view.bias_variance)
    points = ["-9/10", "-1/3", "0", "1/2", "97/100"]
    network = Network.mlp(phi, depth, "3/2", "1/7")
    exact = [network.at(1, point, 1, 16) for point in points]
    wanted = np.array([[float(v.nngp) for v in exact], [float(v.ntk) for v in exact]])

    def run(weight: sp.Expr, bias: sp.Expr, formulas: object) -> np.ndarray:
        space: dict[str, object] = {}
        program = numpy_program(formulas, depth, weight, bias, "text")  # type: ignore[arg-type]
        exec(compile(program, "kernels.py", "exec"), space)
        return np.array(space["kernels"](np.array([float(sp.Rational(p)) for p in points])))  # type: ignore[operator]

    got = run(sp.Rational(3, 2), sp.Rational(1, 7), found)
    assert got == pytest.approx(wanted, rel=1e-9, abs=1e-11)
    spoiled = [replace(f, expression=f.expression + sp.Rational(1, 10**6)) for f in found]
    assert run(sp.Rational(3, 2), sp.Rational(1, 7), spoiled) != pytest.approx(wanted, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("text", ["relu", "gelu", "elu(1)", "sin"])
def test_the_sympy_program_is_the_formula(text: str) -> None:
    for formula in formulas_of(activations.resolve(text), 1, "3/2", "1/7"):
        lines = sympy_code(formula.expression).splitlines()
        space: dict[str, object] = {}
        exec("\n".join([*lines[:-1], f"found = {lines[-1]}"]), space)
        point = {
            "rho": sp.Rational(1, 3),
            "q11": sp.Integer(2),
            "q22": sp.Integer(1),
            "q12": sp.Rational(1, 3),
        }
        values = {s: point[str(s)] for s in formula.expression.free_symbols}
        difference = (space["found"] - formula.expression).subs(values)  # type: ignore[operator]
        assert abs(difference.evalf(30)) < 1e-25


WITHIN = sp.Rational(2, 3)


def run_copied(found: Typeset, values: dict[str, sp.Expr]) -> tuple[complex, complex]:
    """What the copied sympy and numpy programs give, each run as it was copied."""
    space: dict[str, object] = {}
    *lines, last = found.sympy.splitlines()
    exec("\n".join([*lines, f"found = {last}"]), space)
    names = {str(symbol): symbol for symbol in sp.sympify(space["found"]).free_symbols}
    by_sympy = sp.sympify(space["found"]).subs({names[n]: v for n, v in values.items() if n in names})
    exec(found.numpy, space)
    (function,) = [v for k, v in space.items() if f"def {k}(" in found.numpy and k != "Phi2"]
    assert callable(function)
    by_numpy = function(*(np.array([float(values[n])]) for n in signature(function).parameters))
    assert by_numpy.shape == (1,)
    return complex(by_sympy.evalf(20)), complex(by_numpy[0])


@pytest.mark.parametrize(
    ("text", "depth", "weight", "bias"),
    [("relu", 2, "3/2", "1/7"), ("gelu", 3, "2", "1/10"), ("elu(1)", 1, "2", "0"), ("3", 1, "2", "1/2"),
     ("gaussian", 2, "123456789/987654321", "99999/7654321")],
)  # fmt: skip
def test_what_is_copied_runs_and_is_the_kernel(text: str, depth: int, weight: str, bias: str) -> None:
    """Closed forms at once, the others step by step; against certified values."""
    found = {
        f.name: f
        for f in panel(
            "formulas", activation=text, depth=depth, weight_variance=weight, bias_variance=bias
        ).formulas
    }
    values: dict[str, sp.Expr] = {"rho": WITHIN}
    network = Network.mlp(activations.resolve(text), depth, weight, bias).at(1, WITHIN, 1, 16)
    if "NNGP" in found:
        got = {name: run_copied(found[name], values) for name in ("NNGP", "NTK")}
    else:
        w, b = sp.Rational(weight), sp.Rational(bias)
        values = {"q": w + b, "S": w * WITHIN + b, "T": w * WITHIN + b}
        for _ in range(depth):
            got = {name: run_copied(found[f"next {name}"], values) for name in "qST"}
            assert got["q"][0] == pytest.approx(got["q"][1], rel=1e-13)
            values = {name: sp.Rational(one.real) for name, (one, _) in got.items()}
        got = {"NNGP": got["S"], "NTK": got["T"]}
    for name, exact in (("NNGP", network.nngp), ("NTK", network.ntk)):
        assert got[name] == pytest.approx((float(exact), float(exact)), rel=1e-11)


@pytest.mark.parametrize(("text", "closed"), [("tanh", False), ("exp(-Abs(x))*cos(3*x)", True)])
def test_where_there_is_no_numpy_form_the_program_asks_the_package(text: str, closed: bool) -> None:
    found = panel("formulas", activation=text, depth=1)
    assert (found.headline != "No closed form is known") == closed and not found.formulas[0].numpy
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(found.downloads[0].content, "kernels.py", "exec"), {})
    corner = float(output.getvalue().split()[0].strip("[]"))
    network = Network.mlp(activations.resolve(text), 1, 2, "1/10")
    assert corner == pytest.approx(float(network.at("1/3", "1/3", "1/3", 15).ntk), rel=1e-7)


@pytest.mark.parametrize(
    "make", [Phi, sigmoid, softplus, lambda z: Phi2(z, 1, z), lambda z: Angle(q11, q22, z)]
)
def test_powers_of_the_package_s_functions_print(make: Callable[[sp.Symbol], sp.Expr]) -> None:
    """As ``sigmoid(x)^2`` stands in the derivative of ``sigmoid``."""
    value = make(sp.Symbol("z", real=True))
    assert sp.latex(value**2) == rf"\left({sp.latex(value)}\right)^{{2}}"
    assert "math" in mathml(sp.latex(1 - value**2))


# ------------------------------------------------------------------------------------ pages


class Reader(HTMLParser):
    """Tags, identifiers and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "action", "srcset", "xlink:href"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def outside(text: str) -> list[str]:
    """What of a page would be fetched from elsewhere."""
    found = Reader(text)
    wrong = [a for a in found.addresses if not a.startswith(("data:", "#"))]
    wrong += re.findall(r"@import|url\((?!#|['\"]?data:)[^)]*\)", text)
    return wrong + [tag for tag in found.tags if tag in ("link", "iframe", "object", "embed", "base")]


def test_an_exported_page_needs_nothing_else() -> None:
    view = View(activation="relu", depth=1, panels=("activation", "kernels", "formulas", "positivity"))
    text = page(view, subjects(), {name: SUBJECTS[name].of(view) for name in view.panels})
    assert outside(text) == []
    found = Reader(text)
    assert len(found.ids) == len(set(found.ids))
    assert found.tags.count("script") == 1 and found.tags.count("svg") == 3 and "math" in found.tags
    assert text.count("<h2") == 4 and "Hermite" not in text
    assert outside(text.replace("</main>", '<img src="https://example.org/x.png"></main>')) != []


def test_a_picture_sets_no_rule_for_the_page() -> None:
    for found in panel("kernels", activation="relu", depth=1).figures:
        assert "<style" not in found.svg and "font-family" not in found.svg and "<text" in found.svg


def test_every_text_is_escaped() -> None:
    """A hostile text in every place where a panel or a view has one."""
    bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
    view = View(activation=bad, conjecture=bad, panels=("activation", "kernels"))
    hostile = Panel(
        ("exact",), bad, (bad,), (),
        (Typeset(bad, bad, r"\text{<script>alert(1)</script>}", bad, bad), Typeset("", "", "<b>" * 3000)),
        (Captioned(bad, Table((bad, bad), ((bad, bad),))),),
        (Download(bad, bad, b"<script>", bad),),
    )  # fmt: skip
    text = page(view, subjects(), {"activation": hostile, "kernels": bad})
    clean = page(View(), subjects(), {"activation": Panel(("exact",)), "kernels": "x"})
    found = Reader(text)
    assert found.tags.count("script") == Reader(clean).tags.count("script") == 1
    assert "img" not in found.tags and "b" in found.tags and found.handlers == []
    assert (
        Reader(text.replace("&lt;", "<").replace("&gt;", ">")).tags.count("script") > 1
    )  # the reader sees what is not escaped


# ------------------------------------------------------------------------------------ the command


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["explore", *words])
    return result.exit_code, result.stdout, result.stderr


def test_export_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "view.html"
    code, _, _ = run("--activation", "x^12", "--view", "panels=kernels&weight_variance=100", "--export", path)
    assert code == 3 and "for float64" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--view", "depth=0"), "depth"), (("--view", "colour=red"), "colour"),
     (("--activation", "erff(x)"), "erff"), (("--activation", ""), "activation")],
)  # fmt: skip
def test_a_wrong_view_is_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, _, error = run(*words, "--export", str(tmp_path / "view.html"))
    assert code == 2 and said in error


def test_export_and_json(tmp_path: Path) -> None:
    path = tmp_path / "view.html"
    query = View(activation="x*erf(x)", depth=1, panels=("activation", "digits")).query()
    code, out, said = run("--view", query, "--export", str(path), "--json")
    assert code == 0 and "wrote" in said
    text = path.read_text(encoding="utf-8")
    assert "Certified digits" in text and outside(text) == [] and "activation=x%2Aerf%28x%29" in text

    found = json.loads(out)
    assert found["view"]["activation"] == "x*erf(x)" and list(found["panels"]) == ["activation", "digits"]
    assert found["panels"]["digits"]["kinds"] == ["certified"]
    assert "x*erf(x)" in found["panels"]["activation"]["figures"][0]
    assert json.loads(found["panels"]["digits"]["downloads"]["digits.json"])["ntk"]["digits"] >= 30


def test_an_export_is_bounded_in_time() -> None:
    """What takes too long is ended."""
    endless = replace(SUBJECTS["kernels"], seconds=0.5)
    view = View(activation="(x+1)^99", depth=12)
    first, stopped = (found for _, found in one_by_one((SUBJECTS["activation"], endless), view))
    assert isinstance(first, Panel) and isinstance(stopped, Exception)
    assert str(failure_of(stopped, endless)).startswith("Stopped after 0.5 seconds")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    assert run("--export", str(tmp_path / "view.pdf"))[0] == 2


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "analytic_ntk.explorer.server", None)
    code, _, error = run("--no-browser")
    assert code == 2 and "analytic-ntk[explore]" in error
