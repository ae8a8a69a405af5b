"""How long kernels take: ``python tests/benchmarks/kernels.py [activation ...]`` (default: relu gelu tanh).

Certified values at depth 3 by digits, and Gram matrices at depth 3 beside the product ``X @ X.T``. Medians of
three runs after a first one, which builds tables; the first is shown too.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from analytic_ntk import Network, activations
from analytic_ntk.errors import AnalyticNTKError

DIGITS = (30, 100, 500)
SIZES = (100, 300)


def seconds(call: Callable[[], object]) -> str:
    """First run, and the median of three more."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        try:
            call()
        except AnalyticNTKError as error:
            return type(error).__name__
        times.append(time.perf_counter() - start)
        if times[0] > 30:
            return f"{times[0]:.1f} s"
    return f"{times[0]:.3g} s, then {statistics.median(times[1:]):.3g} s"


def main(names: list[str]) -> None:
    rng = np.random.default_rng(0)
    data = {n: rng.standard_normal((n, 16)) for n in SIZES}
    data |= {-n: X / np.linalg.norm(X, axis=1, keepdims=True) for n, X in list(data.items())}
    for n, X in data.items():
        print(f"X @ X.T, {abs(n)} rows: {seconds(partial(np.matmul, X, X.T))}")
    for name in names:
        network = Network.mlp(activations.resolve(name), 3, 2, "1/10")
        for digits in DIGITS:
            taken = seconds(partial(network.at, "1", "3/10", "1", digits))
            print(f"{name}, certified, {digits} digits: {taken}")
        for n, X in data.items():
            kind = "of any norm" if n > 0 else "of norm 1"
            taken = seconds(partial(network.gram, X))
            print(f"{name}, gram, {abs(n)} rows {kind}: {taken}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["relu", "gelu", "tanh"])
