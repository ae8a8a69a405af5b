"""Where a matrix is written, block by block: one ``.npy`` file, or a Zarr array of one chunk a block."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytic_ntk.errors import DomainError
from analytic_ntk.large.lazy import require

Matrix = NDArray[np.floating]
ENDINGS = (".npy", ".zarr")
_PIECE = 1 << 24


def require_ending(path: Path) -> None:
    if path.suffix not in ENDINGS:
        raise DomainError(f"the file name {path.name!r}"[:100], f"an ending {' or '.join(ENDINGS)}")
    if path.suffix == ".zarr":
        require("zarr")


def create(path: Path, shape: tuple[int, int], dtype: np.dtype, chunks: int) -> None:
    """An array of which all space is taken at once where that can be done, so that a disk that is too small
    is seen here: a mapped file that cannot grow would kill the process later. Raises :class:`OSError`."""
    side = (min(chunks, shape[0]), min(chunks, shape[1]))
    cut = (
        shape
        if path.suffix == ".npy"
        else [-(-size // part) * part for size, part in zip(shape, side, strict=True)]
    )
    need = cut[0] * cut[1] * dtype.itemsize  # Zarr stores chunks at the edge in full
    free = shutil.disk_usage(path.parent).free
    if need > free:
        raise OSError(28, f"No space left on device: {need} bytes are needed, {free} are free", str(path))
    if path.suffix == ".zarr":
        import zarr

        zarr.create_array(str(path), shape=shape, dtype=dtype, chunks=side, compressors=None)
        return
    try:
        np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        _allocate(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise OSError(error.errno, f"{error.strerror} ({need} bytes are needed)", str(path)) from error


def _allocate(path: Path) -> None:
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        done = np.load(path, mmap_mode="r").offset  # beyond the header all is zero still
        file.seek(done)
        while done < size:
            done += file.write(bytes(min(_PIECE, size - done)))


def opened(path: Path, writable: bool = False) -> Any:
    """The array on disk: a ``numpy.memmap`` or a ``zarr.Array``."""
    if path.suffix == ".zarr":
        require("zarr")
        import zarr

        mode: Literal["r", "r+"] = "r+" if writable else "r"
        with zarr.config.set({"array.write_empty_chunks": True}):  # a chunk that is not there is not finished
            return zarr.open_array(str(path), mode=mode)
    return np.load(path, mmap_mode="r+" if writable else "r", allow_pickle=False)


def put(path: Path, rows: slice, columns: slice, block: Matrix) -> None:
    opened(path, writable=True)[rows, columns] = block


def is_whole(array: Any) -> bool:
    """Whether no chunk of a Zarr array is missing: it would be read as zeros."""
    return isinstance(array, np.memmap) or array.nchunks_initialized == array.nchunks


def sync(path: Path) -> None:
    """Return once everything is on the disk."""
    for left in path.rglob("*.partial"):  # of a worker killed while Zarr wrote a chunk
        left.unlink()
    files = [path] if path.is_file() else [*(p for p in path.rglob("*")), path]
    for place in files:
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
