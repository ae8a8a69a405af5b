"""Finished cells of a grid in one JSON file: a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from analytic_ntk import __version__
from analytic_ntk.errors import DomainError

Key = tuple[int, ...]
Record = dict[str, Any]


class Cells:
    """``{"question": .., "cells": [{"key": [..], ..}, ..]}``, rewritten whole after each cell.

    Raises :class:`DomainError` for a file that holds another question or is damaged, :class:`OSError` where
    it cannot be written. Without a path nothing is kept.
    """

    def __init__(self, path: str | Path | None, question: dict[str, Any]) -> None:
        if path is not None and (not isinstance(path, (str, Path)) or "\0" in str(path)):
            raise DomainError(f"checkpoint = {path!r}"[:100], "the path of a JSON file")
        self.path = None if path is None else Path(path)
        self.question = {**question, "package": f"analytic_ntk {__version__}"}
        self.found: dict[Key, Record] = {}
        if self.path is not None and self.path.exists():
            self.found = self._read(self.path)

    def _read(self, path: Path) -> dict[Key, Record]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            kept = content["question"]
            cells = {tuple(int(k) for k in cell["key"]): dict(cell) for cell in content["cells"]}
            numbers = [v for cell in cells.values() for v in cell.values() if isinstance(v, float)]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DomainError(f"{path}, which cannot be read", "a file of such a run", "remove it") from None
        if kept != self.question:
            names = [name for name in self.question if kept.get(name) != self.question[name]]
            raise DomainError(
                f"{path}, which holds another question ({', '.join(names)[:100]})",
                "the same question",
                "ask the same again, or choose another file",
            )
        if not all(map(math.isfinite, numbers)):
            raise DomainError(f"{path} with a NaN or an infinity", "finite numbers", "remove it")
        return cells

    def fill(
        self,
        keys: Iterable[Key],
        compute: Callable[[Key], Record],
        progress: Callable[[int, int, str], None],
    ) -> list[Record]:
        """The record of each key, in order; those that are not there are computed and kept."""
        wanted = list(keys)
        for done, key in enumerate(wanted):
            progress(done, len(wanted), " ".join(map(str, key)))
            if key not in self.found:
                self.found[key] = {"key": list(key), **compute(key)}
                self._write()
        progress(len(wanted), len(wanted), "done")
        return [self.found[key] for key in wanted]

    def _write(self) -> None:
        if self.path is None:
            return
        content = {"question": self.question, "cells": [self.found[key] for key in sorted(self.found)]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".unfinished-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
