"""Write into README and docs what their examples print now.

Run ``python docs/refresh_examples.py`` from the root after a change of output, and read the difference before
committing it: the tests (tests/test_docs.py) only compare. A line that still matches is left as it is, so
hand-written ``...`` stay.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from analytic_ntk.cli import app
from proofs_check.cli import app as proofs_app

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {"analytic-ntk": app, "proofs-check": proofs_app}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def settled(expected: str, got: str) -> str:
    """The text on the page if the output still matches it, else the output, line by line."""
    matches = doctest.OutputChecker().check_output
    if expected and matches(expected, got, FLAGS):
        return expected
    elided = [line for line in expected.splitlines() if "..." in line and line.strip() != "..."]
    lines = [next((e for e in elided if matches(e, line, FLAGS)), line) for line in got.splitlines()]
    return "\n".join(lines) + "\n" if lines else ""


def python_block(source: str, namespace: dict[str, object]) -> str:
    lines = []
    for example in doctest.DocTestParser().get_examples(source):
        code = example.source.rstrip("\n").split("\n")
        lines += [f">>> {code[0]}", *(f"... {line}" for line in code[1:])]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                exec(compile(example.source, "example", "single"), namespace)
                got = out.getvalue()
            except Exception as error:  # an example may show any error: it becomes the text on the page
                kind = f"{type(error).__module__}.{type(error).__qualname__}"
                got = f"Traceback (most recent call last):\n    ...\n{kind}: {error}"
        found = settled(example.want, got).rstrip("\n")
        lines += [found] if found else []
    return "\n".join(["```python", *lines, "", "```"])


def console_block(source: str) -> str:
    parts = []
    for command in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
        words, _, expected = command.partition("\n")
        environment = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
        name, *arguments = shlex.split(words)
        output = CliRunner().invoke(PROGRAMS[name], arguments, env=environment).output
        got = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
        parts.append(f"$ {words}\n{settled(expected, got)}")
    return "```console\n" + "".join(parts) + "```"


def refresh(page: Path) -> None:
    namespace: dict[str, object] = {}

    def block(found: re.Match[str]) -> str:
        return python_block(found[2], namespace) if found[1] == "python" else console_block(found[2])

    page.write_text(FENCE.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if "_build" not in path.parts:
            refresh(path)
            print(path.relative_to(ROOT))
