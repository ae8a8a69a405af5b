"""Kernel matrices on disk: written block by block, taken up again after a kill, whole or not there.

While ``K.npy`` (or ``K.zarr``) is being written there is a folder ``K.npy.part`` beside it: ``question.json``
(what is asked, with a digest of network and data), the data, the matrix so far, and in ``done`` an empty file
for each finished block, named by place and checksum. When all blocks are there the matrix is synced, the
question becomes ``K.npy.json`` and the matrix gets its name. So a file of that name is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytic_ntk import __version__
from analytic_ntk.errors import DomainError
from analytic_ntk.large import target
from analytic_ntk.large.blocks import TILE, Blocks, blocks_of, require_entries
from analytic_ntk.large.lazy import digest, require
from analytic_ntk.large.progress import bar
from analytic_ntk.layers import Layer
from analytic_ntk.network import Network, require_network

if TYPE_CHECKING:
    from distributed import Client

Matrix = NDArray[np.floating]
CHUNKS = 4 * TILE
_QUESTION = "question.json"
_UNFINISHED = ".unfinished-"
_MARK = re.compile(r"([0-9]{6})-([0-9]{6})-([0-9a-f]{8})")


@dataclass(frozen=True)
class Job:
    """What a worker needs to know; the data it reads from the folder."""

    folder: Path
    ending: str
    layers: tuple[Layer, ...]
    kernel: str
    chunks: int

    @property
    def matrix(self) -> Path:
        return self.folder / f"matrix{self.ending}"

    def blocks(self) -> Blocks:
        X = np.load(self.folder / "X.npy", mmap_mode="r", allow_pickle=False)
        second = self.folder / "Y.npy"
        Y = np.load(second, mmap_mode="r", allow_pickle=False) if second.exists() else None
        return Blocks(self.layers, X, Y, self.kernel, self.chunks)


def write_gram(
    network: Network,
    X: ArrayLike,
    path: str | Path,
    Y: ArrayLike | None = None,
    kernel: str = "ntk",
    chunks: int = CHUNKS,
    progress: bool = False,
    client: Client | None = None,
) -> Any:
    """Write the kernel matrix of ``X`` ``(n, d)`` against ``Y`` ``(m, d)`` to ``path``; return it, opened.

    ``path`` ends with ``.npy`` (the result is a ``numpy.memmap``) or ``.zarr`` (a ``zarr.Array``), both read
    only. Memory: three blocks of ``chunks x chunks``. Answers and errors are those of
    :func:`analytic_ntk.gram.gram`; the bits do not depend on ``chunks``, on the workers or on interruptions.

    A run that was stopped goes on where it was when the same is asked again: finished blocks, known by their
    checksums, are not computed again. A matrix that is already there is opened if its manifest asks the same
    (whatever the ``chunks``) and its first rows are computed again and found. ``client``: the blocks are
    computed and written by the workers of a ``dask.distributed`` cluster, which must see the same files (on
    several machines use ``.zarr``); blocks of lost workers are computed by others. ``progress`` shows a bar.

    Raises :class:`DomainError` for bad data and for a path that holds another matrix, :class:`OSError` where
    the files cannot be written (disk full, no permission); the finished blocks then stay in ``PATH.part``.

    >>> import numpy as np, tempfile, os
    >>> from analytic_ntk import Network, activations
    >>> from analytic_ntk.large import write_gram
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> K = write_gram(network, np.eye(3), os.path.join(folder.name, "K.npy"), kernel="nngp")
    >>> K.shape, sorted(os.listdir(folder.name))
    ((3, 3), ['K.npy', 'K.npy.json'])
    >>> del K; folder.cleanup()
    """
    require_network(network)
    place = _place(path)
    if client is not None:
        require("distributed")
        from distributed import Client

        if not isinstance(client, Client):
            raise DomainError(f"client = {client!r}"[:100], "a distributed.Client")
    blocks = blocks_of(network.layers, X, Y, kernel, chunks)
    question = _question(blocks, place.suffix)
    folder = place.with_name(place.name + ".part")
    if place.exists() or place.is_symlink():
        _require_same(place, _manifest(place), question | {"chunks": None})  # the bits do not depend on it
        found = open_gram(place)
        require_entries(blocks, found, str(place))
        shutil.rmtree(folder, ignore_errors=True)  # a kill may have come between the last two steps
        return found
    job = Job(folder, place.suffix, blocks.layers, kernel, blocks.chunks)
    try:
        _prepare(job, blocks, question)
        with bar(len(list(blocks.wanted())), "blocks", progress) as step:
            todo = []
            for where in blocks.wanted():
                if _is_finished(job, blocks, *where):
                    step(1)
                else:
                    todo.append(where)
            if client is None:
                for where in todo:
                    write_block(job, *where)
                    step(1)
            else:
                _on_cluster(client, job, todo, step)
        target.sync(job.matrix)
        _write(_manifest(place), (folder / _QUESTION).read_bytes())
        os.replace(job.matrix, place)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}; {place.name} is not complete"
            + f", finished blocks stay in {folder.name}: ask the same again to go on" * folder.is_dir(),
            error.filename,
        ) from error
    shutil.rmtree(folder)
    return target.opened(place)


def open_gram(path: str | Path) -> Any:
    """A matrix written by :func:`write_gram`, opened for reading.

    Raises :class:`DomainError` if it is not there, not complete, or not what its manifest says.
    """
    place = _place(path)
    if not place.exists():
        part = place.with_name(place.name + ".part")
        raise DomainError(
            f"{place}, which is not complete" if part.exists() else f"{place}, which does not exist",
            "a complete matrix",
            "run write_gram with the same arguments to complete it" if part.exists() else "",
        )
    try:
        question = json.loads(_manifest(place).read_text(encoding="utf-8"))
        shape, dtype = tuple(question["shape"]), np.dtype(question["dtype"])
        array = target.opened(place)
    except Exception as error:  # numpy, zarr and json let through whatever their readers stumble on
        raise DomainError(f"{place} ({error})"[:200], "a matrix written by write_gram") from error
    if not target.is_whole(array):
        raise DomainError(f"{place} with missing chunks", "the array as it was written")
    if array.shape != shape or array.dtype != dtype:
        raise DomainError(f"{place} of shape {array.shape} and {array.dtype}", f"{shape} and {dtype}")
    return array


def write_block(job: Job, i: int, j: int) -> None:
    """Compute a block, write it and its transpose, mark it as finished. To do so twice does no harm."""
    blocks = job.blocks()
    values = blocks.block(i, j)
    target.put(job.matrix, blocks.slice(i), blocks.slice(j), values)
    if blocks.Y is None and i != j:
        target.put(job.matrix, blocks.slice(j), blocks.slice(i), values.T)
    (job.folder / "done" / f"{i:06d}-{j:06d}-{_checksum(values):08x}").touch()


def _on_cluster(
    client: Client, job: Job, todo: Iterable[tuple[int, int]], step: Callable[[float], None]
) -> None:
    from distributed import as_completed

    futures = [client.submit(write_block, job, *where, pure=False) for where in todo]
    try:
        for future in as_completed(futures):
            future.result()
            step(1)
    finally:
        client.cancel(futures)


def _is_finished(job: Job, blocks: Blocks, i: int, j: int) -> bool:
    """Whether a block is marked and on the disk as the mark says; a wrong mark is removed."""
    found = False
    for mark, checksum in _marks(job.folder, i, j):
        here = _on_disk(job, blocks, i, j) == checksum
        if here and blocks.Y is None and i != j:
            here = _on_disk(job, blocks, j, i, transposed=True) == checksum
        if not here:
            mark.unlink()
        found = found or here
    return found


def _marks(folder: Path, i: int, j: int) -> Iterator[tuple[Path, int]]:
    for path in sorted((folder / "done").glob(f"{i:06d}-{j:06d}-*")):
        name = _MARK.fullmatch(path.name)
        if name is not None:
            yield path, int(name[3], 16)


def _on_disk(job: Job, blocks: Blocks, i: int, j: int, transposed: bool = False) -> int | None:
    try:
        values = np.asarray(target.opened(job.matrix)[blocks.slice(i), blocks.slice(j)])
    except (OSError, ValueError, KeyError):
        return None
    return _checksum(values.T if transposed else values)


def _checksum(values: Matrix) -> int:
    return zlib.crc32(np.ascontiguousarray(values).data.cast("B"))


def _prepare(job: Job, blocks: Blocks, question: dict[str, Any]) -> None:
    """The folder: taken up if it is there, else made; the question last, so that it vouches for the rest."""
    where = job.folder / _QUESTION
    if where.exists():
        _require_same(job.folder, where, question)
        return
    if job.folder.exists() and any(job.folder.iterdir()):
        ours = {"done", "X.npy", "Y.npy", job.matrix.name}
        names = {p.name for p in job.folder.iterdir() if not p.name.startswith(_UNFINISHED)}
        if not names <= ours:
            raise DomainError(f"{job.folder}, which holds other files", "a folder for this matrix alone")
        shutil.rmtree(job.folder)  # killed before anything was computed
    (job.folder / "done").mkdir(parents=True)
    for name, array in (("X", blocks.X), ("Y", blocks.Y)):
        if array is not None:
            np.save(job.folder / f"{name}.npy", array, allow_pickle=False)
    target.create(job.matrix, blocks.shape, blocks.dtype, blocks.chunks)
    _write(where, json.dumps(question, indent=1).encode())


def _question(blocks: Blocks, ending: str) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {"analytic-ntk": __version__, "numpy": np.__version__}
    with contextlib.suppress(PackageNotFoundError):
        versions["numba"] = version("numba")
    return {
        "kernel": blocks.kernel,
        "network": repr(blocks.layers),
        "digest": digest(blocks),
        "shape": list(blocks.shape),
        "dtype": blocks.dtype.str,
        "format": ending,
        "chunks": blocks.chunks,
        "tile": TILE,
        "versions": versions,
    }


def _require_same(place: Path, where: Path, question: dict[str, Any]) -> None:
    try:
        known = json.loads(where.read_text(encoding="utf-8"))
        differing = [name for name, asked in question.items() if asked not in (None, known.get(name))]
    except (OSError, ValueError, AttributeError):
        differing = [f"no readable {where.name}"]
    if differing:
        raise DomainError(
            f"{place}, which holds something else ({differing[0]})",
            "the same question, or a new name",
            "choose another name, or remove it"
            + "; open_gram opens it as it is" * (differing == ["versions"]),
        )


def _place(path: str | Path) -> Path:
    if not isinstance(path, (str, Path)) or "\0" in str(path) or not Path(path).name:
        raise DomainError(f"path = {path!r}"[:100], "the name of a file")
    place = Path(path).absolute()  # workers may stand elsewhere
    target.require_ending(place)
    return place


def _manifest(place: Path) -> Path:
    return place.with_name(place.name + ".json")


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
