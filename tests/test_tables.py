"""Tables of Hermite coefficients: every column from its definition, what is printed, wrong questions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
import sympy as sp

from analytic_ntk import Activation, Enclosure, activations, tables
from analytic_ntk.arithmetic.interpret import exact_ball
from analytic_ntk.arithmetic.precision import working_precision
from analytic_ntk.errors import DomainError, PrecisionError
from analytic_ntk.gaussian.hermite import hermite_exact
from analytic_ntk.gaussian.terms import terms_of
from analytic_ntk.tables import Row, agreement, decimals, files, markup, numbers, run
from analytic_ntk.tables.question import Question

EVERYTHING = ("value", "radius", "kind", "expression", "square", "cumulative", "share", "derivative",
              "predicted", "envelope")  # fmt: skip
READABLE = ("json", "csv", "parquet")


def sample(columns: tuple[str, ...] = EVERYTHING) -> tables.HermiteTables:
    """A few tables that hold every kind of entry: exact, certified, complex closed form, jumps, no name."""
    phis = [activations.gelu, activations.tanh, activations.step, Activation.parse("exp(-Abs(x))*cos(3*x)")]
    return tables.compute(phis, ["1", "3/10"], order=5, first=1, digits=20, columns=columns)


@pytest.fixture(scope="module")
def found() -> tables.HermiteTables:
    return sample()


# ------------------------------------------------------------------------------------ columns


def integral(phi: Callable, n: int, q: Fraction, breaks: tuple = ()) -> mpmath.mpf:
    """``E phi(sqrt(q) Z) He_n(Z) / sqrt(n!)`` by mpmath."""
    with mpmath.workdps(20):
        root = mpmath.sqrt(mpmath.mpf(q.numerator) / q.denominator)

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            he = mpmath.hermite(n, z / mpmath.sqrt(2)) / mpmath.mpf(2) ** (mpmath.mpf(n) / 2)
            return phi(root * z) * he * mpmath.npdf(z)

        points = sorted({-14, -4, 0, 4, 14, *(mpmath.mpf(b) / root for b in breaks)})
        return mpmath.quad(integrand, points) / mpmath.sqrt(mpmath.factorial(n))


def near(value: Enclosure, expected: mpmath.mpf) -> bool:
    """Whether they agree to the 15 digits that the integrals are good for."""
    with mpmath.workdps(20):
        return abs(mpmath.mpf(value.midpoint.numerator) / value.midpoint.denominator - expected) < 1e-15


HARDTANH = (lambda u: max(-1, min(1, u)), lambda u: 1 if abs(u) < 1 else 0, (-1, 1))
FUNCTIONS: dict[str, tuple[Callable, Callable, tuple]] = {
    "tanh": (mpmath.tanh, lambda u: mpmath.sech(u) ** 2, ()),
    "hardtanh": HARDTANH,
    "step": (lambda u: 1 if u > 0 else 0, lambda u: 0, ()),
    "x*Heaviside(x - 1)": (lambda u: u if u > 1 else 0, lambda u: 1 if u > 1 else 0, (1,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("variance", ["1", "3/10"])
def test_columns_eq_integrals(name: str, variance: str) -> None:
    phi, slope, breaks = FUNCTIONS[name]
    q = Fraction(variance)
    (table,) = tables.compute(
        activations.resolve(name), variance, 4, digits=25, columns=["value", "derivative"]
    )
    for row in table.rows:
        assert row.value is not None and row.derivative is not None
        assert near(row.value, integral(phi, row.n, q, breaks))
        assert near(row.derivative, integral(slope, row.n, q, breaks))
        assert not near(row.derivative, integral(slope, row.n, q, breaks) + mpmath.mpf(10) ** -14)


def test_masses_of_relu_eq_rationals() -> None:
    """2 pi a_n^2 = ((n-3)!!)^2 / n! for even n >= 2, a_0^2 = 1/(2 pi), a_1 = 1/2, E relu^2 = 1/2."""
    (table,) = tables.compute(
        activations.relu, order=12, digits=40, columns=["square", "cumulative", "share"]
    )
    total = sp.Integer(0)
    for row in table.rows:
        n = row.n
        odd = 1 if n == 2 else sp.factorial2(n - 3) if n > 2 else 0
        square = sp.Rational(1, 4) if n == 1 else 0 if n % 2 else odd**2 / sp.factorial(n) / (2 * sp.pi)
        total += 1 / (2 * sp.pi) if n == 0 else square
        for cell, exact in (
            (row.square, total if n == 0 else square),
            (row.cumulative, total),
            (row.share, 2 * total),
        ):
            assert cell is not None
            digits = sp.N(exact, 60)
            assert Fraction(str(digits)) in Enclosure(cell.midpoint, cell.radius + Fraction(1, 10**55))
            assert cell.digits >= 40 or cell.midpoint == cell.radius == 0


@pytest.mark.parametrize("text", ["relu", "tanh", "gelu", "elu(1)", "step", "x*Heaviside(x-1)"])
@pytest.mark.parametrize("variance", ["1", "7/3"])
def test_derivative_is_shifted_where_nothing_jumps(text: str, variance: str) -> None:
    """sqrt(q) E phi'(u) h_n = sqrt(n+1) a_{n+1} - sum of J h_n(z) density(z), z = b/sqrt q, jumps J at b."""
    phi = activations.resolve(text)
    (table,) = tables.compute(phi, variance, 9, digits=40, columns=["value", "derivative"])
    gaps = []
    with mpmath.workdps(50):
        q = number(sp.Rational(variance))
        for row, after in zip(table.rows, table.rows[1:], strict=False):
            assert row.derivative is not None and after.value is not None
            edge = mpmath.mpf(0)
            for place, size in phi.jumps:
                z = number(place) / mpmath.sqrt(q)
                he = mpmath.hermite(row.n, z / mpmath.sqrt(2)) / mpmath.mpf(2) ** (mpmath.mpf(row.n) / 2)
                edge += number(size) * he * mpmath.npdf(z) / mpmath.sqrt(mpmath.factorial(row.n))
            shifted = mpmath.sqrt(row.n + 1) * number(after.value.midpoint)
            gaps.append(shifted - mpmath.sqrt(q) * number(row.derivative.midpoint))
            assert abs(gaps[-1] - edge) < mpmath.mpf(10) ** -38
    assert bool(phi.jumps) == any(abs(gap) > 1e-6 for gap in gaps)  # the jumps are what is left out


def number(value: Fraction | sp.Expr) -> mpmath.mpf:
    """An exact number at the working precision of mpmath."""
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / value.denominator
    return mpmath.mpf(str(sp.N(value, 60)))


@pytest.mark.parametrize(("name", "n", "within"), [("relu", 40, 0.03), ("tanh", 81, 0.2), ("erf", 41, 0.03)])
def test_predicted_is_the_law_of_decay(name: str, n: int, within: float) -> None:
    """The prediction comes close for large n, with its sign; the one of the next coefficient would not."""
    (table,) = tables.compute(
        activations.resolve(name), order=n + 2, first=n, digits=10, columns=["value", "predicted", "envelope"]
    )
    row, _, later = table.rows
    assert row.value is not None and row.predicted is not None and row.envelope is not None
    assert abs(row.predicted / float(row.value) - 1) < within
    assert abs(row.envelope / abs(float(row.value)) - 1) < within
    assert later.predicted is not None and abs(later.predicted / float(row.value) - 1) > 1  # the sign changes


def test_a_silent_law_leaves_its_cells_empty() -> None:
    (table,) = tables.compute(activations.relu, order=5, columns=["predicted", "envelope"])
    assert [row.predicted is None for row in table.rows] == [True] * 3 + [False] * 3
    assert table.rows[3].predicted == 0
    (table,) = tables.compute(activations.exp, order=400, first=399, columns=["predicted"])
    assert [row.predicted for row in table.rows] == [None, None]  # 1e-430 is not 0


def test_enclosures_hold_what_more_digits_say() -> None:
    phi = Activation.parse("exp(-Abs(x))*cos(3*x) + tanh(x)")
    coarse, fine = (tables.compute(phi, "2", 8, digits=d, columns=EVERYTHING)[0] for d in (8, 50))
    for low, high in zip(coarse.rows, fine.rows, strict=True):
        for name in ("value", "square", "cumulative", "share", "derivative"):
            wide, narrow = getattr(low, name), getattr(high, name)
            assert narrow in wide
            assert wide.digits >= 8 and narrow.digits >= 50
            shifted = Enclosure(narrow.midpoint + 2 * wide.radius + narrow.radius, narrow.radius)
            assert shifted not in wide  # the check can fail
    assert fine.sum_of_squares in coarse.sum_of_squares
    assert fine.second_moment in coarse.second_moment


def test_a_range_is_part_of_the_whole() -> None:
    whole = tables.compute(activations.silu, order=9, digits=15, columns=EVERYTHING)[0]
    part = tables.compute(activations.silu, order=9, first=6, digits=15, columns=EVERYTHING)[0]
    assert part.rows == whole.rows[6:]
    assert part.sum_of_squares == whole.sum_of_squares


def test_the_zero_function_has_no_shares() -> None:
    (table,) = tables.compute(Activation.parse("0*x"), order=2, columns=["value", "share"])
    assert [row.share for row in table.rows] == [None] * 3
    assert [row.value for row in table.rows] == [Enclosure(Fraction(0), Fraction(0))] * 3


def test_a_table_gives_a_hermite_table_again() -> None:
    (table,) = tables.compute(activations.elu(1), "1/3", 12, digits=25)
    other = activations.elu(1).hermite_table(12, 25, "1/3")
    assert (table.hermite.variance, table.hermite.digits) == (other.variance, other.digits)
    assert other.second_moment in table.hermite.second_moment
    assert other.sum_of_squares in table.hermite.sum_of_squares
    for one, two in zip(table.hermite.rows, other.rows, strict=True):
        assert two.value in one.value and (one.n, one.kind) == (two.n, two.kind)
        assert sp.expand(one.expression - two.expression) == 0
    for changes in ({"first": 1}, {"columns": ["value", "square"]}, {"columns": ["expression"]}):
        with pytest.raises(DomainError, match="rows"):
            _ = tables.compute(activations.relu, order=2, **changes)[0].hermite  # type: ignore[arg-type]


def test_expressions_built_in_python_settle_too() -> None:
    half = sp.Mul(sp.Rational(1, 2), 1 + sp.sqrt(2), evaluate=False)
    phi = Activation(sp.Mul(sp.Rational(1, 3), sp.Max(sp.Symbol("x"), 0) + 1, evaluate=False))
    (table,) = tables.compute(phi, half, 3, digits=10)
    assert sp.expand(table.variance - half) == 0
    assert sp.expand(table.activation.expression - phi.expression) == 0
    assert table.rows[1].value is not None
    assert table.rows[1].value.overlaps(phi.hermite_table(1, 10, half).rows[1].value)


# ----------------------------------------------------------------------------------- decimals and expressions


def test_rounding_is_outward_and_settles() -> None:
    draw = random.Random(5)
    for _ in range(3000):
        size = 10 ** draw.randint(0, 40)
        middle = Fraction(draw.randint(-size, size), draw.randint(1, 10 ** draw.randint(0, 60)))
        value = Enclosure(middle, abs(middle) * Fraction(draw.randint(0, 9), 10 ** draw.randint(1, 30)))
        digits = draw.randint(1, 25)
        short = decimals.rounded(value, digits)
        assert value in short
        assert decimals.rounded(short, digits) == short
        texts = [decimals.text_of(part) for part in (short.midpoint, short.radius)]
        assert decimals.enclosure_from(*texts) == short
        assert len(texts[0].lstrip("-0.").partition("e")[0]) <= digits + 2 + 30
        assert short.radius <= value.radius * Fraction(102, 100) + abs(middle) / 10 ** (digits + 1) or (
            short.midpoint == 0
        )


def test_numbers_of_ten_thousand_digits() -> None:
    value = Fraction(3**25_000, 2**45_000)
    assert decimals.decimal_from(decimals.text_of(value)) == value
    assert decimals.decimal_from(decimals.text_of(-value / 10**9000)) == -value / 10**9000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1e",
        "nan",
        "inf",
        "0x1",
        "1_0",
        " 1",
        "+1",
        "--1",
        "1e999999",
        "١",
        "1.",
        ".5",
        "1e+3",
        None,
        1.5,
        1,
    ],
)
def test_text_that_is_no_decimal(text: object) -> None:
    with pytest.raises(DomainError):
        decimals.decimal_from(text)
    with pytest.raises(DomainError):
        decimals.enclosure_from("1", "-1e-3")
    with pytest.raises(DomainError):
        decimals.text_of(Fraction(1, 3))


@pytest.mark.parametrize(
    ("text", "order"),
    [("selu", 54), ("hardtanh", 90), ("sinusoid(1, 2, 1/2)", 90), ("exp(-Abs(x))*cos(3*x)", 4)],
)
@pytest.mark.parametrize("variance", ["1", "1/1000"])
def test_exact_coefficients_read_back(text: str, order: int, variance: str) -> None:
    """Long integers, nested and complex numbers, tiny exponentials: the same tree, the same number."""
    terms = terms_of(activations.resolve(text).pieces)
    assert terms is not None
    q = sp.Rational(variance)
    for exact in hermite_exact(terms, order, q)[:: order // 2]:
        back = numbers.settled(exact)
        assert back is not None and numbers.read_expression(str(back)) == back
        with working_precision(400):
            value = decimals.rounded(Enclosure.of(exact_ball(exact).real), 10)
        assert agreement._agrees(back, value, 10)
        assert not agreement._agrees(back + 1, value, 10)


@pytest.mark.parametrize(
    "text",
    [
        "I",
        "RealPart(I",
        "RealPart(1) + I",
        "sqrt(-1)",
        "exp(exp(exp(20)))",
        "RealPart(exp(exp(exp(I))))**0",
        "10**99999",
        "__import__('os')",
        "RealPart(exp(exp(exp(40*I + 40))))",
        "RealPart(1/0)",
        "1/0",
        "(" * 50 + "1" + ")" * 50,
        "zoo",
        "oo",
        "nan",
        "lambda: 1",
        "x.y",
        3,
        None,
    ],
)
def test_hostile_expressions(text: object) -> None:
    if text == "RealPart(exp(exp(exp(I))))**0":
        assert numbers.read_expression(text) == 1
        return
    with pytest.raises(DomainError):
        numbers.read_expression(text)


# ------------------------------------------------------------------------------------ LaTeX and Markdown

# The number that siunitx parses and the argument of table-format, after its manual (v3, 3.1 and 4.12):
# optional sign, integer, optional decimal part, optional exponent marked by e or d with optional sign.
SIUNITX_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([ed][+-]?[0-9]+)?")
TABLE_FORMAT = re.compile(r"S\[table-format=([+-]?)([0-9]+)\.([0-9]+)(?:e([+-]?)([0-9]+))?\]")


def latex_problems(text: str) -> Iterator[str]:
    """What siunitx and booktabs would stumble over, or leave no room for."""
    for block in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL):
        lines = block.splitlines()
        kinds = re.findall(r"S\[[^\]]*\]|l", lines[0].partition("{tabular}")[2])
        rules = [line for line in lines if line.endswith("rule")]
        if rules != [r"\toprule", r"\midrule", r"\midrule", r"\midrule", r"\bottomrule"]:
            yield f"rules {rules}"
        for line in lines[1:-1]:
            if line in rules or line.startswith(r"\multicolumn"):
                continue
            cells = line.removesuffix(r" \\").split(" & ")
            if len(cells) != len(kinds) or not line.endswith(r" \\"):
                yield f"{len(cells)} cells for {len(kinds)} columns: {line}"
            for kind, cell in zip(kinds, cells, strict=False):
                room = TABLE_FORMAT.fullmatch(kind)
                if kind == "l" or not cell or re.fullmatch(r"\{.*\}", cell):
                    continue
                number = SIUNITX_NUMBER.fullmatch(cell)
                if room is None or number is None:
                    yield f"{cell!r} in {kind}"
                    continue
                mantissa, _, power = cell.partition("e")
                whole, _, part = mantissa.lstrip("-").partition(".")
                fits = (
                    (not cell.startswith("-") or room[1] == "-")
                    and len(whole) <= int(room[2])
                    and len(part) <= int(room[3])
                    and (not power or (room[5] is not None and len(power.lstrip("-")) <= int(room[5])))
                    and (not power.startswith("-") or room[4] == "-")
                )
                if not fits:
                    yield f"no room for {cell} in {kind}"


def test_latex_is_what_siunitx_reads() -> None:
    made = sample((*EVERYTHING,))
    zero = Row(6, Enclosure(Fraction(0), Fraction(3, 10**40)), "certified")
    with_zero = replace(made[0], rows=(*made[0].rows, zero))
    text = files.FORMATS["latex"](replace(made, tables=(*made.tables, with_zero)))
    assert list(latex_problems(text)) == []
    assert r"{$0 \pm 3 \cdot 10^{-40}$}" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("table-format=-1", "table-format=1"),
        (r" \\", " "),
        ("0.5", "0,5"),
        ("{$a_n$}", "$a_n$"),
        (r"\midrule", r"\hline"),
    ],
)
def test_saboteur_latex_faults_are_seen(good: str, bad: str) -> None:
    text = files.FORMATS["latex"](tables.compute(activations.gelu, order=5, digits=8))
    assert list(latex_problems(text)) == []
    assert list(latex_problems(text.replace(good, bad)))


def test_shown_tables_hold_the_same_numbers() -> None:
    made = tables.compute(activations.gelu, order=6, digits=18)
    expected = [row.value.decimal(18) for row in made[0].rows if row.value]
    for n, text in enumerate(expected):
        assert abs(mpmath.mpf(text) - integral(lambda u: u * mpmath.ncdf(u), n, Fraction(1))) < 1e-14
    moment = made[0].second_moment.decimal(18)
    markdown = files.FORMATS["markdown"](made).partition("-->\n\n")[2].splitlines()
    assert [line.split("|")[2].strip() for line in markdown[2:9]] == expected
    assert markdown[-1].endswith(moment)
    latex = files.FORMATS["latex"](made).splitlines()
    start = latex.index(r"\midrule", latex.index(r"\midrule") + 1)
    assert [line.split("&")[1].strip() for line in latex[start + 1 : start + 8]] == expected
    assert moment in latex[-3]
    shown = files.FORMATS["table"](made)
    assert all(text in shown for text in (*expected, moment))


def test_the_radius_shown_is_that_of_the_digits_shown() -> None:
    (table,) = tables.compute(activations.gelu, "1/3", order=6, digits=9, columns=["value", "radius"])
    fine = activations.gelu.hermite_table(6, 40, "1/3").rows
    for row, exact in zip(table.rows, fine, strict=True):
        text, radius = (Fraction(markup.cell_text(row, name, 9)) for name in ("value", "radius"))
        assert exact.value in Enclosure(text, radius)
        assert radius == 0 or exact.value not in Enclosure(text + 2 * radius, radius)


def test_a_number_that_may_be_zero_is_shown_by_its_bound() -> None:
    row = Row(3, Enclosure(Fraction(0), Fraction(3, 10**40)))
    assert markup.cell_text(row, "value", 20) == "0 +- 3e-40"


# ------------------------------------------------------------------------------------ wrong questions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order": -1}, "order = -1"),
        ({"order": 10_001}, "order = 10001"),
        ({"order": True}, "order = True"),
        ({"order": 2.0}, "order = 2.0"),
        ({"first": 21}, "first = 21"),
        ({"first": -1}, "first = -1"),
        ({"digits": 0}, "digits = 0"),
        ({"digits": 10_001}, "digits = 10001"),
        ({"variances": []}, "0 variances"),
        ({"variances": [0]}, "variance = 0"),
        ({"variances": [0.5]}, "0.5"),
        ({"variances": "x"}, "variance"),
        ({"variances": ["1/2", "0.5"]}, "each variance once"),
        ({"activations": []}, "0 activations"),
        ({"activations": ["relu"]}, "relu"),
        ({"activations": [activations.relu] * 2}, "each activation once"),
        ({"activations": [Activation.parse("sin(omega*x)")]}, "omega"),
        ({"columns": ["a_n"]}, "a_n"),
        ({"columns": "value"}, "list"),
        ({"columns": []}, "no column"),
        ({"columns": ["value", "value"]}, "once"),
        ({"columns": [3]}, "3"),
        ({"activations": Activation.parse("exp(x^2)")}, "infinite"),
        ({"activations": Activation.parse("sin(exp(x^2))"), "columns": ["derivative"]}, "growth of 2*x"),
    ],
)
def test_wrong_questions_are_refused_before_anything_is_computed(
    changes: dict, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "table_of", lambda *args: pytest.fail("computed"))
    arguments = {"activations": activations.relu, "order": 20} | changes
    with pytest.raises(DomainError) as error:
        tables.compute(**arguments)
    assert words in str(error.value)
    with pytest.raises(DomainError):
        tables.compute_into(tmp_path / "a.csv", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_had_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    honest = run.table_of

    def fail(question: Question, phi: Activation, q: sp.Expr) -> tables.Table:
        if phi.name == "tanh":
            raise PrecisionError("7 digits", "30 digits", reached=7)
        return honest(question, phi, q)

    monkeypatch.setattr(run, "table_of", fail)
    phis = [activations.relu, activations.tanh]
    found = tables.compute_into(tmp_path / "a.json", phis, order=2)
    assert [table.label for table in found] == ["relu"]
    assert [(m.activation.name, m.reason[:8]) for m in found.missing] == [("tanh", "7 digits")]
    for style in READABLE:
        tables.write(found, tmp_path / "b", style)
        assert tables.read(tmp_path / "b") == found
    for style in ("markdown", "latex", "table"):
        assert "7 digits" in files.FORMATS[style](found)
    with pytest.raises(PrecisionError):
        tables.compute(activations.tanh, order=2)
    monkeypatch.undo()
    assert len(tables.compute_into(tmp_path / "a.json", phis, order=2)) == 2
