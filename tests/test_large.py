"""Kernel matrices in blocks: lazy, on disk, resumed, on workers that die; bad input and full disks."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from typer.testing import CliRunner

from analytic_ntk import Network, activations, cli, large
from analytic_ntk.errors import DomainError
from analytic_ntk.large import store, target
from analytic_ntk.large.blocks import TILE, Blocks, blocks_of

RELU = Network.mlp(activations.relu, 1, 2, 0)
TANH = Network.mlp(activations.tanh, 1, 1, "1/10")


def points(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return points(2 * TILE + 60)


@pytest.fixture(scope="module")
def K(X: np.ndarray) -> np.ndarray:
    return np.asarray(RELU.gram(X))


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------------------- blocks, lazy


def test_lazy_is_the_matrix_whatever_the_chunks(X: np.ndarray, K: np.ndarray) -> None:
    pytest.importorskip("dask.array")
    lazy = RELU.gram(X, chunks=TILE)
    assert lazy.shape == K.shape and lazy.dtype == K.dtype and lazy.numblocks == (3, 3)
    one = lazy.compute()
    assert np.abs(one - K).max() <= 1e-13 * K.max()
    assert np.array_equal(one, one.T)
    for chunks in (2 * TILE, 3 * TILE):
        assert np.array_equal(RELU.gram(X, chunks=chunks).compute(scheduler="sync"), one)
    part = RELU.gram(X, X[:70], kernel="nngp", chunks=TILE).compute()
    assert np.abs(part - RELU.gram(X, X[:70], kernel="nngp")).max() <= 1e-13 * K.max()


def test_symmetric_blocks_are_computed_once(X: np.ndarray) -> None:
    dask = pytest.importorskip("dask")
    lazy = RELU.gram(X, chunks=TILE)
    computed = [key for key in dict(lazy.dask) if isinstance(key, tuple) and key[0].startswith("ntk-")]
    assert len(computed) == 9  # 6 computed, 3 transposed
    assert dask.is_dask_collection(lazy)
    assert len(list(blocks_of(RELU.layers, X, None, "ntk", TILE).wanted())) == 6


def test_float32_and_mixed_types(X: np.ndarray) -> None:
    single = blocks_of(RELU.layers, X.astype(np.float32), None, "ntk", TILE)
    assert single.dtype == np.float32 and single.block(1, 0).dtype == np.float32
    mixed = blocks_of(RELU.layers, X.astype(np.float32), X, "ntk", TILE)
    assert mixed.dtype == np.float64 and mixed.block(1, 0).dtype == np.float64


def test_pickles_are_small_and_hold_no_balls() -> None:
    network = Network.mlp(activations.gelu, 5, 2, "1/10")
    network.gram(points(80))
    network.at(1, "1/2", 1)
    network.series(4)
    text = pickle.dumps(network)
    assert len(text) < 4000 and b"flint" not in text
    assert pickle.loads(text) == network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.empty((0, 3))}, "at least one row"),
        ({"X": points(5), "Y": points(5, 7)}, "equal dimensions"),
        ({"X": np.array([[np.nan, 1.0]])}, "finite"),
        ({"X": [[1.0], [1.0, 2.0]]}, "inhomogeneous"),
        ({"X": np.ma.masked_less(points(5), 0)}, "masked entries"),
        ({"X": csr_array(np.eye(3))}, r"X\.toarray\(\)"),
        ({"X": points(5), "chunks": 1000}, "multiple of 1024"),
        ({"X": points(5), "chunks": 0}, "multiple of 1024"),
        ({"X": points(5), "chunks": True}, "multiple of 1024"),
        ({"X": points(5), "chunks": 1024.0}, "multiple of 1024"),
        ({"X": points(20_000, 1), "chunks": 20 * TILE}, "chunks=16384 or smaller"),
        ({"X": points(5), "kernel": "both"}, "one kernel"),
        ({"X": points(5) * 1e160}, "float64 can hold"),
        ({"X": points(5), "progress": True}, "ProgressBar"),
    ],
)
def test_bad_questions_are_refused_at_once(arguments: dict, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        RELU.gram(**{"chunks": TILE} | arguments)


# ------------------------------------------------------------------------------------------ on disk


@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_written_and_opened(name: str, X: np.ndarray, K: np.ndarray, tmp_path: Path) -> None:
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path = tmp_path / name
    found = large.write_gram(RELU, X, path, chunks=TILE)
    assert np.abs(found[:] - K).max() <= 1e-13 * K.max()
    assert written(tmp_path) == [name, f"{name}.json"]
    assert np.array_equal(large.open_gram(path)[:], found[:])
    other = large.write_gram(RELU, X, tmp_path / f"other-{name}", chunks=2 * TILE)
    assert np.array_equal(other[:], found[:])
    cross = large.write_gram(RELU, X[:50], tmp_path / f"cross-{name}", X, kernel="nngp", chunks=TILE)
    assert np.abs(cross[:] - RELU.gram(X[:50], X, kernel="nngp")).max() <= 1e-13 * K.max()


@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_resumed_where_it_stopped(
    name: str, X: np.ndarray, K: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path = tmp_path / name
    done: list[tuple[int, int]] = []
    compute = Blocks.block

    def counted(blocks: Blocks, i: int, j: int) -> np.ndarray:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append((i, j))
        return compute(blocks, i, j)

    monkeypatch.setattr(Blocks, "block", counted)
    with pytest.raises(KeyboardInterrupt):
        large.write_gram(RELU, X, path, chunks=TILE)
    assert written(tmp_path) == [f"{name}.part"]
    with pytest.raises(DomainError, match="not complete"):
        large.open_gram(path)
    with pytest.raises(DomainError, match="kernel"):
        large.write_gram(RELU, X, path, kernel="nngp", chunks=TILE)
    first = list(done)
    _damage(tmp_path / f"{name}.part", *first[1])
    done[:] = [(-1, -1)]
    found = large.write_gram(RELU, X, path, chunks=TILE)
    assert set(done[1:]) == {(1, 0), (2, 1), (2, 2)}  # the damaged block and the two that were missing
    assert np.abs(found[:] - K).max() <= 1e-13 * K.max()
    assert written(tmp_path) == [name, f"{name}.json"]


def _damage(folder: Path, i: int, j: int) -> None:
    """One entry above the diagonal, in the block that was written as a transpose."""
    (matrix,) = folder.glob("matrix.*")
    array = target.opened(matrix, writable=True)
    array[j * TILE, i * TILE] = array[j * TILE, i * TILE] + 1e-9


def test_a_damaged_block_must_be_seen(X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saboteur: without checksums the damage of the test above would stay."""
    monkeypatch.setattr(store, "_checksum", lambda values: 0)
    network, path = RELU, tmp_path / "K.npy"
    compute = Blocks.block

    def stopped(blocks: Blocks, i: int, j: int) -> np.ndarray:
        if (i, j) == (2, 0):
            raise KeyboardInterrupt
        return compute(blocks, i, j)

    monkeypatch.setattr(Blocks, "block", stopped)
    with pytest.raises(KeyboardInterrupt):
        large.write_gram(network, X, path, chunks=TILE)
    _damage(tmp_path / "K.npy.part", 1, 0)
    monkeypatch.setattr(Blocks, "block", compute)
    found = large.write_gram(network, X, path, chunks=TILE)
    assert not np.array_equal(found[:], found[:].T)


KILLED = """
import sys, time
import numpy as np
from analytic_ntk import Network, activations, large
from analytic_ntk.large import store
write = store.write_block
def slow(job, i, j):
    write(job, i, j)
    time.sleep(0.5)
store.write_block = slow
network = Network.mlp(activations.relu, 1, 2, 0)
large.write_gram(network, np.load(sys.argv[1]), sys.argv[2], chunks=1024)
"""


def test_a_killed_run_leaves_nothing_that_looks_whole(
    X: np.ndarray, K: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "X.npy", X)
    folder = tmp_path / "out"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "X.npy"), str(folder / "K.npy")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    marks = folder / "K.npy.part" / "done"
    deadline = time.monotonic() + 120
    while not (marks.exists() and len(list(marks.iterdir())) >= 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert written(folder) == ["K.npy.part"]
    done = len(list(marks.iterdir()))
    computed: list[tuple[int, int]] = []
    compute = Blocks.block

    def counted(blocks: Blocks, i: int, j: int) -> np.ndarray:
        computed.append((i, j))
        return compute(blocks, i, j)

    monkeypatch.setattr(Blocks, "block", counted)
    found = large.write_gram(RELU, X, folder / "K.npy", chunks=TILE)
    assert len(computed) == 6 - done < 6
    whole = large.write_gram(RELU, X, tmp_path / "again.npy", chunks=TILE)
    assert np.array_equal(found, whole) and np.abs(found - K).max() <= 1e-13 * K.max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_killed_again_and_again(name: str, X: np.ndarray, tmp_path: Path) -> None:
    """At moments spread over the whole of a run; what comes out is equal to the bit."""
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    np.save(tmp_path / "X.npy", X)
    script = KILLED.replace("time.sleep(0.5)", "time.sleep(0.05)")
    command = [sys.executable, "-c", script, str(tmp_path / "X.npy"), str(tmp_path / "out" / name)]
    part, rng, kills = tmp_path / "out" / f"{name}.part", np.random.default_rng(0), 0
    for _ in range(12):
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        before = _marks(part)
        while process.poll() is None and not part.exists():
            time.sleep(0.001)
        wanted = before + rng.integers(3)
        while process.poll() is None and _marks(part) < wanted:
            time.sleep(0.001)
        time.sleep(rng.random() / 20)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 5
    found = large.write_gram(RELU, X, tmp_path / "out" / name, chunks=TILE)
    assert written(tmp_path / "out") == [name, f"{name}.json"]
    assert np.array_equal(found[:], RELU.gram(X, chunks=TILE).compute())


def _marks(part: Path) -> int:
    try:
        return len(list((part / "done").iterdir()))
    except FileNotFoundError:
        return 0


def test_what_is_there_is_opened_or_refused(X: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "K.npy"
    large.write_gram(RELU, X[:100], path)
    before = path.stat().st_mtime_ns
    large.write_gram(RELU, X[:100], path)
    assert path.stat().st_mtime_ns == before
    for network, rows in ((TANH, X[:100]), (RELU, X[:101]), (RELU, -X[:100])):
        with pytest.raises(DomainError, match="something else"):
            large.write_gram(network, rows, path)
    large.write_gram(RELU, X[:100], path, chunks=np.int64(TILE))  # the bits are the same
    assert path.stat().st_mtime_ns == before
    alien = tmp_path / "alien.npy"
    np.save(alien, np.eye(2))
    with pytest.raises(DomainError, match=r"alien\.npy\.json"):
        large.write_gram(RELU, X[:100], alien)
    with pytest.raises(DomainError, match="written by write_gram"):
        large.open_gram(alien)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DomainError):
        large.open_gram(path)
    (tmp_path / "L.npy.part").mkdir()
    (tmp_path / "L.npy.part" / "mine.txt").touch()
    with pytest.raises(DomainError, match="other files"):
        large.write_gram(RELU, X[:100], tmp_path / "L.npy")
    for bad in ("K.txt", "", "a\0.npy", 3, None):
        with pytest.raises(DomainError):
            large.write_gram(RELU, X[:100], bad)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="client"):
        large.write_gram(RELU, X[:100], tmp_path / "M.npy", client=3)  # type: ignore[arg-type]


def test_a_zarr_array_without_one_of_its_chunks_is_seen(X: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    zero = Network.mlp(activations.relu, 1, 0, 0)  # chunks of zeros are written like others
    for network, name in ((zero, "zero.zarr"), (RELU, "K.zarr")):
        large.write_gram(network, X, tmp_path / name, chunks=TILE)
        large.open_gram(tmp_path / name)
        (tmp_path / name / "c" / "1" / "2").unlink()
        with pytest.raises(DomainError, match="missing chunks"):
            large.open_gram(tmp_path / name)


@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_other_content_under_its_manifest_is_seen(name: str, X: np.ndarray, tmp_path: Path) -> None:
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    for kernel, entries in (("nngp", True), ("ntk", False)):
        path, other = tmp_path / name, tmp_path / kernel / name
        large.write_gram(RELU, X[:90], path)
        large.write_gram(RELU, X[:90], other, kernel=kernel)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        os.replace(other, path)
        if entries:
            with pytest.raises(DomainError, match="other entries"):
                large.write_gram(RELU, X[:90], path)
        else:  # the same kernel, by the same way: nothing to see
            large.write_gram(RELU, X[:90], path)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("package", "ask"),
    [
        ("dask.array", lambda path: RELU.gram(points(5), chunks=TILE)),
        ("zarr", lambda path: large.write_gram(RELU, points(5), path / "K.zarr")),
        ("distributed", lambda path: large.write_gram(RELU, points(5), path / "K.npy", client=3)),
    ],
)
def test_without_the_extra_it_is_named(
    package: str, ask: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DomainError, match=r"analytic-ntk\[large\]"):
        ask(tmp_path)


def test_a_limit_on_file_sizes_is_seen_before_the_first_block(X: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "K.npy"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, hard))
    try:
        with pytest.raises(OSError, match=r"bytes are needed.*not complete") as caught:
            large.write_gram(RELU, X, path, chunks=TILE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not path.exists() and not list((tmp_path / "K.npy.part").glob("matrix*"))
    assert np.array_equal(large.write_gram(RELU, X, path, chunks=TILE), large.open_gram(path))


@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_a_disk_that_fills_up(
    name: str, X: np.ndarray, K: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path, put, count = tmp_path / name, target.put, 0

    def full(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(target, "put", full)
    with pytest.raises(OSError, match=r"No space left on device; .* is not complete") as caught:
        large.write_gram(RELU, X, path, chunks=TILE)
    assert caught.value.errno == errno.ENOSPC and written(tmp_path) == [f"{name}.part"]
    monkeypatch.setattr(target, "put", put)
    assert np.abs(large.write_gram(RELU, X, path, chunks=TILE)[:] - K).max() <= 1e-13 * K.max()


def test_too_little_space_and_places_that_cannot_be_written(
    X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="not complete"):
        large.write_gram(RELU, X[:50], tmp_path / "file" / "K.npy")
    usage = target.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(target.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match="20000 bytes are needed, 1000 are free"):
        large.write_gram(RELU, X[:50], tmp_path / "K.npy")
    assert not (tmp_path / "K.npy").exists()
    if importlib.util.find_spec("zarr"):  # four chunks of 8 MiB, the ones at the edge in full
        monkeypatch.setattr(target.shutil, "disk_usage", lambda path: usage._replace(free=32 << 20))
        large.write_gram(RELU, X[: TILE + 9], tmp_path / "K.zarr", chunks=TILE)
        assert (
            sum(path.stat().st_size for path in (tmp_path / "K.zarr" / "c").rglob("[0-9]/[0-9]")) == 32 << 20
        )
        monkeypatch.setattr(target.shutil, "disk_usage", lambda path: usage._replace(free=(32 << 20) - 1))
        with pytest.raises(OSError, match=f"{32 << 20} bytes are needed"):
            large.write_gram(RELU, X[: TILE + 9], tmp_path / "L.zarr", chunks=TILE)


# ---------------------------------------------------------------------------------- worker processes


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    distributed = pytest.importorskip("distributed")
    X = points(6 * TILE + 5, 16)
    network = Network.mlp(activations.relu, 3, 2, 0)
    truth = network.gram(X, chunks=2 * TILE).compute()
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        lazy = network.gram(X, chunks=TILE)
        future = client.compute(lazy)
        _kill_a_busy_worker(client, future)
        assert np.array_equal(future.result(), truth)

        marks = tmp_path / "K.zarr.part" / "done"
        killer = threading.Thread(target=_kill_after_a_block, args=(client, marks))
        killer.start()
        found = large.write_gram(network, X, tmp_path / "K.zarr", chunks=TILE, client=client)
        killer.join()
        assert np.array_equal(found[:], truth)
        assert np.array_equal(large.write_gram(network, X, tmp_path / "K.npy", client=client), truth)


def _kill_a_busy_worker(client: object, future: object) -> None:
    while True:
        busy = [name for name, tasks in client.processing().items() if tasks]  # type: ignore[attr-defined]
        if busy and future.status == "pending":  # type: ignore[attr-defined]
            break
        time.sleep(0.01)
    pid = client.run(os.getpid, workers=busy[:1])[busy[0]]  # type: ignore[attr-defined]
    assert future.status == "pending"  # type: ignore[attr-defined]
    os.kill(pid, signal.SIGKILL)


def _kill_after_a_block(client: object, marks: Path) -> None:
    while not (marks.exists() and any(marks.iterdir())):
        time.sleep(0.01)
    pids = client.run(os.getpid)  # type: ignore[attr-defined]
    os.kill(next(iter(pids.values())), signal.SIGKILL)


@pytest.mark.slow
def test_processes_and_threads_agree(X: np.ndarray) -> None:
    pytest.importorskip("dask.array")
    lazy = TANH.gram(X, chunks=TILE)
    assert np.array_equal(lazy.compute(scheduler="processes"), lazy.compute(scheduler="threads"))


# ------------------------------------------------------------------------------------ command line


def test_command(X: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X[:80])
    np.savetxt(tmp_path / "Y.csv", X[:7], delimiter=",")
    out = tmp_path / "K.npy"

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli.app, ["gram", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    options = ("--weight-variance", "2", "--against", str(tmp_path / "Y.csv"), "--output", str(out))
    said = json.loads(run("relu", str(tmp_path / "X.npy"), *options, "--json"))
    assert said["shape"] == [80, 7]
    assert np.allclose(np.load(out), RELU.gram(X[:80], X[:7]), rtol=1e-13)
    assert "80 x 7" in run("relu", str(tmp_path / "X.npy"), *options)
    assert "something else" in run("tanh", str(tmp_path / "X.npy"), *options, code=2)
    np.save(tmp_path / "O.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "bad.csv").write_text("1,2\nx,y\n")
    (tmp_path / "empty.csv").write_text("\n")
    for name in ("O.npy", "bad.csv", "empty.csv", "missing.npy", "X.txt"):
        said = run("relu", str(tmp_path / name), "--output", str(tmp_path / "L.npy"), code=2)
        assert "required" in said
    assert run("relu", str(tmp_path / "X.npy"), "--output", str(out / "K.npy"), code=4)
