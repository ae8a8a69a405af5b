"""The command line: answers, exit codes, one clean message for each refusal."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
import sympy as sp
from typer.main import get_command
from typer.testing import CliRunner

from analytic_ntk import Activation, Enclosure, Network, __version__, activations, cli, tables
from analytic_ntk.errors import NoClosedFormError, PrecisionError
from analytic_ntk.hermite import HermiteTable

COMMAND = (sys.executable, "-m", "analytic_ntk.cli")
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"}


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    """Run the command in this process; its output and its messages."""
    result = CliRunner().invoke(cli.app, list(arguments), env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


SMALL = ("--digits", "8", "--order", "4", "--width", "16", "--draws", "3")


# ------------------------------------------------------------------------------------ answers


def test_version_and_help() -> None:
    assert run("--version")[0] == f"analytic-ntk {__version__}\n"
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \|", readme, re.MULTILINE)
    assert set(listed) == set(getattr(get_command(cli.app), "commands"))  # noqa: B009
    for command in listed:
        assert command in run("--help")[0]
        assert "--json" in run(command, "--help")[0]


def test_kernel_is_that_of_the_network() -> None:
    network = Network.mlp(activations.gelu, 3, 2, "1/10")
    options = ("--depth", "3", "--weight-variance", "2", "--bias-variance", "0.1", "--digits", "12")
    text, messages = run("kernel", "gelu", *options, "--rho", "1/2", "--rho", "-1", "--json")
    assert messages == ""
    for record, rho in zip(json.loads(text), ("1/2", "-1"), strict=True):
        expected = network.at(1, rho, 1, digits=25)
        for name, value in (("nngp", expected.nngp), ("ntk", expected.ntk)):
            assert value.midpoint in Enclosure(
                Fraction(record[name]["value"]), Fraction(record[name]["radius"])
            )
    (record,) = json.loads(
        run("kernel", "gelu", *options, "--xx", "1", "--xy", "1/2", "--yy", "2", "--json")[0]
    )
    assert record["ntk"]["value"].startswith(network.at(1, "1/2", 2, digits=25).ntk.decimal(11)[:-1])
    table = run("kernel", "gelu", *options, "--rho", "1/2")[0]
    assert network.at(1, "1/2", 1, digits=20).ntk.decimal(12)[:-1] in table


def test_kernel_formula_and_its_exit_code() -> None:
    formulas = {f["name"]: f for f in json.loads(run("kernel", "relu", "--formula", "--json")[0])}
    assert formulas["NTK"]["expression"] == "(2*rho*(pi - acos(rho)) + sqrt(1 - rho**2))/(2*pi)"
    assert "no closed form" in run("kernel", "tanh", "--formula", code=3)[0]
    assert "alpha" in run("kernel", "leaky_relu(alpha)", "--formula")[0]


def test_report_in_three_forms(tmp_path: Path) -> None:
    text = run("report", "x*erf(x)", "--depth", "2", *SMALL)[0]
    assert max(len(line) for line in text.splitlines()) <= 80
    for heading in ("Properties", "Hermite", "Formulas", "Certified", "Power series", "Finite width", "Time"):
        assert heading in text
    data = json.loads(run("report", "x*erf(x)", "--depth", "2", *SMALL, "--json")[0])
    assert (data["title"], data["depth"], data["properties"]["parity"]) == ("x*erf(x)", 2, "even")
    page = tmp_path / "page.html"
    out, messages = run("report", "relu", *SMALL, "--html", str(page))
    assert (out, messages) == ("", f"wrote {page}\n")
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_report_of_a_sampled_network_that_overflows_is_incomplete() -> None:
    text = run("report", "exp", "--depth", "2", "--weight-variance", "4", *SMALL, code=3)[0]
    assert "a kernel that float64" in text


def test_hermite_formats(tmp_path: Path) -> None:
    text = run("hermite", "gelu", "--order", "6", "--format", "csv")[0]
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    assert rows[0] == ["n", "value", "radius", "kind", "expression"]
    assert [row[0] for row in rows[1:]] == list(map(str, range(7)))
    assert {row[3] for row in rows[1:]} == {"exact"}
    (data,) = json.loads(run("hermite", "tanh", "--order", "6", "--json")[0])["tables"]
    assert [row["kind"] for row in data["rows"][:4]] == ["exact", "certified", "exact", "certified"]
    assert data["rows"][1]["value"].startswith("0.60570550960215882558")
    text = run("hermite", "relu", "--order", "50", "--digits", "40")[0]
    assert len(text.splitlines()) >= 54
    assert "sum of squares" in text.splitlines()[-2] + text.splitlines()[-1]
    for style in ("table", "csv", "json", "markdown", "latex"):
        path = tmp_path / style
        assert run("hermite", "relu", "--order", "3", "--format", style, "--output", str(path)) == ("", "")
        shown = run("hermite", "relu", "--order", "3", "--format", style)[0]
        assert [line.rstrip() for line in shown.splitlines()] == path.read_text().splitlines()


@pytest.mark.parametrize("ending", ["json", "csv", "parquet"])
def test_hermite_files_read_back(ending: str, tmp_path: Path) -> None:
    """Several activations, variances, a range and columns; the ending of the file says which format it is."""
    path = tmp_path / f"table.{ending}"
    options = ("--variance", "1", "--variance", "1/2", "--from", "2", "--order", "5", "--digits", "12")
    columns = ("--columns", "value, share,derivative,envelope")
    assert run("hermite", "gelu", "Max(x, 0) + x", *options, *columns, "--output", str(path)) == ("", "")
    found = tables.read(path)
    assert [(table.label, table.variance) for table in found] == [
        (label, q) for label in ("gelu", "x + Max(0, x)") for q in (1, sp.Rational(1, 2))
    ]
    expected = activations.gelu.hermite_table(5, 20, "1/2").rows[4].value
    assert found[1].rows[2].n == 4 and expected in found[1].rows[2].value
    assert found[0].columns == ("value", "share", "derivative", "envelope")


def test_hermite_of_the_whole_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    run("hermite", "--all", "--order", "2", "--digits", "6", "--output", str(path))
    assert [table.activation for table in tables.read(path)] == list(activations.all_activations().values())
    assert list(tmp_path.iterdir()) == [path]


def test_hermite_of_several_in_80_columns() -> None:
    text = run("hermite", "relu", "tanh", "--order", "3", "--digits", "8", "--columns", "value,radius,share")[
        0
    ]
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Hermite coefficients of relu" in text and "Hermite coefficients of tanh" in text


def test_hermite_table_that_cannot_be_had_among_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    honest = Activation.hermite_table

    def fail(self: Activation, *args: object) -> HermiteTable:
        if self.name == "tanh":
            raise PrecisionError("7 digits", "30 digits", reached=7)
        return honest(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr("analytic_ntk.Activation.hermite_table", fail)
    path = tmp_path / "a.json"
    assert "not had: tanh" in run("hermite", "relu", "tanh", "--order", "2", "--output", str(path), code=3)[1]
    assert len(tables.read(path)) == len(tables.read(path).missing) == 1


def test_a_kernel_beyond_ball_arithmetic_is_an_incomplete_answer() -> None:
    """exp at depth 3: the variance of the last layer is exp(exp(...)), too large for any exponent."""
    shown, _ = run("kernel", "exp", "--rho", "1/2", "--depth", "3", "--weight-variance", "4", code=3)
    assert "too large for ball arithmetic" in " ".join(shown.split())


def test_hermite_variance() -> None:
    one = json.loads(run("hermite", "erf", "--order", "3", "--variance", "4", "--json")[0])
    other = json.loads(run("hermite", "erf(2*x)", "--order", "3", "--json")[0])
    (one,), (other,) = one["tables"], other["tables"]
    assert one["rows"][1]["value"][:20] == other["rows"][1]["value"][:20]


def test_activations() -> None:
    data = json.loads(run("activations", "--json")[0])
    assert [row["name"] for row in data] == list(activations.names())
    by_name = {row["name"]: row for row in data}
    assert by_name["tanh"]["closed_form"] is False
    assert by_name["hardtanh"]["closed_form"] is True
    assert by_name["hardtanh"]["properties"]["parity"] == "odd"
    text = run("activations")[0]
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(name in text for name in activations.names())


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kernel", "tanhh", "--rho", "1"), ("tanhh", "did you mean")),
        (("kernel", "x+t*s", "--rho", "1"), ()),
        (("kernel", "__import__('os')", "--rho", "1"), ()),
        (("kernel", "exp(x^2)", "--rho", "1"), ("infinite",)),

        (("kernel", "relu", "--rho", "2"), ()),
        (("kernel", "relu", "--rho", "nan"), ()),
        (("kernel", "relu", "--rho", "0.5", "--digits", "0"), ("digits = 0",)),
        (("kernel", "relu"), ("--rho",)),
        (("kernel", "relu", "--xx", "1"), ("--xx, --xy, --yy",)),
        (("kernel", "relu", "--rho", "1", "--formula"), ("one of",)),
        (("kernel", "relu", "--rho", "1", "--depth", "0"), ("depth = 0",)),
        (("kernel", "relu", "--rho", "1", "--weight-variance", "-1"), ("weight_variance = -1",)),
        (("kernel", "relu", "--rho", "1", "--bias-variance", "x"), ("bias_variance",)),
        (("kernel", "leaky_relu", "--rho", "1"), ("leaky_relu",)),
        (("hermite", "relu", "--order", "-1"), ("order = -1",)),
        (("hermite", "relu", "--order", "10001"), ("order = 10001",)),
        (("hermite", "relu", "--digits", "10001"), ("digits = 10001",)),
        (("hermite", "relu", "--from", "21"), ("first = 21",)),
        (("hermite", "relu", "--columns", "value,sqare"), ("sqare", "did you mean square")),
        (("hermite", "relu", "--columns", "value,value"), ("once",)),
        (("hermite", "relu", "relu"), ("each activation once",)),
        (("hermite", "relu", "--variance", "2", "--variance", "4/2"), ("each variance once",)),
        (("hermite", "relu", "--variance", "0"), ("variance = 0",)),
        (("hermite", "relu", "--all"), ("--all",)),
        (("hermite",), ("--all",)),
        (("hermite", "relu", "--format", "parquet"), ("--output",)),
        (("hermite", "sin(omega*x)",), ("omega",)),
        (("report", "relu", "--draws", "1"), ("draws = 1",)),
        (("report", "relu", "--width", "0"), ("width = 0",)),
    ],
)  # fmt: skip
def test_wrong_questions(arguments: Sequence[str], words: Sequence[str]) -> None:
    out, messages = run(*arguments, code=2)
    assert out == ""
    assert messages.startswith("error: ")
    assert "required:" in messages
    assert "Traceback" not in messages
    for word in words:
        assert word in messages


@pytest.mark.parametrize("arguments", [("foo",), ("kernel",), ("hermite", "relu", "--format", "xml"), ("kernel", "relu", "--depth", "x")])  # fmt: skip # noqa: E501
def test_wrong_usage(arguments: Sequence[str]) -> None:
    assert run(*arguments, code=2)[0] == ""


@pytest.mark.parametrize(
    "error", [PrecisionError("7 digits", "30 digits", reached=7), NoClosedFormError("a", "b")]
)
def test_answers_that_cannot_be_had(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr("analytic_ntk.Activation.hermite_table", fail)
    assert run("hermite", "relu", code=3)[1].startswith("error: ")


def test_kernel_digits_not_reached_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise PrecisionError("7 digits of the kernels", "30 digits", reached=7)

    monkeypatch.setattr(Network, "at", fail)
    assert "7 digits" in run("kernel", "relu", "--rho", "1", code=3)[0]


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "table.csv"
    for target in (missing, tmp_path, Path(os.devnull)):
        out, messages = run("hermite", "relu", "--order", "2", "--output", str(target), code=4)
        assert out == ""
        assert str(target) in messages
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_what_is_not_a_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    """Nor is a device: writing to /dev/null must not delete it."""
    target = tmp_path / "pipe.svg"
    os.mkfifo(target)
    for command in (("report", "relu", *SMALL, "--html"), ("decay", "relu", "--order", "8", "--plot")):
        out, messages = run(*command, str(target), code=4)
        assert out == "" and "not a regular file" in messages
        assert target.is_fifo()


def test_an_unexpected_fault_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("analytic_ntk.Activation.hermite_table", fail)
    assert isinstance(CliRunner().invoke(cli.app, ["hermite", "relu"]).exception, ZeroDivisionError)


# ------------------------------------------------------------------------------------ as a process


def test_fresh_process() -> None:
    done = subprocess.run(
        [*COMMAND, "kernel", "relu", "--rho", "1/2", "--digits", "10"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.4700" in done.stdout or "NTK" in done.stdout
    wrong = subprocess.run([*COMMAND, "kernel", "relu+"], env=ENVIRONMENT, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr


def test_interrupt_is_clean() -> None:
    """Ctrl-C in the middle of a long computation: code 130, one line, no traceback."""
    process = subprocess.Popen(
        [*COMMAND, "report", "x*tanh(x)", "--draws", "1000000", "--digits", "10", "--order", "2"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    )  # fmt: skip
    time.sleep(8)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, messages = process.communicate(timeout=60)
    assert (process.returncode, out, messages) == (130, "", "error: interrupted\n")


def on_a_terminal(*arguments: str) -> tuple[bytes, bytes]:
    """What a command prints on stdout (a pipe) and on stderr (a terminal)."""
    import pty

    terminal, other_end = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=ENVIRONMENT | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=other_end,
    ) as process:  # fmt: skip
        os.close(other_end)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a pseudo-terminal on Linux
            while part := os.read(terminal, 4096):
                shown += part
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    assert process.returncode == 0
    return out, shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report", "tanh", *SMALL), b"certified values"),
        (("hermite", "gelu", "tanh", "--variance", "2"), b"2/2"),
    ],
)
def test_progress_goes_to_the_terminal_only(arguments: Sequence[str], words: bytes) -> None:
    out, shown = on_a_terminal(*arguments)
    assert words in shown
    assert b"\x1b" not in out


def test_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        [*COMMAND, "hermite", "relu", "--order", "2000", "--digits", "20", "--format", "csv"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        messages = process.stderr.read()
        assert process.wait(timeout=120) == cli.CLOSED_PIPE
    assert "Traceback" not in messages
