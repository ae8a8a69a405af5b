"""Every example in README and docs is run, and prints what it says.

``python`` blocks are doctests (one namespace per file); in ``console`` blocks each ``$ analytic-ntk ...`` or
``$ proofs-check ...`` is run and its output compared. ``...`` stands for anything, white space is not
compared.
"""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytic_ntk.activations import all_activations
from analytic_ntk.cli import app
from proofs_check.cli import app as proofs_app

ROOT = Path(__file__).resolve().parent.parent
MADE = {"_build", "atlas", "generated"}
"""Folders of ``docs`` that the build makes."""
PAGES = sorted([ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if MADE.isdisjoint(p.parts))])
PROGRAMS = {"analytic-ntk": app, "proofs-check": proofs_app}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Line and content of the fenced blocks of a kind."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found[1] == kind:
            yield text[: found.start()].count("\n") + 1, found[2]


def failures_of_python(page: Path) -> list[str]:
    """What differs when the ``python`` blocks of a page are run in order."""
    runner, parser, said = doctest.DocTestRunner(optionflags=FLAGS), doctest.DocTestParser(), []
    namespace: dict[str, object] = {}
    for line, source in blocks(page, "python"):
        test = parser.get_doctest(source, namespace, page.name, str(page), line)
        if not test.examples:
            said.append(f"{page.name}:{line}: a python block without >>>")
        runner.run(test, out=said.append, clear_globs=False)
        namespace = test.globs
    return said


def failures_of_console(page: Path) -> list[str]:
    """What differs when the commands of a page are run."""
    said = []
    checker = doctest.OutputChecker()
    for line, source in blocks(page, "console"):
        for command in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
            words, _, expected = command.partition("\n")
            name, *arguments = shlex.split(words)
            if name not in PROGRAMS:
                said.append(f"{page.name}:{line}: {name} is not run by the tests")
                continue
            result = CliRunner().invoke(
                PROGRAMS[name], arguments, env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
            )
            if not checker.check_output(expected, result.output, FLAGS):
                said.append(f"{page.name}:{line}: $ {words}\nexpected:\n{expected}\ngot:\n{result.output}")
    return said


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples(page: Path) -> None:
    assert failures_of_python(page) + failures_of_console(page) == []


def test_the_readme_shows_every_door() -> None:
    """The four number systems, the command line and the install line are among what is run."""
    source = "".join(text for _, text in blocks(ROOT / "README.md", "python"))
    for door in (".formula(", ".at(", ".gram(", ".series("):
        assert door in source
    assert any(text.startswith("$ analytic-ntk ") for _, text in blocks(ROOT / "README.md", "console"))
    assert (
        'python -m pip install . && analytic-ntk report "x*erf(x)" --depth 3'
        in (ROOT / "README.md").read_text()
    )


def test_saboteur_wrong_examples_are_caught(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n>>> 1 + 1\n3\n```\n\n```python\nprint(1)\n```\n\n"
        "```console\n$ analytic-ntk --version\nanalytic-ntk 99\n$ ls\n```\n"
    )
    said = failures_of_python(page)
    assert any("Expected" in text for text in said)
    assert any("without >>>" in text for text in said)
    assert len(failures_of_console(page)) == 2


def test_the_generated_catalogue_is_whole() -> None:
    """One line for each activation, and no error of float64 above what the package promises (1e-12)."""
    text = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
    rows = [
        line.split(" | ")
        for line in text.splitlines()
        if re.match(r"\| \S.* \| (closed form|quadrature) \|", line)
    ]
    assert {row[0].removeprefix("| ") for row in rows} == {str(phi) for phi in all_activations().values()}
    for row in rows:
        errors = [float(cell.rstrip("*+")) for cell in row[2:8]]
        assert max(errors) < 1e-12, row
