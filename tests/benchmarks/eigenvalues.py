"""Proved bounds of the least eigenvalue beside numpy's ``eigvalsh``.

``python tests/benchmarks/eigenvalues.py [activation ...]``. For ``N = 500, 1000, 2000`` points: the certified
Gram matrix (every entry with its proved error), the proved bounds of its least eigenvalue, and
``numpy.linalg.eigvalsh`` of the same matrix, which proves nothing. Medians of the repetitions of one run,
taken in turn, in processor seconds, the linear algebra on one thread (so that neither a busy machine nor the
number of its cores changes the ratios); the ratio is (Gram matrix + bounds) / eigvalsh. The first call of an
activation also makes its tables; it is shown apart.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy

import numpy as np

from analytic_ntk import Network, activations
from analytic_ntk.positivity import certified_gram, eigenvalue_bounds
from analytic_ntk.positivity.rounding import bounds_of

SIZES, DIM, REPETITIONS = (500, 1000, 2000), 20, 3
CASES = (  # activation, depth, bias variance, whether the points lie on a sphere
    ("relu", 1, "0", False),
    ("relu", 3, "1/10", False),
    ("erf", 1, "1/10", True),
    ("erf", 2, "1/10", True),
    ("tanh", 1, "1/10", True),
    ("gelu", 2, "1/10", True),
)

Value = TypeVar("Value")


def seconds(call: Callable[[], Value]) -> tuple[float, Value]:
    start = time.process_time()
    value = call()
    return time.process_time() - start, value


def main(names: list[str]) -> None:
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, median of {REPETITIONS}")
    heads = ("first", "gram", "bounds", "eigvalsh", "ratio", "lambda_min", "width")
    print(f"{'':34s}" + "".join(f"{head:>10s}" for head in heads))
    for name, depth, bias, sphere in CASES:
        if names and name not in names:
            continue
        network = Network.mlp(activations.get(name), depth, 2, bias)
        for size in SIZES:
            X = np.random.default_rng(0).normal(size=(size, DIM))
            if sphere:
                X *= np.sqrt(DIM) / np.linalg.norm(X, axis=1, keepdims=True)
            first, gram = seconds(lambda: certified_gram(network, X))  # noqa: B023
            found = eigenvalue_bounds(gram.matrix, gram.error)
            times: list[list[float]] = [[], [], []]
            for _ in range(REPETITIONS):
                for taken, call in zip(
                    times,
                    (
                        lambda: certified_gram(network, X),  # noqa: B023
                        lambda: bounds_of(gram.matrix, gram.error),  # noqa: B023
                        lambda: np.linalg.eigvalsh(gram.matrix),  # noqa: B023
                    ),
                    strict=True,
                ):
                    taken.append(seconds(call)[0])
            ours, bounds, numpys = (statistics.median(taken) for taken in times)
            label = f"{name}, depth {depth}, N = {size}{', sphere' if sphere else ''}"
            print(
                f"{label:34s}{first:10.3f}{ours:10.3f}{bounds:10.3f}{numpys:10.3f}"
                f"{(ours + bounds) / numpys:10.2f}{found.upper:10.3g}{found.upper - found.lower:10.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
