"""Reports: the data agrees with the kernels it is about, and every rendering is well-formed."""

from __future__ import annotations

import dataclasses
import io
import json
import stat
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import mpmath
import pytest
import sympy as sp
from rich.console import Console

from analytic_ntk import Activation, Enclosure, Network, activations
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.report import Report, build
from analytic_ntk.report import html as pages
from analytic_ntk.report.curves import curves_of
from analytic_ntk.report.data import Unavailable, as_json, printed, upper_bound
from analytic_ntk.report.files import write_text
from analytic_ntk.report.formulas import MAX_NODES, _recursion, formulas_of, predicted_nodes
from analytic_ntk.report.plots import lines
from analytic_ntk.report.sections import sections
from analytic_ntk.report.terminal import section_text, show
from analytic_ntk.systems import exact

EVIL = '<script>alert("1")</script>&amp;'


def small(activation: Activation, **changes: object) -> Report:
    settings: dict = {"depth": 2, "digits": 12, "order": 5, "width": 16, "draws": 3} | changes
    return build(activation, **settings)


@pytest.fixture(scope="module")
def report() -> Report:
    return small(activations.resolve("x*erf(x)"), weight_variance="3/2", bias_variance="1/10")


# ------------------------------------------------------------------------------------ the data


def test_certified_rows_are_those_of_the_network(report: Report) -> None:
    network = Network.mlp(activations.resolve("x*erf(x)"), 2, "3/2", "1/10")
    assert len(report.certified) == 6
    for row in report.certified:
        values = network.at(1, row.xy, 1, digits=12)
        assert row.nngp is not None
        assert row.ntk is not None
        assert row.nngp.overlaps(values.nngp)
        assert row.ntk.overlaps(values.ntk)


def test_report_is_complete_and_counts_its_stages(report: Report) -> None:
    assert report.complete
    stages: list[str] = []
    again = small(activations.relu, progress=stages.append)
    assert stages == [name for name, _ in again.seconds]
    assert all(seconds >= 0 for _, seconds in again.seconds)


def test_a_report_that_falls_short_says_so(report: Report) -> None:
    assert not dataclasses.replace(report, series=Unavailable("3 digits")).complete
    short = dataclasses.replace(report.certified[0], ntk=None, reason="3 digits of the kernels")
    assert not dataclasses.replace(report, certified=(short,)).complete


def test_digits_that_cannot_be_had_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*args: object) -> None:
        raise PrecisionError("7 digits of the kernels", "12 digits", reached=7)

    monkeypatch.setattr(Network, "at", short)
    found = small(activations.relu)
    assert not found.complete
    assert {row.reason for row in found.certified} == {"7 digits of the kernels; required: 12 digits"}
    with io.StringIO() as file:
        show(found, Console(file=file, width=200))
        assert "7 digits of the kernels" in file.getvalue()


def test_infinite_moments_are_refused() -> None:
    with pytest.raises(DomainError, match="infinite"):
        small(activations.resolve("exp(x^2/3)"), weight_variance=2)
    with pytest.raises(DomainError, match="alpha"):
        small(activations.resolve("sin(alpha*x)"))


def test_hermite_section_where_variance_1_is_too_large() -> None:
    """exp(x^2/3) has second moments below 3/4: kernels at variance 1/4, but no table at variance 1."""
    found = small(activations.resolve("exp(x^2/3)"), weight_variance="1/4", depth=1)
    assert isinstance(found.hermite, Unavailable)
    assert "infinite" in found.hermite.reason
    assert found.certified[0].ntk is not None


# ------------------------------------------------------------------------------------ formulas


@pytest.mark.parametrize("name", ["relu", "x*erf(x)", "exp(-Abs(x))*cos(3*x)"])
def test_recursion_step_repeated_eq_network(name: str) -> None:
    """The exact step from layer to layer, iterated in mpmath, against the certified kernel."""
    phi, depth, point = activations.resolve(name), 3, sp.Rational(3, 10)
    steps = {f.name: f.expression for f in _recursion(phi, depth, "3/2", "1/10")}
    q, s, t = sp.Rational(8, 5), sp.Rational(3, 2) * point + sp.Rational(1, 10), None
    t = s
    for _ in range(depth):
        values = {"q": q, "S": s, "T": t}
        at = {symbol: values[symbol.name] for e in steps.values() for symbol in e.free_symbols}
        q, s, t = (steps[n].subs(at).evalf(30, chop=True) for n in ("next q", "next S", "next T"))
        q, s, t = (sp.Rational(str(v)) for v in (q, s, t))
    expected = Network.mlp(phi, depth, "3/2", "1/10").at(1, point, 1, digits=20)
    assert abs(Fraction(str(s)) - expected.nngp.midpoint) < Fraction(1, 10**18)
    assert abs(Fraction(str(t)) - expected.ntk.midpoint) < Fraction(1, 10**18)


def test_written_out_formula_eq_network(report: Report) -> None:
    formulas = {f.name: f for f in formulas_of(activations.erf, 2, "3/2", "1/10")}
    rho = sp.Symbol("rho", real=True)
    expected = Network.mlp(activations.erf, 2, "3/2", "1/10").at(1, "3/10", 1, digits=15)
    value = formulas["NTK"].expression.subs(rho, sp.Rational(3, 10)).evalf(20)
    assert abs(Fraction(str(value)) - expected.ntk.midpoint) < Fraction(1, 10**14)
    assert all(f.closed for f in formulas.values())


def test_formula_size_is_predicted() -> None:
    """Within a factor of 4 of what sympy writes, so the bound on what is written out means something."""
    dual = exact.dual(activations.erf.pieces).expression
    slope = exact.dual(activations.erf.derivative).expression
    for depth in (1, 2, 3):
        written = Network.mlp(activations.erf, depth, 1, 1).formula(on="sphere").ntk
        actual = sum(1 for _ in sp.preorder_traversal(written))
        assert actual / 4 < predicted_nodes(dual, slope, depth) < 4 * actual
    assert predicted_nodes(dual, slope, 100) > MAX_NODES


def test_no_closed_form_is_said() -> None:
    assert not any(f.closed for f in formulas_of(activations.tanh, 1, 1, 0))


# ------------------------------------------------------------------------------------ numbers in print


@pytest.mark.parametrize("digits", [None, 3, 12])
@pytest.mark.parametrize(
    "value", [Enclosure(Fraction(1, 3), Fraction(1, 10**20)), Enclosure(Fraction(-2, 7), Fraction(1, 10**5))]
)
def test_printed_radius_bounds_the_printed_value(value: Enclosure, digits: int | None) -> None:
    text, radius = printed(value, digits)
    shown = Enclosure(Fraction(text), Fraction(radius))
    assert value in shown


@pytest.mark.parametrize("digits", [150, 3000, 10_000])
def test_many_digits_are_printed(digits: int) -> None:
    """More digits than Python turns into an integer by default (4300) too."""
    mpmath.mp.dps, before = digits + 10, mpmath.mp.dps
    try:
        man, exp = mpmath.sqrt(2).man_exp
    finally:
        mpmath.mp.dps = before
    text, radius = printed(Enclosure(Fraction(man) * Fraction(2) ** exp, Fraction(1, 10 ** (digits + 2))))
    assert len(text) >= digits
    assert Fraction(radius) < Fraction(1, 10 ** (digits - 3))


def test_printed_number_that_may_be_zero() -> None:
    text, radius = printed(Enclosure(Fraction(1, 10**9), Fraction(1, 10**8)))
    assert (text, Fraction(radius) >= Fraction(11, 10**9)) == ("0", True)


@pytest.mark.parametrize(
    ("value", "text"), [(Fraction(0), "0"), (Fraction(1), "1.00e0"), (Fraction(999999, 10**3), "1.00e3"),
                        (Fraction(1, 3), "3.34e-1"), (Fraction(1, 10**50), "1.00e-50"),
                        (Fraction(10**6000 + 1, 10**12000), "1.01e-6000"), (Fraction(10**7000), "1.00e7000")]
)  # fmt: skip
def test_upper_bound_rounds_up(value: Fraction, text: str) -> None:
    assert upper_bound(value) == text
    assert Fraction(text) >= value


def test_json_survives_a_round_trip(report: Report) -> None:
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert data["title"] == "x*erf(x)"
    assert data["properties"]["parity"] == "even"
    for row, record in zip(report.certified, data["certified"], strict=True):
        assert row.ntk in Enclosure(Fraction(record["ntk"]["value"]), Fraction(record["ntk"]["radius"]))
    assert len(data["hermite"]["rows"]) == 6
    assert {f["name"] for f in data["formulas"]} >= {"dual", "derivative dual"}


# ------------------------------------------------------------------------------------ Hermite tables


def test_hermite_at_another_variance_is_that_of_the_scaled_activation() -> None:
    scaled = activations.resolve("erf(2*x)").hermite_table(5, 15)
    table = activations.erf.hermite_table(5, 15, variance=4)
    for one, other in zip(scaled.rows, table.rows, strict=True):
        assert one.value.overlaps(other.value)
    for variance in ("-1", "0.5.5"):
        with pytest.raises(DomainError):
            activations.erf.hermite_table(5, 15, variance=variance)


# ------------------------------------------------------------------------------------ renderings


def test_terminal_fits_80_columns(report: Report) -> None:
    with io.StringIO() as file:
        show(report, Console(file=file, width=80))
        text = file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 80
    for section in sections(report):
        assert section.title in text
    assert "…" not in text  # nothing cut


class Checker(HTMLParser):
    """Balanced tags, and every address a page refers to."""

    VOID = ("meta", "img", "mspace", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.seen.append("unbalanced")


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert "unbalanced" not in checker.seen
    return checker


def test_page_is_well_formed_and_self_contained(report: Report) -> None:
    page = pages.page(report, curves_of(activations.resolve("x*erf(x)"), 2, "3/2", "1/10"))
    found = checked(page)
    assert found.seen.count("img") == 4
    assert found.seen.count("math") == len(report.formulas)
    assert all(link.startswith("data:image/svg+xml;base64,") for link in found.links)
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")


def test_user_text_is_escaped() -> None:
    phi = Activation(activations.relu.expression, EVIL)
    found = checked(pages.page(small(phi), curves_of(phi, 1, 1, 0)))
    assert "script" not in found.seen


def test_saboteur_a_page_without_escaping_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "escape", lambda text: text)
    phi = Activation(activations.relu.expression, EVIL)
    parser = Checker()
    parser.feed(pages.page(small(phi), curves_of(phi, 1, 1, 0)))
    assert "script" in parser.seen


def test_piecewise_formula_as_mathml() -> None:
    text = pages.mathml(sp.Piecewise((sp.sin(sp.Symbol("x")), sp.Symbol("x") < 0), (1, True)))
    assert checked(text).seen.count("mtr") == 2
    long = sp.Add(*(sp.Symbol(f"a_{k}") ** k for k in range(1000)))
    assert pages.mathml(long).startswith("<pre>")


def test_plots_are_reproducible() -> None:
    curves = curves_of(activations.tanh, 1, 1, 0)
    assert lines(curves.ntk, "rho", "y") == lines(curves.ntk, "rho", "y")
    assert [curve.y[-1] for curve in curves.ntk] == [1.0, 1.0, 1.0]
    assert curves.ntk[0].y[0] == pytest.approx(-1, abs=1e-12)


def test_kernels_too_large_to_draw_are_named() -> None:
    curves = curves_of(activations.exp, 3, 9, 0)
    assert [len(curves.nngp) + len(curves.missing), len(curves.missing) > 0] == [3, True]


def test_section_text_is_plain() -> None:
    from analytic_ntk.report.sections import hermite_section

    text = section_text(hermite_section(activations.relu.hermite_table(3, 10)))
    assert text.splitlines()[0] == "Hermite coefficients"
    assert "\x1b" not in text
    assert text.splitlines()[-1].split()[:3] == ["sum", "of", "squares"]


def test_as_json_of_a_table_in_a_record() -> None:
    assert as_json({"a": 1}) == {"a": 1}
    assert as_json(float("inf")) == "inf"


# ------------------------------------------------------------------------------------ files


def test_write_text_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "one")
    path.chmod(0o600)
    write_text(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_write_text_keeps_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    for wrong in (tmp_path, tmp_path / "missing" / "table.csv"):
        with pytest.raises(OSError, match=str(wrong)):
            write_text(wrong, "text")


def test_write_text_through_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
