"""Gram matrices against the product.

``python tests/benchmarks/gram.py [--rows 4096] [--norms general] [activation ...]``

For inputs of one norm, or Gaussian ones: the time of a first matrix (set-up and a run), then medians of seven
runs in ratio to ``X @ Y.T`` of the same run, by wall clock and by processor time (less changed by other
work).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from analytic_ntk import Network, activations
from analytic_ntk.gram.tiles import COMPILED

RUNS = 7


def taken(call: Callable[[], object]) -> tuple[float, float]:
    """Median wall and processor seconds."""
    call()
    wall, processor = [], []
    for _ in range(RUNS):
        first, second = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - first)
        processor.append(time.process_time() - second)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--norms", choices=("equal", "general"), default="equal")
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 10])
    parser.add_argument("activations", nargs="*", default=["relu", "gelu", "tanh", "hardtanh"])
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((given.rows, given.columns)) for _ in range(2))
    for data in (X, Y) if given.norms == "equal" else ():
        data *= np.sqrt(given.columns / np.sum(data * data, axis=1, keepdims=True))
    how = "compiled" if COMPILED else "numpy only"
    print(f"n = {given.rows}, d = {given.columns}, {given.norms} norms, {how}; wall / processor")
    for dtype in (np.float64, np.float32):
        A, B = X.astype(dtype), Y.astype(dtype)
        unit = taken(partial(np.matmul, A, B.T))
        print(f"{dtype.__name__}: X @ Y.T {unit[0] * 1e3:.0f} ms / {unit[1] * 1e3:.0f} ms")
        for name in given.activations:
            for depth in given.depths:
                network = Network.mlp(activations.resolve(name), depth, 2, "1/10")
                start = time.perf_counter()
                network.gram(A, B)
                row = [f"first {time.perf_counter() - start:.2f} s"]
                for label, call in (
                    ("K(X, Y)", partial(network.gram, A, B)),
                    ("K(X, X)", partial(network.gram, A)),
                    ("both", partial(network.gram, A, B, "both")),
                ):
                    found = taken(call)
                    row.append(f"{label} {found[0] / unit[0]:.1f} / {found[1] / unit[1]:.1f}")
                print(f"  {name}, depth {depth}: {', '.join(row)}", flush=True)


if __name__ == "__main__":
    main()
