"""Finished blocks of draws, kept in a folder so that a run that was killed goes on where it stopped.

``question.json`` says what is asked; ``block-INDEX-CHECKSUM.npy`` holds the moments of one block. Each file
is written beside its place, synced and renamed: after a kill it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError

Array = NDArray[np.float64]
_QUESTION = "question.json"
_NAME = re.compile(r"block-([0-9]{6})-([0-9a-f]{16})\.npy")


class Checkpoint:
    """The folder of one run. Raises :class:`DomainError` for a folder with blocks of another question, and
    :class:`OSError` where it cannot be written."""

    def __init__(self, folder: str | Path, question: dict[str, Any]) -> None:
        if not isinstance(folder, (str, Path)) or "\0" in str(folder):
            raise DomainError(f"checkpoint = {folder!r}"[:100], "the path of a folder")
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise DomainError(f"checkpoint = {str(folder)!r}, which is a file", "the path of a folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(question, indent=1, sort_keys=True)
        place = self.folder / _QUESTION
        if not place.exists():
            if any(self._blocks()):
                raise DomainError(f"{self.folder} with blocks but no {_QUESTION}", "a folder of one run")
            _write(place, text.encode())
        elif place.read_bytes() != text.encode():
            raise DomainError(
                f"{self.folder}, which holds another question{_difference(place, question)}",
                "the same network, inputs, width, draws, seed and versions",
                "ask the same again, or choose another folder",
            )

    def finished(self, shape: tuple[int, ...]) -> Iterator[tuple[int, Array]]:
        """Index and content of each block that is there. Raises :class:`DomainError` for a damaged one."""
        for path, index, checksum in self._blocks():
            content = path.read_bytes()
            damaged = DomainError(
                f"{path}, whose content is not what its name says",
                "a block as it was written",
                "remove this file: its draws are then made again",
            )
            if _checksum(content) != checksum:
                raise damaged
            try:
                rows = np.load(io.BytesIO(content), allow_pickle=False)
            except Exception:  # numpy lets through whatever its reader of headers stumbles on
                raise damaged from None
            if rows.shape != shape or rows.dtype != np.float64:
                raise damaged
            yield index, rows

    def keep(self, index: int, rows: Array) -> None:
        """Write a finished block; once this returns no kill can lose it."""
        buffer = io.BytesIO()
        np.save(buffer, rows, allow_pickle=False)
        content = buffer.getvalue()
        _write(self.folder / f"block-{index:06d}-{_checksum(content)}.npy", content)

    def _blocks(self) -> Iterator[tuple[Path, int, str]]:
        for path in sorted(self.folder.glob("block-*.npy")):
            name = _NAME.fullmatch(path.name)
            if name is None:
                raise DomainError(f"{path}", "names as they were written", "remove this file")
            yield path, int(name[1]), name[2]


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _difference(place: Path, question: dict[str, Any]) -> str:
    """The first thing that differs, to be named."""
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        names = [name for name in question if kept.get(name) != question[name]]
    except (ValueError, AttributeError):
        return " (its question.json is damaged)"
    return f" ({names[0]} = {str(kept.get(names[0]))[:60]})" if names else ""


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
