"""Files of tables: they give back what was written, or say why not; runs that are killed go on."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import sympy as sp

from analytic_ntk import Activation, activations, tables
from analytic_ntk.errors import DomainError
from analytic_ntk.tables import files, run
from analytic_ntk.tables.job import Job
from analytic_ntk.tables.layout import checksum, content_of, tables_from
from analytic_ntk.tables.question import Question
from analytic_ntk.tables.text import json_text

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


# ------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("style", READABLE)
def test_read_gives_back_what_was_written(found: tables.HermiteTables, style: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{style}"
    tables.write(found, path)
    back = tables.read(path)
    assert back == found
    assert back[0].rows[1].expression == 3 * sp.sqrt(2) / (8 * sp.sqrt(sp.pi))
    assert [table.activation.name for table in back] == [table.activation.name for table in found]
    again = tmp_path / "again"
    tables.write(back, again, style)
    assert again.read_bytes() == path.read_bytes()


def test_one_checksum_for_all_formats(found: tables.HermiteTables) -> None:
    said = content_of(found)["checksum"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", said)
    for style in ("json", "csv", "markdown", "latex"):
        assert said in files.FORMATS[style](found)


def test_csv_is_plain_for_others(found: tables.HermiteTables) -> None:
    lines = [line for line in files.FORMATS["csv"](found).splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert len(rows) == sum(len(table.rows) for table in found)
    assert rows[0]["activation"] == "gelu" and Fraction(rows[0]["value"]) == Fraction(1, 2)


def test_names_with_every_character(tmp_path: Path) -> None:
    phis = [
        Activation(sp.Symbol("x") + k, name)
        for k, name in enumerate(['a,"b"\n#c', "--> % \\ |", "é\u2028z", "= 1"])
    ]
    made = tables.compute(phis, order=1, digits=5)
    for style in READABLE:
        tables.write(made, tmp_path / "t", style)
        assert tables.read(tmp_path / "t") == made
    text = files.FORMATS["markdown"](made)
    assert text.index("-->") > text.index("checksum")
    for line in files.FORMATS["latex"](made).split("\n\n")[0].splitlines():
        assert line.startswith("% ")


@pytest.mark.parametrize("style", ["json", "csv"])
def test_a_flipped_character_is_found(style: str, tmp_path: Path) -> None:
    """Every digit and letter of the file, one after the other."""
    path = tmp_path / f"table.{style}"
    small = tables.compute(
        [activations.relu, activations.tanh],
        order=2,
        digits=8,
        columns=["value", "kind", "expression", "share"],
    )
    tables.write(small, path)
    text = path.read_text()
    assert tables.read(path) == small
    draw = random.Random(1)
    caught = 0
    for place, character in enumerate(text):
        if not character.isalnum():
            continue
        other = draw.choice("0123456789" if character.isdigit() else "abcxyzE")
        if other == character:
            continue
        path.write_text(text[:place] + other + text[place + 1 :])
        with pytest.raises(DomainError, match=re.escape(str(path))):
            tables.read(path)
        caught += 1
    assert caught > 900
    place = text.index('"0.5"' if style == "json" else ",0.5,") + 3
    path.write_text(text[:place] + "6" + text[place + 1 :])
    with pytest.raises(DomainError, match="checksum that does not match"):
        tables.read(path)


def test_a_flipped_byte_of_parquet_changes_nothing_silently(
    found: tables.HermiteTables, tmp_path: Path
) -> None:
    path = tmp_path / "table.parquet"
    tables.write(found, path)
    data = path.read_bytes()
    draw = random.Random(2)
    caught = 0
    for _ in range(80):
        place = draw.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :])
        try:
            back = tables.read(path)
        except DomainError as error:
            caught += str(path) in str(error)
        else:
            assert back == found  # a flip in padding or statistics: what the tables say is whole
    assert caught > 25


@pytest.mark.parametrize("style", READABLE)
def test_a_truncated_file_is_refused(style: str, tmp_path: Path) -> None:
    path = tmp_path / "table"
    tables.write(tables.compute(activations.relu, order=2, digits=8), path, style)
    data = path.read_bytes()
    for size in {*range(0, len(data) - 1, 97), len(data) - 2, 1}:
        path.write_bytes(data[:size])
        with pytest.raises(DomainError, match=re.escape(str(path))):
            tables.read(path)


def _forged(change: Callable[[dict], None]) -> dict:
    """A content with a change and a checksum that fits it."""
    content = json.loads(json_text(tables.compute(activations.relu, order=2, digits=8)))
    change(content)
    return content | {"checksum": checksum(content)}


def _row(key: str, value: object, n: int = 1) -> Callable[[dict], None]:
    return lambda content: content["tables"][0]["rows"][n].__setitem__(key, value)


def _head(key: str, value: object) -> Callable[[dict], None]:
    return lambda content: content.__setitem__(key, value)


def _table(key: str, value: object) -> Callable[[dict], None]:
    return lambda content: content["tables"][0].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_head("version", 2), "version 2"),
        (_head("version", True), "version"),
        (_head("format", "x"), "another kind"),
        (_head("from", 1), "rows"),
        (_head("order", 3), "rows"),
        (_head("order", 10**9), "orders"),
        (_head("digits", -1), "digits"),
        (_head("digits", "8"), "digits"),
        (_head("extra", 1), "fields"),
        (_head("columns", ["value"]), "fields"),
        (_head("columns", ["value", "value"]), "once"),
        (_head("columns", "value"), "list"),
        (_head("columns", [["value"]]), "column"),
        (_head("tables", {}), "list"),
        (_head("tables", [1]), "fields"),
        (_head("software", [1]), "software"),
        (_head("missing", [{}]), "fields"),
        (_row("value", "0.51"), "a_1 = 1/2"),
        (_row("expression", "1/3"), "a_1 = 1/3"),
        (_row("expression", "x"), "a_1 = x"),
        (_row("expression", "alpha"), "a_1"),
        (_row("expression", "exec(1)"), "unknown name"),
        (_row("expression", 7), "as text"),
        (_row("expression", None), "exact"),
        (_row("kind", "certified"), "certified"),
        (_row("kind", "sure"), "kind"),
        (_row("radius", "-1"), "radius"),
        (_row("value", 0.5), "decimal"),
        (_row("value", "1e99999999"), "decimal"),
        (_row("n", 2), "row of n"),
        (_row("n", True), "row of n"),
        (_row("value", None), "decimal"),
        (_table("variance", "-1"), "variance"),
        (_table("variance", "x"), "number"),
        (_table("variance", 1), "text"),
        (_table("expression", "1/x"), "x"),
        (_table("activation", 3), "name"),
        (_table("rows", []), "rows"),
        (_table("second_moment", "1"), "fields"),
    ],
)
def test_a_forged_table_is_refused(change: Callable[[dict], None], words: str, tmp_path: Path) -> None:
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(_forged(change)))
    with pytest.raises(DomainError, match=re.escape(str(path))) as error:
        tables.read(path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"hello",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe\x00",
        b"PAR1",
        b"PAR1" + b"\0" * 99 + b"PAR1",
        b'{"format": "analytic-ntk hermite table", "version": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": "analytic-ntk hermite table", "version": 1' + b"0" * 5000 + b"}",
        b"# analytic-ntk hermite table, version 1\n",
        b"# analytic-ntk hermite table, version 1\n# a: [\n",
        b"# analytic-ntk hermite table, version 9\n# checksum: 1\nn\n",
        b"n,value\n0,1\n",
        b"# analytic-ntk hermite table, version 1\n# table: 3\nn,value\n0,1\n",
        b'# analytic-ntk hermite table, version 1\n# table: {"rows": 1}\nn,value\n0,"1\n',
    ],
)
def test_files_of_other_kinds(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DomainError, match=re.escape(str(path))):
        tables.read(path)


def test_what_is_for_showing_says_so(found: tables.HermiteTables, tmp_path: Path) -> None:
    for style in ("markdown", "latex", "table"):
        tables.write(found, tmp_path / "shown", style)
        with pytest.raises(DomainError, match="showing"):
            tables.read(tmp_path / "shown")
    with pytest.raises(IsADirectoryError):
        tables.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        tables.read(tmp_path / "none")


def test_files_that_cannot_be_written(found: tables.HermiteTables, tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "no" / "a.csv", Path(os.devnull)):
        for attempt in (
            lambda where: tables.write(found, where, "csv"),
            lambda where: tables.compute_into(where, activations.relu, order=1, format="csv"),
        ):
            with pytest.raises(OSError, match=re.escape(str(target))):
                attempt(target)
    for style, words in (("xml", "xml"), (None, "ending")):
        with pytest.raises(DomainError, match=words):
            tables.write(found, tmp_path / "a.xml", style)
    assert list(tmp_path.iterdir()) == []


def test_parquet_without_pyarrow_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DomainError, match=re.escape('"analytic-ntk[parquet]"')):
        tables.compute_into(tmp_path / "a.parquet", activations.relu, order=1)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------ runs that are killed

QUESTION = ("relu", "gelu", "tanh", "erf", "softplus(1)", "elu(1)")
OPTIONS = ("--variance", "1", "--variance", "2", "--order", "12", "--digits", "15")
COMMAND = (sys.executable, "-m", "analytic_ntk.cli", "hermite", *QUESTION, *OPTIONS)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def units(path: Path) -> dict[str, tuple[int, int]]:
    """The finished units beside an output, and which files they are: a rewritten one is another file."""
    folder = path.with_name(path.name + ".unfinished")
    try:
        return {
            place.name: (place.stat().st_ino, place.stat().st_mtime_ns)
            for place in folder.iterdir()
            if re.fullmatch(r"[0-9]{5}\.json", place.name)
        }
    except FileNotFoundError:
        return {}


def killed(path: Path, kills: int, draw: random.Random) -> int:
    """Run the command into ``path``, killing it at random moments; how often it was killed."""
    before: dict[str, tuple[int, int]] = {}
    for turn in range(kills + 1):
        process = subprocess.Popen([*COMMAND, "--output", str(path)], env=ENVIRONMENT, stderr=subprocess.PIPE)
        goal = len(before) + draw.randint(1, 3)
        while turn < kills and process.poll() is None and len(units(path)) < goal:
            time.sleep(0.002)
        if turn < kills:
            time.sleep(draw.random() * 0.05)
            process.send_signal(signal.SIGKILL)
        _, messages = process.communicate(timeout=120)
        now = units(path)
        if process.returncode == 0:
            assert now == {}
            return turn
        assert process.returncode == -signal.SIGKILL, messages
        assert {name: now[name] for name in before} == before  # nothing lost, nothing computed twice
        for name in now:
            assert len(tables.read(path.with_name(path.name + ".unfinished") / name)) == 1
        before = now
    raise AssertionError("never finished")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(kills: int, tmp_path: Path) -> None:
    whole = tmp_path / "whole.json"
    tables.compute_into(
        whole, [activations.resolve(name) for name in QUESTION], ["1", "2"], order=12, digits=15
    )
    path = tmp_path / "killed.json"
    assert killed(path, kills, random.Random(kills)) >= 1
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(place.name for place in tmp_path.iterdir()) == ["killed.json", "whole.json"]


class Stop(Exception):
    """An end in the middle, without the clearing up of a KeyboardInterrupt."""


def counting(monkeypatch: pytest.MonkeyPatch, limit: int) -> list[str]:
    """Count what is computed; stop before more than ``limit`` units."""
    honest, seen = run.table_of, []

    def table_of(question: Question, phi: Activation, q: sp.Expr) -> tables.Table:
        if len(seen) == limit:
            raise Stop
        seen.append(f"{phi} {q}")
        return honest(question, phi, q)

    monkeypatch.setattr(run, "table_of", table_of)
    return seen


PHIS = [activations.relu, activations.tanh, activations.gelu]


def start(path: Path, **changes: object) -> tables.HermiteTables:
    arguments: dict = {"activations": PHIS, "variances": ["1", "2"], "order": 4, "digits": 10} | changes
    return tables.compute_into(path, **arguments)


@pytest.mark.parametrize("style", [*READABLE, "markdown", "latex", "table"])
def test_each_unit_is_computed_once(style: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole", tmp_path / "path"
    start(whole, format=style)
    first = counting(monkeypatch, 4)
    with pytest.raises(Stop):
        start(path, format=style)
    assert not path.exists() and len(units(path)) == 4
    monkeypatch.undo()
    second = counting(monkeypatch, 99)
    seen: list[tuple[int, int]] = []
    start(path, format=style, progress=lambda done, total, name: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(7)]
    assert sorted(first + second) == sorted(f"{phi} {q}" for phi in PHIS for q in (1, 2))
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(place.name for place in tmp_path.iterdir()) == ["path", "whole"]
    if style in READABLE:  # a finished file that answers the question is left as it is
        monkeypatch.setattr(run, "table_of", lambda *args: pytest.fail("computed again"))
        status = path.stat()
        assert start(path, format=style) == tables.read(path)
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"digits": 11},
        {"order": 5},
        {"first": 1},
        {"variances": ["2", "1"]},
        {"columns": ["value"]},
        {"activations": PHIS[:2]},
    ],
)
def test_another_question_is_not_mixed_in(
    changes: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    counting(monkeypatch, 2)
    with pytest.raises(Stop):
        start(path)
    before = units(path)
    with pytest.raises(DomainError, match="something else"):
        start(path, **changes)
    monkeypatch.setattr("analytic_ntk.tables.question.software", lambda: (("analytic-ntk", "99"),))
    with pytest.raises(DomainError, match="something else"):
        start(path)
    assert units(path) == before and len(before) == 2
    monkeypatch.undo()
    assert start(path) == tables.compute(PHIS, ["1", "2"], 4, digits=10)


@pytest.mark.parametrize("style", ["json", "markdown"])
def test_a_kill_while_clearing_up_costs_nothing(
    style: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    honest = Path.unlink

    def unlink(place: Path) -> None:  # the file is in its place; two tables are still in the folder
        if len(units(path)) == 2:
            raise Stop
        honest(place)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(Stop):
        start(path, format=style)
    monkeypatch.undo()
    whole = path.read_bytes()
    seen = counting(monkeypatch, 0 if style == "json" else 4)
    start(path, format=style)
    assert len(seen) == (0 if style == "json" else 4)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_for_another_question_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    start(path, digits=12)
    start(path)
    assert tables.read(path).digits == 10
    path.write_text("notes")
    start(path)
    assert len(tables.read(path)) == 6


def test_a_damaged_unit_is_said_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    counting(monkeypatch, 3)
    with pytest.raises(Stop):
        start(path)
    monkeypatch.undo()
    folder = tmp_path / "a.json.unfinished"
    one, two = folder / "00001.json", folder / "00002.json"
    whole = one.read_text()
    for content, words in ((whole[: len(whole) // 2], "JSON"), (whole.replace("0.", "1.", 1), "checksum")):
        one.write_text(content)
        with pytest.raises(DomainError, match=words):
            start(path)
    one.write_text(two.read_text())
    with pytest.raises(DomainError, match="another question"):
        start(path)
    one.unlink()
    start(path)
    assert len(tables.read(path)) == 6


def test_two_runs_at_once_are_told_apart(tmp_path: Path) -> None:
    question = Question.of(PHIS, ["1", "2"], 4, digits=10)
    with Job(tmp_path / "a.json", question):
        with pytest.raises(DomainError, match="another run"):
            start(tmp_path / "a.json")
    start(tmp_path / "a.json")


def test_files_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, folder = tmp_path / "a.csv", tmp_path / "a.csv.unfinished"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / ".00000.json.half").write_text("{")
    start(path)
    assert [place.name for place in folder.iterdir()] == ["notes.txt"]
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    start(link, digits=11)
    assert link.is_symlink() and tables.read(path).digits == 11


def test_links_in_a_circle_are_an_os_error(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match="symbolic links"):
        start(one)


def test_tables_from_content_is_the_inverse(found: tables.HermiteTables) -> None:
    assert tables_from(content_of(found)) == found


@pytest.mark.parametrize("path", [5, None, b"x.json", "a\0b.json"])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(DomainError, match="path"):
        tables.read(path)  # type: ignore[arg-type]
