"""Every public name is in the reference: what a package lists in ``__all__``, and the front door."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest

import analytic_ntk
import proofs_check

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: ([\w.]+)$", re.MULTILINE)
NOT_FOR_USERS = ("cli", "replay", "explorer")
"""Commands are on their page; the checker and the explorer are used through commands."""


def documented(text: str) -> set[tuple[str, str]]:
    """Module and name of what the page documents."""
    found = set()
    for kind, path in DIRECTIVE.findall(text):
        if kind == "module":
            module = importlib.import_module(path)
            found |= {(path, name) for name in public(module)}
        else:
            where, _, name = path.rpartition(".")
            found.add((where, name))
    return found | {origin(module, name) for module, name in found}


def public(module: ModuleType) -> list[str]:
    own = [
        n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__ and n[0] != "_"
    ]
    return list(getattr(module, "__all__", own))


def origin(module: str, name: str) -> tuple[str, str]:
    """Where a name was defined, for one that is passed on."""
    value = getattr(importlib.import_module(module), name)
    return getattr(value, "__module__", module), getattr(value, "__name__", name)


def names() -> Iterator[tuple[str, str]]:
    for package in (analytic_ntk, proofs_check):
        for info in walk_packages(package.__path__, f"{package.__name__}."):
            parts = info.name.split(".")[1:]
            if info.ispkg and not any(p in NOT_FOR_USERS or p.startswith("_") for p in parts):
                module = pytest.importorskip(info.name)
                for name in getattr(module, "__all__", ()):
                    if not isinstance(getattr(module, name), ModuleType):
                        yield info.name, name


def missing(text: str) -> list[str]:
    known = documented(text)
    return [f"{m}.{n}" for m, n in names() if (m, n) not in known and origin(m, n) not in known]


def test_the_reference_is_complete() -> None:
    assert missing(PAGE.read_text(encoding="utf-8")) == []


def test_a_name_that_is_left_out_is_missed() -> None:
    text = PAGE.read_text(encoding="utf-8").replace(".. automodule:: analytic_ntk.meanfield\n", "")
    assert "analytic_ntk.meanfield.tune" in missing(text)
