"""The floors of ``tests/test_floors.py`` as a table, for the page on the architecture."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "generated" / "floors.md"


def floors() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Name of each floor and its lines of modules, the ground first."""
    tree = ast.parse((ROOT / "tests" / "test_floors.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "FLOORS"
        ):
            assert node.value is not None
            found: tuple[tuple[str, tuple[str, ...]], ...] = ast.literal_eval(node.value)
            return found
    raise ValueError("tests/test_floors.py has no FLOORS")


def write() -> Path:
    """The table, the top floor first; within a floor each line stands on those below it."""
    rows = [
        f"| {name} | {'<br>'.join(' '.join(f'`{m}`' for m in line.split()) for line in reversed(lines))} |"
        for name, lines in reversed(floors())
    ]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(["| floor | modules |", "|---|---|", *rows]) + "\n", encoding="utf-8")
    return PAGE
