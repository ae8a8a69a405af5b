"""Long runs that may be killed: every finished table is kept beside the output until the file is whole.

The folder ``FILE.unfinished`` holds the question and one JSON table for each finished unit, every file
written beside its place, synced, and renamed. A run with the same question takes what is there; one with
another question is refused. The last step renames the finished file into place, then the folder goes.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

from analytic_ntk.errors import DomainError
from analytic_ntk.report.files import file_mode, resolved, sync_folder, write_bytes
from analytic_ntk.tables.files import read, require_writable
from analytic_ntk.tables.question import Question
from analytic_ntk.tables.records import HermiteTables
from analytic_ntk.tables.text import json_text

if sys.platform != "win32":  # there two runs at once are not told apart
    import fcntl

_QUESTION, _LOCK, _WHOLE = "question.json", "lock", "finished"


class Job:
    """The folder of one run, held open for the time of the run (``with Job(path, question) as job``).

    Raises :class:`DomainError` for a folder with tables for another question and for one in which another
    run is at work, :class:`OSError` where nothing can be written.
    """

    def __init__(self, path: Path, question: Question) -> None:
        require_writable(path)
        self.path = resolved(path)  # a link stays a link
        self.folder = self.path.with_name(f"{self.path.name}.unfinished")
        self.question = question

    def __enter__(self) -> Job:
        self.folder.mkdir(exist_ok=True)
        self.lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take()
        except BaseException:
            os.close(self.lock)
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        if self.folder.exists() and not any(self._units()):
            self.clear()  # nothing worth keeping
        os.close(self.lock)

    def finished(self, index: int) -> HermiteTables | None:
        """What an earlier run found for a unit, if it did. A damaged table raises :class:`DomainError`."""
        place = self._unit(index)
        return read(place) if place.exists() else None

    def keep(self, index: int, found: HermiteTables) -> None:
        """Write a finished unit; once this returns, no kill can lose it."""
        write_bytes(self._unit(index), json_text(found).encode())
        sync_folder(self.folder)

    def finish(self, content: bytes) -> None:
        """Put the whole file in its place, then remove the folder."""
        whole = self.folder / _WHOLE
        write_bytes(whole, content)
        os.chmod(whole, file_mode(self.path))
        os.replace(whole, self.path)
        sync_folder(self.path.parent)
        self.clear()

    def clear(self) -> None:
        """Remove what a run writes (halves of writes that were killed too), and nothing else.

        The tables go before the question: killed in between, what is left is still a run of that question.
        """
        ours = [place for place in self.folder.iterdir() if _is_ours(place.name)]
        for place in sorted(ours, key=lambda place: place.name in (_QUESTION, _LOCK)):
            place.unlink()
        try:
            self.folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    # ------------------------------------------------------------------------------- inside

    def _take(self) -> None:
        if sys.platform != "win32":
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):  # else: a file system without locks
                    raise DomainError(
                        f"another run at work on {self.path}",
                        "one run for each file",
                        "wait until it is done",
                    ) from None
        place, text = self.folder / _QUESTION, self.question.text()
        if any(self._units()) and (not place.exists() or place.read_bytes() != text.encode()):
            raise DomainError(
                f"{self.folder} with tables of an unfinished run that asked for something else",
                "the same activations, variances, orders, digits, columns and versions",
                "ask the same again to finish it, choose another output, or remove that folder",
            )
        write_bytes(place, text.encode())
        sync_folder(self.folder)

    def _unit(self, index: int) -> Path:
        return self.folder / f"{index:05d}.json"

    def _units(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9][0-9][0-9][0-9][0-9].json"))


def _is_ours(name: str) -> bool:
    """A file of the folder, or the temporary one (``.NAME.random``) that was to become it."""
    if name.startswith("."):
        name = name[1:].rpartition(".")[0]
    return name in (_QUESTION, _LOCK, _WHOLE) or bool(re.fullmatch(r"[0-9]{5}\.json", name))
