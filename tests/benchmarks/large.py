"""Kernel ridge regression on many inputs, from end to end.

``python tests/benchmarks/large.py --rows 50000 --activation relu --depth 3 --bias 0``: without the matrix.
``python tests/benchmarks/large.py --store K.npy``: 20,000 inputs, tanh, depth 5; the matrix first to disk.

Inputs on the sphere of radius ``sqrt(d)``; targets: two products of coordinates and a sine, with noise of
standard deviation 0.1. Progress on standard error; on standard output, for each step, wall and processor
seconds, and the peak of the memory with and without mapped files.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from analytic_ntk import Network, activations
from analytic_ntk.large import solve_ridge, write_gram

NOISE = 0.1
NEW = 2000


@contextmanager
def said(label: str) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"{label}: {wall:.1f} s, of processors {processor:.1f} s, load {os.getloadavg()[0]:.0f}", flush=True
    )


@contextmanager
def memory() -> Iterator[None]:
    """The peak of all pages, and of those that belong to no file (looked at ten times a second)."""
    status, own, done = Path("/proc/self/status"), [0], threading.Event()

    def look() -> None:
        while not done.wait(0.1) and status.exists():
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            own[0] = max(own[0], int(fields["RssAnon"].split()[0]))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory: {peak / 2**20:.2f} GiB, without mapped files {own[0] / 2**20:.2f} GiB")


def problem(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns))
    X *= np.sqrt(columns / np.sum(X * X, axis=1, keepdims=True))
    return X, X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + np.sin(2 * X[:, 4]) + NOISE * rng.standard_normal(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--bias", default="1/10")
    parser.add_argument("--kernel", default="ntk")
    parser.add_argument("--ridge", type=float, default=0.1)
    parser.add_argument("--rank", type=int, default=1000)
    parser.add_argument("--rtol", type=float, default=1e-6)
    parser.add_argument("--store", type=Path)
    given = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy"))
    print(f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}, {versions}")
    network = Network.mlp(activations.resolve(given.activation), given.depth, 2, given.bias)
    X, y = problem(given.rows + NEW, given.columns)
    X, X_new, y, y_new = X[: given.rows], X[given.rows :], y[: given.rows], y[given.rows :]
    print(
        f"{given.activation}, depth {given.depth}, {given.kernel}, n = {len(X)}, d = {given.columns}",
        flush=True,
    )
    with memory():
        matrix = None
        if given.store is not None:
            with said("matrix to disk"):
                matrix = write_gram(network, X, given.store, kernel=given.kernel, progress=True)
        with said(f"ridge {given.ridge:g}, rank {given.rank}"):
            found = solve_ridge(
                network,
                X,
                y,
                given.ridge,
                given.kernel,
                rtol=given.rtol,
                rank=given.rank,
                matrix=matrix,
                progress=True,
            )
        print(f"{found.iterations} iterations, residual {found.residual:.1e}, converged: {found.converged}")
        print(f"trace not seen by the preconditioner: {found.trace_left:.2f}")
        with said(f"predictions at {NEW} new inputs"):
            error = float(np.sqrt(np.mean((found.predict(X_new) - y_new) ** 2)))
        print(f"root mean square error {error:.3f}, of the targets' mean {y_new.std():.3f}, noise {NOISE}")


if __name__ == "__main__":
    main()
