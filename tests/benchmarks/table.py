"""The page docs/benchmarks.md: ``python tests/benchmarks/table.py``, ten minutes.

Speed is given in ratio to ``X @ Y.T`` of the same run (medians); accuracy against certified values at the
very same binary inputs. ``--peer``: the interpreter of an environment with neural-tangents 0.6.5, where it
runs in a process of its own (pins that work: jax and jaxlib 0.4.25, tf2jax 0.3.6, tensorflow 2.15.1, numpy
1.26.4, scipy 1.11.4). ``--gpytorch``: one with gpytorch.
``--quick``: fewer cases.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from analytic_ntk import Network, activations
from analytic_ntk.exact import exactly

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
RUNS = 7
BIAS = "1/10"
PEER = """
import json, sys, time
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from neural_tangents import stax
X, Y = (np.load(name) for name in sys.argv[1:3])
cases = {"relu": stax.Relu, "erf": stax.Erf, "gelu": stax.Gelu}
found = {}
for name, depth in (("relu", 3), ("relu", 10), ("erf", 3), ("gelu", 3), ("gelu", 10)):
    dense = stax.Dense(1, W_std=2**0.5, b_std=0.1**0.5)
    kernel = stax.serial(*[dense, cases[name]()] * depth, dense)[2]
    call = jax.jit(lambda X, Y: kernel(X, Y, "ntk"))
    call(X, Y).block_until_ready()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call(X, Y).block_until_ready()
        times.append(time.perf_counter() - start)
    found[f"{name}, depth {depth}"] = sorted(times)[1]
print(json.dumps(found))
"""


GPYTORCH = """
import json, sys, time
import gpytorch, numpy as np, torch
X, Y = (torch.from_numpy(np.load(name)) for name in sys.argv[1:3])
found = {}
for name in ("RBFKernel", "MaternKernel"):
    kernel = getattr(gpytorch.kernels, name)().double()
    kernel.lengthscale = 8.0
    times = []
    with torch.no_grad():
        for _ in range(4):
            start = time.perf_counter()
            kernel(X, Y).to_dense()
            times.append(time.perf_counter() - start)
    found[name] = sorted(times[1:])[1]
print(json.dumps(found))
"""


def network(name: str, depth: int) -> Network:
    return Network.mlp(activations.resolve(name), depth, 2, BIAS)


def points(rows: int, columns: int, seed: int, equal: bool) -> np.ndarray:
    X = np.random.default_rng(seed).standard_normal((rows, columns))
    return X * np.sqrt(columns / np.sum(X * X, axis=1, keepdims=True)) if equal else X


def median(call: Callable[[], object], runs: int = RUNS) -> float:
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def speed(equal: bool, cases: list[tuple[str, int]], rows: int) -> str:
    head = ["", "first call", "one kernel", "float32", "K(X, X)", "NNGP and NTK", "memory over output"]
    X, Y = points(rows, 64, 0, equal), points(rows, 64, 1, equal)
    small = X.astype(np.float32), Y.astype(np.float32)
    units = median(partial(np.matmul, X, Y.T)), median(partial(np.matmul, small[0], small[1].T))
    lines = []
    for name, depth in cases:
        gram = network(name, depth).gram
        start = time.perf_counter()
        gram(X, Y)
        first = time.perf_counter() - start
        ratios = [
            median(partial(gram, X, Y)) / units[0],
            median(partial(gram, *small)) / units[1],
            median(partial(gram, X)) / units[0],
            median(partial(gram, X, Y, "both")) / units[0],
        ]
        tracemalloc.start()
        kernel = gram(X, Y)
        peak = tracemalloc.get_traced_memory()[1] / kernel.nbytes - 1
        tracemalloc.stop()
        lines.append(
            [f"{name}, depth {depth}", f"{first:.1f} s", *(f"{ratio:.1f}" for ratio in ratios), f"{peak:.0%}"]
        )
        print(lines[-1], flush=True)
    return f"`X @ Y.T`: {units[0] * 1e3:.0f} ms (float32 {units[1] * 1e3:.0f} ms).\n\n" + table(head, lines)


def scaling(sizes: list[int]) -> str:
    lines = []
    for equal, threads in product((True, False), (1, None)):
        gram, seconds, ratios = network("relu", 3).gram, [], []
        with threadpool_limits(limits=threads):
            affinity = os.sched_getaffinity(0)
            os.sched_setaffinity(0, sorted(affinity)[: threads or len(affinity)])
            for rows in sizes:
                X, Y = points(rows, 64, 0, equal), points(rows, 64, 1, equal)
                seconds.append(median(partial(gram, X, Y), 5))
                ratios.append(seconds[-1] / median(partial(np.matmul, X, Y.T), 5))
            os.sched_setaffinity(0, affinity)
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        label = f"{'equal' if equal else 'general'} norms, {threads or len(affinity)} threads"
        lines.append([label, *(f"{ratio:.1f}" for ratio in ratios), f"{slope:.2f}"])
        print(lines[-1], flush=True)
    head = ["relu, depth 3", *(f"n = {rows}" for rows in sizes), "exponent of the time in n"]
    return table(head, lines)


def dimensions(rows: int) -> str:
    lines = []
    for name in ("relu", "tanh"):
        gram = network(name, 3).gram
        ratios = []
        for columns, equal in product((16, 64, 256), (True, False)):
            X, Y = points(rows, columns, 0, equal), points(rows, columns, 1, equal)
            ratios.append(median(partial(gram, X, Y), 5) / median(partial(np.matmul, X, Y.T), 5))
        lines.append([f"{name}, depth 3", *(f"{ratio:.1f}" for ratio in ratios)])
        print(lines[-1], flush=True)
    return table(["", *(f"d = {d}, {kind}" for d in (16, 64, 256) for kind in ("equal", "general"))], lines)


def circle() -> np.ndarray:
    """Points with integer coordinates on a circle: equal norms without rounding, angles down to 1e-6."""
    one = np.array([[1, 0]], dtype=object)
    for a, b in ((2, 1), (3, 2), (4, 1), (5, 2), (6, 1), (5, 4)):  # norms 5, 13, 17, 29, 37, 41
        turns = [(a * a - b * b, 2 * a * b), (a * a + b * b, 0), (a * a - b * b, -2 * a * b)]
        one = np.array([[x * c - y * s, x * s + y * c] for x, y in one for c, s in turns], dtype=object)
    return one


STRATA = (1e-12, 1e-9, 1e-6, 1e-3, 1e-1, 1.0)


def accuracy(names: list[str], equal: bool) -> str:
    """The largest error relative to ``sqrt(K(x,x) K(y,y))`` in strata of ``1 - |rho|``."""
    whole = circle()[:400]
    half = 2.0 ** -np.round(np.log2(float(max(abs(value) for value in whole.ravel()))))
    whole = np.concatenate([whole, -whole[:20]])
    scales = np.ones(len(whole)) if equal else 2.0 ** np.random.default_rng(0).integers(-1, 2, len(whole))
    X = whole.astype(float) * half * scales[:, None]
    lines = []
    for name in names:
        net, worst = network(name, 3), dict.fromkeys(STRATA, math.nan)
        found = net.gram(X, kernel="both")
        for i, j, stratum in _pairs(X):
            covariances = [
                sum(exactly(a) * exactly(b) for a, b in zip(X[k], X[m], strict=False)) / 2
                for k, m in ((i, i), (i, j), (j, j))
            ]
            exact = net.at(*covariances, digits=20)
            ends = [net.at(q, q, q, digits=20) for q in covariances[::2]]
            for k, kernel in enumerate(("nngp", "ntk")):
                value, *tops = (float(getattr(e, kernel).midpoint) for e in (exact, *ends))
                worst[stratum] = np.fmax(
                    worst[stratum], abs(found[k][i, j] - value) / math.sqrt(tops[0] * tops[1])
                )
        lines.append([name, *(f"{value:.0e}" if value >= 0 else "" for value in worst.values())])
        print(lines[-1], flush=True)
    return table(["depth 3", *(f"to {stratum:g}" for stratum in STRATA)], lines)


def _pairs(X: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Four pairs of each stratum, of both signs where there are."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    sine = np.abs(np.multiply.outer(unit[:, 0], unit[:, 1]) - np.multiply.outer(unit[:, 1], unit[:, 0]))
    near = sine**2 / 2
    rho = unit @ unit.T
    near = np.where(np.abs(rho) < 0.9, 1 - np.abs(rho), near)
    for low, high in zip((-1.0, *STRATA), STRATA, strict=False):
        for sign in (1, -1):
            i, j = np.nonzero(
                (near > low) & (near <= high) & (sign * rho > 0) & np.triu(np.ones_like(rho, bool), 1)
            )
            for place in np.linspace(0, len(i) - 1, 2).astype(int) if len(i) else ():
                yield int(i[place]), int(j[place]), high


def peers(python: str | None, gpytorch: str | None, rows: int, folder: Path) -> str:
    X, Y = points(rows, 64, 0, True), points(rows, 64, 1, True)
    names = [str(folder / name) for name in ("x.npy", "y.npy")]
    for name, array in zip(names, (X, Y), strict=True):
        np.save(name, array)

    def elsewhere(interpreter: str, script: str) -> dict[str, float]:
        answer = subprocess.run(
            [interpreter, "-c", script, *names], capture_output=True, text=True, check=True
        )
        seconds: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
        return seconds

    unit = median(partial(np.matmul, X, Y.T))
    lines = []
    try:
        from sklearn.gaussian_process import kernels
    except ImportError:
        pass
    else:
        for kernel in (kernels.RBF(8.0), kernels.Matern(8.0, nu=1.5)):
            lines.append(
                [f"scikit-learn {type(kernel).__name__}", f"{median(partial(kernel, X, Y), 3) / unit:.1f}"]
            )
    for label, seconds in elsewhere(gpytorch, GPYTORCH).items() if gpytorch else ():
        lines.append([f"GPyTorch {label}", f"{seconds / unit:.1f}"])
    if python:
        for label, seconds in elsewhere(python, PEER).items():
            name, _, depth = label.split()
            ours = median(partial(network(name.strip(","), int(depth)).gram, X, Y)) / unit
            lines.append([f"neural-tangents {label} (here {ours:.1f})", f"{seconds / unit:.1f}"])
    return table([f"NTK, n = {rows}, d = 64, in units of `X @ Y.T`", ""], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer")
    parser.add_argument("--gpytorch")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    rows = 1024 if given.quick else 4096
    names = ["relu", "gelu", "tanh", "hardtanh"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy", "numba"))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        page = f"""# Benchmarks of Gram matrices

Generated by `python tests/benchmarks/table.py` on {datetime.date.today()}: {platform.machine()},
{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, {versions}. Times are medians in
units of the product `X @ Y.T` of the same run; n = {rows}, d = 64, bias variance 1/10. First call: set-up and
a run.

## Inputs of one norm

{speed(True, [(name, depth) for name in names for depth in (3, 10)], rows)}
## Inputs of any norm

{speed(False, [(name, 3) for name in names], rows)}
## Size, threads, dimension

{scaling([512, 1024, 2048] if given.quick else [1024, 2048, 4096, 8192])}
{dimensions(rows)}
## Others on the same data

{peers(given.peer, given.gpytorch, rows, Path(folder))}
## Accuracy

Largest error of NNGP and NTK relative to `sqrt(K(x,x) K(y,y))`, against certified values at the same binary
inputs, by strata of `1 - |rho|` (both signs of `rho`). Inputs of one norm:

{accuracy([*names, "softsign"], True)}
Inputs of three norms:

{accuracy([*names, "softsign"], False)}"""
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
