"""A failing case as a file, and run again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from analytic_ntk.errors import DomainError
from analytic_ntk.laws.cases import Case, from_json, python, to_json
from analytic_ntk.laws.law import Outcome

FORMAT = "analytic_ntk law failure"
VERSION = 1


def save(folder: Path, law: str, case: Case, outcome: Outcome, subject: str, profile: str, seed: int) -> str:
    """Write the case; returns the path, or why it could not be written."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "law": law,
        "case": to_json(case),
        "margin": repr(outcome.margin),
        "detail": outcome.detail,
        "subject": subject,
        "profile": profile,
        "seed": seed,
        "python": python(law, case),
    }
    text = json.dumps(content, indent=2) + "\n"
    path = folder / f"{law}-{hashlib.sha256(python(law, case).encode()).hexdigest()[:8]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"not saved: {error}"
    return str(path)


def load(path: str | Path) -> tuple[str, Case]:
    """The law and the case of a saved file. Raises :class:`DomainError` for any other file."""
    try:
        data: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DomainError(f"the file {path} ({error})"[:200], "a file saved by laws.check") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise DomainError(f"the file {path}", f"a file saved by laws.check, version {VERSION}")
    if not isinstance(data.get("law"), str):
        raise DomainError(f"the file {path} without a law", "a file saved by laws.check")
    return data["law"], from_json(data.get("case"))
