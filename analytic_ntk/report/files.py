"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from analytic_ntk.errors import DomainError


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, as UTF-8: see :func:`write_bytes`."""
    write_bytes(path, text.encode())


def path_of(path: str | Path) -> Path:
    """A path from what a user gave. Raises :class:`DomainError` for what cannot be one."""
    if not isinstance(path, (str, Path)) or "\0" in str(path):
        raise DomainError(f"the path {path!r}"[:80], "a path of a file")
    return Path(path)


def resolved(path: Path) -> Path:
    """The path with its links followed. Raises :class:`OSError` for links in a circle."""
    try:
        return path.resolve()
    except RuntimeError:  # what Python 3.10 to 3.12 raise
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old content or the new, never half of it.

    Raises :class:`OSError` where the directory cannot be written; nothing is left behind then.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path = resolved(path)  # a link stays a link: its target is replaced
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, file_mode(path))
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def file_mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those a new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sync_folder(folder: Path) -> None:
    """Make renamings in a folder last through a loss of power, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no such thing
            os.fsync(handle)
    finally:
        os.close(handle)
